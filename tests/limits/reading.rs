//! Reading: the text, the places in it, and what Kubernetes makes of it.

use milvus_uplift::finding::Input;
use milvus_uplift::kube::Object;
use milvus_uplift::kube::circles::Circles;
use milvus_uplift::kube::network::{Direction, Pods, holding, lets};
use milvus_uplift::kube::selector::{demanded, pod_selectors};
use milvus_uplift::stream::Stream;
use milvus_uplift::yaml::{Tree, read};

use crate::shapes::{many, object};
use crate::{OBJECT, cpu_time, grows};

fn objects(text: &str) -> Vec<Object> {
    Stream::read(text.as_bytes(), Input::Target).expect("objects").objects
}

#[test]
fn what_looks_like_a_tag_is_looked_at_once() {
    for (name, word) in [
        ("in a comment", "# "),
        ("in a text", "y: 'x"),
        ("and a comma", "y: 'x, "),
    ] {
        let text = |n: usize| {
            format!(
                "{OBJECT}x: é\n{word}{}{}\n",
                "!".repeat(n),
                if word == "# " { "" } else { "'" }
            )
        };
        grows(name, [&text(25_000), &text(100_000)], |text| {
            cpu_time(|| assert!(read(text).is_ok()))
        });
    }
}

#[test]
fn directives_are_not_compared_with_each_other() {
    for (name, start, end) in [
        ("ahead", "", "a: b\n"),
        ("of a document", "", "---\na: b\n"),
        ("behind", "a: b\n", ""),
    ] {
        let text = |n| format!("{start}{}{end}", many(n, |i| format!("%TAG !a{i}! x\n")));
        grows(name, [&text(2_000), &text(8_000)], |text| {
            cpu_time(|| assert!(read(text).is_err()))
        });
    }
}

/// Findings of a release alternate between the texts that it mounts.
#[test]
fn places_in_several_texts_are_found_without_reading_each_again() {
    let asked: Vec<String> = (0..50)
        .flat_map(|i| ["a", "b", "c"].map(|text| format!("/data/{text}#/k{i}")))
        .collect();
    let places: Vec<(usize, &str)> = asked.iter().map(|pointer| (0, &pointer[..])).collect();
    let text = |n| {
        let lines: String = many(n, |i| format!("    k{i}: v\n"));
        let texts = ["a", "b", "c"].map(|name| format!("  {name}: |\n{lines}"));
        format!("{OBJECT}data:\n{}", texts.concat())
    };
    let stream = Stream::read(text(1000).as_bytes(), Input::Target).expect("a stream");
    let [once, all] = [&places[..3], &places].map(|places| cpu_time(|| drop(stream.positions(places))));
    assert!(all < once * 6, "3 places take {once:?}, 150 in the same texts {all:?}");
    assert_eq!(stream.positions(&places)[7].line, 5 + 1 + 1000 + 1 + 3);
}

#[test]
fn what_is_merged_is_found_by_its_key() {
    let text = |n| format!("x: {{<<: {{{}}}}}\n", many(n, |i| format!("k{i}: v, ")));
    grows("places of what is merged", [&text(1_000), &text(4_000)], |text| {
        let tree = Tree::parse(text).expect("YAML").expect("a value");
        let all = text.matches("v,").count();
        cpu_time(|| assert!((0..all).all(|i| tree.span(&format!("/x/k{i}")).is_some())))
    });
}

/// A policy with so many peers or ports, none of which lets anything through, and what else there is.
fn gaps(rule: impl Fn(usize) -> String, labels: usize, ports: usize, beside: usize, n: usize) -> String {
    let labels = many(labels, |i| format!("    l{i}: v\n"));
    let ports = many(ports, |i| format!("    - {{name: p{i}, containerPort: 1}}\n"));
    let beside = many(beside, |i| object("ConfigMap", i, ""));
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  namespace: space\n  labels: {{x: 'y'}}\nspec:\n  containers:\n  - name: a\n    \
         ports:\n    - {{name: grpc, containerPort: 2}}\n{ports}{beside}---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: space\n  \
         labels:\n    a: b\n{labels}---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: a\n  \
         namespace: space\nspec:\n  podSelector: {{}}\n  ingress:\n{}",
        rule(n)
    )
}

#[test]
fn policies_are_looked_at_with_one_namespace() {
    let peers = |n| {
        format!(
            "  - from:\n{}",
            "    - namespaceSelector: {matchLabels: {x: 'y'}}\n".repeat(n)
        )
    };
    let ports = |n| format!("  - ports:\n{}", many(n, |i| format!("    - port: p{i}\n")));
    type Shape<'s> = (&'s str, usize, &'s dyn Fn(usize) -> String);
    let shapes: [Shape; 3] = [
        ("labels of a namespace", 500, &|n| gaps(peers, n, 0, 0, n)),
        ("objects beside a namespace", 500, &|n| gaps(peers, 0, 0, n, n)),
        ("named ports", 500, &|n| gaps(ports, 0, n, 0, n)),
    ];
    for (name, n, text) in shapes {
        grows(name, [&text(n), &text(4 * n)], |text| {
            let all = objects(text);
            let pods = Pods::of(&all[0]);
            let policies = holding(&all, &pods, Direction::Ingress);
            assert_eq!(policies.len(), 1);
            cpu_time(|| assert!(!lets(&policies, Direction::Ingress, &pods, &pods, 9, &all)))
        });
    }
}

#[test]
fn a_selector_of_many_labels_is_compared_with_as_many() {
    let text = |n| {
        let labels = many(n, |i| format!("    l{i}: v{i}\n"));
        let pod = object("Pod", 0, &format!("  labels:\n{labels}"));
        pod + &object("Service", 1, &format!("spec:\n  selector:\n{labels}"))
    };
    grows("labels of a selector", [&text(1_500), &text(6_000)], |text| {
        let all = objects(text);
        cpu_time(|| {
            let circles = Circles::of(&[&all], |o| (o.reference.kind == "Pod").then_some(0), &[]);
            let [pod, service] = [0, 1].map(|i| circles.around(&all[i]));
            assert!(pod.is_some() && pod == service);
        })
    });
}

/// Each of many that run shares something with the next: joined, they hang one below the other.
#[test]
fn circles_that_share_one_by_one_are_joined_into_one() {
    let text = |n: usize| {
        let pods = many(n, |i| object("Pod", i, &format!("x: s{} s{}\n", n - i, n - i - 1)));
        pods + &many(n + 1, |i| object("Secret", i, "").replace("name: c", "name: s"))
    };
    grows("circles in a row", [&text(1_500), &text(6_000)], |text| {
        let all = objects(text);
        let release = |object: &Object| object.reference.name.strip_prefix('c')?.parse().ok();
        let circles = Circles::of(&[&all], release, &[]).joined();
        cpu_time(|| {
            let first = circles.around(&all[0]);
            let pods = all.iter().filter(|object| release(object).is_some());
            assert!(first.is_some() && pods.map(|pod| circles.around(pod)).all(|circle| circle == first));
        })
    });
}

/// What a selector demands is told with its key, however long that is and however many values it may have.
#[test]
fn the_key_of_a_selector_is_held_once() {
    let text = |n: usize| {
        let expression = format!(
            "{{key: {}, operator: In, values: [{}]}}",
            "k".repeat(n),
            "v, ".repeat(n)
        );
        let spec = format!("spec:\n  selector:\n    matchExpressions:\n    - {expression}\n");
        object("PodDisruptionBudget", 0, &spec)
    };
    grows("a long key", [&text(5_000), &text(20_000)], |text| {
        let all = objects(text);
        let place = &pod_selectors("PodDisruptionBudget", &all[0].value)[0];
        cpu_time(|| assert!(demanded(&all[0].value, place).len() > 4_000))
    });
}
