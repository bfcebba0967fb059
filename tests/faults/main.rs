//! One fault at a time. From every case of `testdata` that passes, variants are derived with exactly one thing wrong, and
//! with one thing merely different.
//!
//! What is wrong must be refused by a code that the contract names for it, or be mended: the output's objects are then
//! those of the case itself. What is merely different changes neither the findings nor the objects.
//!
//! `cargo test --test faults` prints how many there were of each kind; a kind that is no longer derived often enough fails.
//! `cargo test --test faults -- rewrite/list` takes one case. Of each case one variant of a kind is taken, another one from
//! case to case; `FAULTS=all cargo test --test faults` takes all, which needs ten times as long.

mod different;
mod inputs;
mod scenario;
#[path = "../support/mod.rs"]
mod support;
mod write;
mod wrong;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Conclusion};
use milvus_uplift::judge::Judgement;
use milvus_uplift::value::{Value, json};

use scenario::{Base, Pick, Scenario, objects};

/// What may be wrong: its kind, the codes one of which must refuse it unless it is mended, and how many there are at least.
const WRONG: &[(&str, &[&str], usize)] = &[
    ("another queue", &["MU301", "MU302", "MU305"], 150),
    ("another broker", &["MU304", "MU310"], 130),
    ("another bucket", &["MU307"], 150),
    ("another etcd", &["MU307"], 150),
    // MU202: 2.4 has no such role.
    ("version of one component", &["MU106", "MU202"], 110),
    ("no role", &["MU007"], 150),
    // MU007: nothing is left to make the new components of.
    ("a role of before", &["MU113", "MU201", "MU007"], 140),
    ("a role before its time", &["MU202"], 12),
    ("a role of another", &["MU113"], 110),
    ("a missing component", &["MU113", "MU203"], 150),
    ("a missing ConfigMap", &["MU113", "MU310"], 150),
    ("an incomplete mixture", &["MU204", "MU113"], 75),
    ("a stray coordinator", &["MU201"], 75),
    ("a changed selector", &["MU114"], 150),
    ("another immutable field", &["MU114"], 8),
    ("a truncated stream", &["MU113"], 150),
    // MU3xx: what is left of a workload mounts its configuration no more.
    ("a torn document", &["MU001", "MU007", "MU113", "MU304", "MU307"], 150),
    ("no current", &["MU003"], 140),
    // MU201: half way both sides know 2.6, and what comes back are roles that it does not have.
    ("a swapped current", &["MU104", "MU201"], 100),
    ("a stale current", &["MU101", "MU103", "MU105"], 130),
    ("another release's current", &["MU004", "MU113"], 150),
    ("another namespace's current", &["MU004"], 150),
    ("foreign values", &["MU006"], 150),
];

/// What may be different, and how many there are at least.
const DIFFERENT: &[(&str, usize)] = &[
    ("a comment", 160),
    ("key order", 160),
    ("quoting", 160),
    ("indentation", 160),
    ("an unrelated object", 160),
    ("another namespace", 25),
    ("another chart's component: indexnode", 150),
];

/// How often each kind was derived: refused, mended; of what is different, left as it was.
type Counts = BTreeMap<&'static str, [usize; 2]>;

fn main() {
    let args = Arguments::from_args();
    let counts = Arc::new(Mutex::new(Counts::new()));
    let own = Arc::clone(&counts);
    let trials = support::case_trials(move |folder| run(folder, &own));
    let conclusion = libtest_mimic::run(&args, trials);
    let few = shown(&counts.lock().expect("no panic"), &conclusion);
    if few && conclusion.num_filtered_out == 0 && !args.list {
        std::process::exit(101);
    }
    conclusion.exit();
}

/// Prints the counts; whether a kind was derived too seldom.
fn shown(counts: &Counts, conclusion: &Conclusion) -> bool {
    let (mut few, mut wrong, mut different) = (false, 0, 0);
    let of = |kind: &str| counts.get(kind).copied().unwrap_or_default();
    for (kind, _, least) in WRONG {
        let [refused, mended] = of(kind);
        println!("{kind}: {refused} refused, {mended} mended");
        few |= refused + mended < *least;
        wrong += refused + mended;
    }
    for (kind, least) in DIFFERENT {
        let [same, _] = of(kind);
        println!("{kind}: {same} the same");
        few |= same < *least;
        different += same;
    }
    println!("{wrong} with one thing wrong, {different} with one thing different");
    if few && conclusion.num_filtered_out == 0 {
        println!("a kind was derived less often than the table in tests/faults/main.rs says");
    }
    few
}

fn run(folder: &Path, counts: &Mutex<Counts>) -> Result<(), String> {
    let Some(scenario) = Scenario::read(folder) else {
        return Ok(());
    };
    let base = Base::of(scenario, Pick::of(folder));
    let mut own = Counts::new();
    let mut bad = Vec::new();
    let faults = wrong::faults(&base).into_iter().chain(inputs::faults(&base)).collect();
    for fault in base.pick.of_each_kind(faults, |f: &wrong::Fault| f.kind) {
        let (_, codes, _) = WRONG
            .iter()
            .find(|(k, ..)| *k == fault.kind)
            .expect("a row of the table");
        let judgement = fault.scenario.judge();
        // Its stead is put together of its siblings, and has none of its own settings.
        let missing = (fault.kind == "a missing component").then_some(fault.what.as_str());
        match judged(&base, &judgement, codes, missing) {
            Ok(mended) => own.entry(fault.kind).or_default()[usize::from(mended)] += 1,
            Err(why) => bad.push(format!("{}, {}: {why}", fault.kind, fault.what)),
        }
    }
    for difference in base.pick.of_each_kind(different::differences(&base), |d| d.kind) {
        match unchanged(&base, &difference) {
            Ok(()) => own.entry(difference.kind).or_default()[0] += 1,
            Err(why) => bad.push(format!("{}, {}: {why}", difference.kind, difference.what)),
        }
    }
    let mut counts = counts.lock().expect("no panic");
    for (kind, [a, b]) in own {
        let sum = counts.entry(kind).or_default();
        *sum = [sum[0] + a, sum[1] + b];
    }
    match bad.is_empty() {
        true => Ok(()),
        false => Err(bad.join("\n")),
    }
}

/// Whether the fault was mended; an error where it was neither mended nor refused with the right code.
fn judged(base: &Base, judgement: &Judgement, codes: &[&str], missing: Option<&str>) -> Result<bool, String> {
    let refusals: BTreeSet<&str> = judgement
        .findings
        .iter()
        .filter(|f| f.refuses())
        .map(|f| f.code)
        .collect();
    match &judgement.text() {
        None if refusals.iter().any(|c| codes.contains(c)) => Ok(false),
        None => Err(format!("refused by {refusals:?}, not by one of {codes:?}")),
        Some(output) => match told_apart(&sorted(&base.objects, missing), &sorted(&objects(output), missing)) {
            None => Ok(true),
            Some(what) => Err(format!("passes, and {what}")),
        },
    }
}

/// The objects by name: what is mended may stand elsewhere in the stream. Of what was missing only the name, the selector
/// and the images are looked at.
fn sorted(objects: &[Value], missing: Option<&str>) -> Vec<Value> {
    let mut all = objects.to_vec();
    for object in all
        .iter_mut()
        .filter(|o| missing.is_some_and(|m| o["metadata"]["name"] == *m))
    {
        if let Some(containers) = object
            .pointer("/spec/template/spec/containers")
            .and_then(Value::as_array)
        {
            let images: Vec<&Value> = containers.iter().map(|c| &c["image"]).collect();
            *object = json!({"kind": object["kind"], "metadata": {"name": object["metadata"]["name"], "namespace": object["metadata"]["namespace"]},
                "selector": object["spec"]["selector"], "images": images});
        }
    }
    all.sort_by_key(named);
    all
}

fn unchanged(base: &Base, difference: &different::Difference) -> Result<(), String> {
    let judgement = difference.scenario.judge();
    let codes = |j: &Judgement| -> BTreeSet<(&str, bool)> { j.findings.iter().map(|f| (f.code, f.allowed)).collect() };
    let (wanted, got) = (codes(&base.judgement), codes(&judgement));
    if wanted != got {
        return Err(format!("finds {got:?}, not {wanted:?}"));
    }
    let output = judgement.text().ok_or("refused")?;
    let mut out = objects(&output);
    for added in &difference.added {
        let at = out
            .iter()
            .position(|o| o == added)
            .ok_or_else(|| format!("lost {}", named(added)))?;
        out.remove(at);
    }
    told_apart(&difference.objects, &out).map_or(Ok(()), Err)
}

/// What differs first between two lists of objects.
fn told_apart(wanted: &[Value], got: &[Value]) -> Option<String> {
    let twin = |o: &Value, all: &[Value]| all.iter().any(|g| named(g) == named(o));
    if let Some(lost) = wanted.iter().find(|o| !twin(o, got)) {
        return Some(format!("{} is not in the output", named(lost)));
    }
    if let Some(more) = got.iter().find(|o| !twin(o, wanted)) {
        return Some(format!("{} is in the output", named(more)));
    }
    let pairs = wanted.iter().zip(got).find(|(a, b)| a != b);
    if let Some((a, b)) = pairs {
        let ops = milvus_uplift::kube::delta::delta(a, b);
        return Some(format!("{} differs from {}: {ops:?}", named(b), named(a)));
    }
    (wanted.len() != got.len()).then(|| format!("{} objects, not {}", got.len(), wanted.len()))
}

fn named(object: &Value) -> String {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    format!(
        "{} {}/{}",
        text(&object["kind"]),
        text(&metadata["namespace"]),
        text(&metadata["name"])
    )
}
