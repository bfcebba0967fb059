//! Workloads: objects that make pods.

use serde_json::Value;

use super::object::{Object, at};

/// The kinds whose pods go on running. Jobs and CronJobs make pods too but none that serves.
pub const SERVING_KINDS: [&str; 6] = [
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "Pod",
    "ReplicationController",
];

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

/// The replicas a workload asks for: `None` where the field is absent (one, or an autoscaler's).
pub fn replicas(object: &Object) -> Option<i64> {
    object.at(&["spec", "replicas"]).and_then(Value::as_i64)
}

/// The labels by which a workload finds its pods; immutable once created (apps/v1).
pub fn match_labels(object: &Object) -> Option<&Value> {
    object.at(&["spec", "selector", "matchLabels"])
}
