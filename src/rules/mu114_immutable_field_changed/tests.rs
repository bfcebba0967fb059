use super::*;
use crate::rules::testkit::{self, Scenario};

fn judged(current: &str, target: &str) -> Vec<Finding> {
    Scenario::upgrade("v2.5.22", "v2.6.16")
        .add_current(current)
        .add_target(target)
        .of_rule("MU114")
}

fn object(kind: &str, body: &str) -> String {
    let version = match kind {
        "StatefulSet" | "DaemonSet" => "apps/v1",
        "Job" => "batch/v1",
        "RoleBinding" => "rbac.authorization.k8s.io/v1",
        "StorageClass" => "storage.k8s.io/v1",
        _ => "v1",
    };
    format!("---\napiVersion: {version}\nkind: {kind}\nmetadata:\n  name: x\n  namespace: ns\n{body}")
}

/// The same object as a server shows it.
fn live(text: &str) -> String {
    text.replace(
        "  namespace: ns\n",
        "  namespace: ns\n  uid: 0a1b\n  resourceVersion: \"7\"\n  creationTimestamp: \"2026-01-01T00:00:00Z\"\n",
    )
}

const SET: &str = "spec:\n  serviceName: x\n  selector:\n    matchLabels:\n      app: etcd\n  volumeClaimTemplates:\n    - metadata:\n        name: data\n      spec:\n        accessModes: [ReadWriteOnce]\n        resources:\n          requests:\n            storage: 10Gi\n";

#[test]
fn a_selector_of_milvus_itself() {
    let scenario = Scenario::upgrade("v2.5.22", "v2.6.16")
        .edit_in_target("Deployment", "rel-milvus-datanode", "app.kubernetes.io/name: milvus\n      app.kubernetes.io/instance: rel\n      component: \"datanode\"\n  template", "app.kubernetes.io/name: milvus\n      app.kubernetes.io/instance: rel\n      tier: data\n      component: \"datanode\"\n  template");
    let found = scenario.of_rule("MU114");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].field.as_ref().unwrap().path, "/spec/selector/matchLabels/tier");
    assert!(
        found[0].message.contains("from nothing to \"data\"")
            && found[0]
                .help
                .contains("kubectl delete deployment rel-milvus-datanode --namespace ns")
            && found[0].help.starts_with("keep the labels that are deployed")
    );
    assert!(found[0].location.as_ref().is_some_and(|l| l.line > 1));
}

#[test]
fn a_statefulset_keeps_its_templates_and_names() {
    let base = object("StatefulSet", SET);
    for (from, to, path) in [
        (
            "storage: 10Gi",
            "storage: 20Gi",
            "/spec/volumeClaimTemplates/0/spec/resources/requests/storage",
        ),
        ("serviceName: x", "serviceName: y", "/spec/serviceName"),
        (
            "serviceName: x",
            "podManagementPolicy: Parallel\n  serviceName: x",
            "/spec/podManagementPolicy",
        ),
        ("app: etcd", "app: other", "/spec/selector/matchLabels/app"),
        (
            "        name: data\n",
            "        name: data\n        labels: {chart: etcd-8}\n",
            "/spec/volumeClaimTemplates/0/metadata/labels",
        ),
        (
            "accessModes: [ReadWriteOnce]",
            "accessModes: [ReadWriteOnce, ReadOnlyMany]",
            "/spec/volumeClaimTemplates/0/spec/accessModes",
        ),
        (
            "accessModes: [ReadWriteOnce]",
            "storageClassName: \"\"\n        accessModes: [ReadWriteOnce]",
            "/spec/volumeClaimTemplates/0/spec/storageClassName",
        ),
    ] {
        for current in [base.clone(), live(&base)] {
            let found = judged(&current, &base.replace(from, to));
            assert_eq!(found.len(), 1, "{to}");
            assert_eq!(found[0].field.as_ref().unwrap().path, path);
            assert!(found[0].help.contains("--cascade=orphan"));
        }
    }
}

#[test]
fn what_the_server_adds_is_no_change() {
    let shown = SET
        .replace("    - metadata:\n        name: data\n", "    - apiVersion: v1\n      kind: PersistentVolumeClaim\n      metadata:\n        creationTimestamp: null\n        name: data\n")
        .replace("storage: 10Gi\n", "storage: 10240Mi\n        volumeMode: Filesystem\n      status:\n        phase: Pending\n  podManagementPolicy: OrderedReady\n");
    let current = live(&object("StatefulSet", &shown));
    assert!(judged(&current, &object("StatefulSet", SET)).is_empty());
    assert!(judged(&object("StatefulSet", SET), &object("StatefulSet", &shown)).is_empty());
    assert!(judged(&object("StatefulSet", &shown), &object("StatefulSet", SET)).is_empty());
    let labelled = SET.replace(
        "        name: data\n",
        "        name: data\n        labels: {chart: etcd-8}\n",
    );
    assert_eq!(
        judged(&object("StatefulSet", &labelled), &object("StatefulSet", SET)).len(),
        1,
        "a label that the manifests had and have no more"
    );
}

#[test]
fn a_claim_may_grow_and_nothing_else() {
    let claim = |class: &str, size: &str| {
        object(
            "PersistentVolumeClaim",
            &format!(
                "spec:\n{class}  accessModes: [ReadWriteOnce]\n  resources:\n    requests:\n      storage: {size}\n"
            ),
        )
    };
    let fast = "  storageClassName: fast\n";
    for (current, target, want) in [
        (claim(fast, "10Gi"), claim(fast, "20Gi"), 0),
        (claim(fast, "10Gi"), claim(fast, "10240Mi"), 0),
        (claim(fast, "10Gi"), claim(fast, "5Gi"), 1),
        (claim(fast, "10Gi"), claim("  storageClassName: slow\n", "10Gi"), 1),
        (claim(fast, "10Gi"), claim("", "10Gi"), 1),
        (claim("", "10Gi"), claim(fast, "10Gi"), 1),
        (
            live(&claim(
                "  storageClassName: standard\n  volumeName: pvc-1\n  volumeMode: Filesystem\n",
                "10Gi",
            )),
            claim("", "10Gi"),
            0,
        ),
        (
            claim("  storageClassName: standard\n  volumeName: pvc-1\n", "10Gi"),
            claim("", "10Gi"),
            0,
        ),
        (
            live(&claim("  storageClassName: standard\n", "10Gi")),
            claim(fast, "10Gi"),
            1,
        ),
        (
            live(&claim("  storageClassName: standard\n", "10Gi")),
            claim("", "10Gi"),
            0,
        ),
        (claim(fast, "10Gi") + "status: {}\n", claim("", "10Gi"), 1),
    ] {
        let found = judged(&current, &target);
        assert_eq!(found.len(), want, "{current}{target}");
        assert!(
            found
                .iter()
                .all(|f| f.help.contains("a claim can only grow") && !f.help.contains("kubectl delete")),
            "to delete a claim loses its data"
        );
    }
}

#[test]
fn a_service_keeps_its_address() {
    let service = |ip: &str, kind: &str| {
        object(
            "Service",
            &format!("spec:\n  type: {kind}\n{ip}  ports:\n    - port: 80\n"),
        )
    };
    let (none, plain, own) = ("  clusterIP: None\n", "", "  clusterIP: 10.0.0.7\n");
    let balanced = |class: &str| match class {
        "a" => "  loadBalancerClass: a\n",
        _ => "  loadBalancerClass: b\n",
    };
    for (current, target, want) in [
        (service(plain, "ClusterIP"), service(none, "ClusterIP"), 1),
        (service(none, "ClusterIP"), service(plain, "ClusterIP"), 0),
        (service(none, "ClusterIP"), service(own, "ClusterIP"), 1),
        (service(plain, "ClusterIP"), service(own, "ClusterIP"), 0),
        (live(&service(own, "ClusterIP")), service(plain, "ClusterIP"), 0),
        (
            live(&service(own, "ClusterIP")),
            service("  clusterIP: \"\"\n", "LoadBalancer"),
            0,
        ),
        (
            live(&service(own, "ClusterIP")),
            service("  clusterIP: 10.0.0.8\n", "ClusterIP"),
            1,
        ),
        (service(none, "ClusterIP"), service(plain, "ExternalName"), 0),
        (service(own, "ClusterIP"), service(own, "ClusterIP"), 0),
        (
            service(balanced("a"), "LoadBalancer"),
            service(plain, "LoadBalancer"),
            0,
        ),
        (
            service(plain, "LoadBalancer"),
            service(balanced("a"), "LoadBalancer"),
            0,
        ),
        (
            service(balanced("a"), "LoadBalancer"),
            service(balanced("b"), "LoadBalancer"),
            1,
        ),
    ] {
        assert_eq!(judged(&current, &target).len(), want, "{current}{target}");
    }
}

const JOB: &str = "spec:\n  template:\n    metadata:\n      labels:\n        app: init\n    spec:\n      restartPolicy: OnFailure\n      containers:\n        - name: c\n          image: apachepulsar/pulsar:3.0.7\n          args: [\"a\\n b\"]\n          resources:\n            requests:\n              cpu: 0.1\n          volumeMounts:\n";

#[test]
fn a_job_that_may_still_be_there_keeps_its_template() {
    let found = judged(&object("Job", JOB), &object("Job", &JOB.replace("3.0.7", "4.0.0")));
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].field.as_ref().unwrap().path,
        "/spec/template/spec/containers/0/image"
    );
    assert!(found[0].help.starts_with("a Job that is done can go"));
    assert!(found[0].help.contains("kubectl delete job x --namespace ns"));
    let ttl = JOB.replace("spec:\n  template", "spec:\n  ttlSecondsAfterFinished: 60\n  template");
    assert!(judged(&object("Job", &ttl), &object("Job", &JOB.replace("3.0.7", "4.0.0"))).is_empty());
    assert_eq!(
        judged(
            &live(&object("Job", &ttl)),
            &object("Job", &JOB.replace("3.0.7", "4.0.0"))
        )
        .len(),
        1
    );
}

#[test]
fn a_live_job_with_its_defaults_and_a_text_that_helm_4_folded_are_no_change() {
    let shown = JOB
        .replace("        app: init\n", "        app: init\n        controller-uid: 0a1b\n        batch.kubernetes.io/job-name: x\n")
        .replace("cpu: 0.1", "cpu: 100m")
        .replace("          volumeMounts:\n", "          imagePullPolicy: IfNotPresent\n          terminationMessagePath: /dev/termination-log\n      dnsPolicy: ClusterFirst\n      securityContext: {}\n");
    assert!(judged(&live(&object("Job", &shown)), &object("Job", JOB)).is_empty());
    assert!(judged(&object("Job", JOB), &object("Job", &JOB.replace("a\\n b", "a\\n\\n b"))).is_empty());
    assert_eq!(
        judged(&object("Job", JOB), &object("Job", &JOB.replace("a\\n b", "a c"))).len(),
        1
    );
}

#[test]
fn bindings_frozen_maps_and_classes() {
    let role = |kind: &str, name: &str| {
        object(
            "RoleBinding",
            &format!("roleRef:\n{kind}  kind: Role\n  name: {name}\n"),
        )
    };
    let group = "  apiGroup: rbac.authorization.k8s.io\n";
    assert_eq!(judged(&role(group, "a"), &role(group, "b")).len(), 1);
    assert!(judged(&live(&role(group, "a")), &role("", "a")).is_empty());
    let map = |kind: &str, frozen: &str, data: &str| object(kind, &format!("{frozen}data:\n  a: {data}\n"));
    let frozen = "immutable: true\n";
    let found = judged(&map("ConfigMap", frozen, "x"), &map("ConfigMap", frozen, "y"));
    assert_eq!(found.len(), 1);
    assert!(found[0].message.contains("/data/a would change: "), "no data in it");
    assert!(judged(&map("ConfigMap", frozen, "x"), &map("ConfigMap", frozen, "x")).is_empty());
    assert!(judged(&map("ConfigMap", "", "x"), &map("ConfigMap", frozen, "y")).is_empty());
    assert_eq!(
        judged(&map("ConfigMap", frozen, "x"), &map("ConfigMap", "", "x")).len(),
        1,
        "it cannot be thawed"
    );
    let class = |provisioner: &str| object("StorageClass", &format!("provisioner: {provisioner}\n"));
    let found = judged(&class("a"), &class("b"));
    assert_eq!(found.len(), 1);
    assert!(
        found[0].help.contains("kubectl delete storageclass x, ") && found[0].message.contains("from \"a\" to \"b\""),
        "{:?}",
        found[0]
    );
    assert!(
        judged(
            &live(&object(
                "StorageClass",
                "provisioner: a\nreclaimPolicy: Delete\nvolumeBindingMode: Immediate\n"
            )),
            &class("a")
        )
        .is_empty()
    );
}

#[test]
fn a_secret_shows_nothing_of_itself() {
    let secret = |v: &str| object("Secret", &format!("type: Opaque\nimmutable: true\ndata:\n  a: {v}\n"));
    let found = judged(&secret("aHVudGVyMg=="), &secret("b3RoZXI="));
    assert_eq!(found.len(), 1);
    let said = format!("{:?}", found[0]);
    assert!(!said.contains("aHVudGVyMg") && !said.contains("b3RoZXI"), "{said}");
}

#[test]
fn hooks_and_other_namespaces_are_not_compared() {
    let hook = |image: &str| {
        object("Job", &JOB.replace("3.0.7", image)).replace(
            "  namespace: ns\n",
            "  namespace: ns\n  annotations:\n    helm.sh/hook: post-install\n",
        )
    };
    assert!(judged(&hook("a"), &hook("b")).is_empty());
    assert!(judged(&object("Job", JOB), &hook("b")).is_empty());
    let elsewhere = object("StatefulSet", SET).replace("namespace: ns", "namespace: other");
    assert!(
        judged(
            &elsewhere,
            &object("StatefulSet", &SET.replace("app: etcd", "app: other"))
        )
        .is_empty()
    );
}

#[test]
fn of_two_releases_one_looks() {
    let other = |tag: &str| {
        testkit::cluster(tag, false)
            .replace("instance: rel\n", "instance: two\n")
            .replace("name: rel-", "name: two-")
    };
    let two = |tag: &str, set: &str| {
        format!(
            "{}{}{}",
            testkit::cluster(tag, false),
            other(tag),
            object("StatefulSet", set)
        )
    };
    let scenario = Scenario::of(
        &two("v2.5.22", SET),
        &two("v2.6.16", &SET.replace("app: etcd", "app: other")),
    );
    assert_eq!(scenario.of_rule("MU114").len(), 1);
}
