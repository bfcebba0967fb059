//! A passing case of `testdata` as the inputs of one judgement.

use std::path::Path;

use clap::Parser as _;
use milvus_uplift::cli::args::{Cli, Rewrite};
use milvus_uplift::finding::Input;
use milvus_uplift::judge::{Current, Judgement, Places, Request, ValuesFile, judge};
use milvus_uplift::milvus::release::inventory;
use milvus_uplift::options::{Allowances, Assumptions, Options, RewriteMode};
use milvus_uplift::order::Order;
use milvus_uplift::rules;
use milvus_uplift::stream::Stream;
use milvus_uplift::value::Value;

/// What `--current` says.
#[derive(Clone)]
pub enum Deployed {
    Unsaid,
    Nothing,
    Text(Vec<u8>),
}

/// The inputs of one judgement.
#[derive(Clone)]
pub struct Scenario {
    pub target: String,
    pub current: Deployed,
    pub values: Vec<(String, Vec<u8>)>,
    /// Where among the values those of the release record stand.
    pub stored_values: Option<usize>,
    pub options: Options,
    /// `--assume` as written.
    pub assumed: Vec<String>,
    pub helm: Vec<String>,
    pub patches: Vec<(String, Vec<u8>)>,
}

fn case(folder: &Path) -> Value {
    let text = std::fs::read_to_string(folder.join("case.yaml")).expect("case.yaml");
    serde_yaml::from_str(&text).expect("a case")
}

impl Scenario {
    /// Reads a folder; `None` where its case does not pass.
    pub fn read(folder: &Path) -> Option<Scenario> {
        let case = case(folder);
        (case["exit"] == 0).then(|| Scenario::of(folder, &case))
    }

    /// Reads a folder whose case is refused, for what its manifests say.
    pub fn read_refused(folder: &Path) -> Option<Scenario> {
        let case = case(folder);
        let named = |arg: &Value| {
            arg.as_str()
                .is_some_and(|a| a.starts_with("--current") || a == "--values")
        };
        let by_arguments = case["args"].as_array().into_iter().flatten().any(named);
        let readable = std::fs::read_to_string(folder.join("target.yaml")).is_ok();
        (case["exit"] == 1 && readable && !by_arguments).then(|| Scenario::of(folder, &case))
    }

    fn of(folder: &Path, case: &Value) -> Scenario {
        let text = |name: &str| std::fs::read_to_string(folder.join(name));
        let words = |key: &str| -> Vec<String> {
            let list = case[key].as_array().into_iter().flatten();
            list.map(|w| w.as_str().expect("a text").to_owned()).collect()
        };
        let args = words("args");
        let line = ["milvus-uplift".to_owned()].into_iter().chain(args);
        let context = Cli::try_parse_from(line).expect("the case's arguments").context;
        let file = ["current.yaml", "current.json"]
            .into_iter()
            .find_map(|f| std::fs::read(folder.join(f)).ok());
        let current = match (context.current.as_deref(), file) {
            (Some("none"), _) => Deployed::Nothing,
            (None, Some(bytes)) => Deployed::Text(bytes),
            (None, None) => Deployed::Unsaid,
            (Some(other), _) => panic!("--current {other}"),
        };
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .expect("the folder")
            .flatten()
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .filter(|n| n.starts_with("values") && n.ends_with(".yaml"))
            .collect();
        names.sort();
        let bytes = |name: String| {
            (
                name.clone(),
                std::fs::read(folder.join(name)).expect("a file of the folder"),
            )
        };
        let options = Options {
            assume: Assumptions::parse(context.assume.iter().map(String::as_str)).expect("--assume"),
            allow: Allowances::parse(context.allow.iter().map(String::as_str), &rules::codes(), false)
                .expect("--allow"),
            rewrite: match context.rewrite {
                Rewrite::Auto => RewriteMode::Auto,
                Rewrite::Never => RewriteMode::Never,
            },
            stage: context.stage,
            order: Order::Unsaid,
        };
        let stored = context.values.iter().any(|v| v.as_os_str() == "current");
        assert!(stored || context.values.is_empty(), "values are files of the folder");
        let values: Vec<_> = names.into_iter().map(bytes).collect();
        Scenario {
            target: text("target.yaml").expect("target.yaml"),
            current,
            stored_values: stored.then_some(values.len()),
            values,
            options,
            assumed: context.assume,
            helm: words("helm"),
            patches: context.patch.iter().map(|p| bytes(p.display().to_string())).collect(),
        }
    }

    pub fn judge(&self) -> Judgement {
        judge(&self.request())
    }

    /// The judgement without the places of what only warns, which takes half as long.
    pub fn judge_quickly(&self) -> Judgement {
        judge(&Request {
            places: Places::IfRefused,
            ..self.request()
        })
    }

    pub fn request(&self) -> Request {
        let files = |list: &[(String, Vec<u8>)]| -> Vec<ValuesFile> {
            let file = |(name, bytes): &(String, Vec<u8>)| ValuesFile {
                name: name.clone(),
                bytes: bytes.clone(),
            };
            list.iter().map(file).collect()
        };
        Request {
            target: self.target.clone().into(),
            current: self.current(),
            values: files(&self.values),
            patches: files(&self.patches),
            stored_values: self.stored_values,
            options: self.options.clone(),
            host_command: (!self.helm.is_empty())
                .then(|| std::iter::once("helm".to_owned()).chain(self.helm.clone()).collect()),
            ..Request::default()
        }
    }

    pub fn current(&self) -> Current {
        match &self.current {
            Deployed::Unsaid => Current::Unsaid,
            Deployed::Nothing => Current::Nothing,
            Deployed::Text(bytes) => Current::Manifests(bytes.clone().into()),
        }
    }

    pub fn with_target(&self, target: String) -> Scenario {
        Scenario { target, ..self.clone() }
    }

    pub fn with_current(&self, current: impl Into<Vec<u8>>) -> Scenario {
        Scenario {
            current: Deployed::Text(current.into()),
            ..self.clone()
        }
    }

    /// The text of `--current`, where it holds manifests of its own and not a packed release.
    pub fn current_text(&self) -> Option<&str> {
        let Deployed::Text(bytes) = &self.current else {
            return None;
        };
        let text = std::str::from_utf8(bytes).ok()?;
        let stream = Stream::read(bytes, Input::Current).ok()?;
        (!inventory(&stream.objects).releases.is_empty()).then_some(text)
    }
}
