//! What the parts of the rewrite make of a release together.

use super::ChangeOp;
use super::place::{Place, before, behind, last};
use crate::finding::Input;
use crate::kube::Object;
use crate::rules::testkit::{Scenario, brought, cluster};
use crate::stream::Stream;
use crate::value::{Value, json};
use crate::yaml::Op;

fn service(scenario: &Scenario, role: &str) -> Option<Value> {
    brought(&scenario.judge(), "Service", role)
}

fn consolidation() -> Scenario {
    Scenario::consolidation("v2.5.16", "v2.6.16")
}

const COORDINATORS: [&str; 4] = ["rootcoord", "querycoord", "datacoord", "indexcoord"];
const NODES: [&str; 3] = ["indexnode", "querynode", "datanode"];

/// Gives the metrics Services of roles more fields.
fn with_services(scenario: Scenario, roles: &[&str], from: &str, to: &str) -> Scenario {
    let edit = |s: Scenario, role: &&str| s.edit_in_target("Service", &format!("rel-milvus-{role}"), from, to);
    roles.iter().fold(scenario, edit)
}

fn without_services(scenario: Scenario, roles: &[&str]) -> Scenario {
    let name = |role: &str| format!("rel-milvus-{role}");
    roles
        .iter()
        .fold(scenario, |s, role| s.drop_target("Service", &name(role)))
}

#[test]
fn a_service_has_the_shape_of_its_nearest_kin() {
    let label = |of: &str| format!("  labels:\n    of: {of}\n");
    let all = with_services(consolidation(), &COORDINATORS, "  labels:\n", &label("coordinators"));
    let all = with_services(all, &NODES, "  labels:\n", &label("nodes"));
    let all = with_services(all, &["proxy"], "  labels:\n", &label("proxy"));
    let of = |scenario: &Scenario, role: &str| service(scenario, role).map(|s| s["metadata"]["labels"]["of"].clone());
    assert_eq!(of(&all, "mixcoord"), Some(json!("coordinators")));
    assert_eq!(of(&all, "streamingnode"), Some(json!("nodes")));
    let no_kin = without_services(all.clone(), &COORDINATORS);
    assert_eq!(of(&no_kin, "mixcoord"), Some(json!("nodes")));
    let no_kin = without_services(all.clone(), &NODES);
    assert_eq!(of(&no_kin, "streamingnode"), Some(json!("coordinators")));
    let proxy = without_services(no_kin, &COORDINATORS);
    assert_eq!(
        [of(&proxy, "mixcoord"), of(&proxy, "streamingnode")],
        [Some(json!("proxy")), Some(json!("proxy"))]
    );
    let none = without_services(proxy, &["proxy"]);
    assert_eq!([of(&none, "mixcoord"), of(&none, "streamingnode")], [None, None]);
}

#[test]
fn no_address_is_handed_on_and_headless_ones_stay_so() {
    let spec = |text: &str| format!("spec:\n{text}");
    let of = |text: &str, roles: &[&str], role: &str| {
        let changed = with_services(consolidation(), roles, "spec:\n  type: ClusterIP\n", &spec(text));
        let others: Vec<&str> = COORDINATORS.into_iter().filter(|r| !roles.contains(r)).collect();
        let spec = service(&without_services(changed, &others), role).unwrap()["spec"].clone();
        (spec["type"].clone(), spec.get("clusterIP").cloned())
    };
    let plain = json!("ClusterIP");
    for (text, want) in [
        ("  type: ClusterIP\n  clusterIP: None\n", Some(json!("None"))),
        ("  type: ClusterIP\n  clusterIP: 10.0.0.1\n", None),
        ("  type: NodePort\n", None),
        ("  type: ClusterIP\n", None),
    ] {
        assert_eq!(of(text, &COORDINATORS, "mixcoord"), (plain.clone(), want), "{text}");
    }
    // Of another kind, and without an address of its own.
    let nodes = ["indexnode", "querynode", "datanode"];
    let headless = "  type: ClusterIP\n  clusterIP: None\n";
    assert_eq!(of(headless, &nodes, "mixcoord"), (plain.clone(), None));
    assert_eq!(
        of("  type: NodePort\n", &nodes, "streamingnode"),
        (plain, Some(json!("None")))
    );
}

#[test]
fn values_give_a_service_its_own() {
    let own = "{clusterIP: 10.0.0.9, labels: {own: a}, annotations: {note: b}}";
    let scenario = consolidation().values(&format!(
        "mixCoordinator: {{service: {own}}}\nstreamingNode: {{service: {own}}}\n"
    ));
    let mixcoord = service(&scenario, "mixcoord").unwrap();
    assert_eq!(mixcoord["spec"]["clusterIP"], "10.0.0.9");
    assert_eq!(
        (
            &mixcoord["metadata"]["labels"]["own"],
            &mixcoord["metadata"]["annotations"]
        ),
        (&json!("a"), &json!({"note": "b"}))
    );
    let node = service(&scenario, "streamingnode").unwrap();
    assert_eq!(
        (&node["spec"]["clusterIP"], node["metadata"].get("annotations")),
        (&json!("None"), None)
    );
    assert_eq!(
        service(&consolidation(), "mixcoord").unwrap()["metadata"].get("annotations"),
        None
    );
}

#[test]
fn what_values_give_to_one_service_is_no_other_s() {
    let label = "  labels:\n    given: x\n";
    let given = |roles: &[&str], values: &str| {
        let dropped: Vec<&str> = NODES
            .into_iter()
            .chain(COORDINATORS)
            .chain(["proxy"])
            .filter(|r| !roles.contains(r))
            .collect();
        let scenario = with_services(without_services(consolidation(), &dropped), roles, "  labels:\n", label);
        service(&scenario.values(values), "streamingnode").unwrap()["metadata"]["labels"]["given"].clone()
    };
    assert_eq!(given(&["proxy"], "{}"), "x");
    assert_eq!(given(&["proxy"], "service: {labels: {given: x}}\n"), Value::Null);
    assert_eq!(given(&["proxy"], "proxy: {service: {labels: {given: x}}}\n"), "x");
    assert_eq!(
        given(&["querynode"], "queryNode: {service: {labels: {given: x}}}\n"),
        Value::Null
    );
    assert_eq!(given(&["querynode"], "service: {labels: {given: x}}\n"), "x");
}

const ROOT: &str = "    rootCoord:\n      port: 53100\n      enableActiveStandby: false\n";
const QUERY: &str = "    queryCoord:\n      enableActiveStandby: false\n";
const DATA: &str = "    dataCoord:\n      enableActiveStandby: false\n";
const STANDBY: &str = "mixCoordinator: {activeStandby: {enabled: true}}\n";

fn config_patch(scenario: &Scenario) -> Vec<(Op, String, Value)> {
    let changes = scenario.judge().changes;
    let patch = changes
        .iter()
        .filter(|c| c.op == ChangeOp::Patch && c.object.kind == "ConfigMap");
    let ops = patch.flat_map(|c| c.patch.clone());
    ops.map(|op| {
        let path = op.path.replace("/data/default.yaml#", "");
        (op.op, path, op.value.unwrap_or_default())
    })
    .collect()
}

#[test]
fn standby_is_said_where_it_is_not_said_yet() {
    let scenario = consolidation()
        .edit_target(ROOT, &ROOT.replace("false", "true"))
        .edit_target(QUERY, "    queryCoord: {port: 1}\n")
        .edit_target(DATA, "    dataCoord: null\n");
    let whole = json!({"enableActiveStandby": true});
    let said = |op: Op, key: &str, value: Value| (op, key.to_owned(), value);
    let standby = scenario.clone().values(STANDBY);
    assert_eq!(
        config_patch(&standby),
        [
            said(Op::Add, "/queryCoord/enableActiveStandby", json!(true)),
            said(Op::Replace, "/indexCoord/enableActiveStandby", json!(true)),
            said(Op::Replace, "/dataCoord", whole.clone()),
        ]
    );
    let none = consolidation().edit_target(DATA, "").values(STANDBY);
    assert!(config_patch(&none).contains(&said(Op::Add, "/dataCoord", whole)));
    for quiet in [
        scenario.clone(),
        scenario.values("{}"),
        Scenario::upgrade("v2.5.16", "v2.6.16").values(STANDBY),
    ] {
        assert_eq!(config_patch(&quiet), []);
    }
}

#[test]
fn coordinators_stand_by_where_each_of_them_does() {
    let two = || consolidation().edit_target("replicas: 1", "replicas: 2");
    let replicas = |scenario: &Scenario| {
        let mixcoord = brought(&scenario.judge(), "Deployment", "mixcoord").unwrap();
        mixcoord["spec"]["replicas"].clone()
    };
    let all = two().edit_target("enableActiveStandby: false", "enableActiveStandby: true");
    assert_eq!(replicas(&all), 2);
    for section in [
        "rootCoord:\n      port: 53100",
        "queryCoord:",
        "indexCoord:",
        "dataCoord:",
    ] {
        let said = |yes: bool| format!("    {section}\n      enableActiveStandby: {yes}\n");
        assert_eq!(
            replicas(&all.clone().edit_target(&said(true), &said(false))),
            1,
            "{section}"
        );
    }
}

#[test]
fn why_a_role_leaves_is_told() {
    let why = |scenario: Scenario, role: &str| {
        let name = format!("rel-milvus-{role}");
        let changes = scenario.judge().changes;
        let dropped = changes
            .into_iter()
            .find(|c| c.op == ChangeOp::Drop && c.object.name == name && c.object.kind == "Deployment");
        dropped.expect("it leaves").why
    };
    assert_eq!(
        why(consolidation(), "indexnode"),
        "Milvus 2.6 has no indexnode: datanode builds indexes"
    );
    assert_eq!(
        why(consolidation(), "rootcoord"),
        "rootcoord is part of mixcoord from 2.6 on"
    );
    let within = Scenario::consolidation("v2.5.10", "v2.5.16");
    assert_eq!(
        why(within, "querycoord"),
        "querycoord is part of mixcoord from 2.5.16 on"
    );
}

fn stream(text: &str) -> Stream {
    Stream::read(text.as_bytes(), Input::Target).unwrap()
}

#[test]
fn a_place_is_a_document_or_an_item() {
    let map = |name: &str| format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}}}");
    let at = |document: usize, behind: bool, pointer: &str| Place {
        document,
        behind,
        pointer: pointer.to_owned(),
    };
    let plain = stream(&format!("{}\n---\n{}\n", map("a"), map("b")));
    let second = &plain.objects[1];
    assert_eq!(
        [before(&plain, second), behind(&plain, second), last(&plain)],
        [at(1, false, ""), at(2, true, ""), at(2, true, "")]
    );
    let list = stream(&format!(
        "apiVersion: v1\nkind: List\nitems: [{}, {}]\n",
        map("a"),
        map("b")
    ));
    let second = &list.objects[1];
    assert_eq!(
        [before(&list, second), behind(&list, second), last(&list)],
        [at(1, true, ""), at(1, true, ""), at(1, true, "")]
    );
    let krm = |items: &str| {
        stream(&format!(
            "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems: [{items}]\n"
        ))
    };
    let two = krm(&format!("{}, {}", map("a"), map("b")));
    let second = &two.objects[1];
    assert_eq!(
        [before(&two, second), behind(&two, second), last(&two)],
        [
            at(0, false, "/items/1"),
            at(0, true, "/items/2"),
            at(0, true, "/items/2")
        ]
    );
    assert_eq!(last(&krm("")), at(0, false, "/items/0"));
}

#[test]
fn what_comes_into_a_resource_list_names_the_file_of_its_neighbour() {
    let objects = |text: &str| -> Vec<Object> { stream(text).objects };
    let items: Vec<Value> = objects(&cluster("v2.6.16", false))
        .into_iter()
        .enumerate()
        .map(|(i, object)| {
            let mut value = Value::clone(&object.value);
            let file = format!("{}.yaml", object.reference.kind.to_lowercase());
            value["metadata"]["annotations"] = json!({
                "config.kubernetes.io/path": file, "config.kubernetes.io/index": i.to_string(),
                "internal.config.kubernetes.io/path": file, "internal.config.kubernetes.io/index": i.to_string(),
            });
            value
        })
        .collect();
    let list = json!({"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": items});
    let scenario = Scenario::of(&cluster("v2.5.16", false), &list.to_string());
    let judged = scenario.judge();
    for kind in ["Deployment", "Service"] {
        let value = brought(&judged, kind, "streamingnode").expect("a streaming node");
        let path = &value["metadata"]["annotations"]["config.kubernetes.io/path"];
        assert_eq!(path, &json!(format!("{}.yaml", kind.to_lowercase())), "{value}");
    }
}

/// The kind and name of what stands where a stream's documents are written out again, in order.
fn documents(scenario: &Scenario) -> Vec<(String, String)> {
    let judged = scenario.judge();
    let text = judged.text().unwrap_or_else(|| panic!("{:?}", judged.findings));
    let objects = stream(&text).objects;
    objects
        .into_iter()
        .map(|o| (o.reference.kind, o.reference.name))
        .collect()
}

#[test]
fn mixcoord_stands_before_the_first_that_it_replaces() {
    let all = cluster("v2.6.16", true);
    // What only served indexnode, and what leaves with rootcoord but is no Service, stand before all of them.
    let own = "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: a-first\n  namespace: ns\nspec:\n  ports:\n    - port: 9091\n  selector:\n    component: indexnode\n";
    let scaler = "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata:\n  name: rel-milvus-rootcoord\n  namespace: ns\nspec:\n  \
                  scaleTargetRef:\n    apiVersion: apps/v1\n    kind: Deployment\n    name: rel-milvus-rootcoord\n";
    let target = format!("{own}{scaler}{all}");
    let scenario = Scenario::of(&target.replace("v2.6.16", "v2.5.16"), &target).allow("MU105");
    let found = documents(&scenario);
    let at = |kind: &str, name: &str| {
        let wanted = (kind.to_owned(), name.to_owned());
        found
            .iter()
            .position(|o| *o == wanted)
            .unwrap_or_else(|| panic!("{kind} {name} in {found:?}"))
    };
    let stateful = at("StatefulSet", "rel-pulsarv3-proxy");
    assert_eq!(at("Service", "rel-milvus-mixcoord"), stateful + 1);
    assert_eq!(at("Deployment", "rel-milvus-mixcoord"), stateful + 2);
}

#[test]
fn the_pods_of_an_edited_configuration_restart_wherever_it_stands() {
    let other = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a-first\n  namespace: ns\ndata:\n  a: b\n";
    let target = format!("{other}{}", cluster("v2.6.16", true));
    let scenario = Scenario::of(&target.replace("v2.6.16", "v2.5.16"), &target)
        .allow("MU105")
        .values(STANDBY);
    let mixcoord = brought(&scenario.judge(), "Deployment", "mixcoord").unwrap();
    let sum = mixcoord
        .pointer("/spec/template/metadata/annotations/checksum~1config")
        .unwrap();
    assert_eq!(sum.as_str().map(str::len), Some(64), "{sum}");
}

#[test]
fn what_comes_says_why() {
    let changes = consolidation().judge().changes;
    let why = |role: &str| {
        let name = format!("rel-milvus-{role}");
        let is =
            |c: &&super::Change| c.op == ChangeOp::Inject && c.object.kind == "Deployment" && c.object.name == name;
        changes.iter().find(is).expect("it comes").why.clone()
    };
    assert_eq!(why("mixcoord"), "the four coordinators run as one mixcoord");
    assert_eq!(
        why("streamingnode"),
        "Milvus 2.6 keeps its write-ahead log in streaming nodes"
    );
}

/// A cluster whose querynodes are two Deployments, one for each of two resource groups.
fn grouped() -> Scenario {
    let querynode = |group: &str| {
        let text = crate::rules::testkit::deployment("querynode", "\"querynode\"", "v2.6.16")
            .replace("name: rel-milvus-querynode", &format!("name: rel-milvus-querynode-{group}"))
            .replace(
                "component: \"querynode\"",
                &format!("component: \"querynode\"\n        rg: __default_{group}\n        place: {group}\n        tier: gold"),
            )
            .replace(
                "          env:\n",
                &format!("          env:\n            - name: MILVUS_SERVER_LABEL_RESOURCE_GROUP\n              value: __default_{group}\n"),
            );
        // The labels of the object itself stand less deep.
        text.replacen("\n        rg:", "\n    rg:", 1)
            .replacen("\n        place:", "\n    place:", 1)
            .replacen("\n        tier:", "\n    tier:", 1)
            .replacen("\n        rg:", "\n      rg:", 1)
            .replacen("\n        place:", "\n      place:", 1)
            .replacen("\n        tier:", "\n      tier:", 1)
    };
    let one = Scenario::upgrade("v2.5.16", "v2.6.16").drop_target("Deployment", "rel-milvus-querynode");
    let one = one.drop_current("Deployment", "rel-milvus-querynode");
    let both = ["east", "west"].map(querynode).concat();
    one.add_target(&both).add_current(&both.replace("v2.6.16", "v2.5.16"))
}

#[test]
fn each_resource_group_of_the_querynodes_has_a_streaming_node_with_its_marks() {
    let judged = grouped().judge();
    assert!(!judged.refused(), "{:?}", judged.findings);
    let brought: Vec<&Value> = judged
        .changes
        .iter()
        .filter(|c| c.op == ChangeOp::Inject && c.object.kind == "Deployment")
        .filter_map(|c| c.patch[0].value.as_ref())
        .collect();
    let names: Vec<_> = brought
        .iter()
        .map(|v| v["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["rel-milvus-streamingnode-east", "rel-milvus-streamingnode-west"]
    );
    for (node, group) in brought.iter().zip(["east", "west"]) {
        let chosen = node.pointer("/spec/selector/matchLabels").unwrap();
        assert_eq!(chosen["rg"], json!(format!("__default_{group}")));
        assert_eq!(chosen["place"], *group);
        assert_eq!(chosen.get("tier"), None);
        let env = node.pointer("/spec/template/spec/containers/0/env/0").unwrap();
        assert_eq!(env["value"], json!(format!("__default_{group}")));
    }
}

#[test]
fn under_heaptrack_are_streaming_nodes_where_all_are() {
    let under = |scenario: Scenario, role: &str| {
        let (from, to) = (
            "args: [ \"milvus\"",
            "args: [ \"/milvus/tools/heaptrack/bin/heaptrack\", \"milvus\"",
        );
        let name = format!("rel-milvus-{role}");
        scenario
            .edit_in_target("Deployment", &name, from, to)
            .edit_in_current("Deployment", &name, from, to)
    };
    let first = |scenario: &Scenario| {
        let node = brought(&scenario.judge(), "Deployment", "streamingnode").expect("it comes");
        node.pointer("/spec/template/spec/containers/0/args/0")
            .cloned()
            .unwrap()
    };
    let most = ["mixcoord", "proxy", "querynode", "datanode"];
    let most = most.into_iter().fold(Scenario::upgrade("v2.5.16", "v2.6.16"), under);
    assert_eq!(first(&most), "milvus");
    assert_eq!(
        first(&under(most, "indexnode")),
        "/milvus/tools/heaptrack/bin/heaptrack"
    );
}

#[test]
fn beside_deployments_other_kinds_are_not_asked() {
    let placed = |scenario: Scenario, role: &str, kind: &str| {
        let name = format!("rel-milvus-{role}");
        let (from, to) = ("    spec:\n", "    spec:\n      nodeSelector:\n        disk: fast\n");
        let changed =
            scenario
                .edit_in_target("Deployment", &name, from, to)
                .edit_in_current("Deployment", &name, from, to);
        let kind = format!("kind: {kind}\n");
        changed
            .edit_in_target("Deployment", &name, "kind: Deployment\n", &kind)
            .edit_in_current("Deployment", &name, "kind: Deployment\n", &kind)
    };
    let selector = |scenario: &Scenario| {
        let node = brought(&scenario.judge(), "Deployment", "streamingnode").expect("it comes");
        node.pointer("/spec/template/spec/nodeSelector").cloned()
    };
    let base = || Scenario::upgrade("v2.5.16", "v2.6.16");
    assert_eq!(selector(&placed(base(), "querynode", "StatefulSet")), None);
    let roles = ["mixcoord", "proxy", "datanode", "indexnode"];
    let others = roles.into_iter().fold(base(), |s, role| placed(s, role, "Deployment"));
    assert_eq!(selector(&others), None);
    let bare = others
        .edit_in_target(
            "Deployment",
            "rel-milvus-querynode",
            "kind: Deployment\n",
            "kind: StatefulSet\n",
        )
        .edit_in_current(
            "Deployment",
            "rel-milvus-querynode",
            "kind: Deployment\n",
            "kind: StatefulSet\n",
        );
    assert_eq!(selector(&bare), Some(json!({"disk": "fast"})));
}
