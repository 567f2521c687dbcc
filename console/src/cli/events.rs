//! `evenkeel events`: the journal, oldest first.
//!
//! Lines are shown as their reporters wrote them; none is left out between two that are shown.

use std::collections::VecDeque;

use evenkeel_shared::event::{Event, EventKind, Severity};
use evenkeel_shared::view::ClusterView;
use evenkeel_shared::wire::deadline::Deadline;
use serde::Serialize;

use super::session::{Operator, node_name};
use super::table::{Align, Table};
use super::{CliError, Exit, Session, format, json, note, output, repeat};

/// Flags of the command.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct EventsArguments {
    /// The last so many
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Go on, printing each new line; with --json one value a line
    #[arg(long)]
    watch: bool,
}

/// One element of `events --json`.
#[derive(Debug, Serialize)]
struct EventRow {
    id: u64,
    time: Option<String>,
    unix_ms: u64,
    reporter: String,
    kind: EventKind,
    severity: Severity,
    node: Option<String>,
    shard: Option<u32>,
    what: String,
    why: String,
    took_us: Option<u64>,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, arguments: EventsArguments) -> Result<Exit, CliError> {
    let operator = session.operator().await?;
    let view = operator.view(session.timeout()).await?;
    let events = last(session, &operator, arguments.limit).await?;
    let newest = events.back().map_or(0, |event| event.id);
    let rows: Vec<EventRow> = events.iter().map(|event| EventRow::of(&view, event)).collect();
    match (session.json(), arguments.watch) {
        (true, false) => json(&rows)?,
        (true, true) => rows.iter().try_for_each(json)?,
        (false, _) => output::text(table(&rows))?,
    }
    if arguments.watch { follow(session, newest).await } else { Ok(Exit::Done) }
}

async fn last(
    session: &Session,
    operator: &Operator,
    limit: usize,
) -> Result<VecDeque<Event>, CliError> {
    let (mut kept, mut after) = (VecDeque::new(), 0);
    loop {
        let page = since(session, operator, after).await?;
        let Some(newest) = page.last() else { return Ok(kept) };
        if newest.id <= after {
            return Ok(kept);
        }
        after = newest.id;
        kept.extend(page);
        kept.drain(..kept.len().saturating_sub(limit));
    }
}

async fn since(session: &Session, operator: &Operator, after: u64) -> Result<Vec<Event>, CliError> {
    let deadline = Deadline::after(session.timeout());
    let answer = operator.client.events(deadline.context(), after).await;
    answer.map_err(|error| operator.silent(&error))
}

async fn follow(session: &Session, mut newest: u64) -> Result<Exit, CliError> {
    let mut complained = false;
    loop {
        tokio::time::sleep(repeat::INTERVAL).await;
        match fresh(session, newest).await {
            Ok((view, events)) => {
                complained = false;
                newest = events.last().map_or(newest, |event| event.id);
                for event in events {
                    let row = EventRow::of(&view, &event);
                    if session.json() { json(&row)? } else { super::line(row.text())? }
                }
            }
            Err(error) if !complained => {
                complained = true;
                note(format!("evenkeel: {error}; still trying"));
            }
            Err(_) => {}
        }
    }
}

async fn fresh(session: &Session, newest: u64) -> Result<(ClusterView, Vec<Event>), CliError> {
    let operator = session.operator().await?;
    let events = since(session, &operator, newest).await?;
    Ok((operator.view(session.timeout()).await?, events))
}

impl EventRow {
    fn of(view: &ClusterView, event: &Event) -> Self {
        Self {
            id: event.id,
            time: format::rfc3339(event.unix_ms),
            unix_ms: event.unix_ms,
            reporter: node_name(view, event.reporter),
            kind: event.kind,
            severity: event.severity,
            node: event.node.map(|node| node_name(view, node)),
            shard: event.shard.map(|shard| shard.0),
            what: event.what.clone(),
            why: event.why.clone(),
            took_us: event.took_us,
        }
    }

    fn sentence(&self) -> String {
        let mut text = self.what.clone();
        if !self.why.is_empty() {
            format::append(&mut text, format_args!(" ({})", self.why));
        }
        if let Some(took) = self.took_us {
            format::append(&mut text, format_args!(" in {}", format::micros(took)));
        }
        text
    }

    fn mark(&self) -> &'static str {
        match self.severity {
            Severity::Info => "",
            Severity::Warn => "warn",
            Severity::Alarm => "ALARM",
        }
    }

    fn text(&self) -> String {
        let (time, kind, says) = (format::moment(self.unix_ms), self.kind, self.sentence());
        format!("{time}  {:<5}  {kind:<10}  {:<8}  {says}", self.mark(), self.reporter)
    }
}

fn table(rows: &[EventRow]) -> Table {
    let mut table = Table::new(&[
        ("TIME", Align::Left),
        ("", Align::Left),
        ("KIND", Align::Left),
        ("BY", Align::Left),
        ("WHAT", Align::Left),
    ]);
    for row in rows {
        table.row([
            format::moment(row.unix_ms),
            row.mark().to_owned(),
            row.kind.to_string(),
            row.reporter.clone(),
            row.sentence(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use evenkeel_shared::ids::{NodeId, ShardId};

    use super::*;
    use crate::cli::fake::sample_view;

    #[test]
    fn an_event_tells_what_why_and_how_long() {
        let event = Event {
            id: 7,
            unix_ms: 0,
            reporter: NodeId(2),
            kind: EventKind::Leader,
            severity: Severity::Warn,
            node: Some(NodeId(2)),
            shard: Some(ShardId(3)),
            what: "n2 leads s3".into(),
            why: "n1 refused".into(),
            took_us: Some(62_000),
        };
        let row = EventRow::of(&sample_view(), &event);
        assert_eq!(row.sentence(), "n2 leads s3 (n1 refused) in 62 ms");
        let json = serde_json::to_value(&row).unwrap();
        assert_eq!(json["kind"], "leader");
        assert_eq!(json["severity"], "warn");
        assert_eq!(json["node"], "n2");
        assert_eq!(json["shard"], 3);
    }
}
