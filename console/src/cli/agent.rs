//! `evenkeel agent …`: hands the words that follow to the agent's own main function.
//!
//! Nothing of them is read here: the agent knows its own flags.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs an agent with the words that follow `evenkeel agent`, until it ends.
pub type AgentHook = fn(Vec<OsString>) -> ExitCode;

/// Everything after `agent`.
#[derive(clap::Args, Clone, Debug)]
#[command(disable_help_flag = true)]
pub(crate) struct AgentWords {
    /// Flags of the agent; `evenkeel agent --help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

/// Runs the agent; the first word is the command's own name, as a main function expects.
pub(crate) fn run(hook: AgentHook, words: AgentWords) -> ExitCode {
    let name = OsString::from("evenkeel agent");
    hook(std::iter::once(name).chain(words.words).collect())
}
