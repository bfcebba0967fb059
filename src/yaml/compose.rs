//! From parser events to values: anchors, merges, keys, limits. One pass, with or without spans.

use std::collections::HashMap;

use libyaml_safer::{Encoding, Event, EventData, MappingStyle, Mark, Parser, ScalarStyle, SequenceStyle};

use super::guard::guarded;
use super::layout::{self, Source};
use super::limits::{Budget, Copies, Cost, MAX_DEPTH, leading};
use super::record::{Head, Leaf, Record, Shapes, Values, has_properties, is_merge};
use super::resolve::{Scalar, resolve};
use super::shape::Shape;
use super::{Map, Value, Wanted, YamlError, plain_blocks};
use crate::value::Text;

/// Said without the anchor's name: where a password begins with `*` and lacks its quotes, the name is the password.
const UNKNOWN_ANCHOR: &str = "an alias (`*`) of an anchor that is not there; quote a text that begins with `*`";

pub(super) const DIRECTIVE: &str = "a `%` directive: Helm refuses it";

const MULTIPLIES: &str = "the document multiplies itself through aliases";

/// Reads one document's body as `sigs.k8s.io/yaml` does. `None`: nothing but comments, blank lines or a null.
pub fn read(text: &str) -> Result<Option<Value>, YamlError> {
    read_among(text, &mut Copies::of(text.len()))
}

/// [`read`], for one of several that are held together: what aliases copy is counted over all.
pub fn read_among(text: &str, copies: &mut Copies) -> Result<Option<Value>, YamlError> {
    match plain_blocks::read(text) {
        Some(value) => Ok(value),
        None => parsed_among(text, copies),
    }
}

/// What a document says at some keys: those that are wanted, perhaps all. What it says elsewhere is passed over by the
/// rules of syntax alone, so a fault may go unseen there.
pub fn excerpt(text: &str, wanted: &'static Wanted, copies: &mut Copies) -> Result<Option<Value>, YamlError> {
    match plain_blocks::excerpt(text, wanted) {
        Some(value) => Ok(value),
        None => parsed_among(text, copies),
    }
}

/// [`read`] by the full parser, whatever the document.
#[cfg(test)]
pub(super) fn read_parsed(text: &str) -> Result<Option<Value>, YamlError> {
    parsed_among(text, &mut Copies::of(text.len()))
}

fn parsed_among(text: &str, copies: &mut Copies) -> Result<Option<Value>, YamlError> {
    let value = compose::<Values>(text, copies)?.map(|(value, ())| value);
    Ok(value.filter(|value| !value.is_null()))
}

/// Reads a document's body together with the shape of its source.
pub(super) fn read_shape(text: &str) -> Result<Option<(Value, Shape)>, YamlError> {
    compose::<Shapes>(text, &mut Copies::of(text.len()))
}

/// A node that was read.
struct Node<N> {
    value: Value,
    /// The scalar before it became a value; what a key is made of.
    scalar: Option<Scalar>,
    cost: Cost,
    shape: N,
}

/// What an anchor stands for; `None` while its node is still being read.
type Anchors = HashMap<String, Option<Anchored>>;

#[derive(Clone)]
struct Anchored {
    value: Value,
    scalar: Option<Scalar>,
    cost: Cost,
}

struct Composer<'t> {
    source: Source<'t>,
    parser: Parser<layout::Chunks<'t>>,
    anchors: Anchors,
    depth: usize,
    budget: Budget,
}

fn compose<R: Record>(text: &str, copies: &mut Copies) -> Result<Option<(Value, R::Node)>, YamlError> {
    layout::check_characters(text)?;
    let source = Source::new(text);
    let mut parser = Parser::new();
    parser.set_encoding(Encoding::Utf8);
    parser.set_input(source.chunks());
    let mut composer = Composer {
        source,
        parser,
        anchors: HashMap::new(),
        depth: 0,
        budget: Budget::of(copies.for_one(text.len())),
    };
    let composed = guarded(text, || composer.document::<R>());
    copies.spend(composer.budget.copied);
    composed
}

impl Composer<'_> {
    fn next(&mut self) -> Result<Event, YamlError> {
        self.parser.parse().map_err(|error| self.source.error(&error))
    }

    fn fail<T>(&self, message: impl Into<String>, mark: Mark) -> Result<T, YamlError> {
        Err(YamlError::new(message, self.source.offset(mark)))
    }

    fn document<R: Record>(&mut self) -> Result<Option<(Value, R::Node)>, YamlError> {
        let before = self.next()?;
        self.check_directives(before.end_mark)?;
        let start = self.next()?;
        match &start.data {
            EventData::StreamEnd => return Ok(None),
            EventData::DocumentStart {
                version_directive,
                tag_directives,
                ..
            } => {
                if version_directive.is_some() || !tag_directives.is_empty() {
                    return self.fail(DIRECTIVE, start.start_mark);
                }
            }
            _ => return self.fail("no document starts here", start.start_mark),
        }
        let first = self.next()?;
        let root_start = first.start_mark;
        let empty = matches!(&first.data, EventData::Scalar { value, style: ScalarStyle::Plain, anchor: None, tag: None, .. } if value.is_empty());
        let root = self.node::<R>(first)?;
        let last = self.next()?;
        self.check_directives(last.end_mark)?;
        let end = self.next().map_err(|error| self.after_root(error, root_start))?;
        if !matches!(end.data, EventData::StreamEnd) {
            return self.fail("a second document in what should be one", end.start_mark);
        }
        let value = self.value(root.value, root.scalar, root_start)?;
        Ok((!empty).then_some((value, root.shape)))
    }

    /// Refuses more directives than the parser takes in time, before it reads them. Fewer it refuses itself.
    fn check_directives(&self, behind: Mark) -> Result<(), YamlError> {
        let from = self.source.offset(behind);
        match layout::many_directives(&self.source.text[from..]) {
            Some(at) => Err(YamlError::new(DIRECTIVE, from + at)),
            None => Ok(()),
        }
    }

    /// Says more about text that follows the root node.
    fn after_root(&self, error: YamlError, root: Mark) -> YamlError {
        let text = self.source.text;
        let here = |offset: usize| text[offset.min(text.len())..].starts_with(['{', '[']);
        if here(self.source.offset(root)) && here(error.offset) {
            return YamlError::new(
                "several JSON values in one document: separate them with `---`, or all but the first are lost",
                error.offset,
            );
        }
        if error.message.ends_with("<document start>") {
            return YamlError::new(
                "text after the end of the document's value, which Go would drop",
                error.offset,
            );
        }
        error
    }

    fn node<R: Record>(&mut self, event: Event) -> Result<Node<R::Node>, YamlError> {
        match &event.data {
            EventData::Scalar { .. } => self.scalar::<R>(event),
            EventData::Alias { .. } => self.alias::<R>(&event),
            EventData::SequenceStart { .. } | EventData::MappingStart { .. } => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return self.fail(format!("nested deeper than {MAX_DEPTH} levels"), event.start_mark);
                }
                let node = self.collection::<R>(event);
                self.depth -= 1;
                node
            }
            _ => self.fail("a value is missing here", event.start_mark),
        }
    }

    fn scalar<R: Record>(&mut self, mut event: Event) -> Result<Node<R::Node>, YamlError> {
        let EventData::Scalar {
            anchor,
            tag,
            value,
            style,
            ..
        } = &mut event.data
        else {
            return self.fail("not a scalar", event.start_mark);
        };
        let (style, anchor, tag) = (*style, anchor.clone(), tag.clone());
        let mut text = std::mem::take(value);
        if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
            self.source.correct_end(&mut text, event.start_mark, event.end_mark);
        }
        self.count(1, 0, event.start_mark)?;
        if style == ScalarStyle::DoubleQuoted {
            self.source.check_escapes(event.start_mark, event.end_mark)?;
        }
        let plain = style == ScalarStyle::Plain;
        let start = event.start_mark;
        let cost = Cost::one(text.len());
        let scalar = resolve(tag.as_deref(), text.into(), plain).or_else(|message| self.fail(message, start))?;
        let shape = R::leaf(&self.source, &event, Leaf::Scalar(style));
        if let Some(anchor) = anchor {
            self.copy(cost, start)?;
            let value = scalar.clone().into_value().unwrap_or(Value::Null);
            self.anchors.insert(
                anchor,
                Some(Anchored {
                    value,
                    scalar: Some(scalar.clone()),
                    cost,
                }),
            );
        }
        Ok(Node {
            value: Value::Null,
            scalar: Some(scalar),
            cost,
            shape,
        })
    }

    fn alias<R: Record>(&mut self, event: &Event) -> Result<Node<R::Node>, YamlError> {
        let EventData::Alias { anchor } = &event.data else {
            return self.fail("not an alias", event.start_mark);
        };
        let mut cost = match self.anchors.get(anchor) {
            None => return self.fail(UNKNOWN_ANCHOR, event.start_mark),
            Some(None) => {
                return self.fail(format!("anchor `{anchor}` contains itself"), event.start_mark);
            }
            Some(Some(target)) => target.cost,
        };
        self.count(1 + cost.nodes, cost.nodes, event.start_mark)?;
        self.copy(cost, event.start_mark)?;
        cost.nodes += 1;
        let target = self.anchors.get(anchor).cloned().flatten();
        let Some(target) = target else {
            return self.fail(UNKNOWN_ANCHOR, event.start_mark);
        };
        let shape = R::leaf(&self.source, event, Leaf::Alias);
        Ok(Node {
            value: target.value,
            scalar: target.scalar,
            cost,
            shape,
        })
    }

    fn count(&mut self, nodes: usize, copies: usize, mark: Mark) -> Result<(), YamlError> {
        if self.budget.spend(nodes, copies) {
            return Ok(());
        }
        self.fail(MULTIPLIES, mark)
    }

    /// Counts what an alias brings, or an anchor keeps for it.
    fn copy(&mut self, cost: Cost, mark: Mark) -> Result<(), YamlError> {
        if self.budget.copy(cost) {
            return Ok(());
        }
        self.fail(MULTIPLIES, mark)
    }

    fn collection<R: Record>(&mut self, mut event: Event) -> Result<Node<R::Node>, YamlError> {
        let properties = has_properties(&event.data);
        let (anchor, flow, is_map) = match &mut event.data {
            EventData::SequenceStart { anchor, style, .. } => (anchor.take(), *style == SequenceStyle::Flow, false),
            EventData::MappingStart { anchor, style, .. } => (anchor.take(), *style == MappingStyle::Flow, true),
            _ => (None, false, false),
        };
        if let Some(anchor) = &anchor {
            self.anchors.insert(anchor.clone(), None);
        }
        let head = Head {
            start: event.start_mark,
            end: event.end_mark,
            flow,
            properties,
        };
        self.count(1, 0, head.start)?;
        let node = if is_map {
            self.mapping::<R>(&head)?
        } else {
            self.sequence::<R>(&head)?
        };
        let (led, allowed) = (node.cost.paths, leading(self.source.text.len()));
        if led > allowed {
            let message = format!(
                "the keys that lead to the values in here are {led} bytes together, and up to {allowed} are read in a document of this \
                 size: shorten the keys, or nest them less"
            );
            return self.fail(message, head.start);
        }
        if let Some(anchor) = anchor {
            self.copy(node.cost, head.start)?;
            let anchored = Anchored {
                value: node.value.clone(),
                scalar: None,
                cost: node.cost,
            };
            self.anchors.insert(anchor, Some(anchored));
        }
        Ok(node)
    }

    fn sequence<R: Record>(&mut self, head: &Head) -> Result<Node<R::Node>, YamlError> {
        let (mut values, mut shapes, mut cost) = (Vec::new(), Vec::new(), Cost::one(0));
        loop {
            let event = self.next()?;
            if matches!(event.data, EventData::SequenceEnd) {
                let shape = R::sequence(&self.source, head, event.end_mark, shapes);
                return Ok(Node {
                    value: Value::Array(values),
                    scalar: None,
                    cost,
                    shape,
                });
            }
            let start = event.start_mark;
            let node = self.node::<R>(event)?;
            cost.item(node.cost);
            values.push(self.value(node.value, node.scalar, start)?);
            shapes.push(node.shape);
        }
    }

    fn mapping<R: Record>(&mut self, head: &Head) -> Result<Node<R::Node>, YamlError> {
        let (mut map, mut entries, mut cost) = (Map::new(), R::Entries::default(), Cost::one(0));
        let mut typed_keys = HashMap::new();
        loop {
            let event = self.next()?;
            if matches!(event.data, EventData::MappingEnd) {
                let shape = R::mapping(&self.source, head, event.end_mark, entries);
                return Ok(Node {
                    value: Value::Object(map),
                    scalar: None,
                    cost,
                    shape,
                });
            }
            let span = self.source.range(event.start_mark, event.end_mark);
            if is_merge(&event.data) {
                let value = self.next()?;
                let (start, is_alias) = (value.start_mark, matches!(value.data, EventData::Alias { .. }));
                let node = self.node::<R>(value)?;
                cost.item(node.cost);
                let merged = self.merged(node.value, is_alias, start)?;
                R::entry(&mut entries, "<<", &span, Some(&merged), node.shape);
                map.extend(merged);
                continue;
            }
            let start = event.start_mark;
            let key = self.node::<R>(event)?;
            let Some(scalar) = key.scalar else {
                return self.fail("a map or a list is no map key", start);
            };
            let key_type = (!matches!(scalar, Scalar::Str(_))).then(|| scalar.clone());
            let key_text = scalar.into_key().or_else(|message| self.fail(message, start))?;
            let event = self.next()?;
            let value_start = event.start_mark;
            let node = self.node::<R>(event)?;
            cost.entry(key.cost, key_text.len(), node.cost);
            let value = self.value(node.value, node.scalar, value_start)?;
            R::entry(&mut entries, &key_text, &span, None, node.shape);
            let again = (key_type.is_some() || !typed_keys.is_empty()).then(|| key_text.clone());
            let is_known = map.insert(key_text, value).is_some();
            if let Some(key) = again {
                self.check_key_type(&mut typed_keys, key, key_type, is_known, start)?;
            }
        }
    }

    /// Refuses a key that is there twice as different types (`1` and `'1'`): which one wins is chance in Go.
    fn check_key_type(
        &self,
        typed: &mut HashMap<Text, Scalar>,
        key: Text,
        key_type: Option<Scalar>,
        is_known: bool,
        mark: Mark,
    ) -> Result<(), YamlError> {
        if is_known && typed.get(&key) != key_type.as_ref() {
            return self.fail(
                format!("the key `{key}` is there twice, spelled so that either may win"),
                mark,
            );
        }
        typed.extend(key_type.map(|scalar| (key, scalar)));
        Ok(())
    }

    fn value(&self, value: Value, scalar: Option<Scalar>, mark: Mark) -> Result<Value, YamlError> {
        match scalar {
            Some(scalar) => scalar.into_value().or_else(|message| self.fail(message, mark)),
            None => Ok(value),
        }
    }

    /// What a `<<` brings in. In a list the earlier map wins, so the later ones are laid down first.
    fn merged(&self, value: Value, is_alias: bool, mark: Mark) -> Result<Map, YamlError> {
        let refuse = || self.fail("a `<<` merges a map or a list of maps, nothing else", mark);
        match value {
            Value::Object(map) => Ok(map),
            // Go merges a list of maps only where it is written out.
            Value::Array(items) if !is_alias => {
                let mut merged = Map::new();
                for item in items.into_iter().rev() {
                    match item {
                        Value::Object(map) => merged.extend(map),
                        _ => return refuse(),
                    }
                }
                Ok(merged)
            }
            _ => refuse(),
        }
    }
}
