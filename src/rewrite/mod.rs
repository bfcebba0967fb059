//! The rewrite: from a release as the chart rendered it to the topology its target version runs.
//!
//! Everything here is decided on values and noted as [`Change`]s; text comes later, in [`crate::apply`].

pub mod arrive;
pub mod chart;
pub mod config;
pub mod join;
pub mod leave;
pub mod neutral;
pub mod place;
pub mod service;
pub mod share;
pub mod values;

use std::cell::OnceCell;

use serde::Serialize;

use crate::facts;
use crate::host;
use crate::kube::{Object, ObjectRef};
use crate::milvus::effective::Texts;
use crate::milvus::release::{Component, Mode, Release, Versions};
use crate::milvus::role::Role;
use crate::stream::Stream;
use crate::value::Value;
use crate::yaml::{Op, PatchOp};
use values::Values;

/// What a change does to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeOp {
    /// The object leaves.
    Drop,
    /// The object comes.
    Inject,
    /// Fields of it change.
    Patch,
    /// Its bytes change and no value.
    Restyle,
}

/// One change to one object.
#[derive(Clone, Debug)]
pub struct Change {
    /// What is done.
    pub op: ChangeOp,
    /// To which object.
    pub object: ObjectRef,
    /// The document that holds it; for an injected object the document it stands before.
    pub document: usize,
    /// Whether an injected object belongs behind the document before that one (and comes first among those that meet
    /// there), not before it.
    pub behind: bool,
    /// JSON pointer to the object inside its document (items of a List); for what comes into a ResourceList the item it
    /// stands before.
    pub pointer: String,
    /// RFC 6902 operations relative to the object; an injected object is one `add` at the root.
    pub patch: Vec<PatchOp>,
    /// The text of an injected document, its separator and bookkeeping included.
    pub text: String,
    /// Why.
    pub why: String,
}

impl Change {
    /// Takes an object away.
    pub fn drop(object: &Object, why: impl Into<String>) -> Change {
        Change {
            op: ChangeOp::Drop,
            object: object.reference.clone(),
            document: object.document,
            behind: false,
            pointer: object.pointer.clone(),
            patch: Vec::new(),
            text: String::new(),
            why: why.into(),
        }
    }

    /// Changes fields of an object.
    pub fn patch(object: &Object, patch: Vec<PatchOp>, why: impl Into<String>) -> Change {
        Change {
            op: ChangeOp::Patch,
            patch,
            ..Change::drop(object, why)
        }
    }
}

/// `replace` at a pointer.
pub fn replace(path: impl Into<String>, value: impl Into<Value>) -> PatchOp {
    PatchOp {
        op: Op::Replace,
        path: path.into(),
        value: Some(value.into()),
    }
}

/// `add` at a pointer.
pub fn add(path: impl Into<String>, value: impl Into<Value>) -> PatchOp {
    PatchOp {
        op: Op::Add,
        path: path.into(),
        value: Some(value.into()),
    }
}

/// `remove` at a pointer.
pub fn remove(path: impl Into<String>) -> PatchOp {
    PatchOp {
        op: Op::Remove,
        path: path.into(),
        value: None,
    }
}

/// The roles a version runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topology {
    /// Whatever is rendered.
    AsRendered,
    /// 2.5.16 to 2.5.x: one mixcoord.
    Consolidated,
    /// 2.6 and later: one mixcoord, streaming nodes, no indexnode.
    Streaming,
}

/// The topology that the target's versions ask for. A version nobody can tell is refused elsewhere; its release line
/// decides here as far as it goes.
pub fn topology(release: &Release, versions: &Versions) -> Topology {
    if release.mode() == Mode::Standalone {
        return Topology::AsRendered;
    }
    let consolidate = &facts::versions().marks.consolidate.version;
    match versions.line() {
        Some(line) if line >= facts::streaming_line() => Topology::Streaming,
        Some(line) if line == consolidate.line() && versions.highest().is_some_and(|v| v >= consolidate) => {
            Topology::Consolidated
        }
        _ => Topology::AsRendered,
    }
}

impl Topology {
    /// Whether a role has to leave.
    pub fn drops(self, role: Role) -> bool {
        match self {
            Topology::AsRendered => false,
            Topology::Consolidated => role.is_legacy_coordinator(),
            Topology::Streaming => role.is_legacy_coordinator() || role == Role::IndexNode,
        }
    }
}

/// What the coordinators disagree on where mixcoord can have one value (MU207).
#[derive(Clone, Debug, PartialEq)]
pub struct Disagreement {
    /// The field, as a pointer relative to the workload, in words where it is no single field.
    pub field: String,
    /// What was taken.
    pub taken: Value,
    /// What the coordinators have, equal values once (absent, null and empty are equal), in the order of the first who
    /// has each.
    pub values: Vec<Had>,
}

/// A value that coordinators have.
#[derive(Clone, Debug, PartialEq)]
pub struct Had {
    /// The value, null where they have none.
    pub value: Value,
    /// The roles of those who have it, of many the first.
    pub roles: Vec<String>,
    /// How many more have it.
    pub more: usize,
}

/// The outcome for one release.
#[derive(Clone, Debug, Default)]
pub struct Rewrite {
    /// In the order they were decided; `drop`s first.
    pub changes: Vec<Change>,
    /// Where the coordinators differ.
    pub disagreements: Vec<Disagreement>,
    /// What could not be built and why; the rules make a refusal of it.
    pub failures: Vec<Failure>,
}

/// What could not be built.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// Something in the stream is not as it has to be: what, in words.
    Unbuilt(String),
    /// The chart's own name for what comes is one that the API server refuses.
    Name {
        /// What would come.
        object: ObjectRef,
        /// What is wrong with the name, in words that follow it.
        why: String,
    },
    /// The values give to what comes something that Kubernetes cannot read.
    Values {
        /// What would come.
        object: ObjectRef,
        /// The chart's key of its values.
        key: &'static str,
        /// What stands where in it.
        why: String,
    },
}

/// What the rewrite of one release looks at.
pub struct Scene<'a> {
    /// The stream as it came in.
    pub stream: &'a Stream,
    /// The release in it.
    pub release: &'a Release,
    /// The roles its version runs.
    pub topology: Topology,
    /// The chart's values, where given.
    pub values: Option<&'a Values>,
    /// The objects (indices) that leave with any release of the stream: a pod of a release beside this one that leaves
    /// too is nothing that stays.
    pub gone: &'a [usize],
    /// What was found out about the release, once for all that comes.
    pub shapes: Shapes,
    /// The configuration texts that were read.
    pub texts: Texts,
}

/// What the workloads and Services of a release look like without the marks of their roles.
#[derive(Default)]
pub struct Shapes {
    role_keys: OnceCell<Vec<String>>,
    siblings: OnceCell<Vec<chart::Sibling>>,
    skeleton: OnceCell<Option<Value>>,
    metrics: OnceCell<Vec<service::Metrics>>,
}

impl Scene<'_> {
    /// The object of a component.
    pub fn object(&self, component: &Component) -> &Object {
        &self.stream.objects[component.object]
    }

    /// The components that leave.
    pub fn leaving(&self) -> impl Iterator<Item = &Component> {
        self.release.components.iter().filter(|c| self.topology.drops(c.role))
    }

    /// The components that stay.
    pub fn staying(&self) -> impl Iterator<Item = &Component> {
        self.release.components.iter().filter(|c| !self.topology.drops(c.role))
    }

    /// The folder of the chart's templates, as a component's bookkeeping shows it.
    pub fn template_folder(&self) -> Option<String> {
        self.release.components.iter().find_map(|c| {
            let path = host::template_of(self.stream, self.object(c).document)?;
            host::template_folder(&path).map(str::to_owned)
        })
    }
}

/// Decides all changes for one release.
pub fn rewrite(scene: &Scene) -> Rewrite {
    let mut out = Rewrite::default();
    if scene.topology == Topology::AsRendered {
        return out;
    }
    let mixcoord = arrive::mixcoord(scene, &mut out);
    let streamingnodes = arrive::streamingnodes(scene, &mut out);
    let arriving: Vec<&arrive::Arrival> = mixcoord.iter().chain(&streamingnodes).collect();
    arrive::check_selectors(scene, &arriving, &mut out);
    leave::leave(scene, &arriving, &mut out);
    let workloads: Vec<&Value> = arriving.iter().map(|a| &a.workload).collect();
    config::enable_standby(scene, &workloads, &mut out);
    let renewed = config::renew_checksums(scene, &mut out);
    arrive::inject(scene, mixcoord.into_iter().collect(), renewed.as_deref(), &mut out);
    arrive::inject(scene, streamingnodes, renewed.as_deref(), &mut out);
    out
}

#[cfg(test)]
mod tests;
