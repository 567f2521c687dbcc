//! Byte streams cut into frames: a length of four bytes, then as many bytes, under a limit.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

/// A byte stream in both directions: TCP, TLS, or the simulation's.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A stream whose kind doesn't matter.
pub type BoxStream = Box<dyn Duplex>;

/// Opens connections; whoever uses the client says how.
pub trait Dial: Send + Sync {
    /// Opens a connection to `host:port`.
    fn dial(&self, address: &str) -> BoxFuture<'static, io::Result<BoxStream>>;
}

/// A connection of frames.
pub struct Frames(Framed<BoxStream, LengthDelimitedCodec>);

/// How much may wait in the write buffer before a sender is held back.
const WRITE_BUFFER_BYTES: usize = 128 << 10;

impl Frames {
    /// Cuts a stream into frames of at most that many bytes.
    pub fn new(stream: BoxStream, frame_bytes_max: usize) -> Self {
        let codec = LengthDelimitedCodec::builder().max_frame_length(frame_bytes_max).new_codec();
        let mut framed = Framed::new(stream, codec);
        framed.set_backpressure_boundary(WRITE_BUFFER_BYTES);
        Self(framed)
    }

    /// Lets larger frames pass from now on: the handshake is over.
    pub fn raise_limit(&mut self, frame_bytes_max: usize) {
        self.0.codec_mut().set_max_frame_length(frame_bytes_max);
    }
}

impl Stream for Frames {
    type Item = io::Result<BytesMut>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll_next(context)
    }
}

impl Sink<Bytes> for Frames {
    type Error = io::Error;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Sink::<Bytes>::poll_ready(Pin::new(&mut self.0), context)
    }

    fn start_send(mut self: Pin<&mut Self>, item: Bytes) -> io::Result<()> {
        Pin::new(&mut self.0).start_send(item)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Sink::<Bytes>::poll_flush(Pin::new(&mut self.0), context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Sink::<Bytes>::poll_close(Pin::new(&mut self.0), context)
    }
}
