//! `evenkeel restore …`: puts a backup in the place of what is served; accepts it, or undoes it.
//!
//! A restore outlives its request: when the answer is late, the intent says how far it is.

use clap::Subcommand;
use evenkeel_shared::preflight::{Action, Outcome};
use evenkeel_shared::view::{ClusterView, Intent, IntentKind, IntentPhase};

use super::act::{self, Acted, Override, Wish};
use super::backup::{TIMEOUT, archive, until};
use super::{CliError, Exit, Session, note};

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
    let timeout = session.timeout_or(TIMEOUT);
    let over = crate::clock::now() + timeout;
    let watched = action.clone();
    let wish = Wish { action, name: &name, overriding: &overriding, timeout };
    let (preflight, outcome) = match act::attempt(session, &operator, wish).await? {
        Acted::Done(preflight, outcome) => (preflight, outcome),
        Acted::Unanswered(preflight, why) => {
            note(format!("no answer yet ({why}); watching how far it is"));
            let started = over.saturating_sub(timeout);
            until(session, &operator, over, |view| ended(view, &watched)).await??;
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

/// Whether the change is over, and how; `None`: not yet, or not visible.
fn ended(view: &ClusterView, action: &Action) -> Option<Result<(), CliError>> {
    let open = |intent: &&Intent| match (action, &intent.kind) {
        (
            Action::Restore { archive, backup },
            IntentKind::Restore { archive: of, backup: which, .. },
        ) => archive == of && backup == which,
        _ => true,
    };
    match (view.intents.iter().rfind(open).map(|intent| &intent.phase), action) {
        (Some(IntentPhase::Failed(why)), _) => Some(Err(CliError::refused(why, ""))),
        (Some(IntentPhase::Complete), Action::Restore { .. })
        | (None, Action::RestoreAccept | Action::RestoreUndo) => Some(Ok(())),
        _ => None,
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

    #[test]
    fn a_restore_is_over_when_its_own_intent_is() {
        let ours = Action::Restore { archive: "/a".into(), backup: "b1".into() };
        let other = Action::Restore { archive: "/a".into(), backup: "b2".into() };
        assert!(ended(&view_at(IntentPhase::Building), &ours).is_none());
        assert!(matches!(ended(&view_at(IntentPhase::Complete), &ours), Some(Ok(()))));
        assert!(ended(&view_at(IntentPhase::Complete), &other).is_none());
        let failed = IntentPhase::Failed("hash differs".into());
        assert!(matches!(ended(&view_at(failed), &ours), Some(Err(_))));
    }

    #[test]
    fn an_undo_is_over_when_no_intent_is_left() {
        assert!(ended(&view_at(IntentPhase::UndoSealing), &Action::RestoreUndo).is_none());
        assert!(matches!(ended(&sample_view(), &Action::RestoreUndo), Some(Ok(()))));
    }
}
