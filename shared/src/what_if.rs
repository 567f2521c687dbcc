//! What would come of several changes together, and of what the controller then does: asked before
//! any of them is made.

use serde::{Deserialize, Serialize};

use crate::ids::{NodeId, ShardId};

/// Changes that may be asked about together.
pub const CHANGES_MAX: usize = 32;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Change {
    /// All of a node's copies are given away.
    Drain(NodeId),
    /// A node is gone for good, its disk too.
    Lose(NodeId),
    /// A node is added.
    Add {
        /// Its failure domain.
        zone: String,
        /// Its share, relative to the others'.
        capacity: u32,
    },
}

/// What would come of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhatIf {
    /// The facts' revision that this was computed at.
    pub revision: u64,
    /// Every node, those that are added last.
    pub nodes: Vec<NodeOutlook>,
    /// Copies that would be built on another node.
    pub copies_moved: u32,
    /// Bytes that they take, as far as known.
    pub bytes: u64,
    /// Leaderships that would go elsewhere.
    pub leaders_moved: u32,
    /// Shards that would be without a majority at first: nothing is done for them.
    pub quorum_lost: Vec<ShardId>,
    /// Shards that would not have all of their copies in the end, and why.
    pub short: Vec<(ShardId, String)>,
    /// Steps of the controller's.
    pub steps: u32,
    /// Whether they come to an end within what was looked at.
    pub settles: bool,
    /// Whatever else is worth knowing, a sentence each.
    pub notes: Vec<String>,
}

/// One node, now and in the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeOutlook {
    /// Its number; none yet for one that is added.
    pub node: Option<NodeId>,
    /// Its name.
    pub name: String,
    /// Its failure domain.
    pub zone: String,
    /// Data copies that it has now, and in the end.
    pub copies: (u32, u32),
    /// Shards that it leads now, and in the end.
    pub leads: (u32, u32),
}
