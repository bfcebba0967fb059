//! Kubernetes objects: identity, names, pod templates, references between objects, quantities. Knows no Milvus.

pub mod circles;
pub mod delta;
pub mod labelled;
pub mod named;
pub mod names;
pub mod network;
pub mod object;
pub mod quantity;
pub mod selector;
pub mod workload;

pub use object::{Object, ObjectRef};
