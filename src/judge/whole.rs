//! The judgement of the whole stream: what is deployed of each release, what is changed, what the rules say.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::answer::Answer;
use super::crossing::Crossing;
use super::effort::Effort;
use super::given::Given;
use super::near::{self, Nears, Proposal, Scope};
use super::release::Lookup;
use crate::apply;
use crate::finding::Finding;
use crate::host::{self, Host};
use crate::kube::ObjectRef;
use crate::kube::circles::{Circles, Node};
use crate::milvus::effective::Texts;
use crate::milvus::release::{ByName, ByNames, Inventory, Mode, Release};
use crate::milvus::version::Version;
use crate::options::{Options, RewriteMode};
use crate::overlay::{self, Overlay};
use crate::report::StageReport;
use crate::rewrite::values::Values;
use crate::rewrite::{self, Change, ChangeOp, Rewrite, Scene, Shapes, place};
use crate::rules;
use crate::stage::Stage;
use crate::state::{self, Source};
use crate::stream::Stream;
use crate::timings::Clock;
use crate::transition::{From, Transition};
use crate::yaml;

/// What is known to be deployed.
pub(super) enum State<'a> {
    Unsaid,
    Nothing,
    Source(&'a Source),
}

/// The inputs, read.
pub(super) struct Whole<'a> {
    pub target: &'a Stream,
    pub state: &'a State<'a>,
    /// All that the values files say, merged.
    pub values: Option<Rc<Given>>,
    pub overlays: &'a [Overlay],
    pub options: &'a Options,
    pub host_command: Option<&'a [String]>,
    /// The configuration texts that were read.
    pub texts: Texts,
    pub clock: &'a Clock,
}

/// A release with what its rewrite decided.
pub(super) struct Judged<'a> {
    pub came: &'a Release,
    pub before: Option<&'a Release>,
    pub transition: Transition,
    pub rewrite: Rewrite,
    /// The configuration texts that were read for it.
    pub texts: Texts,
    pub values: Option<Values>,
    /// The targets of all releases of its circle, where it speaks for what is no release's own in there; else nothing.
    pub leads: Vec<Option<Version>>,
    /// The stream as far as it has to do with the release.
    pub target: &'a Stream,
    /// What is deployed, likewise.
    pub current: Option<&'a Stream>,
    /// Which circle of objects that is; `None` where it is all of them.
    pub circle: Option<Node>,
}

/// Of how many findings no release is judged any more: each takes about a kilobyte.
pub(super) const MOST_FINDINGS: usize = 100_000;

impl Whole<'_> {
    pub(super) fn judge(&self, came: &Inventory, mut findings: Vec<Finding>) -> Answer {
        let before = match self.state {
            State::Source(source) => source.inventory(),
            _ => Inventory::default(),
        };
        self.streams(came, &before, &mut findings);
        let mut circles = near::circles(self.target, self.current_stream(), came, &before);
        loop {
            match self.by_circles(circles, came, &before, findings.clone()) {
                Ok(answer) => return answer,
                Err(joined) => circles = *joined,
            }
        }
    }

    /// The judgement by circles; larger ones where something is for several of these together to say.
    pub(super) fn by_circles(
        &self,
        circles: Circles,
        came: &Inventory,
        before: &Inventory,
        findings: Vec<Finding>,
    ) -> Result<Answer, Box<Circles>> {
        let gone = self.gone(came);
        let deployed = Deployed::of(came, before);
        // Of several releases the first that is deployed speaks for all objects.
        let known = |r: &Release| deployed.named.holds(r);
        let lead = came.releases.iter().position(known).unwrap_or_default();
        let nears = Nears::of(circles, self.target, self.current_stream(), came, &gone, lead);
        let in_circles = ByNames::default();
        let scope = |release| {
            let everything = Scope {
                target: self.target,
                release,
                current: self.current_stream(),
                deployed: deployed.of_release(release),
                gone: &gone,
                circle: None,
            };
            nears.scope(everything, &in_circles)
        };
        let scopes: Vec<Scope> = came.releases.iter().map(scope).collect();
        if let Some(too_much) = self.too_much(&scopes) {
            return Ok(Answer::refused(findings, too_much));
        }
        let values: Vec<Option<Values>> = scopes.iter().map(|s| self.values_of(s.target, s.release)).collect();
        if let Some(too_much) = self.too_much_of_values(&values) {
            return Ok(Answer::refused(findings, too_much));
        }
        let each = scopes.iter().zip(values);
        let mut judged: Vec<Judged> = each.map(|(s, values)| self.decide(s, values, &deployed)).collect();
        let mut led: HashMap<Option<Node>, Vec<Option<Version>>> = HashMap::new();
        for one in &judged {
            let target = one.transition.target().cloned();
            led.entry(one.circle).or_default().push(target);
        }
        let (known, new): (Vec<_>, Vec<_>) = judged.iter_mut().partition(|one| one.before.is_some());
        for one in known.into_iter().chain(new) {
            one.leads = led.remove(&one.circle).unwrap_or_default();
        }
        self.clock.lap("take the inventory, tell the transition");
        let agreed = self.agreed(&nears, &judged, [came, before], findings);
        drop(judged);
        agreed.ok_or_else(|| Box::new(nears.into_joined()))
    }

    /// What becomes of the releases together. `None` where circles want different things of what they share.
    fn agreed(
        &self,
        nears: &Nears,
        judged: &[Judged],
        [came, before]: [&Inventory; 2],
        mut findings: Vec<Finding>,
    ) -> Option<Answer> {
        let mut changes = self.changes(judged, &mut findings);
        self.clock.lap("decide the changes");
        let mut crossing = Crossing::new(nears.circles());
        for one in judged {
            crossing.decided(one.circle, &one.rewrite.changes);
        }
        if !crossing.agrees(&changes) {
            return None;
        }
        let all_at_once = (self.options.stage != Stage::All).then(|| changes.clone());
        let stages = self.staged(nears, judged, &mut changes)?;
        place::note(self.target, &mut changes);
        self.clock.lap("hold back, order");
        let mut crossing = Crossing::new(nears.circles());
        let mut answer = Answer {
            findings,
            ..Answer::default()
        };
        match apply::proposed(self.target, &changes) {
            Ok(proposed) => {
                let proposal = nears.proposal(proposed, judged);
                if let Some(too_many) = self.ruled(proposal, judged, &stages, &mut crossing, &mut answer) {
                    return Some(Answer::refused(answer.findings, too_many));
                }
            }
            Err(e) => {
                let finding = rules::mu901_output_not_vouched_for::finding(&e.to_string());
                answer.findings.push(finding);
            }
        }
        if let Some(all_at_once) = all_at_once {
            self.whole_way(nears, judged, &stages, &all_at_once, &mut answer.findings);
        }
        if !crossing.agrees(&[]) {
            return None;
        }
        self.source(judged, &changes, came, before, &mut answer.findings);
        self.clock.lap("judge by the rules");
        answer.changes = changes;
        Some(answer)
    }

    /// What the rules say of each release. Beyond [`MOST_FINDINGS`] no more are judged: that finding refuses.
    fn ruled(
        &self,
        proposal: Proposal,
        judged: &[Judged],
        stages: &[Option<StageReport>],
        crossing: &mut Crossing,
        answer: &mut Answer,
    ) -> Option<Finding> {
        let known = Lookup::default();
        for (nth, (one, stage)) in judged.iter().zip(stages).enumerate() {
            let before = answer.findings.len();
            if before > MOST_FINDINGS {
                return Some(rules::mu001_unreadable_input::too_many(before, nth, judged.len()));
            }
            let applied = proposal.of(one);
            self.rules(one, *stage, applied, &known, &mut answer.findings, &mut answer.releases);
            crossing.found(one.circle, &answer.findings[before..]);
            answer.targets.push(one.transition.target().cloned());
        }
        None
    }

    /// What refuses to weigh more against each other than takes a time linear in the size.
    fn too_much(&self, scopes: &[Scope]) -> Option<Finding> {
        let each = scopes.iter().map(|scope| Effort::of(scope, self.options));
        let bytes = self.target.text.len() + self.current_stream().map_or(0, |current| current.text.len());
        let (pairs, allowed) = each.fold(Effort::default(), Effort::and).beyond(bytes)?;
        let workloads = scopes.iter().map(|scope| scope.release.components.len()).sum();
        Some(rules::mu001_unreadable_input::too_much(
            scopes.len(),
            workloads,
            self.target.objects.len(),
            [pairs, allowed],
        ))
    }

    /// The values that a release of a stream was rendered with.
    pub(super) fn values_of(&self, stream: &Stream, release: &Release) -> Option<Values> {
        let given = self.values.as_ref()?;
        let mut documents = release.components.iter().map(|c| stream.objects[c.object].document);
        let template = documents.find_map(|document| host::template_of(self.target, document));
        Some(match template {
            Some(template) => given.within(host::values_path(&template)),
            None => given.fitting(release),
        })
    }

    /// What refuses to read the values again and again for releases that share them.
    fn too_much_of_values(&self, values: &[Option<Values>]) -> Option<Finding> {
        let given = self.values.as_ref()?;
        let read = values.iter().flatten().map(|values| given.weight(values)).sum();
        let bytes = self.target.text.len() + self.current_stream().map_or(0, |current| current.text.len());
        let allowed = given.beyond(read, bytes)?;
        let releases = values.len();
        Some(rules::mu001_unreadable_input::too_much_of_values(
            releases,
            [read, allowed],
        ))
    }

    /// What is wrong with the streams as a whole, whatever the way of each release.
    fn streams(&self, came: &Inventory, before: &Inventory, findings: &mut Vec<Finding>) {
        let (target, current) = (self.target, self.current_stream());
        findings.extend(rules::mu007_role_undecidable::check(target, came));
        if let Some(current) = current {
            findings.extend(rules::mu007_role_undecidable::check(current, before));
        }
        findings.extend(rules::operated::check(target, came, current, before));
        findings.extend(rules::mu002_no_milvus_found::check(target, came, before));
        findings.extend(rules::mu113_component_lost::lost_releases(
            target, came, current, before,
        ));
        findings.extend(rules::mu004_state_of_another_release::check(came, before));
    }

    /// The changes of all releases, and what the user adds to them.
    fn changes(&self, judged: &[Judged], findings: &mut Vec<Finding>) -> Vec<Change> {
        let mut changes: Vec<Change> = Vec::new();
        let mut of_object: HashMap<(usize, &str, &ObjectRef), Vec<usize>> = HashMap::new();
        for one in judged {
            let unbuilt = rules::mu007_role_undecidable::unbuilt(one.target, one.came, &one.rewrite);
            findings.extend(unbuilt.into_iter().map(|finding| self.allowed_for(one, finding)));
            for change in &one.rewrite.changes {
                // A policy or monitor of two releases is decided twice and changed once.
                let twin = |c: &Change| c.op == change.op && c.patch == change.patch;
                let object = (change.document, &change.pointer[..], &change.object);
                let others = of_object.entry(object).or_default();
                if !others.iter().any(|i| twin(&changes[*i])) {
                    others.push(changes.len());
                    changes.push(change.clone());
                }
            }
        }
        if !judged.is_empty() && self.target.host == Host::Helm4 {
            changes.extend(restyled(self.target, &changes));
        }
        if let Err(why) = overlay::add_to(&mut changes, self.overlays, self.target) {
            findings.push(rules::mu001_unreadable_input::of_patch(&why));
        }
        changes
    }

    /// What is to be said of the source itself.
    fn source(
        &self,
        judged: &[Judged],
        changes: &[Change],
        came: &Inventory,
        before: &Inventory,
        findings: &mut Vec<Finding>,
    ) {
        let transitions: Vec<&Transition> = judged.iter().map(|j| &j.transition).collect();
        let changing = changes.iter().any(|c| c.op != ChangeOp::Restyle);
        match self.state {
            State::Unsaid => {
                let releases: Vec<&Release> = judged.iter().map(|j| j.came).collect();
                findings.extend(rules::mu003_state_unknown::check(&transitions, changing, &releases));
            }
            State::Nothing => findings.extend(rules::mu002_no_milvus_found::asserted(came)),
            State::Source(source) => {
                let unsaid: Vec<&Judged> = judged
                    .iter()
                    .filter(|j| matches!(j.transition.from, From::Unsaid))
                    .collect();
                // Where no release agrees at all, that is said already (MU004).
                let standing = ByName::of(&before.releases);
                let known = came.releases.iter().any(|r| standing.holds(r));
                if let Some(first) = unsaid.first()
                    && (known || before.releases.is_empty())
                {
                    let transitions: Vec<&Transition> = unsaid.iter().map(|j| &j.transition).collect();
                    let place = &source.taken_from;
                    findings.extend(rules::mu003_state_unknown::not_there(
                        &transitions,
                        changing,
                        first.came,
                        place,
                    ));
                }
                if self.by_state_file() {
                    let stage = self.options.stage;
                    findings.extend(rules::mu115_stage_out_of_order::by_state_file(
                        stage,
                        &transitions,
                        judged.first().map(|j| j.came),
                    ));
                }
                findings.extend(rules::mu608_kept_object::from_manifests(source, &transitions));
            }
        }
    }

    pub(super) fn current_stream(&self) -> Option<&Stream> {
        match self.state {
            State::Source(source) => Some(&source.stream),
            _ => None,
        }
    }

    pub(super) fn by_state_file(&self) -> bool {
        matches!(self.state, State::Source(source) if source.form == state::Form::StateFile)
    }

    /// The objects that leave with any release of the stream.
    fn gone(&self, came: &Inventory) -> Vec<usize> {
        if self.options.rewrite == RewriteMode::Never {
            return vec![];
        }
        let of = |release: &Release| {
            let topology = rewrite::topology(release, &release.versions(self.options.assume.target_version.as_ref()));
            let leaving = release.components.iter().filter(move |c| topology.drops(c.role));
            leaving.map(|c| c.object).collect::<Vec<_>>()
        };
        came.releases.iter().flat_map(of).collect()
    }

    /// Finds what is deployed of a release, tells the transition and decides the changes.
    fn decide<'r>(&self, scope: &Scope<'r>, values: Option<Values>, known: &Deployed) -> Judged<'r> {
        let (release, deployed) = (scope.release, scope.deployed);
        let assume = &self.options.assume;
        let to = release.versions(assume.target_version.as_ref());
        let from = match (self.state, deployed) {
            (State::Unsaid, _) => From::Unsaid,
            // A second Milvus in an umbrella chart is new; of any other release the source says nothing.
            (State::Source(_), None) if !known.names.contains(&release.name[..]) => From::Unsaid,
            (State::Nothing, _) | (State::Source(_), None) => From::Nothing,
            (State::Source(source), Some(deployed)) => {
                let known = source.versions(deployed, assume.current_version.as_ref());
                From::Release {
                    highest: known.highest,
                    versions: known.versions,
                    separate_coordinators: deployed.mode() == Mode::Cluster
                        && deployed.legacy_coordinators().any(|c| !c.is_scaled_to_zero()),
                    images: known.images,
                }
            }
        };
        let images: Vec<String> = release.components.iter().map(|c| c.image.clone()).collect();
        let transition = Transition::new(from, to, release, &images);
        let topology = rewrite::topology(release, &transition.to);
        let scene = Scene {
            stream: scope.target,
            release,
            topology,
            values: values.as_ref(),
            gone: scope.gone,
            shapes: Shapes::default(),
            texts: self.texts.clone(),
        };
        let rewrite = match self.options.rewrite {
            RewriteMode::Auto => rewrite::rewrite(&scene),
            RewriteMode::Never => Rewrite::default(),
        };
        Judged {
            came: release,
            before: deployed,
            transition,
            rewrite,
            texts: self.texts.clone(),
            values,
            leads: vec![],
            target: scope.target,
            current: scope.current,
            circle: scope.circle,
        }
    }
}

/// The releases that are deployed.
struct Deployed<'r> {
    named: ByName<'r>,
    names: HashSet<&'r str>,
    /// The only one, beside the only one that comes.
    only: Option<&'r Release>,
}

impl<'r> Deployed<'r> {
    fn of(came: &Inventory, before: &'r Inventory) -> Deployed<'r> {
        Deployed {
            named: ByName::of(&before.releases),
            names: before.releases.iter().map(|release| &release.name[..]).collect(),
            only: match (&before.releases[..], &came.releases[..]) {
                // Names can differ where one side does not say its instance; MU004 tells when both do.
                ([only], [_]) => Some(only),
                _ => None,
            },
        }
    }

    /// What is deployed of a release.
    fn of_release(&self, release: &Release) -> Option<&'r Release> {
        self.named.first(release).or(self.only)
    }
}

/// The folded scalars that Helm 4's second pass would alter, as changes; documents that leave are left out.
fn restyled(stream: &Stream, changes: &[Change]) -> Vec<Change> {
    let mut found = Vec::new();
    let whole = changes
        .iter()
        .filter(|c| c.op == ChangeOp::Drop && c.pointer.is_empty());
    let dropped: HashSet<usize> = whole.map(|c| c.document).collect();
    let mut last = None;
    for object in &stream.objects {
        let document = object.document;
        if last.replace(document) == Some(document) || dropped.contains(&document) {
            continue;
        }
        if yaml::folds_unstably(stream.body(document)) {
            found.push(Change {
                op: ChangeOp::Restyle,
                ..Change::drop(object, "Helm 4 would add a line break to a folded text on its way back")
            });
        }
    }
    found
}
