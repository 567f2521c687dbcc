//! What was known, second by second: an hour in memory, or as long as a recording.
//!
//! A moment keeps what has changed in shape at once, and figures as often as a budget of bytes lets
//! them be kept: each second in a small cluster, rarely in a large one. Nothing is made up between.

mod moment;
mod shape;

use std::collections::VecDeque;

use evenkeel_shared::event::Event;
use evenkeel_shared::heartbeat::Report;
use evenkeel_shared::view::{ClusterView, ShardView};

use super::cluster::Cluster;
use super::journal::Journal;
use super::track::Track;

pub(crate) use moment::{LinkKept, Moment, Samples};

/// Moments kept in memory: an hour.
pub(crate) const MOMENTS_MAX: usize = 3_600;
/// What view, shards and reports may each take to be kept every second.
const SMALL: usize = 3_000;
/// Bytes a second that each may take on average when it is larger.
const BYTES_PER_SECOND: usize = 1_000;

/// Moments that a heatmap reaches back.
const HEAT_MOMENTS: usize = 960;

/// The past.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    moments: VecDeque<Moment>,
    /// Moments kept at most; `None`: all of a recording.
    unbounded: bool,
    last: Last,
}

/// What was kept last, to tell what has changed.
#[derive(Clone, Debug, Default)]
struct Last {
    view: Option<ClusterView>,
    view_due: u64,
    shards: Vec<ShardView>,
    shards_due: u64,
    reports: Vec<Report>,
    reports_due: u64,
    links: Vec<LinkKept>,
}

impl History {
    /// The past of a recording, kept whole.
    pub(crate) fn recorded() -> Self {
        Self { unbounded: true, ..Self::default() }
    }

    /// Adds the moment that has just been sampled, and hands it out to be recorded.
    pub(crate) fn record(&mut self, cluster: &Cluster, now: u64) -> &Moment {
        let moment = self.last.moment(cluster, now, self.moments.is_empty());
        self.add(moment);
        self.moments.back().expect("one was added")
    }

    /// Adds a moment as it was recorded.
    pub(crate) fn add(&mut self, moment: Moment) {
        // Moments are in order of time; a clock that was set back begins the past anew.
        if self.moments.back().is_some_and(|last| last.at >= moment.at) {
            self.moments.clear();
            self.last = Last::default();
        }
        self.moments.push_back(moment);
        if !self.unbounded {
            self.forget();
        }
    }

    /// The first and the last moment.
    pub(crate) fn span(&self) -> Option<(u64, u64)> {
        Some((self.moments.front()?.at, self.moments.back()?.at))
    }

    /// How many moments there are.
    pub(crate) fn len(&self) -> usize {
        self.moments.len()
    }

    /// Bytes that the moments take, roughly.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.moments.iter().map(Moment::bytes).sum()
    }

    /// The moment at or before a time, or the first.
    pub(crate) fn place(&self, at: u64) -> Option<usize> {
        let after = self.moments.partition_point(|moment| moment.at <= at);
        (!self.moments.is_empty()).then(|| after.saturating_sub(1))
    }

    /// Whether a view of the cluster was kept at this moment.
    pub(crate) fn is_known(&self, place: usize) -> bool {
        self.moments.get(place).is_some_and(|moment| moment.view().is_some())
    }

    /// When the moment of this place was.
    pub(crate) fn at(&self, place: usize) -> Option<u64> {
        Some(self.moments.get(place)?.at)
    }

    /// What was known then.
    pub(crate) fn cluster(&self, place: usize, journal: &Journal) -> Option<Cluster> {
        let moment = self.moments.get(place)?;
        let until = |place: usize| self.moments.range(..=place).rev();
        let view = until(place).find_map(Moment::view);
        let view = view.map(|view| ClusterView { shards: self.shards(place), ..view });
        let reports: Vec<Report> = until(place).find_map(Moment::reports).unwrap_or_default();
        let links = until(place).find_map(Moment::links).unwrap_or_default();
        let mut cluster = Cluster::past(view, moment, reports, links);
        let first = (place + 1).saturating_sub(super::ring::SAMPLES_MAX);
        for samples in self.moments.range(first..=place).map(|moment| &moment.samples) {
            cluster.resample(samples);
        }
        let heat = (place + 1).saturating_sub(HEAT_MOMENTS);
        for moment in self.moments.range(heat..=place) {
            if let Some(shards) = moment.shards().filter(|_| moment.keeps_all_shards()) {
                cluster.heat.add(moment.at, &shards);
            }
        }
        cluster.journal = journal.until(moment.at);
        Some(cluster)
    }

    /// The seconds from one time to another, whole in themselves: for a recording of just these. The
    /// first one brings the lines of the journal before it.
    pub(crate) fn seconds(
        &self,
        from: u64,
        to: u64,
        journal: &Journal,
    ) -> Vec<(Moment, Vec<Event>)> {
        let (Some(first), Some(last)) = (self.place(from), self.place(to)) else {
            return Vec::new();
        };
        let mut lines = journal.iter().map(|(_, line)| line.clone()).peekable();
        let mut seconds = Vec::new();
        for place in first..=last {
            let mut moment = self.moments[place].clone();
            if place == first {
                moment.keep_shards(&self.shards(place), true);
                let before = self.moments.range(..place).cloned();
                moment = moment.after(before.reduce(|old, new| new.after(old)).unwrap_or_default());
            }
            let mut events = Vec::new();
            while let Some(line) = lines.next_if(|line| line.unix_ms <= moment.at) {
                events.push(line);
            }
            seconds.push((moment, events));
        }
        seconds
    }

    /// Every shard as it was: the last time that all were kept, and what has changed since.
    fn shards(&self, place: usize) -> Vec<ShardView> {
        let whole = (0..=place).rev().find(|place| self.moments[*place].keeps_all_shards());
        let mut shards: Vec<ShardView> = Vec::new();
        for place in whole.unwrap_or(0)..=place {
            let moment = &self.moments[place];
            let Some(kept) = moment.shards() else { continue };
            if moment.keeps_all_shards() {
                shards = kept;
            } else {
                shape::overlay(&mut shards, kept);
            }
        }
        shards
    }

    /// Forgets what is too old, up to a moment that keeps all shards, which takes over the rest.
    fn forget(&mut self) {
        let excess = self.moments.len().saturating_sub(MOMENTS_MAX);
        let keys = excess..self.moments.len();
        let whole = keys.into_iter().find(|place| self.moments[*place].keeps_all_shards());
        let Some(whole) = whole.filter(|_| excess > 0) else { return };
        let mut before = Moment::default();
        for moment in self.moments.drain(..whole) {
            before = moment.after(before);
        }
        if let Some(first) = self.moments.pop_front() {
            self.moments.push_front(first.after(before));
        }
    }
}

impl Last {
    fn moment(&mut self, cluster: &Cluster, now: u64, first: bool) -> Moment {
        let mut moment = Moment::new(cluster, now);
        if let Some(heard) = cluster.heard() {
            self.keep_view(&heard.value, now, first, &mut moment);
            self.keep_shards(&heard.value, now, first, &mut moment);
        }
        self.keep_reports(cluster, now, first, &mut moment);
        let links = moment::links_of(cluster);
        if first || links != self.links {
            moment.keep_links(&links);
            self.links = links;
        }
        moment
    }

    fn keep_view(&mut self, view: &ClusterView, now: u64, first: bool, moment: &mut Moment) {
        let same = self.view.as_ref().is_some_and(|last| shape::same_view(last, view));
        if !first && same && now < self.view_due {
            return;
        }
        let bare = shape::without_shards(view);
        self.view_due = due(now, moment.keep_view(&bare));
        self.view = Some(bare);
    }

    fn keep_shards(&mut self, view: &ClusterView, now: u64, first: bool, moment: &mut Moment) {
        if first || now >= self.shards_due {
            self.shards_due = due(now, moment.keep_shards(&view.shards, true));
            self.shards.clone_from(&view.shards);
            return;
        }
        let changed = shape::changed(&self.shards, &view.shards);
        match changed {
            None => {
                moment.keep_shards(&view.shards, true);
                self.shards.clone_from(&view.shards);
            }
            Some(changed) if changed.is_empty() => {}
            Some(changed) => {
                moment.keep_shards(&changed, false);
                shape::overlay(&mut self.shards, changed);
            }
        }
    }

    fn keep_reports(&mut self, cluster: &Cluster, now: u64, first: bool, moment: &mut Moment) {
        let same = shape::same_reports(&self.reports, &cluster.tracks);
        if !first && same && now < self.reports_due {
            return;
        }
        let heard = |track: &Track| Some(track.report.as_ref()?.value.clone());
        let reports: Vec<Report> = cluster.tracks.values().filter_map(heard).collect();
        self.reports_due = due(now, moment.keep_reports(&reports));
        self.reports = reports;
    }
}

/// When figures that took so many bytes may be kept again.
fn due(now: u64, bytes: usize) -> u64 {
    let seconds = if bytes <= SMALL { 1 } else { bytes.div_ceil(BYTES_PER_SECOND) };
    let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
    // A little early, so that a second's jitter does not skip one.
    now.saturating_add(seconds.max(1).saturating_mul(1_000)).saturating_sub(500)
}
