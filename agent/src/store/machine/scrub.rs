//! Looking for rot: a replica's files are read back from the disk, at a pace that leaves the disk to
//! others, and its records are hashed at an index that others can hash at too.

use std::sync::Arc;
use std::time::Duration;

use super::{ContentAt, Image, Machine, MachineError};

/// Bytes a second that are read back.
const PACE_BYTES_S: u64 = 16 << 20;

impl Machine {
    /// Reads every file of the replica back; the bytes that were read. Damage is remembered as
    /// trouble.
    pub async fn verify_files(&self) -> Result<u64, MachineError> {
        let tree = self.inner.tree();
        let mut total = 0;
        for file in tree.files() {
            let tree = Arc::clone(&tree);
            let verify = move || Ok(tree.verify(&file)?);
            let read = self.inner.noted(self.inner.work.run(verify).await)?;
            total += read;
            let millis = read.saturating_mul(1_000) / PACE_BYTES_S;
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
        Ok(total)
    }

    /// Hashes an image of this replica. Damage is remembered as trouble.
    pub async fn hash_image(&self, image: Image) -> Result<ContentAt, MachineError> {
        let hashed = self.inner.work.run(move || image.content_hash()).await;
        self.inner.noted(hashed)
    }
}
