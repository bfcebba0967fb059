use super::record::tests::{payload, release, secret};
use super::*;
use crate::finding::Input;
use crate::judge::{Current, Judgement, Request, judge};
use crate::milvus::effective::{ConfigMaps, Texts};
use crate::rules::testkit::{cluster, cluster26, standalone};
use crate::value::{Value, json};

fn bytes(text: &str) -> Current {
    Current::Manifests(text.into())
}

fn list(items: Vec<Value>) -> Current {
    bytes(&json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string())
}

fn upgrade(target: &str, current: Current) -> Judgement {
    judge(&Request {
        target: target.into(),
        current,
        ..Request::default()
    })
}

fn codes(judgement: &Judgement) -> Vec<&'static str> {
    judgement.findings.iter().map(|f| f.code).collect()
}

fn highest(judgement: &Judgement) -> Option<&str> {
    judgement.releases[0].current.as_ref()?.highest.as_deref()
}

fn state(source: &Source) -> String {
    crate::yaml::emit(&file::write(source, &view::releases(source, None)))
}

fn source(current: &Current) -> Source {
    read(current, None).unwrap().unwrap()
}

#[test]
fn every_form_of_a_record_is_judged_like_its_manifest() {
    let manifest = cluster("v2.5.22", false);
    let target = cluster("v2.6.16", false);
    let plain = upgrade(&target, bytes(&manifest));
    let record = release(7, "deployed", &manifest);
    let forms = [
        bytes(&secret(&record).to_string()),
        list(vec![secret(&record)]),
        bytes(&payload(&record)),
        bytes(&record.to_string()),
        bytes(&json!([record]).to_string()),
    ];
    for form in forms {
        let judgement = upgrade(&target, form);
        assert_eq!(codes(&judgement), codes(&plain));
        assert_eq!(judgement.text(), plain.text());
    }
}

#[test]
fn a_failed_upgrade_is_remembered() {
    let old = cluster("v2.5.16", false);
    let new = cluster26("v2.6.6");
    let history = || {
        list(vec![
            secret(&release(3, "failed", &new)),
            secret(&release(1, "superseded", &old)),
            secret(&release(2, "deployed", &old)),
        ])
    };
    let retry = upgrade(&cluster("v2.5.22", false), history());
    assert_eq!(retry.releases[0].kind.map(|k| k.as_str()), Some("downgrade"));
    assert_eq!(highest(&retry), Some("2.6.6"));
    let back = upgrade(&old, history());
    assert_eq!(back.releases[0].kind.map(|k| k.as_str()), Some("downgrade"));
    let on = upgrade(&cluster("v2.6.16", false), history());
    assert_eq!(on.releases[0].kind.map(|k| k.as_str()), Some("streaming"));
    assert_eq!(
        on.releases[0].current.as_ref().unwrap().version.as_deref(),
        Some("2.5.16")
    );
    // A state file remembers it too, and so does one that is made anew without the history.
    let mut later = source(&bytes(&old));
    file::remember(&mut later, &state(&source(&history()))).unwrap();
    let again = upgrade(&cluster("v2.5.22", false), bytes(&state(&later)));
    assert_eq!(again.releases[0].kind.map(|k| k.as_str()), Some("downgrade"));
    assert_eq!(highest(&again), Some("2.6.6"));
}

#[test]
fn the_floor_is_the_lowest_that_may_run() {
    let running = cluster26("v2.6.6");
    let tried = cluster("v2.5.22", false);
    let history = list(vec![
        secret(&release(1, "superseded", &cluster("v2.4.5", false))),
        secret(&release(2, "deployed", &running)),
        secret(&release(3, "failed", &tried)),
    ]);
    let judgement = upgrade(&cluster26("v2.6.16"), history);
    let current = judgement.releases[0].current.as_ref().unwrap();
    assert_eq!(
        (current.version.as_deref(), current.highest.as_deref()),
        (Some("2.5.22"), Some("2.6.6"))
    );
}

#[test]
fn without_a_deployed_revision_the_last_failed_one_counts() {
    let history = list(vec![
        secret(&release(1, "superseded", &cluster("v2.5.16", false))),
        secret(&release(2, "failed", &cluster("v2.5.22", false))),
        secret(&release(3, "pending-upgrade", &cluster26("v2.6.6"))),
    ]);
    let source = source(&history);
    assert_eq!(source.taken_from, "release rel, revision 2 (failed)");
    assert_eq!(view::releases(&source, None)[0].highest.as_deref(), Some("2.6.6"));
}

#[test]
fn records_of_another_release_or_namespace_are_not_taken() {
    let manifest = cluster("v2.5.22", false).replace("  namespace: ns\n", "");
    let target = cluster("v2.6.16", false);
    let mut other = release(
        9,
        "deployed",
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n",
    );
    other["name"] = "other".into();
    let ours = release(1, "deployed", &manifest);
    let picked = upgrade(&target, list(vec![secret(&other), secret(&ours)]));
    assert!(!picked.refused(), "{:?}", picked.findings);
    let mut elsewhere = ours.clone();
    elsewhere["namespace"] = "elsewhere".into();
    assert!(codes(&upgrade(&target, list(vec![secret(&elsewhere)]))).contains(&"MU004"));
    let unsaid = target.replace("  namespace: ns\n", "");
    let both = upgrade(&unsaid, list(vec![secret(&elsewhere), secret(&ours)]));
    assert!(
        both.findings[0].message.contains("ns and") || both.findings[0].message.contains("and ns"),
        "{:?}",
        both.findings
    );
    assert_eq!(codes(&both), ["MU003"]);
}

#[test]
fn what_cannot_be_read_is_named() {
    let target = cluster("v2.6.16", false);
    let mut broken = secret(&release(1, "deployed", "x"));
    broken["data"]["release"] = "AAAA".into();
    for (current, words) in [
        (list(vec![broken]), "release record that cannot be read"),
        (bytes(&"QUJD".repeat(20)), "a release record"),
        (
            bytes(&release(4, "deployed", "---\na: b: c\n").to_string()),
            "the manifest in release rel, revision 4",
        ),
        (bytes("schema: milvus-uplift/state/v9\n"), "milvus-uplift/state/v9"),
        (
            bytes("schema: milvus-uplift/state/v1\norigin: live\nhighest: soon\nobjects: []\n"),
            "needs",
        ),
        (
            bytes("schema: milvus-uplift/state/v1\norigin: heaven\nobjects: []\n"),
            "heaven",
        ),
    ] {
        let judgement = upgrade(&target, current);
        assert!(judgement.refused());
        let first = &judgement.findings[0];
        let hit = first.code == "MU001" && first.message.contains(words);
        // The one with a bad `highest` is read far enough to be found empty of objects.
        assert!(hit || words == "needs", "{first:?}");
    }
}

#[test]
fn a_state_file_is_written_the_same_again() {
    for manifest in [
        cluster("v2.5.22", true),
        cluster26("v2.6.6"),
        standalone("v2.5.22", "rocksmq", "rel-milvus"),
    ] {
        let once = state(&source(&bytes(&manifest)));
        assert_eq!(state(&source(&bytes(&once))), once);
        assert!(!once.contains("hunter2") && !once.contains("checksum"));
        assert!(
            once.starts_with("schema: milvus-uplift/state/v1\norigin: manifest\n"),
            "{once}"
        );
    }
}

#[test]
fn highest_at_the_top_may_be_raised_by_hand() {
    let text = state(&source(&bytes(&cluster("v2.5.22", false))));
    let raised = text.replacen("highest: \"2.5.22\"", "highest: 2.6.6", 1);
    assert!(raised != text);
    let judgement = upgrade(&cluster("v2.5.27", false), bytes(&raised));
    assert_eq!(judgement.releases[0].kind.map(|k| k.as_str()), Some("downgrade"));
}

#[test]
fn another_releases_state_is_not_overwritten() {
    let mut ours = source(&bytes(&cluster("v2.5.22", false)));
    let other = state(&source(&bytes(
        &cluster("v2.5.22", false).replace("instance: rel", "instance: other"),
    )));
    assert!(
        file::remember(&mut ours, &other)
            .unwrap_err()
            .contains("state of other")
    );
    assert!(
        file::remember(&mut ours, "a: b\n")
            .unwrap_err()
            .contains("no state file")
    );
}

#[test]
fn a_live_list_tells_what_else_runs() {
    let objects = Stream::read(cluster("v2.6.6", false).as_bytes(), Input::Current)
        .unwrap()
        .objects;
    let mut items: Vec<Value> = objects.into_iter().map(|o| Value::clone(&o.value)).collect();
    for item in &mut items {
        item["metadata"]["uid"] = "u".into();
    }
    let proxy = items
        .iter()
        .find(|i| i["metadata"]["name"] == "rel-milvus-proxy" && i["kind"] == "Deployment")
        .unwrap()
        .clone();
    let child = |kind: &str, name: &str, tag: &str, replicas: i64| {
        let mut template = proxy["spec"]["template"].clone();
        template["spec"]["containers"][0]["image"] = format!("milvusdb/milvus:{tag}").into();
        let owners = json!([{"kind": if kind == "Pod" { "ReplicaSet" } else { "Deployment" }, "name": "x"}]);
        let metadata = json!({"name": name, "namespace": "ns", "uid": "u", "labels": template["metadata"]["labels"], "ownerReferences": owners});
        match kind {
            "Pod" => {
                json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": template["spec"], "status": {"phase": "Running"}})
            }
            _ => {
                json!({"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": {"replicas": replicas, "template": template}})
            }
        }
    };
    items.push(child("Pod", "rel-milvus-proxy-1", "v2.5.22", 0));
    items.push(child("ReplicaSet", "rel-milvus-proxy-2", "v2.6.8", 0));
    let source = source(&list(items));
    assert_eq!(source.origin, Origin::Live);
    let view = &view::releases(&source, None)[0];
    assert_eq!(
        (view.version.as_deref(), view.highest.as_deref()),
        (Some("2.5.22"), Some("2.6.8"))
    );
    let judgement = upgrade(&cluster("v2.6.16", false), bytes(&state(&source)));
    assert!(!codes(&judgement).contains(&"MU608"));
}

#[test]
fn one_made_from_manifests_warns_towards_2_6() {
    let of = |tag: &str| {
        let current = bytes(&state(&source(&bytes(&cluster("v2.5.22", false)))));
        codes(&upgrade(&cluster(tag, false), current)).contains(&"MU608")
    };
    assert!(of("v2.6.16") && !of("v2.5.27"));
}

#[test]
fn stored_values_stand_among_the_files() {
    let target = cluster("v2.6.16", false);
    let request = |current: Current| Request {
        target: target.clone().into(),
        current,
        stored_values: Some(0),
        ..Request::default()
    };
    let none = judge(&request(bytes(&cluster("v2.5.22", false))));
    assert!(
        none.findings[0].message.contains("--values current"),
        "{:?}",
        none.findings
    );
    assert!(
        judge(&request(Current::Unsaid)).findings[0]
            .message
            .contains("--values current")
    );
    let record = release(1, "deployed", &cluster("v2.5.22", false));
    // The record's values have the tag of then; a file behind them has this call's.
    let mut stored = request(bytes(&payload(&record)));
    assert!(codes(&judge(&stored)).contains(&"MU006"));
    let tag = b"image: {all: {tag: v2.6.16}}\n".to_vec();
    stored.values = vec![crate::judge::ValuesFile {
        name: "x".into(),
        bytes: tag,
    }];
    assert!(!codes(&judge(&stored)).contains(&"MU006"));
}

#[test]
fn a_secret_that_is_used_again_by_an_alias_is_not_kept() {
    let twice = "region: &s hunter2\n      accessKeyID: *s";
    let manifest = cluster("v2.5.22", false).replace("accessKeyID: minioadmin", twice);
    assert!(manifest.contains("hunter2"));
    let text = state(&source(&bytes(&manifest)));
    assert!(!text.contains("hunter2") && text.contains("region: \\\"***"), "{text}");
}

#[test]
fn on_azure_the_account_is_compared_and_not_shown() {
    let azure = |account: &str| {
        let manifest = cluster("v2.5.22", false).replace(
            "accessKeyID: minioadmin",
            &format!("accessKeyID: {account}\n      cloudProvider: azure"),
        );
        source(&bytes(&manifest))
    };
    let text = state(&azure("accounthunter2"));
    assert!(!text.contains("hunter2"), "{text}");
    let stores = |s: &Source| {
        let release = &s.inventory().releases[0];
        let effective =
            crate::rules::case::Effective::new(&ConfigMaps::of(&s.stream.objects), release, (2, 5), &Texts::default());
        effective.spoken().stores.clone().unwrap()
    };
    let compare =
        |account: &str| crate::milvus::store::compare(&stores(&source(&bytes(&text))), &stores(&azure(account)), "ns");
    assert_eq!(compare("accounthunter2"), crate::milvus::identity::Identity::Same);
    assert_ne!(compare("another"), crate::milvus::identity::Identity::Same);
}

#[test]
fn values_that_do_not_differ_stand_in_for_what_is_masked() {
    let manifest = cluster("v2.5.22", false);
    let stream = Stream::read(manifest.as_bytes(), Input::Target).unwrap();
    let text = state(&source(&bytes(&manifest)));
    let filled = read(&bytes(&text), Some((&stream, &inventory(&stream.objects))))
        .unwrap()
        .unwrap();
    for (kept, own) in filled.stream.objects.iter().zip(&stream.objects) {
        assert_eq!(kept.value.get("spec"), own.value.get("spec"));
        assert_eq!(kept.value.get("data"), own.value.get("data"));
    }
}

#[test]
fn of_two_releases_the_one_that_nobody_told_of_is_unknown() {
    let one = cluster("v2.5.22", false);
    let target = cluster("v2.6.16", false);
    let rename = |text: &str, from: &str, to: &str| text.replace(from, to).replace("rel-milvus", "b-milvus");
    let both = target.clone() + &rename(&target, "instance: rel", "instance: other");
    let judgement = upgrade(&both, bytes(&one));
    let told = judgement.findings.iter().find(|f| f.code == "MU003").expect("MU003");
    assert!(told.message.contains("as release other"), "{}", told.message);
    // The same instance under another chart name is an alias that an umbrella chart has new.
    let alias = target.clone() + &rename(&target, "kubernetes.io/name: milvus", "kubernetes.io/name: second");
    assert!(!codes(&upgrade(&alias, bytes(&one))).contains(&"MU003"));
}

#[test]
fn of_entries_with_one_name_the_first_stands_in() {
    let env = |first: &str| {
        let env = json!([{"name": "A_PASSWORD", "value": first}, {"name": "A_PASSWORD", "value": "x"}, {"name": 3, "value": "b"}]);
        let manifest = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "env": env}]}});
        crate::kube::Object::all_in(0, manifest).unwrap()
    };
    let manifests = env("hunter2");
    let mut kept = env(crate::report::mask::MASK);
    reduce::fill(&mut kept, &manifests);
    let values: Vec<_> = (0..3)
        .map(|i| {
            kept[0]
                .value
                .pointer(&format!("/spec/containers/0/env/{i}/value"))
                .unwrap()
                .to_string()
        })
        .collect();
    assert_eq!(values, ["\"hunter2\"", "\"x\"", "\"b\""]);
}
