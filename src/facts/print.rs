//! The tables as rows, for `rules --facts`.

use crate::value::{Map, Value};

/// One row of a table.
#[derive(Debug)]
pub struct Row<'a> {
    /// Where it stands in its table, by names (`marks.streaming`, `streamingnode`); empty for a table that is one list.
    pub path: String,
    /// What it says, in its order, without source and date.
    pub fields: Vec<(&'a str, String)>,
    /// Where it was read.
    pub source: &'a str,
    /// The day it was checked.
    pub checked: &'a str,
}

/// The rows of a parsed table, in its order: every mapping that names its source.
#[must_use]
pub fn rows(table: &Value) -> Vec<Row<'_>> {
    let mut found = Vec::new();
    walk(table, String::new(), &mut found);
    found
}

fn walk<'a>(value: &'a Value, path: String, found: &mut Vec<Row<'a>>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, path.clone(), found)),
        Value::Object(map) if map.contains_key("source") => found.push(row(map, path)),
        Value::Object(map) => {
            for (name, child) in map {
                let path = if path.is_empty() {
                    name.to_string()
                } else {
                    format!("{path}.{name}")
                };
                walk(child, path, found);
            }
        }
        _ => {}
    }
}

fn row(map: &Map, path: String) -> Row<'_> {
    let text = |key: &str| map.get(key).and_then(Value::as_str).unwrap_or_default();
    let fields = map
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "source" | "checked"))
        .map(|(name, value)| (name.as_str(), said(value)))
        .filter(|(_, value)| !value.is_empty());
    Row {
        path,
        fields: fields.collect(),
        source: text("source"),
        checked: text("checked"),
    }
}

/// A value in a line of text; nothing where there is none.
fn said(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.to_string(),
        Value::Array(items) => items.iter().map(said).collect::<Vec<_>>().join(" "),
        Value::Object(map) => {
            let parts = map.iter().map(|(k, v)| format!("{k} {}", said(v)));
            parts.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use crate::value::json;

    use super::rows;

    #[test]
    fn a_row_says_all_but_where_it_stands_and_nothing_empty() {
        let table = json!({"marks": {"streaming": {
            "version": "2.6.0", "count": 3, "none": null, "empty": "", "list": ["a", "b"],
            "map": {"x": 1, "y": true}, "source": "a page", "checked": "2026-11-20",
        }}});
        let rows = rows(&table);
        let fields: Vec<(&str, &str)> = rows[0]
            .fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        assert_eq!(
            fields,
            [
                ("version", "2.6.0"),
                ("count", "3"),
                ("list", "a b"),
                ("map", "x 1, y true")
            ]
        );
        let row = &rows[0];
        assert_eq!(
            (row.path.as_str(), row.source, row.checked),
            ("marks.streaming", "a page", "2026-11-20")
        );
    }
}
