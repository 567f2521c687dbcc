//! Newtypes for everything that has an identity, so that a node is never passed for a shard.
//!
//! Ids order by number; none of them is ever reused within a cluster.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $inner:ty, $prefix:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

number_id!(
    /// One agent process of a cluster; given out by the system shard at join.
    NodeId, u32, "node ");
number_id!(
    /// A set of slot ranges kept by one Raft group. Shard 0 is the system shard.
    ShardId, u32, "s");
number_id!(
    /// Shards under one policy.
    KeyspaceId, u32, "keyspace ");
number_id!(
    /// Version of a shard's range and voters: counts the configuration changes in its own log.
    Epoch, u64, "e");
number_id!(
    /// Count of a node's starts.
    Incarnation, u64, "");
number_id!(
    /// A client's own number; drawn at random, 64 bits.
    ClientId, u64, "client ");
number_id!(
    /// An operator's or the controller's multi-step change.
    IntentId, u64, "intent ");

impl ShardId {
    /// The shard of the cluster's own facts.
    pub const SYSTEM: Self = Self(0);

    /// Whether this is the system shard.
    pub fn is_system(self) -> bool {
        self == Self::SYSTEM
    }
}

impl FromStr for ShardId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.trim_start_matches('s').parse().map(Self)
    }
}

/// One shard's copy on one node: the id inside a Raft group. The high half is the node, the low
/// half a number that the system shard gives out and never reuses (safety rule 13).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ReplicaId(pub u64);

impl ReplicaId {
    /// Joins a node and a number.
    pub fn new(node: NodeId, number: u32) -> Self {
        Self(u64::from(node.0) << 32 | u64::from(number))
    }

    /// The node that holds this replica.
    pub fn node(self) -> NodeId {
        NodeId(u32::try_from(self.0 >> 32).expect("32 bits remain after the shift"))
    }

    /// The number within the cluster.
    pub fn number(self) -> u32 {
        u32::try_from(self.0 & 0xffff_ffff).expect("the mask leaves 32 bits")
    }
}

impl From<u64> for ReplicaId {
    fn from(both_halves: u64) -> Self {
        Self(both_halves)
    }
}

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.node().0, self.number())
    }
}

/// One cluster among all clusters: 128 random bits, drawn at bootstrap.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ClusterId(pub u128);

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for ClusterId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

/// Which life of a shard a record belongs to: raised by a restore and by quorum-loss recovery.
/// Equal numbers with different salts refuse each other (safety rule 15).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct History {
    /// Counts the recoveries.
    pub number: u64,
    /// 64 random bits drawn by whoever raised the number.
    pub salt: u64,
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "h{}/{:08x}", self.number, self.salt >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replica_id_keeps_its_halves() {
        let id = ReplicaId::new(NodeId(7), u32::MAX);
        assert_eq!((id.node(), id.number()), (NodeId(7), u32::MAX));
        assert_eq!(id.to_string(), "7.4294967295");
    }

    #[test]
    fn shard_id_reads_with_and_without_prefix() {
        assert_eq!("s17".parse(), Ok(ShardId(17)));
        assert_eq!("17".parse(), Ok(ShardId(17)));
        assert!("x17".parse::<ShardId>().is_err());
    }
}
