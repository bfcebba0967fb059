//! Edits of the text: RFC 6902 operations that change only the bytes they must.

use std::fmt;
use std::ops::Range;

use super::shape::Shape;
use super::value_patch::{apply, patch_value_within, plain};
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
    patch_within(text, ops, &mut { usize::MAX })
}

/// As [`patch`], with no more steps than are left (see [`super::patch_value_within`]).
pub(super) fn patch_within(text: &str, ops: &[PatchOp], left: &mut usize) -> Result<String, EditError> {
    if ops.len() > MANY {
        return anew(text, ops, left);
    }
    let mut text = text.to_owned();
    for (index, op) in ops.iter().enumerate() {
        let fail = |message: String| EditError::new(index, &op.path, message);
        let tree = Tree::parse(&text).map_err(|error: YamlError| fail(error.to_string()))?;
        let Some(tree) = tree else {
            text = patch_nothing(&text, op).map_err(fail)?;
            continue;
        };
        let op = plain(tree.value(), op, left).map_err(|error| error.at(index))?;
        let mut expected = tree.value().clone();
        apply(&mut expected, &op).map_err(fail)?;
        text = apply_text(&text, &tree, &op, &expected).ok_or_else(|| fail("no edit gives the wanted value".into()))?;
    }
    Ok(text)
}

/// How many operations on one document are made as edits of its text.
pub const MANY: usize = 64;

/// The document with its first comments, and all else written anew.
fn anew(text: &str, ops: &[PatchOp], left: &mut usize) -> Result<String, EditError> {
    let unreadable = |error: YamlError| EditError::new(0, &ops[0].path, error.to_string());
    let value = read(text).map_err(unreadable)?.unwrap_or(Value::Null);
    let value = patch_value_within(&value, ops.iter(), left)?;
    Ok(written_anew(text, &value))
}

/// The first comments of a text, and a value behind them.
fn written_anew(text: &str, value: &Value) -> String {
    let head = text.split_inclusive('\n').take_while(|line| line.starts_with('#'));
    format!("{}{}", head.collect::<String>(), emit(value))
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

/// Tries the smallest edit, then re-emits ever larger nodes around it, at last the whole document; takes the first that
/// reads back right.
fn apply_text(text: &str, tree: &Tree, op: &PatchOp, expected: &Value) -> Option<String> {
    let tokens = pointer::tokens(&op.path)?;
    let direct = direct(text, tree, op, &tokens).and_then(|edits| splice(text, edits));
    direct
        .filter(|candidate| reads_as(candidate, expected))
        .or_else(|| larger(text, tree, &tokens, expected, tries(text.len())))
        .or_else(|| without_tail(text, op, expected))
        .or_else(|| last_resort(text, tree, expected))
}

/// The document written anew. JSON stays JSON, which this is not.
fn last_resort(text: &str, tree: &Tree, expected: &Value) -> Option<String> {
    let anew = (!Context::new(text, tree.shape()).json).then(|| written_anew(text, expected));
    anew.filter(|anew| reads_as(anew, expected))
}

/// How many bytes are read at most, in about, to find how large a node must be written anew.
const READ_ANEW: usize = 64 << 20;

/// How many nodes are tried in a text of so many bytes: all of a small one.
fn tries(length: usize) -> usize {
    (READ_ANEW / length.max(1)).max(4)
}

/// Re-emits ever larger nodes around a place; of a large text only the nearest, and then all of it. A node may be in vain as
/// long as it holds an anchor that something outside names.
fn larger(text: &str, tree: &Tree, tokens: &[String], expected: &Value, mut left: usize) -> Option<String> {
    let context = Context::new(text, tree.shape());
    (0..=tokens.len()).rev().find_map(|depth| {
        if left == 0 && depth > 0 {
            return None;
        }
        let value = expected.pointer(&pointer::join(&tokens[..depth]))?;
        let edits = block_edit::replace(&context, tree.shape(), &tokens[..depth], value)?;
        let candidate = splice(text, edits)?;
        left = left.saturating_sub(1);
        reads_as(&candidate, expected).then_some(candidate)
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;
    use crate::yaml::{MAX_DEPTH, patch, patch_value};

    fn add(path: &str) -> PatchOp {
        PatchOp {
            op: Op::Add,
            path: path.to_owned(),
            value: Some(json!(1)),
        }
    }

    #[test]
    fn more_than_many_operations_write_anew() {
        let text = "# first\na: 1 # of a\n";
        for (n, stays) in [(MANY - 1, true), (MANY, true), (MANY + 1, false), (MANY + 2, false)] {
            let ops: Vec<PatchOp> = (0..n).map(|i| add(&format!("/k{i}"))).collect();
            let got = patch(text, &ops).unwrap();
            assert!(got.starts_with("# first\na: 1"), "{got}");
            assert_eq!((got.contains("# of a"), got.lines().count()), (stays, 2 + n), "{n}");
        }
    }

    #[test]
    fn a_first_line_starts_behind_a_byte_order_mark() {
        for (text, starts) in [
            ("a: b\nc: d\n", vec![(0, 0), (2, 0), (4, 0), (5, 5), (6, 5)]),
            ("\u{feff}a: b\nc: d\n", vec![(0, 0), (3, 3), (5, 3), (8, 8), (9, 8)]),
        ] {
            let tree = Tree::parse(text).unwrap().unwrap();
            let context = Context::new(text, tree.shape());
            for (offset, start) in starts {
                assert_eq!(context.line_start(offset), start, "{text:?} {offset}");
            }
        }
    }

    /// The map is named from outside: no node written anew within `c` reads right.
    const NAMED: &str = "c: # of c\n  d: # of d\n    e: # of e\n      x: &a {b: c}\n  f: *a\n# of g\ng: 1\n";

    #[test]
    fn the_smallest_node_that_reads_right_is_written_anew() {
        let got = patch(NAMED, &[add("/c/d/e/x/z")]).unwrap();
        let want = "c: # of c\n  d:\n    e:\n      x:\n        b: c\n        z: 1\n  f:\n    b: c\n# of g\ng: 1\n";
        assert_eq!(got, want);
    }

    #[test]
    fn of_a_large_text_the_nearest_nodes_are_tried_and_all_of_it() {
        assert!(tries(READ_ANEW / (MAX_DEPTH + 2)) > MAX_DEPTH + 1 && tries(0) > MAX_DEPTH + 1);
        assert_eq!([tries(10 << 20), tries(READ_ANEW)], [6, 4]);
        let tree = Tree::parse(NAMED).unwrap().unwrap();
        let op = add("/c/d/e/x/z");
        let expected = patch_value(tree.value(), std::slice::from_ref(&op)).unwrap();
        let tokens = pointer::tokens(&op.path).unwrap();
        let tried = |left| larger(NAMED, &tree, &tokens, &expected, left).unwrap();
        assert!(tried(100).contains("# of g"));
        assert!([0, 1, 2].iter().all(|left| !tried(*left).contains('#')));
    }

    #[test]
    fn white_space_that_ends_the_text_goes_where_nothing_reads_right_before_it() {
        let q = PatchOp {
            value: Some(json!({"q": 1})),
            ..add("/z")
        };
        assert_eq!(patch("a: b\n  \t", &[q]).unwrap(), "a: b\nz:\n  q: 1\n");
        let gone = PatchOp {
            op: Op::Remove,
            path: "/0".to_owned(),
            value: None,
        };
        assert_eq!(patch("- b\n  \t", &[gone]).unwrap(), "[]\n");
    }

    #[test]
    fn what_is_written_anew_stands_where_the_old_did() {
        for (text, path, value, want) in [
            ("--- 1\n", "", json!(2), "--- 2\n"),
            ("--- 1\n", "", json!({"x": 1}), "--- \nx: 1\n"),
            ("--- # c\n1\n", "", json!({"x": 1}), "--- # c\nx: 1\n"),
            ("? a\n: b\nc: d # e\n", "/a", json!([1]), "a:\n- 1\nc: d # e\n"),
            (
                "- - - 1\n",
                "/0/0/0",
                json!({"x": 1, "z": 2}),
                "- - - x: 1\n      z: 2\n",
            ),
            (
                "a:\n  b:\n    c: 1\n",
                "/a/b/c",
                json!({"x": 1}),
                "a:\n  b:\n    c:\n      x: 1\n",
            ),
            ("-\n  # c\n  - 2\n", "/0/0", json!({"x": 1}), "-\n  # c\n  - x: 1\n"),
            (
                "- - 1\n  # c\n  - 2\n",
                "/0/1",
                json!({"x": 1}),
                "- - 1\n  # c\n  - x: 1\n",
            ),
            (
                "a:\n- 1\n\n- 2 # d\n",
                "/a/1",
                json!({"x": 1}),
                "a:\n- 1\n\n- x: 1 # d\n",
            ),
            (
                "# h\na: 1 # c\nb: x\t",
                "/b",
                json!({"x": 1}),
                "# h\na: 1 # c\nb:\n  x: 1",
            ),
        ] {
            let (op, path) = (Op::Replace, path.to_owned());
            let value = Some(value);
            let op = PatchOp { op, path, value };
            assert_eq!(patch(text, &[op]).as_deref(), Ok(want), "{text:?}");
        }
    }
}
