//! The journal: lines are gathered for a moment and committed together in the system shard.
//!
//! A line that can't be committed waits; the oldest go when too many wait, and the log says so.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel_shared::event::{Event, EventKind, Severity};
use evenkeel_shared::ids::NodeId;
use evenkeel_shared::view::SystemCommand;
use evenkeel_shared::wire::deadline::Deadline;
use tokio::sync::Notify;

use super::system::System;
use crate::env::clock::Clock;

/// How long lines are gathered before they are proposed.
const GATHER: Duration = Duration::from_millis(50);
/// Lines that wait for a system shard without a quorum.
const WAITING_MAX: usize = 1_000;
/// Lines in one proposal.
const LINES_MAX: usize = 100;

/// Where events are written.
pub struct Journal {
    me: NodeId,
    clock: Arc<dyn Clock>,
    waiting: Mutex<VecDeque<Event>>,
    wake: Notify,
}

impl Journal {
    /// An empty journal.
    pub fn new(me: NodeId, clock: Arc<dyn Clock>) -> Self {
        Self { me, clock, waiting: Mutex::default(), wake: Notify::new() }
    }

    /// A line, to be filled in and handed to [`Journal::write`].
    pub fn line(&self, kind: EventKind, severity: Severity, what: impl Into<String>) -> Event {
        Event {
            id: 0,
            unix_ms: self.clock.unix_ms(),
            reporter: self.me,
            kind,
            severity,
            node: None,
            shard: None,
            what: what.into(),
            why: String::new(),
            took_us: None,
        }
    }

    /// Writes a line; it is committed within moments.
    pub fn write(&self, event: Event) {
        tracing::info!(kind = %event.kind, why = event.why, "{}", event.what);
        let mut waiting = self.lock();
        if waiting.len() >= WAITING_MAX {
            tracing::warn!("journal full: the oldest line is dropped");
            waiting.pop_front();
        }
        waiting.push_back(event);
        drop(waiting);
        self.wake.notify_one();
    }

    /// Commits one line and waits for it: an audit line comes before the act (law 8).
    pub async fn commit(
        &self,
        system: &System,
        event: Event,
        by: Deadline,
    ) -> Result<(), evenkeel_shared::error::StoreError> {
        tracing::info!(kind = %event.kind, why = event.why, "{}", event.what);
        system.change(SystemCommand::Journal(vec![event]), by).await.map(drop)
    }

    /// Commits what is written, for ever.
    pub async fn run(self: Arc<Self>, system: Arc<System>) {
        loop {
            self.wake.notified().await;
            tokio::time::sleep(GATHER).await;
            while !self.lock().is_empty() {
                let lines: Vec<Event> = {
                    let waiting = self.lock();
                    waiting.iter().take(LINES_MAX).cloned().collect()
                };
                let count = lines.len();
                let command = SystemCommand::Journal(lines);
                match system.change(command, Deadline::after(Duration::from_secs(5))).await {
                    Ok(_) => drop(self.lock().drain(..count)),
                    Err(error) => {
                        // Asked again: a line that stands twice is better than none.
                        tracing::debug!(%error, "journal waits");
                        tokio::time::sleep(GATHER * 10).await;
                    }
                }
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Event>> {
        self.waiting.lock().expect("no holder of this lock panics")
    }
}
