//! openraft's settings, each with its reason. The timers are off: our detector drives elections.

use std::sync::Arc;

use openraft::{Config, SnapshotPolicy};

/// Entries after which a replica makes its state durable, so that its log may be cut.
pub const SNAPSHOT_EVERY: u64 = 5_000;
/// Entries kept behind a snapshot, for followers that are a little behind.
pub const LOG_KEPT: u64 = 1_000;

/// The settings of every Raft group.
pub fn raft_config() -> Arc<Config> {
    let config = Config {
        cluster_name: "evenkeel".to_owned(),
        // RPC limits come from these two; nothing else does, since the timers are off.
        heartbeat_interval: 500,
        election_timeout_min: 1_000,
        // openraft refuses writes once the last quorum ack is older than this, and an idle leader
        // has none: one year.
        election_timeout_max: 31_536_000_000,
        enable_tick: false,
        enable_heartbeat: false,
        enable_elect: false,
        // A restored leader would resume its term and could propose another entry at an index
        // that its followers have committed (safety rule 5).
        enable_leader_restore: Some(false),
        // It always honours the lease; the canvass takes its place.
        enable_pre_vote: Some(false),
        quorum_loss_probe_interval: None,
        heartbeat_min_interval: Some(0),
        // The back-off to a dead peer is capped at one second.
        backoff: "20ms 40ms ...1s".to_owned(),
        snapshot_policy: SnapshotPolicy::LogsSinceLast(SNAPSHOT_EVERY),
        max_in_snapshot_log_to_keep: LOG_KEPT,
        purge_batch_size: 256,
        max_payload_entries: 256,
        ..Config::default()
    };
    Arc::new(config.validate().expect("these settings are constants that openraft accepts"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_05_no_leader_is_restored_and_no_timer_runs() {
        let config = raft_config();
        assert_eq!(config.enable_leader_restore, Some(false));
        assert!(!config.enable_tick && !config.enable_heartbeat && !config.enable_elect);
        assert_eq!(config.enable_pre_vote, Some(false));
    }
}
