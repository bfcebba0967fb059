//! The history of a release: which revision gives the structure, and which versions the others know.

use std::sync::Arc;

use foldhash::HashMap;

use super::read::{Wanted, unreadable_stream};
use super::record::Record;
use super::{Form, Seen, Source};
use crate::finding::{Finding, Input};
use crate::kube::named::First;
use crate::milvus::release::{Inventory, inventory};
use crate::rules::mu003_state_unknown;
use crate::stream::{Stream, Texts, Unreadable};

/// The state that release records tell. Of records of several Helm releases those are taken whose name and namespace
/// the manifests say; all, where none agrees.
///
/// # Errors
/// MU003 where it cannot be told which are meant, MU001 where the manifest of the deployed revision cannot be read.
pub fn source(records: &[Arc<Record>], wanted: Option<Wanted>) -> Result<Source, Vec<Finding>> {
    let groups = pick(groups(records), wanted.map(|(_, inventory)| inventory))?;
    let deployed: Vec<&Record> = groups.iter().map(|group| structure(group)).collect();
    let manifests: Vec<String> = deployed.iter().map(|r| terminated(&r.manifest)).collect();
    let labels: Vec<String> = deployed
        .iter()
        .map(|r| format!("release {}, {}", r.name, r.label()))
        .collect();
    let beside = wanted.map(|(stream, _)| stream);
    let stream = Stream::read_beside(manifests.join(SEPARATOR), Input::Current, beside)
        .map_err(|all| unreadable(&all, &manifests, &labels))?;
    let mut source = Source::of(stream, Form::Record, labels.join("; "));
    if let [only] = deployed[..] {
        source.release.clone_from(&only.name);
        source.values.clone_from(&only.values);
        source.last_revision = groups.first().and_then(|g| g.last()).map(|r| r.revision);
    }
    if let [first, rest @ ..] = &deployed[..]
        && rest.iter().all(|r| r.namespace == first.namespace)
    {
        source.namespace.clone_from(&first.namespace);
    }
    let texts = source.stream.texts();
    let mut found = Vec::new();
    for (group, deployed) in groups.iter().zip(&deployed) {
        for record in group.iter().filter(|r| r.revision != deployed.revision) {
            let attempted = record.status == "failed" || record.status.starts_with("pending");
            let running = attempted && record.revision > deployed.revision;
            found.extend(seen(record, running, &texts));
        }
    }
    source.seen.extend(found);
    source.settle();
    Ok(source)
}

/// What stands between the manifests of several releases.
const SEPARATOR: &str = "---\n";

/// The findings for what cannot be read, each with the release that it stands in.
fn unreadable(all: &[Unreadable], manifests: &[String], labels: &[String]) -> Vec<Finding> {
    let mut line = 1;
    let first_lines: Vec<usize> = manifests
        .iter()
        .map(|manifest| {
            let first = line;
            // The separator is a line of its own.
            line += manifest.bytes().filter(|byte| *byte == b'\n').count() + 1;
            first
        })
        .collect();
    let each = all.iter().flat_map(|one| {
        let which = first_lines.partition_point(|first| *first <= one.position.line);
        let label = &labels[which.saturating_sub(1)];
        unreadable_stream(std::slice::from_ref(one), &format!("the manifest in {label}"))
    });
    each.collect()
}

/// What a revision knows of versions, read beside the `texts` of the structure, once. One whose manifest no Kubernetes reads
/// was never applied and knows nothing.
pub fn seen(record: &Record, running: bool, texts: &Texts) -> Vec<Seen> {
    let known = record.knows.get_or_read(|| {
        let Ok(stream) = Stream::read_among(record.manifest.as_bytes(), Input::Current, texts) else {
            return vec![];
        };
        let releases = inventory(&stream.objects).releases;
        let each = releases.iter().map(|release| {
            let mut seen = Seen::of(&record.label(), release, false);
            if seen.namespace.is_empty() {
                seen.namespace.clone_from(&record.namespace);
            }
            seen
        });
        each.collect()
    });
    let each = known.iter().cloned();
    each.map(|seen| Seen { running, ..seen }).collect()
}

/// The records of each Helm release, in the order of their revisions.
fn groups(records: &[Arc<Record>]) -> Vec<Vec<&Record>> {
    let mut groups: Vec<Vec<&Record>> = Vec::new();
    let mut known: HashMap<(&str, &str), usize> = HashMap::default();
    for record in records {
        let which = *known.entry((&record.name, &record.namespace)).or_insert(groups.len());
        match groups.get_mut(which) {
            Some(group) => group.push(record),
            None => groups.push(vec![record]),
        }
    }
    for group in &mut groups {
        group.sort_by_key(|r| r.revision);
    }
    groups
}

fn pick<'r>(groups: Vec<Vec<&'r Record>>, wanted: Option<&Inventory>) -> Result<Vec<Vec<&'r Record>>, Vec<Finding>> {
    let Some(wanted) = wanted.filter(|w| !w.releases.is_empty() && groups.len() > 1) else {
        return Ok(groups);
    };
    let mut named: HashMap<&str, First> = HashMap::default();
    for (i, release) in wanted.releases.iter().enumerate() {
        named.entry(&release.name).or_default().add(&release.namespace, i);
    }
    let meant = |group: &Vec<&Record>| {
        let named = named.get(&group[0].name[..]);
        named.is_some_and(|named| named.agreeing(&group[0].namespace).is_some())
    };
    if !groups.iter().any(meant) {
        return Ok(groups);
    }
    let picked: Vec<_> = groups.into_iter().filter(meant).collect();
    let mut namespaces: HashMap<&str, &str> = HashMap::default();
    for group in &picked {
        let Record { name, namespace, .. } = group[0];
        if let Some(twin) = namespaces.insert(name, namespace) {
            let message = format!(
                "--current holds records of release {name} in the namespaces {twin} and {namespace}, and the manifests name none: which is meant cannot be told"
            );
            let help = format!(
                "give the records of one: kubectl get secrets -l owner=helm,name={name} --namespace NAMESPACE --output yaml > current.yaml"
            );
            return Err(vec![mu003_state_unknown::unavailable(&message, &help)]);
        }
    }
    Ok(picked)
}

/// The revision that gives the structure: the last deployed one. Where none is, what Helm itself would upgrade from,
/// the last that failed or was superseded; else the last of all.
fn structure<'r>(group: &[&'r Record]) -> &'r Record {
    let last = |fits: &dyn Fn(&Record) -> bool| group.iter().rev().find(|r| fits(r)).copied();
    last(&Record::is_deployed)
        .or_else(|| last(&|r| matches!(r.status.as_str(), "failed" | "superseded")))
        .unwrap_or(group[group.len() - 1])
}

/// A manifest that ends with a line break, so that another can follow it.
fn terminated(manifest: &str) -> String {
    match manifest.ends_with('\n') || manifest.is_empty() {
        true => manifest.to_owned(),
        false => format!("{manifest}\n"),
    }
}
