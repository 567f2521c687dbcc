//! Write buffers on their way to disk: put aside by their trees, in memory until one thread has
//! written them. fjall counts them by tree and not together: a node of many trees would hold
//! hundreds of MiB of them when that thread falls behind.

use std::any::Any;
use std::sync::{Mutex, Weak};
use std::time::{Duration, Instant};

/// A wait for room is never longer: whoever commits is slowed down, not stopped.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A buffer that somebody else owns; it is gone once nobody does.
pub(super) type Buffer = Weak<dyn Any + Send + Sync>;

/// All of them, each with its bytes.
#[derive(Default)]
pub(super) struct Flushing {
    buffers: Mutex<Vec<(Buffer, u64)>>,
}

impl Flushing {
    /// Adds one that has been put aside.
    pub(super) fn add(&self, buffer: Buffer, bytes: u64) {
        self.buffers.lock().expect("no holder of this lock panics").push((buffer, bytes));
    }

    /// Bytes of those that are still in memory.
    pub(super) fn bytes(&self) -> u64 {
        let mut buffers = self.buffers.lock().expect("no holder of this lock panics");
        buffers.retain(|(buffer, _)| buffer.strong_count() > 0);
        buffers.iter().map(|(_, bytes)| bytes).sum()
    }

    /// Waits until at most so many bytes are left, for as long as any are being written: a reader
    /// may hold a buffer that has been.
    pub(super) fn wait_below(&self, most: u64, under_way: impl Fn() -> bool) {
        let began = Instant::now();
        while self.bytes() > most && under_way() && began.elapsed() < WAIT_MAX {
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_buffer_counts_until_nobody_holds_it() {
        let flushing = Flushing::default();
        let buffer: Arc<dyn Any + Send + Sync> = Arc::new([0_u8; 8]);
        flushing.add(Arc::downgrade(&buffer), 8);
        assert_eq!(flushing.bytes(), 8);
        // Nothing is being written: whoever holds it may do so for ever.
        flushing.wait_below(4, || false);
        let written = std::thread::spawn(move || drop(buffer));
        flushing.wait_below(4, || true);
        written.join().unwrap();
        assert_eq!(flushing.bytes(), 0);
    }
}
