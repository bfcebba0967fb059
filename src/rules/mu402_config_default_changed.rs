//! MU402: what changes though nobody changed it.

use super::case::Case;
use super::component::{list, names};
use super::keys::{self, UserKey, as_yaml};
use super::{Check, Rule, steps};
use crate::facts::{self, DefaultRow, KeyStatus, key_status};
use crate::finding::{Finding, Input, Severity};
use crate::milvus::config::normalise;
use crate::milvus::queue::Mq;
use crate::milvus::release::Component;
use crate::milvus::role::Role;
use crate::milvus::version::Version;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU402",
    name: "config-default-changed",
    severity: Severity::Info,
    says: "defaults, names and metrics that change with the version, and what to know of the next line",
    page: include_str!("../../docs/rules/MU402.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    let (Some(source), Some(target)) = (keys::source(case), keys::target(case)) else {
        return vec![];
    };
    let mut found: Vec<Finding> = defaults(case, &source, &target).into_iter().collect();
    for key in keys::set_by_user(case) {
        found.extend(renamed(case, key, &source, &target));
    }
    found.extend(metrics(case));
    found.extend(notes(case, &source, &target));
    found
}

/// The defaults that change on the way and that nothing here sets, in one finding.
fn defaults(case: &Case, source: &Version, target: &Version) -> Option<Finding> {
    let changed: Vec<&DefaultRow> = facts::default_changes()
        .iter()
        .filter(|row| *source < row.since && row.since <= *target)
        .filter(|row| !is_set(case, row.key) && concerns(case, row.key))
        .collect();
    let (many, them) = match changed.len() {
        0 => return None,
        1 => ("a default changes".to_owned(), "it"),
        n => (format!("{n} defaults change"), "them"),
    };
    // A key that the target ignores cannot be given its old value, and one that was not there had none.
    let ignored = |row: &DefaultRow| key_status(row.key, target).is_some_and(|k| k.status.is_ignored());
    let (kept, lost): (Vec<&DefaultRow>, Vec<&DefaultRow>) =
        changed.iter().partition(|row| !row.old.is_empty() && !ignored(row));
    let said = kept.iter().map(|row| change(row));
    let said: Vec<String> = said
        .chain(lost.iter().map(|row| format!("{} ({})", change(row), row.matters)))
        .collect();
    let hidden = if case.after.effective.config().unknown.is_empty() {
        ""
    } else {
        ", as far as the configuration can be read"
    };
    let message = format!(
        "{many} from Milvus {source} to {target} and nothing here sets {them}{hidden}: {}",
        said.join("; ")
    );
    let old: Vec<_> = kept.iter().map(|row| (row.key, row.old, row.matters)).collect();
    let help = match old.is_empty() {
        true => "nothing has to be done; no setting brings the old behaviour back".into(),
        false => format!(
            "nothing has to be done; to keep an old value, put its line into user.yaml (in the chart's values: extraConfigFiles):\n{}",
            as_yaml(&old)
        ),
    };
    Some(RULE.finding(message, help))
}

fn change(row: &DefaultRow) -> String {
    let old = if row.old.is_empty() { "(not there)" } else { row.old };
    format!("{} {old} -> {}", row.key, row.new)
}

/// Whether the release has what a key is about: a client's settings count only with the queue they are for.
fn concerns(case: &Case, key: &str) -> bool {
    let queue = key.split('.').next().unwrap_or_default();
    let is_queue = matches!(queue, "pulsar" | "kafka" | "rocksmq" | "woodpecker");
    !is_queue || case.target_mq().is_none_or(|mq| mq == Mq::parse(queue))
}

/// Whether any layer of any component sets a key, also by a name that it still answers to.
fn is_set(case: &Case, key: &str) -> bool {
    let older = facts::config_keys()
        .iter()
        .filter(|row| row.status == KeyStatus::RenamedWithFallback && row.new == Some(key))
        .map(|row| normalise(row.key));
    let mut names: Vec<String> = older.collect();
    names.push(normalise(key));
    let mut configs = case.after.effective.configs.iter();
    configs.any(|config| names.iter().any(|name| config.get(name).is_some()))
}

/// A key that has a new name and is still read by its old one.
fn renamed(case: &Case, key: &UserKey, source: &Version, target: &Version) -> Option<Finding> {
    let row = key_status(&key.key, target).filter(|row| row.status == KeyStatus::RenamedWithFallback)?;
    let new = row.new.as_ref()?;
    if key_status(&key.key, source).is_some() {
        return None;
    }
    let note = if row.note.is_empty() {
        String::new()
    } else {
        format!(" ({})", row.note)
    };
    let message = format!(
        "{} in {} has the name {new} in Milvus {}, and still counts under the old one{note}",
        key.shown(),
        key.place(),
        steps::target_name(case)
    );
    let help = format!(
        "nothing has to be done now; the new name, for after the upgrade:\n{}",
        key.paste(new, key.setting.value.as_deref())
    );
    Some(key.point(case, RULE.finding(message, help)))
}

/// The metrics of indexnode go with it.
fn metrics(case: &Case) -> Option<Finding> {
    let before = case.before.filter(|_| case.transition.crosses_26())?;
    let leaving: Vec<&Component> = before.running().filter(|c| c.role == Role::IndexNode).collect();
    let first = leaving.first()?;
    let message = format!(
        "the metrics of {} end with the upgrade: panels and alerts on indexnode show nothing, or fire, from then on; datanode builds the indexes",
        list(&names(&leaving))
    );
    let help = "in Grafana and in alerts, select datanode where indexnode stood:\n\
                pod=~\".*-datanode-.*\"   in place of   pod=~\".*-indexnode-.*\"\n\
                metrics that are named milvus_indexnode_… have no values any more";
    let object = before.object(first);
    let finding = RULE.finding(message, help).on(&object.reference);
    Some(finding.at(Input::Current, object.document, object.pointer.clone()))
}

/// What the tables say of the way from the one line to the other.
fn notes(case: &Case, source: &Version, target: &Version) -> Vec<Finding> {
    let ways = facts::notes().iter();
    ways.filter(|note| note.from == source.line() && note.to == target.line())
        .filter(|note| note.below.as_ref().is_none_or(|below| source < below))
        .map(|note| {
            let message = format!("Milvus {} to {}: {}", source, steps::target_name(case), note.what);
            RULE.finding(message, note.advice)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    fn said(scenario: &Scenario) -> String {
        let all = scenario.of_rule("MU402");
        all.iter().map(|f| format!("{}\n{}\n", f.message, f.help)).collect()
    }

    fn user(scenario: Scenario, text: &str) -> Scenario {
        let lines: String = text.lines().map(|l| format!("    {l}\n")).collect();
        scenario.edit_target("  user.yaml: |-\n    # nothing\n", &format!("  user.yaml: |-\n{lines}"))
    }

    #[test]
    fn the_changed_defaults_are_one_finding_with_the_old_values() {
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16");
        let text = said(&scenario);
        assert!(text.contains("queryNode.mmap.vectorField false -> true"), "{text}");
        assert!(
            text.contains("queryNode:\n  mmap:\n    vectorField: false   # needs local disk"),
            "{text}"
        );
        // Set by the chart, or without effect when set.
        assert!(
            !text.contains("rootCoord.port") && !text.contains("maxParallelTaskNum: 10"),
            "{text}"
        );
        assert_eq!(
            scenario
                .of_rule("MU402")
                .iter()
                .filter(|f| f.message.contains("defaults"))
                .count(),
            1
        );
    }

    #[test]
    fn what_is_set_does_not_change_under_either_name() {
        let text = "queryNode:\n  mmap:\n    vectorField: false\ncommon:\n  enabledJSONKeyStats: true\n";
        let scenario = user(Scenario::upgrade("v2.5.16", "v2.6.16"), text);
        let text = said(&scenario);
        assert!(
            !text.contains("vectorField") && !text.contains("enabledJSONShredding false"),
            "{text}"
        );
        assert!(text.contains("has the name common.enabledJSONShredding"), "{text}");
        assert!(text.contains("common:\n  enabledJSONShredding: true"), "{text}");
    }

    #[test]
    fn the_metrics_of_indexnode_end() {
        let all = Scenario::upgrade("v2.5.16", "v2.6.16").of_rule("MU402");
        let found = all.iter().find(|f| f.message.starts_with("the metrics")).unwrap();
        assert!(found.message.contains("rel-milvus-indexnode"));
        assert_eq!(found.location.as_ref().unwrap().stream, crate::finding::Input::Current);
    }

    #[test]
    fn within_a_line_only_what_changed_there_counts() {
        assert!(Scenario::upgrade("v2.6.4", "v2.6.16").of_rule("MU402").is_empty());
        assert!(Scenario::upgrade("v2.5.16", "v2.5.22").of_rule("MU402").is_empty());
        assert!(Scenario::upgrade("v2.6.16", "v2.6.16").of_rule("MU402").is_empty());
        assert!(
            Scenario::upgrade("v2.6.4", "v2.6.16")
                .fresh()
                .of_rule("MU402")
                .is_empty()
        );
        let standalone = Scenario::standalone("v2.5.16", "v2.6.16", "rocksmq");
        assert!(said(&standalone).contains("vectorField") && !said(&standalone).contains("pulsar."));
        let from_the_first = Scenario::upgrade("v2.6.0", "v2.6.4").of_rule("MU402");
        assert!(from_the_first.is_empty(), "{from_the_first:?}");
        let unpinned = Scenario::upgrade("v2.6.4", "v2.6.16").edit_target("      port: 53100\n", "");
        assert!(
            said(&unpinned).contains("a default changes from Milvus 2.6.4 to 2.6.16"),
            "{}",
            said(&unpinned)
        );
    }

    #[test]
    fn the_way_to_3_0_comes_with_what_to_know() {
        let text = said(&Scenario::upgrade("v2.6.20", "v3.0.0"));
        assert!(
            text.contains("topology stays") && text.contains("2.6.20 or later") && text.contains("backup"),
            "{text}"
        );
        assert!(!text.contains("has tried this step"), "{text}");
        assert!(said(&Scenario::upgrade("v2.6.16", "v3.0.0")).contains("has tried this step from 2.6.20 on"));
        assert!(said(&Scenario::upgrade("v3.0.0", "v3.0.1")).is_empty());
    }
}
