//! From what was found to the answer: what was allowed, where each finding stands, and the output where nothing refuses it.

use super::{Judgement, Places, Request};
use crate::apply;
use crate::finding::{Anchor, Finding, Input, Location};
use crate::host::{self, Host};
use crate::milvus::version::Version;
use crate::report::{ReleaseReport, mask};
use crate::rewrite::{Change, ChangeOp};
use crate::rules;
use crate::state::Source;
use crate::stream::Stream;
use crate::timings::Clock;

/// What the judgement of the whole stream collects.
#[derive(Default)]
pub(super) struct Answer {
    pub releases: Vec<ReleaseReport>,
    pub findings: Vec<Finding>,
    pub changes: Vec<Change>,
    pub targets: Vec<Option<Version>>,
    pub target: Option<Stream>,
    pub current: Option<Source>,
}

/// Orders the findings, resolves their places, and writes the output where nothing refuses it.
pub(super) fn answer(mut done: Answer, request: &Request, host: Host, clock: Clock) -> Judgement {
    let options = &request.options;
    let only = |targets: &[Option<Version>]| targets.first().cloned().flatten();
    let mut findings = std::mem::take(&mut done.findings);
    for finding in &mut findings {
        let never = crate::options::NEVER_ALLOWED.contains(&finding.code);
        finding.allowed |= !never && options.allow.allows(finding.code, only(&done.targets).as_ref());
        finding.allowed &= finding.severity == crate::finding::Severity::Refuse;
    }
    let located = request.places == Places::Always || findings.iter().any(Finding::refuses);
    for finding in &mut findings {
        if located
            && let (None, Some(anchor)) = (&finding.location, &finding.anchor)
            && !comes(finding, &done.changes)
            && let Some((location, template)) = resolve(anchor, &done)
        {
            (finding.location, finding.template) = (Some(location), template);
        }
        mask::finding(finding);
    }
    // What is wrong with the call as a whole is found once for each release.
    let mut unique: Vec<Finding> = Vec::with_capacity(findings.len());
    for finding in findings {
        if !unique.contains(&finding) {
            unique.push(finding);
        }
    }
    done.findings = unique;
    clock.lap("find the places");
    let mut output = None;
    let mut unvouched = false;
    if !done.findings.iter().any(Finding::refuses)
        && let Some(target) = &done.target
    {
        match apply::render(target, &done.changes) {
            Ok(text) => output = Some(text),
            Err(e) => {
                unvouched = true;
                done.findings.push(rules::mu901_output_not_vouched_for::finding(&e.0));
            }
        }
    }
    clock.lap("write, read back, compare");
    unvouched |= done.findings.iter().any(|f| f.code == "MU901");
    done.findings
        .sort_by(|a, b| (a.severity, a.code).cmp(&(b.severity, b.code)));
    Judgement {
        releases: done.releases,
        findings: done.findings,
        changes: done.changes,
        output,
        host,
        unvouched,
        read: (done.target, done.current),
        timings: clock.laps(),
    }
}

/// Whether a finding is about an object that the rewrite brings: it stands nowhere in the input.
fn comes(finding: &Finding, changes: &[Change]) -> bool {
    let target = finding.anchor.as_ref().is_some_and(|a| a.stream == Input::Target);
    let brought = |c: &&Change| c.op == ChangeOp::Inject && Some(&c.object) == finding.object.as_ref();
    target && changes.iter().any(|c| brought(&c))
}

/// The place an anchor names, and the chart's template that rendered it.
fn resolve(anchor: &Anchor, done: &Answer) -> Option<(Location, Option<String>)> {
    let stream = match anchor.stream {
        Input::Target => done.target.as_ref()?,
        Input::Current => &done.current.as_ref()?.stream,
        Input::Values => return None,
    };
    stream.documents.get(anchor.document)?;
    let place = stream.position(anchor.document, &anchor.pointer);
    let location = Location {
        stream: anchor.stream,
        document: anchor.document,
        line: place.line,
        column: place.column,
    };
    Some((location, host::template_of(stream, anchor.document)))
}
