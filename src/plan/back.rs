//! The way back from a step.

use super::Rollback;
use super::route::{Kind, Leg};
use super::shell::quote;
use super::site::Site;
use crate::facts;

/// The way back while Milvus itself has not moved.
pub fn unmoved(site: &Site, leg: &Leg) -> Rollback {
    let says = format!(
        "Milvus itself is still {}: `helm rollback` takes back what is not Milvus",
        leg.from
    );
    let commands = match site.revision {
        Some(n) => vec![format!(
            "helm rollback {} {n} {} --wait --timeout 30m",
            quote(&site.release),
            site.helm_place()
        )],
        None => vec![site.helm("history")],
    };
    Rollback {
        possible: true,
        downgrade_at_or_below: None,
        says,
        commands,
    }
}

/// Whether what `leg` changed may be taken back, and to which revisions that would be a downgrade.
pub fn rollback(site: &Site, leg: &Leg) -> Rollback {
    // Up again is no way back.
    let known = (leg.to > leg.from)
        .then(|| facts::hops().back(&leg.to, &leg.from))
        .flatten();
    let possible = match known {
        Some(back) => back.allowed,
        None => leg.to < leg.from || leg.kind != Kind::Migration && leg.to.line() == leg.from.line(),
    };
    let history = site.helm("history");
    let note = known.map(|b| format!(": {}", b.note)).unwrap_or_default();
    let before = match leg.kind {
        Kind::Consolidate => format!("Milvus {} and its separate coordinators", leg.from),
        _ => format!("Milvus {}", leg.from),
    };
    let below = match site.revision {
        Some(n) => format!("revision {n} or below"),
        None => "any revision that `helm history` shows before this step".to_owned(),
    };
    if possible {
        let (says, commands) = match site.revision {
            Some(n) => (
                format!("`helm rollback` to revision {n} brings {before} back{note}; it asks no post-renderer"),
                vec![format!(
                    "helm rollback {} {n} {} --wait --timeout 30m",
                    quote(&site.release),
                    site.helm_place()
                )],
            ),
            None => (
                format!(
                    "`helm rollback` to the last revision that `helm history` shows before this step brings {before} back{note}; it asks no post-renderer"
                ),
                vec![history],
            ),
        };
        return Rollback {
            possible,
            downgrade_at_or_below: None,
            says,
            commands,
        };
    }
    let instead = match leg.kind {
        Kind::Streaming | Kind::Within | Kind::To30 => "run the same command again, it goes on where it stopped",
        _ => "go on forward; to have the old version again, restore the etcd snapshot and the backup beside it",
    };
    Rollback {
        possible,
        downgrade_at_or_below: site.revision,
        says: format!(
            "none: `helm rollback` to {below} is a downgrade from {} (MU104){note}. Instead: {instead}",
            leg.to
        ),
        commands: vec![history],
    }
}
