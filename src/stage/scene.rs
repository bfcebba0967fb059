//! What belongs to a release, and in which stage it moves.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::{Others, Uses, of_role};
use crate::host;
use crate::kube::named::Named;
use crate::kube::object::namespaces_agree;
use crate::kube::{Object, selector, workload};
use crate::milvus::release::Release;
use crate::milvus::role::Role;
use crate::stream::Stream;
use crate::transition::Kind;
use crate::value::Value;

/// The annotation that Helm gives every object it applies.
const HELM_RELEASE: &str = "meta.helm.sh/release-name";

/// One release on both sides, and the objects it stands in.
pub struct Scene<'a> {
    /// The stream as it came in.
    pub stream: &'a Stream,
    /// The release in it.
    pub came: &'a Release,
    /// The objects after the whole rewrite.
    pub last: &'a [Object],
    /// The release among them.
    pub after: &'a Release,
    /// What is deployed.
    pub current: &'a Stream,
    /// The release in it.
    pub before: &'a Release,
    /// The kind of the transition.
    pub kind: Kind,
    /// What is known of all objects at once.
    pub known: Known<'a>,
    /// The other Milvus releases beside this one.
    pub others: Others<'a>,
    /// What its pods use.
    pub uses: Uses<'a>,
}

/// What is known of all objects of a scene at once: to look at all of them for each of them takes time squared.
pub struct Known<'a> {
    /// Those of the stream as it came in, by name.
    pub stream: Named<'a>,
    /// Those after the whole rewrite.
    pub last: Named<'a>,
    /// Those that are deployed.
    pub current: Named<'a>,
    /// The objects of the stream by their document and the pointer to them in it.
    pub places: HashMap<(usize, &'a str), &'a Object>,
    /// What autoscalers scale after the whole rewrite.
    pub scaled_last: HashSet<(&'a str, &'a str)>,
    /// What deployed ones scale.
    pub scaled: HashSet<(&'a str, &'a str)>,
    /// The last object of each kind in the stream.
    pub last_of_kind: HashMap<&'a str, &'a Object>,
    /// The chart's folders in the stream, and in what is deployed.
    folders: [Folders; 2],
    /// Whether what is deployed was read from a cluster.
    live: bool,
    /// The kinds of what is deployed.
    kinds: HashSet<&'a str>,
}

/// The folder of the chart's templates that each document was rendered from. Each is read once: what stands above the first
/// component, or above a List, can be long.
#[derive(Default)]
struct Folders(RefCell<HashMap<usize, Option<Rc<str>>>>);

impl Folders {
    fn of(&self, stream: &Stream, document: usize) -> Option<Rc<str>> {
        let mut known = self.0.borrow_mut();
        let read = || {
            let template = host::template_of(stream, document)?;
            host::template_folder(&template).map(Rc::from)
        };
        known.entry(document).or_insert_with(read).clone()
    }
}

impl<'a> Known<'a> {
    /// Looks at what came in, at what it is after the whole rewrite, and at what is deployed.
    pub fn of(stream: &'a Stream, last: &'a [Object], current: &'a Stream) -> Known<'a> {
        let kind = |o: &'a Object| o.reference.kind.as_str();
        Known {
            stream: Named::of(&stream.objects),
            last: Named::of(last),
            current: Named::of(&current.objects),
            places: stream
                .objects
                .iter()
                .map(|o| ((o.document, &o.pointer[..]), o))
                .collect(),
            scaled_last: scaled(last).collect(),
            scaled: scaled(&current.objects).collect(),
            last_of_kind: stream.objects.iter().map(|o| (kind(o), o)).collect(),
            folders: Default::default(),
            live: current.objects.iter().any(is_live),
            kinds: current.objects.iter().map(kind).collect(),
        }
    }
}

/// What autoscalers among objects scale (kind, name).
pub fn scaled(objects: &[Object]) -> impl Iterator<Item = (&str, &str)> {
    let scales = |o: &&Object| matches!(o.reference.kind.as_str(), "HorizontalPodAutoscaler" | "ScaledObject");
    let all = objects.iter().filter(scales);
    all.filter_map(|o| selector::scale_target(&o.reference.kind, &o.value))
}

impl Scene<'_> {
    /// The role an object has, or those it serves; none where it serves pods that are not Milvus.
    pub fn roles(&self, object: &Object) -> Vec<Role> {
        let sides = [
            (self.last, self.after),
            (&self.current.objects[..], self.before),
            (&self.stream.objects[..], self.came),
        ];
        let own = |(objects, release): &(&[Object], &Release)| {
            release
                .components
                .iter()
                .find(|c| objects[c.object].reference.same_object(&object.reference))
                .map(|c| c.role)
        };
        match sides.iter().find_map(own) {
            Some(role) => vec![role],
            None => sides
                .iter()
                .map(|(objects, release)| serves(object, objects, release))
                .max_by_key(Vec::len)
                .unwrap_or_default(),
        }
    }

    /// The stage in which an object moves: a workload by its role, what serves one role only with it, what is Milvus and
    /// no workload first, what is not Milvus before all.
    pub fn stage_of(&self, object: &Object) -> u8 {
        if let Some(stage) = self
            .roles(object)
            .into_iter()
            .map(|role| of_role(self.kind, role))
            .max()
        {
            return stage;
        }
        if !self.is_milvus(object) {
            return 0;
        }
        let workload =
            workload::template(object).is_some() && workload::SERVING_KINDS.contains(&object.reference.kind.as_str());
        if workload { of_role(self.kind, Role::Proxy) } else { 1 }
    }

    /// Whether an object belongs to the Milvus chart: by the template it was rendered from, by the labels the chart
    /// gives, or because Milvus' pods mount it.
    fn is_milvus(&self, object: &Object) -> bool {
        let release = self.came;
        // Two releases can come from one chart in one stream.
        let other = object
            .label("app.kubernetes.io/instance")
            .is_some_and(|i| i != release.name);
        if other || !namespaces_agree(&object.reference.namespace, &release.namespace) {
            return false;
        }
        labelled(object, release)
            || self.uses.mounts(object)
            || self.rendered_by_chart(object) && !self.others.own(object)
    }

    fn rendered_by_chart(&self, object: &Object) -> bool {
        let [stream, current] = &self.known.folders;
        let mut sides = [
            (self.stream, self.came, &self.known.stream, stream),
            (self.current, self.before, &self.known.current, current),
        ]
        .into_iter();
        sides.any(|(stream, release, names, folders)| {
            let Some(here) = names.same(&object.reference).next() else {
                return false;
            };
            let first = release.components.first();
            let ours = first.and_then(|c| folders.of(stream, stream.objects[c.object].document));
            ours.is_some() && folders.of(stream, here.document) == ours
        })
    }

    /// What is deployed under the identity of an object. A stream that leaves its namespaces to the client is compared
    /// with those of the release, also where a List of the whole cluster holds namesakes in others.
    pub fn deployed(&self, object: &Object) -> Option<&Object> {
        let here = |o: &&Object| namespaces_agree(&o.reference.namespace, &self.before.namespace);
        let all = || self.known.current.same(&object.reference);
        all().find(here).or_else(|| all().next())
    }

    /// Whether what is deployed was read from a cluster: there it holds more than this release, and as much of it as
    /// somebody asked kubectl for.
    pub fn is_live(&self) -> bool {
        self.known.live
    }

    /// Whether what is deployed can tell that there is no such object: a List shows the kinds that were asked for.
    pub fn shows(&self, kind: &str) -> bool {
        !self.is_live() || self.known.kinds.contains(kind)
    }

    /// Whether a deployed object was applied with this release: what is no live object was; on a live one Helm writes it
    /// down. `None` where nothing of the release says it, since something else than Helm applied it.
    pub fn applied(&self, current: &Object) -> Option<bool> {
        if !is_live(current) {
            return Some(true);
        }
        let helm = |o: &Object| o.annotation(HELM_RELEASE).map(str::to_owned);
        let mut components = self.before.components.iter().map(|c| &self.current.objects[c.object]);
        let ours = components.find_map(helm)?;
        Some(helm(current) == Some(ours))
    }

    /// Whether a deployed object is a workload of this release or serves one, and is not somebody else's.
    pub fn owns(&self, current: &Object) -> bool {
        let objects = &self.current.objects;
        let ours = is_component(current, objects, self.before) || !serves(current, objects, self.before).is_empty();
        ours && self.applied(current) != Some(false)
    }
}

/// Whether an object carries the uid that only a server gives.
pub fn is_live(object: &Object) -> bool {
    object.at(&["metadata", "uid"]).is_some()
}

/// Whether an object is a workload of a release of `objects`.
pub fn is_component(object: &Object, objects: &[Object], release: &Release) -> bool {
    let mut components = release.components.iter().map(|c| &objects[c.object].reference);
    components.any(|reference| reference.same_object(&object.reference))
}

fn labelled(object: &Object, release: &Release) -> bool {
    object.label("app.kubernetes.io/instance") == Some(&release.name)
        && object.label("app.kubernetes.io/name") == Some(&release.app)
}

/// The roles whose pods an object serves; none where it serves pods that are not Milvus.
pub fn serves(object: &Object, objects: &[Object], release: &Release) -> Vec<Role> {
    let kind = object.reference.kind.as_str();
    if let Some((kind, name)) = selector::scale_target(kind, &object.value) {
        let target = release
            .components
            .iter()
            .find(|c| c.name == name && objects[c.object].reference.kind == kind);
        return target.map(|c| c.role).into_iter().collect();
    }
    if !matches!(kind, "Service" | "PodDisruptionBudget" | "PodMonitor") {
        return vec![];
    }
    let Some(at) = selector::pod_selectors(kind, &object.value).into_iter().next() else {
        return vec![];
    };
    let s = object.value.pointer(&at.pointer).unwrap_or(&Value::Null);
    let chosen = release.components.iter().filter(|c| {
        workload::pod_labels(&objects[c.object]).is_some_and(|labels| selector::selects(s, at.plain, labels))
    });
    chosen.map(|c| c.role).collect()
}
