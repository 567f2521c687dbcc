//! Which replicas this node has ever opened, kept apart from their log and their data: a replica
//! whose files are gone is told from one that is new (safety rule 13). A port: the node keeps the
//! ledger in its data folder.

use futures::future::BoxFuture;

use super::wal::ReplicaKey;

/// The ledger of one node.
pub trait Ledger: Send + Sync {
    /// Whether the replica was opened here before.
    fn has(&self, key: &ReplicaKey) -> bool;
    /// All of them.
    fn all(&self) -> Vec<ReplicaKey>;
    /// Enters replicas; synced when it returns.
    fn enter(&self, keys: Vec<ReplicaKey>) -> BoxFuture<'static, Result<(), String>>;
    /// Strikes a replica whose data has been removed.
    fn strike(&self, key: ReplicaKey) -> BoxFuture<'static, Result<(), String>>;
}
