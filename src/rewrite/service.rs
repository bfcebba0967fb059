//! The metrics Services of what comes, in the shape of those that the release has.

use super::Scene;
use super::chart;
use super::neutral::{filled, map_at, role_keys, without_role};
use super::share::{NAME, share};
use super::values::{Values, truthy};
use crate::host;
use crate::kube::object::namespaces_agree;
use crate::kube::selector;
use crate::kube::{Object, workload};
use crate::milvus::role::Role;
use crate::value::{Map, Value, json};

/// The metrics Service of a role, in the shape of those the release has; `None` where it has none.
pub fn service(scene: &Scene, role: Role, name: &str) -> Option<Value> {
    let candidates = metrics_services(scene);
    // The shape of the nearest kin: a coordinator's for mixcoord, a node's for streamingnode, the proxy's at last.
    let kin = |r: Role| {
        if role == Role::MixCoord {
            r.is_coordinator()
        } else {
            !r.is_coordinator() && r != Role::Proxy
        }
    };
    let tiers: [&dyn Fn(Role) -> bool; 3] = [&kin, &|r| r != Role::Proxy, &|_| true];
    let chosen = tiers
        .iter()
        .map(|t| candidates.iter().filter(|m| t(m.role)).collect::<Vec<_>>())
        .find(|c| !c.is_empty())?;
    let from_kin = chosen.iter().any(|m| kin(m.role));
    let mut s = share(&chosen.iter().map(|m| &m.value).collect::<Vec<_>>())?;
    s["apiVersion"] = json!("v1");
    s["kind"] = json!("Service");
    let spec = map_at(&mut s, &["spec"])?;
    spec.entry("type").or_insert(json!("ClusterIP"));
    // An address cannot be handed on: the Service that has it leaves only after this one came.
    let headless = spec.get("clusterIP").and_then(Value::as_str) == Some("None");
    if role == Role::StreamingNode {
        spec.insert("clusterIP".into(), json!("None"));
    } else if !from_kin || !headless {
        spec.remove("clusterIP");
    }
    if spec.get("type").and_then(Value::as_str) != Some("ClusterIP") {
        spec.insert("type".into(), json!("ClusterIP"));
    }
    if let (Role::MixCoord, Some(values)) = (role, scene.values) {
        let of = |field: &str| values.truthy(&["mixCoordinator", "service", field]).cloned();
        if let Some(ip) = of("clusterIP") {
            map_at(&mut s, &["spec"])?.insert("clusterIP".into(), ip);
        }
        for field in ["labels", "annotations"] {
            if let Some(Value::Object(own)) = of(field) {
                map_at(&mut s, &["metadata", field])?.extend(own);
            }
        }
    }
    if s.pointer("/metadata/annotations").is_some_and(|a| !truthy(Some(a))) {
        map_at(&mut s, &["metadata"])?.remove("annotations");
    }
    let mut s = filled(&s, role, name);
    for (at, first) in [("metadata", "name")] {
        if let Some(inner) = map_at(&mut s, &[at])
            && let Some(v) = inner.remove(first)
        {
            inner.shift_insert(0, first.into(), v);
        }
    }
    let mut out = Map::new();
    for key in ["apiVersion", "kind", "metadata", "spec"] {
        out.insert(key.into(), s.get(key)?.clone());
    }
    Some(Value::Object(out))
}

/// A Service that serves the metrics of one role of the release.
pub struct Metrics {
    /// The object (index into the stream's).
    pub object: usize,
    /// The role.
    pub role: Role,
    /// The Service with its role's marks taken out and no other port.
    pub value: Value,
}

/// The Services that serve the metrics of one role of this release, in the order of the stream.
pub fn metrics_services<'s>(scene: &'s Scene) -> &'s [Metrics] {
    scene.shapes.metrics.get_or_init(|| {
        let pods: Vec<(Option<&Value>, Role)> = scene
            .release
            .components
            .iter()
            .map(|c| (workload::pod_labels(scene.object(c)), c.role))
            .collect();
        let services = scene
            .stream
            .objects
            .iter()
            .enumerate()
            .filter(|(_, o)| o.reference.kind == "Service");
        services
            .filter_map(|(object, o)| {
                let (role, value) = metrics_service(scene, o, &pods)?;
                Some(Metrics { object, role, value })
            })
            .collect()
    })
}

/// `pods`: the labels of each component's.
fn metrics_service(scene: &Scene, object: &Object, pods: &[(Option<&Value>, Role)]) -> Option<(Role, Value)> {
    if !namespaces_agree(&object.reference.namespace, &scene.release.namespace) {
        return None;
    }
    let s = object.at(&["spec", "selector"])?;
    let selected = |labels: Option<&Value>| labels.is_some_and(|labels| selector::selects(s, true, labels));
    let mut roles = pods
        .iter()
        .filter(|(labels, _)| selected(*labels))
        .map(|(_, role)| *role);
    let role = roles.next()?;
    if roles.any(|r| r != role) {
        return None;
    }
    let mut value = Value::clone(&object.value);
    let ports = value.pointer_mut("/spec/ports")?.as_array_mut()?;
    ports.retain(|p| p["name"] == "metrics");
    if ports.is_empty() {
        return None;
    }
    for pointer in ["/metadata/labels", "/spec/selector"] {
        if let Some(labels) = value.pointer_mut(pointer) {
            without_role(labels, role, role_keys(scene));
        }
    }
    if let Some(values) = scene.values {
        without_own_service(&mut value, role, values);
    }
    let metadata = map_at(&mut value, &["metadata"])?;
    metadata.insert("name".into(), json!(NAME));
    host::without_bookkeeping(&mut value);
    Some((role, value))
}

/// Takes out of a Service what the values give to it alone.
fn without_own_service(service: &mut Value, role: Role, values: &Values) {
    let own = |field: &str| match role {
        Role::Proxy => values.get(&["service", field]),
        _ => values.get(&[chart::values_key(role), "service", field]),
    };
    for field in ["labels", "annotations"] {
        let given = own(field).and_then(Value::as_object);
        let Some(map) = service
            .pointer_mut(&format!("/metadata/{field}"))
            .and_then(Value::as_object_mut)
        else {
            continue;
        };
        for key in given.into_iter().flat_map(|g| g.keys()) {
            map.remove(key);
        }
    }
    if truthy(own("clusterIP"))
        && let Some(spec) = map_at(service, &["spec"])
    {
        spec.remove("clusterIP");
    }
}
