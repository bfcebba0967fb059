//! MU204: a mixture that starts nothing.

use super::case::Case;
use super::component::{are, list, names, since_streaming, spelled};
use super::{Check, Rule, mu201_dead_role::args};
use crate::finding::{Finding, Severity};
use crate::milvus::release::Component;
use crate::milvus::role::{Role, Spelling};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU204",
    name: "mixture-incomplete",
    severity: Severity::Refuse,
    says: "`mixture` without all of -rootcoord, -querycoord, -datacoord: starts nothing and looks ready",
    page: include_str!("../../docs/rules/MU204.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    let partial: Vec<&Component> = case
        .after
        .release
        .in_role(Role::MixCoord)
        .filter(|c| c.run.spelled == Spelling::Mixture && !c.run.mixture_is_complete())
        // 2.5 runs whichever it is told.
        .filter(|c| since_streaming(c, case.assumed(c)) == Some(true))
        .collect();
    let Some(first) = partial.first() else { return vec![] };
    let has = |flag: &str| first.run.mixture_flags.iter().any(|f| f == flag);
    let lacking: Vec<String> = ["rootcoord", "querycoord", "datacoord"]
        .iter()
        .filter(|f| !has(f))
        .map(|f| format!("-{f}"))
        .collect();
    let message = format!(
        "{} {} started as a mixture without {}: Milvus {} starts no coordinator then, and the pod looks ready all the same",
        list(&names(&partial)),
        are(partial.len()),
        list(&lacking),
        spelled(first, case.assumed(first)),
    );
    let help = "one mixcoord with all of them: args: [\"milvus\", \"run\", \"mixture\", \"-rootcoord\", \"-querycoord\", \"-datacoord\", \"-indexcoord\"], or, from 2.6 on, [\"milvus\", \"run\", \"mixcoord\"]";
    vec![case.after.point(RULE.finding(message, help), first, &args(first))]
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    #[test]
    fn one_flag_less_is_a_pod_that_does_nothing() {
        for (flag, name) in [
            ("\"-querycoord\", ", "-querycoord"),
            ("\"-rootcoord\", ", "-rootcoord"),
            ("\"-datacoord\", ", "-datacoord"),
        ] {
            let all = Scenario::upgrade("v2.6.4", "v2.6.16")
                .edit_target(flag, "")
                .of_rule("MU204");
            assert!(
                all.len() == 1 && all[0].message.contains(&format!("without {name}: Milvus 2.6.16")),
                "{all:?}"
            );
            assert!(all[0].help.contains(name) && all[0].location.is_some());
        }
    }

    #[test]
    fn a_flag_set_to_false_is_none() {
        let all = Scenario::upgrade("v2.6.4", "v2.6.16")
            .edit_target("\"-querycoord\"", "\"-querycoord=false\"")
            .of_rule("MU204");
        assert_eq!(all.len(), 1);
    }

    #[test]
    fn the_index_coordinator_is_not_missed_and_2_5_runs_what_it_is_told() {
        assert!(
            Scenario::upgrade("v2.6.4", "v2.6.16")
                .edit_target(", \"-indexcoord\"", "")
                .of_rule("MU204")
                .is_empty()
        );
        assert!(
            Scenario::upgrade("v2.5.16", "v2.5.22")
                .edit_target("\"-querycoord\", ", "")
                .of_rule("MU204")
                .is_empty()
        );
        assert_eq!(
            Scenario::upgrade("v2.5.16", "v2.6.16")
                .edit_target("\"-querycoord\", ", "")
                .of_rule("MU204")
                .len(),
            1
        );
    }
}
