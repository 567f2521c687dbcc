//! Reads below linearizable: any node with a copy answers, says what the answer is worth, and a
//! session is never shown less than it has seen, or is told that its past is gone.

use std::time::Duration;

use evenkeel_tests::{Cluster, Output, wait_for};

const SOON: Duration = Duration::from_secs(30);

/// Reads through one agent.
fn get(cluster: &Cluster, agent: usize, words: &[&str]) -> Output {
    cluster.run_at(agent, &[&["kv", "get", "--json"], words].concat())
}

/// The value that it reads.
fn value(cluster: &Cluster, agent: usize, words: &[&str]) -> String {
    cluster.run_at(agent, &[&["kv", "get"], words].concat()).expect(0).stdout
}

/// The number of an agent's node.
fn served_by(cluster: &Cluster, agent: usize) -> u64 {
    let nodes = cluster.ask(&["nodes"]);
    let name = cluster.agents[agent].plan.name.as_str();
    let node = nodes.as_array().into_iter().flatten().find(|node| node["name"] == name);
    node.expect("it is listed")["id"].as_u64().expect("a number")
}

#[test]
fn every_node_serves_its_own_copy_and_says_what_it_is_worth() {
    let cluster = Cluster::start(3);
    cluster.run(&["kv", "put", "k", "v"]).expect(0);
    for agent in 0..3 {
        let answer = wait_for("the copy has it, and knows its age", SOON, || {
            let got = get(&cluster, agent, &["k", "--level", "any"]);
            let answer = (got.code == Some(0)).then(|| got.json())?;
            answer["age_ms"].is_u64().then_some(answer)
        });
        assert_eq!(
            (answer["level"].as_str(), answer["found"].as_bool()),
            (Some("any"), Some(true))
        );
        assert_eq!(answer["served_by"].as_u64(), Some(served_by(&cluster, agent)), "{answer}");
        let bounded = get(&cluster, agent, &["k", "--level", "bounded=5s"]).expect(0).json();
        assert_eq!(bounded["level"], "bounded");
        assert!(bounded["age_ms"].as_u64().expect("an age") <= 5_000, "{bounded}");
        let fresh = get(&cluster, agent, &["k"]).expect(0).json();
        assert_eq!(
            (fresh["level"].as_str(), fresh["age_ms"].as_u64()),
            (Some("linearizable"), Some(0))
        );
    }
}

#[test]
fn a_bounded_read_of_a_lone_node_is_refused_once_it_is_too_old() {
    let mut cluster = Cluster::start(3);
    cluster.run(&["kv", "put", "k", "v"]).expect(0);
    wait_for("n3 has it", SOON, || {
        (get(&cluster, 2, &["k", "--level", "any"]).code == Some(0)).then_some(())
    });
    cluster.agents[0].kill();
    cluster.agents[1].kill();
    // Whatever it has can still be read, and a generous bound still holds.
    assert_eq!(value(&cluster, 2, &["k", "--level", "any"]), "v");
    assert_eq!(value(&cluster, 2, &["k", "--level", "bounded=10min"]), "v");
    wait_for("its copy is older than 200 ms, and it says so", SOON, || {
        let got = get(&cluster, 2, &["k", "--level", "bounded=200ms", "--timeout", "1s"]);
        (got.code == Some(3)).then_some(())
    });
    assert_eq!(get(&cluster, 2, &["k", "--timeout", "1s"]).code, Some(3), "nor is it linearizable");
}

#[test]
fn rule_18_a_session_reads_its_own_writes_on_any_node_and_through_a_failover() {
    let mut cluster = Cluster::start(3);
    let file = cluster.folder().join("session").display().to_string();
    for round in 0..5 {
        let text = format!("v{round}");
        cluster.run(&["kv", "put", "k", &text, "--session", &file]).expect(0);
        for agent in 0..3 {
            let answer = get(&cluster, agent, &["k", "--session", &file]).expect(0).json();
            assert_eq!(answer["level"], "session");
            let read = value(&cluster, agent, &["k", "--session", &file]);
            assert_eq!(read, text, "round {round} at n{}", agent + 1);
        }
    }
    let place = cluster.leader_of("k");
    cluster.agents[place].kill();
    for agent in (0..3).filter(|agent| *agent != place) {
        let read = value(&cluster, agent, &["k", "--session", &file]);
        assert_eq!(read, "v4", "the session survives at n{}", agent + 1);
    }
}

#[test]
fn a_session_from_before_a_restore_is_told_that_it_is_broken() {
    let cluster = Cluster::start(3);
    let (file, archive) = (cluster.folder().join("session"), cluster.folder().join("archive"));
    let (file, archive) = (file.display().to_string(), archive.display().to_string());
    cluster.run(&["kv", "put", "k", "old"]).expect(0);
    let made = cluster.ask(&["backup", "create", "--to", &archive, "--yes"]);
    let id = made["backup"].as_str().expect("the backup has an id").to_owned();
    cluster.run(&["kv", "put", "k", "new", "--session", &file]).expect(0);
    let words = ["restore", &id, "--from", &archive, "--override", &id, "--yes"];
    cluster.run(&words).expect(0);

    let got = cluster.run(&["kv", "get", "k", "--session", &file]).expect(1);
    assert!(got.stderr.contains("session broken"), "{}", got.stderr);
    std::fs::remove_file(&file).expect("the session's file");
    assert_eq!(cluster.run(&["kv", "get", "k", "--session", &file]).expect(0).stdout, "old");
}
