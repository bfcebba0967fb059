//! What a container runs: the role behind `milvus run …`, wherever the words stand.
//!
//! Roles and flags are those of upstream `cmd/milvus/util.go` (2.5.16 and 2.6.20); which version accepts which is a
//! rule's matter.

use std::fmt;

use foldhash::HashSet;

use super::image::ImageRef;
use crate::value::Value;

/// A role of a Milvus process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The root coordinator of 2.5 and before.
    RootCoord,
    /// The query coordinator of 2.5 and before.
    QueryCoord,
    /// The data coordinator of 2.5 and before.
    DataCoord,
    /// The index coordinator of 2.5 and before.
    IndexCoord,
    /// All coordinators in one process: `run mixture` with their flags, or `run mixcoord` from 2.6 on.
    MixCoord,
    /// Builds indexes in 2.5; datanode does in 2.6.
    IndexNode,
    /// Searches and queries.
    QueryNode,
    /// Writes and compacts segments.
    DataNode,
    /// Holds the write-ahead log from 2.6 on.
    StreamingNode,
    /// Takes the clients' requests.
    Proxy,
    /// Everything in one process (also spelled `embedded`).
    Standalone,
    /// Change data capture.
    Cdc,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 12] = [
        Role::RootCoord,
        Role::QueryCoord,
        Role::DataCoord,
        Role::IndexCoord,
        Role::MixCoord,
        Role::IndexNode,
        Role::QueryNode,
        Role::DataNode,
        Role::StreamingNode,
        Role::Proxy,
        Role::Standalone,
        Role::Cdc,
    ];

    /// The word after `run`, which is also the chart's component name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Role::RootCoord => "rootcoord",
            Role::QueryCoord => "querycoord",
            Role::DataCoord => "datacoord",
            Role::IndexCoord => "indexcoord",
            Role::MixCoord => "mixcoord",
            Role::IndexNode => "indexnode",
            Role::QueryNode => "querynode",
            Role::DataNode => "datanode",
            Role::StreamingNode => "streamingnode",
            Role::Proxy => "proxy",
            Role::Standalone => "standalone",
            Role::Cdc => "cdc",
        }
    }

    /// The role of a `run` argument; Milvus compares case-sensitively. `mixture` is no role of its own.
    #[must_use]
    pub fn from_argument(word: &str) -> Option<Role> {
        match word {
            "embedded" => Some(Role::Standalone),
            _ => Role::ALL.into_iter().find(|r| r.as_str() == word),
        }
    }

    /// Whether it is one of the four coordinators that 2.6 cannot run on their own.
    #[must_use]
    pub fn is_legacy_coordinator(self) -> bool {
        matches!(
            self,
            Role::RootCoord | Role::QueryCoord | Role::DataCoord | Role::IndexCoord
        )
    }

    /// Whether it coordinates: mixcoord, or one of the four.
    #[must_use]
    pub fn is_coordinator(self) -> bool {
        self == Role::MixCoord || self.is_legacy_coordinator()
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the role was spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// `run <role>`.
    Argument,
    /// `run mixture` with flags.
    Mixture,
}

/// One `milvus run`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What it runs.
    pub role: Role,
    /// How that was spelled.
    pub spelled: Spelling,
    /// The roles switched on by flags after `mixture`, without dashes, in the order written, each once; flags set to
    /// false are left out, unknown ones are kept. Empty for other spellings.
    pub mixture_flags: Vec<String>,
    /// The words before `milvus` in its command: a heaptrack or tini prefix.
    pub tokens: Vec<String>,
    /// Whether the words were found inside a shell string.
    pub in_shell: bool,
}

impl Run {
    /// Whether `mixture` was given all flags without which 2.6 starts nothing: rootcoord, querycoord and datacoord
    /// (upstream `cmd/roles/roles.go`, 2.6.20). False for other spellings.
    #[must_use]
    pub fn mixture_is_complete(&self) -> bool {
        ["rootcoord", "querycoord", "datacoord"]
            .iter()
            .all(|flag| self.mixture_flags.iter().any(|f| f == flag))
    }
}

/// What a container runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runs {
    /// Milvus, in a known role.
    Milvus(Run),
    /// Milvus, and nothing says as what; carries why, with the words in question.
    Undecidable(String),
    /// No `milvus run` is to be seen. Whether it is Milvus all the same tells [`mentions_milvus`].
    NotMilvus,
}

/// What a container (an element of `containers`) runs, by its `command` followed by its `args`.
#[must_use]
pub fn runs(container: &Value) -> Runs {
    let words: Vec<&str> = ["command", "args"]
        .iter()
        .filter_map(|key| container.entry(key)?.as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let scripts: Vec<&str> = scripts(&words).collect();
    let mut found = Found::default();
    found.look_in(&words, false);
    for script in &scripts {
        if !script.contains(char::is_whitespace) || !may_name_milvus(script) {
            continue;
        }
        match shell::commands(script) {
            Ok(commands) => commands.iter().for_each(|command| found.look_in(command, true)),
            Err(why) if mentions_run(script) => {
                return Runs::Undecidable(format!("{why} in `{script}`"));
            }
            Err(_) => {}
        }
    }
    match found {
        Found { first: None, .. } => {
            let not_understood = scripts.into_iter().find(|script| mentions_run(script));
            not_understood.map_or(Runs::NotMilvus, |script| {
                Runs::Undecidable(format!(
                    "`milvus run` stands in `{script}` in a way that is not understood"
                ))
            })
        }
        Found {
            first: Some((command, at, in_shell)),
            times: 1,
        } => judge(&command, at, in_shell),
        Found { times, .. } => Runs::Undecidable(format!("`milvus run` stands {times} times in `{}`", words.join(" "))),
    }
}

/// Where `milvus run` stands.
#[derive(Default)]
struct Found {
    /// The words of the first, where among them, and whether a shell reads them: what stands several times is not judged.
    first: Option<(Vec<String>, usize, bool)>,
    times: usize,
}

impl Found {
    fn look_in<W: AsRef<str>>(&mut self, command: &[W], in_shell: bool) {
        let positions = run_positions(command);
        if let (None, Some(at)) = (&self.first, positions.first()) {
            let words = command.iter().map(|word| word.as_ref().to_owned());
            self.first = Some((words.collect(), *at, in_shell));
        }
        self.times += positions.len();
    }
}

/// Whether a container has to do with Milvus whatever it runs: its image is Milvus', or something is mounted at the
/// directory of Milvus' configuration.
#[must_use]
pub fn mentions_milvus(container: &Value) -> bool {
    let image = container.entry("image").and_then(Value::as_str);
    if image.is_some_and(|text| ImageRef::parse(text).is_milvus()) {
        return true;
    }
    let mounts = container.entry("volumeMounts").and_then(Value::as_array);
    mounts.into_iter().flatten().any(|mount| {
        let path = mount.entry("mountPath").and_then(Value::as_str).unwrap_or_default();
        let path = path.trim_end_matches('/');
        path == "/milvus/configs" || path.starts_with("/milvus/configs/")
    })
}

/// The literal value of an environment variable; the last entry of that name wins. `None` when it is absent or comes
/// from elsewhere (`valueFrom`).
#[must_use]
pub fn env_value<'a>(container: &'a Value, name: &str) -> Option<&'a str> {
    let entries = container.entry("env")?.as_array()?;
    let last = entries
        .iter()
        .rev()
        .find(|e| e.entry("name").and_then(Value::as_str) == Some(name))?;
    if last.entry("valueFrom").is_some_and(|v| !v.is_null()) {
        return None;
    }
    match last.entry("value") {
        None | Some(Value::Null) => Some(""),
        Some(value) => value.as_str(),
    }
}

/// The words that a shell before them reads as scripts (`sh -c`, `/bin/bash -euo pipefail -c`).
fn scripts<'w>(words: &[&'w str]) -> impl Iterator<Item = &'w str> {
    let mut after_shell = false;
    words.windows(2).filter_map(move |pair| {
        let [flag, word] = [pair[0], pair[1]];
        let is_flag = flag.starts_with('-') && !flag.starts_with("--") && flag[1..].contains('c');
        let script = (is_flag && after_shell).then_some(word);
        after_shell |= is_shell(flag);
        script
    })
}

fn is_shell(word: &str) -> bool {
    matches!(
        basename(word),
        "sh" | "bash" | "ash" | "dash" | "zsh" | "ksh" | "busybox"
    )
}

fn basename(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// Whether a text has the words `milvus run` in it, however they are quoted.
fn mentions_run(text: &str) -> bool {
    if !text.contains("milvus") {
        return false;
    }
    let words: Vec<&str> = text
        .split(|c: char| !(c.is_alphanumeric() || "/_.-${}".contains(c)))
        .filter(|w| !w.is_empty())
        .collect();
    words.windows(2).any(|w| basename(w[0]) == "milvus" && w[1] == "run")
}

/// Whether a script can come to the word `milvus` once its quotes and backslashes are undone. Most scripts of a stream
/// are other programs', and long.
fn may_name_milvus(script: &str) -> bool {
    let undone = |b: &&u8| !matches!(b, b'\'' | b'"' | b'\\' | b'\n');
    let script = script.as_bytes();
    memchr::memchr_iter(b'm', script).any(|at| script[at..].iter().filter(undone).take(6).eq(b"milvus"))
}

/// Where in a command `milvus` is followed by `run`.
fn run_positions<W: AsRef<str>>(command: &[W]) -> Vec<usize> {
    (1..command.len())
        .filter(|&i| command[i].as_ref() == "run" && basename(command[i - 1].as_ref()) == "milvus")
        .map(|i| i - 1)
        .collect()
}

fn judge(command: &[String], at: usize, in_shell: bool) -> Runs {
    let spelled = command[at..].join(" ");
    let rest = &command[at + 2..];
    let Some(word) = rest.first() else {
        return Runs::Undecidable(format!("`{spelled}` names no role"));
    };
    let run = |role, spelled, mixture_flags| {
        Runs::Milvus(Run {
            role,
            spelled,
            mixture_flags,
            tokens: command[..at].to_vec(),
            in_shell,
        })
    };
    if word == "mixture" {
        let flags = &rest[1..];
        if let Some(variable) = flags.iter().find(|w| is_variable(w)) {
            return Runs::Undecidable(format!("`{variable}` in `{spelled}` is not known before it runs"));
        }
        return run(Role::MixCoord, Spelling::Mixture, mixture_flags(flags));
    }
    match Role::from_argument(word) {
        Some(role) => run(role, Spelling::Argument, Vec::new()),
        None if is_variable(word) => {
            Runs::Undecidable(format!("the role `{word}` in `{spelled}` is not known before it runs"))
        }
        None => Runs::Undecidable(format!("`{word}` in `{spelled}` is no role of Milvus")),
    }
}

fn is_variable(word: &str) -> bool {
    word.contains(['$', '`'])
}

/// The flags after `mixture` as Go's flag package reads them: one dash or two, `=false` switches off, the first word
/// that is no flag (or `--`) ends them. Of several of one name the last counts.
fn mixture_flags(words: &[String]) -> Vec<String> {
    let mut read: Vec<(&str, bool)> = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else {
            break;
        };
        if flag.is_empty() {
            break;
        }
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (flag, None),
        };
        if name == "alias" {
            // The only flag of `run` that takes its value from the next word.
            if value.is_none() {
                words.next();
            }
            continue;
        }
        let off = matches!(value, Some("0" | "f" | "F" | "false" | "FALSE" | "False"));
        read.push((name, !off));
    }
    let mut known: HashSet<&str> = HashSet::default();
    let last = read.into_iter().rev().filter(|(name, _)| known.insert(name));
    let mut flags: Vec<String> = last.filter(|(_, on)| *on).map(|(name, _)| name.to_owned()).collect();
    flags.reverse();
    flags
}

mod shell;

#[cfg(test)]
mod tests;
