//! The judgement: everything between the inputs and the answer, in the order of the crate's front page.

mod answer;
mod apart;
mod crossing;
mod effort;
mod given;
mod inputs;
mod near;
mod release;
mod staging;
mod whole;

use std::sync::Arc;

use crate::apply::Output;
use crate::finding::Finding;
use crate::host::Host;
use crate::milvus::effective::Texts;
use crate::milvus::release::inventory;
use crate::options::Options;
use crate::order::Order;
use crate::report::ReleaseReport;
use crate::rewrite::Change;
use crate::rules;
use crate::state::helm::Unavailable;
use crate::state::record::{Record, Unpacked};
use crate::state::{self, Source};
use crate::stream::{Bytes, Stream};
use crate::timings::{Clock, Lap};
use answer::{Answer, answer};
pub(crate) use effort::Effort;
use given::Given;
pub(crate) use near::{Nears, Scope, circles, standing};
use whole::{State, Whole};

/// What `--current` gave.
#[derive(Debug, Default)]
pub enum Current {
    /// Nobody said.
    #[default]
    Unsaid,
    /// `none`: a fresh install.
    Nothing,
    /// A text: manifests, a List, release records, or a state file.
    Manifests(Bytes),
    /// The history of a release, as Helm itself gave it.
    Records(Vec<Arc<Record>>),
    /// As [`Current::Manifests`], with the release records that were unpacked before.
    Unpacked(Bytes, Arc<Unpacked>),
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
    pub target: Bytes,
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
    /// How much is held at once.
    pub held: Held,
}

/// Up to how many bytes of a stream all is held as values at once. What is longer, as it comes or as it is deployed, is
/// judged circle by circle, which takes as little memory for a thousand releases as for one, and reads each document
/// once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held(pub usize);

impl Default for Held {
    fn default() -> Held {
        Held(1 << 20)
    }
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
    pub output: Option<Output>,
    /// Who handed the stream over.
    pub host: Host,
    /// Whether the refusal is ours: the output could not be vouched for (MU901).
    pub unvouched: bool,
    /// The manifests and what is deployed, as they were read, where they could be; not where there was more of them than is
    /// held at once.
    pub read: (Option<Stream>, Option<Source>),
    /// What each step cost.
    pub timings: Vec<Lap>,
}

impl Judgement {
    /// The output as one text.
    pub fn text(&self) -> Option<String> {
        self.output.as_ref().map(ToString::to_string)
    }

    /// Whether anything refuses the output.
    pub fn refused(&self) -> bool {
        self.findings.iter().any(Finding::refuses)
    }
}

/// Judges the inputs. A pure function of them.
pub fn judge(request: &Request) -> Judgement {
    let clock = Clock::default();
    if let Some(done) = apart::judge(request, &clock) {
        let host = done.target.as_ref().map_or(Host::Plain, |t| t.host);
        return Judgement {
            read: (None, None),
            ..answer(done, request, host, clock)
        };
    }
    let mut findings = Vec::new();
    let target = inputs::read_target(&request.target, &mut findings);
    if request.options.order == Order::ArgoCd && target.as_ref().is_some_and(|t| t.objects.is_empty()) {
        findings.push(rules::mu001_unreadable_input::nothing());
    }
    clock.lap("read the manifests");
    let files = inputs::read_values(&request.values, &mut findings);
    clock.lap("read the values");
    let came = target.as_ref().map(|t| inventory(&t.objects));
    let current = state::read(&request.current, target.as_ref().zip(came.as_ref())).unwrap_or_else(|why| {
        findings.extend(why);
        None
    });
    clock.lap("read what is deployed");
    let files = files.and_then(|files| inputs::stored_values(request, current.as_ref(), files, &mut findings));
    let overlays = inputs::read_patches(&request.patches, &mut findings);
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
            return answer(done, request, host, clock);
        }
    };
    let state = match (&request.current, &current) {
        (Current::Nothing, _) => State::Nothing,
        (_, Some(source)) => State::Source(source),
        _ => State::Unsaid,
    };
    let came = came.unwrap_or_default();
    let whole = Whole {
        target: &target,
        state: &state,
        values: Given::of(&files),
        overlays: overlays.as_deref().unwrap_or_default(),
        options: &request.options,
        host_command: request.host_command.as_deref(),
        texts: Texts::default(),
        clock: &clock,
    };
    let mut done = whole.judge(&came, findings);
    let host = target.host;
    done.current = current;
    done.target = Some(target);
    answer(done, request, host, clock)
}
