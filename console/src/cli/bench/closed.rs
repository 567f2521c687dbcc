//! A closed loop: so many clients, each sending its next request when the last is answered.
//!
//! An unknown outcome is counted apart from an error, and neither is a latency.

use std::time::Duration;

use evenkeel_shared::client::{ClientError, StoreHandle};
use evenkeel_shared::limits::VALUE_BYTES_MAX;
use futures::future::join_all;
use hdrhistogram::Histogram;
use serde::Serialize;

use crate::cli::arguments::size;
use crate::cli::target::Writing;
use crate::cli::{CliError, Exit, Session, format, json, line};
use crate::random::Stream;

/// Latencies above this are counted as this much.
const LATENCY_US_MAX: u64 = 600_000_000;

/// Flags of the command.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ClosedArguments {
    /// Requests under way at once
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    clients: u32,
    /// How long
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    secs: u64,
    /// Length of each value
    #[arg(long, default_value = "256", value_parser = value_size)]
    value_bytes: u64,
    /// Keys in use
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,
    #[command(flatten)]
    writing: Writing,
}

/// What to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mix {
    /// Writes.
    Put,
    /// Reads.
    Get,
    /// One after the other.
    Half,
}

/// What `bench --json` prints.
#[derive(Debug, Serialize)]
struct BenchReport {
    op: &'static str,
    clients: u32,
    ops_s: f64,
    p50_us: u64,
    p99_us: u64,
    p999_us: u64,
    errors: u64,
    unknown: u64,
    ops: u64,
    seconds: f64,
    max_us: u64,
    value_bytes: u64,
    keys: u64,
    /// Reads that found no record: no latency of a lookup that never reached a value.
    not_found: u64,
}

/// What one client has seen.
struct Tally {
    latencies_us: Histogram<u64>,
    errors: u64,
    unknown: u64,
    not_found: u64,
}

/// A value's size: one that no shard takes would only be refused, request after request.
fn value_size(text: &str) -> Result<u64, String> {
    let bytes = size(text)?;
    let max = VALUE_BYTES_MAX as u64;
    if bytes <= max { Ok(bytes) } else { Err(format!("a value has at most {max} bytes")) }
}

/// Runs the command.
pub(crate) async fn run(
    session: &Session,
    mix: Mix,
    arguments: &ClosedArguments,
) -> Result<Exit, CliError> {
    // Nothing is measured of a cluster that isn't there.
    session.view().await?;
    let store = arguments.writing.store(session).await?;
    let started = crate::clock::now();
    let over = started + Duration::from_secs(arguments.secs);
    let clients = (0..arguments.clients.max(1)).map(|_| {
        let (store, arguments) = (store.clone(), arguments.clone());
        tokio::spawn(async move { client(&store, mix, &arguments, over).await })
    });
    let mut total = Tally::new();
    for tally in join_all(clients).await {
        total.add(&tally.map_err(|error| CliError::local("run a client", &error))?);
    }
    let report = total.report(mix, arguments, crate::clock::now().saturating_sub(started));
    if session.json() {
        json(&report)?;
    } else {
        line(report.text())?;
    }
    Ok(if report.errors + report.unknown == 0 { Exit::Done } else { Exit::Degraded })
}

async fn client(
    store: &StoreHandle,
    mix: Mix,
    arguments: &ClosedArguments,
    over: Duration,
) -> Tally {
    let mut random = Stream::new(crate::random::bits());
    let value = random.bytes(usize::try_from(arguments.value_bytes).unwrap_or(usize::MAX));
    let mut tally = Tally::new();
    let mut writes = mix != Mix::Get;
    loop {
        let began = crate::clock::now();
        if began >= over {
            return tally;
        }
        let key = format!("bench/{:08}", random.below(arguments.keys)).into();
        let outcome = if writes {
            store.put(key, value.clone()).await.map(|_| true)
        } else {
            store.get(key).await.map(|reply| reply.found.is_some())
        };
        tally.count(&outcome, crate::clock::now().saturating_sub(began));
        if mix == Mix::Half {
            writes = !writes;
        }
    }
}

impl Tally {
    fn new() -> Self {
        let latencies_us = Histogram::new_with_max(LATENCY_US_MAX, 3)
            .expect("three digits up to ten minutes are within the histogram's limits");
        Self { latencies_us, errors: 0, unknown: 0, not_found: 0 }
    }

    fn count(&mut self, outcome: &Result<bool, ClientError>, took: Duration) {
        match outcome {
            Ok(found) => {
                self.not_found += u64::from(!*found);
                let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                self.latencies_us.saturating_record(micros);
            }
            Err(ClientError::Unknown { .. }) => self.unknown += 1,
            Err(_) => self.errors += 1,
        }
    }

    fn add(&mut self, other: &Self) {
        self.latencies_us
            .add(&other.latencies_us)
            .expect("all histograms are made with the same bounds");
        self.errors += other.errors;
        self.unknown += other.unknown;
        self.not_found += other.not_found;
    }

    fn report(&self, mix: Mix, arguments: &ClosedArguments, took: Duration) -> BenchReport {
        let latencies = &self.latencies_us;
        BenchReport {
            op: match mix {
                Mix::Put => "put",
                Mix::Get => "get",
                Mix::Half => "mix",
            },
            clients: arguments.clients,
            ops_s: format::rounded(format::rate(latencies.len(), took), 1),
            p50_us: latencies.value_at_quantile(0.5),
            p99_us: latencies.value_at_quantile(0.99),
            p999_us: latencies.value_at_quantile(0.999),
            errors: self.errors,
            unknown: self.unknown,
            ops: latencies.len(),
            seconds: format::rounded(took.as_secs_f64(), 3),
            max_us: latencies.max(),
            value_bytes: arguments.value_bytes,
            keys: arguments.keys,
            not_found: self.not_found,
        }
    }
}

impl BenchReport {
    fn text(&self) -> String {
        let mut text = format!(
            "{} ×{}: {:.0}/s, p50 {}, p99 {}, p99.9 {}, max {} ({} in {:.1} s)",
            self.op,
            self.clients,
            self.ops_s,
            format::micros(self.p50_us),
            format::micros(self.p99_us),
            format::micros(self.p999_us),
            format::micros(self.max_us),
            self.ops,
            self.seconds
        );
        for (number, what) in [
            (self.errors, "errors"),
            (self.unknown, "of unknown outcome"),
            (self.not_found, "reads found no record: run `evenkeel bench put` first"),
        ] {
            if number > 0 {
                format::append(&mut text, format_args!("\n{number} {what}"));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::{Fake, Trouble};

    fn arguments() -> ClosedArguments {
        let writing = Writing::default();
        ClosedArguments { clients: 4, secs: 1, value_bytes: 16, keys: 10, writing }
    }

    #[test]
    fn json_has_the_fields_of_the_contract() {
        let mut tally = Tally::new();
        tally.count(&Ok(true), Duration::from_micros(500));
        tally.count(
            &Err(ClientError::Unknown { attempts: 1, last: String::new(), persisted_by: None }),
            Duration::ZERO,
        );
        let report = tally.report(Mix::Put, &arguments(), Duration::from_secs(1));
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["op"], "put");
        assert_eq!(json["clients"], 4);
        assert_eq!(json["ops_s"], 1.0);
        for field in ["p50_us", "p99_us", "p999_us"] {
            assert_eq!(json[field], 500, "{field}");
        }
        assert_eq!((&json["errors"], &json["unknown"]), (&0.into(), &1.into()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_mix_writes_and_reads_until_its_time_is_over() {
        let fake = Fake::start(Trouble::None).await;
        let over = crate::clock::now() + Duration::from_millis(50);
        let tally = client(&fake.session().store(), Mix::Half, &arguments(), over).await;
        assert!(fake.applied() > 0);
        assert!(tally.latencies_us.len() >= fake.applied());
        assert_eq!(tally.errors + tally.unknown, 0);
    }
}
