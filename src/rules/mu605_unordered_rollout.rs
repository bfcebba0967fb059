//! MU605: Helm applies everything at once, and this upgrade has an order.

use super::case::Case;
use super::{Check, Rule};
use crate::facts;
use crate::finding::{Finding, Severity};
use crate::order::Order;
use crate::stage::{self, Stage};
use crate::transition::Kind;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU605",
    name: "unordered-rollout",
    severity: Severity::Warn,
    says: "all stages of the upgrade from 2.5 at once: Helm keeps no order among them",
    page: include_str!("../../docs/rules/MU605.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    if case.transition.kind != Some(Kind::Streaming)
        || case.standalone()
        || case.options.stage != Stage::All
        || case.options.order == Order::ArgoCd
    {
        return vec![];
    }
    let stages: Vec<String> = (0..=stage::LAST)
        .map(|n| format!("{n} {}", stage::describe(Kind::Streaming, n)))
        .collect();
    let text = |v: Option<&crate::milvus::version::Version>| v.map_or_else(|| "2.6".into(), ToString::to_string);
    let gate = &facts::versions().marks.ddl_gate.version;
    let definitions = match case.transition.target().is_none_or(|v| v >= gate) {
        true => ", and collections can be neither made nor changed (DDL) until it is through",
        false => "",
    };
    let message = format!(
        "Helm applies all of {} -> {} at once, and it has an order: no flush from the first new datanode to the last new proxy, \
         some writes fail from the first to the last new proxy{definitions}",
        text(case.transition.source()),
        text(case.transition.target()),
    );
    let help = format!(
        "announce the windows, or go stage by stage ({}):\n\
         helm upgrade ... --wait --post-renderer-args --stage --post-renderer-args 0   (then 1 to {})\n\
         milvus-uplift verify --stage 0 --current current.yaml --to {}   proves each before the next: --wait is no proof that the old pods are gone",
        stages.join("; "),
        stage::LAST,
        case.transition
            .target()
            .map_or_else(|| "VERSION".into(), ToString::to_string),
    );
    vec![RULE.finding(message, help)]
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;
    use crate::stage::Stage;

    #[test]
    fn a_whole_upgrade_from_2_5_names_stages_and_windows() {
        let finding = Scenario::upgrade("v2.5.16", "v2.6.16").of_rule("MU605").remove(0);
        for words in [
            "2.5.16 -> 2.6.16",
            "no flush",
            "writes fail",
            "neither made nor changed",
        ] {
            assert!(finding.message.contains(words), "{}", finding.message);
        }
        for words in [
            "1 mixcoord, streamingnode",
            "2 querynode",
            "3 datanode",
            "5 indexnode leaves",
            "verify --stage 0 --current current.yaml --to 2.6.16",
        ] {
            assert!(finding.help.contains(words), "{}", finding.help);
        }
        let early = Scenario::upgrade("v2.5.16", "v2.6.4").of_rule("MU605").remove(0);
        assert!(!early.message.contains("neither made"));
    }

    #[test]
    fn a_step_without_that_order_is_quiet() {
        assert!(
            Scenario::upgrade("v2.5.16", "v2.6.16")
                .stage(Stage::At(1))
                .of_rule("MU605")
                .is_empty()
        );
        assert!(
            Scenario::upgrade("v2.5.16", "v2.6.16")
                .stage(Stage::Next)
                .of_rule("MU605")
                .is_empty()
        );
        assert!(
            Scenario::standalone("v2.5.16", "v2.6.16", "rocksmq")
                .of_rule("MU605")
                .is_empty()
        );
        assert!(Scenario::upgrade("v2.6.6", "v2.6.16").of_rule("MU605").is_empty());
        assert!(
            Scenario::upgrade("v2.5.16", "v2.6.16")
                .fresh()
                .of_rule("MU605")
                .is_empty()
        );
        assert!(
            Scenario::consolidation("v2.5.10", "v2.5.16")
                .of_rule("MU605")
                .is_empty()
        );
    }
}
