//! One thing wrong with the inputs as a whole: a stream cut off, a current state or values that are not this release's.

use milvus_uplift::finding::Input;
use milvus_uplift::host;
use milvus_uplift::kube::object::namespaces_agree;
use milvus_uplift::kube::{Object, selector};
use milvus_uplift::milvus::release::{Component, Release, inventory};
use milvus_uplift::milvus::role::Role;
use milvus_uplift::milvus::version::Version;
use milvus_uplift::stream::Stream;
use milvus_uplift::transition::Kind;
use milvus_uplift::value::{Value, json};

use super::scenario::{Base, Deployed, comments, edited_all, edited_some};
use super::write::{self, Style};
use super::wrong::Fault;

pub fn faults(base: &Base) -> Vec<Fault> {
    let mut found = Vec::new();
    truncated(base, &mut found);
    current(base, &mut found);
    values(base, &mut found);
    found
}

/// Whether a text still runs every role that is deployed and stays. What the rewrite puts together anew is not counted.
fn is_whole(base: &Base, text: &str) -> bool {
    let Ok(stream) = Stream::read(text.as_bytes(), Input::Target) else {
        return false;
    };
    let left = inventory(&stream.objects);
    let has = |release: &Release, c: &Component| {
        let mut own = left
            .releases
            .iter()
            .filter(|r| r.is(release))
            .flat_map(|r| &r.components);
        own.any(|l| l.role == c.role)
    };
    base.upgraded().iter().all(|(release, before)| {
        let mut needed = base.staying(release).filter(|c| {
            let anew = [Role::MixCoord, Role::StreamingNode].contains(&c.role);
            !anew && before.in_role(c.role).any(|b| !b.is_scaled_to_zero())
        });
        needed.all(|c| has(release, c))
    })
}

fn truncated(base: &Base, found: &mut Vec<Fault>) {
    if base.upgraded().is_empty() {
        return;
    }
    let text = &base.scenario.target;
    // Whole documents are lost.
    let documents = base.stream.documents.iter();
    let mut cuts: Vec<(&'static str, usize, String)> = documents
        .map(|d| {
            (
                "a truncated stream",
                d.whole.start,
                format!("before document {}", d.index),
            )
        })
        .collect();
    // One is torn.
    for component in base.came.releases.iter().flat_map(|r| &r.components) {
        let object = &base.stream.objects[component.object];
        let body = base.stream.documents[object.document].body.clone();
        for part in 1..6 {
            let mut at = body.start + (body.end - body.start) * part / 6;
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            cuts.push(("a torn document", at, format!("{part}/6 into {}", component.name)));
        }
    }
    for (kind, at, what) in base.pick.turned(cuts) {
        let left = &text[..at];
        let blank = left.lines().all(|l| l.trim().is_empty() || l.starts_with(['#', '-']));
        if blank || base.pick.enough(found.iter().filter(|f| f.kind == kind).count()) || is_whole(base, left) {
            continue;
        }
        found.push(Fault::new(kind, what, base.scenario.with_target(left.to_owned())));
    }
}

fn current(base: &Base, found: &mut Vec<Fault>) {
    let upgraded = base.upgraded();
    if upgraded.is_empty() {
        return;
    }
    let to_streaming = upgraded.iter().all(|(r, _)| {
        let stated = base.scenario.options.assume.target_version.as_ref();
        r.versions(stated).lowest().is_some_and(|v| v.at_least(2, 6, 0))
    });
    if to_streaming {
        let scenario = super::scenario::Scenario {
            current: Deployed::Unsaid,
            stored_values: None,
            ..base.scenario.clone()
        };
        found.push(Fault::new("no current", "nobody says what is deployed", scenario));
    }
    let Some(text) = base.scenario.current_text().map(str::to_owned) else {
        return;
    };
    let kind = |wanted: Kind| base.judgement.releases.iter().all(|r| r.kind == Some(wanted));
    if kind(Kind::Streaming) {
        let mut scenario = base
            .scenario
            .with_current(base.scenario.target.clone())
            .with_target(text.clone());
        scenario.values.clear();
        found.push(Fault::new(
            "a swapped current",
            "current and target change places",
            scenario,
        ));
    }
    let stream = Stream::read(text.as_bytes(), Input::Current).expect("read before");
    let before = inventory(&stream.objects);
    if kind(Kind::Streaming) || kind(Kind::To30) || kind(Kind::Within) {
        stale(base, &stream, &before.releases, found);
    }
    foreign(base, &stream, &before.releases, found);
}

/// What was deployed long ago: another version, or the coordinators that have left since.
fn stale(base: &Base, stream: &Stream, before: &[Release], found: &mut Vec<Fault>) {
    let stated = base.scenario.assumed.iter().any(|a| a.starts_with("current-version"));
    if stated || before.len() != 1 {
        return;
    }
    let text = edited_some(stream, |index, object| {
        let of = before[0].components.iter().find(|c| c.object == index);
        let container = of.and_then(|c| object.pointer_mut(&c.container));
        if let Some((repository, container)) = of.and_then(|c| c.image.rsplit_once(':')).map(|i| i.0).zip(container) {
            container["image"] = format!("{repository}:v2.4.17").into();
        }
    });
    found.push(Fault::new(
        "a stale current",
        "everything at 2.4.17",
        base.scenario.with_current(text),
    ));
    let Some(node) = before[0].components.iter().find(|c| c.role.as_str() == "datanode") else {
        return;
    };
    if before[0].legacy_coordinators().next().is_some() {
        return;
    }
    let mut value = (*stream.objects[node.object].value).clone();
    value["metadata"]["name"] = format!("{}-rootcoord", node.name).into();
    let container = value
        .pointer_mut(&node.container)
        .and_then(Value::as_object_mut)
        .expect("a container");
    container.remove("command");
    container.insert("args".into(), json!(["milvus", "run", "rootcoord"]));
    container.insert("image".into(), "milvusdb/milvus:v2.5.16".into());
    let mut text = stream.text.trim_end().to_owned();
    text.push_str("\n---\n");
    text.push_str(&write::document("", &value, Style::plain()));
    if node.version != milvus_uplift::milvus::version::Read::Known(Version::new(2, 5, 16)) {
        return;
    }
    found.push(Fault::new(
        "a stale current",
        "a separate coordinator still runs",
        base.scenario.with_current(text),
    ));
}

/// What is deployed of another release, or in another namespace.
fn foreign(base: &Base, stream: &Stream, before: &[Release], found: &mut Vec<Fault>) {
    let ([release], [came]) = (before, &base.came.releases[..]) else {
        return;
    };
    let rewritten = |change: &dyn Fn(&mut Value)| base.scenario.with_current(edited_all(stream, change));
    let labelled = |release: &Release, objects: &[milvus_uplift::kube::Object]| {
        let own = release.components.iter().map(|c| &objects[c.object].value);
        own.filter(|v| {
            v.pointer("/spec/selector/matchLabels/app.kubernetes.io~1instance")
                .is_some()
        })
        .count()
            == release.components.len()
    };
    if labelled(release, &stream.objects) && labelled(came, &base.stream.objects) {
        let scenario = rewritten(&|object: &mut Value| instance(object, &release.name));
        found.push(Fault::new(
            "another release's current",
            format!("not {}", release.name),
            scenario,
        ));
    }
    if !came.namespace.is_empty()
        && !release.namespace.is_empty()
        && namespaces_agree(&came.namespace, &release.namespace)
    {
        let scenario = rewritten(&|object: &mut Value| {
            if object["metadata"]["namespace"].is_string() {
                object["metadata"]["namespace"] = "another-namespace".into();
            }
        });
        found.push(Fault::new("another namespace's current", "another-namespace", scenario));
    }
}

/// Gives everything that carries the release's instance label another one.
fn instance(value: &mut Value, name: &str) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(s) if key == "app.kubernetes.io/instance" && s == name => {
                        *s = "release-of-another".into();
                    }
                    _ => instance(value, name),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|v| instance(v, name)),
        _ => {}
    }
}

fn values(base: &Base, found: &mut Vec<Fault>) {
    for (release, _) in base.upgraded() {
        let Some(first) = release.components.first() else {
            continue;
        };
        let document = base.stream.objects[first.object].document;
        if comments(base.stream.body(document)).is_empty() && base.stream.host == host::Host::Plain {
            continue;
        }
        let template = host::template_of(&base.stream, document).unwrap_or_default();
        let rooted = |inner: Value| {
            let path = host::values_path(&template);
            path.iter().rev().fold(inner, |inner, key| json!({key: inner}))
        };
        let with = |what: String, inner: Value| {
            let mut scenario = base.scenario.clone();
            let text = write::document("", &rooted(inner), Style::plain());
            scenario
                .values
                .push(("values-of-another.yaml".into(), text.into_bytes()));
            Fault::new("foreign values", what, scenario)
        };
        found.push(with("another tag".into(), json!({"image": {"all": {"tag": "v2.3.1"}}})));
        let keys = [("proxy", "proxy"), ("querynode", "queryNode"), ("datanode", "dataNode")];
        for (role, key) in keys {
            let mut own = base.staying(release).filter(|c| c.role.as_str() == role);
            let (Some(component), None) = (own.next(), own.next()) else {
                continue;
            };
            let Some(replicas) = component.replicas else { continue };
            // Where an autoscaler has the say, the values' number says nothing about the stream.
            let scaled = |o: &Object| {
                selector::scale_target(&o.reference.kind, &o.value).is_some_and(|(_, name)| name == component.name)
            };
            if base.stream.objects.iter().any(scaled) {
                continue;
            }
            let what = format!("{} more of {role}", 3);
            found.push(with(what, json!({key: {"enabled": true, "replicas": replicas + 3}})));
        }
    }
}
