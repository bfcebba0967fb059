//! What runs at one stop of the way.

use serde::Serialize;

use crate::milvus::queue::Mq;
use crate::milvus::release::Release;

/// The components at one stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Topology {
    /// `before`, `between` or `after`.
    pub name: &'static str,
    /// Milvus' version.
    pub version: String,
    /// The roles with the replicas of all their workloads, in the order of their roles.
    pub components: Vec<Component>,
    /// The message queue; null where it cannot be seen.
    pub mq: Option<String>,
}

/// One role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Component {
    /// The role.
    pub role: &'static str,
    /// Replicas; null where an autoscaler or the default decides.
    pub replicas: Option<i64>,
}

impl Topology {
    /// Of a release.
    pub fn of(name: &'static str, version: &str, release: &Release, mq: Option<&Mq>) -> Topology {
        let mut roles: Vec<_> = release.components.iter().map(|c| c.role).collect();
        roles.sort();
        roles.dedup();
        let components = roles.into_iter().map(|role| Component {
            role: role.as_str(),
            replicas: release
                .in_role(role)
                .map(|c| c.replicas)
                .try_fold(0, |sum, n| Some(sum + n?)),
        });
        Topology {
            name,
            version: version.to_owned(),
            components: components.collect(),
            mq: mq.map(ToString::to_string),
        }
    }
}
