//! Workloads: objects that make pods.

use super::object::{Object, at, text_at};
use crate::value::Value;

/// The kinds whose pods go on running. Jobs and CronJobs make pods too but none that serves.
pub const SERVING_KINDS: [&str; 8] = [
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "Pod",
    "ReplicationController",
    "CloneSet",
    "Rollout",
];

/// Whether an object is of a kind whose pods go on running.
pub fn serves(object: &Object) -> bool {
    SERVING_KINDS.contains(&object.reference.kind.as_str())
}

/// The kinds whose pods do a task and end.
pub const TASK_KINDS: [&str; 2] = ["Job", "CronJob"];

/// The path from an object's root to its pod spec's owner (`template`, or the object itself for a Pod).
pub fn template_pointer(kind: &str) -> Option<&'static str> {
    match kind {
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "ReplicationController" | "Job" => {
            Some("/spec/template")
        }
        "CronJob" => Some("/spec/jobTemplate/spec/template"),
        "Pod" => Some(""),
        // Forks run Milvus in workloads of other controllers (OpenKruise CloneSet, Argo Rollout): same shape.
        "CloneSet" | "Rollout" => Some("/spec/template"),
        _ => None,
    }
}

/// The pod template of a workload: `None` for objects that make no pods.
pub fn template(object: &Object) -> Option<&Value> {
    object.value.pointer(template_pointer(&object.reference.kind)?)
}

/// The ConfigMaps and claims that the volumes of a pod template name, as kind and name.
pub fn mounts(template: &Value) -> Vec<(&'static str, &str)> {
    const SOURCES: [(&str, &str, &str); 2] = [
        ("configMap", "name", "ConfigMap"),
        ("persistentVolumeClaim", "claimName", "PersistentVolumeClaim"),
    ];
    let volumes = at(template, &["spec", "volumes"]).and_then(Value::as_array);
    let mut found = Vec::new();
    for volume in volumes.into_iter().flatten() {
        for (source, field, kind) in SOURCES {
            found.extend(text_at(volume, &[source, field]).map(|name| (kind, name)));
        }
    }
    found
}

/// The objects without which the pods of a template do not start, as kind and name: what volumes and variables name, the
/// account, the secrets to pull images with.
pub fn needs(template: &Value) -> Vec<(&'static str, &str)> {
    let mut found = Vec::new();
    if let Some(spec) = template.get("spec") {
        named(spec, &mut found);
    }
    found
}

fn named<'v>(value: &'v Value, found: &mut Vec<(&'static str, &'v str)>) {
    match value {
        Value::Array(items) => items.iter().for_each(|v| named(v, found)),
        Value::Object(map) => {
            for (key, inner) in map {
                let name = |field: &str| inner.get(field).and_then(Value::as_str);
                let one = match key.as_str() {
                    "configMap" | "configMapRef" | "configMapKeyRef" => name("name").map(|n| ("ConfigMap", n)),
                    "secret" => name("secretName").or_else(|| name("name")).map(|n| ("Secret", n)),
                    "secretRef" | "secretKeyRef" => name("name").map(|n| ("Secret", n)),
                    "persistentVolumeClaim" => name("claimName").map(|n| ("PersistentVolumeClaim", n)),
                    "serviceAccountName" => inner.as_str().map(|n| ("ServiceAccount", n)),
                    _ => None,
                };
                found.extend(one);
                if key == "imagePullSecrets" {
                    let names = inner.as_array().into_iter().flatten();
                    found.extend(names.filter_map(|v| text_at(v, &["name"])).map(|n| ("Secret", n)));
                }
                named(inner, found);
            }
        }
        _ => {}
    }
}

/// The labels of the pods a workload makes.
pub fn pod_labels(object: &Object) -> Option<&Value> {
    at(template(object)?, &["metadata", "labels"])
}

/// The containers of a pod template with their pointers inside the object; init containers left out.
pub fn containers(object: &Object) -> Vec<(String, &Value)> {
    let Some(base) = template_pointer(&object.reference.kind) else {
        return vec![];
    };
    let list = object
        .value
        .pointer(&format!("{base}/spec/containers"))
        .and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .enumerate()
        .map(|(i, c)| (format!("{base}/spec/containers/{i}"), c))
        .collect()
}

/// Whether a workload was made by another one (a Pod, the ReplicaSet of a Deployment, the Job of a CronJob), as a List of
/// live objects shows them beside it: it is that one's, and no workload of its own.
pub fn is_made(object: &Object) -> bool {
    let owners = object.at(&["metadata", "ownerReferences"]).and_then(Value::as_array);
    let maker = |owner: &Value| {
        let kind = owner["kind"].as_str().unwrap_or_default();
        SERVING_KINDS.contains(&kind) || TASK_KINDS.contains(&kind)
    };
    owners.into_iter().flatten().any(maker)
}

/// Whether a Job or a Pod has come to its end; its image says what ran once.
pub fn is_finished(object: &Object) -> bool {
    let ended = |at: &[&str]| object.at(at).is_some_and(|v| !v.is_null());
    let conditions = object.at(&["status", "conditions"]).and_then(Value::as_array);
    let over = |c: &Value| (c["type"] == "Failed" || c["type"] == "Complete") && c["status"] == "True";
    match object.reference.kind.as_str() {
        "Job" => ended(&["status", "completionTime"]) || conditions.into_iter().flatten().any(over),
        "Pod" => matches!(
            object.at(&["status", "phase"]).and_then(Value::as_str),
            Some("Succeeded" | "Failed")
        ),
        _ => false,
    }
}

/// The replicas a workload asks for: `None` where the field is absent (one, or an autoscaler's).
pub fn replicas(object: &Object) -> Option<i64> {
    object.at(&["spec", "replicas"]).and_then(Value::as_i64)
}

/// The labels by which a workload finds its pods; immutable once created (apps/v1).
pub fn match_labels(object: &Object) -> Option<&Value> {
    object.at(&["spec", "selector", "matchLabels"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    #[test]
    fn what_pods_need_to_start() {
        let template = json!({"metadata": {"labels": {"configMap": "no"}}, "spec": {
            "serviceAccountName": "account", "imagePullSecrets": [{"name": "registry"}],
            "containers": [{"name": "c", "envFrom": [{"configMapRef": {"name": "env"}}],
                "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "key", "key": "k"}}}]}],
            "volumes": [{"name": "a", "configMap": {"name": "conf"}}, {"name": "b", "secret": {"secretName": "cert"}},
                {"name": "c", "persistentVolumeClaim": {"claimName": "disk"}},
                {"name": "d", "projected": {"sources": [{"secret": {"name": "token"}}, {"configMap": {"name": "ca"}}]}}]}});
        let mut found = needs(&template);
        found.sort_unstable();
        let wanted = [
            ("ConfigMap", "ca"),
            ("ConfigMap", "conf"),
            ("ConfigMap", "env"),
            ("PersistentVolumeClaim", "disk"),
            ("Secret", "cert"),
            ("Secret", "key"),
            ("Secret", "registry"),
            ("Secret", "token"),
            ("ServiceAccount", "account"),
        ];
        assert_eq!(found, wanted);
        assert_eq!(
            mounts(&template),
            [("ConfigMap", "conf"), ("PersistentVolumeClaim", "disk")]
        );
    }
}
