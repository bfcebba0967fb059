//! Every odd string, written as a key and as a value, is the same string to every reader.

use granit_parser::{Event, Parser, ScalarStyle};
use milvus_uplift::value::{Value, json};
use milvus_uplift::yaml::{emit, read, scalar};

/// A string, what [`scalar`] writes for it, and a key of it as [`emit`] writes it. Go (sigs.k8s.io/yaml, the decoder
/// of apimachinery, and a round trip through kyaml) read each of these back as the string when the table was made.
#[derive(serde::Deserialize)]
struct Row {
    string: String,
    scalar: String,
}

fn table() -> Vec<Row> {
    serde_json::from_str(include_str!("../src/yaml/testdata/go_emit.json")).unwrap()
}

/// All scalars a YAML 1.2 parser finds, with whether they are plain.
fn scalars_of_granit(text: &str) -> Vec<(String, bool)> {
    Parser::new_from_str(text)
        .filter_map(|event| match event.expect(text).0 {
            Event::Scalar(value, style, _, _) => Some((value.into_owned(), style == ScalarStyle::Plain)),
            _ => None,
        })
        .collect()
}

/// Whether the YAML 1.2 core schema takes a plain scalar for something other than a string.
fn is_typed_in_core_schema(plain: &str) -> bool {
    let words = [
        "", "~", "null", "Null", "NULL", "true", "True", "TRUE", "false", "False", "FALSE",
    ];
    words.contains(&plain) || plain.starts_with(['.', '+', '-']) || {
        let number = plain.replace('_', "");
        number.parse::<f64>().is_ok() || number.starts_with("0o") || number.starts_with("0x")
    }
}

#[test]
fn scalars_are_written_as_go_was_asked_about() {
    let table = table();
    assert!(table.len() >= 240, "the table shrank to {} rows", table.len());
    for Row {
        string,
        scalar: written,
    } in &table
    {
        assert_eq!(&scalar(string), written, "{string:?}");
        assert!(!written.contains(['\n', '\r']), "{string:?} is wrapped");
    }
}

#[test]
fn every_reader_takes_a_scalar_for_the_same_string() {
    for Row { string, .. } in table() {
        let value = json!({ &string: &string, "list": [&string, { &string: &string }], "inline": { "x": {} } });
        let text = emit(&value);
        assert_eq!(read(&text).expect(&text).unwrap(), value, "our reader: {text}");

        let by_serde: serde_yaml::Value = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(
            Value::from(serde_json::to_value(&by_serde).unwrap()),
            value,
            "yaml_serde: {text}"
        );

        let flow = format!("{{{0}: {0}, k: [{0}]}}\n", scalar(&string));
        if string.len() < 900 {
            assert_eq!(
                read(&flow).expect(&flow).unwrap(),
                json!({ &string: &string, "k": [&string] }),
                "{flow}"
            );
        }

        let scalars = scalars_of_granit(&text);
        let found: Vec<_> = scalars.iter().filter(|(value, _)| *value == string).collect();
        assert!(found.len() >= 4, "granit-parser: {found:?} in {text}");
        for (value, plain) in found {
            assert!(
                !plain || !is_typed_in_core_schema(value),
                "{value:?} is typed in YAML 1.2"
            );
        }
    }
}

#[test]
fn blocks_are_compact_and_end_with_a_newline() {
    let value = json!({"a": {"b": [1, {"c": [], "d": [[2, 3], {}]}], "e": {}}, "f": null, "g": [], "yes": "no"});
    let want = "a:\n  b:\n  - 1\n  - c: []\n    d:\n    - - 2\n      - 3\n    - {}\n  e: {}\nf: null\ng: []\n\"yes\": \"no\"\n";
    assert_eq!(emit(&value), want);
    assert_eq!(emit(&Value::Null), "null\n");
    assert_eq!(emit(&json!({})), "{}\n");
    assert_eq!(emit(&json!("x\ny")), "\"x\\ny\"\n");
}
