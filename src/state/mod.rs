//! What is deployed: everything `--current` accepts, read into one [`Source`].
//!
//! Structure comes from the last deployed revision. Versions come from every source that knows them: the downgrade
//! rules count the highest one seen, the floors the lowest one that may run.

pub mod file;
pub mod helm;
pub mod history;
pub mod kubectl;
pub mod process;
mod read;
pub mod record;
pub mod reduce;
pub mod scrub;
mod told;
pub mod view;

use foldhash::HashSet;

use crate::kube::Object;
use crate::milvus::release::{Inventory, Release, Versions, inventory};
use crate::milvus::version::{Read, Undecidable, Version};
use crate::stream::Stream;
use crate::value::Value;
pub use read::{Wanted, is_plain, is_stream, live, part, read, read_to_keep};
pub use told::{OfRelease, Remembered, Seen, Told};

/// Whether the objects were read from the cluster or from manifests; objects may live on that no manifest names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// As the API server has them.
    Live,
    /// As somebody rendered them, release records included.
    Manifest,
}

impl Origin {
    /// The word in a state file.
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Live => "live",
            Origin::Manifest => "manifest",
        }
    }
}

/// In what form the state was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A manifest stream or a List.
    Manifests,
    /// Release records.
    Record,
    /// A state file.
    StateFile,
}

/// What is deployed.
#[derive(Debug)]
pub struct Source {
    /// The objects, with the text they stand in.
    pub stream: Stream,
    /// In what form it came.
    pub form: Form,
    /// Live or manifest.
    pub origin: Origin,
    /// Where it was taken from, in words.
    pub taken_from: String,
    /// The Helm release, where the source says it.
    pub release: String,
    /// Its namespace, where the source says it.
    pub namespace: String,
    /// Versions seen beside the structure.
    pub seen: Told<Seen>,
    /// Versions remembered from before.
    pub remembered: Told<Remembered>,
    /// The values stored with it.
    pub values: Option<Value>,
    /// Pods and ReplicaSets that the workloads made, where a List of live objects shows them.
    pub made: Vec<Object>,
    /// The last revision of its history, whatever became of it; `None` where the source has no history.
    pub last_revision: Option<u64>,
}

/// The versions of a release, from everything that knows them.
#[derive(Clone, Debug)]
pub struct Known {
    /// What runs, or may run: mixed images, later revisions that failed.
    pub versions: Versions,
    /// The highest version ever seen.
    pub highest: Option<Version>,
    /// The images of `versions`.
    pub images: Vec<String>,
}

impl Source {
    fn of(stream: Stream, form: Form, taken_from: String) -> Source {
        Source {
            stream,
            form,
            origin: Origin::Manifest,
            taken_from,
            release: String::new(),
            namespace: String::new(),
            seen: Told::default(),
            remembered: Told::default(),
            values: None,
            made: vec![],
            last_revision: None,
        }
    }

    /// The Milvus releases in it.
    pub fn inventory(&self) -> Inventory {
        inventory(&self.stream.objects)
    }

    /// The versions of a release of this source. `assumed` stands in where an image says none.
    pub fn versions(&self, release: &Release, assumed: Option<&Version>) -> Known {
        let mut versions = release.versions(assumed);
        let mut images: Vec<String> = release.components.iter().map(|c| c.image.clone()).collect();
        let mut highest: Vec<Version> = Vec::new();
        let mut told: HashSet<Undecidable> = versions.undecidable.iter().cloned().collect();
        for seen in self.seen.of(&release.app, &release.name, &release.namespace) {
            for read in seen.reads() {
                match (read, assumed) {
                    (Read::Known(v), _) => {
                        highest.push(v.clone());
                        versions.known.extend(seen.running.then_some(v));
                    }
                    // The assumption is about what runs, not about what once ran.
                    (Read::Undecidable(_), Some(v)) if seen.running => versions.known.push(v.clone()),
                    (Read::Undecidable(u), _) => {
                        highest.extend(u.line.map(|(major, minor)| Version::new(major, minor, 0)));
                        if seen.running && told.insert(u.clone()) {
                            versions.undecidable.push(u);
                        }
                    }
                }
            }
            if seen.running {
                images.extend(seen.images.iter().cloned());
            }
        }
        let remembered = self.remembered.of(&release.app, &release.name, &release.namespace);
        highest.extend(remembered.map(|r| r.highest.clone()));
        versions.known.sort();
        versions.known.dedup();
        highest.extend(versions.highest().cloned());
        Known {
            versions,
            highest: highest.into_iter().max(),
            images,
        }
    }

    /// Remembers that a release ran a version before.
    pub fn remember(&mut self, release: &Release, highest: Version) {
        let of = Seen {
            images: vec![],
            ..Seen::of("", release, false)
        };
        self.remembered.extend([Remembered { of, highest }]);
    }

    /// Says the namespace where neither the source nor its objects do.
    pub fn place(&mut self, namespace: &str) {
        let said = self.inventory().releases.iter().any(|r| !r.namespace.is_empty());
        if self.namespace.is_empty() && !said {
            namespace.clone_into(&mut self.namespace);
            self.settle();
        }
    }

    /// Gives the namespace of the source to the objects that leave theirs to the client.
    fn settle(&mut self) {
        if self.namespace.is_empty() {
            return;
        }
        for object in &mut self.stream.objects {
            let reference = &mut object.reference;
            if reference.namespace.is_empty() && !is_cluster_scoped(&reference.kind) {
                reference.namespace.clone_from(&self.namespace);
            }
        }
    }
}

fn is_cluster_scoped(kind: &str) -> bool {
    const KINDS: [&str; 8] = [
        "Namespace",
        "PersistentVolume",
        "StorageClass",
        "PriorityClass",
        "CustomResourceDefinition",
        "PodSecurityPolicy",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
    ];
    kind.starts_with("Cluster") || KINDS.contains(&kind)
}

#[cfg(test)]
mod tests;
