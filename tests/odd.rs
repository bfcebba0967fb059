//! Odd company: what a cluster shows of a release is judged as its manifest is.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What `check` says of a folder's target by a current state; places in the current state left out, they differ. So do the
/// changes of a stage: what is held back equals what is deployed, with the server's defaults where `--current` has them.
fn said(folder: &str, current: &str, args: &[&str]) -> Value {
    let at = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/odd").join(folder);
    let mut command = Command::new(env!("CARGO_BIN_EXE_milvus-uplift"));
    for (key, _) in std::env::vars().filter(|(k, _)| k.starts_with("MILVUS_UPLIFT_")) {
        command.env_remove(key);
    }
    command
        .current_dir(at)
        .args(["check", "target.yaml", "--format", "json", "--current", current]);
    let output = command.args(args).output().expect("the program starts");
    let mut report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    if args.contains(&"--stage") {
        report["changes"].take();
    }
    for finding in report["findings"].as_array_mut().expect("findings") {
        if finding["location"]["stream"] == "current" {
            finding["location"].take();
        }
    }
    report
}

#[test]
fn a_live_list_is_judged_as_the_manifest() {
    for args in [&[][..], &["--stage", "next"], &["--stage", "2"], &["--as-is"]] {
        let manifest = said("live-list/manifest", "current.yaml", args);
        assert!(manifest["findings"].as_array().is_some_and(|f| !f.is_empty()));
        for (folder, current) in [("live-list/yaml", "current.yaml"), ("live-list/json", "current.json")] {
            assert!(said(folder, current, args) == manifest, "{folder} {args:?}");
        }
    }
}

#[test]
fn what_the_operator_keeps_exits_1_everywhere() {
    for folder in ["keeps-the-target", "keeps-what-is-deployed", "is-told-what-is-deployed"] {
        let report = said(&format!("operator/{folder}"), "current.yaml", &[]);
        assert_eq!(report["verdict"], "refuse", "{folder}");
        let allowed = said(&format!("operator/{folder}"), "current.yaml", &["--allow", "MU007"]);
        let refusing = allowed["findings"].as_array().into_iter().flatten();
        let left: Vec<&Value> = refusing
            .filter(|f| f["severity"] == "refuse" && f["allowed"] == false)
            .collect();
        assert!(left.is_empty(), "{folder}: {left:?}");
    }
}
