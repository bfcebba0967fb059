//! MU101: 2.6 can only be reached from 2.5.16 or later.

use super::case::Case;
use super::{Check, Rule, mu110_metadata_migration_needed as mu110, steps};
use crate::facts;
use crate::finding::{Finding, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU101",
    name: "source-too-old",
    severity: Severity::Refuse,
    says: "the path needs a stop at 2.5.16 or later first",
    page: include_str!("../../docs/rules/MU101.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    if applies(case) { vec![finding(case)] } else { vec![] }
}

/// Whether what is deployed is too old to go to 2.6 or later. A tag that names a line below that of the floor is too
/// old whatever its patch; of the floor's own line nothing is known (MU005).
pub fn applies(case: &Case) -> bool {
    let floor = &facts::versions().marks.consolidate.version;
    let old = match case.transition.source() {
        Some(version) => version < floor,
        None => case.transition.source_line().is_some_and(|line| line < floor.line()),
    };
    old && case.transition.to_26() && !case.transition.is_ordinary()
}

fn finding(case: &Case) -> Finding {
    let floor = &facts::versions().marks.consolidate.version;
    let source = steps::source_name(case);
    let why = match case.standalone() {
        true => "an older coordinator counts the proxies of 2.6 and waits for time ticks they do not send",
        false => {
            "older components do not find a mixcoord, and older coordinators wait for time ticks that proxies of 2.6 do not send"
        }
    };
    let message = format!(
        "Milvus {source} runs and {} would come: that is reached from {floor} or later only, {why}",
        steps::target_name(case)
    );
    // The migration's own finding has its commands.
    let help = if mu110::applies(case) {
        format!("by these stops: {}", steps::way_in_short(case))
    } else {
        steps::way(case)
    };
    let finding = RULE.finding(message, help);
    match case.transition.source() {
        Some(version) => steps::at_current_image(case, finding, version),
        None => steps::at_any_current_image(case, finding),
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::{self, Scenario};

    #[test]
    fn below_the_floor_is_refused_with_the_guide_s_commands() {
        let found = Scenario::consolidation("v2.5.11", "v2.6.6").of_rule("MU101");
        assert_eq!(found.len(), 1);
        let (finding, help) = (&found[0], &found[0].help);
        assert!(
            finding.message.contains("2.5.11") && finding.message.contains("2.6.6"),
            "{}",
            finding.message
        );
        for words in [
            "helm upgrade rel zilliztech/milvus --namespace ns --version 4.2.58 --reset-then-reuse-values",
            "--set image.all.tag=v2.5.22 --set mixCoordinator.enabled=true --set rootCoordinator.enabled=false",
            "2. Milvus 2.6.6: this upgrade again",
        ] {
            assert!(help.contains(words), "{help}");
        }
        let location = finding.location.as_ref().unwrap();
        assert_eq!(location.stream, crate::finding::Input::Current);
        assert!(location.line > 1);
    }

    #[test]
    fn a_standalone_has_the_same_floor_without_coordinators() {
        let found = Scenario::standalone("v2.5.14", "v2.6.16", "rocksmq").of_rule("MU101");
        assert_eq!(found.len(), 1);
        assert!(!found[0].help.contains("mixCoordinator"), "{}", found[0].help);
    }

    #[test]
    fn the_lowest_image_counts() {
        let scenario = Scenario::upgrade("v2.5.22", "v2.6.16").edit_in_current(
            "Deployment",
            "rel-milvus-datanode",
            "v2.5.22",
            "v2.5.10",
        );
        assert_eq!(scenario.of_rule("MU101").len(), 1);
    }

    #[test]
    fn builds_and_hotfixes_count_as_their_base_or_later() {
        for (from, refused) in [
            ("v2.5.16", false),
            ("v2.5.16-gpu", false),
            ("v2.5.16-hotfix", false),
            ("v2.5.15-hotfix", true),
            ("v2.5.15-gpu", true),
            ("v2.5.16-rc1", true),
            ("2.4-20250101-abcdef12", true),
            ("2.5-20250613-5110130b", false),
        ] {
            assert_eq!(
                Scenario::upgrade(from, "v2.6.16").codes().contains(&"MU101"),
                refused,
                "{from}"
            );
        }
    }

    #[test]
    fn from_2_4_all_stops_are_named_in_order() {
        let found = Scenario::consolidation("v2.4.5", "v3.0.0").of_rule("MU101");
        let help = &found[0].help;
        assert!(
            help.contains("--version 4.2.21 --reset-then-reuse-values --set image.all.tag=v2.4.16\n"),
            "{help}"
        );
        let at = |words: &str| help.find(words).unwrap_or_else(|| panic!("{words} in {help}"));
        assert!(at("1. Milvus the latest 2.4 (2.4.16 or later)") < at("2. Milvus 2.5.16 or later"));
        assert!(
            at("2. Milvus 2.5.16") < at("3. Milvus 2.6.20 or later") && at("3. Milvus 2.6") < at("4. Milvus 3.0.0")
        );
    }

    #[test]
    fn quiet_below_2_6_and_in_a_fresh_install() {
        for scenario in [
            Scenario::consolidation("v2.5.10", "v2.5.16"),
            Scenario::consolidation("v2.4.5", "v2.5.22"),
            Scenario::upgrade("v2.5.10", "v2.6.16").fresh(),
            Scenario::of(&testkit::cluster26("v2.6.4"), &testkit::cluster26("v2.6.16")),
        ] {
            assert!(!scenario.codes().contains(&"MU101"));
        }
    }

    #[test]
    fn an_umbrella_chart_gets_its_own_keys() {
        let umbrella =
            |text: String| text.replace("# Source: milvus/templates/", "# Source: app/charts/vectors/templates/");
        let scenario = Scenario::of(
            &umbrella(testkit::cluster("v2.5.11", true)),
            &umbrella(testkit::cluster("v2.6.6", true)),
        );
        let found = scenario.of_rule("MU101");
        assert!(
            found[0].help.contains("helm upgrade rel YOUR_CHART")
                && found[0].help.contains("--set vectors.image.all.tag="),
            "{}",
            found[0].help
        );
    }
}
