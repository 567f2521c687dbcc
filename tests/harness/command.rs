//! The real `evenkeel` executable: found, run to its end, or left running.
//!
//! A command that does not end is killed and fails the test; its words are always shown.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::clock::{now, pause};
use crate::network::Network;

/// Longest that a command may run: above its own longest timeout that journeys use.
const COMMAND_MAX: Duration = Duration::from_secs(150);

/// What a command said, and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its exit code; `None` when a signal has ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Output {
    /// Itself, if it ended with this code.
    #[expect(clippy::return_self_not_must_use, reason = "that it ended so is often all")]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "out: {}\nerr: {}", self.stdout, self.stderr);
        self
    }

    /// Its standard output, which is one JSON value.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|why| panic!("{why}\nout: {}\nerr: {}", self.stdout, self.stderr))
    }
}

/// The executable beside this test's own. Cargo builds no other package's executable for a test, so
/// that the one that lies there may be of yesterday's sources: it is brought up to date first.
pub fn executable() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| built(&["--workspace", "--bin", "evenkeel"]).join("evenkeel"))
}

/// The console over a toy cluster, built once from what is there now.
pub fn toy_console() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        // Of the package alone, its dependencies would have other features and be built anew.
        built(&["--workspace", "--example", "sim_console"]).join("examples/sim_console")
    })
}

/// Builds something beside the test that runs; the folder of what was built.
fn built(what: &[&str]) -> PathBuf {
    let test = std::env::current_exe().expect("a running program has a file");
    let folder = test.ancestors().nth(2).expect("tests lie in target/<profile>/deps");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.arg("build").args(what);
    build.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    build.arg("--target-dir").arg(folder.parent().expect("the profile lies in target"));
    if folder.ends_with("release") {
        build.arg("--release");
    }
    assert!(build.status().expect("cargo runs").success(), "{what:?} could not be built");
    folder.to_owned()
}

/// Runs the executable to its end.
pub fn evenkeel(words: &[&str]) -> Output {
    evenkeel_in(&Network::Own, words)
}

/// Runs the executable to its end in this network.
pub(crate) fn evenkeel_in(network: &Network, words: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut running = Running::start_in(network, words, folder.path(), "command");
    let over = now() + COMMAND_MAX;
    while running.code().is_none() && running.is_running() {
        assert!(now() < over, "evenkeel {words:?} does not end");
        pause();
    }
    running.output()
}

/// The executable while it runs, its words going to files. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    out: PathBuf,
    err: PathBuf,
    ended: Option<std::process::ExitStatus>,
}

impl Running {
    /// Starts the executable; files called `name` in `folder` get its words.
    pub fn start(words: &[&str], folder: &Path, name: &str) -> Self {
        Self::start_in(&Network::Own, words, folder, name)
    }

    fn start_in(network: &Network, words: &[&str], folder: &Path, name: &str) -> Self {
        let mut command = network.command();
        command.args(words).env_remove("EVENKEEL_CONNECT").env("TMPDIR", folder);
        // What drills have shown is kept there.
        command.env("XDG_STATE_HOME", folder);
        Self::spawn(command, folder, name)
    }

    /// Starts a command whose words go to files; it ends when its standard input closes, if it
    /// was asked to watch that.
    pub(crate) fn spawn(mut command: Command, folder: &Path, name: &str) -> Self {
        let (out, err) = (folder.join(format!("{name}.out")), folder.join(format!("{name}.err")));
        let open = |path: &Path| {
            File::options().create(true).append(true).open(path).expect("the folder is writable")
        };
        command.stdin(Stdio::piped()).stdout(open(&out)).stderr(open(&err));
        let child = command.spawn().expect("the executable starts");
        Self { child, out, err, ended: None }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("it is our child");
        }
        self.ended.is_none()
    }

    /// Its exit code, once it has ended by itself.
    pub fn code(&mut self) -> Option<i32> {
        if self.is_running() { None } else { self.ended.and_then(|status| status.code()) }
    }

    /// What it has said so far on standard output.
    pub fn said(&self) -> String {
        read(&self.out)
    }

    /// What it has said so far on standard error.
    pub fn complained(&self) -> String {
        read(&self.err)
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("it is our child");
    }

    /// SIGSTOP: it neither reads nor writes, and its connections stay open.
    pub fn freeze(&self) {
        kill_process(Pid::from_child(&self.child), Signal::STOP).expect("it is our child");
    }

    /// SIGCONT: it goes on where it stood.
    pub fn thaw(&self) {
        kill_process(Pid::from_child(&self.child), Signal::CONT).expect("it is our child");
    }

    /// SIGKILL, and its end.
    pub fn kill(&mut self) {
        if self.ended.is_none() {
            // It may have ended by itself a moment ago.
            let _ = self.child.kill();
            self.ended = self.child.wait().ok();
        }
    }

    fn output(&mut self) -> Output {
        Output { code: self.code(), stdout: self.said(), stderr: self.complained() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Lets this process, and agents that it starts from now on, open as many files as they may; how
/// many that is.
pub fn raise_open_files() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).expect("the soft limit may be raised to the hard one");
    limit.maximum.unwrap_or(u64::MAX)
}

/// Whether a process runs. One that has ended and was not reaped yet does not.
pub fn is_alive(pid: u32) -> bool {
    // A zombie has no command line.
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}
