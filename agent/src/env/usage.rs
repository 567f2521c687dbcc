//! What this process costs: processor time and memory. The simulation knows neither.

use std::time::Duration;

/// Tells what the process costs. What can't be read is `None`.
pub trait Usage: Send + Sync {
    /// Processor time of all threads since the start.
    fn cpu_time(&self) -> Option<Duration>;
    /// Resident memory.
    fn rss_bytes(&self) -> Option<u64>;
}

/// This very process.
pub struct OwnProcess;

impl Usage for OwnProcess {
    fn cpu_time(&self) -> Option<Duration> {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let seconds = u64::try_from(time.tv_sec).ok()?;
        Some(Duration::new(seconds, u32::try_from(time.tv_nsec).ok()?))
    }

    fn rss_bytes(&self) -> Option<u64> {
        // Linux: pages in total, then resident pages.
        let text = std::fs::read_to_string("/proc/self/statm").ok()?;
        let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
        Some(pages * u64::try_from(rustix::param::page_size()).ok()?)
    }
}

/// A process whose cost is not known.
pub struct Unknown;

impl Usage for Unknown {
    fn cpu_time(&self) -> Option<Duration> {
        None
    }

    fn rss_bytes(&self) -> Option<u64> {
        None
    }
}
