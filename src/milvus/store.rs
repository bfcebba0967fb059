//! The stores of a workload: the metadata in etcd and the data in an object store, and what identifies them.
//!
//! Defaults are those of upstream `configs/milvus.yaml`, the same in 2.5 and 2.6.

use super::config::{Config, Unknown};
use super::identity::{self, Field, FieldValue, Fields, Identity};
pub use super::identity::{SECRET_KEYS, is_secret_key};

/// The stores of a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stores {
    /// Where the metadata lives.
    pub meta: Vec<Field>,
    /// Where the data lives.
    pub object: Vec<Field>,
    /// `minio.cloudProvider` as configured, `aws` by default; shown, not compared: it names a protocol.
    pub cloud_provider: String,
}

/// Resolves both stores.
///
/// # Errors
/// When anything that identifies one of them may be overridden by what cannot be seen.
pub fn resolve(config: &Config) -> Result<Stores, Box<Unknown>> {
    Ok(Stores {
        meta: meta(config)?,
        cloud_provider: Fields::new(config).certain(&["minio.cloudProvider"], "aws")?.0,
        object: object(config)?,
    })
}

/// What can be seen of the stores, whatever may override it (see [`Config::as_seen`]).
#[must_use]
pub fn visible(config: &Config) -> Option<Stores> {
    resolve(&config.as_seen()).ok()
}

/// Whether two workloads of one release in `namespace` keep their metadata and data in the same place. Metadata
/// first; a difference weighs more than changed members.
#[must_use]
pub fn compare(current: &Stores, proposed: &Stores, namespace: &str) -> Identity {
    let meta = identity::compare(&current.meta, &proposed.meta, namespace);
    if matches!(meta, Identity::Different { .. }) {
        return meta;
    }
    match identity::compare(&current.object, &proposed.object, namespace) {
        Identity::Same => meta,
        other @ Identity::Different { .. } => other,
        members @ Identity::MembersChanged { .. } if meta == Identity::Same => members,
        Identity::MembersChanged { .. } => meta,
    }
}

/// The fields that identify the metadata: etcd (or TiKV next to it), its endpoints and the paths below its root.
fn meta(config: &Config) -> Result<Vec<Field>, Box<Unknown>> {
    let mut fields = Fields::new(config);
    fields.text("metastore.type", &["metastore.type"], "etcd")?;
    fields.text("etcd.use.embed", &["etcd.use.embed"], "false")?;
    if holds(&fields, "etcd.use.embed", "true") {
        fields.path("etcd.data.dir", &["etcd.data.dir"], "default.etcd")?;
    } else {
        fields.addresses("etcd.endpoints", "localhost:2379", None, 2379)?;
    }
    fields.path("etcd.rootPath", &["etcd.rootPath"], "by-dev")?;
    fields.path("etcd.metaSubPath", &["etcd.metaSubPath"], "meta")?;
    fields.path("etcd.kvSubPath", &["etcd.kvSubPath"], "kv")?;
    if holds(&fields, "metastore.type", "tikv") {
        fields.addresses("tikv.endpoints", "127.0.0.1:2389", None, 2379)?;
        fields.path("tikv.rootPath", &["tikv.rootPath"], "by-dev")?;
        fields.path("tikv.metaSubPath", &["tikv.metaSubPath"], "meta")?;
        fields.path("tikv.kvSubPath", &["tikv.kvSubPath"], "kv")?;
    }
    Ok(fields.fields)
}

/// The fields that identify the data: local storage, or an object store, its bucket and the path in it.
fn object(config: &Config) -> Result<Vec<Field>, Box<Unknown>> {
    let mut fields = Fields::new(config);
    let (kind, origin) = fields.certain(&["common.storageType"], "remote")?;
    let kind = match kind.as_str() {
        // The old name of the same.
        "" | "minio" => "remote".to_owned(),
        _ => kind,
    };
    let local = kind == "local";
    fields.push("common.storageType", FieldValue::Text(kind), origin);
    if local {
        fields.path("localStorage.path", &["localStorage.path"], "/var/lib/milvus/data")?;
        return Ok(fields.fields);
    }
    fields.addresses("minio.address", "localhost", Some("minio.port"), 9000)?;
    fields.text("minio.bucketName", &["minio.bucketName"], "a-bucket")?;
    let (root, origin) = fields.certain(&["minio.rootPath"], "files")?;
    let root = root.trim_matches('/').to_owned();
    fields.push("minio.rootPath", FieldValue::Text(root), origin);
    let (provider, _) = fields.certain(&["minio.cloudProvider"], "aws")?;
    if provider.eq_ignore_ascii_case("azure") {
        // On Azure the access key is the storage account, and so part of the address.
        let (account, origin) = fields.certain(&["minio.accessKeyID"], "")?;
        fields.push("minio.accessKeyID", FieldValue::Secret(account), origin);
    }
    Ok(fields.fields)
}

fn holds(fields: &Fields<'_>, name: &str, value: &str) -> bool {
    fields
        .fields
        .iter()
        .any(|f| f.name == name && f.value == FieldValue::Text(value.to_owned()))
}

#[cfg(test)]
mod tests;
