//! Milvus that its operator keeps (MU007): these manifests do not decide what runs.

use foldhash::HashMap;

use super::mu007_role_undecidable::RULE;
use crate::finding::{Finding, Input};
use crate::kube::Object;
use crate::kube::named::First;
use crate::kube::object::text_at;
use crate::milvus::image::ImageRef;
use crate::milvus::operator::{self, Kept};
use crate::milvus::release::{ByName, Component, Inventory, Mode, Release};
use crate::milvus::version;
use crate::stream::Stream;
use crate::value::{Value, json};

/// Refuses releases of the stream whose workloads the operator keeps, in the stream or where they are deployed, and the
/// operator's own resources in the stream, whose workloads nothing shows. Other releases of the current state, and the
/// operator itself, are no matter of this one.
pub fn check(target: &Stream, came: &Inventory, current: Option<&Stream>, before: &Inventory) -> Vec<Finding> {
    let mut found = Vec::new();
    let deployed = ByName::of(&before.releases);
    // The namespaces of the releases that a resource of this name keeps.
    let mut shown: HashMap<String, First> = HashMap::default();
    for (i, release) in came.releases.iter().enumerate() {
        if let Some((component, kept)) = keeper(target, release) {
            found.push(rendered(target, release, component, &kept));
            shown.entry(kept.name).or_default().add(&release.namespace, i);
            continue;
        }
        let theirs = current.zip(deployed.first(release));
        if let Some((stream, deployed)) = theirs
            && let Some((component, kept)) = keeper(stream, deployed)
        {
            found.push(taken_over(stream, release, deployed, component, &kept));
        }
    }
    let shown = |resource: &Object| {
        let releases = shown.get(&resource.reference.name);
        releases.is_some_and(|of| of.agreeing(&resource.reference.namespace).is_some())
    };
    let resources = resources(target).filter(|o| !shown(o));
    found.extend(resources.map(|object| told(target, object)));
    found
}

/// The operator's resources in a stream.
pub fn resources(stream: &Stream) -> impl Iterator<Item = &Object> {
    stream
        .objects
        .iter()
        .filter(|o| operator::is_resource(o) && !o.is_hook())
}

/// The first workload of a release that the operator keeps, and by which resource.
pub fn keeper<'r>(stream: &Stream, release: &'r Release) -> Option<(&'r Component, Kept)> {
    let mut all = release.components.iter();
    all.find_map(|c| Some((c, operator::kept(&stream.objects[c.object])?)))
}

fn rendered(stream: &Stream, release: &Release, component: &Component, kept: &Kept) -> Finding {
    let object = &stream.objects[component.object];
    let message = format!(
        "{} of release {} is kept by the Milvus operator, for {} {}: the operator would undo what these manifests change",
        object.reference, release.name, kept.kind, kept.name
    );
    let help = through_the_resource(kept, release, component);
    RULE.finding(message, help)
        .on(&object.reference)
        .at(stream.input, object.document, object.pointer.clone())
}

fn taken_over(stream: &Stream, target: &Release, deployed: &Release, component: &Component, kept: &Kept) -> Finding {
    let object = &stream.objects[component.object];
    let message = format!(
        "release {} is deployed by the Milvus operator ({} is kept for {} {}): it would undo what these manifests change",
        deployed.name, object.reference, kept.kind, kept.name
    );
    let wanted = target.in_role(component.role).next().unwrap_or(&target.components[0]);
    let help = through_the_resource(kept, target, wanted);
    RULE.finding(message, help)
        .on(&object.reference)
        .at(Input::Current, object.document, object.pointer.clone())
}

/// The command that upgrades what the operator keeps.
fn through_the_resource(kept: &Kept, release: &Release, component: &Component) -> String {
    let rolling = release.mode() == Mode::Cluster;
    instead(&kept.name, &release.namespace, &component.image, rolling)
}

fn instead(name: &str, namespace: &str, image: &str, rolling: bool) -> String {
    let mut components = json!({"image": image});
    if rolling {
        components["enableRollingUpdate"] = true.into();
        components["imageUpdateMode"] = "rollingUpgrade".into();
    }
    let patch = json!({"spec": {"components": components}});
    let (namespace, name) = (or(namespace, "NAMESPACE"), or(name, "NAME"));
    let mut lines = vec![
        "take the post-renderer out here and upgrade through the operator's resource: it rolls the components in their order by itself".to_owned(),
        format!("kubectl patch milvus {name} --namespace {namespace} --type merge --patch '{patch}'"),
    ];
    let crosses = match version::read_image(&ImageRef::parse(image)) {
        version::Read::Known(v) => v.line() >= crate::facts::streaming_line(),
        version::Read::Undecidable(_) => true,
    };
    if crosses {
        let floor = &crate::facts::versions().marks.consolidate.version;
        let mixed = if rolling {
            ", with mixCoord in place of the coordinators"
        } else {
            ""
        };
        lines.push(format!(
            "look first, for the operator does not: {floor} or later has to run now{mixed}, and the message queue (spec.dependencies.msgStreamType) stays what it is"
        ));
    }
    lines.join("\n")
}

fn or<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}

/// A resource whose workloads nothing shows.
fn told(stream: &Stream, object: &Object) -> Finding {
    let image = text_at(&object.value, &["spec", "components", "image"]);
    let asked = image.map_or_else(String::new, |i| format!(" from {i}"));
    let message = format!(
        "{} makes the Milvus operator run Milvus{asked}: which workloads it starts, in which roles, is in none of these manifests, so nothing of the upgrade was judged",
        object.reference
    );
    let cluster = object.at(&["spec", "mode"]).and_then(Value::as_str) == Some("cluster");
    let help = instead(
        &object.reference.name,
        &object.reference.namespace,
        image.unwrap_or("IMAGE"),
        cluster,
    );
    RULE.finding(message, help)
        .on(&object.reference)
        .at(stream.input, object.document, object.pointer.clone())
}

#[cfg(test)]
mod tests {
    use crate::finding::{Finding, Input};
    use crate::rules::testkit::Scenario;

    const OWNED: &str = "  ownerReferences:\n    - {apiVersion: milvus.io/v1beta1, kind: Milvus, name: rel, uid: a, controller: true}\n";
    const RESOURCE: &str = "---\napiVersion: milvus.io/v1beta1\nkind: Milvus\nmetadata:\n  name: rel\n  namespace: ns\nspec:\n  mode: cluster\n  components:\n    image: milvusdb/milvus:v2.6.16\n";

    fn upgrade() -> Scenario {
        Scenario::upgrade("v2.5.16", "v2.6.16")
    }

    fn kept_target(scenario: Scenario) -> Scenario {
        scenario.edit_target(
            "  labels:\n    helm.sh/chart",
            &format!("{OWNED}  labels:\n    helm.sh/chart"),
        )
    }

    fn kept_current(scenario: Scenario) -> Scenario {
        scenario.edit_current(
            "  labels:\n    helm.sh/chart",
            &format!("{OWNED}  labels:\n    helm.sh/chart"),
        )
    }

    fn only(scenario: &Scenario) -> Finding {
        assert!(scenario.judge().refused());
        let mut found = scenario.of_rule("MU007");
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    #[test]
    fn what_the_operator_keeps_is_refused_on_either_side_once() {
        for (scenario, stream) in [
            (kept_target(upgrade()), Input::Target),
            (kept_current(upgrade()), Input::Current),
            (kept_current(kept_target(upgrade())), Input::Target),
            (kept_target(upgrade()).add_target(RESOURCE), Input::Target),
        ] {
            let finding = only(&scenario);
            assert!(finding.message.contains("the operator would undo") || finding.message.contains("it would undo"));
            for words in [
                "kubectl patch milvus rel --namespace ns",
                "milvusdb/milvus:v2.6.16",
                "rollingUpgrade",
                "2.5.16",
            ] {
                assert!(finding.help.contains(words), "{}", finding.help);
            }
            assert_eq!(finding.location.unwrap().stream, stream);
        }
    }

    #[test]
    fn a_label_is_enough_and_helm_s_is_none() {
        let labelled = |by: &str| {
            upgrade().edit_target(
                "    helm.sh/chart",
                &format!("    app.kubernetes.io/managed-by: {by}\n    helm.sh/chart"),
            )
        };
        assert!(only(&labelled("milvus-operator")).message.contains("Milvus rel"));
        assert!(labelled("Helm").of_rule("MU007").is_empty());
    }

    #[test]
    fn a_standalone_is_not_rolled() {
        let scenario = kept_target(Scenario::standalone("v2.5.16", "v2.6.16", "rocksmq"));
        assert!(!only(&scenario).help.contains("rollingUpgrade"));
    }

    #[test]
    fn a_resource_alone_is_no_missing_milvus() {
        let alone = Scenario::raw(RESOURCE);
        let finding = only(&alone);
        assert!(finding.message.contains("Milvus rel") && finding.message.contains("milvusdb/milvus:v2.6.16"));
        assert!(!alone.codes().contains(&"MU002"));
        let deployed = kept_current(upgrade()).replace_target(RESOURCE);
        assert!(!deployed.codes().contains(&"MU113"), "{:?}", deployed.codes());
        assert!(deployed.codes().contains(&"MU007"));
    }

    #[test]
    fn a_resource_is_upgraded_by_its_mode_in_its_namespace() {
        let help = |text: &str| only(&Scenario::raw(text)).help;
        assert!(help(RESOURCE).contains("rollingUpgrade"), "{}", help(RESOURCE));
        let standalone = help(&RESOURCE.replace("mode: cluster", "mode: standalone"));
        assert!(!standalone.contains("rollingUpgrade"), "{standalone}");
        let bare = help(&RESOURCE.replace("  namespace: ns\n", "").replace("v2.6.16", "v2.5.22"));
        assert!(
            bare.contains("kubectl patch milvus rel --namespace NAMESPACE "),
            "{bare}"
        );
        assert!(!bare.contains("look first"), "{bare}");
        for unknown in ["milvusdb/milvus:latest", "milvusdb/milvus:v2.6.0"] {
            assert!(
                help(&RESOURCE.replace("milvusdb/milvus:v2.6.16", unknown)).contains("look first"),
                "{unknown}"
            );
        }
    }

    #[test]
    fn a_resource_beside_what_another_keeps_is_told_as_well() {
        let beside = upgrade().add_target(RESOURCE);
        assert!(
            only(&beside).message.starts_with("Milvus rel (namespace ns) makes"),
            "{:?}",
            only(&beside)
        );
        for other in [
            RESOURCE.replace("namespace: ns", "namespace: other"),
            RESOURCE.replace("  name: rel\n", "  name: second\n"),
        ] {
            let found = kept_target(upgrade()).add_target(&other).of_rule("MU007");
            assert_eq!(found.len(), 2, "{found:?}");
        }
        let hook = "metadata:\n  annotations: {helm.sh/hook: pre-install}\n";
        assert!(
            upgrade()
                .add_target(&RESOURCE.replace("metadata:\n", hook))
                .of_rule("MU007")
                .is_empty()
        );
    }

    #[test]
    fn neighbours_are_no_matter() {
        let operator = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: milvus-operator\n  namespace: ns\n  labels:\n    app.kubernetes.io/name: milvus-operator\nspec:\n  template:\n    spec:\n      containers:\n        - name: manager\n          image: milvusdb/milvus-operator:v1.3.7\n          args: [--work-dir, /out]\n";
        let definition = "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: milvuses.milvus.io\nspec: {}\n";
        assert!(
            upgrade()
                .add_target(operator)
                .add_target(definition)
                .of_rule("MU007")
                .is_empty()
        );
        let other = crate::rules::testkit::deployment("proxy", "\"proxy\"", "v2.6.4")
            .replace("instance: rel", "instance: other")
            .replace("rel-milvus", "other-milvus")
            .replace(
                "  labels:\n    helm.sh/chart",
                &format!("{OWNED}  labels:\n    helm.sh/chart"),
            );
        let beside = upgrade().add_current(&other);
        assert!(
            beside.of_rule("MU007").is_empty() && beside.of_rule("MU113").is_empty(),
            "{:?}",
            beside.codes()
        );
    }
}
