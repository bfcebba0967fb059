//! What leaves, and what only served it.

use serde_json::Value;

use super::arrive::Arrival;
use super::{Change, Rewrite, Scene, remove, replace};
use crate::kube::network::NAMESPACE_NAME;
use crate::kube::object::namespaces_agree;
use crate::kube::selector::{self, SelectorAt};
use crate::kube::{Object, workload};
use crate::milvus::release::Component;
use crate::milvus::role::Role;
use crate::yaml::PatchOp;

/// Labels before and after, as far as selectors can tell them apart: those of pods, or of Services for what chooses
/// Services.
struct Labels<'a> {
    leaving: Vec<(&'a Value, Role)>,
    staying: Vec<&'a Value>,
    /// Those of mixcoord, which legacy coordinators become.
    mixcoord: Option<&'a Value>,
}

impl Labels<'_> {
    fn leaves(&self, s: &Value, plain: bool) -> bool {
        self.leaving
            .iter()
            .any(|(labels, _)| selector::selects(s, plain, labels))
    }

    fn stays(&self, s: &Value, plain: bool) -> bool {
        self.staying.iter().any(|labels| selector::selects(s, plain, labels))
    }

    /// The role that leaves and is meant by the label `key: value`, where nothing that stays carries it.
    fn role_of(&self, key: &str, value: &str) -> Option<Role> {
        let carries = |labels: &Value| labels.get(key).and_then(Value::as_str) == Some(value);
        if self.staying.iter().any(|l| carries(l)) {
            return None;
        }
        self.leaving.iter().find(|(l, _)| carries(l)).map(|(_, role)| *role)
    }

    /// What mixcoord carries under a key by which a legacy coordinator was meant.
    fn of_mixcoord(&self, key: &str) -> Value {
        let own = self
            .mixcoord
            .and_then(|labels| labels.get(key))
            .filter(|v| v.is_string());
        own.cloned().unwrap_or_else(|| Role::MixCoord.as_str().into())
    }
}

/// Drops the workloads whose roles leave with everything that only served them, and mends what also serves others.
pub fn leave(scene: &Scene, arriving: &[&Arrival], out: &mut Rewrite) {
    let leaving: Vec<_> = scene.leaving().collect();
    if leaving.is_empty() {
        return;
    }
    for component in &leaving {
        out.changes
            .push(Change::drop(scene.object(component), why(scene, component.role)));
    }
    let pods = pods(scene, &leaving, arriving);
    let names = scaled(scene, &leaving);
    let mut services: Vec<(&Object, Role)> = Vec::new();
    let gone = |object: &Object| leaving.iter().any(|c| std::ptr::eq(scene.object(c), object));
    for object in scene.stream.objects.iter().filter(|o| !gone(o) && !o.is_hook()) {
        let kind = object.reference.kind.as_str();
        if kind == "NetworkPolicy" {
            point_at_mixcoord(scene, object, &pods, out);
            continue;
        }
        if !looks_here(scene, object) {
            continue;
        }
        if let Some(target) = selector::scale_target(kind, &object.value).filter(|t| names.contains(t)) {
            let does = if kind == "Rollout" {
                "runs the pods of"
            } else {
                "scales"
            };
            let why = format!("it {does} {} {}, which leaves", target.0, target.1);
            out.changes.push(Change::drop(object, why));
        } else if matches!(kind, "Service" | "PodDisruptionBudget" | "PodMonitor")
            && let Some(role) = dropped_or_mended(object, &pods, out)
            && kind == "Service"
        {
            services.push((object, role));
        }
    }
    monitors(scene, &services, arriving, &pods, out);
}

/// What an autoscaler of something that leaves can name: the workloads (kind, name), and the Rollouts that run their pods.
fn scaled<'a>(scene: &'a Scene, leaving: &[&'a Component]) -> Vec<(&'a str, &'a str)> {
    let named = |o: &'a Object| (o.reference.kind.as_str(), o.reference.name.as_str());
    let mut names: Vec<(&str, &str)> = leaving.iter().map(|c| named(scene.object(c))).collect();
    let rollouts = scene.stream.objects.iter().filter(|o| {
        let runs = selector::scale_target("Rollout", &o.value).is_some_and(|t| names.contains(&t));
        o.reference.kind == "Rollout" && !o.is_hook() && looks_here(scene, o) && runs
    });
    let rollouts: Vec<_> = rollouts.map(named).collect();
    names.extend(rollouts);
    names
}

/// The labels of the pods before and after.
fn pods<'a>(scene: &'a Scene, leaving: &[&'a Component], arriving: &[&'a Arrival]) -> Labels<'a> {
    let here = |(i, o): &(usize, &Object)| {
        namespaces_agree(&o.reference.namespace, &scene.release.namespace) && !scene.gone.contains(i)
    };
    let template = |a: &'a Arrival| a.workload.pointer("/spec/template/metadata/labels");
    let standing = scene.stream.objects.iter().enumerate().filter(here);
    let mixcoord = arriving
        .iter()
        .find(|a| a.role == Role::MixCoord)
        .and_then(|a| template(a));
    Labels {
        leaving: leaving
            .iter()
            .filter_map(|c| Some((workload::pod_labels(scene.object(c))?, c.role)))
            .collect(),
        staying: standing
            .filter_map(|(_, o)| workload::pod_labels(o))
            .chain(arriving.iter().filter_map(|a| template(a)))
            .collect(),
        mixcoord: mixcoord.or_else(|| {
            let there = scene.release.in_role(Role::MixCoord).next()?;
            workload::pod_labels(scene.object(there))
        }),
    }
}

/// Whether an object chooses among what lives in the release's namespace.
fn looks_here(scene: &Scene, object: &Object) -> bool {
    let own = namespaces_agree(&object.reference.namespace, &scene.release.namespace);
    if !matches!(object.reference.kind.as_str(), "PodMonitor" | "ServiceMonitor") {
        return own;
    }
    let Some(chosen) = object.at(&["spec", "namespaceSelector"]).filter(|s| s.is_object()) else {
        return own;
    };
    if chosen.get("any").and_then(Value::as_bool) == Some(true) {
        return true;
    }
    match chosen.get("matchNames").and_then(Value::as_array) {
        Some(names) if !names.is_empty() => {
            let ours = scene.release.namespace.as_str();
            ours.is_empty() || names.iter().any(|n| n.as_str() == Some(ours))
        }
        _ => own,
    }
}

/// Drops what chooses pods that leave and no others, and mends what also chooses others. The role whose pods a dropped
/// one served.
fn dropped_or_mended(object: &Object, pods: &Labels, out: &mut Rewrite) -> Option<Role> {
    let at = selector::pod_selectors(&object.reference.kind, &object.value)
        .into_iter()
        .next()?;
    let s = &object.value[&at];
    let (_, role) = pods
        .leaving
        .iter()
        .find(|(labels, _)| selector::selects(s, at.plain, labels))?;
    if pods.stays(s, at.plain) {
        mend(object, &at, pods, out);
        return None;
    }
    out.changes.push(Change::drop(object, "it serves only pods that leave"));
    Some(*role)
}

/// Why a role leaves.
fn why(scene: &Scene, role: Role) -> String {
    let line = if scene.topology == super::Topology::Streaming {
        "2.6"
    } else {
        "2.5.16"
    };
    match role {
        Role::IndexNode => "Milvus 2.6 has no indexnode: datanode builds indexes".into(),
        _ => format!("{role} is part of mixcoord from {line} on"),
    }
}

/// A ServiceMonitor chooses Services: it leaves with the last of them, and names mixcoord's where it named others'.
fn monitors(scene: &Scene, gone: &[(&Object, Role)], arriving: &[&Arrival], pods: &Labels, out: &mut Rewrite) {
    let labels = |value: &'_ Value| value.pointer("/metadata/labels").cloned().unwrap_or(Value::Null);
    let kept: Vec<(Value, bool)> = scene
        .stream
        .objects
        .iter()
        .filter(|o| o.reference.kind == "Service" && !gone.iter().any(|(s, _)| std::ptr::eq(*s, *o)))
        .filter(|o| namespaces_agree(&o.reference.namespace, &scene.release.namespace))
        .map(|o| {
            let serves = |of: &Value| {
                o.at(&["spec", "selector"])
                    .is_some_and(|s| selector::selects(s, true, of))
            };
            (labels(&o.value), pods.mixcoord.is_some_and(serves))
        })
        .chain(
            arriving
                .iter()
                .filter_map(|a| Some((labels(a.service.as_ref()?), a.role == Role::MixCoord))),
        )
        .collect();
    let leaving: Vec<(Value, Role)> = gone.iter().map(|(o, role)| (labels(&o.value), *role)).collect();
    let services = Labels {
        leaving: leaving.iter().map(|(l, role)| (l, *role)).collect(),
        staying: kept.iter().map(|(l, _)| l).collect(),
        mixcoord: kept.iter().find(|(_, mixcoord)| *mixcoord).map(|(l, _)| l),
    };
    let at = SelectorAt {
        pointer: "/spec/selector".into(),
        plain: false,
    };
    let ours = |o: &&Object| o.reference.kind == "ServiceMonitor" && !o.is_hook() && looks_here(scene, o);
    for monitor in scene.stream.objects.iter().filter(ours) {
        let Some(s) = monitor.value.pointer(&at.pointer) else {
            continue;
        };
        if !services.leaves(s, false) {
            continue;
        }
        if services.stays(s, false) {
            mend(monitor, &at, &services, out);
        } else {
            out.changes
                .push(Change::drop(monitor, "it watches only Services that leave"));
        }
    }
}

/// Takes the names of what leaves out of the `In` lists of a selector; legacy coordinators become mixcoord.
fn mend(object: &Object, at: &SelectorAt, labels: &Labels, out: &mut Rewrite) {
    let patch = relist(object, at, labels, true);
    if !patch.is_empty() {
        out.changes.push(Change::patch(
            object,
            patch,
            "it named components that leave beside others that stay",
        ));
    }
}

/// Points the selectors of a NetworkPolicy that mean a legacy coordinator at mixcoord.
fn point_at_mixcoord(scene: &Scene, object: &Object, pods: &Labels, out: &mut Rewrite) {
    let mut patch = Vec::new();
    for at in selector::pod_selectors("NetworkPolicy", &object.value) {
        if chooses_here(
            &object.value,
            &object.reference.namespace,
            &at,
            &scene.release.namespace,
        ) {
            patch.extend(relist(object, &at, pods, false));
        }
    }
    if !patch.is_empty() {
        out.changes.push(Change::patch(
            object,
            patch,
            "it chose a coordinator that is part of mixcoord now",
        ));
    }
}

/// Whether a selector of a NetworkPolicy chooses among the pods of a namespace: its own where it names none, the one
/// that a `namespaceSelector` beside it names. One that chooses namespaces by other labels counts in its own alone.
pub fn chooses_here(policy: &Value, own: &str, at: &SelectorAt, namespace: &str) -> bool {
    let agrees = namespaces_agree(own, namespace);
    let beside = at.pointer.strip_suffix("/podSelector").unwrap_or_default();
    let Some(chosen) = policy
        .pointer(&format!("{beside}/namespaceSelector"))
        .filter(|s| s.is_object())
    else {
        return agrees;
    };
    let place = SelectorAt {
        pointer: String::new(),
        plain: false,
    };
    let names: Vec<String> = selector::demanded(chosen, &place)
        .into_iter()
        .filter(|(_, key, _)| key == NAMESPACE_NAME)
        .map(|(_, _, value)| value)
        .collect();
    if names.is_empty() {
        return agrees;
    }
    namespace.is_empty() || names.iter().any(|n| n == namespace)
}

/// The operations that make a selector name mixcoord instead of legacy coordinators. In `In` lists each name comes
/// once; with `drop_indexnode`, indexnode leaves them too.
fn relist(object: &Object, at: &SelectorAt, labels: &Labels, drop_indexnode: bool) -> Vec<PatchOp> {
    let mut patch = Vec::new();
    let mut lists: Vec<String> = Vec::new();
    let mut listed = |expression: &str| {
        if !lists.iter().any(|l| l == expression) {
            lists.push(expression.to_owned());
        }
    };
    // Another release's policy may name the same component: only a selector that chooses ours is ours to change.
    if !labels.leaves(&object.value[at], at.plain) {
        return patch;
    }
    for (pointer, key, value) in selector::demanded(&object.value, at) {
        let Some(role) = labels.role_of(&key, &value) else {
            continue;
        };
        match pointer.rsplit_once("/values/") {
            Some((expression, _)) => listed(expression),
            None if role.is_legacy_coordinator() => patch.push(replace(pointer, labels.of_mixcoord(&key))),
            None => {}
        }
    }
    for expression in lists {
        patch.extend(relisted(object, &expression, labels, drop_indexnode));
    }
    patch
}

/// The operations on one `In` list.
fn relisted(object: &Object, expression: &str, labels: &Labels, drop_indexnode: bool) -> Vec<PatchOp> {
    let at = |field: &str| object.value.pointer(&format!("{expression}/{field}"));
    let key = at("key").and_then(Value::as_str).unwrap_or("");
    let old = at("values").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut kept: Vec<Value> = Vec::new();
    let mut ops = Vec::new();
    for (i, value) in old.iter().enumerate() {
        let role = value.as_str().and_then(|v| labels.role_of(key, v));
        let becomes = match role {
            Some(role) if role.is_legacy_coordinator() => Some(labels.of_mixcoord(key)),
            Some(_) if drop_indexnode => None,
            _ => Some(value.clone()),
        };
        let path = format!("{expression}/values/{i}");
        match becomes {
            Some(new) if kept.contains(&new) || (new != *value && old.contains(&new)) => ops.push(remove(path)),
            Some(new) => {
                if new != *value {
                    ops.push(replace(path, new.clone()));
                }
                kept.push(new);
            }
            None => ops.push(remove(path)),
        }
    }
    // From the end, so that an index still means what it did when the operation was written.
    ops.reverse();
    ops
}

impl std::ops::Index<&SelectorAt> for Value {
    type Output = Value;

    fn index(&self, at: &SelectorAt) -> &Value {
        self.pointer(&at.pointer).unwrap_or(&Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::judge::Judgement;
    use crate::rewrite::ChangeOp;
    use crate::rules::testkit::{Scenario, cluster};

    /// A document of the namespace `ns`; `body` begins at the first column.
    fn document(api: &str, kind: &str, name: &str, body: &str) -> String {
        format!("---\napiVersion: {api}\nkind: {kind}\nmetadata:\n  name: {name}\n  namespace: ns\n{body}")
    }

    fn with(documents: &[String]) -> Judgement {
        Scenario::consolidation("v2.5.16", "v2.6.6")
            .add_target(&documents.concat())
            .judge()
    }

    fn dropped(judgement: &Judgement, kind: &str, name: &str) -> bool {
        let is = |c: &&Change| c.op == ChangeOp::Drop && c.object.kind == kind && c.object.name == name;
        judgement.changes.iter().any(|c| is(&c))
    }

    fn patched(judgement: &Judgement, name: &str) -> Vec<(String, Option<Value>)> {
        let mine = judgement
            .changes
            .iter()
            .filter(|c| c.op == ChangeOp::Patch && c.object.name == name);
        mine.flat_map(|c| c.patch.iter().map(|op| (op.path.clone(), op.value.clone())))
            .collect()
    }

    const IN: &str = "    matchExpressions:\n      - key: component\n        operator: In\n        values: ";

    fn labels(role: &str) -> String {
        format!("spec:\n  selector:\n    matchLabels:\n      component: {role}\n")
    }

    #[test]
    fn services_of_what_leaves_leave() {
        let judgement = with(&[]);
        for role in ["rootcoord", "querycoord", "datacoord", "indexcoord", "indexnode"] {
            assert!(dropped(&judgement, "Service", &format!("rel-milvus-{role}")), "{role}");
            assert!(
                dropped(&judgement, "Deployment", &format!("rel-milvus-{role}")),
                "{role}"
            );
        }
        for (kind, name) in [
            ("Service", "rel-milvus-proxy"),
            ("Service", "rel-etcd"),
            ("StatefulSet", "rel-etcd"),
        ] {
            assert!(!dropped(&judgement, kind, name), "{name}");
        }
    }

    #[test]
    fn autoscalers_leave_by_their_target() {
        let target = |name: &str| {
            format!(
                "  labels:\n    component: indexnode\nspec:\n  scaleTargetRef:\n    kind: Deployment\n    name: {name}\n"
            )
        };
        let bare = "spec:\n  scaleTargetRef:\n    name: rel-milvus-indexnode\n";
        let recommender =
            "spec:\n  targetRef:\n    apiVersion: apps/v1\n    kind: Deployment\n    name: rel-milvus-datacoord\n";
        let judgement = with(&[
            document(
                "autoscaling/v2",
                "HorizontalPodAutoscaler",
                "a",
                &target("rel-milvus-indexnode"),
            ),
            document(
                "autoscaling/v2",
                "HorizontalPodAutoscaler",
                "b",
                &target("rel-milvus-querynode"),
            ),
            document("keda.sh/v1alpha1", "ScaledObject", "c", bare),
            document("autoscaling.k8s.io/v1", "VerticalPodAutoscaler", "d", recommender),
        ]);
        assert!(dropped(&judgement, "HorizontalPodAutoscaler", "a"));
        assert!(!dropped(&judgement, "HorizontalPodAutoscaler", "b"));
        assert!(dropped(&judgement, "ScaledObject", "c"));
        assert!(dropped(&judgement, "VerticalPodAutoscaler", "d"));
    }

    #[test]
    fn a_rollout_leaves_with_the_deployment_whose_pods_it_runs() {
        let rollout = |role: &str| {
            let body = format!(
                "spec:\n  replicas: 2\n  workloadRef:\n    apiVersion: apps/v1\n    kind: Deployment\n    name: rel-milvus-{role}\n"
            );
            document("argoproj.io/v1alpha1", "Rollout", &format!("roll-{role}"), &body)
        };
        let scaler = "spec:\n  scaleTargetRef:\n    kind: Rollout\n    name: roll-indexnode\n";
        let judgement = with(&[
            rollout("indexnode"),
            rollout("querynode"),
            document("autoscaling/v2beta2", "HorizontalPodAutoscaler", "a", scaler),
        ]);
        assert!(dropped(&judgement, "Rollout", "roll-indexnode") && !dropped(&judgement, "Rollout", "roll-querynode"));
        assert!(dropped(&judgement, "HorizontalPodAutoscaler", "a"));
    }

    #[test]
    fn budgets_and_pod_monitors_leave_or_are_mended() {
        let several = format!("spec:\n  selector:\n{IN}[datanode, indexnode, rootcoord, querycoord]\n");
        let judgement = with(&[
            document("policy/v1", "PodDisruptionBudget", "only", &labels("indexnode")),
            document("policy/v1", "PodDisruptionBudget", "other", &labels("datanode")),
            document("policy/v1", "PodDisruptionBudget", "all", "spec:\n  selector: {}\n"),
            document("monitoring.coreos.com/v1", "PodMonitor", "several", &several),
            document("monitoring.coreos.com/v1", "PodMonitor", "gone", &labels("querycoord")),
        ]);
        assert!(dropped(&judgement, "PodDisruptionBudget", "only"));
        assert!(
            !dropped(&judgement, "PodDisruptionBudget", "other") && !dropped(&judgement, "PodDisruptionBudget", "all")
        );
        assert!(dropped(&judgement, "PodMonitor", "gone") && !dropped(&judgement, "PodMonitor", "several"));
        let at = |i: usize| format!("/spec/selector/matchExpressions/0/values/{i}");
        assert_eq!(
            patched(&judgement, "several"),
            [(at(3), None), (at(2), Some(json!("mixcoord"))), (at(1), None)]
        );
        assert!(patched(&judgement, "all").is_empty());
    }

    #[test]
    fn service_monitors_go_by_the_labels_of_services() {
        // The label is on Services alone.
        let marked = |role: &str| {
            document(
                "v1",
                "Service",
                &format!("extra-{role}"),
                &format!(
                    "  labels:\n    scrape: \"yes\"\n    of: {role}\nspec:\n  ports:\n    - port: 9091\n  selector:\n    component: {role}\n"
                ),
            )
        };
        let of = |values: &str| {
            format!(
                "spec:\n  selector:\n    matchLabels:\n      scrape: \"yes\"\n    matchExpressions:\n      - key: of\n        operator: In\n        values: {values}\n"
            )
        };
        let judgement = with(&[
            marked("indexnode"),
            marked("datanode"),
            document(
                "monitoring.coreos.com/v1",
                "ServiceMonitor",
                "both",
                &of("[indexnode, datanode]"),
            ),
            document("monitoring.coreos.com/v1", "ServiceMonitor", "one", &of("[indexnode]")),
            document(
                "monitoring.coreos.com/v1",
                "ServiceMonitor",
                "coordinators",
                &format!("spec:\n  selector:\n{IN}[rootcoord, proxy]\n"),
            ),
        ]);
        assert!(dropped(&judgement, "Service", "extra-indexnode") && !dropped(&judgement, "Service", "extra-datanode"));
        assert!(dropped(&judgement, "ServiceMonitor", "one"));
        assert_eq!(
            patched(&judgement, "both"),
            [("/spec/selector/matchExpressions/0/values/0".into(), None)]
        );
        assert_eq!(
            patched(&judgement, "coordinators"),
            [(
                "/spec/selector/matchExpressions/0/values/0".into(),
                Some(json!("mixcoord"))
            )]
        );
    }

    #[test]
    fn a_monitor_in_another_namespace_is_told_by_the_namespaces_it_names() {
        let monitor = |name: &str, namespaces: &str| {
            document("monitoring.coreos.com/v1", "ServiceMonitor", name, &format!("spec:\n  namespaceSelector: {namespaces}\n  selector:\n    matchLabels:\n      component: indexnode\n"))
                .replace("namespace: ns", "namespace: monitoring")
        };
        let judgement = with(&[
            monitor("ours", "{matchNames: [ns]}"),
            monitor("all", "{any: true}"),
            monitor("theirs", "{matchNames: [other]}"),
            monitor("own", "{}"),
        ]);
        for (name, gone) in [("ours", true), ("all", true), ("theirs", false), ("own", false)] {
            assert_eq!(dropped(&judgement, "ServiceMonitor", name), gone, "{name}");
        }
    }

    #[test]
    fn network_policies_stay_and_mean_mixcoord() {
        let body = "spec:\n  podSelector:\n    matchLabels:\n      component: rootcoord\n  ingress:\n    - from:\n        - podSelector:\n            matchExpressions:\n              - key: component\n                operator: In\n                values: [indexnode, querycoord, datacoord, proxy]\n        - podSelector:\n            matchLabels:\n              component: indexnode\n";
        let judgement = with(&[document("networking.k8s.io/v1", "NetworkPolicy", "p", body)]);
        assert!(!dropped(&judgement, "NetworkPolicy", "p"));
        let values = "/spec/ingress/0/from/0/podSelector/matchExpressions/0/values";
        assert_eq!(
            patched(&judgement, "p"),
            [
                (
                    "/spec/podSelector/matchLabels/component".to_owned(),
                    Some(json!("mixcoord"))
                ),
                (format!("{values}/2"), None),
                (format!("{values}/1"), Some(json!("mixcoord"))),
            ]
        );
    }

    #[test]
    fn a_peer_in_another_namespace_is_another_s() {
        let peer = |namespace: &str| {
            format!(
                "spec:\n  podSelector: {{}}\n  ingress:\n    - from:\n        - namespaceSelector:\n            matchLabels:\n              kubernetes.io/metadata.name: {namespace}\n          podSelector:\n            matchLabels:\n              component: rootcoord\n"
            )
        };
        let far = document("networking.k8s.io/v1", "NetworkPolicy", "far", &peer("ns"))
            .replace("namespace: ns", "namespace: kafka");
        let judgement = with(&[
            document("networking.k8s.io/v1", "NetworkPolicy", "theirs", &peer("elsewhere")),
            far,
        ]);
        assert!(patched(&judgement, "theirs").is_empty());
        assert_eq!(patched(&judgement, "far").len(), 1);
    }

    #[test]
    fn a_label_of_a_fork_becomes_the_one_that_mixcoord_carries() {
        let mut scenario = Scenario::consolidation("v2.5.16", "v2.6.6");
        for role in ["rootcoord", "querycoord", "datacoord", "indexcoord"] {
            let name = format!("rel-milvus-{role}");
            scenario = scenario.edit_in_target(
                "Deployment",
                &name,
                "        component:",
                &format!("        app: {name}\n        component:"),
            );
        }
        let policy = |role: &str| {
            document(
                "networking.k8s.io/v1",
                "NetworkPolicy",
                role,
                &format!("spec:\n  podSelector:\n    matchLabels:\n      app: rel-milvus-{role}\n"),
            )
        };
        let judgement = scenario
            .add_target(&policy("rootcoord"))
            .add_target(&policy("querycoord"))
            .judge();
        let carried = judgement
            .changes
            .iter()
            .find(|c| c.op == ChangeOp::Inject && c.object.name == "rel-milvus-mixcoord");
        let value = carried.and_then(|c| {
            c.patch[0]
                .value
                .as_ref()?
                .pointer("/spec/template/metadata/labels/app")
                .cloned()
        });
        assert_eq!(value, Some(json!("rel-milvus-rootcoord")));
        assert!(patched(&judgement, "rootcoord").is_empty());
        assert_eq!(
            patched(&judgement, "querycoord"),
            [("/spec/podSelector/matchLabels/app".to_owned(), value)]
        );
    }

    #[test]
    fn data_identities_and_hooks_are_never_touched() {
        let marked = "  labels:\n    component: indexnode\n";
        let hook = "  annotations:\n    helm.sh/hook: pre-upgrade\n";
        let judgement = with(&[
            document("v1", "PersistentVolumeClaim", "rel-milvus-indexnode", marked),
            document("v1", "Secret", "rel-milvus-indexnode", marked),
            document("v1", "ConfigMap", "rel-milvus-indexnode", marked),
            document("v1", "ServiceAccount", "rel-milvus-indexnode", marked),
            document(
                "v1",
                "Service",
                "hooked",
                &format!("{hook}spec:\n  selector:\n    component: indexnode\n"),
            ),
            document(
                "monitoring.coreos.com/v1",
                "ServiceMonitor",
                "hooked",
                &format!("{hook}spec:\n  selector:\n    matchLabels:\n      component: indexnode\n"),
            ),
        ]);
        for change in judgement.changes.iter().filter(|c| c.op == ChangeOp::Drop) {
            assert!(
                matches!(change.object.kind.as_str(), "Deployment" | "Service"),
                "{}",
                change.object
            );
            assert_ne!(change.object.name, "hooked");
        }
    }

    fn second(stream: &str, to: &str) -> String {
        stream
            .replace("rel-", "two-")
            .replace("instance: rel", "instance: two")
            .replace("v2.5.16", to)
    }

    #[test]
    fn of_two_releases_in_one_namespace_only_one_consolidates() {
        let both = format!(
            "{}{}",
            cluster("v2.5.16", true),
            second(&cluster("v2.5.16", true), "v2.5.10")
        );
        let shared = [
            document("policy/v1", "PodDisruptionBudget", "shared", &labels("rootcoord")),
            document(
                "networking.k8s.io/v1",
                "NetworkPolicy",
                "shared",
                "spec:\n  podSelector:\n    matchLabels:\n      component: rootcoord\n",
            ),
        ];
        let judgement = Scenario::of(&both, &both).add_target(&shared.concat()).judge();
        assert!(
            dropped(&judgement, "Deployment", "rel-milvus-rootcoord")
                && dropped(&judgement, "Service", "rel-milvus-rootcoord")
        );
        assert!(judgement.changes.iter().all(|c| !c.object.name.starts_with("two-")));
        assert!(!dropped(&judgement, "PodDisruptionBudget", "shared") && patched(&judgement, "shared").is_empty());
    }

    #[test]
    fn where_both_consolidate_what_served_both_is_changed_once() {
        let both = format!(
            "{}{}",
            cluster("v2.5.16", true),
            second(&cluster("v2.5.16", true), "v2.5.22")
        );
        let shared = [
            document("policy/v1", "PodDisruptionBudget", "shared", &labels("rootcoord")),
            document(
                "networking.k8s.io/v1",
                "NetworkPolicy",
                "policy",
                "spec:\n  podSelector:\n    matchLabels:\n      component: rootcoord\n",
            ),
        ];
        let judgement = Scenario::of(&both, &both).add_target(&shared.concat()).judge();
        assert!(dropped(&judgement, "PodDisruptionBudget", "shared"));
        assert_eq!(
            patched(&judgement, "policy"),
            [(
                "/spec/podSelector/matchLabels/component".to_owned(),
                Some(json!("mixcoord"))
            )]
        );
        assert!(judgement.output.is_some(), "{:?}", judgement.findings);
    }
}
