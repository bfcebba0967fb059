//! Every folder under `testdata` with a `case.yaml` is a test. `UPDATE=1 cargo test --test testdata` rewrites the wanted
//! outputs.
//!
//! Beside what a case asks for, over every folder: nothing on stdout unless the exit is 0; the report fits its schema;
//! rendering the output of the last stage again changes nothing; every document that no change names is there byte for
//! byte; the changes
//! applied to the input give the output; no secret of the input is in the report or the messages.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use libtest_mimic::Arguments;
use milvus_uplift::finding::Input;
use milvus_uplift::report::mask;
use milvus_uplift::stream::Stream;
use milvus_uplift::value::Value;
use milvus_uplift::yaml::{self, Op, PatchOp};
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What the case shows, for people.
    #[allow(dead_code)]
    about: String,
    #[serde(default)]
    args: Vec<String>,
    /// The arguments of the Helm that calls; none where nobody does. Where `/proc` does not show them nothing is run.
    #[serde(default)]
    helm: Vec<String>,
    exit: i32,
    /// The codes that refuse: exactly these.
    #[serde(default)]
    refusals: Vec<String>,
    /// Codes that must be among the findings.
    #[serde(default)]
    fires: Vec<String>,
    /// Codes that must not.
    #[serde(default)]
    quiet: Vec<String>,
    /// The stage that is applied to the first release.
    #[serde(default)]
    stage: Option<u8>,
}

fn main() {
    let args = Arguments::from_args();
    libtest_mimic::run(&args, support::case_trials(run)).exit();
}

type Checked = Result<(), String>;

fn run(folder: &Path) -> Checked {
    let text = std::fs::read_to_string(folder.join("case.yaml")).map_err(|e| e.to_string())?;
    let case: Case = serde_yaml::from_str(&text).map_err(|e| format!("case.yaml: {e}"))?;
    if !case.helm.is_empty() && !Path::new("/proc/self/cmdline").exists() {
        return Ok(());
    }
    let stdin = std::fs::read(folder.join("target.yaml")).map_err(|e| format!("target.yaml: {e}"))?;
    let (output, report) = program(folder, &case, &stdin)?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = output.status.code();
    if code != Some(case.exit) {
        return Err(format!("exit {code:?}, wanted {}\n{stderr}", case.exit));
    }
    if case.exit != 0 && !output.stdout.is_empty() {
        return Err(format!("{} bytes on stdout of a refusal", output.stdout.len()));
    }
    findings(&case, &report)?;
    secrets(&stdin, &report.to_string(), &stderr)?;
    if let Some(code) = rule_shown_by(folder) {
        example(folder, &case, &stdin, code)?;
    }
    if case.exit == 0 {
        golden(folder, &output.stdout)?;
        // What an early stage gives is no target of its own.
        if report["releases"].as_array().into_iter().flatten().all(is_last_stage) {
            let (again, _) = program(folder, &case, &output.stdout)?;
            if again.status.code() != Some(0) || again.stdout != output.stdout {
                return Err(format!(
                    "rendering the output again changes it\n{}",
                    String::from_utf8_lossy(&again.stderr)
                ));
            }
        }
        changes(&stdin, &output.stdout, &report)?;
    }
    Ok(())
}

fn is_last_stage(release: &Value) -> bool {
    release["stage"]["applied"] == release["stage"]["last"]
}

fn program(folder: &Path, case: &Case, stdin: &[u8]) -> Result<(Output, Value), String> {
    let scratch = tempfile::tempdir().map_err(|e| e.to_string())?;
    let report = scratch.path().join("report.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_milvus-uplift"));
    command.current_dir(folder).arg("--report").arg(&report);
    for file in ["current.yaml", "current.json"] {
        if folder.join(file).exists() {
            command.args(["--current", file]);
        }
    }
    let mut values: Vec<_> = std::fs::read_dir(folder)
        .map_err(|e| e.to_string())?
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|n| n.starts_with("values") && n.ends_with(".yaml"))
        .collect();
    values.sort();
    for file in values {
        command.args(["--values", &file]);
    }
    for (key, _) in std::env::vars().filter(|(k, _)| k.starts_with("MILVUS_UPLIFT_") || k.starts_with("HELM_")) {
        command.env_remove(key);
    }
    command.args(&case.args);
    let mut input = stdin.to_vec();
    if !case.helm.is_empty() {
        (command, input) = called_by_helm(&command, case, scratch.path(), stdin)?;
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| e.to_string())?;
    let mut pipe = child.stdin.take().expect("piped");
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut pipe, &input));
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    let _ = writer.join();
    let text = std::fs::read_to_string(&report).unwrap_or_else(|_| "null".into());
    let report = serde_json::from_str(&text).map_err(|e| format!("the report is no JSON: {e}"))?;
    Ok((output, report))
}

/// The same command below a shell whose command line is Helm's: `helm -s upgrade …` reads its script from stdin, and the
/// manifests come from a file. Returns what stdin of the shell is.
fn called_by_helm(command: &Command, case: &Case, scratch: &Path, stdin: &[u8]) -> Result<(Command, Vec<u8>), String> {
    let quoted = |s: &std::ffi::OsStr| format!("'{}'", s.to_string_lossy().replace('\'', "'\\''"));
    let manifests = scratch.join("manifests.yaml");
    std::fs::write(&manifests, stdin).map_err(|e| e.to_string())?;
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(quoted)
        .collect();
    let script = format!("{} < {}\nexit $?\n", words.join(" "), quoted(manifests.as_os_str()));
    let mut shell = Command::new("bash");
    #[cfg(unix)]
    std::os::unix::process::CommandExt::arg0(&mut shell, "helm");
    shell.arg("-s").args(&case.helm);
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(key, value),
            None => shell.env_remove(key),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    Ok((shell, script.into_bytes()))
}

fn findings(case: &Case, report: &Value) -> Checked {
    if report.is_null() {
        // A wrong command line, or a stream of no bytes: there is nothing to report.
        return match case.exit {
            0 | 2 | 3 if case.fires.is_empty() && case.refusals.is_empty() => Ok(()),
            _ => Err("no report was written".into()),
        };
    }
    let schema = serde_json::from_str(include_str!("../docs/report.schema.json")).expect("the schema");
    let validator = jsonschema::validator_for(&schema).expect("a valid schema");
    if let Some(error) = validator.iter_errors(&report.clone().into()).next() {
        return Err(format!(
            "the report does not fit its schema: {error} at {}",
            error.instance_path()
        ));
    }
    let list = report["findings"].as_array().expect("checked by the schema");
    let code = |f: &Value| f["code"].as_str().unwrap_or_default().to_owned();
    let mut refusals: Vec<String> = list
        .iter()
        .filter(|f| f["severity"] == "refuse" && f["allowed"] == false)
        .map(code)
        .collect();
    refusals.sort();
    refusals.dedup();
    let all: Vec<String> = list.iter().map(code).collect();
    let mut wanted = case.refusals.clone();
    wanted.sort();
    if refusals != wanted {
        return Err(format!(
            "refused by {refusals:?}, wanted {wanted:?}\n{}",
            report["findings"]
        ));
    }
    if (report["verdict"] == "refuse") == refusals.is_empty() {
        return Err(format!("verdict {} with refusals {refusals:?}", report["verdict"]));
    }
    let applied = &report["releases"][0]["stage"]["applied"];
    if let Some(stage) = case.stage
        && *applied != stage
    {
        return Err(format!("stage {applied} is applied, wanted {stage}"));
    }
    for code in &case.fires {
        if !all.contains(code) {
            return Err(format!("{code} does not fire; there are {all:?}"));
        }
    }
    for code in &case.quiet {
        if all.contains(code) {
            return Err(format!("{code} fires\n{}", report["findings"]));
        }
    }
    Ok(())
}

/// Values that the testdata uses for secrets hold this word.
const SECRET: &str = "hunter2";

fn secrets(stdin: &[u8], report: &str, stderr: &str) -> Checked {
    let planted = String::from_utf8_lossy(stdin).contains(SECRET);
    match planted && (report.contains(SECRET) || stderr.contains(SECRET)) {
        true => Err("a secret of the input is in the report or on stderr".into()),
        false => Ok(()),
    }
}

fn golden(folder: &Path, stdout: &[u8]) -> Checked {
    let path = folder.join("stdout.yaml");
    if std::env::var_os("UPDATE").is_some() {
        return std::fs::write(&path, stdout).map_err(|e| e.to_string());
    }
    let wanted = std::fs::read(&path).map_err(|_| "no stdout.yaml; UPDATE=1 cargo test --test testdata writes it")?;
    if wanted == stdout {
        return Ok(());
    }
    let (wanted, got) = (
        String::from_utf8_lossy(&wanted).into_owned(),
        String::from_utf8_lossy(stdout).into_owned(),
    );
    let differing = wanted.lines().zip(got.lines()).position(|(a, b)| a != b);
    let line = differing.unwrap_or_else(|| wanted.lines().count().min(got.lines().count()));
    let at = |text: &str| text.lines().nth(line).unwrap_or("(end)").to_owned();
    Err(format!(
        "stdout differs from line {}:\n  want {}\n  got  {}",
        line + 1,
        at(&wanted),
        at(&got)
    ))
}

/// The rule whose page shows this folder: `rules/MU301/fires`.
fn rule_shown_by(folder: &Path) -> Option<&str> {
    let (name, rule) = (folder.file_name()?, folder.parent()?);
    let below = rule.parent()?.file_name()?;
    (name == "fires" && below == "rules").then(|| rule.file_name()?.to_str())?
}

/// The page of a rule shows what `check` says of the folder where it fires.
fn example(folder: &Path, case: &Case, stdin: &[u8], code: &str) -> Checked {
    let mut shown = case.clone();
    // What Helm hands over is rendered, not checked; there a refusal says all on stderr.
    if case.helm.is_empty() {
        shown.args.insert(0, "check".into());
    }
    let (output, _) = program(folder, &shown, stdin)?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let starts = |line: &str| line.split(' ').nth(1).is_some_and(|word| word == code);
    let mut shown = said.lines().skip_while(|line| !starts(line));
    let head = shown.next().ok_or_else(|| format!("nothing says {code}\n{said}"))?;
    let body = shown.take_while(|line| line.starts_with(' '));
    let finding = std::iter::once(head).chain(body).collect::<Vec<_>>().join("\n");
    let wanted = format!("## Example\n\n```text\n{finding}\n```\n\n");

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/rules/{code}.md"));
    let page = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    if page.contains(&wanted) {
        return Ok(());
    }
    if std::env::var_os("UPDATE").is_none() {
        return Err(format!(
            "docs/rules/{code}.md does not show what happens; wanted:\n{wanted}"
        ));
    }
    let source = page.find("## Source\n").ok_or("the page names no source")?;
    let start = page.find("## Example\n").unwrap_or(source);
    std::fs::write(&path, [&page[..start], &wanted, &page[source..]].concat()).map_err(|e| e.to_string())
}

type Identity = (String, String, String, String);

fn identity(object: &Value) -> Identity {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    (
        text(&object["apiVersion"]),
        text(&object["kind"]),
        text(&object["namespace"]),
        text(&object["name"]),
    )
}

fn objects(stream: &Stream) -> BTreeMap<Identity, Value> {
    let of = |o: &milvus_uplift::kube::Object| {
        let r = &o.reference;
        (
            r.api_version.clone(),
            r.kind.clone(),
            r.namespace.clone(),
            r.name.clone(),
        )
    };
    stream
        .objects
        .iter()
        .map(|o| (of(o), mask::value(&o.reference.kind, "", &o.value)))
        .collect()
}

/// Applies the report's changes to the parsed input and compares with the parsed output; then compares the bytes of
/// the documents that no change names.
fn changes(stdin: &[u8], stdout: &[u8], report: &Value) -> Checked {
    if report.is_null() {
        return if stdin == stdout {
            Ok(())
        } else {
            Err("changed without a report".into())
        };
    }
    let read = |bytes: &[u8]| Stream::read(bytes, Input::Target).map_err(|e| format!("{e:?}"));
    let (before, after) = (read(stdin)?, read(stdout)?);
    let mut state = objects(&before);
    let mut named: Vec<Identity> = Vec::new();
    for change in report["changes"].as_array().into_iter().flatten() {
        let id = identity(&change["object"]);
        named.push(id.clone());
        match change["op"].as_str() {
            Some("drop") => {
                // An object may come in twice.
                let times = named.iter().filter(|n| **n == id).count();
                let there = before.objects.iter().filter(|o| {
                    let r = &o.reference;
                    (&r.api_version, &r.kind, &r.namespace, &r.name) == (&id.0, &id.1, &id.2, &id.3)
                });
                if there.count() < times {
                    return Err(format!("{id:?} is dropped and not there"));
                }
                state.remove(&id);
            }
            Some("inject") => {
                let value = change["patch"][0]["value"].clone();
                if state.insert(id.clone(), value).is_some() {
                    return Err(format!("{id:?} comes and is there already"));
                }
            }
            Some("patch") => {
                let value = state
                    .get_mut(&id)
                    .ok_or_else(|| format!("{id:?} is patched and not there"))?;
                let ops = operations(&change["patch"])?;
                *value = yaml::patch_value(value, &ops).map_err(|e| e.to_string())?;
            }
            _ => {}
        }
    }
    let out = objects(&after);
    for (id, value) in &state {
        match out.get(id) {
            None => return Err(format!("{id:?} is missing in the output")),
            Some(got) if got != value => return Err(format!("{id:?} is not the input plus its changes")),
            Some(_) => {}
        }
    }
    if let Some(id) = out.keys().find(|id| !state.contains_key(*id)) {
        return Err(format!("{id:?} came without a change"));
    }
    // What shares a List with an object that changes is touched with it.
    for document in before.documents.iter() {
        let inside = || before.objects.iter().filter(|o| o.document == document.index);
        let of = |o: &milvus_uplift::kube::Object| -> Identity {
            let r = &o.reference;
            (
                r.api_version.clone(),
                r.kind.clone(),
                r.namespace.clone(),
                r.name.clone(),
            )
        };
        if inside().any(|o| !o.pointer.is_empty() && named.contains(&of(o))) {
            let all: Vec<Identity> = inside().map(of).collect();
            named.extend(all);
        }
    }
    let untouched = |stream: &Stream| -> Vec<String> {
        let touched = |index: usize| {
            stream.objects.iter().filter(|o| o.document == index).any(|o| {
                let r = &o.reference;
                named.contains(&(
                    r.api_version.clone(),
                    r.kind.clone(),
                    r.namespace.clone(),
                    r.name.clone(),
                ))
            })
        };
        let rest = stream.documents.iter().filter(|d| !touched(d.index));
        rest.map(|d| stream.body(d.index).trim_end_matches('\n').to_owned())
            .collect()
    };
    match untouched(&before) == untouched(&after) {
        true => Ok(()),
        false => Err("a document that no change names is not there byte for byte".into()),
    }
}

fn operations(patch: &Value) -> Result<Vec<PatchOp>, String> {
    let list = patch.as_array().ok_or("a patch is a list")?;
    list.iter()
        .map(|op| {
            Ok(PatchOp {
                op: match op["op"].as_str() {
                    Some("add") => Op::Add,
                    Some("remove") => Op::Remove,
                    Some("replace") => Op::Replace,
                    other => return Err(format!("operation {other:?}")),
                },
                path: op["path"].as_str().unwrap_or_default().to_owned(),
                value: op.get("value").cloned(),
            })
        })
        .collect()
}
