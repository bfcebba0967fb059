//! From changes to bytes, and the proof that the bytes say what the changes say.

pub mod items;
mod output;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use crate::host::Host;
use crate::kube::Object;
use crate::rewrite::{Change, ChangeOp};
use crate::stream::Stream;
use crate::value::Value;
use crate::yaml::{self, Document, Op, PatchOp};

pub use output::Output;
use output::{Expected, Written};

/// Why an output cannot be vouched for (MU901).
#[derive(Debug, PartialEq, Eq)]
pub struct NotVouched(pub String);

impl std::fmt::Display for NotVouched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotVouched {}

/// What is done to one document.
#[derive(Default)]
struct Plan<'a> {
    dropped: bool,
    patch: Vec<PatchOp>,
    inserted: Vec<&'a Change>,
}

/// The output: every document that no change names is there byte for byte.
///
/// # Errors
/// When an edit cannot be made, or the text reads back as anything but the input plus the changes.
pub fn render(stream: &Stream, changes: &[Change]) -> Result<Output, NotVouched> {
    if changes.is_empty() {
        return Ok(Output::all_of(&stream.text));
    }
    if stream.host == Host::Krm {
        return items::render(stream, changes);
    }
    let plans = plan(stream, changes);
    let mut documents: Vec<Written> = Vec::with_capacity(stream.documents.len() + 4);
    for index in 0..=stream.documents.len() {
        let plan = plans.get(&index);
        documents.extend(
            plan.into_iter()
                .flat_map(|p| &p.inserted)
                .map(|change| injected(change)),
        );
        let Some(document) = stream.documents.get(index) else {
            break;
        };
        let patch = match plan {
            Some(plan) if plan.dropped => continue,
            Some(plan) => &plan.patch[..],
            None => &[],
        };
        documents.push(match patch {
            [] => Written {
                text: stream.text[document.whole.clone()].into(),
                came: Some(document.whole.clone()),
                injected: false,
                expected: Expected::Text(stream.body(index)),
            },
            patch => patched(stream, document, patch)?,
        });
    }
    let restyle = changes.iter().any(|c| c.op == ChangeOp::Restyle);
    output::join(&stream.text, documents, restyle)
}

fn injected(change: &Change) -> Written<'_> {
    let value = change.patch.first().and_then(|op| op.value.as_ref());
    Written {
        text: Cow::Borrowed(&change.text),
        came: None,
        injected: true,
        expected: Expected::Value(Cow::Borrowed(value.unwrap_or(&Value::Null))),
    }
}

fn patched<'a>(stream: &Stream, document: &Document, patch: &[PatchOp]) -> Result<Written<'a>, NotVouched> {
    let fail = |why: &dyn std::fmt::Display| NotVouched(format!("document {}: {why}", document.index));
    let body = stream.body(document.index);
    let text = yaml::patch(body, patch).map_err(|e| fail(&e))?;
    let before = yaml::read(body).ok().flatten().unwrap_or(Value::Null);
    let value = yaml::patch_value(&before, patch).map_err(|e| fail(&e))?;
    let separator = &stream.text[document.whole.start..document.body.start];
    Ok(Written {
        text: format!("{separator}{text}").into(),
        came: None,
        injected: false,
        expected: Expected::Value(Cow::Owned(value)),
    })
}

fn plan<'a>(stream: &Stream, changes: &'a [Change]) -> BTreeMap<usize, Plan<'a>> {
    let mut plans: BTreeMap<usize, Plan> = BTreeMap::new();
    for change in changes {
        let plan = plans.entry(change.document).or_default();
        match change.op {
            ChangeOp::Inject => plan.inserted.push(change),
            ChangeOp::Restyle => {}
            ChangeOp::Patch => plan
                .patch
                .extend(change.patch.iter().map(|op| prefixed(op, &change.pointer))),
            ChangeOp::Drop if change.pointer.is_empty() => plan.dropped = true,
            ChangeOp::Drop => {}
        }
    }
    for plan in plans.values_mut() {
        plan.inserted.sort_by_key(|c| !c.behind);
    }
    // Items of a List leave from its end, so that the indices of the others stay true; an emptied List leaves whole.
    let mut leaving: BTreeMap<usize, Vec<&Change>> = BTreeMap::new();
    for change in changes
        .iter()
        .filter(|c| c.op == ChangeOp::Drop && !c.pointer.is_empty())
    {
        leaving.entry(change.document).or_default().push(change);
    }
    for (index, mut items) in leaving {
        let Some(plan) = plans.get_mut(&index) else { continue };
        // Found, not looked for: there may be many Lists.
        let from = stream.objects.partition_point(|o| o.document < index);
        let standing = stream.objects[from..].iter().take_while(|o| o.document == index);
        let order: HashMap<&str, usize> = standing.enumerate().map(|(i, o)| (&o.pointer[..], i)).collect();
        if items.len() == order.len() {
            plan.dropped = true;
            continue;
        }
        items.sort_by_key(|c| std::cmp::Reverse(order.get(&c.pointer[..])));
        let gone: HashSet<&str> = items.iter().map(|item| &item.pointer[..]).collect();
        plan.patch.retain(|op| !is_inside(&op.path, &gone));
        plan.patch.extend(items.iter().map(|item| PatchOp {
            op: Op::Remove,
            path: item.pointer.clone(),
            value: None,
        }));
    }
    plans
}

/// Whether a path leads into what stands at one of some pointers.
fn is_inside(path: &str, pointers: &HashSet<&str>) -> bool {
    path.match_indices('/').any(|(end, _)| pointers.contains(&path[..end]))
}

fn prefixed(op: &PatchOp, pointer: &str) -> PatchOp {
    PatchOp {
        op: op.op,
        path: format!("{pointer}{}", op.path),
        value: op.value.clone(),
    }
}

/// The objects as they would be applied: the input's with the changes made, what comes at its place.
///
/// # Errors
/// When a patch does not fit its object.
pub fn proposed(stream: &Stream, changes: &[Change]) -> Result<Vec<Object>, NotVouched> {
    let mut out = Vec::with_capacity(stream.objects.len() + 4);
    let mut coming: BTreeMap<usize, Vec<&Change>> = BTreeMap::new();
    let mut of_object: HashMap<(usize, &str), Vec<&Change>> = HashMap::new();
    for change in changes {
        match change.op {
            ChangeOp::Inject => coming.entry(change.document).or_default().push(change),
            _ => of_object
                .entry((change.document, &change.pointer))
                .or_default()
                .push(change),
        }
    }
    let injected = |all: &Vec<&Change>| {
        let here = |behind: bool| all.iter().filter(move |c| c.behind == behind);
        let both = here(true).chain(here(false)).map(|c| Object {
            document: c.document,
            pointer: String::new(),
            reference: c.object.clone(),
            value: c
                .patch
                .first()
                .and_then(|op| op.value.clone())
                .unwrap_or(Value::Null)
                .into(),
        });
        both.collect::<Vec<_>>()
    };
    let mut coming = coming.iter().peekable();
    for object in &stream.objects {
        while let Some((_, all)) = coming.next_if(|(before, _)| **before <= object.document) {
            out.extend(injected(all));
        }
        let place = (object.document, &object.pointer[..]);
        let mine = || of_object.get(&place).into_iter().flatten();
        if mine().any(|c| c.op == ChangeOp::Drop) {
            continue;
        }
        let mut object = object.clone();
        // All at once, as they are rendered: each copies the object, and one inside a text reads all of it.
        let patches = mine().filter(|c| c.op == ChangeOp::Patch);
        let ops = patches.flat_map(|c| &c.patch);
        if ops.clone().next().is_some() {
            object.value = yaml::patch_value_within(&object.value, ops, &mut { usize::MAX })
                .map_err(|e| NotVouched(format!("{}: {e}", object.reference)))?
                .into();
        }
        out.push(object);
    }
    out.extend(coming.flat_map(|(_, all)| injected(all)));
    Ok(out)
}
