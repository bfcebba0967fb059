//! Nothing partial: the real program with readers that leave, full disks, signals and torn input. Exit 0 only where all of
//! the output is out; and a trace of what it opens.
#![cfg(target_os = "linux")]

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
fn a_report_that_cannot_be_written_leaves_stdout_empty() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).display().to_string();
    std::fs::write(path("file"), "").unwrap();
    for report in [
        "/dev/full".to_owned(),
        path("missing/report.json"),
        path("file/report.json"),
        path(""),
    ] {
        let out = run(
            program(&["--report", &report]),
            std::fs::read(example("target.yaml")).unwrap(),
        );
        assert!(out.stdout.is_empty(), "{report}");
        failed(&out, &format!("--report {report}"));
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

/// The words between the first pair of quotes of each call of a trace.
fn opened(trace: &str) -> Vec<&str> {
    let calls = trace.lines().filter(|l| l.contains("open") && !l.contains("ENOENT"));
    calls.filter_map(|l| l.split('"').nth(1)).collect()
}

#[test]
fn it_opens_no_socket_starts_nothing_and_reads_only_what_was_named() {
    let place = tempfile::tempdir().unwrap();
    let (trace, report) = (place.path().join("trace"), place.path().join("report.json"));
    let inner = program(&["--report", report.to_str().unwrap()]);
    let mut command = Command::new("strace");
    command.args([
        "-f",
        "-qq",
        "-e",
        "trace=%network,open,openat,openat2,creat,execve,fork,vfork,clone,clone3,unlink,rename",
        "-o",
    ]);
    command
        .arg(&trace)
        .arg("--")
        .arg(inner.get_program())
        .args(inner.get_args());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = match command.spawn() {
        Ok(child) => child,
        Err(e) if std::env::var_os("CI").is_none() => {
            eprintln!("strace is not here ({e}); CI does not go without: apt-get install strace");
            return;
        }
        Err(e) => panic!("strace: {e}; apt-get install strace"),
    };
    let out = feed(child, std::fs::read(example("target.yaml")).unwrap())
        .wait_with_output()
        .unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let trace = std::fs::read_to_string(trace).unwrap();
    for call in [
        "socket(", "connect(", "bind(", "sendto(", "fork(", "clone(", "clone3(", "unlink(", "rename(",
    ] {
        assert!(!trace.contains(call), "{call}\n{trace}");
    }
    assert_eq!(trace.matches("execve(").count(), 1, "{trace}");
    let named = ["current.yaml", "values.yaml"].map(|f| example(f).display().to_string());
    let files = opened(&trace);
    for file in &named {
        assert!(files.contains(&file.as_str()), "{file} was read\n{trace}");
    }
    for file in files {
        // The loader's libraries; who called us.
        let system = file.starts_with("/lib") || file.starts_with("/usr/lib") || file == "/etc/ld.so.cache";
        let process = file.strip_prefix("/proc/").and_then(|f| f.split_once('/'));
        let caller = process.is_some_and(|(pid, what)| match pid {
            "self" => ["maps", "cgroup"].contains(&what),
            _ => ["cmdline", "stat"].contains(&what),
        });
        let written = Path::new(file) == report;
        assert!(
            system || caller || written || named.iter().any(|n| n == file),
            "{file}\n{trace}"
        );
    }
}
