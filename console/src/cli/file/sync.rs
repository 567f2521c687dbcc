//! `evenkeel file sync`: makes the files of a prefix what a folder holds.
//!
//! What has the same size and the same hash is not sent again. A name that is not known to be gone
//! from the folder is never deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use evenkeel_shared::client::StoreHandle;
use evenkeel_shared::files::{FileError, FileName, Files, Manifest};
use futures::StreamExt;
use serde::Serialize;

use super::local::LocalFile;
use super::place::InFiles;
use super::told::{Local, told, told_local};
use super::tree::{Entry, Tree};
use crate::cli::{CliError, Exit, Session, format, json, line, note};

/// Files under way at once: each holds a few chunks in memory.
const FILES_AT_ONCE: usize = 4;
/// How many troubles are named in the answer; all of them are on standard error.
const NAMED_MAX: usize = 100;

/// Flags of the command.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct SyncArguments {
    /// The folder
    folder: PathBuf,
    /// What the names begin with; a `/` stands between it and the path below the folder
    prefix: String,
    /// Delete files with the prefix that are not in the folder
    #[arg(long)]
    delete: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    within: InFiles,
}

/// What a sync came to.
#[derive(Debug, Default, Serialize)]
struct SyncRow {
    dry_run: bool,
    files: u64,
    sent: u64,
    same: u64,
    deleted: u64,
    skipped: u64,
    failed: u64,
    unknown: u64,
    bytes_sent: u64,
    seconds: f64,
    named: Vec<NamedRow>,
}

/// What was not done, and why.
#[derive(Debug, Serialize)]
struct NamedRow {
    path: String,
    why: String,
}

/// What became of one file.
enum Outcome {
    Sent(u64),
    Same,
    Failed(CliError),
}

/// What is compared and sent.
struct Sync {
    files: Option<Files<StoreHandle>>,
    there: BTreeMap<FileName, Manifest>,
    dry_run: bool,
}

/// Runs the command.
pub(super) async fn run(session: &Session, arguments: SyncArguments) -> Result<Exit, CliError> {
    let SyncArguments { folder, prefix, delete, dry_run, within } = arguments;
    let began = crate::clock::now();
    let shown = folder.display().to_string();
    let tree = Tree::open(&folder).map_err(|error| told_local(&error, Local::From(&shown)))?;
    let prefix = folder_prefix(prefix);
    let files = if dry_run {
        within.open(session).await?
    } else {
        Some(within.open_or_create(session).await?)
    };
    let there = match &files {
        Some(files) => files.list(&prefix).await.map_err(|error| told(error, Local::To("")))?,
        None => Vec::new(),
    };
    let there = there.into_iter().map(|file| (file.name, file.manifest)).collect();
    let sync = Sync { files, there, dry_run };
    let mut row = SyncRow { dry_run, ..SyncRow::default() };
    let here = sync.send_all(tree, &prefix, &mut row).await;
    if delete {
        sync.delete_others(&here, &mut row).await;
    }
    row.seconds = format::rounded(crate::clock::now().saturating_sub(began).as_secs_f64(), 3);
    if session.json() {
        json(&row)?;
    } else {
        line(row.text())?;
    }
    Ok(row.exit())
}

/// A prefix is a folder, unless it is empty.
fn folder_prefix(mut prefix: String) -> String {
    if !prefix.is_empty() && !prefix.ends_with('/') {
        prefix.push('/');
    }
    prefix
}

impl Sync {
    /// Sends what is new or different; gives back the names of all that lies in the folder.
    async fn send_all(&self, tree: Tree, prefix: &str, row: &mut SyncRow) -> BTreeSet<FileName> {
        let mut here = BTreeSet::new();
        let mut found = Vec::new();
        let mut rest = tree;
        loop {
            // The walk goes on as files are done with.
            let more = tokio::task::block_in_place(|| rest.next());
            match &more {
                Some(Entry::File(path, below)) => match format!("{prefix}{below}").parse() {
                    Ok(name) => found.push((path.clone(), name)),
                    Err(why) => row.fails(path, &format!("{why}")),
                },
                Some(Entry::Skipped(path, why)) => {
                    row.skipped += 1;
                    row.name(path, why);
                }
                Some(Entry::Unreadable(path, why)) => row.fails(path, why),
                None => {}
            }
            if found.len() >= FILES_AT_ONCE || more.is_none() {
                let batch = std::mem::take(&mut found);
                here.extend(batch.iter().map(|(_, name): &(PathBuf, FileName)| name.clone()));
                let sending = futures::stream::iter(batch).map(|(path, name)| async move {
                    let outcome = self.send(&path, &name).await;
                    (path, outcome)
                });
                let mut sending = sending.buffer_unordered(FILES_AT_ONCE);
                while let Some((path, outcome)) = sending.next().await {
                    row.count(&path, outcome);
                }
            }
            if more.is_none() {
                return here;
            }
        }
    }

    async fn send(&self, path: &Path, name: &FileName) -> Outcome {
        let shown = path.display().to_string();
        let failed =
            |error: std::io::Error| Outcome::Failed(told_local(&error, Local::From(&shown)));
        let mut local = match LocalFile::open(path) {
            Ok(local) => local,
            Err(error) => return failed(error),
        };
        let bytes = local.bytes();
        if let Some(there) = self.there.get(name)
            && there.layout.bytes == bytes
        {
            match local.hash() {
                Ok(hash) if hash == there.hash => return Outcome::Same,
                Ok(_) => {}
                Err(error) => return failed(error),
            }
        }
        let Some(files) = self.files.as_ref().filter(|_| !self.dry_run) else {
            return Outcome::Sent(bytes);
        };
        match files.put(name, &mut local, |_| {}).await {
            Ok(put) => Outcome::Sent(put.bytes - put.resumed),
            Err(error) => Outcome::Failed(told(error, Local::From(&shown))),
        }
    }

    async fn delete_others(&self, here: &BTreeSet<FileName>, row: &mut SyncRow) {
        if row.failed > 0 {
            // What could not be read may well be there.
            note("nothing is deleted: not all of the folder could be read and sent");
            return;
        }
        for name in self.there.keys().filter(|name| !here.contains(*name)) {
            let deleted = match &self.files {
                Some(files) if !self.dry_run => files.delete(name).await.map(drop),
                _ => Ok(()),
            };
            match deleted {
                Ok(()) | Err(FileError::NotFound { .. }) => row.deleted += 1,
                Err(error) => {
                    let path = PathBuf::from(name.as_str());
                    row.count(&path, Outcome::Failed(told(error, Local::To(""))));
                }
            }
        }
    }
}

impl SyncRow {
    fn count(&mut self, path: &Path, outcome: Outcome) {
        match outcome {
            Outcome::Sent(bytes) => {
                self.sent += 1;
                self.bytes_sent += bytes;
            }
            Outcome::Same => self.same += 1,
            Outcome::Failed(error @ CliError::Unknown { .. }) => {
                self.unknown += 1;
                self.name(path, &error.to_string());
            }
            Outcome::Failed(error) => return self.fails(path, &error.to_string()),
        }
        self.files += 1;
    }

    fn fails(&mut self, path: &Path, why: &str) {
        self.failed += 1;
        self.name(path, why);
    }

    fn name(&mut self, path: &Path, why: &str) {
        let path = path.display().to_string();
        note(format!("{path}: {why}"));
        if self.named.len() < NAMED_MAX {
            self.named.push(NamedRow { path, why: why.to_owned() });
        }
    }

    /// What is known to have failed comes first, then what nobody knows.
    fn exit(&self) -> Exit {
        match (self.failed, self.unknown) {
            (0, 0) => Exit::Done,
            (0, _) => Exit::Unreachable,
            _ => Exit::Degraded,
        }
    }

    fn text(&self) -> String {
        let (send, delete) =
            if self.dry_run { ("to send", "to delete") } else { ("sent", "deleted") };
        let mut text = format!(
            "{} {send} ({}), {} the same, {} {delete}, {} skipped, {:.1} s",
            self.sent,
            format::bytes(self.bytes_sent),
            self.same,
            self.deleted,
            self.skipped,
            self.seconds
        );
        format::append_counts(
            &mut text,
            &[(self.failed, "failed"), (self.unknown, "UNKNOWN to the last")],
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_folder() {
        for (given, meant) in [("", ""), ("a", "a/"), ("a/", "a/")] {
            assert_eq!(folder_prefix(given.to_owned()), meant);
        }
    }

    #[test]
    fn what_failed_weighs_more_than_what_is_not_known() {
        let exit = |failed, unknown| SyncRow { failed, unknown, ..SyncRow::default() }.exit();
        assert_eq!(exit(0, 0), Exit::Done);
        assert_eq!(exit(0, 1), Exit::Unreachable);
        assert_eq!(exit(1, 1), Exit::Degraded);
    }
}
