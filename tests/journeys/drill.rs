//! An operator kills a node on purpose; its supervisor brings it back.

use std::fs::File;
use std::io::Write;
use std::time::Duration;

use evenkeel_tests::{Cluster, ClusterPlan, Running, Writers, wait_for};
use serde_json::Value;

/// How long a change may take on a busy machine.
const SOON: Duration = Duration::from_secs(60);

#[test]
fn a_node_killed_by_an_operator_comes_back_by_itself() {
    let flags = ["--drills", "--supervise"].map(str::to_owned).to_vec();
    let mut cluster = Cluster::start_with(&ClusterPlan { flags, ..ClusterPlan::default() });
    let writers = Writers::start(cluster.addresses(), "drill", 4);
    writers.wait_for_more(100);
    let victim = cluster.busiest();
    let name = cluster.agents[victim].plan.name.clone();
    let first = cluster.agents[victim].pid().expect("a running agent has written its number");

    let words = ["node", "kill", &name, "--for", "3s", "--yes", "--override", &name];
    let killed = cluster.ask(&words);
    assert_eq!(killed["done"], true, "{killed}");
    cluster.wait_state(&name, "DOWN");
    writers.wait_for_more(100);
    cluster.wait_state(&name, "UP");
    cluster.wait_healthy();

    assert_ne!(cluster.agents[victim].pid(), Some(first), "another process, same supervisor");
    assert!(cluster.agents[victim].is_running());
    writers.finish().assert_kept(cluster.addresses());
    let events = cluster.ask(&["events", "--limit", "200"]).to_string();
    assert!(events.contains(&name), "the act is in the journal: {events}");
}

#[test]
fn a_node_without_drills_is_not_killed() {
    let cluster = Cluster::start(3);
    let refused = cluster.run(&["node", "kill", "n2", "--yes", "--override", "n2"]).expect(1);
    assert!(refused.stderr.contains("drills"), "{}", refused.stderr);
    cluster.wait_healthy();
}

#[test]
fn an_act_without_a_quorum_is_in_the_journal_once_there_is_one() {
    let flags = ["--drills", "--supervise"].map(str::to_owned).to_vec();
    let mut cluster = Cluster::start_with(&ClusterPlan { flags, ..ClusterPlan::default() });
    cluster.agents[1].kill();
    cluster.agents[2].kill();
    let first = cluster.agents[0].pid().expect("a running agent has written its number");

    // An act that was foretold before both were missed would be refused as stale.
    wait_for("n1 misses both", SOON, || {
        let nodes = cluster.run_at(0, &["nodes", "--json"]);
        (nodes.code == Some(0)).then_some(())?;
        let nodes = nodes.json();
        let down = nodes.as_array()?.iter().filter(|node| node["state"] == "DOWN").count();
        (down == 2).then_some(())
    });

    // Nobody can commit a line now; the act is done all the same, and ends its only witness.
    let words = ["node", "kill", "n1", "--for", "1s", "--override", "n1", "--json"];
    let killed = cluster.run_at(0, &words).expect(0).json();
    assert_eq!(killed["done"], true, "{killed}");
    wait_for("another process runs", SOON, || cluster.agents[0].pid().filter(|pid| *pid != first));

    cluster.agents[1].start();
    cluster.agents[2].start();
    cluster.wait_healthy();
    wait_for("the act is in the journal", SOON, || {
        let events = cluster.ask(&["events", "--limit", "500"]).to_string();
        events.contains("asked: kill n1").then_some(())
    });
}

/// Runs a drill to its end; its history lies in the cluster's folder.
fn drill(cluster: &Cluster, words: &[&str], name: &str) -> (Option<i32>, Value, String) {
    let addresses = cluster.addresses().join(",");
    let all = [&["--connect", &addresses, "--json", "drill", "run"], words].concat();
    let mut running = Running::start(&all, cluster.folder(), name);
    wait_for("the drill is over", SOON * 3, || (!running.is_running()).then_some(()));
    let report = serde_json::from_str(&running.said()).unwrap_or_default();
    (running.code(), report, running.complained())
}

/// A script's file.
fn script(cluster: &Cluster, text: &str) -> String {
    let path = cluster.folder().join("script.toml");
    let written = File::create(&path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.expect("the folder is writable");
    path.to_str().expect("a temporary folder has a plain name").to_owned()
}

#[test]
fn a_drill_says_whether_what_was_expected_held_and_remembers_it() {
    let flags = ["--drills", "--supervise"].map(str::to_owned).to_vec();
    let cluster = Cluster::start_with(&ClusterPlan { flags, ..ClusterPlan::default() });
    let markdown = cluster.folder().join("report.md");
    let path = markdown.to_str().expect("a temporary folder has a plain name");

    let (code, report, complaints) =
        drill(&cluster, &["kill-leader", "--outage", "60s", "--yes", "--report", path], "first");
    assert_eq!(code, Some(0), "{report}\n{complaints}");
    assert_eq!(report["verdict"], "passed", "{report}");
    assert_eq!(report["lost"], 0, "{report}");
    let (acknowledged, checked) = (&report["acknowledged"], &report["checked"]);
    assert!(acknowledged.as_u64() > Some(100) && checked.as_u64() > Some(0), "{report}");
    let failovers = report["failovers"].as_array().expect("a list");
    let detect = |one: &Value| one["phases"]["detect_us"].is_u64();
    assert!(failovers.iter().any(detect), "its parts are told: {report}");
    let written = std::fs::read_to_string(&markdown).expect("the report was written");
    assert!(written.starts_with("# Drill kill-leader: PASSED"), "{written}");
    let scan = cluster.run(&["kv", "scan", "drill/", "--keys-only"]).expect(0);
    assert_eq!(scan.stdout, "", "probe keys are deleted");

    let history = cluster.folder().join("evenkeel").join("drills.jsonl");
    let lines = std::fs::read_to_string(history).expect("the run is remembered");
    let line: Value = serde_json::from_str(lines.trim()).expect("one line is there");
    assert_eq!(line["drill"], "kill-leader", "{line}");
    assert_eq!(line["outage_ms"], report["outage_ms"], "{line}");

    // The next run is compared with it; this one expects what can't be.
    let text = "name = \"kill-leader\"\n[hypothesis]\noutage = \"0ms\"\n\
                [[step]]\ndo = \"switchover\"\n";
    let path = script(&cluster, text);
    let (code, report, complaints) = drill(&cluster, &[&path, "--yes"], "second");
    assert_eq!(code, Some(1), "{report}\n{complaints}");
    assert_eq!(report["verdict"], "failed", "{report}");
    assert_eq!(report["earlier"]["runs"], 1, "{report}");
    cluster.wait_healthy();
}

#[test]
fn a_drill_with_a_slip_of_the_pen_or_without_drills_does_not_begin() {
    let cluster = Cluster::start(3);
    let text = "name = \"slip\"\n[hypothesis]\noutage = \"1s\"\n\
                [[step]]\ndo = \"kill\"\nnod = \"n1\"\n";
    let path = script(&cluster, text);
    let refused = cluster.run(&["drill", "run", &path, "--yes"]).expect(2);
    assert!(refused.stderr.contains("step 1: nod"), "{}", refused.stderr);
    assert!(refused.stderr.contains("try: `node`"), "{}", refused.stderr);

    let refused = cluster.run(&["drill", "run", "kill-leader", "--yes"]).expect(1);
    assert!(refused.stderr.contains("--drills"), "{}", refused.stderr);
    cluster.wait_healthy();
}
