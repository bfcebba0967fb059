//! `--order`: the stages as sync waves of Argo CD, so that one sync keeps the order of the upgrade.
//!
//! Source: argo-cd docs/user-guide/sync-waves.md and sync-options.md: a wave is applied when all of the one before is
//! healthy; what is pruned goes first in its wave, with PruneLast=true after all waves.

use std::collections::HashMap;

use crate::kube::{Object, ObjectRef};
use crate::milvus::role::Role;
use crate::rewrite::{Change, ChangeOp, add, replace};
use crate::stage::{self, LAST, Scene};
use crate::transition::Kind;
use crate::value::{Map, Value, json};
use crate::yaml::{self, PatchOp};

/// The wave an object is applied in; 0 where it is not said.
pub const WAVE: &str = "argocd.argoproj.io/sync-wave";

/// Options of one object for its sync, by commas.
pub const SYNC_OPTIONS: &str = "argocd.argoproj.io/sync-options";

const PRUNE_LAST: &str = "PruneLast=true";

/// Who keeps the order of an upgrade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Whoever applies it, by `--stage`.
    #[default]
    Unsaid,
    /// Argo CD, by sync waves.
    ArgoCd,
}

/// The kind whose stages are the waves. Where there are no stages, that of the upgrade to come: nothing then changes
/// its wave with it but what moves in another order between 2.6 releases.
pub fn kind(kind: Option<Kind>) -> Kind {
    match kind {
        Some(kind) if kind.last_stage().is_some() => kind,
        _ => Kind::Streaming,
    }
}

/// Notes every object's wave as a change of its own, or in the object that comes. `scene.last` is what `changes` make of
/// the stream.
pub fn waves(scene: &Scene, changes: &mut Vec<Change>) {
    let coming = changes.iter().enumerate().filter(|(_, c)| c.op == ChangeOp::Inject);
    let mut comes: HashMap<ObjectRef, Vec<usize>> = HashMap::new();
    for (i, change) in coming {
        comes.entry(change.object.clone()).or_default().push(i);
    }
    for object in scene.last.iter().filter(|o| !o.is_hook()) {
        let patch = annotations(scene, object);
        if patch.is_empty() {
            continue;
        }
        let mut known = comes.get(&object.reference).into_iter().flatten();
        match known.find(|i| stands_for(&changes[**i], object)) {
            Some(i) => dress(&mut changes[*i], &patch),
            None => {
                let wave = wave(scene, object);
                let why = format!("Argo CD's wave {wave}: {}", stage::describe(scene.kind, wave));
                changes.push(Change::patch(object, patch, why));
            }
        }
    }
}

fn stands_for(change: &Change, object: &Object) -> bool {
    change.patch.first().and_then(|op| op.value.as_ref()) == Some(&object.value)
}

/// The wave of an object: its stage, where Argo CD's health check does not ask for another.
fn wave(scene: &Scene, object: &Object) -> u8 {
    let stage = scene.stage_of(object);
    match object.reference.kind.as_str() {
        // Healthy only with an address, which a controller may give late or never: nothing may wait for it.
        "Ingress" if stage > 0 => LAST,
        // Healthy only when bound, which may take a pod that mounts it.
        "PersistentVolumeClaim" if stage > 0 => scene.uses.first(object).unwrap_or(stage),
        _ => stage,
    }
}

/// The operations that set an object's wave, and have what leaves last pruned last.
fn annotations(scene: &Scene, object: &Object) -> Vec<PatchOp> {
    let mut wanted = Map::new();
    let wave = wave(scene, object);
    if wave > 0 {
        wanted.insert(WAVE.into(), json!(wave.to_string()));
    }
    let roles = scene.roles(object);
    if !roles.is_empty() && roles.iter().all(|r| *r == Role::IndexNode) {
        let options = object.annotation(SYNC_OPTIONS).unwrap_or_default();
        if !options.split(',').any(|o| o.trim().starts_with("PruneLast=")) {
            let with = [options, PRUNE_LAST]
                .map(str::trim)
                .into_iter()
                .filter(|o| !o.is_empty());
            wanted.insert(SYNC_OPTIONS.into(), json!(with.collect::<Vec<_>>().join(",")));
        }
    }
    wanted.retain(|key, value| object.annotation(key) != value.as_str());
    if wanted.is_empty() {
        return vec![];
    }
    match object.at(&["metadata", "annotations"]) {
        None => vec![add("/metadata/annotations", wanted)],
        Some(Value::Object(there)) => wanted
            .into_iter()
            .map(|(key, value)| {
                let path = format!("/metadata/annotations/{}", crate::kube::object::escape(&key));
                if there.contains_key(&key) {
                    replace(path, value)
                } else {
                    add(path, value)
                }
            })
            .collect(),
        Some(_) => vec![replace("/metadata/annotations", wanted)],
    }
}

/// Sets them in an object that comes, and in its text.
fn dress(change: &mut Change, patch: &[PatchOp]) {
    let Some(value) = change.patch.first_mut().and_then(|op| op.value.as_mut()) else {
        return;
    };
    if let Ok(new) = yaml::patch_value(value, patch) {
        let head: String = change
            .text
            .split_inclusive('\n')
            .take_while(|line| line.starts_with("---") || line.starts_with('#'))
            .collect();
        change.text = format!("{head}{}", yaml::emit(&new));
        *value = new;
    }
}
