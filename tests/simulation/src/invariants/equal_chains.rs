//! Whoever has applied a shard's entries up to an index has applied the same ones, in every life.

use std::collections::BTreeMap;

use evenkeel_shared::ids::{History, ReplicaId, ShardId};

use super::{Invariant, Seen};

/// The chain and term at every index that was ever seen applied, and who showed it first.
#[derive(Default)]
pub(super) struct EqualChains {
    known: BTreeMap<(ShardId, History, u64), (u64, u64, ReplicaId)>,
}

impl Invariant for EqualChains {
    fn check(&mut self, seen: &[Seen]) -> Result<(), String> {
        for sight in seen.iter().map(|seen| seen.sight) {
            let Some((term, index)) = sight.applied else { continue };
            let at = (sight.shard, sight.history, index);
            let first = *self.known.entry(at).or_insert((term, sight.chain, sight.replica));
            if (first.0, first.1) != (term, sight.chain) {
                return Err(format!(
                    "{} diverged at index {index}: {} applied (term {}, chain {:x}), {} applied \
                     (term {term}, chain {:x})",
                    sight.shard, first.2, first.0, first.1, sight.replica, sight.chain
                ));
            }
        }
        Ok(())
    }
}
