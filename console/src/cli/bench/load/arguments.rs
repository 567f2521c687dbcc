//! Flags of `bench put|get|mix`.

use evenkeel_shared::limits::VALUE_BYTES_MAX;

use crate::cli::arguments::size;
use crate::cli::target::Writing;

/// Flags of the command.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct LoadArguments {
    /// Requests under way at once
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) clients: u32,
    /// How long
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(super) secs: u64,
    /// Requests a second that are due, whatever becomes of those before: latencies count from when
    /// a request was due. Without it, each client sends its next request when its last is answered
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rate: Option<u32>,
    /// Keys in each request: over the store's own protocol one batch, over Redis' a pipeline
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(super) batch: u16,
    /// Length of each value
    #[arg(long, default_value = "256", value_parser = value_size)]
    pub(super) value_bytes: u64,
    /// Keys in use
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) keys: u64,
    /// Write every key once, in order, however long it takes
    #[arg(long, conflicts_with_all = ["secs", "rate"])]
    pub(super) fill: bool,
    /// Speak the Redis protocol to these servers, each client to one of them in turn: agents'
    /// `--resp`, or Redis itself
    #[arg(long, value_name = "ADDR,..", value_delimiter = ',', conflicts_with_all = ["keyspace", "sync"])]
    pub(super) resp: Vec<String>,
    /// Speak it as a client that finds the way itself: agents' `--resp-cluster`, or Redis Cluster
    #[arg(long, value_name = "ADDR,..", value_delimiter = ',',
          conflicts_with_all = ["keyspace", "sync", "resp"])]
    pub(super) resp_cluster: Vec<String>,
    /// After each write over the Redis protocol, wait until so many replicas have it (`WAIT`)
    #[arg(long, value_name = "REPLICAS", default_value_t = 0,
          value_parser = clap::value_parser!(u8).range(0..=8))]
    pub(super) wait: u8,
    #[command(flatten)]
    pub(super) writing: Writing,
}

/// A value's size: one that no shard takes would only be refused, request after request.
fn value_size(text: &str) -> Result<u64, String> {
    let bytes = size(text)?;
    let max = VALUE_BYTES_MAX as u64;
    if bytes <= max { Ok(bytes) } else { Err(format!("a value has at most {max} bytes")) }
}
