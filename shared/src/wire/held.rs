//! Replies that count against their connection's room until they have left.

use serde::{Serialize, Serializer};
use tarpc::ServerError;
use tarpc::context::Context;
use tarpc::server::Serve;

use super::room::Share;

/// What a server must know of a reply that goes to a stranger.
pub trait Reply {
    /// Bytes that it holds, where they may be many.
    fn bytes(&self) -> usize {
        0
    }

    /// Says instead that the connection holds too much already.
    fn refuse(&mut self) {}

    /// The rule that the request broke, if this says so.
    fn fault(&self) -> Option<&str> {
        None
    }
}

/// A reply that holds its share of the room until it is dropped, which is when it has been sent.
pub(super) struct Held<T> {
    reply: T,
    _share: Share,
}

impl<T: Serialize> Serialize for Held<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.reply.serialize(serializer)
    }
}

/// A service that gives such replies, and tells of callers who break a rule.
pub(super) struct Holding<'a, S, F> {
    pub(super) service: S,
    pub(super) share: Share,
    pub(super) complain: &'a F,
}

impl<S: Serve<Resp: Reply>, F: Fn(&str)> Serve for Holding<'_, S, F> {
    type Req = S::Req;
    type Resp = Held<S::Resp>;

    async fn serve(self, context: Context, request: S::Req) -> Result<Self::Resp, ServerError> {
        let Self { service, mut share, complain } = self;
        let mut reply = service.serve(context, request).await?;
        if let Some(why) = reply.fault() {
            complain(why);
        }
        let bytes = reply.bytes();
        if bytes > 0 && !share.take(bytes) {
            reply.refuse();
        }
        Ok(Held { reply, _share: share })
    }
}
