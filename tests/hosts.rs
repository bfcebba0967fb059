//! The program as a KRM function and behind Argo CD, on the bundled example.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use milvus_uplift::value::{Value, json};
use milvus_uplift::yaml::{self, Op, PatchOp};

const PATH: &str = "internal.config.kubernetes.io/path";
const INDEX: &str = "internal.config.kubernetes.io/index";
const ID: &str = "config.k8s.io/id";

fn example(name: &str) -> String {
    std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("testdata/example")
            .join(name),
    )
    .unwrap()
}

/// What came out on stdout and stderr, and the status.
fn run(args: &[&str], stdin: &str) -> (String, String, i32) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milvus-uplift"));
    for (key, _) in std::env::vars().filter(|(k, _)| k.starts_with("MILVUS_UPLIFT_") || k.starts_with("HELM_")) {
        command.env_remove(key);
    }
    let mut child = command
        .args(args)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/example"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut pipe, text) = (child.stdin.take().unwrap(), stdin.to_owned());
    let writer = std::thread::spawn(move || pipe.write_all(text.as_bytes()));
    let out = child.wait_with_output().unwrap();
    let _ = writer.join();
    let utf8 = |b: Vec<u8>| String::from_utf8(b).unwrap();
    (utf8(out.stdout), utf8(out.stderr), out.status.code().unwrap())
}

/// The documents of the example's stream, each with an orchestrator's notes.
fn items() -> Vec<String> {
    let text = example("target.yaml");
    let bodies = yaml::split(&text).unwrap().into_iter().map(|d| text[d.body].to_owned());
    let filled = bodies.filter(|b| yaml::read(b).unwrap().is_some());
    let noted = filled.enumerate().map(|(i, body)| {
        let notes = json!({PATH: "base/all.yaml", INDEX: i.to_string(), ID: format!("id-{i}")});
        let value = yaml::read(&body).unwrap().unwrap();
        let there = value.pointer("/metadata/annotations").is_some_and(Value::is_object);
        let ops: Vec<PatchOp> = match there {
            true => notes
                .as_object()
                .unwrap()
                .iter()
                .map(|(key, v)| (format!("/metadata/annotations/{}", key.replace('/', "~1")), v.clone()))
                .map(|(path, v)| PatchOp {
                    op: Op::Add,
                    path,
                    value: Some(v),
                })
                .collect(),
            false => vec![PatchOp {
                op: Op::Add,
                path: "/metadata/annotations".into(),
                value: Some(notes),
            }],
        };
        yaml::patch(&body, &ops).unwrap()
    });
    noted.collect()
}

fn list_of(items: &[String], rest: &str) -> String {
    let mut out = String::from("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n");
    for item in items {
        for (i, line) in item.lines().enumerate() {
            match (i, line) {
                (0, line) => out.push_str(&format!("- {line}\n")),
                (_, "") => out.push('\n'),
                (_, line) => out.push_str(&format!("  {line}\n")),
            }
        }
    }
    out + rest
}

/// As an item's first line may be a comment, which would stand behind the dash.
fn plain_items() -> Vec<String> {
    let lines = |item: &String| {
        item.lines()
            .skip_while(|l| l.starts_with('#'))
            .map(|l| format!("{l}\n"))
            .collect()
    };
    items().iter().map(lines).collect()
}

fn list(rest: &str) -> String {
    list_of(&plain_items(), rest)
}

fn read(text: &str) -> Value {
    let documents = yaml::split(text).unwrap();
    let mut values = documents.into_iter().filter_map(|d| yaml::read(&text[d.body]).unwrap());
    let value = values.next().expect("a document");
    assert!(values.next().is_none(), "one document");
    value
}

fn config(current: &str) -> String {
    format!(
        "functionConfig:\n  apiVersion: milvus-uplift.io/v1alpha1\n  kind: MilvusUplift\n  metadata: {{name: x}}\n  spec:\n    current: {current}\n    values: values.yaml\n"
    )
}

fn name(object: &Value) -> String {
    format!(
        "{}/{}",
        object["kind"].as_str().unwrap(),
        object["metadata"]["name"].as_str().unwrap()
    )
}

fn note<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object["metadata"]["annotations"][key].as_str()
}

/// An object without an orchestrator's notes and without annotations that are empty.
fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    let metadata = object["metadata"].as_object_mut().unwrap();
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|k, _| ![PATH, INDEX, ID].contains(&k.as_str()));
    }
    metadata.retain(|k, v| k != "annotations" || v.as_object().is_some_and(|m| !m.is_empty()));
    object
}

#[test]
fn a_resource_list_is_lifted_as_the_stream_is() {
    let input = list(&config("current.yaml"));
    let (out, err, status) = run(&["render"], &input);
    assert_eq!(status, 0, "{err}");
    let (before, after) = (read(&input), read(&out));
    assert_eq!(after["functionConfig"], before["functionConfig"]);
    let stream = example("stdout.yaml");
    let wanted: BTreeMap<String, Value> = yaml::split(&stream)
        .unwrap()
        .into_iter()
        .filter_map(|d| yaml::read(&stream[d.body]).unwrap())
        .map(|v| (name(&v), bare(&v)))
        .collect();
    let items = after["items"].as_array().unwrap();
    let got: BTreeMap<String, Value> = items.iter().map(|v| (name(v), bare(v))).collect();
    assert_eq!(got.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
    assert_eq!(got, wanted);

    // What stays keeps its order and all notes; what comes has a place of its own and nobody's identity.
    let came = before["items"].as_array().unwrap();
    let ids = |list: &[Value]| {
        list.iter()
            .filter_map(|v| note(v, ID).map(str::to_owned))
            .collect::<Vec<_>>()
    };
    let kept: Vec<String> = ids(came).into_iter().filter(|id| ids(items).contains(id)).collect();
    assert_eq!(ids(items), kept);
    let places: BTreeSet<_> = items.iter().map(|v| (note(v, PATH), note(v, INDEX))).collect();
    assert_eq!(places.len(), items.len(), "a place is taken twice");
    assert!(places.iter().all(|(path, index)| path.is_some() && index.is_some()));
    let arrived: Vec<String> = items.iter().filter(|v| note(v, ID).is_none()).map(name).collect();
    assert!(
        arrived.contains(&"Deployment/my-release-milvus-mixcoord".to_owned()),
        "{arrived:?}"
    );
    for item in items {
        if let Some(old) = came
            .iter()
            .find(|v| note(v, ID) == note(item, ID) && note(v, ID).is_some())
        {
            assert_eq!(
                (note(old, PATH), note(old, INDEX)),
                (note(item, PATH), note(item, INDEX))
            );
        }
    }

    // An item that does not change is there byte for byte.
    let untouched = input
        .split("\n- ")
        .filter(|t| t.contains("kind: Secret"))
        .collect::<Vec<_>>();
    assert!(!untouched.is_empty() && untouched.iter().all(|t| out.contains(t)));
    let results = after["results"].as_array().unwrap();
    assert!(
        results
            .iter()
            .all(|r| matches!(r["severity"].as_str(), Some("warning" | "info")) && r["message"].is_string())
    );
    assert!(results.iter().any(|r| r["tags"]["code"] == "MU605"));
    let (again, _, status) = run(&["render"], &out);
    let items = |text: &str| text.split("\nresults:\n").next().unwrap_or_default().to_owned();
    assert_eq!(
        (status, items(&again)),
        (0, items(&out)),
        "rendering the output again changes it"
    );
}

#[test]
fn a_refused_list_comes_back_with_the_reasons() {
    let input = list(&config("before.yaml"));
    let (out, err, status) = run(&[], &input);
    assert_eq!(status, 1);
    assert!(err.contains("REFUSE MU105"));
    assert!(out.starts_with(&input), "the list is not what came in");
    let after = read(&out);
    let error = after["results"]
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["severity"] == "error")
        .unwrap();
    assert_eq!(error["tags"]["code"], "MU105");
    assert!(error["message"].as_str().unwrap().contains("help: "));
    assert!(
        error["resourceRef"]["name"]
            .as_str()
            .unwrap()
            .starts_with("my-release-milvus-")
    );
    assert_eq!(error["field"]["path"], "spec.replicas");
}

#[test]
fn a_finding_about_an_item_names_its_file() {
    let (out, _, _) = run(&[], &list(&config("current.yaml")));
    let results = read(&out)["results"].clone();
    assert!(
        results
            .as_array()
            .unwrap()
            .iter()
            .any(|r| r["file"]["path"] == "base/all.yaml"),
        "{results}"
    );
}

#[test]
fn what_is_held_back_keeps_its_notes() {
    let input = list(&config("current.yaml"));
    let (out, err, status) = run(&["--stage", "1"], &input);
    assert_eq!(status, 0, "{err}");
    let (before, after) = (read(&input), read(&out));
    let images = |id: &str, list: &Value| {
        let item = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|v| name(v) == id)
            .unwrap()
            .clone();
        (
            note(&item, ID).map(str::to_owned),
            item["spec"]["template"]["spec"]["containers"][0]["image"].clone(),
        )
    };
    let proxy = "Deployment/my-release-milvus-proxy";
    let ((id, target), (same, held)) = (images(proxy, &before), images(proxy, &after));
    assert!(id.is_some() && id == same);
    assert_ne!(target, held, "the proxy is not held back");
    let places: Vec<_> = after["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| (note(v, PATH), note(v, INDEX)))
        .collect();
    assert_eq!(places.iter().collect::<BTreeSet<_>>().len(), places.len());
}

#[test]
fn options_stand_in_either_kind_and_the_command_line_wins() {
    let map = "functionConfig:\n  apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: x}\n  data:\n    current: before.yaml\n    values: values.yaml\n";
    assert_eq!(run(&[], &list(map)).2, 1);
    assert_eq!(run(&["--current", "current.yaml"], &list(map)).2, 0);
    let state = run(&["inspect", "current.yaml", "--format", "yaml"], "").0;
    let inline: String = state.lines().map(|l| format!("      {l}\n")).collect();
    for head in ["current: |\n", "current:\n"] {
        let (out, err, status) = run(
            &[],
            &list(&config("x").replace("current: x\n", &format!("{head}{inline}"))),
        );
        assert_eq!(status, 0, "{err}");
        assert!(out.contains("my-release-milvus-streamingnode"));
    }
    for (wrong, words, exit) in [
        ("curent: x", "unknown option `spec.curent`", 2),
        ("stage: 9", "a stage is all, next or 0 to 5", 2),
        ("allow: MU105", "MU105@2.6.16", 2),
        ("report: /nowhere/report.json", "--report /nowhere/report.json", 3),
    ] {
        let input = list(&format!("{}    {wrong}\n", config("current.yaml")));
        let (out, err, status) = run(&[], &input);
        assert_eq!(status, exit, "{wrong}: {err}");
        assert!(err.contains(words), "{err}");
        assert!(out.starts_with(&input));
        assert!(read(&out)["results"][0]["message"].as_str().unwrap().contains(words));
    }
}

#[test]
fn lists_of_nothing_and_no_lists() {
    for input in [
        "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems: []\n",
        "apiVersion: config.kubernetes.io/v1beta1\nkind: ResourceList\n",
    ] {
        let (out, _, status) = run(&[], input);
        assert_eq!(status, 0);
        assert_eq!(out, input);
    }
    let input = list("");
    let beside = format!("{input}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\n");
    let (out, err, status) = run(&["--current", "none"], &beside);
    assert_eq!((out.as_str(), status), ("", 1));
    assert!(err.contains("MU001") && err.contains("stands alone"), "{err}");
    let nested = list_of(&[input], "");
    let (out, err, status) = run(&["--current", "none"], &nested);
    assert_eq!(status, 1);
    assert!(err.contains("MU001") && err.contains("inside a ResourceList"), "{err}");
    assert!(out.starts_with(&nested) && read(&out)["results"][0]["severity"] == "error");
}

#[test]
fn json_stays_json() {
    let input = serde_json::to_string(&read(&list(&config("current.yaml")))).unwrap();
    let (out, err, status) = run(&[], &input);
    assert_eq!(status, 0, "{err}");
    let after: Value = serde_json::from_str(&out).expect("JSON");
    let names: Vec<String> = after["items"].as_array().unwrap().iter().map(name).collect();
    assert!(names.contains(&"Deployment/my-release-milvus-streamingnode".to_owned()));
}

/// JSON with the escapes that go-yaml does not read: as PHP writes a slash and Python a character beyond 16 bits.
fn escaped(json: &str) -> String {
    json.replace('/', "\\/").replace('😀', "\\ud83d\\ude00")
}

#[test]
fn json_may_escape_as_json_does() {
    let mut item = read(&plain_items()[0]);
    item["metadata"]["annotations"]["owner"] = json!("team 😀");
    let mut input = read(&list(&config("current.yaml")));
    input["items"][0] = item;
    let input = serde_json::to_string(&input).unwrap();
    let (want, _, _) = run(&[], &input);
    let (out, err, status) = run(&[], &escaped(&input));
    assert_eq!(status, 0, "{err}");
    let after = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    assert_eq!(after(&out), after(&want));
    assert_eq!(after(&out)["items"][0]["metadata"]["annotations"]["owner"], "team 😀");
    // Without a Milvus in it there is nothing to say, and it goes back as it came.
    let other = escaped(r#"{"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": []}"#);
    assert_eq!(run(&["--current", "none"], &other).0, other);
    let half = input.replace("team 😀", "team \\ud83d");
    let (_, err, status) = run(&[], &half);
    assert!(status == 1 && err.contains("MU001"), "{err}");
}

#[test]
fn what_is_deployed_may_be_json_with_escapes_what_helm_reads_may_not() {
    let text = example("current.yaml");
    let bodies = yaml::split(&text).unwrap().into_iter().map(|d| text[d.body].to_owned());
    let objects: Vec<Value> = bodies.filter_map(|body| yaml::read(&body).unwrap()).collect();
    let mut all = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    all["items"][0]["metadata"]["annotations"] = json!({"owner": "team 😀"});
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let current = at("current.json", &escaped(&serde_json::to_string(&all).unwrap()));
    let target = example("target.yaml");
    let (out, err, status) = run(&["--current", &current], &target);
    assert_eq!(
        (out, status),
        (run(&["--current", "current.yaml"], &target).0, 0),
        "{err}"
    );
    for command in [&["inspect", &current][..], &["diff", &current, &current]] {
        let (_, err, status) = run(command, "");
        assert_eq!(status, 0, "{command:?}: {err}");
    }
    let values = at("values.json", &escaped(r#"{"annotations": {"owner": "😀"}}"#));
    let (_, err, status) = run(&["--current", "current.yaml", "--values", &values], &target);
    assert!(
        status == 1 && err.contains("MU001") && err.contains("values.json"),
        "{err}"
    );
}

const WAVE: &str = "argocd.argoproj.io/sync-wave";

fn waves(text: &str) -> BTreeMap<String, String> {
    let documents = yaml::split(text).unwrap();
    let values = documents.into_iter().filter_map(|d| yaml::read(&text[d.body]).unwrap());
    values
        .filter_map(|v| Some((name(&v), note(&v, WAVE)?.to_owned())))
        .collect()
}

#[test]
fn one_sync_keeps_the_order_of_the_stages() {
    let args = [
        "--current",
        "current.yaml",
        "--values",
        "values.yaml",
        "--order",
        "argocd",
    ];
    let (out, err, status) = run(&args, &example("target.yaml"));
    assert_eq!(status, 0, "{err}");
    assert!(!err.contains("MU605"), "the waves are the order: {err}");
    let waves = waves(&out);
    for (role, wave) in [
        ("mixcoord", "1"),
        ("streamingnode", "1"),
        ("querynode", "2"),
        ("datanode", "3"),
        ("proxy", "4"),
    ] {
        assert_eq!(
            waves[&format!("Deployment/my-release-milvus-{role}")],
            wave,
            "{waves:?}"
        );
    }
    assert_eq!(waves["ConfigMap/my-release-milvus"], "1");
    assert!(
        waves
            .keys()
            .all(|k| !k.contains("minio") && !k.contains("pulsar") && !k.contains("etcd")),
        "{waves:?}"
    );
    let (again, _, _) = run(&args, &out);
    assert_eq!(again, out, "rendering the output again changes it");
    // Without the notes it is what comes out without the option.
    let plain: String = out
        .lines()
        .filter(|l| !l.contains(WAVE))
        .map(|l| format!("{l}\n"))
        .collect::<String>();
    let (other, _, _) = run(&args[..4], &example("target.yaml"));
    let values = |text: &str| -> Vec<Value> {
        let all = yaml::split(text)
            .unwrap()
            .into_iter()
            .filter_map(|d| yaml::read(&text[d.body]).unwrap());
        all.map(|mut v| {
            let metadata = v["metadata"].as_object_mut().unwrap();
            metadata.retain(|k, v| k != "annotations" || v.as_object().is_some_and(|m| !m.is_empty()));
            v
        })
        .collect()
    };
    assert_eq!(values(&plain), values(&other));
}

#[test]
fn what_leaves_last_is_pruned_last() {
    let args = ["--current", "before.yaml", "--order", "argocd"];
    let stream = example("before.yaml");
    let (out, err, status) = run(&args, &stream.replace("v2.6.16", "v2.5.22"));
    assert_eq!(status, 0, "{err}");
    let documents = yaml::split(&out).unwrap();
    let values: Vec<Value> = documents
        .into_iter()
        .filter_map(|d| yaml::read(&out[d.body]).unwrap())
        .collect();
    let options = |role: &str| {
        let of = values
            .iter()
            .find(|v| name(v) == format!("Deployment/my-release-milvus-{role}"))
            .unwrap();
        note(of, "argocd.argoproj.io/sync-options").map(str::to_owned)
    };
    assert_eq!(options("indexnode").as_deref(), Some("PruneLast=true"));
    assert_eq!(options("datanode"), None);
}

#[test]
fn argo_cd_is_never_answered_with_nothing() {
    for input in ["", "# nothing\n", "---\n---\n"] {
        let (out, err, status) = run(&["--order", "argocd", "--current", "none"], input);
        assert_eq!((out.as_str(), status), ("", 1), "{input:?}");
        assert!(err.contains("MU001") && err.contains("no object came in"), "{err}");
        assert_eq!(run(&["--current", "none"], input).2, 0, "{input:?}");
    }
}
