//! `evenkeel drill …`: what concerns all drills at once.

use clap::Subcommand;
use evenkeel_shared::preflight::Action;

use super::act::{self, Override, Wish};
use super::{CliError, Exit, Session};

/// One command about drills.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum DrillCommand {
    /// End everything that drills have go wrong, on every node
    Stop,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: DrillCommand) -> Result<Exit, CliError> {
    let DrillCommand::Stop = command;
    let operator = session.operator().await?;
    let wish = Wish {
        action: Action::Heal,
        name: "drills",
        overriding: &Override::default(),
        timeout: session.timeout(),
    };
    act::run(session, &operator, wish).await
}
