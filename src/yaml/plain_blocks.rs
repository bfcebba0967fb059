//! A fast reader for the YAML that charts mostly render: block maps and lists of one-line scalars.
//!
//! It reads a document only if every construct in it is one of the few it knows, and leaves all others to the full
//! parser: `None` means "not mine", never "wrong". That both read the same is a property test over generated and
//! hand-made documents. What it takes: printable ASCII, block maps with plain keys, block lists, plain and quoted
//! scalars on one line without escapes, block scalars, `{}`, `[]`, one-line lists of such scalars, comments.

use memchr::memchr;

use super::limits::MAX_DEPTH;
use super::{Map, Value, resolve};

/// A key longer than this is no simple key to libyaml.
const MAX_KEY: usize = 1000;

/// Reads a document, which may hold no value at all; `None` where it holds anything beyond the known constructs.
pub(super) fn read(text: &str) -> Option<Option<Value>> {
    match text.as_bytes().last()? {
        b'\n' => read_lines(text, true),
        _ => read_lines(&format!("{text}\n"), false),
    }
}

/// Reads a text that ends with a line break, which came with it or was put there.
fn read_lines(text: &str, came: bool) -> Option<Option<Value>> {
    let bytes = text.as_bytes();
    if !is_plain(bytes) {
        return None;
    }
    let mut reader = Reader {
        text,
        at: 0,
        ended: came,
        depth: 0,
        entries: Vec::with_capacity(64),
        items: Vec::with_capacity(16),
    };
    let Some(indent) = reader.content() else {
        return Some(None);
    };
    let value = reader.block(indent)?;
    // Anything left over is the parser's to judge.
    reader.content().is_none().then_some(Some(value))
}

/// Whether all is printable ASCII and line breaks. By pieces without a way out of each, which the compiler makes wide
/// steps of.
fn is_plain(bytes: &[u8]) -> bool {
    let odd = |b: &u8| !matches!(b, b'\n' | 0x20..=0x7e);
    let mut pieces = bytes.chunks(256);
    pieces.all(|piece| !piece.iter().fold(false, |found, b| found | odd(b)))
}

/// Words that are booleans or null to somebody, in any case.
const NO_TEXTS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

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

struct Reader<'t> {
    text: &'t str,
    /// Always at the start of a line, or behind an indicator where a node begins on the same line.
    at: usize,
    /// Whether the text came with its last line break.
    ended: bool,
    depth: usize,
    /// Entries of maps that are not read whole yet: a map is made once, in its size.
    entries: Vec<(&'t str, Value)>,
    /// Items of lists, likewise.
    items: Vec<Value>,
}

impl<'t> Reader<'t> {
    fn line_end(&self, from: usize) -> usize {
        memchr(b'\n', &self.text.as_bytes()[from..]).map_or(self.text.len(), |i| from + i)
    }

    /// Skips blank lines and comments; the indentation of the next line of content, `None` at the end. Leaves `at` on
    /// the start of that line.
    fn content(&mut self) -> Option<usize> {
        let bytes = self.text.as_bytes();
        while self.at < bytes.len() {
            let mut i = self.at;
            while bytes[i] == b' ' {
                i += 1;
            }
            match bytes[i] {
                b'\n' => self.at = i + 1,
                b'#' => self.at = self.line_end(i) + 1,
                _ => return Some(i - self.at),
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
            let item = self.item(indent, dash)?;
            self.items.push(item);
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
        let (mut key, mut behind) = key;
        loop {
            let value = self.behind_key(indent, behind)?;
            self.entries.push((key, value));
            match self.content() {
                Some(next) if next == indent && !self.dash(self.at + next) => {
                    (key, behind) = self.key(self.at + next)?;
                }
                Some(next) if next >= indent => return None,
                _ => break,
            }
        }
        let mut map = Map::with_capacity(self.entries.len() - first);
        let entries = self.entries.drain(first..);
        map.extend(entries);
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
                // None of them begins otherwise.
                let may_be = key.len() <= 5 && matches!(bytes[start] | 0x20, b'f' | b'n' | b'o' | b't' | b'y');
                if may_be && NO_TEXTS.iter().any(|word| word.eq_ignore_ascii_case(key)) {
                    return None;
                }
                (key, end)
            }
            _ => return None,
        };
        let ends = bytes.get(colon) == Some(&b':') && matches!(bytes.get(colon + 1), Some(b' ' | b'\n'));
        (ends && colon - start <= MAX_KEY).then_some((key, colon + 1))
    }

    /// The closing quote of a quoted scalar that ends on its line and holds no escape.
    fn quoted(&self, start: usize, quote: u8) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let mut i = start + 1;
        loop {
            match *bytes.get(i)? {
                b'\n' | b'\\' if quote == b'"' => return None,
                b'\n' => return None,
                b if b == quote && quote == b'\'' && bytes.get(i + 1) == Some(&b'\'') => return None,
                b if b == quote => return Some(i),
                _ => i += 1,
            }
        }
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

    /// A scalar, an empty collection or a one-line list at `start`, and the rest of its line.
    fn scalar(&mut self, indent: usize, start: usize) -> Option<Value> {
        let bytes = self.text.as_bytes();
        let (value, end) = match bytes[start] {
            quote @ (b'"' | b'\'') => {
                let end = self.quoted(start, quote)?;
                (Value::String(self.text[start + 1..end].into()), end + 1)
            }
            b'|' | b'>' => return self.block_scalar(indent, start),
            b'{' if bytes[start + 1] == b'}' => (Value::Object(Map::new()), start + 2),
            b'[' => self.flow_list(indent, start)?,
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'/'
            | b'.'
            | b'_'
            | b'$'
            | b'('
            | b'+'
            | b'~'
            | b'<'
            | b';'
            | b'=' => self.plain(start)?,
            b'-' if bytes[start + 1] != b' ' => self.plain(start)?,
            _ => return None,
        };
        self.end_line(end)?;
        // A deeper line would go on with this scalar.
        match self.content() {
            Some(next) if next > indent => None,
            _ => Some(value),
        }
    }

    /// Nothing but a comment may follow; goes to the next line.
    fn end_line(&mut self, from: usize) -> Option<()> {
        let bytes = self.text.as_bytes();
        let mut i = from;
        while bytes[i] == b' ' {
            i += 1;
        }
        match bytes[i] {
            b'\n' => self.at = i + 1,
            b'#' if i > from => self.at = self.line_end(i) + 1,
            _ => return None,
        }
        Some(())
    }

    fn plain(&self, start: usize) -> Option<(Value, usize)> {
        let bytes = self.text.as_bytes();
        let mut end = start;
        // The text ends with a line break. Scalars are short: a search that is set up for wide steps takes longer.
        loop {
            match bytes[end] {
                b'\n' => break,
                b'#' if bytes[end - 1] == b' ' => break,
                b':' if matches!(bytes[end + 1], b' ' | b'\n') => return None,
                _ => end += 1,
            }
        }
        while bytes[end - 1] == b' ' {
            end -= 1;
        }
        Some((resolve::plain(&self.text[start..end]).into_value().ok()?, end))
    }

    /// `[ "a", b ]`: scalars that are quoted, or plain words of letters, digits and a few marks. It may go on in lines
    /// that are indented deeper than its parent.
    fn flow_list(&self, parent: usize, start: usize) -> Option<(Value, usize)> {
        let bytes = self.text.as_bytes();
        let spaces = |i: usize| bytes[i..].iter().take_while(|b| **b == b' ').count();
        let skip = |i: usize| match i + spaces(i) {
            end if bytes.get(end) == Some(&b'\n') => {
                let indent = spaces(end + 1);
                (indent > parent).then_some(end + 1 + indent)
            }
            end => Some(end),
        };
        let mut items = Vec::new();
        let mut i = skip(start + 1)?;
        if bytes.get(i) == Some(&b']') {
            return Some((Value::Array(items), i + 1));
        }
        loop {
            let end = match *bytes.get(i)? {
                quote @ (b'"' | b'\'') => {
                    let end = self.quoted(i, quote)?;
                    items.push(Value::String(self.text[i + 1..end].into()));
                    end + 1
                }
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' => {
                    let end = i + bytes[i..].iter().position(|b| !WORD[usize::from(*b)])?;
                    items.push(resolve::plain(&self.text[i..end]).into_value().ok()?);
                    end
                }
                _ => return None,
            };
            i = skip(end)?;
            match *bytes.get(i)? {
                b',' => i = skip(i + 1)?,
                b']' => return Some((Value::Array(items), i + 1)),
                _ => return None,
            }
        }
    }

    /// `|` or `>`, with `-` or `+` or neither, and its lines; folded as libyaml folds them.
    fn block_scalar(&mut self, parent: usize, start: usize) -> Option<Value> {
        // One at the very end depends on the last line break; the parser knows how.
        if !self.ended {
            return None;
        }
        let bytes = self.text.as_bytes();
        let folded = bytes[start] == b'>';
        let (chomp, header) = match bytes[start + 1] {
            mark @ (b'-' | b'+') => (mark, start + 2),
            _ => (b' ', start + 1),
        };
        self.end_line(header)?;
        let indent = self.text_indent(parent)?;
        let mut value = String::new();
        // Line breaks behind the last line of text, and whether that line began with a space.
        let (mut breaks, mut spaced, mut first) = (0, false, true);
        while self.at < bytes.len() {
            let end = self.line_end(self.at);
            let line = &self.text[self.at..end];
            let spaces = line.len() - line.trim_start_matches(' ').len();
            if spaces == line.len() && spaces <= indent {
                breaks += 1;
            } else if spaces < indent {
                // Between the parent and the text the parser has its own opinion.
                if spaces > parent {
                    return None;
                }
                break;
            } else {
                let now_spaced = line.as_bytes()[indent] == b' ';
                match (first, folded && !spaced && !now_spaced, breaks) {
                    (false, true, 1) => value.push(' '),
                    (false, true, n) => value.extend(std::iter::repeat_n('\n', n - 1)),
                    (_, _, n) => value.extend(std::iter::repeat_n('\n', n)),
                }
                value.push_str(&line[indent..]);
                (breaks, spaced, first) = (1, now_spaced, false);
            }
            self.at = end + 1;
        }
        match chomp {
            b'-' => {}
            b'+' => value.extend(std::iter::repeat_n('\n', breaks)),
            _ => value.push('\n'),
        }
        Some(Value::from(value))
    }

    /// The indentation of a block scalar's text: that of its first line that is not blank, deeper than its parent.
    fn text_indent(&self, parent: usize) -> Option<usize> {
        let mut at = self.at;
        let mut widest = 0;
        while at < self.text.len() {
            let end = self.line_end(at);
            let line = &self.text[at..end];
            let spaces = line.len() - line.trim_start_matches(' ').len();
            if spaces < line.len() {
                return (spaces > parent && widest <= spaces).then_some(spaces);
            }
            widest = widest.max(spaces);
            at = end + 1;
        }
        None
    }
}

#[cfg(test)]
mod tests;
