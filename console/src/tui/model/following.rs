//! Acts that go on after they were answered: how far each has come, shard by shard, told from what
//! the agents send.
//!
//! Invariant: nothing is taken for done that was not seen to be so.

use std::collections::BTreeSet;

use evenkeel_shared::fault::Fault;
use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::preflight::Action;
use evenkeel_shared::view::{NodeState, ReplicaState, ShardView};

use super::cluster::Cluster;

/// Acts that are followed at once; the oldest gives way.
pub(crate) const FOLLOWED_MAX: usize = 4;
/// How long one that does not move is followed.
pub(crate) const GIVE_UP_MS: u64 = 30 * 60 * 1_000;

/// How long agents may take to show what has begun or ended.
const SETTLE_MS: u64 = 5_000;

/// One act that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Followed {
    /// The act.
    pub(crate) action: Action,
    /// In words.
    pub(crate) what: String,
    /// Since when.
    pub(crate) since: u64,
    /// The shards that it is about, as they were when it began.
    shards: BTreeSet<ShardId>,
}

/// How far one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Shards that are done, of all.
    pub(crate) done: usize,
    /// All.
    pub(crate) of: usize,
    /// Those that are not.
    pub(crate) left: Vec<ShardId>,
    /// What is done to one, and what is being waited for.
    pub(crate) words: &'static str,
}

impl Progress {
    /// Whether it has come to its end.
    pub(crate) fn is_over(&self) -> bool {
        self.left.is_empty()
    }
}

impl Followed {
    /// One that begins now; `None` for acts that are over once they are answered, and for those that
    /// touch no shard.
    pub(crate) fn begin(action: &Action, what: &str, cluster: &Cluster, now: u64) -> Option<Self> {
        let about = |holds: &dyn Fn(&ShardView) -> bool| -> BTreeSet<ShardId> {
            all(cluster).filter(|shard| holds(shard)).map(|shard| shard.id).collect()
        };
        let shards = match action {
            Action::Drain { node, undo: false } => about(&|shard| holds(shard, *node)),
            Action::NodeSwitchover { node }
            | Action::Kill { node, .. }
            | Action::Fault { node, fault: Fault::Freeze | Fault::Cut { .. }, .. } => {
                about(&|shard| shard.leader == Some(*node))
            }
            Action::ReplicaAdd { shard, .. } | Action::ReplicaRemove { shard, .. } => {
                BTreeSet::from([*shard])
            }
            _ => return None,
        };
        let followed = Self { action: action.clone(), what: what.to_owned(), since: now, shards };
        (!followed.shards.is_empty()).then_some(followed)
    }

    /// How far it is in this cluster.
    pub(crate) fn progress(&self, cluster: &Cluster) -> Progress {
        let words = match &self.action {
            Action::Drain { .. } => "copies given away",
            Action::ReplicaAdd { .. } => "filled",
            Action::ReplicaRemove { .. } => "taken away",
            _ => "led by others",
        };
        // A shard that is not there any more needs nothing.
        let left =
            all(cluster).filter(|shard| self.shards.contains(&shard.id) && !self.is_done(shard));
        let left: Vec<ShardId> = left.map(|shard| shard.id).collect();
        Progress { done: self.shards.len() - left.len(), of: self.shards.len(), left, words }
    }

    fn is_done(&self, shard: &ShardView) -> bool {
        match &self.action {
            Action::Drain { node, .. } | Action::ReplicaRemove { node, .. } => !holds(shard, *node),
            Action::ReplicaAdd { node, .. } => serves(shard, *node),
            Action::Kill { node, .. }
            | Action::Fault { node, .. }
            | Action::NodeSwitchover { node } => shard.leader.is_some_and(|leads| leads != *node),
            _ => true,
        }
    }

    /// Whether it was taken back, or can't be seen to end: it is not followed any longer.
    pub(crate) fn is_moot(&self, cluster: &Cluster, now: u64) -> bool {
        let age = now.saturating_sub(self.since);
        let over = |secs: u32| age > u64::from(secs) * 1_000 + SETTLE_MS;
        let undone = match &self.action {
            Action::Drain { node, .. } => {
                age > SETTLE_MS
                    && cluster.node(*node).is_some_and(|node| {
                        !matches!(node.state, NodeState::Draining | NodeState::Drained)
                    })
            }
            Action::Kill { down_secs: Some(secs), .. } | Action::Fault { secs, .. } => over(*secs),
            _ => false,
        };
        undone || age > GIVE_UP_MS
    }
}

fn all(cluster: &Cluster) -> impl Iterator<Item = &ShardView> {
    cluster.view().into_iter().flat_map(|view| view.shards.iter().chain(&view.system))
}

fn holds(shard: &ShardView, node: NodeId) -> bool {
    shard.replicas.iter().any(|replica| replica.node == node)
}

fn serves(shard: &ShardView, node: NodeId) -> bool {
    shard.replicas.iter().any(|replica| {
        let serving = matches!(replica.state, ReplicaState::Leader | ReplicaState::Follower);
        replica.node == node && serving
    })
}
