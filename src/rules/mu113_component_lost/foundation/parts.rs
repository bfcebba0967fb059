//! The parts that a bundled queue is made of, and which of them what stays still needs.

use foldhash::{HashMap, HashSet};

use crate::kube::{Object, workload};
use crate::rules::case::{Case, Side};
use crate::value::Value;

/// What Pulsar cannot be without, by the `component` of its pods. Its other parts (proxies and recovery, the manager and
/// the toolset) may be switched off; a proxy that Milvus talks to is known by its address.
const PULSAR: [&str; 4] = ["bookie", "bookkeeper", "zookeeper", "broker"];

/// Those of them that keep data in volumes, which are named after their StatefulSet.
pub(super) const KEEPS_DATA: [&str; 3] = ["bookie", "bookkeeper", "zookeeper"];

/// The application and the instance that the labels of pods name.
pub(super) type App<'a> = (&'a str, &'a str);

/// The deployed workloads that a queue is made of, by what their pods' labels name.
#[derive(Default)]
pub(super) struct Parts<'a> {
    /// Parts of Pulsar, by the application.
    pulsar: HashMap<App<'a>, Vec<(&'static str, &'a Object)>>,
    /// Kafka's ZooKeeper, by the instance.
    zookeeper: HashMap<&'a str, Vec<&'a Object>>,
}

fn app_of(object: &Object) -> Option<App<'_>> {
    app_in(workload::pod_labels(object)?)
}

fn app_in(labels: &Value) -> Option<App<'_>> {
    Some((
        label(labels, ["app", "app.kubernetes.io/name"])?,
        label(labels, ["release", "app.kubernetes.io/instance"])?,
    ))
}

fn label<'v>(labels: &'v Value, keys: [&str; 2]) -> Option<&'v str> {
    keys.into_iter().find_map(|key| labels.get(key)?.as_str())
}

fn component_of(object: &Object) -> Option<&str> {
    label(
        workload::pod_labels(object)?,
        ["component", "app.kubernetes.io/component"],
    )
}

impl<'a> Parts<'a> {
    pub(super) fn of(before: Side<'a>) -> Parts<'a> {
        let mut found = Parts::default();
        for object in before.objects.iter().filter(|o| serves(o)) {
            let Some((app, of)) = app_of(object) else { continue };
            if app == "zookeeper" {
                found.zookeeper.entry(of).or_default().push(object);
            }
            let part = PULSAR.into_iter().find(|part| component_of(object) == Some(part));
            if let Some(part) = part.filter(|_| app.starts_with("pulsar")) {
                found.pulsar.entry((app, of)).or_default().push((part, object));
            }
        }
        found
    }

    /// Those that belong to what is behind an address, but what is behind it itself; of each application once.
    pub(super) fn beside(
        &self,
        key: &'static str,
        behind: &[&'a Object],
        known: &mut HashSet<(&'static str, App<'a>)>,
    ) -> Vec<(&'static str, &'a Object)> {
        let apps = behind.iter().filter_map(|o| app_of(o));
        let apps = apps.filter(|app| known.insert((key, *app)));
        let all: Vec<(&str, &Object)> = match key {
            "pulsar.address" => apps
                .filter_map(|app| self.pulsar.get(&app))
                .flatten()
                .copied()
                .collect(),
            "kafka.brokerList" => {
                let keepers = apps.filter_map(|(_, of)| self.zookeeper.get(of)).flatten();
                keepers.map(|o| ("zookeeper", *o)).collect()
            }
            _ => vec![],
        };
        let itself: HashSet<*const Object> = behind.iter().map(|o| std::ptr::from_ref(*o)).collect();
        let beside = all
            .into_iter()
            .filter(|(_, o)| !itself.contains(&std::ptr::from_ref(*o)));
        beside.collect()
    }
}

fn serves(object: &Object) -> bool {
    workload::serves(object) && !workload::is_made(object)
}

pub(super) fn rests(object: &Object) -> bool {
    workload::replicas(object) == Some(0)
}

/// What tells whether a part that goes is still needed.
pub(super) struct Remains<'a> {
    /// The applications that have brokers that run: they keep nothing, so that others can stand in for them.
    brokers: HashSet<App<'a>>,
    /// The hosts that the pods of an instance name.
    hosts: HashMap<&'a str, HashSet<&'a str>>,
    /// The deployed Services of an instance's ZooKeeper.
    keepers: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Remains<'a> {
    pub(super) fn of(case: &Case<'a>, before: Side<'a>) -> Remains<'a> {
        let mut found = Remains {
            brokers: HashSet::default(),
            hosts: HashMap::default(),
            keepers: HashMap::default(),
        };
        for object in case.after.objects.iter().filter(|o| serves(o) && !rests(o)) {
            let (Some(app), Some(template)) = (app_of(object), workload::template(object)) else {
                continue;
            };
            if component_of(object) == Some("broker") {
                found.brokers.insert(app);
            }
            let hosts = found.hosts.entry(app.1).or_default();
            words(template, hosts);
            for (kind, name) in workload::needs(template) {
                let map = case.after.find(kind, name).filter(|_| kind == "ConfigMap");
                map.and_then(|m| m.at(&["data"]))
                    .into_iter()
                    .for_each(|data| words(data, hosts));
            }
        }
        for service in before.objects.iter().filter(|o| o.reference.kind == "Service") {
            let selector = service.at(&["spec", "selector"]);
            if let Some(("zookeeper", of)) = selector.and_then(app_in) {
                found.keepers.entry(of).or_default().push(&service.reference.name);
            }
        }
        found
    }

    /// Whether it is. Kafka needs its ZooKeeper as long as it names it, and none once it votes among itself (KRaft).
    pub(super) fn need(&self, part: &str, member: &Object) -> bool {
        match app_of(member) {
            Some(app) if part == "broker" => !self.brokers.contains(&app),
            Some(("zookeeper", of)) => {
                let named = |name: &&str| self.hosts.get(of).is_some_and(|hosts| hosts.contains(*name));
                self.keepers.get(of).into_iter().flatten().any(named)
            }
            _ => true,
        }
    }
}

/// The words of texts that can be the name of a Service: hosts without their domain.
fn words<'v>(value: &'v Value, found: &mut HashSet<&'v str>) {
    match value {
        Value::String(text) => {
            let hosts = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
            found.extend(hosts.filter(|host| !host.is_empty()));
        }
        Value::Array(items) => items.iter().for_each(|v| words(v, found)),
        Value::Object(map) => map.iter().for_each(|(_, v)| words(v, found)),
        _ => {}
    }
}
