//! MU308: a broker outside the release has to keep what 2.6 still needs.

use super::case::Case;
use super::{Check, Rule, places};
use crate::facts;
use crate::finding::{Finding, Severity};
use crate::milvus::identity::FieldValue;
use crate::milvus::queue::{Mq, Queue};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU308",
    name: "external-retention",
    severity: Severity::Warn,
    says: "Pulsar or Kafka outside the release on the way to 2.6: retention and backlog quota",
    page: include_str!("../../docs/rules/MU308.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    if !case.transition.crosses_26() {
        return vec![];
    }
    let speaker = case.after.effective.speaker;
    let Some(queue) = &case.after.effective.spoken().seen_queue else {
        return vec![];
    };
    let key = match queue.mq {
        Mq::Pulsar => "pulsar.address",
        Mq::Kafka => "kafka.brokerList",
        _ => return vec![],
    };
    let Some(field) = queue.identity.iter().find(|f| f.name == key) else {
        return vec![];
    };
    // The image's default is no broker; what is hidden behind it is MU306's to say.
    let (FieldValue::Addresses { written, .. }, Some(origin)) = (&field.value, &field.origin) else {
        return vec![];
    };
    let namespace = places::namespace(case);
    let inside = |address: &String| {
        let mut sides = [Some(case.after), case.before].into_iter().flatten();
        sides.any(|side| places::service_behind(address, namespace, side.named).is_some())
    };
    if written.iter().any(inside) {
        return vec![];
    }
    let (message, help) = words(queue, &written.join(","));
    let finding = RULE.finding(message, help).field(
        places::path_of(key, Some(origin)),
        crate::value::Value::Null,
        written.join(","),
    );
    vec![places::place(case, finding, Some(origin), speaker)]
}

fn words(queue: &Queue, address: &str) -> (String, String) {
    let text = |name: &str, default: &str| {
        let field = queue.identity.iter().find(|f| f.name == name);
        field.map_or_else(|| default.to_owned(), |f| f.value.shown())
    };
    // An address that comes from a Secret: the broker may be anywhere, and no command can name it.
    let hidden = address.starts_with('<');
    let address = if hidden {
        address.trim_matches(['<', '>'])
    } else {
        address
    };
    let (at, host) = match hidden {
        true => (
            format!("at an address from {address} is, as far as can be seen, none of"),
            "BROKER:9092",
        ),
        false => (format!("at {address} is none of"), address),
    };
    if queue.mq == Mq::Kafka {
        let message = format!(
            "Kafka {at} this release's: 2.6 reads its log back from there after a restart, and what Kafka's retention has deleted by then is lost"
        );
        let help = format!(
            "keep it longer than Milvus could be down; look at it and raise it before the upgrade:\n\
             kafka-configs.sh --bootstrap-server {host} --describe --entity-type brokers --all | grep log.retention\n\
             kafka-configs.sh --bootstrap-server {host} --alter --entity-type brokers --entity-default --add-config log.retention.ms=604800000"
        );
        return (message, help);
    }
    let clear = facts::default_changes()
        .iter()
        .find(|row| row.key == "pulsar.backlogAutoClearBytes");
    let clear = clear.map_or_else(String::new, |row| {
        format!(
            "; its new pulsar.backlogAutoClearBytes ({}) counts on that retention",
            row.new
        )
    });
    let message = format!(
        "Pulsar {at} this release's: 2.6 reads its log back from there after a restart, what retention has deleted by then is lost, and a full backlog quota stops all writes{clear}"
    );
    let scope = format!(
        "{}/{}",
        text("pulsar.tenant", "public"),
        text("pulsar.namespace", "default")
    );
    let help = format!(
        "look at both and raise them before the upgrade:\n\
         pulsar-admin namespaces get-retention {scope}\n\
         pulsar-admin namespaces get-backlog-quotas {scope}\n\
         pulsar-admin namespaces set-retention {scope} --time 7d --size -1"
    );
    (message, help)
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    fn external(scenario: Scenario) -> Scenario {
        let to = "address: bus.corp.example";
        scenario
            .edit_target("address: rel-pulsarv3-proxy", to)
            .edit_current("address: rel-pulsarv3-proxy", to)
    }

    #[test]
    fn pulsar_outside_the_release_is_told_with_its_namespace() {
        let scenario = external(Scenario::upgrade("v2.5.16", "v2.6.16"))
            .edit_target("    pulsar:\n", "    pulsar:\n      tenant: corp\n");
        let finding = scenario.of_rule("MU308").remove(0);
        assert!(
            finding.message.contains("bus.corp.example:6650") && finding.message.contains("100m"),
            "{}",
            finding.message
        );
        assert!(finding.help.contains("corp/default"));
        assert!(finding.location.is_some_and(|l| l.line > 1));
    }

    #[test]
    fn kafka_as_well() {
        let kafka = |s: &str| {
            s.replace(
                "      type: pulsar\n",
                "      type: kafka\n    kafka:\n      brokerList: k1.corp.example:9092,k2.corp.example:9092\n",
            )
        };
        let scenario = Scenario::of(
            &kafka(&crate::rules::testkit::cluster("v2.5.16", false)),
            &kafka(&crate::rules::testkit::cluster("v2.6.16", false)),
        );
        assert!(
            scenario.of_rule("MU308")[0]
                .help
                .contains("k1.corp.example:9092,k2.corp.example:9092")
        );
    }

    #[test]
    fn a_service_of_the_release_or_another_step_stays_quiet() {
        assert!(Scenario::upgrade("v2.5.16", "v2.6.16").of_rule("MU308").is_empty());
        assert!(
            external(Scenario::upgrade("v2.6.15", "v2.6.16"))
                .of_rule("MU308")
                .is_empty()
        );
        assert!(
            external(Scenario::upgrade("v2.5.16", "v2.5.22"))
                .of_rule("MU308")
                .is_empty()
        );
        assert!(
            external(Scenario::upgrade("v2.5.16", "v2.6.16"))
                .fresh()
                .of_rule("MU308")
                .is_empty()
        );
    }

    #[test]
    fn an_external_name_leads_outside() {
        let alias = "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: bus\n  namespace: ns\nspec:\n  type: ExternalName\n  externalName: bus.corp.example\n";
        let to = "address: bus";
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16")
            .edit_target("address: rel-pulsarv3-proxy", to)
            .edit_current("address: rel-pulsarv3-proxy", to)
            .add_target(alias);
        assert_eq!(scenario.of_rule("MU308").len(), 1);
    }
}
