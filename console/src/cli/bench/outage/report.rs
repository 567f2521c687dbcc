//! What a run of outages has shown.

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
    shards: Vec<ShardOutage>,
    #[serde(skip)]
    gaps: Vec<Duration>,
}

#[derive(Debug, Serialize)]
struct ShardOutage {
    shard: u32,
    outage_ms: f64,
}

impl OutageRow {
    pub(super) fn of(
        node: String,
        gaps: &[(ShardId, Duration)],
        others: &[(ShardId, Duration)],
    ) -> Self {
        let longest = |gaps: &[(ShardId, Duration)]| {
            milliseconds(gaps.iter().map(|(_, gap)| *gap).max().unwrap_or_default())
        };
        let (longest_ms, others_longest_ms) = (longest(gaps), longest(others));
        let shards = gaps
            .iter()
            .map(|(shard, gap)| ShardOutage { shard: shard.0, outage_ms: milliseconds(*gap) })
            .collect();
        let gaps = gaps.iter().map(|(_, gap)| *gap).collect();
        Self { node, longest_ms, others_longest_ms, shards, gaps }
    }

    pub(super) fn text(&self, by: How) -> String {
        let led = format::count(self.shards.len(), "shard");
        let Self { node, longest_ms, others_longest_ms, .. } = self;
        format!(
            "{} {node}, which led {led}: longest outage {longest_ms} ms, of other shards \
             {others_longest_ms} ms",
            by.done()
        )
    }
}

impl OutageReport {
    pub(super) fn of(by: How, kills: Vec<OutageRow>, writers: u32, watch: &Watch) -> Self {
        let gaps: Vec<Duration> = kills.iter().flat_map(|kill| kill.gaps.clone()).collect();
        let others = kills.iter().map(|kill| kill.others_longest_ms);
        let counts = watch.counts().clone();
        Self {
            by: by.word(),
            others_longest_ms: others.fold(0.0, f64::max),
            kills,
            writers,
            samples: gaps.len(),
            outage_ms: Spread::of(&gaps),
            acknowledged: counts.acknowledged,
            unknown: counts.unknown,
            errors: counts.errors,
            reasons: counts.reasons,
        }
    }

    pub(super) fn text(&self) -> String {
        let spread = self.outage_ms.map_or_else(
            || "no figures".to_owned(),
            |s| format!("min {} / median {} / p90 {} / max {} ms", s.min, s.median, s.p90, s.max),
        );
        let mut text = format!(
            "write outage over {} times, {} shards: {spread}\n\
             longest pause of any other shard: {} ms\n\
             {} writes acknowledged, {} of unknown outcome, {} failed\n",
            self.kills.len(),
            self.samples,
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
