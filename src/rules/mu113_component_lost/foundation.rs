//! What Milvus stands on, beyond the workloads behind its addresses: the Services of those addresses, what a queue keeps
//! its log and its metadata in, what their pods need to start, and the Service that clients connect to.

use foldhash::{HashMap, HashSet};

use super::{HELM_RELEASE, instance, is_live, lost, runs_milvus};
use crate::finding::Finding;
use crate::kube::labelled::Labelled;
use crate::kube::object::{namespaces_agree, text_at};
use crate::kube::{Object, ObjectRef, workload};
use crate::milvus::queue::Mq;
use crate::milvus::release::Component;
use crate::milvus::role::Role;
use crate::rules::case::{Case, Side};
use crate::rules::places;
use crate::value::Value;

/// The addresses in Milvus' configuration, each with the queue it is of; `None`: a store's, which every release has.
const ADDRESSES: [(&str, Option<Mq>); 4] = [
    ("etcd.endpoints", None),
    ("minio.address", None),
    ("pulsar.address", Some(Mq::Pulsar)),
    ("kafka.brokerList", Some(Mq::Kafka)),
];

/// What Pulsar cannot be without, by the `component` of its pods. Its other parts (proxies and recovery, the manager and
/// the toolset) may be switched off; a proxy that Milvus talks to is known by its address.
const PULSAR: [&str; 4] = ["bookie", "bookkeeper", "zookeeper", "broker"];

/// Those of them that keep data in volumes, which are named after their StatefulSet.
const KEEPS_DATA: [&str; 3] = ["bookie", "bookkeeper", "zookeeper"];

/// What mends it. Never to scale it down: that stops what runs on it.
pub(super) const HELP: &str = "check that the stream is whole (`set -o pipefail`, no `head`, no `-s`) and rendered with this release's values; what is \
    missing: milvus-uplift diff --against current";

/// The name of the port for metrics.
const METRICS: &str = "metrics";

/// Something that is used through an address, in words: `etcd.endpoints: rel-etcd:2379`.
struct Used<'a> {
    key: &'static str,
    address: String,
    service: &'a Object,
}

impl Used<'_> {
    fn words(&self) -> String {
        format!("{}: {}", self.key, self.address)
    }
}

/// What is lost of it.
pub(super) fn check(case: &Case, before: Side, told: &mut HashSet<ObjectRef>, found: &mut Vec<Finding>) {
    let owner = Owner::of(before);
    let mut tell = |deployed: &Object, message: String, help: &str| {
        if told.insert(deployed.reference.clone()) {
            let mut finding = lost(deployed, message);
            help.clone_into(&mut finding.help);
            found.push(finding);
        }
    };
    let parts = Parts::of(before);
    let mut remains: Option<Remains> = None;
    let mut standing: Vec<&Object> = Vec::new();
    let (mut alike, mut apps) = (HashSet::default(), HashSet::default());
    for one in &used(case, before) {
        if before.named.holds(&one.service.reference) && owner.would_delete(case, one.service) {
            let message = format!(
                "{} is deployed, Milvus still uses it ({}), and the manifests do not hold it: Helm would delete it, and the address would \
                 lead nowhere",
                one.service.reference,
                one.words()
            );
            tell(one.service, message, HELP);
        }
        if !alike.insert(places::chosen_alike(one.service)) {
            continue;
        }
        let behind = places::workloads_of(case, before, one.service).into_iter();
        let behind = behind.filter(|o| owner.holds(o) && !runs_milvus(before, &o.reference));
        let behind: Vec<&Object> = behind.collect();
        for (part, member) in parts.beside(one.key, &behind, &mut apps) {
            let gone = owner.would_delete(case, member) && !rests(member);
            if gone
                && remains
                    .get_or_insert_with(|| Remains::of(case, before))
                    .need(part, member)
            {
                let empty = match KEEPS_DATA.contains(&part) {
                    true => ", and one of another name begins with empty volumes",
                    false => "",
                };
                let message = format!(
                    "{} is deployed, it is the {part} behind what Milvus still uses ({}), and the manifests do not hold it: Helm would \
                     delete it{empty}",
                    member.reference,
                    one.words(),
                );
                tell(member, message, HELP);
            }
            stopped(case, &[member], one, &mut tell);
            standing.push(member);
        }
        stopped(case, &behind, one, &mut tell);
        standing.extend(behind);
    }
    let mut seen: HashSet<*const Object> = HashSet::default();
    standing.retain(|o| seen.insert(*o));
    let stay = |o: &Object| case.after.named.same(&o.reference).next();
    for stays in standing.into_iter().filter_map(stay) {
        for needs in needed_by(before, stays).filter(|o| owner.would_delete(case, o)) {
            let message = format!(
                "{} is deployed, the pods of {} need it, and the manifests do not hold it: Helm would delete it, and what Milvus stands on \
                 would not start again",
                needs.reference, stays.reference.name
            );
            tell(needs, message, HELP);
        }
    }
    if let Some(service) = clients(case, before, &owner) {
        let message = format!(
            "{} is deployed, clients reach Milvus through it, and the manifests hold neither it nor another Service of {} for clients: Helm \
             would delete it",
            service.reference, case.came.name
        );
        tell(service, message, HELP);
    }
}

/// Whose the deployed objects are: a live List shows more than the release's own.
struct Owner<'a> {
    helm: Option<&'a str>,
    instance: Option<&'a str>,
}

impl<'a> Owner<'a> {
    fn of(before: Side<'a>) -> Owner<'a> {
        let objects = || before.release.components.iter().map(|c| before.object(c));
        Owner {
            helm: objects().find_map(|o| o.annotation(HELM_RELEASE)),
            instance: objects().find_map(instance),
        }
    }

    /// Whether an object is this release's, and none that somebody else made.
    fn holds(&self, object: &Object) -> bool {
        let other = matches!((self.instance, instance(object)), (Some(a), Some(b)) if a != b);
        let own = match self.helm {
            _ if !is_live(object) => !other,
            Some(helm) => object.annotation(HELM_RELEASE) == Some(helm),
            None => self.instance.is_some() && instance(object) == self.instance,
        };
        own && !object.is_hook()
    }

    fn would_delete(&self, case: &Case, object: &Object) -> bool {
        self.holds(object) && !object.is_kept() && !case.after.named.holds(&object.reference)
    }
}

/// The Services behind the addresses that the target uses: deployed, or new under another name for the same pods.
fn used<'a>(case: &Case<'a>, before: Side<'a>) -> Vec<Used<'a>> {
    let config = case.after.effective.config();
    let mq = case.target_mq();
    let mut known: HashSet<*const Object> = HashSet::default();
    let mut found = Vec::new();
    for (key, of) in ADDRESSES {
        if of.is_some() && mq.is_some() && of != mq {
            continue;
        }
        for address in config.list(key) {
            let in_side = |side: Side<'a>| places::service_named(&address, places::namespace(case), side.named);
            let Some(service) = in_side(before).or_else(|| in_side(case.after)) else {
                continue;
            };
            if known.insert(service) {
                found.push(Used { key, address, service });
            }
        }
    }
    found
}

/// The application and the instance that the labels of pods name.
type App<'a> = (&'a str, &'a str);

/// The deployed workloads that a queue is made of, by what their pods' labels name.
#[derive(Default)]
struct Parts<'a> {
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
    fn of(before: Side<'a>) -> Parts<'a> {
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
    fn beside(
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
    workload::SERVING_KINDS.contains(&object.reference.kind.as_str()) && !workload::is_made(object)
}

fn rests(object: &Object) -> bool {
    workload::replicas(object) == Some(0)
}

/// What tells whether a part that goes is still needed.
struct Remains<'a> {
    /// The applications that have brokers that run: they keep nothing, so that others can stand in for them.
    brokers: HashSet<App<'a>>,
    /// The hosts that the pods of an instance name.
    hosts: HashMap<&'a str, HashSet<&'a str>>,
    /// The deployed Services of an instance's ZooKeeper.
    keepers: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Remains<'a> {
    fn of(case: &Case<'a>, before: Side<'a>) -> Remains<'a> {
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
    fn need(&self, part: &str, member: &Object) -> bool {
        match app_of(member) {
            Some(app) if part == "broker" => !self.brokers.contains(&app),
            Some(("zookeeper", of)) => {
                let named = |name: &&str| self.hosts.get(of).is_some_and(|hosts| hosts.contains(*name));
                self.keepers.get(of).into_iter().flatten().any(|name| named(&name))
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

/// What would be scaled to zero below a Milvus that runs.
fn stopped(case: &Case, members: &[&Object], used: &Used, tell: &mut impl FnMut(&Object, String, &str)) {
    let stays = members
        .iter()
        .filter_map(|o| Some((*o, case.after.named.same(&o.reference).next()?)));
    let stays: Vec<(&Object, &Object)> = stays.collect();
    let Some((deployed, _)) = stays.iter().find(|(was, _)| !rests(was)) else {
        return;
    };
    if case.after.running().next().is_none() || !stays.iter().all(|(_, is)| rests(is)) {
        return;
    }
    let message = format!(
        "{} would be scaled to zero, and Milvus, which goes on running, still uses it ({})",
        deployed.reference,
        used.words()
    );
    let help = format!(
        "leave its replicas as they are deployed ({}), or scale all of Milvus to zero with it",
        workload::replicas(deployed).unwrap_or(1)
    );
    tell(deployed, message, &help);
}

/// The deployed objects without which the pods of a workload that stays do not start or do not find each other. Secrets may
/// be hidden from a post-renderer by Helm itself (`--hide-secret`).
fn needed_by<'a>(before: Side<'a>, stays: &Object) -> impl Iterator<Item = &'a Object> {
    let mut names: Vec<(&str, &str)> = workload::template(stays).map(workload::needs).unwrap_or_default();
    names.retain(|(kind, _)| matches!(*kind, "ConfigMap" | "PersistentVolumeClaim"));
    names.extend(text_at(&stays.value, &["spec", "serviceName"]).map(|name| ("Service", name)));
    let found: Vec<&Object> = names
        .iter()
        .filter_map(|(kind, name)| before.find(kind, name))
        .collect();
    found.into_iter()
}

/// The Service that clients connect to, where it would leave and no other takes them in.
fn clients<'a>(case: &Case, before: Side<'a>, owner: &Owner) -> Option<&'a Object> {
    let gone = doors(before).into_iter().find(|o| owner.would_delete(case, o))?;
    (case.after.running().any(takes_clients) && doors(case.after).is_empty()).then_some(gone)
}

fn takes_clients(component: &Component) -> bool {
    matches!(component.role, Role::Proxy | Role::Standalone)
}

/// The Services that lead to the ports for clients: all but those for metrics alone.
fn doors(side: Side<'_>) -> Vec<&Object> {
    let components = side.release.components.iter().filter(|c| takes_clients(c));
    let pods = components.map(|c| side.object(c));
    let labelled = Labelled::of(pods.filter_map(|o| Some((workload::pod_labels(o)?, o))));
    let services = side
        .objects
        .iter()
        .filter(|o| o.reference.kind == "Service" && !o.is_hook());
    let is_door = |o: &Object| {
        let ports = o.at(&["spec", "ports"]).and_then(Value::as_array);
        let mut ports = ports.into_iter().flatten();
        ports.any(|p| [&p["name"], &p["targetPort"]].iter().all(|v| **v != METRICS) && p["port"] != 9091)
    };
    let leads = |o: &&Object| {
        let selector = o
            .at(&["spec", "selector"])
            .filter(|s| s.as_object().is_some_and(|s| !s.is_empty()));
        let Some(selector) = selector.filter(|_| is_door(o)) else {
            return false;
        };
        let mut chosen = labelled.chosen(selector, true);
        chosen.any(|pods| namespaces_agree(&pods.reference.namespace, &o.reference.namespace))
    };
    services.filter(leads).collect()
}

#[cfg(test)]
mod tests;
