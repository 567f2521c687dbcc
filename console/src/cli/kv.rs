//! `evenkeel kv …`: reads and writes keys.
//!
//! A write whose outcome is not known is never printed as failed (law 2).

mod load;
mod memory;
mod point;
mod scan;
mod verify;
mod walk;

use std::path::PathBuf;

use clap::Subcommand;

use super::{CliError, Exit, Session};

/// One command about keys.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum KvCommand {
    /// Set a value
    Put {
        /// The key
        #[arg(value_parser = point::key)]
        key: String,
        /// The value
        #[arg(required_unless_present = "file")]
        value: Option<String>,
        /// Read the value from a file; `-` is standard input
        #[arg(long, conflicts_with = "value")]
        file: Option<PathBuf>,
        /// Keep in this file what the session has written, for `kv get --session FILE`
        #[arg(long, value_name = "FILE")]
        session: Option<PathBuf>,
    },
    /// Print a value, byte for byte; exit 1 when there is none
    Get(point::GetArguments),
    /// Remove a key
    Delete {
        /// The key
        #[arg(value_parser = point::key)]
        key: String,
    },
    /// Add to a counter: a value that is a whole number; an absent one counts as 0
    Add {
        /// The key
        #[arg(value_parser = point::key)]
        key: String,
        /// How much
        #[arg(long, default_value_t = 1, allow_negative_numbers = true)]
        by: i64,
    },
    /// Set a value if the record is as expected; exit 1 when it is not
    Cas(point::CasArguments),
    /// List the keys with a prefix, shard by shard
    Scan(scan::ScanArguments),
    /// Load every file below a folder as key = path, or verify what was loaded
    Load(load::LoadArguments),
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: KvCommand) -> Result<Exit, CliError> {
    match command {
        KvCommand::Put { key, value, file, session: kept } => {
            point::put(session, key, point::value(value, file)?, kept.as_deref()).await
        }
        KvCommand::Get(arguments) => point::get(session, arguments).await,
        KvCommand::Delete { key } => point::delete(session, key).await,
        KvCommand::Add { key, by } => point::add(session, key, by).await,
        KvCommand::Cas(arguments) => point::cas(session, arguments).await,
        KvCommand::Scan(arguments) => scan::run(session, arguments).await,
        KvCommand::Load(arguments) if arguments.verify => verify::run(session, arguments).await,
        KvCommand::Load(arguments) => load::run(session, arguments).await,
    }
}
