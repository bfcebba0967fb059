//! The report: the judgement as data, and its views.

pub mod columns;
pub mod github;
pub mod junit;
pub mod krm;
pub mod markdown;
pub mod mask;
pub mod sarif;
pub mod text;
pub mod view;

use serde::Serialize;

use crate::judge::Judgement;
use crate::milvus::release::Mode;
use crate::rewrite::{Change, ChangeOp};
use crate::transition::Kind;
use crate::value::{Value, json};
use crate::yaml::PatchOp;

/// The schema's name, written into every report.
pub const SCHEMA: &str = "milvus-uplift/report/v1";

/// One release on its way.
#[derive(Clone, Debug, Serialize)]
pub struct ReleaseReport {
    /// The namespace; empty where the manifests leave it to the client.
    pub namespace: String,
    /// The instance.
    pub name: String,
    /// Cluster or standalone.
    pub mode: Mode,
    /// The kind of the transition; null where the versions do not tell.
    pub kind: Option<Kind>,
    /// What is deployed; null where nothing is, or nobody said.
    pub current: Option<CurrentReport>,
    /// What would be applied.
    pub target: TargetReport,
    /// How far the stages go; null where the kind has none.
    pub stage: Option<StageReport>,
}

/// What is deployed.
#[derive(Clone, Debug, Serialize)]
pub struct CurrentReport {
    /// The lowest version that runs; null where no image says one.
    pub version: Option<String>,
    /// The highest version seen, failed revisions included.
    pub highest: Option<String>,
    /// The effective message queue; null where it cannot be read.
    pub mq: Option<String>,
}

/// What would be applied.
#[derive(Clone, Debug, Serialize)]
pub struct TargetReport {
    /// The version; null where no image says one.
    pub version: Option<String>,
    /// The effective message queue; null where it cannot be read.
    pub mq: Option<String>,
}

/// How far the stages go.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct StageReport {
    /// The stage up to which the output applies.
    pub applied: u8,
    /// The last one.
    pub last: u8,
}

/// The report as JSON, secrets masked.
pub fn json(judgement: &Judgement) -> Value {
    with_verdict(judgement, judgement.refused())
}

/// The report where more counts than what the rules refuse (`--strict`): its verdict is that of the exit code.
pub fn with_verdict(judgement: &Judgement, refused: bool) -> Value {
    json!({
        "schema": SCHEMA,
        "verdict": if refused { "refuse" } else { "pass" },
        "releases": judgement.releases,
        "findings": judgement.findings,
        "changes": judgement.changes.iter().map(change).collect::<Vec<_>>(),
    })
}

fn change(change: &Change) -> Value {
    let object = &change.object;
    let mut masked = false;
    let patch: Vec<Value> = change
        .patch
        .iter()
        .map(|op| masked_op(op, &object.kind, &mut masked))
        .collect();
    let mut out = json!({"op": change.op, "object": object, "patch": patch, "why": change.why});
    if change.op == ChangeOp::Drop {
        out["patch"] = json!([]);
    }
    if masked {
        out["masked"] = json!(true);
    }
    out
}

fn masked_op(op: &PatchOp, kind: &str, masked: &mut bool) -> Value {
    let mut out = json!({"op": op.op, "path": op.path});
    if let Some(value) = &op.value {
        let shown = mask::value(kind, &op.path, value);
        *masked |= shown != *value;
        out["value"] = shown;
    }
    out
}
