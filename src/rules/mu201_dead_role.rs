//! MU201: a role that the image does not have any more.

use super::case::Case;
use super::component::{are, list, names, since_streaming, spelled, switched_off};
use super::{Check, Rule};
use crate::finding::{Finding, Severity};
use crate::milvus::release::{Component, Mode};
use crate::milvus::role::{Role, Spelling};
use crate::options::RewriteMode;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU201",
    name: "dead-role",
    severity: Severity::Refuse,
    says: "a >= 2.6 image is started with a role it does not have",
    page: include_str!("../../docs/rules/MU201.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    let new = |c: &&Component| since_streaming(c, case.assumed(c)) == Some(true);
    let dead: Vec<&Component> = case
        .after
        .running()
        .filter(new)
        .filter(|c| c.role.is_legacy_coordinator() || c.role == Role::IndexNode)
        .collect();
    let flagged: Vec<&Component> = case
        .after
        .release
        .components
        .iter()
        .filter(new)
        .filter(|c| c.run.spelled == Spelling::Mixture && c.run.mixture_flags.iter().any(|f| f == "indexnode"))
        .collect();
    roles(case, &dead).into_iter().chain(flag(case, &flagged)).collect()
}

fn roles(case: &Case, dead: &[&Component]) -> Option<Finding> {
    let first = *dead.first()?;
    let mut roles: Vec<Role> = dead.iter().map(|c| c.role).collect();
    roles.sort();
    roles.dedup();
    let words: Vec<&str> = roles.iter().map(|r| r.as_str()).collect();
    let message = format!(
        "{} {} started as {} from Milvus {}, which has no such role: the process ends at once and the pod restarts for ever",
        list(&names(dead)),
        are(dead.len()),
        list(&words),
        spelled(first, case.assumed(first)),
    );
    let mixcoord = match roles.iter().any(|r| r.is_legacy_coordinator()) && !case.after.release.has(Role::MixCoord) {
        true => " --set mixCoordinator.enabled=true",
        false => "",
    };
    let standalone = case.after.release.mode() == Mode::Standalone;
    let rewrite = match case.options.rewrite {
        RewriteMode::Never if !standalone => {
            "let the rewrite take them away (without --rewrite never and --as-is), or "
        }
        _ => "",
    };
    let help = format!(
        "{rewrite}switch them off in the values: {}{mixcoord}",
        switched_off(&roles)
    );
    let path = args(first);
    Some(case.after.point(RULE.finding(message, help), first, &path))
}

fn flag(case: &Case, flagged: &[&Component]) -> Option<Finding> {
    let first = *flagged.first()?;
    let message = format!(
        "{} {} given the flag -indexnode, which `mixture` of Milvus {} does not know: the process ends at once",
        list(&names(flagged)),
        are(flagged.len()),
        spelled(first, case.assumed(first)),
    );
    let help = "take -indexnode out: args: [\"milvus\", \"run\", \"mixture\", \"-rootcoord\", \"-querycoord\", \"-datacoord\", \"-indexcoord\"]";
    Some(case.after.point(RULE.finding(message, help), first, &args(first)))
}

/// Where a component's command line stands.
pub fn args(component: &Component) -> String {
    format!("{}/args", component.container)
}

#[cfg(test)]
mod tests {
    use crate::finding::Finding;
    use crate::rules::testkit::{Scenario, cluster, cluster26, deployment};

    fn found(scenario: &Scenario) -> Vec<Finding> {
        scenario.of_rule("MU201")
    }

    #[test]
    fn without_the_rewrite_the_old_roles_are_dead() {
        let all = found(&Scenario::consolidation("v2.5.16", "v2.6.16").without_rewrite());
        assert_eq!(all.len(), 1);
        for words in ["rel-milvus-rootcoord", "rel-milvus-indexnode", "2.6.16"] {
            assert!(all[0].message.contains(words), "{}", all[0].message);
        }
        for words in [
            "--rewrite never",
            "indexNode.enabled=false",
            "rootCoordinator.enabled=false",
            "mixCoordinator.enabled=true",
        ] {
            assert!(all[0].help.contains(words), "{}", all[0].help);
        }
        assert!(all[0].location.is_some());
    }

    #[test]
    fn the_rewrite_takes_them_away() {
        assert!(found(&Scenario::consolidation("v2.5.16", "v2.6.16")).is_empty());
        assert!(found(&Scenario::upgrade("v2.5.16", "v2.6.16")).is_empty());
    }

    #[test]
    fn what_a_stage_keeps_runs_the_version_stated_for_what_is_deployed() {
        use crate::stage::Stage;
        let own = |text: String, tag: &str, version: &str| {
            text.replace(
                &format!("milvusdb/milvus:{version}"),
                &format!("registry.corp/milvus:{tag}"),
            )
        };
        let scenario = || {
            let current = own(cluster("v2.5.16", false), "old", "v2.5.16");
            Scenario::of(&current, &own(cluster("v2.6.16", false), "new", "v2.6.16"))
                .assume("current-version=2.5.16")
                .assume("target-version=2.6.16")
        };
        for stage in [Stage::At(0), Stage::At(1), Stage::All] {
            let judgement = scenario().stage(stage).judge();
            assert!(!judgement.refused(), "{stage:?}: {:?}", judgement.findings);
        }
        assert_eq!(found(&scenario().without_rewrite()).len(), 1);
    }

    #[test]
    fn kinds_of_forks_count_and_jobs_do_not() {
        let of = |kind: &str| {
            let extra = deployment("indexnode", "\"indexnode\"", "v2.6.16")
                .replace("kind: Deployment", &format!("kind: {kind}"));
            Scenario::of(&cluster26("v2.6.4"), &(cluster26("v2.6.16") + &extra)).without_rewrite()
        };
        for kind in ["StatefulSet", "DaemonSet"] {
            assert_eq!(found(&of(kind)).len(), 1, "{kind}");
        }
        assert!(found(&of("Job")).is_empty());
    }

    #[test]
    fn a_standalone_beside_an_indexnode_is_not_rewritten() {
        let scenario = Scenario::standalone("v2.5.16", "v2.6.16", "rocksmq").add_target(&deployment(
            "indexnode",
            "\"indexnode\"",
            "v2.6.16",
        ));
        for scenario in [scenario.clone(), scenario.without_rewrite()] {
            let all = found(&scenario);
            assert_eq!(all.len(), 1, "{all:?}");
            assert_eq!(
                all[0].help,
                "switch them off in the values: --set indexNode.enabled=false"
            );
        }
    }

    #[test]
    fn where_a_mixcoord_runs_none_has_to_be_switched_on() {
        let beside = Scenario::of(&cluster26("v2.6.4"), &cluster26("v2.6.16"))
            .add_target(&deployment("rootcoord", "\"rootcoord\"", "v2.6.16"))
            .without_rewrite();
        let all = found(&beside);
        assert!(
            all.len() == 1 && all[0].help.contains("rootCoordinator.enabled=false"),
            "{all:?}"
        );
        assert!(!all[0].help.contains("mixCoordinator"), "{}", all[0].help);
    }

    #[test]
    fn a_2_5_image_has_these_roles_and_what_rests_starts_nothing() {
        assert!(found(&Scenario::consolidation("v2.5.10", "v2.5.15").without_rewrite()).is_empty());
        let resting = Scenario::upgrade("v2.5.16", "v2.6.16")
            .without_rewrite()
            .edit_in_target("Deployment", "rel-milvus-indexnode", "replicas: 1", "replicas: 0");
        assert!(found(&resting).is_empty());
    }

    #[test]
    fn a_nightly_of_2_6_is_2_6() {
        assert_eq!(
            found(&Scenario::upgrade("v2.5.16", "2.6-20260723-d73c8e53").without_rewrite()).len(),
            1
        );
    }

    #[test]
    fn the_flag_of_indexnode_is_gone_too() {
        let scenario = Scenario::upgrade("v2.6.4", "v2.6.16").edit_target("\"-indexcoord\"", "\"-indexnode\"");
        let all = found(&scenario);
        assert!(all.len() == 1 && all[0].message.contains("-indexnode"), "{all:?}");
        assert!(found(&Scenario::upgrade("v2.6.4", "v2.6.16")).is_empty());
    }
}
