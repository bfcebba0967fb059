//! From what was found to the answer: what was allowed, where each finding stands, and the output where nothing refuses it.

use std::collections::{HashMap, HashSet};

use super::{Judgement, Places, Request};
use crate::apply;
use crate::finding::{Anchor, Finding, Input, Location, Severity};
use crate::host::{self, Host};
use crate::kube::ObjectRef;
use crate::milvus::version::Version;
use crate::options::Allowances;
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
    let mut findings = std::mem::take(&mut done.findings);
    for finding in &mut findings {
        let never = crate::options::NEVER_ALLOWED.contains(&finding.code);
        finding.allowed |= !never && allowed_for_all(&options.allow, finding.code, &done.targets);
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
    for mut finding in findings {
        let place = finding.location.as_ref().map(|l| (l.line, l.column));
        let about = (place, finding.object.clone());
        let same = saying.entry((finding.message.clone(), about)).or_default();
        let allowed = finding.allowed;
        let twin = same.iter().copied().find(|i| {
            finding.allowed = unique[*i].allowed;
            unique[*i] == finding
        });
        finding.allowed = allowed;
        match twin {
            // It passes where it may for each of them.
            Some(twin) => unique[twin].allowed &= allowed,
            None => {
                same.push(unique.len());
                unique.push(finding);
            }
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

/// Whether a refusal of no release alone may pass: towards the target of each release. What is said of one release was
/// decided by its own target, and is allowed there already wherever all targets are.
fn allowed_for_all(allow: &Allowances, code: &str, targets: &[Option<Version>]) -> bool {
    match targets {
        [] => allow.allows(code, None),
        all => all.iter().all(|target| allow.allows(code, target.as_ref())),
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

#[cfg(test)]
mod tests {
    use crate::judge::{Held, Judgement, judge};
    use crate::rules::testkit::{Scenario, cluster};

    /// Two releases that go to two versions, `two` first where asked; held as a whole and circle by circle.
    fn told(two_first: bool, namespace: &str, change: impl Fn(Scenario) -> Scenario) -> Vec<Vec<(String, bool)>> {
        let other = |text: String| {
            text.replace("rel", "two")
                .replace("namespace: ns", &format!("namespace: {namespace}"))
        };
        let both = |rel: &str, two: &str| {
            let (rel, two) = (cluster(rel, false), other(cluster(two, false)));
            if two_first { two + &rel } else { rel + &two }
        };
        let scenario = change(Scenario::of(&both("v2.5.16", "v2.5.16"), &both("v2.6.13", "v2.6.14")));
        let said = |judgement: Judgement| {
            let refusals = judgement
                .findings
                .into_iter()
                .filter(|f| f.severity == super::Severity::Refuse);
            let mut all: Vec<(String, bool)> = refusals
                .map(|f| (format!("{} {}", f.code, f.message), f.allowed))
                .collect();
            all.sort();
            all
        };
        let judged = |held| {
            let mut request = scenario.request();
            request.held = Held(held);
            said(judge(&request))
        };
        vec![judged(usize::MAX), judged(1)]
    }

    #[test]
    fn an_allowance_for_a_target_is_for_the_releases_that_go_there() {
        for (first, namespace) in [(false, "ns"), (true, "ns"), (false, "other"), (true, "other")] {
            for said in told(first, namespace, |s| s.allow("MU107@2.6.13")) {
                let told: Vec<(bool, bool)> = said.iter().map(|(m, a)| (m.contains("2.6.13"), *a)).collect();
                assert_eq!(told, [(true, true), (false, false)], "{said:?}");
            }
            for said in told(first, namespace, |s| s.allow("MU107@2.6.13").allow("MU107@2.6.14")) {
                assert!(said.len() == 2 && said.iter().all(|(_, allowed)| *allowed), "{said:?}");
            }
        }
    }

    #[test]
    fn what_concerns_all_releases_passes_towards_the_target_of_each() {
        let old_helm = |s: Scenario| s.assume("helm-version=v3.13.3").allow("MU107").allow("MU601@2.6.13");
        let gone = |s: Scenario| {
            let third = cluster("v2.5.16", false).replace("rel", "gone");
            s.add_current(&third).allow("MU107").allow("MU113@2.6.13")
        };
        for first in [false, true] {
            for said in told(first, "ns", old_helm) {
                let platform: Vec<bool> = said
                    .iter()
                    .filter(|(m, _)| m.starts_with("MU601"))
                    .map(|(_, a)| *a)
                    .collect();
                assert_eq!(platform, [false], "once, and refused: {said:?}");
            }
            for said in told(first, "ns", |s| old_helm(s).allow("MU601@2.6.14")) {
                assert!(said.iter().all(|(_, allowed)| *allowed), "{said:?}");
            }
            for said in told(first, "ns", gone) {
                let lost: Vec<bool> = said
                    .iter()
                    .filter(|(m, _)| m.starts_with("MU113 Milvus release gone"))
                    .map(|(_, a)| *a)
                    .collect();
                assert_eq!(lost, [false], "{said:?}");
            }
            for said in told(first, "ns", |s| gone(s).allow("MU113@2.6.14")) {
                assert!(said.iter().all(|(_, allowed)| *allowed), "{said:?}");
            }
        }
    }

    #[test]
    fn what_one_says_for_all_objects_passes_towards_the_target_of_each() {
        let service = |cluster_ip: &str| {
            format!(
                "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: both\n  namespace: ns\nspec:\n  clusterIP: {cluster_ip}\n  selector: {{component: proxy}}\n"
            )
        };
        let frozen = |s: Scenario| {
            s.add_current(&service("1.2.3.4"))
                .add_target(&service("None"))
                .allow("MU107")
        };
        for first in [false, true] {
            for target in ["2.6.13", "2.6.14"] {
                for said in told(first, "ns", |s| frozen(s).allow(&format!("MU114@{target}"))) {
                    let fixed: Vec<bool> = said
                        .iter()
                        .filter(|(m, _)| m.starts_with("MU114"))
                        .map(|(_, a)| *a)
                        .collect();
                    assert_eq!(fixed, [false], "{said:?}");
                }
            }
        }
    }
}
