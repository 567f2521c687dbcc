//! The `agent` command line. It only reads what was typed; [`super::check`] judges it.

use std::path::PathBuf;

use evenkeel_shared::ids::ShardId;

use super::settings::Settings;
use super::{Config, ConfigError};

/// Run a node of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct AgentArgs {
    /// TOML file with the same names as the flags, which win over it
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What the flags say.
    #[command(flatten)]
    pub settings: Settings,
    /// What to do instead of running.
    #[command(subcommand)]
    pub command: Option<AgentCommand>,
}

/// What `agent` can do besides running.
#[derive(Clone, Debug, PartialEq, Eq, clap::Subcommand)]
pub enum AgentCommand {
    /// Look at the configuration without starting
    Config(ConfigArgs),
    /// Write what stopped agents' folders hold into an archive, when their cluster is lost for good
    Rescue(RescueArgs),
}

/// What to rescue, and where to.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct RescueArgs {
    /// Data folders of stopped agents of one cluster: the more, the less is lost
    #[arg(required = true, value_name = "FOLDER")]
    pub folders: Vec<PathBuf>,
    /// The archive's folder; without it, what is there is only shown
    #[arg(long, value_name = "DIR")]
    pub to: Option<String>,
    /// Shards to leave empty that can't be read: what they held is given up
    #[arg(long, value_name = "SHARD", value_delimiter = ',')]
    pub empty: Vec<ShardId>,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// What to do with the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::Args)]
#[group(required = true, multiple = true)]
pub struct ConfigArgs {
    /// Say whether an agent could start with it
    #[arg(long)]
    pub check: bool,
    /// Write it as the TOML file that would give it, defaults included
    #[arg(long)]
    pub print: bool,
}

impl ConfigArgs {
    /// What `agent config` answers on standard output.
    pub fn answer(self, args: &AgentArgs) -> Result<String, ConfigError> {
        let config = Config::load(args)?;
        Ok(if self.print { config.to_toml() } else { "configuration ok\n".to_owned() })
    }
}
