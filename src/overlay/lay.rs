//! Laying the patches on what the rewrite leaves.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::effort::{Effort, MANY_EDITS, Size};
use super::target::Target;
use super::{How, Overlay, strategic};
use crate::apply;
use crate::kube::delta::delta;
use crate::kube::object::{escape, text_at};
use crate::kube::{Object, ObjectRef, workload};
use crate::milvus::effective::{self, ConfigMaps};
use crate::milvus::release::inventory;
use crate::rewrite::config::{CHECKSUM, checksum};
use crate::rewrite::{Change, ChangeOp, add, replace};
use crate::stream::Stream;
use crate::value::Value;
use crate::yaml::{self, EditError, Inside, PatchOp, patch_value, patch_value_within};

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
    let mut effort = Effort::of(stream);
    let mut touched = HashSet::new();
    for overlay in overlays {
        let size = Size::of(overlay);
        let mut hits = 0;
        for index in laid.candidates(&overlay.target) {
            let Some(object) = laid.objects[index].as_ref() else {
                effort.spend(1);
                continue;
            };
            if !laid.means(index, object, &overlay.target) {
                effort.spend(overlay.target.look(object));
                continue;
            }
            touched.insert(object.reference.clone());
            effort.lay(&size, hits);
            laid.lay(index, overlay, changes, &mut effort)?;
            effort.check(overlay)?;
            hits += 1;
        }
        if hits == 0 {
            return Err(format!(
                "{}: no object of the output is meant by it ({}); without it the output would not be what you want",
                overlay.place, overlay.target
            ));
        }
        effort.check(overlay)?;
    }
    let waiting: Vec<usize> = laid.waiting.keys().copied().collect();
    waiting
        .into_iter()
        .try_for_each(|index| laid.settle(index, &mut effort))?;
    match touched.iter().any(|t| t.kind == "ConfigMap") {
        true => renew_checksums(changes, stream, &touched),
        false => Ok(()),
    }
}

/// The objects as the patches so far leave them.
struct Laid<'o> {
    objects: Vec<Option<Object>>,
    /// Where those of a name stand.
    named: HashMap<String, Vec<usize>>,
    /// The roles of those that run Milvus.
    roles: HashMap<usize, Vec<&'static str>>,
    /// Those that the rewrite brings.
    injected: HashSet<usize>,
    /// Patches into texts of an object that are noted, and not made on its value.
    waiting: BTreeMap<usize, Waiting<'o>>,
}

/// Patches into texts of one object, each of which would read and write a text as a whole.
#[derive(Default)]
struct Waiting<'o> {
    ops: Vec<(&'o Overlay, usize, &'o PatchOp)>,
    /// What the texts say with them.
    texts: HashMap<&'o str, Inside>,
}

impl<'o> Laid<'o> {
    fn of(objects: Vec<Object>, changes: &[Change]) -> Laid<'o> {
        let brought = brought(changes);
        let mut laid = Laid {
            objects: Vec::new(),
            named: HashMap::new(),
            roles: roles(&objects),
            injected: HashSet::new(),
            waiting: BTreeMap::new(),
        };
        for (index, object) in objects.iter().enumerate() {
            laid.named.entry(object.reference.name.clone()).or_default().push(index);
            if brought.contains_key(&(object.reference.clone(), object.document)) {
                laid.injected.insert(index);
            }
        }
        laid.objects = objects.into_iter().map(Some).collect();
        laid
    }

    /// Those that a target may mean.
    fn candidates(&self, target: &Target) -> Vec<usize> {
        match target.name.as_ref().and_then(|name| name.plain()) {
            Some(name) => self.named.get(name).cloned().unwrap_or_default(),
            None => (0..self.objects.len()).collect(),
        }
    }

    fn means(&self, index: usize, object: &Object, target: &Target) -> bool {
        let roles = self.roles.get(&index).map_or(&[][..], Vec::as_slice);
        target.holds(object, roles)
    }

    /// Makes a patch on an object that it means.
    fn lay(
        &mut self,
        index: usize,
        overlay: &'o Overlay,
        changes: &mut Vec<Change>,
        effort: &mut Effort,
    ) -> Result<(), String> {
        if self.wait(index, overlay, changes, effort)? {
            return Ok(());
        }
        self.settle(index, effort)?;
        let Some(object) = self.objects[index].clone() else {
            return Ok(());
        };
        let injected = self.injected.contains(&index);
        let new = make(changes, overlay, &object, injected, effort)?;
        let searched = if injected || new.is_none() { changes.len() } else { 0 };
        effort.spend(searched + new.as_ref().map_or(0, Size::values));
        self.set(index, &object, new);
        Ok(())
    }

    /// Where texts were edited often, notes a patch into texts alone; its object gets them later, all at once. Whether it is
    /// such a patch.
    fn wait(
        &mut self,
        index: usize,
        overlay: &'o Overlay,
        changes: &mut Vec<Change>,
        effort: &mut Effort,
    ) -> Result<bool, String> {
        let (How::Json(ops), Some(object)) = (&overlay.how, &self.objects[index]) else {
            return Ok(false);
        };
        let other = self.injected.contains(&index) || self.roles.contains_key(&index);
        if effort.edits < MANY_EDITS || other {
            return Ok(false);
        }
        let Some(inside) = ops.iter().map(|op| inside(object, op)).collect::<Option<Vec<_>>>() else {
            return Ok(false);
        };
        let waiting = self.waiting.entry(index).or_default();
        for (outer, _) in &inside {
            if waiting.texts.contains_key(outer) {
                continue;
            }
            let text = object.value.pointer(outer).and_then(Value::as_str).unwrap_or_default();
            effort.spend(text.len());
            let Some(read) = Inside::read(text) else {
                return Ok(false);
            };
            waiting.texts.insert(outer, read);
        }
        let mut differs = false;
        for (number, (op, (outer, path))) in ops.iter().zip(inside).enumerate() {
            let Some(text) = waiting.texts.get_mut(outer) else {
                continue;
            };
            let made = effort.edit(|left| text.make(op, path, left));
            effort.check(overlay)?;
            differs |= made.map_err(|message| {
                let (index, path) = (number, op.path.clone());
                unfit(overlay, object, EditError { index, path, message })
            })?;
        }
        if differs {
            waiting
                .ops
                .extend(ops.iter().enumerate().map(|(number, op)| (overlay, number, op)));
            changes.push(Change::patch(object, ops.clone(), &overlay.place));
            return Ok(true);
        }
        // The values are the same: whether the text will be is seen when it is written (`0x10` becomes 16).
        self.settle(index, effort)?;
        Ok(false)
    }

    /// Makes the patches that wait on an object's value.
    fn settle(&mut self, index: usize, effort: &mut Effort) -> Result<(), String> {
        let Some(waiting) = self.waiting.remove(&index) else {
            return Ok(());
        };
        let (Some(object), Some((last, ..))) = (&mut self.objects[index], waiting.ops.last()) else {
            return Ok(());
        };
        let ops = waiting.ops.iter().map(|(_, _, op)| *op);
        let made = effort.edit(|left| patch_value_within(&object.value, ops, left));
        effort.check(last)?;
        let new = made.map_err(|error| {
            let (overlay, number, _) = waiting.ops[error.index];
            let error = EditError { index: number, ..error };
            unfit(overlay, object, error)
        })?;
        object.value = new.into();
        Ok(())
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

/// The text of a configuration that an operation edits, and the path in there: nothing else of the object is another with it.
fn inside<'o>(object: &Object, op: &'o PatchOp) -> Option<(&'o str, &'o str)> {
    let (written, _) = op.path.split_once('#')?;
    let (outer, path) = Inside::split(&object.value, &op.path)?;
    let data = outer.starts_with("/data/") || outer.starts_with("/stringData/");
    (data && written == outer && !path.contains('#')).then_some((outer, path))
}

/// What is wrong with a patch on an object.
fn unfit(overlay: &Overlay, object: &Object, why: impl std::fmt::Display) -> String {
    format!("{} does not fit {}: {why}", overlay.place, object.reference)
}

/// The objects that the rewrite brings, with the documents they stand beside, and the changes that bring them.
fn brought(changes: &[Change]) -> HashMap<(ObjectRef, usize), usize> {
    let injected = changes.iter().enumerate().filter(|(_, c)| c.op == ChangeOp::Inject);
    // Of several the first is found, as by a search.
    injected
        .rev()
        .map(|(i, c)| ((c.object.clone(), c.document), i))
        .collect()
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

/// Makes a patch on an object; what that leaves of it.
fn make(
    changes: &mut Vec<Change>,
    overlay: &Overlay,
    object: &Object,
    injected: bool,
    effort: &mut Effort,
) -> Result<Option<Value>, String> {
    let place = &overlay.place;
    let wrong = |e: String| unfit(overlay, object, e);
    let new = match &overlay.how {
        How::Json(ops) => {
            let made = effort.edit(|left| patch_value_within(&object.value, ops.iter(), left));
            effort.check(overlay)?;
            Some(made.map_err(|e| wrong(e.to_string()))?)
        }
        How::Strategic(patch) => strategic::merge(&object.value, patch).map_err(wrong)?,
    };
    let at = changes.iter().position(|c| injected && brings(c, object));
    let Some(new) = new else {
        match at {
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
    put(changes, object, &new, ops, place, at);
    Ok(Some(new))
}

/// Notes that an object gets another value: by operations where it came in, else in the change that brings it.
fn put(changes: &mut Vec<Change>, object: &Object, new: &Value, ops: Vec<PatchOp>, why: &str, at: Option<usize>) {
    if *new == *object.value {
        return;
    }
    let Some(change) = at.map(|at| &mut changes[at]) else {
        changes.push(Change::patch(object, ops, why));
        return;
    };
    let lines = change.text.split_inclusive('\n');
    let head: String = lines
        .take_while(|l| l.starts_with("---") || l.starts_with('#'))
        .collect();
    change.text = head + &yaml::emit(new);
    // In place: what many patches say together is not copied for each.
    change.why.push_str("; ");
    change.why.push_str(why);
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
    // Many workloads read one configuration.
    let mut sums: HashMap<usize, String> = HashMap::new();
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
        let Some(old) = object.value.pointer(&path) else {
            continue;
        };
        let sum = sums
            .entry(*map)
            .or_insert_with(|| checksum(objects[*map].at(&["data"]).unwrap_or(&Value::Null)));
        if *old != sum.as_str() {
            let ops = vec![replace(path, sum.as_str())];
            let new = patch_value(&object.value, &ops).map_err(|e| e.to_string())?;
            let at = brought.get(&(object.reference.clone(), object.document)).copied();
            let why = "the configuration it reads changed";
            put(changes, object, &new, ops, why, at);
        }
    }
    Ok(())
}
