//! MU111: an upgrade that cannot be done without downtime.

use super::case::Case;
use super::{Check, Rule, steps};
use crate::facts;
use crate::finding::{Finding, Severity};
use crate::milvus::queue::Mq;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU111",
    name: "rolling-upgrade-unsupported",
    severity: Severity::Warn,
    says: "before 2.2.3, or standalone on rocksmq: expect downtime",
    page: include_str!("../../docs/rules/MU111.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    let Some(before) = case.before else { return vec![] };
    if case.transition.is_ordinary() {
        return vec![];
    }
    let first = &facts::versions().marks.rolling_upgrade.version;
    let old = match case.transition.source() {
        Some(version) => version < first,
        // Of the first line itself nothing says that the patch is not an older one.
        None => case.transition.source_line().is_some_and(|line| line <= first.line()),
    };
    let why = if old {
        format!(
            "Milvus {} runs, and components of before {first} cannot be upgraded one by one",
            steps::source_name(case)
        )
    } else if case.standalone() && case.current_mq() == Some(Mq::RocksMq) {
        "a standalone on rocksmq keeps its queue in a directory that only one pod can open, so the old pod stops before the new one starts".into()
    } else {
        return vec![];
    };
    let name = before.release.components.first().map_or("POD", |c| c.name.as_str());
    let kind = before.release.components.first().map_or_else(
        || "deployment".into(),
        |c| before.object(c).reference.kind.to_ascii_lowercase(),
    );
    let message = format!(
        "{why}: reads and writes stop while {} is started",
        steps::target_name(case)
    );
    let help = format!(
        "announce the outage, stop the writers, and wait for the end: kubectl rollout status {kind}/{name} --namespace {}",
        steps::namespace(case)
    );
    vec![steps::at_any_current_image(case, RULE.finding(message, help))]
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    #[test]
    fn a_standalone_on_rocksmq_has_an_outage() {
        let found = Scenario::standalone("v2.5.22", "v2.6.16", "rocksmq").of_rule("MU111");
        assert_eq!(found.len(), 1);
        assert!(
            found[0]
                .help
                .contains("rollout status deployment/rel-milvus-standalone --namespace ns"),
            "{}",
            found[0].help
        );
        assert_eq!(
            Scenario::standalone("v2.5.16", "v2.5.22", "default")
                .of_rule("MU111")
                .len(),
            1,
            "default is rocksmq there"
        );
    }

    #[test]
    fn so_has_everything_before_2_2_3() {
        assert_eq!(Scenario::consolidation("v2.2.2", "v2.3.21").of_rule("MU111").len(), 1);
        assert!(Scenario::consolidation("v2.2.3", "v2.3.21").of_rule("MU111").is_empty());
        for (from, to, want) in [
            ("2.1-20220830-0a1b2c3d", "v2.2.16", 1),
            ("2.2-20230101-0a1b2c3d", "v2.3.21", 1),
            ("2.3-20230901-0a1b2c3d", "v2.4.23", 0),
        ] {
            let found = Scenario::consolidation(from, to).of_rule("MU111");
            assert_eq!(found.len(), want, "{from} -> {to}: it may be one of before 2.2.3");
        }
    }

    #[test]
    fn quiet_on_a_broker_without_a_step_and_in_a_cluster() {
        for scenario in [
            Scenario::standalone("v2.5.22", "v2.6.16", "pulsar"),
            Scenario::standalone("v2.5.22", "v2.5.22", "rocksmq"),
            Scenario::standalone("v2.5.22", "v2.6.16", "rocksmq").fresh(),
            Scenario::upgrade("v2.5.22", "v2.6.16"),
        ] {
            assert!(scenario.of_rule("MU111").is_empty());
        }
    }
}
