//! What the command line decides about the console before it starts.

use std::path::PathBuf;

/// How the console is to start.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct ConsoleOptions {
    /// Harmful actions stay locked whatever is pressed.
    pub read_only: bool,
    /// Start with harmful actions unlocked, and keep them so.
    pub unlocked: bool,
    /// Draw with ASCII glyphs only.
    pub ascii: bool,
    /// The colours.
    pub theme: ThemeChoice,
    /// What the header calls the cluster; empty: the start of its id.
    pub title: String,
    /// The archive that a backup dialog proposes while the catalogue is empty.
    pub archive: Option<String>,
    /// The file into which what is heard is recorded; it must not be there yet.
    pub record: Option<PathBuf>,
    /// A recording to look at in the place of a cluster.
    pub replay: Option<PathBuf>,
    /// Show large figures and captions for an audience.
    pub present: bool,
    /// Addresses that are being dialled, shown until one answers.
    pub addresses: Vec<String>,
}

/// A drill that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillOffer {
    /// Its name.
    pub name: String,
    /// What it tries.
    pub about: String,
}

/// Which colours to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ThemeChoice {
    /// Dark, or none when `NO_COLOR` is set.
    #[default]
    Auto,
    /// For dark terminals.
    Dark,
    /// For light terminals.
    Light,
    /// No colours: glyphs, words and modifiers only.
    Mono,
}
