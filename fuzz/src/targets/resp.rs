//! What Redis clients send: a whole conversation, over a store in memory.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use evenkeel_agent::env::Env;
use evenkeel_agent::gateway::resp::{Resp as Gateway, RespClient};
use evenkeel_agent::gateway::{
    About, Answer, KeyValue, Map, Page, Paged, Place, Reading, Seen, SeenRecord, Write, Written,
};
use evenkeel_agent::strangers::Strangers;
use evenkeel_shared::command::{OperationResult, WriteAction};
use evenkeel_shared::key::Slot;
use futures::future::ready;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::{runtime, samples};
use crate::engine::Target;

/// The target.
pub(super) struct Resp {
    corpus: Vec<Vec<u8>>,
    runtime: Runtime,
}

type Records = Mutex<BTreeMap<Bytes, SeenRecord>>;

/// A store in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Records>);

impl Memory {
    fn with<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut BTreeMap<Bytes, SeenRecord>) -> T,
    ) -> Answer<T> {
        let done = act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
        Box::pin(ready(Ok(done)))
    }
}

/// Near enough to the real one for whatever decodes replies and requests around it.
fn apply(records: &mut BTreeMap<Bytes, SeenRecord>, write: Write) -> OperationResult {
    let version = samples::version();
    let existed = records.contains_key(&write.key);
    match write.action {
        WriteAction::Put { value, expires }
        | WriteAction::PutBlind { value, expires }
        | WriteAction::CompareAndSet { value, expires, .. } => {
            records.insert(write.key, SeenRecord { value, version, expires });
        }
        WriteAction::Delete | WriteAction::CompareAndDelete { .. } => {
            records.remove(&write.key);
        }
        WriteAction::Add { by } => return OperationResult::Counted { version, value: by },
        WriteAction::Rename { to, .. } => {
            if let Some(record) = records.remove(&write.key) {
                records.insert(to, record);
            }
        }
    }
    OperationResult::Done { version, existed }
}

impl KeyValue for Memory {
    fn connection(&self) -> Arc<dyn KeyValue> {
        Arc::new(self.clone())
    }

    fn read(&self, keys: Vec<Bytes>, _: Reading, _: Duration) -> Answer<Vec<Seen>> {
        self.with(|records| {
            let seen = |key| Seen { record: records.get(key).cloned(), now: samples::NOW };
            keys.iter().map(seen).collect()
        })
    }

    fn write(&self, writes: Vec<Write>, _: Duration) -> Answer<Vec<Written>> {
        self.with(|records| writes.into_iter().map(|write| Ok(apply(records, write))).collect())
    }

    fn page(&self, _: Page, _: Duration) -> Answer<Paged> {
        self.with(|records| Paged { keys: records.keys().cloned().collect(), next: None })
    }

    fn copies(&self) -> usize {
        2
    }

    fn map(&self) -> Map {
        Map::default()
    }

    fn place(&self, _: Slot) -> Place {
        Place::Here
    }

    fn about(&self) -> About {
        About::default()
    }
}

fn command(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}

impl Resp {
    pub(super) fn new() -> Self {
        let conversation = [
            command(&["HELLO", "3", "SETNAME", "somebody"]),
            command(&["SET", "k", "value", "PX", "5000", "NX"]),
            command(&["GET", "k"]),
            command(&["DEL", "k", "l", "m"]),
            command(&["EXISTS", "k", "l"]),
            command(&["CLIENT", "SETINFO", "lib-name", "x"]),
            command(&["SELECT", "0"]),
            command(&["NONSENSE", "\u{fffd}", ""]),
            command(&["MSET", "a", "1", "b", "2"]),
            command(&["SETRANGE", "a", "7", "piece"]),
            command(&["GETRANGE", "a", "-3", "-1"]),
            command(&["INCRBYFLOAT", "a", "1e300"]),
            command(&["EXPIRE", "a", "100", "GT"]),
            command(&["SCAN", "0", "MATCH", "[^a-z]*\\*?", "COUNT", "100"]),
            command(&["KEYS", "a*b*c*d*e"]),
            command(&["CLUSTER", "COUNTKEYSINSLOT", "16383"]),
            command(&["COMMAND", "GETKEYS", "MSET", "a", "1", "b", "2"]),
            command(&["CONFIG", "GET", "*", "app*"]),
            command(&["INFO", "server", "all"]),
        ];
        let mut corpus: Vec<_> = conversation.to_vec();
        corpus.push(conversation.concat());
        corpus.push(b"PING\r\nSET a b EX 10\r\n\r\nGET a\nQUIT\r\n".to_vec());
        let many: Vec<String> = (0..1_000).map(|nth| format!("k{nth}")).collect();
        let many: Vec<&str> =
            std::iter::once("DEL").chain(many.iter().map(String::as_str)).collect();
        corpus.push(command(&many));
        corpus.push(command(&["SET", "large", &"x".repeat(100_000)]));
        Self { corpus, runtime: runtime() }
    }
}

impl Target for Resp {
    fn name(&self) -> &'static str {
        "resp"
    }

    fn corpus(&self) -> &[Vec<u8>] {
        &self.corpus
    }

    /// Valid is what is answered without a protocol error.
    fn decode(&self, input: &[u8]) -> bool {
        let gateway = {
            let clock = Env::real().clock;
            let strangers = Strangers::new(clock.clone());
            let (connected, rng) = (Arc::default(), Env::real().rng);
            let store = Arc::new(Memory::default());
            Gateway { store, clock, rng, strangers, finds_way: false, connected }
        };
        let client = RespClient { number: 1, from: ([127, 0, 0, 1], 1).into() };
        let (near, far) = tokio::io::duplex(64 << 10);
        let stream = Box::new(tokio::io::join(Cursor::new(input.to_vec()), near));
        let heard = async {
            let mut far = far;
            let mut out = Vec::new();
            tokio::io::AsyncReadExt::read_to_end(&mut far, &mut out).await.map(|_| out)
        };
        let served = gateway.converse(stream, client, CancellationToken::new());
        let ((), out) = self.runtime.block_on(async { tokio::join!(served, heard) });
        let out = out.expect("memory does not fail");
        !out.windows(19).any(|text| text == b"-ERR Protocol error")
    }

    /// The input and its words, a record for each, and answers that quote them.
    fn memory_bytes_max(&self, input_bytes: usize) -> usize {
        (2 << 20) + 256 * input_bytes
    }
}
