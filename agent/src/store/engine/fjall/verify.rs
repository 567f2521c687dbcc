//! Reading a table's file back, past the engine's caches, against the checksum of the whole file
//! that the engine keeps: XXH3 of 128 bits, as lsm-tree 3 writes it.

use std::fs::OpenOptions;
use std::io::Read;
use std::path::Path;

use xxhash_rust::xxh3::Xxh3Default;

use crate::store::engine::EngineError;

/// Read at once.
const PIECE_BYTES: usize = 256 << 10;

/// Compares a file with its checksum; its length.
pub(super) fn file(tree: &str, path: &Path, expected: u128) -> Result<u64, EngineError> {
    let unreadable = |source: std::io::Error| EngineError::Damaged {
        tree: tree.to_owned(),
        source: format!("{} can't be read back: {source}", path.display()).into(),
    };
    let mut file = OpenOptions::new().read(true).open(path).map_err(unreadable)?;
    let mut hasher = Xxh3Default::new();
    let mut piece = vec![0; PIECE_BYTES];
    let mut length = 0;
    loop {
        let read = file.read(&mut piece).map_err(unreadable)?;
        if read == 0 {
            break;
        }
        hasher.update(&piece[..read]);
        length += read as u64;
    }
    if hasher.digest128() == expected {
        return Ok(length);
    }
    Err(EngineError::Damaged {
        tree: tree.to_owned(),
        source: format!("{} is not as it was written", path.display()).into(),
    })
}
