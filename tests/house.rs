//! The house is in order: every rule has its page and its cases, and what the README shows is what happens.

use std::path::Path;
use std::process::Command;

use milvus_uplift::rules::RULES;
use milvus_uplift::value::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

#[test]
fn every_rule_has_one_file_one_page_and_two_cases() {
    let files: Vec<String> = std::fs::read_dir(root().join("src/rules"))
        .unwrap()
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|n| n.starts_with("mu") && n.as_bytes()[2].is_ascii_digit() && n.ends_with(".rs"))
        .collect();
    assert_eq!(
        files.len(),
        RULES.len(),
        "a rule's file is not in the registry, or the other way round"
    );
    for rule in RULES {
        let file = format!("{}_{}.rs", rule.code.to_lowercase(), rule.name.replace(['-', '.'], "_"));
        assert!(files.contains(&file), "{file} is missing");
        let page = rule.page;
        assert!(
            page.starts_with(&format!("# {} {}\n", rule.code, rule.name)),
            "{}: the page's title",
            rule.code
        );
        let sub = format!("\n{} · ", rule.severity.as_str());
        assert!(
            page.contains(&sub),
            "{}: the page does not say `{}`",
            rule.code,
            sub.trim()
        );
        for heading in ["## What is wrong", "## Why it breaks", "## What to do", "## Source"] {
            let found = page.lines().position(|l| l == heading);
            let at = found.unwrap_or_else(|| panic!("{}: no `{heading}`", rule.code));
            let said = page.lines().nth(at + 1).is_some_and(|l| !l.trim().is_empty())
                || page.lines().nth(at + 2).is_some_and(|l| !l.trim().is_empty());
            assert!(said, "{}: nothing below `{heading}`", rule.code);
        }
        // No input makes the program fail to vouch for its own output, as far as anybody knows.
        if rule.code == "MU901" {
            continue;
        }
        for case in ["fires", "quiet"] {
            let folder = format!("testdata/rules/{}/{case}", rule.code);
            let wants = text(&format!("{folder}/case.yaml"));
            let list = if case == "fires" {
                ["fires:", "refusals:"]
            } else {
                ["quiet:", "quiet:"]
            };
            let named = wants
                .lines()
                .filter(|l| list.iter().any(|k| l.starts_with(k)))
                .any(|l| l.contains(rule.code));
            assert!(
                named || wants.contains(&format!("- {}", rule.code)),
                "{folder} does not speak of {}",
                rule.code
            );
        }
    }
}

#[test]
fn codes_ascend_and_names_are_unique() {
    assert!(RULES.windows(2).all(|w| w[0].code < w[1].code));
    let mut names: Vec<_> = RULES.iter().map(|r| r.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), RULES.len());
}

/// Runs a command line of the docs that begins with `milvus-uplift` (or the README's `cargo run --quiet --`), standard
/// input from the file behind `<`.
fn run(line: &str) -> (String, String, i32) {
    let line = line.replace("cargo run --quiet --", "milvus-uplift");
    let (command, input) = line.split_once(" < ").unwrap_or((&line, "/dev/null"));
    let mut words = command.split_whitespace();
    assert_eq!(words.next(), Some("milvus-uplift"), "{line}");
    let mut process = Command::new(env!("CARGO_BIN_EXE_milvus-uplift"));
    for (key, _) in std::env::vars().filter(|(k, _)| k.starts_with("MILVUS_UPLIFT_") || k.starts_with("HELM_")) {
        process.env_remove(key);
    }
    let stdin = std::fs::File::open(root().join(input.trim())).unwrap();
    let out = process.current_dir(root()).args(words).stdin(stdin).output().unwrap();
    let utf8 = |b: Vec<u8>| String::from_utf8(b).unwrap();
    (utf8(out.stdout), utf8(out.stderr), out.status.code().unwrap_or(-1))
}

#[test]
fn the_readme_shows_what_happens() {
    let readme = text("README.md");
    let block = readme
        .split("```console\n")
        .nth(1)
        .and_then(|b| b.split("```").next())
        .expect("a transcript");
    let (command, shown) = block.split_once('\n').expect("a command and what it said");
    let command = command.strip_prefix("$ ").expect("a prompt");
    let (stdout, stderr, _) = run(command);
    let said = format!("{stdout}{stderr}");
    if std::env::var_os("UPDATE").is_some() {
        let new = readme.replace(block, &format!("$ {command}\n{said}"));
        std::fs::write(root().join("README.md"), new).unwrap();
    } else {
        assert_eq!(shown, said, "UPDATE=1 cargo test --test house writes it anew");
    }
}

#[test]
fn the_readme_s_example_does_the_main_job() {
    let readme = text("README.md");
    let line = readme
        .lines()
        .find(|l| l.starts_with("cargo run --quiet --"))
        .expect("the example");
    let (stdout, stderr, status) = run(line);
    assert_eq!(status, 0, "{stderr}");
    assert_eq!(stdout, text("testdata/example/stdout.yaml"));
    for word in ["my-release-milvus-mixcoord", "my-release-milvus-streamingnode"] {
        assert!(stdout.contains(word));
    }
    for word in ["indexnode", "rootcoord", "querycoord", "datacoord", "indexcoord"] {
        assert!(
            !stdout.contains(&format!("\n  name: my-release-milvus-{word}\n")),
            "{word} is still there"
        );
    }
}

#[test]
fn explain_shows_every_page() {
    for rule in RULES {
        let (stdout, _, status) = run(&format!("milvus-uplift explain {}", rule.code));
        assert_eq!((status, stdout.as_str()), (0, rule.page));
    }
}

#[test]
fn the_contract_s_commands_are_there() {
    let (help, _, status) = run("milvus-uplift --help");
    assert_eq!(status, 0);
    for command in [
        "render", "check", "diff", "plan", "verify", "inspect", "rules", "explain",
    ] {
        assert!(help.lines().any(|l| l.trim_start().starts_with(command)), "{command}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let (out, _, status) = run(&format!("milvus-uplift completions {shell}"));
        assert!(status == 0 && out.contains("milvus-uplift"));
    }
    let (page, _, status) = run("milvus-uplift man");
    assert!(status == 0 && page.contains(".TH milvus-uplift"));
}

#[test]
fn the_facts_are_printed_with_where_and_when() {
    let (text, _, status) = run("milvus-uplift rules --facts");
    assert_eq!(status, 0);
    let (json, _, status) = run("milvus-uplift rules --facts --format json");
    assert_eq!(status, 0);
    let json: Value = serde_json::from_str(&json).unwrap();
    let tables = json["tables"].as_object().unwrap();
    for (name, table) in tables {
        assert!(text.lines().any(|l| l == name), "{name} is not in the text");
        for row in milvus_uplift::facts::rows(table) {
            let line = format!("      {} ({})", row.source, row.checked);
            assert!(text.lines().any(|l| l == line), "{name}: {line}");
        }
    }
    let page = self::text("docs/facts.md");
    assert!(tables.keys().all(|name| page.contains(&format!("`{name}.yaml`"))));
}

/// The names below a heading of `Cargo.toml`.
fn dependencies(manifest: &str, heading: &str) -> Vec<String> {
    let below = manifest.split(&format!("\n[{heading}]\n")).nth(1).expect("the heading");
    let lines = below.lines().take_while(|l| !l.starts_with('['));
    let names = lines
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| l.split_once(" = "));
    names.map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn every_dependency_is_justified() {
    let (page, manifest) = (text("docs/dependencies.md"), text("Cargo.toml"));
    let mut tables = page.split("\n|---").skip(1).map(|table| {
        let rows = table.lines().skip(1).take_while(|l| l.starts_with("| `"));
        let mut names: Vec<String> = rows
            .map(|r| r.split('`').nth(1).unwrap_or_default().to_owned())
            .collect();
        names.sort();
        names
    });
    let mut linked = dependencies(&manifest, "dependencies");
    linked.extend(dependencies(&manifest, "target.'cfg(unix)'.dependencies"));
    assert!(page.contains(&format!("linked from {} crates", linked.len())));
    let all = [
        linked,
        dependencies(&manifest, "build-dependencies"),
        dependencies(&manifest, "dev-dependencies"),
    ];
    for mut names in all {
        names.sort();
        assert_eq!(tables.next(), Some(names));
    }
}
