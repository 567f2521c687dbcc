//! Takes leaders away under load and measures how long their shards take no writes, as clients see
//! it: killed, frozen, cut off, with a disk that stalls, or switched over as planned.
//!
//! Writers are tied to shards, so that a dead shard never starves the measure of another.

use std::collections::BTreeMap;
use std::time::Duration;

use evenkeel_shared::ids::ShardId;
use evenkeel_shared::preflight::Harm;
use evenkeel_shared::view::{ClusterView, NodeView, ShardPhase};

use self::report::{OutageReport, OutageRow};
use self::victim::{How, VictimArguments, bystander, give_back, take_away, victim};
use crate::cli::confirm::{self, Consent};
use crate::cli::session::is_interactive;
use crate::cli::{CliError, Condition, Exit, Session, Until, json, line, node, note, output, wait};
use crate::drill::{Probe, ProbePlan, Watch};

/// Before and after a kill, at least so long is watched: a second gap may follow the first, and what
/// shards pause anyway is no outage.
const WINDOW: Duration = Duration::from_secs(2);
/// A shard that takes no write for so long is reported with that gap, and the run goes on.
const OUTAGE_MAX: Duration = Duration::from_secs(60);
/// How long the cluster may take to be whole again, its down time not counted.
const HEAL_MAX: Duration = Duration::from_secs(120);
/// How long balance is waited for.
const BALANCED_MAX: Duration = Duration::from_secs(10);
/// Between two looks at the gaps: it doesn't bear on the figures.
const LOOK: Duration = Duration::from_millis(20);

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
    /// How long each writer rests between two writes; without, they write as fast as they can, which
    /// is more than a cluster on one machine can take without pauses
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = humantime::parse_duration)]
    pace: Duration,
    /// How long each victim stays away
    #[arg(long = "for", value_name = "TIME", default_value = "2s",
          value_parser = humantime::parse_duration)]
    down: Duration,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, arguments: &OutageArguments) -> Result<Exit, CliError> {
    let view = heal(session, HEAL_MAX).await?;
    let consent =
        Consent { agreed: session.agreed(), overriding: None, interactive: is_interactive() };
    let (verb, times) = (arguments.by.verb(), arguments.kills);
    note(format!("this {verb} nodes of cluster {} {times} times", view.cluster));
    confirm::ask(&confirm::question(Harm::Risk, arguments.by.word(), consent))?;
    let plan = ProbePlan {
        prefix: "bench/outage/".to_owned(),
        writers: usize::try_from(arguments.writers).unwrap_or(usize::MAX),
        keys: 1,
        pace: arguments.pace,
    };
    let probe = Probe::start(&session.store(), &view, &plan).await?;
    let (watch, all) = (&probe.watch, probe.shards());
    watch.alive(&all, Duration::ZERO, OUTAGE_MAX).await;
    let mut kills = Vec::new();
    for _ in 0..arguments.kills {
        let row = one(session, arguments, &all, watch).await?;
        if !session.json() {
            line(row.text(arguments.by))?;
        }
        if arguments.by == How::Switchover {
            give_back(session, &row.node).await?;
        }
        kills.push(row);
        heal(session, arguments.down + HEAL_MAX).await?;
    }
    let report = OutageReport::of(arguments.by, kills, arguments.writers, watch);
    drop(probe);
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
    watch.gaps().reset();
    watch.alive(all, crate::clock::now() + WINDOW, OUTAGE_MAX).await;
    let before = longest(watch, all);
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
    watch.alive(all, begun + WINDOW, OUTAGE_MAX).await;
    let after = longest(watch, all);
    Ok(OutageRow::of(victim.name, &led, &before, &after))
}

/// The longest gap of each of these shards.
fn longest(watch: &Watch, shards: &[ShardId]) -> BTreeMap<ShardId, Duration> {
    let (tracks, now) = (watch.gaps(), crate::clock::now());
    shards.iter().filter_map(|shard| Some((*shard, tracks.longest(*shard, now)?))).collect()
}

mod report;
mod victim;

#[cfg(test)]
mod tests;
