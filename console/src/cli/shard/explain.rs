//! `evenkeel shard explain`: who would lead next and why, what a failover would cost, and how the
//! last one went.

use evenkeel_shared::explain::{Explanation, PHASES, Phases};
use evenkeel_shared::ids::ShardId;
use evenkeel_shared::view::{ClusterView, ReplicaRole};
use evenkeel_shared::wire::deadline::Deadline;
use serde::Serialize;

use crate::cli::session::{Operator, node_name};
use crate::cli::shards::ShardRow;
use crate::cli::table::{Align, Table};
use crate::cli::{CliError, Exit, Session, format, json, output};

/// What `shard explain --json` prints: the shard as in `shards`, and beside it this.
#[derive(Debug, Serialize)]
struct ExplainRow<'a> {
    #[serde(flatten)]
    shard: &'a ShardRow,
    failover: FailoverRow,
}

#[derive(Debug, Serialize)]
struct FailoverRow {
    mode: String,
    heir: Option<String>,
    candidates: Vec<CandidateRow>,
    writes_lost_max: Option<u64>,
    loss_why: String,
    expected_us: PhasesRow,
    samples: u32,
    last: Option<LastRow>,
}

#[derive(Debug, Serialize)]
struct CandidateRow {
    node: String,
    votes: bool,
    state: String,
    lag: Option<u64>,
    able: bool,
    why: String,
}

#[derive(Debug, Serialize)]
struct PhasesRow {
    detect: Option<u64>,
    agree: Option<u64>,
    elect: Option<u64>,
    publish: Option<u64>,
    first_write: Option<u64>,
}

#[derive(Debug, Serialize)]
struct LastRow {
    time: Option<String>,
    what: String,
    cause: String,
    took_us: PhasesRow,
}

impl PhasesRow {
    fn of(phases: &Phases) -> Self {
        let [detect, agree, elect, publish, first_write] = phases.all();
        Self { detect, agree, elect, publish, first_write }
    }
}

/// Asks and prints.
pub(super) async fn run(
    session: &Session,
    operator: &Operator,
    view: &ClusterView,
    id: ShardId,
) -> Result<Exit, CliError> {
    let mut shards = view.shards.iter().chain(view.system.as_ref());
    let shard = shards.find(|shard| shard.id == id).ok_or_else(|| super::no_shard(id))?;
    let row = ShardRow::of(view, shard);
    let context = Deadline::after(session.timeout()).context();
    let answer = operator.client.explain(context, id).await;
    let said = answer.map_err(|error| operator.silent(&error))??;
    if session.json() {
        json(&ExplainRow { shard: &row, failover: failover(view, &said) })?;
    } else {
        output::text(row.explain() + &words(view, &said))?;
    }
    Ok(Exit::Done)
}

fn failover(view: &ClusterView, said: &Explanation) -> FailoverRow {
    let candidates = said.candidates.iter().map(|candidate| CandidateRow {
        node: node_name(view, candidate.node),
        votes: candidate.role == ReplicaRole::Voter,
        state: candidate.state.to_string(),
        lag: candidate.lag,
        able: candidate.able,
        why: candidate.why.clone(),
    });
    FailoverRow {
        mode: said.mode.to_string(),
        heir: said.heir.map(|node| node_name(view, node)),
        candidates: candidates.collect(),
        writes_lost_max: said.loss,
        loss_why: said.loss_why.clone(),
        expected_us: PhasesRow::of(&said.expected),
        samples: said.samples,
        last: said.last.as_ref().map(|last| LastRow {
            time: format::rfc3339(last.unix_ms),
            what: last.what.clone(),
            cause: last.cause.clone(),
            took_us: PhasesRow::of(&last.phases),
        }),
    }
}

fn words(view: &ClusterView, said: &Explanation) -> String {
    let mut text = format!("\nif its leader fails (failover is {}):\n", said.mode);
    let mut table = Table::new(&[
        ("NODE", Align::Left),
        ("STATE", Align::Left),
        ("LAG", Align::Right),
        ("ABLE", Align::Left),
        ("WHY", Align::Left),
    ]);
    for candidate in &said.candidates {
        table.row([
            node_name(view, candidate.node),
            candidate.state.to_string(),
            format::known(candidate.lag),
            if candidate.able { "yes" } else { "no" }.to_owned(),
            candidate.why.clone(),
        ]);
    }
    text.push_str(&table.to_string());
    let lost = match said.loss {
        Some(0) => "no acknowledged write would be lost".to_owned(),
        Some(writes) => format!("up to {writes} acknowledged writes would be lost"),
        None => "how many acknowledged writes would be lost is not known".to_owned(),
    };
    format::append(&mut text, format_args!("{lost}: {}\n\n", said.loss_why));
    let mut phases = Table::new(&[
        ("", Align::Left),
        ("DETECT", Align::Right),
        ("AGREE", Align::Right),
        ("ELECT", Align::Right),
        ("PUBLISH", Align::Right),
        ("FIRST WRITE", Align::Right),
    ]);
    debug_assert_eq!(PHASES.len(), 5, "a column each");
    let cells = |title: String, phases: &Phases| {
        let part = |part: Option<u64>| part.map_or_else(|| "-".to_owned(), format::micros);
        std::iter::once(title).chain(phases.all().map(part)).collect::<Vec<_>>()
    };
    let times = format::count(usize::try_from(said.samples).unwrap_or(usize::MAX), "failover");
    phases.row(cells(format!("expected (median of {times})"), &said.expected));
    if let Some(last) = &said.last {
        phases.row(cells("measured, the last time".to_owned(), &last.phases));
    }
    text.push_str(&phases.to_string());
    if let Some(last) = &said.last {
        let when = format::moment(last.unix_ms);
        format::append(&mut text, format_args!("{when}: {}: {}\n", last.what, last.cause));
    }
    text
}
