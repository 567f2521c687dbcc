//! The past is what was shown then, whatever was left out between.

use evenkeel_shared::ids::NodeId;

use crate::tui::fixture::World;
use crate::tui::model::cluster::Cluster;
use crate::tui::model::history::{History, MOMENTS_MAX};
use crate::tui::model::journal::Journal;

fn hear(cluster: &mut Cluster, world: &World) {
    for node in world.living() {
        cluster.reported(world.report(node), world.now);
    }
    cluster.viewed(world.view(world.living()[0]), world.now);
}

/// A cluster that loses a node in the middle, with its past and what was known each second.
fn lived(nodes: u32, shards: u32, seconds: u64) -> (History, Vec<Cluster>) {
    let mut world = World::new(1_000_000, nodes, shards);
    let (mut cluster, mut history) = (Cluster::default(), History::default());
    let mut known = Vec::new();
    for second in 1..=seconds {
        world.advance(1_000_000 + second * 1_000);
        if second == seconds / 2 {
            world.down.insert(NodeId(2), (world.now, None));
        }
        hear(&mut cluster, &world);
        assert!(cluster.sample(world.now), "once a second");
        history.record(&cluster, world.now);
        known.push(cluster.clone());
    }
    (history, known)
}

#[test]
fn a_small_cluster_is_remembered_whole() {
    let (history, known) = lived(5, 16, 20);
    for (place, then) in known.iter().enumerate() {
        let past = history.cluster(place, &Journal::default()).expect("it is kept");
        assert_eq!(past.view(), then.view(), "second {place}");
        assert_eq!(past.samples(), then.samples());
        assert_eq!(past.ops.to_vec().len(), place + 1);
        let reports = |cluster: &Cluster| -> Vec<_> {
            cluster
                .tracks
                .values()
                .map(|track| track.report.as_ref().map(|r| r.value.clone()))
                .collect()
        };
        assert_eq!(reports(&past), reports(then));
    }
}

#[test]
fn a_large_cluster_keeps_every_change_of_shape_and_few_figures() {
    let (history, known) = lived(24, 1_024, 60);
    for (place, then) in known.iter().enumerate() {
        let past = history.cluster(place, &Journal::default()).expect("it is kept");
        let (past, then) = (past.view().expect("seen"), then.view().expect("seen"));
        let states = |view: &evenkeel_shared::view::ClusterView| -> Vec<_> {
            view.nodes.iter().map(|node| node.state).collect()
        };
        assert_eq!(states(past), states(then), "second {place}");
        for (past, then) in past.shards.iter().zip(&then.shards) {
            assert_eq!((past.leader, past.health), (then.leader, then.health), "second {place}");
            let copies = |shard: &evenkeel_shared::view::ShardView| -> Vec<_> {
                shard.replicas.iter().map(|replica| (replica.id, replica.state)).collect()
            };
            assert_eq!(copies(past), copies(then));
        }
    }
    let bytes = history.bytes();
    // Three parts of 1 kB a second, all of them at the start, each shape's change, and the samples.
    assert!(bytes < 60 * 5_000 + 600_000, "{bytes} bytes for a minute");
}

#[test]
#[ignore = "it measures, and asserts nothing"]
fn how_much_an_hour_takes() {
    for (nodes, shards) in [(5, 16), (64, 4_096), (200, 10_000)] {
        let seconds = 180;
        let (history, _) = lived(nodes, shards, seconds);
        let hour = history.bytes() as u64 * 3_600 / seconds / 1_000_000;
        println!("{nodes} nodes, {shards} shards: {hour} MB an hour");
    }
}

#[test]
fn what_is_too_old_is_forgotten_and_the_rest_stays_whole() {
    let (history, known) = lived(3, 4, u64::try_from(MOMENTS_MAX).unwrap() + 30);
    assert!(history.len() <= MOMENTS_MAX, "{}", history.len());
    let first = history.cluster(0, &Journal::default()).expect("it is kept");
    let then = &known[known.len() - history.len()];
    assert_eq!(first.view(), then.view());
}

#[test]
fn a_clock_that_was_set_back_begins_the_past_anew() {
    let (mut history, known) = lived(3, 4, 5);
    history.record(known.last().expect("there are some"), 900_000);
    assert_eq!(history.span(), Some((900_000, 900_000)));
}
