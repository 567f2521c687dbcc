//! Asks the store what a command asks, and puts its answer into Redis's words.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_shared::command::OperationResult;
use evenkeel_shared::error::StoreError;
use evenkeel_shared::key::{SLOTS, Slot};
use evenkeel_shared::limits::DEADLINE_DEFAULT;

use super::super::{KeyValue, Page, Reading, Seen, Write, Written};
use super::command::{Question, Shape, Told};
use super::glob::{fits, literal_prefix};
use super::record::{Look, Update};
use super::reply::Reply;
use super::{Resp, about, map};

/// How much later than its deadline the store may answer before it is not waited for any more.
const DEADLINE_SLACK: Duration = Duration::from_secs(1);
/// Times that a change is tried when others write the same key meanwhile.
const UPDATE_TRIES: usize = 32;
/// Keys that are read at once on the way through all of them.
const WALK_KEYS: usize = 1_000;
/// Bytes of keys in one reply.
const KEYS_BYTES_MAX: usize = 64 << 20;

/// Questions that are asked together, and how.
pub(super) struct Asked {
    pub(super) questions: Vec<Question>,
    pub(super) how: Reading,
}

/// One answer to each question; several are writes that depend on nothing, no key twice.
pub(super) async fn execute(resp: Resp, asked: Asked) -> Vec<Reply> {
    let count = asked.questions.len();
    let deadline = resp.clock.now() + DEADLINE_DEFAULT;
    let answer =
        tokio::time::timeout(DEADLINE_DEFAULT + DEADLINE_SLACK, answer(&resp, asked, deadline));
    let late = || StoreError::Unknown { why: "no answer of the store in time".to_owned() };
    let replies = answer.await.unwrap_or_else(|_| Err(late()));
    replies.unwrap_or_else(|error| vec![refusal(&error); count])
}

fn refusal(error: &StoreError) -> Reply {
    tracing::debug!(%error, "redis command refused");
    Reply::refusal(error)
}

async fn answer(resp: &Resp, asked: Asked, deadline: Duration) -> Result<Vec<Reply>, StoreError> {
    let Asked { mut questions, how } = asked;
    let store = &resp.store;
    if questions.len() == 1
        && !matches!(questions[0], Question::Write { .. })
        && let Some(question) = questions.pop()
    {
        return Ok(vec![one(resp, question, how, deadline).await?]);
    }
    let (mut writes, mut parts) = (Vec::new(), Vec::new());
    for question in questions {
        if let Question::Write { writes: own, told } = question {
            parts.push((own.len(), told));
            writes.extend(own);
        }
    }
    let mut outcomes = store.write(writes, deadline).await?.into_iter();
    let told = parts.into_iter().map(|(count, told)| {
        let own: Vec<Written> = outcomes.by_ref().take(count).collect();
        tell(told, own).unwrap_or_else(|error| refusal(&error))
    });
    Ok(told.collect())
}

async fn one(
    resp: &Resp,
    question: Question,
    how: Reading,
    deadline: Duration,
) -> Result<Reply, StoreError> {
    let store = &resp.store;
    match question {
        Question::Look { keys, look, shape } => {
            let seen = store.read(keys, how, deadline).await?;
            Ok(shaped(&seen, look, shape))
        }
        // They have been answered above.
        Question::Write { .. } => Ok(Reply::OK),
        Question::Update { key, update } => change(store, key, &update, deadline).await,
        Question::Scan { from, pattern, enough, strings } => {
            let keys = async |page| store.page(page, deadline).await;
            let prefix = Bytes::copy_from_slice(literal_prefix(&pattern));
            let page = Page { from, to: Slot(SLOTS - 1), prefix, enough };
            let paged = keys(page).await?;
            let cursor = paged.next.map_or(0, |slot| slot.0);
            let found = paged.keys.into_iter().filter(|key| strings && fits(&pattern, key));
            let found = Reply::Array(found.map(Reply::Bulk).collect());
            Ok(Reply::Array(vec![Reply::text(cursor.to_string()), found]))
        }
        Question::Keys(pattern) => {
            let (mut found, mut bytes) = (Vec::new(), 0);
            let prefix = Bytes::copy_from_slice(literal_prefix(&pattern));
            walk(store, prefix, deadline, |keys| {
                let fit = keys.into_iter().filter(|key| fits(&pattern, key));
                found.extend(fit.inspect(|key| bytes += key.len()).map(Reply::Bulk));
                bytes <= KEYS_BYTES_MAX
            })
            .await?;
            if bytes > KEYS_BYTES_MAX {
                let why = "ERR more keys than fit one reply: use SCAN";
                return Ok(Reply::Error(why.to_owned()));
            }
            Ok(Reply::Array(found))
        }
        Question::Any => any(resp, deadline).await,
        Question::Count => {
            let mut count = 0_usize;
            walk(store, Bytes::new(), deadline, |keys| {
                count += keys.len();
                true
            })
            .await?;
            Ok(number(count))
        }
        Question::InSlot(slot, most) => {
            let enough = most.unwrap_or(usize::MAX);
            let page = Page { from: slot, to: slot, prefix: Bytes::new(), enough };
            let keys = store.page(page, deadline).await?.keys;
            Ok(match most {
                None => number(keys.len()),
                Some(most) => Reply::Array(keys.into_iter().take(most).map(Reply::Bulk).collect()),
            })
        }
        // The leader's own copy is not counted in Redis.
        Question::Copies => Ok(number(store.copies().saturating_sub(1))),
        Question::Cluster(question) => Ok(map::tell(&store.map(), question)),
        Question::Server(question) => Ok(about::tell(resp, &question)),
    }
}

fn number(count: usize) -> Reply {
    Reply::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

fn shaped(seen: &[Seen], look: Look, shape: Shape) -> Reply {
    let mut replies: Vec<Reply> = seen.iter().map(|seen| look.see(seen)).collect();
    match shape {
        Shape::One => replies.pop().unwrap_or(Reply::Null),
        Shape::Each => Reply::Array(replies),
        Shape::Sum => {
            let one = |reply: &Reply| if let Reply::Integer(number) = reply { *number } else { 0 };
            Reply::Integer(replies.iter().map(one).sum())
        }
    }
}

/// Reads, decides, and writes on the condition that the record is still the same.
async fn change(
    store: &Arc<dyn KeyValue>,
    key: Bytes,
    update: &Update,
    deadline: Duration,
) -> Result<Reply, StoreError> {
    for _ in 0..UPDATE_TRIES {
        let seen = store.read(vec![key.clone()], Reading::Usual, deadline).await?;
        let decision = update.decide(seen.first().unwrap_or(&Seen::default()));
        let Some((action, ttl_ms)) = decision.write else { return Ok(decision.reply) };
        let write = Write { key: key.clone(), action, ttl_ms };
        match store.write(vec![write], deadline).await?.pop() {
            Some(Ok(result)) if result.is_done() => return Ok(decision.reply),
            Some(Ok(OperationResult::ConditionFailed { .. })) => {}
            Some(Ok(other)) => return Err(not_done(&other)),
            Some(Err(error)) => return Err(error),
            None => return Err(StoreError::Unknown { why: "no outcome came".to_owned() }),
        }
    }
    Err(StoreError::Busy { what: "the key has changed at every attempt".to_owned() })
}

/// Goes through all keys, until the visitor has enough.
async fn walk(
    store: &Arc<dyn KeyValue>,
    prefix: Bytes,
    deadline: Duration,
    mut visit: impl FnMut(Vec<Bytes>) -> bool,
) -> Result<(), StoreError> {
    let mut from = Some(Slot(0));
    while let Some(slot) = from {
        let page =
            Page { from: slot, to: Slot(SLOTS - 1), prefix: prefix.clone(), enough: WALK_KEYS };
        let paged = store.page(page, deadline).await?;
        if !visit(paged.keys) {
            return Ok(());
        }
        from = paged.next;
    }
    Ok(())
}

/// A key of the first slot that has any, from a slot on that is drawn.
async fn any(resp: &Resp, deadline: Duration) -> Result<Reply, StoreError> {
    let drawn = resp.rng.next_u64();
    let from = Slot(u16::try_from(drawn % u64::from(SLOTS)).unwrap_or(0));
    for (from, to) in [(from, Slot(SLOTS - 1)), (Slot(0), from)] {
        let page = Page { from, to, prefix: Bytes::new(), enough: 1 };
        let keys = resp.store.page(page, deadline).await?.keys;
        if !keys.is_empty() {
            let at = usize::try_from(drawn >> 32).unwrap_or(0) % keys.len();
            return Ok(keys.into_iter().nth(at).map_or(Reply::Null, Reply::Bulk));
        }
    }
    Ok(Reply::Null)
}

/// What writes have done, in Redis's words.
fn tell(told: Told, outcomes: Vec<Written>) -> Result<Reply, StoreError> {
    let several = outcomes.len() > 1;
    let mut existed = 0;
    let mut last = Reply::OK;
    for outcome in outcomes {
        // Whatever kept one key from being written, others may be by then (law 2).
        let outcome = outcome.map_err(|error| if several { in_part(&error) } else { error })?;
        match (told, outcome) {
            (_, OperationResult::Counted { value, .. }) => last = Reply::Integer(value),
            (Told::Removed, OperationResult::Done { existed: true, .. }) => existed += 1,
            (Told::Whether | Told::RenamedIfFree, result) if result.is_done() => {
                last = Reply::Integer(1);
            }
            (_, result) if result.is_done() => {}
            (
                Told::Renamed | Told::RenamedIfFree,
                OperationResult::ConditionFailed { actual: None },
            ) => {
                last = Reply::Error("ERR no such key".to_owned());
            }
            (Told::Whether | Told::RenamedIfFree, OperationResult::ConditionFailed { .. }) => {
                last = Reply::Integer(0);
            }
            (_, OperationResult::ConditionFailed { .. }) => last = Reply::Null,
            (_, OperationResult::NotANumber) => {
                let why = "ERR value is not an integer or out of range";
                last = Reply::Error(why.to_owned());
            }
            (_, other) => return Err(not_done(&other)),
        }
    }
    Ok(if told == Told::Removed { Reply::Integer(existed) } else { last })
}

fn in_part(error: &StoreError) -> StoreError {
    StoreError::Unknown { why: format!("some of the keys may be written, but {error}") }
}

fn not_done(result: &OperationResult) -> StoreError {
    let why = match result {
        OperationResult::TooManyClients => "the shard remembers as many clients as it may",
        _ => "the shard no longer knows whether it was done before",
    };
    StoreError::Unknown { why: why.to_owned() }
}
