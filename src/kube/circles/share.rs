//! What belongs to nothing that runs: each to the one it has to do with, or to all of several.

use std::collections::BTreeMap;

use super::Node;
use super::nodes::Nodes;

/// How many times an object may stand in several circles, for each node there is: what would take more is joined with all
/// of them instead.
const TIMES: usize = 4;

/// Those that stand in several circles: the root of each with the roots of those it has to do with.
pub(super) type Shared = BTreeMap<Node, Vec<Node>>;

/// For each node the others it has to do with, in one list.
struct Neighbours {
    ends: Vec<u32>,
    all: Vec<Node>,
}

impl Neighbours {
    fn of(nodes: usize, loose: &[(Node, Node)]) -> Neighbours {
        let mut ends = vec![0_u32; nodes + 1];
        for (a, b) in loose {
            ends[*a as usize + 1] += 1;
            ends[*b as usize + 1] += 1;
        }
        for i in 1..ends.len() {
            ends[i] += ends[i - 1];
        }
        let mut next = ends.clone();
        let mut all = vec![0; loose.len() * 2];
        for (a, b) in loose {
            for (one, other) in [(*a, *b), (*b, *a)] {
                all[next[one as usize] as usize] = other;
                next[one as usize] += 1;
            }
        }
        Neighbours { ends, all }
    }

    fn of_node(&self, node: Node) -> &[Node] {
        &self.all[self.ends[node as usize] as usize..self.ends[node as usize + 1] as usize]
    }
}

/// Gives what belongs to nothing that runs to the one circle it has to do with, directly or through others of its kind,
/// and tells what has to do with several. The nearest decide: a ConfigMap that one release mounts is that release's, and
/// what it names beside the ConfigMap of another is shared by both.
pub(super) fn share(nodes: &mut Nodes) -> Shared {
    let loose = nodes.take_loose();
    let neighbours = Neighbours::of(nodes.len(), &loose);
    let mut near: Vec<Node> = loose
        .iter()
        .flat_map(|(a, b)| [(*a, *b), (*b, *a)])
        .filter(|(one, other)| !nodes.is_owned(*one) && nodes.is_owned(*other))
        .map(|(one, _)| one)
        .collect();
    // What has to do with several stays so, whatever else comes near it.
    let mut looked_at = vec![false; nodes.len()];
    while !near.is_empty() {
        let mut taken: Vec<(Node, Node)> = Vec::new();
        for node in near.drain(..) {
            if std::mem::replace(&mut looked_at[node as usize], true) {
                continue;
            }
            if let Some(owner) = only_owner(nodes, neighbours.of_node(node)) {
                taken.push((node, owner));
            }
        }
        for (node, owner) in &taken {
            nodes.absorb(*node, *owner);
        }
        for (node, _) in &taken {
            for other in neighbours.of_node(*node) {
                match nodes.is_owned(*other) {
                    true => nodes.join(*node, *other),
                    false => near.push(*other),
                }
            }
        }
    }
    between(nodes, &loose)
}

/// The root of those among some that run, where they are one.
fn only_owner(nodes: &mut Nodes, some: &[Node]) -> Option<Node> {
    let mut found = None;
    for node in some {
        if nodes.is_owned(*node) {
            let root = nodes.shortened(*node);
            if found.replace(root).is_some_and(|other| other != root) {
                return None;
            }
        }
    }
    found
}

/// Joins what is left with each other, and tells between which circles it stands.
fn between(nodes: &mut Nodes, loose: &[(Node, Node)]) -> Shared {
    let mut crossing: Vec<(Node, Node)> = Vec::new();
    for (a, b) in loose {
        match (nodes.is_owned(*a), nodes.is_owned(*b)) {
            (false, false) => nodes.join(*a, *b),
            (false, true) => crossing.push((*a, *b)),
            (true, false) => crossing.push((*b, *a)),
            (true, true) => {}
        }
    }
    for (one, owner) in &mut crossing {
        (*one, *owner) = (nodes.shortened(*one), nodes.shortened(*owner));
    }
    crossing.sort_unstable();
    crossing.dedup();
    let mut sizes: BTreeMap<Node, usize> = crossing.iter().map(|(one, _)| (*one, 0)).collect();
    for node in 0..super::number(nodes.len()) {
        let root = nodes.shortened(node);
        if let Some(size) = sizes.get_mut(&root) {
            *size += 1;
        }
    }
    let mut left = nodes.len() * TIMES;
    let mut shared = Shared::new();
    for group in crossing.chunk_by(|a, b| a.0 == b.0) {
        let one = group[0].0;
        let takes = group.len() * sizes[&one];
        match group.len() > 1 && takes <= left {
            true => {
                left -= takes;
                shared.insert(one, group.iter().map(|(_, owner)| *owner).collect());
            }
            false => group.iter().for_each(|(_, owner)| nodes.join(one, *owner)),
        }
    }
    // What was joined since may have made one circle of several.
    for _ in 0..2 {
        for owners in shared.values_mut() {
            owners.iter_mut().for_each(|owner| *owner = nodes.shortened(*owner));
            owners.sort_unstable();
            owners.dedup();
        }
        shared.retain(|one, owners| {
            if let [only] = owners[..] {
                nodes.join(*one, only);
            }
            owners.len() > 1
        });
    }
    shared
}
