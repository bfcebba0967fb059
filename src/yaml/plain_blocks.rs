//! A fast reader for the YAML that charts mostly render: block maps and lists of one-line scalars.
//!
//! It reads a document only if every construct in it is one of the few it knows, and leaves all others to the full
//! parser: `None` means "not mine", never "wrong". That both read the same is a property test over generated and
//! hand-made documents. What it takes: printable ASCII, block maps with plain keys, block lists, plain and quoted
//! scalars on one line with no escapes but the commonest, block scalars, `{}`, `[]`, one-line lists of such scalars, comments.

mod scalars;

use memchr::memchr;

use super::limits::{MAX_DEPTH, leading};
use super::{Map, Value};

/// A key longer than this is no simple key to libyaml.
const MAX_KEY: usize = 1000;

/// Reads a document, which may hold no value at all; `None` where it holds anything beyond the known constructs.
pub(super) fn read(text: &str) -> Option<Option<Value>> {
    read_noting(text).map(|(value, _)| value)
}

/// Whether any folded scalar of a document would read back as another one once go-yaml wrote it; `None` as in [`read`].
pub(super) fn folds_unstably(text: &str) -> Option<bool> {
    read_noting(text)?.1
}

/// Reads what a document holds at some keys; `None` as in [`read`].
pub(super) fn excerpt(text: &str, wanted: &'static Wanted) -> Option<Option<Value>> {
    read_wanted(text, wanted).map(|(value, _)| value)
}

fn read_noting(text: &str) -> Option<(Option<Value>, Option<bool>)> {
    read_wanted(text, &Wanted::All)
}

fn read_wanted(text: &str, wanted: &'static Wanted) -> Option<(Option<Value>, Option<bool>)> {
    match text.as_bytes().last()? {
        b'\n' => read_lines(text, true, wanted),
        _ => read_lines(&format!("{text}\n"), false, wanted),
    }
}

/// Reads a text that ends with a line break, which came with it or was put there; and whether it folds unstably.
fn read_lines(text: &str, came: bool, wanted: &'static Wanted) -> Option<(Option<Value>, Option<bool>)> {
    let bytes = text.as_bytes();
    if !is_plain(bytes) {
        return None;
    }
    let mut reader = Reader {
        text,
        at: 0,
        known: (0, 0),
        ended: came,
        depth: 0,
        open: 0,
        led: 0,
        unstable: false,
        doubled: false,
        wanted,
        entries: Vec::with_capacity(64),
        items: Vec::with_capacity(16),
    };
    let Some(indent) = reader.content() else {
        return Some((None, Some(false)));
    };
    let value = reader.block(indent)?;
    let length = text.len() - usize::from(!came);
    if reader.led > leading(length) {
        return None;
    }
    // Anything left over is the parser's to judge.
    let unstable = (!reader.unstable || !reader.doubled).then_some(reader.unstable);
    reader.content().is_none().then_some((Some(value), unstable))
}

/// Whether all is printable ASCII and line breaks. By pieces without a way out of each, which the compiler makes wide
/// steps of.
fn is_plain(bytes: &[u8]) -> bool {
    let odd = |b: &u8| !matches!(b, b'\n' | 0x20..=0x7e);
    let mut pieces = bytes.chunks(256);
    pieces.all(|piece| !piece.iter().fold(false, |found, b| found | odd(b)))
}

/// Whether a word is a boolean or null to somebody, in any case.
fn is_no_text(word: &str) -> bool {
    let words: &[&str] = match word.len() {
        1 => &["y", "n"],
        2 => &["no", "on"],
        3 => &["yes", "off"],
        4 => &["true", "null"],
        5 => &["false"],
        _ => &[],
    };
    words.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// Which bytes words are made of.
const WORD: [bool; 256] = {
    let mut word = [false; 256];
    let mut b = 0;
    while b < word.len() {
        word[b] = (b as u8).is_ascii_alphanumeric() || matches!(b as u8, b'_' | b'.' | b'/' | b'-');
        b += 1;
    }
    word
};

/// What is wanted of a node.
#[derive(Debug)]
pub enum Wanted {
    /// All of it.
    All,
    /// Nothing.
    Nothing,
    /// These of its keys, or of those of each of its items.
    Keys(&'static [(&'static str, Wanted)]),
}

impl Wanted {
    fn at(&self, key: &str) -> &Wanted {
        match self {
            Wanted::Keys(keys) => keys
                .iter()
                .find(|(known, _)| *known == key)
                .map_or(&Wanted::Nothing, |(_, w)| w),
            all_or_nothing => all_or_nothing,
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    /// Always at the start of a line, or behind an indicator where a node begins on the same line.
    at: usize,
    /// A line of content and its indentation: it is asked for by each node that ends before it.
    known: (usize, usize),
    /// Whether the text came with its last line break.
    ended: bool,
    depth: usize,
    /// The bytes of the keys that lead to where it reads, and of those that lead to each value before.
    open: usize,
    led: usize,
    /// Whether a folded scalar was read that go-yaml would write as another one.
    unstable: bool,
    /// Whether a map has a key twice: what stood there first is no part of the value.
    doubled: bool,
    /// What is wanted of the node that is read.
    wanted: &'static Wanted,
    /// Entries of maps that are not read whole yet: a map is made once, in its size.
    entries: Vec<(&'t str, Value)>,
    /// Items of lists, likewise.
    items: Vec<Value>,
}

impl<'t> Reader<'t> {
    /// Whether what is read here is kept, or only passed over by the same rules.
    fn keeps(&self) -> bool {
        !matches!(self.wanted, Wanted::Nothing)
    }

    fn line_end(&self, from: usize) -> usize {
        memchr(b'\n', &self.text.as_bytes()[from..]).map_or(self.text.len(), |i| from + i)
    }

    /// Skips blank lines and comments; the indentation of the next line of content, `None` at the end. Leaves `at` on
    /// the start of that line.
    fn content(&mut self) -> Option<usize> {
        let (line, indent) = self.known;
        if line == self.at && line > 0 {
            return Some(indent);
        }
        let bytes = self.text.as_bytes();
        while self.at < bytes.len() {
            let mut i = self.at;
            while bytes[i] == b' ' {
                i += 1;
            }
            match bytes[i] {
                b'\n' => self.at = i + 1,
                b'#' => self.at = self.line_end(i) + 1,
                _ => {
                    self.known = (self.at, i - self.at);
                    return Some(i - self.at);
                }
            }
        }
        None
    }

    fn dash(&self, at: usize) -> bool {
        let bytes = self.text.as_bytes();
        bytes.get(at) == Some(&b'-') && matches!(bytes.get(at + 1), Some(b' ' | b'\n'))
    }

    /// A block whose first line, at `at`, is indented by `indent`.
    fn block(&mut self, indent: usize) -> Option<Value> {
        self.depth += 1;
        if self.depth >= MAX_DEPTH {
            return None;
        }
        let start = self.at + indent;
        let value = if self.dash(start) {
            self.list(indent)?
        } else {
            self.map(indent, self.key(start)?)?
        };
        self.depth -= 1;
        Some(value)
    }

    /// A list whose dashes stand at `indent`; ends before the first line that is none of its items.
    fn list(&mut self, indent: usize) -> Option<Value> {
        let first = self.items.len();
        let mut dash = self.at + indent;
        loop {
            self.led += self.open;
            let item = self.item(indent, dash)?;
            if self.keeps() {
                self.items.push(item);
            }
            match self.content() {
                Some(next) if next == indent && self.dash(self.at + next) => dash = self.at + next,
                Some(next) if next > indent => return None,
                _ => return Some(Value::Array(self.items.split_off(first))),
            }
        }
    }

    fn item(&mut self, indent: usize, dash: usize) -> Option<Value> {
        let bytes = self.text.as_bytes();
        let mut start = dash + 1;
        while bytes[start] == b' ' {
            start += 1;
        }
        if bytes[start] == b'\n' || bytes[start] == b'#' {
            return self.nested(indent, start, false);
        }
        if self.dash(start) {
            return None;
        }
        if let Some(key) = self.key(start) {
            // A map that begins behind the dash: its other keys stand below its first.
            let column = indent + (start - dash);
            self.depth += 1;
            let value = (self.depth < MAX_DEPTH).then(|| self.map(column, key))??;
            self.depth -= 1;
            return Some(value);
        }
        self.scalar(indent, start)
    }

    /// What stands below a key or dash with nothing behind it.
    fn nested(&mut self, indent: usize, rest: usize, list_at_indent: bool) -> Option<Value> {
        self.at = self.line_end(rest) + 1;
        match self.content() {
            // `resources:` and, a line below, `{}`: how charts print an empty map.
            Some(next) if next > indent && matches!(self.text.as_bytes()[self.at + next], b'{' | b'[') => {
                self.scalar(indent, self.at + next)
            }
            Some(next) if next > indent => self.block(next),
            Some(next) if next == indent && list_at_indent && self.dash(self.at + next) => self.block(next),
            _ => Some(Value::Null),
        }
    }

    /// A map whose keys stand at `indent`, with its first key and the place behind that one's colon.
    fn map(&mut self, indent: usize, key: (&'t str, usize)) -> Option<Value> {
        let first = self.entries.len();
        let wanted = self.wanted;
        let (mut key, mut behind) = key;
        loop {
            self.wanted = wanted.at(key);
            self.open += key.len();
            self.led += self.open;
            let value = self.behind_key(indent, behind)?;
            self.open -= key.len();
            if self.keeps() {
                self.entries.push((key, value));
            }
            match self.content() {
                Some(next) if next == indent && !self.dash(self.at + next) => {
                    (key, behind) = self.key(self.at + next)?;
                }
                Some(next) if next >= indent => return None,
                _ => break,
            }
        }
        self.wanted = wanted;
        if !self.keeps() {
            return Some(Value::Null);
        }
        let keys = self.entries.len() - first;
        let mut map = Map::with_capacity(keys);
        map.extend(self.entries.drain(first..));
        self.doubled |= map.len() < keys;
        Some(Value::Object(map))
    }

    /// A key at `start` and the place behind its colon.
    fn key(&self, start: usize) -> Option<(&'t str, usize)> {
        let bytes = self.text.as_bytes();
        let (key, colon) = match bytes[start] {
            quote @ (b'"' | b'\'') => {
                let end = self.quoted(start, quote)?;
                (&self.text[start + 1..end], end + 1)
            }
            b'a'..=b'z' | b'A'..=b'Z' => {
                let end = start + bytes[start..].iter().position(|b| !WORD[usize::from(*b)])?;
                let key = &self.text[start..end];
                if is_no_text(key) {
                    return None;
                }
                (key, end)
            }
            _ => return None,
        };
        let ends = bytes.get(colon) == Some(&b':') && matches!(bytes.get(colon + 1), Some(b' ' | b'\n'));
        (ends && colon - start <= MAX_KEY).then_some((key, colon + 1))
    }

    fn behind_key(&mut self, indent: usize, colon: usize) -> Option<Value> {
        let bytes = self.text.as_bytes();
        let mut start = colon;
        while bytes[start] == b' ' {
            start += 1;
        }
        match bytes[start] {
            b'\n' => self.nested(indent, start, true),
            b'#' if start > colon => self.nested(indent, start, true),
            b'-' if matches!(bytes[start + 1], b' ' | b'\n') => None,
            _ => self.scalar(indent, start),
        }
    }
}

#[cfg(test)]
mod tests;
