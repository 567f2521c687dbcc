//! What operators ask for: looked at first, looked at again when it is done, and written down
//! before (law 8).

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel_shared::error::{AdminError, StoreError};
use evenkeel_shared::event::{EventKind, Severity};
use evenkeel_shared::ids::{IntentId, NodeId, ShardId};
use evenkeel_shared::preflight::{Action, Outcome, Preflight};
use evenkeel_shared::service::peer::ContentHash;
use evenkeel_shared::view::{IntentPhase, NodeIntent, ReplicaRole, SystemCommand};
use evenkeel_shared::wire::deadline::Deadline;

use super::drill::takes_away;
use super::journal::Journal;
use super::observer::Observer;
use super::system::System;
use super::{backup, keyspace, removal, restore, salvage};
use crate::config::Config;
use crate::decide::blast;
use crate::decide::course::Course;
use crate::env::Env;

/// Pre-flights remembered, to tell at execution whether things have got worse since.
const PREFLIGHTS_MAX: usize = 64;
/// How long the audit line may take; after that it is queued, and the act goes on.
pub(super) const AUDIT_MAX: Duration = Duration::from_millis(1_500);
/// How long a refusal that may pass is waited out: nodes list their replicas every second.
const CATCH_UP_MAX: Duration = Duration::from_secs(3);
/// Between two looks at what is waited for.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Carries out what operators ask for.
pub struct Operator {
    /// The world.
    pub env: Env,
    /// How this node was started.
    pub config: Config,
    /// The cluster's facts, and orders.
    pub system: Arc<System>,
    /// Where it is written down.
    pub journal: Arc<Journal>,
    /// What is seen.
    pub observer: Arc<Observer>,
    /// What was said about which act.
    pub preflights: Mutex<VecDeque<(Action, Preflight)>>,
    /// How this node's steps go while it is the controller.
    pub course: Mutex<Course>,
}

impl Operator {
    /// What an act would do.
    pub async fn preflight(&self, action: &Action) -> Result<Preflight, AdminError> {
        let flight = self.look(action).await;
        let mut remembered = self.preflights.lock().expect("no holder of this lock panics");
        if remembered.len() >= PREFLIGHTS_MAX {
            remembered.pop_front();
        }
        remembered.push_back((action.clone(), flight.clone()));
        Ok(flight)
    }

    async fn look(&self, action: &Action) -> Preflight {
        let mut flight = self.foresee(action).await;
        if let Action::Restore { archive, backup } = action
            && flight.refused.is_none()
            && let Err(error) = restore::read_manifest(archive, backup).await
        {
            flight.refused = Some(error.to_string());
        }
        if let Action::RecoverQuorum { shards, .. } = action
            && flight.refused.is_none()
        {
            salvage::foretell(self, shards, &mut flight).await;
        }
        flight
    }

    /// The pre-flight, not refused for what the next lists of replicas may say.
    async fn foresee(&self, action: &Action) -> Preflight {
        let until = Deadline::after(CATCH_UP_MAX);
        loop {
            let (facts, observed) = self.observer.observe();
            let flight = blast::preflight(action, &facts, &observed);
            let passes = flight.refused.is_some() && blast::may_pass(action, &observed);
            if !passes || until.is_over() {
                return flight;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Does it, unless things have got worse since the pre-flight at `revision`.
    pub async fn act(
        &self,
        action: Action,
        revision: u64,
        actor: &str,
        by: Deadline,
    ) -> Result<Outcome, AdminError> {
        let Some(node) = takes_away(&action) else {
            return self.act_now(action, revision, actor, by).await;
        };
        let ticket = self.env.rng.next_u64();
        let outcome = match self.take_turn(node, ticket, by).await {
            Ok(()) => self.act_now(action, revision, actor, by).await,
            Err(error) => {
                self.note_not_done(&self.look(&action).await.title, &error, actor);
                Err(error)
            }
        };
        self.end_turn(node, ticket, &outcome);
        outcome
    }

    /// Somebody had confirmed it: whoever reads the journal must see why nothing came of it.
    fn note_not_done(&self, title: &str, error: &AdminError, actor: &str) {
        let what = format!("not done: {title}: {error}");
        let mut line = self.journal.line(EventKind::Audit, Severity::Warn, what);
        line.why = format!("asked by {actor}");
        self.journal.write(line);
    }

    async fn act_now(
        &self,
        action: Action,
        revision: u64,
        actor: &str,
        by: Deadline,
    ) -> Result<Outcome, AdminError> {
        let now = self.look(&action).await;
        if let Some(why) = now.refused {
            return Err(AdminError::Refused { why });
        }
        if let Err(stale) = self.check_not_worse(&action, revision, &now) {
            self.note_not_done(&now.title, &stale, actor);
            return Err(stale);
        }
        // Ending drills harms nobody; and the line would wait for the very disk that a drill has stalled.
        if action != Action::Heal {
            self.audit(&now.title, actor).await;
        }
        let begun = self.env.clock.now();
        let mut backup = None;
        let outcome = self.carry_out(&action, actor, by, &mut backup).await;
        let took = self.env.clock.now().saturating_sub(begun);
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let (severity, what) = match &outcome {
            Ok(what) => (Severity::Info, format!("done: {what}")),
            Err(error) => (Severity::Warn, format!("not done: {}: {error}", now.title)),
        };
        let mut line = self.journal.line(EventKind::Audit, severity, what);
        line.why = format!("asked by {actor}");
        line.took_us = Some(took_us);
        self.journal.write(line);
        outcome.map(|what| Outcome { what, took_us, backup }).map_err(admin_error)
    }

    /// A plan that was shown is not carried out when it would do more harm by now (law 6).
    fn check_not_worse(
        &self,
        action: &Action,
        revision: u64,
        now: &Preflight,
    ) -> Result<(), AdminError> {
        let remembered = self.preflights.lock().expect("no holder of this lock panics");
        let shown = remembered
            .iter()
            .rev()
            .find(|(asked, flight)| asked == action && flight.revision == revision);
        let Some((_, shown)) = shown else {
            if revision == now.revision {
                return Ok(());
            }
            let why = format!("the cluster is at revision {}, not {revision}", now.revision);
            return Err(AdminError::Stale { why });
        };
        let lost = now.quorum_lost.iter().any(|shard| !shown.quorum_lost.contains(shard));
        if lost || now.harm > shown.harm {
            let mut why = "it would do more harm now than when it was shown".to_owned();
            if lost {
                let shards = now.quorum_lost.len();
                let _ = write!(why, ": quorum lost in {shards} shards");
            }
            return Err(AdminError::Stale { why });
        }
        Ok(())
    }

    /// Written before it is done. An emergency never waits for the patient: without a quorum of
    /// the system shard the line is synced here, and merged later.
    async fn audit(&self, title: &str, actor: &str) {
        let mut line =
            self.journal.line(EventKind::Audit, Severity::Warn, format!("asked: {title}"));
        line.why = format!("asked by {actor}");
        let commit = self.journal.commit(&self.system, line.clone(), Deadline::after(AUDIT_MAX));
        if commit.await.is_err() {
            self.journal.hold(line).await;
        }
    }

    async fn carry_out(
        &self,
        action: &Action,
        actor: &str,
        by: Deadline,
        backup_id: &mut Option<String>,
    ) -> Result<String, StoreError> {
        match action {
            Action::Kill { node, down_secs } => self.kill(*node, *down_secs, actor, by).await,
            Action::Fault { node, fault, secs } => {
                self.begin_fault(*node, fault, *secs, (actor, by)).await
            }
            Action::Heal => self.heal(actor, by).await,
            Action::Switchover { shard, to } => self.switchover(*shard, *to, by).await,
            Action::Failover { shard, to } => self.failover(*shard, *to, by).await,
            Action::Drain { node, undo } => {
                let intent = if *undo { NodeIntent::Serve } else { NodeIntent::Drain };
                let command = SystemCommand::SetNodeIntent { node: *node, intent };
                self.system.change(command, by).await?;
                let verb = if *undo { "serves again" } else { "is being drained" };
                Ok(format!("{} {verb}", self.name(*node)))
            }
            Action::Evict { node } => removal::evict(self, *node, by).await,
            Action::Reinit { node } => removal::reinit(self, *node, by).await,
            Action::Backup { archive } => {
                let record = backup::create(self, archive, by).await?;
                let (shards, records) = (record.shards, record.records);
                *backup_id = Some(record.id.clone());
                Ok(format!("backup {}: {shards} shards, {records} records", record.id))
            }
            Action::Restore { archive, backup } => {
                let intent = restore::begin(self, (archive, backup), None, actor, by).await?;
                self.wait_for_restore(intent, by).await
            }
            Action::RecoverQuorum { shards, archive } => {
                let (intent, report) = salvage::begin(self, (shards, archive), actor, by).await?;
                self.wait_for_restore(intent, by).await?;
                Ok(format!("recovered {report}; `restore accept` drops what was lost"))
            }
            Action::KeyspaceCreate(spec) => keyspace::create(self, spec, by).await,
            Action::KeyspaceSet { keyspace, change } => {
                keyspace::set(self, *keyspace, change, by).await
            }
            Action::KeyspaceDrop { keyspace } => keyspace::remove(self, *keyspace, by).await,
            Action::Recover(change) => self.recover(change, actor, by).await,
            Action::NodeSwitchover { node } => self.node_switchover(*node, actor, by).await,
            Action::ReplicaAdd { shard, node } => self.replica_add(*shard, *node, by).await,
            Action::ReplicaRemove { shard, node } => self.replica_remove(*shard, *node, by).await,
            Action::RestoreAccept => self.end_restore(by).await,
            Action::RestoreUndo => self.undo_restore(actor, by).await,
        }
    }

    /// Waits until the controller has brought a restore to its end.
    async fn wait_for_restore(&self, intent: IntentId, by: Deadline) -> Result<String, StoreError> {
        let mut facts = self.system.facts.clone();
        loop {
            let (phase, heard_of) = {
                let now = facts.borrow_and_update();
                let phase = now.intents.get(&intent).map(|intent| intent.phase.clone());
                // The facts may reach this node a moment later than the answer.
                (phase, now.next.intent > intent.0)
            };
            match phase {
                Some(IntentPhase::Complete) => {
                    return Ok("restored; accept it, or undo it".to_owned());
                }
                Some(IntentPhase::Failed(why)) => return Err(StoreError::Refused { why }),
                None if heard_of => {
                    let why = "the restore was taken back: see the events".to_owned();
                    return Err(StoreError::Refused { why });
                }
                _ => {}
            }
            if tokio::time::timeout(by.remaining(), facts.changed()).await.is_err() {
                let why = "the restore is still under way: see its progress in status".to_owned();
                return Err(StoreError::Unknown { why });
            }
        }
    }

    async fn end_restore(&self, by: Deadline) -> Result<String, StoreError> {
        let facts = self.system.facts();
        let Some(intent) = facts.intents.values().next() else {
            return Err(StoreError::Refused { why: "no restore is waiting".to_owned() });
        };
        let evenkeel_shared::view::IntentKind::Restore { pairs, .. } = &intent.kind;
        let drop: Vec<ShardId> = pairs.iter().filter_map(|(old, _)| *old).collect();
        let dropped = drop.len();
        let command = SystemCommand::EndIntent { intent: intent.id, drop };
        self.system.change(command, by).await?;
        Ok(format!("restore accepted, {dropped} replaced shards dropped"))
    }

    async fn undo_restore(&self, actor: &str, by: Deadline) -> Result<String, StoreError> {
        let facts = self.system.facts();
        let Some(intent) = facts.intents.values().next() else {
            return Err(StoreError::Refused { why: "no restore is waiting".to_owned() });
        };
        let evenkeel_shared::view::IntentKind::Restore { archive, backup, .. } = &intent.kind;
        if intent.phase != IntentPhase::Building && restore::is_salvaged(archive, backup).await? {
            let why = "what the recovered shards replaced has no majority: it can't be put back";
            return Err(StoreError::Refused { why: why.to_owned() });
        }
        // Nothing has been sealed while the new shards are being filled: the old ones serve on.
        let (from, to, done) = if intent.phase == IntentPhase::Building {
            let why = format!("called off by {actor}");
            let to = IntentPhase::Failed(why);
            (IntentPhase::Building, to, "restore called off, nothing was changed")
        } else {
            let to = IntentPhase::UndoSealing;
            (IntentPhase::Complete, to, "restore undone, what was served before is served again")
        };
        let command = SystemCommand::AdvanceIntent { intent: intent.id, from, to };
        self.system.change(command, by).await?;
        let mut facts = self.system.facts.clone();
        let gone = facts.wait_for(|facts| facts.intents.is_empty());
        match tokio::time::timeout(by.remaining(), gone).await {
            Ok(_) => Ok(done.to_owned()),
            Err(_) => Err(StoreError::Unknown { why: "the undo is still under way".to_owned() }),
        }
    }

    /// Every replica's content hash.
    pub async fn content_hashes(
        &self,
        shard: ShardId,
        by: Deadline,
    ) -> Result<Vec<ContentHash>, AdminError> {
        let facts = self.system.facts();
        let known = facts.shards.get(&shard);
        let known = known.ok_or_else(|| AdminError::NotFound { what: shard.to_string() })?;
        let sound = known.replicas.iter().filter(|(_, held)| held.role != ReplicaRole::Lost);
        let hashes = sound.map(|(copy, _)| self.system.content_hash(copy.node(), shard, by));
        futures::future::try_join_all(hashes).await.map_err(admin_error)
    }

    pub(super) fn name(&self, node: NodeId) -> String {
        crate::decide::facts::name(&self.system.facts(), node)
    }
}

fn admin_error(error: StoreError) -> AdminError {
    match error {
        StoreError::Refused { why } | StoreError::Invalid { why } => AdminError::Refused { why },
        other => AdminError::Unavailable { why: other.to_string() },
    }
}
