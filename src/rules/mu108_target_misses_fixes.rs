//! MU108: a target without fixes that upgrades need.

use super::case::Case;
use super::{Check, Rule, steps};
use crate::facts;
use crate::finding::{Finding, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU108",
    name: "target-misses-fixes",
    severity: Severity::Warn,
    says: "a 2.6 target below 2.6.16 misses fixes for upgrades",
    page: include_str!("../../docs/rules/MU108.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    let Some(target) = case.transition.target() else {
        return vec![];
    };
    if case.transition.is_ordinary() {
        return vec![];
    }
    let missing: Vec<String> = facts::versions()
        .missing_fixes(target)
        .map(|fix| format!("{} ({})", fix.what, fix.fixed_in))
        .collect();
    if missing.is_empty() {
        return vec![];
    }
    let n = missing.len();
    let message = format!(
        "Milvus {target} misses {n} known fix{}: {}",
        if n == 1 { "" } else { "es" },
        missing.join("; ")
    );
    let help = format!(
        "{}, or a later patch",
        steps::set_tag(&facts::versions().marks.sensible_target.version)
    );
    vec![steps::at_target_image(case, RULE.finding(message, help), target)]
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    #[test]
    fn exactly_the_fixes_behind_the_target_are_listed() {
        let found = Scenario::upgrade("v2.5.22", "v2.6.14").of_rule("MU108");
        assert!(
            found[0].message.contains("misses 2 known fixes"),
            "{}",
            found[0].message
        );
        assert!(found[0].message.contains("(2.6.15)") && !found[0].message.contains("(2.6.14)"));
        assert!(found[0].help.contains("v2.6.16") && !found[0].refuses());
        let one = Scenario::upgrade("v2.6.4", "v2.6.15-gpu").of_rule("MU108");
        assert!(one[0].message.contains("misses 1 known fix:"), "{}", one[0].message);
        let cve = Scenario::upgrade("v2.5.22", "v2.6.4").of_rule("MU108");
        assert!(cve[0].message.contains("CVE-2025-64513"));
    }

    #[test]
    fn quiet_with_all_fixes_below_2_6_and_without_a_step() {
        for (from, to) in [
            ("v2.5.22", "v2.6.16"),
            ("v2.5.10", "v2.5.22"),
            ("v2.6.20", "v3.0.0"),
            ("v2.6.4", "v2.6.4"),
        ] {
            assert!(
                Scenario::upgrade(from, to).of_rule("MU108").is_empty(),
                "{from} -> {to}"
            );
        }
    }
}
