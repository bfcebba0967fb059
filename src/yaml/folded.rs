//! Folded scalars, made safe against a second pass through Helm 4.
use super::edit::{Context, Edit, EditError, splice};
use super::emit::double_quoted;
use super::shape::{Found, find};
use super::{Tree, Value, pointer, read, string_edit};

/// Turns folded scalars that Helm 4 would change into literal or double-quoted ones with the same value.
///
/// Helm 4 parses and writes each document twice, before and after a post-renderer, and each time a folded scalar
/// with more-indented lines gains a newline. The first gain is Helm's and stays; this prevents the second.
/// Returns the text and the pointers of what was restyled. Idempotent.
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
