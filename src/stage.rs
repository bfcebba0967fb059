//! Stages: the order of an upgrade, given to Helm, which applies everything at once.
//!
//! A stage applies the whole rewrite up to itself; what belongs to a later one equals what is deployed. The order is
//! the one in which the operator and upstream's own guide upgrade (milvus-upgrade A2, B4).

use serde_json::{Map, Value};

use crate::host;
use crate::kube::delta::{delta, without_server_fields};
use crate::kube::object::namespaces_agree;
use crate::kube::{Object, selector, workload};
use crate::milvus::release::Release;
use crate::milvus::role::Role;
use crate::order;
use crate::rewrite::{Change, ChangeOp, add, place};
use crate::stream::Stream;
use crate::transition::Kind;

/// `--stage`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// The whole way at once.
    #[default]
    All,
    /// The first stage that changes a workload or its configuration.
    Next,
    /// Up to this one.
    At(u8),
}

/// The last stage of every kind that has stages.
pub const LAST: u8 = 5;

/// What each stage of a kind does, for people.
pub fn describe(kind: Kind, stage: u8) -> &'static str {
    let streaming = kind == Kind::Streaming;
    match (stage, streaming) {
        (0, _) => "what is not Milvus",
        (1, true) => "mixcoord, streamingnode, the configuration and all that is no workload",
        (1, false) => "mixcoord, the configuration and all that is no workload",
        (2, false) => "streamingnode",
        (2, true) | (3, false) => "querynode",
        (3, true) | (4, false) => "datanode",
        (4, true) | (_, false) => "proxy and the rest",
        (_, true) => "indexnode leaves",
    }
}

/// The stage in which a role moves.
pub fn of_role(kind: Kind, role: Role) -> u8 {
    let streaming = kind == Kind::Streaming;
    match role {
        Role::MixCoord | Role::Standalone => 1,
        role if role.is_legacy_coordinator() => 1,
        Role::StreamingNode => {
            if streaming {
                1
            } else {
                2
            }
        }
        Role::QueryNode => {
            if streaming {
                2
            } else {
                3
            }
        }
        Role::DataNode => {
            if streaming {
                3
            } else {
                4
            }
        }
        Role::IndexNode => LAST,
        _ => {
            if streaming {
                4
            } else {
                LAST
            }
        }
    }
}

/// One release on both sides, and the objects it stands in.
pub struct Scene<'a> {
    /// The stream as it came in.
    pub stream: &'a Stream,
    /// The release in it.
    pub came: &'a Release,
    /// The objects after the whole rewrite.
    pub last: &'a [Object],
    /// The release among them.
    pub after: &'a Release,
    /// What is deployed.
    pub current: &'a Stream,
    /// The release in it.
    pub before: &'a Release,
    /// The kind of the transition.
    pub kind: Kind,
}

impl Scene<'_> {
    /// The role an object has, or those it serves; none where it serves pods that are not Milvus.
    pub fn roles(&self, object: &Object) -> Vec<Role> {
        let sides = [
            (self.last, self.after),
            (&self.current.objects[..], self.before),
            (&self.stream.objects[..], self.came),
        ];
        let own = |(objects, release): &(&[Object], &Release)| {
            release
                .components
                .iter()
                .find(|c| objects[c.object].reference.same_object(&object.reference))
                .map(|c| c.role)
        };
        match sides.iter().find_map(own) {
            Some(role) => vec![role],
            None => sides
                .iter()
                .map(|(objects, release)| serves(object, objects, release))
                .max_by_key(Vec::len)
                .unwrap_or_default(),
        }
    }

    /// The stage in which an object moves: a workload by its role, what serves one role only with it, what is Milvus and
    /// no workload first, what is not Milvus before all.
    pub fn stage_of(&self, object: &Object) -> u8 {
        if let Some(stage) = self
            .roles(object)
            .into_iter()
            .map(|role| of_role(self.kind, role))
            .max()
        {
            return stage;
        }
        if !self.is_milvus(object) {
            return 0;
        }
        let workload =
            workload::template(object).is_some() && workload::SERVING_KINDS.contains(&object.reference.kind.as_str());
        if workload { of_role(self.kind, Role::Proxy) } else { 1 }
    }

    /// Whether an object belongs to the Milvus chart: by the template it was rendered from, by the labels the chart
    /// gives, or because Milvus' pods mount it.
    fn is_milvus(&self, object: &Object) -> bool {
        let release = self.came;
        if !namespaces_agree(&object.reference.namespace, &release.namespace) {
            return false;
        }
        let labelled = object.label("app.kubernetes.io/instance") == Some(&release.name)
            && object.label("app.kubernetes.io/name") == Some(&release.app);
        labelled || self.rendered_by_chart(object) || self.mounted(object)
    }

    fn rendered_by_chart(&self, object: &Object) -> bool {
        let folder_of = |stream: &Stream, document: usize| {
            host::template_of(stream, document).and_then(|t| host::template_folder(&t).map(str::to_owned))
        };
        for (stream, release) in [(self.stream, self.came), (self.current, self.before)] {
            let ours = release
                .components
                .first()
                .and_then(|c| folder_of(stream, stream.objects[c.object].document));
            let Some(here) = stream
                .objects
                .iter()
                .find(|o| o.reference.same_object(&object.reference))
            else {
                continue;
            };
            if ours.is_some() && folder_of(stream, here.document) == ours {
                return true;
            }
        }
        false
    }

    fn mounted(&self, object: &Object) -> bool {
        let path = match object.reference.kind.as_str() {
            "ConfigMap" => ["configMap", "name"],
            "PersistentVolumeClaim" => ["persistentVolumeClaim", "claimName"],
            _ => return false,
        };
        self.after.components.iter().any(|c| {
            let volumes = workload::template(&self.last[c.object])
                .and_then(|t| t.pointer("/spec/volumes"))
                .and_then(Value::as_array);
            volumes
                .into_iter()
                .flatten()
                .any(|v| crate::kube::object::text_at(v, &path) == Some(&object.reference.name))
        })
    }
}

/// The roles whose pods an object serves; none where it serves pods that are not Milvus.
fn serves(object: &Object, objects: &[Object], release: &Release) -> Vec<Role> {
    let kind = object.reference.kind.as_str();
    if let Some((kind, name)) = selector::scale_target(kind, &object.value) {
        let target = release
            .components
            .iter()
            .find(|c| c.name == name && objects[c.object].reference.kind == kind);
        return target.map(|c| c.role).into_iter().collect();
    }
    if !matches!(kind, "Service" | "PodDisruptionBudget" | "PodMonitor") {
        return vec![];
    }
    let Some(at) = selector::pod_selectors(kind, &object.value).into_iter().next() else {
        return vec![];
    };
    let s = object.value.pointer(&at.pointer).unwrap_or(&Value::Null);
    let chosen = release.components.iter().filter(|c| {
        workload::pod_labels(&objects[c.object]).is_some_and(|labels| selector::selects(s, at.plain, labels))
    });
    chosen.map(|c| c.role).collect()
}

/// The changes that apply the rewrite up to a stage: those of later stages are replaced by what keeps the deployed
/// object, or keeps away what is not deployed yet.
pub fn hold_back(scene: &Scene, stage: u8, changes: &[Change]) -> Vec<Change> {
    let later = |object: &Object| scene.stage_of(object) > stage;
    let deployed = |object: &Object| {
        scene
            .current
            .objects
            .iter()
            .find(|o| o.reference.same_object(&object.reference))
    };
    let mut out: Vec<Change> = Vec::new();
    for change in changes {
        let object = match change.op {
            ChangeOp::Inject => scene.last.iter().find(|o| o.reference == change.object),
            _ => scene
                .stream
                .objects
                .iter()
                .find(|o| o.document == change.document && o.pointer == change.pointer),
        };
        if !object.is_some_and(later) || change.op == ChangeOp::Restyle {
            out.push(change.clone());
        }
    }
    for object in scene.stream.objects.iter().filter(|o| !o.is_hook() && later(o)) {
        match deployed(object) {
            None => out.push(Change::drop(
                object,
                format!("it comes in stage {}", scene.stage_of(object)),
            )),
            Some(current) => {
                let patch = delta(&object.value, &kept(current, host::bookkeeping(&object.value)));
                if !patch.is_empty() {
                    out.push(Change::patch(
                        object,
                        patch,
                        format!(
                            "it moves in stage {} and stays as it is deployed",
                            scene.stage_of(object)
                        ),
                    ));
                }
            }
        }
    }
    for current in scene.current.objects.iter().filter(|o| !o.is_hook() && later(o)) {
        if scene
            .stream
            .objects
            .iter()
            .any(|o| o.reference.same_object(&current.reference))
            || !owned(scene, current)
        {
            continue;
        }
        out.push(inject(scene, current, &out));
    }
    out
}

/// A deployed object as it would be applied again: without the server's fields, with this host's bookkeeping.
fn kept(current: &Object, bookkeeping: Map<String, Value>) -> Value {
    let mut value = without_server_fields(Value::clone(&current.value));
    host::without_bookkeeping(&mut value);
    host::annotate(&mut value, bookkeeping);
    value
}

/// Whether a deployed object is this release's to apply: a live List shows others beside it.
fn owned(scene: &Scene, current: &Object) -> bool {
    scene
        .before
        .components
        .iter()
        .any(|c| scene.current.objects[c.object].reference == current.reference)
        || !serves(current, &scene.current.objects, scene.before).is_empty()
}

/// Brings back an object that is deployed, leaves in a later stage and is not rendered any more.
fn inject(scene: &Scene, current: &Object, so_far: &[Change]) -> Change {
    let kind = current.reference.kind.as_str();
    let objects = &scene.stream.objects;
    let at = objects
        .iter()
        .rfind(|o| o.reference.kind == kind)
        .map_or_else(|| place::last(scene.stream), |o| place::behind(scene.stream, o));
    let template = host::template_of(scene.current, current.document).or_else(|| template(scene, current));
    let (value, text) = host::dress(scene.stream.host, template.as_deref(), &kept(current, Map::new()));
    debug_assert!(
        so_far
            .iter()
            .all(|c| c.op != ChangeOp::Inject || c.object != current.reference)
    );
    Change {
        op: ChangeOp::Inject,
        object: current.reference.clone(),
        document: at.document,
        behind: at.behind,
        pointer: at.pointer,
        patch: vec![add("", value)],
        text,
        why: format!("it leaves in stage {}", scene.stage_of(current)),
    }
}

/// The chart's own name for the template of a role's object.
fn template(scene: &Scene, current: &Object) -> Option<String> {
    let role = scene
        .before
        .components
        .iter()
        .find(|c| scene.current.objects[c.object].reference == current.reference)
        .map(|c| c.role);
    let role = role.or_else(|| serves(current, &scene.current.objects, scene.before).first().copied())?;
    let file = match current.reference.kind.as_str() {
        "Service" => "svc",
        "HorizontalPodAutoscaler" => "hpa",
        _ => "deployment",
    };
    let folder = scene.came.components.iter().find_map(|c| {
        let path = host::template_of(scene.stream, scene.stream.objects[c.object].document)?;
        host::template_folder(&path).map(str::to_owned)
    })?;
    Some(format!("{folder}{role}-{file}.yaml"))
}

/// The first stage that changes a workload's spec or its configuration against what is deployed; the last where none
/// does.
pub fn next(scene: &Scene, changes: &[Change]) -> u8 {
    for stage in 0..LAST {
        let Ok(objects) = crate::apply::proposed(scene.stream, &hold_back(scene, stage, changes)) else {
            return stage;
        };
        if differs(&objects, &scene.current.objects) {
            return stage;
        }
    }
    LAST
}

/// Whether a workload or a configuration differs; generated data, chart labels, checksums and bookkeeping do not count.
fn differs(proposed: &[Object], current: &[Object]) -> bool {
    let counts = |o: &&Object| {
        let workload = workload::template(o).is_some() && workload::SERVING_KINDS.contains(&o.reference.kind.as_str());
        !o.is_hook() && (workload || o.reference.kind == "ConfigMap")
    };
    let same = |a: &Object, b: &Object| essence(a) == essence(b);
    let changed = proposed.iter().filter(counts).any(|o| {
        !current
            .iter()
            .any(|c| c.reference.same_object(&o.reference) && same(o, c))
    });
    let gone = current.iter().filter(counts).any(|c| {
        let live = c.at(&["metadata", "uid"]).is_some() && c.annotation("meta.helm.sh/release-name").is_none();
        !live && !proposed.iter().any(|o| o.reference.same_object(&c.reference))
    });
    changed || gone
}

/// What counts of an object: spec and data, nulls and empty collections as absent.
fn essence(object: &Object) -> Value {
    let mut value = without_server_fields(Value::clone(&object.value));
    for pointer in ["/metadata", "/spec/template/metadata", "/spec/jobTemplate"] {
        if let Some(metadata) = value.pointer_mut(pointer).and_then(Value::as_object_mut) {
            for field in ["labels", "annotations"] {
                if let Some(map) = metadata.get_mut(field).and_then(Value::as_object_mut) {
                    map.retain(|k, _| {
                        !k.starts_with("checksum/")
                            && !matches!(
                                k.as_str(),
                                "helm.sh/chart"
                                    | "app.kubernetes.io/version"
                                    | "app.kubernetes.io/managed-by"
                                    | "chart"
                                    | "heritage"
                                    | order::WAVE
                                    | order::SYNC_OPTIONS
                            )
                            && !host::is_bookkeeping(k)
                    });
                }
            }
        }
    }
    prune(value)
}

fn prune(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map
                .into_iter()
                .map(|(k, v)| (k, prune(v)))
                .filter(|(_, v)| !is_nothing(v));
            let mut sorted: Vec<(String, Value)> = kept.collect();
            sorted.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(sorted.into_iter().collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(prune).collect()),
        // Trailing line breaks of texts differ between Helm versions (hosts.md 2.9).
        Value::String(text) => Value::String(text.trim_end_matches('\n').to_owned()),
        other => other,
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}
