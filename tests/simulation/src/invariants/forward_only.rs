//! Within one life, a replica's term and its applied index never go back.

use std::collections::BTreeMap;

use evenkeel_shared::ids::{History, ReplicaId, ShardId};

use super::{Invariant, Seen};

/// How far each replica was when it was last seen, and in which life.
#[derive(Default)]
pub(super) struct ForwardOnly {
    last: BTreeMap<(ShardId, History, ReplicaId), (u64, u64, u64)>,
}

impl Invariant for ForwardOnly {
    fn check(&mut self, seen: &[Seen]) -> Result<(), String> {
        for Seen { life, sight, .. } in seen {
            let index = sight.applied.map_or(0, |(_, index)| index);
            let now = (*life, sight.term, index);
            let replica = (sight.shard, sight.history, sight.replica);
            let before = self.last.insert(replica, now).unwrap_or_default();
            if before.0 == *life && (sight.term < before.1 || index < before.2) {
                return Err(format!(
                    "{} {} went back from term {} index {} to term {} index {index}",
                    sight.shard, sight.replica, before.1, before.2, sight.term
                ));
            }
        }
        Ok(())
    }
}
