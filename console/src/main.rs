//! The executable: wires the command line to the parts that it may not name itself.
//!
//! Nothing is decided here.

use std::process::ExitCode;

use evenkeel::cli::{self, ConsoleOptions, Hooks};

fn main() -> ExitCode {
    cli::main(&Hooks { agent, console })
}

/// Runs the agent with the words that follow `evenkeel agent`.
fn agent(_arguments: Vec<std::ffi::OsString>) -> ExitCode {
    cli::not_in_this_build("agent")
}

/// Opens the terminal console and ends when the operator leaves it.
fn console(_options: ConsoleOptions) -> futures::future::BoxFuture<'static, ExitCode> {
    Box::pin(async { cli::not_in_this_build("console") })
}
