//! RFC 6902 on parsed values. Unlike a plain JSON patch, removal keeps the order of the keys that stay.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;

use super::edit::{EditError, MANY, Op, PatchOp, patch_within};
use super::resolve::Scalar;
use super::{Value, pointer, read};

/// Applies operations to a value, in order. Paths with `#` edit the text inside a string, byte for byte as
/// [`super::patch`] does.
pub fn patch_value(value: &Value, ops: &[PatchOp]) -> Result<Value, EditError> {
    patch_value_within(value, ops.iter(), &mut { usize::MAX })
}

/// As [`patch_value`], with no more steps than are left, and these become fewer: one is an item of a list that makes room for
/// another, [`TEXT`] are a byte of a text that is read for an operation. At none left it is an error.
pub fn patch_value_within<'o>(
    value: &Value,
    ops: impl Iterator<Item = &'o PatchOp> + Clone,
    left: &mut usize,
) -> Result<Value, EditError> {
    let mut value = value.clone();
    let mut texts = Texts::of(ops.clone());
    let mut gaps = false;
    for (index, op) in ops.enumerate() {
        if texts.wait(&value, index, op) {
            continue;
        }
        texts.before(&mut value, &op.path, left)?;
        let op = plain(&value, op, left).map_err(|error| error.at(index))?;
        let vacated = change(&mut value, &op, left).map_err(|message| EditError::new(index, &op.path, message))?;
        gaps |= vacated;
    }
    texts.all(&mut value, left)?;
    if gaps {
        close(&mut value);
    }
    Ok(value)
}

/// How many steps each byte of a text takes that is read, edited and read again.
const TEXT: usize = 16;

/// Takes some of the steps that are left.
fn spend(left: &mut usize, steps: usize) -> Result<(), String> {
    *left = left.saturating_sub(steps);
    match *left {
        0 => Err("what it takes with the operations before it is minutes".into()),
        _ => Ok(()),
    }
}

/// Takes away the gaps that keys have left which were taken out.
fn close(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.close();
            map.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// Operations inside texts that wait for each other: a text that has many is read once for all of them.
struct Texts<'o> {
    /// The paths of texts, as they are written, that have more than [`MANY`].
    many: HashSet<&'o str>,
    waiting: BTreeMap<&'o str, Vec<(usize, PatchOp)>>,
    /// How many steps lead to the deepest text of which any waited.
    deepest: usize,
}

impl<'o> Texts<'o> {
    fn of(ops: impl Iterator<Item = &'o PatchOp>) -> Texts<'o> {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        let inside = ops.filter_map(|op| op.path.split_once('#'));
        inside.for_each(|(outer, _)| *counts.entry(outer).or_default() += 1);
        counts.retain(|_, count| *count > MANY);
        Texts {
            many: counts.into_keys().collect(),
            waiting: BTreeMap::new(),
            deepest: 0,
        }
    }

    /// Whether an operation is one inside such a text, which waits now.
    fn wait(&mut self, value: &Value, index: usize, op: &'o PatchOp) -> bool {
        let known = op.path.split_once('#').filter(|(outer, _)| self.many.contains(outer));
        let split = known.and_then(|(written, _)| Some((written, pointer::split_embedded(value, &op.path)?)));
        let Some((_, (outer, inner))) = split.filter(|(written, (outer, _))| written == outer) else {
            return false;
        };
        let inner = PatchOp {
            op: op.op,
            path: inner.to_owned(),
            value: op.value.clone(),
        };
        self.deepest = self.deepest.max(outer.matches('/').count());
        self.waiting.entry(outer).or_default().push((index, inner));
        true
    }

    /// Makes those that an operation at a path may concern: of texts at and below it, of the one it goes through or into, and
    /// of those in a list whose items it may move.
    fn before(&mut self, value: &mut Value, path: &str, left: &mut usize) -> Result<(), EditError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let list = path.rsplit_once('/').map(|(parent, _)| parent);
        let list = list.filter(|parent| value.pointer(parent).is_some_and(Value::is_array));
        let own = path.split('#').next().unwrap_or(path);
        let above = own.match_indices('/').map(|(at, _)| &own[..at]).take(self.deepest + 1);
        let through = above.filter_map(|outer| self.waiting.get_key_value(outer));
        let at = self.waiting.get_key_value(own).into_iter();
        let below = [Some(path), list].into_iter().flatten();
        let mut due: Vec<&str> = below.flat_map(|path| self.at_or_below(path)).collect();
        due.extend(through.chain(at).map(|(outer, _)| *outer));
        due.sort_unstable();
        due.dedup();
        due.into_iter().try_for_each(|outer| self.make(value, outer, left))
    }

    /// The texts at a path and below it of which some wait.
    fn at_or_below(&self, path: &str) -> Vec<&'o str> {
        let (first, behind) = (format!("{path}/"), format!("{path}0"));
        let below = (Bound::Included(&*first), Bound::Excluded(&*behind));
        let at = self.waiting.get_key_value(path).into_iter();
        at.chain(self.waiting.range::<str, _>(below))
            .map(|(outer, _)| *outer)
            .collect()
    }

    fn all(&mut self, value: &mut Value, left: &mut usize) -> Result<(), EditError> {
        let mut due: Vec<(usize, &str)> = self.waiting.iter().map(|(outer, ops)| (ops[0].0, *outer)).collect();
        due.sort_unstable();
        due.into_iter().try_for_each(|(_, outer)| self.make(value, outer, left))
    }

    fn make(&mut self, value: &mut Value, outer: &str, left: &mut usize) -> Result<(), EditError> {
        let (places, ops): (Vec<usize>, Vec<PatchOp>) =
            self.waiting.remove(outer).unwrap_or_default().into_iter().unzip();
        let Some(Value::String(text)) = value.pointer_mut(outer) else {
            return Err(EditError::new(places[0], outer, "there is no text"));
        };
        let reads = if ops.len() > MANY { 1 } else { ops.len() };
        spend(left, reads.saturating_mul(text.len() * TEXT)).map_err(|e| EditError::new(places[0], outer, e))?;
        let of = |error: EditError| EditError {
            path: format!("{outer}#{}", error.path),
            index: places[error.index],
            ..error
        };
        *text = patch_within(text, &ops, left).map_err(of)?.into();
        Ok(())
    }
}

/// The value of a text as operations inside it leave it: the text need not be written between them.
#[derive(Debug)]
pub struct Inside(Value);

impl Inside {
    /// Reads a text; `None` where it cannot be read.
    pub fn read(text: &str) -> Option<Inside> {
        Some(Inside(read(text).ok()?.unwrap_or_default()))
    }

    /// The text within a value that the operation at a path edits, and the path in there.
    pub fn split<'p>(value: &Value, path: &'p str) -> Option<(&'p str, &'p str)> {
        pointer::split_embedded(value, path)
    }

    /// Makes an operation at a path in the text, within so many steps. Whether anything is another now.
    ///
    /// # Errors
    /// What [`patch_value`] says of it.
    pub fn make(&mut self, op: &PatchOp, path: &str, left: &mut usize) -> Result<bool, String> {
        let own = PatchOp {
            op: op.op,
            path: path.to_owned(),
            value: op.value.clone().map(normal),
        };
        let list = path.rsplit_once('/').map(|(list, _)| list);
        let into_list = op.op == Op::Add && list.is_some_and(|list| self.0.pointer(list).is_some_and(Value::is_array));
        let same = match (&own.value, self.0.pointer_mut(path)) {
            (Some(new), Some(there)) if !into_list => {
                close(there);
                there == new
            }
            _ => false,
        };
        change(&mut self.0, &own, left)?;
        Ok(!same)
    }
}

/// Turns an operation inside a string into the replacement of that string; leaves others alone.
pub(super) fn plain(value: &Value, op: &PatchOp, left: &mut usize) -> Result<PatchOp, EditError> {
    let Some((outer, inner)) = pointer::split_embedded(value, &op.path) else {
        return Ok(op.clone());
    };
    let Some(text) = value.pointer(outer).and_then(Value::as_str) else {
        return Ok(op.clone());
    };
    let inner_op = PatchOp {
        op: op.op,
        path: inner.to_owned(),
        value: op.value.clone(),
    };
    spend(left, text.len().saturating_mul(TEXT)).map_err(|e| EditError::new(0, &op.path, e))?;
    let text = patch_within(text, &[inner_op], left).map_err(|error| EditError {
        path: op.path.clone(),
        ..error
    })?;
    Ok(PatchOp {
        op: Op::Replace,
        path: outer.to_owned(),
        value: Some(Value::from(text)),
    })
}

/// Applies one operation without `#`.
pub(super) fn apply(value: &mut Value, op: &PatchOp) -> Result<(), String> {
    let gaps = change(value, op, &mut { usize::MAX })?;
    if gaps {
        close(value);
    }
    Ok(())
}

/// The same within so many steps. Whether a key left a gap that has to be closed.
fn change(value: &mut Value, op: &PatchOp, left: &mut usize) -> Result<bool, String> {
    let tokens = pointer::tokens(&op.path).ok_or("not an RFC 6901 pointer")?;
    let new = match op.op {
        Op::Remove => None,
        _ => Some(op.value.clone().map(normal).ok_or("the operation needs a value")?),
    };
    let Some((last, parents)) = tokens.split_last() else {
        *value = new.ok_or("the root cannot be removed")?;
        return Ok(false);
    };
    let parent_path = pointer::join(parents);
    let parent = value
        .pointer_mut(&parent_path)
        .ok_or_else(|| format!("there is no `{parent_path}`"))?;
    match (parent, op.op, new) {
        (Value::Object(map), Op::Remove, _) => {
            let gone = map.vacate(last);
            return gone.map(|_| true).ok_or_else(|| format!("there is no key `{last}`"));
        }
        (Value::Object(map), Op::Replace, Some(new)) => match map.get_mut(last) {
            Some(slot) => *slot = new,
            None => return Err(format!("there is no key `{last}`")),
        },
        (Value::Object(map), _, Some(new)) => drop(map.insert(last.as_str().into(), new)),
        (Value::Array(items), kind, new) => in_list(items, kind, last, new, left)?,
        (Value::Null, ..) => return Err(format!("`{parent_path}` is null: set it to a map or a list first")),
        _ => return Err(format!("`{parent_path}` is neither a map nor a list")),
    }
    Ok(false)
}

/// Numbers as the reader gives them: a float without a fraction is an integer.
fn normal(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().and_then(|float| Scalar::Float(float).into_value().ok());
            float.unwrap_or(Value::Number(number))
        }
        Value::Array(items) => items.into_iter().map(normal).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, normal(value))).collect(),
        other => other,
    }
}

fn in_list(items: &mut Vec<Value>, op: Op, token: &str, new: Option<Value>, left: &mut usize) -> Result<(), String> {
    let index = match (op, token) {
        (Op::Add, "-") => items.len(),
        _ => pointer::index(token).ok_or_else(|| format!("`{token}` is no list index"))?,
    };
    let limit = if op == Op::Add { items.len() + 1 } else { items.len() };
    if index >= limit {
        return Err(format!("index {index} is past the end of the list"));
    }
    if op != Op::Replace {
        spend(left, items.len() - index)?;
    }
    match (op, new) {
        (Op::Remove, _) => drop(items.remove(index)),
        (Op::Replace, Some(new)) => items[index] = new,
        (_, Some(new)) => items.insert(index, new),
        (_, None) => return Err("the operation needs a value".into()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    fn op(op: Op, path: &str, value: impl Into<Option<Value>>) -> PatchOp {
        PatchOp {
            op,
            path: path.to_owned(),
            value: value.into(),
        }
    }

    fn set(path: &str) -> PatchOp {
        op(Op::Add, path, Value::from("v"))
    }

    /// So many operations that each set a key in the text at a path.
    fn into(path: &str, count: usize) -> Vec<PatchOp> {
        (0..count).map(|i| set(&format!("{path}#/k{i}"))).collect()
    }

    /// A text that loses its last comment when it is written anew.
    const NOTED: &str = "# first\na: 1\n# last\nb: 2\n";

    /// Which texts were edited in place, as their comments tell.
    fn in_place(value: &Value, ops: &[PatchOp], paths: &[&str]) -> Vec<bool> {
        let patched = patch_value(value, ops).unwrap();
        let text = |path: &&str| patched.pointer(path).and_then(Value::as_str).unwrap().to_owned();
        paths.iter().map(|path| text(path).contains("# last")).collect()
    }

    #[test]
    fn operations_wait_for_each_other_where_a_text_has_more_than_many() {
        for (count, wait) in [(MANY - 1, false), (MANY, false), (MANY + 1, true)] {
            let ops = into("/t", count);
            assert_eq!(Texts::of(ops.iter()).many.contains("/t"), wait, "{count}");
        }
    }

    #[test]
    fn what_an_operation_edits_is_told_with_the_way_in_there() {
        let value = json!({"t": NOTED, "m": {}});
        assert_eq!(Inside::split(&value, "/t#/a"), Some(("/t", "/a")));
        assert_eq!(Inside::split(&value, "/m/a"), None);
    }

    #[test]
    fn a_text_is_written_anew_for_more_than_many_operations() {
        let value = json!({"t": NOTED});
        assert_eq!(in_place(&value, &into("/t", MANY), &["/t"]), [true]);
        let more = into("/t", MANY + 1);
        assert_eq!(in_place(&value, &more, &["/t"]), [false]);
        let text = patch_value(&value, &more).unwrap()["t"].as_str().unwrap().to_owned();
        assert!(text.starts_with("# first\na: 1\nb: 2\nk0: v\nk1: v\n"), "{text}");
    }

    #[test]
    fn a_key_with_a_hash_is_not_taken_for_a_text() {
        // The path of the text is cut at its second `#`: what waits is found by the first.
        let value = json!({"a#b": NOTED, "a": NOTED});
        let ops = into("/a#b", MANY + 1);
        assert_eq!(in_place(&value, &ops, &["/a#b", "/a"]), [true, true]);
    }

    #[test]
    fn operations_wait_until_one_concerns_their_text() {
        let value = json!({"d": {"t": NOTED, "t-": NOTED, "t0": NOTED, "u": NOTED}, "l": [NOTED, {"t": NOTED}]});
        let split = |path: &str, between: PatchOp| {
            let ops = into(path, MANY + 1);
            let (first, second) = ops.split_at(MANY / 2);
            [first, &[between], second].concat()
        };
        for (path, between, waits) in [
            ("/d/t", set("/d/x"), true),
            ("/d/t-", set("/d/t"), true),
            ("/d/t0", set("/d/t"), true),
            ("/d/t", set("/d/t-#/x"), true),
            ("/d/t", set("/x"), true),
            ("/l/1/t", set("/l/1/x"), true),
            ("/l/1/t", set("/l/-"), false),
            ("/l/1/t", op(Op::Replace, "/l/0", Value::from("v")), false),
            ("/l/0", set("/l/-"), false),
        ] {
            let ops = split(path, between);
            assert_eq!(in_place(&value, &ops, &[path]), [!waits], "{path} {:?}", ops[MANY / 2]);
        }
    }

    #[test]
    fn what_waits_for_a_text_is_made_before_the_text_changes() {
        let value = json!({"d": {"t": "a: 1"}, "l": ["b: 1"]});
        let with = |path: &str, last: PatchOp| [into(path, MANY + 1), vec![last]].concat();
        let patched = |ops: &[PatchOp]| patch_value(&value, ops).unwrap();
        for gone in ["/d/t", "/d"] {
            let left = patched(&with("/d/t", op(Op::Remove, gone, None)));
            assert!(left.pointer("/d/t").is_none(), "{gone}");
        }
        assert_eq!(patched(&with("/d/t", set("/d/t")))["d"]["t"], "v");
        let moved = patched(&with("/l/0", set("/l/0")));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        assert!(text(&moved["l"][0]) == "v" && text(&moved["l"][1]).starts_with("b: 1\nk0: v\n"));
        // Of an operation in the text, and of one below it that finds a text there, the first is told.
        for last in ["/d/t/x", "/d/t/x/y"] {
            let mut ops = with("/d/t", set(last));
            ops[3].path = "/d/t#/no/where".into();
            assert_eq!(patch_value(&value, &ops).unwrap_err().index, 3, "{last}");
        }
    }

    #[test]
    fn an_error_inside_a_text_names_its_operation() {
        let value = json!({"t": "a: 1", "u": "a: 1"});
        for many in [1, MANY + 1] {
            let mut ops = [into("/u", 2), into("/t", many), into("/u", many)].concat();
            ops[2].path = "/t#/no/where".into();
            let error = patch_value(&value, &ops).unwrap_err();
            assert_eq!((error.index, &*error.path), (2, "/t#/no/where"));
            assert_eq!(error.message, "there is no `/no`");
        }
        // Of two texts that wait to the end the one that came first is told.
        let mut ops = [into("/u", MANY + 1), into("/t", MANY + 1)].concat();
        ops[5].path = "/u#/no/where".into();
        ops[MANY + 9].path = "/t#/no/where".into();
        assert_eq!(patch_value(&value, &ops).unwrap_err().index, 5);
        let broken = patch_value(&json!({"t": "a: ["}), &into("/t", MANY + 1)).unwrap_err();
        assert_eq!((broken.index, &*broken.path), (0, "/t#/k0"));
    }

    #[test]
    fn keys_that_leave_and_come_again_stand_where_they_would_one_by_one() {
        let keys: Value = (0..60).map(|i| (format!("k{i}"), Value::from(i))).collect();
        let value = json!({"l": [{"m": keys}, {"m": keys}], "few": {"a": 1, "b": 2}});
        let mut ops = vec![op(Op::Remove, "/few/a", None)];
        for i in 0..55 {
            ops.push(op(Op::Remove, &format!("/l/0/m/k{}", (i * 7) % 60), None));
            match i % 5 {
                0 => ops.push(set(&format!("/l/0/m/k{}", (i * 7) % 60))),
                1 => ops.push(set(&format!("/l/0/m/n{i}"))),
                2 => ops.push(op(Op::Replace, &format!("/l/1/m/k{i}"), Value::from("v"))),
                3 => ops.push(op(Op::Remove, &format!("/l/1/m/k{i}"), None)),
                _ => {}
            }
        }
        ops.push(set("/l/0"));
        ops.push(op(Op::Remove, "/l/2/m/k58", None));
        let one_by_one = ops.iter().fold(value.clone(), |mut value, op| {
            apply(&mut value, op).unwrap();
            value
        });
        assert_eq!(patch_value(&value, &ops).unwrap().to_string(), one_by_one.to_string());
        let again = [op(Op::Remove, "/l/0/m/k1", None), op(Op::Remove, "/l/0/m/k1", None)];
        let error = patch_value(&value, &again).unwrap_err();
        assert_eq!((error.index, &*error.message), (1, "there is no key `k1`"));
    }

    #[test]
    fn items_that_move_and_texts_that_are_read_take_steps() {
        let value = json!({"l": [1, 2, 3, 4], "m": {"t": "a: 1", "x": 1}});
        let taken = |ops: &[PatchOp]| {
            let mut left = 1000;
            patch_value_within(&value, ops.iter(), &mut left).unwrap();
            1000 - left
        };
        assert_eq!(taken(&[set("/l/0")]), 4);
        assert_eq!(taken(&[set("/l/3"), set("/l/-"), set("/m/y")]), 1);
        assert_eq!(taken(&[op(Op::Remove, "/l/1", None)]), 3);
        assert_eq!(taken(&[op(Op::Replace, "/l/0", Value::from(1))]), 0);
        assert_eq!(taken(&[op(Op::Replace, "/m/t#/a", Value::from(2))]), 4 * TEXT);
        assert_eq!(taken(&into("/m/t", 2)), (4 + 10) * TEXT);
        assert_eq!(taken(&into("/m/t", MANY + 1)), 4 * TEXT);
        let inside = |many| {
            let more = (0..many).map(|_| set("/t#/l/0"));
            let mut left = usize::MAX;
            patch_value_within(&json!({"t": "l: [1, 2]"}), more.collect::<Vec<_>>().iter(), &mut left).unwrap();
            usize::MAX - left
        };
        assert_eq!(inside(MANY + 1), 9 * TEXT + (0..=MANY).map(|i| 2 + i).sum::<usize>());

        let ops = [set("/l/0"), set("/l/0"), set("/l/0")];
        let error = patch_value_within(&value, ops.iter(), &mut { 9 }).unwrap_err();
        assert_eq!((error.index, &*error.path), (1, "/l/0"));
        assert!(error.message.contains("minutes"), "{error}");
        for many in [1, MANY + 1] {
            let error = patch_value_within(&value, into("/m/t", many).iter(), &mut { 9 }).unwrap_err();
            assert_eq!(error.index, 0);
            assert!(
                error.path.starts_with("/m/t") && error.message.contains("minutes"),
                "{error}"
            );
        }
    }

    #[test]
    fn inside_a_text_is_what_the_text_says() {
        let text = "# first\nm: {a: 1, b: [1, 2]}\ns: 0x10\n";
        let mut inside = Inside::read(text).unwrap();
        let mut written = json!({ "t": text });
        for (op, differs) in [
            (op(Op::Replace, "/m/a", Value::from(1)), false),
            (op(Op::Replace, "/m/a", Value::from(1.0)), false),
            (op(Op::Replace, "/m/a", Value::from("1")), true),
            (op(Op::Add, "/m/b", json!([1, 2])), false),
            (op(Op::Add, "/m/b/1", Value::from(2)), true),
            (op(Op::Replace, "/m/b/1", Value::from(2)), false),
            (op(Op::Add, "/m/b/-", Value::from(2)), true),
            (op(Op::Remove, "/m/a", None), true),
            (op(Op::Add, "/m", json!({"b": [1, 2, 2, 2]})), false),
            (op(Op::Add, "/n", Value::Null), true),
            (op(Op::Add, "/n", Value::Null), false),
            (op(Op::Replace, "", json!({"x": {"y": 1}})), true),
        ] {
            assert_eq!(inside.make(&op, &op.path, &mut 99), Ok(differs), "{op:?}");
            let path = format!("/t#{}", op.path);
            written = patch_value(&written, &[PatchOp { path, ..op }]).unwrap();
            let says = read(written["t"].as_str().unwrap()).unwrap().unwrap();
            assert_eq!(inside.0, says);
        }
        let said = inside.make(&set("/no/where"), "/no/where", &mut 99).unwrap_err();
        assert_eq!(said, "there is no `/no`");
        assert!(Inside::read("a: [").is_none());
        let mut nothing = Inside::read("# none\n").unwrap();
        assert_eq!(
            nothing.make(&set("/a"), "/a", &mut 99),
            Err("`` is null: set it to a map or a list first".into())
        );
    }

    #[test]
    fn a_map_of_which_keys_left_is_weighed_without_them() {
        let text: String = (0..40).map(|i| format!("  k{i}: 1\n")).collect();
        let mut inside = Inside::read(&format!("m:\n{text}")).unwrap();
        for i in 1..40 {
            let path = format!("/m/k{i}");
            assert_eq!(inside.make(&op(Op::Remove, &path, None), &path, &mut 99), Ok(true));
        }
        let rest = op(Op::Replace, "/m", json!({"k0": 1}));
        assert_eq!(inside.make(&rest, "/m", &mut 99), Ok(false));
        let all = op(Op::Add, "", json!({"m": {"k0": 1}}));
        assert_eq!(inside.make(&all, "", &mut 99), Ok(false));
    }
}
