//! What the fuzz targets found once: each file of `testdata/fuzz/TARGET` goes through what that target asks of any input.
//! A case is added by adding its file.

#[path = "../fuzz/src/oracle/mod.rs"]
mod oracle;

use std::path::Path;
use std::time::{Duration, Instant};

use oracle::{TARGETS, sections};

#[test]
fn what_was_found_stays_mended() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/fuzz");
    let mut files = 0;
    for folder in std::fs::read_dir(&root).expect("testdata/fuzz").flatten() {
        let name = folder.file_name().to_string_lossy().into_owned();
        let known = TARGETS.iter().find(|(target, _)| *target == name);
        let (_, oracle) = known.unwrap_or_else(|| panic!("testdata/fuzz/{name} belongs to no target"));
        for file in std::fs::read_dir(folder.path()).expect("a folder").flatten() {
            eprintln!("{}", file.path().display());
            let start = Instant::now();
            oracle(&std::fs::read(file.path()).expect("a file"));
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "{} takes too long",
                file.path().display()
            );
            files += 1;
        }
    }
    assert!(files > 0, "no case was run");
}

#[test]
fn every_target_is_there_and_started_each_night() {
    let manifest = include_str!("../fuzz/Cargo.toml");
    let programs = manifest.matches("[[bin]]").count();
    assert_eq!(programs, TARGETS.len());
    let workflow = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/workflows/fuzz.yml");
    let workflow = std::fs::read_to_string(workflow).expect("the workflow");
    let nightly = workflow
        .split_once("target: [")
        .and_then(|(_, rest)| rest.split_once(']'));
    let mut nightly: Vec<&str> = nightly.expect("a list of targets").0.split(", ").collect();
    let mut targets = TARGETS.map(|(target, _)| target);
    nightly.sort_unstable();
    targets.sort_unstable();
    assert_eq!(nightly, targets);
    for (target, _) in TARGETS {
        assert!(
            manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")),
            "{target}"
        );
    }
}

#[test]
fn an_input_of_several_parts_is_cut_where_they_begin() {
    let cut = sections::cut(b"lost\n=== a\nx\n=== b\n=== a\ny");
    let parts: Vec<_> = cut.iter().map(|s| (s.name, s.body)).collect();
    assert_eq!(parts, [("a", &b"x\n"[..]), ("b", b""), ("a", b"y")]);
    assert_eq!(sections::get(&cut, "a"), Some(&b"x\n"[..]));
    assert_eq!(sections::get(&cut, "c"), None);
}
