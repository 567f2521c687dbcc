//! Byte streams cut into frames: a length of four bytes, then as many bytes, under a limit.
//!
//! Neither side is waited for without end: a frame that has begun must come in, and what is sent
//! must be taken. A connection on which nothing is under way may rest for as long as it likes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::codec::Framed;

use super::cut::Cut;
use super::impatient::Impatient;
use super::patience::Patience;
use crate::limits::FRAME_TIMEOUT;

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
pub struct Frames {
    framed: Framed<Impatient<BoxStream>, Cut>,
    /// For the rest of a frame that has begun.
    coming: Patience,
}

/// How much may wait in the write buffer before a sender is held back.
const WRITE_BUFFER_BYTES: usize = 128 << 10;

impl Frames {
    /// Cuts a stream into frames of at most that many bytes.
    pub fn new(stream: BoxStream, frame_bytes_max: usize) -> Self {
        let mut framed = Framed::new(Impatient::new(stream), Cut::new(frame_bytes_max));
        framed.set_backpressure_boundary(WRITE_BUFFER_BYTES);
        Self { framed, coming: Patience::new(FRAME_TIMEOUT) }
    }

    /// Lets larger frames pass from now on: the handshake is over.
    pub fn raise_limit(&mut self, frame_bytes_max: usize) {
        self.framed.codec_mut().set_frame_bytes_max(frame_bytes_max);
    }

    /// Whether a frame has begun and is not all there.
    fn is_within_frame(&self) -> bool {
        self.framed.codec().has_begun() || !self.framed.read_buffer().is_empty()
    }
}

impl Stream for Frames {
    type Item = io::Result<BytesMut>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let before = self.framed.read_buffer().len();
        let polled = Pin::new(&mut self.framed).poll_next(context);
        if polled.is_ready() || !self.is_within_frame() {
            self.coming.stop();
            return polled;
        }
        while self.coming.poll_over(context).is_ready() {
            // Whoever was not read meanwhile could not go on, and does so now.
            if self.framed.read_buffer().len() == before {
                let why = format!("a frame was begun and not finished within {FRAME_TIMEOUT:?}");
                return Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::TimedOut, why))));
            }
            self.coming.stop();
        }
        Poll::Pending
    }
}

impl Sink<Bytes> for Frames {
    type Error = io::Error;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Sink::<Bytes>::poll_ready(Pin::new(&mut self.framed), context)
    }

    fn start_send(mut self: Pin<&mut Self>, item: Bytes) -> io::Result<()> {
        Pin::new(&mut self.framed).start_send(item)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Sink::<Bytes>::poll_flush(Pin::new(&mut self.framed), context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Sink::<Bytes>::poll_close(Pin::new(&mut self.framed), context)
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, SinkExt, StreamExt};
    use tokio::io::AsyncWriteExt;

    use super::*;

    fn connection() -> (Frames, tokio::io::DuplexStream) {
        let (near, far) = tokio::io::duplex(1 << 10);
        (Frames::new(Box::new(near), 1 << 20), far)
    }

    #[tokio::test(start_paused = true)]
    async fn a_frame_that_is_never_finished_ends_the_connection() {
        for begun in [&[0, 0][..], &[0, 0, 0, 9], &[0, 0, 0, 9, 1]] {
            let (mut frames, mut far) = connection();
            far.write_all(begun).await.unwrap();
            let error = frames.next().await.unwrap().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_that_trickles_is_not_waited_for() {
        let (mut frames, mut far) = connection();
        let trickle = async {
            far.write_all(&[0, 0, 1, 0]).await.unwrap();
            loop {
                tokio::time::sleep(FRAME_TIMEOUT / 7).await;
                far.write_all(&[1]).await.unwrap();
            }
        };
        tokio::select! {
            frame = frames.next() => assert!(frame.unwrap().is_err()),
            () = trickle => unreachable!("it trickles for ever"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_was_not_read_meanwhile_gets_its_time_again() {
        let (mut frames, mut far) = connection();
        far.write_all(&[0, 0, 0, 9, 1]).await.unwrap();
        assert!(frames.next().now_or_never().is_none());
        tokio::time::sleep(FRAME_TIMEOUT * 2).await;
        far.write_all(&[2, 3]).await.unwrap();
        assert!(frames.next().now_or_never().is_none());
        far.write_all(&[4, 5, 6, 7, 8, 9]).await.unwrap();
        assert_eq!(frames.next().await.unwrap().unwrap().len(), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_at_rest_is_left_alone() {
        let (mut frames, mut far) = connection();
        tokio::time::timeout(FRAME_TIMEOUT * 9, frames.next()).await.unwrap_err();
        far.write_all(&[0, 0, 0, 1, 7]).await.unwrap();
        assert_eq!(&frames.next().await.unwrap().unwrap()[..], [7]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_ends_the_connection() {
        let (mut frames, far) = connection();
        let error = frames.send(vec![0; 4 << 10].into()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
        drop(far);
    }
}
