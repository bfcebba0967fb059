//! MU104: there is no way back.

use super::case::Case;
use super::{Check, Rule, steps};
use crate::facts;
use crate::finding::{Finding, Severity};
use crate::milvus::version::Version;
use crate::transition::From;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU104",
    name: "downgrade",
    severity: Severity::Refuse,
    says: "to a lower minor (3.0 -> 2.6.20 and later excepted), or from >= 2.6.6 to below 2.6.6",
    page: include_str!("../../docs/rules/MU104.md"),
    check: Check::Release(check),
};

/// A step to a lower version.
pub struct Down {
    /// The highest version seen.
    pub from: Version,
    /// The version, or the line where no more is known, that would come.
    pub to: String,
    /// Whether it must not be.
    pub refused: bool,
    /// What is known of it.
    pub note: Option<&'static str>,
}

/// The step to a lower version that this transition is, if it is one. An unknown patch counts as the line's first on
/// the way down from it: what is refused from there is refused from all that follow.
pub fn downgrade(case: &Case) -> Option<Down> {
    let transition = case.transition;
    if transition.is_ordinary() {
        return None;
    }
    let From::Release { versions, .. } = &transition.from else {
        return None;
    };
    let line = versions.line().max(transition.highest().map(Version::line))?;
    let from = match transition.highest() {
        Some(v) if v.line() == line => v.clone(),
        _ => Version::new(line.0, line.1, 0),
    };
    let to_line = transition.target_line()?;
    let known = transition.target().filter(|_| transition.to.undecidable.is_empty());
    let Some(to) = known else {
        // Whether a tag of a line can be gone back to is not known where part of that line can (MU005).
        let excepted = facts::hops()
            .back
            .iter()
            .any(|b| b.allowed && b.from.contains(&from) && b.to.from.line() == to_line);
        return (to_line < line && !excepted).then(|| Down {
            from,
            to: format!("{}.{}", to_line.0, to_line.1),
            refused: true,
            note: None,
        });
    };
    if *to >= from {
        return None;
    }
    let back = facts::hops().back(&from, to);
    Some(Down {
        refused: back.map_or(to_line < line, |b| !b.allowed),
        note: back.map(|b| b.note),
        to: to.to_string(),
        from,
    })
}

fn check(case: &Case) -> Vec<Finding> {
    match downgrade(case) {
        Some(down) if down.refused => vec![finding(case, &down)],
        _ => vec![],
    }
}

fn finding(case: &Case, down: &Down) -> Finding {
    let why = down
        .note
        .unwrap_or("nobody promises that a version reads what a later minor version wrote");
    let failed = match case.transition.source() {
        Some(runs) if *runs < down.from => " (it runs in part, or was tried before)",
        _ => "",
    };
    let message = format!(
        "Milvus {} was here{failed} and {} would come: {why}",
        down.from, down.to
    );
    let back = &facts::versions().marks.back_from_3_0.version;
    let lower = match (down.from.line(), case.transition.target_line()) {
        (from, Some(line)) if from == facts::versions().marks.third.version.line() && line == back.line() => {
            format!("\n3.0 can go back to {back} or later: {}", steps::set_tag(back))
        }
        _ => String::new(),
    };
    let help = format!(
        "stay at {from} or go on upwards, a retry at {from} is no downgrade: {tag}{lower}\n\
         to have {to} again, install it beside and restore a backup taken before the upgrade",
        from = down.from,
        tag = steps::set_tag(&down.from),
        to = down.to,
    );
    let finding = RULE.finding(message, help);
    steps::at_target(case, finding)
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::{self, Scenario};

    fn refused(from: &str, to: &str) -> bool {
        let of = |tag: &str| {
            if tag.contains("2.5") || tag.contains("2.4") {
                testkit::cluster(tag, false)
            } else {
                testkit::cluster26(tag)
            }
        };
        Scenario::of(&of(from), &of(to)).codes().contains(&"MU104")
    }

    #[test]
    fn the_table_of_downgrades() {
        for (from, to, want) in [
            ("v2.6.6", "v2.5.22", true),
            ("v2.6.0-rc1", "v2.5.22", true),
            ("v2.5.22", "v2.4.23", true),
            ("v3.0.0", "v2.6.19", true),
            ("v3.0.0", "v2.6.20", false),
            ("v3.0.0", "v2.6.22-gpu", false),
            ("v3.0.0-beta", "v2.6.20", true),
            ("v3.1.0", "v2.6.22", true),
            ("v3.1.0", "v3.0.4", true),
            ("v2.6.0", "v2.6.0-rc1", false),
            ("v2.6.5", "v2.6.0-rc1", false),
            ("v2.6.6", "v2.6.0-rc1", true),
            ("v2.6.8", "v2.6.5", true),
            ("v2.6.6", "v2.6.5-hotfix", true),
            ("v2.6.8", "v2.6.6", false),
            ("v2.6.5", "v2.6.4", false),
            ("v2.5.22", "v2.5.16", false),
            ("v2.6.6", "v2.6.6-gpu", false),
            ("v2.6.6", "v2.6.16", false),
            ("v2.6.16", "2.5-20250613-5110130b", true),
            ("v3.0.0", "2.6-20260723-d73c8e53", false),
            ("2.6-20260723-d73c8e53", "v2.5.22", true),
            ("3.0-20260723-bd384f0", "v2.6.20", false),
            ("3.0-20260723-bd384f0", "v2.6.16", true),
            ("2.6-20260723-d73c8e53", "v2.6.3", false),
            ("master-20250613-1bf960b1", "v2.5.22", false),
            ("v3.1.0", "2.6-20260723-d73c8e53", true),
            ("v2.6.16", "2.6-20260723-d73c8e53", false),
        ] {
            assert_eq!(refused(from, to), want, "{from} -> {to}");
        }
    }

    #[test]
    fn the_highest_image_counts_and_the_message_says_so() {
        let scenario = Scenario::upgrade("v2.5.16", "v2.5.22").edit_in_current(
            "Deployment",
            "rel-milvus-datanode",
            "v2.5.16",
            "v2.6.6",
        );
        let found = scenario.of_rule("MU104");
        assert_eq!(found.len(), 1);
        assert!(
            found[0].message.contains("2.6.6 was here (it runs in part"),
            "{}",
            found[0].message
        );
        assert!(
            found[0].help.contains("--set image.all.tag=v2.6.6"),
            "{}",
            found[0].help
        );
        assert_eq!(
            found[0].location.as_ref().map(|l| l.stream),
            Some(crate::finding::Input::Target)
        );
    }

    #[test]
    fn a_pre_release_of_2_6_is_no_2_5() {
        for tag in ["v2.6.0", "v2.6.5"] {
            let codes = Scenario::upgrade(tag, "v2.6.0-rc1").codes();
            assert!(codes.contains(&"MU102") && codes.contains(&"MU112"), "{tag}: {codes:?}");
        }
        let found = Scenario::upgrade("v2.6.8", "v2.6.0-rc1").of_rule("MU104");
        assert!(
            found[0].message.contains("definitions travel in the log"),
            "{}",
            found[0].message
        );
    }

    #[test]
    fn from_3_0_the_way_back_is_shown() {
        let found = Scenario::upgrade("v3.0.0", "v2.6.16").of_rule("MU104");
        assert!(
            found[0].help.contains("2.6.20 or later: --set image.all.tag=v2.6.20"),
            "{}",
            found[0].help
        );
    }

    #[test]
    fn a_fresh_install_goes_down_from_nothing() {
        assert!(
            Scenario::upgrade("v2.6.6", "v2.5.22")
                .fresh()
                .of_rule("MU104")
                .is_empty()
        );
    }

    #[test]
    fn a_tag_of_a_higher_line_among_known_versions_counts_as_that_line() {
        let scenario = Scenario::upgrade("v2.5.22", "v2.5.22").edit_in_current(
            "Deployment",
            "rel-milvus-datanode",
            "v2.5.22",
            "2.6-20260723-d73c8e53",
        );
        let found = scenario.of_rule("MU104");
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("2.6.0 was here"), "{}", found[0].message);
    }
}
