//! The version stays, and its topology does not fit: a role is deployed that the version does not have, or one is missing.

use super::chart::{self, Chart, Upgrade};
use super::route::{Kind, Leg};
use super::simulate::{self, Outcome, State};
use super::site::Site;
use super::{Check, Order, Rollback, Step, cross};
use crate::milvus::release::Release;
use crate::milvus::role::Role;

/// What the rewrite does to a release whose version stays.
#[derive(Debug)]
pub struct Mend {
    leaves: Vec<Role>,
    comes: Vec<Role>,
}

impl Mend {
    /// By the release before and after the rewrite; `None` where its topology fits already.
    pub fn of(before: Option<&Release>, after: Option<&Release>) -> Option<Mend> {
        let (before, after) = (before?, after?);
        let less = |some: &Release, other: &Release| {
            let roles = some.components.iter().map(|c| c.role);
            let mut roles: Vec<Role> = roles.filter(|role| !other.has(*role)).collect();
            roles.sort();
            roles.dedup();
            roles
        };
        let mend = Mend {
            leaves: less(before, after),
            comes: less(after, before),
        };
        (!mend.leaves.is_empty() || !mend.comes.is_empty()).then_some(mend)
    }

    /// The workloads that leave are not worth waiting for.
    pub fn without_leaving(&self, site: &Site) -> Site {
        let mut site = site.clone();
        site.workloads.retain(|w| !self.leaves.contains(&w.role));
        site
    }

    /// `indexnode leaves, streamingnode comes`.
    fn says(&self) -> String {
        let part = |roles: &[Role], does: [&str; 2]| {
            let names: Vec<&str> = roles.iter().map(|r| r.as_str()).collect();
            let verb = if names.len() == 1 { does[0] } else { does[1] };
            (!names.is_empty()).then(|| format!("{} {verb}", names.join(", ")))
        };
        let parts = [
            part(&self.leaves, ["leaves", "leave"]),
            part(&self.comes, ["comes", "come"]),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// What is wrong with the roles as they are.
    fn why(&self) -> String {
        let mut why = vec!["the version is deployed, and not with its topology".to_owned()];
        if !self.leaves.is_empty() {
            why.push("a role that it does not have ends at once and restarts for ever (MU201)".into());
        }
        if self.comes.contains(&Role::StreamingNode) {
            why.push("without a streaming node nothing can be written, loaded or searched (MU203)".into());
        }
        if self.comes.contains(&Role::MixCoord) {
            why.push("without a mixcoord nothing is coordinated".into());
        }
        why.join("; ")
    }

    /// One `helm upgrade` through the post-renderer, of the chart that is installed.
    pub fn step(&self, site: &mut Site, order: &Order, before: &State, outcome: &Outcome) -> Step {
        let leg = Leg {
            from: order.to.clone(),
            to: order.to.clone(),
            kind: Kind::Within,
        };
        let chart = Chart::of(site, &leg, true);
        let overlay = simulate::values_to_commit(&before.text, &outcome.state, site, order.options);
        let asked = Upgrade {
            chart: &chart,
            sets: cross::switches(site, &leg, overlay.as_ref()),
            stage: None,
            guarded: true,
        };
        let mut commands = chart::upgrade(site, &asked);
        let file = site.file(&format!("before-{}.yaml", order.to));
        commands.shell = vec![site.keep_records(&file)];
        commands.shell.extend(chart::further_repository(&chart));
        let says = self.says();
        let step = Step {
            id: format!("{}-mend", order.to),
            title: format!("Milvus {}, with the roles it has: {says}", order.to),
            why: self.why(),
            to: Some(order.to.to_string()),
            commands,
            unavailable: vec!["Helm replaces what changes at once: some requests fail until it is ready".into()],
            check: Check {
                commands: vec![site.verify(&file, order.to, None)],
                expect: cross::notes(site, &leg, &chart, overlay.as_ref()),
            },
            rollback: Some(Rollback {
                possible: true,
                downgrade_at_or_below: None,
                says: format!(
                    "`helm rollback` brings the roles back as they are now, which do not run with Milvus {}: go on forward",
                    order.to
                ),
                commands: vec![site.helm("history")],
            }),
            ..Step::default()
        };
        site.upgraded(chart.version.as_ref());
        step
    }
}
