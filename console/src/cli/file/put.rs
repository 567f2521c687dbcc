//! `evenkeel file put`: sends a file, or what comes on standard input.

use std::path::PathBuf;
use std::time::Duration;

use evenkeel_shared::client::StoreHandle;
use evenkeel_shared::files::{FileError, FileName, Files, Put, Source};
use serde::Serialize;

use super::bar::Bar;
use super::local::{LocalFile, StandardInput};
use super::place::InFiles;
use super::told::{Local, told, told_local};
use crate::cli::{CliError, Exit, Session, format, json, line, note};

/// Flags of the command.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct PutArguments {
    /// The local file; `-` is standard input, which can't be gone on with when it breaks off
    local: PathBuf,
    /// The name that it gets
    name: FileName,
    #[command(flatten)]
    within: InFiles,
}

/// What the command prints with `--json`.
#[derive(Debug, Serialize)]
struct PutRow<'a> {
    result: &'static str,
    name: &'a str,
    bytes: Option<u64>,
    chunks: Option<u64>,
    blake3: Option<String>,
    version: Option<String>,
    resumed_bytes: Option<u64>,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Runs the command.
pub(super) async fn run(session: &Session, arguments: PutArguments) -> Result<Exit, CliError> {
    let PutArguments { local, name, within } = arguments;
    let path = local.display().to_string();
    let began = crate::clock::now();
    let put = if local.as_os_str() == "-" {
        let files = within.open_or_create(session).await?;
        send(&files, &name, &mut StandardInput, None).await
    } else {
        // A file that can't be read is told before anybody is asked.
        let mut source =
            LocalFile::open(&local).map_err(|error| told_local(&error, Local::From(&path)))?;
        let files = within.open_or_create(session).await?;
        let bytes = source.bytes();
        send(&files, &name, &mut source, Some(bytes)).await
    };
    let took = crate::clock::now().saturating_sub(began);
    if session.json() && matches!(put, Ok(_) | Err(FileError::Unknown { .. })) {
        json(&PutRow::of(&name, &put, took))?;
    }
    let put = put.map_err(|error| told(error, Local::From(&path)))?;
    if !session.json() {
        let rate = format::rate(put.bytes - put.resumed, took);
        let (bytes, rate) = (format::bytes(put.bytes), format::bytes_a_second(rate));
        line(format_args!("ok {name} {bytes} in {} ({rate})", format::span(took)))?;
    }
    Ok(Exit::Done)
}

async fn send<S: Source>(
    files: &Files<StoreHandle>,
    name: &FileName,
    source: &mut S,
    bytes: Option<u64>,
) -> Result<Put, FileError> {
    let mut bar = Bar::new("sending", name.as_str(), bytes);
    let put = files.put(name, source, |progress| bar.show(progress)).await;
    bar.clear();
    if let Ok(Put { resumed: resumed @ 1.., .. }) = put {
        note(format!("resumed at {}", format::bytes(resumed)));
    }
    put
}

impl<'a> PutRow<'a> {
    fn of(name: &'a FileName, put: &Result<Put, FileError>, took: Duration) -> Self {
        let known = put.as_ref().ok();
        Self {
            result: if known.is_some() { "ok" } else { "unknown" },
            name: name.as_str(),
            bytes: known.map(|put| put.bytes),
            chunks: known.map(|put| put.chunks),
            blake3: known.map(|put| put.hash.to_string()),
            version: known.map(|put| put.version.to_string()),
            resumed_bytes: known.map(|put| put.resumed),
            seconds: format::rounded(took.as_secs_f64(), 3),
            error: put.as_ref().err().map(ToString::to_string),
        }
    }
}
