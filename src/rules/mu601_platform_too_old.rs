//! MU601: Helm or Kubernetes older than the upgrade needs.

use super::case::Case;
use super::{Check, Rule};
use crate::facts::{self, Minimum};
use crate::finding::{Finding, Severity};
use crate::options::platform_version;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU601",
    name: "platform-too-old",
    severity: Severity::Refuse,
    says: "Helm or Kubernetes, where known, is older than the upgrade needs",
    page: include_str!("../../docs/rules/MU601.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    // An unknown target may be 2.6; below, nothing but a change of the topology rests on the platform.
    let concerned =
        case.transition.to_26() || case.transition.target_line().is_none() || !case.rewrite.changes.is_empty();
    if !concerned {
        return vec![];
    }
    let platform = &facts::versions().platform;
    let assume = &case.options.assume;
    let helm = "upgrade Helm, then run the same command; `helm version --short` shows what runs";
    let kube = "upgrade the cluster first; `kubectl version` shows the server's version";
    [
        ("Helm", &assume.helm_version, &platform.helm, helm),
        ("Kubernetes", &assume.kube_version, &platform.kubernetes, kube),
    ]
    .into_iter()
    .filter_map(|(name, version, least, help)| too_old(name, version.as_deref()?, least, help))
    .collect()
}

fn too_old(name: &str, version: &str, least: &Minimum, help: &str) -> Option<Finding> {
    if platform_version(version)? >= platform_version(least.version)? {
        return None;
    }
    let message = format!(
        "{name} is {version} and the upgrade to Milvus 2.6 is supported from {name} {} on: the guides cover none below",
        least.version
    );
    Some(RULE.finding(message, help))
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    fn with(pair: &str) -> Vec<crate::finding::Finding> {
        Scenario::upgrade("v2.5.16", "v2.6.16").assume(pair).of_rule("MU601")
    }

    #[test]
    fn an_older_platform_is_refused_with_both_versions() {
        let found = with("helm-version=v3.13.3");
        assert!(found[0].refuses() && found[0].message.contains("v3.13.3") && found[0].message.contains("3.14.0"));
        assert!(
            with("kube-version=v1.19.16-eks-2d98532")[0]
                .message
                .contains("Kubernetes 1.20.0")
        );
        assert_eq!(with("helm-version=2.17").len(), 1);
    }

    #[test]
    fn the_least_and_later_pass_with_a_vendor_s_suffix() {
        for pair in [
            "helm-version=3.14.0",
            "helm-version=v4.2.4+g1a2b3c",
            "kube-version=v1.20.0-gke.100",
            "kube-version=1.34",
            "kube-version=v1.27.3+k3s1",
        ] {
            assert!(with(pair).is_empty(), "{pair}");
        }
        assert!(Scenario::upgrade("v2.5.16", "v2.6.16").of_rule("MU601").is_empty());
    }

    #[test]
    fn a_step_that_changes_no_topology_needs_neither() {
        let older = Scenario::upgrade("v2.5.16", "v2.5.22").assume("helm-version=3.10.0");
        assert!(older.of_rule("MU601").is_empty());
        let later = Scenario::upgrade("v2.6.6", "v2.6.16").assume("helm-version=3.10.0");
        assert_eq!(later.of_rule("MU601").len(), 1);
        let consolidation = Scenario::consolidation("v2.5.10", "v2.5.16").assume("helm-version=3.10.0");
        assert_eq!(consolidation.of_rule("MU601").len(), 1);
    }
}
