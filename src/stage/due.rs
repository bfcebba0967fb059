//! Which stage is due: the first that changes anything.

use foldhash::HashSet;

use super::hold::{hold_back, is_scaled};
use super::scene::{is_live, scaled};
use super::{LAST, Scene};
use crate::diff::tree;
use crate::host;
use crate::kube::named::Named;
use crate::kube::{Object, workload};
use crate::order;
use crate::rewrite::Change;

/// Labels and annotations of pods that change with every chart and say nothing of what runs.
const IDLE: [&str; 7] = [
    "helm.sh/chart",
    "app.kubernetes.io/version",
    "app.kubernetes.io/managed-by",
    "chart",
    "heritage",
    order::WAVE,
    order::SYNC_OPTIONS,
];

/// The first stage that changes a workload's spec or its configuration against what is deployed; the last where none
/// does.
pub fn next(scene: &Scene, changes: &[Change]) -> u8 {
    for stage in 0..LAST {
        let Ok(objects) = crate::apply::proposed(scene.stream, &hold_back(scene, stage, changes)) else {
            return stage;
        };
        if differs(scene, &objects) {
            return stage;
        }
    }
    LAST
}

/// Whether a workload or a configuration differs; generated data, chart labels, checksums and bookkeeping do not count.
/// What another Milvus release beside this one moves is that one's.
fn differs(scene: &Scene, proposed: &[Object]) -> bool {
    let own = |o: &&Object| counts(o) && !scene.others.own_after(o);
    let scaled: HashSet<(&str, &str)> = scaled(proposed).collect();
    let changed = proposed.iter().filter(own).any(|o| match scene.deployed(o) {
        Some(current) => moves(scene, &scaled, o, current),
        None => scene.shows(&o.reference.kind),
    });
    let names = Named::of(proposed);
    let left = |c: &&Object| !names.holds(&c.reference);
    changed
        || scene
            .current
            .objects
            .iter()
            .filter(|c| counts(c))
            .filter(left)
            .any(|c| leaves(scene, c))
}

fn counts(object: &Object) -> bool {
    let kind = object.reference.kind.as_str();
    let workload = workload::template(object).is_some() && workload::SERVING_KINDS.contains(&kind);
    !object.is_hook() && (workload || kind == "ConfigMap")
}

/// Whether a deployed object that is not applied any more leaves with that.
fn leaves(scene: &Scene, current: &Object) -> bool {
    if scene.others.own_before(current) {
        return false;
    }
    if !is_live(current) {
        return true;
    }
    // Helm takes nothing away that it did not apply.
    let owned = scene.applied(current).unwrap_or_else(|| scene.owns(current));
    owned && !current.is_kept()
}

/// Whether what is proposed changes what is deployed. What a live object holds and nobody proposes is no change: a
/// controller put it there, or it leaves with the stage that its workload moves in.
fn moves(scene: &Scene, scaled: &HashSet<(&str, &str)>, object: &Object, current: &Object) -> bool {
    if object.value == current.value {
        return false;
    }
    let live = is_live(current);
    let scope = tree::Scope {
        kind: &object.reference.kind,
        live: (live, false),
    };
    let tree = tree::compare(&scope, Some(&current.value), Some(&object.value));
    let by_scaler = || is_scaled(&scene.known.scaled, current) || is_scaled(scaled, object);
    tree.changes().iter().any(|change| {
        let idle = is_idle(&change.path);
        let stays = live && (change.moved || change.after.is_none() && !is_command(&change.path));
        let by_others = change.path == "/spec/replicas" && by_scaler();
        !idle && !stays && !by_others
    })
}

/// Whether a path leads to what says nothing of what runs: the metadata of the object itself (others write there, too, and
/// what differs there for ever must not hold a stage for ever), or a label or annotation of its pods.
fn is_idle(path: &str) -> bool {
    if path.starts_with("/metadata/") {
        return true;
    }
    let mut keys = path.rsplit('/');
    let key = keys.next().unwrap_or_default().replace("~1", "/").replace("~0", "~");
    matches!(keys.next(), Some("labels" | "annotations"))
        && keys.next() == Some("metadata")
        && (key.starts_with("checksum/") || IDLE.contains(&key.as_str()) || host::is_bookkeeping(&key))
}

/// Whether a path leads to a word of a command line, where one less is another command.
fn is_command(path: &str) -> bool {
    path.contains("/args/") || path.contains("/command/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_with_every_rendering_is_idle_where_it_is_metadata() {
        for (path, idle) in [
            ("/metadata/labels/helm.sh~1chart", true),
            ("/metadata/annotations/checksum~1config", true),
            ("/spec/template/metadata/annotations/checksum~1config", true),
            ("/metadata/annotations/argocd.argoproj.io~1sync-wave", true),
            ("/metadata/annotations/internal.config.kubernetes.io~1index", true),
            ("/metadata/labels/component", true),
            ("/metadata/annotations/example.com~1checksum", true),
            ("/spec/template/metadata/labels/component", false),
            ("/spec/template/metadata/labels/helm.sh~1chart", true),
            ("/spec/template/metadata/annotations/example.com~1checksum", false),
            ("/spec/selector/chart", false),
            ("/spec/labels/chart", false),
            ("/data/chart", false),
        ] {
            assert_eq!(is_idle(path), idle, "{path}");
        }
    }

    #[test]
    fn a_word_of_a_command_line_is_known_by_its_list() {
        for (path, is) in [
            ("/spec/template/spec/containers/0/args/1", true),
            ("/spec/template/spec/containers/0/command/0", true),
            ("/spec/template/spec/containers/0/env/1", false),
        ] {
            assert_eq!(is_command(path), is, "{path}");
        }
    }
}
