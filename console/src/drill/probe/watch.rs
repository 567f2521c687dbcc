//! What writers share: gaps, counts, and the word on how they are to write.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use evenkeel_shared::ids::ShardId;
use tokio::sync::{RwLock, RwLockReadGuard};

use super::ledger::Ledger;
use crate::drill::gaps::Gaps;

/// How many reasons of failed requests, and keys of lost writes, are kept.
const KEPT_MAX: usize = 5;
/// Between two looks at the gaps: it doesn't bear on the figures.
const LOOK: Duration = Duration::from_millis(20);

/// How writers are to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// What is acknowledged must stay.
    #[default]
    Checked,
    /// Into a key that nobody relies on: what is written now will be taken back.
    Free,
    /// Not at all.
    Ended,
}

/// What has come of the writes so far.
#[derive(Default)]
pub(crate) struct Watch {
    gaps: Mutex<Gaps>,
    counts: Mutex<Counts>,
    ledgers: Mutex<Vec<Ledger>>,
    mode: RwLock<Mode>,
}

/// Counts of requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// Writes acknowledged.
    pub(crate) acknowledged: u64,
    /// Writes whose outcome is not known.
    pub(crate) unknown: u64,
    /// Requests that failed.
    pub(crate) errors: u64,
    /// Acknowledged writes that were read back.
    pub(crate) checked: u64,
    /// Those that were gone.
    pub(crate) lost: u64,
    /// Those that could not be read.
    pub(crate) not_read: u64,
    /// Why requests failed, the first few.
    pub(crate) reasons: Vec<String>,
    /// Keys of lost writes, the first few.
    pub(crate) lost_keys: Vec<String>,
    /// Requests of each shard that failed or were not answered.
    pub(crate) troubled: BTreeMap<ShardId, u64>,
    /// Writes of each shard that were acknowledged.
    pub(crate) writes: BTreeMap<ShardId, u64>,
}

impl Watch {
    /// The gaps between acknowledgements, by shard.
    pub(crate) fn gaps(&self) -> MutexGuard<'_, Gaps> {
        self.gaps.lock().expect("no holder of this lock panics")
    }

    /// The counts so far.
    pub(crate) fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().expect("no holder of this lock panics")
    }

    pub(super) fn ledgers(&self) -> MutexGuard<'_, Vec<Ledger>> {
        self.ledgers.lock().expect("no holder of this lock panics")
    }

    /// Has writers write otherwise, once what they do now is over.
    pub(crate) async fn turn(&self, mode: Mode) {
        *self.mode.write().await = mode;
    }

    /// Held while one write is under way.
    pub(super) async fn gate(&self) -> RwLockReadGuard<'_, Mode> {
        self.mode.read().await
    }

    /// Waits until each of these shards has taken a write after that moment; whether they have.
    pub(crate) async fn alive(
        &self,
        shards: &[ShardId],
        moment: Duration,
        bound: Duration,
    ) -> bool {
        let over = crate::clock::now() + bound;
        loop {
            let all = {
                let gaps = self.gaps();
                shards.iter().all(|shard| gaps.alive_since(*shard, moment))
            };
            if all || crate::clock::now() >= over {
                return all;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    pub(super) fn acknowledged(&self, shard: ShardId) {
        self.counts().acknowledged += 1;
        self.answered(shard);
    }

    /// The shard takes writes.
    pub(super) fn answered(&self, shard: ShardId) {
        *self.counts().writes.entry(shard).or_default() += 1;
        let mut gaps = self.gaps();
        // Read under the lock, so that moments never go back.
        gaps.acknowledged(shard, crate::clock::now());
    }

    pub(super) fn failed(&self, shard: ShardId, why: String) {
        let mut counts = self.counts();
        counts.errors += 1;
        counts.trouble(shard, why);
    }

    pub(super) fn unknown(&self, shard: ShardId, why: String) {
        let mut counts = self.counts();
        counts.unknown += 1;
        counts.trouble(shard, why);
    }

    pub(super) fn checked(&self, lost: Option<String>) {
        let mut counts = self.counts();
        counts.checked += 1;
        if let Some(key) = lost {
            counts.lost += 1;
            if counts.lost_keys.len() < KEPT_MAX {
                counts.lost_keys.push(key);
            }
        }
    }
}

impl Counts {
    fn trouble(&mut self, shard: ShardId, why: String) {
        *self.troubled.entry(shard).or_default() += 1;
        if self.reasons.len() < KEPT_MAX {
            self.reasons.push(why);
        }
    }
}
