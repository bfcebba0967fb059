//! Objects read as the types of two Kubernetes versions: the oldest that is supported (`kubernetes` in
//! `src/facts/data/versions.yaml`) and the newest that k8s-openapi has.

use milvus_uplift::kube::object::escape;
use milvus_uplift::value::Value;
use serde::de::DeserializeOwned;
use serde_ignored::Path;

use super::Fault;

/// The two versions.
pub const VERSIONS: [Version; 2] = [Version::Oldest, Version::Newest];

/// A version of Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    Oldest,
    Newest,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Version::Oldest => "1.20",
            Version::Newest => "1.37",
        })
    }
}

/// What becomes of an object when it is read as a version's type.
#[derive(Debug, PartialEq)]
pub enum Reading {
    /// Its type took it; these fields it does not know, and these values it cannot be given.
    Read(Vec<Fault>),
    /// The version does not serve this kind in this API version; the other one does, or an older one did.
    NotServed,
    /// No part of Kubernetes: what it may hold is said by the definition of its controller.
    Custom,
    /// A kind that this table should have and has not.
    Unlisted,
}

/// What no Kubernetes from 1.16 on serves: whoever applies it has something between that takes it. It may be touched where
/// it came in like that, and never injected.
const RETIRED: [(&str, &str); 3] = [
    ("apps/v1beta1", "Deployment"),
    ("extensions/v1beta1", "Deployment"),
    ("extensions/v1beta1", "NetworkPolicy"),
];

/// Kinds whose types are their controllers'.
const CUSTOM: [&str; 6] = [
    "argoproj.io/",
    "monitoring.coreos.com/",
    "milvus.io/",
    "keda.sh/",
    "autoscaling.k8s.io/",
    "apps.kruise.io/",
];

type Reader = fn(&Value) -> Vec<Fault>;

macro_rules! readers {
    ($name:ident, $library:ident: $($api:literal { $($kind:ident),* } in $($module:ident)::+;)*) => {
        fn $name(api_version: &str, kind: &str) -> Option<Reader> {
            $({
                use $library::api::$($module)::+ as types;
                $(if (api_version, kind) == ($api, stringify!($kind)) {
                    return Some(read_as::<types::$kind>);
                })*
            })*
            None
        }
    };
}

readers! { oldest, k8s_oldest:
    "v1" { ConfigMap, Namespace, PersistentVolumeClaim, Pod, ReplicationController, Secret, Service, ServiceAccount } in core::v1;
    "apps/v1" { DaemonSet, Deployment, ReplicaSet, StatefulSet } in apps::v1;
    "batch/v1" { Job } in batch::v1;
    "batch/v1beta1" { CronJob } in batch::v1beta1;
    "autoscaling/v1" { HorizontalPodAutoscaler } in autoscaling::v1;
    "autoscaling/v2beta1" { HorizontalPodAutoscaler } in autoscaling::v2beta1;
    "autoscaling/v2beta2" { HorizontalPodAutoscaler } in autoscaling::v2beta2;
    "policy/v1beta1" { PodDisruptionBudget } in policy::v1beta1;
    "networking.k8s.io/v1" { Ingress, NetworkPolicy } in networking::v1;
    "networking.k8s.io/v1beta1" { Ingress } in networking::v1beta1;
    "extensions/v1beta1" { Ingress } in extensions::v1beta1;
    "rbac.authorization.k8s.io/v1" { ClusterRole, ClusterRoleBinding, Role, RoleBinding } in rbac::v1;
}

readers! { newest, k8s_newest:
    "v1" { ConfigMap, Namespace, PersistentVolumeClaim, Pod, ReplicationController, Secret, Service, ServiceAccount } in core::v1;
    "apps/v1" { DaemonSet, Deployment, ReplicaSet, StatefulSet } in apps::v1;
    "batch/v1" { CronJob, Job } in batch::v1;
    "autoscaling/v1" { HorizontalPodAutoscaler } in autoscaling::v1;
    "autoscaling/v2" { HorizontalPodAutoscaler } in autoscaling::v2;
    "policy/v1" { PodDisruptionBudget } in policy::v1;
    "networking.k8s.io/v1" { Ingress, NetworkPolicy } in networking::v1;
    "rbac.authorization.k8s.io/v1" { ClusterRole, ClusterRoleBinding, Role, RoleBinding } in rbac::v1;
}

/// Reads an object as the version's type for it.
pub fn read(version: Version, object: &Value) -> Reading {
    let text = |field: &str| object[field].as_str().unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let (own, other) = match version {
        Version::Oldest => (oldest(api_version, kind), newest(api_version, kind)),
        Version::Newest => (newest(api_version, kind), oldest(api_version, kind)),
    };
    match (own, other) {
        (Some(reader), _) => Reading::Read(reader(&with_quantities(object))),
        (None, Some(_)) => Reading::NotServed,
        _ if RETIRED.contains(&(api_version, kind)) => Reading::NotServed,
        _ if CUSTOM.iter().any(|group| api_version.starts_with(group)) => Reading::Custom,
        _ => Reading::Unlisted,
    }
}

/// The fields that a type does not know, each by its whole path, and the first value that it cannot be given.
fn read_as<T: DeserializeOwned>(object: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut unknown = |path: Path| faults.push(Fault::new(pointer(&path), "a field that the type does not have"));
    if let Some(error) = error::<T>(object, &mut unknown) {
        let at = misfit::<T>(object, &error);
        faults.push(Fault::new(at, error));
    }
    faults
}

/// Why a type cannot be made of an object. One kind of callback for all types: what they are made of is then compiled once.
fn error<T: DeserializeOwned>(object: &Value, unknown: &mut dyn FnMut(Path)) -> Option<String> {
    let read: Result<T, serde_json::Error> =
        serde_ignored::deserialize(serde_json::Value::from(object.clone()), unknown);
    read.err().map(|e| e.to_string())
}

fn pointer(path: &Path) -> String {
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}/{index}", pointer(parent)),
        Path::Map { parent, key } => format!("{}/{}", pointer(parent), escape(key)),
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => pointer(parent),
    }
}

/// Where the value stands that the type cannot be given: the deepest one without which all is well; where there are several,
/// without which the error is another.
fn misfit<T: DeserializeOwned>(object: &Value, error: &str) -> String {
    let mut at = String::new();
    loop {
        let children: Vec<String> = match object.pointer(&at) {
            Some(Value::Object(map)) => map.keys().map(|k| escape(k).into_owned()).collect(),
            Some(Value::Array(list)) => (0..list.len()).map(|i| i.to_string()).collect(),
            _ => return at,
        };
        let without = |child: &String| {
            let mut object = object.clone();
            match object.pointer_mut(&at) {
                Some(Value::Object(map)) => drop(map.remove(&child.replace("~1", "/").replace("~0", "~"))),
                Some(Value::Array(list)) => drop(list.remove(child.parse().expect("an index"))),
                _ => {}
            }
            self::error::<T>(&object, &mut |_| {})
        };
        let well = |c: &&String| without(c).is_none();
        let other = |c: &&String| without(c).as_deref() != Some(error);
        match children.iter().find(well).or_else(|| children.iter().find(other)) {
            Some(child) => at = format!("{at}/{child}"),
            None => return at,
        }
    }
}

/// The object with its quantities as texts: the API server takes numbers for them too, k8s-openapi's type does not.
fn with_quantities(object: &Value) -> Value {
    fn visit(value: &mut Value, below: &str) {
        match value {
            Value::Object(map) => {
                for (key, value) in map.iter_mut() {
                    let quantity = ["requests", "limits"].contains(&below)
                        || ["sizeLimit", "averageValue", "targetAverageValue", "divisor"].contains(&key.as_str());
                    match value {
                        Value::Number(n) if quantity => *value = Value::from(n.to_string()),
                        _ => visit(value, key),
                    }
                }
            }
            Value::Array(list) => list.iter_mut().for_each(|v| visit(v, below)),
            _ => {}
        }
    }
    let mut object = object.clone();
    visit(&mut object, "");
    object
}
