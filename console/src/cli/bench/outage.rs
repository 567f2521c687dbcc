//! Takes leaders away under load and measures how long their shards take no writes, as clients see
//! it: killed, frozen, cut off, with a disk that stalls, or switched over as planned.
//!
//! Writers are tied to shards, so that a dead shard never starves the measure of another.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use evenkeel_shared::client::{ClientError, StoreHandle};
use evenkeel_shared::ids::ShardId;
use evenkeel_shared::key::{Slot, SlotRange};
use evenkeel_shared::preflight::Harm;
use evenkeel_shared::view::{ClusterView, NodeView, ShardPhase};
use tokio::task::JoinSet;

use self::report::{OutageReport, OutageRow};
use self::victim::{How, VictimArguments, bystander, give_back, take_away, victim};
use super::gaps::Gaps;
use crate::cli::confirm::{self, Consent};
use crate::cli::session::is_interactive;
use crate::cli::{CliError, Condition, Exit, Session, Until, json, line, node, note, output, wait};

/// After a kill, at least so long is watched: a second gap may follow the first.
const WINDOW: Duration = Duration::from_secs(2);
/// A shard that takes no write for so long is reported with that gap, and the run goes on.
const OUTAGE_MAX: Duration = Duration::from_secs(60);
/// How long the cluster may take to be whole again, its down time not counted.
const HEAL_MAX: Duration = Duration::from_secs(120);
/// How long balance is waited for.
const BALANCED_MAX: Duration = Duration::from_secs(10);
/// Between two looks at the gaps: it doesn't bear on the figures.
const LOOK: Duration = Duration::from_millis(20);
/// How many reasons of failed writes are kept.
const REASONS_MAX: usize = 5;

/// Flags of the command.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct OutageArguments {
    #[command(flatten)]
    victim: VictimArguments,
    /// How the victim is taken away
    #[arg(long, value_name = "HOW", default_value = "kill")]
    by: How,
    /// How many times
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    kills: u32,
    /// Writers, spread evenly over the shards
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    writers: u32,
    /// How long each victim stays away
    #[arg(long = "for", value_name = "TIME", default_value = "2s",
          value_parser = humantime::parse_duration)]
    down: Duration,
}

/// What the writers share.
#[derive(Default)]
struct Watch {
    gaps: Mutex<Gaps>,
    acknowledged: AtomicU64,
    unknown: AtomicU64,
    errors: AtomicU64,
    /// Why a write failed or its outcome was not known, the first few times.
    reasons: Mutex<Vec<String>>,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, arguments: &OutageArguments) -> Result<Exit, CliError> {
    let view = heal(session, HEAL_MAX).await?;
    let consent =
        Consent { agreed: session.agreed(), overriding: None, interactive: is_interactive() };
    let (verb, times) = (arguments.by.verb(), arguments.kills);
    note(format!("this {verb} nodes of cluster {} {times} times", view.cluster));
    confirm::ask(&confirm::question(Harm::Risk, arguments.by.word(), consent))?;
    let watch = Arc::new(Watch::default());
    let writers = start_writers(session, &view, arguments.writers, &watch);
    let all: Vec<ShardId> = serving(&view).map(|(shard, _)| shard).collect();
    alive(&watch, &all, Duration::ZERO, OUTAGE_MAX).await;
    let mut kills = Vec::new();
    for _ in 0..arguments.kills {
        let row = one(session, arguments, &all, &watch).await?;
        if !session.json() {
            line(row.text(arguments.by))?;
        }
        if arguments.by == How::Switchover {
            give_back(session, &row.node).await?;
        }
        kills.push(row);
        heal(session, arguments.down + HEAL_MAX).await?;
    }
    drop(writers);
    let report = OutageReport::of(arguments.by, kills, arguments.writers, &watch);
    if session.json() {
        json(&report)?;
    } else {
        output::text(report.text())?;
    }
    Ok(Exit::Done)
}

async fn heal(session: &Session, timeout: Duration) -> Result<ClusterView, CliError> {
    let until = Until { condition: Condition::Healthy, nodes: 0 };
    let over = crate::clock::now() + timeout;
    loop {
        let view = wait::wait(session, until, timeout, |_| {}).await?;
        // A node whose disk stalls looks well to the others: a second one would take the quorum.
        let drill = |node: &NodeView| node.load.as_ref().is_some_and(|load| load.drill.is_some());
        if !view.nodes.iter().any(drill) || crate::clock::now() >= over {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    // Leaderships that balance moves just then would be taken for the victim's, or for others'. A
    // node that went down too often gets none for a while, and is not waited for.
    let balanced = Until { condition: Condition::Balanced, nodes: 0 };
    match wait::wait(session, balanced, BALANCED_MAX, |_| {}).await {
        Ok(view) => Ok(view),
        Err(_) => session.view().await,
    }
}

/// Waits until the victim leads something, takes it away, and watches the shards that it led; the
/// others should notice nothing.
async fn one(
    session: &Session,
    arguments: &OutageArguments,
    all: &[ShardId],
    watch: &Watch,
) -> Result<OutageRow, CliError> {
    let (view, victim) = victim(session, &arguments.victim).await?;
    let led: Vec<ShardId> = view
        .shards
        .iter()
        .filter(|shard| shard.leader == Some(victim.id) && shard.phase == ShardPhase::Serving)
        .map(|shard| shard.id)
        .collect();
    let operator = bystander(&view, victim.id).await?;
    watch.gaps().reset();
    let begun = crate::clock::now();
    let secs = node::whole_seconds(arguments.down)?;
    take_away(session, &operator, arguments.by.action(victim.id, secs)).await?;
    alive(watch, all, begun + WINDOW, OUTAGE_MAX).await;
    let now = crate::clock::now();
    let gaps: Vec<(ShardId, Duration)> = {
        let tracks = watch.gaps();
        all.iter().filter_map(|shard| Some((*shard, tracks.longest(*shard, now)?))).collect()
    };
    let (led, others) = gaps.into_iter().partition::<Vec<_>, _>(|(shard, _)| led.contains(shard));
    Ok(OutageRow::of(victim.name, &led, &others))
}

/// Waits until each of these shards has taken a write after that moment.
async fn alive(watch: &Watch, shards: &[ShardId], moment: Duration, bound: Duration) {
    let over = crate::clock::now() + bound;
    loop {
        let all = {
            let gaps = watch.gaps();
            shards.iter().all(|shard| gaps.alive_since(*shard, moment))
        };
        if all || crate::clock::now() >= over {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn serving(view: &ClusterView) -> impl Iterator<Item = (ShardId, &[SlotRange])> {
    let serving = view.shards.iter().filter(|shard| shard.phase == ShardPhase::Serving);
    serving.map(|shard| (shard.id, shard.slots.as_slice()))
}

/// At least one writer a shard; they end when the set is dropped.
fn start_writers(
    session: &Session,
    view: &ClusterView,
    number: u32,
    watch: &Arc<Watch>,
) -> JoinSet<()> {
    let store = session.store();
    let shards: Vec<(ShardId, &[SlotRange])> = serving(view).collect();
    let mut writers = JoinSet::new();
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    for writer in 0..number.max(shards.len()) {
        let Some((_, slots)) = shards.get(writer % shards.len().max(1)) else { break };
        let key = key_within(slots, writer);
        writers.spawn(write_for_ever(store.clone(), key, watch.clone()));
    }
    writers
}

/// A key of that writer's own whose slot lies within the ranges.
fn key_within(slots: &[SlotRange], writer: usize) -> Bytes {
    let key = |tag: u32| format!("bench/outage/{{{writer}-{tag}}}");
    let within = |tag: &u32| {
        let slot = Slot::of(key(*tag).as_bytes());
        slots.iter().any(|range| range.contains(slot))
    };
    // One shard of 4,096 is hit by every 4,096th tag on average.
    let tag = (0..1_000_000).find(within).unwrap_or_default();
    key(tag).into()
}

async fn write_for_ever(store: StoreHandle, key: Bytes, watch: Arc<Watch>) {
    for number in 0_u64.. {
        let value = Bytes::copy_from_slice(&number.to_le_bytes());
        match store.put(key.clone(), value).await {
            Ok(reply) => match reply.result.version() {
                Some(version) => watch.acknowledged(version.shard),
                None => watch.failed(&watch.errors, format!("answered {:?}", reply.result)),
            },
            Err(error @ ClientError::Unknown { .. }) => {
                watch.failed(&watch.unknown, error.to_string());
            }
            Err(error) => watch.failed(&watch.errors, error.to_string()),
        }
    }
}

impl Watch {
    fn gaps(&self) -> std::sync::MutexGuard<'_, Gaps> {
        self.gaps.lock().expect("no holder of this lock panics")
    }

    fn acknowledged(&self, shard: ShardId) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        let mut gaps = self.gaps();
        // Read under the lock, so that moments never go back.
        gaps.acknowledged(shard, crate::clock::now());
    }

    fn failed(&self, counter: &AtomicU64, why: String) {
        counter.fetch_add(1, Ordering::Relaxed);
        let mut reasons = self.reasons();
        if reasons.len() < REASONS_MAX {
            reasons.push(why);
        }
    }

    fn reasons(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.reasons.lock().expect("no holder of this lock panics")
    }
}

mod report;
mod victim;

#[cfg(test)]
mod tests;
