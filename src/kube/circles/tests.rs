//! Who has to do with whom.

use super::*;
use crate::value::json;

fn objects(values: Vec<Value>) -> Vec<Object> {
    let all = values.into_iter().enumerate();
    all.flat_map(|(i, v)| Object::all_in(i, v).unwrap()).collect()
}

fn workload(name: &str, labels: Value, mounts: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": labels},
        "spec": {"template": {"metadata": {"labels": labels}, "spec": {"volumes": [{"configMap": {"name": mounts}}]}}}})
}

fn map(name: &str, text: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"user.yaml": text}})
}

fn service(name: &str, selector: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"selector": selector}})
}

fn together(all: &[Object], a: &str, b: &str) -> bool {
    let circles = Circles::of(&[all], &["mixcoord"]);
    let around = |name: &str| circles.around(all.iter().find(|o| o.reference.name == name).unwrap());
    around(a).unwrap() == around(b).unwrap()
}

#[test]
fn releases_that_share_nothing_stay_apart() {
    let all = objects(vec![
        workload("a-proxy", json!({"release": "a", "component": "proxy"}), "a-config"),
        map("a-config", "etcd: {endpoints: [a-etcd:2379]}"),
        workload("b-proxy", json!({"release": "b", "component": "proxy"}), "b-config"),
        map("b-config", ""),
        service("a-etcd", json!({"release": "a", "app": "etcd"})),
    ]);
    assert!(together(&all, "a-proxy", "a-config"));
    assert!(together(&all, "a-config", "a-etcd"));
    assert!(!together(&all, "a-proxy", "b-proxy"));
    assert!(!together(&all, "a-config", "b-config"));
}

#[test]
fn what_names_or_selects_both_joins_them() {
    let two = || {
        vec![
            workload("a-proxy", json!({"release": "a", "component": "proxy"}), "x"),
            workload("b-proxy", json!({"release": "b", "component": "proxy"}), "y"),
        ]
    };
    let scale = |target: &str| {
        json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "s", "labels": {"release": "b"}},
            "spec": {"scaleTargetRef": {"kind": "Deployment", "name": target}}})
    };
    let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "n"},
        "spec": {"podSelector": {}}});
    let chosen_by = |expressions: Value| {
        json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "p"},
            "spec": {"selector": {"matchExpressions": expressions}}})
    };
    for (joins, other) in [
        (true, service("s", json!({"component": "proxy"}))),
        (false, service("s", json!({"component": "proxy", "release": "b"}))),
        (false, service("s", json!({"component": "querynode"}))),
        (true, scale("a-proxy")),
        (true, scale("a-mixcoord")),
        (false, scale("b-proxy")),
        (false, scale("b-mixcoord-rg1")),
        (false, scale("c-mixcoord")),
        (true, policy),
        (true, service("s", json!({"component": "mixcoord"}))),
        (false, service("s", json!({"component": "mixcoord", "release": "b"}))),
        (false, service("s", json!({"component": "mixcoord", "app": "other"}))),
        (
            true,
            chosen_by(json!([{"key": "component", "operator": "In", "values": ["mixcoord"]}])),
        ),
        (true, map("m", "http://a-proxy.ns.svc:1/ and tcp://b-proxy:2")),
        (false, map("m", "a-proxyb b-proxy")),
    ] {
        let mut values = two();
        values.push(other.clone());
        assert_eq!(together(&objects(values), "a-proxy", "b-proxy"), joins, "{other}");
    }
}

#[test]
fn dashes_name_nothing_that_has_no_name_yet() {
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "j-"},
        "spec": {"template": {"spec": {"volumes": [{"configMap": {"name": "a"}}]}}}});
    let all = objects(vec![map("a", ""), map("b", "- -- ---\n\n"), job]);
    assert!(together(&all, "a", ""));
    assert!(!together(&all, "b", ""));
}

#[test]
fn what_was_not_there_is_found_by_its_instance() {
    let all = objects(vec![workload("a-proxy", json!({"release": "a"}), "x")]);
    let circles = Circles::of(&[&all], &[]);
    let new = objects(vec![
        workload("a-mixcoord", json!({"release": "a"}), "x"),
        workload("c-mixcoord", json!({"release": "c"}), "x"),
    ]);
    assert_eq!(circles.around(&new[0]), circles.around(&all[0]));
    assert_eq!(circles.around(&new[1]), None);
}
