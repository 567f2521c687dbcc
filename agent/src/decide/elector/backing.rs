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

/// Whether a replica in this role and term backs a leader that claims another term: it has not moved
/// past that.
pub fn backs(role: RaftRole, initialized: bool, term: u64, claimed: u64) -> bool {
    role != RaftRole::Stopped && initialized && term <= claimed
}

#[cfg(test)]
mod tests {
    use evenkeel_shared::ids::ReplicaId;

    use super::*;

    const SHARD: ShardId = ShardId(1);
    const LIMIT: Duration = Duration::from_secs(1);

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// Node 1 leads term 4 of a shard with voters on these nodes.
    fn leader(nodes: &[u32]) -> GroupFacts {
        let voters = nodes.iter().map(|node| ReplicaId::new(NodeId(*node), 1)).collect();
        GroupFacts {
            shard: SHARD,
            me: ReplicaId::new(NodeId(1), 1),
            role: RaftRole::Leader,
            term: 4,
            leader: None,
            last: None,
            effective: [voters].into(),
            committed: [].into(),
            quorum_acked: true,
            led_since: None,
            claim_earned: true,
            transfer_since: None,
            voted_at: None,
            voted_for_me: true,
            initialized: true,
            automatic: true,
        }
    }

    fn answer(sent_ms: u64, term: u64) -> Backed {
        let claims = BTreeMap::from([(SHARD, term)]);
        Backed { sent: ms(sent_ms), claims, unbacked: BTreeSet::new() }
    }

    #[test]
    fn rule_07_age_is_that_of_the_answer_which_makes_the_majority() {
        let backers = (2..=5).map(|node| (NodeId(node), answer(u64::from(node) * 100, 4)));
        let backers: Backers = backers.collect();
        let group = leader(&[1, 2, 3, 4, 5]);
        assert_eq!(backing(ms(600), LIMIT, &group, &backers), Backing::Quorum(ms(400)));
        assert_eq!(backing(ms(1_400), LIMIT, &group, &backers), Backing::Quorum(ms(400)));
        assert_eq!(backing(ms(1_401), LIMIT, &group, &backers), Backing::NoQuorum);
    }

    #[test]
    fn rule_07_answers_that_disown_or_speak_of_another_term_back_nothing() {
        let mut backers = Backers::from([(NodeId(2), answer(100, 3)), (NodeId(3), answer(100, 4))]);
        let group = leader(&[1, 2, 3]);
        assert_eq!(backing(ms(200), LIMIT, &group, &backers), Backing::Quorum(ms(100)));
        backers.get_mut(&NodeId(3)).expect("it answered").unbacked.insert(SHARD);
        assert_eq!(backing(ms(200), LIMIT, &group, &backers), Backing::NoQuorum);
        assert_eq!(without_quorum(ms(200), LIMIT, &[group], &backers), [SHARD]);
    }

    #[test]
    fn fresh_leader_is_backed_by_its_votes_until_the_limit() {
        let group = GroupFacts { led_since: Some(ms(100)), ..leader(&[1, 2, 3]) };
        let none = Backers::new();
        assert_eq!(backing(ms(1_100), LIMIT, &group, &none), Backing::Quorum(ms(100)));
        assert_eq!(backing(ms(1_101), LIMIT, &group, &none), Backing::NoQuorum);
    }

    #[test]
    fn single_voter_backs_itself() {
        let group = leader(&[1]);
        assert_eq!(backing(ms(9_000), LIMIT, &group, &Backers::new()), Backing::Quorum(ms(9_000)));
    }

    #[test]
    fn joint_membership_needs_a_majority_of_both_sets() {
        let mut group = leader(&[1, 2, 3]);
        group.effective =
            group.effective.iter().chain(leader(&[1, 4, 5]).effective.iter()).cloned().collect();
        let mut backers = Backers::from([(NodeId(2), answer(100, 4))]);
        assert_eq!(backing(ms(200), LIMIT, &group, &backers), Backing::NoQuorum);
        backers.insert(NodeId(5), answer(150, 4));
        assert_eq!(backing(ms(200), LIMIT, &group, &backers), Backing::Quorum(ms(100)));
    }

    #[test]
    fn replica_past_the_term_or_without_a_membership_does_not_back_a_claim() {
        assert!(backs(RaftRole::Follower, true, 4, 4));
        assert!(backs(RaftRole::Follower, true, 3, 4), "the leader's first append is on its way");
        assert!(!backs(RaftRole::Follower, true, 5, 4));
        assert!(!backs(RaftRole::Follower, false, 4, 4));
        assert!(!backs(RaftRole::Stopped, true, 4, 4));
    }
}
