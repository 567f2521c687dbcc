//! A session that outlives one command: what it has seen and written, in a file of JSON.
//!
//! A file that can't be read is an error, never a session that has seen nothing: that would be
//! weaker than what was asked for.

use std::io::Write as _;
use std::path::Path;

use evenkeel_shared::client::{Session as Seen, StoreHandle};
use evenkeel_shared::service::store::SessionToken;
use evenkeel_shared::version::Position;
use serde::Deserialize;

use crate::cli::CliError;

/// What stands in a file: one for each shard.
#[derive(Deserialize)]
#[serde(untagged)]
enum Kept {
    Token(SessionToken),
    /// As files were written before sessions knew provisional writes.
    Seen(Position),
}

/// Goes on with the session in a file; a file that is absent is a new session.
pub(super) fn resume(store: StoreHandle, file: Option<&Path>) -> Result<StoreHandle, CliError> {
    let Some(file) = file else { return Ok(store) };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(store),
        Err(error) => return Err(CliError::local(&format!("read {}", file.display()), &error)),
    };
    let tokens = parse(&text).map_err(|error| {
        CliError::usage(
            format!("{} is no session: {error}", file.display()),
            "remove it to begin a new session",
        )
    })?;
    Ok(store.in_session(Seen::at(tokens)))
}

fn parse(text: &str) -> serde_json::Result<Vec<SessionToken>> {
    let kept: Vec<Kept> = serde_json::from_str(text)?;
    let token = |kept| match kept {
        Kept::Token(token) => token,
        Kept::Seen(seen) => SessionToken { seen: Some(seen), provisional: Vec::new() },
    };
    Ok(kept.into_iter().map(token).collect())
}

/// Keeps what the session has seen and written.
pub(super) fn keep(store: &StoreHandle, file: Option<&Path>) -> Result<(), CliError> {
    let Some(file) = file else { return Ok(()) };
    let failed =
        |error: std::io::Error| CliError::local(&format!("write {}", file.display()), &error);
    let text = serde_json::to_string(&store.session().tokens())
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

#[cfg(test)]
mod tests {
    use evenkeel_shared::ids::{History, ShardId};

    use super::*;

    const AT: Position =
        Position { shard: ShardId(1), history: History { number: 1, salt: 7 }, term: 2, index: 9 };

    #[test]
    fn files_of_tokens_and_of_positions_are_read() {
        let token = SessionToken { seen: Some(AT), provisional: vec![AT] };
        let text = serde_json::to_string(&[&token]).unwrap();
        assert_eq!(parse(&text).unwrap(), [token]);
        let old = serde_json::to_string(&[AT]).unwrap();
        assert_eq!(parse(&old).unwrap(), [SessionToken { seen: Some(AT), provisional: vec![] }]);
        assert!(parse("[{\"shard\":1}]").is_err());
        assert!(parse("[{}]").is_err(), "a session that says nothing has forgotten something");
    }
}
