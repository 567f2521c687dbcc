//! `evenkeel restore …`: puts a backup in the place of what is served; accepts it, or undoes it.
//!
//! A restore outlives its request: when the answer is late, the intent says how far it is.

use std::time::Duration;

use clap::Subcommand;
use evenkeel_shared::preflight::{Action, Outcome};
use evenkeel_shared::view::{ClusterView, Intent, IntentKind, IntentPhase};

use super::act::{self, Acted, Override, Wish};
use super::backup::{TIMEOUT, archive, until};
use super::{CliError, Exit, Session, note};

/// A restore first makes the new shards; its intent is there by then.
const BEGIN_MAX: Duration = Duration::from_secs(30);

/// Which backup, or which step after it.
#[derive(clap::Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct RestoreArguments {
    #[command(subcommand)]
    step: Option<RestoreStep>,
    /// The backup's id
    #[arg(required = true)]
    id: Option<String>,
    /// The archive's folder, as the agents see it
    #[arg(long, value_name = "DIR", required = true)]
    from: Option<String>,
    #[command(flatten)]
    overriding: Override,
}

/// What may follow a restore.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum RestoreStep {
    /// Keep what was restored, and drop what it replaced
    Accept(Override),
    /// Put back what was replaced
    Undo(Override),
}

/// Runs the command.
pub(crate) async fn run(session: &Session, arguments: RestoreArguments) -> Result<Exit, CliError> {
    let operator = session.operator().await?;
    let (action, name, overriding) = wish(arguments)?;
    let before = operator.view(session.timeout()).await?;
    let timeout = session.timeout_or(TIMEOUT);
    let over = crate::clock::now() + timeout;
    let watched = action.clone();
    let wish = Wish { action, name: &name, overriding: &overriding, timeout };
    let (preflight, outcome) = match act::attempt(session, &operator, wish).await? {
        Acted::Done(preflight, outcome) => (preflight, outcome),
        Acted::Unanswered(preflight, why) => {
            note(format!("no answer yet ({why}); watching how far it is"));
            let started = over.saturating_sub(timeout);
            let session = session.with_nodes_of(&before);
            let mut watch = Progress { action: &watched, begun: false, since: crate::clock::now() };
            until(&session, over, |view| watch.ended(view, crate::clock::now())).await??;
            let took = crate::clock::now().saturating_sub(started);
            let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            let what = format!("{}: done", preflight.title);
            (preflight, Outcome { what, took_us, backup: None })
        }
    };
    act::print_done(session, &preflight, &outcome)?;
    Ok(Exit::Done)
}

fn wish(arguments: RestoreArguments) -> Result<(Action, String, Override), CliError> {
    match (arguments.step, arguments.id, arguments.from) {
        (Some(RestoreStep::Accept(overriding)), ..) => {
            Ok((Action::RestoreAccept, "accept".into(), overriding))
        }
        (Some(RestoreStep::Undo(overriding)), ..) => {
            Ok((Action::RestoreUndo, "undo".into(), overriding))
        }
        (None, Some(backup), Some(from)) => {
            let action = Action::Restore { archive: archive(&from)?, backup: backup.clone() };
            Ok((action, backup, arguments.overriding))
        }
        (None, ..) => Err(CliError::usage(
            "a restore needs a backup and its archive",
            "`evenkeel restore ID --from DIR`",
        )),
    }
}

/// What is seen of a change whose answer was lost.
struct Progress<'a> {
    action: &'a Action,
    /// Whether its intent was seen: before, its absence says nothing.
    begun: bool,
    since: Duration,
}

impl Progress<'_> {
    /// Whether the change is over, and how; `None`: not yet, or not visible.
    fn ended(&mut self, view: &ClusterView, now: Duration) -> Option<Result<(), CliError>> {
        let ours = |intent: &&Intent| match (self.action, &intent.kind) {
            (
                Action::Restore { archive, backup },
                IntentKind::Restore { archive: of, backup: which, .. },
            ) => archive == of && backup == which,
            _ => true,
        };
        let phase = view.intents.iter().rfind(ours).map(|intent| &intent.phase);
        let building = matches!(self.action, Action::Restore { .. });
        match phase {
            Some(IntentPhase::Failed(why)) if building => Some(Err(CliError::refused(why, ""))),
            Some(IntentPhase::Complete) if building => Some(Ok(())),
            Some(_) => {
                self.begun = true;
                None
            }
            None if !building => Some(Ok(())),
            None if self.begun => Some(Err(CliError::refused(
                "the restore was taken back",
                "`evenkeel events` to see why",
            ))),
            None if now.saturating_sub(self.since) > BEGIN_MAX => Some(Err(CliError::Unknown {
                what: "the restore does not appear in the cluster: it may never have begun".into(),
                hint: "`evenkeel events`, then the same command again".into(),
            })),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_shared::ids::IntentId;
    use evenkeel_shared::version::Hlc;

    use super::*;
    use crate::cli::fake::sample_view;

    fn view_at(phase: IntentPhase) -> ClusterView {
        let kind =
            IntentKind::Restore { archive: "/a".into(), backup: "b1".into(), pairs: Vec::new() };
        let cause = String::new();
        let intent = Intent { id: IntentId(1), kind, phase, cause, started: Hlc(0) };
        ClusterView { intents: vec![intent], ..sample_view() }
    }

    fn watch(action: &Action) -> Progress<'_> {
        Progress { action, begun: false, since: Duration::ZERO }
    }

    #[test]
    fn a_restore_is_over_when_its_own_intent_is() {
        let ours = Action::Restore { archive: "/a".into(), backup: "b1".into() };
        let other = Action::Restore { archive: "/a".into(), backup: "b2".into() };
        let now = Duration::ZERO;
        assert!(watch(&ours).ended(&view_at(IntentPhase::Building), now).is_none());
        assert!(matches!(watch(&ours).ended(&view_at(IntentPhase::Complete), now), Some(Ok(()))));
        assert!(watch(&other).ended(&view_at(IntentPhase::Complete), now).is_none());
        let failed = IntentPhase::Failed("hash differs".into());
        assert!(matches!(watch(&ours).ended(&view_at(failed), now), Some(Err(_))));
    }

    #[test]
    fn a_restore_that_was_seen_and_is_gone_was_taken_back() {
        let ours = Action::Restore { archive: "/a".into(), backup: "b1".into() };
        let mut watch = watch(&ours);
        assert!(watch.ended(&sample_view(), Duration::ZERO).is_none(), "not begun yet");
        assert!(watch.ended(&view_at(IntentPhase::Building), Duration::ZERO).is_none());
        assert!(matches!(watch.ended(&sample_view(), Duration::ZERO), Some(Err(_))));
    }

    #[test]
    fn a_restore_that_never_appears_is_unknown() {
        let ours = Action::Restore { archive: "/a".into(), backup: "b1".into() };
        let late = BEGIN_MAX + Duration::from_secs(1);
        let ended = watch(&ours).ended(&sample_view(), late);
        assert!(matches!(ended, Some(Err(CliError::Unknown { .. }))));
    }

    #[test]
    fn an_undo_is_over_when_no_intent_is_left() {
        let action = Action::RestoreUndo;
        let mut watch = watch(&action);
        assert!(watch.ended(&view_at(IntentPhase::UndoSealing), Duration::ZERO).is_none());
        assert!(matches!(watch.ended(&sample_view(), Duration::ZERO), Some(Ok(()))));
    }
}
