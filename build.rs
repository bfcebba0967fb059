//! Turns the embedded tables, which people edit as YAML, into constants: a start of the program parses none of them.

use std::path::Path;

use serde_json::Value;

fn main() {
    let folder = Path::new("src/facts/data");
    println!("cargo::rerun-if-changed={}", folder.display());
    let out = std::env::var_os("OUT_DIR").expect("cargo sets it");
    for entry in std::fs::read_dir(folder).expect("the tables").flatten() {
        let path = entry.path();
        let Some(name) = path
            .file_stem()
            .filter(|_| path.extension().is_some_and(|e| e == "yaml"))
        else {
            continue;
        };
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let table: Value = serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let target = Path::new(&out).join(name).with_extension("rs");
        std::fs::write(&target, node(&table)).unwrap_or_else(|e| panic!("{}: {e}", target.display()));
    }
}

/// A value as an expression of `facts::Node`.
fn node(value: &Value) -> String {
    match value {
        Value::Null => "Node::Null".into(),
        Value::Bool(value) => format!("Node::Bool({value})"),
        Value::Number(number) => match number.as_i64() {
            Some(value) => format!("Node::Int({value})"),
            None => format!("Node::Float({:?})", number.as_f64().expect("a number")),
        },
        Value::String(text) => format!("Node::Text({text:?})"),
        Value::Array(items) => format!(
            "Node::List(&[{}])",
            items.iter().map(node).collect::<Vec<_>>().join(", ")
        ),
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| format!("({key:?}, {})", node(value)));
            format!("Node::Map(&[{}])", entries.collect::<Vec<_>>().join(", "))
        }
    }
}
