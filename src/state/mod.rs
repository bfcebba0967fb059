//! What is deployed: everything `--current` accepts, read into one [`Source`].
//!
//! Structure comes from the last deployed revision. Versions come from every source that knows them: the downgrade
//! rules count the highest one seen, the floors the lowest one that may run.

pub mod file;
pub mod helm;
pub mod history;
pub mod kubectl;
pub mod process;
pub mod record;
pub mod reduce;
pub mod scrub;
pub mod view;

use std::collections::HashSet;

use serde_json::Value;

use crate::finding::{Finding, Input};
use crate::judge::Current;
use crate::kube::object::namespaces_agree;
use crate::kube::{Object, workload};
use crate::milvus::image::ImageRef;
use crate::milvus::release::{Inventory, Release, Versions, inventory, inventory_of_made};
use crate::milvus::version::{self, Read, Version};
use crate::rules::{mu001_unreadable_input, mu003_state_unknown};
use crate::stream::{Stream, Unreadable};
use crate::yaml::Position;
use record::Record;

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

/// Images of one release that were seen beside its structure.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    /// Where, in words: `revision 4 (failed)`.
    pub place: String,
    /// The release's namespace.
    pub namespace: String,
    /// Its instance.
    pub name: String,
    /// Its chart's name.
    pub app: String,
    /// Its images, each once.
    pub images: Vec<String>,
    /// Whether pods of them may run now.
    pub running: bool,
}

impl Seen {
    fn of(place: &str, release: &Release, running: bool) -> Seen {
        let mut images: Vec<String> = release.components.iter().map(|c| c.image.clone()).collect();
        images.sort();
        images.dedup();
        Seen {
            place: place.to_owned(),
            namespace: release.namespace.clone(),
            name: release.name.clone(),
            app: release.app.clone(),
            images,
            running,
        }
    }

    fn is_of(&self, release: &Release) -> bool {
        self.name == release.name && self.app == release.app && namespaces_agree(&self.namespace, &release.namespace)
    }

    fn reads(&self) -> impl Iterator<Item = Read> {
        self.images
            .iter()
            .map(|image| version::read_image(&ImageRef::parse(image)))
    }
}

/// The highest version a state file remembers of a release.
#[derive(Clone, Debug)]
pub struct Remembered {
    /// Of which release; its images are empty.
    pub of: Seen,
    /// The version.
    pub highest: Version,
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
    pub seen: Vec<Seen>,
    /// Versions remembered from before.
    pub remembered: Vec<Remembered>,
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
            seen: vec![],
            remembered: vec![],
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
        for seen in self.seen.iter().filter(|s| s.is_of(release)) {
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
                        if seen.running && !versions.undecidable.contains(&u) {
                            versions.undecidable.push(u);
                        }
                    }
                }
            }
            if seen.running {
                images.extend(seen.images.iter().cloned());
            }
        }
        highest.extend(
            self.remembered
                .iter()
                .filter(|r| r.of.is_of(release))
                .map(|r| r.highest.clone()),
        );
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
        self.remembered.push(Remembered { of, highest });
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

/// The manifests that `--current` gave, read; of every other form nothing is read yet.
pub type Early = Option<Result<Stream, Vec<Unreadable>>>;

/// Reads what `--current` gave as far as that needs no other input.
pub fn early(current: &Current) -> Early {
    match current {
        Current::Manifests(bytes) if is_stream(bytes) => Some(Stream::read(bytes, Input::Current)),
        _ => None,
    }
}

/// Whether a text is neither a release record nor a state file.
fn is_stream(bytes: &[u8]) -> bool {
    let text = std::str::from_utf8(bytes).ok();
    let other = |text: &str| {
        record::looks_like_payload(text) || file::recognise(text).is_some() || record::decoded(text).is_some()
    };
    !record::is_gzip(bytes) && !text.is_some_and(other)
}

/// Reads what `--current` gave. `wanted` is what the manifests hold: of records of several releases, theirs are taken;
/// where a state file masks a value and nothing tells it from theirs, theirs stands in. `None` where there is no source.
///
/// # Errors
/// Why it cannot be read or had: MU001, MU003.
pub fn read(current: &Current, wanted: Option<(&Stream, &Inventory)>) -> Result<Option<Source>, Vec<Finding>> {
    read_after(None, current, wanted)
}

/// The same, after what [`early`] read.
///
/// # Errors
/// As [`read`].
pub fn read_after(
    early: Early,
    current: &Current,
    wanted: Option<(&Stream, &Inventory)>,
) -> Result<Option<Source>, Vec<Finding>> {
    let source = match (early, current) {
        (Some(stream), _) => {
            let stream = stream.map_err(|all| unreadable_stream(&all, ""))?;
            from_stream(stream, wanted.map(|(_, i)| i))?
        }
        (None, Current::Unsaid | Current::Nothing) => return Ok(None),
        (None, Current::Unavailable(why)) => {
            return Err(vec![mu003_state_unknown::unavailable(&why.message, &why.help)]);
        }
        (None, Current::Records(records)) => history::source(records, wanted.map(|(_, i)| i))?,
        (None, Current::Manifests(bytes)) => read_bytes(bytes, wanted)?,
    };
    Ok(Some(source))
}

fn read_bytes(bytes: &[u8], wanted: Option<(&Stream, &Inventory)>) -> Result<Source, Vec<Finding>> {
    let inventory = wanted.map(|(_, i)| i);
    let text = std::str::from_utf8(bytes).ok();
    if record::is_gzip(bytes) || text.is_some_and(record::looks_like_payload) {
        let record = Record::from_payload(bytes).map_err(|why| unreadable(&format!("a release record: {why}")))?;
        return history::source(&[record], inventory);
    }
    if let Some(text) = text {
        if let Some(state) = file::recognise(text) {
            return state
                .and_then(|s| file::read(text, &s, wanted.map(|(stream, _)| stream)))
                .map_err(|why| unreadable(&why));
        }
        if let Some(records) = record::decoded(text) {
            return history::source(&records.map_err(|why| unreadable(&why))?, inventory);
        }
    }
    let stream = Stream::read(bytes, Input::Current).map_err(|all| unreadable_stream(&all, ""))?;
    from_stream(stream, inventory)
}

/// Reads live objects, as `verify` looks at them.
///
/// # Errors
/// MU001; it points into the manifests, as what is looked at.
pub fn live(bytes: &[u8]) -> Result<Source, Vec<Finding>> {
    let stream = Stream::read(bytes, Input::Target).map_err(|all| {
        let each = all
            .iter()
            .map(|u| mu001_unreadable_input::finding(u, Input::Target, None));
        each.collect::<Vec<_>>()
    })?;
    let mut source = Source::of(stream, Form::Manifests, "live objects".into());
    source.origin = Origin::Live;
    children(&mut source);
    Ok(source)
}

/// A stream of manifests, of live objects, of records, or of all of them (`kubectl get all,secrets -o yaml`).
fn from_stream(stream: Stream, wanted: Option<&Inventory>) -> Result<Source, Vec<Finding>> {
    let mut records = Vec::new();
    let mut bad = Vec::new();
    for object in &stream.objects {
        match Record::from_object(object) {
            Some(Ok(record)) => records.push(record),
            Some(Err(message)) => {
                let position = stream.position(object.document, &format!("{}/metadata", object.pointer));
                let unreadable = Unreadable {
                    message,
                    document: object.document,
                    position,
                };
                bad.push(mu001_unreadable_input::finding(&unreadable, Input::Current, None));
            }
            None => {}
        }
    }
    if !bad.is_empty() {
        return Err(bad);
    }
    if !records.is_empty() {
        let found = inventory(&stream.objects);
        if found.releases.is_empty() && found.strays.is_empty() {
            return history::source(&records, wanted);
        }
    }
    let live = stream.objects.iter().any(|o| o.at(&["metadata", "uid"]).is_some());
    let taken_from = if live { "live objects" } else { "manifests" };
    let mut source = Source::of(stream, Form::Manifests, taken_from.into());
    if live {
        source.origin = Origin::Live;
    }
    for record in &records {
        source.seen.extend(history::seen(record, false));
    }
    children(&mut source);
    Ok(source)
}

/// Takes out Pods and ReplicaSets of a `kubectl get all`: what the workloads beside them made. Their images tell what
/// else runs (a rollout under way) or ran (one rolled back).
fn children(source: &mut Source) {
    let (made, own): (Vec<Object>, Vec<Object>) = std::mem::take(&mut source.stream.objects)
        .into_iter()
        .partition(workload::is_made);
    source.stream.objects = own;
    let elsewhere = |seen: &Seen| Seen {
        place: String::new(),
        ..seen.clone()
    };
    let mut known: HashSet<Seen> = source.seen.iter().map(elsewhere).collect();
    for object in &made {
        let running = !workload::is_finished(object) && workload::replicas(object) != Some(0);
        let place = format!("{} {}", object.reference.kind, object.reference.name);
        for release in inventory_of_made(std::slice::from_ref(object)).releases {
            let seen = Seen::of(&place, &release, running);
            if known.insert(elsewhere(&seen)) {
                source.seen.push(seen);
            }
        }
    }
    source.made = made;
}

/// A finding for a source that cannot be read as a whole.
fn unreadable(message: &str) -> Vec<Finding> {
    unreadable_stream(
        &[Unreadable {
            message: message.into(),
            document: 0,
            position: Position { line: 1, column: 1 },
        }],
        "",
    )
}

fn unreadable_stream(all: &[Unreadable], place: &str) -> Vec<Finding> {
    let each = all.iter().map(|u| {
        let message = if place.is_empty() {
            u.message.clone()
        } else {
            format!("{place}: {}", u.message)
        };
        mu001_unreadable_input::finding(&Unreadable { message, ..u.clone() }, Input::Current, None)
    });
    each.collect()
}

#[cfg(test)]
mod tests;
