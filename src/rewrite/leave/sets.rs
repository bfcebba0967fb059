//! Labels of many objects, and which of them a selector chooses, without a look at each for each selector.

use std::cell::RefCell;

use foldhash::{HashMap, HashSet};

use crate::kube::labelled::Carriers;
use crate::rewrite::share::common_text;
use crate::value::Value;

/// Some sets of labels, each with what is known of whose they are. Equal ones are one, the first.
pub struct Sets<'a, T> {
    all: Vec<(&'a Value, T)>,
    carriers: Carriers,
    /// The answers to the selectors that were asked for, by whether they are plain and what they say.
    asked: RefCell<HashMap<(bool, String), Option<usize>>>,
}

impl<'a, T> Sets<'a, T> {
    /// The sets of labels, in their order.
    pub fn of(each: impl IntoIterator<Item = (&'a Value, T)>) -> Sets<'a, T> {
        let mut met = HashSet::default();
        let each = each.into_iter().filter(|(labels, _)| met.insert(common_text(labels)));
        let all: Vec<(&Value, T)> = each.collect();
        let carriers = Carriers::of(all.iter().map(|(labels, _)| *labels).enumerate());
        let asked = RefCell::default();
        Sets { all, carriers, asked }
    }

    /// Whose the first set is that a selector chooses ([`crate::kube::selector::selects`]).
    pub fn chosen(&self, selector: &Value, plain: bool) -> Option<&T> {
        let mut asked = self.asked.borrow_mut();
        let answer = asked.entry((plain, common_text(selector)));
        let first = *answer.or_insert_with(|| self.first(selector, plain));
        first.map(|i| &self.all[i].1)
    }

    /// Whose the first set is that carries a label.
    pub fn carrying(&self, key: &str, value: &str) -> Option<&T> {
        let carries = |i: &&usize| self.all[**i].0.entry(key).and_then(Value::as_str) == Some(value);
        let first = self.carriers.carrying(key, value).iter().find(carries)?;
        Some(&self.all[*first].1)
    }

    /// Looks through those alone that carry what fewest carry of all that is asked for.
    fn first(&self, selector: &Value, plain: bool) -> Option<usize> {
        let wanted = Wanted::of(selector, plain)?;
        let holds = |i: &usize| wanted.selects(self.all[*i].0);
        match self.carriers.fewest(selector, plain) {
            Some(some) => some.iter().copied().find(holds),
            None => (0..self.all.len()).find(holds),
        }
    }
}

/// What a selector asks for, its lists of values as sets.
struct Wanted<'s> {
    labels: Vec<(&'s str, &'s str)>,
    expressions: Vec<Expression<'s>>,
}

struct Expression<'s> {
    key: &'s str,
    operator: &'s str,
    values: HashSet<&'s str>,
}

impl<'s> Wanted<'s> {
    /// `None` for what selects nothing, whatever there is.
    fn of(selector: &'s Value, plain: bool) -> Option<Wanted<'s>> {
        let map = if plain {
            Some(selector)
        } else {
            selector.entry("matchLabels")
        };
        let map = map.and_then(Value::as_object);
        if plain && map.is_none_or(|map| map.is_empty()) {
            return None;
        }
        let labels = map
            .into_iter()
            .flatten()
            .map(|(key, value)| Some((key.as_str(), value.as_str()?)));
        let expressions = selector
            .entry("matchExpressions")
            .filter(|_| !plain)
            .and_then(Value::as_array);
        let known = |e: &Expression| ["In", "NotIn", "Exists", "DoesNotExist"].contains(&e.operator);
        let expressions = expressions
            .into_iter()
            .flatten()
            .map(|e| Some(Expression::of(e)).filter(known));
        Some(Wanted {
            labels: labels.collect::<Option<_>>()?,
            expressions: expressions.collect::<Option<_>>()?,
        })
    }

    fn selects(&self, labels: &Value) -> bool {
        let has = |key: &str| labels.entry(key).and_then(Value::as_str);
        self.labels.iter().all(|(key, value)| has(key) == Some(*value))
            && self.expressions.iter().all(|e| e.holds(has(e.key)))
    }
}

impl<'s> Expression<'s> {
    fn of(e: &'s Value) -> Expression<'s> {
        let text = |field: &str| e.entry(field).and_then(Value::as_str).unwrap_or_default();
        let values = e.entry("values").and_then(Value::as_array).into_iter().flatten();
        Expression {
            key: text("key"),
            operator: text("operator"),
            values: values.filter_map(Value::as_str).collect(),
        }
    }

    fn holds(&self, value: Option<&str>) -> bool {
        let listed = || value.is_some_and(|value| self.values.contains(value));
        match self.operator {
            "In" => listed(),
            "NotIn" => !listed(),
            "Exists" => value.is_some(),
            _ => value.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::selector::selects;
    use crate::value::json;

    #[test]
    fn the_first_chosen_is_the_one_that_looking_at_each_finds() {
        let labels = [
            json!({"a": "1"}),
            json!(null),
            json!({"b": "1", "a": "2"}),
            json!({"a": "2", "b": "1"}),
            json!({"a": 2}),
            json!({"a": "2"}),
            json!({}),
            json!({"b": "2", "c": "1"}),
        ];
        let expression =
            |key: &str, operator: &str, values: Value| json!({"key": key, "operator": operator, "values": values});
        let mut asked: Vec<Value> = vec![
            json!(null),
            json!("a"),
            json!({}),
            json!({"a": "2"}),
            json!({"a": 2}),
            json!({"b": "1", "a": "2"}),
        ];
        let maps = [
            json!(null),
            json!({}),
            json!({"a": "2"}),
            json!({"c": "1", "b": "2"}),
            json!({"c": "9"}),
            json!({"a": 1}),
        ];
        let mut expressions = vec![json!(null), json!([])];
        for operator in ["In", "NotIn", "Exists", "DoesNotExist", "Unheard"] {
            for values in [
                json!(null),
                json!([]),
                json!(["2", "1"]),
                json!(["9", "2", 1]),
                json!(["9"]),
            ] {
                for key in ["a", "c"] {
                    let one = expression(key, operator, values.clone());
                    expressions.extend([json!([one]), json!([one, expression("b", "NotIn", json!(["1"]))])]);
                }
            }
        }
        for map in &maps {
            asked.extend(
                expressions
                    .iter()
                    .map(|e| json!({"matchLabels": map, "matchExpressions": e})),
            );
            asked.push(json!({"matchLabels": map}));
        }
        let sets = Sets::of(labels.iter().zip(0..));
        for selector in &asked {
            for plain in [true, false] {
                let wanted = labels.iter().position(|labels| selects(selector, plain, labels));
                assert_eq!(sets.chosen(selector, plain).copied(), wanted, "{selector} {plain}");
                assert_eq!(
                    sets.chosen(selector, plain).copied(),
                    wanted,
                    "again: {selector} {plain}"
                );
            }
        }
    }

    #[test]
    fn the_first_that_carries_a_label_is_found() {
        let labels = [json!({"a": "1"}), json!({"a": "2", "b": "1"}), json!({"a": "2"})];
        let sets = Sets::of(labels.iter().zip(0..));
        let carrying = [("a", "2"), ("a", "1"), ("b", "1"), ("b", "2"), ("c", "1")];
        assert_eq!(
            carrying.map(|(key, value)| sets.carrying(key, value).copied()),
            [Some(1), Some(0), Some(1), None, None]
        );
    }
}
