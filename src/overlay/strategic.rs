//! Strategic merge, as `kubectl patch --type strategic` does it: maps key by key, lists of named things by their name.
//!
//! Merge keys are those of the API types (`patchMergeKey` in k8s.io/api core/v1 and apps/v1, Kubernetes 1.34). Kinds
//! beyond Kubernetes' own have none: their lists are replaced whole, as Kustomize does.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};

use crate::kube::object::{group, text_at};
use crate::value::{Map, Value};

/// A patch into an object. `None`: the patch deletes it (`$patch: delete`).
///
/// # Errors
/// A directive that is not known, a list item without its merge key, a mapping where the object has none.
pub fn merge(object: &Value, patch: &Value) -> Result<Option<Value>, String> {
    let group = group(text_at(object, &["apiVersion"]).unwrap_or_default());
    let known = !group.contains('.') || group.ends_with(".k8s.io");
    let Value::Object(patch) = patch else {
        return Err("a strategic merge is a mapping".into());
    };
    let kind = text_at(object, &["kind"]).unwrap_or_default();
    map(
        object.as_object().unwrap_or(&Map::new()),
        patch,
        &At { known, kind, path: "" },
    )
}

/// Where in an object a merge is.
struct At<'a> {
    /// Whether lists have merge keys.
    known: bool,
    kind: &'a str,
    path: &'a str,
}

impl At<'_> {
    /// The key by which the items of a list are known; `None` where the list is replaced whole.
    fn merge_key(&self, field: &str) -> Option<&'static str> {
        if !self.known {
            return None;
        }
        Some(match field {
            "containers"
            | "initContainers"
            | "ephemeralContainers"
            | "env"
            | "volumes"
            | "imagePullSecrets"
            | "secrets"
            | "resourceClaims" => "name",
            "volumeMounts" => "mountPath",
            "volumeDevices" => "devicePath",
            "ports" if self.kind == "Service" => "port",
            "ports" if self.path.contains("ontainers") => "containerPort",
            "hostAliases" => "ip",
            "topologySpreadConstraints" => "topologyKey",
            "ownerReferences" => "uid",
            _ => return None,
        })
    }
}

fn map(base: &Map, patch: &Map, at: &At) -> Result<Option<Value>, String> {
    let directive = match patch.get("$patch") {
        None => "merge",
        Some(value) => value.as_str().unwrap_or_default(),
    };
    let plain = patch.iter().filter(|(key, _)| *key != "$patch");
    match directive {
        "delete" => return Ok(None),
        "replace" => {
            return Ok(Some(Value::Object(
                plain.map(|(k, v)| (k.clone(), v.clone())).collect(),
            )));
        }
        "merge" => {}
        other => return Err(format!("`$patch: {other}` is not known; delete, merge and replace are")),
    }
    let mut merged = base.clone();
    let mut gone = HashSet::new();
    for (key, value) in plain {
        if key.starts_with('$') {
            return Err(format!(
                "`{key}` is not supported; write the list or mapping whole with `$patch: replace`"
            ));
        }
        let path = format!("{}/{key}", at.path);
        let here = At { path: &path, ..*at };
        let new = match value {
            Value::Null => None,
            Value::Object(patch) => match merged.get(key) {
                Some(Value::Object(below)) => map(below, patch, &here)?,
                _ => map(&Map::new(), patch, &here)?,
            },
            Value::Array(items) => list(merged.get(key).and_then(Value::as_array), items, key, &here)?,
            scalar => Some(scalar.clone()),
        };
        match new {
            Some(new) => drop(merged.insert(key.clone(), new)),
            None => drop(gone.insert(key)),
        }
    }
    if !gone.is_empty() {
        merged.retain(|key, _| !gone.contains(key));
    }
    Ok(Some(Value::Object(merged)))
}

fn list(base: Option<&Vec<Value>>, patch: &[Value], field: &str, at: &At) -> Result<Option<Value>, String> {
    let directive = |item: &Value| item.get("$patch").and_then(Value::as_str).map(str::to_owned);
    let bare =
        |item: &Value| item.as_object().is_some_and(|m| m.len() == 1) && directive(item).as_deref() == Some("replace");
    if patch.iter().any(bare) {
        return Ok(Some(Value::Array(patch.iter().filter(|i| !bare(i)).cloned().collect())));
    }
    let Some(key) = at.merge_key(field) else {
        return Ok(Some(Value::Array(patch.to_vec())));
    };
    let mut merged: Vec<Option<Value>> = base.into_iter().flatten().cloned().map(Some).collect();
    let mut twins: HashMap<Known, VecDeque<usize>> = HashMap::new();
    for (i, item) in base.into_iter().flatten().enumerate() {
        if let Some(name) = item.get(key) {
            twins.entry(Known(name)).or_default().push_back(i);
        }
    }
    let mut new = Vec::new();
    for item in patch {
        let Some(map_item) = item.as_object() else {
            return Err(format!("{}: an item is no mapping", at.path));
        };
        let Some(name) = item.get(key) else {
            return Err(format!(
                "{}: an item has no `{key}`, by which its twin is found",
                at.path
            ));
        };
        let twin = twins.get_mut(&Known(name)).filter(|places| !places.is_empty());
        match (twin, directive(item).as_deref()) {
            (Some(places), Some("delete")) => places.pop_front().into_iter().for_each(|i| merged[i] = None),
            (None, Some("delete")) => {}
            (Some(places), _) => {
                let i = places[0];
                let below = merged[i].take();
                let below = below.as_ref().and_then(Value::as_object);
                merged[i] = map(below.unwrap_or(&Map::new()), map_item, at)?;
                if merged[i].as_ref().is_none_or(|item| item.get(key) != Some(name)) {
                    places.pop_front();
                }
            }
            (None, _) => new.extend(map(&Map::new(), map_item, at)?),
        }
    }
    Ok(Some(Value::Array(merged.into_iter().flatten().chain(new).collect())))
}

/// What the merge key of an item says, to look for: mostly a text, but an object may hold anything there.
#[derive(PartialEq, Eq)]
struct Known<'v>(&'v Value);

impl Hash for Known<'_> {
    /// Maps are equal in whatever order, so their keys are weighed as a sum; zero is equal to minus zero.
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.0 {
            Value::Null => 0.hash(state),
            Value::Bool(is) => is.hash(state),
            Value::Number(number) => match number.as_f64() {
                Some(float) if number.is_f64() => (float + 0.0).to_bits().hash(state),
                _ => (number.as_i64(), number.as_u64()).hash(state),
            },
            Value::String(text) => text.hash(state),
            Value::Array(items) => items.iter().for_each(|item| Known(item).hash(state)),
            Value::Object(map) => {
                let one = |(key, value): (&crate::value::Text, &Value)| {
                    let mut hasher = std::hash::DefaultHasher::new();
                    (key, Known(value)).hash(&mut hasher);
                    hasher.finish()
                };
                map.iter()
                    .map(one)
                    .fold(map.len() as u64, u64::wrapping_add)
                    .hash(state);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::value::json;

    use super::*;

    fn deployment() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "labels": {"x": "y"}}, "spec": {"template": {"spec": {
            "containers": [
                {"name": "m", "image": "i", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                 "volumeMounts": [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}],
                 "ports": [{"containerPort": 1, "name": "p"}]},
                {"name": "s"}],
            "tolerations": [{"key": "a"}]}}}})
    }

    fn pod(patch: Value) -> Value {
        let patch = json!({"spec": {"template": {"spec": patch}}});
        let merged = merge(&deployment(), &patch).unwrap().unwrap();
        merged["spec"]["template"]["spec"].clone()
    }

    #[test]
    fn named_items_are_merged_by_name_and_others_replaced() {
        let merged = pod(json!({
            "containers": [{"name": "m", "env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}],
                "volumeMounts": [{"mountPath": "/b", "readOnly": true}], "ports": [{"containerPort": 1, "protocol": "TCP"}]}],
            "tolerations": [{"key": "b"}]
        }));
        let m = &merged["containers"][0];
        assert_eq!(m["image"], "i");
        assert_eq!(
            m["env"],
            json!([{"name": "A", "value": "1"}, {"name": "B", "value": "3"}, {"name": "C", "value": "4"}])
        );
        assert_eq!(
            m["volumeMounts"][1],
            json!({"name": "v", "mountPath": "/b", "readOnly": true})
        );
        assert_eq!(
            m["ports"],
            json!([{"containerPort": 1, "name": "p", "protocol": "TCP"}])
        );
        assert_eq!(merged["containers"][1], json!({"name": "s"}));
        assert_eq!(merged["tolerations"], json!([{"key": "b"}]));
    }

    #[test]
    fn null_and_directives_take_away() {
        let merged = pod(
            json!({"tolerations": null, "containers": [{"name": "s", "$patch": "delete"},
            {"name": "m", "env": [{"$patch": "replace"}, {"name": "Z", "value": "0"}]}]}),
        );
        assert!(merged.get("tolerations").is_none());
        assert_eq!(merged["containers"].as_array().unwrap().len(), 1);
        assert_eq!(merged["containers"][0]["env"], json!([{"name": "Z", "value": "0"}]));
        let labels = merge(
            &deployment(),
            &json!({"metadata": {"labels": {"$patch": "replace", "z": "1"}}}),
        );
        assert_eq!(labels.unwrap().unwrap()["metadata"]["labels"], json!({"z": "1"}));
        assert_eq!(merge(&deployment(), &json!({"$patch": "delete"})).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_merged_is_said() {
        for (patch, words) in [
            (json!({"$patch": "remove"}), "`$patch: remove`"),
            (json!({"spec": {"$retainKeys": ["a"]}}), "`$retainKeys`"),
            (
                json!({"spec": {"template": {"spec": {"containers": [{"image": "x"}]}}}}),
                "no `name`",
            ),
            (
                json!({"spec": {"template": {"spec": {"containers": ["x"]}}}}),
                "no mapping",
            ),
        ] {
            let said = merge(&deployment(), &patch).unwrap_err();
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn a_kind_without_known_types_has_its_lists_replaced() {
        let scaled =
            json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "spec": {"env": [{"name": "a"}], "x": 1}});
        let merged = merge(&scaled, &json!({"spec": {"env": [{"name": "b"}]}}))
            .unwrap()
            .unwrap();
        assert_eq!(merged["spec"], json!({"env": [{"name": "b"}], "x": 1}));
        let service =
            json!({"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 1, "name": "a"}, {"port": 2}]}});
        let merged = merge(&service, &json!({"spec": {"ports": [{"port": 1, "nodePort": 30000}]}}))
            .unwrap()
            .unwrap();
        assert_eq!(
            merged["spec"]["ports"],
            json!([{"port": 1, "name": "a", "nodePort": 30000}, {"port": 2}])
        );
    }

    /// The first of those alike is meant; once it is gone, the next.
    #[test]
    fn of_items_with_one_name_the_first_is_meant() {
        let service = json!({"apiVersion": "v1", "kind": "Service", "spec": {"ports":
            [{"port": 1, "name": "a"}, {"port": 2}, {"port": 1, "name": "b"}, {"port": 1, "name": "c"}, {"name": "d"}]}});
        let ports = |patch: Value| {
            let merged = merge(&service, &json!({"spec": {"ports": patch}})).unwrap().unwrap();
            merged["spec"]["ports"].clone()
        };
        assert_eq!(
            ports(
                json!([{"port": 1, "x": 1}, {"port": 1, "x": 2}, {"port": 1, "$patch": "delete"}, {"port": 1, "x": 3},
                {"port": 3, "x": 4}, {"port": 3, "x": 5}, {"port": 4, "$patch": "delete"}])
            ),
            json!([{"port": 2}, {"port": 1, "name": "b", "x": 3}, {"port": 1, "name": "c"}, {"name": "d"},
                {"port": 3, "x": 4}, {"port": 3, "x": 5}])
        );
        let gone = json!({"port": 1, "$patch": "delete"});
        assert_eq!(
            ports(json!([gone, gone, gone, gone, {"port": 1}])),
            json!([{"port": 2}, {"name": "d"}, {"port": 1}])
        );
        // A merge that takes the name itself away leaves an item that nothing finds again.
        let unnamed = json!({"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": null, "x": 1}]}});
        let again = json!({"spec": {"ports": [{"port": null, "x": 2}, {"port": null, "x": 3}]}});
        let merged = merge(&unnamed, &again).unwrap().unwrap();
        assert_eq!(merged["spec"]["ports"], json!([{"x": 2}, {"x": 3}]));
    }

    #[test]
    fn names_are_alike_where_their_values_are() {
        let hash = |value: &Value| {
            let mut hasher = std::hash::DefaultHasher::new();
            Known(value).hash(&mut hasher);
            hasher.finish()
        };
        for (one, other) in [
            (json!({"a": 1, "b": [2, null]}), json!({"b": [2, null], "a": 1})),
            (json!(0.0), json!(-0.0)),
            (json!("a"), json!("a")),
            (json!(7), json!(7)),
            (json!(true), json!(true)),
        ] {
            assert_eq!((hash(&one), &one), (hash(&other), &other));
        }
        let all = [
            json!(1),
            json!(2),
            json!(1.5),
            json!("1"),
            json!("b"),
            json!({"a": 1}),
            json!({"a": 2}),
        ];
        let hashes: HashSet<u64> = all.iter().map(hash).collect();
        assert_eq!(hashes.len(), all.len());
    }

    #[test]
    fn keys_that_leave_leave_the_others_in_their_order() {
        let labels = |n: std::ops::Range<usize>| -> Value { n.map(|i| (format!("k{i}"), Value::from("v"))).collect() };
        let object = json!({"metadata": {"labels": labels(0..50)}});
        let mut patch: Map = (0..50)
            .filter(|i| i % 3 == 0)
            .map(|i| (format!("k{i}"), Value::Null))
            .collect();
        patch.insert("k1".into(), "w".into());
        patch.insert("gone".into(), Value::Null);
        patch.insert("new".into(), "w".into());
        let merged = merge(&object, &json!({"metadata": {"labels": patch}}))
            .unwrap()
            .unwrap();
        let mut wanted: Vec<String> = (0..50).filter(|i| i % 3 > 0).map(|i| format!("k{i}")).collect();
        wanted.push("new".into());
        let left = merged["metadata"]["labels"].as_object().unwrap();
        assert!(left.keys().eq(wanted.iter()), "{left:?}");
        assert_eq!(left["k1"], "w");
    }
}
