//! MU202: a role that the image does not have yet.

use super::case::Case;
use super::component::{are, list, names, since_streaming, spelled, version};
use super::{Check, Rule, mu201_dead_role::args};
use crate::facts;
use crate::finding::{Finding, Severity};
use crate::milvus::config::STREAMING_SWITCH;
use crate::milvus::config::{EnvValue, Environment, Owner};
use crate::milvus::release::Component;
use crate::milvus::role::{Role, Spelling};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU202",
    name: "role-before-its-time",
    severity: Severity::Refuse,
    says: "a 2.5 image is started as mixcoord, or as streamingnode without its switch",
    page: include_str!("../../docs/rules/MU202.md"),
    check: Check::Release(check),
};

/// How a 2.5 streaming node is switched on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// By the one value that does (upstream `internal/util/streamingutil/env.go`).
    On,
    /// It is not, or by a value that does not.
    Off,
    /// It may be, from a ConfigMap or Secret.
    Hidden,
}

/// Whether the switch of the 2.5 streaming service is on for a component.
pub fn switch(objects: &[crate::kube::Object], component: &Component) -> Switch {
    let object = &objects[component.object];
    let Some(container) = object.value.pointer(&component.container) else {
        return Switch::Off;
    };
    let owner = Owner {
        kind: object.reference.kind.clone(),
        name: object.reference.name.clone(),
    };
    let environment = Environment::of(owner, container, &component.container);
    match environment
        .vars
        .iter()
        .rev()
        .find(|v| v.name == STREAMING_SWITCH)
        .map(|v| &v.value)
    {
        Some(EnvValue::Literal(value)) if value == "1" => Switch::On,
        Some(EnvValue::Literal(_)) => Switch::Off,
        Some(EnvValue::From(_)) => Switch::Hidden,
        None if environment.from.is_empty() => Switch::Off,
        None => Switch::Hidden,
    }
}

fn check(case: &Case) -> Vec<Finding> {
    let old = |c: &&Component| since_streaming(c, case.assumed(c)) == Some(false);
    let running: Vec<&Component> = case.after.running().collect();
    let mixcoord: Vec<&Component> = running
        .iter()
        .copied()
        .filter(old)
        .filter(|c| c.role == Role::MixCoord && c.run.spelled == Spelling::Argument)
        .collect();
    let nodes = running
        .iter()
        .copied()
        .filter(old)
        .filter(|c| c.role == Role::StreamingNode);
    let nodes: Vec<(&Component, Switch)> = nodes.map(|c| (c, switch(case.after.objects, c))).collect();
    // What is hidden and runs like that already goes on as it is.
    let unswitched: Vec<&Component> = nodes
        .iter()
        .filter(|(_, s)| *s == Switch::Off || (*s == Switch::Hidden && !case.transition.is_ordinary()))
        .map(|(c, _)| *c)
        .collect();
    let cdc: Vec<&Component> = running
        .iter()
        .copied()
        .filter(|c| c.role == Role::Cdc)
        .filter(|c| match version(c, case.assumed(c)) {
            Some(version) => *version < facts::versions().marks.cdc.version,
            None => since_streaming(c, case.assumed(c)) == Some(false),
        })
        .collect();
    let mut found: Vec<Finding> = as_mixcoord(case, &mixcoord).into_iter().collect();
    found.extend(as_streamingnode(case, &unswitched));
    found.extend(as_cdc(case, &cdc));
    found
}

fn as_mixcoord(case: &Case, components: &[&Component]) -> Option<Finding> {
    let message = format!(
        "{}, which knows no such role before 2.6: the process ends at once",
        subject(case, components, "mixcoord")?
    );
    let help = "start it in the words that both know: args: [\"milvus\", \"run\", \"mixture\", \"-rootcoord\", \"-querycoord\", \"-datacoord\", \"-indexcoord\"]";
    Some(
        case.after
            .point(RULE.finding(message, help), components[0], &args(components[0])),
    )
}

fn as_streamingnode(case: &Case, components: &[&Component]) -> Option<Finding> {
    let subject = subject(case, components, "streamingnode")?;
    let hidden = components
        .iter()
        .all(|c| switch(case.after.objects, c) == Switch::Hidden);
    let why = match hidden {
        true => format!("which panics unless {STREAMING_SWITCH} is 1, and whether it is cannot be seen"),
        false => format!("which panics unless {STREAMING_SWITCH} is 1"),
    };
    let help = "2.5 runs without streaming nodes: --set streaming.enabled=false --set indexNode.enabled=true (charts from 5.0.0 on render for 2.6 unless told otherwise)";
    let path = format!("{}/env", components[0].container);
    Some(
        case.after
            .point(RULE.finding(format!("{subject}, {why}"), help), components[0], &path),
    )
}

fn as_cdc(case: &Case, components: &[&Component]) -> Option<Finding> {
    let since = &facts::versions().marks.cdc.version;
    let message = format!(
        "{}, which has that role from {since} on: the process ends at once",
        subject(case, components, "cdc")?
    );
    let help = format!("take it away, or upgrade to {since} or later: --set image.all.tag=v{since}");
    Some(
        case.after
            .point(RULE.finding(message, help), components[0], &args(components[0])),
    )
}

/// `a and b are started as mixcoord from Milvus 2.5.16`.
fn subject(case: &Case, components: &[&Component], role: &str) -> Option<String> {
    let first = components.first()?;
    let version = spelled(first, case.assumed(first));
    Some(format!(
        "{} {} started as {role} from Milvus {version}",
        list(&names(components)),
        are(components.len())
    ))
}

#[cfg(test)]
mod tests {
    use crate::finding::Finding;
    use crate::rules::testkit::{Scenario, cluster, cluster26, deployment};

    fn found(scenario: Scenario) -> Vec<Finding> {
        scenario.of_rule("MU202")
    }

    const MIXTURE: &str = "\"mixture\", \"-rootcoord\", \"-querycoord\", \"-datacoord\", \"-indexcoord\"";

    #[test]
    fn mixcoord_by_name_is_for_2_6() {
        let all = found(Scenario::upgrade("v2.5.16", "v2.5.22").edit_target(MIXTURE, "\"mixcoord\""));
        assert!(
            all.len() == 1
                && all[0]
                    .message
                    .contains("rel-milvus-mixcoord is started as mixcoord from Milvus 2.5.22"),
            "{all:?}"
        );
        assert!(all[0].help.contains("-datacoord") && all[0].location.is_some());
        assert!(found(Scenario::upgrade("v2.5.16", "v2.6.16").edit_target(MIXTURE, "\"mixcoord\"")).is_empty());
        assert!(found(Scenario::upgrade("v2.5.16", "v2.5.22")).is_empty());
    }

    fn streaming(tag: &str) -> Scenario {
        Scenario::upgrade("v2.5.16", tag).add_target(&deployment("streamingnode", "\"streamingnode\"", tag))
    }

    #[test]
    fn a_streaming_node_of_2_5_needs_its_switch() {
        assert_eq!(found(streaming("v2.5.22")).len(), 1);
        assert!(found(streaming("v2.6.16")).is_empty());
        let with = |value: &str| {
            streaming("v2.5.22").env_target(
                "streamingnode",
                &format!("            - name: MILVUS_STREAMING_SERVICE_ENABLED\n              {value}\n"),
            )
        };
        assert!(found(with("value: \"1\"")).is_empty());
        assert_eq!(found(with("value: \"true\"")).len(), 1);
        let hidden = found(with("valueFrom: {configMapKeyRef: {name: a, key: b}}"));
        assert!(hidden[0].message.contains("cannot be seen"), "{hidden:?}");
        let plain = found(with("value: \"0\""));
        assert!(!plain[0].message.contains("cannot be seen"), "{plain:?}");
        let path = "/spec/template/spec/containers/0/env";
        assert!(
            plain[0]
                .anchor
                .as_ref()
                .is_some_and(|a| format!("{a:?}").contains(path)),
            "{plain:?}"
        );
    }

    #[test]
    fn an_environment_taken_in_as_a_whole_may_hold_the_switch() {
        let whole = |text: String| {
            let node = deployment("streamingnode", "\"streamingnode\"", "v2.5.22").replace(
                "          env:\n",
                "          envFrom:\n            - secretRef: {name: a}\n          env:\n",
            );
            text + &node
        };
        let target = || whole(cluster("v2.5.22", false));
        let new = found(Scenario::of(&cluster("v2.5.16", false), &target()));
        assert!(new.len() == 1 && new[0].message.contains("cannot be seen"), "{new:?}");
        // It runs like that already.
        assert!(found(Scenario::of(&target(), &target())).is_empty());
    }

    #[test]
    fn chart_5_with_a_2_5_image_is_caught() {
        let all = found(Scenario::of(
            &cluster26("v2.5.16").replace("streamingnode", "indexnode"),
            &cluster26("v2.5.22"),
        ));
        assert!(
            all.len() == 1 && all[0].help.contains("streaming.enabled=false"),
            "{all:?}"
        );
    }

    #[test]
    fn cdc_comes_with_2_6_6() {
        let with = |tag: &str| {
            found(Scenario::of(
                &cluster26("v2.6.0"),
                &(cluster26(tag) + &deployment("cdc", "\"cdc\"", tag)),
            ))
        };
        let all = with("v2.6.5");
        assert!(all.len() == 1 && all[0].message.contains("2.6.6"), "{all:?}");
        assert!(with("v2.6.6").is_empty());
        let nightly = |line: &str| {
            let tag = format!("{line}-20260723-d73c8e53");
            let cdc = deployment("cdc", "\"cdc\"", &tag);
            found(Scenario::upgrade("v2.5.16", "v2.6.16").add_target(&cdc)).len()
        };
        assert_eq!((nightly("2.5"), nightly("2.6")), (1, 0));
    }

    #[test]
    fn what_rests_starts_nothing() {
        let resting =
            streaming("v2.5.22").edit_in_target("Deployment", "rel-milvus-streamingnode", "replicas: 1", "replicas: 0");
        assert!(found(resting).is_empty());
    }
}
