//! Things by their labels, and which of them a selector chooses, without a look at each for each selector.

use std::borrow::Cow;
use std::hash::BuildHasher;

use foldhash::HashMap;
use foldhash::fast::RandomState;

use super::selector;
use crate::value::Value;

/// Which of some things (by their indices) carry a label: to ask each of them for each selector takes time squared.
#[derive(Debug, Default)]
pub struct Carriers {
    /// By a label's hash, so that who keeps this borrows nothing. Whoever asks looks at the labels themselves.
    of: HashMap<u64, Vec<usize>>,
    hasher: RandomState,
}

impl Carriers {
    /// Things with their labels.
    pub fn of<'v>(things: impl IntoIterator<Item = (usize, &'v Value)>) -> Carriers {
        let mut found = Carriers::default();
        for (i, labels) in things {
            for (key, value) in labels.as_object().into_iter().flatten() {
                if let Some(value) = value.as_str() {
                    let label = found.label(key, value);
                    found.of.entry(label).or_default().push(i);
                }
            }
        }
        found
    }

    /// Those that may carry a label, ascending.
    pub fn carrying(&self, key: &str, value: &str) -> &[usize] {
        self.of.get(&self.label(key, value)).map_or(&[], Vec::as_slice)
    }

    fn label(&self, key: &str, value: &str) -> u64 {
        self.hasher.hash_one((key, value))
    }

    /// Those that may carry what fewest carry of what a selector demands, ascending; `None` where it demands no label at
    /// all.
    pub fn fewest(&self, selector: &Value, plain: bool) -> Option<Cow<'_, [usize]>> {
        let equal = if plain {
            Some(selector)
        } else {
            selector.entry("matchLabels")
        };
        let equal = equal.and_then(Value::as_object).into_iter().flatten();
        let equal = equal.map(|(key, value)| (&key[..], std::slice::from_ref(value)));
        let expressions = selector.entry("matchExpressions").filter(|_| !plain);
        let expressions = expressions.and_then(Value::as_array).into_iter().flatten();
        let among = expressions.filter_map(|e| match e.entry("operator")?.as_str()? {
            "In" => Some((e.entry("key")?.as_str()?, e.entry("values")?.as_array()?.as_slice())),
            _ => None,
        });
        let carry = equal.chain(among).map(|(key, values)| {
            let each = values.iter().filter_map(Value::as_str);
            each.map(|value| self.carrying(key, value)).collect::<Vec<_>>()
        });
        let lists = carry.min_by_key(|lists| lists.iter().map(|list| list.len()).sum::<usize>())?;
        if let [] | [_] = lists[..] {
            return Some(Cow::Borrowed(lists.first().copied().unwrap_or_default()));
        }
        let mut found = lists.concat();
        found.sort_unstable();
        found.dedup();
        Some(Cow::Owned(found))
    }
}

/// Things by the labels they carry.
#[derive(Debug)]
pub struct Labelled<'v, T> {
    all: Vec<(&'v Value, T)>,
    carriers: Carriers,
}

impl<'v, T> Labelled<'v, T> {
    /// Things with their labels.
    pub fn of(things: impl IntoIterator<Item = (&'v Value, T)>) -> Labelled<'v, T> {
        let all: Vec<(&Value, T)> = things.into_iter().collect();
        let carriers = Carriers::of(all.iter().map(|(labels, _)| *labels).enumerate());
        Labelled { all, carriers }
    }

    /// Those that a selector chooses ([`selector::selects`]), in their order.
    pub fn chosen<'n>(&'n self, selector: &'n Value, plain: bool) -> impl Iterator<Item = &'n T> + use<'n, 'v, T> {
        let some = self.carriers.fewest(selector, plain);
        let many = some.as_ref().map_or(self.all.len(), |some| some.len());
        let each = (0..many).map(move |i| some.as_ref().map_or(i, |some| some[i]));
        let each = each.map(|i| &self.all[i]);
        each.filter(move |(labels, _)| selector::selects(selector, plain, labels))
            .map(|(_, thing)| thing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    #[test]
    fn what_is_chosen_is_what_asking_each_finds() {
        let labels = [
            json!({"a": "b"}),
            json!({"a": "b", "c": "d"}),
            json!({"c": "d", "e": 1}),
            json!({"a": "x"}),
            json!({}),
            json!(null),
        ];
        let known = Labelled::of(labels.iter().enumerate().map(|(i, labels)| (labels, i)));
        let among = |operator: &str, values: Value| json!({"matchExpressions": [{"key": "a", "operator": operator, "values": values}]});
        let selectors = [
            (json!({"a": "b"}), true),
            (json!({"a": "b", "c": "d"}), true),
            (json!({"a": "b", "c": "z"}), true),
            (json!({"e": 1}), true),
            (json!({}), true),
            (json!(null), true),
            (json!({}), false),
            (json!({"matchLabels": {"a": "b"}}), false),
            (json!({"matchLabels": {}}), false),
            (json!({"matchLabels": null}), false),
            (among("In", json!(["x", "b", "b"])), false),
            (among("In", json!([])), false),
            (among("In", json!(null)), false),
            (among("NotIn", json!(["b"])), false),
            (among("Exists", json!(null)), false),
            (among("DoesNotExist", json!(null)), false),
            (among("Unheard", json!(["b"])), false),
        ];
        for (selector, plain) in &selectors {
            let each = labels.iter().enumerate();
            let looked_for: Vec<usize> = each
                .filter(|(_, labels)| selector::selects(selector, *plain, labels))
                .map(|(i, _)| i)
                .collect();
            let found: Vec<usize> = known.chosen(selector, *plain).copied().collect();
            assert_eq!(found, looked_for, "{selector}");
        }
    }
}
