//! Values of every kind that travels: what the corpora are encoded from.

use bytes::Bytes;
use evenkeel_shared::backup::{ARCHIVE_FORMAT, BackupKind, Chunk, Manifest, ShardImage};
use evenkeel_shared::command::{
    Batch, Command, Expected, Operation, Record, RequestId, StoredRecord, WriteAction,
};
use evenkeel_shared::event::{Event, EventKind, Severity};
use evenkeel_shared::heartbeat::{
    Claim, Heartbeat, Load, PeerReport, RaftRole, ReplicaStatus, Report,
};
use evenkeel_shared::ids::{
    ClientId, ClusterId, Epoch, History, Incarnation, IntentId, KeyspaceId, NodeId, ReplicaId,
    ShardId,
};
use evenkeel_shared::key::{Slot, SlotRange};
use evenkeel_shared::version::{Hlc, Version};
use evenkeel_shared::view::{Admission, ClusterView, JoinRequest, NodeAddresses, SystemCommand};

/// Some moment.
pub(super) const NOW: Hlc = Hlc(1_764_000_000_000 << 16);
/// Some shard.
pub(super) const SHARD: ShardId = ShardId(3);

/// Some history.
pub(super) fn history() -> History {
    History { number: 1, salt: u64::MAX / 3 }
}

/// Some replica.
pub(super) fn replica(node: u32) -> ReplicaId {
    ReplicaId::new(NodeId(node), 5)
}

/// Some version.
pub(super) fn version() -> Version {
    Version { shard: SHARD, epoch: Epoch(2), term: 4, index: 900 }
}

/// Some request's id.
pub(super) fn request() -> RequestId {
    RequestId { client: ClientId(77), sequence: 12, first_attempt: NOW }
}

/// A write of each kind.
pub(super) fn actions() -> Vec<WriteAction> {
    let value = Bytes::from_static(b"a value of some length");
    let expecting = |expected| WriteAction::CompareAndSet {
        expected,
        value: value.clone(),
        expires: Some(NOW.plus_ms(5)),
    };
    vec![
        WriteAction::Put { value: value.clone(), expires: None },
        WriteAction::PutBlind { value: value.clone(), expires: None },
        WriteAction::Delete,
        expecting(Expected::Absent),
        expecting(Expected::Value(value.clone())),
        expecting(Expected::Version(version())),
        WriteAction::Add { by: -5 },
        WriteAction::CompareAndDelete { expected: Expected::Version(version()) },
        WriteAction::Rename { to: Bytes::from_static(b"other"), replace: true },
    ]
}

/// A few records in order.
pub(super) fn records() -> Vec<StoredRecord> {
    let record = |nth: u8| {
        let key = Bytes::from(vec![b'k', nth]);
        let value = Bytes::from(vec![nth; usize::from(nth)]);
        let expires = nth.is_multiple_of(2).then_some(NOW);
        let record = Record { value, version: version(), hlc: NOW, expires };
        StoredRecord { slot: Slot(u16::from(nth)), key, record }
    };
    (1..20).map(record).collect()
}

/// A command of each kind.
pub(super) fn commands() -> Vec<Command> {
    let operation = |action| Operation {
        request: request(),
        slot: Slot(7),
        key: Bytes::from_static(b"key"),
        action,
    };
    let operations = actions().into_iter().map(operation).collect();
    let system = |command| Command::System { hlc: NOW, command: Box::new(command) };
    let intent = IntentId(3);
    vec![
        Command::Batch(Batch { hlc: NOW, operations }),
        Command::Barrier { hlc: NOW },
        Command::Own { hlc: NOW, keyspace: KeyspaceId(1), slots: vec![SlotRange::ALL], open: true },
        Command::Seal { hlc: NOW, intent },
        Command::Open { hlc: NOW, intent },
        Command::Ingest { hlc: NOW, records: records() },
        system(SystemCommand::Found(Box::default())),
        system(SystemCommand::Join(join())),
        system(SystemCommand::Journal(vec![event(); 3])),
        system(SystemCommand::EndIntent { intent, drop: vec![SHARD; 4] }),
    ]
}

/// A node's addresses.
pub(super) fn addresses() -> NodeAddresses {
    let address = |port: u16| format!("10.0.0.7:{port}");
    NodeAddresses { rpc: address(7400), resp: Some(address(6379)), ..NodeAddresses::default() }
}

/// A node that asks to join.
pub(super) fn join() -> JoinRequest {
    JoinRequest {
        name: "n4".to_owned(),
        zone: "b".to_owned(),
        capacity: 100,
        addresses: addresses(),
        drills: true,
        folder: 9,
        known_as: Some((ClusterId(5), NodeId(4))),
    }
}

/// What it is answered.
pub(super) fn admission() -> Admission {
    Admission {
        cluster: ClusterId(5),
        node: NodeId(4),
        system_replica: replica(4),
        system_history: history(),
        peers: vec![(NodeId(1), addresses()), (NodeId(2), addresses())],
    }
}

/// A line of the journal.
pub(super) fn event() -> Event {
    Event {
        id: 40,
        unix_ms: 1_764_000_000_000,
        reporter: NodeId(1),
        kind: EventKind::Verdict,
        severity: Severity::Warn,
        node: Some(NodeId(2)),
        shard: None,
        what: "n2 is held dead".to_owned(),
        why: "refused".to_owned(),
        took_us: Some(1_200),
    }
}

/// A heartbeat between agents.
pub(super) fn heartbeat() -> Heartbeat {
    let status = ReplicaStatus {
        shard: SHARD,
        replica: replica(1),
        role: RaftRole::Leader,
        term: 4,
        leader: Some(replica(1)),
        last: 900,
        applied: 899,
        epoch: Epoch(2),
        voters: vec![replica(1), replica(2), replica(3)],
        learners: vec![replica(4)],
        chain: u64::MAX,
        log_bytes: 1 << 20,
        data_bytes: 1 << 24,
        ops_s: 3.5,
        filling: false,
        damaged: Some("its log is gone".to_owned()),
    };
    Heartbeat {
        from: NodeId(1),
        incarnation: Incarnation(2),
        sequence: 1 << 40,
        hlc: NOW,
        load: Load::default(),
        claims: vec![Claim { shard: SHARD, term: 4, committed: 899 }; 5],
        replicas: Some(vec![status; 3]),
        dead: vec![NodeId(3)],
        revision: 8,
    }
}

/// What a console is told.
pub(super) fn report() -> Report {
    let peer = PeerReport {
        node: NodeId(2),
        phi: Some(0.1),
        heard_ms: Some(90),
        round_trip_us: Some(300),
        dead: false,
    };
    Report {
        node: NodeId(1),
        name: "n1".to_owned(),
        incarnation: Incarnation(2),
        unix_ms: 1_764_000_000_000,
        load: Load::default(),
        revision: 8,
        peers: vec![peer; 4],
        leads: vec![(SHARD, 12.5); 3],
    }
}

/// The cluster as consoles see it.
pub(super) fn view() -> ClusterView {
    ClusterView { controller: Some(NodeId(1)), ..ClusterView::default() }
}

/// A shard's part of a backup.
pub(super) fn image(chunks: Vec<Chunk>, records: u64, content_hash: String) -> ShardImage {
    ShardImage {
        shard: SHARD,
        keyspace: KeyspaceId(1),
        history: history(),
        slots: vec![SlotRange::ALL],
        index: 900,
        records,
        content_hash,
        chunks,
    }
}

/// A whole backup.
pub(super) fn manifest(id: &str, shards: Vec<ShardImage>, configuration: Chunk) -> Manifest {
    Manifest {
        format: ARCHIVE_FORMAT,
        id: id.to_owned(),
        kind: BackupKind::Full,
        cluster: ClusterId(5),
        cut: NOW,
        finished_unix_ms: 1_764_000_000_000,
        shards,
        configuration,
        written_by: "0.1.0".to_owned(),
    }
}
