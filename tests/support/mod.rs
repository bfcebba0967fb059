//! What the test programs that take their cases from folders share.
#![allow(dead_code, reason = "each takes what it needs")]

pub mod scenario;

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};

/// Every folder below one that holds a `case.yaml`; `plan` is another program's.
pub fn cases(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("testdata/plan") {
            cases(&path, found);
        } else if path.file_name().is_some_and(|n| n == "case.yaml") {
            found.push(folder.to_owned());
        }
    }
}

/// A trial for each folder below `testdata` that [`cases`] finds.
pub fn case_trials(run: impl Fn(&Path) -> Result<(), String> + Clone + Send + 'static) -> Vec<Trial> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut folders = Vec::new();
    cases(&root, &mut folders);
    folders.sort();
    assert!(!folders.is_empty(), "no case under {}", root.display());
    let trial = |folder: PathBuf| {
        let name = folder.strip_prefix(&root).unwrap_or(&folder).display().to_string();
        let run = run.clone();
        Trial::test(name, move || run(&folder).map_err(Failed::from))
    };
    folders.into_iter().map(trial).collect()
}

/// A trial for each folder of `testdata/NAME` with a certain file in it.
pub fn trials(name: &str, file: &str, run: fn(&Path) -> Result<(), String>) -> Vec<Trial> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    let entries = std::fs::read_dir(&root).unwrap_or_else(|e| panic!("{}: {e}", root.display()));
    let mut folders: Vec<PathBuf> = entries
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.join(file).exists())
        .collect();
    folders.sort();
    assert!(!folders.is_empty(), "no case under {}", root.display());
    let trial = |folder: PathBuf| {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Trial::test(name, move || run(&folder).map_err(Failed::from))
    };
    folders.into_iter().map(trial).collect()
}
