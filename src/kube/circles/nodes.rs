//! Names as numbers, and what has been joined of them.

use std::rc::Rc;

use foldhash::{HashMap, HashSet};

use super::{Node, number};

/// Names and what else has to do with them, and what has been joined of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Nodes {
    pub(super) names: HashMap<Rc<[u8]>, Node>,
    parents: Vec<Node>,
    /// Whether a node belongs to something that runs. Of what is joined the root's counts, until [`Nodes::own`].
    owned: Vec<bool>,
    /// What has to do with each other where one of both belongs to nothing that runs, the smaller first.
    loose: HashSet<(Node, Node)>,
}

impl Nodes {
    pub(super) fn of_name(&mut self, name: &str) -> Node {
        if let Some(known) = self.names.get(name.as_bytes()) {
            return *known;
        }
        let node = self.another();
        self.names.insert(name.as_bytes().into(), node);
        node
    }

    /// One that nothing belongs to yet.
    pub(super) fn another(&mut self) -> Node {
        let node = number(self.parents.len());
        self.parents.push(node);
        self.owned.push(false);
        node
    }

    pub(super) fn len(&self) -> usize {
        self.parents.len()
    }

    pub(super) fn root(&self, mut node: Node) -> Node {
        while self.parents[node as usize] != node {
            node = self.parents[node as usize];
        }
        node
    }

    /// Notes that a node runs, and with it all that is joined with it.
    pub(super) fn runs(&mut self, node: Node) {
        let root = self.shortened(node);
        self.owned[root as usize] = true;
    }

    /// What has been joined belongs to what runs of it, each of it on its own from here on.
    pub(super) fn own(&mut self) {
        for node in 0..number(self.len()) {
            let root = self.shortened(node);
            self.owned[node as usize] = self.owned[root as usize];
        }
    }

    pub(super) fn is_owned(&self, node: Node) -> bool {
        self.owned[node as usize]
    }

    /// Makes one of two.
    pub(super) fn join(&mut self, a: Node, b: Node) {
        let (a, b) = (self.shortened(a), self.shortened(b));
        let (first, second) = (a.min(b), a.max(b));
        self.owned[first as usize] |= self.owned[second as usize];
        self.parents[second as usize] = first;
    }

    /// Notes that two have to do with each other: what belongs to something that runs is joined, the rest is left to
    /// [`super::share`].
    pub(super) fn relate(&mut self, a: Node, b: Node) {
        if self.is_owned(a) && self.is_owned(b) {
            self.join(a, b);
        } else if a != b {
            self.loose.insert((a.min(b), a.max(b)));
        }
    }

    /// What was noted of those that belong to nothing that runs, in order.
    pub(super) fn take_loose(&mut self) -> Vec<(Node, Node)> {
        let mut loose: Vec<(Node, Node)> = std::mem::take(&mut self.loose).into_iter().collect();
        loose.sort_unstable();
        loose
    }

    /// Lets a node belong to what runs.
    pub(super) fn absorb(&mut self, node: Node, owner: Node) {
        self.owned[node as usize] = true;
        self.join(node, owner);
    }

    /// Leads each node straight to its root. What [`Nodes::join`] hangs below another comes behind it.
    pub(super) fn flatten(&mut self) {
        for node in 0..self.parents.len() {
            self.parents[node] = self.parents[self.parents[node] as usize];
        }
    }

    /// The root of a node; the way to it is half as long the next time.
    pub(super) fn shortened(&mut self, mut node: Node) -> Node {
        while self.parents[node as usize] != node {
            let next = self.parents[self.parents[node as usize] as usize];
            self.parents[node as usize] = next;
            node = next;
        }
        node
    }
}
