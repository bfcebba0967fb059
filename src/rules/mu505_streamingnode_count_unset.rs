//! MU505: several streaming nodes, and nobody told the balancer to wait for them.

use super::case::Case;
use super::{Check, Rule};
use crate::facts;
use crate::finding::{Finding, Severity};
use crate::milvus::capacity::Replicas;
use crate::milvus::release::Component;
use crate::milvus::role::Role;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU505",
    name: "streamingnode-count-unset",
    severity: Severity::Info,
    says: "several streaming nodes, and expectedInitialStreamingNodeNum is unset (from 2.6.9 on)",
    page: include_str!("../../docs/rules/MU505.md"),
    check: Check::Release(check),
};

const KEY: &str = "streaming.walBalancer.expectedInitialStreamingNodeNum";

fn check(case: &Case) -> Vec<Finding> {
    let known = &facts::versions().marks.initial_streamingnodes.version;
    if case.transition.target().is_none_or(|v| v < known) {
        return vec![];
    }
    let nodes: Vec<&Component> = case.after.release.in_role(Role::StreamingNode).collect();
    let count: i64 = nodes.iter().map(|c| Replicas::of(case.after.objects, c).least).sum();
    // The balancer runs in the coordinator; its configuration counts.
    let position = case
        .after
        .release
        .components
        .iter()
        .position(|c| c.role == Role::MixCoord);
    let config = position.map_or(case.after.effective.config(), |i| &case.after.effective.configs[i]);
    let set = config.get(KEY).is_some_and(|s| {
        s.value
            .as_deref()
            .is_none_or(|v| v.trim() != "0" && !v.trim().is_empty())
    });
    let Some(first) = nodes.first().filter(|_| count > 1 && !set) else {
        return vec![];
    };
    let message = format!(
        "{count} streaming nodes come up one after the other and {KEY} is unset: the first one ready takes all channels, and the \
         others get theirs only as they are moved again"
    );
    let values = case.user_yaml(&format!(
        "streaming:\n  walBalancer:\n    expectedInitialStreamingNodeNum: {count}"
    ));
    let help = format!("let the balancer wait for them; to add to user.yaml in the values:\n{values}");
    let finding = RULE.finding(message, help);
    vec![case.point(finding, case.after.object(first), "/spec/replicas")]
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    fn three(from: &str, to: &str) -> Scenario {
        Scenario::upgrade(from, to).values("streamingNode: {replicas: 3}\n")
    }

    #[test]
    fn several_nodes_and_nobody_to_wait_for_them() {
        let finding = three("v2.5.16", "v2.6.16").of_rule("MU505").remove(0);
        assert!(finding.message.starts_with("3 streaming nodes"));
        assert!(
            finding.help.contains("expectedInitialStreamingNodeNum: 3"),
            "{}",
            finding.help
        );
        let within = Scenario::upgrade("v2.6.9", "v2.6.16").replicas_target("streamingnode", 2);
        assert!(within.of_rule("MU505")[0].location.is_some());
    }

    #[test]
    fn one_node_an_older_target_or_a_number_is_quiet() {
        assert!(Scenario::upgrade("v2.5.16", "v2.6.16").of_rule("MU505").is_empty());
        assert!(three("v2.5.16", "v2.6.8").of_rule("MU505").is_empty());
        let set = "    streaming:\n      walBalancer:\n        expectedInitialStreamingNodeNum: 3\n";
        assert!(
            three("v2.5.16", "v2.6.9")
                .edit_target("    # nothing\n", set)
                .of_rule("MU505")
                .is_empty()
        );
        // Only the coordinator balances.
        let env =
            "            - name: STREAMING_WALBALANCER_EXPECTEDINITIALSTREAMINGNODENUM\n              value: \"3\"\n";
        for (role, told) in [("mixcoord", 0), ("proxy", 1)] {
            let scenario = three("v2.5.16", "v2.6.9").env_target(role, env);
            assert_eq!(scenario.of_rule("MU505").len(), told, "{role}");
        }
        let zero = set.replace("Num: 3", "Num: 0");
        assert_eq!(
            three("v2.5.16", "v2.6.9")
                .edit_target("    # nothing\n", &zero)
                .of_rule("MU505")
                .len(),
            1
        );
    }
}
