//! The effective configuration of a component, gathered from the objects of its stream.

use std::borrow::Cow;
use std::sync::Arc;

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
    file: &'a str,
    volume: &'a Value,
    /// The ConfigMap's name, and the key in it.
    source: Option<(&'a str, &'a str)>,
    path: String,
}

/// The longest key of a ConfigMap and the longest name of an object, in bytes, that Kubernetes keeps. Every setting
/// repeats the key below which it stands.
const LONGEST: usize = 253;

/// The objects of a stream, and the ConfigMaps among them by their names.
#[derive(Debug)]
pub struct ConfigMaps<'o> {
    objects: &'o [Object],
    named: HashMap<&'o str, First<'o>>,
    /// The length of the longest of the names: what many workloads or mounts mean may be longer.
    longest: usize,
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
        let longest = named.keys().map(|name| name.len()).max();
        ConfigMaps {
            objects,
            named,
            longest: longest.unwrap_or_default(),
        }
    }

    /// The one (index into the objects) that a workload means by a name.
    fn meant_by(&self, user: &Object, name: &str) -> Option<usize> {
        if name.len() > self.longest {
            return None;
        }
        self.named.get(name)?.agreeing(&user.reference.namespace)
    }
}

/// The ConfigMap (index into the objects) and key that a component mounts as `default.yaml`.
pub fn default_yaml(among: &ConfigMaps, component: &Component) -> Option<(usize, String)> {
    let object = &among.objects[component.object];
    let container = object.value.pointer(&component.container)?;
    let mounted = mounts(object, container, component);
    let file = mounted.iter().find(|m| m.file == "default.yaml")?;
    let (name, key) = file.source.filter(|(_, key)| key.len() <= LONGEST)?;
    Some((among.meant_by(object, name)?, key.to_owned()))
}

/// Every ConfigMap (index into the objects) and key that a component reads as a configuration file.
pub fn sources(among: &ConfigMaps, component: &Component) -> Vec<(usize, String)> {
    let object = &among.objects[component.object];
    let Some(container) = object.value.pointer(&component.container) else {
        return vec![];
    };
    let mounted = mounts(object, container, component);
    let each = mounted.iter().filter_map(|m| {
        let (name, key) = m.source.filter(|(_, key)| key.len() <= LONGEST)?;
        Some((among.meant_by(object, name)?, key.to_owned()))
    });
    each.collect()
}

/// A configuration file of a component, by the names that lead to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source<'a> {
    /// The path it is read at: `/milvus/configs/user.yaml`.
    pub file: String,
    /// The pod's volume.
    pub volume: &'a str,
    /// The ConfigMap, whether it is among the manifests or not.
    pub config_map: &'a str,
    /// The key in it.
    pub key: &'a str,
}

/// The ConfigMaps a component reads its configuration from, as its pod template names them.
pub fn read_from<'a>(object: &'a Object, component: &Component) -> Vec<Source<'a>> {
    let Some(container) = object.value.pointer(&component.container) else {
        return vec![];
    };
    let (mounted, folder) = (mounts(object, container, component), folder(container));
    let each = mounted.iter().filter_map(|m| {
        let (config_map, key) = m.source?;
        Some(Source {
            file: format!("{folder}/{}", m.file),
            volume: text_at(m.volume, &["name"])?,
            config_map,
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
    let owner = Arc::new(Owner {
        kind: object.reference.kind.clone(),
        name: object.reference.name.clone(),
    });
    let Some(container) = object.value.pointer(&component.container) else {
        return Config::default();
    };
    let environment = Environment::of(Arc::clone(&owner), container, &component.container);
    let mut unknown = Vec::new();
    let mut files: [Option<Text>; 2] = [None, None];
    for mounted in mounts(object, container, component) {
        let slot = match mounted.file {
            "default.yaml" | "milvus.yaml" => Some(0),
            "user.yaml" => Some(1),
            _ => None,
        };
        let read = match slot {
            Some(slot) => text(among, object, &mounted, texts).map(|text| files[slot] = Some(text)),
            None if mounted.file.ends_with(".yaml") => Err((
                UnknownWhy::ExtraVolume,
                format!("`{}` is mounted among Milvus' configuration files", mounted.file),
            )),
            None => Ok(()),
        };
        let Err((why, text)) = read else {
            continue;
        };
        let layer = match mounted.file {
            "default.yaml" => Layer::DefaultYaml,
            _ => Layer::UserYaml,
        };
        unknown.push(Unknown {
            why,
            text,
            key: None,
            origin: Origin {
                layer,
                object: Arc::clone(&owner),
                path: mounted.path,
            },
        });
    }
    let mut config = texts.layers(files).with_env(&environment, since26);
    config.unknown.extend(unknown);
    config
}

/// What a file says that a workload mounts; why that cannot be seen.
fn text(among: &ConfigMaps, user: &Object, mounted: &Mounted, texts: &Texts) -> Result<Text, (UnknownWhy, String)> {
    let file = mounted.file;
    let Some((name, key)) = mounted.source else {
        let volume = text_at(mounted.volume, &["name"]).unwrap_or("?");
        let text = format!("{file} comes from volume `{volume}`, which is no ConfigMap");
        return Err((UnknownWhy::ExtraVolume, text));
    };
    let (map, named_key) = (begun(name), begun(key));
    let absent = |text: String| Err((UnknownWhy::ConfigNotInStream, text));
    let Some(index) = among.meant_by(user, name) else {
        return absent(format!(
            "{file} comes from ConfigMap `{map}`, key `{named_key}`, which is not among these manifests"
        ));
    };
    if key.len() > LONGEST {
        return absent(format!(
            "{file} comes from ConfigMap `{map}`, key `{named_key}` of {} bytes, and Kubernetes keeps none of more than {LONGEST}",
            key.len()
        ));
    }
    let from = &among.objects[index];
    let Some(text) = text_at(&from.value, &["data", key]) else {
        return absent(format!("ConfigMap `{map}` has no text under the key `{key}`"));
    };
    let unreadable = |why: String| Err((UnknownWhy::Unreadable, format!("ConfigMap `{map}`, `{key}`{why}")));
    match texts.read(from, key, text) {
        Ok(value) if value.is_object() || value.is_null() => Ok(Text {
            owner: Arc::new(Owner {
                kind: "ConfigMap".into(),
                name: name.to_owned(),
            }),
            path: format!("/data/{}#", escape(key)),
            value,
        }),
        Ok(_) => unreadable(": its text is no mapping".to_owned()),
        Err(e) => unreadable(format!(", {e}")),
    }
}

/// A name as a reason shows it: that of many mounts may be one, and of any length.
fn begun(name: &str) -> Cow<'_, str> {
    match name.len() {
        ..=LONGEST => name.into(),
        _ => format!("{}…", name.chars().take(20).collect::<String>()).into(),
    }
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
    let (mut found, mut items) = (Vec::new(), Items::default());
    for (i, mount) in list.into_iter().flatten().enumerate() {
        let Some(at) = text_at(mount, &["mountPath"]) else {
            continue;
        };
        let name = text_at(mount, &["name"]);
        let Some(volume) = volumes.get(&name).copied() else {
            continue;
        };
        let mut add = |file: &'a str, subpath: Option<&'a str>| {
            found.push(Mounted {
                file,
                volume,
                source: items.source(volume, subpath.unwrap_or(file)),
                path: format!("{}/volumeMounts/{i}", component.container),
            });
        };
        match at.trim_end_matches('/').strip_prefix(folder) {
            Some(file) if file.starts_with('/') && !file[1..].contains('/') => {
                add(&file[1..], text_at(mount, &["subPath"]).filter(|s| !s.is_empty()));
            }
            Some("") => ["default.yaml", "user.yaml"]
                .into_iter()
                .for_each(|file| add(file, None)),
            _ => {}
        }
    }
    found
}

/// The keys of ConfigMaps by the paths at which the items of their volumes put them: many mounts may look among many.
#[derive(Default)]
struct Items<'a>(HashMap<*const Value, HashMap<&'a str, Option<&'a str>>>);

impl<'a> Items<'a> {
    /// The ConfigMap's name and the key behind a path in a volume.
    fn source(&mut self, volume: &'a Value, path: &'a str) -> Option<(&'a str, &'a str)> {
        let map = volume.entry("configMap").filter(|m| m.is_object())?;
        let name = text_at(map, &["name"])?;
        let Some(items) = map.entry("items").and_then(Value::as_array) else {
            return Some((name, path));
        };
        let keys = self.0.entry(std::ptr::from_ref(volume)).or_insert_with(|| {
            // Of several of one path the first.
            let each = items.iter().rev();
            each.filter_map(|item| Some((text_at(item, &["path"])?, text_at(item, &["key"]))))
                .collect()
        });
        Some((name, (*keys.get(path)?)?))
    }
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
    fn what_is_hidden_says_how_far_the_rest_is_certain() {
        let data = json!({"user.yaml": "mq: {type: kafka}", "x.yaml": "a: b", "x.conf": "a"});
        let volume = json!({"name": "c", "configMap": {"name": "cm"}});
        let with = |other: &str| {
            let mount =
                |file: &str| json!({"name": "c", "mountPath": format!("/milvus/configs/{file}"), "subPath": file});
            mq(&objects(
                volume.clone(),
                json!([mount("user.yaml"), mount(other)]),
                data.clone(),
            ))
        };
        // Another file of settings may lie over user.yaml; one of another kind is none.
        let extra = with("x.yaml");
        assert_eq!(
            (extra.unknown[0].why, extra.value("mq.type")),
            (UnknownWhy::ExtraVolume, Some("kafka"))
        );
        assert_eq!(
            extra.unknown[0].to_string(),
            "`x.yaml` is mounted among Milvus' configuration files"
        );
        assert!(extra.certain("mq.type").is_err());
        let conf = with("x.conf");
        assert!(conf.unknown.is_empty() && conf.certain("mq.type").is_ok());
        // What default.yaml says, which is not there, lies below user.yaml.
        let absent = with("default.yaml");
        assert_eq!(absent.unknown[0].why, UnknownWhy::ConfigNotInStream);
        assert!(absent.certain("mq.type").is_ok() && absent.certain("etcd.rootPath").is_err());
    }

    #[test]
    fn of_several_items_of_one_path_the_first_counts() {
        let data = json!({"a": "mq: {type: pulsar}", "b": "mq: {type: kafka}"});
        let mount = json!([{"name": "c", "mountPath": "/milvus/configs/user.yaml", "subPath": "u"}]);
        let items = |items: Value| json!({"name": "c", "configMap": {"name": "cm", "items": items}});
        let two = items(json!([{"path": "x", "key": "b"}, {"path": "u", "key": "a"}, {"path": "u", "key": "b"}]));
        assert_eq!(
            mq(&objects(two, mount.clone(), data.clone())).value("mq.type"),
            Some("pulsar")
        );
        let keyless = items(json!([{"path": "u"}, {"path": "u", "key": "b"}]));
        let config = mq(&objects(keyless, mount, data));
        assert!(config.unknown[0].text.contains("no ConfigMap"), "{:?}", config.unknown);
    }

    #[test]
    fn what_no_server_keeps_cannot_be_seen_and_is_not_repeated() {
        let mount = json!([{"name": "c", "mountPath": "/milvus/configs/user.yaml", "subPath": "u"}]);
        let of = |map: &str, key: &str| {
            let mut data = Value::Object(Default::default());
            data.as_object_mut()
                .unwrap()
                .insert(key.into(), "mq: {type: kafka}".into());
            let items = json!([{"path": "u", "key": key}]);
            let volume = json!({"name": "c", "configMap": {"name": map, "items": items}});
            let objects = objects(volume, mount.clone(), data);
            let component = &inventory(&objects).releases[0].components[0];
            (mq(&objects), sources(&ConfigMaps::of(&objects), component).len())
        };
        let (longest, long) = (format!("{}x", "é".repeat(LONGEST / 2)), "é".repeat(LONGEST));
        let (config, sources) = of("cm", &longest);
        assert_eq!((config.value("mq.type"), sources), (Some("kafka"), 1));
        let begun = "é".repeat(20);
        for (map, key, words) in [
            ("cm", &long, format!("ConfigMap `cm`, key `{begun}…` of 506 bytes")),
            (
                &long,
                &long,
                format!("ConfigMap `{begun}…`, key `{begun}…`, which is not"),
            ),
            (
                &long,
                &longest,
                format!("ConfigMap `{begun}…`, key `{longest}`, which is not"),
            ),
        ] {
            let (config, sources) = of(map, key);
            assert_eq!((config.unknown[0].why, sources), (UnknownWhy::ConfigNotInStream, 0));
            assert!(config.unknown[0].text.contains(&words), "{:?}", config.unknown);
            assert!(config.certain("mq.type").is_err());
        }
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
