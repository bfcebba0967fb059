//! The judgement: everything between the inputs and the answer, in the order of the crate's front page.

use std::cell::OnceCell;

use serde_json::Value;

use crate::apply;
use crate::facts;
use crate::finding::{Anchor, Finding, Input, Location};
use crate::host::{self, Host};
use crate::kube::Object;
use crate::milvus::effective::Texts;
use crate::milvus::release::{Inventory, Mode, Release, inventory};
use crate::milvus::version::Version;
use crate::options::{Options, RewriteMode};
use crate::order::{self, Order};
use crate::overlay::{self, Overlay};
use crate::report::{ReleaseReport, StageReport, mask};
use crate::rewrite::values::Values;
use crate::rewrite::{self, Change, ChangeOp, Rewrite, Scene, place};
use crate::rules::case::{Case, Effective, Side};
use crate::rules::{self, Check, RULES};
use crate::stage::{self, Stage};
use crate::state::helm::Unavailable;
use crate::state::record::Record;
use crate::state::{self, Source};
use crate::stream::{Stream, Unreadable};
use crate::transition::{From, Kind, Transition};
use crate::yaml;

/// What `--current` gave.
#[derive(Debug, Default)]
pub enum Current {
    /// Nobody said.
    #[default]
    Unsaid,
    /// `none`: a fresh install.
    Nothing,
    /// A text: manifests, a List, release records, or a state file.
    Manifests(Vec<u8>),
    /// The history of a release, as Helm itself gave it.
    Records(Vec<Record>),
    /// It was asked for and could not be had.
    Unavailable(Unavailable),
}

/// One `--values` file.
#[derive(Debug)]
pub struct ValuesFile {
    /// Its name, for messages.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// The inputs of a judgement.
#[derive(Debug, Default)]
pub struct Request {
    /// The manifests.
    pub target: Vec<u8>,
    /// What is deployed.
    pub current: Current,
    /// The values Helm was given, in order.
    pub values: Vec<ValuesFile>,
    /// Where among them those stand that the release record holds (`--values current`).
    pub stored_values: Option<usize>,
    /// What the user stated.
    pub options: Options,
    /// The command line of the Helm that called us, where it could be read.
    pub host_command: Option<Vec<String>>,
    /// Files of patches to make after the rewrite, in order.
    pub patches: Vec<ValuesFile>,
    /// For which findings lines and columns are looked up.
    pub places: Places,
}

/// For which findings lines and columns are looked up: that takes another, slower reading of each document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Places {
    /// For all.
    #[default]
    Always,
    /// For none where the output passes, since nobody is told more than the codes then.
    IfRefused,
}

/// The answer.
#[derive(Debug)]
pub struct Judgement {
    /// Each release on its way.
    pub releases: Vec<ReleaseReport>,
    /// Everything there is to say, refusals first, then by code.
    pub findings: Vec<Finding>,
    /// What is changed, complete.
    pub changes: Vec<Change>,
    /// The output; `None` on refusal.
    pub output: Option<String>,
    /// Who handed the stream over.
    pub host: Host,
    /// Whether the refusal is ours: the output could not be vouched for (MU901).
    pub unvouched: bool,
}

impl Judgement {
    /// Whether anything refuses the output.
    pub fn refused(&self) -> bool {
        self.findings.iter().any(Finding::refuses)
    }
}

/// Judges the inputs. A pure function of them.
pub fn judge(request: &Request) -> Judgement {
    let mut findings = Vec::new();
    let target = read(&request.target, Input::Target, &mut findings);
    if request.options.order == Order::ArgoCd && target.as_ref().is_some_and(|t| t.objects.is_empty()) {
        findings.push(rules::mu001_unreadable_input::nothing());
    }
    let files = read_values(&request.values, &mut findings);
    let came = target.as_ref().map(|t| inventory(&t.objects));
    let current = state::read(&request.current, target.as_ref().zip(came.as_ref())).unwrap_or_else(|why| {
        findings.extend(why);
        None
    });
    let files = files.and_then(|files| stored_values(request, current.as_ref(), files, &mut findings));
    let overlays = read_patches(&request.patches, &mut findings);
    let unread =
        overlays.is_none() || current.is_none() && !matches!(request.current, Current::Unsaid | Current::Nothing);
    let (target, files) = match (target, files) {
        (Some(target), Some(files)) if !unread => (target, files),
        (target, _) => {
            let host = target.as_ref().map_or(Host::Plain, |t| t.host);
            let done = Answer {
                findings,
                target,
                current,
                ..Answer::default()
            };
            return answer(done, request, host);
        }
    };
    let state = match (&request.current, &current) {
        (Current::Nothing, _) => State::Nothing,
        (_, Some(source)) => State::Source(source),
        _ => State::Unsaid,
    };
    let whole = Whole {
        target: &target,
        state: &state,
        files: &files,
        overlays: overlays.as_deref().unwrap_or_default(),
        options: &request.options,
        host_command: request.host_command.as_deref(),
    };
    let mut done = whole.judge(findings);
    let host = target.host;
    done.current = current;
    done.target = Some(target);
    answer(done, request, host)
}

/// Puts the values of the release record among the files, where they are asked for.
fn stored_values(
    request: &Request,
    current: Option<&Source>,
    mut files: Vec<Value>,
    findings: &mut Vec<Finding>,
) -> Option<Vec<Value>> {
    let Some(at) = request.stored_values else {
        return Some(files);
    };
    match current {
        Some(source) => match &source.values {
            Some(values) => {
                files.insert(at.min(files.len()), values.clone());
                Some(files)
            }
            None => {
                findings.push(rules::mu003_state_unknown::no_values(&source.taken_from));
                None
            }
        },
        // The source itself could not be had, which is said already.
        None if !matches!(request.current, Current::Unsaid | Current::Nothing) => None,
        None => {
            findings.push(rules::mu003_state_unknown::no_values("nothing"));
            None
        }
    }
}

/// What the judgement of the whole stream collects.
#[derive(Default)]
struct Answer {
    releases: Vec<ReleaseReport>,
    findings: Vec<Finding>,
    changes: Vec<Change>,
    targets: Vec<Option<Version>>,
    target: Option<Stream>,
    current: Option<Source>,
}

/// What is known to be deployed.
enum State<'a> {
    Unsaid,
    Nothing,
    Source(&'a Source),
}

struct Whole<'a> {
    target: &'a Stream,
    state: &'a State<'a>,
    files: &'a [Value],
    overlays: &'a [Overlay],
    options: &'a Options,
    host_command: Option<&'a [String]>,
}

/// A release with what its rewrite decided.
struct Judged<'a> {
    came: &'a Release,
    before: Option<&'a Release>,
    transition: Transition,
    rewrite: Rewrite,
    values: Option<Values>,
}

impl Whole<'_> {
    fn judge(&self, mut findings: Vec<Finding>) -> Answer {
        let came = inventory(&self.target.objects);
        let before = match self.state {
            State::Source(source) => source.inventory(),
            _ => Inventory::default(),
        };
        findings.extend(rules::mu007_role_undecidable::check(self.target, &came));
        if let State::Source(source) = self.state {
            findings.extend(rules::mu007_role_undecidable::check(&source.stream, &before));
        }
        findings.extend(rules::operated::check(
            self.target,
            &came,
            self.current_stream(),
            &before,
        ));
        findings.extend(rules::mu002_no_milvus_found::check(self.target, &came, &before));
        findings.extend(rules::mu113_component_lost::lost_releases(
            self.target,
            &came,
            self.current_stream(),
            &before,
        ));
        findings.extend(rules::mu004_state_of_another_release::check(&came, &before));
        let gone = self.gone(&came);
        let mut judged: Vec<Judged> = came
            .releases
            .iter()
            .map(|release| self.decide(release, &came, &before, &gone))
            .collect();
        for one in &judged {
            findings.extend(rules::mu007_role_undecidable::unbuilt(
                self.target,
                one.came,
                &one.rewrite,
            ));
        }
        let mut changes = Vec::new();
        for one in &mut judged {
            for change in &one.rewrite.changes {
                // A policy or monitor of two releases is decided twice and changed once.
                let twin = |c: &Change| {
                    c.op == change.op
                        && c.document == change.document
                        && c.pointer == change.pointer
                        && c.object == change.object
                        && c.patch == change.patch
                };
                if !changes.iter().any(twin) {
                    changes.push(change.clone());
                }
            }
        }
        if !came.releases.is_empty() && self.target.host == Host::Helm4 {
            changes.extend(restyled(self.target, &changes));
        }
        if let Err(why) = overlay::add_to(&mut changes, self.overlays, self.target) {
            findings.push(rules::mu001_unreadable_input::of_patch(&why));
        }
        let all_at_once = changes.clone();
        let stages = self.hold_back(&judged, &mut changes);
        if self.options.order == Order::ArgoCd {
            self.order(&judged, &mut changes);
        }
        place::note(self.target, &mut changes);
        let mut releases = Vec::new();
        let mut targets = Vec::new();
        match apply::proposed(self.target, &changes) {
            Ok(proposed) => {
                let after = inventory(&proposed);
                for (one, stage) in judged.iter().zip(&stages) {
                    self.rules(one, *stage, &proposed, &after, &before, &mut findings, &mut releases);
                    targets.push(one.transition.target().cloned());
                }
            }
            Err(e) => findings.push(rules::mu901_output_not_vouched_for::finding(&e.to_string())),
        }
        self.whole_way(&judged, &stages, &all_at_once, &before, &mut findings);
        self.source(&judged, &changes, &came, &before, &mut findings);
        Answer {
            releases,
            findings,
            changes,
            targets,
            ..Answer::default()
        }
    }

    /// A way that ends at another queue or store (MU3xx) is refused before its first stage: an early one can already drop
    /// what today's queue lives in, while the configuration that names it is still held back. So is one that ends without
    /// a component (MU113): the stream is not whole, whatever this stage takes of it. Versions are those of the transition
    /// in every stage.
    fn whole_way(
        &self,
        judged: &[Judged],
        stages: &[Option<StageReport>],
        changes: &[Change],
        before: &Inventory,
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
        let after = inventory(&proposed);
        for (one, stage) in judged.iter().zip(stages) {
            let Some(stage) = stage.filter(|s| s.applied < s.last) else {
                continue;
            };
            let end = Some(StageReport {
                applied: stage.last,
                ..stage
            });
            let mut found = Vec::new();
            self.rules(one, end, &proposed, &after, before, &mut found, &mut Vec::new());
            for finding in found {
                let said = |f: &Finding| f.code == finding.code && f.object == finding.object;
                let refuses = finding.severity == crate::finding::Severity::Refuse;
                let ends = finding.code.starts_with("MU3") || finding.code == "MU113";
                if refuses && ends && !findings.iter().any(said) {
                    findings.push(finding);
                }
            }
        }
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
            State::Unsaid => findings.extend(rules::mu003_state_unknown::check(&transitions, changing)),
            State::Nothing => findings.extend(rules::mu002_no_milvus_found::asserted(came)),
            State::Source(source) => {
                let unsaid: Vec<&Judged> = judged
                    .iter()
                    .filter(|j| matches!(j.transition.from, From::Unsaid))
                    .collect();
                // Where no release agrees at all, that is said already (MU004).
                let known = came.releases.iter().any(|r| before.releases.iter().any(|b| b.is(r)));
                if let Some(first) = unsaid.first()
                    && (known || before.releases.is_empty())
                {
                    let transitions: Vec<&Transition> = unsaid.iter().map(|j| &j.transition).collect();
                    let (name, place) = (&first.came.name, &source.taken_from);
                    findings.extend(rules::mu003_state_unknown::not_there(
                        &transitions,
                        changing,
                        name,
                        place,
                    ));
                }
                if self.by_state_file() {
                    let stage = self.options.stage;
                    findings.extend(rules::mu115_stage_out_of_order::by_state_file(stage, &transitions));
                }
                findings.extend(rules::mu608_kept_object::from_manifests(source, &transitions));
            }
        }
    }

    fn current_stream(&self) -> Option<&Stream> {
        match self.state {
            State::Source(source) => Some(&source.stream),
            _ => None,
        }
    }

    fn by_state_file(&self) -> bool {
        matches!(self.state, State::Source(source) if source.form == state::Form::StateFile)
    }

    /// Keeps back what belongs to later stages than the one that is wanted. Returns, for each release, how far it goes.
    fn hold_back(&self, judged: &[Judged], changes: &mut Vec<Change>) -> Vec<Option<StageReport>> {
        let mut stages = Vec::new();
        for one in judged {
            let Some(last) = one.transition.kind.and_then(Kind::last_stage) else {
                stages.push(None);
                continue;
            };
            stages.push(Some(self.stage_of(one, last, changes)));
        }
        stages
    }

    /// The stage of one release, its later ones held back in `changes`.
    fn stage_of(&self, one: &Judged, last: u8, changes: &mut Vec<Change>) -> StageReport {
        let whole = StageReport { applied: last, last };
        let documents = self.current_stream().filter(|_| !self.by_state_file());
        let (Some(current), Some(deployed), Some(kind)) = (documents, one.before, one.transition.kind) else {
            return whole;
        };
        let Ok(objects) = apply::proposed(self.target, changes) else {
            return whole;
        };
        let after = inventory(&objects);
        let Some(applied) = after.releases.iter().find(|r| r.is(one.came)) else {
            return whole;
        };
        let scene = stage::Scene {
            stream: self.target,
            came: one.came,
            last: &objects,
            after: applied,
            current,
            before: deployed,
            kind,
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
    fn order(&self, judged: &[Judged], changes: &mut Vec<Change>) {
        for one in judged {
            let Ok(objects) = apply::proposed(self.target, changes) else {
                return;
            };
            let after = inventory(&objects);
            let Some(applied) = after.releases.iter().find(|r| r.is(one.came)) else {
                continue;
            };
            let scene = stage::Scene {
                stream: self.target,
                came: one.came,
                last: &objects,
                after: applied,
                current: self.target,
                before: one.came,
                kind: order::kind(one.transition.kind),
            };
            order::waves(&scene, changes);
        }
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
    fn decide<'r>(&self, release: &'r Release, came: &Inventory, before: &'r Inventory, gone: &[usize]) -> Judged<'r> {
        let deployed = before.releases.iter().find(|b| b.is(release)).or_else(|| {
            match (&before.releases[..], &came.releases[..]) {
                // Names can differ where one side does not say its instance; MU004 tells when both do.
                ([only], [_]) => Some(only),
                _ => None,
            }
        });
        let assume = &self.options.assume;
        let to = release.versions(assume.target_version.as_ref());
        let from = match (self.state, deployed) {
            (State::Unsaid, _) => From::Unsaid,
            // A second Milvus in an umbrella chart is new; of any other release the source says nothing.
            (State::Source(_), None) if !before.releases.iter().any(|b| b.name == release.name) => From::Unsaid,
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
        let mut scene = Scene {
            stream: self.target,
            release,
            topology,
            values: None,
            gone,
        };
        let values = (!self.files.is_empty()).then(|| {
            let template = release
                .components
                .iter()
                .find_map(|c| host::template_of(self.target, scene.object(c).document));
            Values::new(self.files, &template.map(|t| host::values_path(&t)).unwrap_or_default())
        });
        scene.values = values.as_ref();
        let rewrite = match self.options.rewrite {
            RewriteMode::Auto => rewrite::rewrite(&scene),
            RewriteMode::Never => Rewrite::default(),
        };
        Judged {
            came: release,
            before: deployed,
            transition,
            rewrite,
            values,
        }
    }

    /// Runs every rule over one release and notes its line of the report.
    #[allow(clippy::too_many_arguments)]
    fn rules(
        &self,
        one: &Judged,
        stage: Option<StageReport>,
        proposed: &[Object],
        after: &Inventory,
        before: &Inventory,
        findings: &mut Vec<Finding>,
        releases: &mut Vec<ReleaseReport>,
    ) {
        let empty = Release {
            components: vec![],
            ..one.came.clone()
        };
        let applied = after.releases.iter().find(|r| r.is(one.came)).unwrap_or(&empty);
        if applied.components.is_empty() {
            return;
        }
        let line = one.transition.target_line().unwrap_or_else(facts::streaming_line);
        let mut texts = Texts::default();
        let effective_after = Effective::new(proposed, applied, line, &mut texts);
        let from_line = one
            .transition
            .source_line()
            .unwrap_or_else(|| facts::versions().marks.consolidate.version.line());
        let stream = self.current_stream();
        let effective_before = one
            .before
            .zip(stream)
            .map(|(release, stream)| Effective::new(&stream.objects, release, from_line, &mut texts));
        let side = one
            .before
            .zip(stream)
            .zip(effective_before.as_ref())
            .map(|((release, stream), effective)| Side {
                input: Input::Current,
                objects: &stream.objects,
                release,
                effective,
            });
        let case = Case {
            target: self.target,
            came: one.came,
            after: Side {
                input: Input::Target,
                objects: proposed,
                release: applied,
                effective: &effective_after,
            },
            before: side.filter(|_| !before.releases.is_empty()),
            transition: &one.transition,
            rewrite: &one.rewrite,
            values: one.values.as_ref(),
            options: self.options,
            stage,
            texts: texts.into(),
            user_keys: OnceCell::new(),
            host_command: self.host_command,
        };
        for rule in RULES {
            if let Check::Release(check) = rule.check {
                let mut found = check(&case);
                for finding in &mut found {
                    finding.allowed = self.options.allow.allows(rule.code, one.transition.target());
                }
                findings.append(&mut found);
            }
        }
        releases.push(release_report(&case, one));
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
        current: deployed.then(|| crate::report::CurrentReport {
            version: text(one.transition.source()),
            highest: text(one.transition.highest()),
            mq: case.current_mq().map(|m| m.to_string()),
        }),
        target: crate::report::TargetReport {
            version: text(one.transition.target()),
            mq: case.target_mq().map(|m| m.to_string()),
        },
        stage: case.stage,
    }
}

/// The folded scalars that Helm 4's second pass would alter, as changes; documents that leave are left out.
fn restyled(stream: &Stream, changes: &[Change]) -> Vec<Change> {
    let mut found = Vec::new();
    for document in &stream.documents {
        let body = stream.body(document.index);
        let dropped = changes
            .iter()
            .any(|c| c.op == ChangeOp::Drop && c.document == document.index && c.pointer.is_empty());
        if dropped || !body.contains('>') {
            continue;
        }
        if !yaml::restyle_folded(body).is_ok_and(|(_, pointers)| !pointers.is_empty()) {
            continue;
        }
        if let Some(object) = stream.objects.iter().find(|o| o.document == document.index) {
            found.push(Change {
                op: ChangeOp::Restyle,
                ..Change::drop(object, "Helm 4 would add a line break to a folded text on its way back")
            });
        }
    }
    found
}

fn read(bytes: &[u8], input: Input, findings: &mut Vec<Finding>) -> Option<Stream> {
    match Stream::read(bytes, input) {
        Ok(stream) => Some(stream),
        Err(all) => {
            let text = String::from_utf8_lossy(bytes);
            findings.extend(all.into_iter().map(|u| Finding {
                template: host::template_near(&text, u.position.line),
                ..rules::mu001_unreadable_input::finding(&u, input, None)
            }));
            None
        }
    }
}

fn read_values(files: &[ValuesFile], findings: &mut Vec<Finding>) -> Option<Vec<Value>> {
    let mut all = Vec::new();
    let mut good = true;
    for file in files {
        let parsed = std::str::from_utf8(&file.bytes)
            .map_err(|e| Unreadable {
                message: format!("no UTF-8: {e}"),
                document: 0,
                position: yaml::Position { line: 1, column: 1 },
            })
            .and_then(|text| match yaml::read(text) {
                Ok(None) => Ok(Value::Null),
                Ok(Some(value)) if value.is_object() => Ok(value),
                Ok(Some(_)) => Err(Unreadable {
                    message: "values are a mapping".into(),
                    document: 0,
                    position: yaml::Position { line: 1, column: 1 },
                }),
                Err(e) => Err(Unreadable {
                    position: yaml::position(text, e.offset),
                    message: e.message,
                    document: 0,
                }),
            });
        match parsed {
            Ok(value) => all.push(value),
            Err(u) => {
                good = false;
                findings.push(rules::mu001_unreadable_input::finding(
                    &u,
                    Input::Values,
                    Some(&file.name),
                ));
            }
        }
    }
    good.then_some(all)
}

/// Reads the files of patches; `None` where one cannot be read.
fn read_patches(files: &[ValuesFile], findings: &mut Vec<Finding>) -> Option<Vec<Overlay>> {
    let mut all = Vec::new();
    for file in files {
        match overlay::read(&file.name, &file.bytes) {
            Ok(overlays) => all.extend(overlays),
            Err(why) => {
                findings.push(rules::mu001_unreadable_input::of_patch(&why));
                return None;
            }
        }
    }
    Some(all)
}

/// Orders the findings, resolves their places, and writes the output where nothing refuses it.
fn answer(mut done: Answer, request: &Request, host: Host) -> Judgement {
    let options = &request.options;
    let only = |targets: &[Option<Version>]| targets.first().cloned().flatten();
    let mut findings = std::mem::take(&mut done.findings);
    for finding in &mut findings {
        let never = crate::options::NEVER_ALLOWED.contains(&finding.code);
        finding.allowed |= !never && options.allow.allows(finding.code, only(&done.targets).as_ref());
        finding.allowed &= finding.severity == crate::finding::Severity::Refuse;
    }
    let located = request.places == Places::Always || findings.iter().any(Finding::refuses);
    for finding in &mut findings {
        if located
            && let (None, Some(anchor)) = (&finding.location, &finding.anchor)
            && !comes(finding, &done.changes)
            && let Some((location, template)) = resolve(anchor, &done)
        {
            (finding.location, finding.template) = (Some(location), template);
        }
        mask::finding(finding);
    }
    // What is wrong with the call as a whole is found once for each release.
    let mut unique: Vec<Finding> = Vec::with_capacity(findings.len());
    for finding in findings {
        if !unique.contains(&finding) {
            unique.push(finding);
        }
    }
    done.findings = unique;
    let mut output = None;
    let mut unvouched = false;
    if !done.findings.iter().any(Finding::refuses)
        && let Some(target) = &done.target
    {
        match apply::render(target, &done.changes) {
            Ok(text) => output = Some(text),
            Err(e) => {
                unvouched = true;
                done.findings.push(rules::mu901_output_not_vouched_for::finding(&e.0));
            }
        }
    }
    unvouched |= done.findings.iter().any(|f| f.code == "MU901");
    done.findings
        .sort_by(|a, b| (a.severity, a.code).cmp(&(b.severity, b.code)));
    Judgement {
        releases: done.releases,
        findings: done.findings,
        changes: done.changes,
        output,
        host,
        unvouched,
    }
}

/// Whether a finding is about an object that the rewrite brings: it stands nowhere in the input.
fn comes(finding: &Finding, changes: &[Change]) -> bool {
    let target = finding.anchor.as_ref().is_some_and(|a| a.stream == Input::Target);
    let brought = |c: &&Change| c.op == ChangeOp::Inject && Some(&c.object) == finding.object.as_ref();
    target && changes.iter().any(|c| brought(&c))
}

/// The place an anchor names, and the chart's template that rendered it.
fn resolve(anchor: &Anchor, done: &Answer) -> Option<(Location, Option<String>)> {
    let stream = match anchor.stream {
        Input::Target => done.target.as_ref()?,
        Input::Current => &done.current.as_ref()?.stream,
        Input::Values => return None,
    };
    stream.documents.get(anchor.document)?;
    let place = stream.position(anchor.document, &anchor.pointer);
    let location = Location {
        stream: anchor.stream,
        document: anchor.document,
        line: place.line,
        column: place.column,
    };
    Some((location, host::template_of(stream, anchor.document)))
}
