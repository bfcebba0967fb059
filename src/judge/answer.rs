//! From what was found to the answer: what was allowed, where each finding stands, and the output where nothing refuses it.

use std::collections::{HashMap, HashSet};

use super::{Judgement, Places, Request};
use crate::apply;
use crate::finding::{Anchor, Finding, Input, Location, Severity};
use crate::host::{self, Host};
use crate::kube::ObjectRef;
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

impl Answer {
    /// Nothing but findings, the last of which refuses to go on.
    pub(super) fn refused(mut findings: Vec<Finding>, last: Finding) -> Answer {
        findings.push(last);
        Answer {
            findings,
            ..Answer::default()
        }
    }
}

/// Orders the findings, resolves their places, and writes the output where nothing refuses it.
pub(super) fn answer(mut done: Answer, request: &Request, host: Host, clock: Clock) -> Judgement {
    let options = &request.options;
    let target = done.targets.first().and_then(Option::as_ref);
    let mut findings = std::mem::take(&mut done.findings);
    for finding in &mut findings {
        let never = crate::options::NEVER_ALLOWED.contains(&finding.code);
        finding.allowed |= !never && options.allow.allows(finding.code, target);
        finding.allowed &= finding.severity == Severity::Refuse;
    }
    let located = request.places == Places::Always || findings.iter().any(Finding::refuses);
    if located {
        locate(&mut findings, &done);
    }
    findings.iter_mut().for_each(mask::finding);
    // What is wrong with the call as a whole is found once for each release.
    let mut unique: Vec<Finding> = Vec::with_capacity(findings.len());
    type About = (Option<(usize, usize)>, Option<ObjectRef>);
    let mut saying: HashMap<(String, About), Vec<usize>> = HashMap::new();
    for finding in findings {
        let place = finding.location.as_ref().map(|l| (l.line, l.column));
        let about = (place, finding.object.clone());
        let same = saying.entry((finding.message.clone(), about)).or_default();
        if !same.iter().any(|i| unique[*i] == finding) {
            same.push(unique.len());
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

/// Notes where each finding stands, and the chart's template that rendered it; all places of a stream at once. What is
/// about an object that the rewrite brings stands nowhere in the input.
fn locate(findings: &mut [Finding], done: &Answer) {
    let injected = done.changes.iter().filter(|c| c.op == ChangeOp::Inject);
    let brought: HashSet<&ObjectRef> = injected.map(|c| &c.object).collect();
    let streams = [
        (Input::Target, done.target.as_ref()),
        (Input::Current, done.current.as_ref().map(|source| &source.stream)),
    ];
    for (input, stream) in streams {
        let Some(stream) = stream else { continue };
        let anchor = |finding: &Finding| {
            let comes = input == Input::Target && finding.object.as_ref().is_some_and(|o| brought.contains(o));
            let wanted = finding.location.is_none() && !comes;
            let anchor = finding.anchor.clone().filter(|a| wanted && a.stream == input)?;
            stream.documents.get(anchor.document).map(|_| anchor)
        };
        let anchored: Vec<(usize, Anchor)> = findings
            .iter()
            .map(anchor)
            .enumerate()
            .filter_map(|(i, a)| Some((i, a?)))
            .collect();
        let of: Vec<(usize, &str)> = anchored.iter().map(|(_, a)| (a.document, &a.pointer[..])).collect();
        for ((i, anchor), place) in anchored.iter().zip(stream.positions(&of)) {
            findings[*i].location = Some(Location {
                stream: input,
                document: anchor.document,
                line: place.line,
                column: place.column,
            });
            findings[*i].template = host::template_of(stream, anchor.document);
        }
    }
}
