//! The manifests that migrate the metadata of 2.1: what deployments/migrate-meta/migrate.sh of Milvus makes, as files.

use super::route::Leg;
use super::site::Site;
use crate::facts;
use crate::value::{Value, json};
use crate::yaml;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its name.
    pub file: &'static str,
    /// Its content.
    pub text: String,
}

/// The file of the claim.
pub const CLAIM: &str = "1-backup-claim.yaml";
/// The file of the configurations.
pub const CONFIG: &str = "2-config.yaml";
/// The file of the pod that backs up.
pub const BACKUP: &str = "3-backup-pod.yaml";
/// The file of the pod that migrates.
pub const MIGRATE: &str = "4-migrate-pod.yaml";
/// The file of the pod that undoes it.
pub const ROLLBACK: &str = "5-rollback-pod.yaml";

/// The name of a pod: `backup`, `migrate` or `rollback`.
pub fn pod_name(site: &Site, what: &str) -> String {
    format!("milvus-meta-migration-{what}-{}", site.instance)
}

fn claim_name(site: &Site) -> String {
    format!("milvus-meta-migration-data-{}", site.instance)
}

fn config_name(site: &Site) -> String {
    format!("milvus-meta-migration-config-{}", site.instance)
}

/// The image of the tool, from the table of hops.
pub fn tool_image() -> &'static str {
    let tool = facts::hops().hops.iter().find_map(|h| h.tool_image);
    tool.unwrap_or_default()
}

/// The files, in the order in which they are applied; none where the metadata's etcd cannot be seen.
pub fn manifests(site: &Site, leg: &Leg) -> Vec<Manifest> {
    if site.etcd.endpoints.is_empty() {
        return vec![];
    }
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata(site, &claim_name(site)),
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}});
    // The tool calls the migration itself `run`.
    let texts = [
        ("backup.yaml", "backup"),
        ("migrate.yaml", "run"),
        ("rollback.yaml", "rollback"),
    ];
    let data: crate::value::Map = texts
        .into_iter()
        .map(|(file, command)| (file.to_owned(), yaml::emit(&config(site, leg, command)).into()))
        .collect();
    let config =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(site, &config_name(site)), "data": data});
    let files = [
        (CLAIM, claim),
        (CONFIG, config),
        (BACKUP, pod(site, "backup")),
        (MIGRATE, pod(site, "migrate")),
        (ROLLBACK, pod(site, "rollback")),
    ];
    files
        .into_iter()
        .map(|(file, value)| Manifest {
            file,
            text: yaml::emit(&value),
        })
        .collect()
}

fn metadata(site: &Site, name: &str) -> Value {
    match site.namespace.as_str() {
        super::site::UNPLACED => json!({"name": name}),
        namespace => json!({"name": name, "namespace": namespace}),
    }
}

/// What the tool reads (cmd/tools/migration/configs of Milvus 2.2).
fn config(site: &Site, leg: &Leg, command: &str) -> Value {
    json!({
        "cmd": {"type": command},
        "config": {
            "sourceVersion": leg.from.to_string(),
            "targetVersion": leg.to.to_string(),
            "backupFilePath": "/milvus/data/migration.bak",
        },
        "metastore": {"type": "etcd"},
        "etcd": {
            "endpoints": site.etcd.endpoints,
            "rootPath": site.etcd.root,
            "metaSubPath": site.etcd.meta,
            "kvSubPath": site.etcd.kv,
        },
    })
}

/// A pod that runs the tool once.
fn pod(site: &Site, what: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata(site, &pod_name(site, what)),
        "spec": {
            "restartPolicy": "Never",
            "containers": [{
                "name": "meta-migration",
                "image": tool_image(),
                "command": ["/milvus/bin/meta-migration"],
                "args": [format!("-config=/milvus/configs/meta/{what}.yaml")],
                "volumeMounts": [
                    {"name": "data", "mountPath": "/milvus/data"},
                    {"name": "config", "mountPath": "/milvus/configs/meta"},
                ],
            }],
            "volumes": [
                {"name": "data", "persistentVolumeClaim": {"claimName": claim_name(site)}},
                {"name": "config", "configMap": {"name": config_name(site)}},
            ],
        },
    })
}
