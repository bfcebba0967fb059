//! JSON that go-yaml does not read: escapes that JSON knows and YAML does not.

use serde::de::IgnoredAny;

/// A text that is one JSON document, with its escapes `\/` and `\ud83d\ude00` (half a character each, as Python's `json.dumps`
/// writes them) as the characters they stand for. `None` where there is nothing to do: it has none, or is no JSON. Half a
/// character alone stays as it is, and nobody reads it.
pub fn without_json_escapes(text: &str) -> Option<String> {
    let is_json = || serde_json::from_str::<IgnoredAny>(text.trim_start_matches('\u{feff}')).is_ok();
    let starts = text
        .trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n'])
        .starts_with('{');
    if !starts || !has_any(text) || !is_json() {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (spelled, length) = match (rest.as_bytes().get(1), pair(rest)) {
            (Some(b'/'), _) => (Some('/'), 2),
            (_, Some(character)) => (Some(character), 12),
            _ => (None, 2),
        };
        match spelled {
            Some(character) => out.push(character),
            None => out.push_str(&rest[..length]),
        }
        rest = &rest[length..];
    }
    out.push_str(rest);
    Some(out)
}

/// Whether any is there, or something that looks so.
fn has_any(text: &str) -> bool {
    ["\\/", "\\ud", "\\uD"].iter().any(|escape| text.contains(escape))
}

/// The character of two escapes that are half of it each.
fn pair(text: &str) -> Option<char> {
    let half = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let (high, low) = (half(0)?, half(6)?);
    char::decode_utf16([high, low])
        .next()?
        .ok()
        .filter(|_| (0xd800..0xdc00).contains(&high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    #[test]
    fn what_json_escapes_and_yaml_does_not_is_spelled() {
        for (json, spelled) in [
            (r#"{"a": "\ud83d\ude00"}"#, r#"{"a": "😀"}"#),
            (r#"{"\uD83D\uDE00": "\/\/"}"#, r#"{"😀": "//"}"#),
            // A backslash that is escaped escapes nothing.
            (r#"{"a": "\\/\/\\ud83d"}"#, r#"{"a": "\\//\\ud83d"}"#),
            ("\u{feff} {\"a\":\n\"\\/\"}\n", "\u{feff} {\"a\":\n\"/\"}\n"),
            (r#"{"a": 1, "a": "\/\u00e9\n"}"#, r#"{"a": 1, "a": "/\u00e9\n"}"#),
        ] {
            let found = without_json_escapes(json).expect("something to do");
            assert_eq!(found, spelled);
            let theirs: Option<serde_json::Value> = serde_json::from_str(json.trim_start_matches('\u{feff}')).ok();
            let ours = yaml::read(&found).expect("YAML");
            assert_eq!(ours, theirs.map(yaml::Value::from), "{json}");
        }
    }

    #[test]
    fn what_has_none_and_what_is_no_json_stays() {
        for text in [
            r#"{"a": "/"}"#,
            r#"["\/"]"#,
            "a: \"\\/\"\n",
            "{\"a\": \"\\/\"}\n---\n{}\n",
            r#"{a: "\/"}"#,
            r#"{"a": "\ud83d"}"#,
            r#"{"a": "\ud83d\u0041"}"#,
            r#"{"a": "\ude00\ud83d"}"#,
            r#"{"a": "\\ud83d"}"#,
            "{\"a\": \"\\ud83d",
            "",
        ] {
            let left = without_json_escapes(text).unwrap_or_else(|| text.into());
            assert_eq!(left, text);
        }
    }
}
