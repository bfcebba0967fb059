//! One thing wrong in the manifests.

use milvus_uplift::kube::{Object, workload};
use milvus_uplift::milvus::effective::{self, ConfigMaps};
use milvus_uplift::milvus::release::{Component, Release};
use milvus_uplift::milvus::role::Role;
use milvus_uplift::value::{Value, json};

use super::scenario::{Base, Scenario};
use super::write::{self, Style};

/// A scenario with one thing wrong.
pub struct Fault {
    /// Of which kind: a row of the table.
    pub kind: &'static str,
    /// What exactly.
    pub what: String,
    pub scenario: Scenario,
}

impl Fault {
    pub fn new(kind: &'static str, what: impl Into<String>, scenario: Scenario) -> Fault {
        Fault {
            kind,
            what: what.into(),
            scenario,
        }
    }
}

pub fn faults(base: &Base) -> Vec<Fault> {
    let mut found = Vec::new();
    for (release, before) in base.upgraded() {
        configuration(base, release, &mut found);
        versions(base, release, &mut found);
        roles(base, release, before, &mut found);
        missing(base, release, before, &mut found);
        mixture(base, release, &mut found);
        strays(base, release, &mut found);
    }
    immutable(base, &mut found);
    found
}

/// Whether what is stated beside the manifests settles the queue.
fn queue_is_stated(base: &Base) -> bool {
    base.scenario
        .assumed
        .iter()
        .any(|a| a.contains("mq=") || a.starts_with("same-queue"))
}

/// `mq.type` and `MQ_TYPE` name one setting: Milvus drops case and punctuation.
fn same_setting(a: &str, b: &str) -> bool {
    let bare = |s: &str| s.replace(['.', '_', '/'], "").to_ascii_lowercase();
    bare(a) == bare(b) || bare(a) == format!("milvusconf{}", bare(b))
}

fn container<'b>(base: &'b Base, component: &Component) -> &'b Value {
    let object = &base.stream.objects[component.object];
    object.value.pointer(&component.container).expect("a container")
}

/// Whether the environment of a component settles the key, or may.
fn set_by_environment(base: &Base, component: &Component, key: &str) -> bool {
    let container = container(base, component);
    let env = container["env"].as_array().into_iter().flatten();
    let named = env
        .filter_map(|e| e["name"].as_str())
        .any(|name| same_setting(name, key));
    named || container["envFrom"].as_array().is_some_and(|l| !l.is_empty())
}

/// Queue, broker, bucket, etcd: what the configuration names, changed where Milvus reads it last, or by the environment.
fn configuration(base: &Base, release: &Release, found: &mut Vec<Fault>) {
    let Some(line) = base.line(release) else { return };
    let known = line.current.as_ref().and_then(|c| c.mq.as_deref());
    let Some(mq) = line.target.mq.as_deref().filter(|mq| Some(*mq) == known) else {
        return;
    };
    let other = if mq == "pulsar" { "kafka" } else { "pulsar" };
    let mut wrong: Vec<(&'static str, &'static str, &str)> = vec![
        ("another bucket", "minio.bucketName", "bucket-of-another"),
        ("another bucket", "minio.rootPath", "root-of-another"),
        ("another etcd", "etcd.rootPath", "etcd-root-of-another"),
        ("another etcd", "etcd.endpoints", "etcd.elsewhere.example:2379"),
    ];
    if !queue_is_stated(base) {
        wrong.push(("another queue", "mq.type", other));
        wrong.extend(match mq {
            "pulsar" => vec![
                ("another broker", "pulsar.address", "pulsar.elsewhere.example"),
                ("another broker", "pulsar.tenant", "tenant-of-another"),
            ],
            "kafka" => vec![("another broker", "kafka.brokerList", "kafka.elsewhere.example:9092")],
            _ => vec![],
        });
        if !["rocksmq", "natsmq"].contains(&mq) {
            wrong.push((
                "another broker",
                "msgChannel.chanNamePrefix.cluster",
                "prefix-of-another",
            ));
        }
    }
    let staying: Vec<&Component> = base.staying(release).collect();
    for (kind, key, value) in wrong {
        if staying.iter().any(|c| set_by_environment(base, c, key)) {
            continue;
        }
        // indexnode reads no queue.
        let queue = ["another queue", "another broker"].contains(&kind);
        let reader = staying.iter().rfind(|c| !queue || c.role != Role::IndexNode);
        if let Some(scenario) = in_the_file(base, &staying, key, value) {
            found.push(Fault::new(kind, format!("{key}={value} in the last file"), scenario));
        }
        let name = key.replace('.', "_").to_ascii_uppercase();
        let with = |c: &Component| {
            let (pointer, name) = (c.container.clone(), name.clone());
            move |object: &mut Value| set_environment(object, &pointer, &name, value)
        };
        if let Some(one) = reader {
            let indices: Vec<usize> = staying.iter().map(|c| c.object).collect();
            if staying.iter().all(|c| c.container == one.container) {
                found.push(Fault::new(
                    kind,
                    format!("{key}={value} in every environment"),
                    base.edit_all(&indices, with(one)),
                ));
            }
            let alone = base.edit(one.object, with(one));
            found.push(Fault::new(
                kind,
                format!("{key}={value} in the environment of {} alone", one.name),
                alone,
            ));
        }
    }
}

/// The key set in the file that the components read last.
fn in_the_file(base: &Base, staying: &[&Component], key: &str, value: &str) -> Option<Scenario> {
    let component = staying.first()?;
    let objects = &base.stream.objects;
    let sources = effective::sources(&ConfigMaps::of(objects), component);
    let (index, entry) = sources.iter().find(|(_, k)| k == "user.yaml").or(sources.last())?;
    let text = objects[*index].value["data"][entry.as_str()]
        .as_str()
        .unwrap_or_default();
    let mut root = milvus_uplift::yaml::read(text).ok()?.unwrap_or(Value::Null);
    set(&mut root, &key.split('.').collect::<Vec<_>>(), value);
    let text = write::document("", &root, Style::plain());
    Some(base.edit(*index, |object| object["data"][entry.as_str()] = text.into()))
}

fn set(at: &mut Value, path: &[&str], value: &str) {
    let Some((first, rest)) = path.split_first() else {
        *at = value.into();
        return;
    };
    if !at.is_object() {
        *at = json!({});
    }
    let map = at.as_object_mut().expect("made one");
    let known = map.keys().find(|k| k.eq_ignore_ascii_case(first)).cloned();
    set(
        map.entry(known.unwrap_or((*first).into())).or_insert(Value::Null),
        rest,
        value,
    );
}

fn set_environment(object: &mut Value, container: &str, name: &str, value: &str) {
    let container = object.pointer_mut(container).expect("a container");
    if !container["env"].is_array() {
        container["env"] = json!([]);
    }
    let env = container["env"].as_array_mut().expect("made one");
    env.push(json!({"name": name, "value": value}));
}

/// One component on another version than the rest.
fn versions(base: &Base, release: &Release, found: &mut Vec<Fault>) {
    let staying: Vec<&Component> = base.staying(release).collect();
    let all_alike = release
        .components
        .iter()
        .all(|c| c.version == release.components[0].version);
    if !all_alike || (staying.len() < 2 && base.objects.len() < 2) || release.components.len() < 2 {
        return;
    }
    for component in release.components.iter().filter(|c| !c.is_scaled_to_zero()) {
        let Some((repository, tag)) = component
            .image
            .rsplit_once(':')
            .filter(|(_, t)| !t.contains(['@', '/']))
        else {
            continue;
        };
        let Ok(version) = milvus_uplift::milvus::version::Version::parse(tag) else {
            continue;
        };
        let (major, minor) = version.line();
        for other in [format!("v{major}.{minor}.99"), "v2.4.23".to_owned()] {
            let image = format!("{repository}:{other}");
            let scenario = base.edit(component.object, |object| {
                object.pointer_mut(&component.container).expect("a container")["image"] = image.clone().into();
            });
            found.push(Fault::new(
                "version of one component",
                format!("{} runs {image}", component.name),
                scenario,
            ));
        }
    }
}

/// Starts a container as something else.
fn start(container: &str, words: &[&str]) -> impl Fn(&mut Value) + use<> {
    let (container, words) = (container.to_owned(), json!(words));
    move |object: &mut Value| {
        let container = object
            .pointer_mut(&container)
            .and_then(Value::as_object_mut)
            .expect("a container");
        container.remove("command");
        container.insert("args".into(), words.clone());
    }
}

/// Whether the release would lose the role with this component.
fn is_needed(release: &Release, before: &Release, component: &Component) -> bool {
    release.in_role(component.role).count() == 1 && before.in_role(component.role).any(|c| !c.is_scaled_to_zero())
}

fn roles(base: &Base, release: &Release, before: &Release, found: &mut Vec<Fault>) {
    let streaming = release
        .versions(base.scenario.options.assume.target_version.as_ref())
        .line()
        >= Some((2, 6));
    for component in base.staying(release) {
        let mut wrong: Vec<(&'static str, Vec<&str>)> = vec![
            ("no role", vec!["milvus", "run", "searchnode"]),
            ("no role", vec!["milvus"]),
            ("no role", vec![]),
        ];
        if streaming && is_needed(release, before, component) {
            wrong.push(("a role of before", vec!["milvus", "run", "rootcoord"]));
            wrong.push(("a role of before", vec!["milvus", "run", "indexnode"]));
        }
        if !streaming {
            wrong.push(("a role before its time", vec!["milvus", "run", "mixcoord"]));
            wrong.push(("a role before its time", vec!["milvus", "run", "streamingnode"]));
        }
        let leaves = streaming && component.role == Role::IndexNode;
        if is_needed(release, before, component) && component.role != Role::Standalone && !leaves {
            let other = if component.role == Role::Proxy {
                "querynode"
            } else {
                "proxy"
            };
            wrong.push(("a role of another", vec!["milvus", "run", other]));
        }
        for (kind, words) in wrong {
            let scenario = base.edit(component.object, start(&component.container, &words));
            found.push(Fault::new(
                kind,
                format!("{} starts `{}`", component.name, words.join(" ")),
                scenario,
            ));
        }
    }
}

fn missing(base: &Base, release: &Release, before: &Release, found: &mut Vec<Fault>) {
    for component in base.staying(release) {
        if is_needed(release, before, component) {
            let kind = "a missing component";
            found.push(Fault::new(kind, component.name.clone(), base.without(component.object)));
        }
    }
    let Some((objects, _)) = &base.deployed else { return };
    let Some(component) = base.staying(release).next() else {
        return;
    };
    if let Some((index, _)) = effective::sources(&ConfigMaps::of(&base.stream.objects), component).first() {
        let map = &base.stream.objects[*index].reference;
        if objects.iter().any(|o| o.reference.same_object(map)) {
            found.push(Fault::new(
                "a missing ConfigMap",
                map.name.clone(),
                base.without(*index),
            ));
        }
    }
}

/// A mixture that lacks a coordinator.
fn mixture(base: &Base, release: &Release, found: &mut Vec<Fault>) {
    for component in base.staying(release).filter(|c| c.role == Role::MixCoord) {
        for lacking in ["-rootcoord", "-querycoord", "-datacoord"] {
            let flags = ["-rootcoord", "-querycoord", "-datacoord", "-indexcoord"];
            let flags = flags.into_iter().filter(|f| *f != lacking);
            let words: Vec<&str> = ["milvus", "run", "mixture"].into_iter().chain(flags).collect();
            let scenario = base.edit(component.object, start(&component.container, &words));
            found.push(Fault::new(
                "an incomplete mixture",
                format!("{} without {lacking}", component.name),
                scenario,
            ));
        }
    }
}

/// A workload beside the others in a role that has to leave.
fn strays(base: &Base, release: &Release, found: &mut Vec<Fault>) {
    let versions = release.versions(base.scenario.options.assume.target_version.as_ref());
    let Some(lowest) = versions.lowest() else { return };
    let mixcoord = base.staying(release).find(|c| c.role == Role::MixCoord);
    let datanode = base.staying(release).find(|c| c.role == Role::DataNode);
    let mut wanted = Vec::new();
    if let Some(model) = mixcoord.filter(|_| lowest.at_least(2, 5, 16)) {
        wanted.extend(["rootcoord", "querycoord", "datacoord", "indexcoord"].map(|role| (model, role)));
    }
    wanted.extend(
        datanode
            .filter(|_| lowest.at_least(2, 6, 0))
            .map(|model| (model, "indexnode")),
    );
    for (model, role) in wanted {
        if release.components.iter().any(|c| c.role.as_str() == role) {
            continue;
        }
        let object = &base.stream.objects[model.object];
        let mut value = renamed(&object.value, model.role.as_str(), role);
        if value["metadata"]["name"] == object.value["metadata"]["name"] {
            value["metadata"]["name"] = format!("{}-{role}", object.reference.name).into();
        }
        start(&model.container, &["milvus", "run", role])(&mut value);
        let mut text = base.scenario.target.clone();
        if !text.ends_with('\n') {
            text.push('\n');
        }
        let source = milvus_uplift::host::template_of(&base.stream, object.document);
        let source = source.map_or(String::new(), |s| {
            format!("# Source: {}\n", s.replace(model.role.as_str(), role))
        });
        text.push_str(&write::document(&format!("---\n{source}"), &value, Style::plain()));
        found.push(Fault::new("a stray coordinator", role, base.scenario.with_target(text)));
    }
}

/// A value with a word replaced in every text of it.
fn renamed(value: &Value, word: &str, by: &str) -> Value {
    match value {
        Value::String(s) => s.replace(word, by).into(),
        Value::Array(list) => list.iter().map(|v| renamed(v, word, by)).collect(),
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), renamed(v, word, by))).collect(),
        other => other.clone(),
    }
}

/// Fields that the API server does not change on an object that is there.
fn immutable(base: &Base, found: &mut Vec<Fault>) {
    let Some((deployed, _)) = &base.deployed else { return };
    let there = |o: &Object| deployed.iter().any(|d| d.reference.same_object(&o.reference));
    for (index, object) in base.stream.objects.iter().enumerate() {
        let kind = object.reference.kind.as_str();
        let labels = workload::match_labels(object);
        if !there(object) || object.is_hook() || object.reference.api_version.starts_with("extensions/") {
            continue;
        }
        if ["Deployment", "StatefulSet", "DaemonSet"].contains(&kind) && labels.is_some() {
            let scenario = base.edit(index, |object| {
                for labels in ["/spec/selector/matchLabels", "/spec/template/metadata/labels"] {
                    if let Some(Value::Object(labels)) = object.pointer_mut(labels) {
                        labels.insert("example.com/tier".into(), "one-more".into());
                    }
                }
            });
            found.push(Fault::new("a changed selector", object.reference.to_string(), scenario));
        }
        if kind == "StatefulSet" {
            let scenario = base.edit(index, |object| object["spec"]["serviceName"] = "another-service".into());
            found.push(Fault::new(
                "another immutable field",
                format!("{} serviceName", object.reference),
                scenario,
            ));
            let scenario = base.edit(index, |object| {
                let claim = json!({"metadata": {"name": "one-more"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
                object["spec"]["volumeClaimTemplates"] = json!([claim]);
            });
            found.push(Fault::new(
                "another immutable field",
                format!("{} volumeClaimTemplates", object.reference),
                scenario,
            ));
        }
    }
}
