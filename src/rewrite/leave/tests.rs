use crate::judge::Judgement;
use crate::rewrite::{Change, ChangeOp};
use crate::rules::testkit::{Scenario, cluster};
use crate::value::{Value, json};

/// A document of the namespace `ns`; `body` begins at the first column.
fn document(api: &str, kind: &str, name: &str, body: &str) -> String {
    format!("---\napiVersion: {api}\nkind: {kind}\nmetadata:\n  name: {name}\n  namespace: ns\n{body}")
}

fn with(documents: &[String]) -> Judgement {
    Scenario::consolidation("v2.5.16", "v2.6.6")
        .add_target(&documents.concat())
        .judge()
}

fn dropped(judgement: &Judgement, kind: &str, name: &str) -> bool {
    let is = |c: &&Change| c.op == ChangeOp::Drop && c.object.kind == kind && c.object.name == name;
    judgement.changes.iter().any(|c| is(&c))
}

fn patched(judgement: &Judgement, name: &str) -> Vec<(String, Option<Value>)> {
    let mine = judgement
        .changes
        .iter()
        .filter(|c| c.op == ChangeOp::Patch && c.object.name == name);
    mine.flat_map(|c| c.patch.iter().map(|op| (op.path.clone(), op.value.clone())))
        .collect()
}

const IN: &str = "    matchExpressions:\n      - key: component\n        operator: In\n        values: ";

fn labels(role: &str) -> String {
    format!("spec:\n  selector:\n    matchLabels:\n      component: {role}\n")
}

#[test]
fn services_of_what_leaves_leave() {
    let judgement = with(&[]);
    for role in ["rootcoord", "querycoord", "datacoord", "indexcoord", "indexnode"] {
        assert!(dropped(&judgement, "Service", &format!("rel-milvus-{role}")), "{role}");
        assert!(
            dropped(&judgement, "Deployment", &format!("rel-milvus-{role}")),
            "{role}"
        );
    }
    for (kind, name) in [
        ("Service", "rel-milvus-proxy"),
        ("Service", "rel-etcd"),
        ("StatefulSet", "rel-etcd"),
    ] {
        assert!(!dropped(&judgement, kind, name), "{name}");
    }
}

#[test]
fn autoscalers_leave_by_their_target() {
    let target = |name: &str| {
        format!(
            "  labels:\n    component: indexnode\nspec:\n  scaleTargetRef:\n    kind: Deployment\n    name: {name}\n"
        )
    };
    let bare = "spec:\n  scaleTargetRef:\n    name: rel-milvus-indexnode\n";
    let recommender =
        "spec:\n  targetRef:\n    apiVersion: apps/v1\n    kind: Deployment\n    name: rel-milvus-datacoord\n";
    let judgement = with(&[
        document(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            "a",
            &target("rel-milvus-indexnode"),
        ),
        document(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            "b",
            &target("rel-milvus-querynode"),
        ),
        document("keda.sh/v1alpha1", "ScaledObject", "c", bare),
        document("autoscaling.k8s.io/v1", "VerticalPodAutoscaler", "d", recommender),
    ]);
    assert!(dropped(&judgement, "HorizontalPodAutoscaler", "a"));
    assert!(!dropped(&judgement, "HorizontalPodAutoscaler", "b"));
    assert!(dropped(&judgement, "ScaledObject", "c"));
    assert!(dropped(&judgement, "VerticalPodAutoscaler", "d"));
}

#[test]
fn a_rollout_leaves_with_the_deployment_whose_pods_it_runs() {
    let rollout = |role: &str| {
        let body = format!(
            "spec:\n  replicas: 2\n  workloadRef:\n    apiVersion: apps/v1\n    kind: Deployment\n    name: rel-milvus-{role}\n"
        );
        document("argoproj.io/v1alpha1", "Rollout", &format!("roll-{role}"), &body)
    };
    let scaler = "spec:\n  scaleTargetRef:\n    kind: Rollout\n    name: roll-indexnode\n";
    let judgement = with(&[
        rollout("indexnode"),
        rollout("querynode"),
        document("autoscaling/v2beta2", "HorizontalPodAutoscaler", "a", scaler),
        document(
            "autoscaling/v2beta2",
            "HorizontalPodAutoscaler",
            "b",
            &scaler.replace("indexnode", "querynode"),
        ),
    ]);
    assert!(dropped(&judgement, "Rollout", "roll-indexnode") && !dropped(&judgement, "Rollout", "roll-querynode"));
    assert!(dropped(&judgement, "HorizontalPodAutoscaler", "a"));
    assert!(!dropped(&judgement, "HorizontalPodAutoscaler", "b"));
    // One elsewhere runs other pods, and what is no Rollout runs none.
    for other in [
        rollout("indexnode").replace("namespace: ns", "namespace: elsewhere"),
        rollout("indexnode").replace("kind: Rollout", "kind: Rollback"),
    ] {
        let scaler = scaler.replace(
            "kind: Rollout",
            other.lines().find(|l| l.starts_with("kind: ")).unwrap(),
        );
        let scaler = document("autoscaling/v2beta2", "HorizontalPodAutoscaler", "a", &scaler);
        assert!(
            !dropped(&with(&[other.clone(), scaler]), "HorizontalPodAutoscaler", "a"),
            "{other}"
        );
    }
    let why = |name: &str| {
        let change = judgement.changes.iter().find(|c| c.object.name == name);
        change.expect("it leaves").why.as_str()
    };
    assert_eq!(
        [why("roll-indexnode"), why("a")],
        [
            "it runs the pods of Deployment rel-milvus-indexnode, which leaves",
            "it scales Rollout roll-indexnode, which leaves"
        ]
    );
}

#[test]
fn budgets_and_pod_monitors_leave_or_are_mended() {
    let several = format!("spec:\n  selector:\n{IN}[datanode, indexnode, rootcoord, querycoord]\n");
    let judgement = with(&[
        document("policy/v1", "PodDisruptionBudget", "only", &labels("indexnode")),
        document("policy/v1", "PodDisruptionBudget", "other", &labels("datanode")),
        document("policy/v1", "PodDisruptionBudget", "all", "spec:\n  selector: {}\n"),
        document("monitoring.coreos.com/v1", "PodMonitor", "several", &several),
        document("monitoring.coreos.com/v1", "PodMonitor", "gone", &labels("querycoord")),
    ]);
    assert!(dropped(&judgement, "PodDisruptionBudget", "only"));
    assert!(!dropped(&judgement, "PodDisruptionBudget", "other") && !dropped(&judgement, "PodDisruptionBudget", "all"));
    assert!(dropped(&judgement, "PodMonitor", "gone") && !dropped(&judgement, "PodMonitor", "several"));
    let at = |i: usize| format!("/spec/selector/matchExpressions/0/values/{i}");
    assert_eq!(
        patched(&judgement, "several"),
        [(at(3), None), (at(2), Some(json!("mixcoord"))), (at(1), None)]
    );
    assert!(patched(&judgement, "all").is_empty());
}

#[test]
fn service_monitors_go_by_the_labels_of_services() {
    // The label is on Services alone.
    let marked = |role: &str| {
        document(
            "v1",
            "Service",
            &format!("extra-{role}"),
            &format!(
                "  labels:\n    scrape: \"yes\"\n    of: {role}\nspec:\n  ports:\n    - port: 9091\n  selector:\n    component: {role}\n"
            ),
        )
    };
    let of = |values: &str| {
        format!(
            "spec:\n  selector:\n    matchLabels:\n      scrape: \"yes\"\n    matchExpressions:\n      - key: of\n        operator: In\n        values: {values}\n"
        )
    };
    let judgement = with(&[
        marked("indexnode"),
        marked("datanode"),
        document(
            "monitoring.coreos.com/v1",
            "ServiceMonitor",
            "both",
            &of("[indexnode, datanode]"),
        ),
        document("monitoring.coreos.com/v1", "ServiceMonitor", "one", &of("[indexnode]")),
        document(
            "monitoring.coreos.com/v1",
            "ServiceMonitor",
            "coordinators",
            &format!("spec:\n  selector:\n{IN}[rootcoord, proxy]\n"),
        ),
    ]);
    assert!(dropped(&judgement, "Service", "extra-indexnode") && !dropped(&judgement, "Service", "extra-datanode"));
    assert!(dropped(&judgement, "ServiceMonitor", "one"));
    assert_eq!(
        patched(&judgement, "both"),
        [("/spec/selector/matchExpressions/0/values/0".into(), None)]
    );
    assert_eq!(
        patched(&judgement, "coordinators"),
        [(
            "/spec/selector/matchExpressions/0/values/0".into(),
            Some(json!("mixcoord"))
        )]
    );
}

#[test]
fn a_monitor_in_another_namespace_is_told_by_the_namespaces_it_names() {
    let monitor = |name: &str, namespaces: &str| {
        document(
            "monitoring.coreos.com/v1",
            "ServiceMonitor",
            name,
            &format!(
                "spec:\n  namespaceSelector: {namespaces}\n  selector:\n    matchLabels:\n      component: indexnode\n"
            ),
        )
        .replace("namespace: ns", "namespace: monitoring")
    };
    let judgement = with(&[
        monitor("ours", "{matchNames: [ns]}"),
        monitor("all", "{any: true}"),
        monitor("theirs", "{matchNames: [other]}"),
        monitor("own", "{}"),
    ]);
    for (name, gone) in [("ours", true), ("all", true), ("theirs", false), ("own", false)] {
        assert_eq!(dropped(&judgement, "ServiceMonitor", name), gone, "{name}");
    }
}

#[test]
fn a_monitor_that_names_no_namespace_looks_into_its_own() {
    let namespaces = "spec:\n  namespaceSelector:\n    matchNames: []\n";
    let own = labels("indexnode").replace("spec:\n", namespaces);
    let judgement = with(&[document("monitoring.coreos.com/v1", "PodMonitor", "own", &own)]);
    assert!(dropped(&judgement, "PodMonitor", "own"));
}

#[test]
fn of_a_list_that_names_mixcoord_already_the_others_go() {
    let body = format!("spec:\n  selector:\n{IN}[rootcoord, mixcoord, proxy]\n");
    let judgement = with(&[document("monitoring.coreos.com/v1", "PodMonitor", "m", &body)]);
    let first = "/spec/selector/matchExpressions/0/values/0".to_owned();
    assert_eq!(patched(&judgement, "m"), [(first, None)]);
}

#[test]
fn network_policies_stay_and_mean_mixcoord() {
    let body = "spec:\n  podSelector:\n    matchLabels:\n      component: rootcoord\n  ingress:\n    - from:\n        - podSelector:\n            matchExpressions:\n              - key: component\n                operator: In\n                values: [indexnode, querycoord, datacoord, proxy]\n        - podSelector:\n            matchLabels:\n              component: indexnode\n";
    let judgement = with(&[document("networking.k8s.io/v1", "NetworkPolicy", "p", body)]);
    assert!(!dropped(&judgement, "NetworkPolicy", "p"));
    let values = "/spec/ingress/0/from/0/podSelector/matchExpressions/0/values";
    assert_eq!(
        patched(&judgement, "p"),
        [
            (
                "/spec/podSelector/matchLabels/component".to_owned(),
                Some(json!("mixcoord"))
            ),
            (format!("{values}/2"), None),
            (format!("{values}/1"), Some(json!("mixcoord"))),
        ]
    );
}

#[test]
fn a_peer_in_another_namespace_is_another_s() {
    let peer = |namespace: &str| {
        format!(
            "spec:\n  podSelector: {{}}\n  ingress:\n    - from:\n        - namespaceSelector:\n            matchLabels:\n              kubernetes.io/metadata.name: {namespace}\n          podSelector:\n            matchLabels:\n              component: rootcoord\n"
        )
    };
    let far = document("networking.k8s.io/v1", "NetworkPolicy", "far", &peer("ns"))
        .replace("namespace: ns", "namespace: kafka");
    let judgement = with(&[
        document("networking.k8s.io/v1", "NetworkPolicy", "theirs", &peer("elsewhere")),
        far,
    ]);
    assert!(patched(&judgement, "theirs").is_empty());
    assert_eq!(patched(&judgement, "far").len(), 1);
}

#[test]
fn a_label_of_a_fork_becomes_the_one_that_mixcoord_carries() {
    let mut scenario = Scenario::consolidation("v2.5.16", "v2.6.6");
    for role in ["rootcoord", "querycoord", "datacoord", "indexcoord"] {
        let name = format!("rel-milvus-{role}");
        scenario = scenario.edit_in_target(
            "Deployment",
            &name,
            "        component:",
            &format!("        app: {name}\n        component:"),
        );
    }
    let policy = |role: &str| {
        document(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            role,
            &format!("spec:\n  podSelector:\n    matchLabels:\n      app: rel-milvus-{role}\n"),
        )
    };
    let judgement = scenario
        .add_target(&policy("rootcoord"))
        .add_target(&policy("querycoord"))
        .judge();
    let carried = judgement
        .changes
        .iter()
        .find(|c| c.op == ChangeOp::Inject && c.object.name == "rel-milvus-mixcoord");
    let value = carried.and_then(|c| {
        c.patch[0]
            .value
            .as_ref()?
            .pointer("/spec/template/metadata/labels/app")
            .cloned()
    });
    assert_eq!(value, Some(json!("rel-milvus-mixcoord")));
    for policy in ["rootcoord", "querycoord"] {
        assert_eq!(
            patched(&judgement, policy),
            [("/spec/podSelector/matchLabels/app".to_owned(), value.clone())]
        );
    }
}

#[test]
fn data_identities_and_hooks_are_never_touched() {
    let marked = "  labels:\n    component: indexnode\n";
    let hook = "  annotations:\n    helm.sh/hook: pre-upgrade\n";
    let judgement = with(&[
        document("v1", "PersistentVolumeClaim", "rel-milvus-indexnode", marked),
        document("v1", "Secret", "rel-milvus-indexnode", marked),
        document("v1", "ConfigMap", "rel-milvus-indexnode", marked),
        document("v1", "ServiceAccount", "rel-milvus-indexnode", marked),
        document(
            "v1",
            "Service",
            "hooked",
            &format!("{hook}spec:\n  selector:\n    component: indexnode\n"),
        ),
        document(
            "monitoring.coreos.com/v1",
            "ServiceMonitor",
            "hooked",
            &format!("{hook}spec:\n  selector:\n    matchLabels:\n      component: indexnode\n"),
        ),
    ]);
    for change in judgement.changes.iter().filter(|c| c.op == ChangeOp::Drop) {
        assert!(
            matches!(change.object.kind.as_str(), "Deployment" | "Service"),
            "{}",
            change.object
        );
        assert_ne!(change.object.name, "hooked");
    }
}

fn second(stream: &str, to: &str) -> String {
    stream
        .replace("rel-", "two-")
        .replace("instance: rel", "instance: two")
        .replace("v2.5.16", to)
}

#[test]
fn of_two_releases_in_one_namespace_only_one_consolidates() {
    let both = format!(
        "{}{}",
        cluster("v2.5.16", true),
        second(&cluster("v2.5.16", true), "v2.5.10")
    );
    let shared = [
        document("policy/v1", "PodDisruptionBudget", "shared", &labels("rootcoord")),
        document(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "shared",
            "spec:\n  podSelector:\n    matchLabels:\n      component: rootcoord\n",
        ),
    ];
    let judgement = Scenario::of(&both, &both).add_target(&shared.concat()).judge();
    assert!(
        dropped(&judgement, "Deployment", "rel-milvus-rootcoord")
            && dropped(&judgement, "Service", "rel-milvus-rootcoord")
    );
    assert!(judgement.changes.iter().all(|c| !c.object.name.starts_with("two-")));
    assert!(!dropped(&judgement, "PodDisruptionBudget", "shared") && patched(&judgement, "shared").is_empty());
}

#[test]
fn where_both_consolidate_what_served_both_is_changed_once() {
    let both = format!(
        "{}{}",
        cluster("v2.5.16", true),
        second(&cluster("v2.5.16", true), "v2.5.22")
    );
    let shared = [
        document("policy/v1", "PodDisruptionBudget", "shared", &labels("rootcoord")),
        document(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "policy",
            "spec:\n  podSelector:\n    matchLabels:\n      component: rootcoord\n",
        ),
    ];
    let judgement = Scenario::of(&both, &both).add_target(&shared.concat()).judge();
    assert!(dropped(&judgement, "PodDisruptionBudget", "shared"));
    assert_eq!(
        patched(&judgement, "policy"),
        [(
            "/spec/podSelector/matchLabels/component".to_owned(),
            Some(json!("mixcoord"))
        )]
    );
    assert!(judgement.output.is_some(), "{:?}", judgement.findings);
}
