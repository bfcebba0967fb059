//! Every object that is injected or touched, over all of `testdata`: read as the types of the oldest and of the newest
//! supported Kubernetes, with nothing unknown in it, and held to what the API server demands beyond the types.
//!
//! What a case's own manifests (its target, or what is deployed) had already is theirs. Of a kind that one of the two
//! versions does not serve, and of a kind that is no part of Kubernetes, that is said and counted.
//!
//! `cargo test --test typed` prints how many there were of each kind; fewer than below fail.

mod able;
mod kinds;
mod limits;
mod names;
mod pods;
mod references;
#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Conclusion};
use milvus_uplift::finding::Input;
use milvus_uplift::judge::Judgement;
use milvus_uplift::kube::Object;
use milvus_uplift::order::Order;
use milvus_uplift::rewrite::ChangeOp;
use milvus_uplift::stage::{LAST, Stage};
use milvus_uplift::stream::Stream;
use milvus_uplift::value::Value;

use kinds::{Reading, VERSIONS, Version};
use support::scenario::Scenario;

/// How many different objects there must be at least: injected, and patched.
const LEAST: [usize; 2] = [100, 200];

/// Something that the API server would not take.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// JSON pointer in the object.
    pub at: String,
    /// What is wrong there.
    pub what: String,
}

impl Fault {
    /// Something wrong at a place.
    pub fn new(at: impl AsRef<str>, what: impl Into<String>) -> Fault {
        Fault {
            at: at.as_ref().to_owned(),
            what: what.into(),
        }
    }

    /// The fault wherever in its list it stands.
    fn anywhere(&self) -> Fault {
        let part = |p: &str| {
            if p.parse::<usize>().is_ok() {
                "*".to_owned()
            } else {
                p.to_owned()
            }
        };
        let at: Vec<String> = self.at.split('/').map(part).collect();
        Fault::new(at.join("/"), self.what.clone())
    }
}

/// What was seen.
#[derive(Default)]
struct Seen {
    cases: usize,
    outputs: usize,
    /// Different objects by what was done to them.
    objects: [BTreeSet<String>; 2],
    /// Different objects by kind, and what became of them in each version.
    kinds: BTreeMap<(String, Version, &'static str), BTreeSet<String>>,
    /// Faults that the manifests came with.
    came: BTreeSet<Fault>,
}

fn main() {
    let args = Arguments::from_args();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let own = Arc::clone(&seen);
    let mut trials = support::case_trials(move |folder| run(folder, &own));
    trials.extend(able::trials());
    trials.extend(names::trials());
    let conclusion = libtest_mimic::run(&args, trials);
    let few = shown(&seen.lock().expect("no panic"), &conclusion);
    if few && conclusion.num_filtered_out == 0 && !args.list {
        std::process::exit(101);
    }
    conclusion.exit();
}

/// Prints the counts; whether there were too few.
fn shown(seen: &Seen, conclusion: &Conclusion) -> bool {
    for ((kind, version, what), objects) in &seen.kinds {
        println!("{kind}, Kubernetes {version}: {} {what}", objects.len());
    }
    for fault in &seen.came {
        println!("came with it: {} {}", fault.at, fault.what);
    }
    let [injected, patched] = [0, 1].map(|i| seen.objects[i].len());
    println!(
        "{injected} objects injected and {patched} patched, in {} outputs of {} cases",
        seen.outputs, seen.cases
    );
    let few = injected < LEAST[0] || patched < LEAST[1];
    if few && conclusion.num_filtered_out == 0 {
        println!("fewer than {LEAST:?}, which stand in tests/typed/main.rs");
    }
    few
}

fn run(folder: &Path, seen: &Mutex<Seen>) -> Result<(), String> {
    let Some(scenario) = Scenario::read(folder) else {
        return Ok(());
    };
    let mut outputs = BTreeSet::new();
    let mut bad = BTreeSet::new();
    let mut own = Seen::default();
    for (way, judgement) in ways(&scenario) {
        let Some(output) = &judgement.text() else { continue };
        if outputs.insert(output.clone()) {
            let faults = touched(output, &judgement, &mut own);
            bad.extend(faults.into_iter().map(|f| format!("{way}: {f}")));
        }
    }
    let mut seen = seen.lock().expect("no panic");
    seen.cases += 1;
    seen.outputs += outputs.len();
    for (all, own) in seen.objects.iter_mut().zip(own.objects) {
        all.extend(own);
    }
    for (key, objects) in own.kinds {
        seen.kinds.entry(key).or_default().extend(objects);
    }
    seen.came.extend(own.came);
    match bad.is_empty() {
        true => Ok(()),
        false => Err(bad.into_iter().collect::<Vec<_>>().join("\n")),
    }
}

/// The case as it is, by each stage, and by the waves of Argo CD.
fn ways(scenario: &Scenario) -> Vec<(String, Judgement)> {
    let mut ways = vec![("as it is".to_owned(), scenario.judge_quickly())];
    let staged = ways[0]
        .1
        .releases
        .iter()
        .any(|r| r.kind.is_some_and(|k| k.last_stage().is_some()));
    if staged {
        for stage in (0..=LAST).map(Stage::At) {
            let mut way = scenario.clone();
            way.options.stage = stage;
            ways.push((format!("--stage {stage:?}"), way.judge_quickly()));
        }
    }
    let mut way = scenario.clone();
    way.options.order = Order::ArgoCd;
    ways.push(("--order argocd".to_owned(), way.judge_quickly()));
    ways
}

/// The faults of the objects that a judgement injects or patches, as they stand in the output.
fn touched(output: &str, judgement: &Judgement, seen: &mut Seen) -> Vec<String> {
    let after = Stream::read(output.as_bytes(), Input::Target)
        .expect("an output")
        .objects;
    let mut bad = Vec::new();
    let changes = judgement.changes.iter();
    for change in changes.filter(|c| matches!(c.op, ChangeOp::Inject | ChangeOp::Patch)) {
        // What a stage holds back may be of another API version.
        let Some(object) = after.iter().find(|o| o.reference.same_object(&change.object)) else {
            bad.push(format!("{} is changed and not in the output", change.object));
            continue;
        };
        let mut found = judged(object, seen);
        found.extend(references::faults(object, change.op, &after));
        let streams = || {
            let (target, current) = &judgement.read;
            target.iter().chain(current.as_ref().map(|c| &c.stream))
        };
        if change.op == ChangeOp::Patch {
            let before = streams()
                .flat_map(|s| &s.objects)
                .filter(|o| o.reference.same_object(&change.object));
            found.extend(before.filter_map(|b| references::moved(object, b)));
        }
        let mut theirs = BTreeSet::new();
        // Seldom: nothing is amiss.
        for stream in streams().filter(|_| !found.is_empty()) {
            let before = stream.objects.iter().filter(|o| match change.op {
                // What comes is made of its siblings.
                ChangeOp::Inject => o.reference.kind == change.object.kind,
                _ => o.reference.same_object(&change.object),
            });
            for before in before {
                let faults = judged(before, &mut Seen::default());
                let dangling = references::faults(before, ChangeOp::Patch, &stream.objects);
                theirs.extend(faults.iter().chain(&dangling).map(Fault::anywhere));
            }
        }
        seen.objects[usize::from(change.op == ChangeOp::Patch)].insert(object.value.to_string());
        let (came, ours): (Vec<Fault>, Vec<Fault>) = found.into_iter().partition(|f| theirs.contains(&f.anywhere()));
        seen.came.extend(came.iter().map(Fault::anywhere));
        bad.extend(
            ours.into_iter()
                .map(|f| format!("{}: {} {}", object.reference, f.at, f.what)),
        );
    }
    bad
}

/// What the API server would not take of an object, whichever of the two versions it is.
fn judged(object: &Object, seen: &mut Seen) -> Vec<Fault> {
    let mut found = limits::faults(&object.value);
    for version in VERSIONS {
        let what = match kinds::read(version, &object.value) {
            Reading::Read(faults) => {
                let versioned = |f: Fault| Fault::new(f.at, format!("{} (Kubernetes {version})", f.what));
                found.extend(faults.into_iter().map(versioned));
                "read"
            }
            Reading::NotServed => "not served by it",
            Reading::Custom => "no part of Kubernetes, not typed",
            Reading::Unlisted => {
                found.push(Fault::new("/kind", "stands in no table of tests/typed/kinds.rs"));
                "unlisted"
            }
        };
        let key = (
            format!("{} {}", object.reference.api_version, object.reference.kind),
            version,
            what,
        );
        seen.kinds.entry(key).or_default().insert(object.value.to_string());
    }
    found
}

/// The objects of a text.
fn objects(text: &str) -> Vec<Value> {
    let stream = Stream::read(text.as_bytes(), Input::Target).expect("a stream");
    stream.objects.iter().map(|o| Value::clone(&o.value)).collect()
}
