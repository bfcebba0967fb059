//! What cannot be seen of queues and stores, and whether it is the same now and then (MU306, MU310).

use std::collections::BTreeSet;

use foldhash::{HashMap, HashSet};

use super::case::{Case, Side};
use super::places;
use crate::finding::Finding;
use crate::milvus::config::{Origin, Unknown, UnknownWhy};
use crate::milvus::identity::Identity;
use crate::milvus::resolved::Resolved;
use crate::milvus::role::Role;

/// Components whose queue or stores cannot be read, for the same reasons.
pub struct Hidden {
    /// The components of the target.
    pub components: Vec<usize>,
    /// Why the target's cannot be read; empty where it can.
    pub reasons: Vec<String>,
    /// Where the first of these stands.
    pub origin: Option<Origin>,
    /// What differs from the current state; `None` where nothing does, or nothing is deployed.
    pub changed: Option<Changed>,
}

/// What differs between two sides of which at least one cannot be read.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Changed {
    /// The reasons: why the current state cannot be read (empty where it can).
    Reasons(Vec<String>),
    /// What can be seen: a field, its current and proposed value.
    Seen(&'static str, String, String),
    /// What can be seen resolves on one side only.
    Resolves,
}

/// All of it, each distinct problem once.
pub fn all(case: &Case) -> Vec<Hidden> {
    let pairs = places::pairs(case);
    let mut found: Vec<Hidden> = Vec::new();
    let mut known: HashMap<(Vec<String>, Option<Changed>), usize> = HashMap::default();
    for i in 0..case.after.release.components.len() {
        let now = unknown(case.after, i);
        let pair = case.before.zip(pairs.get(i).map(|(_, b)| *b));
        let was = pair.map_or_else(Vec::new, |(before, j)| unknown(before, j));
        if now.is_empty() && was.is_empty() {
            continue;
        }
        let changed = pair.and_then(|(before, j)| changed(case, i, before, j, &now, &was));
        let reasons = texts(case.after, i, &now);
        let origin = || now.first().map(|u| u.origin.clone());
        let place = *known
            .entry((reasons, changed))
            .or_insert_with_key(|(reasons, changed)| {
                found.push(Hidden {
                    components: vec![],
                    reasons: reasons.clone(),
                    origin: origin(),
                    changed: changed.clone(),
                });
                found.len() - 1
            });
        let problem = &mut found[place];
        problem.components.push(i);
        let first = problem.components[0];
        // Told at one that stands in the input: the rewrite may have brought the first.
        if first != i && stands(case, i) && !stands(case, first) {
            let last = problem.components.len() - 1;
            problem.components.swap(0, last);
            problem.origin = origin();
        }
    }
    for hidden in &mut found {
        hidden.components[1..].sort_unstable();
    }
    found
}

fn stands(case: &Case, component: usize) -> bool {
    let reference = &case.after.object(&case.after.release.components[component]).reference;
    places::came(case, reference)
}

/// Why the queue or the stores of a component cannot be read; empty where both can.
fn unknown(side: Side, component: usize) -> Vec<Unknown> {
    let config = &side.effective.configs[component];
    let resolved = side.effective.of(component);
    let queue = match side.release.components[component].role {
        Role::IndexNode => None,
        _ => resolved.queue.as_ref().err(),
    };
    let failed: Vec<Unknown> = queue
        .into_iter()
        .chain(resolved.stores.as_ref().err())
        .map(|u| (**u).clone())
        .collect();
    if failed.is_empty() {
        return vec![];
    }
    let mut all: Vec<Unknown> = config
        .unknown
        .iter()
        .filter(|u| u.key.is_none() || failed.contains(u))
        .cloned()
        .collect();
    for one in failed {
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all
}

/// The reasons in words, without the component's own name: equal reasons of different components read alike.
fn texts(side: Side, component: usize, unknown: &[Unknown]) -> Vec<String> {
    let component = &side.release.components[component];
    let kind = &side.object(component).reference.kind;
    let own = format!("{kind} {}", component.name);
    let each = unknown.iter().map(|one| one.text.replace(&format!(" of {own}"), ""));
    let all: BTreeSet<String> = each.collect();
    all.into_iter().collect()
}

fn changed(case: &Case, i: usize, before: Side, j: usize, now: &[Unknown], was: &[Unknown]) -> Option<Changed> {
    let (reasons, earlier) = (texts(case.after, i, now), texts(before, j, was));
    if reasons != earlier {
        return Some(Changed::Reasons(earlier));
    }
    let (config, old) = (case.after.effective.of(i), before.effective.of(j));
    queue_changed(case, config, old).or_else(|| stores_changed(case, config, old))
}

fn queue_changed(case: &Case, config: &Resolved, old: &Resolved) -> Option<Changed> {
    let (is, was) = (&config.seen_queue, &old.seen_queue);
    let (Some(is), Some(was)) = (is, was) else {
        return (is.is_some() != was.is_some()).then_some(Changed::Resolves);
    };
    if is.mq != was.mq {
        return Some(Changed::Seen("mq.type", was.mq.to_string(), is.mq.to_string()));
    }
    // What can be read is judged by MU304.
    if config.queue.is_ok() && old.queue.is_ok() {
        return None;
    }
    first(&places::differences(case, &was.identity, &is.identity))
}

fn stores_changed(case: &Case, config: &Resolved, old: &Resolved) -> Option<Changed> {
    if config.stores.is_ok() && old.stores.is_ok() {
        return None;
    }
    let (is, was) = (&config.seen_stores, &old.seen_stores);
    let (Some(is), Some(was)) = (is, was) else {
        return (is.is_some() != was.is_some()).then_some(Changed::Resolves);
    };
    first(&places::differences(case, &was.meta, &is.meta))
        .or_else(|| first(&places::differences(case, &was.object, &is.object)))
}

fn first(all: &[places::Difference]) -> Option<Changed> {
    all.iter().find_map(|d| match d.identity.clone() {
        Identity::Different {
            field,
            current,
            proposed,
        } => Some(Changed::Seen(field, current, proposed)),
        _ => None,
    })
}

/// Which components, in words.
pub fn who(case: &Case, components: &[usize]) -> String {
    let all = &case.after.release.components;
    match components.len() == all.len() && all.len() > 1 {
        true => format!("all {} components", all.len()),
        false => places::listed(&components.iter().map(|i| all[*i].name.as_str()).collect::<Vec<_>>()),
    }
}

/// Finishes a finding: the object, the field where one is known, the place.
pub fn pointed(case: &Case, finding: Finding, hidden: &Hidden) -> Finding {
    let finding = match &hidden.changed {
        Some(Changed::Seen(field, current, proposed)) => finding.field(
            places::path_of(field, None),
            places::told(current),
            places::told(proposed),
        ),
        _ => finding,
    };
    // A configuration file that is hidden stands in no object of the stream: its mount does.
    places::place(case, finding, hidden.origin.as_ref(), hidden.components[0])
}

/// How many ConfigMaps a help names: it stands beside each finding.
const SHOWN: usize = 10;

/// How to look at what is hidden, and how to state it. The same for all of them.
pub fn help(case: &Case) -> String {
    let mut lines = Vec::new();
    let space = match places::namespace(case) {
        "" => String::new(),
        namespace => format!(" --namespace {namespace}"),
    };
    let sides = [
        Some((case.after, case.options.assume.target_mq.is_some(), "target-mq")),
        case.before
            .map(|b| (b, case.options.assume.current_mq.is_some(), "current-mq")),
    ];
    let mut maps: Vec<&str> = Vec::new();
    let mut known: HashSet<&str> = HashSet::default();
    let mut state: Vec<String> = Vec::new();
    for (side, stated, key) in sides.into_iter().flatten() {
        for unknown in side
            .effective
            .configs
            .iter()
            .flat_map(|c| &c.unknown)
            .filter(|u| u.why == UnknownWhy::ConfigNotInStream)
        {
            if let Some(name) = unknown
                .text
                .split("ConfigMap `")
                .nth(1)
                .and_then(|rest| rest.split('`').next())
                && known.insert(name)
            {
                maps.push(name);
            }
        }
        let spoken = side.effective.spoken();
        if spoken.mq.is_err() && !stated {
            let seen = spoken.seen_queue.as_ref();
            let named = seen.filter(|q| q.explicit).map(|q| q.mq.to_string());
            let mq = named.filter(|mq| !mq.starts_with('<')).unwrap_or_else(|| "TYPE".into());
            state.push(format!("--assume {key}={mq}"));
        }
    }
    for name in maps.iter().take(SHOWN) {
        lines.push(format!("look: kubectl get configmap {name}{space} --output yaml"));
    }
    if maps.len() > SHOWN {
        lines.push(format!("and at {} more ConfigMaps", maps.len() - SHOWN));
    }
    if !state.is_empty() {
        lines.push(format!(
            "state the queue's type (pulsar, kafka, …: the real one) to have it judged: {}",
            state.join(" ")
        ));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use crate::finding::Input;
    use crate::rules::testkit::{Scenario, cluster, cluster26, deployment, standalone};

    const NOTHING: &str = "  user.yaml: |-\n    # nothing\n";
    const SECRET: &str = "{name: MQ_TYPE, valueFrom: {secretKeyRef: {name: broker, key: type}}}";

    /// The querynode as a StatefulSet, which Helm applies behind the Deployments.
    fn at_the_end(text: &str) -> String {
        let is_node = |document: &&str| document.contains("  name: rel-milvus-querynode\n");
        let (node, others): (Vec<&str>, Vec<&str>) = text.split_inclusive("---\n").partition(is_node);
        others.concat() + &node.concat().replace("kind: Deployment", "kind: StatefulSet")
    }

    #[test]
    fn it_is_told_at_the_first_that_came_in_although_one_is_brought_before_it() {
        let target = at_the_end(&cluster("v2.6.16", false));
        let scenario = Scenario::of(&at_the_end(&cluster("v2.5.16", false)), &target)
            .edit_in_target(
                "StatefulSet",
                "rel-milvus-querynode",
                "          env:\n",
                &format!("          env:\n            - {SECRET}\n"),
            )
            .values(&format!("streamingNode: {{extraEnv: [{SECRET}]}}\n"));
        let all = scenario.of_rule("MU310");
        assert_eq!(all.len(), 1, "{all:#?}");
        assert_eq!(all[0].object.as_ref().unwrap().name, "rel-milvus-querynode");
        assert_eq!(all[0].location.as_ref().map(|l| l.stream), Some(Input::Target));
    }

    #[test]
    fn of_several_it_is_told_at_the_first() {
        let hidden =
            |text: &str| text.replace("          env:\n", &format!("          env:\n            - {SECRET}\n"));
        let scenario = Scenario::of(&cluster("v2.5.16", true), &hidden(&cluster("v2.6.16", true)));
        let all = scenario.of_rule("MU310");
        assert_eq!(all.len(), 1, "{all:#?}");
        assert!(all[0].message.contains("all 5 components"), "{}", all[0].message);
        assert_eq!(all[0].object.as_ref().unwrap().name, "rel-milvus-proxy");
    }

    #[test]
    fn what_says_nothing_that_could_work_is_told() {
        let empty = |scenario: Scenario, field: &str| {
            let said = format!("  user.yaml: |-\n    {field}\n");
            scenario.edit_target(NOTHING, &said).edit_current(NOTHING, &said)
        };
        let base = Scenario::upgrade("v2.5.16", "v2.6.16");
        for (field, why) in [
            ("etcd: {endpoints: ''}", "etcd.endpoints is empty"),
            (
                "{mq: {type: kafka}, kafka: {brokerList: ''}}",
                "kafka.brokerList is empty",
            ),
        ] {
            let all = empty(base.clone(), field).of_rule("MU306");
            assert!(all.len() == 1 && all[0].message.contains(why), "{all:#?}");
        }
    }

    #[test]
    fn a_help_names_ten_config_maps() {
        for (n, more) in [
            (10, ""),
            (11, "and at 1 more ConfigMaps\n"),
            (12, "and at 2 more ConfigMaps\n"),
        ] {
            let custom = |text: &str| -> String {
                let proxies = (1..n).map(|i| {
                    let proxy = deployment("proxy", "\"proxy\"", "v2.6.14")
                        .replace("rel-milvus-proxy", &format!("rel-milvus-proxy-{i}"));
                    proxy.replace(
                        "            name: rel-milvus\n",
                        &format!("            name: corp-{i}\n"),
                    )
                });
                text.replace("            name: rel-milvus\n", "            name: corp-0\n")
                    + &proxies.collect::<String>()
            };
            let text = custom(&cluster26("v2.6.14"));
            let help = Scenario::of(&text, &text.replace("v2.6.14", "v2.6.16"))
                .of_rule("MU306")
                .remove(0)
                .help;
            assert_eq!(help.matches("look: kubectl get configmap corp-").count(), 10, "{help}");
            assert_eq!(help.contains("more ConfigMaps"), !more.is_empty(), "{help}");
            assert!(help.contains(more), "{help}");
        }
    }

    #[test]
    fn a_namespace_that_one_side_says_is_that_of_both() {
        let custom = |tag: &str| cluster26(tag).replace("            name: rel-milvus\n", "            name: corp\n");
        let silent = |text: String| text.replace("  namespace: ns\n", "");
        let look = |before: String, after: String| Scenario::of(&before, &after).of_rule("MU306").remove(0).help;
        let said = "kubectl get configmap corp --namespace ns --output yaml";
        for (before, after) in [
            (silent(custom("v2.6.14")), custom("v2.6.16")),
            (custom("v2.6.14"), silent(custom("v2.6.16"))),
            (custom("v2.6.14"), custom("v2.6.16")),
        ] {
            let help = look(before, after);
            assert!(help.contains(said), "{help}");
        }
        let help = look(silent(custom("v2.6.14")), silent(custom("v2.6.16")));
        assert!(help.contains("kubectl get configmap corp --output yaml"), "{help}");
    }

    #[test]
    fn all_reasons_are_told_and_one_component_by_its_name() {
        let from = "          envFrom:\n            - secretRef:\n                name: broker\n          env:\n";
        let hidden = |text: &str| {
            text.replace("          env:\n", from)
                .replace("            name: rel-milvus\n", "            name: corp\n")
        };
        let upgrade = |before: &str, after: &str| {
            Scenario::of(&hidden(before), &hidden(after))
                .of_rule("MU306")
                .remove(0)
                .message
        };
        let cluster = upgrade(&cluster26("v2.6.14"), &cluster26("v2.6.16"));
        assert!(
            cluster.contains("secretRef broker") && cluster.contains("ConfigMap `corp`"),
            "{cluster}"
        );
        assert!(cluster.contains("all 5 components"), "{cluster}");
        let of = |tag: &str| standalone(tag, "rocksmq", "rel-milvus");
        let one = upgrade(&of("v2.6.14"), &of("v2.6.16"));
        assert!(one.contains("stores rel-milvus-standalone use"), "{one}");
    }
}
