//! Writers that go on whatever happens, and remember what was acknowledged to them.
//!
//! Each key is written once, so an acknowledged key has exactly one value it may read back as.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use evenkeel_shared::client::ClientError;
use tokio::task::JoinHandle;

use crate::client::{Client, is_done};
use crate::clock::wait_for;

/// How long writers may take to get on.
const SOON: Duration = Duration::from_secs(60);

/// What came of the writes.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Keys that were acknowledged, and their values.
    pub acknowledged: BTreeMap<String, Bytes>,
    /// Writes whose outcome is not known.
    pub unknown: u64,
    /// Writes that were refused: nothing took effect.
    pub refused: u64,
}

/// Writers at work.
pub struct Writers {
    client: Client,
    stop: Arc<AtomicBool>,
    tally: Arc<Mutex<Tally>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Writers {
    /// Starts so many writers; keys begin with the prefix.
    pub fn start(seeds: Vec<String>, prefix: &str, count: u32) -> Self {
        let client = Client::new(seeds);
        let stop = Arc::new(AtomicBool::new(false));
        let tally = Arc::new(Mutex::new(Tally::default()));
        let tasks = (0..count).map(|writer| {
            let (store, stop, tally) = (client.store.clone(), stop.clone(), tally.clone());
            let prefix = format!("{prefix}/{writer}");
            client.runtime.spawn(async move {
                let mut number = 0u64;
                while !stop.load(Ordering::Relaxed) {
                    let key = format!("{prefix}/{number}");
                    let value = Bytes::from(format!("value of {key}"));
                    let reply = store.put(key.clone().into(), value.clone()).await;
                    let mut tally = tally.lock().expect("no holder of this lock panics");
                    match &reply {
                        reply if is_done(reply) => drop(tally.acknowledged.insert(key, value)),
                        Err(ClientError::Unknown { .. }) => tally.unknown += 1,
                        _ => tally.refused += 1,
                    }
                    number += 1;
                }
            })
        });
        let tasks = tasks.collect();
        Self { client, stop, tally, tasks }
    }

    /// How many writes have been acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.tally.lock().expect("no holder of this lock panics").acknowledged.len()
    }

    /// Waits until so many more writes have been acknowledged.
    pub fn wait_for_more(&self, more: usize) {
        let enough = self.acknowledged() + more;
        wait_for("writes go on", SOON, || (self.acknowledged() >= enough).then_some(()));
    }

    /// Lets each writer end what it has under way; what came of all.
    pub fn finish(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            self.client.runtime.block_on(task).expect("writers don't panic");
        }
        self.tally.lock().expect("no holder of this lock panics").clone()
    }
}

impl Tally {
    /// Asserts that every acknowledged key reads back as it was written.
    pub fn assert_kept(&self, seeds: Vec<String>) {
        assert!(!self.acknowledged.is_empty(), "nothing was acknowledged");
        let wrong = Client::new(seeds).wrong(self.acknowledged.clone().into_iter().collect());
        let count = self.acknowledged.len();
        assert!(wrong.is_empty(), "{} of {count} are wrong: {wrong:#?}", wrong.len());
    }
}
