//! What several circles share: whether they agree on it.

use std::collections::{BTreeSet, HashMap};

use crate::finding::Finding;
use crate::kube::ObjectRef;
use crate::kube::circles::{Circles, Node};
use crate::rewrite::{Change, ChangeOp};
use crate::rules::{Rule, mu114_immutable_field_changed, mu205_orphaned_reference};

/// Rules that weigh an object by all that it means, or say of it what is no release's own.
const BY_ALL: [&Rule; 2] = [&mu114_immutable_field_changed::RULE, &mu205_orphaned_reference::RULE];

/// What was decided and found of objects that stand in several circles, by each of them. Where all say the same, it is what
/// they would say as one: what no circle has a use for, no one has. Anything else is for all of them to say together.
pub(super) struct Crossing<'c> {
    circles: &'c Circles,
    said: HashMap<(ObjectRef, String), BTreeSet<Option<Node>>>,
}

impl<'c> Crossing<'c> {
    pub(super) fn new(circles: &'c Circles) -> Crossing<'c> {
        Crossing {
            circles,
            said: HashMap::new(),
        }
    }

    /// Notes what was decided by a circle; `None` stands for all objects.
    pub(super) fn decided(&mut self, circle: Option<Node>, changes: &[Change]) {
        for change in changes.iter().filter(|c| c.op != ChangeOp::Restyle) {
            self.note(circle, &change.object, || decision(change));
        }
    }

    /// Notes what was found by a circle.
    pub(super) fn found(&mut self, circle: Option<Node>, findings: &[Finding]) {
        let by_all = |f: &&Finding| BY_ALL.iter().any(|rule| rule.code == f.code);
        for finding in findings.iter().filter(by_all) {
            if let Some(object) = &finding.object {
                let said = (finding.code, &finding.message, &finding.help, &finding.anchor);
                self.note(circle, object, || format!("{said:?}"));
            }
        }
    }

    /// Whether all say the same of each, and nothing else of them is changed.
    pub(super) fn agrees(&self, changes: &[Change]) -> bool {
        let mut changed = changes
            .iter()
            .filter(|c| c.op != ChangeOp::Restyle && self.is_shared(&c.object));
        changed.all(|c| self.said.contains_key(&(c.object.clone(), decision(c))))
            && self
                .said
                .iter()
                .all(|((object, _), by)| by.len() == self.circles.sharing(&object.name).len())
    }

    fn is_shared(&self, object: &ObjectRef) -> bool {
        !self.circles.sharing(&object.name).is_empty()
    }

    fn note(&mut self, circle: Option<Node>, object: &ObjectRef, words: impl FnOnce() -> String) {
        if self.is_shared(object) {
            self.said.entry((object.clone(), words())).or_default().insert(circle);
        }
    }
}

fn decision(change: &Change) -> String {
    format!("{:?} {} {:?} {}", change.op, change.pointer, change.patch, change.why)
}
