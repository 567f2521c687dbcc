//! Every command that is understood, in one table: how it is read, and how `COMMAND` tells of it.

use bytes::Bytes;

use super::super::reply::Reply;
use super::{Read, Session, cluster, connection, keys, server, strings};

/// One command.
pub(in super::super) struct Command {
    /// Its name, in lower case.
    pub(super) name: &'static str,
    /// How many words it has, its name included; at least so many if negative.
    arity: i64,
    flags: &'static [&'static str],
    /// The first and last word that is a key, and the step from one to the next; all 0: none is.
    keys: (i64, i64, i64),
    group: &'static str,
    summary: &'static str,
    pub(super) read: fn(&mut Session, &[Bytes]) -> Read,
}

const READ: &[&str] = &["readonly"];
const FAST: &[&str] = &["readonly", "fast"];
const WRITE: &[&str] = &["write", "denyoom"];
const KEYS: &[&str] = &["write"];
const PLAIN: &[&str] = &["loading", "stale", "fast"];
const NONE: (i64, i64, i64) = (0, 0, 0);
const ONE: (i64, i64, i64) = (1, 1, 1);
const ALL: (i64, i64, i64) = (1, -1, 1);

macro_rules! commands {
    ($($group:ident { $($name:literal $arity:literal $flags:ident $keys:expr, $read:path, $summary:literal;)* })*) => {
        &[$($(Command {
            name: $name,
            arity: $arity,
            flags: $flags,
            keys: $keys,
            group: stringify!($group),
            summary: $summary,
            read: $read,
        },)*)*]
    };
}

/// All of them.
pub(super) const COMMANDS: &[Command] = commands! {
    string {
    "get" 2 FAST ONE, strings::get, "The value of a key";
    "set" -3 WRITE ONE, strings::set, "Sets a value, its end, and on which condition";
    "setnx" 3 WRITE ONE, strings::setnx, "Sets a value if there is none";
    "setex" 4 WRITE ONE, strings::setex, "Sets a value and its end in seconds";
    "psetex" 4 WRITE ONE, strings::psetex, "Sets a value and its end in milliseconds";
    "getset" 3 WRITE ONE, strings::getset, "Sets a value, and tells the one before";
    "getdel" 2 WRITE ONE, strings::getdel, "Removes a value, and tells it";
    "getex" -2 WRITE ONE, strings::getex, "The value of a key, which gets another end";
    "mget" -2 FAST ALL, strings::mget, "The values of several keys";
    "mset" -3 WRITE (1, -1, 2), strings::mset, "Sets several values";
    "incr" 2 WRITE ONE, strings::incr, "Adds 1 to a counter";
    "decr" 2 WRITE ONE, strings::decr, "Takes 1 from a counter";
    "incrby" 3 WRITE ONE, strings::incrby, "Adds to a counter";
    "decrby" 3 WRITE ONE, strings::decrby, "Takes from a counter";
    "incrbyfloat" 3 WRITE ONE, strings::incrbyfloat, "Adds a fraction to a number";
    "append" 3 WRITE ONE, strings::append, "Puts something behind a value";
    "strlen" 2 FAST ONE, strings::strlen, "How long a value is";
    "getrange" 4 READ ONE, strings::getrange, "A part of a value";
    "substr" 4 READ ONE, strings::getrange, "A part of a value";
    "setrange" 4 WRITE ONE, strings::setrange, "Writes over a part of a value";
    } generic {
    "del" -2 KEYS ALL, keys::del, "Removes keys";
    "unlink" -2 KEYS ALL, keys::del, "Removes keys";
    "exists" -2 FAST ALL, keys::exists, "How many of the keys there are";
    "touch" -2 FAST ALL, keys::exists, "How many of the keys there are";
    "expire" -3 KEYS ONE, keys::expire_s, "Has a key end in some seconds";
    "pexpire" -3 KEYS ONE, keys::expire_ms, "Has a key end in some milliseconds";
    "expireat" -3 KEYS ONE, keys::expire_at_s, "Has a key end at a time, in seconds since 1970";
    "pexpireat" -3 KEYS ONE, keys::expire_at_ms, "Has a key end at a time, in milliseconds since 1970";
    "ttl" 2 FAST ONE, keys::ttl, "How long a key has left, in seconds";
    "pttl" 2 FAST ONE, keys::pttl, "How long a key has left, in milliseconds";
    "expiretime" 2 FAST ONE, keys::expire_time, "When a key ends, in seconds since 1970";
    "pexpiretime" 2 FAST ONE, keys::pexpire_time, "When a key ends, in milliseconds since 1970";
    "persist" 2 KEYS ONE, keys::persist, "Takes a key's end away";
    "type" 2 FAST ONE, keys::kind, "What lies under a key";
    "scan" -2 READ NONE, keys::scan, "Walks over all keys, slot by slot";
    "keys" 2 READ NONE, keys::keys, "All keys that fit a pattern";
    "randomkey" 1 READ NONE, keys::random_key, "Some key";
    "rename" 3 KEYS (1, 2, 1), keys::rename, "Puts a record under another key of its slot";
    "renamenx" 3 KEYS (1, 2, 1), keys::rename_nx, "The same, if nothing lies there";
    "wait" 3 PLAIN NONE, keys::wait, "Waits until other voters have synced what was written";
    } connection {
    "ping" -1 PLAIN NONE, connection::ping, "Answers";
    "echo" 2 PLAIN NONE, connection::echo, "Answers the same";
    "hello" -1 PLAIN NONE, connection::hello, "Agrees on a version of the protocol";
    "auth" -2 PLAIN NONE, connection::auth, "Says who one is; nobody is asked";
    "select" 2 PLAIN NONE, connection::select, "Chooses database 0";
    "client" -2 PLAIN NONE, connection::client, "Names the connection, and tells of it";
    "reset" 1 PLAIN NONE, connection::reset, "Begins anew";
    "quit" -1 PLAIN NONE, connection::quit, "Leaves";
    } server {
    "info" -1 PLAIN NONE, server::info, "Figures of this node";
    "command" -1 PLAIN NONE, server::command, "What is understood";
    "config" -2 PLAIN NONE, server::config, "Some settings, in Redis's words";
    "dbsize" 1 READ NONE, keys::db_size, "How many keys there are; it counts them";
    "time" 1 PLAIN NONE, server::time, "The time of this node";
    } cluster {
    "cluster" -2 PLAIN NONE, cluster::cluster, "Who serves which slots";
    "readonly" 1 PLAIN NONE, connection::read_only, "Reads whatever copy is here from now on";
    "readwrite" 1 PLAIN NONE, connection::read_write, "Reads what is acknowledged again";
    "asking" 1 PLAIN NONE, connection::asking, "Does nothing: no slot is ever half moved";
    }
};

/// The command of that name, in whatever case.
pub(super) fn find(name: &Bytes) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| name.eq_ignore_ascii_case(command.name.as_bytes()))
}

impl Command {
    /// Whether it may have so many words.
    pub(super) fn takes(&self, words: usize) -> bool {
        let words = i64::try_from(words).unwrap_or(i64::MAX);
        if self.arity < 0 { words >= -self.arity } else { words == self.arity }
    }

    /// The keys among the words behind its name.
    pub(super) fn keys<'a>(&self, rest: &'a [Bytes]) -> Vec<&'a Bytes> {
        let (first, last, step) = self.keys;
        let count = i64::try_from(rest.len()).unwrap_or(i64::MAX);
        let last = if last < 0 { count + 1 + last } else { last.min(count) };
        let step = usize::try_from(step).unwrap_or(1).max(1);
        let places = (first.max(1)..=last).step_by(step).filter(|_| first > 0);
        places.filter_map(|at| rest.get(usize::try_from(at - 1).ok()?)).collect()
    }

    /// As `COMMAND INFO` tells of it.
    pub(super) fn described(&self) -> Reply {
        let (first, last, step) = self.keys;
        let flags = self.flags.iter().map(|flag| Reply::Simple(flag));
        let numbers = [first, last, step].map(Reply::Integer);
        let mut parts =
            vec![Reply::text(self.name), Reply::Integer(self.arity), Reply::Array(flags.collect())];
        parts.extend(numbers);
        // Categories, tips, key specifications, subcommands.
        parts.extend((0..4).map(|_| Reply::Array(Vec::new())));
        Reply::Array(parts)
    }

    /// As `COMMAND DOCS` does.
    pub(super) fn documented(&self) -> Reply {
        Reply::Map(vec![
            ("summary", Reply::text(self.summary)),
            ("since", Reply::text(env!("CARGO_PKG_VERSION"))),
            ("group", Reply::text(self.group)),
        ])
    }
}
