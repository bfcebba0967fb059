//! Labels and what asks for them, as numbers: the same few words stand at every object.

use foldhash::{HashMap, HashMapExt};

use super::{Node, number};
use crate::value::{Text, Value};

/// A key of a label and its value, each by the number of its word.
type Pair = (u32, u32);

/// What carries which label, as numbers: the same few words stand at every object.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Labels {
    words: HashMap<Text, u32>,
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

/// The sets of labels in which each pair is.
pub(super) struct Bearers<'l> {
    labels: &'l Labels,
    of: HashMap<Pair, Vec<u32>>,
}

impl<'l> Bearers<'l> {
    pub(super) fn of(labels: &'l Labels) -> Bearers<'l> {
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
    pub(super) fn selected(&self, selector: &Selector, new: &[u32], mut join: impl FnMut(Node)) {
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
