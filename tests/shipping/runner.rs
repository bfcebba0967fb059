//! A runner of the composite action, as far as action.yml needs one.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_yaml::Value;
use tempfile::TempDir;

use crate::{executable, root, said, text};

/// The steps of action.yml, run one after the other in the repository's root as a Linux runner would.
pub struct Runner {
    pub temp: TempDir,
    inputs: BTreeMap<String, String>,
    pub environment: Vec<(String, String)>,
}

/// What came of it: the action's outputs, and the text of the files they name; the log, the job summary, the exit of the
/// first step that failed, the actions called.
pub struct Ran {
    pub made: BTreeMap<String, String>,
    pub outputs: BTreeMap<String, String>,
    pub log: String,
    pub summary: String,
    pub exit: i32,
    pub called: Vec<String>,
}

impl Runner {
    pub fn new(inputs: &[(&str, &str)]) -> Runner {
        let own = |pair: &(&str, &str)| (pair.0.to_owned(), pair.1.to_owned());
        Runner {
            temp: tempfile::tempdir().unwrap(),
            inputs: inputs.iter().map(own).collect(),
            environment: Vec::new(),
        }
    }

    /// The program itself, whose `diff` alone is played: what is tested here is what the action makes of its exit.
    pub fn with_program(mut self, diff_exit: u8) -> Runner {
        let real = env!("CARGO_BIN_EXE_milvus-uplift");
        let script = format!(
            "#!/bin/sh\nif [ \"$1\" = diff ]; then echo \"DIFF $*\"; exit {diff_exit}; fi\nexec '{real}' \"$@\"\n"
        );
        let program = executable(&self.temp.path().join("bin/milvus-uplift"), &script);
        self.inputs.entry("binary".into()).or_insert(program);
        self
    }

    pub fn run(&self) -> Ran {
        let action: Value = serde_yaml::from_str(&text("action.yml")).unwrap();
        let mut known: BTreeMap<String, String> = BTreeMap::new();
        for (name, input) in action["inputs"].as_mapping().unwrap() {
            let name = name.as_str().unwrap();
            let default = input["default"].as_str().unwrap_or_default().to_owned();
            let value = self.inputs.get(name).cloned().unwrap_or(default);
            known.insert(format!("inputs.{name}"), value);
        }
        for name in self.inputs.keys() {
            assert!(known.contains_key(&format!("inputs.{name}")), "no input {name}");
        }
        known.insert("github.action_repository".into(), "owner/milvus-uplift".into());
        let mut ran = Ran {
            made: BTreeMap::new(),
            outputs: BTreeMap::new(),
            log: String::new(),
            summary: String::new(),
            exit: 0,
            called: Vec::new(),
        };
        for step in action["runs"]["steps"].as_sequence().unwrap() {
            let condition = step["if"].as_str();
            let is_always = condition.is_some_and(|c| c.contains("always()"));
            if ran.exit != 0 && !is_always || condition.is_some_and(|c| !holds(c, &known)) {
                continue;
            }
            if let Some(uses) = step["uses"].as_str() {
                ran.called.push(uses.to_owned());
                continue;
            }
            let exit = self.step(step, &mut known, &mut ran);
            ran.exit = if ran.exit == 0 { exit } else { ran.exit };
        }
        let summary = self.temp.path().join("summary");
        ran.summary = fs::read_to_string(summary).unwrap_or_default();
        for (name, output) in action["outputs"].as_mapping().unwrap() {
            let value = filled(output["value"].as_str().unwrap(), &known);
            if let Ok(made) = fs::read_to_string(root().join(&value)) {
                ran.made.insert(name.as_str().unwrap().to_owned(), made);
            }
            ran.outputs.insert(name.as_str().unwrap().to_owned(), value);
        }
        ran
    }

    fn step(&self, step: &Value, known: &mut BTreeMap<String, String>, ran: &mut Ran) -> i32 {
        assert_eq!(step["shell"].as_str(), Some("bash"));
        let outputs = self.temp.path().join("outputs");
        fs::write(&outputs, "").unwrap();
        let mut bash = Command::new("bash");
        bash.args([
            "--noprofile",
            "--norc",
            "-eo",
            "pipefail",
            "-c",
            step["run"].as_str().unwrap(),
        ])
        .current_dir(root())
        .env("GITHUB_ACTION_PATH", root())
        .env("GITHUB_OUTPUT", &outputs)
        .env("GITHUB_STEP_SUMMARY", self.temp.path().join("summary"))
        .env("GITHUB_SERVER_URL", "http://127.0.0.1:9")
        .env("RUNNER_TEMP", self.temp.path().join("runner"))
        .env("RUNNER_OS", "Linux")
        .env("RUNNER_ARCH", "X64")
        .env("MILVUS_UPLIFT_STAGE", "1")
        .envs(self.environment.iter().cloned());
        for (name, value) in step["env"].as_mapping().unwrap() {
            bash.env(name.as_str().unwrap(), filled(value.as_str().unwrap(), known));
        }
        let out = bash.output().unwrap();
        ran.log += &said(&out);
        for (name, value) in fs::read_to_string(&outputs)
            .unwrap()
            .lines()
            .filter_map(|l| l.split_once('='))
        {
            let id = step["id"].as_str().unwrap();
            known.insert(format!("steps.{id}.outputs.{name}"), value.to_owned());
        }
        out.status.code().unwrap_or(-1)
    }
}

/// The text with its one expression, of a name or `name || name`, filled in.
fn filled(text: &str, known: &BTreeMap<String, String>) -> String {
    let Some(expression) = text.strip_prefix("${{").and_then(|t| t.strip_suffix("}}")) else {
        return text.to_owned();
    };
    let values = expression.split("||").map(|name| {
        let name = name.trim();
        let is_known = known.contains_key(name) || name.starts_with("steps.");
        assert!(is_known, "{name} is nothing that is known");
        known.get(name).cloned().unwrap_or_default()
    });
    values.into_iter().find(|v| !v.is_empty()).unwrap_or_default()
}

/// A condition of `name == 'value'`, `name != 'value'` and `always()`, joined by `&&`.
fn holds(condition: &str, known: &BTreeMap<String, String>) -> bool {
    let inner = condition.trim_start_matches("${{").trim_end_matches("}}");
    inner.split("&&").map(str::trim).all(|term| {
        let compare = |op: &str| {
            let (name, value) = term.split_once(op)?;
            let found = known.get(name.trim()).cloned().unwrap_or_default();
            Some(found == value.trim().trim_matches('\''))
        };
        match term {
            "always()" => true,
            _ if term.contains("!=") => !compare("!=").unwrap(),
            _ => compare("==").unwrap_or_else(|| panic!("{term} is not understood")),
        }
    })
}

const EXAMPLE: [(&str, &str); 3] = [
    ("manifests", "testdata/example/target.yaml"),
    ("current", "testdata/example/current.yaml"),
    ("values", "testdata/example/values.yaml"),
];

pub fn example(more: &[(&str, &str)]) -> Runner {
    let mut inputs: BTreeMap<&str, &str> = EXAMPLE.into_iter().collect();
    inputs.extend(more.iter().copied());
    Runner::new(&inputs.into_iter().collect::<Vec<_>>())
}
