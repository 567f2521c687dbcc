//! `evenkeel file ls`: the files whose names begin so, by name.

use evenkeel_shared::files::Listed;
use serde::Serialize;

use super::place::InFiles;
use super::told::{Local, told};
use crate::cli::table::{Align, Table};
use crate::cli::{CliError, Exit, Session, format, json, output};

/// Flags of the command.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ListArguments {
    /// What the names begin with
    #[arg(default_value = "")]
    prefix: String,
    #[command(flatten)]
    within: InFiles,
}

/// One element of `file ls --json`.
#[derive(Debug, Serialize)]
struct ListRow<'a> {
    name: &'a str,
    bytes: u64,
    modified: Option<String>,
    modified_unix_ms: u64,
    blake3: String,
    version: String,
}

/// Runs the command.
pub(super) async fn run(session: &Session, arguments: ListArguments) -> Result<Exit, CliError> {
    let files = arguments.within.open(session).await?;
    let listed = match files {
        Some(files) => files.list(&arguments.prefix).await,
        None => Ok(Vec::new()),
    };
    let listed = listed.map_err(|error| told(error, Local::To("")))?;
    if session.json() {
        let rows: Vec<ListRow<'_>> = listed.iter().map(ListRow::of).collect();
        json(&rows)?;
        return Ok(Exit::Done);
    }
    let mut table =
        Table::new(&[("SIZE", Align::Right), ("MODIFIED", Align::Left), ("NAME", Align::Left)]);
    for Listed { name, manifest } in &listed {
        let size = format::bytes(manifest.layout.bytes);
        table.row([size, format::moment(manifest.committed_ms), name.to_string()]);
    }
    if !listed.is_empty() {
        output::text(table)?;
    }
    Ok(Exit::Done)
}

impl<'a> ListRow<'a> {
    fn of(listed: &'a Listed) -> Self {
        let Listed { name, manifest } = listed;
        Self {
            name: name.as_str(),
            bytes: manifest.layout.bytes,
            modified: format::rfc3339(manifest.committed_ms),
            modified_unix_ms: manifest.committed_ms,
            blake3: manifest.hash.to_string(),
            version: manifest.version().to_string(),
        }
    }
}
