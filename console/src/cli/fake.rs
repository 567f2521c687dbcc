//! A small agent for tests: Store and Admin over the real wire, on a map in memory.
//!
//! It applies each request id once, as a real shard does.

mod admin;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use evenkeel_shared::command::{Expected, OperationResult, RequestId, WriteAction};
use evenkeel_shared::error::StoreError;
use evenkeel_shared::event::Event;
use evenkeel_shared::heartbeat::Load;
use evenkeel_shared::ids::{ClusterId, Epoch, Incarnation, KeyspaceId, NodeId, ReplicaId, ShardId};
use evenkeel_shared::key::{Slot, SlotRange};
use evenkeel_shared::preflight::Action;
use evenkeel_shared::service::admin::Admin;
use evenkeel_shared::service::store::{
    BatchReply, BatchRequest, ReadReply, ReadRequest, Route, Routes, ScanItem, ScanReply,
    ScanRequest, Store, WriteItem, WriteReply, WriteRequest,
};
use evenkeel_shared::version::{Hlc, Version};
use evenkeel_shared::view::{
    ClusterView, Health, HealthCounts, NodeAddresses, NodeState, NodeView, Observer, ReplicaRole,
    ReplicaState, ReplicaView, ShardHealth, ShardPhase, ShardView, SyncPolicy,
};
use evenkeel_shared::wire::codec::ServerTransport;
use evenkeel_shared::wire::hello::{Service, Welcome, answer};
use evenkeel_shared::wire::serve::{serve, server_config};
use futures::StreamExt;
use tarpc::context::Context;
use tarpc::server::{BaseChannel, Channel};

use super::Session;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing.
    None,
    /// Every so many writes, the answer is lost after the write was applied.
    AnswersLost { every: u64 },
    /// Every write is refused.
    Refuses,
    /// It dies of the first thing that an operator asks.
    Dies,
    /// It stops, and still holds its connections, at the first thing that an operator asks.
    Freezes,
}

/// A running agent.
#[derive(Clone)]
pub(crate) struct Fake {
    address: String,
    trouble: Trouble,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    records: BTreeMap<(Slot, Bytes), (Bytes, Version)>,
    results: BTreeMap<RequestId, OperationResult>,
    index: u64,
    attempts: u64,
    acts: Vec<(Action, u64)>,
    events: Vec<Event>,
}

impl Fake {
    /// Starts it on a free port.
    #[expect(clippy::disallowed_methods, reason = "tests listen on the loopback themselves")]
    pub(crate) async fn start(trouble: Trouble) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let fake = Self { address, trouble, state: Arc::default() };
        let accepting = fake.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(accepting.clone().connection(stream));
            }
        });
        fake
    }

    /// A command's session with it.
    pub(crate) fn session(&self) -> Session {
        Session::with_seeds(vec![self.address.clone()])
    }

    /// How many writes have taken effect.
    pub(crate) fn applied(&self) -> u64 {
        self.state.lock().unwrap().index
    }

    /// Which acts were done, at which revision.
    pub(crate) fn acts(&self) -> Vec<(Action, u64)> {
        self.state.lock().unwrap().acts.clone()
    }

    async fn connection(self, stream: tokio::net::TcpStream) {
        let welcome = |_: &_| {
            let cluster = Some(ClusterId(7));
            let incarnation = Incarnation(1);
            Ok(Welcome { cluster, node: Some(NodeId(1)), name: "n1".into(), incarnation })
        };
        let Ok((hello, mut frames)) = answer(Box::new(stream), welcome).await else { return };
        if hello.service == Service::Admin
            && matches!(self.trouble, Trouble::Dies | Trouble::Freezes)
        {
            let _ = frames.next().await;
            if self.trouble == Trouble::Freezes {
                std::future::pending::<()>().await;
            }
            return;
        }
        match hello.service {
            Service::Store => {
                let channel = BaseChannel::new(server_config(), ServerTransport::new(frames));
                serve(channel.execute(Store::serve(self))).await;
            }
            Service::Admin => {
                let channel = BaseChannel::new(server_config(), ServerTransport::new(frames));
                serve(channel.execute(Admin::serve(self))).await;
            }
            Service::Peer(_) | Service::Watch | Service::Lifeline => {}
        }
    }
}

/// Two shards share the slots.
fn shard_of(slot: Slot) -> ShardId {
    ShardId(if slot.0 < 8_192 { 1 } else { 2 })
}

impl State {
    fn apply(&mut self, request: WriteRequest) -> OperationResult {
        let WriteItem { request, key, action, .. } = request.item;
        if let Some(result) = self.results.get(&request) {
            return result.clone();
        }
        let slot = Slot::of(&key);
        let at = (slot, key);
        let before = self.records.get(&at).cloned();
        let version =
            Version { shard: shard_of(slot), epoch: Epoch(1), term: 1, index: self.index + 1 };
        let value = match action {
            WriteAction::Put { value, .. } | WriteAction::PutBlind { value, .. } => Some(value),
            WriteAction::Delete => None,
            WriteAction::Add { .. }
            | WriteAction::CompareAndDelete { .. }
            | WriteAction::Rename { .. } => return OperationResult::NotANumber,
            WriteAction::CompareAndSet { expected, value, .. } => {
                let holds = match (&expected, &before) {
                    (Expected::Absent, before) => before.is_none(),
                    (Expected::Value(value), Some((actual, _))) => value == actual,
                    (Expected::Version(version), Some((_, actual))) => version == actual,
                    (_, None) => false,
                };
                if !holds {
                    let actual = before.map(|(_, version)| version);
                    return OperationResult::ConditionFailed { actual };
                }
                Some(value)
            }
        };
        self.index += 1;
        match value {
            Some(value) => drop(self.records.insert(at, (value, version))),
            None => drop(self.records.remove(&at)),
        }
        let result = OperationResult::Done { version, existed: before.is_some() };
        self.results.insert(request, result.clone());
        result
    }
}

impl Store for Fake {
    async fn write(self, _: Context, request: WriteRequest) -> Result<WriteReply, StoreError> {
        let mut state = self.state.lock().unwrap();
        state.attempts += 1;
        if self.trouble == Trouble::Refuses {
            return Err(StoreError::Refused { why: "the disk is full".into() });
        }
        let result = state.apply(request);
        if let Trouble::AnswersLost { every } = self.trouble
            && state.attempts.is_multiple_of(every)
        {
            return Err(StoreError::Unknown { why: "the leader is gone".into() });
        }
        let (leader, hlc, sync) = (NodeId(1), Hlc(state.index), SyncPolicy::Quorum);
        Ok(WriteReply { result, leader, hlc, position: None, sync })
    }

    async fn write_batch(self, _: Context, _: BatchRequest) -> Result<BatchReply, StoreError> {
        Err(StoreError::Refused { why: "this is a test".into() })
    }

    async fn read(self, _: Context, request: ReadRequest) -> Result<ReadReply, StoreError> {
        let state = self.state.lock().unwrap();
        let found = state.records.get(&(Slot::of(&request.key), request.key)).cloned();
        Ok(ReadReply {
            found,
            expires: None,
            level: request.level.name(),
            age_ms: Some(0),
            position: None,
            served_by: NodeId(1),
            leader: Some(NodeId(1)),
            hlc: Hlc(0),
        })
    }

    async fn scan(self, _: Context, request: ScanRequest) -> Result<ScanReply, StoreError> {
        let state = self.state.lock().unwrap();
        let shard = request.shard.unwrap_or(ShardId(1));
        // Small pages, so that tests see several of them.
        let limit = request.limit.min(7) as usize;
        let mut items: Vec<ScanItem> = state
            .records
            .iter()
            .filter(|((slot, key), _)| {
                shard_of(*slot) == shard
                    && key.starts_with(&request.prefix)
                    && request.after.as_ref().is_none_or(|after| (*slot, key.clone()) > *after)
            })
            .take(limit + 1)
            .map(|((slot, key), (value, version))| ScanItem {
                slot: *slot,
                key: key.clone(),
                value: if request.keys_only { Bytes::new() } else { value.clone() },
                version: *version,
            })
            .collect();
        let more = items.len() > limit;
        items.truncate(limit);
        let next_shard = (!more && shard == ShardId(1)).then_some(ShardId(2));
        Ok(ScanReply { items, shard, more, next_shard, leader: NodeId(1) })
    }

    async fn routes(self, _: Context) -> Routes {
        let route = |shard: u32, slots| Route {
            shard: ShardId(shard),
            keyspace: KeyspaceId(1),
            slots: vec![slots],
            leader: Some(NodeId(1)),
        };
        Routes {
            revision: 1,
            nodes: vec![(NodeId(1), self.address.clone())],
            shards: vec![route(1, SlotRange(0, 8_191)), route(2, SlotRange(8_192, 16_383))],
            keyspaces: vec![(KeyspaceId(1), "default".into())],
        }
    }
}

/// Three nodes, two shards, all well.
pub(crate) fn sample_view() -> ClusterView {
    let shards: Vec<ShardView> =
        vec![sample_shard(1, SlotRange(0, 8_191)), sample_shard(2, SlotRange(8_192, 16_383))];
    ClusterView {
        cluster: ClusterId(7),
        revision: 41,
        observer: NodeId(1),
        taken_unix_ms: 1_000_000,
        health: Health::Ok,
        counts: HealthCounts {
            nodes_total: 3,
            nodes_up: 3,
            shards_total: 2,
            shards_ok: 2,
            shards_under_replicated: 0,
            shards_unavailable: 0,
        },
        controller: Some(NodeId(1)),
        nodes: (1..=3).map(sample_node).collect(),
        shards,
        ..ClusterView::default()
    }
}

fn sample_node(id: u32) -> NodeView {
    let rpc = format!("127.0.0.1:{}", 7_400 + 10 * id);
    NodeView {
        id: NodeId(id),
        name: format!("n{id}"),
        zone: ["a", "b", "c"][id as usize - 1].into(),
        capacity: 1,
        addresses: NodeAddresses { rpc, ..NodeAddresses::default() },
        state: NodeState::Up,
        since_unix_ms: 900_000,
        why: String::new(),
        observers: Observer::default(),
        incarnation: Some(Incarnation(1)),
        phi: Some(0.1),
        heard_ms: Some(20),
        round_trip_us: Some(100),
        leaders: u32::from(id < 3),
        replicas: 2,
        load: Some(Load::default()),
        drills: true,
    }
}

fn sample_shard(id: u32, slots: SlotRange) -> ShardView {
    let replica = |node: u32| ReplicaView {
        id: ReplicaId::new(NodeId(node), id * 10 + node),
        node: NodeId(node),
        role: ReplicaRole::Voter,
        state: if node == id { ReplicaState::Leader } else { ReplicaState::Follower },
        why: None,
        lag: Some(0),
    };
    ShardView {
        id: ShardId(id),
        keyspace: KeyspaceId(1),
        keyspace_name: "default".into(),
        slots: vec![slots],
        phase: ShardPhase::Serving,
        leader: Some(NodeId(id)),
        term: 1,
        epoch: Epoch(1),
        committed: Some(7),
        health: ShardHealth::Ok,
        wanted: 3,
        replicas: (1..=3).map(replica).collect(),
        ops_s: Some(1.0),
        log_bytes: Some(1),
        data_bytes: Some(1),
    }
}

mod tests;
