//! Many releases: what is too much to be held at once is judged circle by circle, each as if it came alone.
//!
//! It is a shorter way to a pass, and never to a refusal: whatever is not the plain case, and whatever is refused, is
//! judged as a whole.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use memchr::{memchr, memmem};

use super::answer::Answer;
use super::crossing::Crossing;
use super::effort::Effort;
use super::given::Given;
use super::near::{brings, standing};
use super::whole::{MOST_FINDINGS, State, Whole};
use super::{Current, Request, inputs};
use crate::finding::{Finding, Input};
use crate::kube::Object;
use crate::kube::circles::{self, Circles, Node, Sketch};
use crate::milvus::effective::Texts;
use crate::milvus::operator;
use crate::milvus::release::{ByName, inventory};
use crate::order::Order;
use crate::rewrite::{Change, ChangeOp};
use crate::stage::Stage;
use crate::state;
use crate::stream::Bytes;
use crate::stream::survey::{Kept, Seen, Survey};
use crate::timings::Clock;
use crate::yaml;

/// The objects of one circle by their numbers, of what comes and of what is deployed.
type Members = [Vec<usize>; 2];

/// The node of each object, of what comes and of what is deployed.
type Nodes = [Vec<Node>; 2];

/// The circles with what stands in each, and what stands in several of them.
type Grouped = (Vec<(Node, Members)>, [HashSet<usize>; 2]);

/// Both streams, surveyed, and the circles that hold a release, in the order of their first workloads.
struct Parts {
    target: Survey,
    current: Survey,
    drawn: Circles,
    circles: Vec<(Node, Members)>,
    /// What stands in several of them, of what comes and of what is deployed.
    again: [HashSet<usize>; 2],
    /// The size of both streams.
    bytes: usize,
}

/// What is known from the circles before.
struct Known {
    /// What stands in several, of what comes and of what is deployed.
    kept: [Kept; 2],
    texts: Texts,
    effort: Effort,
    /// How much of the values.
    values: usize,
}

impl Known {
    /// How many bytes were read more often than once.
    fn read_again(&self) -> usize {
        let kept: usize = self.kept.iter().map(Kept::read_again).sum();
        kept + self.texts.read_again()
    }
}

/// Judges circle by circle. `None` where the inputs are to be judged as a whole.
pub(super) fn judge(request: &Request, clock: &Clock) -> Option<Answer> {
    let Current::Manifests(current) = &request.current else {
        return None;
    };
    let plain = request.options.stage == Stage::All
        && request.options.order == Order::Unsaid
        && request.patches.is_empty()
        && request.stored_values.is_none();
    let much = request.target.len().max(current.len()) > request.held.0;
    if !plain || !much || !state::is_stream(current) {
        return None;
    }
    let values = Given::of(&inputs::read_values(&request.values, &mut Vec::new())?);
    clock.lap("read the values");
    let mut parts = Parts::of(&request.target, current, clock)?;
    let mut done = Answer::default();
    let mut crossing = Crossing::new(&parts.drawn);
    let mut taken: HashMap<usize, Node> = HashMap::new();
    let mut known = Known {
        kept: std::mem::take(&mut parts.again).map(Kept::new),
        texts: Texts::passing(),
        effort: Effort::default(),
        values: 0,
    };
    for (circle, members) in &parts.circles {
        let part = judged(&parts, members, &mut known, &values, request, clock)?;
        known.texts.part_is_over();
        // Where circles have more in common than is kept: held as a whole, all of it is read once.
        if known.read_again() > parts.bytes || done.findings.len() > MOST_FINDINGS {
            return None;
        }
        crossing.decided(Some(*circle), &part.changes);
        crossing.found(Some(*circle), &part.findings);
        done.releases.extend(part.releases);
        done.findings.extend(part.findings);
        // What stands in several is changed once.
        let first = |c: &Change| {
            let own = c.op == ChangeOp::Inject || parts.drawn.sharing(&c.object.name).is_empty();
            own || taken.entry(c.document).or_insert(*circle) == circle
        };
        done.changes.extend(part.changes.into_iter().filter(first));
        done.targets.extend(part.targets);
    }
    if !crossing.agrees(&done.changes) {
        return None;
    }
    done.target = Some(parts.target.into_stream());
    done.current = Some(state::part(parts.current.into_stream()));
    Some(done)
}

/// The judgement of one circle, where it passes.
fn judged(
    parts: &Parts,
    circle: &Members,
    known: &mut Known,
    values: &Option<Rc<Given>>,
    request: &Request,
    clock: &Clock,
) -> Option<Answer> {
    let ([coming, standing], [of_target, of_current]) = (circle, &mut known.kept);
    let target = parts.target.part(coming, None, of_target)?;
    clock.lap("read the manifests");
    let source = state::part(parts.current.part(standing, Some(&target), of_current)?);
    clock.lap("read what is deployed");
    let (came, before) = (inventory(&target.objects), source.inventory());
    // One of several releases is deployed under its own name; what stands alone could be known without (MU004).
    let deployed = ByName::of(&before.releases);
    if came.releases.is_empty() || !came.releases.iter().all(|r| deployed.holds(r)) {
        return None;
    }
    let workloads = [&came, &before].map(|side| side.releases.iter().map(|r| r.components.len()).sum::<usize>());
    let objects = target.objects.len() + source.stream.objects.len();
    let effort = Effort::new(workloads[0].max(workloads[1]), objects, &request.options);
    known.effort = known.effort.and(effort);
    if known.effort.beyond(parts.bytes).is_some() {
        return None;
    }
    let whole = Whole {
        target: &target,
        state: &State::Source(&source),
        values: values.clone(),
        overlays: &[],
        options: &request.options,
        host_command: request.host_command.as_deref(),
        texts: known.texts.clone(),
        clock,
    };
    if let Some(given) = values {
        let each = came.releases.iter().filter_map(|r| whole.values_of(&target, r));
        known.values += each.map(|values| given.weight(&values)).sum::<usize>();
        if given.beyond(known.values, parts.bytes).is_some() {
            return None;
        }
    }
    let done = whole.judge(&came, vec![]);
    let passes = !done.findings.iter().any(Finding::refuses);
    passes.then_some(done)
}

impl Parts {
    /// Reads both streams and draws the circles. `None` where there are not several with a release each, or something
    /// is there that is looked at across all of them.
    fn of(target: &Bytes, current: &Bytes, clock: &Clock) -> Option<Parts> {
        let bytes = target.len() + current.len();
        let mut sketch = Sketch::default();
        let mut nodes = Nodes::default();
        // Those of the workloads that run Milvus.
        let mut running: Vec<Node> = Vec::new();
        let mut add = |object: &Object| {
            let facts = Facts::of(object);
            facts
                .stands_apart()
                .then(|| (sketch.add(object, facts.runs), facts.runs))
        };
        let target = Survey::of(target, Input::Target, None, |seen| {
            let Seen::Object(object) = seen else { return false };
            let Some((node, runs)) = add(object) else { return false };
            nodes[0].push(node);
            running.extend(runs.then_some(node));
            true
        })?;
        clock.lap("read the manifests");
        let [coming, standing] = &mut nodes;
        let current = Survey::of(current, Input::Current, Some(&target), |seen| {
            let node = match seen {
                Seen::Object(object) => add(object).map(|(node, _)| node),
                Seen::Twin(twin) => Some(coming[twin]),
            };
            standing.extend(node);
            node.is_some()
        })?;
        clock.lap("read what is deployed");
        let drawn = drawn(sketch, [&target, &current], &nodes)?;
        let (circles, again) = grouped(&drawn, &nodes, &running)?;
        clock.lap("draw the circles");
        Some(Parts {
            target,
            current,
            drawn,
            circles,
            again,
            bytes,
        })
    }
}

/// What decides whether an object can be judged with its circle alone.
#[derive(Debug, PartialEq, Eq)]
struct Facts {
    /// It is a workload that belongs to a release.
    runs: bool,
    /// It names its instance: all workloads of a release do so alike, and are in one circle by that.
    names_an_instance: bool,
    /// It was rendered, and nothing of it is looked at beside all others.
    plain: bool,
}

impl Facts {
    fn of(object: &Object) -> Facts {
        Facts {
            runs: !inventory(std::slice::from_ref(object)).releases.is_empty(),
            names_an_instance: circles::names_an_instance(object),
            plain: state::is_plain(object) && !operator::is_resource(object),
        }
    }

    fn stands_apart(&self) -> bool {
        self.plain && (self.names_an_instance || !self.runs)
    }
}

/// The circles of all objects, by what their texts name.
fn drawn(sketch: Sketch, streams: [&Survey; 2], nodes: &Nodes) -> Option<Circles> {
    let mut circles = sketch.named(&brings());
    for (survey, nodes) in streams.into_iter().zip(nodes) {
        for (nth, body) in survey.own() {
            let node = nodes[nth];
            // The words of a value stand in its text, but for those that are written with escapes or encoded.
            let plainly = memchr(b'\\', body.as_bytes()).is_none() && memmem::find(body.as_bytes(), b"!!").is_none();
            match plainly {
                true => circles.mentioned_in(node, body),
                false => circles.mentioned(node, &yaml::read(body).ok()??),
            }
        }
    }
    circles.select();
    Some(circles)
}

/// The objects of each circle that holds a release; what has to do with none stands with the first. `None` where there is
/// only one.
fn grouped(drawn: &Circles, nodes: &Nodes, running: &[Node]) -> Option<Grouped> {
    let mut order: HashMap<Node, usize> = HashMap::new();
    let mut circles: Vec<(Node, Members)> = Vec::new();
    let mut again = <[HashSet<usize>; 2]>::default();
    for node in running {
        let circle = drawn.around_node(*node);
        order.entry(circle).or_insert_with(|| {
            circles.push((circle, Members::default()));
            circles.len() - 1
        });
    }
    let lead = circles.first()?.0;
    for (side, nodes) in nodes.iter().enumerate() {
        for (nth, node) in nodes.iter().enumerate() {
            let circle = Some(drawn.around_node(*node));
            let stands = standing(drawn, circle, |circle| order.contains_key(circle), lead);
            if stands.len() > 1 {
                again[side].insert(nth);
            }
            for circle in stands {
                circles[order[&circle]].1[side].push(nth);
            }
        }
    }
    (circles.len() > 1).then_some((circles, again))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Stream;

    /// All streams of `testdata`.
    fn streams(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let named = |name: &str| path.file_name().is_some_and(|n| n == name);
            if path.is_dir() {
                streams(&path, found);
            } else if named("target.yaml") || named("current.yaml") {
                found.push(path);
            }
        }
    }

    /// What a survey sees of an object is all that the circles are drawn from, and all that these facts look at.
    #[test]
    fn a_survey_sees_what_is_looked_at() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
        let (mut files, mut objects) = (Vec::new(), 0);
        streams(&root, &mut files);
        for file in files {
            let bytes = Bytes::from(std::fs::read(&file).unwrap());
            let Ok(stream) = Stream::read(&bytes, Input::Target) else {
                continue;
            };
            let mut whole = stream.objects.iter();
            let _ = Survey::of(&bytes, Input::Target, None, |seen| {
                let (Seen::Object(seen), Some(read)) = (seen, whole.next()) else {
                    panic!("{}: more documents than objects", file.display())
                };
                let sketched = |object: &Object| {
                    let mut sketch = Sketch::default();
                    sketch.add(object, false);
                    sketch
                };
                let place = format!("{} document {}", file.display(), seen.document);
                assert_eq!(
                    (seen.document, &seen.reference),
                    (read.document, &read.reference),
                    "{place}"
                );
                assert_eq!(sketched(seen), sketched(read), "{place}");
                assert_eq!(Facts::of(seen), Facts::of(read), "{place}");
                objects += 1;
                true
            });
        }
        assert!(objects > 1000, "{objects}");
    }
}
