//! MU003: nobody said what is deployed.

use super::{Check, Rule};
use crate::finding::{Finding, Severity};
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
/// changed.
pub fn check(transitions: &[&Transition], changing: bool) -> Vec<Finding> {
    let to_26 = transitions.iter().find(|t| t.to_26() || t.target_line().is_none());
    let message = match to_26 {
        Some(t) => {
            let version = t.target().map_or_else(|| "a version its images do not tell".into(), ToString::to_string);
            format!("the target is Milvus {version} and nobody said what is deployed now: whether this step is safe cannot be judged")
        }
        None if changing => {
            "the rewrite would take coordinators away and nobody said what is deployed now".to_owned()
        }
        None => return vec![],
    };
    vec![RULE.finding(message, HELP)]
}

const HELP: &str = "say it with one of\n\
    \x20 helm get manifest RELEASE --namespace NAMESPACE > current.yaml   and   --current current.yaml\n\
    \x20 kubectl get deployments,statefulsets,services,configmaps --namespace NAMESPACE --output yaml > live.yaml   and   --current live.yaml\n\
    \x20 --current none   where nothing is installed yet\n\
    with Helm: --post-renderer-args --current --post-renderer-args current.yaml, or the environment MILVUS_UPLIFT_CURRENT=current.yaml";

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    #[test]
    fn a_2_6_target_needs_a_current_state() {
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16").without_current();
        assert!(scenario.codes().contains(&"MU003"));
        assert!(scenario.judge().findings.iter().any(|f| f.help.contains("--current none")));
    }

    #[test]
    fn so_does_a_rewrite_within_2_5() {
        assert!(Scenario::consolidation("v2.5.10", "v2.5.16").without_current().codes().contains(&"MU003"));
    }

    #[test]
    fn nothing_to_change_within_2_5_needs_none() {
        assert!(!Scenario::upgrade("v2.5.10", "v2.5.15").without_current().codes().contains(&"MU003"));
    }

    #[test]
    fn saying_it_silences_the_rule() {
        assert!(!Scenario::upgrade("v2.5.16", "v2.6.16").codes().contains(&"MU003"));
        assert!(!Scenario::upgrade("v2.5.16", "v2.6.16").fresh().codes().contains(&"MU003"));
    }
}
