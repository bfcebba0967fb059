//! What several workloads have in common, once the marks of their roles are taken out.

use std::borrow::Cow;

use crate::value::{Map, Value};

/// Stands for the workload's own name.
pub const NAME: &str = "\u{0}name";
/// Stands for the role's word in labels and container names.
pub const ROLE: &str = "\u{0}role";
/// Stands for the words behind `run`.
pub const ARGS: &str = "\u{0}args";

/// What all values share: equal values; maps key by key; lists of named things by name, in the first's order. `None`
/// where nothing is shared.
pub fn share(values: &[&Value]) -> Option<Value> {
    let (first, rest) = values.split_first()?;
    if rest.iter().all(|v| v == first) {
        return Some((*first).clone());
    }
    match first {
        Value::Object(map) => {
            let mut out = Map::new();
            for (key, _) in map {
                let each: Option<Vec<&Value>> = values.iter().map(|v| v.entry(key)).collect();
                // Of what is different in each, not even the empty map is shared; but the chart always writes resources.
                let shared = each.and_then(|each| Some((share(&each)?, each[0])));
                if let Some((shared, first)) = shared
                    && (!is_empty(&shared) || is_empty(first) || key == "resources")
                {
                    out.insert(key.clone(), shared);
                }
            }
            Some(Value::Object(out))
        }
        Value::Array(list) => {
            let mut out = Vec::new();
            for item in list {
                let id = identity(item)?;
                let each: Option<Vec<&Value>> = values.iter().map(|v| find(v, &id)).collect();
                let Some(each) = each else { continue };
                if each.iter().all(|v| *v == each[0]) {
                    out.push(item.clone());
                } else if item.entry("image").is_some() {
                    // A container is the sum of its fields; a volume or variable is one thing.
                    out.extend(share(&each));
                }
            }
            Some(Value::Array(out))
        }
        _ => None,
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// How Kubernetes tells the items of a list apart: mounts by path, most things by name.
pub fn identity(item: &Value) -> Option<(&'static str, Cow<'_, str>)> {
    ["mountPath", "name", "containerPort", "topologyKey", "key"]
        .into_iter()
        .find_map(|key| match item.entry(key) {
            Some(Value::String(s)) => Some((key, s.into())),
            Some(Value::Number(n)) => Some((key, n.to_string().into())),
            _ => None,
        })
}

fn find<'v>(list: &'v Value, id: &(&'static str, Cow<str>)) -> Option<&'v Value> {
    list.as_array()?.iter().find(|item| identity(item).as_ref() == Some(id))
}

/// Replaces every string that satisfies `matches` anywhere in a value.
pub fn replace_strings(value: &mut Value, replace: &impl Fn(&str) -> Option<Vec<String>>) {
    match value {
        Value::Object(map) => map.values_mut().for_each(|v| replace_strings(v, replace)),
        Value::Array(list) => {
            let mut out = Vec::with_capacity(list.len());
            for mut item in std::mem::take(list) {
                match item.as_str().and_then(replace) {
                    Some(words) => out.extend(words.into_iter().map(Value::from)),
                    None => {
                        replace_strings(&mut item, replace);
                        out.push(item);
                    }
                }
            }
            *list = out;
        }
        Value::String(s) => {
            if let Some(words) = replace(s) {
                *s = words.join(" ").into();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    #[test]
    fn named_lists_are_compared_by_name_in_the_first_order() {
        let a = json!({"volumes": [{"name": "x", "emptyDir": {}}, {"name": "y", "secret": 1}, {"name": "z", "emptyDir": {}}]});
        let b = json!({"volumes": [{"name": "z", "emptyDir": {}}, {"name": "y", "secret": 2}, {"name": "x", "emptyDir": {}}]});
        assert_eq!(
            share(&[&a, &b]).unwrap(),
            json!({"volumes": [{"name": "x", "emptyDir": {}}, {"name": "z", "emptyDir": {}}]})
        );
    }

    #[test]
    fn containers_are_shared_field_by_field() {
        let a = json!([{"name": ROLE, "image": "m:1", "env": [{"name": "A", "value": "1"}], "tty": true}]);
        let b = json!([{"name": ROLE, "image": "m:1", "env": [{"name": "A", "value": "2"}]}]);
        assert_eq!(share(&[&a, &b]).unwrap(), json!([{"name": ROLE, "image": "m:1"}]));
    }

    #[test]
    fn what_differs_is_left_out() {
        assert_eq!(share(&[&json!(1), &json!(2)]), None);
        assert_eq!(
            share(&[&json!({"a": 1, "b": 2}), &json!({"b": 2, "a": 3})]),
            Some(json!({"b": 2}))
        );
        assert_eq!(share(&[&json!(null), &json!([1])]), None);
        let limits = |what: &str| json!({"resources": {"limits": {what: 1}}, "emptyDir": {}});
        assert_eq!(
            share(&[&limits("cpu"), &limits("memory")]),
            Some(json!({"resources": {}, "emptyDir": {}}))
        );
    }
}
