//! What several workloads have in common, once the marks of their roles are taken out.

use std::borrow::Cow;
use std::cell::OnceCell;

use foldhash::HashMap;

use crate::value::{Map, Value};

/// Stands for the workload's own name.
pub const NAME: &str = "\u{0}name";
/// Stands for the role's word in labels and container names.
pub const ROLE: &str = "\u{0}role";
/// Stands for the words behind `run`.
pub const ARGS: &str = "\u{0}args";

/// What all values share: equal values; maps key by key; lists of named things by name, in the first's order. `None`
/// where nothing is shared.
pub fn share(values: &[&Value]) -> Option<Value> {
    let (first, rest) = values.split_first()?;
    if rest.iter().all(|v| v == first) {
        return Some((*first).clone());
    }
    match first {
        Value::Object(map) => {
            let mut out = Map::new();
            for (key, _) in map {
                let each: Option<Vec<&Value>> = values.iter().map(|v| v.entry(key)).collect();
                // Of what is different in each, not even the empty map is shared; but the chart always writes resources.
                let shared = each.and_then(|each| Some((share(&each)?, each[0])));
                if let Some((shared, first)) = shared
                    && (!is_empty(&shared) || is_empty(first) || key == "resources")
                {
                    out.insert(key.clone(), shared);
                }
            }
            Some(Value::Object(out))
        }
        Value::Array(list) => share_lists(list, values),
        _ => None,
    }
}

/// What several lists have of one name.
enum Found<'v> {
    /// Not all have it.
    Lost,
    /// The same.
    Same,
    /// Each another, and what these share.
    Parts(Vec<&'v Value>, OnceCell<Option<Value>>),
}

/// What lists of named things share; `None` where the first has one without a name. Each list is gone through once.
fn share_lists(list: &[Value], values: &[&Value]) -> Option<Value> {
    let ids: Option<Vec<Identity>> = list.iter().map(identity).collect();
    let ids = ids?;
    let places: Vec<HashMap<Identity, &Value>> = values.iter().map(|v| by_identity(v)).collect();
    // One that comes several times in the first list is looked for in the others once.
    let mut known: HashMap<&Identity, Found> = HashMap::default();
    let mut out = Vec::new();
    for (item, id) in list.iter().zip(&ids) {
        let found = known.entry(id).or_insert_with(|| {
            let each: Option<Vec<&Value>> = places.iter().map(|of| of.get(id).copied()).collect();
            each.map_or(Found::Lost, |each| match each.iter().all(|v| *v == each[0]) {
                true => Found::Same,
                false => Found::Parts(each, OnceCell::new()),
            })
        });
        match found {
            Found::Same => out.push(item.clone()),
            // A container is the sum of its fields; a volume or variable is one thing.
            Found::Parts(each, shared) if item.entry("image").is_some() => {
                out.extend(shared.get_or_init(|| share(each)).clone());
            }
            Found::Parts(..) | Found::Lost => {}
        }
    }
    Some(Value::Array(out))
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// The field by which an item is told apart, and what it says.
type Identity<'v> = (&'static str, Cow<'v, str>);

/// How Kubernetes tells the items of a list apart: mounts by path, most things by name.
pub fn identity(item: &Value) -> Option<Identity<'_>> {
    ["mountPath", "name", "containerPort", "topologyKey", "key"]
        .into_iter()
        .find_map(|key| match item.entry(key) {
            Some(Value::String(s)) => Some((key, s.into())),
            Some(Value::Number(n)) => Some((key, n.to_string().into())),
            _ => None,
        })
}

/// The items of a list by what tells them apart, the first of those that are told alike.
fn by_identity(list: &Value) -> HashMap<Identity<'_>, &Value> {
    let mut of = HashMap::default();
    for item in list.as_array().into_iter().flatten() {
        if let Some(id) = identity(item) {
            of.entry(id).or_insert(item);
        }
    }
    of
}

/// A text that equal values have in common and others have not, by which they are found: maps are equal in any order.
pub fn common_text(value: &Value) -> String {
    let mut sorted = value.clone();
    sorted.sort_all_objects();
    sorted.to_string()
}

/// A value as people read it: its marks in words.
pub fn in_words(value: &Value) -> Value {
    let mut value = value.clone();
    replace_strings(&mut value, &|s| {
        let words = || {
            s.replace(NAME, "<name>")
                .replace(ROLE, "<role>")
                .replace(ARGS, "<role>")
        };
        s.contains('\u{0}').then(|| vec![words()])
    });
    value
}

/// Replaces every string that satisfies `matches` anywhere in a value.
pub fn replace_strings(value: &mut Value, replace: &impl Fn(&str) -> Option<Vec<String>>) {
    match value {
        Value::Object(map) => map.values_mut().for_each(|v| replace_strings(v, replace)),
        Value::Array(list) => {
            let mut out = Vec::with_capacity(list.len());
            for mut item in std::mem::take(list) {
                match item.as_str().and_then(replace) {
                    Some(words) => out.extend(words.into_iter().map(Value::from)),
                    None => {
                        replace_strings(&mut item, replace);
                        out.push(item);
                    }
                }
            }
            *list = out;
        }
        Value::String(s) => {
            if let Some(words) = replace(s) {
                *s = words.join(" ").into();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    #[test]
    fn named_lists_are_compared_by_name_in_the_first_order() {
        let a = json!({"volumes": [{"name": "x", "emptyDir": {}}, {"name": "y", "secret": 1}, {"name": "z", "emptyDir": {}}]});
        let b = json!({"volumes": [{"name": "z", "emptyDir": {}}, {"name": "y", "secret": 2}, {"name": "x", "emptyDir": {}}]});
        assert_eq!(
            share(&[&a, &b]).unwrap(),
            json!({"volumes": [{"name": "x", "emptyDir": {}}, {"name": "z", "emptyDir": {}}]})
        );
    }

    #[test]
    fn of_items_with_one_name_the_first_of_each_list_counts() {
        let item = |name: &str, secret: u8| json!({"name": name, "secret": secret});
        let a = json!([item("x", 1), item("x", 2), item("y", 1)]);
        let b = json!([item("y", 2), item("x", 1), item("y", 1), {}]);
        assert_eq!(share(&[&a, &b]).unwrap(), json!([item("x", 1), item("x", 2)]));
        // One without a name in the first list is shared with nothing, and what is no list has nothing.
        assert_eq!(share(&[&b, &a]), None);
        assert_eq!(share(&[&a, &json!(1)]), Some(json!([])));
    }

    #[test]
    fn equal_values_have_a_text_in_common() {
        let text = |value: Value| common_text(&value);
        assert_eq!(
            text(json!({"a": {"b": 1, "c": 2}})),
            text(json!({"a": {"c": 2, "b": 1}}))
        );
        let others = [
            json!("1"),
            json!(1),
            json!([1]),
            json!([1, 2]),
            json!([2, 1]),
            json!(null),
            json!("null"),
        ];
        let texts: std::collections::HashSet<String> = others.iter().map(common_text).collect();
        assert_eq!(texts.len(), others.len());
    }

    #[test]
    fn containers_are_shared_field_by_field() {
        let a = json!([{"name": ROLE, "image": "m:1", "env": [{"name": "A", "value": "1"}], "tty": true}]);
        let b = json!([{"name": ROLE, "image": "m:1", "env": [{"name": "A", "value": "2"}]}]);
        assert_eq!(share(&[&a, &b]).unwrap(), json!([{"name": ROLE, "image": "m:1"}]));
    }

    #[test]
    fn what_differs_is_left_out() {
        assert_eq!(share(&[&json!(1), &json!(2)]), None);
        assert_eq!(
            share(&[&json!({"a": 1, "b": 2}), &json!({"b": 2, "a": 3})]),
            Some(json!({"b": 2}))
        );
        assert_eq!(share(&[&json!(null), &json!([1])]), None);
        let limits = |what: &str| json!({"resources": {"limits": {what: 1}}, "emptyDir": {}});
        assert_eq!(
            share(&[&limits("cpu"), &limits("memory")]),
            Some(json!({"resources": {}, "emptyDir": {}}))
        );
    }
}
