//! The console as a library, so that tests and examples drive the same screens as the binary.
//!
//! Nothing here parses a command line or starts an agent.

pub mod tui;
