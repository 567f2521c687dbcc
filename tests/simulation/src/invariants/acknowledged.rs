//! Every acknowledged write is read back; a write of unknown outcome may be.
//!
//! Each key is written by one client, one write after the other.

use std::collections::BTreeMap;

use bytes::Bytes;

/// What has been promised for each key.
#[derive(Clone, Debug, Default)]
pub struct Acknowledged {
    keys: BTreeMap<Bytes, Promise>,
}

#[derive(Clone, Debug, Default)]
struct Promise {
    /// The last acknowledged value.
    value: Option<Bytes>,
    /// Values written since, of which nobody knows whether they took effect.
    perhaps: Vec<Bytes>,
}

impl Acknowledged {
    /// A write was acknowledged; what was unknown before it is overwritten.
    pub fn acknowledge(&mut self, key: Bytes, value: Bytes) {
        self.keys.insert(key, Promise { value: Some(value), perhaps: Vec::new() });
    }

    /// A write's outcome is not known.
    pub fn doubt(&mut self, key: Bytes, value: Bytes) {
        self.keys.entry(key).or_default().perhaps.push(value);
    }

    /// Keys with an acknowledged write, in order.
    pub fn keys(&self) -> Vec<Bytes> {
        let promised = self.keys.iter().filter(|(_, promise)| promise.value.is_some());
        promised.map(|(key, _)| key.clone()).collect()
    }

    /// Judges what was read.
    pub fn check(&self, key: &Bytes, found: Option<&Bytes>) -> Result<(), String> {
        let promise = self.keys.get(key).cloned().unwrap_or_default();
        if promise.value.as_ref() == found || found.is_some_and(|it| promise.perhaps.contains(it)) {
            return Ok(());
        }
        Err(format!("{key:?} should be {:?} and is {found:?}", promise.value))
    }
}
