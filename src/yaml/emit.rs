//! New YAML that every reader takes for the same value.

use std::fmt::Write as _;

use super::Value;

/// Longest key that may stand before its `:`. Readers look ahead 1024 bytes for the colon.
const SIMPLE_KEY: usize = 1000;

/// A value in block style: two spaces, lists at the indent of their key, empty collections as `{}` and `[]`.
/// Ends with a newline.
pub fn emit(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, &mut out);
    out
}

/// The lines of a value in block style, without indentation from outside.
pub(super) fn lines(value: &Value) -> Vec<String> {
    let mut out = String::new();
    write(value, 0, &mut out);
    cut(&out)
}

/// The lines of one entry of a block mapping.
pub(super) fn entry_lines(key: &str, value: &Value) -> Vec<String> {
    let mut out = String::new();
    write_entry(key, value, 0, &mut out);
    cut(&out)
}

/// The lines of one item of a block sequence.
pub(super) fn item_lines(value: &Value) -> Vec<String> {
    let mut out = String::new();
    write_item(value, 0, &mut out);
    cut(&out)
}

/// No scalar has a line break: each is escaped.
fn cut(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// Writes a value whose lines stand at `indent`; that of the first is there already.
fn write(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (number, (key, value)) in map.iter().enumerate() {
                pad(if number == 0 { 0 } else { indent }, out);
                write_entry(key, value, indent, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (number, item) in items.iter().enumerate() {
                pad(if number == 0 { 0 } else { indent }, out);
                write_item(item, indent, out);
            }
        }
        _ => {
            out.push_str(&inline(value));
            out.push('\n');
        }
    }
}

fn write_entry(key: &str, value: &Value, indent: usize, out: &mut String) {
    let start = out.len();
    scalar_into(key, out);
    if out.len() - start > SIMPLE_KEY {
        out.insert_str(start, "? ");
        out.push('\n');
        pad(indent, out);
    }
    out.push(':');
    if is_block(value) {
        out.push('\n');
        let indent = if value.is_array() { indent } else { indent + 2 };
        pad(indent, out);
        write(value, indent, out);
    } else {
        out.push(' ');
        match value {
            Value::String(text) => scalar_into(text, out),
            other => out.push_str(&inline(other)),
        }
        out.push('\n');
    }
}

fn write_item(value: &Value, indent: usize, out: &mut String) {
    out.push_str("- ");
    write(value, indent + 2, out);
}

fn pad(indent: usize, out: &mut String) {
    const SPACES: &str = "                                ";
    for at in (0..indent).step_by(SPACES.len()) {
        out.push_str(&SPACES[..SPACES.len().min(indent - at)]);
    }
}

/// Whether a value takes lines of its own.
pub(super) fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

/// A value on one line: scalars, empty collections, and flow style for the rest. It has no indentation, which multiplies what
/// is deeply nested.
pub fn inline(value: &Value) -> String {
    let mut out = String::new();
    inline_into(value, &mut out);
    out
}

fn inline_into(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => scalar_into(text, out),
        Value::Object(map) => {
            out.push('{');
            for (i, (key, value)) in map.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { ", " });
                out.push_str(&flow_key(key));
                out.push_str(": ");
                inline_into(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (i, value) in items.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { ", " });
                inline_into(value, out);
            }
            out.push(']');
        }
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

/// A value as JSON that YAML readers take for the same.
pub(super) fn json(value: &Value) -> String {
    match value {
        Value::String(text) => double_quoted(text),
        Value::Object(map) => {
            let entries: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}: {}", double_quoted(key), json(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(json).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

/// A key inside flow style.
pub(super) fn flow_key(key: &str) -> String {
    let key = scalar(key);
    if key.len() > SIMPLE_KEY {
        format!("? {key}")
    } else {
        key
    }
}

/// A string as a YAML scalar on one line.
///
/// Plain only where every reader agrees that it is this string (go-yaml v2 and v3, YAML 1.1, YAML 1.2), as a key and
/// as a value, in block and in flow style. Otherwise double-quoted like JSON, with escapes for what a reader could
/// take for a line break or refuse. Never folded, never wrapped.
pub fn scalar(value: &str) -> String {
    let mut out = String::new();
    scalar_into(value, &mut out);
    out
}

fn scalar_into(value: &str, out: &mut String) {
    if is_plain(value) {
        out.push_str(value);
    } else {
        out.push('"');
        escape_into(value, out);
        out.push('"');
    }
}

/// A string between double quotes.
pub(super) fn double_quoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    escape_into(value, &mut out);
    out.push('"');
    out
}

/// The characters of a string as they stand between double quotes.
pub(super) fn escape_into(value: &str, out: &mut String) {
    for character in value.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            character if !is_safe(character) => {
                // Every unsafe character is in the basic plane.
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            character => out.push(character),
        }
    }
}

/// Whether a character may stand as it is in every style but needs no line break or escape.
pub(super) fn is_safe(character: char) -> bool {
    !matches!(character,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Whether a string may stand without quotes. Cautious: says no whenever some reader could think otherwise.
pub(super) fn is_plain(value: &str) -> bool {
    let bytes = value.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    if first.is_ascii_digit() {
        return is_quantity(value);
    }
    if !(first.is_ascii_alphabetic() || first == b'/') || matches!(last, b':' | b' ') {
        return false;
    }
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._/-: =+@".contains(byte);
    bytes.iter().all(allowed) && !value.contains(": ") && !value.contains("  ") && !is_reserved(value)
}

/// `500m`, `2Gi`: digits and a unit no number grammar knows.
fn is_quantity(value: &str) -> bool {
    let unit = value.trim_start_matches(|character: char| character.is_ascii_digit());
    matches!(unit, "m" | "Ki" | "Mi" | "Gi" | "Ti")
}

/// Words some reader takes for a boolean, a null or a number.
fn is_reserved(value: &str) -> bool {
    const WORDS: [&str; 14] = [
        "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nil", "none", "nan", "inf", "infinity",
    ];
    WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    #[test]
    fn each_level_is_two_spaces_deeper() {
        let mut value = json!("v");
        for _ in 0..50 {
            value = json!({ "k": value });
        }
        let text = emit(&value);
        assert_eq!(text.lines().count(), 50);
        for (depth, line) in text.lines().enumerate() {
            let content = if depth == 49 { "k: v" } else { "k:" };
            assert_eq!(line, format!("{}{content}", "  ".repeat(depth)));
        }
    }
}
