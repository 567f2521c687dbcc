//! How far a replica goes, and all that is in it, for a shard whose majority is gone.

use evenkeel_shared::error::StoreError;
use evenkeel_shared::service::peer::Survivor;
use openraft::storage::RaftLogReader;

use super::Group;
use crate::store::machine::Salvage;

/// Entries applied at once.
const ENTRIES_AT_ONCE: u64 = 256;

impl Group {
    /// How far this replica goes.
    pub fn survivor(&self) -> Survivor {
        let status = self.status();
        Survivor {
            replica: self.key.replica,
            last: status.last_log.unwrap_or_default(),
            applied: self.machine.status().applied_index(),
        }
    }

    /// A copy of its records with all of its log applied, committed or not.
    pub async fn salvage(&self) -> Result<Salvage, StoreError> {
        let failed = |error: String| StoreError::Unavailable {
            why: format!("{} can't be salvaged: {error}", self.key.shard),
        };
        let mut salvage =
            self.machine.salvage().await.map_err(|error| failed(error.to_string()))?;
        let mut log = self.wal.replica(self.key);
        let end = self.survivor().last.1 + 1;
        loop {
            let from = salvage.index() + 1;
            let to = end.min(from + ENTRIES_AT_ONCE);
            if from >= to {
                return Ok(salvage);
            }
            let entries = log.try_get_log_entries(from..to).await;
            let entries = entries.map_err(|error| failed(error.to_string()))?;
            if entries.is_empty() {
                return Err(failed(format!("entry {from} is not in its log")));
            }
            salvage = salvage.apply(entries).await.map_err(|error| failed(error.to_string()))?;
        }
    }
}
