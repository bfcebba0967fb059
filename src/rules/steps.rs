//! What the rules about versions share: the way from one version to another, with the upgrade guides' commands, and
//! (`images`) the images that a finding points at.

mod images;

pub use images::{at_any_current_image, at_current_image, at_image, at_target, at_target_image};

use crate::facts::{self, Hop, How};
use crate::milvus::release::{Mode, Release};
use crate::milvus::version::Version;
use crate::rules::case::Case;

/// The chart of the upgrade guides.
const CHART: &str = "zilliztech/milvus";

/// One stop on the way.
struct Stop {
    /// Where, in a few words.
    short: String,
    /// The commands, each on a line of its own.
    commands: Vec<String>,
}

/// The stops in one line: `the latest 2.4 -> 2.5.16 or later -> 2.6.6`. Empty where no way is known.
pub fn way_in_short(case: &Case) -> String {
    let mut all: Vec<String> = stops(case).into_iter().map(|s| s.short).collect();
    if all.is_empty() {
        return String::new();
    }
    all.push(target_name(case));
    all.join(" -> ")
}

/// The stops with the commands of the guides. Empty where no way is known.
pub fn way(case: &Case) -> String {
    let stops = stops(case);
    if stops.is_empty() {
        return String::new();
    }
    let mut lines = vec![
        "stop at each of these first; go on when every pod is ready and no pod of the version before is left"
            .to_owned(),
    ];
    for (i, stop) in stops.iter().enumerate() {
        lines.push(format!("{}. Milvus {}", i + 1, stop.short));
        lines.extend(stop.commands.iter().map(|c| format!("   {c}")));
    }
    lines.push(format!(
        "{}. Milvus {}: this upgrade again",
        stops.len() + 1,
        target_name(case)
    ));
    lines.join("\n")
}

/// The target in a sentence: its version, else its line.
pub fn target_name(case: &Case) -> String {
    match (case.transition.target(), case.transition.target_line()) {
        (Some(v), _) if case.transition.to.undecidable.is_empty() => v.to_string(),
        (_, Some((major, minor))) => format!("{major}.{minor}"),
        _ => "TARGET".into(),
    }
}

/// What is deployed in a sentence: the lowest version, else the line.
pub fn source_name(case: &Case) -> String {
    match (case.transition.source(), case.transition.source_line()) {
        (Some(v), _) => v.to_string(),
        (None, Some((major, minor))) => format!("{major}.{minor}"),
        _ => "of an unknown version".into(),
    }
}

/// The command that leads to the preferred source of a crossing to 2.6.
pub fn to_preferred(case: &Case) -> String {
    let marks = &facts::versions().marks;
    consolidated(case, &marks.consolidate.version, &marks.prefer.version)
        .commands
        .join("; ")
}

fn stops(case: &Case) -> Vec<Stop> {
    let (Some(from), Some(to)) = (case.transition.source_line(), case.transition.target_line()) else {
        return vec![];
    };
    let mut found = Vec::new();
    let mut at = from;
    let first = facts::hops().hops.first().map_or(from, |h| h.from);
    if at < first {
        found.push(Stop {
            short: format!("the latest {}.{}, by the guide of that line", first.0, first.1),
            commands: vec![],
        });
        at = first;
    }
    let mut migrated = None;
    while at < to {
        let Some(hop) = facts::hops().hops.iter().find(|h| h.from == at && h.to <= to) else {
            break;
        };
        if hop.how == How::Migration {
            migrated = Some(hop.to);
            found.push(migration(case, hop));
        } else if migrated != Some(at)
            && let Some(stop) = stop_before(case, hop)
        {
            found.push(stop);
        }
        at = hop.to;
    }
    found
}

/// The stop from which a hop leaves; `None` where the release stands at it already.
fn stop_before(case: &Case, hop: &Hop) -> Option<Stop> {
    let source = case.transition.source();
    let there = |least: &Version| source.is_some_and(|s| s.line() == hop.from && s >= least);
    let marks = &facts::versions().marks;
    match (&hop.leave_at, &hop.prefer_at) {
        (Some(floor), preferred) => {
            let separate = case.before.is_some_and(|b| {
                b.release.mode() == Mode::Cluster && b.release.legacy_coordinators().any(|c| !c.is_scaled_to_zero())
            });
            if there(floor) && !separate {
                return None;
            }
            Some(consolidated(case, floor, preferred.as_ref().unwrap_or(floor)))
        }
        (None, Some(preferred)) if preferred.line() >= marks.streaming.version.line() => {
            (!there(preferred)).then(|| streaming(case, preferred))
        }
        _ => {
            let stop = facts::stop_in(hop.from);
            (!there(&stop)).then(|| latest(case, &stop))
        }
    }
}

/// The end of a line: the newest version that is known, or a later one.
fn latest(case: &Case, known: &Version) -> Stop {
    let (major, minor) = known.line();
    let chart = facts::charts().releases.iter().find(|r| r.app == *known);
    Stop {
        short: format!("the latest {major}.{minor} ({known} or later)"),
        commands: vec![helm(
            case,
            chart.map(|r| &r.chart),
            &[format!("image.all.tag=v{known}")],
        )],
    }
}

/// The words that keep `helm upgrade` at the chart that is installed, of which nothing here says the version. `release`
/// and `place` (`--namespace …`) are quoted for a shell.
pub fn installed_chart(release: &str, place: &str) -> String {
    format!("--version \"$(helm get metadata {release} {place} | sed -n 's/^VERSION: *//p')\"")
}

fn consolidated(case: &Case, floor: &Version, preferred: &Version) -> Stop {
    let mut sets = vec![format!("image.all.tag=v{preferred}")];
    let cluster = !case.standalone();
    if cluster {
        sets.push("mixCoordinator.enabled=true".into());
        for name in ["root", "index", "query", "data"] {
            sets.push(format!("{name}Coordinator.enabled=false"));
        }
    }
    let chart = facts::charts()
        .releases
        .iter()
        .find(|r| r.app == *floor)
        .map(|r| &r.chart);
    let with = if cluster {
        " with mixcoord in place of the coordinators"
    } else {
        ""
    };
    Stop {
        short: format!("{floor} or later{with}"),
        commands: vec![helm(case, chart, &sets)],
    }
}

fn streaming(case: &Case, version: &Version) -> Stop {
    let mut sets = vec![format!("image.all.tag=v{version}")];
    if case.standalone() {
        let mq = case
            .current_mq()
            .map_or_else(|| "QUEUE_IN_USE".into(), |m| m.to_string());
        sets.push(format!("standalone.messageQueue={mq}"));
    } else {
        sets.push("streaming.enabled=true".into());
        sets.push("indexNode.enabled=false".into());
    }
    let chart = &facts::charts().marks.milvus_2_6.chart;
    Stop {
        short: format!("{version} or later"),
        commands: vec![helm(case, Some(chart), &sets)],
    }
}

fn migration(case: &Case, hop: &Hop) -> Stop {
    let line = format!("{}.{}", hop.to.0, hop.to.1);
    Stop {
        short: format!("{line}, by migrating the metadata while Milvus is stopped"),
        commands: migration_commands(case, &facts::stop_in(hop.to).to_string()),
    }
}

/// The commands that migrate the metadata of 2.1 (deployments/migrate-meta/migrate.sh of Milvus 2.5.16), and the one
/// that undoes it: there the image is the old one.
pub fn migration_commands(case: &Case, to: &str) -> Vec<String> {
    let old = facts::hops()
        .hops
        .iter()
        .find(|h| h.how == How::Migration)
        .map(|h| h.from);
    let from = match (case.transition.source(), old) {
        (Some(v), Some(line)) if v.line() == line => v.to_string(),
        (_, Some(line)) => facts::stop_in(line).to_string(),
        (_, None) => source_name(case),
    };
    let root = case
        .before
        .and_then(|b| b.effective.config().value("etcd.rootPath"))
        .unwrap_or("by-dev");
    let common = format!(
        "bash migrate.sh -i {} -n {} -s {from} -t {to} -r {root}",
        case.came.name,
        namespace(case)
    );
    vec![
        format!(
            "curl -fsSLO https://raw.githubusercontent.com/milvus-io/milvus/v{}/deployments/migrate-meta/migrate.sh",
            facts::versions().marks.consolidate.version
        ),
        format!("{common} -w milvusdb/milvus:v{to}   # stops Milvus, backs the metadata up, migrates it, starts again"),
        format!("{common} -w milvusdb/milvus:v{from} -o rollback   # only if it failed"),
    ]
}

/// The release's namespace, as a command needs it.
pub fn namespace<'a>(case: &'a Case<'a>) -> &'a str {
    let before = case.before.map_or("", |b| b.release.namespace.as_str());
    let known = [case.came.namespace.as_str(), before]
        .into_iter()
        .find(|n| !n.is_empty());
    known.unwrap_or("NAMESPACE")
}

/// The name and the namespace of a release as a command needs them; in capitals what nothing says.
pub fn placed(release: Option<&Release>) -> (String, String) {
    let or = |said: Option<&String>, unknown: &str| match said {
        Some(said) if !said.is_empty() => said.clone(),
        _ => unknown.to_owned(),
    };
    (
        or(release.map(|r| &r.name), "RELEASE"),
        or(release.map(|r| &r.namespace), "NAMESPACE"),
    )
}

/// `helm upgrade` of this release with `--set` flags, with the chart that is installed where none is given; in an umbrella
/// chart they go to the subchart's key.
pub fn helm(case: &Case, chart: Option<&semver::Version>, sets: &[String]) -> String {
    let path = case.values_path();
    let prefix: String = path.iter().map(|key| format!("{key}.")).collect();
    let mut words = match path.is_empty() {
        true => vec![format!(
            "helm upgrade {} {CHART} --namespace {}",
            case.came.name,
            namespace(case)
        )],
        false => vec![format!(
            "helm upgrade {} YOUR_CHART --namespace {}",
            case.came.name,
            namespace(case)
        )],
    };
    match chart {
        _ if !path.is_empty() => {}
        Some(version) => words.push(format!("--version {version}")),
        None => words.push(installed_chart(
            &case.came.name,
            &format!("--namespace {}", namespace(case)),
        )),
    }
    words.push("--reset-then-reuse-values".into());
    words.extend(sets.iter().map(|s| format!("--set {prefix}{s}")));
    words.join(" ")
}

/// The `--set` flag for the image's tag.
pub fn set_tag(version: &Version) -> String {
    // The tag that ran is one that can be pulled, build variant included.
    match version.text.starts_with('v') {
        true => set_tag_text(&version.text),
        false => set_tag_text(&format!("v{version}")),
    }
}

/// As [`set_tag`], with a tag as text.
pub fn set_tag_text(tag: &str) -> String {
    format!("--set image.all.tag={tag}")
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::{Scenario, deployment};

    #[test]
    fn what_the_tables_know_stands_in_the_commands_and_nothing_is_left_to_fill_in() {
        for (from, to) in [
            ("v2.0.2", "v2.6.16"),
            ("v2.1.4", "v2.6.16"),
            ("v2.2.0", "v2.4.5"),
            ("v2.2.16", "v2.6.16"),
            ("v2.3.1", "v2.5.22"),
            ("v2.4.5", "v2.6.16"),
            ("v2.5.10", "v3.0.0"),
        ] {
            let judged = Scenario::consolidation(from, to).judge();
            let help: String = judged.findings.iter().map(|f| format!("{}\n", f.help)).collect();
            assert!(
                help.contains("helm upgrade") || help.contains("migrate.sh"),
                "{from} -> {to}: {help}"
            );
            for left in ["CHART_VERSION", "PATCH"] {
                assert!(!help.contains(left), "{from} -> {to}: {left} in {help}");
            }
        }
    }

    /// What MU103 tells to do.
    fn help(scenario: &Scenario) -> String {
        scenario.of_rule("MU103").remove(0).help
    }

    const TO_2_6_20: &str = "Milvus 2.6.20 or later\n   helm upgrade rel zilliztech/milvus --namespace ns --version 5.0.0 --reset-then-reuse-values \
                             --set image.all.tag=v2.6.20 --set streaming.enabled=true --set indexNode.enabled=false\n";
    const FIRST: &str =
        "stop at each of these first; go on when every pod is ready and no pod of the version before is left\n";

    #[test]
    fn the_stops_depend_on_what_runs() {
        let mixcoord = || Scenario::upgrade("v2.5.16", "v3.0.0");
        let one = format!("{FIRST}1. {TO_2_6_20}2. Milvus 3.0.0: this upgrade again");
        assert_eq!(help(&mixcoord()), one);
        // A coordinator at rest does not count proxies.
        let rest = deployment("rootcoord", "\"rootcoord\"", "v2.5.16").replace("replicas: 1", "replicas: 0");
        assert_eq!(help(&mixcoord().add_current(&rest)), one);
        let two = format!(
            "{FIRST}1. Milvus 2.5.16 or later with mixcoord in place of the coordinators\n   helm upgrade rel zilliztech/milvus --namespace ns \
             --version 4.2.58 --reset-then-reuse-values --set image.all.tag=v2.5.22 --set mixCoordinator.enabled=true \
             --set rootCoordinator.enabled=false --set indexCoordinator.enabled=false --set queryCoordinator.enabled=false \
             --set dataCoordinator.enabled=false\n2. {TO_2_6_20}3. Milvus 3.0.0: this upgrade again"
        );
        assert_eq!(help(&Scenario::consolidation("v2.5.16", "v3.0.0")), two);
        let alone = Scenario::standalone("v2.5.16", "v3.0.0", "rocksmq");
        assert!(
            help(&alone).contains("--set image.all.tag=v2.6.20 --set standalone.messageQueue=rocksmq\n2. "),
            "{}",
            help(&alone)
        );
    }

    #[test]
    fn all_stops_are_named_from_the_first_line_on() {
        let rest = "2.2, by migrating the metadata while Milvus is stopped -> the latest 2.3 (2.3.11 or later) -> \
                    the latest 2.4 (2.4.16 or later) -> 2.5.16 or later with mixcoord in place of the coordinators -> 2.6.16";
        for (from, first) in [
            ("v2.1.4", ""),
            ("v2.0.2", "the latest 2.1, by the guide of that line -> "),
        ] {
            let scenario = Scenario::consolidation(from, "v2.6.16");
            assert_eq!(help(&scenario), format!("by these stops: {first}{rest}"));
        }
    }

    #[test]
    fn a_version_that_is_known_by_its_line_is_named_by_that() {
        let dated = "2.6-20260723-d73c8e53";
        for (scenario, words) in [
            (Scenario::consolidation("v2.4.5", dated), "from Milvus 2.4.5 to 2.6 the"),
            (
                Scenario::consolidation("v2.4.5", "v2.6.16").edit_in_target(
                    "Deployment",
                    "rel-milvus-proxy",
                    "milvus:v2.6.16",
                    &format!("milvus:{dated}"),
                ),
                "from Milvus 2.4.5 to 2.6 the",
            ),
            (
                Scenario::consolidation("2.4-20260723-d73c8e53", "v2.6.16"),
                "from Milvus 2.4 to 2.6.16 the",
            ),
        ] {
            let found = scenario.of_rule("MU103");
            assert!(found[0].message.starts_with(words), "{}", found[0].message);
        }
    }

    #[test]
    fn the_namespace_is_that_of_either_side() {
        let line = "  namespace: ns\n";
        let scenario = Scenario::consolidation("v2.3.1", "v2.5.22").edit_target(line, "");
        assert!(help(&scenario).contains("helm upgrade rel zilliztech/milvus --namespace ns "));
        let nowhere = scenario.edit_current(line, "");
        assert!(help(&nowhere).contains("helm upgrade rel zilliztech/milvus --namespace NAMESPACE "));
        let unsaid = Scenario::upgrade("v2.5.16", "v2.6.16").without_current();
        for (scenario, words) in [
            (unsaid.clone(), "--current release:rel --namespace ns "),
            (
                unsaid.edit_target(line, ""),
                "--current release:rel --namespace NAMESPACE ",
            ),
        ] {
            let found = scenario.of_rule("MU003").remove(0);
            assert!(found.help.contains(words), "{}", found.help);
        }
    }

    #[test]
    fn an_umbrella_chart_is_the_user_s_own_at_the_version_it_has() {
        let scenario = Scenario::upgrade("v2.5.16", "v3.0.0")
            .edit_target("# Source: milvus/templates", "# Source: stack/charts/vectors/templates");
        let words =
            "helm upgrade rel YOUR_CHART --namespace ns --reset-then-reuse-values --set vectors.image.all.tag=v2.6.20 ";
        assert!(help(&scenario).contains(words), "{}", help(&scenario));
    }

    #[test]
    fn metadata_is_migrated_from_the_version_that_runs_then() {
        for (from, words) in [("v2.1.4", " -s 2.1.4 -t 2.2.3 "), ("v2.0.2", " -s 2.1.0 -t 2.2.3 ")] {
            let found = Scenario::consolidation(from, "v2.6.16").of_rule("MU110").remove(0);
            assert!(found.help.contains(words), "{}", found.help);
        }
    }

    #[test]
    fn where_no_chart_is_known_the_installed_one_stays() {
        let found = Scenario::consolidation("v2.2.0", "v2.4.5").of_rule("MU103");
        let way = &found[0].help;
        let installed = "--version \"$(helm get metadata rel --namespace ns | sed -n 's/^VERSION: *//p')\"";
        assert!(
            way.contains(&format!(
                "{installed} --reset-then-reuse-values --set image.all.tag=v2.2.3"
            )),
            "{way}"
        );
        assert!(
            way.contains("--version 4.1.24 --reset-then-reuse-values --set image.all.tag=v2.3.11"),
            "{way}"
        );
    }

    #[test]
    fn at_the_end_of_a_line_as_it_is_known_no_stop_is_made() {
        let short = |from: &str| {
            Scenario::consolidation(from, "v2.6.16").of_rule("MU103")[0]
                .help
                .clone()
        };
        assert!(short("v2.4.15").contains("the latest 2.4"), "{}", short("v2.4.15"));
        assert!(!short("v2.4.16").contains("the latest 2.4"), "{}", short("v2.4.16"));
    }
}
