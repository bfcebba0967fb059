use super::*;
use crate::value::json;

fn deployment(name: &str, role: &str, labels: Value, image: &str) -> Object {
    let value = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "n", "labels": {"app.kubernetes.io/instance": "argo-app"}},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
        "spec": {"containers": [{"name": "c", "image": image, "args": ["milvus", "run", role]}]}}}});
    Object::all_in(0, value).unwrap().remove(0)
}

#[test]
fn releases_are_told_apart_by_selector_instance_name_and_namespace() {
    let of = |instance: &str, app: &str| json!({"app.kubernetes.io/instance": instance, "app.kubernetes.io/name": app});
    let objects = [
        deployment("a-milvus-proxy", "proxy", of("a", "milvus"), "milvusdb/milvus:v2.5.16"),
        deployment("b-milvus-proxy", "proxy", of("b", "milvus"), "milvusdb/milvus:v2.5.16"),
        deployment(
            "a-milvus-datanode",
            "datanode",
            of("a", "milvus"),
            "milvusdb/milvus:v2.5.16",
        ),
        deployment(
            "a-second-datanode",
            "datanode",
            of("a", "second"),
            "milvusdb/milvus:v2.5.16",
        ),
    ];
    let found = inventory(&objects);
    let seen: Vec<_> = found
        .releases
        .iter()
        .map(|r| (r.name.as_str(), r.app.as_str(), r.components.len()))
        .collect();
    assert_eq!(seen, [("a", "milvus", 2), ("b", "milvus", 1), ("a", "second", 1)]);
    assert_eq!(found.releases[0].base(), Some("a-milvus"));
}

#[test]
fn the_first_that_can_be_it_is_found() {
    let release = |name: &str, app: &str, namespace: &str| Release {
        name: name.into(),
        app: app.into(),
        namespace: namespace.into(),
        components: vec![],
    };
    let mut all = Vec::new();
    for namespace in ["x", "", "y"] {
        for app in ["milvus", ""] {
            all.extend(["a", "b"].map(|name| release(name, app, namespace)));
        }
    }
    let known = ByName::of(&all);
    for name in ["a", "b", "c"] {
        for app in ["milvus", "", "other"] {
            for namespace in ["x", "y", "z", ""] {
                let one = release(name, app, namespace);
                let looked_for = all.iter().find(|r| r.is(&one));
                let found = known.first(&one);
                assert_eq!(found.map(std::ptr::from_ref), looked_for.map(std::ptr::from_ref));
                assert_eq!(known.holds(&one), looked_for.is_some());
            }
        }
    }
    assert!(!ByName::of(&[]).holds(&all[0]));
}

#[test]
fn a_release_is_found_by_name_as_by_looking_at_each() {
    let release = |name: &str, app: &str, namespace: &str| Release {
        namespace: namespace.into(),
        name: name.into(),
        app: app.into(),
        components: vec![],
    };
    let of = |all: &[(&str, &str, &str)]| -> Vec<Release> {
        all.iter().map(|(name, app, space)| release(name, app, space)).collect()
    };
    let each = of(&[
        ("a", "m", "x"),
        ("b", "m", ""),
        ("a", "m", "y"),
        ("a", "n", "x"),
        ("a", "m", "z"),
    ]);
    let asked =
        ["a", "b", "c"].map(|name| ["m", "n"].map(|app| ["", "x", "y", "q"].map(|space| release(name, app, space))));
    for releases in [&each[..], &each[1..2], &[]] {
        let known = ByName::of(releases);
        for release in asked.iter().flatten().flatten() {
            let looked_for: Vec<&Release> = releases.iter().filter(|r| r.is(release)).collect();
            let found = known.all(release);
            assert_eq!(found.len(), looked_for.len(), "{release:?}");
            assert!(found.iter().zip(&looked_for).all(|(a, b)| std::ptr::eq(*a, *b)));
            assert_eq!(known.which(release), releases.iter().position(|r| r.is(release)));
            assert_eq!(known.holds(release), !looked_for.is_empty());
            assert_eq!(known.first(release).is_some(), known.holds(release));
        }
    }
    let sets = ByNames::default();
    assert!(Rc::ptr_eq(&sets.of(&each), &sets.of(&each)));
    assert!(sets.of(&each[..1]).which(&each[2]).is_none() && sets.of(&each).which(&each[2]) == Some(2));
}

#[test]
fn base_names_survive_roles_in_them() {
    assert_eq!(
        base_name("v-rootcoord-x-rootcoord", Role::RootCoord),
        Some("v-rootcoord-x")
    );
    assert_eq!(base_name("datanode-datanode", Role::DataNode), Some("datanode"));
    assert_eq!(base_name("x-querynode-rg1", Role::QueryNode), Some("x"));
    assert_eq!(base_name("coordinator", Role::RootCoord), None);
}

#[test]
fn an_undecidable_image_takes_the_assumed_version() {
    let labels = json!({"app.kubernetes.io/instance": "a"});
    let objects = [
        deployment("a-proxy", "proxy", labels.clone(), "corp/milvus@sha256:0000"),
        deployment("a-datanode", "datanode", labels, "milvusdb/milvus:v2.5.22"),
    ];
    let release = &inventory(&objects).releases[0];
    assert!(!release.versions(None).decided());
    let assumed = Version::new(2, 5, 16);
    let versions = release.versions(Some(&assumed));
    assert!(versions.decided());
    assert_eq!(
        (versions.lowest(), versions.highest()),
        (Some(&assumed), Some(&Version::new(2, 5, 22)))
    );
}

#[test]
fn most_names_say_the_base_and_each_tag_without_version_is_told_once() {
    let labels = json!({"app.kubernetes.io/instance": "a"});
    let named = |name: &str, role: &str| deployment(name, role, labels.clone(), "corp/milvus:nightly");
    let objects = [
        named("lone-proxy", "proxy"),
        named("a-milvus-datanode", "datanode"),
        named("a-milvus-querynode", "querynode"),
    ];
    let release = &inventory(&objects).releases[0];
    assert_eq!(release.base(), Some("a-milvus"));
    assert_eq!(release.versions(None).undecidable.len(), 1);
}

fn changed(role: &str, change: impl Fn(&mut Value)) -> Object {
    let mut object = deployment("a", role, json!({"app": "x"}), "milvusdb/milvus:v2.5.22");
    change(std::sync::Arc::make_mut(&mut object.value));
    Object::all_in(0, crate::value::Value::clone(&object.value))
        .unwrap()
        .remove(0)
}

#[test]
fn what_a_workload_made_and_what_is_over_is_no_component() {
    let owned = |kind: &str, by: &str| {
        changed("proxy", |v| {
            v["kind"] = kind.into();
            v["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": by, "name": "a"}]);
        })
    };
    for (kind, by) in [
        ("ReplicaSet", "Deployment"),
        ("ReplicaSet", "Rollout"),
        ("Job", "CronJob"),
    ] {
        assert!(inventory(&[owned(kind, by)]).releases.is_empty(), "{kind} of {by}");
    }
    assert_eq!(
        inventory_of_made(&[owned("ReplicaSet", "Rollout")]).releases[0]
            .components
            .len(),
        1
    );
    // Its owner is no workload: it stands for itself.
    assert_eq!(inventory(&[owned("Deployment", "Milvus")]).releases.len(), 1);
    let pod = |phase: &str| {
        changed("proxy", |v| {
            let spec = v["spec"]["template"]["spec"].take();
            *v = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec, "status": {"phase": phase}});
        })
    };
    assert_eq!(inventory(&[pod("Running")]).releases[0].components[0].role, Role::Proxy);
    assert!(inventory(&[pod("Succeeded")]).releases.is_empty());
}

#[test]
fn a_task_that_starts_a_role_is_no_component_and_no_secret() {
    let job = |role: &str| changed(role, |v| v["kind"] = "Job".into());
    let found = inventory(&[job("datanode")]);
    assert!(found.releases.is_empty() && found.strays[0].why.contains("a Job starts it as datanode"));
    let tool = changed("x", |v| {
        v["kind"] = "Job".into();
        v["spec"]["template"]["spec"]["containers"][0]["args"] = json!(["birdwatcher", "-olc", "#connect"]);
    });
    let over = changed("datanode", |v| {
        v["kind"] = "Job".into();
        v["status"] = json!({"completionTime": "2026-01-01T00:00:00Z"});
    });
    assert!(inventory(&[tool, over]).strays.is_empty());
}

#[test]
fn a_rollout_runs_the_pods_of_the_deployment_it_names() {
    let deployment = changed("rootcoord", |v| v["spec"]["replicas"] = 0.into());
    let replicas = |kind: &str, name: &str, metadata: Value| {
        let spec = json!({"replicas": 2, "workloadRef": {"apiVersion": "apps/v1", "kind": kind, "name": name}});
        let value =
            json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": metadata, "spec": spec});
        let rollout = Object::all_in(0, value).unwrap().remove(0);
        inventory(&[deployment.clone(), rollout]).releases[0].components[0].replicas
    };
    let plain = || json!({"name": "r"});
    assert_eq!(replicas("Deployment", "a", plain()), Some(2));
    for (kind, name, metadata) in [
        ("Deployment", "b", plain()),
        ("StatefulSet", "a", plain()),
        ("Deployment", "a", json!({"name": "r", "namespace": "other"})),
        (
            "Deployment",
            "a",
            json!({"name": "r", "annotations": {"helm.sh/hook": "test"}}),
        ),
    ] {
        assert_eq!(replicas(kind, name, metadata), Some(0), "{kind} {name}");
    }
}

#[test]
fn of_several_rollouts_the_last_in_the_namespace_counts() {
    let over = |replicas: i64, namespace: &str| {
        let spec =
            json!({"replicas": replicas, "workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}});
        let metadata = json!({"name": "r", "namespace": namespace});
        let value =
            json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": metadata, "spec": spec});
        Object::all_in(0, value).unwrap().remove(0)
    };
    for (namespace, rollouts, replicas) in [
        ("n", [over(1, "n"), over(2, "n"), over(3, "m")], 2),
        ("n", [over(1, "n"), over(2, ""), over(3, "m")], 2),
        ("n", [over(2, ""), over(1, "n"), over(3, "m")], 1),
        ("", [over(1, "n"), over(2, ""), over(3, "m")], 3),
    ] {
        let deployment = changed("rootcoord", |v| {
            v["spec"]["replicas"] = 0.into();
            v["metadata"]["namespace"] = namespace.into();
        });
        let objects = [&[deployment][..], &rollouts].concat();
        let found = inventory(&objects).releases[0].components[0].replicas;
        assert_eq!(found, Some(replicas), "{namespace:?}");
    }
}

#[test]
fn several_roles_in_one_pod_cannot_be_told() {
    let mut object = deployment("a", "proxy", json!({"app": "x"}), "milvusdb/milvus:v2.5.22");
    let containers = std::sync::Arc::make_mut(&mut object.value)
        .pointer_mut("/spec/template/spec/containers")
        .unwrap()
        .as_array_mut()
        .unwrap();
    containers.push(json!({"name": "d", "image": "milvusdb/milvus:v2.5.22", "args": ["milvus", "run", "datanode"]}));
    assert!(inventory(&[object]).strays[0].why.contains("proxy, datanode"));
}
