//! The inventory: which workloads of a stream run Milvus, as what, from which image, and which belong together.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use foldhash::{HashMap, HashSet};

use super::image::ImageRef;
use super::role::{self, Role, Run, Runs};
use super::version::{self, Read, Undecidable, Version};
use crate::kube::named::First;
use crate::kube::object::{namespaces_agree, text_at};
use crate::kube::{Object, selector, workload};
use crate::value::Value;

/// One workload that runs Milvus in a known role.
#[derive(Clone, Debug)]
pub struct Component {
    /// Index into the objects of the stream.
    pub object: usize,
    /// JSON pointer, inside the object, to the container that runs Milvus.
    pub container: String,
    /// What it runs.
    pub role: Role,
    /// How that is spelled.
    pub run: Run,
    /// The image as written.
    pub image: String,
    /// What the image says of the version.
    pub version: Read,
    /// The name of the workload.
    pub name: String,
    /// `spec.replicas`; `None` where an autoscaler or the default decides.
    pub replicas: Option<i64>,
}

impl Component {
    /// Whether it makes no pods.
    pub fn is_scaled_to_zero(&self) -> bool {
        self.replicas == Some(0)
    }
}

/// A workload that runs Milvus, and nothing says as what.
#[derive(Clone, Debug)]
pub struct Stray {
    /// Index into the objects of the stream.
    pub object: usize,
    /// JSON pointer to the container.
    pub container: String,
    /// Why its role cannot be told.
    pub why: String,
}

/// How the release runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A workload for each role.
    Cluster,
    /// All in one process.
    Standalone,
}

/// The Milvus workloads that belong together: one namespace, one instance, one chart name (an umbrella chart renders
/// several under one instance).
#[derive(Clone, Debug)]
pub struct Release {
    /// The namespace; empty where the manifests leave it to the client.
    pub namespace: String,
    /// The instance: `app.kubernetes.io/instance`, else the label `release`, else the base of the workloads' names.
    pub name: String,
    /// `app.kubernetes.io/name`, which a nameOverride or an alias in an umbrella chart changes.
    pub app: String,
    /// Its workloads, in stream order.
    pub components: Vec<Component>,
}

/// What a stream holds of Milvus.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// The releases, in the order of their first workload.
    pub releases: Vec<Release>,
    /// What runs Milvus in no known role.
    pub strays: Vec<Stray>,
}

/// The versions a release's images say.
#[derive(Clone, Debug, Default)]
pub struct Versions {
    /// Every version that could be read, ascending, each once.
    pub known: Vec<Version>,
    /// Every tag that says none, each once.
    pub undecidable: Vec<Undecidable>,
}

/// Takes the inventory of a stream's objects. Pods, ReplicaSets and the like that another workload made are left out: a
/// List of live objects holds them beside it.
pub fn inventory(objects: &[Object]) -> Inventory {
    let mut found = taken(objects, |object| !workload::is_made(object));
    // Argo Rollouts runs the pods in the Deployment's place, which is scaled to 0 meanwhile.
    let each = objects.iter().enumerate();
    let rollouts = each.filter(|(_, o)| o.reference.kind == "Rollout" && !o.is_hook());
    let mut over: HashMap<(&str, &str), First> = HashMap::default();
    // Of several the last counts.
    for (i, rollout) in rollouts.rev() {
        let Some(target) = selector::scale_target("Rollout", &rollout.value) else {
            continue;
        };
        over.entry(target)
            .or_default()
            .add(&rollout.reference.namespace, objects.len() - i);
    }
    if over.is_empty() {
        return found;
    }
    for component in found.releases.iter_mut().flat_map(|r| &mut r.components) {
        let reference = &objects[component.object].reference;
        let taken_over = over.get(&(&reference.kind[..], &component.name[..]));
        if let Some(back) = taken_over.and_then(|all| all.agreeing(&reference.namespace)) {
            component.replicas = workload::replicas(&objects[objects.len() - back]);
        }
    }
    found
}

/// The inventory of what other workloads made, on its own.
pub fn inventory_of_made(objects: &[Object]) -> Inventory {
    taken(objects, workload::is_made)
}

fn taken(objects: &[Object], counts: impl Fn(&Object) -> bool) -> Inventory {
    let mut found = Inventory::default();
    let mut known = Known::default();
    for (i, object) in objects.iter().enumerate() {
        let makes_pods = workload::template_pointer(&object.reference.kind).is_some();
        if !makes_pods || object.is_hook() || workload::is_finished(object) || !counts(object) {
            continue;
        }
        let mut stray = |container: &str, why: String| {
            found.strays.push(Stray {
                object: i,
                container: container.to_owned(),
                why,
            });
        };
        let task = workload::TASK_KINDS.contains(&object.reference.kind.as_str());
        let mut running = Vec::new();
        for (pointer, container) in workload::containers(object) {
            match role::runs(container) {
                // A task's own way of starting Milvus' image (a tool, a migration) is no role.
                Runs::Undecidable(_) | Runs::NotMilvus if task => {}
                Runs::Milvus(run) if task => {
                    let why = format!(
                        "a {} starts it as {}, and whether that is over by now nobody can tell",
                        object.reference.kind, run.role
                    );
                    stray(&pointer, why);
                }
                Runs::Milvus(run) => running.push((pointer, container, run)),
                Runs::Undecidable(why) => stray(&pointer, why),
                Runs::NotMilvus if role::mentions_milvus(container) => {
                    let why = "it has Milvus' image or configuration and no `milvus run ROLE` in command or args";
                    stray(&pointer, why.into());
                }
                Runs::NotMilvus => {}
            }
        }
        if running.len() > 1 {
            let roles: Vec<_> = running.iter().map(|(_, _, run)| run.role.as_str()).collect();
            stray(
                &running[1].0,
                format!("one pod runs several roles ({})", roles.join(", ")),
            );
        }
        if let Some((pointer, container, run)) = running.into_iter().next() {
            let image = text_at(container, &["image"]).unwrap_or_default().to_owned();
            let component = Component {
                object: i,
                container: pointer,
                role: run.role,
                run,
                version: version::read_image(&ImageRef::parse(&image)),
                image,
                name: object.reference.name.clone(),
                replicas: workload::replicas(object),
            };
            place(&mut found.releases, &mut known, object, component);
        }
    }
    found
}

/// The releases (indices) by their name and their chart's.
type Known<'o> = HashMap<(Cow<'o, str>, &'o str), First<'o>>;

fn place<'o>(releases: &mut Vec<Release>, known: &mut Known<'o>, object: &'o Object, component: Component) {
    let namespace = object.reference.namespace.as_str();
    let name = match identifying(object, &["app.kubernetes.io/instance", "release"]) {
        Some(said) => Cow::Borrowed(said),
        None => base_name(&component.name, component.role)
            .unwrap_or(&component.name)
            .to_owned()
            .into(),
    };
    let app = identifying(object, &["app.kubernetes.io/name", "app"]).unwrap_or_default();
    let of_name = known.entry((name.clone(), app)).or_default();
    if let Some(which) = of_name.agreeing(namespace) {
        let release = &mut releases[which];
        if release.namespace.is_empty() {
            namespace.clone_into(&mut release.namespace);
            of_name.settle(namespace);
        }
        release.components.push(component);
        return;
    }
    of_name.add(namespace, releases.len());
    releases.push(Release {
        namespace: namespace.to_owned(),
        name: name.into_owned(),
        app: app.to_owned(),
        components: vec![component],
    });
}

/// Releases by what tells whether one can be another ([`Release::is`]): to ask each of them for each other takes time squared.
#[derive(Debug)]
pub struct ByName<'r> {
    releases: &'r [Release],
    of: HashMap<(&'r str, &'r str), Namesakes<'r>>,
}

/// Those (indices) of one name and chart's name.
#[derive(Debug, Default)]
struct Namesakes<'r> {
    all: Vec<usize>,
    first: First<'r>,
}

impl<'r> ByName<'r> {
    /// These releases.
    pub fn of(releases: &'r [Release]) -> ByName<'r> {
        let mut of: HashMap<(&str, &str), Namesakes> = HashMap::default();
        for (i, release) in releases.iter().enumerate() {
            let namesakes = of.entry((&release.name, &release.app)).or_default();
            namesakes.all.push(i);
            namesakes.first.add(&release.namespace, i);
        }
        ByName { releases, of }
    }

    fn namesakes<'n>(&'n self, release: &'n Release) -> Option<&'n Namesakes<'n>> {
        self.of.get(&(&release.name[..], &release.app[..]))
    }

    /// The index of the first that can be this one.
    pub fn which(&self, release: &Release) -> Option<usize> {
        self.namesakes(release)?.first.agreeing(&release.namespace)
    }

    /// The first that can be this one.
    pub fn first(&self, release: &Release) -> Option<&'r Release> {
        self.which(release).map(|i| &self.releases[i])
    }

    /// Whether any of them can be this one.
    pub fn holds(&self, release: &Release) -> bool {
        self.which(release).is_some()
    }

    /// All that can be this one, in their order. Those of an inventory that name a namespace are one in each.
    pub fn all(&self, release: &Release) -> Vec<&'r Release> {
        let Some(namesakes) = self.namesakes(release) else {
            return vec![];
        };
        let one = namesakes.first.agreeing(&release.namespace);
        let each = match release.namespace.is_empty() {
            true => &namesakes.all[..],
            false => one.as_slice(),
        };
        each.iter().map(|i| &self.releases[*i]).collect()
    }
}

/// The names of sets of releases that several look into, each set gone through once.
#[derive(Debug, Default)]
pub struct ByNames<'r>(RefCell<HashMap<(*const Release, usize), Rc<ByName<'r>>>>);

impl<'r> ByNames<'r> {
    /// Those of a set.
    pub fn of(&self, releases: &'r [Release]) -> Rc<ByName<'r>> {
        let mut known = self.0.borrow_mut();
        let named = known.entry((releases.as_ptr(), releases.len()));
        Rc::clone(named.or_insert_with(|| Rc::new(ByName::of(releases))))
    }
}

/// A label's value, the immutable selector's first: Argo CD's label tracking rewrites `app.kubernetes.io/instance` on
/// the object itself (hosts.md 5.10).
fn identifying<'o>(object: &'o Object, keys: &[&str]) -> Option<&'o str> {
    let sources = [
        workload::match_labels(object),
        workload::pod_labels(object),
        object.at(&["metadata", "labels"]),
    ];
    keys.iter().find_map(|key| {
        sources
            .iter()
            .flatten()
            .find_map(|labels| labels.entry(key).and_then(Value::as_str))
    })
}

/// The chart's full name behind a workload's name: `x` for `x-datanode`, and for `x-datanode-rg1`, the suffix that
/// charts from 5.0.17 on give to resource groups. `None` where the name does not hold the role.
pub fn base_name(name: &str, role: Role) -> Option<&str> {
    let word = format!("-{}", role.as_str());
    if let Some(base) = name.strip_suffix(&word) {
        return Some(base);
    }
    name.rfind(&format!("{word}-")).map(|i| &name[..i])
}

impl Release {
    /// Standalone where one component says so.
    pub fn mode(&self) -> Mode {
        match self.components.iter().any(|c| c.role == Role::Standalone) {
            true => Mode::Standalone,
            false => Mode::Cluster,
        }
    }

    /// The components in a role.
    pub fn in_role(&self, role: Role) -> impl Iterator<Item = &Component> {
        self.components.iter().filter(move |c| c.role == role)
    }

    /// Whether any component is in that role.
    pub fn has(&self, role: Role) -> bool {
        self.in_role(role).next().is_some()
    }

    /// The separate coordinators of 2.5.
    pub fn legacy_coordinators(&self) -> impl Iterator<Item = &Component> {
        self.components.iter().filter(|c| c.role.is_legacy_coordinator())
    }

    /// The chart's full name, as most workloads' names show it.
    pub fn base(&self) -> Option<&str> {
        let bases = || self.components.iter().filter_map(|c| base_name(&c.name, c.role));
        let mut times: HashMap<&str, usize> = HashMap::default();
        for base in bases() {
            *times.entry(base).or_default() += 1;
        }
        let most = times.values().max()?;
        bases().find(|base| times[base] == *most)
    }

    /// The versions its images say. Where an image says none, `assumed` stands in.
    pub fn versions(&self, assumed: Option<&Version>) -> Versions {
        let mut found = Versions::default();
        let mut told = HashSet::default();
        for component in &self.components {
            match (&component.version, assumed) {
                (Read::Known(v), _) => found.known.push(v.clone()),
                (Read::Undecidable(_), Some(v)) => found.known.push(v.clone()),
                (Read::Undecidable(u), None) if told.insert(u) => found.undecidable.push(u.clone()),
                _ => {}
            }
        }
        found.known.sort();
        found.known.dedup();
        found
    }

    /// Whether another release can be this one, seen at another time.
    pub fn is(&self, other: &Release) -> bool {
        self.name == other.name && self.app == other.app && namespaces_agree(&self.namespace, &other.namespace)
    }
}

impl Versions {
    /// The lowest version read.
    pub fn lowest(&self) -> Option<&Version> {
        self.known.first()
    }

    /// The highest version read.
    pub fn highest(&self) -> Option<&Version> {
        self.known.last()
    }

    /// The release line: of the highest version, else of a tag that names a line.
    pub fn line(&self) -> Option<(u64, u64)> {
        let known = self.highest().map(Version::line);
        known.max(self.undecidable.iter().filter_map(|u| u.line).max())
    }

    /// Whether all images say a version.
    pub fn decided(&self) -> bool {
        self.undecidable.is_empty() && !self.known.is_empty()
    }
}

#[cfg(test)]
mod tests;
