//! The files it writes: whole, or as they were.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{example, failed, program, run};

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
fn a_report_of_an_earlier_run_does_not_stay_where_nothing_comes_in() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("report.json");
    let report = |stdin: Vec<u8>| {
        let out = run(program(&["--report", &path.display().to_string()]), stdin);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(out.status.code(), Some(0), "{said}");
        (out.stdout, said, report)
    };
    let (_, _, before) = report(std::fs::read(example("target.yaml")).unwrap());
    assert_eq!(before["releases"].as_array().unwrap().len(), 1);
    let (stdout, said, after) = report(Vec::new());
    assert!(stdout.is_empty());
    assert_eq!(
        said,
        "milvus-uplift: stdin is empty: nothing was judged, and nothing is written\n"
    );
    let nothing = serde_json::json!([]);
    assert!(after["verdict"] == "pass" && after["releases"] == nothing && after["changes"] == nothing);
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
