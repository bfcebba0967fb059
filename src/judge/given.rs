//! The values files, merged once for all releases; and how much of them the releases read together.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::milvus::release::Release;
use crate::rewrite::values::{Values, Whole, merged};
use crate::value::Value;

/// What the releases may read of the values together, beside what the size allows: seconds.
const LEAST: usize = 64 << 20;

/// How many times what came in is allowed more.
const EACH: usize = 4;

/// What the values files say.
#[derive(Debug)]
pub(super) struct Given {
    whole: Rc<Whole>,
    /// How much stands below each path that was asked for.
    weights: RefCell<HashMap<Vec<String>, usize>>,
}

impl Given {
    /// Merges the files; `None` where none was given.
    pub(super) fn of(files: &[Value]) -> Option<Rc<Given>> {
        let whole = merged(files)?;
        Some(Rc::new(Given {
            whole,
            weights: RefCell::default(),
        }))
    }

    /// Those of a chart.
    pub(super) fn within(&self, path: Vec<String>) -> Values {
        Values::within(Rc::clone(&self.whole), path)
    }

    /// Those of a release of which nothing tells how its chart is rooted: below the only key where they have the tag of its
    /// images, else at the root.
    pub(super) fn fitting(&self, release: &Release) -> Values {
        let places = self.whole.places();
        let tags = |values: &Values| release.components.iter().any(|c| values.tags(&c.image) == Some(true));
        let mut fitting = places.iter().map(|path| self.within(path.clone())).filter(tags);
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => only,
            _ => self.within(vec![]),
        }
    }

    /// How much a release reads of them: bytes, in about.
    pub(super) fn weight(&self, values: &Values) -> usize {
        let mut weights = self.weights.borrow_mut();
        if let Some(weight) = weights.get(values.path()) {
            return *weight;
        }
        let weight = weigh(values.scoped());
        weights.insert(values.path().to_vec(), weight);
        weight
    }

    /// How much releases may read together, beside streams of so many bytes, where they read more.
    pub(super) fn beyond(&self, read: usize, bytes: usize) -> Option<usize> {
        if read <= LEAST {
            return None;
        }
        let allowed = LEAST.saturating_add(EACH.saturating_mul(bytes + self.weight(&self.within(vec![]))));
        (read > allowed).then_some(allowed)
    }
}

fn weigh(value: &Value) -> usize {
    const NODE: usize = 4;
    NODE + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weigh).sum(),
        Value::Object(map) => map.iter().map(|(key, value)| key.len() + weigh(value)).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    #[test]
    fn what_stands_below_a_path_is_weighed_and_has_a_bound() {
        assert!(Given::of(&[]).is_none());
        let given = Given::of(&[json!({"one": {"key": "text"}, "two": [1, "text"]})]).unwrap();
        let weight = |path: &[&str]| given.weight(&given.within(path.iter().map(|k| (*k).to_owned()).collect()));
        for _ in 0..2 {
            assert_eq!([weight(&["one"]), weight(&[]), weight(&["none"])], [15, 41, 4]);
        }
        let allowed = LEAST + 4 * (1000 + 41);
        assert_eq!([given.beyond(LEAST, 0), given.beyond(allowed, 1000)], [None; 2]);
        assert_eq!(given.beyond(allowed + 1, 1000), Some(allowed));
    }
}
