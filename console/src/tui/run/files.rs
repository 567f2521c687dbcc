//! The console's files: what it records, what it plays, and screens that it writes out.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind};
use std::path::{Path, PathBuf};

use color_eyre::eyre::{Result, WrapErr, eyre};
use directories::ProjectDirs;
use jiff::Timestamp;
use ratatui::buffer::Buffer;

use evenkeel_shared::event::Event;

use super::now_unix_ms;
use crate::tui::keymap::{self, Settings};
use crate::tui::model::history::Moment;
use crate::tui::recording::{self, Recording, Second};
use crate::tui::{ConsoleOptions, export};

/// Files that may begin with one second.
const NAMES_MAX: u32 = 1_000;

/// The operator's own settings, if there are any.
pub(super) fn settings() -> Result<Settings> {
    let Some(places) = ProjectDirs::from("", "", "evenkeel") else {
        return Ok(Settings::default());
    };
    let path = places.config_dir().join("console.toml");
    match std::fs::read_to_string(&path) {
        Ok(text) => keymap::read(&text).map_err(|why| eyre!("{}: {why}", path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Settings::default()),
        Err(error) => Err(error).wrap_err_with(|| format!("read {}", path.display())),
    }
}

/// The files that are open.
pub(super) struct Files {
    record: Option<BufWriter<File>>,
    replay: Option<Recording>,
}

impl Files {
    /// Opens what the command line names.
    #[expect(clippy::disallowed_methods, reason = "the operator's own file, not an agent's data")]
    pub(super) fn open(options: &ConsoleOptions) -> Result<Self> {
        let record = options.record.as_ref().map(|path| {
            let file = OpenOptions::new().write(true).create_new(true).open(path);
            let file = file.map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists => {
                    eyre!("{} is there: name a file that is not there yet", path.display())
                }
                _ => eyre!("record into {}: {error}", path.display()),
            })?;
            let mut file = BufWriter::new(file);
            recording::begin(&mut file)?;
            Ok::<_, color_eyre::Report>(file)
        });
        let replay = options.replay.as_ref().map(|path| {
            let what = || format!("replay {}", path.display());
            let file = File::open(path).wrap_err_with(what)?;
            recording::read(file).wrap_err_with(what)
        });
        Ok(Self { record: record.transpose()?, replay: replay.transpose()? })
    }

    /// The recording to look at, once.
    pub(super) fn take_replay(&mut self) -> Option<Recording> {
        self.replay.take()
    }

    /// Adds a second to what is recorded. The first failure ends the recording.
    pub(super) fn record(&mut self, second: &Second) -> Result<(), String> {
        let Some(file) = &mut self.record else { return Ok(()) };
        let written = recording::write(file, second);
        if written.is_err() {
            self.record = None;
        }
        written.map_err(|error| error.to_string())
    }

    /// Writes a frame as text and with its colours; where.
    #[expect(clippy::disallowed_methods, reason = "the operator's own file, not an agent's data")]
    pub(super) fn export(frame: &Buffer) -> Result<String, String> {
        let folder = folder("screens").map_err(|error| error.to_string())?;
        let path = folder.join(format!("{}", now_unix_ms()));
        for (ending, text) in [("txt", export::text(frame)), ("ans", export::ansi(frame))] {
            std::fs::write(path.with_extension(ending), text).map_err(|error| error.to_string())?;
        }
        Ok(format!("{}.txt and .ans", path.display()))
    }
}

/// Writes a stretch of the past as a recording of its own; where.
pub(super) fn incident(seconds: Vec<(Moment, Vec<Event>)>, from: u64) -> Result<String, String> {
    let written = || -> Result<PathBuf> {
        let (path, file) = fresh(&folder("incidents")?, from)?;
        let mut file = BufWriter::new(file);
        recording::begin(&mut file)?;
        for (moment, events) in seconds {
            recording::write(&mut file, &Second { moment, events })?;
        }
        Ok(path)
    };
    let path = written().map_err(|error| error.to_string())?;
    Ok(format!("{}: evenkeel console --replay shows it", path.display()))
}

/// A file that was not there before, named by a time.
fn fresh(folder: &Path, unix_ms: u64) -> Result<(PathBuf, File)> {
    let at = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let time = at.unwrap_or(Timestamp::UNIX_EPOCH).strftime("%Y%m%dT%H%M%SZ").to_string();
    for nth in 1..=NAMES_MAX {
        let name = if nth == 1 { format!("{time}.rec") } else { format!("{time}-{nth}.rec") };
        let path = folder.join(name);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).wrap_err_with(|| format!("make {}", path.display())),
        }
    }
    Err(eyre!("{} files of that second are there already: remove some", NAMES_MAX))
}

/// A folder of what the console writes, made if it is not there.
fn folder(name: &str) -> Result<PathBuf> {
    let places = ProjectDirs::from("", "", "evenkeel").ok_or_else(|| eyre!("no home folder"))?;
    let state = places.state_dir().unwrap_or_else(|| places.data_local_dir());
    let folder = state.join(name);
    std::fs::create_dir_all(&folder).wrap_err_with(|| format!("make {}", folder.display()))?;
    Ok(folder)
}
