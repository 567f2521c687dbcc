//! A replica whose files are gone is never taken for a new one, and one whose files don't fit each
//! other never opens. One shard, one voter: its own log and data are all there is.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use evenkeel_shared::command::Command;
use evenkeel_shared::ids::{History, NodeId, ReplicaId, ShardId};
use evenkeel_shared::service::peer::{RaftFrame, SnapshotBegin, SnapshotChunk, SnapshotFinish};
use evenkeel_shared::version::Hlc;
use evenkeel_shared::view::ShardFacts;
use futures::future::BoxFuture;
use openraft::RaftSnapshotBuilder;
use openraft::storage::RaftLogStorage;

use super::{OpenError, Replicas, is_initialiser};
use crate::env::Env;
use crate::store::engine::Engine;
use crate::store::engine::memory::MemoryEngine;
use crate::store::group::{Group, GroupPorts, Queued};
use crate::store::ledger::Ledger;
use crate::store::machine::Trouble;
use crate::store::peers::{Answer, Elections, PeerLink};
use crate::store::raft::LogId;
use crate::store::wal::{ReplicaKey, Wal, WalConfig};

const KEY: ReplicaKey = ReplicaKey {
    shard: ShardId(1),
    history: History { number: 1, salt: 7 },
    replica: ReplicaId(1 << 32 | 5),
};

/// Nobody else is there.
struct Alone;

fn nobody<T: Send + 'static>() -> Answer<T> {
    Box::pin(futures::future::pending())
}

impl PeerLink for Alone {
    fn raft(&self, _: NodeId, _: RaftFrame) -> Answer<Bytes> {
        nobody()
    }

    fn snapshot_begin(&self, _: NodeId, _: SnapshotBegin) -> Answer<()> {
        nobody()
    }

    fn snapshot_chunk(&self, _: NodeId, _: SnapshotChunk) -> Answer<()> {
        nobody()
    }

    fn snapshot_finish(&self, _: NodeId, _: SnapshotFinish) -> Answer<Bytes> {
        nobody()
    }
}

impl Elections for Alone {
    fn may_skip_lease(&self, _: ShardId) -> bool {
        true
    }

    fn role_changed(&self) {}
}

/// A ledger that outlives the processes of a test, as the data folder does.
#[derive(Clone, Default)]
struct Book(Arc<Mutex<BTreeSet<ReplicaKey>>>);

fn done() -> BoxFuture<'static, Result<(), String>> {
    Box::pin(async { Ok(()) })
}

impl Ledger for Book {
    fn has(&self, key: &ReplicaKey) -> bool {
        self.0.lock().unwrap().contains(key)
    }

    fn all(&self) -> Vec<ReplicaKey> {
        self.0.lock().unwrap().iter().copied().collect()
    }

    fn enter(&self, keys: Vec<ReplicaKey>) -> BoxFuture<'static, Result<(), String>> {
        self.0.lock().unwrap().extend(keys);
        done()
    }

    fn strike(&self, key: ReplicaKey) -> BoxFuture<'static, Result<(), String>> {
        self.0.lock().unwrap().remove(&key);
        done()
    }
}

/// What a node keeps: a log's folder, trees, and the ledger.
struct Node {
    folder: tempfile::TempDir,
    engine: MemoryEngine,
    ledger: Book,
}

impl Node {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, engine: MemoryEngine::new(), ledger: Book::default() }
    }

    /// Starts a process on what is kept.
    async fn start(&self) -> (Replicas, Wal) {
        let env = Env::real();
        let config = WalConfig { segment_bytes: 1 << 20, ..WalConfig::default() };
        let (wal, _) = Wal::open(&env, self.folder.path(), config).await.unwrap();
        let (link, lease) = (Arc::new(Alone), Arc::new(Alone));
        let ports = GroupPorts { env, wal: wal.clone(), link, lease, queued: Queued::default() };
        let engine: Arc<dyn Engine> = Arc::new(self.engine.clone());
        (Replicas::new(ports, engine, Arc::new(self.ledger.clone())), wal)
    }

    /// One life: the shard is led and takes a few entries.
    async fn live(&self) {
        let (replicas, _) = self.start().await;
        let group = replicas.open(KEY).await.unwrap();
        lead(&group).await;
        for _ in 0..5 {
            group.propose(Command::Barrier { hlc: Hlc::default() }).await.unwrap();
        }
        replicas.close().await;
    }
}

async fn lead(group: &Group) {
    group.initialize(&[KEY.replica]).await.unwrap();
    tokio::time::timeout(Duration::from_secs(30), async {
        while !group.is_leader() {
            group.elect().await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("a single voter elects itself");
}

/// Why the replica does not open.
async fn damage(node: &Node) -> String {
    let (replicas, _) = node.start().await;
    match replicas.open(KEY).await {
        Err(OpenError::Damaged { why }) => {
            assert_eq!(replicas.out_of_service()[0].damaged.as_ref(), Some(&why));
            why
        }
        Err(OpenError::Failed { why }) => panic!("failed: {why}"),
        Ok(_) => panic!("it opened"),
    }
}

#[tokio::test]
async fn what_was_left_whole_opens_again() {
    let node = Node::new();
    node.live().await;
    node.live().await;
}

#[tokio::test]
async fn rule_13_a_replica_whose_log_is_gone_does_not_begin_anew() {
    let mut node = Node::new();
    node.live().await;
    node.folder = tempfile::tempdir().unwrap();
    assert_eq!(damage(&node).await, "its log is gone");
}

#[tokio::test]
async fn rule_13_a_replica_that_lost_log_and_data_does_not_begin_anew() {
    let mut node = Node::new();
    node.live().await;
    node.folder = tempfile::tempdir().unwrap();
    node.engine = MemoryEngine::new();
    assert_eq!(damage(&node).await, "its log is gone");
}

#[tokio::test]
async fn data_that_end_before_the_log_begins_do_not_open() {
    let mut node = Node::new();
    node.live().await;
    {
        let (replicas, wal) = node.start().await;
        let group = replicas.open(KEY).await.unwrap();
        group.machine().clone().build_snapshot().await.unwrap();
        let applied = group.machine().status().applied.unwrap();
        wal.replica(KEY).purge(LogId::new_term_index(applied.0, applied.1)).await.unwrap();
        wal.canary().await.unwrap();
        replicas.close().await;
    }
    node.engine = MemoryEngine::new();
    let why = damage(&node).await;
    assert!(why.starts_with("its data ends at entry 0, its log begins at"), "{why}");
}

#[tokio::test]
async fn a_whole_log_makes_lost_data_again() {
    let mut node = Node::new();
    node.live().await;
    node.engine = MemoryEngine::new();
    node.live().await;
}

#[tokio::test]
async fn a_crash_before_the_first_vote_leaves_a_new_replica() {
    let node = Node::new();
    let (replicas, _) = node.start().await;
    replicas.introduce(vec![KEY]).await.unwrap();
    drop(replicas);
    node.live().await;
}

#[tokio::test]
async fn a_condemned_replica_is_taken_out_while_it_runs() {
    let node = Node::new();
    let (replicas, _) = node.start().await;
    let group = replicas.open(KEY).await.unwrap();
    replicas.tend().await.unwrap();
    assert!(replicas.get(KEY.shard).is_some());
    group.machine().condemn("a row differs".to_owned());
    assert_eq!(group.machine().trouble(), Some(Trouble::Damaged("a row differs".to_owned())));
    replicas.tend().await.unwrap();
    assert!(replicas.get(KEY.shard).is_none());
    assert_eq!(replicas.out_of_service().len(), 1);
    assert!(matches!(replicas.open(KEY).await, Err(OpenError::Damaged { .. })));
    drop((replicas, group));
    assert_eq!(damage(&node).await, "a row differs", "a restart does not forget it");
}

#[test]
fn rule_12_one_named_first_voter_initialises() {
    let voters: Vec<ReplicaId> = (1..=3).map(|node| ReplicaId::new(NodeId(node), 1)).collect();
    let shard = ShardFacts {
        id: ShardId(1),
        keyspace: evenkeel_shared::ids::KeyspaceId(1),
        history: KEY.history,
        slots: Vec::new(),
        first_voters: voters.clone(),
        replicas: std::collections::BTreeMap::new(),
        epoch: evenkeel_shared::ids::Epoch(0),
        phase: evenkeel_shared::view::ShardPhase::Serving,
    };
    let who: Vec<bool> = voters.iter().map(|voter| is_initialiser(&shard, *voter)).collect();
    assert_eq!(who, [true, false, false]);
}
