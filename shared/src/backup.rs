//! What lies in an archive. On disk: the manifest's fields are only appended.

use serde::{Deserialize, Serialize};

use crate::ids::{ClusterId, History, KeyspaceId, ShardId};
use crate::key::SlotRange;
use crate::version::Hlc;

/// The version of the archive's layout that this code writes.
pub const ARCHIVE_FORMAT: u32 = 1;

/// Names every chunk that a restore needs, so that no chain is walked; written last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// `ARCHIVE_FORMAT` at the time of writing.
    pub format: u32,
    /// The backup's id.
    pub id: String,
    /// What kind of backup.
    pub kind: BackupKind,
    /// Whose data.
    pub cluster: ClusterId,
    /// No effect later than this is in it, and every effect up to it is.
    pub cut: Hlc,
    /// When it was finished, on the writer's wall clock.
    pub finished_unix_ms: u64,
    /// The shards.
    pub shards: Vec<ShardImage>,
    /// The chunk with the configuration: the cluster's facts.
    pub configuration: Chunk,
    /// The version of the software that wrote it.
    pub written_by: String,
}

/// What kind of backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupKind {
    /// Images of everything.
    Full,
    /// Net change since the last full backup.
    Differential,
    /// Net change since the last backup of any kind.
    Incremental,
    /// What was left of shards that had lost their majority.
    Salvaged,
    /// What stopped agents' folders held of a whole cluster, each shard as far as its log went.
    Rescued,
}

/// One shard's part of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardImage {
    /// The shard.
    pub shard: ShardId,
    /// Whose keys.
    pub keyspace: KeyspaceId,
    /// Which life of it.
    pub history: History,
    /// Its slots.
    pub slots: Vec<SlotRange>,
    /// The last index in the image.
    pub index: u64,
    /// Records in it.
    pub records: u64,
    /// BLAKE3 over every (key, value, version, expiry) in key order, in hexadecimal.
    pub content_hash: String,
    /// Its chunks, in key order.
    pub chunks: Vec<Chunk>,
}

/// One file of the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// BLAKE3 of its bytes in hexadecimal: also its name.
    pub hash: String,
    /// Its length.
    pub bytes: u64,
}
