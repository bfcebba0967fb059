//! Every folder under `testdata/verify` with a `verify.yaml` is a test of `verify`.
//!
//! A case takes one of the scenes (`before.yaml`, `target.yaml`), applies it up to a stage through the program itself,
//! and has everything rolled out as the API server, the controllers and the kubelets would show it. Its edits then make
//! the cluster what the case is about.

use std::path::{Path, PathBuf};
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
    let args = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/verify");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(&root)
        .expect("testdata/verify")
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.join("verify.yaml").exists())
        .collect();
    folders.sort();
    assert!(!folders.is_empty(), "no case under {}", root.display());
    let trials = folders.into_iter().map(|folder| {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Trial::test(name, move || run(&folder).map_err(Failed::from))
    });
    libtest_mimic::run(&args, trials.collect()).exit();
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
    check(&case, &people, &data)
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
        let mut live = object.value.clone();
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
