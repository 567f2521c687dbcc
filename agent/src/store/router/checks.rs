//! What a request must look like before anything is done with it.

use evenkeel_shared::command::WriteAction;
use evenkeel_shared::error::StoreError;
use evenkeel_shared::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};

/// A key that can be stored.
pub(super) fn key(key: &[u8]) -> Result<(), StoreError> {
    if key.is_empty() {
        return Err(invalid("the key is empty: at least one byte is needed".to_owned()));
    }
    if key.len() > KEY_BYTES_MAX {
        let length = key.len();
        return Err(invalid(format!("the key has {length} bytes, at most {KEY_BYTES_MAX} fit")));
    }
    Ok(())
}

/// A value that can be stored.
pub(super) fn action(action: &WriteAction) -> Result<(), StoreError> {
    let value = match action {
        WriteAction::Put { value, .. } | WriteAction::CompareAndSet { value, .. } => value,
        WriteAction::Delete | WriteAction::Add { .. } => return Ok(()),
    };
    if value.len() > VALUE_BYTES_MAX {
        let length = value.len();
        let why = format!("the value has {length} bytes, at most {VALUE_BYTES_MAX} fit");
        return Err(invalid(why));
    }
    Ok(())
}

fn invalid(why: String) -> StoreError {
    StoreError::Invalid { why }
}
