//! What values can give to a workload that Kubernetes cannot even read: Helm would stop at it when the other components run
//! the new version already.
//!
//! Only what has another type than the API's is told here. What the API server merely demands more of (no request above its
//! limit) is for a dry run on the server.

use crate::kube::quantity::Quantity;
use crate::rewrite::neutral::CONTAINERS;
use crate::value::Value;

/// What a field has to be.
type Wanted = (&'static str, fn(&Value) -> bool);

const TEXTS: Wanted = ("a map of texts", |v| {
    v.as_object()
        .is_some_and(|m| m.values().all(|t| t.is_string() || t.is_null()))
});
const MAP: Wanted = ("a map", Value::is_object);
const MAPS: Wanted = ("a list of maps", |v| {
    v.as_array().is_some_and(|list| list.iter().all(Value::is_object))
});
const WHOLE: Wanted = ("a whole number", |v| {
    v.as_i64().is_some() || v.as_f64().is_some_and(|n| n.fract() == 0.0)
});

/// The fields of a workload that a component's values reach.
const FIELDS: [(&str, Wanted); 9] = [
    ("/spec/replicas", WHOLE),
    ("/spec/strategy", MAP),
    ("/spec/template/metadata/annotations", TEXTS),
    ("/spec/template/spec/nodeSelector", TEXTS),
    ("/spec/template/spec/affinity", MAP),
    ("/spec/template/spec/tolerations", MAPS),
    ("/spec/template/spec/topologySpreadConstraints", MAPS),
    ("/spec/template/spec/securityContext", MAP),
    ("/spec/template/spec/containers/0/resources", MAP),
];

/// Everything in a workload that Kubernetes cannot read, each in words: what stands where. Of values only quantities are shown.
pub fn faults(workload: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (pointer, (what, holds)) in FIELDS {
        if let Some(value) = workload.pointer(pointer).filter(|v| !v.is_null() && !holds(v)) {
            found.push(format!("{pointer} is {}, and has to be {what}", told(value)));
        }
    }
    let container = format!("{CONTAINERS}/0");
    for section in ["requests", "limits"] {
        let pointer = format!("{container}/resources/{section}");
        match workload.pointer(&pointer) {
            Some(Value::Object(map)) => {
                for (name, value) in map.iter().filter(|(_, v)| !v.is_null()) {
                    if let Err(e) = Quantity::from_value(value) {
                        found.push(format!("{pointer}/{name} is no Kubernetes quantity: {e}"));
                    }
                }
            }
            None | Some(Value::Null) => {}
            Some(other) => found.push(format!("{pointer} is {}, and has to be a map", told(other))),
        }
    }
    let variables = workload.pointer(&format!("{container}/env")).and_then(Value::as_array);
    for (i, variable) in variables.into_iter().flatten().enumerate() {
        let text = |field: &str| variable.get(field).is_none_or(|v| v.is_string() || v.is_null());
        if !(variable.is_object() && text("name") && text("value")) {
            let name = variable["name"].as_str().map(|n| format!(" ({n})")).unwrap_or_default();
            found.push(format!(
                "{container}/env/{i}{name} has a name or a value that is no text; quote it"
            ));
        }
    }
    found
}

/// What kind of value it is; of a map with something in it that is no text, under which keys.
fn told(value: &Value) -> String {
    let kind = match value {
        Value::Object(map) => {
            let odd = map.iter().filter(|(_, v)| !v.is_string() && !v.is_null());
            let keys: Vec<&str> = odd.map(|(k, _)| k.as_str()).collect();
            if !keys.is_empty() {
                return format!("a map with something else than text in {}", keys.join(", "));
            }
            "a map"
        }
        Value::Array(_) => "a list",
        Value::String(_) => "a text",
        Value::Number(_) => "a number",
        Value::Bool(_) => "true or false",
        Value::Null => "nothing",
    };
    kind.to_owned()
}

#[cfg(test)]
mod tests {
    use crate::value::{Value, json};

    use super::faults;

    fn workload() -> Value {
        json!({"spec": {"replicas": 2, "strategy": null, "template": {
            "metadata": {"annotations": {"a": "b"}},
            "spec": {"nodeSelector": {"disk": "fast"}, "affinity": {}, "tolerations": [{"operator": "Exists"}], "containers": [{
                "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {}}],
                "resources": {"limits": {"cpu": 0.5, "memory": "1e3"}, "requests": {}}}]}}}})
    }

    #[test]
    fn what_kubernetes_can_read_has_no_fault() {
        assert_eq!(faults(&workload()), [""; 0]);
    }

    #[test]
    fn each_wrong_type_is_told_with_its_place() {
        for (pointer, value) in [
            ("/spec/replicas", json!(1.5)),
            ("/spec/strategy", json!("Recreate")),
            ("/spec/template/metadata/annotations/a", json!(1)),
            ("/spec/template/spec/nodeSelector/disk", json!(true)),
            ("/spec/template/spec/affinity", json!([])),
            ("/spec/template/spec/tolerations", json!({"key": "a"})),
            ("/spec/template/spec/containers/0/resources", json!("small")),
            ("/spec/template/spec/containers/0/resources/limits", json!("small")),
            (
                "/spec/template/spec/containers/0/resources/limits/cpu",
                json!("2 cores"),
            ),
            ("/spec/template/spec/containers/0/env/0/value", json!(80)),
            ("/spec/template/spec/containers/0/env/0/name", json!(true)),
            ("/spec/template/spec/containers/0/env/0", json!(["A"])),
            ("/spec/template/spec/containers/0/env/0", json!("A=1")),
        ] {
            let mut wrong = workload();
            *wrong.pointer_mut(pointer).unwrap() = value;
            let found = faults(&wrong);
            let parent = pointer.rsplit_once('/').unwrap().0;
            assert!(found.len() == 1 && found[0].contains(parent), "{pointer}: {found:?}");
        }
    }

    #[test]
    fn what_stands_there_is_told_by_its_kind() {
        for (value, kind) in [
            (json!({"key": "a", "b": null}), "a map"),
            (
                json!({"key": "a", "b": 1, "c": {}, "d": null}),
                "a map with something else than text in b, c",
            ),
            (json!("a"), "a text"),
            (json!(1), "a number"),
            (json!(false), "true or false"),
        ] {
            let mut wrong = workload();
            *wrong.pointer_mut("/spec/template/spec/tolerations").unwrap() = value;
            let want = format!("/spec/template/spec/tolerations is {kind}, and has to be a list of maps");
            assert_eq!(faults(&wrong), [want]);
        }
        let mut wrong = workload();
        *wrong.pointer_mut("/spec/template/spec/affinity").unwrap() = json!([]);
        assert_eq!(
            faults(&wrong),
            ["/spec/template/spec/affinity is a list, and has to be a map"]
        );
    }
}
