//! MU206: a policy keeps the new components from their ports.

use std::rc::Rc;

use foldhash::{HashMap, HashSet};

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
    /// Its place among the components.
    index: usize,
    component: &'a Component,
    name: &'static str,
    port: u16,
}

/// A way that is closed: from which role to which port, and the policies that hold there.
struct Closed<'s, 'p> {
    from: Role,
    served: &'s Served<'s>,
    policies: Rc<Vec<&'p Object>>,
}

fn check(case: &Case) -> Vec<Finding> {
    if !case.after.objects.iter().any(|o| o.reference.kind == "NetworkPolicy") {
        return vec![];
    }
    let served = served(case);
    let objects = case.after.objects.iter();
    let near = objects.filter(|o| matches!(&o.reference.kind[..], "NetworkPolicy" | "Namespace"));
    let near: Vec<Object> = near.cloned().collect();
    let mut ways = Ways::new(case, &near);
    let mut found = Vec::new();
    for role in [Role::StreamingNode, Role::MixCoord] {
        let of_role = served.iter().filter(|s| s.component.role == role);
        let closed: Vec<Closed> = of_role.flat_map(|s| ways.closed(s, Direction::Ingress)).collect();
        found.extend(ingress(case, role, &closed));
    }
    let all = served.iter();
    let closed: Vec<Closed> = all.flat_map(|s| ways.closed(s, Direction::Egress)).collect();
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
                index: i,
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

/// What decides whether a way is closed: pods that policies cannot tell apart, a role and a port, and the direction.
type Asked = (usize, Role, u16, bool);

/// What is closed towards some pods: from which role, and the policies that hold there.
type Shut<'p> = Rc<Vec<(Role, Rc<Vec<&'p Object>>)>>;

/// The ways between the components of a release. Many of these are alike to policies, and are looked at once.
struct Ways<'c, 'p> {
    case: &'c Case<'c>,
    /// The policies and namespaces.
    near: &'p [Object],
    /// Of each component the number of those that policies cannot tell from it.
    kinds: Vec<usize>,
    /// The first components of each role and kind.
    callers: Vec<usize>,
    /// The policies that hold for a kind.
    holding: HashMap<(usize, bool), Rc<Vec<&'p Object>>>,
    closed: HashMap<Asked, Shut<'p>>,
}

impl<'c, 'p> Ways<'c, 'p> {
    fn new(case: &'c Case<'c>, near: &'p [Object]) -> Ways<'c, 'p> {
        let components = &case.after.release.components;
        let (mut known, mut roles) = (HashMap::default(), HashSet::default());
        let (mut kinds, mut callers) = (Vec::new(), Vec::new());
        for (i, component) in components.iter().enumerate() {
            let next = known.len();
            let kind = *known.entry(seen_as(case.after.object(component))).or_insert(next);
            kinds.push(kind);
            if roles.insert((component.role, kind)) {
                callers.push(i);
            }
        }
        Ways {
            case,
            near,
            kinds,
            callers,
            holding: HashMap::default(),
            closed: HashMap::default(),
        }
    }

    fn pods(&self, component: usize) -> Pods<'c> {
        let component = &self.case.after.release.components[component];
        Pods::of(self.case.after.object(component))
    }

    /// The ways to what is served that are closed in a direction.
    fn closed<'s>(&mut self, served: &'s Served<'s>, direction: Direction) -> Vec<Closed<'s, 'p>> {
        let (kind, role) = (self.kinds[served.index], served.component.role);
        let asked = (kind, role, served.port, direction == Direction::Ingress);
        let shut = match self.closed.get(&asked) {
            Some(known) => Rc::clone(known),
            None => {
                let shut = Rc::new(self.look(served, direction));
                self.closed.insert(asked, Rc::clone(&shut));
                shut
            }
        };
        let each = shut.iter().map(|(from, policies)| Closed {
            from: *from,
            served,
            policies: Rc::clone(policies),
        });
        each.collect()
    }

    fn look(&mut self, served: &Served, direction: Direction) -> Vec<(Role, Rc<Vec<&'p Object>>)> {
        let destination = self.pods(served.index);
        let mut found: Vec<(Role, Rc<Vec<&Object>>)> = Vec::new();
        for i in self.callers.clone() {
            let role = self.case.after.release.components[i].role;
            if !callers(served.component.role).contains(&role) || found.iter().any(|(from, _)| *from == role) {
                continue;
            }
            let source = self.pods(i);
            let (own, pods, peer) = match direction {
                Direction::Ingress => (served.index, &destination, &source),
                Direction::Egress => (i, &source, &destination),
            };
            let near = self.near;
            let held = (self.kinds[own], direction == Direction::Ingress);
            let held = self.holding.entry(held);
            let policies = held.or_insert_with(|| Rc::new(holding(near, pods, direction)));
            if !policies.is_empty() && !lets(policies, direction, peer, &destination, served.port, near) {
                found.push((role, Rc::clone(policies)));
            }
        }
        found
    }
}

/// What policies can see of a workload's pods: where they are, their labels and the names of their ports.
fn seen_as(object: &Object) -> (&str, String, Vec<String>) {
    let labels = Pods::of(object).labels.to_string();
    let containers = workload::containers(object).into_iter();
    let ports = containers.filter_map(|(_, c)| Some(c.get("ports")?.to_string()));
    (&object.reference.namespace, labels, ports.collect())
}

/// `22222 (streamingnode) and 21123 (querynode)`, each once.
fn ports(closed: &[Closed]) -> (String, Vec<u16>) {
    let mut seen: Vec<(u16, &str)> = Vec::new();
    let mut known: HashSet<(u16, &str)> = HashSet::default();
    for one in closed {
        let port = (one.served.port, one.served.name);
        if known.insert(port) {
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
fn policies<'p>(closed: &[Closed<'_, 'p>]) -> (String, usize, Option<&'p Object>) {
    let mut known: HashSet<&str> = HashSet::default();
    let mut sets = HashSet::default();
    let all = closed.iter().map(|c| &c.policies);
    let all = all
        .filter(|set| sets.insert(Rc::as_ptr(set)))
        .flat_map(|set| set.iter());
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
