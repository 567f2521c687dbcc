//! `evenkeel bench …`: throughput and latency, counters through faults, and the outage after a kill.
//!
//! Figures are the client's own: from its call to its answer, retries included.

mod count;
mod load;
mod outage;

use clap::Subcommand;

use super::{CliError, Exit, Session};

/// One measurement.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum BenchCommand {
    /// Write
    Put(load::LoadArguments),
    /// Read (of what `bench put` has written)
    Get(load::LoadArguments),
    /// Write and read
    Mix(MixArguments),
    /// Count through whatever happens, and compare with what was acknowledged; exit 1 if they differ
    Count(count::CountArguments),
    /// Kill leaders under load, and measure how long their shards take no writes
    Outage(outage::OutageArguments),
}

/// Flags of `bench mix`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct MixArguments {
    /// Reads in a hundred requests
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u8).range(0..=100))]
    reads: u8,
    #[command(flatten)]
    load: load::LoadArguments,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: BenchCommand) -> Result<Exit, CliError> {
    match command {
        BenchCommand::Put(arguments) => load::run(session, load::Mix::Put, &arguments).await,
        BenchCommand::Get(arguments) => load::run(session, load::Mix::Get, &arguments).await,
        BenchCommand::Mix(arguments) => {
            load::run(session, load::Mix::Share(arguments.reads), &arguments.load).await
        }
        BenchCommand::Count(arguments) => count::run(session, &arguments).await,
        BenchCommand::Outage(arguments) => outage::run(session, &arguments).await,
    }
}
