//! The whole way, from the inputs to the bytes.

use milvus_uplift::apply;
use milvus_uplift::finding::Input;
use milvus_uplift::host::Host;
use milvus_uplift::judge::{Current, Held, Judgement, Places, Request, ValuesFile, judge};
use milvus_uplift::options::{Allowances, Assumptions, Options, RewriteMode};
use milvus_uplift::order::Order;
use milvus_uplift::report;
use milvus_uplift::rewrite::ChangeOp;
use milvus_uplift::rules;
use milvus_uplift::stage::Stage;
use milvus_uplift::stream::Stream;

use super::sections::{self, Section};

/// Sections `args` (one `KEY=VALUE` a line), `target`, `current`, `values` and `patch` (both as often as wanted).
pub fn render(data: &[u8]) {
    let sections = sections::cut(data);
    if let Some(target) = sections::get(&sections, "target") {
        holds(&request(&sections, target, options(&sections)));
        // It takes several times as long.
        if data.len().is_multiple_of(8) {
            beside_another(&sections, target, SHARED[data.len() / 8 % SHARED.len()]);
        }
    }
}

/// What two releases may share.
const SHARED: [&str; 4] = [
    "",
    "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: x}\nspec: {podSelector: {}, ingress: [{}]}\n",
    "---\napiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {selector: {component: indexnode}}\n",
    "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: x}\nspec: {selector: {matchExpressions: \
     [{key: component, operator: In, values: [datacoord, proxy]}]}}\n",
];

/// Beside another release all is judged the same, as a whole and circle by circle.
fn beside_another(sections: &[Section], target: &[u8], shared: &str) {
    const TARGET: &[u8] = include_bytes!("../../../testdata/rewrite/consolidate/target.yaml");
    const CURRENT: &[u8] = include_bytes!("../../../testdata/rewrite/consolidate/current.yaml");
    let Some(current) = sections::get(sections, "current") else {
        return;
    };
    let between = [shared.as_bytes(), b"\n---\n"].concat();
    let target = [TARGET, b"\n", &between, target].concat();
    let current = [CURRENT, b"\n", &between, current].concat();
    let others = sections.iter().filter(|s| s.name != "current").cloned();
    let both = Section {
        name: "current",
        body: &current,
    };
    let sections: Vec<Section> = others.chain([both]).collect();
    let [whole, apart] = [Held(usize::MAX), Held(0)].map(|held| {
        judge(&Request {
            held,
            ..request(&sections, &target, options(&sections))
        })
    });
    assert_eq!(whole.text(), apart.text());
    assert_eq!(format!("{:?}", whole.findings), format!("{:?}", apart.findings));
    assert_eq!(format!("{:?}", whole.changes), format!("{:?}", apart.changes));
}

/// One file of patches over a stream that is always the same.
pub fn overlay(data: &[u8]) {
    let target = include_bytes!("../../../testdata/rewrite/consolidate/target.yaml");
    let patch = Section {
        name: "patch",
        body: data,
    };
    let (current, options) = (
        Section {
            name: "args",
            body: b"current=none\n",
        },
        Options::default(),
    );
    holds(&request(&[current, patch], target, options));
}

fn args<'d>(sections: &[Section<'d>]) -> Vec<(&'d str, &'d str)> {
    let text = sections::get(sections, "args").and_then(|b| std::str::from_utf8(b).ok());
    text.unwrap_or_default()
        .lines()
        .filter_map(|l| l.trim().split_once('='))
        .collect()
}

fn options(sections: &[Section]) -> Options {
    let args = args(sections);
    let all = |key: &str| {
        args.iter()
            .filter(|(k, _)| *k == key)
            .map(|(_, v)| *v)
            .collect::<Vec<_>>()
    };
    let has = |key: &str, value: &str| args.contains(&(key, value));
    Options {
        assume: Assumptions::parse(all("assume")).unwrap_or_default(),
        allow: Allowances::parse(all("allow"), &rules::codes(), false).unwrap_or_default(),
        rewrite: if has("rewrite", "never") {
            RewriteMode::Never
        } else {
            RewriteMode::Auto
        },
        stage: match all("stage").first() {
            Some(&"next") => Stage::Next,
            Some(n) => n.parse().map_or(Stage::All, Stage::At),
            None => Stage::All,
        },
        order: if has("order", "argocd") {
            Order::ArgoCd
        } else {
            Order::Unsaid
        },
    }
}

fn request(sections: &[Section], target: &[u8], options: Options) -> Request {
    let files = |name: &str| {
        let named = sections.iter().filter(|s| s.name == name);
        named
            .map(|s| ValuesFile {
                name: name.to_owned(),
                bytes: s.body.to_vec(),
            })
            .collect::<Vec<_>>()
    };
    let args = args(sections);
    let current = match sections::get(sections, "current") {
        Some(bytes) => Current::Manifests(bytes.into()),
        None if args.contains(&("current", "none")) => Current::Nothing,
        None => Current::Unsaid,
    };
    Request {
        target: target.into(),
        current,
        values: files("values"),
        stored_values: args.contains(&("values", "current")).then_some(0),
        options,
        host_command: None,
        patches: files("patch"),
        places: Places::Always,
        held: Held::default(),
    }
}

/// What must hold of every judgement.
fn holds(request: &Request) {
    let judgement = judge(request);
    said(&judgement);
    assert!(
        !judgement.unvouched,
        "{:?}",
        judgement.findings.iter().find(|f| f.code == "MU901")
    );
    assert_eq!(judgement.output.is_none(), judgement.refused());
    let Some(output) = &judgement.text() else { return };
    let before = Stream::read(&request.target, Input::Target).expect("it was judged");
    let after = Stream::read(output.as_bytes(), Input::Target).unwrap_or_else(|e| panic!("{e:?}\n{output}"));
    adds_up(&before, &after, &judgement);
    stays(&before, output, &judgement);
    let last = judgement
        .releases
        .iter()
        .all(|r| r.stage.is_none_or(|s| s.applied == s.last));
    if last && request.patches.is_empty() && request.options.order == Order::Unsaid {
        again(request, output);
    }
}

/// Every view of a judgement can be had.
fn said(judgement: &Judgement) {
    let verdict = report::json(judgement)["verdict"].clone();
    assert_eq!(verdict == "refuse", judgement.refused());
    let _ = (
        report::text::findings(judgement),
        report::text::refusal(judgement),
        report::text::warnings(judgement),
    );
    for finding in &judgement.findings {
        assert!(!finding.message.is_empty(), "{} says nothing", finding.code);
    }
}

/// The output holds the input's objects with the changes made, and nothing else.
fn adds_up(before: &Stream, after: &Stream, judgement: &Judgement) {
    let wanted = apply::proposed(before, &judgement.changes).expect("the changes fit");
    let mut wanted: Vec<String> = wanted.iter().map(|o| o.value.to_string()).collect();
    let mut got: Vec<String> = after.objects.iter().map(|o| o.value.to_string()).collect();
    if judgement.host == Host::Krm {
        wanted.sort();
        got.sort();
    }
    assert_eq!(got.len(), wanted.len(), "objects came or went without a change");
    for (got, wanted) in got.iter().zip(&wanted) {
        let value = |text: &str| serde_json::from_str::<milvus_uplift::value::Value>(text).expect("JSON");
        assert!(
            got == wanted || value(got) == value(wanted),
            "{got}\nis not the input plus its changes:\n{wanted}"
        );
    }
}

/// Documents that no change names are there byte for byte, in their order.
fn stays(before: &Stream, output: &str, judgement: &Judgement) {
    let mut rest = output;
    for document in before.documents.iter() {
        let named = |op: ChangeOp| op != ChangeOp::Inject;
        let touched = judgement
            .changes
            .iter()
            .any(|c| c.document == document.index && named(c.op));
        if touched || judgement.host == Host::Krm && !judgement.changes.is_empty() {
            continue;
        }
        let body = before.body(document.index).trim_end_matches('\n');
        let at = rest
            .find(body)
            .unwrap_or_else(|| panic!("document {} changed without a change", document.index));
        rest = &rest[at + body.len()..];
    }
}

/// Rendering the output again changes nothing.
fn again(request: &Request, output: &str) {
    let again = Request {
        target: output.into(),
        current: match &request.current {
            Current::Manifests(bytes) => Current::Manifests(bytes.clone()),
            Current::Nothing => Current::Nothing,
            _ => Current::Unsaid,
        },
        values: request
            .values
            .iter()
            .map(|v| ValuesFile {
                name: v.name.clone(),
                bytes: v.bytes.clone(),
            })
            .collect(),
        stored_values: request.stored_values,
        options: request.options.clone(),
        ..Request::default()
    };
    let judgement = judge(&again);
    let why = || {
        judgement
            .findings
            .iter()
            .filter(|f| f.refuses())
            .map(|f| (f.code, &f.message))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        judgement.text().as_deref(),
        Some(output),
        "rendering again: {:?}",
        why()
    );
}
