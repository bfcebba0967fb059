//! Configuration keys and defaults that change on the way from 2.5 to 2.6.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde::Deserialize;

use super::{chart, line, load, version, version_option};
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

/// How the value of a key goes into the key that replaces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValueFit {
    /// It does not: the new key means something else.
    #[default]
    Not,
    /// As it is.
    AsIs,
    /// Divided by the CPU cores of a node.
    PerCore,
}

/// One key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRow {
    /// As documented; a trailing `*` stands for every key below.
    pub key: &'static str,
    /// What becomes of it.
    pub status: KeyStatus,
    /// The key to use instead, where there is one.
    pub new: Option<&'static str>,
    /// How the value goes into that key.
    #[serde(default)]
    pub value: ValueFit,
    /// The value with which a kept key that means something else now needs no review.
    #[serde(default)]
    pub review_unless: Option<&'static str>,
    /// The first target of which it holds.
    #[serde(deserialize_with = "version")]
    pub since: Version,
    /// What else to know; may be empty.
    pub note: &'static str,
    /// Where it was read.
    pub source: &'static str,
    /// The day it was checked.
    pub checked: &'static str,
}

impl KeyRow {
    /// Whether the key has been without effect for as long as the table reaches back, the lines before 2.6 included.
    #[must_use]
    pub fn is_always(&self) -> bool {
        self.status.is_ignored() && self.since.patch == 0 && self.since.line() < super::streaming_line()
    }
}

/// A default that changed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultRow {
    /// The key.
    pub key: &'static str,
    /// The default before; empty where the key did not exist.
    pub old: &'static str,
    /// The default from `since` on.
    pub new: &'static str,
    /// The first version with the new default.
    #[serde(deserialize_with = "version")]
    pub since: Version,
    /// Why it matters.
    pub matters: &'static str,
    /// Where it was read.
    pub source: &'static str,
    /// The day it was checked.
    pub checked: &'static str,
}

/// A key that the chart writes into `default.yaml` itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChartKeyRow {
    /// The key.
    pub key: &'static str,
    /// The values that its defaults and switches give; empty: any.
    pub values: Vec<&'static str>,
    /// The first chart version of which it holds.
    #[serde(deserialize_with = "chart")]
    pub from: semver::Version,
    /// The first version after it.
    #[serde(deserialize_with = "chart")]
    pub before: semver::Version,
    /// Where it was read.
    pub source: &'static str,
    /// The day it was checked.
    pub checked: &'static str,
}

impl ChartKeyRow {
    /// Whether a chart version is one that writes the key.
    #[must_use]
    pub fn covers(&self, chart: &semver::Version) -> bool {
        *chart >= self.from && *chart < self.before
    }
}

/// What to know on the way from one line to another.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoteRow {
    /// The line it starts from.
    #[serde(deserialize_with = "line")]
    pub from: (u64, u64),
    /// The line it leads to.
    #[serde(deserialize_with = "line")]
    pub to: (u64, u64),
    /// The version from which it need not be said any more.
    #[serde(default, deserialize_with = "version_option")]
    pub below: Option<Version>,
    /// What to know.
    pub what: &'static str,
    /// What to do with that.
    #[serde(rename = "do")]
    pub advice: &'static str,
    /// Where it was read.
    pub source: &'static str,
    /// The day it was checked.
    pub checked: &'static str,
}

/// Every key of which something is known, by name.
pub fn config_keys() -> &'static [KeyRow] {
    static TABLE: OnceLock<Vec<KeyRow>> = OnceLock::new();
    TABLE.get_or_init(|| load("config-keys"))
}

/// The rows by normalised key: those of one, and those of all that begin with the same.
fn rows_of(key: &str) -> impl Iterator<Item = &'static KeyRow> {
    type Index = (HashMap<String, Vec<&'static KeyRow>>, Vec<(String, &'static KeyRow)>);
    static INDEX: OnceLock<Index> = OnceLock::new();
    let (exact, beginnings) = INDEX.get_or_init(|| {
        let mut index = Index::default();
        for row in config_keys() {
            match row.key.strip_suffix('*') {
                Some(prefix) => index.1.push((normalise(prefix), row)),
                None => index.0.entry(normalise(row.key)).or_default().push(row),
            }
        }
        index
    });
    let exact = exact.get(key).into_iter().flatten().copied();
    let of_prefix = beginnings
        .iter()
        .filter(move |(prefix, _)| key.starts_with(prefix.as_str()));
    exact.chain(of_prefix.map(|(_, row)| *row))
}

/// Whether anything is known of a key (normalised), under whatever version.
#[must_use]
pub fn is_told_of(key: &str) -> bool {
    rows_of(key).next().is_some()
}

/// What becomes of a key (in any spelling) under a target version; `None`: nothing is known, it is taken as kept. Of
/// several rows the one with the latest `since` that the target reaches counts.
#[must_use]
pub fn key_status(key: &str, target: &Version) -> Option<&'static KeyRow> {
    rows_of(&normalise(key))
        .filter(|row| row.since <= *target)
        .max_by(|a, b| a.since.cmp(&b.since))
}

/// The defaults that changed.
pub fn default_changes() -> &'static [DefaultRow] {
    static TABLE: OnceLock<Vec<DefaultRow>> = OnceLock::new();
    TABLE.get_or_init(|| load("defaults-changed"))
}

/// The keys that the chart writes into `default.yaml` itself.
pub fn chart_keys() -> &'static [ChartKeyRow] {
    static TABLE: OnceLock<Vec<ChartKeyRow>> = OnceLock::new();
    TABLE.get_or_init(|| load("chart-keys"))
}

/// Whether a chart version writes a key with this value into `default.yaml` unasked. For a version that no row covers,
/// and where it is not known, every row counts.
#[must_use]
pub fn chart_writes(key: &str, value: &str, chart: Option<&semver::Version>) -> bool {
    let covers = |row: &ChartKeyRow| chart.is_some_and(|c| row.covers(c));
    static INDEX: OnceLock<HashMap<String, Vec<&ChartKeyRow>>> = OnceLock::new();
    let index = INDEX.get_or_init(|| {
        let mut index: HashMap<String, Vec<&ChartKeyRow>> = HashMap::new();
        for row in chart_keys() {
            index.entry(normalise(row.key)).or_default().push(row);
        }
        index
    });
    let Some(rows) = index.get(&normalise(key)) else {
        return false;
    };
    let known = chart_keys().iter().any(covers);
    rows.iter()
        .filter(|row| !known || covers(row))
        .any(|row| row.values.is_empty() || row.values.contains(&value))
}

/// What to know on the way from one line to another.
pub fn notes() -> &'static [NoteRow] {
    static TABLE: OnceLock<Vec<NoteRow>> = OnceLock::new();
    TABLE.get_or_init(|| load("notes"))
}
