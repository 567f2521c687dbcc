//! Trying again until there is an answer or no time: which node next, and what may have been done.

use std::time::Duration;

use super::{ATTEMPT_TIMEOUT, ClientError, RETRY_PAUSE, StoreHandle, Target};
use crate::error::{StoreError, with_causes};
use crate::service::store::StoreClient;
use crate::wire::deadline::Deadline;

/// Before asking elsewhere when a node had no quorum: it says so at once, and none may have one.
const NO_QUORUM_PAUSE: Duration = Duration::from_millis(25);
/// How long a busy leader is left alone at first, and at most.
const BUSY_PAUSE_FIRST: Duration = Duration::from_millis(20);
const BUSY_PAUSE_LONGEST: Duration = Duration::from_millis(500);

/// Whether an attempt before this one may have been carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tries {
    First,
    Again,
}

/// What an attempt does that nothing more is heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing: it reads, and the next attempt's word is the last.
    None,
    /// It may have been carried out: later refusals don't undo it.
    May,
}

/// One attempt's failure.
enum Failure {
    /// Nothing was done.
    Before(String),
    /// Nothing was done, by a node that is cut off or a leader that nobody backs.
    NoQuorum(String),
    /// It may have been done.
    Maybe(String, Option<(u8, u8)>),
    /// Nothing was done, for there is too much to do.
    Busy(StoreError),
    /// It can't be done.
    Final(StoreError),
}

impl Failure {
    /// The same beside an attempt of which nothing is known.
    fn perhaps(self) -> Self {
        match self {
            Self::Before(last) | Self::NoQuorum(last) => Self::Maybe(last, None),
            Self::Busy(error) | Self::Final(error) => Self::Maybe(error.to_string(), None),
            maybe @ Self::Maybe(..) => maybe,
        }
    }
}

impl StoreHandle {
    /// Tries until it is answered or the time is over.
    pub(super) async fn attempts<T, F, Fut>(
        &self,
        (target, effect): (Target, Effect),
        timeout: Duration,
        call: F,
    ) -> Result<T, ClientError>
    where
        F: Fn(StoreClient, Deadline, Tries) -> Fut,
        Fut: Future<Output = Result<Result<T, StoreError>, tarpc::client::RpcError>>,
    {
        let deadline = Deadline::after(timeout);
        let (mut attempts, mut maybe_done, mut avoid) = (0, false, None::<String>);
        let (mut persisted_by, mut busy) = (None, 0);
        loop {
            attempts += 1;
            let address = self.choose(target, avoid.as_deref());
            let tries = if maybe_done { Tries::Again } else { Tries::First };
            let mut pause = RETRY_PAUSE;
            let answered = self.hedged(target, (address.as_deref(), tries), deadline, &call);
            let last = match answered.await {
                Ok(reply) => return Ok(reply),
                // A retry that was refused says nothing about the attempt before it.
                Err(Failure::Final(error)) if !maybe_done => return Err(error.into()),
                Err(Failure::Final(error)) => {
                    let last = error.to_string();
                    return Err(ClientError::Unknown { attempts, last, persisted_by });
                }
                Err(Failure::Before(last)) => last,
                Err(Failure::NoQuorum(last)) => {
                    pause = NO_QUORUM_PAUSE;
                    last
                }
                Err(Failure::Busy(error)) => {
                    let pause = busy_pause(busy, deadline);
                    if deadline.remaining() > pause {
                        busy += 1;
                        tokio::time::sleep(pause).await;
                        continue;
                    }
                    if !maybe_done {
                        return Err(error.into());
                    }
                    let last = error.to_string();
                    return Err(ClientError::Unknown { attempts, last, persisted_by });
                }
                Err(Failure::Maybe(last, persisted)) => {
                    maybe_done = effect == Effect::May;
                    persisted_by = persisted.or(persisted_by);
                    last
                }
            };
            self.forget_leader(target, address.as_deref());
            avoid = address;
            if deadline.is_over() {
                return Err(if maybe_done {
                    ClientError::Unknown { attempts, last, persisted_by }
                } else {
                    ClientError::Unavailable { attempts, last }
                });
            }
            tokio::time::sleep(pause.min(deadline.remaining())).await;
        }
    }

    /// One attempt; a second one beside it at another node once the first node has fallen silent.
    /// Both bear the same request id, so that at most one of them takes effect.
    async fn hedged<T, F, Fut>(
        &self,
        target: Target,
        (address, tries): (Option<&str>, Tries),
        deadline: Deadline,
        call: &F,
    ) -> Result<T, Failure>
    where
        F: Fn(StoreClient, Deadline, Tries) -> Fut,
        Fut: Future<Output = Result<Result<T, StoreError>, tarpc::client::RpcError>>,
    {
        let attempt = self.attempt((address, tries), deadline, call);
        tokio::pin!(attempt);
        let Some(address) = address else { return attempt.await };
        tokio::select! {
            biased;
            outcome = &mut attempt => return outcome,
            () = self.heard.silence(address) => {}
        }
        self.forget_leader(target, Some(address));
        let other = self.choose(target, Some(address)).filter(|other| other != address);
        let Some(other) = other else { return attempt.await };
        // Rarely made, and not to be room in every request for it.
        let mut second = Box::pin(self.attempt((Some(&other), Tries::Again), deadline, call));
        tokio::select! {
            biased;
            outcome = &mut attempt => match outcome {
                Ok(reply) => Ok(reply),
                Err(first @ Failure::Maybe(..)) => second.await.map_err(|_| first),
                // Nothing was done by it: the other's word stands.
                Err(_) => second.await,
            },
            // Whatever it says of itself, the first may be carried out yet.
            outcome = &mut second => outcome.map_err(Failure::perhaps),
        }
    }

    async fn attempt<T, F, Fut>(
        &self,
        (address, tries): (Option<&str>, Tries),
        deadline: Deadline,
        call: &F,
    ) -> Result<T, Failure>
    where
        F: Fn(StoreClient, Deadline, Tries) -> Fut,
        Fut: Future<Output = Result<Result<T, StoreError>, tarpc::client::RpcError>>,
    {
        let address = address.ok_or_else(|| Failure::Before("no address to ask".to_owned()))?;
        let attempt = deadline.at_most(ATTEMPT_TIMEOUT);
        let dialled = tokio::time::timeout(attempt.remaining(), self.pool.store(address)).await;
        let client = match dialled {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => return Err(Failure::Before(with_causes(&error))),
            Err(_) => return Err(Failure::Before(format!("{address} did not answer in time"))),
        };
        if self.routes().is_empty() {
            self.learn_routes(&client, attempt).await;
        }
        let answer = call(client, attempt, tries).await;
        if answer.is_ok() {
            self.heard.note(address);
        }
        match answer {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error @ StoreError::NotEverywhere { persisted_by, voters })) => {
                Err(Failure::Maybe(error.to_string(), Some((persisted_by, voters))))
            }
            Ok(Err(error)) if error.is_unknown() => Err(Failure::Maybe(error.to_string(), None)),
            Ok(Err(error)) if error.is_busy() => Err(Failure::Busy(error)),
            Ok(Err(error @ StoreError::NoQuorum { .. })) => {
                Err(Failure::NoQuorum(error.to_string()))
            }
            Ok(Err(error)) if error.is_retriable() => {
                if let StoreError::NotLeader { shard, leader: Some(leader) } = &error {
                    self.routes().led_by(*shard, *leader);
                }
                Err(Failure::Before(error.to_string()))
            }
            Ok(Err(error)) => Err(Failure::Final(error)),
            Err(error) => {
                if matches!(error, tarpc::client::RpcError::DeadlineExceeded) {
                    self.pool.distrust_store(address);
                }
                Err(Failure::Maybe(format!("{address}: {error}"), None))
            }
        }
    }
}

/// How long to leave a busy leader alone: longer each time, and not as long as others do.
pub(super) fn busy_pause(times: u32, deadline: Deadline) -> Duration {
    let most = BUSY_PAUSE_FIRST.saturating_mul(1 << times.min(6)).min(BUSY_PAUSE_LONGEST);
    // The nanoseconds that are left differ enough to keep clients from coming back together.
    let mixed = deadline.remaining().subsec_nanos().wrapping_mul(0x9e37_79b9) >> 22;
    most / 2 + most * mixed / 2_048
}
