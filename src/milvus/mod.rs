//! What Milvus is made of: roles, versions, layered configuration, message queues and stores. Knows no rules.

pub mod capacity;
pub mod config;
pub mod effective;
pub mod identity;
pub mod image;
pub mod operator;
pub mod queue;
pub mod release;
pub mod resolved;
pub mod role;
pub mod store;
pub mod version;
