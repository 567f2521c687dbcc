//! `evenkeel file …`: files of any size, whole or not at all.
//!
//! Everything about chunks and records is decided in the shared library; here are local files, the
//! terminal, and words.

mod bar;
mod collect;
mod get;
mod list;
mod local;
mod partial;
mod place;
mod put;
mod stat;
mod sync;
mod told;
mod tree;

use clap::Subcommand;

use super::{CliError, Exit, Session};

/// One command about files.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum FileCommand {
    /// Send a file; one that broke off before is gone on with
    Put(put::PutArguments),
    /// Fetch a file; one that broke off before is gone on with
    Get(get::GetArguments),
    /// Delete a file; exit 1 when there is none
    Delete(stat::DeleteArguments),
    /// List files, by name
    Ls(list::ListArguments),
    /// Show one file, and what is under way with its name; exit 1 when there is none
    Stat(stat::StatArguments),
    /// Send what is new or different in a folder
    Sync(sync::SyncArguments),
    /// Remove what nobody reads or goes on with; agents do that by themselves, in time
    Collect(collect::CollectArguments),
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: FileCommand) -> Result<Exit, CliError> {
    match command {
        FileCommand::Put(arguments) => put::run(session, arguments).await,
        FileCommand::Get(arguments) => get::run(session, arguments).await,
        FileCommand::Delete(arguments) => stat::delete(session, arguments).await,
        FileCommand::Ls(arguments) => list::run(session, arguments).await,
        FileCommand::Stat(arguments) => stat::run(session, arguments).await,
        FileCommand::Sync(arguments) => sync::run(session, arguments).await,
        FileCommand::Collect(arguments) => collect::run(session, arguments).await,
    }
}
