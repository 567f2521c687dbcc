//! Drills over the real wire, against an agent that answers from memory.

use std::time::Duration;

use evenkeel_shared::ids::ShardId;
use evenkeel_shared::preflight::{Action, Harm};
use evenkeel_shared::view::RecoveryChange;
use tokio::sync::{mpsc, watch};

use crate::cli::fake::{Fake, Trouble, sample_view};
use crate::drill::{self, Job, Mode, Probe, ProbePlan, Progress, Report, Verdict};

#[tokio::test(flavor = "multi_thread")]
async fn writers_reach_every_shard_and_leave_nothing_behind() {
    let fake = Fake::start(Trouble::None).await;
    let plan =
        ProbePlan { prefix: "drill/test/".to_owned(), writers: 4, keys: 3, pace: Duration::ZERO };
    let store = fake.session().store();
    let mut probe = Probe::start(&store, &sample_view(), &plan).await.unwrap();
    let shards = [ShardId(1), ShardId(2)];
    assert_eq!(probe.shards(), shards);
    assert!(probe.watch.alive(&shards, Duration::ZERO, Duration::from_secs(10)).await);
    probe.watch.turn(Mode::Free).await;
    let free = crate::clock::now();
    assert!(probe.watch.alive(&shards, free, Duration::from_secs(10)).await);
    probe.stop().await;
    probe.read_back().await;
    let counts = probe.watch.counts().clone();
    assert!(counts.acknowledged > 0 && counts.checked > 0);
    assert_eq!((counts.lost, counts.errors), (0, 0), "{:?}", counts.reasons);
    assert_eq!(probe.delete().await, 0);
    for (store, base) in probe.places("drill/test/") {
        for key in ["0", "1", "2", "scratch"] {
            let left = store.get(format!("{base}/{key}").into()).await.unwrap();
            assert_eq!(left.found, None, "{base}/{key}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_is_gone_is_found() {
    let fake = Fake::start(Trouble::None).await;
    let prefix = "drill/test/".to_owned();
    let plan = ProbePlan { prefix, writers: 2, keys: 3, pace: Duration::ZERO };
    let store = fake.session().store();
    let mut probe = Probe::start(&store, &sample_view(), &plan).await.unwrap();
    let shards = probe.shards();
    assert!(probe.watch.alive(&shards, Duration::ZERO, Duration::from_secs(10)).await);
    probe.stop().await;
    let key = format!("{}/0", probe.places("drill/test/")[0].1);
    store.delete(key.clone().into()).await.unwrap();
    probe.read_back().await;
    let counts = probe.watch.counts().clone();
    assert_eq!((counts.lost, counts.lost_keys), (1, vec![key]));
}

/// Runs a drill of these steps, and stops it at the first note if that is wanted.
async fn run(fake: &Fake, steps: &str, stops: bool) -> Report {
    let text = format!("name = \"t\"\n[hypothesis]\noutage = \"60s\"\nfailed = 0\n{steps}");
    let script = drill::read(&text).unwrap();
    let link = fake.session().link();
    let briefing = drill::brief(&link, &script, None).await.unwrap();
    assert_eq!(briefing.harm, Harm::Risk, "the agent says so");
    let actor = "a test".to_owned();
    let job = Job { script, archive: None, allowed: briefing.harm, actor, history: None };
    let (progress, mut heard) = mpsc::channel(1);
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(drill::run(link, job, progress, stopped));
    let mut last = None;
    while let Some(word) = heard.recv().await {
        match word {
            Progress::Note(_) if stops => drop(stop.send(true)),
            Progress::Done(report) => last = Some(*report),
            _ => {}
        }
    }
    running.await.unwrap();
    last.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_does_its_steps_and_gives_back_what_it_took() {
    let fake = Fake::start(Trouble::None).await;
    let steps = "[[step]]\ndo = \"switchover\"\nnode = \"n2\"\nfor = \"0s\"\n\
                 [[step]]\ndo = \"wait-healthy\"\n";
    let report = run(&fake, steps, false).await;
    assert_eq!(report.verdict, Verdict::Passed, "{}", report.text());
    assert_eq!(report.steps.len(), 2);
    assert!(report.acknowledged > 0 && report.checked > 0);
    let node = sample_view().nodes[1].id;
    let over = RecoveryChange::Maintain { node, maintenance: None };
    let acts = [Action::NodeSwitchover { node }, Action::Recover(over)];
    assert_eq!(fake.acts(), acts.map(|act| (act, 41)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_that_is_stopped_heals_what_it_has_done() {
    let fake = Fake::start(Trouble::None).await;
    let steps = "[[step]]\ndo = \"stall-disk\"\nnode = \"n1\"\nfor = \"1h\"\n";
    let report = run(&fake, steps, true).await;
    assert_eq!(report.verdict, Verdict::Stopped);
    assert_eq!(report.why.as_deref(), Some("stopped by the operator"));
    assert_eq!(report.healed, ["done"]);
    let acts: Vec<Action> = fake.acts().into_iter().map(|(act, _)| act).collect();
    assert!(matches!(acts[..], [Action::Fault { .. }, Action::Heal]), "{acts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_that_would_break_something_wants_the_drills_name() {
    let fake = Fake::start(Trouble::None).await;
    let text = "name = \"t\"\n[hypothesis]\noutage = \"1s\"\n\
                [[step]]\ndo = \"kill\"\nnode = \"n3\"\n";
    let script = drill::read(text).unwrap();
    let briefing = drill::brief(&fake.session().link(), &script, None).await.unwrap();
    assert_eq!(briefing.harm, Harm::Break);
    assert_eq!(fake.acts(), []);
}
