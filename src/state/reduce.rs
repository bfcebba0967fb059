//! What of the deployed objects a state file keeps: enough to judge by as by the objects themselves, and no secret.
//!
//! * A Secret keeps its identity. A ConfigMap keeps its keys; the texts that Milvus reads are kept parsed and masked,
//!   all others are masked whole, but for those of an immutable one.
//! * A container that runs Milvus keeps what it runs, in plain words; the scripts of others lose what looks secret.
//! * Annotations leave but for those that Helm's and Argo CD's keeping hangs on. So do checksums: by one of them, and
//!   all the rest of a text, a short password can be found.
//! * `status` (but that a Job or Pod is over), server bookkeeping and hooks leave; of owners only the Milvus operator's
//!   resource stays.
//!
//! When a state file is read next to manifests, [`fill`] puts their values where the state cannot tell a difference:
//! what was masked is taken to be unchanged.

use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use super::scrub::{self, scrub};
use crate::host::FILENAME;
use crate::kube::{Object, workload};
use crate::milvus::config::normalise;
use crate::milvus::effective::{self, ConfigMaps, Texts};
use crate::milvus::identity::digest;
use crate::milvus::operator;
use crate::milvus::release::{Component, Inventory, inventory};
use crate::milvus::role::{self, Run, Runs, Spelling};
use crate::report::mask::{MASK, reused};
use crate::value::{Map, Value, json};
use crate::yaml;

/// Kinds kept as they are but for secrets; of any other nothing but the identity.
const WHOLE: &[&str] = &[
    "Service",
    "PersistentVolumeClaim",
    "PersistentVolume",
    "StorageClass",
    "PriorityClass",
    "IngressClass",
    "HorizontalPodAutoscaler",
    "VerticalPodAutoscaler",
    "ScaledObject",
    "PodDisruptionBudget",
    "ServiceMonitor",
    "PodMonitor",
    "NetworkPolicy",
    "Ingress",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
];

/// Annotations that a judgement looks at.
const ANNOTATIONS: &[&str] = &[
    crate::kube::object::RESOURCE_POLICY,
    "argocd.argoproj.io/sync-options",
    "meta.helm.sh/release-name",
    "meta.helm.sh/release-namespace",
    "helm.sh/hook",
];

/// The objects of a stream as a state file keeps them.
pub fn reduce(objects: &[Object]) -> Vec<Value> {
    let found = inventory(objects);
    let read = Read::of(objects, &found);
    let kept = objects.iter().enumerate().filter(|(_, o)| !o.is_hook());
    kept.map(|(i, object)| read.reduced(i, object)).collect()
}

/// What Milvus reads of a stream.
struct Read {
    /// The keys that are mounted as configuration, by the indices of their ConfigMaps.
    texts: HashMap<usize, HashSet<String>>,
    /// Whether a configuration names Azure: there the access key is the account, a part of the store's address.
    azure: bool,
}

impl Read {
    fn of(objects: &[Object], found: &Inventory) -> Read {
        let components: Vec<&Component> = found.releases.iter().flat_map(|r| &r.components).collect();
        let among = ConfigMaps::of(objects);
        let mut texts: HashMap<usize, HashSet<String>> = HashMap::default();
        for (map, key) in components.iter().flat_map(|c| effective::sources(&among, c)) {
            texts.entry(map).or_default().insert(key);
        }
        let parsed = Texts::default();
        let azure = components.iter().any(|c| {
            let config = effective::config(&among, c, true, &parsed);
            config
                .value("minio.cloudProvider")
                .is_some_and(|p| p.eq_ignore_ascii_case("azure"))
        });
        Read { texts, azure }
    }

    fn reduced(&self, index: usize, object: &Object) -> Value {
        let mut out = Map::new();
        let mut keep = |key: &str| {
            if let Some(value) = object.value.get(key).filter(|v| !v.is_null()) {
                out.insert(key.into(), value.clone());
            }
        };
        for key in ["apiVersion", "kind", "metadata"] {
            keep(key);
        }
        match object.reference.kind.as_str() {
            "Secret" => ["type", "immutable"].into_iter().for_each(keep),
            "ConfigMap" => ["immutable", "data", "binaryData"].into_iter().for_each(keep),
            kind if workload::template_pointer(kind).is_some() => keep("spec"),
            kind if WHOLE.contains(&kind) => {
                let keys = object.value.as_object().into_iter().flat_map(Map::keys);
                keys.filter(|k| *k != "status").for_each(|k| keep(k));
            }
            _ => {}
        }
        let mut value = Value::Object(out);
        metadata(&mut value["metadata"]);
        if workload::is_finished(object) {
            value["status"] = over(&object.reference.kind);
        }
        match object.reference.kind.as_str() {
            "ConfigMap" => self.config_map(index, &mut value),
            _ => self.other(object, &mut value),
        }
        value
    }

    fn config_map(&self, index: usize, value: &mut Value) {
        let frozen = value["immutable"] == json!(true);
        let mounted = self.texts.get(&index);
        for field in ["data", "binaryData"] {
            let entries = value.get_mut(field).and_then(Value::as_object_mut);
            for (key, text) in entries.into_iter().flatten() {
                let read = field == "data" && mounted.is_some_and(|keys| keys.contains(&key[..]));
                *text = match text.as_str().filter(|_| field == "data") {
                    Some(text) if read => self.configuration(text).into(),
                    // It cannot be changed any more, so whether it would be must be seen.
                    Some(text) if frozen => scrub::text(text).into(),
                    _ => MASK.into(),
                };
            }
        }
    }

    /// A configuration text, parsed and written anew without its secrets.
    fn configuration(&self, text: &str) -> String {
        match yaml::read(text) {
            Ok(None) => String::new(),
            Ok(Some(mut config @ Value::Object(_))) => {
                let account = if self.azure { accounts(&config) } else { vec![] };
                let before = config.clone();
                scrub("", &mut config);
                reused(text, &before, &mut config);
                for (pointer, digest) in account {
                    if let Some(value) = config.pointer_mut(&pointer) {
                        *value = digest.into();
                    }
                }
                yaml::emit(&config)
            }
            // What no Milvus reads stays unreadable.
            _ => "- the text is no mapping\n".to_owned(),
        }
    }

    fn other(&self, object: &Object, value: &mut Value) {
        for (pointer, container) in workload::containers(object) {
            self.container(container, value.pointer_mut(&pointer));
        }
        if let Some(base) = workload::template_pointer(&object.reference.kind)
            && let Some(inner) = value.pointer_mut(&format!("{base}/metadata"))
        {
            metadata(inner);
        }
        for claim in value
            .pointer_mut("/spec/volumeClaimTemplates")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            if let Some(claim) = claim.as_object_mut() {
                claim.remove("status");
            }
        }
        let mut account = Vec::new();
        if self.azure {
            env_accounts(object, &mut account);
        }
        for (key, inner) in value
            .as_object_mut()
            .into_iter()
            .flatten()
            .filter(|(k, _)| *k != "metadata")
        {
            scrub(key, inner);
        }
        for (pointer, digest) in account {
            if let Some(value) = value.pointer_mut(&pointer) {
                *value = digest.into();
            }
        }
    }

    /// A container that runs Milvus keeps what it runs and nothing around it.
    fn container(&self, container: &Value, kept: Option<&mut Value>) {
        let Some(kept) = kept.and_then(Value::as_object_mut) else {
            return;
        };
        let words: Vec<String> = match role::runs(container) {
            Runs::Milvus(run) => plain(&run),
            Runs::Undecidable(_) => ["milvus", "run", "$(ROLE)"].map(str::to_owned).to_vec(),
            Runs::NotMilvus => return,
        };
        kept.remove("command");
        kept.insert("args".into(), json!(words));
    }
}

/// The status of what has come to its end, in the words that [`workload::is_finished`] reads.
fn over(kind: &str) -> Value {
    match kind {
        "Pod" => json!({"phase": "Succeeded"}),
        _ => json!({"conditions": [{"type": "Complete", "status": "True"}]}),
    }
}

/// `milvus run ROLE`, with the program that starts it but not its arguments.
fn plain(run: &Run) -> Vec<String> {
    let mut words: Vec<String> = run
        .tokens
        .iter()
        .take(1)
        .filter(|t| !t.contains('='))
        .cloned()
        .collect();
    words.extend(["milvus".to_owned(), "run".to_owned()]);
    match run.spelled {
        Spelling::Argument => words.push(run.role.as_str().to_owned()),
        Spelling::Mixture => {
            words.push("mixture".to_owned());
            words.extend(run.mixture_flags.iter().map(|f| format!("-{f}")));
        }
    }
    words
}

fn metadata(metadata: &mut Value) {
    let Some(map) = metadata.as_object_mut() else { return };
    operator::owners(map);
    map.retain(|key, v| {
        matches!(
            key.as_str(),
            "name" | "ownerReferences" | "generateName" | "namespace" | "labels" | "annotations" | "uid"
        ) && !v.is_null()
    });
    let Some(annotations) = map.get_mut("annotations").and_then(Value::as_object_mut) else {
        map.remove("annotations");
        return;
    };
    annotations.retain(|key, _| ANNOTATIONS.contains(&key.as_str()) && key != FILENAME);
    if annotations.is_empty() {
        map.remove("annotations");
    }
}

const ACCOUNT: &str = "minioaccesskeyid";

/// The storage account in a configuration, as what can be compared and not read back.
fn accounts(config: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let sections = config.as_object().into_iter().flatten();
    for (section, inner) in sections {
        for (key, value) in inner.as_object().into_iter().flatten() {
            if normalise(&format!("{section}.{key}")) == ACCOUNT
                && let Some(account) = value.as_str()
            {
                let escape = crate::kube::object::escape;
                found.push((format!("/{}/{}", escape(section), escape(key)), digest(account)));
            }
        }
    }
    found
}

fn env_accounts(object: &Object, found: &mut Vec<(String, String)>) {
    for (pointer, container) in workload::containers(object) {
        let env = container.get("env").and_then(Value::as_array);
        for (i, entry) in env.into_iter().flatten().enumerate() {
            let named = entry["name"]
                .as_str()
                .is_some_and(|n| crate::milvus::config::normalise_env(n, true) == ACCOUNT);
            if let Some(account) = entry["value"].as_str().filter(|_| named) {
                found.push((format!("{pointer}/env/{i}/value"), digest(account)));
            }
        }
    }
}

/// Puts the values of the manifests into the objects of a state file, wherever the state cannot tell them apart.
pub fn fill(kept: &mut [Object], manifests: &[Object]) {
    let read = Read::of(manifests, &inventory(manifests));
    let mut named: HashMap<(&str, &str), Vec<usize>> = HashMap::default();
    for (i, manifest) in manifests.iter().enumerate() {
        let reference = &manifest.reference;
        named.entry((&reference.kind, &reference.name)).or_default().push(i);
    }
    for object in kept {
        let reference = &object.reference;
        let same = named.get(&(&reference.kind[..], &reference.name[..]));
        let twin = same
            .into_iter()
            .flatten()
            .map(|i| (*i, &manifests[*i]))
            .find(|(_, m)| m.reference.same_object(reference));
        if let Some((i, twin)) = twin.filter(|(_, m)| !m.is_hook()) {
            let reduced = read.reduced(i, twin);
            for key in ["spec", "data", "binaryData"] {
                if let (Some(value), Some(same), Some(whole)) = (
                    Arc::make_mut(&mut object.value).get_mut(key),
                    reduced.get(key),
                    twin.value.get(key),
                ) {
                    restore(value, same, whole);
                }
            }
        }
    }
}

fn restore(kept: &mut Value, same: &Value, whole: &Value) {
    if kept == same {
        *kept = whole.clone();
        return;
    }
    match (kept, same, whole) {
        (Value::Object(kept), Value::Object(same), Value::Object(whole)) => {
            // What a container runs is one thing: half of it, put back, would run something else.
            let runs = ["command", "args"].iter().all(|k| kept.get(k) == same.get(k));
            let runs = runs && whole.contains_key("command") == same.contains_key("command");
            for (key, value) in kept.iter_mut() {
                if matches!(key.as_str(), "command" | "args") && !runs {
                    continue;
                }
                if let (Some(same), Some(whole)) = (same.get(key), whole.get(key)) {
                    restore(value, same, whole);
                }
            }
        }
        (Value::Array(kept), Value::Array(same), Value::Array(whole)) => {
            let mut named: HashMap<String, usize> = HashMap::default();
            for (i, name) in same.iter().enumerate().filter_map(|(i, v)| Some((i, v.get("name")?))) {
                named.entry(name.to_string()).or_insert(i);
            }
            for (i, value) in kept.iter_mut().enumerate() {
                let at = match value.get("name") {
                    Some(name) => named.get(&name.to_string()).copied(),
                    None => (i < same.len()).then_some(i),
                };
                if let Some((same, whole)) = at.and_then(|at| same.get(at).zip(whole.get(at))) {
                    restore(value, same, whole);
                }
            }
        }
        _ => {}
    }
}
