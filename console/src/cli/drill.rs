//! `evenkeel drill …`: runs drills, lists and shows those that are shipped, ends all faults.

mod list;
mod run;

#[cfg(test)]
mod tests;

use clap::Subcommand;
use evenkeel_shared::preflight::Action;

use super::act::{self, Override, Wish};
use super::{CliError, Exit, Session, output};
use crate::drill::shipped::{self, SHIPPED};

/// One command about drills.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum DrillCommand {
    /// Run a drill under writers, and compare what is seen with what was expected; exit 1 unless
    /// all of it held
    Run(run::RunArguments),
    /// List the drills that are shipped, and how each came out the last time
    List,
    /// Print a shipped drill's script, to be copied and changed
    Show {
        /// Its name
        name: String,
    },
    /// End everything that drills have go wrong, on every node
    Stop,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: DrillCommand) -> Result<Exit, CliError> {
    match command {
        DrillCommand::Run(arguments) => run::run(session, &arguments).await,
        DrillCommand::List => list::run(session),
        DrillCommand::Show { name } => {
            let text = shipped::text(&name).ok_or_else(|| unknown(&name))?;
            output::text(text)?;
            Ok(Exit::Done)
        }
        DrillCommand::Stop => stop(session).await,
    }
}

async fn stop(session: &Session) -> Result<Exit, CliError> {
    let operator = session.operator().await?;
    let wish = Wish {
        action: Action::Heal,
        name: "drills",
        overriding: &Override::default(),
        timeout: session.timeout(),
    };
    act::run(session, &operator, wish).await
}

fn unknown(name: &str) -> CliError {
    let names = super::format::list(SHIPPED.iter().map(|(name, _)| name));
    CliError::refused(
        format!("no drill is called {name}"),
        format!("one of {names}, or a script's file"),
    )
}
