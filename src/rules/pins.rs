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
        .and_then(|b| service_behind(address, namespace(case), b.objects));
    let chart = service
        .and_then(|s| s.label("chart").or_else(|| s.label("helm.sh/chart")))
        .unwrap_or_default();
    let host = address.split("://").last().unwrap_or_default();
    let name = host.split([':', '.']).next().unwrap_or_default();
    if chart.starts_with("pulsarv3") || name.contains("-pulsarv3-") {
        return format!("{V3} {OTHERS}");
    }
    if chart.starts_with("pulsar-") || service.is_some() || name.ends_with("-pulsar-proxy") {
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
            .is_some_and(|before| service_behind(b, namespace(case), before.objects).is_some())
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
