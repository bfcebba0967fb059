//! What stands in several circles says the same as if it joined them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::super::near;
use super::super::whole::{State, Whole};
use crate::finding::{Finding, Input};
use crate::milvus::release::inventory;
use crate::options::{Options, RewriteMode};
use crate::state;
use crate::stream::Stream;
use crate::timings::Clock;

const TARGET: &str = include_str!("../../../testdata/example/target.yaml");
const CURRENT: &str = include_str!("../../../testdata/example/current.yaml");

/// What has to do with two releases: in what is deployed, and in what comes. `ALL` stands for labels that both have.
const BESIDE: [(&str, &str, &str); 15] = [
    (
        "a budget of roles",
        "apiVersion: policy/v1\nkind: PodDisruptionBudget\nspec: {minAvailable: 1, selector: {matchExpressions: [{key: component, operator: In, values: [rootcoord, proxy]}]}}",
        "",
    ),
    (
        "a map that names both",
        "kind: ConfigMap\ndata: {a: IN_CASE zebra-milvus}",
        "",
    ),
    (
        "one that changes",
        "kind: ConfigMap\ndata: {a: IN_CASE zebra-milvus}",
        "kind: ConfigMap\ndata: {b: IN_CASE zebra-milvus}",
    ),
    (
        "one that is frozen and changes",
        "kind: ConfigMap\nimmutable: true\ndata: {a: IN_CASE zebra-milvus}",
        "kind: ConfigMap\nimmutable: true\ndata: {b: IN_CASE zebra-milvus}",
    ),
    (
        "one that goes",
        "kind: ConfigMap\ndata: {a: IN_CASE zebra-milvus}",
        "none",
    ),
    (
        "one that comes",
        "none",
        "kind: ConfigMap\ndata: {a: IN_CASE zebra-milvus}",
    ),
    (
        "a Service of all",
        "kind: Service\nspec: {selector: {ALL}, ports: [{port: 1}]}",
        "",
    ),
    (
        "a Service of a role",
        "kind: Service\nspec: {selector: {component: indexnode}, ports: [{port: 1}]}",
        "",
    ),
    (
        "a Service of what comes",
        "kind: Service\nspec: {selector: {component: mixcoord}, ports: [{port: 1}]}",
        "",
    ),
    (
        "a Service that changes",
        "kind: Service\nspec: {selector: {component: proxy}, clusterIP: 1.2.3.4}",
        "kind: Service\nspec: {selector: {component: proxy}, clusterIP: None}",
    ),
    (
        "a budget of a role",
        "apiVersion: policy/v1\nkind: PodDisruptionBudget\nspec: {minAvailable: 1, selector: {matchLabels: {component: datacoord}}}",
        "",
    ),
    (
        "a policy of all",
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nspec: {podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}], ports: [{port: 53100}]}]}",
        "",
    ),
    (
        "a policy of roles",
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nspec: {podSelector: {matchExpressions: [{key: component, operator: In, values: [indexnode, proxy]}]}, ingress: [{from: [{podSelector: {matchLabels: {component: indexcoord}}}]}]}",
        "",
    ),
    (
        "a monitor of all",
        "apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nspec: {selector: {matchLabels: {ALL}}, endpoints: [{port: metrics}]}",
        "",
    ),
    (
        "an Ingress to both",
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nspec: {rules: [{http: {paths: [{path: /a, pathType: Prefix, backend: {service: {name: IN_CASE, port: {number: 1}}}}, {path: /b, pathType: Prefix, backend: {service: {name: zebra-milvus-indexnode, port: {number: 1}}}}]}}]}",
        "",
    ),
];

fn folders(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            folders(&path, found);
        }
    }
    if folder.join("target.yaml").is_file() && folder.join("current.yaml").is_file() {
        found.push(folder.to_owned());
    }
}

/// Everything that is said, but for how often.
fn said(answer: &super::super::answer::Answer) -> [BTreeSet<String>; 3] {
    let findings = answer.findings.iter().map(|f: &Finding| format!("{f:?}"));
    let changes = answer.changes.iter().map(|c| format!("{c:?}"));
    let releases = answer.releases.iter().map(|r| format!("{r:?}"));
    [findings.collect(), changes.collect(), releases.collect()]
}

fn object(text: &str, named: &str) -> String {
    let text = text
        .replace("ALL", "app.kubernetes.io/name: milvus")
        .replace("IN_CASE", named);
    let version = if text.starts_with("apiVersion") {
        ""
    } else {
        "apiVersion: v1\n"
    };
    match text.as_str() {
        "none" => String::new(),
        text => format!("---\n{version}{text}\nmetadata: {{name: beside-both}}\n"),
    }
}

/// Judges both ways; whether what is shared was left to each release. What cannot be read is left out.
fn compare(target: &str, current: &str, options: &Options) -> Result<bool, String> {
    let Ok(target) = Stream::read(target.as_bytes(), Input::Target) else {
        return Ok(false);
    };
    let came = inventory(&target.objects);
    let current = super::super::Current::Manifests(current.to_owned().into());
    let Ok(Some(source)) = state::read(&current, Some((&target, &came))) else {
        return Ok(false);
    };
    let (target, source) = (&target, &source);
    let before = source.inventory();
    let clock = Clock::default();
    let whole = Whole {
        target,
        state: &State::Source(source),
        files: &[],
        overlays: &[],
        options,
        host_command: None,
        clock: &clock,
    };
    let circles = || near::circles(target, Some(&source.stream), &came, &before);
    let shares = circles().shares();
    let by = |circles| whole.by_circles(circles, &came, &before, vec![]);
    let joined = said(&by(circles().joined()).unwrap_or_else(|_| panic!("nothing is shared")));
    let apart = match by(circles()) {
        Ok(apart) => said(&apart),
        Err(_) => return Ok(false),
    };
    for (joined, apart) in joined.iter().zip(&apart) {
        let less: Vec<_> = joined.difference(apart).collect();
        let more: Vec<_> = apart.difference(joined).collect();
        if !less.is_empty() || !more.is_empty() {
            return Err(format!("only joined: {less:#?}\nonly apart: {more:#?}"));
        }
    }
    Ok(shares)
}

#[test]
fn what_is_shared_says_what_it_says_when_it_joins() {
    let mut cases = Vec::new();
    folders(&Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata"), &mut cases);
    let never = Options {
        rewrite: RewriteMode::Never,
        ..Options::default()
    };
    let ways = [Options::default(), never];
    let mut shared = [0; BESIDE.len()];
    let mut wrong = Vec::new();
    for (nth, case) in cases.iter().enumerate() {
        let read = |name: &str| std::fs::read_to_string(case.join(name)).unwrap_or_default();
        let (target, current) = (read("target.yaml"), read("current.yaml"));
        let first = inventory(
            &Stream::read(current.as_bytes(), Input::Current)
                .map(|s| s.objects)
                .unwrap_or_default(),
        );
        let Some(component) = first.releases.first().map(|r| r.components[0].name.clone()) else {
            continue;
        };
        for (i, (what, was, is)) in BESIDE.iter().enumerate() {
            // A third of all, in turns: as much as is told in a short time.
            let turn = nth * 31 + i * 17;
            if turn % 3 != 0 {
                continue;
            }
            let is = if is.is_empty() { was } else { is };
            // The other release goes the same way, or stays as it is.
            let comes = [TARGET, CURRENT][turn / 6 % 2];
            let join = |text: &str, beside: &str, own: &str| {
                format!(
                    "{}\n{}---\n{}",
                    text.trim_end(),
                    object(own, &component),
                    beside.replace("my-release", "zebra")
                )
            };
            let (target, current) = (join(&target, comes, is), join(&current, CURRENT, was));
            match compare(&target, &current, &ways[turn / 3 % ways.len()]) {
                Ok(apart) => shared[i] += usize::from(apart),
                Err(why) => wrong.push(format!("{what} in {}:\n{why}", case.display())),
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong, the first: {}", wrong.len(), wrong[0]);
    assert!(shared.iter().filter(|times| **times > 20).count() > 8, "{shared:?}");
}

/// One release leaves its indexnode, the other keeps it: what means both still means something.
#[test]
fn what_means_what_stays_elsewhere_is_no_orphan() {
    let named = |text: &str, name: &str| text.replace("my-release", name);
    let whole = named(TARGET, "north");
    let without: Vec<&str> = whole
        .split("---\n")
        .filter(|d| !d.contains("name: north-milvus-indexnode"))
        .collect();
    let beside = "---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {component: indexnode}}\n";
    let both = |north: &str, zebra: &str| format!("{north}{beside}{}", named(zebra, "zebra"));
    let current = both(&named(CURRENT, "north"), CURRENT);
    for (stays, shared) in [(CURRENT, false), (TARGET, false)] {
        let apart = compare(&both(&without.join("---\n"), stays), &current, &Options::default());
        assert_eq!(apart, Ok(shared));
    }
}
