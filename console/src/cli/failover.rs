//! `evenkeel failover …`: who may start one, for the cluster and for keyspaces.

use std::time::Duration;

use clap::Subcommand;
use evenkeel_shared::preflight::Action;
use evenkeel_shared::view::{ClusterView, FailoverMode, RecoveryChange};
use serde::Serialize;

use super::act::{self, Override, Wish};
use super::table::{Align, Table};
use super::{CliError, Exit, Session, format, json, output};

/// One command about who may start a failover.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum FailoverCommand {
    /// Print who may start one
    Show,
    /// The agents start them, without asking anybody
    Automatic(Whose),
    /// Operators start them, with `shard failover`; a leader that comes back leads again
    Manual(Whose),
    /// Operators start them for a while, the agents again after that
    Pause {
        /// For how long
        #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
        lasts: Duration,
        #[command(flatten)]
        whose: Whose,
    },
}

/// Of which keyspace.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Whose {
    /// Of this keyspace; without it, of the whole cluster
    #[arg(long, value_name = "NAME")]
    keyspace: Option<String>,
    #[command(flatten)]
    overriding: Override,
}

/// One element of `failover show --json`; `keyspace` is null for the cluster.
#[derive(Debug, Serialize)]
struct ModeRow {
    keyspace: Option<String>,
    mode: String,
    until: Option<String>,
    until_unix_ms: Option<u64>,
}

impl ModeRow {
    fn of(keyspace: Option<String>, mode: FailoverMode) -> Self {
        let until_unix_ms = match mode {
            FailoverMode::Paused { until_unix_ms } => Some(until_unix_ms),
            FailoverMode::Automatic | FailoverMode::Manual => None,
        };
        let until = until_unix_ms.and_then(format::rfc3339);
        Self { keyspace, mode: mode.to_string(), until, until_unix_ms }
    }
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: FailoverCommand) -> Result<Exit, CliError> {
    let operator = session.operator().await?;
    let view = operator.view(session.timeout()).await?;
    let (mode, whose) = match command {
        FailoverCommand::Show => return show(session, &view),
        FailoverCommand::Automatic(whose) => (FailoverMode::Automatic, whose),
        FailoverCommand::Manual(whose) => (FailoverMode::Manual, whose),
        FailoverCommand::Pause { lasts, whose } => {
            let until_unix_ms = act::after(lasts);
            (FailoverMode::Paused { until_unix_ms }, whose)
        }
    };
    let named = whose.keyspace.as_deref();
    let keyspace = named.map(|name| super::keyspace::named(&view, name)).transpose()?;
    let wish = Wish {
        action: Action::Recover(RecoveryChange::SetMode { keyspace, mode }),
        name: named.unwrap_or("cluster"),
        overriding: &whose.overriding,
        timeout: session.timeout(),
    };
    act::run(session, &operator, wish).await
}

fn show(session: &Session, view: &ClusterView) -> Result<Exit, CliError> {
    let mut rows = vec![ModeRow::of(None, view.modes.cluster)];
    rows.extend(view.keyspaces.iter().map(|known| {
        let mode = view.modes.of(known.id, view.taken_unix_ms);
        ModeRow::of(Some(known.name.clone()), mode)
    }));
    if session.json() {
        json(&rows)?;
        return Ok(Exit::Done);
    }
    let columns = [("KEYSPACE", Align::Left), ("FAILOVER", Align::Left), ("UNTIL", Align::Left)];
    let mut table = Table::new(&columns);
    for row in rows {
        let until = row.until_unix_ms.map_or_else(|| format::NOT_KNOWN.to_owned(), format::moment);
        table.row([row.keyspace.unwrap_or_else(|| "(cluster)".to_owned()), row.mode, until]);
    }
    output::text(table)?;
    Ok(Exit::Done)
}
