//! `--current` in all its forms, `--values current` and `inspect`, through the program.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

const EXAMPLE: &str = "testdata/example";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milvus-uplift"));
    for (key, _) in std::env::vars().filter(|(k, _)| k.starts_with("MILVUS_UPLIFT_") || k.starts_with("HELM_")) {
        command.env_remove(key);
    }
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .env("KUBECONFIG", "/dev/null");
    command
}

fn out(command: &mut Command) -> Output {
    command.output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn example(file: &str) -> String {
    std::fs::read_to_string(root().join(EXAMPLE).join(file)).expect(file)
}

fn record(revision: u64, status: &str, manifest: &str, values: &Value) -> Value {
    json!({"name": "rel", "version": revision, "info": {"status": status}, "config": values, "manifest": manifest})
}

fn payload(record: &Value) -> String {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gz, record.to_string().as_bytes()).expect("in memory");
    STANDARD.encode(gz.finish().expect("in memory"))
}

fn secret(record: &Value) -> Value {
    let name = format!("sh.helm.release.v1.rel.v{}", record["version"]);
    json!({"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "metadata": {"name": name, "labels": {"owner": "helm"}},
        "data": {"release": STANDARD.encode(payload(record))}})
}

#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    args: Vec<String>,
}

fn folders(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            folders(&entry.path(), found);
        }
    }
    // Folders of `plan` and `verify` have nothing to render.
    if folder.join("case.yaml").exists()
        && folder.join("target.yaml").exists()
        && (folder.join("current.yaml").exists() || folder.join("current.json").exists())
    {
        found.push(folder.to_owned());
    }
}

/// Judges a case by a state: exit status, and the codes found with what was allowed.
fn judged(folder: &Path, case: &Case, current: &str) -> (Option<i32>, Vec<(String, bool)>, Vec<u8>) {
    let scratch = tempfile::tempdir().expect("a directory");
    let report = scratch.path().join("report.json");
    let mut command = program(folder);
    command
        .args(["render", "--current", current])
        .arg("--report")
        .arg(&report);
    let mut values: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder")
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|n| n.starts_with("values") && n.ends_with(".yaml"))
        .collect();
    values.sort();
    for file in &values {
        command.args(["--values", file]);
    }
    let target = std::fs::File::open(folder.join("target.yaml")).expect("target.yaml");
    let output = out(command.args(&case.args).stdin(target));
    let report: Value =
        std::fs::read_to_string(report).map_or(Value::Null, |t| serde_json::from_str(&t).expect("a report"));
    let own = |f: &&Value| {
        !f["message"]
            .as_str()
            .is_some_and(|m| m.contains("the state file was made from manifests"))
    };
    let found = report["findings"].as_array().into_iter().flatten().filter(own);
    let codes = found
        .map(|f| (f["code"].as_str().unwrap_or_default().to_owned(), f["allowed"] == true))
        .collect();
    (output.status.code(), codes, output.stdout)
}

#[test]
fn judging_by_the_state_file_is_judging_by_its_manifests() {
    let mut all = Vec::new();
    folders(&root().join("testdata"), &mut all);
    all.sort();
    assert!(!all.is_empty());
    let scratch = tempfile::tempdir().expect("a directory");
    let mut differing = Vec::new();
    for folder in &all {
        let case: Case = serde_yaml::from_str(&std::fs::read_to_string(folder.join("case.yaml")).expect("case.yaml"))
            .expect("a case");
        let current = if folder.join("current.yaml").exists() {
            "current.yaml"
        } else {
            "current.json"
        };
        let stages = case.args.iter().any(|a| a.starts_with("--stage"));
        // A state file stores no values.
        let elsewhere = case.args.iter().any(|a| a.starts_with("--current") || a == "current");
        let state = scratch.path().join("state.yaml");
        let _ = std::fs::remove_file(&state);
        let inspected = out(program(folder).args(["inspect", current, "--write-state"]).arg(&state));
        if !inspected.status.success() || stages || elsewhere {
            // What cannot be read has no state file, and for stages one is not enough.
            continue;
        }
        let written = std::fs::read_to_string(&state).expect("a state file");
        assert!(
            !written.contains("hunter2") && !text(&inspected.stdout).contains("hunter2"),
            "{}",
            folder.display()
        );
        let again = out(program(folder).arg("inspect").arg(&state).args(["--format", "yaml"]));
        assert!(
            text(&again.stdout) == written,
            "{}: inspecting the state file changes it",
            folder.display()
        );
        let by_manifests = judged(folder, &case, current);
        let by_state = judged(folder, &case, state.to_str().expect("UTF-8"));
        if by_state != by_manifests {
            differing.push(format!(
                "{}\n  by state {:?}\n  by manifests {:?}",
                folder.display(),
                (by_state.0, by_state.1),
                (by_manifests.0, by_manifests.1)
            ));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn inspect_is_a_table_for_people() {
    let output = out(program(root()).args(["inspect", "testdata/example/current.yaml"]));
    let said = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for words in [
        "from manifests (manifest)",
        "COMPONENT",
        "in namespace search",
        "queue: ",
        "storage: ",
        "metadata: ",
    ] {
        assert!(said.contains(words), "no `{words}` in\n{said}");
    }
    assert!(!said.contains("***"), "{said}");
}

#[test]
fn a_state_file_never_forgets_the_highest_version() {
    let scratch = tempfile::tempdir().expect("a directory");
    let old = example("current.yaml");
    let history = json!({"apiVersion": "v1", "kind": "List", "items": [
        secret(&record(1, "deployed", &old, &json!({}))), secret(&record(2, "failed", &old.replace("v2.5.", "v2.6."), &json!({})))]});
    std::fs::write(scratch.path().join("history.json"), history.to_string()).expect("written");
    std::fs::write(scratch.path().join("manifest.yaml"), &old).expect("written");
    for file in ["history.json", "manifest.yaml"] {
        let output = out(program(scratch.path()).args(["inspect", file, "--write-state", "state.yaml"]));
        assert!(output.status.success(), "{}", text(&output.stderr));
        let state: Value =
            serde_yaml::from_str(&std::fs::read_to_string(scratch.path().join("state.yaml")).expect("state"))
                .expect("YAML");
        assert_eq!(state["schema"], "milvus-uplift/state/v1");
        assert!(
            state["highest"].as_str().is_some_and(|v| v.starts_with("2.6.")),
            "{file}: {}",
            state["highest"]
        );
    }
    std::fs::write(scratch.path().join("mine.yaml"), "a: b\n").expect("written");
    // The same name elsewhere is another release.
    let elsewhere = example("current.yaml").replace("namespace: search", "namespace: elsewhere");
    std::fs::write(scratch.path().join("here.yaml"), example("current.yaml")).unwrap();
    std::fs::write(scratch.path().join("elsewhere.yaml"), elsewhere).unwrap();
    let write = |file: &str| out(program(scratch.path()).args(["inspect", file, "--write-state", "place.yaml"]));
    assert!(write("here.yaml").status.success());
    let output = write("elsewhere.yaml");
    let said = text(&output.stderr);
    assert!(
        output.status.code() == Some(3)
            && said.contains("of my-release in namespace search, this is that of my-release in namespace elsewhere"),
        "{said}"
    );
    let output = out(program(scratch.path()).args(["inspect", "manifest.yaml", "--write-state", "mine.yaml"]));
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(
        std::fs::read_to_string(scratch.path().join("mine.yaml")).expect("there"),
        "a: b\n"
    );
}

#[test]
fn stored_values_render_as_the_file_does() {
    let values: Value = serde_yaml::from_str(&example("values.yaml")).expect("values");
    let scratch = tempfile::tempdir().expect("a directory");
    let file = scratch.path().join("record");
    std::fs::write(
        &file,
        payload(&record(1, "deployed", &example("current.yaml"), &values)),
    )
    .expect("written");
    let folder = root().join(EXAMPLE);
    let target = || std::fs::File::open(folder.join("target.yaml")).expect("target.yaml");
    let stored = out(program(&folder)
        .arg("--current")
        .arg(&file)
        .args(["--values", "current"])
        .stdin(target()));
    let given = out(program(&folder)
        .args(["--current", "current.yaml", "--values", "values.yaml"])
        .stdin(target()));
    assert!(stored.status.success(), "{}", text(&stored.stderr));
    assert!(stored.stdout == given.stdout);
    let none = out(program(&folder)
        .args(["--current", "current.yaml", "--values", "current"])
        .stdin(target()));
    assert_eq!(none.status.code(), Some(1));
    assert!(text(&none.stderr).contains("MU003") && none.stdout.is_empty());
}

#[cfg(unix)]
mod helm {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A Helm that knows one release, `rel` in `ns`, of two revisions, and notes how it was called.
    fn fake(folder: &Path, script: &str) {
        let path = folder.join("helm");
        std::fs::write(
            &path,
            format!("#!/bin/sh\necho \"$*\" >> \"$CALLS\"\nenv > \"$CALLS.env\"\n{script}\n"),
        )
        .expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("executable");
    }

    const KNOWS: &str = r#"case "$*" in
  "history rel --output json --namespace ns"*) echo '[{"revision":1,"status":"deployed"},{"revision":2,"status":"failed"}]' ;;
  "get manifest rel --revision 1 --namespace ns"*) cat "$DATA/current.yaml" ;;
  "get manifest rel --revision 2 --namespace ns"*) sed 's/v2\.5\./v2.6./' "$DATA/current.yaml" ;;
  "get values rel --revision 1 --output json --namespace ns"*) echo null ;;
  *) echo 'Error: release: not found' >&2; exit 1 ;;
esac"#;

    fn ask(folder: &Path, args: &[&str]) -> Output {
        let mut command = program(folder);
        command
            .env("HELM_BIN", folder.join("helm"))
            .env("CALLS", folder.join("calls"))
            .env("DATA", root().join(EXAMPLE));
        command
            .env("HELM_PLUGIN_NAME", "other")
            .env("MILVUS_UPLIFT_HELM_TIMEOUT", "10");
        out(command.args(args))
    }

    #[test]
    fn is_asked_for_every_revision() {
        let scratch = tempfile::tempdir().expect("a directory");
        fake(scratch.path(), KNOWS);
        let args = [
            "inspect",
            "--current",
            "release:rel",
            "--namespace",
            "ns",
            "--kube-context",
            "c",
            "--format",
            "json",
        ];
        let output = ask(scratch.path(), &args);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let state: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!((&state["release"], &state["namespace"]), (&json!("rel"), &json!("ns")));
        assert_eq!(state["takenFrom"], "release rel, revision 1 (deployed)");
        assert!(state["highest"].as_str().is_some_and(|v| v.starts_with("2.6.")));
        let calls = std::fs::read_to_string(scratch.path().join("calls")).expect("calls");
        assert!(
            calls.lines().count() == 3 && calls.lines().all(|l| l.ends_with("--namespace ns --kube-context c")),
            "{calls}"
        );
        let env = std::fs::read_to_string(scratch.path().join("calls.env")).expect("env");
        assert!(
            !env.contains("HELM_PLUGIN_NAME") && !env.contains("MILVUS_UPLIFT_"),
            "{env}"
        );
    }

    #[test]
    fn is_asked_for_values_where_they_are_used() {
        let scratch = tempfile::tempdir().expect("a directory");
        fake(
            scratch.path(),
            &KNOWS.replace("echo null", "echo 'Error: forbidden' >&2; exit 1"),
        );
        let release = ["--current", "release:rel", "--namespace", "ns", "--kube-context", "c"];
        let target = root().join(EXAMPLE).join("target.yaml");
        let file = target.to_str().expect("a path");
        for (command, values) in [
            (&["check", file, "--allow", "MU104"][..], false),
            (&["check", file, "--allow", "MU104", "--values", "current"], true),
            (&["plan", "--to", "2.6.16"], true),
        ] {
            let _ = std::fs::remove_file(scratch.path().join("calls"));
            let output = ask(scratch.path(), &[command, &release].concat());
            let said = text(&output.stdout) + &text(&output.stderr);
            assert_eq!(said.contains("Error: forbidden"), values, "{command:?}: {said}");
            assert_eq!(said.contains("MU003"), values, "{command:?}: {said}");
            let calls = std::fs::read_to_string(scratch.path().join("calls")).expect("calls");
            assert_eq!(calls.contains("get values"), values, "{command:?}: {calls}");
        }
    }

    #[test]
    fn what_it_refuses_is_mu003() {
        let scratch = tempfile::tempdir().expect("a directory");
        fake(scratch.path(), KNOWS);
        for (args, words) in [
            (
                &["inspect", "--current", "release:rel"][..],
                "does not say in which namespace",
            ),
            (
                &["inspect", "--current", "release:other", "-n", "ns"][..],
                "Error: release: not found",
            ),
            (
                &["inspect", "--current", "release:rel", "-n", "elsewhere"][..],
                "--current none",
            ),
            (
                &["inspect", "--current", "release:", "-n", "ns"][..],
                "name of a release",
            ),
        ] {
            let output = ask(scratch.path(), args);
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1));
            assert!(
                said.contains("MU003") && said.contains(words) && said.contains("kubectl get secrets"),
                "{args:?}: {said}"
            );
        }
        fake(
            scratch.path(),
            "echo 'Error: cannot reach https://u:hunter2@host/' >&2; exit 1",
        );
        let said = text(&ask(scratch.path(), &["inspect", "--current", "release:rel", "-n", "ns"]).stderr);
        assert!(said.contains("***@host") && !said.contains("hunter2"), "{said}");
        fake(scratch.path(), "echo nonsense");
        assert!(
            text(&ask(scratch.path(), &["inspect", "--current", "release:rel", "-n", "ns"]).stderr)
                .contains("no list of revisions")
        );
        let mut gone = program(scratch.path());
        let said = text(
            &out(gone
                .env("HELM_BIN", "no-such-helm")
                .args(["inspect", "--current", "release:rel", "-n", "ns"]))
            .stderr,
        );
        assert!(said.contains("MU003") && said.contains("HELM_BIN"), "{said}");
    }

    /// Every line of the page that calls the program, with a Helm that knows the release.
    #[test]
    fn the_page_s_commands_work() {
        let scratch = tempfile::tempdir().expect("a directory");
        fake(
            scratch.path(),
            &KNOWS.replace("rel ", "my-release ").replace(" ns", " milvus"),
        );
        for (from, to) in [
            ("current.yaml", "current.yaml"),
            ("target.yaml", "rendered.yaml"),
            ("values.yaml", "more.yaml"),
        ] {
            std::fs::write(scratch.path().join(to), example(from)).expect("written");
        }
        let page = std::fs::read_to_string(root().join("docs/current-state.md")).expect("the page");
        let lines: Vec<&str> = page.lines().filter(|l| l.starts_with("milvus-uplift ")).collect();
        assert!(lines.len() > 3, "{lines:?}");
        for line in lines {
            let mut command = program(scratch.path());
            command
                .env("HELM_BIN", scratch.path().join("helm"))
                .env("CALLS", scratch.path().join("calls"));
            command.env("DATA", root().join(EXAMPLE));
            let words = line.split(" > ").next().unwrap_or_default().split(' ').skip(1);
            let output = out(command.args(words));
            // The history knows a failed attempt at 2.6: to go there again is no downgrade.
            assert!(
                output.status.success(),
                "{line}\n{}{}",
                text(&output.stdout),
                text(&output.stderr)
            );
        }
    }

    #[test]
    fn several_contexts_need_one_named() {
        let scratch = tempfile::tempdir().expect("a directory");
        fake(scratch.path(), KNOWS);
        for (file, name) in [("one", "prod"), ("two", "staging")] {
            let config = format!("contexts:\n- name: {name}\n  context: {{cluster: c}}\ncurrent-context: {name}\n");
            std::fs::write(scratch.path().join(file), config).expect("written");
        }
        let run = |config: &str, more: &[&str]| {
            let mut command = program(scratch.path());
            command
                .env("HELM_BIN", scratch.path().join("helm"))
                .env("CALLS", scratch.path().join("calls"));
            command.env("DATA", root().join(EXAMPLE)).env("KUBECONFIG", config);
            out(command
                .args(["inspect", "--current", "release:rel", "-n", "ns"])
                .args(more))
        };
        let both = run("one:two", &[]);
        let said = text(&both.stderr);
        assert!(
            said.contains("MU003") && said.contains("2 contexts (prod, staging)"),
            "{said}"
        );
        assert!(run("one:two", &["--kube-context", "prod"]).status.success());
        assert!(run("one", &[]).status.success());
    }

    #[test]
    fn a_hanging_one_is_ended_with_all_it_started() {
        let scratch = tempfile::tempdir().expect("a directory");
        for script in [
            "sleep 60 & echo $! > \"$CALLS.pid\"; wait",
            "sleep 60 & echo $! > \"$CALLS.pid\"; echo '[]'",
        ] {
            fake(scratch.path(), script);
            let mut command = program(scratch.path());
            command
                .env("HELM_BIN", scratch.path().join("helm"))
                .env("CALLS", scratch.path().join("calls"));
            let start = Instant::now();
            let args = ["inspect", "--current", "release:rel", "-n", "ns", "--helm-timeout", "1"];
            let output = out(command.args(args));
            assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
            assert!(
                text(&output.stderr).contains("no answer within 1 seconds"),
                "{}",
                text(&output.stderr)
            );
            let pid = std::fs::read_to_string(scratch.path().join("calls.pid")).expect("a pid");
            let gone = (0..50).any(|_| {
                std::thread::sleep(Duration::from_millis(20));
                let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
                stat.map_or(true, |s| s.contains(") Z "))
            });
            assert!(gone, "what it started lives on");
        }
    }
}
