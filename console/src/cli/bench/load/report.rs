//! What the clients have seen, and how it is told.
//!
//! An unknown outcome is counted apart from an error, and neither is a latency.

use std::time::Duration;

use evenkeel_shared::client::ClientError;
use hdrhistogram::Histogram;
use serde::Serialize;

use super::target::Failure;
use super::{LoadArguments, Mix};
use crate::cli::format;

/// Latencies above this are counted as this much.
const LATENCY_US_MAX: u64 = 600_000_000;

/// Reasons that are kept.
const REASONS_MAX: usize = 5;

/// What one client has seen.
pub(super) struct Tally {
    /// From when a request was due, or sent.
    latencies_us: Histogram<u64>,
    /// From when it was sent.
    service_us: Histogram<u64>,
    /// Keys written and read.
    keys: u64,
    errors: u64,
    /// Of the errors, those that said that there is too much to do.
    busy: u64,
    unknown: u64,
    not_found: u64,
    /// Why requests failed, the first few different reasons.
    reasons: Vec<String>,
}

/// What `bench --json` prints.
#[derive(Debug, Serialize)]
pub(super) struct BenchReport {
    op: &'static str,
    clients: u32,
    /// Keys written and read in a second.
    pub(super) ops_s: f64,
    p50_us: u64,
    p90_us: u64,
    p99_us: u64,
    p999_us: u64,
    pub(super) errors: u64,
    pub(super) unknown: u64,
    ops: u64,
    seconds: f64,
    max_us: u64,
    value_bytes: u64,
    keys: u64,
    /// Reads that found no record: no latency of a lookup that never reached a value.
    not_found: u64,
    /// `closed`, or `open` at a rate.
    #[serde(rename = "loop")]
    kind: &'static str,
    /// Requests a second that were due.
    rate: Option<u32>,
    /// Requests that were due and never sent, because every client was waiting.
    missed: u64,
    /// Latency from when a request was sent, whenever it was due.
    service_p99_us: u64,
    /// Keys in each request.
    batch: u16,
    /// Requests.
    requests: u64,
    /// `store`, `resp` or `resp-cluster`.
    protocol: &'static str,
    /// Errors that said that there is too much to do.
    busy: u64,
    /// Why requests failed, the first few different reasons.
    reasons: Vec<String>,
}

impl Tally {
    pub(super) fn new() -> Self {
        let histogram = || {
            Histogram::new_with_max(LATENCY_US_MAX, 3)
                .expect("three digits up to ten minutes are within the histogram's limits")
        };
        Self {
            latencies_us: histogram(),
            service_us: histogram(),
            keys: 0,
            errors: 0,
            busy: 0,
            unknown: 0,
            not_found: 0,
            reasons: Vec::new(),
        }
    }

    fn note(&mut self, reason: String) {
        if self.reasons.len() < REASONS_MAX && !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }

    /// Counts one request: how many keys it was for and how many of them were not found.
    pub(super) fn count(
        &mut self,
        outcome: &Result<u64, Failure>,
        keys: u64,
        latency: Duration,
        service: Duration,
    ) {
        if let Err(failure) = outcome
            && self.reasons.len() < REASONS_MAX
        {
            self.note(failure.to_string());
        }
        let micros = |took: Duration| u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        match outcome {
            Ok(not_found) => {
                self.keys += keys;
                self.not_found += not_found;
                self.latencies_us.saturating_record(micros(latency));
                self.service_us.saturating_record(micros(service));
            }
            Err(Failure::Client(ClientError::Unknown { .. }) | Failure::Lost) => {
                self.unknown += 1;
            }
            Err(error) => {
                self.errors += 1;
                self.busy += u64::from(error.is_busy());
            }
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (all, one) in [
            (&mut self.latencies_us, &other.latencies_us),
            (&mut self.service_us, &other.service_us),
        ] {
            all.add(one).expect("all histograms are made with the same bounds");
        }
        self.keys += other.keys;
        self.errors += other.errors;
        self.busy += other.busy;
        self.unknown += other.unknown;
        self.not_found += other.not_found;
        for reason in &other.reasons {
            self.note(reason.clone());
        }
    }

    #[cfg(test)]
    pub(super) fn requests(&self) -> u64 {
        self.latencies_us.len()
    }

    #[cfg(test)]
    pub(super) fn failed(&self) -> u64 {
        self.errors + self.unknown
    }
}

impl BenchReport {
    pub(super) fn of(
        tally: &Tally,
        mix: Mix,
        arguments: &LoadArguments,
        missed: u64,
        took: Duration,
    ) -> Self {
        let latencies = &tally.latencies_us;
        Self {
            op: mix.name(),
            clients: arguments.clients,
            ops_s: format::rounded(format::rate(tally.keys, took), 1),
            p50_us: latencies.value_at_quantile(0.5),
            p90_us: latencies.value_at_quantile(0.9),
            p99_us: latencies.value_at_quantile(0.99),
            p999_us: latencies.value_at_quantile(0.999),
            errors: tally.errors,
            unknown: tally.unknown,
            ops: tally.keys,
            seconds: format::rounded(took.as_secs_f64(), 3),
            max_us: latencies.max(),
            value_bytes: arguments.value_bytes,
            keys: arguments.keys,
            not_found: tally.not_found,
            kind: if arguments.rate.is_some() { "open" } else { "closed" },
            rate: arguments.rate,
            missed,
            service_p99_us: tally.service_us.value_at_quantile(0.99),
            batch: arguments.batch,
            requests: latencies.len(),
            protocol: if !arguments.resp.is_empty() {
                "resp"
            } else if arguments.resp_cluster.is_empty() {
                "store"
            } else {
                "resp-cluster"
            },
            busy: tally.busy,
            reasons: tally.reasons.clone(),
        }
    }

    pub(super) fn text(&self) -> String {
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
        if self.batch > 1 {
            format::append(&mut text, format_args!(", {} keys a request", self.batch));
        }
        if let Some(rate) = self.rate {
            format::append(
                &mut text,
                format_args!(
                    "\n{rate}/s were due: latencies count from then; from when they were sent, p99 \
                     {}",
                    format::micros(self.service_p99_us)
                ),
            );
        }
        format::append_counts(
            &mut text,
            &[
                (self.errors, "errors"),
                (self.busy, "of them said that there is too much to do"),
                (self.unknown, "of unknown outcome"),
                (self.missed, "were due and never sent: all clients were waiting, give it more"),
                (self.not_found, "reads found no record: run `evenkeel bench put` first"),
            ],
        );
        for reason in &self.reasons {
            format::append(&mut text, format_args!("\n  {reason}"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Words {
        #[command(flatten)]
        load: LoadArguments,
    }

    fn report(words: &[&str], tally: &Tally) -> serde_json::Value {
        let words = std::iter::once(&"bench").chain(words);
        let arguments = Words::parse_from(words).load;
        let report = BenchReport::of(tally, Mix::Put, &arguments, 0, Duration::from_secs(1));
        serde_json::to_value(&report).unwrap()
    }

    #[test]
    fn json_has_the_fields_of_the_contract() {
        let mut tally = Tally::new();
        tally.count(&Ok(0), 1, Duration::from_micros(500), Duration::from_micros(400));
        let unknown = ClientError::Unknown { attempts: 1, last: String::new(), persisted_by: None };
        tally.count(&Err(Failure::Client(unknown)), 1, Duration::ZERO, Duration::ZERO);
        let json = report(&["--clients", "4"], &tally);
        assert_eq!(json["op"], "put");
        assert_eq!(json["clients"], 4);
        assert_eq!(json["ops_s"], 1.0);
        for field in ["p50_us", "p99_us", "p999_us"] {
            assert_eq!(json[field], 500, "{field}");
        }
        assert_eq!(json["service_p99_us"], 400);
        assert_eq!((&json["errors"], &json["unknown"]), (&0.into(), &1.into()));
        assert_eq!((&json["loop"], &json["protocol"]), (&"closed".into(), &"store".into()));
    }

    #[test]
    fn a_batch_counts_its_keys_and_busy_is_an_error() {
        let mut tally = Tally::new();
        tally.count(&Ok(3), 16, Duration::from_micros(5), Duration::from_micros(5));
        let busy = evenkeel_shared::error::StoreError::Busy { what: "the queue".to_owned() };
        tally.count(&Err(Failure::Client(busy.into())), 16, Duration::ZERO, Duration::ZERO);
        let json = report(&["--rate", "10", "--batch", "16", "--resp", "a:1"], &tally);
        assert_eq!((&json["ops"], &json["requests"]), (&16.into(), &1.into()));
        assert_eq!((&json["errors"], &json["busy"]), (&1.into(), &1.into()));
        assert_eq!((&json["not_found"], &json["loop"]), (&3.into(), &"open".into()));
        assert_eq!(json["protocol"], "resp");
    }
}
