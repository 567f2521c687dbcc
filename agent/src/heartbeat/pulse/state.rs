//! What the pulse remembers between rounds: verdicts, elections, and what every peer said last.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use evenkeel_shared::heartbeat::{Claim, ReplicaStatus, Round};
use evenkeel_shared::ids::{NodeId, ShardId};

use crate::decide::detector::{Detector, DetectorConfig, VerdictState};
use crate::decide::elector::backing::Backers;
use crate::decide::elector::{
    Elector, ElectorConfig, GroupFacts, PeerFacts, Peers as PeerFactsMap,
};
use crate::decide::fresh::Freshness;
use crate::decide::reminder::Committed;
use crate::decide::score::Scores;
use crate::decide::slow::Gauges;
use crate::heartbeat::registry::PeerRecord;

use super::lag::Lag;
use super::rise::{Lost, Rising, Stood};

/// Everything that changes under the pulse's lock.
pub(super) struct State {
    pub(super) detector: Detector,
    pub(super) elector: Elector,
    pub(super) records: BTreeMap<NodeId, PeerRecord>,
    pub(super) sequence: u64,
    pub(super) next_beat: Duration,
    /// Shards that this node leads, with their terms.
    pub(super) leading: BTreeMap<ShardId, u64>,
    /// Elections that the elector has started.
    pub(super) stood: BTreeMap<ShardId, Stood>,
    pub(super) unled_since: BTreeMap<ShardId, Lost>,
    /// Leaderships that were won, and of which not all is known that should be told.
    pub(super) rising: BTreeMap<ShardId, Rising>,
    /// What each of them was last told to have committed.
    pub(super) committed: BTreeMap<ShardId, Committed>,
    /// Nodes whose disks are so full that they take no writes, this one among them.
    pub(super) low: BTreeSet<NodeId>,
    /// How fresh each shard is that this node leads: when a majority last confirmed it, and what was
    /// committed then.
    pub(super) rounds: BTreeMap<ShardId, Freshness>,
    /// How fresh the leaders of other shards have said to be.
    pub(super) heard_rounds: BTreeMap<ShardId, Freshness>,
    /// What each node, this one among them, usually takes for what it does.
    pub(super) gauges: Gauges,
    /// How this node's verdicts have turned out.
    pub(super) scores: Scores,
    /// How late this node's timers come.
    pub(super) lag: Lag,
    /// What the last full list said, to send the next one when it has changed.
    pub(super) listed: u64,
}

impl State {
    /// That of a node which has heard of nobody yet.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            detector: Detector::new(DetectorConfig::default()),
            elector: Elector::new(ElectorConfig::default(), seed),
            records: BTreeMap::new(),
            sequence: 0,
            next_beat: Duration::ZERO,
            leading: BTreeMap::new(),
            stood: BTreeMap::new(),
            unled_since: BTreeMap::new(),
            rising: BTreeMap::new(),
            committed: BTreeMap::new(),
            low: BTreeSet::new(),
            rounds: BTreeMap::new(),
            heard_rounds: BTreeMap::new(),
            gauges: Gauges::default(),
            scores: Scores::default(),
            lag: Lag::default(),
            listed: 0,
        }
    }

    /// Expects these peers, and forgets all others.
    pub(super) fn follow(&mut self, now: Duration, nodes: &BTreeSet<NodeId>) {
        for node in nodes {
            self.detector.expect(now, *node);
            self.records.entry(*node).or_default();
        }
        let gone: Vec<NodeId> =
            self.detector.nodes().filter(|node| !nodes.contains(node)).collect();
        for node in gone {
            self.detector.forget(node);
            self.records.remove(&node);
            self.gauges.forget(node);
            self.scores.forget(node);
        }
    }

    /// Takes how many calls of each peer have failed. Of one that is held dead all do.
    pub(super) fn note_failures(
        &mut self,
        now: Duration,
        failures: impl Fn(NodeId) -> Option<u32>,
    ) {
        for node in self.records.keys() {
            let failed = failures(*node);
            if let Some(failed) = failed.filter(|_| !self.is_dead(now, *node)) {
                self.gauges.take_failures(*node, failed);
            }
        }
    }

    /// Remembers who is held slow, to tell later whether rightly.
    pub(super) fn judge_slowness(&mut self, now: Duration) {
        let alive = self.records.keys().filter(|node| !self.is_dead(now, **node));
        for node in alive.copied().collect::<Vec<_>>() {
            self.scores.take_slow(now, node, self.gauges.slowness(node).is_some());
        }
        self.scores.settle(now);
    }

    fn is_dead(&self, now: Duration, node: NodeId) -> bool {
        self.detector.verdict(now, node).state == VerdictState::Dead
    }

    pub(super) fn peer_facts(&self, now: Duration) -> PeerFactsMap {
        let facts = |(node, record): (&NodeId, &PeerRecord)| {
            let facts = PeerFacts {
                dead: self.detector.verdict(now, *node).state == VerdictState::Dead,
                excused: self.detector.excused(now, *node),
                heard: record.heard,
                incarnation: self.detector.incarnation(*node),
                claims: Arc::clone(&record.claims),
            };
            (*node, facts)
        };
        self.records.iter().map(facts).collect()
    }

    /// Remembers since when each shard is held unled, to tell how long an election took.
    pub(super) fn note_unled(
        &mut self,
        now: Duration,
        groups: &[GroupFacts],
        peers: &PeerFactsMap,
    ) {
        for group in groups {
            if self.elector.unled(now, group, peers).is_some() {
                let heard = group.leader.and_then(|leader| peers.get(&leader.node())?.heard);
                let lost = Lost { since: now, last_sign: heard };
                self.unled_since.entry(group.shard).or_insert(lost);
            } else {
                self.unled_since.remove(&group.shard);
            }
        }
    }

    /// Remembers how far each of these leaderships has got.
    pub(super) fn note_committed(&mut self, now: Duration, claims: &[Claim]) {
        let before = std::mem::take(&mut self.committed);
        let known = claims.iter().map(|claim| {
            let known = before.get(&claim.shard).copied();
            (claim.shard, Committed::update(known, now, claim.committed))
        });
        self.committed = known.collect();
    }

    /// Shards that are led here, and of which these replicas should have applied more.
    pub(super) fn owed(&self, now: Duration, replicas: &[ReplicaStatus]) -> Vec<ShardId> {
        let owed = |status: &&ReplicaStatus| {
            let known = self.committed.get(&status.shard);
            known.is_some_and(|known| known.is_owed_to(now, status.applied))
        };
        replicas.iter().filter(owed).map(|status| status.shard).collect()
    }

    /// What the leaderships of this node are told to be worth now.
    pub(super) fn rounds_now(&self, now: Duration) -> Vec<Round> {
        let round = |(shard, fresh): (&ShardId, &Freshness)| Round {
            shard: *shard,
            age_us: u64::try_from(fresh.age(now).as_micros()).unwrap_or(u64::MAX),
            committed: fresh.committed,
        };
        self.rounds.iter().map(round).collect()
    }

    /// Takes what a leader says of its shards, in answer to what was sent then.
    pub(super) fn hear_rounds(&mut self, sent: Duration, rounds: &[Round]) {
        for round in rounds {
            let heard =
                Freshness::heard(sent, Duration::from_micros(round.age_us), round.committed);
            let known = self.heard_rounds.entry(round.shard).or_insert(heard);
            *known = known.newer(heard);
        }
    }

    /// Every peer's last answer.
    pub(super) fn backers(&self) -> Backers {
        let backed = |(node, record): (&NodeId, &PeerRecord)| Some((*node, record.backed.clone()?));
        self.records.iter().filter_map(backed).collect()
    }
}
