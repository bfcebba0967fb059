//! What of the changes is for now: later stages held back, or written as waves.

use std::collections::HashSet;

use super::near::{Nears, Parts};
use super::release::Lookup;
use super::whole::{Judged, Whole};
use crate::apply;
use crate::finding::{Finding, Severity};
use crate::milvus::release::inventory;
use crate::order::{self, Order};
use crate::report::StageReport;
use crate::rewrite::Change;
use crate::stage::{self, Stage};
use crate::transition::Kind;

impl Whole<'_> {
    /// Keeps back what belongs to later stages than the one that is wanted, or gives everything its wave. Returns, for each
    /// release, how far it goes; `None` where circles would do different things to what they share.
    pub(super) fn staged(
        &self,
        nears: &Nears,
        judged: &[Judged],
        changes: &mut Vec<Change>,
    ) -> Option<Vec<Option<StageReport>>> {
        let mut parts = nears.parts(judged, std::mem::take(changes));
        let each = judged.iter().map(|one| {
            let last = one.transition.kind.and_then(Kind::last_stage)?;
            Some(self.stage_of(one, last, parts.of(one.circle)))
        });
        let stages = each.collect();
        if self.options.order == Order::ArgoCd {
            self.order(judged, &mut parts);
        }
        *changes = parts.together(nears.circles())?;
        Some(stages)
    }

    /// The stage of one release, its later ones held back in `changes`.
    fn stage_of(&self, one: &Judged, last: u8, changes: &mut Vec<Change>) -> StageReport {
        let whole = StageReport { applied: last, last };
        let documents = one.current.filter(|_| !self.by_state_file());
        let (Some(current), Some(deployed), Some(kind)) = (documents, one.before, one.transition.kind) else {
            return whole;
        };
        if self.options.stage == Stage::All {
            return whole;
        }
        let Ok(objects) = apply::proposed(one.target, changes) else {
            return whole;
        };
        let after = inventory(&objects);
        let Some(applied) = after.releases.iter().find(|r| r.is(one.came)) else {
            return whole;
        };
        let scene = stage::Scene {
            stream: one.target,
            came: one.came,
            last: &objects,
            after: applied,
            current,
            before: deployed,
            kind,
            known: stage::Known::of(one.target, &objects, current, [one.came, applied, deployed]),
            others: stage::Others::of(&objects, applied, &current.objects, deployed),
            uses: stage::Uses::of(&objects, applied, &current.objects, deployed, kind),
        };
        let wanted = match self.options.stage {
            Stage::All => last,
            Stage::At(n) => n.min(last),
            Stage::Next => stage::next(&scene, changes),
        };
        if wanted < last {
            *changes = stage::hold_back(&scene, wanted, changes);
        }
        StageReport { applied: wanted, last }
    }

    /// Gives every object of the releases its wave.
    fn order(&self, judged: &[Judged], parts: &mut Parts) {
        for one in judged {
            let changes = parts.of(one.circle);
            let Ok(objects) = apply::proposed(one.target, changes) else {
                break;
            };
            let after = inventory(&objects);
            let Some(applied) = after.releases.iter().find(|r| r.is(one.came)) else {
                continue;
            };
            let kind = order::kind(one.transition.kind);
            let scene = stage::Scene {
                stream: one.target,
                came: one.came,
                last: &objects,
                after: applied,
                current: one.target,
                before: one.came,
                kind,
                known: stage::Known::of(one.target, &objects, one.target, [one.came, applied, one.came]),
                others: stage::Others::of(&objects, applied, &one.target.objects, one.came),
                uses: stage::Uses::of(&objects, applied, &one.target.objects, one.came, kind),
            };
            order::waves(&scene, changes);
        }
    }

    /// A way that ends at another queue or store (MU3xx) is refused before its first stage: an early one can already drop
    /// what today's queue lives in, while the configuration that names it is still held back. So is one that ends without
    /// a component (MU113) or with components of several versions (MU106): the stream is not whole, whatever this stage
    /// takes of it. All other versions are those of the transition, in every stage.
    pub(super) fn whole_way(
        &self,
        nears: &Nears,
        judged: &[Judged],
        stages: &[Option<StageReport>],
        changes: &[Change],
        findings: &mut Vec<Finding>,
    ) {
        let held = |stage: &Option<StageReport>| stage.is_some_and(|s| s.applied < s.last);
        if !stages.iter().any(held) {
            return;
        }
        // That these changes cannot be applied is said of those of the stage, which follow from them.
        let Ok(proposed) = apply::proposed(self.target, changes) else {
            return;
        };
        let proposal = nears.proposal(proposed, judged);
        let mut said: HashSet<_> = findings.iter().map(|f| (f.code, f.object.clone())).collect();
        let known = Lookup::default();
        for (one, stage) in judged.iter().zip(stages) {
            let Some(stage) = stage.filter(|s| s.applied < s.last) else {
                continue;
            };
            let end = Some(StageReport {
                applied: stage.last,
                ..stage
            });
            let mut found = Vec::new();
            self.rules(one, end, proposal.of(one), &known, &mut found, &mut Vec::new());
            for finding in found {
                let refuses = finding.severity == Severity::Refuse;
                let ends = finding.code.starts_with("MU3") || ["MU106", "MU113"].contains(&finding.code);
                if refuses && ends && said.insert((finding.code, finding.object.clone())) {
                    findings.push(finding);
                }
            }
        }
    }
}
