//! The environment of a container, as Kubernetes hands it over.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Layer, Origin, Owner, scalar};
use crate::value::Value;

/// The value of an environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvValue {
    /// A literal.
    Literal(String),
    /// From elsewhere; carries what the `valueFrom` names (`secretKeyRef my-secret/key`).
    From(String),
}

/// One environment variable of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvVar {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: EnvValue,
    /// JSON pointer of the entry inside the workload.
    pub path: String,
}

/// The environment of the container that runs Milvus.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    /// The workload.
    pub workload: Arc<Owner>,
    /// The container's name, as far as a server keeps one.
    pub container: Arc<str>,
    /// Its variables, in their order.
    pub vars: Vec<EnvVar>,
    /// What `envFrom` takes in, and where: (text, JSON pointer).
    pub from: Vec<(String, String)>,
}

impl Environment {
    /// Reads the environment of a container.
    ///
    /// `workload` is the object, `container` the element of `containers`, `path` its JSON pointer inside the object.
    #[must_use]
    pub fn of(workload: impl Into<Arc<Owner>>, container: &Value, path: &str) -> Environment {
        let list = |key: &str| container.entry(key).and_then(Value::as_array).into_iter().flatten();
        let name = container.entry("name").and_then(Value::as_str);
        let mut vars: Vec<EnvVar> = Vec::new();
        let mut known: HashMap<&str, usize> = HashMap::new();
        let values = list("env").filter_map(|entry| entry.entry("value").and_then(Value::as_str));
        let mut references = References {
            may_hide: list("envFrom").next().is_some(),
            left: FREE + EACH * values.map(str::len).sum::<usize>(),
        };
        for (i, entry) in list("env").enumerate() {
            let Some(name) = entry.entry("name").and_then(Value::as_str) else {
                continue;
            };
            let value = match entry.entry("valueFrom").filter(|v| !v.is_null()) {
                Some(from) => EnvValue::From(reference(from)),
                None => {
                    let text = entry.entry("value").map_or_else(String::new, scalar);
                    references.expand(&text, |name| known.get(name).map(|i| &vars[*i].value))
                }
            };
            known.insert(name, vars.len());
            vars.push(EnvVar {
                name: name.to_owned(),
                value,
                path: format!("{path}/env/{i}"),
            });
        }
        let from = list("envFrom")
            .enumerate()
            .map(|(i, entry)| (reference(entry), format!("{path}/envFrom/{i}")));
        Environment {
            workload: workload.into(),
            container: name.unwrap_or_default().chars().take(NAME).collect::<String>().into(),
            vars,
            from: from.collect(),
        }
    }

    pub(super) fn origin(&self, path: &str) -> Origin {
        Origin {
            layer: Layer::Env {
                container: self.container.clone(),
            },
            object: self.workload.clone(),
            path: path.to_owned(),
        }
    }
}

/// How many characters the name of a container has at most: no server keeps more, and each variable is compared with it.
const NAME: usize = 63;

/// How many bytes references may put into the values of one container, beside [`EACH`] for each byte that is written there.
/// Variables that name each other twice double their length each time; more than this no value has that anyone reads.
const FREE: usize = 16 << 10;
const EACH: usize = 16;

/// The references in the values of one container.
struct References {
    /// Whether an `envFrom` may define what nothing else does.
    may_hide: bool,
    /// How many bytes they may still put in.
    left: usize,
}

impl References {
    /// Replaces `$(NAME)` by the variables before it, as Kubernetes does; `$$` stands for `$`, and a name that nothing
    /// defines stays as written. What would grow too long counts as unseen.
    fn expand<'v>(&mut self, text: &str, before: impl Fn(&str) -> Option<&'v EnvValue>) -> EnvValue {
        let mut expanded = String::new();
        let mut rest = text;
        // Where one is not closed, none behind it is.
        let mut closes = true;
        while let Some(at) = rest.find('$') {
            expanded.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(tail) = rest.strip_prefix('$') {
                expanded.push('$');
                rest = tail;
                continue;
            }
            let inside = rest.strip_prefix('(').filter(|_| closes);
            let Some((name, tail)) = inside.and_then(|r| r.split_once(')')) else {
                closes &= inside.is_none();
                expanded.push('$');
                continue;
            };
            match before(name) {
                Some(EnvValue::Literal(value) | EnvValue::From(value)) if !self.has_left(value) => {
                    return EnvValue::From(format!("$({name})"));
                }
                Some(EnvValue::Literal(value)) => expanded.push_str(value),
                Some(EnvValue::From(source)) => return EnvValue::From(source.clone()),
                None if self.may_hide => return EnvValue::From(format!("$({name})")),
                None => {
                    expanded.push_str("$(");
                    expanded.push_str(name);
                    expanded.push(')');
                }
            }
            rest = tail;
        }
        expanded.push_str(rest);
        EnvValue::Literal(expanded)
    }

    /// Whether a text may still be put in; if so, it is counted.
    fn has_left(&mut self, text: &str) -> bool {
        let left = self.left.checked_sub(text.len());
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }
}

/// What a `valueFrom` or an element of `envFrom` names, in words: `secretKeyRef my-secret/key`.
fn reference(from: &Value) -> String {
    let entries = from.as_object().into_iter().flatten();
    let words = entries.filter(|(_, v)| v.is_object()).map(|(kind, v)| {
        let part = |key: &str| v.get(key).and_then(Value::as_str);
        let name = part("name")
            .or(part("fieldPath"))
            .or(part("resource"))
            .unwrap_or_default();
        match part("key") {
            Some(key) => format!("{kind} {name}/{key}"),
            None => format!("{kind} {name}"),
        }
    });
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    #[test]
    fn references_may_put_in_so_much_for_each_byte_that_is_written() {
        let text = "x".repeat(2_000);
        let value = |times: usize| {
            let list = json!([{"name": "A", "value": text}, {"name": "B", "value": "$(A)".repeat(times)}]);
            let environment = Environment::of(Owner::default(), &json!({"env": list}), "");
            environment.vars[1].value.clone()
        };
        // 16 KiB, and sixteen times what is written: 2,060 bytes.
        assert_eq!(value(15), EnvValue::Literal(text.repeat(15)));
        assert!(matches!(value(40), EnvValue::From(_)));
    }
}
