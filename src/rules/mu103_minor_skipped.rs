//! MU103: one minor version at a time.

use super::case::Case;
use super::{Check, Rule, mu101_source_too_old as mu101, steps};
use crate::facts;
use crate::finding::{Finding, Severity};
use crate::milvus::version::Version;
use crate::transition::Transition;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU103",
    name: "minor-skipped",
    severity: Severity::Refuse,
    says: "2.4 -> 2.6, 2.5 -> 3.0",
    page: include_str!("../../docs/rules/MU103.md"),
    check: Check::Release(check),
};

/// No way is known at all, for who plans one. `first` is the first line a way begins at.
pub fn no_way(from: &str, to: &str, first: (u64, u64)) -> Finding {
    let message = format!("no way from Milvus {from} to {to} is known");
    let below = Version::parse(from).is_ok_and(|v| v.line() < first);
    let help = match below {
        true => format!(
            "upgrade to the latest {}.{} by the guide of that line first, then plan again",
            first.0, first.1
        ),
        false => {
            let lines: Vec<String> = facts::hops()
                .hops
                .iter()
                .map(|h| format!("{}.{}", h.to.0, h.to.1))
                .collect();
            // Beyond the tables the topology is that of 2.6, as far as anybody knows.
            let beyond = Version::parse(from).is_ok_and(|v| v.line() >= facts::streaming_line());
            let without = match beyond {
                true => format!("; or read its upgrade guide and go on without this check: --allow MU103@{to}"),
                false => String::new(),
            };
            format!(
                "plan to a version of a line that is known: {}; `milvus-uplift rules --facts` shows the ways, a newer milvus-uplift may know more{without}",
                lines.join(", ")
            )
        }
    };
    RULE.finding(message, help)
}

fn check(case: &Case) -> Vec<Finding> {
    let (Some(from), Some(to)) = (case.transition.source_line(), case.transition.target_line()) else {
        return vec![];
    };
    if case.transition.is_ordinary() || from >= to || leads(from, to) {
        return vec![];
    }
    let message = match between(from, to) {
        _ if next(from, to) => format!(
            "no upgrade from Milvus {} to {} is known, nor anything of Milvus {}.{}: its roles, its configuration and what it writes cannot be checked",
            steps::source_name(case),
            steps::target_name(case),
            to.0,
            to.1
        ),
        skipped if skipped.is_empty() => format!(
            "no upgrade from Milvus {} to {} is known: the versions between them, if there are any, cannot be checked",
            steps::source_name(case),
            steps::target_name(case)
        ),
        skipped => format!(
            "from Milvus {} to {} the upgrade would skip {}: each minor version only knows how to take over from the one before",
            steps::source_name(case),
            steps::target_name(case),
            skipped.join(" and ")
        ),
    };
    let help = match steps::way_in_short(case) {
        _ if next(from, to) => take_a_newer_one(case.transition),
        way if way.is_empty() => "see the upgrade guide of the target version".into(),
        way if mu101::applies(case) => format!("by these stops: {way}"),
        _ => steps::way(case),
    };
    let finding = RULE.finding(message, help);
    vec![match case.transition.target() {
        Some(version) => steps::at_target_image(case, finding, version),
        None => finding,
    }]
}

/// Whether a line follows another: by the table of ways; before its begin the next minor version does.
fn leads(from: (u64, u64), to: (u64, u64)) -> bool {
    facts::hops().direct(from, to).is_some() || (next(from, to) && !unknown(to))
}

/// Whether a line is the next minor version of another.
fn next(from: (u64, u64), to: (u64, u64)) -> bool {
    from.0 == to.0 && to.1 == from.1 + 1
}

/// Whether a line came after the tables.
fn unknown(line: (u64, u64)) -> bool {
    let hops = &facts::hops().hops;
    hops.first().is_some_and(|h| line > h.from) && !hops.iter().any(|h| h.to == line)
}

fn take_a_newer_one(transition: &Transition) -> String {
    let stated = match transition.target().filter(|_| transition.to.undecidable.is_empty()) {
        Some(target) => format!("--allow MU103@{target}"),
        None => "--allow MU103".into(),
    };
    format!(
        "take a newer milvus-uplift, which may know it (this is {}, `milvus-uplift rules --facts` shows what it knows); or read the upgrade \
         guide of that version, look for each role and setting of yours, and go on without this check: {stated}",
        env!("CARGO_PKG_VERSION")
    )
}

/// The lines between two, as far as they are known.
fn between(from: (u64, u64), to: (u64, u64)) -> Vec<String> {
    let known = facts::hops()
        .hops
        .iter()
        .map(|h| h.to)
        .filter(|line| *line > from && *line < to);
    let mut all: Vec<(u64, u64)> = known.collect();
    if from.0 == to.0 {
        all.extend((from.1 + 1..to.1).map(|minor| (from.0, minor)));
    }
    all.sort_unstable();
    all.dedup();
    all.into_iter()
        .map(|(major, minor)| format!("{major}.{minor}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testkit::Scenario;

    #[test]
    fn the_skipped_lines_are_named() {
        for (from, to, skipped) in [
            ("v2.4.23", "v2.6.16", "skip 2.5:"),
            ("v2.5.22", "v3.0.0", "skip 2.6:"),
            ("v2.3.21", "v2.5.16", "skip 2.4:"),
            ("v2.3.21", "v2.6.16", "skip 2.4 and 2.5:"),
        ] {
            let found = Scenario::consolidation(from, to).of_rule("MU103");
            assert_eq!(found.len(), 1, "{from} -> {to}");
            assert!(found[0].message.contains(skipped), "{}", found[0].message);
        }
    }

    #[test]
    fn from_2_5_to_3_0_the_stop_at_2_6_has_its_commands() {
        let found = Scenario::upgrade("v2.5.22", "v3.0.0").of_rule("MU103");
        let help = &found[0].help;
        assert!(
            help.contains("1. Milvus 2.6.20 or later")
                && help.contains("--set streaming.enabled=true --set indexNode.enabled=false"),
            "{help}"
        );
        assert!(
            help.contains("--version 5.0.0") && help.contains("2. Milvus 3.0.0: this upgrade again"),
            "{help}"
        );
        assert_eq!(found[0].field.as_ref().unwrap().current, "milvusdb/milvus:v2.5.22");
    }

    #[test]
    fn where_the_floor_has_the_commands_the_stops_are_one_line() {
        let found = Scenario::consolidation("v2.4.5", "v2.6.16").of_rule("MU103");
        assert!(
            found[0]
                .help
                .contains("the latest 2.4 (2.4.16 or later) -> 2.5.16 or later"),
            "{}",
            found[0].help
        );
        assert!(!found[0].help.contains("helm upgrade"));
    }

    #[test]
    fn one_minor_at_a_time_is_quiet() {
        for (from, to) in [
            ("v2.5.16", "v2.6.16"),
            ("v2.4.23", "v2.5.16"),
            ("v2.6.20", "v3.0.0"),
            ("v2.6.20", "v2.6.22"),
            ("v3.0.1", "v2.6.22"),
            ("v3.0.1", "v3.0.2"),
            ("v3.1.0", "v3.1.2"),
            ("v2.0.2", "v2.1.4"),
        ] {
            assert!(
                Scenario::upgrade(from, to).of_rule("MU103").is_empty(),
                "{from} -> {to}"
            );
        }
        assert!(
            Scenario::upgrade("v2.4.23", "v2.6.16")
                .fresh()
                .of_rule("MU103")
                .is_empty()
        );
        assert!(!leads((3, 0), (4, 0)) && between((3, 0), (4, 0)).is_empty());
    }

    #[test]
    fn a_minor_that_no_table_knows_is_unknown() {
        for (from, to) in [("v3.0.0", "v3.1.0"), ("v2.6.20", "v2.7.0"), ("v3.1.0", "v3.2.0")] {
            let found = Scenario::upgrade(from, to).of_rule("MU103");
            assert_eq!(found.len(), 1, "{from} -> {to}");
            assert!(
                found[0].message.contains("is known, nor anything of Milvus"),
                "{}",
                found[0].message
            );
            let allow = format!("--allow MU103@{}", &to[1..]);
            assert!(
                found[0].help.contains("a newer milvus-uplift") && found[0].help.ends_with(&allow),
                "{}",
                found[0].help
            );
        }
        let dated = Scenario::upgrade("v3.0.0", "3.1-20270101-d73c8e53").of_rule("MU103");
        assert!(dated[0].help.ends_with("--allow MU103"), "{}", dated[0].help);
    }

    #[test]
    fn where_no_way_is_known_it_says_so() {
        let found = Scenario::upgrade("v3.0.0", "v4.0.0").of_rule("MU103");
        assert_eq!(found.len(), 1);
        assert!(
            found[0]
                .message
                .starts_with("no upgrade from Milvus 3.0.0 to 4.0.0 is known"),
            "{}",
            found[0].message
        );
    }

    #[test]
    fn without_a_way_the_help_is_the_guide_or_the_lines_that_are_known() {
        for (from, help) in [
            ("1.1.0", "upgrade to the latest 2.1 by the guide of that line first"),
            ("2.1.0", "plan to a version of a line that is known: 2.2, 2.3, "),
            ("3.0.0", "plan to a version of a line that is known: 2.2, 2.3, "),
        ] {
            let found = no_way(from, "5.0.0", (2, 1));
            assert!(found.help.starts_with(help), "{from}: {}", found.help);
        }
        let found = Scenario::upgrade("v3.0.0", "v4.0.0").of_rule("MU103");
        assert_eq!(found[0].help, "see the upgrade guide of the target version");
    }

    #[test]
    fn behind_the_end_of_the_table_the_minor_versions_are_counted() {
        let found = Scenario::upgrade("v3.0.0", "v3.3.0").of_rule("MU103");
        assert!(found[0].message.contains("skip 3.1 and 3.2:"), "{}", found[0].message);
    }
}
