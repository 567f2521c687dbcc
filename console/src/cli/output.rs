//! Standard output and standard error: the only place of the command line that writes to them.
//!
//! Answers go to standard output, everything else to standard error.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use super::CliError;

/// One line of an answer.
pub(crate) fn line(text: impl Display) -> Result<(), CliError> {
    writeln!(io::stdout().lock(), "{text}").map_err(CliError::Output)
}

/// Text of an answer that ends its own lines.
pub(crate) fn text(text: impl Display) -> Result<(), CliError> {
    write!(io::stdout().lock(), "{text}").map_err(CliError::Output)
}

/// A value as it is stored, byte for byte.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(CliError::Output)
}

/// Whether this process has answered in JSON: a refusal must not add a second answer to it.
static ANSWERED: AtomicBool = AtomicBool::new(false);

/// Whether [`json`] has written anything.
pub(crate) fn has_answered() -> bool {
    ANSWERED.load(Ordering::Relaxed)
}

/// One JSON value on one line.
pub(crate) fn json(value: &impl Serialize) -> Result<(), CliError> {
    ANSWERED.store(true, Ordering::Relaxed);
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, value).map_err(|error| CliError::Output(error.into()))?;
    stdout.write_all(b"\n").and_then(|()| stdout.flush()).map_err(CliError::Output)
}

/// A remark for the operator.
pub(crate) fn note(text: impl Display) {
    // Where standard error is closed, nobody is there to be told.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A question; the answer follows on the same line.
pub(crate) fn prompt(text: impl Display) {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
}
