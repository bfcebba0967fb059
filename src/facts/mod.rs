//! What is known of Milvus and its chart: embedded tables, each row with its source and the day it was checked.
//!
//! A table is read when it is first asked for, so that a run pays only for what it needs.

mod charts;
mod keys;
mod node;
mod print;
mod sizing;
mod versions;

pub use charts::{Avoided, ChartMark, ChartMarks, ChartRelease, ChartShape, Charts, Liveness, Pulsar, charts};
pub use keys::{
    ChartKeyRow, DefaultRow, KeyRow, KeyStatus, NoteRow, ValueFit, chart_keys, chart_writes, config_keys,
    default_changes, is_told_of, key_status, notes,
};
pub use node::Node;
pub use print::{Row, rows};
pub use sizing::{PortRow, Size, Sizing, Slots, StreamingRow, ports, sizing};
pub use versions::{
    Back, Defect, Fix, Hop, Hops, How, Mark, Marks, Minimum, Platform, Range, Versions, hops, stop_in, streaming_line,
    versions,
};

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use crate::milvus::version::Version;

/// One embedded table.
#[derive(Debug)]
pub struct Table {
    /// Its name, which is also that of its file.
    pub name: &'static str,
    /// What its file says (`build.rs`).
    pub tree: Node,
}

impl Table {
    /// What it says, for printing.
    ///
    /// # Errors
    /// When it is no JSON, which is tested.
    pub fn parsed(&'static self) -> Result<crate::value::Value, serde::de::value::Error> {
        crate::value::Value::deserialize(&self.tree)
    }
}

macro_rules! tables {
    ($($name:literal),* $(,)?) => {
        /// Every embedded table.
        pub static TABLES: &[Table] = &[$(Table { name: $name, tree: include!(concat!(env!("OUT_DIR"), "/", $name, ".rs")) }),*];
    };
}

tables! {
    "versions",
    "hops",
    "notes",
    "config-keys",
    "defaults-changed",
    "charts",
    "chart-keys",
    "sizing",
    "ports",
}

/// Reads an embedded table; that each one can be read is tested.
fn load<T: Deserialize<'static>>(name: &str) -> T {
    let table = TABLES.iter().find(|t| t.name == name);
    let tree = table.map_or(&Node::Null, |t| &t.tree);
    T::deserialize(tree).unwrap_or_else(|error| panic!("embedded table {name}: {error}"))
}

fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Version, D::Error> {
    let text = <&'de str>::deserialize(deserializer)?;
    Version::parse(text).map_err(D::Error::custom)
}

fn version_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Version>, D::Error> {
    let text: Option<&'de str> = Option::deserialize(deserializer)?;
    text.map(Version::parse).transpose().map_err(D::Error::custom)
}

fn chart<'de, D: Deserializer<'de>>(deserializer: D) -> Result<semver::Version, D::Error> {
    let text = <&'de str>::deserialize(deserializer)?;
    semver::Version::parse(text).map_err(D::Error::custom)
}

fn chart_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<semver::Version>, D::Error> {
    let text: Option<&'de str> = Option::deserialize(deserializer)?;
    text.map(semver::Version::parse).transpose().map_err(D::Error::custom)
}

fn line<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(u64, u64), D::Error> {
    let text = <&'de str>::deserialize(deserializer)?;
    let numbers = text.split_once('.').map(|(a, b)| (a.parse(), b.parse()));
    match numbers {
        Some((Ok(major), Ok(minor))) => Ok((major, minor)),
        _ => Err(D::Error::custom(format!("`{text}` is no release line"))),
    }
}

fn quantity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<crate::kube::quantity::Quantity, D::Error> {
    let text = <&'de str>::deserialize(deserializer)?;
    crate::kube::quantity::Quantity::parse(text).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests;
