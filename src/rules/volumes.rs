//! Which volume lies behind a path in a container, and which claims a workload holds.

use crate::kube::object::text_at;
use crate::kube::{Object, workload};
use crate::value::{Value, json};

/// The volume behind a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// What it is, in words: `claim rel-milvus`, `emptyDir`.
    pub what: String,
    /// Where in it the path lies.
    pub inside: String,
    /// Whether it outlives its pod.
    pub lasting: bool,
    /// JSON pointer to where it is declared, inside the object.
    pub pointer: String,
}

impl Volume {
    /// What it is, and where in it the path lies.
    pub fn shown(&self) -> String {
        match self.inside.is_empty() {
            true => self.what.clone(),
            false => format!("{} at {}", self.what, self.inside),
        }
    }
}

/// The volume behind a path in a container (its pointer). Where nothing is mounted there, the container's own layer.
pub fn behind(object: &Object, container: &str, path: &str) -> Volume {
    let mounts = object
        .value
        .pointer(&format!("{container}/volumeMounts"))
        .and_then(Value::as_array);
    let best = mounts
        .into_iter()
        .flatten()
        .filter_map(|mount| Some((mount, below(path, text_at(mount, &["mountPath"])?)?)))
        .min_by_key(|(_, rest)| rest.len());
    let own = Volume {
        what: "the container's own disk".into(),
        inside: String::new(),
        lasting: false,
        pointer: container.to_owned(),
    };
    let Some((mount, rest)) = best else { return own };
    let Some(name) = text_at(mount, &["name"]) else {
        return own;
    };
    let sub = text_at(mount, &["subPath"])
        .or_else(|| text_at(mount, &["subPathExpr"]))
        .unwrap_or_default();
    let inside = [sub.trim_matches('/'), rest]
        .into_iter()
        .filter(|p| !p.is_empty())
        .collect::<Vec<_>>()
        .join("/");
    let base = container.split("/containers/").next().unwrap_or_default();
    let list = object
        .value
        .pointer(&format!("{base}/volumes"))
        .and_then(Value::as_array);
    let declared = list
        .into_iter()
        .flatten()
        .enumerate()
        .find(|(_, v)| text_at(v, &["name"]) == Some(name));
    match declared {
        Some((i, volume)) => {
            let (what, lasting) = describe(volume);
            Volume {
                what,
                inside,
                lasting,
                pointer: format!("{base}/volumes/{i}"),
            }
        }
        // A StatefulSet's claims are named by template and pod, and outlive both.
        None if has_template(object, name) => Volume {
            what: format!("claim {name}-{}-0", object.reference.name),
            inside,
            lasting: true,
            pointer: "/spec/volumeClaimTemplates".into(),
        },
        None => own,
    }
}

/// What of a path lies below a folder.
fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    let rest = path.trim_end_matches('/').strip_prefix(folder.trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_matches('/'))
}

fn describe(volume: &Value) -> (String, bool) {
    if let Some(name) = text_at(volume, &["persistentVolumeClaim", "claimName"]) {
        return (format!("claim {name}"), true);
    }
    if let Some(path) = text_at(volume, &["hostPath", "path"]) {
        return (format!("hostPath {path}"), true);
    }
    for kind in ["emptyDir", "ephemeral"] {
        if volume.get(kind).is_some() {
            return (kind.to_owned(), false);
        }
    }
    let mut source = volume.clone();
    if let Some(map) = source.as_object_mut() {
        map.remove("name");
    }
    match source.as_object().and_then(|m| m.iter().next()) {
        Some((kind, at)) => {
            // Server and path say enough, and no secret.
            let part = |key: &str| text_at(at, &[key]).unwrap_or_default().to_owned();
            let words = [part("server"), part("path"), part("volumeHandle"), part("driver")];
            (format!("{kind} {}", words.join(" ").trim()).trim().to_owned(), true)
        }
        None => ("emptyDir".into(), false),
    }
}

fn has_template(object: &Object, name: &str) -> bool {
    templates(object).any(|t| t == name)
}

fn templates(object: &Object) -> impl Iterator<Item = &str> {
    let list = object.at(&["spec", "volumeClaimTemplates"]).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|t| text_at(t, &["metadata", "name"]))
}

/// The claims a workload's pods hold, in words, each once.
pub fn claims(object: &Object) -> Vec<String> {
    let empty = json!([]);
    let volumes = workload::template(object)
        .and_then(|t| t.pointer("/spec/volumes"))
        .unwrap_or(&empty);
    let named = volumes
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|v| text_at(v, &["persistentVolumeClaim", "claimName"]));
    let mut all: Vec<String> = named.map(|n| format!("claim {n}")).collect();
    all.extend(templates(object).map(|t| format!("claim {t}-{}-0", object.reference.name)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: &str, mounts: Value, volumes: Value, templates: Value) -> Object {
        let value = json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "s"}, "spec": {"volumeClaimTemplates": templates,
            "template": {"spec": {"containers": [{"name": "c", "volumeMounts": mounts}], "volumes": volumes}}}});
        Object::all_in(0, value).unwrap().remove(0)
    }

    #[test]
    fn the_deepest_mount_counts() {
        let mounts = json!([{"name": "a", "mountPath": "/var/lib/milvus"}, {"name": "b", "mountPath": "/var/lib/milvus/data/"}, {"name": "b", "mountPath": "/var/lib/mil"}]);
        let volumes =
            json!([{"name": "a", "persistentVolumeClaim": {"claimName": "x"}}, {"name": "b", "emptyDir": {}}]);
        let o = object("Deployment", mounts, volumes, json!([]));
        let at = |path: &str| behind(&o, "/spec/template/spec/containers/0", path);
        assert_eq!(at("/var/lib/milvus/rdb_data").shown(), "claim x at rdb_data");
        assert_eq!(
            (
                at("/var/lib/milvus/data").what.as_str(),
                at("/var/lib/milvus/data").lasting
            ),
            ("emptyDir", false)
        );
        assert!(!at("/var/lib/milvusx").lasting);
        assert_eq!(claims(&o), ["claim x"]);
    }

    #[test]
    fn a_stateful_set_claims_by_template() {
        let o = object(
            "StatefulSet",
            json!([{"name": "data", "mountPath": "/data", "subPath": "m"}]),
            json!([]),
            json!([{"metadata": {"name": "data"}}]),
        );
        let volume = behind(&o, "/spec/template/spec/containers/0", "/data/x");
        assert_eq!(
            (volume.shown().as_str(), volume.lasting),
            ("claim data-s-0 at m/x", true)
        );
        assert_eq!(claims(&o), ["claim data-s-0"]);
    }

    #[test]
    fn each_kind_of_volume_is_told_with_what_it_is_and_whether_it_lasts() {
        for (source, what, lasting) in [
            (json!({"hostPath": {"path": "/mnt/disk"}}), "hostPath /mnt/disk", true),
            (json!({"emptyDir": {}}), "emptyDir", false),
            (json!({"ephemeral": {"volumeClaimTemplate": {}}}), "ephemeral", false),
            (
                json!({"nfs": {"server": "files", "path": "/milvus"}}),
                "nfs files /milvus",
                true,
            ),
            (
                json!({"csi": {"driver": "disk.example", "volumeHandle": "vol-1"}}),
                "csi vol-1 disk.example",
                true,
            ),
            (json!({"azureFile": {"secretName": "hunter2"}}), "azureFile", true),
            // The API server makes an emptyDir of it.
            (json!({}), "emptyDir", false),
        ] {
            let mut volume = source;
            volume["name"] = "data".into();
            let o = object(
                "Deployment",
                json!([{"name": "data", "mountPath": "/data"}]),
                json!([volume]),
                json!([]),
            );
            let found = behind(&o, "/spec/template/spec/containers/0", "/data");
            assert_eq!((found.shown().as_str(), found.lasting), (what, lasting));
            assert_eq!(found.pointer, "/spec/template/spec/volumes/0");
        }
    }

    #[test]
    fn what_nothing_is_mounted_at_is_the_container_s_own() {
        let unnamed = json!([{"mountPath": "/data"}]);
        for mounts in [json!([]), json!([{"name": "data", "mountPath": "/data"}]), unnamed] {
            let o = object("Deployment", mounts, json!([]), json!([]));
            let found = behind(&o, "/spec/template/spec/containers/0", "/data");
            assert_eq!(
                (found.shown().as_str(), found.lasting),
                ("the container's own disk", false)
            );
            assert_eq!(found.pointer, "/spec/template/spec/containers/0");
        }
    }
}
