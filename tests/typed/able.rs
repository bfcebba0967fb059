//! The validator itself: what is right has no fault, and each single thing wrong is seen where it is.

use libtest_mimic::{Failed, Trial};
use milvus_uplift::finding::Input;
use milvus_uplift::kube::Object;
use milvus_uplift::rewrite::ChangeOp;
use milvus_uplift::stream::Stream;
use milvus_uplift::value::{Value, json};

use super::kinds::{self, Reading, VERSIONS, Version};
use super::{Fault, limits, references};

type Test = fn() -> Result<(), String>;

pub fn trials() -> Vec<Trial> {
    let all: [(&str, Test); 4] = [
        ("able/one-thing-wrong", one_thing_wrong),
        ("able/versions-differ", versions_differ),
        ("able/what-is-typed", what_is_typed),
        ("able/references", references_are_followed),
    ];
    let trial = |(name, test): (&str, Test)| Trial::test(name, move || test().map_err(Failed::from));
    all.into_iter().map(trial).collect()
}

fn deployment() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "a-proxy", "namespace": "ns", "labels": {"app.kubernetes.io/instance": "a"}, "annotations": {"x/y": "z"}},
        "spec": {"replicas": 2, "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "selector": {"matchLabels": {"component": "proxy"}},
            "template": {
                "metadata": {"labels": {"component": "proxy", "app.kubernetes.io/instance": "a"}},
                "spec": {
                    "nodeSelector": {"disk": "fast"},
                    "volumes": [{"name": "data", "emptyDir": {}}, {"name": "config", "configMap": {"name": "a"}}],
                    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
                    "tolerations": [{"key": "k", "operator": "Exists"}],
                    "initContainers": [{"name": "first", "image": "busybox"}],
                    "containers": [{"name": "proxy", "image": "milvusdb/milvus:v2.6.16",
                        "ports": [{"name": "milvus", "containerPort": 19530}, {"name": "metrics", "containerPort": 9091}],
                        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                        "livenessProbe": {"tcpSocket": {"port": "metrics"}, "periodSeconds": 30},
                        "resources": {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"cpu": "2"}},
                        "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "config", "mountPath": "/config"}]}]}}}})
}

fn service() -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a-proxy", "namespace": "ns"},
        "spec": {"selector": {"component": "proxy"}, "ports": [{"name": "metrics", "port": 9091, "targetPort": "metrics"}]}})
}

/// All that is seen of an object: by its limits, and by the types of both versions.
fn seen(object: &Value) -> Vec<Fault> {
    let mut found = limits::faults(object);
    for version in VERSIONS {
        if let Reading::Read(faults) = kinds::read(version, object) {
            found.extend(faults);
        }
    }
    found
}

const CONTAINER: &str = "/spec/template/spec/containers/0";

/// What is put where in a Deployment (with `~` for its container), and where the fault is seen.
fn wrong_in_a_deployment() -> Vec<(&'static str, Value, &'static str)> {
    let long = || json!("x".repeat(64));
    vec![
        ("/bogus", json!(1), "/bogus"),
        ("/spec/template/spec/bogus", json!(1), "/spec/template/spec/bogus"),
        (
            "~/livenessProbe/tcpSocket/bogus",
            json!(1),
            "~/livenessProbe/tcpSocket/bogus",
        ),
        ("~/args", json!("milvus"), "~/args"),
        ("~/env/1/value", json!(2), "~/env/1/value"),
        ("/metadata/name", json!("x".repeat(254)), "/metadata/name"),
        ("/metadata/name", json!("A"), "/metadata/name"),
        ("/metadata/namespace", long(), "/metadata/namespace"),
        ("/metadata/labels/component", long(), "/metadata/labels/component"),
        ("/metadata/labels/a b", json!("x"), "/metadata/labels/a b"),
        ("/metadata/annotations/n", json!(1), "/metadata/annotations/n"),
        ("/spec/replicas", json!(-1), "/spec/replicas"),
        ("/spec/selector/matchLabels/component", json!("other"), "/spec/selector"),
        ("/spec/strategy/type", json!("Recreate"), "/spec/strategy"),
        ("/spec/strategy/rollingUpdate/maxSurge", json!(0), "/spec/strategy"),
        (
            "/spec/template/spec/nodeSelector/disk",
            json!("a b"),
            "/spec/template/spec/nodeSelector/disk",
        ),
        (
            "/spec/template/spec/restartPolicy",
            json!("Never"),
            "/spec/template/spec/restartPolicy",
        ),
        (
            "/spec/template/spec/volumes/2",
            json!({"name": "data", "emptyDir": {}}),
            "/spec/template/spec/volumes/2/name",
        ),
        (
            "/spec/template/spec/volumes/1/emptyDir",
            json!({}),
            "/spec/template/spec/volumes/1",
        ),
        (
            "/spec/template/spec/tolerations/0/value",
            json!("v"),
            "/spec/template/spec/tolerations/0",
        ),
        (
            "/spec/template/spec/topologySpreadConstraints/0/maxSkew",
            json!(0),
            "/spec/template/spec/topologySpreadConstraints/0",
        ),
        ("/spec/template/spec/initContainers/0/name", json!("proxy"), "~/name"),
        (
            "/spec/template/spec/initContainers/0/livenessProbe",
            json!({"exec": {}}),
            "/spec/template/spec/initContainers/0/livenessProbe",
        ),
        ("~/name", long(), "~/name"),
        ("~/image", json!(""), "~/image"),
        ("~/ports/0/containerPort", json!(65536), "~/ports/0/containerPort"),
        ("~/ports/0/containerPort", json!(9091), "~/ports/1"),
        ("~/ports/0/name", json!("metrics"), "~/ports/1/name"),
        ("~/ports/0/name", json!("streaming-node-x"), "~/ports/0/name"),
        ("~/env/1/name", json!("A"), "~/env/1/name"),
        (
            "~/env/1/valueFrom",
            json!({"fieldRef": {"fieldPath": "metadata.name"}}),
            "~/env/1",
        ),
        ("~/livenessProbe/httpGet", json!({"port": 9091}), "~/livenessProbe"),
        (
            "~/livenessProbe/tcpSocket/port",
            json!("other"),
            "~/livenessProbe/tcpSocket/port",
        ),
        (
            "~/livenessProbe/successThreshold",
            json!(2),
            "~/livenessProbe/successThreshold",
        ),
        (
            "~/livenessProbe/periodSeconds",
            json!(-1),
            "~/livenessProbe/periodSeconds",
        ),
        ("~/resources/limits/cpu", json!("500m"), "~/resources/requests/cpu"),
        ("~/resources/limits/cpu", json!("plenty"), "~/resources/limits/cpu"),
        (
            "~/resources/limits/ephemeral-storage",
            json!("-1"),
            "~/resources/limits/ephemeral-storage",
        ),
        (
            "~/volumeMounts/1/mountPath",
            json!("/data"),
            "~/volumeMounts/1/mountPath",
        ),
        ("~/volumeMounts/1/name", json!("other"), "~/volumeMounts/1/name"),
        ("~/volumeMounts/1/subPath", json!("../x"), "~/volumeMounts/1/subPath"),
    ]
}

fn wrong_in_a_service() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("/spec/bogus", json!(1), "/spec/bogus"),
        ("/metadata/name", json!("x".repeat(64)), "/metadata/name"),
        ("/metadata/name", json!("a.b"), "/metadata/name"),
        (
            "/spec/selector/component",
            json!("x".repeat(64)),
            "/spec/selector/component",
        ),
        ("/spec/ports", json!([]), "/spec/ports"),
        ("/spec/ports/0/port", json!(0), "/spec/ports/0/port"),
        (
            "/spec/ports/0/targetPort",
            json!("much-too-long-name"),
            "/spec/ports/0/targetPort",
        ),
        ("/spec/ports/1", json!({"name": "metrics", "port": 1}), "/spec/ports/1"),
        ("/spec/ports/1", json!({"name": "more", "port": 9091}), "/spec/ports/1"),
    ]
}

fn one_thing_wrong() -> Result<(), String> {
    for (right, wrong) in [
        (deployment(), wrong_in_a_deployment()),
        (service(), wrong_in_a_service()),
    ] {
        if let Some(fault) = seen(&right).first() {
            return Err(format!("what is right has a fault: {fault:?}"));
        }
        for (at, value, place) in wrong {
            let (at, place) = (at.replace('~', CONTAINER), place.replace('~', CONTAINER));
            let mut object = right.clone();
            put(&mut object, &at, value);
            let found = seen(&object);
            if !found.iter().any(|f| f.at == place) {
                return Err(format!("{at} is not seen at {place} but {found:?}"));
            }
            if found.iter().any(|f| f.at != place && f.at != at) {
                return Err(format!("{at} is seen elsewhere too: {found:?}"));
            }
        }
    }
    Ok(())
}

fn put(object: &mut Value, at: &str, value: Value) {
    let (parent, key) = at.rsplit_once('/').expect("a pointer");
    match object.pointer_mut(parent).expect("its parent") {
        Value::Object(map) => drop(map.insert(key.into(), value)),
        Value::Array(list) => list.push(value),
        other => panic!("{other} holds nothing"),
    }
}

/// What came between the two versions is known to one of them alone.
fn versions_differ() -> Result<(), String> {
    let mut grpc = deployment();
    put(
        &mut grpc,
        &format!("{CONTAINER}/readinessProbe"),
        json!({"grpc": {"port": 9091}}),
    );
    let read = |version| kinds::read(version, &grpc);
    let unknown = vec![Fault::new(
        format!("{CONTAINER}/readinessProbe/grpc"),
        "a field that the type does not have",
    )];
    match (read(Version::Oldest), read(Version::Newest)) {
        (Reading::Read(old), Reading::Read(new)) if old == unknown && new.is_empty() => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// Which kinds are typed by which version, and that nothing is passed over in silence.
fn what_is_typed() -> Result<(), String> {
    let of = |api: &str, kind: &str, version| {
        let bare = json!({"apiVersion": api, "kind": kind, "metadata": {"name": "a"}, "spec": {}});
        match kinds::read(version, &bare) {
            Reading::Read(_) => "read",
            Reading::NotServed => "not served",
            Reading::Custom => "custom",
            Reading::Unlisted => "unlisted",
        }
    };
    for (api, kind, oldest, newest) in [
        ("apps/v1", "Deployment", "read", "read"),
        ("policy/v1", "PodDisruptionBudget", "not served", "read"),
        ("policy/v1beta1", "PodDisruptionBudget", "read", "not served"),
        ("autoscaling/v2", "HorizontalPodAutoscaler", "not served", "read"),
        ("autoscaling/v2beta2", "HorizontalPodAutoscaler", "read", "not served"),
        ("apps/v1beta1", "Deployment", "not served", "not served"),
        ("monitoring.coreos.com/v1", "ServiceMonitor", "custom", "custom"),
        ("apps/v1", "Deploymint", "unlisted", "unlisted"),
        ("corp.example.com/v1", "Thing", "unlisted", "unlisted"),
    ] {
        let got = (of(api, kind, Version::Oldest), of(api, kind, Version::Newest));
        if got != (oldest, newest) {
            return Err(format!("{api} {kind} is {got:?}"));
        }
    }
    Ok(())
}

fn references_are_followed() -> Result<(), String> {
    let autoscaler = |name: &str| {
        json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a", "namespace": "ns"},
            "spec": {"scaleTargetRef": {"kind": "Deployment", "name": name}, "maxReplicas": 2}})
    };
    let mut lost = service();
    lost["spec"]["selector"]["component"] = json!("rootcoord");
    let mut proxy = deployment();
    put(
        &mut proxy,
        &format!("{CONTAINER}/args"),
        json!(["milvus", "run", "proxy"]),
    );
    let mut moved = proxy.clone();
    moved["spec"]["selector"]["matchLabels"] = json!({"app.kubernetes.io/instance": "a"});
    let all = read(&[proxy, service(), autoscaler("a-proxy"), lost, autoscaler("gone"), moved]);
    let faults = |i: usize| references::faults(&all[i], ChangeOp::Inject, &all);
    let places = |i: usize| faults(i).into_iter().map(|f| f.at).collect::<Vec<_>>();
    for (i, wanted) in [(0, vec![]), (1, vec![]), (2, vec![]), (4, vec!["/spec"])] {
        if places(i) != wanted {
            return Err(format!("{}: {:?}", all[i].reference, faults(i)));
        }
    }
    if places(3).first().map(String::as_str) != Some("/spec/selector") {
        return Err("a Service that selects nothing is not seen".into());
    }
    match (references::moved(&all[0], &all[0]), references::moved(&all[5], &all[0])) {
        (None, Some(fault)) if fault.at == "/spec/selector" => Ok(()),
        other => Err(format!("a moved selector: {other:?}")),
    }
}

fn read(objects: &[Value]) -> Vec<Object> {
    let text: String = objects.iter().map(|o| format!("---\n{o}\n")).collect();
    Stream::read(text.as_bytes(), Input::Target).expect("objects").objects
}
