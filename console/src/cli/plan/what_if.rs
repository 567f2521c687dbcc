//! `evenkeel plan what-if`: what would come of several changes together, before any is made.

use evenkeel_shared::view::ClusterView;
use evenkeel_shared::what_if::{Change, NodeOutlook, WhatIf};
use evenkeel_shared::wire::deadline::Deadline;
use serde::Serialize;

use crate::cli::session::{Operator, node_named};
use crate::cli::table::{Align, Table};
use crate::cli::{CliError, Exit, Session, format, json, output};

/// Shards that are named before the rest is counted.
const SHARDS_NAMED: usize = 10;

/// The changes.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct WhatIfArguments {
    /// Nodes that are drained
    #[arg(long, value_name = "NODE", value_delimiter = ',')]
    drain: Vec<String>,
    /// Nodes that are gone for good
    #[arg(long, value_name = "NODE", value_delimiter = ',')]
    lose: Vec<String>,
    /// Zones that are gone for good
    #[arg(long, value_name = "ZONE", value_delimiter = ',')]
    lose_zone: Vec<String>,
    /// Nodes that are added, each by its zone; its capacity after a colon is 100 unless said
    #[arg(long, value_name = "ZONE[:CAPACITY]", value_delimiter = ',')]
    add: Vec<String>,
}

/// What `plan what-if --json` prints.
#[derive(Debug, Serialize)]
struct WhatIfRow {
    revision: u64,
    settles: bool,
    copies_moved: u32,
    bytes: u64,
    leaders_moved: u32,
    steps: u32,
    quorum_lost: Vec<u32>,
    short: Vec<ShortRow>,
    nodes: Vec<NodeRow>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ShortRow {
    shard: u32,
    why: String,
}

#[derive(Debug, Serialize)]
struct NodeRow {
    name: String,
    zone: String,
    copies_now: u32,
    copies_then: u32,
    leads_now: u32,
    leads_then: u32,
}

/// Asks and prints. Exit 1 when a shard would lose its majority.
pub(super) async fn run(
    session: &Session,
    operator: &Operator,
    view: &ClusterView,
    arguments: &WhatIfArguments,
) -> Result<Exit, CliError> {
    let changes = changes(view, arguments)?;
    let context = Deadline::after(session.timeout()).context();
    let answer = operator.client.what_if(context, changes).await;
    let told = answer.map_err(|error| operator.silent(&error))?.map_err(CliError::from)?;
    let lost = !told.quorum_lost.is_empty();
    if session.json() {
        json(&WhatIfRow::of(told))?;
    } else {
        output::text(text(&told))?;
    }
    Ok(if lost { Exit::Degraded } else { Exit::Done })
}

fn changes(view: &ClusterView, arguments: &WhatIfArguments) -> Result<Vec<Change>, CliError> {
    let mut changes = Vec::new();
    for name in &arguments.drain {
        changes.push(Change::Drain(node_named(view, name)?.id));
    }
    for name in &arguments.lose {
        changes.push(Change::Lose(node_named(view, name)?.id));
    }
    for zone in &arguments.lose_zone {
        let before = changes.len();
        let there = view.nodes.iter().filter(|node| node.zone == *zone);
        changes.extend(there.map(|node| Change::Lose(node.id)));
        if changes.len() == before {
            let zones: std::collections::BTreeSet<&str> =
                view.nodes.iter().map(|node| node.zone.as_str()).collect();
            let zones = zones.into_iter().collect::<Vec<_>>().join(", ");
            let what = format!("no node is in a zone {zone}; there are {zones}");
            return Err(CliError::usage(what, "`evenkeel nodes`"));
        }
    }
    for added in &arguments.add {
        let (zone, capacity) = match added.rsplit_once(':') {
            Some((zone, capacity)) => (zone, capacity.parse().ok()),
            None => (added.as_str(), Some(100)),
        };
        let capacity = capacity.filter(|capacity| *capacity > 0 && !zone.is_empty());
        let capacity = capacity.ok_or_else(|| {
            CliError::usage(
                format!("--add {added}: no zone with a capacity"),
                "--add a or --add a:200",
            )
        })?;
        changes.push(Change::Add { zone: zone.to_owned(), capacity });
    }
    if changes.is_empty() {
        let what = "what if what? No change was named".to_owned();
        return Err(CliError::usage(
            what,
            "--drain NODE, --lose NODE, --lose-zone ZONE, --add ZONE",
        ));
    }
    Ok(changes)
}

fn text(told: &WhatIf) -> String {
    let mut table = Table::new(&[
        ("NODE", Align::Left),
        ("ZONE", Align::Left),
        ("COPIES", Align::Right),
        ("THEN", Align::Right),
        ("LEADS", Align::Right),
        ("THEN", Align::Right),
    ]);
    for node in &told.nodes {
        table.row([
            node.name.clone(),
            node.zone.clone(),
            node.copies.0.to_string(),
            node.copies.1.to_string(),
            node.leads.0.to_string(),
            node.leads.1.to_string(),
        ]);
    }
    let mut text = table.to_string();
    let bytes = format::bytes(told.bytes);
    format::append(
        &mut text,
        format_args!(
            "\n{} copies built elsewhere, about {bytes}; {} leaderships moved; {} steps\n",
            told.copies_moved, told.leaders_moved, told.steps
        ),
    );
    if !told.quorum_lost.is_empty() {
        let lost = told.quorum_lost.iter().map(ToString::to_string);
        let lost: Vec<String> = lost.take(SHARDS_NAMED).collect();
        let all = told.quorum_lost.len();
        format::append(
            &mut text,
            format_args!("QUORUM LOST by {all} shards: {}\n", lost.join(" ")),
        );
    }
    for (shard, why) in told.short.iter().take(SHARDS_NAMED) {
        format::append(&mut text, format_args!("{shard}: not all copies in the end: {why}\n"));
    }
    if let Some(more) = told.short.len().checked_sub(SHARDS_NAMED).filter(|more| *more > 0) {
        format::append(&mut text, format_args!("and {more} shards more\n"));
    }
    for note in &told.notes {
        format::append(&mut text, format_args!("{note}\n"));
    }
    text
}

impl WhatIfRow {
    fn of(told: WhatIf) -> Self {
        let node = |node: NodeOutlook| NodeRow {
            name: node.name,
            zone: node.zone,
            copies_now: node.copies.0,
            copies_then: node.copies.1,
            leads_now: node.leads.0,
            leads_then: node.leads.1,
        };
        Self {
            revision: told.revision,
            settles: told.settles,
            copies_moved: told.copies_moved,
            bytes: told.bytes,
            leaders_moved: told.leaders_moved,
            steps: told.steps,
            quorum_lost: told.quorum_lost.iter().map(|shard| shard.0).collect(),
            short: told
                .short
                .into_iter()
                .map(|(shard, why)| ShortRow { shard: shard.0, why })
                .collect(),
            nodes: told.nodes.into_iter().map(node).collect(),
            notes: told.notes,
        }
    }
}
