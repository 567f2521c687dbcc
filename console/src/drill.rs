//! Drills: something is made to go wrong on purpose, under writers that are watched, and what was
//! held to be true is compared with what was seen.
//!
//! `script` reads, `select` and `acts` choose, `plan` looks beforehand, `run` does, `debts` takes
//! back, `report` judges. It knows no command line and no screen: it tells both by [`Progress`].

mod acts;
mod debts;
mod error;
#[cfg(test)]
mod fixture;
mod format;
mod gaps;
pub(crate) mod history;
mod link;
mod plan;
mod probe;
mod report;
mod run;
mod script;
mod select;
pub(crate) mod shipped;

pub(crate) use error::DrillError;
pub(crate) use format::{measured, milliseconds};
pub(crate) use gaps::Spread;
pub(crate) use link::Link;
pub(crate) use plan::{Briefing, brief};
pub(crate) use probe::{Probe, ProbePlan, Watch};
pub(crate) use report::{Report, Verdict, phases_words};
pub(crate) use run::{Job, Progress, StepProgress, TOLD, run};
pub(crate) use script::{Script, read};

#[cfg(test)]
pub(crate) use probe::Mode;
