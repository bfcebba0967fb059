//! What comes follows most of the workloads where one of them is made otherwise: without it nothing would start, or with
//! another configuration.

use foldhash::{HashMap, HashSet};

use crate::rewrite::neutral::CONTAINERS;
use crate::rewrite::share::{PROBES, START, common_text, identity, starts};
use crate::value::{Map, Value, json};

/// The folder in which Milvus looks for its configuration.
const CONFIGS: &str = "/milvus/configs";

/// Completes what all share by what most have of that which it cannot be without: the image, the words that start it, the
/// configuration, probes with their ports, and the containers beside it. `None` where it has no container.
pub fn complete(shared: &mut Value, values: &[&Value]) -> Option<()> {
    let container = shared.pointer_mut(&format!("{CONTAINERS}/0"))?.as_object_mut()?;
    let most_have = |field: &str| {
        let pointer = format!("{CONTAINERS}/0/{field}");
        most(values.iter().filter_map(|v| v.pointer(&pointer)))
    };
    // One component may run another build of the same version.
    if !container.contains_key("image") {
        container.extend(most_have("image").map(|(image, _)| ("image".to_owned(), image.clone())));
    }
    start_as_most(container, values);
    for probe in PROBES {
        if !container.contains_key(probe) {
            let own = most_have(probe).filter(|(_, times)| *times > values.len() / 2);
            container.extend(own.map(|(own, _)| (probe.to_owned(), own.clone())));
        }
    }
    let probed: HashSet<String> = PROBES
        .into_iter()
        .filter_map(|probe| container.get(probe))
        .flat_map(|probe| ["httpGet", "tcpSocket", "grpc"].map(|way| probe[way]["port"].clone()))
        .filter_map(|port| port.as_str().map(str::to_owned))
        .collect();
    let ports = |port: &Value| port["name"].as_str().is_some_and(|name| probed.contains(name));
    add(container, "ports", values, ports);
    let configures = |mount: &Value| {
        let path = mount["mountPath"].as_str().map(|path| path.trim_end_matches('/'));
        path.is_some_and(|path| path == CONFIGS || path.strip_prefix(CONFIGS).is_some_and(|rest| rest.starts_with('/')))
    };
    let mounted = add(container, "volumeMounts", values, configures);
    let pod = shared.pointer_mut("/spec/template/spec")?.as_object_mut()?;
    add_volumes(pod, values, &mounted);
    let mut beside = add(pod, "initContainers", values, |_| true);
    // Milvus' own is there already.
    beside.extend(add(pod, "containers", values, |_| true));
    add_volumes(
        pod,
        values,
        beside.iter().filter_map(|c| c["volumeMounts"].as_array()).flatten(),
    );
    Some(())
}

/// Adds the volumes that mounts name.
fn add_volumes<'v>(pod: &mut Map, values: &[&Value], mounts: impl IntoIterator<Item = &'v Value>) {
    let named: HashSet<&str> = mounts.into_iter().filter_map(|mount| mount["name"].as_str()).collect();
    add(pod, "volumes", values, |v| {
        v["name"].as_str().is_some_and(|name| named.contains(name))
    });
}

/// Adds to a list what more than half of the workloads have there and it lacks, as far as it is wanted; what was added.
fn add(map: &mut Map, list: &str, values: &[&Value], wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
    let folder = if ["volumes", "containers", "initContainers"].contains(&list) {
        "/spec/template/spec".to_owned()
    } else {
        format!("{CONTAINERS}/0")
    };
    let pointer = format!("{folder}/{list}");
    let lists = values.iter().filter_map(|v| v.pointer(&pointer)?.as_array());
    let mut times: HashMap<String, usize> = HashMap::default();
    let mut all: Vec<Value> = Vec::new();
    for item in lists.flatten().filter(|item| wanted(item)) {
        let times = times.entry(common_text(item)).or_default();
        *times += 1;
        if *times == values.len() / 2 + 1 {
            all.push(item.clone());
        }
    }
    if all.is_empty() {
        return all;
    }
    let Some(there) = map.entry(list).or_insert(json!([])).as_array_mut() else {
        return vec![];
    };
    let known: HashSet<_> = there.iter().map(identity).collect();
    all.retain(|item| !known.contains(&identity(item)));
    there.extend(all.iter().cloned());
    all
}

/// Lets a container start as most do, where some spell it otherwise (`command` or `args`, words or a line of a shell).
fn start_as_most(container: &mut Map, values: &[&Value]) {
    if starts(container) {
        return;
    }
    let each = values
        .iter()
        .filter_map(|v| v.pointer(&format!("{CONTAINERS}/0"))?.as_object());
    let forms: Vec<Value> = each
        .filter(|c| starts(c))
        .map(|c| Value::from(&START.map(|field| c.get(field).cloned().unwrap_or_default())[..]))
        .collect();
    let Some((form, _)) = most(forms.iter()) else { return };
    let at = container.keys().position(|key| *key == *"image").map_or(0, |at| at + 1);
    for (i, field) in START.into_iter().enumerate().rev() {
        container.remove(field);
        if !form[i].is_null() {
            container.shift_insert(at.min(container.len()), field.into(), form[i].clone());
        }
    }
}

/// What comes most often, and how often; the first of those where several come as often.
fn most<'v>(values: impl Iterator<Item = &'v Value>) -> Option<(&'v Value, usize)> {
    let mut seen: Vec<(&Value, usize)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::default();
    for value in values {
        let at = *places.entry(common_text(value)).or_insert_with(|| {
            seen.push((value, 0));
            seen.len() - 1
        });
        seen[at].1 += 1;
    }
    // Of several that are the most the last is taken: from behind that is the first.
    seen.into_iter().rev().max_by_key(|(_, times)| *times)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rewrite::share::ARGS;

    #[test]
    fn the_first_of_the_images_that_most_run_is_taken() {
        let of = |images: &[&str]| -> Vec<Value> {
            let pod = |image: &&str| json!({"spec": {"template": {"spec": {"containers": [{"image": image}]}}}});
            images.iter().map(pod).collect()
        };
        for (images, want) in [
            (&["a", "b", "b"][..], Some("b")),
            (&["a", "b"], Some("a")),
            (&["b", "a", "a", "b"], Some("b")),
            (&[], None),
        ] {
            let all = of(images);
            let pointer = format!("{CONTAINERS}/0/image");
            let most = most(all.iter().filter_map(|v| v.pointer(&pointer)));
            assert_eq!(most.and_then(|(image, _)| image.as_str()), want, "{images:?}");
        }
    }

    #[test]
    fn a_probe_is_that_of_more_than_half() {
        let completed = |periods: &[u64]| {
            let pod = |period: &u64| {
                let probe = json!({"periodSeconds": *period});
                let container = json!({"name": "c", "args": ["run", ARGS], "livenessProbe": probe});
                json!({"spec": {"template": {"spec": {"containers": [container]}}}})
            };
            let values: Vec<Value> = periods.iter().map(pod).collect();
            let values: Vec<&Value> = values.iter().collect();
            let mut shared = crate::rewrite::share::share(&values).unwrap();
            complete(&mut shared, &values).unwrap();
            shared
                .pointer(&format!("{CONTAINERS}/0/livenessProbe/periodSeconds"))
                .and_then(Value::as_i64)
        };
        for (periods, want) in [
            (&[1, 1, 2][..], Some(1)),
            (&[2, 1, 1, 1], Some(1)),
            (&[1, 1, 2, 2], None),
            (&[1, 2], None),
            (&[1, 2, 3], None),
            (&[3, 3], Some(3)),
        ] {
            assert_eq!(completed(periods), want, "{periods:?}");
        }
    }

    #[test]
    fn what_it_cannot_be_without_is_that_of_most() {
        let pod = |mounts: Value, ports: Value, volume: &str| {
            json!({"spec": {"template": {"spec": {
                "containers": [{
                    "name": "c", "image": "m:1", "args": ["milvus", "run", ARGS], "readinessProbe": {"httpGet": {"port": "metrics"}},
                    "ports": ports, "volumeMounts": mounts,
                }],
                "volumes": [{"name": "c", "configMap": {"name": volume}}],
            }}}})
        };
        let mount = |path: &str| json!({"name": "c", "mountPath": path});
        let metrics = json!({"name": "metrics", "containerPort": 9091});
        let other = json!({"name": "other", "containerPort": 1});
        let whole = pod(
            json!([mount("/milvus/configs/default.yaml"), mount("/data")]),
            json!([other, metrics]),
            "conf",
        );
        let bare = pod(json!([]), json!([]), "another");
        let shared = || crate::rewrite::share::share(&[&whole, &whole, &bare]).unwrap();
        let mut most = shared();
        complete(&mut most, &[&whole, &whole, &bare]).unwrap();
        let container = most.pointer(&format!("{CONTAINERS}/0")).unwrap();
        assert_eq!(
            container["volumeMounts"],
            json!([mount("/milvus/configs/default.yaml")])
        );
        assert_eq!(container["ports"], json!([metrics]));
        let volumes = most.pointer("/spec/template/spec/volumes").unwrap();
        assert_eq!(volumes, &json!([{"name": "c", "configMap": {"name": "conf"}}]));
        let mut few = shared();
        complete(&mut few, &[&whole, &bare]).unwrap();
        assert_eq!(few, shared());
        let mut again = most.clone();
        complete(&mut again, &[&whole, &whole, &bare]).unwrap();
        assert_eq!(again, most);
    }
}
