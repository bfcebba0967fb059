//! The rules, over one release.

use std::cell::OnceCell;

use super::near::Applied;
use super::whole::{Judged, Whole};
use crate::facts;
use crate::finding::{Finding, Input};
use crate::kube::named::Names;
use crate::milvus::effective::ConfigMaps;
use crate::milvus::release::{ByNames, Release};
use crate::milvus::version::Version;
use crate::report::{CurrentReport, ReleaseReport, StageReport, TargetReport};
use crate::rules::case::{Case, Effective, Side};
use crate::rules::{self, Check, RULES, umbrella};
use crate::transition::From;

/// What is looked up among the objects and releases that several releases are judged by, each set gone through once.
#[derive(Default)]
pub(super) struct Lookup<'p> {
    objects: Names<'p>,
    releases: ByNames<'p>,
}

impl Whole<'_> {
    /// Runs every rule over one release and notes its line of the report.
    pub(super) fn rules<'p>(
        &self,
        one: &'p Judged,
        stage: Option<StageReport>,
        proposed: &'p Applied,
        known: &Lookup<'p>,
        findings: &mut Vec<Finding>,
        releases: &mut Vec<ReleaseReport>,
    ) {
        let empty = Release {
            components: vec![],
            ..one.came.clone()
        };
        let after = known.releases.of(&proposed.after().releases);
        let applied = after.first(one.came).unwrap_or(&empty);
        if applied.components.is_empty() {
            // Such as a state that holds an object twice, of which a stage keeps the other.
            let deployed = one.before.zip(one.current);
            let lost = deployed.map(|(before, current)| rules::mu113_component_lost::none_left(current, before));
            findings.extend(lost.map(|finding| self.allowed_for(one, finding)));
            return;
        }
        let line = one.transition.target_line().unwrap_or_else(facts::streaming_line);
        let effective_after = Effective::new(&ConfigMaps::of(&proposed.objects), applied, line, &one.texts);
        let from_line = one
            .transition
            .source_line()
            .unwrap_or_else(|| facts::versions().marks.consolidate.version.line());
        let stream = one.current;
        let effective_before = one
            .before
            .zip(stream)
            .map(|(release, stream)| Effective::new(&ConfigMaps::of(&stream.objects), release, from_line, &one.texts));
        let named_before = known.objects.of(stream.map_or(&[], |stream| &stream.objects));
        let named_after = known.objects.of(&proposed.objects);
        let side = one
            .before
            .zip(stream)
            .zip(effective_before.as_ref())
            .map(|((release, stream), effective)| Side {
                input: Input::Current,
                objects: &stream.objects,
                release,
                effective,
                named: &named_before,
            });
        let case = Case {
            target: one.target,
            came: one.came,
            after: Side {
                input: Input::Target,
                objects: &proposed.objects,
                release: applied,
                effective: &effective_after,
                named: &named_after,
            },
            before: side,
            transition: &one.transition,
            rewrite: &one.rewrite,
            values: one.values.as_ref(),
            options: self.options,
            stage,
            leads: !one.leads.is_empty(),
            texts: &one.texts,
            user_keys: OnceCell::new(),
            pairs: OnceCell::new(),
            host_command: self.host_command,
        };
        let path = case.values_path();
        findings.extend(rules::keys::too_many(&case));
        for rule in RULES {
            if let Check::Release(check) = rule.check {
                findings.extend(check(&case).into_iter().map(|mut finding| {
                    finding.help = umbrella::placed(&path, std::mem::take(&mut finding.help));
                    self.allowed_for(one, finding)
                }));
            }
        }
        releases.push(release_report(&case, one));
    }

    /// What is found of a release passes where that is allowed towards its own target; what it says for all objects of its
    /// circle, where that is allowed towards the target of each release in there.
    pub(super) fn allowed_for(&self, one: &Judged, mut finding: Finding) -> Finding {
        let allows = |target| self.options.allow.allows(finding.code, target);
        let for_all = finding.code == rules::mu114_immutable_field_changed::RULE.code;
        finding.allowed = match for_all {
            true => one.leads.iter().all(|target| allows(target.as_ref())),
            false => allows(one.transition.target()),
        };
        finding
    }
}

fn release_report(case: &Case, one: &Judged) -> ReleaseReport {
    let text = |v: Option<&Version>| v.map(ToString::to_string);
    let deployed = matches!(one.transition.from, From::Release { .. });
    ReleaseReport {
        namespace: one.came.namespace.clone(),
        name: one.came.name.clone(),
        mode: one.came.mode(),
        kind: one.transition.kind,
        current: deployed.then(|| CurrentReport {
            version: text(one.transition.source()),
            highest: text(one.transition.highest()),
            mq: case.current_mq().map(|m| m.to_string()),
        }),
        target: TargetReport {
            version: text(one.transition.target()),
            mq: case.target_mq().map(|m| m.to_string()),
        },
        stage: case.stage,
    }
}
