//! Both sides of an object as lines of YAML that differ only where they mean something else, and the hunks of a unified
//! diff of them.

use similar::{DiffOp, group_diff_ops};

use super::sequence;
use super::tree::{Item, Node, step};
use crate::value::{Map, Value};
use crate::yaml;

/// One line, and what it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The text, without its line break and without control characters.
    pub text: String,
    /// The path of what holds it: `spec.template.spec.containers[proxy]`.
    pub within: String,
}

/// A line of a hunk: `' '`, `'-'` or `'+'`, and the text.
pub type Marked = (char, String);

/// A part of a unified diff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// First line (from 1; 0 where there is none) and count, before and after.
    pub before: (usize, usize),
    /// The same after.
    pub after: (usize, usize),
    /// The path of what the first change stands in.
    pub within: String,
    /// Its lines.
    pub lines: Vec<Marked>,
}

impl Hunk {
    /// `@@ -12,7 +12,7 @@ spec.template.spec.containers[proxy]`.
    pub fn head(&self) -> String {
        let range = |(start, count): (usize, usize)| match count {
            1 => start.to_string(),
            _ => format!("{start},{count}"),
        };
        let head = format!("@@ -{} +{} @@ {}", range(self.before), range(self.after), self.within);
        head.trim_end().to_owned()
    }
}

/// The hunks of an object, each with `context` lines around what differs.
pub fn hunks(tree: &Node, context: usize) -> Vec<Hunk> {
    let (before, after) = (lines(tree, true), lines(tree, false));
    let texts = |lines: &[Line]| lines.iter().map(|l| l.text.clone()).collect::<Vec<_>>();
    let ops = sequence::ops(&texts(&before), &texts(&after));
    let groups = group_diff_ops(ops, context).into_iter();
    groups
        .filter(|g| !g.is_empty())
        .map(|group| hunk(&group, &before, &after))
        .collect()
}

fn hunk(ops: &[DiffOp], before: &[Line], after: &[Line]) -> Hunk {
    let mut lines = Vec::new();
    let mut within = None;
    for op in ops {
        let (old, new) = (op.old_range(), op.new_range());
        if let DiffOp::Equal { .. } = op {
            lines.extend(after[new].iter().map(|l| (' ', l.text.clone())));
            continue;
        }
        let first = after[new.clone()].first().or_else(|| before[old.clone()].first());
        within = within.or_else(|| first.map(|l| l.within.clone()));
        lines.extend(before[old].iter().map(|l| ('-', l.text.clone())));
        lines.extend(after[new].iter().map(|l| ('+', l.text.clone())));
    }
    let range = |of: fn(&DiffOp) -> std::ops::Range<usize>| {
        let start = ops.first().map_or(0, |op| of(op).start);
        let count = ops.last().map_or(0, |op| of(op).end) - start;
        (if count == 0 { start } else { start + 1 }, count)
    };
    Hunk {
        before: range(|op| op.old_range()),
        after: range(|op| op.new_range()),
        within: within.unwrap_or_default(),
        lines,
    }
}

/// One side of an object, with what means the same written as the later side writes it.
pub fn lines(tree: &Node, before: bool) -> Vec<Line> {
    let mut out = Vec::new();
    if let Some(value) = shown(tree, before) {
        block(&value, 0, "", &mut out);
    }
    out
}

/// The value of one side.
fn shown(node: &Node, is_before: bool) -> Option<Value> {
    match node {
        Node::Kept { .. } => None,
        Node::Same { after, .. } => Some(after.clone()),
        Node::Changed { before, after } => if is_before { before } else { after }.clone(),
        Node::Text { inner, .. } => shown(inner, is_before).map(|v| yaml::emit(&v).into()),
        Node::Map { entries, gone } => {
            let values = entries
                .iter()
                .filter_map(|(k, n)| Some((k.clone(), shown(n, is_before)?)));
            let map: Map = values.collect();
            (!map.is_empty() || !(*gone || is_before)).then_some(Value::Object(map))
        }
        Node::List { items, moved } => {
            let mut of_side: Vec<&Item> = items.iter().collect();
            if *moved {
                of_side.sort_by_key(|i| if is_before { i.before_at } else { i.after_at });
            }
            Some(of_side.into_iter().filter_map(|i| shown(&i.node, is_before)).collect())
        }
    }
}

fn block(value: &Value, indent: usize, at: &str, out: &mut Vec<Line>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                entry(
                    &format!("{}:", yaml::scalar(key)),
                    value,
                    indent,
                    (at, &step(at, key)),
                    out,
                );
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (i, value) in items.iter().enumerate() {
                let name = value.get("name").and_then(Value::as_str);
                let inside = name.map_or_else(|| format!("{at}[{i}]"), |name| format!("{at}[{name}]"));
                item(value, indent, (at, &inside), out);
            }
        }
        other => push(&inline(other), indent, at, out),
    }
}

/// A key and its value; `at` is the path of the map and that of the value.
fn entry(head: &str, value: &Value, indent: usize, at: (&str, &str), out: &mut Vec<Line>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            push(head, indent, at.0, out);
            block(value, indent + 2, at.1, out);
        }
        Value::Array(items) if !items.is_empty() => {
            push(head, indent, at.0, out);
            block(value, indent, at.1, out);
        }
        Value::String(text) if text.trim_end_matches('\n').contains('\n') => {
            push(&format!("{head} |"), indent, at.0, out);
            for line in text.trim_end_matches('\n').split('\n') {
                push(line, indent + 2, at.1, out);
            }
        }
        other => push(&format!("{head} {}", inline(other)), indent, at.0, out),
    }
}

/// An item of a list: its first line carries the dash.
fn item(value: &Value, indent: usize, at: (&str, &str), out: &mut Vec<Line>) {
    let first = out.len();
    match value {
        Value::String(text) if text.trim_end_matches('\n').contains('\n') => {
            entry("-", value, indent, at, out);
            return;
        }
        Value::Object(map) if !map.is_empty() => block(value, indent + 2, at.1, out),
        _ => block(value, indent + 2, at.0, out),
    }
    if let Some(line) = out.get_mut(first) {
        line.text.replace_range(indent..indent + 1, "-");
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => yaml::scalar(text.trim_end_matches('\n')),
        other => other.to_string(),
    }
}

fn push(text: &str, indent: usize, within: &str, out: &mut Vec<Line>) {
    let mut line = " ".repeat(indent);
    for c in text.chars() {
        match c {
            '\t' => line.push(c),
            // They could move the cursor of a terminal, or turn the direction of writing.
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                line.extend(c.escape_unicode())
            }
            _ if c.is_control() => line.extend(c.escape_default()),
            _ => line.push(c),
        }
    }
    out.push(Line {
        text: line,
        within: within.to_owned(),
    });
}
