//! Labels and what asks for them, as numbers: the same few words stand at every object.

use foldhash::{HashMap, HashMapExt};

use super::nodes::Nodes;
use super::{Node, number};
use crate::value::{Text, Value};

/// A key of a label and its value, each by the number of its word.
type Pair = (u32, u32);

/// What carries which label, as numbers: the same few words stand at every object.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Labels {
    words: HashMap<Text, u32>,
    /// Those of each set in order.
    pairs: Vec<Pair>,
    /// Each set of labels: whose, and where its pairs end.
    sets: Vec<(Node, u32)>,
}

/// The labels that a selector asks for, whatever else it asks. Without any it may select anything.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Selector {
    pub node: Node,
    asked: Vec<Pair>,
}

impl Labels {
    pub(super) fn add(&mut self, node: Node, labels: &Value) {
        let first = self.pairs.len();
        for (key, value) in labels.as_object().into_iter().flatten() {
            if let Value::String(value) = value {
                let pair = (self.word(key), self.word(value));
                self.pairs.push(pair);
            }
        }
        self.pairs[first..].sort_unstable();
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

    /// The number of a word that stands at any object.
    pub(super) fn known(&self, word: &str) -> Option<u32> {
        self.words.get(word).copied()
    }

    /// `None` for what selects nothing, whatever there is.
    pub(super) fn selector(&mut self, node: Node, selector: &Value, plain: bool) -> Option<Selector> {
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

/// How many sets of labels are looked at for selectors, for each that there is.
const LOOKS: usize = 64;

/// The sets of labels in which each pair is.
pub(super) struct Bearers<'l> {
    labels: &'l Labels,
    of: HashMap<Pair, Vec<u32>>,
    /// Values that labels may come to have.
    new: Vec<u32>,
    /// What stands for the selectors that were met, by whether they belong to what runs and what they ask for.
    met: HashMap<(bool, Vec<Pair>), Node>,
    /// How many sets may still be looked at.
    left: usize,
}

impl<'l> Bearers<'l> {
    /// `new` are values that labels may come to have: what asks for one may select whatever else fits.
    pub(super) fn of(labels: &'l Labels, new: Vec<u32>) -> Bearers<'l> {
        let mut of: HashMap<Pair, Vec<u32>> = HashMap::new();
        for i in 0..labels.sets.len() {
            for pair in labels.set(i) {
                of.entry(*pair).or_default().push(number(i));
            }
        }
        Bearers {
            labels,
            of,
            new,
            met: HashMap::new(),
            left: labels.sets.len() * LOOKS + (1 << 16),
        }
    }

    /// Relates what selects with each that has all labels it asks for, but for those whose value is new. All selectors
    /// that ask for the same are one.
    pub(super) fn select(&mut self, selector: Selector, nodes: &mut Nodes) {
        let mut firm = selector.asked;
        firm.retain(|(_, value)| !self.new.contains(value));
        firm.sort_unstable();
        let bearers: Option<Vec<&Vec<u32>>> = firm.iter().map(|pair| self.of.get(pair)).collect();
        let Some(bearers) = bearers else { return };
        let rarest = bearers.iter().map(|list| list.len()).min();
        let looks = rarest.unwrap_or(self.labels.sets.len());
        if looks > self.left && firm.len() > 1 {
            // Rather one circle too large: as if it asked for the rarest alone.
            firm = firm
                .into_iter()
                .min_by_key(|pair| self.of[pair].len())
                .into_iter()
                .collect();
        }
        // What runs is joined with what it selects; beside it stands a node for all that ask for the same.
        let owned = nodes.is_owned(selector.node);
        if let Some(met) = self.met.get(&(owned, firm.clone())) {
            nodes.relate(selector.node, *met);
            return;
        }
        self.left = self.left.saturating_sub(looks);
        let met = if owned { selector.node } else { nodes.another() };
        nodes.relate(selector.node, met);
        let sets = &self.labels.sets;
        match firm.iter().map(|pair| &self.of[pair]).min_by_key(|list| list.len()) {
            Some(list) => {
                let all = |i: &&u32| {
                    let labels = self.labels.set(**i as usize);
                    firm.iter().all(|pair| labels.binary_search(pair).is_ok())
                };
                let selected = list.iter().filter(all);
                selected.for_each(|i| nodes.relate(met, sets[*i as usize].0));
            }
            // Without such a label it may select anything.
            None => sets.iter().for_each(|(node, _)| nodes.relate(met, *node)),
        }
        self.met.insert((owned, firm), met);
    }
}
