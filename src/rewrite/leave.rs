//! What leaves, and what only served it.

use serde_json::Value;

use super::{Change, Rewrite, Scene, remove, replace};
use crate::kube::object::namespaces_agree;
use crate::kube::selector::{self, SelectorAt};
use crate::kube::{Object, workload};
use crate::milvus::role::Role;
use crate::yaml::PatchOp;

/// The pods of the release before and after, as far as selectors can tell them apart.
struct Pods<'a> {
    leaving: Vec<(&'a Value, Role)>,
    staying: Vec<&'a Value>,
}

impl Pods<'_> {
    fn leaves(&self, s: &Value, plain: bool) -> bool {
        self.leaving
            .iter()
            .any(|(labels, _)| selector::selects(s, plain, labels))
    }

    fn stays(&self, s: &Value, plain: bool) -> bool {
        self.staying.iter().any(|labels| selector::selects(s, plain, labels))
    }

    /// The role that leaves and is meant by the label `key: value`, where no staying pod carries it.
    fn role_of(&self, key: &str, value: &str) -> Option<Role> {
        let carries = |labels: &Value| labels.get(key).and_then(Value::as_str) == Some(value);
        if self.staying.iter().any(|l| carries(l)) {
            return None;
        }
        self.leaving.iter().find(|(l, _)| carries(l)).map(|(_, role)| *role)
    }
}

/// Drops the workloads whose roles leave with everything that only served them, and mends what also serves others.
pub fn leave(scene: &Scene, arriving: &[&Value], out: &mut Rewrite) {
    let leaving: Vec<_> = scene.leaving().collect();
    if leaving.is_empty() {
        return;
    }
    let gone = |object: &Object| leaving.iter().any(|c| std::ptr::eq(scene.object(c), object));
    let here = |object: &&Object| namespaces_agree(&object.reference.namespace, &scene.release.namespace);
    let pods = Pods {
        leaving: leaving
            .iter()
            .filter_map(|c| Some((workload::pod_labels(scene.object(c))?, c.role)))
            .collect(),
        staying: scene
            .stream
            .objects
            .iter()
            .filter(here)
            .filter(|o| !gone(o))
            .filter_map(workload::pod_labels)
            .chain(
                arriving
                    .iter()
                    .filter_map(|w| w.pointer("/spec/template/metadata/labels")),
            )
            .collect(),
    };
    for component in &leaving {
        out.changes
            .push(Change::drop(scene.object(component), why(scene, component.role)));
    }
    let names: Vec<(&str, &str)> = leaving
        .iter()
        .map(|c| (scene.object(c).reference.kind.as_str(), c.name.as_str()))
        .collect();
    let mut services = Vec::new();
    for object in scene
        .stream
        .objects
        .iter()
        .filter(here)
        .filter(|o| !gone(o) && !o.is_hook())
    {
        let kind = object.reference.kind.as_str();
        if selector::scale_target(kind, &object.value).is_some_and(|target| names.contains(&target)) {
            out.changes.push(Change::drop(
                object,
                format!("it scales {}, which leaves", named(&object.value, kind)),
            ));
            continue;
        }
        match kind {
            "Service" | "PodDisruptionBudget" | "PodMonitor" => {
                let Some(at) = selector::pod_selectors(kind, &object.value).into_iter().next() else {
                    continue;
                };
                let s = &object.value[&at];
                if !pods.leaves(s, at.plain) {
                    continue;
                }
                if pods.stays(s, at.plain) {
                    mend(object, &at, &pods, out);
                } else {
                    if kind == "Service" {
                        services.push(object);
                    }
                    out.changes.push(Change::drop(object, "it serves only pods that leave"));
                }
            }
            "NetworkPolicy" => point_at_mixcoord(object, &pods, out),
            _ => {}
        }
    }
    let kept: Vec<&Object> = scene
        .stream
        .objects
        .iter()
        .filter(here)
        .filter(|o| o.reference.kind == "Service" && !services.iter().any(|s| std::ptr::eq(*s, *o)))
        .collect();
    for monitor in scene
        .stream
        .objects
        .iter()
        .filter(here)
        .filter(|o| o.reference.kind == "ServiceMonitor")
    {
        monitored(monitor, &services, &kept, &pods, out);
    }
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

fn named(value: &Value, kind: &str) -> String {
    selector::scale_target(kind, value)
        .map(|(k, n)| format!("{k} {n}"))
        .unwrap_or_default()
}

/// A ServiceMonitor chooses Services: it leaves with the last of them.
fn monitored(monitor: &Object, gone: &[&Object], kept: &[&Object], pods: &Pods, out: &mut Rewrite) {
    let at = SelectorAt {
        pointer: "/spec/selector".into(),
        plain: false,
    };
    let Some(s) = monitor.value.pointer(&at.pointer) else {
        return;
    };
    let chooses = |service: &&&Object| {
        let labels = service.value.pointer("/metadata/labels").unwrap_or(&Value::Null);
        selector::selects(s, false, labels)
    };
    if !gone.iter().any(|o| chooses(&o)) {
        return;
    }
    if kept.iter().any(|o| chooses(&o)) {
        mend(monitor, &at, pods, out);
    } else {
        out.changes
            .push(Change::drop(monitor, "it watches only Services that leave"));
    }
}

/// Takes the names of what leaves out of the `In` lists of a selector; legacy coordinators become mixcoord.
fn mend(object: &Object, at: &SelectorAt, pods: &Pods, out: &mut Rewrite) {
    let patch = relist(object, at, pods, true);
    if !patch.is_empty() {
        out.changes.push(Change::patch(
            object,
            patch,
            "it named components that leave beside others that stay",
        ));
    }
}

/// Points the selectors of a NetworkPolicy that mean a legacy coordinator at mixcoord.
fn point_at_mixcoord(object: &Object, pods: &Pods, out: &mut Rewrite) {
    let mut patch = Vec::new();
    for at in selector::pod_selectors("NetworkPolicy", &object.value) {
        patch.extend(relist(object, &at, pods, false));
    }
    if !patch.is_empty() {
        out.changes.push(Change::patch(
            object,
            patch,
            "it chose a coordinator that is part of mixcoord now",
        ));
    }
}

/// The operations that make a selector name mixcoord instead of legacy coordinators. In `In` lists each name comes
/// once; with `drop_indexnode`, indexnode leaves them too.
fn relist(object: &Object, at: &SelectorAt, pods: &Pods, drop_indexnode: bool) -> Vec<PatchOp> {
    let mut patch = Vec::new();
    let mut lists: Vec<String> = Vec::new();
    // Another release's policy may name the same component: only a selector that chooses our pods is ours to change.
    if !pods.leaves(&object.value[at], at.plain) {
        return patch;
    }
    for (pointer, key, value) in selector::demanded(&object.value, at) {
        let Some(role) = pods.role_of(&key, &value) else {
            continue;
        };
        match pointer.rsplit_once("/values/") {
            Some((expression, _)) => {
                if !lists.contains(&expression.to_owned()) {
                    lists.push(expression.to_owned());
                }
            }
            None if role.is_legacy_coordinator() => patch.push(replace(pointer, Role::MixCoord.as_str())),
            None => {}
        }
    }
    for expression in lists {
        let key = object
            .value
            .pointer(&format!("{expression}/key"))
            .and_then(Value::as_str)
            .unwrap_or("");
        let old = object
            .value
            .pointer(&format!("{expression}/values"))
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let mut kept: Vec<Value> = Vec::new();
        let mut ops = Vec::new();
        for (i, value) in old.iter().enumerate() {
            let role = value.as_str().and_then(|v| pods.role_of(key, v));
            let becomes = match role {
                Some(role) if role.is_legacy_coordinator() => Some(Value::from(Role::MixCoord.as_str())),
                Some(_) if drop_indexnode => None,
                _ => Some(value.clone()),
            };
            let path = format!("{expression}/values/{i}");
            match becomes {
                Some(new) if kept.contains(&new) => ops.push(remove(path)),
                Some(new) => {
                    if new != *value {
                        ops.push(replace(path, new.clone()));
                    }
                    kept.push(new);
                }
                None => ops.push(remove(path)),
            }
        }
        // From the end, so that an index still means what it did when the operation was written.
        ops.reverse();
        patch.extend(ops);
    }
    patch
}

impl std::ops::Index<&SelectorAt> for Value {
    type Output = Value;

    fn index(&self, at: &SelectorAt) -> &Value {
        self.pointer(&at.pointer).unwrap_or(&Value::Null)
    }
}
