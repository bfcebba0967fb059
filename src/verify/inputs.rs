//! What was given, read; and which releases are meant.

use foldhash::{HashMap, HashSet};

use super::cluster::Cluster;
use super::{Missing, Request};
use crate::judge::Current;
use crate::kube::Object;
use crate::kube::object::namespaces_agree;
use crate::milvus::release::{Inventory, Release};
use crate::rules::mu007_role_undecidable;
use crate::state::kubectl::Place;
use crate::state::{self, Source};
use crate::value::Value;

/// Both sides, read.
#[derive(Debug)]
pub struct Inputs {
    /// The cluster; Pods and ReplicaSets stand apart, in `made`.
    pub live: Source,
    /// What was deployed before; `None` for `--current none`.
    pub before: Option<Source>,
    /// The releases in it.
    pub before_inventory: Inventory,
    /// The report of `--applied`.
    pub applied: Option<Applied>,
}

/// The report that `render` wrote when it applied a stage.
#[derive(Debug)]
pub struct Applied {
    /// As it was read.
    pub report: Value,
    /// Its releases (indices), by their names.
    pub named: HashMap<String, usize>,
}

impl Applied {
    fn of(report: Value) -> Applied {
        let mut named = HashMap::default();
        for (i, release) in report["releases"].as_array().into_iter().flatten().enumerate() {
            if let Some(name) = release["name"].as_str() {
                named.entry(name.to_owned()).or_insert(i);
            }
        }
        Applied { report, named }
    }
}

/// Reads everything.
pub fn read(request: &Request) -> Result<Inputs, Vec<Missing>> {
    let unreadable = |findings: Vec<crate::finding::Finding>| {
        let each = findings.iter().map(|f| Missing::finding("unreadable", f));
        each.collect::<Vec<_>>()
    };
    let mut live = match state::live(&request.live) {
        Ok(live) => live,
        Err(findings) => return Err(unreadable(findings)),
    };
    live.place(&request.place.namespace);
    apart(&mut live, &request.place.namespace);
    let found = live.inventory();
    let before = match &request.current {
        Current::Unsaid => {
            return Err(vec![Missing {
                code: Some("MU003"),
                ..Missing::new(
                    "state-unknown",
                    "nobody said what was deployed before: whether queue, stores and later components are as they were cannot be told",
                    "take it down before each upgrade, and name it: kubectl get secrets --selector owner=helm,name=RELEASE --namespace NAMESPACE --output yaml > current.yaml   and   --current current.yaml",
                )
            }]);
        }
        current => state::read(current, Some((&live.stream, &found))).map_err(unreadable)?,
    };
    let applied = match &request.applied {
        None => None,
        Some(bytes) => Some(Applied::of(report(bytes)?)),
    };
    let before_inventory = before.as_ref().map(Source::inventory).unwrap_or_default();
    Ok(Inputs {
        live,
        before,
        before_inventory,
        applied,
    })
}

fn report(bytes: &[u8]) -> Result<Value, Vec<Missing>> {
    let read: Option<Value> = serde_json::from_slice(bytes).ok();
    let value = read.filter(|v| v["schema"] == crate::report::SCHEMA);
    let value = value.ok_or_else(|| {
        let message = format!("--applied names no report of the form {}", crate::report::SCHEMA);
        vec![Missing::new(
            "unreadable",
            message,
            "it is what `milvus-uplift --report FILE` wrote when Helm ran it",
        )]
    })?;
    if value["verdict"] != "pass" {
        return Err(vec![Missing::new(
            "not-applied",
            "--applied names the report of a refusal: nothing was applied",
            "read its findings, mend them, and run the same helm upgrade again",
        )]);
    }
    Ok(value)
}

/// Puts Pods and owned ReplicaSets apart, and leaves out what is in other namespaces.
fn apart(live: &mut Source, namespace: &str) {
    let here = |o: &Object| namespaces_agree(&o.reference.namespace, namespace);
    let (made, own): (Vec<Object>, Vec<Object>) = std::mem::take(&mut live.stream.objects)
        .into_iter()
        .filter(here)
        .partition(|o| o.reference.kind == "Pod");
    live.stream.objects = own;
    live.made.retain(here);
    live.made.extend(made);
}

/// The releases to look at, each with what it was before.
pub fn releases<'i>(
    inputs: &'i Inputs,
    cluster: &'i Cluster,
    place: &Place,
    missing: &mut Vec<Missing>,
) -> Vec<(&'i Release, Option<&'i Release>)> {
    let found = &cluster.inventory.releases;
    strays(inputs, cluster, missing);
    let Some(before) = &inputs.before else {
        if found.is_empty() {
            missing.push(nothing(place, ""));
        }
        return found.iter().map(|r| (r, None)).collect();
    };
    let mut named: HashMap<&str, Vec<&Release>> = HashMap::default();
    for release in found {
        named.entry(&release.name).or_default().push(release);
    }
    let known = &inputs.before_inventory.releases;
    if known.is_empty() {
        let message = format!("--current ({}) holds nothing that runs Milvus", before.taken_from);
        let help = "name what was deployed before the upgrade; where nothing was, say --current none";
        missing.push(Missing {
            code: Some("MU003"),
            ..Missing::new("state-unknown", message, help)
        });
    }
    let mut wanted = Vec::new();
    for release in known {
        let of_name = named.get(&release.name[..]).into_iter().flatten();
        let same: Vec<&Release> = of_name.copied().filter(|r| r.is(release)).collect();
        match same[..] {
            [one] => wanted.push((one, Some(release))),
            [] => missing.push(absent(place, release, found)),
            _ => {
                let message = format!(
                    "release {} is in the namespaces {}, and --current does not say which is meant",
                    release.name,
                    some(&same, |r| r.namespace.clone())
                );
                let help = format!("say it: --namespace {}", same[0].namespace);
                missing.push(Missing {
                    release: release.name.clone(),
                    ..Missing::new("another-release", message, help)
                });
            }
        }
    }
    wanted
}

/// The first of some releases in words, and how many more there are.
fn some<R>(all: &[R], words: impl Fn(&R) -> String) -> String {
    const NAMED: usize = 10;
    let named: Vec<String> = all.iter().take(NAMED).map(words).collect();
    let more = match all.len().saturating_sub(NAMED) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    format!("{}{more}", named.join(", "))
}

fn absent(place: &Place, release: &Release, found: &[Release]) -> Missing {
    if found.is_empty() {
        return nothing(place, &release.name);
    }
    let others = some(found, |r| match r.namespace.as_str() {
        "" => r.name.clone(),
        namespace => format!("{} in {namespace}", r.name),
    });
    let message = format!("no workload of release {} is there, only of {others}", release.name);
    Missing {
        code: Some("MU004"),
        release: release.name.clone(),
        ..Missing::new("another-release", message, place.list())
    }
}

fn nothing(place: &Place, release: &str) -> Missing {
    let whose = if release.is_empty() {
        String::new()
    } else {
        format!(" of release {release}")
    };
    Missing {
        release: release.to_owned(),
        ..Missing::new(
            "not-live",
            format!("no workload{whose} that runs Milvus is among the live objects"),
            place.list(),
        )
    }
}

/// What runs Milvus in no known role, unless it is known to be another release's.
fn strays(inputs: &Inputs, cluster: &Cluster, missing: &mut Vec<Missing>) {
    let known: HashSet<&str> = inputs.before_inventory.releases.iter().map(|r| &r.name[..]).collect();
    for finding in mu007_role_undecidable::check(&cluster.source.stream, &cluster.inventory) {
        let object = finding.object.as_ref().and_then(|reference| {
            let mut called = cluster.named.called(&reference.kind, &reference.name);
            called.find(|o| o.reference == *reference)
        });
        let instance = object.and_then(|o| o.label("app.kubernetes.io/instance").or_else(|| o.label("release")));
        let foreign = instance.is_some_and(|name| !known.is_empty() && !known.contains(name));
        if !foreign {
            missing.push(Missing::finding("role-undecidable", &finding));
        }
    }
}
