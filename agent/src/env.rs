//! The only files that touch the real world: clock, network, disk, randomness, threads.
//!
//! Every part of the agent gets an [`Env`] and uses nothing else, so that the simulation can run
//! whole agents on simulated ones.

pub mod clock;
pub mod faults;
pub mod fs;
pub mod lifelines;
pub mod net;
pub mod rng;
pub mod usage;
pub mod work;

use std::sync::Arc;

/// The world, as one agent sees it. Cloning is cheap.
#[derive(Clone)]
pub struct Env {
    /// Time.
    pub clock: Arc<dyn clock::Clock>,
    /// Connections.
    pub net: Arc<dyn net::Net>,
    /// Files.
    pub disk: Arc<dyn fs::Disk>,
    /// Random numbers.
    pub rng: Arc<dyn rng::Rng>,
    /// What the process costs.
    pub usage: Arc<dyn usage::Usage>,
    /// Where blocking work runs.
    pub work: Arc<dyn work::Work>,
    /// What drills have go wrong in it; `None` where there are no drills.
    pub faults: Option<Arc<faults::Faults>>,
}

impl Env {
    /// The real world.
    pub fn real() -> Self {
        Self::real_on(Arc::new(net::Tcp))
    }

    /// The real world, on this network.
    pub fn real_on(net: Arc<dyn net::Net>) -> Self {
        Self {
            clock: Arc::new(clock::SystemClock::default()),
            net,
            disk: Arc::new(fs::RealDisk),
            rng: Arc::new(rng::OsRng),
            usage: Arc::new(usage::OwnProcess),
            work: Arc::new(work::Threads::default()),
            faults: None,
        }
    }
}
