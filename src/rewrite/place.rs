//! Where an injected object stands: a document of its own in a stream, an item in a ResourceList.

use foldhash::HashMap;

use super::{Change, ChangeOp};
use crate::host::{self, Host, krm};
use crate::kube::Object;
use crate::stream::Stream;

/// A place, in the words of [`Change`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The document it stands before.
    pub document: usize,
    /// Whether it rather belongs behind the document, or item, before that one.
    pub behind: bool,
    /// In a ResourceList: the item it stands before.
    pub pointer: String,
}

/// Before an object. What stood inside a List leaves it in its place.
pub fn before(stream: &Stream, object: &Object) -> Place {
    match item(stream, object) {
        Some(slot) => Place {
            pointer: format!("/items/{slot}"),
            ..Place::default()
        },
        None if object.pointer.is_empty() => Place {
            document: object.document,
            ..Place::default()
        },
        None => behind(stream, object),
    }
}

/// Behind an object.
pub fn behind(stream: &Stream, object: &Object) -> Place {
    match item(stream, object) {
        Some(slot) => Place {
            document: object.document,
            behind: true,
            pointer: format!("/items/{}", slot + 1),
        },
        None => Place {
            document: object.document + 1,
            behind: true,
            pointer: String::new(),
        },
    }
}

/// Behind everything.
pub fn last(stream: &Stream) -> Place {
    match (stream.host, stream.objects.last()) {
        (Host::Krm, Some(object)) => behind(stream, object),
        (Host::Krm, None) => Place {
            pointer: "/items/0".into(),
            ..Place::default()
        },
        _ => Place {
            document: stream.documents.len(),
            behind: true,
            pointer: String::new(),
        },
    }
}

fn item(stream: &Stream, object: &Object) -> Option<usize> {
    (stream.host == Host::Krm).then(|| krm::slot(&object.pointer)).flatten()
}

/// Gives the items that come into a ResourceList the orchestrator's notes: in which file they stand, and where in it.
pub fn note(stream: &Stream, changes: &mut [Change]) {
    if stream.host != Host::Krm {
        return;
    }
    let mut files = krm::Files::of(&stream.objects);
    // The first object of each item.
    let mut first: HashMap<Option<usize>, &Object> = HashMap::default();
    for object in &stream.objects {
        first.entry(krm::slot(&object.pointer)).or_insert(object);
    }
    for change in changes.iter_mut().filter(|c| c.op == ChangeOp::Inject) {
        let slot = krm::slot(&change.pointer).map(|slot| if change.behind { slot.saturating_sub(1) } else { slot });
        let value = change.patch.first_mut().and_then(|op| op.value.as_mut());
        if let (Some(neighbour), Some(value)) = (first.get(&slot), value) {
            host::annotate(value, files.beside(neighbour, &change.object.kind, &change.object.name));
        }
    }
}
