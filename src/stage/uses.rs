//! What the pods of a release use: to look through all of their volumes for each object takes time squared.

use foldhash::HashMap;

use super::of_role;
use crate::kube::{Object, workload};
use crate::milvus::release::{Component, Release};
use crate::transition::Kind;
use crate::value::Value;

/// What the pods of one release mount after the whole rewrite, and what the deployed ones need.
pub struct Uses<'a> {
    /// What they mount (kind, name), with the first stage with a pod that does.
    mounted: HashMap<(&'a str, &'a str), u8>,
    /// What the deployed ones do not start without (kind, name), with the last stage with a pod that needs it.
    needed: HashMap<(&'a str, &'a str), u8>,
}

impl<'a> Uses<'a> {
    /// Looks at the release among what is there after the whole rewrite, and among what is deployed.
    pub fn of(last: &'a [Object], after: &Release, current: &'a [Object], before: &Release, kind: Kind) -> Uses<'a> {
        let mut uses = Uses {
            mounted: HashMap::default(),
            needed: HashMap::default(),
        };
        let stage = |component: &Component| of_role(kind, component.role);
        for component in &after.components {
            for mounted in template(last, component).into_iter().flat_map(workload::mounts) {
                let first = uses.mounted.entry(mounted).or_insert(u8::MAX);
                *first = stage(component).min(*first);
            }
        }
        for component in &before.components {
            for needed in template(current, component).into_iter().flat_map(workload::needs) {
                let last = uses.needed.entry(needed).or_default();
                *last = stage(component).max(*last);
            }
        }
        uses
    }

    /// Whether the pods mount an object after the whole rewrite.
    pub fn mounts(&self, object: &Object) -> bool {
        self.first(object).is_some()
    }

    /// The first stage with a pod that mounts an object.
    pub fn first(&self, object: &Object) -> Option<u8> {
        self.mounted.get(&named(object)).copied()
    }

    /// The last stage with a component whose deployed pods need an object.
    pub fn last(&self, object: &Object) -> Option<u8> {
        self.needed.get(&named(object)).copied()
    }
}

fn template<'a>(objects: &'a [Object], component: &Component) -> Option<&'a Value> {
    workload::template(&objects[component.object])
}

fn named(object: &Object) -> (&str, &str) {
    (&object.reference.kind, &object.reference.name)
}
