//! Acts of operators: what it would do, whether it may, then doing it at that very revision.
//!
//! No act leaves here without a preflight and a confirmation (law 8), and an agent refuses it when
//! the facts have moved on since (law 6).

use std::time::Duration;

use evenkeel_shared::ids::ShardId;
use evenkeel_shared::limits::DEADLINE_MAX;
use evenkeel_shared::preflight::{Action, Harm, Outcome, Preflight};
use evenkeel_shared::view::{Later, RecoveryChange, Scheduled};
use evenkeel_shared::wire::deadline::Deadline;
use serde::Serialize;

use super::confirm::{self, Consent};
use super::session::{Operator, is_interactive};
use super::{CliError, Exit, Session, format, json, line, note};

/// `--override NAME`, on every act.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Override {
    /// Do it although something breaks; NAME is what the act is about
    #[arg(id = "overriding", long = "override", value_name = "NAME")]
    pub(crate) name: Option<String>,
}

/// `--in TIME`, `--at MOMENT`: later.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct When {
    /// Not now: after this time
    #[arg(long = "in", value_name = "TIME", value_parser = humantime::parse_duration)]
    later: Option<Duration>,
    /// Not now: at this moment (2026-12-24T18:00:00+01:00)
    #[arg(long, value_name = "MOMENT", conflicts_with = "later", value_parser = moment)]
    at: Option<u64>,
}

impl When {
    /// The act that puts it off, if it is to be put off.
    pub(crate) fn scheduled(&self, what: Later) -> Option<Action> {
        let at_unix_ms = self.later.map(after).or(self.at)?;
        let later = Scheduled { id: 0, what, at_unix_ms, by: actor() };
        Some(Action::Recover(RecoveryChange::Schedule(later)))
    }
}

fn moment(text: &str) -> Result<u64, String> {
    let moment: jiff::Timestamp =
        text.parse().map_err(|error| format!("{error}; try 2026-12-24T18:00:00+01:00"))?;
    u64::try_from(moment.as_millisecond()).map_err(|_| "it is before 1970".to_owned())
}

/// The moment after this time, on this machine's wall clock.
pub(crate) fn after(time: Duration) -> u64 {
    let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    crate::clock::unix_ms().saturating_add(time)
}

/// An act that was asked for.
pub(crate) struct Wish<'a> {
    /// The act.
    pub(crate) action: Action,
    /// What it is about, to be typed when it is harmful.
    pub(crate) name: &'a str,
    /// What stands on the command line.
    pub(crate) overriding: &'a Override,
    /// How long it may take.
    pub(crate) timeout: Duration,
}

/// How an act came out.
pub(crate) enum Acted {
    /// Done.
    Done(Preflight, Outcome),
    /// Not answered in time: it may still be under way.
    Unanswered(Preflight, String),
}

/// What an act prints with `--json`.
#[derive(Debug, Serialize)]
struct ActRow<'a> {
    done: bool,
    what: &'a str,
    took_us: Option<u64>,
    backup: Option<&'a str>,
    preflight: PreflightRow<'a>,
}

#[derive(Debug, Serialize)]
struct PreflightRow<'a> {
    title: &'a str,
    revision: u64,
    harm: &'static str,
    quorum_lost: Vec<u32>,
    no_spare: Vec<u32>,
    leaders_moved: Vec<u32>,
    writes_dropped: Option<u64>,
    bytes_to_repair: Option<u64>,
    notes: &'a [String],
    refused: Option<&'a str>,
    safer: Option<&'a str>,
}

/// Preflight, confirmation, act; prints what was done.
pub(crate) async fn run(
    session: &Session,
    operator: &Operator,
    wish: Wish<'_>,
) -> Result<Exit, CliError> {
    match attempt(session, operator, wish).await? {
        Acted::Done(preflight, outcome) => {
            print_done(session, &preflight, &outcome)?;
            Ok(Exit::Done)
        }
        Acted::Unanswered(preflight, why) => Err(CliError::Unknown {
            what: format!("no answer to \"{}\": {why}", preflight.title),
            hint: "`evenkeel status` and `evenkeel events`: it may still be under way".into(),
        }),
    }
}

/// Preflight, confirmation, act.
pub(crate) async fn attempt(
    session: &Session,
    operator: &Operator,
    wish: Wish<'_>,
) -> Result<Acted, CliError> {
    let context = Deadline::after(session.timeout()).context();
    let answer = operator.client.preflight(context, wish.action.clone()).await;
    let preflight = answer.map_err(|error| operator.silent(&error))??;
    if let Some(why) = &preflight.refused {
        return Err(refuse(session, &preflight, why));
    }
    let consent = Consent {
        agreed: session.agreed(),
        overriding: wish.overriding.name.as_deref(),
        interactive: is_interactive(),
    };
    // A script reads the JSON afterwards; whoever answers a question reads this first.
    if !session.json() || consent.interactive {
        note(describe(&preflight).trim_end());
    }
    confirm::ask(&confirm::question(preflight.harm, wish.name, consent))?;
    let context = Deadline::after(wish.timeout.min(DEADLINE_MAX)).context();
    match operator.client.act(context, wish.action, preflight.revision, actor()).await {
        Ok(outcome) => Ok(Acted::Done(preflight, outcome?)),
        Err(error) => Ok(Acted::Unanswered(preflight, error.to_string())),
    }
}

/// Prints what was done.
pub(crate) fn print_done(
    session: &Session,
    preflight: &Preflight,
    outcome: &Outcome,
) -> Result<(), CliError> {
    if session.json() {
        return json(&ActRow {
            done: true,
            what: &outcome.what,
            took_us: Some(outcome.took_us),
            backup: outcome.backup.as_deref(),
            preflight: PreflightRow::of(preflight),
        });
    }
    line(format_args!("{} in {}", outcome.what, format::micros(outcome.took_us)))
}

fn refuse(session: &Session, preflight: &Preflight, why: &str) -> CliError {
    if session.json() {
        let preflight = PreflightRow::of(preflight);
        let row = ActRow { done: false, what: why, took_us: None, backup: None, preflight };
        if let Err(error) = json(&row) {
            return error;
        }
    }
    let safer = preflight.safer.clone().unwrap_or_default();
    CliError::refused(format!("{}: {why}", preflight.title), safer)
}

impl<'a> PreflightRow<'a> {
    fn of(preflight: &'a Preflight) -> Self {
        let numbers = |shards: &[ShardId]| shards.iter().map(|shard| shard.0).collect();
        Self {
            title: &preflight.title,
            revision: preflight.revision,
            harm: match preflight.harm {
                Harm::None => "none",
                Harm::Risk => "risk",
                Harm::Break => "break",
            },
            quorum_lost: numbers(&preflight.quorum_lost),
            no_spare: numbers(&preflight.no_spare),
            leaders_moved: numbers(&preflight.leaders_moved),
            writes_dropped: preflight.writes_dropped,
            bytes_to_repair: preflight.bytes_to_repair,
            notes: &preflight.notes,
            refused: preflight.refused.as_deref(),
            safer: preflight.safer.as_deref(),
        }
    }
}

/// What an act would do, in lines.
fn describe(preflight: &Preflight) -> String {
    let mut text = format!("{}\n", preflight.title);
    let shards = [
        (&preflight.quorum_lost, "lose their quorum: no reads, no writes"),
        (&preflight.no_spare, "have no copy to spare"),
        (&preflight.leaders_moved, "get another leader"),
    ];
    for (shards, what) in shards {
        if !shards.is_empty() {
            let number = format::count(shards.len(), "shard");
            format::append(
                &mut text,
                format_args!("  {number} would {what} ({})\n", format::list(shards)),
            );
        }
    }
    if let Some(writes) = preflight.writes_dropped {
        format::append(
            &mut text,
            format_args!("  {writes} acknowledged writes would be dropped\n"),
        );
    }
    if let Some(bytes) = preflight.bytes_to_repair {
        let bytes = format::bytes(bytes);
        format::append(&mut text, format_args!("  about {bytes} would be copied\n"));
    }
    for sentence in &preflight.notes {
        format::append(&mut text, format_args!("  {sentence}\n"));
    }
    if let Some(safer) = &preflight.safer {
        format::append(&mut text, format_args!("  safer: {safer}\n"));
    }
    text
}

/// Who asks, for the audit line.
pub(crate) fn actor() -> String {
    format!("{} (command line)", user())
}

/// Who sits here.
pub(crate) fn user() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    user.unwrap_or_else(|_| "somebody".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preflight_names_what_is_at_stake() {
        let preflight = Preflight {
            title: "kill n1".into(),
            quorum_lost: vec![ShardId(3)],
            leaders_moved: vec![ShardId(1), ShardId(2)],
            writes_dropped: Some(7),
            safer: Some("drain n1 first".into()),
            ..Preflight::default()
        };
        let text = describe(&preflight);
        let expected = "kill n1\n  1 shard would lose their quorum: no reads, no writes (s3)\n  \
                        2 shards would get another leader (s1,s2)\n  \
                        7 acknowledged writes would be dropped\n  safer: drain n1 first\n";
        assert_eq!(text, expected);
    }
}
