//! MU004: the current state is another release's.

use super::{Check, Rule};
use crate::finding::{Finding, Severity};
use crate::milvus::release::{ByName, Inventory, Release};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU004",
    name: "state-of-another-release",
    severity: Severity::Refuse,
    says: "`--current` is of another release or namespace (where both say)",
    page: include_str!("../../docs/rules/MU004.md"),
    check: Check::Reading,
};

/// Refuses where no release of the stream is in a current state that holds Milvus releases.
pub fn check(came: &Inventory, before: &Inventory) -> Vec<Finding> {
    let deployed = ByName::of(&before.releases);
    let known = came.releases.iter().any(|release| deployed.holds(release));
    if before.releases.is_empty() || came.releases.is_empty() || known {
        return vec![];
    }
    let list = |releases: &[Release]| releases.iter().map(named).collect::<Vec<_>>().join(", ");
    let message = format!(
        "--current describes {}, the manifests are of {}: judging one by the other would say nothing",
        list(&before.releases),
        list(&came.releases)
    );
    let first = &came.releases[0];
    let namespace = if first.namespace.is_empty() {
        "NAMESPACE"
    } else {
        &first.namespace
    };
    let help = format!(
        "give the state of this release: --current release:{} --namespace {namespace}",
        first.name
    );
    vec![RULE.finding(message, help)]
}

fn named(release: &Release) -> String {
    let app = if release.app.is_empty() || release.app == "milvus" {
        String::new()
    } else {
        format!(" ({})", release.app)
    };
    match release.namespace.as_str() {
        "" => format!("release {}{app}", release.name),
        namespace => format!("release {}{app} in namespace {namespace}", release.name),
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    #[test]
    fn another_instance_or_namespace_is_another_release() {
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16");
        for (from, to) in [
            ("instance: rel", "instance: other"),
            ("namespace: ns", "namespace: elsewhere"),
        ] {
            let judgement = scenario.clone().edit_current(from, to).judge();
            let finding = judgement.findings.iter().find(|f| f.code == "MU004").expect(to);
            assert!(finding.message.contains(to.split(' ').nth(1).unwrap()));
        }
    }

    #[test]
    fn a_namespace_that_one_side_leaves_unsaid_agrees() {
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16").edit_current("  namespace: ns\n", "");
        assert!(!scenario.codes().contains(&"MU004"));
    }
}
