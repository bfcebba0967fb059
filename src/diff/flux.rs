//! The diff as patches of a Flux HelmRelease: `spec.postRenderers`, which knows Kustomize's patches and no program.
//!
//! Source: fluxcd.io/flux/components/helm/helmreleases (post renderers), kubectl.docs.kubernetes.io/references/kustomize
//! (patches). A patch changes or deletes what the chart renders; it cannot add an object.

use super::{Diff, ObjectDiff, Op};
use crate::kube::ObjectRef;
use crate::kube::object::group;
use crate::value::{Value, json};
use crate::yaml;

/// Why there are no such patches: the objects in whose patches secrets are masked.
pub fn masked(diff: &Diff) -> Vec<String> {
    let changed = diff.objects.iter().filter(|o| o.op == Op::Change && o.masked);
    changed.map(|o| o.object.to_string()).collect()
}

/// The objects that no patch can add.
pub fn missing(diff: &Diff) -> Vec<String> {
    let added = diff.objects.iter().filter(|o| o.op == Op::Add);
    added.map(|o| o.object.to_string()).collect()
}

/// The part of a HelmRelease, with comments on what it cannot do; `advice` is what to do instead.
pub fn render(diff: &Diff, advice: &str) -> String {
    let patches: Vec<Value> = diff.objects.iter().filter_map(patch).collect();
    let missing = missing(diff);
    let mut out = String::from(
        "# Patches for spec.postRenderers of a Flux HelmRelease. They fit this rendering of the chart and no other: write them\n\
         # anew when the chart, its values or the version of Milvus change.\n",
    );
    if !missing.is_empty() {
        out.push_str(
            "#\n# INCOMPLETE: Kustomize's patches cannot add an object, and without these Milvus will not work:\n",
        );
        missing.iter().for_each(|m| out.push_str(&format!("#   {m}\n")));
        out.push_str("# Do not apply the patches alone. Let the chart render these objects itself:\n");
        advice
            .lines()
            .for_each(|l| out.push_str(&format!("{}\n", format!("#   {l}").trim_end())));
    }
    if patches.is_empty() {
        out.push_str("# There is nothing to patch.\n");
        return out;
    }
    out.push_str("spec:\n  postRenderers:\n  - kustomize:\n      patches:\n");
    for patch in &patches {
        let mut target = String::from("target:\n");
        for line in yaml::emit(&patch["target"]).lines() {
            target.push_str(&format!("  {line}\n"));
        }
        let body = patch["patch"].as_str().unwrap_or_default();
        let body: String = body.lines().map(|l| format!("  {l}\n")).collect();
        let item = format!("{target}patch: |\n{body}");
        for (i, line) in item.lines().enumerate() {
            out.push_str(&format!("      {} {line}\n", if i == 0 { "-" } else { " " }));
        }
    }
    out
}

fn patch(one: &ObjectDiff) -> Option<Value> {
    let body = match one.op {
        Op::Add => return None,
        Op::Remove => json!({
            "$patch": "delete",
            "apiVersion": one.object.api_version,
            "kind": one.object.kind,
            "metadata": {"name": one.object.name},
        }),
        Op::Change => serde_json::to_value(&one.patch).ok()?.into(),
    };
    Some(json!({"target": target(&one.object), "patch": yaml::emit(&body)}))
}

/// What Kustomize finds the object by; names are regular expressions there.
fn target(object: &ObjectRef) -> Value {
    let mut out = json!({});
    let (group, version) = match object.api_version.split_once('/') {
        Some((_, version)) => (group(&object.api_version), version),
        None => ("", object.api_version.as_str()),
    };
    if !group.is_empty() {
        out["group"] = group.into();
    }
    out["version"] = version.into();
    out["kind"] = object.kind.clone().into();
    out["name"] = object.name.replace('.', "\\.").into();
    if !object.namespace.is_empty() {
        out["namespace"] = object.namespace.clone().into();
    }
    out
}
