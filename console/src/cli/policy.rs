//! `evenkeel policy …`: what the controller does about what it sees, in versions.
//!
//! A version is set in the place of the one that was looked at: whoever comes later is told.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use evenkeel_shared::limits::POLICY_BYTES_MAX;
use evenkeel_shared::preflight::Action;
use evenkeel_shared::view::{ClusterView, PolicyVersion, Recovery, RecoveryChange};
use serde::Serialize;

use crate::policy as text;

use super::act::{self, Override, Wish};
use super::session::Operator;
use super::table::{Align, Table};
use super::{CliError, Exit, Session, format, json, line, output};

/// One command about the recovery policy.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum PolicyCommand {
    /// Print the policy, as TOML with everything in it
    Get {
        /// An older version, as it was written
        #[arg(long)]
        version: Option<u32>,
    },
    /// Set another policy: a TOML file, or - for standard input
    Set {
        /// The file
        file: PathBuf,
        #[command(flatten)]
        reason: Reason,
    },
    /// Say what would change with this file, or what changed since a version
    Diff {
        /// The file; without it, what holds now is compared with --version
        file: Option<PathBuf>,
        /// The version to compare with; without it, what holds now
        #[arg(long, required_unless_present = "file")]
        version: Option<u32>,
    },
    /// List the versions that are kept
    History,
    /// Set an older version again, as a new one; 0 is the built-in one
    Rollback {
        /// Which
        version: u32,
        #[command(flatten)]
        reason: Reason,
    },
}

/// `--reason`.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Reason {
    /// Why, for the history
    #[arg(long, value_name = "WORDS", default_value = "")]
    pub(crate) reason: String,
}

/// What `policy get --json` prints, and each element of `policy history --json`.
#[derive(Debug, Serialize)]
struct VersionRow {
    version: u32,
    time: Option<String>,
    by: String,
    why: String,
    text: String,
}

impl VersionRow {
    fn of(version: &PolicyVersion) -> Self {
        Self {
            version: version.version,
            time: format::rfc3339(version.unix_ms),
            by: version.by.clone(),
            why: version.why.clone(),
            text: version.text.clone(),
        }
    }
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: PolicyCommand) -> Result<Exit, CliError> {
    let operator = session.operator().await?;
    let recovery = operator.recovery(session.timeout()).await?;
    let view = operator.view(session.timeout()).await?;
    let now = || text::write(&recovery.policy(), &view.keyspaces);
    match command {
        PolicyCommand::Get { version } => get(session, &recovery, version, now()),
        PolicyCommand::History => history(session, &recovery),
        PolicyCommand::Diff { file, version } => {
            let old =
                version.map_or_else(|| Ok(now()), |version| full(&recovery, version, &view))?;
            let new = match file {
                Some(file) => text::write(&parsed(&read(&file)?)?, &view.keyspaces),
                None => now(),
            };
            let lines = text::differences(&old, &new).map_err(|why| unreadable(&why))?;
            if session.json() {
                json(&lines)?;
            } else if lines.is_empty() {
                line("no difference")?;
            } else {
                output::text(lines.join("\n") + "\n")?;
            }
            Ok(Exit::Done)
        }
        PolicyCommand::Set { file, reason } => {
            set(session, &operator, &recovery, read(&file)?, reason).await
        }
        PolicyCommand::Rollback { version, reason } => {
            let text = match version {
                0 => full(&recovery, 0, &view)?,
                _ => of(&recovery, version)?.text.clone(),
            };
            let why = match reason.reason.as_str() {
                "" => format!("back to version {version}"),
                words => words.to_owned(),
            };
            set(session, &operator, &recovery, text, Reason { reason: why }).await
        }
    }
}

fn get(
    session: &Session,
    recovery: &Recovery,
    version: Option<u32>,
    now: String,
) -> Result<Exit, CliError> {
    let row = match (version, recovery.policies.last()) {
        (Some(version), _) => VersionRow::of(of(recovery, version)?),
        (None, Some(last)) => VersionRow { text: now, ..VersionRow::of(last) },
        (None, None) => {
            let (by, why) = ("built in".to_owned(), String::new());
            VersionRow { version: 0, time: None, by, why, text: now }
        }
    };
    if session.json() {
        json(&row)?;
        return Ok(Exit::Done);
    }
    let why = if row.why.is_empty() { String::new() } else { format!(": {}", row.why) };
    output::text(format!("# version {}, {}{why}\n{}", row.version, row.by, row.text))?;
    Ok(Exit::Done)
}

fn history(session: &Session, recovery: &Recovery) -> Result<Exit, CliError> {
    let rows: Vec<VersionRow> = recovery.policies.iter().map(VersionRow::of).collect();
    if session.json() {
        json(&rows)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&[
        ("VERSION", Align::Right),
        ("TIME", Align::Left),
        ("BY", Align::Left),
        ("WHY", Align::Left),
    ]);
    table.row(["0".to_owned(), format::NOT_KNOWN.to_owned(), "built in".to_owned()]);
    for version in &recovery.policies {
        table.row([
            version.version.to_string(),
            format::moment(version.unix_ms),
            version.by.clone(),
            version.why.clone(),
        ]);
    }
    output::text(table)?;
    Ok(Exit::Done)
}

async fn set(
    session: &Session,
    operator: &Operator,
    recovery: &Recovery,
    text: String,
    Reason { reason }: Reason,
) -> Result<Exit, CliError> {
    let new = PolicyVersion {
        version: 0,
        policy: parsed(&text)?,
        text,
        by: act::actor(),
        why: reason,
        unix_ms: crate::clock::unix_ms(),
    };
    let replaces = recovery.version();
    let change = RecoveryChange::SetPolicy { replaces, new: Box::new(new) };
    let wish = Wish {
        action: Action::Recover(change),
        name: "policy",
        overriding: &Override::default(),
        timeout: session.timeout(),
    };
    act::run(session, operator, wish).await
}

/// A version with everything in it, so that it can be compared.
fn full(recovery: &Recovery, version: u32, view: &ClusterView) -> Result<String, CliError> {
    if version == 0 {
        let built_in = evenkeel_shared::view::RecoveryPolicy::default();
        return Ok(text::write(&built_in, &view.keyspaces));
    }
    Ok(text::write(&of(recovery, version)?.policy, &view.keyspaces))
}

fn of(recovery: &Recovery, version: u32) -> Result<&PolicyVersion, CliError> {
    let known = recovery.policies.iter().find(|known| known.version == version);
    known.ok_or_else(|| {
        CliError::refused(
            format!("version {version} of the policy is not kept"),
            "`evenkeel policy history`",
        )
    })
}

fn read(file: &Path) -> Result<String, CliError> {
    let text = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    let name = file.display();
    let text = text.map_err(|error| CliError::local(&format!("read {name}"), &error))?;
    if text.len() > POLICY_BYTES_MAX {
        let bytes = text.len();
        let what = format!("{name} has {bytes} bytes, a policy at most {POLICY_BYTES_MAX}");
        return Err(CliError::usage(what, "`evenkeel policy get` for one to start from"));
    }
    Ok(text)
}

fn parsed(text: &str) -> Result<evenkeel_shared::view::RecoveryPolicy, CliError> {
    text::read(text).map_err(|why| unreadable(&why))
}

fn unreadable(why: &str) -> CliError {
    CliError::usage(
        format!("the policy can't be read: {}", why.trim_end()),
        "`evenkeel policy get` for one to start from",
    )
}
