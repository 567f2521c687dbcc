//! The content hash of a shard: what its records say, whoever holds them.
//!
//! Two replicas, a backup and its restore have the same hash if and only if they hold the same
//! keys, values, versions and expiries, in key order.

use evenkeel_shared::command::StoredRecord;

/// Hashes records in key order.
#[derive(Clone, Default)]
pub struct ContentHasher {
    hasher: blake3::Hasher,
    records: u64,
}

impl ContentHasher {
    /// Begins with no record.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next record in key order.
    pub fn add(&mut self, stored: &StoredRecord) {
        let record = &stored.record;
        for bytes in [&stored.key, &record.value] {
            self.number(bytes.len() as u64);
            self.hasher.update(bytes);
        }
        let version = record.version;
        self.number(u64::from(version.shard.0));
        self.number(version.epoch.0);
        self.number(version.term);
        self.number(version.index);
        // An expiry at time 0 must differ from none.
        self.number(u64::from(record.expires.is_some()));
        self.number(record.expires.map_or(0, |expires| expires.0));
        self.records += 1;
    }

    /// How many records, and their hash in hexadecimal.
    pub fn finish(&self) -> (u64, String) {
        (self.records, self.hasher.finalize().to_hex().to_string())
    }

    fn number(&mut self, number: u64) {
        self.hasher.update(&number.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use evenkeel_shared::command::Record;
    use evenkeel_shared::ids::{Epoch, ShardId};
    use evenkeel_shared::key::Slot;
    use evenkeel_shared::version::{Hlc, Version};

    use super::*;

    fn record(key: &'static str, value: &'static str, expires: Option<Hlc>) -> StoredRecord {
        let version = Version { shard: ShardId(1), epoch: Epoch(2), term: 3, index: 4 };
        let value = Bytes::from_static(value.as_bytes());
        let record = Record { value, version, hlc: Hlc(5), expires };
        StoredRecord {
            slot: Slot::of(key.as_bytes()),
            key: Bytes::from_static(key.as_bytes()),
            record,
        }
    }

    fn hash(records: &[StoredRecord]) -> String {
        let mut hasher = ContentHasher::new();
        for record in records {
            hasher.add(record);
        }
        let (count, hash) = hasher.finish();
        assert_eq!(count, records.len() as u64);
        hash
    }

    #[test]
    fn every_field_that_counts_changes_the_hash_and_no_other() {
        let base = record("ab", "c", None);
        let mut terms = base.clone();
        terms.record.version.term += 1;
        let others = [
            vec![],
            vec![base.clone(), base.clone()],
            vec![record("a", "bc", None)],
            vec![record("ab", "d", None)],
            vec![record("ab", "c", Some(Hlc(0)))],
            vec![terms],
        ];
        let mut hashes: Vec<_> = others.iter().map(|records| hash(records)).collect();
        hashes.push(hash(std::slice::from_ref(&base)));
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), 7);
        let mut times = base.clone();
        times.record.hlc = Hlc(99);
        assert_eq!(hash(&[times]), hash(&[base]));
    }

    #[test]
    fn the_hash_of_the_first_format_stays_what_it_was() {
        let records = [record("a", "1", None), record("b", "2", Some(Hlc(7)))];
        assert_eq!(
            hash(&records),
            "47cdb14313b4dfdf6af91a66799b5ddde6131688071d7788f0e46435841fdbbb"
        );
    }
}
