//! A backup that is put in the place of what is served, compared, and taken back.
//!
//! Meanwhile writers write where nobody relies on it: what they write is dropped with the undo.

use std::time::Duration;

use bytes::Bytes;
use evenkeel_shared::client::StoreHandle;
use evenkeel_shared::preflight::{Action, Harm};
use evenkeel_shared::view::{ClusterView, IntentPhase};

use super::Drill;
use crate::drill::debts::{self, phase};
use crate::drill::error::DrillError;
use crate::drill::link::Acted;
use crate::drill::probe::Mode;
use crate::drill::report::Comparison;

/// How long a backup or a restore may take.
const ARCHIVE_MAX: Duration = Duration::from_secs(600);
/// How long the restored shards are served, so that writes to them are seen.
const SERVED: Duration = Duration::from_secs(2);

/// Records of known content, three on each probed shard: one that stays, one that changes after the
/// backup, and one that comes after it.
pub(super) struct Records(Vec<Record>);

struct Record {
    store: StoreHandle,
    key: Bytes,
    /// As of the backup.
    before: Option<&'static [u8]>,
    /// Since then.
    after: &'static [u8],
}

/// What a record should hold.
#[derive(Clone, Copy)]
enum Moment {
    Before,
    After,
}

impl Records {
    fn of(places: Vec<(StoreHandle, String)>) -> Self {
        let three = |(store, place): (StoreHandle, String)| {
            let record = |name: &str, before, after| Record {
                store: store.clone(),
                key: format!("{place}/{name}").into(),
                before,
                after,
            };
            [
                record("stays", Some(b"same".as_slice()), b"same".as_slice()),
                record("changes", Some(b"old"), b"new"),
                record("comes", None, b"new"),
            ]
        };
        Self(places.into_iter().flat_map(three).collect())
    }

    async fn write(&self, moment: Moment) -> Result<(), DrillError> {
        for record in &self.0 {
            let value = match moment {
                Moment::Before => record.before,
                Moment::After => Some(record.after),
            };
            if let Some(value) = value {
                record.store.put(record.key.clone(), Bytes::from_static(value)).await?;
            }
        }
        Ok(())
    }

    /// How many hold what they should.
    async fn compare(&self, moment: Moment, what: &str) -> Result<Comparison, DrillError> {
        let mut as_expected = 0;
        for record in &self.0 {
            let found = record.store.get(record.key.clone()).await?.found;
            let expected = match moment {
                Moment::Before => record.before,
                Moment::After => Some(record.after),
            };
            as_expected += u64::from(found.as_ref().map(|(value, _)| &value[..]) == expected);
        }
        let of = u64::try_from(self.0.len()).unwrap_or(u64::MAX);
        Ok(Comparison { what: what.to_owned(), of, as_expected })
    }

    /// Deletes them; how many could not be.
    pub(super) async fn delete(&self) -> usize {
        let mut left = 0;
        for record in &self.0 {
            left += usize::from(record.store.delete(record.key.clone()).await.is_err());
        }
        left
    }
}

impl Drill {
    /// Writes records of known content, and backs everything up.
    pub(super) async fn back_up(&mut self) -> Result<(), DrillError> {
        let archive = self.archive()?;
        let prefix = format!("{}record/", self.prefix);
        let places = self.probe.as_ref().map(|probe| probe.places(&prefix)).unwrap_or_default();
        let records = self.records.insert(Records::of(places));
        records.write(Moment::Before).await?;
        let known = self.link.view().await?.backups.len();
        let action = Action::Backup { archive: archive.clone() };
        let id = match self.link.begin(&action, self.job.allowed, &self.job.actor).await? {
            Acted::Done(outcome) => {
                self.done(outcome.what).await;
                outcome.backup
            }
            Acted::Unanswered(_) => None,
        };
        let mut found = id;
        self.wait_until(ARCHIVE_MAX, |view| {
            let made = view.backups.iter().skip(known).find(|record| record.archive == archive);
            found = found.take().or_else(|| made.map(|record| record.id.clone()));
            found.is_none().then(|| "the backup is not in the catalogue".to_owned())
        })
        .await?;
        self.backup = found;
        Ok(())
    }

    /// Restores the last backup, compares, undoes, and compares again.
    pub(super) async fn rehearse(&mut self) -> Result<(), DrillError> {
        let archive = self.archive()?;
        let Some(backup) = self.backup.clone() else {
            return Err(DrillError::refused("no backup was made", "a step `backup` before it"));
        };
        let of = (archive.as_str(), backup.as_str());
        self.records()?.write(Moment::After).await?;
        self.turn(Mode::Free).await;
        self.debts.restored = Some((archive.clone(), backup.clone()));
        let action = Action::Restore { archive: archive.clone(), backup: backup.clone() };
        let allowed = self.job.allowed.max(Harm::Risk);
        if let Acted::Unanswered(_) = self.link.begin(&action, allowed, &self.job.actor).await? {
            self.wait_until(ARCHIVE_MAX, |view| not_complete(view, of)).await?;
        }
        self.done(format!("backup {backup} is served in the place of what was there")).await;
        self.hold(crate::clock::now(), SERVED).await;
        let compared = self.records()?;
        let compared = compared.compare(Moment::Before, "records as of the backup").await?;
        self.compared(compared).await;
        debts::undo(&self.link, of, &self.job.actor).await?;
        self.debts.restored = None;
        self.done("undone: what was served before is served again".to_owned()).await;
        let compared = self.records()?;
        let compared = compared.compare(Moment::After, "records as of before the restore").await?;
        self.compared(compared).await;
        self.turn(Mode::Checked).await;
        self.hold(crate::clock::now(), SERVED).await;
        Ok(())
    }

    fn archive(&self) -> Result<String, DrillError> {
        self.job.archive.clone().ok_or_else(|| {
            DrillError::refused("the drill was not told where backups go", "--to DIR")
        })
    }

    fn records(&self) -> Result<&Records, DrillError> {
        self.records
            .as_ref()
            .ok_or_else(|| DrillError::refused("no backup was made", "a step `backup` before it"))
    }

    async fn compared(&mut self, compared: Comparison) {
        let Comparison { what, of, as_expected } = &compared;
        self.done(format!("{what}: {as_expected} of {of} as expected")).await;
        self.comparisons.push(compared);
    }

    async fn turn(&self, mode: Mode) {
        if let Some(probe) = &self.probe {
            probe.watch.turn(mode).await;
        }
    }
}

/// What a restore of ours still lacks.
fn not_complete(view: &ClusterView, of: (&str, &str)) -> Option<String> {
    match phase(view, of) {
        Some(IntentPhase::Complete) => None,
        Some(phase) => Some(format!("the restore stands at {phase:?}")),
        None => Some("the restore does not appear in the cluster".to_owned()),
    }
}
