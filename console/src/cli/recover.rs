//! `evenkeel recover …`: what is left of shards that have lost their majority for good.

use clap::Subcommand;
use evenkeel_shared::ids::ShardId;
use evenkeel_shared::limits::DEADLINE_MAX;
use evenkeel_shared::preflight::Action;
use evenkeel_shared::view::{ShardHealth, ShardPhase};

use super::act::{self, Override, Wish};
use super::{CliError, Exit, Session};

/// One command about recovering.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum RecoverCommand {
    /// Put what survives of shards in their place, when most of their voters are gone for good
    QuorumLoss {
        /// Which shards; without any, all that are unavailable
        shards: Vec<ShardId>,
        /// The folder into which it is written first, as the agents see it
        #[arg(long, value_name = "DIR")]
        to: String,
        #[command(flatten)]
        overriding: Override,
    },
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: RecoverCommand) -> Result<Exit, CliError> {
    let RecoverCommand::QuorumLoss { mut shards, to, overriding } = command;
    let operator = session.operator().await?;
    if shards.is_empty() {
        let view = operator.view(session.timeout()).await?;
        let lost = view.shards.iter().filter(|shard| {
            shard.phase == ShardPhase::Serving && shard.health == ShardHealth::Unavailable
        });
        shards = lost.map(|shard| shard.id).collect();
    }
    let wish = Wish {
        action: Action::RecoverQuorum { shards, archive: to },
        name: "recover",
        overriding: &overriding,
        timeout: session.timeout_or(DEADLINE_MAX),
    };
    act::run(session, &operator, wish).await
}
