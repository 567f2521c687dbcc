//! The Store service: hands requests to the router.

use std::sync::Arc;

use evenkeel_shared::error::StoreError;
use evenkeel_shared::service::store::{
    BatchReply, BatchRequest, ReadReply, ReadRequest, Routes, ScanReply, ScanRequest, Store,
    WriteReply, WriteRequest,
};
use evenkeel_shared::wire::deadline::Deadline;
use tarpc::context::Context;

use crate::store::router::Router;

/// Serves one Store connection.
#[derive(Clone)]
pub struct StoreService {
    /// Finds the leader.
    pub router: Arc<Router>,
    /// Counts and times what is done.
    pub meter: Arc<super::meter::Meter>,
}

impl Store for StoreService {
    async fn write(
        self,
        context: Context,
        request: WriteRequest,
    ) -> Result<WriteReply, StoreError> {
        let begun = self.meter.begin();
        let reply = self.router.write(request, Deadline::of(&context)).await?;
        self.meter.wrote(begun);
        Ok(reply)
    }

    async fn write_batch(
        self,
        context: Context,
        request: BatchRequest,
    ) -> Result<BatchReply, StoreError> {
        let begun = self.meter.begin();
        let reply = self.router.write_batch(request, Deadline::of(&context)).await?;
        let done = reply.parts.iter().filter(|part| part.outcome.is_ok());
        for _ in 0..done.map(|part| part.items.len()).sum() {
            self.meter.wrote(begun);
        }
        Ok(reply)
    }

    async fn read(self, context: Context, request: ReadRequest) -> Result<ReadReply, StoreError> {
        let reply = self.router.read(request, Deadline::of(&context)).await?;
        self.meter.read();
        Ok(reply)
    }

    async fn scan(self, context: Context, request: ScanRequest) -> Result<ScanReply, StoreError> {
        self.router.scan(request, Deadline::of(&context)).await
    }

    async fn routes(self, _context: Context) -> Routes {
        self.router.routes()
    }
}
