use crate::finding::Finding;
use crate::rules::testkit::{Scenario, cluster, cluster26};

fn document(kind: &str, name: &str, body: &str) -> String {
    format!("---\napiVersion: x/v1\nkind: {kind}\nmetadata:\n  name: {name}\n  namespace: ns\n{body}")
}

fn found(documents: &str) -> Vec<Finding> {
    Scenario::upgrade("v2.5.16", "v2.6.16")
        .add_target(documents)
        .of_rule("MU205")
}

fn one(documents: &str, words: &str) -> Finding {
    let mut all = found(documents);
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].message.contains(words), "{}", all[0].message);
    assert!(all[0].location.is_some());
    all.remove(0)
}

#[test]
fn what_the_rewrite_settles_is_settled() {
    let budget = document(
        "PodDisruptionBudget",
        "b",
        "spec:\n  selector:\n    matchLabels:\n      component: indexnode\n",
    );
    let scaler = document(
        "HorizontalPodAutoscaler",
        "h",
        "spec:\n  scaleTargetRef:\n    kind: Deployment\n    name: rel-milvus-indexnode\n",
    );
    assert!(found(&(budget + &scaler)).is_empty());
    assert!(found("").is_empty());
    assert!(
        Scenario::consolidation("v2.5.10", "v2.5.16")
            .of_rule("MU205")
            .is_empty()
    );
}

#[test]
fn policies_that_mean_indexnode_are_told() {
    let own = "spec:\n  podSelector:\n    matchLabels:\n      component: indexnode\n";
    assert_eq!(
        one(&document("NetworkPolicy", "p", own), "applies to no pod").help,
        "point it at datanode, which builds indexes now, or take it away if nothing needs it any more; the place: /spec/podSelector"
    );
    let out = "spec:\n  podSelector:\n    matchLabels:\n      component: proxy\n  egress:\n    - to:\n        - podSelector:\n            matchLabels:\n              component: indexnode\n";
    one(&document("NetworkPolicy", "p", out), "a rule that leads to nobody");
    let peer = "spec:\n  podSelector:\n    matchLabels:\n      component: minio\n  ingress:\n    - from:\n        - podSelector:\n            matchLabels:\n              component: indexnode\n";
    one(&document("NetworkPolicy", "p", peer), "lets nobody in");
    let both = "spec:\n  podSelector:\n    matchExpressions:\n      - key: component\n        operator: In\n        values: [indexnode, datanode]\n";
    assert!(found(&document("NetworkPolicy", "p", both)).is_empty());
}

#[test]
fn each_role_that_left_is_told_with_what_took_it_over() {
    let backends = |services: &[&str]| {
        let rules = services
            .iter()
            .map(|name| format!("    - backendRefs:\n        - name: {name}\n"));
        document(
            "HTTPRoute",
            "i",
            &format!("spec:\n  rules:\n{}", rules.collect::<String>()),
        )
    };
    let told = |services: &[&str]| {
        // The target still has them all.
        let mut all = Scenario::of(&cluster("v2.5.16", false), &cluster("v2.6.16", true))
            .add_target(&backends(services))
            .of_rule("MU205");
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    };
    let coordinators = told(&["rel-milvus-rootcoord", "rel-milvus-datacoord"]);
    assert!(
        coordinators
            .message
            .contains("means rootcoord and datacoord, which leave:"),
        "{}",
        coordinators.message
    );
    assert!(
        coordinators
            .help
            .starts_with("point it at mixcoord, which runs the coordinators now, or"),
        "{}",
        coordinators.help
    );
    let both = told(&["rel-milvus-rootcoord", "rel-milvus-indexnode"]);
    assert!(
        both.help
            .starts_with("point it at datanode (it builds indexes now) or mixcoord, or"),
        "{}",
        both.help
    );
}

#[test]
fn policies_of_coordinators_are_pointed_at_mixcoord() {
    let own = document(
        "NetworkPolicy",
        "p",
        "spec:\n  podSelector:\n    matchLabels:\n      component: rootcoord\n",
    );
    assert!(
        Scenario::consolidation("v2.5.10", "v2.5.16")
            .add_target(&own)
            .of_rule("MU205")
            .is_empty()
    );
}

#[test]
fn backends_that_are_gone() {
    let ingress = "spec:\n  rules:\n    - http:\n        paths:\n          - path: /i\n            backend:\n              service:\n                name: rel-milvus-indexnode\n                port:\n                  number: 9091\n";
    one(
        &document("Ingress", "i", ingress),
        "leads to Service rel-milvus-indexnode",
    );
    one(
        &document(
            "Ingress",
            "i",
            "spec:\n  backend:\n    serviceName: rel-milvus-indexnode\n    servicePort: 9091\n",
        ),
        "leads to",
    );
    one(
        &document(
            "HTTPRoute",
            "i",
            "spec:\n  rules:\n    - backendRefs:\n        - name: rel-milvus-indexnode\n          port: 9091\n",
        ),
        "leads to",
    );
    one(
        &document(
            "VirtualService",
            "i",
            "spec:\n  http:\n    - route:\n        - destination:\n            host: rel-milvus-indexnode.ns.svc.cluster.local\n",
        ),
        "leads to",
    );
    assert!(
        found(&document(
            "VirtualService",
            "i",
            "spec:\n  http:\n    - route:\n        - destination:\n            host: rel-milvus-indexnode.other.svc\n"
        ))
        .is_empty()
    );
    assert!(
        found(
            &ingress
                .replace("indexnode", "proxy")
                .replacen("spec", &document("Ingress", "i", "spec"), 1)
        )
        .is_empty()
    );
}

#[test]
fn affinity_to_what_is_gone() {
    let term = |kind: &str| {
        format!(
            "    spec:\n      affinity:\n        {kind}:\n          requiredDuringSchedulingIgnoredDuringExecution:\n            - topologyKey: zone\n              labelSelector:\n                matchLabels:\n                  component: indexnode\n      containers:\n"
        )
    };
    let with = |kind: &str| {
        Scenario::upgrade("v2.5.16", "v2.6.16")
            .edit_in_target(
                "Deployment",
                "rel-milvus-datanode",
                "    spec:\n      containers:\n",
                &term(kind),
            )
            .of_rule("MU205")
    };
    let near = with("podAffinity");
    assert!(
        near.len() == 1 && near[0].message.contains("cannot be scheduled"),
        "{near:?}"
    );
    assert!(with("podAntiAffinity")[0].message.contains("keeps away"));
}

#[test]
fn what_the_chart_stopped_rendering_leaves_too() {
    let budget = document(
        "PodDisruptionBudget",
        "b",
        "spec:\n  selector:\n    matchLabels:\n      component: indexnode\n",
    );
    let scaler = document(
        "ScaledObject",
        "h",
        "spec:\n  scaleTargetRef:\n    name: rel-milvus-indexnode\n",
    );
    let monitor = document(
        "ServiceMonitor",
        "m",
        "spec:\n  selector:\n    matchLabels:\n      component: indexnode\n",
    );
    let scenario =
        Scenario::of(&cluster("v2.5.16", false), &cluster26("v2.6.16")).add_target(&(budget + &scaler + &monitor));
    let all = scenario.of_rule("MU205");
    for words in ["protects no pod", "scales nothing", "watches nothing"] {
        assert!(all.iter().any(|f| f.message.contains(words)), "{words}: {all:?}");
    }
    assert_eq!(all.len(), 3);
}

#[test]
fn each_kind_that_the_chart_left_behind_is_told_with_its_place() {
    let selector = "spec:\n  selector:\n    component: indexnode\n";
    let named = |field: &str| {
        format!("spec:\n  {field}:\n    apiVersion: apps/v1\n    kind: Deployment\n    name: rel-milvus-indexnode\n")
    };
    for (kind, body, becomes, place) in [
        (
            "Service",
            selector.to_owned(),
            "has no endpoints any more",
            "/spec/selector",
        ),
        (
            "VerticalPodAutoscaler",
            named("targetRef"),
            "scales nothing any more",
            "/spec/targetRef",
        ),
        (
            "HorizontalPodAutoscaler",
            named("scaleTargetRef"),
            "scales nothing any more",
            "/spec/scaleTargetRef",
        ),
        (
            "Rollout",
            named("workloadRef"),
            "scales nothing any more",
            "/spec/workloadRef",
        ),
    ] {
        let scenario = Scenario::of(&cluster("v2.5.16", false), &cluster26("v2.6.16"));
        let all = scenario.add_target(&document(kind, "x", &body)).of_rule("MU205");
        assert_eq!(all.len(), 1, "{kind}: {all:?}");
        assert!(all[0].message.ends_with(&format!("it {becomes}")), "{}", all[0].message);
        assert!(all[0].help.ends_with(&format!("the place: {place}")), "{}", all[0].help);
    }
}

#[test]
fn what_another_of_its_role_took_over_or_the_user_took_away_did_not_leave() {
    let budget = |component: &str| {
        document(
            "PodDisruptionBudget",
            "b",
            &format!("spec:\n  selector:\n    matchLabels:\n      component: {component}\n"),
        )
    };
    let renamed = cluster("v2.5.22", false).replace("rel-milvus-indexnode", "rel-milvus-indexer");
    let renamed = Scenario::of(
        &cluster("v2.5.16", false),
        &renamed.replace("component: \"indexnode\"", "component: \"indexer\""),
    );
    assert!(renamed.add_target(&budget("indexnode")).of_rule("MU205").is_empty());
    let cdc = crate::rules::testkit::deployment("cdc", "\"cdc\"", "v2.6.6");
    let taken_away = Scenario::of(&(cluster26("v2.6.6") + &cdc), &cluster26("v2.6.16"));
    assert!(taken_away.add_target(&budget("cdc")).of_rule("MU205").is_empty());
}

#[test]
fn what_pointed_at_nothing_before_is_nobody_s_business() {
    let stale = document(
        "PodDisruptionBudget",
        "b",
        "spec:\n  selector:\n    matchLabels:\n      component: rootcoord\n",
    );
    let gone = document("Ingress", "i", "spec:\n  backend:\n    serviceName: no-such\n");
    let scaler = document(
        "HorizontalPodAutoscaler",
        "h",
        "spec:\n  scaleTargetRef:\n    kind: Deployment\n    name: no-such\n",
    );
    assert!(found(&(stale + &gone + &scaler)).is_empty());
}

#[test]
fn a_name_that_is_no_backend_s_leads_nowhere() {
    let body = "spec:\n  rules:\n    - http:\n        paths:\n          - backend:\n              service:\n                name: rel-milvus-proxy\n";
    assert!(found(&document("Ingress", "rel-milvus-indexnode", body)).is_empty());
}
