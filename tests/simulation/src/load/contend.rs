//! Clients that contend for a few keys, and the history of what each did and saw.
//!
//! They are impatient: a write that takes too long is sent again under the same id, at once or when
//! others have written meanwhile, or is given up and stays unknown.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_history::{Action, Call, Condition, Outcome};
use evenkeel_shared::client::{ClientError, StoreHandle};
use evenkeel_shared::command::{Expected, OperationResult, WriteAction};
use evenkeel_shared::service::store::WriteItem;
use evenkeel_shared::version::Version;
use rand::RngExt as _;
use rand::rngs::StdRng;

use super::Clients;

/// So few that clients meet.
const KEYS: u32 = 4;
/// Longest pause between two operations of one client, in milliseconds.
const PAUSE_MS_MAX: u64 = 40;
/// How long one write may take before its outcome counts as unknown.
const PATIENCE_MS: std::ops::Range<u64> = 100..2_500;
/// How often a write is sent again under the same id, and the longest pause before.
const RETRIES_MAX: u32 = 3;
const RETRY_MS_MAX: u64 = 1_500;

/// Tells clients when to end.
type Going = Rc<Cell<bool>>;

/// One client at work.
struct Contender {
    clients: Clients,
    store: StoreHandle,
    chance: StdRng,
    number: u64,
    written: u32,
    /// What it last saw under each key.
    seen: BTreeMap<Bytes, Option<(Bytes, Version)>>,
}

impl Clients {
    /// Reads and writes a few keys, in no order, for as long as it goes on.
    pub async fn contend(self, going: Going) {
        let mut contender = Contender::new(self);
        while going.get() {
            contender.operate().await;
            let pause_ms = contender.chance.random_range(0..=PAUSE_MS_MAX);
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        }
    }

    /// Reads every contended key until each has answered.
    pub async fn look_at_all(self) {
        let mut contender = Contender::new(self);
        for key in (0..KEYS).map(key) {
            while contender.get(key.clone()).await == Outcome::Failed {}
        }
    }
}

fn key(number: u32) -> Bytes {
    Bytes::from(format!("k{number}"))
}

impl Contender {
    fn new(clients: Clients) -> Self {
        let (store, chance, number) = clients.open();
        Self { clients, store, chance, number, written: 0, seen: BTreeMap::new() }
    }

    async fn operate(&mut self) {
        let key = key(self.chance.random_range(0..KEYS));
        match self.chance.random_range(0..10) {
            0..4 => drop(self.get(key).await),
            4..7 => {
                let value = self.fresh();
                let put = match self.chance.random_bool(0.5) {
                    false => WriteAction::Put { value: value.clone(), expires: None },
                    true => WriteAction::PutBlind { value: value.clone(), expires: None },
                };
                self.write(key, Action::Put(value), put).await;
            }
            7 => self.write(key, Action::Delete, WriteAction::Delete).await,
            _ => self.compare_and_set(key).await,
        }
    }

    /// Expects what it last saw, by value or by version.
    async fn compare_and_set(&mut self, key: Bytes) {
        let value = self.fresh();
        let seen = self.seen.get(&key).cloned().flatten();
        let condition = match &seen {
            None => Condition::Absent,
            Some((expected, _)) => Condition::Value(expected.clone()),
        };
        let by_version = self.chance.random_bool(0.5);
        let expected = match seen {
            None => Expected::Absent,
            Some((_, version)) if by_version => Expected::Version(version),
            Some((expected, _)) => Expected::Value(expected),
        };
        let action = Action::CompareAndSet(condition, value.clone());
        let write = WriteAction::CompareAndSet { expected, value, expires: None };
        self.write(key, action, write).await;
    }

    /// A value that nobody else writes.
    fn fresh(&mut self) -> Bytes {
        self.written += 1;
        Bytes::from(format!("{}.{}", self.number, self.written))
    }

    async fn get(&mut self, key: Bytes) -> Outcome {
        let call = Call { client: self.number, key: key.clone(), action: Action::Get };
        let ticket = self.clients.history.borrow_mut().begin(call);
        let outcome = match self.store.get(key.clone()).await {
            Ok(reply) => {
                self.seen.insert(key.clone(), reply.found.clone());
                Outcome::Found(reply.found)
            }
            // A read without an answer says nothing.
            Err(_) => Outcome::Failed,
        };
        self.clients.note(&format!("client {} get {key:?}: {outcome:?}", self.number));
        self.clients.history.borrow_mut().end(ticket, outcome.clone());
        outcome
    }

    async fn write(&mut self, key: Bytes, action: Action, write: WriteAction) {
        let call = Call { client: self.number, key: key.clone(), action: action.clone() };
        let ticket = self.clients.history.borrow_mut().begin(call);
        let outcome = self.attempts(self.store.item(key.clone(), write)).await;
        self.clients.note(&format!("client {} {action:?} {key:?}: {outcome:?}", self.number));
        if let Outcome::Written { version, .. } = &outcome {
            let value = match action {
                Action::Put(value) | Action::CompareAndSet(_, value) => Some(value),
                Action::Get | Action::Delete => None,
            };
            self.seen.insert(key, value.map(|value| (value, *version)));
        }
        self.clients.history.borrow_mut().end(ticket, outcome);
    }

    /// Sends the same write until its outcome is known, or patience is at its end.
    async fn attempts(&mut self, item: WriteItem) -> Outcome {
        let mut retries = self.chance.random_range(0..=RETRIES_MAX);
        let mut perhaps = false;
        loop {
            let patience = Duration::from_millis(self.chance.random_range(PATIENCE_MS));
            let answer = self.store.write(item.clone(), patience).await;
            let outcome = outcome(&answer.map(|reply| reply.result));
            perhaps |= outcome == Outcome::Unknown;
            match outcome {
                Outcome::Unknown => {}
                // It says nothing of the attempts before.
                Outcome::Failed if perhaps => {}
                known => return known,
            }
            if retries == 0 {
                return Outcome::Unknown;
            }
            retries -= 1;
            let pause_ms = self.chance.random_range(0..=RETRY_MS_MAX);
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        }
    }
}

fn outcome(answer: &Result<OperationResult, ClientError>) -> Outcome {
    match answer {
        Ok(OperationResult::Done { version, existed }) => {
            Outcome::Written { version: *version, existed: Some(*existed) }
        }
        Ok(OperationResult::Written { version }) => {
            Outcome::Written { version: *version, existed: None }
        }
        Ok(OperationResult::ConditionFailed { actual }) => Outcome::Mismatch { actual: *actual },
        // Nobody here counts, or asks for less than a quorum.
        Ok(
            OperationResult::Forgotten
            | OperationResult::Counted { .. }
            | OperationResult::NotANumber
            | OperationResult::Provisional { .. },
        )
        | Err(ClientError::Unknown { .. }) => Outcome::Unknown,
        Ok(OperationResult::TooManyClients | OperationResult::NotOwned)
        | Err(ClientError::Unavailable { .. } | ClientError::Refused(_)) => Outcome::Failed,
    }
}
