//! What the Milvus chart renders for mixcoord and streamingnode, given its values (chart-shapes: charts 4.1.33 to 5.0.19).
//!
//! What the values cannot say (image, labels, probes, mounts, the shape of this chart version) is taken from what the
//! release's other workloads share.

use foldhash::HashSet;

use super::Scene;
use super::config::CHECKSUM;
use super::neutral::{CONTAINERS, map_at};
use super::share::{NAME, common_text, share};
use super::values::{Values, int, truthy};
use crate::facts;
use crate::kube::Object;
use crate::milvus::config::STREAMING_SWITCH;
use crate::milvus::role::Role;
use crate::value::{Map, Value, json};

/// Puts a node into a resource group.
pub const RESOURCE_GROUP: &str = "MILVUS_SERVER_LABEL_RESOURCE_GROUP";
const HEAPTRACK: &str = "/milvus/tools/heaptrack/bin/heaptrack";
const LIBRARIES: &str = "LD_LIBRARY_PATH";

/// The chart's values key of a role.
pub fn values_key(role: Role) -> &'static str {
    match role {
        Role::RootCoord => "rootCoordinator",
        Role::QueryCoord => "queryCoordinator",
        Role::DataCoord => "dataCoordinator",
        Role::IndexCoord => "indexCoordinator",
        Role::MixCoord => "mixCoordinator",
        Role::IndexNode => "indexNode",
        Role::QueryNode => "queryNode",
        Role::DataNode => "dataNode",
        Role::StreamingNode => "streamingNode",
        Role::Proxy => "proxy",
        Role::Standalone => "standalone",
        Role::Cdc => "cdc",
    }
}

/// A sibling: its role and its neutral workload.
pub type Sibling = (Role, Value);

/// The workload of `role` as the chart renders it. `skeleton` is what the siblings share.
pub fn workload(scene: &Scene, values: &Values, role: Role, skeleton: &Value, siblings: &[Sibling]) -> Value {
    let key = values_key(role);
    let chart = chart_version(scene);
    let mut w = skeleton.clone();
    without_heaptrack(&mut w);
    replicas_and_strategy(&mut w, values, role);
    pod_annotations(&mut w, values, role, siblings);
    scheduling(&mut w, values, role, siblings, chart.as_deref());
    let container = format!("{CONTAINERS}/0");
    let resources = values
        .get(&[key, "resources"])
        .cloned()
        .filter(|r| !r.is_null())
        .unwrap_or_else(|| json!({}));
    env(&mut w, values, role, siblings, &container);
    security(&mut w, values, role, siblings, chart.as_deref(), &container);
    heaptrack(&mut w, values, role, &container);
    if let Some(c) = w.pointer_mut(&container).and_then(Value::as_object_mut) {
        c.insert("resources".into(), resources);
    }
    if truthy(values.get(&["woodpecker", "enabled"])) && role == Role::StreamingNode {
        after(
            &mut w,
            &format!("{container}/volumeMounts"),
            "tools",
            json!({"mountPath": "/var/lib/milvus", "name": "woodpecker"}),
        );
        after(
            &mut w,
            "/spec/template/spec/volumes",
            "tools",
            json!({"name": "woodpecker", "emptyDir": {}}),
        );
    }
    w
}

/// The chart's version, from `helm.sh/chart: milvus-4.2.58` of the release's workloads.
pub fn chart_version(scene: &Scene) -> Option<String> {
    scene.release.components.iter().find_map(|c| chart_of(scene.object(c)))
}

/// What the tables know of a chart version; a version between the rows follows its siblings' shape.
fn shape(chart: Option<&str>) -> Option<&'static facts::ChartShape> {
    facts::charts().shape(&semver::Version::parse(chart?).ok()?)
}

/// The version at the end of an object's `helm.sh/chart` label.
pub fn chart_of(object: &Object) -> Option<String> {
    let label = object.label("helm.sh/chart")?;
    let start = label
        .char_indices()
        .find(|(i, c)| *c == '-' && label[i + 1..].starts_with(|c: char| c.is_ascii_digit()))?;
    Some(label[start.0 + 1..].replace('_', "+"))
}

fn replicas_and_strategy(w: &mut Value, values: &Values, role: Role) {
    let key = values_key(role);
    let replicas = values.get(&[key, "replicas"]).cloned().unwrap_or(json!(1));
    let Some(spec) = map_at(w, &["spec"]) else { return };
    spec.remove("replicas");
    spec.remove("strategy");
    // A negative number leaves the field to an autoscaler; what is no number is printed as it is.
    if int(Some(&replicas)) >= 0 && !replicas.is_null() {
        let number = if replicas.is_string() {
            json!(int(Some(&replicas)))
        } else {
            replicas
        };
        spec.insert("replicas".into(), number);
    }
    let strategy = values.truthy(&[key, "strategy"]);
    if role == Role::MixCoord && !truthy(values.get(&[key, "activeStandby", "enabled"])) {
        spec.insert("strategy".into(), json!({"type": "Recreate"}));
    } else if let Some(strategy) = strategy {
        spec.insert("strategy".into(), strategy.clone());
    }
}

/// The pod annotations with which the chart has a workload of that name profiled.
pub fn profiling(name: &str) -> [(&'static str, Value); 3] {
    [
        ("pyroscope.io/scrape", json!("true")),
        ("pyroscope.io/application-name", json!(name)),
        ("pyroscope.io/port", json!("9091")),
    ]
}

/// Profiling, the component's own (mixcoord only), checksum, the global ones: the later duplicate wins.
fn pod_annotations(w: &mut Value, values: &Values, role: Role, siblings: &[Sibling]) {
    let key = values_key(role);
    let own = |sibling: Role| {
        truthy(values.get(&[values_key(sibling), "annotations"]))
            || truthy(values.get(&[values_key(sibling), "profiling", "enabled"]))
    };
    let at = |v: &Value| {
        v.pointer("/spec/template/metadata/annotations")
            .cloned()
            .unwrap_or(json!({}))
    };
    let unmixed: Vec<Value> = siblings.iter().filter(|(r, _)| !own(*r)).map(|(_, v)| at(v)).collect();
    let mut global = if unmixed.is_empty() {
        values
            .get(&["annotations"])
            .filter(|a| a.is_object())
            .cloned()
            .unwrap_or(json!({}))
    } else {
        share(&unmixed.iter().collect::<Vec<_>>()).unwrap_or(json!({}))
    };
    let checksum = at(w).get(CHECKSUM).cloned();
    let mut all = Map::new();
    if truthy(values.get(&[key, "profiling", "enabled"])) {
        all.extend(profiling(NAME));
    }
    if role == Role::MixCoord {
        for (k, v) in values
            .get(&[key, "annotations"])
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            all.insert(k.clone(), v.clone());
        }
    }
    if let Some(checksum) = checksum {
        all.insert(CHECKSUM.into(), checksum);
    }
    if let Some(global) = global.as_object_mut() {
        global.remove(CHECKSUM);
        for (k, v) in std::mem::take(global) {
            all.insert(k, v);
        }
    }
    if let Some(metadata) = map_at(w, &["spec", "template", "metadata"]) {
        metadata.insert("annotations".into(), Value::Object(all));
    }
}

/// A setting that a component may override: the component's where a template takes it for true, else the global one as
/// the siblings without an override of their own carry it.
fn component_or_global(values: &Values, role: Role, name: &str, siblings: &[Sibling], pointer: &str) -> Option<Value> {
    if let Some(own) = values.truthy(&[values_key(role), name]) {
        return Some(own.clone());
    }
    let plain: Vec<&Value> = siblings
        .iter()
        .filter(|(r, _)| !truthy(values.get(&[values_key(*r), name])))
        .map(|(_, v)| v.pointer(pointer).unwrap_or(&Value::Null))
        .collect();
    match plain.split_first() {
        Some((first, rest)) if rest.iter().all(|v| v == first) => Some((*first).clone()).filter(|v| truthy(Some(v))),
        // Siblings of one chart that disagree although none has an override: a fork. The value given says what is meant.
        _ => values.truthy(&[name]).cloned(),
    }
}

fn scheduling(w: &mut Value, values: &Values, role: Role, siblings: &[Sibling], chart: Option<&str>) {
    let spread = shape(chart).is_none_or(|s| s.spread_constraints);
    for name in ["nodeSelector", "affinity", "tolerations", "topologySpreadConstraints"] {
        let value = component_or_global(values, role, name, siblings, &format!("/spec/template/spec/{name}"));
        let Some(spec) = map_at(w, &["spec", "template", "spec"]) else {
            return;
        };
        spec.remove(name);
        if let Some(value) = value.filter(|_| spread || name != "topologySpreadConstraints") {
            spec.insert(name.into(), value);
        }
    }
}

fn security(w: &mut Value, values: &Values, role: Role, siblings: &[Sibling], chart: Option<&str>, container: &str) {
    let rendered = shape(chart).is_none_or(|s| s.security_contexts);
    let pod = component_or_global(
        values,
        role,
        "securityContext",
        siblings,
        "/spec/template/spec/securityContext",
    );
    let own = component_or_global(
        values,
        role,
        "containerSecurityContext",
        siblings,
        &format!("{container}/securityContext"),
    );
    for (target, value) in [("/spec/template/spec", pod), (container, own)] {
        let Some(map) = w.pointer_mut(target).and_then(Value::as_object_mut) else {
            continue;
        };
        map.remove("securityContext");
        if let Some(value) = value.filter(|_| rendered) {
            map.insert("securityContext".into(), value);
        }
    }
    // The charts without security contexts for these two have no volumes for them either.
    if !rendered {
        for (pointer, names) in [
            (format!("{container}/volumeMounts"), "volumeMounts"),
            ("/spec/template/spec/volumes".into(), "volumes"),
        ] {
            let given = values.get(&[names]).and_then(Value::as_array);
            let given: HashSet<String> = given.into_iter().flatten().map(common_text).collect();
            if let Some(list) = w.pointer_mut(&pointer).and_then(Value::as_array_mut) {
                list.retain(|v| !given.contains(&common_text(v)));
            }
        }
    }
}

/// heaptrack's library path, then the component's extraEnv. What a fork's template gives all its workloads stays first.
fn env(w: &mut Value, values: &Values, role: Role, siblings: &[Sibling], container: &str) {
    let extra = |r: Role| {
        let given = values.get(&[values_key(r), "extraEnv"]);
        given.and_then(Value::as_array).into_iter().flatten()
    };
    fn name(v: &Value) -> &str {
        v.get("name").and_then(Value::as_str).unwrap_or_default()
    }
    // Once for each role: thousands may run in one.
    let roles: HashSet<Role> = siblings.iter().map(|(r, _)| *r).collect();
    let mut claimed: HashSet<&str> = roles.into_iter().flat_map(extra).map(name).collect();
    claimed.extend([STREAMING_SWITCH, LIBRARIES, RESOURCE_GROUP]);
    let shared = w.pointer(&format!("{container}/env")).and_then(Value::as_array);
    let shared = shared.into_iter().flatten();
    let mut all: Vec<Value> = shared.filter(|v| !claimed.contains(name(v))).cloned().collect();
    if truthy(values.get(&[values_key(role), "heaptrack", "enabled"])) {
        all.push(json!({"name": LIBRARIES, "value": "/milvus/tools/heaptrack/lib:/milvus/lib:/usr/lib"}));
    }
    all.extend(extra(role).filter(|v| name(v) != STREAMING_SWITCH).cloned());
    let Some(c) = w.pointer_mut(container).and_then(Value::as_object_mut) else {
        return;
    };
    c.remove("env");
    if !all.is_empty() {
        c.insert("env".into(), Value::Array(all));
    }
}

/// Takes heaptrack out of a neutral workload: its prefix, library path and init container.
pub fn without_heaptrack(w: &mut Value) {
    let container = format!("{CONTAINERS}/0");
    for field in ["command", "args"] {
        if let Some(list) = w
            .pointer_mut(&format!("{container}/{field}"))
            .and_then(Value::as_array_mut)
        {
            list.retain(|v| v.as_str() != Some(HEAPTRACK));
        }
    }
    for (pointer, name) in [
        (format!("{container}/env"), LIBRARIES),
        ("/spec/template/spec/initContainers".into(), "heaptrack"),
    ] {
        if let Some(list) = w.pointer_mut(&pointer).and_then(Value::as_array_mut) {
            list.retain(|v| v["name"] != name);
        }
    }
}

/// Whether [`without_heaptrack`] would change anything.
pub fn has_traces_of_heaptrack(w: &Value) -> bool {
    let named = |pointer: &str, name: &str| {
        let list = w.pointer(pointer).and_then(Value::as_array);
        list.into_iter().flatten().any(|v| v["name"] == name)
    };
    has_heaptrack(w)
        || named(&format!("{CONTAINERS}/0/env"), LIBRARIES)
        || named("/spec/template/spec/initContainers", "heaptrack")
}

/// Whether a neutral workload runs under heaptrack.
pub fn has_heaptrack(w: &Value) -> bool {
    ["command", "args"].iter().any(|field| {
        let list = w.pointer(&format!("{CONTAINERS}/0/{field}")).and_then(Value::as_array);
        list.into_iter().flatten().any(|v| v.as_str() == Some(HEAPTRACK))
    })
}

/// The heaptrack prefix and its init container, which repeats the container's security context.
fn heaptrack(w: &mut Value, values: &Values, role: Role, container: &str) {
    let on = truthy(values.get(&[values_key(role), "heaptrack", "enabled"]));
    let context = w.pointer(&format!("{container}/securityContext")).cloned();
    if let Some(list) = w
        .pointer_mut("/spec/template/spec/initContainers")
        .and_then(Value::as_array_mut)
    {
        list.retain(|c| c.get("name").and_then(Value::as_str) != Some("heaptrack"));
    }
    for field in ["command", "args"] {
        if let Some(list) = w
            .pointer_mut(&format!("{container}/{field}"))
            .and_then(Value::as_array_mut)
            && on
            && list.iter().any(|v| v.as_str() == Some("run"))
        {
            let milvus = list
                .iter()
                .position(|v| v.as_str().is_some_and(|v| v == "milvus" || v.ends_with("/milvus")));
            list.insert(milvus.unwrap_or(0), json!(HEAPTRACK));
        }
    }
    if !on {
        return;
    }
    let text = |part: &str, default: &str| {
        values
            .text(&["heaptrack", "image", part])
            .unwrap_or_else(|| default.into())
    };
    let image = format!("{}:{}", text("repository", "milvusdb/heaptrack"), text("tag", "v0.1.0"));
    let mut init = json!({
        "name": "heaptrack",
        "command": ["/bin/bash", "-c", "cp -r /opt/heaptrack /milvus/tools"],
        "image": image,
        "imagePullPolicy": text("pullPolicy", "IfNotPresent"),
    });
    if let Some(context) = context {
        init["securityContext"] = context;
    }
    init["volumeMounts"] = json!([{"mountPath": "/milvus/tools", "name": "tools"}]);
    if let Some(spec) = map_at(w, &["spec", "template", "spec"]) {
        let list = spec.entry("initContainers").or_insert(Value::Null);
        if !list.is_array() {
            *list = json!([]);
        }
        // It stands before what chart 4.1 prepares the configuration with.
        list.as_array_mut().into_iter().for_each(|l| l.insert(0, init.clone()));
    }
}

/// Inserts an item behind the one with that name, at the end where there is none.
fn after(w: &mut Value, pointer: &str, name: &str, item: Value) {
    if let Some(list) = w.pointer_mut(pointer).and_then(Value::as_array_mut) {
        let at = list
            .iter()
            .position(|v| v.get("name").and_then(Value::as_str) == Some(name))
            .map_or(list.len(), |i| i + 1);
        list.insert(at, item);
    }
}

#[cfg(test)]
mod tests;
