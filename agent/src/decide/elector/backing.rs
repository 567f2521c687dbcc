//! Which of this node's leaderships are backed by a majority (safety rule 7): a claim counts only
//! as far as voters answer its heartbeats and do not disown it.
//!
//! Invariant: a voter backs a leadership by its vote in that term, and later only by an answer to a
//! heartbeat that was sent while this node led that term; silence and old answers back nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use evenkeel_shared::heartbeat::RaftRole;
use evenkeel_shared::ids::{NodeId, ShardId};

use super::facts::{GroupFacts, is_majority};

/// A peer's last answer to this node's heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backed {
    /// When the heartbeat that it answers was sent: what the answer says held no earlier.
    pub sent: Duration,
    /// The claims that this heartbeat made, each with its term.
    pub claims: BTreeMap<ShardId, u64>,
    /// Those among them that the peer can't back.
    pub unbacked: BTreeSet<ShardId>,
}

/// Every peer's last answer.
pub type Backers = BTreeMap<NodeId, Backed>;

/// How a leadership stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    /// A majority answered a round that was sent at this time, or later: the start of the age of
    /// bounded reads.
    Quorum(Duration),
    /// No majority answered within the limit: reads and writes get `NoQuorum` at once.
    NoQuorum,
}

/// How a leadership of this node stands now; `NoQuorum` for a replica that does not lead.
pub fn backing(now: Duration, limit: Duration, group: &GroupFacts, backers: &Backers) -> Backing {
    if group.role != RaftRole::Leader {
        return Backing::NoQuorum;
    }
    let backs = |node: NodeId| {
        let backed = backers.get(&node)?;
        let claimed = backed.claims.get(&group.shard) == Some(&group.term);
        (claimed && !backed.unbacked.contains(&group.shard)).then_some(backed.sent)
    };
    // A majority voted for this leader: until heartbeats have gone round, that backs it.
    let elected = group.led_since.filter(|since| now.saturating_sub(*since) <= limit);
    // Newest first: the time at which the set becomes a majority is the age of the quorum.
    let mut rounds: Vec<(Duration, _)> = group
        .electorate()
        .into_iter()
        .filter_map(|replica| {
            let sent = if replica == group.me { Some(now) } else { backs(replica.node()) };
            Some((sent?, replica))
        })
        .collect();
    rounds.sort_by(|left, right| right.cmp(left));
    let mut backing = BTreeSet::new();
    for (sent, replica) in rounds {
        backing.insert(replica);
        if is_majority(&group.effective, &backing) {
            let fresh = now.saturating_sub(sent) <= limit;
            let quorum = fresh.then_some(sent).max(elected);
            return quorum.map_or(Backing::NoQuorum, Backing::Quorum);
        }
    }
    elected.map_or(Backing::NoQuorum, Backing::Quorum)
}

/// The leaderships of this node that no majority backs.
pub fn without_quorum(
    now: Duration,
    limit: Duration,
    groups: &[GroupFacts],
    backers: &Backers,
) -> Vec<ShardId> {
    groups
        .iter()
        .filter(|group| group.role == RaftRole::Leader)
        .filter(|group| backing(now, limit, group, backers) == Backing::NoQuorum)
        .map(|group| group.shard)
        .collect()
}

/// Which of a peer's claims this node can't back: its own replica has moved past that term, or
/// there is no replica that could.
pub fn unbacked<'a>(
    claims: impl IntoIterator<Item = (ShardId, u64)> + 'a,
    groups: &'a BTreeMap<ShardId, GroupFacts>,
) -> impl Iterator<Item = ShardId> + 'a {
    claims.into_iter().filter_map(|(shard, term)| {
        let backs = groups.get(&shard).is_some_and(|group| {
            group.role != RaftRole::Stopped && group.initialized && group.term <= term
        });
        (!backs).then_some(shard)
    })
}
