//! How full a node's disk is, and what follows: a node that is nearly full takes no writes and gives
//! its leaderships away; one that is full to the brim stops taking entries at all, so that a vote
//! can still be recorded.
//!
//! Invariant: a shard takes writes only while a majority of its voters has room for them, and
//! deletes always, for they make room.

use std::collections::BTreeSet;

use evenkeel_shared::ids::NodeId;

/// What a node's disk has left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// Enough.
    #[default]
    Plenty,
    /// Too little to take writes.
    Low,
    /// Too little to take entries.
    Out,
}

/// What must stay free: a share of the disk, and on a small one at least what the engine may still
/// write of what it holds in memory.
struct Margin {
    /// In thousandths.
    share: u64,
    bytes: u64,
    /// But never more than one part in so many.
    part: u64,
}

const LOW: Margin = Margin { share: 50, bytes: 24 << 20, part: 3 };
const OUT: Margin = Margin { share: 15, bytes: 12 << 20, part: 5 };

impl Margin {
    fn of(&self, total_bytes: u64) -> u64 {
        let share = total_bytes / 1_000 * self.share;
        share.max(self.bytes.min(total_bytes / self.part))
    }

    /// Whether the margin is touched; once it is, a little more must be free again.
    fn is_touched(&self, free_bytes: u64, total_bytes: u64, was: bool) -> bool {
        let margin = self.of(total_bytes);
        free_bytes < if was { margin + margin / 3 } else { margin }
    }
}

/// Judges a disk; `before` is the last judgement, so that it does not flicker.
pub fn room(free_bytes: u64, total_bytes: u64, before: Room) -> Room {
    if total_bytes == 0 {
        before
    } else if OUT.is_touched(free_bytes, total_bytes, before == Room::Out) {
        Room::Out
    } else if LOW.is_touched(free_bytes, total_bytes, before >= Room::Low) {
        Room::Low
    } else {
        Room::Plenty
    }
}

/// What keeps a shard from taking writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The leader's own disk is full, and others have room: it is about to go to one of them.
    Leader,
    /// So many disks are full that no majority of the voters has room: nobody can take writes.
    Majority(Vec<NodeId>),
}

/// What keeps a shard from taking writes, if anything does.
pub fn obstacle(leader: NodeId, voters: &[NodeId], low: &BTreeSet<NodeId>) -> Option<Obstacle> {
    let full: Vec<NodeId> = voters.iter().copied().filter(|node| low.contains(node)).collect();
    if (voters.len() - full.len()) * 2 <= voters.len() {
        return Some(Obstacle::Majority(full));
    }
    low.contains(&leader).then_some(Obstacle::Leader)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_disk_is_low_below_five_percent_and_well_again_at_a_third_more() {
        let total = 1_000 << 30;
        let at = |thousandths: u64, before| room(total / 1_000 * thousandths, total, before);
        assert_eq!(at(50, Room::Plenty), Room::Plenty);
        assert_eq!(at(49, Room::Plenty), Room::Low);
        assert_eq!(at(66, Room::Low), Room::Low);
        assert_eq!(at(67, Room::Low), Room::Plenty);
        assert_eq!(at(14, Room::Low), Room::Out);
        assert_eq!(at(19, Room::Out), Room::Out);
        assert_eq!(at(20, Room::Out), Room::Low);
        assert_eq!(at(500, Room::Out), Room::Plenty);
        assert_eq!(room(0, 0, Room::Low), Room::Low, "what is not known changes nothing");
    }

    #[test]
    fn a_small_disk_keeps_room_for_what_waits_in_memory() {
        let at = |free: u64, total: u64| room(free << 20, total << 20, Room::Plenty);
        assert_eq!(at(22, 64), Room::Plenty);
        assert_eq!(at(20, 64), Room::Low);
        assert_eq!(at(11, 64), Room::Out);
        assert_eq!(at(23, 200), Room::Low);
        assert_eq!(at(11, 200), Room::Out);
    }

    #[test]
    fn a_shard_takes_writes_while_a_majority_has_room() {
        let nodes = |ids: &[u32]| ids.iter().copied().map(NodeId).collect::<Vec<_>>();
        let full = |low: &[u32]| {
            obstacle(NodeId(1), &nodes(&[1, 2, 3]), &nodes(low).into_iter().collect())
        };
        assert_eq!(full(&[]), None);
        assert_eq!(full(&[3]), None);
        assert_eq!(full(&[2, 3]), Some(Obstacle::Majority(nodes(&[2, 3]))));
        assert_eq!(full(&[1, 3]), Some(Obstacle::Majority(nodes(&[1, 3]))));
        assert_eq!(full(&[1]), Some(Obstacle::Leader), "it goes elsewhere");
        assert_eq!(obstacle(NodeId(1), &[], &BTreeSet::new()), Some(Obstacle::Majority(vec![])));
    }
}
