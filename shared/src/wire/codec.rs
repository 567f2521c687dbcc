//! Frames of requests and answers, between tarpc's types and bytes.
//!
//! A request's deadline travels as bounded milliseconds: tarpc's own encoding lets a peer send one
//! that overflows the server's clock and panics it.

use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::{Sink, Stream};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tarpc::{ClientMessage, Request, Response};

use super::deadline::Deadline;
use super::room::Room;
use super::transport::Frames;

/// What a caller sends.
#[derive(Serialize, Deserialize)]
enum CallFrame<T> {
    Request { id: u64, wait_ms: u32, message: T },
    Cancel { id: u64 },
}

/// The caller's end of a connection.
pub struct CallerTransport<Req, Resp> {
    frames: Frames,
    /// Whether it has been given up; then it fails.
    over: Arc<AtomicBool>,
    types: PhantomData<fn() -> (Req, Resp)>,
}

/// The server's end of a connection.
pub struct ServerTransport<Req, Resp> {
    frames: Frames,
    /// What its caller may hold, if that is not one of ours.
    room: Option<Room>,
    types: PhantomData<fn() -> (Req, Resp)>,
}

impl<Req, Resp> CallerTransport<Req, Resp> {
    /// Speaks as caller over a connection whose handshake is done.
    pub fn new(frames: Frames) -> Self {
        Self::until(frames, Arc::default())
    }

    /// The same, until the flag is set.
    pub(super) fn until(frames: Frames, over: Arc<AtomicBool>) -> Self {
        Self { frames, over, types: PhantomData }
    }
}

impl<Req, Resp> ServerTransport<Req, Resp> {
    /// Speaks as server over a connection whose handshake is done.
    pub fn new(frames: Frames) -> Self {
        Self { frames, room: None, types: PhantomData }
    }

    /// The same, and does not read while the connection's room is full.
    pub(super) fn within(frames: Frames, room: Room) -> Self {
        Self { frames, room: Some(room), types: PhantomData }
    }
}

/// Encodes one message.
pub fn encode<T: Serialize>(message: &T) -> io::Result<Bytes> {
    let bytes = postcard::to_extend(message, Vec::with_capacity(256))
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    Ok(bytes.into())
}

/// Decodes one message; bytes left over are an error, for they mean another version.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
    let (message, rest) =
        postcard::take_from_bytes(bytes).map_err(|error| invalid(error.to_string()))?;
    if rest.is_empty() {
        Ok(message)
    } else {
        Err(invalid(format!("{} bytes too many", rest.len())))
    }
}

impl<Req, Resp: DeserializeOwned> Stream for CallerTransport<Req, Resp> {
    type Item = io::Result<Response<Resp>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over.load(Ordering::Acquire) {
            return Poll::Ready(Some(Err(io::Error::other("it was given up here"))));
        }
        // An end is an error: whoever waits for an answer won't get it (`connection`).
        let closed =
            || io::Error::new(io::ErrorKind::ConnectionAborted, "the other side closed it");
        let frame = futures::ready!(Pin::new(&mut self.frames).poll_next(context));
        let answer = frame.unwrap_or_else(|| Err(closed())).and_then(|bytes| decode(&bytes));
        Poll::Ready(Some(answer))
    }
}

impl<Req: DeserializeOwned, Resp> Stream for ServerTransport<Req, Resp> {
    type Item = io::Result<ClientMessage<Req>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(room) = &self.room {
            futures::ready!(room.poll_free(context));
        }
        let frame = futures::ready!(Pin::new(&mut self.frames).poll_next(context));
        Poll::Ready(frame.map(|frame| {
            let bytes = frame?;
            let unreadable = |error: io::Error| {
                io::Error::new(error.kind(), format!("a request that can't be read: {error}"))
            };
            Ok(match decode(&bytes).map_err(unreadable)? {
                CallFrame::Request { id, wait_ms, message } => {
                    if let Some(room) = &self.room {
                        room.arrive(bytes.len());
                    }
                    let deadline = Deadline::after(Duration::from_millis(wait_ms.into()));
                    ClientMessage::Request(Request { context: deadline.context(), id, message })
                }
                CallFrame::Cancel { id } => {
                    let trace_context = tarpc::trace::Context::default();
                    ClientMessage::Cancel { trace_context, request_id: id }
                }
            })
        }))
    }
}

macro_rules! sink_through_frames {
    ($transport:ident, $item:ty, $encode:expr) => {
        impl<Req: Serialize, Resp: Serialize> Sink<$item> for $transport<Req, Resp> {
            type Error = io::Error;

            fn poll_ready(
                mut self: Pin<&mut Self>,
                context: &mut Context<'_>,
            ) -> Poll<io::Result<()>> {
                Pin::new(&mut self.frames).poll_ready(context)
            }

            fn start_send(mut self: Pin<&mut Self>, item: $item) -> io::Result<()> {
                let bytes = $encode(item)?;
                Pin::new(&mut self.frames).start_send(bytes)
            }

            fn poll_flush(
                mut self: Pin<&mut Self>,
                context: &mut Context<'_>,
            ) -> Poll<io::Result<()>> {
                Pin::new(&mut self.frames).poll_flush(context)
            }

            fn poll_close(
                mut self: Pin<&mut Self>,
                context: &mut Context<'_>,
            ) -> Poll<io::Result<()>> {
                Pin::new(&mut self.frames).poll_close(context)
            }
        }
    };
}

sink_through_frames!(CallerTransport, ClientMessage<Req>, encode_call);
sink_through_frames!(ServerTransport, Response<Resp>, |item: Response<Resp>| encode(&item));

fn encode_call<T: Serialize>(message: ClientMessage<T>) -> io::Result<Bytes> {
    match message {
        ClientMessage::Request(request) => {
            let wait = Deadline::of(&request.context).remaining();
            // Round up: a wait below one millisecond is not a wait of none.
            let wait_ms = u32::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(u32::MAX);
            encode(&CallFrame::Request { id: request.id, wait_ms, message: request.message })
        }
        ClientMessage::Cancel { request_id, .. } => {
            encode(&CallFrame::<()>::Cancel { id: request_id })
        }
        _ => Err(io::Error::new(io::ErrorKind::Unsupported, "a tarpc message of a newer kind")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::DEADLINE_MAX;

    #[test]
    fn an_absurd_deadline_is_clamped() {
        let frame = CallFrame::Request { id: 1, wait_ms: u32::MAX, message: 7u8 };
        let bytes = encode(&frame).unwrap();
        let CallFrame::Request { wait_ms, .. } = decode::<CallFrame<u8>>(&bytes).unwrap() else {
            panic!("another frame came back");
        };
        let deadline = Deadline::after(Duration::from_millis(wait_ms.into()));
        assert!(deadline.remaining() <= DEADLINE_MAX);
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let mut bytes = encode(&7u32).unwrap().to_vec();
        bytes.push(0);
        assert!(decode::<u32>(&bytes).is_err());
    }
}
