//! `evenkeel shards`: one line a shard, and all there is to say about one (`shard explain`).
//!
//! Leaders are shown as claimed in heartbeats; a shard without a claim has none.

use evenkeel_shared::view::{
    ClusterView, ReplicaRole, ReplicaState, ShardHealth, ShardPhase, ShardView,
};
use serde::Serialize;

use super::repeat::{self, Repeat};
use super::session::node_name;
use super::table::{Align, Table};
use super::{CliError, Exit, Session, format};

/// One element of `shards --json`.
#[derive(Debug, Serialize)]
pub(crate) struct ShardRow {
    id: u32,
    keyspace: String,
    leader: Option<String>,
    voters: Vec<String>,
    learners: Vec<String>,
    epoch: u64,
    term: u64,
    slots: Vec<(u16, u16)>,
    health: ShardHealth,
    phase: &'static str,
    committed: Option<u64>,
    wanted: u8,
    ops_s: Option<f64>,
    log_bytes: Option<u64>,
    data_bytes: Option<u64>,
    replicas: Vec<ReplicaRow>,
}

#[derive(Debug, Serialize)]
struct ReplicaRow {
    node: String,
    id: String,
    role: &'static str,
    state: ReplicaState,
    lag: Option<u64>,
    /// Why it is out of service, if it is.
    why: Option<String>,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, repeat: Repeat) -> Result<Exit, CliError> {
    let json = session.json();
    repeat::views(session, repeat, |view| {
        let rows: Vec<ShardRow> =
            view.shards.iter().map(|shard| ShardRow::of(view, shard)).collect();
        let text = if json { repeat::json_line(&rows)? } else { table(&rows).to_string() };
        Ok((text, Exit::Done))
    })
    .await
}

impl ShardRow {
    /// One shard, with names in the place of numbers.
    pub(crate) fn of(view: &ClusterView, shard: &ShardView) -> Self {
        let of_role = |role: ReplicaRole| {
            let replicas = shard.replicas.iter().filter(move |replica| replica.role == role);
            replicas.map(|replica| node_name(view, replica.node)).collect()
        };
        Self {
            id: shard.id.0,
            keyspace: shard.keyspace_name.clone(),
            leader: shard.leader.map(|node| node_name(view, node)),
            voters: of_role(ReplicaRole::Voter),
            learners: of_role(ReplicaRole::Learner),
            epoch: shard.epoch.0,
            term: shard.term,
            slots: shard.slots.iter().map(|range| (range.0, range.1)).collect(),
            health: shard.health,
            phase: match shard.phase {
                ShardPhase::Serving => "serving",
                ShardPhase::Beside => "beside",
                ShardPhase::Retired => "retired",
            },
            committed: shard.committed,
            wanted: shard.wanted,
            ops_s: shard.ops_s.map(|ops| format::rounded(ops, 1)),
            log_bytes: shard.log_bytes,
            data_bytes: shard.data_bytes,
            replicas: shard
                .replicas
                .iter()
                .map(|replica| ReplicaRow {
                    node: node_name(view, replica.node),
                    id: replica.id.to_string(),
                    role: match replica.role {
                        ReplicaRole::Voter => "voter",
                        ReplicaRole::Learner => "learner",
                        ReplicaRole::Lost => "lost",
                    },
                    why: replica.why.clone(),
                    state: replica.state,
                    lag: replica.lag,
                })
                .collect(),
        }
    }

    /// Everything about this shard, in lines.
    pub(crate) fn explain(&self) -> String {
        let leader = self.leader.as_deref().unwrap_or("nobody");
        let mut text = format!(
            "s{} of {}: {}, {}\nled by {leader} in term {}, epoch {}, committed up to {}\n",
            self.id,
            self.keyspace,
            health_words(self.health),
            self.phase,
            self.term,
            self.epoch,
            format::known(self.committed)
        );
        format::append(
            &mut text,
            format_args!(
                "slots {}, {} of {} copies vote\n",
                slots_words(&self.slots),
                self.voters.len(),
                self.wanted
            ),
        );
        let mut table = Table::new(&[
            ("NODE", Align::Left),
            ("REPLICA", Align::Left),
            ("ROLE", Align::Left),
            ("STATE", Align::Left),
            ("LAG", Align::Right),
            ("WHY", Align::Left),
        ]);
        for replica in &self.replicas {
            table.row([
                replica.node.clone(),
                replica.id.clone(),
                replica.role.to_owned(),
                state_words(replica.state).to_owned(),
                format::known(replica.lag),
                replica.why.clone().unwrap_or_default(),
            ]);
        }
        text + &table.to_string()
    }
}

fn table(rows: &[ShardRow]) -> Table {
    let mut table = Table::new(&[
        ("SHARD", Align::Right),
        ("KEYSPACE", Align::Left),
        ("HEALTH", Align::Left),
        ("LEADER", Align::Left),
        ("VOTERS", Align::Left),
        ("LEARNERS", Align::Left),
        ("EPOCH", Align::Right),
        ("TERM", Align::Right),
        ("SLOTS", Align::Left),
        ("OPS/S", Align::Right),
        ("LAG", Align::Right),
    ]);
    for row in rows {
        table.row([
            format!("s{}", row.id),
            row.keyspace.clone(),
            health_words(row.health).to_owned(),
            format::known(row.leader.clone()),
            format::list(&row.voters),
            format::list(&row.learners),
            row.epoch.to_string(),
            row.term.to_string(),
            slots_words(&row.slots),
            format::fraction(row.ops_s, 0),
            format::known(row.replicas.iter().filter_map(|replica| replica.lag).max()),
        ]);
    }
    table
}

fn slots_words(slots: &[(u16, u16)]) -> String {
    format::list(slots.iter().map(|(first, last)| format!("{first}-{last}")))
}

fn health_words(health: ShardHealth) -> &'static str {
    match health {
        ShardHealth::Ok => "ok",
        ShardHealth::UnderReplicated => "under-replicated",
        ShardHealth::Unavailable => "UNAVAILABLE",
    }
}

fn state_words(state: ReplicaState) -> &'static str {
    match state {
        ReplicaState::Leader => "leads",
        ReplicaState::Follower => "follows",
        ReplicaState::Filling => "is being filled",
        ReplicaState::Leaving => "is leaving",
        ReplicaState::Lost => "lost",
        ReplicaState::Unknown => "not heard of",
        ReplicaState::Damaged => "damaged, out of service",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::sample_view;

    #[test]
    fn json_has_the_fields_of_the_contract() {
        let view = sample_view();
        let json = serde_json::to_value(ShardRow::of(&view, &view.shards[0])).unwrap();
        assert_eq!(json["id"], 1);
        assert_eq!(json["keyspace"], "default");
        assert_eq!(json["leader"], "n1");
        assert_eq!(json["voters"], serde_json::json!(["n1", "n2", "n3"]));
        assert_eq!(json["learners"], serde_json::json!([]));
        assert_eq!(json["epoch"], 1);
        assert_eq!(json["term"], 1);
        assert_eq!(json["slots"], serde_json::json!([[0, 8191]]));
    }

    #[test]
    fn a_shard_without_leader_says_so() {
        let mut view = sample_view();
        view.shards[0].leader = None;
        let row = ShardRow::of(&view, &view.shards[0]);
        assert!(serde_json::to_value(&row).unwrap()["leader"].is_null());
        assert!(row.explain().contains("led by nobody"));
        assert!(table(&[row]).to_string().lines().nth(1).unwrap().contains(" -  "));
    }
}
