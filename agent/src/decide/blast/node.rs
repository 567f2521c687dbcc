//! Pre-flight of what is done to a node: kill, drain, evict.
//!
//! Invariant: an act that takes a majority away is never below the highest rung.

use evenkeel_shared::fault::Fault;
use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::preflight::{Harm, Preflight};
use evenkeel_shared::view::{NodeFacts, NodeIntent, NodeState};

use super::super::facts::{name, takes_more, wanted};
use super::{Loss, World, listed, refused, titled};

impl World<'_> {
    pub(super) fn kill(&self, node: NodeId, down_secs: Option<u32>) -> Preflight {
        let title = format!("kill {}", name(self.facts, node));
        let known = match self.known(node) {
            Ok(known) => known,
            Err(why) => return refused(title, why),
        };
        let loss = self.without(node);
        let mut flight = losing(title, &loss);
        if let Some(secs) = down_secs {
            // It comes back by itself, with its disk: while a majority stays, nothing is lost.
            if loss.quorum_lost.is_empty() {
                flight.harm = Harm::None;
            }
            flight.notes.push(format!("started again after {secs} s"));
        } else {
            flight.notes.push("stays down until it is started by hand".to_owned());
            self.note_repair(node, &mut flight);
        }
        self.note_unled(&mut flight);
        self.note_acknowledged_by_leader(&mut flight);
        if !known.drills {
            flight.refused = Some(format!("{} does not take part in drills", known.name));
        } else if self.observed.state(node) == NodeState::Down {
            flight.refused = Some(format!("{} is DOWN already", known.name));
        }
        if flight.harm > Harm::None {
            flight.safer = Some(format!("drain {} first", known.name));
        }
        flight
    }

    /// A fault that ends by itself: worst while it lasts.
    pub(super) fn fault(&self, node: NodeId, fault: &Fault, secs: u32) -> Preflight {
        let words = fault.words(|node| name(self.facts, node));
        let title = format!("{}: {words} for {secs} s", name(self.facts, node));
        let known = match self.known(node) {
            Ok(known) => known,
            Err(why) => return refused(title, why),
        };
        let mut flight = if fault.takes_node_away() {
            let loss = self.without(node);
            let mut flight = losing(title, &loss);
            if loss.quorum_lost.is_empty() {
                flight.harm = Harm::None;
            }
            self.note_unled(&mut flight);
            flight
        } else {
            titled(title)
        };
        flight
            .notes
            .push("it ends by itself, at `drill stop`, or when the agent restarts".to_owned());
        if !known.drills {
            flight.refused = Some(format!("{} does not take part in drills", known.name));
        } else if self.observed.state(node) == NodeState::Down {
            flight.refused = Some(format!("{} is DOWN", known.name));
        }
        flight
    }

    pub(super) fn drain(&self, node: NodeId, undo: bool) -> Preflight {
        let called = name(self.facts, node);
        let title =
            if undo { format!("stop draining {called}") } else { format!("drain {called}") };
        let known = match self.known(node) {
            Ok(known) => known,
            Err(why) => return refused(title, why),
        };
        if undo {
            let mut flight = titled(title);
            if known.intent != NodeIntent::Drain {
                flight.refused = Some(format!("{called} is not draining"));
            }
            return flight;
        }
        let mut flight = titled(title);
        if known.intent == NodeIntent::Drain {
            flight.refused = Some(format!("{called} is draining already"));
            return flight;
        }
        flight.leaders_moved = self.without(node).leaders_moved;
        let copies = self.data_copies(node);
        flight.notes.push(format!("{} copies move to other nodes", copies.len()));
        self.note_repair(node, &mut flight);
        let takers = |node: &&NodeFacts| takes_more(node, self.observed);
        let left = self.facts.nodes.values().filter(takers).filter(|other| other.id != node);
        let left = left.count();
        let crowded: Vec<ShardId> = copies
            .into_iter()
            .filter(|shard| {
                self.facts.shards.get(shard).is_some_and(|shard| left < wanted(self.facts, shard))
            })
            .collect();
        if !crowded.is_empty() {
            flight.refused = Some(format!(
                "only {left} nodes would take copies, too few for {}",
                listed(&crowded)
            ));
            flight.safer = Some("add a node first".to_owned());
        }
        flight
    }

    pub(super) fn evict(&self, node: NodeId) -> Preflight {
        let called = name(self.facts, node);
        let title = format!("evict {called}");
        if let Err(why) = self.known(node) {
            return refused(title, why);
        }
        let state = self.observed.state(node);
        if state == NodeState::Drained {
            return titled(title);
        }
        if state != NodeState::Down {
            let mut flight = refused(title, format!("{called} is {state}"));
            flight.safer = Some(format!("drain {called} first"));
            return flight;
        }
        let mut flight = self.giving_up(node, title);
        flight.notes.push(format!("{called} can come back only as a new node"));
        flight
    }

    /// Gives a dead node's data up, so that it may come back with an empty folder.
    pub(super) fn reinit(&self, node: NodeId) -> Preflight {
        let called = name(self.facts, node);
        let title = format!("give up the data of {called}");
        let known = match self.known(node) {
            Ok(known) => known,
            Err(why) => return refused(title, why),
        };
        if known.folder == 0 {
            let why = format!("it has been given up already: start {called} with an empty folder");
            return refused(title, why);
        }
        let state = self.observed.state(node);
        if state != NodeState::Down {
            let mut flight = refused(title, format!("{called} is {state}"));
            flight.safer = Some(format!("stop {called} first, or drain it"));
            return flight;
        }
        let mut flight = self.giving_up(node, title);
        flight
            .notes
            .push(format!("what still lies in the old folder of {called} is of no use then"));
        flight.notes.push(format!("then start {called} with an empty folder and --join"));
        flight
    }

    /// What is left when a dead node's copies are given up. It answers no more, so no majority is
    /// taken away.
    fn giving_up(&self, node: NodeId, title: String) -> Preflight {
        let called = name(self.facts, node);
        let mut flight = titled(title);
        flight.harm = Harm::Risk;
        for (shard, seen) in self.shards() {
            if !seen.voters.iter().any(|voter| voter.node() == node) {
                continue;
            }
            let live = seen.led_voters(self.observed, |_| false);
            if live < seen.quorum() {
                flight.quorum_lost.push(shard.id);
            } else if live == seen.quorum() {
                flight.no_spare.push(shard.id);
            }
        }
        if !flight.quorum_lost.is_empty() {
            flight.harm = Harm::Break;
            flight.notes.push(format!(
                "{} have no majority without {called}: its disk may hold their last copy",
                listed(&flight.quorum_lost)
            ));
            flight.safer = Some(format!("start {called} again"));
        }
        let copies = self.data_copies(node).len();
        flight.notes.push(format!("{copies} copies are built anew from the others"));
        self.note_repair(node, &mut flight);
        flight
    }

    fn known(&self, node: NodeId) -> Result<&NodeFacts, String> {
        self.facts.nodes.get(&node).ok_or_else(|| format!("no {node} in this cluster"))
    }

    /// What building a node's copies anew would move, and how long that takes at the policy's pace.
    fn note_repair(&self, node: NodeId, flight: &mut Preflight) {
        let copies = self.data_copies(node);
        let bytes = copies.iter().map(|shard| self.observed.shards.get(shard)?.copy_bytes());
        flight.bytes_to_repair = bytes.sum();
        let pace = self.facts.recovery.policy().bytes_s;
        if let Some(bytes) = flight.bytes_to_repair.filter(|_| pace > 0) {
            let secs = bytes.div_ceil(pace);
            flight.notes.push(format!("that takes {secs} s or more at the policy's pace"));
        }
    }

    /// Data shards of which a node should hold a copy.
    fn data_copies(&self, node: NodeId) -> Vec<ShardId> {
        let data = self.facts.shards.values().filter(|shard| !shard.id.is_system());
        let held = data.filter(|shard| shard.replicas.keys().any(|copy| copy.node() == node));
        held.map(|shard| shard.id).collect()
    }

    /// Where operators start failovers, a shard that loses its leader stays without one.
    fn note_unled(&self, flight: &mut Preflight) {
        let (modes, now) = (&self.facts.recovery.modes, self.observed.at_unix_ms);
        let waits = |shard: &&ShardId| {
            let known = self.facts.shards.get(shard).filter(|known| !known.id.is_system());
            known.is_some_and(|known| !modes.of(known.keyspace, now).elects(now))
        };
        let unled: Vec<ShardId> = flight.leaders_moved.iter().filter(waits).copied().collect();
        if unled.is_empty() {
            return;
        }
        flight.leaders_moved.retain(|shard| !unled.contains(shard));
        flight.harm = Harm::Break;
        flight.notes.push(format!(
            "failover is in operators' hands: {} would have no leader, and take no writes, until \
             `shard failover` or until the node is back",
            listed(&unled)
        ));
    }

    fn note_acknowledged_by_leader(&self, flight: &mut Preflight) {
        let stopped = flight.leaders_moved.iter().chain(&flight.quorum_lost);
        let risky = stopped.filter(|shard| {
            self.facts.shards.get(shard).is_some_and(|shard| self.leader_acknowledges(shard))
        });
        let risky: Vec<ShardId> = risky.copied().collect();
        if risky.is_empty() {
            flight.writes_dropped = Some(0);
            return;
        }
        flight.harm = flight.harm.max(Harm::Risk);
        flight.notes.push(format!(
            "{} acknowledge writes on the leader alone: the last of them may be lost",
            listed(&risky)
        ));
    }
}

/// A pre-flight of an act that stops a node.
fn losing(title: String, loss: &Loss) -> Preflight {
    let mut flight = titled(title);
    flight.quorum_lost.clone_from(&loss.quorum_lost);
    flight.no_spare.clone_from(&loss.no_spare);
    flight.leaders_moved.clone_from(&loss.leaders_moved);
    flight.harm = match (loss.quorum_lost.is_empty(), loss.no_spare.is_empty()) {
        (false, _) => Harm::Break,
        (true, false) => Harm::Risk,
        (true, true) => Harm::None,
    };
    if loss.quorum_lost.contains(&ShardId::SYSTEM) {
        flight.notes.push("nothing can be repaired without the system shard".to_owned());
    }
    if !loss.without_quorum_already.is_empty() {
        let already = listed(&loss.without_quorum_already);
        flight.notes.push(format!("no majority already: {already}"));
    }
    flight
}
