//! The small loops that keep a node in step: following the facts, leading its shards, telling the
//! cluster where it is, cutting logs, and proving that the disk still syncs.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_shared::command::SystemReply;
use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::{Epoch, KeyspaceId, ReplicaId, ShardId};
use evenkeel_shared::key::SlotRange;
use evenkeel_shared::view::{
    ClusterFacts, KeyspaceFacts, NextNumbers, NodeFacts, NodeIntent, Policy, ReplicaFacts,
    ReplicaRole, ShardFacts, ShardPhase, SyncPolicy, SystemCommand,
};
use evenkeel_shared::wire::deadline::Deadline;
use tokio::sync::mpsc;

use super::parts::{Parts, addresses};
use crate::config::FirstKeyspace;
use crate::folder::KnownPeer;
use crate::heartbeat::Pulse;
use crate::rpc::links::Evidence;
use crate::store::replicas::Duties;

/// Between two attempts at something that the cluster is not ready for.
const TRY_AGAIN: Duration = Duration::from_millis(100);
/// Between two looks at duties that wait for something, and at those that are done: a new leader
/// finishes what the one before it left, within a second.
const DUTY_SOON: Duration = Duration::from_millis(50);
const DUTY_IDLE: Duration = Duration::from_secs(1);
/// Between two looks at the size of the logs.
const TRIM_EVERY: Duration = Duration::from_secs(2);
/// Between two looks at the replicas' soundness: a damaged one should not claim for long.
const TEND_EVERY: Duration = Duration::from_millis(500);
/// A log that is longer is cut even if it has few entries.
const LOG_BYTES_MAX: u64 = 16 << 20;
/// What is kept of such a log for followers that are a little behind, unless the node's log as a
/// whole is too long.
const LOG_BYTES_KEPT: u64 = 64 << 20;
/// Without a sync for this long, a tiny one is made.
const CANARY_AFTER: Duration = Duration::from_secs(1);
/// The first keyspace of a cluster that was founded without saying.
const FIRST_KEYSPACE: FirstKeyspace = FirstKeyspace { shards: 16, replicas: 3 };

/// Hands what the heartbeat lanes have seen to the pulse.
pub(super) async fn take_evidence(
    pulse: Arc<Pulse>,
    mut evidence: mpsc::UnboundedReceiver<Evidence>,
) {
    while let Some(seen) = evidence.recv().await {
        match seen {
            Evidence::Connected(node, incarnation) => pulse.connected(node, incarnation),
            Evidence::ClosedAndRefused(node) => pulse.refused(node),
        }
    }
}

/// On the founder: makes the system shard and writes the first facts, unless that is done.
pub(super) async fn found(parts: Arc<Parts>) {
    let membership = &parts.membership;
    if membership.system_replica != ReplicaId::new(membership.node, 1) {
        return;
    }
    while parts.facts.borrow().shards.is_empty() {
        if let Err(error) = parts.system_group.initialize(&[membership.system_replica]).await {
            tracing::debug!(%error, "the system shard waits");
        }
        if parts.system_group.is_leader() {
            let found = SystemCommand::Found(Box::new(first_facts(&parts)));
            match parts.control.system.change(found, Deadline::after(Duration::from_secs(5))).await
            {
                Ok(_) => return,
                Err(error) => tracing::debug!(%error, "the first facts wait"),
            }
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

fn first_facts(parts: &Parts) -> ClusterFacts {
    let (membership, request) = (&parts.membership, &parts.request);
    let first = parts.config.bootstrap.unwrap_or(FIRST_KEYSPACE);
    let grace_ms = u64::try_from(parts.config.grace.as_millis()).unwrap_or(u64::MAX);
    let keyspace = KeyspaceFacts {
        id: KeyspaceId(1),
        name: "default".to_owned(),
        shards: first.shards,
        policy: Policy { replicas: first.replicas, sync: SyncPolicy::Quorum, grace_ms },
    };
    let node = NodeFacts {
        id: membership.node,
        name: request.name.clone(),
        zone: request.zone.clone(),
        capacity: request.capacity,
        addresses: request.addresses.clone(),
        intent: NodeIntent::Serve,
        drills: request.drills,
        folder: request.folder,
    };
    let system = ShardFacts {
        id: ShardId::SYSTEM,
        keyspace: KeyspaceId(0),
        history: membership.system_history,
        slots: vec![SlotRange::ALL],
        first_voters: vec![membership.system_replica],
        replicas: [(membership.system_replica, ReplicaFacts { role: ReplicaRole::Voter })].into(),
        epoch: Epoch(0),
        phase: ShardPhase::Serving,
    };
    ClusterFacts {
        cluster: membership.cluster,
        revision: 1,
        nodes: [(node.id, node)].into(),
        keyspaces: [(keyspace.id, keyspace)].into(),
        shards: [(ShardId::SYSTEM, system)].into(),
        next: NextNumbers { node: 2, replica: 2, shard: 1, intent: 1 },
        ..ClusterFacts::default()
    }
}

/// Opens and removes replicas, dials and forgets peers, as the facts change.
pub(super) async fn follow_facts(parts: Arc<Parts>) {
    let mut facts = parts.facts.clone();
    loop {
        let now = facts.borrow_and_update().clone();
        if !now.nodes.is_empty() {
            let known = {
                let mut folder = parts.folder.lock().expect("no holder of this lock panics");
                let peers = now.nodes.values().filter(|node| node.id != parts.membership.node);
                let peers = peers
                    .map(|node| KnownPeer { node: node.id, addresses: node.addresses.clone() });
                if let Err(error) = folder.remember_peers(peers.collect()) {
                    tracing::warn!(%error, "can't remember where the others are");
                }
                addresses(&now, &folder, &parts.membership)
            };
            parts.links.follow(&known);
            parts.replicas.follow(parts.membership.node, &now).await;
        }
        if facts.changed().await.is_err() {
            return;
        }
    }
}

/// Does what only leaders and first voters may.
pub(super) async fn lead_shards(parts: Arc<Parts>) {
    let mut facts = parts.facts.clone();
    loop {
        let now = facts.borrow_and_update().clone();
        let wait = match parts.replicas.lead(&now).await {
            Duties::Done => DUTY_IDLE,
            Duties::Waiting => DUTY_SOON,
        };
        // Opening replicas takes a moment after the facts have changed.
        if let Ok(Ok(())) = tokio::time::timeout(wait, facts.changed()).await {
            tokio::time::sleep(DUTY_SOON).await;
        }
    }
}

/// Tells the cluster where this node is now, if the facts say otherwise.
pub(super) async fn announce(parts: Arc<Parts>) {
    let mut facts = parts.facts.clone();
    loop {
        let differs = {
            let facts = facts.borrow_and_update();
            let known = facts.nodes.get(&parts.membership.node);
            known.is_some_and(|known| {
                known.addresses != parts.request.addresses
                    || known.zone != parts.request.zone
                    || known.drills != parts.request.drills
            })
        };
        if differs {
            let membership = &parts.membership;
            let request = evenkeel_shared::view::JoinRequest {
                known_as: Some((membership.cluster, membership.node)),
                ..parts.request.clone()
            };
            let command = SystemCommand::Join(request);
            let told =
                parts.control.system.change(command, Deadline::after(Duration::from_secs(5))).await;
            match told {
                Ok(SystemReply::Joined(_)) => tracing::info!("told the cluster where we are"),
                Ok(_) => {}
                Err(StoreError::Refused { why }) => {
                    tracing::error!(why, "the cluster does not take our new address");
                    return;
                }
                Err(error) => {
                    tracing::debug!(%error, "can't tell the cluster where we are yet");
                    tokio::time::sleep(TRY_AGAIN).await;
                    facts.mark_changed();
                }
            }
        }
        if facts.changed().await.is_err() {
            return;
        }
    }
}

/// Cuts logs that are long in bytes though short in entries, or that pin old segments.
pub(super) async fn trim_logs(parts: Arc<Parts>) {
    loop {
        tokio::time::sleep(TRIM_EVERY).await;
        let pinning: Vec<ShardId> =
            parts.wal.pressure().into_iter().map(|(key, _)| key.shard).collect();
        for group in parts.replicas.all() {
            let log_bytes = parts.wal.log_bytes(&group.key());
            let pins = pinning.contains(&group.shard());
            if log_bytes > LOG_BYTES_MAX || pins {
                let kept_bytes = if pins { LOG_BYTES_MAX } else { LOG_BYTES_KEPT };
                group.trim_log(log_bytes, kept_bytes).await;
            }
        }
    }
}

/// Looks after the replicas until the process must end; gives the reason.
pub(super) async fn tend(parts: Arc<Parts>) -> String {
    loop {
        tokio::time::sleep(TEND_EVERY).await;
        if let Err(why) = parts.replicas.tend().await {
            return why;
        }
    }
}

/// Proves that the disk still syncs when nobody writes.
pub(super) async fn canary(parts: Arc<Parts>) {
    loop {
        let now = parts.env.clock.now();
        let idle = now.saturating_sub(parts.wal.sync_health().last_ended);
        if idle >= CANARY_AFTER {
            // A failed sync ends the process by another way.
            let _ = parts.wal.canary().await;
        }
        tokio::time::sleep(CANARY_AFTER.saturating_sub(idle).max(CANARY_AFTER / 10)).await;
    }
}
