//! What the rules look at, n times.

use milvus_uplift::judge::{Current, Request, judge};

use crate::inside::configured;
use crate::shapes::{FROM, TO, by_instance, many, object};
use crate::{cpu_time, grows};

/// Measures a judgement of what `target` and `current` make of a number and of four times as much.
fn ruled(name: &str, n: usize, target: impl Fn(usize) -> String, current: impl Fn(usize) -> String) {
    const APART: &str = "\n#####\n";
    let both = |n| format!("{}{APART}{}", target(n), current(n));
    grows(name, [&both(n), &both(4 * n)], |text| {
        let (target, current) = text.split_once(APART).expect("two sides");
        let request = Request {
            target: target.replace(FROM, TO).into(),
            current: Current::Manifests(current.into()),
            ..Request::default()
        };
        cpu_time(|| drop(judge(&request)))
    });
}

fn workload(kind: &str, name: &str, labels: &str, rest: &str) -> String {
    format!(
        "---\napiVersion: apps/v1\nkind: {kind}\nmetadata:\n  name: {name}\n{rest}spec:\n  selector:\n    matchLabels: &l {labels}\n  template:\n    \
         metadata:\n      labels: *l\n    spec:\n      containers:\n      - {{name: c, image: 'busybox:1'}}\n"
    )
}

fn service(name: &str, selector: &str) -> String {
    format!("---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\nspec:\n  selector: {selector}\n")
}

/// Standalones, each a release of its own and of Helm.
fn small(n: usize, rest: &str) -> String {
    many(n, |i| {
        format!(
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: r{i}\n  labels: {{release: r{i}}}\n{}spec:\n  template:\n    metadata:\n      \
             labels: {{release: r{i}}}\n    spec:\n      containers:\n      - {{name: s, image: 'milvusdb/milvus:{FROM}', args: [milvus, run, standalone]}}\n",
            rest.replace("NUMBER", &i.to_string())
        )
    })
}

#[test]
fn releases_that_are_gone() {
    let live = "  uid: u\n  annotations: {meta.helm.sh/release-name: rNUMBER}\n";
    ruled("lost", 100, |n| small(n / 2, ""), |n| small(n, live));
    let others = |n: usize| small(n, "").replace(": r", ": other");
    ruled("of another name", 300, others, |n| small(n, ""));
}

#[test]
fn what_an_operator_keeps() {
    let resources = |n| {
        many(n, |i| {
            object("Milvus", i, "").replace("version: v1", "version: milvus.io/v1beta1")
        })
    };
    ruled(
        "Milvus resources",
        100,
        |n| small(n, "") + &resources(n),
        |n| small(n, ""),
    );
}

#[test]
fn what_is_mounted_and_lost() {
    let mounting = |n| {
        let volumes = many(n, |i| format!("      - {{name: v{i}, configMap: {{name: c{i}}}}}\n"));
        by_instance(0).replace(
            "      containers:\n      - name: querynode\n",
            &format!("      volumes:\n{volumes}      containers:\n      - name: querynode\n"),
        )
    };
    let maps = |n| many(n, |i| object("ConfigMap", i, ""));
    ruled("mounted", 300, mounting, |n| mounting(n) + &maps(n));
}

#[test]
fn what_is_behind_addresses_and_lost() {
    let asking = |n| {
        let all = many(n, |i| format!("'etcd:{}', ", i + 1));
        configured(0, format!("etcd:\n  endpoints: [{all}]\n"))
    };
    let behind = |n| {
        let each = |i| workload("StatefulSet", &format!("x{i}"), "{a: b, x: y}", "");
        service("etcd", "{a: b}") + &many(n, each)
    };
    ruled("behind one", 100, asking, |n| asking(n) + &behind(n));
    let each = |n| {
        let all = many(n, |i| format!("'etcd{i}:1', "));
        configured(0, format!("etcd:\n  endpoints: [{all}]\n"))
    };
    let behind = |n| {
        let pair = |i| {
            let labels = format!("{{a: b, x: y{i}}}");
            service(&format!("etcd{i}"), &labels) + &workload("StatefulSet", &format!("x{i}"), &labels, "")
        };
        many(n, pair)
    };
    ruled("behind each", 100, each, |n| each(n) + &behind(n));
}

#[test]
fn one_name_in_many_namespaces() {
    let maps = |n| {
        let each = |i| object("ConfigMap", 0, &format!("  namespace: n{i}\ndata: {{a: b}}\n"));
        by_instance(0) + &many(n, each)
    };
    ruled("namespaces", 300, maps, |n| maps(n).replace("a: b", "a: c"));
    ruled(
        "one namespace",
        300,
        |n| maps(n).replace("namespace: n", "namespace: n #"),
        |n| maps(n).replace("namespace: n", "namespace: n #"),
    );
}
