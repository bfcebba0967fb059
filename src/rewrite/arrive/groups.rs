//! Resource groups: a streaming node for each that the querynodes name.

use super::distinct;
use crate::kube::Object;
use crate::milvus::release::{Component, base_name};
use crate::milvus::role::Role;
use crate::rewrite::Scene;
use crate::rewrite::chart::RESOURCE_GROUP;
use crate::rewrite::neutral::{CONTAINERS, map_at};
use crate::value::{Value, json};

/// The querynodes that name a resource group, with the group.
pub fn resource_groups<'a>(scene: &Scene<'a>) -> Vec<(&'a Component, String)> {
    distinct(scene, Role::QueryNode)
        .filter_map(|c| {
            let env = scene.stream.objects[c.object]
                .value
                .pointer(&format!("{}/env", c.container))?
                .as_array()?;
            let group = env.iter().find(|v| v["name"] == RESOURCE_GROUP)?["value"].as_str()?;
            base_name(&c.name, c.role).map(|_| (c, group.to_owned()))
        })
        .collect()
}

/// Gives a streaming node the marks of a querynode's resource group: its variable, and labels that hold the group.
pub fn join_group(own: &mut Value, querynode: &Object, skeleton: &Value, group: &str, suffix: &str) {
    for pointer in [
        "/metadata/labels",
        "/spec/selector/matchLabels",
        "/spec/template/metadata/labels",
    ] {
        let theirs = querynode
            .value
            .pointer(pointer)
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        for (key, value) in theirs {
            let marked = value.as_str().is_some_and(|v| v == group || format!("-{v}") == suffix);
            if marked && skeleton.pointer(pointer).and_then(|m| m.get(&key)).is_none() {
                let path: Vec<&str> = pointer.split('/').skip(1).collect();
                if let Some(labels) = map_at(own, &path) {
                    labels.insert(key, value);
                }
            }
        }
    }
    let Some(container) = own
        .pointer_mut(&format!("{CONTAINERS}/0"))
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    let env = container.entry("env").or_insert(json!([]));
    let variable = json!({"name": RESOURCE_GROUP, "value": group});
    if let Some(list) = env.as_array_mut() {
        let at = list
            .iter()
            .position(|v| v["name"] == "LD_LIBRARY_PATH")
            .map_or(0, |i| i + 1);
        list.insert(at, variable);
    }
}
