use crate::rules::testkit::Scenario;

fn lost(scenario: &Scenario) -> Vec<String> {
    let found = scenario.of_rule("MU113").into_iter();
    found.map(|f| f.message).collect()
}

fn upgrade() -> Scenario {
    Scenario::upgrade("v2.5.16", "v2.6.16")
}

/// A StatefulSet with its headless Service.
fn part(name: &str, labels: &str, more: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  namespace: ns\nspec:\n  clusterIP: None\n  selector: {{{labels}}}\n\
         ---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: {name}\n  namespace: ns\nspec:\n  serviceName: {name}\n  replicas: 3\n  \
         selector:\n    matchLabels: {{{labels}}}\n  template:\n    metadata:\n      labels: {{{labels}}}\n    spec:\n      containers:\n        \
         - name: c\n          image: other:1\n{more}"
    )
}

const PARTS: [&str; 4] = ["bookie", "zookeeper", "broker", "recovery"];

/// A release with all of a bundled Pulsar, whose proxy is what Milvus talks to.
fn pulsar() -> Scenario {
    let parts = PARTS.map(|p| {
        let labels = format!("app: pulsarv3, release: rel, component: {p}");
        part(&format!("rel-pulsarv3-{p}"), &labels, "")
    });
    let [current, target] = ["v2.5.16", "v2.6.16"].map(|tag| {
        let mut text = crate::rules::testkit::cluster(tag, false);
        for indent in ["    ", "      ", "        "] {
            let labels = ["component: proxy", "app: pulsarv3", "release: rel"].map(|l| format!("{indent}{l}\n"));
            text = text.replace(
                &format!("\n{indent}component: pulsar-proxy\n"),
                &format!("\n{}", labels.concat()),
            );
        }
        text + &parts.concat()
    });
    Scenario::of(&current, &target)
}

#[test]
fn what_pulsar_keeps_its_log_in_stays_while_it_is_used() {
    assert!(lost(&pulsar()).is_empty());
    for name in PARTS {
        let whole = format!("rel-pulsarv3-{name}");
        let without = pulsar().drop_target("StatefulSet", &whole);
        let all = lost(&without);
        assert_eq!(all.len(), usize::from(name != "recovery"), "{all:?}");
        assert!(
            all.iter()
                .all(|m| m.contains(&format!("it is the {name} behind")) && m.contains("pulsar.address"))
        );
        // Renamed, it begins anew; brokers have nothing to lose.
        let renamed = pulsar().edit_in_target(
            "StatefulSet",
            &whole,
            &format!("  name: {whole}\n"),
            "  name: another\n",
        );
        let all = lost(&renamed);
        assert_eq!(
            all.len(),
            usize::from(["bookie", "zookeeper"].contains(&name)),
            "{all:?}"
        );
        assert!(all.iter().all(|m| m.contains("empty volumes")), "{all:?}");
        // What rests is not used, what is kept stays.
        let (from, to) = ("  replicas: 3\n", "  replicas: 0\n");
        assert!(lost(&without.clone().edit_in_current("StatefulSet", &whole, from, to)).is_empty());
        let keep = "  namespace: ns\n  annotations: {helm.sh/resource-policy: keep}\n";
        let kept = without.edit_in_current("StatefulSet", &whole, "  namespace: ns\n", keep);
        assert!(lost(&kept).is_empty());
    }
}

#[test]
fn a_queue_that_is_not_used_any_more_may_leave() {
    let bare = PARTS.iter().fold(pulsar(), |s, p| {
        s.drop_target("StatefulSet", &format!("rel-pulsarv3-{p}"))
    });
    let elsewhere = bare
        .clone()
        .edit_target("address: rel-pulsarv3-proxy", "address: bus.corp.example");
    assert!(lost(&elsewhere).is_empty(), "MU304 says it: {:?}", lost(&elsewhere));
    assert_eq!(elsewhere.of_rule("MU304").len(), 1);
    let kafka = bare.edit_target("type: pulsar", "type: kafka");
    assert!(lost(&kafka).is_empty(), "MU301 says it: {:?}", lost(&kafka));
}

#[test]
fn another_release_s_pulsar_in_a_live_list_is_nobody_s_loss() {
    let live = "  namespace: ns\n  uid: u\n  labels: {release: two}\n";
    let scenario = pulsar()
        .drop_target("StatefulSet", "rel-pulsarv3-bookie")
        .edit_in_current("StatefulSet", "rel-pulsarv3-bookie", "  namespace: ns\n", live);
    assert!(lost(&scenario).is_empty(), "{:?}", lost(&scenario));
    let own = pulsar()
        .drop_target("StatefulSet", "rel-pulsarv3-bookie")
        .edit_in_current(
            "StatefulSet",
            "rel-pulsarv3-bookie",
            "  namespace: ns\n",
            &live.replace("two", "rel"),
        );
    assert_eq!(lost(&own).len(), 1);
}

#[test]
fn what_helm_says_to_be_another_s_is_nobody_s_loss() {
    let live = |by: &str| format!("  uid: u\n  annotations: {{meta.helm.sh/release-name: {by}}}\n");
    for (by, told) in [("rel", 1), ("two", 0)] {
        let chart = "  labels:\n    helm.sh/chart";
        let scenario = pulsar()
            .drop_target("StatefulSet", "rel-pulsarv3-bookie")
            .edit_current(chart, &format!("{}{chart}", live("rel")))
            .edit_in_current(
                "StatefulSet",
                "rel-pulsarv3-bookie",
                "  namespace: ns\n",
                &format!("  namespace: ns\n{}", live(by)),
            );
        assert_eq!(lost(&scenario).len(), told, "{by}: {:?}", lost(&scenario));
    }
}

#[test]
fn kafka_needs_its_zookeeper_as_long_as_it_names_it() {
    let kafka = |connect: &str| {
        let labels = "app.kubernetes.io/name: kafka, app.kubernetes.io/instance: rel";
        part(
            "rel-kafka",
            labels,
            &format!("          env:\n            - {{name: KAFKA_CFG, value: \"{connect}\"}}\n"),
        )
    };
    let keeper = part(
        "rel-zookeeper",
        "app.kubernetes.io/name: zookeeper, app.kubernetes.io/instance: rel",
        "",
    );
    let queue = |s: Scenario| {
        let to = "type: kafka\n    kafka:\n      brokerList: rel-kafka:9092\n";
        let from = "type: pulsar\n    pulsar:\n      address: rel-pulsarv3-proxy\n      port: 6650\n";
        s.edit_target(from, to).edit_current(from, to)
    };
    let zookeeper = "rel-zookeeper.ns.svc:2181";
    let start = queue(upgrade()).add_current(&(kafka(zookeeper) + &keeper));
    for (stays, connect, told) in [
        (true, zookeeper, 0),
        (false, zookeeper, 1),
        (false, "process.roles=broker,controller", 0),
        (false, "zk.corp.example:2181", 0),
    ] {
        let rest = if stays { &keeper[..] } else { "" };
        let all = lost(&start.clone().add_target(&(kafka(connect) + rest)));
        assert_eq!(all.len(), told, "{connect}: {all:?}");
    }
}

#[test]
fn a_service_behind_an_address_is_not_lost() {
    for name in ["rel-etcd", "rel-minio", "rel-pulsarv3-proxy"] {
        let without = upgrade().drop_target("Service", name);
        let all = lost(&without);
        assert!(
            all.len() == 1
                && all[0].starts_with(&format!(
                    "Service {name} (namespace ns) is deployed, Milvus still uses it"
                )),
            "{all:?}"
        );
        let kept = without.edit_in_current(
            "Service",
            name,
            "  namespace: ns\n",
            "  namespace: ns\n  annotations: {helm.sh/resource-policy: keep}\n",
        );
        assert!(lost(&kept).is_empty());
    }
    // One that somebody made in the cluster.
    let made = upgrade().drop_target("Service", "rel-etcd").edit_in_current(
        "Service",
        "rel-etcd",
        "  namespace: ns\n",
        "  namespace: ns\n  uid: u\n",
    );
    assert!(lost(&made).is_empty());
    // Renamed together with the address.
    let renamed = upgrade()
        .edit_in_target("Service", "rel-etcd", "name: rel-etcd\n", "name: keeper\n")
        .edit_in_target(
            "StatefulSet",
            "rel-etcd",
            "serviceName: rel-etcd",
            "serviceName: rel-etcd",
        )
        .edit_target("rel-etcd.ns.svc:2379", "keeper.ns.svc:2379");
    let all = lost(&renamed);
    assert!(
        all.len() == 1 && all[0].contains("the pods of rel-etcd need it"),
        "its governing Service: {all:?}"
    );
}

#[test]
fn what_the_pods_of_a_store_need_is_not_lost() {
    let map = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: rel-etcd-env\n  namespace: ns\ndata: {A: b}\n";
    let from = "          image: other:1\n";
    let with = format!("{from}          envFrom:\n            - configMapRef: {{name: rel-etcd-env}}\n");
    let scenario = upgrade()
        .edit_in_target("StatefulSet", "rel-etcd", from, &with)
        .edit_in_current("StatefulSet", "rel-etcd", from, &with)
        .add_current(map);
    assert!(lost(&scenario.clone().add_target(map)).is_empty());
    let all = lost(&scenario);
    assert!(
        all.len() == 1 && all[0].contains("the pods of rel-etcd need it"),
        "{all:?}"
    );
}

#[test]
fn nothing_that_milvus_stands_on_is_scaled_to_zero_below_it() {
    let from = "  serviceName: rel-etcd\n";
    let to = format!("{from}  replicas: 0\n");
    let stopped = upgrade().edit_in_target("StatefulSet", "rel-etcd", from, &to);
    let all = lost(&stopped);
    assert!(
        all.len() == 1 && all[0].contains("would be scaled to zero, and Milvus"),
        "{all:?}"
    );
    assert!(lost(&stopped.clone().edit_in_current("StatefulSet", "rel-etcd", from, &to)).is_empty());
    let asleep = stopped
        .edit_target("  replicas: 1\n", "  replicas: 0\n")
        .values("streamingNode: {replicas: 0}\n");
    assert!(lost(&asleep).is_empty(), "{:?}", lost(&asleep));
    for name in PARTS {
        let whole = format!("rel-pulsarv3-{name}");
        let all = lost(&pulsar().edit_in_target("StatefulSet", &whole, "  replicas: 3\n", "  replicas: 0\n"));
        assert_eq!(all.len(), usize::from(name != "recovery"), "{all:?}");
    }
}

#[test]
fn the_service_for_clients_is_not_lost() {
    let service = |name: &str, port: &str| {
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  namespace: ns\nspec:\n  ports: [{port}]\n  selector: {{app.kubernetes.io/instance: rel, component: proxy}}\n"
        )
    };
    let (door, metrics) = (
        "{name: milvus, port: 19530, targetPort: milvus}",
        "{name: metrics, port: 9091}",
    );
    let deployed = upgrade().add_current(&service("rel-milvus", door));
    let all = lost(&deployed);
    assert!(
        all.len() == 1 && all[0].starts_with("Service rel-milvus (namespace ns) is deployed, clients reach"),
        "{all:?}"
    );
    assert_eq!(
        lost(&deployed.clone().add_target(&service("rel-metrics", metrics))).len(),
        1
    );
    assert!(lost(&deployed.clone().add_target(&service("rel-milvus", door))).is_empty());
    assert!(lost(&deployed.add_target(&service("another", door))).is_empty());
    for other in [metrics, "{name: metrics, port: 9090}", "{name: x, port: 9091}"] {
        assert!(
            lost(&upgrade().add_current(&service("rel-metrics", other))).is_empty(),
            "{other}"
        );
    }
    let inner = service("rel-inner", "{name: grpc, port: 21124}").replace("component: proxy", "component: datanode");
    assert!(lost(&upgrade().add_current(&inner)).is_empty());
}
