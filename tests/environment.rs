//! Options that come from the environment.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use clap::CommandFactory;
use milvus_uplift::cli::args::Cli;

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/example");
    path.join(name).display().to_string()
}

/// The program with these arguments and variables, and nothing on stdin.
fn run(args: &[String], variables: &[(String, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milvus-uplift"));
    for (key, _) in std::env::vars().filter(|(k, _)| k.starts_with("MILVUS_UPLIFT_") || k.starts_with("HELM_")) {
        command.env_remove(key);
    }
    command.args(args).stdin(Stdio::null());
    command.envs(variables.iter().map(|(k, v)| (k, v)));
    command.output().unwrap()
}

fn variables(command: &clap::Command) -> Vec<String> {
    let named = command.get_arguments().filter_map(clap::Arg::get_env);
    named.map(|name| name.to_str().unwrap().to_owned()).collect()
}

/// Each command with what it cannot do without, and the variables of its options.
fn commands() -> Vec<(Vec<String>, Vec<String>)> {
    let cli = Cli::command();
    let (target, current) = (example("target.yaml"), example("current.yaml"));
    let words = |line: &str| -> Vec<String> { line.split_whitespace().map(str::to_owned).collect() };
    let mut all = Vec::new();
    for (command, args) in [
        ("check", words(&format!("--current {current} {target}"))),
        ("check", words(&target)),
        ("diff", words(&format!("--current {current} {target}"))),
        ("inspect", words(&current)),
        ("verify", words(&format!("--current {current} {target}"))),
        ("plan", words(&format!("--current {current} --to 2.6.16"))),
        ("rules", vec![]),
    ] {
        let own = cli.find_subcommand(command).expect("a command");
        let variables = [variables(&cli), variables(own)].concat();
        all.push(([vec![command.to_owned()], args].concat(), variables));
    }
    all
}

#[test]
fn an_empty_variable_is_one_that_is_not_set() {
    let mut seen = std::collections::BTreeSet::new();
    for (args, variables) in commands() {
        let wanted = run(&args, &[]);
        let code = wanted.status.code();
        assert!(
            matches!(code, Some(0 | 1)),
            "{args:?}: {}",
            String::from_utf8_lossy(&wanted.stderr)
        );
        let empty: Vec<(String, &str)> = variables.iter().map(|name| (name.clone(), "")).collect();
        let got = run(&args, &empty);
        let said = String::from_utf8_lossy(&got.stderr);
        assert_eq!(got.status.code(), code, "{args:?}: {said}");
        assert!(
            got.stdout == wanted.stdout && got.stderr == wanted.stderr,
            "{args:?}: {said}"
        );
        seen.extend(variables);
    }
    for command in Cli::command().get_subcommands().chain([&Cli::command()]) {
        for variable in variables(command) {
            assert!(seen.contains(&variable), "{variable} was not tried");
        }
    }
}

#[test]
fn an_empty_option_on_the_command_line_is_wrong() {
    for option in ["--current", "--values", "--patch", "--report", "--rewrite", "--stage"] {
        let out = run(&["check".to_owned(), format!("{option}="), example("target.yaml")], &[]);
        assert_eq!(out.status.code(), Some(2), "{option}");
    }
}

#[test]
fn a_variable_is_replaced_by_the_command_line_and_is_wrong_where_it_names_nothing_known() {
    let current = example("current.yaml");
    let args = [
        "check".to_owned(),
        "--current".to_owned(),
        current,
        example("target.yaml"),
    ];
    let wanted = run(&args, &[]);
    let got = run(&args, &[("MILVUS_UPLIFT_CURRENT".to_owned(), "none")]);
    assert_eq!((got.status.code(), got.stdout), (wanted.status.code(), wanted.stdout));
    let wrong = run(&args, &[("MILVUS_UPLIFT_REWRITE".to_owned(), " ")]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn a_line_break_at_the_end_of_a_variable_does_not_count() {
    let words = |line: &str| -> Vec<String> { line.split_whitespace().map(str::to_owned).collect() };
    let (target, current) = (example("target.yaml"), example("current.yaml"));
    for (args, options) in [
        (
            format!("check {target}"),
            vec![
                ("CURRENT", current.as_str()),
                ("STAGE", "1"),
                ("REWRITE", "auto"),
                ("ORDER", "none"),
                ("FORMAT", "json"),
                ("STRICT", "true"),
                ("HELM_TIMEOUT", "9"),
            ],
        ),
        (
            format!("diff {target}"),
            vec![
                ("CURRENT", current.as_str()),
                ("AGAINST", "current"),
                ("UNIFIED", "1"),
                ("COLOR", "always"),
            ],
        ),
        (
            "plan".to_owned(),
            vec![
                ("CURRENT", current.as_str()),
                ("TO", "2.6.16"),
                ("NAMESPACE", "a"),
                ("KUBE_CONTEXT", "b"),
            ],
        ),
    ] {
        let ended = |end: &str| -> Vec<(String, String)> {
            let each = options
                .iter()
                .map(|(k, v)| (format!("MILVUS_UPLIFT_{k}"), format!("{v}{end}")));
            each.collect()
        };
        let ask = |variables: &[(String, String)]| {
            let all: Vec<(String, &str)> = variables.iter().map(|(k, v)| (k.clone(), v.as_str())).collect();
            run(&words(&args), &all)
        };
        let wanted = ask(&ended(""));
        assert!(matches!(wanted.status.code(), Some(0 | 1)), "{args}: {wanted:?}");
        for end in ["\n", "\r\n"] {
            let got = ask(&ended(end));
            let same = got.status.code() == wanted.status.code() && got.stdout == wanted.stdout;
            assert!(same, "{args} {end:?}: {}", String::from_utf8_lossy(&got.stderr));
        }
    }
}

#[test]
fn a_word_that_is_neither_yes_nor_no_turns_nothing_on() {
    let target = example("target.yaml");
    for (args, variable) in [
        (vec!["diff".to_owned(), target.clone()], "MILVUS_UPLIFT_SHOW_SECRETS"),
        (vec!["check".to_owned(), target.clone()], "MILVUS_UPLIFT_STRICT"),
        (vec!["check".to_owned(), target.clone()], "MILVUS_UPLIFT_AS_IS"),
        (vec!["check".to_owned(), target], "MILVUS_UPLIFT_TIMINGS"),
        (vec!["rules".to_owned()], "MILVUS_UPLIFT_FACTS"),
    ] {
        let off = run(&args, &[]);
        for (word, wanted) in [("nope", Some(2)), ("2", Some(2)), ("false", off.status.code())] {
            let got = run(&args, &[(variable.to_owned(), word)]);
            assert_eq!(got.status.code(), wanted, "{variable}={word}");
            if wanted == Some(2) {
                let said = String::from_utf8_lossy(&got.stderr);
                assert!(got.stdout.is_empty() && said.contains("takes true or 1"), "{said}");
            } else {
                assert_eq!(got.stdout, off.stdout, "{variable}={word}");
            }
        }
    }
}
