//! What points at what: selectors at pods, autoscalers at workloads; and what must never change in an object that exists.

use milvus_uplift::kube::object::namespaces_agree;
use milvus_uplift::kube::{Object, selector, workload};
use milvus_uplift::milvus::release::inventory;
use milvus_uplift::rewrite::ChangeOp;
use milvus_uplift::value::Value;

use super::Fault;

/// The faults of one touched object among those it is applied with.
pub fn faults(object: &Object, op: ChangeOp, all: &[Object]) -> Vec<Fault> {
    let kind = object.reference.kind.as_str();
    let mut found = Vec::new();
    if ["Service", "PodDisruptionBudget"].contains(&kind) {
        for at in selector::pod_selectors(kind, &object.value) {
            let chosen = chosen(object, &at, all);
            if chosen.is_empty() {
                found.push(Fault::new(&at.pointer, "selects no pods of what is applied with it"));
            }
            if op == ChangeOp::Inject && !of_one_role(&chosen, all) {
                found.push(Fault::new(&at.pointer, "selects pods of several roles, or of none"));
            }
        }
    }
    if let Some((target, name)) = selector::scale_target(kind, &object.value) {
        let is = |o: &&Object| {
            (o.reference.kind.as_str(), o.reference.name.as_str()) == (target, name)
                && namespaces_agree(&o.reference.namespace, &object.reference.namespace)
        };
        if !all.iter().any(|o| is(&o)) {
            found.push(Fault::new("/spec", "scales a workload that is not there"));
        }
    }
    found
}

fn chosen<'a>(object: &Object, at: &selector::SelectorAt, all: &'a [Object]) -> Vec<&'a Object> {
    let Some(wanted) = object.value.pointer(&at.pointer) else {
        return vec![];
    };
    let fits = |o: &&Object| {
        namespaces_agree(&o.reference.namespace, &object.reference.namespace)
            && workload::pod_labels(o).is_some_and(|labels| selector::selects(wanted, at.plain, labels))
    };
    all.iter().filter(fits).collect()
}

fn of_one_role(chosen: &[&Object], all: &[Object]) -> bool {
    let releases = inventory(all).releases;
    let components = || releases.iter().flat_map(|r| &r.components);
    let mut roles = Vec::new();
    for object in chosen {
        match components().find(|c| all[c.object].reference == object.reference) {
            Some(component) if !roles.contains(&component.role) => roles.push(component.role),
            Some(_) => {}
            None => return false,
        }
    }
    roles.len() == 1
}

/// A selector of a workload that is other than it was before: the API server changes none.
pub fn moved(object: &Object, before: &Object) -> Option<Fault> {
    let of = |o: &Object| o.at(&["spec", "selector"]).cloned().unwrap_or(Value::Null);
    let fixed = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"].contains(&object.reference.kind.as_str());
    (fixed && of(object) != of(before)).then(|| Fault::new("/spec/selector", "is another one than before"))
}
