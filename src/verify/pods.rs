//! Pods: none of another version than the one demanded, terminating ones included; and enough of them in the List.

use foldhash::HashSet;

use super::Missing;
use super::cluster::Pod;
use super::goal::{Expect, Goal, Runs};
use super::live::Live;
use super::rollout::counts;
use crate::milvus::release::{Component, Release};
use crate::milvus::version::Read;

/// Looks at every pod of a release.
pub fn check(goal: &Goal, live: &Live, release: &Release, missing: &mut Vec<Missing>) {
    let wanted: i64 = release.components.iter().map(|c| counts(live.object(c)).wanted).sum();
    if !live.cluster.has_pods {
        if wanted > 0 {
            let message = format!(
                "no Pods are among the live objects, and the workloads of {} ask for {wanted}: whether old ones still run or terminate cannot be told",
                release.name
            );
            missing.push(Missing::new("pods-missing", message, live.place.list()));
        }
        return;
    }
    let mut seen = HashSet::default();
    for component in &release.components {
        let object = live.object(component);
        let own = live.cluster.pods_of(object, release);
        too_few(goal, live, component, &own, missing);
        for pod in own {
            if seen.insert(pod.number) {
                one(goal, live, &pod, Some(component), missing);
            }
        }
    }
    // What no workload of the release owns any more: the workload was deleted, and its pods are on their way.
    for pod in live.cluster.pods_running(release) {
        if !seen.contains(&pod.number) {
            one(goal, live, &pod, None, missing);
        }
    }
}

/// A List that was cut down by a selector shows fewer pods than the workload itself reports.
fn too_few(goal: &Goal, live: &Live, component: &Component, own: &[Pod], missing: &mut Vec<Missing>) {
    let counts = counts(live.object(component));
    let there = i64::try_from(own.iter().filter(|p| !p.terminating()).count()).unwrap_or(i64::MAX);
    let reported = counts.ready.unwrap_or(0).min(counts.wanted);
    if there < reported && goal.expect(component.role) != Expect::Gone {
        let message = format!(
            "{} reports {reported} ready replicas, and {there} of its pods are among the live objects: not all of them can be seen",
            component.name
        );
        missing.push(
            Missing::new("pods-missing", message, live.place.list())
                .on(live.object(component), "/status/readyReplicas"),
        );
    }
}

fn one(goal: &Goal, live: &Live, pod: &Pod, owner: Option<&Component>, missing: &mut Vec<Missing>) {
    let name = &pod.object.reference.name;
    let describe = live.place.command(&format!("describe pod/{name}"));
    let runs = live.cluster.running(pod).and_then(|r| r.components.first());
    let Some(runs) = runs else {
        // Admission has put something else in Milvus' place, or it is the workload's sidecar that cannot be read.
        let whose = owner.map_or(String::new(), |c| format!(" of {}", c.name));
        let message = format!("pod {name}{whose} runs no Milvus in a known role");
        missing.push(Missing::new("role-undecidable", message, describe).on(pod.object, "/spec/containers"));
        return;
    };
    let image = format!("{}/image", runs.container);
    let going = going(pod);
    match goal.expect(runs.role) {
        Expect::Gone => {
            let message = format!(
                "pod {name} ({}) is left{going}; Milvus {} has no such role",
                runs.role, goal.target
            );
            missing.push(Missing::new("old-pod-left", message, describe).on(pod.object, &image));
        }
        Expect::Target => match version(goal, live, pod, runs) {
            Runs::Known(v) if goal.is_reached_by(&v) => stale(live, pod, owner, &describe, missing),
            Runs::AsBefore if goal.transition.is_ordinary() => {}
            Runs::Known(v) => {
                let message = format!(
                    "pod {name} ({}) still runs Milvus {}{going}",
                    runs.role,
                    v.with_variant()
                );
                missing.push(Missing::new("old-pod-left", message, describe).on(pod.object, &image));
            }
            Runs::AsBefore => {
                let message = format!("pod {name} ({}) still runs the image of before{going}", runs.role);
                missing.push(Missing::new("old-pod-left", message, describe).on(pod.object, &image));
            }
            Runs::Unknown(why) => {
                let message = format!("which Milvus pod {name} ({}) runs cannot be told ({why})", runs.role);
                missing.push(Missing::new("version-undecidable", message, describe).on(pod.object, &image));
            }
        },
        Expect::Before => {
            let workload = owner.map(|c| c.name.as_str());
            let same = |c: &Component| goal.is_as_before(runs.role, workload, &c.version, &c.image);
            let template = || live.cluster.template_of(pod).and_then(|r| r.components.first());
            let pinned = matches!(runs.version, Read::Undecidable(_));
            let fits = same(runs) || pinned && template().is_some_and(same);
            if !fits {
                let message = format!(
                    "pod {name} ({}) runs `{}`, and its stage is to come{going}",
                    runs.role, runs.image
                );
                missing.push(Missing::new("version-ahead", message, describe).on(pod.object, &image));
            }
        }
    }
    if let Some(trouble) = pod
        .trouble()
        .filter(|_| goal.expect(runs.role) == Expect::Target && !pod.terminating())
    {
        let message = format!("pod {name} ({}): {trouble}", runs.role);
        let logs = match trouble.starts_with("cannot be scheduled") {
            true => live.place.command(&format!("describe pod/{name}")),
            false => format!(
                "{}\n{}",
                live.place.command(&format!("describe pod/{name}")),
                live.place.command(&format!("logs {name} --previous --tail 50"))
            ),
        };
        missing.push(Missing::new("pod-in-trouble", message, logs).on(pod.object, "/status"));
    }
}

/// The version of a pod: by its image, else by the template it was made from.
fn version(goal: &Goal, live: &Live, pod: &Pod, runs: &Component) -> Runs {
    match goal.runs(&runs.version, &runs.image) {
        Runs::Unknown(why) => {
            let template = live.cluster.template_of(pod).and_then(|r| r.components.first());
            match template.map(|t| goal.runs(&t.version, &t.image)) {
                Some(Runs::Known(v)) => Runs::Known(v),
                _ => Runs::Unknown(why),
            }
        }
        known => known,
    }
}

/// A pod of the right version made from an earlier template: it has the configuration of before.
fn stale(live: &Live, pod: &Pod, owner: Option<&Component>, describe: &str, missing: &mut Vec<Missing>) {
    let name = &pod.object.reference.name;
    match owner {
        Some(component) if live.cluster.is_of_an_old_template(pod, live.object(component)) => {
            let message = format!(
                "pod {name} ({}) is of an earlier template{}",
                component.role,
                going(pod)
            );
            missing.push(Missing::new("old-pod-left", message, describe).on(pod.object, ""));
        }
        None if pod.is_owned() => {
            let message = format!("pod {name} is left of a workload that is gone{}", going(pod));
            missing.push(Missing::new("old-pod-left", message, describe).on(pod.object, ""));
        }
        _ => {}
    }
}

fn going(pod: &Pod) -> String {
    let grace = pod
        .object
        .at(&["metadata", "deletionGracePeriodSeconds"])
        .and_then(crate::value::Value::as_i64)
        .map(|s| format!(" ({s} seconds of grace)"))
        .unwrap_or_default();
    match pod.deleted_at() {
        Some(at) => format!(", terminating, to be gone by {at}{grace}"),
        None => String::new(),
    }
}
