//! What the elector asks its caller to do.
//!
//! Invariant: an action names everything that it was decided on, so that the caller re-checks it
//! and decides nothing.

use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::service::peer::{CanvassAnswer, CanvassQuestion};

use super::unled::Unled;

/// What the caller has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElectorAction {
    /// Ask this peer, in one call with a deadline of `answer_limit`, and pass its answers or its
    /// failure to `on_answers` with the same round.
    Canvass {
        /// Whom.
        node: NodeId,
        /// Names this call.
        round: u64,
        /// What.
        questions: Vec<CanvassQuestion>,
    },
    /// Start an election with `elect(false)`, if the replica is still in this term and not leading.
    Elect {
        /// The shard.
        shard: ShardId,
        /// The term that was canvassed.
        term: u64,
        /// Why the shard was held unled.
        cause: Unled,
    },
    /// Send one append as leader: `heartbeat()`.
    Nudge {
        /// The shard.
        shard: ShardId,
    },
    /// Ask this peer to stand for election in this node's place: its leadership transfer is stuck,
    /// or it led before and its log lacks what the peer's holds.
    AskToStand {
        /// The shard.
        shard: ShardId,
        /// The term in which it is to be: later, somebody else has stood.
        term: u64,
        /// Whom.
        node: NodeId,
        /// Why this node does not lead it itself.
        cause: Unled,
    },
}

/// The answer to a peer's canvass, and whether this node must make itself heard as leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// What to answer.
    pub answer: CanvassAnswer,
    /// Send one append as leader: the asker does not know of this leader, or of its own term.
    pub nudge: Option<ShardId>,
}
