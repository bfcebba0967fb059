//! Reading: from the bytes of `--current`, in whatever form, to a [`Source`].

use std::collections::HashSet;
use std::sync::Arc;

use super::record::{self, Record, Room, Unpacked};
use super::{Form, Origin, Seen, Source, file, history};
use crate::finding::{Finding, Input};
use crate::judge::Current;
use crate::kube::{Object, workload};
use crate::milvus::release::{Inventory, inventory, inventory_of_made};
use crate::rules::{mu001_unreadable_input, mu003_state_unknown};
use crate::stream::{Bytes, Stream, Unreadable};
use crate::yaml::Position;

/// What the manifests hold.
pub type Wanted<'a> = (&'a Stream, &'a Inventory);

/// Reads what `--current` gave. `wanted` is what the manifests hold: of records of several releases, theirs are taken;
/// where a state file masks a value and nothing tells it from theirs, theirs stands in. `None` where there is no source.
///
/// # Errors
/// Why it cannot be read or had: MU001, MU003.
pub fn read(current: &Current, wanted: Option<Wanted>) -> Result<Option<Source>, Vec<Finding>> {
    Ok(read_whole(current, wanted)?.map(|(source, _)| source))
}

/// The same for a source that several judgements will be asked about, with what they are to be given: release records are
/// unpacked once, and what they know of versions is read once.
///
/// # Errors
/// As [`read`].
pub fn read_to_keep(current: &Current) -> Result<Option<(Source, Option<Current>)>, Vec<Finding>> {
    let Some((source, records)) = read_whole(current, None)? else {
        return Ok(None);
    };
    let kept = match current {
        Current::Manifests(_) if source.form == Form::Record => Some(Current::Records(records)),
        Current::Manifests(bytes) if !records.is_empty() => {
            let unpacked = Unpacked::of(&source.stream.objects, records);
            Some(Current::Unpacked(bytes.clone(), Arc::new(unpacked)))
        }
        _ => None,
    };
    Ok(Some((source, kept)))
}

/// A source and the records that were unpacked for it.
type Whole = (Source, Vec<Arc<Record>>);

fn read_whole(current: &Current, wanted: Option<Wanted>) -> Result<Option<Whole>, Vec<Finding>> {
    let source = match current {
        Current::Unsaid | Current::Nothing => return Ok(None),
        Current::Unavailable(why) => {
            return Err(vec![mu003_state_unknown::unavailable(&why.message, &why.help)]);
        }
        Current::Records(records) => (history::source(records, wanted)?, vec![]),
        Current::Manifests(bytes) => read_bytes(bytes, wanted)?,
        Current::Unpacked(bytes, unpacked) => from_stream(read_stream(bytes, wanted)?, wanted, unpacked)?,
    };
    Ok(Some(source))
}

const MANIFESTS: &str = "manifests";

fn read_bytes(bytes: &Bytes, wanted: Option<Wanted>) -> Result<Whole, Vec<Finding>> {
    let text = bytes.text().map(|text| text.as_str());
    if record::is_gzip(bytes) || text.is_some_and(record::looks_like_payload) {
        let record = Record::from_payload(bytes).map_err(|why| unreadable(&format!("a release record: {why}")))?;
        return of_records(vec![Arc::new(record)], wanted);
    }
    if let Some(text) = text {
        if let Some(state) = file::recognise(text) {
            return state
                .and_then(|s| file::read(text, &s, wanted.map(|(stream, _)| stream)))
                .map(|source| (source, vec![]))
                .map_err(|why| unreadable(&why));
        }
        if let Some(records) = record::decoded(text) {
            let records = records.map_err(|why| unreadable(&why))?;
            return of_records(records.into_iter().map(Arc::new).collect(), wanted);
        }
    }
    from_stream(read_stream(bytes, wanted)?, wanted, &Unpacked::default())
}

fn read_stream(bytes: &Bytes, wanted: Option<Wanted>) -> Result<Stream, Vec<Finding>> {
    let beside = wanted.map(|(stream, _)| stream);
    Stream::read_beside(bytes, Input::Current, beside).map_err(|all| unreadable_stream(&all, ""))
}

fn of_records(records: Vec<Arc<Record>>, wanted: Option<Wanted>) -> Result<Whole, Vec<Finding>> {
    history::source(&records, wanted).map(|source| (source, records))
}

/// Whether the bytes of `--current` can be nothing but a stream of manifests or objects.
pub fn is_stream(bytes: &Bytes) -> bool {
    let other = |text: &str| {
        record::looks_like_payload(text) || file::recognise(text).is_some() || record::decoded(text).is_some()
    };
    !record::is_gzip(bytes) && bytes.text().is_some_and(|text| !other(text))
}

/// A part of a stream of manifests that holds no more than those: no records, no live objects. See [`is_plain`].
pub fn part(stream: Stream) -> Source {
    Source::of(stream, Form::Manifests, MANIFESTS.into())
}

/// Whether an object of `--current` is one that somebody rendered, and only that.
pub fn is_plain(object: &Object) -> bool {
    object.at(&["metadata", "uid"]).is_none() && !Record::is_in(object) && !workload::is_made(object)
}

/// Reads live objects, as `verify` looks at them.
///
/// # Errors
/// MU001; it points into the manifests, as what is looked at.
pub fn live(bytes: &[u8]) -> Result<Source, Vec<Finding>> {
    let stream = Stream::read(Bytes::from(bytes).or_json(), Input::Target).map_err(|all| {
        let each = all
            .iter()
            .map(|u| mu001_unreadable_input::finding(u, Input::Target, None));
        each.collect::<Vec<_>>()
    })?;
    let mut source = Source::of(stream, Form::Manifests, "live objects".into());
    source.origin = Origin::Live;
    children(&mut source);
    Ok(source)
}

/// A stream of manifests, of live objects, of records, or of all of them (`kubectl get all,secrets -o yaml`).
fn from_stream(stream: Stream, wanted: Option<Wanted>, unpacked: &Unpacked) -> Result<Whole, Vec<Finding>> {
    let mut records = Vec::new();
    let mut bad = Vec::new();
    let mut room = Room::of(stream.text.len());
    for object in &stream.objects {
        match unpacked.record(object, &mut room) {
            Some(Ok(record)) => records.push(record),
            Some(Err(message)) => bad.push((object.document, format!("{}/metadata", object.pointer), message)),
            None => {}
        }
    }
    if !bad.is_empty() {
        return Err(unread(&stream, bad));
    }
    if !records.is_empty() {
        let found = inventory(&stream.objects);
        if found.releases.is_empty() && found.strays.is_empty() {
            return of_records(records, wanted);
        }
    }
    let live = stream.objects.iter().any(|o| o.at(&["metadata", "uid"]).is_some());
    let taken_from = if live { "live objects" } else { MANIFESTS };
    let mut source = Source::of(stream, Form::Manifests, taken_from.into());
    if live {
        source.origin = Origin::Live;
    }
    let texts = source.stream.texts();
    let seen: Vec<Seen> = records.iter().flat_map(|r| history::seen(r, false, &texts)).collect();
    source.seen.extend(seen);
    children(&mut source);
    Ok((source, records))
}

/// The findings for records that cannot be read: document, pointer and why.
fn unread(stream: &Stream, bad: Vec<(usize, String, String)>) -> Vec<Finding> {
    let places: Vec<(usize, &str)> = bad
        .iter()
        .map(|(document, pointer, _)| (*document, &pointer[..]))
        .collect();
    let positions = stream.positions(&places);
    let each = bad.iter().zip(positions).map(|((document, _, message), position)| {
        let unreadable = Unreadable {
            message: message.clone(),
            document: *document,
            position,
        };
        mu001_unreadable_input::finding(&unreadable, Input::Current, None)
    });
    each.collect()
}

/// Takes out Pods and ReplicaSets of a `kubectl get all`: what the workloads beside them made. Their images tell what
/// else runs (a rollout under way) or ran (one rolled back).
fn children(source: &mut Source) {
    let (made, own): (Vec<Object>, Vec<Object>) = std::mem::take(&mut source.stream.objects)
        .into_iter()
        .partition(workload::is_made);
    source.stream.objects = own;
    let elsewhere = |seen: &Seen| Seen {
        place: String::new(),
        ..seen.clone()
    };
    let mut known: HashSet<Seen> = source.seen.iter().map(elsewhere).collect();
    for object in &made {
        let running = !workload::is_finished(object) && workload::replicas(object) != Some(0);
        let place = format!("{} {}", object.reference.kind, object.reference.name);
        for release in inventory_of_made(std::slice::from_ref(object)).releases {
            let seen = Seen::of(&place, &release, running);
            if known.insert(elsewhere(&seen)) {
                source.seen.extend([seen]);
            }
        }
    }
    source.made = made;
}

/// A finding for a source that cannot be read as a whole.
fn unreadable(message: &str) -> Vec<Finding> {
    unreadable_stream(
        &[Unreadable {
            message: message.into(),
            document: 0,
            position: Position { line: 1, column: 1 },
        }],
        "",
    )
}

pub(super) fn unreadable_stream(all: &[Unreadable], place: &str) -> Vec<Finding> {
    let each = all.iter().map(|u| {
        let message = if place.is_empty() {
            u.message.clone()
        } else {
            format!("{place}: {}", u.message)
        };
        mu001_unreadable_input::finding(&Unreadable { message, ..u.clone() }, Input::Current, None)
    });
    each.collect()
}
