//! Who may ask a process to end: a signal, or the closing of the pipe to its parent.

use std::io;
use std::os::fd::AsFd;

use futures::stream::{self, BoxStream, StreamExt};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};

/// Why a process is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// Standard input was closed: whoever started this process is gone.
    ParentGone,
}

/// Every stop that this process is asked for. Who watches stdin must have a pipe there.
pub fn stops(watch: Watch) -> io::Result<BoxStream<'static, Stop>> {
    let mut sources = vec![
        signals(SignalKind::interrupt(), Stop::Interrupt)?,
        signals(SignalKind::terminate(), Stop::Terminate)?,
    ];
    if watch == Watch::SignalsAndStdin {
        let input = io::stdin().as_fd().try_clone_to_owned()?;
        let pipe = pipe::Receiver::from_owned_fd(input)
            .map_err(|why| io::Error::new(why.kind(), "standard input is not a pipe"))?;
        sources.push(stream::once(closed(pipe)).boxed());
    }
    Ok(stream::select_all(sources).boxed())
}

/// What to listen to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// SIGINT and SIGTERM.
    Signals,
    /// These, and the closing of standard input.
    SignalsAndStdin,
}

fn signals(kind: SignalKind, stop: Stop) -> io::Result<BoxStream<'static, Stop>> {
    let signals = signal(kind)?;
    let next = move |mut signals: tokio::signal::unix::Signal| async move {
        signals.recv().await.map(|()| (stop, signals))
    };
    Ok(stream::unfold(signals, next).boxed())
}

/// Whatever is written into the pipe is thrown away: only its end has a meaning.
async fn closed(mut pipe: pipe::Receiver) -> Stop {
    let mut scrap = [0; 64];
    while !matches!(pipe.read(&mut scrap).await, Ok(0) | Err(_)) {}
    Stop::ParentGone
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn a_pipe_says_nothing_until_it_is_closed() {
        let (mut writer, reader) = pipe::pipe().unwrap();
        let mut end = Box::pin(closed(reader));
        writer.write_all(&[7; 200]).await.unwrap();
        assert!(end.as_mut().now_or_never().is_none());
        drop(writer);
        assert_eq!(end.await, Stop::ParentGone);
    }
}
