//! A session that outlives one command: what it has seen, in a file of JSON.
//!
//! A file that can't be read is an error, never a session that has seen nothing: that would be
//! weaker than what was asked for.

use std::io::Write as _;
use std::path::Path;

use evenkeel_shared::client::{Session as Seen, StoreHandle};
use evenkeel_shared::version::Position;

use crate::cli::CliError;

/// Goes on with the session in a file; a file that is absent is a new session.
pub(super) fn resume(store: StoreHandle, file: Option<&Path>) -> Result<StoreHandle, CliError> {
    let Some(file) = file else { return Ok(store) };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(store),
        Err(error) => return Err(CliError::local(&format!("read {}", file.display()), &error)),
    };
    let positions: Vec<Position> = serde_json::from_str(&text).map_err(|error| {
        CliError::usage(
            format!("{} is no session: {error}", file.display()),
            "remove it to begin a new session",
        )
    })?;
    Ok(store.in_session(Seen::at(positions)))
}

/// Keeps what the session has seen.
pub(super) fn keep(store: &StoreHandle, file: Option<&Path>) -> Result<(), CliError> {
    let Some(file) = file else { return Ok(()) };
    let failed =
        |error: std::io::Error| CliError::local(&format!("write {}", file.display()), &error);
    let text = serde_json::to_string(&store.session().positions())
        .map_err(|error| CliError::local("write the session", &error))?;
    // Beside, then in its place: half a session would be one that has seen too little.
    let fresh = file.with_extension("new");
    let mut written = std::fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(&fresh)
        .map_err(failed)?;
    written.write_all(text.as_bytes()).map_err(failed)?;
    std::fs::rename(&fresh, file).map_err(failed)
}
