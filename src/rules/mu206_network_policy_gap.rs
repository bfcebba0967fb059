//! MU206: a policy keeps the new components from their ports.

use std::collections::HashSet;

use super::case::Case;
use super::component::{are, list, version};
use super::{Check, Rule};
use crate::facts::{self, PortRow};
use crate::finding::{Finding, Severity};
use crate::kube::network::{Direction, Pods, holding, lets};
use crate::kube::{Object, workload};
use crate::milvus::release::Component;
use crate::milvus::role::Role;
use crate::value::{Map, Value, json};

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
    if !case.after.objects.iter().any(|o| o.reference.kind == "NetworkPolicy") {
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
                port: set.unwrap_or_else(|| row.default_of(version(component, case.assumed(component)))),
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
    let mut known: HashSet<&str> = HashSet::new();
    let all = closed.iter().flat_map(|c| &c.policies);
    let mut names: Vec<&str> = all.map(|policy| policy.reference.name.as_str()).collect();
    names.retain(|name| known.insert(name));
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
    let mut labels: Map = workload::match_labels(first)
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
mod tests;
