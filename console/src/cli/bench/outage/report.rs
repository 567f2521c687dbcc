//! What a run of outages has shown.

use std::collections::BTreeMap;
use std::time::Duration;

use evenkeel_shared::ids::ShardId;
use serde::Serialize;

use super::victim::How;
use crate::cli::format;
use crate::drill::{Spread, Watch, milliseconds};

/// What `bench outage --json` prints.
#[derive(Debug, Serialize)]
pub(super) struct OutageReport {
    by: &'static str,
    kills: Vec<OutageRow>,
    writers: u32,
    samples: usize,
    outage_ms: Option<Spread>,
    before_ms: Option<Spread>,
    others_longest_ms: f64,
    acknowledged: u64,
    unknown: u64,
    errors: u64,
    reasons: Vec<String>,
}

/// One time.
#[derive(Debug, Serialize)]
pub(super) struct OutageRow {
    pub(super) node: String,
    longest_ms: f64,
    others_longest_ms: f64,
    /// Of any shard, in the same time before.
    before_longest_ms: f64,
    shards: Vec<ShardOutage>,
    #[serde(skip)]
    gaps: Vec<Duration>,
    #[serde(skip)]
    before: Vec<Duration>,
}

#[derive(Debug, Serialize)]
struct ShardOutage {
    shard: u32,
    outage_ms: f64,
    before_ms: f64,
}

impl OutageRow {
    /// From the longest gaps of all shards, before and after.
    pub(super) fn of(
        node: String,
        led: &[ShardId],
        before: &BTreeMap<ShardId, Duration>,
        after: &BTreeMap<ShardId, Duration>,
    ) -> Self {
        let gap = |of: &BTreeMap<ShardId, Duration>, shard: &ShardId| {
            of.get(shard).copied().unwrap_or_default()
        };
        let longest =
            |gaps: &[Duration]| milliseconds(gaps.iter().copied().max().unwrap_or_default());
        let others = after.iter().filter(|(shard, _)| !led.contains(shard));
        let others: Vec<Duration> = others.map(|(_, gap)| *gap).collect();
        let all_before: Vec<Duration> = before.values().copied().collect();
        let gaps: Vec<Duration> = led.iter().map(|shard| gap(after, shard)).collect();
        let shard = |shard: &ShardId| ShardOutage {
            shard: shard.0,
            outage_ms: milliseconds(gap(after, shard)),
            before_ms: milliseconds(gap(before, shard)),
        };
        Self {
            node,
            longest_ms: longest(&gaps),
            others_longest_ms: longest(&others),
            before_longest_ms: longest(&all_before),
            shards: led.iter().map(shard).collect(),
            gaps,
            before: led.iter().map(|shard| gap(before, shard)).collect(),
        }
    }

    pub(super) fn text(&self, by: How) -> String {
        let led = format::count(self.shards.len(), "shard");
        let Self { node, longest_ms, others_longest_ms, before_longest_ms, .. } = self;
        format!(
            "{} {node}, which led {led}: longest outage {longest_ms} ms, of other shards \
             {others_longest_ms} ms; of any in the same time before {before_longest_ms} ms",
            by.done()
        )
    }
}

impl OutageReport {
    pub(super) fn of(by: How, kills: Vec<OutageRow>, writers: u32, watch: &Watch) -> Self {
        let gaps: Vec<Duration> = kills.iter().flat_map(|kill| kill.gaps.clone()).collect();
        let before: Vec<Duration> = kills.iter().flat_map(|kill| kill.before.clone()).collect();
        let others = kills.iter().map(|kill| kill.others_longest_ms);
        let counts = watch.counts().clone();
        Self {
            by: by.word(),
            others_longest_ms: others.fold(0.0, f64::max),
            kills,
            writers,
            samples: gaps.len(),
            outage_ms: Spread::of(&gaps),
            before_ms: Spread::of(&before),
            acknowledged: counts.acknowledged,
            unknown: counts.unknown,
            errors: counts.errors,
            reasons: counts.reasons,
        }
    }

    pub(super) fn text(&self) -> String {
        let spread = |figures: Option<Spread>| {
            figures.map_or_else(
                || "no figures".to_owned(),
                |s| {
                    format!(
                        "min {} / median {} / p90 {} / max {} ms",
                        s.min, s.median, s.p90, s.max
                    )
                },
            )
        };
        let mut text = format!(
            "write outage over {} times, {} shards: {}\n\
             longest pause of the same shards in the same time before: {}\n\
             longest pause of any other shard: {} ms\n\
             {} writes acknowledged, {} of unknown outcome, {} failed\n",
            self.kills.len(),
            self.samples,
            spread(self.outage_ms),
            spread(self.before_ms),
            self.others_longest_ms,
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
