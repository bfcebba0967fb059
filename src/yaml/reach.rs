//! Ways to a value inside another.

use memchr::memchr;

use super::{Map, Value};

/// Steps into a value. As serde_json's own, but without a copy of each step and mostly without a hash: this is most of
/// what a judgement does.
pub trait Reach {
    /// The value at a JSON pointer (RFC 6901).
    fn reach(&self, pointer: &str) -> Option<&Value>;

    /// As [`Reach::reach`], to change what is there.
    fn reach_mut(&mut self, pointer: &str) -> Option<&mut Value>;

    /// The value of a key; `None` also for what is no mapping.
    fn entry(&self, key: &str) -> Option<&Value>;
}

impl Reach for Value {
    fn reach(&self, pointer: &str) -> Option<&Value> {
        if memchr(b'~', pointer.as_bytes()).is_some() {
            return self.pointer(pointer);
        }
        steps(pointer)?.try_fold(self, |value, step| match value {
            Value::Object(map) => entry(map, step),
            Value::Array(items) => items.get(index(step)?),
            _ => None,
        })
    }

    fn reach_mut(&mut self, pointer: &str) -> Option<&mut Value> {
        if memchr(b'~', pointer.as_bytes()).is_some() {
            return self.pointer_mut(pointer);
        }
        steps(pointer)?.try_fold(self, |value, step| match value {
            Value::Object(map) => entry_mut(map, step),
            Value::Array(items) => items.get_mut(index(step)?),
            _ => None,
        })
    }

    fn entry(&self, key: &str) -> Option<&Value> {
        entry(self.as_object()?, key.as_bytes())
    }
}

/// The steps of a pointer as bytes, which are cut faster: steps are short.
fn steps(pointer: &str) -> Option<impl Iterator<Item = &[u8]>> {
    let rooted = pointer.is_empty() || pointer.starts_with('/');
    rooted.then(|| pointer.as_bytes().split(|b| *b == b'/').skip(1))
}

fn index(step: &[u8]) -> Option<usize> {
    super::pointer::index(std::str::from_utf8(step).ok()?)
}

/// Most maps of a manifest are so small that to look through them costs less than to hash the key.
const SMALL: usize = 12;

fn entry<'v>(map: &'v Map, key: &[u8]) -> Option<&'v Value> {
    match map.len() <= SMALL {
        true => map.iter().find(|(k, _)| k.as_bytes() == key).map(|(_, v)| v),
        false => map.get(std::str::from_utf8(key).ok()?),
    }
}

fn entry_mut<'v>(map: &'v mut Map, key: &[u8]) -> Option<&'v mut Value> {
    match map.len() <= SMALL {
        true => map.iter_mut().find(|(k, _)| k.as_bytes() == key).map(|(_, v)| v),
        false => map.get_mut(std::str::from_utf8(key).ok()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_reads_as_serde_json_s() {
        let value = serde_json::json!({"a": {"b/c": [1, {"": 2}], "": {"d": 3}, "0": 4}, "~": 5});
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
            assert_eq!(value.reach(path), value.pointer(path), "{path}");
            let (mut own, mut theirs) = (value.clone(), value.clone());
            assert_eq!(own.reach_mut(path), theirs.pointer_mut(path), "{path}");
        }
        let mut list = serde_json::json!([1, [2, 3]]);
        for path in ["/0", "/1/1", "/1/2", "/-", "/1/", "/00", "/1/01"] {
            assert_eq!(list.reach(path), list.pointer(path), "{path}");
            assert_eq!(list.clone().reach_mut(path), list.pointer_mut(path), "{path}");
        }
    }

    #[test]
    fn small_and_large_maps_answer_alike() {
        for len in [0, 1, SMALL, SMALL + 1] {
            let map: Map = (0..len).map(|i| (i.to_string(), Value::from(i))).collect();
            let mut value = Value::Object(map);
            for i in 0..=len {
                let (key, wanted) = (i.to_string(), (i < len).then(|| Value::from(i)));
                assert_eq!(value.entry(&key), wanted.as_ref());
                assert_eq!(value.reach_mut(&format!("/{key}")).cloned(), wanted);
            }
        }
        assert_eq!(Value::from("text").entry("text"), None);
    }
}
