//! Every folder under `testdata/verify` with a `verify.yaml` is a test of `verify`.
//!
//! A case takes one of the scenes (`before.yaml`, `target.yaml`), applies it up to a stage through the program itself,
//! and has everything rolled out as the API server, the controllers and the kubelets would show it. Its edits then make
//! the cluster what the case is about.
//!
//! And `scripts/staged-upgrade` walks the stages there.
#![cfg(unix)]

mod support;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};
use milvus_uplift::finding::Input;
use milvus_uplift::stream::Stream;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What the case shows, for people.
    #[allow(dead_code)]
    about: String,
    /// The folder of `before.yaml` and `target.yaml`.
    #[serde(default = "cluster")]
    scene: String,
    /// `--current`; the scene's `before.yaml` where not given.
    current: Option<String>,
    /// The stage up to which the target is applied: `all`, `0` to `5`, or `none` for the cluster as it was.
    #[serde(default = "all")]
    applied: String,
    /// A List to take as it is, in place of all that.
    live: Option<String>,
    /// What happens to the cluster.
    #[serde(default)]
    edits: Vec<Edit>,
    #[serde(default)]
    args: Vec<String>,
    exit: i32,
    /// What is missing: exactly these reasons, each once.
    #[serde(default)]
    missing: Vec<String>,
    /// What is said hangs on nothing else being there.
    #[serde(default)]
    alone: bool,
    /// Texts that the answer for people holds.
    #[serde(default)]
    says: Vec<String>,
}

fn cluster() -> String {
    "../cluster".into()
}

fn all() -> String {
    "all".into()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    /// `Kind/name`, where a name may end in `*`; all objects where not given.
    object: Option<String>,
    /// JSON pointer; what leads there is made.
    set: Option<String>,
    #[serde(default)]
    value: Value,
    /// JSON pointer of what goes.
    remove: Option<String>,
    /// The objects themselves go.
    #[serde(default)]
    delete: bool,
    /// In a text: this becomes `with`.
    replace: Option<String>,
    with: Option<String>,
    /// Another object.
    add: Option<Value>,
}

fn main() {
    if let Some(manifest) = std::env::var_os("SETTLE") {
        return settle(Path::new(&manifest));
    }
    if let Some(data) = std::env::var_os("RECORD") {
        return record(Path::new(&data));
    }
    let args = Arguments::from_args();
    let mut trials = support::trials("verify", "verify.yaml", run);
    for (name, check) in walk::ALL {
        trials.push(Trial::test(format!("staged-upgrade: {name}"), move || {
            check().map_err(Failed::from)
        }));
    }
    trials.push(Trial::test("printed-by-plan", || printed().map_err(Failed::from)));
    libtest_mimic::run(&args, trials).exit();
}

/// The command that a plan prints behind a step passes once the step is done, also where the version stays or goes down.
fn printed() -> Result<(), String> {
    let scenes = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/verify");
    let read = |file: &str| std::fs::read_to_string(scenes.join(file)).map_err(|e| format!("{file}: {e}"));
    let scratch = tempfile::tempdir().map_err(|e| e.to_string())?;
    let consolidated = applied(&scenes.join("separate"), "all", scratch.path())?;
    let (cluster, streaming) = (
        read("cluster/before.yaml")?,
        applied(&scenes.join("cluster"), "all", scratch.path())?,
    );
    let on = |version: &str| streaming.replace("v2.6.16", version);
    for (step, before, to, after) in [
        ("2.6.16-stage-0", cluster.clone(), "2.6.16", cluster),
        (
            "2.5.22-consolidate",
            read("separate/before.yaml")?.replace("v2.5.10", "v2.5.22"),
            "2.6.16",
            consolidated,
        ),
        ("2.6.16-upgrade", on("v2.6.20"), "2.6.16", on("v2.6.16")),
        ("2.6.20-upgrade", on("v3.0.0"), "2.6.20", on("v2.6.20")),
        (
            "2.6.16-mend",
            on("v2.6.16").replace("streamingnode", "indexnode"),
            "2.6.16",
            on("v2.6.16"),
        ),
        ("2.6.16-stage-5", on("v2.6.6"), "2.6.16", on("v2.6.16")),
    ] {
        let write = |name: &str, text: &str| std::fs::write(scratch.path().join(name), text).map_err(|e| e.to_string());
        write("before.yaml", &before)?;
        let live = json!({"apiVersion": "v1", "kind": "List", "items": settled(&after)?});
        write("live.json", &live.to_string())?;
        let plan = program(scratch.path())
            .args(["plan", "--current", "before.yaml", "--to", to, "--format", "json"])
            .output()
            .map_err(|e| e.to_string())?;
        let plan: Value = serde_json::from_slice(&plan.stdout).map_err(|e| format!("{e}: {}", text(&plan.stderr)))?;
        let steps = plan["plans"][0]["steps"].as_array().cloned().unwrap_or_default();
        let check = steps.iter().find(|s| s["id"] == step).map(|s| &s["check"]["commands"]);
        let commands = check.and_then(Value::as_array).filter(|all| !all.is_empty());
        for command in commands.ok_or(format!("{step}: no command\n{plan:#}"))? {
            let line = command.as_str().unwrap_or_default();
            let mut words = line.split_whitespace().skip(2).map(|w| match w.ends_with(".yaml") {
                true => "before.yaml",
                false => w,
            });
            let out = program(scratch.path())
                .args(["verify", "live.json"])
                .args(words.by_ref())
                .output()
                .map_err(|e| e.to_string())?;
            if !out.status.success() {
                return Err(format!("{step}: {line}\n{}{}", text(&out.stdout), text(&out.stderr)));
            }
        }
    }
    Ok(())
}

/// Prints a manifest as the live objects it becomes; with `STRAGGLER` a pod of before is still on its way out.
fn settle(manifest: &Path) {
    let text = std::fs::read_to_string(manifest).expect("a manifest");
    let mut list = settled(&text).expect("objects");
    if std::env::var_os("STRAGGLER").is_some() {
        let pod = list.iter().find(|o| is(o, "Pod/rel-milvus-mixcoord*")).cloned();
        let mut pod = pod.expect("a pod of mixcoord");
        pod["metadata"]["name"] = json!("rel-milvus-mixcoord-old");
        pod["metadata"]["deletionTimestamp"] = json!("2026-11-21T10:00:00Z");
        pod["spec"]["containers"][0]["image"] = json!("milvusdb/milvus:v2.5.22");
        list.push(pod);
    }
    println!("{}", json!({"apiVersion": "v1", "kind": "List", "items": list}));
}

/// Prints the history of the release that a directory keeps, as Helm stores it.
fn record(data: &Path) {
    use base64::Engine;
    let read = |name: &str| std::fs::read_to_string(data.join(name)).unwrap_or_default();
    let newest: u64 = read("revision").trim().parse().expect("a number");
    let of = |number: u64, status: &str, manifest: &str| {
        let release = json!({"name": "rel", "namespace": "vector", "version": number, "info": {"status": status}, "config": {}, "manifest": manifest});
        let text = base64::engine::general_purpose::STANDARD.encode(release.to_string());
        json!({"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "metadata": {"name": format!("sh.helm.release.v1.rel.v{number}"),
            "namespace": "vector", "uid": "x", "labels": {"owner": "helm", "name": "rel", "status": status, "version": number.to_string()}}, "data": {"release": text}})
    };
    let status = read("status");
    let mut items = vec![];
    if status.trim() != "deployed" {
        items.push(of(newest - 1, "deployed", &read("manifest")));
    }
    let manifest = if status.trim() == "deployed" {
        read("manifest")
    } else {
        read("new")
    };
    items.push(of(newest, status.trim(), &manifest));
    println!("{}", json!({"apiVersion": "v1", "kind": "List", "items": items}));
}

/// `scripts/staged-upgrade`, with a Helm and a kubectl that keep one release in a directory.
mod walk {
    use super::*;

    type Check = fn() -> Result<(), String>;

    pub const ALL: [(&str, Check); 7] = [
        ("walks with Helm 3", || walks("v3.14.4+gc309b6f")),
        ("walks with Helm 4", || walks("v4.2.4+g0000000")),
        ("walks with the user's patches", patched),
        ("refuses what would roll back", refuses),
        ("changes nothing in a dry run", dry),
        ("stops at a failure and goes on from there", resumes),
        ("waits for pods that terminate", waits),
    ];

    const HELM: &str = r#"#!/bin/sh
echo "helm $*" >> "$DATA/calls"
case "$*" in
  "version --short") echo "$HELM_IS"; exit ;;
  "plugin list") printf 'NAME\tVERSION\nmilvus-uplift\t0.1.0\n'; exit ;;
  history*) echo "[{\"revision\":$(cat "$DATA/revision"),\"updated\":\"x\",\"status\":\"$(cat "$DATA/status")\"}]"; exit ;;
  upgrade*) ;;
  *) echo "Error: unknown $*" >&2; exit 1 ;;
esac
dry=''
while [ $# -gt 0 ]; do
  case $1 in
    --post-renderer-args) echo "$2" >> "$DATA/args.new"; shift ;;
    --dry-run*) dry=yes ;;
  esac
  shift
done
set --
while read -r argument; do set -- "$@" "$argument"; done < "$DATA/args.new"
rm "$DATA/args.new"
"$PROGRAM" "$@" < "$TARGET" > "$DATA/new" || { echo 'Error: UPGRADE FAILED: error while running post render' >&2; exit 1; }
[ -z "$dry" ] || exit 0
echo $(($(cat "$DATA/revision") + 1)) > "$DATA/revision"
if [ -e "$DATA/fail" ]; then rm "$DATA/fail"; echo failed > "$DATA/status"; echo 'Error: UPGRADE FAILED: timed out' >&2; exit 1; fi
cp "$DATA/new" "$DATA/manifest"
cp "$DATA/manifest" "$DATA/deployed.$(cat "$DATA/revision")"
echo deployed > "$DATA/status"
"#;

    const KUBECTL: &str = r#"#!/bin/sh
echo "kubectl $*" >> "$DATA/calls"
case "$*" in
  "config current-context") echo here ;;
  *"get secrets"*"--label-columns"*) printf 'sh.helm.release.v1.rel.v%s\thelm.sh/release.v1\t1\t3d\t%s\t%s\n' "$(cat "$DATA/revision")" "$(cat "$DATA/revision")" "$(cat "$DATA/status")" ;;
  *"get secrets"*) RECORD=$DATA "$TEST" ;;
  *"get deployments"*)
    if [ -e "$DATA/straggle" ] && [ "$(cat "$DATA/revision")" != 1 ]; then rm "$DATA/straggle"; STRAGGLER=1 SETTLE=$DATA/manifest "$TEST"; else SETTLE=$DATA/manifest "$TEST"; fi ;;
  *) echo "error: unknown $*" >&2; exit 1 ;;
esac
"#;

    struct Cluster {
        folder: tempfile::TempDir,
    }

    impl Cluster {
        fn new() -> Cluster {
            use std::os::unix::fs::PermissionsExt;
            let folder = tempfile::tempdir().expect("a directory");
            let scene = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/verify/cluster");
            for (name, text) in [("helm", HELM), ("kubectl", KUBECTL)] {
                let path = folder.path().join(name);
                std::fs::write(&path, text).expect("written");
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("executable");
            }
            std::fs::copy(scene.join("before.yaml"), folder.path().join("manifest")).expect("copied");
            std::fs::write(folder.path().join("revision"), "1\n").expect("written");
            std::fs::write(folder.path().join("status"), "deployed\n").expect("written");
            Cluster { folder }
        }

        fn set(&self, name: &str) {
            std::fs::write(self.folder.path().join(name), "").expect("written");
        }

        fn read(&self, name: &str) -> String {
            std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
        }

        fn run(&self, version: &str, before: &[&str], behind: &[&str]) -> (Option<i32>, String) {
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            let data = self.folder.path();
            let mut command = Command::new(root.join("scripts/staged-upgrade"));
            for (key, _) in std::env::vars().filter(|(k, _)| k.starts_with("MILVUS_UPLIFT_") || k.starts_with("HELM_"))
            {
                command.env_remove(key);
            }
            let output = command
                .current_dir(data)
                .args([
                    "rel",
                    "zilliztech/milvus",
                    "--namespace",
                    "vector",
                    "--interval",
                    "1",
                    "--program",
                ])
                .arg(env!("CARGO_BIN_EXE_milvus-uplift"))
                .args(before)
                .arg("--")
                .args(behind)
                .env("DATA", data)
                .env("HELM_IS", version)
                .env("HELM_BIN", data.join("helm"))
                .env("KUBECTL_BIN", data.join("kubectl"))
                .env("PROGRAM", env!("CARGO_BIN_EXE_milvus-uplift"))
                .env("TARGET", root.join("testdata/verify/cluster/target.yaml"))
                .env("TEST", std::env::current_exe().expect("this program"))
                .env("KUBECONFIG", "/dev/null")
                .stdin(Stdio::null())
                .output()
                .expect("the script starts");
            (
                output.status.code(),
                format!("{}{}", text(&output.stdout), text(&output.stderr)),
            )
        }
    }

    fn want(good: bool, said: &str) -> Result<(), String> {
        if good { Ok(()) } else { Err(said.to_owned()) }
    }

    fn walks(version: &str) -> Result<(), String> {
        let cluster = Cluster::new();
        let (code, said) = cluster.run(
            version,
            &["--write-state", "state.yaml"],
            &["--set", "image.all.tag=v2.6.16"],
        );
        want(code == Some(0) && said.contains("all stages are complete"), &said)?;
        let order: Vec<usize> = (1..=5).filter_map(|n| said.find(&format!("stage {n}: "))).collect();
        want(order.len() == 5 && order.is_sorted(), &said)?;
        want(said.contains("rel-milvus-querynode 2/2 ready"), &said)?;
        let calls = cluster.read("calls");
        want(!calls.contains("atomic") && !calls.contains("rollback"), &calls)?;
        let upgrades: Vec<&str> = calls.lines().filter(|l| l.starts_with("helm upgrade")).collect();
        let renderer = if version.starts_with("v3") {
            "--post-renderer /"
        } else {
            "--post-renderer milvus-uplift "
        };
        let each = |l: &&str| {
            l.contains(" --wait ")
                && l.contains("--set image.all.tag=v2.6.16")
                && l.contains(renderer)
                && l.contains("--stage --post-renderer-args next")
        };
        want(upgrades.len() == 5 && upgrades.iter().all(each), &calls)?;
        let state = cluster.read("state.yaml");
        want(
            state.contains("origin: live") && state.contains("highest: \"2.6.16\"") && !state.contains("hunter2"),
            &state,
        )?;
        // The cluster ends where the upgrade at once would have ended.
        let manifest = cluster.read("manifest");
        let (code, said) = cluster.run(version, &[], &[]);
        want(code == Some(0) && said.contains("all stages are complete"), &said)?;
        want(
            cluster.read("manifest") == manifest,
            "a second walk changes the manifests",
        )
    }

    fn patched() -> Result<(), String> {
        let cluster = Cluster::new();
        let patches = "- target: {role: mixcoord}\n  patch: [{op: add, path: /spec/template/spec/priorityClassName, value: control}]\n\
                       - target: {role: querynode}\n  patch: {spec: {template: {spec: {priorityClassName: reads}}}}\n";
        std::fs::write(cluster.folder.path().join("uplift.yaml"), patches).expect("written");
        let (code, said) = cluster.run("v3.14.4", &["--patch", "uplift.yaml"], &[]);
        want(code == Some(0) && said.contains("all stages are complete"), &said)?;
        let has = |n: u8, class: &str| {
            cluster
                .read(&format!("deployed.{n}"))
                .contains(&format!("priorityClassName: {class}"))
        };
        // Each comes with the stage of its component: revision 2 is stage 1.
        want(
            has(2, "control") && !has(2, "reads") && has(3, "reads"),
            "a patch comes at another stage",
        )?;
        want(has(6, "control") && has(6, "reads"), "a patch is lost on the way")?;
        let manifest = cluster.read("manifest");
        let (code, said) = cluster.run("v3.14.4", &["--patch", "uplift.yaml"], &[]);
        want(code == Some(0) && cluster.read("manifest") == manifest, &said)
    }

    fn refuses() -> Result<(), String> {
        let cluster = Cluster::new();
        for argument in [
            "--atomic",
            "--rollback-on-failure",
            "--atomic=true",
            "--post-renderer=x",
            "--namespace=other",
            "--wait=false",
            "--install",
        ] {
            let (code, said) = cluster.run("v3.14.4", &[], &["--set", "a=b", argument]);
            want(code == Some(2) && said.contains(argument), &said)?;
        }
        want(!cluster.read("calls").contains("helm upgrade"), &cluster.read("calls"))
    }

    fn dry() -> Result<(), String> {
        let cluster = Cluster::new();
        let before = cluster.read("manifest");
        let (code, said) = cluster.run("v3.14.4", &["--dry-run"], &[]);
        want(code == Some(0) && said.contains("would apply stage 1 of 5"), &said)?;
        want(
            cluster.read("manifest") == before && cluster.read("revision") == "1\n",
            "something was changed",
        )?;
        let calls = cluster.read("calls");
        want(
            calls
                .lines()
                .filter(|l| l.starts_with("helm upgrade"))
                .all(|l| l.contains("--dry-run=server")),
            &calls,
        )
    }

    fn resumes() -> Result<(), String> {
        let cluster = Cluster::new();
        cluster.set("fail");
        let (code, said) = cluster.run("v3.14.4", &[], &["--set", "image.all.tag=v2.6.16"]);
        want(
            code == Some(1)
                && said.contains("helm upgrade failed")
                && said.contains("staged-upgrade rel zilliztech/milvus --namespace vector"),
            &said,
        )?;
        want(said.contains("--set image.all.tag=v2.6.16"), &said)?;
        let (code, said) = cluster.run("v3.14.4", &[], &["--set", "image.all.tag=v2.6.16"]);
        want(
            code == Some(0) && said.contains("stage 1: ") && said.contains("all stages are complete"),
            &said,
        )
    }

    fn waits() -> Result<(), String> {
        let cluster = Cluster::new();
        cluster.set("straggle");
        let (code, said) = cluster.run("v3.14.4", &[], &[]);
        want(code == Some(0) && said.contains("old-pod-left"), &said)
    }
}

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milvus-uplift"));
    for (key, _) in std::env::vars().filter(|(k, _)| k.starts_with("MILVUS_UPLIFT_") || k.starts_with("HELM_")) {
        command.env_remove(key);
    }
    command.current_dir(folder).stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn run(folder: &Path) -> Result<(), String> {
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()));
    let case: Case =
        serde_yaml::from_str(&read(&folder.join("verify.yaml"))?).map_err(|e| format!("verify.yaml: {e}"))?;
    let scratch = tempfile::tempdir().map_err(|e| e.to_string())?;
    let scene = folder.join(&case.scene);
    let current = case
        .current
        .as_ref()
        .map_or_else(|| scene.join("before.yaml"), |c| folder.join(c));
    let live = match &case.live {
        Some(path) => folder.join(path),
        None => {
            let manifest = match case.applied.as_str() {
                "none" => read(&scene.join("before.yaml"))?,
                stage => applied(&scene, stage, scratch.path())?,
            };
            let mut list = settled(&manifest)?;
            for edit in &case.edits {
                apply(edit, &mut list)?;
            }
            let path = scratch.path().join("live.json");
            let text = serde_json::to_string_pretty(&json!({"apiVersion": "v1", "kind": "List", "items": list}));
            std::fs::write(&path, text.map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
            path
        }
    };
    let call = |format: &str| -> Result<Output, String> {
        let mut command = program(folder);
        command.arg("verify").arg(&live);
        if current != folder.join("none") {
            command.arg("--current").arg(&current);
        } else {
            command.args(["--current", "none"]);
        }
        command.args(&case.args).args(["--format", format]);
        command.output().map_err(|e| e.to_string())
    };
    let (people, data) = (call("text")?, call("json")?);
    check(&case, &people, &data)?;
    if case.live.is_none() && case.current.is_none() && !case.alone {
        beside::another(folder, &case, &scene, &read(&live)?, &data)?;
    }
    Ok(())
}

/// What is missing does not hang on what else is there, nor on how the objects are written down.
mod beside {
    use super::*;

    /// The case with a second release: the scene, at the same stage, under another name.
    pub fn another(folder: &Path, case: &Case, scene: &Path, live: &str, alone: &Output) -> Result<(), String> {
        let scratch = tempfile::tempdir().map_err(|e| e.to_string())?;
        let before = std::fs::read_to_string(scene.join("before.yaml")).map_err(|e| e.to_string())?;
        let manifest = match case.applied.as_str() {
            "none" => before.clone(),
            stage => applied(scene, stage, scratch.path())?,
        };
        let items = |list: &Value| list["items"].as_array().cloned().unwrap_or_default();
        let one = items(&serde_json::from_str(live).map_err(|e| e.to_string())?);
        let two: Vec<Value> =
            serde_json::from_str(&renamed(&json!(settled(&manifest)?).to_string())).map_err(|e| e.to_string())?;
        let ask = |current: &str, live: String| -> Result<Vec<String>, String> {
            let (known, there) = (scratch.path().join("known.yaml"), scratch.path().join("there.json"));
            std::fs::write(&known, current).map_err(|e| e.to_string())?;
            std::fs::write(&there, live).map_err(|e| e.to_string())?;
            let mut command = program(folder);
            command.arg("verify").arg(&there).arg("--current").arg(&known);
            command.args(&case.args).args(["--format", "json"]);
            missing(&command.output().map_err(|e| e.to_string())?)
        };
        let list = |items: &[Value]| json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
        let documents = |items: &[Value]| items.iter().map(|o| format!("---\n{o}\n")).collect::<String>();
        let own = missing(alone)?;
        if !one.is_empty() {
            same("as documents", &ask(&before, documents(&one))?, &own)?;
        }
        let other = renamed(&before);
        let mut both = [own, ask(&other, list(&two))?].concat();
        both.sort();
        // A cluster of which nothing is left is told by what is there.
        if one.is_empty() {
            return Ok(());
        }
        for (current, live) in [
            (format!("{before}\n---\n{other}"), [&one[..], &two].concat()),
            (format!("{other}\n---\n{before}"), [&two[..], &one].concat()),
        ] {
            same("beside another release", &ask(&current, list(&live))?, &both)?;
        }
        if case.args.iter().any(|arg| arg.contains("namespace")) {
            return Ok(());
        }
        // In a namespace of its own, with nothing marked as a release's.
        let moved = |text: &str| {
            text.replace("vector", "elsewhere")
                .replace("meta.helm.sh/release-name", "example.com/was")
        };
        let there = |items: &[Value]| -> Result<Vec<Value>, String> {
            serde_json::from_str(&moved(&json!(items).to_string())).map_err(|e| e.to_string())
        };
        let (two, other) = (there(&two)?, moved(&other));
        let mut both = [missing(alone)?, ask(&other, list(&two))?].concat();
        both.sort();
        let unmarked = list(&one).replace("meta.helm.sh/release-name", "example.com/was");
        let one = items(&serde_json::from_str(&unmarked).map_err(|e| e.to_string())?);
        for (current, live) in [
            (format!("{before}\n---\n{other}"), [&one[..], &two].concat()),
            (format!("{other}\n---\n{before}"), [&two[..], &one].concat()),
        ] {
            same("beside another namespace", &ask(&current, list(&live))?, &both)?;
        }
        Ok(())
    }

    fn renamed(text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(i) = rest.find("rel") {
            let inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            let word = !inside(rest[..i].chars().next_back()) && !inside(rest[i + 3..].chars().next());
            out += &rest[..i];
            out += if word { "two" } else { "rel" };
            rest = &rest[i + 3..];
        }
        out + rest
    }

    /// What is missing, with the release and the object.
    fn missing(output: &Output) -> Result<Vec<String>, String> {
        let answer: Value =
            serde_json::from_slice(&output.stdout).map_err(|e| format!("{e}: {}", text(&output.stderr)))?;
        let all = answer["missing"].as_array().cloned().unwrap_or_default();
        let mut said: Vec<String> = all
            .iter()
            .map(|m| format!("{} {} {} {}", m["release"], m["reason"], m["object"], m["message"]))
            .collect();
        said.sort();
        Ok(said)
    }

    fn same(what: &str, is: &[String], wanted: &[String]) -> Result<(), String> {
        let lines = |all: &[String], others: &[String]| {
            let each = all.iter().filter(|m| !others.contains(m));
            each.map(|m| format!("  {m}\n")).collect::<String>()
        };
        match is == wanted {
            true => Ok(()),
            false => Err(format!(
                "{what}, told only there ({} of {}):\n{}not told there:\n{}",
                is.len(),
                wanted.len(),
                lines(is, wanted),
                lines(wanted, is)
            )),
        }
    }
}

fn check(case: &Case, people: &Output, data: &Output) -> Result<(), String> {
    let said = text(&people.stdout);
    let status = (people.status.code(), data.status.code());
    if status != (Some(case.exit), Some(case.exit)) {
        return Err(format!(
            "exit {status:?}, wanted {}\n{said}{}",
            case.exit,
            text(&people.stderr)
        ));
    }
    let answer: Value = serde_json::from_slice(&data.stdout).map_err(|e| format!("{e}\n{}", text(&data.stdout)))?;
    let schema: Value = serde_json::from_str(include_str!("../docs/verify.schema.json")).map_err(|e| e.to_string())?;
    jsonschema::validate(&schema, &answer)
        .map_err(|e| format!("the answer does not fit its schema: {e}\n{answer:#}"))?;
    let mut reasons: Vec<&str> = answer["missing"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|m| m["reason"].as_str())
        .collect();
    reasons.sort_unstable();
    reasons.dedup();
    let mut wanted: Vec<&str> = case.missing.iter().map(String::as_str).collect();
    wanted.sort_unstable();
    if reasons != wanted {
        return Err(format!("missing {reasons:?}, wanted {wanted:?}\n{said}"));
    }
    for missing in answer["missing"].as_array().into_iter().flatten() {
        let pasteable = missing["help"].as_str().is_some_and(|h| !h.trim().is_empty());
        if !pasteable || !missing["object"].is_null() && missing["location"].is_null() {
            return Err(format!("no way on, or no place: {missing:#}"));
        }
    }
    for wanted in &case.says {
        if !said.contains(wanted) {
            return Err(format!("`{wanted}` is not said\n{said}"));
        }
    }
    match said.contains("hunter2") || answer.to_string().contains("hunter2") {
        true => Err(format!("a secret is shown\n{said}")),
        false => Ok(()),
    }
}

/// The manifests of the scene after a stage.
fn applied(scene: &Path, stage: &str, scratch: &Path) -> Result<String, String> {
    let mut current = scene.join("before.yaml");
    let upto = match stage {
        "all" => vec!["all".to_owned()],
        n => (0..=n.parse::<u8>().map_err(|e| e.to_string())?)
            .map(|n| n.to_string())
            .collect(),
    };
    let mut output = String::new();
    for stage in upto {
        let target = std::fs::File::open(scene.join("target.yaml")).map_err(|e| e.to_string())?;
        let mut command = program(scene);
        command
            .arg("--current")
            .arg(&current)
            .args(["--stage", &stage])
            .stdin(target);
        let rendered = command.output().map_err(|e| e.to_string())?;
        if !rendered.status.success() {
            return Err(format!("stage {stage}: {}", text(&rendered.stderr)));
        }
        output = text(&rendered.stdout);
        current = scratch.join("current.yaml");
        std::fs::write(&current, &output).map_err(|e| e.to_string())?;
    }
    Ok(output)
}

/// The objects of a manifest as they are once everything is rolled out: server fields, status, ReplicaSets and Pods.
fn settled(manifest: &str) -> Result<Vec<Value>, String> {
    let stream = Stream::read(manifest.as_bytes(), Input::Target).map_err(|all| all[0].message.clone())?;
    let mut list = Vec::new();
    for object in &stream.objects {
        let mut live = Value::from((*object.value).clone());
        let (kind, name) = (object.reference.kind.as_str(), object.reference.name.as_str());
        serve(&mut live, name);
        let replicas = live["spec"]["replicas"].as_i64().unwrap_or(2);
        match kind {
            "Deployment" => {
                live["spec"]["replicas"] = json!(replicas);
                live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("7");
                live["status"] = json!({"observedGeneration": 7, "replicas": replicas, "updatedReplicas": replicas, "readyReplicas": replicas,
                    "availableReplicas": replicas, "conditions": [{"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
                    {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}]});
                list.push(live.clone());
                list.extend(pods(&live, name, "7", replicas));
            }
            "StatefulSet" => {
                live["status"] = json!({"observedGeneration": 7, "replicas": replicas, "updatedReplicas": replicas, "readyReplicas": replicas,
                    "availableReplicas": replicas, "currentRevision": format!("{name}-7"), "updateRevision": format!("{name}-7")});
                list.push(live);
            }
            _ => list.push(live),
        }
    }
    Ok(list)
}

/// What the API server adds to an object.
fn serve(live: &mut Value, name: &str) {
    let metadata = &mut live["metadata"];
    metadata["uid"] = json!(format!("uid-{name}"));
    metadata["resourceVersion"] = json!("4711");
    metadata["generation"] = json!(7);
    metadata["creationTimestamp"] = json!("2026-11-01T08:00:00Z");
    metadata["managedFields"] = json!([{"manager": "helm", "operation": "Update", "fieldsV1": {"f:spec": {}}}]);
    metadata["annotations"]["meta.helm.sh/release-name"] = json!("rel");
    metadata["annotations"]["meta.helm.sh/release-namespace"] = json!("vector");
    metadata["labels"]["app.kubernetes.io/managed-by"] = json!("Helm");
}

/// The ReplicaSet of a Deployment's template and its ready pods.
fn pods(deployment: &Value, name: &str, revision: &str, replicas: i64) -> Vec<Value> {
    let hash = format!("{revision}{}", name.len());
    let set = format!("{name}-{hash}");
    let mut template = deployment["spec"]["template"].clone();
    template["metadata"]["labels"]["pod-template-hash"] = json!(hash);
    let owner = |kind: &str, name: &str| json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": format!("uid-{name}"), "controller": true}]);
    let mut all = vec![
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": set, "namespace": "vector", "uid": format!("uid-{set}"),
        "labels": template["metadata"]["labels"], "annotations": {"deployment.kubernetes.io/revision": revision}, "ownerReferences": owner("Deployment", name)},
        "spec": {"replicas": replicas, "selector": {"matchLabels": template["metadata"]["labels"]}, "template": template},
        "status": {"replicas": replicas, "readyReplicas": replicas}}),
    ];
    for n in 0..replicas {
        all.push(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("{set}-{n}"), "namespace": "vector", "uid": format!("uid-{set}-{n}"),
            "labels": template["metadata"]["labels"], "ownerReferences": owner("ReplicaSet", &set)}, "spec": template["spec"],
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [{"ready": true, "restartCount": 0, "state": {"running": {}}}]}}));
    }
    all
}

fn is(object: &Value, wanted: &str) -> bool {
    let (kind, name) = wanted.split_once('/').unwrap_or((wanted, "*"));
    let own = object["metadata"]["name"].as_str().unwrap_or_default();
    object["kind"] == kind
        && name
            .strip_suffix('*')
            .map_or(own == name, |start| own.starts_with(start))
}

fn apply(edit: &Edit, list: &mut Vec<Value>) -> Result<(), String> {
    let meant = |o: &Value| edit.object.as_ref().is_none_or(|wanted| is(o, wanted));
    if let Some(object) = &edit.add {
        list.push(object.clone());
        return Ok(());
    }
    if !list.iter().any(&meant) {
        return Err(format!("no object is {:?}", edit.object));
    }
    if edit.delete {
        list.retain(|o| !meant(o));
        return Ok(());
    }
    for object in list.iter_mut().filter(|o| meant(o)) {
        if let Some(pointer) = &edit.remove {
            let (parent, key) = pointer.rsplit_once('/').ok_or("a pointer begins with /")?;
            let parent = object
                .pointer_mut(parent)
                .and_then(Value::as_object_mut)
                .ok_or(format!("nothing at {pointer}"))?;
            parent.shift_remove(key).ok_or(format!("nothing at {pointer}"))?;
        }
        if let Some(pointer) = &edit.set {
            *made(object, pointer) = edit.value.clone();
        }
        if let (Some(old), Some(new)) = (&edit.replace, &edit.with) {
            let text = object.to_string();
            let changed = text.replace(old, new);
            if text == changed {
                return Err(format!("nothing says {old}"));
            }
            *object = serde_json::from_str(&changed).map_err(|e| e.to_string())?;
        }
    }
    Ok(())
}

/// The place a pointer names; mappings that lead there are made.
fn made<'v>(value: &'v mut Value, pointer: &str) -> &'v mut Value {
    pointer.split('/').skip(1).fold(value, |v, key| {
        let key = key.replace("~1", "/").replace("~0", "~");
        match v {
            Value::Array(list) => &mut list[key.parse::<usize>().expect("an index")],
            other => &mut other[key],
        }
    })
}
