//! `evenkeel console`: what the terminal console is told when it opens.
//!
//! The console itself lives behind a hook: this file draws nothing.

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

/// Flags of the console; they also stand without the word `console`.
#[derive(clap::Args, Clone, Debug, Default)]
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
}

impl ConsoleArguments {
    fn options(&self, seeds: Vec<String>) -> ConsoleOptions {
        let lock = match (self.read_only, self.write) {
            (true, _) => WriteLock::ReadOnly,
            (_, true) => WriteLock::Open,
            _ => WriteLock::Locked,
        };
        let characters = if self.ascii { Characters::Ascii } else { Characters::Unicode };
        ConsoleOptions { seeds, lock, characters, load: None }
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
