use super::*;
use crate::judge::{Judgement, ValuesFile, judge};
use crate::rules::testkit::Scenario;
use crate::value::json;

fn patched(scenario: Scenario, patch: &str) -> Judgement {
    let mut request = scenario.request();
    request.patches = vec![ValuesFile {
        name: "uplift.yaml".into(),
        bytes: patch.as_bytes().to_vec(),
    }];
    judge(&request)
}

fn upgrade() -> Scenario {
    Scenario::upgrade("v2.5.22", "v2.6.16")
}

fn objects(judgement: &Judgement) -> Vec<Object> {
    let output = judgement.text().unwrap_or_else(|| panic!("{:?}", judgement.findings));
    let stream = Stream::read(output.as_bytes(), crate::finding::Input::Target).unwrap();
    stream.objects
}

fn workload(judgement: &Judgement, role: &str) -> Object {
    let name = |o: &Object| o.reference.kind == "Deployment" && o.reference.name.ends_with(role);
    objects(judgement).into_iter().find(name).unwrap()
}

#[test]
fn a_patch_reaches_what_the_rewrite_brings_and_what_it_leaves() {
    let judgement = patched(
        upgrade(),
        "- target: {role: mixcoord}\n  patch:\n    - {op: add, path: /spec/template/spec/priorityClassName, value: high}\n\
         - target: {kind: Deployment, name: '*-querynode'}\n  patch: {spec: {template: {spec: {priorityClassName: low}}}}\n",
    );
    let class = |role: &str| workload(&judgement, role).value["spec"]["template"]["spec"]["priorityClassName"].clone();
    assert_eq!(class("mixcoord"), "high");
    assert_eq!(class("querynode"), "low");
    assert_eq!(class("proxy"), Value::Null);
    assert!(judgement.changes.iter().any(|c| c.why.contains("uplift.yaml, patch 2")));
}

#[test]
fn a_patch_is_judged_like_everything_else() {
    let judgement = patched(
        upgrade(),
        "target: {role: streamingnode}\npatch: [{op: replace, path: /spec/replicas, value: 0}]\n",
    );
    assert!(
        judgement.findings.iter().any(|f| f.code == "MU203"),
        "{:?}",
        judgement.findings
    );
    let deleted = patched(upgrade(), "target: {role: proxy}\npatch: {$patch: delete}\n");
    assert!(
        deleted.findings.iter().any(|f| f.code == "MU113"),
        "{:?}",
        deleted.findings
    );
}

#[test]
fn what_was_patched_is_not_patched_again() {
    let patch = "- target: {role: mixcoord}\n  patch: {spec: {template: {spec: {containers: [{name: mixcoord, env: [{name: A, value: b}]}]}}}}\n";
    let once = patched(upgrade(), patch);
    let output = once.text().unwrap();
    let mut request = upgrade().request();
    request.target = output.clone().into();
    request.patches = vec![ValuesFile {
        name: "uplift.yaml".into(),
        bytes: patch.as_bytes().to_vec(),
    }];
    assert_eq!(judge(&request).text(), Some(output));
}

#[test]
fn a_changed_configuration_renews_the_checksums_of_its_readers() {
    let config = objects(&patched(
        upgrade(),
        "target: {role: proxy}\npatch: {metadata: {labels: {x: z}}}\n",
    ))
    .into_iter()
    .find(|o| o.reference.kind == "ConfigMap" && o.at(&["data", "user.yaml"]).is_some())
    .unwrap();
    let patch = format!(
        "target: {{kind: ConfigMap, name: {}}}\npatch: [{{op: add, path: '/data/user.yaml', value: 'proxy: {{maxNameLength: 300}}'}}]\n",
        config.reference.name
    );
    let judgement = patched(upgrade(), &patch);
    let sum =
        |role: &str| workload(&judgement, role).value["spec"]["template"]["metadata"]["annotations"][CHECKSUM].clone();
    let data = objects(&judgement)
        .into_iter()
        .find(|o| o.reference == config.reference)
        .unwrap();
    let wanted = checksum(data.at(&["data"]).unwrap());
    for role in ["proxy", "querynode"] {
        if !sum(role).is_null() {
            assert_eq!(sum(role), wanted, "{role}");
        }
    }
    assert_eq!(data.value["data"]["user.yaml"], "proxy: {maxNameLength: 300}");
}

#[test]
fn what_is_wrong_with_a_patch_is_refused_with_its_place() {
    for (patch, words) in [
        (
            "target: {role: indexnode}\npatch: {metadata: {labels: {a: b}}}",
            "patch 1: no object of the output is meant by it (role indexnode)",
        ),
        ("target: {rolle: proxy}\npatch: {a: b}", "unknown field `rolle`"),
        ("target: {}\npatch: {a: b}", "`target` names nothing"),
        ("target: {role: proxy}\npatch: 3", "is a list (RFC 6902) or a mapping"),
        ("patches: 3", "`patches` is a list"),
        (
            "target: {role: proxy}\npatches: []",
            "beside `patches` nothing is known",
        ),
        (
            "target: {role: proxy}\npatch: {metadata: {labels: {x: y}}}",
            "/metadata/labels/x: `metadata.labels` holds strings, `x` is the boolean true: quote it",
        ),
        (
            "target: {role: proxy}\npatch: [{op: test, path: /a, value: 1}]",
            "the operation test",
        ),
        (
            "target: {role: proxy}\npatch: [{op: add, path: a, value: 1}]",
            "does not begin with a slash",
        ),
        (
            "target: {role: proxy}\npatch: [{op: remove, path: /spec/nothing}]",
            "does not fit Deployment",
        ),
        (
            "target: {role: proxy}\npatch: [{op: replace, path: /metadata/name, value: x}]",
            "another object",
        ),
        ("a: b", "names no object by `kind` and `metadata.name`"),
        ("[]", "holds no patch"),
        ("", "holds no patch"),
        ("a: b: c", "uplift.yaml, line 1"),
    ] {
        let judgement = patched(upgrade(), patch);
        let finding = judgement.findings.iter().find(|f| f.code == "MU001");
        let said = finding.map(|f| f.message.clone()).unwrap_or_default();
        assert!(said.contains(words), "{patch}\n{said}");
        assert!(judgement.output.is_none());
    }
}

#[test]
fn a_patch_may_be_written_as_kustomize_does() {
    let text = "patches:\n- target: {kind: Deployment}\n  patch: |-\n    - op: add\n      path: /metadata/labels/a\n      value: b\n";
    let read = read("k.yaml", text.as_bytes()).unwrap();
    assert!(matches!(&read[0].how, How::Json(ops) if ops[0].value == Some(json!("b"))));
    let object = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: 2}\n";
    let whole = super::read("k.yaml", object.as_bytes()).unwrap();
    assert_eq!(whole[0].target.to_string(), "group apps, kind Deployment, name a");
}

#[test]
fn names_may_hold_wildcards() {
    for (wanted, name, is) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("*-b", "a-b", true),
        ("a*", "abc", true),
        ("a*c*e", "abcde", true),
        ("a*c*e", "abde", false),
        ("*", "", true),
        ("a*a", "a", false),
    ] {
        assert_eq!(matches_name(wanted, name), is, "{wanted} {name}");
    }
}

#[test]
fn what_is_taken_away_takes_nothing_along_that_was_brought_in_beside_it() {
    let without = patched(
        upgrade(),
        "target: {role: proxy}\npatch: {metadata: {labels: {x: z}}}\n",
    );
    let all: Vec<ObjectRef> = objects(&without).into_iter().map(|o| o.reference).collect();
    for gone in all.iter().filter(|r| r.kind != "ConfigMap") {
        let patch = format!(
            "target: {{kind: {}, name: {}}}\npatch: {{$patch: delete}}\n",
            gone.kind, gone.name
        );
        let scenario = ["MU113", "MU203", "MU105", "MU205"]
            .iter()
            .fold(upgrade(), |scenario, code| scenario.allow(code));
        let judgement = patched(scenario, &patch);
        let left: Vec<ObjectRef> = objects(&judgement).into_iter().map(|o| o.reference).collect();
        let wanted: Vec<ObjectRef> = all.iter().filter(|r| *r != gone).cloned().collect();
        assert_eq!(left, wanted, "without {gone}");
    }
}
