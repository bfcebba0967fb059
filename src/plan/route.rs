//! Which stops lie between two versions.

use crate::facts::{self, Hop, How};
use crate::finding::Finding;
use crate::milvus::version::Version;
use crate::options::Allowances;
use crate::rules::mu103_minor_skipped;

/// What is done on a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The metadata of 2.1 is migrated while Milvus is stopped.
    Migration,
    /// Another image below 2.6, with the topology as it is.
    Older,
    /// The separate coordinators become one mixcoord.
    Consolidate,
    /// Below 2.6 to 2.6.
    Streaming,
    /// Within 2.6, or within a later line.
    Within,
    /// 2.6 to 3.0.
    To30,
}

/// From one stop to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// From where.
    pub from: Version,
    /// To where.
    pub to: Version,
    /// What is done.
    pub kind: Kind,
}

/// The legs from one version to another; none where there is nothing to do. `highest` is the highest version seen: going
/// below it is one leg, which the rules judge. `separate` tells whether separate coordinators are deployed.
///
/// # Errors
/// MU103 where no way is known.
pub fn route(
    from: &Version,
    highest: Option<&Version>,
    to: &Version,
    separate: bool,
) -> Result<Vec<Leg>, Box<Finding>> {
    let mut at = from.clone();
    let mut legs = Vec::new();
    let mut push = |at: &mut Version, to: &Version| {
        let separate = separate && !legs.iter().any(|l: &Leg| l.kind == Kind::Consolidate);
        legs.push(Leg {
            from: at.clone(),
            to: to.clone(),
            kind: kind(at, to, separate),
        });
        *at = to.clone();
    };
    let consolidate = &facts::versions().marks.consolidate.version;
    if to < from || highest.is_some_and(|h| to < h) || from.line() == to.line() {
        let nothing = to == from && highest.is_none_or(|h| h <= to) && !(separate && to >= consolidate && !to_26(to));
        if !nothing {
            push(&mut at, to);
        }
        return Ok(legs);
    }
    let known = (from.line() >= first_line()).then(|| facts::hops().route(from.line(), to.line()));
    let Some(Some(hops)) = known else {
        return Err(Box::new(mu103_minor_skipped::no_way(
            &from.to_string(),
            &to.to_string(),
            first_line(),
        )));
    };
    for (i, hop) in hops.iter().enumerate() {
        if i == 0
            && let Some(stop) = stop_before(hop, &at, separate)
        {
            push(&mut at, &stop);
        }
        let landing = match hops.get(i + 1) {
            Some(next) => facts::stop_in(next.from),
            None => to.clone(),
        };
        push(&mut at, &landing);
    }
    Ok(legs)
}

/// The one leg to another build of the same version.
pub fn same_version(from: &Version, to: &Version, separate: bool) -> Leg {
    Leg {
        from: from.clone(),
        to: to.clone(),
        kind: kind(from, to, separate),
    }
}

/// The one leg to a line of which nothing is known, where that is allowed.
pub fn beyond(from: &Version, to: &Version, allow: &Allowances) -> Option<Vec<Leg>> {
    let allowed = to_26(from) && allow.allows(mu103_minor_skipped::RULE.code, Some(to));
    allowed.then(|| {
        vec![Leg {
            from: from.clone(),
            to: to.clone(),
            kind: kind(from, to, false),
        }]
    })
}

fn first_line() -> (u64, u64) {
    facts::hops().hops.first().map_or((0, 0), |h| h.from)
}

fn to_26(to: &Version) -> bool {
    to.line() >= facts::streaming_line()
}

/// The stop that has to be made in the line one starts from.
fn stop_before(hop: &Hop, at: &Version, separate: bool) -> Option<Version> {
    match (&hop.leave_at, &hop.prefer_at) {
        (Some(floor), prefer) => {
            let stop = prefer.as_ref().unwrap_or(floor);
            (at < floor || separate).then(|| stop.max(at).clone())
        }
        // Before 2.6 it only tells how the line can be left.
        (None, Some(prefer)) if to_26(prefer) => (at < prefer).then(|| prefer.clone()),
        (None, Some(_)) => None,
        (None, None) if hop.how == How::Migration => None,
        (None, None) => facts::charts().newest(hop.from).filter(|n| at < *n).cloned(),
    }
}

fn kind(from: &Version, to: &Version, separate: bool) -> Kind {
    let marks = &facts::versions().marks;
    let (streaming, third) = (marks.streaming.version.line(), marks.third.version.line());
    let migrates = facts::hops()
        .direct(from.line(), to.line())
        .is_some_and(|h| h.how == How::Migration);
    match (from.line(), to.line()) {
        _ if migrates => Kind::Migration,
        (f, t) if f < streaming && t >= streaming => Kind::Streaming,
        (f, t) if f < third && t >= third => Kind::To30,
        (f, _) if f >= streaming => Kind::Within,
        _ if separate && *to >= marks.consolidate.version => Kind::Consolidate,
        _ => Kind::Older,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(from: &str, to: &str, separate: bool) -> String {
        let v = |t: &str| Version::parse(t).unwrap();
        match route(&v(from), None, &v(to), separate) {
            Err(finding) => finding.code.to_owned(),
            Ok(legs) => legs
                .iter()
                .map(|l| format!("{} {:?}", l.to, l.kind))
                .collect::<Vec<_>>()
                .join(", "),
        }
    }

    #[test]
    fn the_ways_the_guides_know() {
        for (from, to, separate, want) in [
            ("2.5.10", "2.6.16", true, "2.5.22 Consolidate, 2.6.16 Streaming"),
            ("2.5.22", "2.6.16", true, "2.5.22 Consolidate, 2.6.16 Streaming"),
            ("2.5.27", "2.6.16", true, "2.5.27 Consolidate, 2.6.16 Streaming"),
            ("2.5.10", "2.6.16", false, "2.5.22 Older, 2.6.16 Streaming"),
            ("2.5.16", "2.6.16", false, "2.6.16 Streaming"),
            ("2.5.10", "2.5.16", true, "2.5.16 Consolidate"),
            ("2.5.4", "2.5.10", true, "2.5.10 Older"),
            ("2.5.22", "2.5.22", true, "2.5.22 Consolidate"),
            ("2.5.22", "2.5.22", false, ""),
            ("2.6.4", "2.6.16", false, "2.6.16 Within"),
            ("2.6.16", "2.6.16", true, ""),
            ("2.6.16", "3.0.1", false, "2.6.20 Within, 3.0.1 To30"),
            ("2.6.20", "3.0.1", false, "3.0.1 To30"),
            ("2.5.16", "3.0.1", false, "2.6.20 Streaming, 3.0.1 To30"),
            (
                "2.4.4",
                "2.6.16",
                true,
                "2.4.16 Older, 2.5.22 Consolidate, 2.6.16 Streaming",
            ),
            ("2.4.23", "2.5.22", true, "2.5.22 Consolidate"),
            ("2.2.0", "2.3.11", true, "2.3.11 Older"),
            ("2.3.5", "2.4.16", true, "2.3.11 Older, 2.4.16 Older"),
            (
                "2.1.4",
                "2.6.16",
                true,
                "2.2.3 Migration, 2.3.11 Older, 2.4.16 Older, 2.5.22 Consolidate, 2.6.16 Streaming",
            ),
            ("2.1.4", "2.2.16", true, "2.2.16 Migration"),
            ("2.6.0-rc1", "2.6.16", false, "2.6.16 Within"),
            ("2.6.16", "2.5.22", false, "2.5.22 Within"),
            ("3.0.0", "3.1.0", false, "MU103"),
            ("2.6.16", "2.7.0", false, "MU103"),
            ("2.0.2", "2.6.16", true, "MU103"),
        ] {
            assert_eq!(way(from, to, separate), want, "{from} -> {to}");
        }
    }

    #[test]
    fn what_was_tried_before_counts_for_going_down() {
        let v = |t: &str| Version::parse(t).unwrap();
        let legs = route(&v("2.5.22"), Some(&v("2.6.16")), &v("2.5.27"), false).unwrap();
        assert_eq!(legs.len(), 1);
        let same = route(&v("2.5.22"), Some(&v("2.6.16")), &v("2.5.22"), false).unwrap();
        assert_eq!(same.len(), 1, "a no that the rules give");
    }

    #[test]
    fn no_way_ends_beside_its_goal() {
        for from in [
            "2.1.4", "2.2.0", "2.3.11", "2.4.4", "2.5.10", "2.5.22", "2.6.4", "2.6.20", "3.0.0",
        ] {
            for to in ["2.5.22", "2.6.16", "2.6.20", "3.0.1"] {
                let (from, to) = (Version::parse(from).unwrap(), Version::parse(to).unwrap());
                let legs = route(&from, None, &to, true).unwrap();
                assert!(legs.last().is_none_or(|l| l.to == to), "{from} -> {to}");
                assert!(legs.windows(2).all(|w| w[0].to == w[1].from), "{from} -> {to}");
            }
        }
    }
}
