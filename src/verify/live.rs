//! The cluster's side: workloads, the pods they made, Helm's records.

use std::sync::Arc;

use super::inputs::Inputs;
use super::{HelmOutcome, Missing, Request};
use crate::kube::named::Named;
use crate::kube::object::{namespaces_agree, text_at};
use crate::kube::{Object, workload};
use crate::milvus::release::{Component, Inventory, Release, inventory, inventory_of_made};
use crate::state::Source;
use crate::state::kubectl::{Place, Revision};
use crate::state::record::{Record, Room};
use crate::value::Value;

/// The live objects, in order.
pub struct Live<'a> {
    /// The objects with their text.
    pub source: &'a Source,
    /// The Milvus releases among them.
    pub inventory: Inventory,
    /// Where they are, for commands.
    pub place: Place,
}

/// One pod.
#[derive(Clone, Copy)]
pub struct Pod<'a> {
    /// The object.
    pub object: &'a Object,
    /// The workload that made it: kind and name.
    owner: Option<(&'a str, &'a str)>,
    /// The ReplicaSet or revision it is of.
    replica_set: Option<&'a Object>,
}

impl<'a> Pod<'a> {
    /// When its deletion was asked for.
    pub fn deleted_at(&self) -> Option<&'a str> {
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

    /// Whether no process of it is left: it succeeded, failed or was evicted, and no container is said to run.
    fn ended(&self) -> bool {
        let ended = matches!(
            text_at(&self.object.value, &["status", "phase"]),
            Some("Succeeded" | "Failed")
        );
        let statuses = self
            .object
            .at(&["status", "containerStatuses"])
            .and_then(Value::as_array);
        ended
            && !statuses
                .into_iter()
                .flatten()
                .any(|s| s.pointer("/state/running").is_some())
    }

    /// Why a container of it does not run, and how often it was started.
    pub fn trouble(&self) -> Option<String> {
        let statuses = self
            .object
            .at(&["status", "containerStatuses"])
            .and_then(Value::as_array);
        let waiting = statuses.into_iter().flatten().find_map(|s| {
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

fn controller(object: &Object) -> Option<(&str, &str)> {
    let owners = object.at(&["metadata", "ownerReferences"]).and_then(Value::as_array)?;
    let owner = owners
        .iter()
        .find(|o| o["controller"] == true)
        .or_else(|| owners.first())?;
    Some((owner["kind"].as_str()?, owner["name"].as_str()?))
}

impl<'a> Live<'a> {
    /// Takes the inventory.
    pub fn new(source: &'a Source, place: &Place) -> Live<'a> {
        Live {
            inventory: inventory(&source.stream.objects),
            source,
            place: place.clone(),
        }
    }

    /// The object of a component.
    pub fn object(&self, component: &Component) -> &'a Object {
        &self.source.stream.objects[component.object]
    }

    /// `deployment/my-release-milvus-proxy`.
    pub fn named(&self, component: &Component) -> String {
        named(self.object(component))
    }

    /// Every pod of a namespace that runs or may run; those of Jobs left out, they serve nothing.
    pub fn pods(&self, release: &Release) -> Vec<Pod<'a>> {
        let made = self.source.made.iter();
        let here =
            made.filter(|o| o.reference.kind == "Pod" && namespaces_agree(&o.reference.namespace, &release.namespace));
        let each = here.map(|o| self.pod(o));
        each.filter(|p| !p.ended() && !matches!(p.owner, Some(("Job" | "CronJob", _))))
            .collect()
    }

    /// Whether the List holds any Pod at all.
    pub fn has_pods(&self) -> bool {
        self.source.made.iter().any(|o| o.reference.kind == "Pod")
    }

    fn pod(&self, object: &'a Object) -> Pod<'a> {
        let direct = controller(object);
        let Some(("ReplicaSet", name)) = direct else {
            return Pod {
                object,
                owner: direct,
                replica_set: None,
            };
        };
        let set = self.source.made.iter().find(|o| {
            o.reference.kind == "ReplicaSet"
                && o.reference.name == name
                && namespaces_agree(&o.reference.namespace, &object.reference.namespace)
        });
        // Without the ReplicaSet in the List its name still tells: the workload's, a dash, and the template's hash.
        let hash = object.label("pod-template-hash").unwrap_or_default();
        let by_name = name.strip_suffix(hash).and_then(|n| n.strip_suffix('-'));
        let owner = match set.and_then(controller) {
            Some(owner) => Some(owner),
            None => Some(("Deployment", by_name.filter(|_| !hash.is_empty()).unwrap_or(name))),
        };
        Pod {
            object,
            owner,
            replica_set: set,
        }
    }

    /// The pods of a workload: those it made; those its selector chooses and nothing else made.
    pub fn pods_of(&self, object: &Object, release: &Release) -> Vec<Pod<'a>> {
        let chooses = |pod: &Object| {
            let selector = object.at(&["spec", "selector"]);
            let labels = pod.at(&["metadata", "labels"]);
            selector.zip(labels).is_some_and(|(s, l)| {
                s.as_object().is_some_and(|m| !m.is_empty()) && crate::kube::selector::selects(s, false, l)
            })
        };
        let mut all = self.pods(release);
        all.retain(|p| match p.owner {
            Some((kind, name)) => kind == object.reference.kind && name == object.reference.name,
            None => chooses(p.object),
        });
        all
    }

    /// Whether a pod is of an earlier template of its workload than the newest.
    pub fn is_of_an_old_template(&self, pod: &Pod, object: &Object) -> bool {
        const REVISION: &str = "deployment.kubernetes.io/revision";
        if let (Some(newest), Some(set)) = (object.annotation(REVISION), pod.replica_set)
            && let Some(own) = set.annotation(REVISION)
        {
            return own != newest;
        }
        let newest = text_at(&object.value, &["status", "updateRevision"]);
        match (newest, pod.object.label("controller-revision-hash")) {
            (Some(newest), Some(own)) => newest != own,
            _ => false,
        }
    }

    /// The release of a pod, with what it runs.
    pub fn running(&self, pod: &Pod) -> Option<Release> {
        alone(pod.object)
    }

    /// What its ReplicaSet's template says, where admission has rewritten the pod's own image to a digest.
    pub fn template_of(&self, pod: &Pod) -> Option<Release> {
        let set = pod.replica_set?;
        alone(set)
    }

    /// Workloads of the namespace that are not Milvus and belong to what was deployed.
    pub fn dependencies(&self, inputs: &Inputs, release: &Release) -> Vec<&'a Object> {
        let objects = &self.source.stream.objects;
        let milvus = |i: &usize| {
            let mut all = self.inventory.releases.iter().flat_map(|r| &r.components);
            all.any(|c| c.object == *i) || self.inventory.strays.iter().any(|s| s.object == *i)
        };
        let before = inputs.before.as_ref();
        let before = Named::of(before.map(|b| &b.stream.objects[..]).unwrap_or_default());
        let found = objects.iter().enumerate().filter(|(i, o)| {
            let serving =
                workload::SERVING_KINDS.contains(&o.reference.kind.as_str()) && o.reference.kind != "ReplicaSet";
            let own = before.holds(&o.reference) || o.annotation("meta.helm.sh/release-name") == Some(&release.name);
            serving && own && !milvus(i) && namespaces_agree(&o.reference.namespace, &release.namespace)
        });
        found.map(|(_, o)| o).collect()
    }

    /// Whether a workload that is not Milvus runs other images than before.
    pub fn dependencies_moved(&self, inputs: &Inputs) -> bool {
        let Some(before) = &inputs.before else { return false };
        let milvus: Vec<usize> = self
            .inventory
            .releases
            .iter()
            .flat_map(|r| &r.components)
            .map(|c| c.object)
            .collect();
        let objects = self.source.stream.objects.iter().enumerate();
        let mut others = objects.filter(|(i, o)| !milvus.contains(i) && workload::template(o).is_some());
        let before = Named::of(&before.stream.objects);
        others.any(|(_, o)| {
            let was = before.same(&o.reference).next();
            was.is_some_and(|was| images(was) != images(o))
        })
    }

    /// Helm's newest revision of a release; what is missing where it is not deployed.
    pub fn helm(
        &self,
        request: &Request,
        release: &Release,
        missing: &mut Vec<Missing>,
        notes: &mut Vec<String>,
    ) -> Option<HelmOutcome> {
        let asked = request
            .revisions
            .iter()
            .find(|(name, _)| *name == release.name)
            .map(|(_, found)| found);
        let newest = match asked {
            Some(Ok(found)) => found.iter().max_by_key(|r| r.number).cloned().map(|r| (r, None)),
            _ => self.record(release),
        };
        let history = format!(
            "helm history {} --namespace {}{}",
            release.name,
            if self.place.namespace.is_empty() {
                "NAMESPACE"
            } else {
                &self.place.namespace
            },
            self.place
                .context
                .as_deref()
                .map(|c| format!(" --kube-context {c}"))
                .unwrap_or_default()
        );
        let Some((newest, object)) = newest else {
            let why = match asked {
                Some(Err(why)) => why.clone(),
                _ => "no release record is among the live objects".to_owned(),
            };
            notes.push(format!(
                "whether Helm itself is done with {} is not known ({why}): {history}",
                release.name
            ));
            return None;
        };
        if newest.status != "deployed" {
            let (message, help) = match newest.status.as_str() {
                s if s.starts_with("pending") => (
                    format!(
                        "revision {} of Helm is {s}: Helm still works on it, or was ended in the middle",
                        newest.number
                    ),
                    format!(
                        "{history}\nif no Helm runs any more: run the same helm upgrade again; where Helm says that another operation is in progress, delete that pending record first: kubectl delete secret sh.helm.release.v1.{}.v{}",
                        release.name, newest.number
                    ),
                ),
                s => (
                    format!("revision {} of Helm is {s}", newest.number),
                    format!("{history}\nfind out why, then run the same helm upgrade again"),
                ),
            };
            let found = Missing::new("release-not-deployed", message, help);
            missing.push(match object {
                Some(object) => found.on(object, "/metadata/labels/status"),
                None => found,
            });
        }
        Some(HelmOutcome {
            revision: newest.number,
            status: newest.status,
        })
    }

    /// The newest record among the live objects.
    fn record(&self, release: &Release) -> Option<(Revision, Option<&'a Object>)> {
        let objects = self.source.stream.objects.iter();
        let records = objects.filter(|o| {
            matches!(o.reference.kind.as_str(), "Secret" | "ConfigMap")
                && o.label("owner") == Some("helm")
                && o.label("name") == Some(&release.name)
                && namespaces_agree(&o.reference.namespace, &release.namespace)
        });
        let mut room = Room::of(self.source.stream.text.len());
        let read = records.filter_map(|o| {
            let labels = o.label("version").and_then(|v| v.parse().ok()).zip(o.label("status"));
            let revision = match labels {
                Some((number, status)) => Revision {
                    number,
                    status: status.to_ascii_lowercase(),
                },
                None => {
                    let record = Record::from_object(o, &mut room)?.ok()?;
                    Revision {
                        number: record.revision,
                        status: record.status,
                    }
                }
            };
            Some((revision, Some(o)))
        });
        read.max_by_key(|(r, _)| r.number)
    }
}

/// `deployment/my-release-milvus-proxy`, as kubectl takes it.
pub fn named(object: &Object) -> String {
    format!(
        "{}/{}",
        object.reference.kind.to_ascii_lowercase(),
        object.reference.name
    )
}

fn images(object: &Object) -> Vec<&str> {
    let containers = workload::containers(object);
    containers.iter().filter_map(|(_, c)| text_at(c, &["image"])).collect()
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
