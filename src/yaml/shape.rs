//! Where the values of a document stand: a tree beside the value.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::{Deref, Range};

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
    Literal,
    Folded,
}

/// One node of the source.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// From its anchor or tag, if any, to its last character; never ends in a line break. Empty for an omitted value.
    pub span: Range<usize>,
    /// Where its content starts, after anchor and tag.
    pub content: usize,
    pub kind: Kind,
}

impl Shape {
    /// Whether this is a collection in flow style.
    pub(super) fn is_flow(&self) -> bool {
        matches!(self.kind, Kind::Seq { flow: true, .. } | Kind::Map { flow: true, .. })
    }

    /// Whether this is a collection in block style.
    pub(super) fn is_block_collection(&self) -> bool {
        matches!(self.kind, Kind::Seq { flow: false, .. } | Kind::Map { flow: false, .. })
    }
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Scalar(Style),
    Alias,
    Seq { flow: bool, items: Vec<Shape> },
    Map { flow: bool, entries: Entries },
}

/// The entries of a mapping, in the order of the text.
#[derive(Debug, Clone)]
pub(super) struct Entries {
    all: Vec<Entry>,
    /// How many keys they say something about.
    keys: usize,
    /// Where the last that says something about a key stands; made for mappings of more keys than [`FEW`].
    last: OnceCell<HashMap<String, usize>>,
}

const FEW: usize = 32;

impl From<Vec<Entry>> for Entries {
    fn from(all: Vec<Entry>) -> Entries {
        let keys = |entry: &Entry| entry.merged.as_ref().map_or(1, Vec::len);
        Entries {
            keys: all.iter().map(keys).sum(),
            all,
            last: OnceCell::new(),
        }
    }
}

impl Deref for Entries {
    type Target = [Entry];

    fn deref(&self) -> &[Entry] {
        &self.all
    }
}

impl Entries {
    /// Where the last one stands that says something about a key: that one counts.
    pub(super) fn last_of(&self, key: &str) -> Option<usize> {
        if self.keys <= FEW {
            return self.all.iter().rposition(|entry| entry.holds(key));
        }
        let last = self.last.get_or_init(|| {
            let mut last = HashMap::new();
            for (at, entry) in self.all.iter().enumerate() {
                match &entry.merged {
                    Some(keys) => last.extend(keys.iter().map(|key| (key.clone(), at))),
                    None => drop(last.insert(entry.key.clone(), at)),
                }
            }
            last
        });
        last.get(key).copied()
    }
}

/// One entry of a mapping, as written.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The key as the value tree has it; `<<` for a merge.
    pub key: String,
    pub key_span: Range<usize>,
    /// For a merge: the keys it brings in.
    pub merged: Option<Vec<String>>,
    pub value: Shape,
}

/// What a walk along a pointer ends at.
pub(super) enum Found<'a> {
    /// The node itself, its key or list position, and the nodes above it from the root down.
    Node {
        shape: &'a Shape,
        entry: Option<&'a Entry>,
        parents: Vec<&'a Shape>,
    },
    /// It comes in through this alias or merge.
    Inherited {
        shape: &'a Shape,
        key_span: Option<Range<usize>>,
    },
}

/// Follows tokens from a node.
pub(super) fn find<'a>(root: &'a Shape, tokens: &[String]) -> Option<Found<'a>> {
    let mut shape = root;
    let mut entry = None;
    let mut parents = Vec::new();
    for token in tokens {
        parents.push(shape);
        match &shape.kind {
            Kind::Alias => {
                return Some(Found::Inherited {
                    shape,
                    key_span: entry.map(key_span),
                });
            }
            Kind::Scalar(_) => return None,
            Kind::Seq { items, .. } => {
                shape = items.get(super::pointer::index(token)?)?;
                entry = None;
            }
            Kind::Map { entries, .. } => {
                let last = &entries[entries.last_of(token)?];
                if last.merged.is_some() {
                    return Some(Found::Inherited {
                        shape: &last.value,
                        key_span: Some(last.key_span.clone()),
                    });
                }
                shape = &last.value;
                entry = Some(last);
            }
        }
    }
    Some(Found::Node { shape, entry, parents })
}

fn key_span(entry: &Entry) -> Range<usize> {
    entry.key_span.clone()
}

impl Entry {
    /// Whether the entry says something about a key.
    pub(super) fn holds(&self, key: &str) -> bool {
        match &self.merged {
            Some(keys) => keys.iter().any(|merged| merged == key),
            None => self.key == key,
        }
    }
}
