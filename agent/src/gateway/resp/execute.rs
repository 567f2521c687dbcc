//! Asks the store what a command asks, and puts its answer into Redis's words.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_shared::error::StoreError;
use evenkeel_shared::limits::DEADLINE_DEFAULT;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt, TryStreamExt};

use super::super::KeyValue;
use super::command::Question;
use super::reply::Reply;
use super::{KEYS_AT_ONCE_MAX, Resp};

/// How much later than its deadline the store may answer before it is not waited for any more.
const DEADLINE_SLACK: Duration = Duration::from_secs(1);

/// One answer to one question.
pub(super) async fn execute(resp: Resp, question: Question) -> Reply {
    let deadline = resp.clock.now() + DEADLINE_DEFAULT;
    let answer = tokio::time::timeout(
        DEADLINE_DEFAULT + DEADLINE_SLACK,
        ask(resp.store.clone(), question, deadline),
    );
    let late = || StoreError::Unknown { why: "no answer of the store in time".to_owned() };
    match answer.await.unwrap_or_else(|_| Err(late())) {
        Ok(reply) => reply,
        Err(error) => {
            tracing::debug!(%error, "redis command refused");
            Reply::refusal(&error)
        }
    }
}

async fn ask(
    store: Arc<dyn KeyValue>,
    question: Question,
    deadline: Duration,
) -> Result<Reply, StoreError> {
    match question {
        Question::Get(key) => {
            let found = store.get(key, deadline).await?;
            Ok(found.map_or(Reply::Null, Reply::Bulk))
        }
        Question::Set(request) => {
            let done = store.put(request, deadline).await?;
            Ok(if done { Reply::OK } else { Reply::Null })
        }
        Question::Delete(keys) => {
            let several = keys.len() > 1;
            let removed = count(keys, |key| store.delete(key, deadline)).await;
            removed.map_err(|error| if several { in_part(&error) } else { error })
        }
        Question::Exists(keys) => {
            let exists = |key| -> BoxFuture<'static, _> {
                let found = store.get(key, deadline);
                Box::pin(async move { Ok(found.await?.is_some()) })
            };
            count(keys, exists).await
        }
    }
}

/// Whatever kept one key from being removed, others may be gone by then (law 2).
fn in_part(error: &StoreError) -> StoreError {
    StoreError::Unknown { why: format!("some of the keys may be removed, but {error}") }
}

/// How many of the keys it holds for; some are asked for at once.
async fn count(
    keys: Vec<Bytes>,
    holds: impl Fn(Bytes) -> BoxFuture<'static, Result<bool, StoreError>>,
) -> Result<Reply, StoreError> {
    let count = stream::iter(keys)
        .map(holds)
        .buffer_unordered(KEYS_AT_ONCE_MAX)
        .try_fold(0, async |count, held| Ok(count + i64::from(held)))
        .await?;
    Ok(Reply::Integer(count))
}
