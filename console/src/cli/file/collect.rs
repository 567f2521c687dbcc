//! `evenkeel file collect`: what agents do in time, now, and in the open.

use std::time::Duration;

use evenkeel_shared::files::{CollectSettings, Collected, Swept, Tour};
use evenkeel_shared::limits::{FILE_GRACE, FILE_LEASE};
use serde::Serialize;

use super::place::InFiles;
use super::told::{Local, told};
use crate::cli::{CliError, Exit, Session, json, line};

/// Keys that one step of a sweep looks at: each brings its chunk's block off the disk.
const SWEEP_KEYS: u32 = 64;

/// Flags of the command.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct CollectArguments {
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Keep versions that were replaced or deleted for so long, for their readers [default: 10min]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    grace: Option<Duration>,
    /// Give up uploads that have been silent for so long [default: 1day]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    lease: Option<Duration>,
    /// Also look for chunks that belong to nothing: reads every chunk
    #[arg(long)]
    sweep: bool,
    #[command(flatten)]
    within: InFiles,
}

/// What the command prints with `--json`.
#[derive(Debug, Default, Serialize)]
struct CollectRow {
    dry_run: bool,
    versions: u64,
    uploads: u64,
    keys: Option<u64>,
    swept: Option<u64>,
    stray: Option<u64>,
}

/// Runs the command.
pub(super) async fn run(session: &Session, arguments: CollectArguments) -> Result<Exit, CliError> {
    let CollectArguments { dry_run, grace, lease, sweep, within } = arguments;
    let settings =
        CollectSettings { grace: grace.unwrap_or(FILE_GRACE), lease: lease.unwrap_or(FILE_LEASE) };
    let failed = |error| told(error, Local::To(""));
    let mut row = CollectRow { dry_run, ..CollectRow::default() };
    let mut sum = Collected::default();
    if let Some(files) = within.open(session).await? {
        let mut tour = Some(Tour::default());
        while let Some(at) = tour {
            let page = files.due(at, settings).await.map_err(failed)?;
            for (name, expected) in page.due {
                let collected = if dry_run {
                    expected
                } else {
                    files.collect(&name, settings).await.map_err(failed)?
                };
                sum.add(collected);
            }
            tour = page.next;
        }
        if sweep {
            let mut swept = Swept::default();
            while !swept.is_over() {
                files.sweep(&mut swept, SWEEP_KEYS, !dry_run).await.map_err(failed)?;
            }
            (row.swept, row.stray) = (Some(swept.seen), Some(swept.stray));
        }
    }
    row.versions = sum.versions;
    row.uploads = sum.uploads;
    // How many keys there are is found when they are removed.
    row.keys = (!dry_run).then_some(sum.keys);
    if session.json() {
        json(&row)?;
    } else {
        row.print()?;
    }
    Ok(Exit::Done)
}

impl CollectRow {
    fn print(&self) -> Result<(), CliError> {
        let verb = if self.dry_run { "would collect" } else { "collected" };
        let keys = self.keys.map_or_else(String::new, |keys| format!(": {keys} chunks and pages"));
        let (versions, uploads) = (self.versions, self.uploads);
        line(format_args!("{verb} {versions} old versions, {uploads} unfinished uploads{keys}"))?;
        if let (Some(swept), Some(stray)) = (self.swept, self.stray) {
            line(format_args!("{stray} stray of {swept} chunks and pages"))?;
        }
        Ok(())
    }
}
