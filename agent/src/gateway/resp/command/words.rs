//! Words of a command, read.

use bytes::Bytes;

use super::QUOTED_BYTES_MAX;

/// The word in lower case.
pub(super) fn lower(word: &Bytes) -> Vec<u8> {
    word.to_ascii_lowercase()
}

pub(super) fn integer(word: &Bytes) -> Result<i64, String> {
    let number = std::str::from_utf8(word).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| "ERR value is not an integer or out of range".to_owned())
}

/// A number that is not negative.
pub(super) fn natural(word: &Bytes) -> Result<u64, String> {
    let number = u64::try_from(integer(word)?);
    number.map_err(|_| "ERR value is out of range, must be positive".to_owned())
}

pub(super) fn float(word: &Bytes) -> Result<f64, String> {
    let number = std::str::from_utf8(word).ok().and_then(|text| text.parse().ok());
    let number = number.filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| "ERR value is not a valid float".to_owned())
}

/// The beginning of a word, as refusals repeat it.
pub(super) fn quoted(word: &Bytes) -> String {
    String::from_utf8_lossy(&word[..word.len().min(QUOTED_BYTES_MAX)]).into_owned()
}
