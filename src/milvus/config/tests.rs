use super::*;

pub(crate) fn config(default: &str, user: &str, env: &str, since26: bool) -> Config {
    let parse = |text: &str| -> Value { serde_yaml::from_str(text).unwrap() };
    let (default, user, container) = (parse(default), parse(user), parse(env));
    let owner = Arc::new(Owner {
        kind: "ConfigMap".into(),
        name: "r-milvus".into(),
    });
    let file = |value, path| File {
        value,
        owner: owner.clone(),
        path,
    };
    let workload = Owner {
        kind: "Deployment".into(),
        name: "r-milvus-proxy".into(),
    };
    let env = Environment::of(workload, &container, "/spec/template/spec/containers/0");
    Config::build(
        Some(&file(&default, "/data/default.yaml#")),
        Some(&file(&user, "/data/user.yaml#")),
        &env,
        since26,
    )
}

#[test]
fn later_layers_win_and_remember_where() {
    let c = config(
        "mq: {type: pulsar}\nminio: {port: 9000}",
        "MQ:\n  Type: kafka\na/b: {c: 1}",
        "{name: proxy, env: [{name: MINIO_PORT, value: '9001'}]}",
        false,
    );
    let mq = c.get("mq.type").unwrap();
    assert_eq!((mq.key.as_str(), mq.value.as_deref()), ("MQ.Type", Some("kafka")));
    assert_eq!(mq.origin.layer, Layer::UserYaml);
    assert_eq!(mq.origin.path, "/data/user.yaml#/MQ/Type");
    assert_eq!(c.get("ab.c").unwrap().origin.path, "/data/user.yaml#/a~1b/c");
    let port = c.get("MINIO_PORT").unwrap();
    assert_eq!(port.value.as_deref(), Some("9001"));
    assert_eq!(port.origin.path, "/spec/template/spec/containers/0/env/0");
    assert_eq!(
        port.origin.layer,
        Layer::Env {
            container: "proxy".into()
        }
    );
    assert!(c.unknown.is_empty());
    assert_eq!(c.files.each_ref().map(|file| file.of.len()), [2, 2]);
}

#[test]
fn every_spelling_is_the_same_key() {
    for name in [
        "MQ_TYPE",
        "MQTYPE",
        "mq.type",
        "milvus.mq.type",
        "MILVUS.MQ_TYPE",
        "mq/type",
    ] {
        assert_eq!(normalise_env(name, false), "mqtype", "{name}");
    }
    assert_eq!(normalise_env("MILVUS_CONF_MQ_TYPE", true), "mqtype");
    assert_eq!(normalise_env("MILVUS_CONF_MQ_TYPE", false), "milvusconfmqtype");
    assert_eq!(normalise_env("MILVUS_MQ_TYPE", true), "milvusmqtype");
}

#[test]
fn values_are_what_milvus_gets() {
    let c = config(
        "etcd: {endpoints: [a:1, b:2]}\nkafka: {brokerList: 'a:1, b:2,'}\npulsar: {address: null, port: 6650, tls: true}",
        "null",
        "{}",
        true,
    );
    assert_eq!(c.value("etcd.endpoints"), Some("a:1,b:2"));
    assert_eq!(c.list("etcd.endpoints"), ["a:1", "b:2"]);
    assert_eq!(c.list("kafka.brokerList"), ["a:1", "b:2"]);
    assert_eq!(c.value("pulsar.address"), Some(""));
    assert_eq!(c.value("pulsar.port"), Some("6650"));
    assert_eq!(c.value("pulsar.tls"), Some("true"));
    assert!(c.list("absent").is_empty() && c.get("absent").is_none());
}

#[test]
fn hidden_values_make_keys_uncertain() {
    let c = config(
        "mq: {type: pulsar}",
        "",
        "{env: [{name: MQ_TYPE, valueFrom: {secretKeyRef: {name: s, key: k}}}, {name: MINIO_PORT, value: '1'}]}",
        false,
    );
    let unknown = c.certain("mq.type").unwrap_err();
    assert_eq!(unknown.why, UnknownWhy::ValueFrom);
    assert!(unknown.text.contains("MQ_TYPE") && unknown.text.contains("secretKeyRef s/k"));
    assert_eq!(c.get("mq.type").unwrap().value, None);
    assert!(c.certain("minio.port").unwrap().is_some());
    assert!(c.certain("minio.address").unwrap().is_none());
}

#[test]
fn env_from_hides_all_but_explicit_variables() {
    let c = config(
        "mq: {type: pulsar}",
        "",
        "{envFrom: [{configMapRef: {name: x}}], env: [{name: MINIO_PORT, value: '1'}]}",
        false,
    );
    let unknown = c.certain("mq.type").unwrap_err();
    assert_eq!(unknown.why, UnknownWhy::EnvFrom);
    assert!(unknown.text.contains("configMapRef x"));
    assert!(c.certain("minio.port").unwrap().is_some());
    assert!(c.certain("pulsar.address").is_err());
}

#[test]
fn a_hidden_file_hides_what_no_higher_layer_sets() {
    let mut c = config(
        "mq: {type: pulsar}",
        "",
        "{env: [{name: MINIO_PORT, value: '1'}]}",
        false,
    );
    c.unknown.push(Unknown {
        why: UnknownWhy::ConfigNotInStream,
        text: "custom".into(),
        key: None,
        origin: Origin {
            layer: Layer::UserYaml,
            object: Arc::default(),
            path: String::new(),
        },
    });
    assert!(c.certain("mq.type").is_err());
    assert!(c.certain("minio.address").is_err());
    assert!(c.certain("minio.port").unwrap().is_some());
}

#[test]
fn unreadable_text_is_no_configuration() {
    let c = config("just text", "mq: {type: kafka}", "{}", false);
    assert_eq!(c.unknown[0].why, UnknownWhy::Unreadable);
    assert!(c.certain("mq.type").unwrap().is_some());
    assert!(c.certain("pulsar.address").is_err());
    let c = config("mq: {type: kafka}", "[1]", "{}", false);
    assert!(c.certain("mq.type").is_err());
}

#[test]
fn the_later_variable_wins_and_a_clash_is_noted() {
    let env = |vars: &str| config("", "", &format!("{{env: [{vars}]}}"), true);
    let same = env("{name: MQ_TYPE, value: kafka}, {name: MQTYPE, value: kafka}");
    assert!(same.unknown.is_empty());
    let clash = env("{name: MQ_TYPE, value: kafka}, {name: MILVUS_CONF_MQ_TYPE, value: pulsar}");
    assert_eq!(clash.value("mq.type"), Some("pulsar"));
    assert_eq!(clash.certain("mq.type").unwrap_err().why, UnknownWhy::EnvClash);
    // The same name twice is decided by Kubernetes: the last one counts.
    let twice = env("{name: MQ_TYPE, valueFrom: {fieldRef: {fieldPath: x}}}, {name: MQ_TYPE, value: kafka}");
    assert_eq!(
        twice.certain("mq.type").unwrap().unwrap().value.as_deref(),
        Some("kafka")
    );
}

#[test]
fn variables_that_double_each_other_end_unseen() {
    let env = |vars: &str| config("", "", &format!("{{{vars}}}"), true);
    let double = |i: usize| format!("{{name: V{}, value: $(V{i})$(V{i})}}", i + 1);
    let doubles: Vec<String> = (0..60).map(double).collect();
    let all = doubles.join(", ");
    let c = env(&format!(
        "env: [{{name: V0, value: ab}}, {all}, {{name: ETCD_ENDPOINTS, value: $(V60)}}, {{name: MQ_TYPE, value: $(V3)}}]"
    ));
    assert_eq!(c.value("mq.type"), Some("abababababababab"));
    assert_eq!(c.value("v5").map(str::len), Some(64));
    assert!(c.certain("etcd.endpoints").is_err() && c.certain("v5").is_ok());
    let open = env("env: [{name: A, value: a}, {name: ETCD_ENDPOINTS, value: '$(A)$(B$(A'}]");
    assert_eq!(open.value("etcd.endpoints"), Some("a$(B$(A"));
}

#[test]
fn references_between_variables_are_expanded() {
    let env = |vars: &str| config("", "", &format!("{{{vars}}}"), true);
    let c = env("env: [{name: HOST, value: e}, {name: ETCD_ENDPOINTS, value: 'http://$(HOST):$(PORT)$$(HOST)$'}]");
    assert_eq!(c.value("etcd.endpoints"), Some("http://e:$(PORT)$(HOST)$"));
    let c =
        env("env: [{name: H, valueFrom: {secretKeyRef: {name: s, key: k}}}, {name: ETCD_ENDPOINTS, value: '$(H)'}]");
    let unknown = c.certain("etcd.endpoints").unwrap_err();
    assert_eq!(unknown.why, UnknownWhy::ValueFrom);
    assert!(unknown.text.contains("s/k"));
    let c = env("envFrom: [{secretRef: {name: s}}], env: [{name: ETCD_ENDPOINTS, value: '$(H):2379'}]");
    assert_eq!(c.certain("etcd.endpoints").unwrap_err().why, UnknownWhy::ValueFrom);
}

#[test]
fn another_directory_hides_the_files() {
    let at = |dir: &str| {
        let env = format!("{{env: [{{name: MILVUSCONF, value: {dir}}}, {{name: MINIO_PORT, value: '1'}}]}}");
        config("mq: {type: pulsar}", "", &env, true)
    };
    assert!(at("/milvus/configs/").certain("mq.type").is_ok());
    let c = at("/etc/milvus");
    assert_eq!(c.certain("mq.type").unwrap_err().why, UnknownWhy::ConfigElsewhere);
    assert!(c.certain("minio.port").is_ok());
}

#[test]
fn what_is_told_of_is_in_the_order_of_the_keys_and_of_the_layers() {
    let c = config(
        "natsmq: {b: d1, a: d2}\nNatsMq: {a: d3}\nmore: {c: 1}",
        "natsmq: {c: u1, b: u2, a: u3}\nNATSMQ: {c: u4}",
        "{env: [{name: NATSMQ_B, value: e1}, {name: NATSMQB, value: e1}, {name: OTHER, value: e2}]}",
        true,
    );
    let told: Vec<_> = c.told_of().map(|(key, s)| (key, s.value.as_deref().unwrap())).collect();
    assert_eq!(
        told,
        [
            ("natsmqa", "u3"),
            ("natsmqb", "e1"),
            ("natsmqc", "u4"),
            // Overridden in default.yaml, in user.yaml (by which those below it), in the environment.
            ("natsmqa", "d2"),
            ("natsmqb", "d1"),
            ("natsmqa", "d3"),
            ("natsmqc", "u1"),
            ("natsmqb", "u2"),
            ("natsmqb", "e1"),
        ]
    );
    assert!(c.at_most_told_of() >= told.len());
    let of_env: Vec<_> = c.told_of_in_env().map(|(_, s)| s.key.as_str()).collect();
    assert_eq!(of_env, ["NATSMQB", "NATSMQ_B"]);
}

#[test]
fn a_source_that_many_name_is_repeated_as_far_as_the_text_allows() {
    let name = "x".repeat(4000);
    let from = format!("{{name: A, valueFrom: {{secretKeyRef: {{name: {name}, key: k}}}}}}");
    let again: String = (0..20).map(|i| format!(", {{name: E{i}, value: $(A)}}")).collect();
    let parsed = serde_yaml::from_str::<Value>(&format!("{{env: [{from}{again}]}}")).unwrap();
    let vars = Environment::of(Owner::default(), &parsed, "").vars;
    let whole = EnvValue::From(format!("secretKeyRef {name}/k"));
    assert_eq!(vars.iter().filter(|var| var.value == whole).count(), 5);
    assert_eq!(vars[20].value, EnvValue::From("$(A)".into()));
}

#[test]
fn keys_are_compared_without_case_and_dividers_in_any_script() {
    for (key, want) in [
        ("Mq.Type", "mqtype"),
        ("a/B_c", "abc"),
        ("\u{c4}.B_c/d", "\u{e4}bcd"),
        ("\u{e4}", "\u{e4}"),
    ] {
        assert_eq!(normalise(key), want);
    }
}
