//! The cluster's side, gone through once for all releases: the pods and who made them, what runs Milvus, Helm's records.

use std::cell::{OnceCell, RefCell};
use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use super::inputs::Inputs;
use crate::kube::named::{First, Named};
use crate::kube::object::{namespaces_agree, text_at};
use crate::kube::{Object, selector};
use crate::milvus::release::{Inventory, Release, inventory, inventory_of_made};
use crate::state::Source;
use crate::state::record::Room;
use crate::value::Value;

/// The live objects by what is asked of them.
pub struct Cluster<'a> {
    /// The objects with their text.
    pub source: &'a Source,
    /// The Milvus releases among them.
    pub inventory: Inventory,
    /// Whether the List holds any Pod at all.
    pub has_pods: bool,
    /// The objects by their names.
    pub named: Named<'a>,
    /// What was deployed before, by its names.
    pub before: Named<'a>,
    /// The names of what ran Milvus before.
    pub ran: HashSet<&'a str>,
    /// How much may be unpacked of Helm's records, of all releases together.
    pub room: RefCell<Room>,
    pods: Vec<Pod<'a>>,
    /// The release of each pod, found when it is asked for.
    runs: Vec<OnceCell<Option<Release>>>,
    /// The ReplicaSets, and the release of each.
    sets: Vec<(&'a Object, OnceCell<Option<Release>>)>,
    made_by: HashMap<(&'a str, &'a str), Vec<usize>>,
    made_by_nobody: Vec<usize>,
    of_release: OnceCell<HashMap<String, Vec<usize>>>,
    records: HashMap<&'a str, Vec<&'a Object>>,
    /// The addresses of what runs Milvus.
    milvus: HashSet<*const Value>,
}

/// One pod.
#[derive(Clone, Copy)]
pub struct Pod<'a> {
    /// The object.
    pub object: &'a Object,
    /// Which one it is.
    pub number: usize,
    /// The workload that made it: kind and name.
    owner: Option<(&'a str, &'a str)>,
    /// The ReplicaSet it is of, where that is in the List.
    set: Option<usize>,
}

impl Pod<'_> {
    /// When its deletion was asked for.
    pub fn deleted_at(&self) -> Option<&str> {
        text_at(&self.object.value, &["metadata", "deletionTimestamp"])
    }

    /// Whether it is going.
    pub fn terminating(&self) -> bool {
        self.deleted_at().is_some()
    }

    /// Whether something made it, and replaces it.
    pub fn is_owned(&self) -> bool {
        self.owner.is_some()
    }

    /// Whether it serves: those of Jobs do not.
    fn serves(&self) -> bool {
        !matches!(self.owner, Some(("Job" | "CronJob", _)))
    }

    /// Why a container of it does not run, and how often it was started.
    pub fn trouble(&self) -> Option<String> {
        let waiting = statuses(self.object).find_map(|s| {
            let reason = text_at(s, &["state", "waiting", "reason"])?;
            (reason != "ContainerCreating" && reason != "PodInitializing").then(|| {
                let restarts = s["restartCount"].as_u64().unwrap_or(0);
                let code = s.pointer("/lastState/terminated/exitCode").and_then(Value::as_i64);
                let code = code.map_or(String::new(), |c| format!(", last exit status {c}"));
                format!("{reason} ({restarts} restarts{code})")
            })
        });
        let conditions = self.object.at(&["status", "conditions"]).and_then(Value::as_array);
        waiting.or_else(|| {
            let unscheduled = conditions
                .into_iter()
                .flatten()
                .find(|c| c["type"] == "PodScheduled" && c["status"] == "False")?;
            let message = unscheduled["message"].as_str().unwrap_or("no node takes it");
            Some(format!("cannot be scheduled: {message}"))
        })
    }
}

fn statuses(pod: &Object) -> impl Iterator<Item = &Value> {
    let list = pod.at(&["status", "containerStatuses"]).and_then(Value::as_array);
    list.into_iter().flatten()
}

/// Whether no process of a pod is left: it succeeded, failed or was evicted, and no container is said to run.
fn ended(pod: &Object) -> bool {
    let phase = text_at(&pod.value, &["status", "phase"]);
    matches!(phase, Some("Succeeded" | "Failed")) && !statuses(pod).any(|s| s.pointer("/state/running").is_some())
}

fn controller(object: &Object) -> Option<(&str, &str)> {
    let owners = object.at(&["metadata", "ownerReferences"]).and_then(Value::as_array)?;
    let owner = owners
        .iter()
        .find(|o| o["controller"] == true)
        .or_else(|| owners.first())?;
    Some((owner["kind"].as_str()?, owner["name"].as_str()?))
}

impl<'a> Cluster<'a> {
    /// Goes through it.
    pub fn new(inputs: &'a Inputs) -> Cluster<'a> {
        let source = &inputs.live;
        let objects = &source.stream.objects;
        let inventory = inventory(objects);
        let components = inventory.releases.iter().flat_map(|r| &r.components);
        let running = components.map(|c| c.object);
        let running = running.chain(inventory.strays.iter().map(|s| s.object));
        let milvus = running.map(|i| Arc::as_ptr(&objects[i].value)).collect();
        let mut records: HashMap<&str, Vec<&Object>> = HashMap::default();
        let record = |o: &&Object| {
            matches!(o.reference.kind.as_str(), "Secret" | "ConfigMap") && o.label("owner") == Some("helm")
        };
        for object in objects.iter().filter(record) {
            if let Some(release) = object.label("name") {
                records.entry(release).or_default().push(object);
            }
        }
        let before = inputs.before.iter().flat_map(|before| &before.stream.objects);
        let ran = inputs.before_inventory.releases.iter().flat_map(|r| &r.components);
        let mut cluster = Cluster {
            source,
            inventory,
            has_pods: source.made.iter().any(|o| o.reference.kind == "Pod"),
            named: Named::of(objects),
            before: Named::of(before),
            ran: ran.map(|c| &c.name[..]).collect(),
            room: Room::of(source.stream.text.len()).into(),
            pods: vec![],
            runs: vec![],
            sets: vec![],
            made_by: HashMap::default(),
            made_by_nobody: vec![],
            of_release: OnceCell::new(),
            records,
            milvus,
        };
        cluster.add_pods(&source.made);
        cluster
    }

    fn add_pods(&mut self, made: &'a [Object]) {
        let mut called: HashMap<&str, First> = HashMap::default();
        for set in made.iter().filter(|o| o.reference.kind == "ReplicaSet") {
            let first = called.entry(&set.reference.name).or_default();
            first.add(&set.reference.namespace, self.sets.len());
            self.sets.push((set, OnceCell::new()));
        }
        let pods = made.iter().filter(|o| o.reference.kind == "Pod" && !ended(o));
        for object in pods {
            let mut pod = self.pod(object, &called);
            pod.number = self.pods.len();
            if !pod.serves() {
                continue;
            }
            match pod.owner {
                Some(owner) => self.made_by.entry(owner).or_default().push(pod.number),
                None => self.made_by_nobody.push(pod.number),
            }
            self.pods.push(pod);
            self.runs.push(OnceCell::new());
        }
    }

    fn pod(&self, object: &'a Object, sets: &HashMap<&str, First>) -> Pod<'a> {
        let pod = Pod {
            object,
            number: 0,
            owner: controller(object),
            set: None,
        };
        let Some(("ReplicaSet", name)) = pod.owner else {
            return pod;
        };
        let set = sets
            .get(name)
            .and_then(|first| first.agreeing(&object.reference.namespace));
        // Without the ReplicaSet in the List its name still tells: the workload's, a dash, and the template's hash.
        let hash = object.label("pod-template-hash").unwrap_or_default();
        let by_name = name.strip_suffix(hash).and_then(|n| n.strip_suffix('-'));
        let owner = match set.and_then(|set| controller(self.sets[set].0)) {
            Some(owner) => owner,
            None => ("Deployment", by_name.filter(|_| !hash.is_empty()).unwrap_or(name)),
        };
        Pod {
            owner: Some(owner),
            set,
            ..pod
        }
    }

    /// How many pods nothing made.
    pub fn free_pods(&self) -> usize {
        self.made_by_nobody.len()
    }

    /// The pods of a workload that run or may run: those it made; those its selector chooses and nothing else made.
    pub fn pods_of(&self, object: &Object, release: &Release) -> Vec<Pod<'a>> {
        let chooser = object
            .at(&["spec", "selector"])
            .filter(|s| s.as_object().is_some_and(|m| !m.is_empty()));
        let chosen = |pod: &Object| {
            let labels = pod.at(&["metadata", "labels"]);
            chooser.zip(labels).is_some_and(|(s, l)| selector::selects(s, false, l))
        };
        let made = self
            .made_by
            .get(&(&object.reference.kind[..], &object.reference.name[..]));
        let made = made.into_iter().flatten();
        let free = self.made_by_nobody.iter().filter(|i| chosen(self.pods[**i].object));
        let mut all: Vec<usize> = made.chain(free).copied().collect();
        all.sort_unstable();
        self.here(&all, release)
    }

    /// The pods that run, or may run, what is a release's own.
    pub fn pods_running(&self, release: &Release) -> Vec<Pod<'a>> {
        let known = self.of_release.get_or_init(|| {
            let mut known: HashMap<String, Vec<usize>> = HashMap::default();
            for pod in &self.pods {
                if let Some(runs) = self.running(pod) {
                    known.entry(runs.name.clone()).or_default().push(pod.number);
                }
            }
            known
        });
        let all = known.get(&release.name).map_or(&[][..], |all| all);
        let mut found = self.here(all, release);
        found.retain(|pod| self.running(pod).is_some_and(|runs| runs.is(release)));
        found
    }

    fn here(&self, all: &[usize], release: &Release) -> Vec<Pod<'a>> {
        let each = all.iter().map(|i| self.pods[*i]);
        each.filter(|pod| namespaces_agree(&pod.object.reference.namespace, &release.namespace))
            .collect()
    }

    /// The release of a pod, with what it runs.
    pub fn running(&self, pod: &Pod) -> Option<&Release> {
        self.runs[pod.number].get_or_init(|| alone(pod.object)).as_ref()
    }

    /// What its ReplicaSet's template says, where admission has rewritten the pod's own image to a digest.
    pub fn template_of(&self, pod: &Pod) -> Option<&Release> {
        let (set, runs) = &self.sets[pod.set?];
        runs.get_or_init(|| alone(set)).as_ref()
    }

    /// Whether a pod is of an earlier template of its workload than the newest.
    pub fn is_of_an_old_template(&self, pod: &Pod, object: &Object) -> bool {
        const REVISION: &str = "deployment.kubernetes.io/revision";
        if let (Some(newest), Some(set)) = (object.annotation(REVISION), pod.set)
            && let Some(own) = self.sets[set].0.annotation(REVISION)
        {
            return own != newest;
        }
        let newest = text_at(&object.value, &["status", "updateRevision"]);
        match (newest, pod.object.label("controller-revision-hash")) {
            (Some(newest), Some(own)) => newest != own,
            _ => false,
        }
    }

    /// Whether an object runs Milvus, in whatever role.
    pub fn is_milvus(&self, object: &Object) -> bool {
        self.milvus.contains(&Arc::as_ptr(&object.value))
    }

    /// What looks like Helm's records of a release.
    pub fn records(&self, release: &Release) -> impl Iterator<Item = &'a Object> {
        let all = self.records.get(&release.name[..]).into_iter().flatten().copied();
        all.filter(|o| namespaces_agree(&o.reference.namespace, &release.namespace))
    }
}

/// The release of one object on its own, whoever made it and however it ended: what it would run.
fn alone(object: &Object) -> Option<Release> {
    let mut object = object.clone();
    if let Some(map) = Arc::make_mut(&mut object.value).as_object_mut() {
        map.remove("status");
    }
    let object = std::slice::from_ref(&object);
    let made = inventory_of_made(object).releases.into_iter().next();
    made.or_else(|| inventory(object).releases.into_iter().next())
}
