use proptest::prelude::*;

use crate::judge::{Current, Judgement};
use crate::kube::workload;
use crate::milvus::role::Role;
use crate::rewrite::ChangeOp;
use crate::rules::testkit::{Scenario, autoscaler, brought, cluster, cluster26, config, deployment, served};
use crate::stage::{LAST, Stage, of_role};
use crate::transition::Kind;
use crate::value::json;

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
        let output = judged.text().expect("an output");
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
    assert_eq!(at_once.text().as_deref(), Some(&*current));
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
        let output = held.text().unwrap();
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
fn a_live_object_that_is_written_back_is_as_people_write_it() {
    let tools = "        - name: tools\n          emptyDir: {}\n";
    let node = deployment("indexnode", "\"indexnode\"", "v2.5.16").replace("          env:\n", "") + tools;
    let start = Scenario::upgrade("v2.5.16", "v2.6.16").drop_current("Deployment", "rel-milvus-indexnode");
    let current = start.add_current(&node);
    let Current::Manifests(before) = current.request().current else {
        panic!("manifests");
    };
    let live = deployed(before.text().unwrap(), Form::Live, Drift::default());
    let start = current
        .with_current(live)
        .drop_target("Deployment", "rel-milvus-indexnode");
    let back = brought(&start.stage(Stage::At(1)).judge(), "Deployment", "indexnode").expect("it is kept");
    assert_eq!(back["spec"], crate::yaml::read(&node).unwrap().unwrap()["spec"]);
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
        let output = judged.text().unwrap();
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
fn what_pods_mount_goes_with_the_last_of_them() {
    let node = deployment("querynode", "\"querynode\"", "v2.5.16");
    let volume = "      volumes:\n        - name: extra\n          configMap:\n            name: rel-extra\n";
    let before = cluster("v2.5.16", false).replace(&node, &node.replace("      volumes:\n", volume))
        + &config("").replace("name: rel-milvus", "name: rel-extra");
    let start = Scenario::of(&before, &cluster("v2.6.16", false));
    let mut current = before;
    for (stage, there) in [(1, true), (2, false)] {
        let judged = start.clone().stage(Stage::At(stage)).with_current(current).judge();
        current = judged.text().unwrap();
        assert_eq!(current.contains("name: rel-extra\n  namespace"), there, "stage {stage}");
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
    let brought = |value: &crate::value::Value| -> Vec<String> {
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
    let last = start.judge().text().unwrap();
    assert!(last.contains("kind: HorizontalPodAutoscaler"));
    let mut current = cluster("v2.5.16", false);
    let mut came = None;
    for stage in 1..=5 {
        let judged = start.clone().stage(Stage::At(stage)).with_current(current).judge();
        let held = judged
            .changes
            .iter()
            .find(|c| c.op == ChangeOp::Drop && c.object.kind == "HorizontalPodAutoscaler");
        current = judged.text().unwrap();
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
        let output = step.clone().with_current(current).judge().text().unwrap();
        let again = step.with_current(output.clone()).judge();
        assert_eq!(again.text().as_ref(), Some(&output), "stage {stage}");
        current = output;
    }
}

/// The first stage that is due.
fn due(scenario: &Scenario) -> u8 {
    applied(&scenario.clone().stage(Stage::Next).judge())
}

#[test]
fn two_releases_each_have_a_stage_of_their_own() {
    let twin = |text: &str| text.replace("rel-", "two-").replace("instance: rel", "instance: two");
    let (before, target) = (cluster("v2.5.16", false), cluster("v2.6.16", false));
    // The first has three stages behind it, and is given another size then; the other has not begun.
    let step = Scenario::of(&before, &target);
    let mut ahead = before.clone();
    for stage in 1..=3 {
        let judged = step.clone().stage(Stage::At(stage)).with_current(ahead).judge();
        ahead = judged.text().unwrap();
    }
    let labels = "app.kubernetes.io/instance: two, app.kubernetes.io/name: milvus";
    let mine = twin(&target).replace("# nothing", "log: {level: info}")
        + &format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: more, namespace: ns, labels: {{{labels}}}}}\n"
        );
    let both = Scenario::of(&(ahead + &twin(&before)), &(target + &mine)).stage(Stage::Next);
    let judged = both.judge();
    let due: Vec<(&str, u8)> = judged
        .releases
        .iter()
        .map(|r| (&*r.name, r.stage.expect("a stage").applied))
        .collect();
    assert_eq!(due, [("rel", 4), ("two", 1)]);
}

#[test]
fn what_comes_later_in_one_release_is_not_taken_for_the_others() {
    let twin = |text: &str| text.replace("rel-", "two-").replace("instance: rel", "instance: two");
    let (before, target) = (cluster("v2.5.16", false), cluster("v2.6.16", false));
    let labels = "app.kubernetes.io/instance: rel, app.kubernetes.io/name: milvus";
    let new =
        format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: new, namespace: ns, labels: {{{labels}}}}}\n");
    let both = Scenario::of(&(before.clone() + &twin(&before)), &(new + &target + &twin(&target)));
    let judged = both.stage(Stage::Next).judge();
    let due: Vec<u8> = judged
        .releases
        .iter()
        .map(|r| r.stage.expect("a stage").applied)
        .collect();
    assert_eq!(due, [1, 1]);
}

#[test]
fn what_belongs_to_milvus_comes_with_it_and_everything_else_before() {
    let here = "name: x, namespace: ns";
    let labelled = |namespace: &str, instance: &str, name: &str| {
        format!(
            "name: x, namespace: {namespace}, labels: {{app.kubernetes.io/instance: {instance}, app.kubernetes.io/name: {name}}}"
        )
    };
    let own = "# Source: milvus/templates/x.yaml\n";
    for (source, metadata, belongs) in [
        ("", here.to_owned(), false),
        (own, here.to_owned(), true),
        ("# Source: other/templates/x.yaml\n", here.to_owned(), false),
        ("", labelled("ns", "rel", "milvus"), true),
        ("", labelled("ns", "rel", "attu"), false),
        ("", labelled("ns", "two", "milvus"), false),
        (own, labelled("ns", "two", "milvus"), false),
        ("", labelled("other", "rel", "milvus"), false),
        ("", "name: mounted, namespace: ns".to_owned(), true),
    ] {
        let document =
            format!("---\n{source}apiVersion: v1\nkind: ConfigMap\nmetadata: {{{metadata}}}\ndata: {{a: new}}\n");
        let mut scenario = Scenario::upgrade("v2.5.16", "v2.6.16").add_target(&document);
        if metadata.contains("mounted") {
            let volume = "      volumes:\n        - name: more\n          configMap:\n            name: mounted\n";
            scenario = scenario.edit_in_target("Deployment", "rel-milvus-proxy", "      volumes:\n", volume);
        }
        let output = scenario.stage(Stage::At(0)).judge().text().unwrap();
        assert_eq!(output.contains("data: {a: new}"), !belongs, "{source}{metadata}");
    }
}

#[test]
fn a_task_of_the_chart_comes_with_the_configuration_and_a_workload_with_the_proxy() {
    let document = |kind: &str, version: &str| {
        format!(
            "---\napiVersion: {version}\nkind: {kind}\nmetadata:\n  name: x\n  namespace: ns\n  labels: {{app.kubernetes.io/instance: rel, app.kubernetes.io/name: milvus}}\n\
             spec:\n  selector: {{matchLabels: {{x: y}}}}\n  template:\n    metadata: {{labels: {{x: y}}}}\n    spec:\n      containers: [{{name: c, image: \"other:1\"}}]\n"
        )
    };
    for (kind, version, comes) in [("Job", "batch/v1", 1), ("Deployment", "apps/v1", 4)] {
        let start = Scenario::upgrade("v2.5.16", "v2.6.16").add_target(&document(kind, version));
        let mut current = cluster("v2.5.16", false);
        for stage in 0..=4 {
            let judged = start.clone().stage(Stage::At(stage)).with_current(current).judge();
            current = judged.text().unwrap();
            assert_eq!(
                current.contains("  name: x\n"),
                stage >= comes,
                "{kind} in stage {stage}"
            );
        }
    }
}

#[test]
fn a_task_and_a_hook_are_no_stage() {
    let document = |kind: &str, name: &str, annotations: &str, image: &str| {
        format!(
            "---\napiVersion: batch/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: ns, annotations: {{{annotations}}}}}\nspec:\n  \
             template:\n    spec:\n      containers:\n        - {{name: c, image: \"other:{image}\"}}\n"
        )
    };
    let hook = "helm.sh/hook: pre-upgrade";
    let scenario = Scenario::upgrade("v2.5.16", "v2.6.16")
        .add_current(&document("Job", "once", "", "1"))
        .add_target(&document("Job", "once", "", "2"))
        .add_target(&document("Deployment", "hooked", hook, "1").replace("batch/v1", "apps/v1"));
    assert_eq!(due(&scenario.allow("MU114")), 1);
}

#[test]
fn what_is_not_milvus_leaves_in_stage_0_if_it_leaves_at_all() {
    let old = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: old\n  namespace: ns\n  annotations: {a: b}\n";
    let start = Scenario::upgrade("v2.5.16", "v2.6.16");
    assert_eq!(due(&start.clone().add_current(old)), 0);
    let live = |old: &str| served(&(cluster("v2.5.16", false) + old), "rel");
    assert_eq!(due(&start.clone().with_current(live(old))), 0);
    let kept = old.replace("a: b", "helm.sh/resource-policy: keep");
    assert_eq!(due(&start.clone().with_current(live(&kept))), 1);
    let others = live("") + "---\n" + &served(old, "shop");
    assert_eq!(due(&start.with_current(others)), 1);
}

#[test]
fn one_word_less_on_a_live_command_line_is_a_stage() {
    let words = |list: &str| format!("        - name: c\n          args: {list}\n");
    let scenario = Scenario::upgrade("v2.5.16", "v2.6.16")
        .edit_in_target("StatefulSet", "rel-etcd", "        - name: c\n", &words("[a]"))
        .edit_in_current("StatefulSet", "rel-etcd", "        - name: c\n", &words("[a, b]"));
    let Current::Manifests(current) = scenario.request().current else {
        panic!("a stream")
    };
    let live = served(core::str::from_utf8(&current).unwrap(), "rel");
    assert_eq!(due(&scenario.with_current(live)), 0);
}

#[test]
fn where_a_list_shows_no_autoscaler_no_replicas_are_written_for_it() {
    let scaled = |tag: &str| {
        let free = |text: String, role: &str| {
            let node = deployment(role, &format!("\"{role}\""), tag);
            text.replace(&node, &node.replace("  replicas: 1\n", ""))
        };
        free(free(cluster(tag, false), "querynode"), "datanode") + &autoscaler("querynode", 2, 8)
    };
    let mut list = crate::yaml::read(&served(&scaled("v2.5.16"), "rel")).unwrap().unwrap();
    let items = list["items"].as_array_mut().unwrap();
    items.retain(|i| i["kind"] != "HorizontalPodAutoscaler");
    for item in items.iter_mut().filter(|i| i["kind"] == "Deployment") {
        item["spec"]["replicas"] = json!(5);
    }
    let start = Scenario::raw(&scaled("v2.6.16")).with_current(crate::yaml::emit(&list));
    let output = start.stage(Stage::At(1)).judge().text().unwrap();
    let stream = crate::stream::Stream::read(output.as_bytes(), crate::finding::Input::Target).unwrap();
    for (role, wanted) in [("querynode", None), ("datanode", Some(5)), ("proxy", Some(5))] {
        let name = format!("rel-milvus-{role}");
        let mut objects = stream.objects.iter();
        let node = objects.find(|o| o.reference.name == name && workload::template(o).is_some());
        assert_eq!(workload::replicas(node.unwrap()), wanted, "{role}");
    }
}

#[test]
fn what_an_autoscaler_of_somebody_else_does_is_no_stage_either() {
    let start = Scenario::upgrade("v2.5.16", "v2.6.16");
    let mut current = cluster("v2.5.16", false);
    for stage in 1..=2 {
        let judged = start.clone().stage(Stage::At(stage)).with_current(current).judge();
        current = judged.text().unwrap();
    }
    let drift = Drift {
        scaled: true,
        ..Drift::default()
    };
    let live = deployed(&current, Form::Live, drift);
    let scaler = "---\n".to_owned() + &served(&autoscaler("querynode", 2, 8), "shop");
    assert_eq!(due(&start.clone().with_current(live.clone() + &scaler)), 3);
    // Nobody scales it: somebody did by hand, and the stage puts it right.
    assert_eq!(due(&start.with_current(live)), 2);
}

#[test]
fn what_is_brought_back_of_a_cluster_names_the_chart_s_template() {
    let live = served(&(cluster("v2.5.16", false) + &autoscaler("indexnode", 1, 3)), "rel");
    let start = Scenario::raw(&cluster26("v2.6.16")).with_current(live);
    let output = start.stage(Stage::At(1)).judge().text().unwrap();
    for file in ["deployment", "svc", "hpa"] {
        let source = format!("# Source: milvus/templates/indexnode-{file}.yaml\n");
        assert_eq!(output.matches(&source).count(), 1, "{source}");
    }
    // Each behind the last of its kind.
    let stream = crate::stream::Stream::read(output.as_bytes(), crate::finding::Input::Target).unwrap();
    for kind in ["Deployment", "Service"] {
        let of = |role: &str| {
            let name = format!("rel-milvus-{role}");
            let mut objects = stream.objects.iter();
            objects.position(|o| o.reference.kind == kind && o.reference.name == name)
        };
        assert_eq!(of("indexnode"), of("datanode").map(|at| at + 1), "{kind}");
    }
}

#[test]
fn each_stage_is_told_by_what_it_moves() {
    let told = |kind: Kind| -> Vec<&str> { (0..=LAST).map(|n| crate::stage::describe(kind, n)).collect() };
    let first = "mixcoord, the configuration and all that is no workload";
    assert_eq!(
        told(Kind::Within),
        [
            "what is not Milvus",
            first,
            "streamingnode",
            "querynode",
            "datanode",
            "proxy and the rest"
        ]
    );
    let first = "mixcoord, streamingnode, the configuration and all that is no workload";
    assert_eq!(
        told(Kind::Streaming),
        [
            "what is not Milvus",
            first,
            "querynode",
            "datanode",
            "proxy and the rest",
            "indexnode leaves"
        ]
    );
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

#[test]
fn what_serves_no_workload_of_the_release_is_not_brought_back() {
    let account = |name: &str, instance: &str| {
        format!(
            "---\napiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {name}\n  namespace: ns\n  labels:\n    app.kubernetes.io/name: milvus\n    \
             app.kubernetes.io/instance: {instance}\n"
        )
    };
    let start = Scenario::upgrade("v2.5.16", "v2.6.16").add_current(&account("own", "rel"));
    let held = start.stage(Stage::At(0)).judge();
    assert!(
        held.changes.iter().all(|c| c.object.kind != "ServiceAccount"),
        "{:?}",
        held.changes
    );
}

#[test]
fn what_is_brought_back_keeps_the_template_it_came_from() {
    let own = "# Source: milvus/templates/of-our-own.yaml";
    let current = cluster("v2.5.16", false).replace("# Source: milvus/templates/indexnode-deployment.yaml", own);
    let held = Scenario::of(&current, &cluster26("v2.6.16"))
        .stage(Stage::At(1))
        .judge();
    let text = held.text().unwrap();
    assert!(text.contains(own), "{text}");
}

/// A ServiceMonitor of the Services of some roles.
fn monitor(name: &str, interval: u8, roles: &str) -> String {
    format!(
        "---\napiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata:\n  name: {name}\n  namespace: ns\nspec:\n  endpoints:\n    - port: metrics\n      \
         interval: {interval}s\n  selector:\n    matchExpressions:\n      - key: component\n        operator: In\n        values: [{roles}]\n"
    )
}

#[test]
fn a_monitor_moves_with_the_component_whose_service_it_watches() {
    let monitors = |interval: u8| {
        ["indexnode", "querynode", "querynode, proxy, indexnode"]
            .into_iter()
            .zip(["left", "changed", "several"])
            .map(|(roles, name)| monitor(name, interval, roles))
            .collect::<String>()
    };
    let start = Scenario::upgrade("v2.5.16", "v2.6.16")
        .add_target(&monitors(30))
        .add_target(&monitor("new", 30, "datanode"));
    let mut current = cluster("v2.5.16", false) + &monitors(15);
    let mut at = |stage: u8| {
        let judged = start
            .clone()
            .with_current(current.clone())
            .stage(Stage::At(stage))
            .judge();
        let text = judged.text().unwrap_or_else(|| panic!("{:?}", judged.findings));
        let documents: Vec<&str> = text.split("---\n").collect();
        let found = |name: &str| {
            let named = format!("  name: {name}\n");
            let document = documents.iter().find(|d| d.contains(&named))?;
            Some(document.contains("interval: 30s"))
        };
        let all = ["left", "changed", "several", "new"].map(found);
        current = text.clone();
        all
    };
    assert_eq!(at(0), [Some(false), Some(false), Some(false), None]);
    assert_eq!(at(1), [Some(false), Some(false), Some(true), None]);
    assert_eq!(at(2), [Some(false), Some(true), Some(true), None]);
    assert_eq!(at(3), [Some(false), Some(true), Some(true), Some(true)]);
    at(4);
    assert_eq!(at(5), [None, Some(true), Some(true), Some(true)]);
}

#[test]
fn what_others_write_into_the_metadata_holds_no_stage() {
    let before = cluster("v2.5.16", false);
    let start = Scenario::upgrade("v2.5.16", "v2.6.16");
    // A label of an application's tracking, on etcd and on the configuration: it comes back after each stage.
    let mut list = crate::yaml::read(&deployed(&before, Form::Live, Drift::default()))
        .unwrap()
        .unwrap();
    for item in list["items"].as_array_mut().unwrap() {
        item["metadata"]["labels"]["app.kubernetes.io/instance"] = json!("application");
        item["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = json!("application:apps/a");
    }
    let labelled = crate::yaml::emit(&list);
    let target = before.replace("v2.5.16", "v2.6.16").replace(
        "  name: rel-etcd\n  namespace: ns\n",
        "  name: rel-etcd\n  namespace: ns\n  labels:\n    app.kubernetes.io/instance: rel\n",
    );
    let next = start.replace_target(&target).with_current(labelled).stage(Stage::Next);
    assert_eq!(applied(&next.judge()), 1);
}

#[test]
fn a_budget_of_several_components_moves_with_the_last_of_them() {
    let budget = |least: u8| {
        format!(
            "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata:\n  name: both\n  namespace: ns\nspec:\n  minAvailable: {least}\n  selector:\n    \
             matchExpressions:\n      - key: component\n        operator: In\n        values: [querynode, datanode]\n"
        )
    };
    let start = Scenario::upgrade("v2.5.16", "v2.6.16").add_target(&budget(2));
    let mut current = cluster("v2.5.16", false) + &budget(1);
    let mut moved = Vec::new();
    for stage in 1..=3 {
        let judged = start.clone().with_current(current).stage(Stage::At(stage)).judge();
        current = judged.text().unwrap_or_else(|| panic!("{:?}", judged.findings));
        moved.push(current.contains("minAvailable: 2"));
    }
    assert_eq!(moved, [false, false, true]);
}
