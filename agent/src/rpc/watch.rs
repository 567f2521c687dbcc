//! Feeding consoles: the console dialled, now this agent calls. Reports go out five times a
//! second, the view when it has changed and once a second, journal lines as they are committed.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_shared::limits::{WATCH_INTERVAL, WATCHERS_MAX};
use evenkeel_shared::service::watch::{WatchClient, WatchRequest, WatchResponse};
use evenkeel_shared::wire::connection;
use evenkeel_shared::wire::deadline::Deadline;
use evenkeel_shared::wire::transport::Frames;
use tarpc::client::RpcError;
use tokio::sync::Semaphore;

use crate::control::observer::Observer;

/// How long a console may take to accept a call; a slower one is let go.
const ACCEPT_MAX: Duration = Duration::from_secs(3);
/// Reports between two views that say the same.
const REPORTS_PER_VIEW: u32 = 5;

/// Feeds attached consoles.
pub struct Feeder {
    observer: Arc<Observer>,
    room: Semaphore,
}

impl Feeder {
    /// Feeds what the observer sees.
    pub fn new(observer: Arc<Observer>) -> Self {
        Self { observer, room: Semaphore::new(WATCHERS_MAX) }
    }

    /// Feeds one console until it goes away.
    pub async fn feed(self: Arc<Self>, frames: Frames) {
        let Ok(_permit) = self.room.try_acquire() else {
            tracing::warn!("{WATCHERS_MAX} consoles are attached: another one is turned away");
            return;
        };
        let (channel, connection) = connection::open::<WatchRequest, WatchResponse>(frames);
        let console = WatchClient::from(channel);
        let ended = tokio::select! {
            ended = connection.run() => ended.map_err(|error| error.to_string()),
            ended = self.call(&console) => ended.map_err(|error| error.to_string()),
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a console went away");
        }
    }

    async fn call(&self, console: &WatchClient) -> Result<(), RpcError> {
        let mut ticks = tokio::time::interval(WATCH_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut sent_event, mut round, mut sent_health) = (0, 0, None);
        for event in self.observer.events_after(0) {
            sent_event = sent_event.max(event.id);
            console.event(context(), event).await?;
        }
        loop {
            ticks.tick().await;
            console.heartbeat(context(), Box::new(self.observer.report())).await?;
            let view = self.observer.view();
            let seen = (view.revision, view.counts, view.health, view.controller);
            if round % REPORTS_PER_VIEW == 0 || sent_health != Some(seen) {
                sent_health = Some(seen);
                console.view(context(), Box::new(view)).await?;
            }
            round = round.wrapping_add(1);
            for event in self.observer.events_after(sent_event) {
                sent_event = sent_event.max(event.id);
                console.event(context(), event).await?;
            }
        }
    }
}

fn context() -> tarpc::context::Context {
    Deadline::after(ACCEPT_MAX).context()
}
