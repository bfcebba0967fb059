//! MU206: a policy keeps the new components from their ports.

use serde_json::{Map, Value, json};

use super::case::Case;
use super::component::{are, list, version};
use super::{Check, Rule};
use crate::facts::{self, PortRow};
use crate::finding::{Finding, Severity};
use crate::kube::network::{Direction, Pods, holding, lets};
use crate::kube::{Object, workload};
use crate::milvus::release::Component;
use crate::milvus::role::Role;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU206",
    name: "network-policy-gap",
    severity: Severity::Warn,
    says: "a policy keeps the new components from their ports",
    page: include_str!("../../docs/rules/MU206.md"),
    check: Check::Release(check),
};

/// A port that a new component serves.
struct Served<'a> {
    component: &'a Component,
    name: &'static str,
    port: u16,
}

/// A way that is closed: from which role to which port, and the policies that hold there.
struct Closed<'a> {
    from: Role,
    served: &'a Served<'a>,
    policies: Vec<&'a Object>,
}

fn check(case: &Case) -> Vec<Finding> {
    if case.standalone() || !case.after.objects.iter().any(|o| o.reference.kind == "NetworkPolicy") {
        return vec![];
    }
    let served = served(case);
    let mut found = Vec::new();
    for role in [Role::StreamingNode, Role::MixCoord] {
        let of_role: Vec<&Served> = served.iter().filter(|s| s.component.role == role).collect();
        let closed: Vec<Closed> = of_role
            .iter()
            .flat_map(|s| closed(case, s, Direction::Ingress))
            .collect();
        found.extend(ingress(case, role, &closed));
    }
    let closed: Vec<Closed> = served.iter().flat_map(|s| closed(case, s, Direction::Egress)).collect();
    found.extend(egress(case, &closed));
    found
}

/// The ports of the components that are new, or that the step to 2.6 makes new.
fn served<'a>(case: &Case<'a>) -> Vec<Served<'a>> {
    let assumed = case.options.assume.target_version.as_ref();
    let mut found = Vec::new();
    for (i, component) in case.after.release.components.iter().enumerate() {
        let known = case.before.is_some_and(|b| b.release.has(component.role)) && !case.transition.crosses_26();
        // Before 2.6 each coordinator of a mixture has a port of its own.
        let roles: &[Role] = match component.role {
            Role::StreamingNode => &[Role::StreamingNode],
            Role::MixCoord if case.transition.to_26() => &[Role::MixCoord],
            Role::MixCoord => &[Role::RootCoord, Role::QueryCoord, Role::DataCoord],
            _ => continue,
        };
        if known {
            continue;
        }
        let own = |row: &&'static PortRow| row.role != "any";
        for row in roles.iter().flat_map(|role| facts::ports(*role)).filter(own) {
            let config = &case.after.effective.configs[i];
            let set = row
                .key
                .as_deref()
                .and_then(|key| config.value(key))
                .and_then(|v| v.trim().parse().ok());
            found.push(Served {
                component,
                name: &row.name,
                port: set.unwrap_or_else(|| row.default_of(version(component, assumed))),
            });
        }
    }
    found
}

/// The roles that call a role.
fn callers(role: Role) -> &'static [Role] {
    match role {
        Role::StreamingNode => &[Role::Proxy, Role::MixCoord],
        _ => &[
            Role::Proxy,
            Role::QueryNode,
            Role::DataNode,
            Role::StreamingNode,
            Role::IndexNode,
        ],
    }
}

fn closed<'a>(case: &Case<'a>, served: &'a Served<'a>, direction: Direction) -> Vec<Closed<'a>> {
    let objects = case.after.objects;
    let destination = Pods::of(case.after.object(served.component));
    let mut found: Vec<Closed> = Vec::new();
    for caller in &case.after.release.components {
        if !callers(served.component.role).contains(&caller.role) || found.iter().any(|c| c.from == caller.role) {
            continue;
        }
        let source = Pods::of(case.after.object(caller));
        let (own, peer) = match direction {
            Direction::Ingress => (&destination, &source),
            Direction::Egress => (&source, &destination),
        };
        let policies = holding(objects, own, direction);
        if !policies.is_empty() && !lets(&policies, direction, peer, &destination, served.port, objects) {
            found.push(Closed {
                from: caller.role,
                served,
                policies,
            });
        }
    }
    found
}

/// `22222 (streamingnode) and 21123 (querynode)`, each once.
fn ports(closed: &[Closed]) -> (String, Vec<u16>) {
    let mut seen: Vec<(u16, &str)> = Vec::new();
    for one in closed {
        let port = (one.served.port, one.served.name);
        if !seen.contains(&port) {
            seen.push(port);
        }
    }
    let words: Vec<String> = seen.iter().map(|(port, name)| format!("{port} ({name})")).collect();
    (list(&words), seen.iter().map(|(port, _)| *port).collect())
}

fn roles(closed: &[Closed]) -> Vec<&'static str> {
    let mut seen = Vec::new();
    for one in closed {
        if !seen.contains(&one.from.as_str()) {
            seen.push(one.from.as_str());
        }
    }
    seen
}

/// The policies by name, each once.
fn policies<'a>(closed: &[Closed<'a>]) -> (String, usize, Option<&'a Object>) {
    let mut names: Vec<&str> = Vec::new();
    for policy in closed.iter().flat_map(|c| &c.policies) {
        if !names.contains(&policy.reference.name.as_str()) {
            names.push(&policy.reference.name);
        }
    }
    let kind = if names.len() == 1 {
        "NetworkPolicy"
    } else {
        "NetworkPolicies"
    };
    let first = closed.first().and_then(|c| c.policies.first().copied());
    (format!("{kind} {}", list(&names)), names.len(), first)
}

fn ingress(case: &Case, role: Role, closed: &[Closed]) -> Option<Finding> {
    let (policies, count, first) = policies(closed);
    let first = first?;
    let (words, numbers) = ports(closed);
    let component = closed[0].served.component;
    let keep = if count == 1 { "keeps" } else { "keep" };
    let message = format!(
        "{policies} {keep} {} from {}, as far as the manifests show: {role} serves {}",
        list(&roles(closed)),
        component.name,
        words,
    );
    let object = case.after.object(component);
    let own = workload::match_labels(object)
        .or_else(|| workload::pod_labels(object))
        .cloned()
        .unwrap_or(json!({}));
    let help = format!(
        "let Milvus' own pods in, with a policy beside the others:\n{}",
        sketch(case, role, Direction::Ingress, &own, &shared(case), &numbers)
    );
    Some(place(case, RULE.finding(message, help), first))
}

fn egress(case: &Case, closed: &[Closed]) -> Option<Finding> {
    let (policies, count, first) = policies(closed);
    let first = first?;
    let (words, numbers) = ports(closed);
    let mut to: Vec<&str> = closed.iter().map(|c| c.served.component.name.as_str()).collect();
    to.sort_unstable();
    to.dedup();
    let keep = if count == 1 { "lets" } else { "let" };
    let message = format!(
        "{policies} {keep} {} out, and not to {}, as far as the manifests show: there {} served {}",
        list(&roles(closed)),
        list(&to),
        are(numbers.len()),
        words,
    );
    let all = shared(case);
    let help = format!(
        "let Milvus' pods reach each other, with a policy beside the others:\n{}",
        sketch(
            case,
            closed[0].served.component.role,
            Direction::Egress,
            &all,
            &all,
            &numbers
        )
    );
    Some(place(case, RULE.finding(message, help), first))
}

fn place(case: &Case, finding: Finding, policy: &Object) -> Finding {
    finding
        .on(&policy.reference)
        .at(case.after.input, policy.document, policy.pointer.clone())
}

/// The labels that all pods of the release share.
fn shared(case: &Case) -> Value {
    let mut objects = case.after.release.components.iter().map(|c| case.after.object(c));
    let Some(first) = objects.next() else { return json!({}) };
    let mut labels: Map<String, Value> = workload::match_labels(first)
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    for object in objects {
        let other = workload::pod_labels(object);
        labels.retain(|key, value| other.and_then(|o| o.get(key)) == Some(value));
    }
    Value::Object(labels)
}

/// A policy that opens the ports between some pods and their peers, ready to apply.
fn sketch(case: &Case, role: Role, direction: Direction, pods: &Value, peer: &Value, ports: &[u16]) -> String {
    let (kind, rules, peers) = direction.words();
    let namespace = match case.after.release.namespace.as_str() {
        "" => String::new(),
        namespace => format!(", namespace: {namespace}"),
    };
    let list: Vec<String> = ports.iter().map(|p| format!("{{protocol: TCP, port: {p}}}")).collect();
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {}-{role}-{rules}{namespace}}}\nspec:\n  podSelector: {{matchLabels: {pods}}}\n  \
         policyTypes: [{kind}]\n  {rules}:\n    - {peers}: [{{podSelector: {{matchLabels: {peer}}}}}]\n      ports: [{}]",
        case.after.release.name,
        list.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use crate::finding::Finding;
    use crate::rules::testkit::Scenario;

    fn policy(name: &str, spec: &str) -> String {
        format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: {name}\n  namespace: ns\nspec:\n{spec}"
        )
    }

    const ALL: &str = "  podSelector:\n    matchLabels:\n      app.kubernetes.io/instance: rel\n";

    fn found(policies: &str) -> Vec<Finding> {
        Scenario::upgrade("v2.5.16", "v2.6.16")
            .add_target(policies)
            .of_rule("MU206")
    }

    fn ports(list: &str) -> String {
        policy("p", &format!("{ALL}  ingress:\n    - ports: [{list}]\n"))
    }

    #[test]
    fn closed_ports_are_named_with_a_policy_to_paste() {
        let all = found(&ports(
            "{port: 53100}, {port: 9091}, {port: 19530}, {port: 21123}, {port: 21124}",
        ));
        assert_eq!(all.len(), 1, "{all:?}");
        assert!(
            all[0].message.contains("22222 (streamingnode)") && !all[0].message.contains("21123"),
            "{}",
            all[0].message
        );
        assert!(all[0].message.contains("NetworkPolicy p keeps"));
        for words in [
            "port: 22222",
            "policyTypes: [Ingress]",
            "\"component\":\"streamingnode\"",
            "namespace: ns",
        ] {
            assert!(all[0].help.contains(words), "{}", all[0].help);
        }
        assert!(all[0].location.is_some());
        assert!(
            crate::yaml::read(all[0].help.split_once('\n').unwrap().1)
                .unwrap()
                .is_some()
        );
    }

    #[test]
    fn open_ones_are_quiet() {
        assert!(found("").is_empty());
        assert!(found(&ports("{port: 53100}, {port: 22222}, {port: 21123}")).is_empty());
        assert!(found(&ports("{port: 20000, endPort: 60000}")).is_empty());
        assert!(found(&policy("p", &format!("{ALL}  ingress:\n    - {{}}\n"))).is_empty());
        assert!(
            found(&policy(
                "p",
                &format!("{ALL}  ingress:\n    - from:\n        - podSelector: {{}}\n")
            ))
            .is_empty()
        );
        assert!(
            found(&policy(
                "p",
                "  podSelector:\n    matchLabels:\n      component: minio\n"
            ))
            .is_empty()
        );
    }

    #[test]
    fn policies_add_up() {
        let rest = ports("{port: 53100}, {port: 21123}");
        let node = policy(
            "q",
            "  podSelector:\n    matchLabels:\n      component: streamingnode\n  ingress:\n    - ports: [{port: streamingnode}]\n",
        );
        assert!(found(&(rest.clone() + &node)).is_empty());
        assert_eq!(found(&rest).len(), 1);
    }

    #[test]
    fn a_port_that_was_moved_is_the_one_that_counts() {
        let open = |port: u16| ports(&format!("{{port: {port}}}, {{port: 22222}}, {{port: 21123}}"));
        let moved = |port: u16| {
            Scenario::upgrade("v2.5.16", "v2.6.16")
                .edit_target("port: 53100", "port: 54000")
                .add_target(&open(port))
                .of_rule("MU206")
        };
        assert!(moved(54000).is_empty());
        assert!(moved(53100)[0].message.contains("54000 (rootcoord)"));
        let unset = |port: u16| {
            Scenario::upgrade("v2.5.16", "v2.6.16")
                .edit_target("      port: 53100\n", "")
                .add_target(&open(port))
                .of_rule("MU206")
        };
        assert!(unset(22125).is_empty() && unset(53100).len() == 1);
    }

    #[test]
    fn the_way_out_counts_too() {
        let out = |list: &str| {
            policy(
                "p",
                &format!("{ALL}  policyTypes: [Egress]\n  egress:\n    - ports: [{list}]\n"),
            )
        };
        let all = found(&out("{port: 53100}, {port: 2379}"));
        assert_eq!(all.len(), 1, "{all:?}");
        assert!(
            all[0].message.contains("22222 (streamingnode) and 21123 (querynode)") && all[0].help.contains("egress:"),
            "{}",
            all[0].message
        );
        assert!(found(&out("{port: 53100}, {port: 22222}, {port: 21123}")).is_empty());
    }

    #[test]
    fn deny_all_closes_everything() {
        let all = found(&policy("deny", "  podSelector: {}\n  policyTypes: [Ingress, Egress]\n"));
        assert_eq!(all.len(), 3, "{all:?}");
    }

    #[test]
    fn a_policy_of_one_coordinator_closes_the_ports_of_the_others() {
        let of = |role: &str, port: u16| {
            policy(
                role,
                &format!(
                    "  podSelector:\n    matchLabels:\n      component: {role}\n  ingress:\n    - ports: [{{port: {port}}}]\n"
                ),
            )
        };
        let with = |policies: &str| {
            Scenario::consolidation("v2.5.10", "v2.5.16")
                .add_target(policies)
                .of_rule("MU206")
        };
        let all = with(&of("querycoord", 19531));
        assert!(
            all.len() == 1 && all[0].message.contains("53100 (rootcoord) and 13333 (datacoord)"),
            "{all:?}"
        );
        assert!(with(&(of("querycoord", 19531) + &of("rootcoord", 53100) + &of("datacoord", 13333))).is_empty());
    }

    #[test]
    fn what_runs_like_that_already_is_not_told_again() {
        let closed = ports("{port: 9091}");
        assert!(
            Scenario::upgrade("v2.6.4", "v2.6.16")
                .add_target(&closed)
                .of_rule("MU206")
                .is_empty()
        );
        assert!(
            !Scenario::upgrade("v2.6.4", "v2.6.16")
                .fresh()
                .add_target(&closed)
                .of_rule("MU206")
                .is_empty()
        );
    }
}
