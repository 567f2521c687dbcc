//! The figures of a node and of the cluster as it sees it, in the text that monitors read.
//!
//! Invariant: a figure that nobody has reported is absent, never 0 (law 2). Names end in their
//! unit, as Prometheus asks (its documentation, "Metric and label naming").

use std::sync::atomic::AtomicU64;

use evenkeel_shared::heartbeat::Report;
use evenkeel_shared::ids::NodeId;
use evenkeel_shared::view::{ClusterView, Health, NodeState};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

type Labels = Vec<(&'static str, String)>;
type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;

/// Every figure, as one text.
pub(super) fn text(view: &ClusterView, report: &Report) -> String {
    let mut figures = Figures(Registry::with_prefix("evenkeel"));
    cluster(&mut figures, view);
    node(&mut figures, report);
    peers(&mut figures, view, report);
    let mut text = String::new();
    encode(&mut text, &figures.0).expect("a String takes all that is written");
    text
}

struct Figures(Registry);

impl Figures {
    /// A family of figures that differ by labels.
    fn family(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Labels, Option<f64>)>,
    ) {
        let gauges = Gauges::default();
        let mut any = false;
        for (labels, value) in rows {
            let Some(value) = value else { continue };
            gauges.get_or_create(&labels).set(value);
            any = true;
        }
        if any {
            self.0.register(name, help, gauges);
        }
    }

    fn one(&mut self, name: &str, help: &str, value: Option<f64>) {
        self.family(name, help, [(Labels::new(), value)]);
    }
}

fn cluster(figures: &mut Figures, view: &ClusterView) {
    let states = [Health::Ok, Health::Degraded, Health::Unavailable];
    let health = |state: Health| {
        let labels = vec![("state", state.to_string().to_lowercase())];
        (labels, Some(f64::from(u8::from(view.health == state))))
    };
    figures.family("health", "The cluster's health: 1 for the state it is in", states.map(health));
    let counts = view.counts;
    let shards = [
        ("ok", counts.shards_ok),
        ("under_replicated", counts.shards_under_replicated),
        ("unavailable", counts.shards_unavailable),
    ];
    let shards =
        shards.map(|(health, count)| (vec![("health", health.to_owned())], Some(f64::from(count))));
    figures.family("shards", "Shards by health", shards);
    let nodes = view.nodes.iter().map(|node| {
        let up = node.state == NodeState::Up;
        (vec![("node", node.name.clone())], Some(f64::from(u8::from(up))))
    });
    figures.family("node_up", "Whether a node is UP, as this one sees it", nodes);
    let nodes = view
        .nodes
        .iter()
        .map(|node| (vec![("node", node.name.clone())], Some(f64::from(node.leaders))));
    figures.family("node_leaders", "Shards that a node leads", nodes);
}

fn node(figures: &mut Figures, report: &Report) {
    let load = &report.load;
    let micros = |us: Option<u32>| us.map(|us| f64::from(us) / 1e6);
    figures.one("reads_per_second", "Reads answered here", Some(load.reads_s));
    figures.one("writes_per_second", "Writes answered here", Some(load.writes_s));
    figures.one(
        "write_p99_seconds",
        "99th percentile of the writes of the last second",
        micros(load.write_p99_us),
    );
    let cores = load.cpu_percent.map(|percent| f64::from(percent) / 100.0);
    figures.one("cpu_cores", "Cores that this agent keeps busy", cores);
    figures.one("resident_memory_bytes", "Resident memory", load.rss_bytes.map(whole));
    let disk = "the disk that the data folder lies on";
    let used = load.disk_used_bytes.map(whole);
    figures.one("disk_used_bytes", &format!("Used of {disk}"), used);
    let size = load.disk_total_bytes.map(whole);
    figures.one("disk_size_bytes", &format!("Size of {disk}"), size);
    figures.one("last_sync_seconds", "How long the last sync took", micros(load.sync_us));
    let age = load.sync_age_ms.map(|ms| whole(ms) / 1e3);
    figures.one("last_sync_age_seconds", "How long ago the last sync ended", age);
    figures.one("connections", "Connections open here", Some(f64::from(load.connections)));
    figures.one("incarnation", "Count of this node's starts", Some(whole(report.incarnation.0)));
    figures.one("map_revision", "Revision of the cluster map here", Some(whole(report.revision)));
    let leads = report
        .leads
        .iter()
        .map(|(shard, ops_s)| (vec![("shard", shard.to_string())], Some(*ops_s)));
    let help = "Operations answered by each shard that is led here";
    figures.family("shard_operations_per_second", help, leads);
}

fn peers(figures: &mut Figures, view: &ClusterView, report: &Report) {
    let name = |node: NodeId| {
        let known = view.nodes.iter().find(|known| known.id == node);
        vec![("peer", known.map_or_else(|| node.to_string(), |known| known.name.clone()))]
    };
    let phi = report.peers.iter().map(|peer| (name(peer.node), peer.phi));
    figures.family("peer_phi", "This node's suspicion of each peer", phi);
    let round_trips = report
        .peers
        .iter()
        .map(|peer| (name(peer.node), peer.round_trip_us.map(|us| f64::from(us) / 1e6)));
    figures.family("peer_round_trip_seconds", "Round trip of the last heartbeat", round_trips);
    let dead =
        report.peers.iter().map(|peer| (name(peer.node), Some(f64::from(u8::from(peer.dead)))));
    figures.family("peer_dead", "Whether this node holds a peer dead", dead);
}

/// Bytes and counts lie far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float in that format")]
fn whole(value: u64) -> f64 {
    value as f64
}
