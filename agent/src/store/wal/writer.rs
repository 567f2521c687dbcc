//! The one writer: takes what has gathered, writes it as a batch, syncs, tells who waits.
//!
//! Invariant: a batch is written only after the one before was synced; the first error is the
//! last act, everybody who waits is told of it, and the process is asked to end.

mod emptying;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::planted::{self, Bug};

use super::batch::{self, Directory, Opening};
use super::bytes::count;
use super::prepare::{Prepared, Preparer};
use super::record::{Chain, Kind, Record, encode, size_bytes};
use super::recover::Recovered;
use super::recycle::Recycling;
use super::sector::BLOCK_DATA_BYTES;
use super::segment::{
    Location, Segment, SegmentHeader, chain_share, compose_table, location, table_blocks,
};
use super::state::{Command, Held};
use super::{ReplicaKey, Shared};

/// How often a full disk is asked for room again.
const ROOM_RETRY: Duration = Duration::from_secs(1);

/// Starts the writer and its preparer.
pub(super) fn start(
    shared: &Arc<Shared>,
    receiver: mpsc::UnboundedReceiver<Command>,
    recovered: Recovered,
) {
    let segment = recovered.segments.last().expect("recovery opens a fresh segment").clone();
    let mut writer = Writer {
        shared: Arc::clone(shared),
        receiver,
        preparer: Preparer::start(shared, recovered.next_file),
        next_generation: segment.generation + 1,
        segment,
        next_block: recovered.next_block,
        next_batch: recovered.next_batch,
        last_batch: recovered.last_batch,
        oldest: recovered.oldest,
        chains: recovered.chains,
        unconfirmed: true,
        recycling: Recycling::Idle,
        asked_at: Duration::ZERO,
        in_flight: Vec::new(),
        ended: false,
    };
    writer.ask_for_segment();
    shared.env.work.background("wal", Box::pin(writer.run()));
}

struct Writer {
    shared: Arc<Shared>,
    receiver: mpsc::UnboundedReceiver<Command>,
    preparer: Preparer,
    next_generation: u32,
    segment: Segment,
    next_block: usize,
    next_batch: u64,
    last_batch: (u64, Directory),
    oldest: u32,
    chains: BTreeMap<ReplicaKey, Chain>,
    unconfirmed: bool,
    recycling: Recycling,
    asked_at: Duration,
    in_flight: Vec<Command>,
    ended: bool,
}

enum Wake {
    Commands,
    Idle,
    Closed,
}

/// A record to be written: from a command, or copied forward from a place.
struct Item<'a> {
    record: Record,
    payload: &'a [u8],
    serial: u64,
    from: Option<Location>,
}

impl Writer {
    async fn run(mut self) {
        if let Err(error) = self.serve().await {
            self.give_up(&error.to_string());
        }
        self.ended = true;
    }

    async fn serve(&mut self) -> io::Result<()> {
        loop {
            match self.wait().await {
                Wake::Commands => {
                    let commands = std::mem::take(&mut self.in_flight);
                    let written = self.commands(&commands).await;
                    self.in_flight = commands;
                    written?;
                    let ended = std::mem::take(&mut self.in_flight);
                    for command in ended {
                        command.done.tell(None);
                        drop(command.permit);
                    }
                }
                Wake::Idle if self.recycling == Recycling::Idle => self.batch(&[]).await?,
                Wake::Idle => {}
                Wake::Closed => {
                    if self.unconfirmed {
                        self.batch(&[]).await?;
                    }
                    return Ok(());
                }
            }
            self.recycle().await?;
        }
    }

    /// Waits for commands and takes as many as fit a batch. Waits no longer than a batch may stay
    /// unconfirmed, not at all while a segment is being recycled, and for ever when all is done.
    async fn wait(&mut self) -> Wake {
        let first = if self.recycling != Recycling::Idle {
            match self.receiver.try_recv() {
                Ok(command) => Some(command),
                Err(mpsc::error::TryRecvError::Empty) => return Wake::Idle,
                Err(mpsc::error::TryRecvError::Disconnected) => None,
            }
        } else if self.unconfirmed {
            let limit = self.shared.config.confirm_after;
            match tokio::time::timeout(limit, self.receiver.recv()).await {
                Ok(first) => first,
                Err(_) => return Wake::Idle,
            }
        } else {
            self.receiver.recv().await
        };
        let Some(first) = first else { return Wake::Closed };
        let size = |command: &Command| -> usize {
            command.records.iter().map(|new| size_bytes(new.payload.len())).sum()
        };
        let mut bytes = size(&first);
        self.in_flight.push(first);
        while bytes < self.shared.config.batch_bytes_max() {
            let Ok(command) = self.receiver.try_recv() else { break };
            bytes += size(&command);
            self.in_flight.push(command);
        }
        Wake::Commands
    }

    async fn commands(&mut self, commands: &[Command]) -> io::Result<()> {
        let began = self.shared.env.clock.now();
        let items: Vec<_> = commands
            .iter()
            .flat_map(|command| &command.records)
            .map(|new| Item {
                record: new.record,
                payload: &new.payload,
                serial: new.serial,
                from: None,
            })
            .collect();
        self.batch(&items).await?;
        let mut state = self.shared.state();
        state.synced += commands.len() as u64;
        // Whatever waits now was queued after this batch was taken.
        let waiting = (state.synced < state.enqueued).then_some(began);
        self.shared.health.waiting_since(waiting);
        Ok(())
    }

    /// Writes and syncs one batch.
    async fn batch(&mut self, items: &[Item<'_>]) -> io::Result<()> {
        let began = self.shared.env.clock.now();
        self.make_room(items).await?;
        let mut records = Vec::new();
        let mut directory = Directory::default();
        let start = self.next_block * BLOCK_DATA_BYTES + batch::records_at(&self.last_batch.1);
        let mut places = Vec::with_capacity(items.len());
        for item in items {
            let key = item.record.key;
            let before = self.chains.get(&key).copied().unwrap_or_default();
            let at = records.len();
            let after = encode(&item.record, before, item.payload, &mut records);
            places.push(location(self.segment.generation, start + at, records.len() - at));
            directory.add(key, after);
            if item.record.kind == Kind::Forget {
                self.chains.remove(&key);
            } else {
                self.chains.insert(key, after);
            }
        }
        let opening = Opening {
            number: self.next_batch,
            generation: self.segment.generation,
            previous: self.last_batch.0,
            previous_directory: &self.last_batch.1,
            oldest: self.oldest,
        };
        let stream = batch::compose(&opening, &records, &directory);
        self.segment.write_stream(&stream, self.next_batch, self.next_block)?;
        if self.shared.config.yield_before_sync {
            tokio::task::yield_now().await;
        }
        if !planted::has(Bug::SkipFsync) {
            self.segment.file.sync_data()?;
        }
        self.shared.health.synced(began, self.shared.env.clock.now(), stream.len());
        self.next_block += stream.len() / BLOCK_DATA_BYTES;
        self.last_batch = (self.next_batch, directory);
        self.next_batch += 1;
        self.unconfirmed = !items.is_empty();
        self.note_places(items, &places);
        Ok(())
    }

    fn note_places(&self, items: &[Item<'_>], places: &[Location]) {
        let mut state = self.shared.state();
        let cache = self.shared.config.cache_bytes;
        for (item, place) in items.iter().zip(places) {
            match item.from {
                Some(from) => state.moved(&item.record, from, *place),
                None => state.placed(&item.record, item.serial, *place, cache),
            }
        }
    }

    /// Goes on to the next segment when the batch doesn't fit this one.
    async fn make_room(&mut self, items: &[Item<'_>]) -> io::Result<()> {
        if self.shared.on_reserve.load(Ordering::Acquire) {
            self.leave_reserve()?;
        }
        let bytes = items.iter().map(|item| size_bytes(item.payload.len())).sum();
        let replicas: BTreeSet<_> = items.iter().map(|item| item.record.key).collect();
        let blocks = batch::blocks(&self.last_batch.1, bytes, replicas.len());
        if self.next_block + blocks <= self.segment.blocks {
            return Ok(());
        }
        let prepared = self.next_segment().await?;
        self.open_segment(prepared)?;
        if self.next_block + blocks > self.segment.blocks {
            return Err(io::Error::other("a batch doesn't fit an empty segment"));
        }
        Ok(())
    }

    async fn next_segment(&mut self) -> io::Result<Prepared> {
        if !self.preparer.asked() {
            self.ask_for_segment();
        }
        match self.preparer.wait().await {
            Ok(prepared) => Ok(prepared),
            Err(full) if full.kind() == io::ErrorKind::StorageFull => {
                // Nothing was written for it yet, and room may have come since: asking again is
                // no retry of a failed sync.
                self.ask_for_segment();
                self.preparer.wait().await
            }
            Err(error) => Err(error),
        }
    }

    fn ask_for_segment(&mut self) {
        self.asked_at = self.shared.env.clock.now();
        self.preparer.ask(self.next_generation);
        self.next_generation += 1;
    }

    /// On the emergency reserve: goes on to an ordinary segment as soon as there is one.
    fn leave_reserve(&mut self) -> io::Result<()> {
        match self.preparer.poll() {
            Some(Ok(prepared)) => return self.open_segment(prepared),
            Some(Err(error)) if error.kind() != io::ErrorKind::StorageFull => return Err(error),
            Some(Err(_)) | None => {}
        }
        let waited = self.shared.env.clock.now().saturating_sub(self.asked_at);
        if !self.preparer.asked() && waited >= ROOM_RETRY {
            self.ask_for_segment();
        }
        Ok(())
    }

    fn open_segment(&mut self, prepared: Prepared) -> io::Result<()> {
        let shares = self.chains.iter().map(|(key, chain)| (*key, chain_share(*chain)));
        let table = Directory(shares.collect());
        let segment = prepared.segment;
        let header = SegmentHeader {
            open: true,
            generation: segment.generation,
            previous: self.segment.generation,
            confirmed: self.last_batch.0,
            first_batch: self.next_batch,
            oldest: self.oldest,
            table_blocks: count(table_blocks(&table)),
        };
        if header.first_block() >= segment.blocks {
            return Err(io::Error::other("the table of replicas doesn't fit a segment"));
        }
        segment.write_stream(&compose_table(&table), 0, 1)?;
        segment.write_header(&header)?;
        segment.file.sync_data()?;
        let held = Held { segment: segment.clone(), live_bytes: 0 };
        self.shared.state().segments.insert(segment.generation, held);
        self.next_block = header.first_block();
        self.segment = segment;
        self.shared.on_reserve.store(prepared.was_reserve, Ordering::Release);
        if !self.preparer.asked() {
            self.ask_for_segment();
        }
        Ok(())
    }

    fn give_up(&mut self, reason: &str) {
        tracing::error!(reason, "write-ahead log gives up");
        {
            // Under the lock, so that nothing is queued after the queue was emptied.
            let _state = self.shared.state();
            self.shared.fatal.send_replace(Some(reason.to_owned()));
            self.receiver.close();
        }
        for command in self.in_flight.drain(..) {
            command.done.tell(Some(reason));
        }
        while let Ok(command) = self.receiver.try_recv() {
            command.done.tell(Some(reason));
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.ended {
            self.give_up("the writer was stopped");
        }
    }
}
