//! `evenkeel kv …`: reads and writes keys.
//!
//! A write whose outcome is not known is never printed as failed (law 2).

mod batch;
mod load;
mod memory;
mod outcome;
mod read;
mod scan;
mod verify;
mod walk;
mod write;

pub(crate) use read::freshness;

use clap::Subcommand;

use super::{CliError, Exit, Session};

/// One command about keys.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum KvCommand {
    /// Set a value
    Put(write::PutArguments),
    /// Print a value, byte for byte; exit 1 when there is none
    Get(read::GetArguments),
    /// Remove a key
    Delete(write::DeleteArguments),
    /// Add to a counter: a value that is a whole number; an absent one counts as 0
    Add(write::AddArguments),
    /// Set a value if the record is as expected; exit 1 when it is not
    Cas(write::CasArguments),
    /// Write several keys at once: those of one shard all or none, and seen so
    Batch(batch::BatchArguments),
    /// List the keys with a prefix, shard by shard
    Scan(scan::ScanArguments),
    /// Load every file below a folder as key = path, or verify what was loaded
    Load(load::LoadArguments),
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: KvCommand) -> Result<Exit, CliError> {
    match command {
        KvCommand::Put(arguments) => write::put(session, arguments).await,
        KvCommand::Get(arguments) => read::get(session, arguments).await,
        KvCommand::Delete(arguments) => write::delete(session, arguments).await,
        KvCommand::Add(arguments) => write::add(session, arguments).await,
        KvCommand::Cas(arguments) => write::cas(session, arguments).await,
        KvCommand::Batch(arguments) => batch::run(session, arguments).await,
        KvCommand::Scan(arguments) => scan::run(session, arguments).await,
        KvCommand::Load(arguments) if arguments.verify => verify::run(session, arguments).await,
        KvCommand::Load(arguments) => load::run(session, arguments).await,
    }
}
