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

/// The circles around workloads that say their instance.
fn drawn(all: &[Object]) -> Circles {
    let place = |o: &Object| all.iter().position(|other| std::ptr::eq(other, o));
    let runs = |o: &Object| place(o).filter(|_| o.reference.kind == "Deployment" && names_an_instance(o));
    Circles::of(&[all], runs, &["mixcoord"])
}

fn around(circles: &Circles, all: &[Object], name: &str) -> Node {
    let object = all.iter().find(|o| o.reference.name == name);
    circles.around(object.unwrap()).unwrap()
}

fn together(all: &[Object], a: &str, b: &str) -> bool {
    let circles = drawn(all);
    around(&circles, all, a) == around(&circles, all, b)
}

/// Whether one of others stands in the circles of both, without joining them.
fn shared(all: &[Object], what: &str, a: &str, b: &str) -> bool {
    let circles = drawn(all);
    let mut both = [a, b].map(|name| around(&circles, all, name));
    both.sort_unstable();
    let whats = around(&circles, all, what);
    let joined = circles.joined();
    let [first, second, third] = [what, a, b].map(|name| around(&joined, all, name));
    let shares = drawn(all).shared(whats) == both && both[0] != both[1];
    assert!(!shares || (first == second && second == third));
    shares
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
        json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "s"},
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
        let all = objects(values);
        let name = all[2].reference.name.clone();
        // An autoscaler means one: it is that one's.
        let means_both = joins && other["kind"] != "HorizontalPodAutoscaler";
        assert_eq!(shared(&all, &name, "a-proxy", "b-proxy"), means_both, "{other}");
        assert!(!together(&all, "a-proxy", "b-proxy"), "{other}");
        // What is one release's own is no third's.
        let mut own = other.clone();
        own["metadata"]["labels"] = json!({"release": "b"});
        let mut values = two();
        values.push(own);
        let all = objects(values);
        assert_eq!(together(&all, "a-proxy", "b-proxy"), joins, "{other} of b");
        assert!(together(&all, &name, "b-proxy"), "{other} of b");
    }
}

#[test]
fn what_several_name_is_shared_with_all_that_belongs_to_it() {
    let mut values = vec![
        service("etcd", json!({"app": "etcd"})),
        workload("etcd", json!({"app": "etcd"}), "etcd-config"),
        map("etcd-config", ""),
    ];
    for name in ["a", "b", "c"] {
        values.push(workload(
            &format!("{name}-proxy"),
            json!({"release": name}),
            &format!("{name}-config"),
        ));
        let etcd = if name == "c" { "elsewhere" } else { "etcd" };
        values.push(map(&format!("{name}-config"), &format!("endpoints: [{etcd}:2379]")));
    }
    let all = objects(values);
    assert!(shared(&all, "etcd", "a-proxy", "b-proxy"));
    assert!(shared(&all, "etcd-config", "a-proxy", "b-proxy"));
    for name in ["a", "b", "c"] {
        assert!(together(&all, &format!("{name}-config"), &format!("{name}-proxy")));
    }
}

#[test]
fn what_one_of_several_mounts_and_another_names_in_what_it_mounts_joins_them() {
    let all = objects(vec![
        workload("a-proxy", json!({"release": "a"}), "common"),
        map("common", ""),
        workload("b-proxy", json!({"release": "b"}), "b-config"),
        map("b-config", "see common"),
    ]);
    assert!(together(&all, "a-proxy", "b-proxy"));
}

#[test]
fn selectors_that_ask_for_the_same_are_one() {
    let named = |i: usize| format!("s{i}");
    let mut values: Vec<Value> = (0..1000)
        .map(|i| service(&named(i), json!({"app": "milvus"})))
        .collect();
    for name in ["a", "b"] {
        let labels = json!({"release": name, "app": "milvus"});
        values.push(workload(&format!("{name}-proxy"), labels, "x"));
    }
    let all = objects(values);
    for i in [0, 999] {
        assert!(shared(&all, &named(i), "a-proxy", "b-proxy"));
    }
}

#[test]
fn what_would_stand_in_too_many_circles_joins_them() {
    // A thousand maps, each naming the next, and all of a hundred releases name the first.
    let mut values: Vec<Value> = (0..1000)
        .map(|i| map(&format!("chain-{i}"), &format!("then chain-{}", i + 1)))
        .collect();
    for i in 0..100 {
        let name = format!("r{i}");
        values.push(workload(&format!("{name}-proxy"), json!({"release": name}), "chain-0"));
    }
    let all = objects(values);
    assert!(together(&all, "r0-proxy", "r99-proxy"));
    assert!(together(&all, "chain-999", "r99-proxy"));
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
    let circles = Circles::of(&[&all], |_| Some(0), &[]);
    let new = objects(vec![
        workload("a-mixcoord", json!({"release": "a"}), "x"),
        workload("c-mixcoord", json!({"release": "c"}), "x"),
    ]);
    assert_eq!(circles.around(&new[0]), circles.around(&all[0]));
    assert_eq!(circles.around(&new[1]), None);
}

#[test]
fn applications_tell_apart_what_carries_one_instance() {
    let of = |app: &str| json!({"app.kubernetes.io/instance": "one", "app.kubernetes.io/name": app});
    let umbrella = |last: Value| {
        objects(vec![
            workload("a-proxy", of("a"), "a-config"),
            workload("a-datanode", of("a"), "x"),
            workload("b-proxy", of("b"), "b-config"),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "z", "labels": of("b")}}),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "labels": of("etcd")}}),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a-config", "labels": of("etcd")}}),
            last,
        ])
    };
    let all = umbrella(workload("c-proxy", of("c"), "y"));
    for (a, b, joined) in [
        ("a-proxy", "a-datanode", true),
        ("a-proxy", "b-proxy", false),
        ("b-proxy", "z", true),
        ("a-proxy", "a-config", true),
        ("s", "a-proxy", false),
        ("s", "a-config", false),
    ] {
        assert_eq!(together(&all, a, b), joined, "{a} {b}");
    }
    let new = objects(vec![
        workload("b-mixcoord", of("b"), "x"),
        workload("d-mixcoord", of("d"), "x"),
    ]);
    let circles = drawn(&all);
    assert_eq!(circles.around(&new[0]), circles.around(&all[2]));
    assert_eq!(circles.around(&new[1]), None);
    // Where only one runs, all that carries the instance is its own.
    let alone = objects(vec![
        workload("a-proxy", of("a"), "x"),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "labels": of("etcd")}}),
    ]);
    assert!(together(&alone, "a-proxy", "s"));
    // Of one nobody can tell the application: it may be any of theirs.
    let unsaid = workload("c-proxy", json!({"release": "one"}), "y");
    let mut two = workload("c-proxy", of("c"), "y");
    two["spec"]["template"]["metadata"]["labels"] = of("d");
    for third in [unsaid, two] {
        let all = umbrella(third);
        assert!(together(&all, "a-proxy", "b-proxy"));
        assert!(together(&all, "s", "c-proxy"));
    }
}

#[test]
fn what_runs_in_one_release_is_together_whatever_it_carries() {
    let all = objects(vec![
        workload("a-proxy", json!({}), "x"),
        workload("a-datanode", json!({}), "x"),
        workload("b-proxy", json!({}), "x"),
        map("x", ""),
    ]);
    let runs = |o: &Object| match &o.reference.name[..1] {
        "a" => Some(0),
        "b" => Some(1),
        _ => None,
    };
    let circles = Circles::of(&[&all], runs, &[]);
    let around = |name: &str| around(&circles, &all, name);
    assert_eq!(around("a-proxy"), around("a-datanode"));
    assert_ne!(around("a-proxy"), around("b-proxy"));
    assert_eq!(circles.shared(around("x")).len(), 2);
}
