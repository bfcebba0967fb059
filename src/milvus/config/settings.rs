//! What layers set, key by key.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use super::{File, Layer, Origin, STREAMING_SWITCH, Setting, Unknown, UnknownWhy, normalise};
use crate::facts;
use crate::value::Value;
use crate::value::pointer::escape;

/// What one configuration file sets: shared by all workloads that read it, whatever else they read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::milvus) struct FileLayer {
    pub(super) of: BTreeMap<Arc<str>, Arc<Setting>>,
    told: Vec<Told>,
    /// Why it cannot be known, where the file is no mapping.
    pub(super) unknown: Option<Unknown>,
}

/// A setting of which [`is_told_of`], in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    key: Arc<str>,
    setting: Arc<Setting>,
    /// The one of the same key before it, which it overrides.
    before: Option<Arc<Setting>>,
}

impl FileLayer {
    /// Reads what a file sets. Of two spellings of one key the later wins.
    pub(in crate::milvus) fn of(file: &File<'_>, layer: &Layer) -> FileLayer {
        let mut found = FileLayer::default();
        let origin = |path: String| Origin {
            layer: layer.clone(),
            object: Arc::clone(&file.owner),
            path,
        };
        match file.value {
            Value::Null => {}
            Value::Object(_) => flatten(
                file.value,
                &mut String::new(),
                &mut file.path.to_owned(),
                &mut |key, path, value| {
                    found.set(Setting {
                        value: Some(value),
                        hidden: None,
                        origin: origin(path.to_owned()),
                        key: key.to_owned(),
                    });
                },
            ),
            _ => {
                found.unknown = Some(Unknown {
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
        found
    }

    fn set(&mut self, setting: Setting) {
        let (key, setting): (Arc<str>, _) = (normalise(&setting.key).into(), Arc::new(setting));
        let before = self.of.insert(Arc::clone(&key), Arc::clone(&setting));
        if is_told_of(&key) {
            self.told.push(Told { key, setting, before });
        }
    }

    /// How many there are of which [`is_told_of`], with those that are overridden.
    pub(super) fn told(&self) -> usize {
        self.told.len()
    }

    /// Those of which [`is_told_of`], with their keys: of several of one key the last counts.
    pub(super) fn told_of(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Setting>)> {
        self.told.iter().map(|told| (&told.key, &told.setting))
    }

    /// Those of them that others override where this file lies over another.
    pub(super) fn overridden<'s>(
        &'s self,
        below: Option<&'s FileLayer>,
    ) -> impl Iterator<Item = (&'s Arc<str>, &'s Arc<Setting>)> {
        self.told.iter().filter_map(move |told| {
            let before = told.before.as_ref().or_else(|| below?.of.get(&told.key));
            Some((&told.key, before?))
        })
    }
}

/// Whether the embedded tables tell anything of a key (normalised), or Milvus itself asks for it by this name.
pub(super) fn is_told_of(key: &str) -> bool {
    static SWITCH: LazyLock<String> = LazyLock::new(|| normalise(STREAMING_SWITCH));
    facts::is_told_of(key) || *key == **SWITCH
}

/// Settings of the environment by their normalised keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Settings {
    pub of: BTreeMap<Arc<str>, Arc<Setting>>,
    /// Those that another of the same key overrides, in their order.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    #[test]
    fn of_a_list_the_scalars_are_one_value() {
        let mut all = Vec::new();
        let value = json!({"a": {"b": ["x", 1, ["y"], {"z": 1}, null, true]}, "c": []});
        let mut found = |key: &str, path: &str, text: String| all.push((key.to_owned(), path.to_owned(), text));
        flatten(&value, &mut String::new(), &mut String::new(), &mut found);
        let of = |key: &str, path: &str, text: &str| (key.to_owned(), path.to_owned(), text.to_owned());
        assert_eq!(all, [of("a.b", "/a/b", "x,1,,true"), of("c", "/c", "")]);
    }
}
