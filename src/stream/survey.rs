//! A stream too large to be held: each of its documents is read and let go, and read again in the part it belongs to.

use std::collections::HashSet;
use std::sync::Arc;

use foldhash::HashMap;
use memchr::memmem;

use super::{Bytes, Stream, behind_comments};
use crate::finding::Input;
use crate::host::{FILENAME, Host, krm, sources};
use crate::kube::Object;
use crate::value::Value;
use crate::yaml::{self, Copies, Wanted};

/// What is seen of a document: what names an object, selects or labels it and its pods, and what these run.
const SEEN: Wanted = Wanted::Keys(&[
    ("apiVersion", Wanted::All),
    ("kind", Wanted::All),
    ("type", Wanted::All),
    ("items", Wanted::All),
    ("metadata", Wanted::All),
    ("spec", SPEC),
]);

const SPEC: Wanted = Wanted::Keys(&[
    ("selector", Wanted::All),
    ("podSelector", Wanted::All),
    ("ingress", Wanted::All),
    ("egress", Wanted::All),
    ("containers", CONTAINERS),
    ("template", TEMPLATE),
    (
        "jobTemplate",
        Wanted::Keys(&[("spec", Wanted::Keys(&[("template", TEMPLATE)]))]),
    ),
]);

const TEMPLATE: Wanted = Wanted::Keys(&[
    ("metadata", Wanted::All),
    ("spec", Wanted::Keys(&[("containers", CONTAINERS)])),
]);

const CONTAINERS: Wanted = Wanted::Keys(&[("command", Wanted::All), ("args", Wanted::All)]);

/// A stream of which every document was read and none is held.
#[derive(Debug)]
pub struct Survey {
    /// The stream without its objects.
    stream: Stream,
    /// The documents that are an object, ascending, each with the document of the same bytes in the stream beside it.
    objects: Vec<(u32, Option<u32>)>,
}

/// What a document of a stream turned out to be.
#[derive(Debug)]
pub enum Seen<'a> {
    /// This object, as far as it is seen: its identity, labels and selectors, and what its containers run.
    Object(&'a Object),
    /// The very bytes of this object of the stream beside it, by its number among those.
    Twin(usize),
}

/// How many bytes of documents that stand in several parts are held as values.
const KEPT: usize = 4 << 20;

/// What parts have in common.
#[derive(Debug, Default)]
pub struct Kept {
    /// The numbers of the objects that stand in several.
    again: HashSet<usize>,
    read: HashMap<usize, Arc<Value>>,
    size: usize,
    /// Those that were read and not kept, and the bytes of them that were read again.
    passed: HashSet<usize>,
    read_again: usize,
}

impl Kept {
    /// `again` are the numbers of the objects that stand in several parts.
    pub fn new(again: HashSet<usize>) -> Kept {
        Kept {
            again,
            ..Kept::default()
        }
    }

    /// How many bytes were read more often than once.
    #[must_use]
    pub fn read_again(&self) -> usize {
        self.read_again
    }

    /// Keeps an object that was read, where it stands in several parts and there is room.
    fn keep(&mut self, nth: usize, size: usize, value: &Arc<Value>) {
        if !self.again.contains(&nth) {
            return;
        }
        if self.size + size <= KEPT {
            self.size += size;
            self.read.insert(nth, Arc::clone(value));
        } else if !self.passed.insert(nth) {
            self.read_again += size;
        }
    }
}

impl Survey {
    /// Reads every document of a stream and shows each that is an object, in order, until `see` has seen enough. `None` for
    /// that, and where the stream cannot be cut into parts or be read: a document that is no object, a List, an envelope.
    pub fn of(
        bytes: &Bytes,
        input: Input,
        beside: Option<&Survey>,
        mut see: impl FnMut(Seen) -> bool,
    ) -> Option<Survey> {
        let text = Arc::clone(bytes.text()?);
        let documents = yaml::split(&text).ok()?;
        let known: HashMap<_, _> = beside.into_iter().flat_map(Survey::by_text).collect();
        let from_helm4 = beside.is_some_and(|b| b.stream.host == Host::Helm4);
        let mut objects = Vec::with_capacity(documents.len());
        let mut helm4 = false;
        let mut copies = Copies::of(text.len());
        for document in &documents {
            let body = &text[document.body.clone()];
            let number = u32::try_from(document.index).ok()?;
            if let Some((nth, twin)) = known.get(body) {
                objects.push((number, Some(*twin)));
                helm4 |= from_helm4 && memmem::find(body.as_bytes(), FILENAME.as_bytes()).is_some();
                if !see(Seen::Twin(*nth)) {
                    return None;
                }
                continue;
            }
            let Some(value) = yaml::excerpt(body, &SEEN, &mut copies).ok()? else {
                continue;
            };
            if krm::is_envelope(&value) {
                return None;
            }
            let found = Object::all_in(document.index, value).ok()?;
            let [object] = &found[..] else { return None };
            if !object.pointer.is_empty() || !see(Seen::Object(object)) {
                return None;
            }
            helm4 |= object.annotation(FILENAME).is_some();
            objects.push((number, None));
        }
        let host = if helm4 { Host::Helm4 } else { sources(&text) };
        let stream = Stream {
            text,
            documents: documents.into(),
            objects: vec![],
            input,
            host,
            hides_secrets: Arc::default(),
            templates: Arc::default(),
            as_read: Arc::default(),
        };
        Some(Survey { stream, objects })
    }

    /// The number of each object and its document, by its text.
    fn by_text(&self) -> impl Iterator<Item = (&str, (usize, u32))> {
        let each = self.objects.iter().enumerate();
        each.map(|(nth, (document, _))| (self.stream.body(*document as usize), (nth, *document)))
    }

    /// The stream, without its objects.
    pub fn into_stream(self) -> Stream {
        self.stream
    }

    /// The number of each object that has no twin, and its text behind comments such as a licence.
    pub fn own(&self) -> impl Iterator<Item = (usize, &str)> {
        let own = self.objects.iter().enumerate().filter(|(_, (_, twin))| twin.is_none());
        own.map(|(nth, (document, _))| {
            let body = self.stream.body(*document as usize);
            (nth, &body[behind_comments(body)..])
        })
    }

    /// The stream with some of its objects (by their numbers, ascending), read again; what has the bytes of a document of
    /// `beside` shares what was read of that, and what stands in several parts was read with the first.
    pub fn part(&self, which: &[usize], beside: Option<&Stream>, kept: &mut Kept) -> Option<Stream> {
        let mut objects = Vec::with_capacity(which.len());
        for nth in which {
            let (document, twin) = self.objects[*nth];
            let document = document as usize;
            let twin = twin.zip(beside).and_then(|(twin, beside)| {
                let at = beside
                    .objects
                    .binary_search_by_key(&(twin as usize), |o| o.document)
                    .ok()?;
                Some(Arc::clone(&beside.objects[at].value))
            });
            let value = match twin.or_else(|| kept.read.get(nth).cloned()) {
                Some(value) => value,
                None => {
                    let body = self.stream.body(document);
                    let value = Arc::new(yaml::read(body).ok()??);
                    kept.keep(*nth, body.len(), &value);
                    value
                }
            };
            objects.push(Object::alone_in(document, value).ok()?);
        }
        Some(self.stream.with(objects))
    }
}
