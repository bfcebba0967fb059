//! The live objects of a namespace, asked of kubectl within a time limit.

use std::ffi::OsString;
use std::process::Command;
use std::time::{Duration, Instant};

use super::helm::Unavailable;
use super::process::{self, Failed};

/// What a release's state in the cluster is made of.
pub const RESOURCES: &str = "deployments,statefulsets,daemonsets,replicasets,pods,services,configmaps,persistentvolumeclaims,horizontalpodautoscalers";

/// Where to look, and how kubectl is called there.
#[derive(Clone, Debug)]
pub struct Place {
    /// The namespace.
    pub namespace: String,
    /// `--context`; the kubeconfig's own where not given.
    pub context: Option<String>,
}

impl Place {
    /// A command for people to paste.
    pub fn command(&self, words: &str) -> String {
        let context = self
            .context
            .as_deref()
            .map(|c| format!(" --context {c}"))
            .unwrap_or_default();
        let namespace = match self.namespace.as_str() {
            "" => "NAMESPACE",
            namespace => namespace,
        };
        format!("kubectl {words} --namespace {namespace}{context}")
    }

    /// The command that writes what `verify` reads.
    pub fn list(&self) -> String {
        format!(
            "{} --output json > live.json",
            self.command(&format!("get {RESOURCES}"))
        )
    }
}

/// One revision of a Helm release, as its record's labels tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The number, from 1.
    pub number: u64,
    /// `deployed`, `failed`, `pending-upgrade`, …
    pub status: String,
}

/// Asks kubectl: `$KUBECTL_BIN`, else `kubectl`.
#[derive(Debug)]
pub struct Asking<'a> {
    program: OsString,
    place: &'a Place,
    limit: Duration,
    until: Instant,
}

impl<'a> Asking<'a> {
    /// Begins; all questions together may take `limit`.
    ///
    /// # Errors
    /// No namespace, or no context where the kubeconfig knows several.
    pub fn new(place: &'a Place, limit: Duration) -> Result<Asking<'a>, Unavailable> {
        let said = std::env::var_os("KUBECTL_BIN").filter(|p| !p.is_empty());
        let asking = Asking {
            program: said.unwrap_or_else(|| "kubectl".into()),
            place,
            limit,
            until: Instant::now() + limit,
        };
        if place.namespace.is_empty() {
            let message = "verify asks the cluster, and neither --namespace nor --current says in which namespace";
            let help = "add --namespace NAMESPACE, or set MILVUS_UPLIFT_NAMESPACE";
            return Err(asking.unavailable(message, help));
        }
        let contexts = process::contexts();
        if place.context.is_none() && contexts.len() > 1 {
            let message = format!(
                "verify asks the cluster, and the kubeconfig knows {} contexts ({}): which is meant is not said",
                contexts.len(),
                process::listed(&contexts)
            );
            let help = "add --kube-context \"$(kubectl config current-context)\", or set MILVUS_UPLIFT_KUBE_CONTEXT";
            return Err(asking.unavailable(&message, help));
        }
        Ok(asking)
    }

    /// The List of everything in the namespace that a release is made of, as JSON.
    ///
    /// # Errors
    /// Where kubectl cannot be started, fails, or takes too long.
    pub fn list(&self) -> Result<Vec<u8>, Unavailable> {
        let words = ["get", RESOURCES, "--output", "json"];
        self.run(&words).map_err(|why| {
            let help = match why.timed_out {
                true => "look whether the cluster answers, raise --helm-timeout, or fetch the List yourself",
                false => "fetch the List yourself, as somebody who may read all of it",
            };
            self.unavailable(&format!("`kubectl get` {}", why.what), help)
        })
    }

    /// The revisions of a Helm release, newest first, by the labels of its records: the records themselves, which hold
    /// all values, are not fetched.
    ///
    /// # Errors
    /// Why it is not known, in words: nobody need be allowed to see Secrets.
    pub fn revisions(&self, release: &str) -> Result<Vec<Revision>, String> {
        let selector = format!("owner=helm,name={release}");
        for kind in ["secrets", "configmaps"] {
            let words = [
                "get",
                kind,
                "--selector",
                &selector,
                "--label-columns",
                "version,status",
                "--no-headers",
            ];
            let table = self
                .run(&words)
                .map_err(|why| format!("`kubectl get {kind}` {}", why.what))?;
            let mut found: Vec<Revision> = String::from_utf8_lossy(&table).lines().filter_map(row).collect();
            if !found.is_empty() {
                found.sort_by_key(|r| std::cmp::Reverse(r.number));
                return Ok(found);
            }
        }
        Err(format!("no record of release {release} is in the namespace"))
    }

    fn run(&self, words: &[&str]) -> Result<Vec<u8>, Why> {
        let mut command = Command::new(&self.program);
        command.args(words).args(["--namespace", &self.place.namespace]);
        if let Some(context) = &self.place.context {
            command.args(["--context", context]);
        }
        let answer = process::run(&mut command, self.until).map_err(|failed| match failed {
            Failed::Start(e) => Why {
                what: format!("cannot be started: {e} ({})", self.program.to_string_lossy()),
                timed_out: false,
            },
            Failed::Time => Why {
                what: format!("gave no answer within {} seconds", self.limit.as_secs()),
                timed_out: true,
            },
        })?;
        if !answer.status.success() {
            let said = process::shown(&String::from_utf8_lossy(&answer.stderr));
            return Err(Why {
                what: format!("in namespace {} failed: {said}", self.place.namespace),
                timed_out: false,
            });
        }
        Ok(answer.stdout)
    }

    fn unavailable(&self, message: &str, help: &str) -> Unavailable {
        Unavailable {
            message: message.to_owned(),
            help: format!(
                "{help}:\n\x20 {}   and   milvus-uplift verify live.json ...",
                self.place.list()
            ),
        }
    }
}

struct Why {
    what: String,
    timed_out: bool,
}

/// `sh.helm.release.v1.rel.v7  helm.sh/release.v1  1  3d  7  deployed`: the last two columns.
fn row(line: &str) -> Option<Revision> {
    let mut columns = line.split_whitespace().rev();
    let status = columns.next()?.to_ascii_lowercase();
    let number = columns.next()?.parse().ok()?;
    Some(Revision { number, status })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_told_by_its_labels() {
        let wanted = Revision {
            number: 7,
            status: "pending-upgrade".into(),
        };
        let line = "sh.helm.release.v1.rel.v7   helm.sh/release.v1   1   3d   7   pending-upgrade";
        assert_eq!(row(line), Some(wanted));
        assert_eq!(row("No resources found"), None);
        assert_eq!(row(""), None);
    }

    #[test]
    fn commands_name_namespace_and_context() {
        let place = Place {
            namespace: "milvus".into(),
            context: Some("prod".into()),
        };
        assert_eq!(
            place.command("get pods"),
            "kubectl get pods --namespace milvus --context prod"
        );
        let nowhere = Place {
            namespace: String::new(),
            context: None,
        };
        let why = Asking::new(&nowhere, Duration::from_secs(1)).unwrap_err();
        assert!(
            why.help.contains("--namespace NAMESPACE") && why.help.contains("live.json"),
            "{why:?}"
        );
    }
}
