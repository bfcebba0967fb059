//! Versions at which Milvus changes, and the ways between them.

use std::sync::OnceLock;

use serde::Deserialize;

use super::{line, load, version, version_option};
use crate::milvus::version::Version;

/// A half-open range of versions. Pre-releases of `from` are below it.
#[derive(Debug, Deserialize)]
pub struct Range {
    /// The first version in it.
    #[serde(deserialize_with = "version")]
    pub from: Version,
    /// The first version after it.
    #[serde(deserialize_with = "version")]
    pub before: Version,
}

impl Range {
    /// Whether a version is in it.
    #[must_use]
    pub fn contains(&self, version: &Version) -> bool {
        *version >= self.from && *version < self.before
    }
}

/// A version at which something begins.
#[derive(Debug, Deserialize)]
pub struct Mark {
    /// The first version of which it holds.
    #[serde(deserialize_with = "version")]
    pub version: Version,
    /// What begins.
    pub meaning: &'static str,
    /// Where it was read.
    pub source: &'static str,
    /// The day it was checked.
    pub checked: &'static str,
}

/// The versions that rules ask for by name.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
#[serde(deny_unknown_fields)]
pub struct Marks {
    /// The lowest version from which 2.6 can be reached; from here on the coordinators become one.
    pub consolidate: Mark,
    /// The source to be preferred for targets from `prefer_for` on.
    pub prefer: Mark,
    /// See `prefer`.
    pub prefer_for: Mark,
    /// The first release of the streaming architecture.
    pub streaming: Mark,
    /// From here on there is no way back below.
    pub ddl_gate: Mark,
    /// The role cdc exists.
    pub cdc: Mark,
    /// The coordinator is always active-standby.
    pub active_standby_always: Mark,
    /// `streaming.walBalancer.expectedInitialStreamingNodeNum` exists.
    pub initial_streamingnodes: Mark,
    /// There is no storage format but the second.
    pub storage_v2_only: Mark,
    /// The queue's type is stored at the first start.
    pub mq_sticks: Mark,
    /// The queue can be switched while Milvus runs.
    pub mq_switch: Mark,
    /// Woodpecker on local storage stops a cluster.
    pub woodpecker_local_refused: Mark,
    /// The first target with all fixes known.
    pub sensible_target: Mark,
    /// 3.0 can go back to it.
    pub back_from_3_0: Mark,
    /// The first release after the 2.6 line.
    pub third: Mark,
    /// Components can be upgraded one by one.
    pub rolling_upgrade: Mark,
}

/// Targets that must not be upgraded to.
#[derive(Debug, Deserialize)]
pub struct Defect {
    /// Which.
    #[serde(flatten)]
    pub range: Range,
    /// What goes wrong.
    pub reason: &'static str,
    /// The assumption (`--assume KEY=true`) under which it does not matter.
    pub lifted_by: Option<&'static str>,
    /// Where it was read.
    pub source: &'static str,
    /// The day it was checked.
    pub checked: &'static str,
}

/// A fix that a target below misses.
#[derive(Debug, Deserialize)]
pub struct Fix {
    /// The first version with it.
    #[serde(deserialize_with = "version")]
    pub fixed_in: Version,
    /// What was fixed.
    pub what: &'static str,
    /// Where it was read.
    pub source: &'static str,
    /// The day it was checked.
    pub checked: &'static str,
}

/// The lowest version of something outside Milvus.
#[derive(Debug, Deserialize)]
pub struct Minimum {
    /// As its makers write it: `3.14.0`, or the date of a MinIO release.
    pub version: &'static str,
    /// Where it was read.
    pub source: &'static str,
    /// The day it was checked.
    pub checked: &'static str,
}

/// What 2.6 needs around it.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// Helm.
    pub helm: Minimum,
    /// Kubernetes.
    pub kubernetes: Minimum,
    /// MinIO under Woodpecker, by date (`yyyy-mm-dd`).
    pub minio_release: Minimum,
}

/// The table of versions.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
#[serde(deny_unknown_fields)]
pub struct Versions {
    /// By name.
    pub marks: Marks,
    /// Targets that must not be upgraded to, ascending.
    pub defects: Vec<Defect>,
    /// Fixes, ascending.
    pub fixes: Vec<Fix>,
    /// What is needed around Milvus.
    pub platform: Platform,
}

impl Versions {
    /// The defect of a target, if it has one that an upgrade from 2.5 meets.
    #[must_use]
    pub fn defect(&self, target: &Version) -> Option<&Defect> {
        self.defects.iter().find(|d| d.range.contains(target))
    }

    /// The fixes that a 2.6 target misses, ascending; none for other lines.
    pub fn missing_fixes<'a>(&'a self, target: &'a Version) -> impl Iterator<Item = &'a Fix> {
        let fixes = self.fixes.iter();
        fixes.filter(move |f| f.fixed_in.line() == target.line() && f.fixed_in > *target)
    }
}

/// How a line is left for the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// By changing the image.
    Rolling,
    /// The metadata has to be migrated while Milvus is stopped.
    Migration,
}

/// One documented way from a release line to a later one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hop {
    /// The line it starts from.
    #[serde(deserialize_with = "line")]
    pub from: (u64, u64),
    /// The line it leads to.
    #[serde(deserialize_with = "line")]
    pub to: (u64, u64),
    /// How.
    pub how: How,
    /// The lowest version from which the line may be left.
    #[serde(deserialize_with = "version_option")]
    pub leave_at: Option<Version>,
    /// The version from which it is better left.
    #[serde(deserialize_with = "version_option")]
    pub prefer_at: Option<Version>,
    /// The image of the tool that migrates the metadata, where that is how.
    #[serde(default)]
    pub tool_image: Option<&'static str>,
    /// What to know.
    pub note: &'static str,
    /// Where it was read.
    pub source: &'static str,
    /// The day it was checked.
    pub checked: &'static str,
}

/// A way back that is known to work, or known not to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Back {
    /// The versions it starts from.
    pub from: Range,
    /// The versions it leads to.
    pub to: Range,
    /// Whether it works; with a warning even so.
    pub allowed: bool,
    /// Why.
    pub note: &'static str,
    /// Where it was read.
    pub source: &'static str,
    /// The day it was checked.
    pub checked: &'static str,
}

/// The table of ways.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
#[serde(deny_unknown_fields)]
pub struct Hops {
    /// Ways up, ascending.
    pub hops: Vec<Hop>,
    /// Ways back; the first that fits counts.
    pub back: Vec<Back>,
}

impl Hops {
    /// The documented way from a line straight to another; `None` when there is none, also within one line.
    #[must_use]
    pub fn direct(&self, from: (u64, u64), to: (u64, u64)) -> Option<&Hop> {
        self.hops.iter().find(|h| h.from == from && h.to == to)
    }

    /// The hops from a line up to another, one after the other; empty within one line, `None` when they do not lead
    /// there.
    #[must_use]
    pub fn route(&self, from: (u64, u64), to: (u64, u64)) -> Option<Vec<&Hop>> {
        let mut route = Vec::new();
        let mut at = from;
        while at < to {
            let hop = self.hops.iter().find(|h| h.from == at)?;
            at = hop.to;
            route.push(hop);
        }
        (at == to).then_some(route)
    }

    /// What is known of a downgrade from one version to another; `None`: nothing. That of a lower minor is a no, that
    /// of a lower patch a warning. A pre-release of a line's first release is of that line: no way to the line below.
    #[must_use]
    pub fn back(&self, from: &Version, to: &Version) -> Option<&Back> {
        let first = Version::new(to.major, to.minor, 0);
        let to = to.max(&first);
        self.back.iter().find(|b| b.from.contains(from) && b.to.contains(to))
    }
}

/// The table of versions.
pub fn versions() -> &'static Versions {
    static TABLE: OnceLock<Versions> = OnceLock::new();
    TABLE.get_or_init(|| load("versions"))
}

/// The release line of the streaming architecture.
pub fn streaming_line() -> (u64, u64) {
    versions().marks.streaming.version.line()
}

/// The table of ways between versions.
pub fn hops() -> &'static Hops {
    static TABLE: OnceLock<Hops> = OnceLock::new();
    TABLE.get_or_init(|| load("hops"))
}

/// Where to stop in a line on the way through it: the version from which it is best left, else the newest that is known,
/// else its first.
#[must_use]
pub fn stop_in(line: (u64, u64)) -> Version {
    let hop = hops().hops.iter().find(|h| h.from == line);
    let preferred = hop.and_then(|h| h.prefer_at.as_ref().or(h.leave_at.as_ref()));
    let known = preferred.or_else(|| super::charts().newest(line));
    known.cloned().unwrap_or_else(|| Version::new(line.0, line.1, 0))
}
