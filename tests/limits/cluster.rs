//! Live objects of many releases, or of many pods.

use std::time::Duration;

use milvus_uplift::judge::Current;
use milvus_uplift::options::Options;
use milvus_uplift::state::kubectl::Place;
use milvus_uplift::state::{self, view};
use milvus_uplift::verify::{Outcome, Request, verify};
use serde_json::{Value, json};

use crate::shapes::{FROM, TO, by_instance, many, object};
use crate::{cpu_time, grows};

/// What the API server, the controllers and the kubelets make of manifests: all rolled out, each workload with pods.
fn live(manifests: &str, pods: usize) -> Vec<Value> {
    let mut items = Vec::new();
    for text in manifests.split("---\n").filter(|text| !text.trim().is_empty()) {
        let mut object: Value = serde_yaml::from_str(text).expect("an object");
        let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
        object["metadata"]["uid"] = "u".into();
        let Some(template) = object["spec"].get("template").cloned() else {
            items.push(object);
            continue;
        };
        object["spec"]["replicas"] = pods.into();
        object["status"] =
            json!({"replicas": pods, "updatedReplicas": pods, "readyReplicas": pods, "availableReplicas": pods});
        let owner = |kind: &str, name: &str| json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "u", "controller": true}]);
        let made = |kind: &str, name: String, owners: Value| {
            let metadata =
                json!({"name": name, "uid": "u", "labels": template["metadata"]["labels"], "ownerReferences": owners});
            json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": template["spec"]})
        };
        let set = format!("{name}-1");
        let mut replicas = made("ReplicaSet", set.clone(), owner("Deployment", &name));
        replicas["spec"] = json!({"replicas": pods, "template": template});
        items.push(replicas);
        items.extend((0..pods).map(|i| made("Pod", format!("{set}-{i}"), owner("ReplicaSet", &set))));
        items.push(object);
    }
    items
}

fn list(items: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

fn verified(before: &str, live: &str) -> Outcome {
    verify(&Request {
        live: live.into(),
        from_file: true,
        current: Current::Manifests(before.into()),
        options: Options::default(),
        to: None,
        applied: None,
        place: Place {
            namespace: String::new(),
            context: None,
        },
        revisions: vec![],
    })
}

/// Measures `verify` of what was deployed and what is live, `n` times and four times as much.
fn verifying(name: &str, n: usize, shape: impl Fn(usize) -> (String, Vec<Value>), complete: bool) {
    let [small, large] = [n, 4 * n].map(|n| {
        let (before, live) = shape(n);
        format!("{before}\n=====\n{}", list(&live))
    });
    grows(name, [&small, &large], |both| {
        let (before, live) = both.split_once("\n=====\n").expect("both");
        cpu_time(|| {
            let outcome = verified(before, live);
            assert_eq!(outcome.complete(), complete, "{name}: {:?}", outcome.missing.first());
        })
    });
}

/// Releases that 2.6 runs: with a streaming node, and without an indexnode.
fn upgraded(before: &str) -> String {
    let streaming = before
        .replace("-indexnode", "-streamingnode")
        .replace("component: indexnode", "component: streamingnode");
    let streaming = streaming.replace("[milvus, run, indexnode]", "[milvus, run, streamingnode]");
    streaming.replace(FROM, TO)
}

fn etcd(number: usize) -> String {
    format!(
        "---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: r{number}-etcd\n  labels: {{app.kubernetes.io/instance: r{number}}}\nspec:\n  \
         template:\n    metadata:\n      labels: {{app.kubernetes.io/instance: r{number}, app: etcd}}\n    spec:\n      containers:\n      \
         - {{name: etcd, image: etcd}}\n"
    )
}

#[test]
fn verify_takes_time_linear_in_the_releases() {
    let before = |n: usize| many(n, |i| by_instance(i) + &etcd(i));
    verifying("complete", 10, |n| (before(n), live(&upgraded(&before(n)), 2)), true);
    let unready = |n: usize| {
        let mut live = live(&before(n), 1);
        for object in &mut live {
            object["status"] = json!({});
        }
        (before(n), live)
    };
    verifying("not complete", 10, unready, false);
    let others = |n: usize| {
        let renamed = upgraded(&before(n))
            .replace("name: r", "name: other")
            .replace("instance: r", "instance: other");
        (before(n), live(&renamed, 0))
    };
    verifying("releases of other names", 20, others, false);
}

#[test]
fn verify_takes_time_linear_in_the_pods() {
    let before = by_instance(0);
    let pods = |n: usize| (before.clone(), live(&upgraded(&before), n));
    verifying("pods", 60, pods, true);
    let sets = |n: usize| {
        let mut all = live(&upgraded(&before), 1);
        let old: Vec<Value> = all.iter().filter(|o| o["kind"] == "ReplicaSet").cloned().collect();
        for i in 0..n {
            let mut set = old[i % old.len()].clone();
            set["metadata"]["name"] = format!("old-{i}").into();
            set["spec"]["replicas"] = 0.into();
            all.insert(0, set);
        }
        (before.clone(), all)
    };
    verifying("ReplicaSets of before", 150, sets, true);
}

#[test]
fn what_is_beyond_that_is_refused() {
    let one = by_instance(0);
    let before = one.clone() + &many(1000, |i| one.replace("r0-milvus-", &format!("r0-milvus-{i}-")));
    let beside = many(25_000, |i| object("ConfigMap", i, ""));
    let outcome = verified(&before, &(upgraded(&before) + &beside));
    let [missing] = &outcome.missing[..] else {
        panic!("{} missing, first {:?}", outcome.missing.len(), outcome.missing.first());
    };
    assert_eq!((missing.reason, missing.code), ("unreadable", Some("MU001")));
    assert!(
        missing
            .message
            .contains("the workloads of one release would have to be weighed")
            && missing.message.contains("175225050 times"),
        "{missing:?}"
    );
    assert!(
        missing
            .help
            .contains("verify --current current.yaml --namespace NAMESPACE"),
        "{missing:?}"
    );
}

fn viewed(text: &str) -> Duration {
    cpu_time(|| {
        let source = state::read(&Current::Manifests(text.into()), None).expect("it is read");
        let source = source.expect("a source");
        let views = view::releases(&source, None);
        assert!(!views.is_empty());
        let written = state::file::write(&source, &views);
        assert!(written.is_object() && !view::text(&source, &views).is_empty());
    })
}

#[test]
fn so_does_what_inspect_shows() {
    let scaler = |i: usize| {
        format!(
            "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: s{i}}}\nspec:\n  scaleTargetRef: {{kind: Deployment, name: \
             r{i}-milvus-proxy}}\n  maxReplicas: 3\n"
        )
    };
    let [small, large] = [60, 240].map(|n| many(n, |i| by_instance(i) + &scaler(i)));
    grows("releases", [&small, &large], viewed);
    let one = by_instance(0);
    let again = |n: usize| {
        let each = |i: usize| one.replace("-querynode", &format!("-querynode-{i}"));
        many(n, each)
    };
    let [small, large] = [60, 240].map(again);
    grows("workloads of one release", [&small, &large], viewed);
}

#[test]
fn so_do_records_that_cannot_be_read() {
    let record = |i: usize| {
        json!({"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "metadata": {"name": format!("sh.helm.release.v1.r{i}.v1"),
            "labels": {"owner": "helm", "name": format!("r{i}"), "version": "1", "status": "deployed"}}, "data": {"release": "bm90aGluZw=="}})
    };
    let [small, large] = [40, 160].map(|n| list(&(0..n).map(record).collect::<Vec<_>>()));
    grows("records", [&small, &large], |text| {
        cpu_time(|| assert!(state::read(&Current::Manifests(text.into()), None).is_err()))
    });
}
