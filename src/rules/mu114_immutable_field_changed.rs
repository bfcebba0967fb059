//! MU114: a field that the API server does not change on an object that exists.
//!
//! Which fields these are is the API server's validation of updates (kubernetes `pkg/apis/*/validation`).

use std::sync::Arc;

use super::case::Case;
use super::{Check, Rule, steps};
use crate::finding::{Finding, Severity};
use crate::kube::Object;
use crate::kube::named::Named;
use crate::kube::object::escape;
use crate::kube::quantity::Quantity;
use crate::report::mask;
use crate::rewrite::values::printed;
use crate::value::{Value, json};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU114",
    name: "immutable-field-changed",
    severity: Severity::Refuse,
    says: "a selector or another field that the API server will not change on an existing object",
    page: include_str!("../../docs/rules/MU114.md"),
    check: Check::Release(check),
};

/// Kinds, a field of theirs, and how it is compared.
const FIELDS: &[(&[&str], &str, How)] = &[
    (
        &["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"],
        "/spec/selector",
        How::WhereBothSay,
    ),
    (&["StatefulSet"], "/spec/serviceName", How::Whole),
    (
        &["StatefulSet"],
        "/spec/podManagementPolicy",
        How::Default("OrderedReady"),
    ),
    (&["StatefulSet"], "/spec/volumeClaimTemplates", How::Whole),
    (&["Job"], "/spec/template", How::Finished),
    (&["PersistentVolumeClaim"], "/spec", How::Claim),
    (&["Service"], "/spec/clusterIP", How::ClusterIp),
    (&["Service"], "/spec/loadBalancerClass", How::WhereBothSay),
    (&["RoleBinding", "ClusterRoleBinding"], "/roleRef", How::Whole),
    (&["ConfigMap", "Secret"], "/data", How::WhereFrozen),
    (&["ConfigMap", "Secret"], "/binaryData", How::WhereFrozen),
    (&["ConfigMap", "Secret"], "/immutable", How::WhereFrozen),
    (&["Secret"], "/type", How::Default("Opaque")),
    (&["StorageClass"], "/provisioner", How::Whole),
    (&["StorageClass"], "/parameters", How::Whole),
    (&["StorageClass"], "/reclaimPolicy", How::Default("Delete")),
    (&["StorageClass"], "/volumeBindingMode", How::Default("Immediate")),
    (&["PriorityClass"], "/value", How::WhereBothSay),
    (&["IngressClass"], "/spec/controller", How::WhereBothSay),
];

/// How a field is compared.
#[derive(Clone, Copy)]
enum How {
    /// Everything in it; what is absent is empty.
    Whole,
    /// Only where both sides have it.
    WhereBothSay,
    /// Absent means this.
    Default(&'static str),
    /// A Job that removes itself is gone before the next upgrade, unless it is seen live.
    Finished,
    /// A claim may grow.
    Claim,
    /// What the server gave stays where nothing is asked for.
    ClusterIp,
    /// Only of an object that says `immutable: true`.
    WhereFrozen,
}

/// What the server writes where a manifest says nothing; `None`: something that the manifest does not show.
const DEFAULTED: &[(&str, Option<&str>)] = &[
    ("apiGroup", Some("rbac.authorization.k8s.io")),
    ("apiVersion", Some("v1")),
    ("defaultMode", Some("420")),
    ("dnsPolicy", Some("ClusterFirst")),
    ("imagePullPolicy", None),
    ("kind", Some("PersistentVolumeClaim")),
    ("protocol", Some("TCP")),
    ("schedulerName", Some("default-scheduler")),
    ("serviceAccount", None),
    ("terminationGracePeriodSeconds", Some("30")),
    ("terminationMessagePath", Some("/dev/termination-log")),
    ("terminationMessagePolicy", Some("File")),
    ("volumeMode", Some("Filesystem")),
    ("volumeName", None),
];

/// `helm get manifest` shows an object also after it was taken away by hand.
const AGAIN: &str = "then upgrade with --allow MU114, or with a --current that kubectl shows and that lacks it";

/// What the server keeps of its own in an object.
const SERVER_OWNED: [&str; 6] = [
    "creationTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "status",
    "uid",
];

fn check(case: &Case) -> Vec<Finding> {
    let Some(before) = case.before else { return vec![] };
    // Objects are no release's own: one looks at all of them.
    if !case.leads {
        return vec![];
    }
    let deployed = Named::of(before.objects.iter().filter(|o| !o.is_hook()));
    let mut found = Vec::new();
    for proposed in case
        .after
        .objects
        .iter()
        .filter(|o| !o.is_hook() && !o.reference.name.is_empty())
    {
        let Some(current) = deployed.same(&proposed.reference).next() else {
            continue;
        };
        if Arc::ptr_eq(&current.value, &proposed.value) {
            continue;
        }
        for (kinds, field, how) in FIELDS {
            if kinds.contains(&proposed.reference.kind.as_str())
                && let Some(pointer) = changed(current, proposed, field, *how)
            {
                found.push(finding(case, current, proposed, field, &pointer));
            }
        }
    }
    found
}

/// A pointer to the first place at which a field differs and may not.
fn changed(current: &Object, proposed: &Object, field: &str, how: How) -> Option<String> {
    let live = is_live(current);
    let old = current.value.pointer(field).unwrap_or(&Value::Null);
    let new = proposed.value.pointer(field).unwrap_or(&Value::Null);
    // Most fields are what they were.
    if old == new {
        return None;
    }
    let differs = || difference(old, new, live, field, field.rsplit('/').next().unwrap_or_default());
    let text = |v: &Value, default: &str| {
        printed(v)
            .filter(|t| !t.is_empty())
            .unwrap_or_else(|| default.to_owned())
    };
    match how {
        How::Whole => differs(),
        How::WhereBothSay if is_empty("", old) || is_empty("", new) => None,
        How::WhereBothSay => difference(old, new, false, field, ""),
        How::Default(default) => (text(old, default) != text(new, default)).then(|| field.to_owned()),
        How::Finished => {
            let removes_itself = !current.value["spec"]["ttlSecondsAfterFinished"].is_null();
            if removes_itself && !live { None } else { differs() }
        }
        How::Claim => claim(old, new, live),
        How::ClusterIp => cluster_ip(current, proposed, live).then(|| field.to_owned()),
        How::WhereFrozen if current.value["immutable"] == json!(true) => difference(old, new, false, field, ""),
        How::WhereFrozen => None,
    }
}

/// Whether an object was read from a cluster, with what the server adds.
fn is_live(object: &Object) -> bool {
    ["uid", "resourceVersion"]
        .iter()
        .any(|key| object.at(&["metadata", key]).is_some())
}

/// A claim's specification: the request may grow; what a live claim got from the server stays.
fn claim(old: &Value, new: &Value, live: bool) -> Option<String> {
    let bound = live || !old["volumeName"].is_null();
    let without = |v: &Value| {
        let mut v = v.clone();
        if let Some(map) = v.as_object_mut() {
            map.remove("resources");
            map.remove("volumeAttributesClassName");
        }
        v
    };
    let size = "/resources/requests/storage";
    let quantity = |v: &Value| v.pointer(size).and_then(|q| Quantity::from_value(q).ok());
    difference(&without(old), &without(new), bound, "/spec", "spec").or_else(|| {
        let smaller = matches!((quantity(old), quantity(new)), (Some(old), Some(new)) if new < old);
        smaller.then(|| format!("/spec{size}"))
    })
}

/// Whether a Service would get another address, or would become headless. Asked for nothing, the server keeps the
/// address; to and from ExternalName it may change.
fn cluster_ip(current: &Object, proposed: &Object, live: bool) -> bool {
    let text = |o: &Object, key: &str| {
        o.at(&["spec", key])
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (old, new) = (text(current, "clusterIP"), text(proposed, "clusterIP"));
    if [current, proposed].iter().any(|o| text(o, "type") == "ExternalName") || new.is_empty() {
        return false;
    }
    // A manifest that asks for nothing got an address that only the cluster knows: an address given now may be that one.
    if old.is_empty() && !live {
        new == "None"
    } else {
        old != new
    }
}

/// A pointer to the first place at which two values differ as the server compares them. `lenient`: what only `old` has
/// may come from the server.
fn difference(old: &Value, new: &Value, lenient: bool, at: &str, key: &str) -> Option<String> {
    if SERVER_OWNED.contains(&key) {
        return None;
    }
    match (is_empty(key, old), is_empty(key, new)) {
        (true, true) => return None,
        (false, true) if lenient && key != "matchLabels" => return None,
        (true, false) => return (!is_default(key, new)).then(|| at.to_owned()),
        (false, true) => return (!is_default(key, old)).then(|| at.to_owned()),
        _ => {}
    }
    match (old, new) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = b.keys().chain(a.keys().filter(|k| !b.contains_key(k)));
            keys.into_iter().find_map(|k| {
                difference(
                    a.get(k).unwrap_or(&Value::Null),
                    b.get(k).unwrap_or(&Value::Null),
                    lenient,
                    &format!("{at}/{}", escape(k)),
                    k,
                )
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            pairs.find_map(|(i, (a, b))| difference(a, b, lenient, &format!("{at}/{i}"), ""))
        }
        (a, b) if same_scalar(a, b, at) => None,
        _ => Some(at.to_owned()),
    }
}

/// Absent, or what the server drops. An empty storage class is a choice.
fn is_empty(key: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(s) => s.is_empty() && key != "storageClassName",
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().zip(map.keys()).all(|(v, k)| is_empty(k, v)),
        Value::Number(_) | Value::Bool(true) => false,
    }
}

fn is_default(key: &str, value: &Value) -> bool {
    let row = DEFAULTED.iter().find(|(k, _)| *k == key);
    row.is_some_and(|(_, default)| default.is_none_or(|d| printed(value).as_deref() == Some(d)))
}

/// Whether two scalars are one value: quantities by size, texts but for blank space, which Helm 4 adds to folded texts
/// on their way to a post-renderer (hosts.md 2.9).
fn same_scalar(a: &Value, b: &Value, at: &str) -> bool {
    let (Some(x), Some(y)) = (printed(a), printed(b)) else {
        return false;
    };
    let amount = at.contains("/resources/") || at.ends_with("/sizeLimit");
    let same_amount = || matches!((Quantity::from_value(a), Quantity::from_value(b)), (Ok(p), Ok(q)) if p == q);
    x == y || x.split_whitespace().eq(y.split_whitespace()) || (amount && same_amount())
}

fn finding(case: &Case, current: &Object, proposed: &Object, field: &str, pointer: &str) -> Finding {
    let kind = proposed.reference.kind.as_str();
    let shown = |object: &Object| {
        let value = object.value.pointer(pointer).cloned().unwrap_or(Value::Null);
        mask::value(kind, pointer, &value)
    };
    let (old, new) = (shown(current), shown(proposed));
    let short = |v: &Value| match v {
        Value::Null => "nothing".to_owned(),
        v => Some(v.to_string())
            .filter(|t| t.len() <= 100)
            .unwrap_or_else(|| "another value".into()),
    };
    let values = match kind {
        "Secret" | "ConfigMap" => String::new(),
        _ => format!(" from {} to {}", short(&old), short(&new)),
    };
    let message = format!(
        "{} exists, and {pointer} would change{values}: the API server refuses that, and Helm stops there with a part of the objects applied",
        proposed.reference
    );
    let place = if proposed.value.pointer(pointer).is_some() {
        pointer
    } else {
        field
    };
    RULE.finding(message, help(case, proposed, field))
        .on(&proposed.reference)
        .field(pointer, old, new)
        .at(
            case.after.input,
            proposed.document,
            format!("{}{place}", proposed.pointer),
        )
}

fn help(case: &Case, object: &Object, field: &str) -> String {
    let namespace = match object.reference.namespace.as_str() {
        "" => steps::namespace(case),
        namespace => namespace,
    };
    let kind = object.reference.kind.to_ascii_lowercase();
    let name = &object.reference.name;
    let delete = |flags: &str| format!("kubectl delete {kind} {name} --namespace {namespace}{flags}");
    match kind.as_str() {
        "statefulset" => format!(
            "keep the value that is deployed; or make the StatefulSet anew, its pods and claims stay: {}\n\
             {AGAIN}",
            delete(" --cascade=orphan")
        ),
        "job" => format!(
            "a Job that is done can go, the upgrade makes it anew: {}\n{AGAIN}",
            delete("")
        ),
        "persistentvolumeclaim" => "keep the specification that is deployed; a claim can only grow, and to move its data needs a claim of another name".into(),
        "deployment" | "daemonset" | "replicaset" => format!(
            "keep the labels that are deployed (nameOverride, fullnameOverride, the chart's name, labels); \
             or make it anew, its pods stop until the upgrade has started the new ones: {}\n\
             {AGAIN}",
            delete("")
        ),
        "storageclass" | "clusterrolebinding" | "priorityclass" | "ingressclass" => {
            format!("keep what is deployed ({field}), or make it anew: kubectl delete {kind} {name}, {AGAIN}")
        }
        _ => format!("keep what is deployed ({field}), or make it anew: {}, {AGAIN}", delete("")),
    }
}

#[cfg(test)]
mod tests;
