//! MU606: the values still render another topology than what is applied.

use super::case::Case;
use super::{Check, Rule};
use crate::facts;
use crate::finding::{Finding, Severity};
use crate::kube::Object;
use crate::milvus::config::STREAMING_SWITCH;
use crate::milvus::release::Component;
use crate::milvus::role::Role;
use crate::report::mask;
use crate::rewrite::chart::{has_heaptrack, profiling, values_key};
use crate::rewrite::config::CHECKSUM;
use crate::rewrite::values::truthy;
use crate::rules::mu602_chart_image_mismatch::chart;
use crate::value::{Map, Value, json};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU606",
    name: "values-lag-behind",
    severity: Severity::Warn,
    says: "the values still render another topology than what is applied; gives those to commit",
    page: include_str!("../../docs/rules/MU606.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    let mut leaves: Vec<&Component> = case
        .came
        .components
        .iter()
        .filter(|c| !case.after.release.has(c.role))
        .collect();
    leaves.sort_by_key(|c| c.role);
    let comes: Vec<&Component> = case
        .after
        .release
        .components
        .iter()
        .filter(|c| !case.came.has(c.role))
        .collect();
    // Within the stages nothing renders what is applied; the last one tells.
    if case.is_partial() || leaves.is_empty() && comes.is_empty() {
        return vec![];
    }
    let values = case.values_text(overlay(case, &leaves, &comes));
    let mut topology = Vec::new();
    if !leaves.is_empty() {
        topology.push(roles(&leaves));
    }
    if !comes.is_empty() {
        topology.push(format!("no {}", roles(&comes)));
    }
    let message = format!(
        "the values still render {}, and Milvus {} runs otherwise: an upgrade without this post-renderer would bring the old roles back",
        topology.join(" and "),
        case.transition
            .target()
            .map_or_else(|| "2.6".into(), ToString::to_string),
    );
    let guessed = case.values.is_none() && !comes.is_empty();
    let hedge = if guessed { ", as far as the manifests show" } else { "" };
    let mut help = format!(
        "commit these values; then the chart renders by itself what is applied now{hedge}, and this can be unplugged:\n{values}"
    );
    if values.contains(mask::MASK) {
        help.push_str(&format!("\n({} stands for a secret: fill it in)", mask::MASK));
    }
    if guessed {
        help.push_str(
            "\n(read from the manifests alone, where a setting of one component and one of all look alike: what your values hold for \
             mixCoordinator, streamingNode or all components already will apply too; with --values it does now, and these values are exact)",
        );
    }
    help.push_str(&old_chart(case, &comes).unwrap_or_default());
    let finding = RULE.finding(message, help);
    let Some(first) = leaves.first().or(case.came.components.first().as_ref()).copied() else {
        return vec![finding];
    };
    let object = &case.target.objects[first.object];
    vec![
        finding
            .on(&object.reference)
            .at(case.after.input, object.document, object.pointer.clone()),
    ]
}

fn roles(components: &[&Component]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for component in components {
        if !names.contains(&component.role.as_str()) {
            names.push(component.role.as_str());
        }
    }
    names.join(", ")
}

/// What a chart of 2.5 does otherwise once a streaming node is in the values.
fn old_chart(case: &Case, comes: &[&Component]) -> Option<String> {
    let made = &facts::charts().marks.milvus_2_6.chart;
    let (old, _) = chart(case).filter(|(version, _)| version < made)?;
    if !comes.iter().any(|c| c.role == Role::StreamingNode) {
        return None;
    }
    Some(match facts::charts().shape(&old) {
        Some(shape) if !shape.streamingnode => {
            format!("\n(chart {old} has no template for streamingnode: move to a chart of 2.6 first)")
        }
        _ => format!(
            "\n(with streaming.enabled: true chart {old} also writes {STREAMING_SWITCH}=1 into every Milvus workload, which 2.6 does not need: \
             the upgrade that first renders these values restarts all Milvus pods once. Charts from {made} on do not write it: commit the values \
             in the same step as that move, and the pods restart once for both)"
        ),
    })
}

/// The smallest values that make the chart render what is applied. Where the chart's values are known, the switches are
/// enough; where not, what comes has to be said whole.
fn overlay(case: &Case, leaves: &[&Component], comes: &[&Component]) -> Value {
    let mut values = Map::new();
    for component in comes {
        let key = values_key(component.role);
        let mut own = Map::new();
        match component.role {
            Role::StreamingNode => values.insert("streaming".into(), json!({"enabled": true})),
            _ => own.insert("enabled".into(), json!(true)),
        };
        if case.values.is_none() {
            own.extend(described(case.after.object(component), component));
        }
        if !own.is_empty() {
            values.entry(key).or_insert(Value::Object(own));
        }
    }
    for component in leaves {
        values.insert(values_key(component.role).into(), json!({"enabled": false}));
    }
    Value::Object(values)
}

/// A component as values of the chart: what differs from the chart's defaults for it.
fn described(object: &Object, component: &Component) -> Map {
    let mut out = Map::new();
    let value = &object.value;
    let at = |pointer: &str| value.pointer(pointer).cloned().unwrap_or_default();
    let replicas = at("/spec/replicas");
    if !replicas.is_null() && replicas != 1 {
        out.insert("replicas".into(), replicas);
    }
    if component.role == Role::MixCoord && at("/spec/strategy/type") != "Recreate" {
        out.insert("activeStandby".into(), json!({"enabled": true}));
        if truthy(Some(&at("/spec/strategy"))) {
            out.insert("strategy".into(), at("/spec/strategy"));
        }
    }
    let container = at(&component.container);
    let (profiled, annotations) = pod_annotations(value, component);
    if profiled {
        out.insert("profiling".into(), json!({"enabled": true}));
    }
    // The chart renders no annotations for streaming nodes alone.
    if component.role == Role::MixCoord && !annotations.is_empty() {
        let annotations = mask::value("Deployment", ANNOTATIONS, &Value::Object(annotations));
        out.insert("annotations".into(), annotations);
    }
    let heaptrack = has_heaptrack(value);
    if heaptrack {
        out.insert("heaptrack".into(), json!({"enabled": true}));
    }
    let env: Vec<Value> = container["env"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|v| !(heaptrack && v["name"] == "LD_LIBRARY_PATH"))
        .map(|v| mask::value("", "/env", v))
        .collect();
    let fields = [
        ("resources", container["resources"].clone()),
        ("extraEnv", Value::Array(env)),
        ("containerSecurityContext", container["securityContext"].clone()),
        ("securityContext", at("/spec/template/spec/securityContext")),
        ("nodeSelector", at("/spec/template/spec/nodeSelector")),
        ("affinity", at("/spec/template/spec/affinity")),
        ("tolerations", at("/spec/template/spec/tolerations")),
        (
            "topologySpreadConstraints",
            at("/spec/template/spec/topologySpreadConstraints"),
        ),
    ];
    for (name, field) in fields {
        if truthy(Some(&field)) {
            out.insert(name.into(), field);
        }
    }
    out
}

/// Where the annotations of a workload's pods stand.
const ANNOTATIONS: &str = "/spec/template/metadata/annotations";

/// Whether a workload's pods are profiled as the chart has it, and the annotations that are the component's own: those for
/// all components stand at the workload, too.
fn pod_annotations(workload: &Value, component: &Component) -> (bool, Map) {
    let mut own = Map::new();
    let at = |pointer: &str| workload.pointer(pointer).and_then(Value::as_object);
    let of_all = at("/metadata/annotations");
    for (key, value) in at(ANNOTATIONS).into_iter().flatten() {
        if key != CHECKSUM && of_all.and_then(|all| all.get(key)) != Some(value) {
            own.insert(key.clone(), value.clone());
        }
    }
    let profiling = profiling(&component.name);
    let profiled = profiling.iter().all(|(key, value)| own.get(key) == Some(value));
    if profiled {
        for (key, _) in &profiling {
            own.remove(key);
        }
    }
    (profiled, own)
}

#[cfg(test)]
mod tests;
