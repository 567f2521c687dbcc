//! Counts with many requests under way at once, through whatever happens to the cluster, and then
//! compares: what the counters show must be exactly what was acknowledged.
//!
//! An add whose outcome is not known is sent again under the same id until it is answered, so that
//! in the end nothing is unknown; one that was applied twice, or not at all, shows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use evenkeel_shared::client::{ClientError, StoreHandle};
use evenkeel_shared::command::{OperationResult, WriteAction};
use futures::future::join_all;
use serde::Serialize;

use crate::cli::target::InKeyspace;
use crate::cli::{CliError, Exit, Session, format, json, line, note};

/// How long one attempt may take before it counts as unknown and is sent again.
const ATTEMPT: Duration = Duration::from_secs(5);
/// How long one add may stay without an answer: a shard that is gone for good ends the run.
const ADD_MAX: Duration = Duration::from_secs(120);

/// Flags of the command.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct CountArguments {
    /// How many adds in all
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    adds: u64,
    /// Adds under way at once
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    clients: u32,
    /// Counters that they are spread over
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    counters: u32,
    #[command(flatten)]
    within: InKeyspace,
}

/// What `bench count --json` prints.
#[derive(Debug, PartialEq, Serialize)]
struct CountReport {
    adds: u64,
    acknowledged: u64,
    /// Attempts whose outcome was not known, and that were sent again under the same id.
    resent: u64,
    /// Adds that were never answered.
    unresolved: u64,
    /// Adds that were refused: nothing took effect.
    refused: u64,
    /// What the counters show more than at the start.
    counted: i64,
    exact: bool,
    seconds: f64,
    ops_s: f64,
}

#[derive(Default)]
struct Tally {
    next: AtomicU64,
    acknowledged: AtomicU64,
    resent: AtomicU64,
    unresolved: AtomicU64,
    refused: AtomicU64,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, arguments: &CountArguments) -> Result<Exit, CliError> {
    session.view().await?;
    let store = arguments.within.store(session).await?;
    // Counters of its own: another run at the same time must not be counted here.
    let run = crate::random::bits();
    let keys = (0..arguments.counters).map(|number| Bytes::from(format!("count/{run:x}/{number}")));
    let keys: Arc<[Bytes]> = keys.collect();
    let started = crate::clock::now();
    let tally = Arc::new(Tally::default());
    let clients = (0..arguments.clients).map(|_| {
        let (store, keys, tally) = (store.clone(), keys.clone(), tally.clone());
        let adds = arguments.adds;
        tokio::spawn(async move { client(&store, &keys, adds, &tally).await })
    });
    for ended in join_all(clients).await {
        ended.map_err(|error| CliError::local("run a client", &error))?;
    }
    let took = crate::clock::now().saturating_sub(started);
    let counted = counted(&store, &keys).await?;
    let report = CountReport::of(arguments.adds, &tally, counted, took);
    if session.json() {
        json(&report)?;
    } else {
        line(report.text())?;
    }
    Ok(if report.exact { Exit::Done } else { Exit::Degraded })
}

async fn client(store: &StoreHandle, keys: &[Bytes], adds: u64, tally: &Tally) {
    loop {
        let number = tally.next.fetch_add(1, Ordering::Relaxed);
        if number >= adds {
            return;
        }
        let key = &keys[usize::try_from(number % keys.len() as u64).unwrap_or(0)];
        let outcome = match add(store, key, tally).await {
            Some(OperationResult::Counted { .. }) => &tally.acknowledged,
            Some(OperationResult::Forgotten) | None => &tally.unresolved,
            Some(_) => &tally.refused,
        };
        outcome.fetch_add(1, Ordering::Relaxed);
    }
}

/// One add, sent again until it is answered; `None`: it never was.
async fn add(store: &StoreHandle, key: &Bytes, tally: &Tally) -> Option<OperationResult> {
    let item = store.item(key.clone(), WriteAction::Add { by: 1 });
    let over = crate::clock::now() + ADD_MAX;
    let mut unknown = false;
    while crate::clock::now() < over {
        match store.write(item.clone(), ATTEMPT).await {
            Ok(reply) => return Some(reply.result),
            Err(ClientError::Unknown { .. }) => {
                unknown = true;
                tally.resent.fetch_add(1, Ordering::Relaxed);
            }
            // Nothing was done by this attempt; one before it may have been.
            Err(ClientError::Unavailable { .. }) => {}
            Err(error @ ClientError::Refused(_)) => {
                note(format!("{error}"));
                return (!unknown).then_some(OperationResult::NotOwned);
            }
        }
    }
    None
}

async fn counted(store: &StoreHandle, keys: &[Bytes]) -> Result<i64, CliError> {
    let mut sum = 0i64;
    for key in keys {
        let reply = store.get(key.clone()).await?;
        let Some((value, _)) = reply.found else { continue };
        let shown = std::str::from_utf8(&value).ok().and_then(|text| text.parse::<i64>().ok());
        let shown = shown.ok_or_else(|| {
            CliError::refused(format!("{key:?} shows {value:?}, which is no number"), "")
        })?;
        sum = sum.saturating_add(shown);
    }
    Ok(sum)
}

impl CountReport {
    fn of(adds: u64, tally: &Tally, counted: i64, took: Duration) -> Self {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let acknowledged = read(&tally.acknowledged);
        let unresolved = read(&tally.unresolved);
        let shown = u64::try_from(counted).unwrap_or(0);
        Self {
            adds,
            acknowledged,
            resent: read(&tally.resent),
            unresolved,
            refused: read(&tally.refused),
            counted,
            // What was never answered may have taken effect, and nothing else may.
            exact: (acknowledged..=acknowledged + unresolved).contains(&shown),
            seconds: format::rounded(took.as_secs_f64(), 3),
            ops_s: format::rounded(format::rate(acknowledged, took), 1),
        }
    }

    fn text(&self) -> String {
        format!(
            "{} adds: {} acknowledged, {} sent again, {} never answered, {} refused; the counters \
             show {}: {} ({:.0}/s)",
            self.adds,
            self.acknowledged,
            self.resent,
            self.unresolved,
            self.refused,
            self.counted,
            if self.exact { "exact" } else { "WRONG" },
            self.ops_s
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(acknowledged: u64, unresolved: u64, counted: i64) -> CountReport {
        let tally = Tally {
            acknowledged: acknowledged.into(),
            unresolved: unresolved.into(),
            ..Tally::default()
        };
        CountReport::of(acknowledged + unresolved, &tally, counted, Duration::from_secs(1))
    }

    #[test]
    fn an_add_applied_twice_or_lost_shows() {
        assert!(report(100, 0, 100).exact);
        assert!(!report(100, 0, 101).exact, "applied twice");
        assert!(!report(100, 0, 99).exact, "acknowledged and lost");
        assert!(!report(100, 0, -1).exact);
        assert!(report(100, 2, 101).exact, "one that was never answered took effect");
        assert!(!report(100, 2, 103).exact);
    }
}
