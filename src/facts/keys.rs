//! Configuration keys and defaults that change on the way from 2.5 to 2.6.

use std::sync::OnceLock;

use serde::Deserialize;

use super::{load, version};
use crate::milvus::config::normalise;
use crate::milvus::version::Version;

/// What becomes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyStatus {
    /// Still read under its name.
    Kept,
    /// Still read as a fallback of its new name.
    RenamedWithFallback,
    /// Replaced by another key that has to be set instead; silently ignored.
    MovedWithoutFallback,
    /// Declared, perhaps, but read by nothing; silently ignored.
    Dead,
    /// Gone without a replacement; silently ignored.
    Removed,
}

impl KeyStatus {
    /// Whether the target ignores the key.
    #[must_use]
    pub fn is_ignored(self) -> bool {
        !matches!(self, KeyStatus::Kept | KeyStatus::RenamedWithFallback)
    }
}

/// One key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRow {
    /// As documented; a trailing `*` stands for every key below.
    pub key: String,
    /// What becomes of it.
    pub status: KeyStatus,
    /// The key to use instead, where there is one.
    pub new: Option<String>,
    /// The first target of which it holds.
    #[serde(deserialize_with = "version")]
    pub since: Version,
    /// What else to know; may be empty.
    pub note: String,
    /// Where it was read.
    pub source: String,
    /// The day it was checked.
    pub checked: String,
}

/// A default that changed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultRow {
    /// The key.
    pub key: String,
    /// The default before; empty where the key did not exist.
    pub old: String,
    /// The default from `since` on.
    pub new: String,
    /// The first version with the new default.
    #[serde(deserialize_with = "version")]
    pub since: Version,
    /// Why it matters.
    pub matters: String,
    /// Where it was read.
    pub source: String,
    /// The day it was checked.
    pub checked: String,
}

/// Every key of which something is known, by name.
pub fn config_keys() -> &'static [KeyRow] {
    static TABLE: OnceLock<Vec<KeyRow>> = OnceLock::new();
    TABLE.get_or_init(|| load("config-keys", include_str!("data/config-keys.yaml")))
}

/// What becomes of a key (in any spelling) under a target version; `None`: nothing is known, it is taken as kept. Of
/// several rows the one with the latest `since` that the target reaches counts.
#[must_use]
pub fn key_status(key: &str, target: &Version) -> Option<&'static KeyRow> {
    static INDEX: OnceLock<Vec<(String, bool, &KeyRow)>> = OnceLock::new();
    let index = INDEX.get_or_init(|| {
        let rows = config_keys().iter();
        rows.map(|row| match row.key.strip_suffix('*') {
            Some(prefix) => (normalise(prefix), true, row),
            None => (normalise(&row.key), false, row),
        })
        .collect()
    });
    let key = normalise(key);
    let rows = index.iter().filter(|(name, prefix, _)| {
        if *prefix {
            key.starts_with(name.as_str())
        } else {
            key == *name
        }
    });
    rows.map(|(_, _, row)| *row)
        .filter(|row| row.since <= *target)
        .max_by(|a, b| a.since.cmp(&b.since))
}

/// The defaults that changed.
pub fn default_changes() -> &'static [DefaultRow] {
    static TABLE: OnceLock<Vec<DefaultRow>> = OnceLock::new();
    TABLE.get_or_init(|| load("defaults-changed", include_str!("data/defaults-changed.yaml")))
}
