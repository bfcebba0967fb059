//! What tells the state of many releases, and what is planned from it.

use std::process::Command;
use std::time::{Duration, Instant};

use milvus_uplift::judge::{Current, Request, judge};
use milvus_uplift::milvus::version::Version;
use milvus_uplift::state::{self, Source, file, view};
use milvus_uplift::stream::Bytes;
use serde_json::{Value, json};

use crate::shapes::{FROM, TO, many, object};
use crate::{cpu_time, grows, gzip, planned};

/// A standalone of its own.
fn standalone(name: &str, namespace: &str, image: &str) -> Value {
    let labels = json!({"app.kubernetes.io/instance": name, "app.kubernetes.io/name": "milvus"});
    let container =
        json!({"name": "m", "image": format!("milvusdb/milvus:{image}"), "args": ["milvus", "run", "standalone"]});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": format!("{name}-milvus-standalone"), "namespace": namespace},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}}})
}

fn stream(objects: impl IntoIterator<Item = Value>) -> String {
    objects.into_iter().map(|object| format!("---\n{object}\n")).collect()
}

fn record(name: &str, namespace: &str, revision: usize, status: &str, manifest: &str) -> Value {
    json!({"name": name, "namespace": namespace, "version": revision, "info": {"status": status}, "manifest": manifest})
}

fn list(of: impl IntoIterator<Item = Value>) -> String {
    Value::Array(of.into_iter().collect()).to_string()
}

fn read(current: impl Into<Bytes>) -> Source {
    state::read(&Current::Manifests(current.into()), None)
        .expect("readable")
        .expect("a source")
}

/// What `inspect` prints.
fn shown(current: &str) -> String {
    let source = read(current);
    view::text(&source, &view::releases(&source, None))
}

/// Measures something with what `of` makes of so many and of four times as many.
fn so_is(name: &str, few: usize, of: impl Fn(usize) -> String, run: impl Fn(&str)) {
    let [small, large] = [few, 4 * few].map(of);
    grows(name, [&small, &large], |text| cpu_time(|| run(text)));
}

#[test]
fn records_of_many_releases_are_grouped() {
    let of = |n| list((0..n).map(|i| record(&format!("r{i}"), "n", 1, "deployed", "")));
    so_is("records of many releases", 3000, of, |text| drop(read(text)));
}

#[test]
fn records_are_found_by_the_releases_that_are_wanted() {
    for name in ["many names", "many namespaces"] {
        let of = |i: usize| match name {
            "many names" => [format!("r{i}"), "n".to_owned()],
            _ => ["r".to_owned(), format!("n{i}")],
        };
        let judged = |n: &str| {
            let n: usize = n.parse().expect("a number");
            let releases: Vec<_> = (0..n).map(of).collect();
            let target = stream(
                releases[..1]
                    .iter()
                    .map(|[name, namespace]| standalone(name, namespace, TO)),
            );
            let each = releases.iter().rev();
            let current = list(each.map(|[name, namespace]| record(name, namespace, 1, "deployed", "")));
            let stream =
                milvus_uplift::stream::Stream::read(target, milvus_uplift::finding::Input::Target).expect("a stream");
            let one = milvus_uplift::milvus::release::inventory(&stream.objects)
                .releases
                .remove(0);
            // As many are wanted, and the record that is meant comes last.
            let mut wanted = milvus_uplift::milvus::release::Inventory::default();
            for [name, namespace] in releases {
                wanted.releases.push(milvus_uplift::milvus::release::Release {
                    name,
                    namespace,
                    ..one.clone()
                });
            }
            cpu_time(|| {
                let _ = state::read(&Current::Manifests(current.into()), Some((&stream, &wanted)));
            })
        };
        grows(name, ["1500", "6000"], judged);
    }
}

#[test]
fn a_manifest_that_cannot_be_read_is_named_by_its_own_release() {
    let of = |n| list((0..n).map(|i| record(&format!("r{i}"), "n", 1, "deployed", "a: [\n")));
    let refused = |text: &str| {
        let found = state::read(&Current::Manifests(text.into()), None).expect_err("unreadable");
        let said: usize = found.iter().map(|finding| finding.message.len()).sum();
        assert!(said < 200 * found.len(), "{said} bytes for {}", found.len());
    };
    so_is("manifests that cannot be read", 300, of, refused);
}

#[test]
fn revisions_are_read_beside_a_large_structure() {
    let records = |n: usize| {
        let structure = stream([standalone("r", "", FROM)]) + &many(n, |i| object("ConfigMap", i, "data:\n  a: b\n"));
        let old = stream([standalone("r", "", "v2.5.16")]);
        let before = (0..n).map(|i| record("r", "n", i + 1, "superseded", &old));
        list(std::iter::once(record("r", "n", n + 1, "deployed", &structure)).chain(before))
    };
    so_is("revisions", 300, records, |text| drop(read(text)));
}

fn state_file(seen: Vec<Value>, releases: Vec<Value>, objects: Vec<Value>) -> String {
    json!({"schema": file::SCHEMA, "origin": "manifest", "takenFrom": "x", "release": "", "namespace": "", "seen": seen,
        "releases": releases, "objects": objects})
    .to_string()
}

#[test]
fn what_a_state_file_tells_is_found_by_the_release() {
    let objects = |n| (0..n).map(|i| standalone(&format!("r{i}"), "", FROM)).collect();
    let images = |n: usize| {
        let images: Vec<_> = (0..n).map(|i| format!("milvusdb/milvus:corp{i}")).collect();
        let seen =
            json!({"place": "p", "name": "r0", "namespace": "", "app": "milvus", "images": images, "running": true});
        state_file(vec![seen], vec![], objects(1))
    };
    let versions = |text: &str| {
        let source = read(text);
        let each = source.inventory().releases;
        assert!(
            each.iter()
                .all(|release| source.versions(release, None).highest.is_some())
        );
    };
    so_is("images without a version", 2500, images, versions);
    let told = |n: usize| -> Vec<Value> {
        let each = (0..n).map(|i| json!({"name": format!("r{i}"), "app": "milvus", "highest": "2.5.22", "images": []}));
        each.collect()
    };
    so_is(
        "what was seen of many",
        600,
        |n| state_file(told(n), vec![], objects(n)),
        versions,
    );
    so_is(
        "what is remembered of many",
        600,
        |n| state_file(vec![], told(n), objects(n)),
        versions,
    );
}

#[test]
fn a_release_is_shown_what_was_seen_in_its_namespace() {
    let of = |n: usize| {
        let space = |i: usize| format!("n{i}");
        let objects = (0..n).map(|i| standalone("r", &space(i), FROM)).collect();
        let seen = (0..n).map(|i| {
            json!({"place": format!("Pod p{i}"), "name": "r", "namespace": space(i), "app": "milvus", "images": ["milvusdb/milvus:v2.5.16"], "running": false})
        });
        state_file(seen.collect(), vec![], objects)
    };
    let said = shown(&of(3));
    assert_eq!(said.matches("Pod p1: milvusdb/milvus:v2.5.16\n").count(), 1, "{said}");
    so_is("namesakes", 300, of, |text| drop(shown(text)));
}

#[test]
fn a_state_file_is_remembered_by_its_releases() {
    let of = |prefix: &str, n: usize| {
        let objects = (0..n).map(|i| standalone(&format!("{prefix}{i}"), "", FROM));
        state_file(vec![], vec![], objects.collect())
    };
    let told = |prefix: &'static str, expected: bool| {
        let time = move |n: &str| {
            let n = n.parse().expect("a number");
            let (mut source, old) = (read(of("r", n)), of(prefix, n));
            cpu_time(|| {
                let remembered = file::remember(&mut source, &old);
                assert_eq!(remembered.is_ok(), expected, "{remembered:?}");
                let each = source.inventory().releases;
                let known = Some(Version::parse("2.5.22").expect("a version"));
                assert!(
                    each.iter()
                        .all(|release| source.versions(release, None).highest == known)
                );
            })
        };
        grows(&format!("remembered of {prefix}"), ["500", "2000"], time);
    };
    told("other", false);
    told("r", true);
}

/// The program asks for one of many contexts, and names a few.
#[test]
fn contexts_of_a_kubeconfig_are_each_known_once() {
    let folder = tempfile::tempdir().expect("a directory");
    let config = folder.path().join("config");
    let time = |n: &str| {
        let n: usize = n.parse().expect("a number");
        let contexts: Vec<_> = (0..2 * n)
            .map(|i| json!({"name": format!("context{}", i % n)}))
            .collect();
        std::fs::write(&config, json!({"contexts": contexts}).to_string()).expect("a file");
        let start = Instant::now();
        let output = Command::new(env!("CARGO_BIN_EXE_milvus-uplift"))
            .args(["inspect", "--current", "release:r", "--namespace", "n"])
            .env("KUBECONFIG", &config)
            .output()
            .expect("an end");
        let said = String::from_utf8_lossy(&output.stderr);
        let words = format!("knows {n} contexts (context0, context1, ");
        assert!(said.contains(&words), "{said}");
        assert!(
            said.contains(&format!("context9 and {} more)", n - 10)) && said.len() < 2000,
            "{said}"
        );
        start.elapsed()
    };
    grows("contexts", ["5000", "20000"], time);
}

/// A Secret that holds a record as Helm keeps it.
fn secret(record: &Value) -> Value {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let payload = STANDARD.encode(STANDARD.encode(gzip(std::iter::once(record.to_string().into_bytes()))));
    let name = format!("sh.helm.release.v1.{}.v{}", record["name"], record["version"]).replace('"', "");
    json!({"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "metadata": {"name": name, "namespace": "n",
        "labels": {"owner": "helm"}}, "data": {"release": payload}})
}

fn items(of: impl IntoIterator<Item = Value>) -> String {
    let items: Vec<Value> = of.into_iter().collect();
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

/// A history of which each plan would have to read all again.
fn history(revisions: usize) -> Vec<Value> {
    let old = stream((0..40).map(|i| standalone(&format!("r{i}"), "", "v2.5.16")));
    let each = (0..revisions).map(|i| secret(&record("r0", "n", i + 1, "superseded", &old)));
    each.collect()
}

#[test]
fn plans_read_a_history_once() {
    let deployed = |i: usize| standalone(&format!("r{i}"), "n", FROM);
    let of_records = |revisions: usize| {
        let each = (0..8).map(|i| secret(&record(&format!("r{i}"), "n", 999, "deployed", &stream([deployed(i)]))));
        items(each.chain(history(revisions)))
    };
    let beside_objects = |revisions: usize| items((0..8).map(deployed).chain(history(revisions)));
    for (name, of) in [
        ("records alone", &of_records as &dyn Fn(usize) -> String),
        ("records beside objects", &beside_objects),
    ] {
        let (without, with) = (of(0), of(30));
        let plan = |text: &str| cpu_time(|| drop(planned(text).expect("plans")));
        let measured = || [plan(&without), plan(&with), cpu_time(|| drop(read(&with[..])))];
        let fits = |[without, with, read]: [Duration; 3]| with < without + 4 * read;
        let mut last = measured();
        for _ in 0..5 {
            if fits(last) {
                break;
            }
            last = measured();
        }
        assert!(fits(last), "{name}: {last:?}");
    }
}

#[test]
fn plans_of_what_unpacks_to_much_are_refused() {
    let config =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "x".repeat(8 << 20)}});
    let deployed = |n: usize| {
        let all = (0..n).map(|i| standalone(&format!("r{i}"), "n", FROM));
        items([secret(&record(
            "r",
            "n",
            1,
            "deployed",
            &stream(all.chain([config.clone()])),
        ))])
    };
    let current = deployed(9);
    assert!(current.len() < 1 << 20);
    let refused = planned(current).expect_err("too much");
    let [finding] = &refused[..] else { panic!("{refused:?}") };
    let words = "9 releases would each have to be planned beside all of the 83";
    assert!(
        finding.code == "MU001" && finding.message.starts_with(words),
        "{finding:?}"
    );
    assert_eq!(planned(deployed(2)).expect("plans").plans.len(), 2);
}

#[test]
fn pods_are_given_to_their_releases_by_name() {
    let live = |n: usize| {
        let each = (0..n).flat_map(|i| {
            let mut deployment = standalone(&format!("r{i}"), "n", FROM);
            deployment["metadata"]["uid"] = "u".into();
            let template = &deployment["spec"]["template"];
            let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("p{i}"), "namespace": "n", "uid": "u",
                "labels": template["metadata"]["labels"], "ownerReferences": [{"kind": "ReplicaSet", "name": "s", "uid": "u", "controller": true}]},
                "spec": template["spec"]});
            [deployment, pod]
        });
        items(each)
    };
    so_is("pods", 10, live, |text| {
        planned(text).expect("plans");
    });
}

#[test]
fn judgements_of_records_say_what_they_said() {
    let current = list([record("r", "n", 1, "deployed", &stream([standalone("r", "n", FROM)]))]);
    let judged = |current: Current| {
        let judgement = judge(&Request {
            target: stream([standalone("r", "n", TO)]).into(),
            current,
            ..Request::default()
        });
        format!("{:?} {:?}", judgement.findings, judgement.releases)
    };
    let kept = state::read_to_keep(&Current::Manifests((&current[..]).into())).expect("readable");
    let kept = kept.and_then(|(_, kept)| kept).expect("records");
    assert!(matches!(kept, Current::Records(_)));
    assert_eq!(judged(kept), judged(Current::Manifests(current.into())));
}

/// A state file beside manifests, with a variable that was masked among many.
#[test]
fn masked_entries_are_found_by_their_names() {
    let of = |n: usize, tag: &str| {
        let env: Vec<_> = (0..n)
            .map(|i| json!({"name": format!("E{i}_PASSWORD"), "value": "v"}))
            .collect();
        let mut object = standalone("r", "n", tag);
        object["spec"]["template"]["spec"]["containers"][0]["env"] = env.into();
        object
    };
    let fill = |n: &str| {
        let n = n.parse().expect("a number");
        let target = milvus_uplift::stream::Stream::read(stream([of(n, TO)]), milvus_uplift::finding::Input::Target);
        let target = target.expect("a stream").objects;
        let source = read(stream([of(n, FROM)]));
        let kept = milvus_uplift::state::reduce::reduce(&source.stream.objects);
        let mut kept = read(state_file(
            vec![],
            vec![],
            serde_json::from_str(&list_of(&kept)).expect("values"),
        ))
        .stream
        .objects;
        cpu_time(|| milvus_uplift::state::reduce::fill(&mut kept, &target))
    };
    grows("masked entries", ["1500", "6000"], fill);
}

fn list_of(values: &[milvus_uplift::value::Value]) -> String {
    let each: Vec<String> = values.iter().map(ToString::to_string).collect();
    format!("[{}]", each.join(","))
}
