//! Nodes that join, come back and leave. A name belongs to one data folder: whoever comes with
//! another one is refused, since its old replicas may have voted (safety rule 13).

use evenkeel_shared::command::SystemReply;
use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::limits::{NAME_CHARS_MAX, NODES_MAX};
use evenkeel_shared::view::{
    Admission, ClusterFacts, JoinRequest, NodeFacts, NodeIntent, ReplicaRole,
};

use super::{Reply, add_learner, node_mut, shards};

/// The folder of a node whose data was given up.
const GIVEN_UP: u64 = 0;

/// Lets a node in, or back in.
pub(super) fn join(facts: &mut ClusterFacts, request: &JoinRequest) -> Reply {
    check_words(request)?;
    let node = match returning(facts, request)? {
        Some(node) => node,
        None => admit(facts, request)?,
    };
    let known = node_mut(facts, node)?;
    known.zone.clone_from(&request.zone);
    known.capacity = request.capacity;
    known.addresses.clone_from(&request.addresses);
    known.drills = request.drills;
    known.folder = request.folder;
    admission(facts, node)
}

fn check_words(request: &JoinRequest) -> Result<(), String> {
    for (what, word) in [("name", &request.name), ("zone", &request.zone)] {
        if !is_plain_word(word) {
            return Err(format!(
                "{what} {word:?} is not 1 to {NAME_CHARS_MAX} letters, digits, '-', '_' or '.'"
            ));
        }
    }
    Ok(())
}

/// Whether a name can be typed anywhere and fits a table's column.
pub(super) fn is_plain_word(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=NAME_CHARS_MAX).contains(&word.len()) && word.chars().all(plain)
}

/// The node that the request comes from, if it has joined before.
fn returning(facts: &ClusterFacts, request: &JoinRequest) -> Result<Option<NodeId>, String> {
    let name = &request.name;
    if let Some((cluster, node)) = request.known_as {
        if cluster != facts.cluster {
            return Err(format!("{name} belongs to cluster {cluster}, not to {}", facts.cluster));
        }
        let Some(known) = facts.nodes.get(&node) else {
            return Err(format!(
                "{node} has left the cluster; to join anew, empty its folder with `node reinit`"
            ));
        };
        if known.name != *name {
            return Err(format!("{node} is named {}, not {name}", known.name));
        }
        if known.folder == GIVEN_UP {
            return Err(format!(
                "the data of {name} was given up by `evenkeel node reinit {name}`; start it with \
                 an empty folder"
            ));
        }
        return same_folder(known, request).map(Some);
    }
    if let Some(known) = facts.node_named(name) {
        if known.folder == GIVEN_UP {
            return Ok(Some(known.id));
        }
        // Its admission was lost on the way: the folder has not learned who it is.
        return same_folder(known, request).map(Some);
    }
    match facts.nodes.values().find(|node| node.folder == request.folder) {
        Some(other) => Err(format!("the data folder of {name} belongs to {}", other.name)),
        None => Ok(None),
    }
}

fn same_folder(known: &NodeFacts, request: &JoinRequest) -> Result<NodeId, String> {
    if known.folder == request.folder {
        return Ok(known.id);
    }
    Err(format!(
        "the name {} is taken by {} with another data folder; if that folder is lost for good, \
         run `evenkeel node reinit {}` first",
        known.name, known.id, known.name
    ))
}

fn admit(facts: &mut ClusterFacts, request: &JoinRequest) -> Result<NodeId, String> {
    if facts.nodes.len() >= NODES_MAX {
        return Err(format!("the cluster already has {NODES_MAX} nodes"));
    }
    let id = NodeId(facts.next.node);
    facts.next.node += 1;
    let node = NodeFacts {
        id,
        name: request.name.clone(),
        zone: request.zone.clone(),
        capacity: request.capacity,
        addresses: request.addresses.clone(),
        intent: NodeIntent::Serve,
        drills: request.drills,
        folder: request.folder,
    };
    facts.nodes.insert(id, node);
    Ok(id)
}

/// What the node is told; it gets a copy of the system shard if it has none (any more).
fn admission(facts: &mut ClusterFacts, node: NodeId) -> Reply {
    let system = facts.shards.get(&ShardId::SYSTEM).ok_or("the system shard is missing")?;
    let system_history = system.history;
    let held = system
        .replicas
        .iter()
        .find(|(replica, held)| replica.node() == node && held.role != ReplicaRole::Lost);
    let held = held.map(|(replica, _)| *replica);
    let system_replica = held.unwrap_or_else(|| add_learner(facts, ShardId::SYSTEM, node));
    let others = facts.nodes.values().filter(|other| other.id != node);
    let peers = others.map(|other| (other.id, other.addresses.clone())).collect();
    let cluster = facts.cluster;
    Ok(SystemReply::Joined(Admission { cluster, node, system_replica, system_history, peers }))
}

/// Lets a node go that holds nothing but a copy of the system shard without a vote.
pub(super) fn leave(facts: &mut ClusterFacts, node: NodeId) -> Reply {
    let name = node_mut(facts, node)?.name.clone();
    for shard in facts.shards.values() {
        let held = shard.replicas.iter().find(|(replica, _)| replica.node() == node);
        match held {
            Some((replica, _)) if !shard.id.is_system() => {
                return Err(format!("{name} still holds replica {replica} of {}", shard.id));
            }
            Some((replica, held)) if held.role == ReplicaRole::Voter => {
                return Err(format!("{name} still votes in the system shard as {replica}"));
            }
            _ => {}
        }
    }
    if let Some(system) = facts.shards.get_mut(&ShardId::SYSTEM) {
        system.replicas.retain(|replica, _| replica.node() != node);
    }
    facts.nodes.remove(&node);
    super::recovery::forget_what_is_gone(facts);
    Ok(SystemReply::Done)
}

/// Gives up all that a node held, so that it may join again with an empty folder.
pub(super) fn reinit(facts: &mut ClusterFacts, node: NodeId) -> Reply {
    node_mut(facts, node)?;
    let held: Vec<_> = facts
        .shards
        .values()
        .flat_map(|shard| shard.replicas.iter().map(move |(id, held)| (shard.id, *id, held.role)))
        .filter(|(_, id, role)| id.node() == node && *role != ReplicaRole::Lost)
        .collect();
    for (shard, replica, _) in held {
        shards::lose(facts, shard, replica)?;
    }
    node_mut(facts, node)?.folder = GIVEN_UP;
    Ok(SystemReply::Done)
}
