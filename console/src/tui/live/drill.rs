//! Drills for the console: what one would do, running it, and ending it.

use std::sync::{Arc, Mutex};

use evenkeel_shared::client::Pool;
use evenkeel_shared::preflight::Harm;
use tokio::sync::{mpsc, watch};

use crate::drill::{self, Job, Link, Progress, StepProgress, Verdict, history, shipped};
use crate::tui::message::{DrillBrief, DrillNews};
use crate::tui::{DrillOffer, Message};

/// Progress that waits to be shown.
const PROGRESS_MAX: usize = 256;

/// Runs drills, one at a time.
pub(super) struct Drills {
    pool: Pool,
    seeds: Vec<String>,
    messages: mpsc::Sender<Message>,
    stop: Mutex<Option<watch::Sender<bool>>>,
}

/// The drills that come with the console.
pub(super) fn offers() -> Vec<DrillOffer> {
    let offer = |(name, text): (&str, &str)| {
        let about = drill::read(text).map(|script| script.about).unwrap_or_default();
        DrillOffer { name: name.to_owned(), about }
    };
    shipped::SHIPPED.into_iter().map(offer).collect()
}

impl Drills {
    pub(super) fn new(pool: Pool, seeds: Vec<String>, messages: mpsc::Sender<Message>) -> Self {
        Self { pool, seeds, messages, stop: Mutex::default() }
    }

    /// What a drill would do.
    pub(super) async fn brief(&self, name: String) {
        let result = self.look(&name).await;
        // The screen may be gone.
        let _ = self.messages.send(Message::Briefed { name, result }).await;
    }

    async fn look(&self, name: &str) -> Result<DrillBrief, String> {
        let script = script(name)?;
        let briefing =
            drill::brief(&self.link(), &script, None).await.map_err(|error| words(&error))?;
        Ok(DrillBrief { lines: briefing.lines, harm: briefing.harm, archive: briefing.archive })
    }

    /// Runs a drill to its end.
    pub(super) async fn run(self: Arc<Self>, name: String, brief: DrillBrief, actor: String) {
        let script = match script(&name) {
            Ok(script) => script,
            Err(why) => {
                return self.tell(DrillNews::Done { passed: false, lines: vec![why] }).await;
            }
        };
        let (progress, mut heard) = mpsc::channel(PROGRESS_MAX);
        let (stop, stopped) = watch::channel(false);
        *self.stop() = Some(stop);
        let job = Job {
            script,
            archive: brief.archive,
            allowed: brief.harm.max(Harm::Risk),
            actor,
            history: history::file(),
        };
        let running = tokio::spawn(Box::pin(drill::run(self.link(), job, progress, stopped)));
        while let Some(word) = heard.recv().await {
            if let Some(news) = news(word) {
                self.tell(news).await;
            }
        }
        *self.stop() = None;
        if let Err(error) = running.await {
            let lines = vec![format!("the drill broke: {error}")];
            self.tell(DrillNews::Done { passed: false, lines }).await;
        }
    }

    /// Has the drill take back what it did, and end.
    pub(super) fn end(&self) {
        if let Some(stop) = self.stop().as_ref() {
            // It may be over by now.
            let _ = stop.send(true);
        }
    }

    fn link(&self) -> Link {
        Link::new(self.pool.clone(), self.seeds.clone())
    }

    async fn tell(&self, news: DrillNews) {
        // The screen may be gone.
        let _ = self.messages.send(Message::Drilled(news)).await;
    }

    fn stop(&self) -> std::sync::MutexGuard<'_, Option<watch::Sender<bool>>> {
        self.stop.lock().expect("no holder of this lock panics")
    }
}

fn script(name: &str) -> Result<drill::Script, String> {
    let text = shipped::text(name).ok_or_else(|| format!("there is no drill {name}"))?;
    drill::read(text).map_err(|error| error.to_string())
}

fn words(error: &drill::DrillError) -> String {
    match error.hint() {
        "" => error.to_string(),
        hint => format!("{error}; try {hint}"),
    }
}

/// What is shown of it.
fn news(progress: Progress) -> Option<DrillNews> {
    Some(match progress {
        Progress::Step(StepProgress { number, of, what, took }) => {
            DrillNews::Step { number, of, what, over: took.is_some() }
        }
        Progress::Phase { shard, what, phases, .. } => {
            DrillNews::Line(format!("{shard} {what}: {}", drill::phases_words(&phases)))
        }
        Progress::Outage { shard, outage, .. } if outage >= drill::TOLD => {
            let took_us = u64::try_from(outage.as_micros()).unwrap_or(u64::MAX);
            DrillNews::Outage { shard: shard.to_string(), took_us }
        }
        Progress::Outage { .. } => return None,
        Progress::Note(text) => DrillNews::Line(text),
        Progress::Done(report) => {
            let passed = report.verdict == Verdict::Passed;
            DrillNews::Done { passed, lines: report.text().lines().map(str::to_owned).collect() }
        }
    })
}
