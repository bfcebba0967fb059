//! The scalars of the fast reader, and the lists that stand on one line.

use super::super::restyle::is_unstable;
use super::super::{Map, Value, resolve};
use super::{Reader, WORD};

/// How many spaces a line begins with.
fn spaces(line: &str) -> usize {
    line.bytes().take_while(|b| *b == b' ').count()
}

impl Reader<'_> {
    /// The closing quote of a quoted scalar that ends on its line and holds no escape.
    pub(super) fn quoted(&self, start: usize, quote: u8) -> Option<usize> {
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

    /// The text of a quoted scalar that ends on its line, with the escapes of everyday, and where it ends.
    fn quoted_value(&self, start: usize, quote: u8) -> Option<(Value, usize)> {
        if let Some(end) = self.quoted(start, quote) {
            let value = self.kept(|| Value::String(self.text[start + 1..end].into()));
            return Some((value, end + 1));
        }
        let bytes = self.text.as_bytes();
        let mut text = String::new();
        let (mut from, mut i) = (start + 1, start + 1);
        loop {
            let meant = match (*bytes.get(i)?, quote) {
                (b'\n', _) => return None,
                (b'\\', b'"') => match *bytes.get(i + 1)? {
                    b'n' => '\n',
                    b't' => '\t',
                    same @ (b'"' | b'\\') => char::from(same),
                    _ => return None,
                },
                (b'\'', b'\'') if bytes.get(i + 1) == Some(&b'\'') => '\'',
                (b, _) if b == quote => {
                    text.push_str(&self.text[from..i]);
                    return Some((Value::from(text), i + 1));
                }
                _ => {
                    i += 1;
                    continue;
                }
            };
            text.push_str(&self.text[from..i]);
            text.push(meant);
            i += 2;
            from = i;
        }
    }

    /// A scalar, an empty collection or a one-line list at `start`, and the rest of its line.
    pub(super) fn scalar(&mut self, indent: usize, start: usize) -> Option<Value> {
        let bytes = self.text.as_bytes();
        let (value, end) = match bytes[start] {
            quote @ (b'"' | b'\'') => self.quoted_value(start, quote)?,
            b'|' | b'>' => return self.block_scalar(indent, start),
            b'{' if bytes[start + 1] == b'}' => (Value::Object(Map::new()), start + 2),
            b'[' => {
                let (items, end) = self.flow_list(indent, start)?;
                self.led += self.open * items.len();
                (Value::Array(items), end)
            }
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
        if !self.keeps() {
            return Some((Value::Null, end));
        }
        Some((resolve::plain(&self.text[start..end]).into_value().ok()?, end))
    }

    /// What a scalar says, where it is kept.
    fn kept(&self, value: impl FnOnce() -> Value) -> Value {
        if self.keeps() { value() } else { Value::Null }
    }

    /// `[ "a", b ]`: scalars that are quoted, or plain words of letters, digits and a few marks. It may go on in lines
    /// that are indented deeper than its parent.
    fn flow_list(&self, parent: usize, start: usize) -> Option<(Vec<Value>, usize)> {
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
            return Some((items, i + 1));
        }
        loop {
            let end = match *bytes.get(i)? {
                quote @ (b'"' | b'\'') => {
                    let (value, end) = self.quoted_value(i, quote)?;
                    items.push(value);
                    end
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
                b']' => return Some((items, i + 1)),
                _ => return None,
            }
        }
    }

    /// `|` or `>`, with an indentation or `-` or `+` or none of them, and its lines; folded as libyaml folds them.
    fn block_scalar(&mut self, parent: usize, start: usize) -> Option<Value> {
        // One at the very end depends on the last line break; the parser knows how.
        if !self.ended {
            return None;
        }
        let bytes = self.text.as_bytes();
        let folded = bytes[start] == b'>';
        let (mut chomp, mut told, mut header) = (b' ', None, start + 1);
        loop {
            match bytes[header] {
                mark @ (b'-' | b'+') if chomp == b' ' => chomp = mark,
                digit @ b'1'..=b'9' if told.is_none() => told = Some(parent + usize::from(digit - b'0')),
                _ => break,
            }
            header += 1;
        }
        self.end_line(header)?;
        let indent = told.or_else(|| self.text_indent(parent))?;
        let mut value = String::new();
        // Line breaks behind the last line of text, and whether that line began with a space.
        let (mut breaks, mut spaced, mut first) = (0, false, true);
        while self.at < bytes.len() {
            let end = self.line_end(self.at);
            let line = &self.text[self.at..end];
            let spaces = spaces(line);
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
                if !self.keeps() {
                    first = false;
                    self.at = end + 1;
                    continue;
                }
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
            // Without any text the line breaks are counted another way.
            _ if first => return None,
            b'-' => {}
            b'+' => value.extend(std::iter::repeat_n('\n', breaks)),
            _ => value.push('\n'),
        }
        self.unstable |= folded && is_unstable(&value);
        Some(Value::from(value))
    }

    /// The indentation of a block scalar's text: that of its first line that is not blank, deeper than its parent.
    fn text_indent(&self, parent: usize) -> Option<usize> {
        let mut at = self.at;
        let mut widest = 0;
        while at < self.text.len() {
            let end = self.line_end(at);
            let line = &self.text[at..end];
            let spaces = spaces(line);
            if spaces < line.len() {
                return (spaces > parent && widest <= spaces).then_some(spaces);
            }
            widest = widest.max(spaces);
            at = end + 1;
        }
        None
    }
}
