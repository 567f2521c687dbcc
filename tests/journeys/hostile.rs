//! Callers who keep to no rule: each is told or let go, the log says so in a line, and nobody else
//! notices.

use std::time::Duration;

use bytes::Bytes;
use evenkeel_tests::{Agent, Client, Cluster, ClusterPlan, Ports, Stranger, Writers, wait_for};

mod hello;
mod http;
mod redis;
mod requests;
mod silent;

/// How long a line may take to be in the log, and a healthy client to be served.
const SOON: Duration = Duration::from_secs(30);
/// How often a caller repeats what is told in one line.
const REPEATS: usize = 200;

/// A healthy cluster whose clients go on all the while.
struct Calm {
    cluster: Cluster,
    writers: Writers,
    reader: Client,
    /// The victim's process.
    pid: Option<u32>,
}

impl Calm {
    /// Three agents, the first one with an HTTP port; its address.
    fn begin() -> (Self, String) {
        let http = Ports::block().address();
        let mut cluster = Cluster::plan(&ClusterPlan::default());
        cluster.agents[0].plan.flags.extend(["--http".to_owned(), http.clone()]);
        cluster.agents.iter_mut().for_each(Agent::start);
        cluster.wait_healthy();
        let reader = Client::new(cluster.addresses());
        reader.put_all(std::iter::once(("calm".to_owned(), Bytes::from_static(b"sea"))));
        let pid = cluster.agents[0].pid();
        let writers = Writers::start(cluster.addresses(), "calm", 2);
        writers.wait_for_more(1);
        (Self { cluster, writers, reader, pid }, http)
    }

    /// The agent that is treated badly.
    fn victim(&self) -> &Agent {
        &self.cluster.agents[0]
    }

    fn rpc(&self) -> &str {
        &self.victim().plan.rpc
    }

    /// Others write and read.
    fn holds(&self) {
        self.writers.wait_for_more(5);
        let wrong = self.reader.wrong(vec![("calm".to_owned(), Bytes::from_static(b"sea"))]);
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    /// Nobody has noticed anything: no write was refused or lost, the process is the same, and the
    /// logs have no more than so many lines of trouble.
    fn end(self, lines_max: usize) {
        self.holds();
        assert_eq!(self.victim().pid(), self.pid, "it goes on");
        self.cluster.wait_healthy();
        let tally = self.writers.finish();
        assert_eq!((tally.unknown, tally.refused), (0, 0));
        tally.assert_kept(self.cluster.addresses());
        for agent in &self.cluster.agents {
            let log = agent.log();
            assert!(!log.contains("panicked"), "{log}");
            let trouble: Vec<&str> =
                log.lines().filter(|l| l.contains(" WARN ") || l.contains(" ERROR ")).collect();
            assert!(trouble.len() <= lines_max, "{}", trouble.join("\n"));
        }
    }

    /// Waits for the one line of the log that names this caller and the reason.
    fn told_of(&self, caller: &Stranger, why: &str) {
        let (from, line) = (format!("from={} ", caller.address()), self.told(why));
        assert!(line.contains(&from), "{from}: {line}");
    }

    /// Waits for the one line of the log that gives this reason.
    fn told(&self, why: &str) -> String {
        let found = wait_for(&format!("a line: {why}"), SOON, || {
            let lines = self.victim().complaints(why);
            (!lines.is_empty()).then_some(lines)
        });
        assert_eq!(found.len(), 1, "{found:#?}");
        found.into_iter().next().expect("there is one")
    }

    /// Has the same done again and again, and waits for lines that count it: 1, 10, 100.
    fn counted(&self, why: &str, mut again: impl FnMut()) {
        for _ in 1..REPEATS {
            again();
        }
        let found = wait_for(&format!("three lines: {why}"), SOON, || {
            let lines = self.victim().complaints(why);
            (lines.len() >= 3).then_some(lines)
        });
        assert_eq!(found.len(), 3, "{found:#?}");
        for (line, times) in found.iter().zip([1, 10, 100]) {
            assert!(line.contains(&format!("times={times} ")), "{line}");
        }
    }
}
