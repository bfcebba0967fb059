//! The effective configuration of a component, gathered from the objects of its stream.

use foldhash::HashMap;

use super::config::{Config, Environment, Layer, Origin, Owner, Unknown, UnknownWhy};
use super::release::{Component, Release};
use super::role::env_value;
use crate::kube::Object;
use crate::kube::named::First;
use crate::kube::object::{escape, text_at};
use crate::value::Value;

mod texts;

use texts::Text;
pub use texts::Texts;

/// The folder Milvus reads its configuration from, unless `MILVUSCONF` names another
/// (upstream pkg/util/paramtable/base_table.go).
const FOLDER: &str = "/milvus/configs";

/// A file of the configuration folder and where it comes from.
struct Mounted<'a> {
    file: String,
    volume: &'a Value,
    subpath: Option<&'a str>,
    path: String,
}

/// The objects of a stream, and the ConfigMaps among them by their names.
#[derive(Debug)]
pub struct ConfigMaps<'o> {
    objects: &'o [Object],
    named: HashMap<&'o str, First<'o>>,
}

impl<'o> ConfigMaps<'o> {
    /// Looks for them among the objects.
    pub fn of(objects: &'o [Object]) -> ConfigMaps<'o> {
        let mut named: HashMap<&str, First> = HashMap::default();
        for (i, object) in objects.iter().enumerate() {
            let reference = &object.reference;
            if reference.kind == "ConfigMap" {
                named.entry(&reference.name).or_default().add(&reference.namespace, i);
            }
        }
        ConfigMaps { objects, named }
    }

    /// The one (index into the objects) that a workload means by a name.
    fn meant_by(&self, user: &Object, name: &str) -> Option<usize> {
        self.named.get(name)?.agreeing(&user.reference.namespace)
    }
}

/// The ConfigMap (index into the objects) and key that a component mounts as `default.yaml`.
pub fn default_yaml(among: &ConfigMaps, component: &Component) -> Option<(usize, String)> {
    let object = &among.objects[component.object];
    let container = object.value.pointer(&component.container)?;
    let mounted = mounts(object, container, component);
    let file = mounted.iter().find(|m| m.file == "default.yaml")?;
    let (name, key) = source(file)?;
    Some((among.meant_by(object, name)?, key))
}

/// Every ConfigMap (index into the objects) and key that a component reads as a configuration file.
pub fn sources(among: &ConfigMaps, component: &Component) -> Vec<(usize, String)> {
    let object = &among.objects[component.object];
    let Some(container) = object.value.pointer(&component.container) else {
        return vec![];
    };
    let mounted = mounts(object, container, component);
    let each = mounted.iter().filter_map(|m| {
        let (name, key) = source(m)?;
        Some((among.meant_by(object, name)?, key))
    });
    each.collect()
}

/// A configuration file of a component, by the names that lead to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The path it is read at: `/milvus/configs/user.yaml`.
    pub file: String,
    /// The pod's volume.
    pub volume: String,
    /// The ConfigMap, whether it is among the manifests or not.
    pub config_map: String,
    /// The key in it.
    pub key: String,
}

/// The ConfigMaps a component reads its configuration from, as its pod template names them.
pub fn read_from(object: &Object, component: &Component) -> Vec<Source> {
    let Some(container) = object.value.pointer(&component.container) else {
        return vec![];
    };
    let mounted = mounts(object, container, component);
    let each = mounted.iter().filter_map(|m| {
        let (config_map, key) = source(m)?;
        Some(Source {
            file: format!("{}/{}", folder(container), m.file),
            volume: text_at(m.volume, &["name"])?.to_owned(),
            config_map: config_map.to_owned(),
            key,
        })
    });
    each.collect()
}

/// The configuration of every component of a release, in their order. `line` is the release line of its images; `texts`
/// remembers what was read already.
pub fn configs(among: &ConfigMaps, release: &Release, line: (u64, u64), texts: &Texts) -> Vec<Config> {
    let since26 = line >= crate::facts::streaming_line();
    let components = release.components.iter();
    components.map(|c| config(among, c, since26, texts)).collect()
}

/// Lays out the configuration of a component: its environment over user.yaml over default.yaml over the image's.
pub fn config(among: &ConfigMaps, component: &Component, since26: bool, texts: &Texts) -> Config {
    let object = &among.objects[component.object];
    let owner = Owner {
        kind: object.reference.kind.clone(),
        name: object.reference.name.clone(),
    };
    let Some(container) = object.value.pointer(&component.container) else {
        return Config::default();
    };
    let environment = Environment::of(owner.clone(), container, &component.container);
    let mut unknown = Vec::new();
    let mut files: [Option<Text>; 2] = [None, None];
    for mounted in mounts(object, container, component) {
        let layer = if mounted.file == "default.yaml" {
            Layer::DefaultYaml
        } else {
            Layer::UserYaml
        };
        let mut hidden = |why: UnknownWhy, text: String| {
            let origin = Origin {
                layer: layer.clone(),
                object: owner.clone(),
                path: mounted.path.clone(),
            };
            unknown.push(Unknown {
                why,
                text,
                key: None,
                origin,
            });
        };
        let slot = match mounted.file.as_str() {
            "default.yaml" | "milvus.yaml" => 0,
            "user.yaml" => 1,
            other => {
                if other.ends_with(".yaml") {
                    hidden(
                        UnknownWhy::ExtraVolume,
                        format!("`{other}` is mounted among Milvus' configuration files"),
                    );
                }
                continue;
            }
        };
        let Some((name, key)) = source(&mounted) else {
            let volume = text_at(mounted.volume, &["name"]).unwrap_or("?");
            hidden(
                UnknownWhy::ExtraVolume,
                format!("{} comes from volume `{volume}`, which is no ConfigMap", mounted.file),
            );
            continue;
        };
        let Some(index) = among.meant_by(object, name) else {
            hidden(
                UnknownWhy::ConfigNotInStream,
                format!(
                    "{} comes from ConfigMap `{name}`, key `{key}`, which is not among these manifests",
                    mounted.file
                ),
            );
            continue;
        };
        let from = &among.objects[index];
        let Some(text) = text_at(&from.value, &["data", &key]) else {
            hidden(
                UnknownWhy::ConfigNotInStream,
                format!("ConfigMap `{name}` has no text under the key `{key}`"),
            );
            continue;
        };
        match texts.read(from, &key, text) {
            Ok(value) if value.is_object() || value.is_null() => {
                let owner = Owner {
                    kind: "ConfigMap".into(),
                    name: name.to_owned(),
                };
                let path = format!("/data/{}#", escape(&key));
                files[slot] = Some(Text { owner, path, value });
            }
            Ok(_) => hidden(
                UnknownWhy::Unreadable,
                format!("ConfigMap `{name}`, `{key}`: its text is no mapping"),
            ),
            Err(e) => hidden(UnknownWhy::Unreadable, format!("ConfigMap `{name}`, `{key}`, {e}")),
        }
    }
    let mut config = texts.layers(files).with_env(&environment, since26);
    config.unknown.extend(unknown);
    config
}

/// The folder a container's Milvus reads its configuration from.
fn folder(container: &Value) -> &str {
    env_value(container, "MILVUSCONF")
        .unwrap_or(FOLDER)
        .trim_end_matches('/')
}

/// The files that are mounted into the configuration folder, a folder's one by one.
fn mounts<'a>(object: &'a Object, container: &'a Value, component: &Component) -> Vec<Mounted<'a>> {
    let folder = folder(container);
    let spec = component.container.split("/containers/").next().unwrap_or_default();
    let volumes = object
        .value
        .pointer(&format!("{spec}/volumes"))
        .and_then(Value::as_array);
    let list = container.entry("volumeMounts").and_then(Value::as_array);
    // Of several of one name the first.
    let named = volumes.into_iter().flatten().rev().map(|v| (text_at(v, &["name"]), v));
    let volumes: HashMap<Option<&str>, &Value> = named.collect();
    let mut found = Vec::new();
    for (i, mount) in list.into_iter().flatten().enumerate() {
        let Some(at) = text_at(mount, &["mountPath"]) else {
            continue;
        };
        let name = text_at(mount, &["name"]);
        let Some(volume) = volumes.get(&name).copied() else {
            continue;
        };
        let path = format!("{}/volumeMounts/{i}", component.container);
        let subpath = text_at(mount, &["subPath"]).filter(|s| !s.is_empty());
        match at.trim_end_matches('/').strip_prefix(folder) {
            Some(file) if file.starts_with('/') && !file[1..].contains('/') => {
                found.push(Mounted {
                    file: file[1..].into(),
                    volume,
                    subpath,
                    path,
                });
            }
            Some("") => {
                for file in ["default.yaml", "user.yaml"] {
                    found.push(Mounted {
                        file: file.into(),
                        volume,
                        subpath: Some(file),
                        path: path.clone(),
                    });
                }
            }
            _ => {}
        }
    }
    found
}

/// The ConfigMap's name and key behind a mounted file.
fn source<'a>(mounted: &Mounted<'a>) -> Option<(&'a str, String)> {
    let map = mounted.volume.entry("configMap").filter(|m| m.is_object())?;
    let path = mounted.subpath.unwrap_or(&mounted.file);
    let items = map.entry("items").and_then(Value::as_array);
    let key = match items {
        Some(items) => text_at(items.iter().find(|i| text_at(i, &["path"]) == Some(path))?, &["key"])?,
        None => path,
    };
    Some((text_at(map, &["name"])?, key.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::milvus::release::inventory;
    use crate::value::json;

    fn objects(volume: Value, mounts: Value, data: Value) -> Vec<Object> {
        let workload = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a-proxy", "namespace": "n"},
            "spec": {"template": {"spec": {"containers": [{"name": "p", "image": "milvusdb/milvus:v2.5.16", "args": ["milvus", "run", "proxy"],
            "volumeMounts": mounts}], "volumes": [volume]}}}});
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm", "namespace": "n"}, "data": data});
        [workload, map]
            .into_iter()
            .flat_map(|v| Object::all_in(0, v).unwrap())
            .collect()
    }

    fn mq(objects: &[Object]) -> Config {
        let release = &inventory(objects).releases[0];
        config(
            &ConfigMaps::of(objects),
            &release.components[0],
            false,
            &Texts::default(),
        )
    }

    #[test]
    fn files_are_found_by_mount_subpath_and_items() {
        let data = json!({"default.yaml": "mq:\n  type: pulsar\n", "mine": "mq: {type: kafka}\n"});
        let default = json!({"name": "c", "mountPath": "/milvus/configs/default.yaml", "subPath": "default.yaml"});
        let user = json!({"name": "c", "mountPath": "/milvus/configs/user.yaml", "subPath": "u"});
        let items = json!([{"key": "mine", "path": "u"}, {"key": "default.yaml", "path": "default.yaml"}]);
        let volume = json!({"name": "c", "configMap": {"name": "cm", "items": items}});
        let config = mq(&objects(volume, json!([default, user]), data));
        assert_eq!(config.value("mq.type"), Some("kafka"));
        assert_eq!(config.get("mq.type").unwrap().origin.path, "/data/mine#/mq/type");
        assert!(config.unknown.is_empty());
    }

    #[test]
    fn a_whole_folder_is_mounted() {
        let data = json!({"default.yaml": "mq: {type: pulsar}", "user.yaml": ""});
        let volume = json!({"name": "c", "configMap": {"name": "cm"}});
        let config = mq(&objects(
            volume,
            json!([{"name": "c", "mountPath": "/milvus/configs/"}]),
            data,
        ));
        assert_eq!(config.value("mq.type"), Some("pulsar"));
    }

    #[test]
    fn what_cannot_be_seen_is_unknown() {
        let mount = json!([{"name": "c", "mountPath": "/milvus/configs/user.yaml", "subPath": "milvus.yaml"}]);
        for (volume, data, words) in [
            (
                json!({"name": "c", "configMap": {"name": "corp"}}),
                json!({}),
                "ConfigMap `corp`",
            ),
            (
                json!({"name": "c", "secret": {"secretName": "s"}}),
                json!({}),
                "no ConfigMap",
            ),
            (
                json!({"name": "c", "configMap": {"name": "cm"}}),
                json!({}),
                "no text under the key `milvus.yaml`",
            ),
            (
                json!({"name": "c", "configMap": {"name": "cm"}}),
                json!({"milvus.yaml": "a: b: c"}),
                "line 1",
            ),
            (
                json!({"name": "c", "configMap": {"name": "cm"}}),
                json!({"milvus.yaml": "- a"}),
                "no mapping",
            ),
        ] {
            let config = mq(&objects(volume, mount.clone(), data));
            assert!(config.unknown[0].text.contains(words), "{:?}", config.unknown);
            assert!(config.certain("mq.type").is_err());
        }
    }
}
