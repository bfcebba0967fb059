//! The inventory of a state for people and for the head of a state file: what runs, how large, on which queue and
//! stores, and where each was read.

use std::fmt::Write;

use foldhash::{HashMap, HashSet};
use serde::Serialize;

use super::Source;
use crate::kube::Object;
use crate::kube::object::text_at;
use crate::milvus::config::{Layer, Origin, Unknown};
use crate::milvus::effective::{ConfigMaps, Texts};
use crate::milvus::identity::Field;
use crate::milvus::release::{Component, Mode, Release};
use crate::milvus::version::{Read, Version};
use crate::report::columns::columns;
use crate::report::mask;
use crate::rules::case::Effective;
use crate::value::{Map, Value};

/// One release.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseView {
    /// The instance.
    pub name: String,
    /// The namespace; empty where nothing says it.
    pub namespace: String,
    /// The chart's name, which an alias changes.
    pub app: String,
    /// Cluster or standalone.
    pub mode: Mode,
    /// The lowest version that runs; null where no image says one.
    pub version: Option<String>,
    /// The highest version ever seen.
    pub highest: Option<String>,
    /// Its workloads.
    pub components: Vec<ComponentView>,
    /// The effective message queue.
    pub queue: StoreView,
    /// Where the metadata lives.
    pub metadata: StoreView,
    /// Where the data lives.
    pub storage: StoreView,
    /// What cannot be seen, in words.
    pub unknown: Vec<String>,
}

/// One workload.
#[derive(Debug, Serialize)]
pub struct ComponentView {
    /// What it runs.
    pub role: &'static str,
    /// `Deployment`, `StatefulSet`, …
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The image as written.
    pub image: String,
    /// The version the image says.
    pub version: Option<String>,
    /// The replicas it asks for; null where an autoscaler or the default decides.
    pub replicas: Option<i64>,
    /// The autoscaler that decides, with its bounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaler: Option<String>,
    /// `resources.requests`.
    pub requests: Value,
    /// `resources.limits`.
    pub limits: Value,
}

/// A queue or a store.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreView {
    /// Its type; null where it cannot be seen.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Where the type was read.
    pub read_at: Option<String>,
    /// What identifies it.
    pub identity: Vec<FieldView>,
    /// Why it cannot be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// One identifying value.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldView {
    /// The configuration key.
    pub key: &'static str,
    /// Its value.
    pub value: String,
    /// Where it was read.
    pub read_at: String,
}

/// The releases of a source.
pub fn releases(source: &Source, assumed: Option<&Version>) -> Vec<ReleaseView> {
    let found = source.inventory();
    let site = Site {
        source,
        among: ConfigMaps::of(&source.stream.objects),
        scalers: scalers(&source.stream.objects),
    };
    let mut texts = Texts::passing();
    let each = found.releases.iter().map(|release| {
        let view = view(&site, release, assumed, &texts);
        texts.part_is_over();
        if texts.read_again() > source.stream.text.len() {
            texts = Texts::default();
        }
        view
    });
    each.collect()
}

/// What all releases of a source are looked at by.
struct Site<'s> {
    source: &'s Source,
    among: ConfigMaps<'s>,
    /// The first autoscaler of each workload, by its name.
    scalers: HashMap<&'s str, &'s Object>,
}

fn view(site: &Site, release: &Release, assumed: Option<&Version>, texts: &Texts) -> ReleaseView {
    let source = site.source;
    let known = source.versions(release, assumed);
    let default = || crate::facts::versions().marks.consolidate.version.line();
    let line = release.versions(assumed).line().unwrap_or_else(default);
    let effective = Effective::new(&site.among, release, line, texts);
    let mut told = HashSet::default();
    let hidden_in = effective.configs.iter().flat_map(|c| &c.unknown);
    let mut unknown: Vec<String> = hidden_in
        .map(|u| &u.text)
        .filter(|text| told.insert(*text))
        .cloned()
        .collect();
    for tag in &known.versions.undecidable {
        unknown.push(format!(
            "the version behind the image tag `{}`: {}",
            tag.text,
            tag.why.as_str()
        ));
    }
    let stores = effective.spoken().stores.as_ref();
    ReleaseView {
        name: release.name.clone(),
        namespace: match release.namespace.as_str() {
            "" => source.namespace.clone(),
            said => said.to_owned(),
        },
        app: release.app.clone(),
        mode: release.mode(),
        version: known.versions.lowest().map(ToString::to_string),
        highest: known.highest.map(|v| v.to_string()),
        components: release.components.iter().map(|c| component(site, c)).collect(),
        queue: match &effective.spoken().queue {
            Ok(queue) => {
                let read_at = queue.origin.as_ref().map_or_else(|| DEFAULT.to_owned(), place);
                StoreView {
                    kind: Some(queue.mq.to_string()),
                    read_at: Some(read_at),
                    identity: fields(&queue.identity),
                    unknown: None,
                }
            }
            Err(why) => StoreView {
                kind: effective.spoken().mq.as_ref().ok().map(ToString::to_string),
                ..hidden(why)
            },
        },
        metadata: store(stores.map(|s| &s.meta[..]).map_err(|e| &**e), "metastore.type"),
        storage: store(stores.map(|s| &s.object[..]).map_err(|e| &**e), "common.storageType"),
        unknown,
    }
}

fn component(site: &Site, component: &Component) -> ComponentView {
    let object = &site.source.stream.objects[component.object];
    let resources = |which: &str| {
        let pointer = format!("{}/resources/{which}", component.container);
        let found = object.value.pointer(&pointer).filter(|v| v.is_object());
        found.cloned().unwrap_or_else(|| Value::Object(Map::new()))
    };
    ComponentView {
        role: component.role.as_str(),
        kind: object.reference.kind.clone(),
        name: component.name.clone(),
        image: component.image.clone(),
        version: match &component.version {
            Read::Known(v) => Some(v.to_string()),
            Read::Undecidable(_) => None,
        },
        replicas: component.replicas,
        autoscaler: site.scalers.get(&component.name[..]).and_then(|o| autoscaler(o)),
        requests: resources("requests"),
        limits: resources("limits"),
    }
}

fn scalers(objects: &[Object]) -> HashMap<&str, &Object> {
    let mut found = HashMap::default();
    for object in objects.iter().filter(|o| bounds(o).is_some()) {
        if let Some(workload) = text_at(&object.value, &["spec", "scaleTargetRef", "name"]) {
            found.entry(workload).or_insert(object);
        }
    }
    found
}

/// The keys of an autoscaler's bounds.
fn bounds(object: &Object) -> Option<(&'static str, &'static str)> {
    match object.reference.kind.as_str() {
        "HorizontalPodAutoscaler" => Some(("minReplicas", "maxReplicas")),
        "ScaledObject" => Some(("minReplicaCount", "maxReplicaCount")),
        _ => None,
    }
}

/// An autoscaler in words: `HorizontalPodAutoscaler 2-5`.
fn autoscaler(object: &Object) -> Option<String> {
    let (low, high) = bounds(object)?;
    let bound = |key: &str| {
        object
            .at(&["spec", key])
            .map_or_else(|| "?".to_owned(), ToString::to_string)
    };
    Some(format!("{} {}-{}", object.reference.kind, bound(low), bound(high)))
}

const DEFAULT: &str = "default of the image";

/// `ConfigMap rel-milvus, /data/user.yaml#/mq/type`.
fn place(origin: &Origin) -> String {
    match origin.layer {
        Layer::ImageDefault => DEFAULT.to_owned(),
        _ => format!("{} {}, {}", origin.object.kind, origin.object.name, origin.path),
    }
}

fn fields(fields: &[Field]) -> Vec<FieldView> {
    let each = fields.iter().map(|f| FieldView {
        key: f.name,
        value: mask::url(&f.value.shown()),
        read_at: f.origin.as_ref().map_or_else(|| DEFAULT.to_owned(), place),
    });
    each.collect()
}

fn hidden(why: &Unknown) -> StoreView {
    StoreView {
        kind: None,
        read_at: None,
        identity: vec![],
        unknown: Some(why.text.clone()),
    }
}

fn store(read: Result<&[Field], &Unknown>, kind: &str) -> StoreView {
    let identity = match read {
        Ok(read) => fields(read),
        Err(why) => return hidden(why),
    };
    let named = identity.iter().find(|f| f.key == kind);
    StoreView {
        kind: named.map(|f| f.value.clone()),
        read_at: named.map(|f| f.read_at.clone()),
        identity,
        unknown: None,
    }
}

/// The inventory as a person reads it.
pub fn text(source: &Source, releases: &[ReleaseView]) -> String {
    let mut out = format!("from {} ({})\n", source.taken_from, source.origin.as_str());
    for release in releases {
        let namespace = match release.namespace.as_str() {
            "" => String::new(),
            namespace => format!(" in namespace {namespace}"),
        };
        let mode = if release.mode == Mode::Cluster {
            "cluster"
        } else {
            "standalone"
        };
        let version = release.version.as_deref().unwrap_or("of unknown version");
        let _ = write!(out, "\n{}{namespace}: Milvus {version}, {mode}", release.name);
        match (&release.highest, &release.version) {
            (Some(highest), version) if Some(highest) != version.as_ref() => {
                let _ = writeln!(out, "; the highest version seen is {highest}");
            }
            _ => out.push('\n'),
        }
        for seen in source.seen.of(&release.app, &release.name, &release.namespace) {
            let may = if seen.running { ", may run" } else { "" };
            let _ = writeln!(out, "  {}: {}{may}", seen.place, seen.images.join(", "));
        }
        out.push('\n');
        table(&mut out, &release.components);
        for (what, store) in [
            ("queue", &release.queue),
            ("metadata", &release.metadata),
            ("storage", &release.storage),
        ] {
            let kind = store.kind.as_deref().unwrap_or("unknown");
            let place = store.read_at.as_deref().map(|p| format!("  ({p})")).unwrap_or_default();
            let _ = writeln!(out, "\n{what}: {kind}{place}");
            if let Some(why) = &store.unknown {
                let _ = writeln!(out, "  {why}");
            }
            // The defaults of the image identify too; they are in the state file, and tell a person nothing.
            for field in store
                .identity
                .iter()
                .filter(|f| f.read_at != DEFAULT && Some(&f.value) != store.kind.as_ref())
            {
                let _ = writeln!(out, "  {} = {}  ({})", field.key, field.value, field.read_at);
            }
        }
        for (i, unknown) in release.unknown.iter().enumerate() {
            let _ = writeln!(out, "{}unknown: {unknown}", if i == 0 { "\n" } else { "" });
        }
    }
    if releases.is_empty() {
        out.push_str("\nnothing in it runs Milvus\n");
    }
    out
}

fn table(out: &mut String, components: &[ComponentView]) {
    let heads = ["COMPONENT", "ROLE", "VERSION", "REPLICAS", "REQUESTS", "LIMITS"].map(str::to_owned);
    let mut rows = vec![heads];
    for c in components {
        let replicas = match (&c.autoscaler, c.replicas) {
            (Some(scaler), _) => scaler.clone(),
            (None, Some(n)) => n.to_string(),
            (None, None) => "1 (default)".to_owned(),
        };
        rows.push([
            format!("{}/{}", c.kind, c.name),
            c.role.to_owned(),
            c.version.clone().unwrap_or_else(|| "unknown".into()),
            replicas,
            resources(&c.requests),
            resources(&c.limits),
        ]);
    }
    columns(out, "", &rows);
}

/// `cpu=2 memory=8Gi`, `-` for none.
fn resources(value: &Value) -> String {
    let each = value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, v)| match v.as_str() {
            Some(text) => format!("{key}={text}"),
            None => format!("{key}={v}"),
        });
    let all = each.collect::<Vec<_>>().join(" ");
    if all.is_empty() { "-".to_owned() } else { all }
}
