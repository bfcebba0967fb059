//! MU602: a chart made for another release line than its image.

use super::case::Case;
use super::{Check, Rule};
use crate::facts;
use crate::finding::{Finding, Severity};
use crate::milvus::release::Component;
use crate::milvus::role::Role;
use crate::milvus::version::Version;
use crate::rewrite::chart::chart_of;
use crate::value::json;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU602",
    name: "chart-image-mismatch",
    severity: Severity::Warn,
    says: "the chart was made for another release line than the image",
    page: include_str!("../../docs/rules/MU602.md"),
    check: Check::Release(check),
};

/// The chart's version and the component whose label says it.
pub fn chart<'a>(case: &Case<'a>) -> Option<(semver::Version, &'a Component)> {
    case.came.components.iter().find_map(|c| {
        let label = chart_of(&case.target.objects[c.object])?;
        Some((semver::Version::parse(&label).ok()?, c))
    })
}

fn check(case: &Case) -> Vec<Finding> {
    let (Some((chart, component)), Some(line)) = (chart(case), case.transition.target_line()) else {
        return vec![];
    };
    let made = &facts::charts().marks.milvus_2_6.chart;
    let target = case
        .transition
        .target()
        .map_or_else(|| format!("{}.{}", line.0, line.1), ToString::to_string);
    let finding = match (chart < *made, line >= facts::streaming_line()) {
        (true, true) => older(case, &chart, &target),
        (false, false) if !case.standalone() && unswitched(case) => newer(case, &chart, &target),
        _ => return vec![],
    };
    let object = &case.target.objects[component.object];
    vec![finding.on(&object.reference).at(
        case.after.input,
        object.document,
        format!("{}/metadata/labels/helm.sh~1chart", object.pointer),
    )]
}

/// A chart of 2.5 around an image of 2.6.
fn older(case: &Case, chart: &semver::Version, target: &str) -> Finding {
    let made = &facts::charts().marks.milvus_2_6.chart;
    let handled = match case.standalone() {
        true => "a standalone runs, with that chart's defaults and configuration",
        false => "its roles are mended here, its defaults, probes and configuration stay those of 2.5",
    };
    let message = format!(
        "chart {chart} was made for Milvus 2.5 (2.6 begins with chart {made}) and renders the image {target}: {handled}"
    );
    let pinned = case.transition.target().and_then(chart_for);
    let version = pinned.map_or_else(|| made.to_string(), ToString::to_string);
    let queue = match case.standalone() {
        true => case
            .current_mq()
            .or_else(|| case.target_mq())
            .map(|mq| format!(" --set standalone.messageQueue={mq}"))
            .unwrap_or_default(),
        false => String::new(),
    };
    let help = format!(
        "let the chart follow, in a step of its own once the upgrade is through, with the image pinned: helm upgrade ... --version {version} \
         --set image.all.tag={} --reset-then-reuse-values{queue}",
        tag(case)
    );
    RULE.finding(message, help)
}

/// A chart of 2.6 around an image of 2.5, without the switches that make it render 2.5's roles.
fn newer(case: &Case, chart: &semver::Version, target: &str) -> Finding {
    let mut wrong = Vec::new();
    if case.came.has(Role::StreamingNode) {
        wrong.push("a streamingnode, which a 2.5 image cannot run");
    }
    if !case.came.has(Role::IndexNode) {
        wrong.push("no indexnode, so that nothing builds indexes");
    }
    let message = format!(
        "chart {chart} was made for Milvus 2.6 and renders for the image {target} {}",
        wrong.join(" and ")
    );
    let values = case.values_text(json!({"streaming": {"enabled": false}, "indexNode": {"enabled": true}}));
    RULE.finding(message, format!("switch it to the roles of 2.5; the values:\n{values}"))
}

/// Whether a chart of 2.6 renders its own roles.
fn unswitched(case: &Case) -> bool {
    case.came.has(Role::StreamingNode) || !case.came.has(Role::IndexNode)
}

/// The chart to follow with: the last known that installs no later Milvus of the same line.
fn chart_for(target: &Version) -> Option<&'static semver::Version> {
    let fits = |row: &&facts::ChartRelease| row.app.line() == target.line() && row.app <= *target;
    facts::charts().releases.iter().rfind(fits).map(|row| &row.chart)
}

/// The tag as the image has it.
fn tag(case: &Case) -> String {
    let image = case
        .came
        .components
        .first()
        .map(|c| crate::milvus::image::ImageRef::parse(&c.image));
    image.and_then(|i| i.tag).unwrap_or_else(|| "TAG".into())
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    #[test]
    fn an_older_chart_is_told_with_the_one_to_follow() {
        let finding = Scenario::upgrade("v2.5.16", "v2.6.16").of_rule("MU602").remove(0);
        assert!(
            finding.message.contains("chart 4.2.58") && finding.message.contains("2.6.16"),
            "{}",
            finding.message
        );
        assert!(
            finding.help.contains("--version 5.0.20 --set image.all.tag=v2.6.16"),
            "{}",
            finding.help
        );
        assert!(finding.location.is_some());
        let earlier = Scenario::upgrade("v2.5.16", "v2.6.7").of_rule("MU602").remove(0);
        assert!(earlier.help.contains("--version 5.0.8 "));
    }

    #[test]
    fn a_standalone_is_told_to_pin_its_queue() {
        let finding = Scenario::standalone("v2.5.16", "v2.6.16", "rocksmq")
            .of_rule("MU602")
            .remove(0);
        assert!(finding.help.contains("standalone.messageQueue=rocksmq"));
    }

    #[test]
    fn a_newer_chart_needs_its_switches() {
        let newer = Scenario::upgrade("v2.5.16", "v2.5.22").edit_target("milvus-4.2.58", "milvus-5.0.19");
        assert!(newer.of_rule("MU602").is_empty());
        let finding = newer
            .drop_target("Deployment", "rel-milvus-indexnode")
            .of_rule("MU602")
            .remove(0);
        assert!(finding.message.contains("no indexnode") && finding.help.contains("indexNode:\n  enabled: true"));
    }

    #[test]
    fn a_chart_of_the_line_and_one_without_a_label_are_quiet() {
        assert!(Scenario::upgrade("v2.6.6", "v2.6.16").of_rule("MU602").is_empty());
        assert!(Scenario::upgrade("v2.5.16", "v2.5.22").of_rule("MU602").is_empty());
        let first = Scenario::upgrade("v2.5.16", "v2.6.16").edit_target("milvus-4.2.58", "milvus-5.0.0");
        assert!(first.of_rule("MU602").is_empty());
        let unlabelled = Scenario::upgrade("v2.5.16", "v2.6.16").edit_target("    helm.sh/chart: milvus-4.2.58\n", "");
        assert!(unlabelled.of_rule("MU602").is_empty());
    }
}
