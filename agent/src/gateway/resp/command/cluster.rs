//! Commands about who serves which slots.

use bytes::Bytes;
use evenkeel_shared::key::{SLOTS, Slot};

use super::super::reply::Reply;
use super::words::{lower, natural};
use super::{Question, Read, Session, answer, ask, unknown_verb};

/// What is asked of the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum ClusterQuestion {
    Slots,
    Shards,
    Nodes,
    Info,
    MyId,
}

pub(super) fn cluster(_: &mut Session, rest: &[Bytes]) -> Read {
    let (verb, arguments) = (&rest[0], &rest[1..]);
    let question = match (lower(verb).as_slice(), arguments) {
        (b"slots", []) => ClusterQuestion::Slots,
        (b"shards", []) => ClusterQuestion::Shards,
        (b"nodes", []) => ClusterQuestion::Nodes,
        (b"info", []) => ClusterQuestion::Info,
        (b"myid", []) => ClusterQuestion::MyId,
        (b"keyslot", [key]) => return answer(Reply::Integer(i64::from(Slot::of(key).0))),
        (b"countkeysinslot", [number]) => return ask(Question::InSlot(slot(number)?, None)),
        (b"getkeysinslot", [number, count]) => {
            let count = usize::try_from(natural(count)?).unwrap_or(usize::MAX);
            return ask(Question::InSlot(slot(number)?, Some(count)));
        }
        _ => return unknown_verb(verb, "CLUSTER"),
    };
    ask(Question::Cluster(question))
}

fn slot(word: &Bytes) -> Result<Slot, String> {
    let number = natural(word).ok().and_then(|number| u16::try_from(number).ok());
    let slot = number.filter(|number| *number < SLOTS).map(Slot);
    slot.ok_or_else(|| "ERR Invalid or out of range slot".to_owned())
}
