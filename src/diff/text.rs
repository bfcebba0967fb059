//! The diff for people: a line for each object, what differs in it as a unified diff, and the total.

use std::fmt::Write;

use super::lines::{self, Marked};
use super::{Diff, ObjectDiff, Op};
use crate::report::text::visible;
use crate::report::view::plural;

/// How the text is written.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Lines of context around what differs.
    pub context: usize,
    /// Whether it is coloured.
    pub colour: bool,
}

/// The whole text.
pub fn render(diff: &Diff, style: &Style) -> String {
    let mut out = String::new();
    for one in &diff.objects {
        let _ = writeln!(out, "{}", painted(style, &headline(one), sign(one.op), true));
        for hunk in lines::hunks(&one.tree, style.context) {
            let _ = writeln!(out, "{}", painted(style, &hunk.head(), '@', false));
            for (mark, line) in &hunk.lines {
                let _ = writeln!(out, "{}", painted(style, &joined(*mark, line), *mark, false));
            }
        }
        out.push('\n');
    }
    for line in notes(diff) {
        let _ = writeln!(out, "{}", visible(line));
    }
    let _ = writeln!(out, "{}", total(diff));
    out
}

/// The lines of an object as they stand in a patch.
pub fn body(one: &ObjectDiff, context: usize) -> String {
    let mut out = String::new();
    for hunk in lines::hunks(&one.tree, context) {
        let _ = writeln!(out, "{}", hunk.head());
        let all = hunk.lines.iter().map(|(mark, line): &Marked| joined(*mark, line));
        all.for_each(|line| {
            let _ = writeln!(out, "{line}");
        });
    }
    out
}

fn joined(mark: char, line: &str) -> String {
    format!("{mark}{line}")
}

fn sign(op: Op) -> char {
    match op {
        Op::Add => '+',
        Op::Remove => '-',
        Op::Change => '~',
    }
}

/// `~ Deployment my-release-milvus-proxy (namespace search)  3 changes`.
pub fn headline(one: &ObjectDiff) -> String {
    let what = match one.op {
        Op::Add => "added".to_owned(),
        Op::Remove => "removed".to_owned(),
        Op::Change => plural(one.changes.len(), "change"),
    };
    format!("{} {}  {what}", sign(one.op), one.object)
}

/// What the reader should know beside the objects.
pub fn notes(diff: &Diff) -> Vec<String> {
    let left_out = diff.left_out.iter();
    let mut notes: Vec<String> = left_out
        .map(|(why, n)| format!("not compared: {} ({why})", plural(*n, "object")))
        .collect();
    if diff.hides() {
        notes.push(
            "secrets are shown as ***#1, ***#2, …: the same number is the same value; --show-secrets shows them".into(),
        );
    }
    notes
}

/// The line at the end.
pub fn total(diff: &Diff) -> String {
    let (added, removed, changed) = diff.counts();
    let same = match diff.same {
        1 => "1 is the same".to_owned(),
        n => format!("{n} are the same"),
    };
    match added + removed + changed {
        0 => format!("milvus-uplift: no difference, {} the same", plural(diff.same, "object")),
        n => format!(
            "milvus-uplift: {} {} ({changed} changed, {added} added, {removed} removed), {same}",
            plural(n, "object"),
            if n == 1 { "differs" } else { "differ" },
        ),
    }
}

/// A line in its colour. What the objects hold must not steer the terminal.
fn painted(style: &Style, text: &str, mark: char, bold: bool) -> String {
    let text = visible(text.to_owned());
    let colour = match mark {
        '+' => "32",
        '-' => "31",
        '~' => "33",
        '@' => "36",
        _ => return text,
    };
    match (style.colour, bold) {
        (false, _) => text,
        (true, true) => format!("\u{1b}[1;{colour}m{text}\u{1b}[0m"),
        (true, false) => format!("\u{1b}[{colour}m{text}\u{1b}[0m"),
    }
}
