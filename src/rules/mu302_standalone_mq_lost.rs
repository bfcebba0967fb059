//! MU302: the chart could not see the standalone it renders and gave it its own default queue.

use super::case::Case;
use super::{Check, Rule, pins, places};
use crate::facts;
use crate::finding::{Finding, Severity};
use crate::milvus::config::{Layer, Origin};
use crate::milvus::queue::{self, Mq};
use crate::milvus::release::Component;
use crate::milvus::role::Role;
use crate::rewrite::chart::chart_of;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU302",
    name: "standalone-mq-lost",
    severity: Severity::Refuse,
    says: "rendered without a cluster, the chart fell back to woodpecker: set `standalone.messageQueue`",
    page: include_str!("../../docs/rules/MU302.md"),
    check: Check::Release(check),
};

/// The chart's note of the queue it chose, on the standalone's Deployment (charts from 5.0.0 on).
const ANNOTATION: &str = "milvus.io/message-queue";

fn check(case: &Case) -> Vec<Finding> {
    let Some(before) = case.before else { return vec![] };
    let current = places::likely_mq(before, case.current_mq());
    let Some(current) = current.filter(|mq| matches!(mq, Mq::RocksMq | Mq::Pulsar | Mq::Kafka)) else {
        return vec![];
    };
    if places::likely_mq(case.after, case.target_mq()) != Some(Mq::Woodpecker) {
        return vec![];
    }
    let Some(component) = case.after.release.in_role(Role::Standalone).next() else {
        return vec![];
    };
    let asked = case.values.and_then(|v| v.text(&["standalone", "messageQueue"]));
    if asked.as_deref() == Some("woodpecker") || !by_chart(case, component) {
        return vec![];
    }
    vec![finding(case, component, &current)]
}

/// Whether the chart wrote woodpecker, and is of those that choose it when they see no cluster.
fn by_chart(case: &Case, component: &Component) -> bool {
    let object = case.after.object(component);
    let noted = object.annotation(ANNOTATION).is_some_and(|v| v == "woodpecker");
    let chart = chart_of(object).and_then(|text| semver::Version::parse(&text).ok());
    let chooses = noted || chart.is_some_and(|v| v >= facts::charts().marks.milvus_2_6.chart);
    let written = match origin(case) {
        Some(origin) => origin.layer == Layer::DefaultYaml,
        None => noted,
    };
    chooses && written
}

fn origin(case: &Case) -> Option<Origin> {
    let effective = case.after.effective;
    let config = effective.config().as_seen();
    queue::resolve_type(&config, effective.line, true)
        .ok()
        .and_then(|(_, _, origin)| origin)
}

fn finding(case: &Case, component: &Component, current: &Mq) -> Finding {
    let chart = chart_of(case.after.object(component)).map_or_else(|| "the chart".to_owned(), |v| format!("chart {v}"));
    let message = format!(
        "{} runs on {current} and {chart} rendered woodpecker for it: the chart looks the running Deployment up to keep its queue, \
         and found none (`helm template`, Argo CD and --dry-run=client see no cluster; a reinstalled or renamed release has another name)",
        component.name
    );
    let mut help = format!(
        "{}\nfor a preview of what an upgrade would render, let Helm ask the cluster: helm upgrade --dry-run=server",
        pins::pin(case, current)
    );
    let mark = &facts::versions().marks.mq_sticks.version;
    if case.transition.target().is_some_and(|v| v >= mark) {
        help.push_str(&format!("\ndo this before the first start of {mark} or later: that start writes the queue into etcd, and setting the value afterwards does nothing"));
    }
    let origin = origin(case);
    let path = places::path_of("mq.type", origin.as_ref());
    let speaker = case.after.effective.speaker;
    places::place(case, RULE.finding(message, help), origin.as_ref(), speaker).field(
        path,
        current.as_str(),
        "woodpecker",
    )
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    fn lost(from: &str, to: &str, mq: &str) -> Scenario {
        let target =
            Scenario::standalone(from, to, mq).edit_target(&format!("      type: {mq}"), "      type: woodpecker");
        target.edit_target("milvus-4.2.58", "milvus-5.0.19")
    }

    #[test]
    fn the_cause_and_the_value_to_pin_are_named() {
        let scenario = lost("v2.5.16", "v2.6.16", "rocksmq");
        let finding = scenario.of_rule("MU302").remove(0);
        assert!(
            finding.message.contains("rocksmq")
                && finding.message.contains("helm template")
                && finding.message.contains("5.0.19")
        );
        for words in ["--set standalone.messageQueue=rocksmq", "--dry-run=server", "etcd"] {
            assert!(finding.help.contains(words), "{}", finding.help);
        }
        assert_eq!(finding.field.unwrap().path, "/data/default.yaml#/mq/type");
        assert!(finding.location.is_some_and(|l| l.line > 1));
        assert!(scenario.codes().contains(&"MU301"));
    }

    #[test]
    fn it_happens_to_every_queue_and_to_ordinary_changes() {
        assert!(
            lost("v2.5.16", "v2.6.16", "pulsar").of_rule("MU302")[0]
                .help
                .contains("standalone.messageQueue=pulsar")
        );
        assert!(lost("v2.5.16", "v2.6.16", "kafka").codes().contains(&"MU302"));
        assert!(lost("v2.6.16", "v2.6.16", "rocksmq").codes().contains(&"MU302"));
        assert!(lost("v2.5.16", "v2.5.22", "rocksmq").codes().contains(&"MU302"));
    }

    #[test]
    fn rocksmq_by_the_image_s_default_is_lost_as_well() {
        let scenario = lost("v2.5.16", "v2.6.16", "rocksmq").edit_current("    mq:\n      type: rocksmq\n", "");
        assert!(scenario.codes().contains(&"MU302"));
    }

    #[test]
    fn the_annotation_tells_a_fork_of_the_chart() {
        let fork = || lost("v2.5.16", "v2.6.16", "rocksmq").edit_target("milvus-5.0.19", "corp-vectors-1.4.0");
        assert!(!fork().codes().contains(&"MU302"));
        let noted = fork().edit_in_target(
            "Deployment",
            "rel-milvus-standalone",
            "    component: \"standalone\"\nspec:",
            "    component: \"standalone\"\n  annotations:\n    milvus.io/message-queue: woodpecker\nspec:",
        );
        assert!(noted.codes().contains(&"MU302"));
    }

    #[test]
    fn woodpecker_on_purpose_is_mu301_alone() {
        let scenario = lost("v2.5.16", "v2.6.16", "rocksmq")
            .values("cluster:\n  enabled: false\nstandalone:\n  messageQueue: woodpecker\n");
        let codes = scenario.codes();
        assert!(codes.contains(&"MU301") && !codes.contains(&"MU302"));
        let by_user = Scenario::standalone("v2.5.16", "v2.6.16", "rocksmq")
            .edit_target("milvus-4.2.58", "milvus-5.0.19")
            .edit_target(
                "  user.yaml: |-\n    # nothing\n",
                "  user.yaml: |\n    mq: {type: woodpecker}\n",
            );
        assert!(!by_user.codes().contains(&"MU302"));
    }

    #[test]
    fn near_misses_stay_quiet() {
        assert!(
            !Scenario::standalone("v2.5.16", "v2.6.16", "rocksmq")
                .codes()
                .contains(&"MU302")
        );
        assert!(
            !Scenario::standalone("v2.6.4", "v2.6.16", "woodpecker")
                .edit_target("milvus-4.2.58", "milvus-5.0.19")
                .codes()
                .contains(&"MU302")
        );
        assert!(!lost("v2.5.16", "v2.6.16", "rocksmq").fresh().codes().contains(&"MU302"));
        let env = "            - name: MQ_TYPE\n              value: rocksmq\n";
        assert!(
            !lost("v2.5.16", "v2.6.16", "rocksmq")
                .env_target("standalone", env)
                .codes()
                .contains(&"MU302")
        );
    }
}
