//! MU608: something that should leave will live on.

use super::case::Case;
use super::{Check, Rule};
use crate::finding::{Finding, Input, Severity};
use crate::milvus::release::Component;
use crate::rewrite::ChangeOp;
use crate::state::{Form, Origin, Source};
use crate::transition::Transition;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU608",
    name: "kept-object",
    severity: Severity::Warn,
    says: "what should leave is marked `helm.sh/resource-policy: keep` or Argo CD's Prune=false, or may live on unseen",
    page: include_str!("../../docs/rules/MU608.md"),
    check: Check::Release(check),
};

/// What the rewrite drops, and what is deployed and not in the stream any more, where it is marked to be kept.
fn check(case: &Case) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for change in case.rewrite.changes.iter().filter(|c| c.op == ChangeOp::Drop) {
        let dropped = &change.object;
        let as_rendered = case.target.objects.iter().find(|o| o.reference == *dropped);
        let deployed = case.before.and_then(|side| side.find(&dropped.kind, &dropped.name));
        // Helm reads the mark off the object as it is stored; Argo CD off the live one.
        let kept = [(Input::Current, deployed), (Input::Target, as_rendered)];
        let kept = kept.into_iter().find_map(|(input, o)| o.filter(|o| o.is_kept()).map(|o| (input, o)));
        let Some((input, object)) = kept else { continue };
        let coordinator = |c: &Component| c.role.is_legacy_coordinator() && c.name == dropped.name;
        if case.transition.to_26() && case.came.components.iter().any(coordinator) {
            // A kept coordinator is worse than that (MU105).
            continue;
        }
        if found.iter().any(|f| f.object.as_ref() == Some(dropped)) {
            continue;
        }
        let message = format!("{dropped} leaves the release and is marked to be kept: it will live on in the cluster");
        let help = format!(
            "when the upgrade is complete, delete it by hand: kubectl delete {} {}{}",
            dropped.kind.to_lowercase(),
            dropped.name,
            if dropped.namespace.is_empty() { String::new() } else { format!(" --namespace {}", dropped.namespace) }
        );
        found.push(RULE.finding(message, help).on(dropped).at(input, object.document, object.pointer.clone()));
    }
    found
}

/// A state file that was made from manifests knows nothing of objects that live on beside them, and a coordinator of 2.5
/// among those would work against 2.6.
pub fn from_manifests(source: &Source, transitions: &[&Transition]) -> Vec<Finding> {
    let told = source.form == Form::StateFile && source.origin == Origin::Manifest;
    if !told || !transitions.iter().any(|t| t.to_26()) {
        return vec![];
    }
    let namespace = if source.namespace.is_empty() { "NAMESPACE" } else { &source.namespace };
    let message = format!("the state file was made from manifests ({}): what lives on beside them is in no manifest, an old coordinator perhaps", source.taken_from);
    let help = format!(
        "look for pods of old components (kubectl get pods --namespace {namespace} --show-labels), or make the state file from live objects:\n\
         \x20 kubectl get deployments,statefulsets,services,configmaps,persistentvolumeclaims --namespace {namespace} --output yaml | milvus-uplift inspect - --write-state state.yaml"
    );
    vec![RULE.finding(message, help)]
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    const KEEP: &str = "  annotations:\n    helm.sh/resource-policy: keep\n";

    #[test]
    fn what_leaves_and_is_kept_lives_on() {
        let name = "  name: rel-milvus-indexnode\n";
        let scenario = Scenario::upgrade("v2.5.22", "v2.6.16");
        let kept = scenario.clone().edit_in_current("Deployment", "rel-milvus-indexnode", name, &format!("{name}{KEEP}"));
        let found = kept.of_rule("MU608");
        assert_eq!(found.len(), 1);
        assert!(found[0].help.contains("kubectl delete deployment rel-milvus-indexnode --namespace ns"), "{}", found[0].help);
        assert!(!scenario.codes().contains(&"MU608"));
    }

    #[test]
    fn what_stays_may_be_kept() {
        let name = "  name: rel-milvus-proxy\n";
        let scenario = Scenario::upgrade("v2.5.22", "v2.6.16");
        let kept = scenario.edit_in_target("Deployment", "rel-milvus-proxy", name, &format!("{name}{KEEP}"));
        assert!(!kept.codes().contains(&"MU608"));
    }
}
