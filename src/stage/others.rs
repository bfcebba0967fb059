//! Milvus releases beside the one that is looked at.

use foldhash::HashMap;

use crate::kube::object::namespaces_agree;
use crate::kube::{Object, ObjectRef, selector, workload};
use crate::milvus::release::{Release, inventory};

/// The other Milvus releases, after the whole rewrite and as they are deployed.
pub struct Others<'a> {
    after: Beside<'a>,
    before: Beside<'a>,
}

impl<'a> Others<'a> {
    /// Those beside a release, among what is there after the whole rewrite and what is deployed.
    pub fn of(last: &'a [Object], after: &Release, current: &'a [Object], before: &Release) -> Others<'a> {
        Others {
            after: Beside::of(last, after),
            before: Beside::of(current, before),
        }
    }

    /// Whether an object that would be applied is one of theirs, by what is there after the whole rewrite.
    pub fn own_after(&self, object: &Object) -> bool {
        self.after.own(object)
    }

    /// Whether a deployed object is one of theirs.
    pub fn own_before(&self, object: &Object) -> bool {
        self.before.own(object)
    }

    /// Whether an object is one of theirs on either side.
    pub fn own(&self, object: &Object) -> bool {
        self.own_after(object) || self.own_before(object)
    }
}

/// What releases beside one have: to ask each of them for each object takes time to the third power.
#[derive(Default)]
struct Beside<'a> {
    /// By instance and application: the namespaces.
    labelled: HashMap<(String, String), Vec<String>>,
    /// By kind and name, with the namespace of the release.
    components: HashMap<(&'a str, &'a str), Vec<(&'a ObjectRef, String)>>,
    /// What their pods mount, by kind and name: the namespaces.
    mounted: HashMap<(&'a str, &'a str), Vec<String>>,
}

impl<'a> Beside<'a> {
    fn of(objects: &'a [Object], one: &Release) -> Beside<'a> {
        let mut beside = Beside::default();
        for release in inventory(objects).releases.iter().filter(|r| !r.is(one)) {
            let namespace = || release.namespace.clone();
            let named = (release.name.clone(), release.app.clone());
            beside.labelled.entry(named).or_default().push(namespace());
            for component in &release.components {
                let object = &objects[component.object];
                let reference = &object.reference;
                let same = beside.components.entry((&reference.kind, &reference.name)).or_default();
                same.push((reference, namespace()));
                for mounted in workload::template(object).into_iter().flat_map(workload::mounts) {
                    beside.mounted.entry(mounted).or_default().push(namespace());
                }
            }
        }
        beside
    }

    fn own(&self, object: &Object) -> bool {
        let reference = &object.reference;
        let agrees = |namespace: &String| namespaces_agree(&reference.namespace, namespace);
        let here = |namespaces: Option<&Vec<String>>| namespaces.is_some_and(|all| all.iter().any(agrees));
        let label = |key| object.label(key).map(str::to_owned);
        let labels = label("app.kubernetes.io/instance").zip(label("app.kubernetes.io/name"));
        let labelled = || here(labels.and_then(|labels| self.labelled.get(&labels)));
        let is_component = || {
            let named = self.components.get(&(&reference.kind[..], &reference.name[..]));
            let mut same = named.into_iter().flatten();
            same.any(|(other, namespace)| other.same_object(reference) && agrees(namespace))
        };
        let scales = || {
            let target = selector::scale_target(&reference.kind, &object.value);
            let named = target.and_then(|target| self.components.get(&target));
            named.is_some_and(|all| all.iter().any(|(_, namespace)| agrees(namespace)))
        };
        let mounted = || here(self.mounted.get(&(&reference.kind[..], &reference.name[..])));
        labelled() || is_component() || scales() || mounted()
    }
}
