//! The state file: what `inspect` writes and `--current` reads.

use memchr::memmem;

use super::{Form, Origin, Remembered, Seen, Source, reduce, view};
use crate::finding::Input;
use crate::host::Host;
use crate::kube::Object;
use crate::kube::object::text_at;
use crate::milvus::release::{ByName, Release};
use crate::milvus::version::Version;
use crate::stream::Stream;
use crate::value::{Map, Value, json};
use crate::yaml;

/// The schema's name, first in every state file.
pub const SCHEMA: &str = "milvus-uplift/state/v1";

const FAMILY: &str = "milvus-uplift/state/";

/// A text that says of itself that it is a state file; `None` for any other.
///
/// # Errors
/// What is wrong with one that is.
pub fn recognise(text: &str) -> Option<Result<Value, String>> {
    memmem::find(text.as_bytes(), FAMILY.as_bytes())?;
    let value = match text.trim_start().starts_with('{') {
        true => serde_json::from_str(text).ok()?,
        false => yaml::read(text).ok()??,
    };
    let schema = value
        .get("schema")
        .and_then(Value::as_str)
        .filter(|s| s.starts_with(FAMILY))?;
    if schema != SCHEMA {
        return Some(Err(format!(
            "it is a state file of the form {schema}, this program knows {SCHEMA}"
        )));
    }
    Some(Ok(value))
}

/// Reads a state file. Where `manifests` are given, their values stand in for what is masked and cannot be told apart.
pub fn read(text: &str, state: &Value, manifests: Option<&Stream>) -> Result<Source, String> {
    let documents = yaml::split(text).map_err(|e| e.message)?;
    let listed = state
        .get("objects")
        .and_then(Value::as_array)
        .ok_or("a state file needs `objects`")?;
    let document = documents
        .iter()
        .position(|d| text[d.body.clone()].contains(FAMILY))
        .unwrap_or(0);
    let mut objects = Vec::new();
    for (i, value) in listed.iter().enumerate() {
        let mut found = Object::all_in(document, value.clone()).map_err(|e| format!("objects[{i}]: {}", e.message))?;
        for object in &mut found {
            object.pointer = format!("/objects/{i}{}", object.pointer);
        }
        objects.append(&mut found);
    }
    let stream = Stream {
        text: text.to_owned().into(),
        documents: documents.into(),
        objects,
        input: Input::Current,
        host: Host::Plain,
        hides_secrets: Default::default(),
        templates: Default::default(),
        as_read: Default::default(),
    };
    let said = |key: &str| text_at(state, &[key]).unwrap_or_default().to_owned();
    let mut source = Source::of(stream, Form::StateFile, said("takenFrom"));
    source.origin = match said("origin").as_str() {
        "live" => Origin::Live,
        "manifest" => Origin::Manifest,
        other => return Err(format!("`origin` is `live` or `manifest`, this is `{other}`")),
    };
    source.release = said("release");
    source.namespace = said("namespace");
    source.seen = seen(state).into();
    source.remembered = remembered(state)?.into();
    source.settle();
    let highest = version(state)?;
    if let (Some(highest), [only]) = (highest, &source.inventory().releases[..]) {
        // What stands at the top was written for people to read, and people raise it there.
        let of = Seen::of("", only, false);
        source.remembered.extend([Remembered { of, highest }]);
    }
    if let Some(manifests) = manifests {
        reduce::fill(&mut source.stream.objects, &manifests.objects);
    }
    Ok(source)
}

fn version(of: &Value) -> Result<Option<Version>, String> {
    match of.get("highest") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Version::parse(text)
            .map(Some)
            .map_err(|_| format!("`highest` is a full version such as 2.6.6, this is `{text}`")),
        Some(other) => Err(format!("`highest` is a full version such as 2.6.6, this is `{other}`")),
    }
}

fn key_of(value: &Value, place: String, images: Vec<String>, running: bool) -> Seen {
    let said = |key: &str| text_at(value, &[key]).unwrap_or_default().to_owned();
    Seen {
        place,
        namespace: said("namespace"),
        name: said("name"),
        app: said("app"),
        images,
        running,
    }
}

fn list<'v>(of: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    of.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn remembered(state: &Value) -> Result<Vec<Remembered>, String> {
    let mut found = Vec::new();
    for release in list(state, "releases") {
        if let Some(highest) = version(release)? {
            let of = key_of(release, String::new(), vec![], false);
            found.push(Remembered { of, highest });
        }
    }
    Ok(found)
}

fn seen(state: &Value) -> Vec<Seen> {
    let each = list(state, "seen").map(|entry| {
        let place = text_at(entry, &["place"]).unwrap_or_default().to_owned();
        let images = list(entry, "images")
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        key_of(entry, place, images, entry["running"] == json!(true))
    });
    each.collect()
}

/// The state file of a source.
pub fn write(source: &Source, releases: &[view::ReleaseView]) -> Value {
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| {
        out.insert(key.into(), value);
    };
    let only = |texts: Vec<&str>| match texts.split_first() {
        Some((first, rest)) if rest.iter().all(|t| t == first) => (*first).to_owned(),
        _ => String::new(),
    };
    let or = |said: &str, found: String| if said.is_empty() { found } else { said.to_owned() };
    let highest = releases
        .iter()
        .filter_map(|r| Version::parse(r.highest.as_deref()?).ok())
        .max();
    put("schema", SCHEMA.into());
    put("origin", source.origin.as_str().into());
    put("takenFrom", source.taken_from.clone().into());
    put(
        "release",
        or(
            &source.release,
            only(releases.iter().map(|r| r.name.as_str()).collect()),
        )
        .into(),
    );
    put(
        "namespace",
        or(
            &source.namespace,
            only(releases.iter().map(|r| r.namespace.as_str()).collect()),
        )
        .into(),
    );
    put("highest", highest.map_or(Value::Null, |v| v.to_string().into()));
    put("releases", serde_json::to_value(releases).unwrap_or_default().into());
    let seen = source.seen.iter().map(|s| {
        json!({"place": s.place, "name": s.name, "namespace": s.namespace, "app": s.app, "images": s.images, "running": s.running})
    });
    put("seen", seen.collect());
    put("objects", reduce::reduce(&source.stream.objects).into());
    Value::Object(out)
}

/// Takes over from a state file that is about to be replaced what must not be forgotten: the highest version seen.
///
/// # Errors
/// Where the file is none, or of another release.
pub fn remember(source: &mut Source, old: &str) -> Result<(), String> {
    let before = match recognise(old) {
        Some(state) => state.and_then(|s| read(old, &s, None))?,
        None => return Err("it is there and no state file; name another, or remove it first".to_owned()),
    };
    let now = source.inventory();
    let named = |releases: &[Release]| {
        let named = |r: &Release| match r.namespace.as_str() {
            "" => r.name.clone(),
            namespace => format!("{} in namespace {namespace}", r.name),
        };
        let mut names: Vec<_> = releases.iter().map(named).collect();
        names.dedup();
        names.join(", ")
    };
    let then = before.inventory();
    if !then.releases.is_empty() && !any_is(&now.releases, &then.releases) {
        return Err(format!(
            "it is the state of {}, this is that of {}: name another file, or remove it first",
            named(&then.releases),
            named(&now.releases)
        ));
    }
    for release in &then.releases {
        if let Some(highest) = before.versions(release, None).highest {
            source.remember(release, highest);
        }
    }
    source.remembered.extend(before.remembered);
    Ok(())
}

/// Whether any of some releases is one of others.
fn any_is(some: &[Release], others: &[Release]) -> bool {
    let known = ByName::of(others);
    some.iter().any(|release| known.holds(release))
}
