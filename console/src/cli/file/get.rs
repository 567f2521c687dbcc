//! `evenkeel file get`: fetches a file into a local one, or onto standard output.

use std::io;
use std::path::{Path, PathBuf};

use evenkeel_shared::client::StoreHandle;
use evenkeel_shared::files::{FileError, FileName, Files, Got, Sink};
use serde::Serialize;

use super::bar::Bar;
use super::partial::{Partial, StandardOutput};
use super::place::InFiles;
use super::told::{Local, told, told_local};
use crate::cli::{CliError, Exit, Session, format, json, line, note};

/// Flags of the command.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct GetArguments {
    /// Its name
    name: FileName,
    /// The local file, or the folder to put it in; `-` is standard output; without it, the last
    /// part of the name, here
    local: Option<PathBuf>,
    #[command(flatten)]
    within: InFiles,
}

/// What the command prints with `--json`.
#[derive(Debug, Serialize)]
struct GetRow<'a> {
    result: &'static str,
    name: &'a str,
    local: String,
    bytes: u64,
    chunks: u64,
    blake3: String,
    version: String,
    resumed_bytes: u64,
    seconds: f64,
}

/// Runs the command.
pub(super) async fn run(session: &Session, arguments: GetArguments) -> Result<Exit, CliError> {
    let GetArguments { name, local, within } = arguments;
    let not_found = || FileError::NotFound { name: name.clone() };
    let files = within.open(session).await?;
    let files = files.ok_or_else(|| told(not_found(), Local::To("")))?;
    if local.as_deref().is_some_and(|local| local.as_os_str() == "-") {
        return onto_standard_output(&files, &name).await;
    }
    let target = target(&name, local)?;
    let shown = target.display().to_string();
    let began = crate::clock::now();
    let failed = |error| told(error, Local::To(&shown));
    // What is not there leaves nothing here.
    files.manifest(&name).await.map_err(failed)?;
    let mut partial =
        Partial::open(&target).map_err(|error| told_local(&error, Local::To(&shown)))?;
    let got = fetch(&files, &name, &mut partial).await.map_err(failed)?;
    let layout = &got.manifest.layout;
    partial.finish(layout.bytes).map_err(|error| failed(FileError::Local(error)))?;
    let took = crate::clock::now().saturating_sub(began);
    if session.json() {
        json(&GetRow {
            result: "ok",
            name: name.as_str(),
            local: shown,
            bytes: layout.bytes,
            chunks: layout.chunks(),
            blake3: got.manifest.hash.to_string(),
            version: got.manifest.version().to_string(),
            resumed_bytes: got.resumed,
            seconds: format::rounded(took.as_secs_f64(), 3),
        })?;
    } else {
        let rate = format::rate(layout.bytes - got.resumed, took);
        let (bytes, rate) = (format::bytes(layout.bytes), format::bytes_a_second(rate));
        line(format_args!("ok {shown} {bytes} in {} ({rate})", format::span(took)))?;
    }
    Ok(Exit::Done)
}

async fn fetch(
    files: &Files<StoreHandle>,
    name: &FileName,
    sink: &mut impl Sink,
) -> Result<Got, FileError> {
    let bytes = files.manifest(name).await?.layout.bytes;
    let mut bar = Bar::new("fetching", name.as_str(), Some(bytes));
    let got = files.get(name, sink, |progress| bar.show(progress)).await;
    bar.clear();
    if let Ok(Got { resumed: resumed @ 1.., .. }) = got {
        note(format!("{} were there already", format::bytes(resumed)));
    }
    got
}

/// Nothing but the file's bytes goes there.
async fn onto_standard_output(
    files: &Files<StoreHandle>,
    name: &FileName,
) -> Result<Exit, CliError> {
    match files.get(name, &mut StandardOutput, |_| {}).await {
        Ok(_) => Ok(Exit::Done),
        Err(FileError::Local(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Err(CliError::Output(error))
        }
        Err(error) => Err(told(error, Local::To("standard output"))),
    }
}

fn target(name: &FileName, local: Option<PathBuf>) -> Result<PathBuf, CliError> {
    let folder = match local {
        Some(local) if local.is_dir() => local,
        Some(local) => return Ok(local),
        None => PathBuf::new(),
    };
    match name.last() {
        "" | "." | ".." => Err(CliError::usage(
            format!("{name} doesn't say how the local file is to be called"),
            format!("`evenkeel file get {name} LOCAL`"),
        )),
        last => Ok(folder.join(Path::new(last))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_what_was_said_or_the_last_part_of_the_name() {
        let of = |name: &str, local: Option<&str>| {
            target(&name.parse().unwrap(), local.map(PathBuf::from)).ok()
        };
        assert_eq!(of("a/b.iso", None), Some("b.iso".into()));
        assert_eq!(of("a/b.iso", Some("c")), Some("c".into()));
        assert_eq!(of("a/b.iso", Some("/")), Some("/b.iso".into()));
        for nameless in ["a/", "a/..", "."] {
            assert_eq!(of(nameless, None), None, "{nameless}");
            assert_eq!(of(nameless, Some("c")), Some("c".into()));
        }
    }
}
