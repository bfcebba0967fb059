//! What the API server refuses in the spec of a pod.

use std::collections::BTreeSet;

use milvus_uplift::value::Value;

use super::Fault;
use super::limits::{labels, not_a_label, resources};

/// The faults of the pod spec at a pointer.
pub fn faults(object: &Value, kind: &str, pointer: &str, found: &mut Vec<Fault>) {
    if kind == "Rollout" && object["spec"]["workloadRef"].is_object() {
        return;
    }
    let Some(spec) = object.pointer(pointer).filter(|s| s.is_object()) else {
        found.push(Fault::new(pointer, "no spec of pods"));
        return;
    };
    labels(object, &format!("{pointer}/nodeSelector"), found);
    let volumes = volumes(object, spec, pointer, found);
    let mut names = BTreeSet::new();
    for field in ["initContainers", "containers"] {
        let list = spec[field].as_array().map(Vec::as_slice).unwrap_or_default();
        if field == "containers" && list.is_empty() {
            found.push(Fault::new(format!("{pointer}/{field}"), "no containers"));
        }
        for (i, container) in list.iter().enumerate() {
            let at = format!("{pointer}/{field}/{i}");
            let name = container["name"].as_str().unwrap_or_default();
            if let Some(why) = not_a_label(name) {
                found.push(Fault::new(format!("{at}/name"), format!("of a container: {why}")));
            }
            if !names.insert(name) {
                found.push(Fault::new(format!("{at}/name"), "a container's name twice"));
            }
            each(container, &at, &volumes, field == "containers", found);
        }
    }
    spreading(spec, pointer, found);
    let policy = spec["restartPolicy"].as_str().unwrap_or("Always");
    if policy != "Always" && ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"].contains(&kind) {
        found.push(Fault::new(
            format!("{pointer}/restartPolicy"),
            "its pods must always be started again",
        ));
    }
    if spec["terminationGracePeriodSeconds"].as_i64().is_some_and(|n| n < 0) {
        found.push(Fault::new(
            format!("{pointer}/terminationGracePeriodSeconds"),
            "negative",
        ));
    }
}

/// The names of the volumes that may be mounted.
fn volumes(object: &Value, spec: &Value, pointer: &str, found: &mut Vec<Fault>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (i, volume) in spec["volumes"].as_array().into_iter().flatten().enumerate() {
        let at = format!("{pointer}/volumes/{i}");
        let name = volume["name"].as_str().unwrap_or_default();
        if let Some(why) = not_a_label(name) {
            found.push(Fault::new(format!("{at}/name"), format!("of a volume: {why}")));
        }
        if !names.insert(name.to_owned()) {
            found.push(Fault::new(format!("{at}/name"), "a volume's name twice"));
        }
        let sources = volume.as_object().into_iter().flatten();
        if sources
            .filter(|(key, value)| *key != "name" && !value.is_null())
            .count()
            > 1
        {
            found.push(Fault::new(&at, "a volume of several sources"));
        }
    }
    let claims = object["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten();
    names.extend(claims.filter_map(|c| c["metadata"]["name"].as_str()).map(str::to_owned));
    names
}

fn each(container: &Value, at: &str, volumes: &BTreeSet<String>, serves: bool, found: &mut Vec<Fault>) {
    if container["image"]
        .as_str()
        .is_none_or(|i| i.is_empty() || i.trim() != i)
    {
        found.push(Fault::new(format!("{at}/image"), "no image"));
    }
    let ports = ports(container, at, found);
    environment(container, at, found);
    mounts(container, at, volumes, found);
    resources(container, at, found);
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let value = &container[probe];
        if value.is_object() {
            if !serves {
                found.push(Fault::new(format!("{at}/{probe}"), "a probe of an init container"));
            }
            self::probe(value, probe, &ports, &format!("{at}/{probe}"), found);
        }
    }
    let security = &container["securityContext"];
    if security["privileged"] == true && security["allowPrivilegeEscalation"] == false {
        found.push(Fault::new(
            format!("{at}/securityContext"),
            "privileged, and forbids what that allows",
        ));
    }
}

/// The number of a port.
pub fn is_port(value: &Value) -> bool {
    value.as_u64().is_some_and(|n| (1..=65535).contains(&n))
}

/// The name of a port (RFC 6335): at most 15 of a-z, 0-9 and single hyphens, a letter among them.
pub fn is_port_name(name: &str) -> bool {
    name.len() <= 15
        && not_a_label(name).is_none()
        && !name.contains("--")
        && name.bytes().any(|c| c.is_ascii_lowercase())
}

fn ports<'c>(container: &'c Value, at: &str, found: &mut Vec<Fault>) -> BTreeSet<&'c str> {
    let (mut names, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    for (i, port) in container["ports"].as_array().into_iter().flatten().enumerate() {
        let at = format!("{at}/ports/{i}");
        if !is_port(&port["containerPort"]) {
            found.push(Fault::new(format!("{at}/containerPort"), "no number of a port"));
        }
        // Twice the same: server-side apply, which is Helm 4's, merges by these two and refuses.
        if !numbers.insert((
            port["containerPort"].as_u64(),
            port["protocol"].as_str().unwrap_or("TCP"),
        )) {
            found.push(Fault::new(&at, "a port twice in one container"));
        }
        if let Some(name) = port["name"].as_str() {
            if !is_port_name(name) {
                found.push(Fault::new(
                    format!("{at}/name"),
                    "no name of a port: at most 15 characters",
                ));
            }
            if !names.insert(name) {
                found.push(Fault::new(format!("{at}/name"), "a port's name twice in one container"));
            }
        }
    }
    names
}

fn environment(container: &Value, at: &str, found: &mut Vec<Fault>) {
    let mut names = BTreeSet::new();
    for (i, variable) in container["env"].as_array().into_iter().flatten().enumerate() {
        let at = format!("{at}/env/{i}");
        let name = variable["name"].as_str().unwrap_or_default();
        let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(inner) {
            found.push(Fault::new(format!("{at}/name"), "no name of a variable"));
        }
        if !names.insert(name) {
            found.push(Fault::new(format!("{at}/name"), "a variable twice in one container"));
        }
        if variable["value"].as_str().is_some_and(|v| !v.is_empty()) && variable["valueFrom"].is_object() {
            found.push(Fault::new(&at, "a variable with both value and valueFrom"));
        }
    }
}

fn mounts(container: &Value, at: &str, volumes: &BTreeSet<String>, found: &mut Vec<Fault>) {
    let mut paths = BTreeSet::new();
    for (i, mount) in container["volumeMounts"].as_array().into_iter().flatten().enumerate() {
        let at = format!("{at}/volumeMounts/{i}");
        let path = mount["mountPath"].as_str().unwrap_or_default();
        if path.is_empty() || path.contains(':') {
            found.push(Fault::new(format!("{at}/mountPath"), "no path to mount at"));
        }
        if !paths.insert(path) {
            found.push(Fault::new(
                format!("{at}/mountPath"),
                "a path mounted twice in one container",
            ));
        }
        if !mount["name"].as_str().is_some_and(|name| volumes.contains(name)) {
            found.push(Fault::new(format!("{at}/name"), "mounts a volume that is not there"));
        }
        let sub = mount["subPath"].as_str().unwrap_or_default();
        if sub.starts_with('/') || sub.split('/').any(|part| part == "..") {
            found.push(Fault::new(format!("{at}/subPath"), "no relative path"));
        }
    }
}

fn probe(probe: &Value, kind: &str, ports: &BTreeSet<&str>, at: &str, found: &mut Vec<Fault>) {
    let handlers = ["exec", "httpGet", "tcpSocket", "grpc"];
    let given: Vec<&str> = handlers.into_iter().filter(|h| probe[h].is_object()).collect();
    if given.len() != 1 {
        found.push(Fault::new(at, "a probe needs exactly one handler"));
    }
    for handler in given.iter().filter(|h| **h != "exec") {
        let port = &probe[*handler]["port"];
        if !is_port(port) && !port.as_str().is_some_and(|name| ports.contains(name)) {
            found.push(Fault::new(format!("{at}/{handler}/port"), "no port of its container"));
        }
    }
    for (field, least) in [
        ("initialDelaySeconds", 0),
        ("periodSeconds", 1),
        ("timeoutSeconds", 1),
        ("successThreshold", 1),
        ("failureThreshold", 1),
    ] {
        let value = &probe[field];
        // The API server puts the default where 0 stands.
        if !value.is_null() && value.as_i64().is_none_or(|n| n < least && n != 0) {
            found.push(Fault::new(format!("{at}/{field}"), "no number that it could be"));
        }
    }
    if kind != "readinessProbe" && probe["successThreshold"].as_i64().is_some_and(|n| n > 1) {
        found.push(Fault::new(
            format!("{at}/successThreshold"),
            "must be 1 but for readiness",
        ));
    }
}

fn spreading(spec: &Value, pointer: &str, found: &mut Vec<Fault>) {
    let mut seen = BTreeSet::new();
    for (i, constraint) in spec["topologySpreadConstraints"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        let at = format!("{pointer}/topologySpreadConstraints/{i}");
        let of = |field: &str| constraint[field].as_str().unwrap_or_default();
        if constraint["maxSkew"].as_i64().is_none_or(|n| n < 1)
            || of("topologyKey").is_empty()
            || of("whenUnsatisfiable").is_empty()
        {
            found.push(Fault::new(&at, "needs maxSkew, topologyKey and whenUnsatisfiable"));
        }
        if !seen.insert((of("topologyKey"), of("whenUnsatisfiable"))) {
            found.push(Fault::new(&at, "the same key and way twice"));
        }
    }
    for (i, toleration) in spec["tolerations"].as_array().into_iter().flatten().enumerate() {
        if toleration["operator"] == "Exists" && toleration["value"].as_str().is_some_and(|v| !v.is_empty()) {
            found.push(Fault::new(
                format!("{pointer}/tolerations/{i}"),
                "Exists takes no value",
            ));
        }
    }
}
