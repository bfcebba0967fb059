#![forbid(unsafe_code)]
//! `milvus-uplift` lifts the rendered manifests of a Milvus release from the 2.5 to the 2.6 architecture and
//! refuses them when the transition is invalid.
//!
//! Data flows one way, and each step is a module that knows nothing of the later ones:
//!
//! ```text
//! bytes -> documents -> inventory of each release -> transition (from, to, stage) -> changes + findings -> vouched bytes + report
//!          yaml, kube,  milvus, facts                transition                      rewrite, rules        apply, report
//!          stream, host
//! ```
//!
//! * [`value`] is what a document says, as JSON has it.
//! * [`yaml`] knows text: documents, spans, scalars, edits. It knows no Kubernetes.
//! * [`kube`] knows objects: identity, pod templates, references, quantities. It knows no Milvus.
//! * [`stream`] is a text with its documents and objects; [`host`] knows who handed it over, and only bookkeeping.
//! * [`milvus`] knows roles, versions, layered configuration, queues and stores; [`facts`] is what changes with each of
//!   its releases. They know no rules.
//! * [`transition`] tells from what to what; [`rewrite`] decides the changes; [`rules`] judge what would be applied.
//! * [`overlay`] adds the user's own patches to what the rewrite decides.
//! * [`apply`] makes bytes of changes and vouches for them; [`report`] is the judgement as data.
//! * [`stage`] and [`order`] give the upgrade its order: step by step, or as sync waves of Argo CD.
//! * [`diff`] tells what differs between two sets of objects; it knows no rules.
//! * [`state`] reads what is deployed out of everything `--current` accepts.
//! * [`verify`] looks at the cluster afterwards: live objects against what was deployed before.
//! * [`timings`] is what each of these steps cost.
//! * [`judge`] walks that way once, circle by circle where there is too much to be held at once; [`plan`] walks it for
//!   every stop between two versions; [`cli`] is the program around it.

pub mod apply;
pub mod cli;
pub mod diff;
pub mod facts;
pub mod finding;
pub mod host;
pub mod judge;
pub mod kube;
pub mod milvus;
pub mod options;
pub mod order;
pub mod overlay;
pub mod plan;
pub mod report;
pub mod rewrite;
pub mod rules;
pub mod stage;
pub mod state;
pub mod stream;
pub mod timings;
pub mod transition;
pub mod value;
pub mod verify;
pub mod yaml;
