//! A drill's wish to stand still: the child writes it and has its parent look.
//!
//! The file is gone before its wish is obeyed, so that no wish is obeyed twice.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::downtime::take_word;
use crate::env::fs::{self, Disk};

const FILE: &str = "freeze-for";

/// How long to stand still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standstill(pub Duration);

impl Standstill {
    /// Leaves the wish for the parent. Blocks.
    pub fn ask(self, disk: &dyn Disk, data: &Path) -> io::Result<()> {
        let text = format!("{}\n", humantime::format_duration(self.0));
        fs::replace(disk, &data.join(FILE), text.as_bytes())
    }

    /// Takes the wish, if there is one. One that can't be read is gone all the same. Blocks.
    pub fn take(disk: &dyn Disk, data: &Path) -> io::Result<Option<Self>> {
        let Some(text) = take_word(disk, data, FILE)? else { return Ok(None) };
        let wish = humantime::parse_duration(text.trim());
        let wrong = |why| {
            let why = format!("{FILE} holds no duration: {why}");
            io::Error::new(io::ErrorKind::InvalidData, why)
        };
        wish.map(|wait| Some(Self(wait))).map_err(wrong)
    }
}
