//! MU303: natsmq does not exist in 2.6.

use super::case::{Case, Side};
use super::{Check, Rule, pins, places};
use crate::finding::{Finding, Severity};
use crate::milvus::config::Origin;
use crate::milvus::queue::Mq;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU303",
    name: "mq-removed",
    severity: Severity::Refuse,
    says: "natsmq does not exist in 2.6",
    page: include_str!("../../docs/rules/MU303.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    if !case.transition.to_26() {
        return vec![];
    }
    let version = case
        .transition
        .target()
        .map_or_else(|| "2.6".to_owned(), ToString::to_string);
    let target = places::likely_mq(case.after, case.target_mq());
    let current = case.before.and_then(|b| places::likely_mq(b, case.current_mq()));
    if target == Some(Mq::NatsMq) {
        let message =
            format!("the message queue would be natsmq, which Milvus {version} does not have: it would not start");
        let was = current
            .as_ref()
            .map_or(crate::value::Value::Null, |mq| mq.as_str().into());
        let origin = origin(case.after);
        let path = places::path_of("mq.type", origin.as_ref());
        let finding = RULE.finding(message, help(case, current.as_ref()));
        return vec![
            places::place(case, finding, origin.as_ref(), case.after.effective.speaker).field(path, was, "natsmq"),
        ];
    }
    let (Some(Mq::NatsMq), Some(before)) = (&current, case.before) else {
        return vec![];
    };
    let message = format!(
        "natsmq is in use, and Milvus {version} cannot read it: what is written and not yet flushed would be lost{}",
        target
            .as_ref()
            .map_or_else(String::new, |mq| format!(", whether or not the target asks for {mq}"))
    );
    let proposed = target
        .as_ref()
        .map_or(crate::value::Value::Null, |mq| mq.as_str().into());
    let origin = origin(before);
    let path = places::path_of("mq.type", origin.as_ref());
    let mut finding = RULE
        .finding(message, help(case, current.as_ref()))
        .field(path, "natsmq", proposed);
    if let Some((origin, object)) = origin
        .as_ref()
        .and_then(|o| Some((o, before.find(&o.object.kind, &o.object.name)?)))
    {
        finding = finding.on(&object.reference).at(
            before.input,
            object.document,
            format!("{}{}", object.pointer, origin.path),
        );
    }
    vec![finding]
}

/// Where the type is said: natsmq is no default of any image.
fn origin(side: Side) -> Option<Origin> {
    let config = side.effective.config().as_seen();
    config.get("mq.type").map(|setting| setting.origin.clone())
}

fn help(case: &Case, current: Option<&Mq>) -> String {
    match current {
        Some(Mq::NatsMq) => "there is no way to take a natsmq log along: stay on 2.5 for now, and move the data to an instance on another queue\n\
             stop the writers, flush every collection, back up (milvus-backup), restore into a new release installed with --set standalone.messageQueue=rocksmq\n\
             keep the old release until the new one is checked"
            .to_owned(),
        Some(mq) => format!("natsmq is not what runs today; {}", pins::pin(case, mq)),
        None => match case.standalone() {
            true => "choose one that 2.6 has: --set standalone.messageQueue=rocksmq (or woodpecker)".to_owned(),
            false => "choose one that 2.6 has: --set pulsarv3.enabled=true, kafka.enabled=true or woodpecker.enabled=true".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    #[test]
    fn natsmq_kept_into_2_6_is_refused_once() {
        let all = Scenario::standalone("v2.5.22", "v2.6.16", "natsmq").of_rule("MU303");
        assert_eq!(all.len(), 1);
        assert!(all[0].message.contains("2.6.16") && all[0].help.contains("milvus-backup"));
        assert!(all[0].location.as_ref().is_some_and(|l| l.line > 1));
    }

    #[test]
    fn leaving_it_on_the_way_does_not_save_the_log() {
        let scenario = Scenario::standalone("v2.5.22", "v2.6.16", "natsmq")
            .edit_target("      type: natsmq", "      type: rocksmq");
        let all = scenario.of_rule("MU303");
        assert!(all[0].message.contains("in use") && all[0].message.contains("rocksmq"));
        assert_eq!(
            all[0].location.as_ref().map(|l| l.stream),
            Some(crate::finding::Input::Current)
        );
        assert!(scenario.codes().contains(&"MU301"));
    }

    #[test]
    fn a_fresh_install_and_the_environment_count() {
        assert!(
            Scenario::standalone("v2.5.22", "v2.6.16", "natsmq")
                .fresh()
                .codes()
                .contains(&"MU303")
        );
        let env = "            - name: MQ_TYPE\n              value: natsmq\n";
        let scenario = Scenario::standalone("v2.5.22", "v2.6.16", "rocksmq").env_target("standalone", env);
        assert!(
            scenario.of_rule("MU303")[0]
                .help
                .contains("standalone.messageQueue=rocksmq")
        );
        let stated = Scenario::standalone("v2.5.22", "v2.6.16", "rocksmq")
            .drop_target("ConfigMap", "rel-milvus")
            .assume("target-mq=natsmq");
        assert!(stated.codes().contains(&"MU303"));
    }

    #[test]
    fn within_2_5_and_with_its_keys_lying_about_it_stays_quiet() {
        assert!(
            !Scenario::standalone("v2.5.16", "v2.5.22", "natsmq")
                .codes()
                .contains(&"MU303")
        );
        let keys = Scenario::standalone("v2.5.22", "v2.6.16", "rocksmq")
            .edit_target("    mq:\n", "    natsmq:\n      server:\n        port: 4222\n    mq:\n");
        assert!(!keys.codes().contains(&"MU303"));
    }
}
