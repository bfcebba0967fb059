//! What differs between two sets of objects, as Kubernetes would see it: data first, the formats are views of it.
//!
//! * [`pair`] finds which object is which; [`tree`] compares two values, [`list`] says which items of a list belong
//!   together, [`server`] what the API server, its controllers and hosts keep in an object beside what was asked for.
//! * [`mask`] takes the secrets out before anything is shown: no format ever sees one.
//! * [`patch`] makes the operations that lead from one side to the other, [`lines`] the text of a side.
//! * [`text`], [`json`], [`jsonpatch`], [`markdown`] and [`flux`] write it.
//!
//! It knows objects and texts; who asks, and which rules hold, it does not know.

pub mod flux;
pub mod json;
pub mod jsonpatch;
pub mod lines;
pub mod list;
pub mod markdown;
pub mod mask;
pub mod pair;
pub mod patch;
pub mod sequence;
pub mod server;
pub mod text;
pub mod tree;

use std::collections::BTreeMap;

use crate::kube::{Object, ObjectRef};
use crate::value::Value;
use crate::yaml::PatchOp;
use mask::Masker;
use tree::{Change, Node, Scope};

/// One of the two sides.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// Its objects, in order.
    pub objects: &'a [Object],
    /// Whether they were read from an API server, which adds fields of its own.
    pub live: bool,
}

impl<'a> Side<'a> {
    /// The objects of a side; it is live where one of them carries the identity that only a server gives.
    pub fn of(objects: &'a [Object]) -> Side<'a> {
        let live = objects.iter().any(|o| o.at(&["metadata", "uid"]).is_some());
        Side { objects, live }
    }
}

/// Where an object stands that the other side does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// Before.
    Before,
    /// After.
    After,
}

/// What happens to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// It comes.
    Add,
    /// It leaves.
    Remove,
    /// It stays and differs.
    Change,
}

/// One object that differs. Everything in it may be shown.
#[derive(Clone, Debug)]
pub struct ObjectDiff {
    /// What happens to it.
    pub op: Op,
    /// Which it is, as the later side names it.
    pub object: ObjectRef,
    /// Both sides as one tree.
    pub tree: Node,
    /// What differs, one by one; empty for an object that comes or leaves.
    pub changes: Vec<Change>,
    /// RFC 6902 from one side to the other; the whole object as one `add` where it comes, nothing where it leaves.
    pub patch: Vec<PatchOp>,
    /// Whether the patch cannot be applied, since secrets are masked in it.
    pub masked: bool,
    /// Whether secrets are masked anywhere in it.
    pub hides: bool,
}

/// What differs between two sides.
#[derive(Clone, Debug, Default)]
pub struct Diff {
    /// The objects that differ, in the order of the later side; what left stands where it stood.
    pub objects: Vec<ObjectDiff>,
    /// How many objects are there on both sides and the same.
    pub same: usize,
    /// Objects of one side that were not compared: why, and how many.
    pub left_out: BTreeMap<String, usize>,
}

impl Diff {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// How many objects come, leave and change.
    pub fn counts(&self) -> (usize, usize, usize) {
        let of = |op: Op| self.objects.iter().filter(|o| o.op == op).count();
        (of(Op::Add), of(Op::Remove), of(Op::Change))
    }

    /// Whether any patch has secrets masked in it.
    pub fn masked(&self) -> bool {
        self.objects.iter().any(|o| o.masked)
    }

    /// Whether anything of it is masked.
    pub fn hides(&self) -> bool {
        self.objects.iter().any(|o| o.hides)
    }
}

/// How to compare.
pub struct How<'a> {
    /// Whether secrets stay as they are.
    pub show_secrets: bool,
    /// Why an object that only one side has is none of the comparison's business; `None` where it is.
    pub leave_out: &'a dyn Fn(&Object, Only) -> Option<String>,
}

impl Default for How<'_> {
    fn default() -> Self {
        How {
            show_secrets: false,
            leave_out: &|_, _| None,
        }
    }
}

/// Compares two sides. The result is in the order of the inputs and the same for the same inputs.
pub fn diff(before: &Side, after: &Side, how: &How) -> Diff {
    let mut out = Diff::default();
    let mut masker = Masker::default();
    let mut leave_out = |object: &Object, only: Only| match (how.leave_out)(object, only) {
        Some(why) => {
            *out.left_out.entry(why).or_insert(0) += 1;
            true
        }
        None => false,
    };
    for (b, a) in pair::pair(before.objects, after.objects) {
        let (b, a) = (b.map(|i| &before.objects[i]), a.map(|i| &after.objects[i]));
        let (object, op) = match (b, a) {
            (Some(_), Some(a)) => (a, Op::Change),
            (None, Some(a)) if !leave_out(a, Only::After) => (a, Op::Add),
            (Some(b), None) if !leave_out(b, Only::Before) => (b, Op::Remove),
            _ => continue,
        };
        let scope = Scope {
            kind: &object.reference.kind,
            live: (before.live, after.live),
        };
        let (b, a) = (b.map(|o| &*o.value), a.map(|o| &*o.value));
        let tree = tree::compare(&scope, b, a);
        if !tree.differs() {
            out.same += 1;
            continue;
        }
        let mut one = ObjectDiff {
            op,
            object: object.reference.clone(),
            changes: vec![],
            patch: patch::of(op, b, &tree),
            masked: false,
            hides: false,
            tree,
        };
        if !how.show_secrets {
            hide(&mut one, &scope, (b, a), &mut masker);
        }
        if op == Op::Change {
            one.changes = one.tree.changes();
        }
        out.objects.push(one);
    }
    out
}

/// Takes the secrets out of what was compared.
fn hide(one: &mut ObjectDiff, scope: &Scope, (b, a): (Option<&Value>, Option<&Value>), masker: &mut Masker) {
    let mut masked = |value: Option<&Value>| value.map(|v| masker.masked(scope.kind, v));
    let (b, a) = (masked(b), masked(a));
    let mut tree = tree::compare(scope, b.as_ref(), a.as_ref());
    if !tree.differs() {
        // What differs went with the mask, such as a comment in a text that holds secrets.
        tree = tree.with_hidden_change();
    }
    let patch = patch::of(one.op, b.as_ref(), &tree);
    one.masked = patch != one.patch;
    let shown = |tree: &Node| (lines::lines(tree, true), lines::lines(tree, false));
    one.hides = shown(&tree) != shown(&one.tree);
    (one.patch, one.tree) = (patch, tree);
}

#[cfg(test)]
mod tests;
