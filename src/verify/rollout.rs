//! Whether a workload has rolled out what it asks for (Kubernetes `kubectl rollout status`, apps/v1 status fields).

use super::goal::{Expect, Goal, Runs};
use super::live::{Live, named};
use super::{Missing, Outcome};
use crate::kube::object::text_at;
use crate::kube::{Object, workload};
use crate::milvus::release::Component;
use crate::value::Value;

/// How many pods a workload wants, and how far it is.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    /// The replicas it asks for; the nodes a DaemonSet is to run on.
    pub wanted: i64,
    /// All it has, those of earlier templates included.
    pub total: Option<i64>,
    /// Those of its newest template.
    pub updated: Option<i64>,
    /// Those that are ready.
    pub ready: Option<i64>,
    /// Those that have been ready long enough.
    pub available: Option<i64>,
}

/// Reads the counts of a workload. Counts of 0 are left out by the API server, so a status without one says 0.
pub fn counts(object: &Object) -> Counts {
    let status = object
        .at(&["status"])
        .and_then(Value::as_object)
        .filter(|s| !s.is_empty());
    let count = |key: &str| status.map(|s| s.get(key).and_then(Value::as_i64).unwrap_or(0));
    if object.reference.kind == "DaemonSet" {
        return Counts {
            wanted: count("desiredNumberScheduled").unwrap_or(0),
            total: count("currentNumberScheduled"),
            updated: count("updatedNumberScheduled"),
            ready: count("numberReady"),
            available: count("numberAvailable"),
        };
    }
    let total = count("replicas");
    let updated = match object.reference.kind.as_str() {
        // Once all is rolled out both revisions are one, and some versions leave the count away.
        "StatefulSet" if status.is_some_and(|s| revisions_agree(s) && !s.contains_key("updatedReplicas")) => total,
        _ => count("updatedReplicas"),
    };
    Counts {
        wanted: workload::replicas(object).unwrap_or(1),
        total,
        updated,
        ready: count("readyReplicas"),
        // StatefulSets know it from Kubernetes 1.22 on.
        available: match status.is_some_and(|s| s.contains_key("availableReplicas"))
            || object.reference.kind == "Deployment"
        {
            true => count("availableReplicas"),
            false => count("readyReplicas"),
        },
    }
}

fn revisions_agree(status: &crate::value::Map) -> bool {
    status.get("updateRevision").is_some() && status.get("updateRevision") == status.get("currentRevision")
}

/// Whether a component is on the version that is demanded of it, and rolled out.
pub fn component(goal: &Goal, live: &Live, component: &Component, out: &mut Outcome) {
    let object = live.object(component);
    let expect = goal.expect(component.role);
    let image = format!("{}/image", component.container);
    let stage = goal.kind.last_stage().map(|_| goal.stage_of(component.role));
    let describe = live.place.command(&format!("describe {}", live.named(component)));
    let found = match expect {
        Expect::Gone => Some(gone(goal, live, component)),
        Expect::Target => {
            behind(goal, component).map(|message| Missing::new("version-behind", message, describe).on(object, &image))
        }
        Expect::Before => {
            let (role, name) = (component.role, Some(component.name.as_str()));
            let same = goal.is_as_before(role, name, &component.version, &component.image);
            (!same).then(|| {
                let was = goal
                    .was(role, name)
                    .map_or("not there".to_owned(), |(image, _)| format!("`{image}`"));
                let message = format!(
                    "{} runs `{}` and was {was} before: it belongs to stage {}, which comes after stage {}",
                    component.name,
                    component.image,
                    stage.unwrap_or_default(),
                    goal.stage
                );
                let help = format!(
                    "where the later stage was applied on purpose, verify that one: --stage {}",
                    stage.unwrap_or_default()
                );
                Missing::new("version-ahead", message, help).on(object, &image)
            })
        }
    };
    let leaves = expect == Expect::Gone;
    out.missing.extend(found);
    if leaves {
        return;
    }
    let late = rolled_out(live, object);
    match expect {
        Expect::Before => {
            let each = late
                .into_iter()
                .map(|m| format!("{} (it belongs to a later stage): {}", component.name, m.message));
            out.notes.extend(each);
        }
        _ => out.missing.extend(late),
    }
}

fn gone(goal: &Goal, live: &Live, component: &Component) -> Missing {
    let why = match component.role.is_legacy_coordinator() {
        true => format!(
            "{} ({}) is still there: Milvus {} has mixcoord in its place, and a coordinator that still runs writes the same metadata",
            component.name, component.role, goal.target
        ),
        false => format!(
            "{} ({}) is still there: Milvus {} has no such role",
            component.name, component.role, goal.target
        ),
    };
    let object = live.object(component);
    let look = live.place.command(&format!("get {}", live.named(component)));
    let kept = match object.is_kept() {
        true => format!(
            "\nit is marked to be kept, so Helm leaves it; once its pods are of no use any more: {}",
            live.place.command(&format!("delete {}", live.named(component)))
        ),
        false => String::new(),
    };
    Missing::new("legacy-role-left", why, format!("{look}{kept}")).on(object, "")
}

fn behind(goal: &Goal, component: &Component) -> Option<String> {
    let name = &component.name;
    let ordinary = goal.transition.is_ordinary();
    match goal.runs(&component.version, &component.image) {
        Runs::Known(v) if goal.is_reached_by(&v) => None,
        Runs::AsBefore if ordinary => None,
        Runs::Known(v) => Some(format!(
            "{name} asks for Milvus {}, not for {}",
            v.with_variant(),
            goal.target.with_variant()
        )),
        Runs::AsBefore => Some(format!(
            "{name} asks for the same image as before, `{}`",
            component.image
        )),
        Runs::Unknown(why) => Some(format!(
            "{name} asks for `{}`, and whether that is {} cannot be told ({why}): if it is, --assume target-version={}",
            component.image, goal.target, goal.target
        )),
    }
}

/// What keeps a workload from having rolled out.
pub fn rolled_out(live: &Live, object: &Object) -> Vec<Missing> {
    let mut found = Vec::new();
    let name = &object.reference.name;
    let status = live.place.command(&format!("rollout status {}", named(object)));
    let describe = live.place.command(&format!("describe {}", named(object)));
    let missing =
        |reason, message: String, help: &str, field: &str| Missing::new(reason, message, help).on(object, field);
    let n = counts(object);
    let (Some(total), Some(updated), Some(ready), Some(available)) = (n.total, n.updated, n.ready, n.available) else {
        let message =
            format!("{name} has no status: this is a manifest, no live object, or no controller has seen it yet");
        return vec![missing("not-live", message, &describe, "")];
    };
    let number = |path: &[&str]| {
        let value = object.at(path)?;
        value.as_i64().or_else(|| value.as_str()?.parse().ok())
    };
    if let Some(generation) = number(&["metadata", "generation"]) {
        let observed = number(&["status", "observedGeneration"]).unwrap_or(0);
        if observed < generation {
            found.push(missing(
                "generation-not-observed",
                format!("the controller has seen generation {observed} of {name}, and {generation} was applied"),
                &status,
                "/status/observedGeneration",
            ));
        }
    }
    found.extend(conditions(object, name, &describe));
    if let Some(message) = strategy(object, name, updated < n.wanted || total > updated) {
        found.push(missing("paused", message, &resume(live, object), "/spec"));
    }
    let wanted = n.wanted;
    let mut short = |reason, have: i64, word: &str, field: &str, help: &str| {
        if have < wanted {
            found.push(missing(
                reason,
                format!("{have} of {wanted} replicas of {name} are {word}"),
                help,
                field,
            ));
        }
    };
    let field = |plain: &'static str, daemon: &'static str| match object.reference.kind.as_str() {
        "DaemonSet" => daemon,
        _ => plain,
    };
    short(
        "rollout-unfinished",
        updated,
        "updated",
        field("/status/updatedReplicas", "/status/updatedNumberScheduled"),
        &status,
    );
    short(
        "not-ready",
        ready,
        "ready",
        field("/status/readyReplicas", "/status/numberReady"),
        &describe,
    );
    if ready >= wanted {
        short(
            "not-available",
            available,
            "available",
            field("/status/availableReplicas", "/status/numberAvailable"),
            &status,
        );
    }
    if total > updated {
        let message = format!(
            "{} of {total} replicas of {name} are still of an earlier template",
            total - updated
        );
        found.push(missing(
            "old-replicas-left",
            message,
            &status,
            field("/status/replicas", "/status/currentNumberScheduled"),
        ));
    }
    if total > wanted && total <= updated {
        let message = format!("{name} has {total} replicas and asks for {wanted}");
        found.push(missing("old-replicas-left", message, &status, "/status/replicas"));
    }
    found
}

/// What the controller itself says is wrong.
fn conditions(object: &Object, name: &str, describe: &str) -> Vec<Missing> {
    let list = object.at(&["status", "conditions"]).and_then(Value::as_array);
    let mut found = Vec::new();
    for (i, condition) in list.into_iter().flatten().enumerate() {
        let says = |kind: &str, status: &str| condition["type"] == kind && condition["status"] == status;
        let reason = match condition["reason"].as_str() {
            Some("ProgressDeadlineExceeded") if says("Progressing", "False") => "progress-deadline-exceeded",
            _ if says("ReplicaFailure", "True") => "replica-failure",
            _ => continue,
        };
        let message = condition["message"].as_str().unwrap_or("no reason is given");
        let text = format!("{name}: {}", crate::state::scrub::text(message));
        found.push(Missing::new(reason, text, describe).on(object, &format!("/status/conditions/{i}")));
    }
    found
}

/// What in its own settings keeps a workload from rolling on.
fn strategy(object: &Object, name: &str, unfinished: bool) -> Option<String> {
    if !unfinished {
        return None;
    }
    if object.at(&["spec", "paused"]) == Some(&Value::Bool(true)) {
        return Some(format!("{name} is paused, so nothing of it is rolled out"));
    }
    let kind = text_at(&object.value, &["spec", "updateStrategy", "type"]);
    if kind == Some("OnDelete") {
        return Some(format!(
            "{name} updates a pod only when it is deleted by hand (updateStrategy OnDelete)"
        ));
    }
    let partition = object
        .at(&["spec", "updateStrategy", "rollingUpdate", "partition"])
        .and_then(Value::as_i64);
    partition
        .filter(|p| *p > 0)
        .map(|p| format!("{name} updates no pod below ordinal {p} (partition)"))
}

fn resume(live: &Live, object: &Object) -> String {
    match object.reference.kind.as_str() {
        "Deployment" => live.place.command(&format!("rollout resume {}", named(object))),
        _ => live.place.command(&format!("describe {}", named(object))),
    }
}

/// The workloads beside Milvus: they move in stage 0, and every later stage stands on them.
pub fn dependencies(goal: &Goal, live: &Live, out: &mut Outcome) {
    let staged = goal.kind.last_stage().is_some();
    for object in live.owned {
        let own_question = staged && goal.stage == 0;
        let unseen = counts(object).total.is_none();
        let late = rolled_out(live, object);
        match unseen && !own_question {
            true => out
                .notes
                .push(format!("{} has no status, and was not looked at", object.reference)),
            false => out.missing.extend(late),
        }
    }
    let known = live.before().iter().filter(|o| {
        workload::SERVING_KINDS.contains(&o.reference.kind.as_str())
            && workload::template(o).is_some()
            && !live.cluster.ran.contains(&o.reference.name[..])
            && !live.cluster.named.holds(&o.reference)
    });
    let absent: Vec<String> = known
        .map(|o| format!("{} {}", o.reference.kind, o.reference.name))
        .collect();
    if absent.is_empty() {
        return;
    }
    let message = format!(
        "not among the live objects, though --current has them: {}",
        absent.join(", ")
    );
    match staged && goal.stage == 0 {
        true => out
            .missing
            .push(Missing::new("component-missing", message, live.place.list())),
        false => out.notes.push(message),
    }
}
