//! What belongs to a release, and in which stage it moves.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use foldhash::{HashMap, HashSet};

use super::running::Running;
use super::{Others, Uses, of_role};
use crate::host;
use crate::kube::named::Named;
use crate::kube::object::namespaces_agree;
use crate::kube::{Object, selector, workload};
use crate::milvus::release::Release;
use crate::milvus::role::Role;
use crate::stream::Stream;
use crate::transition::Kind;

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
    /// The workloads of the release after the whole rewrite, as they are deployed, and as they came in.
    running: [Running<'a>; 3],
    /// The chart's templates in the stream, and in what is deployed.
    templates: [Templates; 2],
    /// The folder of the templates that the release was rendered from.
    folder: OnceCell<Option<String>>,
    /// The release that Helm says to be that of what is deployed.
    applied: OnceCell<Option<String>>,
    /// In which stage each object moves.
    stages: Memo<u8>,
    /// Which of the deployed ones are the release's own.
    owned: Memo<bool>,
    /// Whether what is deployed was read from a cluster.
    live: bool,
    /// The kinds of what is deployed.
    kinds: HashSet<&'a str>,
}

/// The chart's template that each document was rendered from. Each is read once: what stands above the first component, or
/// above a List, can be long.
#[derive(Default)]
struct Templates(RefCell<HashMap<usize, Option<Rc<str>>>>);

impl Templates {
    fn of(&self, stream: &Stream, document: usize) -> Option<Rc<str>> {
        let mut known = self.0.borrow_mut();
        let read = || host::template_of(stream, document).map(Rc::from);
        known.entry(document).or_insert_with(read).clone()
    }
}

/// What was told of objects, by where they are.
#[derive(Default)]
struct Memo<T>(RefCell<HashMap<*const Object, T>>);

impl<T: Copy> Memo<T> {
    fn of(&self, object: Option<*const Object>, tell: impl FnOnce() -> T) -> T {
        let Some(object) = object else {
            return tell();
        };
        let known = self.0.borrow().get(&object).copied();
        known.unwrap_or_else(|| {
            let told = tell();
            self.0.borrow_mut().insert(object, told);
            told
        })
    }
}

impl<'a> Known<'a> {
    /// Looks at what came in, at what it is after the whole rewrite, and at what is deployed.
    /// `releases` are the release among each of these.
    pub fn of(stream: &'a Stream, last: &'a [Object], current: &'a Stream, releases: [&Release; 3]) -> Known<'a> {
        let [came, after, before] = releases;
        let running = [
            Running::of(last, after),
            Running::of(&current.objects, before),
            Running::of(&stream.objects, came),
        ];
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
            running,
            templates: Default::default(),
            folder: OnceCell::new(),
            applied: OnceCell::new(),
            stages: Memo::default(),
            owned: Memo::default(),
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
    /// The role an object has, or those it serves (each once); none where it serves pods that are not Milvus.
    pub fn roles(&self, object: &Object) -> Vec<Role> {
        let sides = &self.known.running;
        match sides.iter().find_map(|running| running.role(object)) {
            Some(role) => vec![role],
            None => {
                sides
                    .iter()
                    .map(|running| running.served_by(object))
                    .max_by_key(|served| served.workloads)
                    .unwrap_or_default()
                    .roles
            }
        }
    }

    /// The stage in which an object moves: a workload by its role, what serves one role only with it, what is Milvus and
    /// no workload first, what is not Milvus before all. It is asked for in each stage, and told once.
    pub fn stage_of(&self, object: &Object) -> u8 {
        self.known.stages.of(self.holds(object), || self.told_stage(object))
    }

    fn told_stage(&self, object: &Object) -> u8 {
        let roles = self.roles(object);
        let stages = || roles.iter().map(|role| of_role(self.kind, *role));
        // A monitor of many components stays useful to those that moved, and goes with all that is no workload.
        let lasting = object.reference.kind == "ServiceMonitor" && self.known.last.holds(&object.reference);
        if let Some(last) = stages().max() {
            return if lasting && stages().any(|stage| stage != last) {
                1
            } else {
                last
            };
        }
        if !self.is_milvus(object) {
            return 0;
        }
        let workload =
            workload::template(object).is_some() && workload::SERVING_KINDS.contains(&object.reference.kind.as_str());
        if workload { of_role(self.kind, Role::Proxy) } else { 1 }
    }

    /// An object's address, where it is one of those that stay where they are as long as this scene is there.
    fn holds(&self, object: &Object) -> Option<*const Object> {
        let at = std::ptr::from_ref(object);
        let sides = [&self.stream.objects[..], self.last, &self.current.objects];
        sides.iter().any(|side| side.as_ptr_range().contains(&at)).then_some(at)
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
        let [stream, current] = &self.known.templates;
        let mut sides = [
            (self.stream, self.came, &self.known.stream, stream),
            (self.current, self.before, &self.known.current, current),
        ]
        .into_iter();
        sides.any(|(stream, release, names, templates)| {
            let Some(here) = names.same(&object.reference).next() else {
                return false;
            };
            let first = release.components.first();
            let ours = first.and_then(|c| templates.of(stream, stream.objects[c.object].document));
            let theirs = templates.of(stream, here.document);
            let [ours, theirs] = [&ours, &theirs].map(|path| path.as_deref().and_then(host::template_folder));
            ours.is_some() && ours == theirs
        })
    }

    /// The chart's template of a deployed object, as the host noted it.
    pub fn template_of(&self, current: &Object) -> Option<Rc<str>> {
        self.known.templates[1].of(self.current, current.document)
    }

    /// The folder of the chart's templates, as the first component that has one shows it.
    pub fn template_folder(&self) -> Option<&str> {
        let folder = |document: usize| {
            let path = self.known.templates[0].of(self.stream, document)?;
            host::template_folder(&path).map(str::to_owned)
        };
        let mut documents = self
            .came
            .components
            .iter()
            .map(|c| self.stream.objects[c.object].document);
        self.known.folder.get_or_init(|| documents.find_map(folder)).as_deref()
    }

    /// The role of a deployed object, or the first that it serves.
    pub fn role_before(&self, current: &Object) -> Option<Role> {
        self.known.running[1].speaks_for(current)
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
        let mut components = self.before.components.iter().map(|c| &self.current.objects[c.object]);
        let said = || components.find_map(|o| o.annotation(HELM_RELEASE)).map(str::to_owned);
        let ours = self.known.applied.get_or_init(said).as_deref()?;
        Some(current.annotation(HELM_RELEASE) == Some(ours))
    }

    /// Whether a deployed object is a workload of this release or serves one, and is not somebody else's.
    pub fn owns(&self, current: &Object) -> bool {
        let before = &self.known.running[1];
        let ours = || before.role(current).is_some() || before.served_by(current).workloads > 0;
        let owned = || ours() && self.applied(current) != Some(false);
        self.known.owned.of(self.holds(current), owned)
    }
}

/// Whether an object carries the uid that only a server gives.
pub fn is_live(object: &Object) -> bool {
    object.at(&["metadata", "uid"]).is_some()
}

fn labelled(object: &Object, release: &Release) -> bool {
    object.label("app.kubernetes.io/instance") == Some(&release.name)
        && object.label("app.kubernetes.io/name") == Some(&release.app)
}
