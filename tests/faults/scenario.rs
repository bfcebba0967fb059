//! A passing case of `testdata`, held so that one thing of it can be changed.

use std::collections::BTreeMap;
use std::path::Path;

use milvus_uplift::finding::Input;
use milvus_uplift::judge::Judgement;
use milvus_uplift::kube::Object;
use milvus_uplift::milvus::release::{Component, Inventory, Release, inventory};
use milvus_uplift::stream::Stream;
use milvus_uplift::value::Value;
use milvus_uplift::{state, yaml};

pub use super::support::scenario::{Deployed, Scenario};
use super::write::{self, Style};

/// Which of the variants of a case are taken: another one of each kind for each case, always the same. `None`: all.
#[derive(Clone, Copy)]
pub struct Pick(Option<usize>);

impl Pick {
    pub fn of(folder: &Path) -> Pick {
        let all = std::env::var("FAULTS").is_ok_and(|f| f == "all");
        let name = folder.to_string_lossy();
        let own = name.rsplit("testdata").next().unwrap_or_default();
        let seed = own
            .bytes()
            .fold(7, |sum: usize, b| (sum * 31 + usize::from(b)) % 10_007);
        Pick((!all).then_some(seed))
    }

    /// The first one to take, and those to take where it cannot be; everything where all are taken.
    pub fn turned<T>(self, mut all: Vec<T>) -> Vec<T> {
        if let Some(seed) = self.0.filter(|_| !all.is_empty()) {
            let first = seed % all.len();
            all.rotate_left(first);
        }
        all
    }

    /// How many of a kind are enough.
    pub fn enough(self, count: usize) -> bool {
        self.0.is_some() && count > 0
    }

    /// One of each kind, or all.
    pub fn of_each_kind<T>(self, all: Vec<T>, kind: impl Fn(&T) -> &'static str) -> Vec<T> {
        if self.0.is_none() {
            return all;
        }
        let mut kinds: BTreeMap<&str, Vec<T>> = BTreeMap::new();
        for one in all {
            kinds.entry(kind(&one)).or_default().push(one);
        }
        kinds
            .into_values()
            .filter_map(|of| self.turned(of).into_iter().next())
            .collect()
    }
}

/// A scenario that passes, with what is known of it.
pub struct Base {
    pub pick: Pick,
    pub scenario: Scenario,
    pub judgement: Judgement,
    pub stream: Stream,
    pub came: Inventory,
    /// What is deployed, as `--current` tells it.
    pub deployed: Option<(Vec<Object>, Inventory)>,
    /// The objects of the output, in order.
    pub objects: Vec<Value>,
}

impl Base {
    pub fn of(scenario: Scenario, pick: Pick) -> Base {
        let judgement = scenario.judge();
        let output = judgement.text().expect("the case passes");
        let stream = read(&scenario.target);
        let came = inventory(&stream.objects);
        let source = state::read(&scenario.current(), Some((&stream, &came))).expect("the current state");
        let deployed = source.map(|s| {
            let inventory = s.inventory();
            (s.stream.objects, inventory)
        });
        Base {
            pick,
            objects: objects(&output),
            scenario,
            judgement,
            stream,
            came,
            deployed,
        }
    }

    /// The releases that are deployed already, each with what is deployed of it.
    pub fn upgraded(&self) -> Vec<(&Release, &Release)> {
        let Some((_, before)) = &self.deployed else {
            return vec![];
        };
        let of = |r: &Release| before.releases.iter().position(|b| b.is(r));
        let all = self.came.releases.iter();
        all.filter_map(|r| of(r).map(|i| (r, &before.releases[i]))).collect()
    }

    /// Whether an object of the input is in the output under its own name.
    pub fn stays(&self, index: usize) -> bool {
        let own = &self.stream.objects[index].reference;
        self.objects.iter().any(|o| {
            o["kind"] == *own.kind
                && o["metadata"]["name"] == *own.name
                && o["metadata"]["namespace"].as_str().unwrap_or_default() == own.namespace
        })
    }

    /// The components of a release that stay.
    pub fn staying<'r>(&'r self, release: &'r Release) -> impl Iterator<Item = &'r Component> {
        release.components.iter().filter(|c| self.stays(c.object))
    }

    /// The scenario with one object of the target changed.
    pub fn edit(&self, index: usize, change: impl FnOnce(&mut Value)) -> Scenario {
        self.scenario.with_target(edited(&self.stream, index, change))
    }

    /// The scenario with several objects of the target changed alike.
    pub fn edit_all(&self, indices: &[usize], change: impl Fn(&mut Value)) -> Scenario {
        let text = edited_some(&self.stream, |index, object| {
            if indices.contains(&index) {
                change(object);
            }
        });
        self.scenario.with_target(text)
    }

    /// The scenario without one object of the target.
    pub fn without(&self, index: usize) -> Scenario {
        self.scenario.with_target(without(&self.stream, index))
    }

    /// The report's line of a release.
    pub fn line(&self, release: &Release) -> Option<&milvus_uplift::report::ReleaseReport> {
        let all = self.judgement.releases.iter();
        let mut own = all.filter(|r| r.name == release.name && r.namespace == release.namespace);
        match (own.next(), own.next()) {
            (Some(line), None) => Some(line),
            _ => None,
        }
    }
}

pub fn read(text: &str) -> Stream {
    Stream::read(text.as_bytes(), Input::Target).expect("a stream")
}

/// The objects of a text, as Kubernetes would read them.
pub fn objects(text: &str) -> Vec<Value> {
    read(text).objects.iter().map(|o| (*o.value).clone()).collect()
}

/// The document of an object, written anew with one object in it changed.
pub fn edited(stream: &Stream, index: usize, change: impl FnOnce(&mut Value)) -> String {
    let object = &stream.objects[index];
    let body = stream.body(object.document);
    let mut root = yaml::read(body).expect("read before").expect("an object");
    change(root.pointer_mut(&object.pointer).expect("it was there"));
    replaced(
        stream,
        object.document,
        &write::document(&comments(body), &root, Style::plain()),
    )
}

/// The stream with its objects changed, each told by its index; documents where none is stay as they are.
pub fn edited_some(stream: &Stream, change: impl Fn(usize, &mut Value)) -> String {
    let mut text = stream.text.to_string();
    for document in stream.documents.iter().rev() {
        let body = stream.body(document.index);
        let Some(mut root) = yaml::read(body).expect("read before") else {
            continue;
        };
        let old = root.clone();
        for (index, object) in stream
            .objects
            .iter()
            .enumerate()
            .filter(|(_, o)| o.document == document.index)
        {
            change(index, root.pointer_mut(&object.pointer).expect("it was there"));
        }
        if root != old {
            let new = write::document(&comments(body), &root, Style::plain());
            text.replace_range(document.body.clone(), &new);
        }
    }
    text
}

/// The stream with every object changed alike.
pub fn edited_all(stream: &Stream, change: impl Fn(&mut Value)) -> String {
    edited_some(stream, |_, object| change(object))
}

/// Takes one object away: out of its List, or with its whole document.
pub fn without(stream: &Stream, index: usize) -> String {
    let object = &stream.objects[index];
    let Some((list, at)) = object.pointer.rsplit_once('/') else {
        let whole = stream.documents[object.document].whole.clone();
        return [&stream.text[..whole.start], &stream.text[whole.end..]].concat();
    };
    let body = stream.body(object.document);
    let mut root = yaml::read(body).expect("read before").expect("an object");
    let items = root.pointer_mut(list).and_then(Value::as_array_mut).expect("a list");
    items.remove(at.parse().expect("an index"));
    replaced(
        stream,
        object.document,
        &write::document(&comments(body), &root, Style::plain()),
    )
}

/// The stream with another body for one document.
pub fn replaced(stream: &Stream, document: usize, body: &str) -> String {
    let old = stream.documents[document].body.clone();
    [&stream.text[..old.start], body, &stream.text[old.end..]].concat()
}

/// The comment lines a document begins with.
pub fn comments(body: &str) -> String {
    let lines = body.split_inclusive('\n');
    lines
        .take_while(|l| l.starts_with('#') || l.trim().is_empty())
        .collect()
}
