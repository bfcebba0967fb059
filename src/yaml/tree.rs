//! A document's value together with where each part of it stands.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use super::compose::read_shape;
use super::pointer;
use super::shape::{Found, Kind, Shape, Style, find};
use super::string_edit::StringMap;
use super::{Value, YamlError, restyle};

/// A parsed document that remembers where its values stand.
#[derive(Debug, Clone)]
pub struct Tree {
    text: String,
    value: Value,
    shape: Shape,
    /// The text inside it that was looked into last: what is asked for comes in numbers for one.
    inside: RefCell<Option<Rc<Inside>>>,
}

/// A text inside a document.
#[derive(Debug)]
struct Inside {
    /// Its pointer.
    at: String,
    tree: Option<Tree>,
    /// Where it is spelled in the document; `None` where lines are folded.
    spelled: Option<StringMap>,
}

/// A folded (`>`) scalar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded {
    /// The RFC 6901 pointer of its value.
    pub pointer: String,
    /// The whole scalar, header included.
    pub span: Range<usize>,
    /// Whether a pass through Helm 4's kyaml writes it so that it reads back as another string.
    pub unstable: bool,
}

impl Tree {
    /// Parses one document's body. `None` as in [`super::read`].
    pub fn parse(text: &str) -> Result<Option<Self>, YamlError> {
        Ok(read_shape(text)?
            .filter(|(value, _)| !value.is_null())
            .map(|(value, shape)| Self {
                text: text.to_owned(),
                value,
                shape,
                inside: RefCell::default(),
            }))
    }

    /// The document's value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The span of the value at a pointer: for a block scalar the whole of it, header included; for an omitted value
    /// an empty span; for one that comes in through an alias or a merge, the alias or the merged node.
    /// `/data/default.yaml#/mq/type` looks inside the text of that string.
    pub fn span(&self, path: &str) -> Option<Range<usize>> {
        self.locate(path, false)
    }

    /// The span of the key of the value at a pointer. `None` for list items and the root.
    pub fn key_span(&self, path: &str) -> Option<Range<usize>> {
        self.locate(path, true)
    }

    /// All folded scalars, in the order of the text.
    pub fn folded(&self) -> Vec<Folded> {
        let mut out = Vec::new();
        collect(&self.shape, &self.value, &mut Vec::new(), &mut out);
        out
    }

    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    fn locate(&self, path: &str, key: bool) -> Option<Range<usize>> {
        if self.value.pointer(path).is_some() {
            return match find(&self.shape, &pointer::tokens(path)?)? {
                Found::Node { entry, .. } if key => entry.map(|entry| entry.key_span.clone()),
                Found::Node { shape, .. } => Some(shape.span.clone()),
                Found::Inherited { key_span, .. } if key => key_span,
                Found::Inherited { shape, .. } => Some(shape.span.clone()),
            };
        }
        let (outer, inner) = pointer::split_embedded(&self.value, path)?;
        let inside = self.inside(outer)?;
        let inner = inside.tree.as_ref()?.locate(inner, key)?;
        match find(&self.shape, &pointer::tokens(outer)?)? {
            Found::Inherited { shape, .. } => Some(shape.span.clone()),
            Found::Node { shape, .. } => {
                let spelled = inside.spelled.as_ref();
                Some(spelled.map_or_else(|| shape.span.clone(), |map| map.range(inner)))
            }
        }
    }

    /// What the text at a pointer holds.
    fn inside(&self, at: &str) -> Option<Rc<Inside>> {
        let mut last = self.inside.borrow_mut();
        if let Some(known) = last.as_ref().filter(|known| known.at == at) {
            return Some(Rc::clone(known));
        }
        let text = self.value.pointer(at)?.as_str()?;
        let spelled = match find(&self.shape, &pointer::tokens(at)?)? {
            Found::Node { shape, .. } => StringMap::new(&self.text, shape, text),
            Found::Inherited { .. } => None,
        };
        let inside = Rc::new(Inside {
            at: at.to_owned(),
            tree: Self::parse(text).ok().flatten(),
            spelled,
        });
        *last = Some(Rc::clone(&inside));
        Some(inside)
    }
}

fn collect(shape: &Shape, value: &Value, path: &mut Vec<String>, out: &mut Vec<Folded>) {
    match (&shape.kind, value) {
        (Kind::Scalar(Style::Folded), Value::String(text)) => out.push(Folded {
            pointer: pointer::join(path),
            span: shape.span.clone(),
            unstable: restyle::is_unstable(text),
        }),
        (Kind::Seq { items, .. }, Value::Array(values)) => {
            for (index, (item, value)) in items.iter().zip(values).enumerate() {
                path.push(index.to_string());
                collect(item, value, path, out);
                path.pop();
            }
        }
        (Kind::Map { entries, .. }, Value::Object(map)) => {
            for (index, entry) in entries.iter().enumerate() {
                let counts = entry.merged.is_none() && entries.last_of(&entry.key) == Some(index);
                if let (true, Some(value)) = (counts, map.get(&entry.key)) {
                    path.push(entry.key.clone());
                    collect(&entry.value, value, path, out);
                    path.pop();
                }
            }
        }
        _ => {}
    }
}
