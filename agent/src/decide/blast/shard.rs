//! Pre-flight of what is done to a shard's leadership: switchover, failover.
//!
//! Invariant: a switchover that passes loses nothing; a failover that passes can be won.

use evenkeel_shared::ids::{NodeId, ReplicaId, ShardId};
use evenkeel_shared::preflight::{Harm, Preflight};

use super::super::facts::{ShardObserved, name};
use super::{World, refused, titled};

impl World<'_> {
    pub(super) fn switchover(&self, shard: ShardId, to: Option<NodeId>) -> Preflight {
        let mut title = format!("hand leadership of {shard} over");
        let Some(seen) = self.observed.shards.get(&shard) else {
            return refused(title, format!("no shard {shard}"));
        };
        let safer = Some("failover".to_owned());
        let Some(leader) = seen.leader else {
            return Preflight { safer, ..refused(title, format!("{shard} has no leader")) };
        };
        if !self.observed.lives(leader.node()) {
            let why = format!("the leader, {}, does not answer", name(self.facts, leader.node()));
            return Preflight { safer, ..refused(title, why) };
        }
        match self.heir(seen, Some(leader), to) {
            Err(why) => refused(title, why),
            Ok(heir) => {
                title.push_str(" to ");
                title.push_str(&name(self.facts, heir.node()));
                let mut flight = titled(title);
                flight.leaders_moved.push(shard);
                flight.writes_dropped = Some(0);
                flight.notes.push("writes wait for at most 100 ms".to_owned());
                flight
            }
        }
    }

    pub(super) fn failover(&self, shard: ShardId, to: Option<NodeId>) -> Preflight {
        let mut title = format!("elect another leader of {shard}");
        let Some(seen) = self.observed.shards.get(&shard) else {
            return refused(title, format!("no shard {shard}"));
        };
        let leader = seen.leader;
        let without = seen.live_voters(self.observed, leader.map(ReplicaId::node));
        if without < seen.quorum() {
            let voters = seen.voters.len();
            let why = format!("only {without} of {voters} voters live besides the leader");
            return refused(title, format!("{why}: no majority can elect"));
        }
        let heir = match self.heir(seen, leader, to) {
            Err(why) => return refused(title, why),
            Ok(heir) => heir,
        };
        title.push_str(": ");
        title.push_str(&name(self.facts, heir.node()));
        let mut flight = titled(title);
        flight.leaders_moved.push(shard);
        flight.writes_dropped = Some(0);
        let living = leader.filter(|leader| self.observed.lives(leader.node()));
        if let Some(leader) = living {
            flight.harm = Harm::Risk;
            let called = name(self.facts, leader.node());
            flight.notes.push(format!("{called} leads and answers: its writes under way may fail"));
            flight.safer = Some("switchover".to_owned());
        }
        if self.facts.shards.get(&shard).is_some_and(|facts| self.leader_acknowledges(facts)) {
            flight.harm = Harm::Risk;
            flight.writes_dropped = None;
            flight.notes.push("the leader acknowledges alone: its last writes may be lost".into());
        }
        flight
    }

    /// Who would lead next: whoever was asked for, if it can, or the voter least behind.
    fn heir(
        &self,
        seen: &ShardObserved,
        leader: Option<ReplicaId>,
        to: Option<NodeId>,
    ) -> Result<ReplicaId, String> {
        let able = |voter: &ReplicaId| {
            let called = name(self.facts, voter.node());
            if Some(*voter) == leader {
                return Err(format!("{called} leads already"));
            }
            if !self.observed.lives(voter.node()) {
                return Err(format!("{called} does not answer"));
            }
            // Without a leader nobody is behind anybody.
            if leader.is_some_and(|leader| self.observed.lives(leader.node()))
                && !seen.caught_up(*voter)
            {
                return Err(format!("{called} is not caught up"));
            }
            Ok(*voter)
        };
        let Some(to) = to else {
            let heirs = seen.voters.iter().filter_map(|voter| able(voter).ok());
            let lag = |voter: &ReplicaId| seen.replicas.get(voter).and_then(|seen| seen.lag);
            let best = heirs.min_by_key(|voter| (lag(voter).is_none(), lag(voter), *voter));
            return best.ok_or_else(|| "no other voter can lead".to_owned());
        };
        let voter = seen.voters.iter().find(|voter| voter.node() == to);
        let called = name(self.facts, to);
        able(voter.ok_or_else(|| format!("{called} holds no voter of this shard"))?)
    }
}
