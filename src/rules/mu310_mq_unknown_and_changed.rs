//! MU310: the queue or the stores cannot be read, and differ between current and target.

use super::case::Case;
use super::hidden::{self, Changed, Hidden};
use super::{Check, Rule};
use crate::finding::{Finding, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU310",
    name: "mq-unknown-and-changed",
    severity: Severity::Refuse,
    says: "as MU306, and it differs between current and target",
    page: include_str!("../../docs/rules/MU310.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    if case.options.assume.same_queue {
        return vec![];
    }
    let hidden = hidden::all(case);
    let each = hidden.iter().filter(|h| h.changed.is_some() && !is_told(case, h));
    let mut each = each.peekable();
    if each.peek().is_none() {
        return vec![];
    }
    let help = hidden::help(case);
    each.filter_map(|h| Some(finding(case, h, h.changed.as_ref()?, &help)))
        .collect()
}

/// Whether all that is hidden is the broker of another type than the one in use: the type is what has to be mended
/// (MU301), and it can be read.
fn is_told(case: &Case, hidden: &Hidden) -> bool {
    let Some(before) = case.before else { return false };
    let spoken = before.effective.spoken();
    let (Ok(was), Ok(_)) = (&spoken.mq, &spoken.stores) else {
        return false;
    };
    hidden.components.iter().all(|i| {
        let own = case.after.effective.of(*i);
        own.mq.as_ref().is_ok_and(|is| is != was) && own.stores.is_ok()
    })
}

fn finding(case: &Case, hidden: &Hidden, changed: &Changed, help: &str) -> Finding {
    let who = hidden::who(case, &hidden.components);
    let now = hidden.reasons.join("; ");
    let message = match changed {
        Changed::Reasons(was) if was.is_empty() => {
            format!(
                "which message queue and stores {who} would use cannot be read ({now}), while what is deployed can: whether they are the same cannot be judged"
            )
        }
        Changed::Reasons(was) if now.is_empty() => format!(
            "which message queue and stores {who} use now cannot be read ({}), while the target's can: whether they are the same cannot be judged",
            was.join("; ")
        ),
        Changed::Reasons(was) => format!(
            "which message queue and stores {who} use cannot be read, and it changes: now {}; then {now}",
            was.join("; ")
        ),
        Changed::Seen(field, current, proposed) => {
            format!(
                "which message queue and stores {who} use cannot be read ({now}), and what can be seen changes: {field} is `{current}` now and would be `{proposed}`"
            )
        }
        Changed::Resolves => format!(
            "which message queue and stores {who} use cannot be read ({now}), and what can be seen of it changes"
        ),
    };
    let mut help = help.to_owned();
    if !help.is_empty() {
        help.push('\n');
    }
    if now.is_empty() {
        help.push_str("a --current with the ConfigMaps in it may show it: kubectl get deployments,statefulsets,services,configmaps --output yaml\n");
    }
    help.push_str("if queue and stores are the same now and then, and you have looked: --assume same-queue=true\nelse make the configuration what it was, upgrade, and change it afterwards");
    hidden::pointed(case, RULE.finding(message, help), hidden)
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    fn upgrade() -> Scenario {
        Scenario::upgrade("v2.5.16", "v2.6.16")
    }

    fn address(secret: &str) -> String {
        format!(
            "            - name: PULSAR_ADDRESS\n              valueFrom:\n                secretKeyRef:\n                  name: {secret}\n                  key: address\n"
        )
    }

    const ENV_FROM: &str =
        "          envFrom:\n            - configMapRef:\n                name: broker\n          env:\n";

    #[test]
    fn what_was_readable_and_is_hidden_now_is_refused_and_can_be_stated() {
        let scenario = upgrade().edit_in_target("Deployment", "rel-milvus-mixcoord", "          env:\n", ENV_FROM);
        let all = scenario.of_rule("MU310");
        assert_eq!(all.len(), 1);
        assert!(
            all[0].message.contains("rel-milvus-mixcoord")
                && all[0].message.contains("broker")
                && all[0]
                    .message
                    .ends_with("while what is deployed can: whether they are the same cannot be judged"),
            "{}",
            all[0].message
        );
        assert!(all[0].location.as_ref().is_some_and(|l| l.line > 1));
        let stated = scenario.assume("same-queue=true");
        assert!(stated.of_rule("MU310").is_empty());
        assert_eq!(stated.of_rule("MU306").len(), 1);
    }

    #[test]
    fn types_alone_do_not_tell_the_broker() {
        let scenario = upgrade().edit_in_target("Deployment", "rel-milvus-mixcoord", "          env:\n", ENV_FROM);
        assert!(scenario.assume("target-mq=pulsar").codes().contains(&"MU310"));
    }

    #[test]
    fn another_secret_is_a_change() {
        let same = upgrade()
            .env_current("proxy", &address("a"))
            .env_target("proxy", &address("a"));
        assert!(same.of_rule("MU310").is_empty());
        let other = upgrade()
            .env_current("proxy", &address("a"))
            .env_target("proxy", &address("b"));
        let finding = other.of_rule("MU310").remove(0);
        assert!(
            finding.message.contains("secretKeyRef a/address") && finding.message.contains("secretKeyRef b/address"),
            "{}",
            finding.message
        );
    }

    #[test]
    fn what_can_be_seen_below_a_hidden_layer_counts() {
        let both = upgrade()
            .edit_in_target("Deployment", "rel-milvus-mixcoord", "          env:\n", ENV_FROM)
            .edit_in_current("Deployment", "rel-milvus-mixcoord", "          env:\n", ENV_FROM);
        assert!(both.of_rule("MU310").is_empty());
        let moved = both.edit_target("address: rel-pulsarv3-proxy", "address: bus.corp.example");
        let finding = moved.of_rule("MU310").remove(0);
        assert_eq!(finding.field.unwrap().path, "/data/default.yaml#/pulsar/address");
    }

    #[test]
    fn a_store_that_can_be_seen_to_move_below_a_hidden_layer_counts() {
        let both = upgrade()
            .edit_in_target("Deployment", "rel-milvus-mixcoord", "          env:\n", ENV_FROM)
            .edit_in_current("Deployment", "rel-milvus-mixcoord", "          env:\n", ENV_FROM);
        for (from, to, path) in [
            (
                "bucketName: ",
                "bucketName: other-",
                "/data/default.yaml#/minio/bucketName",
            ),
            (
                "rel-etcd.ns.svc:2379",
                "etcd.corp.example:2379",
                "/data/default.yaml#/etcd/endpoints",
            ),
        ] {
            let moved = both.clone().edit_target(from, to).of_rule("MU310");
            let at = |role: &str| {
                let named = moved.iter().find(|f| f.message.contains(role)).expect(path);
                named.field.as_ref().unwrap().path.clone()
            };
            assert_eq!(at("rel-milvus-mixcoord"), path, "{moved:?}");
        }
    }

    #[test]
    fn a_broker_that_is_not_named_is_no_more_than_another_type() {
        let codes = upgrade().edit_target("      type: pulsar", "      type: kafka").codes();
        assert!(codes.contains(&"MU301") && !codes.contains(&"MU310"), "{codes:?}");
        let elsewhere = upgrade()
            .edit_target("      type: pulsar", "      type: kafka")
            .edit_in_target("Deployment", "rel-milvus-mixcoord", "          env:\n", ENV_FROM);
        assert!(elsewhere.codes().contains(&"MU310"));
    }

    #[test]
    fn a_current_state_without_its_config_maps_is_not_taken_for_the_same() {
        let scenario = upgrade().drop_current("ConfigMap", "rel-milvus");
        let finding = scenario.of_rule("MU310").remove(0);
        assert!(finding.help.contains("configmaps"), "{}", finding.help);
        let says = "use now cannot be read (";
        assert!(
            finding.message.contains(says) && finding.message.contains("while the target's can: "),
            "{}",
            finding.message
        );
        assert!(!upgrade().codes().contains(&"MU310"));
    }
}
