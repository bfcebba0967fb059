//! What was given, read; and which releases are meant.

use super::live::Live;
use super::{Missing, Request};
use crate::judge::Current;
use crate::kube::Object;
use crate::kube::object::namespaces_agree;
use crate::milvus::release::{Inventory, Release};
use crate::rules::mu007_role_undecidable;
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
    pub applied: Option<Value>,
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
        Some(bytes) => Some(report(bytes)?),
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
    live: &Live,
    request: &Request,
    missing: &mut Vec<Missing>,
) -> Vec<(Release, Option<&'i Release>)> {
    let found = &live.inventory.releases;
    strays(inputs, live, missing);
    let Some(before) = &inputs.before else {
        if found.is_empty() {
            missing.push(nothing(live, ""));
        }
        return found.iter().map(|r| (r.clone(), None)).collect();
    };
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
        let same: Vec<&Release> = found.iter().filter(|r| r.is(release)).collect();
        match same[..] {
            [one] => wanted.push((one.clone(), Some(release))),
            [] => missing.push(absent(live, release, found)),
            _ => {
                let namespaces: Vec<&str> = same.iter().map(|r| r.namespace.as_str()).collect();
                let message = format!(
                    "release {} is in the namespaces {}, and --current does not say which is meant",
                    release.name,
                    namespaces.join(", ")
                );
                let help = format!("say it: --namespace {}", namespaces[0]);
                missing.push(Missing {
                    release: release.name.clone(),
                    ..Missing::new("another-release", message, help)
                });
            }
        }
    }
    let _ = request;
    wanted
}

fn absent(live: &Live, release: &Release, found: &[Release]) -> Missing {
    if found.is_empty() {
        return nothing(live, &release.name);
    }
    let others: Vec<String> = found
        .iter()
        .map(|r| match r.namespace.as_str() {
            "" => r.name.clone(),
            namespace => format!("{} in {namespace}", r.name),
        })
        .collect();
    let message = format!(
        "no workload of release {} is there, only of {}",
        release.name,
        others.join(", ")
    );
    Missing {
        code: Some("MU004"),
        release: release.name.clone(),
        ..Missing::new("another-release", message, live.place.list())
    }
}

fn nothing(live: &Live, release: &str) -> Missing {
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
            live.place.list(),
        )
    }
}

/// What runs Milvus in no known role, unless it is known to be another release's.
fn strays(inputs: &Inputs, live: &Live, missing: &mut Vec<Missing>) {
    let known = &inputs.before_inventory.releases;
    for finding in mu007_role_undecidable::check(&live.source.stream, &live.inventory) {
        let object = finding.object.as_ref().and_then(|reference| {
            let objects = &live.source.stream.objects;
            objects.iter().find(|o| o.reference == *reference)
        });
        let instance = object.and_then(|o| o.label("app.kubernetes.io/instance").or_else(|| o.label("release")));
        let foreign = instance.is_some_and(|name| !known.is_empty() && !known.iter().any(|r| r.name == name));
        if !foreign {
            missing.push(Missing::finding("role-undecidable", &finding));
        }
    }
}
