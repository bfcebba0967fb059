//! MU311: some brokers or endpoints came or went, some remain.

use super::case::Case;
use super::places::{self, Difference, Gathered};
use super::{Check, Rule, mu304_mq_identity_changed as queues, mu307_storage_identity_changed as stores};
use crate::finding::{Finding, Severity};
use crate::milvus::identity::Identity;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU311",
    name: "members-changed",
    severity: Severity::Info,
    says: "brokers or endpoints were added or removed, some remain",
    page: include_str!("../../docs/rules/MU311.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    let queues = queues::queue_differences(case).into_iter().map(|(_, d)| d);
    let mut all = Gathered::of(queues.collect());
    for difference in stores::store_differences(case) {
        all.add_all(difference);
    }
    all.into_all().iter().filter_map(|d| finding(case, d)).collect()
}

fn finding(case: &Case, difference: &Difference) -> Option<Finding> {
    let Identity::MembersChanged { field, added, removed } = &difference.identity else {
        return None;
    };
    let part = |verb: &str, list: &[String]| match list.is_empty() {
        true => None,
        false => Some(format!("{verb} {}", list.join(", "))),
    };
    let parts: Vec<String> = [part("adds", added), part("takes away", removed)]
        .into_iter()
        .flatten()
        .collect();
    let whose = places::whose(case, &difference.components);
    let message = format!(
        "{field}{whose} {} and keeps at least one: taken for the same place",
        parts.join(" and ")
    );
    let help = "nothing to do if the new members belong to the same cluster";
    let finding = RULE.finding(message, help).field(
        places::path_of(field, difference.origin.as_ref()),
        removed.join(","),
        added.join(","),
    );
    Some(places::place(
        case,
        finding,
        difference.origin.as_ref(),
        difference.components[0],
    ))
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    fn brokers(list: &str) -> String {
        format!("      type: kafka\n    kafka:\n      brokerList: {list}\n")
    }

    fn kafka(was: &str, is: &str) -> Scenario {
        Scenario::upgrade("v2.5.16", "v2.6.16")
            .edit_current("      type: pulsar\n", &brokers(was))
            .edit_target("      type: pulsar\n", &brokers(is))
    }

    #[test]
    fn members_that_come_and_go_are_told_and_refuse_nothing() {
        let scenario = kafka("a:9092,b:9092", "b:9092,c:9092");
        let finding = scenario.of_rule("MU311").remove(0);
        assert!(
            finding.message.contains("adds c:9092") && finding.message.contains("takes away a:9092"),
            "{}",
            finding.message
        );
        assert!(!scenario.codes().contains(&"MU304"));
    }

    #[test]
    fn endpoints_as_well() {
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16").edit_target(
            "- rel-etcd.ns.svc:2379",
            "- rel-etcd.ns.svc:2379\n        - etcd-1.corp.example:2379",
        );
        assert!(
            scenario.of_rule("MU311")[0]
                .message
                .contains("etcd.endpoints adds etcd-1.corp.example:2379")
        );
        assert!(scenario.of_rule("MU307").is_empty());
    }

    #[test]
    fn none_in_common_and_another_order_are_not_this() {
        assert!(kafka("a:9092", "c:9092").of_rule("MU311").is_empty());
        assert!(kafka("a:9092,b:9092", "b:9092,a:9092").of_rule("MU311").is_empty());
    }

    #[test]
    fn members_are_told_apart_by_what_answers_behind_their_services() {
        let alias = "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: etcd-alias\n  namespace: ns\nspec:\n  ports:\n    - port: 2379\n  selector:\n    component: etcd\n";
        let endpoints =
            |first: &str, second: &str| format!("        - {first}\n        - {second}.corp.example:2379\n");
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16")
            .edit_current(
                "        - rel-etcd.ns.svc:2379\n",
                &endpoints("rel-etcd.ns.svc:2379", "old"),
            )
            .edit_target("        - rel-etcd.ns.svc:2379\n", &endpoints("etcd-alias:2379", "new"))
            .add_target(alias);
        let found = scenario.of_rule("MU311");
        assert_eq!(found.len(), 1, "{:?}", scenario.codes());
        let said = &found[0].message;
        assert!(
            said.contains("old.corp.example:2379") && said.contains("new.corp.example:2379"),
            "{said}"
        );
        assert!(!said.contains("etcd-alias") && !said.contains("rel-etcd"), "{said}");
        assert!(!scenario.codes().contains(&"MU307"));
    }
}
