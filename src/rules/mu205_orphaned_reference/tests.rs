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
    assert!(
        one(&document("NetworkPolicy", "p", own), "applies to no pod")
            .help
            .contains("datanode")
    );
    let peer = "spec:\n  podSelector:\n    matchLabels:\n      component: minio\n  ingress:\n    - from:\n        - podSelector:\n            matchLabels:\n              component: indexnode\n";
    one(&document("NetworkPolicy", "p", peer), "lets nobody in");
    let both = "spec:\n  podSelector:\n    matchExpressions:\n      - key: component\n        operator: In\n        values: [indexnode, datanode]\n";
    assert!(found(&document("NetworkPolicy", "p", both)).is_empty());
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
fn what_pointed_at_nothing_before_is_nobody_s_business() {
    let stale = document(
        "PodDisruptionBudget",
        "b",
        "spec:\n  selector:\n    matchLabels:\n      component: rootcoord\n",
    );
    let gone = document("Ingress", "i", "spec:\n  backend:\n    serviceName: no-such\n");
    assert!(found(&(stale + &gone)).is_empty());
}
