//! Which items of two lists belong together.
//!
//! Merge keys: kubernetes.io/docs/reference/generated/kubernetes-api ("patch merge key" of each list).

use std::collections::HashMap;

use similar::DiffOp;

use super::pair::{Pair, merged};
use super::sequence;
use crate::value::Value;

/// Two lists with their items paired, in the order in which they are told.
pub struct Aligned {
    /// The pairs.
    pub pairs: Vec<Pair>,
    /// The name by which each was paired; none where position decided.
    pub labels: Vec<Option<String>>,
    /// Whether items that both sides have stand in another order, where the order means something.
    pub moved: bool,
}

/// Lists whose items the API server merges by the value of fields; the first set that is unique on both sides counts.
const KEYED: &[(&str, &[&[&str]])] = &[
    ("containers", &[&["name"]]),
    ("initContainers", &[&["name"]]),
    ("ephemeralContainers", &[&["name"]]),
    ("env", &[&["name"]]),
    ("volumes", &[&["name"]]),
    ("imagePullSecrets", &[&["name"]]),
    ("volumeMounts", &[&["mountPath"], &["mountPath", "subPath"]]),
    ("volumeDevices", &[&["devicePath"]]),
    ("hostAliases", &[&["ip"]]),
    (
        "ports",
        &[&["name"], &["containerPort", "protocol"], &["port", "protocol"]],
    ),
    ("topologySpreadConstraints", &[&["topologyKey", "whenUnsatisfiable"]]),
    ("volumeClaimTemplates", &[&["metadata", "name"]]),
];

/// Pairs the items of a list that stands under `key`. `keyed` is off for lists that are not Kubernetes' own.
pub fn align(key: &str, before: &[Value], after: &[Value], keyed: bool) -> Aligned {
    let known = KEYED.iter().find(|(name, _)| *name == key && keyed);
    let names = |fields: &dyn Fn(&Value) -> Option<String>| Some((unique(before, fields)?, unique(after, fields)?));
    let by_key = match known {
        Some(("volumeClaimTemplates", _)) => {
            names(&|v: &Value| v.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned))
        }
        Some((_, sets)) => sets.iter().find_map(|set| names(&|v: &Value| joined(v, set))),
        // A list of a custom resource: named items belong together, their order may mean something.
        None if keyed => names(&|v: &Value| v.get("name")?.as_str().map(str::to_owned)),
        None => None,
    };
    let Some((b, a)) = by_key else {
        return by_position(before, after);
    };
    let at: HashMap<&str, usize> = b.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
    let partners: Vec<Option<usize>> = a.iter().map(|name| at.get(name.as_str()).copied()).collect();
    let in_order = partners.iter().flatten().is_sorted();
    let pairs = merged(before.len(), &partners);
    let label = |(x, y): &Pair| y.map(|i| &a[i]).or_else(|| x.map(|i| &b[i])).cloned();
    Aligned {
        labels: pairs.iter().map(label).collect(),
        pairs,
        moved: !in_order && order_counts(key, known.is_some(), before, after),
    }
}

/// Init containers run one after the other, and a variable may name those before it.
fn order_counts(key: &str, known: bool, before: &[Value], after: &[Value]) -> bool {
    let refers = |v: &Value| v.get("value").and_then(Value::as_str).is_some_and(|s| s.contains("$("));
    match key {
        "initContainers" => true,
        "env" => before.iter().chain(after).any(refers),
        _ => !known,
    }
}

fn joined(item: &Value, fields: &[&str]) -> Option<String> {
    let mut parts = Vec::new();
    for field in fields {
        match (item.get(*field), *field) {
            (Some(Value::String(s)), _) => parts.push(s.to_string()),
            (Some(Value::Number(n)), _) => parts.push(n.to_string()),
            (None, "protocol") => parts.push("TCP".into()),
            (None, "subPath") => parts.push(String::new()),
            _ => return None,
        }
    }
    if parts.last().is_some_and(String::is_empty) {
        parts.pop();
    }
    Some(parts.join("/"))
}

/// The name of each item, where all have one and no two the same.
fn unique(items: &[Value], name: &dyn Fn(&Value) -> Option<String>) -> Option<Vec<String>> {
    let names: Vec<String> = items.iter().map(name).collect::<Option<_>>()?;
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.windows(2).all(|w| w[0] != w[1]).then_some(names)
}

/// Equal items pair; of what stands between them the first with the first.
fn by_position(before: &[Value], after: &[Value]) -> Aligned {
    let text = |list: &[Value]| list.iter().map(canonical).collect::<Vec<_>>();
    let mut pairs: Vec<Pair> = Vec::new();
    for op in sequence::ops(&text(before), &text(after)) {
        let (old, new) = (op.old_range(), op.new_range());
        let both = match op {
            DiffOp::Delete { .. } | DiffOp::Insert { .. } => 0,
            _ => old.len().min(new.len()),
        };
        pairs.extend((0..both).map(|i| (Some(old.start + i), Some(new.start + i))));
        pairs.extend((old.start + both..old.end).map(|i| (Some(i), None)));
        pairs.extend((new.start + both..new.end).map(|i| (None, Some(i))));
    }
    Aligned {
        labels: vec![None; pairs.len()],
        pairs,
        moved: false,
    }
}

/// A text that is equal for equal values, whatever the order of their keys.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<String> = map.iter().map(|(k, v)| format!("{k:?}:{}", canonical(v))).collect();
            entries.sort_unstable();
            format!("{{{}}}", entries.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    fn aligned(key: &str, before: Value, after: Value) -> (Vec<Pair>, bool) {
        let list = |v: Value| v.as_array().unwrap().clone();
        let found = align(key, &list(before), &list(after), true);
        (found.pairs, found.moved)
    }

    #[test]
    fn named_items_pair_by_name_and_their_order_counts_where_it_means_something() {
        let (b, a) = (
            json!([{"name": "a"}, {"name": "b"}]),
            json!([{"name": "b"}, {"name": "a"}]),
        );
        let swapped = vec![(Some(1), Some(0)), (Some(0), Some(1))];
        for (key, moved) in [
            ("containers", false),
            ("env", false),
            ("initContainers", true),
            ("steps", true),
        ] {
            assert_eq!(aligned(key, b.clone(), a.clone()), (swapped.clone(), moved), "{key}");
        }
        let refers = json!([{"name": "b", "value": "$(a)"}, {"name": "a"}]);
        assert!(aligned("env", b, refers).1);
    }

    #[test]
    fn ports_and_mounts_pair_by_what_the_api_server_merges_them_by() {
        let b = json!([{"containerPort": 53}, {"containerPort": 53, "protocol": "UDP"}]);
        let a = json!([{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP"}]);
        assert_eq!(aligned("ports", b, a).0, [(Some(1), Some(0)), (Some(0), Some(1))]);
        let b = json!([{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}]);
        let a = json!([{"name": "v", "mountPath": "/b"}]);
        assert_eq!(aligned("volumeMounts", b, a).0, [(Some(0), None), (Some(1), Some(0))]);
    }

    #[test]
    fn words_pair_by_what_stands_around_them() {
        let (b, a) = (json!(["a", "b", "c"]), json!(["a", "x", "c", "d"]));
        assert_eq!(
            aligned("args", b, a).0,
            [
                (Some(0), Some(0)),
                (Some(1), Some(1)),
                (Some(2), Some(2)),
                (None, Some(3))
            ]
        );
        // The same name twice: the API server takes the last, so position decides.
        let twice = json!([{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]);
        assert_eq!(
            aligned("env", twice.clone(), twice).0,
            [(Some(0), Some(0)), (Some(1), Some(1))]
        );
    }
}
