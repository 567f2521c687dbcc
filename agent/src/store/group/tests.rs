//! Whole groups of real Raft cores over simulated disks, killed and restarted.

use std::path::Path;
use std::sync::RwLock;

use bytes::Bytes;
use evenkeel_shared::command::{Operation, OperationResult, RequestId, WriteAction};
use evenkeel_shared::ids::{ClientId, History, KeyspaceId};
use evenkeel_shared::key::{Slot, SlotRange};
use evenkeel_shared::service::peer::{
    PeerError, RaftFrame, SnapshotBegin, SnapshotChunk, SnapshotFinish,
};
use evenkeel_shared::version::Hlc;
use evenkeel_shared::view::SyncPolicy;
use evenkeel_shared::wire::deadline::Deadline;

use super::*;
use crate::env::fs::sim::SimDisk;
use crate::store::engine::memory::MemoryEngine;
use crate::store::machine::MachineId;
use crate::store::peers::{Answer, LinkError};
use crate::store::wal::{Recovery, WalConfig};

const SHARD: ShardId = ShardId(3);
const KEYSPACE: KeyspaceId = KeyspaceId(1);
const NODES: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];
/// Only a test that has failed waits so long.
const PATIENCE: Option<Duration> = Some(Duration::from_secs(60));

fn key(node: NodeId) -> ReplicaKey {
    let history = History { number: 1, salt: 7 };
    ReplicaKey { shard: SHARD, history, replica: ReplicaId::new(node, 1) }
}

/// Carries messages to whoever is there.
#[derive(Clone, Default)]
struct Here(Arc<RwLock<BTreeMap<NodeId, Arc<Group>>>>);

impl Here {
    fn find(&self, node: NodeId) -> Result<Arc<Group>, LinkError> {
        let groups = self.0.read().unwrap();
        groups.get(&node).cloned().ok_or(LinkError::Unreachable("it is down".to_owned()))
    }
}

fn none<T: Send + 'static>() -> Answer<T> {
    Box::pin(async { Err(LinkError::Peer(PeerError::Malformed("no snapshots here".to_owned()))) })
}

impl PeerLink for Here {
    fn raft(&self, node: NodeId, frame: RaftFrame) -> Answer<Bytes> {
        let found = self.find(node);
        Box::pin(async move { Ok(found?.inbound().raft(frame).await?) })
    }

    fn snapshot_begin(&self, _: NodeId, _: SnapshotBegin) -> Answer<()> {
        none()
    }

    fn snapshot_chunk(&self, _: NodeId, _: SnapshotChunk) -> Answer<()> {
        none()
    }

    fn snapshot_finish(&self, _: NodeId, _: SnapshotFinish) -> Answer<Bytes> {
        none()
    }
}

impl Elections for Here {
    fn may_skip_lease(&self, _: ShardId) -> bool {
        true
    }

    fn role_changed(&self) {}
}

/// Three nodes in one life. Their state machines forget everything: all comes from the logs.
struct Life {
    here: Here,
    groups: [Arc<Group>; 3],
}

impl Life {
    async fn begin(disks: &[SimDisk; 3]) -> Self {
        let here = Here::default();
        let mut groups = Vec::new();
        for (node, disk) in NODES.into_iter().zip(disks) {
            let env = Env { disk: Arc::new(disk.mount()), ..Env::real() };
            let config = WalConfig { segment_bytes: 256 << 10, ..WalConfig::default() };
            let (wal, recovery) = Wal::open(&env, Path::new("/wal"), config).await.unwrap();
            assert!(recovery.quarantined.is_empty(), "{:?}", Recovery::clone(&recovery));
            let ReplicaKey { shard, history, replica } = key(node);
            let id = MachineId { shard, history, replica };
            let machine = Machine::open(id, &env, Arc::new(MemoryEngine::new())).await.unwrap();
            let link = Arc::new(here.clone());
            let ports =
                GroupPorts { env, wal, link: link.clone(), lease: link, queued: Queued::default() };
            groups.push(Group::open(ports, key(node), machine).await.unwrap());
        }
        here.0.write().unwrap().extend(NODES.into_iter().zip(groups.iter().cloned()));
        let groups = groups.try_into().unwrap_or_else(|_| unreachable!("there are three nodes"));
        Self { here, groups }
    }

    async fn end(self) {
        self.here.0.write().unwrap().clear();
        let mut ends: Vec<_> = self.groups.iter().map(|group| group.wal.fatal()).collect();
        for group in self.groups {
            group.close().await;
        }
        // The logs' threads still write for a moment, and their runtime must outlive them.
        for end in &mut ends {
            let gone = async { while end.changed().await.is_ok() {} };
            tokio::time::timeout(PATIENCE.unwrap(), gone).await.expect("its threads end");
        }
    }
}

mod policies;
mod transfers;

/// Waits until it leads and has committed the first entry of its term.
async fn leads(group: &Group) {
    group.raft.wait(PATIENCE).state(ServerState::Leader, "leads").await.unwrap();
    let applied = |metrics: &Metrics| {
        metrics.last_applied.is_some_and(|id| id.committed_leader_id().term == metrics.current_term)
    };
    group.raft.wait(PATIENCE).metrics(applied, "has committed in its term").await.unwrap();
}

fn write(operation: Operation) -> Write {
    let (sync, by) = (SyncPolicy::Quorum, Deadline::after(PATIENCE.unwrap()));
    Write { operations: vec![operation], sync, by }
}

async fn put(group: &Group, name: &'static str, sequence: u64) -> u64 {
    let now = Hlc::from_unix_ms(group.env.clock.unix_ms());
    let key = Bytes::from_static(name.as_bytes());
    let operation = Operation {
        request: RequestId { client: ClientId(1), sequence, first_attempt: now },
        slot: Slot::of(&key),
        // Many sectors: a power cut leaves no unsynced entry whole.
        action: WriteAction::Put { value: vec![b'x'; 20 << 10].into(), expires: None },
        key,
    };
    let written = group.operate(write(operation)).await;
    let written = written.unwrap_or_else(|error| panic!("{name}: {error}"));
    match written.results[..] {
        [OperationResult::Done { version, .. }] => version.index,
        ref other => panic!("{name}: {other:?}"),
    }
}

fn has(group: &Group, name: &str) -> bool {
    let now = group.machine.status().hlc;
    let slot = Slot::of(name.as_bytes());
    group.machine.get(KEYSPACE, slot, name.as_bytes(), now).unwrap().is_some()
}

/// A leader's flush hangs, two followers commit what it sent, and all lose power. It has less than
/// it led with: if it went on in its term, it would put another entry where theirs is.
#[tokio::test(flavor = "multi_thread")]
async fn rule_05_a_leader_that_lost_what_its_followers_committed_is_a_follower() {
    let disks = [SimDisk::new(), SimDisk::new(), SimDisk::new()];
    let life = Life::begin(&disks).await;
    let [leader, ..] = &life.groups;
    let voters = NODES.map(|node| key(node).replica);
    leader.initialize(&voters).await.unwrap();
    leads(leader).await;
    let own = Command::Own {
        hlc: Hlc::default(),
        keyspace: KEYSPACE,
        slots: vec![SlotRange::ALL],
        open: true,
    };
    leader.propose(own).await.unwrap();
    put(leader, "before", 1).await;
    let term = leader.term();
    disks[0].hold_syncs();
    let lost = put(leader, "acknowledged", 2).await;
    for (seed, disk) in (1..).zip(&disks) {
        disk.crash(seed);
    }
    life.end().await;

    let life = Life::begin(&disks).await;
    let [old, follower, _] = &life.groups;
    let ends = |group: &Group| group.wal.last(&group.key).unwrap();
    assert!(ends(old).1 < lost, "the old leader has it: {:?}", ends(old));
    assert!(ends(follower).1 >= lost);
    let role = old.raft.with_raft_state(|state| state.server_state).await.unwrap();
    let end = ends(old);
    assert_ne!(role, ServerState::Leader, "it resumed term {term} with a log that ends at {end:?}");
    follower.elect().await;
    leads(follower).await;
    assert!(follower.term() > term);
    let after = put(follower, "after", 3).await;
    for group in &life.groups {
        group.raft.wait(PATIENCE).applied_index_at_least(Some(after), "catches up").await.unwrap();
        for name in ["before", "acknowledged", "after"] {
            assert!(has(group, name), "{name} is lost on {}", group.key);
        }
        assert_eq!(group.machine.status().chain, follower.machine.status().chain);
    }
    life.end().await;
}

/// Begins a life in which the first node leads a shard that takes writes.
async fn begun(disks: &[SimDisk; 3]) -> Life {
    let life = Life::begin(disks).await;
    let [leader, ..] = &life.groups;
    leader.initialize(&NODES.map(|node| key(node).replica)).await.unwrap();
    leads(leader).await;
    let (hlc, slots) = (Hlc::default(), vec![SlotRange::ALL]);
    leader.propose(Command::Own { hlc, keyspace: KEYSPACE, slots, open: true }).await.unwrap();
    life
}

/// A controller whose picture is old would take out a voter that another one has just put in.
#[tokio::test(flavor = "multi_thread")]
async fn rule_14_a_change_of_voters_names_those_that_it_replaces() {
    let disks = [SimDisk::new(), SimDisk::new(), SimDisk::new()];
    let life = begun(&disks).await;
    let [one, two, three] = NODES.map(|node| key(node).replica);
    let [leader, ..] = &life.groups;
    leader.change_voters(&[one, two, three], &[one, two]).await.unwrap();
    let stale = leader.change_voters(&[one, two, three], &[one, three]).await;
    assert!(matches!(stale, Err(StoreError::Refused { .. })), "{stale:?}");
    let members = leader.status().members;
    assert_eq!(*members.effective, [[one, two].into()], "nothing has changed");
    // Nor does a leader ever take itself out: it would go on leading.
    let itself = leader.change_voters(&[one, two], &[two]).await;
    assert!(matches!(itself, Err(StoreError::Refused { .. })), "{itself:?}");
    life.end().await;
}

/// Two halves that were recovered apart must not append to each other.
#[tokio::test(flavor = "multi_thread")]
async fn rule_15_a_frame_of_another_history_is_refused() {
    let disks = [SimDisk::new(), SimDisk::new(), SimDisk::new()];
    let life = begun(&disks).await;
    let [_, follower, _] = &life.groups;
    let (shard, to) = (SHARD, follower.key.replica);
    let before = follower.wal.last(&follower.key);
    for history in [History { number: 2, salt: 7 }, History { number: 1, salt: 8 }] {
        let message = evenkeel_shared::service::peer::RaftMessage::Append;
        let frame = RaftFrame { shard, history, from: to, to, message, body: Bytes::new() };
        let answer = follower.inbound.raft(frame).await;
        assert!(matches!(answer, Err(PeerError::OtherHistory(_))), "{answer:?}");
    }
    assert_eq!(follower.wal.last(&follower.key), before);
    life.end().await;
}

/// A core that hangs would stay the leader for ever: its metrics say so, and its heartbeats go on.
#[tokio::test(flavor = "multi_thread")]
async fn rule_06_a_leader_whose_core_answers_nobody_is_stalled() {
    let disks = [SimDisk::new(), SimDisk::new(), SimDisk::new()];
    let life = begun(&disks).await;
    let [leader, ..] = &life.groups;
    let later = |group: &Group| group.env.clock.now() + 2 * STALLED_AFTER;
    leader.read_barrier().await.unwrap();
    put(leader, "before", 1).await;
    leader.probe(later(leader));
    let at = later(leader);
    until("the probe is answered", || !leader.is_stalled(at)).await;

    let release = hang(leader).await;
    leader.probe(later(leader) + 2 * STALLED_AFTER);
    assert!(leader.is_leader(), "its metrics say so");
    assert!(!leader.is_stalled(leader.env.clock.now()), "it has time to answer");
    assert!(leader.is_stalled(later(leader) + 4 * STALLED_AFTER));
    drop(release);
    let at = later(leader) + 4 * STALLED_AFTER;
    until("it answers again", || !leader.is_stalled(at)).await;

    let release = hang(leader).await;
    let reader = leader.clone();
    let read = tokio::spawn(async move { reader.read_barrier().await });
    until("a read waits", || leader.is_stalled(later(leader))).await;
    drop(release);
    read.await.unwrap().unwrap();
    life.end().await;
}

/// Blocks its core until the sender is dropped.
async fn hang(group: &Group) -> std::sync::mpsc::Sender<()> {
    let (release, held) = std::sync::mpsc::channel();
    group.raft.external_request(move |_| _ = held.recv()).await.unwrap();
    release
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waited = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE.unwrap(), waited)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}

/// One clock that has run ahead must not take the shard's time, and every lease and expiry, along.
#[tokio::test(flavor = "multi_thread")]
async fn rule_19_a_time_far_ahead_is_refused() {
    let disks = [SimDisk::new(), SimDisk::new(), SimDisk::new()];
    let life = begun(&disks).await;
    let [leader, ..] = &life.groups;
    let now = Hlc::from_unix_ms(leader.env.clock.unix_ms());
    let ahead = leader.propose(Command::Barrier { hlc: now.plus_ms(3_600_000) }).await;
    assert!(matches!(ahead, Err(StoreError::Invalid { .. })), "{ahead:?}");
    leader.propose(Command::Barrier { hlc: now.plus_ms(100) }).await.unwrap();
    let key = Bytes::from_static(b"k");
    let operation = Operation {
        request: RequestId {
            client: ClientId(1),
            sequence: 1,
            first_attempt: now.plus_ms(3_600_000),
        },
        slot: Slot::of(&key),
        action: WriteAction::Delete,
        key,
    };
    let ahead = leader.operate(write(operation)).await;
    assert!(matches!(ahead, Err(StoreError::Invalid { .. })), "{ahead:?}");
    assert!(leader.machine.status().hlc < now.plus_ms(600_000), "time did not follow");
    life.end().await;
}
