//! `diff` as a program. Every folder under `testdata/diff` with a `diff.yaml` is a case, its output in `stdout.txt`
//! (`UPDATE=1 cargo test --test diff` writes it); over every folder of `testdata` that passes, the patches applied give the
//! output.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use milvus_uplift::diff::{self, How, Side};
use milvus_uplift::finding::Input;
use milvus_uplift::host::FILENAME;
use milvus_uplift::kube::Object;
use milvus_uplift::stream::Stream;
use milvus_uplift::value::Value;
use serde::Deserialize;

/// Values that the testdata uses for secrets hold this word, in base64 the other.
const SECRETS: [&str; 2] = ["hunter", "aHVudGVy"];

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

fn program(folder: &Path, args: &[&str], stdin: &[u8], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milvus-uplift"));
    for (key, _) in std::env::vars().filter(|(k, _)| k.starts_with("MILVUS_UPLIFT_") || k.starts_with("HELM_")) {
        command.env_remove(key);
    }
    command
        .env_remove("NO_COLOR")
        .current_dir(folder)
        .args(args)
        .envs(env.iter().copied());
    let pipes = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = stdin.to_vec();
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut pipe, &input));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join();
    output
}

fn utf8(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// `diff` in the folder of the bundled example: status, stdout, stderr.
fn example(args: &[&str]) -> (i32, String, String) {
    let out = program(&testdata().join("example"), &[&["diff"], args].concat(), b"", &[]);
    (out.status.code().unwrap(), utf8(&out.stdout), utf8(&out.stderr))
}

const CONTEXT: [&str; 5] = ["target.yaml", "--current", "current.yaml", "--values", "values.yaml"];

fn with<'a>(args: &[&'a str]) -> Vec<&'a str> {
    CONTEXT.iter().copied().chain(args.iter().copied()).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[allow(dead_code)]
    about: String,
    args: Vec<String>,
    exit: i32,
    #[serde(default)]
    says: Vec<String>,
}

#[test]
fn every_case_says_what_it_should() {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(testdata().join("diff"))
        .unwrap()
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.join("diff.yaml").exists())
        .collect();
    folders.sort();
    assert!(!folders.is_empty());
    for folder in folders {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let case: Case = serde_yaml::from_str(&std::fs::read_to_string(folder.join("diff.yaml")).unwrap()).unwrap();
        let args: Vec<&str> = std::iter::once("diff")
            .chain(case.args.iter().map(String::as_str))
            .collect();
        let stdin = std::fs::read(folder.join("stdin.yaml")).unwrap_or_default();
        let out = program(&folder, &args, &stdin, &[]);
        let (stdout, stderr) = (utf8(&out.stdout), utf8(&out.stderr));
        assert_eq!(out.status.code(), Some(case.exit), "{name}\n{stdout}{stderr}");
        case.says
            .iter()
            .for_each(|word| assert!(stderr.contains(word), "{name}: {word}\n{stderr}"));
        if !args.contains(&"--show-secrets") {
            let shown = |text: &str| SECRETS.iter().any(|s| text.contains(s));
            assert!(
                !shown(&stdout) && !shown(&stderr),
                "{name}: a secret is shown\n{stdout}{stderr}"
            );
        }
        let again = program(&folder, &args, &stdin, &[]);
        assert_eq!(again.stdout, out.stdout, "{name}: the same again");
        let golden = folder.join("stdout.txt");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&golden, &stdout).unwrap();
        }
        let wanted = std::fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(stdout, wanted, "{name}: UPDATE=1 cargo test --test diff writes it");
    }
}

fn find(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            find(&path, found);
        } else if path.file_name().is_some_and(|n| n == "stdout.yaml") && folder.join("target.yaml").exists() {
            found.push(folder.to_owned());
        }
    }
}

fn read(path: &Path) -> Stream {
    Stream::read(std::fs::read(path).unwrap(), Input::Target).unwrap()
}

/// The objects by identity, without the host's bookkeeping.
fn by_name(objects: &[Object]) -> BTreeMap<String, Vec<Value>> {
    let mut all: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for object in objects {
        let mut value = Value::clone(&object.value);
        without_filename(&mut value);
        let r = &object.reference;
        let key = format!("{} {} {} {}", r.api_version, r.kind, r.namespace, r.name);
        all.entry(key).or_default().push(value);
    }
    all
}

fn without_filename(value: &mut Value) {
    let metadata = &mut value["metadata"];
    if let Some(annotations) = metadata["annotations"].as_object_mut() {
        annotations.remove(FILENAME);
    }
    if metadata["annotations"].as_object().is_none_or(|a| a.is_empty()) {
        metadata.as_object_mut().unwrap().remove("annotations");
    }
}

#[test]
fn over_all_testdata_the_patches_applied_give_the_output() {
    let mut folders = Vec::new();
    find(&testdata(), &mut folders);
    folders.sort();
    assert!(folders.len() > 50, "{}", folders.len());
    for folder in folders {
        let name = folder.display();
        let (before, after) = (read(&folder.join("target.yaml")), read(&folder.join("stdout.yaml")));
        let how = How {
            show_secrets: true,
            ..How::default()
        };
        let found = diff::diff(&Side::of(&before.objects), &Side::of(&after.objects), &how);
        let document = diff::jsonpatch::render(&found);
        let mut state = by_name(&before.objects);
        let whole: BTreeMap<String, Vec<Value>> = state.clone();
        for one in document["objects"].as_array().unwrap() {
            let r = &one["object"];
            let text = |v: &Value| v.as_str().unwrap().to_owned();
            let key = format!(
                "{} {} {} {}",
                text(&r["apiVersion"]),
                text(&r["kind"]),
                text(&r["namespace"]),
                text(&r["name"])
            );
            let patch: json_patch::Patch = serde_json::from_value(one["patch"].clone().into()).unwrap();
            match one["op"].as_str().unwrap() {
                "drop" => {
                    // An object may come in twice.
                    let all = state.get_mut(&key).unwrap_or_else(|| panic!("{name}: {key}"));
                    all.pop();
                    if all.is_empty() {
                        state.remove(&key);
                    }
                }
                "inject" => {
                    let mut value = serde_json::Value::Null;
                    json_patch::patch(&mut value, &patch).unwrap();
                    state.entry(key).or_default().push(value.into());
                }
                _ => {
                    let value = &mut state.get_mut(&key).unwrap_or_else(|| panic!("{name}: {key}"))[0];
                    let mut theirs = serde_json::Value::from(value.take());
                    json_patch::patch(&mut theirs, &patch).unwrap_or_else(|e| panic!("{name}: {key}: {e}"));
                    *value = theirs.into();
                }
            }
        }
        assert_eq!(state, by_name(&after.objects), "{name}");
        assert_eq!(found.is_empty(), whole == by_name(&after.objects), "{name}");
        // No format shows what is planted.
        let masked = diff::diff(&Side::of(&before.objects), &Side::of(&after.objects), &How::default());
        let style = diff::text::Style {
            context: 3,
            colour: false,
        };
        let said = [
            diff::text::render(&masked, &style),
            diff::json::render(Some(&masked), None, &milvus_uplift::value::json!([])).to_string(),
            diff::jsonpatch::render(&masked).to_string(),
            diff::markdown::render(Some(&masked), &[], 3),
        ];
        for text in said {
            assert!(!SECRETS.iter().any(|s| text.contains(s)), "{name}: a secret is shown");
        }
    }
}

#[test]
fn the_exit_status_tells() {
    let (code, stdout, stderr) = example(&with(&[]));
    assert_eq!(code, 1, "{stderr}");
    assert!(
        stdout.ends_with(" are the same\n")
            && stdout.contains("+ Deployment my-release-milvus-mixcoord (namespace search)  added\n")
    );
    let done = ["stdout.yaml", "--current", "current.yaml", "--values", "values.yaml"];
    let (code, stdout, stderr) = example(&done);
    assert_eq!((code, stdout.lines().count()), (0, 1), "{stdout}{stderr}");
    assert!(stdout.starts_with("milvus-uplift: no difference, "), "{stdout}");
    assert_eq!(example(&["target.yaml", "target.yaml"]).0, 0);
    assert_eq!(example(&["target.yaml", "stdout.yaml"]).0, 1);
    for (args, words) in [
        (&["a", "b", "c"][..], "unexpected value"),
        (&["-", "-"], "only one of two files"),
        (
            &["target.yaml", "stdout.yaml", "--against", "current"],
            "here are two files",
        ),
        (
            &["target.yaml", "--against", "current"],
            "give it, --current current.yaml",
        ),
        (&["target.yaml", "--against", "old"], "possible values: current"),
        (
            &["target.yaml", "--format", "sarif"],
            "diff knows the formats text, json, jsonpatch, markdown and flux",
        ),
        (
            &[
                "target.yaml",
                "--current",
                "current.yaml",
                "--against",
                "current",
                "--format",
                "flux",
            ],
            "does not go with",
        ),
        (
            &["target.yaml", "stdout.yaml", "--report", "r.json"],
            "compared without one",
        ),
        (&["-U", "x"], "invalid value"),
    ] {
        let (code, stdout, stderr) = example(args);
        assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}: {stderr}");
        assert!(stderr.contains(words), "{args:?}: {stderr}");
    }
    assert_eq!(example(&["missing.yaml"]).0, 3);
    assert_eq!(example(&["target.yaml", "missing.yaml"]).0, 3);
}

#[test]
fn a_refusal_is_said_and_what_would_be_applied_by_hand_is_not_written() {
    // Separate coordinators are deployed: MU105.
    let before = ["target.yaml", "--current", "before.yaml"];
    let args = |more: &[&'static str]| [&before[..], more].concat();
    let (code, stdout, stderr) = example(&args(&[]));
    assert_eq!(code, 1);
    assert!(stderr.starts_with("REFUSE MU105") && stdout.starts_with("REFUSED, nothing of this would be applied"));
    assert!(stdout.contains("+ Deployment my-release-milvus-mixcoord"));
    let (_, json, _) = example(&args(&["--format", "json"]));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["verdict"], &json["findings"][0]["code"]),
        (&"refuse".into(), &"MU105".into())
    );
    assert!(
        example(&args(&["--format", "markdown"]))
            .1
            .contains("**Refused: nothing of this would be applied.**")
    );
    for format in ["jsonpatch", "flux"] {
        let (code, stdout, stderr) = example(&args(&["--format", format]));
        assert_eq!((code, stdout.as_str()), (1, ""), "{format}");
        assert!(stderr.starts_with("REFUSE MU105"), "{format}");
    }
    // What cannot be read is no "no difference".
    for (args, stdin) in [
        (&["diff", "--current", "current.yaml"][..], "a: b: c\n"),
        (&["diff", "--current", "broken.yaml", "target.yaml"], ""),
        (&["diff", "target.yaml", "--values", "current"], ""),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for file in ["target.yaml", "current.yaml"] {
            std::fs::copy(testdata().join("example").join(file), folder.path().join(file)).unwrap();
        }
        std::fs::write(folder.path().join("broken.yaml"), "a: b: c\n").unwrap();
        let out = program(folder.path(), args, stdin.as_bytes(), &[]);
        assert_eq!(
            (out.status.code(), utf8(&out.stdout).as_str()),
            (Some(1), ""),
            "{args:?}"
        );
        assert!(
            utf8(&out.stderr).starts_with("REFUSE MU00"),
            "{args:?}: {}",
            utf8(&out.stderr)
        );
        let json = program(
            folder.path(),
            &[args, &["--format", "json"]].concat(),
            stdin.as_bytes(),
            &[],
        );
        let json: Value = serde_json::from_slice(&json.stdout).unwrap();
        assert!(json["objects"].is_null() && json["verdict"] == "refuse", "{args:?}");
        fits(&json);
    }
}

fn fits(diff: &Value) {
    let schema = serde_json::from_str(include_str!("../docs/diff.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    if let Some(error) = validator.iter_errors(&diff.clone().into()).next() {
        panic!("{error} at {}", error.instance_path());
    }
}

#[test]
fn json_fits_its_schema() {
    for args in [
        with(&[]),
        with(&["--against", "current"]),
        vec!["target.yaml", "stdout.yaml"],
        vec!["before.yaml", "stdout.yaml", "--show-secrets"],
        vec!["-"],
    ] {
        let (_, text, stderr) = example(&[&args[..], &["--format", "json"]].concat());
        let json = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{args:?}: {e}\n{stderr}"));
        fits(&json);
        assert!(!json["objects"].is_null());
    }
}

#[test]
fn against_current_is_what_changes_in_the_cluster() {
    let (code, stdout, stderr) = example(&with(&["--against", "current"]));
    assert_eq!(code, 1, "{stderr}");
    // The coordinators are one already, and it moves to the new image.
    assert!(
        stdout.contains("~ Deployment my-release-milvus-mixcoord (namespace search)"),
        "{stdout}"
    );
    assert!(stdout.contains("- Deployment my-release-milvus-indexnode (namespace search)  removed"));
    let (_, nothing, _) = example(&["stdout.yaml", "--current", "stdout.yaml", "--against", "current"]);
    assert!(nothing.starts_with("milvus-uplift: no difference"), "{nothing}");
    let (_, fresh, _) = example(&["target.yaml", "--current", "none", "--against", "current"]);
    assert!(fresh.contains(" added, 0 removed)"), "{fresh}");
    // Stages, and no rewrite at all.
    let (_, first, _) = example(&with(&["--against", "current", "--stage", "1"]));
    assert!(
        first.contains("+ Deployment my-release-milvus-streamingnode")
            && !first.contains("- Deployment my-release-milvus-indexnode")
    );
    let (_, never, _) = example(&with(&["--rewrite", "never"]));
    assert!(never.contains("milvus-uplift: no difference"), "{never}");
}

#[test]
fn a_state_file_keeps_no_objects_to_compare() {
    let folder = tempfile::tempdir().unwrap();
    let example = testdata().join("example");
    for file in ["target.yaml", "current.yaml"] {
        std::fs::copy(example.join(file), folder.path().join(file)).unwrap();
    }
    let made = program(
        folder.path(),
        &["inspect", "current.yaml", "--write-state", "state.yaml"],
        b"",
        &[],
    );
    assert_eq!(made.status.code(), Some(0));
    let out = program(
        folder.path(),
        &["diff", "target.yaml", "--current", "state.yaml", "--against", "current"],
        b"",
        &[],
    );
    assert_eq!(out.status.code(), Some(2));
    assert!(utf8(&out.stderr).contains("--current names a state file"));
    let out = program(folder.path(), &["diff", "state.yaml", "target.yaml"], b"", &[]);
    assert!(out.status.code() == Some(2) && utf8(&out.stderr).contains("state.yaml is a state file"));
    // What render changes can be told with it.
    let out = program(
        folder.path(),
        &["diff", "target.yaml", "--current", "state.yaml"],
        b"",
        &[],
    );
    assert!(
        utf8(&out.stdout).contains("+ Deployment my-release-milvus-mixcoord"),
        "{}",
        utf8(&out.stderr)
    );
}

#[test]
fn stdin_is_a_file_too() {
    let folder = testdata().join("example");
    let target = std::fs::read(folder.join("target.yaml")).unwrap();
    let run = |args: &[&str], stdin: &[u8]| {
        let out = program(&folder, args, stdin, &[]);
        (out.status.code().unwrap(), utf8(&out.stdout))
    };
    let wanted = example(&with(&[])).1;
    let rest = &CONTEXT[1..];
    assert_eq!(run(&[&["diff"], rest].concat(), &target), (1, wanted.clone()));
    assert_eq!(run(&[&["diff", "-"], rest].concat(), &target), (1, wanted));
    assert_eq!(run(&["diff", "-", "target.yaml"], &target).0, 0);
    assert_eq!(run(&["diff", "stdout.yaml", "-"], &target).0, 1);
    // No input is what a rendering that failed leaves in a pipe: the deployed release is not in it (MU113).
    let nothing = run(&[&["diff"], rest].concat(), b"");
    assert_eq!(nothing.0, 1);
    assert!(nothing.1.starts_with("REFUSED"), "{}", nothing.1);
    assert_eq!(
        run(&["diff"], b""),
        (0, "milvus-uplift: no difference, 0 objects the same\n".into())
    );
    let all = run(&["diff", "--current", "current.yaml", "--against", "current"], b"");
    assert_eq!(all.0, 1);
    assert!(all.1.contains("- Deployment my-release-milvus-proxy"), "{}", all.1);
}

#[test]
fn colours_stand_only_where_they_are_wanted() {
    let folder = testdata().join("example");
    let painted = |args: &[&str], env: &[(&str, &str)]| {
        let out = program(
            &folder,
            &[&["diff", "target.yaml", "stdout.yaml"], args].concat(),
            b"",
            env,
        );
        utf8(&out.stdout).contains("\u{1b}[")
    };
    assert!(!painted(&[], &[]) && !painted(&["--color", "never"], &[]));
    assert!(painted(&["--color", "always"], &[("NO_COLOR", "1")]));
    assert!(painted(&[], &[("MILVUS_UPLIFT_COLOR", "always")]));
    assert!(!painted(&["--color", "auto"], &[("MILVUS_UPLIFT_COLOR", "always")]));
}

#[test]
fn options_are_read_from_the_environment() {
    let folder = testdata().join("example");
    let run = |args: &[&str], env: &[(&str, &str)]| utf8(&program(&folder, args, b"", env).stdout);
    let env = [
        ("MILVUS_UPLIFT_AGAINST", "current"),
        ("MILVUS_UPLIFT_UNIFIED", "0"),
        ("MILVUS_UPLIFT_CURRENT", "current.yaml"),
        ("MILVUS_UPLIFT_VALUES", "values.yaml"),
        ("MILVUS_UPLIFT_FORMAT", "text"),
    ];
    let by_hand = [&["diff"], &with(&["--against", "current", "-U", "0"])[..]].concat();
    assert_eq!(run(&["diff", "target.yaml"], &env), run(&by_hand, &[]));
    let secrets = testdata().join("rewrite/secrets");
    let args = ["diff", "target.yaml", "stdout.yaml"];
    let shown = utf8(&program(&secrets, &args, b"", &[("MILVUS_UPLIFT_SHOW_SECRETS", "true")]).stdout);
    let masked = utf8(&program(&secrets, &args, b"", &[]).stdout);
    assert!(shown.contains("hunter2") && !masked.contains("hunter2") && masked.contains("***#1"));
}
