//! What is fuzzed, one file a target.

mod config;
mod frames;
mod manifest;
mod resp;
mod samples;
mod wal;

use crate::engine::Target;

/// All targets.
pub fn all() -> Vec<Box<dyn Target>> {
    vec![
        Box::new(frames::Frames::new()),
        Box::new(wal::Wal::new()),
        Box::new(resp::Resp::new()),
        Box::new(manifest::Manifest::new()),
        Box::new(config::Config::new()),
    ]
}

/// A runtime for decoders that wait.
fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().build().expect("a runtime needs nothing but memory")
}
