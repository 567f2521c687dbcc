//! What the controller does about what it sees, as operators have declared it; and what people and
//! other systems say of nodes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use evenkeel_tests::{Cluster, ClusterPlan, Ports, wait_for};
use serde_json::Value;

/// How long a change may take on a busy machine.
const SOON: Duration = Duration::from_secs(60);

fn write(cluster: &Cluster, name: &str, text: &str) -> String {
    let path = cluster.folder().join(name);
    let mut file = std::fs::File::create(&path).expect("the folder is writable");
    file.write_all(text.as_bytes()).expect("the disk has room");
    path.display().to_string()
}

fn leaders(cluster: &Cluster, name: &str) -> Option<u64> {
    let nodes = cluster.run(&["nodes", "--json"]);
    (nodes.code == Some(0)).then_some(())?;
    let nodes = nodes.json();
    nodes.as_array()?.iter().find(|node| node["name"] == name)?["leaders"].as_u64()
}

#[test]
fn a_policy_that_advises_waits_for_a_word_and_is_kept_in_versions() {
    let cluster_plan = ClusterPlan { nodes: 4, shards: 2, ..ClusterPlan::default() };
    let mut cluster = Cluster::start_with(&cluster_plan);
    let advise = "[rules]\ndown = \"advise\"\n[keyspace.default]\ngrace = \"1s\"\n";
    let file = write(&cluster, "advise.toml", advise);
    let diff = cluster.ask(&["policy", "diff", &file]).to_string();
    assert!(diff.contains("rules.down: act → advise"), "{diff}");
    let set = cluster.ask(&["policy", "set", &file, "--reason", "a look first", "--yes"]);
    assert_eq!(set["done"], true, "{set}");
    let kept = cluster.ask(&["keyspace", "list"]).to_string();
    assert!(kept.contains("1000"), "the grace is the keyspace's own: {kept}");

    let lost = cluster.busiest();
    let name = cluster.agents[lost].plan.name.clone();
    cluster.agents[lost].kill();
    let step = wait_for("a step waits for a word", SOON, || {
        let plan = cluster.ask(&["plan", "show"]);
        let advised =
            plan["steps"].as_array()?.iter().find(|it| it["status"] == "advised")?.clone();
        advised["name"].as_str().map(str::to_owned)
    });
    let word = cluster.ask(&["plan", "apply", &step, "--yes"]);
    assert_eq!(word["done"], true, "{word}");
    wait_for("it is done", SOON, || {
        let plan = cluster.ask(&["plan", "show"]);
        let same = |it: &&Value| it["name"] == step.as_str();
        let ended = plan["ended"].as_array()?.iter().find(same)?;
        (ended["status"] == "success" && ended["tries"].as_u64() >= Some(1)).then_some(())
    });
    let unknown = cluster.run(&["plan", "apply", "s9.add.9", "--yes"]).expect(1);
    assert!(unknown.stderr.contains("plan show"), "{}", unknown.stderr);

    // Back to what was built in: it acts, and all copies are there again.
    let act = write(&cluster, "act.toml", "[keyspace.default]\ngrace = \"1s\"\n");
    let set = cluster.ask(&["policy", "set", &act, "--yes"]);
    assert_eq!(set["done"], true, "{set}");
    wait_for("every copy is on a node that lives", SOON, || {
        let shards = cluster.run(&["shards", "--json"]);
        (shards.code == Some(0)).then_some(())?;
        let shards = shards.json();
        let whole =
            |shard: &Value| shard["health"] == "ok" && !shard["voters"].to_string().contains(&name);
        shards.as_array()?.iter().all(whole).then_some(())
    });
    let back = cluster.ask(&["policy", "rollback", "1", "--yes"]);
    assert_eq!(back["done"], true, "{back}");
    let history = cluster.ask(&["policy", "history"]);
    assert_eq!(history.as_array().map(Vec::len), Some(3), "{history}");
    assert_eq!(history[2]["why"], "back to version 1", "{history}");
    assert_eq!(history[0]["text"], history[2]["text"]);

    let slip = write(&cluster, "slip.toml", "[rules]\ndwon = \"act\"\n");
    let refused = cluster.run(&["policy", "set", &slip, "--yes"]).expect(2);
    assert!(refused.stderr.contains("dwon"), "{}", refused.stderr);
    let stranger = write(&cluster, "stranger.toml", "[keyspace.orders]\ngrace = \"1s\"\n");
    let refused = cluster.run(&["policy", "set", &stranger, "--yes"]).expect(1);
    assert!(refused.stderr.contains("no keyspace orders"), "{}", refused.stderr);
}

#[test]
fn a_reported_node_is_slow_hands_its_leaderships_over_and_is_never_down() {
    let mut cluster = Cluster::start(3);
    let at = cluster.busiest();
    let name = cluster.agents[at].plan.name.clone();
    let words = ["node", "report", &name, "--reason", "smoke", "--source", "a person", "--yes"];
    let reported = cluster.ask(&words);
    assert_eq!(reported["done"], true, "{reported}");
    cluster.wait_state(&name, "SLOW");
    wait_for("it leads nothing", SOON, || (leaders(&cluster, &name)? == 0).then_some(()));
    let status = cluster.run(&["status"]).stdout;
    assert!(status.contains("reported by a person") && status.contains("smoke"), "{status}");
    let withdrawn = cluster.ask(&["node", "report", &name, "--withdraw", "--yes"]);
    assert_eq!(withdrawn["done"], true, "{withdrawn}");
    cluster.wait_state(&name, "UP");
    wait_for("it leads again", SOON, || (leaders(&cluster, &name)? > 0).then_some(()));
}

#[test]
fn other_systems_report_over_http_and_one_source_alone_changes_nothing() {
    let mut ports = Ports::block();
    let http = ports.address();
    let mut cluster = Cluster::plan(&ClusterPlan::default());
    cluster.agents[0].plan.flags.extend(["--http".to_owned(), http.clone()]);
    cluster.agents.iter_mut().for_each(evenkeel_tests::Agent::start);
    cluster.wait_healthy();
    let post = |source: &str, node: &str| {
        let body = format!(r#"{{"node":"{node}","reason":"link errors","source":"{source}"}}"#);
        let length = body.len();
        let mut stream = TcpStream::connect(&http).expect("the agent listens");
        let head = format!("POST /report HTTP/1.1\r\nhost: n1\r\ncontent-length: {length}\r\n");
        write!(stream, "{head}connection: close\r\n\r\n{body}").expect("it takes the request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    };
    assert!(post("switch a", "n2").starts_with("HTTP/1.1 200"));
    assert!(post("switch a", "n2").starts_with("HTTP/1.1 200"), "the last word of a source counts");
    let unknown = post("switch a", "n9");
    assert!(unknown.starts_with("HTTP/1.1 409") && unknown.contains("n9"), "{unknown}");
    wait_for("the journal says so", SOON, || {
        let events = cluster.ask(&["events", "--node", "n2"]).to_string();
        events.contains("switch a").then_some(())
    });
    cluster.wait_state("n2", "UP");
    assert!(post("switch b", "n2").starts_with("HTTP/1.1 200"));
    cluster.wait_state("n2", "SLOW");
}
