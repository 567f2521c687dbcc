//! Who may start a failover, and what operators do in the agents' place: manual failovers, planned
//! switchovers, maintenance, copies that come and go under load.

use std::time::Duration;

use evenkeel_tests::{Cluster, Writers, wait_for};
use serde_json::Value;

/// How long a change may take on a busy machine.
const SOON: Duration = Duration::from_secs(60);

fn shard(cluster: &Cluster, id: u64) -> Option<Value> {
    let shards = cluster.run(&["shards", "--json"]);
    (shards.code == Some(0)).then_some(())?;
    let shards = shards.json();
    shards.as_array()?.iter().find(|shard| shard["id"] == id).cloned()
}

fn leaders(cluster: &Cluster, name: &str) -> Option<u64> {
    let nodes = cluster.run(&["nodes", "--json"]);
    (nodes.code == Some(0)).then_some(())?;
    let nodes = nodes.json();
    nodes.as_array()?.iter().find(|node| node["name"] == name)?["leaders"].as_u64()
}

fn place(cluster: &Cluster, name: &str) -> usize {
    let at = cluster.agents.iter().position(|agent| agent.plan.name == name);
    at.expect("agents have their names")
}

/// Who leads the first shard.
fn leader_of(cluster: &Cluster, id: u64) -> String {
    wait_for("it is led", SOON, || shard(cluster, id)?["leader"].as_str().map(str::to_owned))
}

/// Whoever leads the first shard says that it does so by an operator's word.
fn wait_for_an_order_as_cause(cluster: &Cluster) {
    wait_for("what happened is explained", SOON, || {
        let explained = cluster.ask(&["shard", "explain", "1"]);
        assert_eq!(explained["failover"]["mode"], "manual", "{explained}");
        let told = explained["failover"]["last"]["cause"].as_str()?.to_owned();
        told.contains("told to stand").then_some(())
    });
}

#[test]
fn with_failover_in_operators_hands_nobody_takes_over_until_they_say_so() {
    let mut cluster = Cluster::start(3);
    let done = cluster.ask(&["failover", "manual", "--yes"]);
    assert_eq!(done["done"], true, "{done}");
    let status = cluster.run(&["status"]);
    assert!(status.stdout.contains("failover is manual"), "{}", status.stdout);

    let writers = Writers::start(cluster.addresses(), "manual", 4);
    writers.wait_for_more(100);
    let first = leader_of(&cluster, 1);
    let at = place(&cluster, &first);
    cluster.agents[at].kill();
    cluster.wait_state(&first, "DOWN");
    wait_for("the survivors say that it is unled", SOON, || {
        shard(&cluster, 1)?["leader"].is_null().then_some(())
    });
    let plan = cluster.ask(&["plan", "show"]).to_string();
    assert!(plan.contains("no leader"), "{plan}");

    // The operator's word: now somebody stands, and its shards are written again.
    let failed = cluster.ask(&["shard", "failover", "1", "--accept-loss"]);
    assert_eq!(failed["done"], true, "{failed}");
    let second = leader_of(&cluster, 1);
    assert_ne!(second, first);
    wait_for_an_order_as_cause(&cluster);

    // Whoever led the others leads them again when it is back, or hands on what it can not lead.
    cluster.agents[at].start();
    cluster.wait_healthy();
    writers.wait_for_more(100);
    let done = cluster.ask(&["failover", "automatic", "--yes"]);
    assert_eq!(done["done"], true, "{done}");
    let third = leader_of(&cluster, 1);
    let at = place(&cluster, &third);
    cluster.agents[at].kill();
    wait_for("the others elect by themselves", SOON, || {
        let leader = shard(&cluster, 1)?["leader"].as_str()?.to_owned();
        (leader != third).then_some(())
    });
    wait_for("each part of it is told", SOON, || {
        let explained = cluster.ask(&["shard", "explain", "1"]);
        let last = &explained["failover"]["last"];
        let dead = last["cause"].as_str()?.contains("held dead");
        (dead && last["took_us"]["elect"].is_u64()).then_some(())
    });
    writers.finish().assert_kept(cluster.addresses());
}

#[test]
fn a_voter_that_is_told_to_stand_and_lacks_writes_hands_on() {
    let mut cluster = Cluster::start(3);
    let writers = Writers::start(cluster.addresses(), "behind", 4);
    writers.wait_for_more(20);
    let behind = place(&cluster, &leader_of(&cluster, 2));
    let lacking = cluster.agents[behind].plan.name.clone();
    cluster.agents[behind].freeze();
    cluster.wait_state(&lacking, "DOWN");
    for id in 1..=4 {
        wait_for("the others lead", SOON, || {
            let leader = shard(&cluster, id)?["leader"].as_str()?.to_owned();
            (leader != lacking).then_some(())
        });
    }
    let done = cluster.ask(&["failover", "manual", "--yes"]);
    assert_eq!(done["done"], true, "{done}");
    writers.wait_for_more(400);
    let first = leader_of(&cluster, 1);
    let led = place(&cluster, &first);
    cluster.agents[led].kill();
    cluster.agents[behind].thaw();
    cluster.wait_state(&first, "DOWN");
    cluster.wait_state(&lacking, "UP");

    // Whoever is asked may still hold the other survivor dead, for a moment after the thaw.
    let told = ["shard", "failover", "1", "--to", &lacking, "--accept-loss", "--yes", "--json"];
    let failed = wait_for("somebody stands", SOON, || {
        let said = cluster.run(&told);
        (said.code == Some(0)).then(|| said.json())
    });
    let (told, leader) = (failed.to_string(), leader_of(&cluster, 1));
    assert_eq!(failed["done"], true, "{failed}");
    assert!(leader != first && leader != lacking, "{leader}: {told}");
    assert!(told.contains("did not win"), "{told}");
    wait_for_an_order_as_cause(&cluster);
    cluster.agents[led].start();
    cluster.wait_healthy();
    writers.finish().assert_kept(cluster.addresses());
}

#[test]
fn a_pause_ends_by_itself_and_must_end() {
    let mut cluster = Cluster::start(3);
    let endless = cluster.run(&["failover", "pause", "--yes"]).expect(2);
    assert!(endless.stderr.contains("--for"), "{}", endless.stderr);
    let done = cluster.ask(&["failover", "pause", "--for", "4s", "--keyspace", "default", "--yes"]);
    assert_eq!(done["done"], true, "{done}");
    let shown = cluster.ask(&["failover", "show"]).to_string();
    assert!(shown.contains("paused"), "{shown}");
    let first = leader_of(&cluster, 1);
    let at = place(&cluster, &first);
    cluster.agents[at].kill();
    wait_for("the others take over when the pause is over", SOON, || {
        let leader = shard(&cluster, 1)?["leader"].as_str()?.to_owned();
        (leader != first).then_some(())
    });
}

#[test]
fn a_node_is_switched_over_and_restarted_without_a_failed_write() {
    let mut cluster = Cluster::start(3);
    let writers = Writers::start(cluster.addresses(), "switchover", 4);
    for at in 0..3 {
        let name = cluster.agents[at].plan.name.clone();
        writers.wait_for_more(100);
        let done = cluster.ask(&["node", "switchover", &name, "--yes"]);
        assert_eq!(done["done"], true, "{done}");
        assert_eq!(leaders(&cluster, &name), Some(0), "{done}");
        cluster.wait_state(&name, "MAINT");
        cluster.agents[at].terminate();
        cluster.agents[at].start();
        let ended = cluster.ask(&["node", "maintain", &name, "--end", "--yes"]);
        assert_eq!(ended["done"], true, "{ended}");
        cluster.wait_healthy();
    }
    writers.wait_for_more(100);
    let tally = writers.finish();
    assert_eq!((tally.refused, tally.unknown), (0, 0), "a rolling restart fails nothing");
    tally.assert_kept(cluster.addresses());
}

#[test]
fn a_copy_comes_and_goes_under_load() {
    let cluster = Cluster::start(4);
    let writers = Writers::start(cluster.addresses(), "copies", 4);
    writers.wait_for_more(100);
    let voters = |cluster: &Cluster| -> Option<Vec<String>> {
        let voters = shard(cluster, 1)?["voters"].as_array()?.clone();
        Some(voters.iter().filter_map(|voter| voter.as_str().map(str::to_owned)).collect())
    };
    let held = voters(&cluster).expect("it has voters");
    let all = ["n1", "n2", "n3", "n4"];
    let free = all.iter().find(|name| !held.contains(&(**name).to_owned())).expect("one of four");
    let added = cluster.ask(&["shard", "replica", "add", "1", free, "--yes"]);
    assert_eq!(added["done"], true, "{added}");
    assert_eq!(voters(&cluster).map(|voters| voters.len()), Some(4));
    writers.wait_for_more(100);

    // The leader's own copy may go: it hands over first.
    let leader = leader_of(&cluster, 1);
    let words = ["shard", "replica", "remove", "1", &leader, "--yes", "--override", "s1"];
    let removed = cluster.ask(&words);
    assert_eq!(removed["done"], true, "{removed}");
    wait_for("three copies are left, and none on that node", SOON, || {
        let left = voters(&cluster)?;
        (left.len() == 3 && !left.contains(&leader)).then_some(())
    });
    wait_for("every agent knows that it has gone", SOON, || {
        let twice = cluster.run(&words);
        (twice.code == Some(1) && twice.stderr.contains("no copy")).then_some(())
    });
    writers.wait_for_more(100);
    let tally = writers.finish();
    assert_eq!(tally.refused, 0);
    tally.assert_kept(cluster.addresses());
}

#[test]
fn a_switchover_is_done_at_its_time_or_called_off() {
    let cluster = Cluster::start(3);
    let first = leader_of(&cluster, 2);
    let planned = cluster.ask(&["shard", "switchover", "2", "--in", "10min", "--yes"]);
    assert_eq!(planned["done"], true, "{planned}");
    let plan = cluster.ask(&["plan", "show"]);
    let id = plan["scheduled"][0]["id"].to_string();
    let off = cluster.ask(&["plan", "cancel", &id, "--yes"]);
    assert_eq!(off["done"], true, "{off}");
    assert_eq!(cluster.ask(&["plan", "show"])["scheduled"], serde_json::json!([]));

    let planned = cluster.ask(&["shard", "switchover", "2", "--in", "1s", "--yes"]);
    assert_eq!(planned["done"], true, "{planned}");
    wait_for("another leads", SOON, || {
        let events = cluster.ask(&["events", "--limit", "200"]).to_string();
        (events.contains("scheduled as number 2") && events.contains("done: s2 is led by"))
            .then_some(())
    });
    let journal = cluster.ask(&["events", "--shard", "2", "--limit", "50"]).to_string();
    assert!(journal.contains("handed over"), "{first} led: {journal}");
}
