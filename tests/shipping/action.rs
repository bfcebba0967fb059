//! The GitHub action: what it passes, refuses, shows, downloads, and never runs.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;

use serde_yaml::Value;

use crate::packages::release;
use crate::runner::{Runner, example};
use crate::{executable, text};

#[test]
fn the_action_passes_what_is_fine_and_shows_the_difference() {
    let ran = example(&[("namespace", "search")]).with_program(1).run();
    assert_eq!(ran.exit, 0, "{}", ran.log);
    assert_eq!(ran.outputs["exit"], "0");
    assert!(ran.log.contains("::warning file=testdata/example/"), "{}", ran.log);
    assert!(ran.summary.starts_with("<!-- milvus-uplift -->\n"), "{}", ran.summary);
    let diff = "DIFF diff testdata/example/target.yaml --current testdata/example/current.yaml --namespace search \
                --values testdata/example/values.yaml --format markdown";
    assert!(ran.summary.contains(diff), "{}", ran.summary);
    let report: serde_json::Value = serde_json::from_str(&ran.made["report"]).unwrap();
    assert_eq!(report["verdict"], "pass");
    // What the job has set for the program otherwise (MILVUS_UPLIFT_STAGE) is not heard.
    assert_eq!(
        report["releases"][0]["stage"]["applied"],
        report["releases"][0]["stage"]["last"]
    );
    assert!(ran.summary.starts_with(&ran.made["markdown"]));
    assert!(ran.called.is_empty(), "code scanning was not asked for");

    let strict = example(&[("strict", "true"), ("diff", "none")]).with_program(1).run();
    assert_eq!(
        (strict.exit, strict.outputs["exit"].as_str()),
        (1, "1"),
        "{}",
        strict.log
    );
    assert!(!strict.summary.contains("DIFF"));
}

#[test]
fn the_action_shows_what_the_program_itself_changes() {
    let ran = example(&[("binary", env!("CARGO_BIN_EXE_milvus-uplift"))]).run();
    assert_eq!(ran.exit, 0, "{}", ran.log);
    assert!(!ran.made["diff"].is_empty() && ran.summary.ends_with(&ran.made["diff"]));
    assert!(
        ran.made["diff"].contains("my-release-milvus-streamingnode"),
        "{}",
        ran.summary
    );
    assert!(!ran.log.contains("could not be shown"), "{}", ran.log);
}

#[test]
fn the_action_judges_with_the_patches_that_the_upgrade_is_given() {
    let patch = tempfile::NamedTempFile::new().unwrap();
    let none = "target: {role: streamingnode}\npatch: [{op: replace, path: /spec/replicas, value: 0}]\n";
    fs::write(&patch, none).unwrap();
    let program = ("binary", env!("CARGO_BIN_EXE_milvus-uplift"));
    let ran = example(&[program, ("patches", patch.path().to_str().unwrap())]).run();
    assert_eq!(ran.exit, 1, "{}", ran.log);
    assert!(ran.log.contains("MU203"), "{}", ran.log);
}

#[test]
fn the_action_refuses_annotates_and_uploads() {
    let manifests = tempfile::NamedTempFile::new().unwrap();
    let kafka = text("testdata/example/target.yaml").replace("      type: pulsar", "      type: kafka");
    fs::write(manifests.path(), kafka).unwrap();
    let inputs = [
        ("manifests", manifests.path().to_str().unwrap()),
        ("upload-sarif", "true"),
        ("diff", "current"),
    ];
    let ran = example(&inputs).with_program(1).run();
    assert_eq!(ran.exit, 1, "{}", ran.log);
    assert!(
        ran.log
            .lines()
            .any(|l| l.starts_with("::error ") && l.contains("MU301")),
        "{}",
        ran.log
    );
    assert!(
        ran.summary.contains("refused") && ran.summary.contains("--against current"),
        "{}",
        ran.summary
    );
    let sarif: serde_json::Value = serde_json::from_str(&ran.made["sarif"]).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert!(results.iter().any(|r| r["ruleId"] == "MU301"));
    assert!(matches!(&ran.called[..], [one] if one.starts_with("github/codeql-action/upload-sarif@")));

    let allowed = example(&[inputs[0], ("allow", "\nMU301@2.6.16\nMU310@2.6.16\n")])
        .with_program(0)
        .run();
    assert_eq!(allowed.exit, 0, "{}", allowed.log);
}

#[test]
fn what_could_not_be_judged_is_no_pass() {
    for (inputs, exit, words) in [
        (
            vec![("current", "no/such/file.yaml")],
            3,
            "did not come to a judgement (exit 3)",
        ),
        (vec![("allow", "MU001")], 2, "did not come to a judgement (exit 2)"),
        (vec![("current", "")], 3, "input current:"),
        (vec![("manifests", "")], 3, "inputs manifests or chart:"),
        (vec![("strict", "yes")], 3, "input strict: true or false"),
        (vec![("diff", "all")], 3, "input diff:"),
        (
            vec![("binary", "no/such/program")],
            3,
            "input binary: no program at no/such/program",
        ),
    ] {
        let ran = example(&inputs).with_program(0).run();
        assert_ne!(ran.exit, 0, "{inputs:?}");
        assert!(
            ran.log.contains("::error") && ran.log.contains(words),
            "{inputs:?}: {}",
            ran.log
        );
        // The last step says the check's own exit; where there was none, that nothing was judged.
        let verdict = ran.outputs["exit"].parse().unwrap_or(3);
        assert_eq!(verdict, exit, "{inputs:?}");
    }
    let ran = example(&[]).with_program(3).run();
    assert_eq!(ran.exit, 0, "{}", ran.log);
    assert!(
        ran.log
            .contains("::warning title=milvus-uplift action::the difference could not be shown (exit 3)")
    );
    assert!(!ran.summary.contains("DIFF") && ran.outputs["diff"].is_empty());
}

#[test]
fn the_action_renders_a_chart() {
    let mut runner = Runner::new(&[
        ("chart", "milvus"),
        ("chart-version", "5.0.20"),
        ("chart-repository", "https://charts.example.org"),
        ("release", "my-release"),
        ("namespace", "search"),
        ("values", "testdata/example/values.yaml\n"),
        ("current", "testdata/example/current.yaml"),
    ])
    .with_program(0);
    let bin = runner.temp.path().join("bin");
    executable(
        &bin.join("helm"),
        "#!/bin/sh\necho \"$*\" > \"$RUNNER_TEMP/helm\"\ncat testdata/example/target.yaml\n",
    );
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    runner.environment.push(("PATH".into(), path));
    let ran = runner.run();
    assert_eq!(ran.exit, 0, "{}", ran.log);
    assert_eq!(ran.made["manifests"], text("testdata/example/target.yaml"));
    assert_eq!(
        text(runner.temp.path().join("runner/helm")),
        "template my-release milvus --version 5.0.20 --repo https://charts.example.org --namespace search \
         --values testdata/example/values.yaml\n"
    );
    executable(&bin.join("helm"), "#!/bin/sh\nexit 1\n");
    let ran = runner.run();
    assert!(
        ran.exit != 0 && ran.log.contains("helm template did not render milvus"),
        "{}",
        ran.log
    );
}

#[test]
fn nothing_in_an_input_is_run() {
    let action: Value = serde_yaml::from_str(&text("action.yml")).unwrap();
    for step in action["runs"]["steps"].as_sequence().unwrap() {
        assert!(
            !step["run"].as_str().unwrap_or_default().contains("${{"),
            "an expression within a script"
        );
    }
    let mark = tempfile::tempdir().unwrap();
    let evil = format!(
        "x$(touch {0}/a)`touch {0}/b`'; touch {0}/c #\"; touch {0}/d",
        mark.path().display()
    );
    for name in action["inputs"].as_mapping().unwrap().keys().filter_map(Value::as_str) {
        let ran = example(&[(name, &evil)]).with_program(0).run();
        assert_eq!(fs::read_dir(mark.path()).unwrap().count(), 0, "{name}: {}", ran.log);
    }
}

/// Serves the files of a release as GitHub does, for as long as the test runs.
fn serve(dist: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let prefix = format!(
        "GET /owner/milvus-uplift/releases/download/v{}/",
        env!("CARGO_PKG_VERSION")
    );
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let n = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..n]).into_owned();
            let name = request.strip_prefix(&prefix).and_then(|r| r.split(' ').next());
            let (status, body) = match name.and_then(|n| fs::read(dist.join(n)).ok()) {
                Some(body) => ("200 OK", body),
                None => ("404 Not Found", Vec::new()),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
        }
    });
    address
}

#[test]
#[cfg(target_os = "linux")] // GNU tar packs it
fn the_action_takes_a_released_program_that_is_what_was_released() {
    let temp = tempfile::tempdir().unwrap();
    let dist = release(temp.path());
    let server = serve(dist.clone());
    let archive = dist.join(format!(
        "milvus-uplift-{}-linux-amd64.tar.gz",
        env!("CARGO_PKG_VERSION")
    ));
    let install = |inputs: &[(&str, &str)]| {
        let mut runner = example(inputs);
        runner.environment.push(("GITHUB_SERVER_URL".into(), server.clone()));
        runner.run()
    };
    let version = format!("milvus-uplift {}\n", env!("CARGO_PKG_VERSION"));
    // The default version, and the stand-in program then judges nothing; what counts is that it was run.
    assert!(install(&[]).log.starts_with(&version), "{}", install(&[]).log);
    let ran = install(&[("version", "9.9.9")]);
    assert!(
        ran.exit != 0
            && ran
                .log
                .contains("is there a release v9.9.9 with a build for linux/amd64?"),
        "{}",
        ran.log
    );
    let ran = install(&[("version", "1.0.0/../../x")]);
    assert!(
        ran.exit != 0 && ran.log.contains("input version: not a version"),
        "{}",
        ran.log
    );
    let ran = install(&[("sha256", "0000")]);
    assert!(
        ran.exit != 0 && ran.log.contains("input sha256 says 0000"),
        "{}",
        ran.log
    );
    let mut bytes = fs::read(&archive).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&archive, bytes).unwrap();
    let ran = install(&[]);
    assert!(
        ran.exit != 0 && ran.log.contains("is not what was released"),
        "{}",
        ran.log
    );
    assert!(!ran.log.contains(&version), "it was run all the same");
}
