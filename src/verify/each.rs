//! Each release by the objects that have to do with it, and what keeps it from being complete.

use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use super::cluster::Cluster;
use super::goal::{self, Expect, Goal};
use super::inputs::{self, Inputs};
use super::live::{Live, marked, serves};
use super::{ComponentOutcome, Missing, Outcome, ReleaseOutcome, Request, pods, rollout, stores};
use crate::judge::{Effort, Nears, Scope, circles};
use crate::kube::Object;
use crate::kube::named::First;
use crate::kube::object::namespaces_agree;
use crate::milvus::effective::Texts;
use crate::milvus::release::{ByNames, Component, Inventory, Release};
use crate::milvus::role::Role;
use crate::options::Options;
use crate::rules::mu001_unreadable_input;
use crate::value::Value;

/// Looks at each release by the objects that have to do with it.
pub fn look(request: &Request, inputs: &Inputs, out: &mut Outcome) {
    let cluster = Cluster::new(inputs);
    let wanted = inputs::releases(inputs, &cluster, &request.place, &mut out.missing);
    let nears = nears(inputs, &cluster, &wanted);
    let before = inputs.before.as_ref().map(|before| &before.stream);
    let in_circles = ByNames::default();
    let scopes: Vec<Scope> = wanted
        .iter()
        .map(|(release, deployed)| {
            let everything = Scope {
                target: &inputs.live.stream,
                release,
                current: before,
                deployed: *deployed,
                gone: &[],
                circle: None,
            };
            nears.scope(everything, &in_circles)
        })
        .collect();
    let bytes = inputs.live.stream.text.len() + before.map_or(0, |stream| stream.text.len());
    if let Some(much) = too_much(&cluster, &scopes, bytes) {
        out.missing.push(much);
        return;
    }
    let owned = owned(&cluster, &wanted, &scopes);
    let mut texts = Texts::passing();
    for (i, ((release, before), near)) in wanted.into_iter().zip(scopes).enumerate() {
        let from = out.missing.len();
        let mut place = request.place.clone();
        if place.namespace.is_empty() {
            place.namespace.clone_from(&release.namespace);
        }
        let live = Live {
            cluster: &cluster,
            near,
            owned: &owned[i],
            place,
        };
        let outcome = one(request, inputs, &live, release, before, &texts, out);
        for missing in &mut out.missing[from..] {
            missing.release.clone_from(&release.name);
        }
        out.releases.push(outcome);
        texts.part_is_over();
        if texts.read_again() > bytes {
            texts = Texts::default();
        }
    }
}

/// The circle of each release, where several are looked at. What has to do with none of them stands with the first.
fn nears(inputs: &Inputs, cluster: &Cluster, wanted: &[(&Release, Option<&Release>)]) -> Nears {
    let (live, before) = (&inputs.live.stream, inputs.before.as_ref().map(|b| &b.stream));
    if wanted.len() < 2 {
        return Nears::default();
    }
    let looked_at = Inventory {
        releases: wanted.iter().map(|(release, _)| Release::clone(release)).collect(),
        strays: vec![],
    };
    let circles = circles(live, before, &cluster.inventory, &inputs.before_inventory);
    Nears::of(circles, live, before, &looked_at, &[], 0)
}

/// The workloads beside Milvus that were deployed before, or that Helm has applied with a release, each with whom it is looked
/// at: the release that Helm has marked on it; else those of whose circles it is; else the first in whose namespace it may
/// stand. Where the releases of an umbrella chart have one name, only the circles tell.
fn owned<'a>(cluster: &Cluster<'a>, wanted: &[(&Release, Option<&Release>)], scopes: &[Scope]) -> Vec<Vec<&'a Object>> {
    let mut named: HashMap<&str, Vec<usize>> = HashMap::default();
    let mut spaces = First::default();
    for (i, (release, _)) in wanted.iter().enumerate() {
        named.entry(&release.name).or_default().push(i);
        spaces.add(&release.namespace, i);
    }
    let beside = |o: &&Object| serves(o) && !cluster.is_milvus(o);
    let mut near: HashMap<*const Value, Vec<usize>> = HashMap::default();
    for (i, scope) in scopes.iter().enumerate() {
        for object in scope.target.objects.iter().filter(beside) {
            near.entry(Arc::as_ptr(&object.value)).or_default().push(i);
        }
    }
    let mut owned = vec![Vec::new(); wanted.len()];
    for object in cluster.source.stream.objects.iter().filter(beside) {
        let here = |i: &usize| namespaces_agree(&object.reference.namespace, &wanted[*i].0.namespace);
        let marked = marked(object)
            .and_then(|name| named.get(name))
            .map_or(&[][..], |all| all);
        let held = cluster.before.holds(&object.reference);
        let near = near.get(&Arc::as_ptr(&object.value)).map_or(&[][..], |all| all);
        let mut owners: Vec<usize> = match marked {
            [only] if here(only) => vec![*only],
            _ => {
                let own = |i: &usize| here(i) && (held || marked.contains(i));
                near.iter().copied().filter(own).collect()
            }
        };
        if owners.is_empty() {
            let first = if held {
                spaces.agreeing(&object.reference.namespace)
            } else {
                None
            };
            owners.extend(first.or_else(|| marked.iter().copied().find(here)));
        }
        for owner in owners {
            owned[owner].push(object);
        }
    }
    owned
}

/// What is missing where more would be weighed against each other than takes a time linear in the size.
fn too_much(cluster: &Cluster, scopes: &[Scope], bytes: usize) -> Option<Missing> {
    let effort = |scope: &Scope| {
        let deployed = scope.deployed.map_or(0, |release| release.components.len());
        let workloads = scope.release.components.len().max(deployed);
        let before = scope.current.map_or(0, |stream| stream.objects.len());
        let objects = scope.target.objects.len() + before + cluster.free_pods();
        Effort::new(workloads, objects, &Options::default())
    };
    let (pairs, allowed) = scopes
        .iter()
        .map(effort)
        .fold(Effort::default(), Effort::and)
        .beyond(bytes)?;
    let finding = mu001_unreadable_input::too_much_to_verify(scopes.len(), [pairs, allowed]);
    Some(Missing::finding("unreadable", &finding))
}

/// Looks at one release.
fn one(
    request: &Request,
    inputs: &Inputs,
    live: &Live,
    release: &Release,
    before: Option<&Release>,
    texts: &Texts,
    out: &mut Outcome,
) -> ReleaseOutcome {
    let goal = goal::find(request, inputs, live, release, before, &mut out.missing);
    let mut outcome = ReleaseOutcome {
        namespace: match release.namespace.as_str() {
            "" => request.place.namespace.clone(),
            said => said.to_owned(),
        },
        name: release.name.clone(),
        mode: release.mode(),
        kind: None,
        before: before.and_then(|b| {
            let known = inputs
                .before
                .as_ref()?
                .versions(b, request.options.assume.current_version.as_ref());
            known.versions.lowest().cloned()
        }),
        target: None,
        target_from: "",
        stage: None,
        doing: "",
        components: vec![],
        helm: live.helm(request, release, &mut out.missing, &mut out.notes),
    };
    let Some(goal) = goal else {
        return outcome;
    };
    outcome.kind = Some(goal.kind);
    outcome.target = Some(goal.target.clone());
    outcome.target_from = goal.known_by;
    outcome.stage = goal.kind.last_stage().map(|last| (goal.stage, last));
    outcome.doing = goal
        .kind
        .last_stage()
        .map_or("", |_| crate::stage::describe(goal.kind, goal.stage));
    roles(&goal, live, release, before, &mut out.missing);
    for component in &release.components {
        rollout::component(&goal, live, component, out);
    }
    rollout::dependencies(&goal, live, out);
    pods::check(&goal, live, release, &mut out.missing);
    stores::check(request, &goal, &live.near, texts, out);
    outcome.components = release
        .components
        .iter()
        .map(|c| component(&goal, live, release, c))
        .collect();
    outcome
}

/// Roles and workloads that should be there and are not.
fn roles(goal: &Goal, live: &Live, release: &Release, before: Option<&Release>, missing: &mut Vec<Missing>) {
    let runs = |role: Role| release.in_role(role).any(|c| !c.is_scaled_to_zero());
    for role in goal.required(before) {
        let rests = release.in_role(role).next();
        if runs(role) {
            continue;
        }
        missing.push(match rests {
            Some(component) => Missing::new(
                "scaled-to-zero",
                format!("{} asks for 0 replicas, and no other {role} runs", component.name),
                live.place.command(&format!("get {}", live.named(component))),
            )
            .on(live.object(component), "/spec/replicas"),
            None => Missing::new(
                "component-missing",
                format!("no {role} is there"),
                live.place.command("get deployments"),
            ),
        });
    }
    let there: HashSet<(Role, &str)> = release.components.iter().map(|c| (c.role, &c.name[..])).collect();
    let held = |c: &&Component| goal.expect(c.role) == Expect::Before;
    for component in before.into_iter().flat_map(|b| &b.components).filter(held) {
        if !there.contains(&(component.role, &component.name[..])) {
            missing.push(Missing::new(
                "component-missing",
                format!(
                    "{} was there before and is gone; it belongs to stage {}",
                    component.name,
                    goal.stage_of(component.role)
                ),
                live.place.command("get deployments"),
            ));
        }
    }
}

fn component(goal: &Goal, live: &Live, release: &Release, component: &Component) -> ComponentOutcome {
    let object = live.object(component);
    let counts = rollout::counts(object);
    let own = live.cluster.pods_of(object, release);
    ComponentOutcome {
        kind: object.reference.kind.clone(),
        name: component.name.clone(),
        role: component.role.as_str(),
        stage: goal.kind.last_stage().map(|_| goal.stage_of(component.role)),
        expected: goal.expect(component.role).as_str(),
        version: goal.version_of(component).map(|v| v.to_string()),
        replicas: counts.wanted,
        updated: counts.updated,
        ready: counts.ready,
        pods: own.len(),
        terminating: own.iter().filter(|p| p.terminating()).count(),
    }
}
