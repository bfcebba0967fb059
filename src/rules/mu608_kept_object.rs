//! MU608: what leaves is marked to stay.

use foldhash::{HashMap, HashSet};

use super::case::Case;
use super::{Check, Rule};
use crate::finding::{Finding, Input, Severity};
use crate::kube::object::RESOURCE_POLICY;
use crate::kube::{Object, ObjectRef};
use crate::rewrite::ChangeOp;
use crate::state::{Form, Origin, Source};
use crate::transition::Transition;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU608",
    name: "kept-object",
    severity: Severity::Warn,
    says: "what should leave is marked helm.sh/resource-policy: keep or Argo CD's Prune=false, and will live on",
    page: include_str!("../../docs/rules/MU608.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    let kept = kept(case);
    let Some((input, first)) = kept.first() else {
        return vec![];
    };
    let names: Vec<String> = kept
        .iter()
        .map(|(_, o)| format!("{} {}", o.reference.kind, o.reference.name))
        .collect();
    let (live, does) = if kept.len() == 1 {
        ("is", "it lives")
    } else {
        ("are", "they live")
    };
    let message = format!(
        "{} should leave and {live} marked to be kept ({}): {does} on beside what takes over, with the old image and configuration",
        names.join(", "),
        mark(first)
    );
    let deletes: Vec<String> = kept
        .iter()
        .map(|(_, o)| delete(&o.reference, &case.after.release.namespace))
        .collect();
    let help = format!(
        "delete by hand what stays, once the upgrade is through:\n{}",
        deletes.join("\n")
    );
    let annotation = match mark(first) {
        RESOURCE_POLICY => "/metadata/annotations/helm.sh~1resource-policy",
        _ => "/metadata/annotations/argocd.argoproj.io~1sync-options",
    };
    let finding = RULE.finding(message, help).on(&first.reference);
    vec![finding.at(*input, first.document, format!("{}{annotation}", first.pointer))]
}

/// What leaves and is kept, with the input that says so. What is deployed counts: Helm and Argo CD look at the live object.
fn kept<'a>(case: &'a Case) -> Vec<(Input, &'a Object)> {
    let mut leaving: Vec<(Input, &Object)> = Vec::new();
    let mut dropped = case
        .rewrite
        .changes
        .iter()
        .filter(|c| c.op == ChangeOp::Drop)
        .peekable();
    match case.before {
        Some(before) => {
            let deployed = dropped.filter_map(|change| before.named.same(&change.object).next());
            leaving.extend(deployed.map(|o| (before.input, o)));
        }
        None if dropped.peek().is_some() => {
            let mut came: HashMap<&ObjectRef, &Object> = HashMap::default();
            for object in &case.target.objects {
                came.entry(&object.reference).or_insert(object);
            }
            let leaves = dropped.filter_map(|change| came.get(&change.object));
            leaving.extend(leaves.map(|o| (Input::Target, *o)));
        }
        None => {}
    }
    if let Some(before) = case.before {
        let mut known: HashSet<*const Object> = leaving.iter().map(|(_, o)| std::ptr::from_ref(*o)).collect();
        for component in &before.release.components {
            let object = before.object(component);
            if !case.after.named.holds(&object.reference) && known.insert(object) {
                leaving.push((before.input, object));
            }
        }
    }
    leaving.retain(|(_, o)| o.is_kept() && !case.after.named.holds(&o.reference));
    let coordinators = coordinators(case);
    leaving.retain(|(_, o)| !coordinators.contains(&std::ptr::from_ref(*o)));
    leaving
}

/// The separate coordinators that run: one that stays is MU105 towards 2.6, and no mere warning.
fn coordinators(case: &Case) -> HashSet<*const Object> {
    let before = case.before.filter(|_| case.transition.to_26());
    let running = before.into_iter().flat_map(|before| {
        let coordinators = before.release.legacy_coordinators();
        let running = coordinators.filter(|c| !c.is_scaled_to_zero());
        running.map(move |c| std::ptr::from_ref(before.object(c)))
    });
    running.collect()
}

/// Which annotation keeps it.
fn mark(object: &Object) -> &'static str {
    let helm = object
        .annotation(RESOURCE_POLICY)
        .is_some_and(|p| p.split(',').any(|w| w.trim() == "keep"));
    if helm {
        RESOURCE_POLICY
    } else {
        "argocd.argoproj.io/sync-options: Prune=false"
    }
}

fn delete(object: &ObjectRef, namespace: &str) -> String {
    let own = if object.namespace.is_empty() {
        namespace
    } else {
        &object.namespace
    };
    let place = if own.is_empty() {
        String::new()
    } else {
        format!(" --namespace {own}")
    };
    format!(
        "kubectl delete {} {}{place}",
        object.kind.to_ascii_lowercase(),
        object.name
    )
}

/// A state file that was made from manifests knows nothing of objects that live on beside them, and a coordinator of 2.5
/// among those would work against 2.6.
pub fn from_manifests(source: &Source, transitions: &[&Transition]) -> Vec<Finding> {
    let told = source.form == Form::StateFile && source.origin == Origin::Manifest;
    if !told || !transitions.iter().any(|t| t.to_26()) {
        return vec![];
    }
    let namespace = if source.namespace.is_empty() {
        "NAMESPACE"
    } else {
        &source.namespace
    };
    let message = format!(
        "the state file was made from manifests ({}): what lives on beside them is in no manifest, an old coordinator perhaps",
        source.taken_from
    );
    let help = format!(
        "look for pods of old components (kubectl get pods --namespace {namespace} --show-labels), or make the state file from live objects:\n\
         \x20 kubectl get deployments,statefulsets,services,configmaps,persistentvolumeclaims --namespace {namespace} --output yaml | milvus-uplift inspect - --write-state state.yaml"
    );
    vec![RULE.finding(message, help)]
}

#[cfg(test)]
mod tests {
    use crate::finding::Input;
    use crate::judge::Current;
    use crate::rules::testkit::{Scenario, cluster, cluster26, served};

    const KEEP: &str = "  namespace: ns\n  annotations:\n    helm.sh/resource-policy: keep\n";

    fn kept(scenario: Scenario, kind: &str, name: &str) -> Scenario {
        scenario.edit_in_current(kind, name, "  namespace: ns\n", KEEP)
    }

    #[test]
    fn an_indexnode_that_is_kept_lives_on() {
        let scenario = kept(
            Scenario::upgrade("v2.5.16", "v2.6.16"),
            "Deployment",
            "rel-milvus-indexnode",
        );
        let finding = scenario.of_rule("MU608").remove(0);
        assert!(
            finding.message.contains("Deployment rel-milvus-indexnode") && finding.message.contains("resource-policy")
        );
        assert!(
            finding
                .help
                .contains("kubectl delete deployment rel-milvus-indexnode --namespace ns")
        );
        let message = "Deployment rel-milvus-indexnode should leave and is marked to be kept (helm.sh/resource-policy)";
        assert!(finding.message.starts_with(message), "{}", finding.message);
        let place = finding.location.unwrap();
        assert_eq!(place.stream, Input::Current);
        let Current::Manifests(current) = scenario.request().current else {
            panic!("a stream")
        };
        let line = String::from_utf8(current.to_vec()).unwrap();
        let line = line.lines().nth(place.line - 1).unwrap();
        assert_eq!(line.trim(), "helm.sh/resource-policy: keep");
        let two = kept(scenario, "Service", "rel-milvus-indexnode").of_rule("MU608");
        assert!(two.len() == 1 && two[0].message.contains("are marked"));
    }

    #[test]
    fn also_where_the_chart_no_longer_renders_it() {
        let scenario = Scenario::of(&cluster("v2.5.16", false), &cluster26("v2.6.16"));
        let argo = "  namespace: ns\n  annotations:\n    argocd.argoproj.io/sync-options: Prune=false\n";
        let scenario = scenario.edit_in_current("Deployment", "rel-milvus-indexnode", "  namespace: ns\n", argo);
        assert!(scenario.of_rule("MU608")[0].message.contains("Prune=false"));
    }

    #[test]
    fn what_stays_may_be_kept_and_a_mark_in_the_target_alone_keeps_nothing() {
        let stays = kept(
            Scenario::upgrade("v2.5.16", "v2.6.16"),
            "Deployment",
            "rel-milvus-querynode",
        );
        assert!(stays.of_rule("MU608").is_empty());
        let only = Scenario::upgrade("v2.5.16", "v2.6.16").edit_in_target(
            "Deployment",
            "rel-milvus-indexnode",
            "  namespace: ns\n",
            KEEP,
        );
        assert!(only.of_rule("MU608").is_empty());
    }

    #[test]
    fn a_coordinator_at_rest_and_what_leaves_beside_a_running_one_are_ours() {
        let separate = || Scenario::of(&cluster("v2.5.16", true), &cluster("v2.6.16", true));
        let rest = kept(
            separate().replicas_current("rootcoord", 0),
            "Deployment",
            "rel-milvus-rootcoord",
        );
        let beside = kept(separate(), "Deployment", "rel-milvus-indexnode");
        for scenario in [rest, beside] {
            assert_eq!(scenario.of_rule("MU608").len(), 1);
        }
    }

    #[test]
    fn where_nobody_says_what_is_deployed_the_mark_in_the_stream_counts() {
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16")
            .edit_in_target("Deployment", "rel-milvus-indexnode", "  namespace: ns\n", KEEP)
            .without_current();
        let found = scenario.of_rule("MU608");
        assert_eq!(found.len(), 1, "{:?}", scenario.codes());
        assert_eq!(found[0].location.as_ref().unwrap().stream, Input::Target);
    }

    /// What is deployed, as a state file.
    fn by_state_file(scenario: &Scenario) -> Scenario {
        let source = crate::state::read(&scenario.request().current, None).unwrap().unwrap();
        let releases = crate::state::view::releases(&source, None);
        let state = crate::yaml::emit(&crate::state::file::write(&source, &releases));
        scenario.clone().with_current(state)
    }

    #[test]
    fn a_state_file_made_from_manifests_knows_of_no_more_than_those() {
        let told = |from: &str, to: &str, live: bool| {
            let mut scenario = Scenario::upgrade(from, to);
            if live {
                scenario = scenario.with_current(served(&cluster(from, false), "rel"));
            }
            let found = by_state_file(&scenario).of_rule("MU608");
            found
                .into_iter()
                .find(|f| f.message.starts_with("the state file was made from manifests"))
        };
        let found = told("v2.5.16", "v2.6.16", false).expect("a warning");
        assert!(
            found.help.contains("kubectl get pods --namespace ns --show-labels"),
            "{}",
            found.help
        );
        assert!(told("v2.5.16", "v2.5.22", false).is_none());
        assert!(told("v2.5.16", "v2.6.16", true).is_none());
        assert!(Scenario::upgrade("v2.5.16", "v2.6.16").of_rule("MU608").is_empty());
    }

    #[test]
    fn a_running_coordinator_is_another_rule_s_towards_2_6_and_ours_within_2_5() {
        let name = "rel-milvus-rootcoord";
        let crossing = kept(
            Scenario::of(&cluster("v2.5.16", true), &cluster("v2.6.16", true)),
            "Deployment",
            name,
        );
        assert!(crossing.of_rule("MU608").is_empty());
        let consolidation = kept(Scenario::consolidation("v2.5.10", "v2.5.16"), "Deployment", name);
        assert_eq!(consolidation.of_rule("MU608").len(), 1);
    }
}
