//! Commands out of bytes: the request half of the protocol.
//!
//! A command's outline is measured before it is parsed: the parser recurses and allocates as the
//! bytes tell it, so it only ever sees a flat list of bounded strings that is there in full.

use bytes::{Bytes, BytesMut};
use evenkeel_shared::limits::FRAME_TIMEOUT;
use redis_protocol::resp2::decode::decode_bytes_mut;
use redis_protocol::resp2::types::BytesFrame;

use super::{COMMAND_BYTES_MAX, INLINE_BYTES_MAX, WORDS_MAX};

/// What ends a connection; the texts are Redis's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ProtocolError {
    #[error("ERR Protocol error: invalid multibulk length")]
    Words,
    #[error("ERR Protocol error: invalid bulk length")]
    Length,
    #[error("ERR Protocol error: expected '$', got '{0}'")]
    NotBulk(char),
    #[error("ERR Protocol error: too big inline request")]
    Inline,
    #[error("ERR Protocol error: malformed request")]
    Malformed,
    #[error("ERR Protocol error: a command was begun and not finished within {FRAME_TIMEOUT:?}")]
    Unfinished,
    /// A browser or proxy that was made to talk to us; the rest of its bytes is not ours.
    #[error("ERR Protocol error: this is no web server")]
    Web,
}

/// Header lines hold a sign and a number.
const HEADER_BYTES_MAX: usize = 32;

enum Outline {
    Incomplete,
    Inline { bytes: usize },
    Words { bytes: usize },
}

/// The next command's words, if it is there in full; its bytes are taken from the input.
pub(super) fn next_command(input: &mut BytesMut) -> Result<Option<Vec<Bytes>>, ProtocolError> {
    loop {
        let words = match outline(input)? {
            Outline::Incomplete => return Ok(None),
            Outline::Inline { bytes } => inline(&input.split_to(bytes).freeze())?,
            Outline::Words { bytes } => words(input.split_to(bytes))?,
        };
        // Redis passes over empty commands in silence.
        if !words.is_empty() {
            return Ok(Some(words));
        }
    }
}

fn outline(input: &[u8]) -> Result<Outline, ProtocolError> {
    match input.first() {
        None => return Ok(Outline::Incomplete),
        Some(b'*') => {}
        Some(_) => {
            let searched = &input[..input.len().min(INLINE_BYTES_MAX)];
            return match searched.iter().position(|byte| *byte == b'\n') {
                Some(at) => Ok(Outline::Inline { bytes: at + 1 }),
                None if searched.len() == INLINE_BYTES_MAX => Err(ProtocolError::Inline),
                None => Ok(Outline::Incomplete),
            };
        }
    }
    let Some((count, mut at)) = header(input, 0).map_err(|()| ProtocolError::Words)? else {
        return Ok(Outline::Incomplete);
    };
    if count > WORDS_MAX {
        return Err(ProtocolError::Words);
    }
    for _ in 0..count {
        match input.get(at) {
            None => return Ok(Outline::Incomplete),
            Some(b'$') => {}
            Some(other) => return Err(ProtocolError::NotBulk(printable(*other))),
        }
        let Some((length, start)) = header(input, at).map_err(|()| ProtocolError::Length)? else {
            return Ok(Outline::Incomplete);
        };
        at = start.saturating_add(length).saturating_add(2);
        if at > COMMAND_BYTES_MAX {
            return Err(ProtocolError::Length);
        }
        // The parser passes over these two unseen; what else stands there is out of step.
        if input.get(at - 2..at).is_some_and(|end| end != b"\r\n") {
            return Err(ProtocolError::Malformed);
        }
    }
    Ok(if at <= input.len() { Outline::Words { bytes: at } } else { Outline::Incomplete })
}

/// The number after the sign at `at`, and where its line ends; `None` if the line is not all there.
fn header(input: &[u8], at: usize) -> Result<Option<(usize, usize)>, ()> {
    let line = &input[at + 1..];
    let Some(length) = line.iter().take(HEADER_BYTES_MAX).position(|byte| *byte == b'\r') else {
        return if line.len() < HEADER_BYTES_MAX { Ok(None) } else { Err(()) };
    };
    let digits = &line[..length];
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(());
    }
    let text = std::str::from_utf8(digits).map_err(|_| ())?;
    let number = text.parse().map_err(|_| ())?;
    match line.get(length + 1) {
        None => Ok(None),
        Some(b'\n') => Ok(Some((number, at + 1 + length + 2))),
        Some(_) => Err(()),
    }
}

fn inline(line: &Bytes) -> Result<Vec<Bytes>, ProtocolError> {
    let words: Vec<_> = line
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .map(|word| line.slice_ref(word))
        .collect();
    let is_web =
        |word: &Bytes| word.eq_ignore_ascii_case(b"post") || word.eq_ignore_ascii_case(b"host:");
    match words.first() {
        Some(first) if is_web(first) => Err(ProtocolError::Web),
        _ if words.len() > WORDS_MAX => Err(ProtocolError::Words),
        _ => Ok(words),
    }
}

fn words(mut command: BytesMut) -> Result<Vec<Bytes>, ProtocolError> {
    let Ok(Some((BytesFrame::Array(frames), ..))) = decode_bytes_mut(&mut command) else {
        return Err(ProtocolError::Malformed);
    };
    let word = |frame| match frame {
        BytesFrame::BulkString(bytes) => Ok(bytes),
        _ => Err(ProtocolError::Malformed),
    };
    frames.into_iter().map(word).collect()
}

fn printable(byte: u8) -> char {
    if byte.is_ascii_graphic() { char::from(byte) } else { '?' }
}
