//! The reference: its tables are those of the program and of the schemas. `UPDATE=1 cargo test --test docs` writes them.

use clap::CommandFactory;
use milvus_uplift::cli::args::Cli;
use milvus_uplift::rules::{RULES, Rule};

use super::root;

/// A cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn row(arg: &clap::Arg) -> String {
    let value: Vec<_> = arg.get_value_names().unwrap_or_default().iter().collect();
    let value = match arg.get_action().takes_values() {
        true => format!(" {}", value.iter().map(|v| v.as_str()).collect::<Vec<_>>().join(" ")),
        false => String::new(),
    };
    let name = match (arg.get_long(), arg.get_short()) {
        (Some(long), Some(short)) => format!("`--{long}{value}`, `-{short}`"),
        (Some(long), None) => format!("`--{long}{value}`"),
        (None, _) => format!("`{}`", value.trim()),
    };
    let mut means = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let possible = arg.get_possible_values();
    // Those of a format stand in its help, by command.
    let listed = !arg.is_hide_possible_values_set() && arg.get_id() != "format";
    if !possible.is_empty() && arg.get_action().takes_values() && listed {
        let names: Vec<String> = possible.iter().map(|v| format!("`{}`", v.get_name())).collect();
        means = format!("{means}: {}", names.join(", "));
    }
    let default: Vec<_> = arg.get_default_values().iter().filter_map(|v| v.to_str()).collect();
    let default = match default.is_empty() || !arg.get_action().takes_values() {
        true => String::new(),
        false => format!("`{}`", default.join(" ")),
    };
    let variable = arg.get_env().and_then(|v| v.to_str()).map(|v| format!("`{v}`"));
    let cells = [name, default, variable.unwrap_or_default(), means];
    let cells: Vec<String> = cells.iter().map(|c| cell(c)).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// Every command with its options, as the program says them.
fn options() -> String {
    let cli = Cli::command();
    let table = |args: Vec<&clap::Arg>| match args.is_empty() {
        true => "No options of its own.\n".to_owned(),
        false => {
            let rows: String = args.into_iter().map(row).collect();
            format!("| option | default | variable | |\n|---|---|---|---|\n{rows}")
        }
    };
    let mut text = format!("### Every command\n\n{}", table(cli.get_arguments().collect()));
    for command in cli.get_subcommands() {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let own = table(command.get_arguments().collect());
        text.push_str(&format!("\n### {}\n\n{about}.\n\n{own}", command.get_name()));
    }
    text
}

/// The fields that a schema knows, one row each.
fn fields(name: &str) -> String {
    let path = root().join(format!("docs/{name}.schema.json"));
    let schema: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut rows = Vec::new();
    collect(&schema, &schema, "", &mut rows);
    assert!(rows.len() > 5, "{name}: {rows:?}");
    format!("| field | is | |\n|---|---|---|\n{}", rows.concat())
}

fn collect(schema: &serde_json::Value, node: &serde_json::Value, path: &str, rows: &mut Vec<String>) {
    let node = resolved(schema, node);
    for (key, below) in node["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        let said = below["description"]
            .as_str()
            .or(resolved(schema, below)["description"].as_str());
        let cells = [
            format!("`{path}`"),
            kind(schema, below),
            said.unwrap_or_default().to_owned(),
        ];
        let cells: Vec<String> = cells.iter().map(|c| cell(c)).collect();
        rows.push(format!("| {} |\n", cells.join(" | ")));
        inner(schema, below, &path, rows);
    }
}

/// What stands below a field: of a list its items, of alternatives all of them.
fn inner(schema: &serde_json::Value, node: &serde_json::Value, path: &str, rows: &mut Vec<String>) {
    let node = resolved(schema, node);
    for alternatives in ["oneOf", "anyOf"] {
        for one in node[alternatives].as_array().into_iter().flatten() {
            inner(schema, one, path, rows);
        }
    }
    if !node["items"].is_null() {
        inner(schema, &node["items"], &format!("{path}[]"), rows);
    }
    collect(schema, node, path, rows);
}

fn resolved<'a>(schema: &'a serde_json::Value, node: &'a serde_json::Value) -> &'a serde_json::Value {
    match node["$ref"].as_str().and_then(|r| r.strip_prefix('#')) {
        Some(pointer) => schema.pointer(pointer).expect("a reference that leads somewhere"),
        None => node,
    }
}

fn kind(schema: &serde_json::Value, node: &serde_json::Value) -> String {
    let node = resolved(schema, node);
    let code = |v: &serde_json::Value| match v {
        serde_json::Value::Null => "null".to_owned(),
        v if v == "" => "empty".to_owned(),
        v => format!("`{}`", v.as_str().map_or_else(|| v.to_string(), str::to_owned)),
    };
    if let Some(value) = node.get("const") {
        return code(value);
    }
    if let Some(values) = node["enum"].as_array() {
        return values.iter().map(code).collect::<Vec<_>>().join(", ");
    }
    for alternatives in ["oneOf", "anyOf"] {
        if let Some(all) = node[alternatives].as_array() {
            let mut kinds: Vec<String> = all.iter().map(|n| kind(schema, n)).collect();
            kinds.dedup();
            return kinds.join(" or ");
        }
    }
    if node["type"] == "array" && resolved(schema, &node["items"])["type"] == "string" {
        return "list of strings".into();
    }
    match &node["type"] {
        serde_json::Value::String(one) => one.replace("object", "mapping").replace("array", "list"),
        serde_json::Value::Array(all) => all.iter().filter_map(|t| t.as_str()).collect::<Vec<_>>().join(" or "),
        _ => "any".into(),
    }
}

/// Every rule, with a link to its page.
fn rules() -> String {
    let row = |r: &&Rule| {
        let (code, severity) = (r.code, r.severity.as_str());
        format!("| [{code}]({code}.md) | {} | {severity} | {} |\n", r.name, cell(r.says))
    };
    let rows: String = RULES.iter().map(row).collect();
    format!("| code | name | severity | says |\n|---|---|---|---|\n{rows}")
}

/// Holds a page to what stands between its marks, or writes it.
fn hold(page: &str, parts: &[(String, String)]) {
    let path = root().join(page);
    let old = std::fs::read_to_string(&path).unwrap();
    let mut new = old.clone();
    for (name, text) in parts {
        let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->\n"));
        let at = new.find(&begin).unwrap_or_else(|| panic!("no {begin}")) + begin.len();
        let to = new.find(&end).unwrap_or_else(|| panic!("no {end}"));
        new.replace_range(at..to, &format!("\n{text}\n"));
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &new).unwrap();
    } else {
        assert!(
            old == new,
            "{page} is behind: UPDATE=1 cargo test --test docs writes it anew"
        );
    }
}

#[test]
fn the_reference_says_what_the_program_and_its_schemas_say() {
    let mut parts = vec![("options".to_owned(), options())];
    for schema in ["report", "plan", "verify", "diff"] {
        parts.push((format!("fields of {schema}.schema.json"), fields(schema)));
    }
    hold("docs/reference.md", &parts);
}

#[test]
fn the_table_of_rules_has_them_all() {
    hold("docs/rules/README.md", &[("rules".to_owned(), rules())]);
}

/// A state file has no schema of its own: the page names each of its keys, and no other.
#[test]
fn the_reference_names_every_key_of_a_state_file() {
    let page = std::fs::read_to_string(root().join("docs/reference.md")).unwrap();
    let table = page
        .split("<!-- state file -->")
        .nth(1)
        .expect("a table of the state file");
    let named: Vec<&str> = table
        .lines()
        .filter_map(|l| l.strip_prefix("| `").and_then(|l| l.split('`').next()))
        .collect();
    let program = std::process::Command::new(env!("CARGO_BIN_EXE_milvus-uplift"))
        .args(["inspect", "testdata/example/current.yaml", "--format", "yaml"])
        .current_dir(root())
        .output()
        .unwrap();
    let text = String::from_utf8(program.stdout).unwrap();
    let state: serde_json::Value = serde_yaml::from_str(&text).unwrap();
    let keys: Vec<&str> = state.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(named, keys);
}
