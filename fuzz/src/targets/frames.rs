//! What strangers and peers send: the Hello, and requests and answers of every service.
//!
//! The first byte of an input says what the rest is; all of it goes through the product's own
//! transports, whose frames it fills.

use std::io::Cursor;

use bytes::Bytes;
use evenkeel_agent::store::raft::{Entry, LogId, SnapshotMeta, Vote};
use evenkeel_shared::command::Applied;
use evenkeel_shared::command::Command;
use evenkeel_shared::error::{AdminError, StoreError};
use evenkeel_shared::fault::{Drill, Fault, Way};
use evenkeel_shared::ids::{ClusterId, Incarnation, KeyspaceId, NodeId};
use evenkeel_shared::limits::DATA_FRAME_BYTES_MAX;
use evenkeel_shared::preflight::{Action, Outcome};
use evenkeel_shared::service::admin::{AdminRequest, AdminResponse};
use evenkeel_shared::service::peer::{
    CanvassAnswer, CanvassQuestion, LeaderOrder, LeaderReply, PeerRequest, PeerResponse, RaftFrame,
    RaftMessage, SnapshotBegin, SnapshotChunk, SnapshotFinish,
};
use evenkeel_shared::service::store::{
    BatchRequest, ReadLevel, ReadRequest, Routing, ScanRequest, SessionToken, StoreRequest,
    StoreResponse, WriteItem, WriteRequest,
};
use evenkeel_shared::service::watch::WatchRequest;
use evenkeel_shared::version::Position;
use evenkeel_shared::view::SyncPolicy;
use evenkeel_shared::wire::codec::{CallerTransport, ServerTransport, decode, encode};
use evenkeel_shared::wire::deadline::Deadline;
use evenkeel_shared::wire::hello::{Caller, Hello, Lane, Service, Welcome, answer};
use evenkeel_shared::wire::transport::{BoxStream, Dial};
use futures::future::BoxFuture;
use futures::{SinkExt, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tarpc::{ClientMessage, Request, Response};
use tokio::io::AsyncReadExt;
use tokio::runtime::Runtime;

use super::{runtime, samples};
use crate::engine::Target;

/// The target.
pub(super) struct Frames {
    corpus: Vec<Vec<u8>>,
    runtime: Runtime,
}

const HELLO: u8 = 0;
const PEER: u8 = 1;
const STORE: u8 = 2;
const ADMIN: u8 = 3;
const WATCH: u8 = 4;
const PEER_ANSWER: u8 = 5;
const STORE_ANSWER: u8 = 6;
const ADMIN_ANSWER: u8 = 7;
const COMMAND: u8 = 8;
const APPEND: u8 = 9;
const KINDS: u8 = 10;

impl Frames {
    pub(super) fn new() -> Self {
        let runtime = runtime();
        let mut corpus = Vec::new();
        let mut add = |kind: u8, bytes: Vec<u8>| corpus.push([vec![kind], bytes].concat());
        for hello in hellos() {
            add(HELLO, runtime.block_on(said(hello)));
        }
        for request in peer_requests() {
            add(PEER, runtime.block_on(asked(request)));
        }
        for request in store_requests() {
            add(STORE, runtime.block_on(asked(request)));
        }
        for request in admin_requests() {
            add(ADMIN, runtime.block_on(asked(request)));
        }
        for request in watch_requests() {
            add(WATCH, runtime.block_on(asked(request)));
        }
        for response in peer_responses() {
            add(PEER_ANSWER, runtime.block_on(answered(response)));
        }
        let no_quorum = StoreError::NoQuorum { shard: samples::SHARD };
        add(STORE_ANSWER, runtime.block_on(answered(StoreResponse::Read(Err(no_quorum)))));
        let outcome = Outcome { what: "killed".to_owned(), took_us: 5, backup: None };
        for response in [
            AdminResponse::View(samples::view()),
            AdminResponse::Events(vec![samples::event(); 3]),
            AdminResponse::Act(Ok(outcome)),
            AdminResponse::Act(Err(AdminError::NotFound { what: "node".to_owned() })),
        ] {
            add(ADMIN_ANSWER, runtime.block_on(answered(response)));
        }
        for command in samples::commands() {
            add(COMMAND, encode(&command).expect("samples are encodable").to_vec());
        }
        add(APPEND, append());
        Self { corpus, runtime }
    }
}

impl Target for Frames {
    fn name(&self) -> &'static str {
        "frames"
    }

    fn corpus(&self) -> &[Vec<u8>] {
        &self.corpus
    }

    fn decode(&self, input: &[u8]) -> bool {
        let Some((kind, body)) = input.split_first() else { return false };
        match kind % KINDS {
            HELLO => self.runtime.block_on(greeted(body)),
            PEER => self.runtime.block_on(served::<PeerRequest>(body)),
            STORE => self.runtime.block_on(served::<StoreRequest>(body)),
            ADMIN => self.runtime.block_on(served::<AdminRequest>(body)),
            WATCH => self.runtime.block_on(served::<WatchRequest>(body)),
            PEER_ANSWER => self.runtime.block_on(heard::<PeerResponse>(body)),
            STORE_ANSWER => self.runtime.block_on(heard::<StoreResponse>(body)),
            ADMIN_ANSWER => self.runtime.block_on(heard::<AdminResponse>(body)),
            COMMAND => decode::<Command>(body).is_ok(),
            // openraft's own request, field by field.
            _ => {
                let meta = decode::<(Vote, SnapshotMeta)>(body).is_ok();
                meta | decode::<(Vote, Option<LogId>, Vec<Entry>, Option<LogId>)>(body).is_ok()
            }
        }
    }

    /// The frame itself twice, the largest item in the place of each byte, and what serde sets
    /// aside for each list before it has seen one item: a MiB, a few lists deep.
    fn memory_bytes_max(&self, input_bytes: usize) -> usize {
        (8 << 20) + 512 * input_bytes
    }
}

/// A connection on which some bytes come in, and whatever goes out is dropped.
fn incoming(bytes: &[u8]) -> BoxStream {
    Box::new(tokio::io::join(Cursor::new(bytes.to_vec()), tokio::io::sink()))
}

fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("inputs are short");
    [&length.to_be_bytes(), body].concat()
}

/// Once as a frame of the right length, once as the stream's own bytes.
async fn greeted(body: &[u8]) -> bool {
    let welcome = |_: &Hello| {
        Ok(Welcome {
            cluster: Some(ClusterId(5)),
            node: Some(NodeId(1)),
            name: "n1".to_owned(),
            incarnation: Incarnation(2),
        })
    };
    let whole = answer(incoming(&framed(body)), welcome).await.is_ok();
    whole | answer(incoming(body), welcome).await.is_ok()
}

fn frames(bytes: &[u8]) -> evenkeel_shared::wire::transport::Frames {
    evenkeel_shared::wire::transport::Frames::new(incoming(bytes), DATA_FRAME_BYTES_MAX)
}

async fn served<T: DeserializeOwned>(body: &[u8]) -> bool {
    let mut taken = 0;
    for bytes in [framed(body), body.to_vec()] {
        let mut requests = ServerTransport::<T, ()>::new(frames(&bytes));
        while let Some(Ok(message)) = requests.next().await {
            taken += 1;
            if let ClientMessage::Request(request) = message {
                // A deadline that the server's clock can't hold would panic here.
                let _ = Deadline::of(&request.context).remaining();
            }
        }
    }
    taken > 0
}

async fn heard<T: DeserializeOwned>(body: &[u8]) -> bool {
    let mut answers = CallerTransport::<(), T>::new(frames(&framed(body)));
    let mut taken = 0;
    while let Some(Ok(_)) = answers.next().await {
        taken += 1;
    }
    taken > 0
}

/// What goes out on a connection, without its frame's length.
async fn sent<F: Future<Output = ()>>(speak: impl FnOnce(BoxStream) -> F) -> Vec<u8> {
    let (near, mut far) = tokio::io::duplex(1 << 20);
    speak(Box::new(near)).await;
    let mut out = Vec::new();
    far.read_to_end(&mut out).await.expect("memory does not fail");
    out.split_off(4)
}

async fn asked<T: Serialize>(message: T) -> Vec<u8> {
    sent(async |stream| {
        let frames = evenkeel_shared::wire::transport::Frames::new(stream, DATA_FRAME_BYTES_MAX);
        let mut caller = CallerTransport::<T, ()>::new(frames);
        let context = tarpc::context::Context::current();
        let request = ClientMessage::Request(Request { context, id: 7, message });
        caller.send(request).await.expect("memory takes all");
    })
    .await
}

async fn answered<T: Serialize>(message: T) -> Vec<u8> {
    sent(async |stream| {
        let frames = evenkeel_shared::wire::transport::Frames::new(stream, DATA_FRAME_BYTES_MAX);
        let mut server = ServerTransport::<(), T>::new(frames);
        let response = Response { request_id: 7, message: Ok(message) };
        server.send(response).await.expect("memory takes all");
    })
    .await
}

/// Dials a connection that is there already.
struct There(std::sync::Mutex<Option<BoxStream>>);

impl Dial for There {
    fn dial(&self, _: &str) -> BoxFuture<'static, std::io::Result<BoxStream>> {
        let stream = self.0.lock().ok().and_then(|mut stream| stream.take());
        Box::pin(async move { stream.ok_or_else(|| std::io::ErrorKind::NotFound.into()) })
    }
}

async fn said(hello: Hello) -> Vec<u8> {
    let (near, mut far) = tokio::io::duplex(1 << 20);
    let dial = There(std::sync::Mutex::new(Some(Box::new(near))));
    let mut length = [0; 4];
    let heard = async {
        far.read_exact(&mut length).await.expect("memory does not fail");
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        far.read_exact(&mut body).await.expect("memory does not fail");
        body
    };
    // Whoever calls waits for an answer that never comes.
    let call = evenkeel_shared::wire::hello::call(&dial, "there", hello);
    tokio::select! {
        body = heard => body,
        _ = call => unreachable!("nobody answers"),
    }
}

fn hellos() -> Vec<Hello> {
    let node = |id| Caller::Node { id, name: "n1".to_owned(), incarnation: Incarnation(2) };
    vec![
        Hello { cluster: None, caller: node(None), service: Service::Peer(Lane::Bulk) },
        Hello {
            cluster: Some(ClusterId(5)),
            caller: node(Some(NodeId(1))),
            service: Service::Peer(Lane::Raft),
        },
        Hello {
            cluster: Some(ClusterId(5)),
            caller: Caller::Client("somebody".to_owned()),
            service: Service::Watch,
        },
    ]
}

fn append() -> Vec<u8> {
    let log_id = LogId::new_term_index(4, 900);
    let part = |bytes: std::io::Result<Bytes>| bytes.expect("samples are encodable").to_vec();
    let vote = Vote::new_committed(4, samples::replica(1));
    let commands = samples::commands();
    let entries = commands.iter().flat_map(|command| {
        // An entry's log id, the number of the payload's kind, and the command.
        [part(encode(&log_id)), vec![1], part(encode(command))].concat()
    });
    let count = u8::try_from(commands.len()).expect("there are a few");
    let head = [part(encode(&(vote, Some(log_id)))), vec![count]].concat();
    [head, entries.collect(), part(encode(&Some(log_id)))].concat()
}

fn peer_requests() -> Vec<PeerRequest> {
    let (shard, history) = (samples::SHARD, samples::history());
    let (from, to) = (samples::replica(1), samples::replica(2));
    let frame =
        RaftFrame { shard, history, from, to, message: RaftMessage::Append, body: append().into() };
    let question = CanvassQuestion { shard, from, term: 4, last: Some((4, 900)) };
    let begin = SnapshotBegin { shard, history, from, to, transfer: u64::MAX };
    let body = Bytes::from_static(b"rows");
    let chunk = SnapshotChunk { shard, to, transfer: 9, number: 3, body: body.clone() };
    let finish = SnapshotFinish { shard, to, transfer: 9, chunks: 4, hash: [7; 32], meta: body };
    let image = Box::new(samples::image(Vec::new(), 5, "hash".to_owned()));
    let orders = [
        LeaderOrder::AddLearner(to),
        LeaderOrder::ChangeVoters { from: vec![from, to], to: vec![to] },
        LeaderOrder::Image { cut: samples::NOW, archive: "/archive".to_owned() },
        LeaderOrder::Ingest { archive: "/archive".to_owned(), image },
        LeaderOrder::TakeAway { node: from.node(), ticket: 7 },
    ];
    let mut requests = vec![
        PeerRequest::Raft { frame },
        PeerRequest::Beat { heartbeat: samples::heartbeat() },
        PeerRequest::Canvass { questions: vec![question; 9] },
        PeerRequest::Stand { shard, term: Some(7) },
        PeerRequest::SnapshotBegin { frame: begin },
        PeerRequest::SnapshotChunk { chunk },
        PeerRequest::SnapshotFinish { finish },
        PeerRequest::Join { request: samples::join() },
        PeerRequest::ContentHash { shard },
    ];
    requests.extend(orders.map(|order| PeerRequest::Lead { shard, order }));
    let propose = |command| PeerRequest::Propose { shard, command: Box::new(command) };
    requests.extend(samples::commands().into_iter().map(propose));
    requests
}

fn peer_responses() -> Vec<PeerResponse> {
    let answer = CanvassAnswer { replica: None, unled: true, last: Some((4, 900)) };
    let image = Box::new(samples::image(Vec::new(), 5, "hash".to_owned()));
    vec![
        PeerResponse::Raft(Ok(Bytes::from_static(b"answer"))),
        PeerResponse::Canvass(vec![answer; 9]),
        PeerResponse::Join(Ok(samples::admission())),
        PeerResponse::Propose(Ok(Applied::Nothing)),
        PeerResponse::Lead(Ok(LeaderReply::Image(image))),
        PeerResponse::Lead(Ok(LeaderReply::TakenAway(vec![NodeId(2)]))),
        PeerResponse::Lead(Err(StoreError::Busy { what: "queue".to_owned() })),
    ]
}

fn store_requests() -> Vec<StoreRequest> {
    let (keyspace, routing) = (KeyspaceId(1), Routing::Forward);
    let key = Bytes::from_static(b"key");
    let item = |action| {
        let key = key.clone();
        WriteItem { request: samples::request(), key, action, ttl_ms: Some(5_000) }
    };
    let (sync, floor) = (Some(SyncPolicy::Leader), SyncPolicy::Quorum);
    let items: Vec<_> = samples::actions().into_iter().map(item).collect();
    let write = |item: &WriteItem| {
        let item = item.clone();
        StoreRequest::Write { request: WriteRequest { keyspace, item, sync, floor, routing } }
    };
    let mut requests: Vec<_> = items.iter().map(write).collect();
    requests.push(StoreRequest::WriteBatch {
        request: BatchRequest { keyspace, items, sync, floor, routing },
    });
    let seen = Position { shard: samples::SHARD, history: samples::history(), term: 3, index: 9 };
    let token = SessionToken { seen: Some(seen), provisional: vec![seen; 8] };
    for level in [
        ReadLevel::Linearizable,
        ReadLevel::Session(token.clone()),
        ReadLevel::Bounded(500),
        ReadLevel::Any,
        ReadLevel::Default(token),
    ] {
        let key = key.clone();
        requests
            .push(StoreRequest::Read { request: ReadRequest { keyspace, key, level, routing } });
    }
    requests.push(StoreRequest::Scan {
        request: ScanRequest {
            keyspace,
            shard: Some(samples::SHARD),
            prefix: key.clone(),
            after: Some((evenkeel_shared::key::Slot(5), key)),
            limit: u32::MAX,
            keys_only: true,
            routing,
        },
    });
    requests.push(StoreRequest::Routes {});
    requests
}

fn admin_requests() -> Vec<AdminRequest> {
    let actions = [
        Action::Kill { node: NodeId(2), down_secs: Some(10) },
        Action::Restore { archive: "/archive".to_owned(), backup: "b".to_owned() },
        Action::RestoreUndo,
    ];
    let act = |action| AdminRequest::Act { action, revision: 8, actor: "somebody".to_owned() };
    let mut requests = vec![AdminRequest::View {}, AdminRequest::Events { after: u64::MAX }];
    let cut = Fault::Cut { from: vec![NodeId(3)], way: Way::In };
    for drill in
        [Drill::Die { down_secs: None }, Drill::Begin { fault: cut.clone(), secs: 5 }, Drill::Heal]
    {
        requests.push(AdminRequest::Drill { drill, actor: "somebody".to_owned() });
    }
    requests.push(act(Action::Fault { node: NodeId(2), fault: cut, secs: 5 }));
    requests.extend(actions.map(act));
    requests
}

fn watch_requests() -> Vec<WatchRequest> {
    vec![
        WatchRequest::Heartbeat { report: Box::new(samples::report()) },
        WatchRequest::Event { event: samples::event() },
        WatchRequest::View { view: Box::new(samples::view()) },
    ]
}
