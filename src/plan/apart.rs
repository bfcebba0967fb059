//! Several releases in one source: each is planned with its own circle of objects, since its plan asks for several judgements.

use std::collections::HashMap;

use super::Order;
use crate::judge::{Current, circles, standing};
use crate::kube::Object;
use crate::kube::circles::Node;
use crate::milvus::release::{Inventory, Release};
use crate::state::{self, Form, Source};

/// The source of each release, with the release in it, in their order: `None` for one that has to do with all, or needs more
/// than its own objects.
pub fn sources(order: &Order, source: &Source, inventory: &Inventory) -> Vec<Option<(Source, Release)>> {
    let releases = &inventory.releases;
    let plain = matches!(order.current, Current::Manifests(_))
        && source.form == Form::Manifests
        && source.stream.objects.iter().all(state::is_plain);
    if releases.len() < 2 || !plain {
        return releases.iter().map(|_| None).collect();
    }
    let drawn = circles(&source.stream, None, inventory, &Inventory::default());
    let around = |release: &Release| drawn.around(&source.stream.objects[release.components[0].object]);
    let mut parts: HashMap<Node, Vec<Object>> = releases.iter().filter_map(around).map(|one| (one, vec![])).collect();
    let Some(lead) = releases.first().and_then(around).filter(|_| parts.len() > 1) else {
        return releases.iter().map(|_| None).collect();
    };
    for object in &source.stream.objects {
        let circle = drawn.around(object);
        for circle in standing(&drawn, circle, |circle| parts.contains_key(circle), lead) {
            parts.entry(circle).or_default().push(object.clone());
        }
    }
    // Releases that share a circle are planned beside all.
    let mut owners: HashMap<Node, usize> = HashMap::new();
    for circle in releases.iter().filter_map(around) {
        *owners.entry(circle).or_default() += 1;
    }
    let part = |release: &Release| {
        let circle = around(release).filter(|circle| owners.get(circle) == Some(&1))?;
        let part = Source {
            taken_from: source.taken_from.clone(),
            release: source.release.clone(),
            namespace: source.namespace.clone(),
            ..state::part(source.stream.with(parts.remove(&circle)?))
        };
        let whole = |r: &Release| r.is(release) && r.components.len() == release.components.len();
        let own = part.inventory().releases.into_iter().find(|r| whole(r))?;
        Some((part, own))
    };
    releases.iter().map(part).collect()
}
