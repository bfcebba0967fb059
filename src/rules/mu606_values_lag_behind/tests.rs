use crate::rules::testkit::{Scenario, cluster, cluster26, deployment};
use crate::stage::Stage;

fn help(scenario: &Scenario) -> String {
    scenario.of_rule("MU606").remove(0).help
}

fn values(scenario: &Scenario) -> crate::value::Value {
    let text = help(scenario);
    let yaml = text.split_once(":\n").unwrap().1.split("\n(").next().unwrap();
    crate::yaml::read(yaml).unwrap().unwrap()
}

#[test]
fn only_what_the_stream_shows_to_be_otherwise_is_switched() {
    let scenario = Scenario::upgrade("v2.5.16", "v2.6.16").values("{}");
    assert_eq!(
        values(&scenario),
        crate::value::json!({"streaming": {"enabled": true}, "indexNode": {"enabled": false}})
    );
    let finding = scenario.of_rule("MU606").remove(0);
    assert!(finding.message.contains("render indexnode and no streamingnode"));
    assert!(finding.location.is_some());
}

#[test]
fn separate_coordinators_are_switched_off_one_by_one() {
    let target = cluster("v2.6.16", true);
    let scenario = Scenario::of(&cluster("v2.5.16", false), &target).values("{}");
    let off = crate::value::json!({"enabled": false});
    assert_eq!(
        values(&scenario),
        crate::value::json!({"mixCoordinator": {"enabled": true}, "streaming": {"enabled": true}, "rootCoordinator": off, "queryCoordinator": off,
            "dataCoordinator": off, "indexCoordinator": off, "indexNode": off})
    );
}

#[test]
fn without_values_what_comes_is_said_whole() {
    let target = cluster("v2.6.16", true);
    let scenario = Scenario::of(&cluster("v2.5.16", false), &target)
        .size_target("rootcoord", "cpu: 1")
        .size_target("querycoord", "cpu: 1")
        .size_target("datacoord", "cpu: 1")
        .size_target("indexcoord", "cpu: 500m")
        .env_target("datacoord", "            - name: GOGC\n              value: \"50\"\n            - name: SOME_TOKEN\n              value: hunter2\n");
    let found = values(&scenario);
    assert_eq!(
        found["mixCoordinator"]["resources"],
        crate::value::json!({"limits": {"cpu": "3500m"}})
    );
    assert_eq!(found["mixCoordinator"]["extraEnv"][0]["name"], "GOGC");
    let text = help(&scenario);
    assert!(
        text.contains("with --values") && text.contains("*** stands for a secret") && !text.contains("hunter2"),
        "{text}"
    );
}

#[test]
fn what_comes_as_the_chart_makes_it_needs_its_switch_alone() {
    let scenario = Scenario::upgrade("v2.5.16", "v2.6.16");
    assert_eq!(
        values(&scenario),
        crate::value::json!({"streaming": {"enabled": true}, "indexNode": {"enabled": false}})
    );
    assert!(help(&scenario).contains("(read from the manifests alone"));
    assert!(!help(&scenario.values("{}")).contains("(read from the manifests alone"));
}

#[test]
fn a_mixcoord_that_comes_as_the_chart_makes_it_needs_its_switch_alone() {
    let found = values(&Scenario::consolidation("v2.5.10", "v2.5.16"));
    assert_eq!(found["mixCoordinator"], crate::value::json!({"enabled": true}));
}

#[test]
fn heaptrack_is_a_switch_and_no_environment() {
    let env = "            - name: LD_LIBRARY_PATH\n              value: /milvus/tools/heaptrack/lib:/milvus/lib:/usr/lib\n            \
               - name: GOGC\n              value: \"50\"\n";
    let scenario = Scenario::upgrade("v2.5.16", "v2.6.16")
        .edit_target(
            "\"milvus\", \"run\"",
            "\"/milvus/tools/heaptrack/bin/heaptrack\", \"milvus\", \"run\"",
        )
        .edit_target("          env:\n", &format!("          env:\n{env}"));
    assert_eq!(
        values(&scenario)["streamingNode"],
        crate::value::json!({"heaptrack": {"enabled": true}, "extraEnv": [{"name": "GOGC", "value": "50"}]})
    );
}

#[test]
fn annotations_of_the_coordinators_pods_come_along_those_of_all_do_not() {
    let sum = "        checksum/config: 0123456789abcdef\n";
    let profiled = |role: &str| {
        format!(
            "{sum}        pyroscope.io/scrape: \"true\"\n        pyroscope.io/application-name: rel-milvus-{role}\n        \
             pyroscope.io/port: \"9091\"\n        sidecar.istio.io/inject: \"false\"\n"
        )
    };
    let roles = ["rootcoord", "querycoord", "datacoord", "indexcoord"];
    let scenario = Scenario::consolidation("v2.5.10", "v2.5.16");
    let own = roles.into_iter().fold(scenario.clone(), |s, role| {
        s.edit_in_target("Deployment", &format!("rel-milvus-{role}"), sum, &profiled(role))
    });
    let inject = crate::value::json!({"sidecar.istio.io/inject": "false"});
    assert_eq!(
        values(&own)["mixCoordinator"],
        crate::value::json!({"enabled": true, "profiling": {"enabled": true}, "annotations": inject})
    );
    // Half of it is not what the switch gives.
    let half = own.edit_target("        pyroscope.io/port: \"9091\"\n", "");
    let found = &values(&half)["mixCoordinator"];
    assert_eq!(found.get("profiling"), None);
    assert_eq!(
        found["annotations"]["pyroscope.io/application-name"],
        "rel-milvus-mixcoord"
    );
    let of_all = scenario
        .edit_target(
            "  namespace: ns\n  labels:\n    helm",
            "  namespace: ns\n  annotations:\n    team: a\n  labels:\n    helm",
        )
        .edit_target(sum, &format!("{sum}        team: a\n"));
    assert_eq!(
        values(&of_all)["mixCoordinator"],
        crate::value::json!({"enabled": true})
    );
}

#[test]
fn streaming_nodes_that_are_profiled_are_switched_so() {
    let roles = ["mixcoord", "proxy", "querynode", "datanode", "indexnode"];
    let sum = "        checksum/config: 0123456789abcdef\n";
    let scenario = roles.into_iter().fold(Scenario::upgrade("v2.5.16", "v2.6.16"), |s, role| {
        let with = format!(
            "{sum}        pyroscope.io/scrape: \"true\"\n        pyroscope.io/application-name: rel-milvus-{role}\n        \
             pyroscope.io/port: \"9091\"\n        sidecar.istio.io/inject: \"false\"\n"
        );
        s.edit_in_target("Deployment", &format!("rel-milvus-{role}"), sum, &with)
    });
    let on = crate::value::json!({"profiling": {"enabled": true}});
    assert_eq!(values(&scenario)["streamingNode"], on);
}

#[test]
fn an_older_chart_s_streaming_switch_restarts_all_pods_once() {
    let at = |chart: &str, values: Option<&str>| {
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16").edit_target("milvus-4.2.58", &format!("milvus-{chart}"));
        help(&values.map_or(scenario.clone(), |values| scenario.values(values)))
    };
    for values in [None, Some("{}")] {
        let old = at("4.2.58", values);
        assert!(
            old.contains("chart 4.2.58 also writes MILVUS_STREAMING_SERVICE_ENABLED=1")
                && old.contains("Charts from 5.0.0 on"),
            "{old}"
        );
    }
    for quiet in [at("5.0.0", Some("{}")), at("4.1.33", None)] {
        assert!(!quiet.contains("MILVUS_STREAMING_SERVICE_ENABLED"), "{quiet}");
    }
    let within = Scenario::consolidation("v2.5.10", "v2.5.16");
    assert!(!help(&within).contains("MILVUS_STREAMING_SERVICE_ENABLED"));
}

#[test]
fn without_values_it_is_promised_as_far_as_the_manifests_show() {
    let scenario = Scenario::upgrade("v2.5.16", "v2.6.16");
    assert!(help(&scenario).contains("applied now, as far as the manifests show, and this can"));
    assert!(help(&scenario.values("{}")).contains("applied now, and this can"));
}

#[test]
fn where_a_role_only_leaves_that_alone_is_said() {
    let streaming = deployment("streamingnode", "\"streamingnode\"", "v2.6.16");
    let scenario = Scenario::upgrade("v2.5.16", "v2.6.16").add_target(&streaming);
    assert_eq!(
        values(&scenario),
        crate::value::json!({"indexNode": {"enabled": false}})
    );
    let finding = scenario.of_rule("MU606").remove(0);
    assert!(
        finding
            .message
            .starts_with("the values still render indexnode, and Milvus"),
        "{}",
        finding.message
    );
    assert!(!finding.help.contains("(read from"), "{}", finding.help);
}

#[test]
fn a_chart_that_cannot_render_a_streamingnode_is_told_so() {
    let at = |chart: &str| {
        help(&Scenario::upgrade("v2.5.16", "v2.6.16").edit_target("milvus-4.2.58", &format!("milvus-{chart}")))
    };
    let old = at("4.1.33");
    assert!(
        old.contains("(chart 4.1.33 has no template for streamingnode: move to a chart of 2.6 first)"),
        "{old}"
    );
    assert!(!at("4.2.58").contains("has no template"), "{}", at("4.2.58"));
    let within = Scenario::consolidation("v2.5.10", "v2.5.16").edit_target("milvus-4.2.58", "milvus-4.1.33");
    assert!(!help(&within).contains("has no template"), "{}", help(&within));
}

#[test]
fn a_consolidation_switches_the_coordinators_alone() {
    let scenario = Scenario::consolidation("v2.5.10", "v2.5.16").values("{}");
    let found = values(&scenario);
    assert!(found.get("indexNode").is_none() && found.get("streaming").is_none());
    assert_eq!(found["mixCoordinator"]["enabled"], true);
}

#[test]
fn in_an_umbrella_they_stand_below_the_subchart_s_key() {
    let scenario = Scenario::upgrade("v2.5.16", "v2.6.16")
        .edit_target("# Source: milvus/templates", "# Source: stack/charts/vectors/templates")
        .values("{}");
    assert_eq!(values(&scenario)["vectors"]["indexNode"]["enabled"], false);
}

#[test]
fn the_last_stage_tells_those_before_do_not() {
    let at = |n| {
        Scenario::upgrade("v2.5.16", "v2.6.16")
            .stage(Stage::At(n))
            .of_rule("MU606")
            .len()
    };
    assert_eq!((at(1), at(4), at(5)), (0, 0, 1));
}

#[test]
fn a_stream_that_is_applied_as_it_came_is_quiet() {
    assert!(Scenario::upgrade("v2.6.6", "v2.6.16").of_rule("MU606").is_empty());
    assert!(
        Scenario::of(&cluster("v2.5.16", false), &cluster26("v2.6.16"))
            .of_rule("MU606")
            .is_empty()
    );
    assert!(Scenario::upgrade("v2.5.16", "v2.5.22").of_rule("MU606").is_empty());
    assert!(
        Scenario::standalone("v2.5.16", "v2.6.16", "rocksmq")
            .of_rule("MU606")
            .is_empty()
    );
}

#[test]
fn replicas_are_said_where_they_are_not_one() {
    let of = |replicas: u8| {
        let two = format!("replicas: {replicas}");
        let scenario = Scenario::consolidation("v2.5.10", "v2.5.16")
            .edit_target("replicas: 1", &two)
            .edit_target("enableActiveStandby: false", "enableActiveStandby: true");
        values(&scenario)["mixCoordinator"].clone()
    };
    let standby = crate::value::json!({"enabled": true});
    let with = |mut own: crate::value::Value| {
        own["enabled"] = true.into();
        own["activeStandby"] = standby.clone();
        own
    };
    assert_eq!(of(1), with(crate::value::json!({})));
    assert_eq!(of(2), with(crate::value::json!({"replicas": 2})));
}
