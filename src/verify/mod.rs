//! Whether a stage, or the upgrade, is complete in the cluster: live objects against what was deployed before.
//!
//! Unknown never reads as complete. What cannot be seen is missing, like what is not done; only what is no part of the
//! question (whether Helm itself is done, where its records may not be read) is a note.

mod cluster;
mod each;
mod goal;
mod inputs;
mod live;
mod pods;
mod rollout;
pub mod say;
mod stores;

use foldhash::HashSet;
use serde::Serialize;

use crate::finding::{Finding, Input};
use crate::judge::Current;
use crate::kube::object::namespaces_agree;
use crate::kube::{Object, ObjectRef};
use crate::milvus::release::Mode;
use crate::milvus::version::Version;
use crate::options::Options;
use crate::state::kubectl::{Place, Revision};
use crate::state::{Origin, Source};
use crate::transition::Kind;
use crate::yaml::Position;
use inputs::Inputs;

/// The inputs of a verification.
#[derive(Debug)]
pub struct Request {
    /// The List of live objects.
    pub live: Vec<u8>,
    /// Whether it came from a file, so that places in it help.
    pub from_file: bool,
    /// What was deployed before.
    pub current: Current,
    /// What the user stated.
    pub options: Options,
    /// `--to`: the version the upgrade goes to.
    pub to: Option<Version>,
    /// `--applied`: the report that `render` wrote when it applied the stage.
    pub applied: Option<Vec<u8>>,
    /// Where the objects are.
    pub place: Place,
    /// The revisions of each Helm release, where kubectl was asked for them: the release, and what came back.
    pub revisions: Vec<(String, Result<Vec<Revision>, String>)>,
}

/// Something that keeps the verdict from being complete.
#[derive(Clone, Debug)]
pub struct Missing {
    /// What kind of thing, a fixed word.
    pub reason: &'static str,
    /// The rule that says so, where one does.
    pub code: Option<&'static str>,
    /// The release it is about; empty where it is about the inputs.
    pub release: String,
    /// One sentence with the values in it.
    pub message: String,
    /// The command to look at it, or the way on.
    pub help: String,
    /// The object it is about.
    pub object: Option<ObjectRef>,
    /// JSON pointer to the field in the object.
    pub field: Option<String>,
    /// Where in FILE that stands.
    pub location: Option<Position>,
    /// Document and pointer in FILE, resolved into `location` at the end.
    anchor: Option<(usize, String)>,
}

impl Missing {
    fn new(reason: &'static str, message: impl Into<String>, help: impl Into<String>) -> Missing {
        Missing {
            reason,
            code: None,
            release: String::new(),
            message: message.into(),
            help: help.into(),
            object: None,
            field: None,
            location: None,
            anchor: None,
        }
    }

    /// The cluster could not be asked.
    pub fn unavailable(message: &str, help: &str) -> Missing {
        Missing {
            code: Some("MU003"),
            ..Missing::new("state-unknown", message, help)
        }
    }

    /// Names the object it is about, and the field in it.
    fn on(mut self, object: &Object, field: &str) -> Missing {
        self.object = Some(object.reference.clone());
        self.field = (!field.is_empty()).then(|| field.to_owned());
        self.anchor = Some((object.document, format!("{}{field}", object.pointer)));
        self
    }

    /// A rule's refusal.
    fn finding(reason: &'static str, finding: &Finding) -> Missing {
        Missing {
            code: Some(finding.code),
            object: finding.object.clone(),
            field: finding.field.as_ref().map(|f| f.path.clone()),
            anchor: finding
                .anchor
                .as_ref()
                .filter(|a| a.stream == Input::Target)
                .map(|a| (a.document, a.pointer.clone())),
            location: finding
                .location
                .as_ref()
                .filter(|l| l.stream == Input::Target)
                .map(|l| Position {
                    line: l.line,
                    column: l.column,
                }),
            ..Missing::new(reason, finding.message.clone(), finding.help.clone())
        }
    }
}

/// One workload of a release.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentOutcome {
    /// `Deployment`, `StatefulSet`, …
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What it runs.
    pub role: &'static str,
    /// The stage in which it moves; null where the kind has none.
    pub stage: Option<u8>,
    /// `target`, `before` (held back) or `gone`.
    pub expected: &'static str,
    /// The version its image says.
    pub version: Option<String>,
    /// The replicas it asks for.
    pub replicas: i64,
    /// How many of them run its newest template.
    pub updated: Option<i64>,
    /// How many of them are ready.
    pub ready: Option<i64>,
    /// Its pods in the List that run or may run, terminating ones included.
    pub pods: usize,
    /// Those of them that are terminating.
    pub terminating: usize,
}

/// The revision of Helm.
#[derive(Clone, Debug, Serialize)]
pub struct HelmOutcome {
    /// The newest revision.
    pub revision: u64,
    /// Its status.
    pub status: String,
}

/// One release.
#[derive(Debug)]
pub struct ReleaseOutcome {
    /// The namespace.
    pub namespace: String,
    /// The instance.
    pub name: String,
    /// Cluster or standalone.
    pub mode: Mode,
    /// The kind of the transition; `None` where it cannot be told.
    pub kind: Option<Kind>,
    /// The lowest version that ran before.
    pub before: Option<Version>,
    /// Where it goes to.
    pub target: Option<Version>,
    /// How the target was known, in words.
    pub target_from: &'static str,
    /// The stage that was looked at, and the last one.
    pub stage: Option<(u8, u8)>,
    /// What the stage does, in words.
    pub doing: &'static str,
    /// Its workloads.
    pub components: Vec<ComponentOutcome>,
    /// Helm's newest revision, where it is known.
    pub helm: Option<HelmOutcome>,
}

/// The answer.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Each release.
    pub releases: Vec<ReleaseOutcome>,
    /// What is missing; complete where nothing is.
    pub missing: Vec<Missing>,
    /// What should be known and keeps nothing from being complete.
    pub notes: Vec<String>,
    /// The state as it is now, for a state file.
    pub state: Option<Source>,
}

impl Outcome {
    /// Whether the stage, or the upgrade, is complete.
    pub fn complete(&self) -> bool {
        self.missing.is_empty()
    }
}

/// Verifies. A pure function of the request.
pub fn verify(request: &Request) -> Outcome {
    let mut out = Outcome::default();
    let inputs = match inputs::read(request) {
        Ok(inputs) => inputs,
        Err(missing) => {
            out.missing = missing;
            return out;
        }
    };
    each::look(request, &inputs, &mut out);
    if request.from_file {
        locate(&inputs.live, &mut out.missing);
    }
    let verified: HashSet<&str> = out.releases.iter().map(|r| &r.name[..]).collect();
    out.state = Some(remembering(inputs, &verified));
    out
}

/// Finds line and column of what is missing.
fn locate(live: &Source, missing: &mut [Missing]) {
    let places: Vec<(usize, usize, String)> = missing
        .iter()
        .enumerate()
        .filter(|(_, m)| m.location.is_none())
        .filter_map(|(i, m)| m.anchor.clone().map(|(document, pointer)| (i, document, pointer)))
        .collect();
    let asked: Vec<(usize, &str)> = places.iter().map(|(_, d, p)| (*d, p.as_str())).collect();
    for ((i, _, _), position) in places.iter().zip(live.stream.positions(&asked)) {
        missing[*i].location = Some(position);
    }
}

/// The state as it is now. What ran before has been seen, whatever runs now.
fn remembering(inputs: Inputs, verified: &HashSet<&str>) -> Source {
    let Inputs {
        mut live,
        before,
        before_inventory,
        ..
    } = inputs;
    live.origin = Origin::Live;
    if let Some(before) = &before {
        for release in before_inventory
            .releases
            .iter()
            .filter(|r| verified.contains(&r.name[..]))
        {
            if let Some(highest) = before.versions(release, None).highest {
                live.remember(release, highest);
            }
        }
        if let [only] = &live.inventory().releases[..]
            && only.name == before.release
            && namespaces_agree(&only.namespace, &before.namespace)
        {
            live.release.clone_from(&before.release);
        }
    }
    live
}
