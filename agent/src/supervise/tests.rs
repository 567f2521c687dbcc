//! What the parent does with real children: small scripts that count their lives.

use std::path::Path;

use futures::channel::mpsc;
use tempfile::TempDir;

use super::*;
use crate::env::fs::{RealDisk, read};

const DEADLINE: Duration = Duration::from_secs(30);

/// A script that adds its process id to `lives` each time it begins.
fn script(place: &TempDir, body: &str) -> Supervision {
    let env = Env::real();
    let text = format!("cd '{}'; echo $$ >> lives; {body}", place.path().display());
    Supervision {
        executable: PathBuf::from("/bin/sh"),
        arguments: ["-c", &text].map(OsString::from).to_vec(),
        data: place.path().to_owned(),
        clock: env.clock,
        disk: env.disk,
    }
}

fn lives(place: &Path) -> usize {
    read(&RealDisk, &place.join("lives"))
        .map_or(0, |bytes| bytes.split(|b| *b == b'\n').count() - 1)
}

async fn ends(supervision: &Supervision, stops: BoxStream<'static, Stop>) -> u8 {
    tokio::time::timeout(DEADLINE, supervision.run(stops)).await.expect("it ends").unwrap()
}

#[tokio::test]
async fn a_child_that_dies_is_started_again_until_it_ends_well() {
    let place = tempfile::tempdir().unwrap();
    let body = "[ $(wc -l < lives) -ge 3 ] && [ $EVENKEEL_SUPERVISED = 1 ] && exit 0; kill -9 $$";
    let code = ends(&script(&place, body), futures::stream::pending().boxed()).await;
    assert_eq!((code, lives(place.path())), (0, 3));
}

#[tokio::test]
async fn a_wrong_command_line_is_not_tried_again() {
    let place = tempfile::tempdir().unwrap();
    let code = ends(&script(&place, "exit 2"), futures::stream::pending().boxed()).await;
    assert_eq!((code, lives(place.path())), (2, 1));
}

#[tokio::test]
async fn a_drill_keeps_the_child_down_for_as_long_as_it_asked() {
    let place = tempfile::tempdir().unwrap();
    let body = "[ $(wc -l < lives) -ge 2 ] && exit 0; echo 700ms > down-for; kill -9 $$";
    let supervision = script(&place, body);
    let begun = supervision.clock.now();
    let code = ends(&supervision, futures::stream::pending().boxed()).await;
    assert_eq!((code, lives(place.path())), (0, 2));
    assert!(supervision.clock.now() >= begun + Duration::from_millis(700));
    assert_eq!(Downtime::take(&RealDisk, place.path()).unwrap(), None);
}

#[tokio::test]
async fn a_drill_for_good_ends_the_parent_too() {
    let place = tempfile::tempdir().unwrap();
    let code = ends(
        &script(&place, "echo good > down-for; kill -9 $$"),
        futures::stream::pending().boxed(),
    )
    .await;
    assert_eq!((code, lives(place.path())), (0, 1));
}

#[tokio::test]
async fn a_wish_from_before_is_not_obeyed() {
    let place = tempfile::tempdir().unwrap();
    Downtime::ForGood.ask(&RealDisk, place.path()).unwrap();
    let body = "[ $(wc -l < lives) -ge 2 ] && exit 0; exit 7";
    let code = ends(&script(&place, body), futures::stream::pending().boxed()).await;
    assert_eq!((code, lives(place.path())), (0, 2));
}

/// Whether whoever started the tests has switched SIGINT off, as shells do in the background.
fn ignores_interrupts() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap();
    ignored & 1 << (Signal::INT.as_raw() - 1) != 0
}

#[tokio::test]
async fn a_stop_is_passed_on_and_the_childs_answer_is_the_parents() {
    let place = tempfile::tempdir().unwrap();
    for (stop, code) in [(Stop::Terminate, 0), (Stop::Interrupt, 7), (Stop::ParentGone, 0)] {
        if stop == Stop::Interrupt && ignores_interrupts() {
            println!("SKIPPED: a shell can't trap the SIGINT that this test was started to ignore");
            continue;
        }
        let (sender, stops) = mpsc::unbounded();
        // The child says through a pipe that its traps are set.
        let body = "trap 'exit 0' TERM; trap 'exit 7' INT; echo > ready; \
                    while :; do read line || exit 9; done";
        let supervision = script(&place, body);
        let run = ends(&supervision, stops.boxed());
        let ask = async {
            let ready = place.path().join("ready");
            while RealDisk.remove(&ready).is_err() {
                tokio::task::yield_now().await;
            }
            sender.unbounded_send(stop).unwrap();
        };
        assert_eq!(tokio::join!(run, ask).0, code, "{stop:?}");
    }
}

#[tokio::test]
async fn a_stop_ends_the_wait_of_a_drill() {
    let place = tempfile::tempdir().unwrap();
    let (sender, stops) = mpsc::unbounded();
    let supervision = script(&place, "echo 1h > down-for; kill -9 $$");
    let run = ends(&supervision, stops.boxed());
    let ask = async {
        let taken =
            || lives(place.path()) == 1 && read(&RealDisk, &place.path().join("down-for")).is_err();
        while !taken() {
            tokio::task::yield_now().await;
        }
        sender.unbounded_send(Stop::Terminate).unwrap();
    };
    tokio::join!(run, ask);
    assert_eq!(lives(place.path()), 1);
}

#[tokio::test]
async fn a_child_sees_the_end_of_its_parent_in_its_stdin() {
    let place = tempfile::tempdir().unwrap();
    let supervision = script(&place, "read line; exit 5");
    let mut running = supervision.start().unwrap();
    drop(running.lifeline.take());
    let mut stops = futures::stream::pending().boxed();
    let (status, _) =
        tokio::time::timeout(DEADLINE, running.until_end(&mut stops)).await.unwrap().unwrap();
    assert_eq!(exit_code(status), 5);
}

#[test]
fn wishes_are_written_as_they_are_read() {
    for wish in [Downtime::ForGood, Downtime::For(Duration::from_millis(1500))] {
        assert_eq!(wish.to_string().parse(), Ok(wish));
    }
    assert_eq!("99days".parse(), Ok(Downtime::For(DOWNTIME_MAX)));
    assert!("".parse::<Downtime>().is_err());
}
