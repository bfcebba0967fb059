//! MU107: versions that break an upgrade.

use super::case::Case;
use super::{Check, Rule, steps};
use crate::facts;
use crate::finding::{Finding, Severity};
use crate::milvus::version::Version;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU107",
    name: "defective-target",
    severity: Severity::Refuse,
    says: "2.6.1; 2.6.12 to 2.6.14 unless `--assume no-dynamic-fields=true`",
    page: include_str!("../../docs/rules/MU107.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    let Some(target) = case.transition.target() else {
        return vec![];
    };
    let Some(defect) = facts::versions().defect(target) else {
        return vec![];
    };
    let lifted = defect.lifted_by == Some("no-dynamic-fields") && case.options.assume.no_dynamic_fields;
    if lifted || case.transition.is_ordinary() {
        return vec![];
    }
    let message = format!("Milvus {target} must not be upgraded to: {}", defect.reason);
    let good = nearest(target);
    let sensible = &facts::versions().marks.sensible_target.version;
    let better = match good < *sensible {
        true => format!(" (the nearest without it; {sensible} has all fixes for upgrades known)"),
        false => String::new(),
    };
    let assume = match defect.lifted_by {
        Some("no-dynamic-fields") => {
            "\nwhere no collection has a dynamic field (enable_dynamic_field): --assume no-dynamic-fields=true"
        }
        _ => "",
    };
    let help = format!("{}{better}{assume}", steps::set_tag(&good));
    vec![steps::at_target_image(case, RULE.finding(message, help), target)]
}

/// The next version without a known defect.
fn nearest(target: &Version) -> Version {
    let mut good = target.clone();
    while let Some(defect) = facts::versions().defect(&good) {
        good = defect.range.before.clone();
    }
    good
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    #[test]
    fn the_reason_and_the_nearest_good_version_are_told() {
        let found = Scenario::upgrade("v2.5.22", "v2.6.1").of_rule("MU107");
        assert!(found[0].message.contains("2.6.1") && found[0].message.contains("old session exists"));
        assert!(
            found[0].help.contains("image.all.tag=v2.6.2 ") && found[0].help.contains("2.6.16"),
            "{}",
            found[0].help
        );
        assert!(found[0].location.is_some());
        for tag in ["v2.6.12", "v2.6.13-gpu", "v2.6.14-hotfix"] {
            let found = Scenario::upgrade("v2.6.4", tag).of_rule("MU107");
            assert!(
                found[0].help.contains("v2.6.15") && found[0].help.contains("no-dynamic-fields=true"),
                "{tag}"
            );
        }
    }

    #[test]
    fn the_assumption_lifts_only_what_it_is_about() {
        let assumed = |tag: &str| {
            Scenario::upgrade("v2.5.22", tag)
                .assume("no-dynamic-fields=true")
                .of_rule("MU107")
                .len()
        };
        assert_eq!((assumed("v2.6.13"), assumed("v2.6.1")), (0, 1));
    }

    #[test]
    fn quiet_beside_the_defects_and_without_a_step() {
        for (from, to) in [
            ("v2.5.22", "v2.6.0"),
            ("v2.5.22", "v2.6.2"),
            ("v2.5.22", "v2.6.11-hotfix"),
            ("v2.5.22", "v2.6.15"),
            ("v2.6.13", "v2.6.13"),
            ("v2.6.1", "v2.6.16"),
        ] {
            assert!(
                Scenario::upgrade(from, to).of_rule("MU107").is_empty(),
                "{from} -> {to}"
            );
        }
    }
}
