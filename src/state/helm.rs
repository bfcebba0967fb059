//! `--current release:NAME`: asks Helm itself, within a time limit.
//!
//! A post-renderer inherits none of Helm's flags (hosts.md 1.5, T11): the namespace has to be said, and the context
//! where the kubeconfig knows several, else another cluster's release of that name could be taken for this one.

use std::ffi::OsString;
use std::process::Command;
use std::time::{Duration, Instant};

use super::process::{self, Failed};
use super::record::{Knows, Record};
use crate::value::Value;

/// Why nothing is known of what is deployed, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    /// What was asked and what came back.
    pub message: String,
    /// The ways out.
    pub help: String,
}

/// What to ask.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// The release.
    pub name: &'a str,
    /// `--namespace`.
    pub namespace: Option<&'a str>,
    /// `--kube-context`.
    pub context: Option<&'a str>,
    /// Whether the values of the deployed revision are asked for.
    pub values: bool,
    /// The time for all of it.
    pub limit: Duration,
}

/// How many revisions are asked for at once.
const AT_ONCE: usize = 4;

/// The whole history of a release.
///
/// # Errors
/// No namespace, no context among several, no such release, a failing Helm, a time limit that passed.
pub fn ask(query: &Query) -> Result<Vec<Record>, Unavailable> {
    let asking = Asking::new(query)?;
    let text = asking.run(&["history", query.name, "--output", "json"])?;
    let history: Vec<Value> =
        serde_json::from_str(&text).map_err(|_| asking.odd("helm history gave no list of revisions as JSON"))?;
    let mut revisions: Vec<(u64, String)> = Vec::new();
    for entry in &history {
        match (entry["revision"].as_u64(), entry["status"].as_str()) {
            (Some(revision), Some(status)) => revisions.push((revision, status.to_ascii_lowercase())),
            _ => return Err(asking.odd("helm history gave an entry without revision or status")),
        }
    }
    if revisions.is_empty() {
        return Err(asking.odd("helm history gave no revision"));
    }
    let mut records = Vec::new();
    for some in revisions.chunks(AT_ONCE) {
        let asked = std::thread::scope(|scope| {
            let each: Vec<_> = some
                .iter()
                .map(|(revision, status)| scope.spawn(|| asking.record(query.name, *revision, status)))
                .collect();
            let joined = each.into_iter().map(|t| t.join());
            joined
                .map(|r| r.unwrap_or_else(|_| Err(asking.odd("asking Helm failed"))))
                .collect::<Result<Vec<_>, _>>()
        });
        records.extend(asked?);
    }
    Ok(records)
}

struct Asking<'a> {
    program: OsString,
    query: &'a Query<'a>,
    namespace: &'a str,
    until: Instant,
}

impl<'a> Asking<'a> {
    fn new(query: &'a Query) -> Result<Asking<'a>, Unavailable> {
        let program = std::env::var_os("HELM_BIN")
            .filter(|p| !p.is_empty())
            .unwrap_or_else(|| "helm".into());
        let asking = Asking {
            program,
            query,
            namespace: query.namespace.unwrap_or_default(),
            until: Instant::now() + query.limit,
        };
        if query.name.is_empty() || query.name.starts_with('-') {
            return Err(asking.odd("`release:` needs the name of a release"));
        }
        if asking.namespace.is_empty() {
            let message = format!(
                "--current release:{} does not say in which namespace: Helm hands its own --namespace to no post-renderer",
                query.name
            );
            let help = format!(
                "add --namespace NAMESPACE, or set MILVUS_UPLIFT_NAMESPACE, or fetch it yourself:\n{}",
                asking.by_hand()
            );
            return Err(Unavailable { message, help });
        }
        let contexts = process::contexts();
        if query.context.is_none() && contexts.len() > 1 {
            let message = format!(
                "--current release:{} does not say in which cluster: the kubeconfig knows {} contexts ({}), and Helm hands its own --kube-context to no post-renderer",
                query.name,
                contexts.len(),
                process::listed(&contexts)
            );
            let help = format!(
                "add --kube-context CONTEXT, or set MILVUS_UPLIFT_KUBE_CONTEXT, or fetch it yourself:\n{}",
                asking.by_hand()
            );
            return Err(Unavailable { message, help });
        }
        Ok(asking)
    }

    fn record(&self, name: &str, revision: u64, status: &str) -> Result<Record, Unavailable> {
        let number = revision.to_string();
        let manifest = self.run(&["get", "manifest", name, "--revision", &number])?;
        let values = match status {
            "deployed" if self.query.values => Some(self.values(name, &number)?),
            _ => None,
        };
        Ok(Record {
            name: name.to_owned(),
            namespace: self.namespace.to_owned(),
            revision,
            status: status.to_owned(),
            manifest,
            values,
            knows: Knows::default(),
        })
    }

    fn values(&self, name: &str, revision: &str) -> Result<Value, Unavailable> {
        let text = self.run(&["get", "values", name, "--revision", revision, "--output", "json"])?;
        match serde_json::from_str(&text) {
            Ok(Value::Null) => Ok(Value::Object(crate::value::Map::new())),
            Ok(value @ Value::Object(_)) => Ok(value),
            _ => Err(self.odd("helm get values gave no mapping as JSON")),
        }
    }

    /// Runs Helm and returns its stdout.
    fn run(&self, words: &[&str]) -> Result<String, Unavailable> {
        let mut command = Command::new(&self.program);
        command.args(words).args(["--namespace", self.namespace]);
        if let Some(context) = self.query.context {
            command.args(["--kube-context", context]);
        }
        for (key, _) in std::env::vars_os() {
            let name = key.to_string_lossy();
            // A plugin's own settings would follow into Helm, and ours into post-renderers it might start.
            if name.starts_with("HELM_PLUGIN_") || name.starts_with("MILVUS_UPLIFT_") {
                command.env_remove(&key);
            }
        }
        let plain: Vec<&str> = words.iter().copied().take_while(|w| !w.starts_with("--")).collect();
        let said = format!("`helm {}`", plain.join(" "));
        let answer = process::run(&mut command, self.until).map_err(|why| match why {
            Failed::Start(e) => self.failed(
                &format!("{} cannot be started: {e}", self.program.to_string_lossy()),
                "set HELM_BIN to Helm's path, or ",
            ),
            Failed::Time => self.failed(
                &format!("{said} gave no answer within {} seconds", self.query.limit.as_secs()),
                "look whether the cluster answers, raise --helm-timeout, or ",
            ),
        })?;
        if !answer.status.success() {
            return Err(self.refused(&said, &String::from_utf8_lossy(&answer.stderr)));
        }
        String::from_utf8(answer.stdout).map_err(|_| self.odd(&format!("{said} gave no UTF-8")))
    }

    fn refused(&self, said: &str, stderr: &str) -> Unavailable {
        let cause = process::shown(stderr);
        let first = match stderr.contains("not found") {
            true => {
                "check the name and the namespace (helm list --all --all-namespaces); where nothing is installed yet say --current none; or "
            }
            false => "",
        };
        self.failed(
            &format!("{said} in namespace {} failed: {cause}", self.namespace),
            first,
        )
    }

    fn odd(&self, what: &str) -> Unavailable {
        self.failed(what, "")
    }

    fn failed(&self, what: &str, first: &str) -> Unavailable {
        Unavailable {
            message: format!("--current release:{}: {what}", self.query.name),
            help: format!("{first}fetch it yourself:\n{}", self.by_hand()),
        }
    }

    fn by_hand(&self) -> String {
        let namespace = if self.namespace.is_empty() {
            "NAMESPACE"
        } else {
            self.namespace
        };
        format!(
            "\x20 kubectl get secrets --selector owner=helm,name={} --namespace {namespace} --output yaml > current.yaml   and   --current current.yaml",
            self.query.name
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_asked_for_with_name_and_namespace_only() {
        let query = Query {
            name: "rel",
            namespace: None,
            context: None,
            values: true,
            limit: Duration::from_secs(1),
        };
        let why = ask(&query).unwrap_err();
        assert!(
            why.message.contains("namespace") && why.help.contains("MILVUS_UPLIFT_NAMESPACE"),
            "{why:?}"
        );
        let why = ask(&Query {
            name: "--x",
            namespace: Some("n"),
            ..query
        })
        .unwrap_err();
        assert!(why.message.contains("name of a release"));
    }
}
