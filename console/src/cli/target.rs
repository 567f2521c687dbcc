//! Where a command reads and writes, and when its writes are acknowledged: flags that all commands
//! about keys share.

use evenkeel_shared::client::StoreHandle;
use evenkeel_shared::view::SyncPolicy;

use super::{CliError, Session};

/// `--keyspace NAME`.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct InKeyspace {
    /// The keyspace; without it, the one that every cluster begins with
    #[arg(long, value_name = "NAME")]
    pub(crate) keyspace: Option<String>,
}

/// `--keyspace NAME --sync POLICY`.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Writing {
    #[command(flatten)]
    pub(crate) within: InKeyspace,
    /// When a write is acknowledged: on the disk of the leader, of a quorum, or of all voters;
    /// without it, as the keyspace says
    #[arg(long, value_name = "POLICY", value_parser = sync)]
    pub(crate) sync: Option<SyncPolicy>,
}

impl InKeyspace {
    /// A handle that reads and writes there.
    pub(crate) async fn store(&self, session: &Session) -> Result<StoreHandle, CliError> {
        let store = session.store();
        match &self.keyspace {
            None => Ok(store),
            Some(name) => store.in_keyspace(name).await.map_err(|error| match error {
                evenkeel_shared::client::ClientError::Refused(why) => {
                    CliError::refused(why.to_string(), "`evenkeel keyspace list`")
                }
                other => other.into(),
            }),
        }
    }
}

impl Writing {
    /// A handle that writes there, and is answered then.
    pub(crate) async fn store(&self, session: &Session) -> Result<StoreHandle, CliError> {
        Ok(self.within.store(session).await?.with_sync(self.sync))
    }
}

/// Reads a policy as it is typed.
pub(crate) fn sync(text: &str) -> Result<SyncPolicy, String> {
    match text {
        "leader" => Ok(SyncPolicy::Leader),
        "quorum" => Ok(SyncPolicy::Quorum),
        "all" => Ok(SyncPolicy::All),
        _ => Err("it is none of leader, quorum, all".to_owned()),
    }
}
