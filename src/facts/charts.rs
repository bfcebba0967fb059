//! What versions of the Milvus chart render.

use std::sync::OnceLock;

use serde::Deserialize;

use super::{chart, chart_option, load, version};
use crate::milvus::version::Version;

/// The kind of the liveness probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Liveness {
    /// Asks for a page.
    HttpGet,
    /// Opens a connection.
    TcpSocket,
}

/// A generation of the bundled Pulsar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pulsar {
    /// The chart's `pulsar`.
    V2,
    /// The chart's `pulsarv3`.
    V3,
}

/// What a range of chart versions renders.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools)]
pub struct ChartShape {
    /// The first version.
    #[serde(deserialize_with = "chart")]
    pub from: semver::Version,
    /// The first version after it.
    #[serde(deserialize_with = "chart")]
    pub before: semver::Version,
    /// The liveness probe; `None` where it was not read.
    pub liveness: Option<Liveness>,
    /// Renders security contexts.
    pub security_contexts: bool,
    /// Renders `topologySpreadConstraints`.
    pub spread_constraints: bool,
    /// Has an init container that merges the configuration.
    pub config_init_container: bool,
    /// Starts Milvus through `run-helm.sh`.
    pub run_helm_prefix: bool,
    /// Has a template for streamingnode.
    pub streamingnode: bool,
    /// Renders it by default (`streaming.enabled`).
    pub streamingnode_default: bool,
    /// Renders indexnode by default.
    pub indexnode_default: bool,
    /// Has Services for the four coordinators.
    pub legacy_services: bool,
    /// Has a Service for indexnode.
    pub indexnode_service: bool,
    /// Has an autoscaler for indexnode.
    pub indexnode_hpa: bool,
    /// Knows `replicaResourceGroups`.
    pub resource_groups: bool,
    /// Writes `woodpecker.storage` into `default.yaml`.
    pub writes_woodpecker_storage: bool,
    /// The Pulsar that is on by default.
    pub pulsar_default: Pulsar,
    /// The queue of a standalone by default.
    pub standalone_mq_default: &'static str,
    /// The version of the etcd chart it brings; `None` where it was not read.
    #[serde(deserialize_with = "chart_option")]
    pub etcd_chart: Option<semver::Version>,
    /// The version of the MinIO chart it brings.
    #[serde(deserialize_with = "chart_option")]
    pub minio_chart: Option<semver::Version>,
    /// The version of the older Pulsar's chart it brings.
    #[serde(deserialize_with = "chart_option")]
    pub pulsar_chart: Option<semver::Version>,
    /// The version of the newer Pulsar's chart it brings.
    #[serde(deserialize_with = "chart_option")]
    pub pulsarv3_chart: Option<semver::Version>,
    /// The version of the Kafka chart it brings.
    #[serde(deserialize_with = "chart_option")]
    pub kafka_chart: Option<semver::Version>,
    /// Where it was read.
    pub source: &'static str,
    /// The day it was checked.
    pub checked: &'static str,
}

/// A chart version and the Milvus it installs by default.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChartRelease {
    /// The chart's version.
    #[serde(deserialize_with = "chart")]
    pub chart: semver::Version,
    /// Its `appVersion`.
    #[serde(deserialize_with = "version")]
    pub app: Version,
    /// Where it was read.
    pub source: &'static str,
    /// The day it was checked.
    pub checked: &'static str,
}

/// A chart version at which something begins.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChartMark {
    /// The first version of which it holds.
    #[serde(deserialize_with = "chart")]
    pub chart: semver::Version,
    /// What begins.
    pub meaning: &'static str,
    /// Where it was read.
    pub source: &'static str,
    /// The day it was checked.
    pub checked: &'static str,
}

/// The chart versions that rules ask for by name.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
#[serde(deny_unknown_fields)]
pub struct ChartMarks {
    /// Pulsar 3 is the default.
    pub pulsar_v3_default: ChartMark,
    /// Made for Milvus 2.6.
    pub milvus_2_6: ChartMark,
    /// Brings a new etcd chart.
    pub etcd_chart_8: ChartMark,
    /// Moves a local Woodpecker's directory.
    pub woodpecker_root_path: ChartMark,
    /// Only in the new repository.
    pub repository_moved: ChartMark,
}

/// Chart versions that should not be taken.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Avoided {
    /// The first of them.
    #[serde(deserialize_with = "chart")]
    pub from: semver::Version,
    /// The first version after them.
    #[serde(deserialize_with = "chart")]
    pub before: semver::Version,
    /// Why.
    pub reason: &'static str,
    /// Where it was read.
    pub source: &'static str,
    /// The day it was checked.
    pub checked: &'static str,
}

impl Avoided {
    /// Whether a version is one of them.
    #[must_use]
    pub fn contains(&self, chart: &semver::Version) -> bool {
        *chart >= self.from && *chart < self.before
    }
}

/// The table of charts.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
#[serde(deny_unknown_fields)]
pub struct Charts {
    /// What is rendered, ascending; versions between were not read.
    pub shapes: Vec<ChartShape>,
    /// What is installed by default, ascending; versions between were not read.
    pub releases: Vec<ChartRelease>,
    /// Not to be taken, ascending.
    pub avoid: Vec<Avoided>,
    /// By name.
    pub marks: ChartMarks,
}

impl Charts {
    /// What a chart version renders; `None` when it is not known.
    #[must_use]
    pub fn shape(&self, chart: &semver::Version) -> Option<&ChartShape> {
        self.shapes.iter().find(|s| *chart >= s.from && *chart < s.before)
    }

    /// The Milvus that exactly this chart version installs by default, where known.
    #[must_use]
    pub fn app_version(&self, chart: &semver::Version) -> Option<&Version> {
        self.releases.iter().find(|r| r.chart == *chart).map(|r| &r.app)
    }

    /// The newest release of a line that a chart here installs, candidates left out; `None` where none does.
    #[must_use]
    pub fn newest(&self, line: (u64, u64)) -> Option<&Version> {
        let of_line = self.releases.iter().map(|r| &r.app);
        of_line.filter(|v| v.line() == line && !v.is_pre()).max()
    }
}

/// The table of charts.
pub fn charts() -> &'static Charts {
    static TABLE: OnceLock<Charts> = OnceLock::new();
    TABLE.get_or_init(|| load("charts"))
}
