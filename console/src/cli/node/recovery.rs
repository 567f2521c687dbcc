//! What is declared of a node: maintenance, reports; and its leaderships handed over, now or later.

use std::time::Duration;

use clap::Subcommand;
use evenkeel_shared::ids::NodeId;
use evenkeel_shared::preflight::Action;
use evenkeel_shared::view::{FaultReport, Later, Maintenance, RecoveryChange};

use super::NodeArguments;
use crate::cli::act::{self, When};

/// One of them.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum RecoveryCommand {
    /// Hand all of its leaderships over, losing nothing; it gets none for two minutes
    Switchover {
        #[command(flatten)]
        node: NodeArguments,
        #[command(flatten)]
        when: When,
    },
    /// Work on it: it leads nothing, and its copies are not replaced, even while it is down
    Maintain {
        #[command(flatten)]
        node: NodeArguments,
        /// For how long
        #[arg(long = "for", value_name = "TIME", default_value = "1h",
            value_parser = humantime::parse_duration)]
        lasts: Duration,
        /// Why
        #[arg(long, value_name = "WORDS", default_value = "")]
        reason: String,
        /// It is over
        #[arg(long)]
        end: bool,
    },
    /// Say that something is wrong with it: from a weight of 100 of all sources it counts as SLOW
    Report {
        #[command(flatten)]
        node: NodeArguments,
        /// What is wrong
        #[arg(long, value_name = "WORDS", required_unless_present = "withdraw")]
        reason: Option<String>,
        /// Who says so: of each source the last word counts [default: the user's name]
        #[arg(long, value_name = "NAME")]
        source: Option<String>,
        /// How much the word weighs
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1_000))]
        weight: u16,
        /// For how long it holds
        #[arg(long = "for", value_name = "TIME", default_value = "10min",
            value_parser = humantime::parse_duration)]
        lasts: Duration,
        /// Nothing that was reported of it holds any more
        #[arg(long)]
        withdraw: bool,
    },
}

impl RecoveryCommand {
    /// Which node.
    pub(super) fn arguments(&self) -> &NodeArguments {
        match self {
            Self::Switchover { node, .. }
            | Self::Maintain { node, .. }
            | Self::Report { node, .. } => node,
        }
    }

    /// The act.
    pub(super) fn action(&self, node: NodeId) -> Action {
        match self {
            Self::Switchover { when, .. } => match when.scheduled(Later::NodeSwitchover { node }) {
                Some(later) => later,
                None => Action::NodeSwitchover { node },
            },
            Self::Maintain { end: true, .. } => {
                Action::Recover(RecoveryChange::Maintain { node, maintenance: None })
            }
            Self::Maintain { lasts, reason, .. } => {
                let maintenance = Some(Maintenance {
                    until_unix_ms: act::after(*lasts),
                    by: act::actor(),
                    why: if reason.is_empty() {
                        "no reason given".to_owned()
                    } else {
                        reason.clone()
                    },
                });
                Action::Recover(RecoveryChange::Maintain { node, maintenance })
            }
            Self::Report { withdraw: true, .. } => {
                Action::Recover(RecoveryChange::Withdraw { node })
            }
            Self::Report { reason, source, weight, lasts, .. } => {
                Action::Recover(RecoveryChange::Report(FaultReport {
                    node,
                    source: source.clone().unwrap_or_else(act::user),
                    reason: reason.clone().unwrap_or_default(),
                    weight: *weight,
                    unix_ms: crate::clock::unix_ms(),
                    until_unix_ms: act::after(*lasts),
                }))
            }
        }
    }
}
