//! Objects of a manifest stream and their identity.

use std::sync::Arc;

use serde::Serialize;

use crate::value::Value;
pub use crate::value::pointer::escape;

/// Helm keeps an object with this annotation when the chart no longer renders it.
/// Source: helm.sh/docs/howto/charts_tips_and_tricks (resource policies).
pub const RESOURCE_POLICY: &str = "helm.sh/resource-policy";

/// What names an object in a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// Group and version, as written (`apps/v1`).
    pub api_version: String,
    /// Kind, as written (`Deployment`).
    pub kind: String,
    /// `metadata.namespace`; empty when the manifest leaves it to the client.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl ObjectRef {
    /// Whether both can name the same object: the API group counts, its version does not (`policy/v1beta1` and
    /// `policy/v1` are one resource), and a namespace left to the client agrees with any. What once was served by
    /// `extensions` is the same object in the group it moved to.
    pub fn same_object(&self, other: &ObjectRef) -> bool {
        self.kind == other.kind
            && self.name == other.name
            && resource_group(self) == resource_group(other)
            && namespaces_agree(&self.namespace, &other.namespace)
    }
}

impl std::fmt::Display for ObjectRef {
    /// `Deployment my-release-milvus-proxy (namespace default)`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.name)?;
        if !self.namespace.is_empty() {
            write!(f, " (namespace {})", self.namespace)?;
        }
        Ok(())
    }
}

/// The API group of an `apiVersion`; empty for the core group.
pub fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// The API group that holds a resource today. Source: the Kubernetes guide to deprecated API versions (1.16, 1.22).
pub fn resource_group(reference: &ObjectRef) -> &str {
    match (group(&reference.api_version), reference.kind.as_str()) {
        ("extensions", "Deployment" | "DaemonSet" | "ReplicaSet") => "apps",
        ("extensions", "Ingress" | "NetworkPolicy") => "networking.k8s.io",
        ("extensions", "PodSecurityPolicy") => "policy",
        (group, _) => group,
    }
}

/// Two namespaces agree when they are equal or one of them was left to the client.
pub fn namespaces_agree(a: &str, b: &str) -> bool {
    a.is_empty() || b.is_empty() || a == b
}

/// One object, and where in the stream it stands.
#[derive(Clone, Debug)]
pub struct Object {
    /// Index of the document that holds it.
    pub document: usize,
    /// JSON pointer inside that document: empty, or `/items/3` inside a List.
    pub pointer: String,
    /// Its identity.
    pub reference: ObjectRef,
    /// Its content as Kubernetes reads it. Shared: every step of a judgement holds all objects, and changes few.
    pub value: Arc<Value>,
}

/// Why a document is not an object, with a JSON pointer to the offending value.
#[derive(Debug, PartialEq, Eq)]
pub struct NotAnObject {
    /// What is wrong, with the value in it.
    pub message: String,
    /// Where, inside the document.
    pub pointer: String,
}

impl Object {
    /// The objects of one document: itself, or the items of a `kind: List` (also `…List` of typed items).
    ///
    /// Errors name the first thing Kubernetes' decoder would refuse: a root that is no mapping, a missing `kind`,
    /// `apiVersion` or `metadata.name`, a name, label or annotation that is not a string (hosts.md 1.13, T18).
    pub fn all_in(document: usize, value: Value) -> Result<Vec<Object>, NotAnObject> {
        let mut found = Vec::new();
        collect(document, String::new(), value, &mut found)?;
        Ok(found)
    }

    /// The object that a document is which holds this one and no List.
    ///
    /// # Errors
    /// As [`Object::all_in`].
    pub fn alone_in(document: usize, value: Arc<Value>) -> Result<Object, NotAnObject> {
        Ok(Object {
            reference: reference(&value, "")?,
            document,
            pointer: String::new(),
            value,
        })
    }

    /// `metadata.labels[key]`, where it is a string.
    pub fn label(&self, key: &str) -> Option<&str> {
        text_at(&self.value, &["metadata", "labels", key])
    }

    /// `metadata.annotations[key]`, where it is a string.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        text_at(&self.value, &["metadata", "annotations", key])
    }

    /// Whether Helm treats it as a hook, which is no part of the release's own objects.
    pub fn is_hook(&self) -> bool {
        self.annotation("helm.sh/hook").is_some()
    }

    /// Whether it outlives its removal from the chart (`helm.sh/resource-policy: keep`, Argo CD's `Prune=false`).
    pub fn is_kept(&self) -> bool {
        let keep = self
            .annotation(RESOURCE_POLICY)
            .is_some_and(|p| p.split(',').any(|w| w.trim() == "keep"));
        let prune = self
            .annotation("argocd.argoproj.io/sync-options")
            .is_some_and(|o| o.split(',').any(|w| w.trim() == "Prune=false"));
        keep || prune
    }

    /// The value at a path of keys, `None` where any step is missing.
    pub fn at(&self, path: &[&str]) -> Option<&Value> {
        at(&self.value, path)
    }
}

fn collect(document: usize, pointer: String, value: Value, found: &mut Vec<Object>) -> Result<(), NotAnObject> {
    if !is_list(&value) {
        found.push(Object {
            reference: reference(&value, &pointer)?,
            document,
            pointer,
            value: value.into(),
        });
        return Ok(());
    }
    let items = match value {
        Value::Object(mut map) => map.remove("items"),
        _ => None,
    };
    if let Some(Value::Array(items)) = items {
        for (i, item) in items.into_iter().enumerate() {
            collect(document, format!("{pointer}/items/{i}"), item, found)?;
        }
    }
    Ok(())
}

fn is_list(value: &Value) -> bool {
    let has = |key| value.entry(key).and_then(Value::as_str).is_some_and(|s| !s.is_empty());
    let list = text_at(value, &["kind"]).is_some_and(|kind| kind.ends_with("List"));
    list && has("apiVersion") && value.entry("items").is_some_and(Value::is_array)
}

/// What names the object that a value is.
fn reference(value: &Value, pointer: &str) -> Result<ObjectRef, NotAnObject> {
    let wrong = |message: String, at: &str| NotAnObject {
        message,
        pointer: format!("{pointer}{at}"),
    };
    let fail = |message: String, at: &str| Err(wrong(message, at));
    if !value.is_object() {
        return fail(
            format!("a Kubernetes object is a mapping, this is {}", describe(value)),
            "",
        );
    }
    let text = |key: &str| match value.entry(key) {
        Some(Value::String(s)) if !s.is_empty() => Ok(s.clone()),
        Some(Value::Null) | None => Err((format!("an object needs `{key}`, it is missing"), String::new())),
        Some(other) => Err((
            format!("`{key}` must be a non-empty string, it is {}", describe(other)),
            format!("/{key}"),
        )),
    };
    let kind = text("kind").map_err(|(m, p)| wrong(m, &p))?;
    let api_version = text("apiVersion").map_err(|(m, p)| wrong(m, &p))?;
    let metadata = match value.entry("metadata") {
        Some(metadata @ Value::Object(_)) => metadata,
        None | Some(Value::Null) => return fail(format!("{kind} has no `metadata`, an object needs a name"), ""),
        Some(other) => {
            return fail(
                format!("`metadata` must be a mapping, it is {}", describe(other)),
                "/metadata",
            );
        }
    };
    let name = match metadata.entry("name") {
        Some(Value::String(s)) if !s.is_empty() => s.to_string(),
        Some(Value::Null) | None if metadata.entry("generateName").is_some_and(Value::is_string) => String::new(),
        Some(Value::Null) | None => return fail(format!("{kind} has no `metadata.name`"), "/metadata"),
        Some(other) => {
            let message = format!(
                "`metadata.name` must be a non-empty string, it is {}: quote it",
                describe(other)
            );
            return fail(message, "/metadata/name");
        }
    };
    let namespace = match metadata.entry("namespace") {
        Some(Value::String(s)) => s.to_string(),
        None | Some(Value::Null) => String::new(),
        Some(other) => {
            let message = format!(
                "`metadata.namespace` must be a string, it is {}: quote it",
                describe(other)
            );
            return fail(message, "/metadata/namespace");
        }
    };
    for (at, text, kept) in [
        ("/kind", &kind[..], 63),
        ("/apiVersion", &api_version[..], 317),
        ("/metadata/name", &name[..], 253),
        ("/metadata/namespace", &namespace[..], 63),
    ] {
        if text.len() > LONGEST {
            return fail(too_long(&at[1..].replace('/', "."), text, kept), at);
        }
    }
    for field in ["labels", "annotations"] {
        let pointer = format!("{pointer}/metadata/{field}");
        holds_strings(metadata.entry(field), field, &pointer)?;
    }
    Ok(ObjectRef {
        api_version: api_version.into(),
        kind: kind.into(),
        namespace,
        name,
    })
}

/// Refuses labels or annotations that a server would not take, and labels that are far too long.
fn holds_strings(field: Option<&Value>, name: &str, pointer: &str) -> Result<(), NotAnObject> {
    let entries = match field {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Object(entries)) => entries,
        Some(other) => {
            return Err(NotAnObject {
                message: format!("`metadata.{name}` must be a mapping, it is {}", describe(other)),
                pointer: pointer.to_owned(),
            });
        }
    };
    for (key, entry) in entries {
        let fail = |message| {
            let pointer = format!("{pointer}/{}", escape(key));
            Err(NotAnObject { message, pointer })
        };
        let label = entry.as_str().filter(|_| name == "labels").unwrap_or_default();
        if label.len() > LONGEST {
            return fail(too_long("metadata.labels", label, 63));
        }
        if !entry.is_string() && !entry.is_null() {
            let is = describe(entry);
            return fail(format!("`metadata.{name}` holds strings, `{key}` is {is}: quote it"));
        }
    }
    Ok(())
}

/// The longest text that names or labels an object, in bytes. Kubernetes keeps far shorter ones; every finding and every change
/// repeats these.
const LONGEST: usize = 1024;

fn too_long(field: &str, text: &str, kept: usize) -> String {
    let start: String = text.chars().take(20).collect();
    format!(
        "`{field}` holds a text of {} bytes (`{start}…`), Kubernetes keeps up to {kept}: shorten it",
        text.len()
    )
}

/// A JSON type in words; numbers and booleans with their value, texts without (they may be secret).
fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(b) => format!("the boolean {b}"),
        Value::Number(n) => format!("the number {n}"),
        Value::String(s) if s.is_empty() => "empty".into(),
        Value::String(_) => "a text".into(),
        Value::Array(_) => "a sequence".into(),
        Value::Object(_) => "a mapping".into(),
    }
}

/// The value at a path of keys.
pub fn at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |v, key| v.entry(key))
}

/// The text at a path of keys, `None` where it is missing or no string.
pub fn text_at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v str> {
    at(value, path).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    fn one(value: Value) -> Object {
        let mut all = Object::all_in(0, value).unwrap();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    #[test]
    fn a_list_is_its_items_with_pointers() {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}},
            {"apiVersion": "apps/v1", "kind": "DeploymentList", "items": [
                {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "b", "namespace": "n"}}]}]});
        let all = Object::all_in(7, list).unwrap();
        let seen: Vec<_> = all
            .iter()
            .map(|o| (o.document, o.pointer.as_str(), o.reference.name.as_str()))
            .collect();
        assert_eq!(seen, [(7, "/items/0", "a"), (7, "/items/1/items/0", "b")]);
    }

    #[test]
    fn what_kubernetes_refuses_is_named() {
        for (value, words, pointer) in [
            (json!([1]), "sequence", ""),
            (json!("x"), "a text", ""),
            (json!({"apiVersion": "v1", "metadata": {"name": "a"}}), "`kind`", ""),
            (json!({"kind": "Pod", "metadata": {"name": "a"}}), "`apiVersion`", ""),
            (json!({"apiVersion": "v1", "kind": "Pod"}), "`metadata`", ""),
            (
                json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": 123}}),
                "123",
                "/metadata/name",
            ),
            (
                json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": ""}}),
                "empty",
                "/metadata/name",
            ),
            (
                json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "annotations": {"x/y": true}}}),
                "`x/y` is the boolean true",
                "/metadata/annotations/x~1y",
            ),
        ] {
            let err = Object::all_in(0, value).unwrap_err();
            assert!(err.message.contains(words), "{err:?}");
            assert_eq!(err.pointer, pointer);
        }
    }

    #[test]
    fn what_names_an_object_has_its_bounds() {
        let object = |field: &str, text: &str| {
            let mut object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "b", "labels": {"c": "d"}}});
            *object.pointer_mut(field).unwrap() = text.into();
            Object::all_in(0, object)
        };
        for (field, said) in [
            ("/kind", "`kind`"),
            ("/apiVersion", "`apiVersion`"),
            ("/metadata/name", "`metadata.name`"),
            ("/metadata/namespace", "`metadata.namespace`"),
            ("/metadata/labels/c", "`metadata.labels`"),
        ] {
            assert!(object(field, &"x".repeat(LONGEST)).is_ok());
            let err = object(field, &"é".repeat(LONGEST)).unwrap_err();
            let words = format!(
                "{said} holds a text of 2048 bytes (`{}…`), Kubernetes keeps",
                "é".repeat(20)
            );
            assert!(err.message.starts_with(&words), "{err:?}");
            assert_eq!(err.pointer, field);
        }
    }

    #[test]
    fn identity_ignores_the_version_and_an_unsaid_namespace() {
        let hpa = |v: &str, ns: &str| {
            one(json!({"apiVersion": v, "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a", "namespace": ns}}))
                .reference
        };
        assert!(hpa("autoscaling/v2beta2", "x").same_object(&hpa("autoscaling/v2", "")));
        assert!(!hpa("autoscaling/v2", "x").same_object(&hpa("autoscaling/v2", "y")));
        assert!(!hpa("autoscaling/v2", "x").same_object(&hpa("other/v2", "x")));
    }

    #[test]
    fn a_resource_that_moved_to_another_group_is_the_same() {
        let of = |v: &str, kind: &str| one(json!({"apiVersion": v, "kind": kind, "metadata": {"name": "a"}})).reference;
        for (old, new, kind) in [
            ("extensions/v1beta1", "apps/v1", "Deployment"),
            ("apps/v1beta2", "apps/v1", "Deployment"),
            ("extensions/v1beta1", "networking.k8s.io/v1", "Ingress"),
        ] {
            assert!(of(old, kind).same_object(&of(new, kind)), "{old} {kind}");
        }
        assert!(!of("corp.example/v1", "Deployment").same_object(&of("apps/v1", "Deployment")));
    }

    #[test]
    fn kept_objects() {
        let with =
            |a: Value| one(json!({"apiVersion": "v1", "kind": "A", "metadata": {"name": "a", "annotations": a}}));
        assert!(with(json!({"helm.sh/resource-policy": "keep"})).is_kept());
        assert!(with(json!({"argocd.argoproj.io/sync-options": "Replace=true, Prune=false"})).is_kept());
        assert!(!with(json!({"helm.sh/resource-policy": "delete"})).is_kept());
    }
}
