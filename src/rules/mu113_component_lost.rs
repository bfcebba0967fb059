//! MU113: something that is deployed is nowhere in the target.

mod foundation;

use foldhash::HashSet;

use super::case::{Case, Side};
use super::component::{list, since_streaming};
use super::{Check, Rule};
use crate::finding::{Finding, Input, Severity};
use crate::kube::labelled::Labelled;
use crate::kube::object::{namespaces_agree, text_at};
use crate::kube::{Object, ObjectRef, workload};
use crate::milvus::release::{ByName, Component, Inventory, Mode, Release, inventory};
use crate::milvus::role::{Role, Spelling};
use crate::milvus::version::Version;
use crate::rewrite::Topology;
use crate::stream::Stream;
use crate::value::Value;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU113",
    name: "component-lost",
    severity: Severity::Refuse,
    says: "a component that is deployed is in the target neither as it was nor replaced by the rewrite",
    page: include_str!("../../docs/rules/MU113.md"),
    check: Check::Release(check),
};

const HELP: &str = "check that the stream is whole (`set -o pipefail`, no `head`, no `-s`) and rendered with this release's values; \
    to take a component away on purpose, scale it to 0 replicas in a step of its own first";

/// Which release of Helm an object belongs to; Helm writes it into what it creates.
const HELM_RELEASE: &str = "meta.helm.sh/release-name";

/// Releases that are deployed and of which the stream holds nothing, while it holds objects that are no hooks.
pub fn lost_releases(target: &Stream, came: &Inventory, current: Option<&Stream>, before: &Inventory) -> Vec<Finding> {
    let Some(current) = current else { return vec![] };
    if !target.objects.is_empty() && target.objects.iter().all(Object::is_hook) {
        return vec![];
    }
    let coming = ByName::of(&came.releases);
    // Where no release agrees at all, the state is another release's (MU004).
    if !came.releases.is_empty() && !before.releases.iter().any(|b| coming.holds(b)) {
        return vec![];
    }
    let judged = Judged::of(current, before.releases.iter().filter(|b| coming.holds(b)));
    let mut gone = Vec::new();
    for release in before.releases.iter().filter(|b| !coming.holds(b)) {
        // What the operator keeps is not for Helm to delete.
        if super::operated::keeper(current, release).is_none() && !judged.is_beside(current, release) {
            let mut finding = none_left(current, release);
            let beside = live_instance(current, release).filter(|own| !judged.instances.contains(own));
            finding.help.extend(beside.map(|instance| apart(instance, release)));
            gone.push(finding);
        }
    }
    gone
}

/// What mends a stream without a release that it should hold.
const WHOLE: &str = "check that the stream is whole (`set -o pipefail`, no `head`, no `-s`) and rendered with this release's values (in an \
    umbrella chart: the condition of each Milvus in it); where the release is to go for good, and its data with it, --allow MU113 lets it";

/// What else mends it where the release may be none of this stream's, and only stands beside it in the cluster.
fn apart(instance: &str, release: &Release) -> String {
    let namespace = match release.namespace.as_str() {
        "" => "NAMESPACE",
        said => said,
    };
    format!(
        "\nwhere {instance} is another release, let it run and leave it out of --current (what has no such label stays in; \
         -l app.kubernetes.io/instance={instance} shows what is left out):\n\
         kubectl get deployments,statefulsets,services,configmaps,persistentvolumeclaims --namespace {namespace} \
         -l 'app.kubernetes.io/instance!={instance}' --output yaml > current.yaml"
    )
}

/// A deployed release of which the stream, as it would be applied, holds no workload.
pub fn none_left(current: &Stream, release: &Release) -> Finding {
    let first = &current.objects[release.components[0].object];
    let message = format!(
        "Milvus release {} is deployed with {} workloads and the manifests hold none of them",
        release.name,
        release.components.len()
    );
    let mut finding = lost(first, message);
    WHOLE.clone_into(&mut finding.help);
    finding
}

/// The release of Helm that a release of a live List belongs to.
fn helm_release<'s>(current: &'s Stream, release: &Release) -> Option<&'s str> {
    let objects = release.components.iter().map(|c| &current.objects[c.object]);
    objects.filter(|o| is_live(o)).find_map(|o| o.annotation(HELM_RELEASE))
}

/// The instance that a release of a live List names: what one chart renders, or several of an umbrella chart, has the same.
fn live_instance<'s>(current: &'s Stream, release: &Release) -> Option<&'s str> {
    let mut objects = release.components.iter().map(|c| &current.objects[c.object]);
    let first = objects.next().filter(|o| is_live(o))?;
    objects.all(is_live).then(|| instance(first)).flatten()
}

/// What names the deployed releases that the stream holds, too.
struct Judged<'s> {
    helm: HashSet<&'s str>,
    instances: HashSet<&'s str>,
}

impl<'s> Judged<'s> {
    fn of<'r>(current: &'s Stream, releases: impl Iterator<Item = &'r Release>) -> Judged<'s> {
        let mut found = Judged {
            helm: HashSet::default(),
            instances: HashSet::default(),
        };
        for release in releases {
            found.helm.extend(helm_release(current, release));
            found.instances.extend(live_instance(current, release));
        }
        found
    }

    /// Whether a release of a live List stands beside these: a namespace holds more than one, and an upgrade of one deletes
    /// nothing of the others. Helm's annotation tells; where one side has none (Argo CD, `kubectl apply`) the instance does.
    fn is_beside(&self, current: &Stream, release: &Release) -> bool {
        match helm_release(current, release) {
            Some(own) if !self.helm.is_empty() => !self.helm.contains(own),
            _ => {
                let own = live_instance(current, release);
                own.is_some_and(|own| !self.instances.is_empty() && !self.instances.contains(own))
            }
        }
    }
}

fn check(case: &Case) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(before) = case.before {
        roles(case, before, &mut found);
        let mut told: HashSet<ObjectRef> = found.iter().filter_map(|f| f.object.clone()).collect();
        mounted(case, before, &mut told, &mut found);
        dependencies(case, before, &mut told, &mut found);
        foundation::check(case, before, &mut told, &mut found);
    }
    if case.after.release.mode() == Mode::Cluster && found.is_empty() {
        found.extend(uncoordinated(case));
    }
    found
}

/// A release without a coordinator, or with none that runs where one runs now.
fn uncoordinated(case: &Case) -> Option<Finding> {
    let mut coordinators = case
        .after
        .release
        .components
        .iter()
        .filter(|c| c.role.is_coordinator())
        .peekable();
    let Some(first) = coordinators.peek().copied() else {
        let message = format!("release {} would run without any coordinator", case.came.name);
        let help = "the stream holds no coordinator to make mixcoord of: give the chart's values with --values FILE, or set mixCoordinator.enabled=true";
        return Some(RULE.finding(message, help));
    };
    let rests = coordinators.all(Component::is_scaled_to_zero);
    let runs = case.after.running().next().is_some();
    let ran = case.before.is_none_or(|b| b.running().any(|c| c.role.is_coordinator()));
    (rests && runs && ran).then(|| {
        let message = format!(
            "release {} would run without any coordinator: {} is scaled to zero, and nothing can be written or read without one",
            case.came.name, first.name
        );
        let help = "set mixCoordinator.replicas=1 (or more, with activeStandby), or scale the whole release to zero";
        case.after.point(RULE.finding(message, help), first, "/spec/replicas")
    })
}

/// Roles that run now and would not run any more.
fn roles(case: &Case, before: Side, found: &mut Vec<Finding>) {
    let topology = crate::rewrite::topology(case.came, &case.transition.to);
    let after = &case.after.release;
    let there: HashSet<Role> = after.components.iter().map(|c| c.role).collect();
    let coordinators = there.iter().any(|r| r.is_coordinator());
    let streaming = topology == Topology::Streaming && after.mode() == Mode::Cluster;
    let replaced = |role: Role| {
        let coordinator = role.is_legacy_coordinator() || (role == Role::MixCoord && topology == Topology::AsRendered);
        (coordinator && coordinators) || (role == Role::IndexNode && streaming)
    };
    let assume = &case.options.assume;
    let coordinated: HashSet<Role> = after
        .components
        .iter()
        .flat_map(|c| coordinates(c, case.assumed(c)))
        .collect();
    let mut seen = HashSet::default();
    for component in before.running() {
        let mut lost = coordinates(component, assume.current_version.as_ref());
        lost.retain(|role| !coordinated.contains(role));
        let stays = there.contains(&component.role) || replaced(component.role);
        if (stays && lost.is_empty()) || !seen.insert(component.role) {
            continue;
        }
        let words: Vec<&str> = lost.iter().map(|r| r.as_str()).collect();
        let words = if stays {
            list(&words)
        } else {
            component.role.as_str().to_owned()
        };
        let message = format!(
            "{} {} is deployed and the manifests run no {words} any more",
            before.object(component).reference.kind,
            component.name
        );
        found.push(before.point(RULE.finding(message, HELP), component, ""));
    }
}

/// The coordinators that a component runs. Up to 2.5 a mixture runs those its flags name, one or all; from 2.6 on all or
/// none, which is MU204's matter. The index coordinator is left out: from 2.3 on the data coordinator does its work.
fn coordinates(component: &Component, assumed: Option<&Version>) -> Vec<Role> {
    let all = [Role::RootCoord, Role::QueryCoord, Role::DataCoord];
    let mixture = component.role == Role::MixCoord;
    let by_flags = component.run.spelled == Spelling::Mixture && since_streaming(component, assumed) == Some(false);
    let flag = |role: &Role| component.run.mixture_flags.iter().any(|f| f == role.as_str());
    all.into_iter()
        .filter(|role| {
            if mixture {
                !by_flags || flag(role)
            } else {
                component.role == *role
            }
        })
        .collect()
}

/// ConfigMaps and claims that Milvus' pods still mount and that the release would lose. Secrets may be hidden from a
/// post-renderer by Helm itself (`--hide-secret`).
fn mounted(case: &Case, before: Side, told: &mut HashSet<ObjectRef>, found: &mut Vec<Finding>) {
    for component in &case.after.release.components {
        let object = case.after.object(component);
        let template = workload::template(object)
            .and_then(|t| t.pointer("/spec/volumes"))
            .and_then(Value::as_array);
        for volume in template.into_iter().flatten() {
            for (kind, path) in [
                ("ConfigMap", ["configMap", "name"]),
                ("PersistentVolumeClaim", ["persistentVolumeClaim", "claimName"]),
            ] {
                let Some(name) = text_at(volume, &path) else { continue };
                let Some(deployed) = before.find(kind, name) else {
                    continue;
                };
                if is_live_only(deployed)
                    || case.after.find(kind, name).is_some()
                    || !told.insert(deployed.reference.clone())
                {
                    continue;
                }
                let message = format!(
                    "{kind} {name} is deployed and mounted by {}, and the manifests do not hold it: Helm would delete it",
                    component.name
                );
                found.push(lost(deployed, message));
            }
        }
    }
}

/// Workloads behind the addresses in Milvus' configuration: the configuration still names them, the stream lost them.
/// Milvus' own are judged by their roles: a nameOverride (`etcd`) can make a dependency's Service choose them too.
fn dependencies(case: &Case, before: Side, told: &mut HashSet<ObjectRef>, found: &mut Vec<Finding>) {
    let asked = asked(case, before);
    if asked.is_empty() {
        return;
    }
    let gone = Gone::new(case, before, &asked);
    for (key, address, service) in asked {
        for deployed in gone.behind(before, service) {
            if told.insert(deployed.reference.clone()) {
                let message = format!(
                    "{} is deployed, Milvus still uses it ({key}: {address}), and the manifests do not hold it: Helm would delete it",
                    deployed.reference
                );
                let mut finding = lost(deployed, message);
                foundation::HELP.clone_into(&mut finding.help);
                found.push(finding);
            }
        }
    }
}

/// The Services behind the addresses in Milvus' configuration, each with the first key and address that lead to it. Of those
/// that choose alike the first.
fn asked<'a>(case: &Case, before: Side<'a>) -> Vec<(&'static str, String, &'a Object)> {
    let config = case.after.effective.config();
    let mut known = HashSet::default();
    let mut alike = HashSet::default();
    let mut found = Vec::new();
    for key in ["etcd.endpoints", "minio.address", "pulsar.address", "kafka.brokerList"] {
        for address in config.list(key) {
            let host = address
                .split("://")
                .last()
                .unwrap_or_default()
                .split([':', '/'])
                .next()
                .unwrap_or_default();
            let services = host.split('.').take(2).filter_map(|name| before.find("Service", name));
            for service in services {
                let chooses = || {
                    (
                        service.at(&["spec", "selector"]).map(Value::to_string),
                        &service.reference.namespace,
                        instance(service),
                    )
                };
                if known.insert(std::ptr::from_ref(service)) && alike.insert(chooses()) {
                    found.push((key, address.clone(), service));
                }
            }
        }
    }
    found
}

/// The release that an object says to belong to.
fn instance(object: &Object) -> Option<&str> {
    let mut keys = ["app.kubernetes.io/instance", "release"].iter();
    keys.find_map(|key| object.label(key))
}

fn named(object: &Object) -> (&str, &str) {
    (&object.reference.kind, &object.reference.name)
}

/// The deployed workloads that the manifests do not hold.
struct Gone<'a> {
    /// Those that Helm would delete, by the labels of their pods.
    labelled: Labelled<'a, &'a Object>,
    /// The release of Helm that is judged, where a live List names it.
    helm: Option<&'a str>,
}

impl<'a> Gone<'a> {
    /// Those that may be behind some Services.
    fn new(case: &Case, before: Side<'a>, asked: &[(&str, String, &Object)]) -> Gone<'a> {
        let serves = |o: &&Object| matches!(o.reference.kind.as_str(), "StatefulSet" | "Deployment");
        let here = |o: &&Object| namespaces_agree(&o.reference.namespace, &case.after.release.namespace);
        let stays = case.after.objects.iter().filter(serves).filter(here);
        let stays: HashSet<(&str, &str)> = stays.map(named).collect();
        let spaces: HashSet<&str> = asked.iter().map(|(_, _, o)| &o.reference.namespace[..]).collect();
        let near = |o: &&Object| match &o.reference.namespace[..] {
            "" => true,
            own => spaces.contains("") || spaces.contains(own),
        };
        let all = before.objects.iter().filter(serves);
        let gone = all.filter(|o| !stays.contains(&named(o)) && !o.is_kept()).filter(near);
        let labelled = gone.filter_map(|o| Some((workload::pod_labels(o)?, o)));
        let mut components = before.release.components.iter();
        Gone {
            labelled: Labelled::of(labelled),
            helm: components.find_map(|c| before.object(c).annotation(HELM_RELEASE)),
        }
    }

    /// Those that are what answers behind a dependency's Service, and the release's own. A Service can choose more by its
    /// labels than that: Milvus itself, or the pods of other releases.
    fn behind(&self, before: Side<'a>, service: &'a Object) -> impl Iterator<Item = &'a Object> {
        let selector = service.at(&["spec", "selector"]).unwrap_or(&Value::Null);
        let chosen = self.labelled.chosen(selector, true).copied();
        chosen.filter(move |workload| {
            let other = matches!((instance(service), instance(workload)), (Some(a), Some(b)) if a != b);
            let foreign = is_live(workload) && self.helm.is_some() && workload.annotation(HELM_RELEASE) != self.helm;
            namespaces_agree(&service.reference.namespace, &workload.reference.namespace)
                && !other
                && !foreign
                && !runs_milvus(before, &workload.reference)
        })
    }
}

/// Whether a deployed object of this name runs Milvus.
fn runs_milvus(before: Side, reference: &ObjectRef) -> bool {
    let mut itself = before.named.exactly(reference);
    itself.any(|o| !inventory(std::slice::from_ref(o)).releases.is_empty())
}

/// A deployed object that the manifests do not hold.
fn lost(deployed: &Object, message: String) -> Finding {
    let finding = RULE.finding(message, HELP).on(&deployed.reference);
    finding.at(Input::Current, deployed.document, deployed.pointer.clone())
}

/// An object that Helm keeps, or that no release of Helm owns: a live List shows more than the release's own.
fn is_live_only(object: &Object) -> bool {
    object.is_kept() || (is_live(object) && object.annotation(HELM_RELEASE).is_none())
}

fn is_live(object: &Object) -> bool {
    object.at(&["metadata", "uid"]).is_some()
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::{Scenario, cluster, deployment, standalone};
    use crate::stage::Stage;

    fn lost(scenario: Scenario) -> Vec<String> {
        scenario
            .judge()
            .findings
            .iter()
            .filter(|f| f.code == "MU113")
            .map(|f| f.message.clone())
            .collect()
    }

    #[test]
    fn a_truncated_stream_loses_components() {
        let all = lost(Scenario::upgrade("v2.5.16", "v2.6.16").drop_target("Deployment", "rel-milvus-proxy"));
        assert_eq!(all.len(), 1);
        assert!(all[0].contains("run no proxy"));
    }

    #[test]
    fn up_to_2_5_a_mixture_coordinates_what_its_flags_name() {
        for (flag, name) in [("\"-querycoord\", ", "querycoord"), ("\"-rootcoord\", ", "rootcoord")] {
            let all = lost(Scenario::upgrade("v2.5.16", "v2.5.22").edit_target(flag, ""));
            assert!(
                all.len() == 1 && all[0].contains(&format!("run no {name} any more")),
                "{all:?}"
            );
        }
        assert!(lost(Scenario::upgrade("v2.5.16", "v2.5.22").edit_target(", \"-indexcoord\"", "")).is_empty());
    }

    #[test]
    fn one_coordinator_stands_in_for_no_other() {
        let older = Scenario::consolidation("v2.5.4", "v2.5.10");
        assert!(lost(older.clone()).is_empty());
        let all = lost(older.clone().drop_target("Deployment", "rel-milvus-rootcoord"));
        assert!(
            all.len() == 1 && all[0].contains("run no rootcoord any more"),
            "{all:?}"
        );
        assert!(lost(older.drop_target("Deployment", "rel-milvus-indexcoord")).is_empty());
    }

    #[test]
    fn so_do_what_milvus_mounts_and_what_it_talks_to() {
        for (kind, name) in [("ConfigMap", "rel-milvus"), ("StatefulSet", "rel-etcd")] {
            let all = lost(Scenario::upgrade("v2.5.16", "v2.6.16").drop_target(kind, name));
            assert!(
                all.iter()
                    .any(|m| m.contains(name) && m.contains("Helm would delete it")),
                "{all:?}"
            );
        }
    }

    #[test]
    fn a_whole_release_is_lost() {
        let other = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";
        let all = lost(Scenario::upgrade("v2.5.16", "v2.6.16").replace_target(other));
        assert!(
            all[0].contains("holds none of them") || all[0].contains("hold none of them"),
            "{all:?}"
        );
    }

    #[test]
    fn a_release_is_not_lost_to_another_object_of_its_name() {
        let twin = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: rel-milvus-standalone\n  namespace: ns\nspec:\n  selector:\n    \
            matchLabels: &l {app: etcd}\n  template:\n    metadata:\n      labels: *l\n    spec:\n      containers:\n      - name: etcd\n        image: etcd:v1\n";
        let upgrade = Scenario::standalone("v2.5.22", "v2.6.16", "rocksmq").stage(Stage::At(0));
        assert_eq!(lost(upgrade.clone()), Vec::<String>::new());
        let current = standalone("v2.5.22", "rocksmq", "rel-milvus");
        let all = lost(upgrade.with_current(format!("{twin}{current}")));
        assert!(all[0].contains("hold none of them"), "{all:?}");
    }

    #[test]
    fn a_service_that_chooses_milvus_too_loses_nothing() {
        let wide = "  selector:\n    app.kubernetes.io/instance: rel\n";
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16").edit_in_current(
            "Service",
            "rel-etcd",
            "  selector:\n    component: etcd\n",
            wide,
        );
        assert!(lost(scenario).is_empty());
    }

    #[test]
    fn neither_is_lost_what_another_release_runs_behind_the_same_label() {
        let etcd = |instance: &str, annotations: &str| {
            format!(
                "---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: two-etcd\n  namespace: ns\n{annotations}  labels:\n    app.kubernetes.io/instance: {instance}\n\
                 spec:\n  serviceName: two-etcd\n  selector:\n    matchLabels:\n      component: etcd\n  template:\n    metadata:\n      labels:\n        component: etcd\n    \
                 spec:\n      containers:\n        - name: c\n          image: other:1\n"
            )
        };
        let labelled = Scenario::upgrade("v2.5.16", "v2.6.16").edit_in_current(
            "Service",
            "rel-etcd",
            "  namespace: ns\nspec",
            "  namespace: ns\n  labels:\n    app.kubernetes.io/instance: rel\nspec",
        );
        assert_eq!(lost(labelled.clone().add_current(&etcd("rel", ""))).len(), 1);
        assert!(lost(labelled.clone().add_current(&etcd("two", ""))).is_empty());
        // In a live List Helm's own annotation tells them apart, whatever the labels.
        let helm = |release: &str| format!("  uid: u\n  annotations:\n    meta.helm.sh/release-name: {release}\n");
        let live = cluster("v2.5.16", false).replace(
            "  labels:\n    helm.sh/chart",
            &(helm("rel") + "  labels:\n    helm.sh/chart"),
        );
        let beside = |release: &str| {
            lost(
                labelled
                    .clone()
                    .with_current(live.clone() + &etcd("rel", &helm(release))),
            )
        };
        assert!(beside("two").is_empty());
        assert_eq!(beside("rel").len(), 1);
    }

    #[test]
    fn a_milvus_that_is_named_etcd_is_no_etcd() {
        let named = |text: &str| text.replace("component: \"rootcoord\"", "component: etcd");
        let start = Scenario::consolidation("v2.5.10", "v2.5.16");
        let current = named(&cluster("v2.5.10", true));
        assert!(
            lost(start.with_current(current))
                .iter()
                .all(|m| !m.contains("rootcoord"))
        );
    }

    #[test]
    fn another_release_of_helm_in_a_live_list_is_not_lost() {
        let live = |text: &str, release: &str| {
            let with = format!(
                "  uid: a\n  annotations:\n    meta.helm.sh/release-name: {release}\n  labels:\n    helm.sh/chart"
            );
            text.replace("  labels:\n    helm.sh/chart", &with)
        };
        let upgrade = Scenario::upgrade("v2.5.16", "v2.6.16");
        let other = deployment("proxy", "\"proxy\"", "v2.6.4")
            .replace("rel-milvus", "two-milvus")
            .replace("instance: rel", "instance: two");
        let own = live(&cluster("v2.5.16", false), "rel");
        let beside = |release: &str| lost(upgrade.clone().with_current(own.clone() + &live(&other, release)));
        assert!(beside("two").is_empty());
        assert_eq!(beside("rel").len(), 1);
    }

    #[test]
    fn where_nothing_of_helm_is_in_a_live_list_the_instance_tells_releases_apart() {
        let live = |text: &str| text.replace("  labels:\n    helm.sh/chart", "  uid: a\n  labels:\n    helm.sh/chart");
        let other = |instance: &str, app: &str| {
            deployment("proxy", "\"proxy\"", "v2.6.4")
                .replace("rel-milvus", "two-milvus")
                .replace("instance: rel", &format!("instance: {instance}"))
                .replace("name: milvus", &format!("name: {app}"))
        };
        let upgrade = Scenario::upgrade("v2.5.16", "v2.6.16");
        let own = cluster("v2.5.16", false);
        let beside = |other: &str| upgrade.clone().with_current(live(&own) + &live(other));
        assert!(lost(beside(&other("two", "milvus"))).is_empty());
        // A second Milvus of an umbrella chart has the same instance.
        let second = beside(&other("rel", "archive"));
        assert_eq!(lost(second.clone()).len(), 1);
        assert!(!second.of_rule("MU113")[0].help.contains("scale"));
        // Manifests are this release's own.
        let manifests = upgrade.clone().with_current(own.clone() + &other("two", "milvus"));
        assert_eq!(lost(manifests).len(), 1);
        // Of neither, also where Helm names both.
        let named = |text: String, by: &str| {
            text.replace(
                "  uid: a\n",
                &format!("  uid: a\n  annotations: {{meta.helm.sh/release-name: {by}}}\n"),
            )
        };
        let both = named(live(&own), "rel") + &named(live(&other("two", "milvus")), "two");
        let empty = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";
        assert_eq!(lost(upgrade.clone().with_current(both).replace_target(empty)).len(), 2);
        // A stream of neither.
        let foreign = beside(&other("two", "milvus"))
            .replace_target("---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n");
        let all = foreign.of_rule("MU113");
        assert_eq!(all.len(), 2);
        for finding in all {
            assert!(
                finding.help.contains("-l 'app.kubernetes.io/instance!=") && !finding.help.contains("scale"),
                "{}",
                finding.help
            );
        }
    }

    #[test]
    fn what_the_rewrite_replaces_is_not_lost() {
        assert!(lost(Scenario::upgrade("v2.5.16", "v2.6.16")).is_empty());
        assert!(lost(Scenario::consolidation("v2.5.10", "v2.5.16")).is_empty());
    }

    #[test]
    fn a_cluster_without_any_coordinator_is_refused_also_when_it_is_new() {
        let bare = |tag: &str| {
            Scenario::raw(&crate::rules::testkit::cluster26(tag))
                .fresh()
                .drop_target("Deployment", "rel-milvus-mixcoord")
        };
        let all = lost(bare("v2.6.16"));
        assert_eq!(all, ["release rel would run without any coordinator"]);
        let whole = Scenario::raw(&crate::rules::testkit::cluster26("v2.6.16")).fresh();
        assert!(lost(whole).is_empty());
    }

    const KEEP: &str = "  namespace: ns\n  annotations:\n    helm.sh/resource-policy: keep\n";

    #[test]
    fn an_empty_stream_loses_the_release_and_hooks_alone_do_not() {
        let upgrade = Scenario::upgrade("v2.5.16", "v2.6.16");
        assert_eq!(lost(upgrade.clone().replace_target("")).len(), 1);
        let hook = "---\napiVersion: batch/v1\nkind: Job\nmetadata:\n  name: j\n  annotations:\n    helm.sh/hook: pre-upgrade\n";
        assert!(lost(upgrade.replace_target(hook)).is_empty());
    }

    #[test]
    fn below_the_consolidation_coordinators_stand_in_for_a_mixcoord_and_for_nothing_else() {
        let back = Scenario::of(&cluster("v2.5.4", false), &cluster("v2.5.10", true));
        assert!(lost(back).is_empty());
        let mut bare = Scenario::consolidation("v2.5.4", "v2.5.10").drop_target("Deployment", "rel-milvus-proxy");
        assert_eq!(lost(bare.clone()).len(), 1);
        for role in ["rootcoord", "querycoord", "datacoord", "indexcoord"] {
            bare = bare.drop_target("Deployment", &format!("rel-milvus-{role}"));
        }
        let all = lost(bare);
        assert!(
            all.len() == 5 && all.iter().any(|m| m.contains("run no indexcoord")),
            "{all:?}"
        );
    }

    #[test]
    fn from_2_6_on_a_mixture_without_a_flag_is_another_rules_matter() {
        let scenario = Scenario::upgrade("v2.6.4", "v2.6.16").edit_target("\"-querycoord\", ", "");
        assert!(scenario.codes().contains(&"MU204"));
        assert!(lost(scenario).is_empty());
    }

    #[test]
    fn each_lost_object_is_told_once() {
        let two = "        - rel-etcd.ns.svc:2379\n        - rel-etcd:2379\n";
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16")
            .edit_target("        - rel-etcd.ns.svc:2379\n", two)
            .edit_current("        - rel-etcd.ns.svc:2379\n", two)
            .drop_target("StatefulSet", "rel-etcd")
            .drop_target("StatefulSet", "rel-minio");
        let all = lost(scenario);
        assert!(
            all.len() == 2 && all[0].contains("rel-etcd") && all[1].contains("rel-minio"),
            "{all:?}"
        );
        let all = lost(
            Scenario::upgrade("v2.5.16", "v2.6.16")
                .drop_target("Deployment", "rel-milvus-proxy")
                .drop_target("ConfigMap", "rel-milvus"),
        );
        assert!(
            all.len() == 2 && all[1].starts_with("ConfigMap rel-milvus is deployed"),
            "{all:?}"
        );
    }

    #[test]
    fn what_helm_leaves_alone_is_not_lost() {
        let upgrade = Scenario::upgrade("v2.5.16", "v2.6.16");
        for (kind, name) in [("ConfigMap", "rel-milvus"), ("StatefulSet", "rel-etcd")] {
            let without = upgrade.clone().drop_target(kind, name);
            assert_eq!(lost(without.clone()).len(), 1, "{kind}");
            let kept = without.edit_in_current(kind, name, "  namespace: ns\n", KEEP);
            assert!(lost(kept).is_empty(), "{kind}");
        }
        let foreign = upgrade.clone().drop_target("ConfigMap", "rel-milvus").edit_in_current(
            "ConfigMap",
            "rel-milvus",
            "  namespace: ns\n",
            "  namespace: ns\n  uid: u\n",
        );
        assert!(lost(foreign).is_empty(), "no release of Helm owns it");
    }

    #[test]
    fn in_manifests_an_annotation_of_helm_tells_no_releases_apart() {
        let named = "  annotations:\n    meta.helm.sh/release-name: rel\n  labels:\n    helm.sh/chart";
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16")
            .edit_current("  labels:\n    helm.sh/chart", named)
            .drop_target("StatefulSet", "rel-etcd");
        assert_eq!(lost(scenario).len(), 1);
    }

    #[test]
    fn a_coordinator_that_rests_coordinates_nothing() {
        let rests = |scenario: Scenario| {
            scenario.edit_in_target(
                "Deployment",
                "rel-milvus-mixcoord",
                "  replicas: 1\n",
                "  replicas: 0\n",
            )
        };
        let upgrade = Scenario::upgrade("v2.5.16", "v2.6.16");
        let all = lost(rests(upgrade.clone()));
        assert!(
            all.len() == 1 && all[0].contains("rel-milvus-mixcoord is scaled to zero"),
            "{all:?}"
        );
        // Beside those that it takes the place of.
        let four: String = ["rootcoord", "querycoord", "datacoord", "indexcoord"]
            .map(|role| deployment(role, &format!("\"{role}\""), "v2.6.16"))
            .concat();
        let all = lost(rests(upgrade.clone().add_target(&four)));
        assert!(all.len() == 1 && all[0].contains("is scaled to zero"), "{all:?}");
        // What rests already, or rests with all of the release, was meant so.
        let rested = rests(upgrade.clone()).edit_in_current(
            "Deployment",
            "rel-milvus-mixcoord",
            "  replicas: 1\n",
            "  replicas: 0\n",
        );
        assert!(lost(rested).is_empty());
        let whole = upgrade
            .edit_target("  replicas: 1\n", "  replicas: 0\n")
            .values("streamingNode: {replicas: 0}\n");
        assert!(lost(whole).is_empty());
    }

    #[test]
    fn an_indexnode_is_lost_where_no_streamingnode_takes_over() {
        let node = ("Deployment", "rel-milvus-indexnode");
        let all = lost(Scenario::upgrade("v2.5.16", "v2.5.22").drop_target(node.0, node.1));
        assert!(
            all.len() == 1 && all[0].contains("run no indexnode any more"),
            "{all:?}"
        );
        assert!(lost(Scenario::upgrade("v2.5.16", "v2.6.16").drop_target(node.0, node.1)).is_empty());
    }

    #[test]
    fn what_two_services_choose_is_told_by_the_first() {
        let service = |name: &str| {
            format!(
                "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  namespace: ns\nspec:\n  selector: {{component: etcd}}\n"
            )
        };
        let both = "        - first:2379\n        - second:2379\n";
        let stored = "        - rel-etcd.ns.svc:2379\n";
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16")
            .edit_target(stored, both)
            .edit_current(stored, both)
            .add_target(&(service("first") + &service("second")))
            .add_current(&(service("first") + &service("second")));
        let choosing = scenario.clone().drop_target("StatefulSet", "rel-etcd");
        assert!(lost(scenario).is_empty());
        let all = lost(choosing);
        assert!(all.len() == 1 && all[0].contains("first"), "{all:?}");
    }
}
