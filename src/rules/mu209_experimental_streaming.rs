//! MU209: streaming was on under 2.5.

use super::case::Case;
use super::component::list;
use super::mu202_role_before_its_time::{Switch, switch};
use super::{Check, Rule};
use crate::finding::{Finding, Severity};
use crate::milvus::config::STREAMING_SWITCH;
use crate::milvus::release::Component;
use crate::milvus::role::Role;
use crate::milvus::version::Read;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU209",
    name: "experimental-streaming",
    severity: Severity::Warn,
    says: "streaming was switched on under 2.5",
    page: include_str!("../../docs/rules/MU209.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    let Some(before) = case.before.filter(|_| case.transition.crosses_26()) else {
        return vec![];
    };
    // Between two stages some already run the target, where streaming is no experiment.
    let moved = |c: &Component| matches!(&c.version, Read::Known(v) if v.line() >= crate::facts::streaming_line());
    let is_on = |c: &&Component| {
        if moved(c) {
            return false;
        }
        let object = before.object(c);
        match switch(before.objects, c) {
            Switch::On => true,
            // An environment taken in as a whole says nothing of this; a variable of this name does.
            Switch::Hidden => object.value.pointer(&c.container).is_some_and(has),
            Switch::Off => c.role == Role::StreamingNode,
        }
    };
    let on: Vec<&Component> = before.release.components.iter().filter(is_on).collect();
    let Some(first) = on.first() else { return vec![] };
    let mut nodes = on.iter().filter(|c| c.role == Role::StreamingNode).peekable();
    let what = match nodes.peek() {
        Some(_) => format!(
            "{} runs as a streaming node",
            list(&nodes.map(|c| c.name.as_str()).collect::<Vec<_>>())
        ),
        None => {
            let names: Vec<&str> = on.iter().map(|c| c.name.as_str()).collect();
            format!("{STREAMING_SWITCH} is set for {}", list(&names))
        }
    };
    let version = case
        .transition
        .source()
        .map_or_else(|| "2.5".into(), ToString::to_string);
    let message = format!(
        "{what} under Milvus {version}, where streaming is an experiment: no documented way leads from it to 2.6"
    );
    let help = "try the upgrade on a copy first (milvus-backup, restored into a second release of the same version), and keep a backup that 2.5 can read";
    let pointer = if first.role == Role::StreamingNode {
        String::new()
    } else {
        format!("{}/env", first.container)
    };
    vec![before.point(RULE.finding(message, help), first, &pointer)]
}

fn has(container: &crate::value::Value) -> bool {
    let env = container.get("env").and_then(crate::value::Value::as_array);
    env.into_iter().flatten().any(|e| e["name"] == STREAMING_SWITCH)
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::{Scenario, deployment};
    use crate::stage::Stage;

    fn on(value: &str) -> String {
        format!("            - name: MILVUS_STREAMING_SERVICE_ENABLED\n              value: \"{value}\"\n")
    }

    #[test]
    fn the_switch_is_enough() {
        let all = Scenario::upgrade("v2.5.16", "v2.6.16")
            .env_current("proxy", &on("1"))
            .of_rule("MU209");
        assert!(
            all.len() == 1 && all[0].message.contains("rel-milvus-proxy") && all[0].message.contains("2.5.16"),
            "{all:?}"
        );
        assert_eq!(
            all[0].location.as_ref().map(|l| l.stream),
            Some(crate::finding::Input::Current)
        );
        let standalone = Scenario::standalone("v2.5.16", "v2.6.16", "rocksmq").env_current("standalone", &on("1"));
        assert_eq!(standalone.of_rule("MU209").len(), 1);
    }

    #[test]
    fn so_is_a_streaming_node() {
        let node = deployment("streamingnode", "\"streamingnode\"", "v2.5.16");
        let all = Scenario::upgrade("v2.5.16", "v2.6.16")
            .add_current(&node)
            .of_rule("MU209");
        assert!(
            all.len() == 1
                && all[0]
                    .message
                    .contains("rel-milvus-streamingnode runs as a streaming node"),
            "{all:?}"
        );
    }

    #[test]
    fn a_reference_to_the_switch_counts_and_an_environment_as_a_whole_does_not() {
        let reference = "            - name: MILVUS_STREAMING_SERVICE_ENABLED\n              valueFrom: {configMapKeyRef: {name: a, key: b}}\n";
        assert_eq!(
            Scenario::upgrade("v2.5.16", "v2.6.16")
                .env_current("proxy", reference)
                .of_rule("MU209")
                .len(),
            1
        );
        let whole = Scenario::upgrade("v2.5.16", "v2.6.16").edit_in_current(
            "Deployment",
            "rel-milvus-proxy",
            "          env:\n",
            "          envFrom:\n            - configMapRef: {name: a}\n          env:\n",
        );
        assert!(whole.of_rule("MU209").is_empty());
    }

    #[test]
    fn a_streaming_node_that_an_earlier_stage_brought_is_quiet() {
        let upgrade = Scenario::upgrade("v2.5.16", "v2.6.16").stage(Stage::Next);
        let halfway = upgrade.judge().text().unwrap();
        assert!(halfway.contains("streamingnode"), "{halfway}");
        assert!(
            upgrade
                .clone()
                .with_current(halfway.clone())
                .of_rule("MU209")
                .is_empty()
        );
        let both = upgrade.with_current(halfway).env_current("proxy", &on("1"));
        let all = both.of_rule("MU209");
        assert!(
            all.len() == 1 && all[0].message.contains("is set for rel-milvus-proxy"),
            "{all:?}"
        );
    }

    #[test]
    fn off_in_the_target_and_within_2_6_are_quiet() {
        assert!(Scenario::upgrade("v2.5.16", "v2.6.16").of_rule("MU209").is_empty());
        assert!(
            Scenario::upgrade("v2.5.16", "v2.6.16")
                .env_current("proxy", &on("0"))
                .of_rule("MU209")
                .is_empty()
        );
        assert!(
            Scenario::upgrade("v2.5.16", "v2.6.16")
                .env_target("proxy", &on("1"))
                .of_rule("MU209")
                .is_empty()
        );
        assert!(
            Scenario::upgrade("v2.6.4", "v2.6.16")
                .env_current("proxy", &on("1"))
                .of_rule("MU209")
                .is_empty()
        );
        assert!(
            Scenario::upgrade("v2.5.10", "v2.5.16")
                .env_current("proxy", &on("1"))
                .of_rule("MU209")
                .is_empty()
        );
    }
}
