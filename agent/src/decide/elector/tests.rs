//! Golden scripts for the elector: several nodes' electors and the facts that each is told. The
//! elections themselves are Raft's: a script states what they came to.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use evenkeel_shared::ids::Incarnation;
use goldenscript::{ArgumentConsumer, Command, Context};

use super::*;
use crate::decide::script;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// One node: its elector, what it is told, and when it is to be ticked.
struct Node {
    elector: Elector,
    group: GroupFacts,
    peers: Peers,
    wake: Duration,
    deaf: bool,
    frozen: bool,
}

/// A canvass under way.
struct Call {
    since: Duration,
    from: NodeId,
    to: NodeId,
    round: u64,
    questions: Vec<CanvassQuestion>,
}

#[derive(Default)]
struct Runner {
    nodes: BTreeMap<NodeId, Node>,
    calls: Vec<Call>,
}

fn replica(node: u32) -> ReplicaId {
    ReplicaId::new(NodeId(node), node)
}

fn voters(text: &str) -> Outcome<VoterSets> {
    let set = |set: &str| Ok(script::list(set)?.into_iter().map(replica).collect());
    text.split('/').map(set).collect()
}

fn time(text: &str) -> Outcome<Option<Duration>> {
    if text == "none" { Ok(None) } else { Ok(Some(Duration::from_millis(text.parse()?))) }
}

impl Node {
    fn new(id: u32, all: &[u32]) -> Self {
        let set: BTreeSet<ReplicaId> = all.iter().map(|node| replica(*node)).collect();
        let peer = PeerFacts { incarnation: Some(Incarnation(1)), ..PeerFacts::default() };
        let others = all.iter().filter(|node| **node != id);
        Self {
            elector: Elector::new(ElectorConfig::default(), u64::from(id)),
            group: GroupFacts {
                shard: ShardId(7),
                me: replica(id),
                role: RaftRole::Follower,
                term: 1,
                leader: None,
                last: Some((1, 10)),
                effective: [set.clone()].into(),
                committed: [set].into(),
                quorum_acked: true,
                led_since: None,
                claim_earned: true,
                transfer_since: None,
                voted_at: None,
                voted_for_me: false,
                initialized: true,
                automatic: true,
            },
            peers: others.map(|node| (NodeId(*node), peer.clone())).collect(),
            wake: Duration::ZERO,
            deaf: false,
            frozen: false,
        }
    }

    /// Reads facts of this node's replica.
    fn set(&mut self, name: &str, value: &str) -> Outcome {
        let group = &mut self.group;
        match name {
            "role" => {
                group.role = match value {
                    "leader" => RaftRole::Leader,
                    "candidate" => RaftRole::Candidate,
                    "learner" => RaftRole::Learner,
                    "stopped" => RaftRole::Stopped,
                    _ => RaftRole::Follower,
                }
            }
            "term" => group.term = value.parse()?,
            "leader" if value == "none" => group.leader = None,
            "leader" => group.leader = Some(replica(value.parse()?)),
            "last" => {
                let (term, index) = value.split_once('/').ok_or("last is term/index")?;
                group.last = Some((term.parse()?, index.parse()?));
            }
            "voters" => group.effective = voters(value)?,
            "committed" => group.committed = voters(value)?,
            "acked" => group.quorum_acked = value.parse()?,
            "own_vote" => group.voted_for_me = value.parse()?,
            "automatic" => group.automatic = value.parse()?,
            "earned" => group.claim_earned = value.parse()?,
            "transfer" => group.transfer_since = time(value)?,
            "voted" => group.voted_at = time(value)?,
            "frozen" => self.frozen = value.parse()?,
            "deaf" => self.deaf = value.parse()?,
            _ => return Err(format!("unknown fact {name}").into()),
        }
        Ok(())
    }
}

impl Runner {
    fn node(&mut self, id: u32) -> Outcome<&mut Node> {
        self.nodes.get_mut(&NodeId(id)).ok_or_else(|| format!("no node {id}").into())
    }

    /// hear NODES from=NODE at=MS [claim=TERM] [incarnation=1]: a heartbeat arrives.
    fn hear(&mut self, ids: &[u32], args: &mut ArgumentConsumer<'_>) -> Outcome {
        let now = script::at(args)?;
        let from: u32 = script::key(args, "from")?.ok_or("from= is missing")?;
        let incarnation = Incarnation(script::key(args, "incarnation")?.unwrap_or(1));
        let claim: Option<u64> = script::key(args, "claim")?;
        for id in ids {
            let node = self.node(*id)?;
            let shard = node.group.shard;
            let peer = node.peers.entry(NodeId(from)).or_default();
            peer.dead = false;
            peer.heard = Some(now);
            peer.incarnation = Some(incarnation);
            if let Some(term) = claim {
                Arc::make_mut(&mut peer.claims)
                    .insert(shard, ClaimHeard { term, heard: now, incarnation });
            }
        }
        Ok(())
    }

    /// Ticks nodes when they are due, beats claims of living leaders, and answers calls after 1 ms.
    fn run_for(&mut self, ids: &[u32], from: u64, to: u64, out: &mut String) -> Outcome {
        for id in ids {
            self.node(*id)?.wake = Duration::ZERO;
        }
        for at in from..=to {
            let now = Duration::from_millis(at);
            for call in std::mem::take(&mut self.calls) {
                self.deliver(now, call, out)?;
            }
            for id in ids {
                if self.node(*id)?.wake <= now {
                    self.tick(now, *id, out)?;
                }
            }
        }
        Ok(())
    }

    fn tick(&mut self, now: Duration, id: u32, out: &mut String) -> Outcome {
        let node = self.node(id)?;
        let groups = std::slice::from_ref(&node.group);
        let actions = node.elector.tick(now, ElectorFacts { groups, peers: &node.peers });
        node.wake = node.elector.next_wake(now);
        self.act(now, NodeId(id), actions, out)
    }

    fn deliver(&mut self, now: Duration, call: Call, out: &mut String) -> Outcome {
        let frozen = self.nodes.get(&call.to).is_some_and(|node| node.frozen);
        if frozen && now < call.since + Duration::from_millis(100) {
            self.calls.push(call);
            return Ok(());
        }
        let call = &call;
        let answers = self.answers(now, call, out)?;
        let node = self.node(call.from.0)?;
        let groups = std::slice::from_ref(&node.group);
        let facts = ElectorFacts { groups, peers: &node.peers };
        let actions = node.elector.on_answers(now, call.round, call.to, answers.as_deref(), facts);
        node.wake = node.elector.next_wake(now);
        self.act(now, call.from, actions, out)
    }

    fn answers(
        &mut self,
        now: Duration,
        call: &Call,
        out: &mut String,
    ) -> Outcome<Option<Vec<CanvassAnswer>>> {
        let cut = self.node(call.from.0)?.peers.get(&call.to).is_some_and(|peer| peer.dead);
        let Some(node) =
            self.nodes.get_mut(&call.to).filter(|node| !(node.deaf || node.frozen || cut))
        else {
            writeln!(out, "{} ms: {} can't ask {}", now.as_millis(), call.from, call.to)?;
            return Ok(None);
        };
        let mut answers = Vec::new();
        for question in &call.questions {
            let answered = node.elector.answer(now, question, Some(&node.group), &node.peers);
            node.wake = node.wake.min(node.elector.next_wake(now));
            let word = if answered.answer.unled { "unled" } else { "led" };
            let nudge = if answered.nudge.is_some() { ", and sends an append" } else { "" };
            writeln!(
                out,
                "{} ms: {} tells {}: {word}{nudge}",
                now.as_millis(),
                call.to,
                call.from
            )?;
            answers.push(answered.answer);
        }
        Ok(Some(answers))
    }

    fn act(
        &mut self,
        now: Duration,
        from: NodeId,
        actions: Vec<ElectorAction>,
        out: &mut String,
    ) -> Outcome {
        let at = now.as_millis();
        for action in actions {
            match action {
                ElectorAction::Canvass { node: to, round, questions } => {
                    writeln!(out, "{at} ms: {from} canvasses {to}")?;
                    self.calls.push(Call { since: now, from, to, round, questions });
                }
                ElectorAction::Elect { term, cause, .. } => {
                    writeln!(out, "{at} ms: {from} ELECTS after term {term}: {cause}")?;
                }
                ElectorAction::Nudge { .. } => writeln!(out, "{at} ms: {from} sends an append")?,
                ElectorAction::AskToStand { node, cause, .. } => {
                    writeln!(out, "{at} ms: {from} asks {node} to stand: {cause}")?;
                }
            }
        }
        Ok(())
    }
}

impl goldenscript::Runner for Runner {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Outcome<String> {
        let mut args = command.consume_args();
        let ids: Vec<u32> = script::list(args.next_pos().ok_or("which nodes?")?)?;
        let mut out = String::new();
        match command.name.as_str() {
            // nodes IDS: all followers of one shard, in term 1, with equal logs and no leader.
            "nodes" => {
                let nodes = ids.iter().map(|id| (NodeId(*id), Node::new(*id, &ids)));
                self.nodes = nodes.collect();
            }
            // set IDS fact=value..: what Raft says of these nodes' replicas.
            "set" => {
                while let Some((name, value)) = args.next_key() {
                    for id in &ids {
                        self.node(*id)?.set(name, value)?;
                    }
                }
            }
            "hear" => self.hear(&ids, &mut args)?,
            // dead IDS peer=ID: these nodes hold the peer dead. excused: their own pause ended.
            "dead" | "excused" | "heard_in_time" => {
                let peer: u32 = script::key(&mut args, "peer")?.ok_or("peer= is missing")?;
                for id in &ids {
                    let peer = self.node(*id)?.peers.entry(NodeId(peer)).or_default();
                    match command.name.as_str() {
                        "dead" => peer.dead = true,
                        name => peer.excused = name == "excused",
                    }
                }
            }
            // run IDS from=MS to=MS
            "run" => {
                let from = script::key(&mut args, "from")?.ok_or("from= is missing")?;
                let to = script::key(&mut args, "to")?.unwrap_or(from);
                self.run_for(&ids, from, to, &mut out)?;
            }
            // lease IDS at=MS: whether a vote request would skip the lease.
            "lease" => {
                let now = script::at(&mut args)?;
                for id in &ids {
                    let node = self.node(*id)?;
                    let skips = node.elector.may_skip_lease(now, &node.group, &node.peers);
                    let word = if skips { "skips" } else { "honours" };
                    writeln!(out, "{} {word} the lease", NodeId(*id))?;
                }
            }
            name => return Err(format!("unknown command {name}").into()),
        }
        args.reject_next()?;
        Ok(out)
    }
}

fn check(path: &Path) {
    goldenscript::run(&mut Runner::default(), path).expect("the script runs");
}

#[test]
fn golden_scripts_of_the_elector_hold() {
    script::each("elector", check);
}
