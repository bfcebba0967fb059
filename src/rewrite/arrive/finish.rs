//! A neutral workload made the one of a role, in the chart's own kind.

use crate::facts;
use crate::milvus::role::Role;
use crate::rewrite::neutral::{CONTAINERS, filled, map_at, volume_names, without_mounts_of};
use crate::rewrite::share::PROBES;
use crate::value::{Map, Value, json};

/// Fields of StatefulSets and DaemonSets that Deployments do not have.
const NOT_IN_DEPLOYMENTS: [&str; 6] = [
    "serviceName",
    "volumeClaimTemplates",
    "podManagementPolicy",
    "updateStrategy",
    "persistentVolumeClaimRetentionPolicy",
    "ordinals",
];

/// Puts the role's marks, its own port and the fixed first fields in.
pub fn finish(neutral_workload: &Value, role: Role, name: &str) -> Value {
    let mut w = filled(neutral_workload, role, name);
    if let Some(container) = w.pointer_mut(&format!("{CONTAINERS}/0")).and_then(Value::as_object_mut) {
        container.entry("name").or_insert(json!(role.as_str()));
        if role == Role::StreamingNode {
            let number = facts::ports(role)
                .find(|p| p.name == role.as_str())
                .map_or(22222, |p| p.port);
            let port = json!({"name": role.as_str(), "containerPort": number, "protocol": "TCP"});
            match container.get_mut("ports").and_then(Value::as_array_mut) {
                Some(list) => list.insert(0, port),
                None => {
                    container.insert("ports".into(), json!([port]));
                }
            }
        }
        probe_own_ports(container);
    }
    // A fork may run Milvus in StatefulSets or DaemonSets: what comes is the chart's own kind, without their fields.
    let claims: Vec<Value> =
        volume_names(&json!({"spec": {"volumeClaimTemplates": w["spec"]["volumeClaimTemplates"]}}));
    without_mounts_of(&mut w, &claims);
    if let Some(spec) = map_at(&mut w, &["spec"]) {
        for field in NOT_IN_DEPLOYMENTS {
            spec.remove(field);
        }
    }
    ordered(w)
}

/// Points probes of a port that the container has not (a coordinator's own) at the one of metrics, which serves health, too.
fn probe_own_ports(container: &mut Map) {
    let ports = container.get("ports").and_then(Value::as_array);
    let ports: Vec<Value> = ports.into_iter().flatten().map(|port| port["name"].clone()).collect();
    for probe in PROBES {
        let ways = container.get_mut(probe).and_then(Value::as_object_mut);
        let asked = ways.into_iter().flat_map(|ways| ways.values_mut());
        for port in asked
            .filter_map(|way| way.get_mut("port"))
            .filter(|port| port.is_string())
        {
            if !ports.contains(port) && ports.contains(&json!("metrics")) {
                *port = json!("metrics");
            }
        }
    }
}

/// Takes out keys without a value: charts print `annotations:` and `initContainers:` with nothing behind them.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, v| !v.is_null());
            map.values_mut().for_each(without_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// The fields in the order in which people read manifests.
fn ordered(mut w: Value) -> Value {
    without_nulls(&mut w);
    let Some(map) = w.as_object_mut() else { return w };
    let mut out = Map::new();
    out.insert("apiVersion".into(), json!("apps/v1"));
    out.insert("kind".into(), json!("Deployment"));
    for key in ["metadata", "spec"] {
        out.extend(map.remove(key).map(|v| (key.to_owned(), v)));
    }
    for (field, first) in [("metadata", "name"), ("spec", "replicas")] {
        if let Some(inner) = out.get_mut(field).and_then(Value::as_object_mut)
            && let Some(v) = inner.remove(first)
        {
            inner.shift_insert(0, first.into(), v);
        }
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_asks_a_port_that_is_there() {
        let probed = |ports: Value| {
            let mut container = json!({
                "ports": ports,
                "livenessProbe": {"httpGet": {"port": "metrics", "path": "/healthz"}},
                "readinessProbe": {"tcpSocket": {"port": "rootcoord"}, "periodSeconds": 5},
                "startupProbe": {"grpc": {"port": 9091}},
            });
            probe_own_ports(container.as_object_mut().unwrap());
            ["livenessProbe", "readinessProbe", "startupProbe"].map(|probe| {
                let way = container[probe].as_object().unwrap().values().next().unwrap();
                way["port"].clone()
            })
        };
        let all = |first: &str, second: &str| [json!(first), json!(second), json!(9091)];
        let port = |name: &str| json!({"name": name, "containerPort": 1});
        assert_eq!(probed(json!([port("a"), port("metrics")])), all("metrics", "metrics"));
        assert_eq!(
            probed(json!([port("metrics"), port("rootcoord")])),
            all("metrics", "rootcoord")
        );
        // Without metrics nothing is better.
        assert_eq!(probed(json!([port("a")])), all("metrics", "rootcoord"));
        assert_eq!(probed(json!(null)), all("metrics", "rootcoord"));
    }
}
