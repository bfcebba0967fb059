//! The process that called us: what a post-renderer's user must see although its host throws stderr away.
//!
//! Helm 4 discards a post-renderer's stderr even on failure, and no Helm shows it on success (hosts.md 1.17, 2.5). What
//! reaches the person at the terminal is a line written to the stderr of Helm itself: on Linux through `/proc`, elsewhere
//! through the controlling terminal.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::sync::OnceLock;

/// How many ancestors are asked: a plugin may be started through a shell.
const GENERATIONS: usize = 4;

/// The longest path of an executable (Linux, `limits.h`).
const PATH_MAX: usize = 4096;

/// The nearest ancestor that is Helm. Looked for once: that takes longer than to read a small release.
pub fn helm() -> Option<u32> {
    static HELM: OnceLock<Option<u32>> = OnceLock::new();
    *HELM.get_or_init(find_helm)
}

fn find_helm() -> Option<u32> {
    let mut pid = parent_of_self()?;
    for _ in 0..GENERATIONS {
        if is_helm(pid) {
            return Some(pid);
        }
        pid = parent(pid)?;
    }
    None
}

/// The command line of the Helm that called us, where it can be read. It may hold secrets (`--set`).
pub fn command_line() -> Option<Vec<String>> {
    let bytes = fs::read(format!("/proc/{}/cmdline", helm()?)).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    Some(text.trim_end_matches('\0').split('\0').map(str::to_owned).collect())
}

/// Writes to the stderr of Helm, where Helm called us and its stderr can be reached. Says whether it could.
pub fn tell(text: &str) -> bool {
    let Some(pid) = helm() else { return false };
    let room = room(&format!("/proc/{pid}"), 2);
    write_to(&format!("/proc/{pid}/fd/2"), &format!("{room}{text}")) || write_to("/dev/tty", text)
}

/// How much of a file is left to what Helm itself says on a failure: about 200 bytes, more with `--debug`.
const ROOM: usize = 511;

/// What to write in front where the stderr of a process is a file that it does not append to: what it writes later goes
/// to its own offset, over what we have written. Blanks there leave our text whole.
fn room(process: &str, fd: i32) -> String {
    const O_APPEND: u32 = 0o2000;
    let is_file = fs::metadata(format!("{process}/fd/{fd}")).is_ok_and(|m| m.is_file());
    let info = fs::read_to_string(format!("{process}/fdinfo/{fd}")).unwrap_or_default();
    let flags = info.lines().find_map(|l| l.strip_prefix("flags:"));
    let appends = flags.is_some_and(|f| u32::from_str_radix(f.trim(), 8).is_ok_and(|f| f & O_APPEND != 0));
    match is_file && !appends {
        true => " ".repeat(ROOM) + "\n",
        false => String::new(),
    }
}

fn write_to(path: &str, text: &str) -> bool {
    // Appending: where Helm's stderr is a file, its own offset must stay true.
    OpenOptions::new()
        .append(true)
        .open(path)
        .and_then(|mut f| f.write_all(text.as_bytes()))
        .is_ok()
}

#[cfg(unix)]
fn parent_of_self() -> Option<u32> {
    Some(std::os::unix::process::parent_id()).filter(|pid| *pid > 1)
}

#[cfg(not(unix))]
fn parent_of_self() -> Option<u32> {
    None
}

/// The parent of a process, from `/proc/PID/stat`; the name in parentheses may hold anything.
fn parent(pid: u32) -> Option<u32> {
    let stat = start_of(&format!("/proc/{pid}/stat"))?;
    let behind = &stat[stat.iter().rposition(|b| *b == b')')? + 1..];
    let behind = std::str::from_utf8(behind).ok()?;
    behind.split_whitespace().nth(1)?.parse().ok().filter(|p| *p > 1)
}

/// The first bytes of a file below `/proc`, in one piece: one call of the system more for each costs more than the bytes.
fn start_of(path: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0; PATH_MAX];
    let length = fs::File::open(path).and_then(|mut file| file.read(&mut bytes)).ok()?;
    bytes.truncate(length);
    Some(bytes)
}

/// Whether a process is Helm, by the name of its executable: `helm`, `helm4`, `helm.exe`; `helmfile` is not.
fn is_helm(pid: u32) -> bool {
    let Some(cmdline) = start_of(&format!("/proc/{pid}/cmdline")) else {
        return false;
    };
    let first = cmdline.split(|b| *b == 0).next().unwrap_or_default();
    named_helm(&String::from_utf8_lossy(first))
}

fn named_helm(path: &str) -> bool {
    let name = path
        .rsplit(['/', '\\'])
        .next()
        .unwrap_or_default()
        .trim_end_matches(".exe");
    name.strip_prefix("helm")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', 'v', '3', '4']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_helm_is_helm() {
        for (path, want) in [
            ("/usr/local/bin/helm", true),
            ("helm4", true),
            ("helm-v3.14.4", true),
            ("C:\\tools\\helm.exe", true),
            ("helmfile", false),
            ("/bin/bash", false),
            ("whelm", false),
            ("", false),
        ] {
            assert_eq!(named_helm(path), want, "{path}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_a_file_that_is_written_over_gets_room() {
        use std::os::fd::AsRawFd;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stderr");
        let over = fs::File::create(&path).unwrap();
        let behind = OpenOptions::new().append(true).open(&path).unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        assert_eq!(room("/proc/self", over.as_raw_fd()).len(), ROOM + 1);
        assert_eq!(room("/proc/self", behind.as_raw_fd()), "");
        assert_eq!(room("/proc/self", writer.as_raw_fd()), "");
        drop(reader);
        let text = "what is wrong\n";
        assert!(write_to(
            &format!("/proc/self/fd/{}", over.as_raw_fd()),
            &format!("{}{text}", room("/proc/self", over.as_raw_fd()))
        ));
        (&over).write_all(b"Error: the plugin failed\n").unwrap();
        let all = fs::read_to_string(&path).unwrap();
        assert!(
            all.starts_with("Error: the plugin failed\n") && all.ends_with(text),
            "{all}"
        );
    }

    #[test]
    fn nobody_is_told_where_helm_is_no_ancestor() {
        assert!(helm().is_none());
        assert!(command_line().is_none());
        assert!(!tell("not to be seen\n"));
    }
}
