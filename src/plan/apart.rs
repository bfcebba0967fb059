//! Several releases in one source: each is planned with its own circle of objects, since its plan asks for several judgements.

use std::collections::HashMap;

use super::Order;
use crate::judge::{Current, circles, standing};
use crate::kube::Object;
use crate::kube::circles::Node;
use crate::kube::named::First;
use crate::milvus::release::{Inventory, Release, inventory_of_made};
use crate::state::record::Record;
use crate::state::{self, Form, Source};
use crate::value::{Value, json};

/// What a release is planned by.
pub struct Part {
    /// What the first leg takes for deployed.
    pub current: Current,
    pub source: Source,
    pub release: Release,
}

/// What each release is planned by, in their order: `None` for one that has to do with all, or needs more than its own objects.
pub fn parts(order: &Order, source: &Source, inventory: &Inventory) -> Vec<Option<Part>> {
    let releases = &inventory.releases;
    let none = || releases.iter().map(|_| None).collect();
    let Some(form) = Pieces::of(order, source).filter(|_| releases.len() > 1) else {
        return none();
    };
    let drawn = circles(&source.stream, None, inventory, &Inventory::default());
    let around = |release: &Release| drawn.around(&source.stream.objects[release.components[0].object]);
    let mut parts: HashMap<Node, Vec<Object>> = releases.iter().filter_map(around).map(|one| (one, vec![])).collect();
    let Some(lead) = releases.first().and_then(around).filter(|_| parts.len() > 1) else {
        return none();
    };
    for object in &source.stream.objects {
        let circle = drawn.around(object);
        for circle in standing(&drawn, circle, |circle| parts.contains_key(circle), lead) {
            parts.entry(circle).or_default().push(object.clone());
        }
    }
    let mut called: HashMap<(&str, &str), First> = HashMap::new();
    for (i, release) in releases.iter().enumerate() {
        let called = called.entry((&release.name, &release.app)).or_default();
        called.add(&release.namespace, i);
    }
    for object in &source.made {
        for made in inventory_of_made(std::slice::from_ref(object)).releases {
            let called = called.get(&(&made.name[..], &made.app[..]));
            let maker = called.and_then(|called| called.agreeing(&made.namespace));
            let circle = maker.and_then(|i| around(&releases[i]));
            let part = circle.and_then(|circle| parts.get_mut(&circle));
            part.into_iter().for_each(|part| part.push(object.clone()));
        }
    }
    // Releases that share a circle are planned beside all.
    let mut owners: HashMap<Node, usize> = HashMap::new();
    for circle in releases.iter().filter_map(around) {
        *owners.entry(circle).or_default() += 1;
    }
    let part = |release: &Release| {
        let circle = around(release).filter(|circle| owners.get(circle) == Some(&1))?;
        let (current, own) = form.part(source, parts.remove(&circle)?)?;
        let own = Source {
            taken_from: source.taken_from.clone(),
            release: source.release.clone(),
            namespace: source.namespace.clone(),
            ..own
        };
        let whole = |r: &Release| r.is(release) && r.components.len() == release.components.len();
        let release = own.inventory().releases.into_iter().find(|r| whole(r))?;
        Some(Part {
            current,
            source: own,
            release,
        })
    };
    releases.iter().map(part).collect()
}

/// What a source is made of that can be cut into parts.
enum Pieces {
    /// Manifests.
    Documents,
    /// Items of Lists, as the API server has them.
    Items,
}

impl Pieces {
    fn of(order: &Order, source: &Source) -> Option<Pieces> {
        let objects = &source.stream.objects;
        let given = matches!(order.current, Current::Manifests(_)) && source.form == Form::Manifests;
        if !given || objects.iter().any(Record::is_in) {
            return None;
        }
        let item = |object: &Object| !object.pointer.is_empty();
        if source.made.is_empty() && objects.iter().all(state::is_plain) {
            Some(Pieces::Documents)
        } else {
            objects.iter().all(item).then_some(Pieces::Items)
        }
    }

    /// A part of a source that holds these objects.
    fn part(&self, source: &Source, objects: Vec<Object>) -> Option<(Current, Source)> {
        match self {
            Pieces::Documents => Some((Current::Unsaid, state::part(source.stream.with(objects)))),
            Pieces::Items => {
                let items: Value = objects.iter().map(|object| Value::clone(&object.value)).collect();
                let list = json!({"apiVersion": "v1", "kind": "List"});
                let Value::Object(mut list) = list else { return None };
                list.insert("items".into(), items);
                let current = Current::Manifests(Value::Object(list).to_string().into());
                let part = state::read(&current, None).ok()??;
                (part.origin == source.origin).then_some((current, part))
            }
        }
    }
}
