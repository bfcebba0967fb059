//! The same for a ResourceList: its items come, go and change where they stand, the rest of it stays.

use foldhash::{HashMap, HashSet};

use super::{NotVouched, Output, prefixed};
use crate::host::krm;
use crate::kube::Object;
use crate::rewrite::{Change, ChangeOp, remove};
use crate::stream::Stream;
use crate::value::Value;
use crate::yaml::{self, Op, PatchOp};

/// The ResourceList with the changes made.
///
/// # Errors
/// When an edit cannot be made, or the text reads back as anything but the input plus the changes.
pub fn render(stream: &Stream, changes: &[Change]) -> Result<Output, NotVouched> {
    let Some(document) = stream.objects.first().map(|o| o.document) else {
        return Err(NotVouched("changes to a ResourceList without items".into()));
    };
    let body = stream.body(document);
    let root = yaml::read(body).ok().flatten().unwrap_or(Value::Null);
    let items = root["items"].as_array().cloned().unwrap_or_default();
    let places = Places::of(changes);
    let ops = operations(stream, changes, &places, items.len());
    let text = yaml::patch(body, &ops).map_err(|e| NotVouched(e.to_string()))?;
    let mut expected = root;
    expected["items"] = Value::Array(result(stream, &places, items)?);
    let read = yaml::read(&text).map_err(|e| NotVouched(format!("the ResourceList does not read back: {e}")))?;
    if read != Some(expected) {
        return Err(NotVouched("the ResourceList reads back differently".into()));
    }
    let range = &stream.documents[document].body;
    let mut out = Output::beside(&stream.text);
    out.keep(0..range.start);
    out.add(&text);
    out.keep(range.end..stream.text.len());
    Ok(out)
}

/// The changes by where they are made: to look among all of them for each item takes time squared.
#[derive(Default)]
struct Places<'c> {
    /// The pointers of what leaves.
    dropped: HashSet<&'c str>,
    /// What changes at a pointer, in order.
    patched: HashMap<&'c str, Vec<&'c Change>>,
    /// What comes before an item, in order; first what belongs behind the item before.
    behind: HashMap<usize, Vec<Value>>,
    before: HashMap<usize, Vec<Value>>,
}

impl<'c> Places<'c> {
    fn of(changes: &'c [Change]) -> Places<'c> {
        let mut places = Places::default();
        for change in changes {
            let pointer = &change.pointer[..];
            match change.op {
                ChangeOp::Drop => {
                    places.dropped.insert(pointer);
                }
                ChangeOp::Patch => places.patched.entry(pointer).or_default().push(change),
                ChangeOp::Restyle => {}
                ChangeOp::Inject => {
                    let coming = match change.behind {
                        true => &mut places.behind,
                        false => &mut places.before,
                    };
                    let value = change.patch.first().and_then(|op| op.value.clone());
                    let slot = krm::slot(pointer).unwrap_or(0);
                    coming.entry(slot).or_default().extend(value);
                }
            }
        }
        places
    }

    fn drops(&self, pointer: &str) -> bool {
        self.dropped.contains(pointer)
    }

    /// What comes before an item, in order.
    fn injected(&self, slot: usize) -> impl DoubleEndedIterator<Item = &Value> {
        let here = [&self.behind, &self.before]
            .into_iter()
            .filter_map(move |coming| coming.get(&slot));
        here.flatten()
    }
}

/// The objects of each item, by its place.
fn by_slot(objects: &[Object]) -> impl DoubleEndedIterator<Item = (usize, &[Object])> {
    let each = objects.chunk_by(|a, b| krm::slot(&a.pointer) == krm::slot(&b.pointer));
    each.filter_map(|inside| Some((krm::slot(&inside[0].pointer)?, inside)))
}

/// Edits of the text: fields first, then items from the end, so that the places of the others stay true.
fn operations(stream: &Stream, changes: &[Change], places: &Places, count: usize) -> Vec<PatchOp> {
    let patched = changes
        .iter()
        .filter(|c| c.op == ChangeOp::Patch && !places.drops(&c.pointer));
    let mut ops: Vec<PatchOp> = patched
        .flat_map(|c| c.patch.iter().map(|op| prefixed(op, &c.pointer)))
        .collect();
    let mut leaving: HashMap<usize, Vec<&str>> = HashMap::default();
    for (slot, inside) in by_slot(&stream.objects) {
        let pointers = inside.iter().rev().map(|o| &o.pointer[..]);
        let nested = pointers.filter(|pointer| places.drops(pointer) && is_nested(pointer));
        leaving.entry(slot).or_default().extend(nested);
    }
    for slot in (0..=count).rev() {
        let item = format!("/items/{slot}");
        ops.extend(leaving.remove(&slot).into_iter().flatten().map(remove));
        if places.drops(&item) {
            ops.push(remove(&item[..]));
        }
        ops.extend(places.injected(slot).rev().map(|value| PatchOp {
            op: Op::Add,
            path: item.clone(),
            value: Some(value.clone()),
        }));
    }
    ops
}

/// Whether it is not an item itself but stands in one.
fn is_nested(pointer: &str) -> bool {
    pointer.strip_prefix("/items/").is_some_and(|rest| rest.contains('/'))
}

/// The items that must come out, built from values alone.
fn result(stream: &Stream, places: &Places, mut items: Vec<Value>) -> Result<Vec<Value>, NotVouched> {
    for (slot, inside) in by_slot(&stream.objects).rev() {
        let prefix = format!("/items/{slot}").len();
        let mut ops: Vec<PatchOp> = Vec::new();
        let mut starts: Vec<(usize, &Object)> = Vec::new();
        for object in inside.iter().rev() {
            let within = &object.pointer[prefix..];
            starts.push((ops.len(), object));
            if !places.drops(&object.pointer) {
                let own = places.patched.get(&object.pointer[..]).into_iter().flatten();
                ops.extend(own.flat_map(|c| &c.patch).map(|op| prefixed(op, within)));
            } else if is_nested(&object.pointer) {
                ops.push(remove(within));
            }
        }
        if ops.is_empty() {
            continue;
        }
        items[slot] = yaml::patch_value(&items[slot], &ops).map_err(|mut e| {
            let (start, object) = starts[starts.partition_point(|(start, _)| *start <= e.index) - 1];
            e.index -= start;
            NotVouched(format!("{}: {e}", object.reference))
        })?;
    }
    let mut out = Vec::with_capacity(items.len() + 4);
    let count = items.len();
    for (slot, item) in items.into_iter().enumerate() {
        out.extend(places.injected(slot).cloned());
        if !places.drops(&format!("/items/{slot}")) {
            out.push(item);
        }
    }
    out.extend(places.injected(count).cloned());
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Input;
    use crate::rewrite::{add, replace};
    use crate::value::json;

    fn object(name: &str) -> String {
        format!("{{apiVersion: v1, kind: A, metadata: {{name: {name}}}}}")
    }

    fn stream() -> Stream {
        let each = ["a", "b", "c", "d"].map(object);
        let [a, b, c, d] = &each;
        let nested = format!("{{apiVersion: v1, kind: List, items: [{b}, {c}]}}");
        let text =
            format!("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- {a}\n- {nested}\n- {d}\n");
        Stream::read(text.into_bytes(), Input::Target).unwrap()
    }

    fn inject(stream: &Stream, pointer: &str, behind: bool, name: &str) -> Change {
        let value = json!({"apiVersion": "v1", "kind": "A", "metadata": {"name": name}});
        Change {
            op: ChangeOp::Inject,
            behind,
            pointer: pointer.into(),
            ..Change::patch(&stream.objects[0], vec![add("", value)], "")
        }
    }

    /// The names of the items, those in a List in brackets.
    fn names(text: &str) -> String {
        let list = yaml::read(text).unwrap().unwrap();
        let name = |o: &Value| o["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let items = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| match item["items"].as_array() {
                Some(inside) => format!("[{}]", inside.iter().map(name).collect::<Vec<_>>().join(" ")),
                None => name(item),
            });
        items.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn items_come_in_their_order_and_leave_from_where_they_stand() {
        let stream = stream();
        let [a, b, c, d] = &stream.objects[..] else { panic!() };
        let renamed = |object: &Object, name: &str| Change::patch(object, vec![replace("/metadata/name", name)], "");
        let render = |changes: &[Change]| render(&stream, changes).unwrap().to_string();
        let coming = [
            inject(&stream, "/items/1", false, "e"),
            inject(&stream, "/items/1", true, "f"),
            inject(&stream, "/items/1", true, "g"),
            inject(&stream, "/items/3", true, "h"),
            inject(&stream, "/items/3", false, "i"),
        ];
        assert_eq!(names(&render(&coming)), "a f g e [b c] d h i");
        let leaving = [
            Change::drop(a, ""),
            Change::drop(b, ""),
            renamed(c, "z"),
            renamed(d, "y"),
            renamed(a, "x"),
        ];
        assert_eq!(names(&render(&leaving)), "[z] y");
        assert_eq!(names(&render(&[&leaving[..], &coming].concat())), "f g e [z] y h i");
        assert_eq!(names(&render(&[Change::drop(b, ""), Change::drop(c, "")])), "a [] d");
    }

    #[test]
    fn what_does_not_fit_an_object_names_it() {
        let stream = stream();
        let wrong = Change::patch(
            &stream.objects[1],
            vec![replace("/metadata/name", "z"), replace("/x/y", 1)],
            "",
        );
        let last = Change::patch(&stream.objects[2], vec![replace("/metadata/name", "z")], "");
        let changes = [wrong, last];
        let items = yaml::read(&stream.text).unwrap().unwrap()["items"]
            .as_array()
            .unwrap()
            .clone();
        let why = result(&stream, &Places::of(&changes), items).unwrap_err().0;
        assert!(why.starts_with("A b: operation 1 at `/items/0/x/y`: "), "{why}");
    }
}
