//! What every peer said last: load, replicas, claims, and what it holds of others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use evenkeel_shared::explain::Phases;
use evenkeel_shared::heartbeat::{Claim, Heartbeat, Load, ReplicaStatus};
use evenkeel_shared::ids::{Incarnation, NodeId, ShardId};

use crate::decide::detector::{Verdict, VerdictState};
use crate::decide::elector::backing::Backed;
use crate::decide::elector::{ClaimHeard, Unled};

/// Something that others should know.
#[derive(Clone, Debug)]
pub enum PulseEvent {
    /// A verdict of this node has changed.
    Verdict {
        /// On whom.
        node: NodeId,
        /// What was held before.
        before: VerdictState,
        /// What is held now.
        verdict: Verdict,
        /// A newer process was heard.
        restarted: bool,
    },
    /// This node leads a shard that it did not lead before.
    Leads {
        /// The shard.
        shard: ShardId,
        /// The term.
        term: u64,
        /// Why it stood for election, how long that took, and each part of it, if the elector had
        /// it stand.
        stood: Option<(Unled, Duration, Phases)>,
    },
}

/// What one peer said last.
#[derive(Clone, Debug, Default)]
pub struct PeerRecord {
    /// Which of its processes.
    pub incarnation: Option<Incarnation>,
    /// Its load.
    pub load: Option<Load>,
    /// Its replicas.
    pub replicas: Vec<ReplicaStatus>,
    /// When it last listed them.
    pub listed: Option<Duration>,
    /// Its last claim of each shard.
    pub claims: Arc<BTreeMap<ShardId, ClaimHeard>>,
    /// What it knows to be committed, of the shards that it leads now.
    pub committed: BTreeMap<ShardId, u64>,
    /// Whom it holds dead.
    pub dead: BTreeSet<NodeId>,
    /// The facts' revision that it has applied.
    pub revision: u64,
    /// When its last heartbeat came.
    pub heard: Option<Duration>,
    /// When it last answered ours, and how long that took.
    pub answered: Option<(Duration, Duration)>,
    /// What it backs of our claims, by its last answer.
    pub backed: Option<Backed>,
}

impl PeerRecord {
    /// Takes a heartbeat; gives back whether it says something new of who is of use: whom its sender
    /// holds dead, or that a drill takes the sender away.
    pub(super) fn take(&mut self, now: Duration, heartbeat: &Heartbeat) -> bool {
        let away = |load: &Load| load.drilled_away;
        let before = (std::mem::take(&mut self.dead), self.load.as_ref().is_some_and(away));
        if self.incarnation != Some(heartbeat.incarnation) {
            self.replicas.clear();
            self.listed = None;
            self.incarnation = Some(heartbeat.incarnation);
        }
        self.heard = Some(now);
        self.load = Some(heartbeat.load.clone());
        self.revision = heartbeat.revision;
        self.dead = heartbeat.dead.iter().copied().collect();
        self.committed.clear();
        let claims = Arc::make_mut(&mut self.claims);
        for claim in &heartbeat.claims {
            self.committed.insert(claim.shard, claim.committed);
            let heard =
                ClaimHeard { term: claim.term, heard: now, incarnation: heartbeat.incarnation };
            claims.insert(claim.shard, heard);
        }
        if let Some(replicas) = &heartbeat.replicas {
            self.replicas.clone_from(replicas);
            self.listed = Some(now);
        }
        before.0 != self.dead || before.1 != heartbeat.load.drilled_away
    }

    /// Takes the answer to one of our heartbeats.
    pub(super) fn take_reply(&mut self, now: Duration, backed: Backed) {
        // An answer that was overtaken says less than the one that is known.
        if self.backed.as_ref().is_some_and(|known| known.sent > backed.sent) {
            return;
        }
        self.answered = Some((now, now.saturating_sub(backed.sent)));
        self.backed = Some(backed);
    }

    /// What it claims now.
    pub fn claims_held(&self) -> Vec<Claim> {
        let claim = |(shard, committed): (&ShardId, &u64)| {
            let term = self.claims.get(shard)?.term;
            Some(Claim { shard: *shard, term, committed: *committed })
        };
        self.committed.iter().filter_map(claim).collect()
    }

    /// Whether it claims the shard now.
    pub fn claims_now(&self, shard: ShardId) -> bool {
        self.committed.contains_key(&shard)
    }
}
