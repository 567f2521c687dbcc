//! Golden scripts for placement, and its invariant for clusters drawn at random.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use goldenscript::{Command, Context};
use proptest::prelude::*;

use super::*;
use crate::decide::script;

#[derive(Default)]
struct Runner {
    nodes: Vec<Candidate>,
    zones: ZoneRule,
}

impl goldenscript::Runner for Runner {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Result<String, Box<dyn Error>> {
        let mut args = command.consume_args();
        let mut out = String::new();
        match command.name.as_str() {
            // node IDS zone=NAME [capacity=1] [holds=0]
            "node" => {
                let ids: Vec<u32> = script::list(args.next_pos().ok_or("which nodes?")?)?;
                let zone = args.take_key("zone").unwrap_or("a").to_owned();
                let capacity = script::key(&mut args, "capacity")?.unwrap_or(1);
                let holds = script::key(&mut args, "holds")?.unwrap_or(0);
                for id in ids {
                    let (node, zone) = (NodeId(id), zone.clone());
                    self.nodes.push(Candidate { node, zone, capacity, holds });
                }
            }
            // zones spread|strict|ignore
            "zones" => {
                self.zones = script::zones(args.next_pos().ok_or("which rule?")?)?;
            }
            // place shards=N [replicas=3]
            "place" => {
                let shards = script::key(&mut args, "shards")?.unwrap_or(1);
                let replicas = script::key(&mut args, "replicas")?.unwrap_or(3);
                let placement = place(&self.nodes, shards, Spread { replicas, zones: self.zones });
                for nodes in &placement.shards {
                    let ids: Vec<u32> = nodes.iter().map(|node| node.0).collect();
                    writeln!(out, "{ids:?}")?;
                }
                for note in &placement.notes {
                    writeln!(out, "note: {note}")?;
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
fn golden_scripts_of_placement_hold() {
    script::each("placement", check);
}

proptest! {
    #[test]
    fn copies_of_a_shard_never_share_a_node_or_needlessly_a_zone(
        zones in prop::collection::vec(0..4_u8, 1..9),
        shards in 1..20_u16,
        replicas in 1..6_u8,
    ) {
        let nodes: Vec<Candidate> = (1..).zip(&zones).map(|(id, zone)| Candidate {
            node: NodeId(id),
            zone: format!("z{zone}"),
            capacity: 1,
            holds: 0,
        }).collect();
        let all: BTreeSet<&str> = nodes.iter().map(|node| node.zone.as_str()).collect();
        for placed in place(&nodes, shards, Spread { replicas, zones: ZoneRule::Spread }).shards {
            let distinct: BTreeSet<NodeId> = placed.iter().copied().collect();
            prop_assert_eq!(distinct.len(), usize::from(replicas).min(nodes.len()));
            let used: BTreeSet<&str> = nodes.iter()
                .filter(|node| distinct.contains(&node.node))
                .map(|node| node.zone.as_str()).collect();
            prop_assert_eq!(used.len(), all.len().min(distinct.len()));
        }
    }
}
