//! MU607: Helm is told to go back by itself on the way to 2.6 or later.

use super::case::Case;
use super::{Check, Rule};
use crate::facts;
use crate::finding::{Finding, Severity};
use crate::transition::{From, Kind};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU607",
    name: "rollback-armed",
    severity: Severity::Refuse,
    says: "--atomic or --rollback-on-failure towards 2.6 or later",
    page: include_str!("../../docs/rules/MU607.md"),
    check: Check::Release(check),
};

/// The flags that make Helm roll back when an upgrade fails: Helm 3's, Helm 4's (which still takes the old one).
const ARMED: [&str; 2] = ["--atomic", "--rollback-on-failure"];

/// The options of `helm install` and `helm upgrade` that take the next word as their value (3.14 to 4.2, their `--help`).
/// What only takes a value behind `=` (`--wait`, `--dry-run`) is not among them.
const VALUED: [&str; 44] = [
    "--burst-limit",
    "--ca-file",
    "--cert-file",
    "--color",
    "--colour",
    "--content-cache",
    "--description",
    "--history-max",
    "--key-file",
    "--keyring",
    "--kube-apiserver",
    "--kube-as-group",
    "--kube-as-user",
    "--kube-ca-file",
    "--kube-context",
    "--kube-tls-server-name",
    "--kube-token",
    "--kubeconfig",
    "--labels",
    "--name-template",
    "--namespace",
    "--output",
    "--password",
    "--post-renderer",
    "--post-renderer-args",
    "--qps",
    "--registry-config",
    "--repo",
    "--repository-cache",
    "--repository-config",
    "--server-side",
    "--set",
    "--set-file",
    "--set-json",
    "--set-literal",
    "--set-string",
    "--timeout",
    "--username",
    "--values",
    "--version",
    "-f",
    "-l",
    "-n",
    "-o",
];

fn check(case: &Case) -> Vec<Finding> {
    let Some(flag) = case.host_command.and_then(armed) else {
        return vec![];
    };
    if !case.transition.to_26() && case.transition.target_line().is_some() || !goes_back(case) {
        return vec![];
    }
    let text =
        |v: Option<&crate::milvus::version::Version>| v.map_or_else(|| "what was deployed".into(), ToString::to_string);
    let (from, to) = (text(case.transition.source()), text(case.transition.target()));
    let message = match no_way_back(case) {
        true => format!(
            "Helm was called with {flag}: should this upgrade fail or time out, it re-applies {from} without asking, after {to} may have \
             written what {from} cannot read"
        ),
        false => format!(
            "Helm was called with {flag}: should this upgrade fail or time out, it re-applies {from} without asking, in the midst of the \
             components' order and with all of them at once"
        ),
    };
    let help = format!(
        "run it without {flag} (in CI or helmfile: atomic: false): use --wait --timeout 30m, and on failure look, mend and go on forward"
    );
    vec![RULE.finding(message, help)]
}

/// Whether a rollback would lead to another version: not where nothing is deployed (Helm removes what it installed), nor
/// where the version stays.
fn goes_back(case: &Case) -> bool {
    let transition = case.transition;
    !matches!(transition.kind, Some(Kind::None | Kind::Fresh)) && !matches!(transition.from, From::Nothing)
}

/// Whether a rollback would be a downgrade that must not be. Unknown versions are no yes.
fn no_way_back(case: &Case) -> bool {
    match (case.transition.target(), case.transition.source()) {
        // A way back that nothing is known of is a no for another line, and a warning within one.
        (Some(target), Some(source)) => match facts::hops().back(target, source) {
            Some(back) => !back.allowed,
            None => target.line() > source.line(),
        },
        _ => true,
    }
}

/// The flag by which a Helm command line asks for a rollback, where it does.
#[must_use]
pub fn armed(command: &[String]) -> Option<&'static str> {
    switched_on(command, ARMED)
}

/// The first of these flags that a `helm upgrade` or `helm install` was called with. Of one flag the last counts.
#[must_use]
pub fn switched_on<const N: usize>(command: &[String], flags: [&'static str; N]) -> Option<&'static str> {
    let mut state = [false; N];
    let mut verb = None;
    let mut words = command.iter().skip(1);
    while let Some(word) = words.next() {
        if word == "--" {
            break;
        }
        if !word.starts_with('-') {
            verb = verb.or(Some(word.as_str()));
            continue;
        }
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word.as_str(), None),
        };
        if let Some(i) = flags.iter().position(|f| *f == name) {
            // strconv.ParseBool; what it cannot read makes Helm stop by itself.
            state[i] = value.is_none_or(|v| matches!(v, "1" | "t" | "T" | "true" | "TRUE" | "True"));
        } else if value.is_none() && VALUED.contains(&name) {
            words.next();
        }
    }
    // `helm template` takes the flag and applies nothing.
    let applies = matches!(verb, Some("upgrade" | "install"));
    let mut each = flags.into_iter().zip(state);
    each.find(|(_, on)| *on && applies).map(|(flag, _)| flag)
}

#[cfg(test)]
mod tests {
    use super::armed;
    use crate::rules::testkit::Scenario;

    fn read(command: &str) -> Option<&'static str> {
        armed(&command.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn command_lines_are_read_as_helm_reads_them() {
        for (command, want) in [
            ("helm upgrade r c --atomic", Some("--atomic")),
            ("/usr/bin/helm -n ns upgrade r c --atomic=true --wait", Some("--atomic")),
            (
                "helm --kube-context x upgrade --install r c --rollback-on-failure",
                Some("--rollback-on-failure"),
            ),
            (
                "helm upgrade r c --atomic=false --rollback-on-failure=1",
                Some("--rollback-on-failure"),
            ),
            ("helm upgrade r c --atomic --atomic=false", None),
            ("helm upgrade r c --atomic=0", None),
            ("helm upgrade r c --post-renderer-args --atomic", None),
            ("helm upgrade r c --set --atomic", None),
            ("helm upgrade r c --set=a=b --atomic", Some("--atomic")),
            ("helm upgrade r c --wait --atomic", Some("--atomic")),
            ("helm upgrade r c -- --atomic", None),
            ("helm upgrade r c --description=--atomic", None),
            ("helm template r c --atomic", None),
            ("helm -n template upgrade r c --atomic", Some("--atomic")),
            ("helm upgrade r c", None),
            ("helm", None),
        ] {
            assert_eq!(read(command), want, "{command}");
        }
    }

    #[test]
    fn a_rollback_to_2_5_is_refused() {
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16")
            .called_by("helm upgrade rel milvus --atomic --set minio.secretKey=hunter2");
        let finding = scenario.of_rule("MU607").remove(0);
        assert!(finding.refuses() && finding.message.contains("--atomic") && finding.message.contains("2.5.16"));
        assert!(!format!("{finding:?}").contains("hunter2"));
    }

    #[test]
    fn so_is_every_other_way_to_2_6_or_later() {
        for (from, to, want) in [
            ("v2.6.4", "v2.6.16", 1),
            ("v2.6.6", "v2.6.16", 1),
            ("v2.6.16", "v2.6.6", 1),
            ("v2.6.16", "v3.0.0", 1),
            ("v2.6.20", "v3.0.0", 1),
            ("v2.5.16", "v2.5.22", 0),
            ("v2.6.16", "v2.6.16", 0),
        ] {
            let scenario = Scenario::upgrade(from, to).called_by("helm upgrade rel milvus --rollback-on-failure");
            assert_eq!(scenario.of_rule("MU607").len(), want, "{from} -> {to}");
        }
        let told = |from: &str, to: &str| {
            Scenario::upgrade(from, to)
                .called_by("helm upgrade rel milvus --atomic")
                .of_rule("MU607")
                .remove(0)
                .message
        };
        assert!(
            told("v2.6.4", "v2.6.16").contains("cannot read") && !told("v2.6.6", "v2.6.16").contains("cannot read")
        );
        // Of the way back from there nothing is known.
        assert!(told("v2.6.20", "v3.1.0").contains("cannot read"));
    }

    #[test]
    fn no_helm_no_flag_or_nothing_deployed_is_quiet() {
        assert!(Scenario::upgrade("v2.5.16", "v2.6.16").of_rule("MU607").is_empty());
        let plain = Scenario::upgrade("v2.5.16", "v2.6.16").called_by("helm upgrade rel milvus --wait");
        assert!(plain.of_rule("MU607").is_empty());
        let fresh = Scenario::upgrade("v2.5.16", "v2.6.16")
            .fresh()
            .called_by("helm upgrade --install rel milvus --atomic");
        assert!(fresh.of_rule("MU607").is_empty());
    }
}
