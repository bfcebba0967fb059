//! The same for a ResourceList: its items come, go and change where they stand, the rest of it stays.

use super::{NotVouched, Output, prefixed};
use crate::host::krm;
use crate::rewrite::{Change, ChangeOp};
use crate::stream::Stream;
use crate::value::Value;
use crate::yaml::{self, Op, PatchOp};

/// The ResourceList with the changes made.
///
/// # Errors
/// When an edit cannot be made, or the text reads back as anything but the input plus the changes.
pub fn render(stream: &Stream, changes: &[Change]) -> Result<Output, NotVouched> {
    let Some(document) = stream.objects.first().map(|o| o.document) else {
        return Err(NotVouched("changes to a ResourceList without items".into()));
    };
    let body = stream.body(document);
    let root = yaml::read(body).ok().flatten().unwrap_or(Value::Null);
    let items = root["items"].as_array().cloned().unwrap_or_default();
    let ops = operations(stream, changes, items.len());
    let text = yaml::patch(body, &ops).map_err(|e| NotVouched(e.to_string()))?;
    let mut expected = root;
    expected["items"] = Value::Array(result(stream, changes, items)?);
    let read = yaml::read(&text).map_err(|e| NotVouched(format!("the ResourceList does not read back: {e}")))?;
    if read != Some(expected) {
        return Err(NotVouched("the ResourceList reads back differently".into()));
    }
    let range = &stream.documents[document].body;
    let mut out = Output::beside(&stream.text);
    out.keep(0..range.start);
    out.add(&text);
    out.keep(range.end..stream.text.len());
    Ok(out)
}

fn is_dropped(changes: &[Change], pointer: &str) -> bool {
    changes.iter().any(|c| c.op == ChangeOp::Drop && c.pointer == pointer)
}

/// What comes before an item, in order.
fn injected(changes: &[Change], slot: usize) -> impl DoubleEndedIterator<Item = Value> {
    let here = |behind: bool| {
        changes.iter().filter(move |c| {
            c.op == ChangeOp::Inject && c.behind == behind && krm::slot(&c.pointer).unwrap_or(0) == slot
        })
    };
    let values = here(true)
        .chain(here(false))
        .filter_map(|c| c.patch.first()?.value.clone());
    values.collect::<Vec<_>>().into_iter()
}

/// Edits of the text: fields first, then items from the end, so that the places of the others stay true.
fn operations(stream: &Stream, changes: &[Change], count: usize) -> Vec<PatchOp> {
    let patched = changes
        .iter()
        .filter(|c| c.op == ChangeOp::Patch && !is_dropped(changes, &c.pointer));
    let mut ops: Vec<PatchOp> = patched
        .flat_map(|c| c.patch.iter().map(|op| prefixed(op, &c.pointer)))
        .collect();
    let remove = |path: String| PatchOp {
        op: Op::Remove,
        path,
        value: None,
    };
    for slot in (0..=count).rev() {
        let item = format!("/items/{slot}");
        let inside = stream
            .objects
            .iter()
            .rev()
            .filter(|o| o.pointer != item && krm::slot(&o.pointer) == Some(slot));
        ops.extend(
            inside
                .filter(|o| is_dropped(changes, &o.pointer))
                .map(|o| remove(o.pointer.clone())),
        );
        if is_dropped(changes, &item) {
            ops.push(remove(item.clone()));
        }
        ops.extend(injected(changes, slot).rev().map(|value| PatchOp {
            op: Op::Add,
            path: item.clone(),
            value: Some(value),
        }));
    }
    ops
}

/// The items that must come out, built from values alone.
fn result(stream: &Stream, changes: &[Change], mut items: Vec<Value>) -> Result<Vec<Value>, NotVouched> {
    for object in stream.objects.iter().rev() {
        let mine = |c: &&Change| c.op == ChangeOp::Patch && c.pointer == object.pointer;
        let nested = krm::slot(&object.pointer).filter(|slot| object.pointer != format!("/items/{slot}"));
        let Some(slot) = krm::slot(&object.pointer) else {
            continue;
        };
        let prefix = format!("/items/{slot}").len();
        let mut ops: Vec<PatchOp> = Vec::new();
        match (is_dropped(changes, &object.pointer), nested) {
            (true, None) => {}
            (true, Some(_)) => ops.push(PatchOp {
                op: Op::Remove,
                path: object.pointer[prefix..].to_owned(),
                value: None,
            }),
            (false, _) => {
                let own = changes.iter().filter(mine).flat_map(|c| &c.patch);
                ops.extend(own.map(|op| prefixed(op, &object.pointer[prefix..])));
            }
        }
        items[slot] =
            yaml::patch_value(&items[slot], &ops).map_err(|e| NotVouched(format!("{}: {e}", object.reference)))?;
    }
    let mut out = Vec::with_capacity(items.len() + 4);
    let count = items.len();
    for (slot, item) in items.into_iter().enumerate() {
        out.extend(injected(changes, slot));
        if !is_dropped(changes, &format!("/items/{slot}")) {
            out.push(item);
        }
    }
    out.extend(injected(changes, count));
    Ok(out)
}
