//! MU115: a stage that is not next, or not possible.

use super::case::{Case, Side};
use super::{Check, Rule, steps};
use crate::finding::{Finding, Severity};
use crate::milvus::release::{Component, Release};
use crate::milvus::role::Role;
use crate::milvus::version::Read;
use crate::stage::{self, Stage};
use crate::transition::{Kind, Transition};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU115",
    name: "stage-out-of-order",
    severity: Severity::Refuse,
    says: "the stage before is not in `--current`, or the stages run backwards",
    page: include_str!("../../docs/rules/MU115.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    let Stage::At(wanted) = case.options.stage else {
        return vec![];
    };
    let Some(kind) = case.transition.kind else {
        return vec![];
    };
    if kind.last_stage().is_none() {
        return vec![];
    }
    let Some(before) = case.before else { return vec![] };
    let mut found = behind(case, before, kind, wanted);
    found.extend(backwards(case, before, kind, wanted));
    if found.is_empty() {
        found.extend(over(case, before, kind, wanted));
    }
    found
}

/// A state file keeps what judging needs, which is not enough to write components back as they are deployed.
pub fn by_state_file(stage: Stage, transitions: &[&Transition], release: Option<&Release>) -> Vec<Finding> {
    if !transitions
        .iter()
        .any(|t| t.kind.is_some_and(|k| k.last_stage().is_some()))
    {
        return vec![];
    }
    let wanted = match stage {
        Stage::At(n) => format!("stage {n}"),
        Stage::Next => "--stage next".to_owned(),
        Stage::All => return vec![],
    };
    let message = format!(
        "{wanted} keeps later components as they are deployed, and --current names a state file, which holds no whole manifests"
    );
    let (name, namespace) = steps::placed(release);
    let help = format!(
        "give the manifests themselves: --current release:{name} --namespace {namespace}, or Helm's records:\n\
         \x20 kubectl get secrets --selector owner=helm,name={name} --namespace {namespace} --output yaml > current.yaml   and   --current current.yaml"
    );
    vec![RULE.finding(message, help)]
}

/// Whether a component runs the target's version.
fn arrived(case: &Case, component: &Component) -> bool {
    match (&component.version, case.transition.target()) {
        (Read::Known(version), Some(target)) => version >= target,
        _ => case
            .came
            .components
            .iter()
            .any(|c| tag(&c.image) == tag(&component.image)),
    }
}

/// An image without its registry.
fn tag(image: &str) -> &str {
    image.rsplit('/').next().unwrap_or(image)
}

/// Components of earlier stages that do not run the target's version yet.
fn behind(case: &Case, before: Side, kind: Kind, wanted: u8) -> Vec<Finding> {
    let late: Vec<&Component> = before
        .running()
        .filter(|c| case.after.release.has(c.role))
        .filter(|c| (1..wanted).contains(&stage::of_role(kind, c.role)) && !arrived(case, c))
        .collect();
    let missing = wanted > 1 && lacks_streamingnode(case, before, kind);
    let first = late.iter().map(|c| stage::of_role(kind, c.role)).min();
    let due = if missing { Some(1) } else { first };
    let Some(due) = due else { return vec![] };
    let names = match late.is_empty() {
        true => "streamingnode is not there yet".to_owned(),
        false => {
            let list: Vec<_> = late.iter().map(|c| format!("{} runs {}", c.name, version(c))).collect();
            list.join(", ")
        }
    };
    let message = format!(
        "stage {wanted} ({}) comes after stage {due} ({}), which is not in --current: {names}",
        stage::describe(kind, wanted),
        stage::describe(kind, due)
    );
    let help = format!(
        "run --stage {due} first, or --stage next, which finds the one that is due; between two stages wait until the old pods are gone"
    );
    let finding = RULE.finding(message, help);
    vec![match late.first() {
        Some(component) => before.point(finding, component, &format!("{}/image", component.container)),
        None => finding,
    }]
}

/// Whether the first stage has still to bring the streaming nodes.
fn lacks_streamingnode(case: &Case, before: Side, kind: Kind) -> bool {
    kind == Kind::Streaming && case.after.release.has(Role::StreamingNode) && !before.release.has(Role::StreamingNode)
}

/// A stage behind which a later one is complete already.
fn over(case: &Case, before: Side, kind: Kind, wanted: u8) -> Option<Finding> {
    let theirs = before.running().filter(|c| case.after.release.has(c.role));
    let staged: Vec<(u8, &Component)> = theirs.map(|c| (stage::of_role(kind, c.role), c)).collect();
    let late = staged
        .iter()
        .filter(|(_, c)| !arrived(case, c))
        .map(|(stage, _)| *stage);
    let due = match lacks_streamingnode(case, before, kind) {
        true => Some(1),
        false => late.min(),
    };
    let (done, last) = staged
        .into_iter()
        .filter(|(stage, _)| due.is_none_or(|due| *stage < due))
        .max_by_key(|(stage, _)| *stage)?;
    if done <= wanted {
        return None;
    }
    let message = format!(
        "stage {wanted} ({}) would run behind stage {done} ({}), which --current has already: {} runs {}",
        stage::describe(kind, wanted),
        stage::describe(kind, done),
        last.name,
        version(last),
    );
    let help = "go on with --stage next: it finds the stage that is due, also where something of an earlier one has changed since";
    let path = format!("{}/image", last.container);
    Some(before.point(RULE.finding(message, help), last, &path))
}

/// Components of later stages that run the target's version already, while this stage's own do not.
fn backwards(case: &Case, before: Side, kind: Kind, wanted: u8) -> Vec<Finding> {
    let own_late = before
        .running()
        .any(|c| stage::of_role(kind, c.role) == wanted && !arrived(case, c));
    let ahead: Vec<&Component> = before
        .running()
        .filter(|c| case.after.release.has(c.role))
        .filter(|c| stage::of_role(kind, c.role) > wanted && arrived(case, c))
        .collect();
    let Some(first) = ahead.first().filter(|_| own_late) else {
        return vec![];
    };
    let names: Vec<_> = ahead.iter().map(|c| format!("{} ({})", c.name, version(c))).collect();
    let message = format!(
        "stage {wanted} ({}) is due, and what belongs to later stages runs the target's version already: {}",
        stage::describe(kind, wanted),
        names.join(", ")
    );
    let help = "the stages ran out of order, or something else upgraded a part: finish with --stage all, and read `milvus-uplift explain MU605` for what is unavailable meanwhile";
    vec![before.point(
        RULE.finding(message, help),
        first,
        &format!("{}/image", first.container),
    )]
}

fn version(component: &Component) -> String {
    match &component.version {
        Read::Known(v) => v.to_string(),
        Read::Undecidable(u) => u.text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;
    use crate::stage::Stage;

    fn roles(text: &str) -> Vec<(String, String)> {
        let stream = crate::stream::Stream::read(text.as_bytes(), crate::finding::Input::Target).unwrap();
        let found = crate::milvus::release::inventory(&stream.objects);
        found.releases[0]
            .components
            .iter()
            .map(|c| (c.role.to_string(), c.image.clone()))
            .collect()
    }

    #[test]
    fn a_stage_needs_the_one_before() {
        let found = Scenario::upgrade("v2.5.16", "v2.6.16")
            .stage(Stage::At(3))
            .of_rule("MU115");
        assert_eq!(found.len(), 1);
        assert!(
            found[0].message.contains("stage 1") && found[0].help.contains("--stage 1"),
            "{:?}",
            found[0]
        );
    }

    #[test]
    fn stages_walk_in_order_and_end_where_all_at_once_does() {
        let start = Scenario::upgrade("v2.5.16", "v2.6.16");
        let at_once = start.judge().text().unwrap();
        let mut current = None;
        for n in 0..=5 {
            let mut scenario = start.clone().stage(Stage::At(n));
            if let Some(current) = current {
                scenario = scenario.with_current(current);
            }
            let judged = scenario.judge();
            let refused: Vec<_> = judged.findings.iter().filter(|f| f.refuses()).collect();
            assert!(refused.is_empty(), "stage {n}: {refused:?}");
            current = judged.text();
        }
        assert_eq!(current.unwrap(), at_once);
    }

    #[test]
    fn a_stage_moves_what_is_due_and_holds_back_the_rest() {
        let output = Scenario::upgrade("v2.5.16", "v2.6.16")
            .stage(Stage::At(1))
            .judge()
            .text()
            .unwrap();
        for (role, image) in roles(&output) {
            let new = matches!(role.as_str(), "mixcoord" | "streamingnode");
            assert_eq!(image.ends_with("v2.6.16"), new, "{role} {image}");
        }
        assert!(roles(&output).iter().any(|(role, _)| role == "indexnode"));
    }

    #[test]
    fn next_finds_the_stage_that_is_due_and_then_does_nothing() {
        let start = Scenario::upgrade("v2.5.16", "v2.6.16").stage(Stage::Next);
        let mut current = None;
        let mut walked = Vec::new();
        for _ in 0..7 {
            let scenario = match &current {
                Some(text) => start.clone().with_current(String::clone(text)),
                None => start.clone(),
            };
            let judged = scenario.judge();
            let stage = judged.releases[0].stage.map(|s| s.applied);
            walked.push(stage);
            current = judged.text();
        }
        assert_eq!(walked[..5], [Some(1), Some(2), Some(3), Some(4), Some(5)]);
        let done = start.clone().with_current(current.clone().unwrap()).judge();
        assert_eq!(done.text(), current);
    }

    #[test]
    fn an_upgrade_at_once_knows_no_order() {
        assert!(!Scenario::upgrade("v2.5.16", "v2.6.16").codes().contains(&"MU115"));
    }

    #[test]
    fn later_components_ahead_of_earlier_ones_run_backwards() {
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16")
            .stage(Stage::At(2))
            .edit_in_current("Deployment", "rel-milvus-proxy", "v2.5.16", "v2.6.16");
        assert!(
            scenario
                .of_rule("MU115")
                .iter()
                .any(|f| f.message.contains("rel-milvus-proxy"))
        );
    }

    fn said(scenario: &Scenario) -> Vec<String> {
        scenario.of_rule("MU115").into_iter().map(|f| f.message).collect()
    }

    /// The upgrade with what its stage left behind as the current state.
    fn after_stage(start: &Scenario, stage: u8) -> Scenario {
        let output = start.clone().stage(Stage::At(stage)).judge().text().expect("an output");
        start.clone().with_current(output)
    }

    #[test]
    fn a_state_file_is_not_enough_for_a_kind_that_has_stages() {
        let by_file = |from: &str, to: &str, stage: Stage| {
            let scenario = Scenario::upgrade(from, to);
            let source = crate::state::read(&scenario.request().current, None).unwrap().unwrap();
            let releases = crate::state::view::releases(&source, None);
            let state = crate::yaml::emit(&crate::state::file::write(&source, &releases));
            said(&scenario.with_current(state).stage(stage))
        };
        let at = by_file("v2.5.16", "v2.6.16", Stage::At(1));
        assert!(
            at.len() == 1 && at[0].starts_with("stage 1 keeps later components"),
            "{at:?}"
        );
        let next = by_file("v2.5.16", "v2.6.16", Stage::Next);
        assert!(next.len() == 1 && next[0].starts_with("--stage next keeps"), "{next:?}");
        for stage in [Stage::At(2), Stage::Next] {
            assert!(by_file("v2.5.16", "v2.5.22", stage).is_empty());
        }
        assert!(by_file("v2.5.16", "v2.6.16", Stage::All).is_empty());
    }

    #[test]
    fn a_mixcoord_alone_is_no_first_stage() {
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16").edit_in_current(
            "Deployment",
            "rel-milvus-mixcoord",
            "v2.5.16",
            "v2.6.16",
        );
        let found = said(&scenario.clone().stage(Stage::At(2)));
        assert!(
            found.len() == 1 && found[0].contains("streamingnode is not there yet"),
            "{found:?}"
        );
        assert!(said(&scenario.stage(Stage::At(1))).is_empty());
    }

    #[test]
    fn a_stage_may_run_again_and_not_behind_a_later_one() {
        let start = Scenario::upgrade("v2.5.16", "v2.6.16");
        for done in 1..=4 {
            // One stage after the other, as the rule wants it.
            let after = (1..=done).fold(start.clone(), |s, stage| after_stage(&s, stage));
            for wanted in 0..=done {
                let found = said(&after.clone().stage(Stage::At(wanted)));
                assert_eq!(
                    found.len(),
                    usize::from(wanted < done),
                    "{wanted} after {done}: {found:?}"
                );
                let words = format!("would run behind stage {done} (");
                assert!(found.iter().all(|m| m.contains(&words)), "{found:?}");
            }
            assert!(said(&after.clone().stage(Stage::At(done + 1))).is_empty());
            assert!(said(&after.stage(Stage::Next)).is_empty());
        }
        // Within 2.6 a streaming node that is not there yet is of the second stage.
        let within = Scenario::upgrade("v2.6.4", "v2.6.16");
        assert!(said(&within.clone().stage(Stage::At(0))).is_empty());
        let moved = within.edit_in_current("Deployment", "rel-milvus-mixcoord", "v2.6.4", "v2.6.16");
        assert_eq!(said(&moved.stage(Stage::At(0))).len(), 1);
        // One that runs ahead of all others is no stage that is complete.
        let ahead = start.edit_in_current("Deployment", "rel-milvus-proxy", "v2.5.16", "v2.6.16");
        assert!(said(&ahead.stage(Stage::At(0))).is_empty());
    }

    #[test]
    fn what_runs_another_build_of_the_target_or_a_later_patch_has_arrived() {
        let second = after_stage(&Scenario::upgrade("v2.5.16", "v2.6.16"), 1).stage(Stage::At(2));
        for (tag, want) in [("v2.6.16-gpu", 0), ("v2.6.16", 0), ("v2.6.15", 1)] {
            let other = second.clone().edit_in_current(
                "Deployment",
                "rel-milvus-mixcoord",
                "milvusdb/milvus:v2.6.16",
                &format!("mirror.example:5000/m/milvus:{tag}"),
            );
            assert_eq!(said(&other).len(), want, "{tag}");
        }
    }

    #[test]
    fn where_the_images_say_no_version_the_same_tag_has_arrived() {
        let start = Scenario::of(
            &crate::rules::testkit::cluster("corp-6", false),
            &crate::rules::testkit::cluster("corp-7", false),
        )
        .assume("current-version=2.5.22")
        .assume("target-version=2.6.16");
        let after = after_stage(&start, 1);
        let moved = after.clone().edit_in_current(
            "Deployment",
            "rel-milvus-mixcoord",
            "milvusdb/milvus:corp-7",
            "mirror.example:5000/m/milvus:corp-7",
        );
        assert!(said(&moved.stage(Stage::At(2))).is_empty());
        let found = said(&after.stage(Stage::At(3)));
        assert!(
            found.len() == 1 && found[0].contains("rel-milvus-querynode runs corp-6"),
            "{found:?}"
        );
    }

    #[test]
    fn a_stage_may_be_run_again_half_done() {
        let start = Scenario::upgrade("v2.5.16", "v2.6.16");
        let node = crate::rules::testkit::deployment("streamingnode", "\"streamingnode\"", "v2.6.15");
        let half = start
            .add_current(&node)
            .edit_in_current("Deployment", "rel-milvus-mixcoord", "v2.5.16", "v2.6.16");
        assert!(said(&half.stage(Stage::At(1))).is_empty());
    }
}
