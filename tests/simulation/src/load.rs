//! What clients do: put keys until each is acknowledged, and read them back; or contend for few.

mod contend;
mod foretold;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_history::History;
use evenkeel_shared::client::{ClientError, Pool, PoolConfig, StoreClientConfig, StoreHandle};
use evenkeel_shared::ids::{ClientId, KeyspaceId};
use evenkeel_shared::wire::hello::Caller;
use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::agent::{Layout, address};
use crate::env;
use crate::invariants::Acknowledged;
use crate::net::SimNet;
use crate::seed::Seed;
use crate::trace::Trace;

/// How long one request may take before its outcome counts as unknown.
const REQUEST_MAX: Duration = Duration::from_secs(5);
/// Longest pause between two requests of one client, in milliseconds.
const PAUSE_MS_MAX: u64 = 20;

/// Clients of the cluster, and the promises that were made to them. Each task opens connections of
/// its own, since they live and die with the host on which they were opened.
#[derive(Clone)]
pub struct Clients {
    /// What was acknowledged; shared with whoever judges.
    pub promises: Rc<RefCell<Acknowledged>>,
    /// What those who contend did and saw; shared with whoever judges.
    pub history: Rc<RefCell<History>>,
    seed: Seed,
    layout: Layout,
    trace: Rc<RefCell<Trace>>,
    opened: Rc<Cell<u64>>,
}

impl Clients {
    /// Clients that know every agent's address.
    pub fn new(seed: Seed, layout: Layout, trace: Rc<RefCell<Trace>>) -> Self {
        let (promises, history, opened) = (Rc::default(), Rc::default(), Rc::default());
        Self { promises, history, seed, layout, trace, opened }
    }

    fn pool(&self) -> (Pool, u64) {
        let which = self.opened.get() + 1;
        self.opened.set(which);
        let pool = Pool::new(PoolConfig {
            dial: Arc::new(SimNet),
            caller: Caller::Client(format!("client {which}")),
            cluster: None,
        });
        (pool, which)
    }

    fn open(&self) -> (StoreHandle, StdRng, u64) {
        let (pool, which) = self.pool();
        let config = StoreClientConfig {
            seeds: (0..self.layout.agents).map(address).collect(),
            client: ClientId(self.seed.number("client", which)),
            keyspace: KeyspaceId(1),
            sync: None,
            timeout: REQUEST_MAX,
            unix_ms: Arc::new(env::unix_ms),
        };
        (StoreHandle::new(pool, config), self.seed.stream("load", which), which)
    }

    /// Puts that many keys, each again and again until it is acknowledged.
    pub async fn put(self, prefix: &'static str, keys: u32) -> Result<(), ClientError> {
        let (store, mut chance, _) = self.open();
        for number in 0..keys {
            let key = Bytes::from(format!("{prefix}{number}"));
            let mut attempt = 0;
            loop {
                attempt += 1;
                let value = Bytes::from(format!("{prefix}{number}.{attempt}"));
                match store.put(key.clone(), value.clone()).await {
                    Ok(reply) => {
                        self.note(&format!("put {key:?} {value:?}: {:?}", reply.result));
                        self.promises.borrow_mut().acknowledge(key, value);
                        break;
                    }
                    Err(error @ ClientError::Refused(_)) => return Err(error),
                    Err(ClientError::Unavailable { .. }) => self.note(&format!("put {key:?}: no")),
                    Err(ClientError::Unknown { .. }) => {
                        self.note(&format!("put {key:?} {value:?}: unknown"));
                        self.promises.borrow_mut().doubt(key.clone(), value);
                    }
                }
            }
            let pause_ms = chance.random_range(0..=PAUSE_MS_MAX);
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        }
        Ok(())
    }

    /// Reads every acknowledged key; the inner error names the first that is not as promised.
    pub async fn read_back(self) -> Result<Result<usize, String>, ClientError> {
        let (store, ..) = self.open();
        let keys = self.promises.borrow().keys();
        for key in &keys {
            let found = loop {
                match store.get(key.clone()).await {
                    Ok(reply) => break reply.found,
                    Err(error @ ClientError::Refused(_)) => return Err(error),
                    Err(_) => self.note(&format!("get {key:?}: no")),
                }
            };
            self.note(&format!("get {key:?}: {found:?}"));
            let value = found.as_ref().map(|(value, _)| value);
            if let Err(why) = self.promises.borrow().check(key, value) {
                return Ok(Err(why));
            }
        }
        Ok(Ok(keys.len()))
    }

    /// How many keys are acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.promises.borrow().keys().len()
    }

    fn note(&self, what: &str) {
        let now = turmoil::sim_elapsed().unwrap_or_default();
        self.trace.borrow_mut().add(now, what);
    }
}
