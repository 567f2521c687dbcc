//! Commands about keys, whatever lies under them.

use bytes::Bytes;
use evenkeel_shared::command::WriteAction;
use evenkeel_shared::key::{SLOTS, Slot};

use super::super::super::Write;
use super::super::record::{EndCondition, Life, Look, Update, is_bounded};
use super::strings::{look, update};
use super::words::{integer, lower, natural, quoted};
use super::{Question, Read, Session, Shape, Told, ask, syntax_error};

/// How many keys `SCAN` brings when nothing is said.
const SCAN_COUNT: usize = 10;
/// How many it brings at most at once, slots being whole.
const SCAN_COUNT_MAX: usize = 10_000;

pub(super) fn del(_: &mut Session, rest: &[Bytes]) -> Read {
    let mut seen = std::collections::BTreeSet::new();
    let delete =
        |key: &Bytes| Write { key: key.clone(), action: WriteAction::Delete, ttl_ms: None };
    let writes = rest.iter().filter(|key| seen.insert(*key)).map(delete).collect();
    ask(Question::Write { writes, told: Told::Removed })
}

pub(super) fn exists(_: &mut Session, rest: &[Bytes]) -> Read {
    ask(Question::Look { keys: rest.to_vec(), look: Look::Exists, shape: Shape::Sum })
}

fn expire(rest: &[Bytes], unit_ms: i64, is_moment: bool, command: &str) -> Read {
    let condition = match &rest[2..] {
        [] => EndCondition::Always,
        [word] => match lower(word).as_slice() {
            b"nx" => EndCondition::IfNone,
            b"xx" => EndCondition::IfAny,
            b"gt" => EndCondition::IfLater,
            b"lt" => EndCondition::IfEarlier,
            _ => return Err(format!("ERR Unsupported option {}", quoted(word))),
        },
        _ => return syntax_error(),
    };
    let ms = integer(&rest[1])?.checked_mul(unit_ms);
    let life = ms.map(|ms| if is_moment { Life::At(ms) } else { Life::For(ms) });
    let life = life.filter(|life| is_bounded(*life));
    let life = life.ok_or_else(|| format!("ERR invalid expire time in '{command}' command"))?;
    update(&rest[0], Update::End { life, condition })
}

pub(super) fn expire_s(_: &mut Session, rest: &[Bytes]) -> Read {
    expire(rest, 1_000, false, "expire")
}

pub(super) fn expire_ms(_: &mut Session, rest: &[Bytes]) -> Read {
    expire(rest, 1, false, "pexpire")
}

pub(super) fn expire_at_s(_: &mut Session, rest: &[Bytes]) -> Read {
    expire(rest, 1_000, true, "expireat")
}

pub(super) fn expire_at_ms(_: &mut Session, rest: &[Bytes]) -> Read {
    expire(rest, 1, true, "pexpireat")
}

pub(super) fn ttl(_: &mut Session, rest: &[Bytes]) -> Read {
    look(&rest[0], Look::Left(1_000))
}

pub(super) fn pttl(_: &mut Session, rest: &[Bytes]) -> Read {
    look(&rest[0], Look::Left(1))
}

pub(super) fn expire_time(_: &mut Session, rest: &[Bytes]) -> Read {
    look(&rest[0], Look::Ends(1_000))
}

pub(super) fn pexpire_time(_: &mut Session, rest: &[Bytes]) -> Read {
    look(&rest[0], Look::Ends(1))
}

pub(super) fn persist(_: &mut Session, rest: &[Bytes]) -> Read {
    update(&rest[0], Update::Persist)
}

pub(super) fn kind(_: &mut Session, rest: &[Bytes]) -> Read {
    look(&rest[0], Look::Type)
}

/// The cursor is the slot to go on with: each call brings whole slots, and 0 is the end.
pub(super) fn scan(_: &mut Session, rest: &[Bytes]) -> Read {
    let invalid = || "ERR invalid cursor".to_owned();
    let cursor = natural(&rest[0]).ok().and_then(|cursor| u16::try_from(cursor).ok());
    let from = cursor.filter(|slot| *slot < SLOTS).map(Slot).ok_or_else(invalid)?;
    let (mut pattern, mut enough, mut strings) = (Bytes::from_static(b"*"), SCAN_COUNT, true);
    let mut options = &rest[1..];
    while let [option, value, after @ ..] = options {
        match lower(option).as_slice() {
            b"match" => pattern = value.clone(),
            b"count" => {
                let count = usize::try_from(natural(value)?).unwrap_or(usize::MAX);
                if count == 0 {
                    return syntax_error();
                }
                enough = count.min(SCAN_COUNT_MAX);
            }
            b"type" => strings = value.eq_ignore_ascii_case(b"string"),
            _ => return syntax_error(),
        }
        options = after;
    }
    if !options.is_empty() {
        return syntax_error();
    }
    ask(Question::Scan { from, pattern, enough, strings })
}

pub(super) fn keys(_: &mut Session, rest: &[Bytes]) -> Read {
    ask(Question::Keys(rest[0].clone()))
}

pub(super) fn random_key(_: &mut Session, _: &[Bytes]) -> Read {
    ask(Question::Any)
}

pub(super) fn db_size(_: &mut Session, _: &[Bytes]) -> Read {
    ask(Question::Count)
}

fn rename_as(rest: &[Bytes], replace: bool, told: Told) -> Read {
    let (key, to) = (&rest[0], &rest[1]);
    if Slot::of(key) != Slot::of(to) {
        return Err(super::CROSS_SLOT.to_owned());
    }
    let action = WriteAction::Rename { to: to.clone(), replace };
    let writes = vec![Write { key: key.clone(), action, ttl_ms: None }];
    ask(Question::Write { writes, told })
}

pub(super) fn rename(_: &mut Session, rest: &[Bytes]) -> Read {
    rename_as(rest, true, Told::Renamed)
}

pub(super) fn rename_nx(_: &mut Session, rest: &[Bytes]) -> Read {
    rename_as(rest, false, Told::RenamedIfFree)
}

/// Whatever was acknowledged is there by now, and more can only be had by the keyspace's policy:
/// there is nothing to wait for.
pub(super) fn wait(_: &mut Session, rest: &[Bytes]) -> Read {
    natural(&rest[0])?;
    natural(&rest[1]).map_err(|_| "ERR timeout is negative")?;
    ask(Question::Copies)
}
