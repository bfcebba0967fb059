//! The findings as results of a KRM function.

use foldhash::HashMap;

use crate::finding::{Finding, Input, Severity};
use crate::host::krm;
use crate::judge::Judgement;
use crate::kube::named::First;
use crate::kube::object::resource_group;
use crate::kube::{Object, ObjectRef};
use crate::value::{Map, Value, json};

/// The results of a judgement, worst first. `items` are those that came in: they say from which file each was read.
/// A refusal that is allowed is a warning: orchestrators know no other word for it.
pub fn results(judgement: &Judgement, items: &[Object]) -> Vec<Value> {
    let items = Items::of(items);
    judgement
        .findings
        .iter()
        .map(|finding| result(finding, &items))
        .collect()
}

/// The items by what makes them one object in a cluster, beside their namespaces.
struct Items<'o> {
    all: &'o [Object],
    of: HashMap<(&'o str, &'o str, &'o str), First<'o>>,
}

impl<'o> Items<'o> {
    fn of(all: &'o [Object]) -> Items<'o> {
        let mut of: HashMap<(&str, &str, &str), First> = HashMap::default();
        for (index, item) in all.iter().enumerate() {
            let first = of.entry(named(&item.reference)).or_default();
            first.add(&item.reference.namespace, index);
        }
        Items { all, of }
    }

    /// The first that is the same object ([`ObjectRef::same_object`]).
    fn same(&self, reference: &ObjectRef) -> Option<&'o Object> {
        let first = self.of.get(&named(reference))?;
        first.agreeing(&reference.namespace).map(|index| &self.all[index])
    }
}

fn named(reference: &ObjectRef) -> (&str, &str, &str) {
    (&reference.kind, &reference.name, resource_group(reference))
}

/// A result about the call itself.
pub fn error(message: &str) -> Value {
    json!({"message": message, "severity": "error"})
}

fn result(finding: &Finding, items: &Items) -> Value {
    let severity = match (finding.severity, finding.allowed) {
        (Severity::Refuse, false) => "error",
        (Severity::Refuse, true) | (Severity::Warn, _) => "warning",
        (Severity::Info, _) => "info",
    };
    let mut out = Map::new();
    let message = format!(
        "{} {}: {}\nhelp: {}",
        finding.code, finding.name, finding.message, finding.help
    );
    out.insert("message".into(), json!(message));
    out.insert("severity".into(), json!(severity));
    if let Some(object) = &finding.object {
        let mut reference = json!({"apiVersion": object.api_version, "kind": object.kind, "name": object.name});
        if !object.namespace.is_empty() {
            reference["namespace"] = json!(object.namespace);
        }
        out.insert("resourceRef".into(), reference);
        let item = items.same(object);
        let elsewhere = finding.location.as_ref().is_some_and(|l| l.stream != Input::Target);
        if let Some((path, index)) = item.filter(|_| !elsewhere).and_then(krm::file) {
            out.insert("file".into(), json!({"path": path, "index": index}));
        }
    }
    if let Some(field) = &finding.field {
        let mut shown = json!({"path": path(&field.path)});
        for (key, value) in [("currentValue", &field.current), ("proposedValue", &field.proposed)] {
            if !value.is_null() {
                shown[key] = value.clone();
            }
        }
        out.insert("field".into(), shown);
    }
    let mut tags = json!({"code": finding.code, "name": finding.name});
    if finding.allowed {
        tags["allowed"] = json!("true");
    }
    out.insert("tags".into(), tags);
    Value::Object(out)
}

/// A JSON pointer as orchestrators write fields: `spec.template.spec.containers[0].image`. A key that is no plain word
/// stands in brackets, and what leads into the text of a ConfigMap behind a `#`: `data["user.yaml"]#mq.type`.
pub fn path(pointer: &str) -> String {
    let mut out = String::new();
    for (i, part) in pointer.split("#/").enumerate() {
        let part = if i == 0 {
            part.strip_prefix('/').unwrap_or(part)
        } else {
            part
        };
        if i > 0 {
            out.push('#');
        }
        let start = out.len();
        for step in part.split('/').filter(|s| !s.is_empty()) {
            let key = step.replace("~1", "/").replace("~0", "~");
            let word = key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
            if key.bytes().all(|b| b.is_ascii_digit()) {
                out.push_str(&format!("[{key}]"));
            } else if word {
                out.push_str(if out.len() > start { "." } else { "" });
                out.push_str(&key);
            } else {
                out.push_str(&format!("[{}]", json!(key)));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_item_of_an_object_is_the_first_that_is_the_same() {
        let object = |version: &str, name: &str, namespace: &str| {
            let metadata = json!({"name": name, "namespace": namespace});
            let value = json!({"apiVersion": version, "kind": "Ingress", "metadata": metadata});
            Object::all_in(0, value).unwrap().remove(0)
        };
        let mut all = vec![
            object("example.com/v1", "a", ""),
            object("extensions/v1beta1", "a", "x"),
            object("networking.k8s.io/v1", "b", "x"),
        ];
        for space in ["x", "y", "", "z"] {
            all.push(object("networking.k8s.io/v1", "a", space));
        }
        let items = Items::of(&all);
        for wanted in all.iter().chain([&object("networking.k8s.io/v1", "c", "")]) {
            let found = items.same(&wanted.reference).map(std::ptr::from_ref);
            let first = all.iter().find(|item| item.reference.same_object(&wanted.reference));
            assert_eq!(found, first.map(std::ptr::from_ref), "{:?}", wanted.reference);
        }
    }

    #[test]
    fn fields_are_written_as_orchestrators_do() {
        for (pointer, wanted) in [
            (
                "/spec/template/spec/containers/0/image",
                "spec.template.spec.containers[0].image",
            ),
            ("/data/user.yaml#/mq/type", "data[\"user.yaml\"]#mq.type"),
            ("/metadata/annotations/a~1b", "metadata.annotations[\"a/b\"]"),
            ("/a/b#/0/c", "a.b#[0].c"),
            ("", ""),
        ] {
            assert_eq!(path(pointer), wanted, "{pointer}");
        }
    }
}
