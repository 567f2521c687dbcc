//! What a command means: an answer that needs no store, or a question to it. Pure.
//!
//! Refusals have Redis's own texts, for clients compare them.

use std::time::Duration;

use bytes::Bytes;
use evenkeel_shared::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};

use super::super::{SetCondition, SetRequest};
use super::reply::{Protocol, Reply};

/// Longest lifetime: a hundred years fit a hybrid logical time.
const LIFETIME_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
/// How much of an unknown command is repeated, as in Redis.
const QUOTED_BYTES_MAX: usize = 128;

/// What a connection has agreed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Session {
    /// Counts this listener's connections.
    pub(super) number: u64,
    pub(super) protocol: Protocol,
    /// What the client calls itself; empty if it doesn't.
    pub(super) name: Bytes,
}

/// What to do about a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Answer(Reply),
    AnswerAndClose(Reply),
    Ask(Question),
}

/// What the store is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Get(Bytes),
    Set(SetRequest),
    Delete(Vec<Bytes>),
    Exists(Vec<Bytes>),
}

impl Question {
    pub(super) fn keys(&self) -> &[Bytes] {
        match self {
            Self::Get(key) => std::slice::from_ref(key),
            Self::Set(request) => std::slice::from_ref(&request.key),
            Self::Delete(keys) | Self::Exists(keys) => keys,
        }
    }

    pub(super) fn is_write(&self) -> bool {
        matches!(self, Self::Set(_) | Self::Delete(_))
    }

    /// The bound that it breaks, if it does.
    pub(super) fn fault(&self) -> Option<String> {
        let key = self.keys().iter().find_map(|key| match key.len() {
            0 => Some("the key is empty: at least one byte is needed".to_owned()),
            1..=KEY_BYTES_MAX => None,
            length => Some(format!("the key has {length} bytes, at most {KEY_BYTES_MAX} fit")),
        });
        key.or_else(|| match self {
            Self::Set(SetRequest { value, .. }) if value.len() > VALUE_BYTES_MAX => {
                let length = value.len();
                Some(format!("the value has {length} bytes, at most {VALUE_BYTES_MAX} fit"))
            }
            _ => None,
        })
    }
}

/// Reads a command of at least one word.
pub(super) fn interpret(session: &mut Session, words: &[Bytes]) -> Action {
    let (name, rest) = words.split_first().expect("empty commands are passed over");
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    let asked = match (name.as_str(), rest) {
        ("ping", []) => Ok(Action::Answer(Reply::Simple("PONG"))),
        ("ping" | "echo", [message]) => Ok(Action::Answer(Reply::Bulk(message.clone()))),
        ("quit", _) => Ok(Action::AnswerAndClose(Reply::OK)),
        ("hello", _) => hello(session, rest).map(Action::Answer),
        ("client", [verb, arguments @ ..]) => client(session, verb, arguments).map(Action::Answer),
        ("command", _) => Ok(Action::Answer(Reply::Array(Vec::new()))),
        ("select", [index]) => match integer(index) {
            Ok(0) => Ok(Action::Answer(Reply::OK)),
            Ok(_) => Err("ERR DB index is out of range".to_owned()),
            Err(why) => Err(why),
        },
        ("get", [key]) => Ok(Action::Ask(Question::Get(key.clone()))),
        ("set", [key, value, options @ ..]) => {
            set(key, value, options).map(Question::Set).map(Action::Ask)
        }
        ("del" | "unlink", [_, ..]) => Ok(Action::Ask(Question::Delete(rest.to_vec()))),
        ("exists", [_, ..]) => Ok(Action::Ask(Question::Exists(rest.to_vec()))),
        (
            "ping" | "echo" | "client" | "select" | "get" | "set" | "del" | "unlink" | "exists",
            _,
        ) => Err(format!("ERR wrong number of arguments for '{name}' command")),
        _ => Err(unknown(&words[0], rest)),
    };
    asked.unwrap_or_else(|why| Action::Answer(Reply::Error(why)))
}

fn hello(session: &mut Session, rest: &[Bytes]) -> Result<Reply, String> {
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
    let text = |text: &'static str| Reply::Bulk(Bytes::from_static(text.as_bytes()));
    Ok(Reply::Map(vec![
        ("server", text("evenkeel")),
        ("version", text(env!("CARGO_PKG_VERSION"))),
        ("proto", Reply::Integer(if protocol == Protocol::Three { 3 } else { 2 })),
        ("id", Reply::Integer(i64::try_from(session.number).unwrap_or(i64::MAX))),
        ("mode", text("standalone")),
        ("role", text("master")),
        ("modules", Reply::Array(Vec::new())),
    ]))
}

fn client(session: &mut Session, verb: &Bytes, arguments: &[Bytes]) -> Result<Reply, String> {
    match (verb.to_ascii_lowercase().as_slice(), arguments) {
        (b"setinfo", [_, _]) => Ok(Reply::OK),
        (b"setname", [name]) => {
            session.name = client_name(name)?;
            Ok(Reply::OK)
        }
        (b"getname", []) if session.name.is_empty() => Ok(Reply::Null),
        (b"getname", []) => Ok(Reply::Bulk(session.name.clone())),
        (b"id", []) => Ok(Reply::Integer(i64::try_from(session.number).unwrap_or(i64::MAX))),
        _ => Err(format!(
            "ERR unknown subcommand or wrong number of arguments for '{}'. Try CLIENT HELP.",
            quoted(verb)
        )),
    }
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

fn set(key: &Bytes, value: &Bytes, mut options: &[Bytes]) -> Result<SetRequest, String> {
    let mut request = SetRequest {
        key: key.clone(),
        value: value.clone(),
        lifetime: None,
        condition: SetCondition::Always,
    };
    let free = SetCondition::Always;
    while let [option, arguments @ ..] = options {
        options = match (option.to_ascii_lowercase().as_slice(), arguments) {
            (b"nx", after) if request.condition == free => {
                request.condition = SetCondition::IfAbsent;
                after
            }
            (b"xx", after) if request.condition == free => {
                request.condition = SetCondition::IfPresent;
                after
            }
            (b"ex", [number, after @ ..]) if request.lifetime.is_none() => {
                request.lifetime = Some(lifetime(number, 1_000)?);
                after
            }
            (b"px", [number, after @ ..]) if request.lifetime.is_none() => {
                request.lifetime = Some(lifetime(number, 1)?);
                after
            }
            _ => return Err("ERR syntax error".to_owned()),
        };
    }
    Ok(request)
}

fn lifetime(number: &Bytes, unit_ms: u64) -> Result<Duration, String> {
    let number = integer(number)?;
    let lifetime = u64::try_from(number)
        .ok()
        .and_then(|number| number.checked_mul(unit_ms))
        .map(Duration::from_millis)
        .filter(|lifetime| !lifetime.is_zero() && *lifetime <= LIFETIME_MAX);
    lifetime.ok_or_else(|| "ERR invalid expire time in 'set' command".to_owned())
}

fn integer(word: &Bytes) -> Result<i64, String> {
    let number = std::str::from_utf8(word).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| "ERR value is not an integer or out of range".to_owned())
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

fn quoted(word: &Bytes) -> String {
    String::from_utf8_lossy(&word[..word.len().min(QUOTED_BYTES_MAX)]).into_owned()
}
