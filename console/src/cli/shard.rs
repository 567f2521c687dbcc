//! `evenkeel shard …`: acts on one shard, and a close look at it.
//!
//! Hashes are compared only at equal indexes: replicas at different ones say nothing.

mod explain;

use std::collections::{BTreeMap, BTreeSet};

use clap::Subcommand;
use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::limits::DEADLINE_MAX;
use evenkeel_shared::preflight::Action;
use evenkeel_shared::service::peer::ContentHash;
use evenkeel_shared::view::{ClusterView, Later};
use evenkeel_shared::wire::deadline::Deadline;
use serde::Serialize;

use super::act::{self, Override, When, Wish};
use super::session::{Operator, node_name, node_named};
use super::table::{Align, Table};
use super::{CliError, Exit, Session, json, line, output};

/// One command about a shard.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum ShardCommand {
    /// Move its leadership, losing nothing
    Switchover {
        #[command(flatten)]
        shard: ShardArguments,
        #[command(flatten)]
        when: When,
    },
    /// Have another voter elected although the leader doesn't answer
    Failover {
        #[command(flatten)]
        shard: ShardArguments,
        /// Go on even when acknowledged writes may be dropped
        #[arg(long)]
        accept_loss: bool,
    },
    /// Give it one more copy, or take one away
    #[command(subcommand)]
    Replica(ReplicaCommand),
    /// Say all there is to say about it: its copies, its next failover and its last one
    Explain {
        /// Its number
        id: ShardId,
    },
    /// Compare the content of its replicas; exit 1 when they differ
    Hashes {
        /// Its number
        id: ShardId,
    },
}

/// Copies that come and go.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum ReplicaCommand {
    /// Give the shard one more copy, on this node
    Add(ReplicaArguments),
    /// Take the copy on this node away
    Remove(ReplicaArguments),
}

/// Which copy.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ReplicaArguments {
    /// The shard's number
    id: ShardId,
    /// The node
    node: String,
    #[command(flatten)]
    overriding: Override,
}

/// Which shard, and to whom.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ShardArguments {
    /// Its number
    id: ShardId,
    /// The new leader; without it, the best candidate
    #[arg(long, value_name = "NODE")]
    to: Option<String>,
    #[command(flatten)]
    overriding: Override,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: ShardCommand) -> Result<Exit, CliError> {
    let operator = session.operator().await?;
    let view = operator.view(session.timeout()).await?;
    match command {
        ShardCommand::Switchover { shard, when } => {
            let to = target(&view, &shard)?;
            let now = Action::Switchover { shard: shard.id, to };
            let later = when.scheduled(Later::Switchover { shard: shard.id, to });
            let action = later.unwrap_or(now);
            lead(session, &operator, &shard, action).await
        }
        ShardCommand::Failover { mut shard, accept_loss } => {
            let to = target(&view, &shard)?;
            if accept_loss {
                shard.overriding.name.get_or_insert_with(|| shard.id.to_string());
            }
            let action = Action::Failover { shard: shard.id, to };
            lead(session, &operator, &shard, action).await
        }
        ShardCommand::Replica(command) => replica(session, &operator, &view, command).await,
        ShardCommand::Explain { id } => explain::run(session, &operator, &view, id).await,
        ShardCommand::Hashes { id } => hashes(session, &operator, &view, id).await,
    }
}

fn target(view: &ClusterView, shard: &ShardArguments) -> Result<Option<NodeId>, CliError> {
    shard.to.as_deref().map(|name| node_named(view, name).map(|node| node.id)).transpose()
}

async fn lead(
    session: &Session,
    operator: &Operator,
    shard: &ShardArguments,
    action: Action,
) -> Result<Exit, CliError> {
    let name = shard.id.to_string();
    let timeout = session.timeout();
    let wish = Wish { action, name: &name, overriding: &shard.overriding, timeout };
    act::run(session, operator, wish).await
}

async fn replica(
    session: &Session,
    operator: &Operator,
    view: &ClusterView,
    command: ReplicaCommand,
) -> Result<Exit, CliError> {
    let (ReplicaCommand::Add(arguments) | ReplicaCommand::Remove(arguments)) = &command;
    let (shard, node) = (arguments.id, node_named(view, &arguments.node)?.id);
    let action = match command {
        ReplicaCommand::Add(_) => Action::ReplicaAdd { shard, node },
        ReplicaCommand::Remove(_) => Action::ReplicaRemove { shard, node },
    };
    let name = shard.to_string();
    let (overriding, timeout) = (&arguments.overriding, session.timeout_or(DEADLINE_MAX));
    act::run(session, operator, Wish { action, name: &name, overriding, timeout }).await
}

fn no_shard(id: ShardId) -> CliError {
    CliError::refused(format!("there is no shard {id}"), "`evenkeel shards`")
}

/// What `shard hashes --json` prints.
#[derive(Debug, Serialize)]
struct Hashes {
    shard: u32,
    agree: Option<bool>,
    replicas: Vec<HashRow>,
}

#[derive(Debug, Serialize)]
struct HashRow {
    node: String,
    index: u64,
    records: u64,
    hash: String,
}

async fn hashes(
    session: &Session,
    operator: &Operator,
    view: &ClusterView,
    id: ShardId,
) -> Result<Exit, CliError> {
    let context = Deadline::after(session.timeout()).context();
    let answer = operator.client.content_hashes(context, id).await;
    let hashes = answer.map_err(|error| operator.silent(&error))??;
    let agree = agree(&hashes);
    let replicas = hashes.into_iter().map(|hash| HashRow {
        node: node_name(view, hash.node),
        index: hash.index,
        records: hash.records,
        hash: hash.hash,
    });
    let report = Hashes { shard: id.0, agree, replicas: replicas.collect() };
    if session.json() {
        json(&report)?;
    } else {
        output::text(report.table())?;
        line(match agree {
            Some(true) => "equal on every replica",
            Some(false) => "DIFFERENT",
            None => "not comparable: replicas stand at different indexes; ask again",
        })?;
    }
    Ok(if agree == Some(true) { Exit::Done } else { Exit::Degraded })
}

/// Whether all replicas hold the same; `None` when no answer is possible: fewer than two of them,
/// or each at an index of its own.
fn agree(hashes: &[ContentHash]) -> Option<bool> {
    let mut by_index: BTreeMap<u64, BTreeSet<(u64, &str)>> = BTreeMap::new();
    for hash in hashes {
        by_index.entry(hash.index).or_default().insert((hash.records, hash.hash.as_str()));
    }
    if by_index.values().any(|contents| contents.len() > 1) {
        return Some(false);
    }
    (by_index.len() == 1 && hashes.len() > 1).then_some(true)
}

impl Hashes {
    fn table(&self) -> Table {
        let mut table = Table::new(&[
            ("NODE", Align::Left),
            ("INDEX", Align::Right),
            ("RECORDS", Align::Right),
            ("HASH", Align::Left),
        ]);
        for row in &self.replicas {
            let (index, records) = (row.index.to_string(), row.records.to_string());
            table.row([row.node.clone(), index, records, row.hash.clone()]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(replicas: &[(u64, &str)]) -> Option<bool> {
        let hashes: Vec<ContentHash> = replicas
            .iter()
            .zip(1..)
            .map(|((index, hash), node)| ContentHash {
                node: NodeId(node),
                index: *index,
                records: 1,
                hash: (*hash).to_owned(),
            })
            .collect();
        agree(&hashes)
    }

    #[test]
    fn equal_hashes_at_one_index_agree() {
        assert_eq!(check(&[(7, "x"), (7, "x"), (7, "x")]), Some(true));
    }

    #[test]
    fn different_hashes_at_one_index_differ_wherever_the_others_stand() {
        assert_eq!(check(&[(7, "x"), (7, "y")]), Some(false));
        assert_eq!(check(&[(7, "x"), (7, "y"), (8, "z")]), Some(false));
    }

    #[test]
    fn replicas_at_different_indexes_say_nothing() {
        assert_eq!(check(&[(7, "x"), (8, "y")]), None);
        assert_eq!(check(&[(7, "x")]), None);
        assert_eq!(check(&[]), None);
    }
}
