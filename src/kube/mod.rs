//! Kubernetes objects: identity, pod templates, references between objects, quantities. Knows no Milvus.

pub mod quantity;
