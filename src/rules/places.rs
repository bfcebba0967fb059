//! What the rules on queues and stores share: components paired across both sides, and what differs between the places
//! their log and data live in.

use super::case::{Case, Side};
use crate::finding::Finding;
use crate::kube::object::{namespaces_agree, text_at};
use crate::kube::{Object, selector, workload};
use crate::milvus::config::{Origin, split_list};
use crate::milvus::identity::{self, Field, FieldValue, Identity};
use crate::milvus::queue::Mq;
use crate::milvus::release::Component;
use crate::milvus::resolved::Resolved;
use crate::milvus::role::Role;
use crate::value::Value;

/// The components of the target (index), each with the one of the current state (index) it takes over from.
pub fn pairs<'c>(case: &'c Case) -> &'c [(usize, usize)] {
    case.pairs.get_or_init(|| paired(case))
}

fn paired(case: &Case) -> Vec<(usize, usize)> {
    let Some(before) = case.before.filter(|b| !b.release.components.is_empty()) else {
        return vec![];
    };
    let all = &before.release.components;
    let counterpart = |c: &Component| {
        let named = all.iter().position(|b| b.role == c.role && b.name == c.name);
        let of = |role: Role| all.iter().position(|b| b.role == role);
        named
            .or_else(|| of(c.role))
            .or_else(|| predecessors(c.role).iter().copied().find_map(of))
    };
    // A role that is new takes over from those that run. Where these disagree among themselves (an environment of one
    // of them alone), it belongs to those it lives together with.
    let newcomer = |i: usize| {
        let speaker = before.effective.speaker;
        let nodes = [Role::DataNode, Role::Proxy, Role::QueryNode];
        let others = nodes.iter().filter_map(|role| all.iter().position(|b| b.role == *role));
        std::iter::once(speaker)
            .chain(others)
            .find(|j| lives_with(case.after, i, before, *j))
            .unwrap_or(speaker)
    };
    case.after
        .release
        .components
        .iter()
        .enumerate()
        .map(|(i, c)| (i, counterpart(c).unwrap_or_else(|| newcomer(i))))
        .collect()
}

/// The roles whose work a new role takes over.
fn predecessors(role: Role) -> &'static [Role] {
    match role {
        Role::MixCoord => &[Role::RootCoord, Role::DataCoord, Role::QueryCoord],
        _ => &[],
    }
}

/// Whether two components read the same of queue and stores, and can be read equally well.
fn lives_with(a: Side, i: usize, b: Side, j: usize) -> bool {
    fn fields(list: &[Field]) -> Vec<(&str, &FieldValue)> {
        list.iter().map(|f| (f.name, &f.value)).collect()
    }
    fn read(r: &Resolved) -> impl PartialEq + '_ {
        let queue = r.seen_queue.as_ref().map(|q| (&q.mq, fields(&q.identity)));
        let stores = r.seen_stores.as_ref().map(|s| (fields(&s.meta), fields(&s.object)));
        (queue, stores, r.queue.is_ok(), r.stores.is_ok())
    }
    read(a.effective.of(i)) == read(b.effective.of(j))
}

/// The queue's type of a side: as read, else as stated, else as something that can be seen names it.
pub fn likely_mq(side: Side, stated: Option<Mq>) -> Option<Mq> {
    stated.or_else(|| {
        let seen = side.effective.spoken().seen_queue.as_ref()?;
        seen.explicit.then(|| seen.mq.clone())
    })
}

/// Something that leads elsewhere, or to other members, and for whom.
pub struct Difference {
    /// What differs.
    pub identity: Identity,
    /// Where the proposed value was read; `None` for the image's default.
    pub origin: Option<Origin>,
    /// Where the current value was read.
    pub was: Option<Origin>,
    /// The components of the target it concerns.
    pub components: Vec<usize>,
}

/// A value of an identifying field in a sentence.
pub fn quoted(text: &str) -> String {
    match text.is_empty() {
        true => "nothing".to_owned(),
        false => format!("`{text}`"),
    }
}

/// The same as a field of a finding has it.
pub fn told(text: &str) -> Value {
    match text.is_empty() {
        true => Value::Null,
        false => text.into(),
    }
}

/// Adds differences to those of other components: the same difference is told once.
pub fn gather(all: &mut Vec<Difference>, found: Vec<Difference>) {
    for one in found {
        match all.iter_mut().find(|d| d.identity == one.identity) {
            Some(known) => known.components.extend(one.components),
            None => all.push(one),
        }
    }
}

/// Every field in which two identities of a component differ. Where a field exists on one side only because another
/// already differs (an external etcd becomes an embedded one), the other says enough.
pub fn differences(case: &Case, component: usize, current: &[Field], proposed: &[Field]) -> Vec<Difference> {
    let mut found: Vec<Difference> = Vec::new();
    let new = proposed.iter().filter(|p| !current.iter().any(|c| c.name == p.name));
    for field in current.iter().chain(new) {
        let of = |fields: &'_ [Field]| fields.iter().position(|f| f.name == field.name);
        let (was, is) = (of(current).map(|i| &current[i]), of(proposed).map(|i| &proposed[i]));
        match (was, is) {
            (Some(was), Some(is)) if was.value == is.value => continue,
            (Some(_), Some(_)) => {}
            _ if !found.is_empty() => continue,
            _ => {}
        }
        let alone = |field: Option<&Field>| field.cloned().into_iter().collect::<Vec<_>>();
        let identity = match identity::compare(&alone(was), &alone(is), namespace(case)) {
            Identity::Same => continue,
            different @ Identity::Different { .. } => {
                let same = was.zip(is).and_then(|(was, is)| same_workloads(case, was, is));
                same.unwrap_or(different)
            }
            members => members,
        };
        if identity != Identity::Same {
            found.push(Difference {
                identity,
                origin: is.and_then(|f| f.origin.clone()),
                was: was.and_then(|f| f.origin.clone()),
                components: vec![component],
            });
        }
    }
    found
}

/// The namespace short names are completed by.
pub fn namespace<'a>(case: &'a Case) -> &'a str {
    let after = case.after.release.namespace.as_str();
    match case.before {
        Some(before) if after.is_empty() => &before.release.namespace,
        _ => after,
    }
}

/// Addresses that name nothing in common may still reach the same pods: charts wrote etcd's Service first and its
/// pods later. `None` where they do not, as far as the manifests show.
fn same_workloads(case: &Case, current: &Field, proposed: &Field) -> Option<Identity> {
    let (FieldValue::Addresses { written: was, .. }, FieldValue::Addresses { written: is, .. }) =
        (&current.value, &proposed.value)
    else {
        return None;
    };
    let here = backends(was, case, case.before?.objects);
    let there = backends(is, case, case.after.objects);
    let common = here
        .iter()
        .any(|(_, a)| there.iter().any(|(_, b)| a.reference.same_object(&b.reference)));
    if !common {
        return None;
    }
    let only = |a: &[(String, &Object)], b: &[(String, &Object)], all: &[String]| -> Vec<String> {
        let known = |text: &&String| {
            a.iter()
                .any(|(t, x)| t == *text && b.iter().any(|(_, y)| x.reference.same_object(&y.reference)))
        };
        all.iter().filter(|text| !known(text)).cloned().collect()
    };
    let (removed, added) = (only(&here, &there, was), only(&there, &here, is));
    match removed.is_empty() && added.is_empty() {
        true => Some(Identity::Same),
        false => Some(Identity::MembersChanged {
            field: current.name,
            added,
            removed,
        }),
    }
}

/// Each address with each workload behind it. A state without Services is read by the target's.
fn backends<'a>(addresses: &[String], case: &'a Case, objects: &'a [Object]) -> Vec<(String, &'a Object)> {
    let mut found = Vec::new();
    for address in addresses {
        let mut behind = workloads_behind(address, namespace(case), objects, objects);
        if behind.is_empty() {
            behind = workloads_behind(address, namespace(case), case.after.objects, objects);
        }
        found.extend(behind.into_iter().map(|o| (address.clone(), o)));
    }
    found
}

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
pub fn service_behind<'a>(address: &str, namespace: &str, objects: &'a [Object]) -> Option<&'a Object> {
    service_names(address).into_iter().find_map(|(name, space)| {
        let space = if space.is_empty() { namespace } else { &space };
        let named = |o: &&Object| o.reference.kind == "Service" && o.reference.name == name;
        objects.iter().filter(named).find(|o| {
            let own = match o.reference.namespace.as_str() {
                "" => namespace,
                own => own,
            };
            let selector = o.at(&["spec", "selector"]).and_then(Value::as_object);
            own == space && selector.is_some_and(|s| !s.is_empty())
        })
    })
}

/// The workloads (among `objects`) behind an address, by the Service (among `services`) it names.
pub fn workloads_behind<'a>(
    address: &str,
    namespace: &str,
    services: &[Object],
    objects: &'a [Object],
) -> Vec<&'a Object> {
    let Some(service) = service_behind(address, namespace, services) else {
        return vec![];
    };
    let Some(chosen) = service.at(&["spec", "selector"]) else {
        return vec![];
    };
    objects
        .iter()
        .filter(|o| {
            workload::SERVING_KINDS.contains(&o.reference.kind.as_str())
                && namespaces_agree(&o.reference.namespace, &service.reference.namespace)
        })
        .filter(|o| workload::pod_labels(o).is_some_and(|labels| selector::selects(chosen, true, labels)))
        .collect()
}

/// Points a finding at the object of the target in which a setting was read; else at a component.
pub fn place(case: &Case, finding: Finding, origin: Option<&Origin>, component: usize) -> Finding {
    let object = origin.and_then(|o| case.after.find(&o.object.kind, &o.object.name));
    let component = &case.after.release.components[component];
    let (object, pointer) = match (object, origin) {
        (Some(object), Some(origin)) => (object, origin.path.as_str()),
        _ => (case.after.object(component), component.container.as_str()),
    };
    let finding = finding.on(&object.reference);
    // What the rewrite brings stands nowhere in the input.
    match case.target.objects.iter().any(|o| o.reference == object.reference) {
        true => finding.at(
            case.after.input,
            object.document,
            format!("{}{pointer}", object.pointer),
        ),
        false => finding,
    }
}

/// ` of a, b and c` where a difference does not concern every component.
pub fn whose(case: &Case, components: &[usize]) -> String {
    let all = &case.after.release.components;
    if (0..all.len()).all(|i| components.contains(&i) || all[i].role == Role::IndexNode) {
        return String::new();
    }
    let names: Vec<&str> = components.iter().map(|i| all[*i].name.as_str()).collect();
    format!(" of {}", listed(&names))
}

/// `a, b and c`.
pub fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

/// The path a field is told by: where it was read, else where the chart writes it.
pub fn path_of(field: &str, origin: Option<&Origin>) -> String {
    match origin {
        Some(origin) => origin.path.clone(),
        None => format!("/data/default.yaml#/{}", field.replace('.', "/")),
    }
}

/// The image of a container whose repository ends in a word.
pub fn image_ending<'a>(object: &'a Object, word: &str) -> Option<(String, &'a str)> {
    workload::containers(object)
        .into_iter()
        .find_map(|(pointer, container)| {
            let image = text_at(container, &["image"])?;
            crate::milvus::image::ImageRef::parse(image)
                .repository
                .rsplit('/')
                .next()
                .is_some_and(|name| name.ends_with(word))
                .then_some((pointer, image))
        })
}

/// The addresses a key holds, logins left out.
pub fn addresses_of(side: Side, key: &str) -> Vec<String> {
    split_list(side.effective.config().value(key).unwrap_or_default())
}

#[cfg(test)]
mod tests;
