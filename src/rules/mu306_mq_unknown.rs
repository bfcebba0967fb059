//! MU306: the queue or the stores cannot be read, now and then alike.

use super::case::Case;
use super::hidden::{self, Hidden};
use super::{Check, Rule};
use crate::finding::{Finding, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU306",
    name: "mq-unknown",
    severity: Severity::Warn,
    says: "config from a custom ConfigMap, envFrom, valueFrom, the same now and then",
    page: include_str!("../../docs/rules/MU306.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    let stated = case.options.assume.same_queue;
    let hidden = hidden::all(case);
    let mut told = hidden.iter().filter(|h| h.changed.is_none() || stated).peekable();
    if told.peek().is_none() {
        return vec![];
    }
    let help = hidden::help(case);
    told.map(|h| finding(case, h, &help)).collect()
}

/// A standalone's queue cannot be seen, for who plans its way: each step has to name it, since charts change its default.
pub fn to_plan(service: &str) -> Finding {
    RULE.finding(
        format!("which message queue the standalone behind {service} uses cannot be seen, and every step has to name it (standalone.messageQueue): a chart with another default would change it"),
        "say it: --assume current-mq=rocksmq (or natsmq, pulsar, kafka, woodpecker); the configuration Milvus reads has it as mq.type",
    )
}

fn finding(case: &Case, hidden: &Hidden, help: &str) -> Finding {
    let who = hidden::who(case, &hidden.components);
    let why = match hidden.reasons.is_empty() {
        true => "what is deployed cannot be read".to_owned(),
        false => hidden.reasons.join("; "),
    };
    let alike = match (&case.before, &hidden.changed) {
        (_, Some(_)) => "it is not the same as what is deployed, and was stated to be the same queue",
        (Some(_), None) => "as far as it can be seen it is the same as what is deployed, so nothing is refused",
        (None, None) => "nothing can be said of it",
    };
    let message = format!("which message queue and stores {who} use cannot be read ({why}): {alike}");
    let advice = "make sure that nobody changes it in the same step as Milvus";
    let help = if help.is_empty() {
        advice.to_owned()
    } else {
        format!("{help}\n{advice}")
    };
    let mut finding = hidden::pointed(case, RULE.finding(message, help), hidden);
    finding.field = None;
    finding
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    const ENV_FROM: &str =
        "          envFrom:\n            - secretRef:\n                name: broker\n          env:\n";

    fn upgrade() -> Scenario {
        Scenario::upgrade("v2.5.16", "v2.6.16")
    }

    fn codes(scenario: &Scenario) -> (usize, usize) {
        (scenario.of_rule("MU306").len(), scenario.of_rule("MU310").len())
    }

    #[test]
    fn a_custom_config_map_now_and_then_is_one_warning() {
        let custom = |s: &str| {
            s.replace(
                "configMap:\n            name: rel-milvus",
                "configMap:\n            name: corp",
            )
        };
        let scenario = Scenario::of(
            &custom(&crate::rules::testkit::cluster("v2.5.16", false)),
            &custom(&crate::rules::testkit::cluster("v2.6.16", false)),
        );
        assert_eq!(codes(&scenario), (1, 0));
        let finding = scenario.of_rule("MU306").remove(0);
        assert!(
            finding.message.contains("`corp`") && finding.help.contains("kubectl get configmap corp --namespace ns"),
            "{} {}",
            finding.message,
            finding.help
        );
        assert!(finding.help.contains("--assume target-mq=TYPE") && finding.help.contains("--assume current-mq=TYPE"));
        let stated = scenario.assume("current-mq=pulsar").assume("target-mq=pulsar");
        assert_eq!(codes(&stated), (1, 0));
        assert!(!stated.of_rule("MU306")[0].help.contains("--assume"));
    }

    #[test]
    fn the_type_to_state_is_the_one_that_can_be_seen_below_what_hides_it() {
        let every = |text: &str| text.replace("          env:\n", ENV_FROM);
        let scenario = Scenario::of(
            &every(&crate::rules::testkit::cluster("v2.5.16", false)),
            &every(&crate::rules::testkit::cluster("v2.6.16", false)),
        );
        let help = scenario.of_rule("MU306").remove(0).help;
        assert!(
            help.contains("--assume target-mq=pulsar --assume current-mq=pulsar"),
            "{help}"
        );
    }

    #[test]
    fn an_env_from_on_one_component_names_it() {
        let both = |s: Scenario| {
            s.edit_in_target("Deployment", "rel-milvus-proxy", "          env:\n", ENV_FROM)
                .edit_in_current("Deployment", "rel-milvus-proxy", "          env:\n", ENV_FROM)
        };
        let scenario = both(upgrade());
        assert_eq!(codes(&scenario), (1, 0));
        assert!(scenario.of_rule("MU306")[0].message.contains("rel-milvus-proxy"));
    }

    #[test]
    fn a_value_from_that_names_the_same_is_a_warning() {
        let env = "            - name: PULSAR_ADDRESS\n              valueFrom:\n                secretKeyRef:\n                  name: broker\n                  key: address\n";
        let scenario = upgrade().env_target("mixcoord", env).env_current("mixcoord", env);
        assert_eq!(codes(&scenario), (1, 0));
    }

    #[test]
    fn a_secret_that_identifies_nothing_says_nothing() {
        let env = "            - name: MINIO_SECRET_ACCESS_KEY\n              valueFrom:\n                secretKeyRef:\n                  name: s\n                  key: k\n";
        assert_eq!(codes(&upgrade().env_target("proxy", env)), (0, 0));
    }

    #[test]
    fn other_reasons_are_another_warning_and_the_place_is_one_that_was_handed_over() {
        let hidden = |scenario: Scenario, role: &str, secret: &str| {
            let env = ENV_FROM.replace("broker", secret);
            let name = format!("rel-milvus-{role}");
            scenario
                .edit_in_target("Deployment", &name, "          env:\n", &env)
                .edit_in_current("Deployment", &name, "          env:\n", &env)
        };
        let two = hidden(hidden(upgrade(), "proxy", "a"), "datanode", "b").of_rule("MU306");
        assert_eq!(two.len(), 2, "{two:?}");
        // mixcoord is what the streaming node, which the rewrite brings, is made after.
        let brought = hidden(upgrade(), "mixcoord", "a").of_rule("MU306");
        assert_eq!(brought.len(), 1, "{brought:?}");
        assert!(
            brought[0].message.contains("rel-milvus-mixcoord"),
            "{}",
            brought[0].message
        );
        assert_eq!(brought[0].object.as_ref().unwrap().name, "rel-milvus-mixcoord");
        assert!(brought[0].location.is_some());
    }

    #[test]
    fn an_indexnode_speaks_to_no_queue() {
        let env = |key: &str| {
            format!(
                "            - name: {key}\n              valueFrom:\n                secretKeyRef:\n                  name: broker\n                  key: address\n"
            )
        };
        let within = |key: &str| {
            Scenario::of(
                &crate::rules::testkit::cluster("v2.5.16", false),
                &crate::rules::testkit::cluster("v2.5.22", false),
            )
            .env_target("indexnode", &env(key))
            .env_current("indexnode", &env(key))
        };
        assert_eq!(codes(&within("PULSAR_ADDRESS")), (0, 0));
        assert_eq!(codes(&within("MINIO_ADDRESS")), (1, 0));
    }

    #[test]
    fn a_fresh_install_is_a_warning_at_most() {
        let scenario = upgrade()
            .edit_in_target("Deployment", "rel-milvus-proxy", "          env:\n", ENV_FROM)
            .fresh();
        assert_eq!(codes(&scenario), (1, 0));
        assert_eq!(codes(&upgrade().fresh()), (0, 0));
    }
}
