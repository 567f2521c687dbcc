//! A cluster of agents in one throwaway folder, and what is asked of it.
//!
//! The first agent founds; the others know all agents' addresses, whatever the order of start.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::agent::{Agent, AgentPlan, Entry};
use crate::clock::wait_for;
use crate::command::{Output, evenkeel_in};
use crate::network::Network;
use crate::ports::Ports;

/// How long a change may take to be visible on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// What a cluster is made of.
#[derive(Clone, Debug)]
pub struct ClusterPlan {
    /// Agents, at most 26: each has a zone of its own.
    pub nodes: u8,
    /// Shards of the first keyspace.
    pub shards: u16,
    /// More flags for each agent.
    pub flags: Vec<String>,
}

impl Default for ClusterPlan {
    fn default() -> Self {
        Self { nodes: 3, shards: 4, flags: Vec::new() }
    }
}

/// Where an agent runs.
#[derive(Clone, Debug)]
pub struct Site {
    /// Where it listens.
    pub rpc: String,
    /// Where it speaks the Redis protocol.
    pub resp: String,
    /// Its failure domain.
    pub zone: String,
    /// The network that it speaks in.
    pub network: Network,
}

/// Agents, and the folder that they live in.
#[derive(Debug)]
pub struct Cluster {
    /// The agents; the first one founds.
    pub agents: Vec<Agent>,
    /// The network from which it is asked.
    operator: Network,
    /// After the agents, so that nobody writes into what is being removed.
    folder: TempDir,
}

impl Cluster {
    /// Agents that have not been started, on loopback, each in a zone of its own.
    pub fn plan(plan: &ClusterPlan) -> Self {
        let mut ports = Ports::block();
        let sites = (0..plan.nodes).map(|place| Site {
            rpc: ports.address(),
            resp: ports.address(),
            zone: char::from(b'a' + place).to_string(),
            network: Network::Own,
        });
        Self::plan_at(plan, sites.collect(), Network::Own)
    }

    /// Agents that have not been started, one at each of these sites, and asked from there.
    pub fn plan_at(plan: &ClusterPlan, sites: Vec<Site>, operator: Network) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let seeds: Vec<String> = sites.iter().map(|site| site.rpc.clone()).collect();
        let agents = sites.into_iter().zip(1u8..).map(|(site, number)| {
            let mut flags = plan.flags.clone();
            let mut entry = Entry::Join(seeds.clone());
            if number == 1 {
                entry = Entry::Bootstrap;
                flags.extend(["--shards".to_owned(), plan.shards.to_string()]);
                flags.extend(["--replicas".to_owned(), plan.nodes.min(3).to_string()]);
            }
            Agent::new(AgentPlan {
                name: format!("n{number}"),
                zone: site.zone,
                rpc: site.rpc,
                resp: site.resp,
                network: site.network,
                entry,
                folder: folder.path().to_path_buf(),
                flags,
            })
        });
        Self { agents: agents.collect(), operator, folder }
    }

    /// A healthy cluster of so many agents.
    pub fn start(nodes: u8) -> Self {
        Self::start_with(&ClusterPlan { nodes, ..ClusterPlan::default() })
    }

    /// A healthy cluster.
    pub fn start_with(plan: &ClusterPlan) -> Self {
        let mut cluster = Self::plan(plan);
        cluster.agents.iter_mut().for_each(Agent::start);
        cluster.wait_healthy();
        cluster
    }

    /// The folder that everything lies in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// All agents' addresses.
    pub fn addresses(&self) -> Vec<String> {
        self.agents.iter().map(|agent| agent.plan.rpc.clone()).collect()
    }

    /// Runs a command against all agents.
    pub fn run(&self, words: &[&str]) -> Output {
        let addresses = self.addresses().join(",");
        evenkeel_in(&self.operator, &[&["--connect", &addresses], words].concat())
    }

    /// Runs a command through one agent.
    pub fn run_at(&self, agent: usize, words: &[&str]) -> Output {
        let address = &self.agents[agent].plan.rpc;
        evenkeel_in(&self.operator, &[&["--connect", address], words].concat())
    }

    /// What a command that succeeds prints with `--json`.
    pub fn ask(&self, words: &[&str]) -> Value {
        self.run(&[words, &["--json"]].concat()).expect(0).json()
    }

    /// Waits until every node is up and every shard has all its copies and a leader.
    pub fn wait_healthy(&self) {
        let nodes = self.agents.len().to_string();
        self.run(&["wait", "--until", "healthy", "--nodes", &nodes, "--timeout", "60s"]).expect(0);
    }

    /// Waits until a node is in a state.
    pub fn wait_state(&self, name: &str, state: &str) {
        wait_for(&format!("{name} is {state}"), SOON, || {
            let nodes = self.run(&["nodes", "--json"]);
            (nodes.code == Some(0)).then_some(())?;
            let nodes = nodes.json();
            let found = nodes.as_array()?.iter().find(|node| node["name"] == name)?.clone();
            (found["state"] == state).then_some(())
        });
    }

    /// The place of the running agent that leads most shards.
    pub fn busiest(&mut self) -> usize {
        wait_for("some agent leads", SOON, || {
            let nodes = self.run(&["nodes", "--json"]);
            (nodes.code == Some(0)).then_some(())?;
            let nodes = nodes.json();
            let nodes = nodes.as_array()?.iter();
            let most = nodes.filter(|node| node["state"] == "UP");
            let most = most.max_by_key(|node| node["leaders"].as_u64().unwrap_or(0))?;
            (most["leaders"].as_u64()? > 0).then_some(())?;
            let name = most["name"].as_str()?.to_owned();
            let place = self.agents.iter().position(|agent| agent.plan.name == name)?;
            self.agents[place].is_running().then_some(place)
        })
    }

    /// The place of the agent that leads the shard of a key that is there.
    pub fn leader_of(&self, key: &str) -> usize {
        let got = self.run(&["kv", "get", key, "--json"]).expect(0).json();
        wait_for("its shard has a leader", SOON, || {
            let shards = self.ask(&["shards"]);
            let ours = shards.as_array()?.iter().find(|it| it["id"] == got["version"]["shard"])?;
            let leader = ours["leader"].as_str()?;
            self.agents.iter().position(|agent| agent.plan.name == leader)
        })
    }

    /// Waits until the replicas of a shard stand at one index, and asserts that they hold the same.
    pub fn assert_hashes_agree(&self, shard: u64) -> Value {
        let shard = shard.to_string();
        wait_for(&format!("replicas of s{shard} stand at one index"), SOON, || {
            let hashes = self.run(&["shard", "hashes", &shard, "--json"]);
            if !matches!(hashes.code, Some(0 | 1)) || hashes.stdout.is_empty() {
                return None;
            }
            let hashes = hashes.json();
            assert_ne!(hashes["agree"], Value::Bool(false), "{hashes}");
            let all = hashes["replicas"].as_array()?.len() == self.agents.len().min(3);
            (all && hashes["agree"] == Value::Bool(true)).then_some(hashes)
        })
    }
}
