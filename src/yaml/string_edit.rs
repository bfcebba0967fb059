//! Edits of a string that keep the way it is written, down to the bytes of the lines that do not change.

use std::ops::Range;

use super::edit::{Context, Edit};
use super::emit::{double_quoted, escape_into, is_plain, is_safe};
use super::shape::{Kind, Shape, Style};

/// Replaces a scalar by a string, in the scalar's own style where that can hold it.
pub(super) fn rewrite(context: &Context<'_>, shape: &Shape, style: Style, new: &str) -> Option<Vec<Edit>> {
    let range = shape.content..shape.span.end;
    let source = &context.text[range.clone()];
    let one_line = !source.contains(['\n', '\r']);
    let safe = new.chars().all(is_safe);
    let whole = |text: String| Some(vec![Edit::new(range.clone(), text)]);
    match style {
        Style::Plain if is_plain(new) && !context.json => whole(new.to_owned()),
        Style::Single if safe => whole(format!("'{}'", new.replace('\'', "''"))),
        Style::Double if one_line => Some(vec![in_double_quotes(context.text, shape, new)?]),
        Style::Literal if !before_spaces(context, shape) => {
            in_literal(context, shape, new).or_else(|| block(context, shape, new))
        }
        Style::Literal => block(context, shape, new),
        Style::Folded => block(context, shape, new),
        _ => whole(double_quoted(new)),
    }
}

/// Whether only blank text is behind a block scalar and spaces end it: indented deeper, they would be a line of a new scalar.
fn before_spaces(context: &Context<'_>, shape: &Shape) -> bool {
    let tail = &context.text[shape.span.end..];
    tail.ends_with(' ') && tail.trim_matches([' ', '\r', '\n']).is_empty()
}

/// A block scalar written anew: literal where that can hold the string, else between double quotes.
fn block(context: &Context<'_>, shape: &Shape, new: &str) -> Option<Vec<Edit>> {
    let end = match before_spaces(context, shape) {
        true => context.text.len(),
        false => shape.span.end,
    };
    let source = &context.text[shape.content..shape.span.end];
    let text = block_text(context, source, new, end).unwrap_or_else(|| double_quoted(new));
    Some(vec![Edit::new(shape.content..end, text)])
}

/// A string as a literal block scalar, indented like the block scalar it stands in for.
pub(super) fn block_text(context: &Context<'_>, source: &str, new: &str, end: usize) -> Option<String> {
    literal(context, new, source_indent(source)?, end)
}

/// The indentation of a block scalar's first written line.
fn source_indent(source: &str) -> Option<usize> {
    let line = source.lines().skip(1).find(|line| !line.trim().is_empty())?;
    Some(line.len() - line.trim_start_matches(' ').len())
}

/// A literal block scalar. `None` where one cannot hold the string safely: Helm trims what ends a document, so
/// strings that end in blank lines are better quoted.
fn literal(context: &Context<'_>, value: &str, indent: usize, end: usize) -> Option<String> {
    let body = value.strip_suffix('\n').unwrap_or(value);
    let first = body.lines().find(|line| !line.is_empty())?;
    let fits = body
        .chars()
        .all(|character| is_safe(character) || matches!(character, '\n' | '\t'));
    if !fits || first.starts_with([' ', '\t']) || body.ends_with('\n') {
        return None;
    }
    let keeps_break = value.len() > body.len();
    let mut out = String::from(if keeps_break { "|" } else { "|-" });
    for line in body.split('\n') {
        out.push_str(context.newline);
        push_line(&mut out, line, indent);
    }
    if keeps_break && end == context.text.len() {
        out.push_str(context.newline);
    }
    Some(out)
}

fn push_line(out: &mut String, line: &str, indent: usize) {
    if !line.is_empty() {
        out.extend(std::iter::repeat_n(' ', indent));
        out.push_str(line);
    }
}

/// The edit of a double-quoted scalar on one line: only the characters between what stays before and after.
fn in_double_quotes(text: &str, shape: &Shape, new: &str) -> Option<Edit> {
    let (map, old) = double_map(text, shape)?;
    let same = common(old.chars(), new.chars());
    let behind = common(old[same..].chars().rev(), new[same..].chars().rev());
    let mut middle = String::new();
    escape_into(&new[same..new.len() - behind], &mut middle);
    Some(Edit::new(map.range(same..old.len() - behind), middle))
}

/// How many bytes two strings share from here on.
fn common(left: impl Iterator<Item = char>, right: impl Iterator<Item = char>) -> usize {
    left.zip(right)
        .take_while(|(left, right)| left == right)
        .map(|(left, _)| left.len_utf8())
        .sum()
}

/// The edit of a literal block scalar: only the lines that differ.
fn in_literal(context: &Context<'_>, shape: &Shape, new: &str) -> Option<Vec<Edit>> {
    let source = &context.text[shape.content..shape.span.end];
    let header = source.lines().next()?.split('#').next()?;
    let indent = source_indent(source)?;
    let rows = rows(source, shape.content);
    let line = |row: &Range<usize>| context.text[row.clone()].get(indent..).unwrap_or("");
    let old: Vec<&str> = rows.iter().map(line).collect();
    let blank = old.iter().rev().take_while(|line| line.is_empty()).count();
    let numbered = header.bytes().any(|byte| byte.is_ascii_digit());
    if numbered || !fits_literal(header, blank, new) {
        return None;
    }
    let new: Vec<&str> = new.trim_end_matches('\n').split('\n').collect();
    edit_rows(
        context,
        &rows[..old.len() - blank],
        &old[..old.len() - blank],
        &new,
        indent,
    )
}

/// Whether a literal block scalar with this header, and so many blank lines at its end, can hold the string.
fn fits_literal(header: &str, blank: usize, new: &str) -> bool {
    let body = new.trim_end_matches('\n');
    let trailing = new.len() - body.len();
    let ends_alike = match (header.contains('-'), header.contains('+')) {
        (true, _) => trailing == 0,
        (_, true) => trailing == blank + 1,
        _ => trailing == 1,
    };
    let first = body.split('\n').find(|line| !line.is_empty());
    ends_alike
        && new
            .chars()
            .all(|character| is_safe(character) || matches!(character, '\n' | '\t'))
        && first.is_some_and(|line| !line.starts_with([' ', '\t']))
}

/// Replaces the lines between those that are alike at the start and at the end.
fn edit_rows(
    context: &Context<'_>,
    rows: &[Range<usize>],
    old: &[&str],
    new: &[&str],
    indent: usize,
) -> Option<Vec<Edit>> {
    let same = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (old_rest, new_rest) = (old[same..].iter().rev(), new[same..].iter().rev());
    let behind = old_rest.zip(new_rest).take_while(|(old, new)| old == new).count();
    let changed = &new[same..new.len() - behind];
    let kept = old.len() - behind;
    if changed.is_empty() {
        if same == kept {
            return Some(Vec::new());
        }
        let to = rows.get(kept).map_or(rows.last()?.end, |row| row.start);
        return Some(vec![drop_lines(context, rows[same].start..to)]);
    }
    let mut text = String::new();
    for (number, line) in changed.iter().enumerate() {
        if number > 0 {
            text.push_str(context.newline);
        }
        push_line(&mut text, line, indent);
    }
    if same < kept {
        return Some(vec![Edit::new(rows[same].start..rows[kept - 1].end, text)]);
    }
    // Nothing goes: the new lines follow the last that stays, or precede the first.
    Some(vec![match same.checked_sub(1) {
        Some(before) => Edit::new(rows[before].end..rows[before].end, format!("{}{text}", context.newline)),
        None => Edit::new(
            rows.first()?.start..rows.first()?.start,
            format!("{text}{}", context.newline),
        ),
    }])
}

/// Removes whole lines; at the end of the scalar the line break before them goes instead of the one after.
fn drop_lines(context: &Context<'_>, range: Range<usize>) -> Edit {
    if context.line_start(range.end) == range.end && context.text[..range.end].ends_with('\n') {
        return Edit::new(range, "");
    }
    let before = context.text[..range.start]
        .trim_end_matches('\n')
        .trim_end_matches('\r')
        .len();
    Edit::new(before..range.end, "")
}

/// The ranges of a block scalar's lines after its header, without line breaks.
fn rows(source: &str, offset: usize) -> Vec<Range<usize>> {
    let mut rows = Vec::new();
    let mut at = match source.find('\n') {
        Some(end) => end + 1,
        None => return rows,
    };
    loop {
        let end = source[at..].find('\n').map_or(source.len(), |len| at + len);
        let text_end = if source[at..end].ends_with('\r') { end - 1 } else { end };
        rows.push(offset + at..offset + text_end);
        if end == source.len() {
            return rows;
        }
        at = end + 1;
    }
}

/// From offsets in a string to offsets in the text that spells it.
#[derive(Debug)]
pub(super) struct StringMap {
    /// Where a stretch that is spelled as it reads starts: in the string, and in the text.
    stretches: Vec<(usize, usize)>,
}

impl StringMap {
    /// `None` where the spelling folds lines and no such map is made.
    pub(super) fn new(text: &str, shape: &Shape, value: &str) -> Option<Self> {
        let Kind::Scalar(style) = shape.kind else {
            return None;
        };
        let source = &text[shape.content..shape.span.end];
        match style {
            Style::Literal => Some(literal_map(text, shape, value)),
            Style::Folded => None,
            _ if source.contains(['\n', '\r']) => None,
            Style::Double => double_map(text, shape).map(|(map, _)| map),
            Style::Plain => Some(Self {
                stretches: vec![(0, shape.content)],
            }),
            Style::Single => {
                let mut stretches = vec![(0, shape.content + 1)];
                for (count, (at, _)) in source[1..].match_indices("''").enumerate() {
                    stretches.push((at + 1 - count, shape.content + 1 + at + 2));
                }
                Some(Self { stretches })
            }
        }
    }

    pub(super) fn range(&self, inner: Range<usize>) -> Range<usize> {
        self.offset(inner.start)..self.offset(inner.end)
    }

    fn offset(&self, inner: usize) -> usize {
        let at = self.stretches.partition_point(|(start, _)| *start <= inner);
        let (start, source) = self.stretches[at.saturating_sub(1)];
        source + (inner - start)
    }
}

fn literal_map(text: &str, shape: &Shape, value: &str) -> StringMap {
    let source = &text[shape.content..shape.span.end];
    let rows = rows(source, shape.content);
    let mut at = 0;
    let mut stretches = Vec::new();
    for (line, row) in value.split('\n').zip(&rows) {
        stretches.push((at, row.end - line.len().min(row.len())));
        at += line.len() + 1;
    }
    if stretches.is_empty() {
        stretches.push((0, shape.span.end));
    }
    StringMap { stretches }
}

/// The map of a double-quoted scalar on one line, and the string it spells.
fn double_map(text: &str, shape: &Shape) -> Option<(StringMap, String)> {
    let start = shape.content + 1;
    let source = text.get(start..shape.span.end.checked_sub(1)?)?;
    let mut stretches = vec![(0, start)];
    let mut string = String::new();
    let mut rest = source;
    while let Some(at) = rest.find('\\') {
        string.push_str(&rest[..at]);
        let (character, len) = unescape(&rest[at + 1..])?;
        string.push(character);
        rest = &rest[at + 1 + len..];
        stretches.push((string.len(), start + source.len() - rest.len()));
    }
    string.push_str(rest);
    Some((StringMap { stretches }, string))
}

/// The character after a backslash, and how many bytes spell it.
fn unescape(rest: &str) -> Option<(char, usize)> {
    let name = rest.chars().next()?;
    let digits = match name {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => 0,
    };
    if digits > 0 {
        let code = u32::from_str_radix(rest.get(1..=digits)?, 16).ok()?;
        return Some((char::from_u32(code)?, digits + 1));
    }
    let character = match name {
        '0' => '\0',
        'a' => '\u{7}',
        'b' => '\u{8}',
        't' | '\t' => '\t',
        'n' => '\n',
        'v' => '\u{b}',
        'f' => '\u{c}',
        'r' => '\r',
        'e' => '\u{1b}',
        ' ' | '"' | '\\' => name,
        'N' => '\u{85}',
        '_' => '\u{a0}',
        'L' => '\u{2028}',
        'P' => '\u{2029}',
        _ => return None,
    };
    Some((character, name.len_utf8()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::Tree;
    use crate::yaml::shape::{Found, find};

    /// What becomes of the scalar under `a`, as if it were written in a style; and where its edit ends.
    fn rewritten(text: &str, style: Style, new: &str) -> (String, usize) {
        let tree = Tree::parse(text).unwrap().unwrap();
        let context = Context::new(text, tree.shape());
        let Some(Found::Node { shape, .. }) = find(tree.shape(), &["a".to_owned()]) else {
            panic!("{text}");
        };
        let edits = rewrite(&context, shape, style, new).expect("an edit");
        let [edit] = &edits[..] else { panic!("{edits:?}") };
        (edit.text.clone(), edit.range.end)
    }

    #[test]
    fn a_style_is_kept_where_it_can_hold_the_string() {
        for (text, style, new, want) in [
            ("a: b\n", Style::Plain, "c d", "c d"),
            ("a: b\n", Style::Plain, "yes", "\"yes\""),
            ("a: 'b'\n", Style::Single, "it's", "'it''s'"),
            ("a: 'b'\n", Style::Single, "c\u{7}", "\"c\\u0007\""),
            ("a: \"b\n  c\"\n", Style::Double, "d", "\"d\""),
            ("a: >\n  b\n", Style::Folded, "c\nd\n", "|\n  c\n  d"),
        ] {
            let (text, _) = rewritten(text, style, new);
            assert_eq!(text, want, "{new:?}");
        }
    }

    #[test]
    fn spaces_behind_a_literal_go_with_it() {
        let literal = "a: |\n  b\n ";
        let (text, end) = rewritten(literal, Style::Literal, "c\n");
        assert_eq!((text.as_str(), end), ("|\n  c\n", literal.len()));
        // Behind a line break, or before another key, nothing is in the way.
        for text in ["a: |\n  b\n", "a: |\n  b\nc: d\n"] {
            assert!(rewritten(text, Style::Literal, "c\n").1 < text.len());
        }
    }

    #[test]
    fn a_literal_holds_what_no_reader_takes_otherwise() {
        let tree = Tree::parse("a: b\n").unwrap().unwrap();
        let context = Context::new("a: b\n", tree.shape());
        for (value, want) in [
            ("a\nb", Some("|-\n  a\n  b")),
            ("a\tb\n", Some("|\n  a\tb")),
            ("a\u{7}b", None),
            (" a", None),
            ("\ta", None),
            ("a\n\n", None),
            ("\n", None),
        ] {
            assert_eq!(literal(&context, value, 2, 0).as_deref(), want, "{value:?}");
        }
    }
}
