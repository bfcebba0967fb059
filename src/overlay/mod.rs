//! What the user adds to the rewrite: patches of a `--patch FILE`, made after it and judged like everything else.
//!
//! A file is a list of patches, or a mapping with `patches:`, as Kustomize writes them. Each has a `target` and a `patch`: a
//! list is RFC 6902, a mapping a strategic merge ([`strategic`]). A mapping that is an object itself (`kind`,
//! `metadata.name`) is a strategic merge into that object.

mod strategic;

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use crate::apply;
use crate::kube::delta::delta;
use crate::kube::object::{escape, group, text_at};
use crate::kube::{Object, ObjectRef, workload};
use crate::milvus::effective::{self, ConfigMaps};
use crate::milvus::release::inventory;
use crate::rewrite::config::{CHECKSUM, checksum};
use crate::rewrite::{Change, ChangeOp, add, replace};
use crate::stream::Stream;
use crate::value::Value;
use crate::yaml::{self, Op, PatchOp, patch_value};

/// One patch of the user's.
#[derive(Debug)]
pub struct Overlay {
    /// Where it stands, for messages: `uplift.yaml, patch 2`.
    pub place: String,
    target: Target,
    how: How,
}

#[derive(Debug)]
enum How {
    Json(Vec<PatchOp>),
    Strategic(Value),
}

/// Which objects a patch is for: all that is given must hold.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    /// The API group: `apps`.
    group: Option<String>,
    /// The kind.
    kind: Option<String>,
    /// The name; `*` stands for anything.
    name: Option<String>,
    /// The namespace.
    namespace: Option<String>,
    /// The role of a Milvus workload, as `milvus run` names it.
    role: Option<String>,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let said: Vec<String> = self.given().map(|(key, value)| format!("{key} {value}")).collect();
        f.write_str(&said.join(", "))
    }
}

impl Target {
    fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let parts = [
            ("group", &self.group),
            ("kind", &self.kind),
            ("name", &self.name),
            ("namespace", &self.namespace),
            ("role", &self.role),
        ];
        parts
            .into_iter()
            .filter_map(|(key, value)| Some((key, value.as_deref()?)))
    }

    fn holds(&self, object: &Object, roles: &[&str]) -> bool {
        let is = |wanted: &Option<String>, have: &str| wanted.as_ref().is_none_or(|w| w == have);
        let reference = &object.reference;
        is(&self.group, group(&reference.api_version))
            && is(&self.kind, &reference.kind)
            && is(&self.namespace, &reference.namespace)
            && self.name.as_ref().is_none_or(|n| matches_name(n, &reference.name))
            && self.role.as_ref().is_none_or(|r| roles.contains(&r.as_str()))
    }
}

/// Whether a name is the wanted one, with `*` for anything.
fn matches_name(wanted: &str, name: &str) -> bool {
    let mut parts = wanted.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Reads the patches of one file.
///
/// # Errors
/// What is wrong, with the place in it, for a person.
pub fn read(name: &str, bytes: &[u8]) -> Result<Vec<Overlay>, String> {
    let text = std::str::from_utf8(bytes).map_err(|e| format!("{name} is no UTF-8: {e}"))?;
    let value = yaml::read(text)
        .map_err(|e| format!("{name}, line {}: {}", yaml::position(text, e.offset).line, e.message))?
        .unwrap_or(Value::Null);
    let items = match &value {
        Value::Array(items) => items.clone(),
        Value::Object(map) if map.contains_key("patches") => match (map.len(), &map["patches"]) {
            (1, Value::Array(items)) => items.clone(),
            (1, _) => return Err(format!("{name}: `patches` is a list")),
            _ => return Err(format!("{name}: beside `patches` nothing is known")),
        },
        Value::Object(_) => vec![value],
        _ => {
            return Err(format!(
                "{name} holds no patch: a list of `target` and `patch` is wanted"
            ));
        }
    };
    if items.is_empty() {
        return Err(format!("{name} holds no patch"));
    }
    let each = items.into_iter().enumerate();
    each.map(|(i, item)| one(format!("{name}, patch {}", i + 1), item))
        .collect()
}

fn one(place: String, item: Value) -> Result<Overlay, String> {
    let Value::Object(map) = item else {
        return Err(format!("{place} is no mapping of `target` and `patch`"));
    };
    if let Some(unknown) = map.keys().find(|k| !["target", "patch"].contains(&k.as_str()))
        && (map.contains_key("target") || map.contains_key("patch"))
    {
        return Err(format!(
            "{place}: `{unknown}` is not known; a patch has `target` and `patch`"
        ));
    }
    let Some(patch) = map.get("patch").cloned() else {
        return whole(place, Value::Object(map));
    };
    let patch = match patch {
        Value::String(text) => yaml::read(&text)
            .map_err(|e| format!("{place}: the text of `patch` is no YAML: {}", e.message))?
            .unwrap_or(Value::Null),
        other => other,
    };
    let target = match map.get("target") {
        Some(target) => serde_json::from_value(target.clone().into()).map_err(|e| format!("{place}: target: {e}"))?,
        None => return whole(place, patch),
    };
    let how = match patch {
        Value::Array(ops) => How::Json(
            ops.iter()
                .map(operation)
                .collect::<Result<_, _>>()
                .map_err(|e| format!("{place}: {e}"))?,
        ),
        Value::Object(_) => How::Strategic(patch),
        _ => {
            return Err(format!(
                "{place}: `patch` is a list (RFC 6902) or a mapping (strategic merge)"
            ));
        }
    };
    let overlay = Overlay { place, target, how };
    if overlay.target.given().next().is_none() {
        return Err(format!(
            "{}: `target` names nothing: give kind, name, role, group or namespace",
            overlay.place
        ));
    }
    Ok(overlay)
}

/// A patch that is an object: its own identity is the target.
fn whole(place: String, patch: Value) -> Result<Overlay, String> {
    let (kind, name) = (text_at(&patch, &["kind"]), text_at(&patch, &["metadata", "name"]));
    let (Some(kind), Some(name)) = (kind, name) else {
        return Err(format!(
            "{place} has no `target`, and names no object by `kind` and `metadata.name`"
        ));
    };
    let target = Target {
        group: text_at(&patch, &["apiVersion"]).map(|v| group(v).to_owned()),
        kind: Some(kind.to_owned()),
        name: Some(name.to_owned()),
        namespace: text_at(&patch, &["metadata", "namespace"]).map(str::to_owned),
        role: None,
    };
    let how = How::Strategic(patch);
    Ok(Overlay { place, target, how })
}

fn operation(op: &Value) -> Result<PatchOp, String> {
    let text = |key: &str| op.get(key).and_then(Value::as_str);
    let path = text("path").ok_or_else(|| format!("{op} has no `path`"))?;
    if !path.is_empty() && !path.starts_with('/') {
        return Err(format!("the path {path} does not begin with a slash"));
    }
    let value = || op.get("value").cloned().ok_or_else(|| format!("{path} has no `value`"));
    let (op, value) = match text("op") {
        Some("add") => (Op::Add, Some(value()?)),
        Some("replace") => (Op::Replace, Some(value()?)),
        Some("remove") => (Op::Remove, None),
        other => {
            return Err(format!(
                "the operation {} at {path} is not known: add, replace and remove are",
                other.unwrap_or("(none)")
            ));
        }
    };
    Ok(PatchOp {
        op,
        path: path.to_owned(),
        value,
    })
}

/// Makes the patches, in their order, on what the rewrite leaves: adds to its changes.
///
/// # Errors
/// A patch that fits no object, or not the one it is for; one that would make another object of it; patches that would take
/// minutes.
pub fn add_to(changes: &mut Vec<Change>, overlays: &[Overlay], stream: &Stream) -> Result<(), String> {
    if overlays.is_empty() {
        return Ok(());
    }
    let mut laid = Laid::of(apply::proposed(stream, changes).map_err(|e| e.to_string())?, changes);
    let mut left = LEAST.saturating_add(stream.text.len().saturating_mul(EACH));
    let mut touched = HashSet::new();
    for overlay in overlays {
        let mut hits = 0;
        for index in laid.candidates(&overlay.target) {
            let Some(object) = laid.meant(index, &overlay.target) else {
                left = left.saturating_sub(1);
                continue;
            };
            hits += 1;
            let injected = laid.injected.contains(&index);
            let new = make(changes, overlay, &object, injected)?;
            let searched = if injected || new.is_none() { changes.len() } else { 0 };
            left = left.saturating_sub(MADE + searched + new.as_ref().map_or(0, nodes));
            touched.insert(object.reference.clone());
            laid.set(index, &object, new);
        }
        if hits == 0 {
            return Err(format!(
                "{}: no object of the output is meant by it ({}); without it the output would not be what you want",
                overlay.place, overlay.target
            ));
        }
        if left == 0 {
            return Err(format!(
                "{}: with it there are so many patches on so many objects that they take minutes; put those of one object into one patch",
                overlay.place
            ));
        }
    }
    match touched.iter().any(|t| t.kind == "ConfigMap") {
        true => renew_checksums(changes, stream, &touched),
        false => Ok(()),
    }
}

/// How often objects may be looked at for patches, and changes and values be read again, beside [`EACH`] for each byte: seconds.
const LEAST: usize = 50_000_000;
const EACH: usize = 4;

/// What a patch on an object counts beside the values it reads: up to a million are made.
const MADE: usize = 50;

/// The objects as the patches so far leave them.
struct Laid {
    objects: Vec<Option<Object>>,
    /// Where those of a name stand.
    named: HashMap<String, Vec<usize>>,
    /// The roles of those that run Milvus.
    roles: HashMap<usize, Vec<&'static str>>,
    /// Those that the rewrite brings.
    injected: HashSet<usize>,
}

impl Laid {
    fn of(objects: Vec<Object>, changes: &[Change]) -> Laid {
        let brought = brought(changes);
        let mut laid = Laid {
            objects: Vec::new(),
            named: HashMap::new(),
            roles: roles(&objects),
            injected: HashSet::new(),
        };
        for (index, object) in objects.iter().enumerate() {
            laid.named.entry(object.reference.name.clone()).or_default().push(index);
            if brought.contains(&(object.reference.clone(), object.document)) {
                laid.injected.insert(index);
            }
        }
        laid.objects = objects.into_iter().map(Some).collect();
        laid
    }

    /// Those that a target may mean.
    fn candidates(&self, target: &Target) -> Vec<usize> {
        match target.name.as_deref().filter(|name| !name.contains('*')) {
            Some(name) => self.named.get(name).cloned().unwrap_or_default(),
            None => (0..self.objects.len()).collect(),
        }
    }

    fn meant(&self, index: usize, target: &Target) -> Option<Object> {
        let object = self.objects[index].as_ref()?;
        let roles = self.roles.get(&index).map_or(&[][..], Vec::as_slice);
        target.holds(object, roles).then(|| object.clone())
    }

    /// What a patch leaves of an object.
    fn set(&mut self, index: usize, object: &Object, new: Option<Value>) {
        let new = new.map(|value| Object {
            value: value.into(),
            ..object.clone()
        });
        self.roles.remove(&index);
        let own = new.as_ref().and_then(|new| roles(std::slice::from_ref(new)).remove(&0));
        self.roles.extend(own.map(|own| (index, own)));
        self.objects[index] = new;
    }
}

/// The objects that the rewrite brings, with the documents they stand beside.
fn brought(changes: &[Change]) -> HashSet<(ObjectRef, usize)> {
    let injected = changes.iter().filter(|c| c.op == ChangeOp::Inject);
    injected.map(|c| (c.object.clone(), c.document)).collect()
}

/// The roles in which objects run Milvus.
fn roles(objects: &[Object]) -> HashMap<usize, Vec<&'static str>> {
    let mut roles: HashMap<usize, Vec<&'static str>> = HashMap::new();
    let found = inventory(objects);
    for component in found.releases.iter().flat_map(|r| &r.components) {
        roles.entry(component.object).or_default().push(component.role.as_str());
    }
    roles
}

fn nodes(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(nodes).sum::<usize>(),
        Value::Object(map) => 1 + map.values().map(nodes).sum::<usize>(),
        _ => 1,
    }
}

/// Makes a patch on an object; what that leaves of it.
fn make(
    changes: &mut Vec<Change>,
    overlay: &Overlay,
    object: &Object,
    injected: bool,
) -> Result<Option<Value>, String> {
    let place = &overlay.place;
    let wrong = |e: String| format!("{place} does not fit {}: {e}", object.reference);
    let new = match &overlay.how {
        How::Json(ops) => Some(patch_value(&object.value, ops).map_err(|e| wrong(e.to_string()))?),
        How::Strategic(patch) => strategic::merge(&object.value, patch).map_err(wrong)?,
    };
    let Some(new) = new else {
        match changes.iter().position(|c| injected && brings(c, object)) {
            Some(at) => drop(changes.remove(at)),
            None => {
                // What is brought in beside it stays.
                let of_it = |c: &Change| c.document == object.document && c.pointer == object.pointer;
                changes.retain(|c| c.op == ChangeOp::Inject || !of_it(c));
                changes.push(Change::drop(object, format!("{place} takes it away")));
            }
        }
        return Ok(None);
    };
    for path in [
        &["apiVersion"][..],
        &["kind"],
        &["metadata", "name"],
        &["metadata", "namespace"],
    ] {
        if text_at(&new, path) != text_at(&object.value, path) {
            return Err(wrong(format!(
                "it would make another object of it ({})",
                path.join(".")
            )));
        }
    }
    // What the API server would refuse is refused here: `y` is a boolean to Kubernetes' reader, and no label.
    Object::all_in(object.document, new.clone()).map_err(|e| wrong(format!("{}: {}", e.pointer, e.message)))?;
    let ops = match &overlay.how {
        How::Json(ops) => ops.clone(),
        How::Strategic(_) => delta(&object.value, &new),
    };
    put(changes, object, &new, ops, place, injected);
    Ok(Some(new))
}

/// Notes that an object gets another value, by operations where it came in.
fn put(changes: &mut Vec<Change>, object: &Object, new: &Value, ops: Vec<PatchOp>, why: &str, injected: bool) {
    if *new == *object.value {
        return;
    }
    let brought = changes.iter_mut().filter(|_| injected).find(|c| brings(c, object));
    let Some(change) = brought else {
        changes.push(Change::patch(object, ops, why));
        return;
    };
    let lines = change.text.split_inclusive('\n');
    let head: String = lines
        .take_while(|l| l.starts_with("---") || l.starts_with('#'))
        .collect();
    change.text = head + &yaml::emit(new);
    change.why = format!("{}; {why}", change.why);
    change.patch = vec![add("", new.clone())];
}

fn brings(change: &Change, object: &Object) -> bool {
    change.op == ChangeOp::Inject && change.object == object.reference && change.document == object.document
}

/// Renews the checksum of the configuration in the pod templates that read a ConfigMap that a patch changed, so that
/// their pods restart with it as they would with the chart's.
fn renew_checksums(changes: &mut Vec<Change>, stream: &Stream, touched: &HashSet<ObjectRef>) -> Result<(), String> {
    let objects = apply::proposed(stream, changes).map_err(|e| e.to_string())?;
    let found = inventory(&objects);
    let brought = brought(changes);
    let among = ConfigMaps::of(&objects);
    for component in found.releases.iter().flat_map(|r| &r.components) {
        let object = &objects[component.object];
        let sources = effective::sources(&among, component);
        let Some((map, _)) = sources
            .iter()
            .find(|(map, _)| touched.contains(&objects[*map].reference))
        else {
            continue;
        };
        let Some(template) = workload::template_pointer(&object.reference.kind) else {
            continue;
        };
        let path = format!("{template}/metadata/annotations/{}", escape(CHECKSUM));
        let sum = checksum(objects[*map].at(&["data"]).unwrap_or(&Value::Null));
        if object.value.pointer(&path).is_some_and(|old| *old != sum.as_str()) {
            let ops = vec![replace(path, sum)];
            let new = patch_value(&object.value, &ops).map_err(|e| e.to_string())?;
            let injected = brought.contains(&(object.reference.clone(), object.document));
            put(
                changes,
                object,
                &new,
                ops,
                "the configuration it reads changed",
                injected,
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
