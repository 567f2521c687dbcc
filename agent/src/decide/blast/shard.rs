//! Pre-flight of what is done to a shard's leadership: switchover, failover.
//!
//! Invariant: a switchover that passes loses nothing; a failover that passes can be won.

use evenkeel_shared::ids::{NodeId, ReplicaId, ShardId};
use evenkeel_shared::preflight::{Harm, Preflight};
use evenkeel_shared::view::ShardFacts;

use super::super::explain::{candidates, loss};
use super::super::facts::{ShardObserved, name};
use super::{World, refused, titled};

impl World<'_> {
    pub(super) fn switchover(&self, shard: ShardId, to: Option<NodeId>) -> Preflight {
        let mut title = format!("hand leadership of {shard} over");
        let Some((known, seen)) = self.shard(shard) else {
            return refused(title, format!("no shard {shard}"));
        };
        let safer = Some("failover".to_owned());
        let Some(leader) = seen.leader else {
            return Preflight { safer, ..refused(title, format!("{shard} has no leader")) };
        };
        if !self.observed.answers(leader.node()) {
            let why = format!("the leader, {}, does not answer", name(self.facts, leader.node()));
            return Preflight { safer, ..refused(title, why) };
        }
        match self.heir((known, seen), to) {
            Err(why) => refused(title, why),
            Ok((heir, others)) => {
                title.push_str(" to ");
                title.push_str(&name(self.facts, heir.node()));
                let mut flight = titled(title);
                flight.leaders_moved.push(shard);
                flight.writes_dropped = Some(0);
                flight.notes.push("writes wait for at most 100 ms".to_owned());
                flight.notes.extend(others);
                flight
            }
        }
    }

    pub(super) fn failover(&self, shard: ShardId, to: Option<NodeId>) -> Preflight {
        let mut title = format!("elect another leader of {shard}");
        let Some((known, seen)) = self.shard(shard) else {
            return refused(title, format!("no shard {shard}"));
        };
        let leader = seen.leader;
        let gone = |node: NodeId| leader.is_some_and(|leader| leader.node() == node);
        let without = seen.led_voters(self.observed, gone);
        if without < seen.quorum() {
            let voters = seen.voters.len();
            let why = format!("only {without} of {voters} voters live besides the leader");
            let mut flight = refused(title, format!("{why}: no majority can elect"));
            if leader.is_none() {
                flight.safer = Some("bring a voter back; if they are lost, `recover`".to_owned());
            }
            return flight;
        }
        let (heir, others) = match self.heir((known, seen), to) {
            Err(why) => return refused(title, why),
            Ok(heir) => heir,
        };
        title.push_str(": ");
        title.push_str(&name(self.facts, heir.node()));
        let mut flight = titled(title);
        flight.leaders_moved.push(shard);
        let (lost, why) = loss(self.facts, known, seen, Some(heir));
        flight.writes_dropped = lost;
        let living = leader.filter(|leader| self.observed.answers(leader.node()));
        if let Some(leader) = living {
            flight.harm = Harm::Risk;
            let called = name(self.facts, leader.node());
            flight.notes.push(format!("{called} leads and answers: its writes under way may fail"));
            flight.safer = Some("switchover".to_owned());
        }
        if self.leader_acknowledges(known) {
            flight.harm = Harm::Risk;
            flight.notes.push(why);
        }
        flight.notes.extend(others);
        flight
    }

    fn shard(&self, shard: ShardId) -> Option<(&ShardFacts, &ShardObserved)> {
        self.facts.shards.get(&shard).zip(self.observed.shards.get(&shard))
    }

    /// Who would lead next: whoever was asked for, if it can, or the best candidate; and why it is
    /// none of the others.
    fn heir(
        &self,
        (known, seen): (&ShardFacts, &ShardObserved),
        to: Option<NodeId>,
    ) -> Result<(ReplicaId, Vec<String>), String> {
        let (table, best) = candidates(self.facts, self.observed, (known, seen), None);
        let heir = match to {
            None => best.ok_or_else(|| "no other voter can lead".to_owned())?,
            Some(to) => {
                let called = name(self.facts, to);
                let voter = seen.voters.iter().find(|voter| voter.node() == to);
                let voter =
                    voter.ok_or_else(|| format!("{called} holds no voter of this shard"))?;
                let against = table.iter().find(|it| it.node == to && !it.able);
                match against {
                    Some(against) => return Err(format!("{called} can't lead: {}", against.why)),
                    None => *voter,
                }
            }
        };
        let others = table.iter().filter(|it| it.node != heir.node());
        let others = others.filter(|it| Some(it.node) != seen.leader.map(ReplicaId::node));
        let said = |it: &evenkeel_shared::explain::Candidate| {
            let why = if to.is_some() && it.able { "able; another was asked for" } else { &it.why };
            format!("not {}: {why}", name(self.facts, it.node))
        };
        Ok((heir, others.map(said).collect()))
    }
}
