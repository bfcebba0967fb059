//! `check` as a program: formats, where they go, what they point at, exit status. SARIF is held to the official schema
//! (`sarif-2.1.0.schema.json`, its origin beside it), JUnit to an XML parser.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A directory with the inputs of a run.
struct Place(tempfile::TempDir);

const SECRET: &str = "hunter2";

impl Place {
    /// The bundled example, the manifests as `out/target.yaml`.
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/example");
        std::fs::create_dir(place.path("out")).unwrap();
        for (from, to) in [("target.yaml", "out/target.yaml"), ("current.yaml", "current.yaml")] {
            std::fs::copy(example.join(from), place.path(to)).unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    fn edit(self, name: &str, from: &str, to: &str) -> Place {
        let text = self.read(name);
        assert!(text.contains(from), "{name} holds no {from:?}");
        std::fs::write(self.path(name), text.replace(from, to)).unwrap();
        self
    }

    /// Manifests whose queue changes: refused by MU301, at a place in the ConfigMap, with a planted secret.
    fn refused() -> Place {
        Place::new()
            .edit("out/target.yaml", "      type: pulsar", "      type: kafka")
            .edit(
                "out/target.yaml",
                "secretAccessKey: minioadmin",
                &format!("secretAccessKey: {SECRET}"),
            )
    }

    fn run(&self, args: &[&str], stdin: &str, env: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milvus-uplift"));
        for (key, _) in std::env::vars().filter(|(k, _)| k.starts_with("MILVUS_UPLIFT_") || k.starts_with("HELM_")) {
            command.env_remove(key);
        }
        command.current_dir(self.0.path()).args(args).envs(env.iter().copied());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let input = stdin.to_owned();
        let writer = std::thread::spawn(move || std::io::Write::write_all(&mut pipe, input.as_bytes()));
        let output = child.wait_with_output().unwrap();
        let _ = writer.join();
        output
    }

    /// Runs `check out/target.yaml --current current.yaml` with further arguments; exit status and stdout.
    fn check(&self, args: &[&str]) -> (i32, String) {
        let mut all = vec!["check", "out/target.yaml", "--current", "current.yaml"];
        all.extend(args);
        let output = self.run(&all, "", &[]);
        let text = String::from_utf8(output.stdout).unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!text.contains(SECRET) && !said.contains(SECRET), "a secret is shown");
        (output.status.code().unwrap(), if text.is_empty() { said } else { text })
    }
}

/// A SARIF log that fits the official schema.
fn sarif(text: &str) -> Value {
    let mut schema: Value = serde_json::from_str(include_str!("sarif-2.1.0.schema.json")).unwrap();
    // The pattern of a language holds a `]` too many, which no regular expression may; nothing here says a language.
    for place in ["run", "toolComponent"] {
        let pattern = &mut schema["definitions"][place]["properties"]["language"]["pattern"];
        assert_eq!(*pattern, "^[a-zA-Z]{2}|^[a-zA-Z]{2}-[a-zA-Z]{2}]?$");
        *pattern = "^[a-zA-Z]{2}(-[a-zA-Z]{2})?$".into();
    }
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap();
    let log = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    if let Some(error) = validator.iter_errors(&log).next() {
        panic!("{error} at {}", error.instance_path());
    }
    log
}

fn line_of(text: &str, what: &str) -> usize {
    text.lines().position(|l| l.contains(what)).unwrap() + 1
}

#[test]
fn sarif_fits_its_schema_and_points_into_the_stream() {
    let place = Place::refused();
    let (code, text) = place.check(&["--format", "sarif"]);
    assert_eq!(code, 1);
    let log = sarif(&text);
    let results = log["runs"][0]["results"].as_array().unwrap();
    let result = results.iter().find(|r| r["ruleId"] == "MU301").unwrap();
    let physical = &result["locations"][0]["physicalLocation"];
    assert_eq!(physical["artifactLocation"]["uri"], "out/target.yaml");
    let line = line_of(&place.read("out/target.yaml"), "      type: kafka");
    assert_eq!(physical["region"]["startLine"], line);
    assert_eq!(physical["region"]["startColumn"], 7);
    assert_eq!(result["properties"]["template"], "milvus/templates/configmap.yaml");
    let object = &result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"];
    assert!(
        object.as_str().unwrap().ends_with("/ConfigMap/my-release-milvus"),
        "{object}"
    );
    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    assert!(
        rules
            .iter()
            .all(|r| r["help"]["markdown"].as_str().is_some_and(|h| !h.is_empty()))
    );
}

#[test]
fn sarif_without_findings_and_with_an_allowed_one() {
    let (code, text) = Place::new().check(&["--format", "sarif"]);
    sarif(&text);
    assert_eq!(code, 0, "{text}");
    let report: Value = serde_json::from_str(&Place::refused().check(&["--format", "json"]).1).unwrap();
    let codes = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["severity"] == "refuse");
    let mut args = vec!["--format", "sarif"];
    codes.for_each(|f| args.extend(["--allow", f["code"].as_str().unwrap()]));
    let (code, text) = Place::refused().check(&args);
    assert_eq!(code, 0);
    let log = sarif(&text);
    let results = log["runs"][0]["results"].as_array().unwrap();
    let result = results.iter().find(|r| r["ruleId"] == "MU301").unwrap();
    assert_eq!(result["suppressions"][0]["kind"], "external");
}

#[test]
fn unreadable_inputs_are_named_with_their_file_and_template() {
    let broken = "---\n# Source: milvus/templates/x.yaml\na: b: c\n";
    let place = Place::new();
    let run = |args: &[&str]| String::from_utf8(place.run(args, broken, &[]).stdout).unwrap();
    let log = sarif(&run(&["check", "--current", "current.yaml", "--format", "sarif"]));
    let result = &log["runs"][0]["results"][0];
    assert_eq!(
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
        "stdin.yaml"
    );
    assert_eq!(result["properties"]["template"], "milvus/templates/x.yaml");
    std::fs::write(place.path("bad values.yaml"), "a: b: c\n").unwrap();
    let file = [
        "check",
        "out/target.yaml",
        "--current",
        "current.yaml",
        "--values",
        "bad values.yaml",
        "--format",
    ];
    let log = sarif(&run(&[&file[..], &["sarif"]].concat()));
    let result = &log["runs"][0]["results"][0];
    assert_eq!(
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
        "bad%20values.yaml"
    );
    assert!(run(&[&file[..], &["github"]].concat()).starts_with("::error file=bad values.yaml,line=1,col="));
}

#[test]
fn paths_are_relative_to_where_the_program_runs() {
    let place = Place::refused();
    let target = std::fs::canonicalize(place.path("out/target.yaml")).unwrap();
    let args = [
        "check",
        target.to_str().unwrap(),
        "--current",
        "current.yaml",
        "--format",
        "sarif",
    ];
    let text = String::from_utf8(place.run(&args, "", &[]).stdout).unwrap();
    assert!(text.contains("\"uri\": \"out/target.yaml\""), "{text}");
    assert!(!text.contains(target.to_str().unwrap()));
}

#[test]
fn several_formats_go_to_several_files_in_one_run() {
    let place = Place::refused();
    let pairs = ["sarif", "junit", "markdown", "json", "github"];
    let mut args = vec!["--format", "text"];
    for format in pairs {
        args.extend(["--format", format, "--output", format]);
    }
    let (code, text) = place.check(&args);
    assert_eq!(code, 1);
    assert!(
        text.starts_with("REFUSE MU301") && text.contains("rendered by milvus/templates/configmap.yaml"),
        "{text}"
    );
    for format in pairs {
        let (alone, said) = place.check(&["--format", format]);
        assert_eq!(
            (alone, &said),
            (1, &place.read(format)),
            "{format}: the same alone, and the same again"
        );
        assert!(said.contains("MU301"));
    }
    sarif(&place.read("sarif"));
    let markdown = place.read("markdown");
    assert!(
        markdown.contains("| search/my-release | 2.5.22 | 2.6.16 | cluster | pulsar → kafka |"),
        "{markdown}"
    );
    let report: Value = serde_json::from_str(&place.read("json")).unwrap();
    let location = report["findings"][0]["location"].as_object().unwrap();
    assert_eq!(
        location.keys().collect::<Vec<_>>(),
        ["stream", "document", "line", "column"]
    );
    assert!(report["findings"][0].get("template").is_none());
}

#[test]
fn junit_is_well_formed_and_counts_right() {
    let place = Place::refused();
    let (_, text) = place.check(&["--format", "junit"]);
    let document = roxmltree::Document::parse(&text).unwrap();
    let suite = document.descendants().find(|n| n.has_tag_name("testsuite")).unwrap();
    let cases: Vec<_> = suite.children().filter(|n| n.has_tag_name("testcase")).collect();
    let failed: Vec<_> = cases
        .iter()
        .filter(|c| c.children().any(|n| n.has_tag_name("failure")))
        .collect();
    assert_eq!(suite.attribute("tests"), Some(cases.len().to_string().as_str()));
    assert_eq!(suite.attribute("failures"), Some(failed.len().to_string().as_str()));
    let case = failed
        .iter()
        .find(|c| c.attribute("name") == Some("MU301 mq-type-changed"))
        .unwrap();
    assert_eq!(case.attribute("classname"), Some("milvus-uplift.queue-and-storage"));
    let listed = place.run(&["rules"], "", &[]).stdout;
    assert_eq!(cases.len(), String::from_utf8(listed).unwrap().lines().count());
}

#[test]
fn strict_counts_warnings_in_status_and_formats() {
    let attu = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";
    let place = Place::new();
    let run = |args: &[&str], env: &[(&str, &str)]| {
        let output = place.run(&[&["check", "--current", "none"], args].concat(), attu, env);
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(run(&[], &[]).0, 0);
    let (code, text) = run(&["--strict"], &[]);
    assert_eq!(code, 1);
    assert!(text.contains("refused by --strict"), "{text}");
    assert!(run(&["--strict", "--format", "junit"], &[]).1.contains("<failure"));
    let verdict = |args: &[&str]| {
        let report: serde_json::Value = serde_json::from_str(&run(args, &[]).1).unwrap();
        report["verdict"].clone()
    };
    assert_eq!(verdict(&["--format", "json"]), "pass");
    assert_eq!(verdict(&["--strict", "--format", "json"]), "refuse");
    assert!(!run(&["--format", "junit"], &[]).1.contains("<failure"));
    assert_eq!(run(&[], &[("MILVUS_UPLIFT_STRICT", "true")]).0, 1);
    assert_eq!(run(&[], &[("MILVUS_UPLIFT_STRICT", "false")]).0, 0);
}

#[test]
fn the_environment_holds_one_format_and_output_a_line() {
    let place = Place::refused();
    let env = [
        ("MILVUS_UPLIFT_FORMAT", "sarif\ntext\n"),
        ("MILVUS_UPLIFT_OUTPUT", "x.sarif\n"),
    ];
    let args = ["check", "out/target.yaml", "--current", "current.yaml"];
    let output = place.run(&args, "", &env);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    sarif(&place.read("x.sarif"));
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("REFUSE MU301"));
    let replaced = place.run(&[&args[..], &["--format", "json", "--output", "-"]].concat(), "", &env);
    assert!(replaced.stdout.starts_with(b"{"));
}

#[test]
fn as_is_judges_what_came() {
    // The bundled example still holds the old roles; without the rewrite nothing is injected.
    let place = Place::new();
    let (_, text) = place.check(&["--as-is", "--format", "json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["changes"].as_array().unwrap().len(), 0);
}

#[test]
fn a_wrong_command_line_and_a_file_that_cannot_be_had_have_their_status() {
    let place = Place::refused();
    for (args, code, words) in [
        (
            &["--format", "text", "--format", "sarif"][..],
            2,
            "would both go to stdout",
        ),
        (
            &["--format", "sarif", "--output", "a", "--output", "b"],
            2,
            "--output b has no --format of its own",
        ),
        (
            &["--format", "toml"],
            2,
            "possible values: text, json, yaml, sarif, github, junit, markdown, jsonpatch, flux",
        ),
        (
            &["--format", "sarif", "--output", "no/such/folder/x"],
            3,
            "--output no/such/folder/x",
        ),
    ] {
        let (status, said) = place.check(args);
        assert_eq!((status, said.contains(words)), (code, true), "{args:?}: {said}");
    }
    let render = place.run(&["--format", "sarif"], "", &[]);
    assert_eq!(render.status.code(), Some(2));
    assert!(
        String::from_utf8(render.stderr)
            .unwrap()
            .contains("render knows the formats text and json")
    );
    let rules = place.run(&["rules", "--format", "text", "--format", "json"], "", &[]);
    assert_eq!(rules.status.code(), Some(2));
    assert_eq!(place.run(&["check", "missing.yaml"], "", &[]).status.code(), Some(3));
}

#[test]
fn no_format_shows_a_secret() {
    let place = Place::refused();
    for format in ["text", "json", "sarif", "github", "junit", "markdown"] {
        // `check` itself looks for the planted one.
        assert_eq!(place.check(&["--format", format]).0, 1, "{format}");
        assert_eq!(place.check(&["--as-is", "--format", format]).0, 1, "{format}");
    }
}

#[test]
fn what_a_manifest_holds_does_not_steer_the_terminal() {
    let place = Place::new();
    let odd = |file: &str| {
        let path = place.0.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        let changed = text.replace("      type: pulsar", "      type: \"\\x1b[31mred\"");
        assert_ne!(text, changed, "{file}");
        std::fs::write(path, changed).unwrap();
    };
    odd("out/target.yaml");
    let mut seen = 0;
    let mut told = |args: &[&str]| {
        let output = place.run(args, "", &[]);
        let all = [output.stdout, output.stderr].concat();
        assert!(!all.contains(&0x1b), "{args:?}");
        seen += usize::from(String::from_utf8(all).unwrap().contains("\\u{1b}[31mred"));
    };
    for command in ["check", "diff"] {
        told(&[command, "out/target.yaml", "--current", "current.yaml"]);
    }
    told(&[
        "check",
        "out/target.yaml",
        "--current",
        "current.yaml",
        "--format",
        "github",
    ]);
    told(&["inspect", "out/target.yaml"]);
    odd("current.yaml");
    for format in ["text", "markdown", "mermaid"] {
        told(&[
            "plan",
            "--current",
            "current.yaml",
            "--to",
            "2.6.16",
            "--format",
            format,
        ]);
    }
    assert_eq!(seen, 7);
}

#[test]
fn a_file_that_is_read_is_not_written_over() {
    let place = Place::new();
    std::fs::copy(place.0.path().join("current.yaml"), place.0.path().join("values.yaml")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("current.yaml", place.0.path().join("link.yaml")).unwrap();
    #[cfg(unix)]
    std::fs::hard_link(place.0.path().join("current.yaml"), place.0.path().join("hard.yaml")).unwrap();
    let before = std::fs::read(place.0.path().join("current.yaml")).unwrap();
    for (line, output, input) in [
        ("--current current.yaml --report current.yaml", "--report", "--current"),
        (
            "--current current.yaml --report ./out/../current.yaml",
            "--report",
            "--current",
        ),
        (
            "--current current.yaml --values values.yaml --report values.yaml",
            "--report",
            "--values",
        ),
        ("check out/target.yaml --output out/target.yaml", "--output", "FILE"),
        (
            "check out/target.yaml --current current.yaml --format sarif --output current.yaml",
            "--output",
            "--current",
        ),
        ("diff current.yaml --report current.yaml", "--report", "FILE"),
        (
            "plan --current current.yaml --to 2.6.16 --output current.yaml",
            "--output",
            "--current",
        ),
        (
            "verify out/target.yaml --current current.yaml --report out/target.yaml",
            "--report",
            "FILE",
        ),
        #[cfg(unix)]
        (
            "check --current current.yaml --report link.yaml",
            "--report",
            "--current",
        ),
        #[cfg(unix)]
        (
            "check --current hard.yaml --report current.yaml",
            "--report",
            "--current",
        ),
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        let out = place.run(&args, "", &[]);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{line}: {said}");
        assert!(
            said.contains(output) && said.contains(&format!("what {input} reads")),
            "{line}: {said}"
        );
        assert_eq!(
            std::fs::read(place.0.path().join("current.yaml")).unwrap(),
            before,
            "{line}"
        );
    }
    let apart = place.run(
        &[
            "check",
            "out/target.yaml",
            "--current",
            "current.yaml",
            "--report",
            "report.json",
        ],
        "",
        &[],
    );
    assert_eq!(
        apart.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&apart.stderr)
    );
}

#[test]
fn a_guard_has_no_stages() {
    let place = Place::new();
    let target = std::fs::read_to_string(place.0.path().join("out/target.yaml")).unwrap();
    let run = |line: &str, env: &[(&str, &str)]| {
        let args: Vec<&str> = line.split_whitespace().collect();
        let out = place.run(&args, &target, env);
        (
            out.status.code().unwrap(),
            out.stdout,
            String::from_utf8(out.stderr).unwrap(),
        )
    };
    let stage = ("MILVUS_UPLIFT_STAGE", "1");
    for (line, env) in [
        ("--rewrite never --stage 0", vec![]),
        ("--rewrite never --stage next", vec![]),
        ("check --as-is --stage 1", vec![]),
        ("diff --rewrite never --stage 1", vec![]),
        ("--stage 1", vec![("MILVUS_UPLIFT_REWRITE", "never")]),
        ("", vec![("MILVUS_UPLIFT_REWRITE", "never"), stage]),
        ("check", vec![("MILVUS_UPLIFT_AS_IS", "true"), stage]),
    ] {
        let (code, out, said) = run(&format!("{line} --current current.yaml"), &env);
        assert_eq!((code, out.len()), (2, 0), "{line}: {said}");
        assert!(
            said.contains("changes nothing, and --stage would hold back"),
            "{line}: {said}"
        );
    }
    // A stage that is set for every call is not what somebody asks of a guard.
    for line in ["check --as-is", "check --rewrite never", "--rewrite never"] {
        let line = format!("{line} --current current.yaml");
        let (wanted, alone) = (run(&line, &[]), run(&line, &[stage]));
        assert_eq!((alone.0, &alone.1), (wanted.0, &wanted.1), "{line}");
        assert!(alone.2.contains("MILVUS_UPLIFT_STAGE does not count"), "{}", alone.2);
    }
}

#[test]
fn an_input_without_objects_does_not_read_as_green() {
    let place = Place::new();
    for (args, exit) in [
        (&["check"][..], 0),
        (&["check", "--strict"], 1),
        (&["check", "--strict", "--current", "none"], 1),
    ] {
        for input in ["", "# Source: milvus/templates/nothing.yaml\n"] {
            let output = place.run(args, input, &[]);
            let said = String::from_utf8(output.stdout).unwrap();
            assert_eq!(output.status.code(), Some(exit), "{args:?} {input:?}\n{said}");
            assert!(
                said.contains("WARN MU002") && said.contains("set -o pipefail"),
                "{said}"
            );
        }
    }
    // Helm calls a post-renderer without input, too.
    let rendered = place.run(&[], "", &[]);
    assert!(rendered.status.success() && rendered.stdout.is_empty());
}

#[test]
fn an_empty_line_of_a_variable_names_no_file() {
    let place = Place::new();
    std::fs::write(place.path("values.yaml"), "image: {all: {tag: v2.6.16}}\n").unwrap();
    let args = [
        "check",
        "--format",
        "json",
        "--current",
        "current.yaml",
        "out/target.yaml",
    ];
    let with = |values: &str| {
        place.run(
            &args,
            "",
            &[("MILVUS_UPLIFT_VALUES", values), ("MILVUS_UPLIFT_PATCH", "\n")],
        )
    };
    let typed = place.run(&[&args[..], &["--values", "values.yaml"]].concat(), "", &[]);
    for values in ["values.yaml", "values.yaml\n", "\nvalues.yaml\n  \n", "values.yaml\n\n"] {
        assert_eq!(with(values), typed, "{values:?}");
    }
    for nothing in ["", "\n", " \n"] {
        assert_eq!(with(nothing), place.run(&args, "", &[]), "{nothing:?}");
    }
    let unset = place.run(&[&args[..], &["--values", ""]].concat(), "", &[]);
    assert_eq!(unset.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&unset.stderr).contains("--values names no file"),
        "{unset:?}"
    );
    let missing = with("nowhere.yaml\n");
    assert_eq!(missing.status.code(), Some(3), "{missing:?}");
}
