//! What one connection may hold at a server: requests in flight, and replies that its caller has
//! not taken. At the bound the connection is not read, so that a caller holds up only itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;

/// How much one connection may hold.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Requests in flight, and replies not yet sent.
    pub requests_max: usize,
    /// Bytes of them.
    pub bytes_max: usize,
}

/// One connection's room. Cloning shares it.
#[derive(Clone)]
pub(super) struct Room(Arc<State>);

struct State {
    bounds: Bounds,
    requests: AtomicUsize,
    bytes: AtomicUsize,
    /// Bytes of the request that has come in last, until it takes its share.
    arrived: AtomicUsize,
    /// Whoever waits for room to read.
    reader: AtomicWaker,
}

/// What one request holds, until it is dropped.
pub(super) struct Share {
    room: Room,
    bytes: usize,
}

impl Room {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self(Arc::new(State {
            bounds,
            requests: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            arrived: AtomicUsize::new(0),
            reader: AtomicWaker::new(),
        }))
    }

    /// Whether there is room for another request; wakes the reader once there is.
    pub(super) fn poll_free(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_free() {
            return Poll::Ready(());
        }
        self.0.reader.register(context.waker());
        // What has gone meanwhile may have found nobody to wake.
        if self.is_free() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn is_free(&self) -> bool {
        self.0.requests.load(Relaxed) < self.0.bounds.requests_max
            && self.0.bytes.load(Relaxed) < self.0.bounds.bytes_max
    }

    /// A request of so many bytes has come in.
    pub(super) fn arrive(&self, bytes: usize) {
        self.0.arrived.store(bytes, Relaxed);
    }

    /// The share of the request that has come in last.
    pub(super) fn share(&self) -> Share {
        let bytes = self.0.arrived.swap(0, Relaxed);
        self.0.requests.fetch_add(1, Relaxed);
        self.0.bytes.fetch_add(bytes, Relaxed);
        Share { room: self.clone(), bytes }
    }
}

impl Share {
    /// Takes as many bytes more, for a reply; false if the connection holds too much already.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let held = self.room.0.bytes.fetch_add(bytes, Relaxed);
        let fits = held.saturating_add(bytes) <= self.room.0.bounds.bytes_max;
        if fits {
            self.bytes += bytes;
        } else {
            self.room.0.bytes.fetch_sub(bytes, Relaxed);
        }
        fits
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let state = &self.room.0;
        state.requests.fetch_sub(1, Relaxed);
        state.bytes.fetch_sub(self.bytes, Relaxed);
        state.reader.wake();
    }
}

#[cfg(test)]
mod tests {
    use futures::task::noop_waker;

    use super::*;

    #[test]
    fn a_full_room_is_not_read_until_something_has_gone() {
        let waker = noop_waker();
        let mut context = Context::from_waker(&waker);
        let room = Room::new(Bounds { requests_max: 2, bytes_max: 9 });
        let (first, mut second) = (room.share(), room.share());
        assert!(room.poll_free(&mut context).is_pending());
        drop(first);
        assert!(room.poll_free(&mut context).is_ready());
        assert!(second.take(9));
        assert!(!second.take(1));
        assert!(room.poll_free(&mut context).is_pending());
        drop(second);
        room.arrive(8);
        let mut large = room.share();
        assert!(room.poll_free(&mut context).is_ready());
        assert!(!large.take(2));
        drop(large);
        assert_eq!((room.0.requests.load(Relaxed), room.0.bytes.load(Relaxed)), (0, 0));
    }
}
