//! A manifest stream: its text, its documents and the objects in them.

mod bytes;
pub mod survey;

use std::cell::LazyCell;
use std::sync::{Arc, OnceLock};

use foldhash::HashMap;
use memchr::memchr;

use crate::finding::Input;
use crate::host::{self, Host, krm};
use crate::kube::Object;
use crate::kube::object::NotAnObject;
use crate::yaml::{self, Copies, Document, Lines, Position, Value};

pub use bytes::Bytes;

/// A stream that was read whole.
#[derive(Debug)]
pub struct Stream {
    /// The text as it came in.
    pub text: Arc<String>,
    /// Its documents; their ranges joined are exactly the text.
    pub documents: Arc<[Document]>,
    /// Its objects, in order; the items of Lists one by one.
    pub objects: Vec<Object>,
    /// Which input it is.
    pub input: Input,
    /// Who handed it over.
    pub host: Host,
    /// What [`host::hides_secrets`] found.
    pub hides_secrets: Arc<OnceLock<bool>>,
    /// What [`host::template_of`] found.
    pub templates: Arc<host::Templates>,
    /// The documents that are one object, and what they say, whatever becomes of `objects`.
    pub as_read: Arc<[(usize, Arc<Value>)]>,
}

/// What was read of the documents of a stream, by their texts.
pub(crate) type Texts<'s> = HashMap<&'s str, &'s Arc<Value>>;

/// A document that Helm or Kubernetes could not read, with the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// What is wrong.
    pub message: String,
    /// Index of the document.
    pub document: usize,
    /// Where, in the whole input.
    pub position: Position,
}

impl Stream {
    /// Reads every document. All that cannot be read is named, not the first alone.
    pub fn read(bytes: impl Into<Bytes>, input: Input) -> Result<Stream, Vec<Unreadable>> {
        Stream::read_beside(bytes, input, None)
    }

    /// The same beside a stream that was read before. A document with the very bytes of one there is the same objects, and
    /// shares them: what an upgrade leaves alone is held once.
    pub fn read_beside(
        bytes: impl Into<Bytes>,
        input: Input,
        other: Option<&Stream>,
    ) -> Result<Stream, Vec<Unreadable>> {
        let texts = other.map(Stream::texts).unwrap_or_default();
        Stream::read_among(bytes, input, &texts)
    }

    /// The same for one of many that are read beside the texts of the other.
    pub(crate) fn read_among(bytes: impl Into<Bytes>, input: Input, texts: &Texts) -> Result<Stream, Vec<Unreadable>> {
        Stream::of(&bytes.into(), input, texts)
    }

    fn of(bytes: &Bytes, input: Input, known: &Texts) -> Result<Stream, Vec<Unreadable>> {
        let Some(text) = bytes.text().cloned() else {
            return Err(vec![no_text(bytes)]);
        };
        let documents = match yaml::split(&text) {
            Ok(documents) => documents,
            Err(e) => {
                let document = text[..e.offset.min(text.len())].matches("\n---").count();
                return Err(vec![Unreadable {
                    message: e.message,
                    document,
                    position: yaml::position(&text, e.offset),
                }]);
            }
        };
        let mut objects = Vec::new();
        let mut bad = Vec::new();
        let lines = LazyCell::new(|| Lines::of(&text));
        let (mut filled, mut envelope) = (0, None);
        let mut copies = Copies::of(text.len());
        for document in &documents {
            let body = &text[document.body.clone()];
            let mut fail = |message: String, offset: usize| {
                let position = lines.position(document.body.start + offset);
                bad.push(Unreadable {
                    message,
                    document: document.index,
                    position,
                });
            };
            let same = known
                .get(body)
                .map(|value| Object::alone_in(document.index, Arc::clone(value)));
            if let Some(Ok(same)) = same {
                filled += 1;
                objects.push(same);
                continue;
            }
            match yaml::read_among(body, &mut copies) {
                Ok(None) => {}
                Ok(Some(value)) => {
                    filled += 1;
                    if krm::is_envelope(&value) {
                        envelope = Some(document.index);
                        if let Some((message, pointer)) = krm::fault(&value) {
                            fail(message, offset_of(body, &pointer));
                            continue;
                        } else if value["items"].is_null() {
                            continue;
                        }
                    }
                    match Object::all_in(document.index, value) {
                        Ok(mut found) => objects.append(&mut found),
                        Err(NotAnObject { message, pointer }) => fail(message, offset_of(body, &pointer)),
                    }
                }
                Err(e) => fail(e.message, e.offset),
            }
        }
        if let Some(document) = envelope.filter(|_| filled > 1) {
            bad.push(Unreadable {
                message: format!("a ResourceList stands alone in its stream, here are {filled} documents"),
                document,
                position: yaml::position(&text, documents[document].body.start),
            });
        }
        drop(lines);
        if !bad.is_empty() {
            return Err(bad);
        }
        let alone = objects.iter().filter(|o: &&Object| o.pointer.is_empty());
        let as_read = match envelope {
            Some(_) => Arc::default(),
            None => alone.map(|o| (o.document, Arc::clone(&o.value))).collect(),
        };
        let mut stream = Stream {
            as_read,
            text,
            documents: documents.into(),
            objects,
            input,
            host: Host::Plain,
            hides_secrets: Arc::default(),
            templates: Arc::default(),
        };
        stream.host = match envelope {
            Some(_) => Host::Krm,
            None => host::detect(&stream),
        };
        Ok(stream)
    }

    /// What was read of the documents that are one object, by their texts.
    pub(crate) fn texts(&self) -> Texts<'_> {
        let each = self.as_read.iter();
        each.map(|(document, value)| (self.body(*document), value)).collect()
    }

    /// The same stream with some of its objects.
    pub fn with(&self, objects: Vec<Object>) -> Stream {
        Stream {
            text: Arc::clone(&self.text),
            documents: Arc::clone(&self.documents),
            objects,
            input: self.input,
            host: self.host,
            hides_secrets: Arc::clone(&self.hides_secrets),
            templates: Arc::clone(&self.templates),
            as_read: Arc::clone(&self.as_read),
        }
    }

    /// The text of one document without its separator.
    pub fn body(&self, document: usize) -> &str {
        &self.text[self.documents[document].body.clone()]
    }

    /// Line and column of the value at a pointer in a document; of the document where the pointer leads nowhere.
    pub fn position(&self, document: usize, pointer: &str) -> Position {
        let body = self.body(document);
        yaml::position(
            &self.text,
            self.documents[document].body.start + offset_of(body, pointer),
        )
    }

    /// The same for many pointers at once: each document is read once, however large a List it holds.
    pub fn positions(&self, of: &[(usize, &str)]) -> Vec<Position> {
        let lines = Lines::of(&self.text);
        let mut order: Vec<usize> = (0..of.len()).collect();
        // A tree keeps the last text it looked into: what points into the same stands together.
        order.sort_unstable_by_key(|i| of[*i]);
        let mut found = vec![Position { line: 1, column: 1 }; of.len()];
        // One document's tree at a time: those of a large stream take many times its size.
        let mut last: Option<(usize, Option<yaml::Tree>)> = None;
        for i in order {
            let (document, pointer) = of[i];
            if last.as_ref().is_none_or(|(before, _)| *before != document) {
                last = Some((document, yaml::Tree::parse(self.body(document)).ok().flatten()));
            }
            let tree = last.as_ref().and_then(|(_, tree)| tree.as_ref());
            let offset = tree.map_or(0, |tree| offset_in(tree, pointer));
            found[i] = lines.position(self.documents[document].body.start + offset);
        }
        found
    }
}

/// Where bytes are no text.
fn no_text(bytes: &[u8]) -> Unreadable {
    let good = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    Unreadable {
        message: format!(
            "byte {:#04x} is no UTF-8 here; Helm and Kubernetes read UTF-8 only",
            bytes.get(good.len()).copied().unwrap_or_default()
        ),
        document: 0,
        position: yaml::position(good, good.len()),
    }
}

/// Where a text goes on behind the comments it begins with.
fn behind_comments(body: &str) -> usize {
    let bytes = body.as_bytes();
    let mut start = 0;
    while bytes.get(start) == Some(&b'#') {
        start = memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |end| start + end + 1);
    }
    start
}

/// The offset of a value, of its nearest ancestor that is there, or of the first content.
fn offset_of(body: &str, pointer: &str) -> usize {
    match yaml::Tree::parse(body) {
        Ok(Some(tree)) => offset_in(&tree, pointer),
        _ => 0,
    }
}

fn offset_in(tree: &yaml::Tree, pointer: &str) -> usize {
    let mut pointer = pointer;
    loop {
        if let Some(span) = tree.key_span(pointer).or_else(|| tree.span(pointer)) {
            return span.start;
        }
        match pointer.rfind(['/', '#']) {
            Some(i) => pointer = &pointer[..i],
            None => return 0,
        }
    }
}

#[cfg(test)]
mod tests;
