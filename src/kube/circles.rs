//! Which objects have to do with each other: by name, by label selector, by the instance they belong to.
//!
//! A stream may hold a thousand releases. What is to be said of one of them follows from its own circle; to look at all
//! the others each time takes time squared. The circles are drawn in three steps, none of which keeps an object: a
//! [`Sketch`] takes the names, labels and selectors, then [`Circles`] join what names what, and what selects what.

mod instances;
mod labels;
mod nodes;
mod share;

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use foldhash::HashMap;
use memchr::{memchr, memchr_iter};

use super::object::{Object, at};
use super::{selector, workload};
use crate::value::Value;
use instances::Instances;
use labels::{Bearers, Labels, Selector};
use nodes::Nodes;
use share::Shared;

/// How far from its beginning a word with dots can name an object: no name has more than 253 characters, and what is to be
/// made beside one is called by less than 64 more. Source: Kubernetes, object names (DNS subdomains).
const REACH: usize = 253 + 64;

/// What stands for all objects of one name.
pub type Node = u32;

/// What circles are drawn from, taken object by object: the names, the labels, the selectors.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    nodes: Nodes,
    instances: Instances,
    labels: Labels,
    selectors: Vec<Selector>,
}

/// The circles of some objects. Two objects are in one circle where one names the other in any text, selects its pods
/// (or Services), or carries the same instance; and so on through others. Namespaces are left out of account: rather one
/// circle too large than a relation overlooked.
///
/// What belongs to nothing that runs and has to do with several circles, such as a Secret that all releases name, does not
/// join them: it stands in each ([`Circles::shared`]).
#[derive(Debug, Default)]
pub struct Circles {
    nodes: Nodes,
    instances: Instances,
    labels: Labels,
    selectors: Vec<Selector>,
    coming: Coming,
    shared: Shared,
}

impl Sketch {
    /// Takes what is to be known of an object before others are looked at. `runs` where the circles are drawn around it:
    /// what carries its instance belongs to it.
    pub fn add(&mut self, object: &Object, runs: bool) -> Node {
        let node = self.nodes.of_name(&object.reference.name);
        if runs {
            self.nodes.runs(node);
        }
        for labels in label_maps(object) {
            self.labels.add(node, labels);
        }
        self.instances.add(node, object, runs);
        for (selector, plain) in selectors(object) {
            self.selectors.extend(self.labels.selector(node, selector, plain));
        }
        node
    }

    /// Ends the sketch: now what an object mentions can be joined with what has that name. `new` are values that labels of
    /// pods may have which are still to be made beside these: what selects them may select any of theirs.
    pub fn named(mut self, new: &[&'static str]) -> Circles {
        self.instances.join(&mut self.nodes);
        self.nodes.own();
        Circles {
            instances: self.instances,
            shared: Shared::new(),
            coming: Coming::of(new, &self.nodes.names),
            nodes: self.nodes,
            labels: self.labels,
            selectors: self.selectors,
        }
    }
}

impl Circles {
    /// Draws the circles around all objects of several sets (what is deployed, what comes). `new` is as for
    /// [`Sketch::named`]; `runs` tells of what the circles are drawn around (see [`Sketch::add`]) to which release it belongs.
    pub fn of(sets: &[&[Object]], runs: impl Fn(&Object) -> Option<usize>, new: &[&'static str]) -> Circles {
        // What an upgrade leaves alone is in both sets, as one value of one name: it is looked at once.
        let mut known = HashSet::new();
        let mut once: Vec<&Object> = sets.iter().copied().flatten().collect();
        once.retain(|object| known.insert(Arc::as_ptr(&object.value)));
        let mut sketch = Sketch::default();
        let mut firsts: HashMap<usize, Node> = HashMap::default();
        let mut nodes: Vec<Node> = Vec::with_capacity(once.len());
        for object in &once {
            let release = runs(object);
            let node = sketch.add(object, release.is_some());
            // Without labels nothing else may tell that they belong together.
            let first = release.map(|release| *firsts.entry(release).or_insert(node));
            first.into_iter().for_each(|first| sketch.nodes.join(first, node));
            nodes.push(node);
        }
        let mut circles = sketch.named(new);
        for (node, object) in nodes.iter().zip(&once) {
            circles.mentioned(*node, &object.value);
        }
        circles.select();
        circles
    }

    /// Joins a node with every object that a text in a value names.
    pub fn mentioned(&mut self, node: Node, value: &Value) {
        match value {
            Value::Object(map) => map.values().for_each(|v| self.mentioned(node, v)),
            Value::Array(items) => items.iter().for_each(|v| self.mentioned(node, v)),
            Value::String(text) => self.mentioned_in(node, text),
            _ => {}
        }
    }

    /// The same of the words of a text.
    pub fn mentioned_in(&mut self, node: Node, text: &str) {
        let (bytes, least) = (text.as_bytes(), self.coming.least);
        let mut at = 0;
        while let Some(window) = bytes.get(at..at + least) {
            // What ends before the shortest name could is passed over without a look at its other bytes.
            if let Some(end) = window.iter().rposition(|b| !is_word(*b)) {
                at += end + 1;
                continue;
            }
            let rest = &bytes[at + least..];
            let more = rest.iter().position(|b| !is_word(*b)).unwrap_or(rest.len());
            let run = &bytes[at..at + least + more];
            self.mention(node, run);
            if memchr(b'.', run).is_some() {
                let ends = memchr_iter(b'.', run).take_while(|i| *i <= REACH);
                let ends = ends.map(|i| &run[..i]);
                ends.chain(run.split(|b| *b == b'.'))
                    .filter(|part| part.len() >= least)
                    .for_each(|part| self.mention(node, part));
            }
            at += run.len() + 1;
        }
    }

    fn mention(&mut self, node: Node, word: &[u8]) {
        let is_dash = |b: &&u8| **b == b'-';
        let ahead = word.iter().take_while(is_dash).count();
        let behind = word[ahead..].iter().rev().take_while(is_dash).count();
        let word = &word[ahead..word.len() - behind];
        // An empty name is that of what the API server is to name.
        if word
            .first()
            .is_none_or(|first| !self.coming.begins[usize::from(*first)])
        {
            return;
        }
        let names = &self.nodes.names;
        let beside = || names.get(self.coming.beside(word)?);
        if let Some(other) = names.get(word).or_else(beside).copied() {
            self.nodes.relate(node, other);
        }
    }

    /// Joins what selects with what it selects, or could select once that has a label with a value of what is new, and
    /// tells what stands in several circles. The last step.
    pub fn select(&mut self) {
        let labels = std::mem::take(&mut self.labels);
        let new: Vec<u32> = self.coming.new.iter().filter_map(|word| labels.known(word)).collect();
        let mut bearers = Bearers::of(&labels, new);
        for selector in std::mem::take(&mut self.selectors) {
            bearers.select(selector, &mut self.nodes);
        }
        self.shared = share::share(&mut self.nodes);
        self.nodes.flatten();
    }

    /// Joins what stands in several circles with all of them.
    #[must_use]
    pub fn joined(mut self) -> Circles {
        for (one, owners) in std::mem::take(&mut self.shared) {
            owners.iter().for_each(|owner| self.nodes.join(one, *owner));
        }
        self.nodes.flatten();
        self
    }

    /// The circles that share what a circle holds; none where that is a circle of its own.
    pub fn shared(&self, circle: Node) -> &[Node] {
        self.shared.get(&circle).map_or(&[], Vec::as_slice)
    }

    /// The circles that share the objects with a name; none where those stand in one.
    pub fn sharing(&self, name: &str) -> &[Node] {
        // Mostly nothing is shared, and then no name has to be looked up.
        let circle = if self.shared.is_empty() { None } else { self.named(name) };
        circle.map_or(&[], |circle| self.shared(circle))
    }

    /// Whether anything stands in several circles.
    #[cfg(test)]
    pub fn shares(&self) -> bool {
        !self.shared.is_empty()
    }

    /// The circle of the objects with a name.
    pub fn named(&self, name: &str) -> Option<Node> {
        let node = self.nodes.names.get(name.as_bytes());
        node.map(|node| self.around_node(*node))
    }

    /// The circle that a node is in.
    pub fn around_node(&self, node: Node) -> Node {
        self.nodes.root(node)
    }

    /// The circle of an object; `None` where it has to do with none of those the circles were drawn around.
    pub fn around(&self, object: &Object) -> Option<Node> {
        let nodes = &self.nodes;
        let named = nodes.names.get(object.reference.name.as_bytes());
        let known = named.copied().or_else(|| self.instances.around(object));
        known.map(|node| nodes.root(node))
    }
}

/// Whether a byte is one that names are made of.
fn is_word(byte: u8) -> bool {
    const WORD: [bool; 256] = {
        let mut word = [false; 256];
        let mut b = 0;
        while b < word.len() {
            word[b] = (b as u8).is_ascii_alphanumeric() || matches!(b as u8, b'-' | b'.');
            b += 1;
        }
        word
    };
    WORD[usize::from(byte)]
}

/// A count of things of which each takes several bytes of an input.
fn number(count: usize) -> u32 {
    u32::try_from(count).expect("an input of less than 4 GiB")
}

/// The names that are there, and what is still to be made beside them.
#[derive(Debug)]
struct Coming {
    new: Vec<&'static str>,
    sorted: Vec<Rc<[u8]>>,
    /// The length of the shortest name that is there or may come: most words of a text are shorter.
    least: usize,
    /// With which bytes names begin, and so what comes beside them.
    begins: Begins,
}

type Begins = [bool; 256];

impl Default for Coming {
    fn default() -> Coming {
        Coming::of(&[], &HashMap::default())
    }
}

impl Coming {
    fn of(new: &[&'static str], names: &HashMap<Rc<[u8]>, Node>) -> Coming {
        let mut sorted: Vec<Rc<[u8]>> = names.keys().cloned().collect();
        sorted.sort_unstable();
        let beside = new.iter().map(|new| "x-".len() + new.len());
        let least = sorted.iter().map(|name| name.len()).chain(beside).min();
        let mut begins = [false; 256];
        let first = sorted.iter().filter_map(|name| name.first());
        first.for_each(|byte| begins[usize::from(*byte)] = true);
        Coming {
            begins,
            new: new.to_vec(),
            sorted,
            least: least.unwrap_or_default().max(1),
        }
    }

    /// The name of an object beside which one of this name would be made: `x-proxy` for `x-mixcoord`.
    fn beside(&self, name: &[u8]) -> Option<&[u8]> {
        let is_new = |dash: &usize| self.new.iter().any(|new| name[dash + 1..].starts_with(new.as_bytes()));
        let base = &name[..=memchr_iter(b'-', name).find(is_new).filter(|dash| *dash > 0)?];
        let next = self.sorted.partition_point(|other| **other < *base);
        self.sorted
            .get(next)
            .map(|other| &**other)
            .filter(|other| other.starts_with(base))
    }
}

/// The labels of an object and those of its pods.
fn label_maps(object: &Object) -> impl Iterator<Item = &Value> {
    let own = object.at(&["metadata", "labels"]);
    own.into_iter().chain(workload::pod_labels(object))
}

/// Those and what its selector asks for.
fn all_labels(object: &Object) -> impl Iterator<Item = &Value> {
    label_maps(object).chain(workload::match_labels(object))
}

/// Whether an object, its pods or its selector say to which instance they belong.
pub fn names_an_instance(object: &Object) -> bool {
    all_labels(object).flat_map(instances::of).next().is_some()
}

/// The selectors of an object, and whether each is a plain map of labels.
fn selectors(object: &Object) -> Vec<(&Value, bool)> {
    let places = selector::pod_selectors(&object.reference.kind, &object.value);
    let of_pods = places
        .into_iter()
        .filter_map(|place| Some((object.value.pointer(&place.pointer)?, place.plain)));
    let of_services = match object.reference.kind.as_str() {
        "ServiceMonitor" => at(&object.value, &["spec", "selector"]).map(|s| (s, false)),
        _ => None,
    };
    of_pods.chain(of_services).collect()
}

#[cfg(test)]
mod tests;
