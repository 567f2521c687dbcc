//! Writing one key: put, delete, add, compare-and-set.

use std::io::Read;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_shared::client::{ClientError, StoreHandle};
use evenkeel_shared::command::{Expected, OperationResult, WriteAction};
use evenkeel_shared::ids::{Epoch, ShardId};
use evenkeel_shared::limits::{KEY_BYTES_MAX, TTL_MAX, VALUE_BYTES_MAX};
use evenkeel_shared::service::store::{WriteItem, WriteReply};
use evenkeel_shared::version::Version;
use evenkeel_shared::view::SyncPolicy;

use super::memory;
use super::outcome::WriteRow;
use crate::cli::target::Writing;
use crate::cli::{CliError, Exit, Session, json, line};

/// Flags of a put.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct PutArguments {
    /// The key
    #[arg(value_parser = key)]
    key: String,
    /// The value
    #[arg(required_unless_present = "file")]
    value: Option<String>,
    /// Read the value from a file; `-` is standard input
    #[arg(long, conflicts_with = "value")]
    file: Option<PathBuf>,
    #[command(flatten)]
    lifetime: Lifetime,
    /// Keep in this file what the session has written, for `kv get --session FILE`
    #[arg(long, value_name = "FILE")]
    session: Option<PathBuf>,
    #[command(flatten)]
    writing: Writing,
}

/// Flags of a delete.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct DeleteArguments {
    /// The key
    #[arg(value_parser = key)]
    key: String,
    /// Keep in this file what the session has written, for `kv get --session FILE`
    #[arg(long, value_name = "FILE")]
    session: Option<PathBuf>,
    #[command(flatten)]
    writing: Writing,
}

/// Flags of an add.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct AddArguments {
    /// The key
    #[arg(value_parser = key)]
    key: String,
    /// How much
    #[arg(long, default_value_t = 1, allow_negative_numbers = true)]
    by: i64,
    #[command(flatten)]
    writing: Writing,
}

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
    #[command(flatten)]
    lifetime: Lifetime,
    #[command(flatten)]
    writing: Writing,
}

/// `--ttl TIME`.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
struct Lifetime {
    /// The record ends after so long, by the shard's time: 30s, 5min, 1day
    #[arg(long, value_name = "TIME", value_parser = ttl)]
    ttl: Option<Duration>,
}

impl Lifetime {
    fn of(self, item: WriteItem) -> WriteItem {
        let ttl_ms = self.ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        WriteItem { ttl_ms, ..item }
    }
}

fn ttl(text: &str) -> Result<Duration, String> {
    let ttl = humantime::parse_duration(text).map_err(|why| why.to_string())?;
    if ttl < Duration::from_millis(1) || ttl > TTL_MAX {
        return Err("a record lives for 1ms to 100 years".to_owned());
    }
    Ok(ttl)
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
pub(crate) async fn put(session: &Session, arguments: PutArguments) -> Result<Exit, CliError> {
    let PutArguments { key, value: text, file, lifetime, session: kept, writing } = arguments;
    let value = value(text, file)?;
    let store = memory::resume(writing.store(session).await?, kept.as_deref())?;
    let item = store.item(key.into(), WriteAction::Put { value, expires: None });
    let result = write(&store, session, lifetime.of(item)).await;
    memory::keep(&store, kept.as_deref())?;
    finish(session, result)
}

/// Removes a record.
pub(crate) async fn delete(
    session: &Session,
    arguments: DeleteArguments,
) -> Result<Exit, CliError> {
    let DeleteArguments { key, session: kept, writing } = arguments;
    let store = memory::resume(writing.store(session).await?, kept.as_deref())?;
    let item = store.item(key.into(), WriteAction::Delete);
    let result = write(&store, session, item).await;
    memory::keep(&store, kept.as_deref())?;
    finish(session, result)
}

/// Adds to a counter, and prints what it shows.
pub(crate) async fn add(session: &Session, arguments: AddArguments) -> Result<Exit, CliError> {
    let AddArguments { key, by, writing } = arguments;
    let result = writing.store(session).await?.add(key.into(), by).await;
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
    let CasArguments { key, value, expected, lifetime, writing } = arguments;
    let expected = expected.into_expected();
    let store = writing.store(session).await?;
    let action = WriteAction::CompareAndSet { expected, value: value.into(), expires: None };
    let item = lifetime.of(store.item(key.into(), action));
    finish(session, write(&store, session, item).await)
}

async fn write(
    store: &StoreHandle,
    session: &Session,
    item: WriteItem,
) -> Result<WriteReply, ClientError> {
    store.write(item, session.timeout()).await
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
        let word = if reply.sync == SyncPolicy::Leader { "provisional" } else { "ok" };
        line(format_args!("{word} {version}"))?;
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
    use super::*;

    const VERSION: Version = Version { shard: ShardId(1), epoch: Epoch(2), term: 3, index: 7 };

    #[test]
    fn a_lifetime_is_a_time_that_ends_some_day() {
        assert_eq!(ttl("30s"), Ok(Duration::from_secs(30)));
        assert!(ttl("0s").is_err() && ttl("200years").is_err() && ttl("soon").is_err());
    }

    #[test]
    fn keys_have_bounds() {
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
