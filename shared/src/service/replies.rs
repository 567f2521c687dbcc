//! What a server must know of the replies that it sends: what they weigh until they are taken, and
//! whether the caller is to blame for one.

use crate::error::StoreError;
use crate::service::admin::AdminResponse;
use crate::service::peer::PeerResponse;
use crate::service::store::StoreResponse;
use crate::wire::held::Reply;

impl Reply for StoreResponse {
    fn bytes(&self) -> usize {
        match self {
            Self::Read(Ok(reply)) => reply.found.as_ref().map_or(0, |(value, _)| value.len()),
            Self::Scan(Ok(reply)) => {
                reply.items.iter().map(|item| item.key.len() + item.value.len()).sum()
            }
            _ => 0,
        }
    }

    fn refuse(&mut self) {
        let busy = || {
            let what = "the room for replies that this connection has not read is full".to_owned();
            StoreError::Busy { what }
        };
        match self {
            Self::Read(reply) => *reply = Err(busy()),
            Self::Scan(reply) => *reply = Err(busy()),
            _ => {}
        }
    }

    fn fault(&self) -> Option<&str> {
        match self {
            Self::Write(Err(StoreError::Invalid { why }))
            | Self::WriteBatch(Err(StoreError::Invalid { why }))
            | Self::Read(Err(StoreError::Invalid { why })) => Some(why),
            _ => None,
        }
    }
}

/// Few operators ask for little; how many answers wait is bounded.
impl Reply for AdminResponse {}

/// Agents read and scan through the Store service too; what they say here is short.
impl Reply for PeerResponse {}
