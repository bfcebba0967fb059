use super::behind::Workloads;
use super::service_behind;
use crate::finding::Finding;
use crate::kube::Object;
use crate::kube::named::Named;
use crate::rules::testkit::{Scenario, cluster, cluster26, deployment};
use crate::value::json;

fn objects() -> Vec<Object> {
    let service = |name: &str, namespace: &str, spec: crate::value::Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": spec});
    let workload = |kind: &str, name: &str, namespace: &str, label: &str| {
        json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": namespace},
            "spec": {"template": {"metadata": {"labels": {"a": label}}, "spec": {"containers": []}}}})
    };
    let bare =
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "bare"}, "spec": {"selector": {"a": "b"}}});
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "map", "namespace": "ns"}, "spec": {"selector": {"a": "b"}}});
    let all = [
        service("bus", "other", json!({"selector": {"a": "b"}})),
        service("bus", "ns", json!({"selector": {"a": "b"}})),
        service("alias", "ns", json!({"externalName": "bus.corp.example"})),
        service("empty", "ns", json!({"selector": {}})),
        bare,
        map,
        workload("Job", "j", "ns", "b"),
        workload("StatefulSet", "else", "ns", "c"),
        workload("StatefulSet", "there", "other", "b"),
        workload("StatefulSet", "here", "ns", "b"),
    ];
    let read = |value: crate::value::Value| Object::all_in(0, value).unwrap();
    all.into_iter().flat_map(read).collect()
}

#[test]
fn an_address_leads_to_the_service_it_names() {
    let all = objects();
    for (address, service) in [
        ("bus", Some("ns")),
        ("bus:6650", Some("ns")),
        ("pulsar://bus:6650", Some("ns")),
        ("http://me:word@bus:9000/a?b", Some("ns")),
        ("bus.ns", Some("ns")),
        ("bus.ns.svc:6650", Some("ns")),
        ("bus.ns.svc.cluster.local", Some("ns")),
        ("bus.ns.svc.cluster.local.:6650", Some("ns")),
        ("bus.other", Some("other")),
        ("bus.other.svc", Some("other")),
        ("bus-0.bus", Some("ns")),
        ("bus-0.bus.other", Some("other")),
        ("bus-0.bus.other.svc.cluster.local:6650", Some("other")),
        ("bus.third", None),
        ("bus.ns.svcs", None),
        ("x.bus-0.bus.ns", None),
        ("alias", None),
        ("empty", None),
        ("map", None),
        ("bare", Some("")),
        ("bare.ns", Some("")),
        ("bare.other", None),
    ] {
        let found = service_behind(address, "ns", &Named::of(&all));
        assert_eq!(found.map(|o| o.reference.namespace.as_str()), service, "{address}");
    }
}

#[test]
fn what_serves_behind_a_service_runs_in_its_namespace_and_goes_on() {
    let all = objects();
    let names = |address: &str| -> Vec<&str> {
        let service = service_behind(address, "ns", &Named::of(&all));
        let found = service.map(|service| Workloads::of(&all).chosen_by(service, &all));
        found.into_iter().flatten().map(|o| o.reference.name.as_str()).collect()
    };
    assert_eq!(names("bus"), ["here"]);
    assert_eq!(names("bus.other"), ["there"]);
    assert!(names("alias").is_empty());
}

/// What is said of the places that components read.
fn found(scenario: &Scenario) -> Vec<Finding> {
    let all = scenario.judge().findings.into_iter();
    all.filter(|f| ["MU304", "MU307", "MU310"].contains(&f.code)).collect()
}

fn env(name: &str, value: &str) -> String {
    format!("            - name: {name}\n              value: \"{value}\"\n")
}

/// From 2.5 to a 2.6 that the chart renders: its streaming node is new.
fn to_streaming() -> Scenario {
    Scenario::of(&cluster("v2.5.16", false), &cluster26("v2.6.16"))
}

#[test]
fn a_new_role_takes_over_from_those_it_lives_together_with() {
    for (name, value) in [
        ("PULSAR_ADDRESS", "other-pulsar"),
        ("MQ_TYPE", "kafka"),
        ("ETCD_ROOTPATH", "prod"),
        ("MINIO_BUCKETNAME", "other"),
        ("ETCD_ENDPOINTS", ""),
    ] {
        let own = env(name, value);
        let one_apart = to_streaming()
            .env_current("mixcoord", &own)
            .env_target("mixcoord", &own);
        let told = found(&one_apart);
        assert!(told.is_empty(), "{name}: {told:?}");
        if name != "MQ_TYPE" && !value.is_empty() {
            let told = found(&one_apart.env_target("streamingnode", &own));
            assert!(told.is_empty(), "{name}: {told:?}");
            let told = found(&to_streaming().env_target("streamingnode", &own));
            assert!(
                told.len() == 1 && told[0].message.contains(" of rel-milvus-streamingnode "),
                "{name}: {told:?}"
            );
        }
    }
    let hidden = "          envFrom:\n            - secretRef: {name: a}\n          env:\n";
    let deployment = "rel-milvus-mixcoord";
    let one_apart = to_streaming()
        .edit_in_current("Deployment", deployment, "          env:\n", hidden)
        .edit_in_target("Deployment", deployment, "          env:\n", hidden);
    assert!(found(&one_apart).is_empty(), "{:?}", found(&one_apart));
}

#[test]
fn mixcoord_takes_over_from_the_coordinators_and_from_no_other() {
    let own = env("PULSAR_ADDRESS", "other-pulsar");
    let consolidated = Scenario::of(&cluster("v2.5.10", true), &cluster("v2.5.16", false));
    let roles = ["rootcoord", "querycoord", "datacoord", "indexcoord"];
    let apart = roles.iter().fold(consolidated, |s, role| s.env_current(role, &own));
    let told = found(&apart);
    assert!(
        told.len() == 1 && told[0].message.contains(" of rel-milvus-mixcoord would be another one"),
        "{told:?}"
    );
    assert!(found(&apart.env_target("mixcoord", &own)).is_empty());
}

#[test]
fn components_are_paired_by_name_and_else_by_role() {
    let own = env("PULSAR_ADDRESS", "other-pulsar");
    let second = |tag: &str| {
        deployment("querynode", "\"querynode\"", tag)
            .replace("rel-milvus-querynode", "rel-milvus-querynode-b")
            .replace("          env:\n", &format!("          env:\n{own}"))
    };
    let two = Scenario::upgrade("v2.5.16", "v2.6.16")
        .add_current(&second("v2.5.16"))
        .add_target(&second("v2.6.16"));
    assert!(found(&two).is_empty(), "{:?}", found(&two));
    let renamed = Scenario::upgrade("v2.5.16", "v2.6.16")
        .env_current("querynode", &own)
        .env_target("querynode", &own)
        .edit_target("rel-milvus-querynode", "rel-milvus-reader");
    assert!(found(&renamed).is_empty(), "{:?}", found(&renamed));
}

#[test]
fn names_are_completed_by_the_namespace_that_is_known() {
    let full =
        |scenario: Scenario| scenario.edit_target("address: rel-pulsarv3-proxy", "address: rel-pulsarv3-proxy.ns.svc");
    let upgrade = || full(Scenario::upgrade("v2.5.16", "v2.6.16"));
    assert!(found(&upgrade().edit_target("  namespace: ns\n", "")).is_empty());
    assert!(found(&upgrade().edit_current("  namespace: ns\n", "")).is_empty());
}

#[test]
fn a_difference_is_told_at_what_says_it() {
    let other =
        Scenario::upgrade("v2.5.16", "v2.5.22").edit_target("rel-pulsarv3-proxy\n      port", "bus\n      port");
    let told = found(&other);
    assert!(
        told.len() == 1 && told[0].message.starts_with("the pulsar log would be another one"),
        "{told:?}"
    );
    let object = told[0].object.as_ref().unwrap();
    assert_eq!(
        (object.kind.as_str(), object.name.as_str()),
        ("ConfigMap", "rel-milvus")
    );
    // What the rewrite brings stands nowhere in the input.
    let own = env("PULSAR_ADDRESS", "other-pulsar");
    let roles = ["rootcoord", "querycoord", "datacoord", "indexcoord"];
    let brought = Scenario::consolidation("v2.5.10", "v2.5.16");
    let told = found(&roles.iter().fold(brought, |s, role| s.env_target(role, &own)));
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].object.as_ref().unwrap().name, "rel-milvus-mixcoord");
    assert!(told[0].location.is_none(), "{told:?}");
}

#[test]
fn a_store_of_another_kind_is_told_once() {
    let embedded = Scenario::standalone("v2.5.16", "v2.6.16", "rocksmq")
        .edit_target("    etcd:\n", "    etcd:\n      use:\n        embed: true\n");
    let told = found(&embedded);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        told[0].field.as_ref().unwrap().path,
        "/data/default.yaml#/etcd/use/embed"
    );
}

#[test]
fn members_behind_another_service_of_the_same_pods_come_and_go() {
    let alias = "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: alias\n  namespace: ns\nspec:\n  selector:\n    component: etcd\n";
    let etcd = "        - rel-etcd.ns.svc:2379\n";
    let one = "        - alias:2379\n";
    let two = "        - alias:2379\n        - more.corp.example:2379\n";
    let told = |current: &str, target: &str| {
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16")
            .edit_current(etcd, current)
            .edit_target(etcd, target)
            .add_current(alias)
            .add_target(alias);
        assert!(found(&scenario).is_empty(), "{:?}", found(&scenario));
        let all = scenario.of_rule("MU311");
        all.iter().map(|f| f.message.clone()).collect::<Vec<_>>().join("; ")
    };
    assert!(
        told(etcd, two).contains("etcd.endpoints adds more.corp.example:2379 and keeps"),
        "{}",
        told(etcd, two)
    );
    assert!(
        told(two, etcd).contains("etcd.endpoints takes away more.corp.example:2379 and keeps"),
        "{}",
        told(two, etcd)
    );
    assert_eq!(told(etcd, one), "");
    // A current state without its Services is read by the target's.
    let unserved = Scenario::upgrade("v2.5.16", "v2.6.16")
        .edit_target(etcd, one)
        .add_target(alias)
        .drop_current("Service", "rel-etcd");
    assert!(found(&unserved).is_empty(), "{:?}", found(&unserved));
}
