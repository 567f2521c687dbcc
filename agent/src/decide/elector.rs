//! Drives the elections of every shard that this node holds, in the place of Raft's own timers
//! (design §5): canvass before any term moves, and elect only with a majority behind.
//!
//! Invariant: a wrong decision here costs an election, never data; Raft's votes, one a term and
//! checked against the log, are untouched. The caller holds facts no older than its last event.

mod action;
pub mod backing;
mod ballot;
mod config;
mod facts;
mod lead;
mod unled;
mod whom;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use evenkeel_shared::heartbeat::RaftRole;
use evenkeel_shared::ids::{NodeId, ReplicaId, ShardId};
use evenkeel_shared::service::peer::{CanvassAnswer, CanvassQuestion};

pub use self::action::{Answered, ElectorAction};
use self::ballot::{Ballot, Count};
pub use self::config::ElectorConfig;
pub use self::facts::{ClaimHeard, GroupFacts, LastLog, PeerFacts, Peers, VoterSets, is_majority};
use self::unled::Learned;
pub use self::unled::Unled;
pub(super) use self::whom::scatter;
use self::whom::{alive, whom_to_ask};

/// Everything that the elector is told at a tick.
#[derive(Clone, Copy, Debug)]
pub struct ElectorFacts<'a> {
    /// This node's replicas.
    pub groups: &'a [GroupFacts],
    /// What was heard of the peers.
    pub peers: &'a Peers,
}

/// The state of all of this node's elections.
#[derive(Clone, Debug)]
pub struct Elector {
    config: ElectorConfig,
    seed: u64,
    draws: u64,
    round: u64,
    shards: BTreeMap<ShardId, Standing>,
    asked: BTreeMap<(u64, NodeId), Asked>,
    wake: Duration,
}

/// A call whose answers are awaited.
#[derive(Clone, Debug)]
struct Asked {
    since: Duration,
    shards: Vec<ShardId>,
}

/// One shard's part of it.
#[derive(Clone, Debug)]
struct Standing {
    learned: Learned,
    /// No canvass before.
    next: Option<Duration>,
    tries: u32,
    deferrals: u32,
    ballot: Option<Ballot>,
    /// The vote for another that was waited for.
    waited_for: Option<Duration>,
    /// The term of an own candidacy that was given its time.
    candidate_of: Option<u64>,
    /// Who was held dead when a majority was last missed: with one of them back, ask again.
    missed: BTreeSet<NodeId>,
    /// As leader: the last nudge, and the last request that another stand.
    nudged: Option<Duration>,
    asked_to_stand: Option<(Duration, NodeId)>,
}

impl Elector {
    /// An elector that knows no shard; the seed decides every jitter.
    pub fn new(config: ElectorConfig, seed: u64) -> Self {
        Self {
            config,
            seed,
            draws: 0,
            round: 0,
            shards: BTreeMap::new(),
            asked: BTreeMap::new(),
            wake: Duration::ZERO,
        }
    }

    /// Looks at every shard: call it at `next_wake` at the latest, and at once when a verdict, an
    /// incarnation or a replica's role, term or leader has changed.
    pub fn tick(&mut self, now: Duration, facts: ElectorFacts<'_>) -> Vec<ElectorAction> {
        self.wake = now + self.config.tick_max;
        let held: BTreeSet<ShardId> = facts.groups.iter().map(|group| group.shard).collect();
        self.shards.retain(|shard, _| held.contains(shard));
        // Every call ends by its deadline; an answer that never comes must not be kept for ever.
        let limit = self.config.answer_limit * 10;
        self.asked.retain(|_, asked| now.saturating_sub(asked.since) < limit);
        self.round += 1;
        let round = self.round;
        let mut actions = Vec::new();
        let mut questions: BTreeMap<NodeId, Vec<CanvassQuestion>> = BTreeMap::new();
        for group in facts.groups {
            self.learn(now, group, facts.peers);
            if group.role == RaftRole::Leader {
                actions.extend(self.lead(now, group, facts.peers));
            } else if let Some(cause) = self.wants_canvass(now, group, facts.peers) {
                self.open(now, group, facts.peers, &mut questions);
                actions.extend(self.judge(now, group, facts.peers, cause));
            }
        }
        for (node, questions) in questions {
            let shards = questions.iter().map(|question| question.shard).collect();
            self.asked.insert((round, node), Asked { since: now, shards });
            actions.push(ElectorAction::Canvass { node, round, questions });
        }
        actions
    }

    /// A peer has answered a canvass, in the order of the questions, or its call has failed.
    pub fn on_answers(
        &mut self,
        now: Duration,
        round: u64,
        from: NodeId,
        answers: Option<&[CanvassAnswer]>,
        facts: ElectorFacts<'_>,
    ) -> Vec<ElectorAction> {
        let Some(Asked { shards, .. }) = self.asked.remove(&(round, from)) else {
            return Vec::new();
        };
        let answers = answers.unwrap_or_default();
        for (place, shard) in shards.iter().enumerate() {
            let ballot = self.shards.get_mut(shard).and_then(|standing| standing.ballot.as_mut());
            if let Some(ballot) = ballot.filter(|ballot| ballot.round == round) {
                ballot.take(from, answers.get(place).copied());
            }
        }
        let mut actions = Vec::new();
        for group in facts.groups.iter().filter(|group| shards.contains(&group.shard)) {
            self.learn(now, group, facts.peers);
            if let Some(cause) = self.unled(now, group, facts.peers) {
                actions.extend(self.judge(now, group, facts.peers, cause));
            }
        }
        actions
    }

    /// Answers a peer's canvass; `group` is this node's replica of that shard, if it has one. Ask
    /// `next_wake` anew afterwards: a leader that canvasses for its own shard has given it up.
    pub fn answer(
        &mut self,
        now: Duration,
        question: &CanvassQuestion,
        group: Option<&GroupFacts>,
        peers: &Peers,
    ) -> Answered {
        let Some(group) = group.filter(|group| group.role != RaftRole::Stopped) else {
            let answer = CanvassAnswer { replica: None, unled: false, last: None };
            return Answered { answer, nudge: None };
        };
        self.learn(now, group, peers);
        let leads = group.role == RaftRole::Leader;
        // Who leads in my eyes and canvasses in that term, or a later one, leads no more.
        if group.leader == Some(question.from)
            && question.term >= group.term
            && let Some(standing) = self.shards.get_mut(&group.shard)
        {
            standing.learned.disowned = Some(now);
            self.wake = now;
        }
        let unled = self.unled(now, group, peers).is_some();
        let answer = CanvassAnswer { replica: Some(group.me), unled, last: group.last };
        Answered { answer, nudge: leads.then_some(group.shard) }
    }

    /// Whether a vote request for this replica's shard is to carry `leadership_transfer`, so that
    /// no lease holds it up: iff this node holds the shard unled itself. A flag that is already
    /// set is never cleared.
    pub fn may_skip_lease(&self, now: Duration, group: &GroupFacts, peers: &Peers) -> bool {
        self.unled(now, group, peers).is_some()
    }

    /// Whether this node holds the shard unled, and why.
    pub fn unled(&self, now: Duration, group: &GroupFacts, peers: &Peers) -> Option<Unled> {
        let before = self.shards.get(&group.shard).map(|standing| standing.learned);
        let learned = Learned::update(before, now, group, peers);
        unled::unled(&self.config, now, group, &learned, peers)
    }

    /// When `tick` is to be called next if nothing happens before; it changes with every call.
    pub fn next_wake(&self, now: Duration) -> Duration {
        self.wake.max(now + Duration::from_millis(1))
    }

    /// The settings.
    pub fn config(&self) -> &ElectorConfig {
        &self.config
    }

    fn learn(&mut self, now: Duration, group: &GroupFacts, peers: &Peers) {
        let before = self.shards.get(&group.shard).map(|standing| standing.learned);
        let learned = Learned::update(before, now, group, peers);
        let standing = self.shards.entry(group.shard).or_insert_with(|| Standing::new(learned));
        if standing.learned.term != learned.term {
            // Something has happened: whoever deferred starts to wait anew.
            standing.deferrals = 0;
            standing.ballot = None;
        }
        standing.learned = learned;
    }

    /// Why this shard needs the elector's attention now: a canvass is due or under way.
    fn wants_canvass(&mut self, now: Duration, group: &GroupFacts, peers: &Peers) -> Option<Unled> {
        if !group.may_stand() {
            return None;
        }
        let cause = self.unled(now, group, peers);
        let patience = self.draw(self.config.patience);
        let election = self.draw(self.config.election);
        let config = self.config;
        let standing = self.shards.get_mut(&group.shard)?;
        if !group.automatic && cause.is_some_and(|cause| cause.is_failover_for(group)) {
            // Operators decide: who has to, stands when it is told to.
            standing.rest();
            return None;
        }
        let Some(cause) = cause else {
            standing.rest();
            let lapse = unled::lapses_at(&config, group, &standing.learned, peers);
            // A claim that lapsed while its node is excused is looked at when the grace is over.
            self.wake = self.wake.min(lapse.filter(|at| *at > now).unwrap_or(self.wake));
            return None;
        };
        if let Some(voted) = group.voted_at
            && cause == Unled::NoLeader
            && standing.waited_for != Some(voted)
        {
            // Whoever got this vote is given the time to be heard as leader.
            standing.waited_for = Some(voted);
            standing.ballot = None;
            standing.next = Some(voted + patience);
        }
        if group.role == RaftRole::Candidate && standing.candidate_of != Some(group.term) {
            // It stands by whatever order: who asks now whether the shard is unled is taken, once
            // it has won, for a leader that has given up.
            standing.candidate_of = Some(group.term);
            standing.ballot = None;
            standing.next = Some(now + election);
        }
        if standing.missed.iter().any(|node| alive(*node, peers)) {
            standing.missed.clear();
            standing.tries = 0;
            standing.next = Some(now);
        }
        standing.next.get_or_insert(now);
        Some(cause)
    }

    /// Opens a ballot if one is due, and adds its questions to what each peer is asked.
    fn open(
        &mut self,
        now: Duration,
        group: &GroupFacts,
        peers: &Peers,
        questions: &mut BTreeMap<NodeId, Vec<CanvassQuestion>>,
    ) {
        let Some(standing) = self.shards.get_mut(&group.shard) else { return };
        let next = standing.next.unwrap_or(now);
        if now < next || standing.ballot.is_some() {
            if standing.ballot.is_none() {
                self.wake = self.wake.min(next);
            }
            return;
        }
        let asked = whom_to_ask(group, peers);
        let question = CanvassQuestion {
            shard: group.shard,
            from: group.me,
            term: group.term,
            last: group.last,
        };
        for node in &asked {
            questions.entry(*node).or_default().push(question);
        }
        standing.tries = standing.tries.saturating_add(1);
        standing.ballot = Some(Ballot::new(now, self.round, group, asked));
    }

    /// Counts a ballot once it may be counted, and draws the consequence.
    fn judge(
        &mut self,
        now: Duration,
        group: &GroupFacts,
        peers: &Peers,
        cause: Unled,
    ) -> Option<ElectorAction> {
        let config = self.config;
        let standing = self.shards.get_mut(&group.shard)?;
        let ballot = standing.ballot.as_ref()?;
        if !ballot.fits(group) {
            // The log has grown or the term has moved since: the question was another one.
            standing.ballot = None;
            standing.next = Some(now + config.retry);
            self.wake = self.wake.min(now + config.retry);
            return None;
        }
        let count = ballot.count(group);
        let (started, age) = (ballot.started, now.saturating_sub(ballot.started));
        let certain = count == Count::Win || count == Count::Outranked;
        let ripe = ballot.complete(peers)
            || age >= config.answer_limit
            || (certain && age >= config.linger);
        if !ripe {
            let limit = if certain { config.linger } else { config.answer_limit };
            self.wake = self.wake.min(started + limit);
            return None;
        }
        let heir = ballot.heir(group, cause, count);
        standing.ballot = None;
        standing.missed.clear();
        if let Some(node) = heir {
            let next = now + self.draw(config.patience);
            self.shards.get_mut(&group.shard)?.next = Some(next);
            self.wake = self.wake.min(next);
            let (shard, term) = (group.shard, group.term);
            return Some(ElectorAction::AskToStand { shard, term, node, cause });
        }
        if count == Count::Denied {
            let nodes = group.electorate().into_iter().map(ReplicaId::node);
            standing.missed = nodes.filter(|node| !alive(*node, peers)).collect();
        }
        let patient = count == Count::Outranked && standing.deferrals < config.deferrals_max;
        let tries = standing.tries;
        let pause = match count {
            Count::Win => None,
            Count::Outranked if !patient => None,
            Count::Outranked | Count::Behind if standing.deferrals < config.deferrals_max => {
                standing.deferrals += 1;
                Some(now + config.defer)
            }
            Count::Denied if tries <= config.quick_retries => {
                // A peer that came back may have reset the count while the question was out.
                let doublings = tries.saturating_sub(1).min(16);
                Some((started + config.retry * (1 << doublings)).max(now))
            }
            Count::Denied | Count::Outranked | Count::Behind => {
                Some(now + self.draw(config.patience))
            }
        };
        let elected = pause.is_none();
        let next = pause.unwrap_or_else(|| {
            let quick = tries <= config.deferrals_max;
            now + self.draw(if quick { config.election } else { config.patience })
        });
        self.shards.get_mut(&group.shard)?.next = Some(next);
        self.wake = self.wake.min(next);
        elected.then_some(ElectorAction::Elect { shard: group.shard, term: group.term, cause })
    }

    /// A duration between two, decided by the seed and the number of draws before.
    fn draw(&mut self, (from, to): (Duration, Duration)) -> Duration {
        self.draws += 1;
        let span = u64::try_from(to.saturating_sub(from).as_micros()).unwrap_or(u64::MAX).max(1);
        from + Duration::from_micros(scatter(self.seed, self.draws) % span)
    }
}

impl Standing {
    fn new(learned: Learned) -> Self {
        Self {
            learned,
            next: None,
            tries: 0,
            deferrals: 0,
            ballot: None,
            waited_for: None,
            candidate_of: None,
            missed: BTreeSet::new(),
            nudged: None,
            asked_to_stand: None,
        }
    }

    /// Somebody leads: there is nothing to canvass for.
    fn rest(&mut self) {
        self.next = None;
        self.tries = 0;
        self.deferrals = 0;
        self.ballot = None;
        self.missed.clear();
    }
}
