//! Clients that contend for a few keys of real processes, and the history of what each did and saw,
//! to be judged by both checkers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use evenkeel_history::{Action, Call, Condition, History, Outcome};
use evenkeel_shared::client::{ClientError, StoreHandle};
use evenkeel_shared::command::{Expected, OperationResult, WriteAction};
use evenkeel_shared::version::Version;
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::clock::wait_for;

/// So few that clients meet.
const KEYS: u64 = 6;
/// Impatient on purpose: some outcomes stay unknown.
const PATIENCE: Duration = Duration::from_millis(400);
/// How long clients may take to get on.
const SOON: Duration = Duration::from_secs(60);

/// Contenders at work.
pub struct Contenders {
    client: Client,
    stop: Arc<AtomicBool>,
    history: Arc<Mutex<History>>,
    tasks: Vec<JoinHandle<()>>,
}

struct Contender {
    store: StoreHandle,
    history: Arc<Mutex<History>>,
    number: u64,
    written: u64,
    dice: u64,
    /// What it last saw under each key.
    seen: BTreeMap<Bytes, Option<(Bytes, Version)>>,
}

fn lock(history: &Mutex<History>) -> MutexGuard<'_, History> {
    history.lock().expect("no holder of this lock panics")
}

impl Contenders {
    /// Starts so many clients.
    pub fn start(seeds: Vec<String>, count: u64) -> Self {
        let client = Client::new(seeds);
        let (stop, history) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let tasks = (1..=count).map(|number| {
            let (stop, history) = (stop.clone(), Arc::clone(&history));
            let mut contender = Contender {
                store: client.store.clone(),
                history,
                number,
                written: 0,
                dice: number,
                seen: BTreeMap::new(),
            };
            client.runtime.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    contender.operate().await;
                }
            })
        });
        let tasks = tasks.collect();
        Self { client, stop, history, tasks }
    }

    /// Waits until so many more operations have ended.
    pub fn wait_for_more(&self, more: usize) {
        let ended = || lock(&self.history).operations().len();
        let enough = ended() + more;
        wait_for("clients get on", SOON, || (ended() >= enough).then_some(()));
    }

    /// Lets each client end what it has under way; what all did and saw.
    pub fn finish(self) -> History {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            self.client.runtime.block_on(task).expect("contenders don't panic");
        }
        lock(&self.history).clone()
    }
}

impl Contender {
    async fn operate(&mut self) {
        let key = Bytes::from(format!("contended/{}", self.draw(KEYS)));
        match self.draw(10) {
            0..4 => self.get(key).await,
            4..7 => {
                let value = self.fresh();
                let put = match self.draw(2) {
                    0 => WriteAction::Put { value: value.clone(), expires: None },
                    _ => WriteAction::PutBlind { value: value.clone(), expires: None },
                };
                self.write(key, Action::Put(value), put).await;
            }
            7 => self.write(key, Action::Delete, WriteAction::Delete).await,
            _ => {
                let value = self.fresh();
                let seen = self.seen.get(&key).cloned().flatten();
                let by_version = self.draw(2) == 0;
                let (condition, expected) = match seen {
                    None => (Condition::Absent, Expected::Absent),
                    Some((old, version)) if by_version => {
                        (Condition::Value(old), Expected::Version(version))
                    }
                    Some((old, _)) => (Condition::Value(old.clone()), Expected::Value(old)),
                };
                let action = Action::CompareAndSet(condition, value.clone());
                let write = WriteAction::CompareAndSet { expected, value, expires: None };
                self.write(key, action, write).await;
            }
        }
    }

    async fn get(&mut self, key: Bytes) {
        let call = Call { client: self.number, key: key.clone(), action: Action::Get };
        let ticket = lock(&self.history).begin(call);
        let outcome = match self.store.get(key.clone()).await {
            Ok(reply) => {
                self.seen.insert(key, reply.found.clone());
                Outcome::Found(reply.found)
            }
            // A read without an answer says nothing.
            Err(_) => Outcome::Failed,
        };
        lock(&self.history).end(ticket, outcome);
    }

    async fn write(&mut self, key: Bytes, action: Action, write: WriteAction) {
        let call = Call { client: self.number, key: key.clone(), action: action.clone() };
        let ticket = lock(&self.history).begin(call);
        let item = self.store.item(key.clone(), write);
        let mut outcome = Outcome::Unknown;
        // Sent twice under one id: a retry must not be applied again.
        for attempt in 0..2 {
            let answer = self.store.write(item.clone(), PATIENCE).await;
            outcome = match answer.map(|reply| reply.result) {
                Ok(OperationResult::Done { version, existed }) => {
                    Outcome::Written { version, existed: Some(existed) }
                }
                Ok(OperationResult::Written { version }) => {
                    Outcome::Written { version, existed: None }
                }
                Ok(OperationResult::ConditionFailed { actual }) => Outcome::Mismatch { actual },
                Ok(OperationResult::NotOwned | OperationResult::TooManyClients)
                | Err(ClientError::Unavailable { .. } | ClientError::Refused(_))
                    if attempt == 0 =>
                {
                    Outcome::Failed
                }
                _ => Outcome::Unknown,
            };
            if outcome != Outcome::Unknown {
                break;
            }
        }
        if let Outcome::Written { version, .. } = &outcome {
            let value = match action {
                Action::Put(value) | Action::CompareAndSet(_, value) => Some(value),
                Action::Get | Action::Delete => None,
            };
            self.seen.insert(key, value.map(|value| (value, *version)));
        }
        lock(&self.history).end(ticket, outcome);
    }

    /// A value that nobody else writes.
    fn fresh(&mut self) -> Bytes {
        self.written += 1;
        Bytes::from(format!("{}.{}", self.number, self.written))
    }

    /// The next number below a bound (`SplitMix64`).
    fn draw(&mut self, bound: u64) -> u64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.dice;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ bits >> 31) % bound
    }
}
