//! Turns the embedded tables, which people edit as YAML, into JSON, which a start of the program reads ten times faster.

use std::path::Path;

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
        let table: serde_json::Value =
            serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let target = Path::new(&out).join(name).with_extension("json");
        std::fs::write(&target, table.to_string()).unwrap_or_else(|e| panic!("{}: {e}", target.display()));
    }
}
