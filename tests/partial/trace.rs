//! What it opens, as the kernel saw it: the files that were named, and of whoever called it what tells that this is Helm.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::{example, program};

/// Who calls the program, and where that one's stderr goes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Host {
    /// A shell, with a pipe.
    Shell,
    /// Helm, with a pipe.
    Helm,
    /// Helm, at a terminal.
    Terminal,
    /// Helm at a terminal, with its stderr closed.
    Silent,
}

/// A run of `render` under strace.
struct Traced {
    host: Host,
    /// What was traced.
    trace: String,
    /// The process that is called helm, or sh.
    caller: String,
    /// What reached the caller's stderr, or its terminal.
    said: String,
    report: PathBuf,
}

/// `None` where a tool is missing outside of CI.
fn traced(host: Host) -> Option<Traced> {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let inner = program(&["--report", at("report.json").to_str().unwrap()]);
    let quoted = |word: &std::ffi::OsStr| format!("'{}'", word.to_str().unwrap());
    let words: Vec<String> = std::iter::once(inner.get_program())
        .chain(inner.get_args())
        .map(quoted)
        .collect();
    let calls = "%network,open,openat,openat2,creat,execve,fork,vfork,clone,clone3,unlink,rename";
    // In a shell of its own: dash opens what a command's stderr goes to as its own stderr.
    let script = format!(
        "cd '{}'; echo $$ > caller; (strace -f -qq -e trace={calls} -o trace -- {} < '{}' > stdout 2> stderr); echo $? > status",
        place.path().display(),
        words.join(" "),
        example("target.yaml").display()
    );
    std::fs::write(at("script"), script).unwrap();
    // A process is known by the first word of its command line.
    let name = if host == Host::Shell { "shell" } else { "helm" };
    symlink("/bin/sh", at(name)).unwrap();
    let line = format!("'{}' '{}'", at(name).display(), at("script").display());
    let mut command = Command::new("sh");
    match host {
        Host::Shell | Host::Helm => command.args(["-c", &line]),
        Host::Terminal => command.args(["-c", &format!("script -qec \"{line}\" /dev/null")]),
        Host::Silent => command.args(["-c", &format!("script -qec \"{line} 2>&-\" /dev/null")]),
    };
    for (key, _) in inner.get_envs() {
        command.env_remove(key);
    }
    let Output { stdout, stderr, .. } = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8([stdout, stderr].concat()).unwrap();
    let read = |name: &str| std::fs::read_to_string(at(name)).unwrap_or_default();
    let status = read("status");
    if (status.trim() == "127" || status.is_empty()) && std::env::var_os("CI").is_none() {
        eprintln!(
            "strace or script is not here ({said}{}): apt-get install strace bsdutils",
            read("stderr")
        );
        return None;
    }
    assert_eq!(status.trim(), "0", "{host:?}: {said}{}", read("stderr"));
    let wanted = std::fs::read_to_string(example("stdout.yaml")).unwrap();
    assert!(read("stdout") == wanted, "{host:?}");
    Some(Traced {
        host,
        trace: read("trace"),
        caller: read("caller").trim().to_owned(),
        said,
        report: at("report.json"),
    })
}

impl Traced {
    /// The files that were opened: those between the first pair of quotes of each such call that did not find nothing.
    fn opened(&self) -> Vec<&str> {
        let calls = self
            .trace
            .lines()
            .filter(|l| l.contains("open") && !l.contains("ENOENT"));
        calls.filter_map(|l| l.split('"').nth(1)).collect()
    }

    /// Which file was moved where the report is.
    fn beside(&self) -> &str {
        let moved: Vec<&str> = self.trace.lines().filter(|l| l.contains("rename")).collect();
        let [line] = moved[..] else { panic!("{moved:?}") };
        assert!(line.contains(&format!("\"{}\"", self.report.display())), "{line}");
        let beside = line.split('"').nth(1).unwrap();
        assert_eq!(Path::new(beside).parent(), self.report.parent());
        beside
    }

    /// Whether a file is one that docs/testing.md lists.
    fn is_told(&self, file: &str, named: &[String]) -> bool {
        let libraries = file.starts_with("/lib") || file.starts_with("/usr/lib") || file == "/etc/ld.so.cache";
        let process = file.strip_prefix("/proc/").and_then(|f| f.split_once('/'));
        let ancestor = process.is_some_and(|(pid, what)| match what {
            "maps" | "cgroup" => pid == "self",
            "cmdline" | "stat" => pid != "self",
            "fd/2" | "fdinfo/2" => self.host != Host::Shell && pid == self.caller,
            _ => false,
        });
        let terminal = self.host == Host::Silent && file == "/dev/tty";
        let written = Path::new(file) == self.report || file == self.beside();
        libraries || ancestor || terminal || written || named.iter().any(|n| n == file)
    }
}

#[test]
fn it_opens_no_socket_starts_nothing_and_reads_only_what_was_named() {
    let named = ["current.yaml", "values.yaml"].map(|f| example(f).display().to_string());
    for host in [Host::Shell, Host::Helm, Host::Terminal, Host::Silent] {
        let Some(traced) = traced(host) else { return };
        let trace = &traced.trace;
        for call in [
            "socket(", "connect(", "bind(", "sendto(", "fork(", "clone(", "clone3(", "unlink(",
        ] {
            assert!(!trace.contains(call), "{host:?}: {call}\n{trace}");
        }
        assert_eq!(trace.matches("execve(").count(), 1, "{host:?}\n{trace}");
        let opened = traced.opened();
        for file in &named {
            assert!(opened.contains(&file.as_str()), "{host:?}: {file} was read\n{trace}");
        }
        for file in &opened {
            assert!(traced.is_told(file, &named), "{host:?}: {file}\n{trace}");
        }
        // The caller is looked at in any case, and spoken to where it is Helm.
        let of_caller = |what: &str| format!("/proc/{}/{what}", traced.caller);
        assert!(opened.contains(&of_caller("cmdline").as_str()), "{host:?}\n{trace}");
        assert_eq!(
            opened.contains(&of_caller("fd/2").as_str()),
            matches!(host, Host::Helm | Host::Terminal),
            "{host:?}\n{trace}"
        );
        assert_eq!(opened.contains(&"/dev/tty"), host == Host::Silent, "{host:?}\n{trace}");
        assert_eq!(
            traced.said.contains("milvus-uplift: 5 warnings"),
            host != Host::Shell,
            "{host:?}: {}",
            traced.said
        );
    }
}
