//! MU112: a step down that may work.

use super::case::Case;
use super::mu104_downgrade::{Down, downgrade};
use super::{Check, Rule, steps};
use crate::finding::{Finding, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU112",
    name: "patch-downgrade",
    severity: Severity::Warn,
    says: "a lower patch of the same minor, where MU104 does not say more; 3.0 -> 2.6.20 and later",
    page: include_str!("../../docs/rules/MU112.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    match downgrade(case) {
        Some(down) if !down.refused => vec![finding(case, &down)],
        _ => vec![],
    }
}

fn finding(case: &Case, down: &Down) -> Finding {
    let why = down
        .note
        .unwrap_or("it is not tested upstream, and what the later patch wrote may not be readable");
    let message = format!("Milvus {} was here and {} would come: {why}", down.from, down.to);
    let help = format!(
        "take a backup first (milvus-backup create), or stay: {}",
        steps::set_tag(&down.from)
    );
    let finding = RULE.finding(message, help);
    steps::at_target(case, finding)
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    #[test]
    fn warns_of_a_lower_patch_and_of_the_way_back_from_3_0() {
        for (from, to) in [
            ("v2.6.16", "v2.6.8"),
            ("v2.6.4", "v2.6.2"),
            ("v3.0.1", "v2.6.20"),
            ("v3.0.1", "v3.0.0"),
            ("v2.6.16-hotfix", "v2.6.16"),
        ] {
            let found = Scenario::upgrade(from, to).of_rule("MU112");
            assert_eq!(found.len(), 1, "{from} -> {to}");
            assert!(!found[0].refuses() && found[0].help.contains("milvus-backup"));
        }
        assert_eq!(Scenario::consolidation("v2.5.22", "v2.5.16").of_rule("MU112").len(), 1);
    }

    #[test]
    fn quiet_where_it_is_refused_equal_or_upwards() {
        for (from, to) in [
            ("v2.6.16", "v2.6.5"),
            ("v3.0.0", "v2.6.19"),
            ("v2.6.16", "v2.6.16-gpu"),
            ("v2.6.8", "v2.6.16"),
            ("v2.6.8", "v2.6.8"),
        ] {
            assert!(
                Scenario::upgrade(from, to).of_rule("MU112").is_empty(),
                "{from} -> {to}"
            );
        }
    }
}
