//! RFC 6902 operations from one side to the other.

use super::Op;
use super::tree::{Item, Node};
use crate::kube::object::escape;
use crate::value::{Map, Value};
use crate::yaml::{Op as Verb, PatchOp};

/// The operations for an object: those that make of the earlier value one that means the later. What is only written
/// differently, and what a server keeps in it, stays as it is.
pub fn of(op: Op, before: Option<&Value>, tree: &Node) -> Vec<PatchOp> {
    let mut ops = Vec::new();
    match (op, before) {
        (Op::Remove, _) => {}
        (Op::Change, Some(before)) => walk(before, &patched(tree).unwrap_or(Value::Null), String::new(), &mut ops),
        // What comes is one value.
        (Op::Add | Op::Change, _) => ops.push(PatchOp {
            op: Verb::Add,
            path: String::new(),
            value: patched(tree),
        }),
    }
    ops
}

/// The earlier value with everything changed that differs.
fn patched(node: &Node) -> Option<Value> {
    match node {
        Node::Same { before, .. } => Some(before.clone()),
        Node::Kept { before } => before.clone(),
        Node::Changed { after, .. } => after.clone(),
        Node::Text { after, .. } => Some(after.as_str().into()),
        Node::Map { entries, gone } => {
            let mut map = Map::new();
            for (key, node) in entries {
                if let Some(value) = patched(node) {
                    map.insert(key.as_str().into(), value);
                }
            }
            (!gone || !map.is_empty()).then_some(Value::Object(map))
        }
        Node::List { items, .. } => {
            let mut sorted: Vec<&Item> = items.iter().filter(|i| i.after_at.is_some()).collect();
            sorted.sort_by_key(|i| i.after_at);
            Some(sorted.into_iter().filter_map(|i| patched(&i.node)).collect())
        }
    }
}

fn walk(from: &Value, to: &Value, path: String, ops: &mut Vec<PatchOp>) {
    let mut push = |op: Verb, path: String, value: Option<&Value>| {
        ops.push(PatchOp {
            op,
            path,
            value: value.cloned(),
        });
    };
    match (from, to) {
        (a, b) if a == b => {}
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().filter(|k| !b.contains_key(k)) {
                push(Verb::Remove, format!("{path}/{}", escape(key)), None);
            }
            for (key, value) in b {
                let path = format!("{path}/{}", escape(key));
                match a.get(key) {
                    Some(old) => walk(old, value, path, ops),
                    None => ops.push(PatchOp {
                        op: Verb::Add,
                        path,
                        value: Some(value.clone()),
                    }),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) => lists(a, b, &path, ops),
        _ => push(Verb::Replace, path, Some(to)),
    }
}

/// What both begin and end with stays; of the middle, items that stand against each other are mended, the rest leaves from
/// its end or comes.
fn lists(a: &[Value], b: &[Value], path: &str, ops: &mut Vec<PatchOp>) {
    let common = |pairs: &mut dyn Iterator<Item = (&Value, &Value)>| pairs.take_while(|(x, y)| x == y).count();
    let start = common(&mut a.iter().zip(b));
    let end = common(&mut a[start..].iter().rev().zip(b[start..].iter().rev()));
    let (old, new) = (&a[start..a.len() - end], &b[start..b.len() - end]);
    let both = old.len().min(new.len());
    for (i, (x, y)) in old.iter().zip(new).enumerate() {
        walk(x, y, format!("{path}/{}", start + i), ops);
    }
    for i in (both..old.len()).rev() {
        ops.push(PatchOp {
            op: Verb::Remove,
            path: format!("{path}/{}", start + i),
            value: None,
        });
    }
    for (i, value) in new.iter().enumerate().skip(both) {
        ops.push(PatchOp {
            op: Verb::Add,
            path: format!("{path}/{}", start + i),
            value: Some(value.clone()),
        });
    }
}
