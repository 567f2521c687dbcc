//! `evenkeel demo`: a whole cluster on this machine as child processes, with load, and the console.
//!
//! Nothing is left behind on any way out: children end with the pipe that this process holds, are
//! asked first and killed then, and the temporary folder goes with them.

mod child;
mod load;
mod plan;

use std::sync::Arc;
use std::time::Duration;

use evenkeel_shared::view::ClusterView;
use serde::Serialize;

pub use load::{LoadFigures, LoadStats};

use crate::cli::{
    CliError, Condition, ConsoleHook, ConsoleOptions, Exit, Session, Until, WriteLock, note,
    wait_until,
};
use crate::signals::Signals;
use child::{AgentChild, Folder};
use plan::{NodePlan, Plan};

pub(crate) use plan::DemoArguments;

/// How long a fresh cluster may take to be healthy; a loaded machine is slow.
const HEALTHY_TIMEOUT: Duration = Duration::from_secs(90);
/// How long children may take to end by themselves before they are killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two looks at children that should be alive, or ending.
const LOOK: Duration = Duration::from_millis(50);

/// A cluster of child processes. Dropping it kills what is left of them and removes its folder.
struct Demo {
    /// Before the folder, so that nobody writes into what is being removed.
    children: Vec<AgentChild>,
    folder: Folder,
    plan: Plan,
}

/// The one line of `demo --headless`.
#[derive(Debug, Serialize)]
struct DemoRow {
    cluster: String,
    nodes: Vec<NodeRow>,
}

#[derive(Debug, Serialize)]
struct NodeRow {
    name: String,
    pid: u32,
    zone: String,
    rpc: String,
    resp: Option<String>,
    resp_cluster: Option<String>,
    http: Option<String>,
    data: String,
}

/// Runs the demo until it is left, or a signal ends it.
pub(crate) async fn run(arguments: DemoArguments, console: ConsoleHook) -> Result<Exit, CliError> {
    let mut signals = Signals::listen().map_err(|error| CliError::local("hear signals", &error))?;
    let headless = arguments.headless;
    let rate = arguments.load;
    let folder = Folder::new(arguments.dir.as_deref())?;
    let plan = Plan::new(&arguments, folder.path())?;
    plan.check_ports()?;
    let mut demo = Demo::start(plan, folder)?;
    let outcome = tokio::select! {
        biased;
        () = signals.any() => Ok(Exit::Done),
        outcome = demo.serve(rate, (!headless).then_some(console)) => outcome,
    };
    demo.stop().await;
    outcome
}

impl Demo {
    fn start(plan: Plan, folder: Folder) -> Result<Self, CliError> {
        let mut demo = Self { children: Vec::new(), folder, plan };
        for node in &demo.plan.nodes {
            let child = AgentChild::start(node, demo.folder.path())?;
            demo.children.push(child);
        }
        Ok(demo)
    }

    /// Waits for health, starts the load, then shows the console or serves in silence.
    async fn serve(&mut self, rate: u32, console: Option<ConsoleHook>) -> Result<Exit, CliError> {
        let session = Session::with_seeds(self.plan.seeds());
        let view = self.healthy(&session).await?;
        let stats = Arc::new(LoadStats::default());
        // Aborted when this future is dropped, by a signal or at the end.
        let _writers = load::start(&session.store(), rate, &stats);
        match console {
            None => {
                crate::cli::json(&self.row(&view))?;
                std::future::pending().await
            }
            Some(open) => {
                let options = ConsoleOptions {
                    seeds: self.plan.seeds(),
                    lock: WriteLock::Open,
                    load: Some(stats),
                    ..ConsoleOptions::default()
                };
                Ok(Exit::Code(open(options).await))
            }
        }
    }

    async fn healthy(&mut self, session: &Session) -> Result<ClusterView, CliError> {
        let (nodes, shards) = (self.plan.node_count(), self.plan.shards);
        let bar = indicatif::ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(100));
        bar.set_message("starting");
        let until = Until { condition: Condition::Healthy, nodes };
        let waiting = async {
            loop {
                let progress = |missing: &str| bar.set_message(missing.to_owned());
                let view = wait_until(session, until, HEALTHY_TIMEOUT, progress).await?;
                if view.counts.shards_total >= u32::from(shards) {
                    return Ok(view);
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        let outcome = tokio::select! {
            outcome = tokio::time::timeout(HEALTHY_TIMEOUT, waiting) => {
                outcome.unwrap_or_else(|_| Err(CliError::unreachable(
                    "the demo's cluster did not become healthy",
                    "`evenkeel demo --dir DIR`, then read DIR/n1.log",
                )))
            }
            error = any_ended(&mut self.children) => Err(error),
        };
        bar.finish_and_clear();
        outcome
    }

    fn row(&self, view: &ClusterView) -> DemoRow {
        let nodes = self.plan.nodes.iter().zip(&self.children);
        let row = |(node, child): (&NodePlan, &AgentChild)| NodeRow {
            name: node.name.clone(),
            pid: child.agent_pid(),
            zone: node.zone.clone(),
            rpc: node.rpc.clone(),
            resp: Some(node.resp.clone()),
            resp_cluster: Some(node.resp_cluster.clone()),
            http: Some(node.http.clone()),
            data: node.data.display().to_string(),
        };
        DemoRow { cluster: view.cluster.to_string(), nodes: nodes.map(row).collect() }
    }

    /// Asks the children to end, and waits; dropping kills the rest.
    async fn stop(mut self) {
        self.children.iter_mut().for_each(AgentChild::ask_to_end);
        let over = crate::clock::now() + STOP_TIMEOUT;
        while self.children.iter_mut().any(|child| child.ended().is_none()) {
            if crate::clock::now() >= over {
                note("some agents did not end in time and are killed");
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Ends with the reason when a child does.
async fn any_ended(children: &mut [AgentChild]) -> CliError {
    loop {
        if let Some(error) = children.iter_mut().find_map(AgentChild::ended) {
            return error;
        }
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headless_line_has_the_fields_of_the_contract() {
        let node = NodeRow {
            name: "n1".into(),
            pid: 1,
            zone: "a".into(),
            rpc: "127.0.0.1:7410".into(),
            resp: Some("127.0.0.1:7411".into()),
            resp_cluster: None,
            http: None,
            data: "/tmp/x/n1".into(),
        };
        let row = DemoRow { cluster: "00".into(), nodes: vec![node] };
        let json = serde_json::to_value(&row).unwrap();
        let fields: Vec<&String> = json["nodes"][0].as_object().unwrap().keys().collect();
        let expected = ["data", "http", "name", "pid", "resp", "resp_cluster", "rpc", "zone"];
        assert_eq!(fields, expected);
    }
}
