#![forbid(unsafe_code)]
//! `milvus-uplift` lifts the rendered manifests of a Milvus release from the 2.5 to the 2.6 architecture and
//! refuses them when the transition is invalid.
//!
//! Data flows one way, and each step is a module that knows nothing of the later ones:
//!
//! ```text
//! bytes -> documents -> inventory of each release -> transition (from, to, stage) -> changes + findings -> vouched bytes + report
//! yaml     yaml, kube   milvus                       transition                      rewrite, rules        apply, report
//! ```
//!
//! * [`yaml`] knows text: documents, spans, scalars, edits. It knows no Kubernetes.
//! * [`kube`] knows objects: identity, pod templates, references, quantities. It knows no Milvus.
//! * [`milvus`] knows roles, versions, layered configuration, queues and stores. It knows no rules.

pub mod facts;
pub mod kube;
pub mod milvus;
pub mod yaml;
