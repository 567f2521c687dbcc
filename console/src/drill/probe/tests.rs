//! Keys of writers.

use super::*;

#[test]
fn every_writer_has_a_key_of_its_own_within_its_shard() {
    let ranges = SlotRange::split_all(16);
    let mut keys = std::collections::BTreeSet::new();
    for writer in 0..32 {
        let range = ranges[writer % 16];
        let key = key_within("p/", &[range], writer);
        assert!(range.contains(Slot::of(key.as_bytes())));
        assert!(keys.insert(key));
    }
}
