//! What stands in an object beside what somebody asked for: the bookkeeping of hosts, fields of the API server and its
//! controllers, defaults it filled in.
//!
//! Defaults and assigned fields: kubernetes.io/docs/reference/kubernetes-api. A default is passed over only with the very
//! value the server fills in, and only where the other side says nothing: it would fill in the same again.

use crate::host::FILENAME;
use crate::kube::delta::LIVE_ANNOTATIONS;
use crate::value::{Map, Value, json};

/// Fields that mean the same empty as left out.
const EMPTY: &[&str] = &[
    "annotations",
    "labels",
    "initContainers",
    "env",
    "envFrom",
    "ports",
    "volumes",
    "volumeMounts",
    "resources",
    "limits",
    "requests",
    "nodeSelector",
    "affinity",
    "tolerations",
    "securityContext",
    "imagePullSecrets",
    "topologySpreadConstraints",
    "hostAliases",
    "ownerReferences",
    "finalizers",
    "data",
    "binaryData",
    "stringData",
];

/// Annotations and labels that controllers put on live objects, by the start of their key.
const CONTROLLERS: &[&str] = &[
    "pv.kubernetes.io/",
    "volume.kubernetes.io/",
    "volume.beta.kubernetes.io/",
    "batch.kubernetes.io/",
    "controller-uid",
    "job-name",
    "kubectl.kubernetes.io/restartedAt",
    "argocd.argoproj.io/tracking-id",
];

/// Fields a controller or the server assigns, whatever their value: kind (any where empty) and path of keys.
const ASSIGNED: &[(&str, &str)] = &[
    ("", "status"),
    ("Service", "spec/clusterIP"),
    ("Service", "spec/clusterIPs"),
    ("Service", "spec/ipFamilies"),
    ("Service", "spec/ipFamilyPolicy"),
    ("Service", "spec/healthCheckNodePort"),
    ("Service", "spec/ports/nodePort"),
    ("PersistentVolumeClaim", "spec/volumeName"),
    ("PersistentVolumeClaim", "spec/storageClassName"),
    ("StatefulSet", "spec/volumeClaimTemplates/status"),
    ("StatefulSet", "spec/volumeClaimTemplates/apiVersion"),
    ("StatefulSet", "spec/volumeClaimTemplates/kind"),
    ("Job", "spec/selector"),
    ("Job", "spec/manualSelector"),
    ("ServiceAccount", "secrets"),
];

/// Whether a value that only one side has is nothing that anybody asked for. `path` are the keys that lead to it, without
/// list items; `parent` is the map it stands in, `live` whether its side was read from a server.
pub fn is_nothing(kind: &str, path: &[String], value: &Value, parent: Option<&Map>, live: bool) -> bool {
    let Some(key) = path.last() else { return false };
    let empty = match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty() && EMPTY.contains(&key.as_str()),
        Value::Array(list) => list.is_empty() && EMPTY.contains(&key.as_str()),
        _ => false,
    };
    if empty || is_bookkeeping(path, value) {
        return true;
    }
    if !live {
        return false;
    }
    if is_servers(kind, path, value, parent) {
        return true;
    }
    match value.as_object().filter(|map| !map.is_empty()) {
        Some(map) => map.iter().all(|(k, v)| {
            let mut path = path.to_vec();
            path.push(k.to_string());
            is_nothing(kind, &path, v, Some(map), live)
        }),
        None => false,
    }
}

/// The annotation by which Helm 4 knows a document's template, and annotations that hold nothing else.
fn is_bookkeeping(path: &[String], value: &Value) -> bool {
    let alone = |map: &Map| map.len() == 1 && map.contains_key(FILENAME);
    (in_metadata(path, "annotations") && path.last().is_some_and(|key| key == FILENAME))
        || (matches!(path, [metadata, annotations] if metadata == "metadata" && annotations == "annotations")
            && value.as_object().is_some_and(alone))
}

fn in_metadata(path: &[String], field: &str) -> bool {
    path.len() >= 3 && path[path.len() - 2] == field && path[path.len() - 3] == "metadata"
}

fn is_servers(kind: &str, path: &[String], value: &Value, parent: Option<&Map>) -> bool {
    let key = path.last().map_or("", String::as_str);
    if in_metadata(path, "annotations") || in_metadata(path, "labels") {
        let managed = key == "app.kubernetes.io/managed-by" && value == "Helm" && path[0] == "metadata";
        let controllers = CONTROLLERS.iter().any(|start| key.starts_with(start));
        return managed || controllers || LIVE_ANNOTATIONS.contains(&key);
    }
    if path.len() == 2 && path[0] == "metadata" && !matches!(key, "labels" | "annotations") {
        return true;
    }
    let joined = path.join("/");
    let of_kind = |k: &str| k.is_empty() || k == kind;
    // A Service without an address is one that somebody asked for.
    let asked = joined == "spec/clusterIP" && value == "None";
    ASSIGNED
        .iter()
        .any(|(k, field)| of_kind(k) && *field == joined && !asked)
        || (path[0] != "data" && is_default(kind, path, value, parent))
}

/// Fields that the server leaves out where they hold nothing: false, zero, an empty text.
const DROPPED: &[&str] = &[
    "value",
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "stdin",
    "stdinOnce",
    "tty",
    "readOnly",
    "paused",
    "minReadySeconds",
    "initialDelaySeconds",
    "hostPort",
    "hostIP",
    "subPath",
    "subPathExpr",
    "workingDir",
    "nodeName",
    "hostname",
    "subdomain",
    "priorityClassName",
    "medium",
    "publishNotReadyAddresses",
    "nodePort",
    "clusterIP",
    "loadBalancerIP",
    "externalName",
];

/// Whether a value says nothing that a live object would show: the server does not keep it.
/// Source: the `omitempty` fields of kubernetes.io/docs/reference/kubernetes-api that are no pointers.
pub fn is_dropped(path: &[String], value: &Value) -> bool {
    let Some(key) = path.last().filter(|_| path[0] == "spec") else {
        return false;
    };
    match value {
        Value::Array(list) => list.is_empty(),
        Value::Bool(false) => DROPPED.contains(&key.as_str()),
        Value::String(text) => text.is_empty() && DROPPED.contains(&key.as_str()),
        Value::Number(n) => n.as_i64() == Some(0) && DROPPED.contains(&key.as_str()),
        _ => false,
    }
}

/// Whether a value is what the server fills in.
fn is_default(kind: &str, path: &[String], value: &Value, parent: Option<&Map>) -> bool {
    let key = path[path.len() - 1].as_str();
    let above = path.len().checked_sub(2).map_or("", |i| path[i].as_str());
    let sibling = |name: &str| parent.and_then(|p| p.get(name));
    let is = |wanted: Value| *value == wanted;
    let rolling = ["Deployment", "StatefulSet", "DaemonSet"].contains(&kind);
    match (above, key) {
        (_, "terminationMessagePath") => is(json!("/dev/termination-log")),
        (_, "terminationMessagePolicy") => is(json!("File")),
        (_, "imagePullPolicy") => is(json!(pull_policy(sibling("image")))),
        (_, "restartPolicy") => is(json!("Always")),
        (_, "terminationGracePeriodSeconds") => is(json!(30)),
        (_, "dnsPolicy") => is(json!("ClusterFirst")),
        (_, "schedulerName") => is(json!("default-scheduler")),
        (_, "enableServiceLinks") => is(json!(true)),
        // The name this field had before.
        (_, "serviceAccount") => sibling("serviceAccountName") == Some(value),
        ("ports", "protocol") => is(json!("TCP")),
        ("ports", "targetPort") => sibling("port") == Some(value),
        ("livenessProbe" | "readinessProbe" | "startupProbe", "timeoutSeconds" | "successThreshold") => is(json!(1)),
        ("livenessProbe" | "readinessProbe" | "startupProbe", "periodSeconds") => is(json!(10)),
        ("livenessProbe" | "readinessProbe" | "startupProbe", "failureThreshold") => is(json!(3)),
        ("httpGet", "scheme") => is(json!("HTTP")),
        ("fieldRef", "apiVersion") => is(json!("v1")),
        ("configMap" | "secret" | "projected" | "downwardAPI", "defaultMode") => is(json!(420)),
        ("hostPath", "type") => is(json!("")),
        ("volumes", "emptyDir") => is(json!({})),
        (_, "volumeMode") => is(json!("Filesystem")),
        ("spec", "revisionHistoryLimit") if rolling => is(json!(10)),
        ("spec", "progressDeadlineSeconds") if kind == "Deployment" => is(json!(600)),
        ("spec", "replicas") if rolling && path.len() == 2 => is(json!(1)),
        ("strategy" | "updateStrategy", "type") => is(json!("RollingUpdate")),
        ("rollingUpdate", "maxSurge" | "maxUnavailable") if kind == "Deployment" => is(json!("25%")),
        ("rollingUpdate", "partition" | "maxSurge") => is(json!(0)),
        ("rollingUpdate", "maxUnavailable") => is(json!(1)),
        ("spec", "podManagementPolicy") => is(json!("OrderedReady")),
        ("persistentVolumeClaimRetentionPolicy", "whenDeleted" | "whenScaled") => is(json!("Retain")),
        ("spec", "sessionAffinity") => is(json!("None")),
        ("spec", "type") if kind == "Service" => is(json!("ClusterIP")),
        ("spec", "internalTrafficPolicy" | "externalTrafficPolicy") => is(json!("Cluster")),
        ("spec", "allocateLoadBalancerNodePorts") => is(json!(true)),
        ("spec", "backoffLimit") if kind == "Job" => is(json!(6)),
        ("spec", "completions" | "parallelism") if kind == "Job" => is(json!(1)),
        ("spec", "completionMode") => is(json!("NonIndexed")),
        ("spec", "podReplacementPolicy") => is(json!("TerminatingOrFailed")),
        ("spec", "suspend") if matches!(kind, "Job" | "CronJob") => is(json!(false)),
        ("spec", "concurrencyPolicy") => is(json!("Allow")),
        ("spec", "successfulJobsHistoryLimit") => is(json!(3)),
        ("spec", "failedJobsHistoryLimit") => is(json!(1)),
        ("spec", "policyTypes") => is(json!(["Ingress"])),
        _ => false,
    }
}

/// What the server fills in for an image.
fn pull_policy(image: Option<&Value>) -> &'static str {
    let image = image.and_then(Value::as_str).unwrap_or_default();
    let name = image.rsplit('/').next().unwrap_or_default();
    match name.contains('@') || name.split_once(':').is_some_and(|(_, tag)| tag != "latest") {
        true => "IfNotPresent",
        false => "Always",
    }
}

/// Whether a default is one that people look for: a volume without a source looks broken, a workload without a number of
/// replicas like one that is scaled by something else.
fn is_expected(path: &[String], value: &Value) -> bool {
    match path {
        [spec, replicas] => spec == "spec" && replicas == "replicas" && !value.is_null(),
        [.., volumes, source] => volumes == "volumes" && source == "emptyDir",
        _ => false,
    }
}

/// A value that only one side has, without bookkeeping, and on a live side without what nobody asked for.
pub fn asked_for(kind: &str, path: &mut Vec<String>, value: &Value, live: bool) -> Value {
    match value {
        Value::Object(map) => {
            let mut out = Map::new();
            for (key, inner) in map {
                path.push(key.to_string());
                let leaves = match live {
                    true => is_nothing(kind, path, inner, Some(map), live) && !is_expected(path, inner),
                    false => is_bookkeeping(path, inner),
                };
                if !leaves {
                    out.insert(key.clone(), asked_for(kind, path, inner, live));
                }
                path.pop();
            }
            Value::Object(out)
        }
        Value::Array(items) => items.iter().map(|v| asked_for(kind, path, v, live)).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(kind: &str, path: &str, value: Value, live: bool) -> bool {
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        is_nothing(kind, &path, &value, None, live)
    }

    #[test]
    fn defaults_count_only_with_the_servers_value_and_on_a_live_side() {
        let path = "spec.template.spec.terminationGracePeriodSeconds";
        assert!(nothing("Deployment", path, json!(30), true));
        assert!(!nothing("Deployment", path, json!(60), true));
        assert!(!nothing("Deployment", path, json!(30), false));
        let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}});
        assert!(nothing("Deployment", "spec.strategy", strategy, true));
        assert!(!nothing(
            "Deployment",
            "spec.strategy",
            json!({"type": "Recreate"}),
            true
        ));
        assert!(!nothing("ConfigMap", "data.replicas", json!("1"), true));
        assert!(!nothing("Deployment", "spec.replicas", json!(3), true));
    }

    #[test]
    fn server_fields_and_bookkeeping_are_nobodys_wish() {
        assert!(nothing("Service", "spec.clusterIP", json!("10.0.0.1"), true));
        assert!(nothing(
            "Pod",
            "metadata.managedFields",
            json!([{"manager": "helm"}]),
            true
        ));
        let helms = json!({"meta.helm.sh/release-name": "x"});
        assert!(nothing("Pod", "metadata.annotations", helms.clone(), true));
        assert!(!nothing("Pod", "metadata.annotations", helms, false));
        let path: Vec<String> = ["metadata", "annotations", FILENAME].map(str::to_owned).to_vec();
        assert!(is_nothing("Pod", &path, &json!("m/templates/x.yaml"), None, false));
        assert!(nothing("Pod", "metadata.annotations", json!({}), false));
        assert!(!nothing("NetworkPolicy", "spec.podSelector", json!({}), false));
    }

    #[test]
    fn what_the_server_does_not_keep_is_only_said_by_manifests() {
        let path = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
        let env = "spec.template.spec.containers.env.value";
        assert!(is_dropped(&path(env), &json!("")) && !is_dropped(&path(env), &json!("0")));
        assert!(is_dropped(&path("spec.template.spec.hostNetwork"), &json!(false)));
        // Pointers keep their zero, and the texts of a ConfigMap are nobody's to drop.
        assert!(!is_dropped(&path("spec.replicas"), &json!(0)));
        assert!(!is_dropped(
            &path("spec.template.spec.automountServiceAccountToken"),
            &json!(false)
        ));
        assert!(!is_dropped(&path("data.value"), &json!("")));
        assert!(!nothing("Service", "spec.clusterIP", json!("None"), true));
    }

    #[test]
    fn what_is_written_whole_is_as_people_write_it() {
        let spec = |value: Value| asked_for("Deployment", &mut vec!["spec".into()], &value, true);
        let pod = json!({"dnsPolicy": "ClusterFirst", "volumes": [{"name": "tools", "emptyDir": {}}]});
        let live = json!({"replicas": 1, "revisionHistoryLimit": 10, "template": {"spec": pod}});
        assert_eq!(
            spec(live),
            json!({"replicas": 1, "template": {"spec": {"volumes": [{"name": "tools", "emptyDir": {}}]}}})
        );
        assert_eq!(spec(json!({"replicas": null, "template": {}})), json!({"template": {}}));
    }

    #[test]
    fn the_pull_policy_follows_the_tag() {
        for (image, policy) in [
            ("milvusdb/milvus:v2.6.6", "IfNotPresent"),
            ("r:5000/milvus", "Always"),
            ("milvus:latest", "Always"),
            ("milvus@sha256:0123", "IfNotPresent"),
        ] {
            assert_eq!(pull_policy(Some(&json!(image))), policy, "{image}");
        }
    }
}
