//! Reading one key, at the level that is asked for.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use evenkeel_shared::client::Freshness;
use evenkeel_shared::service::store::{LevelName, ReadReply};
use evenkeel_shared::version::Version;
use serde::Serialize;

use super::memory;
use super::write::key;
use crate::cli::target::InKeyspace;
use crate::cli::{CliError, Exit, Session, json, line, output};

/// Flags of a read.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct GetArguments {
    /// The key
    #[arg(value_parser = key)]
    key: String,
    /// How fresh: linearizable, session, bounded=500ms, any; without it, as the keyspace says
    #[arg(long, value_parser = freshness)]
    level: Option<Freshness>,
    /// Go on with the session in this file, and keep there what has been seen; implies --level
    /// session
    #[arg(long, value_name = "FILE")]
    session: Option<PathBuf>,
    #[command(flatten)]
    within: InKeyspace,
}

/// Reads a level as it is typed.
pub(crate) fn freshness(text: &str) -> Result<Freshness, String> {
    match (text, text.strip_prefix("bounded=")) {
        ("linearizable", _) => Ok(Freshness::Linearizable),
        ("session", _) => Ok(Freshness::Session),
        ("any", _) => Ok(Freshness::Any),
        (_, Some(age)) => humantime::parse_duration(age)
            .map(Freshness::Bounded)
            .map_err(|why| format!("{age:?} is no duration such as 500ms: {why}")),
        _ => Err("it is none of linearizable, session, bounded=500ms, any".to_owned()),
    }
}

/// What `kv get --json` prints.
#[derive(Debug, Serialize)]
struct ReadRow {
    found: bool,
    value_base64: Option<String>,
    version: Option<Version>,
    level: LevelName,
    age_ms: Option<u64>,
    /// How long the record has left, if it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_ms: Option<u64>,
    /// The node whose copy was read.
    served_by: u32,
}

/// Prints a value.
pub(crate) async fn get(session: &Session, arguments: GetArguments) -> Result<Exit, CliError> {
    let GetArguments { key, level, session: file, within } = arguments;
    let fresh = match (level, &file) {
        (Some(level), _) => level,
        (None, Some(_)) => Freshness::Session,
        (None, None) => Freshness::Default,
    };
    let store = memory::resume(within.store(session).await?, file.as_deref())?;
    let reply = store.get_at(key.clone().into(), fresh).await?;
    memory::keep(&store, file.as_deref())?;
    let exit = if reply.found.is_some() { Exit::Done } else { Exit::Degraded };
    if session.json() {
        json(&ReadRow::of(&reply))?;
        return Ok(exit);
    }
    let Some((value, _)) = reply.found else {
        return Err(CliError::refused(format!("there is no key {key}"), "`evenkeel kv scan \"\"`"));
    };
    output::bytes(&value)?;
    if std::io::IsTerminal::is_terminal(&std::io::stdout()) && !value.ends_with(b"\n") {
        line("")?;
    }
    Ok(exit)
}

impl ReadRow {
    fn of(reply: &ReadReply) -> Self {
        Self {
            found: reply.found.is_some(),
            value_base64: reply.found.as_ref().map(|(value, _)| STANDARD.encode(value)),
            version: reply.found.as_ref().map(|(_, version)| *version),
            level: reply.level,
            age_ms: reply.age_ms,
            expires_in_ms: reply
                .expires
                .map(|end| end.unix_ms().saturating_sub(reply.hlc.unix_ms())),
            served_by: reply.served_by.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_shared::ids::{Epoch, NodeId, ShardId};
    use evenkeel_shared::version::Hlc;
    use serde_json::to_value;

    use super::*;

    #[test]
    fn a_get_prints_the_value_what_it_is_worth_and_how_long_it_lives() {
        let version = Version { shard: ShardId(1), epoch: Epoch(2), term: 3, index: 7 };
        let reply = ReadReply {
            found: Some(("v".into(), version)),
            expires: Some(Hlc::from_unix_ms(1_500)),
            level: LevelName::Linearizable,
            age_ms: Some(0),
            position: None,
            served_by: NodeId(2),
            leader: None,
            hlc: Hlc::from_unix_ms(1_000),
        };
        let json = to_value(ReadRow::of(&reply)).unwrap();
        assert_eq!(json["found"], true);
        assert_eq!(json["value_base64"], "dg==");
        assert_eq!(json["level"], "linearizable");
        assert_eq!((&json["age_ms"], &json["expires_in_ms"]), (&0.into(), &500.into()));
        let gone = ReadReply { found: None, expires: None, ..reply };
        let json = to_value(ReadRow::of(&gone)).unwrap();
        assert!(json["value_base64"].is_null() && json.get("expires_in_ms").is_none());
    }

    #[test]
    fn levels_read_as_they_are_typed() {
        let half = std::time::Duration::from_millis(500);
        assert_eq!(freshness("bounded=500ms"), Ok(Freshness::Bounded(half)));
        assert_eq!(freshness("any"), Ok(Freshness::Any));
        assert!(freshness("bounded").is_err() && freshness("fresh").is_err());
    }
}
