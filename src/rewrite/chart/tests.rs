use super::*;
use crate::kube::Object;
use crate::rules::testkit::{Scenario, brought, cluster};
use crate::value::json;

fn values(given: Value) -> Values {
    Values::new(&[given], &[])
}

/// A workload with these fields in its Milvus container and its pod.
fn pod(container: Value, spec: Value, annotations: Value) -> Value {
    let mut all = json!({"metadata": {"annotations": annotations}, "spec": spec});
    all["spec"]["containers"] = json!([container]);
    json!({"spec": {"template": all}})
}

fn sibling(role: Role, annotations: Value) -> Sibling {
    (role, pod(json!({}), json!({}), annotations))
}

/// What becomes of a streaming node's annotations.
fn annotated(given: Value, own: Value, siblings: &[Sibling]) -> Value {
    let mut w = pod(json!({}), json!({}), own);
    pod_annotations(&mut w, &values(given), Role::StreamingNode, siblings);
    w.pointer("/spec/template/metadata/annotations").cloned().unwrap()
}

#[test]
fn global_annotations_are_those_of_siblings_without_their_own() {
    let sum = json!({"checksum/config": "c"});
    let both = |value: &str| json!({"checksum/config": "c", "team": value});
    let siblings = [sibling(Role::Proxy, both("a")), sibling(Role::DataNode, both("a"))];
    assert_eq!(annotated(json!({}), sum.clone(), &siblings), both("a"));
    // One with annotations of its own, or profiled, tells nothing of the others'.
    for own in [
        json!({"annotations": {"x": "y"}}),
        json!({"profiling": {"enabled": true}}),
    ] {
        let given = json!({"dataNode": own});
        let siblings = [sibling(Role::Proxy, both("a")), sibling(Role::DataNode, both("b"))];
        assert_eq!(annotated(given, sum.clone(), &siblings), both("a"));
    }
    // Where all have their own, the values say what is global.
    let given = json!({"annotations": {"team": "v"}, "proxy": {"annotations": {"x": "y"}}});
    assert_eq!(annotated(given, sum, &[sibling(Role::Proxy, both("a"))]), both("v"));
}

#[test]
fn a_component_is_profiled_and_mixcoord_has_annotations_of_its_own() {
    let own = json!({"annotations": {"own": "1"}, "profiling": {"enabled": true}});
    let given = json!({"streamingNode": own.clone(), "mixCoordinator": own});
    let profiled =
        json!({"pyroscope.io/scrape": "true", "pyroscope.io/application-name": NAME, "pyroscope.io/port": "9091"});
    assert_eq!(annotated(given.clone(), json!({}), &[]), profiled);
    let mut w = pod(json!({}), json!({}), json!({}));
    pod_annotations(&mut w, &values(given), Role::MixCoord, &[]);
    let mut with_own = profiled;
    with_own["own"] = json!("1");
    assert_eq!(w.pointer("/spec/template/metadata/annotations"), Some(&with_own));
}

#[test]
fn a_setting_is_the_component_s_or_that_of_siblings_without_one() {
    let with = |selector: Value| pod(json!({}), json!({ "nodeSelector": selector }), json!({}));
    let (a, b) = (json!({"disk": "a"}), json!({"disk": "b"}));
    let siblings = |first: &Value, second: &Value| {
        [
            (Role::Proxy, with(first.clone())),
            (Role::DataNode, with(second.clone())),
        ]
    };
    let of = |given: Value, siblings: &[Sibling]| {
        let pointer = "/spec/template/spec/nodeSelector";
        component_or_global(&values(given), Role::StreamingNode, "nodeSelector", siblings, pointer)
    };
    let own = json!({"streamingNode": {"nodeSelector": b.clone()}});
    assert_eq!(of(own, &siblings(&a, &a)), Some(b.clone()));
    assert_eq!(of(json!({}), &siblings(&a, &a)), Some(a.clone()));
    // One with an override is not asked.
    let overridden = json!({"dataNode": {"nodeSelector": b.clone()}});
    assert_eq!(of(overridden.clone(), &siblings(&a, &b)), Some(a.clone()));
    // Those that disagree although none has an override, or all that have one: what is given.
    let global = json!({"nodeSelector": {"disk": "v"}});
    assert_eq!(of(global.clone(), &siblings(&a, &b)), Some(json!({"disk": "v"})));
    assert_eq!(of(json!({}), &siblings(&a, &b)), None);
    assert_eq!(of(json!({}), &siblings(&json!({}), &json!({}))), None);
    let all =
        json!({"nodeSelector": {"disk": "v"}, "dataNode": {"nodeSelector": b.clone()}, "proxy": {"nodeSelector": b}});
    assert_eq!(of(all, &siblings(&a, &a)), Some(json!({"disk": "v"})));
}

#[test]
fn charts_before_spread_constraints_render_none() {
    let spread = json!([{"topologyKey": "zone"}]);
    let given =
        values(json!({"streamingNode": {"topologySpreadConstraints": spread.clone(), "tolerations": [{"key": "a"}]}}));
    for (chart, want) in [
        (None, Some(&spread)),
        (Some("4.2.58"), Some(&spread)),
        (Some("4.1.33"), None),
    ] {
        let mut w = pod(json!({}), json!({}), json!({}));
        scheduling(&mut w, &given, Role::StreamingNode, &[], chart);
        let spec = w.pointer("/spec/template/spec").unwrap();
        assert_eq!(spec.get("topologySpreadConstraints"), want, "{chart:?}");
        assert_eq!(spec["tolerations"], json!([{"key": "a"}]), "{chart:?}");
    }
}

#[test]
fn replicas_are_a_number_or_an_autoscaler_s() {
    for (given, want) in [
        (json!({}), json!({"replicas": 1})),
        (json!({"replicas": 3}), json!({"replicas": 3})),
        (json!({"replicas": 0}), json!({"replicas": 0})),
        (json!({"replicas": "2"}), json!({"replicas": 2})),
        (json!({"replicas": -1}), json!({})),
        (json!({"replicas": null}), json!({})),
        (
            json!({"strategy": {"type": "Recreate"}}),
            json!({"replicas": 1, "strategy": {"type": "Recreate"}}),
        ),
    ] {
        let mut w = json!({"spec": {"replicas": 7, "strategy": {"type": "x"}}});
        replicas_and_strategy(&mut w, &values(json!({ "streamingNode": given })), Role::StreamingNode);
        assert_eq!(w["spec"], want, "{given}");
    }
}

#[test]
fn variables_of_others_stay_with_them() {
    let var = |name: &str| json!({"name": name, "value": "v"});
    let shared = [
        var("OF_ALL"),
        var("OF_PROXY"),
        var(STREAMING_SWITCH),
        var(LIBRARIES),
        var(RESOURCE_GROUP),
    ];
    let given = json!({
        "proxy": {"extraEnv": [var("OF_PROXY")]},
        "streamingNode": {"extraEnv": [var("OWN"), var(STREAMING_SWITCH)], "heaptrack": {"enabled": true}},
    });
    let mut w = pod(json!({"env": shared.to_vec()}), json!({}), json!({}));
    let container = format!("{CONTAINERS}/0");
    env(
        &mut w,
        &values(given),
        Role::StreamingNode,
        &[sibling(Role::Proxy, json!({}))],
        &container,
    );
    let libraries = json!({"name": LIBRARIES, "value": "/milvus/tools/heaptrack/lib:/milvus/lib:/usr/lib"});
    let found = w.pointer(&format!("{container}/env")).unwrap();
    assert_eq!(found, &json!([var("OF_ALL"), libraries, var("OWN")]));
    env(
        &mut w,
        &values(json!({})),
        Role::StreamingNode,
        &[sibling(Role::Proxy, json!({}))],
        &container,
    );
    let found = w.pointer(&format!("{container}/env")).unwrap();
    assert_eq!(found, &json!([var("OF_ALL"), var("OWN")]));
}

#[test]
fn heaptrack_comes_and_goes_with_all_that_belongs_to_it() {
    let plain = pod(
        json!({"args": ["/tini", "/bin/milvus", "run", "x"], "env": [{"name": "A"}], "securityContext": {"runAsUser": 1}}),
        json!({"initContainers": [{"name": "config"}]}),
        json!({}),
    );
    assert!(!has_traces_of_heaptrack(&plain) && !has_heaptrack(&plain));
    let on = values(json!({"proxy": {"heaptrack": {"enabled": true}}, "heaptrack": {"image": {"tag": "v1"}}}));
    let container = format!("{CONTAINERS}/0");
    let mut under = plain.clone();
    heaptrack(&mut under, &on, Role::Proxy, &container);
    assert!(has_heaptrack(&under) && has_traces_of_heaptrack(&under));
    assert_eq!(
        under.pointer(&format!("{container}/args")),
        Some(&json!(["/tini", HEAPTRACK, "/bin/milvus", "run", "x"]))
    );
    let init = under.pointer("/spec/template/spec/initContainers").unwrap();
    assert_eq!(
        (&init[0]["name"], &init[0]["image"]),
        (&json!("heaptrack"), &json!("milvusdb/heaptrack:v1"))
    );
    assert_eq!(
        (&init[0]["securityContext"], &init[1]["name"]),
        (&json!({"runAsUser": 1}), &json!("config"))
    );
    // What starts nothing has no prefix; where milvus is not named, it stands first.
    let tini = pod(
        json!({"command": ["/tini", "--"], "args": ["run", "x"]}),
        json!({}),
        json!({}),
    );
    let mut prefixed = tini.clone();
    heaptrack(&mut prefixed, &on, Role::Proxy, &container);
    assert_eq!(
        prefixed.pointer(&format!("{container}/command")),
        Some(&json!(["/tini", "--"]))
    );
    assert_eq!(
        prefixed.pointer(&format!("{container}/args")),
        Some(&json!([HEAPTRACK, "run", "x"]))
    );
    // Once, however often.
    let mut again = under.clone();
    without_heaptrack(&mut again);
    assert_eq!(again, plain);
    heaptrack(&mut again, &on, Role::Proxy, &container);
    assert_eq!(again, under);
    // Each part alone is a trace of it.
    let library = pod(json!({"env": [{"name": LIBRARIES}]}), json!({}), json!({}));
    let init = pod(json!({}), json!({"initContainers": [{"name": "heaptrack"}]}), json!({}));
    let command = pod(json!({"command": [HEAPTRACK]}), json!({}), json!({}));
    for (trace, runs) in [(library, false), (init, false), (command, true)] {
        assert!(has_traces_of_heaptrack(&trace), "{trace}");
        assert_eq!(has_heaptrack(&trace), runs, "{trace}");
    }
}

#[test]
fn an_item_stands_behind_its_neighbour() {
    let names = |neighbour: &str| {
        let mut w = json!({"l": [{"name": "a"}, {"name": "b"}, {"name": "c"}]});
        after(&mut w, "/l", neighbour, json!({"name": "new"}));
        let all = w["l"].as_array().unwrap().iter();
        all.map(|v| v["name"].as_str().unwrap().to_owned()).collect::<String>()
    };
    assert_eq!([names("a"), names("b"), names("z")], ["anewbc", "abnewc", "abcnew"]);
}

#[test]
fn a_streaming_node_of_woodpecker_has_its_volume() {
    let made = |values: &str, role: &str| {
        let scenario = Scenario::consolidation("v2.5.16", "v2.6.16").values(values);
        let workload = brought(&scenario.judge(), "Deployment", role);
        workload.expect("it comes").to_string()
    };
    let on = "woodpecker: {enabled: true}\n";
    assert!(made(on, "streamingnode").contains("\"emptyDir\""));
    assert!(!made(on, "mixcoord").contains("\"emptyDir\""));
    assert!(!made("{}", "streamingnode").contains("\"emptyDir\""));
}

#[test]
fn a_chart_s_version_is_behind_its_name() {
    let of = |label: Value| {
        let metadata = json!({"name": "a", "labels": {"helm.sh/chart": label}});
        let object = json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata});
        chart_of(&Object::all_in(0, object).unwrap()[0])
    };
    assert_eq!(of(json!("milvus-4.2.58")), Some("4.2.58".to_owned()));
    assert_eq!(of(json!("my-milvus-2fork-1.0.0_x")), Some("2fork-1.0.0+x".to_owned()));
    assert_eq!(of(json!("milvus")), None);
    assert!(cluster("v2.5.16", false).contains("helm.sh/chart: milvus-4.2.58"));
}
