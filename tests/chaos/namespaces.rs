//! A router, the clients and the nodes, each in a network namespace with an address of its own, and
//! cuts between them, each of one direction.
//!
//! All of it lies in the namespaces, which go with their value; those of a run that died are
//! removed by the next one. Outside them no link, address, route or rule is touched.

use std::process::Command;
use std::sync::OnceLock;

use evenkeel_tests::{Network, is_alive};
use rustix::process::{Pid, Signal, kill_process};

use crate::fault::{End, Way, name};
use crate::say;

/// What all their names begin with; then comes the process that made them.
const FAMILY: &str = "evenkeel-chaos-";
/// What the router is called.
const ROUTER: &str = "router";
/// The links' addresses, up to the link's number.
const NET: &str = "10.77";

/// Namespaces, linked by the router.
pub(crate) struct Namespaces {
    prefix: String,
    /// All of them, to be removed.
    made: Vec<String>,
}

impl Namespaces {
    /// Whether there can be any. If not, it says so loudly.
    pub(crate) fn possible() -> bool {
        static ANSWER: OnceLock<bool> = OnceLock::new();
        *ANSWER.get_or_init(|| {
            let answer = Self::try_out();
            if let Err(why) = &answer {
                say(&format!("SKIPPED, no fault is made: there can be no namespaces here: {why}"));
            }
            answer.is_ok()
        })
    }

    /// One of everything that they need is made, and removed.
    fn try_out() -> Result<(), String> {
        let mut trial = Self::none("trial");
        trial.found()?;
        trial.link(End::Clients)?;
        trial.link(End::Node(0))?;
        let way = Way { from: End::Clients, to: End::Node(0) };
        trial.rule("add", way)?;
        trial.rule("del", way)
    }

    /// The router, the clients and so many nodes.
    pub(crate) fn make(label: &str, nodes: usize) -> Self {
        remove_leftovers();
        let mut made = Self::none(label);
        let ends = std::iter::once(End::Clients).chain((0..nodes).map(End::Node));
        let linked = made.found().and_then(|()| ends.into_iter().try_for_each(|it| made.link(it)));
        linked.unwrap_or_else(|why| panic!("the namespaces can't be made: {why}"));
        made
    }

    /// The network at an end.
    pub(crate) fn at(&self, end: End) -> Network {
        Network::Namespace(self.called(&word(end)))
    }

    /// Whatever is sent these ways is lost without a word.
    pub(crate) fn cut(&self, ways: &[Way]) {
        self.rules("add", ways);
    }

    /// What is sent these ways arrives again.
    pub(crate) fn mend(&self, ways: &[Way]) {
        self.rules("del", ways);
    }

    /// How many packets the router has taken and neither passed on nor kept.
    pub(crate) fn dropped(&self) -> u64 {
        let router = self.called(ROUTER);
        let table = run("ip", &["netns", "exec", &router, "cat", "/proc/net/snmp"]);
        let table = table.expect("the router's counters can be read");
        let mut rows = table.lines().filter(|line| line.starts_with("Ip:"));
        let (names, figures) = (rows.next().unwrap_or(""), rows.next().unwrap_or(""));
        let figure = |name: &str| -> u64 {
            let mut both = names.split(' ').zip(figures.split(' '));
            let found = both.find(|(it, _)| *it == name).and_then(|(_, it)| it.parse().ok());
            found.expect("the kernel counts it")
        };
        figure("InReceives").saturating_sub(figure("ForwDatagrams") + figure("InDelivers"))
    }

    fn none(label: &str) -> Self {
        let prefix = format!("{FAMILY}{}-{label}", std::process::id());
        Self { prefix, made: Vec::new() }
    }

    fn called(&self, word: &str) -> String {
        format!("{}-{word}", self.prefix)
    }

    fn add(&mut self, word: &str) -> Result<String, String> {
        let name = self.called(word);
        run("ip", &["netns", "add", &name])?;
        self.made.push(name.clone());
        run("ip", &["-n", &name, "link", "set", "dev", "lo", "up"])?;
        Ok(name)
    }

    /// Makes the router. It must not look where a packet's sender could be reached: with one
    /// direction cut, it would drop the other too.
    fn found(&mut self) -> Result<(), String> {
        let router = self.add(ROUTER)?;
        let set =
            "echo 1 >ip_forward && echo 0 >conf/all/rp_filter && echo 0 >conf/default/rp_filter";
        let set = format!("cd /proc/sys/net/ipv4 && {set}");
        run("ip", &["netns", "exec", &router, "sh", "-c", &set])?;
        Ok(())
    }

    /// Makes a namespace and its link to the router.
    fn link(&mut self, end: End) -> Result<(), String> {
        let (router, word) = (self.called(ROUTER), word(end));
        let name = self.add(&word)?;
        let near = gateway(end);
        let (far, from) = (address(end), format!("{near}/24"));
        let to = format!("{far}/24");
        let veth = ["type", "veth", "peer", "name", "up0", "netns", &name];
        run("ip", &[&["-n", &router, "link", "add", "name", &word][..], &veth].concat())?;
        run("ip", &["-n", &router, "address", "add", &from, "dev", &word])?;
        run("ip", &["-n", &router, "link", "set", "dev", &word, "up"])?;
        run("ip", &["-n", &name, "address", "add", &to, "dev", "up0"])?;
        run("ip", &["-n", &name, "link", "set", "dev", "up0", "up"])?;
        run("ip", &["-n", &name, "route", "add", "default", "via", &near])?;
        Ok(())
    }

    fn rules(&self, verb: &str, ways: &[Way]) {
        for way in ways {
            self.rule(verb, *way).expect("the router takes rules");
        }
    }

    fn rule(&self, verb: &str, way: Way) -> Result<(), String> {
        let (router, from, to) = (self.called(ROUTER), address(way.from), address(way.to));
        run("ip", &["-n", &router, "rule", verb, "from", &from, "to", &to, "blackhole"])?;
        Ok(())
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for name in &self.made {
            // The next run tries again.
            let _ = run("ip", &["netns", "del", name]);
        }
    }
}

/// The address of an end.
pub(crate) fn address(end: End) -> String {
    format!("{NET}.{}.2", link_number(end))
}

fn gateway(end: End) -> String {
    format!("{NET}.{}.1", link_number(end))
}

fn link_number(end: End) -> usize {
    match end {
        End::Clients => 0,
        End::Node(node) => node + 1,
    }
}

fn word(end: End) -> String {
    match end {
        End::Clients => "clients".to_owned(),
        End::Node(node) => name(node),
    }
}

/// Removes what runs that died have left: their namespaces, and agents that stand still in them.
fn remove_leftovers() {
    let all = run("ip", &["netns", "list"]).unwrap_or_default();
    for name in all.lines().filter_map(|line| line.split(' ').next()) {
        let maker = name.strip_prefix(FAMILY).and_then(|rest| rest.split('-').next());
        let Some(maker) = maker.and_then(|pid| pid.parse::<u32>().ok()) else { continue };
        if is_alive(maker) {
            continue;
        }
        let inside = run("ip", &["netns", "pids", name]).unwrap_or_default();
        for pid in inside.lines().filter_map(|pid| Pid::from_raw(pid.trim().parse().ok()?)) {
            // It may end by itself meanwhile.
            let _ = kill_process(pid, Signal::KILL);
        }
        // Another run may be removing it too.
        let _ = run("ip", &["netns", "del", name]);
    }
}

/// What a command of the system says, or why it failed.
fn run(program: &str, words: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(words).output();
    let output = output.map_err(|why| format!("{program}: {why}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(format!("{program} {}: {why}", words.join(" ")))
}

#[cfg(test)]
mod tests;
