//! Replies into bytes: the answering half of the protocol, in both of its versions.

use bytes::{BufMut, Bytes, BytesMut};
use evenkeel_shared::error::StoreError;

/// Which version of the protocol a connection has agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Protocol {
    /// RESP2, until `HELLO 3`.
    #[default]
    Two,
    /// RESP3.
    Three,
}

/// What a command answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Simple(&'static str),
    Error(String),
    Integer(i64),
    Bulk(Bytes),
    Null,
    Array(Vec<Reply>),
    Map(Vec<(&'static str, Reply)>),
}

impl Reply {
    pub(super) const OK: Self = Self::Simple("OK");

    /// Text, as a bulk string.
    pub(super) fn text(text: impl Into<Bytes>) -> Self {
        Self::Bulk(text.into())
    }

    /// The store's refusal, under a code that Redis clients sort by.
    pub(super) fn refusal(error: &StoreError) -> Self {
        let code = match error {
            // Clients of a cluster wait and retry on these.
            StoreError::NoQuorum { .. } | StoreError::Unavailable { .. } => "CLUSTERDOWN",
            StoreError::NotLeader { .. }
            | StoreError::WrongShard { .. }
            | StoreError::Busy { .. } => "TRYAGAIN",
            // No code of Redis says this: the write may or may not take effect (law 2).
            StoreError::Unknown { .. } | StoreError::NotEverywhere { .. } => "UNKNOWN",
            StoreError::Invalid { .. }
            | StoreError::Refused { .. }
            | StoreError::SessionBroken { .. } => "ERR",
        };
        Self::Error(format!("{code} {error}"))
    }

    /// Appends the reply's bytes.
    pub(super) fn encode(&self, protocol: Protocol, out: &mut BytesMut) {
        match self {
            Self::Simple(text) => line(out, b'+', text),
            // A line break would end the reply early, and what follows would be the client's next.
            Self::Error(text) => line(out, b'-', &text.replace(['\r', '\n'], " ")),
            Self::Integer(number) => line(out, b':', &number.to_string()),
            Self::Bulk(bytes) => {
                line(out, b'$', &bytes.len().to_string());
                out.put_slice(bytes);
                out.put_slice(b"\r\n");
            }
            Self::Null => match protocol {
                Protocol::Two => out.put_slice(b"$-1\r\n"),
                Protocol::Three => out.put_slice(b"_\r\n"),
            },
            Self::Array(items) => {
                line(out, b'*', &items.len().to_string());
                for item in items {
                    item.encode(protocol, out);
                }
            }
            Self::Map(pairs) => {
                match protocol {
                    Protocol::Two => line(out, b'*', &(2 * pairs.len()).to_string()),
                    Protocol::Three => line(out, b'%', &pairs.len().to_string()),
                }
                for (name, value) in pairs {
                    Self::Bulk(Bytes::from_static(name.as_bytes())).encode(protocol, out);
                    value.encode(protocol, out);
                }
            }
        }
    }
}

fn line(out: &mut BytesMut, sign: u8, text: &str) {
    out.put_u8(sign);
    out.put_slice(text.as_bytes());
    out.put_slice(b"\r\n");
}
