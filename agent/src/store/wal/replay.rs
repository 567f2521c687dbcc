//! Replays records into what each replica's log held, and finds whose records are missing.
//!
//! Invariant: a replica is given back only if its chain is unbroken from its first record to its
//! last and its entries have no gap; every other is quarantined, with the reason.

use std::collections::BTreeMap;

use crate::store::raft::Vote;

use super::ReplicaKey;
use super::batch::Directory;
use super::record::{Chain, Kind, Record};
use super::scan::{Found, Parsed};
use super::segment::Location;

/// An entry's term and place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EntryAt {
    /// Its term.
    pub(super) term: u64,
    /// Where its record stands.
    pub(super) location: Location,
}

/// What a replica's log held.
#[derive(Clone, Debug, Default)]
pub(super) struct Replayed {
    /// The value after its last record; unknown while a damaged table hides it.
    pub(super) chain: Option<Chain>,
    /// Its vote.
    pub(super) vote: Option<(Vote, Location)>,
    /// Term, index and place of its purge mark.
    pub(super) purged: Option<(u64, u64, Location)>,
    /// Its entries by index.
    pub(super) entries: BTreeMap<u64, EntryAt>,
    /// Why it is out of service.
    pub(super) quarantine: Option<String>,
    /// Where the mark of its quarantine stands, if one was written.
    pub(super) mark: Option<Location>,
    seen: bool,
    /// Some batch before is gone without a trace: only a record that continues the chain clears it.
    suspect: Option<String>,
}

/// All replicas, while their records are replayed in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Replay {
    /// What each log holds so far.
    pub(super) replicas: BTreeMap<ReplicaKey, Replayed>,
}

impl Replay {
    /// Takes the chain values with which the oldest segment opens.
    pub(super) fn seed(&mut self, table: &Directory) {
        for (key, share) in &table.0 {
            self.replicas.entry(*key).or_default().chain = Some(share.chain);
        }
    }

    /// Compares with the chain values with which a later segment opens.
    pub(super) fn compare(&mut self, table: &Directory) {
        // Who isn't in the table had left the node; its last records may be gone with a batch.
        self.replicas.retain(|key, _| table.0.contains_key(key));
        for (key, share) in &table.0 {
            let replica = self.replicas.entry(*key).or_default();
            if replica.chain != Some(share.chain) {
                replica.quarantine_for("its records before a segment's start are missing");
            }
            replica.chain = Some(share.chain);
            replica.suspect = None;
        }
    }

    /// Puts a replica out of service.
    pub(super) fn quarantine(&mut self, key: ReplicaKey, reason: &str) {
        self.replicas.entry(key).or_default().quarantine_for(reason);
    }

    /// Puts every replica under suspicion: records are gone, and nothing says whose.
    pub(super) fn suspect_all(&mut self, reason: &str) {
        for replica in self.replicas.values_mut() {
            replica.suspect.get_or_insert_with(|| reason.to_owned());
        }
    }

    /// Replays every sound record of a batch.
    pub(super) fn batch(&mut self, parsed: &Parsed) {
        for found in &parsed.records {
            self.record(found, parsed.payload(found));
        }
    }

    /// Compares with the directory of a batch that was replayed whole.
    pub(super) fn check(&mut self, directory: &Directory, number: u64) {
        for (key, share) in &directory.0 {
            match self.replicas.get_mut(key) {
                // Forgotten within the batch: nothing remains to compare.
                None => {}
                Some(replica) if replica.chain == Some(share.chain) => {}
                Some(replica) => {
                    replica.quarantine_for(&format!("batch {number} differs from its directory"));
                }
            }
        }
    }

    /// Moves what lies at one place to another.
    pub(super) fn relocate(&mut self, places: &BTreeMap<Location, Location>) {
        let moved = |place: &mut Location| *place = places.get(place).copied().unwrap_or(*place);
        for replica in self.replicas.values_mut() {
            replica.entries.values_mut().for_each(|entry| moved(&mut entry.location));
            replica.vote.iter_mut().for_each(|(_, place)| moved(place));
            replica.purged.iter_mut().for_each(|(_, _, place)| moved(place));
            replica.mark.iter_mut().for_each(moved);
        }
    }

    fn record(&mut self, found: &Found, payload: &[u8]) {
        let Record { kind, key, .. } = found.decoded.record;
        if kind == Kind::Forget {
            self.replicas.remove(&key);
            return;
        }
        let new = !self.replicas.contains_key(&key);
        let replica = self.replicas.entry(key).or_default();
        if new {
            // A new replica's first record continues nothing.
            replica.chain = Some(Chain::default());
        }
        replica.record(found, payload);
    }

    /// Ends the replay: whoever is still under suspicion, or has a gap, is put out of service.
    pub(super) fn finish(&mut self) {
        for replica in self.replicas.values_mut() {
            if let Some(reason) = replica.suspect.take() {
                replica.quarantine_for(&reason);
            }
            if !replica.seen {
                replica.quarantine_for("none of its records is left");
            }
            replica.finish();
        }
    }

    /// The same where nothing is in doubt; `None` if anything is.
    pub(super) fn sound_chains(&self) -> Option<Directory> {
        let sound = |replica: &Replayed| {
            replica.chain.is_some() && replica.suspect.is_none() && replica.quarantine.is_none()
        };
        self.replicas.values().all(sound).then(|| self.chains())
    }

    /// Every chain value, as a segment's table holds them.
    pub(super) fn chains(&self) -> Directory {
        let entries = self.replicas.iter().map(|(key, replica)| {
            (*key, super::segment::chain_share(replica.chain.unwrap_or_default()))
        });
        Directory(entries.collect())
    }
}

impl Replayed {
    fn quarantine_for(&mut self, reason: &str) {
        self.quarantine.get_or_insert_with(|| reason.to_owned());
    }

    fn record(&mut self, found: &Found, payload: &[u8]) {
        let Record { kind, term, index, .. } = found.decoded.record;
        let location = found.location;
        self.seen = true;
        if self.chain.is_some_and(|chain| chain != found.decoded.before) {
            self.quarantine_for("a record is missing before one that is there");
        }
        self.suspect = None;
        self.chain = Some(found.decoded.after);
        match kind {
            Kind::Entry => {
                drop(self.entries.split_off(&index));
                self.entries.insert(index, EntryAt { term, location });
            }
            Kind::Copy => drop(self.entries.insert(index, EntryAt { term, location })),
            Kind::Truncate => drop(self.entries.split_off(&index)),
            Kind::Purge => {
                self.purged = Some((term, index, location));
                self.entries = self.entries.split_off(&(index + 1));
            }
            Kind::Vote => match postcard::from_bytes(payload) {
                Ok(vote) => self.vote = Some((vote, location)),
                Err(_) => self.quarantine_for("its vote is of a later version"),
            },
            Kind::Quarantine => {
                self.quarantine_for(&String::from_utf8_lossy(payload));
                self.mark = Some(location);
            }
            Kind::Forget => {}
        }
    }

    fn finish(&mut self) {
        let first = self.entries.keys().next().copied();
        let last = self.entries.keys().next_back().copied();
        if let (Some(first), Some(last)) = (first, last) {
            let whole = last - first + 1 == self.entries.len() as u64;
            let joined = self.purged.is_none_or(|(_, index, _)| index + 1 == first);
            if !whole || !joined {
                self.quarantine_for("its entries have a gap");
            }
        }
    }
}
