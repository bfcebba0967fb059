//! MU110: the metadata of 2.1 has to be migrated.

use super::case::Case;
use super::{Check, Rule, steps};
use crate::facts::{self, Hop, How};
use crate::finding::{Finding, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU110",
    name: "metadata-migration-needed",
    severity: Severity::Refuse,
    says: "2.1 and older to 2.2 and later",
    page: include_str!("../../docs/rules/MU110.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    migration(case).map(|hop| finding(case, hop)).into_iter().collect()
}

/// Whether a migration of the metadata lies on the way.
pub fn applies(case: &Case) -> bool {
    migration(case).is_some()
}

fn migration(case: &Case) -> Option<&'static Hop> {
    let (from, to) = (case.transition.source_line()?, case.transition.target_line()?);
    facts::hops()
        .hops
        .iter()
        .find(|h| h.how == How::Migration && from <= h.from && to >= h.to)
}

fn finding(case: &Case, hop: &Hop) -> Finding {
    let line = format!("{}.{}", hop.to.0, hop.to.1);
    let message = format!(
        "Milvus {} runs and {} would come: from {line} on the metadata has another layout, and no version migrates it by itself",
        steps::source_name(case),
        steps::target_name(case)
    );
    let target = case.transition.target().filter(|v| v.line() == hop.to);
    let to = target.map_or_else(|| facts::stop_in(hop.to).to_string(), ToString::to_string);
    let older = match case.transition.source_line() {
        Some(from) if from < hop.from => format!("first upgrade to the latest {}.{}\n", hop.from.0, hop.from.1),
        _ => String::new(),
    };
    let mut help = format!("{older}migrate the metadata to {line} with the script of the upgrade guide:\n");
    for command in steps::migration_commands(case, &to) {
        help.push_str(&format!("  {command}\n"));
    }
    help.push_str("it stops all components first (a live session in etcd makes the migration fail); -e ENDPOINT names an etcd outside the release, -c CLASS the storage class of the backup");
    if target.is_none() {
        help.push_str(&format!("\nthen go on: {}", steps::way_in_short(case)));
    }
    steps::at_any_current_image(case, RULE.finding(message, help))
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    #[test]
    fn the_script_comes_with_its_flags() {
        let found = Scenario::consolidation("v2.1.4", "v2.2.16").of_rule("MU110");
        assert_eq!(found.len(), 1);
        for words in [
            "-i rel -n ns -s 2.1.4 -t 2.2.16 -r by-dev -w milvusdb/milvus:v2.2.16",
            "-w milvusdb/milvus:v2.1.4 -o rollback",
        ] {
            assert!(found[0].help.contains(words), "{}", found[0].help);
        }
    }

    #[test]
    fn the_root_path_in_use_is_taken() {
        let scenario = Scenario::consolidation("v2.1.4", "v2.2.16")
            .edit_current("    etcd:\n", "    etcd:\n      rootPath: prod\n");
        assert!(scenario.of_rule("MU110")[0].help.contains(" -r prod "));
    }

    #[test]
    fn from_2_1_to_2_6_each_true_reason_is_told_once_and_the_commands_once() {
        let judgement = Scenario::consolidation("v2.1.4", "v2.6.16").judge();
        let of = |code: &str| judgement.findings.iter().filter(|f| f.code == code).collect::<Vec<_>>();
        assert_eq!([of("MU101").len(), of("MU103").len(), of("MU110").len()], [1, 1, 1]);
        let short = &of("MU101")[0].help;
        let order = [
            "2.2, by migrating",
            "the latest 2.3 (2.3.11 or later)",
            "the latest 2.4 (2.4.16 or later)",
            "2.5.16 or later",
            "2.6.16",
        ];
        let places: Vec<_> = order
            .iter()
            .map(|w| short.find(w).unwrap_or_else(|| panic!("{w} in {short}")))
            .collect();
        assert!(places.is_sorted(), "{short}");
        assert!(
            short.starts_with("by these stops: ") && !short.contains("migrate.sh"),
            "{short}"
        );
    }

    #[test]
    fn older_than_2_1_goes_to_2_1_first() {
        let found = Scenario::consolidation("v2.0.2-hotfix-16885", "v2.2.16").of_rule("MU110");
        assert!(
            found[0].help.starts_with("first upgrade to the latest 2.1"),
            "{}",
            found[0].help
        );
    }

    #[test]
    fn quiet_within_2_1_and_from_2_2_on() {
        for (from, to) in [("v2.1.0", "v2.1.4"), ("v2.2.0", "v2.3.21"), ("v2.2.16", "v2.6.16")] {
            assert!(
                Scenario::consolidation(from, to).of_rule("MU110").is_empty(),
                "{from} -> {to}"
            );
        }
    }
}
