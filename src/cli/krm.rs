//! `render` as a KRM function: a ResourceList in, a ResourceList out, refused or not. Its functionConfig holds options.

use std::ffi::OsString;

use clap::FromArgMatches;
use clap::parser::ValueSource;
use memchr::memmem;

use super::args::Cli;
use super::{EXIT_FAILED, EXIT_OK, EXIT_REFUSED, EXIT_USAGE, Io, Usage, options, put, request, write_report};
use crate::finding::Input;
use crate::host::{krm, parent};
use crate::judge::{Current, Judgement, Request, ValuesFile, judge};
use crate::report::{krm as report, text};
use crate::stream::{Bytes, Stream};
use crate::value::{Map, Value};
use crate::yaml::{self, Op, PatchOp};

/// The group and version of the functionConfig that is ours.
const API_VERSION: &str = "milvus-uplift.io/v1alpha1";
const KIND: &str = "MilvusUplift";

/// The options a functionConfig may hold: as on the command line, in a `spec` also in camel case; whether repeatable.
const OPTIONS: [(&str, &str, bool); 12] = [
    ("current", "current", false),
    ("values", "values", true),
    ("patch", "patch", true),
    ("namespace", "namespace", false),
    ("kube-context", "kubeContext", false),
    ("helm-timeout", "helmTimeout", false),
    ("rewrite", "rewrite", false),
    ("stage", "stage", false),
    ("order", "order", false),
    ("assume", "assume", true),
    ("allow", "allow", true),
    ("report", "report", false),
];

/// A ResourceList that came in.
pub struct List {
    came: String,
    /// The same as YAML: escapes that only JSON knows are spelled.
    text: String,
    config: Value,
}

impl List {
    /// Where the input is one ResourceList and nothing else; what else it may be is judged as a stream.
    pub fn read(bytes: &[u8]) -> Option<List> {
        memmem::find(bytes, krm::KIND.as_bytes())?;
        let came = std::str::from_utf8(bytes).ok()?;
        let text = yaml::without_json_escapes(came).unwrap_or_else(|| came.to_owned());
        let mut values = Vec::new();
        for document in yaml::split(&text).ok()? {
            values.extend(yaml::read(&text[document.body]).ok()?);
        }
        let [value] = &values[..] else { return None };
        krm::is_envelope(value).then(|| List {
            config: value["functionConfig"].clone(),
            came: came.to_owned(),
            text,
        })
    }
}

/// Runs the function. What stands on the command line replaces what the functionConfig says, and that the environment.
pub fn run(list: &List, matches: &clap::ArgMatches, args: &[OsString], io: &mut Io) -> anyhow::Result<u8> {
    let (status, text, results) = match attempt(list, matches, args, io) {
        Ok(Ok(judgement)) => {
            let _ = io.stderr.write_all(said(&judgement).as_bytes());
            let items = Stream::read(list.text.as_bytes(), Input::Target).map_or_else(|_| vec![], |s| s.objects);
            let status = match (&judgement.output, judgement.unvouched) {
                (Some(_), _) => EXIT_OK,
                (None, false) => EXIT_REFUSED,
                (None, true) => EXIT_FAILED,
            };
            let results = report::results(&judgement, &items);
            (status, judgement.text(), results)
        }
        Ok(Err(e)) => (EXIT_FAILED, None, vec![complain(io, &format!("{e:#}"))]),
        Err(Usage(message)) => (EXIT_USAGE, None, vec![complain(io, &message)]),
    };
    // A refused list goes back as it came.
    let answer = with_results(text.as_deref().unwrap_or(&list.text), results)?;
    let answer = if answer == list.text { &list.came } else { &answer };
    put(io.stdout, answer.as_bytes())?;
    Ok(status)
}

fn complain(io: &mut Io, message: &str) -> Value {
    let _ = io.stderr.write_all(format!("milvus-uplift: {message}\n").as_bytes());
    report::error(message)
}

fn said(judgement: &Judgement) -> String {
    match judgement.output {
        Some(_) => text::warnings(judgement)
            .map(|line| format!("{line}\n"))
            .unwrap_or_default(),
        None => text::refusal(judgement),
    }
}

fn attempt(
    list: &List,
    matches: &clap::ArgMatches,
    args: &[OsString],
    io: &mut Io,
) -> Result<anyhow::Result<Judgement>, Usage> {
    let given = Given::read(&list.config).map_err(|why| Usage(format!("functionConfig: {why}")))?;
    let mut all = args.to_vec();
    let kept = |option: &str| !on_command_line(matches, option);
    all.extend(
        given
            .args
            .iter()
            .filter(|(o, _)| kept(o))
            .map(|(o, value)| format!("--{o}={value}").into()),
    );
    let wrong = |e: clap::Error| Usage(format!("functionConfig: {}", e.render().to_string().trim_end()));
    let matches_with = super::args::command().try_get_matches_from(&all).map_err(wrong)?;
    let mut context = Cli::from_arg_matches(&matches_with).map_err(wrong)?.context;
    super::overwrite::none(&context, &[], &[])?;
    // What stands in a file of a repository outlives the upgrade it was meant for, as the environment does.
    let lasting = super::allow_from_env(&matches_with) || kept("allow") && given.args.iter().any(|(o, _)| o == "allow");
    let mut options = options(&context, lasting)?;
    super::guard_only(&matches_with, &mut options, None, io)?;
    let inline = if kept("values") { given.values } else { vec![] };
    if !inline.is_empty() && !given.args.iter().any(|(o, _)| o == "values") {
        context.values.clear();
    }
    let inline_current = given.current.filter(|_| kept("current"));
    if inline_current.is_some() {
        context.current = None;
    }
    Ok(
        request(&context, options, list.text.clone().into_bytes()).and_then(|mut request| {
            if let Some(text) = inline_current {
                request.current = Current::Manifests(Bytes::from(text).or_json());
            }
            inline_values(&mut request, inline);
            request.host_command = parent::command_line();
            let judgement = judge(&request);
            write_report(&context, &judgement)?;
            Ok(judgement)
        }),
    )
}

fn on_command_line(matches: &clap::ArgMatches, option: &str) -> bool {
    let id = option.replace('-', "_");
    let sub = matches.subcommand().map(|(_, sub)| sub);
    std::iter::once(matches)
        .chain(sub)
        .any(|m| m.value_source(&id) == Some(ValueSource::CommandLine))
}

/// Puts values that stand in the functionConfig itself among the files, in their order.
fn inline_values(request: &mut Request, inline: Vec<Inline>) {
    let mut files = std::mem::take(&mut request.values).into_iter();
    let mut values = Vec::with_capacity(files.len() + inline.len());
    // Their places go up.
    for one in inline {
        if !one.behind_stored
            && let Some(stored) = &mut request.stored_values
        {
            *stored += 1;
        }
        values.extend(files.by_ref().take(one.at.saturating_sub(values.len())));
        values.push(ValuesFile {
            name: "functionConfig".into(),
            bytes: one.text.into_bytes(),
        });
    }
    values.extend(files);
    request.values = values;
}

/// The list with these results and no others: an orchestrator takes them from the last function.
fn with_results(text: &str, results: Vec<Value>) -> anyhow::Result<String> {
    let documents = yaml::split(text)?;
    let mut out = String::with_capacity(text.len() + 1024);
    for document in documents {
        let body = &text[document.body.clone()];
        out.push_str(&text[document.whole.start..document.body.start]);
        let value = yaml::read(body)?;
        let op = match (value.as_ref().map(|v| v.get("results").is_some()), results.is_empty()) {
            (None, _) | (Some(false), true) => None,
            (Some(true), true) => Some((Op::Remove, None)),
            (Some(true), false) => Some((Op::Replace, Some(Value::Array(results.clone())))),
            (Some(false), false) => Some((Op::Add, Some(Value::Array(results.clone())))),
        };
        match op {
            None => out.push_str(body),
            Some((op, value)) => {
                let path = "/results".to_owned();
                out.push_str(&yaml::patch(body, &[PatchOp { op, path, value }])?);
            }
        }
        out.push_str(&text[document.body.end..document.whole.end]);
    }
    Ok(out)
}

/// What a functionConfig says.
#[derive(Debug, Default, PartialEq)]
struct Given {
    /// Options and values as on the command line.
    args: Vec<(String, String)>,
    /// What is deployed, where it stands there itself.
    current: Option<String>,
    /// Values that stand there themselves.
    values: Vec<Inline>,
    /// How many of `args` are files of values.
    files: usize,
    /// Whether one of them says that the values of the release record come in here.
    stored: bool,
}

/// Values that stand in a functionConfig itself.
#[derive(Debug, PartialEq)]
struct Inline {
    /// Their place among all files.
    at: usize,
    /// Whether those of the release record (`current`) stand before them.
    behind_stored: bool,
    text: String,
}

impl Given {
    /// Unknown keys are an error: a misspelt `current` must not read as nothing said.
    fn read(config: &Value) -> Result<Given, String> {
        let mut given = Given::default();
        let map = match config {
            Value::Null => return Ok(given),
            Value::Object(map) => map,
            _ => return Err("it is no object".into()),
        };
        let (field, camel) = match (config["apiVersion"].as_str(), config["kind"].as_str()) {
            (Some("v1"), Some("ConfigMap")) => ("data", false),
            (Some(API_VERSION), Some(KIND)) => ("spec", true),
            (version, kind) => {
                let is = format!(
                    "{} {}",
                    version.unwrap_or("no apiVersion"),
                    kind.unwrap_or("without a kind")
                );
                return Err(format!("known are v1 ConfigMap and {API_VERSION} {KIND}, this is {is}"));
            }
        };
        for key in map.keys() {
            if !["apiVersion", "kind", "metadata", field].contains(&key.as_str()) {
                return Err(format!("unknown field `{key}`; options stand in `{field}`"));
            }
        }
        let said = match &config[field] {
            Value::Null => return Ok(given),
            Value::Object(said) => said,
            _ => return Err(format!("`{field}` is no mapping")),
        };
        for (key, value) in said {
            let known = OPTIONS
                .iter()
                .find(|(name, in_spec, _)| key == if camel { in_spec } else { name });
            let Some((option, _, repeatable)) = known else {
                let names: Vec<&str> = OPTIONS
                    .iter()
                    .map(|(name, in_spec, _)| if camel { *in_spec } else { *name })
                    .collect();
                return Err(format!(
                    "unknown option `{field}.{key}`; known are {}",
                    names.join(", ")
                ));
            };
            given
                .take(option, *repeatable, value)
                .map_err(|why| format!("`{field}.{key}` {why}"))?;
        }
        Ok(given)
    }

    fn take(&mut self, option: &str, repeatable: bool, value: &Value) -> Result<(), String> {
        match (option, value) {
            (_, Value::Null) => {}
            ("current", Value::Object(_)) => self.current = Some(yaml::emit(value)),
            ("current", Value::String(text)) if text.trim().contains('\n') => self.current = Some(text.to_string()),
            ("values", Value::Object(_)) => self.inline(yaml::emit(value)),
            ("values", Value::String(text)) if matches!(yaml::read(text), Ok(Some(Value::Object(_)))) => {
                self.inline(text.to_string());
            }
            ("assume", Value::Object(map)) => self.pairs(map)?,
            (_, Value::Array(items)) if repeatable => {
                for item in items {
                    self.take(option, repeatable, item)?;
                }
            }
            (_, Value::String(text)) if repeatable => {
                let lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
                lines.for_each(|line| self.arg(option, line));
            }
            (_, Value::Object(_) | Value::Array(_)) => return Err("takes one value".into()),
            (_, value) => {
                self.arg(option, scalar(value).trim());
            }
        }
        Ok(())
    }

    fn arg(&mut self, option: &str, value: &str) {
        match (option, value) {
            ("values", "current") => self.stored = true,
            ("values", _) => self.files += 1,
            _ => {}
        }
        self.args.push((option.to_owned(), value.to_owned()));
    }

    fn inline(&mut self, text: String) {
        self.values.push(Inline {
            at: self.files + self.values.len(),
            behind_stored: self.stored,
            text,
        });
    }

    fn pairs(&mut self, map: &Map) -> Result<(), String> {
        for (key, value) in map {
            if value.is_object() || value.is_array() {
                return Err(format!("`{key}` takes one value"));
            }
            self.args.push(("assume".into(), format!("{key}={}", scalar(value))));
        }
        Ok(())
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    fn args(config: Value) -> Result<Vec<String>, String> {
        let given = Given::read(&config)?;
        Ok(given.args.into_iter().map(|(o, v)| format!("--{o}={v}")).collect())
    }

    #[test]
    fn options_of_both_kinds_become_arguments() {
        let data = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"},
            "data": {"current": "state.yaml", "patch": "a.yaml\nb.yaml", "stage": "2", "assume": "a=1\nb=2\n", "kube-context": "c"}});
        let wanted = [
            "--current=state.yaml",
            "--patch=a.yaml",
            "--patch=b.yaml",
            "--stage=2",
            "--assume=a=1",
            "--assume=b=2",
            "--kube-context=c",
        ];
        assert_eq!(args(data).unwrap(), wanted);
        let spec = json!({"apiVersion": API_VERSION, "kind": KIND,
            "spec": {"current": "state.yaml", "patch": ["a.yaml", "b.yaml"], "stage": 2, "assume": {"a": 1, "b": "2"}, "kubeContext": "c"}});
        assert_eq!(args(spec).unwrap(), wanted);
        assert_eq!(args(Value::Null).unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for (config, words) in [
            (
                json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"curent": "x"}}),
                "unknown option `data.curent`",
            ),
            (
                json!({"apiVersion": "v1", "kind": "ConfigMap", "spec": {}}),
                "unknown field `spec`",
            ),
            (json!({"apiVersion": "v1", "kind": "Secret"}), "this is v1 Secret"),
            (
                json!({"apiVersion": API_VERSION, "kind": KIND, "spec": {"kube-context": "c"}}),
                "unknown option",
            ),
            (
                json!({"apiVersion": API_VERSION, "kind": KIND, "spec": {"stage": [1]}}),
                "`spec.stage` takes one value",
            ),
            (json!([]), "no object"),
        ] {
            let why = Given::read(&config).unwrap_err();
            assert!(why.contains(words), "{why}");
        }
    }

    #[test]
    fn texts_may_stand_in_it_and_keep_their_order() {
        let spec = json!({"apiVersion": API_VERSION, "kind": KIND, "spec": {
            "current": {"kind": "State"}, "values": ["a.yaml", {"x": 1}, "current", "b.yaml", "y: 2"]}});
        let given = Given::read(&spec).unwrap();
        let places: Vec<_> = given
            .values
            .iter()
            .map(|v| (v.at, v.behind_stored, v.text.as_str()))
            .collect();
        assert_eq!(places, [(1, false, "x: 1\n"), (3, true, "y: 2")]);
        let mut request = Request {
            values: ["a.yaml", "b.yaml"]
                .map(|n| ValuesFile {
                    name: n.into(),
                    bytes: vec![],
                })
                .into(),
            stored_values: Some(1),
            ..Request::default()
        };
        inline_values(&mut request, given.values);
        let names: Vec<&str> = request.values.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["a.yaml", "functionConfig", "b.yaml", "functionConfig"]);
        assert_eq!(request.stored_values, Some(2));
        // Files that the command line left out.
        let inline = |at: usize| Inline {
            at,
            behind_stored: true,
            text: at.to_string(),
        };
        request.values.truncate(1);
        inline_values(&mut request, vec![inline(0), inline(4), inline(7)]);
        let texts: Vec<&[u8]> = request.values.iter().map(|f| &f.bytes[..]).collect();
        assert_eq!(texts, [&b"0"[..], b"", b"4", b"7"]);
    }

    #[test]
    fn results_replace_those_of_before_and_leave_the_rest() {
        let list = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n# why\nitems: [] # none\n";
        let with = with_results(list, vec![report::error("x")]).unwrap();
        assert_eq!(with, format!("{list}results:\n- message: x\n  severity: error\n"));
        assert_eq!(with_results(&with, vec![]).unwrap(), list);
        assert_eq!(with_results(list, vec![]).unwrap(), list);
    }
}
