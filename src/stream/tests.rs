//! A stream that is read beside another is what it would be alone.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;

use super::{Input, Stream, Unreadable};
use crate::yaml::Value;

type Told = Vec<(usize, String, String, Value)>;

fn told(stream: &Stream) -> Told {
    let each = stream.objects.iter();
    each.map(|o| {
        (
            o.document,
            o.pointer.clone(),
            format!("{:?}", o.reference),
            Value::clone(&o.value),
        )
    })
    .collect()
}

fn alone(text: &str) -> Result<Stream, Vec<Unreadable>> {
    Stream::read(text.as_bytes(), Input::Current)
}

/// Reads a text alone and beside another, and holds that both are the same; how many objects are shared.
fn shared(text: &str, other: &Stream) -> usize {
    let beside = Stream::read_beside(text.as_bytes(), Input::Current, Some(other));
    match (alone(text), beside) {
        (Ok(alone), Ok(beside)) => {
            assert_eq!(told(&alone), told(&beside), "{text}");
            assert_eq!((alone.host, &alone.text), (beside.host, &beside.text));
            let theirs = |o: &&crate::kube::Object| other.as_read.iter().any(|(_, value)| Arc::ptr_eq(value, &o.value));
            beside.objects.iter().filter(theirs).count()
        }
        (alone, beside) => {
            assert_eq!(alone.map(|s| told(&s)), beside.map(|s| told(&s)), "{text}");
            0
        }
    }
}

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: v}\n";
const OTHER: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata: {k: v}\n";
const LIST: &str = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: s}}\n";
const ENVELOPE: &str = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: s}}\n";
const NAMELESS: &str = "apiVersion: v1\nkind: ConfigMap\n";
const COMMENT: &str = "# nothing\n";

fn joined(documents: &[&str]) -> String {
    documents.iter().map(|d| format!("---\n{d}")).collect()
}

#[test]
fn documents_of_the_same_bytes_are_held_once() {
    let other = alone(&joined(&[COMMENT, MAP, LIST, OTHER])).unwrap();
    assert_eq!(shared(&joined(&[OTHER, MAP, COMMENT, MAP, LIST]), &other), 3);
    assert_eq!(
        shared(&joined(&[MAP.trim_end()]), &other),
        0,
        "its last line does not end"
    );
    let licensed = |map: &str| format!("{}{map}", "# a licence\n".repeat(100));
    let licensed = joined(&[&licensed(MAP), &licensed(OTHER)]);
    assert_eq!(shared(&licensed, &alone(&licensed).unwrap()), 2);
    assert_eq!(shared(&joined(&[&MAP.replace('\n', "\r\n")]), &other), 0);
    let envelope = alone(ENVELOPE).unwrap();
    assert_eq!(shared(ENVELOPE, &envelope), 0);
}

#[test]
fn what_becomes_of_the_other_streams_objects_does_not_matter() {
    let mut other = alone(&joined(&[MAP, OTHER])).unwrap();
    Arc::make_mut(&mut other.objects[0].value)["data"]["k"] = "changed".into();
    other.objects.pop();
    assert_eq!(shared(&joined(&[OTHER, MAP]), &other), 2);
    assert_eq!(shared(&joined(&[OTHER, MAP]), &other.with(vec![])), 2);
}

#[test]
fn places_asked_for_together_are_those_asked_for_one_by_one() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a#b: 'x: 1'\n  a: |\n    x: 1\n    y: {z: 2}\n  b: |\n    x: 1\n    \"y#\": 2\n";
    let stream = alone(&joined(&[MAP, map, COMMENT, LIST])).unwrap();
    let pointers = [
        "/data/b#/x",
        "/data/a#/y/z",
        "/data/b#/y#",
        "/data/a#b",
        "/data/a#/x",
        "/data/b#/x/none",
        "/data/a#b#/x",
        "/items/0/kind",
        "/data/a#/y/none",
        "/data/b",
        "",
    ];
    let asked: Vec<(usize, &str)> = pointers
        .iter()
        .flat_map(|pointer| [3, 1, 0, 2, 1].map(|document| (document, *pointer)))
        .collect();
    let one_by_one: Vec<_> = asked
        .iter()
        .map(|(document, pointer)| stream.position(*document, pointer))
        .collect();
    assert_eq!(stream.positions(&asked), one_by_one);
    let lines: HashSet<usize> = one_by_one.iter().map(|position| position.line).collect();
    assert!(lines.len() > 10, "{lines:?}");
}

#[test]
fn every_case_of_the_test_data_reads_the_same_beside_its_twin() {
    let mut folders = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata"))];
    let mut held = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            }
        }
        let read = |name: &str| std::fs::read_to_string(Path::new(&folder).join(name)).ok();
        let (Some(target), Some(current)) = (read("target.yaml"), read("current.yaml")) else {
            continue;
        };
        if let Ok(target) = alone(&target) {
            held += shared(&current, &target);
        }
        if let Ok(current) = alone(&current) {
            shared(&target, &current);
        }
    }
    assert!(held > 100, "{held} objects were held once");
}

proptest! {
    #[test]
    fn any_documents_read_the_same_beside_any_others(
        ours in prop::collection::vec(prop::sample::select(vec![MAP, OTHER, LIST, ENVELOPE, NAMELESS, COMMENT]), 0..5),
        theirs in prop::collection::vec(prop::sample::select(vec![MAP, OTHER, LIST, ENVELOPE, COMMENT]), 0..5),
    ) {
        if let Ok(other) = alone(&joined(&theirs)) {
            shared(&joined(&ours), &other);
        }
    }
}
