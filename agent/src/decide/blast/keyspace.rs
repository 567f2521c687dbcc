//! Pre-flight of what is done to a keyspace: create, set, drop.
//!
//! Invariant: dropping data, whoever asks, is on the highest rung.

use evenkeel_shared::ids::KeyspaceId;
use evenkeel_shared::preflight::{Harm, Preflight};
use evenkeel_shared::view::{KeyspaceChange, KeyspaceSpec, ShardPhase, SyncPolicy, ZoneRule};

use super::super::facts::takes_more;
use super::{World, refused, titled};

impl World<'_> {
    pub(super) fn keyspace_create(&self, spec: &KeyspaceSpec) -> Preflight {
        let mut flight = titled(format!(
            "create keyspace {}: {} shards of {} copies",
            spec.name, spec.shards, spec.policy.replicas
        ));
        if self.facts.keyspace_named(&spec.name).is_some() {
            flight.refused = Some(format!("there is a keyspace {} already", spec.name));
            flight.safer = Some(format!("`keyspace set {}` to keep it otherwise", spec.name));
        }
        self.note_room(&mut flight, spec.policy.replicas, spec.promise.zones);
        note_sync(&mut flight, spec.policy.sync);
        flight
    }

    pub(super) fn keyspace_set(&self, id: KeyspaceId, change: &KeyspaceChange) -> Preflight {
        let Some(known) = self.facts.keyspaces.get(&id) else {
            return refused(format!("change {id}"), format!("there is no {id}"));
        };
        let promise = self.facts.promise(id);
        let mut words = Vec::new();
        if let Some(replicas) = change.replicas {
            words.push(format!("replicas {} → {replicas}", known.policy.replicas));
        }
        if let Some(sync) = change.sync {
            let (old, new) = (known.policy.sync.to_string(), sync.to_string());
            words.push(format!("sync {old} → {new}"));
        }
        if let Some(grace_ms) = change.grace_ms {
            words.push(format!("grace {} ms → {grace_ms} ms", known.policy.grace_ms));
        }
        if let Some(read) = change.read {
            words.push(format!("read {} → {}", promise.read, read));
        }
        if let Some(zones) = change.zones {
            words.push(format!("zones {} → {}", promise.zones, zones));
        }
        let mut flight = titled(format!("keyspace {}: {}", known.name, words.join(", ")));
        if words.is_empty() {
            flight.refused = Some("nothing is to be changed".to_owned());
        }
        let replicas = change.replicas.unwrap_or(known.policy.replicas);
        if change.replicas.is_some_and(|replicas| replicas < known.policy.replicas) {
            let left = if replicas == 1 { "no copy to spare" } else { "fewer copies to spare" };
            flight.harm = Harm::Risk;
            flight.notes.push(format!("every shard has {left} from then on"));
        }
        self.note_room(&mut flight, replicas, change.zones.unwrap_or(promise.zones));
        if let Some(sync) = change.sync {
            note_sync(&mut flight, sync);
            if sync == SyncPolicy::Leader {
                flight.harm = Harm::Risk;
            }
        }
        flight
    }

    pub(super) fn keyspace_drop(&self, id: KeyspaceId) -> Preflight {
        let Some(known) = self.facts.keyspaces.get(&id) else {
            return refused(format!("drop {id}"), format!("there is no {id}"));
        };
        let mut flight = titled(format!("drop keyspace {}", known.name));
        flight.harm = Harm::Break;
        let serving = |phase| phase == ShardPhase::Serving;
        let shards = self.facts.shards.values();
        let count = shards.filter(|shard| shard.keyspace == id && serving(shard.phase)).count();
        flight
            .notes
            .push(format!("{count} shards and every record in them are deleted on all nodes"));
        if let Some(backup) = self.facts.backups.last() {
            flight.notes.push(format!(
                "a restore brings it back as of a backup; the last one is {} in {}",
                backup.id, backup.archive
            ));
        } else {
            flight.notes.push("there is no backup: nothing brings it back".to_owned());
            flight.safer = Some("`evenkeel backup create --to DIR` first".to_owned());
        }
        if id == KeyspaceId(1) {
            let why = "the default keyspace stays: clients that name none use it".to_owned();
            flight.refused = Some(why);
        } else if self.restore_under_way().is_some() {
            flight.refused = Some("a restore is not over: accept or undo it first".to_owned());
        }
        flight
    }

    /// Whether there are as many nodes, or zones, as there are copies.
    fn note_room(&self, flight: &mut Preflight, replicas: u8, rule: ZoneRule) {
        let takers = self.facts.nodes.values().filter(|node| takes_more(node, self.observed));
        let zones: Vec<&str> = takers.map(|node| node.zone.as_str()).collect();
        let nodes = zones.len();
        let apart = zones.into_iter().collect::<std::collections::BTreeSet<_>>().len();
        let copies = usize::from(replicas);
        if nodes < copies {
            flight
                .notes
                .push(format!("only {nodes} nodes can take copies: {copies} don't fit yet"));
        } else if rule == ZoneRule::Strict && apart < copies {
            flight.notes.push(format!("only {apart} zones: {copies} copies don't fit yet"));
        }
        if replicas == 2 {
            let why = "two copies survive no failure without a pause: both make the majority";
            flight.notes.push(why.to_owned());
        }
    }
}

fn note_sync(flight: &mut Preflight, sync: SyncPolicy) {
    let note = match sync {
        SyncPolicy::Leader => {
            "writes are acknowledged by the leader's disk alone: the last of them are lost with it"
        }
        SyncPolicy::Quorum => return,
        SyncPolicy::All => "a write waits for every copy: one that is down holds all writes up",
    };
    flight.notes.push(note.to_owned());
}
