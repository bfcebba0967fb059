use proptest::prelude::*;
use serde_json::json;

use crate::judge::Judgement;
use crate::kube::workload;
use crate::milvus::role::Role;
use crate::rewrite::ChangeOp;
use crate::rules::testkit::{Scenario, autoscaler, cluster, cluster26, config, deployment, served};
use crate::stage::{LAST, Stage, of_role};
use crate::transition::Kind;

/// How the current state is given.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Manifests,
    Live,
}

/// What a cluster holds beside what Helm applied.
#[derive(Clone, Copy, Debug, Default)]
struct Drift {
    /// An admission webhook gives every Deployment an annotation and a variable.
    webhook: bool,
    /// An autoscaler moves the replicas of querynode.
    scaled: bool,
    /// Another release of Helm lives in the namespace.
    neighbour: bool,
}

/// What is deployed after an output was applied, as `--current` shows it.
fn deployed(output: &str, form: Form, drift: Drift) -> String {
    if form == Form::Manifests {
        return output.to_owned();
    }
    let mut list = crate::yaml::read(&served(output, "rel")).unwrap().unwrap();
    for item in list["items"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .filter(|i| i["kind"] == "Deployment")
    {
        if drift.webhook {
            item["metadata"]["annotations"]["webhook.example.com/seen"] = json!("yes");
            let pod = &mut item["spec"]["template"]["spec"];
            pod["tolerations"] = json!([{"key": "a", "operator": "Exists"}]);
            let injected = json!({"name": "NODE", "value": "x"});
            match pod["containers"][0]["env"].as_array_mut() {
                Some(env) => env.push(injected),
                None => pod["containers"][0]["env"] = json!([injected]),
            }
        }
        if drift.scaled && item["metadata"]["name"] == "rel-milvus-querynode" {
            item["spec"]["replicas"] = json!(5);
        }
    }
    let mut text = crate::yaml::emit(&list);
    if drift.neighbour {
        let manifests = deployment("web", "\"-c\"", "v9") + &config("");
        text.push_str("---\n");
        text.push_str(&served(
            &manifests.replace("milvus", "shop").replace("rel", "shop"),
            "shop",
        ));
    }
    text
}

fn applied(judged: &Judgement) -> u8 {
    let refused: Vec<_> = judged.findings.iter().filter(|f| f.refuses()).collect();
    assert!(refused.is_empty(), "{refused:?}");
    judged.releases[0].stage.map_or(LAST, |s| s.applied)
}

/// Walks by `next` until that changes nothing any more; the stages it took. Ends where all at once ends.
fn walk(start: &Scenario, before: &str, form: Form, drift: Drift) -> Vec<u8> {
    let next = start.clone().stage(Stage::Next);
    let mut current = before.to_owned();
    let mut walked = Vec::new();
    loop {
        let judged = next.clone().with_current(deployed(&current, form, drift)).judge();
        let stage = applied(&judged);
        let output = judged.output.expect("an output");
        assert!(
            walked.last().is_none_or(|last| *last < stage) || stage == LAST,
            "{walked:?}, then {stage}"
        );
        if output == current {
            break;
        }
        walked.push(stage);
        assert!(walked.len() <= usize::from(LAST) + 1, "no end: {walked:?}");
        current = output;
    }
    let at_once = start.clone().with_current(deployed(before, form, drift)).judge();
    assert_eq!(at_once.output.as_deref(), Some(&*current));
    walked
}

fn all_forms(start: &Scenario, before: &str, wanted: &[u8]) {
    let drift = Drift {
        webhook: true,
        neighbour: true,
        ..Drift::default()
    };
    for (form, drift) in [
        (Form::Manifests, Drift::default()),
        (Form::Live, Drift::default()),
        (Form::Live, drift),
    ] {
        assert_eq!(walk(start, before, form, drift), wanted, "{form:?} {drift:?}");
    }
}

#[test]
fn next_walks_from_2_5_to_2_6() {
    let start = Scenario::upgrade("v2.5.16", "v2.6.16");
    all_forms(&start, &cluster("v2.5.16", false), &[1, 2, 3, 4, 5]);
}

#[test]
fn next_walks_within_2_6_and_to_3_0() {
    for (from, to) in [("v2.6.6", "v2.6.16"), ("v2.6.20", "v3.0.0")] {
        let start = Scenario::upgrade(from, to);
        all_forms(&start, &cluster26(from), &[1, 2, 3, 4, 5]);
    }
}

#[test]
fn next_begins_with_what_is_not_milvus() {
    let start = Scenario::upgrade("v2.5.16", "v2.6.16").edit_target("image: other:1", "image: other:2");
    all_forms(&start, &cluster("v2.5.16", false), &[0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_standalone_moves_in_one_stage() {
    let start = Scenario::standalone("v2.5.16", "v2.6.16", "rocksmq");
    let before = crate::rules::testkit::standalone("v2.5.16", "rocksmq", "rel-milvus");
    all_forms(&start, &before, &[1]);
}

#[test]
fn what_an_autoscaler_does_is_no_stage_of_its_own() {
    let scaled = |text: String, replicas: &str| {
        text.replace(
            "name: rel-milvus-querynode\n  namespace: ns\n  labels:\n    helm",
            "name: rel-milvus-querynode\n  namespace: ns\n  labels:\n    hpa: \"yes\"\n    helm",
        )
        .replace("spec:\n  replicas: 1\n", &format!("spec:\n{replicas}"))
            + &autoscaler("querynode", 2, 8)
    };
    let drift = Drift {
        scaled: true,
        ..Drift::default()
    };
    for replicas in ["  replicas: 2\n", ""] {
        let before = scaled(cluster("v2.5.16", false), replicas);
        let start = Scenario::of(&before, &scaled(cluster("v2.6.16", false), replicas));
        assert_eq!(
            walk(&start, &before, Form::Live, drift),
            [1, 2, 3, 4, 5],
            "{replicas:?}"
        );
        let held = start
            .stage(Stage::At(1))
            .with_current(deployed(&before, Form::Live, drift))
            .judge();
        let output = held.output.unwrap();
        let stream = crate::stream::Stream::read(output.as_bytes(), crate::finding::Input::Target).unwrap();
        let querynode = stream
            .objects
            .iter()
            .find(|o| o.reference.name == "rel-milvus-querynode" && workload::template(o).is_some());
        // Where the chart leaves them to the autoscaler, nothing is written that a later stage would take away.
        let wanted = (!replicas.is_empty()).then_some(5);
        assert_eq!(workload::replicas(querynode.unwrap()), wanted);
    }
}

#[test]
fn a_live_object_that_is_held_back_is_changed_only_where_it_differs() {
    let start = Scenario::upgrade("v2.5.16", "v2.6.16").stage(Stage::At(1));
    let current = deployed(&cluster("v2.5.16", false), Form::Live, Drift::default());
    let judged = start.with_current(current).judge();
    let held: Vec<_> = judged
        .changes
        .iter()
        .filter(|c| c.why.contains("stays as it is deployed"))
        .collect();
    assert_eq!(held.len(), 4, "{held:?}");
    for change in held {
        assert_eq!(
            (change.op, &*change.object.kind),
            (ChangeOp::Patch, "Deployment"),
            "{change:?}"
        );
        let paths: Vec<_> = change.patch.iter().map(|p| &*p.path).collect();
        assert_eq!(paths, ["/spec/template/spec/containers/0/image"]);
    }
}

#[test]
fn a_list_that_shows_no_services_takes_none_away() {
    let all = deployed(&cluster("v2.5.16", false), Form::Live, Drift::default());
    let mut list = crate::yaml::read(&all).unwrap().unwrap();
    list["items"]
        .as_array_mut()
        .unwrap()
        .retain(|i| i["kind"] != "Service" && i["kind"] != "StatefulSet");
    let start = Scenario::upgrade("v2.5.16", "v2.6.16").with_current(crate::yaml::emit(&list));
    let judged = start.clone().stage(Stage::At(1)).judge();
    let dropped = judged.changes.iter().filter(|c| c.op == ChangeOp::Drop);
    assert_eq!(dropped.map(|c| &*c.object.name).collect::<Vec<_>>(), Vec::<&str>::new());
    assert_eq!(applied(&start.stage(Stage::Next).judge()), 1);
}

#[test]
fn what_pods_of_later_stages_mount_stays_until_they_move() {
    let volume = |text: &str| {
        text.replace(
            "      volumes:\n",
            "      volumes:\n        - name: extra\n          configMap:\n            name: rel-extra\n",
        )
    };
    let before = volume(&cluster("v2.5.16", false)) + &config("").replace("name: rel-milvus", "name: rel-extra");
    let start = Scenario::of(&before, &cluster("v2.6.16", false));
    let named = |stage: u8, current: &str| {
        let judged = start
            .clone()
            .stage(Stage::At(stage))
            .with_current(current.into())
            .judge();
        let output = judged.output.unwrap();
        (output.contains("name: rel-extra\n  namespace"), output)
    };
    let mut current = before.clone();
    for stage in 1..=5 {
        let (there, output) = named(stage, &current);
        assert_eq!(there, stage < 5, "stage {stage}");
        current = output;
    }
}

#[test]
fn what_somebody_else_applied_is_not_made_the_release_s_own() {
    let scaler = autoscaler("querynode", 2, 8);
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: keys\n  namespace: ns\n";
    let named = |text: &str| {
        text.replace(
            "          env:\n",
            "          env:\n            - name: KEY\n              valueFrom:\n                secretKeyRef: {name: keys, key: k}\n",
        )
    };
    let before = named(&cluster("v2.5.16", false));
    let list = deployed(&(before + &scaler + secret), Form::Live, Drift::default());
    let mut value = crate::yaml::read(&list).unwrap().unwrap();
    let start = Scenario::upgrade("v2.5.16", "v2.6.16").stage(Stage::At(1));
    let brought = |value: &serde_json::Value| -> Vec<String> {
        let judged = start.clone().with_current(crate::yaml::emit(value)).judge();
        assert_eq!(applied(&judged), 1);
        let held = judged
            .changes
            .iter()
            .filter(|c| c.op == ChangeOp::Inject && matches!(&*c.object.kind, "Secret" | "HorizontalPodAutoscaler"));
        held.map(|c| c.object.name.clone()).collect()
    };
    let mut both = brought(&value);
    both.sort();
    assert_eq!(both, ["keys", "rel-milvus-querynode-hpa"]);
    let hidden = "---\n# Source: milvus/templates/secret.yaml\n# HIDDEN: The Secret output has been suppressed\n";
    let judged = start
        .clone()
        .add_target(hidden)
        .with_current(crate::yaml::emit(&value))
        .judge();
    assert!(judged.changes.iter().all(|c| c.object.kind != "Secret"));
    for item in value["items"].as_array_mut().unwrap() {
        if matches!(item["kind"].as_str(), Some("Secret" | "HorizontalPodAutoscaler")) {
            item["metadata"]["annotations"] = json!({});
        }
    }
    assert_eq!(brought(&value), Vec::<String>::new());
}

#[test]
fn what_is_new_beside_a_component_comes_when_it_moves() {
    let start = Scenario::upgrade("v2.5.16", "v2.6.16").add_target(&autoscaler("querynode", 2, 8));
    let last = start.judge().output.unwrap();
    assert!(last.contains("kind: HorizontalPodAutoscaler"));
    let mut current = cluster("v2.5.16", false);
    let mut came = None;
    for stage in 1..=5 {
        let judged = start.clone().stage(Stage::At(stage)).with_current(current).judge();
        let held = judged
            .changes
            .iter()
            .find(|c| c.op == ChangeOp::Drop && c.object.kind == "HorizontalPodAutoscaler");
        current = judged.output.unwrap();
        let there = current.contains("kind: HorizontalPodAutoscaler");
        assert_eq!(there, held.is_none(), "stage {stage}");
        match held {
            Some(change) => assert!(change.why.starts_with("it comes in stage "), "{}", change.why),
            None => came = came.or(Some(stage)),
        }
    }
    let moves = crate::stage::of_role(crate::transition::Kind::Streaming, crate::milvus::role::Role::QueryNode);
    assert_eq!(came, Some(moves));
}

#[test]
fn two_releases_in_one_stream_walk_side_by_side() {
    let twin = |text: String| text.clone() + &text.replace("rel-", "two-").replace("instance: rel", "instance: two");
    let before = twin(cluster("v2.5.16", false));
    let start = Scenario::of(&before, &twin(cluster("v2.6.16", false)));
    assert_eq!(
        walk(&start, &before, Form::Manifests, Drift::default()),
        [1, 2, 3, 4, 5]
    );
}

#[test]
fn a_stage_repeated_changes_nothing() {
    let start = Scenario::upgrade("v2.5.16", "v2.6.16");
    let mut current = cluster("v2.5.16", false);
    for stage in 1..=5 {
        let step = start.clone().stage(Stage::At(stage));
        let output = step.clone().with_current(current).judge().output.unwrap();
        let again = step.with_current(output.clone()).judge();
        assert_eq!(again.output.as_ref(), Some(&output), "stage {stage}");
        current = output;
    }
}

/// The table of docs/stages.md.
#[test]
fn every_role_has_its_stage() {
    let within = |role| of_role(Kind::Within, role);
    let streaming = |role| of_role(Kind::Streaming, role);
    for role in [
        Role::MixCoord,
        Role::Standalone,
        Role::RootCoord,
        Role::DataCoord,
        Role::QueryCoord,
        Role::IndexCoord,
    ] {
        assert_eq!((within(role), streaming(role)), (1, 1), "{role:?}");
    }
    for (role, stages) in [
        (Role::StreamingNode, (2, 1)),
        (Role::QueryNode, (3, 2)),
        (Role::DataNode, (4, 3)),
        (Role::Proxy, (LAST, 4)),
        (Role::IndexNode, (LAST, LAST)),
    ] {
        assert_eq!((within(role), streaming(role)), stages, "{role:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whatever differs, and whatever a cluster holds beside it: `next` ends, forward only, where all at once ends.
    #[test]
    fn next_ends(
        pair in prop::sample::select(vec![("v2.5.16", "v2.6.16"), ("v2.6.6", "v2.6.16"), ("v2.6.20", "v3.0.0")]),
        live in any::<bool>(),
        (webhook, neighbour) in (any::<bool>(), any::<bool>()),
        edits in prop::sample::subsequence(vec![
            ("image: other:1", "image: other:2"), ("replicas: 1\n", "replicas: 3\n"), ("      containers:\n", "      hostNetwork: false\n      tolerations: []\n      containers:\n"),
            ("          env:\n", "          env:\n            - name: EMPTY\n              value: \"\"\n"), ("# nothing", "log: {level: info}"),
            ("          ports:\n", "          resources: {limits: {cpu: 1000m, memory: 1024Mi}}\n          ports:\n"),
        ], 0..4),
    ) {
        let mut start = Scenario::upgrade(pair.0, pair.1);
        for (from, to) in edits {
            start = start.edit_target(from, to);
        }
        let before = if pair.0.starts_with("v2.5") { cluster(pair.0, false) } else { cluster26(pair.0) };
        let form = if live { Form::Live } else { Form::Manifests };
        let drift = Drift { webhook, neighbour, scaled: false };
        let walked = walk(&start, &before, form, drift);
        prop_assert!(walked.len() <= usize::from(LAST) + 1);
    }
}
