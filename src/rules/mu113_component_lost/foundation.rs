//! What Milvus stands on, beyond the workloads behind its addresses: the Services of those addresses, what a queue keeps
//! its log and its metadata in, what their pods need to start, and the Service that clients connect to.

mod parts;

use foldhash::HashSet;

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
use parts::{App, KEEPS_DATA, Parts, Remains, rests};

/// The addresses in Milvus' configuration, each with the queue it is of; `None`: a store's, which every release has.
const ADDRESSES: [(&str, Option<Mq>); 4] = [
    ("etcd.endpoints", None),
    ("minio.address", None),
    ("pulsar.address", Some(Mq::Pulsar)),
    ("kafka.brokerList", Some(Mq::Kafka)),
];

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
    let mut telling = Telling { told, found };
    let owner = Owner::of(before);
    let standing = behind_addresses(case, before, &owner, &mut telling);
    let stay = |o: &Object| case.after.named.same(&o.reference).next();
    for stays in standing.into_iter().filter_map(stay) {
        for needs in needed_by(before, stays).filter(|o| owner.would_delete(case, o)) {
            let message = format!(
                "{} is deployed, the pods of {} need it, and the manifests do not hold it: Helm would delete it, and what Milvus stands on \
                 would not start again",
                needs.reference, stays.reference.name
            );
            telling.tell(needs, message, HELP);
        }
    }
    if let Some(service) = clients(case, before, &owner) {
        let message = format!(
            "{} is deployed, clients reach Milvus through it, and the manifests hold neither it nor another Service of {} for clients: Helm \
             would delete it",
            service.reference, case.came.name
        );
        telling.tell(service, message, HELP);
    }
}

/// The findings, and which objects were told already.
struct Telling<'t> {
    told: &'t mut HashSet<ObjectRef>,
    found: &'t mut Vec<Finding>,
}

impl Telling<'_> {
    fn tell(&mut self, deployed: &Object, message: String, help: &str) {
        if self.told.insert(deployed.reference.clone()) {
            let mut finding = lost(deployed, message);
            help.clone_into(&mut finding.help);
            self.found.push(finding);
        }
    }
}

/// What is lost behind the addresses. Returns the deployed workloads that are behind them, each once.
fn behind_addresses<'a>(case: &Case<'a>, before: Side<'a>, owner: &Owner, telling: &mut Telling) -> Vec<&'a Object> {
    let parts = Parts::of(before);
    let mut remains: Option<Remains> = None;
    let mut standing: Vec<&Object> = Vec::new();
    let mut alike = HashSet::default();
    let mut apps: HashSet<(&str, App)> = HashSet::default();
    for one in used(case, before) {
        if before.named.holds(&one.service.reference) && owner.would_delete(case, one.service) {
            let message = format!(
                "{} is deployed, Milvus still uses it ({}), and the manifests do not hold it: Helm would delete it, and the address would \
                 lead nowhere",
                one.service.reference,
                one.words()
            );
            telling.tell(one.service, message, HELP);
        }
        if !alike.insert(places::chosen_alike(one.service)) {
            continue;
        }
        let behind = places::workloads_of(case, before, one.service).into_iter();
        let behind = behind.filter(|o| owner.holds(o) && !runs_milvus(before, &o.reference));
        let behind: Vec<&Object> = behind.collect();
        for (part, member) in parts.beside(one.key, &behind, &mut apps) {
            let gone = owner.would_delete(case, member) && !rests(member);
            let mut needed = || {
                remains
                    .get_or_insert_with(|| Remains::of(case, before))
                    .need(part, member)
            };
            if gone && needed() {
                telling.tell(member, without(part, member, &one), HELP);
            }
            stopped(case, &[member], &one, telling);
            standing.push(member);
        }
        stopped(case, &behind, &one, telling);
        standing.extend(behind);
    }
    let mut seen: HashSet<*const Object> = HashSet::default();
    standing.retain(|o| seen.insert(*o));
    standing
}

/// That a part of what is used is gone.
fn without(part: &str, member: &Object, used: &Used) -> String {
    let empty = match KEEPS_DATA.contains(&part) {
        true => ", and one of another name begins with empty volumes",
        false => "",
    };
    format!(
        "{} is deployed, it is the {part} behind what Milvus still uses ({}), and the manifests do not hold it: Helm would delete it{empty}",
        member.reference,
        used.words(),
    )
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
        let own = match self.helm {
            // Manifests are the release's own.
            _ if !is_live(object) => true,
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

/// What would be scaled to zero below a Milvus that runs.
fn stopped(case: &Case, members: &[&Object], used: &Used, telling: &mut Telling) {
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
    telling.tell(deployed, message, &help);
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
