//! What a replica keeps in memory of its own rows: everything that apply needs at each entry.
//!
//! It is derived from the rows alone, so that a replica that was restarted, or filled from a
//! snapshot, answers as one that applied every entry.

use std::collections::BTreeMap;
use std::sync::Arc;

use evenkeel_shared::ids::{Epoch, IntentId, KeyspaceId, ShardId};
use evenkeel_shared::key::{Slot, SlotRange};
use evenkeel_shared::version::Hlc;
use evenkeel_shared::view::ClusterFacts;
use serde::{Deserialize, Serialize};

use super::clients::Clients;
use super::rows::{self, CLIENTS, EXPIRIES, FACTS, META, PROMISES, RECOVERY, RESULTS, RING, TERMS};
use super::witness::Witness;
use super::{MachineError, Status};
use crate::store::engine::{RowRange, View};
use crate::store::raft::{LogId, StoredMembership};

/// The version of the rows that this code writes.
const FORMAT: u8 = 1;
/// Terms whose first index is remembered; a session token older than all of them is broken.
pub(super) const TERMS_MAX: usize = 1_024;

/// The one row that every commit writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Meta {
    /// `FORMAT` at the time of writing.
    pub(super) format: u8,
    /// The last applied entry.
    pub(super) applied: Option<LogId>,
    /// The last applied membership.
    pub(super) membership: StoredMembership,
    /// The time of the last applied entry.
    pub(super) hlc: Hlc,
    /// Count of applied configuration changes.
    pub(super) epoch: Epoch,
    /// Hash over every applied entry.
    pub(super) chain: u64,
    /// Whose keys the shard holds; `None` until it owns slots.
    pub(super) keyspace: Option<KeyspaceId>,
    /// Its slots.
    pub(super) slots: Vec<SlotRange>,
    /// Whether it takes writes.
    pub(super) phase: MachinePhase,
    /// The next event's id.
    pub(super) event_next: u64,
}

/// Whether a shard takes writes, as its own log says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MachinePhase {
    /// It owns no slots yet.
    #[default]
    Unowned,
    /// A restore fills it; it takes no client's writes yet.
    Building,
    /// It takes writes.
    Open,
    /// It takes no more writes, for this intent.
    Sealed(IntentId),
}

impl Default for Meta {
    fn default() -> Self {
        Self {
            format: FORMAT,
            applied: None,
            membership: StoredMembership::default(),
            hlc: Hlc::default(),
            epoch: Epoch::default(),
            chain: 0,
            keyspace: None,
            slots: Vec::new(),
            phase: MachinePhase::Unowned,
            event_next: 1,
        }
    }
}

impl Meta {
    /// The meta row of a view; a tree without one has applied nothing.
    pub(super) fn of(view: &dyn View) -> Result<Self, MachineError> {
        let Some(row) = view.get(META)? else { return Ok(Self::default()) };
        let meta: Self = rows::decode("the meta row", &row)?;
        if meta.format != FORMAT {
            let what = format!("the meta row: format {} instead of {FORMAT}", meta.format);
            return Err(MachineError::Malformed { what });
        }
        Ok(meta)
    }

    /// Whether the slot is one of the shard's.
    pub(super) fn owns(&self, slot: Slot) -> bool {
        self.slots.iter().any(|range| range.contains(slot))
    }
}

/// Everything that apply needs at each entry.
pub(super) struct State {
    /// Written into every version.
    pub(super) shard: ShardId,
    /// The meta row.
    pub(super) meta: Meta,
    /// The meta row's witnesses.
    pub(super) witness: Witness,
    /// The client rows.
    pub(super) clients: Clients,
    /// Whether there were rows of results as they were written before there were runs.
    pub(super) has_old_results: bool,
    /// The term rows.
    pub(super) terms: BTreeMap<u64, u64>,
    /// No record ends before this.
    pub(super) expiry_first: Option<Hlc>,
    /// The cluster's facts; only in the system shard.
    pub(super) facts: Option<Arc<ClusterFacts>>,
}

impl State {
    /// Reads the rows of a view.
    pub(super) fn load(shard: ShardId, view: &dyn View) -> Result<Self, MachineError> {
        let meta = Meta::of(view)?;
        let witness = Witness::of(view, meta.applied.as_ref().map(|id| id.index))?;
        let mut clients = Clients::default();
        for row in view.range(RowRange::prefix(&[CLIENTS])) {
            let (key, row) = row?;
            clients.load(
                evenkeel_shared::ids::ClientId(rows::number_of(&key)?),
                rows::decode_client(&row)?,
            );
        }
        let mut terms = BTreeMap::new();
        for row in view.range(RowRange::prefix(&[TERMS])) {
            let (key, row) = row?;
            terms.insert(rows::number_of(&key)?, rows::decode("a term row", &row)?);
        }
        let facts = facts(view)?.map(Arc::new);
        let expiry_first = first_expiry(view)?;
        let has_any = |kind| view.range(RowRange::prefix(&[kind])).next().transpose();
        let has_old_results = has_any(RESULTS)?.is_some() || has_any(RING)?.is_some();
        Ok(Self { shard, meta, witness, clients, has_old_results, terms, expiry_first, facts })
    }

    /// Remembers that a record ends then.
    pub(super) fn note_expiry(&mut self, expires: Hlc) {
        self.expiry_first = Some(self.expiry_first.map_or(expires, |first| first.min(expires)));
    }

    /// What others may know of it.
    pub(super) fn status(&self) -> Status {
        let applied = self.meta.applied.as_ref();
        Status {
            applied: applied.map(|id| (id.committed_leader_id().term, id.index)),
            hlc: self.meta.hlc,
            epoch: self.meta.epoch,
            chain: self.meta.chain,
            keyspace: self.meta.keyspace,
            slots: self.meta.slots.clone().into(),
            phase: self.meta.phase,
        }
    }
}

/// The cluster's facts. What keyspaces promise and what is declared of recovery have rows of their
/// own, which an old tree lacks.
fn facts(view: &dyn View) -> Result<Option<ClusterFacts>, MachineError> {
    let Some(row) = view.get(FACTS)? else { return Ok(None) };
    let mut facts: ClusterFacts = rows::decode("the cluster's facts", &row)?;
    if let Some(row) = view.get(PROMISES)? {
        facts.promises = rows::decode("what keyspaces promise", &row)?;
    }
    if let Some(row) = view.get(RECOVERY)? {
        facts.recovery = rows::decode("what is declared of recovery", &row)?;
    }
    Ok(Some(facts))
}

/// When the first record ends.
fn first_expiry(view: &dyn View) -> Result<Option<Hlc>, MachineError> {
    let Some(row) = view.range(RowRange::prefix(&[EXPIRIES])).next() else { return Ok(None) };
    Ok(Some(rows::decode_expiry(&row?.0)?.0))
}
