//! The agent's configuration: flags and a file become one checked [`Config`].
//!
//! Whatever comes out of here has been checked: no other part looks at a flag or at the file. Flags
//! win over the file, and the file over the defaults.

mod address;
mod args;
mod check;
mod settings;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use evenkeel_shared::view::NodeAddresses;

pub use address::{Address, BoundAddresses};
pub use args::{AgentArgs, AgentCommand, ConfigArgs, RescueArgs};
pub use settings::{LogFormat, Settings};

/// Everything an agent is told at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Config {
    /// The node's name, unique in the cluster.
    pub name: String,
    /// Its data folder.
    pub data: PathBuf,
    /// Where it listens for agents, clients and consoles.
    pub listen: Address,
    /// Where the others reach that listener, when it is not where it listens.
    pub advertise: Option<Address>,
    /// What to found when there is no cluster yet.
    pub bootstrap: Option<FirstKeyspace>,
    /// Nodes to ask for admission.
    pub join: Vec<Address>,
    /// Whether listeners that strangers reach may go without certificates.
    pub insecure: bool,
    /// The node's failure domain.
    pub zone: String,
    /// Its share of replicas, relative to the others'.
    pub capacity: u32,
    /// Where it speaks the Redis protocol and forwards.
    pub resp: Option<Address>,
    /// Where it speaks the Redis protocol and redirects.
    pub resp_cluster: Option<Address>,
    /// Where it serves metrics and health.
    pub http: Option<Address>,
    /// Whether operators may harm it on purpose.
    pub drills: bool,
    /// Whether a small parent restarts it when it dies.
    pub supervise: bool,
    /// Whether it ends when its standard input closes.
    pub exit_on_stdin_close: bool,
    /// How long a node may be DOWN before its replicas are replaced.
    pub grace: Duration,
    /// In which every copy is read back and compared once.
    pub scrub: Duration,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which log lines are written: a level, or a filter such as `info,evenkeel_agent=debug`.
    pub log: String,
}

/// The keyspace that a founded cluster begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstKeyspace {
    /// How many shards it is cut into.
    pub shards: u16,
    /// Copies of each shard.
    pub replicas: u8,
}

/// How an agent comes into its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Its folder belongs to a cluster already.
    Return,
    /// It founds a cluster.
    Found(FirstKeyspace),
    /// It asks one of these nodes.
    Join(Vec<Address>),
    /// It asks these nodes, and founds a cluster if none that answers belongs to one.
    JoinOrFound(Vec<Address>, FirstKeyspace),
}

/// Why there is no configuration: each says what was expected and what to try.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Correct the path or the file's permissions.
    #[error("configuration file {path} can't be read; name another one with --config")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Correct the file.
    #[error(
        "configuration file {path} is not TOML of known settings; \
         `evenkeel agent config --print` shows them all"
    )]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, column and what is wrong there.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// Give the setting.
    #[error("--{setting} is missing; {hint}")]
    Missing {
        /// Its name, the same as flag and in the file.
        setting: &'static str,
        /// What to try.
        hint: &'static str,
    },
    /// Give another value.
    #[error("--{setting} {given} is not {expected}; {hint}")]
    Invalid {
        /// Its name, the same as flag and in the file.
        setting: &'static str,
        /// What was given.
        given: String,
        /// What was expected.
        expected: String,
        /// What to try.
        hint: String,
    },
    /// Give another combination.
    #[error("{why}; {hint}")]
    Unfit {
        /// What does not fit together.
        why: String,
        /// What to try.
        hint: String,
    },
}

impl Config {
    /// Reads the file that the arguments name, or the default one if it exists, and checks all.
    pub fn load(args: &AgentArgs) -> Result<Self, ConfigError> {
        let file = match &args.config {
            Some(path) => Some((path.clone(), read(path)?)),
            None => default_file()?,
        };
        let filed = match file {
            Some((path, text)) => Settings::parse(&path, &text)?,
            None => Settings::default(),
        };
        Self::check(args.settings.clone().or(filed))
    }

    /// Turns settings into a configuration, or says what is wrong with them.
    pub fn check(settings: Settings) -> Result<Self, ConfigError> {
        check::check(settings)
    }

    /// The file that would give this configuration.
    pub fn to_toml(&self) -> String {
        Settings::from(self).to_toml()
    }

    /// How to come into the cluster, given whether the data folder belongs to one already.
    pub fn entry(&self, folder_belongs: bool) -> Result<Entry, ConfigError> {
        if folder_belongs {
            return Ok(Entry::Return);
        }
        match (self.bootstrap, self.join.is_empty()) {
            (Some(first), true) => Ok(Entry::Found(first)),
            (Some(first), false) => Ok(Entry::JoinOrFound(self.join.clone(), first)),
            (None, false) => Ok(Entry::Join(self.join.clone())),
            (None, true) => Err(ConfigError::Unfit {
                why: format!(
                    "node {} belongs to no cluster yet: its folder {} is new",
                    self.name,
                    self.data.display()
                ),
                hint: "give --bootstrap to found a cluster, or --join HOST:PORT to enter one"
                    .to_owned(),
            }),
        }
    }

    /// What the cluster map says of this node's listeners, once their ports are known.
    pub fn addresses(&self, bound: &BoundAddresses) -> NodeAddresses {
        let host = &self.advertise.as_ref().unwrap_or(&self.listen).host;
        let beside = |asked: &Option<Address>, port: Option<u16>| {
            let asked = asked.as_ref()?;
            let own = self.advertise.is_none() && !asked.is_unspecified();
            let host = if own { &asked.host } else { host };
            Some(Address { host: host.clone(), port: port? }.to_string())
        };
        let port = match &self.advertise {
            Some(advertised) if advertised.port != 0 => advertised.port,
            _ => bound.rpc,
        };
        NodeAddresses {
            rpc: Address { host: host.clone(), port }.to_string(),
            resp: beside(&self.resp, bound.resp),
            resp_cluster: beside(&self.resp_cluster, bound.resp_cluster),
            http: beside(&self.http, bound.http),
        }
    }
}

/// The file that is read when none is named: `evenkeel/agent.toml` in the user's configuration.
pub fn default_path() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "evenkeel")
        .map(|folders| folders.config_dir().join("agent.toml"))
}

fn default_file() -> Result<Option<(PathBuf, String)>, ConfigError> {
    let Some(path) = default_path() else { return Ok(None) };
    match read(&path) {
        Ok(text) => Ok(Some((path, text))),
        Err(ConfigError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Reads with plain `std`: the file may be read-only, and there is no agent yet to simulate.
fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })
}
