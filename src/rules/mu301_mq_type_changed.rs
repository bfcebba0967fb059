//! MU301: another message queue.

use super::case::Case;
use super::{Check, Rule};
use crate::finding::{Finding, Severity};
use crate::milvus::config::Origin;
use crate::milvus::queue::{self, Mq};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU301",
    name: "mq-type-changed",
    severity: Severity::Refuse,
    says: "the effective message queue differs from the one in use",
    page: include_str!("../../docs/rules/MU301.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    let mut found = Vec::new();
    if let (Some(current), Some(target)) = (case.current_mq(), case.target_mq())
        && current != target
    {
        found.push(changed(case, &current, &target));
    }
    found.extend(disagreeing(case));
    found
}

fn changed(case: &Case, current: &Mq, target: &Mq) -> Finding {
    let sticky = match case.transition.target() {
        Some(v) if v.at_least(2, 6, 14) => "; from 2.6.14 on the first start writes it into etcd, where no later change of values reaches it",
        _ => "",
    };
    let message = format!(
        "the message queue would change from {current} to {target}: what is written and not yet flushed stays behind in {current}{sticky}"
    );
    let help = format!("{}\nswitching queues is a step of its own, after the upgrade (/management/wal/alter from 2.6.14 on)", pin(case, current));
    let mut finding = RULE.finding(message, help);
    let effective = case.after.effective;
    let standalone = case.standalone();
    let origin = queue::resolve_type(effective.config(), effective.line, standalone).ok().and_then(|(_, _, origin)| origin);
    let path = origin.as_ref().map_or("/data/default.yaml#/mq/type", |o| o.path.as_str()).to_owned();
    if let Some(origin) = &origin {
        finding = place(case, finding, origin);
    }
    finding.field(path, current.as_str(), target.as_str())
}

/// Points a finding at the object in which a setting was read.
pub fn place(case: &Case, finding: Finding, origin: &Origin) -> Finding {
    match case.after.find(&origin.object.kind, &origin.object.name) {
        Some(object) => finding.on(&object.reference).at(case.after.input, object.document, format!("{}{}", object.pointer, origin.path)),
        None => finding,
    }
}

/// The chart's values that keep a queue.
pub fn pin(case: &Case, mq: &Mq) -> String {
    let values = match (case.standalone(), mq) {
        (true, Mq::Pulsar) => "--set standalone.messageQueue=pulsar --set pulsarv3.enabled=true (or pulsar.enabled, externalPulsar.enabled)",
        (true, Mq::Kafka) => "--set standalone.messageQueue=kafka --set kafka.enabled=true (or externalKafka.enabled)",
        (true, other) => return format!("keep it: --set standalone.messageQueue={other}"),
        (false, Mq::Pulsar) => "--set pulsarv3.enabled=true --set kafka.enabled=false --set woodpecker.enabled=false (for the older Pulsar: pulsar.enabled=true and pulsarv3.enabled=false; outside the release: externalPulsar.enabled=true)",
        (false, Mq::Kafka) => "--set kafka.enabled=true --set pulsarv3.enabled=false (outside the release: externalKafka.enabled=true)",
        (false, Mq::Woodpecker) => "--set woodpecker.enabled=true --set pulsarv3.enabled=false",
        (false, other) => return format!("keep it: mq.type must stay {other}"),
    };
    format!("keep it: {values}")
}

/// Components of the target that would use another queue than the one that speaks for the release.
fn disagreeing(case: &Case) -> Vec<Finding> {
    let effective = case.after.effective;
    let Ok(spoken) = &effective.mq else { return vec![] };
    let mut found = Vec::new();
    for (i, component) in case.after.release.components.iter().enumerate() {
        let Ok(own) = effective.mq_of(i, case.standalone()) else { continue };
        if own != *spoken {
            let message = format!("{} would use the message queue {own} while the rest of the release uses {spoken}", component.name);
            let help = format!("take MQ_TYPE and the like out of the environment of {}, or give all components the same", component.name);
            found.push(case.after.point(RULE.finding(message, help), component, &component.container));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    fn kafka(scenario: Scenario) -> Scenario {
        scenario.edit_target("      type: pulsar", "      type: kafka")
    }

    #[test]
    fn another_type_is_refused_with_both_and_the_place() {
        let judgement = kafka(Scenario::upgrade("v2.5.16", "v2.6.16")).judge();
        let finding = judgement.findings.iter().find(|f| f.code == "MU301").unwrap();
        assert!(finding.message.contains("from pulsar to kafka") && finding.message.contains("etcd"));
        let field = finding.field.as_ref().unwrap();
        assert_eq!((field.path.as_str(), field.current.as_str(), field.proposed.as_str()), ("/data/default.yaml#/mq/type", Some("pulsar"), Some("kafka")));
        assert!(finding.location.as_ref().is_some_and(|l| l.line > 1));
    }

    #[test]
    fn the_environment_wins_over_files() {
        let env = "            - name: MQ_TYPE\n              value: kafka\n";
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16").env_target("datanode", env);
        let finding = scenario.judge().findings.into_iter().find(|f| f.code == "MU301").unwrap();
        assert!(finding.message.contains("rel-milvus-datanode"), "{}", finding.message);
    }

    #[test]
    fn the_same_queue_said_differently_stays_quiet() {
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16").edit_target("      type: pulsar", "      type: \"default\"");
        assert!(!scenario.codes().contains(&"MU301"));
    }

    #[test]
    fn an_assumption_stands_in_where_nothing_can_be_read() {
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16")
            .drop_target("ConfigMap", "rel-milvus")
            .drop_current("ConfigMap", "rel-milvus")
            .assume("current-mq=pulsar")
            .assume("target-mq=kafka");
        assert!(scenario.codes().contains(&"MU301"));
    }
}
