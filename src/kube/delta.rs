//! From one value to another in RFC 6902 operations, and what a live object holds beyond its manifest.

use super::object::escape;
use crate::value::{Map, Value};
use crate::yaml::{Op, PatchOp};

/// The operations that make `to` of `from`: maps key by key, lists item by item where they are as long, else whole.
pub fn delta(from: &Value, to: &Value) -> Vec<PatchOp> {
    let mut ops = Vec::new();
    walk(from, to, String::new(), &mut ops);
    ops
}

fn walk(from: &Value, to: &Value, path: String, ops: &mut Vec<PatchOp>) {
    match (from, to) {
        (a, b) if a == b => {}
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().filter(|k| !b.contains_key(k)) {
                ops.push(PatchOp {
                    op: Op::Remove,
                    path: format!("{path}/{}", escape(key)),
                    value: None,
                });
            }
            for (key, value) in b {
                let path = format!("{path}/{}", escape(key));
                match a.get(key) {
                    Some(old) => walk(old, value, path, ops),
                    None => ops.push(PatchOp {
                        op: Op::Add,
                        path,
                        value: Some(value.clone()),
                    }),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (old, new)) in a.iter().zip(b).enumerate() {
                walk(old, new, format!("{path}/{i}"), ops);
            }
        }
        _ => ops.push(PatchOp {
            op: Op::Replace,
            path,
            value: Some(to.clone()),
        }),
    }
}

/// The annotation in which kubectl keeps what was applied last, data and all.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Annotations that the server, its controllers or clients keep on live objects.
pub const LIVE_ANNOTATIONS: [&str; 4] = [
    "deployment.kubernetes.io/revision",
    LAST_APPLIED,
    "meta.helm.sh/release-name",
    "meta.helm.sh/release-namespace",
];

/// Takes out of a live object what the API server added: status and the server's part of the metadata. Defaulted
/// fields of the spec stay; they cannot be told from chosen ones.
pub fn without_server_fields(mut value: Value) -> Value {
    let Some(map) = value.as_object_mut() else { return value };
    map.remove("status");
    if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in [
            "uid",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "managedFields",
            "selfLink",
        ] {
            metadata.remove(field);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            LIVE_ANNOTATIONS.iter().for_each(|key| {
                annotations.remove(key);
            });
        }
        if metadata
            .get("annotations")
            .and_then(Value::as_object)
            .is_some_and(Map::is_empty)
        {
            metadata.remove("annotations");
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;
    use crate::yaml::patch_value;

    #[test]
    fn a_delta_leads_from_one_to_the_other() {
        for (from, to) in [
            (
                json!({"a": 1, "b": {"c": [1, 2]}}),
                json!({"b": {"c": [1, 3], "d": null}, "e/f": "~"}),
            ),
            (json!({"l": [1]}), json!({"l": [1, 2]})),
            (json!({"l": [{"a": 1}]}), json!({"l": [{"a": 2}]})),
            (json!({"a": null}), json!({"a": {}})),
            (json!({"a": 1}), json!({"a": 1})),
        ] {
            let ops = delta(&from, &to);
            assert_eq!(patch_value(&from, &ops).unwrap(), to);
            assert_eq!(ops.is_empty(), from == to);
        }
    }

    #[test]
    fn server_fields_go_and_the_rest_stays() {
        let live = json!({"kind": "Deployment", "metadata": {"name": "a", "uid": "x", "generation": 3,
            "annotations": {"deployment.kubernetes.io/revision": "4"}}, "spec": {"replicas": 1}, "status": {"ready": 1}});
        assert_eq!(
            without_server_fields(live),
            json!({"kind": "Deployment", "metadata": {"name": "a"}, "spec": {"replicas": 1}})
        );
    }
}
