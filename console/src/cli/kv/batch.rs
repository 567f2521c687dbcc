//! `evenkeel kv batch`: several keys in one request.
//!
//! The keys of one shard are written in one log entry; what became of each shard's part is told
//! apart, and a part whose outcome is not known is never printed as failed (law 2).

use std::io::Read;
use std::path::PathBuf;

use evenkeel_shared::client::StoreHandle;
use evenkeel_shared::command::WriteAction;
use evenkeel_shared::limits::BATCH_BYTES_MAX;
use evenkeel_shared::service::store::{BatchPart, BatchReply, WriteItem};
use serde::Serialize;

use super::outcome::WriteRow;
use super::write;
use crate::cli::target::Writing;
use crate::cli::{CliError, Exit, Session, format, json, line, note};

/// Bytes of a batch's text: a batch is smaller.
const TEXT_BYTES_MAX: u64 = 2 * BATCH_BYTES_MAX as u64;

/// Flags of the command.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct BatchArguments {
    /// A line each: `put KEY VALUE`, `delete KEY`, `add KEY [NUMBER]`; `-` is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    writing: Writing,
}

/// What the command prints with `--json`.
#[derive(Debug, Serialize)]
struct BatchRow {
    result: &'static str,
    keys: usize,
    shards: Vec<PartRow>,
}

/// One shard's part.
#[derive(Debug, Serialize)]
struct PartRow {
    shard: u32,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    keys: Vec<KeyRow>,
}

/// What became of one key.
#[derive(Debug, Serialize)]
struct KeyRow {
    key: String,
    #[serde(flatten)]
    row: Option<WriteRow>,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, arguments: BatchArguments) -> Result<Exit, CliError> {
    let text = read(&arguments.file)?;
    let store = arguments.writing.store(session).await?;
    let items = parse(&store, &text)?;
    let keys: Vec<String> =
        items.iter().map(|item| String::from_utf8_lossy(&item.key).into_owned()).collect();
    let reply = store.write_batch(items).await?;
    let row = BatchRow::of(&keys, &reply);
    if session.json() {
        json(&row)?;
    } else {
        for part in row.shards.iter().filter(|part| part.result != "ok") {
            note(part.text());
        }
        let (keys, shards) =
            (format::count(row.keys, "key"), format::count(row.shards.len(), "shard"));
        line(format_args!("{} {keys} in {shards}", row.result))?;
    }
    Ok(match row.result {
        "ok" => Exit::Done,
        "unknown" => Exit::Unreachable,
        _ => Exit::Degraded,
    })
}

fn read(file: &std::path::Path) -> Result<String, CliError> {
    let mut text = String::new();
    let limited = |from: &mut dyn Read, text: &mut String| {
        from.take(TEXT_BYTES_MAX + 1).read_to_string(text).map(drop)
    };
    let done = if file.as_os_str() == "-" {
        limited(&mut std::io::stdin().lock(), &mut text)
    } else {
        let opened = std::fs::OpenOptions::new().read(true).open(file);
        opened.and_then(|mut file| limited(&mut file, &mut text))
    };
    done.map_err(|error| CliError::local(&format!("read {}", file.display()), &error))?;
    if text.len() as u64 > TEXT_BYTES_MAX {
        return Err(CliError::usage("the batch is larger than 2 MiB", "several batches"));
    }
    Ok(text)
}

fn parse(store: &StoreHandle, text: &str) -> Result<Vec<WriteItem>, CliError> {
    let mut items = Vec::new();
    for (number, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        let wrong = |why: String| {
            CliError::usage(
                format!("line {number}: {why}"),
                "`put KEY VALUE`, `delete KEY` or `add KEY [NUMBER]`, one a line",
            )
        };
        let (key, action) = parse_line(text).map_err(wrong)?;
        items.push(store.item(key.into(), action));
    }
    if items.is_empty() {
        return Err(CliError::usage("the batch is empty", "a line such as `put KEY VALUE`"));
    }
    Ok(items)
}

/// The value of a put is everything behind the key and one space.
fn parse_line(text: &str) -> Result<(String, WriteAction), String> {
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    let (key, value) = match rest.split_once(' ') {
        Some((key, value)) => (key, Some(value)),
        None => (rest, None),
    };
    let action = match (verb, value) {
        ("put", Some(value)) => WriteAction::Put { value: value.to_owned().into(), expires: None },
        ("put", None) => return Err(format!("no value for {key:?}")),
        ("delete", None) => WriteAction::Delete,
        ("delete", Some(more)) => return Err(format!("{more:?} is one word too many")),
        ("add", by) => {
            let by = by.unwrap_or("1");
            let by = by.parse().map_err(|_| format!("{by:?} is no whole number"))?;
            WriteAction::Add { by }
        }
        (other, _) => return Err(format!("{other:?} is none of put, delete, add")),
    };
    Ok((write::key(key)?, action))
}

impl BatchRow {
    fn of(keys: &[String], reply: &BatchReply) -> Self {
        let shards: Vec<PartRow> = reply.parts.iter().map(|part| PartRow::of(keys, part)).collect();
        let has = |word: &str| shards.iter().any(|part| part.result == word);
        let result = ["unknown", "error"].into_iter().find(|word| has(word)).unwrap_or("ok");
        Self { result, keys: keys.len(), shards }
    }
}

impl PartRow {
    fn of(keys: &[String], part: &BatchPart) -> Self {
        let key = |at: &u32| keys.get(*at as usize).cloned().unwrap_or_default();
        let (mut result, mut error) = ("ok", None);
        let rows: Vec<Option<WriteRow>> = match &part.outcome {
            Ok(results) => results
                .iter()
                .map(|result| Some(WriteRow::of_result(result).synced(part.sync)))
                .collect(),
            Err(why) => {
                result = if why.is_unknown() { "unknown" } else { "error" };
                error = Some(why.to_string());
                part.items.iter().map(|_| None).collect()
            }
        };
        for row in rows.iter().flatten().filter(|row| row.result != "ok") {
            result = if result == "unknown" { result } else { row.result };
        }
        let keys = part.items.iter().zip(rows).map(|(at, row)| KeyRow { key: key(at), row });
        Self { shard: part.shard.0, result, error, keys: keys.collect() }
    }

    fn text(&self) -> String {
        let words = |row: &KeyRow| {
            let error = row.row.as_ref()?.error.as_ref()?;
            Some(format!("{}: {error}", row.key))
        };
        let of_keys: Vec<String> = self.keys.iter().filter_map(words).collect();
        let why = self.error.clone().unwrap_or_else(|| of_keys.join("; "));
        format!("s{}: {}: {why}", self.shard, self.result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_write() {
        let put = WriteAction::Put { value: "v w ".into(), expires: None };
        assert_eq!(parse_line("put k v w "), Ok(("k".into(), put)));
        assert_eq!(parse_line("delete k"), Ok(("k".into(), WriteAction::Delete)));
        assert_eq!(parse_line("add k"), Ok(("k".into(), WriteAction::Add { by: 1 })));
        assert_eq!(parse_line("add k -3"), Ok(("k".into(), WriteAction::Add { by: -3 })));
    }

    #[test]
    fn a_line_that_is_none_is_refused_in_words() {
        for (text, words) in [
            ("put k", "no value"),
            ("put", "no value"),
            ("delete k now", "one word too many"),
            ("add k many", "no whole number"),
            ("get k", "none of put, delete, add"),
            ("delete", "at least one byte"),
        ] {
            let why = parse_line(text).unwrap_err();
            assert!(why.contains(words), "{text}: {why}");
        }
    }
}
