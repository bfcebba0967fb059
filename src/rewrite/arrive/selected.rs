//! Whether what comes chooses its own pods, and no others.

use super::Arrival;
use crate::kube::labelled::Labelled;
use crate::kube::{selector, workload};
use crate::rewrite::{Failure, Rewrite, Scene};
use crate::value::Value;

/// Notes selectors that the API server would refuse, or by which a workload would take another's pods for its own.
pub fn check(scene: &Scene, arriving: &[&Arrival], out: &mut Rewrite) {
    if arriving.is_empty() {
        return;
    }
    let staying = scene.staying().filter_map(|c| {
        let object = scene.object(c);
        Some((workload::pod_labels(object)?, (c.role, object.reference.name.clone())))
    });
    let coming = arriving
        .iter()
        .filter_map(|a| Some((a.workload.pointer(LABELS)?, (a.role, named(a)))));
    let pods = Labelled::of(staying.chain(coming));
    for arrival in arriving {
        let own = arrival.workload.pointer(LABELS).unwrap_or(&Value::Null);
        let wrong = match arrival.workload.pointer("/spec/selector").filter(|s| !is_empty(s)) {
            None => Some("would have no selector".to_owned()),
            Some(chosen) if !selector::selects(chosen, false, own) => Some("would not select its own pods".to_owned()),
            Some(chosen) => {
                // Those of a role share the labels of the chart, also for several resource groups.
                let other = pods.chosen(chosen, false).find(|(role, _)| *role != arrival.role);
                other.map(|(_, other)| format!("would also select the pods of {other}"))
            }
        };
        if let Some(wrong) = wrong {
            out.failures.push(Failure::Unbuilt(format!(
                "the labels of release {}'s pods do not say their role as the chart does (`component: proxy`), or as `NAME-proxy`, so {} {wrong}",
                scene.release.name,
                named(arrival)
            )));
        }
    }
}

const LABELS: &str = "/spec/template/metadata/labels";

fn named(arrival: &Arrival) -> String {
    arrival.workload["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn is_empty(chosen: &Value) -> bool {
    let fields = ["matchLabels", "matchExpressions"]
        .into_iter()
        .filter_map(|field| chosen.get(field));
    fields
        .into_iter()
        .all(|field| field.as_object().is_none_or(|m| m.is_empty()) && field.as_array().is_none_or(Vec::is_empty))
}
