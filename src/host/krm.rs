//! The envelope of the KRM functions specification: a ResourceList with items, a functionConfig and results.
//!
//! Source: kubernetes-sigs/kustomize, cmd/config/docs/api-conventions/functions-spec.md and kyaml's kioutil (hosts.md 6).

use std::collections::BTreeSet;

use foldhash::HashMap;

use crate::kube::Object;
use crate::value::{Map, Value, json};

/// The kind of the envelope.
pub const KIND: &str = "ResourceList";

/// The versions that orchestrators write.
const VERSIONS: [&str; 3] = [
    "config.kubernetes.io/v1",
    "config.kubernetes.io/v1beta1",
    "config.kubernetes.io/v1alpha1",
];

const PATHS: [&str; 2] = ["internal.config.kubernetes.io/path", "config.kubernetes.io/path"];
const INDICES: [&str; 2] = ["internal.config.kubernetes.io/index", "config.kubernetes.io/index"];

/// Whether an annotation is the orchestrator's: where an item came from, and which output is which input.
pub fn is_bookkeeping(annotation: &str) -> bool {
    annotation.starts_with("internal.config.kubernetes.io/")
        || matches!(
            annotation,
            "config.kubernetes.io/path"
                | "config.kubernetes.io/index"
                | "config.k8s.io/id"
                | "kustomize.config.k8s.io/id"
        )
}

/// Whether a value is a ResourceList.
pub fn is_envelope(value: &Value) -> bool {
    let text = |key: &str| value.entry(key).and_then(Value::as_str);
    text("kind") == Some(KIND) && text("apiVersion").is_some_and(|v| v.starts_with("config.kubernetes.io/"))
}

/// What is wrong with a ResourceList, and where; `None` where it can be worked on. `items` may be missing or empty.
pub fn fault(value: &Value) -> Option<(String, String)> {
    let version = value["apiVersion"].as_str().unwrap_or_default();
    if !VERSIONS.contains(&version) {
        let message = format!("a ResourceList of `{version}`: known are {}", VERSIONS.join(", "));
        return Some((message, "/apiVersion".into()));
    }
    match &value["items"] {
        Value::Null => None,
        Value::Array(items) => {
            let nested = items.iter().position(|item| item["kind"] == KIND)?;
            let message = "a ResourceList inside a ResourceList: items are objects".to_owned();
            Some((message, format!("/items/{nested}")))
        }
        _ => Some(("`items` of a ResourceList must be a sequence".into(), "/items".into())),
    }
}

/// The place in `items` of an object: `/items/3` for `/items/3` and for what is in a List there.
pub fn slot(pointer: &str) -> Option<usize> {
    pointer.strip_prefix("/items/")?.split('/').next()?.parse().ok()
}

/// The file and the index in it that an item came from, as the orchestrator noted them.
pub fn file(object: &Object) -> Option<(&str, i64)> {
    let path = PATHS.iter().find_map(|key| object.annotation(key))?;
    let index = INDICES
        .iter()
        .find_map(|key| object.annotation(key))
        .and_then(|i| i.parse().ok());
    Some((path, index.unwrap_or(0)))
}

/// The files of a ResourceList and the indices taken in them.
pub struct Files {
    taken: HashMap<String, BTreeSet<i64>>,
}

impl Files {
    /// Of the items that are there.
    pub fn of(objects: &[Object]) -> Files {
        let mut taken: HashMap<String, BTreeSet<i64>> = HashMap::default();
        for (path, index) in objects.iter().filter_map(file) {
            taken.entry(path.to_owned()).or_default().insert(index);
        }
        Files { taken }
    }

    /// The annotations of an item that comes beside `neighbour`: in its file where that holds several, else in one of
    /// its own beside it. Never the neighbour's identity, by which an orchestrator tells outputs from inputs.
    pub fn beside(&mut self, neighbour: &Object, kind: &str, name: &str) -> Map {
        let Some((path, _)) = file(neighbour) else {
            return Map::new();
        };
        let path = match self.taken.get(path).map_or(0, BTreeSet::len) {
            0 | 1 => {
                let folder = path.rfind('/').map_or("", |i| &path[..=i]);
                format!("{folder}{}_{name}.yaml", kind.to_lowercase())
            }
            _ => path.to_owned(),
        };
        let taken = self.taken.entry(path.clone()).or_default();
        let index = taken.last().map_or(0, |i| i + 1);
        taken.insert(index);
        let mut out = Map::new();
        for (keys, value) in [(INDICES, index.to_string()), (PATHS, path)] {
            for key in keys.iter().filter(|key| neighbour.annotation(key).is_some()) {
                out.insert((*key).into(), json!(value));
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str, annotations: Value) -> Object {
        let value =
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "annotations": annotations}});
        Object::all_in(0, value).unwrap().remove(0)
    }

    #[test]
    fn an_item_that_comes_gets_a_place_of_its_own_and_nobodys_identity() {
        let [path, old_path] = PATHS;
        let [index, old_index] = INDICES;
        let both = |p: &str, i: &str| json!({path: p, old_path: p, index: i, old_index: i, "config.k8s.io/id": "7"});
        let items = [
            item("a", both("base/all.yaml", "0")),
            item("b", both("base/all.yaml", "4")),
            item("c", json!({path: "base/c.yaml", index: "0"})),
            item("d", json!({"internal.config.kubernetes.io/id": "3"})),
        ];
        let mut files = Files::of(&items);
        assert_eq!(
            json!(files.beside(&items[0], "Deployment", "m")),
            json!({index: "5", old_index: "5", path: "base/all.yaml", old_path: "base/all.yaml"})
        );
        assert_eq!(files.beside(&items[1], "Deployment", "n")[index], "6");
        assert_eq!(
            json!(files.beside(&items[2], "Deployment", "m")),
            json!({index: "0", path: "base/deployment_m.yaml"})
        );
        assert!(files.beside(&items[3], "Deployment", "m").is_empty());
    }

    #[test]
    fn an_envelope_that_cannot_be_worked_on_is_named() {
        let list = |version: &str, items: Value| json!({"apiVersion": version, "kind": KIND, "items": items});
        for good in [json!([]), Value::Null, json!([{"kind": "Service"}])] {
            assert_eq!(fault(&list("config.kubernetes.io/v1", good)), None);
        }
        for (bad, place) in [
            (list("config.kubernetes.io/v7", json!([])), "/apiVersion"),
            (list("config.kubernetes.io/v1", json!({})), "/items"),
            (
                list("config.kubernetes.io/v1", json!([{"kind": "A"}, list("v1", json!([]))])),
                "/items/1",
            ),
        ] {
            assert!(is_envelope(&bad));
            assert_eq!(fault(&bad).unwrap().1, place);
        }
        assert!(!is_envelope(&json!({"apiVersion": "v1", "kind": "List", "items": []})));
    }

    #[test]
    fn slots_are_places_in_items() {
        assert_eq!(
            (slot("/items/3"), slot("/items/3/items/1"), slot("")),
            (Some(3), Some(3), None)
        );
    }
}
