//! Runs a drill: does its steps, watches what becomes of writes, takes everything back, and reports.
//!
//! However it ends, by itself, by an error or by a word of the operator, what it has done is taken
//! back before its last word.

mod journal;
mod rehearsal;
mod restart;
mod steps;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use evenkeel_shared::explain::Phases;
use evenkeel_shared::ids::ShardId;
use evenkeel_shared::preflight::Harm;
use tokio::sync::{mpsc, watch};

use self::journal::Journal;
use self::rehearsal::Records;
use super::debts::Debts;
use super::error::DrillError;
use super::history;
use super::link::Link;
use super::probe::{Probe, ProbePlan, serving};
use super::report::{Comparison, Figures, Report, StepRow, judge, shard_rows, verdict};
use super::script::Script;

/// Keys of each writer: so many acknowledged writes are looked at after each failover.
const KEYS: u64 = 64;
/// How long all shards may take to take their first write.
const FIRST_WRITES_MAX: Duration = Duration::from_secs(30);
/// How long writers are watched before anything is done: what a shard's pauses are then is no outage.
const QUIET: Duration = Duration::from_secs(1);
/// How long the journal may take to tell the last failover.
const JOURNAL_LAG: Duration = Duration::from_millis(500);

/// Outages below this are what writers always see: they are in the report alone.
pub(crate) const TOLD: Duration = Duration::from_millis(20);

/// What a drill tells while it runs. The last is [`Progress::Done`].
#[derive(Clone, Debug)]
pub(crate) enum Progress {
    /// A step begins, or has ended.
    Step(StepProgress),
    /// A shard has another leader: the parts of its failover.
    Phase {
        /// In which step.
        step: usize,
        /// The shard.
        shard: ShardId,
        /// What the journal says of it.
        what: String,
        /// How long each part took.
        phases: Phases,
    },
    /// A shard took no writes for so long.
    Outage {
        /// In which step.
        step: usize,
        /// The shard.
        shard: ShardId,
        /// The longest time between two acknowledged writes.
        outage: Duration,
    },
    /// Something worth knowing.
    Note(String),
    /// It is over.
    Done(Box<Report>),
}

/// How far a step is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StepProgress {
    /// Counts from 1.
    pub(crate) number: usize,
    /// Steps in all.
    pub(crate) of: usize,
    /// What is done, in words.
    pub(crate) what: String,
    /// How long it took, once it has ended.
    pub(crate) took: Option<Duration>,
}

/// What is to be run, and how far it may go.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The drill.
    pub(crate) script: Script,
    /// Where backups go.
    pub(crate) archive: Option<String>,
    /// What was confirmed: an act that would do more harm ends the drill.
    pub(crate) allowed: Harm,
    /// Who asks, for the journal.
    pub(crate) actor: String,
    /// Where runs are remembered; `None`: nowhere.
    pub(crate) history: Option<PathBuf>,
}

/// A drill under way.
struct Drill {
    link: Link,
    job: Job,
    progress: mpsc::Sender<Progress>,
    /// Since when, on the clock that never goes back, and on that of the wall.
    begun: Duration,
    started_unix_ms: u64,
    step: Arc<AtomicUsize>,
    debts: Debts,
    probe: Option<Probe>,
    cluster: String,
    /// The longest pause of any shard before the first step.
    quiet: Option<Duration>,
    keyspaces: BTreeMap<ShardId, String>,
    rows: Vec<StepRow>,
    comparisons: Vec<Comparison>,
    backup: Option<String>,
    records: Option<Records>,
    /// In every key of this run.
    prefix: String,
}

/// Runs a drill to its end, or until `stop` is true. It was looked at
/// (`plan::brief`) and confirmed; what it has shown is the last thing that it tells.
pub(crate) async fn run(
    link: Link,
    job: Job,
    progress: mpsc::Sender<Progress>,
    mut stop: watch::Receiver<bool>,
) {
    let mut drill = Drill::new(link.clone(), job, progress.clone());
    let journal = Journal::follow(link, progress.clone(), drill.step.clone()).await;
    let outcome = tokio::select! {
        biased;
        () = stopped(&mut stop) => Err(DrillError::Stopped),
        outcome = drill.carry_out() => outcome,
    };
    let mut healed = drill.heal(&outcome).await;
    let figures = drill.measure(&mut healed).await;
    tokio::time::sleep(JOURNAL_LAG).await;
    let failovers = journal.finish().await;
    let file = drill.job.history.clone();
    let mut report = drill.report(outcome.err().as_ref(), figures);
    (report.failovers, report.healed) = (failovers, healed);
    if let Some(file) = file
        && let Err(error) = history::remember(&file, &mut report)
    {
        let why = format!("this run is not remembered: {}: {error}", file.display());
        let _ = progress.send(Progress::Note(why)).await;
    }
    // Whoever no longer listens has no use for it.
    let _ = progress.send(Progress::Done(Box::new(report))).await;
}

/// Ends when the operator wants no more of it; never, if nobody can say so any more.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl Drill {
    fn new(link: Link, job: Job, progress: mpsc::Sender<Progress>) -> Self {
        Self {
            link,
            job,
            progress,
            begun: crate::clock::now(),
            started_unix_ms: crate::clock::unix_ms(),
            step: Arc::new(AtomicUsize::new(0)),
            debts: Debts::default(),
            probe: None,
            cluster: String::new(),
            quiet: None,
            keyspaces: BTreeMap::new(),
            rows: Vec::new(),
            comparisons: Vec::new(),
            backup: None,
            records: None,
            prefix: format!("drill/{:016x}/", crate::random::bits()),
        }
    }

    /// All steps, in order, under the writers' eyes.
    async fn carry_out(&mut self) -> Result<(), DrillError> {
        let view = self.link.view().await?;
        self.cluster = view.cluster.to_string();
        let known = serving(&view).map(|shard| (shard.id, shard.keyspace_name.clone()));
        self.keyspaces = known.collect();
        let probing = self.job.script.probe;
        let plan = ProbePlan {
            prefix: self.prefix.clone(),
            writers: usize::try_from(probing.writers).unwrap_or(usize::MAX),
            keys: KEYS,
            pace: probing.pace,
        };
        let probe = Probe::start(&self.link.store(), &view, &plan).await?;
        let (shards, watch) = (probe.shards(), probe.watch.clone());
        self.probe = Some(probe);
        if !watch.alive(&shards, Duration::ZERO, FIRST_WRITES_MAX).await {
            let why = watch.counts().reasons.join("; ");
            return Err(DrillError::unreachable(format!("some shard takes no writes ({why})")));
        }
        watch.gaps().reset();
        tokio::time::sleep(QUIET).await;
        self.quiet = {
            let (gaps, now) = (watch.gaps(), crate::clock::now());
            shards.iter().filter_map(|shard| gaps.longest(*shard, now)).max()
        };
        let steps = self.job.script.steps.clone();
        for (number, step) in (1..).zip(&steps) {
            let begun = crate::clock::now();
            self.step.store(number, Ordering::Relaxed);
            let what = step.to_string();
            self.rows.push(StepRow { number, what: what.clone(), done: Vec::new(), took_ms: None });
            let progress = StepProgress { number, of: steps.len(), what, took: None };
            self.tell(Progress::Step(progress.clone())).await;
            watch.gaps().reset();
            self.carry_out_step(step).await?;
            self.tell_outages(number, &shards).await;
            self.link.back();
            let took = crate::clock::now().saturating_sub(begun);
            if let Some(row) = self.rows.last_mut() {
                row.took_ms = u64::try_from(took.as_millis()).ok();
            }
            self.tell(Progress::Step(StepProgress { took: Some(took), ..progress })).await;
        }
        Ok(())
    }

    /// Takes back what is left, and says so.
    async fn heal(&mut self, outcome: &Result<(), DrillError>) -> Vec<String> {
        self.link.back();
        if let Err(error) = outcome {
            self.tell(Progress::Note(format!("{error}: what the drill did is taken back"))).await;
        }
        let healed = self.debts.pay(&self.link, &self.job.actor).await;
        for word in &healed {
            self.tell(Progress::Note(word.clone())).await;
        }
        healed
    }

    /// Ends the writers, reads back what they were promised, and removes what they wrote.
    async fn measure(&mut self, healed: &mut Vec<String>) -> Figures {
        let mut figures =
            Figures { comparisons: std::mem::take(&mut self.comparisons), ..Figures::default() };
        let Some(mut probe) = self.probe.take() else { return figures };
        // Before the writers end: their silence afterwards is no outage.
        let now = crate::clock::now();
        figures.outages = {
            let gaps = probe.watch.gaps();
            let outage = |shard: &ShardId| (*shard, gaps.overall(*shard, now));
            probe.shards().iter().map(outage).collect()
        };
        probe.stop().await;
        self.tell(Progress::Note("reading back what was acknowledged".to_owned())).await;
        probe.read_back().await;
        let mut left = probe.delete().await;
        if let Some(records) = &self.records {
            left += records.delete().await;
        }
        if left > 0 {
            let word = format!("{left} keys below {} could not be deleted", self.prefix);
            self.tell(Progress::Note(word.clone())).await;
            healed.push(word);
        }
        figures.counts = probe.watch.counts().clone();
        figures
    }

    /// What all of it has shown.
    fn report(self, error: Option<&DrillError>, figures: Figures) -> Report {
        let hypothesis = judge(&self.job.script.hypothesis, &figures);
        let took = crate::clock::now().saturating_sub(self.begun);
        let keyspace = |shard| self.keyspaces.get(&shard).cloned().unwrap_or_default();
        Report {
            drill: self.job.script.name.clone(),
            about: self.job.script.about.clone(),
            cluster: self.cluster,
            verdict: verdict(&hypothesis, error.is_some()),
            why: error.map(ToString::to_string),
            r#try: error.map(|error| error.hint().to_owned()).filter(|hint| !hint.is_empty()),
            outage_ms: figures.longest().map(super::format::milliseconds),
            quiet_ms: self.quiet.map(super::format::milliseconds),
            shards: shard_rows(&figures, keyspace),
            hypothesis,
            steps: self.rows,
            failovers: Vec::new(),
            acknowledged: figures.counts.acknowledged,
            checked: figures.counts.checked,
            lost: figures.counts.lost,
            lost_keys: figures.counts.lost_keys,
            not_read: figures.counts.not_read,
            unknown: figures.counts.unknown,
            errors: figures.counts.errors,
            reasons: figures.counts.reasons,
            healed: Vec::new(),
            started_unix_ms: self.started_unix_ms,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            earlier: None,
        }
    }

    /// Tells the outages of a step, the longest first.
    async fn tell_outages(&mut self, step: usize, shards: &[ShardId]) {
        let mut outages: Vec<(ShardId, Duration)> = {
            let Some(probe) = &self.probe else { return };
            let (gaps, now) = (probe.watch.gaps(), crate::clock::now());
            shards.iter().filter_map(|it| Some((*it, gaps.longest(*it, now)?))).collect()
        };
        outages.sort_by_key(|(_, outage)| std::cmp::Reverse(*outage));
        for (shard, outage) in outages {
            self.tell(Progress::Outage { step, shard, outage }).await;
        }
    }

    /// Something that was done in the step that is under way.
    async fn done(&mut self, what: String) {
        if let Some(row) = self.rows.last_mut() {
            row.done.push(what.clone());
        }
        self.tell(Progress::Note(what)).await;
    }

    async fn tell(&self, progress: Progress) {
        // Whoever no longer listens has no use for it.
        let _ = self.progress.send(progress).await;
    }
}
