//! What is behind the addresses of queues and stores: Services, and the workloads they choose.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use foldhash::{HashMap, HashSet};

use super::{namespace, places};
use crate::kube::labelled::Carriers;
use crate::kube::named::Named;
use crate::kube::object::namespaces_agree;
use crate::kube::{Object, ObjectRef, selector, workload};
use crate::milvus::identity::{Field, FieldValue, Identity};
use crate::rules::case::{Case, Side};
use crate::value::Value;

/// The Services an address may name, by their name and namespace (empty: the release's).
fn service_names(address: &str) -> Vec<(String, String)> {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default().trim_end_matches('.');
    let inside = host
        .split_once(".svc")
        .filter(|(_, domain)| domain.is_empty() || domain.starts_with('.'));
    let parts: Vec<&str> = inside.map_or(host, |(name, _)| name).split('.').collect();
    let pair = |name: &str, namespace: &str| (name.to_owned(), namespace.to_owned());
    match parts[..] {
        [name] => vec![pair(name, "")],
        [a, b] => vec![pair(a, b), pair(b, "")],
        [_, service, namespace] => vec![pair(service, namespace)],
        _ => vec![],
    }
}

/// The Service behind an address, if one of these objects is it and finds pods of its own. An object without a namespace
/// is in the release's.
pub fn service_behind<'a>(address: &str, namespace: &str, named: &Named<'a>) -> Option<&'a Object> {
    service_where(address, namespace, named, |o| {
        let selector = o.at(&["spec", "selector"]).and_then(Value::as_object);
        selector.is_some_and(|s| !s.is_empty())
    })
}

/// The Service that an address names, also one that finds no pods of its own (an external name).
pub fn service_named<'a>(address: &str, namespace: &str, named: &Named<'a>) -> Option<&'a Object> {
    service_where(address, namespace, named, |_| true)
}

fn service_where<'a>(
    address: &str,
    namespace: &str,
    named: &Named<'a>,
    fits: impl Fn(&Object) -> bool,
) -> Option<&'a Object> {
    service_names(address).into_iter().find_map(|(name, space)| {
        let space = if space.is_empty() { namespace } else { &space };
        named.within("Service", &name, space).find(|o| {
            let own = match o.reference.namespace.as_str() {
                "" => namespace,
                own => own,
            };
            own == space && fits(o)
        })
    })
}

/// What makes two Services choose the same workloads.
pub fn chosen_alike(service: &Object) -> (String, &str) {
    let selector = service.at(&["spec", "selector"]).unwrap_or(&Value::Null);
    (selector.to_string(), &service.reference.namespace)
}

/// The workloads of a side that serve, by the labels of their pods.
#[derive(Debug)]
pub(super) struct Workloads(Carriers);

impl Workloads {
    pub(super) fn of(objects: &[Object]) -> Workloads {
        let all = objects.iter().enumerate().filter(|(_, o)| workload::serves(o));
        Workloads(Carriers::of(
            all.filter_map(|(i, o)| Some((i, workload::pod_labels(o)?))),
        ))
    }

    /// Those that a Service chooses.
    pub(super) fn chosen_by<'a>(&self, service: &Object, objects: &'a [Object]) -> Vec<&'a Object> {
        let Some(chosen) = service.at(&["spec", "selector"]) else {
            return vec![];
        };
        let carry = self.0.fewest(chosen, true).unwrap_or_default();
        let near = carry.iter().map(|i| &objects[*i]);
        near.filter(|o| namespaces_agree(&o.reference.namespace, &service.reference.namespace))
            .filter(|o| workload::pod_labels(o).is_some_and(|labels| selector::selects(chosen, true, labels)))
            .collect()
    }
}

/// The workloads of a side that a Service chooses.
pub fn workloads_of<'a>(case: &Case, side: Side<'a>, service: &Object) -> Vec<&'a Object> {
    let deployed = case.before.is_some_and(|b| std::ptr::eq(b.objects, side.objects));
    let known = places(case).workloads[usize::from(!deployed)].get_or_init(|| Workloads::of(side.objects));
    known.chosen_by(service, side.objects)
}

/// What is behind some addresses of a side, however many of them name one Service.
struct Backends<'a> {
    /// Which of the sets of workloads is behind each.
    behind: Vec<Option<usize>>,
    sets: Vec<Vec<&'a Object>>,
}

impl<'a> Backends<'a> {
    /// A state without Services is read by the target's.
    fn of(addresses: &[String], case: &Case<'a>, side: Side<'a>) -> Backends<'a> {
        let mut sets: Vec<Vec<&Object>> = Vec::new();
        let mut of_service: HashMap<*const Object, usize> = HashMap::default();
        let mut alike: HashMap<(String, &str), usize> = HashMap::default();
        let mut set = |address: &str, named: &Named<'a>| {
            let service = service_behind(address, namespace(case), named)?;
            let known = of_service.entry(service).or_insert_with(|| {
                *alike.entry(chosen_alike(service)).or_insert_with(|| {
                    sets.push(workloads_of(case, side, service));
                    sets.len() - 1
                })
            });
            (!sets[*known].is_empty()).then_some(*known)
        };
        let each = addresses.iter();
        let behind = each.map(|address| set(address, side.named).or_else(|| set(address, case.after.named)));
        Backends {
            behind: behind.collect(),
            sets,
        }
    }

    /// Of some addresses those behind which no workload is that is behind others'.
    fn without(&self, addresses: &[String], others: &Backends) -> Vec<String> {
        let mut known: HashSet<*const Object> = HashSet::default();
        let all = others.sets.iter().flatten().copied();
        let all = Named::of(all.filter(|o| known.insert(*o)));
        let shared = |set: &Vec<&Object>| set.iter().any(|o| all.holds(&o.reference));
        let shared: Vec<bool> = self.sets.iter().map(shared).collect();
        let each = addresses.iter().zip(&self.behind);
        let alone = each.filter(|(_, set)| set.is_none_or(|set| !shared[set]));
        alone.map(|(address, _)| address.clone()).collect()
    }
}

/// Addresses that name nothing in common may still reach the same pods: charts wrote etcd's Service first and its
/// pods later. `None` where they do not, as far as the manifests show.
pub(super) fn same_workloads(case: &Case, current: &Field, proposed: &Field) -> Option<Identity> {
    let (FieldValue::Addresses { written: was, .. }, FieldValue::Addresses { written: is, .. }) =
        (&current.value, &proposed.value)
    else {
        return None;
    };
    let here = Backends::of(was, case, case.before?);
    let there = Backends::of(is, case, case.after);
    let (removed, added) = (here.without(was, &there), there.without(is, &here));
    if removed.len() == was.len() {
        return None;
    }
    match removed.is_empty() && added.is_empty() {
        true => Some(Identity::Same),
        false => Some(Identity::MembersChanged {
            field: current.name,
            added,
            removed,
        }),
    }
}

/// What came in, by the hash of what names it: borrowed from nobody.
#[derive(Debug, Default)]
pub(super) struct Came {
    of: HashMap<u64, Vec<usize>>,
    hasher: RandomState,
}

/// Whether an object of the stream as it came in has this very name.
pub fn came(case: &Case, reference: &ObjectRef) -> bool {
    let objects = &case.target.objects;
    let came = places(case).came.get_or_init(|| {
        let mut came = Came::default();
        for (i, object) in objects.iter().enumerate() {
            let hash = came.hasher.hash_one(&object.reference);
            came.of.entry(hash).or_default().push(i);
        }
        came
    });
    let alike = came.of.get(&came.hasher.hash_one(reference));
    alike.into_iter().flatten().any(|i| objects[*i].reference == *reference)
}
