//! What a demo starts: nodes, zones, ports, and each agent's words. Pure but for looking at ports.
//!
//! Node i listens on base+10·i (rpc), +1 (RESP) and +2 (HTTP); docs/cli.md promises it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::cli::CliError;

/// Flags of `evenkeel demo`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct DemoArguments {
    /// Agents to start
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=50))]
    pub(crate) nodes: u16,
    /// Failure domains to spread them over
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=26))]
    pub(crate) zones: u8,
    /// Shards of the default keyspace
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) shards: u16,
    /// Copies of each shard
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub(crate) replicas: u8,
    /// Writes a second; 0 for none
    #[arg(long, default_value_t = 200)]
    pub(crate) load: u32,
    /// No console: print one JSON line when healthy, and serve until SIGINT or SIGTERM
    #[arg(long)]
    pub(crate) headless: bool,
    /// Keep data and logs here; without it, a temporary folder that is removed at the end
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
    /// Node i listens on this port + 10·i
    #[arg(long, default_value_t = 7400)]
    pub(crate) base_port: u16,
}

/// What is started.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The agents; the first one founds the cluster.
    pub(crate) nodes: Vec<NodePlan>,
    /// Shards to wait for.
    pub(crate) shards: u16,
}

/// One agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodePlan {
    pub(crate) name: String,
    pub(crate) zone: String,
    pub(crate) rpc: String,
    pub(crate) resp: String,
    pub(crate) resp_cluster: String,
    pub(crate) http: String,
    pub(crate) data: PathBuf,
    /// The words after the executable's name.
    pub(crate) words: Vec<OsString>,
}

impl Plan {
    /// Lays the nodes out below a folder.
    pub(crate) fn new(arguments: &DemoArguments, folder: &Path) -> Result<Self, CliError> {
        let last = u32::from(arguments.base_port) + 10 * u32::from(arguments.nodes) + 3;
        if last > u32::from(u16::MAX) {
            return Err(CliError::usage(
                format!(
                    "{} nodes above port {} need ports up to {last}",
                    arguments.nodes, arguments.base_port
                ),
                "a lower --base-port",
            ));
        }
        if u16::from(arguments.replicas) > arguments.nodes {
            return Err(CliError::usage(
                format!("{} copies don't fit on {} nodes", arguments.replicas, arguments.nodes),
                format!("--replicas {}", arguments.nodes),
            ));
        }
        let first = address(arguments, 1, 0);
        let nodes = (1..=arguments.nodes).map(|number| node(arguments, folder, number, &first));
        Ok(Self { nodes: nodes.collect(), shards: arguments.shards })
    }

    /// How many agents.
    pub(crate) fn node_count(&self) -> u32 {
        u32::try_from(self.nodes.len()).expect("at most fifty")
    }

    /// Where they are reached.
    pub(crate) fn seeds(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.rpc.clone()).collect()
    }

    /// Fails with one sentence when a port is taken.
    pub(crate) fn check_ports(&self) -> Result<(), CliError> {
        let addresses = self
            .nodes
            .iter()
            .flat_map(|node| [&node.rpc, &node.resp, &node.resp_cluster, &node.http]);
        let taken: Vec<&String> = addresses
            .filter(|address| std::net::TcpListener::bind(address.as_str()).is_err())
            .collect();
        let Some(first) = taken.first() else { return Ok(()) };
        let others = match taken.len() - 1 {
            0 => String::new(),
            others => format!(" (and {others} more)"),
        };
        Err(CliError::refused(
            format!("{first}{others} is in use: is another demo running?"),
            "another --base-port, such as 17400",
        ))
    }
}

fn address(arguments: &DemoArguments, number: u16, offset: u16) -> String {
    format!("127.0.0.1:{}", arguments.base_port + 10 * number + offset)
}

fn node(arguments: &DemoArguments, folder: &Path, number: u16, first: &str) -> NodePlan {
    let name = format!("n{number}");
    let letter = u8::try_from((number - 1) % u16::from(arguments.zones)).expect("below 26");
    let zone = char::from(b'a' + letter).to_string();
    let [rpc, resp, http, resp_cluster] =
        [0, 1, 2, 3].map(|offset| address(arguments, number, offset));
    let data = folder.join(&name);
    let mut words: Vec<OsString> = ["agent", "--name", &name, "--data"].map(Into::into).to_vec();
    words.push(data.clone().into());
    words.extend(["--listen", &rpc, "--resp", &resp, "--http", &http].map(Into::into));
    words.extend(["--resp-cluster", &resp_cluster, "--zone", &zone].map(Into::into));
    if number == 1 {
        let (shards, replicas) = (arguments.shards.to_string(), arguments.replicas.to_string());
        words.extend(["--bootstrap", "--shards", &shards, "--replicas", &replicas].map(Into::into));
        words.extend(["--grace", "10s"].map(Into::into));
    } else {
        words.extend(["--join", first].map(Into::into));
    }
    words.extend(["--drills", "--supervise", "--exit-on-stdin-close"].map(Into::into));
    NodePlan { name, zone, rpc, resp, resp_cluster, http, data, words }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Words {
        #[command(flatten)]
        demo: DemoArguments,
    }

    fn plan(words: &str) -> Result<Plan, CliError> {
        let words = std::iter::once("demo").chain(words.split_whitespace());
        Plan::new(&Words::parse_from(words).demo, Path::new("/tmp/demo"))
    }

    #[test]
    fn nodes_have_their_ports_and_share_the_zones() {
        let plan = plan("--nodes 5 --zones 3").unwrap();
        let laid: Vec<(&str, &str, &str)> =
            plan.nodes.iter().map(|node| (&*node.name, &*node.zone, &*node.rpc)).collect();
        let expected = [
            ("n1", "a", "127.0.0.1:7410"),
            ("n2", "b", "127.0.0.1:7420"),
            ("n3", "c", "127.0.0.1:7430"),
            ("n4", "a", "127.0.0.1:7440"),
            ("n5", "b", "127.0.0.1:7450"),
        ];
        assert_eq!(laid, expected);
        assert_eq!(plan.nodes[1].resp, "127.0.0.1:7421");
    }

    #[test]
    fn the_first_node_founds_and_the_others_join_it() {
        let plan = plan("--nodes 2 --replicas 2").unwrap();
        let words = |node: usize| {
            let words = plan.nodes[node].words.iter().map(|word| word.to_str().unwrap());
            words.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            words(0),
            "agent --name n1 --data /tmp/demo/n1 --listen 127.0.0.1:7410 --resp 127.0.0.1:7411 \
             --http 127.0.0.1:7412 --resp-cluster 127.0.0.1:7413 --zone a --bootstrap --shards 16 --replicas 2 --grace 10s \
             --drills --supervise --exit-on-stdin-close"
        );
        assert!(words(1).contains("--join 127.0.0.1:7410") && !words(1).contains("--bootstrap"));
    }

    #[test]
    fn what_cannot_work_is_refused_before_anything_starts() {
        assert!(plan("--base-port 65500 --nodes 5").is_err());
        assert!(plan("--nodes 2 --replicas 3").is_err());
    }

    #[test]
    fn a_taken_port_is_named() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let mut plan = plan("--nodes 1 --replicas 1").unwrap();
        plan.nodes[0].rpc.clone_from(&address);
        plan.nodes[0].resp = "127.0.0.1:0".into();
        plan.nodes[0].resp_cluster = "127.0.0.1:0".into();
        plan.nodes[0].http = "127.0.0.1:0".into();
        let error = plan.check_ports().unwrap_err();
        assert!(error.to_string().starts_with(&address), "{error}");
    }
}
