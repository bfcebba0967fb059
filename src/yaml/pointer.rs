//! RFC 6901 pointers, and `#` pointers into the text of a string.

use super::Value;
pub(super) use crate::value::pointer::{escape, index, tokens};

/// The pointer of a list of tokens.
pub(super) fn join(tokens: &[String]) -> String {
    tokens.iter().map(|token| format!("/{}", escape(token))).collect()
}

/// Splits `/data/x.yaml#/mq/type` at the first `#` whose left side names a string and whose right side is a pointer.
/// A path that is there as it stands, or could be added as it stands, is no such pointer: keys may hold a `#`.
pub(super) fn split_embedded<'a>(value: &Value, pointer: &'a str) -> Option<(&'a str, &'a str)> {
    let parent = pointer.rfind('/').and_then(|at| value.pointer(&pointer[..at]));
    let addable = pointer.contains('#') && parent.is_some_and(|v| v.is_object() && !names_text(v, pointer));
    if addable || value.pointer(pointer).is_some() {
        return None;
    }
    pointer.match_indices('#').find_map(|(at, _)| {
        let (outer, inner) = (&pointer[..at], &pointer[at + 1..]);
        let is_pointer = inner.is_empty() || inner.starts_with('/');
        (is_pointer && value.pointer(outer).is_some_and(Value::is_string)).then_some((outer, inner))
    })
}

/// Whether the last step of a pointer is a key of `map` with a `#` behind it: `/data/user.yaml#` means the text.
fn names_text(map: &Value, pointer: &str) -> bool {
    let last = pointer.rsplit('/').next().unwrap_or_default();
    let key = last.trim_end_matches('#').replace("~1", "/").replace("~0", "~");
    last.ends_with('#') && map.get(&key).is_some_and(Value::is_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    #[test]
    fn a_path_leads_into_a_text_where_it_can_mean_nothing_else() {
        let value = json!({
            "x": "a: 1", "x#": {}, "y": {}, "y#": "t", "z": "t", "z#": "t", "a/b": "t", "list": ["t", {}], "k": {"#": "t"},
        });
        for (path, want) in [
            ("/x#/a", None),
            ("/x#/y#", None),
            ("/x#/z#", None),
            ("/z#/a", Some(("/z", "/a"))),
            ("/x##/a", None),
            ("/z#", None),
            ("/a~1b#", Some(("/a~1b", ""))),
            ("/a~1b#/c", Some(("/a~1b", "/c"))),
            ("/y#/a", None),
            ("/y##/a", Some(("/y#", "/a"))),
            ("/y#", None),
            ("/list/0#", Some(("/list/0", ""))),
            ("/list/0#/a", Some(("/list/0", "/a"))),
            ("/list/0#a", None),
            ("/list/-#", None),
            ("/list/1#", None),
            ("/k/##/a", Some(("/k/#", "/a"))),
            ("/new#", None),
            ("/new", None),
        ] {
            assert_eq!(split_embedded(&value, path), want, "{path}");
        }
    }
}
