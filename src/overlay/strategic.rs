//! Strategic merge, as `kubectl patch --type strategic` does it: maps key by key, lists of named things by their name.
//!
//! Merge keys are those of the API types (`patchMergeKey` in k8s.io/api core/v1 and apps/v1, Kubernetes 1.34). Kinds
//! beyond Kubernetes' own have none: their lists are replaced whole, as Kustomize does.

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
            None => drop(merged.remove(key)),
        }
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
    let mut merged = base.cloned().unwrap_or_default();
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
        let twin = merged.iter().position(|b| b.get(key) == Some(name));
        match (twin, directive(item).as_deref()) {
            (Some(i), Some("delete")) => drop(merged.remove(i)),
            (None, Some("delete")) => {}
            (Some(i), _) => {
                let below = merged[i].as_object().cloned().unwrap_or_default();
                match map(&below, map_item, at)? {
                    Some(value) => merged[i] = value,
                    None => drop(merged.remove(i)),
                }
            }
            (None, _) => new.extend(map(&Map::new(), map_item, at)?),
        }
    }
    merged.extend(new);
    Ok(Some(Value::Array(merged)))
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
}
