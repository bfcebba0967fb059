//! What the user states beside the manifests: assumptions, allowances, how much to change.

use std::collections::{BTreeMap, BTreeSet};

use crate::milvus::version::Version;
use crate::order::Order;
use crate::stage::Stage;

/// Rules that no `--allow` lifts: an output nobody can vouch for, or a judgement nobody could make.
pub const NEVER_ALLOWED: [&str; 5] = ["MU001", "MU003", "MU004", "MU005", "MU901"];

/// Keys of `--assume`, in the order the help shows them.
pub const ASSUMPTIONS: [&str; 8] = [
    "current-version",
    "target-version",
    "current-mq",
    "target-mq",
    "same-queue",
    "no-dynamic-fields",
    "helm-version",
    "kube-version",
];

/// `--assume KEY=VALUE`, checked.
#[derive(Clone, Debug, Default)]
pub struct Assumptions {
    /// The version that runs, where images do not say it.
    pub current_version: Option<Version>,
    /// The version to come, where images do not say it.
    pub target_version: Option<Version>,
    /// The message queue in use, where the configuration cannot be read.
    pub current_mq: Option<String>,
    /// The message queue to come, where the configuration cannot be read.
    pub target_mq: Option<String>,
    /// The two queues are one although their addresses differ, or nobody can see them.
    pub same_queue: bool,
    /// No collection has dynamic fields (lifts the 2.6.12 to 2.6.14 defect).
    pub no_dynamic_fields: bool,
    /// Helm's version.
    pub helm_version: Option<String>,
    /// Kubernetes' version.
    pub kube_version: Option<String>,
}

impl Assumptions {
    /// Reads `KEY=VALUE` pairs; a later one wins. Errors are for the person at the command line.
    pub fn parse<'a>(pairs: impl IntoIterator<Item = &'a str>) -> Result<Assumptions, String> {
        let mut found = Assumptions::default();
        for pair in pairs {
            let Some((key, value)) = pair.split_once('=') else {
                return Err(format!(
                    "--assume takes KEY=VALUE, this is `{pair}`; keys: {}",
                    ASSUMPTIONS.join(", ")
                ));
            };
            let (key, value) = (key.trim(), value.trim());
            if value.is_empty() {
                return Err(format!("--assume {key}= has no value"));
            }
            let version = || {
                Version::parse(value)
                    .map_err(|why| format!("--assume {key} takes a full version such as 2.5.16; {why}"))
            };
            let yes = || match value {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(format!("--assume {key} takes true or false, this is `{value}`")),
            };
            match key {
                "current-version" => found.current_version = Some(version()?),
                "target-version" => found.target_version = Some(version()?),
                "current-mq" => found.current_mq = Some(queue(key, value)?),
                "target-mq" => found.target_mq = Some(queue(key, value)?),
                "same-queue" => found.same_queue = yes()?,
                "no-dynamic-fields" => found.no_dynamic_fields = yes()?,
                "helm-version" => found.helm_version = Some(platform(key, value)?),
                "kube-version" => found.kube_version = Some(platform(key, value)?),
                _ => {
                    return Err(format!(
                        "--assume knows no key `{key}`; keys: {}",
                        ASSUMPTIONS.join(", ")
                    ));
                }
            }
        }
        Ok(found)
    }
}

fn platform(key: &str, value: &str) -> Result<String, String> {
    match platform_version(value) {
        Some(_) => Ok(value.into()),
        None => Err(format!(
            "--assume {key} takes a version such as 3.14.0, this is `{value}`"
        )),
    }
}

/// The numbers of a version of Helm or Kubernetes: `v1.27.3-eks-2d98532`, `3.14`. What a vendor appends does not count,
/// and a pre-release counts as its release. `None` where there are not at least two numbers.
#[must_use]
pub fn platform_version(text: &str) -> Option<(u64, u64, u64)> {
    let text = text.trim();
    let text = text.strip_prefix('v').unwrap_or(text);
    let numbers = text.split(['-', '+']).next()?;
    // `kubectl version` of some clusters says `1.27+`.
    let mut parts = numbers.split('.').map(|p| p.parse::<u64>().ok());
    let (major, minor) = (parts.next()??, parts.next()??);
    let patch = match parts.next() {
        None => 0,
        Some(patch) => patch?,
    };
    parts.next().is_none().then_some((major, minor, patch))
}

fn queue(key: &str, value: &str) -> Result<String, String> {
    const KNOWN: [&str; 5] = ["pulsar", "kafka", "rocksmq", "natsmq", "woodpecker"];
    match KNOWN.contains(&value) {
        true => Ok(value.into()),
        false => Err(format!(
            "--assume {key} takes one of {}, this is `{value}`",
            KNOWN.join(", ")
        )),
    }
}

/// `--allow CODE[@TARGET]`: refusals that may pass, each for one target version where given.
#[derive(Clone, Debug, Default)]
pub struct Allowances(BTreeMap<String, BTreeSet<Option<Version>>>);

impl Allowances {
    /// Reads the codes. `must_name_target` is for the environment, where an allowance would outlive the upgrade it was
    /// meant for.
    pub fn parse<'a>(
        codes: impl IntoIterator<Item = &'a str>,
        known: &[&str],
        must_name_target: bool,
    ) -> Result<Allowances, String> {
        let mut found = Allowances::default();
        for text in codes {
            let (code, target) = match text.split_once('@') {
                Some((code, target)) => (code.trim(), Some(target.trim())),
                None => (text.trim(), None),
            };
            if !known.contains(&code) {
                return Err(format!(
                    "--allow knows no rule `{code}`; `milvus-uplift rules` lists them"
                ));
            }
            if NEVER_ALLOWED.contains(&code) {
                return Err(format!(
                    "{code} cannot be allowed: `milvus-uplift explain {code}` says what to do instead"
                ));
            }
            let target = match target {
                None if must_name_target => {
                    return Err(format!(
                        "MILVUS_UPLIFT_ALLOW={code} would go on allowing it in every later upgrade: name the target, {code}@2.6.16"
                    ));
                }
                None => None,
                Some(t) => Some(
                    Version::parse(t)
                        .map_err(|why| format!("--allow {code}@TARGET takes a full version such as 2.6.16; {why}"))?,
                ),
            };
            found.0.entry(code.into()).or_default().insert(target);
        }
        Ok(found)
    }

    /// Whether nothing is allowed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a refusal by `code` may pass towards `target`.
    pub fn allows(&self, code: &str, target: Option<&Version>) -> bool {
        self.0.get(code).is_some_and(|targets| {
            targets.contains(&None) || target.is_some_and(|target| targets.contains(&Some(target.clone())))
        })
    }
}

/// `--rewrite`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RewriteMode {
    /// Mend the topology.
    #[default]
    Auto,
    /// Only guard.
    Never,
}

/// Everything a judgement takes beside the inputs.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--assume`.
    pub assume: Assumptions,
    /// `--allow`.
    pub allow: Allowances,
    /// `--rewrite`.
    pub rewrite: RewriteMode,
    /// `--stage`.
    pub stage: Stage,
    /// `--order`.
    pub order: Order,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assumptions_are_checked() {
        let a = Assumptions::parse([
            "current-version=v2.5.16",
            "same-queue=true",
            "current-mq=kafka",
            "current-version=2.5.22",
        ])
        .unwrap();
        assert_eq!(a.current_version.unwrap().to_string(), "2.5.22");
        assert!(a.same_queue && !a.no_dynamic_fields);
        for bad in [
            "x",
            "current-version=latest",
            "current-version=",
            "same-queue=yes",
            "target-mq=nats",
            "colour=red",
            "helm-version=new",
            "kube-version=1",
        ] {
            let err = Assumptions::parse([bad]).unwrap_err();
            assert!(err.contains("--assume"), "{err}");
        }
    }

    #[test]
    fn allowances_name_a_rule_and_where_they_must_a_target() {
        let known = ["MU301", "MU003", "MU101"];
        let a = Allowances::parse(["MU301@2.6.16", "MU101"], &known, false).unwrap();
        assert!(a.allows("MU301", Version::parse("2.6.16").ok().as_ref()));
        assert!(!a.allows("MU301", Version::parse("2.6.15").ok().as_ref()));
        assert!(!a.allows("MU301", None));
        assert!(a.allows("MU101", None));
        assert!(
            Allowances::parse(["MU003"], &known, false)
                .unwrap_err()
                .contains("cannot be allowed")
        );
        assert!(
            Allowances::parse(["MU999"], &known, false)
                .unwrap_err()
                .contains("no rule")
        );
        assert!(
            Allowances::parse(["MU301"], &known, true)
                .unwrap_err()
                .contains("MU301@2.6.16")
        );
        assert!(
            Allowances::parse(["MU301@2.6"], &known, true)
                .unwrap_err()
                .contains("full version")
        );
    }
}
