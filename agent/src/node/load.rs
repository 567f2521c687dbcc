//! What this node has to carry, sampled once a second and reported with every heartbeat.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel_shared::heartbeat::Load;

use crate::decide::room::{Room, room};
use crate::env::Env;
use crate::env::fs::Space;
use crate::rpc::meter::Meter;
use crate::store::wal::Wal;

/// Between two looks at the process.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// Samples the process, its disk and its requests.
pub(super) struct LoadSampler {
    env: Env,
    folder: PathBuf,
    meter: Arc<Meter>,
    wal: Wal,
    last: Mutex<Sample>,
}

#[derive(Default)]
struct Sample {
    at: Option<Duration>,
    cpu: Option<Duration>,
    load: Load,
    room: Room,
}

/// Between two looks at a disk that could be full before the next one, and at any other.
const DISK_SOON: Duration = Duration::from_millis(20);
const DISK_IDLE: Duration = Duration::from_millis(500);
/// With less than this free, the next look comes soon.
const DISK_BYTES_SOON: u64 = 512 << 20;

impl LoadSampler {
    pub(super) fn new(env: Env, folder: PathBuf, meter: Arc<Meter>, wal: Wal) -> Self {
        Self { env, folder, meter, wal, last: Mutex::default() }
    }

    /// Looks how full the disk is; when to look again.
    pub(super) fn look_at_disk(&self) -> (Room, Duration) {
        let space = self.env.disk.space(&self.folder);
        let mut last = self.last.lock().expect("no holder of this lock panics");
        let Ok(Space { free_bytes, total_bytes }) = space else {
            (last.load.disk_total_bytes, last.load.disk_used_bytes) = (None, None);
            return (last.room, DISK_IDLE);
        };
        last.load.disk_total_bytes = Some(total_bytes);
        last.load.disk_used_bytes = Some(total_bytes.saturating_sub(free_bytes));
        last.room = room(free_bytes, total_bytes, last.room);
        self.wal.set_out_of_room(last.room == Room::Out);
        (last.room, if free_bytes < DISK_BYTES_SOON { DISK_SOON } else { DISK_IDLE })
    }

    /// The load, at most a second old.
    pub(super) fn load(&self) -> Load {
        let now = self.env.clock.now();
        let mut last = self.last.lock().expect("no holder of this lock panics");
        if last.at.is_none_or(|at| now.saturating_sub(at) >= SAMPLE_EVERY) {
            let cpu = self.env.usage.cpu_time();
            let elapsed = last.at.map(|at| now.saturating_sub(at));
            last.load.cpu_percent = percent(last.cpu, cpu, elapsed);
            last.load.rss_bytes = self.env.usage.rss_bytes();
            (last.at, last.cpu) = (Some(now), cpu);
        }
        let reading = self.meter.reading();
        let sync = self.wal.sync_health();
        Load {
            disk_low: last.room > Room::Plenty,
            reads_s: reading.reads_s,
            writes_s: reading.writes_s,
            write_p99_us: reading.write_p99_us,
            connections: reading.connections,
            sync_age_ms: u64::try_from(now.saturating_sub(sync.last_ended).as_millis()).ok(),
            sync_us: u32::try_from(sync.last_took.as_micros()).ok(),
            sync_wait_ms: sync
                .oldest_unsynced
                .and_then(|wait| u32::try_from(wait.as_millis()).ok()),
            drilled_away: self.env.faults.as_ref().is_some_and(|faults| faults.take_node_away()),
            drill: self.env.faults.as_ref().and_then(|faults| faults.words()),
            ..last.load.clone()
        }
    }
}

fn percent(
    before: Option<Duration>,
    now: Option<Duration>,
    elapsed: Option<Duration>,
) -> Option<f32> {
    let used = now?.saturating_sub(before?).as_secs_f32();
    let elapsed = elapsed?.as_secs_f32();
    (elapsed > 0.0).then(|| used / elapsed * 100.0)
}
