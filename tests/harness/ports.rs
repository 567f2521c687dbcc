//! Ports that nobody has: blocks of them, below those that the system gives to outgoing
//! connections, so that a port stays free while its agent is down.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// The lowest port used.
const FIRST: u16 = 12_000;
/// Blocks between it and the ports of outgoing connections, which begin at 32768.
const BLOCKS: u16 = 320;
/// Ports of a block.
const BLOCK: u16 = 64;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A block of consecutive free ports.
#[derive(Debug)]
pub struct Ports {
    base: u16,
    given: u16,
}

impl Ports {
    /// A block that this process has not used, and in which nobody listens.
    pub fn block() -> Self {
        let start = u16::try_from(std::process::id() % u32::from(BLOCKS)).expect("below 320");
        for _ in 0..BLOCKS {
            let turn = NEXT.fetch_add(1, Ordering::Relaxed) % BLOCKS;
            let base = FIRST + (start + turn) % BLOCKS * BLOCK;
            let listens = |port| TcpListener::bind(("127.0.0.1", port)).is_err();
            if !(base..base + BLOCK).any(listens) {
                return Self { base, given: 0 };
            }
        }
        panic!("no block of {BLOCK} free ports is left");
    }

    /// The first port.
    pub fn base(&self) -> u16 {
        self.base
    }

    /// The next address of the block.
    pub fn address(&mut self) -> String {
        assert!(self.given < BLOCK, "the block is used up");
        self.given += 1;
        format!("127.0.0.1:{}", self.base + self.given - 1)
    }
}
