//! Everything that decides: pure functions of facts, settings, `now` and a seed (law 5).
//!
//! Invariant: nothing below this module reads a clock, draws a random number, does I/O, or lets
//! the order of a hash table leak; the same input gives the same decision.

pub mod detector;
pub mod elector;

#[cfg(test)]
mod script;
