//! Loads every file below a folder as key = path, and says exactly what became of each.
//!
//! A write whose outcome is unknown is sent again under the same request id until it is answered;
//! one that never was is counted as unresolved, never as failed (law 2). Memory is bounded by the
//! number of clients.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_shared::client::{ClientError, StoreHandle};
use evenkeel_shared::command::{OperationResult, WriteAction};
use evenkeel_shared::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use evenkeel_shared::version::Version;
use futures::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::walk::{Found, Root};
use crate::cli::arguments::size;
use crate::cli::target::Writing;
use crate::cli::{CliError, Exit, Session, format, json, line, note};

/// How long one file's write may take, all retries together. Below the client's lease, after
/// which a shard no longer tells a retry from a new write.
const TIMEOUT: Duration = Duration::from_secs(120);
/// How long one round of attempts may take before its outcome counts as unknown.
const ROUND: Duration = Duration::from_secs(5);
/// Between two rounds, the first of which may have ended at once.
const PAUSE: Duration = Duration::from_millis(50);
/// Files read and written at once; the store's client allows 1,024 requests in flight.
const CLIENTS_MAX: usize = 512;

/// Flags of the command.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct LoadArguments {
    /// The folder
    pub(super) folder: PathBuf,
    /// Read everything back and compare it byte for byte, instead of writing
    #[arg(long)]
    pub(super) verify: bool,
    /// What keys begin with; without it, the folder as given
    #[arg(long)]
    pub(super) prefix: Option<String>,
    /// Skip larger files
    #[arg(long, default_value = "1MiB", value_parser = size)]
    pub(super) max_bytes: u64,
    /// Files under way at once
    #[arg(long, default_value_t = 32)]
    pub(super) clients: usize,
    /// Stop after so many files
    #[arg(long)]
    pub(super) limit: Option<usize>,
    /// Append one JSON line for each file's outcome
    #[arg(long, value_name = "FILE")]
    pub(super) journal: Option<PathBuf>,
    #[command(flatten)]
    pub(super) writing: Writing,
}

/// What a load came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct LoadReport {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    pub(crate) acknowledged: u64,
    /// Times that an outcome was unknown before it was resolved.
    pub(crate) unknown: u64,
    /// Files whose outcome stayed unknown.
    pub(crate) unresolved: u64,
    pub(crate) failed: u64,
    /// Files larger than the limit.
    pub(crate) skipped: u64,
    /// Files and folders that could not be read.
    pub(crate) unreadable: u64,
}

/// What became of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Acknowledged(Version),
    Failed(String),
    Unresolved(String),
    Skipped,
    Unreadable(String),
}

/// One file's story.
#[derive(Clone, Debug)]
struct Story {
    key: Bytes,
    bytes: u64,
    unknown: u64,
    fate: Fate,
}

#[derive(Serialize)]
struct JournalLine<'a> {
    key: String,
    result: &'a str,
    bytes: u64,
    unknown: u64,
    version: Option<Version>,
    why: Option<&'a str>,
    unix_ms: u64,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, arguments: LoadArguments) -> Result<Exit, CliError> {
    let store = arguments.writing.store(session).await?;
    let journal = arguments.journal.as_deref().map(open_journal).transpose()?;
    let journal = Mutex::new(journal);
    let bar = progress("loading");
    let plan = Plan {
        root: Root::new(arguments.folder, arguments.prefix),
        max_bytes: arguments.max_bytes,
        clients: arguments.clients,
        limit: arguments.limit,
        timeout: session.timeout_or(TIMEOUT),
    };
    let report = load(&plan, &store, |story, report| {
        bar.set_position(report.acknowledged);
        bar.set_message(format!("{}, {} unknown", format::bytes(report.bytes), report.unknown));
        if let Fate::Failed(why) | Fate::Unresolved(why) | Fate::Unreadable(why) = &story.fate {
            bar.suspend(|| note(format!("{}: {why}", format::key(&story.key))));
        }
        write_journal(&journal, story)
    })
    .await?;
    bar.finish_and_clear();
    if session.json() {
        json(&report)?;
    } else {
        line(report.text())?;
    }
    Ok(report.exit())
}

/// What to load, and how.
pub(crate) struct Plan {
    pub(crate) root: Root,
    pub(crate) max_bytes: u64,
    pub(crate) clients: usize,
    pub(crate) limit: Option<usize>,
    pub(crate) timeout: Duration,
}

/// Loads; `each` hears of every file as it is done.
async fn load(
    plan: &Plan,
    store: &StoreHandle,
    mut each: impl FnMut(&Story, &LoadReport) -> Result<(), CliError>,
) -> Result<LoadReport, CliError> {
    let started = crate::clock::now();
    let walk = plan.root.walk().map_err(|error| CliError::local("read the folder", &error))?;
    let files = futures::stream::iter(walk.take(plan.limit.unwrap_or(usize::MAX)));
    let mut stories = files
        .map(|found| async {
            match found {
                Ok(found) => load_one(plan, store, found).await,
                Err(error) => {
                    Story::without_bytes(Bytes::new(), Fate::Unreadable(error.to_string()))
                }
            }
        })
        .buffer_unordered(plan.clients.clamp(1, CLIENTS_MAX));
    let mut report = LoadReport::default();
    while let Some(story) = stories.next().await {
        report.count(&story);
        each(&story, &report)?;
    }
    report.seconds = format::rounded(crate::clock::now().saturating_sub(started).as_secs_f64(), 3);
    Ok(report)
}

async fn load_one(plan: &Plan, store: &StoreHandle, found: Found) -> Story {
    let value = match read(&found.path, plan.max_bytes.min(VALUE_BYTES_MAX as u64)) {
        Ok(Some(value)) => value,
        Ok(None) => return Story::without_bytes(found.key, Fate::Skipped),
        Err(error) => {
            return Story::without_bytes(found.key, Fate::Unreadable(error.to_string()));
        }
    };
    if found.key.len() > KEY_BYTES_MAX {
        let why = "the path is longer than a key may be".to_owned();
        return Story::without_bytes(found.key, Fate::Failed(why));
    }
    let bytes = value.len() as u64;
    let (fate, unknown) = write_until_answered(store, &found.key, value, plan.timeout).await;
    Story { key: found.key, bytes, unknown, fate }
}

/// Writes under one request id until the outcome is known, or the time is over. Gives the number
/// of times that it was unknown.
async fn write_until_answered(
    store: &StoreHandle,
    key: &Bytes,
    value: Bytes,
    timeout: Duration,
) -> (Fate, u64) {
    let action = WriteAction::PutBlind { value, expires: None };
    let item = store.item(key.clone(), action);
    let over = crate::clock::now() + timeout;
    let mut unknown = 0;
    loop {
        let left = over.saturating_sub(crate::clock::now());
        let why = match store.write(item.clone(), ROUND.min(left)).await {
            Ok(reply) => match answered(&reply.result) {
                Ok(version) => return (Fate::Acknowledged(version), unknown),
                Err(None) => {
                    let why = "the shard no longer remembers the request".to_owned();
                    return (Fate::Unresolved(why), unknown + 1);
                }
                Err(Some(why)) if unknown == 0 => return (Fate::Failed(why), unknown),
                Err(Some(why)) => why,
            },
            Err(error @ ClientError::Unknown { .. }) => {
                unknown += 1;
                error.to_string()
            }
            Err(ClientError::Refused(error)) if unknown == 0 => {
                return (Fate::Failed(error.to_string()), unknown);
            }
            Err(error) => error.to_string(),
        };
        if crate::clock::now() >= over {
            // What was refused to the last never took effect, unless an attempt was unknown.
            let fate = if unknown == 0 { Fate::Failed(why) } else { Fate::Unresolved(why) };
            return (fate, unknown);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The version written; or why nothing was; or neither, when the shard can't tell any more.
fn answered(result: &OperationResult) -> Result<Version, Option<String>> {
    match result {
        OperationResult::Done { version, .. }
        | OperationResult::Written { version }
        | OperationResult::Provisional { version } => Ok(*version),
        OperationResult::Forgotten => Err(None),
        OperationResult::TooManyClients => {
            Err(Some("the shard remembers as many clients as it may".into()))
        }
        OperationResult::NotOwned => Err(Some("the shard is sealed, or has moved".into())),
        OperationResult::ConditionFailed { .. }
        | OperationResult::Counted { .. }
        | OperationResult::NotANumber => Err(Some("a put was answered as something else".into())),
    }
}

/// A file's bytes, unless there are too many.
pub(super) fn read(path: &Path, max_bytes: u64) -> std::io::Result<Option<Bytes>> {
    tokio::task::block_in_place(|| {
        if std::fs::symlink_metadata(path)?.len() > max_bytes {
            return Ok(None);
        }
        let bytes = std::fs::read(path)?;
        // It may have grown since it was measured.
        Ok((bytes.len() as u64 <= max_bytes).then(|| bytes.into()))
    })
}

impl Story {
    fn without_bytes(key: Bytes, fate: Fate) -> Self {
        Self { key, bytes: 0, unknown: 0, fate }
    }
}

impl LoadReport {
    fn count(&mut self, story: &Story) {
        self.unknown += story.unknown;
        if !matches!(story.fate, Fate::Skipped | Fate::Unreadable(_)) {
            self.files += 1;
        }
        match &story.fate {
            Fate::Acknowledged(_) => {
                self.acknowledged += 1;
                self.bytes += story.bytes;
            }
            Fate::Failed(_) => self.failed += 1,
            Fate::Unresolved(_) => self.unresolved += 1,
            Fate::Skipped => self.skipped += 1,
            Fate::Unreadable(_) => self.unreadable += 1,
        }
    }

    /// What is known to have failed comes first, then what nobody knows.
    fn exit(&self) -> Exit {
        if self.failed > 0 || self.unreadable > 0 {
            Exit::Degraded
        } else if self.unresolved > 0 {
            Exit::Unreachable
        } else {
            Exit::Done
        }
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{} of {} files acknowledged, {} in {:.1} s ({:.0} files/s)",
            self.acknowledged,
            self.files,
            format::bytes(self.bytes),
            self.seconds,
            if self.seconds > 0.0 { format::float(self.files) / self.seconds } else { 0.0 }
        );
        format::append_counts(
            &mut text,
            &[
                (self.unknown, "unknown for a while"),
                (self.unresolved, "UNKNOWN to the last"),
                (self.failed, "failed"),
                (self.skipped, "skipped: too large"),
                (self.unreadable, "unreadable"),
            ],
        );
        text
    }
}

/// A bar on a terminal; nothing where nobody watches.
pub(super) fn progress(verb: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    let template = format!("{verb} {{pos}} files {{per_sec}} [{{elapsed}}] {{msg}}");
    let style = ProgressStyle::with_template(&template).expect("the template is well-formed");
    bar.set_style(style);
    bar
}

fn open_journal(path: &Path) -> Result<std::fs::File, CliError> {
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    file.map_err(|error| CliError::local(&format!("open {}", path.display()), &error))
}

fn write_journal(journal: &Mutex<Option<std::fs::File>>, story: &Story) -> Result<(), CliError> {
    let mut journal = journal.lock().expect("no holder of this lock panics");
    let Some(file) = journal.as_mut() else { return Ok(()) };
    let (result, version, why) = match &story.fate {
        Fate::Acknowledged(version) => ("ok", Some(*version), None),
        Fate::Failed(why) => ("failed", None, Some(why.as_str())),
        Fate::Unresolved(why) => ("unknown", None, Some(why.as_str())),
        Fate::Skipped => ("skipped", None, None),
        Fate::Unreadable(why) => ("unreadable", None, Some(why.as_str())),
    };
    let line = JournalLine {
        key: format::key(&story.key),
        result,
        bytes: story.bytes,
        unknown: story.unknown,
        version,
        why,
        unix_ms: crate::clock::unix_ms(),
    };
    let mut text = serde_json::to_vec(&line).map_err(|error| CliError::Output(error.into()))?;
    text.push(b'\n');
    file.write_all(&text).map_err(CliError::Output)
}

#[cfg(test)]
mod tests;
