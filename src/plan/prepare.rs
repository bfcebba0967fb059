//! What has to be done while it still can be: healthy Deployments, a flush, copies of metadata and data.

use super::chart::{Chart, repository_commands};
use super::site::Site;
use super::{Check, Commands, Step};
use crate::facts;
use crate::milvus::release::Mode;
use crate::milvus::role::Role;
use crate::milvus::version::Version;

/// The ids of these steps.
pub const IDS: [&str; 3] = ["tools", "healthy", "save"];

/// The lowest Milvus that the newest milvus-backup reads, and the lowest it restores into (github.com/zilliztech/milvus-backup,
/// README, compatibility; checked 2026-11-21).
const BACKUP_FROM: (u64, u64, u64) = (2, 2, 0);
const RESTORE_INTO: (u64, u64) = (2, 4);

/// The steps before the first one that changes anything.
pub fn steps(site: &Site, from: Option<&Version>, to: &Version) -> Vec<Step> {
    vec![tools(), healthy(site), save(site, from, to)]
}

/// Programs and the chart's repository.
pub fn tools() -> Step {
    let platform = &facts::versions().platform;
    let anything = Chart {
        version: None,
        changes: false,
    };
    Step {
        id: "tools".into(),
        title: "tools and the chart's repository".into(),
        why: "the steps need milvus-uplift on the PATH (for Helm 4 also its plugin), a Helm that knows --reset-then-reuse-values, and the chart's versions".into(),
        commands: Commands {
            shell: [vec!["helm version --short".to_owned(), "kubectl version".to_owned()], repository_commands(&anything)].concat(),
            ..Commands::default()
        },
        check: Check {
            commands: vec!["command -v milvus-uplift".into(), "helm search repo zilliztech/milvus".into()],
            expect: vec![
                format!("Helm {} or later, Kubernetes {} or later", platform.helm.version, platform.kubernetes.version),
                "with Helm 4: `helm plugin list` names milvus-uplift (scripts/build-plugin makes it, HELM_PLUGINS names its directory)".into(),
            ],
        },
        ..Step::default()
    }
}

/// Every Deployment rolled out, the last revision deployed.
fn healthy(site: &Site) -> Step {
    let each = site.workloads.iter().filter(|w| w.replicas != Some(0));
    let commands = each.map(|w| site.kubectl(&[format!("rollout status {}", w.target()), "--timeout=60s".to_owned()]));
    let unplaced = (site.namespace == super::site::UNPLACED).then(|| {
        format!(
            "nothing says the namespace: plan again with --namespace, and it stands in place of {}",
            super::site::UNPLACED
        )
    });
    let mut step = Step {
        id: "healthy".into(),
        title: "every workload is healthy, nothing else is under way".into(),
        why: "a component that is down before an upgrade hides what the upgrade breaks; a pending Helm operation keeps the next one from starting".into(),
        commands: Commands {
            shell: commands.collect(),
            ..Commands::default()
        },
        check: Check {
            commands: vec![site.helm("status")],
            expect: vec![
                format!(
                    "each rollout is complete, and STATUS is `deployed` (`failed`, from an earlier attempt, is no obstacle, `pending-…` is one; {} shows the revisions)",
                    site.helm("history")
                ),
                "no index build, compaction, bulk import or change of collections runs or is planned for the time of the upgrade".into(),
            ],
        },
        ..Step::default()
    };
    step.check.expect.extend(unplaced);
    step
}

/// Manifests, values, a flush, a snapshot of etcd and a backup.
fn save(site: &Site, from: Option<&Version>, to: &Version) -> Step {
    let word: String = to
        .to_string()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let mut shell = vec![
        format!(
            "{} --output yaml > {}",
            site.helm("get values"),
            site.file("values-before.yaml")
        ),
        site.keep_records(&site.file("before.yaml")),
    ];
    let mut expect = Vec::new();
    match writes(site, from) {
        true => shell.extend(flush(site, from)),
        false => expect.push(
            "there is no flush: without a streaming node nothing can be written; what the message queue holds is read once there is one".to_owned(),
        ),
    }
    let snapshot = site.file("etcd-before.db");
    match (&site.etcd.pod, site.etcd.endpoints.first()) {
        (Some(pod), _) => {
            let inside = "/tmp/etcd-before.db";
            shell.push(site.kubectl(&[
                format!("exec {}", super::shell::quote(pod)),
                String::new(),
            ]) + &format!(" -- sh -c 'ETCDCTL_API=3 etcdctl --endpoints=http://127.0.0.1:2379 snapshot save {inside}'"));
            shell.push(
                site.kubectl(&[format!("exec {}", super::shell::quote(pod))])
                    + &format!(" -- cat {inside} > {snapshot}"),
            );
        }
        (None, Some(endpoint)) => {
            shell.push(format!(
                "ETCDCTL_API=3 etcdctl --endpoints={} snapshot save {snapshot}",
                super::shell::quote(endpoint)
            ));
            expect.push("etcd is not part of what --current shows: run etcdctl where it reaches it, with its certificates and user".to_owned());
        }
        (None, None) => expect.push(
            "which etcd holds the metadata cannot be seen: find its endpoints and take a snapshot (etcdctl snapshot save)".to_owned(),
        ),
    }
    expect.push(format!("{snapshot} is there and not empty"));
    let (major, minor, patch) = BACKUP_FROM;
    if from.is_none_or(|v| v.at_least(major, minor, patch)) {
        shell.push(format!("milvus-backup create -n before_{word}"));
        expect.push(format!("`milvus-backup get -n before_{word}` says that it is complete"));
        let (major, minor) = RESTORE_INTO;
        if from.is_some_and(|v| v.line() < RESTORE_INTO) {
            expect.push(format!("milvus-backup restores it into {major}.{minor} or later only"));
        }
    } else {
        expect.push(format!(
            "a copy of the bucket, made with the object store's own tools: milvus-backup reads Milvus from {major}.{minor}.{patch} on"
        ));
    }
    if site.mq.as_ref().is_none_or(|mq| !mq.is_embedded()) {
        expect.push(
            "the message queue keeps its messages for longer than the upgrade takes (retention of Pulsar or Kafka)"
                .into(),
        );
    }
    Step {
        id: "save".into(),
        title: "save what cannot be had again: flush, etcd snapshot, backup".into(),
        why:
            "what the new version writes the old one may not read; from then on a copy from before is the only way back"
                .into(),
        commands: Commands {
            shell,
            ..Commands::default()
        },
        unavailable: vec!["nothing; from here to the end nobody should create, change or drop collections".into()],
        check: Check {
            commands: vec![],
            expect,
        },
        ..Step::default()
    }
}

/// Whether anything can be written: not in a cluster of 2.6 or later without a streaming node.
fn writes(site: &Site, from: Option<&Version>) -> bool {
    site.mode == Mode::Standalone
        || from.is_none_or(|v| v.line() < facts::streaming_line())
        || site.in_role(Role::StreamingNode).any(|w| w.replicas != Some(0))
}

/// Flushes every collection of every database through the release's own Service.
fn flush(site: &Site, from: Option<&Version>) -> [String; 3] {
    let forward = site.kubectl(&[format!(
        "port-forward {} 19530:19530",
        super::shell::quote(&format!("service/{}", site.service))
    )]);
    // Databases came with 2.3 and, late, to 2.2: where they are not sure to be there, only the one there always is.
    let databases = from.is_none_or(|v| v.at_least(2, 3, 0));
    let script = match databases {
        true => {
            "import os\n\
             from pymilvus import Collection, connections, db, utility\n\
             connections.connect(uri=\"http://127.0.0.1:19530\", token=os.environ.get(\"MILVUS_TOKEN\", \"\"))\n\
             for name in db.list_database():\n    \
             db.using_database(name)\n    \
             for collection in utility.list_collections():\n        \
             Collection(collection).flush()\n"
        }
        false => {
            "from pymilvus import Collection, connections, utility\n\
             connections.connect(host=\"127.0.0.1\", port=\"19530\")\n\
             for collection in utility.list_collections():\n    \
             Collection(collection).flush()\n"
        }
    };
    [
        format!("{forward} & sleep 5"),
        format!("python3 - <<'FLUSH'\n{script}FLUSH"),
        "kill $!".to_owned(),
    ]
}
