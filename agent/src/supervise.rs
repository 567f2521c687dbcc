//! The small parent of `--supervise`: starts the agent as its child and restarts it when it dies.
//!
//! It never outlives a child that has ended well, and no child outlives it: the child watches a
//! pipe that closes with the parent, however the parent ends.

mod backoff;
mod downtime;
mod standstill;
mod stops;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt, pending};
use futures::stream::{BoxStream, StreamExt};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, ChildStdin, Command};
use tokio::signal::unix::{SignalKind, signal};

use self::backoff::Backoff;
use crate::env::Env;
use crate::env::clock::Clock;
use crate::env::fs::Disk;

pub use downtime::{DOWNTIME_MAX, Downtime};
pub use standstill::Standstill;
pub use stops::{Stop, Watch, stops};

/// Marks the child, so that it does not supervise in its turn.
const CHILD_VARIABLE: &str = "EVENKEEL_SUPERVISED";
/// How long a child may take to end when asked; handing leaderships away takes well below a second.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
/// Has a supervisor look whether its child wishes to stand still.
pub const LOOK: Signal = Signal::USR1;
/// Exit code of a wrong command line: starting it again can't help.
pub const USAGE: u8 = 2;

/// What to run, and where it leaves its wishes.
#[derive(Clone)]
pub struct Supervision {
    /// The program.
    pub executable: PathBuf,
    /// Its arguments, without `--supervise`.
    pub arguments: Vec<OsString>,
    /// The agent's data folder.
    pub data: PathBuf,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Files.
    pub disk: Arc<dyn Disk>,
}

/// Why supervision can't begin.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// The program can't be started.
    #[error("can't start {executable}")]
    Start {
        /// The program.
        executable: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The child's state can't be told.
    #[error("can't wait for the agent")]
    Wait(#[source] io::Error),
}

/// A running child, and the pipe that tells it that its parent lives.
struct Running {
    child: Child,
    /// Held, never written to.
    lifeline: Option<ChildStdin>,
    /// Until when it stands still.
    frozen: BoxFuture<'static, ()>,
    /// Its wishes, and the signal that there is one.
    of: Supervision,
    looks: tokio::signal::unix::Signal,
}

/// What to do after a child has ended.
enum Next {
    End(u8),
    Wait(Duration),
}

/// Whether this process is the child of a supervisor: it runs the agent, and watches its stdin.
pub fn is_child() -> bool {
    std::env::var_os(CHILD_VARIABLE).is_some()
}

/// Lets a frozen child run on when its parent dies, so that it sees the closed pipe and ends.
pub fn thaw_when_parent_dies() -> io::Result<()> {
    Ok(rustix::process::set_parent_process_death_signal(Some(Signal::CONT))?)
}

impl Supervision {
    /// This very program with these very arguments, except `--supervise`.
    pub fn of_this_process(env: &Env, data: PathBuf) -> io::Result<Self> {
        Ok(Self {
            executable: std::env::current_exe()?,
            arguments: std::env::args_os().skip(1).filter(|argument| !asks(argument)).collect(),
            data,
            clock: env.clock.clone(),
            disk: env.disk.clone(),
        })
    }

    /// Runs the child until it ends well, or a stop is asked for; gives the exit code.
    pub async fn run(&self, mut stops: BoxStream<'static, Stop>) -> Result<u8, SuperviseError> {
        // A wish from before belongs to a child that nobody knows any more.
        drop(Downtime::take(self.disk.as_ref(), &self.data));
        drop(Standstill::take(self.disk.as_ref(), &self.data));
        let mut backoff = Backoff::default();
        let mut running = self.start()?;
        loop {
            let born = self.clock.now();
            let (status, stop) = running.until_end(&mut stops).await?;
            let lived = self.clock.now().saturating_sub(born);
            let next = match stop {
                Some(_) => Next::End(exit_code(status)),
                None => self.after(status, lived, &mut backoff),
            };
            let mut wait = match next {
                Next::End(code) => return Ok(code),
                Next::Wait(wait) => wait,
            };
            running = loop {
                tokio::select! {
                    biased;
                    _ = next_stop(&mut stops) => return Ok(0),
                    () = tokio::time::sleep(wait) => {}
                }
                match self.start() {
                    Ok(running) => break running,
                    Err(error) => {
                        wait = backoff.after(Duration::ZERO);
                        tracing::error!(%error, ?wait, "the agent can't be started again yet");
                    }
                }
            };
        }
    }

    fn after(&self, status: ExitStatus, lived: Duration, backoff: &mut Backoff) -> Next {
        match Downtime::take(self.disk.as_ref(), &self.data) {
            Ok(Some(Downtime::ForGood)) => {
                tracing::info!("the agent stays down for good, as a drill asked");
                return Next::End(0);
            }
            Ok(Some(Downtime::For(wait))) => {
                tracing::info!(?wait, "the agent stays down, as a drill asked");
                return Next::Wait(wait);
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "a drill's wish can't be read"),
        }
        let code = exit_code(status);
        if status.success() || code == USAGE {
            return Next::End(code);
        }
        let wait = backoff.after(lived);
        tracing::warn!(%status, ?lived, ?wait, "the agent has died and is started again");
        Next::Wait(wait)
    }

    fn start(&self) -> Result<Running, SuperviseError> {
        // Before there is a child that could send it: unheard, it ends a process.
        let looks = signal(SignalKind::user_defined1()).map_err(SuperviseError::Wait)?;
        let mut child = Command::new(&self.executable)
            .args(&self.arguments)
            .env(CHILD_VARIABLE, "1")
            .stdin(Stdio::piped())
            // A group of its own: Ctrl-C reaches it once, through its parent.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| SuperviseError::Start {
                executable: self.executable.clone(),
                source,
            })?;
        // Waiting for a child closes its stdin if it is still there.
        let lifeline = child.stdin.take();
        tracing::info!(process = child.id(), "the agent has been started");
        let (frozen, of) = (pending().boxed(), self.clone());
        Ok(Running { child, lifeline, frozen, of, looks })
    }
}

impl Running {
    /// Waits for the end, passes stops on, and ends by force what does not end when asked.
    async fn until_end(
        &mut self,
        stops: &mut BoxStream<'static, Stop>,
    ) -> Result<(ExitStatus, Option<Stop>), SuperviseError> {
        let mut first = None;
        let mut patience: BoxFuture<'static, ()> = pending().boxed();
        loop {
            tokio::select! {
                biased;
                status = self.child.wait() => {
                    return Ok((status.map_err(SuperviseError::Wait)?, first));
                }
                stop = next_stop(stops) => {
                    self.thaw();
                    self.pass_on(stop);
                    if first.is_none() {
                        first = Some(stop);
                        patience = tokio::time::sleep(STOP_TIMEOUT).boxed();
                    }
                }
                _ = self.looks.recv() => self.look(),
                () = &mut self.frozen => self.thaw(),
                () = &mut patience => {
                    tracing::error!("the agent has not ended when asked and is killed");
                    self.child.start_kill().map_err(SuperviseError::Wait)?;
                    let status = self.child.wait().await.map_err(SuperviseError::Wait)?;
                    return Ok((status, first));
                }
            }
        }
    }

    /// Has the child stand still, if it wishes to.
    fn look(&mut self) {
        match Standstill::take(self.of.disk.as_ref(), &self.of.data) {
            Ok(Some(Standstill(wait))) => {
                tracing::info!(?wait, "the agent stands still, as a drill asked");
                self.send(Signal::STOP);
                self.frozen = tokio::time::sleep(wait).boxed();
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "a drill's wish can't be read"),
        }
    }

    /// Lets the child run, whether it stood still or not.
    fn thaw(&mut self) {
        self.frozen = pending().boxed();
        self.send(Signal::CONT);
    }

    fn send(&self, signal: Signal) {
        let process = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let Some(process) = process else { return };
        if let Err(error) = kill_process(process, signal) {
            tracing::warn!(%error, ?signal, "the agent could not be signalled");
        }
    }

    fn pass_on(&self, stop: Stop) {
        let signal = match stop {
            Stop::Interrupt => Signal::INT,
            Stop::Terminate | Stop::ParentGone => Signal::TERM,
        };
        tracing::info!(?stop, piped = self.lifeline.is_some(), "the agent is told to end");
        self.send(signal);
    }
}

/// The next stop; for ever if there is none to come.
async fn next_stop(stops: &mut BoxStream<'static, Stop>) -> Stop {
    match stops.next().await {
        Some(stop) => stop,
        None => pending().await,
    }
}

fn asks(argument: &OsString) -> bool {
    argument.to_str().is_some_and(|text| text == "--supervise" || text.starts_with("--supervise="))
}

/// The shell's rule: a child that a signal has ended counts as 128 and the signal's number.
fn exit_code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
