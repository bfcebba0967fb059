//! What moves in a later stage stays as it is deployed.

use std::rc::Rc;

use foldhash::HashSet;

use super::Scene;
use super::scene::is_live;
use crate::diff::{self, server, tree};
use crate::host;
use crate::kube::delta::{delta, without_server_fields};
use crate::kube::object::namespaces_agree;
use crate::kube::{Object, workload};
use crate::rewrite::{Change, ChangeOp, add, place};
use crate::value::{Map, Value};
use crate::yaml::PatchOp;

/// The changes that apply the rewrite up to a stage: those of later stages are replaced by what keeps the deployed
/// object, or keeps away what is not deployed yet.
pub fn hold_back(scene: &Scene, stage: u8, changes: &[Change]) -> Vec<Change> {
    let later = |object: &Object| scene.stage_of(object) > stage;
    let mut out: Vec<Change> = Vec::new();
    for change in changes {
        let object = match change.op {
            ChangeOp::Inject => {
                let mut same = scene.known.last.same(&change.object);
                same.find(|o| o.reference == change.object)
            }
            _ => scene.known.places.get(&(change.document, &change.pointer[..])).copied(),
        };
        if !object.is_some_and(later) || change.op == ChangeOp::Restyle {
            out.push(change.clone());
        }
    }
    for object in scene.stream.objects.iter().filter(|o| !o.is_hook() && later(o)) {
        match scene.deployed(object) {
            Some(current) => {
                let patch = back(scene, object, current);
                if !patch.is_empty() {
                    let stage = scene.stage_of(object);
                    let why = format!("it moves in stage {stage} and stays as it is deployed");
                    out.push(Change::patch(object, patch, why));
                }
            }
            None if scene.shows(&object.reference.kind) => {
                let why = format!("it comes in stage {}", scene.stage_of(object));
                out.push(Change::drop(object, why));
            }
            // Whether it is deployed is unknown, and to leave it out would take it away where it is.
            None => {}
        }
    }
    for current in scene.current.objects.iter().filter(|o| !o.is_hook()) {
        if let Some(why) = stays(scene, stage, current)
            && !scene.known.stream.holds(&current.reference)
        {
            out.push(inject(scene, current, why));
        }
    }
    out
}

/// Why a deployed object that is not rendered any more stays in a stage, where it does.
fn stays(scene: &Scene, stage: u8, current: &Object) -> Option<String> {
    let moves = scene.stage_of(current);
    if moves > stage && scene.owns(current) {
        return Some(match scene.known.last.holds(&current.reference) {
            true => format!("it moves in stage {moves} and stays as it is deployed"),
            false => format!("it leaves in stage {moves}"),
        });
    }
    let last = last_user(scene, current).filter(|last| *last > stage)?;
    Some(format!("pods that move in stage {last} need it to start"))
}

/// The stage of the last component whose deployed pods need an object.
fn last_user(scene: &Scene, needed: &Object) -> Option<u8> {
    let kind = needed.reference.kind.as_str();
    let here = namespaces_agree(&needed.reference.namespace, &scene.before.namespace);
    // `--hide-secret`: the chart renders it, and nobody is to see it.
    let hidden = kind == "Secret" && host::hides_secrets(scene.stream);
    if !here || hidden || scene.applied(needed) != Some(true) {
        return None;
    }
    scene.uses.last(needed)
}

/// What makes the deployed object of a rendered one. Of a live one only what somebody asked for: the server fills in the
/// rest again.
fn back(scene: &Scene, object: &Object, current: &Object) -> Vec<PatchOp> {
    let mut kept = kept(current, host::bookkeeping(&object.value));
    if !is_live(current) {
        return delta(&object.value, &kept);
    }
    for field in ["labels", "annotations"] {
        let rendered = object.at(&["metadata", field]).and_then(Value::as_object);
        let live = kept
            .pointer_mut(&format!("/metadata/{field}"))
            .and_then(Value::as_object_mut);
        if let Some(live) = live {
            // Others put theirs on live objects, too; written down here they would be Helm's to take away later.
            live.retain(|key, _| rendered.is_some_and(|r| r.contains_key(key)));
        }
    }
    let unseen = !scene.shows("HorizontalPodAutoscaler") && is_scaled(&scene.known.scaled_last, object);
    if workload::replicas(object).is_none() && (unseen || is_scaled(&scene.known.scaled, current)) {
        // Once written down it would be taken away later, and the server then starts again at one.
        if let Some(spec) = kept.get_mut("spec").and_then(Value::as_object_mut) {
            spec.remove("replicas");
        }
    }
    let scope = tree::Scope {
        kind: &object.reference.kind,
        live: (false, true),
    };
    let both = tree::compare(&scope, Some(&object.value), Some(&kept));
    match both.differs() {
        true => diff::patch::of(diff::Op::Change, Some(&object.value), &both),
        false => vec![],
    }
}

/// Whether a workload is among what autoscalers scale: they set its replicas.
pub fn is_scaled(scaled: &HashSet<(&str, &str)>, workload: &Object) -> bool {
    scaled.contains(&(&workload.reference.kind[..], &workload.reference.name[..]))
}

/// A deployed object as it would be applied again: without the server's fields, with this host's bookkeeping.
fn kept(current: &Object, bookkeeping: Map) -> Value {
    let mut value = without_server_fields(Value::clone(&current.value));
    host::without_bookkeeping(&mut value);
    host::annotate(&mut value, bookkeeping);
    value
}

/// Brings back an object that is deployed and not rendered any more.
fn inject(scene: &Scene, current: &Object, why: String) -> Change {
    let kind = current.reference.kind.as_str();
    let neighbour = scene.known.last_of_kind.get(kind);
    let at = neighbour.map_or_else(|| place::last(scene.stream), |o| place::behind(scene.stream, o));
    let template = scene.template_of(current).or_else(|| template(scene, current));
    let mut kept = kept(current, Map::new());
    if is_live(current)
        && let Some(spec) = kept.get_mut("spec")
    {
        *spec = server::asked_for(kind, &mut vec!["spec".to_owned()], spec, true);
    }
    let (value, text) = host::dress(scene.stream.host, template.as_deref(), kept);
    Change {
        op: ChangeOp::Inject,
        object: current.reference.clone(),
        document: at.document,
        behind: at.behind,
        pointer: at.pointer,
        patch: vec![add("", value)],
        text,
        why,
    }
}

/// The chart's own name for the template of a role's object.
fn template(scene: &Scene, current: &Object) -> Option<Rc<str>> {
    let role = scene.role_before(current)?;
    let file = match current.reference.kind.as_str() {
        "Service" => "svc",
        "HorizontalPodAutoscaler" => "hpa",
        _ => "deployment",
    };
    let folder = scene.template_folder()?;
    Some(format!("{folder}{role}-{file}.yaml").into())
}
