//! MU203: nothing that holds the write-ahead log.

use super::case::Case;
use super::component::{are, list, names};
use super::{Check, Rule};
use crate::finding::{Finding, Severity};
use crate::milvus::release::{Component, Mode};
use crate::milvus::role::Role;
use crate::options::RewriteMode;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU203",
    name: "streamingnode-missing",
    severity: Severity::Refuse,
    says: "a 2.6 cluster without a streaming node, or with 0 replicas, in what would be applied",
    page: include_str!("../../docs/rules/MU203.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    // Before stage 1 nothing of 2.6 runs yet.
    if case.stage.is_some_and(|s| s.applied == 0) {
        return vec![];
    }
    let release = case.after.release;
    let at_rest = case.after.running().next().is_none();
    if !case.transition.to_26() || release.mode() == Mode::Standalone || at_rest {
        return vec![];
    }
    let nodes: Vec<&Component> = release.in_role(Role::StreamingNode).collect();
    if nodes.iter().any(|c| !c.is_scaled_to_zero()) {
        return vec![];
    }
    match nodes.first() {
        Some(first) => vec![scaled_to_zero(case, &nodes, first)],
        None => vec![missing(case)],
    }
}

fn scaled_to_zero(case: &Case, nodes: &[&Component], first: &Component) -> Finding {
    let message = format!(
        "{} {} at 0 replicas: without a streaming node nothing can be written, loaded or searched in Milvus {}",
        list(&names(nodes)),
        are(nodes.len()),
        target(case),
    );
    let before = case
        .before
        .and_then(|b| b.release.components.iter().find(|c| c.name == first.name));
    let current = before
        .and_then(|c| c.replicas)
        .map_or(crate::value::Value::Null, Into::into);
    case.after
        .point(
            RULE.finding(message, "--set streamingNode.replicas=1 (more for a large cluster)"),
            first,
            "/spec/replicas",
        )
        .field("/spec/replicas", current, 0)
}

fn missing(case: &Case) -> Finding {
    let message = format!(
        "release {} would run Milvus {} and no streaming node: nothing can be written, loaded or searched without one",
        case.came.name,
        target(case),
    );
    let rewrite = match case.options.rewrite {
        RewriteMode::Never => {
            "let the rewrite bring it (without --rewrite never and --as-is), or let the chart render it: "
        }
        RewriteMode::Auto => "let the chart render it: ",
    };
    let finding = RULE.finding(
        message,
        format!("{rewrite}--set streaming.enabled=true --set indexNode.enabled=false"),
    );
    case.after.point(finding, &case.after.release.components[0], "")
}

fn target(case: &Case) -> String {
    match (case.transition.target(), case.transition.target_line()) {
        (Some(version), _) => version.to_string(),
        (None, line) => line.map_or_else(String::new, |(major, minor)| format!("{major}.{minor}")),
    }
}

#[cfg(test)]
mod tests {
    use crate::finding::Finding;
    use crate::rules::testkit::Scenario;

    fn found(scenario: Scenario) -> Vec<Finding> {
        scenario.of_rule("MU203")
    }

    #[test]
    fn without_the_rewrite_it_is_missing() {
        let all = found(Scenario::upgrade("v2.5.16", "v2.6.16").without_rewrite());
        assert!(
            all.len() == 1 && all[0].message.contains("no streaming node") && all[0].message.contains("2.6.16"),
            "{all:?}"
        );
        assert!(all[0].help.contains("streaming.enabled=true") && all[0].help.contains("--rewrite never"));
        assert!(found(Scenario::upgrade("v2.5.16", "v2.6.16")).is_empty());
    }

    fn scaled(to: &str) -> Scenario {
        Scenario::upgrade("v2.6.4", "v2.6.16").edit_in_target(
            "Deployment",
            "rel-milvus-streamingnode",
            "  replicas: 1\n",
            to,
        )
    }

    #[test]
    fn at_zero_replicas_it_is_as_good_as_missing() {
        let all = found(scaled("  replicas: 0\n").replicas_current("streamingnode", 3));
        assert!(
            all.len() == 1 && all[0].message.contains("rel-milvus-streamingnode is at 0 replicas"),
            "{all:?}"
        );
        let field = all[0].field.as_ref().unwrap();
        assert_eq!(
            (field.path.as_str(), field.current.as_i64(), field.proposed.as_i64()),
            ("/spec/replicas", Some(3), Some(0))
        );
    }

    #[test]
    fn an_autoscaler_may_hold_the_replicas() {
        assert!(found(scaled("")).is_empty());
    }

    #[test]
    fn values_that_scale_it_to_zero_are_caught() {
        let values = "image: {all: {tag: v2.6.16}}\nstreamingNode: {replicas: 0}\n";
        let all = found(Scenario::upgrade("v2.5.16", "v2.6.16").values(values));
        assert!(
            all.len() == 1 && all[0].message.contains("0 replicas") && all[0].location.is_none(),
            "{all:?}"
        );
    }

    #[test]
    fn a_release_at_rest_a_standalone_and_2_5_need_none() {
        assert!(
            found(Scenario::upgrade("v2.6.4", "v2.6.16").edit_target("  replicas: 1\n", "  replicas: 0\n")).is_empty()
        );
        assert!(found(Scenario::standalone("v2.5.16", "v2.6.16", "rocksmq")).is_empty());
        assert!(found(Scenario::upgrade("v2.5.16", "v2.5.22")).is_empty());
    }
}
