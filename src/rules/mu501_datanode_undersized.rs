//! MU501: datanode gets index building and less than indexnode had for it.

use super::case::Case;
use super::{Check, Rule};
use crate::facts;
use crate::finding::{Finding, Severity};
use crate::kube::Object;
use crate::kube::quantity::Quantity;
use crate::milvus::capacity::{Replicas, Size, number};
use crate::milvus::config::Config;
use crate::milvus::release::{Component, Release};
use crate::milvus::role::Role;
use crate::value::{Map, Value, json};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU501",
    name: "datanode-undersized",
    severity: Severity::Warn,
    says: "datanode takes over index building with less than indexnode had",
    page: include_str!("../../docs/rules/MU501.md"),
    check: Check::Release(check),
};

/// The indexnodes that datanode takes over from, and where they were read.
pub struct Leaving<'a> {
    /// The objects among which they stand.
    pub objects: &'a [Object],
    /// They.
    pub components: Vec<&'a Component>,
    /// Their configuration, where it was read.
    pub config: Option<&'a Config>,
}

/// The indexnodes of a step that leaves them behind: the deployed ones, else those of the stream as it came in.
pub fn leaving<'a>(case: &'a Case) -> Option<Leaving<'a>> {
    let past = case
        .transition
        .source_line()
        .is_some_and(|line| line >= facts::streaming_line());
    let stays = !case.is_partial() && case.after.release.has(Role::IndexNode);
    if !case.transition.to_26() || past || case.standalone() || stays {
        return None;
    }
    let of = |release: &'a Release| release.in_role(Role::IndexNode).collect::<Vec<_>>();
    let found = match case.before {
        Some(before) => Leaving {
            objects: before.objects,
            components: of(before.release),
            config: config_of(before.release, &before.effective.configs),
        },
        None => Leaving {
            objects: &case.target.objects,
            components: of(case.came),
            config: None,
        },
    };
    (!found.components.is_empty()).then_some(found)
}

fn config_of<'a>(release: &Release, configs: &'a [Config]) -> Option<&'a Config> {
    let index = release.components.iter().position(|c| c.role == Role::IndexNode)?;
    configs.get(index)
}

/// The nodes of one role with what they have.
struct Nodes {
    each: Vec<(Replicas, Size)>,
    slots_of_unit: f64,
}

impl Nodes {
    fn new(objects: &[Object], components: &[&Component], slots_of_unit: f64) -> Nodes {
        let each = components.iter().map(|c| {
            let container = objects[c.object].value.pointer(&c.container).unwrap_or(&Value::Null);
            (Replicas::of(objects, c), Size::of(container))
        });
        Nodes {
            each: each.collect(),
            slots_of_unit,
        }
    }

    fn slots(&self) -> f64 {
        #[allow(clippy::cast_precision_loss)]
        let units = |(replicas, size): &(Replicas, Size)| replicas.most as f64 * size.units();
        self.each.iter().map(units).sum::<f64>() * self.slots_of_unit
    }

    /// The largest single node, which bounds the largest index.
    fn largest(&self) -> Size {
        Size {
            cpu: self.each.iter().filter_map(|(_, s)| s.cpu).max(),
            memory: self.each.iter().filter_map(|(_, s)| s.memory).max(),
        }
    }

    fn most(&self) -> i64 {
        self.each.iter().map(|(r, _)| r.most).sum()
    }

    fn uncountable(&self) -> bool {
        self.each.iter().any(|(r, _)| r.per_machine)
    }

    /// `4 x (8 CPU, 32Gi)`.
    fn shown(&self) -> String {
        let each: Vec<String> = self.each.iter().map(|(r, s)| format!("{r} x ({s})")).collect();
        each.join(" and ")
    }
}

fn check(case: &Case) -> Vec<Finding> {
    let Some(leaving) = leaving(case) else { return vec![] };
    // As they came in: before its stage, what would be applied is still the deployed one.
    let objects = &case.target.objects;
    let components: Vec<&Component> = case.came.in_role(Role::DataNode).collect();
    let Some(first) = components.first() else {
        return vec![];
    };
    let position = case
        .after
        .release
        .components
        .iter()
        .position(|c| c.role == Role::DataNode);
    let target = position.map(|i| &case.after.effective.configs[i]);
    let slots = &facts::sizing().slots;
    let had = Nodes::new(
        leaving.objects,
        &leaving.components,
        per_unit(leaving.config.or(target), &slots.indexnode_key),
    );
    let gets = Nodes::new(objects, &components, per_unit(target, &slots.datanode_key));
    if had.slots() > 0.0
        && let Some(zero) = zero(target)
    {
        let message = format!(
            "{}: datanode offers no slot where indexnode had {}, and no index is built any more",
            zero.shown(),
            number(had.slots()),
        );
        let help = format!(
            "take {key} out of extraConfigFiles (where the chart's values have it) and of datanode's environment: without it, it is {default}",
            key = zero.key,
            default = zero.default,
        );
        return vec![case.point(RULE.finding(message, help), &objects[first.object], &first.container)];
    }
    let countable = !had.uncountable() && !gets.uncountable();
    let fewer = countable && gets.slots() < had.slots();
    if had.most() == 0 || !(fewer || below_a_unit(gets.largest())) {
        return vec![];
    }
    let message = match fewer {
        true => format!(
            "datanode takes over index building with {} slots where indexnode had {} (datanode {}, indexnode {}): \
             building indexes slows down to {} % of what it was{}",
            number(gets.slots()),
            number(had.slots()),
            gets.shown(),
            had.shown(),
            number(100.0 * gets.slots() / had.slots()),
            counted(&had, &gets),
        ),
        false => format!(
            "datanode takes over index building from indexnode with less than one unit of it ({}): datanode {}, \
             indexnode had {}; it builds and compacts in the same memory and may be killed for want of it",
            unit(),
            gets.shown(),
            had.shown(),
        ),
    };
    let object = &objects[first.object];
    let current = leaving.objects[leaving.components[0].object]
        .value
        .pointer(&format!("{}/resources", leaving.components[0].container))
        .cloned();
    let pointer = format!("{}/resources", first.container);
    let proposed = object.value.pointer(&pointer).cloned();
    let finding = RULE.finding(message, help(case, &had, &gets));
    let finding = finding.field(
        pointer.clone(),
        current.unwrap_or_default(),
        proposed.unwrap_or_default(),
    );
    vec![case.point(finding, object, &pointer)]
}

/// What one unit is, in words.
fn unit() -> String {
    let unit = &facts::sizing().slot_unit;
    format!("{} CPU, {}", unit.cpu, unit.memory)
}

/// How many slots one unit is, by a configuration.
fn per_unit(config: Option<&Config>, key: &str) -> f64 {
    let slots = &facts::sizing().slots;
    let read = |key: &str| factor(config, key).map(|(_, factor)| factor as f64);
    read(key).unwrap_or(f64::from(slots.default)) * read(&slots.parallel_key).unwrap_or(1.0)
}

/// What a configuration says of a factor, and what Milvus makes of it: nothing of what is no whole number. Fewer than none are none:
/// two such factors would make some.
/// Source: milvus 2.6 pkg/util/paramtable/param_item.go, `getAsInt64`.
fn factor<'c>(config: Option<&'c Config>, key: &str) -> Option<(&'c str, i64)> {
    let said = config?.value(key).filter(|said| !said.is_empty())?;
    Some((said, said.parse().unwrap_or(0).max(0)))
}

/// A factor of nothing: datanodes have no slot at all then.
struct Zero<'c> {
    key: &'static str,
    said: &'c str,
    default: u32,
}

impl Zero<'_> {
    fn shown(&self) -> String {
        match self.said.parse::<i64>() {
            Ok(_) => format!("{} is {}", self.key, self.said),
            Err(_) => format!(
                "{} is `{}`, no whole number, which Milvus reads as 0",
                self.key, self.said
            ),
        }
    }
}

/// The first factor of nothing. Source: milvus 2.6 internal/datanode/index/util.go, `CalculateNodeSlots`.
fn zero(config: Option<&Config>) -> Option<Zero<'_>> {
    let slots = &facts::sizing().slots;
    let keys = [(&slots.datanode_key, slots.default), (&slots.parallel_key, 1)];
    keys.into_iter().find_map(|(key, default)| match factor(config, key)? {
        (said, 0) => Some(Zero { key, said, default }),
        _ => None,
    })
}

/// Whether a size is given and is less than what one unit of index building takes.
fn below_a_unit(size: Size) -> bool {
    let unit = &facts::sizing().slot_unit;
    size.cpu.is_some_and(|q| q < unit.cpu) || size.memory.is_some_and(|q| q < unit.memory)
}

/// Says how was counted what is no plain number.
fn counted(had: &Nodes, gets: &Nodes) -> String {
    let all = || [had, gets].into_iter().flat_map(|n| n.each.iter());
    let mut notes = Vec::new();
    let scalers: Vec<&str> = all().filter_map(|(r, _)| r.scaler.as_deref()).collect();
    if !scalers.is_empty() {
        notes.push(format!("autoscaled nodes at their most, by {}", scalers.join(" and ")));
    }
    if all().any(|(_, s)| *s == Size::default()) {
        notes.push("a node without resources as one unit".into());
    }
    match notes.is_empty() {
        true => String::new(),
        false => format!(" (counted: {})", notes.join("; ")),
    }
}

/// The values that give datanode what indexnode had.
fn help(case: &Case, had: &Nodes, gets: &Nodes) -> String {
    let (wanted, own) = (had.largest(), gets.largest());
    let unit = &facts::sizing().slot_unit;
    let at_least = |q: Option<Quantity>, own: Option<Quantity>, least: Quantity| q.max(own).unwrap_or(least).max(least);
    let mut node = Map::new();
    let mut size = own;
    if own.units() < wanted.units() || below_a_unit(own) {
        size.cpu = Some(at_least(wanted.cpu, own.cpu, unit.cpu));
        size.memory = Some(at_least(wanted.memory, own.memory, unit.memory));
        let (cpu, memory) = (size.cpu.map(|q| q.to_string()), size.memory.map(|q| q.to_string()));
        node.insert("resources".into(), json!({"limits": {"cpu": cpu, "memory": memory}}));
    }
    #[allow(clippy::cast_possible_truncation)]
    let count = (had.slots() / (size.units() * gets.slots_of_unit)).ceil() as i64;
    if count > gets.most() {
        let scaled = |nodes: &Nodes| nodes.each.iter().any(|(r, _)| r.scaler.is_some());
        if scaled(gets) {
            node.insert("hpa".into(), json!({"maxReplicas": count}));
        } else if scaled(had) {
            // The chart leaves the count to the autoscaler where replicas is negative.
            node.insert("replicas".into(), json!(-1));
            let least = gets.most().max(1);
            node.insert(
                "hpa".into(),
                json!({"enabled": true, "minReplicas": least, "maxReplicas": count}),
            );
        } else {
            node.insert("replicas".into(), json!(count));
        }
    }
    let values = case.values_text(json!({"dataNode": node}));
    format!("give dataNode what indexNode had; the values:\n{values}")
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::{Scenario, autoscaler, deployment};
    use crate::stage::Stage;

    fn sized(indexnode: &str, datanode: &str) -> Scenario {
        Scenario::upgrade("v2.5.16", "v2.6.16")
            .size_current("indexnode", indexnode)
            .size_target("datanode", datanode)
    }

    #[test]
    fn fewer_units_than_indexnode_had_are_told_with_the_numbers() {
        let scenario = sized("cpu: 8, memory: 32Gi", "cpu: 2, memory: 8Gi")
            .replicas_current("indexnode", 4)
            .replicas_target("datanode", 2);
        let finding = scenario.of_rule("MU501").remove(0);
        assert!(
            finding.message.contains("32 slots where indexnode had 256"),
            "{}",
            finding.message
        );
        assert!(finding.message.contains("2 x (2 CPU, 8Gi)") && finding.message.contains("12.5 %"));
        assert!(finding.help.contains("cpu: \"8\"") && finding.help.contains("memory: 32Gi"));
        assert!(finding.help.contains("replicas: 4"), "{}", finding.help);
        assert_eq!(
            finding.field.unwrap().path,
            "/spec/template/spec/containers/0/resources"
        );
        assert!(finding.location.is_some_and(|l| l.line > 1));
    }

    #[test]
    fn the_same_or_more_is_quiet() {
        assert!(
            sized("cpu: 4, memory: 16Gi", "cpu: 4, memory: 16Gi")
                .of_rule("MU501")
                .is_empty()
        );
        // Two nodes of two units are as much as four of one.
        let scenario = sized("cpu: 2, memory: 8Gi", "cpu: 4, memory: 16Gi")
            .replicas_current("indexnode", 4)
            .replicas_target("datanode", 2);
        assert!(scenario.of_rule("MU501").is_empty());
        assert!(Scenario::upgrade("v2.5.16", "v2.6.16").of_rule("MU501").is_empty());
    }

    #[test]
    fn only_what_has_to_grow_stands_in_the_values() {
        let values = |scenario: &Scenario| {
            let help = scenario.of_rule("MU501").remove(0).help;
            help.split_once("the values:\n").unwrap().1.to_owned()
        };
        let counts = |scenario: Scenario, had: i64, gets: i64| {
            scenario
                .replicas_current("indexnode", had)
                .replicas_target("datanode", gets)
        };
        let same = "cpu: 2, memory: 8Gi";
        assert_eq!(values(&counts(sized(same, same), 4, 2)), "dataNode:\n  replicas: 4");
        let larger = "dataNode:\n  resources:\n    limits:\n      cpu: \"4\"\n      memory: 16Gi";
        assert_eq!(values(&counts(sized("cpu: 4, memory: 16Gi", same), 2, 2)), larger);
        assert_eq!(values(&counts(sized("cpu: 4, memory: 16Gi", same), 3, 4)), larger);
    }

    #[test]
    fn how_was_counted_is_said_only_of_what_is_no_plain_number() {
        let message = |scenario: &Scenario| scenario.of_rule("MU501").remove(0).message;
        let plain = message(&sized("cpu: 4, memory: 16Gi", "cpu: 2, memory: 8Gi"));
        assert!(plain.ends_with("50 % of what it was"), "{plain}");
        let bare = message(&Scenario::upgrade("v2.5.16", "v2.6.16").replicas_current("indexnode", 2));
        assert!(
            bare.ends_with(" (counted: a node without resources as one unit)"),
            "{bare}"
        );
    }

    #[test]
    fn each_resource_has_a_least_and_that_is_enough() {
        for (size, told) in [
            ("cpu: 1, memory: 8Gi", true),
            ("cpu: 2, memory: 4Gi", true),
            ("cpu: 1", true),
            ("memory: 4Gi", true),
            ("cpu: 2, memory: 8Gi", false),
        ] {
            assert_eq!(sized(size, size).of_rule("MU501").len(), usize::from(told), "{size}");
        }
    }

    #[test]
    fn less_than_one_unit_is_told_even_where_indexnode_had_no_more() {
        let finding = sized("cpu: 1, memory: 4Gi", "cpu: 1, memory: 4Gi")
            .of_rule("MU501")
            .remove(0);
        assert!(finding.message.contains("less than one unit") && finding.message.contains("2 CPU, 8Gi"));
        assert!(finding.help.contains("memory: 8Gi"));
    }

    #[test]
    fn an_autoscaler_counts_at_its_most() {
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16")
            .edit_in_current("Deployment", "rel-milvus-indexnode", "  replicas: 1\n", "")
            .edit_in_target("Deployment", "rel-milvus-datanode", "  replicas: 1\n", "")
            .add_current(&autoscaler("indexnode", 1, 8))
            .add_target(&autoscaler("datanode", 1, 5));
        let finding = scenario.of_rule("MU501").remove(0);
        assert!(
            finding.message.contains("80 slots where indexnode had 128"),
            "{}",
            finding.message
        );
        assert!(
            finding
                .message
                .contains("HorizontalPodAutoscaler rel-milvus-datanode-hpa")
        );
        assert!(finding.help.contains("hpa:\n    maxReplicas: 8"), "{}", finding.help);
        let enough = scenario.edit_target("maxReplicas: 5", "maxReplicas: 9");
        assert!(enough.of_rule("MU501").is_empty());
    }

    #[test]
    fn the_configuration_multiplies() {
        let user = "    # nothing\n";
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16")
            .edit_current(user, "    indexNode:\n      scheduler:\n        buildParallel: 4\n");
        assert!(
            scenario.of_rule("MU501")[0]
                .message
                .contains("16 slots where indexnode had 64")
        );
        // Each by its own environment.
        let slots = |name: &str, n: u8| format!("            - name: {name}\n              value: \"{n}\"\n");
        for (scenario, words) in [
            (
                Scenario::upgrade("v2.5.16", "v2.6.16")
                    .env_current("indexnode", &slots("INDEXNODE_WORKERSLOTUNIT", 48)),
                "16 slots where indexnode had 48",
            ),
            (
                Scenario::upgrade("v2.5.16", "v2.6.16").env_target("datanode", &slots("DATANODE_WORKERSLOTUNIT", 4)),
                "4 slots where indexnode had 16",
            ),
        ] {
            let found = scenario.of_rule("MU501");
            assert!(found[0].message.contains(words), "{}", found[0].message);
        }
    }

    #[test]
    fn a_zero_in_the_configuration_leaves_no_slot_at_all() {
        let set = |name: &str, value: &str| format!("            - name: {name}\n              value: \"{value}\"\n");
        let zero = |name: &str| set(name, "0");
        let upgrade = || Scenario::upgrade("v2.5.16", "v2.6.16");
        let (unit, parallel) = ("DATANODE_WORKERSLOTUNIT", "INDEXNODE_SCHEDULER_BUILDPARALLEL");
        for (name, value, says, default) in [
            (unit, "0", "dataNode.workerSlotUnit is 0: ", "16"),
            (unit, "-4", "dataNode.workerSlotUnit is -4: ", "16"),
            (
                unit,
                "16.0",
                "dataNode.workerSlotUnit is `16.0`, no whole number, which Milvus reads as 0: ",
                "16",
            ),
            (parallel, "0", "indexNode.scheduler.buildParallel is 0: ", "1"),
        ] {
            let found = upgrade().env_target("datanode", &set(name, value)).of_rule("MU501");
            let told = format!("{says}datanode offers no slot where indexnode had 16, and no index");
            assert!(found[0].message.starts_with(&told), "{}", found[0].message);
            assert!(
                found[0].help.ends_with(&format!("it is {default}")),
                "{}",
                found[0].help
            );
        }
        for value in ["", "+16", "5000000000"] {
            let enough = upgrade().env_target("datanode", &set(unit, value));
            assert!(enough.of_rule("MU501").is_empty(), "{value}");
        }
        // Indexnodes that built none are replaced by any.
        let had = upgrade().env_current("indexnode", &zero("INDEXNODE_WORKERSLOTUNIT"));
        assert!(had.of_rule("MU501").is_empty());
        let fewer = set("INDEXNODE_WORKERSLOTUNIT", "-64") + &set(parallel, "-1");
        assert!(upgrade().env_current("indexnode", &fewer).of_rule("MU501").is_empty());
        let both = had.env_target("datanode", &zero("DATANODE_WORKERSLOTUNIT"));
        assert!(both.of_rule("MU501").is_empty());
    }

    #[test]
    fn one_a_machine_is_no_number_to_compare() {
        let small = sized("cpu: 8, memory: 32Gi", "cpu: 2, memory: 8Gi");
        assert_eq!(small.of_rule("MU501").len(), 1);
        let each = ("kind: Deployment", "kind: DaemonSet");
        let gets = small
            .clone()
            .edit_in_target("Deployment", "rel-milvus-datanode", each.0, each.1);
        assert!(gets.of_rule("MU501").is_empty());
        let had = small.edit_in_current("Deployment", "rel-milvus-indexnode", each.0, each.1);
        assert!(had.of_rule("MU501").is_empty());
    }

    #[test]
    fn indexnodes_at_rest_and_those_of_2_6_had_nothing() {
        for datanode in ["cpu: 2, memory: 8Gi", "cpu: 1, memory: 4Gi"] {
            let rest = sized("cpu: 8, memory: 32Gi", datanode).replicas_current("indexnode", 0);
            assert!(rest.of_rule("MU501").is_empty(), "{datanode}");
        }
        let small = sized("cpu: 8, memory: 32Gi", "cpu: 2, memory: 8Gi");
        assert!(small.clone().without_rewrite().of_rule("MU501").is_empty());
        let older = Scenario::upgrade("v2.5.16", "v2.5.22")
            .size_current("indexnode", "cpu: 8, memory: 32Gi")
            .drop_target("Deployment", "rel-milvus-indexnode");
        assert!(older.of_rule("MU501").is_empty());
        let left = Scenario::upgrade("v2.6.6", "v2.6.16")
            .add_current(&deployment("indexnode", "\"indexnode\"", "v2.6.6"))
            .size_current("indexnode", "cpu: 8, memory: 32Gi");
        assert!(left.of_rule("MU501").is_empty());
        assert!(Scenario::upgrade("v2.6.6", "v2.6.16").of_rule("MU501").is_empty());
        assert!(Scenario::upgrade("v2.5.16", "v2.5.22").of_rule("MU501").is_empty());
    }

    #[test]
    fn the_stages_before_tell_it_while_it_can_be_mended() {
        let scenario = sized("cpu: 8, memory: 32Gi", "cpu: 2, memory: 8Gi").stage(Stage::At(1));
        assert!(
            scenario.of_rule("MU501")[0]
                .message
                .contains("16 slots where indexnode had 64")
        );
    }

    #[test]
    fn without_a_current_state_the_stream_s_own_indexnode_counts() {
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16")
            .fresh()
            .replicas_target("indexnode", 3);
        assert!(
            scenario.of_rule("MU501")[0]
                .message
                .contains("16 slots where indexnode had 48")
        );
    }
}
