//! What can go wrong with a file, by what the caller can do about it.

use std::io;

use super::FileName;
use crate::client::ClientError;
use crate::limits::{FILE_NAME_BYTES_MAX, FILE_UPLOADS_MAX};

/// Why a text is no name of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There is none.
    #[error("a file's name has at least one character")]
    Empty,
    /// It would not fit the keys of its chunks.
    #[error("a file's name has at most {FILE_NAME_BYTES_MAX} bytes, this one {bytes}")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// It would break lists of names.
    #[error("a file's name has no control characters")]
    Control,
}

/// Why something was not done with a file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is no such file.
    #[error("there is no file {name}")]
    NotFound {
        /// Its name.
        name: FileName,
    },
    /// Begin anew: the upload has been taken over by another process, or collected.
    #[error("this upload of {name} was taken over by another one, or given up")]
    GivenUp {
        /// Its name.
        name: FileName,
    },
    /// Read again: the version that was being read is gone.
    #[error("{name} was replaced or deleted while it was read")]
    Replaced {
        /// Its name.
        name: FileName,
    },
    /// Wait until one of them is done.
    #[error("{name} has {FILE_UPLOADS_MAX} uploads under way")]
    TooManyUploads {
        /// Its name.
        name: FileName,
    },
    /// Try again: others change the file's record all the time.
    #[error("{name} is changed by others all the time")]
    Contended {
        /// Its name.
        name: FileName,
    },
    /// Look before doing it again: it may or may not have taken effect (law 2).
    #[error("the outcome for {name} is not known: {last}")]
    Unknown {
        /// Its name.
        name: FileName,
        /// What was said last.
        last: String,
    },
    /// What is stored is not what was written.
    #[error("{name} is damaged: {what}")]
    Damaged {
        /// Its name.
        name: FileName,
        /// Which part of it.
        what: String,
    },
    /// Send it again: the local file was written to meanwhile.
    #[error("the local file has changed while it was sent as {name}")]
    Changed {
        /// The name that it was to have.
        name: FileName,
    },
    /// The local end: a file, a disk, a pipe.
    #[error("{0}")]
    Local(#[source] io::Error),
    /// The store did not do it; nothing that anybody sees was changed.
    #[error(transparent)]
    Store(#[from] ClientError),
}
