//! MU305: a queue that this mode or version cannot run on.

use super::case::Case;
use super::{Check, Rule, pins, places};
use crate::facts;
use crate::finding::{Finding, Severity};
use crate::milvus::config::{Config, Origin};
use crate::milvus::queue::{self, Mq};
use crate::milvus::role::Role;
use crate::value::Value;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU305",
    name: "mq-invalid-for-mode",
    severity: Severity::Refuse,
    says: "rocksmq, or woodpecker on local disk, in a cluster; woodpecker before 2.6",
    page: include_str!("../../docs/rules/MU305.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    let Some(mq) = places::likely_mq(case.after, case.target_mq()) else {
        return vec![];
    };
    let standalone = case.standalone();
    match &mq {
        Mq::RocksMq if !standalone => vec![rocksmq(case)],
        Mq::Woodpecker
            if case
                .transition
                .target_line()
                .is_some_and(|line| line < crate::facts::streaming_line()) =>
        {
            vec![too_early(case)]
        }
        Mq::Woodpecker if !standalone => local(case),
        Mq::Other(text) if case.target_mq().is_some() => unheard_of(case, text),
        _ => vec![],
    }
}

fn tell(case: &Case, message: String, help: String, mq: &Mq) -> Finding {
    let effective = case.after.effective;
    let config = effective.config().as_seen();
    let origin = queue::resolve_type(&config, effective.line, case.standalone())
        .ok()
        .and_then(|(_, _, origin)| origin);
    at(
        case,
        RULE.finding(message, help),
        "mq.type",
        origin.as_ref(),
        mq.as_str(),
    )
}

fn at(case: &Case, finding: Finding, key: &str, origin: Option<&Origin>, proposed: &str) -> Finding {
    let was = case.before.and_then(|b| match key {
        "mq.type" => places::likely_mq(b, case.current_mq()).map(|mq| mq.to_string()),
        _ => b.effective.config().as_seen().value(key).map(str::to_owned),
    });
    let finding = finding.field(
        places::path_of(key, origin),
        was.map_or(Value::Null, Value::from),
        proposed,
    );
    places::place(case, finding, origin, case.after.effective.speaker)
}

fn kept(case: &Case, otherwise: &str) -> String {
    let current = case.before.and_then(|b| places::likely_mq(b, case.current_mq()));
    match current.filter(|mq| matches!(mq, Mq::Pulsar | Mq::Kafka)) {
        Some(mq) => pins::pin(case, &mq),
        None => otherwise.to_owned(),
    }
}

const CLUSTER: &str = "a cluster runs on pulsar, kafka or (from 2.6 on) woodpecker: --set pulsarv3.enabled=true, or kafka.enabled=true, or woodpecker.enabled=true";

fn rocksmq(case: &Case) -> Finding {
    let message = "the message queue of a cluster would be rocksmq, which lives inside one pod: the components would not see each other's data, and Milvus refuses to start".to_owned();
    let help = format!(
        "{}\ncluster.enabled=true does not turn a standalone on rocksmq into a cluster: move its data with a backup",
        kept(case, CLUSTER)
    );
    tell(case, message, help, &Mq::RocksMq)
}

fn too_early(case: &Case) -> Finding {
    let version = case
        .transition
        .target()
        .map_or_else(|| "2.5".to_owned(), ToString::to_string);
    let since = &facts::versions().marks.streaming.version;
    let message = format!(
        "the message queue would be woodpecker, which Milvus {version} does not know (it came with {since}): it would not start"
    );
    let otherwise = match case.standalone() {
        true => "for a standalone before 2.6: --set standalone.messageQueue=rocksmq",
        false => {
            "for a cluster before 2.6: --set woodpecker.enabled=false --set pulsarv3.enabled=true (or kafka.enabled=true)"
        }
    };
    let current = case.before.and_then(|b| places::likely_mq(b, case.current_mq()));
    let help = match current.filter(|mq| *mq != Mq::Woodpecker) {
        Some(mq) => pins::pin(case, &mq),
        None => otherwise.to_owned(),
    };
    tell(case, message, help, &Mq::Woodpecker)
}

/// Says that all pods share one file system.
const FORCE: &str = "woodpecker.storage.forceLocalStorage";

/// Components of a cluster whose woodpecker would write to the disk of their own pod.
fn local(case: &Case) -> Vec<Finding> {
    let configs: Vec<Config> = case.after.effective.configs.iter().map(Config::as_seen).collect();
    let all = &case.after.release.components;
    let mark = &facts::versions().marks.woodpecker_local_refused.version;
    // Before that version nothing reads the switch, and nobody knows what it was meant to say.
    let read = case.transition.target().filter(|v| *v >= mark);
    let forced = |i: usize| configs[i].value(FORCE).is_some_and(is_true);
    let affected: Vec<usize> = (0..all.len())
        .filter(|i| all[*i].role != Role::IndexNode && configs[*i].value("woodpecker.storage.type") == Some("local"))
        .filter(|i| read.is_none() || !forced(*i))
        .collect();
    let Some(first) = affected.first().copied() else {
        return vec![];
    };
    let outcome = match (read, case.transition.target()) {
        (Some(v), _) => format!("Milvus {v} refuses to start with it (from {mark} on)"),
        (None, Some(v)) if affected.iter().any(|i| forced(*i)) => {
            format!(
                "what one pod writes no other can read, and it is lost with the pod; Milvus {v} does not read {FORCE} (from {mark} on)"
            )
        }
        _ => "what one pod writes no other can read, and it is lost with the pod".to_owned(),
    };
    let message = format!(
        "woodpecker{} would keep the log on local disk (woodpecker.storage.type: local) in a cluster: {outcome}",
        places::whose(case, &affected)
    );
    let help = format!(
        "keep the log in the object store:\n{}\nif all pods share one file system there, say so with {FORCE}: true, towards {mark} or later, which reads it",
        pins::user_yaml("woodpecker.storage.type", "minio")
    );
    let origin = configs[first].get("woodpecker.storage.type").map(|s| s.origin.clone());
    vec![at(
        case,
        RULE.finding(message, help),
        "woodpecker.storage.type",
        origin.as_ref(),
        "local",
    )]
}

fn is_true(text: &str) -> bool {
    matches!(text, "true" | "True" | "TRUE" | "1" | "t" | "T")
}

/// A word that is no queue's. One that runs today is a fork's own.
fn unheard_of(case: &Case, text: &str) -> Vec<Finding> {
    let current = case.before.and_then(|b| places::likely_mq(b, case.current_mq()));
    if current == Some(Mq::Other(text.to_owned())) {
        return vec![];
    }
    let message = format!(
        "the message queue would be `{text}`, which Milvus does not know (names are written in lower case): it would not start"
    );
    let help = match current {
        Some(mq) => pins::pin(case, &mq),
        None => "mq.type takes pulsar, kafka, rocksmq (standalone) and, from 2.6 on, woodpecker".to_owned(),
    };
    vec![tell(case, message, help, &Mq::Other(text.to_owned()))]
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    const LOCAL: &str = "      type: woodpecker\n    woodpecker:\n      storage:\n        type: local\n";

    fn cluster(to: &str, mq: &str) -> Scenario {
        Scenario::upgrade("v2.5.16", to).edit_target("      type: pulsar\n", mq)
    }

    #[test]
    fn rocksmq_is_for_one_pod() {
        let all = cluster("v2.6.16", "      type: rocksmq\n").of_rule("MU305");
        assert_eq!(all.len(), 1);
        assert!(all[0].help.contains("pulsarv3.enabled=true"));
        // The image's default counts as much.
        let unsaid = cluster("v2.6.16", "      type: rocksmq\n").edit_current("    mq:\n      type: pulsar\n", "");
        let field = unsaid.of_rule("MU305").remove(0).field.unwrap();
        assert_eq!(
            (field.current.as_str(), field.proposed.as_str()),
            (Some("pulsar"), Some("rocksmq"))
        );
        assert!(
            !Scenario::standalone("v2.5.16", "v2.6.16", "rocksmq")
                .codes()
                .contains(&"MU305")
        );
        assert!(
            cluster("v2.6.16", "      type: rocksmq\n")
                .fresh()
                .codes()
                .contains(&"MU305")
        );
    }

    #[test]
    fn local_woodpecker_in_a_cluster_by_version_and_unless_forced() {
        let panics = cluster("v2.6.16", LOCAL).of_rule("MU305").remove(0);
        assert!(panics.message.contains("refuses to start"), "{}", panics.message);
        assert_eq!(
            panics.field.unwrap().path,
            "/data/default.yaml#/woodpecker/storage/type"
        );
        let unsafe_then = cluster("v2.6.8", LOCAL).of_rule("MU305").remove(0);
        assert!(
            unsafe_then.message.contains("lost with the pod") && !unsafe_then.message.contains("forceLocalStorage")
        );
        assert!(
            !cluster("v2.6.16", &format!("{LOCAL}        forceLocalStorage: true\n"))
                .codes()
                .contains(&"MU305")
        );
        for before in ["v2.6.8", "v2.6.14"] {
            let forced = cluster(before, &format!("{LOCAL}        forceLocalStorage: true\n")).of_rule("MU305");
            assert!(
                forced[0]
                    .message
                    .contains("does not read woodpecker.storage.forceLocalStorage (from 2.6.15 on)")
            );
        }
        assert!(
            !cluster("v2.6.15", &format!("{LOCAL}        forceLocalStorage: true\n"))
                .codes()
                .contains(&"MU305")
        );
        for not_forced in ["false", "\"\"", "no"] {
            let text = format!("{LOCAL}        forceLocalStorage: {not_forced}\n");
            assert!(cluster("v2.6.16", &text).codes().contains(&"MU305"), "{not_forced}");
        }
        assert!(
            !cluster("v2.6.16", &LOCAL.replace("local", "minio"))
                .codes()
                .contains(&"MU305")
        );
        let dormant = LOCAL.replace("woodpecker\n    w", "pulsar\n    w");
        assert!(!cluster("v2.6.16", &dormant).codes().contains(&"MU305"));
    }

    #[test]
    fn one_component_may_be_local_by_its_environment() {
        let env = "            - name: WOODPECKER_STORAGE_TYPE\n              value: local\n";
        let all = cluster("v2.6.16", "      type: woodpecker\n")
            .env_target("proxy", env)
            .of_rule("MU305");
        assert_eq!(all.len(), 1);
        assert!(all[0].message.contains("of rel-milvus-proxy"), "{}", all[0].message);
    }

    #[test]
    fn a_standalone_may_be_local() {
        let scenario =
            Scenario::standalone("v2.6.4", "v2.6.16", "woodpecker").edit_target("      type: woodpecker\n", LOCAL);
        assert!(!scenario.codes().contains(&"MU305"));
    }

    #[test]
    fn woodpecker_came_with_2_6() {
        let all = Scenario::standalone("v2.5.16", "v2.5.22", "woodpecker").of_rule("MU305");
        assert!(all[0].message.contains("2.5.22"));
        assert!(all[0].help.contains("messageQueue=rocksmq"));
        assert!(
            cluster("v2.5.22", "      type: woodpecker\n").of_rule("MU305")[0]
                .help
                .contains("pulsarv3")
        );
        assert!(
            !Scenario::standalone("v2.5.16", "v2.6.16", "woodpecker")
                .codes()
                .contains(&"MU305")
        );
    }

    #[test]
    fn a_word_that_is_no_queue() {
        assert!(
            cluster("v2.6.16", "      type: Pulsar\n").of_rule("MU305")[0]
                .message
                .contains("`Pulsar`")
        );
        let fork = Scenario::upgrade("v2.6.15", "v2.6.16")
            .edit_target("      type: pulsar\n", "      type: corpmq\n")
            .edit_current("      type: pulsar\n", "      type: corpmq\n");
        assert!(!fork.codes().contains(&"MU305"));
        // What is hidden is no word.
        let hidden = "            - name: MQ_TYPE\n              valueFrom: {secretKeyRef: {name: a, key: b}}\n";
        let hidden = Scenario::upgrade("v2.5.16", "v2.6.16").env_target("mixcoord", hidden);
        assert!(hidden.of_rule("MU305").is_empty(), "{:?}", hidden.of_rule("MU305"));
    }
}
