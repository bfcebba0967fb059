//! What the rules on queues and stores share: components paired across both sides, and what differs between the places
//! their log and data live in.

mod behind;
mod differences;

pub use behind::{came, chosen_alike, service_behind, service_named, workloads_of};
pub use differences::{Difference, Gathered, differences};

use std::cell::OnceCell;
use std::sync::Arc;

use foldhash::HashMap;

use super::case::{Case, Side};
use crate::finding::Finding;
use crate::kube::Object;
use crate::kube::object::text_at;
use crate::kube::workload;
use crate::milvus::config::{Origin, split_list};
use crate::milvus::identity::{Field, FieldValue};
use crate::milvus::queue::Mq;
use crate::milvus::release::Component;
use crate::milvus::resolved::Resolved;
use crate::milvus::role::Role;
use crate::value::Value;

/// What is found once for all rules that ask for places.
#[derive(Debug)]
pub struct Places {
    pairs: Vec<(usize, usize)>,
    compared: differences::Compared,
    /// Of what is deployed and of what would be applied.
    workloads: [OnceCell<behind::Workloads>; 2],
    came: OnceCell<behind::Came>,
}

fn places<'c>(case: &'c Case) -> &'c Places {
    case.pairs.get_or_init(|| Places {
        pairs: paired(case),
        compared: differences::Compared::default(),
        workloads: Default::default(),
        came: OnceCell::new(),
    })
}

/// The components of the target (index), each with the one of the current state (index) it takes over from.
pub fn pairs<'c>(case: &'c Case) -> &'c [(usize, usize)] {
    &places(case).pairs
}

fn paired(case: &Case) -> Vec<(usize, usize)> {
    let Some(before) = case.before.filter(|b| !b.release.components.is_empty()) else {
        return vec![];
    };
    let (mut named, mut first) = (HashMap::default(), HashMap::default());
    for (j, b) in before.release.components.iter().enumerate() {
        named.entry((b.role, &b.name[..])).or_insert(j);
        first.entry(b.role).or_insert(j);
    }
    let of = |role: Role| first.get(&role).copied();
    let counterpart = |c: &Component| {
        let named = named.get(&(c.role, &c.name[..])).copied();
        named
            .or_else(|| of(c.role))
            .or_else(|| predecessors(c.role).iter().copied().find_map(of))
    };
    // A role that is new takes over from those that run. Where these disagree among themselves (an environment of one
    // of them alone), it belongs to those it lives together with.
    let newcomer = |i: usize| {
        let speaker = before.effective.speaker;
        let nodes = [Role::DataNode, Role::Proxy, Role::QueryNode];
        let others = nodes.into_iter().filter_map(of);
        std::iter::once(speaker)
            .chain(others)
            .find(|j| lives_with(case.after, i, before, *j))
            .unwrap_or(speaker)
    };
    // Those that read the same share what it leads to.
    let mut newcomers: HashMap<*const Resolved, usize> = HashMap::default();
    let mut taken_over = |i: usize| {
        let read = Arc::as_ptr(case.after.effective.of(i));
        *newcomers.entry(read).or_insert_with(|| newcomer(i))
    };
    case.after
        .release
        .components
        .iter()
        .enumerate()
        .map(|(i, c)| (i, counterpart(c).unwrap_or_else(|| taken_over(i))))
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

/// The namespace short names are completed by.
pub fn namespace<'a>(case: &'a Case) -> &'a str {
    let after = case.after.release.namespace.as_str();
    match case.before {
        Some(before) if after.is_empty() => &before.release.namespace,
        _ => after,
    }
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
    match came(case, &object.reference) {
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
