//! One leg as the post-renderer will judge it: the deployed objects with the images of the next stop.

use std::sync::Arc;

use super::Order;
use super::route::{Kind, Leg};
use super::site::Site;
use crate::apply;
use crate::finding::{Finding, Input, Severity};
use crate::judge::{Current, Request, judge};
use crate::kube::Object;
use crate::kube::delta::without_server_fields;
use crate::milvus::release::{Release, inventory};
use crate::options::Options;
use crate::stage::Stage;
use crate::state::record::{Record, Unpacked};
use crate::stream::{Bytes, Stream};
use crate::value::Value;
use crate::yaml;

/// What would be deployed at a stop.
#[derive(Clone, Debug)]
pub struct State {
    current: Given,
    /// The objects as manifests.
    pub text: String,
    /// The release records among them, which no leg changes.
    unpacked: Option<Arc<Unpacked>>,
}

/// What the judgement takes for deployed.
#[derive(Clone, Debug)]
enum Given {
    /// The source itself, with its history.
    Bytes(Bytes),
    Records(Vec<Arc<Record>>),
    /// The outcome of the leg before.
    Text,
}

impl State {
    /// What is deployed now.
    pub fn first(current: &Current, text: String) -> State {
        let (given, unpacked) = match current {
            Current::Manifests(bytes) => (Given::Bytes(bytes.clone()), None),
            Current::Unpacked(bytes, unpacked) => (Given::Bytes(bytes.clone()), Some(Arc::clone(unpacked))),
            Current::Records(records) => (Given::Records(records.clone()), None),
            _ => (Given::Text, None),
        };
        State {
            current: given,
            text,
            unpacked,
        }
    }

    /// What a leg leaves.
    fn after(&self, text: String) -> State {
        State {
            current: Given::Text,
            text,
            unpacked: self.unpacked.clone(),
        }
    }

    fn as_current(&self) -> Current {
        let bytes = match &self.current {
            Given::Bytes(bytes) => bytes.clone(),
            Given::Records(records) => return Current::Records(records.clone()),
            Given::Text => self.text.clone().into(),
        };
        match &self.unpacked {
            Some(unpacked) => Current::Unpacked(bytes, Arc::clone(unpacked)),
            None => Current::Manifests(bytes),
        }
    }

    /// The Milvus releases in it.
    pub fn inventory(&self) -> Vec<Release> {
        Stream::read(self.text.as_bytes(), Input::Current)
            .map(|s| inventory(&s.objects).releases)
            .unwrap_or_default()
    }
}

/// What came of a leg.
#[derive(Debug)]
pub struct Outcome {
    /// What would be deployed then.
    pub state: State,
    /// What refuses it.
    pub blocked: Vec<Finding>,
    /// What else there is to know.
    pub warnings: Vec<Finding>,
    /// The stage that `--stage next` would apply first.
    pub next: Option<u8>,
}

/// Warnings about what the plan sees to itself, or cannot have: the chart's own rendering, the order, the values.
const SETTLED: [&str; 7] = ["MU602", "MU603", "MU604", "MU605", "MU606", "MU607", "MU609"];

/// Walks one leg.
pub fn walk(state: &State, site: &Site, leg: &Leg, options: &Options) -> Outcome {
    let target = retagged(&state.text, site, &site.image(&leg.to));
    let mut outcome = applied(state, site, target, options);
    // The migration is what MU110 asks for.
    outcome
        .blocked
        .retain(|f| !(leg.kind == Kind::Migration && f.code == "MU110"));
    outcome
}

/// Applies what is deployed once more, images as they are.
pub fn again(state: &State, site: &Site, order: &Order) -> Outcome {
    let mut options = order.options.clone();
    // Of images that say no version it was stated, and they stay.
    options.assume.target_version.get_or_insert_with(|| order.to.clone());
    applied(state, site, state.text.clone(), &options)
}

/// What comes of these manifests where that is deployed.
fn applied(state: &State, site: &Site, target: String, options: &Options) -> Outcome {
    let request = Request {
        target: target.clone().into(),
        current: state.as_current(),
        options: Options {
            stage: Stage::All,
            ..options.clone()
        },
        ..Request::default()
    };
    let judgement = judge(&request);
    let mine = |f: &&Finding| f.object.as_ref().is_none_or(|o| !site.of_another_release(&o.name));
    let blocked = judgement.findings.iter().filter(|f| f.refuses()).filter(mine);
    let blocked: Vec<Finding> = blocked.cloned().collect();
    // What else is wrong with a way back does not matter, and its advice would lead further down.
    let down: Vec<Finding> = blocked.iter().filter(|f| f.code == "MU104").cloned().collect();
    let blocked = if down.is_empty() { blocked } else { down };
    let warnings = judgement
        .findings
        .iter()
        .filter(|f| f.severity == Severity::Warn)
        .filter(mine);
    let warnings = warnings.filter(|f| !SETTLED.contains(&f.code)).cloned().collect();
    let text = Stream::read(target.as_bytes(), Input::Target)
        .ok()
        .and_then(|stream| apply::render(&stream, &judgement.changes).ok())
        .map_or(target, |output| output.to_string());
    Outcome {
        state: state.after(text),
        next: next_stage(request, site),
        blocked,
        warnings,
    }
}

/// The first stage that changes something; `None` where the way has none, or the release is not half way.
fn next_stage(mut request: Request, site: &Site) -> Option<u8> {
    if !site.mixed {
        return None;
    }
    request.options.stage = Stage::Next;
    let releases = judge(&request).releases;
    releases
        .iter()
        .find(|r| r.name == site.instance)?
        .stage
        .map(|s| s.applied)
}

/// The finding of MU606 for the objects as they were deployed first, on the images of the last stop: the values after
/// which the chart renders by itself what is applied.
pub fn values_to_commit(first: &str, last: &State, site: &Site, options: &Options) -> Option<Value> {
    let image = last_image(last, site)?;
    let request = Request {
        target: retagged(first, site, &image).into(),
        current: last.as_current(),
        options: Options {
            stage: Stage::All,
            ..options.clone()
        },
        ..Request::default()
    };
    let finding = judge(&request).findings.into_iter().find(|f| f.code == "MU606")?;
    let text = finding.help.split_once(":\n")?.1;
    let text = text.split("\n(").next()?;
    yaml::read(text).ok()?
}

fn last_image(last: &State, site: &Site) -> Option<String> {
    let releases = last.inventory();
    let release = releases.iter().find(|r| site.is(r))?;
    release.components.first().map(|c| c.image.clone())
}

/// Manifests with another image in every component of the release.
fn retagged(text: &str, site: &Site, image: &str) -> String {
    let Ok(stream) = Stream::read(text.as_bytes(), Input::Current) else {
        return text.to_owned();
    };
    let mut objects = stream.objects.clone();
    let found = inventory(&stream.objects).releases;
    let release = found.iter().find(|r| site.is(r));
    for component in release.into_iter().flat_map(|r| &r.components) {
        let value = std::sync::Arc::make_mut(&mut objects[component.object].value);
        if let Some(container) = value.pointer_mut(&component.container) {
            container["image"] = image.into();
        }
    }
    emit(&stream, &objects)
}

/// Objects as manifests, with the note of the template each was rendered from.
pub fn emit(stream: &Stream, objects: &[Object]) -> String {
    let mut out = String::new();
    for object in objects.iter().filter(|o| !o.is_hook()) {
        out.push_str("---\n");
        if let Some(template) = crate::host::template_of(stream, object.document) {
            out.push_str(&format!("# Source: {template}\n"));
        }
        let value = without_server_fields(object.value.as_ref().clone());
        let (text, indentation) = laid_out(&value, 0);
        match indentation > 4 * text {
            true => out.extend([&yaml::inline(&value), "\n"]),
            false => out.push_str(&yaml::emit(&value)),
        }
    }
    out
}

/// How many bytes a value takes in block style, in about: its texts, and the indentation, which multiplies what is deeply
/// nested.
fn laid_out(value: &Value, depth: usize) -> (usize, usize) {
    let below = |(text, indentation): (usize, usize), (key, value): (usize, &Value)| {
        let (more, further) = laid_out(value, depth + 1);
        (text + key + more, indentation + further)
    };
    let own = (2, 2 * depth);
    match value {
        Value::String(text) => (text.len() + 2, own.1),
        Value::Array(items) => items.iter().map(|value| (2, value)).fold(own, below),
        Value::Object(map) => map.iter().map(|(key, value)| (key.len() + 2, value)).fold(own, below),
        _ => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    #[test]
    fn what_is_deeply_nested_is_written_on_one_line() {
        let written = |value: Value| {
            let value = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": value});
            let objects = Object::all_in(0, value).unwrap();
            let stream = Stream::read("", Input::Current).unwrap();
            let text = emit(&stream, &objects);
            let read = Stream::read(text.as_bytes(), Input::Current).unwrap();
            assert_eq!(read.objects[0].value, objects[0].value);
            text.lines().count()
        };
        let nested = |depth: usize| (0..depth).fold(json!("a"), |value, _| json!([value, "b"]));
        assert_eq!([written(nested(3)), written(nested(60))], [10, 2]);
        assert_eq!(written(json!({"a": "b", "c": "d"})), 8);
    }
}
