//! Nothing partial: the real program with readers that leave, full disks, signals and torn input. Exit 0 only where all of
//! the output is out; and a trace of what it opens.
#![cfg(target_os = "linux")]

mod files;
mod trace;

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata/example")
        .join(name)
}

/// The bundled example with so much beside it that no pipe holds the output.
fn large() -> Vec<u8> {
    let mut text = std::fs::read_to_string(example("target.yaml")).unwrap();
    let filling = "x".repeat(1000);
    for i in 0..400 {
        text.push_str(&format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: filling-{i}\ndata:\n  a: {filling}\n"
        ));
    }
    text.into_bytes()
}

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milvus-uplift"));
    for (key, _) in std::env::vars().filter(|(k, _)| k.starts_with("MILVUS_UPLIFT_") || k.starts_with("HELM_")) {
        command.env_remove(key);
    }
    command.arg("--current").arg(example("current.yaml"));
    command.arg("--values").arg(example("values.yaml")).args(args);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn feed(mut child: Child, stdin: Vec<u8>) -> Child {
    let mut pipe = child.stdin.take().unwrap();
    std::thread::spawn(move || pipe.write_all(&stdin));
    child
}

fn run(mut command: Command, stdin: Vec<u8>) -> Output {
    feed(command.spawn().unwrap(), stdin).wait_with_output().unwrap()
}

fn failed(out: &Output, says: &str) {
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(3), "{said}");
    assert!(said.contains(says) && !said.contains("panicked"), "{said}");
}

#[test]
fn a_reader_that_leaves_is_no_success() {
    let mut child = feed(program(&[]).spawn().unwrap(), large());
    let mut first = [0; 100];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    failed(&child.wait_with_output().unwrap(), "cannot write to stdout");
}

#[test]
fn a_reader_that_was_never_there_is_no_success() {
    let mut child = program(&[]).spawn().unwrap();
    drop(child.stdout.take());
    failed(
        &feed(child, large()).wait_with_output().unwrap(),
        "cannot write to stdout",
    );
}

#[test]
fn a_full_disk_under_stdout_is_no_success() {
    for args in [&[][..], &["rules"], &["check", "--format", "json"], &["--help"]] {
        let mut command = program(args);
        command.stdout(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
        let out = run(command, std::fs::read(example("target.yaml")).unwrap());
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(
            out.status.code() == Some(3) && !said.contains("panicked"),
            "{args:?}: {out:?}"
        );
    }
}

#[test]
fn where_stdout_fails_the_report_says_what_was_judged_and_the_status_that_it_failed() {
    let place = tempfile::tempdir().unwrap();
    let report = place.path().join("report.json");
    let mut command = program(&["--report", report.to_str().unwrap()]);
    command.stdout(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    failed(
        &run(command, std::fs::read(example("target.yaml")).unwrap()),
        "cannot write to stdout",
    );
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert_eq!(report["verdict"], "pass");
}

#[test]
fn a_signal_in_the_middle_of_writing_is_no_exit_0() {
    let mut child = feed(program(&[]).spawn().unwrap(), large());
    let mut stdout = child.stdout.take().unwrap();
    let mut first = [0; 100];
    stdout.read_exact(&mut first).unwrap();
    let kill = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    let out = child.wait_with_output().unwrap();
    assert_eq!((out.status.code(), out.status.signal()), (None, Some(15)));
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).unwrap();
    assert!(rest.len() < large().len() / 2, "it had not stopped in the middle");
}

#[test]
fn a_reader_that_pauses_gets_everything() {
    let wanted = run(program(&[]), large());
    assert_eq!(wanted.status.code(), Some(0));
    let mut child = feed(program(&[]).spawn().unwrap(), large());
    let mut stdout = child.stdout.take().unwrap();
    let mut got = vec![0; 5000];
    stdout.read_exact(&mut got).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "it waits for its reader");
    stdout.read_to_end(&mut got).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(got == wanted.stdout);
}

#[test]
fn input_that_ends_early_is_refused_and_no_input_is_none() {
    let whole = std::fs::read(example("target.yaml")).unwrap();
    for part in [3, 5, 7] {
        let out = run(program(&[]), whole[..whole.len() * part / 10].to_vec());
        assert_eq!(out.status.code(), Some(1), "{part}/10");
        assert!(out.stdout.is_empty() && !out.stderr.is_empty());
    }
    let out = run(program(&[]), vec![]);
    assert!(out.status.code() == Some(0) && out.stdout.is_empty());
}
