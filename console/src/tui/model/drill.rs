//! A drill as the model has it: being chosen, being confirmed, running, or over.

use evenkeel_shared::preflight::Harm;
use tui_input::Input;

use crate::tui::format;
use crate::tui::message::{DrillBrief, DrillNews};

/// Lines of a run that are kept; its verdict always is.
const LINES_MAX: usize = 500;

/// The choice of a drill, and its confirmation.
#[derive(Clone, Debug)]
pub(crate) struct DrillDialog {
    /// How far it is.
    pub(crate) stage: DrillStage,
    /// What is being typed.
    pub(crate) input: Input,
    /// Why the last attempt was not accepted.
    pub(crate) hint: Option<String>,
}

/// How far it is.
#[derive(Clone, Debug)]
pub(crate) enum DrillStage {
    /// One is being chosen, by its place.
    Choosing(usize),
    /// What it would do was asked for.
    Asking(String),
    /// It can be confirmed.
    Ready(String, DrillBrief),
    /// It can't begin, and why.
    Failed(String, String),
}

impl DrillDialog {
    /// What must be typed, if anything.
    pub(crate) fn phrase(&self) -> Option<String> {
        let DrillStage::Ready(name, brief) = &self.stage else { return None };
        match brief.harm {
            Harm::None => None,
            Harm::Risk => Some(name.clone()),
            Harm::Break => Some(format!("OVERRIDE {name}")),
        }
    }
}

/// A drill that was begun.
#[derive(Clone, Debug)]
pub(crate) struct DrillRun {
    /// Its name.
    pub(crate) name: String,
    /// Which step it is at, of how many.
    pub(crate) step: (usize, usize),
    /// Since when it runs.
    pub(crate) since: u64,
    /// What was seen, oldest first.
    pub(crate) lines: Vec<String>,
    /// The longest that a shard took no writes, in microseconds, and which.
    pub(crate) longest: Option<(u64, String)>,
    /// When it was over.
    pub(crate) over_at: Option<u64>,
    /// How it came out, and the verdict in lines.
    pub(crate) verdict: Option<(bool, Vec<String>)>,
    /// Whether it was told to end.
    pub(crate) ending: bool,
}

impl DrillRun {
    /// One that begins now.
    pub(crate) fn new(name: String, now: u64) -> Self {
        Self {
            name,
            step: (0, 0),
            since: now,
            lines: Vec::new(),
            longest: None,
            over_at: None,
            verdict: None,
            ending: false,
        }
    }

    /// Whether it runs.
    pub(crate) fn runs(&self) -> bool {
        self.verdict.is_none()
    }

    /// Takes its news.
    pub(crate) fn take(&mut self, news: DrillNews, now: u64, clean: impl Fn(&str) -> String) {
        match news {
            DrillNews::Step { number, of, what, over } => {
                self.step = (number, of);
                let end = if over { ": over" } else { "" };
                self.lines.push(format!("[{number}/{of}] {}{end}", clean(&what)));
            }
            DrillNews::Line(text) => self.lines.push(clean(&text)),
            DrillNews::Outage { shard, took_us } => {
                let shard = clean(&shard);
                self.lines.push(format!("{shard} took no writes for {}", format::micros(took_us)));
                if self.longest.as_ref().is_none_or(|(longest, _)| took_us > *longest) {
                    self.longest = Some((took_us, shard));
                }
            }
            DrillNews::Done { passed, lines } => {
                self.over_at = Some(now);
                self.verdict = Some((passed, lines.iter().map(|line| clean(line)).collect()));
            }
        }
        let excess = self.lines.len().saturating_sub(LINES_MAX);
        self.lines.drain(..excess);
    }
}
