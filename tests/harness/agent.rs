//! One agent process: started, killed, asked to end, and started again on the same folder.
//!
//! It never outlives its value: it is killed on drop, and ends when our end of its pipe closes.

use std::path::PathBuf;
use std::time::Duration;

use crate::clock::wait_for;
use crate::command::Running;
use crate::network::Network;

/// Lines of an agent's log that a failed test shows.
const LINES_SHOWN: usize = 40;
/// How long an agent may take to end when asked.
const STOP_MAX: Duration = Duration::from_secs(30);

/// How an agent gets into a cluster.
#[derive(Clone, Debug)]
pub enum Entry {
    /// It founds one.
    Bootstrap,
    /// It asks these.
    Join(Vec<String>),
}

/// How an agent is started.
#[derive(Clone, Debug)]
pub struct AgentPlan {
    /// Its name.
    pub name: String,
    /// Its failure domain.
    pub zone: String,
    /// Where it listens.
    pub rpc: String,
    /// Where it speaks the Redis protocol.
    pub resp: String,
    /// The network that it speaks in.
    pub network: Network,
    /// How it gets in.
    pub entry: Entry,
    /// Its data folder is `<folder>/<name>`, its log lies beside.
    pub folder: PathBuf,
    /// More flags.
    pub flags: Vec<String>,
}

impl AgentPlan {
    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    fn words(&self) -> Vec<String> {
        let data = self.data().display().to_string();
        let mut words: Vec<String> = [
            "agent", "--name", &self.name, "--data", &data, "--listen", &self.rpc, "--resp",
            &self.resp, "--zone", &self.zone,
        ]
        .map(str::to_owned)
        .to_vec();
        match &self.entry {
            Entry::Bootstrap => words.push("--bootstrap".to_owned()),
            Entry::Join(seeds) => words.extend(["--join".to_owned(), seeds.join(",")]),
        }
        words.push("--exit-on-stdin-close".to_owned());
        words.extend(self.flags.iter().cloned());
        words
    }
}

/// An agent process, or one that was ended and may be started again.
#[derive(Debug)]
pub struct Agent {
    /// How it is started.
    pub plan: AgentPlan,
    running: Option<Running>,
}

impl Agent {
    /// An agent that is not running yet.
    pub fn new(plan: AgentPlan) -> Self {
        Self { plan, running: None }
    }

    /// Starts it.
    pub fn start(&mut self) {
        assert!(self.running.is_none(), "{} runs already", self.plan.name);
        let mut command = self.plan.network.command();
        command.args(self.plan.words());
        self.running = Some(Running::spawn(command, &self.plan.folder, &self.plan.name));
    }

    /// SIGSTOP: silent, with open connections; what is sent to it waits and dies with it.
    pub fn freeze(&self) {
        self.running.as_ref().expect("it runs").freeze();
    }

    /// SIGCONT: a frozen one goes on where it stood.
    pub fn thaw(&self) {
        self.running.as_ref().expect("it runs").thaw();
    }

    /// SIGKILL, at once.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// SIGTERM; its exit code once it has ended.
    pub fn terminate(&mut self) -> Option<i32> {
        let mut running = self.running.take().expect("it runs");
        running.terminate();
        wait_for("the agent ends when asked", STOP_MAX, || (!running.is_running()).then_some(()));
        running.code()
    }

    /// The exit code of an agent that ends by itself.
    pub fn ends_by_itself(&mut self) -> Option<i32> {
        let running = self.running.as_mut().expect("it was started");
        wait_for("the agent ends by itself", STOP_MAX, || (!running.is_running()).then_some(()));
        running.code()
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        self.running.as_mut().is_some_and(Running::is_running)
    }

    /// The agent's own process id: below its supervisor, if it has one.
    pub fn pid(&self) -> Option<u32> {
        let written = std::fs::read_to_string(self.plan.data().join("agent.pid")).ok()?;
        written.trim().parse().ok()
    }

    /// Kilobytes of memory that it holds now.
    pub fn resident_kb(&self) -> u64 {
        let pid = self.pid().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let figure = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        figure.expect("a process holds memory")
    }

    /// The lines of its log that speak of a caller who broke a rule, for a reason that holds this.
    pub fn complaints(&self, why: &str) -> Vec<String> {
        let log = self.log();
        let lines = log.lines().filter(|line| line.contains("a caller broke the rules"));
        lines.filter(|line| line.contains(why)).map(str::to_owned).collect()
    }

    /// What it has logged, over all its lives.
    pub fn log(&self) -> String {
        let path = self.plan.folder.join(format!("{}.err", self.plan.name));
        String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
    }
}

impl Drop for Agent {
    #[expect(clippy::print_stderr, reason = "a failed test shows what its agents have logged")]
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let shown = &lines[lines.len().saturating_sub(LINES_SHOWN)..];
            eprintln!("--- log of {}, its end\n{}", self.plan.name, shown.join("\n"));
        }
    }
}
