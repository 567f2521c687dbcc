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
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::clock::wait_for;
use crate::dice::Dice;
use crate::network::Network;

/// So few that clients meet.
const KEYS: u64 = 6;
/// Impatient on purpose: some outcomes stay unknown.
const PATIENCE: Duration = Duration::from_millis(400);
/// How long clients may take to get on.
const SOON: Duration = Duration::from_secs(60);

/// Who contends for what.
#[derive(Clone, Debug)]
pub struct ContendersPlan {
    /// The agents that they begin with.
    pub seeds: Vec<String>,
    /// How many read and write.
    pub writers: usize,
    /// How many only read. No write of theirs tells them that they ask a leader of yesterday.
    pub readers: usize,
    /// What their keys begin with.
    pub prefix: String,
    /// What decides what each of them does.
    pub seed: u64,
    /// The network that they speak in.
    pub network: Network,
}

/// Contenders at work.
pub struct Contenders {
    runtime: Arc<Runtime>,
    prefix: String,
    stop: Arc<AtomicBool>,
    history: Arc<Mutex<History>>,
    tasks: Vec<JoinHandle<()>>,
}

/// What a contender does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Habit {
    Any,
    Reads,
}

struct Contender {
    store: StoreHandle,
    habit: Habit,
    history: Arc<Mutex<History>>,
    prefix: String,
    number: u64,
    written: u64,
    dice: Dice,
    /// What it last saw under each key.
    seen: BTreeMap<Bytes, Option<(Bytes, Version)>>,
}

fn lock(history: &Mutex<History>) -> MutexGuard<'_, History> {
    history.lock().expect("no holder of this lock panics")
}

impl Contenders {
    /// Starts so many clients, which share what they know of the cluster.
    pub fn start(seeds: Vec<String>, count: usize) -> Self {
        let client = Client::new(seeds);
        Self::work(client.runtime, &vec![(client.store, Habit::Any); count], "contended", 0)
    }

    /// Starts these clients. Each knows of leaders only what it was told itself, so one that asks
    /// a leader of yesterday is not corrected by the others.
    pub fn of(plan: &ContendersPlan) -> Self {
        let runtime = Arc::new(plan.network.runtime());
        let writers = std::iter::repeat_n(Habit::Any, plan.writers);
        let habits = writers.chain(std::iter::repeat_n(Habit::Reads, plan.readers));
        let store = || Client::on(runtime.clone(), plan.seeds.clone()).store;
        let clients: Vec<_> = habits.map(|habit| (store(), habit)).collect();
        Self::work(runtime, &clients, &plan.prefix, plan.seed)
    }

    fn work(
        runtime: Arc<Runtime>,
        clients: &[(StoreHandle, Habit)],
        prefix: &str,
        seed: u64,
    ) -> Self {
        let (stop, history) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let tasks = clients.iter().zip(1..).map(|((store, habit), number)| {
            let (stop, history) = (stop.clone(), Arc::clone(&history));
            let mut contender = Contender {
                store: store.clone(),
                habit: *habit,
                history,
                prefix: prefix.to_owned(),
                number,
                written: 0,
                dice: Dice::new(seed.wrapping_add(number)),
                seen: BTreeMap::new(),
            };
            runtime.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    contender.operate().await;
                }
            })
        });
        let tasks = tasks.collect();
        Self { runtime, prefix: prefix.to_owned(), stop, history, tasks }
    }

    /// Waits until so many more operations have ended.
    pub fn wait_for_more(&self, more: usize) {
        let ended = || lock(&self.history).operations().len();
        let enough = ended() + more;
        wait_for("clients get on", SOON, || (ended() >= enough).then_some(()));
    }

    /// Waits until each key was both read and written so many times more. An answer without an
    /// outcome doesn't count.
    pub fn wait_until_all_are_served(&self, more: usize) {
        let first = lock(&self.history).operations().len();
        wait_for("every key is read and written", SOON, || {
            (self.served_since(first) >= more).then_some(())
        });
    }

    /// How often each key at least was both read and written, by operations from this one on.
    fn served_since(&self, first: usize) -> usize {
        let history = lock(&self.history);
        let mut reads: BTreeMap<&Bytes, usize> = BTreeMap::new();
        let mut writes = reads.clone();
        for operation in &history.operations()[first..] {
            match operation.outcome {
                Outcome::Found(_) => *reads.entry(&operation.key).or_default() += 1,
                Outcome::Written { .. } => *writes.entry(&operation.key).or_default() += 1,
                Outcome::Mismatch { .. } | Outcome::Unknown | Outcome::Failed => {}
            }
        }
        let keys = (0..KEYS).map(|number| key(&self.prefix, number));
        let least = keys.map(|key| {
            let count = |of: &BTreeMap<&Bytes, usize>| of.get(&key).copied().unwrap_or(0);
            count(&reads).min(count(&writes))
        });
        least.min().unwrap_or(0)
    }

    /// Lets each client end what it has under way; what all did and saw.
    pub fn finish(self) -> History {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            self.runtime.block_on(task).expect("contenders don't panic");
        }
        lock(&self.history).clone()
    }
}

impl Contender {
    async fn operate(&mut self) {
        let key = key(&self.prefix, self.dice.draw(KEYS));
        match self.dice.draw(10) {
            _ if self.habit == Habit::Reads => self.get(key).await,
            0..4 => self.get(key).await,
            4..7 => {
                let value = self.fresh();
                let put = match self.dice.draw(2) {
                    0 => WriteAction::Put { value: value.clone(), expires: None },
                    _ => WriteAction::PutBlind { value: value.clone(), expires: None },
                };
                self.write(key, Action::Put(value), put).await;
            }
            7 => self.write(key, Action::Delete, WriteAction::Delete).await,
            _ => {
                let value = self.fresh();
                let seen = self.seen.get(&key).cloned().flatten();
                let by_version = self.dice.draw(2) == 0;
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
}

/// Reads every key of a history once more, long after, and adds what was found.
pub fn look_again(network: &Network, seeds: Vec<String>, history: &mut History) {
    let client = Client::on(Arc::new(network.runtime()), seeds);
    let keys: Vec<Bytes> = history.by_key().into_keys().cloned().collect();
    for key in keys {
        let call = Call { client: 0, key: key.clone(), action: Action::Get };
        let ticket = history.begin(call);
        let store = client.store.clone();
        let read = client.runtime.spawn(async move { store.get(key).await });
        let read = client.runtime.block_on(read).expect("reads don't panic");
        let read = read.expect("a healthy cluster answers");
        history.end(ticket, Outcome::Found(read.found));
    }
}

fn key(prefix: &str, number: u64) -> Bytes {
    Bytes::from(format!("{prefix}/{number}"))
}
