//! The legs that Helm walks with the post-renderer behind it: consolidation, 2.5 to 2.6, within 2.6, 2.6 to 3.0.

use super::back::{rollback, unmoved};
use super::chart::{self, Chart, Upgrade};
use super::route::{Kind, Leg};
use super::simulate::{self, Outcome, State};
use super::site::Site;
use super::{Check, Order, Rollback, Step};
use crate::facts;
use crate::milvus::release::Mode;
use crate::milvus::role::Role;
use crate::stage;
use crate::transition;
use crate::value::Value;

/// The steps of one leg.
pub fn steps(site: &mut Site, leg: &Leg, order: &Order, before: &State, outcome: &Outcome) -> Vec<Step> {
    let chart = Chart::of(site, leg, false);
    let overlay = simulate::values_to_commit(&before.text, &outcome.state, site, order.options);
    let mut after = site.clone();
    if let Some(release) = outcome.state.inventory().iter().find(|r| site.is(r)) {
        after.moved(&leg.to, release);
    }
    let mut way = Way {
        after,
        begun: outcome.next.filter(|_| site.mixed),
        sets: sets(site, leg, overlay.as_ref()),
        back: rollback(site, leg),
        notes: notes(site, leg, &chart, overlay.as_ref()),
        chart,
        leg,
    };
    let staged = site.mode == Mode::Cluster && leg.to > leg.from && leg.kind != Kind::Consolidate;
    match staged {
        true => way.staged(site),
        false => vec![way.at_once(site)],
    }
}

/// The flags of a leg: the image, the guide's switches, what keeps the queue, and what new components take over.
fn sets(site: &Site, leg: &Leg, overlay: Option<&Value>) -> Vec<String> {
    let mut sets = vec![chart::image(site, &leg.to)];
    match leg.kind {
        Kind::Consolidate | Kind::Streaming => sets.extend(switches(site, leg, overlay)),
        _ => sets.extend(chart::pins(site)),
    }
    sets
}

/// The guide's switches for the topology at the end of a leg, what new components take over, and what keeps the queue.
pub fn switches(site: &Site, leg: &Leg, overlay: Option<&Value>) -> Vec<String> {
    let mut sets = Vec::new();
    let cluster = site.mode == Mode::Cluster;
    let streaming = leg.to.line() >= facts::streaming_line();
    if leg.kind == Kind::Consolidate || (streaming && cluster && (site.separate || old_values(site))) {
        sets.extend(chart::consolidate(site));
        sets.extend(chart::flags_of(site, overlay, "mixCoordinator").0);
    }
    if streaming && cluster {
        sets.push(site.set("streaming.enabled=true"));
        sets.push(site.set("indexNode.enabled=false"));
        sets.extend(chart::flags_of(site, overlay, "streamingNode").0);
    }
    sets.extend(chart::pins(site));
    sets
}

/// Whether stored values would bring the separate coordinators back.
fn old_values(site: &Site) -> bool {
    let scoped = site
        .values
        .as_ref()
        .and_then(|v| site.prefix.iter().try_fold(v, |v, key| v.get(key)));
    let on = |key: &str, wanted: bool| scoped.and_then(|v| v.get(key)?.get("enabled")?.as_bool()) == Some(wanted);
    on("mixCoordinator", false)
        || ["root", "index", "query", "data"]
            .iter()
            .any(|n| on(&format!("{n}Coordinator"), true))
}

/// What to know of a leg beside its windows.
pub fn notes(site: &Site, leg: &Leg, chart: &Chart, overlay: Option<&Value>) -> Vec<String> {
    let mut notes = chart.notes(site);
    for key in ["mixCoordinator", "streamingNode"] {
        for field in chart::flags_of(site, overlay, key).1 {
            notes.push(format!(
                "{field} holds a secret and is in no command: put it into a values file of your own and add --values FILE"
            ));
        }
    }
    if site.foreign_chart.is_some() {
        notes.push(format!(
            "YOUR_CHART is the chart {} as you install it, by path or by repository",
            site.foreign_chart.as_deref().unwrap_or_default()
        ));
    }
    if leg.kind == Kind::To30 {
        let said = facts::notes()
            .iter()
            .filter(|n| n.from == leg.from.line() && n.to == leg.to.line());
        notes.extend(said.filter(|n| n.below.is_none()).map(|n| n.what.to_owned()));
    }
    notes
}

struct Way<'a> {
    leg: &'a Leg,
    /// The release when the leg is done.
    after: Site,
    chart: Chart,
    /// The stage at which a release goes on that is half way already.
    begun: Option<u8>,
    sets: Vec<String>,
    back: Rollback,
    notes: Vec<String>,
}

impl Way<'_> {
    fn before_file(&self, site: &Site) -> String {
        site.file(&format!("before-{}.yaml", self.leg.to))
    }

    fn save(&self, site: &Site) -> Vec<String> {
        let mut shell = vec![site.keep_records(&self.before_file(site))];
        shell.extend(chart::further_repository(&self.chart));
        shell
    }

    fn verify(&self, site: &Site, stage: Option<u8>) -> String {
        site.verify(&self.before_file(site), &self.leg.to, stage)
    }

    /// One `helm upgrade` for all of it.
    fn at_once(&self, site: &mut Site) -> Step {
        let (leg, cluster) = (self.leg, site.mode == Mode::Cluster);
        let consolidates = leg.kind == Kind::Consolidate;
        let mut commands = chart::upgrade(
            site,
            &Upgrade {
                chart: &self.chart,
                sets: self.sets.clone(),
                stage: None,
                guarded: true,
            },
        );
        commands.shell = self.save(site);
        let (title, why, unavailable) = match (consolidates, cluster) {
            (true, _) => (
                format!("Milvus {}, with one mixcoord in place of the coordinators", leg.to),
                format!(
                    "2.6 has one mixcoord, and is reached from {} or later only; while a separate coordinator lives, a mixcoord of 2.6 must not",
                    facts::versions().marks.consolidate.version
                ),
                vec![
                    "collections cannot be created, changed, loaded or flushed while the coordinators stop and mixcoord starts".to_owned(),
                    "Helm replaces all Deployments at once: some requests fail until they are ready".to_owned(),
                ],
            ),
            (false, false) => (
                format!("Milvus {}", leg.to.with_variant()),
                standalone_why(site, leg),
                vec!["everything, from the end of the old pod to the readiness of the new one".to_owned()],
            ),
            (false, true) => (
                format!("Milvus {}", leg.to.with_variant()),
                "the version that was asked for".to_owned(),
                vec!["Helm replaces all Deployments at once: some requests fail until they are ready".to_owned()],
            ),
        };
        let mut check = Check {
            commands: vec![self.verify(site, None)],
            expect: vec![],
        };
        if !consolidates || leg.from != leg.to {
            check.expect.push(none_left(site, leg));
        }
        if consolidates {
            check
                .expect
                .push("no rootcoord, querycoord, datacoord or indexcoord pod is left".into());
        }
        check.expect.extend(self.notes.iter().cloned());
        let step = Step {
            id: match consolidates {
                true => format!("{}-consolidate", leg.to),
                false => format!("{}-upgrade", leg.to),
            },
            title,
            why,
            to: Some(leg.to.to_string()),
            commands,
            unavailable,
            check,
            rollback: Some(self.back.clone()),
            ..Step::default()
        };
        site.upgraded(self.chart.version.as_ref());
        step
    }

    /// One `helm upgrade` for each stage.
    fn staged(&mut self, site: &mut Site) -> Vec<Step> {
        let kind = match self.leg.kind {
            Kind::Streaming => transition::Kind::Streaming,
            Kind::To30 => transition::Kind::To30,
            _ => transition::Kind::Within,
        };
        let first =
            u8::from(!(self.chart.changes || self.chart.version.is_none() && kind == transition::Kind::Streaming));
        // Stages do not run backwards (MU115): what is half way goes on where it stands.
        let first = self.begun.map_or(first, |n| n.max(first));
        let mut steps = Vec::new();
        for n in first..=stage::LAST {
            if kind == transition::Kind::Streaming && n == stage::LAST && site.in_role(Role::IndexNode).next().is_none()
            {
                continue;
            }
            let mut step = self.stage(site, kind, n);
            if steps.is_empty() {
                step.commands.shell = self.save(site);
                step.check.expect.extend(self.notes.iter().cloned());
            }
            steps.push(step);
            site.upgraded(self.chart.version.as_ref());
            if n == 0 {
                self.back = rollback(site, self.leg);
            }
        }
        if let Some(last) = steps.last_mut() {
            last.check.commands.push(self.verify(site, None));
            last.check.expect.extend(writes_again(&self.after));
        }
        steps
    }

    fn stage(&self, site: &Site, kind: transition::Kind, n: u8) -> Step {
        let commands = chart::upgrade(
            site,
            &Upgrade {
                chart: &self.chart,
                sets: self.sets.clone(),
                stage: Some(n),
                guarded: true,
            },
        );
        Step {
            id: format!("{}-stage-{n}", self.leg.to),
            title: format!(
                "Milvus {}, stage {n} of {}: {}",
                self.leg.to,
                stage::LAST,
                stage::describe(kind, n)
            ),
            why: why(kind, n).to_owned(),
            to: Some(self.leg.to.to_string()),
            stage: Some(n),
            commands,
            unavailable: self.windows(kind, n),
            check: Check {
                commands: vec![self.verify(site, Some(n))],
                expect: vec!["it ends with 0; --wait alone is no proof that the old pods are gone".into()],
            },
            rollback: Some(if n == 0 {
                unmoved(site, self.leg)
            } else {
                self.back.clone()
            }),
            ..Step::default()
        }
    }

    /// What clients cannot do in a stage, and until when.
    fn windows(&self, kind: transition::Kind, n: u8) -> Vec<String> {
        let gate = &facts::versions().marks.ddl_gate.version;
        let streaming = kind == transition::Kind::Streaming;
        let ddl = self.leg.to >= *gate && self.leg.from < *gate;
        let mut windows: Vec<String> = Vec::new();
        let moves = |role: Role| stage::of_role(kind, role) == n;
        if n == 0 {
            windows.push("requests may fail while etcd, MinIO, Pulsar or Kafka restart, pod by pod".into());
        }
        if moves(Role::MixCoord) {
            windows.push("load, release, index builds and compaction pause while mixcoord restarts".into());
            if ddl {
                let end = match streaming {
                    true => stage::of_role(kind, Role::Proxy),
                    false => stage::of_role(kind, Role::StreamingNode),
                };
                windows.push(format!(
                    "collections cannot be created, changed or dropped (DDL) from here until stage {end} is done"
                ));
            }
        }
        if moves(Role::StreamingNode) && !streaming {
            windows.push("writes pause while the log moves from streaming node to streaming node".into());
        }
        if moves(Role::QueryNode) {
            windows.push("searches get slower while segments move, and fail where a collection has one replica and one query node".into());
        }
        if moves(Role::DataNode) && streaming {
            windows.push(format!(
                "flush, from here until stage {} is done",
                stage::of_role(kind, Role::Proxy)
            ));
        }
        if moves(Role::Proxy) {
            windows.push(match streaming {
                true => "some writes fail from the first new proxy to the last".into(),
                false => "requests on a proxy that ends are retried on another".into(),
            });
        }
        windows
    }
}

/// What is left of no pod afterwards.
pub fn none_left(site: &Site, leg: &Leg) -> String {
    match leg.from == leg.to {
        true => format!(
            "every pod runs {}, none of the image before is left, terminating ones included",
            site.image(&leg.to)
        ),
        false => format!("no pod of Milvus {} is left, terminating ones included", leg.from),
    }
}

fn standalone_why(site: &Site, leg: &Leg) -> String {
    match (&site.mq, leg.kind) {
        (Some(mq), Kind::Streaming) => format!(
            "the version that was asked for; standalone.messageQueue={mq} is said because the chart's default is another from 5.0.0 on, and a queue must not change with the version"
        ),
        _ => "the version that was asked for".to_owned(),
    }
}

/// Why the order is this one.
fn why(kind: transition::Kind, n: u8) -> &'static str {
    use transition::Kind::Streaming;
    match (kind, n) {
        (_, 0) => "stores and queue settle before Milvus moves, so that no two things restart at once",
        (Streaming, 1) => {
            "2.6 queries, data and proxies look for a mixcoord and streaming nodes of 2.6; both move together, since neither becomes ready for long without the other"
        }
        (Streaming, 2) => {
            "new proxies wait for time ticks that old query nodes do not serve: no query node of 2.5 may be left before them"
        }
        (Streaming, 3) => {
            "data nodes take over index building; the write-ahead log opens for writing only when no 2.5 data node is left"
        }
        (Streaming, 4) => "the last 2.5 proxy keeps the write-ahead log closed: writes go on when it is gone",
        (Streaming, _) => "data nodes build the indexes now, and 2.6 has no such role",
        (_, 1) => "the coordinator moves first: it refuses to start below the version that others have written",
        (_, 2) => "the log comes next, before those who read it",
        (_, 3) => "query nodes move before the data nodes and proxies that send them work",
        (_, 4) => "data nodes move before the proxies",
        _ => "proxies come last: by then everything they talk to is new",
    }
}

/// What to do where writes stay refused after the last stage.
fn writes_again(site: &Site) -> Vec<String> {
    let restart = |role: Role| {
        site.in_role(role)
            .map(super::site::Workload::target)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let (mix, streaming) = (restart(Role::MixCoord), restart(Role::StreamingNode));
    let mut said = vec!["an insert, a flush and a search of your own succeed".to_owned()];
    if !mix.is_empty() && !streaming.is_empty() {
        said.push(format!(
            "where writes stay refused (\"producer can only be created for RW channel\"): {}; wait, then {}",
            site.kubectl(&[format!("rollout restart {mix}")]),
            site.kubectl(&[format!("rollout restart {streaming}")])
        ));
    }
    said
}
