//! Between the parser's marks and the bytes of the text.

use std::io::{BufRead, Read};
use std::ops::Range;

use libyaml_safer::{Error, Mark};

use super::YamlError;
use super::shape::{Kind, Shape, Style};

const BOM: &str = "\u{feff}";

/// What YAML 1.1 takes for a line break.
pub(super) fn is_break(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// The text of a document, as it is handed to the parser.
pub(super) struct Source<'t> {
    pub text: &'t str,
    /// What the parser's offsets must be raised by: a byte order mark and leading comments it never sees.
    base: usize,
    /// Whether a newline is added for the parser, which cannot end a block scalar without one.
    extended: bool,
}

impl<'t> Source<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            base: content_start(text),
            extended: !text.ends_with('\n'),
        }
    }

    /// The text in pieces small enough that the parser never holds much of it.
    pub(super) fn chunks(&self) -> Chunks<'t> {
        Chunks {
            rest: &self.text.as_bytes()[self.base..],
            tail: if self.extended { b"\n" } else { b"" },
        }
    }

    pub(super) fn offset(&self, mark: Mark) -> usize {
        let mut offset = (mark.index as usize).saturating_add(self.base).min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }

    pub(super) fn range(&self, start: Mark, end: Mark) -> Range<usize> {
        self.offset(start)..self.offset(end)
    }

    pub(super) fn error(&self, error: &Error) -> YamlError {
        let offset = error.problem_mark().map_or(self.text.len(), |mark| self.offset(mark));
        let message = match error.context() {
            Some(context) => format!("{} {context}", error.problem()),
            None => error.problem().to_owned(),
        };
        YamlError::new(message, offset)
    }

    /// Refuses the escape `\/`, which the parser knows and Go does not.
    pub(super) fn check_escapes(&self, start: Mark, end: Mark) -> Result<(), YamlError> {
        let range = self.range(start, end);
        let source = &self.text[range.clone()];
        if !source.contains("\\/") {
            return Ok(());
        }
        let mut bytes = source.bytes().enumerate();
        while let Some((at, byte)) = bytes.next() {
            if byte == b'\\' && bytes.next().is_some_and(|(_, escaped)| escaped == b'/') {
                return Err(YamlError::new("found unknown escape character `\\/`", range.start + at));
            }
        }
        Ok(())
    }

    /// Takes back from a block scalar's value the newline that was only added for the parser.
    pub(super) fn correct_end(&self, value: &mut String, start: Mark, end: Mark) {
        // Behind a carriage return the newline makes one line break with it, which was there.
        let added = self.extended && !self.text.ends_with('\r');
        if !added || (end.index as usize) + self.base <= self.text.len() || !value.ends_with('\n') {
            return;
        }
        let source = &self.text[after_properties(self.text, self.offset(start)..self.text.len())..];
        let header = source.split(is_break).next().unwrap_or_default();
        let keep = header.split('#').next().is_some_and(|header| header.contains('+'));
        let last = source.rsplit(is_break).next().unwrap_or_default();
        let is_content = last.bytes().any(|byte| byte != b' ') || last.len() > block_indent(source, value);
        if (keep || is_content) && source.len() > header.len() {
            value.pop();
        }
    }
}

/// Where the first `%` directive stands of more than a few ahead of a document. The parser looks for each among all before it.
pub(super) fn many_directives(text: &str) -> Option<usize> {
    const FEW: usize = 64;
    let (mut first, mut seen, mut at) = (None, 0, 0);
    for line in text.split_inclusive(is_break) {
        let content = line.trim_start_matches([' ', '\t']);
        if line.starts_with('%') {
            first.get_or_insert(at);
            seen += 1;
        } else if !content.starts_with(is_break) && !content.starts_with('#') && !line.starts_with("...") {
            break;
        }
        at += line.len();
    }
    first.filter(|_| seen > FEW)
}

/// Where the first line starts that is neither blank nor a comment. Licence texts are half of a stream.
fn content_start(text: &str) -> usize {
    let mut at = if text.starts_with(BOM) { BOM.len() } else { 0 };
    while at < text.len() {
        let end = text[at..].find('\n').map_or(text.len(), |len| at + len + 1);
        let line = text[at..end].trim_end_matches('\n');
        let line = line.strip_suffix('\r').unwrap_or(line);
        let content = line.trim_start_matches(' ');
        // A comment ends at whatever YAML takes for a line break.
        let breaks = content.contains(['\r', '\u{85}', '\u{2028}', '\u{2029}']);
        if breaks || !(content.is_empty() || content.starts_with('#')) {
            break;
        }
        at = end;
    }
    at
}

/// The indentation of a block scalar: how much less its first written line is indented in the value. Where it is only spaces,
/// as an indentation in its header allows, how much shorter the longest of its lines is there.
fn block_indent(source: &str, value: &str) -> usize {
    let leading = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let is_written = |line: &&str| !line.trim_matches(' ').is_empty();
    let lines = || source.split(is_break).skip(1);
    match (lines().find(is_written), value.split(is_break).find(is_written)) {
        (Some(source), Some(value)) => leading(source).saturating_sub(leading(value)),
        _ => match value.split(is_break).map(str::len).max().unwrap_or(0) {
            0 => usize::MAX,
            spaces => lines().map(str::len).max().unwrap_or(0).saturating_sub(spaces),
        },
    }
}

/// Refuses characters no YAML reader takes, and says where they are.
pub(super) fn check_characters(text: &str) -> Result<(), YamlError> {
    // Nearly every text is printable ASCII: look closer only at the stretches that are not.
    const STRETCH: usize = 64;
    let ordinary = |byte: &u8| (0x20..0x7f).contains(byte) || *byte == b'\n';
    for (number, stretch) in text.as_bytes().chunks(STRETCH).enumerate() {
        let is_ordinary = stretch.iter().fold(true, |all, byte| all & ordinary(byte));
        if !is_ordinary {
            let start = number * STRETCH;
            (start..start + stretch.len()).try_for_each(|offset| check_character(text, offset))?;
        }
    }
    Ok(())
}

fn check_character(text: &str, offset: usize) -> Result<(), YamlError> {
    let Some(character) = text.get(offset..).and_then(|rest| rest.chars().next()) else {
        return Ok(());
    };
    let allowed =
        matches!(character, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..);
    if !allowed {
        let message = format!("control characters are not allowed (U+{:04X})", u32::from(character));
        return Err(YamlError::new(message, offset));
    }
    if character == '\u{feff}' && offset > 0 && !is_inside_line(text, offset) {
        return Err(YamlError::new("a byte order mark at the start of a line", offset));
    }
    Ok(())
}

/// Whether something other than a leading byte order mark precedes an offset on its line.
fn is_inside_line(text: &str, offset: usize) -> bool {
    let before = &text[..offset];
    before != BOM && !before.ends_with(is_break)
}

/// A scalar's shape. Block scalars end with their last line, without its line break; blank lines after it belong to
/// the scalar only when it keeps them (`+`).
pub(super) fn scalar(source: &Source<'_>, mut span: Range<usize>, style: Style, properties: bool) -> Shape {
    let text = source.text;
    let content = if properties {
        after_properties(text, span.clone())
    } else {
        span.start
    };
    if matches!(style, Style::Literal | Style::Folded) {
        let header = text[content..span.end].lines().next().unwrap_or_default();
        let keep = header.split('#').next().is_some_and(|header| header.contains('+'));
        let body = &text[content..span.end];
        let trimmed = if keep {
            body.strip_suffix('\n').unwrap_or(body)
        } else {
            body.trim_end_matches(['\n', '\r', ' '])
        };
        let trimmed = trimmed.strip_suffix('\r').unwrap_or(trimmed);
        span.end = content + trimmed.len().max(header.trim_end().len());
        // Blanks at the end of the last line are content.
        if !keep && span.end > content + header.len() {
            let rest = &text[span.end..];
            span.end += rest.len() - rest.trim_start_matches(' ').len();
        }
    }
    Shape {
        span,
        content,
        kind: Kind::Scalar(style),
    }
}

/// What the parser said about a collection.
pub(super) struct Collection {
    pub start: Mark,
    pub head_end: Mark,
    pub end: Mark,
    pub flow: bool,
    pub properties: bool,
}

/// A collection's span and where its content starts. `last`: where its last child ends.
pub(super) fn collection(source: &Source<'_>, head: &Collection, last: Option<usize>) -> (Range<usize>, usize) {
    let start = source.offset(head.start);
    let content = if !head.properties {
        start
    } else if head.flow {
        source.offset(head.head_end).saturating_sub(1)
    } else {
        after_properties(source.text, start..source.text.len())
    };
    let end = if head.flow {
        source.offset(head.end)
    } else {
        last.unwrap_or(content)
    };
    (start..end.max(content), content)
}

/// Skips anchors, tags, and the white space, line breaks and comments after them.
fn after_properties(text: &str, span: Range<usize>) -> usize {
    let mut at = span.start;
    loop {
        let rest = &text[at..span.end];
        let skipped = match rest.chars().next() {
            Some('&' | '!') => rest.find(ends_property).unwrap_or(rest.len()),
            Some('#') => rest.find(is_break).unwrap_or(rest.len()),
            Some(character) if character.is_whitespace() => character.len_utf8(),
            _ => return at,
        };
        at += skipped;
    }
}

fn ends_property(character: char) -> bool {
    is_break(character) || matches!(character, ' ' | '\t' | ',' | ']' | '}')
}

/// Hands a text to the parser in pieces.
pub(super) struct Chunks<'t> {
    rest: &'t [u8],
    tail: &'static [u8],
}

const CHUNK: usize = 4096;

impl Read for Chunks<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let from = self.fill_buf()?;
        let len = from.len().min(out.len());
        out[..len].copy_from_slice(&from[..len]);
        self.consume(len);
        Ok(len)
    }
}

impl BufRead for Chunks<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        if self.rest.is_empty() {
            return Ok(self.tail);
        }
        Ok(&self.rest[..CHUNK.min(self.rest.len())])
    }

    fn consume(&mut self, amount: usize) {
        if self.rest.is_empty() {
            self.tail = &self.tail[amount..];
        } else {
            self.rest = &self.rest[amount..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Tree, Value, read};

    #[test]
    fn a_block_is_indented_as_its_first_written_line_is() {
        for (source, value, want) in [
            ("|\n    abc", "abc", 4),
            ("|2\n    abc", "  abc", 2),
            ("|\n\n  ab", "\nab", 2),
            ("|\n  ab\n      ", "ab\n", 2),
            ("|2\n     ", "   ", 2),
            ("|\n  ", "", usize::MAX),
        ] {
            assert_eq!(block_indent(source, value), want, "{source:?}");
        }
    }

    #[test]
    fn what_ends_a_text_without_a_line_break_is_as_long_as_it_is_indented() {
        for (text, want) in [
            ("a: |\n  b\n  ", "b\n"),
            ("a: |\n  b\n   ", "b\n "),
            ("a: |\n  b", "b"),
            ("a: |+\n  b\n\n", "b\n\n"),
            ("a: |+\n  b", "b"),
        ] {
            let found = read(text).unwrap().unwrap();
            assert_eq!(found["a"], Value::from(want), "{text:?}");
        }
    }

    #[test]
    fn content_starts_behind_comments() {
        for (text, want) in [
            ("a: b\n", 0),
            ("# one\n\n  # two\r\na: b\n", 16),
            ("\u{feff}# one\na: b", 9),
            ("# one\u{85}a: b\n", 0),
            ("# one", 5),
        ] {
            assert_eq!(content_start(text), want, "{text:?}");
        }
    }

    #[test]
    fn a_scalar_ends_where_its_last_line_does() {
        for (text, want) in [
            ("a: |  \nb: 1\n", "|"),
            ("a: |\n  c  \n  \nb: 1\n", "|\n  c  "),
            ("a: |+\n  c\n\nb: 1\n", "|+\n  c\n"),
            ("a: >- # said\n  c\n  d\nb: 1\n", ">- # said\n  c\n  d"),
        ] {
            let tree = Tree::parse(text).unwrap().unwrap();
            let found = crate::yaml::shape::find(tree.shape(), &["a".to_owned()]);
            let Some(crate::yaml::shape::Found::Node { shape, .. }) = found else {
                panic!("{text}");
            };
            assert_eq!(&text[shape.span.clone()], want, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_character_is_told_with_its_place() {
        let at = |text: &str| check_characters(text).err().map(|e| e.to_string());
        assert_eq!(
            at(&format!("{}\u{7}", "a".repeat(100))).map(|e| e.contains("U+0007")),
            Some(true)
        );
        assert_eq!(at(&format!("{}\u{e9}\u{85}\t\r\n", "a".repeat(100))), None);
        assert_eq!(at("\u{feff}a: b"), None);
        assert_eq!(at("a: \u{feff}b"), None);
        assert!(at("a: b\n\u{feff}c: d").is_some_and(|e| e.contains("byte order mark")));
        assert!(at("\u{feff}\u{feff}a: b").is_some());
    }
}
