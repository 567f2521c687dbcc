//! What must hold at every moment of every run, one property a file.
//!
//! An invariant only looks; what it remembers outlives crashes, which is the point of it.

mod acknowledged;
mod equal_chains;
mod forward_only;
mod one_leader;
pub mod sound;

pub use acknowledged::Acknowledged;

use evenkeel_agent::node::Sight;

/// One node's replica, as it was seen.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// The node, counted from 0.
    pub node: usize,
    /// Which of its lives.
    pub life: u64,
    /// The replica.
    pub sight: Sight,
}

/// A property of all replicas together.
pub trait Invariant {
    /// Looks at every living replica; the error tells what can't be.
    fn check(&mut self, seen: &[Seen]) -> Result<(), String>;
}

/// All of them.
pub fn all() -> Vec<Box<dyn Invariant>> {
    vec![
        Box::new(one_leader::OneLeader::default()),
        Box::new(equal_chains::EqualChains::default()),
        Box::new(forward_only::ForwardOnly::default()),
    ]
}
