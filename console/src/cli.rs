//! The command line: reads the arguments, runs one command, prints one answer.
//!
//! It never judges the cluster, and its exit codes and `--json` fields are a contract
//! (docs/cli.md): 0 done and healthy, 1 degraded or refused, 2 usage, 3 unreachable or timed out.

mod act;
mod agent;
mod arguments;
mod backup;
mod bench;
mod confirm;
mod console;
mod drill;
mod events;
mod failover;
mod failure;
#[cfg(test)]
mod fake;
mod file;
mod format;
mod keyspace;
mod kv;
mod manual;
mod node;
mod nodes;
mod output;
mod plan;
mod policy;
mod recover;
mod repeat;
mod restore;
mod session;
mod shard;
mod shards;
mod status;
mod table;
mod target;
mod wait;

use std::process::ExitCode;

use clap::Parser;

pub use agent::AgentHook;
pub use console::{Characters, Colours, ConsoleHook, ConsoleOptions, WriteLock};

pub(crate) use failure::{CliError, Exit};
pub(crate) use output::{json, line, note};
pub(crate) use session::Session;
pub(crate) use wait::{Condition, Until, wait as wait_until};

use arguments::{Cli, Command};

/// The parts that the command line may start and must not name (`tests/tidy.rs`).
#[derive(Clone, Copy)]
pub struct Hooks {
    /// Runs an agent in this process.
    pub agent: AgentHook,
    /// Opens the terminal console.
    pub console: ConsoleHook,
}

/// Reads the process's arguments, does what they say, and gives the exit code.
pub fn main(hooks: &Hooks) -> ExitCode {
    let cli = Cli::parse();
    let command = match cli.command {
        // The agent builds its own runtime and its own log.
        Some(Command::Agent(words)) => return agent::run(hooks.agent, words),
        Some(command) => command,
        None => Command::Console(cli.console),
    };
    if !matches!(command, Command::Console(_) | Command::Demo(_)) {
        start_log();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return finish(Err(CliError::local("start the runtime", &error))),
    };
    let session = Session::new(&cli.global);
    let result = runtime.block_on(run(command, &session, hooks));
    if let (true, Err(error)) = (session.json() && !output::has_answered(), &result) {
        error.report_json();
    }
    let code = finish(result);
    // Whatever still waits for a socket has nothing to say any more.
    runtime.shutdown_background();
    code
}

/// Says that a part is missing from this executable.
pub fn not_in_this_build(part: &str) -> ExitCode {
    finish(Err(CliError::refused(
        format!("the {part} is not part of this build"),
        "build the whole workspace with `cargo build --release`",
    )))
}

async fn run(command: Command, session: &Session, hooks: &Hooks) -> Result<Exit, CliError> {
    match command {
        Command::Demo(arguments) => crate::demo::run(arguments, hooks.console).await,
        Command::Console(arguments) => console::run(session, &arguments, hooks.console).await,
        Command::Agent(words) => Ok(Exit::Code(agent::run(hooks.agent, words))),
        Command::Status(arguments) => status::run(session, arguments).await,
        Command::Nodes(arguments) => nodes::run(session, arguments).await,
        Command::Shards(arguments) => shards::run(session, arguments).await,
        Command::Events(arguments) => events::run(session, arguments).await,
        Command::Wait(arguments) => wait::run(session, arguments).await,
        Command::Kv(command) => kv::run(session, command).await,
        Command::File(command) => file::run(session, command).await,
        Command::Keyspace(command) => keyspace::run(session, command).await,
        Command::Node(command) => node::run(session, command).await,
        Command::Drill(command) => drill::run(session, command).await,
        Command::Shard(command) => shard::run(session, command).await,
        Command::Failover(command) => failover::run(session, command).await,
        Command::Policy(command) => policy::run(session, command).await,
        Command::Plan(command) => plan::run(session, command).await,
        Command::Recover(command) => recover::run(session, command).await,
        Command::Backup(command) => backup::run(session, command).await,
        Command::Restore(arguments) => restore::run(session, arguments).await,
        Command::Bench(command) => bench::run(session, command).await,
        Command::Completions(arguments) => manual::completions(&arguments),
        Command::Man(arguments) => manual::man(&arguments),
    }
}

fn finish(result: Result<Exit, CliError>) -> ExitCode {
    match result {
        Ok(exit) => exit.code(),
        Err(error) => {
            error.report();
            error.exit().code()
        }
    }
}

/// Logs to standard error, and only when asked: a script reads standard output.
fn start_log() {
    if let Ok(filter) = tracing_subscriber::EnvFilter::try_from_env("EVENKEEL_LOG") {
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    }
}
