//! What one release is looked at by: the cluster, and the objects that have to do with it.

use super::cluster::Cluster;
use super::{HelmOutcome, Missing, Request};
use crate::judge::Scope;
use crate::kube::object::text_at;
use crate::kube::{Object, workload};
use crate::milvus::release::{Component, Release};
use crate::state::kubectl::{Place, Revision};
use crate::state::record::Record;

/// The live objects beside one release.
pub struct Live<'a> {
    /// All of them.
    pub cluster: &'a Cluster<'a>,
    /// Those that have to do with the release, and what they were before.
    pub near: Scope<'a>,
    /// The workloads beside Milvus that are looked at with the release.
    pub owned: &'a [&'a Object],
    /// Where they are, for commands.
    pub place: Place,
}

/// The mark of Helm on what it has applied.
pub fn marked(object: &Object) -> Option<&str> {
    object.annotation("meta.helm.sh/release-name")
}

/// Whether it is a workload that serves.
pub fn serves(object: &Object) -> bool {
    let kind = object.reference.kind.as_str();
    workload::SERVING_KINDS.contains(&kind) && kind != "ReplicaSet"
}

impl<'a> Live<'a> {
    /// The object of a component.
    pub fn object(&self, component: &Component) -> &'a Object {
        &self.cluster.source.stream.objects[component.object]
    }

    /// `deployment/my-release-milvus-proxy`.
    pub fn named(&self, component: &Component) -> String {
        named(self.object(component))
    }

    /// What was deployed before and has to do with the release.
    pub fn before(&self) -> &'a [Object] {
        self.near.current.map_or(&[], |stream| &stream.objects)
    }

    /// Whether a workload that is not Milvus runs other images than before.
    pub fn dependencies_moved(&self) -> bool {
        let objects = self.near.target.objects.iter().chain(self.owned.iter().copied());
        let mut others = objects.filter(|o| workload::template(o).is_some() && !self.cluster.is_milvus(o));
        others.any(|o| {
            let was = self.cluster.before.same(&o.reference).next();
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
            Some(Ok(found)) => {
                let newest = found.iter().max_by_key(|r| r.number);
                (newest.cloned().map(|r| (r, None)), None)
            }
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
        let (newest, object) = match newest {
            (Some(newest), unread) => {
                notes.extend(unread.map(|why| format!("a record of Helm cannot be read, and does not count: {why}")));
                newest
            }
            (None, unread) => {
                let why = match (asked, unread) {
                    (Some(Err(why)), _) => why.clone(),
                    (_, Some(why)) => why,
                    _ => "no release record is among the live objects".to_owned(),
                };
                notes.push(format!(
                    "whether Helm itself is done with {} is not known ({why}): {history}",
                    release.name
                ));
                return None;
            }
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

    /// The newest record among the live objects; and why one of them cannot be read.
    fn record(&self, release: &Release) -> (Option<(Revision, Option<&'a Object>)>, Option<String>) {
        let mut newest: Option<(Revision, Option<&Object>)> = None;
        let mut unread = None;
        for object in self.cluster.records(release) {
            let number = object.label("version").and_then(|v| v.parse().ok());
            let revision = match number.zip(object.label("status")) {
                Some((number, status)) => Revision {
                    number,
                    status: status.to_ascii_lowercase(),
                },
                None => match Record::from_object(object, &mut self.cluster.room.borrow_mut()) {
                    Some(Ok(record)) => Revision {
                        number: record.revision,
                        status: record.status,
                    },
                    Some(Err(why)) => {
                        unread.get_or_insert(why);
                        continue;
                    }
                    None => continue,
                },
            };
            if newest.as_ref().is_none_or(|(known, _)| revision.number >= known.number) {
                newest = Some((revision, Some(object)));
            }
        }
        (newest, unread)
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
