//! Kills leaders under load and measures how long their shards take no writes, as clients see it.
//!
//! Writers are tied to shards, so that a dead shard never starves the measure of another.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use evenkeel_shared::client::{ClientError, StoreHandle};
use evenkeel_shared::error::AdminError;
use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::key::{Slot, SlotRange};
use evenkeel_shared::preflight::{Action, Harm};
use evenkeel_shared::view::{ClusterView, NodeState, NodeView, ShardPhase};
use evenkeel_shared::wire::deadline::Deadline;
use serde::Serialize;
use tokio::task::JoinSet;

use super::gaps::{Gaps, Spread, milliseconds};
use crate::cli::confirm::{self, Consent};
use crate::cli::session::{Operator, is_interactive, node_named};
use crate::cli::{
    CliError, Condition, Exit, Session, Until, format, json, line, node, note, output, wait,
};

/// After a kill, at least so long is watched: a second gap may follow the first.
const WINDOW: Duration = Duration::from_secs(2);
/// A shard that takes no write for so long is reported with that gap, and the run goes on.
const OUTAGE_MAX: Duration = Duration::from_secs(60);
/// How long the cluster may take to be whole again, its down time not counted.
const HEAL_MAX: Duration = Duration::from_secs(120);
/// Between two looks at the gaps: it doesn't bear on the figures.
const LOOK: Duration = Duration::from_millis(20);
/// How many reasons of failed writes are kept.
const REASONS_MAX: usize = 5;
/// A preflight grows stale when the cluster moves: how often to compute it anew.
const STALE_MAX: u32 = 10;

/// Flags of the command.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct OutageArguments {
    #[command(flatten)]
    victim: VictimArguments,
    /// How many kills
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    kills: u32,
    /// Writers, spread evenly over the shards
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    writers: u32,
    /// How long each victim stays down
    #[arg(long = "for", value_name = "TIME", default_value = "2s",
          value_parser = humantime::parse_duration)]
    down: Duration,
}

/// Which node is killed.
#[derive(clap::Args, Clone, Debug)]
#[group(required = true, multiple = false)]
struct VictimArguments {
    /// Kill this node each time
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Kill the node that leads most shards
    #[arg(long)]
    busiest: bool,
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

/// What `bench outage --json` prints.
#[derive(Debug, Serialize)]
struct OutageReport {
    kills: Vec<KillRow>,
    writers: u32,
    samples: usize,
    outage_ms: Option<Spread>,
    acknowledged: u64,
    unknown: u64,
    errors: u64,
    reasons: Vec<String>,
}

/// One kill.
#[derive(Debug, Serialize)]
struct KillRow {
    node: String,
    longest_ms: f64,
    shards: Vec<ShardOutage>,
    #[serde(skip)]
    gaps: Vec<Duration>,
}

#[derive(Debug, Serialize)]
struct ShardOutage {
    shard: u32,
    outage_ms: f64,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, arguments: &OutageArguments) -> Result<Exit, CliError> {
    let view = heal(session, HEAL_MAX).await?;
    let consent =
        Consent { agreed: session.agreed(), overriding: None, interactive: is_interactive() };
    note(format!("this kills nodes of cluster {} {} times", view.cluster, arguments.kills));
    confirm::ask(&confirm::question(Harm::Risk, "kill", consent))?;
    let watch = Arc::new(Watch::default());
    let writers = start_writers(session, &view, arguments.writers, &watch);
    let all: Vec<ShardId> = serving(&view).map(|(shard, _)| shard).collect();
    alive(&watch, &all, Duration::ZERO, OUTAGE_MAX).await;
    let mut kills = Vec::new();
    for _ in 0..arguments.kills {
        let row = one_kill(session, arguments, &watch).await?;
        if !session.json() {
            line(row.text())?;
        }
        kills.push(row);
        heal(session, arguments.down + HEAL_MAX).await?;
    }
    drop(writers);
    let report = OutageReport::of(kills, arguments.writers, &watch);
    if session.json() {
        json(&report)?;
    } else {
        output::text(report.text())?;
    }
    Ok(Exit::Done)
}

async fn heal(session: &Session, timeout: Duration) -> Result<ClusterView, CliError> {
    let until = Until { condition: Condition::Healthy, nodes: 0 };
    wait::wait(session, until, timeout, |_| {}).await
}

/// Waits until the victim leads something, kills it, and watches the shards that it led.
async fn one_kill(
    session: &Session,
    arguments: &OutageArguments,
    watch: &Watch,
) -> Result<KillRow, CliError> {
    let (view, victim) = victim(session, arguments).await?;
    let led: Vec<ShardId> = view
        .shards
        .iter()
        .filter(|shard| shard.leader == Some(victim.id) && shard.phase == ShardPhase::Serving)
        .map(|shard| shard.id)
        .collect();
    let operator = bystander(&view, victim.id).await?;
    watch.gaps().reset();
    let killed = crate::clock::now();
    kill(session, &operator, &victim, node::whole_seconds(arguments.down)?).await?;
    alive(watch, &led, killed + WINDOW, OUTAGE_MAX).await;
    let now = crate::clock::now();
    let gaps: Vec<(ShardId, Duration)> = {
        let tracks = watch.gaps();
        led.iter().filter_map(|shard| Some((*shard, tracks.longest(*shard, now)?))).collect()
    };
    Ok(KillRow::of(victim.name, &gaps))
}

async fn victim(
    session: &Session,
    arguments: &OutageArguments,
) -> Result<(ClusterView, NodeView), CliError> {
    let over = crate::clock::now() + HEAL_MAX;
    loop {
        let view = session.view().await?;
        let chosen = match &arguments.victim.node {
            Some(name) => Some(node_named(&view, name)?),
            None => busiest(&view),
        };
        if let Some(chosen) = chosen.filter(|node| node.leads_in(&view)) {
            let chosen = chosen.clone();
            return Ok((view, chosen));
        }
        if crate::clock::now() >= over {
            return Err(CliError::refused(
                "the node to kill leads no shard, so that nothing can be measured",
                "--busiest",
            ));
        }
        tokio::time::sleep(LOOK).await;
    }
}

trait Leads {
    fn leads_in(&self, view: &ClusterView) -> bool;
}

impl Leads for NodeView {
    fn leads_in(&self, view: &ClusterView) -> bool {
        view.shards.iter().any(|shard| shard.leader == Some(self.id))
    }
}

/// The node that leads most shards; of equals, the first.
fn busiest(view: &ClusterView) -> Option<&NodeView> {
    let leads =
        |node: &NodeView| view.shards.iter().filter(|shard| shard.leader == Some(node.id)).count();
    let up = view.nodes.iter().filter(|node| node.state == NodeState::Up);
    up.rev().max_by_key(|node| leads(node))
}

/// An agent that survives the kill.
async fn bystander(view: &ClusterView, victim: NodeId) -> Result<Operator, CliError> {
    let others = view.nodes.iter().filter(|node| node.id != victim && node.state == NodeState::Up);
    let seeds = others.map(|node| node.addresses.rpc.clone()).collect();
    Session::with_seeds(seeds).operator().await
}

async fn kill(
    session: &Session,
    operator: &Operator,
    victim: &NodeView,
    down_secs: u32,
) -> Result<(), CliError> {
    let action = Action::Kill { node: victim.id, down_secs: Some(down_secs) };
    let mut stale = 0;
    loop {
        let context = Deadline::after(session.timeout()).context();
        let answer = operator.client.preflight(context, action.clone()).await;
        let preflight = answer.map_err(|error| operator.silent(&error))??;
        if let Some(why) = preflight.refused {
            return Err(CliError::refused(format!("{}: {why}", preflight.title), ""));
        }
        if preflight.harm == Harm::Break {
            return Err(CliError::refused(
                format!("{} would break something", preflight.title),
                "`evenkeel status`: the cluster must be whole",
            ));
        }
        let context = Deadline::after(session.timeout()).context();
        let actor = "bench outage".to_owned();
        match operator.client.act(context, action.clone(), preflight.revision, actor).await {
            Ok(Err(AdminError::Stale { .. })) if stale < STALE_MAX => stale += 1,
            Ok(done) => return Ok(done.map(drop)?),
            Err(error) => return Err(operator.silent(&error)),
        }
    }
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

impl KillRow {
    fn of(node: String, gaps: &[(ShardId, Duration)]) -> Self {
        let longest = gaps.iter().map(|(_, gap)| *gap).max().unwrap_or_default();
        let shards = gaps
            .iter()
            .map(|(shard, gap)| ShardOutage { shard: shard.0, outage_ms: milliseconds(*gap) })
            .collect();
        let gaps = gaps.iter().map(|(_, gap)| *gap).collect();
        Self { node, longest_ms: milliseconds(longest), shards, gaps }
    }

    fn text(&self) -> String {
        let led = format::count(self.shards.len(), "shard");
        format!("killed {}, which led {led}: longest outage {} ms", self.node, self.longest_ms)
    }
}

impl OutageReport {
    fn of(kills: Vec<KillRow>, writers: u32, watch: &Watch) -> Self {
        let gaps: Vec<Duration> = kills.iter().flat_map(|kill| kill.gaps.clone()).collect();
        Self {
            kills,
            writers,
            samples: gaps.len(),
            outage_ms: Spread::of(&gaps),
            acknowledged: watch.acknowledged.load(Ordering::Relaxed),
            unknown: watch.unknown.load(Ordering::Relaxed),
            errors: watch.errors.load(Ordering::Relaxed),
            reasons: watch.reasons().clone(),
        }
    }

    fn text(&self) -> String {
        let spread = self.outage_ms.map_or_else(
            || "no figures".to_owned(),
            |s| format!("min {} / median {} / p90 {} / max {} ms", s.min, s.median, s.p90, s.max),
        );
        let mut text = format!(
            "write outage over {} kills, {} shards: {spread}\n\
             {} writes acknowledged, {} of unknown outcome, {} failed\n",
            self.kills.len(),
            self.samples,
            self.acknowledged,
            self.unknown,
            self.errors
        );
        for reason in &self.reasons {
            format::append(&mut text, format_args!("  {reason}\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests;
