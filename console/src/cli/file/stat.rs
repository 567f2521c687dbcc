//! `evenkeel file stat` and `delete`: one name.

use evenkeel_shared::files::{FileError, FileName, FileRecord, Upload};
use serde::Serialize;

use super::place::InFiles;
use super::told::{Local, told};
use crate::cli::{CliError, Exit, Session, format, json, line};

/// Flags of `file stat`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct StatArguments {
    /// Its name
    name: FileName,
    #[command(flatten)]
    within: InFiles,
}

/// Flags of `file delete`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct DeleteArguments {
    /// Its name
    name: FileName,
    #[command(flatten)]
    within: InFiles,
}

/// What `file stat` prints with `--json`.
#[derive(Debug, Serialize)]
struct StatRow<'a> {
    name: &'a str,
    found: bool,
    bytes: Option<u64>,
    chunks: Option<u64>,
    chunk_bytes: Option<u32>,
    blake3: Option<String>,
    version: Option<String>,
    modified: Option<String>,
    modified_unix_ms: Option<u64>,
    uploads: Vec<UploadRow>,
    to_collect: usize,
}

/// An upload under way.
#[derive(Debug, Serialize)]
struct UploadRow {
    bytes: Option<u64>,
    sent_bytes: u64,
    started: Option<String>,
    silent_ms: u64,
}

/// What `file delete` prints with `--json`.
#[derive(Debug, Serialize)]
struct DeleteRow<'a> {
    result: &'static str,
    name: &'a str,
    bytes: u64,
    version: String,
}

/// Shows one name.
pub(super) async fn run(session: &Session, arguments: StatArguments) -> Result<Exit, CliError> {
    let StatArguments { name, within } = arguments;
    let (record, now_ms) = match within.open(session).await? {
        Some(files) => {
            let stat = files.stat(&name).await.map_err(|error| told(error, Local::To("")))?;
            (stat.record, stat.now_ms)
        }
        None => (FileRecord::default(), 0),
    };
    let row = StatRow::of(&name, &record, now_ms);
    if session.json() {
        json(&row)?;
    } else {
        row.print()?;
    }
    if row.found {
        return Ok(Exit::Done);
    }
    Err(told(FileError::NotFound { name }, Local::To("")))
}

/// Deletes one file.
pub(super) async fn delete(
    session: &Session,
    arguments: DeleteArguments,
) -> Result<Exit, CliError> {
    let DeleteArguments { name, within } = arguments;
    let deleted = match within.open(session).await? {
        Some(files) => files.delete(&name).await,
        None => Err(FileError::NotFound { name: name.clone() }),
    };
    let was = deleted.map_err(|error| told(error, Local::To("")))?;
    if session.json() {
        let (name, version) = (name.as_str(), was.version().to_string());
        json(&DeleteRow { result: "ok", name, bytes: was.layout.bytes, version })?;
    } else {
        line(format_args!("ok {name} {}", format::bytes(was.layout.bytes)))?;
    }
    Ok(Exit::Done)
}

impl<'a> StatRow<'a> {
    fn of(name: &'a FileName, record: &FileRecord, now_ms: u64) -> Self {
        let file = record.current.as_ref();
        Self {
            name: name.as_str(),
            found: file.is_some(),
            bytes: file.map(|file| file.layout.bytes),
            chunks: file.map(|file| file.layout.chunks()),
            chunk_bytes: file.map(|file| file.layout.chunk_bytes),
            blake3: file.map(|file| file.hash.to_string()),
            version: file.map(|file| file.version().to_string()),
            modified: file.and_then(|file| format::rfc3339(file.committed_ms)),
            modified_unix_ms: file.map(|file| file.committed_ms),
            uploads: record.uploads.iter().map(|upload| UploadRow::of(upload, now_ms)).collect(),
            to_collect: record.dropped.len(),
        }
    }

    fn print(&self) -> Result<(), CliError> {
        if self.found {
            line(format_args!("size      {} bytes", format::known(self.bytes)))?;
            let (chunks, each) = (format::known(self.chunks), self.chunk_bytes.unwrap_or(0));
            line(format_args!("chunks    {chunks} of {}", format::bytes(u64::from(each))))?;
            line(format_args!("blake3    {}", self.blake3.as_deref().unwrap_or_default()))?;
            line(format_args!("version   {}", self.version.as_deref().unwrap_or_default()))?;
            let modified = self.modified_unix_ms.map(format::moment);
            line(format_args!("modified  {}", format::known(modified)))?;
        }
        for upload in &self.uploads {
            let (sent, of) = (format::bytes(upload.sent_bytes), upload.bytes.map(format::bytes));
            let silent = format::span(std::time::Duration::from_millis(upload.silent_ms));
            let of = format::known(of);
            line(format_args!("upload    at least {sent} of {of}, last heard {silent} ago"))?;
        }
        if self.to_collect > 0 {
            line(format_args!("waiting   {} to be collected", self.to_collect))?;
        }
        Ok(())
    }
}

impl UploadRow {
    fn of(upload: &Upload, now_ms: u64) -> Self {
        Self {
            bytes: upload.source.map(|source| source.bytes),
            sent_bytes: upload.sent_bytes(),
            started: format::rfc3339(upload.started_ms),
            silent_ms: now_ms.saturating_sub(upload.renewed_ms),
        }
    }
}
