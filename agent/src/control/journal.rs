//! The journal: lines are gathered for a moment and committed together in the system shard.
//!
//! A line that can't be committed waits; the oldest go when too many wait, and the log says so.
//! Audit lines that wait lie on this node's disk meanwhile.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel_shared::event::{Event, EventKind, Severity};
use evenkeel_shared::ids::NodeId;
use evenkeel_shared::view::SystemCommand;
use evenkeel_shared::wire::deadline::Deadline;
use tokio::sync::Notify;

use super::system::System;
use super::unmerged::Unmerged;
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
    waiting: Mutex<Waiting>,
    wake: Notify,
    unmerged: Unmerged,
}

/// Lines on their way to the system shard.
#[derive(Default)]
struct Waiting {
    lines: VecDeque<Event>,
    /// So many of the first are being proposed now.
    proposed: usize,
}

impl Journal {
    /// An empty journal.
    pub fn new(me: NodeId, clock: Arc<dyn Clock>, unmerged: Unmerged) -> Self {
        Self { me, clock, waiting: Mutex::default(), wake: Notify::new(), unmerged }
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
        self.enqueue(event);
    }

    fn enqueue(&self, event: Event) {
        let mut waiting = self.lock();
        let Waiting { lines, proposed } = &mut *waiting;
        if lines.len() >= WAITING_MAX {
            tracing::warn!("journal full: the oldest line is dropped");
            // What people asked for is the last to go.
            let mut idle = lines.range(*proposed..);
            let other = idle.position(|line| line.kind != EventKind::Audit).unwrap_or(0);
            lines.remove(*proposed + other);
        }
        lines.push_back(event);
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

    /// Holds a line on this node's disk until the system shard takes it: it has no quorum now.
    pub async fn hold(&self, event: Event) {
        self.enqueue(event);
        self.hold_audit().await;
    }

    async fn hold_audit(&self) {
        let audit = |line: &&Event| line.kind == EventKind::Audit;
        let lines = self.lock().lines.iter().filter(audit).cloned().collect();
        self.unmerged.hold(lines).await;
    }

    /// Commits what is written, and what an earlier process of this node could not, for ever.
    pub async fn run(self: Arc<Self>, system: Arc<System>) {
        for line in self.unmerged.recall().await {
            self.enqueue(line);
        }
        loop {
            self.wake.notified().await;
            tokio::time::sleep(GATHER).await;
            loop {
                let lines = self.propose();
                if lines.is_empty() {
                    break;
                }
                let command = SystemCommand::Journal(lines);
                let outcome = system.change(command, Deadline::after(Duration::from_secs(5))).await;
                self.proposed(outcome.is_ok());
                self.hold_audit().await;
                if let Err(error) = outcome {
                    // Asked again: a line that stands twice is better than none.
                    tracing::debug!(%error, "journal waits");
                    tokio::time::sleep(GATHER * 10).await;
                }
            }
        }
    }

    fn propose(&self) -> Vec<Event> {
        let mut waiting = self.lock();
        waiting.proposed = waiting.lines.len().min(LINES_MAX);
        waiting.lines.range(..waiting.proposed).cloned().collect()
    }

    fn proposed(&self, committed: bool) {
        let mut waiting = self.lock();
        let count = std::mem::take(&mut waiting.proposed);
        if committed {
            waiting.lines.drain(..count);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("no holder of this lock panics")
    }
}
