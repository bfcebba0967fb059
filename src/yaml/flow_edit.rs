//! Edits of flow collections, JSON among them.

use super::Value;
use super::block_edit::{self, end_of};
use super::edit::{Context, Edit};
use super::emit::{double_quoted, flow_key, inline, json as json_text};
use super::shape::{Entry, Found, Kind, Shape, find};
use crate::value::json;

/// The collection an edit adds to or removes from, and the key or position.
pub(super) struct Target<'a> {
    pub root: &'a Shape,
    pub parent: &'a Shape,
    /// The path of the collection.
    pub parents: &'a [String],
    pub token: &'a str,
}

type Edits = Option<Vec<Edit>>;

/// Finds the collection above a path and hands it to the editor of its style.
pub(super) fn or_block(
    context: &Context<'_>,
    root: &Shape,
    tokens: &[String],
    flow: impl Fn(&Context<'_>, &Target<'_>) -> Edits,
    block: impl Fn(&Context<'_>, &Target<'_>) -> Edits,
) -> Edits {
    let (token, parents) = tokens.split_last()?;
    let Found::Node { shape: parent, .. } = find(root, parents)? else {
        return None;
    };
    let target = Target {
        root,
        parent,
        parents,
        token,
    };
    if parent.is_flow() {
        flow(context, &target)
    } else {
        block(context, &target)
    }
}

fn write(context: &Context<'_>, value: &Value) -> String {
    if context.json { json_text(value) } else { inline(value) }
}

/// Adds an entry or an item to a flow collection. `None` for an empty one, which is written anew.
pub(super) fn add(context: &Context<'_>, target: &Target<'_>, value: &Value) -> Edits {
    match &target.parent.kind {
        Kind::Map { entries, .. } => {
            let key = if context.json {
                double_quoted(target.token)
            } else {
                flow_key(target.token)
            };
            let starts: Vec<usize> = entries.iter().map(|entry| entry.key_span.start).collect();
            let lead = lead(context, target.parent, &starts);
            let at = end_of(entries.last()?);
            Some(vec![Edit::new(
                at..at,
                format!(",{lead}{key}: {}", write(context, value)),
            )])
        }
        Kind::Seq { items, .. } => {
            let starts: Vec<usize> = items.iter().map(|item| item.span.start).collect();
            let lead = lead(context, target.parent, &starts);
            let index = if target.token == "-" {
                items.len()
            } else {
                super::pointer::index(target.token)?
            };
            let text = write(context, value);
            match items.get(index) {
                Some(item) => Some(vec![Edit::new(
                    item.span.start..item.span.start,
                    format!("{text},{lead}"),
                )]),
                None => {
                    let at = items.last()?.span.end;
                    Some(vec![Edit::new(at..at, format!(",{lead}{text}"))])
                }
            }
        }
        _ => None,
    }
}

/// The white space this collection puts before a child.
fn lead<'t>(context: &Context<'t>, parent: &Shape, starts: &[usize]) -> &'t str {
    let blank_before = |at: usize| {
        let before = &context.text[..at];
        &before[before.trim_end().len()..]
    };
    match starts {
        [.., _, last] => blank_before(*last),
        [only] if *only > parent.content + 1 => blank_before(*only),
        _ => " ",
    }
}

/// Removes an entry or an item from a flow collection.
pub(super) fn remove(context: &Context<'_>, target: &Target<'_>) -> Edits {
    let (spans, gone, empty) = match &target.parent.kind {
        Kind::Map { entries, .. } => {
            if entries
                .iter()
                .any(|entry| entry.merged.is_some() && entry.holds(target.token))
            {
                return None;
            }
            let span = |entry: &Entry| (entry.key_span.start, end_of(entry));
            let gone: Vec<usize> = (0..entries.len())
                .filter(|index| entries[*index].key == target.token)
                .collect();
            (entries.iter().map(span).collect::<Vec<_>>(), gone, json!({}))
        }
        Kind::Seq { items, .. } => {
            let spans = items.iter().map(|item| (item.span.start, item.span.end)).collect();
            (spans, vec![super::pointer::index(target.token)?], json!([]))
        }
        _ => return None,
    };
    if gone.len() == spans.len() {
        return block_edit::replace(context, target.root, target.parents, &empty);
    }
    let cut = |index: usize| {
        let (start, end) = *spans.get(index)?;
        match (
            spans.get(index + 1),
            index.checked_sub(1).and_then(|before| spans.get(before)),
        ) {
            (Some((next, _)), _) => Some(Edit::new(start..*next, "")),
            (None, Some((_, before))) => Some(Edit::new(*before..end, "")),
            (None, None) => None,
        }
    };
    gone.into_iter().map(cut).collect()
}
