//! One replica's log, as openraft sees it.
//!
//! Invariant: votes and truncations are synced before they return, appends before their callback
//! says so; a damaged record is an error and a quarantine, never a missing entry.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::{OptionalSend, RaftLogReader};
use tokio::sync::oneshot;

use crate::planted::{self, Bug};
use crate::store::raft::{Entry, LogId, TypeConfig, Vote};

use super::notices::{Done, Notices};
use super::record::{Kind, Record, size_bytes};
use super::recycle::payload_at;
use super::segment::{Location, Segment};
use super::state::{NewRecord, ReplicaState, Slot, State};
use super::{ReplicaKey, Wal};

/// Entries in one limited read: one append to a follower.
const LIMITED_ENTRIES_MAX: u64 = 1_024;
/// Bytes of entries in one limited read, so that they fit a frame.
const LIMITED_BYTES_MAX: u64 = 1 << 20;
/// Bytes of entries queued as one command.
const CHUNK_BYTES: usize = 1 << 20;

/// One replica's log. Clones share it.
#[derive(Clone)]
pub struct ReplicaLog {
    wal: Wal,
    key: ReplicaKey,
    notices: Notices,
}

/// An entry as a reader finds it.
enum Found {
    Ready(Arc<Entry>),
    OnDisk { record: Record, place: Location, segment: Segment },
}

fn log_id((term, index): (u64, u64)) -> LogId {
    LogId::new_term_index(term, index)
}

fn parts(log_id: &LogId) -> (u64, u64) {
    (log_id.committed_leader_id().term, log_id.index())
}

fn healthy(state: &State, key: &ReplicaKey) -> io::Result<()> {
    match state.replicas.get(key).and_then(|replica| replica.quarantine.as_ref()) {
        None => Ok(()),
        Some(why) => Err(io::Error::other(format!("replica {key} is quarantined: {why}"))),
    }
}

fn encoded<T: serde::Serialize>(what: &T) -> io::Result<Vec<u8>> {
    postcard::to_allocvec(what).map_err(io::Error::other)
}

impl ReplicaLog {
    /// The log of one replica.
    pub(super) fn new(wal: Wal, key: ReplicaKey) -> Self {
        Self { wal, key, notices: Notices::default() }
    }

    /// Who wants to know when an entry of this log is synced.
    pub fn notices(&self) -> Notices {
        self.notices.clone()
    }

    /// Whose log it is.
    pub fn key(&self) -> ReplicaKey {
        self.key
    }

    /// Writes the vote that a replica begins with, so that its log is never empty again.
    pub async fn be_born(&mut self) -> io::Result<()> {
        self.save_vote(&Vote::new(0, self.key.replica)).await
    }

    /// Takes the replica out of service for good: what was found in its data is remembered here.
    pub async fn quarantine(&self, why: &str) -> io::Result<()> {
        let record = self.record(Kind::Quarantine, (0, 0));
        let (sender, receiver) = oneshot::channel();
        let mark = |state: &mut State| {
            let serial = state.quarantine(&self.key, why);
            let payload = || why.as_bytes().to_vec();
            let records = serial.map(|serial| NewRecord { record, payload: payload(), serial });
            Ok::<_, io::Error>((records.into_iter().collect(), Done::Reply(sender)))
        };
        self.wal.queue(size_bytes(why.len()), mark).await?;
        let gone = |_| io::Error::other("the log's writer has ended");
        receiver.await.map_err(gone)?.map_err(Into::into)
    }

    fn record(&self, kind: Kind, (term, index): (u64, u64)) -> Record {
        Record { kind, key: self.key, term, index }
    }

    /// Queues a change and waits until it is synced.
    async fn synced(
        &self,
        payload: Vec<u8>,
        change: impl FnOnce(&mut State, Vec<u8>) -> NewRecord,
    ) -> io::Result<()> {
        let (sender, receiver) = oneshot::channel();
        let key = self.key;
        self.wal
            .queue(size_bytes(payload.len()), |state| {
                healthy(state, &key)?;
                Ok::<_, io::Error>((vec![change(state, payload)], Done::Reply(sender)))
            })
            .await?;
        let gone = |_| io::Error::other("the log's writer has ended");
        receiver.await.map_err(gone)?.map_err(Into::into)
    }

    async fn append_chunk(&self, chunk: Vec<(Entry, Vec<u8>)>, done: Done) -> io::Result<()> {
        let bytes = chunk.iter().map(|(_, payload)| size_bytes(payload.len())).sum();
        let key = self.key;
        let append = |state: &mut State| {
            healthy(state, &key)?;
            self.follows(state, &chunk)?;
            let mut records = Vec::with_capacity(chunk.len());
            for (entry, payload) in chunk {
                let (term, index) = parts(&entry.log_id());
                let serial = state.next_serial();
                let bytes = super::bytes::count(payload.len());
                let entry = Some(Arc::new(entry));
                state.append(key, index, Slot { term, serial, place: None, bytes, entry });
                let record = self.record(Kind::Entry, (term, index));
                records.push(NewRecord { record, payload, serial });
            }
            Ok((records, done))
        };
        self.wal.queue(bytes, append).await
    }

    /// Refuses entries that would leave a hole.
    fn follows(&self, state: &State, chunk: &[(Entry, Vec<u8>)]) -> io::Result<()> {
        let replica = state.replicas.get(&self.key);
        let mut expected =
            replica.filter(|replica| replica.last().is_some()).map(ReplicaState::next);
        for (entry, _) in chunk {
            let index = entry.index();
            if expected.is_some_and(|expected| expected != index) {
                return Err(io::Error::other(format!(
                    "entry {index} doesn't follow the log of replica {}",
                    self.key
                )));
            }
            expected = Some(index + 1);
        }
        Ok(())
    }

    fn find(&self, from: u64, to: u64) -> io::Result<Vec<Found>> {
        let mut state = self.wal.shared.state();
        healthy(&state, &self.key)?;
        let Some(replica) = state.replicas.get_mut(&self.key) else { return Ok(Vec::new()) };
        let indexes = from.max(replica.first)..to.min(replica.next());
        let mut found = Vec::new();
        let mut on_disk = Vec::new();
        for index in indexes {
            let Some(slot) = replica.slot(index) else { break };
            match (&slot.entry, slot.place) {
                (Some(entry), _) => found.push(Some(Found::Ready(Arc::clone(entry)))),
                (None, Some(place)) => {
                    on_disk.push((found.len(), self.record(Kind::Copy, (slot.term, index)), place));
                    found.push(None);
                }
                (None, None) => return Err(io::Error::other("an entry is nowhere")),
            }
        }
        for (nth, record, place) in on_disk {
            let held = state.segments.get(&place.generation);
            let segment = held.ok_or_else(|| io::Error::other("a segment is nowhere"))?;
            let segment = segment.segment.clone();
            found[nth] = Some(Found::OnDisk { record, place, segment });
        }
        Ok(found.into_iter().flatten().collect())
    }

    async fn read(&self, from: u64, to: u64) -> io::Result<Vec<Entry>> {
        let found = self.find(from, to)?;
        if found.iter().all(|found| matches!(found, Found::Ready(_))) {
            return Ok(found
                .into_iter()
                .filter_map(|found| match found {
                    Found::Ready(entry) => Some(Entry::clone(&entry)),
                    Found::OnDisk { .. } => None,
                })
                .collect());
        }
        let log = self.clone();
        let read = move || found.into_iter().map(|found| log.fetch(found)).collect();
        let read: Vec<Result<Entry, Record>> = self.wal.shared.env.work.run(read).await;
        let mut entries = Vec::with_capacity(read.len());
        for entry in read {
            match entry {
                Ok(entry) => entries.push(entry),
                Err(record) => return Err(self.damaged(record).await),
            }
        }
        Ok(entries)
    }

    /// Reads an entry back; when it has moved meanwhile, from where it stands now.
    fn fetch(&self, found: Found) -> Result<Entry, Record> {
        let (record, mut place, mut segment) = match found {
            Found::Ready(entry) => return Ok(Entry::clone(&entry)),
            Found::OnDisk { record, place, segment } => (record, place, segment),
        };
        loop {
            if let Some(payload) = payload_at(&segment, &record, place) {
                let payload = postcard::from_bytes(&payload).map_err(|_| record)?;
                return Ok(Entry { log_id: log_id((record.term, record.index)), payload });
            }
            let again = self.find(record.index, record.index + 1).map_err(|_| record)?;
            match again.into_iter().next() {
                Some(Found::Ready(entry)) => return Ok(Entry::clone(&entry)),
                Some(Found::OnDisk { place: now, segment: file, .. }) if now != place => {
                    (place, segment) = (now, file);
                }
                _ => return Err(record),
            }
        }
    }

    /// Takes the replica out of service for good, if the record still counts.
    async fn damaged(&self, record: Record) -> io::Error {
        let index = record.index;
        let reason = format!("entry {index} of its log can't be read back");
        let mark = |state: &mut State| {
            let still = state.replicas.get_mut(&self.key).and_then(|it| it.slot(index));
            let counts = still.is_some_and(|slot| slot.term == record.term);
            let serial = if counts { state.quarantine(&self.key, &reason) } else { None };
            let records = serial.map(|serial| NewRecord {
                record: self.record(Kind::Quarantine, (0, 0)),
                payload: reason.clone().into_bytes(),
                serial,
            });
            Ok::<_, io::Error>((records.into_iter().collect(), Done::Nobody))
        };
        match self.wal.queue(size_bytes(reason.len()), mark).await {
            Ok(()) => io::Error::new(io::ErrorKind::InvalidData, reason.clone()),
            Err(stopped) => stopped,
        }
    }
}

fn bounds<R: RangeBounds<u64>>(range: &R) -> (u64, u64) {
    let from = match range.start_bound() {
        Bound::Included(from) => *from,
        Bound::Excluded(before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let to = match range.end_bound() {
        Bound::Included(last) => last.saturating_add(1),
        Bound::Excluded(to) => *to,
        Bound::Unbounded => u64::MAX,
    };
    (from, to)
}

impl RaftLogReader<TypeConfig> for ReplicaLog {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> io::Result<Vec<Entry>> {
        let (from, to) = bounds(&range);
        self.read(from, to).await
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        let mut stop = start;
        {
            let mut state = self.wal.shared.state();
            let replica = state.replicas.get_mut(&self.key);
            if let Some(replica) = replica {
                let mut bytes = 0;
                for index in start..end.min(start.saturating_add(LIMITED_ENTRIES_MAX)) {
                    bytes += replica.slot(index).map_or(0, |slot| u64::from(slot.bytes));
                    // The first one is given in any case.
                    if bytes > LIMITED_BYTES_MAX && stop > start {
                        break;
                    }
                    stop = index + 1;
                }
            }
        }
        self.read(start, stop).await
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        let state = self.wal.shared.state();
        healthy(&state, &self.key)?;
        Ok(state.replicas.get(&self.key).and_then(|replica| replica.vote))
    }
}

impl RaftLogStorage<TypeConfig> for ReplicaLog {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<TypeConfig>> {
        let state = self.wal.shared.state();
        healthy(&state, &self.key)?;
        let Some(replica) = state.replicas.get(&self.key) else { return Ok(LogState::default()) };
        Ok(LogState {
            last_purged_log_id: replica.purged.map(log_id),
            last_log_id: replica.last().map(log_id),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let vote = *vote;
        if planted::has(Bug::ForgetVote) && vote.leader_id.term > 0 {
            self.wal.shared.state().replicas.entry(self.key).or_default().vote = Some(vote);
            return Ok(());
        }
        let record = self.record(Kind::Vote, (vote.leader_id.term, 0));
        self.synced(encoded(&vote)?, |state, payload| {
            let serial = state.next_serial();
            state.vote(record.key, vote, serial);
            NewRecord { record, payload, serial }
        })
        .await
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        if self.wal.refuses_entries(self.key.shard) {
            let full = "disk full, the log's reserve is for votes only";
            return Err(io::Error::new(io::ErrorKind::StorageFull, full));
        }
        let bound = self.wal.shared.config.record_bytes_max();
        let limit = CHUNK_BYTES.min(self.wal.shared.config.batch_bytes_max());
        let mut chunks = vec![Vec::new()];
        let mut bytes = 0;
        let mut notices = Vec::new();
        for entry in entries {
            notices.extend(self.notices.of(&entry));
            let payload = encoded(&entry.payload)?;
            let size = size_bytes(payload.len());
            if size > bound {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("entry {} has {size} bytes, the log takes {bound}", entry.index()),
                ));
            }
            if bytes + size > limit && bytes > 0 {
                chunks.push(Vec::new());
                bytes = 0;
            }
            bytes += size;
            chunks.last_mut().expect("there is always one").push((entry, payload));
        }
        let last = chunks.pop().unwrap_or_default();
        for chunk in chunks {
            self.append_chunk(chunk, Done::Nobody).await?;
        }
        self.append_chunk(last, Done::Flushed(callback, notices)).await
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> io::Result<()> {
        let from = last_log_id.map_or(0, |last| last.index() + 1);
        let record = self.record(Kind::Truncate, (0, from));
        self.synced(Vec::new(), |state, _| {
            state.truncate(&record.key, from);
            NewRecord::bare(record)
        })
        .await
    }

    async fn purge(&mut self, log_id: LogId) -> io::Result<()> {
        let (term, index) = parts(&log_id);
        let record = self.record(Kind::Purge, (term, index));
        let purge = |state: &mut State| {
            healthy(state, &record.key)?;
            let serial = state.next_serial();
            state.purge(&record.key, term, index, serial);
            let purge = NewRecord { record, payload: Vec::new(), serial };
            Ok::<_, io::Error>((vec![purge], Done::Nobody))
        };
        self.wal.queue(size_bytes(0), purge).await
    }
}
