//! Little-endian numbers in and out of byte slices, for the log's fixed headers.
//!
//! Invariant: taking never panics; what is too short gives `None`.

use evenkeel_shared::ids::{History, ReplicaId, ShardId};

use super::ReplicaKey;

/// Bytes of a [`ReplicaKey`] on disk.
pub(super) const KEY_BYTES: usize = 28;

/// Appends numbers to a buffer.
pub(super) trait Put {
    /// Four bytes.
    fn put_u32(&mut self, value: u32);
    /// Eight bytes.
    fn put_u64(&mut self, value: u64);
    /// Whose record it is.
    fn put_key(&mut self, key: &ReplicaKey);
}

impl Put for Vec<u8> {
    fn put_u32(&mut self, value: u32) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_u64(&mut self, value: u64) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_key(&mut self, key: &ReplicaKey) {
        self.put_u32(key.shard.0);
        self.put_u64(key.history.number);
        self.put_u64(key.history.salt);
        self.put_u64(key.replica.0);
    }
}

/// Takes numbers from the front of a slice.
pub(super) struct Take<'a>(pub(super) &'a [u8]);

impl Take<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    /// One byte.
    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Four bytes.
    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// Eight bytes.
    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Whose record it is.
    pub(super) fn key(&mut self) -> Option<ReplicaKey> {
        let shard = ShardId(self.u32()?);
        let history = History { number: self.u64()?, salt: self.u64()? };
        Some(ReplicaKey { shard, history, replica: ReplicaId(self.u64()?) })
    }
}

/// A count of bytes, blocks or entries as it stands on disk.
///
/// Segments are at most 1 GiB, so every count within one fits.
pub(super) fn count(value: usize) -> u32 {
    u32::try_from(value).expect("everything within a segment is counted in 32 bits")
}
