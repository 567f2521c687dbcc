//! What a harmful act would do, computed before it is done (law 8).
//!
//! Invariant: a shard is named in `quorum_lost` if and only if the act takes its living majority
//! away (or, by an eviction, makes final that it is gone); a node that is not known to live never
//! counts for a majority.

mod keyspace;
mod node;
mod recovery;
mod shard;

#[cfg(test)]
mod tests;

use evenkeel_shared::ids::{NodeId, ReplicaId, ShardId};
use evenkeel_shared::preflight::{Action, Harm, Preflight};
use evenkeel_shared::view::{
    ClusterFacts, IntentKind, IntentPhase, ShardFacts, ShardPhase, SyncPolicy,
};

use super::explain::catching_up;
use super::facts::{Observed, ShardObserved};

/// What the act would do now.
pub fn preflight(action: &Action, facts: &ClusterFacts, observed: &Observed) -> Preflight {
    let world = World { facts, observed };
    let mut flight = match action {
        Action::Kill { node, down_secs } => world.kill(*node, *down_secs),
        Action::Fault { node, fault, secs } => world.fault(*node, fault, *secs),
        Action::Heal => titled("end every drill that is under way".to_owned()),
        Action::Switchover { shard, to } => world.switchover(*shard, *to),
        Action::Failover { shard, to } => world.failover(*shard, *to),
        Action::Drain { node, undo } => world.drain(*node, *undo),
        Action::Evict { node } => world.evict(*node),
        Action::Backup { archive } => world.backup(archive),
        Action::Restore { archive, backup } => world.restore(archive, backup),
        Action::RestoreAccept => world.restore_accept(),
        Action::RestoreUndo => world.restore_undo(),
        Action::Reinit { node } => world.reinit(*node),
        Action::KeyspaceCreate(spec) => world.keyspace_create(spec),
        Action::KeyspaceSet { keyspace, change } => world.keyspace_set(*keyspace, change),
        Action::KeyspaceDrop { keyspace } => world.keyspace_drop(*keyspace),
        Action::Recover(change) => world.recover(change),
        Action::NodeSwitchover { node } => world.node_switchover(*node),
        Action::RecoverQuorum { shards, archive } => world.recover_quorum(shards, archive),
        Action::ReplicaAdd { shard, node } => world.replica_add(*shard, *node),
        Action::ReplicaRemove { shard, node } => world.replica_remove(*shard, *node),
    };
    flight.revision = facts.revision;
    flight
}

/// Whether a refusal may pass within seconds, for nothing but a copy that catches up is missing.
pub fn may_pass(action: &Action, observed: &Observed) -> bool {
    match action {
        Action::Switchover { shard, to } => observed.shards.get(shard).is_some_and(|seen| {
            catching_up(observed, seen).any(|voter| to.is_none_or(|to| voter.node() == to))
        }),
        Action::NodeSwitchover { node } => {
            let leads = |seen: &&ShardObserved| seen.leader.is_some_and(|it| it.node() == *node);
            let mut led = observed.shards.values().filter(leads);
            led.any(|seen| catching_up(observed, seen).next().is_some())
        }
        _ => false,
    }
}

/// Who takes each leadership of a node over; shards that nobody can take are left out.
pub fn switchovers(
    facts: &ClusterFacts,
    observed: &Observed,
    node: NodeId,
) -> Vec<(ShardId, ReplicaId)> {
    recovery::switchovers(&World { facts, observed }, node).0
}

/// Facts and observation, as every pre-flight needs both.
struct World<'a> {
    facts: &'a ClusterFacts,
    observed: &'a Observed,
}

/// What becomes of the shards when one node stops.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Loss {
    quorum_lost: Vec<ShardId>,
    no_spare: Vec<ShardId>,
    leaders_moved: Vec<ShardId>,
    without_quorum_already: Vec<ShardId>,
}

impl World<'_> {
    /// Shards that matter, with what was observed of them.
    fn shards(&self) -> impl Iterator<Item = (&ShardFacts, &ShardObserved)> {
        let kept = self.facts.shards.values().filter(|shard| shard.phase != ShardPhase::Retired);
        kept.filter_map(|shard| Some((shard, self.observed.shards.get(&shard.id)?)))
    }

    /// What becomes of the shards without this node.
    fn without(&self, node: NodeId) -> Loss {
        let mut loss = Loss::default();
        for (shard, seen) in self.shards() {
            let quorum = seen.quorum();
            // Drills may have taken nodes away that are not held dead yet.
            let gone = |gone: NodeId| self.observed.is_drilled_away(gone);
            // What is left may have a majority under another leader: that, too, is taken away.
            let before = seen.led_at_best(self.observed, gone);
            let after = seen.led_voters(self.observed, |other| other == node || gone(other));
            let holds = seen.voters.iter().any(|voter| voter.node() == node);
            if before < quorum {
                loss.without_quorum_already.push(shard.id);
            } else if holds && after < quorum {
                loss.quorum_lost.push(shard.id);
            } else {
                if holds && after == quorum {
                    loss.no_spare.push(shard.id);
                }
                if seen.leader.is_some_and(|leader| leader.node() == node) {
                    loss.leaders_moved.push(shard.id);
                }
            }
        }
        loss
    }

    fn backup(&self, archive: &str) -> Preflight {
        let mut flight = titled(format!("back all shards up to {archive}"));
        let unled: Vec<ShardId> = self
            .shards()
            .filter(|(shard, seen)| shard.phase == ShardPhase::Serving && seen.leader.is_none())
            .map(|(shard, _)| shard.id)
            .collect();
        if !unled.is_empty() {
            flight.refused = Some(format!("no leader for {}", listed(&unled)));
        }
        if !archive.starts_with('/') {
            flight.refused = Some(format!(
                "{archive:?} does not begin with /: each agent would write it below the folder that \
                 it was started in"
            ));
        }
        flight.notes.push("reads and writes go on meanwhile".to_owned());
        flight
    }

    fn restore(&self, archive: &str, backup: &str) -> Preflight {
        let mut flight = titled(format!("restore backup {backup} from {archive}"));
        flight.harm = Harm::Risk;
        let of_it = |known: &&evenkeel_shared::view::BackupRecord| {
            known.id == backup && known.archive == archive
        };
        match self.facts.backups.iter().find(of_it) {
            Some(known) => {
                let back = self.observed.at_unix_ms.saturating_sub(known.cut.unix_ms()) / 1_000;
                flight.notes.push(format!(
                    "DROPS every write of the last {back} s, since the backup: undo brings them back \
                     until it is accepted"
                ));
                flight.notes.push(format!(
                    "{} shards, {} records, {} bytes",
                    known.shards, known.records, known.bytes
                ));
            }
            None => flight.notes.push("the backup is not in this cluster's catalogue".to_owned()),
        }
        flight.notes.push(
            "what is served now stays beside, read-only, until the restore is accepted".to_owned(),
        );
        flight.notes.push("writes are refused while shards change hands".to_owned());
        if let Some((phase, _)) = self.restore_under_way() {
            flight.refused = Some(format!("another restore is {}", phase_words(&phase)));
            flight.safer = Some("accept it or undo it first".to_owned());
        } else if self.system_leader().is_none() {
            flight.refused = Some("the system shard has no leader".to_owned());
        }
        flight
    }

    fn restore_accept(&self) -> Preflight {
        let mut flight = titled("keep what the restore put in place".to_owned());
        flight.harm = Harm::Risk;
        match self.restore_under_way() {
            None => flight.refused = Some("no restore is waiting".to_owned()),
            Some((IntentPhase::Complete, replaced)) => flight.notes.push(format!(
                "{replaced} replaced shards are deleted: the restore can't be undone any more"
            )),
            Some((phase, _)) => {
                flight.refused = Some(format!("the restore is {}", phase_words(&phase)));
            }
        }
        flight
    }

    fn restore_undo(&self) -> Preflight {
        let mut flight = titled("put back what the restore replaced".to_owned());
        flight.harm = Harm::Break;
        match self.restore_under_way() {
            None => flight.refused = Some("no restore is waiting".to_owned()),
            Some((IntentPhase::Complete, _)) => {
                flight.notes.push("every write since the restore is dropped".to_owned());
            }
            Some((IntentPhase::Building, _)) => {
                flight.harm = Harm::None;
                flight.writes_dropped = Some(0);
                flight.notes.push("the restore serves nobody yet: nothing is dropped".to_owned());
            }
            Some((phase, _)) => {
                flight.refused = Some(format!("the restore is {}", phase_words(&phase)));
                if matches!(phase, IntentPhase::Sealing | IntentPhase::Opening) {
                    flight.safer = Some("wait until it is complete, then undo it".to_owned());
                }
            }
        }
        flight
    }

    /// The restore that is not over, and how many shards it replaced.
    fn restore_under_way(&self) -> Option<(IntentPhase, usize)> {
        let intents = self.facts.intents.values();
        let mut open = intents.filter(|intent| !matches!(intent.phase, IntentPhase::Failed(_)));
        open.next().map(|intent| {
            let IntentKind::Restore { pairs, .. } = &intent.kind;
            let replaced = pairs.iter().filter(|(old, _)| old.is_some()).count();
            (intent.phase.clone(), replaced)
        })
    }

    fn system_leader(&self) -> Option<NodeId> {
        self.observed.shards.get(&ShardId::SYSTEM)?.leader.map(ReplicaId::node)
    }

    /// Whether a shard's acknowledged writes may rest on its leader alone.
    fn leader_acknowledges(&self, shard: &ShardFacts) -> bool {
        let keyspace = self.facts.keyspaces.get(&shard.keyspace);
        !shard.id.is_system()
            && keyspace.is_some_and(|keyspace| keyspace.policy.sync == SyncPolicy::Leader)
    }
}

fn titled(title: String) -> Preflight {
    Preflight { title, ..Preflight::default() }
}

/// A refusal with nothing else to say.
fn refused(title: String, why: String) -> Preflight {
    Preflight { title, refused: Some(why), ..Preflight::default() }
}

fn listed(shards: &[ShardId]) -> String {
    shards.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn phase_words(phase: &IntentPhase) -> &'static str {
    match phase {
        IntentPhase::Building => "being built",
        IntentPhase::Sealing => "sealing the old shards",
        IntentPhase::Opening => "opening the new shards",
        IntentPhase::Complete => "waiting to be accepted",
        IntentPhase::UndoSealing => "being undone: sealing",
        IntentPhase::UndoOpening => "being undone: opening",
        IntentPhase::Failed(_) => "given up",
    }
}
