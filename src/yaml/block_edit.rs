//! Edits of block collections, and the replacement of any node.

use super::Value;
use super::edit::{Context, Edit};
use super::emit::{entry_lines, inline, is_block, item_lines, json as json_text, lines};
use super::flow_edit::Target;
use super::shape::{Entry, Found, Kind, Shape, find};
use super::string_edit;
use crate::value::json;

/// Replaces the node at a path. `None`: not by a local edit.
pub(super) fn replace(context: &Context<'_>, root: &Shape, tokens: &[String], value: &Value) -> Option<Vec<Edit>> {
    let Found::Node { shape, entry, parents } = find(root, tokens)? else {
        return None;
    };
    let mut edits = replace_node(context, shape, entry, &parents, tokens, value)?;
    // `"a"#b` is a value and a comment, `a#b` is a value.
    let glued = context.text[shape.span.end..].starts_with('#');
    edits
        .iter_mut()
        .filter(|edit| glued && edit.range.end == shape.span.end)
        .for_each(|edit| edit.text.push(' '));
    Some(edits)
}

fn replace_node(
    context: &Context<'_>,
    shape: &Shape,
    entry: Option<&Entry>,
    parents: &[&Shape],
    tokens: &[String],
    value: &Value,
) -> Option<Vec<Edit>> {
    let in_flow = context.json || parents.iter().any(|parent| parent.is_flow());
    match (&shape.kind, value) {
        (Kind::Scalar(style), Value::String(new)) if shape.content < shape.span.end => {
            return string_edit::rewrite(context, shape, *style, new);
        }
        _ => {}
    }
    if in_flow {
        return replace_in_flow(context, shape, entry, value);
    }
    let Some(parent) = parents.last() else {
        // The new lines start at the margin, wherever the old ones did.
        let lines = lines(value).join(context.newline);
        let (start, lead) = match context.is_first(shape.span.start) {
            true => (context.line_start(shape.span.start), ""),
            // What stands before may be `---`, or a line break of YAML 1.1 that no line is counted by here.
            false if is_block(value) => (shape.span.start, context.newline),
            false => (shape.span.start, ""),
        };
        return Some(vec![Edit::new(start..shape.span.end, format!("{lead}{lines}"))]);
    };
    let slot = slot(context, parent, entry, tokens.last()?)?;
    fill(context, &slot, shape, value)
}

fn replace_in_flow(context: &Context<'_>, shape: &Shape, entry: Option<&Entry>, value: &Value) -> Option<Vec<Edit>> {
    let text = if context.json { json_text(value) } else { inline(value) };
    if !shape.span.is_empty() {
        return Some(vec![Edit::new(shape.span.clone(), text)]);
    }
    let key_end = entry?.key_span.end;
    let rest = &context.text[key_end..];
    let colon = rest
        .trim_start()
        .strip_prefix(':')
        .map(|after| context.text.len() - after.len());
    Some(match colon {
        Some(at) => vec![Edit::new(at..at, format!(" {text}"))],
        None => vec![Edit::new(key_end..key_end, format!(": {text}"))],
    })
}

/// Where a block collection holds a value.
struct Slot {
    /// Right after the `:` or the `-`.
    at: usize,
    /// The column block lines of the value start at when they are a mapping, and when they are a list.
    map_column: usize,
    list_column: usize,
    /// Whether the first line of a block value stands on the slot's line, as after `- `.
    compact: bool,
}

fn slot(context: &Context<'_>, parent: &Shape, entry: Option<&Entry>, token: &str) -> Option<Slot> {
    match entry {
        Some(entry) => {
            let at = colon(context, entry)?;
            let column = context.column(entry.key_span.start);
            Some(Slot {
                at,
                map_column: column + 2,
                list_column: column,
                compact: false,
            })
        }
        None => {
            let dash = dash(context, parent, super::pointer::index(token)?)?;
            let column = context.column(dash) + 2;
            Some(Slot {
                at: dash + 1,
                map_column: column,
                list_column: column,
                compact: true,
            })
        }
    }
}

/// The offset after the `:` of an entry written as `key: value`.
fn colon(context: &Context<'_>, entry: &Entry) -> Option<usize> {
    let rest = &context.text[entry.key_span.end..];
    let after = rest.trim_start_matches([' ', '\t']).strip_prefix(':')?;
    Some(context.text.len() - after.len())
}

/// The offset of the `-` of a list's item.
fn dash(context: &Context<'_>, list: &Shape, index: usize) -> Option<usize> {
    let Kind::Seq { items, .. } = &list.kind else {
        return None;
    };
    let mut at = match index.checked_sub(1) {
        None => list.content,
        Some(before) => context.next_line(items.get(before)?.span.end),
    };
    loop {
        let line = &context.text[at..];
        let content = line.trim_start_matches(' ');
        let here = context.text.len() - content.len();
        if content.starts_with('-') {
            return Some(here);
        }
        if index == 0 || !(content.starts_with(['#', '\n', '\r'])) {
            return None;
        }
        at = context.next_line(here);
    }
}

/// Writes a value into a slot that holds `old`.
fn fill(context: &Context<'_>, slot: &Slot, old: &Shape, value: &Value) -> Option<Vec<Edit>> {
    // None where what looked like the slot is another one: YAML 1.1 has line breaks that this does not count by.
    let gap = context.text.get(slot.at..old.span.start)?;
    let end = context.line_end(old.span.end);
    if gap.contains('\n') {
        return Some(fill_below(context, slot, old, value));
    }
    let lead = if gap.is_empty() { " " } else { "" };
    // A comment after a scalar stays; one after the last line of a collection goes with it.
    let tail = &context.text[old.span.end..end];
    let cut = if old.is_block_collection() || tail.trim().is_empty() {
        end
    } else {
        old.span.end
    };
    if !is_block(value) {
        let edit = Edit::new(old.span.start..cut, format!("{lead}{}", inline(value)));
        return Some(vec![edit]);
    }
    let lines = lines(value);
    let column = if value.is_array() {
        slot.list_column
    } else {
        slot.map_column
    };
    if slot.compact {
        let column = if old.span.is_empty() {
            column
        } else {
            context.column(old.span.start)
        };
        let head = Edit::new(old.span.start..cut, format!("{lead}{}", lines[0]));
        return Some(vec![head, Edit::new(end..end, context.new_lines(&lines[1..], column))]);
    }
    Some(vec![
        Edit::new(slot.at..cut, ""),
        Edit::new(end..end, context.new_lines(&lines, column)),
    ])
}

/// Writes a value into a slot whose old value starts on a later line.
fn fill_below(context: &Context<'_>, slot: &Slot, old: &Shape, value: &Value) -> Vec<Edit> {
    let end = context.line_end(old.span.end);
    let slot_end = context.line_end(slot.at);
    if !is_block(value) {
        if !old.is_block_collection() {
            return vec![Edit::new(old.span.clone(), inline(value))];
        }
        return vec![
            Edit::new(slot.at..slot.at, format!(" {}", inline(value))),
            Edit::new(slot_end..end, ""),
        ];
    }
    let lines = lines(value);
    let same_kind = match old.kind {
        Kind::Map { .. } => value.is_object(),
        Kind::Seq { .. } => value.is_array(),
        _ => false,
    };
    let column = match (same_kind && old.is_block_collection(), value) {
        (true, _) => context.column(old.content),
        (false, Value::Array(_)) => slot.list_column,
        (false, _) => slot.map_column,
    };
    vec![Edit::new(slot_end..end, context.new_lines(&lines, column))]
}

/// Adds an entry or an item to a block collection.
pub(super) fn add(context: &Context<'_>, target: &Target<'_>, value: &Value) -> Option<Vec<Edit>> {
    match &target.parent.kind {
        Kind::Map { entries, .. } => {
            let (first, last) = (entries.first()?, entries.last()?);
            if is_explicit(context, first) {
                return None;
            }
            let at = context.line_end(end_of(last));
            let lines = entry_lines(target.token, value);
            Some(vec![Edit::new(
                at..at,
                context.new_lines(&lines, context.column(first.key_span.start)),
            )])
        }
        Kind::Seq { items, .. } => {
            let index = if target.token == "-" {
                items.len()
            } else {
                super::pointer::index(target.token)?
            };
            let lines = item_lines(value);
            if index == items.len() {
                let at = context.line_end(items.last()?.span.end);
                let column = context.column(dash(context, target.parent, 0)?);
                return Some(vec![Edit::new(at..at, context.new_lines(&lines, column))]);
            }
            let dash = dash(context, target.parent, index)?;
            let column = context.column(dash);
            let rest = context.new_lines(&lines[1..], column);
            Some(vec![Edit::new(
                dash..dash,
                format!("{}{rest}{}{}", lines[0], context.newline, " ".repeat(column)),
            )])
        }
        _ => None,
    }
}

/// Whether a key is written as `? key`.
fn is_explicit(context: &Context<'_>, entry: &Entry) -> bool {
    let start = context.line_start(entry.key_span.start);
    context.text[start..entry.key_span.start].trim_end().ends_with('?')
}

/// Where an entry ends.
pub(super) fn end_of(entry: &Entry) -> usize {
    entry.value.span.end.max(entry.key_span.end)
}

/// Removes an entry or an item from a block collection.
pub(super) fn remove(context: &Context<'_>, target: &Target<'_>) -> Option<Vec<Edit>> {
    match &target.parent.kind {
        Kind::Map { entries, .. } => {
            if entries
                .iter()
                .any(|entry| entry.merged.is_some() && entry.holds(target.token))
            {
                return None;
            }
            let gone: Vec<usize> = (0..entries.len())
                .filter(|index| entries[*index].key == target.token)
                .collect();
            if gone.len() == entries.len() {
                return replace(context, target.root, target.parents, &json!({}));
            }
            gone.into_iter()
                .map(|index| {
                    let next = entries.get(index + 1).map(|entry| entry.key_span.start);
                    cut(context, entries[index].key_span.start, end_of(&entries[index]), next)
                })
                .collect()
        }
        Kind::Seq { items, .. } => {
            let index = super::pointer::index(target.token)?;
            if items.len() == 1 {
                return replace(context, target.root, target.parents, &json!([]));
            }
            let next = if index + 1 < items.len() {
                Some(dash(context, target.parent, index + 1)?)
            } else {
                None
            };
            let start = dash(context, target.parent, index)?;
            Some(vec![cut(context, start, items.get(index)?.span.end, next)?])
        }
        _ => None,
    }
}

/// Cuts the lines of one child; one that shares its line with what holds it is cut up to the next child.
fn cut(context: &Context<'_>, start: usize, end: usize, next: Option<usize>) -> Option<Edit> {
    if context.is_first(start) {
        return Some(Edit::new(context.line_start(start)..context.next_line(end), ""));
    }
    Some(Edit::new(start..next?, ""))
}
