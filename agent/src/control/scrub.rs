//! The search for silent damage. Every node reads the files of its copies back, one copy after the
//! other, once in an interval; whoever leads a shard then has all copies hashed at one index, and
//! the odd one out taken out of service. Repair does the rest.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_shared::command::Command;
use evenkeel_shared::event::{EventKind, Severity};
use evenkeel_shared::ids::{ReplicaId, ShardId};
use evenkeel_shared::version::Hlc;
use evenkeel_shared::view::ReplicaRole;
use evenkeel_shared::wire::deadline::Deadline;
use futures::future::join_all;

use super::journal::Journal;
use super::system::System;
use crate::decide::facts::name;
use crate::decide::odd::{Content, Verdict, compare};
use crate::env::Env;
use crate::store::group::Group;

/// How far ahead the cut lies: every node must have been told before it comes.
const CUT_AHEAD: Duration = Duration::from_millis(400);
/// How long one comparison may take.
const COMPARE_MAX: Duration = Duration::from_secs(50);
/// Shortest time between two copies: with few of them, or none, nothing spins.
const PAUSE_MIN: Duration = Duration::from_millis(200);

/// Looks for silent damage on one node.
pub struct Scrub {
    /// The world.
    pub env: Env,
    /// Orders to others, and this node's own copies.
    pub system: Arc<System>,
    /// Where it is written down.
    pub journal: Arc<Journal>,
    /// In which each copy is read once.
    pub interval: Duration,
}

impl Scrub {
    /// Runs for ever.
    pub async fn run(self) {
        let mut last = ShardId::SYSTEM;
        loop {
            let groups = self.system.replicas.all();
            let count = u32::try_from(groups.len().max(1)).unwrap_or(u32::MAX);
            tokio::time::sleep((self.interval / count).max(PAUSE_MIN)).await;
            let next = groups.iter().find(|group| group.shard() > last).or(groups.first());
            let Some(group) = next else { continue };
            last = group.shard();
            self.scrub(group).await;
        }
    }

    async fn scrub(&self, group: &Group) {
        let shard = group.shard();
        match group.machine().verify_files().await {
            Ok(bytes) => tracing::debug!(%shard, bytes, "files are as they were written"),
            // The machine remembers it: whoever tends the replicas takes it out of service.
            Err(error) => return tracing::error!(%shard, %error, "scrub found damage"),
        }
        if group.is_leader() {
            self.compare(group).await;
        }
    }

    /// Compares all copies of a shard that this node leads.
    async fn compare(&self, group: &Group) {
        let shard = group.shard();
        let facts = self.system.facts();
        let Some(known) = facts.shards.get(&shard) else { return };
        let sound = known.replicas.iter().filter(|(_, held)| held.role != ReplicaRole::Lost);
        let copies: Vec<ReplicaId> = sound.map(|(copy, _)| *copy).collect();
        let by = Deadline::after(COMPARE_MAX);
        let ahead = u64::try_from(CUT_AHEAD.as_millis()).unwrap_or(u64::MAX);
        let now = Hlc::from_unix_ms(self.env.clock.unix_ms()).max(group.machine().status().hlc);
        let cut = Hlc::from_unix_ms(now.unix_ms().saturating_add(ahead));
        let asked = copies.iter().map(|copy| async move {
            let content = self.system.content_at(copy.node(), shard, cut, by).await;
            (*copy, content)
        });
        let barrier = async {
            tokio::time::sleep(CUT_AHEAD).await;
            let barrier = Command::Barrier { hlc: cut.next() };
            self.system.propose(shard, barrier, by).await
        };
        let (answers, passed) = futures::future::join(join_all(asked), barrier).await;
        if let Err(error) = passed {
            return tracing::debug!(%shard, %error, "copies not compared");
        }
        let mut contents = BTreeMap::new();
        for (copy, answer) in answers {
            match answer {
                Ok(content) => {
                    contents.insert(copy, Content { index: content.index, hash: content.hash });
                }
                Err(error) => tracing::debug!(%shard, %copy, %error, "copy not compared"),
            }
        }
        match compare(&contents, copies.len()) {
            Verdict::Alike => tracing::debug!(%shard, copies = contents.len(), "copies are alike"),
            Verdict::Odd(odd) => {
                for copy in odd {
                    self.condemn(shard, copy, contents[&copy].index, by).await;
                }
            }
            Verdict::Undecided => {
                let what = format!("{shard}: its copies differ, and no majority says who is right");
                self.write(shard, what, "restore it from a backup".to_owned());
            }
        }
    }

    async fn condemn(&self, shard: ShardId, copy: ReplicaId, index: u64, by: Deadline) {
        let node = name(&self.system.facts(), copy.node());
        let why = format!("its records differ from the other copies at entry {index}");
        if let Err(error) = self.system.condemn(shard, copy, why.clone(), by).await {
            tracing::warn!(%shard, %copy, %error, "an odd copy could not be taken out of service");
            return;
        }
        self.write(shard, format!("{shard}: the copy on {node} is out of service"), why);
    }

    fn write(&self, shard: ShardId, what: String, why: String) {
        let mut line = self.journal.line(EventKind::Placement, Severity::Alarm, what);
        line.shard = Some(shard);
        line.why = why;
        self.journal.write(line);
    }
}
