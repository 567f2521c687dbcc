//! At most one replica ever leads a shard in a term.

use std::collections::BTreeMap;

use evenkeel_shared::heartbeat::RaftRole;
use evenkeel_shared::ids::{History, ReplicaId, ShardId};

use super::{Invariant, Seen};

/// Who has led, since the beginning.
#[derive(Default)]
pub(super) struct OneLeader {
    led: BTreeMap<(ShardId, History, u64), ReplicaId>,
}

impl Invariant for OneLeader {
    fn check(&mut self, seen: &[Seen]) -> Result<(), String> {
        for sight in seen.iter().map(|seen| seen.sight) {
            if sight.role != RaftRole::Leader {
                continue;
            }
            let term = (sight.shard, sight.history, sight.term);
            let first = *self.led.entry(term).or_insert(sight.replica);
            if first != sight.replica {
                return Err(format!(
                    "two leaders of {} in term {}: {first} and {}",
                    sight.shard, sight.term, sight.replica
                ));
            }
        }
        Ok(())
    }
}
