//! The keys that files lie under. On disk: what is here never changes.
//!
//! All begin with a zero byte and `files/`. Records of 16 buckets lie in a slot each, so that they
//! can be listed without passing over chunks; chunks and pages are spread over all slots.

use bytes::Bytes;

use super::{FileName, PartId};
use crate::key::Slot;

/// What every key of a file begins with. Ordinary keys should not.
pub const RESERVED: &[u8] = b"\0files/";
/// What every key of a chunk begins with.
pub const CHUNKS: &[u8] = b"\0files/c/";
/// What every key of a page begins with.
pub const PAGES: &[u8] = b"\0files/p/";
/// How many buckets records lie in.
pub const BUCKETS: u16 = 16;

/// Whether a key belongs to files, and is not what a reader of this prefix looks for.
pub fn is_hidden(key: &[u8], prefix: &[u8]) -> bool {
    key.starts_with(RESERVED) && !prefix.starts_with(RESERVED)
}

/// The key of a name's record.
pub fn record(name: &FileName) -> Bytes {
    records(Slot::of(name.as_str().as_bytes()).0 % BUCKETS, name.as_str())
}

/// What the keys of the records begin with that lie in a bucket and whose names begin so.
pub fn records(bucket: u16, prefix: &str) -> Bytes {
    format!("\0files/{{r{bucket:02}}}/{prefix}").into()
}

/// The name that a record's key is for.
pub fn name_of_record(key: &[u8]) -> Option<FileName> {
    let rest = key.strip_prefix(b"\0files/{r")?.get(2..)?.strip_prefix(b"}/")?;
    std::str::from_utf8(rest).ok()?.parse().ok()
}

/// The key of a chunk.
pub fn chunk(name: &FileName, part: PartId, chunk: u64) -> Bytes {
    numbered('c', name, part, chunk)
}

/// The key of a page of hashes.
pub fn page(name: &FileName, part: PartId, page: u64) -> Bytes {
    numbered('p', name, part, page)
}

fn numbered(kind: char, name: &FileName, part: PartId, number: u64) -> Bytes {
    format!("\0files/{kind}/{}\0{part}/{number:010x}", escape(name)).into()
}

/// The name and part that a chunk's or page's key is for.
pub fn owner(key: &[u8]) -> Option<(FileName, PartId)> {
    let rest = key.strip_prefix(CHUNKS).or_else(|| key.strip_prefix(PAGES))?;
    let (name, rest) = std::str::from_utf8(rest).ok()?.split_once('\0')?;
    let (part, number) = rest.split_once('/')?;
    u64::from_str_radix(number, 16).ok()?;
    let part = PartId(u128::from_str_radix(part, 16).ok()?);
    Some((unescape(name).parse().ok()?, part))
}

/// Without `{`, no tag holds all chunks of a file in one slot.
fn escape(name: &FileName) -> String {
    name.as_str().replace('%', "%25").replace('{', "%7B")
}

fn unescape(text: &str) -> String {
    text.replace("%7B", "{").replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::limits::{FILE_NAME_BYTES_MAX, KEY_BYTES_MAX};

    fn name(text: &str) -> FileName {
        text.parse().unwrap()
    }

    #[test]
    fn a_key_tells_whose_it_is() {
        for text in ["a", "a/b", "{tag}x", "%7B", "100%25{", "ü"] {
            let (name, part) = (name(text), PartId(u128::MAX - 7));
            assert_eq!(owner(&chunk(&name, part, 9)), Some((name.clone(), part)), "{text}");
            assert_eq!(owner(&page(&name, part, 9)), Some((name.clone(), part)), "{text}");
            assert_eq!(name_of_record(&record(&name)), Some(name.clone()), "{text}");
            assert_eq!(owner(&record(&name)), None);
            assert!(is_hidden(&record(&name), b"") && !is_hidden(&record(&name), RESERVED));
        }
        assert_eq!(owner(b"\0files/c/a"), None);
        assert_eq!(name_of_record(b"other"), None);
    }

    #[test]
    fn chunks_of_a_file_are_spread_over_the_shards_whatever_its_name() {
        for text in ["a", "{a}", "{user}/x"] {
            let slots = (0..64).map(|number| Slot::of(&chunk(&name(text), PartId(5), number)));
            // Sixteen shards of 1,024 slots.
            let shards: BTreeSet<u16> = slots.map(|slot| slot.0 / 1_024).collect();
            assert!(shards.len() > 8, "{text}: {shards:?}");
        }
    }

    #[test]
    fn records_of_a_bucket_lie_in_one_slot() {
        for number in 0..200 {
            let name = name(&format!("{{a}}/{number}"));
            let bucket = Slot::of(name.as_str().as_bytes()).0 % BUCKETS;
            assert_eq!(Slot::of(&record(&name)), Slot::of(&records(bucket, "")));
        }
    }

    #[test]
    fn the_longest_name_fits_a_key() {
        let name = name(&"{".repeat(FILE_NAME_BYTES_MAX));
        assert!(chunk(&name, PartId(u128::MAX), u64::MAX).len() <= KEY_BYTES_MAX);
    }
}
