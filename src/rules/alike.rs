//! Values as keys.

use std::hash::{Hash, Hasher};

use foldhash::HashSet;

use crate::value::Value;

/// A value by what it says: two are one key where they are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alike<'v>(pub &'v Value);

impl Hash for Alike<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self.0).hash(state);
        match self.0 {
            Value::Null => {}
            Value::Bool(yes) => yes.hash(state),
            Value::Number(number) => number.hash(state),
            Value::String(text) => text.hash(state),
            Value::Array(items) => {
                items.len().hash(state);
                items.iter().for_each(|item| Alike(item).hash(state));
            }
            // Maps are equal whatever the order of their keys.
            Value::Object(map) => {
                let mut entries: Vec<(&str, &Value)> = map.iter().map(|(key, value)| (&key[..], value)).collect();
                entries.sort_unstable_by_key(|(key, _)| *key);
                entries.len().hash(state);
                for (key, value) in entries {
                    key.hash(state);
                    Alike(value).hash(state);
                }
            }
        }
    }
}

/// Values to find others among, each by what it says.
pub fn set<'v>(values: impl IntoIterator<Item = &'v Value>) -> HashSet<Alike<'v>> {
    values.into_iter().map(Alike).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    #[test]
    fn what_is_equal_is_found() {
        let all = [
            json!(null),
            json!(false),
            json!(1),
            json!(1.0),
            json!(-1),
            json!("1"),
            json!([]),
            json!([[1]]),
            json!([1]),
            json!({}),
            json!({"a": 1, "b": [2]}),
            json!({"a": {"b": 2}}),
        ];
        for (i, value) in all.iter().enumerate() {
            let others = all.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, v)| v);
            assert!(!set(others).contains(&Alike(value)), "{value}");
            assert!(set(&all).contains(&Alike(&value.clone())), "{value}");
        }
        assert!(set(&all).contains(&Alike(&json!({"b": [2], "a": 1}))));
    }
}
