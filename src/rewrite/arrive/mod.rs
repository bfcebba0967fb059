//! What comes: mixcoord and the streaming nodes, their Services, and the place where they stand.

use serde_json::{Map, Value, json};

use super::chart::{self, RESOURCE_GROUP, STREAMING_SWITCH, Sibling};
use super::join::{Coordinator, join};
use super::neutral::{CONTAINERS, filled, map_at, neutral, role_keys, volume_names, without_mounts_of};
use super::place::{self, Place};
use super::service::{metrics_service, service};
use super::share::share;
use super::{Change, ChangeOp, Rewrite, Scene, Topology, add};
use crate::facts;
use crate::host;
use crate::kube::{Object, ObjectRef};
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
            let keys = role_keys(scene);
            let coordinators: Vec<Coordinator> = SPEAKERS
                .iter()
                .flat_map(|role| distinct(scene, *role))
                .filter_map(|c| {
                    Some(Coordinator {
                        role: c.role.as_str(),
                        value: neutral(scene.object(c), c, &keys)?,
                    })
                })
                .collect();
            join(&coordinators, super::config::all_standby(scene), out)?
        }
    };
    let name = format!("{base}-{}", Role::MixCoord);
    let workload = finish(&neutral_workload, Role::MixCoord, &name);
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
            workload: finish(&shared, role, &name),
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
                workload: finish(&own, role, &format!("{name}{suffix}")),
                service: service.take(),
            }
        })
        .collect()
}

/// All Milvus Deployments of the release without the marks of their roles.
fn siblings(scene: &Scene) -> Vec<Sibling> {
    let keys = role_keys(scene);
    let of = |c: &Component| Some((c.role, neutral(scene.object(c), c, &keys)?));
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
    // All may mount a volume of one name that is another one in each.
    let kept = volume_names(&shared);
    let lost: Vec<Value> = volume_names(values.first()?)
        .into_iter()
        .filter(|n| !kept.contains(n))
        .collect();
    without_mounts_of(&mut shared, &lost);
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

/// Fields of StatefulSets and DaemonSets that Deployments do not have.
const NOT_IN_DEPLOYMENTS: [&str; 6] = [
    "serviceName",
    "volumeClaimTemplates",
    "podManagementPolicy",
    "updateStrategy",
    "persistentVolumeClaimRetentionPolicy",
    "ordinals",
];

/// Puts the role's marks, its own port and the fixed first fields in.
fn finish(neutral_workload: &Value, role: Role, name: &str) -> Value {
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
    // A fork may run Milvus in StatefulSets or DaemonSets: what comes is the chart's own kind, without their fields.
    let claims: Vec<Value> =
        volume_names(&json!({"spec": {"volumeClaimTemplates": w["spec"]["volumeClaimTemplates"]}}));
    without_mounts_of(&mut w, &claims);
    if let Some(spec) = map_at(&mut w, &["spec"]) {
        for field in NOT_IN_DEPLOYMENTS {
            spec.shift_remove(field);
        }
    }
    ordered(w)
}

/// Takes out keys without a value: charts print `annotations:` and `initContainers:` with nothing behind them.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, v| !v.is_null());
            map.values_mut().for_each(without_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// The fields in the order in which people read manifests.
fn ordered(mut w: Value) -> Value {
    without_nulls(&mut w);
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

/// The components in a role; of an object that comes twice the last, which is the one that Helm leaves in the cluster.
fn distinct<'s, 'a>(scene: &'s Scene<'a>, role: Role) -> impl Iterator<Item = &'a Component> + use<'s, 'a> {
    let release = scene.release;
    release.components.iter().enumerate().filter_map(move |(i, c)| {
        let same = |d: &&Component| scene.object(d).reference == scene.object(c).reference;
        (c.role == role && release.components[i + 1..].iter().find(same).is_none()).then_some(c)
    })
}

/// The querynodes that name a resource group, with the group.
fn resource_groups<'a>(scene: &Scene<'a>) -> Vec<(&'a Component, String)> {
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
            let at = place(scene, arrival.role, &reference.kind, out);
            out.changes.push(Change {
                op: ChangeOp::Inject,
                object: reference,
                document: at.document,
                behind: at.behind,
                pointer: at.pointer,
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
/// that belongs to the release.
fn place(scene: &Scene, role: Role, kind: &str, out: &Rewrite) -> Place {
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
    let keys = role_keys(scene);
    let ours = |o: &&Object| match kind {
        "Service" => metrics_service(scene, o, &keys).is_some(),
        _ => scene
            .release
            .components
            .iter()
            .any(|c| std::ptr::eq(scene.object(c), *o)),
    };
    let of_kind = || scene.stream.objects.iter().filter(|o| o.reference.kind == kind);
    // A fork's coordinators need not be Deployments.
    let stood = |o: &&Object| match kind {
        "Service" => o.reference.kind == kind,
        _ => o.reference.kind != "Service",
    };
    if role == Role::MixCoord
        && let Some(first) = scene
            .stream
            .objects
            .iter()
            .filter(stood)
            .find(|o| replaced.iter().any(|r| **r == o.reference))
    {
        return place::before(scene.stream, first);
    }
    let workloads = || scene.release.components.iter().map(|c| scene.object(c));
    let last = of_kind()
        .rfind(ours)
        .or_else(|| workloads().rfind(|_| kind != "Service"))
        .or_else(|| of_kind().next_back());
    last.map_or_else(|| place::last(scene.stream), |o| place::behind(scene.stream, o))
}

fn is_coordinators(name: &str) -> bool {
    SPEAKERS.iter().any(|role| base_name(name, *role).is_some())
}
