//! Who takes over what a node leads that stops, or is not well enough to lead.
//!
//! Invariant: whoever gets a leadership lives and takes writes.

use evenkeel_shared::ids::{ReplicaId, ShardId};

use super::elector::scatter;

/// Entries by which one log may be shorter than another and count as long: the heir gets them while
/// writes wait, in a fraction of a millisecond.
const AS_LONG: u64 = 100;

/// Another voter of the shard, as its leader knows it.
#[derive(Clone, Copy, Debug)]
pub struct Voter {
    /// Which.
    pub replica: ReplicaId,
    /// Whether its node is heard, and its disk takes writes.
    pub able: bool,
    /// Whether its node is at its usual pace.
    pub steady: bool,
    /// Whether nothing is known to keep it from getting what it lacks, and from giving it to others.
    pub linked: bool,
    /// The end of its log, as far as it has acknowledged it.
    pub matched: u64,
}

/// Whom leaderships may go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heirs {
    /// Whoever lives, rather one that is not slow: this node stops.
    Any,
    /// Nobody who is slow: it would be no better there.
    Steady,
}

/// The voter that takes the shard over. Of several that are as good, one for each shard, so that what
/// one node led does not all go to another.
pub fn heir(shard: ShardId, voters: &[Voter], heirs: Heirs) -> Option<ReplicaId> {
    let fit = |voter: &&Voter| voter.able && (heirs == Heirs::Any || voter.steady);
    let fit = || voters.iter().filter(fit);
    let longest = fit().map(|voter| voter.matched).max()?;
    let place = |voter: &&Voter| {
        // A log that is short by a lot would not be filled in time, whatever else speaks for it.
        let short = longest - voter.matched;
        let short = if short <= AS_LONG { 0 } else { short };
        let turn = scatter(u64::from(shard.0), u64::from(voter.replica.node().0));
        (short > 0, !voter.linked, !voter.steady, short, turn)
    };
    fit().min_by_key(place).map(|voter| voter.replica)
}

#[cfg(test)]
mod tests {
    use evenkeel_shared::ids::NodeId;

    use super::*;

    fn voter(node: u32) -> Voter {
        Voter {
            replica: ReplicaId::new(NodeId(node), node),
            able: true,
            steady: true,
            linked: true,
            matched: 1_000,
        }
    }

    fn node(shard: u32, voters: &[Voter], heirs: Heirs) -> Option<u32> {
        heir(ShardId(shard), voters, heirs).map(|heir| heir.node().0)
    }

    #[test]
    fn who_is_not_heard_or_has_no_room_takes_nothing() {
        let dead = Voter { able: false, matched: 9_000, ..voter(2) };
        assert_eq!(node(1, &[dead], Heirs::Any), None);
        assert_eq!(node(1, &[dead, voter(4)], Heirs::Any), Some(4));
        assert_eq!(node(1, &[], Heirs::Any), None);
    }

    #[test]
    fn who_is_slow_takes_over_from_a_node_that_stops_if_nobody_else_can() {
        let slow = Voter { steady: false, matched: 1_050, ..voter(2) };
        assert_eq!(node(1, &[slow, voter(3)], Heirs::Any), Some(3));
        assert_eq!(node(1, &[slow], Heirs::Any), Some(2));
        assert_eq!(node(1, &[slow], Heirs::Steady), None, "it would be no better there");
    }

    #[test]
    fn who_is_linked_goes_before_a_longer_log() {
        let cut = Voter { linked: false, matched: 1_050, ..voter(2) };
        let slow = Voter { steady: false, ..voter(3) };
        assert_eq!(node(1, &[cut, voter(3)], Heirs::Any), Some(3));
        assert_eq!(node(1, &[cut, slow], Heirs::Any), Some(3), "slow is better than not at all");
        assert_eq!(node(1, &[cut], Heirs::Any), Some(2));
    }

    #[test]
    fn the_longest_log_takes_over_and_of_equals_each_some() {
        let short = Voter { matched: 800, ..voter(2) };
        let worse = Voter { linked: false, steady: false, ..voter(3) };
        assert!((1..50).all(|shard| node(shard, &[short, worse], Heirs::Any) == Some(3)));
        let nearly = Voter { matched: 950, ..voter(2) };
        let taken =
            (1..=50).filter(|shard| node(*shard, &[nearly, voter(3)], Heirs::Any) == Some(2));
        let taken = taken.count();
        assert!((15..=35).contains(&taken), "{taken} of 50");
    }
}
