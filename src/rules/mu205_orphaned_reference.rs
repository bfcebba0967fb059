//! MU205: something still points at what left.

use foldhash::{HashMap, HashSet};

use super::case::Case;
use super::component::list;
use super::{Check, Rule};
use crate::finding::{Finding, Severity};
use crate::kube::labelled::Labelled;
use crate::kube::object::{namespaces_agree, text_at};
use crate::kube::selector::{self, SelectorAt};
use crate::kube::{Object, workload};
use crate::milvus::role::Role;
use crate::rewrite::leave::chooses_here;
use crate::value::Value;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU205",
    name: "orphaned-reference",
    severity: Severity::Warn,
    says: "something still points at what left",
    page: include_str!("../../docs/rules/MU205.md"),
    check: Check::Release(check),
};

/// What leaves with this upgrade: by the rewrite, or because the chart does not render it any more.
struct Left<'a> {
    /// The roles of workloads by kind and name: of each name the first.
    workloads: HashMap<(&'a str, &'a str), Role>,
    /// Workloads by the labels of their pods.
    pods: Labelled<'a, Role>,
    /// Services by name: of each name the first.
    services: HashMap<&'a str, (&'a Object, Role)>,
    /// Services by their labels.
    labelled: Labelled<'a, Role>,
}

/// One place that points only at what left.
struct Orphan {
    pointer: String,
    role: Role,
    /// What it does, and what becomes of it.
    text: String,
}

fn check(case: &Case) -> Vec<Finding> {
    let left = left(case);
    if left.workloads.is_empty() {
        return vec![];
    }
    let staying = Staying::new(case);
    let mut found = Vec::new();
    for object in case.after.objects {
        let orphans = orphans(case, object, &left, &staying);
        if let Some(first) = orphans.first() {
            found.push(finding(case, object, &orphans, first));
        }
    }
    found
}

fn finding(case: &Case, object: &Object, orphans: &[Orphan], first: &Orphan) -> Finding {
    let mut texts: Vec<&str> = Vec::new();
    let mut known: HashSet<&str> = HashSet::default();
    let mut roles: Vec<Role> = Vec::new();
    for orphan in orphans {
        if known.insert(&orphan.text) {
            texts.push(&orphan.text);
        }
        if !roles.contains(&orphan.role) {
            roles.push(orphan.role);
        }
    }
    let words: Vec<&str> = roles.iter().map(|r| r.as_str()).collect();
    let message = format!(
        "{} still means {}, which {}: it {}",
        object.reference,
        list(&words),
        if words.len() == 1 { "leaves" } else { "leave" },
        list(&texts)
    );
    let instead = match roles.contains(&Role::IndexNode) {
        true if roles.len() > 1 => "datanode (it builds indexes now) or mixcoord",
        true => "datanode, which builds indexes now",
        false => "mixcoord, which runs the coordinators now",
    };
    let help = format!(
        "point it at {instead}, or take it away if nothing needs it any more; the place: {}",
        first.pointer
    );
    RULE.finding(message, help).on(&object.reference).at(
        case.after.input,
        object.document,
        format!("{}{}", object.pointer, first.pointer),
    )
}

/// What leaves: it came in, or is deployed in a role that nothing has any more, and would not be applied.
fn left<'a>(case: &Case<'a>) -> Left<'a> {
    let stands = |o: &Object| case.after.find(&o.reference.kind, &o.reference.name).is_some();
    let gone = |role: Role| (role.is_legacy_coordinator() || role == Role::IndexNode) && !case.after.release.has(role);
    let came = case.came.components.iter();
    let mut workloads: Vec<(&Object, Role)> = came.map(|c| (&case.target.objects[c.object], c.role)).collect();
    if let Some(before) = case.before {
        let deployed = before.release.components.iter().filter(|c| gone(c.role));
        workloads.extend(deployed.map(|c| (before.object(c), c.role)));
    }
    workloads.retain(|(o, _)| !stands(o));
    let pods = workloads
        .iter()
        .filter_map(|(o, role)| Some((workload::pod_labels(o)?, *role)));
    let pods = Labelled::of(pods);
    let mut services: Vec<(&Object, Role)> = Vec::new();
    if !workloads.is_empty() {
        let objects = case
            .target
            .objects
            .iter()
            .chain(case.before.into_iter().flat_map(|b| b.objects));
        for object in objects.filter(|o| o.reference.kind == "Service") {
            let served = object.at(&["spec", "selector"]);
            let role = served.and_then(|selector| pods.chosen(selector, true).next().copied());
            services.extend(role.filter(|_| !stands(object)).map(|role| (object, role)));
        }
    }
    let labelled = services
        .iter()
        .filter_map(|(o, role)| Some((o.at(&["metadata", "labels"])?, *role)));
    let mut left = Left {
        pods,
        labelled: Labelled::of(labelled),
        workloads: HashMap::default(),
        services: HashMap::default(),
    };
    for (object, role) in workloads {
        let named = (&object.reference.kind[..], &object.reference.name[..]);
        left.workloads.entry(named).or_insert(role);
    }
    for (object, role) in services {
        left.services.entry(&object.reference.name).or_insert((object, role));
    }
    left
}

/// What is there after the upgrade.
struct Staying<'a> {
    pods: Labelled<'a, ()>,
    services: Labelled<'a, ()>,
}

impl<'a> Staying<'a> {
    fn new(case: &Case<'a>) -> Staying<'a> {
        let here = |o: &&Object| namespaces_agree(&o.reference.namespace, &case.after.release.namespace);
        let objects = || case.after.objects.iter().filter(here);
        let pods = objects().filter_map(workload::pod_labels);
        let services = objects().filter(|o| o.reference.kind == "Service");
        let services = services.filter_map(|o| o.at(&["metadata", "labels"]));
        Staying {
            pods: Labelled::of(pods.map(|labels| (labels, ()))),
            services: Labelled::of(services.map(|labels| (labels, ()))),
        }
    }
}

fn orphans(case: &Case, object: &Object, left: &Left, staying: &Staying) -> Vec<Orphan> {
    let kind = object.reference.kind.as_str();
    if kind == "NetworkPolicy" {
        return policy(case, object, left, staying);
    }
    if !namespaces_agree(&object.reference.namespace, &case.after.release.namespace) {
        return vec![];
    }
    let mut found: Vec<Orphan> = scaled(case, object, left).into_iter().collect();
    for at in selector::pod_selectors(kind, &object.value) {
        let becomes = match kind {
            "Service" => "has no endpoints any more",
            "PodDisruptionBudget" => "protects no pod any more",
            _ => "watches nothing any more",
        };
        let role = only_left(&object.value, &at, &left.pods, &staying.pods);
        found.extend(role.map(|role| orphan(&at.pointer, role, becomes)));
    }
    if kind == "ServiceMonitor" {
        let at = SelectorAt {
            pointer: "/spec/selector".into(),
            plain: false,
        };
        let role = only_left(&object.value, &at, &left.labelled, &staying.services);
        found.extend(role.map(|role| orphan(&at.pointer, role, "watches nothing any more")));
    }
    if ROUTES.contains(&kind) || text_at(&object.value, &["spec", "externalName"]).is_some() {
        routes(case, &object.value, String::new(), left, &mut found);
    }
    found.extend(affinity(object, left, staying));
    found
}

fn orphan(pointer: &str, role: Role, text: impl Into<String>) -> Orphan {
    Orphan {
        pointer: pointer.to_owned(),
        role,
        text: text.into(),
    }
}

/// The role that a selector means, where it chooses what left and nothing else.
fn only_left(value: &Value, at: &SelectorAt, left: &Labelled<Role>, staying: &Labelled<()>) -> Option<Role> {
    let s = value.pointer(&at.pointer)?;
    let role = *left.chosen(s, at.plain).next()?;
    staying.chosen(s, at.plain).next().is_none().then_some(role)
}

/// What scales a workload that left.
fn scaled(case: &Case, object: &Object, left: &Left) -> Option<Orphan> {
    let (kind, name) = selector::scale_target(&object.reference.kind, &object.value)?;
    let role = *left.workloads.get(&(kind, name))?;
    let path = match object.reference.kind.as_str() {
        "VerticalPodAutoscaler" => "/spec/targetRef",
        "Rollout" => "/spec/workloadRef",
        _ => "/spec/scaleTargetRef",
    };
    case.after
        .find(kind, name)
        .is_none()
        .then(|| orphan(path, role, "scales nothing any more"))
}

/// The selectors of a policy, which is never dropped.
fn policy(case: &Case, object: &Object, left: &Left, staying: &Staying) -> Vec<Orphan> {
    let mut found = Vec::new();
    for at in selector::pod_selectors("NetworkPolicy", &object.value) {
        if !chooses_here(
            &object.value,
            &object.reference.namespace,
            &at,
            &case.after.release.namespace,
        ) {
            continue;
        }
        let becomes = match at.pointer.as_str() {
            "/spec/podSelector" => "applies to no pod any more",
            p if p.starts_with("/spec/egress") => "has a rule that leads to nobody any more",
            _ => "has a rule that lets nobody in any more",
        };
        let role = only_left(&object.value, &at, &left.pods, &staying.pods);
        found.extend(role.map(|role| orphan(&at.pointer, role, becomes)));
    }
    found
}

/// Kinds that lead traffic to Services by name: of Kubernetes, the Gateway API, Istio, Traefik and OpenShift.
const ROUTES: [&str; 11] = [
    "Ingress",
    "HTTPRoute",
    "GRPCRoute",
    "TCPRoute",
    "TLSRoute",
    "UDPRoute",
    "VirtualService",
    "DestinationRule",
    "IngressRoute",
    "IngressRouteTCP",
    "Route",
];

/// Names of Services that left, wherever such an object holds the name of a backend.
fn routes(case: &Case, value: &Value, pointer: String, left: &Left, found: &mut Vec<Orphan>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                let at = format!("{pointer}/{}", crate::kube::object::escape(key));
                let backend = ["backendRefs", "backendRef", "service", "services", "to"]
                    .iter()
                    .any(|parent| pointer.split('/').rev().find(|s| s.parse::<usize>().is_err()) == Some(parent));
                let names =
                    matches!(key.as_str(), "serviceName" | "host" | "externalName") || (key == "name" && backend);
                match inner.as_str() {
                    Some(text) if names => found.extend(backend_of(case, text, &at, left)),
                    _ => routes(case, inner, at, left, found),
                }
            }
        }
        Value::Array(items) => {
            for (i, inner) in items.iter().enumerate() {
                routes(case, inner, format!("{pointer}/{i}"), left, found);
            }
        }
        _ => {}
    }
}

fn backend_of(case: &Case, text: &str, pointer: &str, left: &Left) -> Option<Orphan> {
    let mut words = text.split('.');
    let (name, namespace) = (words.next()?, words.next().unwrap_or_default());
    let (service, role) = left.services.get(name)?;
    let agrees = namespaces_agree(&service.reference.namespace, namespace);
    let gone = agrees && case.after.find("Service", name).is_none();
    gone.then(|| orphan(pointer, *role, format!("leads to Service {name}, which is gone")))
}

/// Terms of pod affinity in what stays.
fn affinity(object: &Object, left: &Left, staying: &Staying) -> Vec<Orphan> {
    let Some(base) = workload::template_pointer(&object.reference.kind) else {
        return vec![];
    };
    if object.value.pointer(&format!("{base}/spec/affinity")).is_none() {
        return vec![];
    }
    let mut found = Vec::new();
    for (which, near) in [("podAffinity", true), ("podAntiAffinity", false)] {
        for (when, term) in [
            ("requiredDuringSchedulingIgnoredDuringExecution", ""),
            ("preferredDuringSchedulingIgnoredDuringExecution", "/podAffinityTerm"),
        ] {
            let list = format!("{base}/spec/affinity/{which}/{when}");
            let count = object
                .value
                .pointer(&list)
                .and_then(Value::as_array)
                .map_or(0, Vec::len);
            for i in 0..count {
                let at = SelectorAt {
                    pointer: format!("{list}/{i}{term}/labelSelector"),
                    plain: false,
                };
                let becomes = match (near, term.is_empty()) {
                    (true, true) => "has pods that must run beside it and cannot be scheduled any more",
                    (true, false) => "would rather run beside it, in vain",
                    (false, _) => "keeps away from pods that are gone",
                };
                let role = only_left(&object.value, &at, &left.pods, &staying.pods);
                found.extend(role.map(|role| orphan(&at.pointer, role, becomes)));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
