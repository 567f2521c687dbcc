//! JSON on disk that knows when it is damaged: `{"checksum":"…","body":…}`, BLAKE3 of the body.
//!
//! The body is compared byte by byte, so that one flipped bit is found, even in white space.

use serde::Serialize;
use serde::de::DeserializeOwned;

const BEFORE_CHECKSUM: &str = "{\"checksum\":\"";
const BEFORE_BODY: &str = "\",\"body\":";
const AFTER_BODY: &str = "}\n";

/// Why the bytes are not what was written.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// Some bytes have changed, or the file was edited.
    #[error("the checksum does not fit the contents")]
    Checksum,
    /// It is not an envelope.
    #[error("the beginning is not that of a file with a checksum")]
    Shape,
    /// The body is whole, but not of the kind that was expected.
    #[error("the contents are of another kind")]
    Body(#[source] serde_json::Error),
}

/// Writes a value with its checksum.
pub fn seal<T: Serialize>(value: &T) -> Vec<u8> {
    let body = serde_json::to_vec_pretty(value).expect("plain structs with text keys are JSON");
    let checksum = blake3::hash(&body).to_hex();
    let mut sealed = Vec::with_capacity(body.len() + 128);
    for part in [BEFORE_CHECKSUM, checksum.as_str(), BEFORE_BODY] {
        sealed.extend_from_slice(part.as_bytes());
    }
    sealed.extend_from_slice(&body);
    sealed.extend_from_slice(AFTER_BODY.as_bytes());
    sealed
}

/// Reads a value whose checksum fits.
pub fn unseal<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, EnvelopeError> {
    let body = checked_body(bytes)?;
    serde_json::from_slice(body).map_err(EnvelopeError::Body)
}

fn checked_body(bytes: &[u8]) -> Result<&[u8], EnvelopeError> {
    let rest = bytes.strip_prefix(BEFORE_CHECKSUM.as_bytes()).ok_or(EnvelopeError::Shape)?;
    let (checksum, rest) =
        rest.split_at_checked(2 * blake3::OUT_LEN).ok_or(EnvelopeError::Shape)?;
    let body = rest
        .strip_prefix(BEFORE_BODY.as_bytes())
        .and_then(|rest| rest.strip_suffix(AFTER_BODY.as_bytes()))
        .ok_or(EnvelopeError::Shape)?;
    if blake3::hash(body).to_hex().as_bytes() == checksum {
        Ok(body)
    } else {
        Err(EnvelopeError::Checksum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_comes_back_and_is_json() {
        let value = vec![("a".to_owned(), u128::MAX), ("ü".to_owned(), 0)];
        let sealed = seal(&value);
        assert_eq!(unseal::<Vec<(String, u128)>>(&sealed).unwrap(), value);
        serde_json::from_slice::<serde::de::IgnoredAny>(&sealed).unwrap();
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let sealed = seal(&"some text");
        for at in 0..sealed.len() {
            assert!(unseal::<String>(&sealed[..at]).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut damaged = sealed.clone();
                damaged[at] ^= 1 << bit;
                assert!(unseal::<String>(&damaged).is_err(), "byte {at}, bit {bit}");
            }
        }
    }
}
