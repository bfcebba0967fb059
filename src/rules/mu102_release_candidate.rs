//! MU102: pre-releases are no stop on any way.

use super::case::Case;
use super::{Check, Rule, steps};
use crate::facts;
use crate::finding::{Finding, Severity};
use crate::milvus::version::Version;
use crate::transition::{From, Kind};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU102",
    name: "release-candidate",
    severity: Severity::Refuse,
    says: "from a 2.6 or later pre-release, or to any",
    page: include_str!("../../docs/rules/MU102.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    if case.transition.is_ordinary() {
        return vec![];
    }
    let left = source(case).map(|version| from(case, version));
    let come = case.transition.to.known.iter().rev().find(|v| v.is_pre());
    left.into_iter().chain(come.map(|version| to(case, version))).collect()
}

/// A pre-release of 2.6 or later that ran, also in an attempt that failed.
fn source<'a>(case: &'a Case<'a>) -> Option<&'a Version> {
    let From::Release { versions, highest, .. } = &case.transition.from else {
        return None;
    };
    let streaming = facts::versions().marks.streaming.version.line();
    highest
        .iter()
        .chain(versions.known.iter().rev())
        .find(|v| v.is_pre() && v.line() >= streaming)
}

fn from(case: &Case, version: &Version) -> Finding {
    let message = format!(
        "Milvus {version} ran here: no release reads what a pre-release wrote (streaming nodes panic on channels without a schema)"
    );
    let repair = match version.line() {
        line if line == facts::streaming_line() => {
            "\nto keep data of 2.6.0-rc1 there is a repair with birdwatcher (github.com/milvus-io/birdwatcher), connected to this release's etcd:\n\
             \x20 repair wal-recovery-storage         # shows what it would do\n\
             \x20 repair wal-recovery-storage --run   # does it\n\
             after which --allow MU102 lets this step pass"
        }
        _ => "",
    };
    let help = format!(
        "install a release beside it and bring the data over: milvus-backup create with the old one, restore into the new one{repair}"
    );
    steps::at_current_image(case, RULE.finding(message, help), version)
}

fn to(case: &Case, version: &Version) -> Finding {
    let message = format!(
        "Milvus {version} is a pre-release: no release is promised to read what it writes, so there is no way on from it"
    );
    let sensible = &facts::versions().marks.sensible_target.version;
    let base = Version::new(version.major, version.minor, version.patch);
    let better = if base.line() == sensible.line() {
        (&base).max(sensible)
    } else {
        &base
    };
    let fresh = match case.transition.kind {
        Some(Kind::Fresh) => format!("; to try it with data that may be lost: --allow MU102@{version}"),
        _ => String::new(),
    };
    let help = format!("take a release: {}{fresh}", steps::set_tag(better));
    steps::at_target_image(case, RULE.finding(message, help), version)
}

#[cfg(test)]
mod tests {
    use crate::finding::Input;
    use crate::rules::testkit::Scenario;

    #[test]
    fn from_rc1_to_anything_with_the_repair() {
        let found = Scenario::upgrade("v2.6.0-rc1", "v2.6.6").of_rule("MU102");
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("2.6.0-rc1") && found[0].help.contains("repair wal-recovery-storage --run"));
        assert_eq!(found[0].location.as_ref().map(|l| l.stream), Some(Input::Current));
    }

    #[test]
    fn to_any_pre_release() {
        for tag in ["v2.6.0-rc1", "v3.0-beta", "v2.5.0-beta", "2.6.1-rc.2-gpu"] {
            let found = Scenario::consolidation("v2.4.23", tag).of_rule("MU102");
            assert_eq!(found.len(), 1, "{tag}");
            assert!(found[0].help.contains("--set image.all.tag=v"), "{}", found[0].help);
        }
        let fresh = Scenario::upgrade("v2.5.16", "v3.0-beta").fresh().of_rule("MU102");
        assert!(fresh[0].help.contains("--allow MU102@3.0.0-beta"), "{}", fresh[0].help);
    }

    #[test]
    fn both_sides_are_told() {
        assert_eq!(Scenario::upgrade("v2.6.0-rc1", "v3.0-beta").of_rule("MU102").len(), 2);
    }

    #[test]
    fn quiet_for_the_same_tag_releases_and_pre_releases_of_2_5_left() {
        for (from, to) in [
            ("v2.6.0-rc1", "v2.6.0-rc1"),
            ("v2.5.0-beta", "v2.5.16"),
            ("v2.6.4", "v2.6.16-gpu"),
            ("v2.6.4-hotfix", "v2.6.16-debug"),
        ] {
            assert!(
                Scenario::upgrade(from, to).of_rule("MU102").is_empty(),
                "{from} -> {to}"
            );
        }
    }

    #[test]
    fn the_repair_is_of_2_6_alone_and_the_release_to_take_of_the_same_line_or_later() {
        let beta = Scenario::upgrade("v3.0-beta", "v3.0.0").of_rule("MU102");
        assert!(beta[0].help.contains("milvus-backup") && !beta[0].help.contains("birdwatcher"));
        for (from, to, tag) in [
            ("v2.5.22", "v2.6.0-rc1", "v2.6.16"),
            ("v2.6.20", "v3.0-beta", "v3.0.0"),
            ("v2.4.23", "v2.5.0-beta", "v2.5.0"),
        ] {
            let found = Scenario::upgrade(from, to).of_rule("MU102");
            assert_eq!(found[0].help, format!("take a release: --set image.all.tag={tag}"));
        }
    }
}
