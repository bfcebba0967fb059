//! Lets the tests judge: each mutant is shown to the tests that come by it, nearest first, until one notices.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::build::TESTS;

#[derive(Deserialize)]
struct Plan {
    names: Vec<String>,
    files: Vec<String>,
    built: Vec<u32>,
    unviable: Vec<u32>,
    apart: Vec<u32>,
    programs: BTreeMap<String, PathBuf>,
}

/// One test: the program, and its name in it.
type Test = (String, String);

/// Who comes by: mutant -> tests.
type Seen = HashMap<u32, BTreeSet<Test>>;

#[derive(Default, Deserialize, Serialize)]
struct Tests {
    seen: Seen,
    slow: BTreeSet<String>,
}

const UNIT: &str = "milvus_uplift";

/// Judges the mutants whose name `pattern` (an extended regular expression) matches; what `verdicts.tsv` has already is done.
pub fn run(work: &Path, pattern: &str) -> Result<()> {
    let plan: Plan =
        serde_json::from_str(&std::fs::read_to_string(work.join("plan.json")).context("plan.json: build first")?)?;
    let verdicts = work.join("verdicts.tsv");
    let done = std::fs::read_to_string(&verdicts).unwrap_or_default();
    let done: BTreeSet<&str> = done.lines().filter_map(|line| line.split('\t').nth(1)).collect();
    let asked = matching(&plan.names, pattern)?;
    let wanted = |id: &u32| asked.contains(id) && !done.contains(plan.names[*id as usize].as_str());
    let apart = plan.apart.iter().filter(|id| asked.contains(id));
    let apart: String = apart.map(|id| format!("{}\n", plan.names[*id as usize])).collect();
    std::fs::write(work.join("apart"), apart)?;
    let out = Mutex::new(std::fs::OpenOptions::new().create(true).append(true).open(&verdicts)?);
    let write = |id: u32, kind: &str, by: &str| {
        let line = format!("{kind}\t{}\t{by}\n", plan.names[id as usize]);
        out.lock()
            .expect("no panic")
            .write_all(line.as_bytes())
            .expect("verdicts.tsv");
    };
    for id in plan.unviable.iter().copied().filter(wanted) {
        write(id, "unviable", "the compiler");
    }
    let tests = tests(work, &plan)?;
    let left: Vec<u32> = plan.built.iter().copied().filter(wanted).collect();
    // Whoever lives through the nearest tests meets all of them.
    let survivors = each(left, |id| match judge(&plan, &tests, id, Depth::Near) {
        ("missed", _) => Some(id),
        (kind, by) => {
            write(id, kind, &by);
            None
        }
    });
    each(survivors, |id| {
        let (kind, by) = judge(&plan, &tests, id, Depth::All);
        write(id, kind, &by);
        None
    });
    control(&plan)
}

/// Without a mutant the tests still pass. A disk that is full would have made everything fail, and all of it look caught.
fn control(plan: &Plan) -> Result<()> {
    for program in [UNIT].iter().chain(TESTS).filter(|p| **p != "plan") {
        if noticed(plan, program, u32::MAX, &[]).is_some() {
            bail!("{program} fails without any mutant now: the verdicts say nothing");
        }
    }
    Ok(())
}

/// Does something with each mutant, one on each core; gives those that are left.
fn each(ids: Vec<u32>, work: impl Fn(u32) -> Option<u32> + Sync) -> Vec<u32> {
    let (next, left) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(&id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
                    left.lock().expect("no panic").extend(work(id));
                }
            });
        }
    });
    left.into_inner().expect("no panic")
}

fn matching(names: &[String], pattern: &str) -> Result<BTreeSet<u32>> {
    let mut grep = Command::new("grep")
        .args(["-nE", "--", pattern])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = grep.stdin.take().context("grep")?;
    let text = names.join("\n");
    let feed = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = grep.wait_with_output()?;
    feed.join().expect("no panic")?;
    let lines = String::from_utf8(output.stdout)?;
    Ok(lines
        .lines()
        .filter_map(|line| line.split(':').next()?.parse::<u32>().ok())
        .map(|line| line - 1)
        .collect())
}

/// Unit tests by nearness to the mutant: those of its file, of its area, the others, and then whatever takes long.
fn nearness(plan: &Plan, tests: &Tests, id: u32, name: &str) -> usize {
    let file = &plan.files[id as usize];
    let module = file
        .trim_start_matches("src/")
        .trim_end_matches(".rs")
        .trim_end_matches("/mod")
        .replace('/', "::");
    let area = module.split("::").next().unwrap_or_default();
    if name.starts_with(&format!("{module}::")) {
        0
    } else if tests.slow.contains(name) {
        3
    } else if name.starts_with(&format!("{area}::")) {
        1
    } else {
        2
    }
}

/// A few from here and there, then the others: a mutant that breaks many tests need not meet hundreds of them.
fn few_first(mut names: Vec<&str>) -> Vec<Vec<&str>> {
    names.sort_by_cached_key(|name| hash(name));
    let others = names.split_off(names.len().min(24));
    [names, others].into_iter().filter(|names| !names.is_empty()).collect()
}

/// How many of the tests a mutant meets.
#[derive(Clone, Copy, PartialEq)]
enum Depth {
    /// The unit tests that are quick, and a few folders of testdata.
    Near,
    /// Every test that comes by.
    All,
}

fn judge(plan: &Plan, tests: &Tests, id: u32, depth: Depth) -> (&'static str, String) {
    let Some(by) = tests.seen.get(&id) else {
        return ("missed", "no test comes by".to_owned());
    };
    let units = by
        .iter()
        .filter(|(program, _)| program == UNIT)
        .map(|(_, name)| name.as_str());
    let mut groups: [Vec<&str>; 4] = Default::default();
    for name in units {
        groups[nearness(plan, tests, id, name)].push(name);
    }
    let [.., slow] = &mut groups;
    if depth == Depth::Near {
        slow.clear();
    }
    for names in groups.into_iter().flat_map(few_first) {
        let args: Vec<&str> = [
            "--exact",
            "--test-threads=1",
            "--quiet",
            "-Zunstable-options",
            "--fail-fast",
        ]
        .into_iter()
        .chain(names)
        .collect();
        if let Some(kind) = noticed(plan, UNIT, id, &args) {
            return (kind, UNIT.to_owned());
        }
    }
    for (program, name) in trials(plan, by, id, depth) {
        if let Some(kind) = noticed(plan, program, id, &["--exact", name, "--test-threads=1"]) {
            return (kind, format!("{program} {name}"));
        }
    }
    ("missed", format!("{} tests come by", by.len()))
}

/// The tests of other programs than the unit tests', those first that are named after the rule.
fn trials<'a>(plan: &Plan, by: &'a BTreeSet<Test>, id: u32, depth: Depth) -> Vec<(&'static str, &'a str)> {
    let file = plan.files[id as usize].rsplit('/').next().unwrap_or_default();
    let code = file.split('_').next().unwrap_or_default().to_uppercase();
    let mut all = Vec::new();
    for program in TESTS
        .iter()
        .copied()
        .filter(|p| depth == Depth::All || matches!(*p, "testdata") || p.starts_with("yaml_"))
    {
        // The walks of staged-upgrade wait for a cluster, in seconds.
        let named = by
            .iter()
            .filter(|(p, name)| p == program && !name.starts_with("staged-upgrade"));
        let mut names: Vec<&str> = named.map(|(_, name)| name.as_str()).collect();
        names.sort_by_cached_key(|name| (!name.contains(&code), hash(name)));
        names.truncate(if depth == Depth::All { usize::MAX } else { 12 });
        all.extend(names.into_iter().map(|name| (program, name)));
    }
    all
}

fn hash(name: &str) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(name)
}

fn noticed(plan: &Plan, program: &str, id: u32, args: &[&str]) -> Option<&'static str> {
    let status = shell(plan, program, args)
        .env("MUTANT", id.to_string())
        .status()
        .expect("bash");
    match status.code() {
        Some(0) => None,
        // What `timeout` and the limit of CPU time end with.
        Some(124 | 137 | 152) => Some("timeout"),
        _ => Some("caught"),
    }
}

fn shell(plan: &Plan, program: &str, args: &[&str]) -> Command {
    let mut command = Command::new("bash");
    command
        .args(["-c", "ulimit -t 60 -v 6000000; exec timeout 300 \"$@\"", "bash"])
        .arg(&plan.programs[program])
        .args(args);
    command
        .current_dir(&plan.programs["tree"])
        .env("RUSTC_BOOTSTRAP", "1")
        .env("PROPTEST_CASES", "32");
    command.env("CARGO_MANIFEST_DIR", &plan.programs["tree"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Runs every test without a mutant and writes down who comes by where, and which unit tests take long.
fn tests(work: &Path, plan: &Plan) -> Result<Tests> {
    let cache = work.join("tests.json");
    if let Ok(text) = std::fs::read_to_string(&cache) {
        return Ok(serde_json::from_str(&text)?);
    }
    let mut tests = Tests::default();
    let record = work.join("seen");
    let take = |seen: &mut Seen, program: &str, name: Option<&str>, args: &[&str]| -> Result<String> {
        _ = std::fs::remove_file(&record);
        let output = shell(plan, program, args)
            .env("MUTANTS_SEEN", &record)
            .stdout(Stdio::piped())
            .output()?;
        if !output.status.success() {
            bail!("{program} {args:?} fails without any mutant");
        }
        for line in std::fs::read_to_string(&record).unwrap_or_default().lines() {
            let (thread, id) = line.split_once('\t').context("a line of the record")?;
            seen.entry(id.parse()?)
                .or_default()
                .insert((program.to_owned(), name.unwrap_or(thread).to_owned()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    for program in [UNIT].iter().chain(TESTS) {
        if *program == UNIT || program.starts_with("yaml_") {
            // With one thread they would run on the main one, which has no test's name.
            let told = take(
                &mut tests.seen,
                program,
                None,
                &["--test-threads=2", "-Zunstable-options", "--report-time"],
            )?;
            tests.slow.extend(told.lines().filter_map(slow));
        } else {
            for name in listed(plan, program)? {
                take(
                    &mut tests.seen,
                    program,
                    Some(&name),
                    &["--exact", &name, "--test-threads=1"],
                )?;
            }
        }
    }
    std::fs::write(cache, serde_json::to_string(&tests)?)?;
    Ok(tests)
}

/// Of `test NAME ... ok <1.234s>` the name, where it takes more than a fifth of a second.
fn slow(line: &str) -> Option<String> {
    let (name, rest) = line.strip_prefix("test ")?.split_once(" ... ok <")?;
    let seconds: f64 = rest.strip_suffix("s>")?.parse().ok()?;
    (seconds > 0.2).then(|| name.to_owned())
}

fn listed(plan: &Plan, program: &str) -> Result<Vec<String>> {
    let output = Command::new(&plan.programs[program])
        .args(["--list"])
        .current_dir(&plan.programs["tree"])
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .map(str::to_owned)
        .collect())
}
