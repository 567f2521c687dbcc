//! `evenkeel backup …`: makes a backup, lists the catalogue.
//!
//! A backup outlives its request: when the answer is late, the catalogue says when it is done.

use std::time::Duration;

use clap::Subcommand;
use evenkeel_shared::preflight::{Action, Outcome};
use evenkeel_shared::view::{BackupRecord, ClusterView};
use serde::Serialize;

use super::act::{self, Acted, Override, Wish};
use super::table::{Align, Table};
use super::{CliError, Exit, Session, format, json, note, output, repeat};

/// How long a backup or a restore may take when nothing else was said.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(600);

/// One command about backups.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum BackupCommand {
    /// Back all shards and the configuration up
    Create {
        /// The archive's folder, as the agents see it
        #[arg(long, value_name = "DIR")]
        to: String,
    },
    /// List the catalogue, oldest first
    List,
    /// Show one backup
    Show {
        /// Its id
        id: String,
    },
}

/// One element of `backup list --json`.
#[derive(Debug, Serialize)]
struct BackupRow<'a> {
    id: &'a str,
    archive: &'a str,
    cut: Option<String>,
    cut_unix_ms: u64,
    shards: u32,
    records: u64,
    bytes: u64,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: BackupCommand) -> Result<Exit, CliError> {
    match command {
        BackupCommand::Create { to } => create(session, &to).await,
        BackupCommand::List => {
            let view = session.view().await?;
            let rows: Vec<BackupRow<'_>> = view.backups.iter().map(BackupRow::of).collect();
            if session.json() {
                json(&rows)?;
            } else {
                output::text(table(&rows))?;
            }
            Ok(Exit::Done)
        }
        BackupCommand::Show { id } => {
            let view = session.view().await?;
            let record = view.backups.iter().find(|record| record.id == id).ok_or_else(|| {
                CliError::refused(
                    format!("no backup {id} is in the catalogue"),
                    "`evenkeel backup list`",
                )
            })?;
            let row = BackupRow::of(record);
            if session.json() {
                json(&row)?;
            } else {
                output::text(row.text())?;
            }
            Ok(Exit::Done)
        }
    }
}

async fn create(session: &Session, folder: &str) -> Result<Exit, CliError> {
    let archive = archive(folder)?;
    let operator = session.operator().await?;
    let view = operator.view(session.timeout()).await?;
    let known = view.backups.len();
    let timeout = session.timeout_or(TIMEOUT);
    let over = crate::clock::now() + timeout;
    let action = Action::Backup { archive: archive.clone() };
    let wish = Wish { action, name: &archive, overriding: &Override::default(), timeout };
    let (preflight, outcome) = match act::attempt(session, &operator, wish).await? {
        Acted::Done(preflight, outcome) => (preflight, outcome),
        Acted::Unanswered(preflight, why) => {
            note(format!("no answer yet ({why}); the catalogue will tell"));
            let made = |view: &ClusterView| {
                let mut new = view.backups.iter().skip(known);
                new.find(|record| record.archive == archive).map(|record| record.id.clone())
            };
            let started = over.saturating_sub(timeout);
            let id = until(&session.with_nodes_of(&view), over, made).await?;
            let took = crate::clock::now().saturating_sub(started);
            let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            let what = format!("backup {id} made");
            (preflight, Outcome { what, took_us, backup: Some(id) })
        }
    };
    act::print_done(session, &preflight, &outcome)?;
    Ok(Exit::Done)
}

/// Asks any agent for views until one has what is looked for.
pub(crate) async fn until<T>(
    session: &Session,
    over: Duration,
    mut look: impl FnMut(&ClusterView) -> Option<T>,
) -> Result<T, CliError> {
    loop {
        if let Ok(view) = session.view().await
            && let Some(found) = look(&view)
        {
            return Ok(found);
        }
        if crate::clock::now() >= over {
            return Err(CliError::Unknown {
                what: "not finished in time; it may still be under way".into(),
                hint: "`evenkeel events`, and a longer --timeout next time".into(),
            });
        }
        tokio::time::sleep(repeat::INTERVAL).await;
    }
}

/// The folder as an agent, which runs elsewhere, can find it; a URL stays as it is.
pub(crate) fn archive(folder: &str) -> Result<String, CliError> {
    if folder.contains("://") {
        return Ok(folder.to_owned());
    }
    let path = std::path::absolute(folder);
    let path = path.map_err(|error| CliError::local("find the archive's folder", &error))?;
    path.into_os_string().into_string().map_err(|_| {
        CliError::usage("the archive's folder is not valid UTF-8", "a folder with a plain name")
    })
}

impl<'a> BackupRow<'a> {
    fn of(record: &'a BackupRecord) -> Self {
        Self {
            id: &record.id,
            archive: &record.archive,
            cut: format::rfc3339(record.cut.unix_ms()),
            cut_unix_ms: record.cut.unix_ms(),
            shards: record.shards,
            records: record.records,
            bytes: record.bytes,
        }
    }

    fn text(&self) -> String {
        format!(
            "{} in {}\ncut {}, {} shards, {} records, {}\n",
            self.id,
            self.archive,
            format::moment(self.cut_unix_ms),
            self.shards,
            self.records,
            format::bytes(self.bytes)
        )
    }
}

fn table(rows: &[BackupRow<'_>]) -> Table {
    let mut table = Table::new(&[
        ("BACKUP", Align::Left),
        ("CUT", Align::Left),
        ("SHARDS", Align::Right),
        ("RECORDS", Align::Right),
        ("SIZE", Align::Right),
        ("ARCHIVE", Align::Left),
    ]);
    for row in rows {
        table.row([
            row.id.to_owned(),
            format::moment(row.cut_unix_ms),
            row.shards.to_string(),
            row.records.to_string(),
            format::bytes(row.bytes),
            row.archive.to_owned(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_absolute_and_a_url_is_kept() {
        assert_eq!(archive("s3://bucket/x").unwrap(), "s3://bucket/x");
        assert!(archive("x").unwrap().ends_with("/x"));
        assert!(archive("x").unwrap().starts_with('/'));
    }
}
