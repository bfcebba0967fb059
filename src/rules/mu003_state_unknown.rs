//! MU003: nobody said what is deployed.

use super::{Check, Rule, steps};
use crate::finding::{Finding, Severity};
use crate::milvus::release::Release;
use crate::transition::Transition;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU003",
    name: "state-unknown",
    severity: Severity::Refuse,
    says: "the target is >= 2.6, or the rewrite would change something, and nobody said what is deployed now",
    page: include_str!("../../docs/rules/MU003.md"),
    check: Check::Reading,
};

/// Refuses where the judgement needs to know what runs and nobody said it. `changing` tells whether anything would be
/// changed, `came` are the releases of the stream.
pub fn check(transitions: &[&Transition], changing: bool, came: &[&Release]) -> Vec<Finding> {
    unsaid(
        transitions,
        changing,
        "nobody said what is deployed now",
        came.first().copied(),
    )
}

/// As [`check`], where a source was given and does not hold the release: an empty file, a List of other kinds, the state
/// of one of two.
pub fn not_there(transitions: &[&Transition], changing: bool, release: &Release, taken_from: &str) -> Vec<Finding> {
    let why = format!(
        "nothing in --current ({taken_from}) runs Milvus as release {}",
        release.name
    );
    unsaid(transitions, changing, &why, Some(release))
}

/// A source that was asked for and could not be had.
pub fn unavailable(message: &str, help: &str) -> Finding {
    RULE.finding(message, help)
}

/// `--values current` where no release record was given.
pub fn no_values(taken_from: &str) -> Finding {
    let message = format!(
        "--values current takes the values stored in the release record, and --current gives none ({taken_from})"
    );
    let help = "give the record: --current release:NAME --namespace NAMESPACE; or the values themselves:\n\
        \x20 helm get values RELEASE --namespace NAMESPACE --output yaml > values.yaml   and   --values values.yaml";
    RULE.finding(message, help)
}

fn unsaid(transitions: &[&Transition], changing: bool, why: &str, release: Option<&Release>) -> Vec<Finding> {
    let to_26 = transitions.iter().find(|t| t.to_26() || t.target_line().is_none());
    let message = match to_26 {
        Some(t) => {
            let version = t
                .target()
                .map_or_else(|| "a version its images do not tell".into(), ToString::to_string);
            format!("the target is Milvus {version} and {why}: whether this step is safe cannot be judged")
        }
        None if changing => {
            format!("the rewrite would take coordinators away and {why}")
        }
        None => return vec![],
    };
    vec![RULE.finding(message, help(release))]
}

fn help(release: Option<&Release>) -> String {
    let (name, namespace) = steps::placed(release);
    format!(
        "say it with one of\n\
         \x20 --current release:{name} --namespace {namespace}   which asks Helm for the whole history\n\
         \x20 kubectl get secrets --selector owner=helm,name={name} --namespace {namespace} --output yaml > current.yaml   and   --current current.yaml\n\
         \x20 helm get manifest {name} --namespace {namespace} > current.yaml   the same way, where `helm status {name}` says deployed: it gives the newest revision, a failed one too\n\
         \x20 kubectl get deployments,statefulsets,services,configmaps --namespace {namespace} --output yaml > live.yaml   and   --current live.yaml\n\
         \x20 --current none   where nothing is installed yet\n\
         with Helm: --post-renderer-args --current --post-renderer-args current.yaml, or the environment MILVUS_UPLIFT_CURRENT=current.yaml"
    )
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    #[test]
    fn a_2_6_target_needs_a_current_state() {
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16").without_current();
        assert!(scenario.codes().contains(&"MU003"));
        let help = &scenario.of_rule("MU003")[0].help;
        assert!(
            help.contains("helm get manifest rel --namespace ns > current.yaml"),
            "{help}"
        );
        assert!(help.contains("--current none"), "{help}");
    }

    #[test]
    fn a_source_without_milvus_says_nothing() {
        let other = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";
        for current in ["", "\n", other] {
            let target = crate::rules::testkit::cluster("v2.6.16", false);
            let found = Scenario::of(current, &target).of_rule("MU003");
            assert!(found[0].message.contains("nothing in --current"), "{found:?}");
        }
    }

    #[test]
    fn so_does_a_rewrite_within_2_5() {
        assert!(
            Scenario::consolidation("v2.5.10", "v2.5.16")
                .without_current()
                .codes()
                .contains(&"MU003")
        );
    }

    #[test]
    fn nothing_to_change_within_2_5_needs_none() {
        assert!(
            !Scenario::upgrade("v2.5.10", "v2.5.15")
                .without_current()
                .codes()
                .contains(&"MU003")
        );
    }

    #[test]
    fn saying_it_silences_the_rule() {
        assert!(!Scenario::upgrade("v2.5.16", "v2.6.16").codes().contains(&"MU003"));
        assert!(
            !Scenario::upgrade("v2.5.16", "v2.6.16")
                .fresh()
                .codes()
                .contains(&"MU003")
        );
    }
}
