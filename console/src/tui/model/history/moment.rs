//! One moment as it is kept, in memory and in a recording: encoded parts, each only when it changed.

use evenkeel_shared::heartbeat::Report;
use evenkeel_shared::ids::NodeId;
use evenkeel_shared::view::{ClusterView, ShardView};
use evenkeel_shared::wire::codec::{decode, encode};
use serde::{Deserialize, Serialize};

use crate::tui::LinkState;
use crate::tui::model::cluster::{Cluster, Link};
use crate::tui::model::track::REPORT_STALE_MS;

/// More than any part has.
const UNPACKED_MAX: usize = 256 << 20;

/// A connection: address, who answers, how it is (none: connecting; "": open; else why lost), since.
pub(crate) type LinkKept = (String, Option<NodeId>, Option<String>, u64);

/// One figure of each history, as it was sampled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Samples {
    /// Operations a second of all nodes.
    pub(crate) ops: Option<f32>,
    /// The worst 99th percentile of writes.
    pub(crate) p99: Option<f32>,
    /// Of each node: operations, 99th percentile, suspicion.
    pub(crate) nodes: Vec<(NodeId, [Option<f32>; 3])>,
}

/// One moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Moment {
    /// When.
    pub(crate) at: u64,
    /// How old the view was.
    pub(crate) view_age: u64,
    /// Nodes whose report was old, with its age.
    pub(crate) stale: Vec<(NodeId, u64)>,
    /// The samples of that second.
    pub(crate) samples: Samples,
    view: Option<Vec<u8>>,
    shards: Option<Vec<u8>>,
    all_shards: bool,
    reports: Option<Vec<u8>>,
    links: Option<Vec<u8>>,
}

impl Moment {
    /// A moment that keeps nothing yet but its samples.
    pub(super) fn new(cluster: &Cluster, now: u64) -> Self {
        let age = |track: &crate::tui::model::track::Track| Some(track.report.as_ref()?.age(now));
        let ages = cluster.tracks.iter().filter_map(|(id, track)| Some((*id, age(track)?)));
        Self {
            at: now,
            view_age: cluster.heard().map_or(0, |heard| heard.age(now)),
            stale: ages.filter(|(_, age)| *age > REPORT_STALE_MS).collect(),
            samples: cluster.samples(),
            ..Self::default()
        }
    }

    /// Keeps the view, without its shards; how many bytes that takes.
    pub(super) fn keep_view(&mut self, view: &ClusterView) -> usize {
        keep(&mut self.view, view)
    }

    /// Keeps all shards, or those that have changed.
    pub(super) fn keep_shards(&mut self, shards: &Vec<ShardView>, all: bool) -> usize {
        self.all_shards = all;
        keep(&mut self.shards, shards)
    }

    /// Keeps what every node has reported.
    pub(super) fn keep_reports(&mut self, reports: &Vec<Report>) -> usize {
        keep(&mut self.reports, reports)
    }

    /// Keeps how the connections are.
    pub(super) fn keep_links(&mut self, links: &Vec<LinkKept>) {
        keep(&mut self.links, links);
    }

    /// Whether every shard is in it.
    pub(super) fn keeps_all_shards(&self) -> bool {
        self.all_shards
    }

    pub(super) fn view(&self) -> Option<ClusterView> {
        self.view.as_deref().and_then(read)
    }

    pub(super) fn shards(&self) -> Option<Vec<ShardView>> {
        self.shards.as_deref().and_then(read)
    }

    pub(super) fn reports(&self) -> Option<Vec<Report>> {
        self.reports.as_deref().and_then(read)
    }

    pub(super) fn links(&self) -> Option<Vec<LinkKept>> {
        self.links.as_deref().and_then(read)
    }

    /// The moment, with what the one before it kept where it keeps nothing newer itself.
    #[must_use]
    pub(super) fn after(mut self, before: Self) -> Self {
        self.view = self.view.or(before.view);
        self.reports = self.reports.or(before.reports);
        self.links = self.links.or(before.links);
        self
    }

    /// Bytes that it takes, roughly.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let parts = [&self.view, &self.shards, &self.reports, &self.links];
        let kept: usize = parts.into_iter().flatten().map(Vec::len).sum();
        kept + size_of::<Self>()
            + self.samples.nodes.len() * size_of::<(NodeId, [Option<f32>; 3])>()
    }
}

/// The connections as they are kept.
pub(super) fn links_of(cluster: &Cluster) -> Vec<LinkKept> {
    let state = |link: &Link| match &link.state {
        LinkState::Connecting => None,
        LinkState::Connected => Some(String::new()),
        LinkState::Lost { why } => Some(why.clone()),
    };
    let links = cluster.links.iter();
    links.map(|(address, link)| (address.clone(), link.node, state(link), link.since)).collect()
}

/// Keeps a part, packed; how many bytes it had before.
fn keep<T: Serialize>(part: &mut Option<Vec<u8>>, value: &T) -> usize {
    // What was decoded from the wire can be encoded again.
    let bytes = encode(value).map(|bytes| bytes.to_vec()).unwrap_or_default();
    let size = bytes.len();
    *part = Some(lz4_flex::compress_prepend_size(&bytes));
    size
}

fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    // A recording is others' bytes: what claims to be huge is not unpacked.
    let (size, packed) = lz4_flex::block::uncompressed_size(bytes).ok()?;
    let plain = Some(size).filter(|size| *size <= UNPACKED_MAX)?;
    decode(&lz4_flex::decompress(packed, plain).ok()?).ok()
}
