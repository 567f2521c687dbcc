//! A byte stream that does not wait without end for what is sent on it to be taken.
//!
//! Whoever takes a little now and then is slow, and is waited for; whoever takes nothing is let go.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::patience::Patience;
use crate::limits::STALL_TIMEOUT;

/// The stream; reading is as it was.
pub struct Impatient<S> {
    stream: S,
    patience: Patience,
}

impl<S> Impatient<S> {
    /// Waits no longer than [`STALL_TIMEOUT`] for the other side to take something.
    pub fn new(stream: S) -> Self {
        Self { stream, patience: Patience::new(STALL_TIMEOUT) }
    }

    fn judge<T>(
        &mut self,
        context: &mut Context<'_>,
        sent: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if sent.is_ready() {
            self.patience.stop();
            return sent;
        }
        self.patience.poll_over(context).map(|()| {
            let why = format!("nothing of what was sent was taken for {STALL_TIMEOUT:?}");
            Err(io::Error::new(io::ErrorKind::TimedOut, why))
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, sent)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.judge(context, sent)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_is_let_go() {
        let (near, far) = tokio::io::duplex(1 << 10);
        let error = Impatient::new(near).write_all(&[0; 4 << 10]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
        drop(far);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_little_is_waited_for() {
        let (near, mut far) = tokio::io::duplex(1 << 10);
        let mut near = Impatient::new(near);
        let slowly = async {
            for _ in 0..4 << 10 {
                tokio::time::sleep(STALL_TIMEOUT * 2 / 3).await;
                far.read_u8().await.unwrap();
            }
        };
        let bytes = [0; 4 << 10];
        let (sent, ()) = tokio::join!(near.write_all(&bytes), slowly);
        sent.unwrap();
    }
}
