//! The effective message queue of a workload, and what identifies the log behind it.

use std::fmt;

use super::config::{Config, Origin, Unknown};
use super::identity::{self, Field, FieldValue, Fields, Identity};

/// A message queue (from 2.6 on: a write-ahead log) by the value of `mq.type`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mq {
    /// Apache Pulsar.
    Pulsar,
    /// Apache Kafka.
    Kafka,
    /// RocksDB inside a standalone.
    RocksMq,
    /// NATS inside a standalone; removed in 2.6.
    NatsMq,
    /// Woodpecker, from 2.6 on.
    Woodpecker,
    /// Something that Milvus does not know; it compares case-sensitively.
    Other(String),
}

impl Mq {
    /// Reads a value of `mq.type`, also as given on the command line. `default` is not resolved here.
    #[must_use]
    pub fn parse(text: &str) -> Mq {
        match text {
            "pulsar" => Mq::Pulsar,
            "kafka" => Mq::Kafka,
            "rocksmq" => Mq::RocksMq,
            "natsmq" => Mq::NatsMq,
            "woodpecker" => Mq::Woodpecker,
            other => Mq::Other(other.to_owned()),
        }
    }

    /// The value of `mq.type`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Mq::Pulsar => "pulsar",
            Mq::Kafka => "kafka",
            Mq::RocksMq => "rocksmq",
            Mq::NatsMq => "natsmq",
            Mq::Woodpecker => "woodpecker",
            Mq::Other(text) => text,
        }
    }

    /// Whether the log lives inside the pod, on its own volume or in its object store, and no broker exists.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        matches!(self, Mq::RocksMq | Mq::NatsMq | Mq::Woodpecker)
    }
}

impl fmt::Display for Mq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The effective queue of a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Which.
    pub mq: Mq,
    /// Whether `mq.type` names it; else it was resolved from `default`.
    pub explicit: bool,
    /// Where it was read: of `mq.type` when explicit, else of what decided (an address); `None` for the image's
    /// defaults.
    pub origin: Option<Origin>,
    /// What identifies the log, in the order in which differences are told.
    pub identity: Vec<Field>,
}

/// What the image says where nothing else does (upstream `configs/milvus.yaml`, 2.5 and 2.6).
mod image_default {
    pub const PULSAR_ADDRESS: &str = "localhost";
    pub const ROCKSMQ_PATH: &str = "/var/lib/milvus/rdb_data";
    pub const NATSMQ_STORE: &str = "/var/lib/milvus/nats";
    pub const LOCAL_PATH: &str = "/var/lib/milvus/data/";
}

/// The prefixes that make up the names of topics: key, fallback key, default of the image.
const PREFIXES: &[(&str, &str, &str)] = &[
    (
        "msgChannel.chanNamePrefix.cluster",
        "common.chanNamePrefix.cluster",
        "by-dev",
    ),
    (
        "msgChannel.chanNamePrefix.rootCoordTimeTick",
        "common.chanNamePrefix.rootCoordTimeTick",
        "rootcoord-timetick",
    ),
    (
        "msgChannel.chanNamePrefix.rootCoordStatistics",
        "common.chanNamePrefix.rootCoordStatistics",
        "rootcoord-statistics",
    ),
    (
        "msgChannel.chanNamePrefix.rootCoordDml",
        "common.chanNamePrefix.rootCoordDml",
        "rootcoord-dml",
    ),
    (
        "msgChannel.chanNamePrefix.replicateMsg",
        "common.chanNamePrefix.replicateMsg",
        "replicate-msg",
    ),
    (
        "msgChannel.chanNamePrefix.dataCoordTimeTick",
        "common.chanNamePrefix.dataCoordTimeTick",
        "datacoord-timetick-channel",
    ),
    (
        "msgChannel.chanNamePrefix.dataCoordSegmentInfo",
        "common.chanNamePrefix.dataCoordSegmentInfo",
        "segment-info-channel",
    ),
];

/// Resolves the effective queue of a workload whose image is of release line `line`.
///
/// An explicit `mq.type` wins. `default` and none: a standalone with a `rocksmq.path` (the image has one unless it is
/// overridden by the empty string) takes rocksmq; then pulsar where `pulsar.address` is not empty (the image has
/// `localhost`), then kafka where `kafka.brokerList` is not empty, then, from 2.6 on, woodpecker (upstream
/// `wal_selector.go` 2.6.20, `internal/util/dependency/factory.go` 2.5). What is stored in etcd (`mq.type` from 2.6.14
/// on) stands above all this and is not seen. The top-level `messageQueue` is read by no Milvus.
///
/// # Errors
/// When `mq.type`, or anything that decides or identifies the queue, may be overridden by what cannot be seen, or
/// when nothing resolves.
pub fn resolve(config: &Config, line: (u64, u64), standalone: bool) -> Result<Queue, Box<Unknown>> {
    let (mq, explicit, origin) = resolve_type(config, line, standalone)?;
    let identity = identify(config, &mq)?;
    Ok(Queue {
        mq,
        explicit,
        origin,
        identity,
    })
}

/// The type of the queue alone, by the rules of [`resolve`]: whether `mq.type` names it, and where it was read.
///
/// # Errors
/// When the type cannot be known; that the broker cannot be known does not matter here.
pub fn resolve_type(
    config: &Config,
    line: (u64, u64),
    standalone: bool,
) -> Result<(Mq, bool, Option<Origin>), Box<Unknown>> {
    let fields = Fields::new(config);
    let (text, origin) = fields.certain(&["mq.type"], "default")?;
    if text.is_empty() {
        return Err(identity::unresolvable(
            "mq.type is empty".to_owned(),
            "mqtype".to_owned(),
            origin,
        ));
    }
    if text != "default" {
        return Ok((Mq::parse(&text), true, origin));
    }
    if standalone {
        let (path, origin) = fields.certain(&["rocksmq.path"], image_default::ROCKSMQ_PATH)?;
        if !path.is_empty() {
            return Ok((Mq::RocksMq, false, origin));
        }
    }
    let (address, origin) = fields.certain(&["pulsar.address"], image_default::PULSAR_ADDRESS)?;
    if !address.is_empty() {
        return Ok((Mq::Pulsar, false, origin));
    }
    let (brokers, origin) = fields.certain(&["kafka.brokerList"], "")?;
    if !brokers.is_empty() {
        return Ok((Mq::Kafka, false, origin));
    }
    if line >= crate::facts::streaming_line() {
        return Ok((Mq::Woodpecker, false, None));
    }
    let text = "mq.type is `default` and neither rocksmq, pulsar nor kafka is configured".to_owned();
    Err(identity::unresolvable(text, "mqtype".to_owned(), origin))
}

/// What can be seen of the queue, whatever may override it (see [`Config::as_seen`]): to be compared where [`resolve`]
/// fails on both sides. `None` when what can be seen does not resolve either.
#[must_use]
pub fn visible(config: &Config, line: (u64, u64), standalone: bool) -> Option<Queue> {
    resolve(&config.as_seen(), line, standalone).ok()
}

/// Whether two queues of one release in `namespace` hold the same log. A different type is a difference of `mq.type`.
#[must_use]
pub fn compare(current: &Queue, proposed: &Queue, namespace: &str) -> Identity {
    if current.mq != proposed.mq {
        return Identity::Different {
            field: "mq.type",
            current: current.mq.to_string(),
            proposed: proposed.mq.to_string(),
        };
    }
    identity::compare(&current.identity, &proposed.identity, namespace)
}

fn identify(config: &Config, mq: &Mq) -> Result<Vec<Field>, Box<Unknown>> {
    let mut fields = Fields::new(config);
    match mq {
        Mq::Pulsar => {
            fields.addresses(
                "pulsar.address",
                image_default::PULSAR_ADDRESS,
                Some("pulsar.port"),
                6650,
            )?;
            fields.text("pulsar.tenant", &["pulsar.tenant"], "public")?;
            fields.text("pulsar.namespace", &["pulsar.namespace"], "default")?;
        }
        Mq::Kafka => fields.addresses("kafka.brokerList", "", None, 9092)?,
        Mq::RocksMq => fields.path("rocksmq.path", &["rocksmq.path"], image_default::ROCKSMQ_PATH)?,
        Mq::NatsMq => fields.path(
            "natsmq.server.storeDir",
            &["natsmq.server.storeDir"],
            image_default::NATSMQ_STORE,
        )?,
        Mq::Woodpecker => woodpecker(&mut fields)?,
        Mq::Other(_) => {}
    }
    for (key, fallback, default) in PREFIXES {
        fields.text(key, &[key, fallback], default)?;
    }
    Ok(fields.fields)
}

/// The root path matters for local storage only; with an object store the log lives below `minio.rootPath`. Where
/// nothing sets it, it is below the local storage (upstream `walimpls/impls/wp/builder.go`).
fn woodpecker(fields: &mut Fields<'_>) -> Result<(), Box<Unknown>> {
    fields.text("woodpecker.storage.type", &["woodpecker.storage.type"], "minio")?;
    fields.text("woodpecker.meta.prefix", &["woodpecker.meta.prefix"], "woodpecker")?;
    let local = fields
        .fields
        .iter()
        .any(|f| f.value == FieldValue::Text("local".to_owned()));
    if local {
        let (base, _) = fields.certain(&["localStorage.path"], image_default::LOCAL_PATH)?;
        let default = format!("{}/wp", base.trim_end_matches('/'));
        fields.path(
            "woodpecker.storage.rootPath",
            &["woodpecker.storage.rootPath"],
            &default,
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
