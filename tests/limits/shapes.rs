//! What streams are made of, n times.

use crate::OBJECT;

pub fn object(kind: &str, number: usize, rest: &str) -> String {
    format!("---\napiVersion: v1\nkind: {kind}\nmetadata:\n  name: c{number}\n{rest}")
}

pub fn many(n: usize, each: impl Fn(usize) -> String) -> String {
    (0..n).map(each).collect()
}

pub fn release(number: usize) -> String {
    const ROLES: [&str; 4] = ["rootcoord", "indexnode", "datanode", "proxy"];
    let each = ROLES.iter().map(|role| {
        format!(
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: r{number}-milvus-{role}\nspec:\n  selector:\n    matchLabels: &l\n      \
             app.kubernetes.io/instance: r{number}\n      component: {role}\n  template:\n    metadata:\n      labels: *l\n    spec:\n      containers:\n      \
             - name: {role}\n        image: milvusdb/milvus:v2.5.10\n        args: [milvus, run, {role}]\n"
        )
    });
    each.collect()
}

/// A release that is upgraded: its target is the same with another version. `claims` is what it carries as the labels by
/// which it is known.
pub fn upgraded(number: usize, claims: &str) -> String {
    const ROLES: [&str; 5] = ["mixcoord", "indexnode", "datanode", "querynode", "proxy"];
    let each = ROLES.iter().map(|role| {
        format!(
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: r{number}-milvus-{role}\nspec:\n  selector:\n    matchLabels: &l\n      \
             {claims}\n      component: {role}\n  template:\n    metadata:\n      labels: *l\n    spec:\n      imagePullSecrets: [name: pull]\n      \
             containers:\n      - name: {role}\n        image: milvusdb/milvus:{FROM}\n        args: [milvus, run, {role}]\n"
        )
    });
    each.collect()
}

pub fn by_instance(number: usize) -> String {
    upgraded(number, &format!("app.kubernetes.io/instance: r{number}"))
}

pub const FROM: &str = "v2.5.22";
pub const TO: &str = "v2.6.16";

/// Streams of about a size: what they hold most of, and how much of it for one unit.
#[allow(clippy::type_complexity)]
pub fn shapes() -> Vec<(&'static str, usize, Box<dyn Fn(usize) -> String>)> {
    let below = |text: String| format!("{OBJECT}{text}");
    vec![
        (
            "documents",
            500,
            Box::new(|n| many(n, |i| object("ConfigMap", i, "data:\n  a: b\n"))),
        ),
        ("empty documents", 5000, Box::new(|n| "---\n".repeat(n))),
        (
            "keys",
            2000,
            Box::new(move |n| below(format!("x:\n{}", many(n, |i| format!("  k{i}: v\n"))))),
        ),
        (
            "numbers as keys",
            2000,
            Box::new(move |n| below(format!("x:\n{}", many(n, |i| format!("  {i}: v\n"))))),
        ),
        (
            "one key again and again",
            2000,
            Box::new(move |n| below("x: y\n".repeat(n))),
        ),
        (
            "a flow list",
            4000,
            Box::new(move |n| below(format!("x: [{}]\n", "a, ".repeat(n)))),
        ),
        (
            "anchors",
            1500,
            Box::new(move |n| below(many(n, |i| format!("k{i}: &a{i} v\nl{i}: *a{i}\n")))),
        ),
        (
            "merges",
            1000,
            Box::new(move |n| below(format!("x: &a {{b: c}}\ny:\n{}", "- <<: *a\n  d: 1\n".repeat(n)))),
        ),
        (
            "comments",
            8000,
            Box::new(move |n| below(format!("x: &a y\n{}z: 1\n", "# c\n".repeat(n)))),
        ),
        (
            "a long line of escapes",
            8000,
            Box::new(move |n| below(format!("x: \"{}\"\n", "a\\n".repeat(n)))),
        ),
        (
            "lines of a quoted text",
            4000,
            Box::new(move |n| below(format!("x: '{}'\n", "a\n  ".repeat(n)))),
        ),
        (
            "folded texts",
            400,
            Box::new(move |n| below(many(n, |i| format!("k{i}: >\n  a\n   b\n\n  c\n")))),
        ),
        (
            "texts of a Helm 4 stream",
            300,
            Box::new(|n| {
                let note = "  annotations:\n    postrenderer.helm.sh/postrender-filename: m/templates/x.yaml\n";
                many(n, |i| {
                    object("ConfigMap", i, &format!("{note}data:\n  a: >\n    b\n      c\n"))
                }) + &release(0)
            }),
        ),
        (
            "exclamation marks",
            8000,
            Box::new(move |n| below(format!("x: '{}'\n", "!".repeat(n)))),
        ),
        (
            "items of a List",
            500,
            Box::new(|n| {
                let item = |i| format!("- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: c{i}\n");
                format!("apiVersion: v1\nkind: List\nitems:\n{}", many(n, item))
            }),
        ),
        (
            "Services",
            400,
            Box::new(|n| release(0) + &many(n, |i| object("Service", i, "spec:\n  selector:\n    app: a\n"))),
        ),
        (
            "policies",
            400,
            Box::new(|n| {
                let rest = "spec:\n  podSelector:\n    matchLabels:\n      app: a\n  ingress:\n  - from: []\n";
                release(0) + &many(n, |i| object("NetworkPolicy", i, rest))
            }),
        ),
        (
            "a word with dots beside releases",
            8000,
            Box::new(|n| {
                release(0) + &release(1) + &object("ConfigMap", 0, &format!("data:\n  a: {}x\n", "r.".repeat(n)))
            }),
        ),
        ("unreadable documents", 300, Box::new(|n| "---\na: [\n".repeat(n))),
        (
            "documents without an object",
            300,
            Box::new(|n| "---\na: b\n".repeat(n)),
        ),
        ("releases", 40, Box::new(|n| many(n, release))),
        ("upgrades", 80, Box::new(|n| many(n, by_instance))),
        (
            "upgrades that name one Secret",
            80,
            Box::new(|n| many(n, by_instance) + "---\napiVersion: v1\nkind: Secret\nmetadata: {name: pull}\n"),
        ),
        (
            "upgrades under one policy",
            80,
            Box::new(|n| many(n, by_instance) + &object("NetworkPolicy", 0, "spec: {podSelector: {}}\n")),
        ),
        (
            "upgrades with a Service of what leaves",
            80,
            Box::new(|n| many(n, by_instance) + &object("Service", 0, "spec: {selector: {component: indexnode}}\n")),
        ),
        (
            "upgrades with a budget of what leaves and what stays",
            80,
            Box::new(|n| {
                let of = "{matchExpressions: [{key: component, operator: In, values: [indexnode, proxy]}]}";
                many(n, by_instance) + &object("PodDisruptionBudget", 0, &format!("spec: {{selector: {of}}}\n"))
            }),
        ),
        (
            "upgrades of an umbrella's aliases",
            80,
            Box::new(|n| {
                let alias = |i| format!("app.kubernetes.io/instance: all\n      app.kubernetes.io/name: r{i}-milvus");
                many(n, |i| upgraded(i, &alias(i)))
            }),
        ),
        (
            "releases of a Helm 4 stream",
            80,
            Box::new(|n| {
                let note = "  annotations:\n    postrenderer.helm.sh/postrender-filename: m/templates/x.yaml\n";
                let texts = format!("{note}data:\n  a: >\n    b\n      c\n");
                many(n, |i| release(i) + &object("ConfigMap", i, &texts))
            }),
        ),
    ]
}
