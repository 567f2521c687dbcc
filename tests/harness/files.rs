//! The keys that files lie under, seen and spoilt behind the command line's back.

use bytes::Bytes;
use evenkeel_shared::client::StoreHandle;
use evenkeel_shared::files::keys::{CHUNKS, PAGES};
use evenkeel_shared::files::{Keys, Place};

use crate::client::{Client, is_done};

/// The keyspace of files of a cluster.
#[derive(Clone)]
pub struct FileKeys {
    client: Client,
    store: StoreHandle,
}

impl FileKeys {
    /// The keyspace that the first file creates; `None` while it is not there.
    pub fn open(seeds: Vec<String>) -> Option<Self> {
        let client = Client::new(seeds);
        let store = client.runtime.block_on(client.store.clone().in_keyspace("files")).ok()?;
        Some(Self { client, store })
    }

    /// The keys of all chunks.
    pub fn chunks(&self) -> Vec<Bytes> {
        self.all(CHUNKS)
    }

    /// The keys of all pages of hashes.
    pub fn pages(&self) -> Vec<Bytes> {
        self.all(PAGES)
    }

    fn all(&self, prefix: &'static [u8]) -> Vec<Bytes> {
        self.client.runtime.block_on(async {
            let (mut keys, mut place) = (Vec::new(), Some(Place::default()));
            while let Some(from) = place {
                let page = self.store.keys_page(Bytes::from_static(prefix), from, 1_000).await;
                let page = page.expect("the cluster can be scanned");
                keys.extend(page.found.into_iter().map(|found| found.key));
                place = page.next;
            }
            keys.sort();
            keys
        })
    }

    /// What lies under a key.
    pub fn get(&self, key: &Bytes) -> Bytes {
        let read = self.client.runtime.block_on(self.store.get(key.clone()));
        read.expect("it can be read").found.expect("it is there").0
    }

    /// Puts something under a key.
    pub fn set(&self, key: &Bytes, value: Bytes) {
        let reply = self.client.runtime.block_on(self.store.put(key.clone(), value));
        assert!(is_done(&reply), "{reply:?}");
    }
}
