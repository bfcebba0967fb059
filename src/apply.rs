//! From changes to bytes, and the proof that the bytes say what the changes say.

pub mod items;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use crate::host::Host;
use crate::kube::Object;
use crate::rewrite::{Change, ChangeOp};
use crate::stream::Stream;
use crate::value::Value;
use crate::yaml::{self, Op, PatchOp};

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
pub fn render(stream: &Stream, changes: &[Change]) -> Result<String, NotVouched> {
    if changes.is_empty() {
        return Ok(stream.text.to_string());
    }
    if stream.host == Host::Krm {
        return items::render(stream, changes);
    }
    let plans = plan(stream, changes);
    let mut out = String::with_capacity(stream.text.len() + changes.iter().map(|c| c.text.len()).sum::<usize>());
    let mut expected: Vec<Expected> = Vec::new();
    for index in 0..=stream.documents.len() {
        let plan = plans.get(&index);
        for change in plan.into_iter().flat_map(|p| &p.inserted) {
            end_line(&mut out);
            out.push_str(&change.text);
            let value = change.patch.first().and_then(|op| op.value.as_ref());
            expected.push(Expected::Value(Cow::Borrowed(value.unwrap_or(&Value::Null))));
        }
        let Some(document) = stream.documents.get(index) else {
            break;
        };
        if plan.is_some_and(|p| p.dropped) {
            continue;
        }
        let body = stream.body(index);
        let separator = &stream.text[document.whole.start..document.body.start];
        if separator.is_empty() && !out.is_empty() {
            end_line(&mut out);
            out.push_str("---\n");
        }
        out.push_str(separator);
        match plan.filter(|p| !p.patch.is_empty()) {
            Some(plan) => {
                let text = yaml::patch(body, &plan.patch).map_err(|e| NotVouched(format!("document {index}: {e}")))?;
                let before = yaml::read(body).ok().flatten().unwrap_or(Value::Null);
                let value = yaml::patch_value(&before, &plan.patch)
                    .map_err(|e| NotVouched(format!("document {index}: {e}")))?;
                out.push_str(&text);
                expected.push(Expected::Value(Cow::Owned(value)));
            }
            None => {
                out.push_str(body);
                expected.push(Expected::Text(body));
            }
        }
        out.push_str(&stream.text[document.body.end..document.whole.end]);
    }
    let restyled: Vec<usize> = changes
        .iter()
        .filter(|c| c.op == ChangeOp::Restyle)
        .map(|c| c.document)
        .collect();
    let out = if restyled.is_empty() {
        out
    } else {
        restyle(&out, &mut expected)?
    };
    vouch(&out, &expected)?;
    Ok(out)
}

/// What a document of the output must be.
enum Expected<'a> {
    /// The same text as in the input.
    Text(&'a str),
    /// This value.
    Value(Cow<'a, Value>),
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
        let standing = stream.objects.iter().filter(|o| o.document == index);
        let order: HashMap<&str, usize> = standing.enumerate().map(|(i, o)| (&o.pointer[..], i)).collect();
        if items.len() == order.len() {
            plan.dropped = true;
            continue;
        }
        items.sort_by_key(|c| std::cmp::Reverse(order.get(&c.pointer[..])));
        for item in items {
            let inside = format!("{}/", item.pointer);
            plan.patch.retain(|op| !op.path.starts_with(&inside));
            plan.patch.push(PatchOp {
                op: Op::Remove,
                path: item.pointer.clone(),
                value: None,
            });
        }
    }
    plans
}

fn prefixed(op: &PatchOp, pointer: &str) -> PatchOp {
    PatchOp {
        op: op.op,
        path: format!("{pointer}{}", op.path),
        value: op.value.clone(),
    }
}

fn end_line(out: &mut String) {
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
}

/// Restyles the folded scalars that Helm 4 would alter on its way back (hosts.md 2.9), document by document.
fn restyle(text: &str, expected: &mut [Expected]) -> Result<String, NotVouched> {
    let documents = yaml::split(text).map_err(|e| NotVouched(e.to_string()))?;
    let mut out = String::with_capacity(text.len() + 256);
    for (document, expected) in documents.iter().zip(expected.iter_mut()) {
        let body = &text[document.body.clone()];
        let (body, changed) = match yaml::folds_unstably(body) {
            true => {
                let (new, pointers) =
                    yaml::restyle_folded(body).map_err(|e| NotVouched(format!("document {}: {e}", document.index)))?;
                (new, !pointers.is_empty())
            }
            false => (body.to_owned(), false),
        };
        if changed && let Expected::Text(before) = expected {
            let before = yaml::read(before).ok().flatten().unwrap_or(Value::Null);
            *expected = Expected::Value(Cow::Owned(before));
        }
        out.push_str(&text[document.whole.start..document.body.start]);
        out.push_str(&body);
        out.push_str(&text[document.body.end..document.whole.end]);
    }
    Ok(out)
}

/// Reads the output back and compares it with what it must be.
fn vouch(out: &str, expected: &[Expected]) -> Result<(), NotVouched> {
    let documents = yaml::split(out).map_err(|e| NotVouched(format!("the output does not split: {e}")))?;
    if documents.len() != expected.len() {
        return Err(NotVouched(format!(
            "the output has {} documents, {} were written",
            documents.len(),
            expected.len()
        )));
    }
    for (document, expected) in documents.iter().zip(expected) {
        let body = &out[document.body.clone()];
        match expected {
            Expected::Text(text)
                if *text == body
                    || (text.strip_suffix('\n').unwrap_or(text)) == body.strip_suffix('\n').unwrap_or(body) => {}
            Expected::Text(_) => {
                return Err(NotVouched(format!(
                    "document {} changed and should not have",
                    document.index
                )));
            }
            Expected::Value(value) => {
                let read = yaml::read(body)
                    .map_err(|e| NotVouched(format!("document {} does not read back: {e}", document.index)))?;
                if read.as_ref().unwrap_or(&Value::Null) != value.as_ref() {
                    return Err(NotVouched(format!(
                        "document {} reads back differently",
                        document.index
                    )));
                }
            }
        }
    }
    Ok(())
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
        for change in mine().filter(|c| c.op == ChangeOp::Patch) {
            object.value = yaml::patch_value(&object.value, &change.patch)
                .map_err(|e| NotVouched(format!("{}: {e}", object.reference)))?
                .into();
        }
        out.push(object);
    }
    out.extend(coming.flat_map(|(_, all)| injected(all)));
    Ok(out)
}
