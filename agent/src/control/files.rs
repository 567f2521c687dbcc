//! Collects what nobody reads or goes on with of the cluster's files, on the leader of the system
//! shard: a page of records at a time, with pauses; and once in a long while searches for strays.
//!
//! What is due is decided by `evenkeel_shared::files`; this only looks, slowly, and asks for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_shared::event::{EventKind, Severity};
use evenkeel_shared::files::{CollectSettings, Collected, FileError, Files, Swept, Tour};
use evenkeel_shared::ids::KeyspaceId;

use super::journal::Journal;
use super::observer::Observer;
use super::system::System;
use crate::env::Env;
use keys::RouterKeys;

mod keys;

/// Between two tours through all records: versions are kept for minutes, uploads for a day.
const TOUR: Duration = Duration::from_secs(60);
/// Between two pages of a tour or of a search: clients come first.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two searches for strays: each reads every chunk off its leader's disk.
const SWEEP: Duration = Duration::from_secs(24 * 3_600);
/// Keys that one step of a search looks at, and so many chunks it reads.
const SWEEP_KEYS: u32 = 16;

/// Collects what files leave behind.
pub struct Collector {
    env: Env,
    system: Arc<System>,
    journal: Arc<Journal>,
    observer: Arc<Observer>,
}

/// What has been seen of one keyspace.
#[derive(Default)]
struct Seen {
    /// When it was last searched for strays, or first seen; on this node's clock.
    swept: Option<Duration>,
}

impl Collector {
    /// A collector that has not looked yet.
    pub fn new(
        env: Env,
        system: Arc<System>,
        journal: Arc<Journal>,
        observer: Arc<Observer>,
    ) -> Self {
        Self { env, system, journal, observer }
    }

    /// Runs for ever; only looks while this node leads the system shard.
    pub async fn run(self) {
        let mut seen = BTreeMap::<KeyspaceId, Seen>::new();
        loop {
            tokio::time::sleep(TOUR).await;
            if !self.observer.is_controller() {
                seen.clear();
                continue;
            }
            let facts = self.system.facts();
            seen.retain(|keyspace, _| facts.keyspaces.contains_key(keyspace));
            for (keyspace, known) in &facts.keyspaces {
                let files = self.files(*keyspace);
                let seen = seen.entry(*keyspace).or_default();
                if let Err(error) = self.look(&files, &known.name, seen).await {
                    tracing::debug!(%keyspace, %error, "not all could be collected");
                }
            }
        }
    }

    fn files(&self, keyspace: KeyspaceId) -> Files<RouterKeys> {
        let rng = self.env.rng.clone();
        let id = move || u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64());
        Files::new(RouterKeys::new(&self.env, self.system.router.clone(), keyspace), Arc::new(id))
    }

    async fn look(
        &self,
        files: &Files<RouterKeys>,
        keyspace: &str,
        seen: &mut Seen,
    ) -> Result<(), FileError> {
        let settings = CollectSettings::default();
        let mut sum = Collected::default();
        let mut tour = Some(Tour::default());
        let mut has_files = false;
        while let Some(at) = tour {
            let page = files.due(at, settings).await?;
            has_files |= page.records > 0;
            if page.records > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            for (name, _) in page.due {
                if !self.observer.is_controller() {
                    break;
                }
                sum.add(files.collect(&name, settings).await?);
            }
            tour = page.next;
        }
        if !sum.is_nothing() {
            let Collected { versions, uploads, keys } = sum;
            self.write(
                format!("{keys} chunks and pages of files collected in {keyspace}"),
                format!("of {versions} old versions and {uploads} uploads that were given up"),
            );
        }
        let now = self.env.clock.now();
        let since = *seen.swept.get_or_insert(now);
        if has_files && now.saturating_sub(since) >= SWEEP {
            seen.swept = Some(now);
            self.sweep(files, keyspace).await?;
        }
        Ok(())
    }

    async fn sweep(&self, files: &Files<RouterKeys>, keyspace: &str) -> Result<(), FileError> {
        let mut swept = Swept::default();
        while !swept.is_over() && self.observer.is_controller() {
            files.sweep(&mut swept, SWEEP_KEYS, true).await?;
            tokio::time::sleep(PAUSE).await;
        }
        if swept.stray > 0 {
            let (stray, seen) = (swept.stray, swept.seen);
            let what = format!("{stray} stray chunks and pages of files removed in {keyspace}");
            self.write(what, format!("no record holds them; {seen} were looked at"));
        }
        Ok(())
    }

    fn write(&self, what: String, why: String) {
        let mut line = self.journal.line(EventKind::Placement, Severity::Info, what);
        line.why = why;
        self.journal.write(line);
    }
}
