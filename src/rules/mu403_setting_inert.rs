//! MU403: settings without effect, and things that look wrong and are not.

use super::case::Case;
use super::component::{list, names};
use super::keys::{self, UserKey};
use super::{Check, Rule, steps};
use crate::facts::{self, KeyRow, key_status};
use crate::finding::{Finding, Severity};
use crate::milvus::config::STREAMING_SWITCH;
use crate::milvus::config::normalise;
use crate::milvus::queue::Mq;
use crate::milvus::release::Component;
use crate::milvus::role::Role;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU403",
    name: "setting-inert",
    severity: Severity::Info,
    says: "settings without effect, and what looks wrong under 2.6 and is not",
    page: include_str!("../../docs/rules/MU403.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    let Some(target) = keys::target(case) else {
        return vec![];
    };
    let mut found = Vec::new();
    for key in keys::set_by_user(case) {
        if key.key == normalise(STREAMING_SWITCH) {
            found.extend(switch(case, key));
        } else if let Some(row) = key_status(&key.key, &target).filter(|row| row.is_always()) {
            found.push(inert(case, key, row));
        }
    }
    found.extend(mixture(case));
    found.extend(standby(case));
    found.extend(queue_later(case));
    found
}

/// What switched the streaming service of 2.5 on.
fn switch(case: &Case, key: &UserKey) -> Option<Finding> {
    let message = format!(
        "{} in {} has no effect on Milvus {}: streaming is always on there",
        key.shown(),
        key.place(),
        steps::target_name(case)
    );
    let help = format!("nothing has to be done; once no 2.5 image is left, take {STREAMING_SWITCH} out of extraEnv");
    case.transition
        .to_26()
        .then(|| key.point(case, RULE.finding(message, help)))
}

/// A key that no Milvus reads.
fn inert(case: &Case, key: &UserKey, row: &KeyRow) -> Finding {
    let mut message = format!("{} in {} has no effect: {}", key.shown(), key.place(), row.note);
    let queue = case.target_mq().filter(|_| key.key == normalise("messageQueue"));
    if let Some(mq) = queue
        && key.setting.value.as_deref().is_some_and(|v| Mq::parse(v) != mq)
    {
        message.push_str(&format!(", and that is {mq}"));
    }
    let help = format!(
        "nothing has to be done; take {} out of {}, so that nobody relies on it",
        key.setting.key,
        key.place()
    );
    key.point(case, RULE.finding(message, help))
}

/// `mixture … -indexcoord` under 2.6, where a reader may look for `mixcoord`.
fn mixture(case: &Case) -> Option<Finding> {
    if !case.transition.crosses_26() {
        return None;
    }
    let is = |c: &&Component| c.run.mixture_is_complete() && c.run.mixture_flags.iter().any(|f| f == "indexcoord");
    let all: Vec<&Component> = case.after.release.components.iter().filter(is).collect();
    let first = all.first()?;
    let message = format!(
        "{} runs `mixture` with `-indexcoord`, which is right under Milvus {}: the flags start the one coordinator, and that of indexcoord is taken and does nothing",
        list(&names(&all)),
        steps::target_name(case)
    );
    let help = "nothing has to be done; `milvus run mixcoord` is the same, and no 2.5 image can run it";
    let finding = RULE.finding(message, help);
    Some(case.after.point(finding, first, &format!("{}/args", first.container)))
}

/// What mixcoords log that stand by.
fn standby(case: &Case) -> Option<Finding> {
    let always = &facts::versions().marks.active_standby_always.version;
    let target = case.transition.target().filter(|t| *t >= always)?;
    let several = |c: &&Component| c.role == Role::MixCoord && c.replicas.is_some_and(|n| n > 1);
    let component = case.after.release.components.iter().find(several)?;
    let before = case.transition.source().is_some_and(|s| s >= always)
        && case
            .before
            .is_some_and(|b| b.release.components.iter().any(|c| several(&c)));
    if before {
        return None;
    }
    let message = format!(
        "of the {} replicas of {} all but one stand by under Milvus {target} and log \"old session exists\" for as long as they do: the active one holds the sessions of the old coordinators, so that none of those can start",
        component.replicas.unwrap_or_default(),
        component.name
    );
    let help = "nothing has to be done; leave that line out of alerts on mixcoord's log";
    let finding = RULE.finding(message, help);
    Some(case.after.point(finding, component, "/spec/replicas"))
}

/// The queue stays for now.
fn queue_later(case: &Case) -> Option<Finding> {
    let (current, target) = (case.current_mq()?, case.target_mq()?);
    if !case.transition.crosses_26() || current != target || target == Mq::NatsMq {
        return None;
    }
    let switch = &facts::versions().marks.mq_switch.version;
    let message = format!(
        "the message queue stays {target} through this upgrade, also where 2.6 would choose another by default; to switch is a step of its own"
    );
    let help = format!(
        "nothing has to be done; afterwards, from {switch} on (the guides say from 3.0 on), mixcoord switches while it runs:\n\
         curl -X POST http://MIXCOORD:9091/management/wal/alter -d '{{\"target_wal_name\": \"woodpecker\"}}'\n\
         and the chart's values have to follow"
    );
    Some(RULE.finding(message, help))
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    fn said(scenario: &Scenario) -> String {
        let all = scenario.of_rule("MU403");
        all.iter().map(|f| format!("{}\n", f.message)).collect()
    }

    fn user(scenario: Scenario, text: &str) -> Scenario {
        let lines: String = text.lines().map(|l| format!("    {l}\n")).collect();
        scenario.edit_target("  user.yaml: |-\n    # nothing\n", &format!("  user.yaml: |-\n{lines}"))
    }

    #[test]
    fn the_switch_of_2_5_is_told_once() {
        let env = "            - name: MILVUS_STREAMING_SERVICE_ENABLED\n              value: \"1\"\n";
        let both = |from: &str, to: &str| {
            Scenario::upgrade(from, to)
                .env_target("proxy", env)
                .env_target("datanode", env)
        };
        let text = said(&both("v2.6.4", "v2.6.16"));
        assert_eq!(text.matches("MILVUS_STREAMING_SERVICE_ENABLED").count(), 1);
        assert!(text.contains("rel-milvus-proxy and rel-milvus-datanode"), "{text}");
        assert!(said(&both("v2.5.16", "v2.5.22")).is_empty());
    }

    #[test]
    fn keys_that_nothing_ever_read() {
        let text = "messageQueue: kafka\nrootCoord:\n  address: other\nindexNode:\n  enableDisk: true\n";
        let scenario = user(Scenario::upgrade("v2.6.4", "v2.6.16"), text);
        let found = scenario.of_rule("MU403");
        assert_eq!(found.len(), 3, "{found:#?}");
        assert!(
            said(&scenario).contains("mq.type counts, and that is pulsar"),
            "{}",
            said(&scenario)
        );
        assert!(
            found
                .iter()
                .any(|f| f.field.as_ref().unwrap().path == "/data/user.yaml#/rootCoord/address")
        );
        assert!(scenario.of_rule("MU401").is_empty());
    }

    #[test]
    fn the_chart_s_own_are_quiet() {
        let own = "    messageQueue: pulsar\n    rootCoord:\n      address: rel-milvus-rootcoord\n";
        let scenario = Scenario::upgrade("v2.6.4", "v2.6.16").edit_target("    rootCoord:\n", own);
        assert_eq!(said(&scenario), "");
    }

    #[test]
    fn crossing_to_2_6_says_what_looks_wrong_and_is_not() {
        let text = said(&Scenario::upgrade("v2.5.16", "v2.6.16"));
        assert!(text.contains("rel-milvus-mixcoord runs `mixture`"), "{text}");
        assert!(text.contains("the message queue stays pulsar"), "{text}");
        assert_eq!(said(&Scenario::upgrade("v2.6.4", "v2.6.16")), "");
        assert_eq!(said(&Scenario::upgrade("v2.5.10", "v2.5.16")), "");
    }

    #[test]
    fn a_mixture_is_explained_where_it_is_whole_and_has_the_flag_that_does_nothing() {
        let whole = "\"mixture\", \"-rootcoord\", \"-querycoord\", \"-datacoord\", \"-indexcoord\"";
        for (words, want) in [
            (whole, true),
            ("\"mixcoord\"", false),
            ("\"mixture\", \"-rootcoord\", \"-querycoord\", \"-datacoord\"", false),
            ("\"mixture\", \"-rootcoord\", \"-querycoord\", \"-indexcoord\"", false),
        ] {
            let scenario = Scenario::upgrade("v2.5.16", "v2.6.16").edit_in_target(
                "Deployment",
                "rel-milvus-mixcoord",
                whole,
                words,
            );
            assert_eq!(said(&scenario).contains("which is right"), want, "{words}");
        }
    }

    #[test]
    fn mixcoords_that_stand_by_log_it() {
        let two = |from: &str, to: &str| {
            Scenario::upgrade(from, to).edit_in_target(
                "Deployment",
                "rel-milvus-mixcoord",
                "  replicas: 1",
                "  replicas: 2",
            )
        };
        let at = |from: &str, to: &str| said(&two(from, to)).contains("old session exists");
        assert!(at("v2.6.4", "v2.6.8") && at("v2.5.16", "v2.6.16"));
        assert!(!at("v2.6.4", "v2.6.7"));
        let already = two("v2.6.8", "v2.6.16").edit_in_current(
            "Deployment",
            "rel-milvus-mixcoord",
            "  replicas: 1",
            "  replicas: 2",
        );
        assert_eq!(said(&already), "");
        assert!(at("v2.6.8", "v2.6.16"));
    }
}
