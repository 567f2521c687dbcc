//! Reads everything that a load has written back and compares it byte for byte.
//!
//! It looks both ways: each file must be a key with its content, each key with the prefix must be
//! a file. Memory is bounded by the number of clients and one page of keys.

use evenkeel_shared::client::StoreHandle;
use futures::StreamExt;
use serde::Serialize;

use super::load::{LoadArguments, progress, read};
use super::scan::Scan;
use super::walk::{Found, Root};
use crate::cli::{CliError, Exit, Session, format, json, line, note};

/// Differences that are named one by one; the rest are only counted.
const NAMED_MAX: usize = 20;

/// What a comparison came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct VerifyReport {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    pub(crate) equal: u64,
    pub(crate) missing: u64,
    pub(crate) different: u64,
    /// Keys with the prefix that are no files.
    pub(crate) extra: u64,
    /// Keys with the prefix.
    pub(crate) keys: u64,
    /// Files larger than the limit.
    pub(crate) skipped: u64,
    /// Files that could not be read here, and keys that no agent answered for.
    pub(crate) unreadable: u64,
    /// The first of them, by name.
    pub(crate) named: Vec<String>,
}

enum Verdict {
    Equal(u64),
    Missing,
    Different,
    Skipped,
    Unreadable(String),
}

/// What to compare.
pub(crate) struct Comparison {
    pub(crate) root: Root,
    pub(crate) max_bytes: u64,
    pub(crate) clients: usize,
    pub(crate) limit: Option<usize>,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, arguments: LoadArguments) -> Result<Exit, CliError> {
    let store = arguments.writing.within.store(session).await?;
    let comparison = Comparison {
        root: Root::new(arguments.folder, arguments.prefix),
        max_bytes: arguments.max_bytes,
        clients: arguments.clients,
        limit: arguments.limit,
    };
    let bar = progress("verifying");
    let report = compare(&comparison, &store, |report| bar.set_position(report.files)).await?;
    bar.finish_and_clear();
    if session.json() {
        json(&report)?;
    } else {
        report.named.iter().for_each(note);
        line(report.text())?;
    }
    Ok(if report.is_equal() { Exit::Done } else { Exit::Degraded })
}

/// Compares; `progress` hears of every file.
pub(crate) async fn compare(
    comparison: &Comparison,
    store: &StoreHandle,
    mut progress: impl FnMut(&VerifyReport),
) -> Result<VerifyReport, CliError> {
    let started = crate::clock::now();
    let walk =
        comparison.root.walk().map_err(|error| CliError::local("read the folder", &error))?;
    let files = futures::stream::iter(walk.take(comparison.limit.unwrap_or(usize::MAX)));
    let mut verdicts = files
        .map(|found| async {
            match found {
                Ok(found) => judge(comparison, store, found).await,
                Err(error) => (String::new(), Verdict::Unreadable(error.to_string())),
            }
        })
        .buffer_unordered(comparison.clients.clamp(1, 512));
    let mut report = VerifyReport::default();
    while let Some((key, verdict)) = verdicts.next().await {
        report.count(&key, verdict);
        progress(&report);
    }
    drop(verdicts);
    // A partial comparison says nothing about keys without a file.
    if comparison.limit.is_none() {
        find_extra(comparison, store, &mut report).await?;
    }
    report.seconds = format::rounded(crate::clock::now().saturating_sub(started).as_secs_f64(), 3);
    Ok(report)
}

async fn judge(comparison: &Comparison, store: &StoreHandle, found: Found) -> (String, Verdict) {
    let name = format::key(&found.key);
    let file = match read(&found.path, comparison.max_bytes) {
        Ok(Some(file)) => file,
        Ok(None) => return (name, Verdict::Skipped),
        Err(error) => return (name, Verdict::Unreadable(error.to_string())),
    };
    let verdict = match store.get(found.key).await {
        Ok(reply) => match reply.found {
            Some((value, _)) if value == file => Verdict::Equal(file.len() as u64),
            Some(_) => Verdict::Different,
            None => Verdict::Missing,
        },
        Err(error) => Verdict::Unreadable(error.to_string()),
    };
    (name, verdict)
}

async fn find_extra(
    comparison: &Comparison,
    store: &StoreHandle,
    report: &mut VerifyReport,
) -> Result<(), CliError> {
    let mut scan = Scan::keys(store, comparison.root.prefix());
    while let Some(items) = scan.page().await? {
        for item in items {
            report.keys += 1;
            let file = tokio::task::block_in_place(|| comparison.root.file_of(&item.key));
            if file.is_none() {
                report.extra += 1;
                report.name(&format::key(&item.key), "has no file");
            }
        }
    }
    Ok(())
}

impl VerifyReport {
    fn count(&mut self, key: &str, verdict: Verdict) {
        match verdict {
            Verdict::Skipped => {
                self.skipped += 1;
                return;
            }
            Verdict::Equal(bytes) => {
                self.equal += 1;
                self.bytes += bytes;
            }
            Verdict::Missing => {
                self.missing += 1;
                self.name(key, "is missing");
            }
            Verdict::Different => {
                self.different += 1;
                self.name(key, "is different");
            }
            Verdict::Unreadable(why) => {
                self.unreadable += 1;
                self.name(key, &why);
            }
        }
        self.files += 1;
    }

    fn name(&mut self, key: &str, what: &str) {
        if self.named.len() < NAMED_MAX {
            self.named.push(format!("{key}: {what}"));
        }
    }

    pub(crate) fn is_equal(&self) -> bool {
        self.equal == self.files && self.extra == 0
    }

    fn text(&self) -> String {
        format!(
            "{} of {} files equal ({}) in {:.1} s: {} missing, {} different, {} extra, {} not read",
            self.equal,
            self.files,
            format::bytes(self.bytes),
            self.seconds,
            self.missing,
            self.different,
            self.extra,
            self.unreadable
        )
    }
}
