//! The instances that objects carry in their labels. In an umbrella chart all releases carry the same, and their
//! applications tell them apart.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::HashMap;

use super::nodes::Nodes;
use super::{Node, number};
use crate::kube::object::Object;
use crate::value::Value;

/// Labels that say to which instance an object belongs.
const INSTANCE: [&str; 2] = ["app.kubernetes.io/instance", "release"];

/// Labels that say to which application of it. Source: Kubernetes, recommended labels; the older ones of Helm's charts.
const APP: [&str; 2] = ["app.kubernetes.io/name", "app"];

/// What is known by a number.
type Word = u32;

/// Who carries which instance.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Instances {
    words: HashMap<String, Word>,
    /// Each object with an instance and an application that it carries.
    carried: Vec<(Node, Word, Option<Word>)>,
    /// Of each instance the applications that run.
    running: BTreeMap<Word, BTreeSet<Word>>,
    /// Instances of which something runs whose application nobody can tell.
    whole: BTreeSet<Word>,
    /// What stands for each instance, or for an application of it.
    nodes: HashMap<(Word, Option<Word>), Node>,
}

impl Instances {
    /// Takes what an object carries.
    pub(super) fn add(&mut self, node: Node, object: &Object, runs: bool) {
        let first = self.carried.len();
        for labels in super::all_labels(object) {
            let app = APP.iter().find_map(|key| labels.get(key)?.as_str());
            for instance in of(labels) {
                let carried = (node, self.word(instance), app.map(|app| self.word(app)));
                if !self.carried[first..].contains(&carried) {
                    self.carried.push(carried);
                }
            }
        }
        for (_, instance, _) in self.carried[first..].iter().filter(|_| runs) {
            let own = |(_, other, _): &&(Node, Word, Option<Word>)| other == instance;
            let each = self.carried[first..].iter().filter(own);
            let apps: BTreeSet<Word> = each.filter_map(|(_, _, app)| *app).collect();
            if apps.len() != 1 {
                self.whole.insert(*instance);
            }
            self.running.entry(*instance).or_default().extend(apps);
        }
    }

    fn word(&mut self, word: &str) -> Word {
        if let Some(known) = self.words.get(word) {
            return *known;
        }
        let next = number(self.words.len());
        self.words.insert(word.to_owned(), next);
        next
    }

    /// Joins what carries the same instance; of one in which several applications run, the same application. What carries
    /// such an instance and another application has to do with those that name or select it.
    pub(super) fn join(&mut self, nodes: &mut Nodes) {
        for (node, instance, app) in std::mem::take(&mut self.carried) {
            if let Some(carried) = self.counts(instance, app) {
                let other = *self.nodes.entry(carried).or_insert_with(|| nodes.another());
                nodes.join(node, other);
            }
        }
    }

    /// What of an instance and an application is joined.
    fn counts(&self, instance: Word, app: Option<Word>) -> Option<(Word, Option<Word>)> {
        let several = self.running.get(&instance).filter(|apps| apps.len() > 1);
        match several.filter(|_| !self.whole.contains(&instance)) {
            None => Some((instance, None)),
            Some(apps) => app.filter(|app| apps.contains(app)).map(|app| (instance, Some(app))),
        }
    }

    /// What stands for the instance that an object carries.
    pub(super) fn around(&self, object: &Object) -> Option<Node> {
        let known = |word: &str| self.words.get(word).copied();
        super::all_labels(object).find_map(|labels| {
            let app = APP.iter().find_map(|key| labels.get(key)?.as_str());
            let mut each = of(labels).filter_map(known);
            each.find_map(|instance| self.nodes.get(&self.counts(instance, app.and_then(known))?).copied())
        })
    }
}

/// The instances that labels name.
pub(super) fn of(labels: &Value) -> impl Iterator<Item = &str> {
    INSTANCE.iter().filter_map(|key| labels.get(key)?.as_str())
}
