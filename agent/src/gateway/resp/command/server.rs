//! Commands about the server: what it is, and what it understands.

use bytes::Bytes;
use evenkeel_shared::limits::VALUE_BYTES_MAX;

use super::super::glob::fits;
use super::super::reply::Reply;
use super::words::lower;
use super::{Question, Read, Session, answer, ask, table, unknown_verb};

/// What is asked of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum ServerQuestion {
    /// Some of its figures, or all.
    Info(Vec<Bytes>),
    Time,
}

pub(super) fn info(_: &mut Session, rest: &[Bytes]) -> Read {
    let sections = rest.iter().map(|word| lower(word).into()).collect();
    ask(Question::Server(ServerQuestion::Info(sections)))
}

pub(super) fn time(_: &mut Session, _: &[Bytes]) -> Read {
    ask(Question::Server(ServerQuestion::Time))
}

/// What clients ask for before they trust a server, in Redis's own words.
const SETTINGS: [(&str, &str); 7] = [
    ("appendfsync", "always"),
    ("appendonly", "yes"),
    ("databases", "1"),
    ("maxmemory", "0"),
    ("maxmemory-policy", "noeviction"),
    ("save", ""),
    ("timeout", "0"),
];

pub(super) fn config(_: &mut Session, rest: &[Bytes]) -> Read {
    let (verb, patterns) = (&rest[0], &rest[1..]);
    match lower(verb).as_slice() {
        b"get" if !patterns.is_empty() => {
            let wanted = |name: &str| patterns.iter().any(|one| fits(&lower(one), name.as_bytes()));
            let known = SETTINGS.iter().filter(|(name, _)| wanted(name));
            let mut found: Vec<_> =
                known.map(|(name, value)| (*name, Reply::text(*value))).collect();
            if wanted("proto-max-bulk-len") {
                found.push(("proto-max-bulk-len", Reply::text(VALUE_BYTES_MAX.to_string())));
            }
            answer(Reply::Map(found))
        }
        b"get" => Err("ERR wrong number of arguments for 'config|get' command".to_owned()),
        b"set" | b"rewrite" | b"resetstat" => {
            let why =
                "ERR settings are changed by `evenkeel keyspace set`, or by the agents' flags";
            Err(why.to_owned())
        }
        _ => unknown_verb(verb, "CONFIG"),
    }
}

pub(super) fn command(_: &mut Session, rest: &[Bytes]) -> Read {
    let all = || Reply::Array(table::COMMANDS.iter().map(table::Command::described).collect());
    let Some((verb, names)) = rest.split_first() else { return answer(all()) };
    match (lower(verb).as_slice(), names) {
        (b"count", []) => {
            answer(Reply::Integer(i64::try_from(table::COMMANDS.len()).unwrap_or(i64::MAX)))
        }
        (b"list", []) => {
            answer(Reply::Array(table::COMMANDS.iter().map(|it| Reply::text(it.name)).collect()))
        }
        (b"info", []) => answer(all()),
        (b"info", names) => {
            let described = |name| table::find(name).map_or(Reply::Null, table::Command::described);
            answer(Reply::Array(names.iter().map(described).collect()))
        }
        (b"docs", names) => {
            let asked = |it: &&table::Command| {
                let same = |name: &Bytes| name.eq_ignore_ascii_case(it.name.as_bytes());
                names.is_empty() || names.iter().any(same)
            };
            let known = table::COMMANDS.iter().filter(asked);
            answer(Reply::Map(known.map(|it| (it.name, it.documented())).collect()))
        }
        (b"getkeys", [name, arguments @ ..]) => {
            let found = table::find(name).map(|it| it.keys(arguments)).unwrap_or_default();
            if found.is_empty() {
                return Err("ERR The command has no key arguments".to_owned());
            }
            answer(Reply::Array(found.into_iter().cloned().map(Reply::Bulk).collect()))
        }
        _ => unknown_verb(verb, "COMMAND"),
    }
}
