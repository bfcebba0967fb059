//! MU504: vectors are mapped from local files by default now, and there is no good place for them.

use super::case::Case;
use super::{Check, Rule};
use crate::facts;
use crate::finding::{Finding, Severity};
use crate::kube::quantity::Quantity;
use crate::kube::workload;
use crate::milvus::capacity::{Disk, LOCAL_PATH, disk, limit, resource};
use crate::milvus::config::Config;
use crate::milvus::release::Component;
use crate::milvus::role::Role;
use crate::milvus::version::Read;
use crate::rewrite::chart::values_key;
use crate::value::{Map, Value, json};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU504",
    name: "local-disk-missing",
    severity: Severity::Warn,
    says: "memory-mapped fields need local disk now: read-only root, no volume, a small limit of ephemeral storage",
    page: include_str!("../../docs/rules/MU504.md"),
    check: Check::Release(check),
};

/// The switch whose default changed.
const SWITCH: &str = "queryNode.mmap.vectorField";

/// The roles that load segments.
const ROLES: [Role; 3] = [Role::QueryNode, Role::StreamingNode, Role::Standalone];

/// One component's want of disk.
struct Want<'a> {
    component: &'a Component,
    said: String,
    size: Quantity,
}

fn check(case: &Case) -> Vec<Finding> {
    let changed = facts::default_changes().iter().any(|row| {
        let reached = case.transition.target().is_none_or(|v| *v >= row.since);
        row.key == SWITCH && reached
    });
    if !changed || !case.transition.crosses_26() {
        return vec![];
    }
    let components = case.after.release.components.iter().enumerate();
    let wants: Vec<Want> = components
        .filter(|(_, c)| ROLES.contains(&c.role) && !c.is_scaled_to_zero() && !is_older(c))
        .filter(|(i, c)| starts_to_map(case, &case.after.effective.configs[*i], c.role))
        .filter_map(|(i, c)| want(case, &case.after.effective.configs[i], c))
        .collect();
    let Some(first) = wants.first() else { return vec![] };
    let said: Vec<&str> = wants.iter().map(|w| w.said.as_str()).collect();
    let message = format!(
        "2.6 maps vectors from files on local disk ({SWITCH} is true by default, it was false), and {}",
        said.join("; ")
    );
    let mut values = Map::new();
    for want in &wants {
        let storage = json!({"ephemeral-storage": want.size.to_string()});
        let resources = json!({"resources": {"requests": storage}});
        values.insert(values_key(want.component.role).into(), resources);
    }
    let help = format!(
        "reserve disk (and mount a writable volume where the root is read-only), at least as much as the memory they have; the values:\n{}\n\
         or keep vectors in memory as 2.5 did; to add to user.yaml in the values:\n{}",
        case.values_text(Value::Object(values)),
        case.user_yaml("queryNode:\n  mmap:\n    vectorField: false"),
    );
    let finding = RULE.finding(message, help);
    vec![case.point(finding, case.after.object(first.component), &first.component.container)]
}

/// Whether it still runs 2.5: its stage is to come.
fn is_older(component: &Component) -> bool {
    matches!(&component.version, Read::Known(v) if v.line() < facts::streaming_line())
}

/// Whether a component maps vectors under the target and did not before.
fn starts_to_map(case: &Case, config: &Config, role: Role) -> bool {
    let says = |config: &Config, word: &str| {
        config
            .value(SWITCH)
            .is_some_and(|v| v.trim().eq_ignore_ascii_case(word))
    };
    let mapped = case.before.is_some_and(|b| says(b.effective.config(), "true"));
    !says(config, "false") && (role == Role::StreamingNode || !mapped)
}

fn want<'a>(case: &Case, config: &Config, component: &'a Component) -> Option<Want<'a>> {
    let object = case.after.object(component);
    let container = object.value.pointer(&component.container)?;
    let template = workload::template(object)?;
    let path = config
        .value("localStorage.path")
        .unwrap_or(LOCAL_PATH)
        .trim_end_matches('/');
    let size = resource(container, "memory").unwrap_or(facts::sizing().slot_unit.memory);
    let found = disk(template, container, path);
    let sealed = |context: Option<&Value>| context.is_some_and(|c| c["readOnlyRootFilesystem"] == true);
    let name = &component.name;
    let ephemeral = limit(container, "ephemeral-storage");
    let bound = match &found {
        Disk::EmptyDir(own) => own.iter().chain(&ephemeral).min().copied(),
        Disk::Layer => ephemeral,
        Disk::Memory | Disk::Volume => None,
    };
    let said = match found {
        Disk::Layer if sealed(container.get("securityContext")) => {
            format!("{name} has a read-only root filesystem and no writable volume at {path}: it cannot load them")
        }
        Disk::Memory => format!("{name} has memory at {path} (emptyDir, medium Memory), not disk"),
        Disk::Layer | Disk::EmptyDir(_) if bound.is_some_and(|b| b < size) => {
            let bound = bound.map(|b| b.to_string()).unwrap_or_default();
            format!("{name} is evicted beyond {bound} of local files, less than the {size} of memory they were held in")
        }
        // The chart gives a streaming node no disk and nobody took one away; that it has no size is told (MU502).
        Disk::Layer if component.role == Role::StreamingNode => return None,
        Disk::Layer if resource(container, "ephemeral-storage").is_none() => {
            format!("{name} has no volume at {path} and reserves no ephemeral storage")
        }
        _ => return None,
    };
    Some(Want { component, said, size })
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;
    use crate::stage::Stage;

    const DISK: (&str, &str) = (
        "      volumes:\n",
        "            - name: disk\n              mountPath: /var/lib/milvus/data\n      volumes:\n        - name: disk\n          emptyDir: {}\n",
    );

    /// querynode with the chart's disk; a streaming node that comes with disk of its own.
    fn kept() -> Scenario {
        Scenario::upgrade("v2.5.16", "v2.6.16")
            .edit_in_target("Deployment", "rel-milvus-querynode", DISK.0, DISK.1)
            .values("streamingNode: {resources: {requests: {ephemeral-storage: 50Gi}}}\n")
    }

    #[test]
    fn no_volume_is_told_once_for_the_release() {
        let found = Scenario::upgrade("v2.5.16", "v2.6.16").of_rule("MU504");
        assert_eq!(found.len(), 1);
        let message = &found[0].message;
        assert!(
            message.contains("rel-milvus-querynode has no volume at /var/lib/milvus/data"),
            "{message}"
        );
        assert!(!message.contains("rel-milvus-streamingnode"));
        assert!(found[0].help.contains("vectorField: false") && found[0].help.contains("ephemeral-storage: 8Gi"));
    }

    #[test]
    fn what_to_paste_is_values_of_the_chart_wherever_it_stands() {
        let plain = Scenario::upgrade("v2.5.16", "v2.6.16");
        let target = String::from_utf8(plain.request().target.to_vec()).unwrap();
        let nested = target.replace("# Source: milvus/templates/", "# Source: u/charts/vectors/templates/");
        assert_ne!(nested, target);
        for (scenario, values) in [
            (
                Scenario::upgrade("v2.5.16", "v2.6.16"),
                "extraConfigFiles:\n  user.yaml: |\n    queryNode:\n      mmap:\n        vectorField: false",
            ),
            (
                plain.replace_target(&nested),
                "vectors:\n  extraConfigFiles:\n    user.yaml: |\n      queryNode:\n        mmap:\n          vectorField: false",
            ),
        ] {
            let all = scenario.of_rule("MU504");
            assert!(all[0].help.ends_with(values), "{}", all[0].help);
        }
    }

    #[test]
    fn a_volume_or_a_reservation_is_enough() {
        assert!(kept().of_rule("MU504").is_empty());
        let claim = Scenario::standalone("v2.5.16", "v2.6.16", "rocksmq");
        assert!(claim.of_rule("MU504").is_empty(), "{:?}", claim.of_rule("MU504"));
    }

    #[test]
    fn a_read_only_root_without_a_volume_cannot_load() {
        let sealed = "          securityContext: {readOnlyRootFilesystem: true}\n          env:\n";
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16").edit_in_target(
            "Deployment",
            "rel-milvus-querynode",
            "          env:\n",
            sealed,
        );
        assert!(
            scenario.of_rule("MU504")[0]
                .message
                .contains("read-only root filesystem")
        );
        let scenario = kept().edit_in_target("Deployment", "rel-milvus-querynode", "          env:\n", sealed);
        assert!(scenario.of_rule("MU504").is_empty());
    }

    #[test]
    fn a_streaming_node_as_the_chart_has_it_is_quiet_and_a_sealed_one_is_not() {
        let disk = || {
            Scenario::upgrade("v2.5.16", "v2.6.16").edit_in_target("Deployment", "rel-milvus-querynode", DISK.0, DISK.1)
        };
        assert!(disk().of_rule("MU504").is_empty());
        let sealed = disk().values("streamingNode: {containerSecurityContext: {readOnlyRootFilesystem: true}}\n");
        let message = &sealed.of_rule("MU504")[0].message;
        assert!(
            message.contains("rel-milvus-streamingnode has a read-only root filesystem"),
            "{message}"
        );
    }

    #[test]
    fn less_disk_than_memory_evicts() {
        let scenario = kept().size_target("querynode", "memory: 64Gi, ephemeral-storage: 10Gi");
        let message = &scenario.of_rule("MU504")[0].message;
        assert!(
            message.contains("evicted beyond 10Gi") && message.contains("64Gi"),
            "{message}"
        );
        assert!(
            kept()
                .size_target("querynode", "memory: 8Gi, ephemeral-storage: 10Gi")
                .of_rule("MU504")
                .is_empty()
        );
    }

    #[test]
    fn a_reservation_without_a_volume_is_enough_where_it_holds_what_memory_held() {
        for (limits, told) in [
            ("memory: 8Gi, ephemeral-storage: 100Gi", false),
            ("memory: 8Gi, ephemeral-storage: 8Gi", false),
            ("memory: 8Gi, ephemeral-storage: 4Gi", true),
            ("memory: 8Gi", true),
        ] {
            let scenario = Scenario::upgrade("v2.5.16", "v2.6.16").size_target("querynode", limits);
            assert_eq!(scenario.of_rule("MU504").len(), usize::from(told), "{limits}");
        }
    }

    #[test]
    fn a_node_is_told_of_with_the_stage_it_moves_in() {
        let at = |n| {
            Scenario::upgrade("v2.5.16", "v2.6.16")
                .stage(Stage::At(n))
                .of_rule("MU504")
        };
        assert!(at(1).is_empty(), "{:?}", at(1));
    }

    #[test]
    fn memory_is_no_disk() {
        let scenario = kept().edit_target("emptyDir: {}", "emptyDir: {medium: Memory}");
        assert!(scenario.of_rule("MU504")[0].message.contains("medium Memory"));
    }

    #[test]
    fn vectors_that_stay_in_memory_need_none() {
        let off = "    queryNode:\n      mmap:\n        vectorField: false\n";
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16").edit_target("    # nothing\n", off);
        assert!(scenario.of_rule("MU504").is_empty());
        assert!(Scenario::upgrade("v2.6.6", "v2.6.16").of_rule("MU504").is_empty());
        let before = Scenario::upgrade("v2.5.16", "v2.6.16")
            .edit_current("    # nothing\n", &off.replace("false", "true"))
            .values("streamingNode: {resources: {requests: {ephemeral-storage: 50Gi}}}\n");
        assert!(before.of_rule("MU504").is_empty());
    }
}
