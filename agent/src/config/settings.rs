//! What may be set, and how: every field is at once a flag and a name in the TOML file.
//!
//! A field that is `None` has not been said. Names are a contract: one is added, never renamed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Config, ConfigError};

/// What was said, by flags or by the file; not checked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Settings {
    /// Name of the node, unique in its cluster
    #[arg(long, global = true, value_name = "NAME")]
    pub name: Option<String>,
    /// Data folder, made when absent
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where to listen for agents, clients and consoles [default: 127.0.0.1:7400]
    #[arg(long, global = true, value_name = "HOST:PORT")]
    pub listen: Option<String>,
    /// Where the others reach this node, when that is not where it listens
    #[arg(long, global = true, value_name = "HOST:PORT")]
    pub advertise: Option<String>,
    /// Found a cluster, unless the folder or a node given to --join belongs to one
    #[arg(
        long, global = true, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_name = "BOOL"
    )]
    pub bootstrap: Option<bool>,
    /// Nodes to ask for admission, separated by commas
    #[arg(long, global = true, value_delimiter = ',', value_name = "HOST:PORT")]
    pub join: Option<Vec<String>>,
    /// Shards of the first keyspace, with --bootstrap [default: 16]
    #[arg(long, global = true, value_name = "N")]
    pub shards: Option<u16>,
    /// Copies of each shard of the first keyspace, with --bootstrap [default: 3]
    #[arg(long, global = true, value_name = "N")]
    pub replicas: Option<u8>,
    /// Allow listeners beyond loopback although there are no certificates
    #[arg(
        long, global = true, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_name = "BOOL"
    )]
    pub insecure: Option<bool>,
    /// Failure domain of the node [default: default]
    #[arg(long, global = true, value_name = "ZONE")]
    pub zone: Option<String>,
    /// Share of replicas, relative to the other nodes' [default: 100]
    #[arg(long, global = true, value_name = "N")]
    pub capacity: Option<u32>,
    /// Where to speak the Redis protocol, forwarding what is led elsewhere
    #[arg(long, global = true, value_name = "HOST:PORT")]
    pub resp: Option<String>,
    /// Where to speak the Redis protocol, redirecting cluster-aware clients
    #[arg(long, global = true, value_name = "HOST:PORT")]
    pub resp_cluster: Option<String>,
    /// Where to serve /metrics, /health and /ready
    #[arg(long, global = true, value_name = "HOST:PORT")]
    pub http: Option<String>,
    /// Let operators kill, freeze, cut and slow this node on purpose
    #[arg(
        long, global = true, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_name = "BOOL"
    )]
    pub drills: Option<bool>,
    /// Run under a small parent that restarts the agent when it dies
    #[arg(
        long, global = true, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_name = "BOOL"
    )]
    pub supervise: Option<bool>,
    /// End when standard input, a pipe, is closed by whoever started the agent
    #[arg(
        long, global = true, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_name = "BOOL"
    )]
    pub exit_on_stdin_close: Option<bool>,
    /// How long a node may be down before its replicas are replaced [default: 60s]
    #[arg(long, global = true, value_name = "DURATION")]
    pub grace: Option<String>,
    /// In which every copy on this node is read back and compared once [default: 6h]
    #[arg(long, global = true, value_name = "DURATION")]
    pub scrub: Option<String>,
    /// How log lines look [default: text]
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Level or filter of log lines, such as `info,evenkeel_agent=debug` [default: info]
    #[arg(long, global = true, value_name = "FILTER")]
    pub log: Option<String>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people
    #[default]
    Text,
    /// For machines, one object a line
    Json,
}

impl Settings {
    /// Reads the TOML file; a name that is not known is an error.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text)
            .map_err(|source| ConfigError::Syntax { path: path.to_owned(), source: source.into() })
    }

    /// What is said here, and for the rest what is said there.
    #[must_use]
    pub fn or(self, there: Self) -> Self {
        Self {
            name: self.name.or(there.name),
            data: self.data.or(there.data),
            listen: self.listen.or(there.listen),
            advertise: self.advertise.or(there.advertise),
            bootstrap: self.bootstrap.or(there.bootstrap),
            join: self.join.or(there.join),
            shards: self.shards.or(there.shards),
            replicas: self.replicas.or(there.replicas),
            insecure: self.insecure.or(there.insecure),
            zone: self.zone.or(there.zone),
            capacity: self.capacity.or(there.capacity),
            resp: self.resp.or(there.resp),
            resp_cluster: self.resp_cluster.or(there.resp_cluster),
            http: self.http.or(there.http),
            drills: self.drills.or(there.drills),
            supervise: self.supervise.or(there.supervise),
            exit_on_stdin_close: self.exit_on_stdin_close.or(there.exit_on_stdin_close),
            grace: self.grace.or(there.grace),
            scrub: self.scrub.or(there.scrub),
            log_format: self.log_format.or(there.log_format),
            log: self.log.or(there.log),
        }
    }

    /// The file that says this.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("strings, numbers and lists of strings are TOML")
    }
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        let text = |address: &Option<super::Address>| address.as_ref().map(ToString::to_string);
        let join: Vec<_> = config.join.iter().map(ToString::to_string).collect();
        Self {
            name: Some(config.name.clone()),
            data: Some(config.data.clone()),
            listen: Some(config.listen.to_string()),
            advertise: text(&config.advertise),
            bootstrap: Some(config.bootstrap.is_some()),
            join: (!join.is_empty()).then_some(join),
            shards: config.bootstrap.map(|first| first.shards),
            replicas: config.bootstrap.map(|first| first.replicas),
            insecure: Some(config.insecure),
            zone: Some(config.zone.clone()),
            capacity: Some(config.capacity),
            resp: text(&config.resp),
            resp_cluster: text(&config.resp_cluster),
            http: text(&config.http),
            drills: Some(config.drills),
            supervise: Some(config.supervise),
            exit_on_stdin_close: Some(config.exit_on_stdin_close),
            grace: Some(duration_text(config.grace)),
            scrub: Some(duration_text(config.scrub)),
            log_format: Some(config.log_format),
            log: Some(config.log.clone()),
        }
    }
}

fn duration_text(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}
