use super::*;
use crate::judge::{Judgement, ValuesFile, judge};
use crate::kube::{Object, ObjectRef};
use crate::rewrite::ChangeOp;
use crate::rewrite::config::{CHECKSUM, checksum};
use crate::rules::testkit::Scenario;
use crate::stream::Stream;
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

/// The ConfigMap of the release, by its name.
fn config() -> String {
    let all = objects(&patched(
        upgrade(),
        "target: {role: proxy}\npatch: {metadata: {labels: {x: z}}}\n",
    ));
    let config = all.into_iter().find(|o| o.at(&["data", "user.yaml"]).is_some());
    config.unwrap().reference.name
}

/// Patches of the ConfigMap: a long text, many patches into it, and what is given behind them.
fn into_a_long_text(name: &str, behind: &[&str]) -> String {
    let text: String = (0..1000).map(|i| format!("k{i}: v\\n")).collect();
    let first = format!("[{{op: add, path: /data/long.yaml, value: \"# long\\na: 0\\n{text}\"}}]");
    let many = (0..90).map(|i| format!("[{{op: replace, path: '/data/long.yaml#/a', value: {}}}]", i / 2));
    let patches = [first].into_iter().chain(many);
    let all = patches.chain(behind.iter().map(|patch| (*patch).to_owned()));
    all.map(|patch| format!("- target: {{kind: ConfigMap, name: {name}}}\n  patch: {patch}\n"))
        .collect()
}

#[test]
fn many_patches_into_a_long_text_are_made_together() {
    let name = config();
    let long = |behind: &[&str]| {
        let judgement = patched(upgrade(), &into_a_long_text(&name, behind));
        let all = objects(&judgement);
        let map = all
            .iter()
            .find(|o| o.reference.name == name && o.reference.kind == "ConfigMap");
        let text = map.unwrap().value["data"]["long.yaml"].as_str().map(str::to_owned);
        let noted = judgement
            .changes
            .iter()
            .filter(|c| c.object.name == name && c.op == ChangeOp::Patch);
        let noted: Vec<String> = noted
            .map(|c| c.why.clone())
            .filter(|why| why.contains("uplift.yaml"))
            .collect();
        (text, noted)
    };
    let (text, noted) = long(&[
        "[{op: remove, path: '/data/long.yaml#/k0'}]",
        "{metadata: {labels: {x: z}}}",
        "[{op: remove, path: '/data/long.yaml#/k2'}, {op: add, path: '/data/long.yaml#/b', value: 7}]",
    ]);
    let text = text.unwrap();
    assert!(text.starts_with("# long\na: 44\nk1: v\nk3: v\n"), "{}", &text[..40]);
    assert!(text.ends_with("k999: v\nb: 7\n"));
    // Every other one changes nothing, the first of them too: it sets what stands there.
    let mut wanted = vec!["uplift.yaml, patch 1".to_owned()];
    wanted.extend((2..=44).map(|i| format!("uplift.yaml, patch {}", 2 * i)));
    wanted.extend([90, 92, 93, 94].map(|i| format!("uplift.yaml, patch {i}")));
    assert_eq!(noted, wanted);

    let (text, _) = long(&["[{op: replace, path: /data/long.yaml, value: 'a: b'}]"]);
    assert_eq!(text.as_deref(), Some("a: b"));
    // The same value in other words, as where few patches come before it.
    let (text, noted) = long(&[
        "[{op: replace, path: /data/long.yaml, value: \"h: 0x10\\nk: v\\n\"}]",
        "[{op: replace, path: '/data/long.yaml#/h', value: 16}]",
        "[{op: replace, path: '/data/long.yaml#/h', value: 16}]",
    ]);
    assert_eq!(text.as_deref(), Some("h: 16\nk: v\n"));
    assert_eq!(noted.last().unwrap(), "uplift.yaml, patch 93");
    let (text, noted) = long(&["{data: {long.yaml: null}}"]);
    assert!(text.is_none() && noted.last().unwrap() == "uplift.yaml, patch 92");
}

#[test]
fn what_is_wrong_among_them_is_told_of_its_patch() {
    let name = config();
    for (wrong, words) in [
        (
            "[{op: add, path: '/data/long.yaml#/b', value: 1}, {op: remove, path: '/data/long.yaml#/c'}]",
            "operation 1 at `/data/long.yaml#/c`: there is no key `c`",
        ),
        (
            "[{op: replace, path: '/data/long.yaml#/no/where', value: 1}]",
            "operation 0 at `/data/long.yaml#/no/where`: there is no `/no`",
        ),
        (
            "[{op: add, path: '/data/short.yaml#/b', value: 1}]",
            "operation 0 at `/data/short.yaml#/b`: there is no `/data/short.yaml#`",
        ),
    ] {
        let patch = into_a_long_text(&name, &[wrong, "[{op: remove, path: /data/nothing}]"]);
        let judgement = patched(upgrade(), &patch);
        let finding = judgement.findings.iter().find(|f| f.code == "MU001");
        let said = finding.map(|f| f.message.clone()).unwrap_or_default();
        assert!(said.contains("uplift.yaml, patch 92 does not fit ConfigMap"), "{said}");
        assert!(said.ends_with(words), "{said}");
    }
}

#[test]
fn what_the_rewrite_brings_names_each_patch_on_it() {
    let patch = "- target: {role: streamingnode}\n  patch: {metadata: {annotations: {a: b}}}\n";
    let judgement = patched(upgrade(), &patch.repeat(2).replacen("a: b", "c: d", 1));
    let brought = judgement
        .changes
        .iter()
        .find(|c| c.why.contains("uplift.yaml"))
        .unwrap();
    assert!(brought.op == ChangeOp::Inject && brought.why.ends_with("; uplift.yaml, patch 1; uplift.yaml, patch 2"));
}
