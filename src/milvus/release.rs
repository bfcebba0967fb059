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
mod tests {
    use super::*;
    use crate::value::json;

    fn deployment(name: &str, role: &str, labels: Value, image: &str) -> Object {
        let value = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "n", "labels": {"app.kubernetes.io/instance": "argo-app"}},
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
            "spec": {"containers": [{"name": "c", "image": image, "args": ["milvus", "run", role]}]}}}});
        Object::all_in(0, value).unwrap().remove(0)
    }

    #[test]
    fn releases_are_told_apart_by_selector_instance_name_and_namespace() {
        let of =
            |instance: &str, app: &str| json!({"app.kubernetes.io/instance": instance, "app.kubernetes.io/name": app});
        let objects = [
            deployment("a-milvus-proxy", "proxy", of("a", "milvus"), "milvusdb/milvus:v2.5.16"),
            deployment("b-milvus-proxy", "proxy", of("b", "milvus"), "milvusdb/milvus:v2.5.16"),
            deployment(
                "a-milvus-datanode",
                "datanode",
                of("a", "milvus"),
                "milvusdb/milvus:v2.5.16",
            ),
            deployment(
                "a-second-datanode",
                "datanode",
                of("a", "second"),
                "milvusdb/milvus:v2.5.16",
            ),
        ];
        let found = inventory(&objects);
        let seen: Vec<_> = found
            .releases
            .iter()
            .map(|r| (r.name.as_str(), r.app.as_str(), r.components.len()))
            .collect();
        assert_eq!(seen, [("a", "milvus", 2), ("b", "milvus", 1), ("a", "second", 1)]);
        assert_eq!(found.releases[0].base(), Some("a-milvus"));
    }

    #[test]
    fn the_first_that_can_be_it_is_found() {
        let release = |name: &str, app: &str, namespace: &str| Release {
            name: name.into(),
            app: app.into(),
            namespace: namespace.into(),
            components: vec![],
        };
        let mut all = Vec::new();
        for namespace in ["x", "", "y"] {
            for app in ["milvus", ""] {
                all.extend(["a", "b"].map(|name| release(name, app, namespace)));
            }
        }
        let known = ByName::of(&all);
        for name in ["a", "b", "c"] {
            for app in ["milvus", "", "other"] {
                for namespace in ["x", "y", "z", ""] {
                    let one = release(name, app, namespace);
                    let looked_for = all.iter().find(|r| r.is(&one));
                    let found = known.first(&one);
                    assert_eq!(found.map(std::ptr::from_ref), looked_for.map(std::ptr::from_ref));
                    assert_eq!(known.holds(&one), looked_for.is_some());
                }
            }
        }
        assert!(!ByName::of(&[]).holds(&all[0]));
    }

    #[test]
    fn a_release_is_found_by_name_as_by_looking_at_each() {
        let release = |name: &str, app: &str, namespace: &str| Release {
            namespace: namespace.into(),
            name: name.into(),
            app: app.into(),
            components: vec![],
        };
        let of = |all: &[(&str, &str, &str)]| -> Vec<Release> {
            all.iter().map(|(name, app, space)| release(name, app, space)).collect()
        };
        let each = of(&[
            ("a", "m", "x"),
            ("b", "m", ""),
            ("a", "m", "y"),
            ("a", "n", "x"),
            ("a", "m", "z"),
        ]);
        let asked = ["a", "b", "c"]
            .map(|name| ["m", "n"].map(|app| ["", "x", "y", "q"].map(|space| release(name, app, space))));
        for releases in [&each[..], &each[1..2], &[]] {
            let known = ByName::of(releases);
            for release in asked.iter().flatten().flatten() {
                let looked_for: Vec<&Release> = releases.iter().filter(|r| r.is(release)).collect();
                let found = known.all(release);
                assert_eq!(found.len(), looked_for.len(), "{release:?}");
                assert!(found.iter().zip(&looked_for).all(|(a, b)| std::ptr::eq(*a, *b)));
                assert_eq!(known.which(release), releases.iter().position(|r| r.is(release)));
                assert_eq!(known.holds(release), !looked_for.is_empty());
                assert_eq!(known.first(release).is_some(), known.holds(release));
            }
        }
        let sets = ByNames::default();
        assert!(Rc::ptr_eq(&sets.of(&each), &sets.of(&each)));
        assert!(sets.of(&each[..1]).which(&each[2]).is_none() && sets.of(&each).which(&each[2]) == Some(2));
    }

    #[test]
    fn base_names_survive_roles_in_them() {
        assert_eq!(
            base_name("v-rootcoord-x-rootcoord", Role::RootCoord),
            Some("v-rootcoord-x")
        );
        assert_eq!(base_name("datanode-datanode", Role::DataNode), Some("datanode"));
        assert_eq!(base_name("x-querynode-rg1", Role::QueryNode), Some("x"));
        assert_eq!(base_name("coordinator", Role::RootCoord), None);
    }

    #[test]
    fn an_undecidable_image_takes_the_assumed_version() {
        let labels = json!({"app.kubernetes.io/instance": "a"});
        let objects = [
            deployment("a-proxy", "proxy", labels.clone(), "corp/milvus@sha256:0000"),
            deployment("a-datanode", "datanode", labels, "milvusdb/milvus:v2.5.22"),
        ];
        let release = &inventory(&objects).releases[0];
        assert!(!release.versions(None).decided());
        let assumed = Version::new(2, 5, 16);
        let versions = release.versions(Some(&assumed));
        assert!(versions.decided());
        assert_eq!(
            (versions.lowest(), versions.highest()),
            (Some(&assumed), Some(&Version::new(2, 5, 22)))
        );
    }

    #[test]
    fn most_names_say_the_base_and_each_tag_without_version_is_told_once() {
        let labels = json!({"app.kubernetes.io/instance": "a"});
        let named = |name: &str, role: &str| deployment(name, role, labels.clone(), "corp/milvus:nightly");
        let objects = [
            named("lone-proxy", "proxy"),
            named("a-milvus-datanode", "datanode"),
            named("a-milvus-querynode", "querynode"),
        ];
        let release = &inventory(&objects).releases[0];
        assert_eq!(release.base(), Some("a-milvus"));
        assert_eq!(release.versions(None).undecidable.len(), 1);
    }

    fn changed(role: &str, change: impl Fn(&mut Value)) -> Object {
        let mut object = deployment("a", role, json!({"app": "x"}), "milvusdb/milvus:v2.5.22");
        change(std::sync::Arc::make_mut(&mut object.value));
        Object::all_in(0, crate::value::Value::clone(&object.value))
            .unwrap()
            .remove(0)
    }

    #[test]
    fn what_a_workload_made_and_what_is_over_is_no_component() {
        let owned = |kind: &str, by: &str| {
            changed("proxy", |v| {
                v["kind"] = kind.into();
                v["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": by, "name": "a"}]);
            })
        };
        for (kind, by) in [
            ("ReplicaSet", "Deployment"),
            ("ReplicaSet", "Rollout"),
            ("Job", "CronJob"),
        ] {
            assert!(inventory(&[owned(kind, by)]).releases.is_empty(), "{kind} of {by}");
        }
        assert_eq!(
            inventory_of_made(&[owned("ReplicaSet", "Rollout")]).releases[0]
                .components
                .len(),
            1
        );
        // Its owner is no workload: it stands for itself.
        assert_eq!(inventory(&[owned("Deployment", "Milvus")]).releases.len(), 1);
        let pod = |phase: &str| {
            changed("proxy", |v| {
                let spec = v["spec"]["template"]["spec"].take();
                *v = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec, "status": {"phase": phase}});
            })
        };
        assert_eq!(inventory(&[pod("Running")]).releases[0].components[0].role, Role::Proxy);
        assert!(inventory(&[pod("Succeeded")]).releases.is_empty());
    }

    #[test]
    fn a_task_that_starts_a_role_is_no_component_and_no_secret() {
        let job = |role: &str| changed(role, |v| v["kind"] = "Job".into());
        let found = inventory(&[job("datanode")]);
        assert!(found.releases.is_empty() && found.strays[0].why.contains("a Job starts it as datanode"));
        let tool = changed("x", |v| {
            v["kind"] = "Job".into();
            v["spec"]["template"]["spec"]["containers"][0]["args"] = json!(["birdwatcher", "-olc", "#connect"]);
        });
        let over = changed("datanode", |v| {
            v["kind"] = "Job".into();
            v["status"] = json!({"completionTime": "2026-01-01T00:00:00Z"});
        });
        assert!(inventory(&[tool, over]).strays.is_empty());
    }

    #[test]
    fn a_rollout_runs_the_pods_of_the_deployment_it_names() {
        let deployment = changed("rootcoord", |v| v["spec"]["replicas"] = 0.into());
        let replicas = |kind: &str, name: &str, metadata: Value| {
            let spec = json!({"replicas": 2, "workloadRef": {"apiVersion": "apps/v1", "kind": kind, "name": name}});
            let value =
                json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": metadata, "spec": spec});
            let rollout = Object::all_in(0, value).unwrap().remove(0);
            inventory(&[deployment.clone(), rollout]).releases[0].components[0].replicas
        };
        let plain = || json!({"name": "r"});
        assert_eq!(replicas("Deployment", "a", plain()), Some(2));
        for (kind, name, metadata) in [
            ("Deployment", "b", plain()),
            ("StatefulSet", "a", plain()),
            ("Deployment", "a", json!({"name": "r", "namespace": "other"})),
            (
                "Deployment",
                "a",
                json!({"name": "r", "annotations": {"helm.sh/hook": "test"}}),
            ),
        ] {
            assert_eq!(replicas(kind, name, metadata), Some(0), "{kind} {name}");
        }
    }

    #[test]
    fn of_several_rollouts_the_last_in_the_namespace_counts() {
        let over = |replicas: i64, namespace: &str| {
            let spec = json!({"replicas": replicas, "workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}});
            let metadata = json!({"name": "r", "namespace": namespace});
            let value =
                json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": metadata, "spec": spec});
            Object::all_in(0, value).unwrap().remove(0)
        };
        for (namespace, rollouts, replicas) in [
            ("n", [over(1, "n"), over(2, "n"), over(3, "m")], 2),
            ("n", [over(1, "n"), over(2, ""), over(3, "m")], 2),
            ("n", [over(2, ""), over(1, "n"), over(3, "m")], 1),
            ("", [over(1, "n"), over(2, ""), over(3, "m")], 3),
        ] {
            let deployment = changed("rootcoord", |v| {
                v["spec"]["replicas"] = 0.into();
                v["metadata"]["namespace"] = namespace.into();
            });
            let objects = [&[deployment][..], &rollouts].concat();
            let found = inventory(&objects).releases[0].components[0].replicas;
            assert_eq!(found, Some(replicas), "{namespace:?}");
        }
    }

    #[test]
    fn several_roles_in_one_pod_cannot_be_told() {
        let mut object = deployment("a", "proxy", json!({"app": "x"}), "milvusdb/milvus:v2.5.22");
        let containers = std::sync::Arc::make_mut(&mut object.value)
            .pointer_mut("/spec/template/spec/containers")
            .unwrap()
            .as_array_mut()
            .unwrap();
        containers
            .push(json!({"name": "d", "image": "milvusdb/milvus:v2.5.22", "args": ["milvus", "run", "datanode"]}));
        assert!(inventory(&[object]).strays[0].why.contains("proxy, datanode"));
    }
}
