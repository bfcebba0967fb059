use super::*;
use crate::milvus::config::tests::config;
use crate::milvus::identity::Address;
use proptest::prelude::*;

fn stores(text: &str) -> Stores {
    resolve(&config(text, "", "{}", true)).unwrap()
}

fn field(current: &str, proposed: &str) -> &'static str {
    match compare(&stores(current), &stores(proposed), "ns") {
        Identity::Same => "same",
        Identity::MembersChanged { field, .. } | Identity::Different { field, .. } => field,
    }
}

#[test]
fn the_defaults_are_those_of_the_image() {
    let shown = |fields: &[Field]| fields.iter().map(|f| (f.name, f.value.shown())).collect::<Vec<_>>();
    let found = stores("");
    let text = |s: &str| s.to_owned();
    assert_eq!(
        shown(&found.meta),
        [
            ("metastore.type", text("etcd")),
            ("etcd.use.embed", text("false")),
            ("etcd.endpoints", text("localhost:2379")),
            ("etcd.rootPath", text("by-dev")),
            ("etcd.metaSubPath", text("meta")),
            ("etcd.kvSubPath", text("kv")),
        ]
    );
    assert_eq!(
        shown(&found.object),
        [
            ("common.storageType", text("remote")),
            ("minio.address", text("localhost:9000")),
            ("minio.bucketName", text("a-bucket")),
            ("minio.rootPath", text("files")),
        ]
    );
    assert!(found.meta.iter().all(|f| f.origin.is_none()));
    assert_eq!(found.cloud_provider, "aws");
}

#[test]
fn stores_are_told_apart() {
    for (current, proposed, expected) in [
        (
            "",
            "etcd: {rootPath: by-dev, endpoints: 'localhost:2379'}\nminio: {port: 9000}",
            "same",
        ),
        ("", "etcd: {rootPath: prod}", "etcd.rootPath"),
        ("", "etcd: {metaSubPath: x}", "etcd.metaSubPath"),
        ("", "etcd: {use: {embed: true}}", "etcd.use.embed"),
        ("", "metastore: {type: tikv}", "metastore.type"),
        ("", "minio: {bucketName: b}", "minio.bucketName"),
        ("", "minio: {rootPath: b}", "minio.rootPath"),
        ("", "minio: {rootPath: /files/}", "same"),
        ("", "minio: {address: other}", "minio.address"),
        ("", "minio: {port: 9001}", "minio.address"),
        ("", "minio: {address: 'http://localhost:9000'}", "same"),
        ("", "common: {storageType: minio}", "same"),
        ("", "common: {storageType: local}", "common.storageType"),
        (
            "",
            "minio: {cloudProvider: gcp, accessKeyID: x, secretAccessKey: y}",
            "same",
        ),
        ("etcd: {endpoints: [a, b]}", "etcd: {endpoints: [b, a.ns.svc]}", "same"),
        (
            "etcd: {endpoints: [a, b]}",
            "etcd: {endpoints: [b, c]}",
            "etcd.endpoints",
        ),
        (
            "common: {storageType: local}",
            "common: {storageType: local}\nlocalStorage: {path: /x}",
            "localStorage.path",
        ),
        (
            "etcd: {use: {embed: true}}",
            "etcd: {use: {embed: true}, data: {dir: /x}}",
            "etcd.data.dir",
        ),
    ] {
        assert_eq!(field(current, proposed), expected, "{current} -> {proposed}");
        assert_eq!(field(proposed, current), expected, "{proposed} -> {current}");
    }
}

#[test]
fn a_difference_outweighs_changed_members() {
    let current = stores("etcd: {endpoints: [a, b]}");
    let proposed = stores("etcd: {endpoints: [a, c]}\nminio: {bucketName: x}");
    match compare(&current, &proposed, "ns") {
        Identity::Different {
            field,
            current,
            proposed,
        } => {
            assert_eq!(
                (field, current.as_str(), proposed.as_str()),
                ("minio.bucketName", "a-bucket", "x")
            );
        }
        other => panic!("{other:?}"),
    }
    let proposed = stores("etcd: {endpoints: [a, c]}");
    assert!(matches!(
        compare(&current, &proposed, "ns"),
        Identity::MembersChanged { .. }
    ));
}

#[test]
fn azure_accounts_are_compared_and_never_shown() {
    let azure = |account: &str| stores(&format!("minio: {{cloudProvider: azure, accessKeyID: {account}}}"));
    match compare(&azure("topsecret1"), &azure("topsecret2"), "ns") {
        different @ Identity::Different { field, .. } => {
            assert_eq!(field, "minio.accessKeyID");
            assert!(!format!("{different:?}").contains("topsecret"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(compare(&azure("a"), &azure("a"), "ns"), Identity::Same);
    assert!(!format!("{:?}", azure("topsecret")).contains("topsecret"));
}

#[test]
fn logins_in_addresses_are_masked() {
    let found = stores("etcd: {endpoints: ['http://me:secret@e:2379/', 'me:secret@f', g]}");
    assert_eq!(found.meta[2].value.shown(), "http://***@e:2379/,***@f,g");
    let other = stores("etcd: {endpoints: [e, f, g]}");
    assert_eq!(compare(&found, &other, "ns"), Identity::Same);
}

#[test]
fn what_may_be_overridden_is_unknown() {
    let c = config(
        "etcd: {endpoints: a}",
        "",
        "{env: [{name: ETCD_ENDPOINTS, valueFrom: {fieldRef: {fieldPath: x}}}]}",
        true,
    );
    assert!(resolve(&c).is_err());
    assert_eq!(visible(&c).unwrap().meta[2].value.shown(), "<fieldRef x>");
    let from = |key: &str| {
        let env = format!("{{env: [{{name: ETCD_ENDPOINTS, valueFrom: {{secretKeyRef: {{name: s, key: {key}}}}}}}]}}");
        visible(&config("", "", &env, true)).unwrap()
    };
    assert_eq!(compare(&from("a"), &from("a"), "ns"), Identity::Same);
    assert!(matches!(
        compare(&from("a"), &from("b"), "ns"),
        Identity::Different { .. }
    ));
    // Credentials from a Secret say nothing of the store.
    let c = config(
        "",
        "",
        "{env: [{name: MINIO_ACCESS_KEY_ID, valueFrom: {secretKeyRef: {name: s, key: k}}}]}",
        true,
    );
    assert!(resolve(&c).is_ok());
}

#[test]
fn secrets_are_known() {
    for key in [
        "minio.accessKeyID",
        "minio.secretAccessKey",
        "MINIO_SECRET_ACCESS_KEY",
        "MILVUS_CONF_MINIO_ACCESS_KEY_ID",
        "pulsar.authParams",
        "kafka.saslPassword",
        "kafka.ssl.tlsKeyPassword",
        "common.security.defaultRootPassword",
        "etcd.auth.password",
        "credential.apikey1.apikey",
        "some.token",
        "minio.gcpCredentialJSON",
        "ENCRYPTION_KEY",
        "SSH_KEY",
        "signing_key",
        "JWT",
        "AUTHORIZATION",
        "GITHUB_PAT",
        "DB_PASS",
        "PGPASS",
        "MYPWD",
        "DSN",
        "SENTRY_DSN",
        "AZURE_STORAGE_CONNECTION_STRING",
        "SAS",
        "SECRETS",
        "WEBHOOK_URL",
    ] {
        assert!(is_secret_key(key), "{key}");
    }
    for key in [
        "minio.address",
        "mq.type",
        "etcd.rootPath",
        "proxy.maxNameLength",
        "minio.iamEndpoint",
        "kafka.securityProtocol",
        "common.security.authorizationEnabled",
        "key",
        "topologyKey",
        "common.usePartitionKeyAsClusteringKey",
        "PATH",
        "BYPASS",
        "GOMEMLIMIT",
        "KEYCLOAK_URL",
    ] {
        assert!(!is_secret_key(key), "{key}");
    }
    assert!(
        SECRET_KEYS
            .iter()
            .all(|k| is_secret_key(k) && *k == crate::milvus::config::normalise(k))
    );
}

#[test]
fn addresses_are_what_they_reach() {
    let reaches = |a: &str, b: &str| Address::parse(a, 2379, "ns").reaches(&Address::parse(b, 2379, "ns"));
    for (a, b) in [
        ("e", "e:2379"),
        ("http://e:2379/", "E.ns.svc.cluster.local."),
        ("https://e", "e.ns"),
        ("e-0.h.ns.svc.cluster.local", "e-0.h"),
        ("[::1]:2379", "[::1]"),
        ("10.0.0.1", "10.0.0.1:2379"),
        ("etcd.example.com", "ETCD.example.com:2379"),
        ("user:pw@e", "e"),
    ] {
        assert!(reaches(a, b) && reaches(b, a), "{a} {b}");
    }
    for (a, b) in [
        ("e", "f"),
        ("e", "e:2380"),
        ("e.ns", "e.other"),
        ("e.ns.svc", "e.other.svc"),
        ("e-0.h", "e-1.h"),
        ("localhost", "localhost.ns"),
        ("10.0.0.1", "10.0.0.2"),
        ("e.ns.svc.cluster.local", "e.ns.example.com"),
        ("", "e"),
    ] {
        assert!(!reaches(a, b) && !reaches(b, a), "{a} {b}");
    }
}

proptest! {
    #[test]
    fn an_address_reaches_itself(text in "\\PC{0,30}", host in "[a-z]{1,5}(\\.[a-z]{1,5}){0,4}", port in 1_u16..) {
        for text in [text, format!("{host}:{port}")] {
            let address = Address::parse(&text, 1, "ns");
            prop_assert!(address.reaches(&address));
        }
    }
}

#[test]
fn a_difference_weighs_more_than_changed_members_and_metadata_more_than_data() {
    let of = |etcd: &str, minio: &str| {
        stores(&format!(
            "etcd: {{endpoints: '{etcd}'}}\nminio: {{address: '{minio}', port: 9000}}\n"
        ))
    };
    for (from, to, want) in [
        (("a:1", "x"), ("a:1", "x"), "same"),
        (("a:1", "x,y"), ("a:1", "x,z"), "minio.address"),
        (("a:1,b:1", "x"), ("a:1,c:1", "x"), "etcd.endpoints"),
        (("a:1,b:1", "x,y"), ("a:1,c:1", "x,z"), "etcd.endpoints"),
        (("a:1,b:1", "x"), ("a:1,c:1", "z"), "minio.address"),
        (("a:1", "x"), ("b:1", "z"), "etcd.endpoints"),
    ] {
        let found = match compare(&of(from.0, from.1), &of(to.0, to.1), "ns") {
            Identity::Same => "same",
            Identity::MembersChanged { field, .. } | Identity::Different { field, .. } => field,
        };
        assert_eq!(found, want, "{from:?} {to:?}");
    }
}
