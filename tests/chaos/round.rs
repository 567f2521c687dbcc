//! One fault from its beginning to its healing, and what shows that it has really fired.
//!
//! A fault that isn't seen in time fails the run: calm weather proves nothing.

use evenkeel_tests::{Agent, Contenders, pass, wait_for};

use crate::fault::{Fault, Kind, NODES, Victims, Way, name, ways};
use crate::stage::{SOON, Stage};

/// Times that each key must be read and written during a fault, and again after it.
const SERVED: usize = 2;
/// Turns of flapping that are waited for, on both sides.
const TURNS: usize = 2;

/// A fault under way.
pub(crate) struct Round<'a> {
    stage: &'a mut Stage,
    fault: &'a Fault,
    victims: Vec<usize>,
    /// The lowest node that isn't struck: whom the others are asked about.
    observer: usize,
    cut: Vec<Way>,
    /// What shows that the fault has fired.
    seen: Vec<String>,
}

impl<'a> Round<'a> {
    /// A fault that is about to strike.
    pub(crate) fn new(stage: &'a mut Stage, fault: &'a Fault) -> Self {
        let victims = match &fault.victims {
            Victims::Nodes(nodes) => nodes.clone(),
            Victims::Busiest => vec![stage.cluster.busiest()],
        };
        let cut = ways(fault.kind, &victims);
        let observer = (0..NODES).find(|node| !victims.contains(node));
        let observer = observer.expect("a majority is never struck");
        Self { stage, fault, victims, observer, cut, seen: Vec::new() }
    }

    /// Strikes, is seen, is survived by the clients, heals, and is over; what was seen.
    pub(crate) fn play(mut self, contenders: &Contenders) -> Vec<String> {
        match self.fault.kind {
            Kind::Kill | Kind::ZoneKilled => self.kill(),
            Kind::Freeze => self.freeze(),
            Kind::Unheard | Kind::Deaf | Kind::ZoneCut => self.cut_off(),
            Kind::Halves => self.cut_in_halves(),
            Kind::IsolatedLeader => self.isolate(),
            Kind::Flapping => self.flap(),
        }
        contenders.wait_until_all_are_served(SERVED);
        pass(self.fault.hold);
        self.heal();
        self.stage.cluster.wait_healthy();
        self.wait_all_back();
        contenders.wait_until_all_are_served(SERVED);
        self.seen
    }

    fn kill(&mut self) {
        self.agents().for_each(Agent::kill);
        self.wait_down();
    }

    fn freeze(&mut self) {
        self.agents().for_each(|agent| agent.freeze());
        self.wait_down();
    }

    fn cut_off(&mut self) {
        let before = self.stage.namespaces.dropped();
        self.stage.namespaces.cut(&self.cut);
        self.wait_down();
        self.wait_dropped(before);
    }

    fn cut_in_halves(&mut self) {
        self.cut_off();
        // The smaller half misses the larger one, too.
        let inside = self.victims[0];
        let others: Vec<usize> = (0..NODES).filter(|node| !self.victims.contains(node)).collect();
        self.stage
            .wait_states(inside, &others, "are gone", |state| !matches!(state, "UP" | "SLOW"));
        self.seen.push(format!("{} sees none of the larger half", name(inside)));
    }

    fn isolate(&mut self) {
        let (victim, observer) = (name(self.victims[0]), self.observer);
        let led = wait_for("the busiest is seen to lead", SOON, || {
            let leaders = self.stage.leaders(observer)?;
            let its = leaders.into_iter().filter(|(_, leader)| leader.as_ref() == Some(&victim));
            let its: Vec<u64> = its.map(|(shard, _)| shard).collect();
            (!its.is_empty()).then_some(its)
        });
        self.cut_off();
        wait_for("all that it led is led by others", SOON, || {
            let leaders = self.stage.leaders(observer)?;
            let leader = |shard| leaders.get(shard).cloned().flatten();
            let moved = |shard| leader(shard).is_some_and(|leader| leader != victim);
            led.iter().all(moved).then_some(())
        });
        self.seen.push(format!("{} shards of {victim} are led by others", led.len()));
    }

    fn flap(&mut self) {
        // Too short to be noticed, or not: packets are lost in any case.
        let before = self.stage.namespaces.dropped();
        for (off, on) in &self.fault.flaps {
            self.stage.namespaces.cut(&self.cut);
            pass(*off);
            self.stage.namespaces.mend(&self.cut);
            pass(*on);
        }
        self.wait_dropped(before);
        for turn in 1..=TURNS {
            self.cut_off();
            if turn < TURNS {
                self.heal();
                self.wait_all_back();
            }
        }
    }

    fn heal(&mut self) {
        match self.fault.kind {
            Kind::Kill | Kind::ZoneKilled => self.agents().for_each(Agent::start),
            Kind::Freeze => self.agents().for_each(|agent| agent.thaw()),
            _ => self.stage.namespaces.mend(&self.cut),
        }
    }

    fn agents(&mut self) -> impl Iterator<Item = &mut Agent> {
        let agents = self.stage.cluster.agents.iter_mut().enumerate();
        agents.filter(|(node, _)| self.victims.contains(node)).map(|(_, agent)| agent)
    }

    fn wait_down(&mut self) {
        self.stage.wait_states(self.observer, &self.victims, "are DOWN", |state| state == "DOWN");
        let names: Vec<String> = self.victims.iter().copied().map(name).collect();
        self.seen.push(format!("{} DOWN", names.join(" ")));
    }

    fn wait_all_back(&self) {
        let all: Vec<usize> = (0..NODES).collect();
        self.stage
            .wait_states(self.observer, &all, "are back", |state| matches!(state, "UP" | "SLOW"));
    }

    fn wait_dropped(&mut self, before: u64) {
        let dropped = wait_for("the router drops packets", SOON, || {
            self.stage.namespaces.dropped().checked_sub(before).filter(|dropped| *dropped > 0)
        });
        self.seen.push(format!("{dropped} packets dropped"));
    }
}
