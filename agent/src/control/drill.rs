//! Drills on this very process, allowed only where it was started with `--drills`.

use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

use crate::config::Config;
use crate::env::Env;
use crate::supervise::{self, Downtime};

/// How long the answer has to get out.
const ANSWER_TIME: Duration = Duration::from_millis(30);

/// Kills this process as `kill -9` would, once its answer is out. A supervisor starts it again
/// after `down_secs`.
pub(super) fn die(env: &Env, config: &Config, down_secs: Option<u32>) -> Result<(), String> {
    if !config.drills {
        return Err(format!("{} was not started with --drills", config.name));
    }
    if supervise::is_child() {
        let downtime = match down_secs {
            Some(seconds) => Downtime::For(Duration::from_secs(seconds.into())),
            None => Downtime::ForGood,
        };
        downtime
            .ask(env.disk.as_ref(), &config.data)
            .map_err(|error| format!("can't leave word for the supervisor: {error}"))?;
    } else if down_secs.is_some() {
        return Err(format!(
            "{} has no supervisor to start it again: start it with --supervise, or kill it for good",
            config.name
        ));
    }
    tokio::spawn(async {
        tokio::time::sleep(ANSWER_TIME).await;
        // There is nobody left to tell if this fails.
        let _ = kill_process(getpid(), Signal::KILL);
    });
    Ok(())
}
