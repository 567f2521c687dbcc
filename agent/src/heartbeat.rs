//! Heartbeats between nodes, what they tell, and the elections that follow from their absence.
//!
//! One heartbeat a pair of nodes, whatever the number of shards. Judging is `decide`'s; this
//! module carries facts to it and does what it says.

pub mod ports;
mod pulse;
mod registry;

pub use pulse::{Pulse, PulseConfig};
pub use registry::{PeerRecord, PulseEvent};
