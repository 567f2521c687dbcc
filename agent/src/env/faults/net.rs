//! Connections to and from other agents on which nothing may pass, or only late.
//!
//! A cut looks like that of a network: nobody is told, no connection is closed by it, and what was
//! under way arrives when it is over. Connections of operators and clients are left alone.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};

use evenkeel_shared::ids::NodeId;
use evenkeel_shared::wire::transport::{BoxStream, Dial};
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Bound, Faults, lock};
use crate::env::net::{Accepted, Listener, Net};

pub(super) struct FaultyNet {
    pub(super) real: Arc<dyn Net>,
    pub(super) faults: Arc<Faults>,
}

impl Dial for FaultyNet {
    fn dial(&self, address: &str) -> BoxFuture<'static, io::Result<BoxStream>> {
        let node = lock(&self.faults.addresses).get(address).copied();
        let dial = self.real.dial(address);
        let faults = self.faults.clone();
        Box::pin(async move {
            let Some(node) = node else { return dial.await };
            // What is asked for never arrives, or the answer doesn't.
            faults.clone().passes(node, Bound::Out).await;
            faults.clone().passes(node, Bound::In).await;
            let peer = Arc::new(AtomicU32::new(node.0));
            Ok(Box::new(FaultyStream::new(dial.await?, peer, faults, None)) as BoxStream)
        })
    }
}

impl Net for FaultyNet {
    fn listen(&self, address: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let (listen, faults) = (self.real.listen(address), self.faults.clone());
        Box::pin(async move {
            let real = listen.await?;
            Ok(Box::new(FaultyListener { real, faults }) as Box<dyn Listener>)
        })
    }
}

struct FaultyListener {
    real: Box<dyn Listener>,
    faults: Arc<Faults>,
}

impl Listener for FaultyListener {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Accepted>> {
        Box::pin(async move {
            let Accepted { stream, from, kept } = self.real.accept().await?;
            let peer = Arc::new(AtomicU32::new(0));
            lock(&self.faults.callers).insert(from, peer.clone());
            let stream = FaultyStream::new(stream, peer, self.faults.clone(), Some(from));
            Ok(Accepted { stream: Box::new(stream), from, kept })
        })
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.real.local_address()
    }
}

/// Waits for a cut to end, or for a delay.
type Gate = Option<BoxFuture<'static, ()>>;

struct FaultyStream {
    real: BoxStream,
    /// Who is at the other end; 0 for somebody else than an agent.
    peer: Arc<AtomicU32>,
    faults: Arc<Faults>,
    /// Where a caller has come from.
    from: Option<SocketAddr>,
    reading: Gate,
    writing: Gate,
    /// The next write has waited already.
    waited: bool,
}

impl FaultyStream {
    fn new(
        real: BoxStream,
        peer: Arc<AtomicU32>,
        faults: Arc<Faults>,
        from: Option<SocketAddr>,
    ) -> Self {
        Self { real, peer, faults, from, reading: None, writing: None, waited: false }
    }

    fn agent(&self) -> Option<NodeId> {
        let node = self.peer.load(Ordering::Acquire);
        (node != 0 && self.faults.any.load(Ordering::Acquire)).then_some(NodeId(node))
    }

    fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.reading.is_none()
            && let Some(node) = self.agent()
            && self.faults.cut_until(node, Bound::In).is_some()
        {
            self.reading = Some(Box::pin(self.faults.clone().passes(node, Bound::In)));
        }
        poll_gate(&mut self.reading, context)
    }

    fn poll_writable(&mut self, context: &mut Context<'_>) -> Poll<()> {
        ready!(poll_gate(&mut self.writing, context));
        let Some(node) = self.agent() else { return Poll::Ready(()) };
        if self.faults.cut_until(node, Bound::Out).is_some() {
            self.writing = Some(Box::pin(self.faults.clone().passes(node, Bound::Out)));
        } else if !self.waited
            && let Some(delay) = self.faults.delay()
        {
            self.waited = true;
            self.writing = Some(Box::pin(tokio::time::sleep(delay)));
        }
        poll_gate(&mut self.writing, context)
    }
}

fn poll_gate(gate: &mut Gate, context: &mut Context<'_>) -> Poll<()> {
    if let Some(waits) = gate {
        ready!(waits.as_mut().poll(context));
        *gate = None;
    }
    Poll::Ready(())
}

impl AsyncRead for FaultyStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_readable(context));
        Pin::new(&mut self.real).poll_read(context, buffer)
    }
}

impl AsyncWrite for FaultyStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_writable(context));
        let written = ready!(Pin::new(&mut self.real).poll_write(context, bytes));
        self.waited = false;
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_writable(context));
        let written = ready!(Pin::new(&mut self.real).poll_write_vectored(context, slices));
        self.waited = false;
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.real.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.real).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.real).poll_shutdown(context)
    }
}

impl Drop for FaultyStream {
    fn drop(&mut self) {
        if let Some(from) = self.from {
            lock(&self.faults.callers).remove(&from);
        }
    }
}
