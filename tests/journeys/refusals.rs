//! What can't work is refused with one clear sentence and an exit code other than 0.

use evenkeel_tests::{Agent, AgentPlan, Cluster, ClusterPlan, evenkeel};

/// A cluster of one agent.
fn one() -> Cluster {
    Cluster::start(1)
}

/// Starts an agent that must be refused; its sentence.
fn refused(plan: AgentPlan) -> String {
    let mut agent = Agent::new(plan);
    agent.start();
    let code = agent.ends_by_itself();
    let log = agent.log();
    assert_eq!(code, Some(1), "{log}");
    let errors: Vec<&str> = log.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "one sentence, not {log}");
    errors[0].to_owned()
}

#[test]
fn a_second_agent_on_the_same_folder_is_refused() {
    let cluster = one();
    let data = cluster.agents[0].plan.data().display().to_string();
    let words = ["agent", "--name", "n1", "--bootstrap", "--listen", "127.0.0.1:0", "--data"];
    let output = evenkeel(&[&words[..], &[&data]].concat()).expect(1);
    assert!(output.stderr.contains("in use by process"), "{}", output.stderr);
}

#[test]
fn a_folder_of_another_node_is_refused() {
    let mut cluster = one();
    cluster.agents[0].terminate();
    let data = cluster.agents[0].plan.data().display().to_string();
    let words = ["agent", "--name", "n2", "--bootstrap", "--listen", "127.0.0.1:0", "--data"];
    let output = evenkeel(&[&words[..], &[&data]].concat()).expect(1);
    assert!(output.stderr.contains("belongs to node n1, not to n2"), "{}", output.stderr);
}

#[test]
fn a_taken_port_is_refused() {
    let cluster = one();
    let plan = AgentPlan { name: "n2".to_owned(), ..cluster.agents[0].plan.clone() };
    let address = plan.rpc.clone();
    let sentence = refused(plan);
    assert!(sentence.contains(&address), "{sentence}");
    assert_eq!(sentence.matches("in use").count(), 1, "said once: {sentence}");
}

#[test]
fn a_taken_name_is_refused_when_joining() {
    let cluster = one();
    let spare = Cluster::plan(&ClusterPlan::default());
    let mut plan = spare.agents[1].plan.clone();
    plan.name = "n1".to_owned();
    plan.entry = evenkeel_tests::Entry::Join(cluster.addresses());
    let sentence = refused(plan);
    assert!(sentence.contains("n1"), "{sentence}");
}

#[test]
fn a_folder_of_another_cluster_is_refused_when_joining() {
    let (cluster, mut other) = (one(), one());
    other.agents[0].terminate();
    let (data, seed) = (other.agents[0].plan.data(), cluster.addresses()[0].clone());
    let data = data.display().to_string();
    let words = ["agent", "--name", "n1", "--listen", "127.0.0.1:0", "--data"];
    let output = evenkeel(&[&words[..], &[&data, "--join", &seed]].concat()).expect(1);
    assert!(output.stderr.contains("belongs to cluster"), "{}", output.stderr);
    assert!(output.stderr.contains(&format!("seed {seed}")), "{}", output.stderr);
}

#[test]
fn settings_that_can_not_be_used_are_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let begun = ["agent", "--name", "n1", "--data", &data];
    for (rest, named) in [
        (&["--listen", "nowhere"][..], "--listen nowhere"),
        (&["--bootstrap", "--shards", "0"], "--shards 0"),
        (&["--listen", "127.0.0.1:0"], "--bootstrap"),
    ] {
        let output = evenkeel(&[&begun[..], rest].concat()).expect(2);
        assert!(output.stderr.contains(named), "{}", output.stderr);
    }
    let output = evenkeel(&["agent", "--data", &data]).expect(2);
    assert!(output.stderr.contains("--name is missing"), "{}", output.stderr);
}

#[test]
fn a_script_finds_the_refusal_on_standard_output() {
    let cluster = one();
    let json = |words: &[&str], code| {
        let output = cluster.run(&[words, &["--json"]].concat()).expect(code);
        let answer: serde_json::Value = serde_json::from_str(&output.stdout).expect("one answer");
        answer
    };
    let answer = json(&["node", "evict", "n9", "--yes"], 1);
    assert!(answer["error"].as_str().unwrap().contains("n9"), "{answer}");
    let answer = json(&["backup", "create", "--to", "nowhere"], 2);
    assert_eq!(answer["exit"], 2, "{answer}");
    let answer = evenkeel(&["status", "--json", "--connect", "127.0.0.1:1"]).expect(3).stdout;
    assert!(answer.contains("\"error\""), "{answer}");
}

#[test]
fn an_unknown_flag_is_a_usage_error() {
    for words in [&["agent", "--nonsense"][..], &["status", "--nonsense"], &["nonsense"]] {
        let output = evenkeel(words).expect(2);
        assert!(output.stderr.contains("nonsense"), "{}", output.stderr);
    }
}

#[test]
fn an_unknown_key_of_the_configuration_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.toml");
    std::fs::copy(env!("CARGO_MANIFEST_PATH"), &path).unwrap();
    let path = path.display().to_string();
    let output = evenkeel(&["agent", "config", "--check", "--config", &path]).expect(2);
    assert!(output.stderr.contains(&path), "{}", output.stderr);
}

#[test]
fn nobody_listening_is_told_apart_from_a_sick_cluster() {
    let output = evenkeel(&["status", "--connect", "127.0.0.1:1", "--timeout", "2s"]);
    assert_eq!(output.code, Some(3), "{}", output.stderr);
}
