//! The history of a release: which revision gives the structure, and which versions the others know.

use super::read::{Wanted, unreadable_stream};
use super::record::Record;
use super::{Form, Seen, Source};
use crate::finding::{Finding, Input};
use crate::kube::object::namespaces_agree;
use crate::milvus::release::{Inventory, inventory};
use crate::rules::mu003_state_unknown;
use crate::stream::Stream;

/// The state that release records tell. Of records of several Helm releases those are taken whose name and namespace
/// the manifests say; all, where none agrees.
///
/// # Errors
/// MU003 where it cannot be told which are meant, MU001 where the manifest of the deployed revision cannot be read.
pub fn source(records: &[Record], wanted: Option<Wanted>) -> Result<Source, Vec<Finding>> {
    let groups = pick(groups(records), wanted.map(|(_, inventory)| inventory))?;
    let deployed: Vec<&Record> = groups.iter().map(|group| structure(group)).collect();
    let text = deployed
        .iter()
        .map(|r| terminated(&r.manifest))
        .collect::<Vec<_>>()
        .join("---\n");
    let labels = deployed
        .iter()
        .map(|r| format!("release {}, {}", r.name, r.label()))
        .collect::<Vec<_>>()
        .join("; ");
    let beside = wanted.map(|(stream, _)| stream);
    let stream = Stream::read_beside(text, Input::Current, beside)
        .map_err(|all| unreadable_stream(&all, &format!("the manifest in {labels}")))?;
    let mut source = Source::of(stream, Form::Record, labels);
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
    for (group, deployed) in groups.iter().zip(&deployed) {
        for record in group.iter().filter(|r| r.revision != deployed.revision) {
            let attempted = record.status == "failed" || record.status.starts_with("pending");
            let running = attempted && record.revision > deployed.revision;
            let seen = seen(record, running, &source.stream);
            source.seen.extend(seen);
        }
    }
    source.settle();
    Ok(source)
}

/// What a revision knows of versions, read beside the structure. One whose manifest no Kubernetes reads was never applied and
/// knows nothing.
pub fn seen(record: &Record, running: bool, structure: &Stream) -> Vec<Seen> {
    let Ok(stream) = Stream::read_beside(record.manifest.as_bytes(), Input::Current, Some(structure)) else {
        return vec![];
    };
    let releases = inventory(&stream.objects).releases;
    let each = releases.iter().map(|release| {
        let mut seen = Seen::of(&record.label(), release, running);
        if seen.namespace.is_empty() {
            seen.namespace.clone_from(&record.namespace);
        }
        seen
    });
    each.collect()
}

/// The records of each Helm release, in the order of their revisions.
fn groups(records: &[Record]) -> Vec<Vec<&Record>> {
    let mut groups: Vec<Vec<&Record>> = Vec::new();
    for record in records {
        match groups
            .iter_mut()
            .find(|g| g[0].name == record.name && g[0].namespace == record.namespace)
        {
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
    let meant = |group: &Vec<&Record>| {
        wanted
            .releases
            .iter()
            .any(|r| r.name == group[0].name && namespaces_agree(&r.namespace, &group[0].namespace))
    };
    let agreeing = groups.iter().filter(|g| meant(g)).count();
    if agreeing == 0 {
        return Ok(groups);
    }
    let picked: Vec<_> = groups.into_iter().filter(meant).collect();
    for (i, group) in picked.iter().enumerate() {
        let name = &group[0].name;
        if let Some(twin) = picked[..i].iter().find(|g| g[0].name == *name) {
            let message = format!(
                "--current holds records of release {name} in the namespaces {} and {}, and the manifests name none: which is meant cannot be told",
                twin[0].namespace, group[0].namespace
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
