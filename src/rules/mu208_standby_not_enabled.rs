//! MU208: two coordinators could be active at once.

use super::case::Case;
use super::component::{list, names, since_streaming};
use super::{Check, Rule};
use crate::facts;
use crate::finding::{Finding, Severity};
use crate::kube::selector;
use crate::milvus::config::Config;
use crate::milvus::release::Component;
use crate::milvus::role::Role;
use crate::rewrite::config::is_true;
use crate::value::Value;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU208",
    name: "standby-not-enabled",
    severity: Severity::Refuse,
    says: "2.5 to 2.6.0 - 2.6.7 with several mixcoord replicas or a rolling strategy and no active-standby",
    page: include_str!("../../docs/rules/MU208.md"),
    check: Check::Release(check),
};

/// The switch, and the one that counts where it is not set (upstream `pkg/util/paramtable/component_param.go`).
const SWITCHES: [&str; 2] = ["mixCoord.enableActiveStandby", "rootCoord.enableActiveStandby"];

fn check(case: &Case) -> Vec<Finding> {
    let always = &facts::versions().marks.active_standby_always.version;
    let crosses = case.transition.crosses_26() && !case.standalone();
    let Some(target) = case.transition.target().filter(|t| crosses && *t < always) else {
        return vec![];
    };
    let running: Vec<(usize, &Component)> = case
        .after
        .release
        .components
        .iter()
        .enumerate()
        // One that is held back on 2.5 by the stage is not one of 2.6 yet.
        .filter(|(_, c)| c.role == Role::MixCoord && !c.is_scaled_to_zero())
        .filter(|(_, c)| since_streaming(c, case.assumed(c)) != Some(false))
        .collect();
    let several: Vec<&Component> = running.iter().map(|(_, c)| *c).collect();
    for (index, component) in &running {
        let why = match several.len() {
            1 => overlap(case, component),
            n => Some((
                format!("{n} workloads run mixcoord ({})", list(&names(&several))),
                String::new(),
            )),
        };
        let config = &case.after.effective.configs[*index];
        if let Some((why, pointer)) = why
            && !is_standby(config)
        {
            let message = format!(
                "{why}, and {} does not say true{}: the coordinator of Milvus {target} can become active beside one that still is, and both write the metadata",
                SWITCHES[0],
                unseen(config),
            );
            let finding = RULE.finding(message, help(always));
            return vec![case.after.point(finding, component, &pointer)];
        }
    }
    vec![]
}

/// Why two pods of a mixcoord can run at once, and where that is said.
fn overlap(case: &Case, component: &Component) -> Option<(String, String)> {
    let object = case.after.object(component);
    let name = &component.name;
    if let Some(n) = component.replicas.filter(|n| *n > 1) {
        return Some((format!("{name} has {n} replicas"), "/spec/replicas".into()));
    }
    if let Some(most) = scaled_up_to(case, component).filter(|n| *n > 1) {
        return Some((format!("{name} may be scaled up to {most} replicas"), String::new()));
    }
    match object.reference.kind.as_str() {
        // These end a pod before they start the next of its name.
        "StatefulSet" | "Pod" => None,
        "DaemonSet" => Some((format!("DaemonSet {name} may run on several nodes"), String::new())),
        kind => {
            let strategy = object.at(&["spec", "strategy", "type"]).and_then(Value::as_str);
            let rolling = match (kind, strategy) {
                (_, Some("Recreate")) => return None,
                (_, Some(strategy)) => strategy,
                (_, None) => "RollingUpdate, the default",
            };
            Some((
                format!("{name} is replaced by a rolling strategy ({rolling}), the new pod beside the old"),
                "/spec/strategy".into(),
            ))
        }
    }
}

/// The most replicas that an autoscaler may give it.
fn scaled_up_to(case: &Case, component: &Component) -> Option<i64> {
    let kind = case.after.object(component).reference.kind.as_str();
    let scales = |o: &&crate::kube::Object| {
        selector::scale_target(&o.reference.kind, &o.value) == Some((kind, component.name.as_str()))
            && crate::kube::object::namespaces_agree(&o.reference.namespace, &case.after.release.namespace)
    };
    let most = |o: &crate::kube::Object| {
        ["maxReplicas", "maxReplicaCount"]
            .iter()
            .find_map(|field| o.at(&["spec", field])?.as_i64())
    };
    case.after.objects.iter().filter(scales).filter_map(most).max()
}

/// Whether active-standby is on, as far as the configuration can be read: what cannot be seen is not on.
fn is_standby(config: &Config) -> bool {
    SWITCHES
        .iter()
        .find_map(|key| config.get(key))
        .and_then(|s| s.value.as_deref())
        .is_some_and(is_true)
}

/// What of the configuration cannot be seen, in words.
fn unseen(config: &Config) -> String {
    match config.unknown.first() {
        Some(unknown) => format!(" as far as can be read ({})", unknown.text),
        None => String::new(),
    }
}

fn help(always: &crate::milvus::version::Version) -> String {
    format!(
        "one of\n\
         \x20 --set mixCoordinator.activeStandby.enabled=true   the chart then writes enableActiveStandby: true for all coordinators\n\
         \x20 --set mixCoordinator.replicas=1 --set mixCoordinator.activeStandby.enabled=false   one pod, ended before the next starts\n\
         \x20 --set image.all.tag=v{}   from {always} on the coordinator is always active-standby",
        facts::versions().marks.sensible_target.version
    )
}

#[cfg(test)]
mod tests {
    use crate::finding::Finding;
    use crate::rules::testkit::{Scenario, cluster};
    use crate::stage::Stage;

    const STANDBY: (&str, &str) = ("enableActiveStandby: false", "enableActiveStandby: true");

    fn found(scenario: Scenario) -> Vec<Finding> {
        scenario.of_rule("MU208")
    }

    /// mixcoord as the chart has it: Recreate.
    fn up(to: &str) -> Scenario {
        Scenario::upgrade("v2.5.16", to).edit_in_target(
            "Deployment",
            "rel-milvus-mixcoord",
            "  replicas: 1\n",
            "  replicas: 1\n  strategy:\n    type: Recreate\n",
        )
    }

    fn edit(scenario: Scenario, from: &str, to: &str) -> Scenario {
        scenario.edit_in_target("Deployment", "rel-milvus-mixcoord", from, to)
    }

    #[test]
    fn one_pod_that_is_recreated_passes() {
        assert!(found(up("v2.6.6")).is_empty());
    }

    #[test]
    fn several_replicas_need_standby() {
        let several = |to: &str| edit(up(to), "replicas: 1", "replicas: 2");
        let all = found(several("v2.6.6"));
        assert!(
            all.len() == 1 && all[0].message.contains("rel-milvus-mixcoord has 2 replicas"),
            "{all:?}"
        );
        assert!(all[0].help.contains("mixCoordinator.activeStandby.enabled=true") && all[0].help.contains("2.6.8"));
        assert!(found(several("v2.6.7")).len() == 1);
        assert!(found(several("v2.6.8")).is_empty());
        assert!(found(several("v2.6.6").edit_target(STANDBY.0, STANDBY.1)).is_empty());
    }

    #[test]
    fn what_a_stage_holds_back_on_2_5_is_no_coordinator_of_2_6() {
        let several = edit(up("v2.6.6"), "replicas: 1", "replicas: 2");
        for (stage, count) in [(Stage::At(0), 0), (Stage::At(1), 1), (Stage::Next, 1), (Stage::All, 1)] {
            assert_eq!(found(several.clone().stage(stage)).len(), count, "{stage:?}");
        }
        // What is deployed already stands by, and etcd changes first.
        let deployed = several
            .clone()
            .edit_in_current("Deployment", "rel-milvus-mixcoord", "replicas: 1", "replicas: 2")
            .edit_target(STANDBY.0, STANDBY.1)
            .edit_target("image: other:1", "image: other:2");
        for stage in [Stage::At(0), Stage::Next] {
            assert!(found(deployed.clone().stage(stage)).is_empty(), "{stage:?}");
        }
    }

    #[test]
    fn an_absent_strategy_is_a_rolling_one() {
        let rolling = edit(up("v2.6.0"), "  strategy:\n    type: Recreate\n", "");
        let all = found(rolling.clone());
        assert!(
            all.len() == 1 && all[0].message.contains("RollingUpdate, the default"),
            "{all:?}"
        );
        assert!(found(rolling.edit_target(STANDBY.0, STANDBY.1)).is_empty());
        let set = edit(up("v2.6.0"), "  strategy:\n    type: Recreate\n", "").edit_in_target(
            "Deployment",
            "rel-milvus-mixcoord",
            "kind: Deployment",
            "kind: StatefulSet",
        );
        assert!(found(set).is_empty());
    }

    #[test]
    fn the_switch_of_mixcoord_wins_over_the_older_one() {
        let several = edit(up("v2.6.6"), "replicas: 1", "replicas: 2").edit_target(STANDBY.0, STANDBY.1);
        let off = several.clone().edit_target(
            "  user.yaml: |-\n    # nothing\n",
            "  user.yaml: |-\n    mixCoord:\n      enableActiveStandby: false\n",
        );
        assert_eq!(found(off).len(), 1);
        let env = several.env_target(
            "mixcoord",
            "            - name: ROOTCOORD_ENABLEACTIVESTANDBY\n              value: \"false\"\n",
        );
        assert_eq!(found(env).len(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_not_on() {
        let unknown = edit(up("v2.6.6"), "replicas: 1", "replicas: 2").edit_in_target(
            "Deployment",
            "rel-milvus-mixcoord",
            "            name: rel-milvus\n",
            "            name: corp\n",
        );
        let all = found(unknown);
        assert!(all.len() == 1 && all[0].message.contains("corp"), "{all:?}");
        let one = edit(
            up("v2.6.6"),
            "            name: rel-milvus\n",
            "            name: corp\n",
        );
        assert!(found(one).is_empty());
    }

    #[test]
    fn an_autoscaler_may_make_several() {
        let scaler = "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata:\n  name: h\n  namespace: ns\nspec:\n  maxReplicas: 3\n  scaleTargetRef:\n    kind: Deployment\n    name: rel-milvus-mixcoord\n";
        let all = found(up("v2.6.6").add_target(scaler));
        assert!(all.len() == 1 && all[0].message.contains("up to 3"), "{all:?}");
        for other in [
            scaler.replace("maxReplicas: 3", "maxReplicas: 1"),
            scaler.replace("rel-milvus-mixcoord", "rel-milvus-proxy"),
            scaler.replace("namespace: ns", "namespace: other"),
        ] {
            assert!(found(up("v2.6.6").add_target(&other)).is_empty(), "{other}");
        }
    }

    #[test]
    fn what_the_rewrite_brings_is_one_pod_unless_all_stood_by() {
        let scenario = Scenario::of(&cluster("v2.5.16", false), &cluster("v2.6.6", true));
        assert!(found(scenario).is_empty());
    }

    #[test]
    fn within_2_6_and_for_a_standalone_it_is_no_question() {
        assert!(found(Scenario::upgrade("v2.6.4", "v2.6.6")).is_empty());
        assert!(found(Scenario::standalone("v2.5.16", "v2.6.6", "rocksmq")).is_empty());
    }

    #[test]
    fn two_workloads_of_mixcoord_need_standby_as_two_replicas_do() {
        let twin = |strategy: &str| {
            let text = crate::rules::testkit::deployment(
                "mixcoord",
                "\"mixture\", \"-rootcoord\", \"-querycoord\", \"-datacoord\", \"-indexcoord\"",
                "v2.6.6",
            );
            text.replace("rel-milvus-mixcoord", "rel-milvus-mixcoord-b")
                .replace("  replicas: 1\n", &format!("  replicas: 1\n{strategy}"))
        };
        let two = up("v2.6.6").add_target(&twin("  strategy:\n    type: Recreate\n"));
        let all = found(two.clone());
        assert!(!all.is_empty(), "{:?}", two.codes());
        assert!(
            all[0]
                .message
                .contains("2 workloads run mixcoord (rel-milvus-mixcoord and rel-milvus-mixcoord-b)"),
            "{all:?}"
        );
        assert!(found(two.edit_target(STANDBY.0, STANDBY.1)).is_empty());
    }
}
