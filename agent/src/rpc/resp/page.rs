//! Keys of whole slots, put together from the pages of shards.

use evenkeel_shared::error::StoreError;
use evenkeel_shared::files::keys::is_hidden;
use evenkeel_shared::ids::{KeyspaceId, ShardId};
use evenkeel_shared::key::Slot;
use evenkeel_shared::limits::SCAN_KEYS_MAX;
use evenkeel_shared::service::store::{Routing, ScanRequest};
use evenkeel_shared::wire::deadline::Deadline;

use crate::gateway::{Page, Paged};
use crate::store::router::Router;

/// Bytes of keys that one slot may bring: a reply must fit memory.
const BYTES_MAX: usize = 64 << 20;

/// Reads slot by slot until there are enough keys and the last slot is whole.
pub(super) async fn read(
    router: &Router,
    keyspace: KeyspaceId,
    page: Page,
    by: Deadline,
) -> Result<Paged, StoreError> {
    let mut found = Paged::default();
    let mut slot = page.from;
    let mut bytes = 0;
    while slot.0 <= page.to.0 {
        let (shard, last) = router.stretch_of(keyspace, slot)?;
        let last = Slot(last.0.min(page.to.0));
        let mut after = Some((slot, bytes::Bytes::new()));
        loop {
            let request = request(keyspace, shard, &page, after.take());
            let reply = router.scan(request, by).await?;
            for item in reply.items {
                if item.slot.0 > last.0 {
                    break;
                }
                if item.slot != slot && found.keys.len() >= page.enough {
                    found.next = Some(item.slot);
                    return Ok(found);
                }
                slot = item.slot;
                after = Some((item.slot, item.key.clone()));
                if is_hidden(&item.key, &page.prefix) {
                    continue;
                }
                bytes += item.key.len();
                found.keys.push(item.key);
            }
            if bytes > BYTES_MAX {
                let why = format!("slot {} has more keys than fit one reply", slot.0);
                return Err(StoreError::Invalid { why });
            }
            if !reply.more || after.is_none() {
                break;
            }
        }
        slot = Slot(last.0 + 1);
        if found.keys.len() >= page.enough && slot.0 <= page.to.0 {
            found.next = Some(slot);
            return Ok(found);
        }
    }
    Ok(found)
}

fn request(
    keyspace: KeyspaceId,
    shard: ShardId,
    page: &Page,
    after: Option<(Slot, bytes::Bytes)>,
) -> ScanRequest {
    let limit = u32::try_from(page.enough).unwrap_or(SCAN_KEYS_MAX).clamp(16, SCAN_KEYS_MAX);
    let (prefix, routing) = (page.prefix.clone(), Routing::Forward);
    ScanRequest { keyspace, shard: Some(shard), prefix, after, limit, keys_only: true, routing }
}
