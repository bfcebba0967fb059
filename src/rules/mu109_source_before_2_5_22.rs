//! MU109: 2.5.22 is the better source for later targets.

use super::case::Case;
use super::{Check, Rule, steps};
use crate::facts;
use crate::finding::{Finding, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU109",
    name: "source-before-2.5.22",
    severity: Severity::Warn,
    says: "from 2.5.16 to 2.5.21 to 2.6.5 or later: 2.5.22 first is better",
    page: include_str!("../../docs/rules/MU109.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    let marks = &facts::versions().marks;
    let (Some(source), Some(target)) = (case.transition.source(), case.transition.target()) else {
        return vec![];
    };
    let (floor, preferred) = (&marks.consolidate.version, &marks.prefer.version);
    if source < floor || source >= preferred || *target < marks.prefer_for.version {
        return vec![];
    }
    let message = format!(
        "Milvus {source} runs and {target} would come: only from {preferred} on can a component that waits in its start-up be stopped, \
         which upgrades to {} and later may need",
        marks.prefer_for.version
    );
    let help = format!("better go to {preferred} first: {}", steps::to_preferred(case));
    vec![steps::at_current_image(case, RULE.finding(message, help), source)]
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    #[test]
    fn warns_between_the_floor_and_the_preferred_source() {
        for from in ["v2.5.16", "v2.5.21", "v2.5.21-gpu", "v2.5.21-hotfix"] {
            let found = Scenario::upgrade(from, "v2.6.5").of_rule("MU109");
            assert_eq!(found.len(), 1, "{from}");
            assert!(
                found[0].help.contains("--version 4.2.58") && found[0].help.contains("v2.5.22"),
                "{}",
                found[0].help
            );
            assert!(!found[0].refuses());
        }
        assert_eq!(
            Scenario::standalone("v2.5.16", "v2.6.16", "rocksmq")
                .of_rule("MU109")
                .len(),
            1
        );
    }

    #[test]
    fn quiet_outside_of_it() {
        for (from, to) in [
            ("v2.5.22", "v2.6.16"),
            ("v2.5.15", "v2.6.16"),
            ("v2.5.16", "v2.6.4"),
            ("v2.5.16", "v2.5.22"),
            ("v2.6.4", "v2.6.16"),
            ("v2.5.16", "v2.5.16"),
        ] {
            assert!(
                Scenario::upgrade(from, to).of_rule("MU109").is_empty(),
                "{from} -> {to}"
            );
        }
    }
}
