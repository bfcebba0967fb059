//! Where a release goes to, how far, and what that demands of each role.

use foldhash::HashMap;

use super::inputs::Inputs;
use super::live::Live;
use super::{Missing, Request};
use crate::facts;
use crate::milvus::release::{Component, Mode, Release, Versions};
use crate::milvus::role::Role;
use crate::milvus::version::{Read, Version};
use crate::options::{Assumptions, RewriteMode};
use crate::rewrite::{Topology, topology};
use crate::stage::{self, LAST, Stage};
use crate::transition::{From, Kind, Transition};

/// What is demanded of the components in a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// They run the target.
    Target,
    /// They are as they were: their stage is to come.
    Before,
    /// None is left.
    Gone,
}

impl Expect {
    /// The word in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Expect::Target => "target",
            Expect::Before => "before",
            Expect::Gone => "gone",
        }
    }
}

/// What a component's image says, against what was there before.
#[derive(Clone, Debug)]
pub enum Runs {
    /// This version.
    Known(Version),
    /// No version, and it is the image of before.
    AsBefore,
    /// No version; the tag or digest.
    Unknown(String),
}

/// The goal of one release.
#[derive(Debug)]
pub struct Goal {
    /// The kind of the transition.
    pub kind: Kind,
    /// The transition, for rules.
    pub transition: Transition,
    /// The version.
    pub target: Version,
    /// How that is known, in words.
    pub known_by: &'static str,
    /// The stage up to which everything is to be on the target.
    pub stage: u8,
    topology: Topology,
    mode: Mode,
    assume: Assumptions,
    before: Before,
}

/// What a component was before.
#[derive(Debug)]
struct Was {
    role: Role,
    image: String,
    version: Option<Version>,
}

/// What was there before, in order, and the first of each name and image.
#[derive(Debug, Default)]
struct Before {
    all: Vec<Was>,
    named: HashMap<(Role, String), usize>,
    of_role: HashMap<Role, usize>,
    of_tag: HashMap<String, usize>,
}

impl Before {
    fn of(release: Option<&Release>, assumed: Option<&Version>) -> Before {
        let mut before = Before::default();
        for (i, component) in release.into_iter().flat_map(|r| &r.components).enumerate() {
            let (role, image) = (component.role, component.image.clone());
            before.named.entry((role, component.name.clone())).or_insert(i);
            before.of_role.entry(role).or_insert(i);
            before.of_tag.entry(tag(&image).to_owned()).or_insert(i);
            let version = match &component.version {
                Read::Known(v) => Some(v),
                Read::Undecidable(_) => assumed,
            };
            before.all.push(Was {
                role,
                image,
                version: version.cloned(),
            });
        }
        before
    }
}

/// An image without its registry.
pub fn tag(image: &str) -> &str {
    image.rsplit('/').next().unwrap_or(image)
}

/// Finds the goal; says what is missing where it cannot be known.
pub fn find(
    request: &Request,
    inputs: &Inputs,
    live: &Live,
    release: &Release,
    before: Option<&Release>,
    missing: &mut Vec<Missing>,
) -> Option<Goal> {
    let assume = &request.options.assume;
    let source = inputs.before.as_ref().zip(before);
    let known = source.map(|(s, b)| s.versions(b, assume.current_version.as_ref()));
    let said = applied(inputs, release);
    let (target, known_by) = match target(request, said, live, release, before, assume) {
        Ok((target, "--to")) => (target, "--to"),
        // Only who asked for one wants a build variant: that of the highest workload is not that of all.
        Ok((target, known_by)) => (
            Version {
                variant: None,
                ..target
            },
            known_by,
        ),
        Err(why) => {
            missing.push(*why);
            return None;
        }
    };
    let from = match (&known, before) {
        (Some(known), Some(before)) => From::Release {
            versions: known.versions.clone(),
            highest: known.highest.clone(),
            separate_coordinators: before.mode() == Mode::Cluster
                && before.legacy_coordinators().any(|c| !c.is_scaled_to_zero()),
            images: known.images.clone(),
        },
        _ => From::Nothing,
    };
    let to = Versions {
        known: vec![target.clone()],
        undecidable: vec![],
    };
    let there = known
        .as_ref()
        .is_some_and(|k| k.versions.decided() && k.versions.known.iter().all(|v| is(v, &target)));
    let images = match (&known, there) {
        (Some(known), true) => known.images.clone(),
        _ => vec![format!("milvus:{}", target.text)],
    };
    let transition = Transition::new(from, to.clone(), release, &images);
    let Some(kind) = transition.kind else {
        missing.push(Missing {
            code: Some("MU005"),
            ..Missing::new(
                "version-undecidable",
                "the images in --current say no version: from what the upgrade came cannot be told",
                "say it: --assume current-version=VERSION",
            )
        });
        return None;
    };
    let mut goal = Goal {
        kind,
        topology: match request.options.rewrite {
            RewriteMode::Never if target.line() < facts::streaming_line() => Topology::AsRendered,
            _ => topology(release, &to),
        },
        transition,
        target,
        known_by,
        stage: LAST,
        mode: release.mode(),
        assume: assume.clone(),
        before: Before::of(before, assume.current_version.as_ref()),
    };
    goal.stage = match (request.options.stage, said) {
        (Stage::At(n), _) => n,
        (_, Some(said)) if said["stage"]["applied"].is_u64() => said["stage"]["applied"]
            .as_u64()
            .and_then(|n| u8::try_from(n).ok())
            .unwrap_or(LAST),
        (Stage::Next, _) => goal.due(live, release),
        (Stage::All, _) => LAST,
    };
    Some(goal)
}

/// Whether a version is the target, in the build that was asked for.
fn is(version: &Version, target: &Version) -> bool {
    version == target && (target.variant.is_none() || version.is_built_as(target))
}

/// What the report of `--applied` says of a release.
fn applied<'i>(inputs: &'i Inputs, release: &Release) -> Option<&'i crate::value::Value> {
    let applied = inputs.applied.as_ref()?;
    let all = applied.report["releases"].as_array()?;
    match (applied.named.get(&release.name), &all[..]) {
        (Some(i), _) => Some(&all[*i]),
        (None, [only]) => Some(only),
        _ => None,
    }
}

/// The version the upgrade goes to, and how that is known.
fn target(
    request: &Request,
    said: Option<&crate::value::Value>,
    live: &Live,
    release: &Release,
    before: Option<&Release>,
    assume: &Assumptions,
) -> Result<(Version, &'static str), Box<Missing>> {
    let reported = said
        .and_then(|r| r["target"]["version"].as_str())
        .and_then(|t| Version::parse(t).ok());
    if let (Some(to), Some(reported)) = (&request.to, &reported)
        && to != reported
    {
        let message = format!("--to says {to}, and the report of --applied says {reported}");
        return Err(Missing::new("target-unknown", message, "give the one that was applied").into());
    }
    if let Some(to) = &request.to {
        return Ok((to.clone(), "--to"));
    }
    if let Some(reported) = reported {
        return Ok((reported, "--applied"));
    }
    if let Some(assumed) = &assume.target_version {
        return Ok((assumed.clone(), "--assume target-version"));
    }
    let there = release.versions(None);
    let Some(highest) = there.highest() else {
        let object = release.components.first().map(|c| live.object(c));
        let missing = Missing::new(
            "target-unknown",
            "the images say no version, so what the upgrade goes to cannot be told",
            "say both: --to VERSION --assume target-version=VERSION",
        );
        return Err(Box::new(object.map_or(missing.clone(), |o| missing.on(o, ""))));
    };
    let Some(before) = before else {
        return Ok((highest.clone(), "the live workloads"));
    };
    let was = before.versions(assume.current_version.as_ref());
    let mixed = was.known.len() > 1;
    if was.highest().is_some_and(|v| v < highest) || mixed && was.highest() == Some(highest) {
        return Ok((highest.clone(), "the live workloads"));
    }
    let message = match was.highest() {
        Some(v) if v > highest => {
            format!("the cluster runs {highest} and --current {v}: nothing says what the upgrade goes to")
        }
        _ => format!(
            "the cluster runs {highest}, as --current does: either nothing was applied yet, or --current was taken down after the upgrade"
        ),
    };
    let help = format!("say what the upgrade goes to: --to VERSION; where the version stays as it is: --to {highest}");
    Err(Missing::new("target-unknown", message, help).into())
}

impl Goal {
    /// Whether a version is the target, in the build that was asked for.
    pub fn is_reached_by(&self, version: &Version) -> bool {
        is(version, &self.target)
    }

    /// The stage in which a role moves.
    pub fn stage_of(&self, role: Role) -> u8 {
        stage::of_role(self.kind, role)
    }

    /// What is demanded of a role.
    pub fn expect(&self, role: Role) -> Expect {
        let later = self.kind.last_stage().is_some() && self.stage_of(role) > self.stage;
        match (later, self.topology.drops(role)) {
            (true, _) => Expect::Before,
            (false, true) => Expect::Gone,
            (false, false) => Expect::Target,
        }
    }

    /// What a component runs.
    pub fn runs(&self, read: &Read, image: &str) -> Runs {
        match read {
            Read::Known(v) => Runs::Known(v.clone()),
            Read::Undecidable(u) => {
                let was = self.before.of_tag.get(tag(image)).map(|i| &self.before.all[*i].version);
                match (was, &self.assume.target_version) {
                    (Some(Some(v)), _) => Runs::Known(v.clone()),
                    (Some(None), _) => Runs::AsBefore,
                    (None, Some(v)) => Runs::Known(v.clone()),
                    (None, None) => Runs::Unknown(u.to_string()),
                }
            }
        }
    }

    /// The version of a component, where it is known.
    pub fn version_of(&self, component: &Component) -> Option<Version> {
        match self.runs(&component.version, &component.image) {
            Runs::Known(v) => Some(v),
            _ => None,
        }
    }

    /// What a component of a role ran before: by its name, else any of the role.
    pub fn was(&self, role: Role, name: Option<&str>) -> Option<(&str, Option<&Version>)> {
        let named = name.and_then(|name| self.before.named.get(&(role, name.to_owned())));
        let was = &self.before.all[*named.or_else(|| self.before.of_role.get(&role))?];
        Some((&was.image, was.version.as_ref()))
    }

    /// Whether an image is what the role ran before.
    pub fn is_as_before(&self, role: Role, name: Option<&str>, read: &Read, image: &str) -> bool {
        let Some((was, version)) = self.was(role, name) else {
            return false;
        };
        let same = match (self.runs(read, image), version) {
            (Runs::Known(v), Some(was)) => v == *was,
            _ => false,
        };
        same || tag(was) == tag(image)
    }

    /// The roles that have to run now.
    pub fn required(&self, before: Option<&Release>) -> Vec<Role> {
        let mut roles: Vec<Role> = Vec::new();
        let ran = |role: Role| before.is_some_and(|b| b.in_role(role).any(|c| !c.is_scaled_to_zero()));
        let coordinated = before.is_none_or(|b| b.has(Role::MixCoord) || b.legacy_coordinators().next().is_some());
        match self.topology {
            Topology::Streaming => roles.extend([Role::MixCoord, Role::StreamingNode]),
            Topology::Consolidated if coordinated => roles.push(Role::MixCoord),
            _ => {}
        }
        roles.extend(Role::ALL.into_iter().filter(|r| ran(*r)));
        let mut seen = Vec::new();
        for role in roles {
            if self.expect(role) == Expect::Target && !seen.contains(&role) {
                seen.push(role);
            }
        }
        seen
    }

    /// The first stage that had anything to do for what was there before (`--stage next`).
    fn due(&self, live: &Live, release: &Release) -> u8 {
        let cluster = self.mode == Mode::Cluster;
        let same = |c: &Component| {
            let was = self.before.named.get(&(c.role, c.name.clone()));
            was.is_some_and(|i| tag(&self.before.all[*i].image) == tag(&c.image))
        };
        if release.components.iter().all(same) && live.dependencies_moved() {
            return 0;
        }
        let behind = |was: &&Was| self.topology.drops(was.role) || was.version.as_ref() != Some(&self.target);
        let first = self
            .before
            .all
            .iter()
            .filter(behind)
            .map(|was| self.stage_of(was.role))
            .min();
        let lacks = |role: Role| cluster && !self.before.of_role.contains_key(&role);
        let missing = (self.topology == Topology::Streaming)
            .then(|| {
                [Role::MixCoord, Role::StreamingNode]
                    .into_iter()
                    .filter(|r| lacks(*r))
                    .map(|r| self.stage_of(r))
                    .min()
            })
            .flatten();
        first.into_iter().chain(missing).min().unwrap_or(LAST)
    }
}
