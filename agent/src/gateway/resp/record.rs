//! What commands make of one record. Pure: the record and the shard's time in, a reply and perhaps
//! a write out.

use bytes::{Bytes, BytesMut};
use evenkeel_shared::command::{Expected, WriteAction};
use evenkeel_shared::limits::VALUE_BYTES_MAX;
use evenkeel_shared::version::Hlc;

use super::super::{Seen, SeenRecord};
use super::reply::Reply;

/// Longest lifetime, in milliseconds: a hundred years fit a hybrid logical time.
const LIFETIME_MAX_MS: i64 = 100 * 365 * 24 * 3_600_000;
/// Latest end, in milliseconds since 1970: the year 2300.
const MOMENT_MAX_MS: i64 = 10_413_792_000_000;

/// What is told of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Value,
    Exists,
    Length,
    /// From one byte to another, both included; negative ones count from the end.
    Range(i64, i64),
    /// How long it has left, in units of so many milliseconds.
    Left(u64),
    /// When it ends, since 1970, in the same.
    Ends(u64),
    Type,
}

/// When a record ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Ever,
    /// Milliseconds from now.
    For(i64),
    /// Milliseconds since 1970.
    At(i64),
    /// As the record that is there.
    Kept,
}

/// When something is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Condition {
    #[default]
    Always,
    IfAbsent,
    IfPresent,
}

/// When another end replaces the one that is there; no end is later than any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum EndCondition {
    #[default]
    Always,
    IfNone,
    IfAny,
    IfLater,
    IfEarlier,
}

/// A change that depends on the record that is there.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Update {
    Set {
        value: Bytes,
        life: Life,
        condition: Condition,
        get: bool,
    },
    Append(Bytes),
    Splice {
        at: u64,
        piece: Bytes,
    },
    AddFloat(f64),
    Take,
    /// Its value, with another end if one is given.
    Touch(Option<Life>),
    End {
        life: Life,
        condition: EndCondition,
    },
    Persist,
}

/// What an update comes to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Decision {
    /// What to write, on the condition that the record is still the same, and how long it lives.
    pub(super) write: Option<(WriteAction, Option<u64>)>,
    /// What to answer once that is done.
    pub(super) reply: Reply,
}

impl Look {
    pub(super) fn see(self, seen: &Seen) -> Reply {
        let record = seen.record.as_ref();
        match (self, record) {
            (Self::Value, None) => Reply::Null,
            (Self::Value, Some(record)) => Reply::Bulk(record.value.clone()),
            (Self::Exists, record) => Reply::Integer(i64::from(record.is_some())),
            (Self::Length, record) => length(record.map_or(0, |record| record.value.len())),
            (Self::Range(first, last), record) => {
                let value = record.map(|record| record.value.clone()).unwrap_or_default();
                Reply::Bulk(range(&value, first, last))
            }
            (Self::Left(_) | Self::Ends(_), None) => Reply::Integer(-2),
            (Self::Left(unit_ms), Some(record)) => end(record, |ends| {
                (ends.unix_ms().saturating_sub(seen.now.unix_ms()) + unit_ms / 2) / unit_ms
            }),
            (Self::Ends(unit_ms), Some(record)) => end(record, |ends| ends.unix_ms() / unit_ms),
            (Self::Type, record) => Reply::Simple(if record.is_some() { "string" } else { "none" }),
        }
    }
}

fn length(bytes: usize) -> Reply {
    Reply::Integer(i64::try_from(bytes).unwrap_or(i64::MAX))
}

fn end(record: &SeenRecord, tell: impl Fn(Hlc) -> u64) -> Reply {
    let told = |ends| i64::try_from(tell(ends)).unwrap_or(i64::MAX);
    Reply::Integer(record.expires.map_or(-1, told))
}

fn range(value: &Bytes, first: i64, last: i64) -> Bytes {
    let length = i64::try_from(value.len()).unwrap_or(i64::MAX);
    let from_end = |at: i64| if at < 0 { at.saturating_add(length) } else { at };
    let (first, last) = (from_end(first).max(0), from_end(last).min(length - 1));
    match (usize::try_from(first), usize::try_from(last)) {
        (Ok(first), Ok(last)) if first <= last => value.slice(first..=last),
        _ => Bytes::new(),
    }
}

/// A lifetime as a write carries it: milliseconds from now, or its end.
pub(super) fn lifetime(life: Life, record: Option<&SeenRecord>) -> (Option<u64>, Option<Hlc>) {
    match life {
        Life::Ever => (None, None),
        Life::For(ms) => (Some(u64::try_from(ms).unwrap_or(1).max(1)), None),
        Life::At(ms) => (None, Some(Hlc::from_unix_ms(u64::try_from(ms).unwrap_or(0)))),
        Life::Kept => (None, record.and_then(|record| record.expires)),
    }
}

/// Whether a hybrid logical time can hold the end: ends of a hundred years from now on, whatever
/// the year is, and moments up to the year 2300.
pub(super) fn is_bounded(life: Life) -> bool {
    match life {
        Life::For(ms) => ms <= LIFETIME_MAX_MS,
        Life::At(ms) => ms <= MOMENT_MAX_MS,
        Life::Ever | Life::Kept => true,
    }
}

impl Update {
    /// What it comes to with the record that was seen.
    pub(super) fn decide(&self, seen: &Seen) -> Decision {
        let record = seen.record.as_ref();
        match self {
            Self::Set { value, life, condition, get } => {
                let before = || record.map_or(Reply::Null, |it| Reply::Bulk(it.value.clone()));
                let holds = match condition {
                    Condition::Always => true,
                    Condition::IfAbsent => record.is_none(),
                    Condition::IfPresent => record.is_some(),
                };
                if !holds {
                    return keep(if *get { before() } else { Reply::Null });
                }
                let reply = if *get { before() } else { Reply::OK };
                put(record, value.clone(), *life, reply)
            }
            Self::Append(piece) => {
                let mut value = BytesMut::from(record.map_or(&b""[..], |record| &record.value));
                value.extend_from_slice(piece);
                let reply = length(value.len());
                put(record, value.freeze(), Life::Kept, reply)
            }
            Self::Splice { at, piece } => splice(record, *at, piece),
            Self::AddFloat(by) => add_float(record, *by),
            Self::Take => match record {
                None => keep(Reply::Null),
                Some(record) => delete(record, Reply::Bulk(record.value.clone())),
            },
            Self::Touch(life) => match (record, life) {
                (None, _) => keep(Reply::Null),
                (Some(record), None) => keep(Reply::Bulk(record.value.clone())),
                (Some(record), Some(life)) => {
                    ended(seen.now, record, *life, Reply::Bulk(record.value.clone()))
                }
            },
            Self::End { life, condition } => match record {
                Some(record) if allows(*condition, record, *life, seen.now) => {
                    ended(seen.now, record, *life, Reply::Integer(1))
                }
                _ => keep(Reply::Integer(0)),
            },
            Self::Persist => match record {
                Some(record) if record.expires.is_some() => {
                    put(Some(record), record.value.clone(), Life::Ever, Reply::Integer(1))
                }
                _ => keep(Reply::Integer(0)),
            },
        }
    }
}

fn keep(reply: Reply) -> Decision {
    Decision { write: None, reply }
}

fn expected(record: Option<&SeenRecord>) -> Expected {
    record.map_or(Expected::Absent, |record| Expected::Version(record.version))
}

fn put(record: Option<&SeenRecord>, value: Bytes, life: Life, reply: Reply) -> Decision {
    let (ttl_ms, expires) = lifetime(life, record);
    let action = WriteAction::CompareAndSet { expected: expected(record), value, expires };
    Decision { write: Some((action, ttl_ms)), reply }
}

fn delete(record: &SeenRecord, reply: Reply) -> Decision {
    let action = WriteAction::CompareAndDelete { expected: expected(Some(record)) };
    Decision { write: Some((action, None)), reply }
}

/// The same value with another end; one that has passed removes it.
fn ended(now: Hlc, record: &SeenRecord, life: Life, reply: Reply) -> Decision {
    let has_passed = match life {
        Life::For(ms) => ms <= 0,
        Life::At(ms) => u64::try_from(ms).is_ok_and(|ms| ms <= now.unix_ms()) || ms < 0,
        Life::Ever | Life::Kept => false,
    };
    if has_passed {
        return delete(record, reply);
    }
    put(Some(record), record.value.clone(), life, reply)
}

fn allows(condition: EndCondition, record: &SeenRecord, life: Life, now: Hlc) -> bool {
    let there = record.expires.map_or(i64::MAX, |ends| milliseconds(ends.unix_ms()));
    let new = match life {
        Life::For(ms) => milliseconds(now.unix_ms()).saturating_add(ms),
        Life::At(ms) => ms,
        Life::Ever | Life::Kept => i64::MAX,
    };
    match condition {
        EndCondition::Always => true,
        EndCondition::IfNone => record.expires.is_none(),
        EndCondition::IfAny => record.expires.is_some(),
        EndCondition::IfLater => record.expires.is_some() && new > there,
        EndCondition::IfEarlier => new < there,
    }
}

fn milliseconds(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

fn splice(record: Option<&SeenRecord>, at: u64, piece: &Bytes) -> Decision {
    let before = record.map_or(&b""[..], |record| &record.value);
    if piece.is_empty() {
        return keep(length(before.len()));
    }
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    let end = at.saturating_add(piece.len());
    if end > VALUE_BYTES_MAX {
        let why = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
        return keep(Reply::Error(why.to_owned()));
    }
    let mut value = BytesMut::from(before);
    value.resize(before.len().max(end), 0);
    value[at..end].copy_from_slice(piece);
    let reply = length(value.len());
    put(record, value.freeze(), Life::Kept, reply)
}

fn add_float(record: Option<&SeenRecord>, by: f64) -> Decision {
    let before = record.map_or(Some(0.0), |record| {
        let text = std::str::from_utf8(&record.value).ok()?;
        text.parse().ok().filter(|number: &f64| number.is_finite())
    });
    let Some(before) = before else {
        return keep(Reply::Error("ERR value is not a valid float".to_owned()));
    };
    let sum = before + by;
    if !sum.is_finite() {
        let why = "ERR increment would produce NaN or Infinity";
        return keep(Reply::Error(why.to_owned()));
    }
    let text = Bytes::from(sum.to_string());
    put(record, text.clone(), Life::Kept, Reply::Bulk(text))
}

#[cfg(test)]
mod tests;
