//! One agent as a child process, and the folder that the children share.
//!
//! A child is in a process group of its own, together with what its supervisor starts: Ctrl-C in
//! the terminal reaches this process only, and a kill reaches all of the group.

use std::fs::{self, File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::plan::NodePlan;
use crate::cli::CliError;

/// A running agent. Dropping it kills what is left of it, and waits until it is gone.
pub(crate) struct AgentChild {
    name: String,
    log: PathBuf,
    data: PathBuf,
    process: Child,
}

/// Where data and logs lie.
pub(crate) enum Folder {
    /// Removed at the end.
    Temporary(tempfile::TempDir),
    /// Left as it is.
    Kept(PathBuf),
}

impl Folder {
    /// The folder that was asked for, or one for this run only.
    pub(crate) fn new(kept: Option<&Path>) -> Result<Self, CliError> {
        let Some(kept) = kept else {
            let folder = tempfile::Builder::new().prefix("evenkeel-demo-").tempdir();
            return folder
                .map(Self::Temporary)
                .map_err(|error| CliError::local("make a temporary folder", &error));
        };
        let made = fs::create_dir_all(kept).and_then(|()| fs::canonicalize(kept));
        made.map(Self::Kept)
            .map_err(|error| CliError::local(&format!("make {}", kept.display()), &error))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(path) => path,
        }
    }
}

impl AgentChild {
    /// Starts this very executable as an agent; what it prints goes to a log in the folder.
    pub(crate) fn start(node: &NodePlan, folder: &Path) -> Result<Self, CliError> {
        let executable = std::env::current_exe();
        let executable = executable
            .map_err(|error| CliError::local("find this executable's own file", &error))?;
        let mut command = Command::new(executable);
        command.args(&node.words);
        Self::spawn(command, node, folder)
    }

    fn spawn(mut command: Command, node: &NodePlan, folder: &Path) -> Result<Self, CliError> {
        let log = folder.join(format!("{}.log", node.name));
        let failed = |error| CliError::local(&format!("start {}", node.name), &error);
        let output = open_log(&log).map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        // The pipe is never written to: that it closes tells the child that we are gone.
        command.stdin(Stdio::piped()).stdout(output).stderr(errors).process_group(0);
        let process = command.spawn().map_err(failed)?;
        Ok(Self { name: node.name.clone(), log, data: node.data.clone(), process })
    }

    /// The agent's own process, below its supervisor; the supervisor's as long as the agent has
    /// not written its number down.
    pub(crate) fn agent_pid(&self) -> u32 {
        let written = fs::read_to_string(self.data.join("agent.pid"));
        let pid = written.ok().and_then(|text| text.trim().parse().ok());
        pid.unwrap_or_else(|| self.process.id())
    }

    /// The reason, when it has ended.
    pub(crate) fn ended(&mut self) -> Option<CliError> {
        let status = self.process.try_wait().ok().flatten()?;
        let words = last_line(&self.log);
        let why = if words.is_empty() { status.to_string() } else { words };
        let what = format!("{} has ended: {why}", self.name);
        Some(CliError::refused(what, format!("read {}", self.log.display())))
    }

    /// SIGTERM: it hands its leaderships away and ends.
    pub(crate) fn ask_to_end(&mut self) {
        if self.ended().is_none() {
            // It may end by itself in this very moment.
            let _ = kill_process(self.pid(), Signal::TERM);
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }
}

impl Drop for AgentChild {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // The group outlives its first process while others are in it. An empty one is no error.
        let _ = kill_process_group(self.pid(), Signal::KILL);
        let _ = self.process.wait();
    }
}

fn open_log(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// The last line that says something; logs of agents that fail at their start are short.
fn last_line(path: &Path) -> String {
    let text = fs::read(path).unwrap_or_default();
    let tail = &text[text.len().saturating_sub(4 << 10)..];
    let text = String::from_utf8_lossy(tail);
    text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(folder: &Path) -> NodePlan {
        NodePlan {
            name: "n1".into(),
            zone: "a".into(),
            rpc: String::new(),
            resp: String::new(),
            resp_cluster: String::new(),
            http: String::new(),
            data: folder.join("n1"),
            words: Vec::new(),
        }
    }

    fn shell(script: &str, folder: &Path) -> AgentChild {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        AgentChild::spawn(command, &node(folder), folder).unwrap()
    }

    fn wait_for(mut condition: impl FnMut() -> bool) {
        let over = crate::clock::now() + std::time::Duration::from_secs(10);
        while !condition() {
            assert!(crate::clock::now() < over, "not within ten seconds");
            std::thread::yield_now();
        }
    }

    fn is_alive(pid: u32) -> bool {
        // A zombie has no command line.
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
    }

    #[test]
    fn dropping_a_child_ends_its_whole_group() {
        let folder = tempfile::tempdir().unwrap();
        // The child ignores the polite way and has a child of its own, as a supervisor has.
        let script = "trap '' TERM; sleep 1000 & echo $! > grandchild.tmp; \
                      mv grandchild.tmp grandchild; wait";
        let script = format!("cd {}; {script}", folder.path().display());
        let mut child = shell(&script, folder.path());
        let path = folder.path().join("grandchild");
        wait_for(|| path.exists());
        let grandchild: u32 = fs::read_to_string(&path).unwrap().trim().parse().unwrap();
        child.ask_to_end();
        assert!(child.ended().is_none() && is_alive(grandchild));
        let pid = child.process.id();
        drop(child);
        assert!(!is_alive(pid));
        wait_for(|| !is_alive(grandchild));
    }

    #[test]
    fn a_child_ends_when_the_pipe_to_it_closes() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = shell("cat; echo gone", folder.path());
        assert!(child.ended().is_none());
        drop(child.process.stdin.take());
        wait_for(|| child.ended().is_some());
    }

    #[test]
    fn a_child_that_failed_is_reported_with_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = shell("echo one; echo the port is taken >&2; exit 3", folder.path());
        wait_for(|| child.ended().is_some());
        let error = child.ended().unwrap();
        assert_eq!(error.to_string(), "n1 has ended: the port is taken");
    }

    #[test]
    fn a_temporary_folder_goes_and_a_kept_one_stays() {
        let temporary = Folder::new(None).unwrap();
        let path = temporary.path().to_path_buf();
        assert!(path.is_dir());
        drop(temporary);
        assert!(!path.exists());
        let outer = tempfile::tempdir().unwrap();
        let kept = Folder::new(Some(&outer.path().join("x"))).unwrap();
        let path = kept.path().to_path_buf();
        drop(kept);
        assert!(path.is_dir());
    }
}
