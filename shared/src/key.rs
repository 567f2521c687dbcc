//! Keys, slots, and ranges of slots. The slot rule is Redis Cluster's: CRC16 of the key, or of
//! what stands between its first `{` and the next `}`, modulo 16,384.

use serde::{Deserialize, Serialize};

/// How many slots the key space has.
pub const SLOTS: u16 = 16_384;

const CRC16: crc::Crc<u16> = crc::Crc::<u16>::new(&crc::CRC_16_XMODEM);

/// One of the 16,384 slots.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Slot(pub u16);

impl Slot {
    /// The slot of a key.
    pub fn of(key: &[u8]) -> Self {
        Self(CRC16.checksum(tag(key)) % SLOTS)
    }
}

/// What of the key is hashed: a non-empty `{tag}`, or all of it.
fn tag(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|byte| *byte == b'{') else { return key };
    let rest = &key[open + 1..];
    match rest.iter().position(|byte| *byte == b'}') {
        Some(length) if length > 0 => &rest[..length],
        _ => key,
    }
}

/// Slots from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SlotRange(pub u16, pub u16);

impl SlotRange {
    /// Every slot.
    pub const ALL: Self = Self(0, SLOTS - 1);

    /// Whether the slot lies in the range.
    pub fn contains(self, slot: Slot) -> bool {
        self.0 <= slot.0 && slot.0 <= self.1
    }

    /// Cuts the whole key space into `parts` ranges of nearly equal length.
    pub fn split_all(parts: u16) -> Vec<Self> {
        let parts = parts.clamp(1, SLOTS);
        let edge = |part: u16| {
            let at = u32::from(SLOTS) * u32::from(part) / u32::from(parts);
            u16::try_from(at).expect("at most 16,384")
        };
        (0..parts).map(|part| Self(edge(part), edge(part + 1) - 1)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_agree_with_redis() {
        // Values printed by `CLUSTER KEYSLOT` of Redis 7.
        for (key, slot) in [("foo", 12182), ("bar", 5061), ("{user1000}.following", 3443)] {
            assert_eq!(Slot::of(key.as_bytes()), Slot(slot), "{key}");
        }
    }

    #[test]
    fn empty_tag_hashes_the_whole_key() {
        assert_ne!(Slot::of(b"{}a"), Slot::of(b"{}b"));
        assert_eq!(Slot::of(b"{a}x"), Slot::of(b"{a}y"));
        assert_ne!(Slot::of(b"{a"), Slot::of(b"{b"));
    }

    #[test]
    fn ranges_cover_every_slot_once() {
        for parts in [1, 3, 16, 100, SLOTS] {
            let ranges = SlotRange::split_all(parts);
            assert_eq!(ranges.len(), usize::from(parts));
            assert_eq!(ranges[0].0, 0);
            assert_eq!(ranges[ranges.len() - 1].1, SLOTS - 1);
            assert!(ranges.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0));
        }
    }
}
