//! Plants every mutant of a list into a copy of the sources, each behind a switch.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::find::{self, Form, Node};

/// A line of `cargo mutants --list --json`.
#[derive(Clone, Deserialize)]
pub struct Mutant {
    pub name: String,
    pub file: String,
    pub genre: String,
    pub replacement: String,
    pub span: Extent,
    pub function: Option<Function>,
}

#[derive(Clone, Deserialize)]
pub struct Function {
    pub return_type: String,
}

#[derive(Clone, Copy, Deserialize)]
pub struct Extent {
    pub start: Position,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

/// Where in a planted file the text of a mutant stands: an error of the compiler in there is the mutant's.
pub struct Region {
    pub file: String,
    pub bytes: Range<usize>,
    pub id: u32,
    /// Takes an arm out of a match.
    pub arm: bool,
}

#[derive(Default)]
pub struct Planted {
    pub regions: Vec<Region>,
    pub ids: Vec<u32>,
}

/// Writes the files of `all` below `tree`, read from below `from`, with `mutants` (by number) in them. What has no place in the
/// result could not be told with a switch.
pub fn plant(from: &Path, tree: &Path, all: &[Mutant], mutants: &BTreeMap<u32, Mutant>) -> Result<Planted> {
    // Also those that have none left: they had some before.
    let mut files: BTreeMap<&str, BTreeMap<u32, &Mutant>> =
        all.iter().map(|m| (m.file.as_str(), BTreeMap::new())).collect();
    for (id, mutant) in mutants {
        files.entry(&mutant.file).or_default().insert(*id, mutant);
    }
    let mut planted = Planted::default();
    for (file, mutants) in files {
        let text = std::fs::read_to_string(from.join(file)).with_context(|| file.to_owned())?;
        let nodes = find::nodes(&text, &mutants).with_context(|| file.to_owned())?;
        let mut writer = Writer {
            text: &text,
            nodes,
            out: String::new(),
            regions: Vec::new(),
            ids: Vec::new(),
        };
        writer.range(0..text.len(), 0);
        let new = writer.out;
        let path = tree.join(file);
        if std::fs::read_to_string(&path).ok().as_deref() != Some(&new) {
            std::fs::write(&path, new)?;
        }
        planted.ids.extend(writer.ids);
        planted.regions.extend(writer.regions.into_iter().map(|(bytes, id)| {
            let arm = mutants[&id].genre == "MatchArm";
            Region {
                file: file.to_owned(),
                bytes,
                id,
                arm,
            }
        }));
    }
    planted.ids.sort_unstable();
    planted.ids.dedup();
    if planted.ids.is_empty() {
        bail!("nothing was planted: are the sources those of the list?");
    }
    Ok(planted)
}

struct Writer<'t> {
    text: &'t str,
    nodes: Vec<Node>,
    out: String,
    regions: Vec<(Range<usize>, u32)>,
    ids: Vec<u32>,
}

impl Writer<'_> {
    /// The text of `range` with the nodes from `first` on that lie in it.
    fn range(&mut self, range: Range<usize>, first: usize) {
        let mut at = range.start;
        let mut next = first;
        while next < self.nodes.len() {
            let node = self.nodes[next].at.clone();
            if node.start >= range.end {
                break;
            }
            if node.start < at || node.end > range.end {
                next += 1;
                continue;
            }
            self.out.push_str(&self.text[at..node.start]);
            self.node(next);
            at = node.end;
            next += 1;
        }
        self.out.push_str(&self.text[at..range.end]);
    }

    fn mark(&mut self, id: u32, write: impl FnOnce(&mut Self)) {
        let start = self.out.len();
        write(self);
        self.regions.push((start..self.out.len(), id));
        self.ids.push(id);
    }

    /// The text of `range` for writing it more than once; what stands in it is the mutant's that is written around it.
    fn apart(&mut self, range: Range<usize>, first: usize) -> String {
        let (start, regions) = (self.out.len(), self.regions.len());
        self.range(range, first);
        self.regions.truncate(regions);
        self.out.split_off(start)
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn node(&mut self, index: usize) {
        let next = index + 1;
        let at = self.nodes[index].at.clone();
        match std::mem::replace(&mut self.nodes[index].form, Form::Body(Vec::new())) {
            Form::Body(mutants) => {
                for (id, replacement) in mutants {
                    self.push(&format!(" if crate::switch::alive({id}) {{"));
                    self.mark(id, |w| w.push(&format!(" return {replacement}; ")));
                    self.push("}");
                }
            }
            Form::Unary { operand, op: "!", id } => {
                self.mark(id, |w| {
                    w.push(&format!("(crate::switch::alive({id}) != (!"));
                    w.range(operand, next);
                    w.push("))");
                });
            }
            Form::Unary { operand, op, id } => {
                let inner = self.apart(operand, next);
                self.push(&format!("(if crate::switch::alive({id}) {{ "));
                self.mark(id, |w| w.push(&inner));
                self.push(&format!(" }} else {{ {op}{inner} }})"));
            }
            Form::Guard {
                mut mutants,
                deleted,
                given,
            } => {
                if !given {
                    self.push(" if ");
                }
                if let Some(id) = deleted {
                    self.mark(id, |w| w.push(&format!("!crate::switch::alive({id}) && ")));
                }
                if given {
                    self.push("(");
                    mutants.sort_by_key(|(_, replacement)| replacement != "true");
                    for (id, replacement) in &mutants {
                        let not = if replacement == "true" { "" } else { "!" };
                        let and = if replacement == "true" { "||" } else { "&&" };
                        self.mark(*id, |w| w.push(&format!("{not}crate::switch::alive({id}) {and} ")));
                    }
                    self.push("(");
                    self.range(at, next);
                    self.push("))");
                } else {
                    self.push("true");
                }
            }
            Form::Binary {
                left,
                right,
                op,
                mutants,
            } => self.binary(left, right, &op, &mutants, next),
        }
    }

    fn binary(&mut self, left: Range<usize>, right: Range<usize>, op: &str, mutants: &[(u32, String)], next: usize) {
        match op {
            "==" | "!=" if mutants.len() == 1 => {
                let id = mutants[0].0;
                self.mark(id, |w| {
                    w.push(&format!("(crate::switch::alive({id}) != ("));
                    w.range(left.start..right.end, next);
                    w.push("))");
                });
            }
            "&&" | "||" => {
                let id = mutants[0].0;
                self.mark(id, |w| {
                    w.push("(match (");
                    w.range(left, next);
                    let not = if op == "||" { "!" } else { "" };
                    w.push(&format!(
                        ", {not}crate::switch::alive({id})) {{ (__l, __m) => if __l == __m {{ __m }} else {{ "
                    ));
                    w.range(right, next);
                    w.push(" } })");
                });
            }
            _ if op.len() >= 2 && op.ends_with('=') && !matches!(op, "<=" | ">=" | "==" | "!=") => {
                let (l, r) = (self.apart(left, next), self.apart(right, next));
                self.push("(");
                for (id, replacement) in mutants {
                    self.push(&format!("if crate::switch::alive({id}) {{ "));
                    self.mark(*id, |w| w.push(&format!("{l} {replacement} {r}")));
                    self.push(" } else ");
                }
                self.push(&format!("{{ {l} {op} {r} }})"));
            }
            _ => {
                let by = if matches!(op, "<" | ">" | "<=" | ">=" | "==" | "!=") {
                    "&"
                } else {
                    ""
                };
                self.push(&format!("(match ({by}("));
                self.range(left, next);
                self.push(&format!("), {by}("));
                self.range(right, next);
                self.push(")) { (__l, __r) => ");
                for (id, replacement) in mutants {
                    self.push(&format!("if crate::switch::alive({id}) {{ "));
                    self.mark(*id, |w| w.push(&format!("__l {replacement} __r")));
                    self.push(" } else ");
                }
                self.push(&format!("{{ __l {op} __r }} }})"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a text with one mutant; `place` is where it begins in the text.
    fn planted(text: &str, place: &str, genre: &str, replacement: &str) -> String {
        let before = &text[..text.find(place).unwrap()];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
        let mutant = Mutant {
            name: String::new(),
            file: String::new(),
            genre: genre.to_owned(),
            replacement: replacement.to_owned(),
            span: Extent {
                start: Position { line, column },
            },
            function: None,
        };
        let mutants = BTreeMap::from([(7, &mutant)]);
        let mut writer = Writer {
            text,
            nodes: find::nodes(text, &mutants).unwrap(),
            out: String::new(),
            regions: Vec::new(),
            ids: Vec::new(),
        };
        writer.range(0..text.len(), 0);
        writer.out
    }

    #[test]
    fn each_kind_of_mutant_has_its_switch() {
        for (text, place, genre, replacement, want) in [
            (
                "fn f() -> u8 { g() }",
                "g()",
                "FnValue",
                "1",
                "fn f() -> u8 { if crate::switch::alive(7) { return 1; } g() }",
            ),
            (
                "fn f() { a == b; }",
                "==",
                "BinaryOperator",
                "!=",
                "fn f() { (crate::switch::alive(7) != (a == b)); }",
            ),
            (
                "fn f() { a && b; }",
                "&&",
                "BinaryOperator",
                "||",
                "fn f() { (match (a, crate::switch::alive(7)) { (__l, __m) => if __l == __m { __m } else { b } }); }",
            ),
            (
                "fn f() { a || b; }",
                "||",
                "BinaryOperator",
                "&&",
                "fn f() { (match (a, !crate::switch::alive(7)) { (__l, __m) => if __l == __m { __m } else { b } }); }",
            ),
            (
                "fn f() { a < b; }",
                "<",
                "BinaryOperator",
                ">",
                "fn f() { (match (&(a), &(b)) { (__l, __r) => if crate::switch::alive(7) { __l > __r } else { __l < __r } }); }",
            ),
            (
                "fn f() { a += 1; }",
                "+=",
                "BinaryOperator",
                "-=",
                "fn f() { (if crate::switch::alive(7) { a -= 1 } else { a += 1 }); }",
            ),
            (
                "fn f() { !a; }",
                "!",
                "UnaryOperator",
                "",
                "fn f() { (crate::switch::alive(7) != (!a)); }",
            ),
            (
                "fn f() { match x { A => 1, _ => 2 } }",
                "A",
                "MatchArm",
                "",
                "fn f() { match x { A if !crate::switch::alive(7) && true => 1, _ => 2 } }",
            ),
            (
                "fn f() { match x { A if b => 1, _ => 2 } }",
                "b",
                "MatchArmGuard",
                "true",
                "fn f() { match x { A if (crate::switch::alive(7) || (b)) => 1, _ => 2 } }",
            ),
            (
                "fn f() { match x { A if b => 1, _ => 2 } }",
                "b",
                "MatchArmGuard",
                "false",
                "fn f() { match x { A if (!crate::switch::alive(7) && (b)) => 1, _ => 2 } }",
            ),
            // No switch can tell these.
            (
                "const fn f() -> u8 { 2 }",
                "2",
                "FnValue",
                "1",
                "const fn f() -> u8 { 2 }",
            ),
            (
                "fn f() { if a && let b = c {} }",
                "&&",
                "BinaryOperator",
                "||",
                "fn f() { if a && let b = c {} }",
            ),
        ] {
            let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(squeezed(&planted(text, place, genre, replacement)), want, "{text}");
        }
    }
}
