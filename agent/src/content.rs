//! The content hash: BLAKE3 over records in (keyspace, slot, key) order.
//!
//! Replicas at one index, a backup's image and the shard restored from it have equal hashes exactly
//! when they hold the same keys, values, versions and expiries.

use evenkeel_shared::command::StoredRecord;

/// Hashes records one by one.
#[derive(Clone, Default)]
pub struct ContentHasher {
    hasher: blake3::Hasher,
    records: u64,
}

/// What was hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentSummary {
    /// How many records there were.
    pub records: u64,
    /// Their hash, in hexadecimal.
    pub hash: String,
}

impl ContentHasher {
    /// A hasher that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next record; the order is the caller's to keep.
    pub fn feed(&mut self, stored: &StoredRecord) {
        let StoredRecord { slot: _, key, record } = stored;
        let version = record.version;
        // Every field has a fixed length or stands behind it, so no two records look alike.
        self.bytes(key);
        self.bytes(&record.value);
        self.hasher.update(&version.shard.0.to_le_bytes());
        self.hasher.update(&version.epoch.0.to_le_bytes());
        self.hasher.update(&version.term.to_le_bytes());
        self.hasher.update(&version.index.to_le_bytes());
        match record.expires {
            None => self.hasher.update(&[0]),
            Some(expires) => self.hasher.update(&[1]).update(&expires.0.to_le_bytes()),
        };
        self.records += 1;
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let length = u64::try_from(bytes.len()).expect("lengths fit 64 bits");
        self.hasher.update(&length.to_le_bytes()).update(bytes);
    }

    /// The hash of everything fed.
    pub fn finish(&self) -> ContentSummary {
        ContentSummary { records: self.records, hash: self.hasher.finalize().to_hex().to_string() }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use evenkeel_shared::command::Record;
    use evenkeel_shared::key::Slot;
    use evenkeel_shared::version::{Hlc, Version};

    use super::*;

    fn stored(key: &'static str, value: &'static str, expires: Option<Hlc>) -> StoredRecord {
        let record = Record {
            value: Bytes::from_static(value.as_bytes()),
            version: Version::default(),
            hlc: Hlc(1),
            expires,
        };
        StoredRecord { slot: Slot(0), key: Bytes::from_static(key.as_bytes()), record }
    }

    fn hash(records: &[StoredRecord]) -> ContentSummary {
        let mut hasher = ContentHasher::new();
        for record in records {
            hasher.feed(record);
        }
        hasher.finish()
    }

    #[test]
    fn every_field_and_its_place_matters() {
        let base = hash(&[stored("ab", "c", None)]);
        assert_eq!(base.records, 1);
        let mut later = stored("ab", "c", None);
        later.record.version.index = 7;
        for other in [
            stored("a", "bc", None),
            stored("ab", "d", None),
            stored("ab", "c", Some(Hlc(0))),
            later,
        ] {
            assert_ne!(hash(&[other]).hash, base.hash);
        }
    }

    #[test]
    fn the_time_of_writing_does_not_matter() {
        let mut other = stored("ab", "c", None);
        other.record.hlc = Hlc(99);
        assert_eq!(hash(&[other]), hash(&[stored("ab", "c", None)]));
    }
}
