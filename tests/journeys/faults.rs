//! Drills that let something go wrong for a while: each is seen, survived, and over when it is said.

use std::time::Duration;

use evenkeel_tests::{Cluster, ClusterPlan, Contenders, Resp, wait_for};

/// How long a change may take on a busy machine.
const SOON: Duration = Duration::from_secs(60);

fn drilled(flags: &[&str]) -> Cluster {
    let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
    Cluster::start_with(&ClusterPlan { flags, ..ClusterPlan::default() })
}

fn begin(cluster: &Cluster, words: &[&str], name: &str) {
    let mut all = vec!["node"];
    all.extend(words);
    // Until it is stopped.
    all.extend(["--for", "10min", "--yes", "--override", name]);
    let done = cluster.ask(&all);
    assert_eq!(done["done"], true, "{done}");
}

fn stop(cluster: &Cluster, name: &str) {
    let stopped = cluster.ask(&["drill", "stop", "--yes"]);
    let what = stopped["what"].as_str().unwrap_or_default();
    assert!(what.contains(name), "{stopped}");
    cluster.wait_state(name, "UP");
    cluster.wait_healthy();
}

fn wait_until_it_leads_nothing(cluster: &Cluster, name: &str) {
    wait_for("it leads nothing", SOON, || {
        let nodes = cluster.ask(&["nodes"]);
        let node = nodes.as_array()?.iter().find(|node| node["name"] == name)?;
        (node["leaders"] == 0).then_some(())
    });
}

fn judge(contenders: Contenders) {
    if let Err(verdict) = evenkeel_history::check(&contenders.finish()) {
        panic!("{verdict}");
    }
}

#[test]
fn faults_of_every_kind_leave_a_history_that_one_copy_could_have() {
    let mut cluster = drilled(&["--drills", "--supervise"]);
    let contenders = Contenders::start(cluster.addresses(), 6);
    contenders.wait_for_more(200);
    let busiest = |cluster: &mut Cluster| {
        let at = cluster.busiest();
        cluster.agents[at].plan.name.clone()
    };

    // A stopped process hears nothing of a stop: it is let go by its supervisor.
    let name = busiest(&mut cluster);
    let done = cluster.ask(&["node", "freeze", &name, "--for", "3s", "--yes", "--override", &name]);
    assert_eq!(done["done"], true, "{done}");
    cluster.wait_state(&name, "DOWN");
    contenders.wait_for_more(200);
    cluster.wait_state(&name, "UP");
    cluster.wait_healthy();

    let name = busiest(&mut cluster);
    begin(&cluster, &["cut", &name], &name);
    cluster.wait_state(&name, "DOWN");
    contenders.wait_for_more(200);
    stop(&cluster, &name);

    let name = busiest(&mut cluster);
    begin(&cluster, &["cut", &name, "--way", "out"], &name);
    cluster.wait_state(&name, "DOWN");
    contenders.wait_for_more(200);
    stop(&cluster, &name);

    let name = busiest(&mut cluster);
    begin(&cluster, &["stall-disk", &name], &name);
    wait_until_it_leads_nothing(&cluster, &name);
    contenders.wait_for_more(200);
    stop(&cluster, &name);

    let name = busiest(&mut cluster);
    begin(&cluster, &["fill-disk", &name], &name);
    cluster.wait_state(&name, "SLOW");
    wait_until_it_leads_nothing(&cluster, &name);
    contenders.wait_for_more(200);
    stop(&cluster, &name);

    // Two at once, on one node; neither takes it away.
    let name = busiest(&mut cluster);
    begin(&cluster, &["slow", &name, "--delay", "20ms", "--jitter", "60ms"], &name);
    begin(&cluster, &["skew", &name, "--by", "-90000"], &name);
    contenders.wait_for_more(200);
    stop(&cluster, &name);

    judge(contenders);
    let events = cluster.ask(&["events", "--limit", "900"]).to_string();
    for fault in ["frozen", "cut off", "not heard", "seems full", "wall clock"] {
        assert!(events.contains(&format!("asked: {name}")) && events.contains(fault), "{fault}");
    }
}

#[test]
fn a_fault_needs_drills_and_a_freeze_somebody_who_ends_it() {
    let plain = Cluster::start(3);
    let refused = plain.run(&["node", "cut", "n2", "--yes", "--override", "n2"]).expect(1);
    assert!(refused.stderr.contains("drills"), "{}", refused.stderr);
    let nothing = plain.ask(&["drill", "stop", "--yes"]);
    assert!(nothing["what"].as_str().unwrap_or_default().contains("no drill"), "{nothing}");

    let alone = drilled(&["--drills"]);
    let refused = alone.run(&["node", "freeze", "n2", "--yes", "--override", "n2"]).expect(1);
    assert!(refused.stderr.contains("--supervise"), "{}", refused.stderr);
    alone.wait_healthy();
}

#[test]
fn a_restart_ends_every_fault() {
    let cluster = drilled(&["--drills", "--supervise"]);
    begin(&cluster, &["cut", "n2"], "n2");
    cluster.wait_state("n2", "DOWN");
    let first = cluster.agents[1].pid().expect("a running agent has written its number");
    // It still hears operators; its supervisor starts another process, which knows of no fault.
    let words = ["node", "kill", "n2", "--for", "1s", "--yes", "--override", "n2"];
    let killed = cluster.run_at(1, &words);
    assert_eq!(killed.code, Some(0), "{}", killed.stderr);
    wait_for("another process runs", SOON, || cluster.agents[1].pid().filter(|pid| *pid != first));
    cluster.wait_state("n2", "UP");
    cluster.wait_healthy();
}

#[test]
fn a_node_that_is_cut_off_says_at_once_that_it_has_no_quorum() {
    let cluster = drilled(&["--drills"]);
    begin(&cluster, &["cut", "n1"], "n1");
    cluster.wait_state("n1", "DOWN");
    // Each of them would have waited for its deadline: twenty of them for minutes.
    wait_for("twenty writes in a row are refused", SOON, || {
        let mut client = Resp::connect(&cluster.agents[0].plan.resp);
        let refused = |number: u32| {
            let answer = client.ask(&["SET", &format!("cut/{number}"), "x"]);
            answer.starts_with("-CLUSTERDOWN")
        };
        (0..20).all(refused).then_some(())
    });
    stop(&cluster, "n1");
    Resp::connect(&cluster.agents[0].plan.resp).check(&["SET", "cut/0", "x"], "+OK\r\n");
}

/// Who leads the system shard, and the two others, each with its place.
fn controller_and_others(cluster: &Cluster) -> ((usize, String), [(usize, String); 2]) {
    let controller = wait_for("a controller", SOON, || {
        // Whoever is asked may not have heard of every leader yet.
        let status = cluster.run(&["status", "--json"]);
        let status = (status.code == Some(0)).then(|| status.json())?;
        Some(status["controller"].as_str()?.to_owned())
    });
    let all = cluster.agents.iter().map(|agent| agent.plan.name.clone()).enumerate();
    let (controllers, others): (Vec<_>, Vec<_>) = all.partition(|(_, name)| *name == controller);
    let controller = controllers.into_iter().next().expect("the controller is one of them");
    (controller, others.try_into().expect("three agents"))
}

/// What an agent's journal says of it: the ends of a link don't hear each other, so that only the third
/// node can be asked.
fn wait_for_cause(cluster: &Cluster, at: usize, why: &str) {
    wait_for("it is handed over for that", SOON, || {
        let events = cluster.run_at(at, &["events", "--limit", "1000", "--json"]);
        let events = (events.code == Some(0)).then(|| events.json())?;
        events.as_array()?.iter().any(|event| event["why"] == why).then_some(())
    });
}

fn wait_until_all_is_led_by(cluster: &Cluster, (at, name): &(usize, String)) {
    wait_for("the others lead nothing", SOON, || {
        let nodes = cluster.run_at(*at, &["nodes", "--json"]);
        let nodes = (nodes.code == Some(0)).then(|| nodes.json())?;
        let mut others = nodes.as_array()?.iter().filter(|node| node["name"] != *name);
        others.all(|node| node["leaders"] == 0).then_some(())
    });
}

#[test]
fn a_copy_that_gets_nothing_from_its_leader_is_given_another() {
    let cluster = drilled(&["--drills"]);
    let contenders = Contenders::start(cluster.addresses(), 6);
    let (controller, [(_, deaf), (_, other)]) = controller_and_others(&cluster);
    begin(&cluster, &["cut", &deaf, "--from", &other, "--way", "in"], &deaf);
    wait_for_cause(&cluster, controller.0, &format!("{deaf} gets nothing from {other}"));
    wait_until_all_is_led_by(&cluster, &controller);
    contenders.wait_for_more(200);
    stop(&cluster, &deaf);
    judge(contenders);
}

#[test]
fn a_controller_that_does_not_hear_a_node_makes_room_for_one_that_does() {
    let cluster = drilled(&["--drills"]);
    let contenders = Contenders::start(cluster.addresses(), 6);
    let ((_, controller), [(_, cut), third]) = controller_and_others(&cluster);
    begin(&cluster, &["cut", &cut, "--from", &controller], &cut);
    let heard = format!("{controller} does not hear {cut}, which {} does", third.1);
    wait_for_cause(&cluster, third.0, &heard);
    wait_until_all_is_led_by(&cluster, &third);
    contenders.wait_for_more(200);
    stop(&cluster, &cut);
    // Their heartbeats tell that the link works again: it is not waited for longer than that takes.
    let words = ["wait", "--until", "balanced", "--nodes", "3", "--timeout", "120s"];
    cluster.run(&words).expect(0);
    judge(contenders);
}
