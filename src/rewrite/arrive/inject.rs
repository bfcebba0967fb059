//! Where what comes stands in the stream, and its bookkeeping.

use std::cell::LazyCell;

use foldhash::{HashMap, HashSet};

use super::{Arrival, SPEAKERS, sound};
use crate::host;
use crate::kube::named::Named;
use crate::kube::{Object, ObjectRef, names};
use crate::milvus::release::base_name;
use crate::milvus::role::Role;
use crate::rewrite::chart::values_key;
use crate::rewrite::place::{self, Place};
use crate::rewrite::service::metrics_services;
use crate::rewrite::{Change, ChangeOp, Failure, Rewrite, Scene, add};
use crate::value::{Value, json};

/// Notes what comes as changes, each with its place, its bookkeeping and the renewed checksum.
pub fn inject(scene: &Scene, arrivals: Vec<Arrival>, checksum: Option<&str>, out: &mut Rewrite) {
    if arrivals.is_empty() {
        return;
    }
    let folder = scene.template_folder();
    let comes = |o: &&Object| matches!(&o.reference.kind[..], "Deployment" | "Service");
    let there = Named::of(scene.stream.objects.iter().filter(comes));
    let fit = LazyCell::new(|| names_hold(scene));
    let mut places: HashMap<(Role, &str), Place> = HashMap::default();
    let mut told = HashSet::default();
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
        if scene.values.is_some() {
            misread(&workload, values_key(arrival.role), &mut told, out);
        }
        for (value, file) in [(Some(workload), "deployment"), (arrival.service, "svc")] {
            let Some(value) = value else { continue };
            let reference = reference(&value);
            if there.holds(&reference) {
                if file == "deployment" {
                    out.failures.push(Failure::Unbuilt(format!(
                        "{reference} is in the stream already and does not run {}",
                        arrival.role
                    )));
                }
                continue;
            }
            if let Some(why) = names::refused(&reference.kind, &reference.name).filter(|_| *fit) {
                out.failures.push(Failure::Name { object: reference, why });
                continue;
            }
            let template = folder.as_ref().map(|f| format!("{f}{}-{file}.yaml", arrival.role));
            let (value, text) = host::dress(scene.stream.host, template.as_deref(), value);
            // Nothing that comes moves what comes after it: all of one role and kind have one place.
            let at = places
                .entry((arrival.role, file))
                .or_insert_with(|| place(scene, arrival.role, &reference.kind, out))
                .clone();
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

/// Notes what the values below a key give to a workload and Kubernetes cannot read, once for all resource groups.
fn misread(workload: &Value, key: &'static str, told: &mut HashSet<String>, out: &mut Rewrite) {
    for why in sound::faults(workload) {
        if told.insert(why.clone()) {
            let object = reference(workload);
            out.failures.push(Failure::Values { object, key, why });
        }
    }
}

/// Whether the release's own metrics Services have names that Kubernetes takes. Where they have not, nobody can apply this
/// stream, whatever comes with it, and the API server says so of the user's own objects.
fn names_hold(scene: &Scene) -> bool {
    let mut own = metrics_services(scene)
        .iter()
        .map(|m| &scene.stream.objects[m.object].reference);
    own.all(|o| names::refused(&o.kind, &o.name).is_none())
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
    let replaced: HashSet<&ObjectRef> = scene
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
    let ours: HashSet<usize> = match kind {
        "Service" => metrics_services(scene).iter().map(|m| m.object).collect(),
        _ => scene.release.components.iter().map(|c| c.object).collect(),
    };
    let of_kind = || {
        let all = scene.stream.objects.iter().enumerate();
        all.filter(|(_, o)| o.reference.kind == kind)
    };
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
            .find(|o| replaced.contains(&o.reference))
    {
        return place::before(scene.stream, first);
    }
    let workloads = || scene.release.components.iter().map(|c| scene.object(c));
    let last = of_kind().rfind(|(i, _)| ours.contains(i)).map(|(_, o)| o);
    let last = last
        .or_else(|| workloads().rfind(|_| kind != "Service"))
        .or_else(|| of_kind().next_back().map(|(_, o)| o));
    last.map_or_else(|| place::last(scene.stream), |o| place::behind(scene.stream, o))
}

fn is_coordinators(name: &str) -> bool {
    SPEAKERS.iter().any(|role| base_name(name, *role).is_some())
}
