//! One key at a time: put, get, delete, compare-and-set.
//!
//! The result word of `--json` is one of ok, unknown, error.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use evenkeel_shared::client::{ClientError, Freshness};
use evenkeel_shared::command::{Expected, OperationResult};
use evenkeel_shared::ids::{Epoch, ShardId};
use evenkeel_shared::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use evenkeel_shared::service::store::{LevelName, ReadReply, WriteReply};
use evenkeel_shared::version::Version;
use serde::Serialize;

use super::memory;
use crate::cli::{CliError, Exit, Session, json, line, output};

/// Flags of compare-and-set.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct CasArguments {
    /// The key
    #[arg(value_parser = key)]
    key: String,
    /// The new value
    value: String,
    #[command(flatten)]
    expected: ExpectedArguments,
}

/// Flags of a read.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct GetArguments {
    /// The key
    #[arg(value_parser = key)]
    key: String,
    /// How fresh: linearizable, session, bounded=500ms, any
    #[arg(long, value_parser = freshness)]
    level: Option<Freshness>,
    /// Go on with the session in this file, and keep there what has been seen; implies --level
    /// session
    #[arg(long, value_name = "FILE")]
    session: Option<PathBuf>,
}

/// Reads a level as it is typed.
fn freshness(text: &str) -> Result<Freshness, String> {
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

#[derive(clap::Args, Clone, Debug)]
#[group(required = true, multiple = false)]
struct ExpectedArguments {
    /// The value that must be there
    #[arg(long, value_name = "VALUE")]
    expect: Option<String>,
    /// There must be no record
    #[arg(long)]
    expect_absent: bool,
    /// The version that must be there: shard/epoch/term/index
    #[arg(long, value_name = "VERSION", value_parser = version)]
    expect_version: Option<Version>,
}

/// What a write prints with `--json`.
#[derive(Debug, Serialize)]
struct WriteRow {
    result: &'static str,
    version: Option<Version>,
    #[serde(skip_serializing_if = "Option::is_none")]
    existed: Option<bool>,
    /// What a counter shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What `kv get --json` prints.
#[derive(Debug, Serialize)]
struct ReadRow {
    found: bool,
    value_base64: Option<String>,
    version: Option<Version>,
    level: LevelName,
    age_ms: Option<u64>,
    /// The node whose copy was read.
    served_by: u32,
}

/// A key as the command line may give it.
pub(crate) fn key(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Err("a key has at least one byte".to_owned()),
        1..=KEY_BYTES_MAX => Ok(text.to_owned()),
        bytes => Err(format!("a key has at most {KEY_BYTES_MAX} bytes, this one {bytes}")),
    }
}

/// The value of a put, from the command line, a file or standard input.
pub(crate) fn value(value: Option<String>, file: Option<PathBuf>) -> Result<Bytes, CliError> {
    let bytes = match (value, file) {
        (Some(value), _) => value.into_bytes(),
        (None, Some(file)) if file.as_os_str() == "-" => {
            let mut bytes = Vec::new();
            // One byte more than is allowed tells "too large" from "just fits".
            let limit = u64::try_from(VALUE_BYTES_MAX).map_or(u64::MAX, |max| max + 1);
            let read = std::io::stdin().lock().take(limit).read_to_end(&mut bytes);
            read.map_err(|error| CliError::local("read standard input", &error))?;
            bytes
        }
        (None, Some(file)) => std::fs::read(&file)
            .map_err(|error| CliError::local(&format!("read {}", file.display()), &error))?,
        (None, None) => Vec::new(),
    };
    if bytes.len() > VALUE_BYTES_MAX {
        return Err(CliError::usage("the value is larger than 1 MiB", "several keys"));
    }
    Ok(bytes.into())
}

/// Sets a value.
pub(crate) async fn put(
    session: &Session,
    key: String,
    value: Bytes,
    file: Option<&Path>,
) -> Result<Exit, CliError> {
    let store = memory::resume(session.store(), file)?;
    let result = store.put(key.into(), value).await;
    memory::keep(&store, file)?;
    finish(session, result)
}

/// Removes a record.
pub(crate) async fn delete(session: &Session, key: String) -> Result<Exit, CliError> {
    finish(session, session.store().delete(key.into()).await)
}

/// Adds to a counter, and prints what it shows.
pub(crate) async fn add(session: &Session, key: String, by: i64) -> Result<Exit, CliError> {
    let result = session.store().add(key.into(), by).await;
    if let (false, Ok(WriteReply { result: OperationResult::Counted { value, .. }, .. })) =
        (session.json(), &result)
    {
        line(value)?;
        return Ok(Exit::Done);
    }
    finish(session, result)
}

/// Sets a value if the record is as expected.
pub(crate) async fn cas(session: &Session, arguments: CasArguments) -> Result<Exit, CliError> {
    let expected = arguments.expected.into_expected();
    let store = session.store();
    let (key, value) = (arguments.key.into(), arguments.value.into());
    finish(session, store.compare_and_set(key, expected, value).await)
}

/// Prints a value.
pub(crate) async fn get(session: &Session, arguments: GetArguments) -> Result<Exit, CliError> {
    let GetArguments { key, level, session: file } = arguments;
    let fresh = match (level, &file) {
        (Some(level), _) => level,
        (None, Some(_)) => Freshness::Session,
        (None, None) => Freshness::Linearizable,
    };
    let store = memory::resume(session.store(), file.as_deref())?;
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

fn finish(session: &Session, result: Result<WriteReply, ClientError>) -> Result<Exit, CliError> {
    let row = WriteRow::of(&result);
    if session.json() {
        json(&row)?;
    }
    let reply = result?;
    if let Some(error) = row.error {
        return Err(CliError::refused(error, ""));
    }
    if reply.result == OperationResult::Forgotten {
        return Err(CliError::Unknown {
            what: "the write may or may not have taken effect: the shard has forgotten it".into(),
            hint: "`evenkeel kv get` to see which, before writing again".into(),
        });
    }
    if let (false, Some(version)) = (session.json(), row.version) {
        line(format_args!("ok {version}"))?;
    }
    Ok(Exit::Done)
}

impl ExpectedArguments {
    fn into_expected(self) -> Expected {
        match (self.expect, self.expect_version) {
            (Some(value), _) => Expected::Value(value.into()),
            (None, Some(version)) => Expected::Version(version),
            (None, None) => Expected::Absent,
        }
    }
}

impl WriteRow {
    fn of(result: &Result<WriteReply, ClientError>) -> Self {
        let none = Self { result: "error", version: None, existed: None, value: None, error: None };
        let failed = |error: &dyn std::fmt::Display| Some(error.to_string());
        match result {
            Ok(reply) => match &reply.result {
                OperationResult::Done { version, existed } => {
                    let (version, existed) = (Some(*version), Some(*existed));
                    Self { result: "ok", version, existed, ..none }
                }
                OperationResult::Counted { version, value } => {
                    let (version, value) = (Some(*version), Some(*value));
                    Self { result: "ok", version, value, ..none }
                }
                OperationResult::NotANumber => Self {
                    error: failed(&"the value is no whole number of 64 bits, or would not fit one"),
                    ..none
                },
                OperationResult::ConditionFailed { actual } => {
                    Self { version: *actual, error: failed(&condition_failed(*actual)), ..none }
                }
                OperationResult::Forgotten => Self { result: "unknown", ..none },
                OperationResult::TooManyClients => {
                    Self { error: failed(&"the shard remembers as many clients as it may"), ..none }
                }
                OperationResult::NotOwned => Self {
                    error: failed(&"the key's shard is sealed by a restore, or has moved"),
                    ..none
                },
            },
            Err(error @ ClientError::Unknown { .. }) => {
                Self { result: "unknown", error: failed(error), ..none }
            }
            Err(error) => Self { error: failed(error), ..none },
        }
    }
}

fn condition_failed(actual: Option<Version>) -> String {
    match actual {
        Some(version) => format!("not as expected: the record's version is {version}"),
        None => "not as expected: there is no record".to_owned(),
    }
}

impl ReadRow {
    fn of(reply: &ReadReply) -> Self {
        Self {
            found: reply.found.is_some(),
            value_base64: reply.found.as_ref().map(|(value, _)| STANDARD.encode(value)),
            version: reply.found.as_ref().map(|(_, version)| *version),
            level: reply.level,
            age_ms: reply.age_ms,
            served_by: reply.served_by.0,
        }
    }
}

/// Reads a version as it is printed: `s1/e1/3/42`.
fn version(text: &str) -> Result<Version, String> {
    fn part<T: FromStr>(text: Option<&str>, prefix: char) -> Option<T> {
        text.and_then(|text| text.trim_start_matches(prefix).parse().ok())
    }
    let mut parts = text.split('/');
    let read = || -> Option<Version> {
        let shard = ShardId(part(parts.next(), 's')?);
        let epoch = Epoch(part(parts.next(), 'e')?);
        let (term, index) = (part(parts.next(), 't')?, part(parts.next(), 'i')?);
        parts.next().is_none().then_some(Version { shard, epoch, term, index })
    }();
    read.ok_or_else(|| format!("{text:?} is not shard/epoch/term/index"))
}

#[cfg(test)]
mod tests {
    use evenkeel_shared::ids::NodeId;
    use evenkeel_shared::version::Hlc;
    use serde_json::{Value, to_value};

    use super::*;

    const VERSION: Version = Version { shard: ShardId(1), epoch: Epoch(2), term: 3, index: 7 };

    fn row(result: OperationResult) -> Value {
        let reply = WriteReply { result, leader: NodeId(1), hlc: Hlc(0), position: None };
        to_value(WriteRow::of(&Ok(reply))).unwrap()
    }

    #[test]
    fn a_put_prints_result_and_version() {
        let json = row(OperationResult::Done { version: VERSION, existed: false });
        assert_eq!(json["result"], "ok");
        let version = serde_json::json!({"shard": 1, "epoch": 2, "term": 3, "index": 7});
        assert_eq!(json["version"], version);
    }

    #[test]
    fn unknown_is_neither_ok_nor_error() {
        assert_eq!(row(OperationResult::Forgotten)["result"], "unknown");
        let error = ClientError::Unknown { attempts: 1, last: "closed".into() };
        assert_eq!(to_value(WriteRow::of(&Err(error))).unwrap()["result"], "unknown");
        let error = ClientError::Unavailable { attempts: 1, last: "refused".into() };
        assert_eq!(to_value(WriteRow::of(&Err(error))).unwrap()["result"], "error");
    }

    #[test]
    fn a_failed_condition_names_the_version_that_is_there() {
        let json = row(OperationResult::ConditionFailed { actual: Some(VERSION) });
        assert_eq!(json["result"], "error");
        assert_eq!(json["version"]["index"], 7);
    }

    #[test]
    fn a_get_has_the_fields_of_the_contract() {
        let found = Some((Bytes::from_static(b"\xff"), VERSION));
        let reply = ReadReply {
            found,
            level: LevelName::Linearizable,
            age_ms: Some(0),
            position: None,
            served_by: NodeId(2),
            leader: Some(NodeId(1)),
            hlc: Hlc(0),
        };
        let expected = serde_json::json!({
            "found": true,
            "value_base64": "/w==",
            "version": {"shard": 1, "epoch": 2, "term": 3, "index": 7},
            "level": "linearizable",
            "age_ms": 0,
            "served_by": 2,
        });
        assert_eq!(to_value(ReadRow::of(&reply)).unwrap(), expected);
    }

    #[test]
    fn a_level_is_read_as_it_is_typed() {
        let half = std::time::Duration::from_millis(500);
        assert_eq!(freshness("bounded=500ms"), Ok(Freshness::Bounded(half)));
        assert_eq!(freshness("any"), Ok(Freshness::Any));
        assert!(freshness("bounded").is_err() && freshness("bounded=soon").is_err());
    }

    #[test]
    fn a_key_has_its_bounds() {
        assert!(key("").is_err());
        assert!(key(&"k".repeat(KEY_BYTES_MAX)).is_ok());
        assert!(key(&"k".repeat(KEY_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn a_version_reads_as_it_is_printed() {
        assert_eq!(version(&VERSION.to_string()), Ok(VERSION));
        assert_eq!(version("1/2/3/7"), Ok(VERSION));
        assert!(version("1/2/3").is_err() && version("1/2/3/7/9").is_err());
    }
}
