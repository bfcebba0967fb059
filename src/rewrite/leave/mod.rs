//! What leaves, and what only served it.

mod reselect;
mod sets;
#[cfg(test)]
mod tests;

use foldhash::HashSet;

use super::arrive::Arrival;
use super::{Change, Rewrite, Scene};
use crate::kube::object::namespaces_agree;
use crate::kube::selector::{self, SelectorAt};
use crate::kube::{Object, workload};
use crate::milvus::release::Component;
use crate::milvus::role::Role;
use crate::value::Value;
use reselect::{Labels, mend, point_at_mixcoord};
use sets::Sets;

pub use reselect::chooses_here;

/// Drops the workloads whose roles leave with everything that only served them, and mends what also serves others.
pub fn leave(scene: &Scene, arriving: &[&Arrival], out: &mut Rewrite) {
    let leaving: Vec<_> = scene.leaving().collect();
    if leaving.is_empty() {
        return;
    }
    for component in &leaving {
        out.changes
            .push(Change::drop(scene.object(component), why(scene, component.role)));
    }
    let pods = pods(scene, &leaving, arriving);
    let names = scaled(scene, &leaving);
    let mut services: Vec<(&Object, Role)> = Vec::new();
    let gone: HashSet<usize> = leaving.iter().map(|c| c.object).collect();
    let all = scene.stream.objects.iter().enumerate();
    for (_, object) in all.filter(|(i, o)| !gone.contains(i) && !o.is_hook()) {
        let kind = object.reference.kind.as_str();
        if kind == "NetworkPolicy" {
            point_at_mixcoord(scene, object, &pods, out);
            continue;
        }
        if !looks_here(scene, object) {
            continue;
        }
        if let Some(target) = selector::scale_target(kind, &object.value).filter(|t| names.contains(t)) {
            let does = if kind == "Rollout" {
                "runs the pods of"
            } else {
                "scales"
            };
            let why = format!("it {does} {} {}, which leaves", target.0, target.1);
            out.changes.push(Change::drop(object, why));
        } else if matches!(kind, "Service" | "PodDisruptionBudget" | "PodMonitor")
            && let Some(role) = dropped_or_mended(object, &pods, out)
            && kind == "Service"
        {
            services.push((object, role));
        }
    }
    monitors(scene, &services, arriving, &pods, out);
}

/// What an autoscaler of something that leaves can name: the workloads (kind, name), and the Rollouts that run their pods.
fn scaled<'a>(scene: &'a Scene, leaving: &[&'a Component]) -> HashSet<(&'a str, &'a str)> {
    let named = |o: &'a Object| (o.reference.kind.as_str(), o.reference.name.as_str());
    let mut names: HashSet<(&str, &str)> = leaving.iter().map(|c| named(scene.object(c))).collect();
    let rollouts = scene.stream.objects.iter().filter(|o| {
        let runs = selector::scale_target("Rollout", &o.value).is_some_and(|t| names.contains(&t));
        o.reference.kind == "Rollout" && !o.is_hook() && looks_here(scene, o) && runs
    });
    let rollouts: Vec<_> = rollouts.map(named).collect();
    names.extend(rollouts);
    names
}

/// The labels of the pods before and after.
fn pods<'a>(scene: &'a Scene, leaving: &[&'a Component], arriving: &[&'a Arrival]) -> Labels<'a> {
    let gone: HashSet<usize> = scene.gone.iter().copied().collect();
    let here = |(i, o): &(usize, &Object)| {
        namespaces_agree(&o.reference.namespace, &scene.release.namespace) && !gone.contains(i)
    };
    let template = |a: &'a Arrival| a.workload.pointer("/spec/template/metadata/labels");
    let standing = scene.stream.objects.iter().enumerate().filter(here);
    let mixcoord = arriving
        .iter()
        .find(|a| a.role == Role::MixCoord)
        .and_then(|a| template(a));
    Labels {
        leaving: Sets::of(
            leaving
                .iter()
                .filter_map(|c| Some((workload::pod_labels(scene.object(c))?, c.role))),
        ),
        staying: Sets::of(
            standing
                .filter_map(|(_, o)| workload::pod_labels(o))
                .chain(arriving.iter().filter_map(|a| template(a)))
                .map(|labels| (labels, ())),
        ),
        mixcoord: mixcoord.or_else(|| {
            let there = scene.release.in_role(Role::MixCoord).next()?;
            workload::pod_labels(scene.object(there))
        }),
    }
}

/// Whether an object chooses among what lives in the release's namespace.
fn looks_here(scene: &Scene, object: &Object) -> bool {
    let own = namespaces_agree(&object.reference.namespace, &scene.release.namespace);
    if !matches!(object.reference.kind.as_str(), "PodMonitor" | "ServiceMonitor") {
        return own;
    }
    let Some(chosen) = object.at(&["spec", "namespaceSelector"]).filter(|s| s.is_object()) else {
        return own;
    };
    if chosen.get("any").and_then(Value::as_bool) == Some(true) {
        return true;
    }
    match chosen.get("matchNames").and_then(Value::as_array) {
        Some(names) if !names.is_empty() => {
            let ours = scene.release.namespace.as_str();
            ours.is_empty() || names.iter().any(|n| n.as_str() == Some(ours))
        }
        _ => own,
    }
}

/// Drops what chooses pods that leave and no others, and mends what also chooses others. The role whose pods a dropped
/// one served.
fn dropped_or_mended(object: &Object, pods: &Labels, out: &mut Rewrite) -> Option<Role> {
    let at = selector::pod_selectors(&object.reference.kind, &object.value)
        .into_iter()
        .next()?;
    let s = &object.value[&at];
    let role = pods.leaves(s, at.plain)?;
    if pods.stays(s, at.plain) {
        mend(object, &at, pods, out);
        return None;
    }
    out.changes.push(Change::drop(object, "it serves only pods that leave"));
    Some(role)
}

/// Why a role leaves.
fn why(scene: &Scene, role: Role) -> String {
    let line = if scene.topology == super::Topology::Streaming {
        "2.6"
    } else {
        "2.5.16"
    };
    match role {
        Role::IndexNode => "Milvus 2.6 has no indexnode: datanode builds indexes".into(),
        _ => format!("{role} is part of mixcoord from {line} on"),
    }
}

/// A ServiceMonitor chooses Services: it leaves with the last of them, and names mixcoord's where it named others'.
fn monitors(scene: &Scene, gone: &[(&Object, Role)], arriving: &[&Arrival], pods: &Labels, out: &mut Rewrite) {
    fn labels(value: &Value) -> &Value {
        value.pointer("/metadata/labels").unwrap_or(&Value::Null)
    }
    let leaving: HashSet<*const Object> = gone.iter().map(|(o, _)| std::ptr::from_ref(*o)).collect();
    let kept: Vec<(&Value, bool)> = scene
        .stream
        .objects
        .iter()
        .filter(|o| o.reference.kind == "Service" && !leaving.contains(&std::ptr::from_ref(*o)))
        .filter(|o| namespaces_agree(&o.reference.namespace, &scene.release.namespace))
        .map(|o| {
            let serves = |of: &Value| {
                o.at(&["spec", "selector"])
                    .is_some_and(|s| selector::selects(s, true, of))
            };
            (labels(&o.value), pods.mixcoord.is_some_and(serves))
        })
        .chain(
            arriving
                .iter()
                .filter_map(|a| Some((labels(a.service.as_ref()?), a.role == Role::MixCoord))),
        )
        .collect();
    let services = Labels {
        leaving: Sets::of(gone.iter().map(|(o, role)| (labels(&o.value), *role))),
        staying: Sets::of(kept.iter().map(|(l, _)| (*l, ()))),
        mixcoord: kept.iter().find(|(_, mixcoord)| *mixcoord).map(|(l, _)| *l),
    };
    let at = SelectorAt {
        pointer: "/spec/selector".into(),
        plain: false,
    };
    let ours = |o: &&Object| o.reference.kind == "ServiceMonitor" && !o.is_hook() && looks_here(scene, o);
    for monitor in scene.stream.objects.iter().filter(ours) {
        let Some(s) = monitor.value.pointer(&at.pointer) else {
            continue;
        };
        if services.leaves(s, false).is_none() {
            continue;
        }
        if services.stays(s, false) {
            mend(monitor, &at, &services, out);
        } else {
            out.changes
                .push(Change::drop(monitor, "it watches only Services that leave"));
        }
    }
}
