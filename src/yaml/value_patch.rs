//! RFC 6902 on parsed values. Unlike a plain JSON patch, removal keeps the order of the keys that stay.
use super::edit::{EditError, Op, PatchOp, patch};
use super::resolve::Scalar;
use super::{Value, pointer};

/// Applies operations to a value, in order. Paths with `#` edit the text inside a string, byte for byte as
/// [`patch`] does.
pub fn patch_value(value: &Value, ops: &[PatchOp]) -> Result<Value, EditError> {
    let mut value = value.clone();
    for (index, op) in ops.iter().enumerate() {
        let op = plain(&value, op).map_err(|error| error.at(index))?;
        apply(&mut value, &op).map_err(|message| EditError::new(index, &op.path, message))?;
    }
    Ok(value)
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
