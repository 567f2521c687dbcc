//! What went wrong with a file, as the command line tells it.

use std::io;

use evenkeel_shared::files::FileError;

use crate::cli::CliError;

/// The local end of a transfer, for the sentence about it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Local<'a> {
    /// It is read.
    From(&'a str),
    /// It is written.
    To(&'a str),
}

/// The sentence, what to try, and the exit code.
pub(super) fn told(error: FileError, local: Local<'_>) -> CliError {
    let what = error.to_string();
    let again = "the same command again";
    match error {
        FileError::NotFound { .. } => CliError::refused(what, "`evenkeel file ls`"),
        FileError::GivenUp { .. } => CliError::refused(what, format!("{again}: it begins anew")),
        FileError::Replaced { .. } | FileError::Contended { .. } => CliError::refused(what, again),
        FileError::TooManyUploads { name } => CliError::refused(
            what,
            format!("`evenkeel file stat {name}` to see them; when one of them is done, {again}"),
        ),
        FileError::Unknown { name, .. } => CliError::Unknown {
            what: format!("it may or may not have taken effect: {what}"),
            hint: format!("`evenkeel file stat {name}` to see which"),
        },
        FileError::Damaged { name, .. } => CliError::refused(
            what,
            format!("`evenkeel file put FILE {name}` if you have it, or a backup"),
        ),
        FileError::Changed { .. } => {
            CliError::refused(what, format!("{again}, when nobody writes to it"))
        }
        FileError::Local(error) => told_local(&error, local),
        FileError::Store(error) => error.into(),
    }
}

/// A local file, or a disk, that stands in the way.
pub(super) fn told_local(error: &io::Error, local: Local<'_>) -> CliError {
    let what = match local {
        Local::From(path) => format!("can't read {path}: {error}"),
        Local::To(path) => format!("can't write {path}: {error}"),
    };
    let hint = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room, then the same command again: it goes on where it stopped"
        }
        io::ErrorKind::NotFound if matches!(local, Local::To(_)) => "a folder that is there",
        io::ErrorKind::IsADirectory => "`evenkeel file sync DIR PREFIX` for a folder",
        _ => "",
    };
    CliError::refused(what, hint)
}
