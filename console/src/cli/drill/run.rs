//! `evenkeel drill run`: what it would do, whether it may, then each step as it happens, and the
//! verdict.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::unknown;
use crate::cli::act::{self, Override};
use crate::cli::confirm::{self, Consent};
use crate::cli::session::is_interactive;
use crate::cli::{CliError, Exit, Session, backup, format, json, note, output};
use crate::drill::history;
use crate::drill::{
    self, Briefing, Job, Progress, Report, Script, StepProgress, TOLD, Verdict, measured,
    phases_words, shipped,
};
use crate::signals::Signals;

/// Of one step, so many outages are told, the longest.
const TOLD_MAX: usize = 6;
/// Progress that waits to be printed; a drill tells a few lines a second.
const PROGRESS_MAX: usize = 256;

/// Flags of the command.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct RunArguments {
    /// The drill: a shipped one's name (`drill list`), or a script's file
    #[arg(value_name = "FILE|NAME")]
    drill: String,
    /// Where a drill that makes a backup puts it, as the agents see it
    #[arg(long, value_name = "DIR")]
    to: Option<String>,
    /// Longest write outage that is accepted, instead of the script's
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    outage: Option<Duration>,
    /// Write a report there: JSON where it ends in .json, Markdown otherwise
    #[arg(long, value_name = "FILE")]
    report: Vec<PathBuf>,
    #[command(flatten)]
    overriding: Override,
}

/// Runs the command.
pub(super) async fn run(session: &Session, arguments: &RunArguments) -> Result<Exit, CliError> {
    let mut script = script(&arguments.drill)?;
    if let Some(outage) = arguments.outage {
        script.hypothesis.outage = outage;
    }
    let to = arguments.to.as_deref().map(backup::archive).transpose()?;
    let link = session.link();
    let briefing = drill::brief(&link, &script, to.as_deref()).await?;
    let consent = Consent {
        agreed: session.agreed(),
        overriding: arguments.overriding.name.as_deref(),
        interactive: is_interactive(),
    };
    if !session.json() || consent.interactive {
        tell(&script, &briefing);
    }
    confirm::ask(&confirm::question(briefing.harm, &script.name, consent))?;
    // Before the drill: what could not be written afterwards is known at once.
    for file in &arguments.report {
        check_writable(file)?;
    }
    // Until now a signal ends the process, and there is nothing to take back.
    let mut signals = Signals::listen().map_err(|error| CliError::local("hear signals", &error))?;
    let actor = format!("drill {}, {}", script.name, act::actor());
    let allowed = briefing.harm.max(evenkeel_shared::preflight::Harm::Risk);
    let history = history::file();
    let job = Job { script, archive: briefing.archive, allowed, actor, history };
    let report = watched(link, job, &mut signals, !session.json()).await?;
    for file in &arguments.report {
        write(file, &report)?;
    }
    finish(session, &report)
}

/// What it would do.
fn tell(script: &Script, briefing: &Briefing) {
    note(format!("drill {} on cluster {}", script.name, briefing.cluster));
    if !script.about.is_empty() {
        note(&script.about);
    }
    briefing.lines.iter().for_each(|line| note(format!("  {line}")));
}

/// Runs it, printing what it tells, until its last word. A signal stops it, a second one leaves.
async fn watched(
    link: drill::Link,
    job: Job,
    signals: &mut Signals,
    told: bool,
) -> Result<Report, CliError> {
    let (progress, mut heard) = mpsc::channel(PROGRESS_MAX);
    let (stop, stopped) = watch::channel(false);
    let running = Box::pin(drill::run(link, job, progress, stopped));
    let printing = async {
        let (mut report, mut outages) = (None, 0);
        while let Some(word) = heard.recv().await {
            outages = if matches!(word, Progress::Outage { .. }) { outages + 1 } else { 0 };
            if let Some(line) = words(&word).filter(|_| told && outages <= TOLD_MAX) {
                note(line);
            }
            if let Progress::Done(last) = word {
                report = Some(*last);
            }
        }
        report.ok_or_else(|| CliError::refused("the drill ended without a word", ""))
    };
    let both = async { tokio::join!(running, printing).1 };
    tokio::pin!(both);
    tokio::select! {
        report = &mut both => return report,
        () = signals.any() => {}
    }
    note("stopping; what the drill did is taken back first. Again to leave at once");
    // It hears it, or it is over.
    let _ = stop.send(true);
    tokio::select! {
        report = &mut both => report,
        () = signals.any() => Err(CliError::refused(
            "left before everything was taken back",
            "`evenkeel drill stop`, `evenkeel restore undo`, `evenkeel node maintain NAME --end`",
        )),
    }
}

/// One line of progress, where there is one to print.
fn words(progress: &Progress) -> Option<String> {
    match progress {
        Progress::Step(StepProgress { number, of, what, took: None }) => {
            Some(format!("[{number}/{of}] {what}"))
        }
        Progress::Step(StepProgress { number, of, took: Some(took), .. }) => {
            Some(format!("[{number}/{of}] over after {}", format::span(*took)))
        }
        Progress::Phase { step, shard, what, phases } => {
            let shard = shard.to_string();
            Some(format!("  {step}   {shard:<4} {what}: {}", phases_words(phases)))
        }
        Progress::Outage { step, shard, outage } if *outage >= TOLD => {
            let shard = shard.to_string();
            Some(format!("  {step}   {shard:<4} took no writes for {}", measured(*outage)))
        }
        Progress::Outage { .. } | Progress::Done(_) => None,
        Progress::Note(text) => Some(format!("      {text}")),
    }
}

fn finish(session: &Session, report: &Report) -> Result<Exit, CliError> {
    if session.json() {
        json(report)?;
    } else {
        output::text(report.text())?;
    }
    if let (Some(why), false) = (&report.why, session.json()) {
        let hint = report.r#try.clone().unwrap_or_default();
        return Err(CliError::refused(format!("the drill did not run to its end: {why}"), hint));
    }
    Ok(if report.verdict == Verdict::Passed { Exit::Done } else { Exit::Degraded })
}

/// The script of that name, or in that file.
fn script(drill: &str) -> Result<Script, CliError> {
    let text = match shipped::text(drill) {
        Some(text) => text.to_owned(),
        None => match std::fs::read_to_string(drill) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(unknown(drill));
            }
            Err(error) => return Err(CliError::local(&format!("read {drill}"), &error)),
        },
    };
    drill::read(&text).map_err(|error| {
        let what = format!("{drill}: {error}");
        CliError::usage(what, error.hint)
    })
}

fn check_writable(file: &Path) -> Result<(), CliError> {
    let opened = std::fs::File::options().create(true).append(true).open(file);
    opened.map(drop).map_err(|error| CliError::local(&format!("write {}", file.display()), &error))
}

fn write(file: &Path, report: &Report) -> Result<(), CliError> {
    let is_json = file.extension().is_some_and(|end| end.eq_ignore_ascii_case("json"));
    let text = if is_json {
        let text = serde_json::to_string_pretty(report);
        text.map_err(|error| CliError::Output(error.into()))? + "\n"
    } else {
        report.markdown()
    };
    let written = std::fs::File::create(file).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| CliError::local(&format!("write {}", file.display()), &error))
}
