//! What a stranger says on an agent's rpc port, byte by byte: the one place that builds it.

use bytes::Bytes;
use evenkeel_shared::command::{RequestId, WriteAction};
use evenkeel_shared::ids::{ClientId, ClusterId, Incarnation, KeyspaceId};
use evenkeel_shared::service::store::{
    ReadLevel, ReadRequest, Routing, ScanRequest, StoreRequest, StoreResponse, WriteItem,
    WriteRequest,
};
use evenkeel_shared::version::Hlc;
use evenkeel_shared::view::SyncPolicy;
use evenkeel_shared::wire::codec::{decode, encode};
use evenkeel_shared::wire::hello::{Caller, Hello, Service, WIRE_VERSION};

use crate::clock::unix_ms;

/// What a Hello begins with.
pub const MAGIC: [u8; 4] = *b"evkl";

/// A frame: its length and its bytes.
pub fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("frames are small");
    [&length.to_be_bytes()[..], body].concat()
}

/// The frame of a client's Hello.
pub fn hello(service: Service, cluster: Option<ClusterId>) -> Vec<u8> {
    hello_of(MAGIC, WIRE_VERSION, service, cluster)
}

/// The frame of a Hello of an agent that has not joined.
pub fn agents_hello(service: Service) -> Vec<u8> {
    let caller = Caller::Node { id: None, name: "n9".to_owned(), incarnation: Incarnation(1) };
    let hello = Hello { cluster: None, caller, service };
    framed(&encode(&(MAGIC, WIRE_VERSION, hello)).expect("it can be encoded"))
}

/// The frame of a Hello that begins with these.
pub fn hello_of(
    magic: [u8; 4],
    wire_version: u16,
    service: Service,
    cluster: Option<ClusterId>,
) -> Vec<u8> {
    let hello = Hello { cluster, caller: Caller::Client("stranger".to_owned()), service };
    framed(&encode(&(magic, wire_version, hello)).expect("it can be encoded"))
}

/// What an agent answers to a Hello: its name, or why it says no.
pub fn welcome(body: &[u8]) -> Result<String, String> {
    use evenkeel_shared::wire::hello::Welcome;
    let welcome = decode::<Result<Welcome, String>>(body).expect("an answer to a Hello");
    welcome.map(|welcome| welcome.name)
}

/// The frame of a request; it may ask for a wait that no frame of ours could hold.
pub fn request(id: u64, wait_ms: u64, message: &StoreRequest) -> Vec<u8> {
    /// The place of requests among the frames of callers.
    const REQUEST: u8 = 0;
    framed(&encode(&(REQUEST, id, wait_ms, message)).expect("it can be encoded"))
}

/// What an agent answers to a request, and which.
pub fn response(body: &[u8]) -> (u64, StoreResponse) {
    let (id, answer) = decode::<(u64, Result<StoreResponse, ()>)>(body).expect("an answer");
    (id, answer.expect("an answer of the service"))
}

/// Sets a key.
pub fn put(key: &[u8], value: Vec<u8>) -> StoreRequest {
    let request = RequestId {
        client: ClientId(7),
        sequence: unix_ms(),
        first_attempt: Hlc::from_unix_ms(unix_ms()),
    };
    let key = Bytes::copy_from_slice(key);
    let action = WriteAction::Put { value: value.into(), expires: None };
    let item = WriteItem { request, key, action, ttl_ms: None };
    let (keyspace, routing, floor) = (KeyspaceId(1), Routing::Forward, SyncPolicy::Quorum);
    StoreRequest::Write { request: WriteRequest { keyspace, item, sync: None, floor, routing } }
}

/// Reads a key.
pub fn get(key: &[u8]) -> StoreRequest {
    StoreRequest::Read {
        request: ReadRequest {
            keyspace: KeyspaceId(1),
            key: Bytes::copy_from_slice(key),
            level: ReadLevel::Linearizable,
            routing: Routing::Forward,
        },
    }
}

/// Reads as many keys as one page may hold.
pub fn scan(prefix: &[u8]) -> StoreRequest {
    StoreRequest::Scan {
        request: ScanRequest {
            keyspace: KeyspaceId(1),
            shard: None,
            prefix: Bytes::copy_from_slice(prefix),
            after: None,
            limit: u32::MAX,
            keys_only: false,
            routing: Routing::Forward,
        },
    }
}
