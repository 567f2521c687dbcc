//! What a drill has shown, and whether its hypothesis held. Pure.

mod text;

#[cfg(test)]
mod tests;

use std::time::Duration;

use evenkeel_shared::explain::Phases;
use evenkeel_shared::ids::ShardId;
use serde::{Deserialize, Serialize};

use super::format::{measured, milliseconds, span};
use super::history::Earlier;
use super::probe::Counts;
use super::script::Hypothesis;

pub(crate) use text::phases_words;

/// How a drill came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// It ran to its end, and everything held.
    Passed,
    /// It ran to its end, and something did not hold.
    Failed,
    /// It did not run to its end.
    Stopped,
}

/// A whole run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// The drill's name.
    pub(crate) drill: String,
    /// What it tries.
    pub(crate) about: String,
    /// The cluster.
    pub(crate) cluster: String,
    /// How it came out.
    pub(crate) verdict: Verdict,
    /// Why it did not run to its end, if it did not.
    pub(crate) why: Option<String>,
    /// What to try then.
    pub(crate) r#try: Option<String>,
    /// Each line of the hypothesis, and whatever else must hold.
    pub(crate) hypothesis: Vec<Line>,
    /// The longest write outage of any probed shard.
    pub(crate) outage_ms: Option<f64>,
    /// The longest pause of any probed shard in the second before the first step.
    pub(crate) quiet_ms: Option<f64>,
    /// Each probed shard.
    pub(crate) shards: Vec<ShardRow>,
    /// Each step that was begun.
    pub(crate) steps: Vec<StepRow>,
    /// Each failover that the journal tells of.
    pub(crate) failovers: Vec<Failover>,
    /// Writes acknowledged.
    pub(crate) acknowledged: u64,
    /// Of those, how often one was read back.
    pub(crate) checked: u64,
    /// Acknowledged writes that were gone.
    pub(crate) lost: u64,
    /// Keys of those, the first few.
    pub(crate) lost_keys: Vec<String>,
    /// Acknowledged writes that could not be read back.
    pub(crate) not_read: u64,
    /// Requests whose outcome is not known.
    pub(crate) unknown: u64,
    /// Requests that failed.
    pub(crate) errors: u64,
    /// Why, the first few.
    pub(crate) reasons: Vec<String>,
    /// What was healed at the end, and what is left.
    pub(crate) healed: Vec<String>,
    /// When it began, in milliseconds since 1970.
    pub(crate) started_unix_ms: u64,
    /// How long it took.
    pub(crate) took_ms: u64,
    /// What runs of the same drill on the same cluster have shown before.
    pub(crate) earlier: Option<Earlier>,
}

/// One line of a hypothesis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    /// What is measured.
    pub(crate) what: String,
    /// What was expected.
    pub(crate) expected: String,
    /// What was measured.
    pub(crate) measured: String,
    /// Whether it holds.
    pub(crate) holds: bool,
}

/// One probed shard.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ShardRow {
    /// Its number at the start.
    pub(crate) shard: u32,
    /// Its keyspace.
    pub(crate) keyspace: String,
    /// The longest time without an acknowledged write; `None`: it never took one.
    pub(crate) outage_ms: Option<f64>,
    /// Writes acknowledged.
    pub(crate) writes: u64,
    /// Requests that failed or were not answered.
    pub(crate) failed: u64,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct StepRow {
    /// Counts from 1.
    pub(crate) number: usize,
    /// What was to be done.
    pub(crate) what: String,
    /// What came of it.
    pub(crate) done: Vec<String>,
    /// How long it took; `None`: it did not end.
    pub(crate) took_ms: Option<u64>,
}

/// One failover.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Failover {
    /// In which step.
    pub(crate) step: usize,
    /// Of which shard.
    pub(crate) shard: u32,
    /// The node that leads it now.
    pub(crate) leader: Option<String>,
    /// What the journal says.
    pub(crate) what: String,
    /// Its parts, in microseconds.
    pub(crate) phases: Phases,
}

/// A comparison that is none of the hypothesis, as of the records of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// What is compared.
    pub(crate) what: String,
    /// How many there are.
    pub(crate) of: u64,
    /// How many are as expected.
    pub(crate) as_expected: u64,
}

/// What was measured, for the hypothesis to be held against.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// The longest outage of each probed shard; `None`: it never took a write.
    pub(crate) outages: Vec<(ShardId, Option<Duration>)>,
    /// Counts of the probe.
    pub(crate) counts: Counts,
    /// Comparisons of steps.
    pub(crate) comparisons: Vec<Comparison>,
}

impl Figures {
    /// The longest outage of any; `None` when one of them never took a write.
    pub(crate) fn longest(&self) -> Option<Duration> {
        let all: Option<Vec<Duration>> = self.outages.iter().map(|(_, outage)| *outage).collect();
        all?.into_iter().max()
    }
}

/// Holds what was measured against what was expected.
pub(crate) fn judge(hypothesis: &Hypothesis, figures: &Figures) -> Vec<Line> {
    let counts = &figures.counts;
    let mut lines = vec![outage_line(hypothesis.outage, figures)];
    let unread = match counts.not_read {
        0 => String::new(),
        // What is not known is never 0 (law 2).
        some => format!(", and {some} could not be read back"),
    };
    lines.push(Line {
        what: "acknowledged writes lost".to_owned(),
        expected: at_most(hypothesis.lost),
        measured: format!("{}{unread}", counts.lost),
        holds: counts.lost <= hypothesis.lost && counts.not_read == 0,
    });
    if let Some(most) = hypothesis.failed {
        let failed = counts.errors + counts.unknown;
        lines.push(Line {
            what: "requests failed or not answered".to_owned(),
            expected: at_most(most),
            measured: failed.to_string(),
            holds: failed <= most,
        });
    }
    lines.extend(figures.comparisons.iter().map(|compared| Line {
        what: compared.what.clone(),
        expected: format!("{} of {}", compared.of, compared.of),
        measured: format!("{} of {}", compared.as_expected, compared.of),
        holds: compared.of > 0 && compared.as_expected == compared.of,
    }));
    lines
}

/// Whether a run passed whose lines are these.
pub(crate) fn verdict(lines: &[Line], stopped: bool) -> Verdict {
    match (stopped, lines.iter().all(|line| line.holds)) {
        (true, _) => Verdict::Stopped,
        (false, true) => Verdict::Passed,
        (false, false) => Verdict::Failed,
    }
}

fn outage_line(most: Duration, figures: &Figures) -> Line {
    let longest = figures.longest();
    let by = figures.outages.iter().find(|(_, outage)| *outage == longest).map(|(shard, _)| shard);
    Line {
        what: "longest write outage of a shard".to_owned(),
        expected: format!("at most {}", span(most)),
        measured: match (longest, by) {
            (Some(longest), Some(shard)) => format!("{} ({shard})", measured(longest)),
            (_, Some(shard)) => format!("not known: {shard} never took a write"),
            _ => "not known: nothing was probed".to_owned(),
        },
        holds: longest.is_some_and(|longest| longest <= most),
    }
}

fn at_most(most: u64) -> String {
    if most == 0 { "0".to_owned() } else { format!("at most {most}") }
}

/// The rows of probed shards.
pub(crate) fn shard_rows(figures: &Figures, keyspace: impl Fn(ShardId) -> String) -> Vec<ShardRow> {
    let row = |(shard, outage): &(ShardId, Option<Duration>)| ShardRow {
        shard: shard.0,
        keyspace: keyspace(*shard),
        outage_ms: outage.map(milliseconds),
        writes: figures.counts.writes.get(shard).copied().unwrap_or_default(),
        failed: figures.counts.troubled.get(shard).copied().unwrap_or_default(),
    };
    figures.outages.iter().map(row).collect()
}
