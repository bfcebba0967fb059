//! What `kubectl get -o yaml` shows of manifests that were applied: with what the API server, its controllers and Helm add.

use crate::finding::Input;
use crate::kube::{Object, workload};
use crate::stream::Stream;
use crate::value::{Map, Value, json};
use crate::yaml;

/// A List of the objects of a stream as a cluster holds them, with the ReplicaSet and the pod of each Deployment beside.
/// `release` is the Helm release that applied them.
pub fn served(text: &str, release: &str) -> String {
    let objects = Stream::read(text.as_bytes(), Input::Target).expect("a stream").objects;
    let mut items = Vec::new();
    for object in objects.iter().filter(|o| !o.is_hook()) {
        let mut value = Value::clone(&object.value);
        prune(&mut value);
        identify(&mut value, items.len());
        let annotations = entry(entry(&mut value, "metadata"), "annotations");
        annotations["meta.helm.sh/release-name"] = json!(release);
        annotations["meta.helm.sh/release-namespace"] = json!("ns");
        match object.reference.kind.as_str() {
            "Deployment" => deployment(&mut value),
            "StatefulSet" => stateful_set(&mut value),
            "Service" => service(&mut value, items.len()),
            _ => {}
        }
        let made = (object.reference.kind == "Deployment").then(|| made(object, &value));
        items.push(value);
        items.extend(made.into_iter().flatten());
    }
    yaml::emit(&json!({"apiVersion": "v1", "kind": "List", "items": items, "metadata": {"resourceVersion": ""}}))
}

fn entry<'v>(value: &'v mut Value, key: &str) -> &'v mut Value {
    let map = value.as_object_mut().expect("a mapping");
    map.entry(key).or_insert_with(|| Value::Object(Map::new()))
}

/// What the server does not keep: nulls, and what is empty.
fn prune(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(prune);
            map.retain(|key, v| {
                let nothing = v.is_null() || *v == json!(false) || key == "value" && *v == "";
                !nothing && v.as_array().is_none_or(|list| !list.is_empty())
            });
        }
        Value::Array(list) => list.iter_mut().for_each(prune),
        _ => {}
    }
}

fn identify(value: &mut Value, number: usize) {
    let metadata = entry(value, "metadata");
    metadata["uid"] = json!(format!("00000000-0000-4000-8000-{number:012}"));
    metadata["resourceVersion"] = json!(format!("{}", 500 + number));
    metadata["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    metadata["managedFields"] = json!([{"manager": "helm", "operation": "Update"}]);
}

fn fill(value: &mut Value, defaults: Value) {
    let (Some(map), Value::Object(defaults)) = (value.as_object_mut(), defaults) else {
        return;
    };
    for (key, default) in defaults {
        map.entry(key).or_insert(default);
    }
}

fn deployment(value: &mut Value) {
    value["metadata"]["generation"] = json!(1);
    value["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("1");
    let spec = entry(value, "spec");
    fill(
        spec,
        json!({"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600, "strategy": {}}),
    );
    let strategy = entry(spec, "strategy");
    fill(strategy, json!({"type": "RollingUpdate"}));
    if strategy["type"] == "RollingUpdate" {
        fill(
            entry(strategy, "rollingUpdate"),
            json!({"maxSurge": "25%", "maxUnavailable": "25%"}),
        );
    }
    template(entry(spec, "template"));
    let replicas = spec["replicas"].clone();
    value["status"] =
        json!({"observedGeneration": 1, "replicas": replicas, "readyReplicas": replicas, "updatedReplicas": replicas});
}

fn stateful_set(value: &mut Value) {
    value["metadata"]["generation"] = json!(1);
    let spec = entry(value, "spec");
    fill(
        spec,
        json!({"replicas": 1, "revisionHistoryLimit": 10, "podManagementPolicy": "OrderedReady",
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}}),
    );
    template(entry(spec, "template"));
    value["status"] = json!({"observedGeneration": 1, "replicas": 1, "collisionCount": 0});
}

fn template(template: &mut Value) {
    entry(template, "metadata")["creationTimestamp"] = Value::Null;
    let spec = entry(template, "spec");
    fill(
        spec,
        json!({"restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
            "securityContext": {}, "schedulerName": "default-scheduler"}),
    );
    if let Some(name) = spec.get("serviceAccountName").cloned() {
        fill(spec, json!({"serviceAccount": name}));
    }
    for field in ["containers", "initContainers"] {
        for container in spec.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten() {
            fill(
                container,
                json!({"resources": {}, "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                    "imagePullPolicy": "IfNotPresent"}),
            );
            for port in container
                .get_mut("ports")
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                fill(port, json!({"protocol": "TCP"}));
            }
        }
    }
    for volume in spec
        .get_mut("volumes")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Some(source) = volume.get_mut("configMap") {
            fill(source, json!({"defaultMode": 420}));
        }
    }
}

fn service(value: &mut Value, number: usize) {
    let spec = entry(value, "spec");
    fill(
        spec,
        json!({"type": "ClusterIP", "clusterIP": format!("10.0.0.{number}"), "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}),
    );
    let address = spec["clusterIP"].clone();
    fill(spec, json!({"clusterIPs": [address]}));
    for port in spec
        .get_mut("ports")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        let number = port["port"].clone();
        fill(port, json!({"protocol": "TCP", "targetPort": number}));
    }
    value["status"] = json!({"loadBalancer": {}});
}

/// The ReplicaSet of a Deployment, and its pod.
fn made(object: &Object, live: &Value) -> Vec<Value> {
    let name = &object.reference.name;
    let template = workload::template(object).expect("a template").clone();
    let of = |kind: &str, owner: &str, name: String, spec: Value| {
        json!({"apiVersion": if kind == "Pod" { "v1" } else { "apps/v1" }, "kind": kind,
            "metadata": {"name": name, "namespace": object.reference.namespace, "uid": format!("{kind}-{name}"), "labels": template["metadata"]["labels"],
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": owner, "name": object.reference.name, "uid": live["metadata"]["uid"], "controller": true}]},
            "spec": spec})
    };
    let set = json!({"replicas": 1, "selector": object.value["spec"]["selector"], "template": template});
    vec![
        of("ReplicaSet", "Deployment", format!("{name}-5d8"), set),
        of("Pod", "ReplicaSet", format!("{name}-5d8-x"), template["spec"].clone()),
    ]
}
