//! What comes: mixcoord and the streaming nodes, their Services, and the place where they stand.

use serde_json::{Map, Value, json};

use super::chart::{self, RESOURCE_GROUP, STREAMING_SWITCH, Sibling};
use super::join::{Coordinator, join};
use super::neutral::{CONTAINERS, filled, map_at, neutral};
use super::share::{NAME, ROLE, replace_strings, share};
use super::values::truthy;
use super::{Change, ChangeOp, Rewrite, Scene, Topology, add};
use crate::facts;
use crate::host;
use crate::kube::object::namespaces_agree;
use crate::kube::selector;
use crate::kube::{Object, ObjectRef, workload};
use crate::milvus::release::{Component, base_name};
use crate::milvus::role::Role;

/// One component that comes.
pub struct Arrival {
    /// Its role.
    pub role: Role,
    /// Its workload.
    pub workload: Value,
    /// Its Service, where the release has metrics Services.
    pub service: Option<Value>,
}

/// The coordinators in the order in which they speak where they disagree.
const SPEAKERS: [Role; 4] = [Role::RootCoord, Role::QueryCoord, Role::DataCoord, Role::IndexCoord];

/// mixcoord, where none is there.
pub fn mixcoord(scene: &Scene, out: &mut Rewrite) -> Option<Arrival> {
    if scene.topology == Topology::AsRendered || scene.release.has(Role::MixCoord) {
        return None;
    }
    if scene.values.is_none() && scene.release.legacy_coordinators().next().is_none() {
        // Nothing to derive it from: the stream is refused for the missing coordinator (MU113).
        return None;
    }
    let siblings = siblings(scene);
    let base = base(scene, out)?;
    let neutral_workload = match scene.values {
        Some(values) => chart::workload(scene, values, Role::MixCoord, &skeleton(&siblings)?, &siblings),
        None => {
            let coordinators: Vec<Coordinator> = SPEAKERS
                .iter()
                .flat_map(|role| scene.release.in_role(*role))
                .filter_map(|c| {
                    Some(Coordinator {
                        role: c.role.as_str(),
                        value: neutral(scene.object(c), c)?,
                    })
                })
                .collect();
            join(&coordinators, super::config::all_standby(scene), out)?
        }
    };
    let name = format!("{base}-{}", Role::MixCoord);
    let workload = finish(&neutral_workload, Role::MixCoord, &name, scene);
    let service = service(scene, Role::MixCoord, &name);
    Some(Arrival {
        role: Role::MixCoord,
        workload,
        service,
    })
}

/// The streaming nodes, where there are none: one Deployment, or one for each resource group of the querynodes, and one
/// Service for all.
pub fn streamingnodes(scene: &Scene, out: &mut Rewrite) -> Vec<Arrival> {
    if scene.topology != Topology::Streaming || scene.release.has(Role::StreamingNode) {
        return vec![];
    }
    let siblings = siblings(scene);
    let Some(base) = base(scene, out) else { return vec![] };
    let Some(skeleton) = skeleton(&siblings) else {
        return vec![];
    };
    let role = Role::StreamingNode;
    let shared = match scene.values {
        Some(values) => chart::workload(scene, values, role, &skeleton, &siblings),
        None => {
            let mut shared = skeleton.clone();
            if let Some(env) = shared
                .pointer_mut(&format!("{CONTAINERS}/0/env"))
                .and_then(Value::as_array_mut)
            {
                env.retain(|v| !matches!(v["name"].as_str(), Some(STREAMING_SWITCH | RESOURCE_GROUP)));
            }
            shared["spec"]["replicas"] = json!(1);
            shared
        }
    };
    let name = format!("{base}-{role}");
    let groups = resource_groups(scene);
    let mut service = service(scene, role, &name);
    if groups.is_empty() {
        return vec![Arrival {
            role,
            workload: finish(&shared, role, &name, scene),
            service,
        }];
    }
    groups
        .into_iter()
        .map(|(querynode, group)| {
            let suffix = querynode
                .name
                .strip_prefix(&format!("{base}-{}", Role::QueryNode))
                .unwrap_or("")
                .to_owned();
            let mut own = shared.clone();
            join_group(&mut own, scene.object(querynode), &skeleton, &group, &suffix);
            Arrival {
                role,
                workload: finish(&own, role, &format!("{name}{suffix}"), scene),
                service: service.take(),
            }
        })
        .collect()
}

/// All Milvus Deployments of the release without the marks of their roles.
fn siblings(scene: &Scene) -> Vec<Sibling> {
    let of = |c: &Component| Some((c.role, neutral(scene.object(c), c)?));
    let all: Vec<(&Component, Sibling)> = scene
        .release
        .components
        .iter()
        .filter_map(|c| Some((c, of(c)?)))
        .collect();
    let kind = |c: &Component| scene.object(c).reference.kind == "Deployment";
    let deployments: Vec<Sibling> = all.iter().filter(|(c, _)| kind(c)).map(|(_, s)| s.clone()).collect();
    if deployments.is_empty() {
        all.into_iter().map(|(_, s)| s).collect()
    } else {
        deployments
    }
}

/// What the siblings share. heaptrack is a switch of each component: it is shared only where all run under it.
fn skeleton(siblings: &[Sibling]) -> Option<Value> {
    let all = siblings.iter().all(|(_, v)| chart::has_heaptrack(v));
    let mut values: Vec<Value> = siblings.iter().map(|(_, v)| v.clone()).collect();
    if !all {
        values.iter_mut().for_each(chart::without_heaptrack);
    }
    let mut shared = share(&values.iter().collect::<Vec<_>>())?;
    // One component may run another build of the same version: what comes runs the one that most run.
    let container = shared.pointer_mut(&format!("{CONTAINERS}/0"))?.as_object_mut()?;
    if !container.contains_key("image") {
        container.extend(most_run(&values).map(|image| ("image".to_owned(), image.clone())));
    }
    Some(shared)
}

/// The image that most workloads run, the first of those where several are run as often.
fn most_run(values: &[Value]) -> Option<&Value> {
    let images = || {
        values
            .iter()
            .filter_map(|v| v.pointer(&format!("{CONTAINERS}/0/image")))
    };
    let mut best: Option<(&Value, usize)> = None;
    for image in images() {
        let times = images().filter(|i| *i == image).count();
        if best.is_none_or(|(_, most)| times > most) {
            best = Some((image, times));
        }
    }
    best.map(|(image, _)| image)
}

fn base<'a>(scene: &Scene<'a>, out: &mut Rewrite) -> Option<&'a str> {
    let base = scene.release.base();
    if base.is_none() {
        let names: Vec<_> = scene.release.components.iter().map(|c| c.name.as_str()).collect();
        out.failures.push(format!(
            "no workload's name ends in its role ({}), so mixcoord and streamingnode cannot be named as the chart names them",
            names.join(", ")
        ));
    }
    base
}

/// Puts the role's marks, its own port and the fixed first fields in.
fn finish(neutral_workload: &Value, role: Role, name: &str, scene: &Scene) -> Value {
    let mut w = filled(neutral_workload, role, name);
    if let Some(container) = w.pointer_mut(&format!("{CONTAINERS}/0")).and_then(Value::as_object_mut) {
        container.entry("name").or_insert(json!(role.as_str()));
        if role == Role::StreamingNode {
            let number = facts::ports(role)
                .find(|p| p.name == role.as_str())
                .map_or(22222, |p| p.port);
            let port = json!({"name": role.as_str(), "containerPort": number, "protocol": "TCP"});
            match container.get_mut("ports").and_then(Value::as_array_mut) {
                Some(list) => list.insert(0, port),
                None => {
                    container.insert("ports".into(), json!([port]));
                }
            }
        }
    }
    if scene
        .release
        .components
        .iter()
        .all(|c| scene.object(c).reference.kind != "Deployment")
    {
        // A fork that runs Milvus in StatefulSets or DaemonSets: the chart's own kind, without their fields.
        if let Some(spec) = map_at(&mut w, &["spec"]) {
            for field in [
                "serviceName",
                "volumeClaimTemplates",
                "podManagementPolicy",
                "updateStrategy",
            ] {
                spec.shift_remove(field);
            }
        }
    }
    ordered(w)
}

/// The fields in the order in which people read manifests.
fn ordered(mut w: Value) -> Value {
    let Some(map) = w.as_object_mut() else { return w };
    let mut out = Map::new();
    out.insert("apiVersion".into(), json!("apps/v1"));
    out.insert("kind".into(), json!("Deployment"));
    for key in ["metadata", "spec"] {
        out.extend(map.shift_remove(key).map(|v| (key.to_owned(), v)));
    }
    for (field, first) in [("metadata", "name"), ("spec", "replicas")] {
        if let Some(inner) = out.get_mut(field).and_then(Value::as_object_mut)
            && let Some(v) = inner.shift_remove(first)
        {
            inner.shift_insert(0, first.into(), v);
        }
    }
    Value::Object(out)
}

/// The querynodes that name a resource group, with the group.
fn resource_groups<'a>(scene: &Scene<'a>) -> Vec<(&'a Component, String)> {
    scene
        .release
        .in_role(Role::QueryNode)
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
fn join_group(own: &mut Value, querynode: &Object, skeleton: &Value, group: &str, suffix: &str) {
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

/// The metrics Service of a role, in the shape of those the release has; `None` where it has none.
fn service(scene: &Scene, role: Role, name: &str) -> Option<Value> {
    let coordinator = |r: Role| r.is_legacy_coordinator() || r == Role::MixCoord;
    let mut candidates: Vec<(Role, Value)> = Vec::new();
    for object in scene.stream.objects.iter().filter(|o| o.reference.kind == "Service") {
        if let Some((of, value)) = metrics_service(scene, object) {
            candidates.push((of, value));
        }
    }
    // The shape of the nearest kin: a coordinator's for mixcoord, a node's for streamingnode, the proxy's at last.
    let kin = |r: Role| {
        if role == Role::MixCoord {
            coordinator(r)
        } else {
            !coordinator(r) && r != Role::Proxy
        }
    };
    let tiers: [&dyn Fn(Role) -> bool; 3] = [&kin, &|r| r != Role::Proxy, &|_| true];
    let chosen = tiers
        .iter()
        .map(|t| candidates.iter().filter(|(r, _)| t(*r)).collect::<Vec<_>>())
        .find(|c| !c.is_empty())?;
    let from_kin = chosen.iter().any(|(r, _)| kin(*r));
    let mut s = share(&chosen.iter().map(|(_, v)| v).collect::<Vec<_>>())?;
    s["apiVersion"] = json!("v1");
    s["kind"] = json!("Service");
    let spec = map_at(&mut s, &["spec"])?;
    spec.entry("type").or_insert(json!("ClusterIP"));
    if role == Role::StreamingNode {
        spec.insert("clusterIP".into(), json!("None"));
    } else if !from_kin {
        spec.shift_remove("clusterIP");
    }
    if spec.get("type").and_then(Value::as_str) != Some("ClusterIP") {
        spec.insert("type".into(), json!("ClusterIP"));
    }
    if let (Role::MixCoord, Some(values)) = (role, scene.values) {
        if let Some(ip) = values.truthy(&["service", "clusterIP"]) {
            map_at(&mut s, &["spec"])?.insert("clusterIP".into(), ip.clone());
        }
        for field in ["labels", "annotations"] {
            for (k, v) in values
                .truthy(&["service", field])
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
            {
                map_at(&mut s, &["metadata", field])?.insert(k.clone(), v.clone());
            }
        }
    }
    if s.pointer("/metadata/annotations").is_some_and(|a| !truthy(Some(a))) {
        map_at(&mut s, &["metadata"])?.shift_remove("annotations");
    }
    let mut s = filled(&s, role, name);
    for (at, first) in [("metadata", "name")] {
        if let Some(inner) = map_at(&mut s, &[at])
            && let Some(v) = inner.shift_remove(first)
        {
            inner.shift_insert(0, first.into(), v);
        }
    }
    let mut out = Map::new();
    for key in ["apiVersion", "kind", "metadata", "spec"] {
        out.insert(key.into(), s.get(key)?.clone());
    }
    Some(Value::Object(out))
}

/// A Service that serves the metrics of one role of this release, with its role's marks taken out and no other port.
fn metrics_service(scene: &Scene, object: &Object) -> Option<(Role, Value)> {
    if !namespaces_agree(&object.reference.namespace, &scene.release.namespace) {
        return None;
    }
    let s = object.at(&["spec", "selector"])?;
    let roles: Vec<Role> = scene
        .release
        .components
        .iter()
        .filter(|c| workload::pod_labels(scene.object(c)).is_some_and(|labels| selector::selects(s, true, labels)))
        .map(|c| c.role)
        .collect();
    let role = *roles.first()?;
    if roles.iter().any(|r| *r != role) {
        return None;
    }
    let mut value = object.value.clone();
    let ports = value.pointer_mut("/spec/ports")?.as_array_mut()?;
    ports.retain(|p| p["name"] == "metrics");
    if ports.is_empty() {
        return None;
    }
    for pointer in ["/metadata/labels", "/spec/selector"] {
        if let Some(labels) = value.pointer_mut(pointer) {
            replace_strings(labels, &|v| (v == role.as_str()).then(|| vec![ROLE.to_owned()]));
        }
    }
    let metadata = map_at(&mut value, &["metadata"])?;
    metadata.insert("name".into(), json!(NAME));
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.shift_remove(host::FILENAME);
    }
    Some((role, value))
}

/// Notes what comes as changes, each with its place, its bookkeeping and the renewed checksum.
pub fn inject(scene: &Scene, arrivals: Vec<Arrival>, checksum: Option<&str>, out: &mut Rewrite) {
    let folder = scene.template_folder();
    for arrival in arrivals {
        let mut workload = arrival.workload;
        if let Some(sum) = checksum
            && let Some(old) = workload.pointer_mut("/spec/template/metadata/annotations/checksum~1config")
        {
            *old = json!(sum);
        }
        let why = match arrival.role {
            Role::MixCoord => "the four coordinators run as one mixcoord",
            _ => "Milvus 2.6 keeps its write-ahead log in streaming nodes",
        };
        for (value, file) in [(Some(workload), "deployment"), (arrival.service, "svc")] {
            let Some(value) = value else { continue };
            let reference = reference(&value);
            if scene.stream.objects.iter().any(|o| o.reference.same_object(&reference)) {
                if file == "deployment" {
                    out.failures.push(format!(
                        "{reference} is in the stream already and does not run {}",
                        arrival.role
                    ));
                }
                continue;
            }
            let template = folder.as_ref().map(|f| format!("{f}{}-{file}.yaml", arrival.role));
            let (value, text) = host::dress(scene.stream.host, template.as_deref(), &value);
            let (document, behind) = place(scene, arrival.role, &reference.kind, out);
            out.changes.push(Change {
                op: ChangeOp::Inject,
                object: reference,
                document,
                behind,
                pointer: String::new(),
                patch: vec![add("", value)],
                text,
                why: why.into(),
            });
        }
    }
}

/// The identity of an injected value.
fn reference(value: &Value) -> ObjectRef {
    let text = |p: &str| value.pointer(p).and_then(Value::as_str).unwrap_or_default().to_owned();
    ObjectRef {
        api_version: text("/apiVersion"),
        kind: text("/kind"),
        namespace: text("/metadata/namespace"),
        name: text("/metadata/name"),
    }
}

/// Where an injected document stands: before the first of those it replaces, else behind the last document of its kind
/// that belongs to the release. The document it stands before, and whether it rather belongs behind the one before that.
fn place(scene: &Scene, role: Role, kind: &str, out: &Rewrite) -> (usize, bool) {
    let replaced: Vec<&ObjectRef> = scene
        .release
        .legacy_coordinators()
        .map(|c| &scene.object(c).reference)
        .chain(
            out.changes
                .iter()
                .filter(|c| c.op == ChangeOp::Drop && c.object.kind == "Service" && is_coordinators(&c.object.name))
                .map(|c| &c.object),
        )
        .collect();
    let ours = |o: &&Object| match kind {
        "Service" => metrics_service(scene, o).is_some(),
        _ => scene
            .release
            .components
            .iter()
            .any(|c| std::ptr::eq(scene.object(c), *o)),
    };
    let of_kind = || scene.stream.objects.iter().filter(|o| o.reference.kind == kind);
    if role == Role::MixCoord
        && let Some(first) = of_kind().find(|o| replaced.iter().any(|r| **r == o.reference))
    {
        return (first.document, false);
    }
    let last = of_kind().filter(ours).next_back().or_else(|| of_kind().next_back());
    last.map_or((scene.stream.documents.len(), true), |o| (o.document + 1, true))
}

fn is_coordinators(name: &str) -> bool {
    SPEAKERS.iter().any(|role| base_name(name, *role).is_some())
}
