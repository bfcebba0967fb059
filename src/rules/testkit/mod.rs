//! Streams for the rules' unit tests, small and in the chart's shape, and ways to bend them.

mod chart;
mod served;

pub use chart::{autoscaler, cluster, cluster26, config, deployment, service, standalone};
pub use served::served;

use crate::judge::{Current, Judgement, Request, ValuesFile, judge};
use crate::options::{Allowances, Assumptions};
use crate::rewrite::{Change, ChangeOp};
use crate::stage::Stage;
use crate::value::Value;
use crate::yaml;

/// One case: a stream, what is deployed, and what the user stated.
#[derive(Clone, Debug)]
pub struct Scenario {
    target: Vec<u8>,
    current: Option<String>,
    fresh: bool,
    values: Option<String>,
    assume: Vec<String>,
    allow: Vec<String>,
    never: bool,
    stage: Stage,
    host: Option<Vec<String>>,
}

impl Scenario {
    /// A stream and nothing else.
    pub fn raw(target: &str) -> Scenario {
        Scenario::bytes(target.as_bytes())
    }

    /// Bytes and nothing else.
    pub fn bytes(target: &[u8]) -> Scenario {
        Scenario {
            target: target.to_vec(),
            current: None,
            fresh: false,
            values: None,
            assume: vec![],
            allow: vec![],
            never: false,
            stage: Stage::All,
            host: None,
        }
    }

    /// Two streams.
    pub fn of(current: &str, target: &str) -> Scenario {
        Scenario {
            current: Some(current.to_owned()),
            ..Scenario::raw(target)
        }
    }

    /// A cluster with mixcoord: from one tag to another, each rendered in the topology of its line by chart 4.2.58 (a
    /// target of 2.6 still holds indexnode and no streaming node, as a values file from 2.5 gives it).
    pub fn upgrade(from: &str, to: &str) -> Scenario {
        let before = if from.contains("v2.6") || from.contains("v3.") {
            cluster26(from)
        } else {
            cluster(from, false)
        };
        let after = if from.contains("v2.6") || from.contains("v3.") {
            cluster26(to)
        } else {
            cluster(to, false)
        };
        Scenario::of(&before, &after)
    }

    /// A cluster with separate coordinators on both sides.
    pub fn consolidation(from: &str, to: &str) -> Scenario {
        Scenario::of(&cluster(from, true), &cluster(to, true))
    }

    /// A standalone release that keeps its queue.
    pub fn standalone(from: &str, to: &str, mq: &str) -> Scenario {
        Scenario::of(&standalone(from, mq, "rel-milvus"), &standalone(to, mq, "rel-milvus"))
    }

    /// Nobody says what is deployed.
    pub fn without_current(mut self) -> Scenario {
        self.current = None;
        self
    }

    /// `--current none`.
    pub fn fresh(mut self) -> Scenario {
        self.fresh = true;
        self
    }

    /// `--rewrite never`.
    pub fn without_rewrite(mut self) -> Scenario {
        self.never = true;
        self
    }

    /// `--values`.
    pub fn values(mut self, text: &str) -> Scenario {
        self.values = Some(text.to_owned());
        self
    }

    /// `--assume`.
    pub fn assume(mut self, pair: &str) -> Scenario {
        self.assume.push(pair.to_owned());
        self
    }

    /// `--allow`.
    pub fn allow(mut self, code: &str) -> Scenario {
        self.allow.push(code.to_owned());
        self
    }

    /// `--stage`.
    pub fn stage(mut self, stage: Stage) -> Scenario {
        self.stage = stage;
        self
    }

    /// Another current state.
    pub fn with_current(mut self, text: String) -> Scenario {
        self.current = Some(text);
        self
    }

    /// Replaces text in the target; fails where the text is not there.
    pub fn edit_target(mut self, from: &str, to: &str) -> Scenario {
        self.target = replaced(&text(&self.target), from, to).into_bytes();
        self
    }

    /// Replaces text in the current state; fails where the text is not there.
    pub fn edit_current(mut self, from: &str, to: &str) -> Scenario {
        self.current = self.current.map(|c| replaced(&c, from, to));
        self
    }

    /// Replaces the whole target.
    pub fn replace_target(mut self, text: &str) -> Scenario {
        self.target = text.as_bytes().to_vec();
        self
    }

    /// Appends documents to the target.
    pub fn add_target(mut self, documents: &str) -> Scenario {
        self.target.extend_from_slice(documents.as_bytes());
        self
    }

    /// Appends documents to the current state.
    pub fn add_current(mut self, documents: &str) -> Scenario {
        self.current = self.current.map(|c| c + documents);
        self
    }

    /// Edits one object of the target.
    pub fn edit_in_target(mut self, kind: &str, name: &str, from: &str, to: &str) -> Scenario {
        self.target = within(&text(&self.target), kind, name, |d| replaced(d, from, to)).into_bytes();
        self
    }

    /// Edits one object of the current state.
    pub fn edit_in_current(mut self, kind: &str, name: &str, from: &str, to: &str) -> Scenario {
        self.current = self.current.map(|c| within(&c, kind, name, |d| replaced(d, from, to)));
        self
    }

    /// Takes an object out of the target.
    pub fn drop_target(mut self, kind: &str, name: &str) -> Scenario {
        self.target = within(&text(&self.target), kind, name, |_| String::new()).into_bytes();
        self
    }

    /// Takes an object out of the current state.
    pub fn drop_current(mut self, kind: &str, name: &str) -> Scenario {
        self.current = self.current.map(|c| within(&c, kind, name, |_| String::new()));
        self
    }

    /// Gives a role of the target environment entries (lines at twelve spaces).
    pub fn env_target(self, role: &str, entries: &str) -> Scenario {
        self.edit_in_target(
            "Deployment",
            &format!("rel-milvus-{role}"),
            "          env:\n",
            &format!("          env:\n{entries}"),
        )
    }

    /// Gives a role of the current state environment entries.
    pub fn env_current(self, role: &str, entries: &str) -> Scenario {
        self.edit_in_current(
            "Deployment",
            &format!("rel-milvus-{role}"),
            "          env:\n",
            &format!("          env:\n{entries}"),
        )
    }

    /// The command line of the Helm that calls.
    pub fn called_by(mut self, words: &str) -> Scenario {
        self.host = Some(words.split(' ').map(str::to_owned).collect());
        self
    }

    /// Gives a role resources on one side: `limits` as the inside of a flow mapping (`cpu: 2, memory: 8Gi`).
    pub fn size_target(self, role: &str, limits: &str) -> Scenario {
        let name = format!("rel-milvus-{role}");
        self.edit_in_target("Deployment", &name, "          env:\n", &sized(limits))
    }

    /// As [`Scenario::size_target`], of what is deployed.
    pub fn size_current(self, role: &str, limits: &str) -> Scenario {
        let name = format!("rel-milvus-{role}");
        self.edit_in_current("Deployment", &name, "          env:\n", &sized(limits))
    }

    /// Gives a role that many replicas on one side.
    pub fn replicas_target(self, role: &str, count: i64) -> Scenario {
        let name = format!("rel-milvus-{role}");
        self.edit_in_target(
            "Deployment",
            &name,
            "  replicas: 1\n",
            &format!("  replicas: {count}\n"),
        )
    }

    /// As [`Scenario::replicas_target`], of what is deployed.
    pub fn replicas_current(self, role: &str, count: i64) -> Scenario {
        let name = format!("rel-milvus-{role}");
        self.edit_in_current(
            "Deployment",
            &name,
            "  replicas: 1\n",
            &format!("  replicas: {count}\n"),
        )
    }

    /// Judges it.
    pub fn judge(&self) -> Judgement {
        let request = self.request();
        let judgement = judge(&request);
        by_state_file(request, &judgement);
        judgement
    }

    /// What is judged.
    pub fn request(&self) -> Request {
        let mut request = Request {
            target: self.target.clone().into(),
            ..Request::default()
        };
        request.current = match (&self.current, self.fresh) {
            (_, true) => Current::Nothing,
            (Some(text), _) => Current::Manifests(text.clone().into()),
            (None, _) => Current::Unsaid,
        };
        request.values = self
            .values
            .iter()
            .map(|v| ValuesFile {
                name: "values.yaml".into(),
                bytes: v.clone().into_bytes(),
            })
            .collect();
        request.host_command = self.host.clone();
        request.options.assume = Assumptions::parse(self.assume.iter().map(String::as_str)).expect("assumptions");
        request.options.allow = Allowances::parse(self.allow.iter().map(String::as_str), &crate::rules::codes(), false)
            .expect("allowances");
        if self.never {
            request.options.rewrite = crate::options::RewriteMode::Never;
        }
        request.options.stage = self.stage;
        request
    }

    /// The codes of all findings, each once.
    pub fn codes(&self) -> Vec<&'static str> {
        let mut codes: Vec<_> = self.judge().findings.iter().map(|f| f.code).collect();
        codes.dedup();
        codes
    }

    /// The findings of one rule.
    pub fn of_rule(&self, code: &str) -> Vec<crate::finding::Finding> {
        self.judge().findings.into_iter().filter(|f| f.code == code).collect()
    }
}

/// The object of a kind that a judgement brings for a role.
pub fn brought(judgement: &Judgement, kind: &str, role: &str) -> Option<Value> {
    let name = format!("rel-milvus-{role}");
    let is_it = |c: &&Change| c.op == ChangeOp::Inject && c.object.kind == kind && c.object.name == name;
    judgement.changes.iter().find(is_it)?.patch[0].value.clone()
}

fn sized(limits: &str) -> String {
    format!("          resources:\n            limits: {{{limits}}}\n          env:\n")
}

/// Every scenario is judged a second time, by the state file of its current state: with the same outcome.
fn by_state_file(mut request: Request, judgement: &Judgement) {
    let Ok(Some(source)) = crate::state::read(&request.current, None) else {
        return;
    };
    if request.options.stage != crate::stage::Stage::All {
        // For stages a state file is not enough (MU115).
        return;
    }
    let releases = crate::state::view::releases(&source, None);
    let state = yaml::emit(&crate::state::file::write(&source, &releases));
    assert!(!state.contains("hunter2"), "a secret is in the state file:\n{state}");
    request.current = Current::Manifests(state.into());
    let said = |j: &Judgement| -> Vec<(&str, bool)> {
        // What is said of state files alone.
        let own = |f: &&crate::finding::Finding| !f.message.contains("the state file was made from manifests");
        j.findings.iter().filter(own).map(|f| (f.code, f.allowed)).collect()
    };
    let again = judge(&request);
    assert_eq!(
        said(&again),
        said(judgement),
        "judged by the state file and by the manifests it came from"
    );
    assert_eq!(again.text(), judgement.text());
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("a text")
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "`{from}` is not in the text");
    text.replace(from, to)
}

fn within(text: &str, kind: &str, name: &str, edit: impl Fn(&str) -> String) -> String {
    let mut hit = false;
    let documents = yaml::split(text).expect("a stream");
    let out = documents.iter().map(|d| {
        let whole = &text[d.whole.clone()];
        if whole.contains(&format!("kind: {kind}\n")) && whole.contains(&format!("  name: {name}\n")) {
            hit = true;
            edit(whole)
        } else {
            whole.to_owned()
        }
    });
    let out = out.collect();
    assert!(hit, "no {kind} {name}");
    out
}
