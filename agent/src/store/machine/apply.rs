//! What applying an entry does: state, pending changes and an entry in; changes and an answer out.
//!
//! Nothing here reads a clock, draws a number or writes to the engine. Each operation sees those
//! before it, of the same chunk of entries too. Errors are the engine's: every refusal is an answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use evenkeel_shared::command::{
    Applied, Batch, Command, Operation, OperationResult, Record, StoredRecord, SystemReply,
};
use evenkeel_shared::event::Event;
use evenkeel_shared::ids::{ClientId, IntentId, KeyspaceId};
use evenkeel_shared::key::SlotRange;
use evenkeel_shared::limits::EVENTS_MAX;
use evenkeel_shared::version::{Hlc, Version};
use evenkeel_shared::view::SystemCommand;
use openraft::EntryPayload;

mod record;
mod remembered;

use super::clients::{self, Standing};
use super::rows::{self, FACTS, META, PROMISES, RECOVERY};
use super::state::{MachinePhase, State, TERMS_MAX};
use super::{MachineError, Payload};
use crate::planted::{self, Bug};
use crate::store::engine::{Changes, EngineError, Tree};
use crate::store::raft::{Entry, LogId, StoredMembership};
use crate::store::system;

/// Room for an entry of a few small records as it is hashed; a larger one makes its own.
const CHAINED_BYTES_USUAL: usize = 4 << 10;

/// Applies entries one after another and gathers what they change.
pub(super) struct Applier<'a> {
    state: &'a mut State,
    committed: &'a dyn Tree,
    pending: Changes,
    pending_bytes: usize,
    events: Vec<Event>,
    /// What the entry's requests were answered so far.
    results: BTreeMap<(ClientId, u64), OperationResult>,
}

/// What a run of entries changes.
pub(super) struct Outcome {
    /// Rows, the meta row and its witness included.
    pub(super) changes: Changes,
    /// Lines added to the journal.
    pub(super) events: Vec<Event>,
}

/// The time that an entry will bear: above the one before, whatever its proposer's clock said.
pub(super) fn hlc_of(entry: &Entry, last: Hlc) -> Hlc {
    let proposed = match &entry.payload {
        EntryPayload::Blank | EntryPayload::Membership(_) => Hlc::default(),
        EntryPayload::Normal(command) => proposed_hlc(command),
    };
    proposed.max(last.next())
}

fn proposed_hlc(command: &Command) -> Hlc {
    match command {
        Command::Batch(Batch { hlc, .. })
        | Command::System { hlc, .. }
        | Command::Barrier { hlc }
        | Command::Own { hlc, .. }
        | Command::Seal { hlc, .. }
        | Command::Open { hlc, .. }
        | Command::Ingest { hlc, .. } => *hlc,
    }
}

impl<'a> Applier<'a> {
    /// Begins with no pending change.
    pub(super) fn new(state: &'a mut State, committed: &'a dyn Tree) -> Self {
        Self {
            state,
            committed,
            pending: Changes::new(),
            pending_bytes: 0,
            events: Vec::new(),
            results: BTreeMap::new(),
        }
    }

    /// The time of the last applied entry.
    pub(super) fn hlc(&self) -> Hlc {
        self.state.meta.hlc
    }

    /// Bytes of the pending changes.
    pub(super) fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// Ends the run.
    pub(super) fn finish(mut self) -> Outcome {
        let meta = rows::encode(&self.state.meta);
        self.set(Bytes::from_static(META), meta);
        let applied = self.state.meta.applied.as_ref().map(|id| id.index);
        if let Some((key, row)) = applied.and_then(|at| self.state.witness.next(at)) {
            self.set(key, row);
        }
        Outcome { changes: self.pending, events: self.events }
    }

    /// Applies the next entry.
    pub(super) fn entry(&mut self, entry: Entry) -> Result<Applied, MachineError> {
        let Entry { log_id, payload } = &entry;
        self.state.meta.chain = chain(self.state.meta.chain, log_id, payload);
        self.state.meta.hlc = hlc_of(&entry, self.state.meta.hlc);
        self.remember_term(log_id.committed_leader_id().term, log_id.index);
        let Entry { log_id, payload } = entry;
        let answer = match payload {
            EntryPayload::Blank => Applied::Nothing,
            EntryPayload::Membership(membership) => {
                self.state.meta.membership = StoredMembership::new(Some(log_id), membership);
                self.raise_epoch()
            }
            EntryPayload::Normal(command) => self.command(&log_id, command)?,
        };
        self.state.meta.applied = Some(log_id);
        Ok(answer)
    }

    fn command(&mut self, log_id: &LogId, command: Command) -> Result<Applied, MachineError> {
        match command {
            Command::Batch(batch) => self.batch(log_id, batch),
            Command::System { command, .. } => Ok(Applied::System(self.system(&command))),
            Command::Barrier { .. } => Ok(Applied::Nothing),
            Command::Own { keyspace, slots, open, .. } => Ok(self.own(keyspace, slots, open)),
            Command::Seal { intent, .. } => Ok(self.seal(intent)),
            Command::Open { intent, .. } => Ok(self.open(intent)),
            Command::Ingest { records, .. } => self.ingest(records),
        }
    }

    fn raise_epoch(&mut self) -> Applied {
        self.state.meta.epoch.0 += 1;
        Applied::Nothing
    }

    fn remember_term(&mut self, term: u64, index: u64) {
        if self.state.terms.last_key_value().is_some_and(|(last, _)| *last >= term) {
            return;
        }
        self.state.terms.insert(term, index);
        self.set(rows::term_key(term), rows::encode(&index));
        if self.state.terms.len() > TERMS_MAX {
            let (oldest, _) = self.state.terms.pop_first().expect("it holds more than the bound");
            self.remove(rows::term_key(oldest));
        }
    }

    /// Only the first one counts: a late duplicate must not open a sealed shard.
    fn own(&mut self, keyspace: KeyspaceId, slots: Vec<SlotRange>, open: bool) -> Applied {
        let meta = &mut self.state.meta;
        if meta.phase != MachinePhase::Unowned {
            return Applied::Nothing;
        }
        meta.keyspace = Some(keyspace);
        meta.slots = slots;
        meta.phase = if open { MachinePhase::Open } else { MachinePhase::Building };
        self.raise_epoch()
    }

    fn seal(&mut self, intent: IntentId) -> Applied {
        let meta = &mut self.state.meta;
        if matches!(meta.phase, MachinePhase::Unowned | MachinePhase::Sealed(_)) {
            return Applied::Nothing;
        }
        meta.phase = MachinePhase::Sealed(intent);
        self.raise_epoch()
    }

    /// A shard that is sealed for one intent is not opened by a straggler of another.
    fn open(&mut self, intent: IntentId) -> Applied {
        let meta = &mut self.state.meta;
        match meta.phase {
            MachinePhase::Building => {}
            MachinePhase::Sealed(sealed) if sealed == intent => {}
            MachinePhase::Unowned | MachinePhase::Open | MachinePhase::Sealed(_) => {
                return Applied::Nothing;
            }
        }
        meta.phase = MachinePhase::Open;
        self.raise_epoch()
    }

    fn ingest(&mut self, records: Vec<StoredRecord>) -> Result<Applied, MachineError> {
        let building = self.state.meta.phase == MachinePhase::Building;
        let mut results = Vec::with_capacity(records.len());
        for StoredRecord { slot, key, record } in records {
            let keyspace = self.state.meta.keyspace.filter(|_| building);
            let Some(keyspace) = keyspace.filter(|_| self.state.meta.owns(slot)) else {
                results.push(OperationResult::NotOwned);
                continue;
            };
            let row = rows::data_key(keyspace, slot, &key);
            let before = self.get(&row)?.map(|row| rows::decode_record(&row)).transpose()?;
            let (version, existed) = (record.version, before.is_some());
            self.replace(&row, before.as_ref(), Some(&record));
            results.push(OperationResult::Done { version, existed });
        }
        Ok(Applied::Batch(results))
    }

    fn batch(&mut self, log_id: &LogId, batch: Batch) -> Result<Applied, MachineError> {
        let version = Version {
            shard: self.state.shard,
            epoch: self.state.meta.epoch,
            term: log_id.committed_leader_id().term,
            index: log_id.index,
        };
        let mut results = Vec::with_capacity(batch.operations.len());
        for operation in batch.operations {
            results.push(self.operation(operation, version)?);
        }
        self.write_results()?;
        Ok(Applied::Batch(results))
    }

    /// A remembered answer comes first: it stands whatever has become of the shard since.
    fn operation(
        &mut self,
        operation: Operation,
        version: Version,
    ) -> Result<OperationResult, MachineError> {
        let (now, request) = (self.state.meta.hlc, operation.request);
        let standing = self.state.clients.standing(&request, now);
        if standing == Standing::InWindow
            && let Some(result) = self.recall(&request)?
            && !planted::has(Bug::ApplyTwice)
        {
            return Ok(result);
        }
        let keyspace = self.state.meta.keyspace.filter(|_| self.state.meta.owns(operation.slot));
        let Some(keyspace) = keyspace else { return Ok(OperationResult::NotOwned) };
        if standing == Standing::Below || clients::lease_is_over(request.first_attempt, now) {
            return Ok(OperationResult::Forgotten);
        }
        if self.state.meta.phase != MachinePhase::Open {
            return Ok(OperationResult::NotOwned);
        }
        if standing == Standing::NewClient {
            self.forget_expired_clients(request.client)?;
            if self.state.clients.is_full() {
                return Ok(OperationResult::TooManyClients);
            }
        }
        let row = rows::data_key(keyspace, operation.slot, &operation.key);
        let result = self.write(&row, operation.action, version)?;
        self.remember(&request, &result);
        Ok(result)
    }

    fn system(&mut self, command: &SystemCommand) -> Result<SystemReply, String> {
        if !self.state.shard.is_system() {
            return Err(format!("{} does not hold the cluster's facts", self.state.shard));
        }
        if let SystemCommand::Journal(events) = command {
            self.journal(events);
            return Ok(SystemReply::Done);
        }
        let mut facts = self.state.facts.as_deref().cloned().unwrap_or_default();
        let context = system::Context { hlc: self.state.meta.hlc };
        let reply = system::apply(&mut facts, command, context)?;
        if self.state.facts.as_deref() != Some(&facts) {
            self.set(Bytes::from_static(FACTS), rows::encode(&facts));
            self.set(Bytes::from_static(PROMISES), rows::encode(&facts.promises));
            let declared = self.state.facts.as_ref().map(|known| &known.recovery);
            if declared != Some(&facts.recovery) {
                self.set(Bytes::from_static(RECOVERY), rows::encode(&facts.recovery));
            }
            self.state.facts = Some(Arc::new(facts));
        }
        Ok(reply)
    }

    /// The journal is a ring of rows: each new line takes the place of the oldest.
    fn journal(&mut self, events: &[Event]) {
        let kept = u64::try_from(EVENTS_MAX).expect("the bound fits 64 bits");
        for event in events {
            let id = self.state.meta.event_next;
            self.state.meta.event_next += 1;
            let event = Event { id, ..event.clone() };
            self.set(rows::event_key(id), rows::encode(&event));
            if let Some(oldest) = id.checked_sub(kept).filter(|id| *id > 0) {
                self.remove(rows::event_key(oldest));
            }
            self.events.push(event);
        }
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        match self.pending.get(key) {
            Some(pending) => Ok(pending.clone()),
            None => self.committed.get(key),
        }
    }

    fn set(&mut self, key: Bytes, value: Bytes) {
        self.pending_bytes += key.len() + value.len();
        self.pending.insert(key, Some(value));
    }

    fn remove(&mut self, key: Bytes) {
        self.pending_bytes += key.len();
        self.pending.insert(key, None);
    }
}

/// Whether a record has ended.
pub(super) fn is_expired(record: &Record, now: Hlc) -> bool {
    record.expires.is_some_and(|expires| expires <= now)
}

/// The chain value after an entry: equal on two replicas only if they applied the same entries.
fn chain(before: u64, log_id: &LogId, payload: &Payload) -> u64 {
    let mut encoded = Vec::with_capacity(CHAINED_BYTES_USUAL);
    for number in [before, log_id.committed_leader_id().term, log_id.index] {
        encoded.extend_from_slice(&number.to_le_bytes());
    }
    let encoded =
        postcard::to_extend(payload, encoded).expect("a vector takes every byte of an entry");
    let hash = blake3::hash(&encoded);
    let head = hash.as_bytes().first_chunk().expect("a hash is longer than 8 bytes");
    u64::from_le_bytes(*head)
}
