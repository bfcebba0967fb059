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

/// A shell that lets no file grow beyond one block (512 or 1024 bytes), as a disk that fills up, and then runs us.
fn on_a_full_disk(args: &[&str], signal: bool) -> Command {
    let inner = program(args);
    let mut command = Command::new("sh");
    let trap = if signal { "" } else { "trap '' XFSZ; " };
    command.args(["-c", &format!("{trap}ulimit -f 1; exec \"$0\" \"$@\"")]);
    command.arg(inner.get_program()).args(inner.get_args());
    for (key, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(key, value),
            None => command.env_remove(key),
        };
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Every option that names a file to write, with a command that takes it.
fn writers(file: &str) -> Vec<(&'static str, Vec<String>)> {
    let words = |line: &str| line.split(' ').map(|w| w.replace("FILE", file)).collect();
    vec![
        ("--report", words("--report FILE")),
        ("--report", words("check --report FILE")),
        ("--report", words("diff --report FILE")),
        ("--output", words("check --format sarif --output FILE")),
        ("--output", words("plan --to 2.6.16 --output FILE")),
        ("--write-state", words("inspect --write-state FILE")),
    ]
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name());
    entries.map(|name| name.into_string().unwrap()).collect()
}

#[test]
fn a_file_that_does_not_fit_is_not_there_by_half() {
    for before in [None, Some("what stood there")] {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        // A state file is read before it is written over.
        for (option, args) in writers(file.to_str().unwrap()) {
            if option == "--write-state" && before.is_some() {
                continue;
            }
            before.iter().for_each(|text| std::fs::write(&file, text).unwrap());
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let out = run(
                on_a_full_disk(&args, false),
                std::fs::read(example("target.yaml")).unwrap(),
            );
            failed(&out, &format!("{option} {}", file.display()));
            assert!(out.stdout.is_empty(), "{args:?}");
            assert_eq!(std::fs::read_to_string(&file).ok().as_deref(), before, "{args:?}");
            assert_eq!(
                names(place.path()).len(),
                before.iter().len(),
                "{args:?}: {:?}",
                names(place.path())
            );
        }
    }
}

#[test]
fn a_signal_in_the_middle_of_a_report_leaves_the_one_before() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("report.json");
    std::fs::write(&file, "what stood there").unwrap();
    let out = run(
        on_a_full_disk(&["--report", file.to_str().unwrap()], true),
        std::fs::read(example("target.yaml")).unwrap(),
    );
    assert!(out.status.signal().is_some() && out.stdout.is_empty(), "{out:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "what stood there");
}

#[test]
fn a_file_is_replaced_where_it_stands() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let report = |path: &Path| {
        let args = ["--report", path.to_str().unwrap()];
        let out = run(program(&args), std::fs::read(example("target.yaml")).unwrap());
        assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
        let text = std::fs::read(path).unwrap();
        serde_json::from_slice::<serde_json::Value>(&text).expect("a whole report");
    };
    std::fs::create_dir(at("elsewhere")).unwrap();
    for (target, mode) in [("kept", 0o640), ("elsewhere/linked", 0o604)] {
        std::fs::write(at(target), "long ".repeat(100_000)).unwrap();
        std::fs::set_permissions(at(target), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    symlink("elsewhere/linked", at("link")).unwrap();
    symlink("link", at("link-to-link")).unwrap();
    symlink("elsewhere/comes", at("dangling")).unwrap();
    for name in ["kept", "link-to-link", "dangling", "new"] {
        report(&at(name));
    }
    for (link, target) in [
        ("link", "elsewhere/linked"),
        ("link-to-link", "link"),
        ("dangling", "elsewhere/comes"),
    ] {
        assert_eq!(std::fs::read_link(at(link)).unwrap(), Path::new(target));
    }
    for (name, mode) in [("kept", 0o640), ("elsewhere/linked", 0o604)] {
        assert_eq!(
            std::fs::metadata(at(name)).unwrap().permissions().mode() & 0o7777,
            mode,
            "{name}"
        );
    }
    // A second name of the file shows the same.
    std::fs::hard_link(at("kept"), at("twin")).unwrap();
    report(&at("twin"));
    let inode = |name: &str| std::fs::metadata(at(name)).unwrap().ino();
    assert_eq!(inode("kept"), inode("twin"));
    let mut there = names(place.path());
    there.sort();
    assert_eq!(
        there,
        ["dangling", "elsewhere", "kept", "link", "link-to-link", "new", "twin"]
    );
}

#[test]
fn what_is_no_file_is_written_to() {
    let place = tempfile::tempdir().unwrap();
    let input = || std::fs::read(example("target.yaml")).unwrap();
    let whole = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).is_ok();
    // A pipe, by either of its names; one that nobody ever writes to is not waited for.
    for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        let out = run(program(&["check", "--report", name]), input());
        assert!(
            String::from_utf8_lossy(&out.stdout).starts_with("{\n"),
            "{name}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        let out = run(program(&["inspect", "--write-state", name]), vec![]);
        assert!(
            out.status.success() && out.stdout.starts_with(b"schema: "),
            "{name}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
    }
    let fifo = place.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let reader = std::thread::spawn({
        let fifo = fifo.clone();
        move || std::fs::read(fifo).unwrap()
    });
    let out = run(program(&["check", "--report", fifo.to_str().unwrap()]), input());
    assert!(out.status.success(), "{out:?}");
    assert!(whole(&reader.join().unwrap()));
    // Where stdout is a file, the report stands in front of the rest: neither is written over the other.
    let both = place.path().join("both");
    let mut command = program(&["--report", "/dev/stdout"]);
    command.stdout(std::fs::File::create(&both).unwrap());
    assert!(run(command, input()).status.success());
    let wanted = run(program(&[]), input()).stdout;
    let both = std::fs::read(both).unwrap();
    let (report, output) = both.split_at(both.len() - wanted.len());
    assert!(whole(report) && output == wanted);
    // Any other descriptor, as a shell opens it.
    let third = place.path().join("third");
    let inner = program(&["--report", "/dev/fd/3"]);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec \"$0\" \"$@\" 3> '{}'", third.display())]);
    command.arg(inner.get_program()).args(inner.get_args());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    assert!(run(command, input()).status.success());
    assert!(whole(&std::fs::read(third).unwrap()));
}

#[test]
fn where_it_cannot_be_written_the_words_say_where_and_what_mends_it() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).display().to_string();
    std::fs::write(path("file"), "").unwrap();
    std::fs::create_dir(path("its own")).unwrap();
    for (file, says) in [
        (
            path("missing/deep/report.json"),
            format!("mkdir -p {}", path("missing/deep")),
        ),
        (
            path("its own/missing/r"),
            format!("mkdir -p '{}'", path("its own/missing")),
        ),
        (path("file/report.json"), format!("{} is no directory", path("file"))),
        (path("its own"), "it is a directory".to_owned()),
        ("/dev/full".to_owned(), "free some space there".to_owned()),
    ] {
        for (option, args) in writers(&file) {
            let args: Vec<&str> = if file.contains(' ') && option != "--report" {
                continue; // split at the space above
            } else if file.contains(' ') {
                vec!["--report", &file]
            } else {
                args.iter().map(String::as_str).collect()
            };
            let out = run(program(&args), std::fs::read(example("target.yaml")).unwrap());
            failed(&out, &format!("{option} {file}: "));
            failed(&out, &says);
            assert!(out.stdout.is_empty(), "{args:?}");
        }
    }
}

/// Another user, where we are root: nobody may then write to what is root's alone.
#[test]
fn a_directory_that_its_user_may_not_write_to_is_named() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(place.path(), 0o755);
    std::fs::create_dir(at("sealed")).unwrap();
    std::fs::write(at("sealed/open"), "what stood there").unwrap();
    mode(&at("sealed/open"), 0o666);
    mode(&at("sealed"), 0o555);
    // The program and the example, where another user may read them.
    let binary = at("program");
    std::fs::copy(env!("CARGO_BIN_EXE_milvus-uplift"), &binary).unwrap();
    std::fs::copy(example("current.yaml"), at("current.yaml")).unwrap();
    let root = std::fs::metadata(place.path()).is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    let report = |name: &str| {
        let mut command = Command::new(&binary);
        command
            .arg("--current")
            .arg(at("current.yaml"))
            .arg("--report")
            .arg(at(name));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if root {
            command.uid(65534).gid(65534);
        }
        run(command, std::fs::read(example("target.yaml")).unwrap())
    };
    let out = report("sealed/report.json");
    failed(&out, &format!("--report {}: ", at("sealed/report.json").display()));
    failed(&out, &format!("may not write in {}", at("sealed").display()));
    assert!(out.stdout.is_empty());
    // A file that is open to all in a directory that is not: written in its place, since nothing can be put beside it.
    let out = report("sealed/open");
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice::<serde_json::Value>(&std::fs::read(at("sealed/open")).unwrap()).expect("a whole report");
    mode(&at("sealed"), 0o755);
}

#[test]
fn a_refusal_is_told_although_its_report_cannot_be_written() {
    let target = std::fs::read_to_string(example("target.yaml")).unwrap();
    let defective = target.replace("milvus:v2.6.16", "milvus:v2.6.1");
    let out = run(program(&["--report", "/dev/full"]), defective.into_bytes());
    failed(&out, "MU107");
    failed(&out, "--report /dev/full");
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
        "socket(", "connect(", "bind(", "sendto(", "fork(", "clone(", "clone3(", "unlink(",
    ] {
        assert!(!trace.contains(call), "{call}\n{trace}");
    }
    assert_eq!(trace.matches("execve(").count(), 1, "{trace}");
    // The report is written beside its place and moved there.
    let moved: Vec<&str> = trace.lines().filter(|l| l.contains("rename")).collect();
    let beside = moved.first().and_then(|l| l.split('"').nth(1)).expect("a report");
    assert!(
        moved.len() == 1 && moved[0].contains(&format!("\"{}\"", report.display())),
        "{moved:?}"
    );
    assert_eq!(Path::new(beside).parent(), report.parent());
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
        let written = Path::new(file) == report || file == beside;
        assert!(
            system || caller || written || named.iter().any(|n| n == file),
            "{file}\n{trace}"
        );
    }
}
