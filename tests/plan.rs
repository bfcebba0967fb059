//! Every folder under `testdata/plan` with a `case.yaml` is a plan. `UPDATE=1 cargo test --test plan` rewrites the wanted
//! outputs.
//!
//! Beside what a case asks for, over every folder: the JSON fits its schema and is the same twice; every command is one
//! that a shell can read, with flags that Helm has, `--set` keys that the chart has and post-renderer arguments that this
//! program takes; stages are those of `src/stage.rs`; no placeholder stands where a value is known; no secret is shown;
//! Markdown holds every command, and the drawing is a flowchart.

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use clap::CommandFactory;
use libtest_mimic::{Arguments, Failed, Trial};
use milvus_uplift::cli::args::Cli;
use milvus_uplift::stage;
use milvus_uplift::transition::Kind;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What the case shows, for people.
    #[allow(dead_code)]
    about: String,
    /// A file of `testdata/plan/states`, where the folder has no `current.yaml` or `current.json`.
    #[serde(default)]
    state: Option<String>,
    /// What is replaced in it, everywhere.
    #[serde(default)]
    edit: Vec<(String, String)>,
    args: Vec<String>,
    exit: i32,
    /// The codes that block: exactly these.
    #[serde(default)]
    blocked: Vec<String>,
    /// The steps by their ids, all of them.
    #[serde(default)]
    steps: Vec<String>,
    /// Words that must stand in the text.
    #[serde(default)]
    says: Vec<String>,
    /// Placeholders that cannot be filled in here.
    #[serde(default)]
    placeholders: Vec<String>,
}

type Checked = Result<(), String>;

fn main() {
    let args = Arguments::from_args();
    let mut trials = support::trials("plan", "case.yaml", run);
    trials.push(Trial::test("emitted-migration", || emitted().map_err(Failed::from)));
    trials.push(Trial::test("command-line", || command_line().map_err(Failed::from)));
    trials.push(Trial::test("sources", || sources().map_err(Failed::from)));
    trials.push(Trial::test("several", || several().map_err(Failed::from)));
    libtest_mimic::run(&args, trials).exit();
}

fn states() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/plan/states")
}

fn program(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milvus-uplift"));
    for (key, _) in std::env::vars().filter(|(k, _)| k.starts_with("MILVUS_UPLIFT_") || k.starts_with("HELM_")) {
        command.env_remove(key);
    }
    command
        .current_dir(folder)
        .arg("plan")
        .args(args)
        .output()
        .expect("it starts")
}

fn utf8(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn run(folder: &Path) -> Checked {
    let text = std::fs::read_to_string(folder.join("case.yaml")).map_err(|e| e.to_string())?;
    let case: Case = serde_yaml::from_str(&text).map_err(|e| format!("case.yaml: {e}"))?;
    let scratch = tempfile::tempdir().map_err(|e| e.to_string())?;
    let mut args: Vec<&str> = case.args.iter().map(String::as_str).collect();
    if let Some(source) = source(folder, &case, scratch.path())? {
        args.splice(0..0, ["--current", source]);
    }
    let as_format = |format: &str| program(scratch.path(), &[&args[..], &["--format", format]].concat());
    let out = program(scratch.path(), &args);
    let said = format!("{}{}", utf8(&out.stdout), utf8(&out.stderr));
    if out.status.code() != Some(case.exit) {
        return Err(format!("exit {:?}, wanted {}\n{said}", out.status.code(), case.exit));
    }
    for words in &case.says {
        if !said.contains(words.as_str()) {
            return Err(format!("`{words}` is not said\n{said}"));
        }
    }
    golden(&folder.join("plan.txt"), &said, true)?;
    if out.stdout.is_empty() {
        // Turned away before there was a plan.
        return Ok(());
    }
    let (json, markdown, mermaid) = (as_format("json"), as_format("markdown"), as_format("mermaid"));
    if as_format("json").stdout != json.stdout {
        return Err("the same plan twice differs".into());
    }
    golden(&folder.join("plan.json"), &utf8(&json.stdout), false)?;
    golden(&folder.join("plan.md"), &utf8(&markdown.stdout), false)?;
    golden(&folder.join("plan.mmd"), &utf8(&mermaid.stdout), false)?;
    for output in [&out, &json, &markdown, &mermaid] {
        if output.status.code() != Some(case.exit) || !output.status.success() && output.stdout.is_empty() {
            return Err("formats differ in their exit".into());
        }
        if utf8(&output.stdout).contains("hunter2") || utf8(&output.stderr).contains("hunter2") {
            return Err("a secret of the input is shown".into());
        }
    }
    let plan: Value = serde_json::from_slice(&json.stdout).map_err(|e| e.to_string())?;
    schema(&plan)?;
    verdict(&case, &plan)?;
    steps(&case, &plan, &utf8(&markdown.stdout))?;
    flowchart(&utf8(&mermaid.stdout), &plan)
}

/// The file that `--current` names: the folder's own, or a shared state with its edits.
fn source(folder: &Path, case: &Case, scratch: &Path) -> Result<Option<&'static str>, String> {
    for file in ["current.yaml", "current.json"] {
        if folder.join(file).exists() {
            std::fs::copy(folder.join(file), scratch.join(file)).map_err(|e| e.to_string())?;
            return Ok(Some(file));
        }
    }
    let Some(state) = &case.state else { return Ok(None) };
    let mut text = std::fs::read_to_string(states().join(state)).map_err(|e| format!("{state}: {e}"))?;
    for (from, to) in &case.edit {
        if !text.contains(from.as_str()) {
            return Err(format!("`{from}` is not in {state}"));
        }
        text = text.replace(from.as_str(), to);
    }
    std::fs::write(scratch.join("current.yaml"), text).map_err(|e| e.to_string())?;
    Ok(Some("current.yaml"))
}

/// Compares with a file; `must` says whether it has to be there.
fn golden(path: &Path, got: &str, must: bool) -> Checked {
    if std::env::var_os("UPDATE").is_some() && (must || path.exists()) {
        return std::fs::write(path, got).map_err(|e| e.to_string());
    }
    let Ok(wanted) = std::fs::read_to_string(path) else {
        return match must {
            true => Err(format!(
                "no {}; UPDATE=1 cargo test --test plan writes it",
                path.display()
            )),
            false => Ok(()),
        };
    };
    if wanted == got {
        return Ok(());
    }
    let differing = wanted.lines().zip(got.lines()).position(|(a, b)| a != b);
    let line = differing.unwrap_or_else(|| wanted.lines().count().min(got.lines().count()));
    let at = |text: &str| text.lines().nth(line).unwrap_or("(end)").to_owned();
    Err(format!(
        "{} differs from line {}:\n  want {}\n  got  {}",
        path.display(),
        line + 1,
        at(&wanted),
        at(got)
    ))
}

fn schema(plan: &Value) -> Checked {
    let schema: Value = serde_json::from_str(include_str!("../docs/plan.schema.json")).expect("the schema");
    let validator = jsonschema::validator_for(&schema).expect("a valid schema");
    match validator.iter_errors(plan).next() {
        Some(error) => Err(format!("{error} at {}", error.instance_path())),
        None => Ok(()),
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn texts(value: &Value) -> Vec<String> {
    list(value).filter_map(Value::as_str).map(str::to_owned).collect()
}

fn verdict(case: &Case, plan: &Value) -> Checked {
    let blocked: BTreeSet<&str> = list(&plan["plans"])
        .flat_map(|p| list(&p["blockedBy"]))
        .filter_map(|r| r["code"].as_str())
        .collect();
    let wanted: BTreeSet<&str> = case.blocked.iter().map(String::as_str).collect();
    if blocked != wanted {
        return Err(format!(
            "blocked by {blocked:?}, wanted {wanted:?}\n{}",
            plan["plans"][0]["blockedBy"]
        ));
    }
    if (plan["verdict"] == "blocked") == blocked.is_empty() || (case.exit == 1) == blocked.is_empty() {
        return Err(format!(
            "verdict {} with {blocked:?} and exit {}",
            plan["verdict"], case.exit
        ));
    }
    for reason in list(&plan["plans"]).flat_map(|p| list(&p["blockedBy"])) {
        if reason["help"].as_str().is_none_or(str::is_empty) {
            return Err(format!("{} has no repair", reason["code"]));
        }
    }
    Ok(())
}

fn steps(case: &Case, plan: &Value, markdown: &str) -> Checked {
    for plan in list(&plan["plans"]) {
        let ids: Vec<&str> = list(&plan["steps"]).filter_map(|s| s["id"].as_str()).collect();
        let once: BTreeSet<&&str> = ids.iter().collect();
        if once.len() != ids.len() {
            return Err(format!("a step's id stands twice: {ids:?}"));
        }
        if !case.steps.is_empty() && ids != case.steps {
            return Err(format!("steps {ids:?}, wanted {:?}", case.steps));
        }
        for step in list(&plan["steps"]) {
            one(case, step, markdown).map_err(|why| format!("{}: {why}", step["id"]))?;
        }
    }
    Ok(())
}

/// Words in capitals that stand for something nobody filled in.
const PLACEHOLDERS: [&str; 6] = [
    "NAMESPACE",
    "YOUR_CHART",
    "CHART_VERSION",
    "PATCH",
    "RELEASE",
    "QUEUE_IN_USE",
];

fn one(case: &Case, step: &Value, markdown: &str) -> Checked {
    let commands = &step["commands"];
    let (helm3, helm4) = (texts(&commands["helm3"]), texts(&commands["helm4"]));
    let mut all: Vec<(String, bool)> = helm3.iter().map(|c| (c.clone(), false)).collect();
    all.extend(helm4.iter().map(|c| (c.clone(), true)));
    for of in [
        &commands["shell"],
        &commands["then"],
        &step["check"]["commands"],
        &step["rollback"]["commands"],
    ] {
        all.extend(texts(of).into_iter().map(|c| (c, false)));
    }
    if helm3.len() != helm4.len() {
        return Err("one Helm has more to do than the other".into());
    }
    for (command, fourth) in &all {
        if !markdown.contains(command.as_str()) && !step["rollback"]["commands"].to_string().contains(&command[..4]) {
            return Err(format!("Markdown lacks\n{command}"));
        }
        for word in PLACEHOLDERS
            .iter()
            .filter(|w| !case.placeholders.iter().any(|p| p == *w))
        {
            if command
                .split(|c: char| !c.is_ascii_uppercase() && c != '_')
                .any(|w| w == *word)
            {
                return Err(format!("{word} stands in\n{command}"));
            }
        }
        for part in command.split('|').flat_map(|c| c.split(" && ")) {
            if part.trim_start().starts_with("helm ") {
                helm(part.trim_start(), *fourth, step)?;
            }
            if part.trim_start().starts_with("milvus-uplift ") {
                ours(part.trim_start(), step)?;
            }
        }
    }
    let script: Vec<&str> = all.iter().map(|(c, _)| c.as_str()).collect();
    readable(&script.join("\n"))?;
    staged(step)
}

/// A shell reads it.
fn readable(command: &str) -> Checked {
    if cfg!(not(unix)) {
        return Ok(());
    }
    let out = Command::new("bash")
        .args(["-n", "-c", command])
        .output()
        .map_err(|e| e.to_string())?;
    match out.status.success() && out.stderr.is_empty() {
        true => Ok(()),
        false => Err(format!("no shell reads\n{command}\n{}", utf8(&out.stderr))),
    }
}

/// The words of a simple command.
fn words(command: &str) -> Vec<String> {
    let (mut all, mut word, mut within) = (Vec::new(), None::<String>, None);
    let mut chars = command
        .replace("\\\n", " ")
        .chars()
        .collect::<Vec<_>>()
        .into_iter()
        .peekable();
    while let Some(c) = chars.next() {
        match (within, c) {
            (Some(q), c) if c == q => within = None,
            (None, '\'' | '"') => {
                within = Some(c);
                word.get_or_insert_default();
            }
            (None, '\\') => word.get_or_insert_default().extend(chars.next()),
            (None, c) if c.is_whitespace() => all.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    all.extend(word);
    all
}

/// Options with a value that the plans use, as `helm upgrade --help` and `helm template --help` of 3.14.4, 3.21.4 and 4.2.4
/// name them; `get`, `history`, `status`, `rollback` and `repo` know the first ones.
const VALUED: [&str; 11] = [
    "--namespace",
    "--kube-context",
    "--output",
    "--timeout",
    "--version",
    "--set",
    "--set-json",
    "--values",
    "--post-renderer",
    "--post-renderer-args",
    "--revision",
];
const BARE: [&str; 6] = [
    "--reset-then-reuse-values",
    "--wait",
    "--install",
    "--create-namespace",
    "--short",
    "--versions",
];

fn helm(command: &str, fourth: bool, step: &Value) -> Checked {
    let command = command.split(" > ").next().unwrap_or(command);
    let words = words(command);
    let mut given: Vec<(String, String)> = Vec::new();
    let mut rest = words[1..].iter();
    while let Some(word) = rest.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
            _ => (word.as_str(), None),
        };
        if !name.starts_with('-') {
            continue;
        }
        if BARE.contains(&name) && value.is_none() {
            given.push((name.to_owned(), String::new()));
        } else if VALUED.contains(&name) {
            let value = value
                .or_else(|| rest.next().cloned())
                .ok_or(format!("{name} has no value"))?;
            given.push((name.to_owned(), value));
        } else {
            return Err(format!("Helm has no {word} in\n{command}"));
        }
    }
    let of = |name: &str| {
        given
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, v)| v.clone())
            .collect::<Vec<_>>()
    };
    if given
        .iter()
        .any(|(n, _)| n == "--atomic" || n == "--rollback-on-failure")
    {
        return Err("a rollback is armed".into());
    }
    for set in of("--set").iter().chain(&of("--set-json")) {
        let (key, value) = set.split_once('=').ok_or(format!("--set {set}"))?;
        if !chart_has(key) {
            return Err(format!("the chart has no {key}"));
        }
        if of("--set-json").contains(set) {
            serde_json::from_str::<Value>(value).map_err(|e| format!("--set-json {set}: {e}"))?;
        }
    }
    if words[1] != "upgrade" {
        return Ok(());
    }
    let ours = of("--post-renderer-args");
    let renderer = of("--post-renderer");
    let wanted = if fourth {
        "milvus-uplift"
    } else {
        "$(command -v milvus-uplift)"
    };
    if renderer.iter().any(|r| r != wanted) {
        return Err(format!("{renderer:?} for Helm {}", if fourth { 4 } else { 3 }));
    }
    if renderer.is_empty() != ours.is_empty() {
        return Err(format!("arguments {ours:?} for {renderer:?}"));
    }
    let line = std::iter::once("milvus-uplift".to_owned()).chain(ours.iter().cloned());
    Cli::command().try_get_matches_from(line).map_err(|e| e.to_string())?;
    let stages: Vec<String> = ours
        .iter()
        .filter_map(|a| a.strip_prefix("--stage="))
        .map(str::to_owned)
        .collect();
    let wanted: Vec<String> = step["stage"].as_u64().map(|n| n.to_string()).into_iter().collect();
    if stages != wanted {
        return Err(format!("--stage {stages:?} in stage {wanted:?}"));
    }
    Ok(())
}

/// Whether the chart of the end-to-end tests knows a key, at the root or below the key of a subchart. It stands for the
/// real one; the keys beside it are those of the guides.
fn chart_has(key: &str) -> bool {
    const GUIDES: [&str; 6] = [
        "streaming.enabled",
        "indexNode.enabled",
        "standalone.messageQueue",
        "pulsar.enabled",
        "image.all.tag",
        "cluster.enabled",
    ];
    let values: Value =
        serde_yaml::from_str(include_str!("../testdata/e2e/chart/values.yaml")).expect("the chart's values");
    let key = key.strip_prefix("vectors.").unwrap_or(key);
    let path: Vec<&str> = key.split('.').collect();
    GUIDES.contains(&key) || path.iter().try_fold(&values, |v, k| v.get(k)).is_some()
}

/// A command of ours: where this program has it, it takes these arguments.
fn ours(command: &str, step: &Value) -> Checked {
    let command = command.split(" > ").next().unwrap_or(command);
    let words = words(command);
    let known = Cli::command().get_subcommands().any(|c| c.get_name() == words[1]);
    if !known && !matches!(words[1].as_str(), "verify" | "diff") {
        return Err(format!("there is no `{}`", words[1]));
    }
    if known {
        Cli::command()
            .try_get_matches_from(&words)
            .map_err(|e| format!("{command}\n{e}"))?;
    }
    // Without the version `verify` cannot tell what was done where it stays as it is.
    if words[1] == "verify" && !words.iter().any(|w| w == "--to") {
        return Err(format!("no --to in\n{command}"));
    }
    let at = words.iter().position(|w| w == "--stage");
    match (at.and_then(|i| words.get(i + 1)), step["stage"].as_u64()) {
        (Some(given), stage) if stage.is_none_or(|n| n.to_string() != *given) => {
            Err(format!("--stage {given} in stage {stage:?}"))
        }
        _ => Ok(()),
    }
}

/// The title of a stage is what the stages themselves say.
fn staged(step: &Value) -> Checked {
    let Some(n) = step["stage"].as_u64() else { return Ok(()) };
    let n = u8::try_from(n).map_err(|e| e.to_string())?;
    let title = step["title"].as_str().unwrap_or_default();
    let told = [Kind::Streaming, Kind::Within, Kind::To30]
        .iter()
        .any(|kind| title.ends_with(&format!("stage {n} of {}: {}", stage::LAST, stage::describe(*kind, n))));
    match told && n <= stage::LAST {
        true => Ok(()),
        false => Err(format!("`{title}` is not what stage {n} does")),
    }
}

/// The drawing: its grammar line by line, every node of an edge defined, every topology there.
fn flowchart(text: &str, plan: &Value) -> Checked {
    let mut lines = text.lines();
    if lines.next() != Some("flowchart LR") {
        return Err(format!("no flowchart\n{text}"));
    }
    let id = |s: &str| !s.is_empty() && s.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let (mut nodes, mut edges, mut depth) = (BTreeSet::new(), Vec::new(), 0);
    for line in lines {
        let line = line.trim();
        if line == "end" {
            depth -= 1;
        } else if line == "direction TB" {
        } else if let Some(rest) = line.strip_prefix("subgraph ") {
            depth += 1;
            nodes.insert(rest.split('[').next().unwrap_or_default().to_owned());
        } else if let Some((a, b)) = line.split_once(" --- ") {
            edges.extend([a.to_owned(), b.to_owned()]);
        } else if line.contains("-->") || line.contains("-.->") {
            let (a, rest) = line.split_once(' ').ok_or(line)?;
            edges.extend([a.to_owned(), rest.rsplit(' ').next().unwrap_or_default().to_owned()]);
        } else if let Some((node, label)) = line.split_once('[') {
            let label = label.trim_start_matches('(').trim_end_matches([']', ')']);
            if !label.starts_with('"') || !label.ends_with('"') || label[1..label.len() - 1].contains('"') {
                return Err(format!("the label of `{line}`"));
            }
            nodes.insert(node.to_owned());
        } else {
            return Err(format!("`{line}` is nothing Mermaid knows"));
        }
    }
    let lost = edges.iter().find(|e| !nodes.contains(*e));
    if depth != 0 || lost.is_some() || !nodes.iter().all(|n| id(n)) {
        return Err(format!("{lost:?} is not defined, or a subgraph does not end\n{text}"));
    }
    for plan in list(&plan["plans"]) {
        for topology in list(&plan["topologies"]) {
            let title = format!(
                "{}: Milvus {}",
                topology["name"].as_str().unwrap_or_default(),
                topology["version"].as_str().unwrap_or_default()
            );
            if !text.contains(&title) {
                return Err(format!("`{title}` is not drawn"));
            }
        }
    }
    Ok(())
}

/// The manifests of the metadata migration: what they are, what they name, and that they name each other.
fn emitted() -> Checked {
    let scratch = tempfile::tempdir().map_err(|e| e.to_string())?;
    let state = std::fs::read_to_string(states().join("separate.yaml")).map_err(|e| e.to_string())?;
    std::fs::write(scratch.path().join("current.yaml"), state.replace("v2.5.10", "v2.1.4"))
        .map_err(|e| e.to_string())?;
    let args = [
        "--current",
        "current.yaml",
        "--to",
        "2.2.16",
        "--emit-migration",
        "deep/migration",
        "--output",
        "plan.txt",
    ];
    let out = program(scratch.path(), &args);
    if !out.status.success() || !out.stdout.is_empty() {
        return Err(format!("{}{}", utf8(&out.stdout), utf8(&out.stderr)));
    }
    let text = std::fs::read_to_string(scratch.path().join("plan.txt")).map_err(|e| e.to_string())?;
    let folder = scratch.path().join("deep/migration");
    let mut files: Vec<String> = std::fs::read_dir(&folder)
        .map_err(|e| e.to_string())?
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    let mut kinds = Vec::new();
    let (mut claims, mut maps, mut keys) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut wanted_claims, mut wanted_maps, mut wanted_keys) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for file in &files {
        if !text.contains(&format!("deep/migration/{file}")) {
            return Err(format!("no command of the plan names {file}"));
        }
        let yaml = std::fs::read_to_string(folder.join(file)).map_err(|e| e.to_string())?;
        if yaml.contains("hunter2") {
            return Err(format!("{file} holds a secret"));
        }
        let value: Value = serde_yaml::from_str(&yaml).map_err(|e| format!("{file}: {e}"))?;
        let name = value["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if value["apiVersion"] != "v1" || value["metadata"]["namespace"] != "vectors" || name.len() > 63 {
            return Err(format!("{file}: {value}"));
        }
        kinds.push(value["kind"].as_str().unwrap_or_default().to_owned());
        match kinds.last().map(String::as_str) {
            Some("PersistentVolumeClaim") => {
                claims.insert(name);
                if value["spec"]["resources"]["requests"]["storage"] != "10Gi" {
                    return Err(format!("{file}: {value}"));
                }
            }
            Some("ConfigMap") => {
                maps.insert(name);
                for (key, config) in value["data"].as_object().into_iter().flatten() {
                    keys.insert(key.clone());
                    tool_config(key, config.as_str().unwrap_or_default())?;
                }
            }
            Some("Pod") => {
                if value["spec"]["restartPolicy"] != "Never" || !text.contains(&format!("pod/{name}")) {
                    return Err(format!("{file}: {value}"));
                }
                for volume in list(&value["spec"]["volumes"]) {
                    wanted_claims.extend(volume["persistentVolumeClaim"]["claimName"].as_str().map(str::to_owned));
                    wanted_maps.extend(volume["configMap"]["name"].as_str().map(str::to_owned));
                }
                let argument = value["spec"]["containers"][0]["args"][0].as_str().unwrap_or_default();
                wanted_keys.extend(argument.rsplit('/').next().map(str::to_owned));
            }
            _ => return Err(format!("{file}: {value}")),
        }
    }
    if kinds != ["PersistentVolumeClaim", "ConfigMap", "Pod", "Pod", "Pod"] {
        return Err(format!("{kinds:?}"));
    }
    if (&claims, &maps, &keys) != (&wanted_claims, &wanted_maps, &wanted_keys) {
        return Err(format!(
            "{claims:?} {maps:?} {keys:?}, the pods want {wanted_claims:?} {wanted_maps:?} {wanted_keys:?}"
        ));
    }
    let none = program(
        scratch.path(),
        &["--current", "none", "--to", "2.6.16", "--emit-migration", "other"],
    );
    match none.status.success() && utf8(&none.stderr).contains("no migration") && !scratch.path().join("other").exists()
    {
        true => Ok(()),
        false => Err("a way without a migration wrote one".into()),
    }
}

fn tool_config(key: &str, text: &str) -> Checked {
    let config: Value = serde_yaml::from_str(text).map_err(|e| format!("{key}: {e}"))?;
    let command = match key {
        "backup.yaml" => "backup",
        "migrate.yaml" => "run",
        "rollback.yaml" => "rollback",
        _ => return Err(format!("{key} is nothing the tool does")),
    };
    let good = config["cmd"]["type"] == command
        && config["config"]["sourceVersion"] == "2.1.4"
        && config["config"]["targetVersion"] == "2.2.16"
        && config["etcd"]["endpoints"] == serde_json::json!(["harbor-etcd:2379"])
        && config["etcd"]["rootPath"] == "harbor";
    if good { Ok(()) } else { Err(format!("{key}: {config}")) }
}

/// Wrong command lines, and what cannot be read or written.
fn command_line() -> Checked {
    let state = states().join("mixcoord.yaml");
    let state = state.to_str().ok_or("a path")?;
    let here = tempfile::tempdir().map_err(|e| e.to_string())?;
    std::fs::write(here.path().join("broken.yaml"), "a: [\n").map_err(|e| e.to_string())?;
    std::fs::write(here.path().join("empty.yaml"), "").map_err(|e| e.to_string())?;
    for (args, exit, says) in [
        (vec!["--current", state], 2, "--to"),
        (vec!["--to", "2.6.16"], 2, "--current"),
        (
            vec!["--current", state, "--to", "latest"],
            2,
            "--to takes a full version",
        ),
        (vec!["--current", state, "--to", "2.6"], 2, "--to takes a full version"),
        (vec!["--current", state, "--to", ""], 2, "--to"),
        (
            vec!["--current", state, "--to", "2.6.16", "--format", "sarif"],
            2,
            "text, markdown, json and mermaid",
        ),
        (vec!["--current", "absent.yaml", "--to", "2.6.16"], 3, "absent.yaml"),
        (
            vec!["--current", state, "--to", "2.6.16", "--output", "no/such/plan.txt"],
            3,
            "no/such/plan.txt",
        ),
        (vec!["--current", "broken.yaml", "--to", "2.6.16"], 1, "MU001"),
        (vec!["--current", "empty.yaml", "--to", "2.6.16"], 1, "MU003"),
        (vec!["--current", "release:harbor", "--to", "2.6.16"], 1, "MU003"),
    ] {
        let out = program(here.path(), &args);
        let said = utf8(&out.stderr);
        if out.status.code() != Some(exit) || !said.contains(says) || !out.stdout.is_empty() {
            return Err(format!(
                "{args:?}: exit {:?}, wanted {exit} and `{says}`\n{said}",
                out.status.code()
            ));
        }
    }
    Ok(())
}

/// Releases of one source are planned as each of them alone with what they share, whichever of them comes first.
fn several() -> Checked {
    let here = tempfile::tempdir().map_err(|e| e.to_string())?;
    let plans = |text: &str| -> Result<Vec<Value>, String> {
        std::fs::write(here.path().join("current.yaml"), text).map_err(|e| e.to_string())?;
        let out = program(
            here.path(),
            &["--current", "current.yaml", "--to", "2.6.16", "--format", "json"],
        );
        let plan: Value = serde_json::from_slice(&out.stdout).map_err(|e| format!("{e}\n{}", utf8(&out.stderr)))?;
        Ok(list(&plan["plans"]).cloned().collect())
    };
    // What names both joins them, and they are planned beside each other.
    let beside = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: beside-both}\n";
    let names =
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: words}\ndata: {a: harbor-milvus zebra-milvus}\n";
    let mut compared = 0;
    let mut files: Vec<_> = std::fs::read_dir(states())
        .map_err(|e| e.to_string())?
        .flatten()
        .collect();
    files.sort_by_key(std::fs::DirEntry::path);
    let other = std::fs::read_to_string(states().join("../../example/current.yaml")).map_err(|e| e.to_string())?;
    let other = other.replace("my-release", "zebra");
    for state in files {
        let text = std::fs::read_to_string(state.path()).map_err(|e| e.to_string())?;
        if state.path().extension().is_none_or(|e| e != "yaml") || text.contains("uid:") || text.contains("kind: List")
        {
            continue;
        }
        let as_it_is = |text: &str| Ok(text.to_owned());
        for (form, shared) in [
            (as_it_is as fn(&str) -> Result<String, String>, beside.to_owned()),
            (as_it_is, format!("{beside}{names}")),
            (live_list, beside.to_owned()),
            (live_list, format!("{beside}{names}")),
        ] {
            let both = |first: &str, second: &str| {
                plans(&form(&format!(
                    "{}\n{shared}---\n{}",
                    first.trim_end(),
                    second.trim_start_matches("---\n")
                ))?)
            };
            let alone = |one: &str| plans(&form(&format!("{}\n{shared}", one.trim_end()))?);
            let (one, another) = (alone(&text)?, alone(&other)?);
            let swapped = (both(&text, &other)?, both(&other, &text)?);
            let wanted = [&one[..], &another].concat();
            let backwards = [&another[..], &one].concat();
            if (&swapped.0, &swapped.1) != (&wanted, &backwards) {
                return Err(format!(
                    "{}: another plan beside another release",
                    state.path().display()
                ));
            }
            compared += 1;
        }
    }
    match compared > 12 {
        true => Ok(()),
        false => Err(format!("{compared} compared")),
    }
}

/// A stream as `kubectl get` lists it, with a ReplicaSet for each Deployment, as a rollout that was rolled back left it.
fn live_list(text: &str) -> Result<String, String> {
    let mut items = Vec::new();
    for document in text.split("---\n") {
        let mut object: Value = serde_yaml::from_str(document).map_err(|e| e.to_string())?;
        if object.is_null() {
            continue;
        }
        object["metadata"]["uid"] = "8d6c".into();
        let mut made = object.clone();
        items.push(object);
        if made["kind"] == "Deployment" {
            let owner = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": made["metadata"]["name"], "uid": "8d6c", "controller": true});
            made["kind"] = "ReplicaSet".into();
            made["metadata"]["ownerReferences"] = json!([owner]);
            made["metadata"]["name"] = format!("{}-5f7", made["metadata"]["name"].as_str().unwrap_or_default()).into();
            let container = &mut made["spec"]["template"]["spec"]["containers"][0];
            let image = container["image"].as_str().unwrap_or_default();
            let rolled_back = image
                .rsplit_once(':')
                .map(|(repository, _)| format!("{repository}:v2.6.17"));
            container["image"] = rolled_back.filter(|image| image.contains("/milvus:")).into();
            if !container["image"].is_null() {
                items.push(made);
            }
        }
    }
    Ok(json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string())
}

/// Every form of a source gives the same way.
fn sources() -> Checked {
    let here = tempfile::tempdir().map_err(|e| e.to_string())?;
    let state = states().join("separate.yaml");
    let manifest = std::fs::read_to_string(&state).map_err(|e| e.to_string())?;
    let write = |name: &str, text: &str| std::fs::write(here.path().join(name), text).map_err(|e| e.to_string());
    write("manifests.yaml", &manifest)?;
    let objects: Vec<Value> = manifest
        .split("\n---\n")
        .map(|d| serde_yaml::from_str(d).map_err(|e| e.to_string()))
        .collect::<Result<_, String>>()?;
    write(
        "list.json",
        &serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string(),
    )?;
    let record = |revision: u64, status: &str| {
        serde_json::json!({"name": "harbor", "namespace": "vectors", "version": revision, "info": {"status": status},
            "manifest": manifest, "config": {}})
    };
    write(
        "records.json",
        &serde_json::json!([record(6, "superseded"), record(7, "deployed")]).to_string(),
    )?;
    let inspect = Command::new(env!("CARGO_BIN_EXE_milvus-uplift"))
        .args(["inspect", "--format", "yaml", "manifests.yaml"])
        .current_dir(here.path())
        .output()
        .map_err(|e| e.to_string())?;
    write("state.yaml", &utf8(&inspect.stdout))?;
    let steps = |file: &str| -> Result<(Value, Value), String> {
        let out = program(here.path(), &["--current", file, "--to", "2.6.16", "--format", "json"]);
        let plan: Value =
            serde_json::from_slice(&out.stdout).map_err(|e| format!("{file}: {e}\n{}", utf8(&out.stderr)))?;
        let of: Vec<Value> = list(&plan["plans"][0]["steps"])
            .map(|s| serde_json::json!([s["id"], s["commands"]["helm3"], s["commands"]["helm4"]]))
            .collect();
        Ok((of.into(), plan))
    };
    let (wanted, _) = steps("manifests.yaml")?;
    for file in ["list.json", "records.json", "state.yaml"] {
        if steps(file)?.0 != wanted {
            return Err(format!("{file} gives another plan\n{:#}\n{wanted:#}", steps(file)?.0));
        }
    }
    let (_, plan) = steps("records.json")?;
    let plan = &plan["plans"][0];
    let back = |id: &str| {
        list(&plan["steps"])
            .find(|s| s["id"] == id)
            .map(|s| s["rollback"].clone())
            .unwrap_or_default()
    };
    // One upgrade consolidates, one is stage 0, which leaves Milvus alone; from then on all of that is a downgrade.
    let (consolidate, stage) = (back("2.5.22-consolidate"), back("2.6.16-stage-3"));
    let good = plan["release"]["revision"] == 7
        && consolidate["possible"] == true
        && consolidate["commands"][0]
            .as_str()
            .is_some_and(|c| c.starts_with("helm rollback harbor 7 "))
        && stage["possible"] == false
        && stage["downgradeAtOrBelow"] == 9;
    if good {
        Ok(())
    } else {
        Err(format!("{consolidate:#}\n{stage:#}"))
    }
}
