//! What comes: mixcoord and the streaming nodes, their Services, and the place where they stand.

mod finish;
mod groups;
mod inject;
mod most;
mod selected;
mod sound;

use std::borrow::Cow;

use foldhash::HashSet;

use super::chart::{self, RESOURCE_GROUP, Sibling};
use super::join::{Coordinator, join};
use super::neutral::{CONTAINERS, neutral, role_keys, volume_names, without_mounts_of};
use super::service::service;
use super::share::{ROLE, common_text, share, starts};
use super::{Failure, Rewrite, Scene, Topology};
use crate::kube::ObjectRef;
use crate::milvus::config::STREAMING_SWITCH;
use crate::milvus::release::Component;
use crate::milvus::role::Role;
use crate::value::{Value, json};
use finish::finish;
use groups::{join_group, resource_groups};

pub use inject::inject;
pub use selected::check as check_selectors;

/// One component that comes.
pub struct Arrival {
    /// Its role.
    pub role: Role,
    /// Its workload.
    pub workload: Value,
    /// Its Service, where the release has metrics Services.
    pub service: Option<Value>,
}

/// The coordinators in the order in which they speak where they disagree.
const SPEAKERS: [Role; 4] = [Role::RootCoord, Role::QueryCoord, Role::DataCoord, Role::IndexCoord];

/// mixcoord, where none is there.
pub fn mixcoord(scene: &Scene, out: &mut Rewrite) -> Option<Arrival> {
    if scene.topology == Topology::AsRendered || scene.release.has(Role::MixCoord) {
        return None;
    }
    if scene.values.is_none() && scene.release.legacy_coordinators().next().is_none() {
        // Nothing to derive it from: the stream is refused for the missing coordinator (MU113).
        return None;
    }
    let siblings = siblings(scene);
    let base = base(scene, out)?;
    let neutral_workload = match scene.values {
        Some(values) => chart::workload(scene, values, Role::MixCoord, skeleton(scene)?, siblings),
        None => {
            let keys = role_keys(scene);
            let coordinators: Vec<Coordinator> = SPEAKERS
                .iter()
                .flat_map(|role| distinct(scene, *role))
                .filter_map(|c| {
                    Some(Coordinator {
                        role: c.role.as_str(),
                        value: neutral(scene.object(c), c, keys)?,
                    })
                })
                .collect();
            join(&coordinators, super::config::all_standby(scene), out)?
        }
    };
    let name = format!("{base}-{}", Role::MixCoord);
    let workload = finish(&neutral_workload, Role::MixCoord, &name);
    let service = service(scene, Role::MixCoord, &name);
    Some(Arrival {
        role: Role::MixCoord,
        workload,
        service,
    })
}

/// The streaming nodes, where there are none: one Deployment, or one for each resource group of the querynodes, and one
/// Service for all.
pub fn streamingnodes(scene: &Scene, out: &mut Rewrite) -> Vec<Arrival> {
    if scene.topology != Topology::Streaming || scene.release.has(Role::StreamingNode) {
        return vec![];
    }
    let siblings = siblings(scene);
    let Some(base) = base(scene, out) else { return vec![] };
    let Some(skeleton) = skeleton(scene) else {
        return vec![];
    };
    let container = skeleton.pointer(&format!("{CONTAINERS}/0")).and_then(Value::as_object);
    if !container.is_some_and(starts) {
        out.failures.push(Failure::Unbuilt(format!(
            "none of the workloads of release {} has its role as a word behind `run` in `command` or `args`, so how a streaming node is started \
             cannot be told",
            scene.release.name
        )));
        return vec![];
    }
    let role = Role::StreamingNode;
    let shared = match scene.values {
        Some(values) => chart::workload(scene, values, role, skeleton, siblings),
        None => {
            let mut shared = skeleton.clone();
            if let Some(env) = shared
                .pointer_mut(&format!("{CONTAINERS}/0/env"))
                .and_then(Value::as_array_mut)
            {
                env.retain(|v| !matches!(v["name"].as_str(), Some(STREAMING_SWITCH | RESOURCE_GROUP)));
            }
            shared["spec"]["replicas"] = json!(1);
            shared
        }
    };
    let name = format!("{base}-{role}");
    let groups = resource_groups(scene);
    if let Some(why) = too_much(groups.len(), &shared, scene.stream.text.len()) {
        out.failures.push(Failure::Unbuilt(why));
        return vec![];
    }
    let mut service = service(scene, role, &name);
    if groups.is_empty() {
        return vec![Arrival {
            role,
            workload: finish(&shared, role, &name),
            service,
        }];
    }
    groups
        .into_iter()
        .map(|(querynode, group)| {
            let suffix = querynode
                .name
                .strip_prefix(&format!("{base}-{}", Role::QueryNode))
                .unwrap_or("")
                .to_owned();
            let mut own = shared.clone();
            join_group(&mut own, scene.object(querynode), skeleton, &group, &suffix);
            Arrival {
                role,
                workload: finish(&own, role, &format!("{name}{suffix}")),
                service: service.take(),
            }
        })
        .collect()
}

/// How many bytes streaming nodes may take together, beside four for each that came in. The values of one are in each of
/// them, and a value and a group more are as many copies as both are.
const LEAST: usize = 16 << 20;

/// Why so many streaming nodes of one shape are not made, where they take more than that.
fn too_much(groups: usize, one: &Value, came_in: usize) -> Option<String> {
    let allowed = LEAST.saturating_add(came_in.saturating_mul(4));
    if groups < 2 {
        return None;
    }
    let each = one.to_string().len();
    let together = each.saturating_mul(groups);
    (together > allowed).then(|| {
        format!(
            "the querynodes name {groups} resource groups, and a streaming node for each would take {each} bytes, {together} together, where the \
             size of what came in allows {allowed}: each has all that the values below {} give, so give less there, or have fewer groups",
            chart::values_key(Role::StreamingNode)
        )
    })
}

/// All Milvus Deployments of the release without the marks of their roles.
fn siblings<'s>(scene: &'s Scene) -> &'s [Sibling] {
    scene.shapes.siblings.get_or_init(|| {
        let keys = role_keys(scene);
        let of = |c: &Component| Some((c.role, neutral(scene.object(c), c, keys)?));
        let is_deployment = |c: &Component| scene.object(c).reference.kind == "Deployment";
        let components = || scene.release.components.iter();
        let deployments: Vec<Sibling> = components().filter(|c| is_deployment(c)).filter_map(of).collect();
        match deployments.is_empty() {
            true => components().filter_map(of).collect(),
            false => deployments,
        }
    })
}

/// What the siblings share. heaptrack is a switch of each component: it is shared only where all run under it.
fn skeleton<'s>(scene: &'s Scene) -> Option<&'s Value> {
    let found = scene.shapes.skeleton.get_or_init(|| shared(siblings(scene)));
    found.as_ref()
}

fn shared(siblings: &[Sibling]) -> Option<Value> {
    let all = siblings.iter().all(|(_, v)| chart::has_heaptrack(v));
    // One container may be called otherwise, and is Milvus' all the same.
    let called = |v: &Value| v.pointer(CALLED).cloned();
    let one_name = siblings.windows(2).all(|w| called(&w[0].1) == called(&w[1].1));
    let comparable = |(_, v): &'_ Sibling| {
        let as_it_is = all || !chart::has_traces_of_heaptrack(v);
        (!as_it_is || !one_name).then(|| {
            let mut own = v.clone();
            if !as_it_is {
                chart::without_heaptrack(&mut own);
            }
            if let Some(name) = own.pointer_mut(CALLED).filter(|_| !one_name) {
                *name = ROLE.into();
            }
            own
        })
    };
    let values: Vec<Cow<Value>> = siblings
        .iter()
        .map(|sibling| comparable(sibling).map_or(Cow::Borrowed(&sibling.1), Cow::Owned))
        .collect();
    let values: Vec<&Value> = values.iter().map(AsRef::as_ref).collect();
    let mut shared = share(&values)?;
    // All may mount a volume of one name that is another one in each.
    let kept: HashSet<String> = volume_names(&shared).iter().map(common_text).collect();
    let mut lost = volume_names(values.first()?);
    lost.retain(|name| !kept.contains(&common_text(name)));
    without_mounts_of(&mut shared, &lost);
    most::complete(&mut shared, &values)?;
    Some(shared)
}

/// Where the name of the container that runs Milvus stands.
const CALLED: &str = "/spec/template/spec/containers/0/name";

fn base<'a>(scene: &Scene<'a>, out: &mut Rewrite) -> Option<&'a str> {
    let base = scene.release.base();
    if base.is_none() {
        let names: Vec<_> = scene.release.components.iter().map(|c| c.name.as_str()).collect();
        out.failures.push(Failure::Unbuilt(format!(
            "no workload's name ends in its role ({}), so mixcoord and streamingnode cannot be named as the chart names them",
            names.join(", ")
        )));
    }
    base
}

/// The components in a role; of an object that comes twice the last, which is the one that Helm leaves in the cluster.
fn distinct<'s, 'a>(scene: &'s Scene<'a>, role: Role) -> impl Iterator<Item = &'a Component> + use<'s, 'a> {
    let release = scene.release;
    let mut seen: HashSet<&ObjectRef> = HashSet::default();
    let backwards = release.components.iter().rev();
    let mut last: Vec<&Component> = backwards.filter(|c| seen.insert(&scene.object(c).reference)).collect();
    last.reverse();
    last.into_iter().filter(move |c| c.role == role)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testkit::{Scenario, brought, cluster};

    #[test]
    fn streaming_nodes_may_take_so_many_bytes_together() {
        let of = |bytes: usize| Value::from("x".repeat(bytes - 2));
        assert!(too_much(2, &of(LEAST / 2), 0).is_none());
        assert!(too_much(1, &of(LEAST + 1), 0).is_none());
        assert!(too_much(3, &of(LEAST / 2), LEAST / 8).is_none());
        let why = too_much(2, &of(LEAST / 2 + 1), 0).expect("too much");
        assert!(why.contains("name 2 resource groups"), "{why}");
        assert!(too_much(3, &of(LEAST / 2), LEAST / 8 - 1).is_some());
    }

    /// The words of the other roles as they are written there, in a container of the same name.
    const START: &str = "args: [ \"milvus\", \"run\", \"ROLE\" ]\n";

    fn of_role(scenario: &Scenario, kind: &str, role: &str) -> Value {
        let judged = scenario.judge();
        assert!(!judged.refused(), "{:?}", judged.findings);
        brought(&judged, kind, role).expect("it comes")
    }

    fn streamingnode(scenario: &Scenario) -> Value {
        let workload = of_role(scenario, "Deployment", "streamingnode");
        workload.pointer(&format!("{CONTAINERS}/0")).unwrap().clone()
    }

    #[test]
    fn one_workload_that_is_started_otherwise_changes_nothing() {
        let forms = [
            "command: [milvus, run, ROLE]\n",
            "command: [/milvus/bin/milvus]\n          args: [run, ROLE]\n",
            "command: [sh, -c, \"exec milvus run ROLE\"]\n",
            "command: [sh, -c]\n          args: [\"ulimit -n 1; milvus  run\\tROLE >log 2>&1\"]\n",
            "args: [sh, -c, \"milvus run ROLE -alias=a && true\"]\n",
            "args: [milvus, run, ROLE, -alias=a]\n",
        ];
        for role in ["indexnode", "querynode", "datanode", "proxy"] {
            for form in forms {
                let name = format!("rel-milvus-{role}");
                let (from, to) = (START.replace("ROLE", role), form.replace("ROLE", role));
                let scenario = Scenario::upgrade("v2.5.16", "v2.6.16")
                    .edit_in_target("Deployment", &name, &from, &to)
                    .edit_in_current("Deployment", &name, &from, &to);
                for scenario in [scenario.clone(), scenario.values("{}")] {
                    let node = streamingnode(&scenario);
                    assert_eq!(node["args"], json!(["milvus", "run", "streamingnode"]), "{role} {form}");
                    assert_eq!(node.get("command"), None, "{role} {form}");
                }
            }
        }
    }

    #[test]
    fn it_is_started_as_most_are() {
        let shell = |text: String| {
            let other = |text: String, role: &str| {
                let line = format!("command: [ sh, -c, \"exec milvus run {role}\" ]\n");
                text.replace(&START.replace("ROLE", role), &line)
            };
            ["indexnode", "querynode", "datanode"].into_iter().fold(text, other)
        };
        let scenario = Scenario::of(&shell(cluster("v2.5.16", false)), &shell(cluster("v2.6.16", false)));
        let node = streamingnode(&scenario);
        assert_eq!(node["command"], json!(["sh", "-c", "exec milvus run streamingnode"]));
        assert_eq!(node.get("args"), None);
        let fields: Vec<&str> = node.as_object().unwrap().keys().map(|k| &**k).take(3).collect();
        assert_eq!(fields, ["name", "image", "command"]);
    }

    #[test]
    fn a_container_may_have_any_name() {
        let named = |scenario: Scenario, role: &str, name: &str| {
            let (from, to) = (format!("        - name: {role}\n"), format!("        - name: {name}\n"));
            let workload = format!("rel-milvus-{role}");
            scenario
                .edit_in_target("Deployment", &workload, &from, &to)
                .edit_in_current("Deployment", &workload, &from, &to)
        };
        let base = Scenario::upgrade("v2.5.16", "v2.6.16");
        for (role, name) in [("indexnode", "milvus"), ("querynode", "main"), ("proxy", "datanode")] {
            let node = streamingnode(&named(base.clone(), role, name));
            assert_eq!(node["name"], "streamingnode");
            assert_eq!(node, streamingnode(&base));
        }
        let roles = ["mixcoord", "indexnode", "querynode", "datanode", "proxy"];
        let all = roles.into_iter().fold(base, |s, role| named(s, role, "milvus"));
        assert_eq!(streamingnode(&all)["name"], "milvus");
    }

    /// Both sides with other labels and selectors than `component`, of a role and its workload's name.
    fn labelled(separate: bool, to: &str, label: impl Fn(&str, &str) -> String) -> Scenario {
        let relabel = |text: String| {
            let roles = [
                "rootcoord",
                "querycoord",
                "datacoord",
                "indexcoord",
                "mixcoord",
                "indexnode",
                "querynode",
                "datanode",
                "proxy",
            ];
            roles.into_iter().fold(text, |text, role| {
                text.replace(
                    &format!("component: \"{role}\""),
                    &label(role, &format!("rel-milvus-{role}")),
                )
            })
        };
        Scenario::of(&relabel(cluster("v2.5.16", separate)), &relabel(cluster(to, separate)))
    }

    #[test]
    fn a_label_may_say_the_role_within_a_name() {
        for (label, want) in [
            ("app: milvus-ROLE", "milvus-ROLE"),
            ("k8s-app: NAME", "rel-milvus-ROLE"),
            ("tier: ROLE.milvus", "ROLE.milvus"),
        ] {
            let label = |role: &str, name: &str| label.replace("ROLE", role).replace("NAME", name);
            for (separate, to, role) in [(false, "v2.6.16", "streamingnode"), (true, "v2.5.22", "mixcoord")] {
                let scenario = labelled(separate, to, label);
                for scenario in [scenario.clone(), scenario.values("{}")] {
                    let workload = of_role(&scenario, "Deployment", role);
                    let chosen = workload.pointer("/spec/selector/matchLabels").unwrap();
                    assert!(chosen.to_string().contains(&want.replace("ROLE", role)), "{chosen}");
                    assert_eq!(workload.pointer("/spec/template/metadata/labels"), Some(chosen));
                    let service = of_role(&scenario, "Service", role);
                    assert_eq!(&service["spec"]["selector"], chosen);
                }
            }
        }
    }

    #[test]
    fn labels_that_say_no_role_are_refused() {
        let told = |label: &dyn Fn(&str, &str) -> String| {
            let all = labelled(false, "v2.6.16", label).of_rule("MU007");
            assert_eq!(all.len(), 1, "{all:?}");
            all[0].message.clone()
        };
        let dashed = |role: &str, _: &str| format!("app: {}", role.replace("node", "-node").replace("coord", "-coord"));
        assert!(told(&dashed).contains("rel-milvus-streamingnode would also select the pods of rel-milvus-"));
        let unlike = |role: &str, _: &str| format!("app: x{}", role.len());
        assert!(told(&unlike).contains("would also select the pods of"));
    }

    #[test]
    fn how_it_is_started_may_be_untold() {
        let quoted = |text: String| {
            let other = |text: String, role: &str| {
                let line = format!("command: [ sh, -c, \"exec milvus run '{role}'\" ]\n");
                text.replace(&START.replace("ROLE", role), &line)
            };
            let text = ["indexnode", "querynode", "datanode", "proxy"]
                .into_iter()
                .fold(text, other);
            text.replace("\"mixture\"", "'mixture'").replace(
                "args: [ \"milvus\", \"run\", 'mixture'",
                "command: [ sh, -c, \"milvus run 'mixture'\"",
            )
        };
        let scenario = Scenario::of(&cluster("v2.5.16", false), &quoted(cluster("v2.6.16", false)));
        let all = scenario.of_rule("MU007");
        assert!(
            all.len() == 1
                && all[0]
                    .message
                    .contains("how a streaming node is started cannot be told"),
            "{all:?}"
        );
    }
}
