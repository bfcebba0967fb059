//! Writes a value as YAML in the style asked for. Its own writer, so that the program's has no say in what it is given.

use milvus_uplift::value::Value;

/// How to write.
#[derive(Clone, Copy)]
pub struct Style {
    pub indent: usize,
    /// Whether a sequence stands as far left as its key.
    pub compact: bool,
    pub quotes: Quotes,
    /// Whether mappings are written last key first.
    pub reversed: bool,
    /// Whether short mappings and sequences are written in one line.
    pub flow: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Quotes {
    Double,
    Single,
    /// None where a text needs none, and `|` where it has several lines.
    Few,
}

impl Style {
    pub fn plain() -> Style {
        Style {
            indent: 2,
            compact: true,
            quotes: Quotes::Double,
            reversed: false,
            flow: false,
        }
    }
}

/// A document: its first comments, then the value.
pub fn document(comments: &str, value: &Value, style: Style) -> String {
    let mut out = comments.to_owned();
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    block(&mut out, value, 0, style);
    out
}

/// Writes a value that begins on a line of its own.
fn block(out: &mut String, value: &Value, at: usize, style: Style) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let mut entries: Vec<_> = map.iter().collect();
            if style.reversed {
                entries.reverse();
            }
            for (key, value) in entries {
                out.push_str(&" ".repeat(at));
                entry(out, key, value, at, style);
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for item in list {
                out.push_str(&" ".repeat(at));
                element(out, item, at, style);
            }
        }
        _ => {
            out.push_str(&inline(value, at, style));
            out.push('\n');
        }
    }
}

fn entry(out: &mut String, key: &str, value: &Value, at: usize, style: Style) {
    out.push_str(&scalar(key, style.quotes));
    out.push(':');
    if nested(value, style) {
        out.push('\n');
        let deeper = if style.compact && value.is_array() {
            at
        } else {
            at + style.indent
        };
        block(out, value, deeper, style);
    } else {
        out.push(' ');
        out.push_str(&inline(value, at + style.indent, style));
        out.push('\n');
    }
}

fn element(out: &mut String, item: &Value, at: usize, style: Style) {
    if nested(item, style) {
        // The item's own lines start behind `- `, padded to the indentation.
        let mut inner = String::new();
        let deeper = at + style.indent.max(2);
        block(&mut inner, item, deeper, style);
        out.push('-');
        out.push_str(&" ".repeat(deeper - at - 1));
        out.push_str(&inner[deeper..]);
    } else {
        out.push_str("- ");
        out.push_str(&inline(item, at + style.indent.max(2), style));
        out.push('\n');
    }
}

/// Whether a value takes lines of its own.
fn nested(value: &Value, style: Style) -> bool {
    let filled = match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => false,
    };
    let short = || flow(value).len() < 60;
    filled && !(style.flow && short())
}

fn inline(value: &Value, at: usize, style: Style) -> String {
    match value {
        Value::String(s) if style.quotes == Quotes::Few => literal(s, at).unwrap_or_else(|| scalar(s, Quotes::Few)),
        Value::String(s) => scalar(s, style.quotes),
        _ => flow(value),
    }
}

/// JSON with a space behind colons, in one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let each = map.iter().map(|(k, v)| format!("{}: {}", double(k), flow(v)));
            format!("{{{}}}", each.collect::<Vec<_>>().join(", "))
        }
        Value::Array(list) => format!("[{}]", list.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(s) => double(s),
        other => other.to_string(),
    }
}

fn scalar(text: &str, quotes: Quotes) -> String {
    let printable = text.chars().all(|c| (' '..='~').contains(&c));
    match quotes {
        Quotes::Single if printable => format!("'{}'", text.replace('\'', "''")),
        Quotes::Few if is_plain(text) => text.to_owned(),
        _ => double(text),
    }
}

/// Words that no reader takes for anything but a text.
fn is_plain(text: &str) -> bool {
    const SPECIAL: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let word = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    text.chars().all(word)
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !SPECIAL.contains(&text.to_ascii_lowercase().as_str())
}

fn double(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(c),
            c if (c as u32) < 0x100 => out.push_str(&format!("\\x{:02x}", c as u32)),
            c if (c as u32) < 0x1_0000 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push_str(&format!("\\U{:08x}", c as u32)),
        }
    }
    out.push('"');
    out
}

/// A text of several lines as a literal block, where that keeps every byte.
fn literal(text: &str, at: usize) -> Option<String> {
    let body = text.trim_end_matches('\n');
    let tail = text.len() - body.len();
    let fits = body.contains('\n')
        && !body.starts_with([' ', '\n'])
        && text.chars().all(|c| c == '\n' || (' '..='~').contains(&c));
    if !fits {
        return None;
    }
    let mark = match tail {
        0 => "|-",
        1 => "|",
        _ => "|+",
    };
    let pad = " ".repeat(at);
    let lines = text[..text.len() - tail.min(1)].split('\n');
    let lines: Vec<String> = lines
        .map(|l| {
            if l.is_empty() {
                String::new()
            } else {
                format!("{pad}{l}")
            }
        })
        .collect();
    Some(format!("{mark}\n{}", lines.join("\n")))
}
