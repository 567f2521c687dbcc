//! A cluster of real agents, each in its namespace, and what a node of it sees of the others.
//!
//! It is asked from the clients' namespace, through an agent that the asker names.

use std::collections::BTreeMap;
use std::time::Duration;

use evenkeel_tests::{
    Agent, Cluster, ClusterPlan, Contenders, ContendersPlan, Network, Site, wait_for,
};
use serde_json::Value;

use crate::Namespaces;
use crate::fault::{End, NODES, ZONES, name};
use crate::namespaces::address;

/// How long a change may take on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);
/// Clients at work that read and write.
const WRITERS: usize = 6;
/// Clients at work that only read.
const READERS: usize = 3;

/// Agents at work, and the namespaces that they are in.
pub(crate) struct Stage {
    /// The agents: they end before their namespaces go.
    pub(crate) cluster: Cluster,
    /// Their networks.
    pub(crate) namespaces: Namespaces,
}

impl Stage {
    /// A healthy cluster with no two copies of a shard in one zone.
    pub(crate) fn start() -> Self {
        let namespaces = Namespaces::make("run", NODES);
        let sites = (0..NODES).map(|node| Site {
            rpc: format!("{}:7400", address(End::Node(node))),
            resp: format!("{}:7401", address(End::Node(node))),
            zone: ZONES[node].to_owned(),
            network: namespaces.at(End::Node(node)),
        });
        let flags = vec!["--insecure".to_owned()];
        let nodes = u8::try_from(NODES).expect("few");
        let plan = ClusterPlan { nodes, shards: 8, flags };
        let mut cluster = Cluster::plan_at(&plan, sites.collect(), namespaces.at(End::Clients));
        cluster.agents.iter_mut().for_each(Agent::start);
        cluster.wait_healthy();
        cluster.run(&["keyspace", "set", "default", "--zones", "strict", "--yes"]).expect(0);
        let count = NODES.to_string();
        let wait = ["wait", "--until", "balanced", "--nodes", &count, "--timeout", "60s"];
        cluster.run(&wait).expect(0);
        Self { cluster, namespaces }
    }

    /// Clients that contend for keys of this name.
    pub(crate) fn contend(&self, prefix: String, seed: u64) -> Contenders {
        let (seeds, network) = (self.cluster.addresses(), self.clients());
        let (writers, readers) = (WRITERS, READERS);
        Contenders::of(&ContendersPlan { seeds, writers, readers, prefix, seed, network })
    }

    /// The clients' network.
    pub(crate) fn clients(&self) -> Network {
        self.namespaces.at(End::Clients)
    }

    /// The state of each node as this one sees it, if it answers.
    pub(crate) fn states(&self, observer: usize) -> Option<BTreeMap<String, String>> {
        let nodes = self.ask_at(observer, &["nodes"])?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let state = |node: &Value| Some((text(&node["name"])?, text(&node["state"])?));
        nodes.as_array()?.iter().map(state).collect()
    }

    /// The leader of each shard as this node sees it, if it answers.
    pub(crate) fn leaders(&self, observer: usize) -> Option<BTreeMap<u64, Option<String>>> {
        let shards = self.ask_at(observer, &["shards"])?;
        let leader = |shard: &Value| {
            Some((shard["id"].as_u64()?, shard["leader"].as_str().map(str::to_owned)))
        };
        shards.as_array()?.iter().map(leader).collect()
    }

    /// Waits until this node sees each of these in a state that is as asked.
    pub(crate) fn wait_states(
        &self,
        observer: usize,
        nodes: &[usize],
        what: &str,
        is: impl Fn(&str) -> bool,
    ) {
        let names: Vec<String> = nodes.iter().copied().map(name).collect();
        let observer_name = name(observer);
        wait_for(&format!("{observer_name} sees that {names:?} {what}"), SOON, || {
            let states = self.states(observer)?;
            names.iter().all(|name| states.get(name).is_some_and(|it| is(it))).then_some(())
        });
    }

    fn ask_at(&self, observer: usize, words: &[&str]) -> Option<Value> {
        let said = self.cluster.run_at(observer, &[words, &["--json"]].concat());
        (said.code == Some(0)).then(|| said.json())
    }
}
