//! Ways to a value inside another: JSON pointers (RFC 6901).

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use super::Value;

/// Splits a pointer into its unescaped tokens. `None`: not a pointer.
pub fn tokens(pointer: &str) -> Option<Vec<String>> {
    if pointer.is_empty() {
        return Some(Vec::new());
    }
    let rest = pointer.strip_prefix('/')?;
    Some(
        rest.split('/')
            .map(|token| token.replace("~1", "/").replace("~0", "~"))
            .collect(),
    )
}

/// A key as one step of a pointer.
pub fn escape(key: &str) -> Cow<'_, str> {
    match memchr2(b'~', b'/', key.as_bytes()) {
        Some(_) => key.replace('~', "~0").replace('/', "~1").into(),
        None => key.into(),
    }
}

/// The index of a list a token names: digits without a leading zero.
pub fn index(token: &str) -> Option<usize> {
    let canonical = token == "0" || !token.starts_with('0');
    (canonical && !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| token.parse().ok())
        .flatten()
}

impl Value {
    /// The value at a JSON pointer. Without a copy of each step: this is most of what a judgement does.
    pub fn pointer(&self, pointer: &str) -> Option<&Value> {
        if memchr(b'~', pointer.as_bytes()).is_some() {
            let steps = tokens(pointer)?;
            return steps.iter().try_fold(self, |value, key| step(value, key.as_bytes()));
        }
        steps(pointer)?.try_fold(self, step)
    }

    /// As [`Value::pointer`], to change what is there.
    pub fn pointer_mut(&mut self, pointer: &str) -> Option<&mut Value> {
        if memchr(b'~', pointer.as_bytes()).is_some() {
            let steps = tokens(pointer)?;
            return steps
                .iter()
                .try_fold(self, |value, key| step_mut(value, key.as_bytes()));
        }
        steps(pointer)?.try_fold(self, step_mut)
    }

    /// The value of a key; `None` also for what is no mapping.
    pub fn entry(&self, key: &str) -> Option<&Value> {
        self.as_object()?.get(key)
    }
}

/// The steps of a pointer as bytes, which are cut faster: steps are short.
fn steps(pointer: &str) -> Option<impl Iterator<Item = &[u8]>> {
    let rooted = pointer.is_empty() || pointer.starts_with('/');
    rooted.then(|| pointer.as_bytes().split(|b| *b == b'/').skip(1))
}

fn step<'v>(value: &'v Value, step: &[u8]) -> Option<&'v Value> {
    match value {
        Value::Object(map) => map.get_bytes(step),
        Value::Array(items) => items.get(index(std::str::from_utf8(step).ok()?)?),
        _ => None,
    }
}

fn step_mut<'v>(value: &'v mut Value, step: &[u8]) -> Option<&'v mut Value> {
    match value {
        Value::Object(map) => map.get_bytes_mut(step),
        Value::Array(items) => items.get_mut(index(std::str::from_utf8(step).ok()?)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::map::MANY;
    use super::*;
    use crate::value::Map;

    #[test]
    fn a_pointer_reads_as_serde_json_s() {
        let theirs = serde_json::json!({"a": {"b/c": [1, {"": 2}], "": {"d": 3}, "0": 4}, "~": 5});
        let value = Value::from(theirs.clone());
        for path in [
            "",
            "/",
            "a",
            "/a",
            "/a/",
            "/a//d",
            "/a/0",
            "/a/b~1c",
            "/a/b~1c/0",
            "/a/b~1c/1/",
            "/a/b~1c/01",
            "/a/b~1c/+1",
            "/~0",
            "/a/x/y",
        ] {
            let wanted = theirs.pointer(path).cloned().map(Value::from);
            assert_eq!(value.pointer(path), wanted.as_ref(), "{path}");
            assert_eq!(value.clone().pointer_mut(path).cloned(), wanted, "{path}");
        }
        let theirs = serde_json::json!([1, [2, 3]]);
        let list = Value::from(theirs.clone());
        for path in ["/0", "/1/1", "/1/2", "/-", "/1/", "/00", "/1/01"] {
            let wanted = theirs.pointer(path).cloned().map(Value::from);
            assert_eq!(list.pointer(path), wanted.as_ref(), "{path}");
            assert_eq!(list.clone().pointer_mut(path).cloned(), wanted, "{path}");
        }
    }

    #[test]
    fn small_and_large_maps_answer_alike() {
        for len in [0, 1, MANY - 1, MANY, MANY + 1] {
            let map: Map = (0..len).map(|i| (i.to_string(), Value::from(i))).collect();
            let mut value = Value::Object(map);
            for i in 0..=len {
                let (key, wanted) = (i.to_string(), (i < len).then(|| Value::from(i)));
                assert_eq!(value.entry(&key), wanted.as_ref());
                assert_eq!(value.pointer_mut(&format!("/{key}")).cloned(), wanted);
            }
        }
        assert_eq!(Value::from("text").entry("text"), None);
    }
}
