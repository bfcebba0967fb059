//! What goes out: pieces of the input, and what is new between them.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::NotVouched;
use crate::value::Value;
use crate::yaml;

/// A text of pieces of the input and new ones: what stays of a large stream is not copied to be said again.
#[derive(Clone, Debug)]
pub struct Output {
    came: Arc<String>,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Came(Range<usize>),
    New(String),
}

impl Output {
    /// Nothing yet, of what an input says.
    pub(super) fn beside(came: &Arc<String>) -> Output {
        Output {
            came: Arc::clone(came),
            pieces: Vec::new(),
        }
    }

    /// The whole of an input.
    pub(super) fn all_of(came: &Arc<String>) -> Output {
        let mut all = Output::beside(came);
        all.keep(0..came.len());
        all
    }

    /// Goes on with a part of the input.
    pub(super) fn keep(&mut self, range: Range<usize>) {
        match self.pieces.last_mut() {
            Some(Piece::Came(before)) if before.end == range.start => before.end = range.end,
            _ => self.pieces.push(Piece::Came(range)),
        }
    }

    /// Goes on with a new text.
    pub(super) fn add(&mut self, text: &str) {
        match self.pieces.last_mut() {
            Some(Piece::New(before)) => before.push_str(text),
            _ => self.pieces.push(Piece::New(text.to_owned())),
        }
    }

    /// Its pieces, in order.
    pub fn pieces(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().map(|piece| match piece {
            Piece::Came(range) => &self.came[range.clone()],
            Piece::New(text) => text,
        })
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces().try_for_each(|piece| f.write_str(piece))
    }
}

/// What a document of the output must be.
pub(super) enum Expected<'a> {
    /// The same text as in the input.
    Text(&'a str),
    /// This value.
    Value(Cow<'a, Value>),
}

/// A document of the output, its separator with it.
pub(super) struct Written<'a> {
    /// What it says.
    pub text: Cow<'a, str>,
    /// Where that stands in the input.
    pub came: Option<Range<usize>>,
    /// Whether it is an object of ours.
    pub injected: bool,
    /// What it must be.
    pub expected: Expected<'a>,
}

impl Written<'_> {
    /// Whether it is the first of the input, which may have no separator.
    fn is_bare(&self) -> bool {
        !self.injected && !self.text.starts_with("---")
    }

    fn replace(&mut self, text: String) {
        self.text = text.into();
        self.came = None;
    }
}

/// Puts documents one behind the other, each read back and compared with what it must be. Each is one document to the
/// reader, begins with its separator and behind a line break: joined they are as many, and the same ones.
pub(super) fn join(came: &Arc<String>, documents: Vec<Written>, restyle: bool) -> Result<Output, NotVouched> {
    let mut out = Output::beside(came);
    let mut ended = true;
    let mut rest = documents.into_iter().enumerate().peekable();
    while let Some((index, mut document)) = rest.next() {
        if restyle {
            restyled(&mut document, index)?;
        }
        if index > 0 && document.is_bare() {
            document.replace(format!("---\n{}", document.text));
        }
        if index > 0 && !(ended && document.text.starts_with("---")) {
            return Err(NotVouched(format!(
                "document {index} does not begin with its separator"
            )));
        }
        ended = document.text.ends_with('\n');
        // Before what brings no separator of the input's a line break is put. A document that is new or changed is read back
        // with it; of one that stays Helm takes it for a part of the separator.
        let breaks = !ended && rest.peek().is_some_and(|(_, next)| next.injected || next.is_bare());
        let changed = matches!(document.expected, Expected::Value(_));
        if breaks && changed {
            document.replace(format!("{}\n", document.text));
        }
        vouch(&document, index)?;
        match &document.came {
            Some(range) => out.keep(range.clone()),
            None => out.add(&document.text),
        }
        if breaks && !changed {
            out.add("\n");
        }
        ended |= breaks;
    }
    Ok(out)
}

/// Where the body of a document stands in its text.
fn body(text: &str, index: usize) -> Result<Range<usize>, NotVouched> {
    let documents = yaml::split(text).map_err(|e| NotVouched(format!("document {index} does not split: {e}")))?;
    match &documents[..] {
        [only] => Ok(only.body.clone()),
        all => Err(NotVouched(format!("document {index} is {} documents", all.len()))),
    }
}

/// Restyles the folded scalars that Helm 4 would alter on its way back (hosts.md 2.9).
fn restyled(document: &mut Written, index: usize) -> Result<(), NotVouched> {
    let place = body(&document.text, index)?;
    let body = &document.text[place.clone()];
    if !yaml::folds_unstably(body) {
        return Ok(());
    }
    let (new, pointers) = yaml::restyle_folded(body).map_err(|e| NotVouched(format!("document {index}: {e}")))?;
    if pointers.is_empty() {
        return Ok(());
    }
    if let Expected::Text(before) = document.expected {
        let before = yaml::read(before).ok().flatten().unwrap_or(Value::Null);
        document.expected = Expected::Value(Cow::Owned(before));
    }
    document.replace(format!("{}{new}", &document.text[..place.start]));
    Ok(())
}

/// Reads a document back and compares it with what it must be.
fn vouch(document: &Written, index: usize) -> Result<(), NotVouched> {
    let body = &document.text[body(&document.text, index)?];
    match &document.expected {
        Expected::Text(text) if *text == body => Ok(()),
        Expected::Text(_) => Err(NotVouched(format!("document {index} changed and should not have"))),
        Expected::Value(value) => {
            let read = yaml::read(body).map_err(|e| NotVouched(format!("document {index} does not read back: {e}")))?;
            match read.as_ref().unwrap_or(&Value::Null) == value.as_ref() {
                true => Ok(()),
                false => Err(NotVouched(format!("document {index} reads back differently"))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    fn text(input: &'static str, range: Range<usize>) -> Written<'static> {
        let text = &input[range.clone()];
        let body = yaml::split(text).unwrap()[0].body.clone();
        Written {
            text: text.into(),
            came: Some(range),
            injected: false,
            expected: Expected::Text(&text[body]),
        }
    }

    fn ours(text: &'static str, value: Value) -> Written<'static> {
        Written {
            text: text.into(),
            came: None,
            injected: true,
            expected: Expected::Value(Cow::Owned(value)),
        }
    }

    fn joined(input: &str, documents: Vec<Written>) -> Result<String, String> {
        let out = join(&Arc::new(input.to_owned()), documents, false);
        out.map(|out| out.to_string()).map_err(|e| e.0)
    }

    #[test]
    fn what_stays_side_by_side_is_one_piece() {
        const INPUT: &str = "a: 1\n---\nb: 2\n---\nc: 3\n";
        let documents = || vec![text(INPUT, 0..5), text(INPUT, 5..14), text(INPUT, 14..23)];
        let came = Arc::new(INPUT.to_owned());
        let all = join(&came, documents(), false).unwrap();
        assert_eq!(all.pieces().collect::<Vec<_>>(), [INPUT]);
        let mut documents = documents();
        documents.remove(1);
        documents.insert(1, ours("---\nx: 1\n", json!({"x": 1})));
        let some = join(&came, documents, false).unwrap();
        assert_eq!(
            some.pieces().collect::<Vec<_>>(),
            ["a: 1\n", "---\nx: 1\n", "---\nc: 3\n"]
        );
        assert_eq!(some.to_string(), some.pieces().collect::<String>());
    }

    #[test]
    fn a_separator_and_a_line_break_are_put_where_one_is_missing() {
        const INPUT: &str = "a: 1\n---\nb: 2";
        let x = || ours("---\nx: 1\n", json!({"x": 1}));
        assert_eq!(
            joined(INPUT, vec![x(), text(INPUT, 0..5), text(INPUT, 5..13), x()]).unwrap(),
            "---\nx: 1\n---\na: 1\n---\nb: 2\n---\nx: 1\n"
        );
        assert_eq!(
            joined("a: 1", vec![x(), text("a: 1", 0..4), x()]).unwrap(),
            "---\nx: 1\n---\na: 1\n---\nx: 1\n"
        );
    }

    #[test]
    fn a_line_break_that_is_put_changes_no_value_of_ours() {
        const INPUT: &str = "---\na: |\n  x";
        let last = |expected: Expected<'static>| Written {
            came: None,
            expected,
            ..text(INPUT, 0..12)
        };
        let behind = || ours("---\nx: 1\n", json!({"x": 1}));
        let value = |text: &str| Expected::Value(Cow::Owned(json!({ "a": text })));
        assert!(joined(INPUT, vec![last(value("x"))]).is_ok());
        let said = joined(INPUT, vec![last(value("x")), behind()]).unwrap_err();
        assert_eq!(said, "document 0 reads back differently");
        assert!(joined(INPUT, vec![last(value("x\n")), behind()]).is_ok());
        let kept = joined(INPUT, vec![text(INPUT, 0..12), behind()]).unwrap();
        assert_eq!(kept, "---\na: |\n  x\n---\nx: 1\n");
    }

    #[test]
    fn what_would_not_be_its_own_document_is_not_vouched_for() {
        const INPUT: &str = "a: 1\n---\nb: 2";
        let first = || text(INPUT, 0..5);
        for (documents, why) in [
            (
                vec![first(), ours("x: 1\n", json!({"x": 1}))],
                "does not begin with its separator",
            ),
            (
                vec![first(), ours("\u{feff}---\nx: 1\n", json!({"x": 1}))],
                "does not begin with its separator",
            ),
            (
                vec![text(INPUT, 5..13), text(INPUT, 5..13)],
                "does not begin with its separator",
            ),
            (vec![ours("---\nx: 1\n---\ny: 1\n", json!({"x": 1}))], "is 2 documents"),
            (vec![ours("", json!(null))], "is 0 documents"),
            (vec![ours("---\nx: 1\n...\ny: 1\n", json!({"x": 1}))], "does not split"),
            (vec![ours("---\nx: 2\n", json!({"x": 1}))], "reads back differently"),
            (vec![ours("---\nx: [\n", json!({"x": 1}))], "does not read back"),
        ] {
            let said = joined(INPUT, documents).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
        let changed = Written {
            expected: Expected::Text("a: 2\n"),
            ..first()
        };
        assert_eq!(
            joined(INPUT, vec![changed]).unwrap_err(),
            "document 0 changed and should not have"
        );
    }
}
