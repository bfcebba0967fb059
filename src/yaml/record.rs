//! What a parse records beside the values: nothing, or where each node stands.

use std::ops::Range;

use libyaml_safer::{Event, EventData, Mark, ScalarStyle};

use super::Map;
use super::layout::{self, Source};
use super::shape::{Entry, Kind, Shape, Style};
use crate::value::Text;

/// What is recorded beside the values.
pub(super) trait Record {
    type Node;
    type Entries: Default;
    fn leaf(source: &Source<'_>, event: &Event, kind: Leaf) -> Self::Node;
    fn sequence(source: &Source<'_>, head: &Head, end: Mark, items: Vec<Self::Node>) -> Self::Node;
    fn mapping(source: &Source<'_>, head: &Head, end: Mark, entries: Self::Entries) -> Self::Node;
    fn entry(entries: &mut Self::Entries, key: &str, span: &Range<usize>, merged: Option<&Map>, node: Self::Node);
}

/// A node without children.
#[derive(Clone, Copy)]
pub(super) enum Leaf {
    Scalar(ScalarStyle),
    Alias,
}

/// How a collection starts.
pub(super) struct Head {
    pub start: Mark,
    /// Where the start event ends: after `[` or `{` in flow style.
    pub end: Mark,
    pub flow: bool,
    pub properties: bool,
}

/// Values only.
pub(super) struct Values;

impl Record for Values {
    type Node = ();
    type Entries = ();
    fn leaf(_: &Source<'_>, _: &Event, _: Leaf) {}
    fn sequence(_: &Source<'_>, _: &Head, _: Mark, _: Vec<()>) {}
    fn mapping(_: &Source<'_>, _: &Head, _: Mark, (): ()) {}
    fn entry((): &mut (), _: &str, _: &Range<usize>, _: Option<&Map>, (): ()) {}
}

/// Values and where they stand.
pub(super) struct Shapes;

impl Record for Shapes {
    type Node = Shape;
    type Entries = Vec<Entry>;

    fn leaf(source: &Source<'_>, event: &Event, kind: Leaf) -> Shape {
        let span = source.range(event.start_mark, event.end_mark);
        match kind {
            Leaf::Alias => Shape {
                content: span.start,
                span,
                kind: Kind::Alias,
            },
            Leaf::Scalar(style) => {
                let style = match style {
                    ScalarStyle::SingleQuoted => Style::Single,
                    ScalarStyle::DoubleQuoted => Style::Double,
                    ScalarStyle::Literal => Style::Literal,
                    ScalarStyle::Folded => Style::Folded,
                    _ => Style::Plain,
                };
                layout::scalar(source, span, style, has_properties(&event.data))
            }
        }
    }

    fn sequence(source: &Source<'_>, head: &Head, end: Mark, items: Vec<Shape>) -> Shape {
        let last = items.last().map(|item| item.span.end);
        let (span, content) = layout::collection(source, &head.layout(end), last);
        Shape {
            span,
            content,
            kind: Kind::Seq { flow: head.flow, items },
        }
    }

    fn mapping(source: &Source<'_>, head: &Head, end: Mark, entries: Vec<Entry>) -> Shape {
        let last = entries.last().map(|entry| entry.value.span.end.max(entry.key_span.end));
        let (span, content) = layout::collection(source, &head.layout(end), last);
        Shape {
            span,
            content,
            kind: Kind::Map {
                flow: head.flow,
                entries: entries.into(),
            },
        }
    }

    fn entry(entries: &mut Vec<Entry>, key: &str, span: &Range<usize>, merged: Option<&Map>, node: Shape) {
        entries.push(Entry {
            key: key.to_owned(),
            key_span: span.clone(),
            merged: merged.map(|map| map.keys().map(Text::to_string).collect()),
            value: node,
        });
    }
}

impl Head {
    fn layout(&self, end: Mark) -> layout::Collection {
        layout::Collection {
            start: self.start,
            head_end: self.end,
            end,
            flow: self.flow,
            properties: self.properties,
        }
    }
}

/// Whether an anchor or a tag stands before a node.
pub(super) fn has_properties(data: &EventData) -> bool {
    match data {
        EventData::Scalar { anchor, tag, .. }
        | EventData::SequenceStart { anchor, tag, .. }
        | EventData::MappingStart { anchor, tag, .. } => anchor.is_some() || tag.is_some(),
        _ => false,
    }
}

/// A plain `<<`, or one tagged `!!merge` as Helm 4 writes it.
pub(super) fn is_merge(data: &EventData) -> bool {
    match data {
        EventData::Scalar {
            value,
            plain_implicit,
            tag,
            ..
        } => value == "<<" && (*plain_implicit || tag.as_deref() == Some("tag:yaml.org,2002:merge")),
        _ => false,
    }
}
