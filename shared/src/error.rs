//! What can go wrong between two processes, sorted by what the caller can do about it.

use serde::{Deserialize, Serialize};

use crate::ids::{NodeId, ShardId};

/// Why a request was not answered as asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum StoreError {
    /// Ask the node that is named, or any other: this one does not lead the shard.
    #[error("{shard} is not led here")]
    NotLeader {
        /// The shard that was asked.
        shard: ShardId,
        /// Who leads it, as far as this node knows.
        leader: Option<NodeId>,
    },
    /// Refresh the cluster map: this shard does not own the slot (any more).
    #[error("{shard} does not own slot {slot}")]
    WrongShard {
        /// The shard that was asked.
        shard: ShardId,
        /// The slot of the key.
        slot: u16,
    },
    /// Wait and retry: a majority of the shard's voters can't be reached, nothing was done.
    #[error("{shard} has no quorum")]
    NoQuorum {
        /// The shard that was asked.
        shard: ShardId,
    },
    /// The outcome is not known: the write may or may not take effect (law 2).
    #[error("outcome unknown: {why}")]
    Unknown {
        /// What was being waited for.
        why: String,
    },
    /// Slow down: there is more to do than can be done soon, and nothing was done.
    #[error("busy: {what}")]
    Busy {
        /// The bound that was hit.
        what: String,
    },
    /// Correct the request: it can never succeed.
    #[error("{why}")]
    Invalid {
        /// What was expected.
        why: String,
    },
    /// Nothing was done, for a reason that only an operator can remove.
    #[error("{why}")]
    Refused {
        /// What stands in the way.
        why: String,
    },
    /// Begin a new session: what this one has seen is not part of the shard's past any more.
    #[error("session broken: {why}")]
    SessionBroken {
        /// What has become of it.
        why: String,
    },
    /// The request needs a node or shard that can't be reached now; nothing was done.
    #[error("{why}")]
    Unavailable {
        /// What could not be reached.
        why: String,
    },
    /// The write is committed, and not yet on as many disks as was asked for.
    #[error("outcome unknown: on the disks of {persisted_by} of {voters} voters in time")]
    NotEverywhere {
        /// Voters that have synced it.
        persisted_by: u8,
        /// Voters that there are.
        voters: u8,
    },
}

impl StoreError {
    /// Whether the same request, under the same id, may be sent again at once or elsewhere.
    pub fn is_retriable(&self) -> bool {
        matches!(
            self,
            Self::NotLeader { .. }
                | Self::WrongShard { .. }
                | Self::NoQuorum { .. }
                | Self::Unknown { .. }
                | Self::Unavailable { .. }
        )
    }

    /// Whether whoever leads has too much to do: asking somebody else, or at once, makes it worse.
    /// The same request may be sent again after a while.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }

    /// Whether the request may have been done all the same (law 2).
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::NotEverywhere { .. })
    }
}

/// Why an operator's request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum AdminError {
    /// Look again: the cluster has changed since the plan was made (law 6).
    #[error("stale: {why}")]
    Stale {
        /// What has changed.
        why: String,
    },
    /// Not done, and why; asking again won't help until that has changed.
    #[error("{why}")]
    Refused {
        /// What stands in the way.
        why: String,
    },
    /// No such node, shard or backup.
    #[error("no {what}")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// Part of the cluster did not answer in time; the outcome is not known.
    #[error("{why}")]
    Unavailable {
        /// Who did not answer.
        why: String,
    },
}

/// Why a connection could not be opened or went away.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Nothing listens there: the process is gone.
    #[error("connection to {address} refused")]
    Refused {
        /// The address dialled.
        address: String,
    },
    /// The other side said no at Hello.
    #[error("{address} turned us away: {why}")]
    TurnedAway {
        /// The address dialled.
        address: String,
        /// Its sentence.
        why: String,
    },
    /// Anything else of the network.
    #[error("connection to {address} failed")]
    Io {
        /// The address dialled.
        address: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

/// An error with its causes, in one line.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
