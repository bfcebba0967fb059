//! Which objects have to do with each other: by name, by label selector, by the instance they belong to.
//!
//! A stream may hold a thousand releases. What is to be said of one of them follows from its own circle; to look at all
//! the others each time takes time squared. The circles are drawn in three steps, none of which keeps an object: a
//! [`Sketch`] takes the names, labels and selectors, then [`Circles`] join what names what, and what selects what.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};
use memchr::{memchr, memchr_iter};

use super::object::{Object, at};
use super::{selector, workload};
use crate::value::{Text, Value};

/// Labels that say to which instance an object belongs.
const INSTANCE: [&str; 2] = ["app.kubernetes.io/instance", "release"];

/// What stands for all objects of one name.
pub type Node = u32;

/// What circles are drawn from, taken object by object: the names, the labels, the selectors.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    nodes: Nodes,
    labels: Labels,
    selectors: Vec<Selector>,
}

/// The circles of some objects. Two objects are in one circle where one names the other in any text, selects its pods
/// (or Services), or carries the same instance; and so on through others. Namespaces are left out of account: rather one
/// circle too large than a relation overlooked.
#[derive(Debug, Default)]
pub struct Circles {
    nodes: Nodes,
    labels: Labels,
    selectors: Vec<Selector>,
    coming: Coming,
}

impl Sketch {
    /// Takes what is to be known of an object before others are looked at.
    pub fn add(&mut self, object: &Object) -> Node {
        let node = self.nodes.of_name(&object.reference.name);
        for labels in label_maps(object) {
            self.labels.add(node, labels);
        }
        for labels in label_maps(object).chain(workload::match_labels(object)) {
            for instance in instances(labels) {
                let other = self.nodes.of_instance(instance);
                self.nodes.join(node, other);
            }
        }
        for (selector, plain) in selectors(object) {
            self.selectors.extend(self.labels.selector(node, selector, plain));
        }
        node
    }

    /// Ends the sketch: now what an object mentions can be joined with what has that name. `new` are values that labels of
    /// pods may have which are still to be made beside these: what selects them may select any of theirs.
    pub fn named(self, new: &[&'static str]) -> Circles {
        Circles {
            coming: Coming::of(new, &self.nodes.names),
            nodes: self.nodes,
            labels: self.labels,
            selectors: self.selectors,
        }
    }
}

impl Circles {
    /// Draws the circles around all objects of several sets (what is deployed, what comes). `new` is as for
    /// [`Sketch::named`].
    pub fn of(sets: &[&[Object]], new: &[&'static str]) -> Circles {
        // What an upgrade leaves alone is in both sets, as one value of one name: it is looked at once.
        let mut known = HashSet::new();
        let mut once: Vec<&Object> = sets.iter().copied().flatten().collect();
        once.retain(|object| known.insert(Arc::as_ptr(&object.value)));
        let mut sketch = Sketch::default();
        let nodes: Vec<Node> = once.iter().map(|object| sketch.add(object)).collect();
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
                let ends = memchr_iter(b'.', run).map(|i| &run[..i]);
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
            self.nodes.join(node, other);
        }
    }

    /// Joins what selects with what it selects, or could select once that has a label with a value of what is new. The
    /// last step.
    pub fn select(&mut self) {
        let labels = std::mem::take(&mut self.labels);
        let bearers = Bearers::of(&labels);
        let new: Vec<u32> = self
            .coming
            .new
            .iter()
            .filter_map(|word| labels.words.get(*word).copied())
            .collect();
        for selector in std::mem::take(&mut self.selectors) {
            bearers.selected(&selector, &new, |other| self.nodes.join(selector.node, other));
        }
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
        let instance = || {
            let each = label_maps(object).flat_map(instances);
            each.filter_map(|instance| nodes.instances.get(instance)).next()
        };
        named.or_else(instance).map(|node| nodes.root(*node))
    }
}

/// Names and instances, and what has been joined of them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Nodes {
    names: HashMap<Rc<[u8]>, Node>,
    instances: HashMap<String, Node>,
    parents: Vec<Node>,
}

impl Nodes {
    fn of_name(&mut self, name: &str) -> Node {
        if let Some(known) = self.names.get(name.as_bytes()) {
            return *known;
        }
        let node = self.another();
        self.names.insert(name.as_bytes().into(), node);
        node
    }

    fn of_instance(&mut self, instance: &str) -> Node {
        if let Some(known) = self.instances.get(instance) {
            return *known;
        }
        let node = self.another();
        self.instances.insert(instance.to_owned(), node);
        node
    }

    fn another(&mut self) -> Node {
        let node = number(self.parents.len());
        self.parents.push(node);
        node
    }

    fn root(&self, mut node: Node) -> Node {
        while self.parents[node as usize] != node {
            node = self.parents[node as usize];
        }
        node
    }

    fn join(&mut self, a: Node, b: Node) {
        let (a, b) = (self.shortened(a), self.shortened(b));
        self.parents[a.max(b) as usize] = a.min(b);
    }

    /// The root of a node; the way to it is half as long the next time.
    fn shortened(&mut self, mut node: Node) -> Node {
        while self.parents[node as usize] != node {
            let next = self.parents[self.parents[node as usize] as usize];
            self.parents[node as usize] = next;
            node = next;
        }
        node
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

/// The instances that labels name.
fn instances(labels: &Value) -> impl Iterator<Item = &str> {
    INSTANCE.iter().filter_map(|key| labels.get(key)?.as_str())
}

/// Whether an object, its pods or its selector say to which instance they belong.
pub fn names_an_instance(object: &Object) -> bool {
    let all = label_maps(object).chain(workload::match_labels(object));
    all.flat_map(instances).next().is_some()
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

/// A key of a label and its value, each by the number of its word.
type Pair = (u32, u32);

/// What carries which label, as numbers: the same few words stand at every object.
#[derive(Debug, Default, PartialEq, Eq)]
struct Labels {
    words: HashMap<Text, u32>,
    pairs: Vec<Pair>,
    /// Each set of labels: whose, and where its pairs end.
    sets: Vec<(Node, u32)>,
}

/// The labels that a selector asks for, whatever else it asks. Without any it may select anything.
#[derive(Debug, PartialEq, Eq)]
struct Selector {
    node: Node,
    asked: Vec<Pair>,
}

impl Labels {
    fn add(&mut self, node: Node, labels: &Value) {
        for (key, value) in labels.as_object().into_iter().flatten() {
            if let Value::String(value) = value {
                let pair = (self.word(key), self.word(value));
                self.pairs.push(pair);
            }
        }
        self.sets.push((node, number(self.pairs.len())));
    }

    fn word(&mut self, word: &Text) -> u32 {
        if let Some(known) = self.words.get(word) {
            return *known;
        }
        let number = number(self.words.len());
        self.words.insert(word.clone(), number);
        number
    }

    /// `None` for what selects nothing, whatever there is.
    fn selector(&mut self, node: Node, selector: &Value, plain: bool) -> Option<Selector> {
        let labels = if plain {
            Some(selector)
        } else {
            selector.get("matchLabels")
        };
        let mut asked = Vec::new();
        for (key, value) in labels.and_then(Value::as_object).into_iter().flatten() {
            let Value::String(value) = value else { return None };
            asked.push((self.word(key), self.word(value)));
        }
        (!plain || !asked.is_empty()).then_some(Selector { node, asked })
    }

    fn set(&self, i: usize) -> &[Pair] {
        let start = i.checked_sub(1).map_or(0, |before| self.sets[before].1);
        &self.pairs[start as usize..self.sets[i].1 as usize]
    }
}

/// The sets of labels in which each pair is.
struct Bearers<'l> {
    labels: &'l Labels,
    of: HashMap<Pair, Vec<u32>>,
}

impl<'l> Bearers<'l> {
    fn of(labels: &'l Labels) -> Bearers<'l> {
        let mut of: HashMap<Pair, Vec<u32>> = HashMap::new();
        for i in 0..labels.sets.len() {
            for pair in labels.set(i) {
                of.entry(*pair).or_default().push(number(i));
            }
        }
        Bearers { labels, of }
    }

    /// Calls with the node of each that has all labels a selector asks for, but for those whose value is of `new`; only
    /// those are looked at that carry the rarest.
    fn selected(&self, selector: &Selector, new: &[u32], mut join: impl FnMut(Node)) {
        let firm: Vec<Pair> = selector
            .asked
            .iter()
            .filter(|(_, value)| !new.contains(value))
            .copied()
            .collect();
        let bearers: Option<Vec<&Vec<u32>>> = firm.iter().map(|pair| self.of.get(pair)).collect();
        let Some(bearers) = bearers else { return };
        let all = |i: &usize| firm.iter().all(|pair| self.labels.set(*i).contains(pair));
        match bearers.into_iter().min_by_key(|list| list.len()) {
            Some(list) => list
                .iter()
                .map(|i| *i as usize)
                .filter(all)
                .for_each(|i| join(self.labels.sets[i].0)),
            // Without such a label it may select anything.
            None => self.labels.sets.iter().for_each(|(node, _)| join(*node)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    fn objects(values: Vec<Value>) -> Vec<Object> {
        let all = values.into_iter().enumerate();
        all.flat_map(|(i, v)| Object::all_in(i, v).unwrap()).collect()
    }

    fn workload(name: &str, labels: Value, mounts: &str) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": labels},
            "spec": {"template": {"metadata": {"labels": labels}, "spec": {"volumes": [{"configMap": {"name": mounts}}]}}}})
    }

    fn map(name: &str, text: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"user.yaml": text}})
    }

    fn service(name: &str, selector: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"selector": selector}})
    }

    fn together(all: &[Object], a: &str, b: &str) -> bool {
        let circles = Circles::of(&[all], &["mixcoord"]);
        let around = |name: &str| circles.around(all.iter().find(|o| o.reference.name == name).unwrap());
        around(a).unwrap() == around(b).unwrap()
    }

    #[test]
    fn releases_that_share_nothing_stay_apart() {
        let all = objects(vec![
            workload("a-proxy", json!({"release": "a", "component": "proxy"}), "a-config"),
            map("a-config", "etcd: {endpoints: [a-etcd:2379]}"),
            workload("b-proxy", json!({"release": "b", "component": "proxy"}), "b-config"),
            map("b-config", ""),
            service("a-etcd", json!({"release": "a", "app": "etcd"})),
        ]);
        assert!(together(&all, "a-proxy", "a-config"));
        assert!(together(&all, "a-config", "a-etcd"));
        assert!(!together(&all, "a-proxy", "b-proxy"));
        assert!(!together(&all, "a-config", "b-config"));
    }

    #[test]
    fn what_names_or_selects_both_joins_them() {
        let two = || {
            vec![
                workload("a-proxy", json!({"release": "a", "component": "proxy"}), "x"),
                workload("b-proxy", json!({"release": "b", "component": "proxy"}), "y"),
            ]
        };
        let scale = |target: &str| {
            json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "s", "labels": {"release": "b"}},
                "spec": {"scaleTargetRef": {"kind": "Deployment", "name": target}}})
        };
        let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "n"},
            "spec": {"podSelector": {}}});
        let chosen_by = |expressions: Value| {
            json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "p"},
                "spec": {"selector": {"matchExpressions": expressions}}})
        };
        for (joins, other) in [
            (true, service("s", json!({"component": "proxy"}))),
            (false, service("s", json!({"component": "proxy", "release": "b"}))),
            (false, service("s", json!({"component": "querynode"}))),
            (true, scale("a-proxy")),
            (true, scale("a-mixcoord")),
            (false, scale("b-proxy")),
            (false, scale("b-mixcoord-rg1")),
            (false, scale("c-mixcoord")),
            (true, policy),
            (true, service("s", json!({"component": "mixcoord"}))),
            (false, service("s", json!({"component": "mixcoord", "release": "b"}))),
            (false, service("s", json!({"component": "mixcoord", "app": "other"}))),
            (
                true,
                chosen_by(json!([{"key": "component", "operator": "In", "values": ["mixcoord"]}])),
            ),
            (true, map("m", "http://a-proxy.ns.svc:1/ and tcp://b-proxy:2")),
            (false, map("m", "a-proxyb b-proxy")),
        ] {
            let mut values = two();
            values.push(other.clone());
            assert_eq!(together(&objects(values), "a-proxy", "b-proxy"), joins, "{other}");
        }
    }

    #[test]
    fn dashes_name_nothing_that_has_no_name_yet() {
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "j-"},
            "spec": {"template": {"spec": {"volumes": [{"configMap": {"name": "a"}}]}}}});
        let all = objects(vec![map("a", ""), map("b", "- -- ---\n\n"), job]);
        assert!(together(&all, "a", ""));
        assert!(!together(&all, "b", ""));
    }

    #[test]
    fn what_was_not_there_is_found_by_its_instance() {
        let all = objects(vec![workload("a-proxy", json!({"release": "a"}), "x")]);
        let circles = Circles::of(&[&all], &[]);
        let new = objects(vec![
            workload("a-mixcoord", json!({"release": "a"}), "x"),
            workload("c-mixcoord", json!({"release": "c"}), "x"),
        ]);
        assert_eq!(circles.around(&new[0]), circles.around(&all[0]));
        assert_eq!(circles.around(&new[1]), None);
    }
}
