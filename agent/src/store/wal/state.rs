//! What memory knows of the log: each replica's vote, marks and entries, and where they stand.
//!
//! Invariant: it changes under one lock together with the queue, so the log's order is its order;
//! the bytes held for readers never exceed the cache's bound, what still waits for the disk apart.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use crate::store::raft::{Entry, Vote};

use super::notices::Done;
use super::record::{Kind, Record};
use super::recover::Recovered;
use super::segment::{Location, Segment};
use super::{Recovery, ReplicaKey};

/// A record on its way to the writer.
pub(super) struct NewRecord {
    /// Its header.
    pub(super) record: Record,
    /// What it holds.
    pub(super) payload: Vec<u8>,
    /// Tells it from others at the same index; 0 when nothing in memory refers to it.
    pub(super) serial: u64,
}

impl NewRecord {
    /// A record without payload.
    pub(super) fn bare(record: Record) -> Self {
        Self { record, payload: Vec::new(), serial: 0 }
    }
}

/// Records that go into one batch, and who waits for it.
pub(super) struct Command {
    /// In order.
    pub(super) records: Vec<NewRecord>,
    /// Who waits.
    pub(super) done: Done,
    /// Its share of the queue's bound.
    pub(super) permit: OwnedSemaphorePermit,
}

/// One entry of a replica's log.
pub(super) struct Slot {
    /// Its term.
    pub(super) term: u64,
    /// Tells it from others at the same index.
    pub(super) serial: u64,
    /// Where its record stands, once written.
    pub(super) place: Option<Location>,
    /// Bytes of its payload.
    pub(super) bytes: u32,
    /// The entry, while it waits or is cached.
    pub(super) entry: Option<Arc<Entry>>,
}

/// Something of which only the last one counts, and its record's place once written.
#[derive(Clone, Copy, Default)]
pub(super) struct Mark {
    /// Tells it from those before.
    pub(super) serial: u64,
    /// Where its record stands.
    pub(super) place: Option<Location>,
}

/// One replica.
#[derive(Default)]
pub(super) struct ReplicaState {
    /// Its vote.
    pub(super) vote: Option<Vote>,
    /// The vote's record.
    pub(super) vote_mark: Mark,
    /// Term and index up to which it was purged.
    pub(super) purged: Option<(u64, u64)>,
    /// The purge's record.
    pub(super) purged_mark: Mark,
    /// Index of the first entry.
    pub(super) first: u64,
    /// The entries, without a gap.
    pub(super) entries: VecDeque<Slot>,
    /// Bytes of their payloads.
    pub(super) entry_bytes: u64,
    /// Why it is out of service.
    pub(super) quarantine: Option<String>,
    /// The quarantine's record.
    pub(super) quarantine_mark: Mark,
}

impl ReplicaState {
    /// Term and index of the last entry, or of the purge mark.
    pub(super) fn last(&self) -> Option<(u64, u64)> {
        let slot = self.entries.back();
        slot.map(|slot| (slot.term, self.next() - 1)).or(self.purged)
    }

    /// The index after the last entry.
    pub(super) fn next(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// The entry at an index.
    pub(super) fn slot(&mut self, index: u64) -> Option<&mut Slot> {
        let nth = usize::try_from(index.checked_sub(self.first)?).ok()?;
        self.entries.get_mut(nth)
    }

    fn places(&self) -> impl Iterator<Item = Location> {
        let marks = [self.vote_mark, self.purged_mark, self.quarantine_mark];
        let slots = self.entries.iter().filter_map(|slot| slot.place);
        marks.into_iter().filter_map(|mark| mark.place).chain(slots)
    }
}

/// A segment in use.
pub(super) struct Held {
    /// The file.
    pub(super) segment: Segment,
    /// Bytes of records in it that still count.
    pub(super) live_bytes: u64,
}

struct Cached {
    key: ReplicaKey,
    index: u64,
    serial: u64,
    bytes: u32,
}

/// The whole log, as memory knows it.
#[derive(Default)]
pub(super) struct State {
    /// Every replica.
    pub(super) replicas: BTreeMap<ReplicaKey, ReplicaState>,
    /// Segments in use.
    pub(super) segments: BTreeMap<u32, Held>,
    /// Files that may be used again.
    pub(super) spares: VecDeque<String>,
    /// Commands ever queued.
    pub(super) enqueued: u64,
    /// Commands synced.
    pub(super) synced: u64,
    cache: VecDeque<Cached>,
    cached_bytes: usize,
    serial: u64,
}

impl State {
    /// What a start has found.
    pub(super) fn recovered(recovered: &Recovered) -> Self {
        let mut state = Self { spares: recovered.spares.clone().into(), ..Self::default() };
        for segment in &recovered.segments {
            let held = Held { segment: segment.clone(), live_bytes: 0 };
            state.segments.insert(segment.generation, held);
        }
        for (key, from) in &recovered.replay.replicas {
            let place = |place: Location| Mark { serial: 0, place: Some(place) };
            let mut replica = ReplicaState {
                vote: from.vote.map(|(vote, _)| vote),
                vote_mark: from.vote.map(|(_, at)| place(at)).unwrap_or_default(),
                purged: from.purged.map(|(term, index, _)| (term, index)),
                purged_mark: from.purged.map(|(_, _, at)| place(at)).unwrap_or_default(),
                quarantine: from.quarantine.clone(),
                quarantine_mark: from.mark.map(place).unwrap_or_default(),
                ..ReplicaState::default()
            };
            if from.quarantine.is_none() {
                let after_purge = from.purged.map_or(0, |(_, index, _)| index + 1);
                replica.first = from.entries.keys().next().copied().unwrap_or(after_purge);
                for entry in from.entries.values() {
                    let header = super::record::size_bytes(0);
                    let bytes = entry.location.bytes - super::bytes::count(header);
                    replica.entry_bytes += u64::from(bytes);
                    let place = Some(entry.location);
                    let slot = Slot { term: entry.term, serial: 0, place, bytes, entry: None };
                    replica.entries.push_back(slot);
                }
            }
            let places: Vec<_> = replica.places().collect();
            for place in places {
                state.alive(place);
            }
            state.replicas.insert(*key, replica);
        }
        state
    }

    /// Who can be trusted and who can't.
    pub(super) fn recovery(&self, torn_tail: bool) -> Recovery {
        let mut recovery = Recovery { torn_tail, ..Recovery::default() };
        for (key, replica) in &self.replicas {
            match &replica.quarantine {
                None => recovery.sound.push(*key),
                Some(reason) => recovery.quarantined.push((*key, reason.clone())),
            }
        }
        recovery
    }

    /// A number that no record in memory has had.
    pub(super) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// Drops a replica; false if there is none.
    pub(super) fn forget(&mut self, key: &ReplicaKey) -> bool {
        let Some(replica) = self.replicas.remove(key) else { return false };
        replica.places().for_each(|place| self.dead(place));
        true
    }

    /// Appends an entry. The caller has checked that it follows the last one.
    pub(super) fn append(&mut self, key: ReplicaKey, index: u64, slot: Slot) {
        let replica = self.replicas.entry(key).or_default();
        if replica.entries.is_empty() {
            replica.first = index;
        }
        replica.entry_bytes += u64::from(slot.bytes);
        replica.entries.push_back(slot);
    }

    /// Removes the entries from an index on.
    pub(super) fn truncate(&mut self, key: &ReplicaKey, from: u64) {
        self.remove(
            key,
            |replica| {
                if replica.next() <= from { None } else { replica.entries.pop_back() }
            },
        );
    }

    /// Removes the entries up to the purge mark.
    pub(super) fn purge(&mut self, key: &ReplicaKey, term: u64, index: u64, serial: u64) {
        self.remove(key, |replica| {
            if replica.first > index {
                return None;
            }
            let slot = replica.entries.pop_front()?;
            replica.first += 1;
            Some(slot)
        });
        let replica = self.replicas.entry(*key).or_default();
        replica.first = replica.first.max(index + 1);
        replica.purged = Some((term, index));
        let old = std::mem::replace(&mut replica.purged_mark, Mark { serial, place: None });
        old.place.into_iter().for_each(|place| self.dead(place));
    }

    /// Takes a new vote.
    pub(super) fn vote(&mut self, key: ReplicaKey, vote: Vote, serial: u64) {
        let replica = self.replicas.entry(key).or_default();
        replica.vote = Some(vote);
        let old = std::mem::replace(&mut replica.vote_mark, Mark { serial, place: None });
        old.place.into_iter().for_each(|place| self.dead(place));
    }

    fn remove(&mut self, key: &ReplicaKey, next: impl Fn(&mut ReplicaState) -> Option<Slot>) {
        let Some(replica) = self.replicas.get_mut(key) else { return };
        let mut places = Vec::new();
        while let Some(slot) = next(replica) {
            replica.entry_bytes -= u64::from(slot.bytes);
            places.extend(slot.place);
        }
        for place in places {
            self.dead(place);
        }
    }

    /// Notes where a record was written, if it still counts.
    pub(super) fn placed(&mut self, record: &Record, serial: u64, place: Location, cache: usize) {
        if serial == 0 {
            return;
        }
        let Some(replica) = self.replicas.get_mut(&record.key) else { return };
        let mark = match record.kind {
            Kind::Vote => &mut replica.vote_mark,
            Kind::Purge => &mut replica.purged_mark,
            Kind::Quarantine => &mut replica.quarantine_mark,
            Kind::Entry => {
                let Some(slot) = replica.slot(record.index) else { return };
                if slot.serial == serial {
                    slot.place = Some(place);
                    let bytes = slot.bytes;
                    self.alive(place);
                    self.cached(record, serial, bytes, cache);
                }
                return;
            }
            Kind::Copy | Kind::Truncate | Kind::Forget => return,
        };
        if mark.serial == serial {
            mark.place = Some(place);
            self.alive(place);
        }
    }

    /// Notes that a record was copied forward.
    pub(super) fn moved(&mut self, record: &Record, from: Location, to: Location) {
        let Some(replica) = self.replicas.get_mut(&record.key) else { return };
        let place = match record.kind {
            Kind::Vote => &mut replica.vote_mark.place,
            Kind::Purge => &mut replica.purged_mark.place,
            Kind::Quarantine => &mut replica.quarantine_mark.place,
            _ => match replica.slot(record.index) {
                Some(slot) => &mut slot.place,
                None => return,
            },
        };
        if *place == Some(from) {
            *place = Some(to);
            self.dead(from);
            self.alive(to);
        }
    }

    fn cached(&mut self, record: &Record, serial: u64, bytes: u32, bound: usize) {
        let cached = Cached { key: record.key, index: record.index, serial, bytes };
        self.cached_bytes += bytes as usize;
        self.cache.push_back(cached);
        while self.cached_bytes > bound {
            let Some(old) = self.cache.pop_front() else { return };
            self.cached_bytes -= old.bytes as usize;
            let replica = self.replicas.get_mut(&old.key);
            let slot = replica.and_then(|replica| replica.slot(old.index));
            if let Some(slot) = slot.filter(|slot| slot.serial == old.serial) {
                slot.entry = None;
            }
        }
    }

    fn alive(&mut self, place: Location) {
        if let Some(held) = self.segments.get_mut(&place.generation) {
            held.live_bytes += u64::from(place.bytes);
        }
    }

    fn dead(&mut self, place: Location) {
        if let Some(held) = self.segments.get_mut(&place.generation) {
            held.live_bytes = held.live_bytes.saturating_sub(u64::from(place.bytes));
        }
    }

    /// Puts a replica out of service while the log runs; gives the serial for the mark that the
    /// caller must write, unless it is out of service already.
    pub(super) fn quarantine(&mut self, key: &ReplicaKey, reason: &str) -> Option<u64> {
        let serial = self.next_serial();
        let replica = self.replicas.get_mut(key).filter(|it| it.quarantine.is_none())?;
        tracing::error!(replica = %key, reason, "log damaged, replica is out of service");
        replica.quarantine = Some(reason.to_owned());
        replica.quarantine_mark = Mark { serial, place: None };
        Some(serial)
    }

    /// Bytes of entries that each replica keeps in the oldest quarter of the segments.
    pub(super) fn pins(&self) -> Vec<(ReplicaKey, u64)> {
        let quarter = self.segments.len().div_ceil(4);
        let Some(newest) = self.segments.keys().nth(quarter - 1).copied() else {
            return Vec::new();
        };
        let pinned = |replica: &ReplicaState| -> u64 {
            let places = replica.entries.iter().filter_map(|slot| slot.place);
            let old = places.filter(|place| place.generation <= newest);
            old.map(|place| u64::from(place.bytes)).sum()
        };
        let mut pins: Vec<_> =
            self.replicas.iter().map(|(key, replica)| (*key, pinned(replica))).collect();
        pins.retain(|(_, bytes)| *bytes > 0);
        pins.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        pins
    }
}
