//! Lists the keys with a prefix: page by page, shard by shard.
//!
//! One page is in memory at a time, however many keys there are.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use evenkeel_shared::client::StoreHandle;
use evenkeel_shared::files::keys::is_hidden;
use evenkeel_shared::ids::{KeyspaceId, ShardId};
use evenkeel_shared::key::Slot;
use evenkeel_shared::limits::SCAN_KEYS_MAX;
use evenkeel_shared::service::store::{Routing, ScanItem, ScanRequest};
use evenkeel_shared::version::Version;
use serde::Serialize;

use crate::cli::target::InKeyspace;
use crate::cli::{CliError, Exit, Session, format, json, line};

/// Flags of the command.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ScanArguments {
    /// What the keys begin with; "" is all of them
    prefix: String,
    /// At most so many
    #[arg(long)]
    limit: Option<u64>,
    /// Leave the values out
    #[arg(long)]
    keys_only: bool,
    #[command(flatten)]
    within: InKeyspace,
}

/// One line of `kv scan --json`.
#[derive(Debug, Serialize)]
struct ScanRow {
    /// As text, where it is text.
    key: Option<String>,
    key_base64: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
    version: Version,
}

/// A scan under way.
pub(crate) struct Scan<'a> {
    store: &'a StoreHandle,
    prefix: Bytes,
    keys_only: bool,
    next: Next,
}

/// Where the next page begins.
enum Next {
    First,
    After { shard: ShardId, last: Option<(Slot, Bytes)> },
    End,
}

impl<'a> Scan<'a> {
    /// A scan that reads keys and versions only.
    pub(crate) fn keys(store: &'a StoreHandle, prefix: Bytes) -> Self {
        Self { store, prefix, keys_only: true, next: Next::First }
    }

    /// The next page; empty pages between shards are possible. `None`: that was all.
    pub(crate) async fn page(&mut self) -> Result<Option<Vec<ScanItem>>, CliError> {
        let (shard, after) = match std::mem::replace(&mut self.next, Next::End) {
            Next::First => (None, None),
            Next::After { shard, last } => (Some(shard), last),
            Next::End => return Ok(None),
        };
        let request = ScanRequest {
            // The handle fills keyspace and routing in.
            keyspace: KeyspaceId::default(),
            shard,
            prefix: self.prefix.clone(),
            after,
            limit: SCAN_KEYS_MAX,
            keys_only: self.keys_only,
            routing: Routing::Forward,
        };
        let reply = self.store.scan(request).await?;
        self.next = match (reply.more, reply.items.last(), reply.next_shard) {
            (true, Some(item), _) => {
                Next::After { shard: reply.shard, last: Some((item.slot, item.key.clone())) }
            }
            (_, _, Some(shard)) => Next::After { shard, last: None },
            (_, _, None) => Next::End,
        };
        let mut items = reply.items;
        // Chunks of files are nobody's keys, unless they are asked for.
        items.retain(|item| !is_hidden(&item.key, &self.prefix));
        Ok(Some(items))
    }
}

/// Runs the command.
pub(crate) async fn run(session: &Session, arguments: ScanArguments) -> Result<Exit, CliError> {
    let store = arguments.within.store(session).await?;
    let keys_only = arguments.keys_only;
    let prefix = arguments.prefix.into();
    let mut scan = Scan { store: &store, prefix, keys_only, next: Next::First };
    let mut left = arguments.limit.unwrap_or(u64::MAX);
    while left > 0
        && let Some(items) = scan.page().await?
    {
        for item in items {
            if left == 0 {
                break;
            }
            left -= 1;
            print(session, &item, keys_only)?;
        }
    }
    Ok(Exit::Done)
}

fn print(session: &Session, item: &ScanItem, keys_only: bool) -> Result<(), CliError> {
    if session.json() {
        return json(&ScanRow {
            key: std::str::from_utf8(&item.key).ok().map(str::to_owned),
            key_base64: STANDARD.encode(&item.key),
            value_base64: (!keys_only).then(|| STANDARD.encode(&item.value)),
            version: item.version,
        });
    }
    if keys_only {
        return line(format::key(&item.key));
    }
    line(format_args!("{}\t{}", format::key(&item.key), format::key(&item.value)))
}
