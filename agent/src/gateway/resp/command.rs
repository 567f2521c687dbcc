//! What a command means: an answer that needs no store, or a question to it. Pure.
//!
//! Refusals have Redis's own texts, for clients compare them.

#![expect(clippy::unnecessary_wraps, reason = "every command of the table is read by one type")]

mod cluster;
mod connection;
mod keys;
mod server;
mod strings;
pub(super) mod table;
mod words;

use bytes::Bytes;
use evenkeel_shared::key::Slot;
use evenkeel_shared::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};

use super::super::Write;
use super::record::{Look, Update};
use super::reply::{Protocol, Reply};
pub(super) use cluster::ClusterQuestion;
pub(super) use server::ServerQuestion;
use words::quoted;

/// How much of an unknown command is repeated, as in Redis.
const QUOTED_BYTES_MAX: usize = 128;

/// How Redis refuses what spans slots.
pub(super) const CROSS_SLOT: &str = "CROSSSLOT Keys in request don't hash to the same slot";

/// What a connection has agreed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Session {
    /// Counts this listener's connections.
    pub(super) number: u64,
    pub(super) protocol: Protocol,
    /// What the client calls itself; empty if it doesn't.
    pub(super) name: Bytes,
    /// Whether it finds the way to leaders itself.
    pub(super) finds_way: bool,
    /// Whether it has asked to read whatever copy is here.
    pub(super) reads_copies: bool,
}

/// What to do about a command.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    Answer(Reply),
    AnswerAndClose(Reply),
    Ask(Question),
}

/// What the store is asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Question {
    /// One answer, or one for each key.
    Look {
        keys: Vec<Bytes>,
        look: Look,
        shape: Shape,
    },
    /// Writes that depend on nothing.
    Write {
        writes: Vec<Write>,
        told: Told,
    },
    /// Depends on the record that is there.
    Update {
        key: Bytes,
        update: Update,
    },
    /// Keys from one slot on, until there are enough.
    Scan {
        from: Slot,
        pattern: Bytes,
        enough: usize,
        strings: bool,
    },
    /// All keys that fit.
    Keys(Bytes),
    /// Some key.
    Any,
    /// How many keys there are.
    Count,
    /// The keys of one slot: at most so many, or how many there are.
    InSlot(Slot, Option<usize>),
    /// On how many other voters' disks everything is that was acknowledged.
    Copies,
    Cluster(ClusterQuestion),
    Server(ServerQuestion),
}

/// How looks at several keys are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    One,
    Each,
    Sum,
}

/// How writes are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// OK, or nothing where a condition did not hold.
    Ok,
    /// 1, or 0 where a condition did not hold.
    Whether,
    /// How many records there were.
    Removed,
    /// What a counter shows.
    Counter,
    /// OK, or that there is no such key.
    Renamed,
    /// 1, 0 where a record is in the way, or that there is no such key.
    RenamedIfFree,
}

impl Question {
    /// The keys whose order matters.
    pub(super) fn keys(&self) -> Vec<&Bytes> {
        match self {
            Self::Look { keys, .. } => keys.iter().collect(),
            Self::Write { writes, .. } => writes
                .iter()
                .flat_map(|write| std::iter::once(&write.key).chain(write.action.other_key()))
                .collect(),
            Self::Update { key, .. } => vec![key],
            _ => Vec::new(),
        }
    }

    pub(super) fn is_write(&self) -> bool {
        matches!(self, Self::Write { .. } | Self::Update { .. })
    }

    /// Whether it is about all that this client has written before.
    pub(super) fn waits_for_writes(&self) -> bool {
        matches!(
            self,
            Self::Scan { .. }
                | Self::Keys(_)
                | Self::Any
                | Self::Count
                | Self::InSlot(..)
                | Self::Copies
        )
    }

    pub(super) fn bytes(&self) -> usize {
        let keys: usize = self.keys().iter().map(|key| key.len()).sum();
        keys + self.value_bytes().into_iter().sum::<usize>()
    }

    fn value_bytes(&self) -> Vec<usize> {
        match self {
            Self::Write { writes, .. } => {
                writes.iter().map(|write| write.action.value_bytes()).collect()
            }
            Self::Update { update: Update::Set { value, .. }, .. } => vec![value.len()],
            Self::Update { update: Update::Append(piece), .. }
            | Self::Update { update: Update::Splice { piece, .. }, .. } => vec![piece.len()],
            _ => Vec::new(),
        }
    }

    /// The bound that it breaks, if it does.
    pub(super) fn fault(&self) -> Option<String> {
        let key = self.keys().into_iter().find_map(|key| match key.len() {
            0 => Some("the key is empty: at least one byte is needed".to_owned()),
            1..=KEY_BYTES_MAX => None,
            length => Some(format!("the key has {length} bytes, at most {KEY_BYTES_MAX} fit")),
        });
        let too_long =
            |length: usize| format!("the value has {length} bytes, at most {VALUE_BYTES_MAX} fit");
        let value = || self.value_bytes().into_iter().find(|length| *length > VALUE_BYTES_MAX);
        key.or_else(|| value().map(too_long))
    }
}

/// Reads a command of at least one word.
pub(super) fn interpret(session: &mut Session, words: &[Bytes]) -> Action {
    let (name, rest) = words.split_first().expect("empty commands are passed over");
    let Some(command) = table::find(name) else {
        return Action::Answer(Reply::Error(unknown(name, rest)));
    };
    if !command.takes(words.len()) {
        let why = format!("ERR wrong number of arguments for '{}' command", command.name);
        return Action::Answer(Reply::Error(why));
    }
    (command.read)(session, rest).unwrap_or_else(|why| Action::Answer(Reply::Error(why)))
}

/// What reading a command gives; an error is told in these words.
pub(super) type Read = Result<Action, String>;

fn answer(reply: Reply) -> Read {
    Ok(Action::Answer(reply))
}

fn ask(question: Question) -> Read {
    Ok(Action::Ask(question))
}

fn syntax_error<T>() -> Result<T, String> {
    Err("ERR syntax error".to_owned())
}

fn unknown(name: &Bytes, rest: &[Bytes]) -> String {
    let mut beginning = String::new();
    for word in rest {
        if beginning.len() >= QUOTED_BYTES_MAX {
            break;
        }
        beginning.extend(["'", &quoted(word), "' "]);
    }
    format!("ERR unknown command '{}', with args beginning with: {beginning}", quoted(name))
}

fn unknown_verb<T>(verb: &Bytes, of: &str) -> Result<T, String> {
    Err(format!("ERR unknown subcommand '{}'. Try {of} HELP.", quoted(verb)))
}
