//! Which objects have to do with each other: by name, by label selector, by the instance they belong to.
//!
//! A stream may hold a thousand releases. What is to be said of one of them follows from its own circle; to look at all
//! the others each time takes time squared.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use memchr::{memchr, memchr_iter};

use super::object::{Object, at};
use super::{selector, workload};
use crate::value::{Text, Value};

/// Labels that say to which instance an object belongs.
const INSTANCE: [&str; 2] = ["app.kubernetes.io/instance", "release"];

/// The circles of some objects. Two objects are in one circle where one names the other in any text, selects its pods
/// (or Services), or carries the same instance; and so on through others. Namespaces are left out of account: rather one
/// circle too large than a relation overlooked.
#[derive(Debug, Default)]
pub struct Circles<'a> {
    names: HashMap<&'a [u8], usize>,
    instances: HashMap<&'a [u8], usize>,
    parents: Vec<usize>,
}

/// Something with labels that selectors look for.
struct Labelled<'a> {
    labels: &'a Value,
    node: usize,
}

impl<'a> Circles<'a> {
    /// Draws the circles around all objects of several sets (what is deployed, what comes). `new` are values that labels of
    /// pods may have which are still to be made beside these: what selects them may select any of theirs.
    pub fn of(sets: &[&'a [Object]], new: &[&str]) -> Circles<'a> {
        let mut circles = Circles::default();
        // What an upgrade leaves alone is in both sets, as one value of one name: it is looked at once.
        let mut known = HashSet::new();
        let mut once: Vec<&Object> = sets.iter().copied().flatten().collect();
        once.retain(|object| known.insert(Arc::as_ptr(&object.value)));
        let mut labelled: Vec<Labelled> = Vec::new();
        for object in &once {
            let node = node_of(&mut circles.names, &mut circles.parents, &object.reference.name);
            for labels in label_maps(object) {
                labelled.push(Labelled { labels, node });
                let instances = INSTANCE.iter().filter_map(|key| labels.get(key)?.as_str());
                for instance in instances {
                    let other = node_of(&mut circles.instances, &mut circles.parents, instance);
                    circles.join(node, other);
                }
            }
        }
        let coming = Coming::of(new, &circles.names);
        for object in &once {
            let node = circles.names[object.reference.name.as_bytes()];
            circles.mentions(node, &object.value, &coming);
        }
        let bearers = Bearers::of(&labelled);
        for object in &once {
            let node = circles.names[object.reference.name.as_bytes()];
            for (selector, plain) in selectors(object) {
                bearers.selected(selector, plain, new, |other| circles.join(node, other));
            }
        }
        circles
    }

    /// The circle of the objects with a name.
    pub fn named(&self, name: &str) -> Option<usize> {
        self.names.get(name.as_bytes()).map(|node| self.root(*node))
    }

    /// The circle of an object; `None` where it has to do with none of those the circles were drawn around.
    pub fn around(&self, object: &Object) -> Option<usize> {
        let named = self.names.get(object.reference.name.as_bytes());
        let instance = || {
            let labels = label_maps(object);
            let each = labels.flat_map(|labels| INSTANCE.iter().filter_map(|key| labels.get(key)?.as_str()));
            each.filter_map(|instance| self.instances.get(instance.as_bytes()))
                .next()
        };
        named.or_else(instance).map(|node| self.root(*node))
    }

    fn root(&self, mut node: usize) -> usize {
        while self.parents[node] != node {
            node = self.parents[node];
        }
        node
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.shortened(a), self.shortened(b));
        self.parents[a.max(b)] = a.min(b);
    }

    /// The root of a node; the way to it is half as long the next time.
    fn shortened(&mut self, mut node: usize) -> usize {
        while self.parents[node] != node {
            self.parents[node] = self.parents[self.parents[node]];
            node = self.parents[node];
        }
        node
    }

    /// Joins a node with every object that a text names.
    fn mentions(&mut self, node: usize, value: &Value, coming: &Coming) {
        match value {
            Value::Object(map) => map.values().for_each(|v| self.mentions(node, v, coming)),
            Value::Array(items) => items.iter().for_each(|v| self.mentions(node, v, coming)),
            Value::String(text) if text.len() >= coming.least => {
                let word = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
                let runs = text.as_bytes().split(|b| !word(b));
                let long = runs.filter(|run| run.len() >= coming.least);
                for run in long {
                    self.mention(node, run, coming);
                    if memchr(b'.', run).is_some() {
                        let ends = memchr_iter(b'.', run).map(|i| &run[..i]);
                        ends.chain(run.split(|b| *b == b'.'))
                            .filter(|part| part.len() >= coming.least)
                            .for_each(|part| self.mention(node, part, coming));
                    }
                }
            }
            _ => {}
        }
    }

    fn mention(&mut self, node: usize, word: &[u8], coming: &Coming) {
        let is_dash = |b: &&u8| **b == b'-';
        let ahead = word.iter().take_while(is_dash).count();
        let behind = word[ahead..].iter().rev().take_while(is_dash).count();
        let word = &word[ahead..word.len() - behind];
        if word.is_empty() {
            return; // the name of what the API server is to name
        }
        let beside = || self.names.get(coming.beside(word)?);
        if let Some(other) = self.names.get(word).or_else(beside) {
            self.join(node, *other);
        }
    }
}

/// The names that are there, and what is still to be made beside them.
struct Coming<'c, 'a> {
    new: &'c [&'c str],
    sorted: Vec<&'a [u8]>,
    /// The length of the shortest name that is there or may come: most words of a text are shorter.
    least: usize,
}

impl<'c, 'a> Coming<'c, 'a> {
    fn of(new: &'c [&'c str], names: &HashMap<&'a [u8], usize>) -> Coming<'c, 'a> {
        let mut sorted: Vec<&[u8]> = names.keys().copied().collect();
        sorted.sort_unstable();
        let beside = new.iter().map(|new| "x-".len() + new.len());
        let least = sorted.iter().map(|name| name.len()).chain(beside).min();
        Coming {
            new,
            sorted,
            least: least.unwrap_or_default().max(1),
        }
    }

    /// The name of an object beside which one of this name would be made: `x-proxy` for `x-mixcoord`.
    fn beside(&self, name: &[u8]) -> Option<&'a [u8]> {
        let is_new = |dash: &usize| self.new.iter().any(|new| name[dash + 1..].starts_with(new.as_bytes()));
        let base = &name[..=memchr_iter(b'-', name).find(is_new).filter(|dash| *dash > 0)?];
        let next = self.sorted.partition_point(|other| *other < base);
        self.sorted.get(next).copied().filter(|other| other.starts_with(base))
    }
}

/// The node of a text, made where there is none.
fn node_of<'a>(nodes: &mut HashMap<&'a [u8], usize>, parents: &mut Vec<usize>, text: &'a str) -> usize {
    *nodes.entry(text.as_bytes()).or_insert_with(|| {
        parents.push(parents.len());
        parents.len() - 1
    })
}

/// The labels of an object and those of its pods.
fn label_maps(object: &Object) -> impl Iterator<Item = &Value> {
    let own = object.at(&["metadata", "labels"]);
    own.into_iter().chain(workload::pod_labels(object))
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

/// What carries which label.
struct Bearers<'l, 'a> {
    all: &'l [Labelled<'a>],
    of: HashMap<&'a str, HashMap<&'a str, Vec<usize>>>,
}

impl<'l, 'a> Bearers<'l, 'a> {
    fn of(all: &'l [Labelled<'a>]) -> Bearers<'l, 'a> {
        let mut of: HashMap<&str, HashMap<&str, Vec<usize>>> = HashMap::new();
        for (i, one) in all.iter().enumerate() {
            for (key, value) in one.labels.as_object().into_iter().flatten() {
                if let Some(value) = value.as_str() {
                    of.entry(key).or_default().entry(value).or_default().push(i);
                }
            }
        }
        Bearers { all, of }
    }

    /// Calls with the node of each that a selector selects, or could select once it has a label with a value of `new`; only
    /// those are asked that carry the rarest of its other labels.
    fn selected(&self, selector: &Value, plain: bool, new: &[&str], join: impl FnMut(usize)) {
        let labels = if plain {
            Some(selector)
        } else {
            selector.get("matchLabels")
        };
        let pairs = labels.and_then(Value::as_object).into_iter().flatten();
        let (open, firm): (Vec<_>, Vec<_>) =
            pairs.partition(|(_, value)| value.as_str().is_some_and(|v| new.contains(&v)));
        let bearers = |(key, value): &(&Text, &Value)| self.of.get(&key[..])?.get(value.as_str()?);
        let asked: Vec<Option<&Vec<usize>>> = firm.iter().map(bearers).collect();
        if asked.iter().any(Option::is_none) || plain && firm.is_empty() && open.is_empty() {
            return;
        }
        let loose = !open.is_empty() || selector.get("matchExpressions").is_some_and(|e| !plain && !e.is_null());
        let ask = |i: usize| {
            let one = &self.all[i];
            let firmly = || {
                firm.iter()
                    .all(|(key, value)| one.labels.get(key.as_str()) == Some(*value))
            };
            let selected = if loose {
                firmly()
            } else {
                selector::selects(selector, plain, one.labels)
            };
            selected.then_some(one.node)
        };
        match asked.into_iter().flatten().min_by_key(|list| list.len()) {
            Some(list) => list.iter().filter_map(|i| ask(*i)).for_each(join),
            // Without such a label it may select anything.
            None => (0..self.all.len()).filter_map(ask).for_each(join),
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
