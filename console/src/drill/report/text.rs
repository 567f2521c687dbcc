//! A report as people read it: in lines for a terminal, as Markdown for a file. Pure.

use std::fmt::Write;

use evenkeel_shared::explain::{PHASES, Phases};

use super::{Report, Verdict};

impl Verdict {
    /// In capitals.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::Failed => "FAILED",
            Self::Stopped => "STOPPED",
        }
    }
}

impl Report {
    /// For a terminal.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        let took = seconds(self.took_ms);
        put(&mut out, format_args!("{} {} in {took}\n", self.drill, self.verdict.word()));
        if let Some(why) = &self.why {
            put(&mut out, format_args!("  why: {why}\n"));
        }
        for line in &self.hypothesis {
            let mark = if line.holds { "held " } else { "BROKE" };
            put(
                &mut out,
                format_args!(
                    "  {mark}  {}: {} (expected {})\n",
                    line.what, line.measured, line.expected
                ),
            );
        }
        if !self.shards.is_empty() {
            put(
                &mut out,
                format_args!("  {:<7} {:>11} {:>9} {:>7}\n", "SHARD", "OUTAGE", "WRITES", "FAILED"),
            );
        }
        for row in &self.shards {
            let name = format!("s{}", row.shard);
            let (outage, writes, failed) = (outage(row.outage_ms), row.writes, row.failed);
            put(&mut out, format_args!("  {name:<7} {outage:>11} {writes:>9} {failed:>7}\n"));
        }
        put(
            &mut out,
            format_args!(
                "  {} writes acknowledged, {} read back, {} lost, {} of unknown outcome, {} \
                 requests failed\n",
                self.acknowledged, self.checked, self.lost, self.unknown, self.errors
            ),
        );
        for reason in self.reasons.iter().chain(&self.lost_keys) {
            put(&mut out, format_args!("    {reason}\n"));
        }
        for words in self.quiet_words().into_iter().chain(self.earlier_words()) {
            put(&mut out, format_args!("  {words}\n"));
        }
        out
    }

    /// For a file.
    pub(crate) fn markdown(&self) -> String {
        let mut out = String::new();
        let Self { drill, about, cluster, verdict, .. } = self;
        put(&mut out, format_args!("# Drill {drill}: {}\n\n{about}\n\n", verdict.word()));
        put(
            &mut out,
            format_args!(
                "Cluster {cluster}, {}, ",
                crate::drill::history::day(self.started_unix_ms)
            ),
        );
        put(&mut out, format_args!("{}.\n", seconds(self.took_ms)));
        if let Some(why) = &self.why {
            put(&mut out, format_args!("\n**It did not run to its end:** {why}.\n"));
        }
        out.push_str("\n## Hypothesis\n\n| | expected | measured | |\n|---|---|---|---|\n");
        for line in &self.hypothesis {
            let held = if line.holds { "held" } else { "**broke**" };
            let (what, expected, measured) = (&line.what, &line.expected, &line.measured);
            put(&mut out, format_args!("| {what} | {expected} | {measured} | {held} |\n"));
        }
        for words in self.quiet_words().into_iter().chain(self.earlier_words()) {
            put(&mut out, format_args!("\n{words}.\n"));
        }
        self.markdown_steps(&mut out);
        out.push_str("\n## Shards\n\n| shard | keyspace | outage | writes | failed |\n");
        out.push_str("|---|---|---:|---:|---:|\n");
        for row in &self.shards {
            let (outage, keyspace) = (outage(row.outage_ms), &row.keyspace);
            let (shard, writes, failed) = (row.shard, row.writes, row.failed);
            put(
                &mut out,
                format_args!("| s{shard} | {keyspace} | {outage} | {writes} | {failed} |\n"),
            );
        }
        self.markdown_requests(&mut out);
        out
    }

    fn markdown_steps(&self, out: &mut String) {
        out.push_str("\n## Steps\n\n");
        for step in &self.steps {
            let took = step.took_ms.map_or_else(|| "not ended".to_owned(), |ms| format!("{ms} ms"));
            put(out, format_args!("{}. {} ({took})\n", step.number, step.what));
            for done in &step.done {
                put(out, format_args!("   - {done}\n"));
            }
        }
        if !self.failovers.is_empty() {
            put(out, format_args!("\n## Failovers\n\n| step | what | {} |\n", PHASES.join(" | ")));
            out.push_str("|---|---|---:|---:|---:|---:|---:|\n");
        }
        for failover in &self.failovers {
            let parts = failover.phases.all().map(|part| part.map_or("–".to_owned(), millis));
            let (step, what) = (failover.step, &failover.what);
            put(out, format_args!("| {step} | {what} | {} |\n", parts.join(" | ")));
        }
    }

    fn markdown_requests(&self, out: &mut String) {
        put(
            out,
            format_args!(
                "\n## Requests\n\n{} writes acknowledged, {} read back, {} lost, {} could not be \
                 read back, {} of unknown outcome, {} requests failed.\n",
                self.acknowledged,
                self.checked,
                self.lost,
                self.not_read,
                self.unknown,
                self.errors
            ),
        );
        for reason in self.reasons.iter().chain(&self.lost_keys) {
            put(out, format_args!("- {reason}\n"));
        }
        if !self.healed.is_empty() {
            out.push_str("\n## Healed\n\n");
        }
        for healed in &self.healed {
            put(out, format_args!("- {healed}\n"));
        }
    }

    /// What a shard's pauses are when nothing is wrong.
    fn quiet_words(&self) -> Option<String> {
        let quiet = self.quiet_ms?;
        Some(format!("longest pause of a shard before the first step: {quiet:.1} ms"))
    }

    /// How it compares with earlier runs.
    fn earlier_words(&self) -> Option<String> {
        let earlier = self.earlier.as_ref()?;
        let runs = crate::drill::format::count(earlier.runs, "earlier run");
        let median = earlier.median_outage_ms;
        Some(match earlier.difference_ms {
            Some(difference) => {
                format!("median outage of {runs}: {median:.1} ms; this one {difference:+.1} ms")
            }
            None => format!("median outage of {runs}: {median:.1} ms"),
        })
    }
}

/// The parts of a failover in one line.
pub(crate) fn phases_words(phases: &Phases) -> String {
    let parts = PHASES.iter().zip(phases.all());
    let parts: Vec<String> =
        parts.filter_map(|(name, part)| Some(format!("{name} {}", millis(part?)))).collect();
    parts.join(", ")
}

#[expect(clippy::cast_precision_loss, reason = "a part of a failover is no 52 bits long")]
fn millis(micros: u64) -> String {
    format!("{:.1} ms", micros as f64 / 1e3)
}

fn seconds(took_ms: u64) -> String {
    format!("{}.{} s", took_ms / 1_000, took_ms % 1_000 / 100)
}

fn outage(figure: Option<f64>) -> String {
    figure.map_or_else(|| "not known".to_owned(), |ms| format!("{ms:.1} ms"))
}

fn put(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("memory takes what is written to it");
}
