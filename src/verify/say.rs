//! The answer as JSON and for people.

use std::fmt::Write;

use foldhash::HashSet;

use super::{ComponentOutcome, Missing, Outcome, ReleaseOutcome};
use crate::milvus::release::Mode;
use crate::milvus::version::Version;
use crate::report::columns::columns;
use crate::report::text::visible;
use crate::value::{Value, json};

/// The schema's name, in every answer.
pub const SCHEMA: &str = "milvus-uplift/verify/v1";

/// The answer as JSON (docs/verify.schema.json).
pub fn json(outcome: &Outcome) -> Value {
    let lacking: HashSet<&str> = outcome.missing.iter().map(|m| &m.release[..]).collect();
    let complete = |r: &ReleaseOutcome| !lacking.contains("") && !lacking.contains(&r.name[..]);
    json!({
        "schema": SCHEMA,
        "verdict": if outcome.complete() { "complete" } else { "incomplete" },
        "releases": outcome.releases.iter().map(|r| release(r, complete(r))).collect::<Vec<_>>(),
        "missing": outcome.missing.iter().map(missing).collect::<Vec<_>>(),
        "notes": outcome.notes,
    })
}

fn release(release: &ReleaseOutcome, complete: bool) -> Value {
    let text = |v: &Option<Version>| v.as_ref().map(Version::with_variant);
    json!({
        "namespace": release.namespace,
        "name": release.name,
        "mode": release.mode,
        "kind": release.kind,
        "complete": complete,
        "current": release.before.as_ref().map(|v| json!({"version": v.to_string()})),
        "target": {"version": text(&release.target), "knownBy": release.target_from},
        "stage": release.stage.map(|(verified, last)| json!({"verified": verified, "last": last, "does": release.doing})),
        "helm": release.helm,
        "components": release.components,
    })
}

fn missing(missing: &Missing) -> Value {
    json!({
        "reason": missing.reason,
        "code": missing.code,
        "release": missing.release,
        "message": missing.message,
        "help": missing.help,
        "object": missing.object,
        "field": missing.field,
        "location": missing.location.map(|p| json!({"line": p.line, "column": p.column})),
    })
}

/// The answer for people: a table of each release, what is missing, and one line that sums it up.
pub fn text(outcome: &Outcome) -> String {
    let mut out = String::new();
    for release in outcome.releases.iter().filter(|r| !r.components.is_empty()) {
        let _ = writeln!(out, "{}{}", head(release), helm(release));
        table(&mut out, release);
        out.push('\n');
    }
    for missing in &outcome.missing {
        one(&mut out, missing);
    }
    for note in &outcome.notes {
        let _ = writeln!(out, "note: {note}");
    }
    if !outcome.notes.is_empty() {
        out.push('\n');
    }
    let _ = writeln!(out, "{}", verdict(outcome));
    visible(out)
}

fn head(release: &ReleaseOutcome) -> String {
    let namespace = match release.namespace.as_str() {
        "" => String::new(),
        namespace => format!(" in namespace {namespace}"),
    };
    let mode = match release.mode {
        Mode::Cluster => "cluster",
        Mode::Standalone => "standalone",
    };
    format!("{}{namespace}: {mode}, {}", release.name, way(release))
}

fn helm(release: &ReleaseOutcome) -> String {
    let known = release.helm.as_ref();
    known.map_or(String::new(), |h| {
        format!("; revision {} of Helm is {}", h.revision, h.status)
    })
}

/// `2.5.22 -> 2.6.16, stage 2 of 5 (querynode)`.
fn way(release: &ReleaseOutcome) -> String {
    let unknown = || "unknown".to_owned();
    let text = |v: &Option<Version>| v.as_ref().map_or_else(unknown, Version::with_variant);
    let from = match (&release.before, release.kind) {
        (None, Some(crate::transition::Kind::Fresh)) => "nothing".to_owned(),
        (before, _) => before.as_ref().map_or_else(unknown, ToString::to_string),
    };
    let stage = match release.stage {
        Some((stage, last)) if stage < last => format!(", stage {stage} of {last} ({})", release.doing),
        Some((_, last)) => format!(", all {last} stages"),
        None => String::new(),
    };
    format!("{from} -> {}{stage}", text(&release.target))
}

fn table(out: &mut String, release: &ReleaseOutcome) {
    let staged = release.stage.is_some();
    let mut rows = vec![
        ["STAGE", "COMPONENT", "ROLE", "VERSION", "UPDATED", "READY", "PODS"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(release.components.iter().map(row));
    if !staged {
        rows.iter_mut().for_each(|r| drop(r.remove(0)));
    }
    columns(out, "  ", &rows);
}

fn row(c: &ComponentOutcome) -> Vec<String> {
    let of = |n: Option<i64>| n.map_or("?".to_owned(), |n| format!("{n}/{}", c.replicas));
    let pods = match c.terminating {
        0 => c.pods.to_string(),
        n => format!("{} ({n} terminating)", c.pods),
    };
    let held = match c.expected {
        "before" => " (held back)",
        "gone" => " (leaves)",
        _ => "",
    };
    vec![
        c.stage.map_or(String::new(), |s| s.to_string()),
        format!("{}/{}", c.kind, c.name),
        c.role.to_owned(),
        format!("{}{held}", c.version.as_deref().unwrap_or("unknown")),
        of(c.updated),
        of(c.ready),
        pods,
    ]
}

fn one(out: &mut String, missing: &Missing) {
    let code = missing.code.map_or(String::new(), |c| format!(" {c}"));
    let _ = writeln!(out, "MISSING{code} {}", missing.reason);
    for line in missing.message.lines() {
        let _ = writeln!(out, "  {line}");
    }
    let mut place = Vec::new();
    place.extend(missing.object.as_ref().map(ToString::to_string));
    place.extend(missing.field.clone());
    place.extend(
        missing
            .location
            .map(|p| format!("line {}, column {}", p.line, p.column)),
    );
    if !place.is_empty() {
        let _ = writeln!(out, "  at    {}", place.join(", "));
    }
    for (i, line) in missing.help.lines().enumerate() {
        let _ = writeln!(out, "  {}{line}", if i == 0 { "look: " } else { "      " });
    }
    out.push('\n');
}

/// One line: complete or not, and of what.
pub fn verdict(outcome: &Outcome) -> String {
    let each: Vec<String> = outcome
        .releases
        .iter()
        .map(|r| format!("{}: {}", r.name, way(r)))
        .collect();
    let of = match each.is_empty() {
        true => String::new(),
        false => format!(" [{}]", each.join("; ")),
    };
    match outcome.missing.len() {
        0 => format!("milvus-uplift: complete{of}"),
        n => {
            let mut reasons: Vec<&str> = Vec::new();
            outcome.missing.iter().map(|m| m.reason).for_each(|r| {
                if !reasons.contains(&r) {
                    reasons.push(r);
                }
            });
            format!("milvus-uplift: not complete, {n} missing ({}){of}", reasons.join(", "))
        }
    }
}
