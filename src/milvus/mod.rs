//! What Milvus is made of: roles, versions, layered configuration, message queues and stores. Knows no rules.

pub mod image;
pub mod role;
pub mod version;
