//! Values that keep the queue and the stores which are in use.

use super::case::Case;
use super::places::{namespace, service_behind};
use crate::milvus::config::Layer;
use crate::milvus::identity::FieldValue;
use crate::milvus::queue::{Mq, Queue};
use crate::report::mask;

/// Values that write a key into user.yaml, which wins over what the chart writes.
pub fn user_yaml(key: &str, value: &str) -> String {
    let mut text = String::from("extraConfigFiles:\n  user.yaml: |+\n");
    let value = if value.is_empty() { "\"\"" } else { value };
    let parts: Vec<&str> = key.split('.').collect();
    for (depth, part) in parts.iter().enumerate() {
        let indent = "  ".repeat(depth + 2);
        let end = if depth + 1 == parts.len() {
            format!(" {value}")
        } else {
            String::new()
        };
        text.push_str(&format!("{indent}{part}:{end}\n"));
    }
    text.trim_end().to_owned()
}

/// How to keep the queue that is in use: its values, with its present address where that lies outside the release.
pub fn pin(case: &Case, mq: &Mq) -> String {
    let was = case
        .before
        .and_then(|b| b.effective.spoken().seen_queue.as_ref())
        .filter(|q| q.mq == *mq);
    let by_env = was
        .and_then(|q| q.origin.as_ref())
        .filter(|o| matches!(o.layer, Layer::Env { .. }));
    if let (Some(origin), Some(before)) = (by_env, case.before) {
        let name = before
            .effective
            .config()
            .get("mq.type")
            .map_or("MQ_TYPE", |s| s.key.as_str());
        return format!(
            "keep it: the environment of {} {} sets {name}; leave it there (extraEnv in the chart's values)",
            origin.object.kind, origin.object.name
        );
    }
    let standalone = case.standalone();
    let switch = if standalone {
        format!("--set standalone.messageQueue={mq}")
    } else {
        String::new()
    };
    let values = match mq {
        Mq::Pulsar => pulsar_values(case, was),
        Mq::Kafka => kafka_values(case, was),
        Mq::Woodpecker if !standalone => "--set woodpecker.enabled=true --set pulsarv3.enabled=false".to_owned(),
        _ if !standalone => return format!("keep it: mq.type has to stay {mq}"),
        _ => String::new(),
    };
    format!("keep it: {}", format!("{switch} {values}").trim())
}

fn addresses<'a>(queue: Option<&'a Queue>, name: &str) -> Vec<&'a str> {
    let field = queue.and_then(|q| q.identity.iter().find(|f| f.name == name));
    match field.map(|f| &f.value) {
        Some(FieldValue::Addresses { written, .. }) => written.iter().map(String::as_str).collect(),
        _ => vec![],
    }
}

fn pulsar_values(case: &Case, was: Option<&Queue>) -> String {
    const OTHERS: &str = "--set kafka.enabled=false --set woodpecker.enabled=false";
    const V2: &str = "--set pulsar.enabled=true --set pulsarv3.enabled=false";
    const V3: &str = "--set pulsarv3.enabled=true --set pulsar.enabled=false";
    let addresses = addresses(was, "pulsar.address");
    let Some(address) = addresses.first() else {
        return format!(
            "{V3} {OTHERS} (for the older Pulsar: {V2}; outside the release: --set externalPulsar.enabled=true)"
        );
    };
    let service = case
        .before
        .and_then(|b| service_behind(address, namespace(case), b.named));
    let chart = service
        .and_then(|s| s.label("chart").or_else(|| s.label("helm.sh/chart")))
        .unwrap_or_default();
    let host = address.split("://").last().unwrap_or_default();
    let name = host.split([':', '.']).next().unwrap_or_default();
    if chart.starts_with("pulsarv3") || name.contains("-pulsarv3-") {
        return format!("{V3} {OTHERS}");
    }
    if service.is_some() || name.ends_with("-pulsar-proxy") {
        return format!("{V2} {OTHERS}");
    }
    let (host, port) = host
        .split('/')
        .next()
        .and_then(|h| h.rsplit_once(':'))
        .unwrap_or((host, "6650"));
    format!(
        "--set externalPulsar.enabled=true --set externalPulsar.host={} --set externalPulsar.port={port} --set pulsar.enabled=false --set pulsarv3.enabled=false {OTHERS}",
        mask::url(host)
    )
}

fn kafka_values(case: &Case, was: Option<&Queue>) -> String {
    let brokers = addresses(was, "kafka.brokerList");
    if brokers.is_empty() {
        return "--set kafka.enabled=true --set pulsarv3.enabled=false (outside the release: --set externalKafka.enabled=true)".to_owned();
    }
    let inside = brokers.iter().any(|b| {
        case.before
            .is_some_and(|before| service_behind(b, namespace(case), before.named).is_some())
    });
    match inside {
        true => "--set kafka.enabled=true --set externalKafka.enabled=false --set pulsarv3.enabled=false".to_owned(),
        false => format!(
            "--set externalKafka.enabled=true --set 'externalKafka.brokerList={}' --set kafka.enabled=false --set pulsarv3.enabled=false",
            brokers.join("\\,")
        ),
    }
}

/// What etcd may know better than the manifests, where it matters: from a version on it keeps the queue's type.
pub fn etcd_knows(case: &Case) -> Option<String> {
    let mark = &crate::facts::versions().marks.mq_sticks.version;
    if case.transition.highest().is_none_or(|v| v < mark) {
        return None;
    }
    let config = case
        .before
        .map_or(case.after.effective.config(), |b| b.effective.config());
    let root = config
        .value("etcd.rootPath")
        .unwrap_or("by-dev")
        .trim_end_matches('/')
        .to_owned();
    Some(format!(
        "what etcd holds wins over all manifests since {mark}; it tells what is really in use: etcdctl get {root}/config/mqtype"
    ))
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::{Scenario, cluster};

    /// The help of the only MU301, where the queue in use becomes another.
    fn help(scenario: &Scenario) -> String {
        let mut all = scenario.of_rule("MU301");
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0).help
    }

    fn first_line(scenario: &Scenario) -> String {
        help(scenario).lines().next().unwrap().to_owned()
    }

    /// A cluster that runs on `was` (its section of the configuration) and would run on Kafka, or on Pulsar.
    fn leaves(was: &str, to: &str) -> Scenario {
        Scenario::upgrade("v2.5.16", "v2.6.16")
            .edit_current(
                "      type: pulsar\n    pulsar:\n      address: rel-pulsarv3-proxy\n      port: 6650\n",
                was,
            )
            .edit_target("      type: pulsar\n", &format!("      type: {to}\n"))
    }

    const OTHERS: &str = "--set kafka.enabled=false --set woodpecker.enabled=false";

    fn service(name: &str, label: &str) -> String {
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  namespace: ns\n  labels:\n    {label}\nspec:\n  selector:\n    component: broker\n"
        )
    }

    #[test]
    fn pulsar_is_kept_by_the_values_of_the_one_that_runs() {
        let at = |address: &str| {
            leaves(
                &format!("      type: pulsar\n    pulsar:\n      address: {address}\n"),
                "kafka",
            )
        };
        let v2 = format!("keep it: --set pulsar.enabled=true --set pulsarv3.enabled=false {OTHERS}");
        let v3 = format!("keep it: --set pulsarv3.enabled=true --set pulsar.enabled=false {OTHERS}");
        for (scenario, says) in [
            (at("rel-pulsarv3-proxy"), v3.as_str()),
            (at("rel-pulsar-proxy"), v2.as_str()),
            (at("bus").add_current(&service("bus", "app: bus")), v2.as_str()),
            (
                at("bus").add_current(&service("bus", "chart: pulsar-2.7.8")),
                v2.as_str(),
            ),
            (
                at("bus").add_current(&service("bus", "chart: pulsarv3-3.3.0")),
                v3.as_str(),
            ),
            (
                at("bus").add_current(&service("bus", "helm.sh/chart: pulsarv3-3.3.0")),
                v3.as_str(),
            ),
        ] {
            assert_eq!(first_line(&scenario), says);
        }
        let outside = |host: &str, port: &str| {
            format!(
                "keep it: --set externalPulsar.enabled=true --set externalPulsar.host={host} --set externalPulsar.port={port} --set pulsar.enabled=false --set pulsarv3.enabled=false {OTHERS}"
            )
        };
        assert_eq!(first_line(&at("bus.corp.example")), outside("bus.corp.example", "6650"));
        let tls = at("pulsar+ssl://bus.corp.example:6651/a");
        assert_eq!(first_line(&tls), outside("bus.corp.example", "6651"));
    }

    #[test]
    fn kafka_is_kept_inside_the_release_or_outside() {
        let at = |list: &str| {
            leaves(
                &format!("      type: kafka\n    kafka:\n      brokerList: {list}\n"),
                "pulsar",
            )
        };
        assert_eq!(
            first_line(&at("k1.corp.example:9092,k2.corp.example:9092")),
            "keep it: --set externalKafka.enabled=true --set 'externalKafka.brokerList=k1.corp.example:9092\\,k2.corp.example:9092' --set kafka.enabled=false --set pulsarv3.enabled=false"
        );
        assert_eq!(
            first_line(&at("rel-kafka:9092").add_current(&service("rel-kafka", "app: kafka"))),
            "keep it: --set kafka.enabled=true --set externalKafka.enabled=false --set pulsarv3.enabled=false"
        );
        assert_eq!(
            first_line(&leaves("      type: kafka\n", "pulsar")),
            "keep it: --set kafka.enabled=true --set pulsarv3.enabled=false (outside the release: --set externalKafka.enabled=true)"
        );
    }

    #[test]
    fn the_other_queues_are_kept_by_mode() {
        let cluster = |mq: &str| {
            Scenario::upgrade("v2.6.4", "v2.6.16").edit_current("      type: pulsar\n", &format!("      type: {mq}\n"))
        };
        let standalone = |mq: &str| {
            Scenario::standalone("v2.6.4", "v2.6.16", mq).edit_target(&format!("      type: {mq}"), "      type: kafka")
        };
        for (scenario, says) in [
            (
                cluster("woodpecker"),
                "keep it: --set woodpecker.enabled=true --set pulsarv3.enabled=false",
            ),
            (cluster("corpmq"), "keep it: mq.type has to stay corpmq"),
            (
                standalone("woodpecker"),
                "keep it: --set standalone.messageQueue=woodpecker",
            ),
            (standalone("rocksmq"), "keep it: --set standalone.messageQueue=rocksmq"),
        ] {
            assert_eq!(first_line(&scenario), says);
        }
    }

    #[test]
    fn etcd_is_asked_from_the_version_on_that_keeps_the_type_there() {
        let from = |tag: &str| Scenario::upgrade(tag, "v2.6.16").edit_target("      type: pulsar", "      type: kafka");
        let asked = |scenario: &Scenario| help(scenario).contains("etcdctl get ");
        assert!(!asked(&from("v2.6.13")) && asked(&from("v2.6.14")) && asked(&from("v2.6.15")));
        let prod = "    etcd:\n      rootPath: prod/\n";
        let rooted = from("v2.6.15")
            .edit_target("    etcd:\n", prod)
            .edit_current("    etcd:\n", prod);
        assert!(
            help(&rooted).contains("etcdctl get prod/config/mqtype"),
            "{}",
            help(&rooted)
        );
    }

    #[test]
    fn a_fresh_release_has_nothing_to_keep() {
        let fresh = Scenario::raw(&cluster("v2.6.16", false)).fresh();
        assert!(fresh.of_rule("MU301").is_empty());
    }

    #[test]
    fn a_key_is_written_where_user_yaml_has_it() {
        assert_eq!(
            super::user_yaml("a.b.c", "x"),
            "extraConfigFiles:\n  user.yaml: |+\n    a:\n      b:\n        c: x"
        );
        assert_eq!(
            super::user_yaml("a", ""),
            "extraConfigFiles:\n  user.yaml: |+\n    a: \"\""
        );
    }
}
