//! MU105: separate coordinators are still deployed.

use super::case::{Case, Side};
use super::component::{are, list, since_streaming, spelled};
use super::{Check, Rule};
use crate::facts;
use crate::finding::{Finding, Severity};
use crate::milvus::release::{Component, Mode};
use crate::milvus::role::{Role, Spelling};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU105",
    name: "coordinators-not-consolidated",
    severity: Severity::Refuse,
    says: "what is deployed still runs separate coordinators (replicas not 0) and the target is >= 2.6",
    page: include_str!("../../docs/rules/MU105.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    let Some(before) = case.before else { return vec![] };
    if !case.transition.to_26() || case.standalone() || before.release.mode() == Mode::Standalone {
        return vec![];
    }
    // To delete those that are marked ends them, too.
    let marked = |c: &Component| never_starts(case, c) && before.object(c).is_kept() && leaves(case, c);
    let separate = before.running().filter(|c| may_hold_a_session(case, c) && !marked(c));
    let separate: Vec<&Component> = separate.collect();
    let kept = kept(case, before, &separate);
    let mut found = Vec::new();
    if !separate.is_empty() {
        found.push(running(case, before, &separate));
    } else if below_26(case) && !before.release.has(Role::MixCoord) {
        found.push(no_mixcoord(case, before));
    }
    found.extend(kept);
    found
}

/// Whether a component is a coordinator of its own. On a 2.6 image its pods end at once, and those of 2.5 may run on: a
/// rolling update waits for new ones to be ready. A mixture of some starts nothing on it and looks ready, which ends them.
fn may_hold_a_session(case: &Case, component: &Component) -> bool {
    let partial = component.run.spelled == Spelling::Mixture && !component.run.mixture_is_complete();
    let mixture = component.role == Role::MixCoord && partial && !never_starts(case, component);
    component.role.is_legacy_coordinator() || mixture
}

/// Whether it is on a 2.6 image, which knows no such role.
fn never_starts(case: &Case, component: &Component) -> bool {
    since_streaming(component, case.options.assume.current_version.as_ref()) == Some(true)
}

/// Whether what is deployed is below 2.6, as far as its images tell; where they do not, it may be.
fn below_26(case: &Case) -> bool {
    let streaming = facts::versions().marks.streaming.version.line();
    case.transition.source_line().is_none_or(|line| line < streaming)
}

fn running(case: &Case, before: Side, separate: &[&Component]) -> Finding {
    let assumed = case.options.assume.current_version.as_ref();
    let each: Vec<String> = separate
        .iter()
        .map(|c| match c.replicas {
            Some(1) => format!("{} (1 replica, {})", c.name, spelled(c, assumed)),
            Some(n) => format!("{} ({n} replicas, {})", c.name, spelled(c, assumed)),
            None => format!("{} ({})", c.name, spelled(c, assumed)),
        })
        .collect();
    let (why, help) = match separate.iter().all(|c| never_starts(case, c)) {
        true => (
            ": their images know no such role and end at once, and a rolling update keeps the pods of before until new ones are ready, \
             so that a coordinator of 2.5 may still run",
            scaled_down(case, before, separate),
        ),
        false => ("", help(case)),
    };
    let message = format!(
        "{} {} deployed and the target is Milvus {}, whose mixcoord would write the same metadata as a coordinator that still runs{why}",
        list(&each),
        are(each.len()),
        target(case),
    );
    let first = separate[0];
    let replicas = first.replicas.map_or(crate::value::Value::Null, Into::into);
    before
        .point(RULE.finding(message, help), first, "/spec/replicas")
        .field("/spec/replicas", replicas, 0)
}

/// The way on where the step to 2.6 was taken without the consolidation: there is none back to 2.5.
fn scaled_down(case: &Case, before: Side, separate: &[&Component]) -> String {
    let kind = |c: &Component| before.object(c).reference.kind.to_lowercase();
    let each: Vec<String> = separate.iter().map(|c| format!("{}/{}", kind(c), c.name)).collect();
    let namespace = namespace_flag(case);
    format!(
        "none of them does any work on this image: scale them to 0, wait until none of their pods is left, then come back with what the \
         cluster shows (--current current.yaml):\n\
         kubectl scale {}{namespace} --replicas 0\n\
         kubectl get pods{namespace} --watch\n\
         kubectl get deployments,statefulsets,services,configmaps,persistentvolumeclaims{namespace} --output yaml > current.yaml\n\
         the rewrite takes them away and brings mixcoord; back to 2.5 there is no way (MU104)",
        each.join(" ")
    )
}

fn no_mixcoord(case: &Case, before: Side) -> Finding {
    let resting: Vec<&str> = before.release.legacy_coordinators().map(|c| c.name.as_str()).collect();
    let which = match resting.is_empty() {
        true => "no coordinator at all".to_owned(),
        false => format!("{} at 0 replicas and no mixcoord", list(&resting)),
    };
    let message = format!(
        "what is deployed of release {} shows {which}, and Milvus {} is reached from a running mixcoord only",
        before.release.name,
        target(case),
    );
    let first = before
        .release
        .legacy_coordinators()
        .next()
        .unwrap_or(&before.release.components[0]);
    let help = format!(
        "if a mixcoord runs, give a --current that shows it; else\n{}",
        help(case)
    );
    before.point(RULE.finding(message, help), first, "")
}

fn target(case: &Case) -> String {
    match (case.transition.target(), case.transition.target_line()) {
        (Some(version), _) => version.to_string(),
        (None, Some((major, minor))) => format!("{major}.{minor}"),
        (None, None) => "2.6".into(),
    }
}

/// Whether it is a separate coordinator that would not be there any more.
fn leaves(case: &Case, component: &Component) -> bool {
    let mut after = case.after.release.components.iter();
    component.role.is_legacy_coordinator() && !after.any(|a| a.name == component.name)
}

/// Coordinators that the upgrade would take away and that stay all the same: told to be kept.
fn kept(case: &Case, before: Side, told: &[&Component]) -> Option<Finding> {
    let dropped = |c: &&Component| leaves(case, c);
    let live = before.objects.iter().any(|o| o.at(&["metadata", "uid"]).is_some());
    let mut found: Vec<(&Component, bool)> = Vec::new();
    let deployed = before.release.components.iter().filter(dropped);
    for component in deployed.filter(|c| !c.is_scaled_to_zero() && before.object(c).is_kept()) {
        found.push((component, true));
    }
    // A coordinator kept by an earlier step is in no manifest any more: that the chart marks it tells of it.
    for component in case.came.components.iter().filter(dropped) {
        let object = &case.target.objects[component.object];
        let known = before.release.components.iter().find(|b| b.name == component.name);
        let rests = known.map_or(component.is_scaled_to_zero() || live, Component::is_scaled_to_zero);
        if object.is_kept() && !rests && !found.iter().any(|(f, _)| f.name == component.name) {
            found.push((component, false));
        }
    }
    found.retain(|(c, _)| !told.iter().any(|t| t.name == c.name));
    let (first, is_deployed) = *found.first()?;
    let names: Vec<&str> = found.iter().map(|(c, _)| c.name.as_str()).collect();
    let message = format!(
        "{} {} marked to be kept (helm.sh/resource-policy: keep, or Argo CD's Prune=false): beside the mixcoord of Milvus {} a separate coordinator would live on",
        list(&names),
        are(names.len()),
        target(case),
    );
    let namespace = namespace_flag(case);
    let help = format!(
        "take the mark off in the values and delete what still lives:\nkubectl delete deployment {}{namespace}",
        names.join(" ")
    );
    let finding = RULE.finding(message, help);
    if is_deployed {
        return Some(before.point(finding, first, "/metadata/annotations"));
    }
    let object = &case.target.objects[first.object];
    Some(finding.on(&object.reference).at(
        case.target.input,
        object.document,
        format!("{}/metadata/annotations", object.pointer),
    ))
}

fn namespace_flag(case: &Case) -> String {
    match case.came.namespace.as_str() {
        "" => String::new(),
        namespace => format!(" --namespace {namespace}"),
    }
}

/// The step that makes one mixcoord of them, as the upgrade guide has it.
fn help(case: &Case) -> String {
    let floor = &facts::versions().marks.consolidate.version;
    let releases = facts::charts().releases.iter();
    let chart = releases
        .filter(|r| r.app == *floor)
        .map(|r| r.chart.to_string())
        .next_back();
    let version = chart.map_or(String::new(), |chart| format!(" --version={chart}"));
    let source = case.transition.highest().filter(|v| v.line() == floor.line());
    let tag = match source {
        Some(v) if v >= floor => v.text.clone(),
        Some(v) if v.variant.is_some() => format!("v{floor}-{}", v.variant.as_deref().unwrap_or_default()),
        _ => format!("v{floor}"),
    };
    format!(
        "make one mixcoord of them first, wait until the old pods are gone, then come back:\n\
         helm upgrade {} zilliztech/milvus{} --set image.all.tag={tag} --set mixCoordinator.enabled=true \
         --set rootCoordinator.enabled=false --set queryCoordinator.enabled=false --set dataCoordinator.enabled=false \
         --set indexCoordinator.enabled=false --reset-then-reuse-values{version}\n\
         or upgrade to {tag} through this post-renderer: it makes mixcoord of the four itself",
        case.came.name,
        namespace_flag(case),
    )
}

#[cfg(test)]
mod tests {
    use crate::finding::Finding;
    use crate::rules::testkit::{Scenario, cluster, cluster26};

    fn found(scenario: Scenario) -> Vec<Finding> {
        scenario.of_rule("MU105")
    }

    fn separate(from: &str, to: &str) -> Scenario {
        Scenario::consolidation(from, to)
    }

    const KEEP: &str = "  namespace: ns\n  annotations:\n    helm.sh/resource-policy: keep\n";

    #[test]
    fn separate_coordinators_are_named_with_the_step_to_take() {
        let all = found(separate("v2.5.16", "v2.6.16"));
        assert_eq!(all.len(), 1);
        for role in ["rootcoord", "querycoord", "datacoord", "indexcoord"] {
            assert!(
                all[0]
                    .message
                    .contains(&format!("rel-milvus-{role} (1 replica, 2.5.16)")),
                "{}",
                all[0].message
            );
        }
        for words in [
            "image.all.tag=v2.5.16",
            "--version=4.2.58",
            "--reset-then-reuse-values",
            "rel zilliztech/milvus --namespace ns",
            "indexCoordinator.enabled=false",
        ] {
            assert!(all[0].help.contains(words), "{}", all[0].help);
        }
        assert_eq!(
            all[0].location.as_ref().map(|l| l.stream),
            Some(crate::finding::Input::Current)
        );
    }

    #[test]
    fn the_step_never_goes_below_what_runs_and_keeps_the_build() {
        assert!(
            found(separate("v2.5.22", "v2.6.16"))[0]
                .help
                .contains("image.all.tag=v2.5.22")
        );
        assert!(
            found(separate("v2.5.10-gpu", "v2.6.16"))[0]
                .help
                .contains("image.all.tag=v2.5.16-gpu")
        );
        for from in ["v2.4.5", "v2.5.10"] {
            let help = &found(separate(from, "v2.6.16"))[0].help;
            assert!(help.contains("image.all.tag=v2.5.16 "), "{help}");
        }
    }

    #[test]
    fn absent_replicas_and_undecidable_images_count() {
        let one = |scenario: Scenario| {
            let all = found(scenario);
            assert_eq!(all.len(), 1, "{all:?}");
            all[0].message.clone()
        };
        let scaled =
            separate("v2.5.16", "v2.6.16").edit_in_current("Deployment", "rel-milvus-rootcoord", "  replicas: 1\n", "");
        assert!(one(scaled).contains("rel-milvus-rootcoord (2.5.16)"));
        assert!(one(separate("latest", "v2.6.16")).contains("`latest`"));
        let untagged = separate("v2.5.16", "v2.6.16").edit_current("milvusdb/milvus:v2.5.16", "milvusdb/milvus");
        assert!(one(untagged).contains("rel-milvus-rootcoord (1 replica, an image without a tag)"));
    }

    #[test]
    fn what_2_6_cannot_start_may_have_left_its_pods_of_before() {
        let before = cluster26("v2.6.4") + &crate::rules::testkit::deployment("rootcoord", "\"rootcoord\"", "v2.6.4");
        let after = cluster26("v2.6.15") + &crate::rules::testkit::deployment("rootcoord", "\"rootcoord\"", "v2.6.15");
        let all = found(Scenario::of(&before, &after));
        assert_eq!(all.len(), 1);
        assert!(
            all[0].message.contains("a coordinator of 2.5 may still run"),
            "{}",
            all[0].message
        );
        for words in [
            "kubectl scale deployment/rel-milvus-rootcoord --namespace ns --replicas 0",
            "--output yaml > current.yaml",
        ] {
            assert!(all[0].help.contains(words), "{}", all[0].help);
        }
        assert!(
            !all[0].help.contains("image.all.tag"),
            "2.5 is no way out: {}",
            all[0].help
        );
        // Which is what the way out leads to.
        let (head, tail) = before.rsplit_once("replicas: 1").unwrap();
        let scaled = Scenario::of(&format!("{head}replicas: 0{tail}"), &after);
        assert!(found(scaled.clone()).is_empty());
        assert!(!scaled.judge().refused());
        // No mixcoord at all: four separate ones, each on 2.6.
        let four = |tag: &str| {
            ["rootcoord", "querycoord", "datacoord", "indexcoord"]
                .map(|role| crate::rules::testkit::deployment(role, &format!("\"{role}\""), tag))
                .concat()
        };
        let unconsolidated = Scenario::of(
            &(cluster26("v2.6.4") + &four("v2.6.4")),
            &(cluster26("v2.6.15") + &four("v2.6.15")),
        )
        .drop_current("Deployment", "rel-milvus-mixcoord")
        .drop_target("Deployment", "rel-milvus-mixcoord");
        assert_eq!(found(unconsolidated.clone()).len(), 1);
        let rested = ["rootcoord", "querycoord", "datacoord", "indexcoord"]
            .iter()
            .fold(unconsolidated, |s, role| {
                s.edit_in_current(
                    "Deployment",
                    &format!("rel-milvus-{role}"),
                    "replicas: 1",
                    "replicas: 0",
                )
            });
        assert!(!rested.judge().refused(), "{:?}", rested.codes());
        let partial = Scenario::upgrade("v2.6.4", "v2.6.16").edit_current("\"-querycoord\", ", "");
        assert!(
            found(partial).is_empty(),
            "it looks ready, and has ended those of before"
        );
        assert!(
            found(Scenario::of(
                &before.replace(
                    "v2.6.4\"\n          args: [ \"milvus\", \"run\", \"rootcoord\"",
                    "v2.5.16\"\n          args: [ \"milvus\", \"run\", \"rootcoord\""
                ),
                &after
            ))
            .len()
                == 1
        );
    }

    #[test]
    fn a_kept_coordinator_at_rest_holds_nothing() {
        let kept = |replicas: u8| {
            crate::rules::testkit::deployment("rootcoord", "\"rootcoord\"", "v2.6.4")
                .replace(
                    "  labels:\n    helm.sh",
                    "  annotations: {helm.sh/resource-policy: keep}\n  labels:\n    helm.sh",
                )
                .replace("replicas: 1", &format!("replicas: {replicas}"))
        };
        for (replicas, told) in [(1, 1), (0, 0)] {
            let scenario = Scenario::of(&(cluster26("v2.6.4") + &kept(replicas)), &cluster26("v2.6.16"));
            assert_eq!(found(scenario).len(), told, "{replicas}");
        }
    }

    #[test]
    fn one_mixcoord_is_what_is_wanted() {
        assert!(found(Scenario::upgrade("v2.5.16", "v2.6.16")).is_empty());
        assert!(found(separate("v2.5.10", "v2.5.16")).is_empty());
        assert!(found(Scenario::upgrade("v2.6.4", "v2.6.16")).is_empty());
        assert!(found(Scenario::standalone("v2.5.16", "v2.6.16", "rocksmq")).is_empty());
        assert!(found(separate("v2.5.16", "v2.6.16").fresh()).is_empty());
        let streaming = Scenario::upgrade("v2.6.4", "v2.6.16").drop_current("Deployment", "rel-milvus-mixcoord");
        assert!(found(streaming).is_empty(), "2.6 is past the consolidation");
    }

    #[test]
    fn a_release_without_any_running_coordinator_is_no_start_either() {
        let mut resting = separate("v2.5.16", "v2.6.16");
        for role in ["rootcoord", "querycoord", "datacoord", "indexcoord"] {
            resting = resting.edit_in_current(
                "Deployment",
                &format!("rel-milvus-{role}"),
                "replicas: 1",
                "replicas: 0",
            );
        }
        let all = found(resting);
        assert!(
            all.len() == 1 && all[0].message.contains("at 0 replicas and no mixcoord"),
            "{all:?}"
        );
        let missing = Scenario::upgrade("v2.5.16", "v2.6.16").drop_current("Deployment", "rel-milvus-mixcoord");
        assert!(found(missing)[0].message.contains("no coordinator at all"));
        let parked = Scenario::upgrade("v2.5.16", "v2.6.16").edit_in_current(
            "Deployment",
            "rel-milvus-mixcoord",
            "replicas: 1",
            "replicas: 0",
        );
        assert!(found(parked).is_empty());
    }

    #[test]
    fn a_mixture_of_some_is_separate_coordinators() {
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16").edit_current("\"-querycoord\", ", "");
        assert_eq!(found(scenario).len(), 1);
    }

    #[test]
    fn a_kept_coordinator_lives_on() {
        // The step before took them out of the release; the mark kept them in the cluster.
        let kept = Scenario::of(&cluster("v2.5.16", false), &cluster("v2.6.16", true)).edit_in_target(
            "Deployment",
            "rel-milvus-datacoord",
            "  namespace: ns\n",
            KEEP,
        );
        let all = found(kept);
        assert_eq!(all.len(), 1, "{all:?}");
        assert!(
            all[0].message.contains("rel-milvus-datacoord is marked to be kept")
                && all[0]
                    .help
                    .contains("kubectl delete deployment rel-milvus-datacoord --namespace ns")
        );
        assert_eq!(
            all[0].location.as_ref().map(|l| l.stream),
            Some(crate::finding::Input::Target)
        );
        let argo = Scenario::of(&cluster("v2.5.16", false), &cluster("v2.6.16", true)).edit_in_target(
            "Deployment",
            "rel-milvus-datacoord",
            "  namespace: ns\n",
            "  namespace: ns\n  annotations:\n    argocd.argoproj.io/sync-options: Prune=false\n",
        );
        assert_eq!(found(argo).len(), 1);
    }

    #[test]
    fn a_kept_one_that_rests_or_is_proven_gone_does_not() {
        let after = Scenario::of(&cluster("v2.5.16", false), &cluster("v2.6.16", true));
        let resting = after
            .clone()
            .edit_in_target("Deployment", "rel-milvus-datacoord", "  namespace: ns\n", KEEP)
            .edit_in_target("Deployment", "rel-milvus-datacoord", "replicas: 1", "replicas: 0");
        assert!(found(resting).is_empty());
        let live = after
            .edit_in_target("Deployment", "rel-milvus-datacoord", "  namespace: ns\n", KEEP)
            .edit_in_current(
                "Deployment",
                "rel-milvus-proxy",
                "  namespace: ns\n",
                "  namespace: ns\n  uid: 1b2c\n",
            );
        assert!(found(live).is_empty());
    }

    #[test]
    fn kept_and_never_started_is_out_of_the_rewrite_s_reach() {
        let left = crate::rules::testkit::deployment("rootcoord", "\"rootcoord\"", "v2.6.4").replacen(
            "  namespace: ns\n",
            KEEP,
            1,
        );
        let all = found(Scenario::of(&(cluster26("v2.6.4") + &left), &cluster26("v2.6.15")));
        assert_eq!(all.len(), 1);
        assert_eq!(
            all[0].location.as_ref().map(|l| l.stream),
            Some(crate::finding::Input::Current)
        );
    }

    #[test]
    fn a_kept_one_is_told_once_and_only_where_it_leaves() {
        let left = |role: &str, tag: &str| {
            let one = crate::rules::testkit::deployment(role, &format!("\"{role}\""), tag);
            one.replacen("  namespace: ns\n", KEEP, 1)
        };
        let marked = |scenario: Scenario| {
            let all = found(scenario);
            assert_eq!(all.len(), 1, "{all:?}");
            all[0].message.clone()
        };
        let (before, after) = (cluster26("v2.6.4"), cluster26("v2.6.15"));
        let root = |tag: &str| left("rootcoord", tag);
        let same = Scenario::of(&(before.clone() + &root("v2.6.4")), &(after.clone() + &root("v2.6.15")));
        assert!(marked(same).starts_with("rel-milvus-rootcoord is marked"));
        let other = Scenario::of(&(before + &root("v2.6.4")), &(after + &left("datacoord", "v2.6.15")));
        assert!(marked(other).starts_with("rel-milvus-rootcoord and rel-milvus-datacoord are marked"));
        // One that runs is told as such.
        let (before, after) = (cluster("v2.5.16", false), cluster("v2.6.16", false));
        let runs = Scenario::of(&(before.clone() + &left("datacoord", "v2.5.16")), &after);
        assert!(marked(runs).contains("rel-milvus-datacoord (1 replica, 2.5.16) is deployed"));
        let stays = Scenario::of(&before, &(after.clone() + &left("datacoord", "v2.6.16"))).without_rewrite();
        assert!(found(stays).is_empty());
        let node = Scenario::of(&before, &after)
            .edit_in_target("Deployment", "rel-milvus-indexnode", "  namespace: ns\n", KEEP)
            .edit_in_current("Deployment", "rel-milvus-indexnode", "  namespace: ns\n", KEEP);
        assert!(found(node).is_empty(), "an indexnode is no coordinator");
    }
}
