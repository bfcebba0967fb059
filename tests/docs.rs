//! The pages of the docs hold: every `console` block of them is run, in order, in one directory with the bundled example.
//!
//! `$ command`, continued by `> more`, is followed by what it prints, on stdout and stderr alike; `…` stands for anything,
//! within a line or over lines; `[exit N]` ends it where the status is not 0.
#![cfg(unix)]

use std::path::Path;
use std::process::Command;

const PAGES: [&str; 3] = ["docs/check.md", "docs/kustomize.md", "docs/argocd.md"];

struct Step {
    command: String,
    wanted: String,
    exit: i32,
}

fn steps(page: &str) -> Vec<Step> {
    let mut found: Vec<Step> = Vec::new();
    let mut within = false;
    for line in page.lines() {
        match line {
            "```console" => within = true,
            "```" => within = false,
            _ if !within => {}
            _ => {
                if let Some(command) = line.strip_prefix("$ ") {
                    found.push(Step {
                        command: command.into(),
                        wanted: String::new(),
                        exit: 0,
                    });
                    continue;
                }
                let step = found.last_mut().expect("a block begins with a command");
                if let Some(more) = line.strip_prefix("> ") {
                    step.command.push_str(&format!("\n{more}"));
                } else if let Some(exit) = line.strip_prefix("[exit ").and_then(|l| l.strip_suffix(']')) {
                    step.exit = exit.parse().expect("a status");
                } else {
                    step.wanted.push_str(&format!("{line}\n"));
                }
            }
        }
    }
    found
}

/// Whether a text is the wanted one, with anything in place of each `…`.
fn fits(text: &str, wanted: &str) -> bool {
    // On a line of its own it may stand for no line at all.
    let wanted = wanted.replace("\n…\n", "\n…").replace("…\n…", "…");
    let wanted = wanted
        .strip_prefix("…\n")
        .map_or(wanted.clone(), |rest| format!("…{rest}"));
    let parts: Vec<&str> = wanted.split('…').collect();
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    if parts.len() == 1 {
        return text == wanted;
    }
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    for part in &parts[1..parts.len() - 1] {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn every_example_of_the_docs_does_what_it_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = Path::new(env!("CARGO_BIN_EXE_milvus-uplift"));
    let path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        std::env::var("PATH").unwrap_or_default()
    );
    for page in PAGES {
        let here = tempfile::tempdir().unwrap();
        let example = here.path().join("testdata/example");
        std::fs::create_dir_all(&example).unwrap();
        for entry in std::fs::read_dir(root.join("testdata/example")).unwrap().flatten() {
            std::fs::copy(entry.path(), example.join(entry.file_name())).unwrap();
        }
        let all = steps(&std::fs::read_to_string(root.join(page)).unwrap());
        assert!(!all.is_empty(), "{page} shows no command");
        let mut exports = String::new();
        for step in all {
            // Each command has a shell of its own; what it exports is given to those that follow.
            if step.command.starts_with("export ") || step.command.starts_with("unset ") {
                exports.push_str(&format!("{}\n", step.command));
                continue;
            }
            let mut shell = Command::new("sh");
            for (key, _) in std::env::vars().filter(|(k, _)| k.starts_with("MILVUS_UPLIFT_") || k.starts_with("HELM_"))
            {
                shell.env_remove(key);
            }
            let script = format!("{exports}exec 2>&1\n{}", step.command);
            let output = shell
                .args(["-c", &script])
                .env("PATH", &path)
                .current_dir(here.path())
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            let status = output.status.code();
            assert_eq!(status, Some(step.exit), "{page}: $ {}\n{said}", step.command);
            assert!(
                fits(&said, &step.wanted),
                "{page}: $ {}\nwanted\n{}\ngot\n{said}",
                step.command,
                step.wanted
            );
        }
    }
}

#[test]
fn an_ellipsis_stands_for_anything_and_nothing_else_does() {
    for (text, wanted, good) in [
        ("a\nb\n", "a\nb\n", true),
        ("a\nb\n", "a\n", false),
        ("a\nb\nc\n", "a\n…\nc\n", true),
        ("a\nc\n", "a\n…\nc\n", true),
        ("a\nb\nd\n", "a\n…\nc\n", false),
        ("x: long\ny\n", "x: …\ny\n", true),
        ("b\n", "…\nb\n", true),
        ("", "…\n", true),
        ("a\nb\n", "a\n…\n", true),
    ] {
        assert_eq!(fits(text, wanted), good, "{text:?} {wanted:?}");
    }
}
