//! The way from what is deployed to a version, step by step: what `milvus-uplift plan` prints.
//!
//! The plan is data; [`write`](mod@write) makes text of it. Each leg of the way is judged by the rules, as the
//! post-renderer will judge it: [`simulate`] gives the deployed objects the images of the next stop and asks
//! [`judge`](crate::judge). So a plan and the upgrade it leads to cannot disagree.

mod apart;
mod back;
mod chart;
mod cross;
mod etcd;
mod finish;
mod fresh;
mod mend;
mod migrate;
pub mod migration;
mod much;
mod older;
mod prepare;
mod route;
pub(crate) mod shell;
mod simulate;
mod site;
mod topology;
pub mod write;

use foldhash::HashSet;
use serde::Serialize;

use crate::finding::Finding;
use crate::judge::Current;
use crate::milvus::release::{Component, Mode, Release};
use crate::milvus::version::{Read, Version};
use crate::options::Options;
use crate::report::mask;
use crate::rules::{mu003_state_unknown, mu005_version_undecidable, mu007_role_undecidable, mu306_mq_unknown};
use crate::state::{self, Source};
use migration::Manifest;
use simulate::{Outcome, State};
use site::Site;
pub use topology::Topology;

/// The schema's name, first in every plan as JSON.
pub const SCHEMA: &str = "milvus-uplift/plan/v1";

/// What a plan is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// What is deployed.
    pub current: &'a Current,
    /// The version to come.
    pub to: &'a Version,
    /// `--assume`, `--allow`.
    pub options: &'a Options,
    /// `--namespace`, where nothing else says it.
    pub namespace: Option<&'a str>,
    /// `--kube-context`, for every command.
    pub context: Option<&'a str>,
    /// `--assume` and `--allow` as they were given: every command of ours takes them along.
    pub stated: &'a [String],
    /// Where the manifests of a metadata migration will be written; `None` where nobody asked for them.
    pub migration: Option<&'a str>,
}

/// The plans of every Milvus release in the source.
#[derive(Debug, Serialize)]
pub struct Plans {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Whether every way is open.
    pub verdict: Verdict,
    /// One for each release.
    pub plans: Vec<Plan>,
}

/// Whether a way is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It can be walked.
    Go,
    /// Something blocks it.
    Blocked,
}

/// The way of one release.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Which release.
    pub release: ReleaseName,
    /// From where.
    pub from: Place,
    /// To where.
    pub to: Place,
    /// Whether the way is open.
    pub verdict: Verdict,
    /// What blocks it, over all steps.
    pub blocked_by: Vec<Reason>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// What runs before, between and after.
    pub topologies: Vec<Topology>,
    /// The manifests of a metadata migration, where one lies on the way.
    #[serde(skip)]
    pub manifests: Vec<Manifest>,
}

/// A Helm release.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseName {
    /// Its name.
    pub name: String,
    /// Its namespace; `NAMESPACE` where nothing says it.
    pub namespace: String,
    /// Cluster or standalone; null for a fresh install.
    pub mode: Option<Mode>,
    /// The chart's version, where it is known.
    pub chart: Option<String>,
    /// The last revision, where the source has the history.
    pub revision: Option<u64>,
}

/// One end of the way.
#[derive(Debug, Serialize)]
pub struct Place {
    /// Milvus' version; null where nothing runs or nothing says it.
    pub version: Option<String>,
    /// The message queue; null where it cannot be seen.
    pub mq: Option<String>,
}

/// One step.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Its name, each once in a plan: `2.6.16-stage-1`.
    pub id: String,
    /// What happens, in a few words.
    pub title: String,
    /// Why it is needed.
    pub why: String,
    /// The version it leads to, where it changes one.
    pub to: Option<String>,
    /// The `--stage`, where it is one.
    pub stage: Option<u8>,
    /// What to run.
    pub commands: Commands,
    /// What clients cannot do meanwhile; empty where they notice nothing.
    pub unavailable: Vec<String>,
    /// What to look at afterwards.
    pub check: Check,
    /// What keeps it from being done.
    pub blocked_by: Vec<Reason>,
    /// What else the rules have to say of it.
    pub warnings: Vec<Reason>,
    /// The way back; `None` where the step changes nothing.
    pub rollback: Option<Rollback>,
}

/// What to run: `shell` first, then one of the two Helms, then `then`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Commands {
    /// kubectl and the rest, the same for every Helm.
    pub shell: Vec<String>,
    /// With Helm 3.
    pub helm3: Vec<String>,
    /// With Helm 4.
    pub helm4: Vec<String>,
    /// Afterwards, the same for every Helm.
    pub then: Vec<String>,
}

impl Commands {
    /// Every command, in the order of the fields.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        self.shell
            .iter()
            .chain(&self.helm3)
            .chain(&self.helm4)
            .chain(&self.then)
    }
}

/// What to look at after a step.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Check {
    /// Commands; each ends with status 0 when it is well.
    pub commands: Vec<String>,
    /// What else to see.
    pub expect: Vec<String>,
}

/// What a rule says of a step.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Reason {
    /// The rule.
    pub code: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What is wrong.
    pub message: String,
    /// What mends it.
    pub help: String,
}

impl Reason {
    fn of(finding: &Finding) -> Reason {
        let mut finding = finding.clone();
        mask::finding(&mut finding);
        Reason {
            code: finding.code,
            name: finding.name,
            message: finding.message,
            help: finding.help,
        }
    }
}

/// The way back from a step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rollback {
    /// Whether there is one.
    pub possible: bool,
    /// `helm rollback` to this revision or below is a downgrade; null where none is, or where the history is not known.
    pub downgrade_at_or_below: Option<u64>,
    /// In words.
    pub says: String,
    /// What to run: the way back, or what shows the revisions.
    pub commands: Vec<String>,
}

/// Plans the way of every release in the source.
///
/// # Errors
/// Why the source cannot be read or had (MU001, MU003), or what runs in it (MU007).
pub fn plan(order: &Order) -> Result<Plans, Vec<Finding>> {
    let plans = match state::read_to_keep(order.current)? {
        None => vec![fresh::plan(order)],
        Some((mut source, kept)) => {
            source.place(order.namespace.unwrap_or_default());
            let inventory = source.inventory();
            let strays = mu007_role_undecidable::check(&source.stream, &inventory);
            if !strays.is_empty() {
                return Err(strays);
            }
            if inventory.releases.is_empty() {
                return Err(vec![nothing(&source)]);
            }
            let parts = apart::parts(order, &source, &inventory);
            let beside_all = Order {
                current: kept.as_ref().unwrap_or(order.current),
                ..*order
            };
            if let Some(too_much) = much::too_much(order.current, &beside_all, &source, &parts) {
                return Err(vec![too_much]);
            }
            let each = inventory.releases.iter().zip(&parts);
            each.map(|(release, part)| match part {
                Some(part) => {
                    let alone = Order {
                        current: &part.current,
                        ..*order
                    };
                    of_release(&alone, &part.source, &part.release)
                }
                None => of_release(&beside_all, &source, release),
            })
            .collect()
        }
    };
    let blocked = plans.iter().any(|p: &Plan| p.verdict == Verdict::Blocked);
    Ok(Plans {
        schema: SCHEMA,
        verdict: if blocked { Verdict::Blocked } else { Verdict::Go },
        plans,
    })
}

fn nothing(source: &Source) -> Finding {
    mu003_state_unknown::unavailable(
        &format!(
            "nothing in --current ({}) runs Milvus, so there is no way to plan",
            source.taken_from
        ),
        "give what is deployed: --current release:NAME --namespace NAMESPACE, or Helm's records of it in a file; \
         --current none where nothing is installed yet",
    )
}

fn of_release(order: &Order, source: &Source, release: &Release) -> Plan {
    let site = Site::new(order, source, release);
    let known = source.versions(release, order.options.assume.current_version.as_ref());
    let mut plan = Plan {
        release: site.release_name(),
        from: Place {
            version: known.versions.lowest().map(ToString::to_string),
            mq: site.mq.as_ref().map(ToString::to_string),
        },
        to: Place {
            version: Some(order.to.with_variant()),
            mq: site.mq.as_ref().map(ToString::to_string),
        },
        verdict: Verdict::Go,
        blocked_by: vec![],
        steps: prepare::steps(&site, known.versions.lowest(), order.to),
        topologies: vec![],
        manifests: vec![],
    };
    let before = known
        .versions
        .lowest()
        .map_or_else(|| "unknown".to_owned(), ToString::to_string);
    plan.topologies
        .push(Topology::of("before", &before, release, site.mq.as_ref()));
    let from = match (known.versions.lowest(), known.versions.decided()) {
        (Some(from), true) => from.clone(),
        _ => {
            let images: Vec<&str> = known.images.iter().map(String::as_str).collect();
            let finding = mu005_version_undecidable::of_images(&images, &site.namespace, &site.service);
            plan.steps.push(blocked(order.to, &[finding]));
            return plan.closed();
        }
    };
    let way = route::route(&from, known.highest.as_ref(), order.to, site.separate);
    match way.or_else(|why| route::beyond(&from, order.to, &order.options.allow).ok_or(why)) {
        Err(finding) => plan.steps.push(blocked(order.to, &[*finding])),
        Ok(legs) if site.mode == Mode::Standalone && site.mq.is_none() && !legs.is_empty() => {
            plan.steps
                .push(blocked(order.to, &[mu306_mq_unknown::to_plan(&site.service)]));
        }
        Ok(legs) if legs.is_empty() && built_otherwise(order, release) => {
            let leg = route::same_version(&from, order.to, site.separate);
            walk(order, &mut plan, site, &[leg]);
        }
        Ok(legs) if legs.is_empty() => stay(order, &mut plan, site, &from),
        Ok(legs) => walk(order, &mut plan, site, &legs),
    }
    plan.closed()
}

/// Whether another build variant was asked for than some workload runs.
fn built_otherwise(order: &Order, release: &Release) -> bool {
    let runs = |c: &Component| match &c.version {
        Read::Known(v) => Some(v.clone()),
        Read::Undecidable(_) => order.options.assume.current_version.clone(),
    };
    let other = |v: Version| !v.is_built_as(order.to);
    order.to.variant.is_some() && release.components.iter().filter_map(runs).any(other)
}

/// The steps where the version stays: none, unless its topology is not the one that runs.
fn stay(order: &Order, plan: &mut Plan, mut site: Site, from: &Version) {
    let state = State::first(order.current, site.stream_text());
    let outcome = simulate::again(&state, &site, order);
    if !outcome.blocked.is_empty() {
        plan.steps.push(blocked(order.to, &outcome.blocked));
        return;
    }
    let (before, after) = (state.inventory(), outcome.state.inventory());
    let mine = |releases: &[Release]| releases.iter().find(|r| site.is(r)).cloned();
    let after = mine(&after);
    let Some(mend) = mend::Mend::of(mine(&before).as_ref(), after.as_ref()) else {
        plan.steps.push(finish::there(&site, order.to));
        return;
    };
    plan.steps = prepare::steps(&mend.without_leaving(&site), Some(from), order.to);
    let mut step = mend.step(&mut site, order, &state, &outcome);
    step.warnings = outcome.warnings.iter().map(Reason::of).collect();
    plan.steps.push(step);
    plan.topologies
        .extend(after.map(|release| Topology::of("after", &order.to.to_string(), &release, site.mq.as_ref())));
    plan.steps.extend(finish::steps(&site, order, &state.text, &outcome));
}

/// The steps of all legs, each on what the one before leaves.
fn walk(order: &Order, plan: &mut Plan, mut site: Site, legs: &[route::Leg]) {
    let mut state = State::first(order.current, site.stream_text());
    let mut last: Option<Outcome> = None;
    let first = state.text.clone();
    for leg in legs {
        let outcome = simulate::walk(&state, &site, leg, order.options);
        let mut steps = match (outcome.blocked.is_empty(), leg.kind) {
            (false, _) => vec![blocked(&leg.to, &outcome.blocked)],
            (true, route::Kind::Migration) => {
                plan.manifests = migration::manifests(&site, leg);
                migrate::steps(&mut site, leg, order)
            }
            (true, route::Kind::Older) => older::steps(&mut site, leg),
            (true, _) => cross::steps(&mut site, leg, order, &state, &outcome),
        };
        if let Some(first) = steps.first_mut().filter(|s| s.blocked_by.is_empty()) {
            first.warnings = outcome.warnings.iter().map(Reason::of).collect();
        }
        plan.steps.append(&mut steps);
        let after = outcome.state.inventory();
        if let Some(release) = after.iter().find(|r| site.is(r)) {
            let end = leg.to == *order.to;
            let name = if end { "after" } else { "between" };
            plan.topologies
                .push(Topology::of(name, &leg.to.to_string(), release, site.mq.as_ref()));
            site.moved(&leg.to, release);
        }
        state = outcome.state.clone();
        last = Some(outcome);
    }
    if let Some(outcome) = last
        && outcome.blocked.is_empty()
    {
        plan.steps.extend(finish::steps(&site, order, &first, &outcome));
    }
}

/// A step that nothing can be run for.
fn blocked(to: &Version, findings: &[Finding]) -> Step {
    Step {
        id: format!("{to}-blocked"),
        title: format!("Milvus {to}: blocked"),
        why: "the rules refuse it, and so would the post-renderer: mend what is named, then plan again".into(),
        to: Some(to.to_string()),
        blocked_by: findings.iter().map(Reason::of).collect(),
        ..Step::default()
    }
}

impl Plan {
    /// Gathers what blocks it. Where nothing can be done at all, there is nothing to prepare for either.
    fn closed(mut self) -> Plan {
        let first = self.steps.iter().find(|s| !prepare::IDS.contains(&s.id.as_str()));
        if first.is_some_and(|s| !s.blocked_by.is_empty()) {
            self.steps.retain(|s| !prepare::IDS.contains(&s.id.as_str()));
        }
        let mut told = HashSet::default();
        let blocking = self.steps.iter().flat_map(|s| &s.blocked_by);
        let blocking = blocking.filter(|reason| told.insert(*reason));
        self.blocked_by.extend(blocking.cloned());
        if !self.blocked_by.is_empty() {
            self.verdict = Verdict::Blocked;
        }
        self
    }
}
