//! `evenkeel plan …`: what the controller would do now, and operators' words to it.

mod what_if;

use std::time::Duration;

use clap::Subcommand;
use evenkeel_shared::plan::{PlanView, StepStatus, StepView};
use evenkeel_shared::preflight::Action;
use evenkeel_shared::view::{ClusterView, Decision, Later, RecoveryChange, Scheduled};
use evenkeel_shared::wire::deadline::Deadline;
use serde::Serialize;

use super::act::{self, Override, Wish};
use super::session::{Operator, node_name};
use super::table::{Align, Table};
use super::{CliError, Exit, Session, format, json, output};
use what_if::WhatIfArguments;

/// How long a word on a step counts when nothing else is said.
const WORD_HOLDS: &str = "1h";

/// One command about the controller's plan.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum PlanCommand {
    /// Print what is due, what waits for a word, what is not done and why, and what is scheduled
    Show,
    /// Say what would come of several changes together: copies, leaderships, bytes, what is at risk
    WhatIf(WhatIfArguments),
    /// Have a step done that the policy only advises
    Apply(WordArguments),
    /// Have a step left undone, or a scheduled act called off (by its number)
    Cancel(WordArguments),
}

/// Which step, and for how long the word counts.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct WordArguments {
    /// The step's name, as `plan show` prints it
    step: String,
    /// For how long the word counts
    #[arg(long = "for", value_name = "TIME", default_value = WORD_HOLDS,
        value_parser = humantime::parse_duration)]
    lasts: Duration,
}

/// What `plan show --json` prints.
#[derive(Debug, Serialize)]
struct PlanRow<'a> {
    revision: u64,
    controller: Option<String>,
    policy_version: u32,
    steps: &'a [StepView],
    ended: &'a [StepView],
    declined: Vec<DeclinedRow>,
    scheduled: Vec<ScheduledRow>,
}

#[derive(Debug, Serialize)]
struct DeclinedRow {
    shard: u32,
    why: String,
}

#[derive(Debug, Serialize)]
struct ScheduledRow {
    id: u64,
    what: String,
    at: Option<String>,
    by: String,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: PlanCommand) -> Result<Exit, CliError> {
    let operator = session.operator().await?;
    let view = operator.view(session.timeout()).await?;
    // Any agent could tell; the controller's own plan is the one that is carried out.
    let controller = view.controller.and_then(|id| view.nodes.iter().find(|node| node.id == id));
    let operator = match controller {
        Some(node) => session.operator_at(&node.addresses.rpc).await.unwrap_or(operator),
        None => operator,
    };
    let plan = plan(session, &operator).await?;
    let (arguments, go) = match command {
        PlanCommand::Show => return show(session, &plan, &view),
        PlanCommand::WhatIf(arguments) => {
            return what_if::run(session, &operator, &view, &arguments).await;
        }
        PlanCommand::Apply(arguments) => (arguments, true),
        PlanCommand::Cancel(arguments) => (arguments, false),
    };
    let scheduled = arguments.step.parse().ok().filter(|_| !go);
    let change = match scheduled {
        Some(id) => RecoveryChange::Unschedule { id },
        None => RecoveryChange::Decide {
            step: known(&plan, &arguments.step)?.name.clone(),
            decision: Some(Decision {
                go,
                by: act::actor(),
                until_unix_ms: act::after(arguments.lasts),
            }),
        },
    };
    let wish = Wish {
        action: Action::Recover(change),
        name: &arguments.step,
        overriding: &Override::default(),
        timeout: session.timeout(),
    };
    act::run(session, &operator, wish).await
}

async fn plan(session: &Session, operator: &Operator) -> Result<PlanView, CliError> {
    let context = Deadline::after(session.timeout()).context();
    operator.client.plan(context).await.map_err(|error| operator.silent(&error))
}

fn known<'a>(plan: &'a PlanView, name: &str) -> Result<&'a StepView, CliError> {
    plan.steps.iter().find(|step| step.name == name).ok_or_else(|| {
        CliError::refused(format!("no step of the plan is named {name}"), "`evenkeel plan show`")
    })
}

fn show(session: &Session, plan: &PlanView, view: &ClusterView) -> Result<Exit, CliError> {
    let scheduled = plan.scheduled.iter().map(|later| ScheduledRow::of(view, later));
    let scheduled: Vec<ScheduledRow> = scheduled.collect();
    let controller = plan.controller.map(|node| node_name(view, node));
    if session.json() {
        let declined = plan.declined.iter();
        let declined =
            declined.map(|(shard, why)| DeclinedRow { shard: shard.0, why: why.clone() });
        json(&PlanRow {
            revision: plan.revision,
            controller,
            policy_version: plan.version,
            steps: &plan.steps,
            ended: &plan.ended,
            declined: declined.collect(),
            scheduled,
        })?;
        return Ok(Exit::Done);
    }
    let mut text = format!(
        "revision {}, policy version {}, carried out by {}\n",
        plan.revision,
        plan.version,
        controller.as_deref().unwrap_or("nobody: there is no controller")
    );
    text.push_str(&steps(&plan.steps));
    if !plan.ended.is_empty() {
        text.push_str("\nended of late:\n");
        text.push_str(&steps(&plan.ended));
    }
    for (shard, why) in &plan.declined {
        format::append(&mut text, format_args!("{shard}: nothing is done: {why}\n"));
    }
    for later in scheduled {
        let ScheduledRow { id, what, at, by } = later;
        let at = at.unwrap_or_default();
        format::append(&mut text, format_args!("{id}: {what} at {at}, asked by {by}\n"));
    }
    output::text(text)?;
    Ok(Exit::Done)
}

fn steps(steps: &[StepView]) -> String {
    if steps.is_empty() {
        return "nothing is to be done\n".to_owned();
    }
    let mut table = Table::new(&[
        ("STEP", Align::Left),
        ("STATUS", Align::Left),
        ("SINCE", Align::Left),
        ("TRIES", Align::Right),
        ("RULE", Align::Left),
        ("MOVES", Align::Right),
        ("WHAT", Align::Left),
        ("WHY", Align::Left),
        ("UNDONE BY", Align::Left),
    ]);
    for step in steps {
        let status = match step.status {
            StepStatus::Created => "created",
            StepStatus::Started => "started",
            StepStatus::Success => "success",
            StepStatus::Cancelled => "cancelled",
            StepStatus::Replaced => "replaced",
            StepStatus::Timeout => "TIMEOUT",
            StepStatus::Advised => "ADVISED",
            StepStatus::Held => "held",
        };
        let why = match &step.trouble {
            Some(trouble) => format!("{}; not yet: {trouble}", step.cause),
            None => step.cause.clone(),
        };
        table.row([
            step.name.clone(),
            status.to_owned(),
            format::known(format::rfc3339(step.since_unix_ms)),
            step.tries.to_string(),
            format::known(step.rule.clone()),
            format::bytes(step.price_bytes),
            step.what.clone(),
            why,
            step.inverse.clone(),
        ]);
    }
    table.to_string()
}

impl ScheduledRow {
    fn of(view: &ClusterView, later: &Scheduled) -> Self {
        let what = match later.what {
            Later::Switchover { shard, to: None } => format!("switchover of {shard}"),
            Later::Switchover { shard, to: Some(to) } => {
                format!("switchover of {shard} to {}", node_name(view, to))
            }
            Later::NodeSwitchover { node } => format!("switchover of {}", node_name(view, node)),
        };
        let at = format::rfc3339(later.at_unix_ms);
        Self { id: later.id, what, at, by: later.by.clone() }
    }
}
