//! RFC 6902 on parsed values. Unlike a plain JSON patch, removal keeps the order of the keys that stay.

use std::collections::{HashMap, HashSet};

use super::edit::{EditError, MANY, Op, PatchOp, patch};
use super::resolve::Scalar;
use super::{Value, pointer};

/// Applies operations to a value, in order. Paths with `#` edit the text inside a string, byte for byte as
/// [`patch`] does.
pub fn patch_value(value: &Value, ops: &[PatchOp]) -> Result<Value, EditError> {
    let mut value = value.clone();
    let mut texts = Texts::of(ops);
    for (index, op) in ops.iter().enumerate() {
        if texts.wait(&value, index, op) {
            continue;
        }
        texts.before(&mut value, &op.path)?;
        let op = plain(&value, op).map_err(|error| error.at(index))?;
        apply(&mut value, &op).map_err(|message| EditError::new(index, &op.path, message))?;
    }
    texts.all(&mut value)?;
    Ok(value)
}

/// Operations inside texts that wait for each other: a text that has many is read once for all of them.
struct Texts<'o> {
    /// The paths of texts, as they are written, that have more than [`MANY`].
    many: HashSet<&'o str>,
    waiting: HashMap<&'o str, Vec<(usize, PatchOp)>>,
}

impl<'o> Texts<'o> {
    fn of(ops: &'o [PatchOp]) -> Texts<'o> {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        let inside = ops.iter().filter_map(|op| op.path.split_once('#'));
        inside.for_each(|(outer, _)| *counts.entry(outer).or_default() += 1);
        counts.retain(|_, count| *count > MANY);
        Texts {
            many: counts.into_keys().collect(),
            waiting: HashMap::new(),
        }
    }

    /// Whether an operation is one inside such a text, which waits now.
    fn wait(&mut self, value: &Value, index: usize, op: &'o PatchOp) -> bool {
        let known = op.path.split_once('#').filter(|(outer, _)| self.many.contains(outer));
        let split = known.and_then(|(written, _)| Some((written, pointer::split_embedded(value, &op.path)?)));
        let Some((_, (outer, inner))) = split.filter(|(written, (outer, _))| written == outer) else {
            return false;
        };
        let inner = PatchOp {
            op: op.op,
            path: inner.to_owned(),
            value: op.value.clone(),
        };
        self.waiting.entry(outer).or_default().push((index, inner));
        true
    }

    /// Makes those that an operation at a path may concern.
    fn before(&mut self, value: &mut Value, path: &str) -> Result<(), EditError> {
        let list = path.rsplit_once('/').map(|(parent, _)| parent);
        let list = list.filter(|parent| value.pointer(parent).is_some_and(Value::is_array));
        let below = |outer: &str, path: &str| {
            outer
                .strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let concerns = |outer: &str| {
            below(outer, path)
                || below(path.split('#').next().unwrap_or(path), outer)
                || list.is_some_and(|list| below(outer, list))
        };
        let due: Vec<&str> = self.waiting.keys().copied().filter(|outer| concerns(outer)).collect();
        due.into_iter().try_for_each(|outer| self.make(value, outer))
    }

    fn all(&mut self, value: &mut Value) -> Result<(), EditError> {
        let mut due: Vec<(usize, &str)> = self.waiting.iter().map(|(outer, ops)| (ops[0].0, *outer)).collect();
        due.sort_unstable();
        due.into_iter().try_for_each(|(_, outer)| self.make(value, outer))
    }

    fn make(&mut self, value: &mut Value, outer: &str) -> Result<(), EditError> {
        let (places, ops): (Vec<usize>, Vec<PatchOp>) =
            self.waiting.remove(outer).unwrap_or_default().into_iter().unzip();
        let Some(Value::String(text)) = value.pointer_mut(outer) else {
            return Err(EditError::new(places[0], outer, "there is no text"));
        };
        let of = |error: EditError| EditError {
            path: format!("{outer}#{}", error.path),
            index: places[error.index],
            ..error
        };
        *text = patch(text, &ops).map_err(of)?.into();
        Ok(())
    }
}

/// Turns an operation inside a string into the replacement of that string; leaves others alone.
pub(super) fn plain(value: &Value, op: &PatchOp) -> Result<PatchOp, EditError> {
    let Some((outer, inner)) = pointer::split_embedded(value, &op.path) else {
        return Ok(op.clone());
    };
    let Some(text) = value.pointer(outer).and_then(Value::as_str) else {
        return Ok(op.clone());
    };
    let inner_op = PatchOp {
        op: op.op,
        path: inner.to_owned(),
        value: op.value.clone(),
    };
    let text = patch(text, &[inner_op]).map_err(|error| EditError {
        path: op.path.clone(),
        ..error
    })?;
    Ok(PatchOp {
        op: Op::Replace,
        path: outer.to_owned(),
        value: Some(Value::from(text)),
    })
}

/// Applies one operation without `#`.
pub(super) fn apply(value: &mut Value, op: &PatchOp) -> Result<(), String> {
    let tokens = pointer::tokens(&op.path).ok_or("not an RFC 6901 pointer")?;
    let new = match op.op {
        Op::Remove => None,
        _ => Some(op.value.clone().map(normal).ok_or("the operation needs a value")?),
    };
    let Some((last, parents)) = tokens.split_last() else {
        *value = new.ok_or("the root cannot be removed")?;
        return Ok(());
    };
    let parent_path = pointer::join(parents);
    let parent = value
        .pointer_mut(&parent_path)
        .ok_or_else(|| format!("there is no `{parent_path}`"))?;
    match (parent, op.op, new) {
        (Value::Object(map), Op::Remove, _) => map
            .remove(last)
            .map(drop)
            .ok_or_else(|| format!("there is no key `{last}`")),
        (Value::Object(map), Op::Replace, Some(new)) => match map.get_mut(last) {
            Some(slot) => {
                *slot = new;
                Ok(())
            }
            None => Err(format!("there is no key `{last}`")),
        },
        (Value::Object(map), _, Some(new)) => {
            map.insert(last.as_str().into(), new);
            Ok(())
        }
        (Value::Array(items), kind, new) => in_list(items, kind, last, new),
        (Value::Null, ..) => Err(format!("`{parent_path}` is null: set it to a map or a list first")),
        _ => Err(format!("`{parent_path}` is neither a map nor a list")),
    }
}

/// Numbers as the reader gives them: a float without a fraction is an integer.
fn normal(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().and_then(|float| Scalar::Float(float).into_value().ok());
            float.unwrap_or(Value::Number(number))
        }
        Value::Array(items) => items.into_iter().map(normal).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, normal(value))).collect(),
        other => other,
    }
}

fn in_list(items: &mut Vec<Value>, op: Op, token: &str, new: Option<Value>) -> Result<(), String> {
    let index = match (op, token) {
        (Op::Add, "-") => items.len(),
        _ => pointer::index(token).ok_or_else(|| format!("`{token}` is no list index"))?,
    };
    let limit = if op == Op::Add { items.len() + 1 } else { items.len() };
    if index >= limit {
        return Err(format!("index {index} is past the end of the list"));
    }
    match (op, new) {
        (Op::Remove, _) => drop(items.remove(index)),
        (Op::Replace, Some(new)) => items[index] = new,
        (_, Some(new)) => items.insert(index, new),
        (_, None) => return Err("the operation needs a value".into()),
    }
    Ok(())
}
