//! What the user adds to the rewrite: patches of a `--patch FILE`, made after it and judged like everything else.
//!
//! A file is a list of patches, or a mapping with `patches:`, as Kustomize writes them. Each has a `target` and a `patch`: a
//! list is RFC 6902, a mapping a strategic merge ([`strategic`]). A mapping that is an object itself (`kind`,
//! `metadata.name`) is a strategic merge into that object.

mod effort;
mod lay;
mod strategic;
mod target;

use crate::kube::object::{group, text_at};
use crate::value::Value;
use crate::yaml::{self, Op, PatchOp};

pub use lay::add_to;
use target::Target;

/// One patch of the user's.
#[derive(Debug)]
pub struct Overlay {
    /// Where it stands, for messages: `uplift.yaml, patch 2`.
    pub place: String,
    target: Target,
    how: How,
}

#[derive(Debug)]
enum How {
    Json(Vec<PatchOp>),
    Strategic(Value),
}

/// Reads the patches of one file.
///
/// # Errors
/// What is wrong, with the place in it, for a person.
pub fn read(name: &str, bytes: &[u8]) -> Result<Vec<Overlay>, String> {
    let text = std::str::from_utf8(bytes).map_err(|e| format!("{name} is no UTF-8: {e}"))?;
    let value = yaml::read(text)
        .map_err(|e| format!("{name}, line {}: {}", yaml::position(text, e.offset).line, e.message))?
        .unwrap_or(Value::Null);
    let items = match &value {
        Value::Array(items) => items.clone(),
        Value::Object(map) if map.contains_key("patches") => match (map.len(), &map["patches"]) {
            (1, Value::Array(items)) => items.clone(),
            (1, _) => return Err(format!("{name}: `patches` is a list")),
            _ => return Err(format!("{name}: beside `patches` nothing is known")),
        },
        Value::Object(_) => vec![value],
        _ => {
            return Err(format!(
                "{name} holds no patch: a list of `target` and `patch` is wanted"
            ));
        }
    };
    if items.is_empty() {
        return Err(format!("{name} holds no patch"));
    }
    let each = items.into_iter().enumerate();
    each.map(|(i, item)| one(format!("{name}, patch {}", i + 1), item))
        .collect()
}

fn one(place: String, item: Value) -> Result<Overlay, String> {
    let Value::Object(map) = item else {
        return Err(format!("{place} is no mapping of `target` and `patch`"));
    };
    if let Some(unknown) = map.keys().find(|k| !["target", "patch"].contains(&k.as_str()))
        && (map.contains_key("target") || map.contains_key("patch"))
    {
        return Err(format!(
            "{place}: `{unknown}` is not known; a patch has `target` and `patch`"
        ));
    }
    let Some(patch) = map.get("patch").cloned() else {
        return whole(place, Value::Object(map));
    };
    let patch = match patch {
        Value::String(text) => yaml::read(&text)
            .map_err(|e| format!("{place}: the text of `patch` is no YAML: {}", e.message))?
            .unwrap_or(Value::Null),
        other => other,
    };
    let target = match map.get("target") {
        Some(target) => serde_json::from_value(target.clone().into()).map_err(|e| format!("{place}: target: {e}"))?,
        None => return whole(place, patch),
    };
    let how = match patch {
        Value::Array(ops) => How::Json(
            ops.iter()
                .map(operation)
                .collect::<Result<_, _>>()
                .map_err(|e| format!("{place}: {e}"))?,
        ),
        Value::Object(_) => How::Strategic(patch),
        _ => {
            return Err(format!(
                "{place}: `patch` is a list (RFC 6902) or a mapping (strategic merge)"
            ));
        }
    };
    let overlay = Overlay { place, target, how };
    if overlay.target.given().next().is_none() {
        return Err(format!(
            "{}: `target` names nothing: give kind, name, role, group or namespace",
            overlay.place
        ));
    }
    Ok(overlay)
}

/// A patch that is an object: its own identity is the target.
fn whole(place: String, patch: Value) -> Result<Overlay, String> {
    let (kind, name) = (text_at(&patch, &["kind"]), text_at(&patch, &["metadata", "name"]));
    let (Some(kind), Some(name)) = (kind, name) else {
        return Err(format!(
            "{place} has no `target`, and names no object by `kind` and `metadata.name`"
        ));
    };
    let target = Target {
        group: text_at(&patch, &["apiVersion"]).map(|v| group(v).to_owned()),
        kind: Some(kind.to_owned()),
        name: Some(name.to_owned().into()),
        namespace: text_at(&patch, &["metadata", "namespace"]).map(str::to_owned),
        role: None,
    };
    let how = How::Strategic(patch);
    Ok(Overlay { place, target, how })
}

fn operation(op: &Value) -> Result<PatchOp, String> {
    let text = |key: &str| op.get(key).and_then(Value::as_str);
    let path = text("path").ok_or_else(|| format!("{op} has no `path`"))?;
    if !path.is_empty() && !path.starts_with('/') {
        return Err(format!("the path {path} does not begin with a slash"));
    }
    let value = || op.get("value").cloned().ok_or_else(|| format!("{path} has no `value`"));
    let (op, value) = match text("op") {
        Some("add") => (Op::Add, Some(value()?)),
        Some("replace") => (Op::Replace, Some(value()?)),
        Some("remove") => (Op::Remove, None),
        other => {
            return Err(format!(
                "the operation {} at {path} is not known: add, replace and remove are",
                other.unwrap_or("(none)")
            ));
        }
    };
    Ok(PatchOp {
        op,
        path: path.to_owned(),
        value,
    })
}

#[cfg(test)]
mod tests;
