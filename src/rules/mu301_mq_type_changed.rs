//! MU301: another message queue.

use super::case::Case;
use super::unmounted::{self, Unmounted};
use super::{Check, Rule, pins, places};
use crate::facts;
use crate::finding::{Finding, Severity};
use crate::milvus::config::{Layer, Origin};
use crate::milvus::queue::{self, Mq};
use crate::milvus::role::Role;
use crate::rewrite::chart::chart_of;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU301",
    name: "mq-type-changed",
    severity: Severity::Refuse,
    says: "the effective message queue differs from the one in use",
    page: include_str!("../../docs/rules/MU301.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    let mut found = Vec::new();
    if let (Some(current), Some(target)) = (case.current_mq(), case.target_mq())
        && current != target
    {
        found.push(changed(case, &current, &target));
    }
    found.extend(disagreeing(case));
    found
}

fn changed(case: &Case, current: &Mq, target: &Mq) -> Finding {
    let mark = &facts::versions().marks.mq_sticks.version;
    let sticky = match case.transition.target() {
        Some(v) if v >= mark => {
            format!("; from {mark} on the first start writes it into etcd, where no later change of values reaches it")
        }
        _ => String::new(),
    };
    let was = case.before.and_then(|before| before.effective.config().get("mq.type"));
    let unmounted = unmounted::among(
        case,
        &[case.after.effective.speaker],
        was.map(|setting| &setting.origin),
    );
    let why = unmounted.as_ref().map_or_else(String::new, Unmounted::why);
    let message = format!(
        "the message queue would change from {current} to {target}{why}: what is written and not yet flushed stays behind in {current}{sticky}"
    );
    let effective = case.after.effective;
    let origin = queue::resolve_type(effective.config(), effective.line, case.standalone())
        .ok()
        .and_then(|(_, _, origin)| origin);
    let path = places::path_of("mq.type", origin.as_ref());
    let help = unmounted.map_or_else(|| help(case, current, target, origin.as_ref()), |u| u.help());
    let finding = RULE.finding(message, help);
    places::place(case, finding, origin.as_ref(), effective.speaker).field(path, current.as_str(), target.as_str())
}

fn help(case: &Case, current: &Mq, target: &Mq, origin: Option<&Origin>) -> String {
    let mut lines = vec![match (
        forgotten(case, current, target),
        *current == Mq::NatsMq && case.transition.to_26(),
    ) {
        (Some(help), _) => help,
        (None, true) => "natsmq cannot be kept in 2.6: see MU303".to_owned(),
        (None, false) => pins::pin(case, current),
    }];
    if let Some(Origin {
        layer: Layer::UserYaml | Layer::Env { .. },
        object,
        path,
    }) = origin
    {
        lines.push(format!(
            "what asks for {target} now is {path} of {} {}: it wins over the chart's own choice, take it out",
            object.kind, object.name
        ));
    }
    lines.push("switching queues is a step of its own, after the upgrade: milvus-uplift explain MU301".to_owned());
    lines.extend(pins::etcd_knows(case));
    let assume = &case.options.assume;
    let unused = [
        ("current-mq", &assume.current_mq, current),
        ("target-mq", &assume.target_mq, target),
    ];
    for (key, stated, read) in unused {
        if let Some(stated) = stated.as_ref().filter(|s| *s != read.as_str()) {
            lines.push(format!(
                "--assume {key}={stated} was not used: the manifests say {read}"
            ));
        }
    }
    lines.join("\n")
}

/// Charts from 5.0.0 on take a standalone whose Deployment has no annotation for one on rocksmq, whatever the values
/// say: woodpecker cannot be pinned by a value there.
fn forgotten(case: &Case, current: &Mq, target: &Mq) -> Option<String> {
    let component = case.after.release.in_role(Role::Standalone).next()?;
    let chart = semver::Version::parse(&chart_of(case.after.object(component))?).ok()?;
    let from = &facts::charts().marks.milvus_2_6.chart;
    if *current != Mq::Woodpecker || *target != Mq::RocksMq || chart < *from {
        return None;
    }
    let namespace = places::namespace(case);
    let space = if namespace.is_empty() {
        String::new()
    } else {
        format!(" --namespace {namespace}")
    };
    Some(format!(
        "charts from {from} on write rocksmq for a Deployment without the annotation milvus.io/message-queue: annotate it, then render again\n\
         kubectl annotate deployment {}{space} milvus.io/message-queue=woodpecker --overwrite",
        component.name
    ))
}

/// Components of the target that would use another queue than the one that speaks for the release. Index nodes open
/// none; what disagrees today already is no matter of an ordinary change.
fn disagreeing(case: &Case) -> Vec<Finding> {
    let effective = case.after.effective;
    let Ok(spoken) = &effective.spoken().mq else {
        return vec![];
    };
    let pairs = places::pairs(case);
    let mut groups: Vec<(&Mq, Vec<usize>)> = Vec::new();
    for (i, component) in case.after.release.components.iter().enumerate() {
        let Ok(own) = &effective.of(i).mq else { continue };
        if own == spoken || component.role == Role::IndexNode {
            continue;
        }
        let standing = pairs
            .iter()
            .find(|(a, _)| *a == i)
            .zip(case.before)
            .is_some_and(|((_, b), before)| before.effective.of(*b).mq.as_ref().is_ok_and(|mq| mq == own));
        if standing && case.transition.is_ordinary() {
            continue;
        }
        match groups.iter_mut().find(|(mq, _)| *mq == own) {
            Some((_, members)) => members.push(i),
            None => groups.push((own, vec![i])),
        }
    }
    groups
        .into_iter()
        .map(|(own, members)| disagreement(case, spoken, own, &members))
        .collect()
}

fn disagreement(case: &Case, spoken: &Mq, own: &Mq, members: &[usize]) -> Finding {
    let all = &case.after.release.components;
    let names: Vec<&str> = members.iter().map(|i| all[*i].name.as_str()).collect();
    let names = places::listed(&names);
    let message = format!(
        "{names} would use the message queue {own} while the rest of the release uses {spoken}: they would not see each other's data"
    );
    let first = members[0];
    let config = &case.after.effective.configs[first];
    let origin = queue::resolve_type(config, case.after.effective.line, case.standalone())
        .ok()
        .and_then(|(_, _, o)| o);
    let key = config.get("mq.type").map_or("MQ_TYPE", |s| s.key.as_str());
    let help = format!(
        "take {key} out of the environment of {names} (extraEnv in the chart's values), or give all components the same"
    );
    let path = places::path_of("mq.type", origin.as_ref());
    let finding = RULE.finding(message, help);
    places::place(case, finding, origin.as_ref(), first).field(path, spoken.as_str(), own.as_str())
}

#[cfg(test)]
mod tests {
    use crate::finding::Finding;
    use crate::rules::testkit::Scenario;
    use crate::stage::Stage;

    fn kafka(scenario: Scenario) -> Scenario {
        scenario.edit_target("      type: pulsar", "      type: kafka")
    }

    fn upgrade() -> Scenario {
        Scenario::upgrade("v2.5.16", "v2.6.16")
    }

    fn only(scenario: &Scenario) -> Finding {
        let mut all = scenario.of_rule("MU301");
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    #[test]
    fn another_type_is_refused_with_both_and_the_place() {
        let finding = only(&kafka(upgrade()));
        assert!(finding.message.contains("from pulsar to kafka") && finding.message.contains("etcd"));
        assert!(finding.help.contains("--set pulsarv3.enabled=true"), "{}", finding.help);
        let field = finding.field.as_ref().unwrap();
        assert_eq!(
            (field.path.as_str(), field.current.as_str(), field.proposed.as_str()),
            ("/data/default.yaml#/mq/type", Some("pulsar"), Some("kafka"))
        );
        assert!(finding.location.as_ref().is_some_and(|l| l.line > 1));
        let sticks = |to: &str| only(&kafka(Scenario::upgrade("v2.5.16", to))).message.contains("etcd");
        assert!(!sticks("v2.6.11") && sticks("v2.6.14"));
    }

    #[test]
    fn what_disagrees_today_is_no_matter_of_an_ordinary_change_and_one_of_every_other() {
        let env = "            - name: MQ_TYPE\n              value: kafka\n";
        let ordinary = Scenario::upgrade("v2.6.16", "v2.6.16");
        assert_eq!(
            only(&ordinary.clone().env_target("datanode", env)).severity,
            super::RULE.severity
        );
        let other = env.replace("kafka", "woodpecker");
        let changed = ordinary
            .clone()
            .env_target("datanode", env)
            .env_current("datanode", &other);
        assert_eq!(changed.of_rule("MU301").len(), 1);
        let standing = |scenario: Scenario| scenario.env_target("datanode", env).env_current("datanode", env);
        assert!(standing(ordinary).of_rule("MU301").is_empty());
        assert_eq!(standing(upgrade()).of_rule("MU301").len(), 1);
    }

    #[test]
    fn no_stage_begins_a_way_that_ends_at_another_queue() {
        for stage in [Stage::Next, Stage::At(0), Stage::At(1), Stage::At(3)] {
            assert!(kafka(upgrade()).stage(stage).codes().contains(&"MU301"), "{stage:?}");
        }
        assert!(!upgrade().stage(Stage::Next).codes().contains(&"MU301"));
    }

    #[test]
    fn the_environment_wins_over_files_in_every_spelling() {
        for name in ["MQ_TYPE", "MQTYPE", "mq.type", "milvus.mq.type", "MILVUS_CONF_MQ_TYPE"] {
            let env = format!("            - name: {name}\n              value: kafka\n");
            let finding = only(&upgrade().env_target("datanode", &env));
            assert!(finding.message.contains("rel-milvus-datanode"), "{}", finding.message);
            assert!(finding.help.contains(name), "{}", finding.help);
            let field = finding.field.unwrap();
            assert!(field.path.ends_with("/env/0"), "{}", field.path);
        }
    }

    #[test]
    fn a_prefix_that_2_5_does_not_know_says_nothing_there() {
        let env = "            - name: MILVUS_CONF_MQ_TYPE\n              value: kafka\n";
        let scenario = Scenario::upgrade("v2.5.16", "v2.5.22").env_target("datanode", env);
        assert!(!scenario.codes().contains(&"MU301"));
    }

    #[test]
    fn several_components_that_disagree_are_one_finding() {
        let env = "            - name: MQ_TYPE\n              value: kafka\n";
        let finding = only(&upgrade().env_target("datanode", env).env_target("proxy", env));
        assert!(
            finding.message.contains("rel-milvus-proxy and rel-milvus-datanode"),
            "{}",
            finding.message
        );
    }

    #[test]
    fn an_index_node_opens_no_queue() {
        let env = "            - name: MQ_TYPE\n              value: kafka\n";
        assert!(
            !Scenario::upgrade("v2.5.16", "v2.5.22")
                .env_target("indexnode", env)
                .codes()
                .contains(&"MU301")
        );
    }

    #[test]
    fn user_yaml_wins_over_default_yaml_and_is_named() {
        let user = |text: &str| upgrade().edit_target("  user.yaml: |-\n    # nothing\n", text);
        let finding = only(&user(
            "  user.yaml: |\n    mq:\n      type: kafka\n    kafka:\n      brokerList: k:9092\n",
        ));
        assert_eq!(finding.field.as_ref().unwrap().path, "/data/user.yaml#/mq/type");
        assert!(finding.help.contains("take it out"), "{}", finding.help);
        assert!(
            user("  user.yaml: |\n    mq.type: pulsar\n")
                .of_rule("MU301")
                .is_empty()
        );
    }

    #[test]
    fn of_two_blocks_the_later_counts() {
        let twice = upgrade().edit_target("    mq:\n      type: pulsar\n", "    mq:\n      type: pulsar\n    messageQueue: pulsar\n    mq:\n      type: kafka\n    kafka:\n      brokerList: rel-kafka:9092\n");
        assert!(only(&twice).message.contains("from pulsar to kafka"));
        let back = upgrade().edit_target(
            "    mq:\n      type: pulsar\n",
            "    mq:\n      type: kafka\n    messageQueue: kafka\n    mq:\n      type: pulsar\n",
        );
        assert!(back.of_rule("MU301").is_empty());
    }

    #[test]
    fn the_same_queue_said_differently_stays_quiet() {
        assert!(
            !upgrade()
                .edit_target("      type: pulsar", "      type: \"default\"")
                .codes()
                .contains(&"MU301")
        );
        assert!(
            !upgrade()
                .edit_target("    mq:\n      type: pulsar\n", "    messageQueue: kafka\n")
                .codes()
                .contains(&"MU301")
        );
    }

    #[test]
    fn an_assumption_stands_in_only_where_nothing_can_be_read() {
        let hidden = upgrade()
            .drop_target("ConfigMap", "rel-milvus")
            .drop_current("ConfigMap", "rel-milvus");
        assert!(
            hidden
                .clone()
                .assume("current-mq=pulsar")
                .assume("target-mq=kafka")
                .codes()
                .contains(&"MU301")
        );
        assert!(
            !hidden
                .clone()
                .assume("current-mq=pulsar")
                .assume("target-mq=pulsar")
                .codes()
                .contains(&"MU301")
        );
        assert!(!hidden.codes().contains(&"MU301"));
        let finding = only(&kafka(upgrade()).assume("target-mq=pulsar"));
        assert!(finding.help.contains("was not used"), "{}", finding.help);
    }

    #[test]
    fn queue_rules_hold_for_ordinary_changes_and_both_directions() {
        assert!(
            kafka(Scenario::upgrade("v2.6.16", "v2.6.16"))
                .codes()
                .contains(&"MU301")
        );
        assert!(
            kafka(Scenario::upgrade("v2.5.16", "v2.5.16"))
                .codes()
                .contains(&"MU301")
        );
        let back = Scenario::upgrade("v2.6.15", "v2.6.16").edit_current("      type: pulsar", "      type: kafka");
        let finding = only(&back);
        assert!(
            finding.help.contains("etcdctl get by-dev/config/mqtype"),
            "{}",
            finding.help
        );
    }

    #[test]
    fn a_forced_rocksmq_is_undone_by_the_annotation() {
        let scenario = Scenario::standalone("v2.6.4", "v2.6.16", "woodpecker")
            .edit_target("      type: woodpecker", "      type: rocksmq")
            .edit_target("milvus-4.2.58", "milvus-5.0.19");
        let finding = only(&scenario);
        assert!(
            finding.help.contains(
                "kubectl annotate deployment rel-milvus-standalone --namespace ns milvus.io/message-queue=woodpecker"
            ),
            "{}",
            finding.help
        );
    }

    #[test]
    fn the_annotation_is_for_woodpecker_that_a_chart_of_2_6_makes_rocksmq() {
        for (chart, from, to, annotated) in [
            ("5.0.0", "woodpecker", "rocksmq", true),
            ("4.2.58", "woodpecker", "rocksmq", false),
            ("5.0.19", "pulsar", "rocksmq", false),
            ("5.0.19", "woodpecker", "pulsar", false),
        ] {
            let scenario = Scenario::standalone("v2.6.4", "v2.6.16", from)
                .edit_target(&format!("      type: {from}"), &format!("      type: {to}"))
                .edit_target("milvus-4.2.58", &format!("milvus-{chart}"));
            let help = only(&scenario).help;
            assert_eq!(
                help.contains("kubectl annotate"),
                annotated,
                "{chart} {from} {to}: {help}"
            );
            let pinned = help.contains(&format!("--set standalone.messageQueue={from}"));
            assert_eq!(pinned, !annotated, "{chart} {from} {to}: {help}");
        }
    }

    #[test]
    fn a_queue_that_the_environment_chose_is_kept_there() {
        let env = "          env:\n            - name: MQ_TYPE\n              value: kafka\n            - name: KAFKA_BROKERLIST\n              value: kafka.corp.example:9092\n";
        let finding = only(&upgrade().edit_current("          env:\n", env));
        assert!(finding.message.contains("from kafka to pulsar"), "{}", finding.message);
        assert!(
            finding
                .help
                .contains("keep it: the environment of Deployment rel-milvus-")
                && finding.help.contains(" sets MQ_TYPE; leave it there"),
            "{}",
            finding.help
        );
    }
}
