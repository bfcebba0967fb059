//! Turns the embedded tables, which people edit as YAML, into constants: a start of the program parses none of them. And
//! links the unwinder into it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn main() {
    tables();
    if let Some(unwinder) = unwinder() {
        let folder = unwinder.parent().expect("an absolute path");
        println!("cargo::rustc-link-search=native={}", folder.display());
        println!("cargo::rustc-link-lib=static:-bundle,+verbatim=libgcc_eh.a");
    }
}

/// GCC's unwinder as an archive, where a release is built for the machine that builds it and its C compiler has one. As a
/// library of its own (libgcc_s.so) it takes the loader a sixth of the time of a whole run; docs/performance.md.
fn unwinder() -> Option<PathBuf> {
    let says = |name: &str| env::var(name).unwrap_or_default();
    let wanted = says("PROFILE") == "release"
        && says("HOST") == says("TARGET")
        && says("CARGO_CFG_TARGET_OS") == "linux"
        && says("CARGO_CFG_TARGET_ENV") == "gnu"
        // A static program holds it anyway.
        && !says("CARGO_CFG_TARGET_FEATURE").split(',').any(|feature| feature == "crt-static");
    if !wanted {
        return None;
    }
    let said = Command::new("cc").arg("-print-file-name=libgcc_eh.a").output().ok()?;
    // A compiler that has none says the name alone.
    let path = PathBuf::from(String::from_utf8(said.stdout).ok()?.trim());
    (path.is_absolute() && path.is_file()).then_some(path)
}

fn tables() {
    let folder = Path::new("src/facts/data");
    println!("cargo::rerun-if-changed={}", folder.display());
    let out = env::var_os("OUT_DIR").expect("cargo sets it");
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
