//! What stands in several circles says the same as if it joined them, and as with each release alone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::super::Current;
use super::super::answer::Answer;
use super::super::near;
use super::super::whole::{State, Whole};
use crate::finding::{Finding, Input};
use crate::kube::circles::Circles;
use crate::milvus::release::inventory;
use crate::options::{Options, RewriteMode};
use crate::order::Order;
use crate::stage::Stage;
use crate::state::{self, Source};
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

/// Findings, changes and releases.
type Said = [BTreeSet<String>; 3];

/// Everything that is said, but for how often.
fn said(answer: &Answer) -> Said {
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

/// The other release, without what nothing tells to be its own.
fn zebra(text: &str) -> String {
    let own = |document: &&str| {
        !["name: my-release-milvus-after-empty", "name: my-release-milvus-last"]
            .iter()
            .any(|name| document.contains(name))
    };
    let documents: Vec<&str> = text.split("---\n").filter(own).collect();
    documents.join("---\n").replace("my-release", "zebra")
}

/// The texts of a stream: one release, what both share, the other release.
type Texts = [String; 3];

/// A stream, and where in it ends what is whose.
struct Parted {
    stream: Stream,
    ends: [usize; 2],
}

impl Parted {
    fn of(texts: &Texts, input: Input) -> Option<Parted> {
        let documents = |text: &str| Some(Stream::read(text.as_bytes(), input).ok()?.documents.len());
        let one = texts[0].trim_end();
        let shared = format!("{one}\n{}", texts[1]);
        let whole = format!("{shared}---\n{}", texts[2]);
        Some(Parted {
            ends: [documents(one)?, documents(&shared)?],
            stream: Stream::read(whole.as_bytes(), input).ok()?,
        })
    }

    /// One of the releases with what is shared, of this stream as it may have been read otherwise.
    fn alone(&self, stream: &Stream, which: usize) -> Stream {
        let own = |document: usize| match which {
            0 => document < self.ends[1],
            _ => document >= self.ends[0],
        };
        let objects = stream.objects.iter().filter(|o| own(o.document));
        stream.with(objects.cloned().collect())
    }
}

fn source(current: &Texts, target: &Stream) -> Option<Source> {
    let [one, shared, other] = current;
    let text = format!("{}\n{shared}---\n{other}", one.trim_end());
    let came = inventory(&target.objects);
    state::read(&Current::Manifests(text.into()), Some((target, &came))).ok()?
}

/// The judgement by circles; `None` where they have to be joined.
fn by(
    target: &Stream,
    source: &Source,
    options: &Options,
    drawn: impl FnOnce(Circles) -> Circles,
) -> Option<(Answer, bool)> {
    let (came, before) = (inventory(&target.objects), source.inventory());
    let clock = Clock::default();
    let whole = Whole {
        target,
        state: &State::Source(source),
        values: None,
        overlays: &[],
        options,
        host_command: None,
        texts: Default::default(),
        clock: &clock,
    };
    let circles = drawn(near::circles(target, Some(&source.stream), &came, &before));
    let shares = circles.shares();
    Some((whole.by_circles(circles, &came, &before, vec![]).ok()?, shares))
}

/// Judges what two releases share by circles, and against that joined, or each release alone: whether it was left to each of
/// them. What cannot be read is left out.
fn compare(target: &Texts, current: &Texts, options: &Options, alone: bool) -> Result<bool, String> {
    let parted = (Parted::of(target, Input::Target), Parted::of(current, Input::Current));
    let (Some(target), Some(parted)) = parted else {
        return Ok(false);
    };
    let Some(mut source) = source(current, &target.stream) else {
        return Ok(false);
    };
    let Some((apart, shares)) = by(&target.stream, &source, options, |circles| circles) else {
        return Ok(false);
    };
    let mut otherwise = Said::default();
    if alone {
        let known = source.inventory().releases;
        let came = inventory(&target.stream.objects).releases;
        if !shares || !came.iter().all(|one| known.iter().any(|other| other.is(one))) {
            return Ok(false);
        }
        let whole = source.stream.with(source.stream.objects.clone());
        for which in 0..2 {
            let target = target.alone(&target.stream, which);
            source.stream = parted.alone(&whole, which);
            let (answer, _) = by(&target, &source, options, |circles| circles).expect("one release shares nothing");
            let each = otherwise.iter_mut().zip(said(&answer));
            each.for_each(|(all, more)| all.extend(more));
        }
    } else {
        let (answer, _) = by(&target.stream, &source, options, Circles::joined).expect("nothing is shared");
        otherwise = said(&answer);
    }
    for (otherwise, apart) in otherwise.iter().zip(&said(&apart)) {
        let less: Vec<_> = otherwise.difference(apart).collect();
        let more: Vec<_> = apart.difference(otherwise).collect();
        if !less.is_empty() || !more.is_empty() {
            return Err(format!("only otherwise: {less:#?}\nonly by circles: {more:#?}"));
        }
    }
    Ok(shares)
}

/// Puts what is shared between each case and another release, and compares. How often each was left to the releases.
fn compare_all(ways: &[Options], alone: bool) -> [usize; BESIDE.len()] {
    let mut cases = Vec::new();
    folders(&Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata"), &mut cases);
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
            let texts = |text: &str, beside: &str, own: &str| [text.to_owned(), object(own, &component), zebra(beside)];
            let (target, current) = (texts(&target, comes, is), texts(&current, CURRENT, was));
            match compare(&target, &current, &ways[turn / 3 % ways.len()], alone) {
                Ok(apart) => shared[i] += usize::from(apart),
                Err(why) => wrong.push(format!("{what} in {}:\n{why}", case.display())),
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong, the first: {}",
        wrong.len(),
        wrong.join("\n\n")
    );
    shared
}

#[test]
fn what_is_shared_says_what_it_says_when_it_joins() {
    let never = Options {
        rewrite: RewriteMode::Never,
        ..Options::default()
    };
    let shared = compare_all(&[Options::default(), never], false);
    assert!(shared.iter().filter(|times| **times > 20).count() > 8, "{shared:?}");
}

#[test]
fn what_is_shared_moves_as_with_each_alone() {
    let at = |stage| Options {
        stage,
        ..Options::default()
    };
    let in_waves = Options {
        order: Order::ArgoCd,
        ..Options::default()
    };
    let [first, third, fourth] = [1, 3, 4].map(|n| at(Stage::At(n)));
    let shared = compare_all(&[at(Stage::Next), first, third, fourth, in_waves], true);
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
    let both = |north: &str, zebra: &str| [north.to_owned(), beside.to_owned(), named(zebra, "zebra")];
    let current = both(&named(CURRENT, "north"), CURRENT);
    for stays in [CURRENT, TARGET] {
        let apart = compare(
            &both(&without.join("---\n"), stays),
            &current,
            &Options::default(),
            false,
        );
        assert_eq!(apart, Ok(false));
    }
}
