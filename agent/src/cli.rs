//! The agent's command line: `evenkeel-agent …`, and the same as `evenkeel agent …`.

mod rescue;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use color_eyre::eyre::{Report, WrapErr, eyre};

use crate::config::{AgentArgs, AgentCommand, Config, ConfigError};
use crate::env::lifelines::{Line, keep_while};
use crate::env::net::{Net, Tcp};
use crate::env::{Env, fs};
use crate::folder::FolderLock;
use crate::node::NodeError;
use crate::supervise::{Stop, Supervision, USAGE, Watch, stops};
use crate::{logging, node};

/// The node agent: a replicated store that detects failures and heals.
#[derive(Debug, Parser)]
#[command(name = "evenkeel-agent", version)]
struct CommandLine {
    #[command(flatten)]
    agent: AgentArgs,
}

/// Names the process that holds the folder.
const PID_FILE: &str = "agent.pid";
/// Threads for requests: agents are light, and a machine runs several of them.
const WORKERS: usize = 2;

/// Runs the agent with these arguments, the program's name first. Ends the process for wrong
/// usage, as every command line does.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = CommandLine::parse_from(arguments).agent;
    match run_parsed(&arguments) {
        Ok(code) => ExitCode::from(code),
        Err(report) => {
            // The report is for a person; the log has its own line where there is one.
            let _ = writeln!(io::stderr(), "error: {}", one_line(&report));
            if is_usage(&report) { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
        }
    }
}

fn run_parsed(arguments: &AgentArgs) -> Result<u8, Report> {
    match &arguments.command {
        Some(AgentCommand::Config(asked)) => {
            let text = asked.answer(arguments)?;
            io::stdout().lock().write_all(text.as_bytes()).wrap_err("print configuration")?;
            return Ok(0);
        }
        Some(AgentCommand::Rescue(asked)) => {
            let runtime = runtime()?;
            let sound = runtime.block_on(async { rescue::run(Env::real(), asked).await })?;
            runtime.shutdown_background();
            return Ok(u8::from(!sound));
        }
        None => {}
    }
    let config = Config::load(arguments)?;
    if config.supervise {
        // It serves nobody.
        return run_with(config, None);
    }
    keep_while(|line| run_with(config, Some(line))).wrap_err("start a thread")?
}

fn run_with(config: Config, line: Option<io::Result<Line>>) -> Result<u8, Report> {
    logging::start(config.log_format, &config.log).map_err(|why| eyre!(why))?;
    let runtime = runtime()?;
    let code = runtime.block_on(async {
        let env = Env::real_on(network(line).wrap_err("keep listeners")?);
        let watch = if config.exit_on_stdin_close || crate::supervise::is_child() {
            Watch::SignalsAndStdin
        } else {
            Watch::Signals
        };
        let asked_to_stop = stops(watch).wrap_err("watch for signals")?;
        if config.supervise {
            let supervision = Supervision::of_this_process(&env, config.data.clone())
                .wrap_err("find this program")?;
            return supervision.run(asked_to_stop).await.wrap_err("supervise agent");
        }
        run_agent(env, config, asked_to_stop).await
    })?;
    // A blocking job may hang on a dead disk; everything that matters is synced by now.
    runtime.shutdown_background();
    Ok(code)
}

fn runtime() -> Result<tokio::runtime::Runtime, Report> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(WORKERS).enable_all().build().wrap_err("start runtime")
}

/// Plain TCP where a thread may not have descriptors of its own, as in some containers: then peers
/// see a moment later that this process was killed.
fn network(line: Option<io::Result<Line>>) -> io::Result<Arc<dyn Net>> {
    match line {
        Some(Ok(line)) => Ok(Arc::new(line.into_net()?)),
        Some(Err(error)) => {
            tracing::warn!(%error, "no lifelines: a kill will be seen some 20 ms later");
            Ok(Arc::new(Tcp))
        }
        None => Ok(Arc::new(Tcp)),
    }
}

async fn run_agent(
    env: Env,
    config: Config,
    mut asked_to_stop: futures::stream::BoxStream<'static, Stop>,
) -> Result<u8, Report> {
    if crate::supervise::is_child() {
        crate::supervise::thaw_when_parent_dies().wrap_err("tie fate to the supervisor")?;
    }
    let stop = async move {
        let why = futures::StreamExt::next(&mut asked_to_stop).await;
        tracing::info!(?why, "asked to stop");
    };
    let name = config.name.clone();
    let _lock = FolderLock::acquire(&config.data)?;
    // Whoever wants to send a signal to the agent rather than to its supervisor finds it here.
    let pid = format!("{}\n", std::process::id());
    fs::replace(env.disk.as_ref(), &config.data.join(PID_FILE), pid.as_bytes())
        .wrap_err("write agent.pid")?;
    node::run(env, config, node::Fittings::default(), stop)
        .await
        .wrap_err_with(|| format!("run node {name}"))?;
    Ok(0)
}

/// Whether other flags, or another file, are what is needed: starting again can't help.
fn is_usage(report: &Report) -> bool {
    report.chain().any(|cause| {
        cause.is::<ConfigError>()
            || matches!(cause.downcast_ref::<NodeError>(), Some(NodeError::Config(_)))
    })
}

/// A report with its causes, in one line.
fn one_line(report: &Report) -> String {
    report.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
