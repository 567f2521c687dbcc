//! Fuzzing on stable Rust: valid inputs of the product's own making are mutated and decoded.
//!
//! A decoder may refuse whatever it likes; it must not panic, hang, or take more memory than a
//! bounded multiple of what it was given.

pub mod engine;
pub mod mutation;
pub mod targets;

#[cfg(test)]
mod tests;

/// Counts what is allocated, for the bound that every target has.
#[global_allocator]
static MEMORY: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;
