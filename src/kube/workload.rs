//! Workloads: objects that make pods.

use serde_json::Value;

use super::object::{Object, at, reach};

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
    reach(&object.value, template_pointer(&object.reference.kind)?)
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
    let list = reach(&object.value, &format!("{base}/spec/containers")).and_then(Value::as_array);
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
