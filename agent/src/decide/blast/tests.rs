//! Golden scripts for every act, and the promise about quorums for clusters drawn at random.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use evenkeel_shared::view::{Maintenance, NodeState, RecoveryChange};
use goldenscript::{Command, Context};
use proptest::prelude::*;

use super::*;
use crate::decide::script;
use crate::decide::world::World as Toy;

#[derive(Default)]
struct Runner {
    world: Toy,
}

/// ACT [NODE or SHARD] [to=NODE] [down=SECONDS]
fn action(command: &Command) -> Result<Action, Box<dyn Error>> {
    let mut args = command.consume_args();
    let to = script::key(&mut args, "to")?.map(NodeId);
    let down_secs = script::key(&mut args, "down")?;
    let archive = "/archive".to_owned();
    let mut number = || script::position::<u32>(&mut args);
    Ok(match command.name.as_str() {
        "kill" => Action::Kill { node: NodeId(number()?), down_secs },
        "switchover" => Action::Switchover { shard: ShardId(number()?), to },
        "failover" => Action::Failover { shard: ShardId(number()?), to },
        "drain" => Action::Drain { node: NodeId(number()?), undo: false },
        "undrain" => Action::Drain { node: NodeId(number()?), undo: true },
        "evict" => Action::Evict { node: NodeId(number()?) },
        "switchover-node" => Action::NodeSwitchover { node: NodeId(number()?) },
        "add" => Action::ReplicaAdd { shard: ShardId(number()?), node: NodeId(number()?) },
        "remove" => Action::ReplicaRemove { shard: ShardId(number()?), node: NodeId(number()?) },
        "recover" => Action::RecoverQuorum { shards: vec![ShardId(number()?)], archive },
        "manual" => {
            let mode = evenkeel_shared::view::FailoverMode::Manual;
            Action::Recover(RecoveryChange::SetMode { keyspace: None, mode })
        }
        "maintained" => {
            let (by, why) = ("a test".to_owned(), "a new disk".to_owned());
            let maintenance = Some(Maintenance { until_unix_ms: u64::MAX, by, why });
            Action::Recover(RecoveryChange::Maintain { node: NodeId(number()?), maintenance })
        }
        "backup" => Action::Backup { archive },
        "restore" => Action::Restore { archive, backup: "b1".to_owned() },
        "accept" => Action::RestoreAccept,
        "undo" => Action::RestoreUndo,
        name => return Err(format!("unknown command {name}").into()),
    })
}

impl goldenscript::Runner for Runner {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Result<String, Box<dyn Error>> {
        let mut out = String::new();
        if self.world.build(command)? {
            return Ok(out);
        }
        if command.name == "failover-is-manual" {
            self.world.facts.recovery.modes.cluster = evenkeel_shared::view::FailoverMode::Manual;
            return Ok(out);
        }
        if command.name == "restored" {
            self.restored(command.consume_args().next_pos().unwrap_or_default());
            return Ok(out);
        }
        let act = action(command)?;
        let flight = preflight(&act, &self.world.facts, &self.world.observed);
        assert_eq!(flight.revision, self.world.facts.revision);
        writeln!(out, "{}: {:?}", flight.title, flight.harm)?;
        let lists = [
            ("quorum lost", &flight.quorum_lost),
            ("no spare", &flight.no_spare),
            ("leaders moved", &flight.leaders_moved),
        ];
        for (what, shards) in lists.into_iter().filter(|(_, shards)| !shards.is_empty()) {
            writeln!(out, "  {what}: {}", listed(shards))?;
        }
        if let Some(dropped) = flight.writes_dropped {
            writeln!(out, "  writes dropped: {dropped}")?;
        }
        for note in &flight.notes {
            writeln!(out, "  note: {note}")?;
        }
        for (what, why) in [("refused", &flight.refused), ("safer", &flight.safer)] {
            if let Some(why) = why {
                writeln!(out, "  {what}: {why}")?;
            }
        }
        if flight.refused.is_some() && may_pass(&act, &self.world.observed) {
            writeln!(out, "  it may pass within seconds")?;
        }
        Ok(out)
    }
}

impl Runner {
    /// restored PHASE: a restore stands at this phase.
    fn restored(&mut self, phase: &str) {
        let phase = match phase {
            "building" => IntentPhase::Building,
            "undoing" => IntentPhase::UndoSealing,
            _ => IntentPhase::Complete,
        };
        let id = evenkeel_shared::ids::IntentId(1);
        let pairs = vec![(Some(ShardId(1)), ShardId(9))];
        let kind = IntentKind::Restore { archive: "/archive".into(), backup: "b1".into(), pairs };
        let started = evenkeel_shared::version::Hlc(1);
        let intent =
            evenkeel_shared::view::Intent { id, kind, phase, cause: "a test".into(), started };
        self.world.facts.intents.insert(id, intent);
    }
}

fn check(path: &Path) {
    goldenscript::run(&mut Runner::default(), path).expect("the script runs");
}

#[test]
fn golden_scripts_of_blast_hold() {
    script::each("blast", check);
}

proptest! {
    #[test]
    fn predicted_quorum_loss_is_what_removing_the_node_does(
        down in prop::collection::vec(0..5_u8, 5),
        shards in prop::collection::vec(prop::sample::subsequence(vec![1_u32, 2, 3, 4, 5], 1..=5), 1..20),
        cuts in prop::collection::vec((1..=5_u32, 1..=5_u32), 0..3),
        victim in 1..=5_u32,
    ) {
        let mut toy = Toy::default();
        for (id, down) in (1..).zip(&down) {
            toy.add_node(id);
            let seen = toy.observed.nodes.entry(NodeId(id)).or_default();
            seen.state = if *down == 0 { NodeState::Down } else { NodeState::Up };
        }
        for (one, other) in &cuts {
            toy.cut(*one, *other);
        }
        for (id, on) in (1..).zip(&shards) {
            toy.add_shard(id, on, &[], Some(on[0]));
        }
        let act = Action::Kill { node: NodeId(victim), down_secs: None };
        let flight = preflight(&act, &toy.facts, &toy.observed);
        let up = |node: u32, without: u32| {
            node != without && down[usize::try_from(node - 1).expect("small")] != 0
        };
        let cut = |one: u32, other: u32| {
            one != other && up(one, 0) && up(other, 0)
                && (cuts.contains(&(one, other)) || cuts.contains(&(other, one)))
        };
        // Whether that voter, as the leader, has a majority.
        let leads = |leader: u32, on: &[u32], without: u32| {
            let led = on.iter().filter(|node| up(**node, without) && !cut(leader, **node));
            up(leader, without) && led.count() * 2 > on.len()
        };
        let any = |on: &[u32], without: u32| on.iter().any(|node| leads(*node, on, without));
        // Who leads goes on leading, if it can; without it anybody does who can.
        let after = |on: &[u32]| {
            if up(on[0], victim) { leads(on[0], on, victim) } else { any(on, victim) }
        };
        let lost: Vec<ShardId> = (1..).zip(&shards)
            .filter(|(_, on)| any(on, 0) && !after(on) && on.contains(&victim))
            .map(|(id, _)| ShardId(id)).collect();
        prop_assert_eq!(&flight.quorum_lost, &lost);
        prop_assert_eq!(flight.harm == Harm::Break, !lost.is_empty());
    }
}
