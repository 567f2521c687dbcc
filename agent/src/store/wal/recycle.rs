//! Empties the oldest segment: copies what still counts forward, then gives the file back.
//!
//! Invariant: a segment is given back only after every live record in it stands in a confirmed
//! batch, every command queued before has been synced, and a synced batch names the next segment
//! as the oldest (safety rule 3).

use super::ReplicaKey;
use super::record::{Kind, Record, decode, size_bytes};
use super::segment::{Location, Segment};
use super::state::{ReplicaState, State};

/// Segments below which nothing is recycled: their space is not worth a copy.
const SEGMENTS_MIN: usize = 3;
/// Bytes copied in one batch, so that others wait little.
const COPY_BYTES_MAX: usize = 256 << 10;

/// How far the recycling of the oldest segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recycling {
    /// Nothing is being recycled.
    Idle,
    /// Live records are being copied.
    Copying {
        /// The segment.
        generation: u32,
    },
    /// All are copied; the commands queued by then must be synced.
    Draining {
        /// The segment.
        generation: u32,
        /// How many commands must have been synced.
        until: u64,
    },
    /// The next batch names the next segment as the oldest; with its sync the file is free.
    Announcing {
        /// The segment.
        generation: u32,
    },
}

/// A live record in the oldest segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Live {
    /// What is written forward.
    pub(super) record: Record,
    /// Where it stands now; `None` for a replica that has nothing but its name.
    pub(super) from: Option<Location>,
}

/// The segment that should be recycled now.
pub(super) fn due(state: &State, segment_bytes: u64, bytes_max: u64) -> Option<u32> {
    if state.segments.len() < SEGMENTS_MIN {
        return None;
    }
    let (generation, held) = state.segments.first_key_value()?;
    // The closer to the bound, the more copying a free segment is worth.
    let crowded = state.segments.len() as u64 * segment_bytes > bytes_max / 2;
    let live_max = if crowded { segment_bytes / 4 * 3 } else { segment_bytes / 4 };
    (held.live_bytes <= live_max).then_some(*generation)
}

/// Some of what still counts in a segment; empty when nothing is left in it.
pub(super) fn live(state: &State, generation: u32) -> Vec<Live> {
    let mut found = Vec::new();
    let mut bytes = 0;
    for (key, replica) in &state.replicas {
        for live in live_of(*key, replica, generation) {
            bytes += live.from.map_or(0, |from| from.bytes as usize);
            if bytes > COPY_BYTES_MAX && !found.is_empty() {
                return found;
            }
            found.push(live);
        }
    }
    found
}

fn live_of(key: ReplicaKey, replica: &ReplicaState, generation: u32) -> impl Iterator<Item = Live> {
    let (purge_term, purge_index) = replica.purged.unwrap_or_default();
    let marks = [
        (Kind::Vote, 0, 0, replica.vote_mark.place),
        (Kind::Purge, purge_term, purge_index, replica.purged_mark.place),
        (Kind::Quarantine, 0, 0, replica.quarantine_mark.place),
    ];
    let entries = replica
        .entries
        .iter()
        .zip(replica.first..)
        .filter(|_| replica.quarantine.is_none())
        .map(|(slot, index)| (Kind::Copy, slot.term, index, slot.place));
    marks.into_iter().chain(entries).filter_map(move |(kind, term, index, place)| {
        let from = place.filter(|place| place.generation == generation)?;
        Some(Live { record: Record { kind, key, term, index }, from: Some(from) })
    })
}

/// Replicas of which nothing counts any more but that they are here: a record without effect keeps
/// their chain traceable.
pub(super) fn bare(state: &State) -> Vec<Live> {
    let nothing = |replica: &ReplicaState| {
        replica.vote.is_none()
            && replica.purged.is_none()
            && replica.entries.is_empty()
            && replica.quarantine.is_none()
    };
    let bare = state.replicas.iter().filter(|(_, replica)| nothing(replica));
    bare.map(|(key, _)| {
        let record = Record { kind: Kind::Truncate, key: *key, term: 0, index: 0 };
        Live { record, from: None }
    })
    .collect()
}

/// Reads a live record's payload; `None` if it is damaged.
pub(super) fn payload(segment: &Segment, live: &Live) -> Option<Vec<u8>> {
    let Some(from) = live.from else { return Some(Vec::new()) };
    payload_at(segment, &live.record, from)
}

/// Reads the payload of the record that must stand at a place; `None` if it doesn't, unharmed.
pub(super) fn payload_at(segment: &Segment, wanted: &Record, from: Location) -> Option<Vec<u8>> {
    let bytes = segment.read_record(from).ok()?;
    let decoded = decode(&bytes)?;
    let found = decoded.record;
    let is_entry = |kind| matches!(kind, Kind::Entry | Kind::Copy);
    let same_kind = found.kind == wanted.kind || is_entry(found.kind) && is_entry(wanted.kind);
    let same = same_kind && found.key == wanted.key && decoded.payload_sound;
    let placed = (found.term, found.index) == (wanted.term, wanted.index);
    // A vote's term is in its payload as well; the header's is for people.
    let same = same && (placed || found.kind == Kind::Vote);
    (same && bytes.len() == size_bytes(decoded.payload.len()))
        .then(|| bytes[decoded.payload].to_vec())
}
