//! MU401: a setting that the target ignores.

use foldhash::HashMap;

use super::case::Case;
use super::keys::{self, UserKey};
use super::{Check, Rule, steps};
use crate::facts::{KeyRow, KeyStatus, ValueFit, key_status};
use crate::finding::{Finding, Severity};
use crate::kube::quantity::Quantity;
use crate::milvus::role::Role;
use crate::rewrite::chart::values_key;
use crate::value::Value;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU401",
    name: "config-key-dead",
    severity: Severity::Warn,
    says: "a user's key that the target ignores, with its replacement",
    page: include_str!("../../docs/rules/MU401.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    let Some(target) = keys::target(case) else {
        return vec![];
    };
    let source = keys::source(case);
    let mut found = Vec::new();
    let mut set = Set::default();
    for key in keys::set_by_user(case) {
        let Some(row) = key_status(&key.key, &target) else {
            continue;
        };
        let before = source.as_ref().and_then(|s| key_status(&key.key, s));
        if row.status.is_ignored() {
            if !row.is_always() && !before.is_some_and(|b| b.status.is_ignored()) {
                found.push(dead(case, key, row, &mut set));
            }
        } else if let Some(harmless) = &row.review_unless
            && key.setting.value.as_deref() != Some(harmless)
            && before.is_none()
        {
            found.push(other_meaning(case, key, row, harmless));
        }
    }
    found
}

/// What the first component says that sets a replacement, for those that were asked for.
type Set<'c> = HashMap<&'c str, Option<&'c str>>;

fn dead<'c>(case: &'c Case, key: &UserKey, row: &'c KeyRow, set: &mut Set<'c>) -> Finding {
    let why = match (row.status, &row.new) {
        (KeyStatus::MovedWithoutFallback, Some(new)) => format!("{new} took its place and does not fall back to it"),
        (KeyStatus::Dead, _) => "nothing reads it any more".into(),
        _ => "there is no such key any more".into(),
    };
    let note = if row.note.is_empty() {
        String::new()
    } else {
        format!(" ({})", row.note)
    };
    let message = format!(
        "{} in {} is ignored by Milvus {}: {why}{note}",
        key.shown(),
        key.place(),
        steps::target_name(case)
    );
    key.point(case, RULE.finding(message, help(case, key, row, set)))
}

fn other_meaning(case: &Case, key: &UserKey, row: &KeyRow, harmless: &str) -> Finding {
    let message = format!(
        "{} in {} still counts under Milvus {} and means something else: {}",
        key.shown(),
        key.place(),
        steps::target_name(case),
        row.note
    );
    let help = format!(
        "keep it only where every node has the CPU and memory for that; else put in its place:\n{}",
        key.paste(row.key, Some(harmless))
    );
    key.point(case, RULE.finding(message, help))
}

fn help<'c>(case: &'c Case, key: &UserKey, row: &'c KeyRow, set: &mut Set<'c>) -> String {
    let out = format!("take {} out of {}", key.setting.key, key.place());
    let Some(new) = &row.new else {
        return format!("{out}; nothing has to be set instead");
    };
    let mut configs = case.after.effective.configs.iter();
    let set = set.entry(new).or_insert_with(|| configs.find_map(|c| c.value(new)));
    if let Some(value) = set {
        return format!("{out}; {new} is set already ({value})");
    }
    let to = where_to(case, key, new);
    let value = key.setting.value.as_deref();
    match row.value {
        ValueFit::Not => format!("{out}; what counts now is {new}, and its value is another matter"),
        ValueFit::AsIs => format!("{out}, and put {to}:\n{}", key.paste(new, value)),
        ValueFit::PerCore => per_core(case, key, new, &format!("{out}, and put {to}")),
    }
}

/// Where the replacement goes.
fn where_to(case: &Case, key: &UserKey, new: &str) -> String {
    if !key.is_env() {
        return match key.is_default_yaml() {
            true => "into user.yaml (in the chart's values: extraConfigFiles)".into(),
            false => "in its place (in the chart's values: extraConfigFiles)".into(),
        };
    }
    let role = match case.standalone() {
        true => Role::Standalone,
        false => reader(new),
    };
    format!(
        "into the environment of {role} (in the chart's values: {}.extraEnv)",
        values_key(role)
    )
}

/// The role of a cluster that reads a key.
fn reader(key: &str) -> Role {
    match key.split('.').next().unwrap_or_default() {
        "dataNode" => Role::DataNode,
        "queryNode" => Role::QueryNode,
        "proxy" => Role::Proxy,
        _ => Role::MixCoord,
    }
}

/// A value for the whole node, divided by the cores of the node that reads it now.
fn per_core(case: &Case, key: &UserKey, new: &str, before: &str) -> String {
    let Some(whole) = key.setting.value.as_deref().and_then(|v| v.parse::<u32>().ok()) else {
        return format!("{before}: {new}, which counts per CPU core");
    };
    let known = cores(case);
    let cores = known.unwrap_or(8);
    let each = whole.div_ceil(cores.max(1)).max(1);
    let of = match known {
        Some(n) => format!("{whole} divided by the {n} CPU cores of a node"),
        None => format!("{whole} divided by the CPU cores of a node, if it has {cores}"),
    };
    format!("{before}, {of}:\n{}", key.paste(new, Some(&each.to_string())))
}

/// The CPU cores that the limits leave a data node, rounded up as Go counts them.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn cores(case: &Case) -> Option<u32> {
    let role = if case.standalone() {
        Role::Standalone
    } else {
        Role::DataNode
    };
    let component = case.after.release.components.iter().find(|c| c.role == role)?;
    let limit = format!("{}/resources/limits/cpu", component.container);
    let quantity: &Value = case.after.object(component).value.pointer(&limit)?;
    let cores = Quantity::from_value(quantity).ok()?.as_f64().ceil();
    (cores >= 1.0).then_some(cores as u32)
}

#[cfg(test)]
mod tests {
    use super::reader;
    use crate::finding::Finding;
    use crate::milvus::role::Role;
    use crate::rules::testkit::{Scenario, deployment};

    /// Both sides say this in user.yaml.
    fn user(scenario: Scenario, text: &str) -> Scenario {
        let lines: String = text.lines().map(|l| format!("    {l}\n")).collect();
        let (from, to) = ("  user.yaml: |-\n    # nothing\n", format!("  user.yaml: |-\n{lines}"));
        scenario.edit_target(from, &to).edit_current(from, &to)
    }

    fn one(scenario: &Scenario) -> Finding {
        let mut all = scenario.of_rule("MU401");
        assert_eq!(all.len(), 1, "{all:#?}");
        all.remove(0)
    }

    #[test]
    fn a_moved_key_is_named_with_place_and_replacement() {
        let text = "indexNode:\n  workerSlotUnit: 32\n";
        let scenario = user(Scenario::upgrade("v2.5.16", "v2.6.16"), text);
        let found = one(&scenario);
        assert!(found.message.contains("indexNode.workerSlotUnit (32)") && found.message.contains("2.6.16"));
        assert!(
            found.help.ends_with("\ndataNode:\n  workerSlotUnit: 32"),
            "{}",
            found.help
        );
        let field = found.field.unwrap();
        assert_eq!(field.path, "/data/user.yaml#/indexNode/workerSlotUnit");
        assert_eq!(
            (field.current.as_str(), field.proposed.as_str()),
            (Some("32"), Some("32"))
        );
        let place = found.location.unwrap();
        assert!(place.line > 10 && place.column > 1);
        assert_eq!(found.object.unwrap().kind, "ConfigMap");
    }

    #[test]
    fn why_a_key_is_ignored_is_told() {
        for (text, why) in [
            (
                "indexNode: {workerSlotUnit: 32}\n",
                "dataNode.workerSlotUnit took its place and does not fall back to it",
            ),
            (
                "dataCoord: {enableActiveStandby: true}\n",
                "nothing reads it any more (mixcoord does not read it)",
            ),
            (
                "natsmq: {server: {port: 4223}}\n",
                "there is no such key any more (natsmq does not exist any more)",
            ),
            ("common: {storage: {scheme: s3}}\n", "there is no such key any more"),
        ] {
            let found = one(&user(Scenario::upgrade("v2.5.16", "v2.6.16"), text));
            assert!(
                found.message.ends_with(&format!("is ignored by Milvus 2.6.16: {why}")),
                "{}",
                found.message
            );
        }
    }

    #[test]
    fn an_environment_goes_to_the_role_that_reads_the_new_key() {
        let env = |name: &str| format!("            - name: {name}\n              value: \"32\"\n");
        for (role, name, place) in [
            (
                "proxy",
                "PROXY_SLOWLOGSPANINSECONDS",
                "proxy (in the chart's values: proxy.extraEnv)",
            ),
            (
                "proxy",
                "INDEXNODE_WORKERSLOTUNIT",
                "datanode (in the chart's values: dataNode.extraEnv)",
            ),
            (
                "datanode",
                "QUERYCOORD_GRPC_SERVERMAXRECVSIZE",
                "mixcoord (in the chart's values: mixCoordinator.extraEnv)",
            ),
        ] {
            let found = one(&Scenario::upgrade("v2.5.16", "v2.6.16").env_target(role, &env(name)));
            assert!(
                found.help.contains(&format!("put into the environment of {place}:\n")),
                "{}",
                found.help
            );
        }
        assert_eq!(reader("queryNode.scheduler.maxReadConcurrentRatio"), Role::QueryNode);
        let alone = Scenario::standalone("v2.5.16", "v2.6.16", "rocksmq");
        let found = one(&alone.env_target("standalone", &env("INDEXNODE_WORKERSLOTUNIT")));
        let place = "put into the environment of standalone (in the chart's values: standalone.extraEnv):\n";
        assert!(found.help.contains(place), "{}", found.help);
    }

    #[test]
    fn a_replacement_that_is_there_already_is_not_pasted_over() {
        let text = "indexNode: {workerSlotUnit: 32}\ndataNode: {workerSlotUnit: 8}\n";
        let found = one(&user(Scenario::upgrade("v2.5.16", "v2.6.16"), text));
        assert!(found.help.contains("is set already (8)"), "{}", found.help);
    }

    #[test]
    fn each_target_version_has_its_own_dead_keys() {
        let text = "common:\n  storage:\n    enablev2: false\nmixCoord:\n  enableActiveStandby: true\n";
        let codes = |from: &str, to: &str| user(Scenario::upgrade(from, to), text).of_rule("MU401").len();
        assert_eq!(codes("v2.5.16", "v2.6.7"), 0);
        assert_eq!(codes("v2.5.16", "v2.6.8"), 1);
        assert_eq!(codes("v2.5.16", "v2.6.9"), 2);
        assert_eq!(codes("v2.6.4", "v2.6.9"), 2);
        // Dead already where it comes from.
        assert_eq!(codes("v2.6.9", "v2.6.16"), 0);
        assert_eq!(codes("v2.6.16", "v2.6.16"), 0);
    }

    #[test]
    fn an_environment_is_answered_in_its_own_spelling() {
        let env = "            - name: MILVUS_CONF_INDEXNODE_WORKERSLOTUNIT\n              value: \"32\"\n";
        let plain = "            - name: INDEXNODE_WORKERSLOTUNIT\n              value: \"32\"\n";
        let base = || Scenario::upgrade("v2.5.16", "v2.6.16");
        let found = one(&base().env_target("proxy", env).env_target("datanode", env));
        assert!(
            found.message.contains("rel-milvus-proxy and rel-milvus-datanode"),
            "{}",
            found.message
        );
        assert!(
            found
                .help
                .ends_with("- name: MILVUS_CONF_DATANODE_WORKERSLOTUNIT\n  value: \"32\"")
        );
        // Of the indexnode, which leaves with its environment.
        let found = one(&base().env_target("indexnode", plain));
        assert!(found.help.contains("dataNode.extraEnv") && found.help.contains("- name: DATANODE_WORKERSLOTUNIT"));
        assert!(found.field.unwrap().path.ends_with("/env/0/value"));
        let hidden = "            - name: INDEXNODE_WORKERSLOTUNIT\n              valueFrom: {configMapKeyRef: {name: a, key: b}}\n";
        assert!(
            one(&base().env_target("proxy", hidden))
                .help
                .contains("configMapKeyRef a/b")
        );
    }

    #[test]
    fn a_value_per_node_is_divided_by_its_cores() {
        let text = "dataNode:\n  dataSync:\n    maxParallelSyncMgrTasks: 256\n";
        let base = || user(Scenario::upgrade("v2.5.16", "v2.6.16"), text);
        let found = one(&base());
        assert!(
            found.help.contains("if it has 8") && found.help.ends_with("PerCPUCore: 32"),
            "{}",
            found.help
        );
        let limits = "          resources:\n            limits:\n              cpu: 15500m\n          env:\n";
        let sized = base().edit_in_target("Deployment", "rel-milvus-datanode", "          env:\n", limits);
        assert!(one(&sized).help.ends_with("PerCPUCore: 16"));
    }

    #[test]
    fn every_layer_is_looked_into() {
        let text = "indexNode:\n  workerSlotUnit: 32\n";
        let env = "            - name: INDEXNODE_WORKERSLOTUNIT\n              value: \"64\"\n";
        let all = user(Scenario::upgrade("v2.5.16", "v2.6.16"), text).env_target("proxy", env);
        assert_eq!(all.of_rule("MU401").len(), 2);
    }

    #[test]
    fn what_the_chart_writes_is_no_user_s() {
        assert!(Scenario::upgrade("v2.5.16", "v2.6.16").of_rule("MU401").is_empty());
        assert!(
            Scenario::consolidation("v2.5.10", "v2.5.16")
                .of_rule("MU401")
                .is_empty()
        );
        assert!(
            Scenario::standalone("v2.5.16", "v2.6.16", "rocksmq")
                .of_rule("MU401")
                .is_empty()
        );
        let stock = "    dataCoord:\n      port: 13333\n      enableActiveStandby: true\n";
        let edit = |s: Scenario, to: &str| s.edit_target("    dataCoord:\n      enableActiveStandby: false\n", to);
        let base = || Scenario::upgrade("v2.5.16", "v2.6.16");
        assert!(edit(base(), stock).of_rule("MU401").is_empty());
        let custom = "    dataCoord:\n      port: 23333\n    natsmq:\n      server:\n        port: 4222\n";
        let all = edit(base(), custom).of_rule("MU401");
        assert_eq!(all.len(), 2);
        assert!(
            all.iter()
                .any(|f| f.field.as_ref().unwrap().path == "/data/default.yaml#/natsmq/server/port")
        );
        assert!(
            all.iter()
                .any(|f| f.help.contains("rootCoord.port is set already (53100)")),
            "{all:#?}"
        );
    }

    #[test]
    fn what_still_counts_is_quiet_but_for_what_means_more_now() {
        let text = "indexCoord:\n  scheduler:\n    interval: 500\ncommon:\n  enabledJSONKeyStats: true\nproxy:\n  maxNameLength: 10\n";
        assert!(
            user(Scenario::upgrade("v2.5.16", "v2.6.16"), text)
                .of_rule("MU401")
                .is_empty()
        );
        let parallel = |n: u8| {
            user(
                Scenario::upgrade("v2.5.16", "v2.6.6"),
                &format!("indexNode:\n  scheduler:\n    buildParallel: {n}\n"),
            )
        };
        assert!(parallel(1).of_rule("MU401").is_empty());
        let found = one(&parallel(4));
        assert!(
            found.message.contains("still counts") && found.message.contains("(4)"),
            "{}",
            found.message
        );
        assert!(found.help.ends_with("indexNode:\n  scheduler:\n    buildParallel: 1"));
        assert!(
            user(
                Scenario::upgrade("v2.6.4", "v2.6.16"),
                "indexNode: {scheduler: {buildParallel: 4}}\n"
            )
            .of_rule("MU401")
            .is_empty()
        );
    }

    #[test]
    fn a_fresh_install_and_a_standalone_are_told_too() {
        let text = "indexNode:\n  workerSlotUnit: 32\n";
        let fresh = user(Scenario::upgrade("v2.6.4", "v2.6.16"), text).fresh();
        assert_eq!(fresh.of_rule("MU401").len(), 1);
        let alone = user(Scenario::standalone("v2.5.16", "v2.6.16", "rocksmq"), text);
        assert_eq!(alone.of_rule("MU401").len(), 1);
        let within = user(Scenario::upgrade("v2.5.16", "v2.5.22"), text);
        assert!(within.of_rule("MU401").is_empty());
    }

    #[test]
    fn the_whole_table_is_told_with_line_and_replacement() {
        for row in crate::facts::config_keys().iter().filter(|r| !r.is_always()) {
            let key = row.key.replace('*', "some");
            let text = super::super::keys::as_yaml(&[(&key, "7", "")]);
            let (from, to) = if row.since.line() == (2, 5) {
                ("v2.5.16", "v2.5.22".to_owned())
            } else {
                ("v2.5.16", format!("v{}", row.since))
            };
            let all = user(Scenario::upgrade(from, &to), &text).of_rule("MU401");
            let wanted = row.status.is_ignored() || row.review_unless.is_some();
            assert_eq!(all.len(), usize::from(wanted), "{key} at {to}");
            let Some(found) = all.first() else { continue };
            let path = format!("/data/user.yaml#/{}", key.replace('.', "/"));
            assert_eq!(found.field.as_ref().unwrap().path, path);
            assert!(found.location.is_some() && found.message.contains(&key), "{key}");
            let new = row.new.unwrap_or(&key);
            let last = new.rsplit('.').next().unwrap();
            assert!(found.help.contains(last), "{key}: {}", found.help);
        }
    }

    #[test]
    fn a_fork_s_odd_workload_is_read_too() {
        let odd = deployment("proxy", "\"proxy\"", "v2.6.16")
            .replace("rel-milvus-proxy", "edge")
            .replace(
                "          env:\n",
                "          env:\n            - name: querycoord.port\n              value: \"1\"\n",
            );
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16").add_target(&odd);
        assert!(one(&scenario).message.contains("the environment of edge"));
    }
}
