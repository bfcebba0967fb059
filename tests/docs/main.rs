//! The pages of the docs hold: every `console` block of them is run, in order, in one directory with the bundled examples,
//! and every command line of ours that any block shows is one that the program takes.
//!
//! `$ command`, continued by `> more`, is followed by what it prints, on stdout and stderr alike; `…` stands for anything,
//! within a line or over lines; `[exit N]` ends it where the status is not 0.
#![cfg(unix)]

mod links;
mod reference;

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory;
use milvus_uplift::cli::args::Cli;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README and all pages below `docs`, with what stands in them.
fn pages() -> Vec<(String, String)> {
    let mut files = vec![root().join("README.md"), root().join("CONTRIBUTING.md")];
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path: PathBuf = entry.path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|e| e == "md") => files.push(path),
                false => {}
            }
        }
    }
    files.sort();
    let name = |p: &Path| p.strip_prefix(root()).unwrap().display().to_string();
    files
        .iter()
        .map(|p| (name(p), std::fs::read_to_string(p).unwrap()))
        .collect()
}

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

/// Puts testdata where a page's commands run: as links, but for the example, into which some of them write.
fn bring_testdata(here: &Path) {
    let there = here.join("testdata");
    std::fs::create_dir_all(there.join("example")).unwrap();
    for entry in std::fs::read_dir(root().join("testdata")).unwrap().flatten() {
        if entry.file_name() != "example" {
            std::os::unix::fs::symlink(entry.path(), there.join(entry.file_name())).unwrap();
        }
    }
    for entry in std::fs::read_dir(root().join("testdata/example")).unwrap().flatten() {
        std::fs::copy(entry.path(), there.join("example").join(entry.file_name())).unwrap();
    }
}

#[test]
fn every_example_of_the_docs_does_what_it_shows() {
    let program = Path::new(env!("CARGO_BIN_EXE_milvus-uplift"));
    let path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        std::env::var("PATH").unwrap_or_default()
    );
    // README's first screen is run by tests/house.rs, which also writes it.
    let shown = pages().into_iter().filter(|(name, _)| name.starts_with("docs/"));
    let shown: Vec<_> = shown.filter(|(_, text)| text.contains("```console\n")).collect();
    assert!(shown.iter().any(|(name, _)| name == "docs/check.md"));
    for (page, text) in &shown {
        let here = tempfile::tempdir().unwrap();
        bring_testdata(here.path());
        let all = steps(text);
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

/// The shell commands of a page's fenced blocks, continued lines joined.
fn commands(page: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut fence = None;
    let mut open = false;
    for line in page.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            fence = if fence.is_some() { None } else { Some(language) };
            open = false;
            continue;
        }
        let text = match fence {
            Some("sh" | "bash") => line,
            Some("console") => match line.strip_prefix("$ ").or(line.strip_prefix("> ").filter(|_| open)) {
                Some(command) => command,
                None => continue,
            },
            _ => continue,
        };
        let (body, goes_on) = text.strip_suffix('\\').map_or((text, false), |body| (body, true));
        match found.last_mut().filter(|_| open) {
            Some(last) => *last += &format!("\n{body}"),
            None => found.push(body.to_owned()),
        }
        // A quote that is open goes on as well.
        open = goes_on || found.last().is_some_and(|last| shlex::split(last).is_none());
    }
    found
}

/// Our own arguments in one command line: after our name, and those that Helm is told to pass on.
fn ours(command: &str) -> Vec<Vec<String>> {
    let words = shlex::split(command).unwrap_or_else(|| panic!("no shell would take: {command}"));
    let ends = |w: &str| {
        matches!(
            w,
            "|" | "&&" | "||" | ";" | "do" | "done" | "then" | "fi" | "if" | "while" | "until" | "!"
        )
    };
    let redirects = |w: &str| w.starts_with(['<', '>']) || w.starts_with("2>");
    let mut found = Vec::new();
    for segment in words.split(|w| ends(w)) {
        let segment: Vec<&str> = segment.iter().map(|w| w.trim_end_matches(';')).collect();
        let passed: Vec<String> = segment
            .windows(2)
            .filter(|w| w[0] == "--post-renderer-args")
            .map(|w| w[1].to_owned())
            .collect();
        if !passed.is_empty() {
            found.push(passed);
        }
        if segment.first().is_some_and(|w| *w == "milvus-uplift") {
            let until = segment.iter().position(|w| redirects(w)).unwrap_or(segment.len());
            found.push(segment[1..until].iter().map(|w| (*w).to_owned()).collect());
        }
    }
    found
}

#[test]
fn every_command_line_of_the_docs_is_one_the_program_takes() {
    let mut seen = 0;
    for (page, text) in pages() {
        for command in commands(&text).iter().filter(|c| !c.trim_start().starts_with('#')) {
            for mut args in ours(command) {
                args.insert(0, "milvus-uplift".into());
                if let Err(e) = Cli::command().try_get_matches_from(&args) {
                    assert!(!e.use_stderr(), "{page}: {command}\n{e}");
                }
                seen += 1;
            }
        }
    }
    assert!(seen > 20, "only {seen} command lines were found");
}

#[test]
fn our_arguments_are_found_wherever_they_stand() {
    assert_eq!(
        ours(
            "helm upgrade x y --post-renderer milvus-uplift --post-renderer-args --current --post-renderer-args a.yaml"
        ),
        [["--current", "a.yaml"]]
    );
    assert_eq!(
        ours("helm template . | milvus-uplift check --strict > out 2>&1 && milvus-uplift rules"),
        [vec!["check", "--strict"], vec!["rules"]]
    );
    assert!(ours("helm template .").is_empty());
}
