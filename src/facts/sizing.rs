//! Sizes and ports of the components.

use std::sync::OnceLock;

use serde::Deserialize;

use super::{load, quantity, version_option};
use crate::kube::quantity::Quantity;
use crate::milvus::role::Role;
use crate::milvus::version::Version;

/// The size of one node.
#[derive(Debug, Clone, Deserialize)]
pub struct Size {
    /// CPU in cores.
    #[serde(deserialize_with = "quantity")]
    pub cpu: Quantity,
    /// Memory in bytes.
    #[serde(deserialize_with = "quantity")]
    pub memory: Quantity,
    /// Where it was read.
    pub source: String,
    /// The day it was checked.
    pub checked: String,
}

/// The streaming nodes for query nodes of a given size.
#[derive(Debug, Clone, Deserialize)]
pub struct StreamingRow {
    /// The cores of all query nodes together, up to which it holds.
    pub up_to_querynode_cores: u32,
    /// How many streaming nodes.
    pub replicas: u32,
    /// Of which size.
    #[serde(flatten)]
    pub size: Size,
}

/// The table of sizes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sizing {
    /// Streaming nodes by the cores of the query nodes, ascending.
    pub streamingnode: Vec<StreamingRow>,
    /// The size of a streaming node above the last row.
    pub streamingnode_above: Size,
    /// Mixcoord, small, middle and large.
    pub mixcoord: Vec<Size>,
    /// What one unit of index building takes.
    pub slot_unit: Size,
}

impl Sizing {
    /// How many streaming nodes of which size go with query nodes that have `cores` together.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn streamingnodes(&self, cores: f64) -> (u32, &Size) {
        let row = self
            .streamingnode
            .iter()
            .find(|row| cores <= f64::from(row.up_to_querynode_cores));
        match row {
            Some(row) => (row.replicas, &row.size),
            None => {
                let nodes = (2.0 * (cores / 16.0).ceil() / 8.0).ceil();
                // Saturates; no cluster comes near.
                (nodes as u32, &self.streamingnode_above)
            }
        }
    }

    /// How many units of index building one node of this size has; at least one, and one where a size is unknown.
    #[must_use]
    pub fn units(&self, cpu: Option<Quantity>, memory: Option<Quantity>) -> f64 {
        let (Some(cpu), Some(memory)) = (cpu, memory) else {
            return 1.0;
        };
        let by_cpu = cpu.as_f64() / self.slot_unit.cpu.as_f64();
        let by_memory = memory.as_f64() / self.slot_unit.memory.as_f64();
        by_cpu.min(by_memory).max(1.0)
    }
}

/// One port of a role.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortRow {
    /// The role as the word after `run`; `any` for a port of every role.
    pub role: String,
    /// The port's name.
    pub name: String,
    /// Its number by default.
    pub port: u16,
    /// The configuration key that changes it.
    pub key: Option<String>,
    /// The first version whose image has another default, where one has.
    #[serde(default, deserialize_with = "version_option")]
    pub moved_at: Option<Version>,
    /// That default.
    #[serde(default)]
    pub moved_to: Option<u16>,
    /// Where it was read.
    pub source: String,
    /// The day it was checked.
    pub checked: String,
}

impl PortRow {
    /// The number where no configuration says more: the image's own from that version on, the chart's before.
    #[must_use]
    pub fn default_of(&self, version: Option<&Version>) -> u16 {
        match (&self.moved_at, self.moved_to, version) {
            (Some(at), Some(to), Some(version)) if version >= at => to,
            _ => self.port,
        }
    }
}

/// The table of sizes.
pub fn sizing() -> &'static Sizing {
    static TABLE: OnceLock<Sizing> = OnceLock::new();
    TABLE.get_or_init(|| load("sizing"))
}

/// The ports of a role, its own first, then those of every role.
pub fn ports(role: Role) -> impl Iterator<Item = &'static PortRow> {
    static TABLE: OnceLock<Vec<PortRow>> = OnceLock::new();
    let table = TABLE.get_or_init(|| load("ports"));
    table
        .iter()
        .filter(move |row| row.role == role.as_str() || row.role == "any")
}
