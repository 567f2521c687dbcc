//! Opens what an agent keeps on its disk: the log, and the trees of all replicas' data.
//!
//! Trees whose common files can't be read are put aside, and the agent begins with new ones: its
//! replicas are then damaged, or read their logs again, each as its log allows, and are rebuilt
//! from their peers. What was put aside is kept, for the day that there are no peers.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use evenkeel_shared::error::with_causes;

use super::NodeError;
use crate::env::Env;
use crate::env::fs::{self, Disk};
use crate::store::engine::fjall::{FjallEngine, FjallLimits};
use crate::store::engine::{Engine, EngineError};
use crate::store::wal::{Wal, WalConfig};

/// The folder of the trees.
const STATE: &str = "state";
/// How many starts in a row have ended while they opened it: some rot ends the process.
const OPENING: &str = "state.opening";
/// After so many the trees are taken for damaged.
const OPENINGS_MAX: u8 = 3;

/// Opens the log.
pub(super) async fn open_log(env: &Env, data: &Path, log: WalConfig) -> Result<Wal, NodeError> {
    let folder = data.join("wal");
    let log = {
        let (disk, folder) = (env.disk.clone(), folder.clone());
        env.work.run(move || log.fitted(disk.as_ref(), &folder)).await
    };
    let opened = Wal::open(env, &folder, log).await;
    let (wal, recovery) =
        opened.map_err(|error| NodeError::Open { what: "the log", why: error.to_string() })?;
    for damaged in &recovery.quarantined {
        tracing::error!(?damaged, "damage in the log: the replica is quarantined");
    }
    Ok(wal)
}

/// Opens the trees.
pub(super) async fn open_data(
    env: &Env,
    data: &Path,
    given: Option<Arc<dyn Engine>>,
) -> Result<Arc<dyn Engine>, NodeError> {
    if let Some(engine) = given {
        return Ok(engine);
    }
    let (disk, data) = (env.disk.clone(), data.to_owned());
    let opened = env.work.run(move || open_trees(disk.as_ref(), &data)).await;
    opened.map_err(|why| NodeError::Open { what: "the data", why })
}

/// Opens the trees as they are, or says what is wrong with them: nothing is put aside.
pub(super) async fn open_data_as_it_is(
    env: &Env,
    data: &Path,
) -> Result<Arc<dyn Engine>, NodeError> {
    let folder = data.join(STATE);
    let open = move || FjallEngine::open(&folder, FjallLimits::default());
    let opened = env.work.run(open).await;
    let failed =
        |error: EngineError| NodeError::Open { what: "the data", why: with_causes(&error) };
    Ok(Arc::new(opened.map_err(failed)?))
}

fn open_trees(disk: &dyn Disk, data: &Path) -> Result<Arc<dyn Engine>, String> {
    let folder = data.join(STATE);
    let open = || FjallEngine::open(&folder, FjallLimits::default());
    let give_up = |why: &str| {
        let aside = put_aside(disk, data)
            .map_err(|error| format!("it is damaged, and can't be put aside: {error}"))?;
        tracing::error!(
            why,
            kept = %aside.display(),
            "damage in the data of all replicas: they are rebuilt from their peers; remove the \
             kept folder once the cluster is healthy"
        );
        Ok::<(), String>(())
    };
    let marker = data.join(OPENING);
    let ended = fs::read(disk, &marker).ok().and_then(|bytes| bytes.first().copied()).unwrap_or(0);
    if ended >= OPENINGS_MAX && disk.list(&folder).is_ok() {
        give_up(&format!("{ended} starts in a row have ended while they opened it"))?;
    }
    let count = if ended >= OPENINGS_MAX { 1 } else { ended + 1 };
    fs::replace(disk, &marker, &[count]).map_err(|error| error.to_string())?;
    let engine = match open() {
        Err(EngineError::Damaged { source, .. }) => {
            give_up(&source.to_string())?;
            open()
        }
        other => other,
    };
    let engine = engine.map_err(|error| with_causes(&error))?;
    disk.remove(&marker).map_err(|error| error.to_string())?;
    Ok(Arc::new(engine))
}

/// Renames the trees' folder to the first name of its kind that is free.
fn put_aside(disk: &dyn Disk, data: &Path) -> io::Result<PathBuf> {
    let there = disk.list(data)?;
    let free = (1_u32..).map(|number| format!("{STATE}.damaged-{number}"));
    let name = free.into_iter().find(|name| !there.contains(name));
    let aside = data.join(name.ok_or_else(|| io::Error::other("every name is taken"))?);
    disk.rename(&data.join(STATE), &aside)?;
    disk.sync_dir(data)?;
    Ok(aside)
}
