//! NetworkPolicies: whether one pod may reach a port of another, as far as manifests show it.
//!
//! Source: kubernetes.io/docs/concepts/services-networking/network-policies, and the defaults of `networking.k8s.io/v1`.

use std::cell::LazyCell;

use foldhash::HashMap;

use super::object::{Object, at, namespaces_agree, text_at};
use super::selector::{self, SelectorAt};
use super::workload;
use crate::value::Value;

/// The label every namespace carries with its own name.
pub const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// Which way traffic goes, seen from the pods that a policy selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To them.
    Ingress,
    /// From them.
    Egress,
}

impl Direction {
    /// Its name among the `policyTypes`, the field that holds its rules, and the field of a rule that holds its peers.
    #[must_use]
    pub fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Direction::Ingress => ("Ingress", "ingress", "from"),
            Direction::Egress => ("Egress", "egress", "to"),
        }
    }
}

/// The pods of a workload, as policies see them.
#[derive(Clone, Copy, Debug)]
pub struct Pods<'a> {
    /// The workload.
    pub object: &'a Object,
    /// Their labels; null where they have none.
    pub labels: &'a Value,
}

impl<'a> Pods<'a> {
    /// Those of a workload.
    pub fn of(object: &'a Object) -> Pods<'a> {
        Pods {
            object,
            labels: workload::pod_labels(object).unwrap_or(&Value::Null),
        }
    }

    /// The number behind each port's name; the first of a name counts.
    fn ports(&self) -> HashMap<&'a str, Option<i64>> {
        let mut found = HashMap::default();
        for (_, container) in workload::containers(self.object) {
            let ports = container.get("ports").and_then(Value::as_array);
            for port in ports.into_iter().flatten() {
                if let Some(name) = text_at(port, &["name"]) {
                    let number = port.get("containerPort").and_then(Value::as_i64);
                    found.entry(name).or_insert(number);
                }
            }
        }
        found
    }

    /// Their namespace, with the labels that its object among some shows.
    fn space(&self, objects: &'a [Object]) -> Space<'a> {
        let name = &self.object.reference.namespace[..];
        let is_own = |o: &&Object| o.reference.kind == "Namespace" && o.reference.name == name;
        let own = Some(objects).filter(|_| !name.is_empty());
        let object = own.and_then(|objects| objects.iter().find(is_own));
        Space {
            name,
            labels: object.and_then(|o| o.at(&["metadata", "labels"])),
        }
    }
}

/// A namespace, as policies see it.
struct Space<'a> {
    /// Empty where nobody says it.
    name: &'a str,
    /// What its object shows; nothing where that is not among the objects.
    labels: Option<&'a Value>,
}

/// The policies that hold for pods in a direction; where there are none everything is open.
pub fn holding<'a>(objects: &'a [Object], pods: &Pods, direction: Direction) -> Vec<&'a Object> {
    let holds = |o: &&Object| {
        o.reference.kind == "NetworkPolicy"
            && o.reference.api_version.starts_with("networking.k8s.io/")
            && namespaces_agree(&o.reference.namespace, &pods.object.reference.namespace)
            && is_of(o, direction)
            && match o.at(&["spec", "podSelector"]) {
                Some(selector) => selector::selects(selector, false, pods.labels),
                None => true,
            }
    };
    objects.iter().filter(holds).collect()
}

/// Whether a policy is about a direction: by its `policyTypes`; without them about ingress, and about egress where it
/// has rules for it.
fn is_of(policy: &Object, direction: Direction) -> bool {
    let (kind, rules, _) = direction.words();
    match policy.at(&["spec", "policyTypes"]).and_then(Value::as_array) {
        Some(types) if !types.is_empty() => types.iter().any(|t| t.as_str() == Some(kind)),
        _ if direction == Direction::Ingress => true,
        _ => policy
            .at(&["spec", rules])
            .and_then(Value::as_array)
            .is_some_and(|r| !r.is_empty()),
    }
}

/// Whether any of some policies lets traffic between their pods and `peer` through to a TCP port of `destination`, which
/// is one of the two. Policies add up. A namespace's labels that the objects do not show match no selector.
pub fn lets(
    policies: &[&Object],
    direction: Direction,
    peer: &Pods,
    destination: &Pods,
    port: u16,
    objects: &[Object],
) -> bool {
    let (_, rules, peers) = direction.words();
    let named = LazyCell::new(|| destination.ports());
    let space = LazyCell::new(|| peer.space(objects));
    policies.iter().any(|policy| {
        let list = policy.at(&["spec", rules]).and_then(Value::as_array);
        list.into_iter().flatten().any(|rule| {
            let ports = rule.get("ports").and_then(Value::as_array).filter(|p| !p.is_empty());
            let open = ports.is_none_or(|list| list.iter().any(|p| is_port(p, |name| *named.get(name)?, port)));
            let who = rule.get(peers).and_then(Value::as_array).filter(|p| !p.is_empty());
            open && who.is_none_or(|list| list.iter().any(|p| is_peer(p, policy, peer, |s| is_in(s, &space))))
        })
    })
}

fn is_port(rule: &Value, named: impl Fn(&str) -> Option<i64>, port: u16) -> bool {
    if !matches!(text_at(rule, &["protocol"]), None | Some("TCP")) {
        return false;
    }
    let port = i64::from(port);
    match rule.get("port") {
        None | Some(Value::Null) => true,
        Some(Value::String(name)) => named(name) == Some(port),
        Some(number) => {
            let first = number.as_i64().unwrap_or(-1);
            let last = rule.get("endPort").and_then(Value::as_i64).unwrap_or(first);
            (first..=last).contains(&port)
        }
    }
}

fn is_peer(rule: &Value, policy: &Object, pods: &Pods, in_space: impl Fn(&Value) -> bool) -> bool {
    if let Some(block) = rule.get("ipBlock").filter(|b| b.is_object()) {
        // The addresses of pods are unknown: only what holds all addresses holds theirs.
        let all = matches!(text_at(block, &["cidr"]), Some("0.0.0.0/0" | "::/0"));
        return all
            && at(block, &["except"])
                .and_then(Value::as_array)
                .is_none_or(Vec::is_empty);
    }
    let spaces = rule.get("namespaceSelector").filter(|s| s.is_object());
    let chosen = rule.get("podSelector").filter(|s| s.is_object());
    let here = match spaces {
        Some(selector) => in_space(selector),
        None => chosen.is_some() && namespaces_agree(&policy.reference.namespace, &pods.object.reference.namespace),
    };
    here && chosen.is_none_or(|selector| selector::selects(selector, false, pods.labels))
}

/// Whether a selector chooses a namespace, by its name and by the labels of its object.
fn is_in(selector: &Value, space: &Space) -> bool {
    if space.name.is_empty() {
        // Wherever the client puts it: a selector that asks for a name alone was written for that place.
        let whole = SelectorAt {
            pointer: String::new(),
            plain: false,
        };
        let demanded = selector::demanded(selector, &whole);
        return demanded.iter().all(|(_, key, _)| *key == NAMESPACE_NAME)
            && (!demanded.is_empty() || selector::selects(selector, false, &Value::Null));
    }
    selector::selects_by(selector, false, |key| match key {
        NAMESPACE_NAME => Some(space.name),
        _ => space.labels?.entry(key)?.as_str(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    fn objects(spec: Value) -> Vec<Object> {
        let pod = |name: &str, ports: Value| {
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "n"}, "spec": {"template":
                {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "ports": ports}]}}}})
        };
        let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "p", "namespace": "n"}, "spec": spec});
        [
            pod("to", json!([{"name": "grpc", "containerPort": 22222}])),
            pod("from", json!([])),
            policy,
        ]
        .into_iter()
        .flat_map(|v| Object::all_in(0, v).unwrap())
        .collect()
    }

    /// Whether `from` reaches 22222 of `to`; `None` where no policy holds.
    fn reaches(spec: Value, direction: Direction) -> Option<bool> {
        let objects = objects(spec);
        let (to, from) = (Pods::of(&objects[0]), Pods::of(&objects[1]));
        let (own, peer) = match direction {
            Direction::Ingress => (to, from),
            Direction::Egress => (from, to),
        };
        let policies = holding(&objects, &own, direction);
        (!policies.is_empty()).then(|| lets(&policies, direction, &peer, &to, 22222, &objects))
    }

    fn ingress(rule: Value) -> Option<bool> {
        reaches(
            json!({"podSelector": {"matchLabels": {"app": "to"}}, "ingress": [rule]}),
            Direction::Ingress,
        )
    }

    #[test]
    fn ports_by_number_name_range_and_protocol() {
        for (port, want) in [
            (json!({"port": 22222}), true),
            (json!({"port": 53100}), false),
            (json!({"port": "grpc"}), true),
            (json!({"port": "metrics"}), false),
            (json!({"port": 20000, "endPort": 30000}), true),
            (json!({"port": 20000, "endPort": 22221}), false),
            (json!({"port": 22222, "protocol": "UDP"}), false),
            (json!({"protocol": "TCP"}), true),
        ] {
            assert_eq!(ingress(json!({"ports": [port]})), Some(want), "{port}");
        }
        assert_eq!(ingress(json!({})), Some(true));
        assert_eq!(ingress(json!({"ports": [], "from": []})), Some(true));
    }

    #[test]
    fn the_first_port_of_a_name_counts() {
        let ports = |ports: Value| {
            let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers":
                [{"name": "a", "ports": ports}, {"name": "b", "ports": [{"name": "x", "containerPort": 3}, {"containerPort": 4}]}]}});
            let object = Object::all_in(0, pod).unwrap().remove(0);
            let found = Pods::of(&object).ports();
            (found.len(), found.get("x").copied().flatten())
        };
        assert_eq!(
            ports(json!([{"name": "x", "containerPort": 1}, {"name": "x", "containerPort": 2}])),
            (1, Some(1))
        );
        assert_eq!(
            ports(json!([{"name": "x"}, {"name": "y", "containerPort": 2}])),
            (2, None)
        );
        assert_eq!(ports(json!(null)), (1, Some(3)));
    }

    #[test]
    fn peers_by_pod_namespace_and_address() {
        let name = |n: &str| json!({"matchLabels": {NAMESPACE_NAME: n}});
        for (peer, want) in [
            (json!({"podSelector": {}}), true),
            (json!({"podSelector": {"matchLabels": {"app": "from"}}}), true),
            (json!({"podSelector": {"matchLabels": {"app": "other"}}}), false),
            (json!({"namespaceSelector": {}}), true),
            (json!({"namespaceSelector": name("n")}), true),
            (json!({"namespaceSelector": name("m")}), false),
            (json!({"namespaceSelector": {"matchLabels": {"team": "x"}}}), false),
            (
                json!({"namespaceSelector": name("n"), "podSelector": {"matchLabels": {"app": "other"}}}),
                false,
            ),
            (json!({"ipBlock": {"cidr": "0.0.0.0/0"}}), true),
            (json!({"ipBlock": {"cidr": "10.0.0.0/8"}}), false),
        ] {
            assert_eq!(ingress(json!({"from": [peer]})), Some(want), "{peer}");
        }
    }

    #[test]
    fn policy_types_and_their_defaults() {
        assert_eq!(reaches(json!({"podSelector": {}}), Direction::Ingress), Some(false));
        assert_eq!(reaches(json!({"podSelector": {}}), Direction::Egress), None);
        assert_eq!(
            reaches(json!({"podSelector": {}, "egress": []}), Direction::Egress),
            None
        );
        assert_eq!(
            reaches(json!({"podSelector": {}, "policyTypes": ["Egress"]}), Direction::Egress),
            Some(false)
        );
        assert_eq!(
            reaches(
                json!({"podSelector": {}, "policyTypes": ["Egress"]}),
                Direction::Ingress
            ),
            None
        );
        assert_eq!(
            reaches(
                json!({"podSelector": {"matchLabels": {"app": "no"}}}),
                Direction::Ingress
            ),
            None
        );
        let out = json!({"podSelector": {}, "egress": [{"to": [{"podSelector": {"matchLabels": {"app": "to"}}}], "ports": [{"port": "grpc"}]}]});
        assert_eq!(reaches(out, Direction::Egress), Some(true));
    }

    #[test]
    fn a_namespace_among_the_objects_shows_its_labels() {
        let team = |team: &str| json!({"matchLabels": {"team": team, NAMESPACE_NAME: "n"}});
        let space = |name: &str, labels: Value| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
        let lets_in = |selector: Value, spaces: &[Value]| {
            let spec = json!({"podSelector": {}, "ingress": [{"from": [{"namespaceSelector": selector}]}]});
            let mut all = objects(spec);
            all.extend(
                spaces
                    .iter()
                    .flat_map(|space| Object::all_in(1, space.clone()).unwrap()),
            );
            let (to, from) = (Pods::of(&all[0]), Pods::of(&all[1]));
            let policies = holding(&all, &to, Direction::Ingress);
            lets(&policies, Direction::Ingress, &from, &to, 22222, &all)
        };
        let labelled = space("n", json!({"team": "x", NAMESPACE_NAME: "lies"}));
        assert!(lets_in(
            team("x"),
            &[space("m", json!({"team": "y"})), labelled.clone()]
        ));
        assert!(!lets_in(team("y"), std::slice::from_ref(&labelled)));
        assert!(!lets_in(team("y"), &[labelled, space("n", json!({"team": "y"}))]));
        assert!(!lets_in(team("x"), &[]));
        let no_team = json!({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["x"]}], "matchLabels": {NAMESPACE_NAME: "n"}});
        assert!(lets_in(no_team, &[space("n", json!({}))]));
    }
}
