use super::*;
use crate::milvus::config::UnknownWhy;
use crate::milvus::config::tests::config;

const V25: (u64, u64) = (2, 5);
const V26: (u64, u64) = (2, 6);

fn queue(default: &str, user: &str, env: &str, line: (u64, u64), standalone: bool) -> Queue {
    resolve(&config(default, user, env, line >= V26), line, standalone).unwrap()
}

#[test]
fn an_explicit_type_wins() {
    for (text, mq) in [
        ("pulsar", Mq::Pulsar),
        ("kafka", Mq::Kafka),
        ("rocksmq", Mq::RocksMq),
        ("natsmq", Mq::NatsMq),
        ("woodpecker", Mq::Woodpecker),
        ("Pulsar", Mq::Other("Pulsar".into())),
    ] {
        let found = queue(
            &format!("mq: {{type: {text}}}\nkafka: {{brokerList: k}}"),
            "",
            "{}",
            V25,
            true,
        );
        assert_eq!(found.mq, mq);
        assert!(found.explicit);
        assert_eq!(found.mq.as_str(), text);
        assert_eq!(found.origin.unwrap().path, "/data/default.yaml#/mq/type");
    }
    let found = queue(
        "mq: {type: pulsar}",
        "mq: {type: kafka}",
        "{env: [{name: MQTYPE, value: rocksmq}]}",
        V25,
        true,
    );
    assert_eq!(found.mq, Mq::RocksMq);
    // Read by no Milvus.
    let found = queue("messageQueue: kafka\nmq: {type: pulsar}", "", "{}", V25, false);
    assert_eq!(found.mq, Mq::Pulsar);
}

#[test]
fn default_resolves_as_milvus_does() {
    let no_rocks = "rocksmq: {path: ''}\n";
    let no_pulsar = "pulsar: {address: ''}\n";
    let kafka = "kafka: {brokerList: 'k:9092'}\n";
    let none = format!("{no_rocks}{no_pulsar}");
    for (text, line, standalone, expected) in [
        (String::new(), V25, true, Some(Mq::RocksMq)),
        (String::new(), V26, true, Some(Mq::RocksMq)),
        ("mq: {type: default}".to_owned(), V26, true, Some(Mq::RocksMq)),
        // The image has an address of Pulsar.
        (String::new(), V26, false, Some(Mq::Pulsar)),
        (kafka.to_owned(), V26, false, Some(Mq::Pulsar)),
        (no_rocks.to_owned(), V26, true, Some(Mq::Pulsar)),
        (format!("{no_pulsar}{kafka}"), V25, false, Some(Mq::Kafka)),
        (format!("{none}{kafka}"), V26, true, Some(Mq::Kafka)),
        (none.clone(), V26, true, Some(Mq::Woodpecker)),
        (no_pulsar.to_owned(), V26, false, Some(Mq::Woodpecker)),
        (none.clone(), V25, true, None),
        (no_pulsar.to_owned(), V25, false, None),
        ("mq: {type: null}".to_owned(), V26, false, None),
    ] {
        let found = resolve(&config(&text, "", "{}", true), line, standalone);
        match (found, expected) {
            (Ok(queue), Some(mq)) => {
                assert_eq!(queue.mq, mq, "{text} {line:?} {standalone}");
                assert!(!queue.explicit);
            }
            (Err(unknown), None) => assert_eq!(unknown.why, UnknownWhy::Unresolvable),
            (found, expected) => {
                panic!("{text} {line:?} {standalone}: {found:?}, not {expected:?}")
            }
        }
    }
}

#[test]
fn what_may_be_overridden_is_unknown() {
    let hidden = "{env: [{name: MQ_TYPE, valueFrom: {configMapKeyRef: {name: x, key: y}}}]}";
    let c = config("mq: {type: pulsar}", "", hidden, true);
    assert_eq!(resolve(&c, V26, false).unwrap_err().why, UnknownWhy::ValueFrom);
    // The type is certain, the broker is not.
    let hidden = "{env: [{name: PULSAR_ADDRESS, valueFrom: {secretKeyRef: {name: x, key: y}}}]}";
    let c = config("mq: {type: pulsar}", "", hidden, true);
    assert!(resolve(&c, V26, false).is_err());
    assert_eq!(resolve_type(&c, V26, false).unwrap().0, Mq::Pulsar);
    // What decides nothing does not matter.
    let c = config("mq: {type: rocksmq}", "", hidden, true);
    assert_eq!(resolve(&c, V26, true).unwrap().mq, Mq::RocksMq);
    let c = config("mq: {type: pulsar}", "", "{envFrom: [{secretRef: {name: x}}]}", true);
    assert_eq!(resolve(&c, V26, false).unwrap_err().why, UnknownWhy::EnvFrom);
    assert_eq!(visible(&c, V26, false).unwrap().mq, Mq::Pulsar);
    let all = "{envFrom: [{secretRef: {name: x}}], env: [{name: MQ_TYPE, value: kafka}]}";
    let c = config("", "", all, true);
    assert_eq!(resolve_type(&c, V26, false).unwrap().0, Mq::Kafka);
    assert!(resolve(&c, V26, false).is_err());
}

#[derive(Debug, PartialEq)]
enum Is {
    Same,
    Members,
    Different(&'static str),
}

fn compared(current: &str, proposed: &str) -> Is {
    let q = |text: &str| queue(text, "", "{}", V26, true);
    match compare(&q(current), &q(proposed), "ns") {
        Identity::Same => Is::Same,
        Identity::MembersChanged { .. } => Is::Members,
        Identity::Different { field, .. } => Is::Different(field),
    }
}

#[test]
fn pulsars_are_told_apart() {
    let base = "mq: {type: pulsar}\npulsar: {address: r-pulsarv3-proxy, port: 6650}\n";
    for (proposed, expected) in [
        ("pulsar: {address: r-pulsarv3-proxy}", Is::Same),
        ("pulsar: {address: 'pulsar://R-pulsarv3-proxy.ns:6650'}", Is::Same),
        ("pulsar: {address: r-pulsarv3-proxy.ns.svc.cluster.local}", Is::Same),
        ("pulsar: {address: r-pulsarv3-proxy.ns.svc}", Is::Same),
        (
            "pulsar: {address: 'r-pulsarv3-proxy.ns.svc.corp.example:6650'}",
            Is::Same,
        ),
        (
            "pulsar: {address: r-pulsarv3-proxy.other}",
            Is::Different("pulsar.address"),
        ),
        (
            "pulsar: {address: r-pulsar-proxy, port: 6650}",
            Is::Different("pulsar.address"),
        ),
        (
            "pulsar: {address: r-pulsarv3-proxy, port: 6651}",
            Is::Different("pulsar.address"),
        ),
        (
            "pulsar: {address: r-pulsarv3-proxy, tenant: a}",
            Is::Different("pulsar.tenant"),
        ),
        (
            "pulsar: {address: r-pulsarv3-proxy, tenant: public, namespace: default}",
            Is::Same,
        ),
        (
            "pulsar: {address: r-pulsarv3-proxy, namespace: a}",
            Is::Different("pulsar.namespace"),
        ),
        (
            "pulsar: {address: r-pulsarv3-proxy}\nmsgChannel: {chanNamePrefix: {cluster: x}}",
            Is::Different("msgChannel.chanNamePrefix.cluster"),
        ),
        (
            "pulsar: {address: r-pulsarv3-proxy}\ncommon: {chanNamePrefix: {cluster: x}}",
            Is::Different("msgChannel.chanNamePrefix.cluster"),
        ),
        (
            "pulsar: {address: r-pulsarv3-proxy}\nmsgChannel: {chanNamePrefix: {cluster: by-dev}}",
            Is::Same,
        ),
    ] {
        assert_eq!(
            compared(base, &format!("mq: {{type: pulsar}}\n{proposed}")),
            expected,
            "{proposed}"
        );
    }
    assert_eq!(
        compared(base, "mq: {type: kafka}\nkafka: {brokerList: k}"),
        Is::Different("mq.type")
    );
}

#[test]
fn kafkas_are_sets_of_brokers() {
    let kafka = |brokers: &str| format!("mq: {{type: kafka}}\nkafka: {{brokerList: {brokers}}}");
    for (proposed, expected) in [
        ("[b, 'a:9092']", Is::Same),
        ("'a:9092, b:9092'", Is::Same),
        ("'a:9092, c:9092'", Is::Members),
        ("'a:9092'", Is::Members),
        ("'a:9092,b:9092,c:9092'", Is::Members),
        ("'c:9092'", Is::Different("kafka.brokerList")),
        ("'a:9093,b:9093'", Is::Different("kafka.brokerList")),
    ] {
        assert_eq!(
            compared(&kafka("'a:9092,b:9092'"), &kafka(proposed)),
            expected,
            "{proposed}"
        );
    }
    let nothing = resolve(&config(&kafka("''"), "", "{}", true), V26, false);
    assert_eq!(nothing.unwrap_err().why, UnknownWhy::Unresolvable);
    let q = |brokers: &str| queue(&kafka(brokers), "", "{}", V26, false);
    let expected = Identity::MembersChanged {
        field: "kafka.brokerList",
        added: vec!["c:1".into()],
        removed: vec!["b:1".into()],
    };
    assert_eq!(compare(&q("'a:1,b:1'"), &q("'c:1,a:1'"), "ns"), expected);
}

#[test]
fn embedded_queues_are_paths() {
    let rocks = "mq: {type: rocksmq}\n";
    assert_eq!(
        compared(rocks, &format!("{rocks}rocksmq: {{path: /var/lib/milvus/rdb_data/}}")),
        Is::Same
    );
    assert_eq!(
        compared(rocks, &format!("{rocks}rocksmq: {{path: /other}}")),
        Is::Different("rocksmq.path")
    );
    let wp = "mq: {type: woodpecker}\n";
    let storage = |s: &str| format!("{wp}woodpecker: {{storage: {s}}}");
    assert_eq!(compared(wp, &storage("{type: minio, rootPath: /a}")), Is::Same);
    assert_eq!(
        compared(wp, &storage("{type: local}")),
        Is::Different("woodpecker.storage.type")
    );
    assert_eq!(
        compared(
            &storage("{type: local}"),
            &storage("{type: local, rootPath: /var/lib/milvus/wp}")
        ),
        Is::Different("woodpecker.storage.rootPath")
    );
    assert_eq!(
        compared(
            &storage("{type: local}"),
            &storage("{type: local, rootPath: /var/lib/milvus/data/wp/}")
        ),
        Is::Same
    );
    assert!(Mq::Woodpecker.is_embedded() && !Mq::Kafka.is_embedded());
}
