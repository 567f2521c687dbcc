//! `evenkeel bench …`: throughput and latency of a closed loop, and the outage after a kill.
//!
//! Figures are the client's own: from its call to its answer, retries included.

mod closed;
mod count;
mod gaps;
mod outage;

use clap::Subcommand;

use super::{CliError, Exit, Session};

/// One measurement.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum BenchCommand {
    /// Write
    Put(closed::ClosedArguments),
    /// Read (of what `bench put` has written)
    Get(closed::ClosedArguments),
    /// Write and read in turn
    Mix(closed::ClosedArguments),
    /// Count through whatever happens, and compare with what was acknowledged; exit 1 if they differ
    Count(count::CountArguments),
    /// Kill leaders under load, and measure how long their shards take no writes
    Outage(outage::OutageArguments),
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: BenchCommand) -> Result<Exit, CliError> {
    match command {
        BenchCommand::Put(arguments) => closed::run(session, closed::Mix::Put, &arguments).await,
        BenchCommand::Get(arguments) => closed::run(session, closed::Mix::Get, &arguments).await,
        BenchCommand::Mix(arguments) => closed::run(session, closed::Mix::Half, &arguments).await,
        BenchCommand::Count(arguments) => count::run(session, &arguments).await,
        BenchCommand::Outage(arguments) => outage::run(session, &arguments).await,
    }
}
