//! Stages: the order of an upgrade, given to Helm, which applies everything at once.
//!
//! A stage applies the whole rewrite up to itself; what belongs to a later one equals what is deployed. The order is
//! the one in which the operator and upstream's own guide upgrade (milvus-upgrade A2, B4).

//!
//! [`Scene`] tells in which stage an object moves, [`hold_back`] keeps what moves later as it is deployed, [`next`] finds
//! the stage that is due.

mod due;
mod hold;
mod others;
mod running;
mod scene;
#[cfg(test)]
mod tests;
mod uses;

use crate::milvus::role::Role;
use crate::transition::Kind;

pub use due::next;
pub use hold::hold_back;
pub use others::Others;
pub use scene::{Known, Scene};
pub use uses::Uses;

/// `--stage`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// The whole way at once.
    #[default]
    All,
    /// The first stage that changes a workload or its configuration.
    Next,
    /// Up to this one.
    At(u8),
}

/// The last stage of every kind that has stages.
pub const LAST: u8 = 5;

/// What each stage of a kind does, for people.
pub fn describe(kind: Kind, stage: u8) -> &'static str {
    let streaming = kind == Kind::Streaming;
    match (stage, streaming) {
        (0, _) => "what is not Milvus",
        (1, true) => "mixcoord, streamingnode, the configuration and all that is no workload",
        (1, false) => "mixcoord, the configuration and all that is no workload",
        (2, false) => "streamingnode",
        (2, true) | (3, false) => "querynode",
        (3, true) | (4, false) => "datanode",
        (4, true) | (_, false) => "proxy and the rest",
        (_, true) => "indexnode leaves",
    }
}

/// The stage in which a role moves.
pub fn of_role(kind: Kind, role: Role) -> u8 {
    let streaming = kind == Kind::Streaming;
    match role {
        Role::MixCoord | Role::Standalone => 1,
        role if role.is_legacy_coordinator() => 1,
        Role::StreamingNode => {
            if streaming {
                1
            } else {
                2
            }
        }
        Role::QueryNode => {
            if streaming {
                2
            } else {
                3
            }
        }
        Role::DataNode => {
            if streaming {
                3
            } else {
                4
            }
        }
        Role::IndexNode => LAST,
        _ => {
            if streaming {
                4
            } else {
                LAST
            }
        }
    }
}
