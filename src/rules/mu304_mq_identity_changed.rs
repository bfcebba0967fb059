//! MU304: the same kind of queue, another log.

use super::case::Case;
use super::places::{self, Difference, Gathered};
use super::unmounted::{self, Unmounted};
use super::{Check, Rule, pins};
use crate::finding::{Finding, Severity};
use crate::milvus::config::Layer;
use crate::milvus::identity::Identity;
use crate::milvus::queue::Mq;
use crate::milvus::role::Role;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU304",
    name: "mq-identity-changed",
    severity: Severity::Refuse,
    says: "same type, another broker (no address in common), tenant, namespace, topic prefix",
    page: include_str!("../../docs/rules/MU304.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    if case.options.assume.same_queue {
        return vec![];
    }
    let differ = |(_, d): &(Mq, Difference)| matches!(d.identity, Identity::Different { .. });
    queue_differences(case)
        .iter()
        .filter(|d| differ(d))
        .map(|(mq, d)| finding(case, mq, d))
        .collect()
}

/// What differs between the logs of both sides, of one and the same type. Index nodes open none.
pub fn queue_differences(case: &Case) -> Vec<(Mq, Difference)> {
    let Some(before) = case.before else { return vec![] };
    let mut by_type: Vec<(&Mq, Gathered)> = Vec::new();
    for &(i, j) in places::pairs(case) {
        if case.after.release.components[i].role == Role::IndexNode {
            continue;
        }
        let (Ok(was), Ok(is)) = (&before.effective.of(j).queue, &case.after.effective.of(i).queue) else {
            continue;
        };
        if was.mq != is.mq {
            continue;
        }
        let found = places::differences(case, &was.identity, &is.identity);
        let known = by_type.iter().position(|(mq, _)| **mq == is.mq);
        let known = known.unwrap_or_else(|| {
            by_type.push((&is.mq, Gathered::default()));
            by_type.len() - 1
        });
        by_type[known].1.add(i, &found);
    }
    by_type
        .into_iter()
        .flat_map(|(mq, all)| all.into_all().into_iter().map(move |d| (mq.clone(), d)))
        .collect()
}

fn finding(case: &Case, mq: &Mq, difference: &Difference) -> Finding {
    let Identity::Different {
        field,
        current,
        proposed,
    } = &difference.identity
    else {
        unreachable!("filtered above")
    };
    let whose = places::whose(case, &difference.components);
    let unmounted = unmounted::among(case, &difference.components, difference.was.as_ref());
    let message = format!(
        "the {mq} log{whose} would be another one ({field} is {} now and would be {}){}: what is written and not yet flushed stays behind in the old one",
        places::quoted(current),
        places::quoted(proposed),
        unmounted.as_ref().map_or_else(String::new, Unmounted::why)
    );
    let help = unmounted.map_or_else(|| help(case, mq, difference, field, current), |u| u.help());
    let path = places::path_of(field, difference.origin.as_ref());
    let finding = RULE
        .finding(message, help)
        .field(path, places::told(current), places::told(proposed));
    places::place(case, finding, difference.origin.as_ref(), difference.components[0])
}

fn help(case: &Case, mq: &Mq, difference: &Difference, field: &str, current: &str) -> String {
    let mut lines = Vec::new();
    let env = |layer: &Layer| matches!(layer, Layer::Env { .. });
    let key = |o: &crate::milvus::config::Origin| format!("{} of {} {}", o.path, o.object.kind, o.object.name);
    match (&difference.was, &difference.origin) {
        (Some(was), _) if env(&was.layer) => {
            lines.push(format!("keep what {} says (extraEnv in the chart's values)", key(was)))
        }
        (_, Some(is)) if env(&is.layer) => {
            lines.push(format!("take {} away (extraEnv in the chart's values)", key(is)))
        }
        _ => match field {
            "pulsar.address" | "kafka.brokerList" => lines.push(pins::pin(case, mq)),
            _ => lines.push(format!(
                "keep the old value, for example in the chart's values:\n{}",
                pins::user_yaml(field, current)
            )),
        },
    }
    if field == "pulsar.address" {
        lines.push("a bundled Pulsar 2 cannot be turned into a Pulsar 3 by an upgrade: charts from 4.2.27 on bring Pulsar 3 unless told otherwise".to_owned());
    }
    lines.push(match field {
        "pulsar.address" | "kafka.brokerList" => {
            "only if both addresses lead to the same broker (an alias, a moved DNS name): --assume same-queue=true"
                .to_owned()
        }
        _ => "only if the log itself was moved there while Milvus was stopped: --assume same-queue=true".to_owned(),
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use crate::finding::Finding;
    use crate::rules::testkit::Scenario;

    fn upgrade() -> Scenario {
        Scenario::upgrade("v2.5.16", "v2.6.16")
    }

    fn only(scenario: &Scenario) -> Finding {
        let mut all = scenario.of_rule("MU304");
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    fn woodpecker(from: &str, to: &str, root: &str) -> Scenario {
        let local = |root: &str| {
            format!("      type: woodpecker\n    woodpecker:\n      storage:\n        type: local\n{root}")
        };
        Scenario::standalone(from, to, "woodpecker")
            .edit_current("      type: woodpecker\n", &local(""))
            .edit_target("      type: woodpecker\n", &local(root))
    }

    #[test]
    fn pulsar_2_to_3_names_the_values_that_keep_it() {
        let scenario = upgrade().edit_current("address: rel-pulsarv3-proxy", "address: rel-pulsar-proxy");
        let finding = only(&scenario);
        assert!(
            finding.message.contains("rel-pulsar-proxy:6650") && finding.message.contains("rel-pulsarv3-proxy:6650")
        );
        assert!(
            finding
                .help
                .contains("--set pulsar.enabled=true --set pulsarv3.enabled=false"),
            "{}",
            finding.help
        );
        let field = finding.field.unwrap();
        assert_eq!(
            (field.path.as_str(), field.current.as_str(), field.proposed.as_str()),
            (
                "/data/default.yaml#/pulsar/address",
                Some("rel-pulsar-proxy:6650"),
                Some("rel-pulsarv3-proxy:6650")
            )
        );
        assert!(finding.location.is_some_and(|l| l.line > 1));
    }

    #[test]
    fn an_external_broker_is_pinned_by_its_address_without_its_login() {
        let scenario = upgrade().edit_current(
            "address: rel-pulsarv3-proxy",
            "address: pulsar+ssl://me:hunter2@bus.corp.example:6651",
        );
        let finding = only(&scenario);
        assert!(!finding.message.contains("hunter2") && !finding.help.contains("hunter2"));
        assert!(finding.help.contains("externalPulsar.host="), "{}", finding.help);
    }

    #[test]
    fn tenant_namespace_and_prefix_are_told_one_by_one() {
        let scenario = upgrade().edit_target("    pulsar:\n", "    msgChannel:\n      chanNamePrefix:\n        cluster: prod\n    pulsar:\n      tenant: corp\n      namespace: vectors\n");
        let fields: Vec<_> = scenario
            .of_rule("MU304")
            .into_iter()
            .map(|f| f.field.unwrap().path)
            .collect();
        assert_eq!(
            fields,
            [
                "/data/default.yaml#/pulsar/tenant",
                "/data/default.yaml#/pulsar/namespace",
                "/data/default.yaml#/msgChannel/chanNamePrefix/cluster"
            ]
        );
        assert!(
            scenario.of_rule("MU304")[2]
                .help
                .contains("      chanNamePrefix:\n        cluster: by-dev")
        );
    }

    #[test]
    fn an_alias_can_be_stated() {
        let scenario = upgrade().edit_target("address: rel-pulsarv3-proxy", "address: bus.corp.example");
        assert!(only(&scenario).help.contains("--assume same-queue=true"));
        assert!(scenario.assume("same-queue=true").of_rule("MU304").is_empty());
    }

    #[test]
    fn one_component_s_environment_is_told_by_its_name() {
        let env = "            - name: PULSAR_ADDRESS\n              value: other-pulsar\n";
        let finding = only(&upgrade().env_target("proxy", env));
        assert!(
            finding.message.contains("of rel-milvus-proxy") && finding.help.contains("env/0"),
            "{} {}",
            finding.message,
            finding.help
        );
        let finding = only(&upgrade().env_current("querynode", env));
        assert!(
            finding.message.contains("of rel-milvus-querynode") && finding.help.contains("keep what"),
            "{}",
            finding.help
        );
        assert!(
            upgrade()
                .env_target("proxy", env)
                .env_current("proxy", env)
                .of_rule("MU304")
                .is_empty()
        );
    }

    #[test]
    fn the_same_place_written_differently_stays_quiet() {
        for address in [
            "rel-pulsarv3-proxy.ns.svc",
            "pulsar://rel-pulsarv3-proxy.ns.svc.cluster.local:6650",
            "rel-pulsarv3-proxy.ns:6650",
        ] {
            let scenario = upgrade().edit_target("address: rel-pulsarv3-proxy", &format!("address: {address}"));
            assert!(scenario.of_rule("MU304").is_empty(), "{address}");
        }
    }

    #[test]
    fn another_service_of_the_same_pods_is_the_same_broker() {
        let service = "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: bus\n  namespace: ns\nspec:\n  ports:\n    - port: 6650\n  selector:\n    component: pulsar-proxy\n";
        let scenario = upgrade()
            .edit_target("address: rel-pulsarv3-proxy", "address: bus")
            .add_target(service);
        assert!(scenario.of_rule("MU304").is_empty());
        let elsewhere = upgrade()
            .edit_target("address: rel-pulsarv3-proxy", "address: bus")
            .add_target(&service.replace("pulsar-proxy", "other-proxy"));
        assert_eq!(elsewhere.of_rule("MU304").len(), 1);
    }

    #[test]
    fn a_woodpecker_directory_that_moves_is_refused_and_pinned() {
        let scenario = woodpecker("v2.6.4", "v2.6.16", "        rootPath: /var/lib/milvus/wp\n");
        let finding = only(&scenario);
        assert!(
            finding.help.contains("rootPath: /var/lib/milvus/data/wp"),
            "{}",
            finding.help
        );
        let pinned = woodpecker("v2.6.4", "v2.6.16", "        rootPath: /var/lib/milvus/data/wp\n");
        assert!(pinned.of_rule("MU304").is_empty());
    }

    #[test]
    fn rocksmq_s_path_and_the_way_back() {
        let moved = Scenario::standalone("v2.5.16", "v2.6.16", "rocksmq")
            .edit_target("    mq:\n", "    rocksmq:\n      path: /var/lib/milvus/rdb\n    mq:\n");
        assert!(
            only(&moved)
                .help
                .contains("    rocksmq:\n      path: /var/lib/milvus/rdb_data\n")
        );
        let emptied = Scenario::standalone("v2.5.16", "v2.6.16", "rocksmq")
            .edit_current("    mq:\n", "    rocksmq:\n      path: \"\"\n    mq:\n");
        assert!(only(&emptied).help.contains("    rocksmq:\n      path: \"\"\n"));
        let back = Scenario::upgrade("v2.6.15", "v2.6.16")
            .edit_target("address: rel-pulsarv3-proxy", "address: rel-pulsar-proxy");
        assert!(
            only(&back)
                .help
                .contains("--set pulsarv3.enabled=true --set pulsar.enabled=false")
        );
    }
}
