//! What layers set, key by key.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, OnceLock};

use super::{File, Layer, Origin, STREAMING_SWITCH, Setting, Unknown, UnknownWhy, normalise};
use crate::facts;
use crate::value::Value;
use crate::value::pointer::escape;

/// The settings of the configuration files that workloads share.
#[derive(Debug, Clone, Default)]
pub(super) struct Files {
    pub all: Settings,
    told_of: OnceLock<Settings>,
}

impl PartialEq for Files {
    fn eq(&self, other: &Files) -> bool {
        self.all == other.all
    }
}

impl Eq for Files {}

impl Files {
    pub(super) fn new(all: Settings) -> Files {
        Files {
            all,
            told_of: OnceLock::new(),
        }
    }

    /// Those of which [`is_told_of`]; looked for once, however many workloads share the files.
    pub(super) fn told_of(&self) -> &Settings {
        self.told_of.get_or_init(|| {
            let told = |(key, _): &(&Arc<str>, &Arc<Setting>)| is_told_of(key);
            let own = |(key, setting): (&Arc<str>, &Arc<Setting>)| (Arc::clone(key), Arc::clone(setting));
            Settings {
                of: self.all.of.iter().filter(told).map(own).collect(),
                overridden: self.all.overridden().filter(told).map(own).collect(),
            }
        })
    }
}

/// Whether the embedded tables tell anything of a key (normalised), or Milvus itself asks for it by this name.
pub(super) fn is_told_of(key: &str) -> bool {
    static SWITCH: LazyLock<String> = LazyLock::new(|| normalise(STREAMING_SWITCH));
    facts::is_told_of(key) || *key == **SWITCH
}

/// Settings by their normalised keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Settings {
    pub of: BTreeMap<Arc<str>, Arc<Setting>>,
    /// Those that another of the same key overrides, in the order of the layers.
    pub overridden: Vec<(Arc<str>, Arc<Setting>)>,
}

impl Settings {
    pub(super) fn set(&mut self, key: String, setting: Setting) {
        let key: Arc<str> = key.into();
        if let Some(before) = self.of.insert(key.clone(), setting.into()) {
            self.overridden.push((key, before));
        }
    }

    /// Those that another overrides, with their keys.
    pub(super) fn overridden(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Setting>)> {
        self.overridden.iter().map(|(key, setting)| (key, setting))
    }

    /// Adds what a file sets; why it cannot be known, where it is no mapping.
    pub(super) fn add_file(&mut self, file: &File<'_>, layer: &Layer) -> Option<Unknown> {
        let origin = |path: String| Origin {
            layer: layer.clone(),
            object: file.owner.clone(),
            path,
        };
        match file.value {
            Value::Null => {}
            Value::Object(_) => flatten(
                file.value,
                &mut String::new(),
                &mut file.path.to_owned(),
                &mut |key, path, value| {
                    let setting = Setting {
                        value: Some(value),
                        hidden: None,
                        origin: origin(path.to_owned()),
                        key: key.to_owned(),
                    };
                    self.set(normalise(&setting.key), setting);
                },
            ),
            _ => {
                return Some(Unknown {
                    why: UnknownWhy::Unreadable,
                    text: format!(
                        "{} of {} {} is no YAML mapping",
                        file.path, file.owner.kind, file.owner.name
                    ),
                    key: None,
                    origin: origin(file.path.to_owned()),
                });
            }
        }
        None
    }
}

/// Calls `found` with (dotted key, pointer, value) for every leaf below a mapping.
fn flatten(value: &Value, key: &mut String, path: &mut String, found: &mut impl FnMut(&str, &str, String)) {
    match value {
        Value::Object(map) => {
            let before = (key.len(), path.len());
            for (name, child) in map {
                if !key.is_empty() {
                    key.push('.');
                }
                key.push_str(name);
                path.push('/');
                path.push_str(&escape(name));
                flatten(child, key, path, found);
                key.truncate(before.0);
                path.truncate(before.1);
            }
        }
        Value::Array(items) => {
            let items: Vec<String> = items
                .iter()
                .filter(|i| !i.is_array() && !i.is_object())
                .map(scalar)
                .collect();
            found(key, path, items.join(","));
        }
        leaf => found(key, path, scalar(leaf)),
    }
}

/// A scalar as Milvus gets it.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(s) => s.to_string(),
        other => other.to_string(),
    }
}
