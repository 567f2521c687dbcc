//! `evenkeel console`: what the terminal console is told when it opens.
//!
//! The console itself lives behind a hook: this file draws nothing.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use futures::future::BoxFuture;

use super::{CliError, Exit, Session};
use crate::demo::LoadStats;
use crate::signals::Signals;

/// Opens the console and ends when the operator leaves it.
pub type ConsoleHook = fn(ConsoleOptions) -> BoxFuture<'static, ExitCode>;

/// How a console opens.
#[derive(Clone, Debug, Default)]
pub struct ConsoleOptions {
    /// Agents to begin with.
    pub seeds: Vec<String>,
    /// Whether harmful acts are open from the start.
    pub lock: WriteLock,
    /// Which characters the terminal can show.
    pub characters: Characters,
    /// The colours.
    pub colours: Colours,
    /// The file into which what is heard is recorded.
    pub record: Option<PathBuf>,
    /// A recording to look at in the place of a cluster.
    pub replay: Option<PathBuf>,
    /// Whether large figures are shown, for an audience.
    pub present: bool,
    /// The demo's own load, when a demo opened this console.
    pub load: Option<Arc<LoadStats>>,
}

/// Whether harmful acts are open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WriteLock {
    /// Locked for good: this console only watches.
    ReadOnly,
    /// Locked until the operator unlocks.
    #[default]
    Locked,
    /// Open.
    Open,
}

/// Which characters the terminal can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Characters {
    /// Lines, blocks and braille.
    #[default]
    Unicode,
    /// Only what a serial line shows.
    Ascii,
}

/// Which colours the console uses.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colours {
    /// Those for dark terminals, none under `NO_COLOR`.
    #[default]
    Auto,
    /// Those for dark terminals.
    Dark,
    /// Those for light terminals.
    Light,
    /// None: glyphs, words and weights tell all.
    Mono,
}

/// Flags of the console; they also stand without the word `console`.
#[derive(clap::Args, Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct ConsoleArguments {
    /// Only watch: harmful acts stay locked
    #[arg(long, conflicts_with = "write")]
    read_only: bool,
    /// Open with harmful acts unlocked
    #[arg(long)]
    write: bool,
    /// Draw with plain characters only
    #[arg(long)]
    ascii: bool,
    /// The colours
    #[arg(long, value_name = "COLOURS", default_value = "auto")]
    theme: Colours,
    /// Large figures and captions over every screen, for an audience
    #[arg(long)]
    present: bool,
    /// Record what is heard into this file, to be looked at with --replay
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Look at a recording in the place of a cluster
    #[arg(long, value_name = "FILE", conflicts_with_all = ["record", "write"])]
    replay: Option<PathBuf>,
}

impl ConsoleArguments {
    fn options(&self, seeds: Vec<String>) -> ConsoleOptions {
        let lock = match (self.read_only, self.write) {
            (true, _) => WriteLock::ReadOnly,
            (_, true) => WriteLock::Open,
            _ => WriteLock::Locked,
        };
        let characters = if self.ascii { Characters::Ascii } else { Characters::Unicode };
        let (record, replay) = (self.record.clone(), self.replay.clone());
        ConsoleOptions {
            // A recording has nobody to talk to.
            seeds: if replay.is_some() { Vec::new() } else { seeds },
            lock,
            characters,
            colours: self.theme,
            record,
            replay,
            present: self.present,
            load: None,
        }
    }
}

/// Opens the console.
pub(crate) async fn run(
    session: &Session,
    arguments: &ConsoleArguments,
    hook: ConsoleHook,
) -> Result<Exit, CliError> {
    let mut signals = Signals::listen().map_err(|error| CliError::local("hear signals", &error))?;
    tokio::select! {
        biased;
        // Dropped, the console gives the terminal back.
        () = signals.any() => Ok(Exit::Done),
        code = hook(arguments.options(session.seeds().to_vec())) => Ok(Exit::Code(code)),
    }
}
