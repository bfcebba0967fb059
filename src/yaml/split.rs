//! Streams: where one document ends and the next begins.

use std::ops::Range;

use memchr::{memchr, memmem};

use super::YamlError;

/// One document of a stream.
///
/// The `whole` ranges of a stream, joined in order, are exactly its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its number in the stream, from 0. Empty and comment-only documents count.
    pub index: usize,
    /// The separator line, if there is one, and the body.
    pub whole: Range<usize>,
    /// What stands after the separator line.
    pub body: Range<usize>,
}

/// Cuts a stream at its `---` lines.
///
/// A separator is a line that starts with `---` and goes on with nothing, white space, or white space and a comment.
/// Any other line that starts with `---` is an error, as it is for Helm, and so is content after a `...` line, which
/// Helm would drop without a word. A stream of zero bytes has no documents.
pub fn split(text: &str) -> Result<Vec<Document>, YamlError> {
    let mut documents = Vec::new();
    if text.is_empty() {
        return Ok(documents);
    }
    let bom = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let (mut whole_start, mut body_start) = (0, 0);
    let mut ended_at = None;
    let mut at = 0;
    // Nothing but `...` lines makes others matter than those that begin with `---`.
    let only_dashes = !text[bom..].starts_with("...") && memmem::find(text.as_bytes(), b"\n...").is_none();
    let dashes = memmem::Finder::new(b"\n---");
    while at < text.len() {
        let from = if at == 0 { bom } else { at };
        if only_dashes && !text[from..].starts_with("---") {
            at = dashes
                .find(&text.as_bytes()[at..])
                .map_or(text.len(), |len| at + len + 1);
            continue;
        }
        let end = memchr(b'\n', &text.as_bytes()[at..]).map_or(text.len(), |len| at + len + 1);
        let line = text[from..end].trim_end_matches(['\n', '\r']);
        if is_separator(line, from)? {
            if at > 0 {
                push(&mut documents, whole_start..at, body_start..at);
                whole_start = at;
            }
            body_start = end;
            ended_at = None;
        } else if is_document_end(line) {
            ended_at = Some(from);
        } else if ended_at.is_some() && !is_blank_or_comment(line) {
            return Err(YamlError::new(
                "content after a `...` line: Helm reads only what stands before it; start a new document with `---`",
                from,
            ));
        }
        at = end;
    }
    push(&mut documents, whole_start..text.len(), body_start..text.len());
    Ok(documents)
}

fn push(documents: &mut Vec<Document>, whole: Range<usize>, body: Range<usize>) {
    let index = documents.len();
    documents.push(Document { index, whole, body });
}

fn is_separator(line: &str, offset: usize) -> Result<bool, YamlError> {
    let Some(rest) = line.strip_prefix("---") else {
        return Ok(false);
    };
    let content = rest.trim_start_matches([' ', '\t']);
    if content.is_empty() || (content.len() < rest.len() && content.starts_with('#')) {
        return Ok(true);
    }
    let message = if content.len() == rest.len() {
        "invalid YAML document separator: `---` must stand alone on its line, text is glued to it"
    } else {
        "invalid YAML document separator: a document starts on the line after `---`, not on it"
    };
    Err(YamlError::new(message, offset))
}

fn is_document_end(line: &str) -> bool {
    line.strip_prefix("...")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r']))
}

fn is_blank_or_comment(line: &str) -> bool {
    let content = line.trim_start_matches([' ', '\t', '\r']);
    content.is_empty() || content.starts_with('#')
}
