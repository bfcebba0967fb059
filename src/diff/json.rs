//! The diff as data, described by `docs/diff.schema.json`.

use super::tree::Change;
use super::{Diff, ObjectDiff, Op, text};
use crate::value::{Value, json};

/// The schema's name, written into every diff.
pub const SCHEMA: &str = "milvus-uplift/diff/v1";

/// The whole document. `verdict` and `findings` are those of the judgement, null and none where nothing was judged; without
/// a diff, because an input could not be read, `objects` and `summary` are null.
pub fn render(diff: Option<&Diff>, verdict: Option<&str>, findings: &Value) -> Value {
    json!({
        "schema": SCHEMA,
        "verdict": verdict,
        "summary": diff.map(summary),
        "objects": diff.map(|d| d.objects.iter().map(object).collect::<Vec<_>>()),
        "notes": diff.map(text::notes).unwrap_or_default(),
        "findings": findings,
    })
}

fn summary(diff: &Diff) -> Value {
    let (added, removed, changed) = diff.counts();
    json!({"added": added, "removed": removed, "changed": changed, "same": diff.same})
}

fn object(one: &ObjectDiff) -> Value {
    let mut out = json!({"op": word(one.op), "object": one.object, "changes": one.changes.iter().map(change).collect::<Vec<_>>()});
    match &one.tree {
        super::Node::Changed {
            before: Some(value), ..
        }
        | super::Node::Changed { after: Some(value), .. } => {
            out["value"] = value.clone();
        }
        _ => {}
    }
    if one.hides {
        out["masked"] = json!(true);
    }
    out
}

/// `add`, `remove`, `change`.
pub fn word(op: Op) -> &'static str {
    match op {
        Op::Add => "add",
        Op::Remove => "remove",
        Op::Change => "change",
    }
}

fn change(change: &Change) -> Value {
    let op = match (change.moved, &change.before, &change.after) {
        (true, ..) => "move",
        (_, None, _) => "add",
        (_, _, None) => "remove",
        _ => "replace",
    };
    let mut out = json!({"op": op, "path": change.path, "at": change.at});
    if let Some(before) = &change.before {
        out["before"] = before.clone();
    }
    if let Some(after) = &change.after {
        out["after"] = after.clone();
    }
    out
}
