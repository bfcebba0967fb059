//! MU502: streaming nodes without a size, or smaller than the sizing table has them.

use super::case::{Case, Side};
use super::{Check, Rule};
use crate::facts;
use crate::finding::{Finding, Severity};
use crate::kube::quantity::Quantity;
use crate::milvus::capacity::{Replicas, Size, number};
use crate::milvus::release::Component;
use crate::milvus::role::Role;
use crate::milvus::version::Read;
use crate::value::{Value, json};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU502",
    name: "streamingnode-unsized",
    severity: Severity::Warn,
    says: "the streaming nodes have no resources, or less than the sizing table gives them",
    page: include_str!("../../docs/rules/MU502.md"),
    check: Check::Release(check),
};

/// The pods of one role, counted at the most there can be.
#[derive(PartialEq)]
struct Pods {
    each: Vec<(Replicas, Size)>,
}

impl Pods {
    fn of(side: &Side, role: Role) -> Pods {
        let each = side.release.in_role(role).map(|c| {
            let container = side.object(c).value.pointer(&c.container).unwrap_or(&Value::Null);
            (Replicas::of(side.objects, c), Size::of(container))
        });
        Pods { each: each.collect() }
    }

    #[allow(clippy::cast_precision_loss)]
    fn total(&self, resource: impl Fn(&Size) -> Option<Quantity>) -> f64 {
        let all = |(r, s): &(Replicas, Size)| resource(s).map_or(0.0, |q| q.as_f64() * r.most as f64);
        self.each.iter().map(all).sum()
    }

    fn shown(&self) -> String {
        let each: Vec<String> = self.each.iter().map(|(r, s)| format!("{r} x ({s})")).collect();
        each.join(" and ")
    }
}

fn check(case: &Case) -> Vec<Finding> {
    let streaming: Vec<&Component> = case.after.release.in_role(Role::StreamingNode).collect();
    if streaming.is_empty() || !case.transition.to_26() || is_as_before(case) {
        return vec![];
    }
    let nodes = Pods::of(&case.after, Role::StreamingNode);
    let querynodes = Pods::of(&case.after, Role::QueryNode);
    let cores = querynodes.total(|s| s.cpu);
    let (count, size) = facts::sizing().streamingnodes(cores);
    let machines = nodes.each.iter().any(|(r, _)| r.per_machine);
    let lacking = nodes.each.iter().any(|(_, s)| s.cpu.is_none() || s.memory.is_none());
    let cpu = size.cpu.as_f64() * f64::from(count);
    let memory = size.memory.as_f64() * f64::from(count);
    let small = nodes.total(|s| s.cpu) < cpu || nodes.total(|s| s.memory) < memory;
    if !(lacking || small && !machines) {
        return vec![];
    }
    let message = format!(
        "streamingnode has {}; for {} the sizing table gives {count} x ({} CPU, {}): it holds the write-ahead log and \
         answers for what is not yet sealed, and too little slows writes and searches down, or gets it killed",
        nodes.shown(),
        basis(&querynodes, cores),
        size.cpu,
        size.memory,
    );
    let resources = json!({"cpu": size.cpu.to_string(), "memory": size.memory.to_string()});
    // What is there already is not taken away.
    let most = nodes.each.iter().map(|(r, _)| r.most).sum::<i64>();
    let replicas = most.max(i64::from(count));
    let values =
        json!({"streamingNode": {"replicas": replicas, "resources": {"requests": resources, "limits": resources}}});
    let help = format!("size it; the values:\n{}", case.values_text(values));
    let object = case.after.object(streaming[0]);
    let pointer = format!("{}/resources", streaming[0].container);
    let proposed = object.value.pointer(&pointer).cloned().unwrap_or_default();
    let finding = RULE
        .finding(message, help)
        .field(pointer.clone(), Value::Null, proposed);
    vec![case.point(finding, object, &pointer)]
}

/// What the size was derived from.
fn basis(querynodes: &Pods, cores: f64) -> String {
    let scaled = querynodes.each.iter().any(|(r, _)| r.least != r.most);
    let most = if scaled { "up to " } else { "" };
    match querynodes.each.iter().any(|(_, s)| s.cpu.is_none()) {
        _ if querynodes.each.is_empty() => "the least there is".into(),
        true if cores == 0.0 => format!("the least there is (querynode {})", querynodes.shown()),
        true => format!(
            "at least {} querynode cores (querynode {})",
            number(cores),
            querynodes.shown()
        ),
        false => format!(
            "{most}{} querynode cores (querynode {})",
            number(cores),
            querynodes.shown()
        ),
    }
}

/// Whether streaming nodes of this size serve these querynodes already: what has been lived with needs no alarm at
/// every change.
fn is_as_before(case: &Case) -> bool {
    let Some(before) = &case.before else { return false };
    let at_work = |c: &Component| matches!(&c.version, Read::Known(v) if v.line() >= facts::streaming_line());
    before.release.in_role(Role::StreamingNode).any(at_work)
        && [Role::StreamingNode, Role::QueryNode]
            .iter()
            .all(|role| Pods::of(before, *role) == Pods::of(&case.after, *role))
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::{Scenario, autoscaler, deployment};

    fn upgrade() -> Scenario {
        Scenario::upgrade("v2.5.16", "v2.6.16")
    }

    #[test]
    fn one_that_comes_without_resources_gets_the_least_of_the_table() {
        let finding = upgrade().of_rule("MU502").remove(0);
        assert!(
            finding.message.contains("no resources set") && finding.message.contains("1 x (2 CPU, 8Gi)"),
            "{}",
            finding.message
        );
        assert!(finding.help.contains("streamingNode:\n  replicas: 1") && finding.help.contains("memory: 8Gi"));
        assert!(finding.object.is_some_and(|o| o.name == "rel-milvus-streamingnode"));
    }

    #[test]
    fn the_querynodes_cores_choose_the_row() {
        let scenario = upgrade()
            .size_target("querynode", "cpu: 16, memory: 64Gi")
            .replicas_target("querynode", 4);
        let finding = scenario.of_rule("MU502").remove(0);
        assert!(finding.message.contains("64 querynode cores"), "{}", finding.message);
        assert!(finding.message.contains("2 x (4 CPU, 16Gi)") && finding.help.contains("replicas: 2"));
    }

    #[test]
    fn requests_count_where_no_limit_is() {
        let scenario = upgrade().edit_in_target(
            "Deployment",
            "rel-milvus-querynode",
            "          env:\n",
            "          resources: {requests: {cpu: 20}}\n          env:\n",
        );
        assert!(scenario.of_rule("MU502")[0].message.contains("1 x (4 CPU, 16Gi)"));
    }

    #[test]
    fn an_autoscaled_querynode_counts_at_its_most() {
        let scenario = upgrade()
            .size_target("querynode", "cpu: 16, memory: 64Gi")
            .add_target(&autoscaler("querynode", 1, 12));
        let finding = scenario.of_rule("MU502").remove(0);
        assert!(
            finding.message.contains("up to 192 querynode cores"),
            "{}",
            finding.message
        );
        assert!(finding.message.contains("3 x (8 CPU, 32Gi)"));
    }

    #[test]
    fn enough_is_quiet_however_it_is_cut() {
        let values = "streamingNode: {replicas: 2, resources: {requests: {cpu: 1, memory: 4Gi}}}\n";
        assert!(upgrade().values(values).of_rule("MU502").is_empty());
        let less = "streamingNode: {resources: {requests: {cpu: 1, memory: 4Gi}}}\n";
        let finding = upgrade().values(less).of_rule("MU502").remove(0);
        assert!(finding.message.contains("1 x (1 CPU, 4Gi)"), "{}", finding.message);
    }

    #[test]
    fn cores_and_memory_both_have_to_be_enough() {
        // For 64 querynode cores the table gives 2 x (4 CPU, 16Gi).
        for (size, told) in [
            ("cpu: 8, memory: 32Gi", false),
            ("cpu: 4, memory: 64Gi", true),
            ("cpu: 16, memory: 16Gi", true),
        ] {
            let scenario = Scenario::upgrade("v2.6.6", "v2.6.16")
                .size_target("querynode", "cpu: 64, memory: 256Gi")
                .size_target("streamingnode", size);
            assert_eq!(scenario.of_rule("MU502").len(), usize::from(told), "{size}");
        }
    }

    #[test]
    fn one_a_machine_needs_a_size_and_no_number() {
        for (size, told) in [("cpu: 1, memory: 4Gi", false), ("memory: 4Gi", true), ("cpu: 1", true)] {
            let scenario = Scenario::upgrade("v2.6.6", "v2.6.16")
                .size_target("streamingnode", size)
                .edit_in_target(
                    "Deployment",
                    "rel-milvus-streamingnode",
                    "kind: Deployment",
                    "kind: DaemonSet",
                );
            assert_eq!(scenario.of_rule("MU502").len(), usize::from(told), "{size}");
        }
    }

    #[test]
    fn what_the_size_goes_by_is_said() {
        let second = deployment("querynode", "\"querynode\"", "v2.6.16")
            .replace("rel-milvus-querynode", "rel-milvus-querynode-1");
        let sized = || upgrade().size_target("querynode", "cpu: 20, memory: 64Gi");
        for (scenario, words) in [
            (
                upgrade().drop_target("Deployment", "rel-milvus-querynode"),
                "for the least there is the sizing table gives 1 x (2 CPU, 8Gi)",
            ),
            (
                upgrade(),
                "for the least there is (querynode 1 x (no resources set)) the sizing table",
            ),
            (sized(), "for 20 querynode cores (querynode 1 x (20 CPU, 64Gi)) the"),
            (
                sized().add_target(&second),
                "for at least 20 querynode cores (querynode 1 x (20 CPU, 64Gi) and 1 x (no resources set)) the",
            ),
        ] {
            let message = &scenario.of_rule("MU502")[0].message;
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn where_there_is_none_or_2_5_stays_is_quiet() {
        let alone = Scenario::standalone("v2.5.16", "v2.6.16", "rocksmq");
        assert!(alone.of_rule("MU502").is_empty());
        let early = Scenario::upgrade("v2.5.16", "v2.5.22").add_target(&deployment(
            "streamingnode",
            "\"streamingnode\"",
            "v2.5.22",
        ));
        assert!(early.of_rule("MU502").is_empty());
    }

    #[test]
    fn what_runs_like_that_already_is_not_told_again() {
        assert!(Scenario::upgrade("v2.6.6", "v2.6.16").of_rule("MU502").is_empty());
        let scaled = Scenario::upgrade("v2.6.6", "v2.6.16").size_target("querynode", "cpu: 32, memory: 64Gi");
        assert_eq!(scaled.of_rule("MU502").len(), 1);
        assert!(Scenario::upgrade("v2.5.16", "v2.5.22").of_rule("MU502").is_empty());
    }

    #[test]
    fn a_fresh_install_is_told() {
        assert_eq!(Scenario::upgrade("v2.6.6", "v2.6.16").fresh().of_rule("MU502").len(), 1);
    }
}
