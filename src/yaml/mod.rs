//! YAML text: documents, values as go-yaml reads them, spans, scalars and edits. Knows no Kubernetes.
//!
//! The reader answers what `sigs.k8s.io/yaml` (Helm, kubectl, the API server) makes of a text, and refuses what it
//! refuses. The editor changes bytes of the original text and never re-emits what was not asked for.
//!
//! * [`split`] cuts a stream into documents without losing a byte.
//! * [`read`] turns one document into a [`Value`], [`excerpt`] some keys of one; [`Tree`] also knows where each value stands.
//! * [`patch`] applies RFC 6902 operations to the text, [`patch_value`] the same to the value.
//! * [`emit`] and [`scalar`] write new YAML that every reader takes for the same value.
//! * [`without_json_escapes`] makes YAML of JSON that go-yaml would refuse, for readers that take JSON.
//! * [`restyle_folded`] protects folded scalars from a second pass through Helm 4, where [`folds_unstably`] finds any.

mod block_edit;
mod compose;
mod edit;
mod emit;
mod flow_edit;
mod folded;
mod guard;
mod json;
mod layout;
mod limits;
mod plain_blocks;
mod pointer;
mod record;
mod resolve;
mod restyle;
mod shape;
mod split;
mod string_edit;
#[cfg(test)]
mod tests;
mod tree;
mod value_patch;

use std::cell::OnceCell;
use std::fmt;

pub use compose::{excerpt, read, read_among};
pub use edit::{EditError, Op, PatchOp, patch};
pub use emit::{emit, inline, scalar};
pub use folded::{folds_unstably, restyle_folded};
pub use json::without_json_escapes;
pub use limits::{Copies, MAX_DEPTH};
pub use plain_blocks::Wanted;
pub use split::{Document, split};
pub use tree::{Folded, Tree};
pub use value_patch::{Inside, patch_value, patch_value_within};

pub use crate::value::{Map, Value};

/// A text that is not a document Helm and Kubernetes would read, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    /// What is wrong, in words.
    pub message: String,
    /// The byte offset into the text handed in.
    pub offset: usize,
}

impl YamlError {
    pub(crate) fn new(message: impl Into<String>, offset: usize) -> Self {
        Self {
            message: message.into(),
            offset,
        }
    }
}

impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (byte {})", self.message, self.offset)
    }
}

impl std::error::Error for YamlError {}

/// A place in a text as people count: both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// The lines of a text, for many positions in it: each is found without reading the text again.
#[derive(Debug)]
pub struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
    /// How many characters begin before each [`PIECE`]; counted when a long line asks for it.
    begun: OnceCell<Vec<usize>>,
}

/// A list of the API server may be one line of many megabytes.
const PIECE: usize = 1024;

impl<'t> Lines<'t> {
    /// Finds where each line starts.
    pub fn of(text: &'t str) -> Self {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            text,
            starts: std::iter::once(0).chain(breaks).collect(),
            begun: OnceCell::new(),
        }
    }

    /// The same as [`position`] says.
    pub fn position(&self, offset: usize) -> Position {
        let offset = offset.min(self.text.len());
        let before = self.starts.partition_point(|start| *start <= offset) - 1;
        let start = self.starts[before];
        let column = match offset - start {
            short if short <= PIECE => position(&self.text[start..], short).column,
            _ => {
                let behind = self.characters(offset) - self.characters(start);
                let marks = self.text[start..].chars().take(behind).take_while(|c| *c == '\u{feff}');
                behind - marks.count() + 1
            }
        };
        Position {
            line: before + 1,
            column,
        }
    }

    /// How many characters end before an offset.
    fn characters(&self, mut offset: usize) -> usize {
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let count = |bytes: &[u8]| bytes.iter().filter(|b| !matches!(**b, 0x80..=0xbf)).count();
        let begun = self.begun.get_or_init(|| {
            let mut begun = vec![0];
            for piece in self.text.as_bytes().chunks(PIECE) {
                begun.push(begun[begun.len() - 1] + count(piece));
            }
            begun
        });
        begun[offset / PIECE] + count(&self.text.as_bytes()[offset / PIECE * PIECE..offset])
    }
}

/// The line and column of a byte offset. An offset past the end, or inside a character, counts as the nearest before.
pub fn position(text: &str, offset: usize) -> Position {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before[line_start..].trim_start_matches('\u{feff}');
    Position {
        line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
        column: column.chars().count() + 1,
    }
}
