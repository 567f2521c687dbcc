//! `evenkeel events`: the journal, oldest first.
//!
//! Lines are shown as their reporters wrote them; none is left out between two that are shown.

use std::collections::VecDeque;

use evenkeel_shared::event::{Event, EventKind, Severity};
use evenkeel_shared::explain::{PHASES, Phases};
use evenkeel_shared::ids::ShardId;
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
    /// Only of this shard
    #[arg(long, value_name = "NUMBER")]
    shard: Option<ShardId>,
    /// Only of this node
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Tell each at length: its reason, and how long each part took
    #[arg(long)]
    why: bool,
}

impl EventsArguments {
    fn wants(&self, view: &ClusterView, event: &Event) -> bool {
        let of_node = |name: &String| event.node.is_some_and(|node| node_name(view, node) == *name);
        let of_shard = self.shard.is_none_or(|shard| event.shard == Some(shard));
        of_shard && self.node.as_ref().is_none_or(of_node)
    }
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
    /// The parts of a failover, in microseconds.
    phases: Option<Phases>,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, arguments: EventsArguments) -> Result<Exit, CliError> {
    let operator = session.operator().await?;
    let view = operator.view(session.timeout()).await?;
    let (events, newest) = last(session, &operator, &arguments, &view).await?;
    let rows: Vec<EventRow> = events.iter().map(|event| EventRow::of(&view, event)).collect();
    match (session.json(), arguments.watch) {
        (true, false) => json(&rows)?,
        (true, true) => rows.iter().try_for_each(json)?,
        (false, _) if arguments.why => {
            output::text(rows.iter().map(EventRow::at_length).collect::<String>())?;
        }
        (false, _) => output::text(table(&rows))?,
    }
    if arguments.watch { follow(session, &arguments, newest).await } else { Ok(Exit::Done) }
}

async fn last(
    session: &Session,
    operator: &Operator,
    arguments: &EventsArguments,
    view: &ClusterView,
) -> Result<(VecDeque<Event>, u64), CliError> {
    let (mut kept, mut after) = (VecDeque::new(), 0);
    loop {
        let page = since(session, operator, after).await?;
        let Some(newest) = page.last().map(|event| event.id).filter(|id| *id > after) else {
            return Ok((kept, after));
        };
        after = newest;
        kept.extend(page.into_iter().filter(|event| arguments.wants(view, event)));
        kept.drain(..kept.len().saturating_sub(arguments.limit));
    }
}

async fn since(session: &Session, operator: &Operator, after: u64) -> Result<Vec<Event>, CliError> {
    let deadline = Deadline::after(session.timeout());
    let answer = operator.client.events(deadline.context(), after).await;
    answer.map_err(|error| operator.silent(&error))
}

async fn follow(
    session: &Session,
    arguments: &EventsArguments,
    mut newest: u64,
) -> Result<Exit, CliError> {
    let mut complained = false;
    loop {
        tokio::time::sleep(repeat::INTERVAL).await;
        match fresh(session, newest).await {
            Ok((view, events)) => {
                complained = false;
                newest = events.last().map_or(newest, |event| event.id);
                for event in events.iter().filter(|event| arguments.wants(&view, event)) {
                    let row = EventRow::of(&view, event);
                    match (session.json(), arguments.why) {
                        (true, _) => json(&row)?,
                        (false, true) => output::text(row.at_length())?,
                        (false, false) => super::line(row.text())?,
                    }
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
            phases: Phases::read(&event.why).map(|(_, phases)| phases),
        }
    }

    /// Several lines: what, then why, then how long each part took.
    fn at_length(&self) -> String {
        let (time, kind, reporter) = (format::moment(self.unix_ms), self.kind, &self.reporter);
        let mark = if self.mark().is_empty() { "" } else { " " };
        let mut text =
            format!("{time}{mark}{} {kind}, by {reporter}: {}\n", self.mark(), self.what);
        let cause = Phases::read(&self.why).map_or(self.why.as_str(), |(cause, _)| cause);
        if !cause.is_empty() {
            format::append(&mut text, format_args!("    why: {cause}\n"));
        }
        if let Some(took) = self.took_us {
            format::append(&mut text, format_args!("    took: {}\n", format::micros(took)));
        }
        for (name, part) in self.phases.iter().flat_map(|phases| PHASES.iter().zip(phases.all())) {
            if let Some(part) = part {
                format::append(
                    &mut text,
                    format_args!("    {name:<11} {}\n", format::micros(part)),
                );
            }
        }
        text
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
    use evenkeel_shared::ids::NodeId;

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
