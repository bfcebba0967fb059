//! Edits of the text: RFC 6902 operations that change only the bytes they must.

use std::fmt;
use std::ops::Range;

use super::shape::Shape;
use super::value_patch::{apply, patch_value, plain};
use super::{Tree, Value, YamlError, block_edit, emit, flow_edit, layout, pointer, read};
use serde::Serialize;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// Sets a key, or inserts into a list (`-`: at its end).
    Add,
    /// Removes what is there.
    Remove,
    /// Replaces what is there.
    Replace,
}

/// One RFC 6902 operation. The path may carry a `#`: what follows is a pointer into the YAML text of that string.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PatchOp {
    /// What to do.
    pub op: Op,
    /// Where.
    pub path: String,
    /// The new value; none for a removal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// An operation that cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditError {
    /// Which operation, from 0.
    pub index: usize,
    /// Its path.
    pub path: String,
    /// Why not, in words.
    pub message: String,
}

impl EditError {
    pub(super) fn new(index: usize, path: &str, message: impl Into<String>) -> Self {
        Self {
            index,
            path: path.to_owned(),
            message: message.into(),
        }
    }

    pub(super) fn at(mut self, index: usize) -> Self {
        self.index = index;
        self
    }
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "operation {} at `{}`: {}", self.index, self.path, self.message)
    }
}

impl std::error::Error for EditError {}

/// A change of the text: these bytes become those.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub range: Range<usize>,
    pub text: String,
}

impl Edit {
    pub(super) fn new(range: Range<usize>, text: impl Into<String>) -> Self {
        Self {
            range,
            text: text.into(),
        }
    }
}

/// Applies operations to one document's body, in order, changing only the bytes of the fields they name.
///
/// Comments, quotes, blank lines, line ends and key order elsewhere stay. The result reads back as
/// [`super::patch_value`] of the value, or this is an error: nothing half right is returned.
///
/// More than [`MANY`] of them write the document anew below its first comments: each edit reads all of it.
pub fn patch(text: &str, ops: &[PatchOp]) -> Result<String, EditError> {
    if ops.len() > MANY {
        return anew(text, ops);
    }
    let mut text = text.to_owned();
    for (index, op) in ops.iter().enumerate() {
        let fail = |message: String| EditError::new(index, &op.path, message);
        let tree = Tree::parse(&text).map_err(|error: YamlError| fail(error.to_string()))?;
        let Some(tree) = tree else {
            text = patch_nothing(&text, op).map_err(fail)?;
            continue;
        };
        let op = plain(tree.value(), op).map_err(|error| error.at(index))?;
        let mut expected = tree.value().clone();
        apply(&mut expected, &op).map_err(fail)?;
        text = apply_text(&text, &tree, &op, &expected).ok_or_else(|| fail("no edit gives the wanted value".into()))?;
    }
    Ok(text)
}

/// How many operations on one document are made as edits of its text.
pub const MANY: usize = 64;

/// The document with its first comments, and all else written anew.
fn anew(text: &str, ops: &[PatchOp]) -> Result<String, EditError> {
    let unreadable = |error: YamlError| EditError::new(0, &ops[0].path, error.to_string());
    let value = read(text).map_err(unreadable)?.unwrap_or(Value::Null);
    let value = patch_value(&value, ops)?;
    let head = text.split_inclusive('\n').take_while(|line| line.starts_with('#'));
    Ok(format!("{}{}", head.collect::<String>(), emit(&value)))
}

/// The edit of a document without a value: only a new root can be set.
fn patch_nothing(text: &str, op: &PatchOp) -> Result<String, String> {
    let mut expected = Value::Null;
    apply(&mut expected, op)?;
    if expected.is_null() {
        return Ok(text.to_owned());
    }
    let comments: String = text
        .split(layout::is_break)
        .filter(|line| line.trim_start().starts_with('#'))
        .map(|line| format!("{line}\n"))
        .collect();
    let text = format!("{comments}{}", emit(&expected));
    reads_as(&text, &expected)
        .then_some(text)
        .ok_or_else(|| "no edit gives the wanted value".into())
}

/// Tries the smallest edit, then re-emits ever larger nodes around it; takes the first that reads back right.
fn apply_text(text: &str, tree: &Tree, op: &PatchOp, expected: &Value) -> Option<String> {
    let tokens = pointer::tokens(&op.path)?;
    let direct = direct(text, tree, op, &tokens).and_then(|edits| splice(text, edits));
    let confirmed = |candidate: &String| reads_as(candidate, expected);
    let larger = || {
        (0..=tokens.len()).rev().find_map(|depth| {
            let path = pointer::join(&tokens[..depth]);
            let value = expected.pointer(&path)?;
            let context = Context::new(text, tree.shape());
            let edits = block_edit::replace(&context, tree.shape(), &tokens[..depth], value)?;
            splice(text, edits).filter(confirmed)
        })
    };
    direct
        .filter(confirmed)
        .or_else(larger)
        .or_else(|| without_tail(text, op, expected))
}

/// The same without the white space that ends the text: behind a scalar may be a tab that no mapping bears behind it, or
/// spaces that would be a line of a new one.
fn without_tail(text: &str, op: &PatchOp, expected: &Value) -> Option<String> {
    let bare = text.trim_end_matches([' ', '\t', '\r', '\n']);
    let bare = text[bare.len()..].contains([' ', '\t']).then(|| format!("{bare}\n"))?;
    let tree = Tree::parse(&bare).ok()??;
    apply_text(&bare, &tree, op, expected)
}

fn reads_as(text: &str, expected: &Value) -> bool {
    read(text).is_ok_and(|value| value.unwrap_or(Value::Null) == *expected)
}

fn direct(text: &str, tree: &Tree, op: &PatchOp, tokens: &[String]) -> Option<Vec<Edit>> {
    let context = Context::new(text, tree.shape());
    let exists = tree.value().pointer(&op.path).is_some();
    let into_list = tokens
        .split_last()
        .and_then(|(_, parents)| tree.value().pointer(&pointer::join(parents)))
        .is_some_and(Value::is_array);
    match op.op {
        Op::Remove => flow_edit::or_block(&context, tree.shape(), tokens, flow_edit::remove, block_edit::remove),
        Op::Add if into_list || !exists => {
            let value = op.value.as_ref()?;
            flow_edit::or_block(
                &context,
                tree.shape(),
                tokens,
                |context, target| flow_edit::add(context, target, value),
                |context, target| block_edit::add(context, target, value),
            )
        }
        _ => block_edit::replace(&context, tree.shape(), tokens, op.value.as_ref()?),
    }
}

/// The text with non-overlapping edits applied.
pub(super) fn splice(text: &str, mut edits: Vec<Edit>) -> Option<String> {
    edits.sort_by_key(|edit| edit.range.start);
    let mut out = String::with_capacity(text.len() + 64);
    let mut at = 0;
    for edit in &edits {
        out.push_str(text.get(at..edit.range.start)?);
        out.push_str(&edit.text);
        at = edit.range.end;
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

/// What an edit needs to know of the whole text.
pub(super) struct Context<'t> {
    pub text: &'t str,
    /// How this text ends its lines.
    pub newline: &'static str,
    /// Whether the text is JSON and must stay so.
    pub json: bool,
}

impl<'t> Context<'t> {
    pub(super) fn new(text: &'t str, root: &Shape) -> Self {
        let crlf = text.find('\n').is_some_and(|at| text[..at].ends_with('\r'));
        let json = root.is_flow() && serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}')).is_ok();
        Self {
            text,
            newline: if crlf { "\r\n" } else { "\n" },
            json,
        }
    }

    /// Where the line of an offset starts.
    pub(super) fn line_start(&self, offset: usize) -> usize {
        let start = self.text[..offset].rfind('\n').map_or(0, |at| at + 1);
        if start == 0 && self.text.starts_with('\u{feff}') && offset >= 3 {
            3
        } else {
            start
        }
    }

    /// Where the line of an offset ends, before its line break.
    pub(super) fn line_end(&self, offset: usize) -> usize {
        let end = self.text[offset..].find('\n').map_or(self.text.len(), |at| offset + at);
        if self.text[offset..end].ends_with('\r') {
            end - 1
        } else {
            end
        }
    }

    /// Where the line after an offset's line starts.
    pub(super) fn next_line(&self, offset: usize) -> usize {
        self.text[offset..]
            .find('\n')
            .map_or(self.text.len(), |at| offset + at + 1)
    }

    /// How many columns precede an offset on its line.
    pub(super) fn column(&self, offset: usize) -> usize {
        self.text[self.line_start(offset)..offset].chars().count()
    }

    /// Whether only spaces precede an offset on its line.
    pub(super) fn is_first(&self, offset: usize) -> bool {
        self.text[self.line_start(offset)..offset]
            .bytes()
            .all(|byte| byte == b' ')
    }

    /// Lines, each on a line of its own after what stands before.
    pub(super) fn new_lines(&self, lines: &[String], indent: usize) -> String {
        let pad = " ".repeat(indent);
        lines
            .iter()
            .map(|line| format!("{}{pad}{line}", self.newline))
            .collect()
    }
}
