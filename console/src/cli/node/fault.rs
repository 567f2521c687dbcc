//! Faults of a drill, as they are asked for: what goes wrong on a node, and for how long.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use evenkeel_shared::fault::{Fault, Way};
use evenkeel_shared::preflight::Action;
use evenkeel_shared::view::ClusterView;

use super::{NodeArguments, whole_seconds};
use crate::cli::CliError;
use crate::cli::session::node_named;

/// One fault; the node must run with --drills.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum FaultCommand {
    /// Stop its process; its supervisor lets it run again: a drill
    Freeze(FaultArguments),
    /// Let nothing pass between it and other agents: a drill
    Cut {
        #[command(flatten)]
        fault: FaultArguments,
        /// Only between it and these
        #[arg(long, value_name = "NODE,..", value_delimiter = ',')]
        from: Vec<String>,
        /// Which way nothing passes
        #[arg(long, default_value = "both")]
        way: WayWord,
    },
    /// Delay what it sends to other agents: a drill
    Slow {
        #[command(flatten)]
        fault: FaultArguments,
        /// By this much at least
        #[arg(long, value_name = "TIME", default_value = "0ms", value_parser = humantime::parse_duration)]
        delay: Duration,
        /// And up to this much more, drawn anew each time
        #[arg(long, value_name = "TIME", default_value = "200ms", value_parser = humantime::parse_duration)]
        jitter: Duration,
    },
    /// Let no sync of its log end: a drill
    StallDisk(FaultArguments),
    /// Put its wall clock off: a drill
    Skew {
        #[command(flatten)]
        fault: FaultArguments,
        /// By so many milliseconds; behind when negative
        #[arg(long, value_name = "MS", allow_negative_numbers = true)]
        by: i64,
    },
    /// Have its disk seem full: a drill
    FillDisk(FaultArguments),
}

/// Where, and for how long.
#[derive(Args, Clone, Debug)]
pub(crate) struct FaultArguments {
    #[command(flatten)]
    pub(crate) node: NodeArguments,
    /// How long; it ends by itself
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    lasts: Duration,
}

/// Which way nothing passes.
#[derive(ValueEnum, Clone, Copy, Debug)]
pub(crate) enum WayWord {
    /// Neither
    Both,
    /// It hears nothing
    In,
    /// It is not heard
    Out,
}

impl FaultCommand {
    pub(super) fn arguments(&self) -> &FaultArguments {
        match self {
            Self::Freeze(fault)
            | Self::StallDisk(fault)
            | Self::FillDisk(fault)
            | Self::Cut { fault, .. }
            | Self::Slow { fault, .. }
            | Self::Skew { fault, .. } => fault,
        }
    }

    /// The act, with names looked up.
    pub(super) fn action(&self, view: &ClusterView) -> Result<Action, CliError> {
        let arguments = self.arguments();
        let node = node_named(view, &arguments.node.name)?.id;
        let secs = whole_seconds(arguments.lasts)?;
        let fault = match self {
            Self::Freeze(_) => Fault::Freeze,
            Self::Cut { from, way, .. } => {
                let from = from.iter().map(|name| Ok(node_named(view, name)?.id));
                let from = from.collect::<Result<_, CliError>>()?;
                let way = match way {
                    WayWord::Both => Way::Both,
                    WayWord::In => Way::In,
                    WayWord::Out => Way::Out,
                };
                Fault::Cut { from, way }
            }
            Self::Slow { delay, jitter, .. } => {
                Fault::Slow { delay_ms: milliseconds(*delay)?, jitter_ms: milliseconds(*jitter)? }
            }
            Self::StallDisk(_) => Fault::StallDisk,
            Self::Skew { by, .. } => Fault::Skew { milliseconds: *by },
            Self::FillDisk(_) => Fault::FillDisk,
        };
        Ok(Action::Fault { node, fault, secs })
    }
}

fn milliseconds(time: Duration) -> Result<u32, CliError> {
    let within = u32::try_from(time.as_millis()).ok().filter(|ms| *ms <= 60_000);
    within.ok_or_else(|| CliError::usage("a delay is at most a minute", "--jitter 200ms"))
}
