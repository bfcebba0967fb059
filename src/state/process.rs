//! Runs Helm or kubectl within a time limit, and finds what a kubeconfig knows.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use foldhash::HashSet;

use super::scrub;
use crate::value::Value;
use crate::yaml;

/// What a program that ended said.
#[derive(Debug)]
pub struct Answer {
    /// How it ended.
    pub status: ExitStatus,
    /// Its stdout.
    pub stdout: Vec<u8>,
    /// Its stderr.
    pub stderr: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Failed {
    /// It could not be started.
    Start(std::io::Error),
    /// The time was over; it, and what it started, was ended.
    Time,
}

/// Runs a program to its end, without input, and takes what it says.
///
/// # Errors
/// Where it cannot be started, or has not ended in time.
pub fn run(command: &mut Command, until: Instant) -> Result<Answer, Failed> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    own_group(command);
    let mut child = command.spawn().map_err(Failed::Start)?;
    let (out, err) = (pipe(child.stdout.take()), pipe(child.stderr.take()));
    let finished = wait(&mut child, until).and_then(|status| {
        let (stdout, stderr) = (rest(&out, until)?, rest(&err, until)?);
        Some(Answer { status, stdout, stderr })
    });
    finished.ok_or_else(|| {
        kill_group(&mut child);
        Failed::Time
    })
}

fn wait(child: &mut Child, until: Instant) -> Option<ExitStatus> {
    let mut pause = Duration::from_millis(2);
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if Instant::now() >= until {
            return None;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// The rest of a pipe; somebody may hold it open after the program itself has ended.
fn rest(pipe: &Receiver<Vec<u8>>, until: Instant) -> Option<Vec<u8>> {
    let left = until.saturating_duration_since(Instant::now());
    pipe.recv_timeout(left.max(Duration::from_millis(100))).ok()
}

/// What a program said on stderr: its errors, in one line, without secrets.
pub fn shown(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    let is_error = |l: &&str| l.starts_with("Error:") || l.starts_with("Error from server") || l.starts_with("error:");
    let errors: Vec<&str> = lines.iter().copied().filter(is_error).collect();
    let said = if errors.is_empty() { lines } else { errors };
    let said = scrub::text(&said.join(" "));
    match said.char_indices().nth(400) {
        Some((at, _)) => format!("{}…", &said[..at]),
        None if said.is_empty() => "it said nothing".to_owned(),
        None => said,
    }
}

/// Reads a pipe to its end on a thread of its own.
fn pipe<R: Read + Send + 'static>(from: Option<R>) -> Receiver<Vec<u8>> {
    let (give, take) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            let _ = from.read_to_end(&mut bytes);
        }
        let _ = give.send(bytes);
    });
    take
}

#[cfg(unix)]
fn own_group(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

#[cfg(not(unix))]
fn own_group(_: &mut Command) {}

/// Ends the program and all that it started (credential plugins of a kubeconfig, wrappers).
#[cfg(unix)]
fn kill_group(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.wait();
}

#[cfg(not(unix))]
fn kill_group(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// The names of all contexts of the kubeconfig, as client-go finds it.
pub fn contexts() -> Vec<String> {
    let files: Vec<PathBuf> = match std::env::var_os("KUBECONFIG").filter(|v| !v.is_empty()) {
        Some(list) => std::env::split_paths(&list).collect(),
        None => home().map(|home| home.join(".kube/config")).into_iter().collect(),
    };
    let mut names: Vec<String> = Vec::new();
    let mut known = HashSet::default();
    for text in files.iter().filter_map(|f| std::fs::read_to_string(f).ok()) {
        let config = yaml::read(&text).ok().flatten().unwrap_or_default();
        for context in config.get("contexts").and_then(Value::as_array).into_iter().flatten() {
            if let Some(name) = context["name"].as_str().filter(|n| known.insert((*n).to_owned())) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// How many contexts are named in a message.
const NAMED: usize = 10;

/// `a, b and 7 more`: so many that a person can find the one that is meant.
pub fn listed(names: &[String]) -> String {
    let (first, rest) = names.split_at(names.len().min(NAMED));
    match rest.len() {
        0 => first.join(", "),
        n => format!("{} and {n} more", first.join(", ")),
    }
}

/// The home directory, as client-go finds it: by the environment alone. The C library's user database would have a static
/// program load libraries of the machine's own.
fn home() -> Option<PathBuf> {
    let name = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_contexts_the_first_are_named() {
        let names = |n: usize| (0..n).map(|i| format!("c{i}")).collect::<Vec<_>>();
        assert_eq!(listed(&names(0)), "");
        assert_eq!(listed(&names(2)), "c0, c1");
        assert_eq!(listed(&names(10)), names(10).join(", "));
        assert_eq!(listed(&names(13)), format!("{} and 3 more", names(10).join(", ")));
    }

    #[test]
    fn what_is_said_is_one_line_without_secrets() {
        let stderr = "WARNING: Kubernetes configuration file is group-readable\nError: Get \"https://admin:hunter2@h/x\": token=hunter2 refused\n";
        assert_eq!(shown(stderr), "Error: Get \"https://***@h/x\": token=*** refused");
        let stderr = "I1121 warming up\nError from server (Forbidden): pods is forbidden\n";
        assert_eq!(shown(stderr), "Error from server (Forbidden): pods is forbidden");
        assert_eq!(shown(""), "it said nothing");
        assert!(shown(&"x".repeat(1000)).ends_with('…'));
    }
}
