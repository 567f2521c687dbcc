//! Tests of the log: crashes, flipped bits, recycling, a full disk, openraft's own suite.

mod basics;
mod crashes;
mod flips;
mod recycling;
mod rules;
mod suite;
mod support;
