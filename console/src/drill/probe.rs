//! Writers tied to shards, so that a dead shard never starves the measure of another; what they
//! were told is compared with what is there.
//!
//! Each writes a ring of keys. Before a key is written again, and at the end, it is read back: a
//! write that was acknowledged and is gone is found, however many came after it.

mod ledger;
mod watch;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_shared::client::{ClientError, StoreHandle};
use evenkeel_shared::ids::ShardId;
use evenkeel_shared::key::{Slot, SlotRange};
use evenkeel_shared::view::{ClusterView, ShardPhase, ShardView};
use futures::StreamExt;
use tokio::task::JoinSet;

pub(crate) use self::ledger::{Attempt, Ledger};
pub(crate) use self::watch::{Counts, Mode, Watch};

/// Keys read back or deleted at once.
const AT_ONCE: usize = 64;
/// How often a key is read at the end before it counts as not read.
const READS_MAX: u32 = 5;
/// And between two writes.
const READS_AT_ONCE: u32 = 1;

/// How writers work.
#[derive(Clone, Debug)]
pub(crate) struct ProbePlan {
    /// What their keys begin with.
    pub(crate) prefix: String,
    /// How many of them; at least one a shard.
    pub(crate) writers: usize,
    /// Keys of each; with one alone, nothing is read back.
    pub(crate) keys: u64,
    /// How long each rests between two writes.
    pub(crate) pace: Duration,
}

/// Writers at work. They end when it is dropped.
pub(crate) struct Probe {
    /// What has come of it so far.
    pub(crate) watch: Arc<Watch>,
    writers: Vec<Arc<Writer>>,
    tasks: JoinSet<()>,
}

/// One writer.
struct Writer {
    store: StoreHandle,
    home: ShardId,
    /// What its keys begin with: the slot is that of what stands in braces.
    base: String,
    plan: ProbePlan,
    watch: Arc<Watch>,
}

impl Probe {
    /// Starts the writers, at least one a serving shard of whatever keyspace.
    pub(crate) async fn start(
        store: &StoreHandle,
        view: &ClusterView,
        plan: &ProbePlan,
    ) -> Result<Self, ClientError> {
        let shards: Vec<&ShardView> = serving(view).collect();
        let watch = Arc::new(Watch::default());
        let (mut writers, mut tasks) = (Vec::new(), JoinSet::new());
        for number in 0..plan.writers.max(shards.len()) {
            let Some(shard) = shards.get(number % shards.len().max(1)) else { break };
            let writer = Arc::new(Writer {
                store: store.clone().in_keyspace(&shard.keyspace_name).await?,
                home: shard.id,
                base: key_within(&plan.prefix, &shard.slots, number),
                plan: plan.clone(),
                watch: watch.clone(),
            });
            watch.ledgers().push(Ledger::default());
            tasks.spawn(writer.clone().write_for_ever(number));
            writers.push(writer);
        }
        Ok(Self { watch, writers, tasks })
    }

    /// The shards that are probed, as they were called at the start.
    pub(crate) fn shards(&self) -> Vec<ShardId> {
        let shards: std::collections::BTreeSet<ShardId> =
            self.writers.iter().map(|writer| writer.home).collect();
        shards.into_iter().collect()
    }

    /// A handle and a key of each probed shard, for records of other kinds.
    pub(crate) fn places(&self, prefix: &str) -> Vec<(StoreHandle, String)> {
        let mut seen = std::collections::BTreeSet::new();
        let firsts = self.writers.iter().filter(|writer| seen.insert(writer.home));
        firsts
            .map(|writer| {
                let rest = writer.base.trim_start_matches(writer.plan.prefix.as_str());
                (writer.store.clone(), format!("{prefix}{rest}"))
            })
            .collect()
    }

    /// Ends the writers, each after the write that is under way.
    pub(crate) async fn stop(&mut self) {
        self.watch.turn(Mode::Ended).await;
        self.tasks.shutdown().await;
    }

    /// Reads every key back that was ever acknowledged. Only after [`Self::stop`].
    pub(crate) async fn read_back(&self) {
        let all = self.writers.iter().enumerate();
        let keys: Vec<(usize, u64)> = {
            let ledgers = self.watch.ledgers();
            all.flat_map(|(number, _)| ledgers[number].keys().map(move |key| (number, key)))
                .collect()
        };
        let reads =
            futures::stream::iter(keys).for_each_concurrent(AT_ONCE, |(number, key)| async move {
                if self.writers[number].check(number, key, READS_MAX).await.is_err() {
                    self.watch.counts().not_read += 1;
                }
            });
        reads.await;
    }

    /// Deletes every key that was ever written; how many could not be. Only after [`Self::stop`].
    pub(crate) async fn delete(&self) -> usize {
        let keys: Vec<(usize, String)> = {
            let ledgers = self.watch.ledgers();
            let all = self.writers.iter().enumerate().flat_map(|(number, writer)| {
                let keys = ledgers[number].keys().map(|key| writer.key(key));
                let keys: Vec<String> = keys.chain([writer.scratch()]).collect();
                keys.into_iter().map(move |key| (number, key))
            });
            all.collect()
        };
        let deletes = futures::stream::iter(keys).map(|(number, key)| async move {
            self.writers[number].store.delete(key.into()).await.is_err()
        });
        deletes.buffer_unordered(AT_ONCE).filter(|failed| std::future::ready(*failed)).count().await
    }
}

impl Writer {
    fn key(&self, key: u64) -> String {
        format!("{}/{key}", self.base)
    }

    fn scratch(&self) -> String {
        format!("{}/scratch", self.base)
    }

    async fn write_for_ever(self: Arc<Self>, number: usize) {
        let mut ring: Vec<u64> = (0..self.plan.keys.max(1)).collect();
        let mut fresh = self.plan.keys.max(1);
        for (attempt, place) in (0_u64..).zip((0..ring.len()).cycle()) {
            let gate = self.watch.gate().await;
            match *gate {
                Mode::Checked => {
                    let next = (place + 1) % ring.len();
                    let check = async {
                        next == place || self.check(number, ring[next], READS_AT_ONCE).await.is_ok()
                    };
                    let ((), checked) =
                        tokio::join!(self.write(number, ring[place], attempt), check);
                    if !checked {
                        // What could not be read now is not written over: it is read at the end.
                        ring[next] = fresh;
                        fresh += 1;
                    }
                }
                Mode::Free => self.write_free(attempt).await,
                Mode::Ended => return,
            }
            drop(gate);
            if !self.plan.pace.is_zero() {
                tokio::time::sleep(self.plan.pace).await;
            }
        }
    }

    async fn write(&self, number: usize, key: u64, attempt: u64) {
        let value = Bytes::copy_from_slice(&attempt.to_le_bytes());
        self.watch.ledgers()[number].begins(key, Attempt(attempt));
        match self.store.put(self.key(key).into(), value).await {
            Ok(reply) if reply.result.version().is_some() => {
                self.watch.ledgers()[number].acknowledged(key, Attempt(attempt));
                self.watch.acknowledged(self.home);
            }
            Ok(reply) => self.watch.failed(self.home, format!("answered {:?}", reply.result)),
            Err(error @ ClientError::Unknown { .. }) => {
                self.watch.unknown(self.home, error.to_string());
            }
            Err(error) => {
                self.watch.ledgers()[number].refused(key, Attempt(attempt));
                self.watch.failed(self.home, error.to_string());
            }
        }
    }

    /// A write that nobody relies on: it only tells whether the shard takes any.
    async fn write_free(&self, attempt: u64) {
        let value = Bytes::copy_from_slice(&attempt.to_le_bytes());
        match self.store.put(self.scratch().into(), value).await {
            Ok(reply) if reply.result.version().is_some() => self.watch.answered(self.home),
            Ok(reply) => self.watch.failed(self.home, format!("answered {:?}", reply.result)),
            Err(error @ ClientError::Unknown { .. }) => {
                self.watch.unknown(self.home, error.to_string());
            }
            Err(error) => self.watch.failed(self.home, error.to_string()),
        }
    }

    /// Reads a key and compares it with what was acknowledged. An error: it could not be read.
    async fn check(&self, number: usize, key: u64, reads: u32) -> Result<(), ()> {
        if !self.watch.ledgers()[number].promises(key) {
            return Ok(());
        }
        for _ in 0..reads {
            match self.store.get(self.key(key).into()).await {
                Ok(reply) => {
                    let found = reply.found.map(|(value, _)| Attempt::read(&value));
                    let lost = self.watch.ledgers()[number].found(key, found);
                    self.watch.checked(lost.then(|| self.key(key)));
                    return Ok(());
                }
                Err(error) => self.watch.failed(self.home, error.to_string()),
            }
        }
        Err(())
    }
}

/// The shards that serve.
pub(crate) fn serving(view: &ClusterView) -> impl Iterator<Item = &ShardView> {
    view.shards.iter().filter(|shard| shard.phase == ShardPhase::Serving)
}

/// The beginning of keys of that writer's own, whose slots lie within the ranges.
pub(crate) fn key_within(prefix: &str, slots: &[SlotRange], writer: usize) -> String {
    let key = |tag: u32| format!("{prefix}{{{writer}-{tag}}}");
    let within = |tag: &u32| {
        let slot = Slot::of(key(*tag).as_bytes());
        slots.iter().any(|range| range.contains(slot))
    };
    // One shard of 4,096 is hit by every 4,096th tag on average.
    let tag = (0..1_000_000).find(within).unwrap_or_default();
    key(tag)
}
