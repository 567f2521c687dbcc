//! What a request must look like before anything is done with it.

use std::collections::BTreeSet;

use evenkeel_shared::command::WriteAction;
use evenkeel_shared::error::StoreError;
use evenkeel_shared::key::Slot;
use evenkeel_shared::limits::{
    BATCH_BYTES_MAX, BATCH_OPERATIONS_MAX, KEY_BYTES_MAX, TTL_MAX, VALUE_BYTES_MAX,
};
use evenkeel_shared::service::store::WriteItem;

/// A write that can be carried out.
pub(super) fn item(item: &WriteItem) -> Result<(), StoreError> {
    key(&item.key)?;
    if let Some(other) = item.action.other_key() {
        key(other)?;
        if Slot::of(other) != Slot::of(&item.key) {
            let why = "a record is renamed within its slot: give both keys one {tag}";
            return Err(invalid(why.to_owned()));
        }
    }
    value(&item.action)?;
    let most_ms = u64::try_from(TTL_MAX.as_millis()).unwrap_or(u64::MAX);
    match item.ttl_ms {
        Some(0) => Err(invalid("the record would end at once: use a delete".to_owned())),
        Some(ttl_ms) if ttl_ms > most_ms => {
            let why = format!("a record lives for {ttl_ms} ms, at most {most_ms} are taken");
            Err(invalid(why))
        }
        _ => Ok(()),
    }
}

/// A batch that fits: no key twice, since all of an entry's writes bear one version.
pub(super) fn batch(items: &[WriteItem]) -> Result<(), StoreError> {
    if items.len() > BATCH_OPERATIONS_MAX {
        let count = items.len();
        let why = format!("the batch has {count} keys, at most {BATCH_OPERATIONS_MAX} fit");
        return Err(invalid(why));
    }
    let mut keys = BTreeSet::new();
    let mut bytes = 0;
    for one in items {
        item(one)?;
        for key in std::iter::once(&one.key).chain(one.action.other_key()) {
            if !keys.insert(key) {
                let key = key.escape_ascii();
                return Err(invalid(format!("the batch writes the key \"{key}\" twice")));
            }
        }
        bytes += one.key.len() + one.action.value_bytes() + ITEM_BYTES;
    }
    if bytes > BATCH_BYTES_MAX {
        return Err(invalid(format!(
            "the batch has {bytes} bytes with its overhead, at most {BATCH_BYTES_MAX} fit"
        )));
    }
    Ok(())
}

/// What an item takes beside its key and value.
const ITEM_BYTES: usize = 64;

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
fn value(action: &WriteAction) -> Result<(), StoreError> {
    let length = action.value_bytes();
    if length > VALUE_BYTES_MAX {
        let why = format!("the value has {length} bytes, at most {VALUE_BYTES_MAX} fit");
        return Err(invalid(why));
    }
    Ok(())
}

fn invalid(why: String) -> StoreError {
    StoreError::Invalid { why }
}
