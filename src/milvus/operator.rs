//! The Milvus operator: what it keeps, and the resources it is told by. What is changed in an object that it keeps it
//! writes back from its own resource.
//!
//! Source: milvus-operator a6dcc6386adf, `apis/milvus.io` (group and kinds) and `pkg/controllers` (labels and owner
//! references of what it makes).

use crate::kube::object::{group, text_at};
use crate::kube::{Object, workload};
use crate::value::{Map, Value};

/// The API group of its resources.
const GROUP: &str = "milvus.io";

/// The resources that make Milvus run: today's, that of v1alpha1, and the upgrade of one.
const KINDS: [&str; 3] = ["Milvus", "MilvusCluster", "MilvusUpgrade"];

/// What it writes into `app.kubernetes.io/managed-by`.
const MANAGER: &str = "milvus-operator";

/// The resource by which the operator keeps a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// `Milvus`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// The resource by which the operator keeps a workload: its owner, else, where only the label says it, a `Milvus` named
/// as the instance. `None` for what the operator does not keep. The operator's own Deployment runs no Milvus; whether
/// an object does is for the caller to know.
#[must_use]
pub fn kept(object: &Object) -> Option<Kept> {
    let owners = object.at(&["metadata", "ownerReferences"]).and_then(Value::as_array);
    let owner = owners.into_iter().flatten().find(|owner| is_owner(owner));
    if let Some(owner) = owner {
        return Some(Kept {
            kind: text_at(owner, &["kind"]).unwrap_or_default().to_owned(),
            name: text_at(owner, &["name"]).unwrap_or_default().to_owned(),
        });
    }
    if label(object, "app.kubernetes.io/managed-by") != Some(MANAGER) {
        return None;
    }
    Some(Kept {
        kind: KINDS[0].to_owned(),
        name: label(object, "app.kubernetes.io/instance")
            .unwrap_or_default()
            .to_owned(),
    })
}

fn is_owner(owner: &Value) -> bool {
    let version = text_at(owner, &["apiVersion"]).unwrap_or_default();
    group(version) == GROUP && text_at(owner, &["kind"]).is_some_and(|kind| KINDS.contains(&kind))
}

/// Leaves of the owners in an object's metadata only the operator's resource, without the server's identifiers.
pub fn owners(metadata: &mut Map) {
    let Some(Value::Array(mut owners)) = metadata.remove("ownerReferences") else {
        return;
    };
    owners.retain(is_owner);
    for owner in owners.iter_mut().filter_map(Value::as_object_mut) {
        owner.retain(|key, _| matches!(key.as_str(), "apiVersion" | "kind" | "name"));
    }
    if !owners.is_empty() {
        metadata.insert("ownerReferences".into(), owners.into());
    }
}

/// Whether an object is one of the resources by which the operator is told to run Milvus.
#[must_use]
pub fn is_resource(object: &Object) -> bool {
    let reference = &object.reference;
    group(&reference.api_version) == GROUP && KINDS.contains(&reference.kind.as_str())
}

fn label<'a>(object: &'a Object, key: &str) -> Option<&'a str> {
    let pods = workload::pod_labels(object).and_then(|labels| text_at(labels, &[key]));
    object.label(key).or(pods)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    fn object(value: Value) -> Object {
        Object::all_in(0, value).unwrap().remove(0)
    }

    fn deployment(metadata: Value) -> Object {
        object(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}))
    }

    #[test]
    fn an_owner_or_the_label_tells() {
        let owner = |version: &str, kind: &str| {
            let owners = json!([{"apiVersion": version, "kind": kind, "name": "vectors", "controller": true}]);
            kept(&deployment(
                json!({"name": "vectors-milvus-proxy", "ownerReferences": owners}),
            ))
        };
        for (version, kind) in [("milvus.io/v1beta1", "Milvus"), ("milvus.io/v1alpha1", "MilvusCluster")] {
            let want = Kept {
                kind: kind.into(),
                name: "vectors".into(),
            };
            assert_eq!(owner(version, kind), Some(want));
        }
        assert_eq!(owner("corp.example/v1", "Milvus"), None);
        assert_eq!(owner("apps/v1", "ReplicaSet"), None);
        let labelled = |by: &str| {
            let labels = json!({"app.kubernetes.io/instance": "vectors", "app.kubernetes.io/managed-by": by});
            kept(&deployment(json!({"name": "a", "labels": labels}))).map(|k| k.name)
        };
        assert_eq!(labelled("milvus-operator"), Some("vectors".into()));
        assert_eq!(labelled("Helm"), None);
    }

    #[test]
    fn its_resources_are_told_by_group_and_kind() {
        let is = |version: &str, kind: &str| {
            is_resource(&object(
                json!({"apiVersion": version, "kind": kind, "metadata": {"name": "a"}}),
            ))
        };
        assert!(is("milvus.io/v1beta1", "Milvus") && is("milvus.io/v1beta1", "MilvusUpgrade"));
        assert!(!is("milvus.io/v1beta1", "Other") && !is("corp.example/v1", "Milvus"));
    }
}
