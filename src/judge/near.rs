//! What has to do with each release, where a stream holds several: each is judged by its own circle of objects.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::crossing::Crossing;
use super::whole::Judged;
use crate::kube::circles::{Circles, Node};
use crate::kube::{Object, ObjectRef};
use crate::milvus::release::{ByName, ByNames, Inventory, Release, inventory};
use crate::milvus::role::Role;
use crate::rewrite::{Change, ChangeOp};
use crate::stream::Stream;
use crate::value::Value;

/// A circle of objects that holds a release: the streams as far as they belong to it.
pub(super) struct Near {
    target: Stream,
    came: Inventory,
    current: Option<Stream>,
    before: Inventory,
    gone: Vec<usize>,
}

/// The circles that hold a release.
#[derive(Default)]
pub(crate) struct Nears {
    circles: Circles,
    all: HashMap<Node, Near>,
    /// The circle that takes in what has to do with no release.
    lead: Node,
}

/// What one release is judged by.
pub(crate) struct Scope<'a> {
    pub target: &'a Stream,
    pub release: &'a Release,
    pub current: Option<&'a Stream>,
    pub deployed: Option<&'a Release>,
    /// The objects (indices) that leave with any release.
    pub gone: &'a [usize],
    /// Which circle that is; `None` where it is everything.
    pub circle: Option<Node>,
}

/// Changes by circle.
#[derive(Default)]
pub(super) struct Parts {
    which: HashMap<Option<Node>, usize>,
    all: Vec<(Option<Node>, Vec<Change>)>,
}

impl Parts {
    /// Those of a circle.
    pub(super) fn of(&mut self, circle: Option<Node>) -> &mut Vec<Change> {
        let which = *self.which.entry(circle).or_insert(self.all.len());
        if which == self.all.len() {
            self.all.push((circle, Vec::new()));
        }
        &mut self.all[which].1
    }

    /// All of them, as one; those of what several circles share once. `None` where these want different ones.
    pub(super) fn together(self, circles: &Circles) -> Option<Vec<Change>> {
        let mut crossing = Crossing::new(circles);
        let mut first: HashMap<ObjectRef, Option<Node>> = HashMap::new();
        let mut changes = Vec::new();
        for (circle, part) in self.all {
            crossing.decided(circle, &part);
            changes.extend(part.into_iter().filter(|change| {
                let own = circles.sharing(&change.object.name).is_empty();
                own || *first.entry(change.object.clone()).or_insert(circle) == circle
            }));
        }
        crossing.agrees(&changes).then_some(changes)
    }
}

/// Objects as they would be applied.
pub(super) struct Applied {
    pub objects: Vec<Object>,
    after: OnceCell<Inventory>,
}

impl Applied {
    fn of(objects: Vec<Object>) -> Applied {
        Applied {
            objects,
            after: OnceCell::new(),
        }
    }

    /// The releases among them.
    pub(super) fn after(&self) -> &Inventory {
        self.after.get_or_init(|| inventory(&self.objects))
    }
}

/// All objects as they would be applied, and by circle.
pub(super) struct Proposal {
    whole: Applied,
    circles: HashMap<Node, Applied>,
}

impl Proposal {
    /// Those by which a release is judged.
    pub(super) fn of(&self, one: &Judged) -> &Applied {
        let own = one.circle.and_then(|circle| self.circles.get(&circle));
        own.unwrap_or(&self.whole)
    }
}

/// Draws the circles around the releases of both streams; none where the target holds but one.
pub(crate) fn circles(target: &Stream, current: Option<&Stream>, came: &Inventory, before: &Inventory) -> Circles {
    if came.releases.len() < 2 {
        return Circles::default();
    }
    let deployed = current.map_or(&[][..], |stream| &stream.objects);
    let mut running: HashMap<*const Value, usize> = HashMap::new();
    let coming = ByName::of(&came.releases);
    for (objects, inventory) in [(&target.objects[..], came), (deployed, before)] {
        for (i, release) in inventory.releases.iter().enumerate() {
            let which = coming.which(release).unwrap_or(came.releases.len() + i);
            for component in &release.components {
                running.insert(Arc::as_ptr(&objects[component.object].value), which);
            }
        }
    }
    let runs = |object: &Object| running.get(&Arc::as_ptr(&object.value)).copied();
    Circles::of(&[&target.objects, deployed], runs, &brings())
}

impl Nears {
    /// What stands in each circle; nothing where all have to do with each other.
    /// `lead` is the release (index) that speaks for what has to do with none.
    pub(crate) fn of(
        circles: Circles,
        target: &Stream,
        current: Option<&Stream>,
        came: &Inventory,
        gone: &[usize],
        lead: usize,
    ) -> Nears {
        let deployed = current.map_or(&[][..], |stream| &stream.objects);
        let around = |release: &Release| circles.around(&target.objects[release.components[0].object]);
        let mut parts: HashMap<Node, [Vec<usize>; 2]> = came
            .releases
            .iter()
            .filter_map(around)
            .map(|circle| (circle, Default::default()))
            .collect();
        let first = came.releases.get(lead).and_then(around);
        let Some(lead) = first.filter(|_| parts.len() > 1) else {
            return Nears::default();
        };
        for (side, objects) in [&target.objects[..], deployed].into_iter().enumerate() {
            for (i, object) in objects.iter().enumerate() {
                let circle = circles.around(object);
                for circle in standing(&circles, circle, |circle| parts.contains_key(circle), lead) {
                    parts.entry(circle).or_default()[side].push(i);
                }
            }
        }
        let leaving: HashSet<usize> = gone.iter().copied().collect();
        let some =
            |stream: &Stream, which: &[usize]| stream.with(which.iter().map(|i| stream.objects[*i].clone()).collect());
        let near = |(circle, [coming, standing]): (Node, [Vec<usize>; 2])| {
            let target = some(target, &coming);
            let current = current.map(|stream| some(stream, &standing));
            let leaves = |(_, i): &(usize, &usize)| leaving.contains(i);
            let near = Near {
                came: inventory(&target.objects),
                before: current
                    .as_ref()
                    .map(|stream| inventory(&stream.objects))
                    .unwrap_or_default(),
                gone: coming.iter().enumerate().filter(leaves).map(|(own, _)| own).collect(),
                target,
                current,
            };
            (circle, near)
        };
        Nears {
            all: parts.into_iter().map(near).collect(),
            circles,
            lead,
        }
    }

    /// What a release is judged by: its circle; everything where it is not whole in one. `known` remembers the releases of
    /// each circle.
    pub(crate) fn scope<'s>(&'s self, everything: Scope<'s>, known: &ByNames<'s>) -> Scope<'s> {
        let first = &everything.target.objects[everything.release.components[0].object];
        let circle = self.circles.around(first);
        let Some((circle, near)) = circle.and_then(|circle| Some((circle, self.all.get(&circle)?))) else {
            return everything;
        };
        let same = |mine: &'s Inventory, whole: &Release| {
            let mine = known.of(&mine.releases);
            mine.all(whole)
                .into_iter()
                .find(|r| r.components.len() == whole.components.len())
        };
        let release = same(&near.came, everything.release);
        let deployed = everything.deployed.map(|deployed| same(&near.before, deployed));
        match (release, deployed) {
            (Some(release), None | Some(Some(_))) => Scope {
                target: &near.target,
                release,
                current: near.current.as_ref(),
                deployed: deployed.flatten(),
                gone: &near.gone,
                circle: Some(circle),
            },
            _ => everything,
        }
    }

    /// The circles themselves.
    pub(super) fn circles(&self) -> &Circles {
        &self.circles
    }

    /// Draws them anew, larger: what stands in several joins them.
    pub(super) fn into_joined(self) -> Circles {
        self.circles.joined()
    }

    /// Changes by the circle they belong to, in the order of the releases, those of what several share in each of these; all
    /// in one part where there are no circles, or a release is judged by everything.
    pub(super) fn parts(&self, judged: &[Judged], changes: Vec<Change>) -> Parts {
        let mut parts = Parts::default();
        if self.all.is_empty() || judged.iter().any(|one| one.circle.is_none()) {
            *parts.of(None) = changes;
            return parts;
        }
        for one in judged {
            parts.of(one.circle);
        }
        let brought = brought(judged);
        for change in changes {
            let circle = brought.get(&change.object).copied();
            let circle = circle.or_else(|| self.circles.named(&change.object.name));
            let known = |circle: &Node| parts.which.contains_key(&Some(*circle));
            for circle in standing(&self.circles, circle, known, self.lead) {
                parts.of(Some(circle)).push(change.clone());
            }
        }
        parts
    }

    /// The objects as they would be applied, by circle.
    pub(super) fn proposal(&self, proposed: Vec<Object>, judged: &[Judged]) -> Proposal {
        let mut circles: HashMap<Node, Vec<Object>> = HashMap::new();
        if !self.all.is_empty() {
            let brought = brought(judged);
            for object in &proposed {
                let circle = brought.get(&object.reference).copied();
                let circle = circle.or_else(|| self.circles.around(object));
                for circle in standing(&self.circles, circle, |circle| self.all.contains_key(circle), self.lead) {
                    circles.entry(circle).or_default().push(object.clone());
                }
            }
        }
        let each = circles.into_iter();
        Proposal {
            circles: each.map(|(circle, objects)| (circle, Applied::of(objects))).collect(),
            whole: Applied::of(proposed),
        }
    }
}

/// The circles with a release in which stands what is in a circle, or is shared by several; the lead where it has to do with
/// none of them.
pub(crate) fn standing(
    circles: &Circles,
    circle: Option<Node>,
    holds_release: impl Fn(&Node) -> bool,
    lead: Node,
) -> Vec<Node> {
    let shared = circle.map_or(&[][..], |circle| circles.shared(circle));
    let all = shared.iter().chain(&circle).copied();
    let found: Vec<Node> = all.filter(|circle| holds_release(circle)).collect();
    if found.is_empty() { vec![lead] } else { found }
}

/// The values that a component's label may come to have.
pub(super) fn brings() -> [&'static str; 2] {
    [Role::MixCoord, Role::StreamingNode].map(Role::as_str)
}

/// What the rewrite of each release that has a circle brings, and to which.
fn brought<'j>(judged: &'j [Judged]) -> HashMap<&'j ObjectRef, Node> {
    let each = judged.iter().filter_map(|one| Some((one, one.circle?)));
    let injected = |(one, circle): (&'j Judged, Node)| {
        let changes = one.rewrite.changes.iter().filter(|c| c.op == ChangeOp::Inject);
        changes.map(move |change| (&change.object, circle))
    };
    each.flat_map(injected).collect()
}

#[cfg(test)]
mod tests;
