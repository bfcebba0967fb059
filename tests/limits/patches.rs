//! What patches of the user's may ask for.

use milvus_uplift::judge::{Current, Judgement, Places, Request, ValuesFile, judge};
use milvus_uplift::yaml::{Op, PatchOp, patch_value, read};

use crate::shapes::{FROM, TO, by_instance, many, object};
use crate::{cpu_time, grows};

/// A release with objects beside it, and patches.
pub fn judged(beside: &str, patches: String) -> Judgement {
    let text = by_instance(0) + beside;
    judge(&Request {
        target: text.replace(FROM, TO).into(),
        current: Current::Manifests(text.into()),
        patches: vec![ValuesFile {
            name: "patches.yaml".into(),
            bytes: patches.into_bytes(),
        }],
        places: Places::IfRefused,
        ..Request::default()
    })
}

fn grow(name: &str, small: usize, made: impl Fn(usize) -> (String, String)) {
    grows(name, [&small.to_string(), &(4 * small).to_string()], |n| {
        let (beside, patches) = made(n.parse().expect("a number"));
        cpu_time(|| {
            let judgement = judged(&beside, patches.clone());
            let unread = judgement.findings.iter().find(|f| f.code == "MU001");
            assert!(unread.is_none(), "{name}: {unread:?}");
        })
    });
}

/// One patch of one object.
fn of(kind: &str, name: &str, patch: &str) -> String {
    format!("- target: {{kind: {kind}, name: \"{name}\"}}\n  patch: {patch}\n")
}

fn list(each: impl Iterator<Item = String>) -> String {
    format!("[{}]", each.collect::<Vec<_>>().join(", "))
}

#[test]
fn patches_into_one_text() {
    grow("patches into one text", 100, |n| {
        let text = many(20 * n, |i| format!("    k{i}: v\n"));
        let map = object("ConfigMap", 0, &format!("data:\n  a.yaml: |\n    a: 1\n{text}"));
        let one = |i| {
            of(
                "ConfigMap",
                "c0",
                &format!("[{{op: replace, path: '/data/a.yaml#/a', value: {i}}}]"),
            )
        };
        (map, many(n, one))
    });
}

#[test]
fn stars_in_a_name() {
    grow("stars in a name", 300, |n| {
        let maps = many(n, |i| object("ConfigMap", i, "data: {}\n"))
            + &object("ConfigMap", 1, "data: {}\n").replace("c1", "zz");
        (
            maps,
            of("ConfigMap", &format!("{}zz", "*".repeat(40 * n)), "{data: {a: b}}"),
        )
    });
}

#[test]
fn keys_that_leave() {
    let with_keys = |n: usize| {
        object(
            "ConfigMap",
            0,
            &format!("data:\n{}", many(n, |i| format!("  k{i}: v\n"))),
        )
    };
    grow("keys that leave by a merge", 3000, |n| {
        let gone = many(n, |i| format!("k{i}: null, "));
        (with_keys(n), of("ConfigMap", "c0", &format!("{{data: {{{gone}}}}}")))
    });
    grow("keys that leave one by one", 3000, |n| {
        let gone = (0..n).map(|i| format!("{{op: remove, path: /data/k{i}}}"));
        (with_keys(n), of("ConfigMap", "c0", &list(gone)))
    });
}

/// A pod with so many variables.
fn pod(variables: usize) -> String {
    let env = list((0..variables).map(|i| format!("{{name: E{i}, value: v}}")));
    object(
        "Pod",
        0,
        &format!("spec:\n  containers:\n  - name: a\n    image: b\n    env: {env}\n"),
    )
}

#[test]
fn named_items() {
    for (name, rest) in [("that change", "value: w"), ("that leave", "$patch: delete")] {
        grow(&format!("named items {name}"), 1000, |n| {
            let env = list((0..n).rev().map(|i| format!("{{name: E{i}, {rest}}}")));
            let patch = format!("{{spec: {{containers: [{{name: a, env: {env}}}]}}}}");
            (pod(n), of("Pod", "c0", &patch))
        });
    }
}

#[test]
fn items_that_make_room() {
    let args = |n: usize| {
        object(
            "Pod",
            0,
            &format!(
                "spec:\n  containers:\n  - name: a\n    image: b\n    args: [{}]\n",
                "a, ".repeat(n)
            ),
        )
    };
    let before = |n: usize| list((0..n).map(|_| "{op: add, path: /spec/containers/0/args/0, value: b}".to_owned()));
    let few = judged(&args(2000), of("Pod", "c0", &before(500)));
    assert!(few.findings.iter().all(|f| f.code != "MU001"), "{:?}", few.findings);
    let refused = judged(&args(300_000), of("Pod", "c0", &before(6000)));
    let [finding] = &refused
        .findings
        .iter()
        .filter(|f| f.code == "MU001")
        .collect::<Vec<_>>()[..]
    else {
        panic!("{:?}", refused.findings)
    };
    let words = "patch 1: with it the patches take minutes: they read long texts (`#`) again and again, or move the items of long lists";
    assert!(finding.message.contains(words), "{finding:?}");
    assert!(refused.refused() && refused.output.is_none());
}

#[test]
fn texts_that_wait() {
    grows("texts that wait", ["50", "200"], |n| {
        let n: usize = n.parse().expect("a number");
        let value = read(&many(n, |i| format!("t{i}: 'a: b'\n")))
            .expect("a map")
            .expect("a map");
        let add = |path: String| PatchOp {
            op: Op::Add,
            path,
            value: Some("v".into()),
        };
        let inside = (0..n).flat_map(|i| (0..65).map(move |k| format!("/t{i}#/k{k}")));
        let ops: Vec<PatchOp> = inside.chain((0..200 * n).map(|i| format!("/x{i}"))).map(add).collect();
        cpu_time(|| drop(patch_value(&value, &ops).expect("a value")))
    });
}

#[test]
fn one_configuration_of_many_workloads() {
    grow("one configuration of many workloads", 50, |n| {
        let workload = |i| {
            format!(
                "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: r0-milvus-querynode-{i}\nspec:\n  selector:\n    \
                 matchLabels: &l\n      app.kubernetes.io/instance: r0\n      component: querynode\n      nth: n{i}\n  template:\n    metadata:\n      \
                 labels: *l\n      annotations: {{checksum/config: x}}\n    spec:\n      containers:\n      - name: querynode\n        \
                 image: milvusdb/milvus:{FROM}\n        args: [milvus, run, querynode]\n        volumeMounts: [{{name: c, mountPath: \
                 /milvus/configs/user.yaml, subPath: user.yaml}}]\n      volumes: [{{name: c, configMap: {{name: c0}}}}]\n"
            )
        };
        let data = format!(
            "data:\n  user.yaml: ''\n  more: \"{}\"\n",
            "a long text ".repeat(200 * n)
        );
        let all = many(n, workload) + &object("ConfigMap", 0, &data);
        (all, of("ConfigMap", "c0", "{data: {x: y}}"))
    });
}
