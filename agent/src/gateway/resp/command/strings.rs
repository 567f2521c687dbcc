//! Commands about values.

use bytes::Bytes;
use evenkeel_shared::command::{Expected, WriteAction};
use evenkeel_shared::limits::BATCH_OPERATIONS_MAX;

use super::super::super::Write;
use super::super::record::{Condition, Life, Look, Update, is_bounded, lifetime};
use super::words::{float, integer, lower};
use super::{Question, Read, Session, Shape, Told, ask, syntax_error};

pub(super) fn get(_: &mut Session, rest: &[Bytes]) -> Read {
    look(&rest[0], Look::Value)
}

pub(super) fn look(key: &Bytes, look: Look) -> Read {
    ask(Question::Look { keys: vec![key.clone()], look, shape: Shape::One })
}

pub(super) fn update(key: &Bytes, update: Update) -> Read {
    ask(Question::Update { key: key.clone(), update })
}

fn put(key: &Bytes, value: &Bytes) -> Write {
    let action = WriteAction::PutBlind { value: value.clone(), expires: None };
    Write { key: key.clone(), action, ttl_ms: None }
}

fn write(write: Write, told: Told) -> Read {
    ask(Question::Write { writes: vec![write], told })
}

pub(super) fn set(_: &mut Session, rest: &[Bytes]) -> Read {
    let (key, value, mut options) = (&rest[0], &rest[1], &rest[2..]);
    let (mut life, mut condition, mut get) = (None, Condition::Always, false);
    while let [option, arguments @ ..] = options {
        options = match (lower(option).as_slice(), arguments) {
            (b"nx", after) if condition == Condition::Always => {
                condition = Condition::IfAbsent;
                after
            }
            (b"xx", after) if condition == Condition::Always => {
                condition = Condition::IfPresent;
                after
            }
            (b"get", after) => {
                get = true;
                after
            }
            (b"keepttl", after) if life.is_none() => {
                life = Some(Life::Kept);
                after
            }
            (unit, [number, after @ ..]) if life.is_none() => {
                life = Some(end(unit, number, "set")?);
                after
            }
            _ => return syntax_error(),
        };
    }
    set_as(key, value, life.unwrap_or(Life::Ever), (condition, get))
}

/// Without a look at the record that is there, where none is needed.
fn set_as(key: &Bytes, value: &Bytes, life: Life, how: (Condition, bool)) -> Read {
    let (ttl_ms, expires) = lifetime(life, None);
    let (key, value) = (key.clone(), value.clone());
    let (condition, get) = how;
    let action = match how {
        (Condition::Always, false) if life != Life::Kept => {
            WriteAction::PutBlind { value, expires }
        }
        (Condition::IfAbsent, false) => {
            WriteAction::CompareAndSet { expected: Expected::Absent, value, expires }
        }
        _ => {
            let update = Update::Set { value, life, condition, get };
            return ask(Question::Update { key, update });
        }
    };
    write(Write { key, action, ttl_ms }, Told::Ok)
}

/// An end as `EX`, `PX`, `EXAT` and `PXAT` give it.
fn end(unit: &[u8], number: &Bytes, command: &str) -> Result<Life, String> {
    let unit_ms = match unit {
        b"ex" | b"exat" => 1_000,
        b"px" | b"pxat" => 1,
        _ => return syntax_error(),
    };
    bounded(integer(number)?, unit_ms, unit.ends_with(b"at"), command)
}

fn bounded(number: i64, unit_ms: i64, is_moment: bool, command: &str) -> Result<Life, String> {
    let ms = number.checked_mul(unit_ms).filter(|ms| *ms > 0);
    let life = ms.map(|ms| if is_moment { Life::At(ms) } else { Life::For(ms) });
    let life = life.filter(|life| is_bounded(*life));
    life.ok_or_else(|| format!("ERR invalid expire time in '{command}' command"))
}

pub(super) fn setnx(_: &mut Session, rest: &[Bytes]) -> Read {
    let (expected, value) = (Expected::Absent, rest[1].clone());
    let action = WriteAction::CompareAndSet { expected, value, expires: None };
    write(Write { key: rest[0].clone(), action, ttl_ms: None }, Told::Whether)
}

pub(super) fn setex(_: &mut Session, rest: &[Bytes]) -> Read {
    let life = bounded(integer(&rest[1])?, 1_000, false, "setex")?;
    set_as(&rest[0], &rest[2], life, (Condition::Always, false))
}

pub(super) fn psetex(_: &mut Session, rest: &[Bytes]) -> Read {
    let life = bounded(integer(&rest[1])?, 1, false, "psetex")?;
    set_as(&rest[0], &rest[2], life, (Condition::Always, false))
}

pub(super) fn getset(_: &mut Session, rest: &[Bytes]) -> Read {
    let (value, life) = (rest[1].clone(), Life::Ever);
    update(&rest[0], Update::Set { value, life, condition: Condition::Always, get: true })
}

pub(super) fn getdel(_: &mut Session, rest: &[Bytes]) -> Read {
    update(&rest[0], Update::Take)
}

pub(super) fn getex(_: &mut Session, rest: &[Bytes]) -> Read {
    let life = match &rest[1..] {
        [] => None,
        [option] if option.eq_ignore_ascii_case(b"persist") => Some(Life::Ever),
        [unit, number] => Some(end(&lower(unit), number, "getex")?),
        _ => return syntax_error(),
    };
    update(&rest[0], Update::Touch(life))
}

pub(super) fn mget(_: &mut Session, rest: &[Bytes]) -> Read {
    ask(Question::Look { keys: rest.to_vec(), look: Look::Value, shape: Shape::Each })
}

/// Of a key that is set twice, the last value stays, as in Redis.
pub(super) fn mset(_: &mut Session, rest: &[Bytes]) -> Read {
    if !rest.len().is_multiple_of(2) {
        return Err("ERR wrong number of arguments for 'mset' command".to_owned());
    }
    let mut writes: Vec<Write> = Vec::with_capacity(rest.len() / 2);
    let mut seen = std::collections::BTreeSet::new();
    for pair in rest.chunks_exact(2).rev() {
        if seen.insert(&pair[0]) {
            writes.push(put(&pair[0], &pair[1]));
        }
    }
    if writes.len() > BATCH_OPERATIONS_MAX {
        return Err(format!("ERR at most {BATCH_OPERATIONS_MAX} keys are set at once"));
    }
    writes.reverse();
    ask(Question::Write { writes, told: Told::Ok })
}

fn add(key: &Bytes, by: i64) -> Read {
    let action = WriteAction::Add { by };
    write(Write { key: key.clone(), action, ttl_ms: None }, Told::Counter)
}

pub(super) fn incr(_: &mut Session, rest: &[Bytes]) -> Read {
    add(&rest[0], 1)
}

pub(super) fn decr(_: &mut Session, rest: &[Bytes]) -> Read {
    add(&rest[0], -1)
}

pub(super) fn incrby(_: &mut Session, rest: &[Bytes]) -> Read {
    add(&rest[0], integer(&rest[1])?)
}

pub(super) fn decrby(_: &mut Session, rest: &[Bytes]) -> Read {
    let by = integer(&rest[1])?.checked_neg();
    add(&rest[0], by.ok_or("ERR decrement would overflow")?)
}

pub(super) fn incrbyfloat(_: &mut Session, rest: &[Bytes]) -> Read {
    update(&rest[0], Update::AddFloat(float(&rest[1])?))
}

pub(super) fn append(_: &mut Session, rest: &[Bytes]) -> Read {
    update(&rest[0], Update::Append(rest[1].clone()))
}

pub(super) fn strlen(_: &mut Session, rest: &[Bytes]) -> Read {
    look(&rest[0], Look::Length)
}

pub(super) fn getrange(_: &mut Session, rest: &[Bytes]) -> Read {
    look(&rest[0], Look::Range(integer(&rest[1])?, integer(&rest[2])?))
}

pub(super) fn setrange(_: &mut Session, rest: &[Bytes]) -> Read {
    let at = u64::try_from(integer(&rest[1])?).map_err(|_| "ERR offset is out of range")?;
    update(&rest[0], Update::Splice { at, piece: rest[2].clone() })
}
