//! What the API server refuses beyond the types: names, labels, annotations, and the fields of the kinds that are written.
//!
//! Sources: Kubernetes' documentation ("Object Names and IDs", "Labels and Selectors", "Annotations"), apimachinery's
//! `pkg/util/validation` and the API server's `pkg/apis/{core,apps}/validation`.

use std::collections::BTreeSet;

use milvus_uplift::kube::object::escape;
use milvus_uplift::kube::quantity::Quantity;
use milvus_uplift::kube::{selector, workload};
use milvus_uplift::value::{Map, Value};

use super::{Fault, pods};

/// Everything that the API server would object to.
pub fn faults(object: &Value) -> Vec<Fault> {
    let mut found = Vec::new();
    let kind = object["kind"].as_str().unwrap_or_default();
    metadata(object, kind, &mut found);
    match kind {
        "Service" => service(object, &mut found),
        "ConfigMap" => config_map(object, &mut found),
        "PodDisruptionBudget" => budget(object, &mut found),
        "HorizontalPodAutoscaler" => autoscaler(object, &mut found),
        _ => {}
    }
    if let Some(pointer) = workload::template_pointer(kind) {
        labels(object, &format!("{pointer}/metadata/labels"), &mut found);
        annotations(object, &format!("{pointer}/metadata/annotations"), &mut found);
        pods::faults(object, kind, &format!("{pointer}/spec"), &mut found);
    }
    if ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"].contains(&kind) {
        controller(object, kind, &mut found);
    }
    found
}

fn metadata(object: &Value, kind: &str, found: &mut Vec<Fault>) {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let wrong = match kind {
        "Service" => not_a_label(name),
        // Roles may be called anything that fits into a path.
        _ if kind.contains("Role") => None,
        _ => not_a_subdomain(name),
    };
    found.extend(wrong.map(|why| Fault::new("/metadata/name", format!("of a {kind}: {why}"))));
    // The controller marks each pod of a StatefulSet with its name and with the revision, both labels.
    if kind == "StatefulSet" && name.len() > 52 {
        found.push(Fault::new(
            "/metadata/name",
            "of a StatefulSet: over 52 characters, no pod could be labelled",
        ));
    }
    if let Some(namespace) = object["metadata"]["namespace"].as_str()
        && let Some(why) = not_a_label(namespace)
    {
        found.push(Fault::new("/metadata/namespace", why));
    }
    labels(object, "/metadata/labels", found);
    annotations(object, "/metadata/annotations", found);
}

/// A DNS label (RFC 1123). A Service's may not begin with a digit before Kubernetes 1.34 either; what deployed it has
/// such names already.
pub fn not_a_label(name: &str) -> Option<&'static str> {
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    match name.as_bytes() {
        [] => Some("empty"),
        [_, .., b'-'] | [b'-', ..] => Some("begins or ends in a hyphen"),
        b if !b.iter().all(|c| inner(*c)) => Some("other characters than a-z, 0-9 and hyphens"),
        b if b.len() > 63 => Some("over 63 characters"),
        _ => None,
    }
}

fn not_a_subdomain(name: &str) -> Option<&'static str> {
    match name.len() {
        254.. => Some("over 253 characters"),
        // A part may be longer than 63 characters: the whole is what is limited.
        _ => name
            .split('.')
            .find_map(not_a_label)
            .filter(|why| *why != "over 63 characters"),
    }
}

fn is_name_part(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.len() <= 63 && edge(text.chars().next()) && edge(text.chars().last()) && text.chars().all(inner)
}

fn is_qualified(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => not_a_subdomain(prefix).is_none() && is_name_part(name),
        None => is_name_part(key),
    }
}

/// The labels, or the label selector, at a pointer.
pub fn labels(object: &Value, pointer: &str, found: &mut Vec<Fault>) {
    for (key, value) in object.pointer(pointer).and_then(Value::as_object).into_iter().flatten() {
        let at = format!("{pointer}/{}", escape(key));
        if !is_qualified(key) {
            found.push(Fault::new(
                &at,
                "no key of a label: [prefix/]name, the name of at most 63 characters",
            ));
        }
        match value.as_str() {
            Some(v) if v.is_empty() || is_name_part(v) => {}
            Some(v) if v.len() > 63 => found.push(Fault::new(&at, "a label's value of over 63 characters")),
            Some(_) => found.push(Fault::new(
                &at,
                "no value of a label: letters, digits, hyphens, dots, underscores",
            )),
            None => found.push(Fault::new(&at, "a label's value that is no text")),
        }
    }
}

fn annotations(object: &Value, pointer: &str, found: &mut Vec<Fault>) {
    let mut size = 0;
    for (key, value) in object.pointer(pointer).and_then(Value::as_object).into_iter().flatten() {
        let at = format!("{pointer}/{}", escape(key));
        if !is_qualified(&key.to_lowercase()) {
            found.push(Fault::new(&at, "no key of an annotation"));
        }
        match value.as_str() {
            Some(v) => size += key.len() + v.len(),
            None => found.push(Fault::new(&at, "an annotation that is no text")),
        }
    }
    if size > 256 * 1024 {
        found.push(Fault::new(pointer, "annotations of over 256 KiB"));
    }
}

/// What every controller of pods has: replicas, a selector that its own template fits, a strategy.
fn controller(object: &Value, kind: &str, found: &mut Vec<Fault>) {
    let spec = &object["spec"];
    if let Some(replicas) = spec.get("replicas").filter(|r| !r.is_null())
        && replicas
            .as_i64()
            .is_none_or(|n| !(0..=i64::from(i32::MAX)).contains(&n))
    {
        found.push(Fault::new("/spec/replicas", "no number of replicas"));
    }
    labels(object, "/spec/selector/matchLabels", found);
    let own = &spec["template"]["metadata"]["labels"];
    let empty = spec["selector"].as_object().is_none_or(Map::is_empty);
    if empty || !selector::selects(&spec["selector"], false, own) {
        found.push(Fault::new(
            "/spec/selector",
            "does not select the pods of its own template",
        ));
    }
    let (field, only_rolling) = match kind {
        "Deployment" => ("strategy", "Recreate"),
        _ => ("updateStrategy", "OnDelete"),
    };
    let strategy = &spec[field];
    if strategy["type"] == only_rolling && strategy["rollingUpdate"].is_object() {
        found.push(Fault::new(
            format!("/spec/{field}"),
            "rollingUpdate beside another type of strategy",
        ));
    }
    let zero = |name: &str| {
        let value = &strategy["rollingUpdate"][name];
        value.as_i64() == Some(0) || value.as_str().is_some_and(|s| s == "0%" || s == "0")
    };
    if zero("maxSurge") && zero("maxUnavailable") {
        found.push(Fault::new(
            format!("/spec/{field}"),
            "neither surge nor unavailable pods: it could never roll",
        ));
    }
}

fn service(object: &Value, found: &mut Vec<Fault>) {
    labels(object, "/spec/selector", found);
    let ports = object["spec"]["ports"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let headless = object["spec"]["clusterIP"] == "None";
    if ports.is_empty() && !headless && object["spec"]["type"] != "ExternalName" {
        found.push(Fault::new("/spec/ports", "a Service without ports"));
    }
    let (mut names, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    for (i, port) in ports.iter().enumerate() {
        let at = format!("/spec/ports/{i}");
        let name = port["name"].as_str().unwrap_or_default();
        if name.is_empty() && ports.len() > 1 {
            found.push(Fault::new(&at, "one of several ports, without a name"));
        }
        if !name.is_empty() && not_a_label(name).is_some() {
            found.push(Fault::new(format!("{at}/name"), "no name of a Service's port"));
        }
        if !name.is_empty() && !names.insert(name) {
            found.push(Fault::new(&at, "a port's name twice"));
        }
        if !numbers.insert((port["port"].as_u64(), port["protocol"].as_str().unwrap_or("TCP"))) {
            found.push(Fault::new(&at, "a port twice"));
        }
        if !pods::is_port(&port["port"]) {
            found.push(Fault::new(format!("{at}/port"), "no number of a port"));
        }
        let target = &port["targetPort"];
        if !target.is_null() && !pods::is_port(target) && !target.as_str().is_some_and(pods::is_port_name) {
            found.push(Fault::new(
                format!("{at}/targetPort"),
                "neither a port's number nor its name",
            ));
        }
    }
}

fn config_map(object: &Value, found: &mut Vec<Fault>) {
    let mut size = 0;
    for (key, value) in object["data"].as_object().into_iter().flatten() {
        let at = format!("/data/{}", escape(key));
        let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if key.is_empty() || key.len() > 253 || !key.chars().all(inner) || key.starts_with("..") {
            found.push(Fault::new(&at, "no key of a ConfigMap"));
        }
        size += value.as_str().map_or(0, str::len);
    }
    if size > 1024 * 1024 {
        found.push(Fault::new("/data", "over 1 MiB"));
    }
}

fn budget(object: &Value, found: &mut Vec<Fault>) {
    labels(object, "/spec/selector/matchLabels", found);
    let spec = &object["spec"];
    if !spec["minAvailable"].is_null() && !spec["maxUnavailable"].is_null() {
        found.push(Fault::new("/spec", "both minAvailable and maxUnavailable"));
    }
}

fn autoscaler(object: &Value, found: &mut Vec<Fault>) {
    let spec = &object["spec"];
    let (least, most) = (spec["minReplicas"].as_i64().unwrap_or(1), spec["maxReplicas"].as_i64());
    if most.is_none_or(|most| most < least.max(1)) {
        found.push(Fault::new("/spec/maxReplicas", "missing, or below minReplicas"));
    }
}

/// Requests and limits: quantities, not negative, no request above its limit.
pub fn resources(container: &Value, at: &str, found: &mut Vec<Fault>) {
    let quantity = |section: &str, name: &str| {
        let value = container["resources"][section].get(name)?;
        Some(Quantity::from_value(value))
    };
    for section in ["requests", "limits"] {
        for name in container["resources"][section]
            .as_object()
            .into_iter()
            .flat_map(Map::keys)
        {
            let at = format!("{at}/resources/{section}/{}", escape(name));
            if !is_qualified(name) {
                found.push(Fault::new(&at, "no name of a resource"));
            }
            match quantity(section, name) {
                Some(Ok(q)) if q < Quantity::ZERO => found.push(Fault::new(&at, "a negative quantity")),
                Some(Err(_)) => found.push(Fault::new(&at, "no quantity")),
                _ => {}
            }
            if let (Some(Ok(request)), Some(Ok(limit))) = (quantity("requests", name), quantity("limits", name))
                && section == "requests"
                && request > limit
            {
                found.push(Fault::new(&at, "requests more than the limit"));
            }
        }
    }
}
