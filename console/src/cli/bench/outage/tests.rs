//! Victims, and figures of the outage measurement.

use evenkeel_shared::ids::NodeId;
use evenkeel_shared::view::NodeState;

use super::victim::busiest;
use super::*;
use crate::cli::fake::sample_view;

#[test]
fn the_busiest_node_leads_most_and_is_up() {
    let mut view = sample_view();
    view.shards[1].leader = Some(NodeId(1));
    assert_eq!(busiest(&view).unwrap().name, "n1");
    view.nodes[0].state = NodeState::Down;
    assert_ne!(busiest(&view).unwrap().name, "n1");
}

#[test]
fn a_kill_is_as_long_as_its_longest_shard() {
    let ms = Duration::from_millis;
    let gaps = |of: [u64; 3]| (1..).map(ShardId).zip(of.map(ms)).collect();
    let led = [ShardId(1), ShardId(2)];
    let row = OutageRow::of("n1".into(), &led, &gaps([4, 7, 30]), &gaps([62, 102, 9]));
    let report = OutageReport::of(How::Freeze, vec![row], 32, &Watch::default());
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["kills"][0]["longest_ms"], 102.0);
    assert_eq!(json["outage_ms"]["min"], 62.0);
    assert_eq!((&json["samples"], &json["by"]), (&2.into(), &"freeze".into()));
    assert_eq!(json["others_longest_ms"], 9.0);
    assert_eq!(
        (&json["before_ms"]["max"], &json["kills"][0]["before_longest_ms"]),
        (&7.0.into(), &30.0.into())
    );
}
