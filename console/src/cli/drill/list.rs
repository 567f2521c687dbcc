//! `evenkeel drill list`: the shipped drills, and what earlier runs have shown.

use serde::Serialize;

use crate::cli::table::{Align, Table};
use crate::cli::{CliError, Exit, Session, format, json, output};
use crate::drill::history::{self, Run};
use crate::drill::shipped::SHIPPED;
use crate::drill::{self, Verdict};

/// One element of `drill list --json`.
#[derive(Debug, Serialize)]
struct DrillRow {
    name: &'static str,
    about: String,
    last: Option<Verdict>,
    last_unix_ms: Option<u64>,
    cluster: Option<String>,
    runs: usize,
    median_outage_ms: Option<f64>,
}

/// Runs the command.
pub(super) fn run(session: &Session) -> Result<Exit, CliError> {
    let runs = load()?;
    let rows: Result<Vec<DrillRow>, CliError> =
        SHIPPED.iter().map(|(name, text)| DrillRow::of(name, text, &runs)).collect();
    let rows = rows?;
    if session.json() {
        json(&rows)?;
    } else {
        output::text(table(&rows))?;
    }
    Ok(Exit::Done)
}

/// All earlier runs.
fn load() -> Result<Vec<Run>, CliError> {
    let Some(file) = history::file() else { return Ok(Vec::new()) };
    history::load(&file)
        .map_err(|error| CliError::local(&format!("read {}", file.display()), &error))
}

impl DrillRow {
    /// The median is that of the cluster on which it last ran.
    fn of(name: &'static str, text: &str, runs: &[Run]) -> Result<Self, CliError> {
        let script = drill::read(text).map_err(drill::DrillError::from)?;
        let last = history::last(runs, name);
        let earlier = last.and_then(|last| history::earlier(runs, (name, &last.cluster), None));
        Ok(Self {
            name,
            about: script.about,
            last: last.map(|last| last.verdict),
            last_unix_ms: last.map(|last| last.unix_ms),
            cluster: last.map(|last| last.cluster.clone()),
            runs: earlier.map_or(0, |earlier| earlier.runs),
            median_outage_ms: earlier.map(|earlier| earlier.median_outage_ms),
        })
    }
}

fn table(rows: &[DrillRow]) -> Table {
    let mut table = Table::new(&[
        ("DRILL", Align::Left),
        ("LAST", Align::Left),
        ("WHEN", Align::Left),
        ("RUNS", Align::Right),
        ("MEDIAN OUTAGE", Align::Right),
        ("WHAT IT TRIES", Align::Left),
    ]);
    for row in rows {
        table.row([
            row.name.to_owned(),
            format::known(row.last.map(Verdict::word)),
            format::known(row.last_unix_ms.map(format::moment)),
            row.runs.to_string(),
            format::known(row.median_outage_ms.map(|ms| format!("{ms:.1} ms"))),
            row.about.clone(),
        ]);
    }
    table
}
