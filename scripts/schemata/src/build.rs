//! Plants, asks the compiler whom it does not take, and plants again without them, until the rest builds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::plant::{Mutant, Region, plant};

/// The tests that judge, in this order: `--lib` and then programs below `tests`.
pub const TESTS: &[&str] = &[
    "yaml_patch",
    "yaml_properties",
    "yaml_emit",
    "testdata",
    "umbrella",
    "plan",
    "verify",
    "odd",
];

const RUNTIME: &str = include_str!("switch.rs");

pub fn build(list: &Path, from: &Path, tree: &Path, work: &Path) -> Result<()> {
    let all: Vec<Mutant> = serde_json::from_str(&std::fs::read_to_string(list)?)?;
    let mut mutants: BTreeMap<u32, Mutant> = (0..).zip(all.iter().cloned()).collect();
    std::fs::create_dir_all(work)?;
    std::fs::write(tree.join("src/switch.rs"), RUNTIME)?;
    let lib = std::fs::read_to_string(from.join("src/lib.rs"))?;
    std::fs::write(
        tree.join("src/lib.rs"),
        format!("{lib}\n#[doc(hidden)]\npub mod switch;\n"),
    )?;
    let mut unviable = BTreeSet::new();
    let mut apart: Option<BTreeSet<u32>> = None;
    loop {
        let planted = plant(from, tree, &all, &mutants)?;
        let ids: BTreeSet<u32> = planted.ids.iter().copied().collect();
        let apart = apart.get_or_insert_with(|| mutants.keys().filter(|id| !ids.contains(id)).copied().collect());
        let errors = cargo(tree, &["check", "--lib"])?.0;
        if errors.is_empty() {
            let mut programs = programs(tree)?;
            programs.insert("tree".to_owned(), tree.to_path_buf());
            println!(
                "{} mutants: {} in the build, {} the compiler does not take, {} no switch can tell",
                all.len(),
                ids.len(),
                unviable.len(),
                apart.len()
            );
            let plan = serde_json::json!({
                "names": all.iter().map(|m| &m.name).collect::<Vec<_>>(), "files": all.iter().map(|m| &m.file).collect::<Vec<_>>(),
                "built": ids, "unviable": unviable, "apart": apart, "programs": programs,
            });
            return Ok(std::fs::write(work.join("plan.json"), plan.to_string())?);
        }
        let mut blamed = BTreeSet::new();
        for error in &errors {
            match (guilty(error, &planted.regions), arm_of(error, &planted.regions)) {
                (Some(id), _) => _ = blamed.insert(id),
                // With its arms behind switches a match may lack what it has with any one of them gone.
                (None, Some(id)) => {
                    blamed.insert(id);
                    apart.insert(id);
                }
                (None, None) => eprintln!("whose is this? {}", error["rendered"].as_str().unwrap_or_default()),
            }
        }
        println!("{} errors, {} mutants", errors.len(), blamed.len());
        if blamed.is_empty() {
            bail!("the compiler takes none of it");
        }
        for id in blamed {
            mutants.remove(&id);
            if !apart.contains(&id) {
                unviable.insert(id);
            }
        }
    }
}

/// The innermost region that one of the error's places lies in.
fn guilty(error: &Value, regions: &[Region]) -> Option<u32> {
    let spans = error["spans"].as_array()?;
    let mut spans: Vec<&Value> = spans.iter().collect();
    spans.sort_by_key(|s| !s["is_primary"].as_bool().unwrap_or_default());
    spans.iter().find_map(|span| {
        let (start, end) = (
            span["byte_start"].as_u64()? as usize,
            span["byte_end"].as_u64()? as usize,
        );
        let file = span["file_name"].as_str()?;
        let around = |r: &&Region| r.file == file && r.bytes.start <= start && end <= r.bytes.end;
        regions
            .iter()
            .filter(around)
            .min_by_key(|r| r.bytes.len())
            .map(|r| r.id)
    })
}

/// The first arm behind a match of which the compiler misses some.
fn arm_of(error: &Value, regions: &[Region]) -> Option<u32> {
    if error["code"]["code"] != "E0004" {
        return None;
    }
    let span = error["spans"].as_array()?.iter().find(|s| s["is_primary"] == true)?;
    let (file, start) = (span["file_name"].as_str()?, span["byte_start"].as_u64()? as usize);
    let behind = regions
        .iter()
        .filter(|r| r.arm && r.file == file && r.bytes.start > start);
    behind.min_by_key(|r| r.bytes.start).map(|r| r.id)
}

/// The compiler's errors, and the test programs by target.
fn cargo(tree: &Path, args: &[&str]) -> Result<(Vec<Value>, BTreeMap<String, PathBuf>)> {
    let output = Command::new("cargo")
        .args(args)
        .args(["--locked", "--message-format=json"])
        .current_dir(tree)
        .stderr(Stdio::inherit())
        .output()
        .context("cargo")?;
    let (mut errors, mut programs) = (Vec::new(), BTreeMap::new());
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(mut message) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        if message["reason"] == "compiler-message" && message["message"]["level"] == "error" {
            let error = message["message"].take();
            if error["spans"].as_array().is_some_and(|s| !s.is_empty()) {
                errors.push(error);
            }
        } else if let (Some(path), Some(name)) = (message["executable"].as_str(), message["target"]["name"].as_str()) {
            let unit = message["profile"]["test"] == true || message["target"]["kind"][0] == "test";
            programs.insert(if unit { name.to_owned() } else { format!("bin:{name}") }, path.into());
        }
    }
    if errors.is_empty() && !output.status.success() {
        bail!("cargo {} ended with {}", args.join(" "), output.status);
    }
    Ok((errors, programs))
}

fn programs(tree: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut args = vec!["test", "--no-run", "--lib"];
    for test in TESTS {
        args.extend(["--test", test]);
    }
    let (errors, programs) = cargo(tree, &args)?;
    match errors.first() {
        Some(error) => bail!("{}", error["rendered"].as_str().unwrap_or_default()),
        None => Ok(programs),
    }
}
