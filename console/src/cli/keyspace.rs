//! `evenkeel keyspace …`: shards under one policy.
//!
//! Changes pass the same pre-flight and confirmation as every act.

use std::time::Duration;

use clap::{ArgGroup, Subcommand};
use evenkeel_shared::client::Freshness;
use evenkeel_shared::ids::KeyspaceId;
use evenkeel_shared::limits::{DEADLINE_MAX, REPLICAS_MAX, SHARDS_MAX};
use evenkeel_shared::preflight::Action;
use evenkeel_shared::view::{
    ClusterView, KeyspaceChange, KeyspaceSpec, KeyspaceView, Policy, Promise, ReadDefault,
    SyncPolicy, ZoneRule,
};
use serde::Serialize;

use super::act::{self, Override, Wish};
use super::repeat::{self, Repeat};
use super::table::{Align, Table};
use super::target::sync;
use super::{CliError, Exit, Session, format, kv};

/// One command about keyspaces.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum KeyspaceCommand {
    /// Create a keyspace, and wait until all of its shards are led
    Create(CreateArguments),
    /// List keyspaces: what they promise, and how their shards are
    List(Repeat),
    /// Keep a keyspace otherwise from now on
    Set(SetArguments),
    /// Drop a keyspace with everything in it
    Drop {
        /// Its name
        name: String,
        #[command(flatten)]
        overriding: Override,
    },
}

/// Flags of `keyspace create`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct CreateArguments {
    /// Its name
    name: String,
    /// Copies of each shard
    #[arg(long, default_value_t = REPLICAS, value_parser = replicas())]
    replicas: u8,
    /// How many shards it is cut into, for good
    #[arg(long, default_value_t = SHARDS, value_parser = clap::value_parser!(u16).range(1..=i64::from(SHARDS_MAX)))]
    shards: u16,
    #[command(flatten)]
    kept: Kept,
}

/// Flags of `keyspace set`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct SetArguments {
    /// Its name
    name: String,
    #[command(flatten)]
    change: ChangeArguments,
    #[command(flatten)]
    overriding: Override,
}

/// What `keyspace set` may change; at least one of them.
#[derive(clap::Args, Clone, Debug)]
#[group(skip)]
#[command(group = ArgGroup::new("change").required(true).multiple(true).args(CHANGES))]
struct ChangeArguments {
    /// Copies of each shard
    #[arg(long, value_parser = replicas())]
    replicas: Option<u8>,
    #[command(flatten)]
    kept: Kept,
}

const CHANGES: [&str; 5] = ["replicas", "sync", "read", "zones", "grace"];

/// How a keyspace is kept.
#[derive(clap::Args, Clone, Debug, Default)]
#[group(skip)]
struct Kept {
    /// When a write is acknowledged that doesn't say: leader, quorum, all
    #[arg(long, value_name = "POLICY", value_parser = sync)]
    sync: Option<SyncPolicy>,
    /// How fresh a read is that doesn't say: linearizable, session, bounded=500ms, any
    #[arg(long, value_name = "LEVEL", value_parser = read)]
    read: Option<ReadDefault>,
    /// How copies are spread over zones: spread (as evenly as possible), strict (never two in one
    /// zone), ignore
    #[arg(long, value_name = "RULE", value_parser = zones)]
    zones: Option<ZoneRule>,
    /// How long a node may be DOWN before its copies are replaced
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    grace: Option<Duration>,
}

fn replicas() -> clap::builder::RangedI64ValueParser<u8> {
    clap::value_parser!(u8).range(1..=i64::from(REPLICAS_MAX))
}

fn read(text: &str) -> Result<ReadDefault, String> {
    Ok(match kv::freshness(text)? {
        Freshness::Linearizable | Freshness::Default => ReadDefault::Linearizable,
        Freshness::Session => ReadDefault::Session,
        Freshness::Bounded(age) => {
            ReadDefault::Bounded(u32::try_from(age.as_millis()).map_err(|_| "it is too long")?)
        }
        Freshness::Any => ReadDefault::Any,
    })
}

fn zones(text: &str) -> Result<ZoneRule, String> {
    match text {
        "spread" => Ok(ZoneRule::Spread),
        "strict" => Ok(ZoneRule::Strict),
        "ignore" => Ok(ZoneRule::Ignore),
        _ => Err("it is none of spread, strict, ignore".to_owned()),
    }
}

/// How long a node may be DOWN when nothing else is said: as in the keyspace of the first day.
const GRACE: Duration = Duration::from_secs(60);
/// Copies of each shard when nothing else is said.
const REPLICAS: u8 = 3;
/// How many shards there are when nothing else is said.
const SHARDS: u16 = 16;

/// A keyspace of which nothing is said but its name.
pub(crate) fn usual(name: &str) -> KeyspaceSpec {
    let (kept, name) = (Kept::default(), name.to_owned());
    CreateArguments { name, replicas: REPLICAS, shards: SHARDS, kept }.spec()
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: KeyspaceCommand) -> Result<Exit, CliError> {
    if let KeyspaceCommand::List(repeat) = command {
        return list(session, repeat).await;
    }
    let operator = session.operator().await?;
    let view = operator.view(session.timeout()).await?;
    let none = Override::default();
    let (name, action, overriding) = match &command {
        KeyspaceCommand::Create(arguments) => {
            (&arguments.name, Action::KeyspaceCreate(arguments.spec()), &none)
        }
        KeyspaceCommand::Set(SetArguments { name, change, overriding }) => {
            let keyspace = named(&view, name)?;
            (name, Action::KeyspaceSet { keyspace, change: change.change() }, overriding)
        }
        KeyspaceCommand::Drop { name, overriding } => {
            (name, Action::KeyspaceDrop { keyspace: named(&view, name)? }, overriding)
        }
        KeyspaceCommand::List(_) => return Ok(Exit::Done),
    };
    let timeout = session.timeout_or(DEADLINE_MAX);
    act::run(session, &operator, Wish { action, name, overriding, timeout }).await
}

pub(crate) fn named(view: &ClusterView, name: &str) -> Result<KeyspaceId, CliError> {
    let known = view.keyspaces.iter().find(|keyspace| keyspace.name == name);
    known.map(|keyspace| keyspace.id).ok_or_else(|| {
        let names = view.keyspaces.iter().map(|keyspace| &keyspace.name);
        CliError::refused(
            format!("there is no keyspace {name}"),
            format!("one of {}", format::list(names)),
        )
    })
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl CreateArguments {
    fn spec(&self) -> KeyspaceSpec {
        let Kept { sync, read, zones, grace } = self.kept;
        KeyspaceSpec {
            name: self.name.clone(),
            shards: self.shards,
            policy: Policy {
                replicas: self.replicas,
                sync: sync.unwrap_or_default(),
                grace_ms: milliseconds(grace.unwrap_or(GRACE)),
            },
            promise: Promise { read: read.unwrap_or_default(), zones: zones.unwrap_or_default() },
            number: None,
        }
    }
}

impl ChangeArguments {
    fn change(&self) -> KeyspaceChange {
        let Kept { sync, read, zones, grace } = self.kept;
        KeyspaceChange {
            replicas: self.replicas,
            sync,
            grace_ms: grace.map(milliseconds),
            read,
            zones,
        }
    }
}

/// One element of `keyspace list --json`.
#[derive(Debug, Serialize)]
struct KeyspaceRow<'a> {
    name: &'a str,
    id: u32,
    shards: u16,
    replicas: u8,
    sync: SyncPolicy,
    read: String,
    zones: ZoneRule,
    grace_ms: u64,
    shards_ok: u32,
    shards_under_replicated: u32,
    shards_unavailable: u32,
    ops_s: Option<f64>,
    log_bytes: Option<u64>,
}

impl<'a> KeyspaceRow<'a> {
    fn of(keyspace: &'a KeyspaceView) -> Self {
        let counts = &keyspace.counts;
        Self {
            name: &keyspace.name,
            id: keyspace.id.0,
            shards: keyspace.shards,
            replicas: keyspace.policy.replicas,
            sync: keyspace.policy.sync,
            read: keyspace.promise.read.to_string(),
            zones: keyspace.promise.zones,
            grace_ms: keyspace.policy.grace_ms,
            shards_ok: counts.shards_ok,
            shards_under_replicated: counts.shards_under_replicated,
            shards_unavailable: counts.shards_unavailable,
            ops_s: keyspace.ops_s,
            log_bytes: keyspace.log_bytes,
        }
    }
}

async fn list(session: &Session, repeat: Repeat) -> Result<Exit, CliError> {
    let json = session.json();
    repeat::views(session, repeat, |view| {
        let rows: Vec<KeyspaceRow<'_>> = view.keyspaces.iter().map(KeyspaceRow::of).collect();
        let text = if json { repeat::json_line(&rows)? } else { table(&rows).to_string() };
        Ok((text, Exit::Done))
    })
    .await
}

fn table(rows: &[KeyspaceRow<'_>]) -> Table {
    let mut table = Table::new(&[
        ("NAME", Align::Left),
        ("SHARDS", Align::Right),
        ("OK", Align::Right),
        ("SHORT", Align::Right),
        ("DOWN", Align::Right),
        ("REPLICAS", Align::Right),
        ("SYNC", Align::Left),
        ("READ", Align::Left),
        ("ZONES", Align::Left),
        ("GRACE", Align::Right),
        ("OPS/S", Align::Right),
        ("LOG", Align::Right),
    ]);
    for row in rows {
        table.row([
            row.name.to_owned(),
            row.shards.to_string(),
            row.shards_ok.to_string(),
            row.shards_under_replicated.to_string(),
            row.shards_unavailable.to_string(),
            row.replicas.to_string(),
            row.sync.to_string(),
            row.read.clone(),
            row.zones.to_string(),
            format::span(Duration::from_millis(row.grace_ms)),
            format::fraction(row.ops_s, 0),
            format::known(row.log_bytes.map(format::bytes)),
        ]);
    }
    table
}
