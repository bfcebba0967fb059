//! The reader against what Go makes of the same texts.

use super::*;

#[derive(serde::Deserialize)]
struct Row {
    text: String,
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
    error: Option<String>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    serde::Deserialize::deserialize(deserializer).map(Some)
}

fn go_table() -> Vec<Row> {
    serde_json::from_str(include_str!("testdata/go.json")).unwrap()
}

/// JSON has one number zero and one number 1000: Go's `-0` and `1e+21` are compared as the numbers they are.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, value)| right.get(key).is_some_and(|other| same(value, other)))
        }
        _ => left == right,
    }
}

#[test]
fn reads_what_go_reads_and_refuses_what_go_refuses() {
    let mut wrong = Vec::new();
    let table = go_table();
    assert!(table.len() >= 200, "the table shrank to {} rows", table.len());
    for row in &table {
        let text = &row.text;
        match (read(text), &row.value, &row.error) {
            (Ok(got), Some(want), None) if same(&got.clone().unwrap_or(Value::Null), want) => {}
            (Err(error), None, Some(_)) if error.offset <= text.len() => {}
            (got, want, error) => wrong.push(format!("{text:?}: {got:?} but Go: {want:?} {error:?}")),
        }
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn refuses_where_go_would_drop_or_toss_a_coin() {
    let cases = [
        ("true: a\n'true': b", "either may win"),
        ("1: a\n'1': b", "either may win"),
        ("'1': a\n1: b", "either may win"),
        ("1: a\n1.0: b", "either may win"),
        ("# c\n\u{feff}a: 1", "byte order mark"),
        ("{\"a\":1}\n{\"b\":2}", "separate them with `---`"),
        ("{\"a\":1}{\"b\":2}", "separate them with `---`"),
        ("{\"a\":1}\n[2]", "separate them with `---`"),
        ("a: 1\n---\nb: 2", "second document"),
        ("a: 1\r---\rb: 2\r", "second document"),
        ("%YAML 1.1\n---\na: 1", "directive"),
        ("%TAG ! x\n---\na: 1", "directive"),
        ("%FOO\n---\na: 1", "directive"),
    ];
    for (text, part) in cases {
        let error = read(text).expect_err(text);
        assert!(error.message.contains(part), "{text:?}: {error}");
    }
}
