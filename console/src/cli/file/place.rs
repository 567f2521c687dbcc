//! Where files lie: a keyspace of their own, which the first file creates.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_shared::client::{ClientError, StoreHandle};
use evenkeel_shared::error::{AdminError, StoreError};
use evenkeel_shared::files::Files;
use evenkeel_shared::limits::DEADLINE_MAX;
use evenkeel_shared::preflight::Action;
use evenkeel_shared::view::SyncPolicy;
use evenkeel_shared::wire::deadline::Deadline;

use crate::cli::session::Operator;
use crate::cli::{CliError, Session, act, keyspace};

/// The keyspace of files when nothing else is said.
const KEYSPACE: &str = "files";
/// How long one request of a transfer may take, all retries together: a failover and more.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Between two looks at a keyspace that somebody is creating.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// `--keyspace NAME`, for files.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct InFiles {
    /// The keyspace; without it `files`, which the first put creates
    #[arg(long, value_name = "NAME")]
    keyspace: Option<String>,
}

impl InFiles {
    /// The files there; `None` while nobody has put any.
    pub(super) async fn open(
        &self,
        session: &Session,
    ) -> Result<Option<Files<StoreHandle>>, CliError> {
        let name = self.keyspace.as_deref().unwrap_or(KEYSPACE);
        match store(session).in_keyspace(name).await {
            Ok(store) => Ok(Some(files(store))),
            Err(ClientError::Refused(StoreError::Invalid { .. })) if self.keyspace.is_none() => {
                Ok(None)
            }
            Err(ClientError::Refused(why)) => {
                Err(CliError::refused(why.to_string(), "`evenkeel keyspace list`"))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The files there; their keyspace is created if it is not there yet.
    pub(super) async fn open_or_create(
        &self,
        session: &Session,
    ) -> Result<Files<StoreHandle>, CliError> {
        let over = crate::clock::now() + session.timeout_or(TIMEOUT);
        let mut created = false;
        loop {
            if let Some(files) = self.open(session).await? {
                return Ok(files);
            }
            if !created {
                create(session, over).await?;
                created = true;
            }
            if crate::clock::now() >= over {
                let what = format!("the keyspace {KEYSPACE} is not known everywhere yet");
                return Err(CliError::unreachable(what, "the same command again"));
            }
            // The agent that was asked has not heard of it yet.
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// Creates the keyspace of files, unless somebody else does.
async fn create(session: &Session, over: Duration) -> Result<(), CliError> {
    let operator = session.operator().await?;
    loop {
        let view = operator.view(session.timeout()).await?;
        if view.keyspaces.iter().any(|known| known.name == KEYSPACE) {
            return Ok(());
        }
        let left = over.saturating_sub(crate::clock::now());
        match attempt(&operator, left).await {
            Ok(()) => return Ok(()),
            // The view tells whether it is there by now.
            Err(_) if !left.is_zero() => tokio::time::sleep(LOOK_AGAIN).await,
            Err(error) => return Err(error),
        }
    }
}

async fn attempt(operator: &Operator, left: Duration) -> Result<(), CliError> {
    let action = Action::KeyspaceCreate(keyspace::usual(KEYSPACE));
    let context = || Deadline::after(left.min(DEADLINE_MAX)).context();
    let answer = operator.client.preflight(context(), action.clone()).await;
    let preflight = answer.map_err(|error| operator.silent(&error))??;
    if let Some(why) = preflight.refused {
        return Err(AdminError::Refused { why }.into());
    }
    let act = operator.client.act(context(), action, preflight.revision, act::actor());
    act.await.map_err(|error| operator.silent(&error))??;
    Ok(())
}

/// Nothing of a file is acknowledged before a majority has it: the record names chunks for good.
fn store(session: &Session) -> StoreHandle {
    session.store().with_timeout(session.timeout_or(TIMEOUT)).at_least(SyncPolicy::Quorum)
}

fn files(store: StoreHandle) -> Files<StoreHandle> {
    let id = || u128::from(crate::random::bits()) << 64 | u128::from(crate::random::bits());
    Files::new(store, Arc::new(id))
}
