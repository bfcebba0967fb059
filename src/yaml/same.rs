//! Equality of values without hashing.

use super::{Map, Value};

/// Whether two values are equal, as `==` says. Two maps of manifests mostly have their keys in one order: then no key is
/// looked up.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => a.len() == b.len() && maps(a, b),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (a, b) => a == b,
    }
}

fn maps(a: &Map, b: &Map) -> bool {
    let mut pairs = a.iter().zip(b);
    loop {
        match pairs.next() {
            None => return true,
            Some(((key, x), (other, y))) if key == other => {
                if !same(x, y) {
                    return false;
                }
            }
            Some(_) => return a.iter().all(|(key, x)| b.get(key).is_some_and(|y| same(x, y))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_says_what_equality_says() {
        let values = [
            json!(null),
            json!({}),
            json!([]),
            json!({"a": 1, "b": {"c": [1, {"d": "x"}]}}),
            json!({"b": {"c": [1, {"d": "x"}]}, "a": 1}),
            json!({"b": {"c": [1, {"d": "y"}]}, "a": 1}),
            json!({"a": 1, "b": {"c": [1, {"d": "x"}], "e": null}}),
            json!({"a": 1, "b": {"e": [1, {"d": "x"}]}}),
            json!({"a": 1.0, "b": {"c": [1, {"d": "x"}]}}),
            json!([1, 2]),
            json!([2, 1]),
            json!("1"),
            json!(1),
        ];
        for a in &values {
            for b in &values {
                assert_eq!(same(a, b), a == b, "{a} {b}");
            }
        }
    }
}
