//! Every word of the command line, as clap reads it.
//!
//! Only the words: each command's own file owns its flags' meaning.

use std::time::Duration;

use clap::{Parser, Subcommand};

use super::agent::AgentWords;
use super::backup::BackupCommand;
use super::bench::BenchCommand;
use super::console::ConsoleArguments;
use super::drill::DrillCommand;
use super::events::EventsArguments;
use super::failover::FailoverCommand;
use super::file::FileCommand;
use super::keyspace::KeyspaceCommand;
use super::kv::KvCommand;
use super::manual::{CompletionsArguments, ManArguments};
use super::node::NodeCommand;
use super::plan::PlanCommand;
use super::policy::PolicyCommand;
use super::recover::RecoverCommand;
use super::repeat::Repeat;
use super::restore::RestoreArguments;
use super::shard::ShardCommand;
use super::wait::WaitArguments;
use crate::demo::DemoArguments;

/// The cluster console, its command line, a demo and the node agent in one executable.
///
/// Exit codes: 0 done and healthy, 1 degraded or refused, 2 usage, 3 unreachable or timed out.
#[derive(Parser, Clone, Debug)]
#[command(name = "evenkeel", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(flatten)]
    pub(crate) console: ConsoleArguments,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Flags of every command.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Global {
    /// Agents to ask, in any order; one that answers is enough
    #[arg(
        long,
        global = true,
        env = "EVENKEEL_CONNECT",
        value_name = "ADDR,..",
        value_delimiter = ',',
        value_parser = address,
        default_value = "127.0.0.1:7400,127.0.0.1:7410"
    )]
    pub(crate) connect: Vec<String>,
    /// Print JSON with stable fields (docs/cli.md)
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// How long to go on trying: 500ms, 10s, 5min
    #[arg(long, global = true, value_parser = humantime::parse_duration)]
    pub(crate) timeout: Option<Duration>,
    /// Don't ask before acts that break nothing
    #[arg(long, short, global = true)]
    pub(crate) yes: bool,
}

/// One command.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum Command {
    /// Start a whole cluster on this machine, with load, and open the console on it
    Demo(DemoArguments),
    /// Open the terminal console (also without any command)
    Console(ConsoleArguments),
    /// Run a node agent; `evenkeel agent --help` lists its flags
    #[command(disable_help_flag = true)]
    Agent(AgentWords),
    /// Show the cluster's health; exit 1 when it is not ok
    Status(Repeat),
    /// List nodes
    Nodes(Repeat),
    /// List shards
    Shards(Repeat),
    /// List what happened, oldest first
    Events(EventsArguments),
    /// Wait until the cluster is as described
    Wait(WaitArguments),
    /// Read and write keys
    #[command(subcommand)]
    Kv(KvCommand),
    /// Keep files of any size: put, get, delete, list, sync a folder
    #[command(subcommand)]
    File(FileCommand),
    /// Create, list, change and drop keyspaces: shards under one policy
    #[command(subcommand)]
    Keyspace(KeyspaceCommand),
    /// Act on a node
    #[command(subcommand)]
    Node(NodeCommand),
    /// Have something go wrong on purpose, and see whether what was expected holds
    #[command(subcommand)]
    Drill(DrillCommand),
    /// Act on a shard
    #[command(subcommand)]
    Shard(ShardCommand),
    /// Who may start a failover: the agents, operators, or operators for a while
    #[command(subcommand)]
    Failover(FailoverCommand),
    /// What the controller does about what it sees: get, set, compare, roll back
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// What the controller would do now; apply or cancel a step
    #[command(subcommand)]
    Plan(PlanCommand),
    /// Put what survives of shards in their place that have lost their majority for good
    #[command(subcommand)]
    Recover(RecoverCommand),
    /// Make and list backups
    #[command(subcommand)]
    Backup(BackupCommand),
    /// Put a backup in the place of what is served; accept it, or undo it
    Restore(RestoreArguments),
    /// Measure throughput, latency, and outages
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Print what a shell wants to know to complete these words
    Completions(CompletionsArguments),
    /// Print the manual page, or write those of all commands
    Man(ManArguments),
}

/// Reads `host:port`; a name is left for the dial to look up.
fn address(text: &str) -> Result<String, String> {
    let usable = text.rsplit_once(':').is_some_and(|(host, port)| {
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let whole = !host.is_empty() && (bracketed || !host.contains(':'));
        whole && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    let hint = "is not HOST:PORT: try one like 127.0.0.1:7400";
    if usable { Ok(text.to_owned()) } else { Err(format!("{text:?} {hint}")) }
}

/// Reads a size: `256`, `64KiB`, `1MiB`.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        other => return Err(format!("unit {other:?} is none of B, KiB, MiB, GiB")),
    };
    let number: u64 =
        number.parse().map_err(|_| format!("{text:?} doesn't begin with a number"))?;
    number.checked_mul(factor).ok_or_else(|| format!("{text:?} is too large"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn read(words: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("evenkeel").chain(words.split_whitespace()))
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_about_recovery_is_understood() {
        for words in [
            "shard switchover 3 --in 10min",
            "shard switchover 3 --at 2026-12-24T18:00:00+01:00",
            "shard replica add 3 n4",
            "shard replica remove s3 n4 --override s3",
            "node switchover n1",
            "node switchover n1 --in 1h",
            "node maintain n1 --for 2h --reason disk",
            "node maintain n1 --end",
            "node report n1 --reason smoke",
            "node report n1 --reason smoke --source rack --weight 50 --for 5min",
            "node report n1 --withdraw",
            "drill stop",
            "drill run kill-leader",
            "drill run mine.toml --to /tmp/a --report r.md --report r.json --override mine",
            "drill list",
            "drill show kill-leader",
            "failover show",
            "failover manual --keyspace orders",
            "failover automatic",
            "failover pause --for 10min",
            "policy get",
            "policy get --version 3",
            "policy set policy.toml --reason tried",
            "policy diff policy.toml",
            "policy diff --version 2",
            "policy history",
            "policy rollback 2",
            "plan show",
            "plan apply s1.add.4",
            "plan cancel s1.add.4 --for 10min",
            "plan cancel 3",
            "events --why",
            "node explain n1",
            "recover quorum-loss --to /tmp/archive",
            "recover quorum-loss 3 s4 --to /tmp/archive --override recover",
        ] {
            if let Err(error) = read(words) {
                panic!("{words}: {error}");
            }
        }
    }

    #[test]
    fn every_command_of_the_contract_is_understood() {
        for words in [
            "",
            "console --read-only",
            "--ascii --connect 127.0.0.1:1",
            "demo --nodes 5 --zones 3 --shards 16 --replicas 3 --load 100 --headless",
            "demo --dir /tmp/x --base-port 9000",
            "agent --name n1 --data d --listen 127.0.0.1:7400 --bootstrap",
            "agent --help",
            "status --json --watch",
            "nodes --json",
            "shards",
            "events --watch",
            "wait --until healthy --timeout 60s",
            "wait --until balanced --nodes 5",
            "kv put a b",
            "kv get a --json",
            "kv delete a",
            "kv cas a b --expect-absent",
            "kv add a",
            "kv add a --by -3",
            "kv cas a b --expect c",
            "kv scan a --limit 3 --keys-only",
            "kv load /usr/share/doc --prefix x/ --max-bytes 1MiB --clients 8 --limit 10",
            "kv put a b --ttl 30s --sync leader --keyspace orders --session f",
            "kv delete a --sync all",
            "kv get a --keyspace orders",
            "kv batch",
            "kv batch file --sync quorum",
            "keyspace create orders --replicas 5 --shards 8 --zones strict --sync all",
            "keyspace create orders --read bounded=500ms --grace 1min",
            "keyspace list",
            "keyspace set orders --replicas 3 --read session",
            "keyspace drop orders --override orders",
            "kv load /usr/share/doc --verify",
            "file put a.iso images/a.iso",
            "file get images/a.iso",
            "file delete images/a.iso",
            "file ls",
            "file ls images/ --json",
            "file stat images/a.iso",
            "file sync dir backup --delete --dry-run",
            "file collect --dry-run --grace 0s --lease 0s --sweep",
            "kv load --verify /usr/share/doc",
            "bench put --clients 64 --secs 20 --json",
            "bench get",
            "bench mix",
            "bench count --adds 1000 --clients 8 --counters 4",
            "bench outage --busiest --kills 20",
            "bench outage --node n1 --kills 1",
            "node kill n1 --for 10s --yes",
            "node drain n1",
            "node undrain n1",
            "node evict n1 --override n1",
            "node reinit n1 --override n1",
            "shard switchover 3 --to n2",
            "shard failover s3 --accept-loss",
            "shard hashes 3",
            "shard explain 3",
            "backup create --to /tmp/archive",
            "backup list",
            "backup show b1",
            "restore b1 --from /tmp/archive",
            "restore accept",
            "restore undo",
        ] {
            if let Err(error) = read(words) {
                panic!("{words}: {error}");
            }
        }
    }

    #[test]
    fn what_contradicts_itself_is_a_usage_error() {
        for words in [
            "nonsense",
            "console --read-only --write",
            "kv cas a b",
            "kv cas a b --expect c --expect-absent",
            "kv put a",
            "kv put a b --ttl 0s",
            "kv put a b --sync most",
            "keyspace create",
            "file put a",
            "file get",
            "file sync dir",
            "file collect --grace soon",
            "keyspace create orders --replicas 0",
            "keyspace create orders --shards 5000",
            "keyspace create orders --zones far",
            "keyspace set orders",
            "bench outage",
            "bench outage --busiest --node n1",
            "restore b1",
            "restore",
            "wait",
            "wait --until happy",
            "shard switchover x",
            "shard switchover 3 --in 1h --at 2026-12-24T18:00:00Z",
            "shard switchover 3 --at tomorrow",
            "failover pause",
            "policy diff",
            "node report n1",
            "node report n1 --reason x --weight 0",
            "--timeout soon status",
            "demo --nodes 0",
            "status --connect localhost",
            "status --connect 127.0.0.1:0",
            "status --connect 127.0.0.1:70000",
            "status --connect a:1,",
            "bench put --clients 0",
            "bench put --secs 0",
            "bench get --keys 0",
            "bench put --value-bytes 2MiB",
            "bench outage --busiest --kills 0",
            "bench outage --busiest --writers 0",
        ] {
            let error = read(words).expect_err(words);
            assert_eq!(error.exit_code(), 2, "{words}");
        }
    }

    #[test]
    fn addresses_are_split_at_commas() {
        let cli = read("status --connect a:1,b:2").unwrap();
        assert_eq!(cli.global.connect, ["a:1", "b:2"]);
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("1MiB"), Ok(1 << 20));
        assert_eq!(size("256"), Ok(256));
        assert_eq!(size("64k"), Ok(64 << 10));
        assert!(size("MiB").is_err());
        assert!(size("1 furlong").is_err());
        assert!(size("99999999999999GiB").is_err());
    }
}
