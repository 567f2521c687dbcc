//! Commands about the connection itself.

use bytes::Bytes;

use super::super::reply::{Protocol, Reply};
use super::words::{integer, lower, quoted};
use super::{Action, QUOTED_BYTES_MAX, Read, Session, answer, syntax_error, unknown_verb};

pub(super) fn ping(_: &mut Session, rest: &[Bytes]) -> Read {
    answer(rest.first().map_or(Reply::Simple("PONG"), |message| Reply::Bulk(message.clone())))
}

pub(super) fn echo(_: &mut Session, rest: &[Bytes]) -> Read {
    answer(Reply::Bulk(rest[0].clone()))
}

pub(super) fn quit(_: &mut Session, _: &[Bytes]) -> Read {
    Ok(Action::AnswerAndClose(Reply::OK))
}

pub(super) fn reset(session: &mut Session, _: &[Bytes]) -> Read {
    let Session { number, finds_way, .. } = *session;
    *session = Session { number, finds_way, ..Session::default() };
    answer(Reply::Simple("RESET"))
}

pub(super) fn select(_: &mut Session, rest: &[Bytes]) -> Read {
    match integer(&rest[0])? {
        0 => answer(Reply::OK),
        _ => Err("ERR DB index is out of range".to_owned()),
    }
}

pub(super) fn auth(_: &mut Session, _: &[Bytes]) -> Read {
    Err(no_password())
}

pub(super) fn read_only(session: &mut Session, _: &[Bytes]) -> Read {
    session.reads_copies = true;
    answer(Reply::OK)
}

pub(super) fn read_write(session: &mut Session, _: &[Bytes]) -> Read {
    session.reads_copies = false;
    answer(Reply::OK)
}

/// No slot is ever half moved here: nobody is sent away with ASK.
pub(super) fn asking(_: &mut Session, _: &[Bytes]) -> Read {
    answer(Reply::OK)
}

fn number(session: &Session) -> Reply {
    Reply::Integer(i64::try_from(session.number).unwrap_or(i64::MAX))
}

pub(super) fn hello(session: &mut Session, rest: &[Bytes]) -> Read {
    let mut protocol = session.protocol;
    let mut name = session.name.clone();
    if let Some((version, mut options)) = rest.split_first() {
        protocol = match integer(version) {
            Ok(2) => Protocol::Two,
            Ok(3) => Protocol::Three,
            Ok(_) => return Err("NOPROTO unsupported protocol version".to_owned()),
            Err(_) => {
                let why = "ERR Protocol version is not an integer or out of range";
                return Err(why.to_owned());
            }
        };
        while let [option, arguments @ ..] = options {
            options = match arguments {
                [given, after @ ..] if option.eq_ignore_ascii_case(b"setname") => {
                    name = client_name(given)?;
                    after
                }
                [_, _, ..] if option.eq_ignore_ascii_case(b"auth") => return Err(no_password()),
                _ => {
                    let option = quoted(option);
                    return Err(format!("ERR Syntax error in HELLO option '{option}'"));
                }
            };
        }
    }
    (session.protocol, session.name) = (protocol, name);
    answer(Reply::Map(vec![
        ("server", Reply::text("evenkeel")),
        ("version", Reply::text(env!("CARGO_PKG_VERSION"))),
        ("proto", Reply::Integer(if protocol == Protocol::Three { 3 } else { 2 })),
        ("id", number(session)),
        ("mode", Reply::text(if session.finds_way { "cluster" } else { "standalone" })),
        ("role", Reply::text("master")),
        ("modules", Reply::Array(Vec::new())),
    ]))
}

pub(super) fn client(session: &mut Session, rest: &[Bytes]) -> Read {
    let (verb, arguments) = (&rest[0], &rest[1..]);
    match (lower(verb).as_slice(), arguments) {
        (b"setinfo", [_, _]) | (b"no-evict" | b"no-touch", [_]) => answer(Reply::OK),
        (b"setname", [name]) => {
            session.name = client_name(name)?;
            answer(Reply::OK)
        }
        (b"getname", []) if session.name.is_empty() => answer(Reply::Null),
        (b"getname", []) => answer(Reply::Bulk(session.name.clone())),
        (b"id", []) => answer(number(session)),
        (b"info" | b"list", []) => answer(Reply::text(described(session))),
        (b"reply", [word]) if word.eq_ignore_ascii_case(b"on") => answer(Reply::OK),
        (b"setinfo" | b"setname" | b"getname" | b"id", _) => syntax_error(),
        _ => unknown_verb(verb, "CLIENT"),
    }
}

/// The one connection that a client may know of: its own.
fn described(session: &Session) -> String {
    let Session { number, name, protocol, .. } = session;
    let resp = if *protocol == Protocol::Three { 3 } else { 2 };
    format!("id={number} name={} db=0 resp={resp}\n", String::from_utf8_lossy(name))
}

/// A copy: a slice would keep the whole buffer that it came in.
fn client_name(name: &Bytes) -> Result<Bytes, String> {
    if name.len() <= QUOTED_BYTES_MAX && name.iter().all(u8::is_ascii_graphic) {
        return Ok(Bytes::copy_from_slice(name));
    }
    Err("ERR Client names cannot contain spaces, newlines or special characters.".to_owned())
}

fn no_password() -> String {
    "ERR AUTH <password> called without any password configured for the default user. \
     Are you sure your configuration is correct?"
        .to_owned()
}
