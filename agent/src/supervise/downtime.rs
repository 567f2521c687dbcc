//! A drill's wish to stay down: the child writes it before it kills itself, the parent obeys once.
//!
//! The file is gone before its wish is obeyed, so that no wish is obeyed twice.

use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use crate::env::fs::{self, Disk};

/// Longest time that a drill may keep an agent down; beyond it one means for good.
pub const DOWNTIME_MAX: Duration = Duration::from_secs(24 * 3600);

const FILE: &str = "down-for";

/// How long to stay down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Downtime {
    /// Start again after this long.
    For(Duration),
    /// Never start again.
    ForGood,
}

impl Downtime {
    /// Leaves the wish for the parent; once this returns, the child may kill itself. Blocks.
    pub fn ask(self, disk: &dyn Disk, data: &Path) -> io::Result<()> {
        fs::replace(disk, &data.join(FILE), self.to_string().as_bytes())
    }

    /// Takes the wish, if there is one. One that can't be read is gone all the same. Blocks.
    pub fn take(disk: &dyn Disk, data: &Path) -> io::Result<Option<Self>> {
        let Some(text) = take_word(disk, data, FILE)? else { return Ok(None) };
        text.parse().map(Some).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))
    }
}

/// Takes what a child has left in a file for its parent: gone before it is obeyed, so that nothing is
/// obeyed twice.
pub(super) fn take_word(disk: &dyn Disk, data: &Path, file: &str) -> io::Result<Option<String>> {
    let path = data.join(file);
    let bytes = match fs::read(disk, &path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    disk.remove(&path)?;
    disk.sync_dir(data)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

impl fmt::Display for Downtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(wait) => writeln!(f, "{}", humantime::format_duration(*wait)),
            Self::ForGood => f.write_str("good\n"),
        }
    }
}

impl FromStr for Downtime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text == "good" {
            return Ok(Self::ForGood);
        }
        match humantime::parse_duration(text) {
            Ok(wait) => Ok(Self::For(wait.min(DOWNTIME_MAX))),
            Err(why) => Err(format!("{FILE} holds neither `good` nor a duration: {why}")),
        }
    }
}
