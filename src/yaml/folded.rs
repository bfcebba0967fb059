//! Folded scalars, made safe against a second pass through Helm 4.

use memchr::memchr_iter;

use super::edit::{Context, Edit, EditError, splice};
use super::emit::double_quoted;
use super::shape::{Found, find};
use super::{Tree, Value, plain_blocks, pointer, read, string_edit};

/// Whether [`restyle_folded`] has anything to do, without the full parser for what charts mostly render. What cannot be
/// read has: only the other says what is wrong with it.
pub fn folds_unstably(text: &str) -> bool {
    let parsed = || Tree::parse(text).map(|tree| tree.is_some_and(|tree| tree.folded().iter().any(|f| f.unstable)));
    may_fold(text) && plain_blocks::folds_unstably(text).unwrap_or_else(|| parsed().unwrap_or(true))
}

/// Turns folded scalars that Helm 4 would change into literal or double-quoted ones with the same value.
///
/// Helm 4 parses and writes each document twice, before and after a post-renderer, and each time a folded scalar
/// with more-indented lines gains a newline. The first gain is Helm's and stays; this prevents the second.
/// Returns the text and the pointers of what was restyled. Idempotent.
///
/// # Errors
/// When the text cannot be read, or a scalar not be written another way.
pub fn restyle_folded(text: &str) -> Result<(String, Vec<String>), EditError> {
    let fail = |message: String| EditError::new(0, "", message);
    let Some(tree) = Tree::parse(text).map_err(|error| fail(error.to_string()))? else {
        return Ok((text.to_owned(), Vec::new()));
    };
    let context = Context::new(text, tree.shape());
    let mut edits = Vec::new();
    let mut pointers = Vec::new();
    for folded in tree.folded().into_iter().filter(|folded| folded.unstable) {
        let tokens = pointer::tokens(&folded.pointer).unwrap_or_default();
        let value = tree.value().pointer(&folded.pointer).and_then(Value::as_str);
        if let (Some(value), Some(Found::Node { shape, .. })) = (value, find(tree.shape(), &tokens)) {
            let source = &text[shape.content..shape.span.end];
            let spelled = string_edit::block_text(&context, source, value, shape.span.end)
                .unwrap_or_else(|| double_quoted(value));
            edits.push(Edit::new(shape.content..shape.span.end, spelled));
            pointers.push(folded.pointer);
        }
    }
    let restyled = splice(text, edits).ok_or_else(|| fail("folded scalars overlap".into()))?;
    match read(&restyled) {
        Ok(Some(value)) if value == *tree.value() => Ok((restyled, pointers)),
        _ => Err(fail(
            "a folded scalar cannot be written in another style with the same value".into(),
        )),
    }
}

/// Whether any `>` stands where a folded scalar can begin: behind a blank or a line break, and before nothing but its
/// indicators and a comment on its line. Most of those in scripts do not, and the full parser takes its time.
fn may_fold(text: &str) -> bool {
    let bytes = text.as_bytes();
    // What is not ASCII may be a line break to a YAML 1.1 parser.
    let begins = |at: usize| at == 0 || matches!(bytes[at - 1], b' ' | b'\t' | b'\n' | b'\r' | 0x80..);
    let ends = |at: usize| {
        let indicator = |b: &&u8| matches!(**b, b'+' | b'-' | b'0'..=b'9');
        let rest = &bytes[at + 1..];
        let rest = &rest[rest.iter().take_while(indicator).count()..];
        let behind = rest.iter().find(|b| !matches!(**b, b' ' | b'\t'));
        matches!(behind, None | Some(b'\n' | b'\r' | b'#' | 0x80..))
    };
    memchr_iter(b'>', bytes).any(|at| begins(at) && ends(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_later_key_replaces_folds_nothing() {
        assert!(folds_unstably("a: >\n  x\n\n   y\n"));
        assert!(!folds_unstably("a: >\n  x\n\n   y\na: 1\n"));
    }

    #[test]
    fn what_is_no_header_of_a_folded_scalar_is_not_looked_into() {
        for (text, may) in [
            ("a: >\n  b\n", true),
            ("a: >-\n  b\n", true),
            ("a: >2+ # comment\n    b\n", true),
            ("- >\n  b\n", true),
            (">\n b\n", true),
            ("a:\n  >\n  b", true),
            ("a: !!str\t>-\t\r\n  b\n", true),
            ("a: >", true),
            ("a:\u{85} >\u{85}  b\n", true),
            ("a:\u{a0}>\u{2028}  b\n", true),
            ("a: b > c\n", false),
            ("a: |\n  b > /dev/null 2>&1\n", false),
            ("a: '>='\n", false),
            ("a: x>\n", false),
            ("a: >=2\n", false),
            ("a: b\n", false),
        ] {
            assert_eq!(may_fold(text), may, "{text:?}");
        }
    }
}
